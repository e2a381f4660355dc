// Templates, overloads, constant evaluation.
//--- function and class templates with host names
// buffer 0: f32 = 1 2 3 4
// buffer 1: i32 = 1 2 3 4
// dispatch: twice_float grid=4 threadgroup=4
// buffer 0: i32 = 1 2 3 4
// dispatch: twice_int grid=4 threadgroup=4
// expect 0: i32 = 2 4 6 8
#include <metal_stdlib>
using namespace metal;
template <typename T>
kernel void twice(device T* p [[buffer(0)]], uint i [[thread_position_in_grid]]) { p[i] *= T(2); }
template [[host_name("twice_float")]] kernel void twice<float>(device float*, uint);
template [[host_name("twice_int")]] kernel void twice<int>(device int*, uint);
//--- specialisation and non-type parameters
// buffer 0: i32 = zeros(4)
// dispatch: f grid=1
// expect 0: i32 = 8 1 120 3
template <int N> struct Power { static constexpr constant int value = 2 * Power<N - 1>::value; };
template <> struct Power<0> { static constexpr constant int value = 1; };
template <typename T> struct Is { static constexpr constant bool integer = false; };
template <> struct Is<int> { static constexpr constant bool integer = true; };
constexpr int factorial(int n) { return n <= 1 ? 1 : n * factorial(n - 1); }
template <typename... Ts> int count(Ts...) { return sizeof...(Ts); }
constant constexpr int table[] = {factorial(5)};
kernel void f(device int* out [[buffer(0)]]) {
    out[0] = Power<3>::value;
    out[1] = Is<int>::integer && !Is<float>::integer;
    out[2] = table[0];
    out[3] = count(1, 2.0f, 'c');
}
//--- if constexpr and lambdas
// buffer 0: i32 = zeros(2)
// dispatch: g grid=1
// expect 0: i32 = 4 15
template <typename T> int width() { if constexpr (sizeof(T) == 4) return 4; else return 0; }
kernel void g(device int* out [[buffer(0)]]) {
    out[0] = width<float>();
    int base = 5;
    auto add = [&](int x) { return base + x; };
    out[1] = add(10);
}
//--- overloads by type and address space
// buffer 0: i32 = zeros(4)
// dispatch: h grid=1
// expect 0: i32 = 1 2 3 4
static int which(int) { return 1; }
static int which(float) { return 2; }
static int space(device int*) { return 3; }
static int space(thread int*) { return 4; }
kernel void h(device int* out [[buffer(0)]]) {
    int x = 0;
    out[0] = which(1); out[1] = which(1.0f); out[2] = space(out); out[3] = space(&x);
}
