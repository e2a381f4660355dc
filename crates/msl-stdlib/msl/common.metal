// Common, rounding, classifying and geometric functions on floats (MSL specification, sections 6.2, 6.3, 6.5, 6.8).

namespace metal {

#define __FLOAT1(name, expression) \
  template <typename T, typename R = __float_t<T>> inline constexpr R name(T v) { R x = R(v); return expression; }
__FLOAT1(fabs, __metal_abs(x))
__FLOAT1(floor, __metal_floor(x))
__FLOAT1(ceil, __metal_ceil(x))
__FLOAT1(trunc, __metal_trunc(x))
__FLOAT1(rint, __metal_rint(x))
__FLOAT1(saturate, __metal_min(__metal_max(x, R(0.0f)), R(1.0f)))
__FLOAT1(sign, __metal_select(__metal_isnan(x), R(0.0f), __metal_select(x == R(0.0f), x, __metal_copysign(R(1.0f), x))))
#undef __FLOAT1
// Halves go away from zero.
template <typename T, typename R = __float_t<T>> inline constexpr R round(T v) {
  R x = R(v), t = __metal_trunc(x);
  return __metal_copysign(__metal_select(__metal_abs(x - t) >= R(0.5f), R(t + __metal_copysign(R(1.0f), x)), t), x);
}
// Less than one even where the difference rounds up to it.
template <typename T, typename R = __float_t<T>> inline constexpr R fract(T v) {
  R x = R(v), r = x - __metal_floor(x);
  return __metal_select(r >= R(1.0f), R(R(1.0f) - R(0.5f) * R(numeric_limits<__element_t<R>>::epsilon())), r);
}

#define __FLOAT2(name, expression) \
  template <typename A, typename B, typename R = __common_float_t<A, B>> inline constexpr R name(A a, B b) { \
    R x = R(a), y = R(b); \
    return expression; \
  }
__FLOAT2(fmin, __metal_min(x, y))
__FLOAT2(fmax, __metal_max(x, y))
__FLOAT2(copysign, __metal_copysign(x, y))
__FLOAT2(fdim, __metal_select(x <= y, R(0.0f), R(x - y)))
__FLOAT2(step, __metal_select(y < x, R(0.0f), R(1.0f)))
#undef __FLOAT2
#define __FLOAT3(name, expression) \
  template <typename A, typename B, typename C, typename R = __common_float3_t<A, B, C>> \
  inline constexpr R name(A a, B b, C c) { \
    R x = R(a), y = R(b), z = R(c); \
    return expression; \
  }
__FLOAT3(fma, __metal_fma(x, y, z))
__FLOAT3(mix, x + (y - x) * z)
__FLOAT3(fmin3, __metal_min(__metal_min(x, y), z))
__FLOAT3(fmax3, __metal_max(__metal_max(x, y), z))
__FLOAT3(fmedian3, median3(x, y, z))
#undef __FLOAT3
template <typename A, typename B, typename C, typename R = __common_float3_t<A, B, C>>
inline constexpr R smoothstep(A low, B high, C v) {
  R a = R(low), t = saturate(R((R(v) - a) / (R(high) - a)));
  return t * t * (R(3.0f) - R(2.0f) * t);
}

// ---- classification (section 6.3); not subject to fast math ----

#define __CLASSIFY(name, expression) \
  template <typename T, typename R = __float_t<T>> inline constexpr __like_t<bool, R> name(T v) { R x = R(v); return expression; }
__CLASSIFY(isnan, __metal_isnan(x))
__CLASSIFY(isinf, __metal_isinf(x))
__CLASSIFY(isfinite, !(__metal_isnan(x) | __metal_isinf(x)))
#undef __CLASSIFY
template <typename T, typename R = __float_t<T>> inline constexpr __like_t<bool, R> isnormal(T v) {
  using E = __element_t<R>;
  using B = conditional_t<sizeof(E) == 4, uint, ushort>;
  using U = __like_t<B, R>;
  constexpr B infinite = __metal_bitcast<B>(numeric_limits<E>::infinity());
  U exponent = __metal_bitcast<U>(R(v)) & U(infinite);
  return (exponent != U(infinite)) & (exponent != U(B(0)));
}
template <typename T, typename R = __float_t<T>> inline constexpr __like_t<bool, R> signbit(T v) {
  using I = __like_t<conditional_t<sizeof(__element_t<R>) == 4, int, short>, R>;
  return __metal_bitcast<I>(R(v)) < I(0);
}
template <typename A, typename B, typename R = __common_float_t<A, B>> inline constexpr __like_t<bool, R> isunordered(A x, B y) {
  return __metal_isnan(R(x)) | __metal_isnan(R(y));
}
template <typename A, typename B, typename R = __common_float_t<A, B>> inline constexpr __like_t<bool, R> isordered(A x, B y) {
  return !(__metal_isnan(R(x)) | __metal_isnan(R(y)));
}

// ---- geometric (section 6.8) ----

template <typename A, typename B, typename R = __common_t<A, B>, typename E = enable_if_t<(__element<R>::size > 1), __element_t<R>>>
inline constexpr E dot(A v, B w) {
  R a = R(v), b = R(w);
  if constexpr (__element<R>::size == 2) return E(a.x * b.x + a.y * b.y);
  else if constexpr (__element<R>::size == 3) return E(a.x * b.x + a.y * b.y + a.z * b.z);
  else return E(a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w);
}
template <typename A, typename B, typename R = __common_float_t<A, B>>
inline constexpr enable_if_t<__element<R>::size == 3, R> cross(A v, B w) {
  R a = R(v), b = R(w);
  return a.yzx * b.zxy - a.zxy * b.yzx;
}
template <typename T, typename R = __float_t<T>> inline constexpr __element_t<R> length_squared(T v) {
  if constexpr (__element<R>::size == 1) return R(v) * R(v);
  else return dot(R(v), R(v));
}
template <typename T, typename R = __float_t<T>> inline constexpr __element_t<R> length(T v) {
  if constexpr (__element<R>::size == 1) return __metal_abs(R(v));
  else return __metal_sqrt(dot(R(v), R(v)));
}
template <typename A, typename B, typename R = __common_float_t<A, B>> inline constexpr __element_t<R> distance_squared(A x, B y) {
  return length_squared(R(R(x) - R(y)));
}
template <typename A, typename B, typename R = __common_float_t<A, B>> inline constexpr __element_t<R> distance(A x, B y) {
  return length(R(R(x) - R(y)));
}
template <typename T, typename R = __float_t<T>> inline constexpr R normalize(T v) {
  if constexpr (__element<R>::size == 1) return R(v) / __metal_abs(R(v));
  else return R(v) * __metal_rsqrt(dot(R(v), R(v)));
}
template <typename A, typename B, typename R = __common_float_t<A, B>> inline constexpr R reflect(A i, B n) {
  return R(i) - R(n) * (__element_t<R>(2.0f) * dot(R(n), R(i)));
}
template <typename A, typename B, typename C, typename R = __common_float3_t<A, B, C>>
inline constexpr R faceforward(A n, B i, C reference) {
  return dot(R(reference), R(i)) < __element_t<R>(0.0f) ? R(n) : -R(n);
}
template <typename A, typename B, typename R = __common_float_t<A, B>, typename S = __element_t<R>>
inline constexpr R refract(A incident, B normal, type_identity_t<S> eta) {
  R i = R(incident), n = R(normal);
  S d = dot(n, i);
  S k = S(1.0f) - eta * eta * (S(1.0f) - d * d);
  return k < S(0.0f) ? R(S(0.0f)) : i * eta - n * (eta * d + __metal_sqrt(k));
}

} // namespace metal
