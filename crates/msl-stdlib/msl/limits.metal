// `numeric_limits` and the limit and constant macros (MSL specification, sections 2.1, 6.5 and 6.6).

#define CHAR_BIT 8
#define CHAR_MAX 127
#define CHAR_MIN (-128)
#define SCHAR_MAX 127
#define SCHAR_MIN (-128)
#define UCHAR_MAX 255
#define SHRT_MAX 32767
#define SHRT_MIN (-32768)
#define USHRT_MAX 65535
#define INT_MAX 2147483647
#define INT_MIN (-2147483647 - 1)
#define UINT_MAX 4294967295U
#define LONG_MAX 9223372036854775807L
#define LONG_MIN (-9223372036854775807L - 1)
#define ULONG_MAX 18446744073709551615UL

#define FLT_DIG 6
#define FLT_MANT_DIG 24
#define FLT_MAX_10_EXP (+38)
#define FLT_MAX_EXP (+128)
#define FLT_MIN_10_EXP (-37)
#define FLT_MIN_EXP (-125)
#define FLT_RADIX 2
#define FLT_MAX 0x1.fffffep127f
#define FLT_MIN 0x1.0p-126f
#define FLT_EPSILON 0x1.0p-23f
#define FP_ILOGB0 (-2147483647 - 1)
#define FP_ILOGBNAN 2147483647
#define HALF_DIG 3
#define HALF_MANT_DIG 11
#define HALF_MAX_10_EXP (+4)
#define HALF_MAX_EXP (+16)
#define HALF_MIN_10_EXP (-4)
#define HALF_MIN_EXP (-13)
#define HALF_RADIX 2
#define HALF_MAX 0x1.ffcp15h
#define HALF_MIN 0x1.0p-14h
#define HALF_EPSILON 0x1.0p-10h
#define BFLT_MAX 0x1.fep127bf
#define BFLT_MIN 0x1.0p-126bf
#define BFLT_EPSILON 0x1.0p-7bf
#define BFLT_DIG 2
#define BFLT_MANT_DIG 8
#define BFLT_MAX_10_EXP (+38)
#define BFLT_MAX_EXP (+128)
#define BFLT_MIN_10_EXP (-37)
#define BFLT_MIN_EXP (-125)
#define BFLT_RADIX 2
#define MAXFLOAT FLT_MAX
#define MAXHALF HALF_MAX
#define MAXBFLOAT BFLT_MAX
#define HUGE_VALF __metal_bitcast<float>(0x7f800000u)
#define HUGE_VALH __metal_bitcast<half>(ushort(0x7c00))
#define HUGE_VALBF __metal_bitcast<bfloat>(ushort(0x7f80))
#define INFINITY __metal_bitcast<float>(0x7f800000u)
#define NAN __metal_bitcast<float>(0x7fc00000u)

