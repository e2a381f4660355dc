// 1.5.3 Preprocessing Directives
//--- object-like and function-like macros, `#`, `##`, variadic ones
// gives: i32 = 3 12 7 6 0
#define THREE 3
#define TIMES(a, b) ((a) * (b))
#define NAME(x) value_##x
#define COUNT(s) (sizeof(#s) - 1)
#define FIRST(x, ...) x
#define EMPTY(...) (0 __VA_OPT__(+ 1))
kernel void f(device int* o) { int NAME(seven) = 7; o[0] = THREE; o[1] = TIMES(3, 2 + 2); o[2] = value_seven; o[3] = COUNT(abcdef); o[4] = EMPTY(); }
//--- conditionals: `#if`, `#ifdef`, `#elif`, `defined`, arithmetic
// gives: i32 = 1 2 3
#define A 5
#if A > 4 && !defined(B)
#define X 1
#else
#define X 0
#endif
#ifdef B
#define Y 1
#elif A == 5
#define Y 2
#endif
#ifndef B
#define Z (1 ? 3 : 4)
#endif
kernel void f(device int* o) { o[0] = X; o[1] = Y; o[2] = Z; }
//--- `#include` of the host's files and of the library
// gives: i32 = 1
#include <metal_stdlib>
#include <metal_math>
kernel void f(device int* o) { o[0] = metal::abs(-1); }
//--- `__has_include`, `__has_attribute`, `__FILE__`, `__LINE__`, `__COUNTER__`
// gives: i32 = 1 1 1
#if __has_include(<metal_stdlib>)
#define FOUND 1
#endif
kernel void f(device int* o) { o[0] = FOUND; o[1] = __LINE__ > 0; int a = __COUNTER__; o[2] = __COUNTER__ - a; }
//--- `#pragma unroll`, `_Pragma`, unknown pragmas
// gives: i32 = 10
#pragma clang diagnostic ignored "-Wunused"
kernel void f(device int* o) {
    int s = 0;
#pragma unroll
    for (int i = 0; i < 4; i++) s += i;
    _Pragma("unroll(2)") for (int i = 0; i < 4; i++) s += 1;
#pragma nounroll
    for (int i = 0; i < 0; i++) s += 1;
    o[0] = s;
}
//--- `#error` and `#warning`
// error: error-directive
#error this is an error
kernel void f(device int* o) { o[0] = 1; }
//--- `#undef`, redefinition, self reference
// gives: i32 = 2
#define N 1
#undef N
#define N 2
#define self self
kernel void f(device int* o) { int self = N; o[0] = self; }
//--- digraphs and alternative tokens
// gives: i32 = 1 1
%:define CAT(a, b) a %:%: b
template <typename T> struct W <% T v; %>;
kernel void f(device int* o) <%
    W<::metal::float2> w; w.v = 1;
    CAT(o, )<:0:> = w.v.x;
    o[1] = not false and (1 bitor 0) and not (0 xor 0);
%>
