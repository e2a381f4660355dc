// Packing and unpacking (MSL specification, section 6.14).

namespace metal {
namespace __pack {
#pragma METAL fp math_mode(safe)
inline float clamp01(float x) { return __metal_select(__metal_isnan(x), 0.0f, __metal_min(__metal_max(x, 0.0f), 1.0f)); }
inline float clamp11(float x) { return __metal_select(__metal_isnan(x), 0.0f, __metal_min(__metal_max(x, -1.0f), 1.0f)); }
inline uint unorm(float x, float scale) { return uint(__metal_rint(clamp01(x) * scale)); }
inline uint snorm(float x, float scale, uint mask) { return uint(int(__metal_rint(clamp11(x) * scale))) & mask; }
inline float from_snorm8(uint x) { return __metal_max(float(int(x << 24) >> 24) / 127.0f, -1.0f); }
inline float from_snorm16(uint x) { return __metal_max(float(int(x << 16) >> 16) / 32767.0f, -1.0f); }
// Of any c that is not negative.
inline float srgb_curve(float c) {
  return c <= 0.0031308f ? c * 12.92f : 1.055f * __math::pow_positive(__metal_max(c, 0.0031308f), 1.0f / 2.4f) - 0.055f;
}
inline float to_srgb(float x) { return srgb_curve(clamp01(x)); }
inline float from_srgb(float c) {
  return c <= 0.04045f ? c / 12.92f : __math::pow_positive((c + 0.055f) / 1.055f, 2.4f);
}
} // namespace __pack

inline float4 unpack_unorm4x8_to_float(uint x) {
#pragma METAL fp math_mode(safe)
  return float4(float(x & 255u), float((x >> 8) & 255u), float((x >> 16) & 255u), float(x >> 24)) / 255.0f;
}
inline float4 unpack_snorm4x8_to_float(uint x) {
  return float4(__pack::from_snorm8(x), __pack::from_snorm8(x >> 8), __pack::from_snorm8(x >> 16), __pack::from_snorm8(x >> 24));
}
inline float4 unpack_unorm4x8_srgb_to_float(uint x) {
  float4 c = unpack_unorm4x8_to_float(x);
  return float4(__pack::from_srgb(c.x), __pack::from_srgb(c.y), __pack::from_srgb(c.z), c.w);
}
inline float2 unpack_unorm2x16_to_float(uint x) {
#pragma METAL fp math_mode(safe)
  return float2(float(x & 65535u), float(x >> 16)) / 65535.0f;
}
inline float2 unpack_snorm2x16_to_float(uint x) { return float2(__pack::from_snorm16(x), __pack::from_snorm16(x >> 16)); }
inline float4 unpack_unorm10a2_to_float(uint x) {
#pragma METAL fp math_mode(safe)
  return float4(float(x & 1023u) / 1023.0f, float((x >> 10) & 1023u) / 1023.0f, float((x >> 20) & 1023u) / 1023.0f, float(x >> 30) / 3.0f);
}
inline float4 unpack_snorm10a2_to_float(uint x) {
  int4 v = int4(uint4(x << 22, x << 12, x << 2, x)) >> int4(22, 22, 22, 30);
  return __metal_max(float4(v) / float4(511.0f, 511.0f, 511.0f, 1.0f), float4(-1.0f));
}
inline float3 unpack_unorm565_to_float(ushort x) {
#pragma METAL fp math_mode(safe)
  uint v = uint(x);
  return float3(float(v >> 11) / 31.0f, float((v >> 5) & 63u) / 63.0f, float(v & 31u) / 31.0f);
}
inline uint pack_float_to_unorm4x8(float4 v) {
  return __pack::unorm(v.x, 255.0f) | (__pack::unorm(v.y, 255.0f) << 8) | (__pack::unorm(v.z, 255.0f) << 16) | (__pack::unorm(v.w, 255.0f) << 24);
}
inline uint pack_float_to_snorm4x8(float4 v) {
  return __pack::snorm(v.x, 127.0f, 255u) | (__pack::snorm(v.y, 127.0f, 255u) << 8) | (__pack::snorm(v.z, 127.0f, 255u) << 16)
       | (__pack::snorm(v.w, 127.0f, 255u) << 24);
}
inline uint pack_float_to_srgb_unorm4x8(float4 v) {
  return pack_float_to_unorm4x8(float4(__pack::to_srgb(v.x), __pack::to_srgb(v.y), __pack::to_srgb(v.z), v.w));
}
inline uint pack_float_to_unorm2x16(float2 v) { return __pack::unorm(v.x, 65535.0f) | (__pack::unorm(v.y, 65535.0f) << 16); }
inline uint pack_float_to_snorm2x16(float2 v) { return __pack::snorm(v.x, 32767.0f, 65535u) | (__pack::snorm(v.y, 32767.0f, 65535u) << 16); }
inline uint pack_float_to_unorm10a2(float4 v) {
  return __pack::unorm(v.x, 1023.0f) | (__pack::unorm(v.y, 1023.0f) << 10) | (__pack::unorm(v.z, 1023.0f) << 20) | (__pack::unorm(v.w, 3.0f) << 30);
}
inline uint pack_float_to_snorm10a2(float4 v) {
  return __pack::snorm(v.x, 511.0f, 1023u) | (__pack::snorm(v.y, 511.0f, 1023u) << 10) | (__pack::snorm(v.z, 511.0f, 1023u) << 20)
       | (__pack::snorm(v.w, 1.0f, 3u) << 30);
}
inline ushort pack_float_to_unorm565(float3 v) {
  return ushort((__pack::unorm(v.x, 31.0f) << 11) | (__pack::unorm(v.y, 63.0f) << 5) | __pack::unorm(v.z, 31.0f));
}
inline half4 unpack_unorm4x8_to_half(uint x) { return half4(unpack_unorm4x8_to_float(x)); }
inline half4 unpack_snorm4x8_to_half(uint x) { return half4(unpack_snorm4x8_to_float(x)); }
inline half4 unpack_unorm4x8_srgb_to_half(uint x) { return half4(unpack_unorm4x8_srgb_to_float(x)); }
inline half2 unpack_unorm2x16_to_half(uint x) { return half2(unpack_unorm2x16_to_float(x)); }
inline half2 unpack_snorm2x16_to_half(uint x) { return half2(unpack_snorm2x16_to_float(x)); }
inline half4 unpack_unorm10a2_to_half(uint x) { return half4(unpack_unorm10a2_to_float(x)); }
inline half4 unpack_snorm10a2_to_half(uint x) { return half4(unpack_snorm10a2_to_float(x)); }
inline half3 unpack_unorm565_to_half(ushort x) { return half3(unpack_unorm565_to_float(x)); }
inline uint pack_half_to_unorm4x8(half4 v) { return pack_float_to_unorm4x8(float4(v)); }
inline uint pack_half_to_snorm4x8(half4 v) { return pack_float_to_snorm4x8(float4(v)); }
inline uint pack_half_to_srgb_unorm4x8(half4 v) { return pack_float_to_srgb_unorm4x8(float4(v)); }
inline uint pack_half_to_unorm2x16(half2 v) { return pack_float_to_unorm2x16(float2(v)); }
inline uint pack_half_to_snorm2x16(half2 v) { return pack_float_to_snorm2x16(float2(v)); }
inline uint pack_half_to_unorm10a2(half4 v) { return pack_float_to_unorm10a2(float4(v)); }
inline uint pack_half_to_snorm10a2(half4 v) { return pack_float_to_snorm10a2(float4(v)); }
inline ushort pack_half_to_unorm565(half3 v) { return pack_float_to_unorm565(float3(v)); }

} // namespace metal
