//! One construct at a time: source, tree.

use super::{check, check_stmt};

#[test]
fn binary_operators_bind_by_precedence() {
    check_stmt("a = b + c * a << 2 & b == c || !a;", "(= a (|| (& (<< (+ b (* c a)) 2) (== b c)) (! a)))");
    check_stmt("a = b = c += a ? b : c, a;", "(, (= a (= b (+= c (? a b c)))) a)");
    check_stmt("a - b - c;", "(- (- a b) c)");
    check_stmt("-a++ * ~*&b;", "(* (- (post++ a)) (~ (* (& b))))");
}

#[test]
fn literals_keep_their_suffixes() {
    check_stmt(
        "1; 2u; 0x10; 1.0; 2.5f; 1.5h; 'a'; true; nullptr;",
        "
        1
        2u
        16
        1.0
        2.5f
        1.5h
        (char 97)
        true
        nullptr",
    );
    check("static_assert(true, \"a\" \"b\");", "static_assert true, \"ab\"");
}

#[test]
fn less_than_follows_values_and_opens_arguments_of_templates() {
    check_stmt(
        "uint step = 1; a = step < 4 && b > (c);",
        "
        var step: uint = 1
        (= a (&& (< step 4) (> b (paren c))))",
    );
    check_stmt("a = min<int>(b, c) < max(a, b);", "(= a (< min<int>(b, c) max(a, b)))");
    // A local variable hides the template.
    check_stmt(
        "int min = 1; a = min < b;",
        "
        var min: int = 1
        (= a (< min b))",
    );
    check_stmt(
        "int vec = 1; a = metal::min<T>(a, vec);",
        "
        var vec: int = 1
        (= a metal::min<T>(a, vec))",
    );
}

#[test]
fn closing_angles_split() {
    check(
        "vec<vec<float, 4>, 2> a; vec<vec<vec<int, 1>, 2>, 3>b; integral_constant<int, (8 >> 2)> c;",
        "
        var a: vec<vec<float, 4>, 2>
        var b: vec<vec<vec<int, 1>, 2>, 3>
        var c: integral_constant<int, (paren (>> 8 2))>",
    );
    check(
        "template <typename T, typename = vec<T, 2>> struct A {}; template <class T = A<int>>struct B;",
        "
        template<T: type, _: type = vec<T, 2>> struct A
        template<T: type = A<int>> struct B;",
    );
    check(
        "template <int N> using B = enable_if_t<N >= 4>; template <int N> using C = enable_if_t<(N > 4)>;",
        "
        template<N: int> alias B = enable_if_t<(>= N 4)>
        template<N: int> alias C = enable_if_t<(paren (> N 4))>",
    );
}

#[test]
fn casts_need_a_type_in_the_parentheses() {
    check_stmt(
        "(float)a; (a) - b; (device float4 *)(p + a); (T)-1; (T)(a); *(thread int *)&a;",
        "
        (cast float a)
        (- (paren a) b)
        (cast ptr(device float4) (paren (+ p a)))
        (cast T (- 1))
        (cast T (paren a))
        (* (cast ptr(thread int) (& a)))",
    );
    check_stmt(
        "(float(a)); (T{}); (T(a)) * b; (N) * a; (void (*)(int))p; (float4x)(a);",
        "
        (paren (new float)(a))
        (paren (new T){})
        (* (paren (new T)(a)) b)
        (* (paren N) a)
        (cast ptr(fn(int) -> void) p)
        (paren float4x)(a)",
    );
    check_stmt(
        "static_cast<int>(a); as_type<uint>(a); reinterpret_cast<device uint *>(p);",
        "
        (static_cast int a)
        as_type<uint>(a)
        (reinterpret_cast ptr(device uint) p)",
    );
}

#[test]
fn types_construct_with_parentheses_and_braces() {
    check_stmt(
        "float4(1, 2); uint2{a, b}; unsigned(a); float{}; vec<float, 2>(a); typename T::type(a); decltype(a){b};",
        "
        (new float4)(1, 2)
        (new uint2){a, b}
        (new unsigned int)(a)
        (new float){}
        (new vec<float, 2>)(a)
        (new typename T::type)(a)
        (new decltype(a)){b}",
    );
}

