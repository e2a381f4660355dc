//! Programs that check, most of them checking themselves with `static_assert`.

mod support;

use support::{accept, compile, open};

#[test]
fn scalars_follow_the_rules_of_metal() {
    accept(
        r#"
static_assert(is_same_v<decltype(1.0), float>);
static_assert(is_same_v<decltype(1.0h), half>);
static_assert(is_same_v<decltype(1u), uint>);
static_assert(is_same_v<decltype(1ul), ulong>);
static_assert(is_same_v<decltype(0xffffffff), uint>);
static_assert(is_same_v<decltype(4294967295), long>);
static_assert(is_same_v<decltype(half(1) * 2.0f), float>);
static_assert(is_same_v<decltype(half(1) * 2), half>);
static_assert(is_same_v<decltype(half(1) * half(2)), half>);
static_assert(is_same_v<decltype(bfloat(1) * 2), bfloat>);
static_assert(is_same_v<decltype(char(1) + char(1)), int>);
static_assert(is_same_v<decltype(ushort(1) + ushort(1)), int>);
static_assert(is_same_v<decltype(1 + 1u), uint>);
static_assert(is_same_v<decltype(1u + 1l), long>);
static_assert(is_same_v<decltype(uchar(1) << 1ul), int>);
static_assert(is_same_v<decltype(true ? 1 : 1.0), float>);
static_assert(is_same_v<decltype(sizeof(int)), size_t>);
static_assert(-1 < 0 && -1 > 0u);
static_assert(7 / 2 == 3 && -7 / 2 == -3 && -7 % 3 == -1);
static_assert((1 << 31) < 0 && (1u << 31) > 0);
static_assert(uchar(300) == 44 && char(200) == -56);
static_assert(int(3.99f) == 3 && int(-3.99f) == -3);
static_assert(1.0f / 3.0f > 0.333f && float(half(0.1)) != 0.1f);
static_assert(!false && (true || 1 / 1 == 0));
static_assert('a' == 97);
"#,
    );
}

#[test]
fn sizes_follow_the_abi() {
    accept(
        r#"
static_assert(sizeof(float3) == 16 && alignof(float3) == 16);
static_assert(sizeof(packed_float3) == 12 && alignof(packed_float3) == 4);
static_assert(sizeof(half3) == 8 && sizeof(bool4) == 4 && sizeof(long2) == 16);
static_assert(sizeof(float4x4) == 64 && sizeof(float3x3) == 48 && sizeof(half2x2) == 8);
struct Empty {};
struct A { char c; float3 v; char d; };
struct B : Empty { int x; };
struct C : A { char e; };
union U { float f; uint u; uchar bytes[4]; };
struct alignas(32) D { int x; };
struct E { int a; union { float f; int i; }; };
static_assert(sizeof(Empty) == 1 && sizeof(A) == 48 && alignof(A) == 16);
static_assert(sizeof(B) == 4 && sizeof(U) == 4 && sizeof(D) == 32 && sizeof(E) == 8);
static_assert(sizeof(int[3][4]) == 48 && sizeof(device int *) == 8);
enum Small : uchar { one };
enum class Scoped { x };
static_assert(sizeof(Small) == 1 && sizeof(Scoped) == 4);
struct P { packed_float3 p; float w; };
static_assert(sizeof(P) == 16);
"#,
    );
}

