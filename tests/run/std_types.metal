// Type traits, limits, `array` and the other types of the library (MSL specification, sections 2.12, 6.1, 6.6).
//--- type traits
// buffer 0: i32 = zeros(1)
// dispatch: traits grid=1
// expect 0: i32 = 1
#include <metal_stdlib>
using namespace metal;
struct Base { int a; };
struct Derived : Base { float b; };
struct Empty {};
union Either { int a; float b; };
enum Color { red, green };
enum class Size : ushort { small, large };
static_assert(is_same<int, int>::value && !is_same<int, uint>::value && is_same_v<float4, vec<float, 4>>, "");
static_assert(is_same_v<uint8_t, uchar> && is_same_v<int16_t, short> && is_same_v<size_t, ulong> && is_same_v<uint, uint32_t>, "");
static_assert(is_integral<int>::value && is_integral_v<uchar> && is_integral_v<bool> && !is_integral_v<float> && is_integral_v<int2>, "");
static_assert(is_floating_point_v<half> && is_floating_point_v<float> && is_floating_point_v<bfloat> && !is_floating_point_v<int>, "");
static_assert(is_arithmetic_v<half> && is_arithmetic_v<long> && !is_arithmetic_v<device int*> && is_scalar_v<device int*>, "");
static_assert(is_signed_v<char> && is_signed_v<float> && !is_signed_v<uint> && is_unsigned_v<ushort> && !is_unsigned_v<int>, "");
static_assert(is_void_v<void> && is_pointer_v<device float*> && !is_pointer_v<float> && is_array_v<int[3]>, "");
static_assert(is_enum_v<Color> && is_enum_v<Size> && is_union_v<Either> && is_class_v<Base> && !is_class_v<int>, "");
static_assert(is_const_v<const int> && !is_const_v<int> && is_lvalue_reference_v<thread int&> && !is_reference_v<int>, "");
static_assert(is_same_v<remove_const_t<const int>, int> && is_same_v<remove_cv_t<const volatile int>, int>, "");
static_assert(is_same_v<remove_reference_t<thread int&>, int> && is_same_v<remove_pointer_t<device float*>, device float>, "");
static_assert(is_same_v<remove_extent_t<int[4]>, int> && is_same_v<decay_t<const int>, int> && is_same_v<add_const_t<int>, const int>, "");
static_assert(is_same_v<underlying_type_t<Size>, ushort> && is_same_v<make_unsigned_t<int>, uint> && is_same_v<make_signed_t<uchar>, char>, "");
static_assert(is_same_v<conditional_t<true, int, float>, int> && is_same_v<conditional_t<false, int, float>, float>, "");
static_assert(is_same_v<enable_if_t<true, int>, int> && is_same_v<void_t<int>, void>, "");
static_assert(is_base_of_v<Base, Derived> && !is_base_of_v<Derived, Base> && is_empty_v<Empty> && !is_empty_v<Base>, "");
static_assert(is_convertible_v<int, float> && !is_convertible_v<Base, int> && is_constructible_v<float3, float>, "");
static_assert(is_trivially_copyable_v<Base> && integral_constant<int, 5>::value == 5 && true_type::value && !false_type(), "");
static_assert(conjunction<true_type, is_same<int, int>>::value && disjunction<false_type, true_type>::value && !negation<true_type>::value, "");
static_assert(is_vector_v<float2> && !is_vector_v<float>, "");
template <typename T> enable_if_t<is_integral_v<T>, int> kind(T) { return 1; }
template <typename T> enable_if_t<is_floating_point_v<T>, int> kind(T) { return 2; }
kernel void traits(device int* out [[buffer(0)]]) { out[0] = kind(1) == 1 && kind(1.0f) == 2 && kind(1.0h) == 2; }
//--- sizes and alignments
// buffer 0: u32 = zeros(1)
// dispatch: sizes grid=1
// expect 0: u32 = 1
#include <metal_stdlib>
using namespace metal;
static_assert(sizeof(bool) == 1 && sizeof(char) == 1 && sizeof(short) == 2 && sizeof(int) == 4 && sizeof(long) == 8, "");
static_assert(sizeof(half) == 2 && sizeof(bfloat) == 2 && sizeof(float) == 4 && sizeof(size_t) == 8, "");
static_assert(sizeof(bool2) == 2 && sizeof(bool3) == 4 && sizeof(char3) == 4 && sizeof(short3) == 8 && sizeof(int3) == 16 && sizeof(long3) == 32, "");
static_assert(sizeof(half2) == 4 && sizeof(bfloat4) == 8 && alignof(float4) == 16 && alignof(half3) == 8 && alignof(uchar2) == 2, "");
static_assert(sizeof(float4x3) == 64 && sizeof(half4x4) == 32 && sizeof(float2x4) == 32 && alignof(float4x4) == 16, "");
static_assert(sizeof(array<float, 5>) == 20 && sizeof(atomic_uint) == 4 && sizeof(array<float3, 2>) == 32, "");
struct Mixed { char c; float3 v; half h; };
static_assert(sizeof(Mixed) == 48 && alignof(Mixed) == 16, "");
kernel void sizes(device uint* out [[buffer(0)]]) { out[0] = 1; }
//--- limits
// buffer 0: i64 = zeros(16)
// buffer 1: f32 = zeros(12)
// buffer 2: f16 = zeros(6)
// dispatch: limits grid=1
// expect 0: i64 = -128 127 255 -32768 32767 65535 -2147483648 2147483647 4294967295 -9223372036854775808 9223372036854775807 -1 31 24 11 1
// expect 1: f32 = 3.40282347e38 -3.40282347e38 1.17549435e-38 1.1920929e-7 inf nan 1.40129846e-45 inf nan 0.5 3.14159274 1.41421354
// expect 2: f16 = 65504 -65504 6.1035156e-5 9.765625e-4 inf 3.140625
#include <metal_stdlib>
using namespace metal;
static_assert(numeric_limits<float>::is_signed && !numeric_limits<uint>::is_signed && numeric_limits<int>::is_integer, "");
static_assert(numeric_limits<int>::max() == INT_MAX && numeric_limits<uchar>::max() == UCHAR_MAX && numeric_limits<int>::digits == 31, "");
kernel void limits(device long* out [[buffer(0)]], device float* f [[buffer(1)]], device half* h [[buffer(2)]]) {
    out[0] = numeric_limits<char>::min(); out[1] = numeric_limits<char>::max(); out[2] = numeric_limits<uchar>::max();
    out[3] = numeric_limits<short>::lowest(); out[4] = SHRT_MAX; out[5] = numeric_limits<ushort>::max();
    out[6] = numeric_limits<int>::min(); out[7] = numeric_limits<int>::max(); out[8] = numeric_limits<uint>::max();
    out[9] = LONG_MIN; out[10] = numeric_limits<long>::max(); out[11] = long(numeric_limits<ulong>::max());
    out[12] = numeric_limits<int>::digits; out[13] = numeric_limits<float>::digits; out[14] = numeric_limits<half>::digits;
    out[15] = numeric_limits<bool>::max();
    f[0] = numeric_limits<float>::max(); f[1] = numeric_limits<float>::lowest(); f[2] = numeric_limits<float>::min();
    f[3] = numeric_limits<float>::epsilon(); f[4] = numeric_limits<float>::infinity(); f[5] = numeric_limits<float>::quiet_NaN();
    f[6] = numeric_limits<float>::denorm_min(); f[7] = INFINITY; f[8] = NAN; f[9] = numeric_limits<float>::round_error();
    f[10] = M_PI_F; f[11] = M_SQRT2_F;
    h[0] = numeric_limits<half>::max(); h[1] = numeric_limits<half>::lowest(); h[2] = numeric_limits<half>::min();
    h[3] = HALF_EPSILON; h[4] = HUGE_VALH; h[5] = M_PI_H;
}
//--- arrays
// buffer 0: i32 = zeros(16)
// buffer 1: i32 = 5 6 7 8
// dispatch: arrays grid=1
// expect 0: i32 = 4 10 1 9 3 26 7 7 7 0 24 30 12 3 2 0
#include <metal_stdlib>
using namespace metal;
constant constexpr array<int, 3> table = {3, 4, 5};
struct Row { array<int, 4> v; };
template <typename T, size_t N> static int total(array<T, N> a) {
    int sum = 0;
    for (T x : a) sum += x;
    return sum;
}
kernel void arrays(device int* out [[buffer(0)]], constant Row& row [[buffer(1)]]) {
    array<int, 4> a = {1, 2, 3, 4};
    out[0] = int(a.size());
    out[1] = total(a);
    out[2] = a.front();
    a[3] = 9;
    out[3] = a.back();
    out[4] = table[0];
    int sum = 0;
    for (size_t i = 0; i < row.v.size(); i++) sum += row.v[i];
    out[5] = sum;
    array<int, 3> b;
    b.fill(7);
    out[6] = b[0]; out[7] = b[1]; out[8] = *b.data() + int(b.end() - b.begin()) - 3;
    out[9] = a.empty();
    array<array<int, 3>, 2> nested = {{{1, 2, 3}, {4, 5, 6}}};
    out[10] = nested[1][1] + nested[0][2] * 6 + 1;
    for (thread int& x : a) x *= 2;
    out[11] = total(a);
    out[12] = table[0] + table[1] + table[2];
    array<int, 4> copy = row.v;
    copy[0] = 3;
    out[13] = copy[0];
    threadgroup array<int, 2> shared;
    shared[1] = 2;
    out[14] = shared[1];
}
//--- utilities
// buffer 0: i32 = zeros(8)
// dispatch: utilities grid=1
// expect 0: i32 = 2 1 3 6 10 4 0 0
#include <metal_stdlib>
using namespace metal;
template <size_t... I> static int total(index_sequence<I...>) { return (int(I) + ... + 0); }
template <typename... T> static int count(T...) { return sizeof...(T); }
kernel void utilities(device int* out [[buffer(0)]]) {
    int a = 1, b = 2;
    swap(a, b);
    out[0] = a; out[1] = b;
    out[2] = total(make_index_sequence<3>());
    out[3] = total(index_sequence<1, 2, 3>());
    out[4] = total(make_index_sequence<5>());
    out[5] = count(1, 2.0f, 'c', true);
}
//--- vector types of every element
// buffer 0: i32 = zeros(1)
// dispatch: vectors grid=1
// expect 0: i32 = 12
#include <metal_stdlib>
using namespace metal;
template <typename T> static int works() {
    vec<T, 4> a(T(1)), b(T(2), T(3), vec<T, 2>(T(4)));
    vec<T, 3> c = (a + b).yzw;
    return c.x == T(4) && c[1] == T(5) && all(a.xy == vec<T, 2>(T(1))) && (b * b).y == T(9) ? 1 : 0;
}
kernel void vectors(device int* out [[buffer(0)]]) {
    bool4 flags(true, false, bool2(true));
    out[0] = works<char>() + works<uchar>() + works<short>() + works<ushort>() + works<int>() + works<uint>() + works<long>()
           + works<ulong>() + works<half>() + works<bfloat>() + works<float>() + (flags.x && !flags.y && flags.w);
}
//--- array_ref, uniform and more traits
// buffer 0: i32 = zeros(8)
// dispatch: refs grid=1
// expect 0: i32 = 6 3 1 3 8 15 2 1
#include <metal_stdlib>
using namespace metal;
static int total(array_ref<int> a) {
    int sum = 0;
    for (int x : a) sum += x;
    return sum;
}
static_assert(is_same_v<common_type_t<int, float>, float> && rank<int[2][3]>::value == 2 && alignment_of<float4>::value == 16, "");
kernel void refs(device int* out [[buffer(0)]]) {
    array<int, 3> a = {1, 2, 3};
    out[0] = total(a);
    array_ref<int> r = make_array_ref(a);
    out[1] = int(r.size()); out[2] = r.front(); out[3] = r[2];
    uniform<int> u = 4;
    out[4] = u + u;
    int plain[2] = {7, 8};
    out[5] = total(array_ref<int>(plain, 2));
    out[6] = make_uniform(2);
    out[7] = array_ref<int>().empty();
}
//--- log records
// buffer 0: i32 = 1
// dispatch: talk grid=1
// expect 0: i32 = 2
#include <metal_stdlib>
#include <metal_logging>
using namespace metal;
constant os_log logger("org.example", "kernels");
kernel void talk(device int* p [[buffer(0)]]) {
    os_log_default.log("value %d of %f", p[0], 1.5f);
    logger.log_error("an error: %u", 3u);
    logger.log_with_type(os_log_type_debug, "nothing");
    p[0] = 2;
}
