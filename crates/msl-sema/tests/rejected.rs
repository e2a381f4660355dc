//! Programs that do not check, with the messages they get. A case is a line of source and what is said about it.

mod support;

use support::{reject, reject_kernel};

#[test]
fn names_that_are_wrong() {
    reject(
        r#"void f() { int x = undefined_thing; }"#,
        r#"
        1:20 error unknown-identifier: 'undefined_thing' is not declared
        "#,
    );
    reject(
        r#"void f() { float y = sqroot(2.0f); int threadgrup = 1; threadgroup_barier(mem_flags::mem_threadgroup); }"#,
        r#"
        1:22 error unknown-identifier: 'sqroot' is not declared
          help: did you mean 'sqrt'?
        1:56 error unknown-identifier: 'threadgroup_barier' is not declared
          help: did you mean 'threadgroup_barrier'?
        "#,
    );
    reject(
        r#"void f() { int value = 1; valu = 2; }"#,
        r#"
        1:27 error unknown-identifier: 'valu' is not declared
          help: did you mean 'value'?
        "#,
    );
    reject(
        r#"struct S { int count; }; void f(thread S& s) { s.cout = 1; s->count = 2; }"#,
        r#"
        1:50 error unknown-member: 'S' has no member 'cout'
          1:8 note: the type is declared here
          help: did you mean 'count'?
        1:60 error not-a-pointer: 'S' is not a pointer
          help: use '.' instead of '->'
        "#,
    );
    reject(
        r#"namespace a { int f(int); } void g() { a::g(1); b::f(1); a::f.x; f(1); int v = int; }"#,
        r#"
        1:80 error expected-expression: expected an expression, but this is a type
        1:43 error unknown-member: no 'g' in namespace 'a'
        1:49 error unknown-identifier: 'b' is not declared
        1:58 error pointer-member: 'int (*)(int)' is a pointer
          help: use '->' instead of '.'
        1:66 error unknown-identifier: 'f' is not declared
          help: it is in namespace 'a': add 'using namespace a;' or write 'a::f'
        "#,
    );
}

#[test]
fn vectors_that_are_wrong() {
    reject(
        r#"void f(float4 v) { v.q = 1; v.xr = float2(1); float3 w = v; v.xx = float2(1); }"#,
        r#"
        1:22 error unknown-component: 'float4' has no member 'q'
        1:31 error unknown-component: 'float4' has no member 'xr'
          help: components are named with 'xyzw' or with 'rgba', not with both at once
        1:58 error no-conversion: 'float4' does not convert to 'float3'
        1:61 error not-assignable: a vector with a repeated component cannot be assigned to
        "#,
    );
    reject(
        r#"void f(float4 v, int4 i, float3 w) { v + i; v * w; i * 1.5f; v % v; }"#,
        r#"
        1:40 error invalid-operands: '+' does not apply to 'float4' and 'int4'
          help: convert one side: 'float4(…)' or 'int4(…)'
        1:47 error invalid-operands: '*' does not apply to 'float4' and 'float3'
          help: the vectors have 4 and 3 components
        1:54 error invalid-operands: '*' does not apply to 'int4' and 'float'
        1:64 error invalid-operands: '%' does not apply to 'float4' and 'float4'
          help: use 'fmod(x, y)'
        "#,
    );
    reject(
        r#"void g(float4 v) { if (v < 1) {} if (v.x) {} int i = 1 ? 2 : float2(1); }"#,
        r#"
        1:24 error no-conversion: a condition is a 'bool', not 'bool4'
          help: combine the components with 'all(…)' or 'any(…)'
        1:58 error no-conversion: 'float2' does not convert to 'int'
        "#,
    );
    reject(
        r#"void g() { float3 v = float3(1, 2); float2 w = float2(float4(1)); float4 u = {1, 2, 3, 4, 5}; int a[2] = {1, 2, 3}; }"#,
        r#"
        1:23 error component-count: 'float3' has 3 components, and the arguments have 2
        1:48 error component-count: 'float2' has 2 components, and the arguments have 4
          help: select components: '.xy'
        1:78 error component-count: 'float4' has 4 components, and the arguments have 5
        1:113 error too-many-initializers: 'int[2]' has fewer elements than the list
        "#,
    );
}

