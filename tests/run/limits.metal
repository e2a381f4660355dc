// numeric_limits, and the base that programs specialise.
// buffer 0: f32 = zeros(4)
// dispatch: f grid=1
// expect 0: f32 = 255 -32768 65504 7
#include <metal_stdlib>
using namespace metal;
struct Pair { int a; int b; };
template <> struct _numeric_limits_impl<Pair> { static constexpr Pair max() { return Pair{3, 4}; } };
kernel void f(device float* out [[buffer(0)]]) {
    out[0] = numeric_limits<uchar>::max();
    out[1] = numeric_limits<short>::lowest();
    out[2] = numeric_limits<half>::max();
    Pair p = numeric_limits<Pair>::max();
    out[3] = p.a + p.b;
}
