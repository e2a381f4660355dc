// 6.13 Pack and Unpack Functions
//--- 6.13.1 unpacking: `unpack_unorm4x8_to_float`, … `_to_half`
// see: tests/run/std_pack.metal (packed to float)
//--- 6.13.2 packing: `pack_float_to_unorm4x8`, … `pack_half_…`
// see: tests/run/std_pack.metal (float to packed)
//--- every byte survives
// see: tests/run/std_pack.metal (every byte survives)
//--- Metal 4: `pack_float_to_snorm10a2`, `unpack_snorm10a2_to_half`, …
// buffer 0: u32 = zeros(2)
// buffer 1: f32 = zeros(8)
// dispatch: f grid=1
// expect 0: u32 = 3490184705 1073873024
// expect 1: f32 ~ 1e-3 = -1 1 0.50097847 -1  -1 0.25048923 0 -1
#include <metal_stdlib>
using namespace metal;
kernel void f(device uint* o [[buffer(0)]], device float4* p [[buffer(1)]]) {
  o[0] = pack_float_to_snorm10a2(float4(-1, 1, 0.5f, -1));
  o[1] = pack_half_to_snorm10a2(half4(0.25h, 0.25h, 0, 1));
  p[0] = unpack_snorm10a2_to_float(o[0]);
  p[1] = float4(unpack_snorm10a2_to_half(0x80020200u));
}
