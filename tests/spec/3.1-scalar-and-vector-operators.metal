// 3.1 Scalar and Vector Operators
#include <metal_stdlib>
using namespace metal;
//--- arithmetic: `+ - * /`, `%` of integers
// gives: i32 = 7 3 10 2 1 -1 -2
kernel void f(device int* o) { int a = 5, b = 2; o[0] = a + b; o[1] = a - b; o[2] = a * b; o[3] = a / b; o[4] = a % b; o[5] = -5 % 2; o[6] = -5 / 2; }
//--- `%` of floats
// error: invalid-operands
kernel void f(device float* o) { o[0] = o[0] % 2.0f; }
//--- vectors component by component, with a scalar on either side
// gives: f32 = 5 7 9 10 5 2.5
kernel void f(device float* o) { float3 a(1, 2, 3), b(4, 5, 6); float3 c = a + b; o[0] = c.x; o[1] = c.y; o[2] = c.z; o[3] = (2 * b).y; o[4] = (b - 1).z; o[5] = (b / 2).y; }
//--- `++` and `--`, of vectors too
// gives: i32 = 1 2 3 0 2
kernel void f(device int* o) { int i = 1; o[0] = i++; o[1] = i; o[2] = ++i; int2 v(0, 1); o[3] = (v++).x; o[4] = v.y; }
//--- comparisons of vectors give `bool` vectors
// gives: i32 = 0 1 1 1 0
kernel void f(device int* o) { float2 a(1, 2), b(2, 2); bool2 l = a == b, m = a <= b; o[0] = l.x; o[1] = l.y; o[2] = m.x; o[3] = all(m); o[4] = any(a > b); }
//--- logical operators, of vectors too
// gives: i32 = 1 0 1 0 1
kernel void f(device int* o) { bool2 a(true, false), b(true, true); o[0] = (a && b).x; o[1] = (a && b).y; o[2] = (a || b).y; o[3] = (!a).x; o[4] = true && !false; }
//--- bits: `& | ^ ~ << >>`, of vectors too
// gives: i32 = 8 14 6 -13 48 3 12 6
kernel void f(device int* o) { int a = 12, b = 10; o[0] = a & b; o[1] = a | b; o[2] = a ^ b; o[3] = ~a; o[4] = a << 2; o[5] = a >> 2; int2 v(3, 6); o[6] = (v << 2).x; o[7] = (v << int2(0, 0)).y; }
//--- shifts take the low bits of the count
// gives: u32 = 2 1 1
kernel void f(device uint* o) { uint n = 33; o[0] = 1u << n; o[1] = 2u >> n; o[2] = 1u << 32u * (n / 40); }
//--- compound assignment
// gives: i32 = 5 3 12 6 2 8 1 0 5 4
kernel void f(device int* o) {
    int x = 2; x += 3; o[0] = x; x -= 2; o[1] = x; x *= 4; o[2] = x; x /= 2; o[3] = x; x %= 4; o[4] = x; x <<= 2; o[5] = x; x >>= 3; o[6] = x; x &= 6; o[7] = x; x |= 5; o[8] = x; x ^= 1; o[9] = x;
}
//--- conditional with a scalar condition, on vectors
// gives: f32 = 1 4
kernel void f(device float* o) { float2 a(1, 2), b(3, 4); bool c = o[0] == 0; o[0] = (c ? a : b).x; o[1] = (c ? b : a).y; }
//--- conditional with a vector condition
// error: no-conversion
kernel void f(device float* o) { float2 a(1, 2), b(3, 4); float2 c = bool2(true, false) ? a : b; o[0] = c.x; o[1] = c.y; }
//--- vectors as conditions
// error: no-conversion
kernel void f(device float* o) { float2 a(1); if (a == a) o[0] = 1; }
//--- `sizeof`, address, dereference, comma
// gives: i32 = 8 5 2
kernel void f(device int* o) { o[0] = sizeof(float2); int x = 5; o[1] = *&x; o[2] = (1, 2); }
//--- relational operators of pointers
// gives: i32 = 1 1 0
kernel void f(device int* o) { int a[2]; o[0] = &a[0] < &a[1]; o[1] = &a[0] == a; o[2] = &a[0] > &a[1]; }