#[test]
fn declarations_and_expressions_are_told_apart() {
    check_stmt(
        "T x; T *y; T z(a); float4 w{1}; a * b; T (*fp)(int); float(&r)[2] = x;",
        "
        var x: T
        var y: ptr(T)
        var z: T (a)
        var w: float4 {1}
        (* a b)
        var fp: ptr(fn(int) -> T)
        var r: ref(array(float, 2)) = x",
    );
    check_stmt(
        "typename T::type q = a; auto &&u = p; const device float *const v = p;",
        "
        var q: typename T::type = a
        var u: rref(auto) = p
        var v: const ptr(device const float) = p",
    );
    // Names nobody knows still read as declarations where nothing else fits.
    check_stmt(
        "Unknown x = 1; other::Type y; Unknown<float> z; Unknown *q = p;",
        "
        var x: Unknown = 1
        var y: other::Type
        var z: Unknown<float>
        var q: ptr(Unknown) = p",
    );
}

#[test]
fn array_variables_carry_their_address_space_outside() {
    check_stmt(
        "threadgroup float tile[4][N]; threadgroup float (*q)[4]; const int k[] = {1, 2};",
        "
        var tile: threadgroup array(array(float, N), 4)
        var q: ptr(array(threadgroup float, 4))
        var k: array(const int, ?) = {1, 2}",
    );
    check("constant float t[2] = {1, 2};", "var t: constant array(float, 2) = {1, 2}");
}

