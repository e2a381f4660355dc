// 6.4 Relational Functions
#include <metal_stdlib>
using namespace metal;
//--- `isfinite`, `isinf`, `isnan`, `isnormal`, `isordered`, `isunordered`, `signbit`, `not`
// see: tests/run/std_common.metal (relational functions)
//--- `all`, `any`, `select`
// gives: i32 = 1 0 4 2
kernel void f(device int* o) { o[0] = any(bool4(false, true, false, false)); o[1] = all(bool2(true, false)); int2 s = select(int2(1, 2), int2(4, 5), bool2(true, false)); o[2] = s.x; o[3] = s.y; }
//--- of NaN in fast math
// options: math=fast
// gives: i32 = 1 0 1
kernel void f(device int* o) { float n = as_type<float>(0x7fc00000); o[0] = isnan(n); o[1] = isfinite(n); o[2] = isinf(as_type<float>(0x7f800000)); }
//--- `isnan` of `half` and `bfloat` vectors
// gives: i32 = 1 0
kernel void f(device int* o) { o[0] = any(isnan(half2(as_type<half>(ushort(0x7e00)), 1))); o[1] = isnan(bfloat4(1)).x; }
