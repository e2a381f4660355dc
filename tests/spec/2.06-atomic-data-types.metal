// 2.6 Atomic Data Types
#include <metal_stdlib>
using namespace metal;
//--- `atomic_int`, `atomic_uint`, `atomic_bool`, `atomic_float`, `atomic<T>`
// gives: i32 = 4 4 1 4 1
kernel void f(device int* o) { o[0] = sizeof(atomic_int); o[1] = sizeof(atomic_uint); o[2] = sizeof(atomic_bool) == 1 || sizeof(atomic_bool) == 4; o[3] = sizeof(atomic_float); o[4] = is_same_v<atomic<int>, atomic_int>; }
//--- `atomic<ulong>`, `atomic_ulong`
// gives: i32 = 8 1
kernel void f(device int* o) { o[0] = sizeof(atomic<ulong>); o[1] = is_same_v<atomic_ulong, atomic<ulong>>; }
//--- atomics are not read like other variables
// error: no-conversion
kernel void f(device atomic_int* a) { int x = a[0]; atomic_store_explicit(a, x, memory_order_relaxed); }
//--- nor assigned to
// error: no-conversion
kernel void f(device atomic_int* a) { a[0] = 1; }
//--- atomics of other types
// error: static-assert
kernel void f(device float* o) { threadgroup atomic<half> a; o[0] = 1; (void)a; }
