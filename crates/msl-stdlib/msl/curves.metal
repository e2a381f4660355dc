// Points on curves and their derivatives (MSL specification, section 6.18.7).

namespace metal {

// Each function takes what weighs the control points, from t and 1 - t; a point is a scalar or a vector of `float` or `half`.
#define __CURVE3(name, expression) \
  template <typename P, typename S = enable_if_t<is_floating_point_v<__element_t<P>>, __element_t<P>>> \
  inline constexpr P name(type_identity_t<S> t, P a, P b, P c) { \
    S u = S(1.0f) - t; \
    return P(expression); \
  }
#define __CURVE4(name, expression) \
  template <typename P, typename S = enable_if_t<is_floating_point_v<__element_t<P>>, __element_t<P>>> \
  inline constexpr P name(type_identity_t<S> t, P a, P b, P c, P d) { \
    S u = S(1.0f) - t; \
    return P(expression); \
  }
__CURVE3(bezier, a * (u * u) + b * (S(2.0f) * t * u) + c * (t * t))
__CURVE3(bezier_derivative, ((b - a) * u + (c - b) * t) * S(2.0f))
__CURVE3(bezier_second_derivative, (a - b * S(2.0f) + c) * S(2.0f))
__CURVE4(bezier, a * (u * u * u) + b * (S(3.0f) * t * u * u) + c * (S(3.0f) * t * t * u) + d * (t * t * t))
__CURVE4(bezier_derivative, ((b - a) * (u * u) + (c - b) * (S(2.0f) * t * u) + (d - c) * (t * t)) * S(3.0f))
__CURVE4(bezier_second_derivative, ((a - b * S(2.0f) + c) * u + (b - c * S(2.0f) + d) * t) * S(6.0f))
__CURVE3(bspline, (a * (u * u) + b * (S(1.0f) + S(2.0f) * t * u) + c * (t * t)) * S(0.5f))
__CURVE3(bspline_derivative, (b - a) * u + (c - b) * t)
__CURVE3(bspline_second_derivative, a - b * S(2.0f) + c)
__CURVE4(bspline, (a * (u * u * u) + b * (S(4.0f) - S(3.0f) * t * t * (S(1.0f) + u)) + c * (S(4.0f) - S(3.0f) * u * u * (S(1.0f) + t)) \
                   + d * (t * t * t)) / S(6.0f))
__CURVE4(bspline_derivative, ((b - a) * (u * u) + (c - b) * (S(1.0f) + S(2.0f) * t * u) + (d - c) * (t * t)) * S(0.5f))
__CURVE4(bspline_second_derivative, (a - b * S(2.0f) + c) * u + (b - c * S(2.0f) + d) * t)
// Two points, and the tangents there.
__CURVE4(hermite, a * (u * u * (S(1.0f) + S(2.0f) * t)) + b * (t * t * (S(1.0f) + S(2.0f) * u)) + c * (t * u * u) - d * (t * t * u))
__CURVE4(hermite_derivative, (b - a) * (S(6.0f) * t * u) + c * (u * (u - S(2.0f) * t)) + d * (t * (t - S(2.0f) * u)))
__CURVE4(hermite_second_derivative, (b - a) * (S(6.0f) * (u - t)) + c * (S(2.0f) * t - S(4.0f) * u) + d * (S(4.0f) * t - S(2.0f) * u))
// Between the two points in the middle.
__CURVE4(catmull_rom, hermite(t, b, c, P((c - a) * S(0.5f)), P((d - b) * S(0.5f))))
__CURVE4(catmull_rom_derivative, hermite_derivative(t, b, c, P((c - a) * S(0.5f)), P((d - b) * S(0.5f))))
__CURVE4(catmull_rom_second_derivative, hermite_second_derivative(t, b, c, P((c - a) * S(0.5f)), P((d - b) * S(0.5f))))
#undef __CURVE3
#undef __CURVE4

} // namespace metal
