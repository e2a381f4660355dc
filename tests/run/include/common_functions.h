// The common functions of the element type T, for std_common.metal.
#include <metal_stdlib>
using namespace metal;

kernel void NAME(device T* out [[buffer(0)]]) {
    int n = 0;
    T x = T(2.5f), y = T(-2.0f), half_one = T(0.5f);
    out[n++] = abs(T(-2.5f));
    out[n++] = min(x, y);
    out[n++] = ceil(x);
    out[n++] = x - floor(x);
    out[n++] = saturate(x);
    out[n++] = saturate(y);
    out[n++] = sign(y);
    out[n++] = fract(T(-1.75f));
    out[n++] = fract(T(3.75f));
    out[n++] = step(y, x);
    out[n++] = step(x, y);
    out[n++] = mix(T(0.0f), T(1.0f), half_one);
    out[n++] = smoothstep(T(0.0f), T(1.0f), half_one);
    out[n++] = smoothstep(T(0.0f), T(1.0f), x);
    out[n++] = smoothstep(T(0.0f), T(1.0f), y);
    out[n++] = clamp(x, T(-1.0f), T(1.0f));
    out[n++] = clamp(y, T(0.0f), T(1.0f));
    out[n++] = trunc(T(-2.75f));
    out[n++] = fma(x, T(2.0f), T(2.0f));
    out[n++] = round(T(-2.5f));
    out[n++] = fdim(y, x);
    out[n++] = fdim(T(1.0f), y);
    out[n++] = median3(y, T(1.0f), x);
    out[n++] = fmedian3(half_one, y, x);
    out[n++] = max3(y, x, T(5.0f));
    out[n++] = min3(T(1.5f), x, T(5.0f));
    out[n++] = fmax(y, T(4.0f));
    out[n++] = copysign(T(4.0f), y);
    out[n++] = rint(x);
    out[n++] = rint(half_one);
    T whole;
    out[n++] = modf(T(1.75f), whole);
    out[n++] = T(0.25f) * whole;
    out[n++] = rint(T(-0.25f));
    int e;
    T m = frexp(T(2.0f), e);
    out[n++] = m == half_one ? T(e) : T(-1.0f);
}
