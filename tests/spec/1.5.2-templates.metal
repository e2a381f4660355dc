// 1.5.2 Templates
#include <metal_stdlib>
using namespace metal;
//--- of functions, with types, values and defaults
// gives: i32 = 6 8 5
template <typename T, int N = 3> T times(T x) { return x * N; }
template <typename T = int> T five() { return 5; }
kernel void f(device int* o) { o[0] = times(2); o[1] = times<int, 4>(2); o[2] = five(); }
//--- of classes, with static members and nested types
// gives: i32 = 4 16
template <typename T, int N> struct Tile { using type = T; static constexpr constant int size = N; T data[N]; };
kernel void f(device int* o) { o[0] = Tile<float, 4>::size; o[1] = sizeof(Tile<float, 4>) / sizeof(Tile<char, 1>::type); }
//--- member templates and templates of constructors
// gives: i32 = 7 3
struct S { int v; template <typename T> S(T x) : v(int(x)) {} template <typename T> T as() const { return T(v); } };
kernel void f(device int* o) { o[0] = S(7.9f).as<int>(); o[1] = S(short(3)).template as<int>(); }
//--- full and partial specialization of classes
// gives: i32 = 0 1 2 3
template <typename T, typename U> struct Kind { static constexpr constant int v = 0; };
template <typename T> struct Kind<T, T> { static constexpr constant int v = 1; };
template <typename T, int N> struct Kind<vec<T, N>, T> { static constexpr constant int v = 2; };
template <> struct Kind<bool, char> { static constexpr constant int v = 3; };
kernel void f(device int* o) { o[0] = Kind<int, float>::v; o[1] = Kind<int, int>::v; o[2] = Kind<float4, float>::v; o[3] = Kind<bool, char>::v; }
//--- specialization of functions and variables
// gives: i32 = 1 2 10 20
template <typename T> int g(T) { return 1; }
template <> int g<float>(float) { return 2; }
template <typename T> constexpr constant int width = 10;
template <> constexpr constant int width<half> = 20;
kernel void f(device int* o) { o[0] = g(1); o[1] = g(1.0f); o[2] = width<float>; o[3] = width<half>; }
//--- parameter packs: expansion in calls, lists and bases
// gives: i32 = 10 4 3
static int sum() { return 0; }
template <typename T, typename... R> int sum(T x, R... rest) { return x + sum(rest...); }
template <typename... B> struct All : B... { int total() { return (B::value() + ...); } };
struct One { int value() { return 1; } };
struct Two { int value() { return 2; } };
template <int... N> int entry(int i) { int a[] = {N...}; return a[i]; }
kernel void f(device int* o) { o[0] = sum(1, 2, 3, 4); o[1] = entry<2, 4, 8>(1); All<One, Two> a; o[2] = a.total(); }
//--- templates as arguments of templates
// gives: i32 = 12 5
template <template <typename, size_t> class A, typename T> int bytes() { return sizeof(A<T, 3>); }
template <typename T> struct Plus { static T apply(T a, T b) { return a + b; } };
template <template <typename> class Op, typename T> T reduce(T a, T b) { return Op<T>::apply(a, b); }
kernel void f(device int* o) { o[0] = bytes<array, int>(); o[1] = reduce<Plus>(2, 3); }
//--- functions as arguments of templates
// gives: i32 = 9
static int square(int x) { return x * x; }
template <int (*F)(int)> int apply(int x) { return F(x); }
kernel void f(device int* o) { o[0] = apply<square>(3); }
//--- `auto` parameters
// gives: i32 = 4 1
template <auto V> int value() { return int(V); }
kernel void f(device int* o) { o[0] = value<4>(); o[1] = value<true>(); }
//--- `enable_if`, detection of members, tag dispatch
// gives: i32 = 1 2 1 0
template <typename T> enable_if_t<is_integral_v<T>, int> kind(T) { return 1; }
template <typename T> enable_if_t<is_floating_point_v<T>, int> kind(T) { return 2; }
template <typename T, typename = void> struct has_size : false_type {};
template <typename T> struct has_size<T, void_t<decltype(declval<T>().size)>> : true_type {};
struct S { int size; };
kernel void f(device int* o) { o[0] = kind(1); o[1] = kind(1.0h); o[2] = has_size<S>::value; o[3] = has_size<int>::value; }
//--- deduction from pointers with address spaces, arrays, vectors
// gives: i32 = 1 3 5
template <typename T> int g(device T*) { return is_same_v<T, int>; }
template <typename T, int N> int g(vec<T, N>) { return N; }
template <typename T, size_t N> int g(thread T (&)[N]) { return N; }
kernel void f(device int* o) { float a[5]; o[0] = g(o); o[1] = g(half3(0)); o[2] = g(a); }
//--- explicit instantiation of kernels with host names
// see: tests/run/templates.metal (function and class templates with host names)
//--- endless instantiation
// error: nesting-limit
template <int N> struct Deep { static constexpr constant int v = Deep<N + 1>::v; };
kernel void f(device int* o) { o[0] = Deep<0>::v; }
//--- concepts and `requires` (C++20)
// error: not-in-msl
template <typename T> requires true int g(T) { return 1; }
kernel void f(device int* o) { o[0] = g(1); }
//--- variable templates and dependent names
// gives: i32 = 4 8
template <typename T> constexpr constant int size_v = sizeof(T);
template <typename T> struct Traits { using pair = vec<T, 2>; template <typename U> using other = vec<U, 2>; };
template <typename T> int two() { typename Traits<T>::pair p; return sizeof(p); }
kernel void f(device int* o) { o[0] = size_v<float>; o[1] = two<float>() + 0 * sizeof(typename Traits<int>::template other<half>); }
//--- objects as arguments of templates (C++20)
// gives: i32 = 7 1 0
struct Shape { int m, n; constexpr Shape(int a, int b) : m(a), n(b) {} };
template <Shape S> struct Tile { static constexpr constant int sum = S.m + S.n; static int rows() { return S.m; } };
kernel void f(device int* o) {
    constexpr auto s = Shape(3, 4);
    o[0] = Tile<s>::sum;
    o[1] = is_same_v<Tile<s>, Tile<Shape(3, 4)>>;
    o[2] = is_same_v<Tile<s>, Tile<Shape(4, 3)>>;
}
//--- results of functions as arguments of templates
// gives: i32 = 4
struct S { static constexpr int size() { return 4; } };
template <typename T> int length() { array<int, T::size()> a; return a.size(); }
kernel void f(device int* o) { o[0] = length<S>(); }
//--- `using` of the members of a pack of bases
// gives: i32 = 3 15
template <typename... T> struct Overloaded : T... { using T::operator()...; };
template <typename... T> Overloaded(T...) -> Overloaded<T...>;
kernel void f(device int* o) { Overloaded v{[](int x) { return x; }, [](float x) { return int(x * 10); }}; o[0] = v(3); o[1] = v(1.5f); }
//--- tuples: bases by index, initialized as a pack
// gives: i32 = 371
template <size_t I, typename T> struct Leaf { T v; };
template <typename S, typename... T> struct Leaves;
template <size_t... I, typename... T> struct Leaves<index_sequence<I...>, T...> : Leaf<I, T>... { Leaves(T... t) : Leaf<I, T>{t}... {} };
template <typename... T> struct Tuple : Leaves<make_index_sequence<sizeof...(T)>, T...> { using Leaves<make_index_sequence<sizeof...(T)>, T...>::Leaves; };
template <size_t I, typename T> thread T& get(thread Leaf<I, T>& l) { return l.v; }
kernel void f(device int* o) { Tuple<int, short, char> t(1, 2, 3); get<1>(t) = 7; o[0] = get<0>(t) + get<1>(t) * 10 + get<2>(t) * 100; }
//--- deduction from an object of the template copies it
// gives: i32 = 10
template <typename T> struct W { T v; };
template <typename T> W(T) -> W<T>;
kernel void f(device int* o) { W w{5}; W x = w; W y(w); o[0] = x.v + y.v; }
//--- addresses of constants as arguments of templates; references
// gives: i32 = 5 4 6 1
constant int t1[] = {4, 5};
constant int t2[] = {6, 7};
template <constant int* P> int get(int i) { return P[i]; }
template <constant int (&A)[2]> int first() { return A[0]; }
template <constant auto& A> struct Table { static int at(int i) { return A[i]; } };
kernel void f(device int* o) {
    o[0] = get<t1>(1);
    o[1] = first<t1>();
    o[2] = Table<t2>::at(0);
    o[3] = is_same_v<Table<t1>, Table<t1>> && !is_same_v<Table<t1>, Table<t2>>;
}
//--- the address of a variable is no argument of a template
// error: no-matching-function
template <thread int* P> int get() { return *P; }
kernel void f(device int* o) { int x = 1; o[0] = get<&x>(); }
