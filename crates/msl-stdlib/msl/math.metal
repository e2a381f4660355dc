// Math functions (MSL specification, section 6.5; error bounds in section 8.4).
//
// Everything is computed in `float`, by polynomials, with the exactness spelled out by `fma`, in
// math mode "safe": the same bits on every device. `half` and `bfloat` round the float result.
// The `_fast` forms drop the handling of huge, infinite and subnormal arguments where the
// specification allows it.

namespace metal {
namespace __math {
#pragma METAL fp math_mode(safe)
#pragma METAL fp contract(off)

inline float bits_float(uint x) { return __metal_bitcast<float>(x); }
inline uint float_bits(float x) { return __metal_bitcast<uint>(x); }
inline float fmaf(float a, float b, float c) { return __metal_fma(a, b, c); }
inline float pick(bool c, float a, float b) { return __metal_select(c, a, b); }
inline float nan() { return bits_float(0x7fc00000u); }
inline float inf() { return bits_float(0x7f800000u); }

// 2^k for -126 <= k <= 127.
inline float power_of_two(int k) { return bits_float(uint(k + 127) << 23); }
// Added to a number below 2^21, this rounds to an integer, which then stands in the last bits: no conversion has to
// say what becomes of huge numbers and NaN.
constant constexpr float round_bias = 0x1.8p23f;
// The same, with integers as `scale` takes them.
constant constexpr float scale_bias = 0x1.8p23f + 254.0f;
// x * 2^k for -252 <= k <= 254 and t = k + scale_bias: in two steps, so that results may be subnormal or infinite.
// The exponents of the factors are the halves of k + 254; what stands above them is shifted out.
inline float scale(float x, float t) {
  uint b = float_bits(t), half_b = b >> 1;
  return x * bits_float(half_b << 23) * bits_float((b - half_b) << 23);
}
// NaN stays NaN.
inline float at_least(float x, float low) { return pick(x < low, low, x); }
inline float at_most(float x, float high) { return pick(x > high, high, x); }

// ---- exponentials ----

// 2^f for |f| <= 0.5. Minimax polynomials, good to 2^-28 and, fast, to 2^-23.
inline float exp2_kernel(float f) {
  float p = fmaf(0x1.41fbbcp-13f, f, 0x1.5f3e52p-10f);
  p = fmaf(p, f, 0x1.3b2d4cp-7f);
  p = fmaf(p, f, 0x1.c6aee8p-5f);
  p = fmaf(p, f, 0x1.ebfbdcp-3f);
  p = fmaf(p, f, 0x1.62e430p-1f);
  return fmaf(p, f, 1.0f);
}
inline float exp2_kernel_fast(float f) {
  float p = fmaf(0x1.5bba14p-10f, f, 0x1.3cea88p-7f);
  p = fmaf(p, f, 0x1.c6b752p-5f);
  p = fmaf(p, f, 0x1.ebf9bcp-3f);
  p = fmaf(p, f, 0x1.62e42ap-1f);
  return fmaf(p, f, 1.0f);
}
// e^r for |r| <= 0.347, as good.
inline float exp_kernel(float r) {
  float p = fmaf(0x1.6a2318p-10f, r, 0x1.123a8ep-7f);
  p = fmaf(p, r, 0x1.5558f6p-5f);
  p = fmaf(p, r, 0x1.555490p-3f);
  p = fmaf(p, r, 0x1.fffffcp-2f);
  p = fmaf(p, r, 1.0f);
  return fmaf(p, r, 1.0f);
}
inline float exp_kernel_fast(float r) {
  float p = fmaf(0x1.106206p-7f, r, 0x1.572b10p-5f);
  p = fmaf(p, r, 0x1.5557b2p-3f);
  p = fmaf(p, r, 0x1.fffdfap-2f);
  p = fmaf(p, r, 1.0f);
  return fmaf(p, r, 1.0f);
}
// 2^x = 2^k * 2^f, e^x = 2^k * e^r, 10^x = 2^k * 2^f: gives k + scale_bias. Arguments beyond those whose results
// are finite and not zero are cut, NaN stays.
inline float exp2_reduce(float x, thread float& f) {
  float c = at_most(at_least(x, -151.0f), 129.0f);
  float t = c + scale_bias;
  f = c - (t - scale_bias);
  return t;
}
inline float exp_reduce(float x, thread float& r) {
  float c = at_most(at_least(x, -104.0f), 90.0f);
  float t = fmaf(c, 0x1.715476p+0f, scale_bias);
  float k = t - scale_bias;
  r = fmaf(-k, 0x1.62e43p-1f, c);
  r = fmaf(-k, -0x1.05c61p-29f, r);
  return t;
}
inline float exp10_reduce(float x, thread float& f) {
  float c = at_most(at_least(x, -46.0f), 39.0f);
  float t = fmaf(c, 0x1.a934fp+1f, scale_bias);
  // f = x log2(10) - k with the constant in two parts.
  f = fmaf(c, 0x1.a934fp+1f, -(t - scale_bias));
  f = fmaf(c, 0x1.2f346ep-24f, f);
  return t;
}
inline float exp2_precise(float x) { float f, t = exp2_reduce(x, f); return scale(exp2_kernel(f), t); }
inline float exp2_fast(float x) { float f, t = exp2_reduce(x, f); return scale(exp2_kernel_fast(f), t); }
inline float exp_precise(float x) { float r, t = exp_reduce(x, r); return scale(exp_kernel(r), t); }
inline float exp_fast(float x) { float r, t = exp_reduce(x, r); return scale(exp_kernel_fast(r), t); }
inline float exp10_precise(float x) { float f, t = exp10_reduce(x, f); return scale(exp2_kernel(f), t); }
inline float exp10_fast(float x) { float f, t = exp10_reduce(x, f); return scale(exp2_kernel_fast(f), t); }
// e^x / 2, finite wherever sinh and cosh are.
inline float half_exp(float x) {
  float r, t = exp_reduce(x, r);
  return scale(exp_kernel(r), t - 1.0f);
}

// ---- logarithms ----

// x = m 2^e with m in [sqrt(1/2), sqrt(2)), for finite x > 0.
inline float split(float x, thread float& e) {
  bool tiny = x < 0x1p-126f;
  uint b = float_bits(pick(tiny, x * 0x1p25f, x)) + (0x3f800000u - 0x3f3504f3u);
  e = float(int(b >> 23) - 127 - __metal_select(tiny, 25, 0));
  return bits_float((b & 0x007fffffu) + 0x3f3504f3u);
}
// The same for normal x.
inline float split_normal(float x, thread float& e) {
  uint b = float_bits(x) + (0x3f800000u - 0x3f3504f3u);
  e = float(int(b >> 23) - 127);
  return bits_float((b & 0x007fffffu) + 0x3f3504f3u);
}
// log(1 + f) - f for f in [-0.293, 0.414].
inline float log_kernel(float f) {
  float z = f * f;
  float p = fmaf(7.0376836292e-2f, f, -1.1514610310e-1f);
  p = fmaf(p, f, 1.1676998740e-1f);
  p = fmaf(p, f, -1.2420140846e-1f);
  p = fmaf(p, f, 1.4249322787e-1f);
  p = fmaf(p, f, -1.6668057665e-1f);
  p = fmaf(p, f, 2.0000714765e-1f);
  p = fmaf(p, f, -2.4999993993e-1f);
  p = fmaf(p, f, 3.3333331174e-1f);
  return fmaf(-0.5f, z, p * f * z);
}
inline float log_special(float x, float y) {
  y = pick(x > 0.0f, y, pick(x == 0.0f, -inf(), nan()));
  return pick(x < inf(), y, x);
}
inline float log_of(float f, float e) {
  float y = fmaf(e, -0x1.05c61p-29f, log_kernel(f));
  return fmaf(e, 0x1.62e43p-1f, f + y);
}
inline float log_finite(float x) { float e, m = split(x, e); return log_of(m - 1.0f, e); }
inline float log_normal(float x) { float e, m = split_normal(x, e); return log_of(m - 1.0f, e); }
inline float log_precise(float x) { return log_special(x, log_finite(x)); }
inline float log_fast(float x) { return log_special(x, log_normal(x)); }
inline float log2_of(float f, float e) {
  float y = log_kernel(f);
  // (f + y) * log2(e), with log2(e) = 1 + 0.4426950409.
  float z = y * 0.44269504088896340736f;
  z = fmaf(f, 0.44269504088896340736f, z);
  return ((z + y) + f) + e;
}
inline float log2_finite(float x) { float e, m = split(x, e); return log2_of(m - 1.0f, e); }
inline float log2_normal(float x) { float e, m = split_normal(x, e); return log2_of(m - 1.0f, e); }
inline float log2_precise(float x) { return log_special(x, log2_finite(x)); }
inline float log2_fast(float x) { return log_special(x, log2_normal(x)); }
inline float log10_of(float f, float e) {
  float y = log_kernel(f);
  float z = y * 7.00731903251827651129e-4f;
  z = fmaf(f, 7.00731903251827651129e-4f, z);
  z = fmaf(e, 2.48745663981195213739e-4f, z);
  z = fmaf(y, 4.3359375e-1f, z);
  z = fmaf(f, 4.3359375e-1f, z);
  return fmaf(e, 3.0078125e-1f, z);
}
inline float log10_finite(float x) { float e, m = split(x, e); return log10_of(m - 1.0f, e); }
inline float log10_normal(float x) { float e, m = split_normal(x, e); return log10_of(m - 1.0f, e); }
inline float log10_precise(float x) { return log_special(x, log10_finite(x)); }
inline float log10_fast(float x) { return log_special(x, log10_normal(x)); }

// ---- powers ----

// log2(x) for finite x > 0 as high + low, good to about 2^-40.
inline float log2_extended(float x, thread float& low) {
  float e;
  float m = split(x, e);
  float f = m - 1.0f;
  float d = m + 1.0f;
  float d_low = m - (d - 1.0f);
  float inverse = 1.0f / d;
  float s = f * inverse;
  float s_low = fmaf(-s, d, f);
  s_low = fmaf(-s, d_low, s_low) * inverse;
  float z = s * s;
  float q = fmaf(9.09090909e-2f, z, 1.11111111e-1f);
  q = fmaf(q, z, 1.42857143e-1f);
  q = fmaf(q, z, 2.0e-1f);
  q = fmaf(q, z, 3.33333333e-1f);
  float t_low = fmaf(s * z, q, s_low);
  float t = s + t_low;
  t_low = t_low - (t - s);
  float h = t * 2.885390043258667f;
  float l = fmaf(t, 2.885390043258667f, -h);
  l = fmaf(t, 3.851926067e-8f, l);
  l = fmaf(t_low, 2.885390043258667f, l);
  float sum = e + h;
  low = l + ((e - sum) + h);
  return sum;
}
// 2^(y * log2 x) for finite x > 0.
inline float pow_positive(float x, float y) {
  float low;
  float high = log2_extended(x, low);
  float p = y * high;
  float p_low = fmaf(y, low, fmaf(y, high, -p));
  float f, t = exp2_reduce(p, f);
  f += pick(__metal_abs(p) < 151.0f, p_low, 0.0f);
  return scale(exp2_kernel(f), t);
}
inline float pow_precise(float x, float y) {
  float a = __metal_abs(x);
  bool is_integer = __metal_trunc(y) == y;
  float half_y = y * 0.5f;
  bool is_odd = is_integer & (__metal_trunc(half_y) != half_y) & (__metal_abs(y) < 16777216.0f);
  float r = pow_positive(a, y);
  bool grows = (a > 1.0f) == (y > 0.0f);
  r = pick((a == 0.0f) | (a == inf()) | (__metal_abs(y) == inf()), pick(grows, inf(), 0.0f), r);
  bool is_negative = (float_bits(x) >> 31) != 0u;
  r = pick(is_odd & is_negative, -r, r);
  r = pick((x < 0.0f) & !is_integer & (a != inf()), nan(), r);
  r = pick(__metal_isnan(x) | __metal_isnan(y), nan(), r);
  r = pick((x == -1.0f) & (__metal_abs(y) == inf()), 1.0f, r);
  return pick((y == 0.0f) | (x == 1.0f), 1.0f, r);
}
inline float pow_fast(float x, float y) {
  float a = __metal_abs(x);
  bool is_integer = __metal_trunc(y) == y;
  float half_y = y * 0.5f;
  bool is_odd = is_integer & (__metal_trunc(half_y) != half_y);
  float r = exp2_fast(y * log2_normal(a));
  r = pick(a == 0.0f, pick(y > 0.0f, 0.0f, inf()), r);
  r = pick(is_odd & (x < 0.0f), -r, r);
  r = pick((x < 0.0f) & !is_integer, nan(), r);
  return pick(y == 0.0f, 1.0f, r);
}
inline float powr_precise(float x, float y) {
  return pick((x < 0.0f) | __metal_isnan(x) | __metal_isnan(y), nan(), pow_precise(x, y));
}
inline float powr_fast(float x, float y) { return pick(x < 0.0f, nan(), pow_fast(x, y)); }

// ---- trigonometry ----

// sin and cos on [-pi/4, pi/4].
inline float sin_kernel(float r) {
  float z = r * r;
  float p = fmaf(-1.9515295891e-4f, z, 8.3321608736e-3f);
  p = fmaf(p, z, -1.6666654611e-1f);
  return fmaf(p * z, r, r);
}
inline float cos_kernel(float r) {
  float z = r * r;
  float p = fmaf(2.443315711809948e-5f, z, -1.388731625493765e-3f);
  p = fmaf(p, z, 4.166664568298827e-2f);
  return fmaf(p * z, z, fmaf(-0.5f, z, 1.0f));
}
// x - k pi/2 with pi/2 in three parts; good for |x| up to about 2^17. The last two bits of a quadrant count.
inline float reduce_small(float x, thread int& quadrant) {
  float t = fmaf(x, 0x1.45f306p-1f, round_bias);
  float k = t - round_bias;
  quadrant = int(float_bits(t));
  float r = fmaf(-k, 0x1.921fb6p+0f, x);
  r = fmaf(-k, -0x1.777a5cp-25f, r);
  return fmaf(-k, -0x1.ee59dap-50f, r);
}
constant constexpr uint two_over_pi[8] = {
  0u, 0xa2f9836eu, 0x4e441529u, 0xfc2757d1u, 0xf534ddc0u, 0xdb629599u, 0x3c439041u, 0xfe5163abu};
// For any finite x: the product of the mantissa with the bits of 2/pi that matter (Payne and Hanek).
inline float reduce_large(float x, thread int& quadrant) {
  uint b = float_bits(x);
  uint exponent = ((b >> 23) & 255u) - 120u;
  uint mantissa = ((b & 0x007fffffu) | 0x00800000u);
  // The window of 96 bits of 2/pi that starts where the product's integer part modulo 4 is.
  uint word = exponent >> 5, shift = exponent & 31u;
  ulong w0 = two_over_pi[word], w1 = two_over_pi[word + 1u], w2 = two_over_pi[word + 2u], w3 = two_over_pi[word + 3u];
  uint a0 = uint((((w0 << 32) | w1) << shift) >> 32);
  uint a1 = uint((((w1 << 32) | w2) << shift) >> 32);
  uint a2 = uint((((w2 << 32) | w3) << shift) >> 32);
  ulong m = ulong(mantissa);
  ulong low = m * ulong(a2);
  ulong mid = m * ulong(a1) + (low >> 32);
  ulong product = ((m * ulong(a0)) << 32) + mid;
  // `product` holds x * 2/pi modulo 4, in fixed point with 62 bits of fraction.
  quadrant = int(product >> 62);
  long fraction = long(product << 2);
  quadrant += fraction < 0 ? 1 : 0;
  float r = float(fraction) * 0x1p-64f * 1.57079632679489661923f;
  bool is_negative = (b >> 31) != 0u;
  quadrant = is_negative ? -quadrant : quadrant;
  return is_negative ? -r : r;
}
inline float reduce(float x, thread int& quadrant) {
  if (__metal_abs(x) < 65536.0f) return reduce_small(x, quadrant);
  return reduce_large(x, quadrant);
}
inline float sin_of(float r, int q) {
  float y = pick((q & 1) != 0, cos_kernel(r), sin_kernel(r));
  return bits_float(float_bits(y) ^ (uint(q & 2) << 30));
}
inline float cos_of(float r, int q) { return sin_of(r, q + 1); }
inline bool is_nonfinite(float x) { return (float_bits(x) & 0x7f800000u) == 0x7f800000u; }

inline float sin_precise(float x) {
  int q;
  float r = reduce(x, q);
  float y = sin_of(r, q);
  y = pick(x == 0.0f, x, y);
  return pick(is_nonfinite(x), nan(), y);
}
inline float cos_precise(float x) {
  int q;
  float r = reduce(x, q);
  return pick(is_nonfinite(x), nan(), cos_of(r, q));
}
// Of what is too large for that reduction, nothing is right, but results stay between -1 and 1.
inline float reduce_fast(float x, thread int& quadrant) {
  float r = reduce_small(x, quadrant);
  return at_most(at_least(r, -0.8f), 0.8f);
}
inline float sin_fast(float x) { int q; float r = reduce_fast(x, q); return sin_of(r, q); }
inline float cos_fast(float x) { int q; float r = reduce_fast(x, q); return cos_of(r, q); }
inline float tan_kernel(float r, int q) {
  float z = r * r;
  float p = fmaf(9.38540185543e-3f, z, 3.11992232697e-3f);
  p = fmaf(p, z, 2.44301354525e-2f);
  p = fmaf(p, z, 5.34112807005e-2f);
  p = fmaf(p, z, 1.33387994085e-1f);
  p = fmaf(p, z, 3.33331568548e-1f);
  float y = fmaf(p * z, r, r);
  return pick((q & 1) != 0, -1.0f / y, y);
}
inline float tan_precise(float x) {
  int q;
  float r = reduce(x, q);
  float y = pick(x == 0.0f, x, tan_kernel(r, q));
  return pick(is_nonfinite(x), nan(), y);
}
inline float tan_fast(float x) { int q; float r = reduce_small(x, q); return tan_kernel(r, q); }

// sin(pi x) and the like: the reduction is exact.
inline float reduce_pi(float x, thread int& quadrant) {
  // 2x modulo 8, exactly.
  float t = x - 4.0f * __metal_trunc(x * 0.25f);
  float twice = fmaf(t, 2.0f, round_bias);
  quadrant = int(float_bits(twice));
  return fmaf(twice - round_bias, -0.5f, t) * 3.14159265358979323846f;
}
inline float sinpi_precise(float x) {
  int q;
  float r = reduce_pi(x, q);
  float y = sin_of(r, q);
  y = pick(__metal_trunc(x) == x, __metal_copysign(0.0f, x), y);
  return pick(is_nonfinite(x), nan(), y);
}
// Zeros of cospi are positive.
inline float cospi_precise(float x) {
  int q;
  float r = reduce_pi(x, q);
  float y = cos_of(r, q);
  return pick(is_nonfinite(x), nan(), pick(y == 0.0f, 0.0f, y));
}
// Zeros and poles have the signs of sinpi(x) / cospi(x).
inline float tanpi_precise(float x) {
  int q;
  float r = reduce_pi(x, q);
  float y = tan_kernel(r, q);
  y = pick(__metal_trunc(x) == x, bits_float((float_bits(x) ^ (uint(q & 2) << 30)) & 0x80000000u), y);
  y = pick((r == 0.0f) & ((q & 1) != 0), bits_float((uint(q & 2) << 30) | 0x7f800000u), y);
  return pick(is_nonfinite(x), nan(), y);
}
inline float sinpi_fast(float x) { return sinpi_precise(x); }
inline float cospi_fast(float x) { return cospi_precise(x); }
inline float tanpi_fast(float x) { return tanpi_precise(x); }

// ---- inverse trigonometry ----

inline float asin_kernel(float x, float z) {
  float p = fmaf(4.2163199048e-2f, z, 2.4181311049e-2f);
  p = fmaf(p, z, 4.5470025998e-2f);
  p = fmaf(p, z, 7.4953002686e-2f);
  p = fmaf(p, z, 1.6666752422e-1f);
  return fmaf(p * z, x, x);
}
inline float asin_precise(float x) {
  float a = __metal_abs(x);
  bool large = a > 0.5f;
  float z = pick(large, 0.5f * (1.0f - a), a * a);
  float s = pick(large, __metal_sqrt(z), a);
  float y = asin_kernel(s, z);
  y = pick(large, 1.57079632679489661923f - 2.0f * y, y);
  return pick(a > 1.0f, nan(), __metal_copysign(y, x));
}
inline float acos_precise(float x) {
  float a = __metal_abs(x);
  bool large = a > 0.5f;
  float z = pick(large, 0.5f * (1.0f - a), a * a);
  float s = pick(large, __metal_sqrt(z), x);
  float y = asin_kernel(s, z);
  float outer = pick(x < 0.0f, fmaf(-2.0f, y, 3.14159265358979323846f), 2.0f * y);
  return pick(a > 1.0f, nan(), pick(large, outer, 1.57079632679489661923f - (y + 4.371139e-8f)));
}
inline float asin_fast(float x) { return asin_precise(x); }
inline float acos_fast(float x) { return acos_precise(x); }
// atan of a >= 0.
inline float atan_positive(float a) {
  bool high = a > 2.414213562373095f;
  bool middle = a > 0.414213562373095f;
  // -1 / a, (a - 1) / (a + 1) or a, with one division.
  float x = pick(high, -1.0f, pick(middle, a - 1.0f, a)) / pick(high, a, pick(middle, a + 1.0f, 1.0f));
  float base = pick(high, 1.57079632679489661923f, pick(middle, 0.785398163397448309616f, 0.0f));
  float z = x * x;
  float p = fmaf(8.05374449538e-2f, z, -1.38776856032e-1f);
  p = fmaf(p, z, 1.99777106478e-1f);
  p = fmaf(p, z, -3.33329491539e-1f);
  return base + fmaf(p * z, x, x);
}
inline float atan_precise(float x) { return __metal_copysign(atan_positive(__metal_abs(x)), x); }
inline float atan_fast(float x) { return __metal_copysign(atan_positive(__metal_abs(x)), x); }
inline float atan2_precise(float y, float x) {
  float ax = __metal_abs(x), ay = __metal_abs(y);
  bool both_infinite = (ax == inf()) & (ay == inf());
  float t = pick(both_infinite, 1.0f, ay / ax);
  t = pick((ax == 0.0f) & (ay == 0.0f), 0.0f, t);
  float a = atan_positive(t);
  bool is_left = (float_bits(x) >> 31) != 0u;
  a = pick(is_left, (3.14159265358979323846f - a) + -8.742278e-8f, a);
  return pick(__metal_isnan(x) | __metal_isnan(y), nan(), __metal_copysign(a, y));
}
inline float atan2_fast(float y, float x) { return atan2_precise(y, x); }

// ---- hyperbolic functions ----

inline float sinh_precise(float x) {
  float a = __metal_abs(x);
  float z = x * x;
  float p = fmaf(2.03721912945e-4f, z, 8.33028376239e-3f);
  p = fmaf(p, z, 1.66667160211e-1f);
  float small = fmaf(p * z, x, x);
  float h = half_exp(a);
  float large = h - 0.25f / h;
  return pick(a <= 1.0f, small, __metal_copysign(large, x));
}
inline float cosh_precise(float x) {
  float h = half_exp(__metal_abs(x));
  return h + 0.25f / h;
}
inline float tanh_precise(float x) {
  float a = __metal_abs(x);
  float z = x * x;
  float p = fmaf(-5.70498872745e-3f, z, 2.06390887954e-2f);
  p = fmaf(p, z, -5.37397155531e-2f);
  p = fmaf(p, z, 1.33314422036e-1f);
  p = fmaf(p, z, -3.33332819422e-1f);
  float small = fmaf(p * z, x, x);
  float large = 1.0f - 2.0f / (exp_precise(2.0f * a) + 1.0f);
  return pick(__metal_isnan(x), x, __metal_copysign(pick(a < 0.625f, small, large), x));
}
inline float sinh_fast(float x) { return sinh_precise(x); }
inline float cosh_fast(float x) { return cosh_precise(x); }
inline float tanh_fast(float x) {
  float a = __metal_abs(x);
  a = pick(a > 10.0f, 10.0f, a);
  float z = a * a;
  float p = fmaf(-5.70498872745e-3f, z, 2.06390887954e-2f);
  p = fmaf(p, z, -5.37397155531e-2f);
  p = fmaf(p, z, 1.33314422036e-1f);
  p = fmaf(p, z, -3.33332819422e-1f);
  float small = fmaf(p * z, a, a);
  float large = 1.0f - 2.0f / (exp_fast(2.0f * a) + 1.0f);
  return __metal_copysign(pick(a < 0.625f, small, large), x);
}
inline float asinh_precise(float x) {
  float a = __metal_abs(x);
  float z = x * x;
  float p = fmaf(2.0122003309e-2f, z, -4.2699340972e-2f);
  p = fmaf(p, z, 7.4847586088e-2f);
  p = fmaf(p, z, -1.6666288134e-1f);
  float small = fmaf(p * z, a, a);
  float large = log_precise(pick(a > 1500.0f, a, a + __metal_sqrt(z + 1.0f)));
  large = pick(a > 1500.0f, large + 0.693147180559945309417f, large);
  return __metal_copysign(pick(a < 0.5f, small, large), x);
}
inline float acosh_precise(float x) {
  float t = x - 1.0f;
  float p = fmaf(1.7596881071e-3f, t, -7.5272886713e-3f);
  p = fmaf(p, t, 2.6454905019e-2f);
  p = fmaf(p, t, -1.1784741703e-1f);
  p = fmaf(p, t, 1.4142135263e0f);
  float small = p * __metal_sqrt(t);
  float large = log_precise(pick(x > 1500.0f, x, x + __metal_sqrt(x * x - 1.0f)));
  large = pick(x > 1500.0f, large + 0.693147180559945309417f, large);
  return pick(x < 1.0f, nan(), pick(t < 0.5f, small, large));
}
inline float atanh_precise(float x) {
  float z = x * x;
  float p = fmaf(1.81740078349e-1f, z, 8.24370301058e-2f);
  p = fmaf(p, z, 1.46691431730e-1f);
  p = fmaf(p, z, 1.99782164500e-1f);
  p = fmaf(p, z, 3.33337300303e-1f);
  float small = fmaf(p * z, x, x);
  float large = 0.5f * log_precise((1.0f + x) / (1.0f - x));
  return pick(__metal_abs(x) < 0.5f, small, large);
}
inline float asinh_fast(float x) { return asinh_precise(x); }
inline float acosh_fast(float x) { return acosh_precise(x); }
inline float atanh_fast(float x) { return atanh_precise(x); }

// ---- the rest ----

inline float rsqrt_fast(float x) { return __metal_rsqrt(x); }
// Correctly rounded: the error of a first result, found exactly, corrects it.
inline float rsqrt_precise(float x) {
  bool tiny = x < 0x1p-64f, huge = x > 0x1p64f;
  float s = x * pick(tiny, 0x1p100f, pick(huge, 0x1p-64f, 1.0f));
  float y = 1.0f / __metal_sqrt(s);
  float h = y * y;
  float e = fmaf(-s, fmaf(y, y, -h), fmaf(-s, h, 1.0f));
  float r = fmaf(y * 0.5f, fmaf(e * 0.75f, e, e), y) * pick(tiny, 0x1p50f, pick(huge, 0x1p-32f, 1.0f));
  return pick((s > 0.0f) & (s < inf()), r, y);
}

// The remainder of truncating division by long division of the mantissas.
inline float long_fmod(float x, float y) {
  uint ax = float_bits(x) & 0x7fffffffu, ay = float_bits(y) & 0x7fffffffu;
  uint sign = float_bits(x) & 0x80000000u;
  if (ay == 0u || ax >= 0x7f800000u || ay > 0x7f800000u) return nan();
  if (ax < ay) return x;
  int ex = int(ax >> 23), ey = int(ay >> 23);
  uint mx = ax & 0x007fffffu, my = ay & 0x007fffffu;
  if (ex == 0) { int n = int(__metal_clz(mx)) - 8; mx <<= uint(n); ex = 1 - n; } else { mx |= 0x00800000u; }
  if (ey == 0) { int n = int(__metal_clz(my)) - 8; my <<= uint(n); ey = 1 - n; } else { my |= 0x00800000u; }
  for (; ex > ey; ex--) {
    mx = mx >= my ? mx - my : mx;
    mx <<= 1u;
  }
  mx = mx >= my ? mx - my : mx;
  if (mx == 0u) return bits_float(sign);
  int n = int(__metal_clz(mx)) - 8;
  mx <<= uint(n);
  ex -= n;
  uint result = ex > 0 ? (mx - 0x00800000u) | (uint(ex) << 23) : mx >> uint(1 - ex);
  return bits_float(result | sign);
}
// The same. Where the quotient is below 2^23 its integer part is right or, if it was rounded up, one too large: what it leaves
// is a multiple of y's last bit and not larger than y, so that nothing is rounded.
inline float fmod_precise(float x, float y) {
  float a = __metal_abs(x), b = __metal_abs(y), quotient = a / b;
  float r = fmaf(-__metal_trunc(quotient), b, a);
  r = __metal_copysign(pick(r < 0.0f, r + b, r), x);
  if (!((quotient < 0x1p23f) & (b < inf()))) r = long_fmod(x, y);
  return r;
}
inline float fmod_fast(float x, float y) { return fmod_precise(x, y); }
// In three steps; on the way down the first two keep enough bits that only the last one rounds.
inline float ldexp(float x, int k) {
  int a = __metal_min(__metal_max(k, -330), 330);
  int first = a < -126 ? -102 : a > 127 ? 127 : 0;
  a -= first;
  int second = a < -126 ? -102 : a > 127 ? 127 : 0;
  return x * power_of_two(first) * power_of_two(second) * power_of_two(a - second);
}
inline float frexp(float x, thread int& e) {
  uint b = float_bits(x);
  uint magnitude = b & 0x7fffffffu;
  if (magnitude == 0u || magnitude >= 0x7f800000u) { e = 0; return x; }
  int adjust = 0;
  if (magnitude < 0x00800000u) { b = float_bits(x * 0x1p25f); adjust = 25; }
  e = int((b >> 23) & 255u) - 126 - adjust;
  return bits_float((b & 0x807fffffu) | 0x3f000000u);
}
inline int ilogb(float x) {
  uint magnitude = float_bits(x) & 0x7fffffffu;
  if (magnitude == 0u) return -2147483647 - 1;
  if (magnitude >= 0x7f800000u) return 2147483647;
  if (magnitude < 0x00800000u) return -118 - int(__metal_clz(magnitude));
  return int(magnitude >> 23) - 127;
}
inline float nextafter(float x, float y) {
  if (__metal_isnan(x) || __metal_isnan(y)) return nan();
  if (x == y) return y;
  if (x == 0.0f) return bits_float((float_bits(y) & 0x80000000u) | 1u);
  uint b = float_bits(x);
  return bits_float((x < y) == (x > 0.0f) ? b + 1u : b - 1u);
}

} // namespace __math

// ---- public names ----

// In a namespace of its own text: the math mode here is the program's.
namespace __math {

// Mode 0 is fast, 1 precise, 2 what the program's options say.
template <typename F, int mode> inline float call(float x) {
  if constexpr (mode == 0) return F::fast(x);
  else if constexpr (mode == 1) return F::precise(x);
  else if (__metal_is_fast_math()) return F::fast(x);
  else return F::precise(x);
}
template <typename F, int mode> inline float call(float x, float y) {
  if constexpr (mode == 0) return F::fast(x, y);
  else if constexpr (mode == 1) return F::precise(x, y);
  else if (__metal_is_fast_math()) return F::fast(x, y);
  else return F::precise(x, y);
}
// Component by component, in single precision.
template <typename F, int mode, typename R> inline R each(R x) {
  using E = __element_t<R>;
  if constexpr (__element<R>::size == 1) return R(call<F, mode>(float(x)));
  else if constexpr (__element<R>::size == 2) return R(E(call<F, mode>(float(x.x))), E(call<F, mode>(float(x.y))));
  else if constexpr (__element<R>::size == 3) return R(each<F, mode>(x.xy), E(call<F, mode>(float(x.z))));
  else return R(each<F, mode>(x.xy), each<F, mode>(x.zw));
}
template <typename F, int mode, typename R> inline R each(R x, R y) {
  using E = __element_t<R>;
  if constexpr (__element<R>::size == 1) return R(call<F, mode>(float(x), float(y)));
  else if constexpr (__element<R>::size == 2) return R(E(call<F, mode>(float(x.x), float(y.x))), E(call<F, mode>(float(x.y), float(y.y))));
  else if constexpr (__element<R>::size == 3) return R(each<F, mode>(x.xy, y.xy), E(call<F, mode>(float(x.z), float(y.z))));
  else return R(each<F, mode>(x.xy, y.xy), each<F, mode>(x.zw, y.zw));
}

} // namespace __math

#define __MATH1(name) \
  namespace __math { struct name##_function { \
    static float fast(float x) { return name##_fast(x); } \
    static float precise(float x) { return name##_precise(x); } \
  }; } \
  namespace fast { template <typename T, typename R = __single_t<T>> inline R name(T x) { return __math::each<__math::name##_function, 0>(R(x)); } } \
  namespace precise { template <typename T, typename R = __single_t<T>> inline R name(T x) { return __math::each<__math::name##_function, 1>(R(x)); } } \
  template <typename T, typename R = __float_t<T>> inline R name(T x) { return __math::each<__math::name##_function, 2>(R(x)); }
#define __MATH2(name) \
  namespace __math { struct name##_function { \
    static float fast(float x, float y) { return name##_fast(x, y); } \
    static float precise(float x, float y) { return name##_precise(x, y); } \
  }; } \
  namespace fast { template <typename A, typename B, typename R = __common_t<__single_t<A>, __single_t<B>>> inline R name(A x, B y) { \
    return __math::each<__math::name##_function, 0>(R(x), R(y)); \
  } } \
  namespace precise { template <typename A, typename B, typename R = __common_t<__single_t<A>, __single_t<B>>> inline R name(A x, B y) { \
    return __math::each<__math::name##_function, 1>(R(x), R(y)); \
  } } \
  template <typename A, typename B, typename R = __common_float_t<A, B>> inline R name(A x, B y) { \
    return __math::each<__math::name##_function, 2>(R(x), R(y)); \
  }
__MATH1(exp) __MATH1(exp2) __MATH1(exp10) __MATH1(log) __MATH1(log2) __MATH1(log10)
__MATH1(sin) __MATH1(cos) __MATH1(tan) __MATH1(sinpi) __MATH1(cospi) __MATH1(tanpi)
__MATH1(asin) __MATH1(acos) __MATH1(atan)
__MATH1(sinh) __MATH1(cosh) __MATH1(tanh) __MATH1(asinh) __MATH1(acosh) __MATH1(atanh)
__MATH2(pow) __MATH2(powr) __MATH2(atan2) __MATH2(fmod)
#undef __MATH1
#undef __MATH2

// Roots and quotients are instructions, whose flags follow the math mode of the program, but for the precise rsqrt.
template <typename T, typename R = __float_t<T>> inline R sqrt(T x) { return __metal_sqrt(R(x)); }
template <typename A, typename B, typename R = __common_float_t<A, B>> inline R divide(A x, B y) { return R(x) / R(y); }
namespace __math { struct rsqrt_function {
  static float fast(float x) { return rsqrt_fast(x); }
  static float precise(float x) { return rsqrt_precise(x); }
}; }
namespace fast {
template <typename T, typename R = __single_t<T>> inline R sqrt(T x) { return __metal_sqrt(R(x)); }
template <typename T, typename R = __single_t<T>> inline R rsqrt(T x) { return __metal_rsqrt(R(x)); }
template <typename A, typename B, typename R = __common_t<__single_t<A>, __single_t<B>>> inline R divide(A x, B y) { return R(x) / R(y); }
}
namespace precise {
#pragma METAL fp math_mode(safe)
template <typename T, typename R = __single_t<T>> inline R sqrt(T x) { return __metal_sqrt(R(x)); }
template <typename T, typename R = __single_t<T>> inline R rsqrt(T x) { return __math::each<__math::rsqrt_function, 1>(R(x)); }
template <typename A, typename B, typename R = __common_t<__single_t<A>, __single_t<B>>> inline R divide(A x, B y) { return R(x) / R(y); }
}
template <typename T, typename R = __float_t<T>> inline R rsqrt(T x) {
  if constexpr (__is_same(__element_t<R>, float)) {
    if (!__metal_is_fast_math()) return precise::rsqrt(R(x));
  }
  return __metal_rsqrt(R(x));
}

// Functions that are the same fast and precise, under all three names.
#define __FORWARD \
  using metal::abs; using metal::fabs; using metal::floor; using metal::ceil; using metal::trunc; using metal::rint; \
  using metal::round; using metal::copysign; using metal::fma; using metal::min; using metal::max; using metal::fmin; \
  using metal::fmax; using metal::min3; using metal::max3; using metal::fmin3; using metal::fmax3; using metal::median3; \
  using metal::fmedian3; using metal::fdim; using metal::clamp; using metal::saturate; using metal::mix; using metal::step; \
  using metal::smoothstep; using metal::sign; using metal::fract; using metal::length; using metal::distance; \
  using metal::normalize; using metal::dot; using metal::cross; using metal::reflect; using metal::refract; \
  using metal::faceforward; using metal::length_squared; using metal::distance_squared; using metal::select; \
  using metal::isnan; using metal::isinf; using metal::isfinite; using metal::isnormal; using metal::signbit; \
  using metal::isordered; using metal::isunordered; \
  using metal::modf; using metal::ldexp; using metal::frexp; using metal::ilogb; using metal::logb; using metal::nextafter;

// `&cosine` may be in any memory.
#define __SINCOS(space) \
  template <typename T, typename R = __float_t<T>> inline R sincos(T x, space R& cosine) { cosine = cos(R(x)); return sin(R(x)); }
__SINCOS(thread) __SINCOS(device) __SINCOS(threadgroup)
namespace fast { __SINCOS(thread) }
namespace precise { __SINCOS(thread) }
#undef __SINCOS

template <typename T, typename R = __float_t<T>> inline R modf(T v, thread R& whole) {
  R x = R(v);
  whole = __metal_trunc(x);
  return __metal_copysign(__metal_select(__metal_isinf(x), R(0.0f), R(x - whole)), x);
}

#define __EXPONENTS(T) \
  inline T ldexp(T x, int k) { return T(__math::ldexp(float(x), k)); } \
  inline T frexp(T x, thread int& e) { return T(__math::frexp(float(x), e)); } \
  inline int ilogb(T x) { return __math::ilogb(float(x)); } \
  inline T logb(T x) { \
    T a = __metal_abs(x); \
    return __metal_isnan(x) | __metal_isinf(x) ? a : x == T(0.0f) ? T(-INFINITY) : T(float(__math::ilogb(float(x)))); \
  }
__EXPONENTS(float) __EXPONENTS(half) __EXPONENTS(bfloat)
#undef __EXPONENTS
inline float nextafter(float x, float y) { return __math::nextafter(x, y); }
#define __NEXT_SMALL(T, nan) \
  inline T nextafter(T x, T y) { \
    if (__metal_isnan(x) || __metal_isnan(y)) return __metal_bitcast<T>(ushort(nan)); \
    if (x == y) return y; \
    ushort b = __metal_bitcast<ushort>(x); \
    if (x == T(0.0f)) return __metal_bitcast<T>(ushort((__metal_bitcast<ushort>(y) & 0x8000) | 1)); \
    return __metal_bitcast<T>(ushort((x < y) == (x > T(0.0f)) ? b + 1 : b - 1)); \
  }
__NEXT_SMALL(half, 0x7e00) __NEXT_SMALL(bfloat, 0x7fc0)
#undef __NEXT_SMALL
template <typename T, int N> inline vec<T, N> ldexp(vec<T, N> x, vec<int, N> k) {
  vec<T, N> r;
#pragma unroll
  for (int i = 0; i < N; i++) r[i] = ldexp(x[i], k[i]);
  return r;
}
template <typename T, int N> inline vec<T, N> frexp(vec<T, N> x, thread vec<int, N>& e) {
  vec<T, N> r;
#pragma unroll
  for (int i = 0; i < N; i++) {
    int k;
    r[i] = frexp(x[i], k);
    e[i] = k;
  }
  return r;
}
template <typename T, int N> inline vec<int, N> ilogb(vec<T, N> x) {
  vec<int, N> r;
#pragma unroll
  for (int i = 0; i < N; i++) r[i] = ilogb(x[i]);
  return r;
}
template <typename T, int N> inline vec<T, N> logb(vec<T, N> x) {
  vec<T, N> r;
#pragma unroll
  for (int i = 0; i < N; i++) r[i] = logb(x[i]);
  return r;
}
template <typename T, int N> inline vec<T, N> nextafter(vec<T, N> x, vec<T, N> y) {
  vec<T, N> r;
#pragma unroll
  for (int i = 0; i < N; i++) r[i] = nextafter(x[i], y[i]);
  return r;
}
namespace fast { __FORWARD }
namespace precise { __FORWARD }
#undef __FORWARD

} // namespace metal