#[test]
fn parameters_can_be_functions_arrays_and_packs() {
    check("template <typename T> void f(void (&g)(device const T *, short, thread T &), void (*h)(int), threadgroup T (&t)[4], T[3], const device T *p);", "
        template<T: type> fn f(g: ref(fn(ptr(device const T), short, ref(thread T)) -> void), h: ptr(fn(int) -> void), t: ref(array(threadgroup T, 4)), array(T, 3), p: ptr(device const T)) -> void;");
    check(
        "template <typename... Ts> void f(thread Ts &...xs, Ts &&...); void g(void); int h(int, ...);",
        "
        template<Ts...: type> fn f(xs...: ref(thread Ts), rref(Ts)...) -> void;
        fn g() -> void;
        fn h(int, ...) -> int;",
    );
    check("void (*f(int a))(float);", "fn f(a: int) -> ptr(fn(float) -> void);");
}

#[test]
fn attributes_stand_in_many_places() {
    check("kernel void f(uint i [[thread_position_in_grid]], device float *p [[buffer(0), function_constant(c)]]) [[max_total_threads_per_threadgroup(32)]] {}", "
        kernel fn f(i: uint [[thread_position_in_grid]], p: ptr(device float) [[buffer(0)]] [[function_constant(c)]]) -> void [[max_total_threads_per_threadgroup(32)]]");
    check(
        "[[kernel, host_name(\"g\")]] void f([[maybe_unused]] int a); struct [[gnu::packed]] S { float x [[color(0)]]; alignas(16) float y; };",
        "
        kernel fn f(a: int [[maybe_unused]]) -> void [[host_name(\"g\")]];
        struct S [[gnu::packed]]
          var x: float [[color(0)]]
          var y: float [[alignas(16)]]",
    );
    check(
        "__attribute__((always_inline)) int f(); typedef float4 V __attribute__((aligned(4))); constant int n [[function_constant(0)]];",
        "
        fn f() -> int [[always_inline]];
        alias V = float4 [[aligned(4)]]
        var n: constant int [[function_constant(0)]]",
    );
    check_stmt(
        "threadgroup __attribute__((aligned(16))) T buf[N]; if (a) [[likely]] b; [[maybe_unused]] int q = 1;",
        "
        var buf: threadgroup array(T, N) [[aligned(16)]]
        if a
          b
        var q: int = 1 [[maybe_unused]]",
    );
}

#[test]
fn classes_see_members_that_come_later() {
    check(
        "struct S { int f() { return g<2>(h); } template <int K> int g(int x) { return x < h; } int h; };",
        "
        struct S
          fn f() -> int
            return g<2>(h)
          template<K: int> fn g(x: int) -> int
            return (< x h)
          var h: int",
    );
    check(
        "struct S { T0 f() { U x; return x; } struct U {}; }; struct V : S { V() { U u; } };",
        "
        struct S
          fn f() -> T0
            var x: U
            return x
          struct U
        struct V : S
          constructor V()
            var u: U",
    );
}

#[test]
fn constructors_operators_and_conversions() {
    check(
        "template <typename T> struct S { S() thread = default; explicit constexpr S(T x) constant : a(x), b{x} {} ~S() {} operator T() const device { return a; } T operator[](int i) threadgroup const; S &operator+=(S o); S operator-() const; bool operator()(int) const = delete; T a, b; };",
        "
        template<T: type> struct S
          constructor S() thread = default
          constexpr explicit constructor S(x: T) constant
            init a(x)
            init b{x}
          destructor ~S()
          conversion operator T() device const
            return a
          fn operator[](i: int) threadgroup const -> T;
          fn operator+=(o: S) -> ref(S);
          fn operator-() const -> S;
          fn operator()(int) const -> bool = delete
          var a: T
          var b: T",
    );
    check(
        "struct S { S(int); operator int() const; static int n; struct I; int m() const device; }; S::S(int x) {} S::operator int() const { return 1; } int S::n = 2; struct S::I { int q; }; int S::m() const device { I i; return n; }",
        "
        struct S
          constructor S(int);
          conversion operator int() const;
          static var n: int
          struct I;
          fn m() device const -> int;
        constructor S::S(x: int)
        conversion S::operator int() const
          return 1
        var S::n: int = 2
        struct S::I
          var q: int
        fn S::m() device const -> int
          var i: I
          return n",
    );
}

#[test]
fn members_of_templates_are_defined_outside() {
    check(
        "template <typename T> struct S { using type = T; template <typename U> T f(U u); static int n; }; template <typename T> template <typename U> T S<T>::f(U u) { type t = T(u); return t; } template <typename T> int S<T>::n = 1;",
        "
        template<T: type> struct S
          alias type = T
          template<U: type> fn f(u: U) -> T;
          static var n: int
        template<T: type> template<U: type> fn S<T>::f(u: U) -> T
          var t: type = (new T)(u)
          return t
        template<T: type> var S<T>::n: int = 1",
    );
}

#[test]
fn specialisations_and_instantiations() {
    check(
        "template <typename T> struct S; template <> struct S<int> { using type = int; }; template <typename T> struct S<vec<T, 2>> { T x; }; template <typename T> constexpr constant int n = 1; template <> constexpr constant int n<float> = 2;",
        "
        template<T: type> struct S;
        template<> struct S<int>
          alias type = int
        template<T: type> struct S<vec<T, 2>>
          var x: T
        template<T: type> constexpr var n: constant int = 1
        template<> constexpr var n<float>: constant int = 2",
    );
    check(
        "template <typename T, int N> [[kernel]] void f(device T *p) {} template [[host_name(\"f4\")]] [[kernel]] void f<float, 4>(device float *p); template [[host_name(\"f5\")]] [[kernel]] decltype(f<float, 5>) f<float, 5>; typedef decltype(f<float, 1>) f_t; template [[host_name(\"f1\")]] kernel f_t f<half, 1>; template struct vec<float, 3>; extern template void f<int, 1>(device int *);",
        "
        template<T: type, N: int> kernel fn f(p: ptr(device T)) -> void
        instantiate
          kernel fn f<float, 4>(p: ptr(device float)) -> void [[host_name(\"f4\")]];
        instantiate
          var f<float, 5>: decltype(f<float, 5>) [[host_name(\"f5\")]] [[kernel]]
        alias f_t = decltype(f<float, 1>)
        instantiate
          var f<half, 1>: f_t [[host_name(\"f1\")]] [[kernel]]
        instantiate
          struct vec<float, 3>;
        extern instantiate
          fn f<int, 1>(ptr(device int)) -> void;",
    );
}

#[test]
fn template_arguments_are_types_expressions_or_left_open() {
    check(
        "template <template <typename, int> class V, typename T, int N, void (*F)(T)> struct A {}; template <typename T> struct B { A<vec, T, T::n, g<T>> a; A<T::template V, typename T::type, sizeof(T) * 2, &g> b; texture2d<float, access::write> t; };",
        "
        template<V: template<_: type, _: int>, T: type, N: int, F: ptr(fn(T) -> void)> struct A
        template<T: type> struct B
          var a: A<?vec, T, ?T::n, ?g<T>>
          var b: A<?T::V, typename T::type, (* (sizeof-type T) 2), (& g)>
          var t: texture2d<float, [access::write]>",
    );
    check(
        "template <typename... Ts> struct A {}; template <typename... Ts> struct B : A<Ts...>, A<vec<Ts, 2>...> {}; A<> a; A<void(int), int (*)(float), float[4]> b;",
        "
        template<Ts...: type> struct A
        template<Ts...: type> struct B : A<Ts...>, A<vec<Ts, 2>...>
        var a: A<>
        var b: A<fn(int) -> void, ptr(fn(float) -> int), array(float, 4)>",
    );
}

#[test]
fn member_templates_need_no_keyword_where_the_object_is_known() {
    check_stmt(
        "texture2d<float> t; a = t.sample<int>(a, b); a = p->n < b && c > (a); a = x.template get<0>(); a = x.size < b;",
        "
        var t: texture2d<float>
        (= a t.sample<int>(a, b))
        (= a (&& (< p->n b) (> c (paren a))))
        (= a x.get<0>())
        (= a (< x.size b))",
    );
}

#[test]
fn folds_and_packs() {
    check_stmt(
        "a = (ts + ...); a = (... && ts); a = (0 + ... + ts); a = (ts * ... * 1); (f(ts), ...); g(ts..., 1, (ts + 1)...); a = sizeof...(Ts);",
        "
        (= a (fold-right + ts))
        (= a (fold-left && ts))
        (= a (fold-left + ts from 0))
        (= a (fold-right * ts from 1))
        (fold-right , f(ts))
        g(ts..., 1, (paren (+ ts 1))...)
        (= a (sizeof... Ts))",
    );
}

#[test]
fn lambdas() {
    check_stmt(
        "auto g = [&](int x) { return x; }; auto h = [=, &a, q = b](auto... xs) mutable -> float { return g(a); }; g([] {}); auto k = []<typename U>(U u) { U v = u; return v; };",
        "
        var g: auto = (lambda [&] (x: int) {return x})
        var h: auto = (lambda [=, &a, q = b] (xs...: auto) mutable -> float {return g(a)})
        g((lambda [] () {}))
        var k: auto = (lambda [] template<U: type> (u: U) {var v: U = u; return v})",
    );
}

#[test]
fn statements() {
    check_stmt(
        "if (int q = a) b; else if constexpr (N > 1) c; else { a; { b; } } if (int q = a; q > 1) b; while (a) break; do continue; while (b); for (;;) {} for (int i = 0, j = 1; i < 4; ++i, ++j) p[i]; for (auto x : p) x; return;",
        "
        if q: int = a
          b
        else
          if constexpr (> N 1)
            c
          else
            a
            block
              b
        if (> q 1)
          init
            var q: int = a
          b
        while a
          break
        do-while b
          continue
        for ; 
        for (< i 4); (, (++ i) (++ j))
          init
            var i: int = 0
            var j: int = 1
          p[i]
        for-each x: auto in p
          x
        return",
    );
    check_stmt(
        "switch (a) { case 1: case 2 ... 4: b; break; default: { c; } } auto [x, y] = p; auto &[z] = p; using V = float4; V v = {1, 2}; return {v.x};",
        "
        switch a
          case 1
            case 2 ... 4
              b
          break
          default
            c
        bind [x, y]: auto = p
        bind [z]: ref(auto) = p
        alias V = float4
        var v: V = {1, 2}
        return {v.x}",
    );
}

#[test]
fn loop_and_floating_point_pragmas() {
    let source = "
        #pragma METAL fp math_mode(safe)
        void f(int a) {
        #pragma unroll
          for (;;) {}
        #pragma unroll(4)
          while (a) {}
          _Pragma(\"nounroll\") do {} while (a);
          for (;;) {}
        #pragma METAL fp contract(off)
        }";
    check(
        source,
        "
        fp math_mode(safe)
        fn f(a: int) -> void
          for ;  unroll
          while a unroll(4)
          do-while a nounroll
          for ; 
          fp contract(off)",
    );
}

#[test]
fn namespaces_are_remembered() {
    check(
        "namespace a::b { template <int N> struct S {}; template <int N> int f(); } namespace c = a::b; namespace { int hidden; } inline namespace v1 { struct In {}; } a::b::S<1> x; int y = c::f<2>() + a::b::f<3>(); In z; using a::b::f; int w = f<4>();",
        "
        namespace a
          namespace b
            template<N: int> struct S
            template<N: int> fn f() -> int;
        namespace c = a::b
        namespace <anonymous>
          var hidden: int
        inline namespace v1
          struct In
        var x: a::b::S<1>
        var y: int = (+ c::f<2>() a::b::f<3>())
        var z: In
        using a::b::f
        var w: int = f<4>()",
    );
}

#[test]
fn enumerations_and_anonymous_classes() {
    check(
        "enum E : uint { A, B = 1 << 2, }; enum class F; enum { C } c; union U { struct { float x, y; }; float v[2]; }; typedef struct { int q; } P; typedef struct Q { Q *next; } Q; struct R { int n; } r, *s; E e = A;",
        "
        enum E : uint
          A
          B = (<< 1 2)
        enum class F
        var c: enum {1}
          C
        union U
          struct <anonymous>
            var x: float
            var y: float
          var v: array(float, 2)
        alias P = class {1}
          var q: int
        struct Q
          var next: ptr(Q)
        alias Q = Q
        struct R
          var n: int
        var r: R
        var s: ptr(R)
        var e: E = A",
    );
}

#[test]
fn initialisers_may_be_designated_and_nested() {
    check_stmt(
        "S s = {.a = 1, .b = {2, 3}}; float m[4] = {[0 ... 2] = 1.0, [3] = 2}; f({1, 2}, a); a = {3};",
        "
        var s: S = {.a = 1, .b = {2, 3}}
        var m: array(float, 4) = {[0 ... 2] = 1.0, [3] = 2}
        f({1, 2}, a)
        (= a {3})",
    );
}

#[test]
fn type_traits_take_types() {
    check("template <typename T> constexpr constant bool b = __is_same(T, float) && __is_base_of(vec<T, 2>, T); template <typename E> using U = __underlying_type(E); using A = decltype(auto); using D = decltype(1 + 2); using X = __vec<float, 4>;", "
        template<T: type> constexpr var b: constant bool = (&& __is_same((type T), (type float)) __is_base_of((type vec<T, 2>), (type T)))
        template<E: type> alias U = decltype(__underlying_type((type E)))
        alias A = decltype(auto)
        alias D = decltype((+ 1 2))
        alias X = __vec<float, 4>");
    check(
        "template <bool B> struct If; template <typename T> using V = If<__is_enum(T)>;",
        "
        template<B: bool> struct If;
        template<T: type> alias V = If<__is_enum((type T))>",
    );
}

#[test]
fn deduction_guides_friends_and_trailing_returns() {
    check(
        "template <typename T> struct S { S(T); friend bool operator==(S a, S b) { return true; } friend struct Other; }; template <typename T> S(T) -> S<T>; S s(1); auto f(int a) -> decltype(a) { return a; }",
        "
        template<T: type> struct S
          constructor S(T);
          friend
            fn operator==(a: S, b: S) -> bool
              return true
          friend
            struct Other;
        template<T: type> guide S(T) -> S<T>;
        var s: S (1)
        fn f(a: int) -> decltype(a)
          return a",
    );
}

#[test]
fn sfinae_forms() {
    check(
        "template <typename T, typename = enable_if_t<is_same_v<T, float>>> T f(T x); template <typename T, enable_if_t<is_same_v<T, int> && sizeof(T) == 4, bool> = true> T g(T x); template <typename T> enable_if_t<!is_same_v<T, int>, T> h(T x);",
        "
        template<T: type, _: type = enable_if_t<[is_same_v<T, float>]>> fn f(x: T) -> T;
        template<T: type, _: enable_if_t<(&& is_same_v<T, int> (== (sizeof-type T) 4)), bool> = true> fn g(x: T) -> T;
        template<T: type> fn h(x: T) -> enable_if_t<(! is_same_v<T, int>), T>;",
    );
}