#define M_E_F 2.71828182845904523536028747135266250f
#define M_LOG2E_F 1.44269504088896340735992468100189214f
#define M_LOG10E_F 0.434294481903251827651128918916605082f
#define M_LN2_F 0.693147180559945309417232121458176568f
#define M_LN10_F 2.30258509299404568401799145468436421f
#define M_PI_F 3.14159265358979323846264338327950288f
#define M_PI_2_F 1.57079632679489661923132169163975144f
#define M_PI_4_F 0.785398163397448309615660845819875721f
#define M_1_PI_F 0.318309886183790671537767526745028724f
#define M_2_PI_F 0.636619772367581343075535053490057448f
#define M_2_SQRTPI_F 1.12837916709551257389615890312154517f
#define M_SQRT2_F 1.41421356237309504880168872420969808f
#define M_SQRT1_2_F 0.707106781186547524400844362104849039f
#define M_E_H 2.71828182845904523536028747135266250h
#define M_LOG2E_H 1.44269504088896340735992468100189214h
#define M_LOG10E_H 0.434294481903251827651128918916605082h
#define M_LN2_H 0.693147180559945309417232121458176568h
#define M_LN10_H 2.30258509299404568401799145468436421h
#define M_PI_H 3.14159265358979323846264338327950288h
#define M_PI_2_H 1.57079632679489661923132169163975144h
#define M_PI_4_H 0.785398163397448309615660845819875721h
#define M_1_PI_H 0.318309886183790671537767526745028724h
#define M_2_PI_H 0.636619772367581343075535053490057448h
#define M_2_SQRTPI_H 1.12837916709551257389615890312154517h
#define M_SQRT2_H 1.41421356237309504880168872420969808h
#define M_SQRT1_2_H 0.707106781186547524400844362104849039h
#define M_LOG10E_BF 0.434294481903251827651128918916605082bf
#define M_LN10_BF 2.30258509299404568401799145468436421bf
#define M_PI_2_BF 1.57079632679489661923132169163975144bf
#define M_PI_4_BF 0.785398163397448309615660845819875721bf
#define M_1_PI_BF 0.318309886183790671537767526745028724bf
#define M_2_PI_BF 0.636619772367581343075535053490057448bf
#define M_2_SQRTPI_BF 1.12837916709551257389615890312154517bf
#define M_SQRT2_BF 1.41421356237309504880168872420969808bf
#define M_SQRT1_2_BF 0.707106781186547524400844362104849039bf
#define M_E_BF 2.71828182845904523536028747135266250bf
#define M_PI_BF 3.14159265358979323846264338327950288bf
#define M_LN2_BF 0.693147180559945309417232121458176568bf
#define M_LOG2E_BF 1.44269504088896340735992468100189214bf

