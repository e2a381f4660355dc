// Textures and samplers (MSL specification, sections 2.9, 2.10 and 6.12): addressing, formats and
// filtering are written here, once, for every device.

namespace metal {

// What a texture argument points to. The host's definition must agree (reflect.rs of the IR).
struct __texture_descriptor {
  device uchar* data;
  uint width;
  uint height;
  uint depth;
  uint array_length;
  uint mip_levels;
  uint samples;
  uint format;
  uint bytes_per_texel;
  ulong level_offset[16];
  uint row_stride[16];
  ulong plane_stride[16];
  ulong slice_stride[16];
};

enum class access { sample, read, write, read_write };
enum class component { x, y, z, w };
enum class coord { normalized = 0, pixel = 1 };
enum class address { clamp_to_edge = 0, mirror_clamp_to_edge = 1, repeat = 2, mirrored_repeat = 3, clamp_to_zero = 4, clamp_to_border = 5 };
enum class s_address { clamp_to_edge = 0, mirror_clamp_to_edge = 1, repeat = 2, mirrored_repeat = 3, clamp_to_zero = 4, clamp_to_border = 5 };
enum class t_address { clamp_to_edge = 0, mirror_clamp_to_edge = 1, repeat = 2, mirrored_repeat = 3, clamp_to_zero = 4, clamp_to_border = 5 };
enum class r_address { clamp_to_edge = 0, mirror_clamp_to_edge = 1, repeat = 2, mirrored_repeat = 3, clamp_to_zero = 4, clamp_to_border = 5 };
enum class filter { nearest = 0, linear = 1 };
enum class min_filter { nearest = 0, linear = 1 };
enum class mag_filter { nearest = 0, linear = 1 };
enum class mip_filter { none = 0, nearest = 1, linear = 2 };
enum class compare_func { never = 0, less = 1, equal = 2, less_equal = 3, greater = 4, not_equal = 5, greater_equal = 6, always = 7, none = 8 };
enum class border_color { transparent_black = 0, opaque_black = 1, opaque_white = 2 };
struct max_anisotropy { uint value; explicit constexpr max_anisotropy(int v) : value(uint(v)) {} };
struct lod_clamp { float low; float high; explicit constexpr lod_clamp(float a, float b) : low(a), high(b) {} };
struct bias { float value; explicit constexpr bias(float v) : value(v) {} };
struct level { float value; explicit constexpr level(float v) : value(v) {} };
struct min_lod_clamp { float value; explicit constexpr min_lod_clamp(float v) : value(v) {} };
struct gradient2d { float2 dx; float2 dy; explicit constexpr gradient2d(float2 x, float2 y) : dx(x), dy(y) {} };
struct gradient3d { float3 dx; float3 dy; explicit constexpr gradient3d(float3 x, float3 y) : dx(x), dy(y) {} };
struct gradientcube { float3 dx; float3 dy; explicit constexpr gradientcube(float3 x, float3 y) : dx(x), dy(y) {} };

// The state is packed as `SamplerState` of the IR's reflect.rs says.
struct [[__metal_special("sampler")]] sampler {
  ulong __state;

