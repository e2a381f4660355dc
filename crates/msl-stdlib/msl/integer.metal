// Integer functions (MSL specification, section 6.4) and those common to integers and floats.

namespace metal {

#define __SIGNED_FUNCTIONS(T) \
  inline constexpr make_unsigned_t<T> __absolute(T x) { return __metal_convert<make_unsigned_t<T>>(__metal_abs(x)); } \
  inline constexpr T abs(T x) { return __metal_abs(x); } \
  inline constexpr make_unsigned_t<T> absdiff(T x, T y) { \
    using U = make_unsigned_t<T>; \
    U a = __metal_bitcast<U>(x), b = __metal_bitcast<U>(y); \
    return __metal_select(x > y, U(a - b), U(b - a)); \
  } \
  inline constexpr T hadd(T x, T y) { return T((x >> T(1)) + (y >> T(1)) + (x & y & T(1))); } \
  inline constexpr T rhadd(T x, T y) { return T((x >> T(1)) + (y >> T(1)) + ((x | y) & T(1))); } \
  inline constexpr T sign(T x) { return T(__metal_convert<T>(x > T(0)) - __metal_convert<T>(x < T(0))); }
__SIGNED_TYPES(__SIGNED_FUNCTIONS)
#undef __SIGNED_FUNCTIONS

#define __UNSIGNED_FUNCTIONS(T) \
  inline constexpr T abs(T x) { return x; } \
  inline constexpr T absdiff(T x, T y) { return __metal_select(x > y, T(x - y), T(y - x)); } \
  inline constexpr T hadd(T x, T y) { return T((x >> T(1)) + (y >> T(1)) + (x & y & T(1))); } \
  inline constexpr T rhadd(T x, T y) { return T((x >> T(1)) + (y >> T(1)) + ((x | y) & T(1))); }
__UNSIGNED_TYPES(__UNSIGNED_FUNCTIONS)
#undef __UNSIGNED_FUNCTIONS

#define __INTEGER_FUNCTIONS(T) \
  inline constexpr T addsat(T x, T y) { return __metal_addsat(x, y); } \
  inline constexpr T subsat(T x, T y) { return __metal_subsat(x, y); } \
  inline constexpr T mulhi(T x, T y) { return __metal_mulhi(x, y); } \
  inline constexpr T madhi(T x, T y, T z) { return T(__metal_mulhi(x, y) + z); } \
  inline constexpr T popcount(T x) { return __metal_popcount(x); } \
  inline constexpr T clz(T x) { return __metal_clz(x); } \
  inline constexpr T ctz(T x) { return __metal_ctz(x); } \
  inline constexpr T reverse_bits(T x) { return __metal_reverse_bits(x); } \
  inline constexpr T rotate(T x, T y) { \
    using U = make_unsigned_t<T>; \
    U a = __metal_bitcast<U>(x), n = U(__metal_bitcast<U>(y) & U(sizeof(typename __element<T>::type) * 8 - 1)); \
    return __metal_bitcast<T>(U((a << n) | (a >> U((U(0) - n) & U(sizeof(typename __element<T>::type) * 8 - 1))))); \
  } \
  inline constexpr T min(T x, T y) { return __metal_min(x, y); } \
  inline constexpr T max(T x, T y) { return __metal_max(x, y); } \
  inline constexpr T min3(T x, T y, T z) { return __metal_min(__metal_min(x, y), z); } \
  inline constexpr T max3(T x, T y, T z) { return __metal_max(__metal_max(x, y), z); } \
  inline constexpr T median3(T x, T y, T z) { \
    return __metal_max(__metal_min(x, y), __metal_min(__metal_max(x, y), z)); \
  } \
  inline constexpr T clamp(T x, T lo, T hi) { return __metal_min(__metal_max(x, lo), hi); } \
  inline constexpr T extract_bits(T x, uint offset, uint bits) { \
    constexpr uint width = sizeof(typename __element<T>::type) * 8; \
    if (bits == 0) return T(0); \
    using E = typename __element<T>::type; \
    return T(T(x << T(E(width - bits - offset))) >> T(E(width - bits))); \
  } \
  inline constexpr T insert_bits(T base, T insert, uint offset, uint bits) { \
    constexpr uint width = sizeof(typename __element<T>::type) * 8; \
    using E = typename __element<T>::type; \
    ulong ones = bits >= 64 ? ~0ul : (1ul << bits) - 1; \
    T mask = T(E(ones << offset)); \
    return T((base & T(~mask)) | (T(insert << T(E(offset & (width - 1)))) & mask)); \
  }
__INTEGER_TYPES(__INTEGER_FUNCTIONS)
#undef __INTEGER_FUNCTIONS

#define __WIDE_FUNCTIONS(T) \
  inline constexpr T mad24(T x, T y, T z) { return T((T(x << T(8)) >> T(8)) * (T(y << T(8)) >> T(8)) + z); } \
  inline constexpr T mul24(T x, T y) { return T((T(x << T(8)) >> T(8)) * (T(y << T(8)) >> T(8))); }
__WITH_VECTORS(__WIDE_FUNCTIONS, int)
__WITH_VECTORS(__WIDE_FUNCTIONS, uint)
#undef __WIDE_FUNCTIONS

#define __SATURATING_MAD(T) \
  inline constexpr T madsat(T x, T y, T z) { \
    long wide = long(x) * long(y) + long(z); \
    long lo = long(numeric_limits<T>::min()), hi = long(numeric_limits<T>::max()); \
    return T(__metal_max(__metal_min(wide, hi), lo)); \
  }
__SATURATING_MAD(char)
__SATURATING_MAD(uchar)
__SATURATING_MAD(short)
__SATURATING_MAD(ushort)
__SATURATING_MAD(int)
#undef __SATURATING_MAD
inline constexpr uint madsat(uint x, uint y, uint z) {
  ulong wide = ulong(x) * ulong(y) + ulong(z);
  return uint(__metal_min(wide, 0xfffffffful));
}

// ---- select, any, all (section 6.3) ----

#define __SELECT(T, B) inline constexpr T select(T a, T b, B c) { return __metal_select(c, b, a); }
#define __SELECTS(T) __SELECT(T, bool) __SELECT(T##2, bool2) __SELECT(T##3, bool3) __SELECT(T##4, bool4)
__SELECTS(bool) __SELECTS(char) __SELECTS(uchar) __SELECTS(short) __SELECTS(ushort) __SELECTS(int) __SELECTS(uint)
__SELECTS(long) __SELECTS(ulong) __SELECTS(half) __SELECTS(bfloat) __SELECTS(float)
#undef __SELECTS
#undef __SELECT

inline constexpr bool all(bool x) { return x; }
inline constexpr bool all(bool2 x) { return x.x & x.y; }
inline constexpr bool all(bool3 x) { return x.x & x.y & x.z; }
inline constexpr bool all(bool4 x) { return x.x & x.y & x.z & x.w; }
inline constexpr bool any(bool x) { return x; }
inline constexpr bool any(bool2 x) { return x.x | x.y; }
inline constexpr bool any(bool3 x) { return x.x | x.y | x.z; }
inline constexpr bool any(bool4 x) { return x.x | x.y | x.z | x.w; }

} // namespace metal
