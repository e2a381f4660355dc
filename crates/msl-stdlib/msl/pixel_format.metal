// Formats of texels (MSL specification, section 8.7): words of memory to colors and back.

namespace metal {
namespace __texture {
#pragma METAL fp math_mode(safe)

// A texel is up to 16 bytes: it is read and written as whole words, and taken apart in registers. Memory is touched
// in five places instead of once per format and channel.
inline uint4 load_texel(device uchar* p, uint bytes) {
  switch (bytes) {
    case 1: return uint4(uint(p[0]), 0u, 0u, 0u);
    case 2: return uint4(uint(*(device ushort*)p), 0u, 0u, 0u);
    case 4: return uint4(*(device uint*)p, 0u, 0u, 0u);
    case 8: return uint4(*(device uint2*)p, 0u, 0u);
    default: return *(device uint4*)p;
  }
}
inline void store_texel(device uchar* p, uint bytes, uint4 w) {
  switch (bytes) {
    case 1: p[0] = uchar(w.x); break;
    case 2: *(device ushort*)p = ushort(w.x); break;
    case 4: *(device uint*)p = w.x; break;
    case 8: *(device uint2*)p = w.xy; break;
    default: *(device uint4*)p = w; break;
  }
}

// The formats below are Metal's numbers (`MTLPixelFormat`), which group them by the number of channels.
inline uint channels(uint format) {
  return format < 30u || (format >= 53u && format < 60u) || (format >= 250u && format < 260u) ? 1u : format < 40u || (format >= 60u && format < 70u) || (format >= 103u && format < 110u) ? 2u : 4u;
}
inline bool is_srgb(uint format) { return format == 11u || format == 31u || format == 71u || format == 81u; }
inline bool is_bgra(uint format) { return format == 80u || format == 81u || format == 94u; }

// Formats of an extended range: numbers of 10 bits from -384 / 510 to 639 / 510, with or without sRGB's curve. Where the
// curve is, it goes on through zero.
inline bool is_extended(uint format) { return format >= 552u && format <= 555u; }
inline bool has_extended_curve(uint format) { return (format & 1u) != 0u; }
inline float3 from_extended(uint format, uint3 v) {
  float3 c = (float3(v) - 384.0f) / 510.0f;
  if (!has_extended_curve(format)) return c;
  float3 m = __metal_abs(c);
  return __metal_copysign(float3(__pack::from_srgb(m.x), __pack::from_srgb(m.y), __pack::from_srgb(m.z)), c);
}
inline uint to_extended(uint format, float x) {
  // Beyond what can be stored nothing changes; NaN is zero.
  float c = __metal_select(__metal_isnan(x), 0.0f, __metal_min(__metal_max(x, -2.0f), 2.0f));
  if (has_extended_curve(format)) c = __metal_copysign(__pack::srgb_curve(__metal_abs(c)), c);
  return uint(__metal_min(__metal_max(__metal_rint(__metal_fma(c, 510.0f, 384.0f)), 0.0f), 1023.0f));
}
// The words of zero in all channels.
inline uint4 zero_texel(uint format) {
  if (!is_extended(format)) return uint4(0u);
  return format < 554u ? uint4(0x60006000u, 0x60006000u, 0u, 0u) : uint4(0x18060180u, 0u, 0u, 0u);
}

inline uint4 bytes_of(uint w) { return uint4(w & 255u, (w >> 8) & 255u, (w >> 16) & 255u, w >> 24); }
inline uint4 halves_of(uint4 w) { return uint4(w.x & 65535u, w.x >> 16, w.y & 65535u, w.y >> 16); }
inline uint4 from_halves(uint4 v) { return uint4(v.x | (v.y << 16), v.z | (v.w << 16), 0u, 0u); }
inline uint from_bytes(uint4 v) { return v.x | (v.y << 8) | (v.z << 16) | (v.w << 24); }
inline float half_value(uint bits) { return float(__metal_bitcast<half>(ushort(bits))); }
inline uint half_bits(float x) { return uint(__metal_bitcast<ushort>(half(x))); }

// An unsigned small float of `mantissa` bits after 5 bits of exponent (RG11B10Float).
inline float small_float(uint bits, uint mantissa) { return half_value(bits << (10u - mantissa)); }
// Less than zero is zero. NaN is one word, whatever bits a device's conversion to half leaves of it.
inline uint to_small_float(float x, uint mantissa) {
  uint bits = __metal_isnan(x) ? 0x7e00u : half_bits(x < 0.0f ? 0.0f : x);
  return bits >> (10u - mantissa);
}

inline float4 decode_float(uint format, uint4 w) {
  uint v = w.x;
  float4 c = float4(0.0f);
  switch (format) {
    case 10: case 11: case 30: case 31: case 70: case 71: case 80: case 81: c = float4(bytes_of(v)) / 255.0f; break;
    case 12: case 32: case 72: c = unpack_snorm4x8_to_float(v); break;
    case 20: case 60: case 110: case 250: c = float4(halves_of(w)) / 65535.0f; break;
    case 22: case 62: case 112: {
      uint4 h = halves_of(w);
      c = float4(__pack::from_snorm16(h.x), __pack::from_snorm16(h.y), __pack::from_snorm16(h.z), __pack::from_snorm16(h.w));
      break;
    }
    case 25: case 65: case 115: {
      uint4 h = halves_of(w);
      c = float4(half_value(h.x), half_value(h.y), half_value(h.z), half_value(h.w));
      break;
    }
    case 55: case 105: case 125: case 252: c = __metal_bitcast<float4>(w); break;
    case 1: return float4(0.0f, 0.0f, 0.0f, float(v) / 255.0f);
    case 40: return float4(float(v >> 11) / 31.0f, float((v >> 5) & 63u) / 63.0f, float(v & 31u) / 31.0f, 1.0f);
    case 41: return float4(float(v >> 11) / 31.0f, float((v >> 6) & 31u) / 31.0f, float((v >> 1) & 31u) / 31.0f, float(v & 1u));
    case 42: return float4(float(v >> 12), float((v >> 8) & 15u), float((v >> 4) & 15u), float(v & 15u)) / 15.0f;
    case 43: return float4(float((v >> 10) & 31u) / 31.0f, float((v >> 5) & 31u) / 31.0f, float(v & 31u) / 31.0f, float(v >> 15));
    case 90: case 94: c = unpack_unorm10a2_to_float(v); break;
    case 92: return float4(small_float(v & 2047u, 6u), small_float((v >> 11) & 2047u, 6u), small_float(v >> 22, 5u), 1.0f);
    case 93: {
      // 2^(e - 24) is a normal float for every 5-bit e.
      float scale = __math::power_of_two(int(v >> 27) - 24);
      return float4(float(v & 511u) * scale, float((v >> 9) & 511u) * scale, float((v >> 18) & 511u) * scale, 1.0f);
    }
    case 552: case 553: {
      uint4 h = halves_of(w) >> 6;
      return float4(from_extended(format, h.zyx), __pack::clamp01((float(h.w) - 384.0f) / 510.0f));
    }
    case 554: case 555: return float4(from_extended(format, uint3(v >> 20, v >> 10, v) & 1023u), 1.0f);
    default: return float4(0.0f);
  }
  uint n = channels(format);
  if (n == 1u) c = float4(c.x, 0.0f, 0.0f, 1.0f);
  if (n == 2u) c = float4(c.xy, 0.0f, 1.0f);
  if (is_bgra(format)) c = c.zyxw;
  // Linear values; channels that are not there stay 0.
  if (is_srgb(format)) c = float4(__pack::from_srgb(c.x), __pack::from_srgb(c.y), __pack::from_srgb(c.z), c.w);
  return c;
}
inline uint4 decode_uint(uint format, uint4 w) {
  uint4 c = w;
  switch (format) {
    case 13: case 33: case 73: case 253: c = bytes_of(w.x); break;
    case 23: case 63: case 113: c = halves_of(w); break;
    case 53: case 103: case 123: break;
    case 91: return uint4(w.x & 1023u, (w.x >> 10) & 1023u, (w.x >> 20) & 1023u, w.x >> 30);
    default: return uint4(0u);
  }
  uint n = channels(format);
  return n == 1u ? uint4(c.x, 0u, 0u, 1u) : n == 2u ? uint4(c.xy, 0u, 1u) : c;
}
inline int4 decode_int(uint format, uint4 w) {
  int4 c = int4(w);
  switch (format) {
    case 14: case 34: case 74: c = (int4(bytes_of(w.x)) << 24) >> 24; break;
    case 24: case 64: case 114: c = (int4(halves_of(w)) << 16) >> 16; break;
    case 54: case 104: case 124: break;
    default: return int4(0);
  }
  uint n = channels(format);
  return n == 1u ? int4(c.x, 0, 0, 1) : n == 2u ? int4(c.xy, 0, 1) : c;
}

inline uint4 encode_float(uint format, float4 color) {
  float4 c = color;
  if (is_srgb(format)) c = float4(__pack::to_srgb(c.x), __pack::to_srgb(c.y), __pack::to_srgb(c.z), c.w);
  if (is_bgra(format)) c = c.zyxw;
  switch (format) {
    case 10: case 11: case 30: case 31: case 70: case 71: case 80: case 81: return uint4(pack_float_to_unorm4x8(c), 0u, 0u, 0u);
    case 12: case 32: case 72: return uint4(pack_float_to_snorm4x8(c), 0u, 0u, 0u);
    case 20: case 60: case 110: return uint4(pack_float_to_unorm2x16(c.xy), pack_float_to_unorm2x16(c.zw), 0u, 0u);
    case 22: case 62: case 112: return uint4(pack_float_to_snorm2x16(c.xy), pack_float_to_snorm2x16(c.zw), 0u, 0u);
    case 25: case 65: case 115: return from_halves(uint4(half_bits(c.x), half_bits(c.y), half_bits(c.z), half_bits(c.w)));
    case 55: case 105: case 125: return __metal_bitcast<uint4>(c);
    case 90: case 94: return uint4(pack_float_to_unorm10a2(c), 0u, 0u, 0u);
    default: break;
  }
  uint v = 0u;
  switch (format) {
    case 1: v = __pack::unorm(c.w, 255.0f); break;
    case 40: v = (__pack::unorm(c.x, 31.0f) << 11) | (__pack::unorm(c.y, 63.0f) << 5) | __pack::unorm(c.z, 31.0f); break;
    case 41: v = (__pack::unorm(c.x, 31.0f) << 11) | (__pack::unorm(c.y, 31.0f) << 6) | (__pack::unorm(c.z, 31.0f) << 1) | __pack::unorm(c.w, 1.0f); break;
    case 42: v = (__pack::unorm(c.x, 15.0f) << 12) | (__pack::unorm(c.y, 15.0f) << 8) | (__pack::unorm(c.z, 15.0f) << 4) | __pack::unorm(c.w, 15.0f); break;
    case 43: v = (__pack::unorm(c.w, 1.0f) << 15) | (__pack::unorm(c.x, 31.0f) << 10) | (__pack::unorm(c.y, 31.0f) << 5) | __pack::unorm(c.z, 31.0f); break;
    case 552: case 553:
      return from_halves(uint4(to_extended(format, c.z), to_extended(format, c.y), to_extended(format, c.x), 384u + __pack::unorm(c.w, 510.0f)) << 6);
    case 554: case 555: v = to_extended(format, c.z) | (to_extended(format, c.y) << 10) | (to_extended(format, c.x) << 20); break;
    case 92: v = to_small_float(c.x, 6u) | (to_small_float(c.y, 6u) << 11) | (to_small_float(c.z, 5u) << 22); break;
    case 93: {
      float r = __metal_min(__metal_max(c.x, 0.0f), 65408.0f), g = __metal_min(__metal_max(c.y, 0.0f), 65408.0f), b = __metal_min(__metal_max(c.z, 0.0f), 65408.0f);
      float m = __metal_max(r, __metal_max(g, b));
      int e = __metal_max(int(__metal_bitcast<uint>(m) >> 23) - 127, -16) + 16;
      float scale = __math::power_of_two(24 - e);
      bool carries = uint(__metal_rint(m * scale)) == 512u;
      e += carries ? 1 : 0;
      scale = carries ? scale * 0.5f : scale;
      v = uint(__metal_rint(r * scale)) | (uint(__metal_rint(g * scale)) << 9) | (uint(__metal_rint(b * scale)) << 18) | (uint(e) << 27);
      break;
    }
    default: break;
  }
  return uint4(v, 0u, 0u, 0u);
}
inline uint4 encode_uint(uint format, uint4 c) {
  switch (format) {
    case 13: case 33: case 73: return uint4(from_bytes(__metal_min(c, uint4(255u))), 0u, 0u, 0u);
    case 23: case 63: case 113: return from_halves(__metal_min(c, uint4(65535u)));
    case 91: {
      uint4 v = __metal_min(c, uint4(1023u, 1023u, 1023u, 3u));
      return uint4(v.x | (v.y << 10) | (v.z << 20) | (v.w << 30), 0u, 0u, 0u);
    }
    default: return c;
  }
}
inline uint4 encode_int(uint format, int4 c) {
  switch (format) {
    case 14: case 34: case 74: return uint4(from_bytes(uint4(__metal_min(__metal_max(c, int4(-128)), int4(127))) & 255u), 0u, 0u, 0u);
    case 24: case 64: case 114: return from_halves(uint4(__metal_min(__metal_max(c, int4(-32768)), int4(32767))) & 65535u);
    default: return uint4(c);
  }
}

} // namespace __texture
} // namespace metal