#[test]
fn vectors_build_swizzle_and_compute() {
    accept(
        r#"
constexpr constant float4 v = float4(1, 2, 3, 4);
static_assert(v.x == 1 && v.w == 4 && v.b == 3 && v[1] == 2);
static_assert(all(v.xy == float2(1, 2)) && all(v.wzyx == float4(4, 3, 2, 1)));
static_assert(all(float4(v.xy, 5, 6) == float4(1, 2, 5, 6)));
static_assert(all(float3(2) == float3(2, 2, 2)) && all(int2(float2(1.9, -1.9)) == int2(1, -1)));
static_assert(is_same_v<decltype(float4(1).xyz), float3>);
static_assert(is_same_v<decltype(v * 2), float4>);
static_assert(is_same_v<decltype(half4(1) * 2.0f), half4>);
static_assert(is_same_v<decltype(v < 2), bool4>);
static_assert(is_same_v<decltype(uint2(1) << 2), uint2>);
static_assert(all((v * 2 + 1) == float4(3, 5, 7, 9)) && all((v > 2) == bool4(false, false, true, true)));
static_assert(all(-v.xy == float2(-1, -2)) && all(~uint2(0) == uint2(0xffffffff)));
constexpr float sum(float4 a) { float s = 0; for (int i = 0; i < 4; i++) s += a[i]; return s; }
static_assert(sum(v) == 10);
constexpr float4 write() { float4 r = 0; r.xz = float2(1, 2); r.w += 5; r[1] = 9; r.yx = r.xy; return r; }
static_assert(all(write() == float4(9, 1, 2, 5)));
constexpr float3 packed() { packed_float3 p = float3(1, 2, 3); p.y = 7; p[2] = 8; return p * 2; }
static_assert(all(packed() == float3(2, 14, 16)));
constexpr int2 count() { int2 i = 0; i++; ++i; i--; i += int2(3, 4); i <<= 1; return i; }
static_assert(all(count() == int2(8, 10)));
constexpr bool logic() { bool2 a = bool2(true, false), b = bool2(true, true); return all((a || b)) && !all(a && b) && any(!a); }
static_assert(logic());
"#,
    );
}

#[test]
fn functions_overload_and_convert() {
    accept(
        r#"
constexpr int f(int) { return 1; }
constexpr int f(float) { return 2; }
constexpr int f(uint) { return 3; }
constexpr int f(float2) { return 4; }
constexpr int f(...) ;
static_assert(f(1) == 1 && f(1.0f) == 2 && f(1u) == 3 && f(float2(1)) == 4);
static_assert(f(short(1)) == 1 && f(half(1)) == 2 && f(true) == 1);
constexpr int g(int a, int b = 2, int c = 3) { return a * 100 + b * 10 + c; }
static_assert(g(1) == 123 && g(1, 4) == 143 && g(1, 4, 5) == 145);
constexpr int h(thread int& x) { return x++; }
constexpr int h(const thread int& x) { return 100 + x; }
constexpr int use() { int x = 5; const int y = 6; return h(x) + h(y) + h(7) + x; }
static_assert(use() == 5 + 106 + 107 + 6);
template <typename T> constexpr int pick(T) { return 1; }
template <typename T> constexpr int pick(thread T*) { return 2; }
template <typename T, int N> constexpr int pick(vec<T, N>) { return 10 + N; }
constexpr int pick(int) { return 3; }
constexpr int picked() { int x = 0; return pick(1.0f) * 1000 + pick(&x) * 100 + pick(1); }
static_assert(picked() == 1203 && pick(float3(1)) == 13);
namespace n { struct S { int v; }; constexpr int adl(S s) { return s.v; } constexpr S operator+(S a, S b) { return S{a.v + b.v}; } }
static_assert(adl(n::S{4} + n::S{5}) == 9);
constexpr int fact(int n) { return n <= 1 ? 1 : n * fact(n - 1); }
static_assert(fact(10) == 3628800);
constant int table[fact(3)] = {1, 2, 3};
static_assert(sizeof(table) == 24 && table[2] == 3 && table[5] == 0);
"#,
    );
}

