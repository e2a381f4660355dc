// Function constants, macros, preprocessor, namespaces.
//--- function constants
// constant scale: f32 = 3
// constant 1: bool = 1
// buffer 0: f32 = 1 2
// dispatch: f grid=2 threadgroup=2
// expect 0: f32 = 103 106
constant float scale [[function_constant(0)]];
constant bool shifted [[function_constant(1)]];
constant bool absent [[function_constant(2)]];
constant float shift = is_function_constant_defined(absent) ? 7 : 100;
kernel void f(device float* p [[buffer(0)]], uint i [[thread_position_in_grid]]) {
    p[i] *= scale;
    if (shifted) p[i] += shift;
}
//--- macros
// options: define=FACTOR=7
// buffer 0: i32 = zeros(3)
// dispatch: g grid=1
// expect 0: i32 = 21 3 1
#define TIMES(a, b) ((a) * (b))
#define NAME(x) value_##x
#if __METAL_VERSION__ >= 300 && defined(__METAL__)
#define NEW 1
#else
#define NEW 0
#endif
kernel void g(device int* out [[buffer(0)]]) {
    int NAME(a) = 3;
    out[0] = TIMES(value_a, FACTOR);
    out[1] = value_a;
    out[2] = NEW;
}
//--- namespaces, references, default arguments, recursion-free helpers
// buffer 0: i32 = zeros(3)
// dispatch: h grid=1
// expect 0: i32 = 5 12 1
namespace outer { namespace inner { static int five() { return 5; } } constant int twelve = 12; }
using namespace outer;
static void set(device int& x, int v = 1) { x = v; }
kernel void h(device int* out [[buffer(0)]]) {
    set(out[0], inner::five());
    set(out[1], outer::twelve);
    set(out[2]);
}
//--- constant tables
// buffer 0: i32 = zeros(4)
// dispatch: k grid=4 threadgroup=4
// expect 0: i32 = 10 20 30 45
constant int rows[2][2] = {{10, 20}, {30, 40}};
constant int extra = rows[1][1] / 8;
kernel void k(device int* out [[buffer(0)]], uint i [[thread_position_in_grid]]) {
    out[i] = rows[i / 2][i % 2] + (i == 3 ? extra : 0);
}
