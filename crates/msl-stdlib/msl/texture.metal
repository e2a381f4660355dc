// Textures and samplers (MSL specification, sections 2.9, 2.10 and 6.12): addressing and filtering are written here, once, for
// every device; the formats of texels in pixel_format.metal.

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

// What other threads see of a write; here all of it.
enum memory_coherence { memory_coherence_threadgroup, memory_coherence_device };
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
// What becomes of the texels that a filter looks at.
enum class reduction { weighted_average = 0, minimum = 1, maximum = 2 };
enum class border_color { transparent_black = 0, opaque_black = 1, opaque_white = 2 };
struct max_anisotropy { uint value; explicit constexpr max_anisotropy(int v) : value(uint(v)) {} };
struct lod_clamp { float low; float high; explicit constexpr lod_clamp(float a, float b) : low(a), high(b) {} };
// What may follow the coordinates of a sample; `__option` tells these types from offsets.
#define __LOD_OPTION(name) struct name { using __option = void; float value; explicit constexpr name(float v) : value(v) {} };
__LOD_OPTION(bias)
__LOD_OPTION(level)
__LOD_OPTION(min_lod_clamp)
#undef __LOD_OPTION
#define __GRADIENT(name, V) struct name { using __option = void; V dx; V dy; explicit constexpr name(V x, V y) : dx(x), dy(y) {} };
__GRADIENT(gradient2d, float2)
__GRADIENT(gradient3d, float3)
__GRADIENT(gradientcube, float3)
#undef __GRADIENT

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
  constexpr void __set(reduction v) { __field(56, 2, ulong(uint(v))); }
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

template <typename T> inline vec<T, 4> decode_words(constant __texture_descriptor* t, uint4 w) {
  if constexpr (is_floating_point_v<T>) return vec<T, 4>(decode_float(t->format, w));
  else if constexpr (is_signed_v<T>) return vec<T, 4>(decode_int(t->format, w));
  else return vec<T, 4>(decode_uint(t->format, w));
}
template <typename T> inline vec<T, 4> decode(constant __texture_descriptor* t, device uchar* p) {
  return decode_words<T>(t, load_texel(p, t->bytes_per_texel));
}
template <typename T> inline void encode(constant __texture_descriptor* t, device uchar* p, vec<T, 4> c) {
  uint4 w;
  if constexpr (is_floating_point_v<T>) w = encode_float(t->format, float4(c));
  else if constexpr (is_signed_v<T>) w = encode_int(t->format, int4(c));
  else w = encode_uint(t->format, uint4(c));
  store_texel(p, t->bytes_per_texel, w);
}