#[test]
fn templates_deduce_specialise_and_fail_silently() {
    accept(
        r#"
template <typename T, typename U> struct same { static constexpr constant bool value = false; };
template <typename T> struct same<T, T> { static constexpr constant bool value = true; };
static_assert(same<int, int>::value && !same<int, uint>::value);
template <typename T> struct pointee;
template <typename T> struct pointee<device T*> { using type = T; static constexpr constant int space = 1; };
template <typename T> struct pointee<threadgroup T*> { using type = T; static constexpr constant int space = 2; };
template <typename T> struct pointee<const device T*> { using type = T; static constexpr constant int space = 3; };
static_assert(pointee<device float*>::space == 1 && pointee<threadgroup int*>::space == 2 && pointee<const device int*>::space == 3);
static_assert(is_same_v<pointee<threadgroup int*>::type, int>);
template <typename T, typename = void> struct has_x { static constexpr constant bool value = false; };
template <typename T> struct has_x<T, void_t<decltype(declval<T>().x)>> { static constexpr constant bool value = true; };
struct WithX { int x; };
static_assert(has_x<WithX>::value && !has_x<int>::value && has_x<float2>::value);
template <typename T> constexpr enable_if_t<is_floating_point_v<T>, int> kind(T) { return 1; }
template <typename T> constexpr enable_if_t<is_integral_v<T>, int> kind(T) { return 2; }
static_assert(kind(1.0f) == 1 && kind(1) == 2 && kind(half(1)) == 1);
template <int N> struct fib { static constexpr constant int value = fib<N - 1>::value + fib<N - 2>::value; };
template <> struct fib<0> { static constexpr constant int value = 0; };
template <> struct fib<1> { static constexpr constant int value = 1; };
static_assert(fib<20>::value == 6765);
template <typename... Ts> struct count { static constexpr constant int value = sizeof...(Ts); };
static_assert(count<>::value == 0 && count<int, float, half>::value == 3);
template <typename... Ts> constexpr int sum(Ts... xs) { return (xs + ... + 0); }
template <typename... Ts> constexpr bool all_int() { return (is_same_v<Ts, int> && ...); }
static_assert(sum(1, 2, 3, 4) == 10 && sum() == 0 && all_int<int, int>() && !all_int<int, float>());
constexpr int last() { return 0; }
template <typename T, typename... R> constexpr int last(T first, R... rest) { if constexpr (sizeof...(rest) == 0) return first; else return last(rest...); }
static_assert(last(1, 2, 7) == 7);
template <typename T> T constexpr zero = T(0);
template <> constexpr constant int zero<int> = 42;
static_assert(zero<float> == 0.0f && zero<int> == 42);
template <template <typename, int> class V, typename T> using three = V<T, 3>;
static_assert(is_same_v<three<vec, half>, half3>);
template <typename T, size_t N> constexpr size_t length(thread T (&)[N]) { return N; }
constexpr size_t lengths() { int a[7] = {}; return length(a); }
static_assert(lengths() == 7);
constexpr int twice(int x) { return 2 * x; }
template <int (*F)(int)> constexpr int apply(int x) { return F(x); }
template <typename F> constexpr int apply2(F f, int x) { return f(x); }
static_assert(apply<twice>(21) == 42);
template <typename T> struct Outer { template <typename U> struct Inner { using type = same<T, U>; }; template <typename U> constexpr U cast(T t) const { return U(t); } };
static_assert(Outer<int>::Inner<int>::type::value);
constexpr bool dependent() { Outer<float> o; return o.template cast<int>(2.5f) == 2; }
static_assert(dependent());
template <typename T> constexpr T only_floats(T x) { static_assert(is_floating_point_v<T>, "floats only"); return x; }
static_assert(only_floats(1.5f) == 1.5f);
template <size_t... I> constexpr int digits(index_sequence<I...>) { int r = 0; ((r = r * 10 + int(I)), ...); return r; }
static_assert(digits(make_index_sequence<4>()) == 123);
template <typename T> struct Defaulted { T v = T(3); };
template <typename T = float, int N = 4> struct Args { vec<T, N> v; };
static_assert(sizeof(Args<>) == 16 && sizeof(Args<half>) == 8 && Defaulted<int>{}.v == 3);
"#,
    );
}

