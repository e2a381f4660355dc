// Common and geometric functions on floats (MSL specification, sections 6.2, 6.5 (rounding and
// classification) and 6.8).

namespace metal {

// The greatest value below one: `fract` never gives one (section 6.5).
template <typename T> inline constexpr T __one_below();
template <> inline constexpr float __one_below<float>() { return 0x1.fffffep-1f; }
template <> inline constexpr half __one_below<half>() { return 0x1.ffcp-1h; }
template <> inline constexpr bfloat __one_below<bfloat>() { return 0x1.fep-1bf; }

#define __FLOAT_COMMON(T) \
  inline constexpr T abs(T x) { return __metal_abs(x); } \
  inline constexpr T fabs(T x) { return __metal_abs(x); } \
  inline constexpr T floor(T x) { return __metal_floor(x); } \
  inline constexpr T ceil(T x) { return __metal_ceil(x); } \
  inline constexpr T trunc(T x) { return __metal_trunc(x); } \
  inline constexpr T rint(T x) { return __metal_rint(x); } \
  inline constexpr T round(T x) { \
    T t = __metal_trunc(x); \
    return __metal_copysign(__metal_select(__metal_abs(x - t) >= T(0.5f), T(t + __metal_copysign(T(1.0f), x)), t), x); \
  } \
  inline constexpr T copysign(T x, T y) { return __metal_copysign(x, y); } \
  inline constexpr T fma(T a, T b, T c) { return __metal_fma(a, b, c); } \
  inline constexpr T min(T x, T y) { return __metal_min(x, y); } \
  inline constexpr T max(T x, T y) { return __metal_max(x, y); } \
  inline constexpr T fmin(T x, T y) { return __metal_min(x, y); } \
  inline constexpr T fmax(T x, T y) { return __metal_max(x, y); } \
  inline constexpr T min3(T x, T y, T z) { return __metal_min(__metal_min(x, y), z); } \
  inline constexpr T max3(T x, T y, T z) { return __metal_max(__metal_max(x, y), z); } \
  inline constexpr T fmin3(T x, T y, T z) { return __metal_min(__metal_min(x, y), z); } \
  inline constexpr T fmax3(T x, T y, T z) { return __metal_max(__metal_max(x, y), z); } \
  inline constexpr T median3(T x, T y, T z) { \
    return __metal_max(__metal_min(x, y), __metal_min(__metal_max(x, y), z)); \
  } \
  inline constexpr T fmedian3(T x, T y, T z) { return median3(x, y, z); } \
  inline constexpr T fdim(T x, T y) { return __metal_select(x > y, T(x - y), __metal_select(__metal_isnan(T(x + y)), T(x + y), T(0.0f))); } \
  inline constexpr T clamp(T x, T lo, T hi) { return __metal_min(__metal_max(x, lo), hi); } \
  inline constexpr T saturate(T x) { return __metal_min(__metal_max(x, T(0.0f)), T(1.0f)); } \
  inline constexpr T mix(T x, T y, T a) { return x + (y - x) * a; } \
  inline constexpr T step(T edge, T x) { return __metal_select(x < edge, T(0.0f), T(1.0f)); } \
  inline constexpr T smoothstep(T e0, T e1, T x) { \
    T t = saturate(T((x - e0) / (e1 - e0))); \
    return t * t * (T(3.0f) - T(2.0f) * t); \
  } \
  inline constexpr T sign(T x) { \
    return __metal_select(__metal_isnan(x), T(0.0f), __metal_select(x == T(0.0f), x, __metal_copysign(T(1.0f), x))); \
  } \
  inline constexpr T fract(T x) { \
    T r = x - __metal_floor(x); \
    return __metal_select(r >= T(1.0f), T(__one_below<typename __element<T>::type>()), r); \
  }

__ALL_FLOAT_TYPES(__FLOAT_COMMON)
#undef __FLOAT_COMMON

// The forms with scalar parameters that Metal accepts for vectors.
#define __VECTOR_COMMON(S, V, B, N) \
  inline constexpr V mix(V x, V y, S a) { return x + (y - x) * a; } \
  inline constexpr V step(S edge, V x) { return step(V(edge), x); } \
  inline constexpr V smoothstep(S e0, S e1, V x) { return smoothstep(V(e0), V(e1), x); }
__ALL_FLOAT_VECTORS(__VECTOR_COMMON)
#undef __VECTOR_COMMON

// ---- classification (section 6.3) ----

#define __CLASSIFY(T, B, U, I, signbit_mask, exponent_mask, mantissa_mask) \
  inline constexpr B isnan(T x) { return __metal_isnan(x); } \
  inline constexpr B isinf(T x) { return __metal_isinf(x); } \
  inline constexpr B isfinite(T x) { return (__metal_bitcast<U>(x) & U(exponent_mask)) != U(exponent_mask); } \
  inline constexpr B isnormal(T x) { \
    U e = __metal_bitcast<U>(x) & U(exponent_mask); \
    return (e != U(exponent_mask)) & (e != U(0)); \
  } \
  inline constexpr B isordered(T x, T y) { return !(__metal_isnan(x) | __metal_isnan(y)); } \
  inline constexpr B isunordered(T x, T y) { return __metal_isnan(x) | __metal_isnan(y); } \
  inline constexpr B signbit(T x) { return (__metal_bitcast<U>(x) & U(signbit_mask)) != U(0); }
#define __CLASSIFY_ALL(T, U, I, s, e, m) \
  __CLASSIFY(T, bool, U, I, s, e, m) __CLASSIFY(T##2, bool2, U##2, I##2, s, e, m) \
  __CLASSIFY(T##3, bool3, U##3, I##3, s, e, m) __CLASSIFY(T##4, bool4, U##4, I##4, s, e, m)
__CLASSIFY_ALL(float, uint, int, 0x80000000u, 0x7f800000u, 0x007fffffu)
__CLASSIFY_ALL(half, ushort, short, ushort(0x8000), ushort(0x7c00), ushort(0x03ff))
__CLASSIFY_ALL(bfloat, ushort, short, ushort(0x8000), ushort(0x7f80), ushort(0x007f))
#undef __CLASSIFY_ALL
#undef __CLASSIFY

// ---- geometric (section 6.8) ----

#define __DOT(T) \
  inline constexpr T dot(T##2 a, T##2 b) { return a.x * b.x + a.y * b.y; } \
  inline constexpr T dot(T##3 a, T##3 b) { return a.x * b.x + a.y * b.y + a.z * b.z; } \
  inline constexpr T dot(T##4 a, T##4 b) { return a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w; } \
  inline constexpr T##3 cross(T##3 a, T##3 b) { return a.yzx * b.zxy - a.zxy * b.yzx; }
__DOT(float) __DOT(half) __DOT(bfloat)
#undef __DOT
#define __INTEGER_DOT(T) \
  inline constexpr T dot(T##2 a, T##2 b) { return T(a.x * b.x + a.y * b.y); } \
  inline constexpr T dot(T##3 a, T##3 b) { return T(a.x * b.x + a.y * b.y + a.z * b.z); } \
  inline constexpr T dot(T##4 a, T##4 b) { return T(a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w); }
__INTEGER_DOT(char) __INTEGER_DOT(uchar) __INTEGER_DOT(short) __INTEGER_DOT(ushort) __INTEGER_DOT(int) __INTEGER_DOT(uint)
__INTEGER_DOT(long) __INTEGER_DOT(ulong)
#undef __INTEGER_DOT

#define __GEOMETRIC(S, V, B, N) \
  inline constexpr S length_squared(V x) { return dot(x, x); } \
  inline constexpr S length(V x) { return __metal_sqrt(dot(x, x)); } \
  inline constexpr S distance_squared(V x, V y) { V d = x - y; return dot(d, d); } \
  inline constexpr S distance(V x, V y) { V d = x - y; return __metal_sqrt(dot(d, d)); } \
  inline constexpr V normalize(V x) { return x * __metal_rsqrt(dot(x, x)); } \
  inline constexpr V reflect(V i, V n) { return i - n * (S(2.0f) * dot(n, i)); } \
  inline constexpr V faceforward(V n, V i, V nref) { return dot(nref, i) < S(0.0f) ? n : -n; } \
  inline constexpr V refract(V i, V n, S eta) { \
    S d = dot(n, i); \
    S k = S(1.0f) - eta * eta * (S(1.0f) - d * d); \
    return k < S(0.0f) ? V(S(0.0f)) : i * eta - n * (eta * d + __metal_sqrt(k)); \
  }
__ALL_FLOAT_VECTORS(__GEOMETRIC)
#undef __GEOMETRIC
inline constexpr float length(float x) { return __metal_abs(x); }
inline constexpr half length(half x) { return __metal_abs(x); }
inline constexpr float distance(float x, float y) { return __metal_abs(x - y); }

} // namespace metal