  sampler() = default;
  template <typename... A, typename = enable_if_t<(sizeof...(A) > 0)>> constexpr sampler(A... args) : __state((65535ul << 40) | (8ul << 14)) {
    (__set(args), ...);
  }
  constexpr void __field(uint position, uint width, ulong value) {
    ulong mask = ((1ul << width) - 1ul) << position;
    __state = (__state & ~mask) | ((value << position) & mask);
  }
  constexpr void __set(coord v) { __field(13, 1, ulong(uint(v))); }
  constexpr void __set(address v) {
    __field(0, 3, ulong(uint(v)));
    __field(3, 3, ulong(uint(v)));
    __field(6, 3, ulong(uint(v)));
  }
  constexpr void __set(s_address v) { __field(0, 3, ulong(uint(v))); }
  constexpr void __set(t_address v) { __field(3, 3, ulong(uint(v))); }
  constexpr void __set(r_address v) { __field(6, 3, ulong(uint(v))); }
  constexpr void __set(filter v) {
    __field(9, 1, ulong(uint(v)));
    __field(10, 1, ulong(uint(v)));
  }
  constexpr void __set(min_filter v) { __field(9, 1, ulong(uint(v))); }
  constexpr void __set(mag_filter v) { __field(10, 1, ulong(uint(v))); }
  constexpr void __set(mip_filter v) { __field(11, 2, ulong(uint(v))); }
  constexpr void __set(compare_func v) { __field(14, 4, ulong(uint(v))); }
  constexpr void __set(border_color v) { __field(18, 2, ulong(uint(v))); }
  constexpr void __set(max_anisotropy v) { __field(20, 4, ulong(v.value - 1u)); }
  constexpr void __set(lod_clamp v) {
    __field(24, 16, ulong(v.low * 16.0f));
    __field(40, 16, v.high >= 4095.0f ? 65535ul : ulong(v.high * 16.0f));
  }
  uint __bits(uint position, uint width) const { return uint(__state >> ulong(position)) & ((1u << width) - 1u); }
};

namespace __texture {
#pragma METAL fp math_mode(safe)

inline device uchar* texel(constant __texture_descriptor* t, uint x, uint y, uint z, uint slice, uint level) {
  ulong offset = t->level_offset[level] + ulong(slice) * t->slice_stride[level] + ulong(z) * t->plane_stride[level]
               + ulong(y) * ulong(t->row_stride[level]) + ulong(x) * ulong(t->bytes_per_texel);
  return __metal_assume_valid(t->data) + offset;
}
inline uint extent(uint full, uint level) { return __metal_max(full >> level, 1u); }

inline uint u8(device uchar* p, uint i) { return uint(p[i]); }
inline uint u16(device uchar* p, uint i) { return uint(((device ushort*)p)[i]); }
inline uint u32(device uchar* p, uint i) { return ((device uint*)p)[i]; }
inline float f16(device uchar* p, uint i) { return float(((device half*)p)[i]); }
inline float f32(device uchar* p, uint i) { return ((device float*)p)[i]; }
inline int s8(device uchar* p, uint i) { return int(((device char*)p)[i]); }
inline int s16(device uchar* p, uint i) { return int(((device short*)p)[i]); }

// An unsigned small float of `mantissa` bits after 5 bits of exponent (RG11B10Float).
inline float small_float(uint bits, uint mantissa) { return float(__metal_bitcast<half>(ushort(bits << (10u - mantissa)))); }
inline uint to_small_float(float x, uint mantissa) {
  uint h = uint(__metal_bitcast<ushort>(half(__metal_max(x, 0.0f))));
  return h >> (10u - mantissa);
}

// Cases are Metal's numbers of the pixel formats (`MTLPixelFormat`).
inline float4 decode_float(uint format, device uchar* p) {
  switch (format) {
    case 1: return float4(0.0f, 0.0f, 0.0f, float(u8(p, 0)) / 255.0f);
    case 10: return float4(float(u8(p, 0)) / 255.0f, 0.0f, 0.0f, 1.0f);
    case 11: return float4(__pack::from_srgb(float(u8(p, 0)) / 255.0f), 0.0f, 0.0f, 1.0f);
    case 12: return float4(__pack::from_snorm8(u8(p, 0)), 0.0f, 0.0f, 1.0f);
    case 20: return float4(float(u16(p, 0)) / 65535.0f, 0.0f, 0.0f, 1.0f);
    case 22: return float4(__pack::from_snorm16(u16(p, 0)), 0.0f, 0.0f, 1.0f);
    case 25: return float4(f16(p, 0), 0.0f, 0.0f, 1.0f);
    case 30: return float4(float(u8(p, 0)) / 255.0f, float(u8(p, 1)) / 255.0f, 0.0f, 1.0f);
    case 31: return float4(__pack::from_srgb(float(u8(p, 0)) / 255.0f), __pack::from_srgb(float(u8(p, 1)) / 255.0f), 0.0f, 1.0f);
    case 32: return float4(__pack::from_snorm8(u8(p, 0)), __pack::from_snorm8(u8(p, 1)), 0.0f, 1.0f);
    case 40: { uint v = u16(p, 0); return float4(float(v >> 11) / 31.0f, float((v >> 5) & 63u) / 63.0f, float(v & 31u) / 31.0f, 1.0f); }
    case 41: { uint v = u16(p, 0); return float4(float(v >> 11) / 31.0f, float((v >> 6) & 31u) / 31.0f, float((v >> 1) & 31u) / 31.0f, float(v & 1u)); }
    case 42: { uint v = u16(p, 0); return float4(float(v >> 12), float((v >> 8) & 15u), float((v >> 4) & 15u), float(v & 15u)) / 15.0f; }
    case 43: { uint v = u16(p, 0); return float4(float((v >> 10) & 31u) / 31.0f, float((v >> 5) & 31u) / 31.0f, float(v & 31u) / 31.0f, float(v >> 15)); }
    case 55: return float4(f32(p, 0), 0.0f, 0.0f, 1.0f);
    case 60: return float4(float(u16(p, 0)) / 65535.0f, float(u16(p, 1)) / 65535.0f, 0.0f, 1.0f);
    case 62: return float4(__pack::from_snorm16(u16(p, 0)), __pack::from_snorm16(u16(p, 1)), 0.0f, 1.0f);
    case 65: return float4(f16(p, 0), f16(p, 1), 0.0f, 1.0f);
    case 70: return unpack_unorm4x8_to_float(u32(p, 0));
    case 71: return unpack_unorm4x8_srgb_to_float(u32(p, 0));
    case 72: return unpack_snorm4x8_to_float(u32(p, 0));
    case 80: return unpack_unorm4x8_to_float(u32(p, 0)).zyxw;
    case 81: { float4 c = unpack_unorm4x8_to_float(u32(p, 0)).zyxw; return float4(__pack::from_srgb(c.x), __pack::from_srgb(c.y), __pack::from_srgb(c.z), c.w); }
    case 90: return unpack_unorm10a2_to_float(u32(p, 0));
    case 94: return unpack_unorm10a2_to_float(u32(p, 0)).zyxw;
    case 92: { uint v = u32(p, 0); return float4(small_float(v & 2047u, 6u), small_float((v >> 11) & 2047u, 6u), small_float(v >> 22, 5u), 1.0f); }
    case 93: {
      uint v = u32(p, 0);
      float scale = __math::ldexp(1.0f, int(v >> 27) - 24);
      return float4(float(v & 511u) * scale, float((v >> 9) & 511u) * scale, float((v >> 18) & 511u) * scale, 1.0f);
    }
    case 105: return float4(f32(p, 0), f32(p, 1), 0.0f, 1.0f);
    case 110: return float4(float(u16(p, 0)), float(u16(p, 1)), float(u16(p, 2)), float(u16(p, 3))) / 65535.0f;
    case 112: return float4(__pack::from_snorm16(u16(p, 0)), __pack::from_snorm16(u16(p, 1)), __pack::from_snorm16(u16(p, 2)), __pack::from_snorm16(u16(p, 3)));
    case 115: return float4(f16(p, 0), f16(p, 1), f16(p, 2), f16(p, 3));
    case 125: return *(device float4*)p;
    default: return float4(0.0f);
  }
}
inline uint4 decode_uint(uint format, device uchar* p) {
  switch (format) {
    case 13: return uint4(u8(p, 0), 0u, 0u, 1u);
    case 23: return uint4(u16(p, 0), 0u, 0u, 1u);
    case 33: return uint4(u8(p, 0), u8(p, 1), 0u, 1u);
    case 53: return uint4(u32(p, 0), 0u, 0u, 1u);
    case 63: return uint4(u16(p, 0), u16(p, 1), 0u, 1u);
    case 73: return uint4(u8(p, 0), u8(p, 1), u8(p, 2), u8(p, 3));
    case 91: { uint v = u32(p, 0); return uint4(v & 1023u, (v >> 10) & 1023u, (v >> 20) & 1023u, v >> 30); }
    case 103: return uint4(u32(p, 0), u32(p, 1), 0u, 1u);
    case 113: return uint4(u16(p, 0), u16(p, 1), u16(p, 2), u16(p, 3));
    case 123: return *(device uint4*)p;
    default: return uint4(0u);
  }
}
inline int4 decode_int(uint format, device uchar* p) {
  switch (format) {
    case 14: return int4(s8(p, 0), 0, 0, 1);
    case 24: return int4(s16(p, 0), 0, 0, 1);
    case 34: return int4(s8(p, 0), s8(p, 1), 0, 1);
    case 54: return int4(int(u32(p, 0)), 0, 0, 1);
    case 64: return int4(s16(p, 0), s16(p, 1), 0, 1);
    case 74: return int4(s8(p, 0), s8(p, 1), s8(p, 2), s8(p, 3));
    case 104: return int4(int(u32(p, 0)), int(u32(p, 1)), 0, 1);
    case 114: return int4(s16(p, 0), s16(p, 1), s16(p, 2), s16(p, 3));
    case 124: return *(device int4*)p;
    default: return int4(0);
  }
}
inline void put8(device uchar* p, uint i, uint v) { p[i] = uchar(v); }
inline void put16(device uchar* p, uint i, uint v) { ((device ushort*)p)[i] = ushort(v); }
inline void put32(device uchar* p, uint i, uint v) { ((device uint*)p)[i] = v; }
inline void put_half(device uchar* p, uint i, float v) { ((device half*)p)[i] = half(v); }
inline void encode_float(uint format, device uchar* p, float4 c) {
  switch (format) {
    case 1: put8(p, 0, __pack::unorm(c.w, 255.0f)); break;
    case 10: put8(p, 0, __pack::unorm(c.x, 255.0f)); break;
    case 11: put8(p, 0, __pack::unorm(__pack::to_srgb(c.x), 255.0f)); break;
    case 12: put8(p, 0, __pack::snorm(c.x, 127.0f, 255u)); break;
    case 20: put16(p, 0, __pack::unorm(c.x, 65535.0f)); break;
    case 22: put16(p, 0, __pack::snorm(c.x, 32767.0f, 65535u)); break;
    case 25: put_half(p, 0, c.x); break;
    case 30: put8(p, 0, __pack::unorm(c.x, 255.0f)); put8(p, 1, __pack::unorm(c.y, 255.0f)); break;
    case 31: put8(p, 0, __pack::unorm(__pack::to_srgb(c.x), 255.0f)); put8(p, 1, __pack::unorm(__pack::to_srgb(c.y), 255.0f)); break;
    case 32: put8(p, 0, __pack::snorm(c.x, 127.0f, 255u)); put8(p, 1, __pack::snorm(c.y, 127.0f, 255u)); break;
    case 40: put16(p, 0, (__pack::unorm(c.x, 31.0f) << 11) | (__pack::unorm(c.y, 63.0f) << 5) | __pack::unorm(c.z, 31.0f)); break;
    case 41: put16(p, 0, (__pack::unorm(c.x, 31.0f) << 11) | (__pack::unorm(c.y, 31.0f) << 6) | (__pack::unorm(c.z, 31.0f) << 1) | __pack::unorm(c.w, 1.0f)); break;
    case 42: put16(p, 0, (__pack::unorm(c.x, 15.0f) << 12) | (__pack::unorm(c.y, 15.0f) << 8) | (__pack::unorm(c.z, 15.0f) << 4) | __pack::unorm(c.w, 15.0f)); break;
    case 43: put16(p, 0, (__pack::unorm(c.w, 1.0f) << 15) | (__pack::unorm(c.x, 31.0f) << 10) | (__pack::unorm(c.y, 31.0f) << 5) | __pack::unorm(c.z, 31.0f)); break;
    case 55: ((device float*)p)[0] = c.x; break;
    case 60: put16(p, 0, __pack::unorm(c.x, 65535.0f)); put16(p, 1, __pack::unorm(c.y, 65535.0f)); break;
    case 62: put16(p, 0, __pack::snorm(c.x, 32767.0f, 65535u)); put16(p, 1, __pack::snorm(c.y, 32767.0f, 65535u)); break;
    case 65: put_half(p, 0, c.x); put_half(p, 1, c.y); break;
    case 70: put32(p, 0, pack_float_to_unorm4x8(c)); break;
    case 71: put32(p, 0, pack_float_to_srgb_unorm4x8(c)); break;
    case 72: put32(p, 0, pack_float_to_snorm4x8(c)); break;
    case 80: put32(p, 0, pack_float_to_unorm4x8(c.zyxw)); break;
    case 81: put32(p, 0, pack_float_to_unorm4x8(float4(__pack::to_srgb(c.z), __pack::to_srgb(c.y), __pack::to_srgb(c.x), c.w))); break;
    case 90: put32(p, 0, pack_float_to_unorm10a2(c)); break;
    case 94: put32(p, 0, pack_float_to_unorm10a2(c.zyxw)); break;
    case 92: put32(p, 0, to_small_float(c.x, 6u) | (to_small_float(c.y, 6u) << 11) | (to_small_float(c.z, 5u) << 22)); break;
    case 93: {
      float r = __metal_min(__metal_max(c.x, 0.0f), 65408.0f), g = __metal_min(__metal_max(c.y, 0.0f), 65408.0f), b = __metal_min(__metal_max(c.z, 0.0f), 65408.0f);
      float m = __metal_max(r, __metal_max(g, b));
      int e = __metal_max(int(__metal_bitcast<uint>(m) >> 23) - 127, -16) + 16;
      float scale = __math::ldexp(1.0f, 24 - e);
      if (uint(__metal_rint(m * scale)) == 512u) { e += 1; scale = scale * 0.5f; }
      put32(p, 0, uint(__metal_rint(r * scale)) | (uint(__metal_rint(g * scale)) << 9) | (uint(__metal_rint(b * scale)) << 18) | (uint(e) << 27));
      break;
    }
    case 105: ((device float*)p)[0] = c.x; ((device float*)p)[1] = c.y; break;
    case 110: put16(p, 0, __pack::unorm(c.x, 65535.0f)); put16(p, 1, __pack::unorm(c.y, 65535.0f)); put16(p, 2, __pack::unorm(c.z, 65535.0f)); put16(p, 3, __pack::unorm(c.w, 65535.0f)); break;
    case 112: put16(p, 0, __pack::snorm(c.x, 32767.0f, 65535u)); put16(p, 1, __pack::snorm(c.y, 32767.0f, 65535u)); put16(p, 2, __pack::snorm(c.z, 32767.0f, 65535u)); put16(p, 3, __pack::snorm(c.w, 32767.0f, 65535u)); break;
    case 115: put_half(p, 0, c.x); put_half(p, 1, c.y); put_half(p, 2, c.z); put_half(p, 3, c.w); break;
    case 125: *(device float4*)p = c; break;
    default: break;
  }
}
inline void encode_uint(uint format, device uchar* p, uint4 c) {
  switch (format) {
    case 13: put8(p, 0, __metal_min(c.x, 255u)); break;
    case 23: put16(p, 0, __metal_min(c.x, 65535u)); break;
    case 33: put8(p, 0, __metal_min(c.x, 255u)); put8(p, 1, __metal_min(c.y, 255u)); break;
    case 53: put32(p, 0, c.x); break;
    case 63: put16(p, 0, __metal_min(c.x, 65535u)); put16(p, 1, __metal_min(c.y, 65535u)); break;
    case 73: { uint4 v = __metal_min(c, uint4(255u)); put32(p, 0, v.x | (v.y << 8) | (v.z << 16) | (v.w << 24)); break; }
    case 91: put32(p, 0, __metal_min(c.x, 1023u) | (__metal_min(c.y, 1023u) << 10) | (__metal_min(c.z, 1023u) << 20) | (__metal_min(c.w, 3u) << 30)); break;
    case 103: put32(p, 0, c.x); put32(p, 1, c.y); break;
    case 113: { uint4 v = __metal_min(c, uint4(65535u)); put16(p, 0, v.x); put16(p, 1, v.y); put16(p, 2, v.z); put16(p, 3, v.w); break; }
    case 123: *(device uint4*)p = c; break;
    default: break;
  }
}
inline uint narrow(int x, int limit) { return uint(__metal_min(__metal_max(x, -limit - 1), limit)); }
inline void encode_int(uint format, device uchar* p, int4 c) {
  switch (format) {
    case 14: put8(p, 0, narrow(c.x, 127)); break;
    case 24: put16(p, 0, narrow(c.x, 32767)); break;
    case 34: put8(p, 0, narrow(c.x, 127)); put8(p, 1, narrow(c.y, 127)); break;
    case 54: put32(p, 0, uint(c.x)); break;
    case 64: put16(p, 0, narrow(c.x, 32767)); put16(p, 1, narrow(c.y, 32767)); break;
    case 74: put8(p, 0, narrow(c.x, 127)); put8(p, 1, narrow(c.y, 127)); put8(p, 2, narrow(c.z, 127)); put8(p, 3, narrow(c.w, 127)); break;
    case 104: put32(p, 0, uint(c.x)); put32(p, 1, uint(c.y)); break;
    case 114: put16(p, 0, narrow(c.x, 32767)); put16(p, 1, narrow(c.y, 32767)); put16(p, 2, narrow(c.z, 32767)); put16(p, 3, narrow(c.w, 32767)); break;
    case 124: *(device int4*)p = c; break;
    default: break;
  }
}

template <typename T> inline vec<T, 4> decode(uint format, device uchar* p) {
  if constexpr (is_floating_point_v<T>) return vec<T, 4>(decode_float(format, p));
  else if constexpr (is_signed_v<T>) return vec<T, 4>(decode_int(format, p));
  else return vec<T, 4>(decode_uint(format, p));
}
template <typename T> inline void encode(uint format, device uchar* p, vec<T, 4> c) {
  if constexpr (is_floating_point_v<T>) encode_float(format, p, float4(c));
  else if constexpr (is_signed_v<T>) encode_int(format, p, int4(c));
  else encode_uint(format, p, uint4(c));
}

// Outside the texture a read gives zero and a write does nothing.
template <typename T> inline vec<T, 4> read(constant __texture_descriptor* t, uint x, uint y, uint z, uint slice, uint level) {
  uint l = __metal_min(level, t->mip_levels - 1u);
  bool inside = (level < t->mip_levels) & (x < extent(t->width, l)) & (y < extent(t->height, l)) & (z < extent(t->depth, l)) & (slice < t->array_length);
  if (!inside) return vec<T, 4>(T(0));
  return decode<T>(t->format, texel(t, x, y, z, slice, l));
}
template <typename T> inline void write(constant __texture_descriptor* t, vec<T, 4> c, uint x, uint y, uint z, uint slice, uint level) {
  uint l = __metal_min(level, t->mip_levels - 1u);
  bool inside = (level < t->mip_levels) & (x < extent(t->width, l)) & (y < extent(t->height, l)) & (z < extent(t->depth, l)) & (slice < t->array_length);
  if (inside) encode<T>(t->format, texel(t, x, y, z, slice, l), c);
}

// The texel index that address mode `mode` makes of i, or -1 for the border.
inline int wrap(uint mode, int i, int n) {
  switch (mode) {
    case 0: return __metal_min(__metal_max(i, 0), n - 1);
    case 1: return __metal_min(i < 0 ? -1 - i : i, n - 1);
    case 2: { int m = i % n; return m < 0 ? m + n : m; }
    case 3: { int m = i % (2 * n); m = m < 0 ? m + 2 * n : m; return m < n ? m : 2 * n - 1 - m; }
    default: return (i >= 0) & (i < n) ? i : -1;
  }
}
template <typename T> inline vec<T, 4> border(sampler s, uint mode_used) {
  uint color = s.__bits(18, 2);
  if (mode_used == 5u && color == 1u) return vec<T, 4>(T(0), T(0), T(0), T(1));
  if (mode_used == 5u && color == 2u) return vec<T, 4>(T(1));
  return vec<T, 4>(T(0));
}
template <typename T> inline vec<T, 4> fetch(constant __texture_descriptor* t, sampler s, int3 i, uint slice, uint l) {
  uint sm = s.__bits(0, 3), tm = s.__bits(3, 3), rm = s.__bits(6, 3);
  int x = wrap(sm, i.x, int(extent(t->width, l)));
  int y = wrap(tm, i.y, int(extent(t->height, l)));
  int z = wrap(rm, i.z, int(extent(t->depth, l)));
  if ((x < 0) | (y < 0) | (z < 0)) return border<T>(s, x < 0 ? sm : y < 0 ? tm : rm);
  return decode<T>(t->format, texel(t, uint(x), uint(y), uint(z), slice, l));
}
inline float safe_coordinate(float x) { return __metal_isnan(x) ? 0.0f : __metal_min(__metal_max(x, -1.0e9f), 1.0e9f); }

// One mip level: D coordinates, in texels.
template <typename T, int D> inline vec<T, 4> sample_level(constant __texture_descriptor* t, sampler s, float3 c, uint slice, uint l, int3 offset, bool is_linear) {
  float3 size = float3(float(extent(t->width, l)), float(extent(t->height, l)), float(extent(t->depth, l)));
  float3 u = s.__bits(13, 1) != 0u ? c : c * size;
  u = float3(safe_coordinate(u.x), safe_coordinate(u.y), safe_coordinate(u.z));
  if (D < 3) u.z = 0.5f;
  if (D < 2) u.y = 0.5f;
  // All texels of the footprint are fetched by one loop: every call of `fetch` is inlined, with a case per format.
  float3 v = is_linear ? u - 0.5f : u;
  float3 base = __metal_floor(v);
  float3 f = v - base;
  int3 i = int3(base) + offset;
  vec<T, 4> texels[1 << D];
  uint count = is_linear ? 1u << uint(D) : 1u;
#pragma clang loop unroll(disable)
  for (uint k = 0u; k < count; k++) texels[k] = fetch<T>(t, s, i + int3(int(k & 1u), int((k >> 1) & 1u), int(k >> 2)), slice, l);
  if (!is_linear) return texels[0];
  float4 a = float4(texels[0]), b = float4(texels[1]);
  float4 sum = a + (b - a) * f.x;
  if constexpr (D > 1) {
    float4 p = float4(texels[2]), q = float4(texels[3]);
    float4 row = p + (q - p) * f.x;
    sum = sum + (row - sum) * f.y;
  }
  if constexpr (D > 2) {
    float4 e = float4(texels[4]), g = float4(texels[5]), h = float4(texels[6]), k = float4(texels[7]);
    float4 low = e + (g - e) * f.x, high = h + (k - h) * f.x;
    float4 plane = low + (high - low) * f.y;
    sum = sum + (plane - sum) * f.z;
  }
  return vec<T, 4>(sum);
}
template <typename T, int D> inline vec<T, 4> sample(constant __texture_descriptor* t, sampler s, float3 c, uint slice, float lod, int3 offset) {
  uint slice_used = __metal_min(slice, t->array_length - 1u);
  float low = float(s.__bits(24, 16)) * 0.0625f;
  float high = s.__bits(40, 16) == 65535u ? 4096.0f : float(s.__bits(40, 16)) * 0.0625f;
  float clamped = __metal_min(__metal_max(lod, low), high);
  bool is_linear = clamped > 0.0f ? s.__bits(9, 1) != 0u : s.__bits(10, 1) != 0u;
  uint mip = s.__bits(11, 2);
  float last = float(t->mip_levels - 1u);
  float l = mip == 0u ? 0.0f : __metal_min(__metal_max(clamped, 0.0f), last);
  float whole = mip == 2u ? __metal_floor(l) : __metal_floor(l + 0.5f);
  bool both = (mip == 2u) & (whole != l);
  vec<T, 4> levels[2];
#pragma clang loop unroll(disable)
  for (uint k = 0u; k < (both ? 2u : 1u); k++) levels[k] = sample_level<T, D>(t, s, c, slice_used, uint(whole) + k, offset, is_linear);
  if (!both) return levels[0];
  return vec<T, 4>(float4(levels[0]) + (float4(levels[1]) - float4(levels[0])) * (l - whole));
}
inline float lod_of(float2 dx, float2 dy, float w, float h) {
  float2 a = dx * float2(w, h), b = dy * float2(w, h);
  return 0.5f * __math::log2_precise(__metal_max(a.x * a.x + a.y * a.y, b.x * b.x + b.y * b.y));
}
// The four texels of a bilinear footprint, counter-clockwise from the lower left, one component each.
template <typename T> inline vec<T, 4> gather(constant __texture_descriptor* t, sampler s, float2 c, uint slice, int2 offset, component which) {
  float2 u = s.__bits(13, 1) != 0u ? c : c * float2(float(t->width), float(t->height));
  float2 base = __metal_floor(float2(safe_coordinate(u.x), safe_coordinate(u.y)) - 0.5f);
  int3 i = int3(int2(base) + offset, 0);
  uint n = uint(which);
  uint used = __metal_min(slice, t->array_length - 1u);
  vec<T, 4> result;
#pragma clang loop unroll(disable)
  for (uint k = 0u; k < 4u; k++) result[k] = fetch<T>(t, s, i + int3(int((k == 1u) | (k == 2u)), int(k < 2u), 0), used, 0u)[n];
  return result;
}
inline float compare_one(uint func, float reference, float texel) {
  switch (func) {
    case 1: return reference < texel ? 1.0f : 0.0f;
    case 2: return reference == texel ? 1.0f : 0.0f;
    case 3: return reference <= texel ? 1.0f : 0.0f;
    case 4: return reference > texel ? 1.0f : 0.0f;
    case 5: return reference != texel ? 1.0f : 0.0f;
    case 6: return reference >= texel ? 1.0f : 0.0f;
    case 7: return 1.0f;
    default: return 0.0f;
  }
}
inline float sample_compare(constant __texture_descriptor* t, sampler s, float2 c, uint slice, float reference, int2 offset) {
  uint func = s.__bits(14, 4), used = __metal_min(slice, t->array_length - 1u);
  float2 u = s.__bits(13, 1) != 0u ? c : c * float2(float(t->width), float(t->height));
  u = float2(safe_coordinate(u.x), safe_coordinate(u.y));
  if (s.__bits(10, 1) == 0u) return compare_one(func, reference, fetch<float>(t, s, int3(int2(__metal_floor(u)) + offset, 0), used, 0u).x);
  float2 base = __metal_floor(u - 0.5f), f = u - 0.5f - base;
  int3 i = int3(int2(base) + offset, 0);
  float4 passed;
#pragma clang loop unroll(disable)
  for (uint k = 0u; k < 4u; k++) passed[k] = compare_one(func, reference, fetch<float>(t, s, i + int3(int(k & 1u), int(k >> 1), 0), used, 0u).x);
  float a = passed.x, b = passed.y, d = passed.z, e = passed.w;
  float top = a + (b - a) * f.x, bottom = d + (e - d) * f.x;
  return top + (bottom - top) * f.y;
}
// A direction to face and coordinates on it (Vulkan's and Metal's table are the same).
inline float2 cube_face(float3 d, thread uint& face) {
  float ax = __metal_abs(d.x), ay = __metal_abs(d.y), az = __metal_abs(d.z);
  float ma, sc, tc;
  if (az >= ax && az >= ay) { face = d.z < 0.0f ? 5u : 4u; sc = d.z < 0.0f ? -d.x : d.x; tc = -d.y; ma = az; }
  else if (ay >= ax) { face = d.y < 0.0f ? 3u : 2u; sc = d.x; tc = d.y < 0.0f ? -d.z : d.z; ma = ay; }
  else { face = d.x < 0.0f ? 1u : 0u; sc = d.x < 0.0f ? d.z : -d.z; tc = -d.y; ma = ax; }
  return float2(sc / ma, tc / ma) * 0.5f + 0.5f;
}
} // namespace __texture

#define __TEXTURE_COMMON \
  constant __texture_descriptor* __t; \
  uint get_num_mip_levels() const { return __t->mip_levels; }
#define __TEXTURE_WIDTH uint get_width(uint lod = 0) const { return __texture::extent(__t->width, lod); }
#define __TEXTURE_HEIGHT uint get_height(uint lod = 0) const { return __texture::extent(__t->height, lod); }
#define __TEXTURE_ARRAY(faces) uint get_array_size() const { return __t->array_length / faces; }

template <typename T, access A = access::sample> struct [[__metal_special("texture1d")]] texture1d {
  __TEXTURE_COMMON __TEXTURE_WIDTH
  vec<T, 4> read(uint c, uint lod = 0) const { return __texture::read<T>(__t, c, 0u, 0u, 0u, lod); }
  vec<T, 4> read(ushort c, ushort lod = 0) const { return __texture::read<T>(__t, uint(c), 0u, 0u, 0u, uint(lod)); }
  void write(vec<T, 4> v, uint c, uint lod = 0) const { __texture::write<T>(__t, v, c, 0u, 0u, 0u, lod); }
  void write(vec<T, 4> v, ushort c, ushort lod = 0) const { __texture::write<T>(__t, v, uint(c), 0u, 0u, 0u, uint(lod)); }
  vec<T, 4> sample(sampler s, float c) const { return __texture::sample<T, 1>(__t, s, float3(c, 0.0f, 0.0f), 0u, 0.0f, int3(0)); }
  void fence() const {}
};
template <typename T, access A = access::sample> struct [[__metal_special("texture1d_array")]] texture1d_array {
  __TEXTURE_COMMON __TEXTURE_WIDTH __TEXTURE_ARRAY(1u)
  vec<T, 4> read(uint c, uint slice, uint lod = 0) const { return __texture::read<T>(__t, c, 0u, 0u, slice, lod); }
  void write(vec<T, 4> v, uint c, uint slice, uint lod = 0) const { __texture::write<T>(__t, v, c, 0u, 0u, slice, lod); }
  vec<T, 4> sample(sampler s, float c, uint slice) const { return __texture::sample<T, 1>(__t, s, float3(c, 0.0f, 0.0f), slice, 0.0f, int3(0)); }
  void fence() const {}
};
template <typename T, access A = access::sample> struct [[__metal_special("texture2d")]] texture2d {
  __TEXTURE_COMMON __TEXTURE_WIDTH __TEXTURE_HEIGHT
  vec<T, 4> read(uint2 c, uint lod = 0) const { return __texture::read<T>(__t, c.x, c.y, 0u, 0u, lod); }
  vec<T, 4> read(ushort2 c, ushort lod = 0) const { return __texture::read<T>(__t, uint(c.x), uint(c.y), 0u, 0u, uint(lod)); }
  void write(vec<T, 4> v, uint2 c, uint lod = 0) const { __texture::write<T>(__t, v, c.x, c.y, 0u, 0u, lod); }
  void write(vec<T, 4> v, ushort2 c, ushort lod = 0) const { __texture::write<T>(__t, v, uint(c.x), uint(c.y), 0u, 0u, uint(lod)); }
  vec<T, 4> sample(sampler s, float2 c, int2 offset = int2(0)) const {
    return __texture::sample<T, 2>(__t, s, float3(c, 0.0f), 0u, 0.0f, int3(offset, 0));
  }
  vec<T, 4> sample(sampler s, float2 c, level l, int2 offset = int2(0)) const {
    return __texture::sample<T, 2>(__t, s, float3(c, 0.0f), 0u, l.value, int3(offset, 0));
  }
  vec<T, 4> sample(sampler s, float2 c, bias b, int2 offset = int2(0)) const {
    return __texture::sample<T, 2>(__t, s, float3(c, 0.0f), 0u, b.value, int3(offset, 0));
  }
  vec<T, 4> sample(sampler s, float2 c, min_lod_clamp m, int2 offset = int2(0)) const {
    return __texture::sample<T, 2>(__t, s, float3(c, 0.0f), 0u, m.value, int3(offset, 0));
  }
  vec<T, 4> sample(sampler s, float2 c, gradient2d g, int2 offset = int2(0)) const {
    return __texture::sample<T, 2>(__t, s, float3(c, 0.0f), 0u, __texture::lod_of(g.dx, g.dy, float(__t->width), float(__t->height)), int3(offset, 0));
  }
  vec<T, 4> gather(sampler s, float2 c, int2 offset = int2(0), component n = component::x) const {
    return __texture::gather<T>(__t, s, c, 0u, offset, n);
  }
  void fence() const {}
};
template <typename T, access A = access::sample> struct [[__metal_special("texture2d_array")]] texture2d_array {
  __TEXTURE_COMMON __TEXTURE_WIDTH __TEXTURE_HEIGHT __TEXTURE_ARRAY(1u)
  vec<T, 4> read(uint2 c, uint slice, uint lod = 0) const { return __texture::read<T>(__t, c.x, c.y, 0u, slice, lod); }
  vec<T, 4> read(ushort2 c, ushort slice, ushort lod = 0) const { return __texture::read<T>(__t, uint(c.x), uint(c.y), 0u, uint(slice), uint(lod)); }
  void write(vec<T, 4> v, uint2 c, uint slice, uint lod = 0) const { __texture::write<T>(__t, v, c.x, c.y, 0u, slice, lod); }
  void write(vec<T, 4> v, ushort2 c, ushort slice, ushort lod = 0) const { __texture::write<T>(__t, v, uint(c.x), uint(c.y), 0u, uint(slice), uint(lod)); }
  vec<T, 4> sample(sampler s, float2 c, uint slice, int2 offset = int2(0)) const {
    return __texture::sample<T, 2>(__t, s, float3(c, 0.0f), slice, 0.0f, int3(offset, 0));
  }
  vec<T, 4> sample(sampler s, float2 c, uint slice, level l, int2 offset = int2(0)) const {
    return __texture::sample<T, 2>(__t, s, float3(c, 0.0f), slice, l.value, int3(offset, 0));
  }
  vec<T, 4> gather(sampler s, float2 c, uint slice, int2 offset = int2(0), component n = component::x) const {
    return __texture::gather<T>(__t, s, c, slice, offset, n);
  }
  void fence() const {}
};
template <typename T, access A = access::sample> struct [[__metal_special("texture3d")]] texture3d {
  __TEXTURE_COMMON __TEXTURE_WIDTH __TEXTURE_HEIGHT
  uint get_depth(uint lod = 0) const { return __texture::extent(__t->depth, lod); }
  vec<T, 4> read(uint3 c, uint lod = 0) const { return __texture::read<T>(__t, c.x, c.y, c.z, 0u, lod); }
  vec<T, 4> read(ushort3 c, ushort lod = 0) const { return __texture::read<T>(__t, uint(c.x), uint(c.y), uint(c.z), 0u, uint(lod)); }
  void write(vec<T, 4> v, uint3 c, uint lod = 0) const { __texture::write<T>(__t, v, c.x, c.y, c.z, 0u, lod); }
  void write(vec<T, 4> v, ushort3 c, ushort lod = 0) const { __texture::write<T>(__t, v, uint(c.x), uint(c.y), uint(c.z), 0u, uint(lod)); }
  vec<T, 4> sample(sampler s, float3 c, int3 offset = int3(0)) const { return __texture::sample<T, 3>(__t, s, c, 0u, 0.0f, offset); }
  vec<T, 4> sample(sampler s, float3 c, level l, int3 offset = int3(0)) const { return __texture::sample<T, 3>(__t, s, c, 0u, l.value, offset); }
  void fence() const {}
};
template <typename T, access A = access::sample> struct [[__metal_special("texturecube")]] texturecube {
  __TEXTURE_COMMON __TEXTURE_WIDTH __TEXTURE_HEIGHT
  vec<T, 4> read(uint2 c, uint face, uint lod = 0) const { return __texture::read<T>(__t, c.x, c.y, 0u, face, lod); }
  void write(vec<T, 4> v, uint2 c, uint face, uint lod = 0) const { __texture::write<T>(__t, v, c.x, c.y, 0u, face, lod); }
  vec<T, 4> sample(sampler s, float3 d) const { return sample(s, d, level(0.0f)); }
  vec<T, 4> sample(sampler s, float3 d, level l) const {
    uint face;
    float2 c = __texture::cube_face(d, face);
    return __texture::sample<T, 2>(__t, s, float3(c, 0.0f), face, l.value, int3(0));
  }
  void fence() const {}
};
template <typename T, access A = access::sample> struct [[__metal_special("texturecube_array")]] texturecube_array {
  __TEXTURE_COMMON __TEXTURE_WIDTH __TEXTURE_HEIGHT __TEXTURE_ARRAY(6u)
  vec<T, 4> read(uint2 c, uint face, uint slice, uint lod = 0) const { return __texture::read<T>(__t, c.x, c.y, 0u, slice * 6u + face, lod); }
  void write(vec<T, 4> v, uint2 c, uint face, uint slice, uint lod = 0) const { __texture::write<T>(__t, v, c.x, c.y, 0u, slice * 6u + face, lod); }
  vec<T, 4> sample(sampler s, float3 d, uint slice) const {
    uint face;
    float2 c = __texture::cube_face(d, face);
    return __texture::sample<T, 2>(__t, s, float3(c, 0.0f), slice * 6u + face, 0.0f, int3(0));
  }
  void fence() const {}
};
template <typename T, access A = access::read> struct [[__metal_special("texture2d_ms")]] texture2d_ms {
  constant __texture_descriptor* __t;
  uint get_num_samples() const { return __t->samples; }
  __TEXTURE_WIDTH __TEXTURE_HEIGHT
  vec<T, 4> read(uint2 c, uint s) const { return __texture::read<T>(__t, c.x, c.y, 0u, s, 0u); }
};
template <typename T, access A = access::read> struct [[__metal_special("texture_buffer")]] texture_buffer {
  constant __texture_descriptor* __t;
  __TEXTURE_WIDTH
  vec<T, 4> read(uint c) const { return __texture::read<T>(__t, c, 0u, 0u, 0u, 0u); }
  void write(vec<T, 4> v, uint c) const { __texture::write<T>(__t, v, c, 0u, 0u, 0u, 0u); }
  void fence() const {}
};
template <typename T, access A = access::sample> struct [[__metal_special("depth2d")]] depth2d {
  __TEXTURE_COMMON __TEXTURE_WIDTH __TEXTURE_HEIGHT
  T read(uint2 c, uint lod = 0) const { return __texture::read<T>(__t, c.x, c.y, 0u, 0u, lod).x; }
  T read(ushort2 c, ushort lod = 0) const { return __texture::read<T>(__t, uint(c.x), uint(c.y), 0u, 0u, uint(lod)).x; }
  T sample(sampler s, float2 c, int2 offset = int2(0)) const { return __texture::sample<T, 2>(__t, s, float3(c, 0.0f), 0u, 0.0f, int3(offset, 0)).x; }
  T sample(sampler s, float2 c, level l, int2 offset = int2(0)) const { return __texture::sample<T, 2>(__t, s, float3(c, 0.0f), 0u, l.value, int3(offset, 0)).x; }
  T sample_compare(sampler s, float2 c, float reference, int2 offset = int2(0)) const { return T(__texture::sample_compare(__t, s, c, 0u, reference, offset)); }
};
template <typename T, access A = access::sample> struct [[__metal_special("depth2d_array")]] depth2d_array {
  __TEXTURE_COMMON __TEXTURE_WIDTH __TEXTURE_HEIGHT __TEXTURE_ARRAY(1u)
  T read(uint2 c, uint slice, uint lod = 0) const { return __texture::read<T>(__t, c.x, c.y, 0u, slice, lod).x; }
  T sample(sampler s, float2 c, uint slice, int2 offset = int2(0)) const { return __texture::sample<T, 2>(__t, s, float3(c, 0.0f), slice, 0.0f, int3(offset, 0)).x; }
  T sample_compare(sampler s, float2 c, uint slice, float reference, int2 offset = int2(0)) const { return T(__texture::sample_compare(__t, s, c, slice, reference, offset)); }
};
#undef __TEXTURE_COMMON
#undef __TEXTURE_WIDTH
#undef __TEXTURE_HEIGHT
#undef __TEXTURE_ARRAY

} // namespace metal