#[test]
fn classes_construct_inherit_and_overload() {
    accept(
        r#"
struct Complex {
  float re, im;
  constexpr Complex(float r = 0, float i = 0) : re(r), im(i) {}
  constexpr Complex operator*(Complex o) const { return Complex(re * o.re - im * o.im, re * o.im + im * o.re); }
  constexpr thread Complex& operator+=(const thread Complex& o) thread { re += o.re; im += o.im; return *this; }
  constexpr bool operator==(Complex o) const { return re == o.re && im == o.im; }
  friend constexpr Complex operator-(Complex a, Complex b) { return Complex(a.re - b.re, a.im - b.im); }
  constexpr explicit operator bool() const { return re != 0 || im != 0; }
  constexpr float operator[](int i) const { return i == 0 ? re : im; }
  constexpr float operator()(float s) const { return re * s; }
  static constexpr Complex i() { return Complex(0, 1); }
};
static_assert(Complex::i() * Complex::i() == Complex(-1));
static_assert(Complex(3, 4) - 1 == Complex(2, 4) && Complex(1, 2)[1] == 2 && Complex(2)(4) == 8);
constexpr bool accumulate() { Complex c; c += Complex(1, 2); c += 3; return c ? c == Complex(4, 2) : false; }
static_assert(accumulate());
struct Base { int a = 1; constexpr int get() const { return a; } };
struct Other { int b = 2; };
struct Derived : Base, Other { int c; constexpr Derived(int x) : Base{x}, c(a + b) {} };
constexpr int slice(Base b) { return b.get(); }
static_assert(Derived(5).c == 7 && slice(Derived(8)) == 8 && Derived(3).get() == 3);
struct Aggregate { int a; float2 v; int arr[3]; struct { int x, y; } inner; };
constexpr constant Aggregate agg = {1, {2, 3}, {4, 5}, {6, 7}};
static_assert(agg.a == 1 && agg.v.y == 3 && agg.arr[1] == 5 && agg.arr[2] == 0 && agg.inner.y == 7);
constexpr constant Aggregate flat = {1, {2, 3}, 4, 5, 6, 7, 8};
static_assert(flat.arr[2] == 6 && flat.inner.x == 7);
constexpr constant Aggregate named = {.a = 3, .inner = {.y = 4}};
static_assert(named.a == 3 && named.inner.x == 0 && named.inner.y == 4);
union Bits { float f; uint u; };
constexpr uint bits(float f) { Bits b; b.f = f; return b.u; }
static_assert(bits(1.0f) == 0x3f800000);
struct Chained { int a; int b = a + 1; int c = b * 2; };
static_assert(Chained{4}.c == 10);
struct Delegating { int v; constexpr Delegating(int x) : v(x) {} constexpr Delegating() : Delegating(9) {} };
static_assert(Delegating().v == 9);
struct Inheriting : Delegating { using Delegating::Delegating; int extra = 4; };
static_assert(Inheriting(6).v == 6 && Inheriting(6).extra == 4);
template <typename T> struct Convertible { T v; template <typename U, typename = enable_if_t<is_convertible_v<T, U>>> constexpr operator U() const { return U(v); } };
static_assert(float(Convertible<int>{3}) == 3.0f);
template <typename T> struct Member { T v; constexpr T get() const; template <typename U> constexpr U as() const; };
template <typename T> constexpr T Member<T>::get() const { return v; }
template <typename T> template <typename U> constexpr U Member<T>::as() const { return U(v) + 1; }
static_assert(Member<int>{4}.get() == 4 && Member<int>{4}.as<float>() == 5.0f);
template <typename T> struct Pair { T a, b; Pair(T x, T y) : a(x), b(y) {} };
void deduced() { Pair p(1.0f, 2.0f); static_assert(is_same_v<decltype(p), Pair<float>>); }
enum Color { red, green = 5, blue };
enum class Mode : ushort { off, on = 3 };
static_assert(blue == 6 && int(Mode::on) == 3 && Mode::on != Mode::off && is_same_v<underlying_type_t<Mode>, ushort>);
"#,
    );
}