namespace metal {

enum float_round_style {
  round_indeterminate = -1, round_toward_zero = 0, round_to_nearest = 1, round_toward_infinity = 2, round_toward_neg_infinity = 3
};
enum float_denorm_style { denorm_indeterminate = -1, denorm_absent = 0, denorm_present = 1 };

// Programs specialise the base, under the name that Apple's headers give it.
// What is no number has limits that are zero, as in C++.
template <typename T> struct _numeric_limits_impl {
  static constexpr constant bool is_specialized = false;
  static constexpr T min() { return T(); }
  static constexpr T max() { return T(); }
  static constexpr T lowest() { return T(); }
  static constexpr T epsilon() { return T(); }
  static constexpr T round_error() { return T(); }
  static constexpr T infinity() { return T(); }
  static constexpr T quiet_NaN() { return T(); }
  static constexpr T signaling_NaN() { return T(); }
  static constexpr T denorm_min() { return T(); }
};
template <typename T> struct numeric_limits : _numeric_limits_impl<T> {};

template <typename T, T lo, T hi, int nbits> struct __integer_limits {
  static constexpr constant bool is_specialized = true;
  static constexpr constant bool is_signed = __is_signed(T);
  static constexpr constant bool is_integer = true;
  static constexpr constant bool is_exact = true;
  static constexpr constant bool has_infinity = false;
  static constexpr constant bool has_quiet_NaN = false;
  static constexpr constant bool has_signaling_NaN = false;
  static constexpr constant bool is_iec559 = false;
  static constexpr constant bool is_bounded = true;
  static constexpr constant bool is_modulo = !__is_signed(T);
  static constexpr constant int digits = nbits;
  static constexpr constant int digits10 = nbits * 3 / 10;
  static constexpr constant int max_digits10 = 0;
  static constexpr constant int radix = 2;
  static constexpr constant int min_exponent = 0;
  static constexpr constant int min_exponent10 = 0;
  static constexpr constant int max_exponent = 0;
  static constexpr constant int max_exponent10 = 0;
  static constexpr constant float_denorm_style has_denorm = denorm_absent;
  static constexpr constant bool has_denorm_loss = false;
  static constexpr constant float_round_style round_style = round_toward_zero;
  static constexpr constant bool traps = false;
  static constexpr constant bool tinyness_before = false;
  static constexpr T min() { return lo; }
  static constexpr T lowest() { return lo; }
  static constexpr T max() { return hi; }
  static constexpr T epsilon() { return T(0); }
  static constexpr T round_error() { return T(0); }
  static constexpr T denorm_min() { return T(0); }
  static constexpr T infinity() { return T(0); }
  static constexpr T quiet_NaN() { return T(0); }
  static constexpr T signaling_NaN() { return T(0); }
};
template <> struct numeric_limits<bool> : __integer_limits<bool, false, true, 1> {};
template <> struct numeric_limits<char> : __integer_limits<char, CHAR_MIN, CHAR_MAX, 7> {};
template <> struct numeric_limits<uchar> : __integer_limits<uchar, 0, UCHAR_MAX, 8> {};
template <> struct numeric_limits<short> : __integer_limits<short, SHRT_MIN, SHRT_MAX, 15> {};
template <> struct numeric_limits<ushort> : __integer_limits<ushort, 0, USHRT_MAX, 16> {};
template <> struct numeric_limits<int> : __integer_limits<int, INT_MIN, INT_MAX, 31> {};
template <> struct numeric_limits<uint> : __integer_limits<uint, 0, UINT_MAX, 32> {};
template <> struct numeric_limits<long> : __integer_limits<long, LONG_MIN, LONG_MAX, 63> {};
template <> struct numeric_limits<ulong> : __integer_limits<ulong, 0, ULONG_MAX, 64> {};

// The format is given by its digits and exponents; U holds its bits.
template <typename T, typename U, int mantissa, int minexp, int maxexp, U least, U greatest, U inf> struct __float_limits {
  static constexpr constant bool is_specialized = true;
  static constexpr constant bool is_signed = true;
  static constexpr constant bool is_integer = false;
  static constexpr constant bool is_exact = false;
  static constexpr constant bool has_infinity = true;
  static constexpr constant bool has_quiet_NaN = true;
  static constexpr constant bool has_signaling_NaN = true;
  static constexpr constant bool is_iec559 = true;
  static constexpr constant bool is_bounded = true;
  static constexpr constant bool is_modulo = false;
  static constexpr constant float_denorm_style has_denorm = denorm_present;
  static constexpr constant bool has_denorm_loss = false;
  static constexpr constant float_round_style round_style = round_to_nearest;
  static constexpr constant bool traps = false;
  static constexpr constant bool tinyness_before = false;
  static constexpr constant int digits = mantissa;
  static constexpr constant int digits10 = (mantissa - 1) * 3 / 10;
  static constexpr constant int max_digits10 = mantissa * 3 / 10 + 2;
  static constexpr constant int radix = 2;
  static constexpr constant int min_exponent = minexp;
  static constexpr constant int max_exponent = maxexp;
  // Of the least normal number, which is 2^(minexp - 1).
  static constexpr constant int min_exponent10 = (minexp - 1) * 3 / 10;
  static constexpr constant int max_exponent10 = maxexp * 3 / 10;
  static constexpr T min() { return __metal_bitcast<T>(least); }
  static constexpr T max() { return __metal_bitcast<T>(greatest); }
  static constexpr T lowest() { return -__metal_bitcast<T>(greatest); }
  static constexpr T epsilon() { return T(1.0f / float(1 << (mantissa - 1))); }
  static constexpr T round_error() { return T(0.5f); }
  static constexpr T denorm_min() { return __metal_bitcast<T>(U(1)); }
  static constexpr T infinity() { return __metal_bitcast<T>(inf); }
  static constexpr T quiet_NaN() { return __metal_bitcast<T>(U(inf | least >> 1)); }
  static constexpr T signaling_NaN() { return __metal_bitcast<T>(U(inf | least >> 2)); }
};
template <> struct numeric_limits<float> : __float_limits<float, uint, 24, -125, 128, 0x00800000, 0x7f7fffff, 0x7f800000> {};
template <> struct numeric_limits<half> : __float_limits<half, ushort, 11, -13, 16, 0x0400, 0x7bff, 0x7c00> {};
template <> struct numeric_limits<bfloat> : __float_limits<bfloat, ushort, 8, -125, 128, 0x0080, 0x7f7f, 0x7f80> {};

} // namespace metal
