// 1.6 Compiler Options in Metal
//--- preprocessor definitions of the host
// options: define=N=7
// gives: i32 = 7
kernel void f(device int* o) { o[0] = N; }
//--- `__METAL_VERSION__`, `__METAL__`, `__METAL_MACOS__`
// options: std=3.1
// gives: i32 = 310 1
kernel void f(device int* o) { o[0] = __METAL_VERSION__; o[1] = __METAL__; }
//--- target conditionals
// gives: i32 = 1
#include <TargetConditionals.h>
kernel void f(device int* o) { o[0] = TARGET_OS_OSX || TARGET_OS_IPHONE || 1; }
//--- safe, relaxed and fast math; `__FAST_MATH__`
// options: math=fast
// gives: f32 ~ 1e-4 = 0.5
#include <metal_stdlib>
kernel void f(device float* o) { o[0] = metal::sin(0.52359878f); }
//--- `#pragma METAL fp math_mode(safe)` in a block
// options: math=fast
// gives: u32 = 1 1
#include <metal_stdlib>
kernel void f(device uint* o) {
#pragma METAL fp math_mode(safe)
    float n = as_type<float>(0x7fc00000u);
    o[0] = metal::isnan(n);
    o[1] = n != n;
}
//--- `#pragma METAL fp contract(off)`
// gives: u32 = 0
kernel void f(device uint* o) {
#pragma METAL fp contract(off)
    float a = 1.0f + 0x1p-12f, b = a * a, c = -b;
    o[0] = a * a + c != 0.0f;
}
//--- language versions by number
// options: std=2.0
// gives: i32 = 200
kernel void f(device int* o) { o[0] = __METAL_VERSION__; }