#[test]
fn calls_that_are_wrong() {
    reject(
        r#"void f(device float* d, thread float& r) {} void g(device float* p, constant float& c) { float x; f(&x, x); f(p, *p); f(p, c); }"#,
        r#"
        1:101 error no-matching-function: 'f' cannot be called like this: argument 1: 'thread float *' does not convert to 'device float *': the address spaces differ
          1:6 note: it is declared here
        1:114 error no-matching-function: 'f' cannot be called like this: argument 2: a 'device' object cannot bind to a reference to 'thread'
          1:6 note: it is declared here
        1:124 error no-matching-function: 'f' cannot be called like this: argument 2: a 'constant' object cannot bind to a reference to 'thread'
          1:6 note: it is declared here
        "#,
    );
    reject(
        r#"void f(int a, int b) {} void g() { f(1); f(1, 2, 3); f(float2(1), 2); }"#,
        r#"
        1:36 error no-matching-function: 'f' cannot be called like this: it takes 2 arguments, not 1
          1:6 note: it is declared here
        1:42 error no-matching-function: 'f' cannot be called like this: it takes 2 arguments, not 3
          1:6 note: it is declared here
        1:56 error no-matching-function: 'f' cannot be called like this: argument 1: 'float2' does not convert to 'int'
          1:6 note: it is declared here
        "#,
    );
    reject(
        r#"void f(int a, float b) {} void f(float a, int b) {} void g() { f(1, 1); f(1.0f, 1); f(float2(1), 1); }"#,
        r#"
        1:64 error ambiguous-call: the call of 'f' is ambiguous
          1:6 note: this one would do
          1:32 note: this one would do
          help: convert an argument so that one function fits best
        1:85 error no-matching-function: no 'f' takes (float2, int)
          1:6 note: this one does not: argument 1: 'float2' does not convert to 'int'
          1:32 note: this one does not: argument 1: 'float2' does not convert to 'float'
        "#,
    );
    reject(
        r#"template <typename T> T add(T a, T b) { return a + b; } void g() { add(1, 2.0f); add<int>(1, 2.0f); }"#,
        r#"
        1:68 error no-matching-function: 'add' cannot be called like this: 'T' is deduced as both 'int' and 'float'
          1:25 note: it is declared here
        "#,
    );
    reject(
        r#"template <typename T> T twice(T x) { return x.value * 2; } template <typename T> T outer(T x) { return twice(x); } void g() { outer(1); }"#,
        r#"
        1:45 error not-a-class: 'int' has no members
          1:104 note: while instantiating 'twice<int>'
          1:127 note: while instantiating 'outer<int>'
        "#,
    );
    reject(
        r#"struct V { V(int) {} }; void g() { V v; V w = {1, 2}; explicit_thing(); V u = 1.5f; }"#,
        r#"
        1:38 error no-matching-function: 'V' cannot be called like this: it takes 1 argument, not 0
          1:12 note: it is declared here
        1:47 error no-matching-function: 'V' cannot be called like this: it takes 1 argument, not 2
          1:12 note: it is declared here
        1:55 error unknown-identifier: 'explicit_thing' is not declared
        "#,
    );
    reject(
        r#"int f(int); void g() { f(1); }"#,
        r#"
        1:5 error undefined-function: 'f' is used but not defined
        "#,
    );
    reject(
        r#"void g(int (*f)(int)) { f(1, 2); } int h(int x) { return x; } void i() { g(h); h; h.x; }"#,
        r#"
        1:25 error no-matching-function: 'int (*)(int)' takes 1 argument, not 2
        1:83 error pointer-member: 'int (*)(int)' is a pointer
          help: use '->' instead of '.'
        "#,
    );
    reject(
        r#"void g() { int x = 1; auto l = [] { return x; }; auto m = [&](int y) { return x + z; }; l(1); }"#,
        r#"
        1:44 error not-captured: 'x' belongs to an enclosing function
          help: a lambda has to capture it: '[&]' or '[=]'
        1:83 error unknown-identifier: 'z' is not declared
        1:89 error no-matching-function: 'operator()' cannot be called like this: it takes no arguments, not 1
          1:32 note: it is declared here
        "#,
    );
    reject(
        r#"template <typename T, typename = enable_if_t<is_integral_v<T>>> T only(T x) { return x; } void g() { only(1.5f); }"#,
        r#"
        1:102 error no-matching-function: 'only' cannot be called like this: no 'type' in 'enable_if<false, void>'
          1:67 note: it is declared here
        "#,
    );
    reject_kernel(
        r#"template <typename T> void f(T, T); template <> void f(int, int) {} kernel void k(device int* p) { f(1.0f, 1.0f); }"#,
        r#"
        1:28 error undefined-function: 'f<float>' is used but not defined
          1:100 note: it is used here
        "#,
    );
}