#[test]
fn methods_work_in_every_address_space() {
    accept(
        r#"
struct Block { float d; int q[4]; float scaled(int i) const { return d * q[i]; } void set(float x) { d = x; } };
struct Spaced { int which() const thread { return 0; } int which() const device { return 1; } int which() const constant { return 2; } int which() const threadgroup { return 3; } };
kernel void k(device Block* in, constant Block& c, threadgroup Block* t, device Spaced* s, constant Spaced& cs, device float* out) {
  Block local = in[0];
  t[0] = c;
  in[1].set(t[0].scaled(1));
  out[0] = in[0].scaled(0) + c.scaled(1) + t->scaled(2) + local.scaled(3);
  Spaced mine;
  out[1] = s->which() + cs.which() * 10 + mine.which() * 100;
}
"#,
    );
}

#[test]
fn statements_run_as_written() {
    accept(
        r#"
constexpr int loops() {
  int r = 0;
  for (int i = 0; i < 10; ++i) { if (i == 3) continue; if (i == 6) break; r += i; }
  int n = 3;
  while (n--) r += 100;
  do { r += 1000; } while (false);
  int a[3] = {1, 2, 3};
  for (int x : a) r += x * 10000;
  for (thread int& x : a) x *= 2;
  for (auto x : a) r += x * 100000;
  while (int left = 3 - n) { r++; n = 3 - left + 1; if (n > 2) break; }
  return r;
}
static_assert(loops() == 1261316);
constexpr int sw(int x) {
  int r = 0;
  switch (x) {
    case 0: r = 1; break;
    case 1: r = 2;
    case 2: case 3: r += 10; break;
    case 5 ... 7: return 50;
    default: r = 99;
  }
  return r;
}
static_assert(sw(0) == 1 && sw(1) == 12 && sw(3) == 10 && sw(6) == 50 && sw(9) == 99);
constexpr int scoped() { if (int x = 4; x > 3) return x; else return -x; }
static_assert(scoped() == 4);
struct Pt { int x, y; };
constexpr int bind() { auto [a, b] = Pt{3, 4}; int arr[2] = {5, 6}; thread auto& [c, d] = arr; c = 7; return a * 1000 + b * 100 + arr[0] * 10 + d; }
static_assert(bind() == 3476);
constexpr int lambdas() {
  int n = 1;
  auto add = [n](int x) { return x + n; };
  auto inc = [&](auto by) { n += by; };
  inc(4); inc(2u);
  auto nested = [=] { auto inner = [&] { return n; }; return inner() + 1; };
  return add(10) * 1000 + n * 10 + nested();
}
static_assert(lambdas() == 11078);
constexpr int pointers() { int a[4] = {1, 2, 3, 4}; thread int* p = a + 1; *p++ = 9; thread int* q = &a[3]; return a[1] * 100 + *p * 10 + int(q - p) + (p < q) + (p == a + 2); }
static_assert(pointers() == 933);
constexpr int comma() { int a = 1, b = 2; return (a = 5, b += a, a * b); }
static_assert(comma() == 35);
constexpr int shadows() { int x = 1; { int x = 2; x++; } for (int x = 0; x < 3; x++) {} return x; }
static_assert(shadows() == 1);
constexpr int autos() { auto x = 1.5f; const auto y = 2; thread auto& r = x; r += 1; auto p = &x; *p += 1; decltype(x) z = 3; return int(x * 10) + y + int(z); }
static_assert(autos() == 40);
typedef struct { int v; } Named;
static_assert(Named{3}.v == 3);
constexpr int local_types() { struct L { int v; constexpr int twice() const { return v * 2; } }; enum { k = 3 }; using I = int; I x = k; return L{x}.twice(); }
static_assert(local_types() == 6);
"#,
    );
}

