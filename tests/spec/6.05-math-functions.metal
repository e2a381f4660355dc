// 6.5 Math Functions
#include <metal_stdlib>
using namespace metal;
//--- elementary functions of `float`
// see: tests/run/math.metal (elementary)
//--- `cospi`, `sinpi`, `tanpi`, `exp10`, `powr`, `log10`, `rsqrt`
// gives: f32 ~ 1e-5 = -1 1 1 100 8 2 0.5
kernel void f(device float* o) { o[0] = cospi(1.0f); o[1] = sinpi(0.5f); o[2] = tanpi(0.25f); o[3] = exp10(2.0f); o[4] = powr(2.0f, 3.0f); o[5] = log10(100.0f); o[6] = rsqrt(4.0f); }
//--- `acosh`, `asinh`, `atanh`, `cosh`, `sinh`, `tanh`
// gives: f32 ~ 1e-5 = 1.3169579 1.4436355 0.54930615 3.7621957 3.6268604 0.9640276
kernel void f(device float* o) { o[0] = acosh(2.0f); o[1] = asinh(2.0f); o[2] = atanh(0.5f); o[3] = cosh(2.0f); o[4] = sinh(2.0f); o[5] = tanh(2.0f); }
//--- `frexp`, `ldexp`, `modf`, `ilogb`, `logb`, `nextafter`, `copysign`
// gives: f32 = 0.75 3 12 0.5 2 3 3 -1
kernel void f(device float* o) { int e; o[0] = frexp(6.0f, e); o[1] = e; o[2] = ldexp(0.75f, 4); float w; o[3] = modf(2.5f, w); o[4] = w; o[5] = ilogb(12.0f); o[6] = logb(12.0f); o[7] = copysign(1.0f, -0.0f); }
//--- `sincos`
// gives: f32 ~ 1e-6 = 0.8414710 0.5403023
kernel void f(device float* o) { float c; o[0] = sincos(1.0f, c); o[1] = c; }
//--- `fmin3`, `fmax3`, `fmedian3`, `min3`, `max3`, `median3`
// gives: f32 = 1 3 2 1 3 2
kernel void f(device float* o) { o[0] = fmin3(3.0f, 1.0f, 2.0f); o[1] = fmax3(3.0f, 1.0f, 2.0f); o[2] = fmedian3(3.0f, 1.0f, 2.0f); o[3] = min3(3.0f, 1.0f, 2.0f); o[4] = max3(3.0f, 1.0f, 2.0f); o[5] = median3(3.0f, 1.0f, 2.0f); }
//--- `fdim`, `fmod`, `fma`, `divide`, `trunc`, `rint`, `round`, `fract`
// gives: f32 = 2 1.5 7 2 -2 2 3 0.25
kernel void f(device float* o) { o[0] = fdim(5.0f, 3.0f); o[1] = fmod(5.5f, 2.0f); o[2] = fma(2.0f, 3.0f, 1.0f); o[3] = divide(4.0f, 2.0f); o[4] = trunc(-2.7f); o[5] = rint(2.5f); o[6] = round(2.5f); o[7] = fract(-1.75f); }
//--- of `half` and of vectors
// gives: f16 ~ 2e-3 = 0.5 2 1 4 3
kernel void f(device half* o) { o[0] = sin(half(0.523599h)); o[1] = sqrt(half3(4)).y; o[2] = exp(half2(0)).x; o[3] = pow(2.0h, 2.0h); o[4] = floor(3.7h); }
//--- of `bfloat`
// gives: bf16 ~ 2e-2 = 0.5 2 1 3
kernel void f(device bfloat* o) { o[0] = sin(bfloat(0.523599f)); o[1] = sqrt(bfloat(4.0f)); o[2] = exp(bfloat(0)); o[3] = floor(bfloat(3.7f)); }
//--- `fast::` and `precise::`
// gives: f32 ~ 1e-4 = 0.8414710 0.8414710 2.7182818 2.7182818
kernel void f(device float* o) { o[0] = fast::sin(1.0f); o[1] = precise::sin(1.0f); o[2] = fast::exp(1.0f); o[3] = precise::exp(1.0f); }
//--- arguments that are integers convert to `float`
// gives: f32 = 2 3
kernel void f(device float* o) { int n = 4; o[0] = sqrt(float(n)); o[1] = max(3.0f, 2.0f); }
//--- constants: `M_PI_F`, `M_E_H`, `HUGE_VALF`, `INFINITY`, `NAN`, `MAXFLOAT`
// gives: i32 = 1 1 1 1 1
kernel void f(device int* o) { o[0] = M_PI_F == 3.14159274f; o[1] = M_E_H > 2.7h; o[2] = isinf(HUGE_VALF); o[3] = isnan(NAN); o[4] = isfinite(MAXFLOAT); }
//--- constants of `bfloat`: `MAXBFLOAT`, `HUGE_VALBF`
// gives: i32 = 1 1
kernel void f(device int* o) { o[0] = MAXBFLOAT == numeric_limits<bfloat>::max(); o[1] = isinf(HUGE_VALBF); }