#[test]
fn templates_that_are_wrong() {
    reject(
        r#"template <int N> struct A { static_assert(N > 2, "too small"); int v[N]; }; void g() { A<1> a; }"#,
        r#"
        1:43 error static-assert: static assertion failed: too small
          1:93 note: while instantiating 'A<1>'
        "#,
    );
    reject(
        r#"template <typename T> struct S { T v; }; void g() { S s; S<int, int> t; S<3> u; int<float> x; }"#,
        r#"
        1:81 error expected-expression: expected an expression, but this is a type
        1:85 error expected-expression: expected an expression, but this is a type
        1:53 error missing-template-arguments: 'S' is a template and needs arguments
          1:30 note: the template is declared here
        1:58 error too-many-template-arguments: 'S' takes 1 template arguments, not 2
        1:75 error expected-type: a type is expected here, not a value
        1:92 error unknown-identifier: 'x' is not declared
        "#,
    );
    reject(
        r#"template <int N> int deep() { return deep<N + 1>(); } void g() { deep<0>(); }"#,
        r#"
        1:38 error instantiation-depth: templates are instantiated too deeply
          1:38 note: while instantiating 'deep<512>'
          1:38 note: while instantiating 'deep<511>'
          1:38 note: while instantiating 'deep<510>'
          1:38 note: while instantiating 'deep<509>'
          1:38 note: while instantiating 'deep<508>'
          1:38 note: while instantiating 'deep<507>'
          1:38 note: while instantiating 'deep<506>'
          1:38 note: while instantiating 'deep<505>'
          note: and 505 more instantiations around it
        "#,
    );
}

#[test]
fn kernels_that_are_wrong() {
    reject_kernel(
        r#"kernel void k(float* a, uint i, int n [[thread_position_in_grid]]) {}"#,
        r#"
        1:15 error missing-address-space: a pointer parameter of a kernel needs an address space
          help: write 'device float *a' or 'constant float *a'
        1:25 error missing-attribute: the parameter 'i' of type 'uint' has no attribute that says where its value comes from
          help: take a value from a buffer with 'constant uint &i', or a position with '[[thread_position_in_grid]]'
        1:33 error invalid-input-type: 'thread_position_in_grid' has type 'uint', 'uint2', 'uint3', 'ushort', 'ushort2' or 'ushort3', not 'int'
        "#,
    );
    reject_kernel(
        r#"kernel int k(device float* a [[buffer(0)]], device float* b [[buffer(0)]], device float* c [[texture(1)]]) { return 1; }"#,
        r#"
        1:8 error kernel-result: a kernel returns 'void'
        1:94 error wrong-attribute: '[[texture(n)]]' is for another kind of parameter; this one takes '[[buffer(n)]]'
        1:45 error duplicate-index: 'buffer(0)' is taken by another parameter
          1:14 note: the other parameter is here
        "#,
    );
    reject_kernel(
        r#"kernel void k(device float* a, uint i [[thread_position_in_gird]], float4 c [[stage_in]]) {}"#,
        r#"
        1:41 error unknown-attribute: 'thread_position_in_gird' is not an attribute of kernel parameters
          help: did you mean 'thread_position_in_grid'?
        1:79 error unsupported-stage-in: '[[stage_in]]' is not supported for kernels
        "#,
    );
    reject_kernel(
        r#"struct P { int n; }; kernel void k(P p, device float** q, device int* r [[buffer(40)]]) {}"#,
        r#"
        1:36 error invalid-kernel-parameter: a kernel parameter cannot be a 'P' by value
          help: take it by reference: 'constant P &p'
        1:41 error invalid-kernel-parameter: a kernel parameter cannot be a pointer to a pointer
        1:82 error index-out-of-range: the index 40 is not between 0 and 30
        "#,
    );
    reject_kernel(
        r#"void rec(int n) { if (n > 0) { rec(n - 1); rec(n - 2); } } kernel void k(device int* p) { rec(p[0]); }"#,
        r#"
        1:44 error recursion: this calls 'rec' again, and Metal has no recursion
          1:6 note: the function is declared here
        "#,
    );
}

