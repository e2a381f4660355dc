// 2.15 Visible Function Table
#include <metal_stdlib>
using namespace metal;
//--- `visible_function_table<F>`: each thread calls the function of its entry
// A table has its size and the functions' numbers, which begin at 2 to the 32nd.
// buffer 0: i32 = iota(6)
// buffer 1: u64 = 3 4294967298 4294967296 4294967299
// dispatch: f grid=6
// expect 0: i32 = 100 2 4 103 8 10
[[visible]] int twice(int x) { return 2 * x; }
[[visible]] float another_type(int x) { return x; }
[[visible]] int more(int x) { return x + 100; }
namespace inner { [[visible]] int squared(int x) { return x * 2; } }
kernel void f(device int* o [[buffer(0)]], visible_function_table<int(int)> t [[buffer(1)]], uint i [[thread_position_in_grid]]) {
    o[i] = t[i % t.size()](o[i]);
}
//--- `size`, `empty`, `is_null_visible_function_table`; pointers from tables are pointers to functions
// buffer 0: i32 = zeros(7)
// buffer 2: u64 = 4 4294967296 0 4294967297 4294967296
// dispatch: f grid=1
// expect 0: i32 = 4 0 0 1 1 1 7
using Op = float(float, thread int&);
[[visible]] float up(float x, thread int& n) { n++; return x + 1; }
[[visible]] float down(float x, thread int& n) { n--; return x - 1; }
static float apply(visible_function_table<Op> t, uint i, float x, thread int& n) { auto op = t[i]; return op ? op(x, n) : -100; }
kernel void f(device int* o [[buffer(0)]], visible_function_table<Op> t [[buffer(2)]]) {
    o[0] = t.size(); o[1] = t.empty(); o[2] = is_null_visible_function_table(t);
    o[3] = t[0] == &up && t[2] == down && t[3] == t[0];
    o[4] = t[1] == nullptr;
    int n = 0;
    float x = apply(t, 0, 5, n);
    o[5] = n;
    o[6] = int(apply(t, 3, x, n)) + (apply(t, 1, 0, n) < 0 ? 0 : 50);
}
//--- visible functions from templates, beside addresses that the program takes itself
// buffer 0: f32 = zeros(3)
// buffer 1: u64 = 2 4294967297 4294967296
// dispatch: f grid=1
// expect 0: f32 = 6 4 9
template <int n> [[visible]] float times(float x) { return n * x; }
template [[host_name("times_two"), visible]] float times<2>(float);
template [[host_name("times_three")]] [[visible]] float times<3>(float);
static float own(float x) { return x + 7; }
kernel void f(device float* o [[buffer(0)]], visible_function_table<float(float)> t [[buffer(1)]]) {
    o[0] = t[0](2);
    o[1] = t[1](2);
    auto p = o[1] == 4 ? &own : t[0];
    o[2] = p(2);
}
//--- a table that a function constant leaves out
// constant 0: bool = 0
// gives: i32 = 1 0 1
constant bool has_table [[function_constant(0)]];
[[visible]] int g(int x) { return x; }
kernel void f(device int* o [[buffer(0)]], visible_function_table<int(int)> t [[buffer(1), function_constant(has_table)]]) {
    o[0] = is_null_visible_function_table(t); o[1] = t.size(); o[2] = t.empty();
    if (has_table) o[0] = t[0](1);
}
//--- an entry that a table lacks
// buffer 0: i32 = zeros(1)
// buffer 1: u64 = 1 4294967296
// fault: t
// dispatch: f grid=1
[[visible]] int g(int x) { return x; }
kernel void f(device int* o [[buffer(0)]], visible_function_table<int(int)> t [[buffer(1)]]) { o[0] = t[5](1); }
//--- an argument that the function of a table does not take
// error: no-matching-function
kernel void f(device int* o, visible_function_table<int(int)> t [[buffer(1)]]) { o[0] = t[0](1, 2); }
//--- 2.16 `[[function_groups]]`, a hint
// buffer 0: i32 = 3
// buffer 1: u64 = 1 4294967296
// dispatch: f grid=1
// expect 0: i32 = 9
[[visible]] int g(int x) { return x * 3; }
kernel void f(device int* o [[buffer(0)]], visible_function_table<int(int)> t [[buffer(1)]]) {
    [[function_groups("group1")]] o[0] = t[0](o[0]);
}
