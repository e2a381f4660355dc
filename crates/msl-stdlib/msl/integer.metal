// Functions common to integers and floats (MSL specification, sections 6.2 and 6.4), `select`, `any` and `all` (6.3).

namespace metal {

template <typename T, typename R = __number_t<T>> inline constexpr R abs(T v) {
  if constexpr (__is_unsigned(__element_t<T>)) return R(v);
  else return __metal_abs(R(v));
}
template <typename A, typename B, typename R = __common_t<A, B>> inline constexpr R min(A x, B y) { return __metal_min(R(x), R(y)); }
template <typename A, typename B, typename R = __common_t<A, B>> inline constexpr R max(A x, B y) { return __metal_max(R(x), R(y)); }
template <typename A, typename B, typename C, typename R = __common_t<__common_t<A, B>, C>> inline constexpr R min3(A x, B y, C z) {
  return __metal_min(__metal_min(R(x), R(y)), R(z));
}
template <typename A, typename B, typename C, typename R = __common_t<__common_t<A, B>, C>> inline constexpr R max3(A x, B y, C z) {
  return __metal_max(__metal_max(R(x), R(y)), R(z));
}
template <typename A, typename B, typename C, typename R = __common_t<__common_t<A, B>, C>> inline constexpr R median3(A x, B y, C z) {
  return __metal_max(__metal_min(R(x), R(y)), __metal_min(__metal_max(R(x), R(y)), R(z)));
}
template <typename A, typename B, typename C, typename R = __common_t<__common_t<A, B>, C>> inline constexpr R clamp(A x, B lo, C hi) {
  return __metal_min(__metal_max(R(x), R(lo)), R(hi));
}

// ---- select, any, all ----

template <typename A, typename B, typename R = enable_if_t<!__is_same(A, bool) || !__is_same(B, bool), __common_t<A, B>>>
inline constexpr R select(A a, B b, __like_t<bool, R> c) {
  return __metal_select(c, R(b), R(a));
}
// Of two truth values. A template, so that nothing else converts to them: of a long and an int, Metal has no select.
template <typename A, typename B, typename R = enable_if_t<__is_same(A, bool) && __is_same(B, bool), A>>
inline constexpr R select(A a, B b, bool c) {
  return c ? b : a;
}

inline constexpr bool all(bool x) { return x; }
inline constexpr bool all(bool2 x) { return x.x & x.y; }
inline constexpr bool all(bool3 x) { return x.x & x.y & x.z; }
inline constexpr bool all(bool4 x) { return x.x & x.y & x.z & x.w; }
inline constexpr bool any(bool x) { return x; }
inline constexpr bool any(bool2 x) { return x.x | x.y; }
inline constexpr bool any(bool3 x) { return x.x | x.y | x.z; }
inline constexpr bool any(bool4 x) { return x.x | x.y | x.z | x.w; }

// ---- integers only ----

#define __INTEGER1(name) \
  template <typename T, typename R = __integer_t<T>> inline constexpr R name(T x) { return __metal_##name(R(x)); }
__INTEGER1(popcount)
__INTEGER1(clz)
__INTEGER1(ctz)
__INTEGER1(reverse_bits)
#undef __INTEGER1
#define __INTEGER2(name) \
  template <typename A, typename B, typename R = __common_integer_t<A, B>> inline constexpr R name(A x, B y) { return __metal_##name(R(x), R(y)); }
__INTEGER2(addsat)
__INTEGER2(subsat)
__INTEGER2(mulhi)
#undef __INTEGER2

template <typename A, typename B, typename R = __common_integer_t<A, B>> inline constexpr make_unsigned_t<R> absdiff(A x, B y) {
  using U = make_unsigned_t<R>;
  U a = __metal_bitcast<U>(R(x)), b = __metal_bitcast<U>(R(y));
  return __metal_select(R(x) > R(y), U(a - b), U(b - a));
}
template <typename A, typename B, typename R = __common_integer_t<A, B>> inline constexpr R hadd(A a, B b) {
  R x = R(a), y = R(b);
  return R((x >> R(1)) + (y >> R(1)) + (x & y & R(1)));
}
template <typename A, typename B, typename R = __common_integer_t<A, B>> inline constexpr R rhadd(A a, B b) {
  R x = R(a), y = R(b);
  return R((x >> R(1)) + (y >> R(1)) + ((x | y) & R(1)));
}
template <typename A, typename B, typename C, typename R = __common_integer_t<__common_t<A, B>, C>> inline constexpr R madhi(A x, B y, C z) {
  return R(__metal_mulhi(R(x), R(y)) + R(z));
}
template <typename A, typename B, typename C, typename R = __common_integer_t<__common_t<A, B>, C>> inline constexpr R madsat(A a, B b, C c) {
  using E = __element_t<R>;
  R x = R(a), y = R(b), z = R(c), least = R(numeric_limits<E>::min()), greatest = R(numeric_limits<E>::max());
  if constexpr (sizeof(E) < 8) {
    // Holds the product and the sum of all operands.
    using S = conditional_t<(sizeof(E) < 4), int, long>;
    using W = __like_t<conditional_t<__is_signed(E), S, make_unsigned_t<S>>, R>;
    W wide = __metal_convert<W>(x) * __metal_convert<W>(y) + __metal_convert<W>(z);
    return __metal_convert<R>(__metal_max(__metal_min(wide, __metal_convert<W>(greatest)), __metal_convert<W>(least)));
  } else {
    // The 128 bits of the product and the sum, in two halves.
    using U = make_unsigned_t<R>;
    R high = __metal_mulhi(x, y), low = x * y, sum = low + z;
    R carry = __metal_convert<R>(__metal_bitcast<U>(sum) < __metal_bitcast<U>(low));
    if constexpr (__is_signed(E)) {
      high = high + (z >> R(63)) + carry;
      return __metal_select(high == (sum >> R(63)), sum, __metal_select(high < R(0), least, greatest));
    } else {
      return __metal_select((high | carry) == R(0), sum, greatest);
    }
  }
}
template <typename A, typename B, typename R = __common_integer_t<A, B>> inline constexpr R rotate(A x, B y) {
  using U = make_unsigned_t<R>;
  constexpr uint mask = sizeof(__element_t<R>) * 8 - 1;
  U a = __metal_bitcast<U>(R(x)), n = U(__metal_bitcast<U>(R(y)) & U(mask));
  return __metal_bitcast<R>(U((a << n) | (a >> U((U(0) - n) & U(mask)))));
}
template <typename T, typename R = __integer_t<T>> inline constexpr R extract_bits(T x, uint offset, uint bits) {
  using E = __element_t<R>;
  constexpr uint width = sizeof(E) * 8;
  if (bits == 0) return R(0);
  return R(R(R(x) << R(E(width - bits - offset))) >> R(E(width - bits)));
}
template <typename A, typename B, typename R = __common_integer_t<A, B>> inline constexpr R insert_bits(A base, B insert, uint offset, uint bits) {
  using E = __element_t<R>;
  constexpr uint width = sizeof(E) * 8;
  ulong ones = bits >= 64 ? ~0ul : (1ul << bits) - 1;
  R mask = R(E(ones << offset));
  return R((R(base) & R(~mask)) | (R(R(insert) << R(E(offset & (width - 1)))) & mask));
}
template <typename A, typename B, typename R = __common_integer_t<A, B>> inline constexpr R mul24(A x, B y) {
  static_assert(sizeof(__element_t<R>) == 4, "mul24 takes int and uint");
  return R((R(R(x) << R(8)) >> R(8)) * (R(R(y) << R(8)) >> R(8)));
}
template <typename A, typename B, typename C, typename R = __common_integer_t<__common_t<A, B>, C>> inline constexpr R mad24(A x, B y, C z) {
  return R(mul24(R(x), R(y)) + R(z));
}

} // namespace metal
