// 5.3 Storage Class Specifiers
#include <metal_stdlib>
using namespace metal;
//--- `static` and `extern` functions
// gives: i32 = 1
static int one() { return 1; }
kernel void f(device int* o) { o[0] = one(); }
//--- `extern` constants
// gives: i32 = 3
extern constant int three;
constant int three = 3;
kernel void f(device int* o) { o[0] = three; }
//--- `static constexpr` and `constexpr` variables of functions
// gives: i32 = 5 6
kernel void f(device int* o) { static constexpr constant int five = 5; constexpr int six = 6; o[0] = five; o[1] = six; }
//--- `static` variables that are not constant
// error: static-variable
kernel void f(device int* o) { static int n = 0; o[0] = n++; }
//--- `register`
// error: not-in-msl
kernel void f(device int* o) { register int x = 1; o[0] = x; }