#[test]
fn kernels_get_their_inputs() {
    let source = open(
        r#"
struct Args { int n; float s; };
kernel void k(device float* a, constant Args& args [[buffer(5)]], device const int* b [[buffer(0)]], texture2d<float> t, sampler s,
              threadgroup float* tg [[threadgroup(2)]], array<texture2d<half, access::read>, 3> ts, texture2d<float, access::write> w,
              ushort2 gid [[thread_position_in_grid]], uint lane [[thread_index_in_simdgroup]], constant uint3& dims) {}
"#,
    );
    let program = compile(&source, "k", &Default::default());
    let inputs: Vec<String> =
        program.entry_points[0].inputs.iter().map(|i| format!("{} {:?}", i.name, i.kind)).collect();
    let expected = [
        "a Buffer { index: 1, is_reference: false }",
        "args Buffer { index: 5, is_reference: true }",
        "b Buffer { index: 0, is_reference: false }",
        "t Texture { index: 0, count: 1 }",
        "s Sampler { index: 0 }",
        "tg Threadgroup { index: 2, is_reference: false }",
        "ts Texture { index: 1, count: 3 }",
        "w Texture { index: 4, count: 1 }",
        "gid Builtin(ThreadPositionInGrid)",
        "lane Builtin(ThreadIndexInSimdgroup)",
        "dims Buffer { index: 2, is_reference: true }",
    ];
    assert_eq!(inputs, expected);
}

#[test]
fn instantiations_are_entry_points() {
    let source = open(
        r#"
template <typename T, int N> [[kernel]] void fill(device T* out [[buffer(0)]], constant T& v, uint i [[thread_position_in_grid]]) { for (int k = 0; k < N; k++) out[i * N + k] = v; }
template [[host_name("fill_float")]] [[kernel]] void fill<float, 2>(device float*, constant float&, uint);
typedef decltype(fill<half, 4>) fill_t;
template [[host_name("fill_half")]] kernel fill_t fill<half, 4>;
template [[host_name("fill_int")]] [[kernel]] decltype(fill<int, 1>) fill<int, 1>;
kernel void plain(device int* p) { *p = 1; }
"#,
    );
    let names: Vec<String> = source.library.entry_points().iter().map(|e| e.name.to_string()).collect();
    assert_eq!(names, ["fill_float", "fill_half", "fill_int", "plain"]);
    for n in names {
        compile(&source, &n, &Default::default());
    }
}

#[test]
fn function_constants_are_known_when_compiling() {
    let source = open(
        r#"
constant int n [[function_constant(0)]];
constant bool has_bias [[function_constant(1)]];
constant bool defined = is_function_constant_defined(n);
constant int size = defined ? n : 7;
kernel void k(device float* a, device const float* bias [[buffer(1), function_constant(has_bias)]]) {
  const int half_size = size / 2;
  if (has_bias) a[0] += bias[0];
  for (int i = 0; i < half_size; i++) a[i] = size;
}
"#,
    );
    let constants = source.library.function_constants();
    assert_eq!(constants.len(), 2);
    let mut values = msl_sema::FunctionConstantValues::default();
    values.set_index(0, [12, 0, 0, 0]);
    values.set_name("has_bias", [0; 4]);
    let program = compile(&source, "k", &values);
    assert!(matches!(program.entry_points[0].inputs[1].kind, msl_sema::hir::InputKind::Absent));
    let function = &program.functions[program.entry_points[0].function];
    let text = format!("{:?}", function.body);
    assert!(text.contains("Constant(6)"), "12 / 2 is not known: {text}");
}

#[test]
fn a_call_of_itself_at_the_end_is_a_loop() {
    accept(
        r#"
int gcd(int a, int b) { if (b == 0) return a; return gcd(b, a % b); }
struct Walker { int n = 0; void step(int by) thread { n += by; if (by > 0) { step(by - 1); } } };
kernel void k(device int* p) { Walker w; w.step(3); p[0] = gcd(p[1], p[2]) + w.n; }
"#,
    );
}
