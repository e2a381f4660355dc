// 1.5.4 Restrictions
#include <metal_stdlib>
using namespace metal;
//--- `goto`
// error: not-in-msl
kernel void f(device int* o) { again: o[0]++; if (o[0] < 3) goto again; }
//--- exceptions
// error: not-in-msl
kernel void f(device int* o) { try { o[0] = 1; } catch (...) { o[0] = 2; } }
//--- `throw`
// error: not-in-msl
kernel void f(device int* o) { throw 1; }
//--- `new` and `delete`
// error: not-in-msl
kernel void f(device int* o) { thread int* p = new int; o[0] = *p; }
//--- `dynamic_cast`
// error: not-in-msl
struct A {}; struct B : A {};
kernel void f(device int* o) { A a; o[0] = dynamic_cast<thread B*>(&a) != nullptr; }
//--- `typeid`
// error: not-in-msl
kernel void f(device int* o) { auto x = typeid(int); o[0] = 1; }
//--- virtual functions
// error: not-in-msl
struct A { virtual int g() { return 1; } };
kernel void f(device int* o) { A a; o[0] = a.g(); }
//--- virtual bases
// error: not-in-msl
struct A { int a; }; struct B : virtual A {};
kernel void f(device int* o) { B b; o[0] = b.a; }
//--- `register`, also of parameters
// error: not-in-msl
static int g(register int x) { return x; }
kernel void f(device int* o) { o[0] = g(1); }
//--- `thread_local`
// error: not-in-msl
thread_local int x;
kernel void f(device int* o) { o[0] = x; }
//--- recursion
// error: recursion
static int depth(int n) { return n == 0 ? 0 : 1 + depth(n - 1); }
kernel void f(device int* o) { o[0] = depth(3); }
//--- recursion that is a loop, while compiling and at the end of a function
// gives: i32 = 120 10
constexpr int factorial(int n) { return n <= 1 ? 1 : n * factorial(n - 1); }
static int last(int n, int s) { if (n == 0) return s; return last(n - 1, s + n); }
kernel void f(device int* o) { constexpr int x = factorial(5); o[0] = x; o[1] = last(4, 0); }
//--- `double` and `long double`
// error: double-type
kernel void f(device double* o) { o[0] = 1; }
//--- bit-fields: of every integer type, signed, `bool`; assignment, arithmetic, initializers
// gives: i32 = 5 -3 28036591 1 -1000 72 9 -1 6 15 -24
struct S { uint a : 3; int b : 4; uint c : 25; bool d : 1; short e; long f : 40; uchar g : 7; };
struct T { int a : 5, b : 11, c : 16 = 7; };
constant T k = {15, -1000, 40000};
kernel void f(device int* o) {
    S s;
    s.a = 13; s.b = -3; s.c = 0x1abcdef; s.d = 7; s.e = -1000; s.f = -123456789012; s.g = 200;
    o[0] = s.a; o[1] = s.b; o[2] = s.c; o[3] = s.d; o[4] = s.e; o[5] = s.g;
    o[6] = (s.b = 9) == -7 ? 9 : s.b;
    o[7] = s.a - 6;
    s.a++;
    o[8] = s.a;
    T t = {.b = k.b};
    t.a = k.a + t.a;
    o[9] = t.a;
    o[10] = k.c + 25536 - 24 + t.c - 7;
}
//--- bit-fields: where they are; unnamed ones, runs that end, unions
// gives: u32 = 8 8 8 16 0x81000401 0x7fffffff 120
struct A { char a; int b : 4; int c : 20; int d : 10; };
struct B { int a : 3; int : 0; int b : 5; };
struct C { char a : 4; short b : 10; char c : 6; long d : 33; };
struct D { ulong a : 20, b : 44; uint c : 31; uint : 1; };
union U { int low : 3; uint all; };
kernel void f(device uint* o) {
    o[0] = sizeof(A); o[1] = sizeof(B); o[2] = sizeof(C); o[3] = sizeof(D);
    device D* d = (device D*)(o + 4);
    d->a = 0x401; d->b = 0x7fffffff810;
    U u; u.all = 0x7f; u.low = 0;
    o[6] = u.all;
}
//--- the address of a bit-field
// error: address-of-bit-field
struct S { int a : 3; };
kernel void f(device int* o) { S s = {1}; thread int* p = &s.a; o[0] = *p; }
//--- a reference to a bit-field
// error: no-conversion
struct S { int a : 3; };
kernel void f(device int* o) { S s = {1}; thread int& r = s.a; o[0] = r; }
//--- a bit-field wider than its type
// error: invalid-bit-field
struct S { uchar a : 9; };
kernel void f(device int* o) { S s = {1}; o[0] = s.a; }
//--- wide characters
// error: not-in-msl
kernel void f(device int* o) { wchar_t c = 1; o[0] = c; }
//--- inline assembly
// error: unsupported-inline-assembly
kernel void f(device int* o) { asm("nop"); o[0] = 1; }
//--- no function is named `main`
// error: reserved-name
kernel void main(device int* o) { o[0] = 1; }
//--- variable arguments
// error: not-in-msl
static int g(int x, ...) { return x; }
kernel void f(device int* o) { o[0] = g(1, 2); }
//--- `override` and `final` of functions
// error: not-in-msl
struct A { int g() { return 1; } }; struct B : A { int g() override { return 2; } };
kernel void f(device int* o) { B b; o[0] = b.g(); }
//--- a kernel returns nothing
// error: kernel-result
kernel int f(device int* o) { return o[0]; }
//--- a kernel is not called
// error: kernel-call
kernel void g(device int* o) { o[0] = 1; }
kernel void f(device int* o) { g(o); }
//--- statement expressions (an extension of compilers)
// gives: i32 = 3 12 4 9
#define LARGER(a, b) ({ auto x = (a); auto y = (b); x > y ? x : y; })
struct Pair { int a, b; };
static int sum_to(int n) { return ({ int s = 0; for (int i = 1; i <= n; i++) { if (i == 4) break; s += i; } s; }) * 2; }
template <typename T> T twice(T x) { return ({ T y = x; y += x; y; }); }
kernel void f(device int* o) {
    o[0] = LARGER(1, 3);
    o[1] = sum_to(9);
    Pair p = ({ Pair q = {1, twice(2)}; q; });
    o[2] = p.b;
    ({ if (o[0] == 3) o[3] = 9; });
}
//--- `volatile` is accepted
// gives: i32 = 3
kernel void f(device int* o) { volatile int x = 3; o[0] = x; }
