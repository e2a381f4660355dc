// 5.8 Program Scope Function Constants
#include <metal_stdlib>
using namespace metal;
//--- scalars and vectors of every type, by index and by name
// constant a: i32 = 4
// constant 1: f32 = 0.5
// constant b: bool = 1
// gives: f32 = 4 0.5 1
constant int a [[function_constant(0)]];
constant float c [[function_constant(1)]];
constant bool b [[function_constant(2)]];
kernel void f(device float* o) { o[0] = a; o[1] = c; o[2] = b; }
//--- 5.8.1.1 paths of code, constants that depend on others, `is_function_constant_defined`
// see: tests/run/functions.metal (function constants)
//--- 5.8.1.2 arguments that exist only where a constant says so
// constant has_bias: bool = 0
// gives: i32 = 1
constant bool has_bias [[function_constant(0)]];
kernel void f(device int* o [[buffer(0)]], device int* bias [[buffer(1), function_constant(has_bias)]]) { o[0] = 1; if (has_bias) o[0] += bias[0]; }
//--- indices of arguments that depend on constants
// constant at: i32 = 1
// buffer 0: i32 = 0
// buffer 1: i32 = 7
// dispatch: f grid=1
// expect 0: i32 = 7
constant int at [[function_constant(0)]];
kernel void f(device int* o [[buffer(0)]], device int* p [[buffer(at)]]) { o[0] = p[0]; }
//--- a constant without a value
// error: unset-function-constant
constant int n [[function_constant(0)]];
kernel void f(device int* o) { o[0] = n; }
//--- a constant with an initializer
// error: invalid-function-constant
constant int a [[function_constant(0)]] = 4;
kernel void f(device int* o) { o[0] = a; }
//--- a constant of a type that it cannot have
// error: invalid-function-constant
struct S { int x; };
constant S a [[function_constant(0)]];
kernel void f(device int* o) { o[0] = a.x; }
//--- in `[[max_total_threads_per_threadgroup]]` and templates
// constant n: i32 = 3
// gives: i32 = 8
constant int n [[function_constant(0)]];
template <typename T> T power(int k) { T r = 1; for (int i = 0; i < k; i++) r *= 2; return r; }
kernel void f(device int* o) { o[0] = power<int>(n); }
//--- sizes of arrays do not depend on function constants
// error: not-constant
constant int n [[function_constant(0)]];
constant int m = is_function_constant_defined(n) ? n : 4;
kernel void f(device int* o) { int a[m]; a[0] = 1; o[0] = a[0]; }
//--- nor do `constexpr` constants and template arguments
// constant n: i32 = 3
// error: not-constant
constant int n [[function_constant(0)]];
kernel void f(device int* o) { constexpr int m = n + 1; o[0] = m; }
//--- each constant has an index of its own
// constant 0: i32 = 3
// error: duplicate-index
constant int a [[function_constant(0)]];
constant int b [[function_constant(0)]];
kernel void f(device int* o) { o[0] = a + b; }
//--- indices are from 0 to 65535
// error: index-out-of-range
constant int a [[function_constant(65536)]];
kernel void f(device int* o) { o[0] = a; }
//--- constants are of the program, not of a function
// error: invalid-function-constant
kernel void f(device int* o) { constant int a [[function_constant(0)]] = 1; o[0] = a; }
