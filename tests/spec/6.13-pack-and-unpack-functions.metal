// 6.13 Pack and Unpack Functions
//--- 6.13.1 unpacking: `unpack_unorm4x8_to_float`, … `_to_half`
// see: tests/run/std_pack.metal (packed to float)
//--- 6.13.2 packing: `pack_float_to_unorm4x8`, … `pack_half_…`
// see: tests/run/std_pack.metal (float to packed)
//--- every byte survives
// see: tests/run/std_pack.metal (every byte survives)