#[test]
fn declarations_that_are_wrong() {
    reject(
        r#"void g() { const int x = 1; x = 2; 3 = x; constant int c = 4; c++; }"#,
        r#"
        1:29 error const-object: this is const and cannot be assigned to
          1:22 note: 'x' is declared here
        1:36 error not-assignable: this is a value, not an object, and cannot be assigned to
        1:63 error const-object: this is const and cannot be incremented
          1:56 note: 'c' is declared here
        "#,
    );
    reject(
        r#"constant int n = 3; void g(int m) { int a[m]; int b[n]; constexpr int c = m; }"#,
        r#"
        1:43 error not-constant: the size of an array has to be known while compiling, and this is not
          note: the value of 'm' is not known while compiling
        1:75 error not-constant: the value of 'c' has to be known while compiling, and this is not
          note: the value of 'm' is not known while compiling
        "#,
    );
    reject(
        r#"int g(int x) { if (x) return 1; }"#,
        r#"
        1:5 warning missing-return: 'g' can end without returning a value
        "#,
    );
    reject(
        r#"void g() { return 1; } int h() { return; }"#,
        r#"
        1:12 error unexpected-return-value: this function returns nothing
        1:34 error missing-return-value: this function returns 'int'
        "#,
    );
    reject(
        r#"void g() { break; } void h() { for (;;) { continue; } switch (1) { case 1: case 1: break; } }"#,
        r#"
        1:12 error misplaced-break: 'break' is only meaningful inside a loop or switch
        1:76 error duplicate-case: there is a case for 1 already
        "#,
    );
    reject(
        r#"float x; threadgroup int y; constant float z; device int w = 1;"#,
        r#"
        1:7 error global-address-space: 'x' has to be in address space 'constant', as every variable of namespace scope
          help: write 'constant' in front of its type
        1:26 error global-address-space: a variable of namespace scope cannot be in address space 'threadgroup'
        1:44 error uninitialized-constant: the constant 'z' has no value
          help: initialise it, or make it a function constant with '[[function_constant(0)]]'
        1:58 error global-address-space: 'w' has to be in address space 'constant', as every variable of namespace scope
          help: write 'constant' in front of its type
        "#,
    );
    reject(
        r#"class B { virtual int f() { return 1; } int bits : 3; double d; };"#,
        r#"
        1:11 error not-in-msl: the Metal Shading Language has no virtual functions
        1:55 error double-type: Metal has no type 'double'
          help: use 'float'
        "#,
    );
    reject(
        r#"void g() { double d = 1.0; float f = 1.0; long l = nullptr; device float* p = 5; bool b = &f; int i = &f; }"#,
        r#"
        1:12 error double-type: Metal has no type 'double'
          help: use 'float'
        1:52 error no-conversion: 'nullptr_t' does not convert to 'long'
        1:79 error no-conversion: 'int' does not convert to 'device float *'
        1:103 error no-conversion: 'thread float *' does not convert to 'int'
          help: did you mean to dereference it with '*'?
        "#,
    );
    reject(
        r#"enum class E { a, b }; enum F { c }; void g() { int i = E::a; E e = 1; F f = 0; int j = c; E::d; }"#,
        r#"
        1:57 error no-conversion: 'E' does not convert to 'int'
          help: write 'static_cast<int>(…)'
        1:69 error no-conversion: 'int' does not convert to 'E'
        1:78 error no-conversion: 'int' does not convert to 'F'
        1:95 error unknown-member: no 'd' in enumeration 'E'
        "#,
    );
    reject(
        r#"struct S { private: int x; public: void m() {} }; void g(const thread S& s, device S& d) { s.m(); d.x = 1; }"#,
        r#"
        1:94 error no-matching-function: 'm' cannot be called like this: the object is const and the method is not
          1:41 note: it is declared here
        1:101 error inaccessible-member: 'x' is a private member of 'S'
          1:8 note: the class is declared here
        "#,
    );
    reject(
        r#"void g() { auto a; auto b = {1}; const auto& c = 1; thread int& d; int& e = 1; thread float& f = a; }"#,
        r#"
        1:17 error auto-without-initializer: the type of an 'auto' variable comes from its initialiser
        1:29 error auto-list: 'auto' cannot be deduced from a list in braces
        1:65 error uninitialized-reference: the reference 'd' is not bound to anything
        1:77 error no-conversion: 'thread int &' is not const and cannot bind to a temporary
        "#,
    );
    reject(
        r#"int float4(int x) { return x; } void g() { threadgroup int t = 1; static int s = 2; device int d; }"#,
        r#"
        1:60 error threadgroup-variable: 't' is in threadgroup memory, which only kernels can declare
          help: declare it in the kernel and pass a pointer or reference: 'threadgroup T *t'
        1:78 error static-variable: static variables have to be constants in Metal
        1:96 error local-address-space: a variable of a function cannot be in address space 'device'
          help: a pointer into device memory is declared 'device T *p'
        "#,
    );
    reject(
        r#"struct S { int a; S(int x) : b(x), a(1) {} }; struct T { thread int& r; T() {} }; struct U : int {};"#,
        r#"
        1:30 error unknown-member: 'b' is neither a member nor a base of 'S'
        1:73 error uninitialized-reference: the reference member 'r' is not initialised
        1:94 error invalid-base: 'int' is not a class and cannot be a base
        "#,
    );
    reject(
        r#"constexpr int bad(int n) { return n / (n - n); } static_assert(bad(3) == 1); static_assert(sizeof(int) == 8, "ints are long"); constant int w = 1 / 0;"#,
        r#"
        1:145 error not-constant: the value of 'w' has to be known while compiling, and this is not
          note: this divides by zero
        1:64 error not-constant: the condition of a static_assert has to be known while compiling, and this is not
          1:35 note: this divides by zero
        1:92 error static-assert: static assertion failed: ints are long
        "#,
    );
    reject(
        r#"struct S { S(S s) {} }; void g() { S s = {{{{{{{{{{{{{{{{1}}}}}}}}}}}}}}}}; }"#,
        r#"
        1:58 error no-matching-function: 'S' cannot be called like this: argument 1: 'int' does not convert to 'S'
          1:12 note: it is declared here

        "#,
    );
    reject(
        r#"constexpr int spin() { while (true) {} return 1; } constexpr int down(int n) { return down(n + 1); } static_assert(spin()); static_assert(down(0));"#,
        r#"
        1:116 error not-constant: the condition of a static_assert has to be known while compiling, and this is not
          1:31 note: the evaluation takes too many steps
        1:139 error not-constant: the condition of a static_assert has to be known while compiling, and this is not
          1:87 note: the calls are nested too deeply
        "#,
    );
}

#[test]
fn endless_instantiation_is_one_error() {
    let source = support::open(
        "template <typename T> struct Rec { typename Rec<thread T*>::type x; };\nvoid g() { Rec<int> r; }",
    );
    let diags = source.library.check(&Default::default());
    let errors: Vec<&str> = diags.iter().filter(|d| d.is_error()).map(|d| d.id).collect();
    assert_eq!(errors, ["instantiation-depth"]);
}
