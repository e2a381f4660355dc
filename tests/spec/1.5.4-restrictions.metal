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
//--- bit-fields
// error: unsupported-bit-field
struct S { uint a : 3; int b : 4; };
kernel void f(device int* o) { S s; s.a = 13; o[0] = s.a; }
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
//--- pointers to members
// error: unsupported-member-pointer
struct S { int x; };
kernel void f(device int* o) { S s{4}; o[0] = s.*o; }
//--- statement expressions (an extension of compilers)
// error: unsupported-statement-expression
kernel void f(device int* o) { o[0] = ({ int y = 1; y; }); }
//--- `volatile` is accepted
// gives: i32 = 3
kernel void f(device int* o) { volatile int x = 3; o[0] = x; }