// Outside the texture a read gives zero in the channels that the format has, and a write does nothing.
template <typename T> inline vec<T, 4> read(constant __texture_descriptor* t, uint x, uint y, uint z, uint slice, uint level) {
  uint l = __metal_min(level, t->mip_levels - 1u);
  bool inside = (level < t->mip_levels) & (x < extent(t->width, l)) & (y < extent(t->height, l)) & (z < extent(t->depth, l)) & (slice < t->array_length);
  uint4 w = zero_texel(t->format);
  if (inside) w = load_texel(texel(t, x, y, z, slice, l), t->bytes_per_texel);
  return decode_words<T>(t, w);
}
template <typename T> inline void write(constant __texture_descriptor* t, vec<T, 4> c, uint x, uint y, uint z, uint slice, uint level) {
  uint l = __metal_min(level, t->mip_levels - 1u);
  bool inside = (level < t->mip_levels) & (x < extent(t->width, l)) & (y < extent(t->height, l)) & (z < extent(t->depth, l)) & (slice < t->array_length);
  if (inside) encode<T>(t, texel(t, x, y, z, slice, l), c);
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
// Zero has the alpha 1 where the format has none.
template <typename T> inline vec<T, 4> border(constant __texture_descriptor* t, sampler s, uint mode_used) {
  if (mode_used != 5u) return decode_words<T>(t, zero_texel(t->format));
  uint color = s.__bits(18, 2);
  return vec<T, 4>(vec<T, 3>(T(color == 2u)), T(color != 0u));
}
template <typename T> inline vec<T, 4> fetch(constant __texture_descriptor* t, sampler s, int3 i, uint slice, uint l) {
  uint sm = s.__bits(0, 3), tm = s.__bits(3, 3), rm = s.__bits(6, 3);
  int x = wrap(sm, i.x, int(extent(t->width, l)));
  int y = wrap(tm, i.y, int(extent(t->height, l)));
  int z = wrap(rm, i.z, int(extent(t->depth, l)));
  if ((x < 0) | (y < 0) | (z < 0)) return border<T>(t, s, x < 0 ? sm : y < 0 ? tm : rm);
  return decode<T>(t, texel(t, uint(x), uint(y), uint(z), slice, l));
}
// A direction to face and position on it, from the middle and with the distance of the face (Vulkan's and Metal's table are
// the same).
template <typename V> inline V project(V d, thread uint& face) {
  auto ax = __metal_abs(d.x), ay = __metal_abs(d.y), az = __metal_abs(d.z);
  if (az >= ax && az >= ay) { face = d.z < 0 ? 5u : 4u; return V(d.z < 0 ? -d.x : d.x, -d.y, az); }
  if (ay >= ax) { face = d.y < 0 ? 3u : 2u; return V(d.x, d.y < 0 ? -d.z : d.z, ay); }
  face = d.x < 0 ? 1u : 0u;
  return V(d.x < 0 ? d.z : -d.z, -d.y, ax);
}
inline float2 cube_face(float3 d, thread uint& face) {
  float3 p = project(d, face);
  return float2(p.x / p.z, p.y / p.z) * 0.5f + 0.5f;
}
// Filtering knows no edges between the faces of a cube: a texel beside one lies on another. In half texels from the middle
// of the cube, what is over an edge is folded down.
inline int2 fold_cube(int2 i, int n, thread uint& face) {
  int x = 2 * i.x + 1 - n, y = 2 * i.y + 1 - n;
  int z = n - __metal_max(__metal_abs(x) - n, 0) - __metal_max(__metal_abs(y) - n, 0);
  x = __metal_min(__metal_max(x, -n), n);
  y = __metal_min(__metal_max(y, -n), n);
  int3 d;
  switch (face) {
    case 0: d = int3(z, -y, -x); break;
    case 1: d = int3(-z, -y, x); break;
    case 2: d = int3(x, z, y); break;
    case 3: d = int3(x, -z, -y); break;
    case 4: d = int3(x, -y, z); break;
    default: d = int3(-x, -y, -z); break;
  }
  int3 p = project(d, face);
  return (p.xy + n - 1) / 2;
}
template <typename T> inline vec<T, 4> fetch_cube(constant __texture_descriptor* t, int2 i, uint slice, uint l) {
  int n = int(extent(t->width, l));
  uint face = slice % 6u, first = slice - face;
  bool is_corner = ((i.x < 0) | (i.x >= n)) & ((i.y < 0) | (i.y >= n));
  int2 inside = __metal_min(__metal_max(i, int2(0)), int2(n - 1));
  int2 at = fold_cube(is_corner ? inside : i, n, face);
  return decode<T>(t, texel(t, uint(at.x), uint(at.y), 0u, first + face, l));
}
// Three texels meet in a corner. The one of a footprint of 2x2 texels, the first of which is at i, that would be behind it;
// 4 where there is none.
inline uint cube_corner(int2 i, int n) {
  uint x = i.x < 0 ? 0u : i.x + 1 >= n ? 1u : 4u, y = i.y < 0 ? 0u : i.y + 1 >= n ? 2u : 4u;
  return x + y < 4u ? x + y : 4u;
}
inline float safe_coordinate(float x) { return __metal_isnan(x) ? 0.0f : __metal_min(__metal_max(x, -1.0e9f), 1.0e9f); }

// The least or greatest of values, component by component.
template <typename T> inline vec<T, 4> reduce(uint mode, vec<T, 4> a, vec<T, 4> b) { return mode == 1u ? __metal_min(a, b) : __metal_max(a, b); }

// The mean of three of four texels; integers have none, and are not filtered.
template <typename T> inline vec<T, 4> mean_of_others(thread vec<T, 4>* texels, uint corner) {
  if constexpr (!is_floating_point_v<T>) return texels[corner];
  float4 sum = float4(0.0f);
#pragma clang loop unroll(disable)
  for (uint k = 0u; k < 4u; k++) sum += k == corner ? float4(0.0f) : float4(texels[k]);
  return vec<T, 4>(sum / 3.0f);
}

// One mip level: D coordinates, in texels, those of a cube on a face.
template <typename T, int D, bool is_cube> inline vec<T, 4> sample_level(constant __texture_descriptor* t, sampler s, float3 c, uint slice, uint l, int3 offset, bool is_linear) {
  float3 size = float3(float(extent(t->width, l)), float(extent(t->height, l)), float(extent(t->depth, l)));
  float3 u = s.__bits(13, 1) != 0u ? c : c * size;
  u = float3(safe_coordinate(u.x), safe_coordinate(u.y), safe_coordinate(u.z));
  if (D < 3) u.z = 0.5f;
  if (D < 2) u.y = 0.5f;
  // All texels of the footprint are fetched by one loop: every call of `fetch` is inlined, with a case per format.
  float3 v = is_linear ? u - 0.5f : u;
  float3 base = __metal_floor(v);
  // The last texel of a face has the edge, too.
  if (is_cube && !is_linear) base = __metal_min(base, size - float3(1.0f));
  float3 f = v - base;
  int3 i = int3(base) + offset;
  vec<T, 4> texels[1 << D];
  uint count = is_linear ? 1u << uint(D) : 1u;
#pragma clang loop unroll(disable)
  for (uint k = 0u; k < count; k++) {
    int3 at = i + int3(int(k & 1u), int((k >> 1) & 1u), int(k >> 2));
    if constexpr (is_cube) texels[k] = fetch_cube<T>(t, at.xy, slice, l);
    else texels[k] = fetch<T>(t, s, at, slice, l);
  }
  if (!is_linear) return texels[0];
  if constexpr (is_cube) {
    uint corner = cube_corner(i.xy, int(extent(t->width, l)));
    if (corner < 4u) texels[corner] = mean_of_others<T>(texels, corner);
  }
  uint mode = s.__bits(56, 2);
  if (mode != 0u) {
    // Of the texels that would have a part in the mean.
    vec<T, 4> result = texels[0];
#pragma clang loop unroll(disable)
    for (uint k = 1u; k < count; k++) {
      bool counts = ((k & 1u) == 0u | f.x > 0.0f) & ((k & 2u) == 0u | f.y > 0.0f) & ((k & 4u) == 0u | f.z > 0.0f);
      result = counts ? reduce<T>(mode, result, texels[k]) : result;
    }
    return result;
  }
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
// The first mip level that a sample looks at; with a fraction that is not zero, it looks at the next one, too.
inline uint choose_levels(constant __texture_descriptor* t, sampler s, float lod, thread float& fraction, thread bool& is_linear) {
  float low = float(s.__bits(24, 16)) * 0.0625f;
  float high = s.__bits(40, 16) == 65535u ? 4096.0f : float(s.__bits(40, 16)) * 0.0625f;
  float clamped = __metal_min(__metal_max(lod, low), high);
  is_linear = clamped > 0.0f ? s.__bits(9, 1) != 0u : s.__bits(10, 1) != 0u;
  uint mip = s.__bits(11, 2);
  float last = float(t->mip_levels - 1u);
  float l = mip == 0u ? 0.0f : __metal_min(__metal_max(clamped, 0.0f), last);
  float whole = mip == 2u ? __metal_floor(l) : __metal_floor(l + 0.5f);
  fraction = mip == 2u ? l - whole : 0.0f;
  return uint(whole);
}
template <typename T, int D, bool is_cube = false> inline vec<T, 4> sample(constant __texture_descriptor* t, sampler s, float3 c, uint slice, float lod, int3 offset) {
  uint slice_used = __metal_min(slice, t->array_length - 1u);
  float fraction;
  bool is_linear;
  uint first = choose_levels(t, s, lod, fraction, is_linear);
  bool both = fraction != 0.0f;
  vec<T, 4> levels[2];
#pragma clang loop unroll(disable)
  for (uint k = 0u; k < (both ? 2u : 1u); k++) levels[k] = sample_level<T, D, is_cube>(t, s, c, slice_used, first + k, offset, is_linear);
  if (!both) return levels[0];
  if (s.__bits(56, 2) != 0u) return reduce<T>(s.__bits(56, 2), levels[0], levels[1]);
  return vec<T, 4>(float4(levels[0]) + (float4(levels[1]) - float4(levels[0])) * fraction);
}
// The level of detail that options ask for. A compute kernel has no derivatives: without options it is zero.
inline float lod(constant __texture_descriptor* t, bias b) { return b.value; }
inline float lod(constant __texture_descriptor* t, level l) { return l.value; }
inline float lod(constant __texture_descriptor* t, min_lod_clamp m) { return m.value; }
inline float lod(constant __texture_descriptor* t, gradient3d g) {
  float3 size = float3(float(t->width), float(t->height), float(t->depth)), a = g.dx * size, b = g.dy * size;
  return 0.5f * __math::log2_precise(__metal_max(dot(a, a), dot(b, b)));
}
inline float lod(constant __texture_descriptor* t, gradient2d g) { return lod(t, gradient3d(float3(g.dx, 0.0f), float3(g.dy, 0.0f))); }
// Across a face of a cube coordinates go from -1 to 1.
inline float lod(constant __texture_descriptor* t, gradientcube g) { return lod(t, gradient3d(g.dx * 0.5f, g.dy * 0.5f)); }
template <typename O> inline float lod(constant __texture_descriptor* t, O option, min_lod_clamp m) { return __metal_max(lod(t, option), m.value); }

// The four texels of a bilinear footprint, counter-clockwise from the lower left, one component each.
template <typename T, bool is_cube = false> inline vec<T, 4> gather(constant __texture_descriptor* t, sampler s, float2 c, uint slice, int2 offset, component which) {
  float2 u = s.__bits(13, 1) != 0u ? c : c * float2(float(t->width), float(t->height));
  float2 base = __metal_floor(float2(safe_coordinate(u.x), safe_coordinate(u.y)) - 0.5f);
  int3 i = int3(int2(base) + offset, 0);
  uint n = uint(which);
  uint used = __metal_min(slice, t->array_length - 1u);
  // Row by row.
  vec<T, 4> texels[4];
#pragma clang loop unroll(disable)
  for (uint k = 0u; k < 4u; k++) {
    int3 at = i + int3(int(k & 1u), int(k >> 1), 0);
    if constexpr (is_cube) texels[k] = fetch_cube<T>(t, at.xy, used, 0u);
    else texels[k] = fetch<T>(t, s, at, used, 0u);
  }
  if constexpr (is_cube) {
    uint corner = cube_corner(i.xy, int(t->width));
    if (corner < 4u) texels[corner] = mean_of_others<T>(texels, corner);
  }
  return vec<T, 4>(texels[2][n], texels[3][n], texels[1][n], texels[0][n]);
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
// The share of the texels of a footprint that pass, on one mip level.
template <bool is_cube> inline float compare_level(constant __texture_descriptor* t, sampler s, float2 c, uint slice, uint l, float reference, int2 offset, bool is_linear) {
  float2 u = s.__bits(13, 1) != 0u ? c : c * float2(float(extent(t->width, l)), float(extent(t->height, l)));
  u = float2(safe_coordinate(u.x), safe_coordinate(u.y));
  float2 v = is_linear ? u - 0.5f : u;
  float2 base = __metal_floor(v);
  if (is_cube && !is_linear) base = __metal_min(base, float2(float(extent(t->width, l)) - 1.0f));
  float2 f = v - base;
  int3 i = int3(int2(base) + offset, 0);
  uint func = s.__bits(14, 4), count = is_linear ? 4u : 1u;
  float4 passed;
#pragma clang loop unroll(disable)
  for (uint k = 0u; k < count; k++) {
    int3 at = i + int3(int(k & 1u), int(k >> 1), 0);
    float4 texel;
    if constexpr (is_cube) texel = fetch_cube<float>(t, at.xy, slice, l);
    else texel = fetch<float>(t, s, at, slice, l);
    passed[k] = compare_one(func, reference, texel.x);
  }
  if (!is_linear) return passed.x;
  if constexpr (is_cube) {
    uint corner = cube_corner(i.xy, int(extent(t->width, l)));
    if (corner < 4u) {
      passed[corner] = 0.0f;
      passed[corner] = (passed.x + passed.y + passed.z + passed.w) / 3.0f;
    }
  }
  float top = passed.x + (passed.y - passed.x) * f.x, bottom = passed.z + (passed.w - passed.z) * f.x;
  return top + (bottom - top) * f.y;
}
template <bool is_cube = false> inline float sample_compare(constant __texture_descriptor* t, sampler s, float2 c, uint slice, float reference, float lod, int2 offset) {
  uint used = __metal_min(slice, t->array_length - 1u);
  float fraction;
  bool is_linear;
  uint first = choose_levels(t, s, lod, fraction, is_linear);
  bool both = fraction != 0.0f;
  float2 levels;
#pragma clang loop unroll(disable)
  for (uint k = 0u; k < (both ? 2u : 1u); k++) levels[k] = compare_level<is_cube>(t, s, c, used, first + k, reference, offset, is_linear);
  return both ? levels.x + (levels.y - levels.x) * fraction : levels.x;
}
// The slice of a face; of cubes beyond the last, that is taken.
inline uint cube_slice(constant __texture_descriptor* t, uint cube, uint face) {
  return __metal_min(cube, t->array_length / 6u - 1u) * 6u + face;
}
template <typename T> inline vec<T, 4> sample_cube(constant __texture_descriptor* t, sampler s, float3 d, uint cube, float lod) {
  uint face;
  float2 c = cube_face(d, face);
  return sample<T, 2, true>(t, s, float3(c, 0.0f), cube_slice(t, cube, face), lod, int3(0));
}
inline float compare_cube(constant __texture_descriptor* t, sampler s, float3 d, uint cube, float reference, float lod) {
  uint face;
  float2 c = cube_face(d, face);
  return sample_compare<true>(t, s, c, cube_slice(t, cube, face), reference, lod, int2(0));
}
template <typename T> inline vec<T, 4> gather_cube(constant __texture_descriptor* t, sampler s, float3 d, uint cube, component n) {
  uint face;
  float2 c = cube_face(d, face);
  return gather<T, true>(t, s, c, cube_slice(t, cube, face), int2(0), n);
}
// Each of the four texels compared.
inline float4 compare_all(sampler s, float reference, float4 v) {
  uint f = s.__bits(14, 4);
  return float4(compare_one(f, reference, v.x), compare_one(f, reference, v.y), compare_one(f, reference, v.z), compare_one(f, reference, v.w));
}
inline float4 gather_compare(constant __texture_descriptor* t, sampler s, float2 c, uint slice, float reference, int2 offset) {
  return compare_all(s, reference, gather<float>(t, s, c, slice, offset, component::x));
}
inline float4 gather_compare_cube(constant __texture_descriptor* t, sampler s, float3 d, uint cube, float reference) {
  return compare_all(s, reference, gather_cube<float>(t, s, d, cube, component::x));
}

// Atomic operations use the first component; outside the texture they do nothing.
template <typename T> inline bool is_inside(constant __texture_descriptor* t, uint3 c, uint slice) {
  return (c.x < t->width) & (c.y < t->height) & (c.z < t->depth) & (slice < t->array_length);
}
template <typename T> inline device T* atomic_texel(constant __texture_descriptor* t, uint3 c, uint slice) {
  return (device T*)texel(t, c.x, c.y, c.z, slice, 0u);
}
template <typename T> inline bool compare_exchange(constant __texture_descriptor* t, uint3 c, uint slice, thread vec<T, 4>* expected, vec<T, 4> desired) {
  if (!is_inside<T>(t, c, slice)) return false;
  T wanted = expected->x, found = __metal_atomic_compare_exchange(atomic_texel<T>(t, c, slice), wanted, desired.x);
  expected->x = found;
  return found == wanted;
}
#define __ATOMIC(name) \
  template <typename T> inline vec<T, 4> name(constant __texture_descriptor* t, uint3 c, uint slice, vec<T, 4> v) { \
    T found = T(0); \
    if (is_inside<T>(t, c, slice)) found = __metal_##name(atomic_texel<T>(t, c, slice), v.x); \
    return vec<T, 4>(found, T(0), T(0), T(0)); \
  }
__ATOMIC(atomic_exchange) __ATOMIC(atomic_add) __ATOMIC(atomic_sub) __ATOMIC(atomic_min) __ATOMIC(atomic_max) __ATOMIC(atomic_and)
__ATOMIC(atomic_or) __ATOMIC(atomic_xor)
#undef __ATOMIC
} // namespace __texture

// What a texture is bound for limits what can be done with it (section 2.9).
#define __CAN_SAMPLE static_assert(A == access::sample, "only a texture with 'access::sample' can be sampled");
#define __CAN_READ static_assert(A != access::write, "a texture with 'access::write' cannot be read");
#define __CAN_WRITE static_assert(A == access::write || A == access::read_write, "a texture is written only with 'access::write' or 'access::read_write'");
#define __IS_TEXEL \
  static_assert(__is_same(T, half) || __is_same(T, float) || __is_same(T, short) || __is_same(T, ushort) || __is_same(T, int) || \
    __is_same(T, uint) || __is_same(T, ulong), "the components of a texture are 'half', 'float', 'short', 'ushort', 'int', 'uint' or 'ulong'");

// Members of the texture types. C is the type of coordinates, `slice` an expression over the parameters in `extra`. What
// has coordinates of 16 bits too needs other functions for these where they are vectors.
#define __NEEDS_DERIVATIVES(name) \
  template <typename... P> [[__metal_unsupported("unsupported-graphics", "needs derivatives, which kernels do not have")]] float name(P...) const;
// No device has textures of which parts are not there.
template <typename T> struct sparse_color {
  constexpr sparse_color(T value, bool resident) : __value(value), __resident(resident) {}
  constexpr bool resident() const { return __resident; }
  constexpr T value() const { return __value; }
 private:
  T __value;
  bool __resident;
};
#define __SPARSE(name) \
  template <typename... P> auto sparse_##name(P... p) const { auto v = name(p...); return sparse_color<decltype(v)>(v, true); }
#define __TEXTURE_COMMON \
  __IS_TEXEL \
  constant __texture_descriptor* __t; \
  uint get_num_mip_levels() const { return __t->mip_levels; } \
  __NEEDS_DERIVATIVES(calculate_clamped_lod) __NEEDS_DERIVATIVES(calculate_unclamped_lod) \
  __SPARSE(sample) __SPARSE(read) __SPARSE(gather) __SPARSE(sample_compare) __SPARSE(gather_compare)
#define __TEXTURE_WIDTH uint get_width(uint lod = 0) const { return __texture::extent(__t->width, lod); }
#define __TEXTURE_HEIGHT uint get_height(uint lod = 0) const { return __texture::extent(__t->height, lod); }
#define __TEXTURE_DEPTH uint get_depth(uint lod = 0) const { return __texture::extent(__t->depth, lod); }
#define __TEXTURE_ARRAY(faces) uint get_array_size() const { return __t->array_length / faces; }
#define __NOTHING
#define __SLICE , uint slice
#define __FACE , uint face
#define __FACE_SLICE , uint face, uint slice
#define __TEXTURE_ACCESS(C, S, extra, x, y, z, slice) \
  vec<T, 4> read(C c extra, uint lod = 0) const { __CAN_READ return __texture::read<T>(__t, x, y, z, slice, lod); } \
  vec<T, 4> read(S c extra, ushort lod = 0) const { __CAN_READ return __texture::read<T>(__t, x, y, z, slice, uint(lod)); } \
  void write(vec<T, 4> v, C c extra, uint lod = 0) const { __CAN_WRITE __texture::write<T>(__t, v, x, y, z, slice, lod); } \
  void write(vec<T, 4> v, S c extra, ushort lod = 0) const { __CAN_WRITE __texture::write<T>(__t, v, x, y, z, slice, uint(lod)); } \
  void fence() const {}
#define __TEXTURE_SAMPLE(D, C, I, extra, c3, slice, o3) \
  vec<T, 4> sample(sampler s, C c extra, I offset = I(0)) const { __CAN_SAMPLE return __texture::sample<T, D>(__t, s, c3, slice, 0.0f, o3); } \
  template <typename O, typename = typename O::__option> vec<T, 4> sample(sampler s, C c extra, O option, I offset = I(0)) const { __CAN_SAMPLE \
    return __texture::sample<T, D>(__t, s, c3, slice, __texture::lod(__t, option), o3); \
  } \
  template <typename O, typename = typename O::__option> vec<T, 4> sample(sampler s, C c extra, O option, min_lod_clamp m, I offset = I(0)) const { __CAN_SAMPLE \
    return __texture::sample<T, D>(__t, s, c3, slice, __texture::lod(__t, option, m), o3); \
  }
#define __TEXTURE_CUBE_SAMPLE(extra, slice) \
  vec<T, 4> sample(sampler s, float3 d extra) const { __CAN_SAMPLE return __texture::sample_cube<T>(__t, s, d, slice, 0.0f); } \
  template <typename... O> vec<T, 4> sample(sampler s, float3 d extra, O... options) const { __CAN_SAMPLE \
    return __texture::sample_cube<T>(__t, s, d, slice, __texture::lod(__t, options...)); \
  } \
  vec<T, 4> gather(sampler s, float3 d extra, component n = component::x) const { __CAN_SAMPLE return __texture::gather_cube<T>(__t, s, d, slice, n); }
#define __TEXTURE_ATOMIC(C, extra, c3, slice) \
  vec<T, 4> atomic_load(C c extra) const { \
    return vec<T, 4>(__texture::is_inside<T>(__t, c3, slice) ? __metal_atomic_load(__texture::atomic_texel<T>(__t, c3, slice)) : T(0), T(0), T(0), T(0)); \
  } \
  void atomic_store(vec<T, 4> v, C c extra) const { __texture::atomic_exchange<T>(__t, c3, slice, v); } \
  bool atomic_compare_exchange_weak(C c extra, thread vec<T, 4>* expected, vec<T, 4> desired) const { \
    return __texture::compare_exchange<T>(__t, c3, slice, expected, desired); \
  } \
  vec<T, 4> atomic_exchange(C c extra, vec<T, 4> v) const { return __texture::atomic_exchange<T>(__t, c3, slice, v); } \
  vec<T, 4> atomic_fetch_add(C c extra, vec<T, 4> v) const { return __texture::atomic_add<T>(__t, c3, slice, v); } \
  vec<T, 4> atomic_fetch_sub(C c extra, vec<T, 4> v) const { return __texture::atomic_sub<T>(__t, c3, slice, v); } \
  vec<T, 4> atomic_fetch_min(C c extra, vec<T, 4> v) const { return __texture::atomic_min<T>(__t, c3, slice, v); } \
  vec<T, 4> atomic_fetch_max(C c extra, vec<T, 4> v) const { return __texture::atomic_max<T>(__t, c3, slice, v); } \
  vec<T, 4> atomic_fetch_and(C c extra, vec<T, 4> v) const { return __texture::atomic_and<T>(__t, c3, slice, v); } \
  vec<T, 4> atomic_fetch_or(C c extra, vec<T, 4> v) const { return __texture::atomic_or<T>(__t, c3, slice, v); } \
  vec<T, 4> atomic_fetch_xor(C c extra, vec<T, 4> v) const { return __texture::atomic_xor<T>(__t, c3, slice, v); } \
  void atomic_min(C c extra, ulong4 v) const { __texture::atomic_min<ulong>(__t, c3, slice, v); } \
  void atomic_max(C c extra, ulong4 v) const { __texture::atomic_max<ulong>(__t, c3, slice, v); }

template <typename T, access A = access::sample, memory_coherence __c = memory_coherence_threadgroup> struct [[__metal_special("texture1d")]] texture1d {
  __TEXTURE_COMMON __TEXTURE_WIDTH
  __TEXTURE_ACCESS(uint, ushort, __NOTHING, uint(c), 0u, 0u, 0u)
  __TEXTURE_ATOMIC(uint, __NOTHING, uint3(c, 0u, 0u), 0u)
  vec<T, 4> sample(sampler s, float c) const { __CAN_SAMPLE return __texture::sample<T, 1>(__t, s, float3(c, 0.0f, 0.0f), 0u, 0.0f, int3(0)); }
};
template <typename T, access A = access::sample, memory_coherence __c = memory_coherence_threadgroup> struct [[__metal_special("texture1d_array")]] texture1d_array {
  __TEXTURE_COMMON __TEXTURE_WIDTH __TEXTURE_ARRAY(1u)
  __TEXTURE_ACCESS(uint, ushort, __SLICE, uint(c), 0u, 0u, slice)
  __TEXTURE_ATOMIC(uint, __SLICE, uint3(c, 0u, 0u), slice)
  vec<T, 4> sample(sampler s, float c, uint slice) const { __CAN_SAMPLE return __texture::sample<T, 1>(__t, s, float3(c, 0.0f, 0.0f), slice, 0.0f, int3(0)); }
};
template <typename T, access A = access::sample, memory_coherence __c = memory_coherence_threadgroup> struct [[__metal_special("texture2d")]] texture2d {
  __TEXTURE_COMMON __TEXTURE_WIDTH __TEXTURE_HEIGHT
  __TEXTURE_ACCESS(uint2, ushort2, __NOTHING, uint(c.x), uint(c.y), 0u, 0u)
  __TEXTURE_SAMPLE(2, float2, int2, __NOTHING, float3(c, 0.0f), 0u, int3(offset, 0))
  __TEXTURE_ATOMIC(uint2, __NOTHING, uint3(uint2(c), 0u), 0u)
  __TEXTURE_ATOMIC(ushort2, __NOTHING, uint3(uint2(c), 0u), 0u)
  vec<T, 4> gather(sampler s, float2 c, int2 offset = int2(0), component n = component::x) const {
    __CAN_SAMPLE
    return __texture::gather<T>(__t, s, c, 0u, offset, n);
  }
};
template <typename T, access A = access::sample, memory_coherence __c = memory_coherence_threadgroup> struct [[__metal_special("texture2d_array")]] texture2d_array {
  __TEXTURE_COMMON __TEXTURE_WIDTH __TEXTURE_HEIGHT __TEXTURE_ARRAY(1u)
  __TEXTURE_ACCESS(uint2, ushort2, __SLICE, uint(c.x), uint(c.y), 0u, slice)
  __TEXTURE_SAMPLE(2, float2, int2, __SLICE, float3(c, 0.0f), slice, int3(offset, 0))
  __TEXTURE_ATOMIC(uint2, __SLICE, uint3(uint2(c), 0u), slice)
  __TEXTURE_ATOMIC(ushort2, __SLICE, uint3(uint2(c), 0u), slice)
  vec<T, 4> gather(sampler s, float2 c, uint slice, int2 offset = int2(0), component n = component::x) const {
    __CAN_SAMPLE
    return __texture::gather<T>(__t, s, c, slice, offset, n);
  }
};
template <typename T, access A = access::sample, memory_coherence __c = memory_coherence_threadgroup> struct [[__metal_special("texture3d")]] texture3d {
  __TEXTURE_COMMON __TEXTURE_WIDTH __TEXTURE_HEIGHT __TEXTURE_DEPTH
  __TEXTURE_ACCESS(uint3, ushort3, __NOTHING, uint(c.x), uint(c.y), uint(c.z), 0u)
  __TEXTURE_SAMPLE(3, float3, int3, __NOTHING, c, 0u, offset)
  __TEXTURE_ATOMIC(uint3, __NOTHING, uint3(c), 0u)
  __TEXTURE_ATOMIC(ushort3, __NOTHING, uint3(c), 0u)
};
template <typename T, access A = access::sample, memory_coherence __c = memory_coherence_threadgroup> struct [[__metal_special("texturecube")]] texturecube {
  __TEXTURE_COMMON __TEXTURE_WIDTH __TEXTURE_HEIGHT
  __TEXTURE_ACCESS(uint2, ushort2, __FACE, uint(c.x), uint(c.y), 0u, face)
  __TEXTURE_ATOMIC(uint2, __FACE, uint3(uint2(c), 0u), face)
  __TEXTURE_ATOMIC(ushort2, __FACE, uint3(uint2(c), 0u), face)
  __TEXTURE_CUBE_SAMPLE(__NOTHING, 0u)
};
template <typename T, access A = access::sample, memory_coherence __c = memory_coherence_threadgroup> struct [[__metal_special("texturecube_array")]] texturecube_array {
  __TEXTURE_COMMON __TEXTURE_WIDTH __TEXTURE_HEIGHT __TEXTURE_ARRAY(6u)
  __TEXTURE_ACCESS(uint2, ushort2, __FACE_SLICE, uint(c.x), uint(c.y), 0u, slice * 6u + face)
  __TEXTURE_ATOMIC(uint2, __FACE_SLICE, uint3(uint2(c), 0u), slice * 6u + face)
  __TEXTURE_ATOMIC(ushort2, __FACE_SLICE, uint3(uint2(c), 0u), slice * 6u + face)
  __TEXTURE_CUBE_SAMPLE(__SLICE, slice)
};
// Samples are slices of their own. `part` is what is left of the color.
#define __TEXTURE_SAMPLES(R, extra, slice, part) \
  __IS_TEXEL \
  constant __texture_descriptor* __t; \
  uint get_num_samples() const { return __t->samples; } \
  __TEXTURE_WIDTH __TEXTURE_HEIGHT \
  R read(uint2 c extra, uint sample) const { __CAN_READ return __texture::read<T>(__t, c.x, c.y, 0u, slice, 0u) part; } \
  R read(ushort2 c extra, ushort sample) const { __CAN_READ return __texture::read<T>(__t, uint(c.x), uint(c.y), 0u, slice, 0u) part; } \
  __SPARSE(read)
#define __ONE_SAMPLE uint(sample)
#define __ARRAY_SAMPLE slice * __t->samples + uint(sample)
template <typename T, access A = access::read, memory_coherence __c = memory_coherence_threadgroup> struct [[__metal_special("texture2d_ms")]] texture2d_ms {
  using __V = vec<T, 4>;
  __TEXTURE_SAMPLES(__V, __NOTHING, __ONE_SAMPLE, __NOTHING)
};
template <typename T, access A = access::read, memory_coherence __c = memory_coherence_threadgroup> struct [[__metal_special("texture2d_ms_array")]] texture2d_ms_array {
  using __V = vec<T, 4>;
  __TEXTURE_SAMPLES(__V, __SLICE, __ARRAY_SAMPLE, __NOTHING)
  uint get_array_size() const { return __t->array_length / __t->samples; }
};
template <typename T, access A = access::read, memory_coherence __c = memory_coherence_threadgroup> struct [[__metal_special("depth2d_ms")]] depth2d_ms {
  __TEXTURE_SAMPLES(T, __NOTHING, __ONE_SAMPLE, .x)
};
template <typename T, access A = access::read, memory_coherence __c = memory_coherence_threadgroup> struct [[__metal_special("depth2d_ms_array")]] depth2d_ms_array {
  __TEXTURE_SAMPLES(T, __SLICE, __ARRAY_SAMPLE, .x)
  uint get_array_size() const { return __t->array_length / __t->samples; }
};
template <typename T, access A = access::read, memory_coherence __c = memory_coherence_threadgroup> struct [[__metal_special("texture_buffer")]] texture_buffer {
  constant __texture_descriptor* __t;
  __TEXTURE_WIDTH
  __TEXTURE_ATOMIC(uint, __NOTHING, uint3(c, 0u, 0u), 0u)
  vec<T, 4> read(uint c) const { return __texture::read<T>(__t, c, 0u, 0u, 0u, 0u); }
  void write(vec<T, 4> v, uint c) const { __texture::write<T>(__t, v, c, 0u, 0u, 0u, 0u); }
  void fence() const {}
};

#define __DEPTH_READ(extra, slice) \
  T read(uint2 c extra, uint lod = 0) const { __CAN_READ return __texture::read<T>(__t, c.x, c.y, 0u, slice, lod).x; } \
  T read(ushort2 c extra, ushort lod = 0) const { __CAN_READ return __texture::read<T>(__t, uint(c.x), uint(c.y), 0u, slice, uint(lod)).x; }
#define __DEPTH_SAMPLE(extra, slice) \
  T sample(sampler s, float2 c extra, int2 offset = int2(0)) const { __CAN_SAMPLE \
    return __texture::sample<T, 2>(__t, s, float3(c, 0.0f), slice, 0.0f, int3(offset, 0)).x; \
  } \
  template <typename O, typename = typename O::__option> T sample(sampler s, float2 c extra, O option, int2 offset = int2(0)) const { __CAN_SAMPLE \
    return __texture::sample<T, 2>(__t, s, float3(c, 0.0f), slice, __texture::lod(__t, option), int3(offset, 0)).x; \
  } \
  template <typename O, typename = typename O::__option> T sample(sampler s, float2 c extra, O option, min_lod_clamp m, int2 offset = int2(0)) const { __CAN_SAMPLE \
    return __texture::sample<T, 2>(__t, s, float3(c, 0.0f), slice, __texture::lod(__t, option, m), int3(offset, 0)).x; \
  } \
  T sample_compare(sampler s, float2 c extra, float reference, int2 offset = int2(0)) const { __CAN_SAMPLE \
    return T(__texture::sample_compare(__t, s, c, slice, reference, 0.0f, offset)); \
  } \
  template <typename O, typename = typename O::__option> T sample_compare(sampler s, float2 c extra, float reference, O option, int2 offset = int2(0)) const { __CAN_SAMPLE \
    return T(__texture::sample_compare(__t, s, c, slice, reference, __texture::lod(__t, option), offset)); \
  } \
  template <typename O, typename = typename O::__option> \
  T sample_compare(sampler s, float2 c extra, float reference, O option, min_lod_clamp m, int2 offset = int2(0)) const { __CAN_SAMPLE \
    return T(__texture::sample_compare(__t, s, c, slice, reference, __texture::lod(__t, option, m), offset)); \
  } \
  vec<T, 4> gather(sampler s, float2 c extra, int2 offset = int2(0)) const { __CAN_SAMPLE return __texture::gather<T>(__t, s, c, slice, offset, component::x); } \
  vec<T, 4> gather_compare(sampler s, float2 c extra, float reference, int2 offset = int2(0)) const { __CAN_SAMPLE \
    return vec<T, 4>(__texture::gather_compare(__t, s, c, slice, reference, offset)); \
  }
template <typename T, access A = access::sample, memory_coherence __c = memory_coherence_threadgroup> struct [[__metal_special("depth2d")]] depth2d {
  __TEXTURE_COMMON __TEXTURE_WIDTH __TEXTURE_HEIGHT
  __DEPTH_READ(__NOTHING, 0u)
  __DEPTH_SAMPLE(__NOTHING, 0u)
};
template <typename T, access A = access::sample, memory_coherence __c = memory_coherence_threadgroup> struct [[__metal_special("depth2d_array")]] depth2d_array {
  __TEXTURE_COMMON __TEXTURE_WIDTH __TEXTURE_HEIGHT __TEXTURE_ARRAY(1u)
  __DEPTH_READ(__SLICE, slice)
  __DEPTH_SAMPLE(__SLICE, slice)
};
// Directions are turned into coordinates on a face, which is a slice; there are no offsets.
#define __DEPTH_CUBE(extra, slice) \
  T sample(sampler s, float3 d extra) const { __CAN_SAMPLE return __texture::sample_cube<T>(__t, s, d, slice, 0.0f).x; } \
  template <typename... O> T sample(sampler s, float3 d extra, O... options) const { __CAN_SAMPLE \
    return __texture::sample_cube<T>(__t, s, d, slice, __texture::lod(__t, options...)).x; \
  } \
  T sample_compare(sampler s, float3 d extra, float reference) const { __CAN_SAMPLE return T(__texture::compare_cube(__t, s, d, slice, reference, 0.0f)); } \
  template <typename... O> T sample_compare(sampler s, float3 d extra, float reference, O... options) const { __CAN_SAMPLE \
    return T(__texture::compare_cube(__t, s, d, slice, reference, __texture::lod(__t, options...))); \
  } \
  vec<T, 4> gather(sampler s, float3 d extra) const { __CAN_SAMPLE return __texture::gather_cube<T>(__t, s, d, slice, component::x); } \
  vec<T, 4> gather_compare(sampler s, float3 d extra, float reference) const { __CAN_SAMPLE \
    return vec<T, 4>(__texture::gather_compare_cube(__t, s, d, slice, reference)); \
  }
template <typename T, access A = access::sample, memory_coherence __c = memory_coherence_threadgroup> struct [[__metal_special("depthcube")]] depthcube {
  __TEXTURE_COMMON __TEXTURE_WIDTH __TEXTURE_HEIGHT
  __DEPTH_READ(__FACE, face)
  __DEPTH_CUBE(__NOTHING, 0u)
};
template <typename T, access A = access::sample, memory_coherence __c = memory_coherence_threadgroup> struct [[__metal_special("depthcube_array")]] depthcube_array {
  __TEXTURE_COMMON __TEXTURE_WIDTH __TEXTURE_HEIGHT __TEXTURE_ARRAY(6u)
  __DEPTH_READ(__FACE_SLICE, slice * 6u + face)
  __DEPTH_CUBE(__SLICE, slice)
};
#undef __TEXTURE_COMMON
#undef __TEXTURE_WIDTH
#undef __TEXTURE_HEIGHT
#undef __TEXTURE_DEPTH
#undef __TEXTURE_ARRAY
#undef __TEXTURE_ACCESS
#undef __TEXTURE_SAMPLE
#undef __TEXTURE_CUBE_SAMPLE
#undef __TEXTURE_ATOMIC
#undef __SPARSE
#undef __NEEDS_DERIVATIVES
#undef __DEPTH_READ
#undef __DEPTH_SAMPLE
#undef __TEXTURE_SAMPLES
#undef __ONE_SAMPLE
#undef __ARRAY_SAMPLE
#undef __DEPTH_CUBE
#undef __NOTHING
#undef __SLICE
#undef __FACE
#undef __FACE_SLICE

template <typename X> inline bool is_null_texture(X x) { return __metal_pointer_cast<ulong>(x.__t) == 0ul; }

} // namespace metal
