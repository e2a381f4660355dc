// 1.5 Metal and C++17
#include <metal_stdlib>
using namespace metal;
//--- `if constexpr` drops the branch that is not taken
// gives: i32 = 4 1
template <typename T> int size_of_value(T x) {
    if constexpr (is_floating_point_v<T>) return sizeof(T);
    else return x.no_such_member;
}
template <int N> int sign_of() { if constexpr (N < 0) return -1; else if constexpr (N == 0) return 0; else return 1; }
kernel void f(device int* o) { o[0] = size_of_value(1.0f); o[1] = sign_of<5>(); }
//--- `if` and `switch` with an initializer
// gives: i32 = 7 20
kernel void f(device int* o) {
    if (int x = 3; x > 2) o[0] = x + 4;
    switch (int y = 2; y) { case 2: o[1] = y * 10; break; default: o[1] = -1; }
}
//--- structured bindings of structures and arrays
// gives: i32 = 1 2 7 3 4 9
struct Pair { int a; int b; };
static Pair make() { return {1, 2}; }
kernel void f(device int* o) {
    auto [x, y] = make();
    o[0] = x; o[1] = y;
    Pair p = {5, 6};
    auto& [u, v] = p;
    u = 7;
    o[2] = p.a;
    int a[2] = {3, 4};
    auto [m, n] = a;
    o[3] = m; o[4] = n;
    const thread auto& [s, t] = p;
    o[5] = s + t - 4;
}
//--- structured bindings in a range-based loop
// gives: i32 = 10 20
struct Pair { int a; int b; };
kernel void f(device int* o) {
    Pair pairs[2] = {{0, 10}, {1, 20}};
    for (auto [i, x] : pairs) o[i] = x;
}
//--- fold expressions over every kind of operator
// gives: i32 = 10 1 0 24 6 -8 3
template <typename... T> int sum(T... t) { return (t + ...); }
template <typename... T> bool every(T... t) { return (... && t); }
template <typename... T> bool some(T... t) { return (t || ... || false); }
template <typename... T> int product(T... t) { return (1 * ... * t); }
template <typename... T> int last(T... t) { return (t, ...); }
template <typename... T> int difference(T... t) { return (... - t); }
template <typename... T> void assign(thread int& x, T... t) { ((x = t), ...); }
kernel void f(device int* o) {
    o[0] = sum(1, 2, 3, 4);
    o[1] = every(true, true);
    o[2] = some();
    o[3] = product(2, 3, 4);
    o[4] = last(4, 5, 6);
    o[5] = difference(1, 2, 3, 4);
    int x = 0;
    assign(x, 1, 2, 3);
    o[6] = x;
}
//--- fold expressions over assignment operators
// gives: i32 = 6 12
template <typename... T> void add(thread int& x, T... t) { (x += ... += t); }
template <typename... T> void set(int v, thread T&... t) { (t = ... = v); }
kernel void f(device int* o) {
    int x = 1;
    add(x, 5);
    o[0] = x;
    int a, b, c;
    set(4, a, b, c);
    o[1] = a + b + c;
}
//--- structured bindings of vectors, of members of a base
// gives: i32 = 1 2 34
struct A { int a, b; };
struct B : A {};
kernel void f(device int* o) {
    auto [x, y] = int2(1, 2);
    o[0] = x; o[1] = y;
    B two = {{3, 4}};
    auto& [a, b] = two;
    o[2] = a * 10 + b;
}
//--- inline variables
// gives: i32 = 5 6
inline constant constexpr int five = 5;
struct S { static inline constexpr constant int six = 6; };
kernel void f(device int* o) { o[0] = five; o[1] = S::six; }
//--- `constexpr` functions with loops and local variables
// gives: i32 = 3628800 89 5
constexpr int factorial(int n) { int r = 1; for (int i = 2; i <= n; i++) r *= i; return r; }
constexpr int fibonacci(int n) { int a = 1, b = 1; while (n-- > 1) { int c = a + b; a = b; b = c; } return b; }
constexpr int log2_of(uint n) { int r = 0; do { n >>= 1; if (n == 0) break; r++; } while (true); return r; }
constant int table[] = {factorial(10), fibonacci(10), log2_of(63)};
kernel void f(device int* o) { for (int i = 0; i < 3; i++) o[i] = table[i]; }
//--- `constexpr` constructors and member functions
// gives: i32 = 25
struct Point { int x, y; constexpr Point(int a, int b) : x(a), y(b) {} constexpr int squared() const { return x * x + y * y; } };
constexpr constant int d = Point(3, 4).squared();
kernel void f(device int* o) { static_assert(d == 25, "known"); o[0] = d; }
//--- lambdas: captures by value, by reference, by initializer; generic; with a result type
// gives: i32 = 15 9 8 7 42 3
kernel void f(device int* o) {
    int base = 5;
    auto by_value = [base](int x) { return base + x; };
    auto by_reference = [&](int x) { base += x; };
    o[0] = by_value(10);
    by_reference(4);
    o[1] = base;
    auto initialized = [n = base - 1] { return n; };
    o[2] = initialized();
    auto generic = [](auto a, auto b) { return a + b; };
    o[3] = generic(3, 4);
    auto typed = [](float x) -> int { return x; };
    o[4] = typed(42.9f);
    auto counter = [n = 0]() mutable { return ++n; };
    counter(); counter();
    o[5] = counter();
}
//--- lambdas as arguments of templates
// gives: i32 = 0 1 4 9
template <typename F> void each(int n, F function) { for (int i = 0; i < n; i++) function(i); }
kernel void f(device int* o) { each(4, [&](int i) { o[i] = i * i; }); }
//--- lambdas inside lambdas use constants of the function and types of arguments
// gives: i32 = 36 1
template <short N, bool A, bool B> int count() { return N + A + B * 2; }
template <typename F> void choose(bool c, F function) { if (c) function(true_type{}); else function(false_type{}); }
kernel void f(device int* o) {
    constexpr short n = 33;
    choose(true, [&](auto a) { choose(o[1] == 0, [&](auto b) { o[0] = count<n, a.value, b.value>(); if constexpr (a && b) o[1] = 1; }); });
}
//--- `constexpr` lambdas
// gives: i32 = 12
kernel void f(device int* o) {
    constexpr auto twice = [](int x) { return 2 * x; };
    constexpr int n = twice(6);
    o[0] = n;
}
//--- scoped and unscoped enumerations, with underlying types
// gives: i32 = 1 6 2 1 200
enum Color { red, green, blue = 6 };
enum class Mode : uchar { off, on, automatic };
enum Byte : uchar { big = 200 };
kernel void f(device int* o) {
    o[0] = green; o[1] = Color::blue;
    o[2] = int(Mode::automatic);
    Mode m = Mode::on;
    o[3] = m == Mode::on && sizeof(Mode) == 1;
    Byte b = big;
    o[4] = b;
}
//--- enumerations declared before they are defined
// gives: i32 = 3 1 5
enum E : int;
static int plus(E e);
enum E : int { two = 2 };
static int plus(E e) { return e + 1; }
struct S { enum K : uchar; enum K : uchar { five = 5 }; K k; };
kernel void f(device int* o) { o[0] = plus(two); S s{S::five}; o[1] = sizeof(S); o[2] = s.k; }
//--- a scoped enumeration does not convert by itself
// error: no-conversion
enum class Mode { off, on };
kernel void f(device int* o) { o[0] = Mode::on; }
//--- default member initializers
// gives: i32 = 1 2 9 2
struct S { int a = 1; int b = a + 1; };
kernel void f(device int* o) { S s; o[0] = s.a; o[1] = s.b; S t{9}; o[2] = t.a; o[3] = S().b; }
//--- constructors: delegating, explicit, defaulted, deleted ones
// gives: i32 = 3 7 0
struct S {
    int v;
    S() = default;
    explicit S(int x) : v(x) {}
    S(int x, int y) : S(x + y) {}
    S(float) = delete;
};
kernel void f(device int* o) { o[0] = S(1, 2).v; o[1] = S(7).v; o[2] = S{}.v; }
//--- an explicit constructor does not convert
// error: no-conversion
struct S { int v; explicit S(int x) : v(x) {} };
static int take(S s) { return s.v; }
kernel void f(device int* o) { S s = 1; o[0] = take(s); }
//--- a deleted function
// error: deleted-function
struct S { int v; S(int x) : v(x) {} S(float) = delete; };
kernel void f(device int* o) { o[0] = S(1.0f).v; }
//--- operators: arithmetic, comparison, call, index, increment, assignment, conversion
// gives: i32 = 4 6 1 12 4 5 5 9 1
struct V {
    int x, y;
    V operator+(V o) const { return {x + o.x, y + o.y}; }
    bool operator==(V o) const { return x == o.x && y == o.y; }
    int operator()(int k) const { return k * y; }
    thread int& operator[](int i) { return i == 0 ? x : y; }
    thread V& operator++() { ++x; return *this; }
    V operator++(int) { V old = *this; ++x; return old; }
    thread V& operator+=(int k) { x += k; return *this; }
    explicit operator bool() const { return x != 0; }
    operator float() const { return x; }
};
static V operator-(V a) { return {-a.x, -a.y}; }
kernel void f(device int* o) {
    V a = {1, 2}, b = {3, 4};
    V c = a + b;
    o[0] = c.x; o[1] = c.y;
    o[2] = c == V{4, 6};
    o[3] = c(2);
    o[4] = c[0];
    o[5] = (++c).x;
    o[6] = (c++).x;
    c += 3;
    o[7] = float(c);
    o[8] = c ? 1 : 0;
}
//--- conversion operators choose overloads
// gives: i32 = 10 20
struct Ratio { int n, d; operator float() const { return float(n) / float(d); } };
static int pick(float x) { return int(x * 20); }
static int pick(float2) { return -1; }
kernel void f(device int* o) { Ratio r = {1, 2}; o[0] = pick(r); float x = r; o[1] = int(x * 40); }
//--- inheritance, several bases, access to their members
// gives: i32 = 1 2 3 6
struct A { int a; int get() const { return a; } };
struct B { int b; };
struct C : A, B { int c; int sum() const { return get() + b + c; } };
static int base(thread const A& a) { return a.a; }
kernel void f(device int* o) { C c; c.a = 1; c.b = 2; c.c = 3; o[0] = base(c); o[1] = c.b; o[2] = c.c; o[3] = c.sum(); }
//--- inherited constructors, `using` of a base's member
// gives: i32 = 4 5
struct A { int v; A(int x) : v(x) {} int twice(int x) const { return 2 * x; } };
struct B : A { using A::A; using A::twice; int twice(float) const { return 5; } };
kernel void f(device int* o) { B b(4); o[0] = b.v; o[1] = b.twice(1.0f); }
//--- curiously recurring templates
// gives: i32 = 21
template <typename D> struct Shape { int twice_area() const { return 2 * static_cast<thread const D*>(this)->area() + 1; } };
struct Square : Shape<Square> { int side; int area() const { return side * side + 1; } };
kernel void f(device int* o) { Square s; s.side = 3; o[0] = s.twice_area(); }
//--- references to bases of temporaries know what these are a part of
// buffer 0: f32 = 1 2 3 4
// buffer 1: f32 = zeros(6)
// dispatch: f grid=1
// expect 1: f32 = 4 8 12 16 7 9
template <typename D> struct Expr { float at(uint i) const { return static_cast<const thread D*>(this)->get(i); } };
struct Ref : Expr<Ref> { device const float* p; Ref(device const float* q) : p(q) {} float get(uint i) const { return p[i]; } };
template <typename L, typename R> struct Sum : Expr<Sum<L, R>> {
  L l; R r; Sum(L a, R b) : l(a), r(b) {} float get(uint i) const { return l.at(i) + r.at(i); }
};
template <typename L, typename R> Sum<L, R> operator+(thread const Expr<L>& a, thread const Expr<R>& b) {
  return {static_cast<thread const L&>(a), static_cast<thread const R&>(b)};
}
struct Base { int n; };
struct Derived : Base {
  device float* o; int more;
  Derived(device float* p) : Base{3}, o(p), more(4) {}
  ~Derived() { o[5] = 9; }
};
static Derived make(device float* o) { return Derived(o); }
static int whole(const thread Base& b) { return b.n + static_cast<const thread Derived&>(b).more; }
kernel void f(device const float* a [[buffer(0)]], device float* o [[buffer(1)]]) {
  Ref x(a);
  auto e = (x + x) + (x + x);
  for (uint i = 0; i < 4; i++) o[i] = e.at(i);
  const thread Base& kept = make(o);
  o[4] = o[5] == 9 ? 0 : whole(kept);
}
//--- using-declarations make members of bases public, also those of private bases
// gives: i32 = 8 3 5 2 4
struct Base { int v; template <typename T> Base(T t) : v(int(t) * 2) {} int get() const { return v; } protected: int hidden = 3; int two() { return 2; } };
struct Der : Base { using Base::Base; using Base::hidden; using Base::two; int get() const { return Base::get(); } int v = 5; };
struct Own { int four() { return n; } int n = 4; };
struct Private : private Own { using Own::four; };
kernel void f(device int* o) { Der d(4.0f); o[0] = d.get(); o[1] = d.hidden; o[2] = d.v; o[3] = d.two(); Private p; o[4] = p.four(); }
//--- a using-declaration that is private itself
// error: inaccessible-member
struct Base { int n = 1; };
class Der : public Base { using Base::n; };
kernel void f(device int* o) { Der d; o[0] = d.n; }
//--- private and protected members
// error: inaccessible-member
class Counter { int n; public: Counter(int x) : n(x) {} int get() const { return n; } };
kernel void f(device int* o) { Counter c(3); o[0] = c.n; }
//--- private members are for the class, its nested classes and its friends
// gives: i32 = 3 4 5
class Counter {
    int n = 3;
    struct Inner { int read(thread const Counter& c) { return c.n + 1; } };
    friend int look(thread const Counter& c);
public:
    int get() const { return n; }
    int nested() { Inner i; return i.read(*this); }
};
int look(thread const Counter& c) { return c.n + 2; }
kernel void f(device int* o) { Counter c; o[0] = c.get(); o[1] = c.nested(); o[2] = look(c); }
//--- protected members are not for others
// error: inaccessible-member
class Base { protected: int n = 8; };
kernel void f(device int* o) { Base b; o[0] = b.n; }
//--- private member functions
// error: inaccessible-member
struct S { int get() { return twice(2); } private: int twice(int x) { return 2 * x; } };
kernel void f(device int* o) { S s; o[0] = s.get() + s.twice(1); }
//--- private constructors
// error: inaccessible-member
class Counter { Counter(int x) : n(x) {} public: int n; };
kernel void f(device int* o) { Counter c(3); o[0] = c.n; }
//--- private types and constants
// error: inaccessible-member
class Counter { struct Part { int x; }; enum { one = 1 }; };
kernel void f(device int* o) { Counter::Part p = {1}; o[0] = p.x; }
//--- private bases
// error: inaccessible-member
class Base { public: int n; };
class Derived : Base {};
kernel void f(device int* o) { Derived d; d.n = 1; o[0] = d.n; }
//--- lists do not reach private members
// error: inaccessible-member
class Pair { int a, b; };
kernel void f(device int* o) { Pair p = {1, 2}; o[0] = sizeof(p); }
//--- access is that of each overload; constructors for the class itself, derived ones and friends
// gives: i32 = 2 7 4 5
class Value {
    int n;
    explicit Value(int x) : n(x) {}
    int get(int x) const { return n + x; }
    friend Value make(int x);
    friend struct Maker;
public:
    int get(float) const { return n; }
    static Value seven() { return Value(7); }
};
Value make(int x) { return Value(x); }
struct Maker { Value four() { return Value(4); } };
class Base { protected: int b; Base(int x) : b(x) {} };
class Derived : public Base { public: Derived() : Base(5) {} int get() const { return b; } };
kernel void f(device int* o) {
    o[0] = make(2).get(1.0f);
    o[1] = Value::seven().get(0.0f);
    o[2] = Maker().four().get(0.0f);
    o[3] = Derived().get();
}
//--- protected members are for derived classes
// gives: i32 = 8
class Base { protected: int n = 8; };
class Derived : public Base { public: int get() { return n; } };
kernel void f(device int* o) { Derived d; o[0] = d.get(); }
//--- destructors run at the end of blocks, in reverse order
// gives: i32 = 1 2 20 10 3
struct Note {
    device int* o; thread int& at; int value;
    Note(device int* p, thread int& n, int v) : o(p), at(n), value(v) {}
    ~Note() { o[at++] = value; }
};
kernel void f(device int* o) {
    int at = 0;
    { Note a(o, at, 1); }
    for (int i = 0; i < 1; i++) { Note b(o, at, 2); if (i == 0) continue; }
    { Note c(o, at, 10), d(o, at, 20); }
    o[at] = 3;
}
//--- destructors run on `return` and `break`, and for temporaries and members
// gives: i32 = 5 1 2 3 30
struct Note {
    device int* o; thread int& at; int value;
    ~Note() { o[at++] = value; }
};
struct Holder { Note n; };
static int early(device int* o, thread int& at) { Note n{o, at, 5}; return at * 10; }
kernel void f(device int* o) {
    int at = 0;
    int r = early(o, at);
    while (true) { Note n{o, at, 1}; break; }
    { Holder h{{o, at, 2}}; }
    Note{o, at, 3};
    o[at] = 30 + r;
}
//--- destructors of members, bases, elements, parameters and results
// gives: i32 = 1 2 3 4 5 7 6 20 9
struct Note { device int* o; thread int& at; int value; ~Note() { if (value) o[at++] = value; } };
struct Base { Note b; };
struct Both : Base { Note m; ~Both() { m.o[m.at++] = 1; } };
static void take(Note n) { n.value = 4; }
static Note make(device int* o, thread int& at, int v) { Note n{o, at, v}; return Note{o, at, n.value == 5 ? 20 : 0}; }
kernel void f(device int* o) {
    int at = 0;
    { Both x{{{o, at, 3}}, {o, at, 2}}; }
    { Note n{o, at, 0}; take(n); }
    { const thread Note& kept = make(o, at, 5); { Note pair[2] = {{o, at, 6}, {o, at, 7}}; } }
    switch (1) { case 1: { Note n{o, at, 9}; break; } }
}
//--- destructors of what a condition or an arm makes, where it is reached
// gives: i32 = 3 2 0 1 4 4 5 7 8 -1
struct Note {
    device int* o; thread int& at; int v;
    ~Note() { o[at++] = v; }
    bool is(int x) const { return v == x; }
};
static Note make(device int* o, thread int& at, int v) { return {o, at, v}; }
kernel void f(device int* o) {
    int at = 0;
    if (o[9] == 1 && Note{o, at, 1}.is(1)) return;
    if (make(o, at, 2).is(1) || make(o, at, 3).is(3)) ++at;
    at += 0 * (o[9] == 0 ? make(o, at, 1).v : make(o, at, 4).v);
    while (Note{o, at, at}.is(4) && Note{o, at, 4}.is(5)) {}
    switch (make(o, at, 5).v) { case 5: break; default: o[at++] = 6; }
    for (int i = 0; i < 1; i++, Note{o, at, 7}) {}
    do {} while (!make(o, at, 8).is(8));
    o[at] = -1;
}
//--- destructors of long arrays, in reverse order, of arrays of arrays and in members
// gives: i32 = 300 299 0 1200 1
struct Note { device int* o; int n; Note() : o(nullptr), n(0) {} ~Note() { if (o) { if (o[0] == 0) o[1] = n; o[0]++; o[2] = n; } } };
struct Each { device int* o = nullptr; ~Each() { if (o) o[3] += 1; } };
struct Many { Each all[20][30]; };
static void make(device int* o) {
    Note many[300];
    for (int i = 0; i < 300; i++) { many[i].o = o; many[i].n = i; }
}
static void inner(device int* o, int n) {
    for (int k = 0; k < n; k++) {
        Many m;
        for (int i = 0; i < 600; i++) m.all[i / 30][i % 30].o = o;
        if (k == 1) return;
    }
}
kernel void f(device int* o) { make(o); inner(o, 5); o[4] = 1; }
//--- destructors of variables in statement expressions
// gives: i32 = 7 12 1 2 3
struct Note { device int* o; int n; ~Note() { o[o[1]++ - 8] = n; } };
kernel void f(device int* o) {
    o[1] = 10;
    o[0] = ({ Note a{o, 2}; Note b{o, 1}; a.n + b.n + (o[1] == 10 ? 4 : 0); });
    ({ Note c{o, 3}; (void)0; });
    o[1] -= 1;
}
//--- unions, also without a name
// gives: u32 = 0x3f800000 0x40000000
struct S { union { float x; uint bits; }; };
union U { float x; uint bits; };
kernel void f(device uint* o) { S s; s.x = 1; o[0] = s.bits; U u; u.x = 2; o[1] = u.bits; }
//--- static members, of functions too
// gives: i32 = 5 6
struct S { static constexpr constant int five = 5; static int six() { return 6; } };
kernel void f(device int* o) { o[0] = S::five; S s; o[1] = s.six(); }
//--- nested classes and types
// gives: i32 = 3
struct Outer { using Number = int; struct Inner { Number v; }; Inner i; };
kernel void f(device int* o) { Outer::Inner i = {3}; Outer x = {i}; o[0] = x.i.v; }
//--- member functions for each address space
// gives: i32 = 1 2 3
struct S { int v; int where() const thread { return 1; } int where() const device { return 2; } int where() const threadgroup { return 3; } };
kernel void f(device int* o) { S s; threadgroup S t; device S* d = (device S*)o; o[0] = s.where(); o[1] = d->where(); o[2] = t.where(); }
//--- names of inline and unnamed namespaces, through an alias and `using`
// gives: i32 = 4 5
namespace a::b::inline c { constexpr int k = 4; namespace { int g() { return 5; } } }
namespace z = a::b;
kernel void f(device int* o) { using z::k; using z::g; o[0] = k; o[1] = g(); }
//--- `using enum`, which Clang accepts
// gives: i32 = 2 1 5 7 2
enum class E { a = 1, b };
namespace n { enum class F { c = 5 }; struct S { enum class G : int { d = 7 }; using enum G; }; using H = F; }
using enum n::H;
template <typename T> int last() { using enum T; return int(b); }
kernel void f(device int* o) {
    using enum E;
    o[0] = int(b);
    switch (E(1)) { case a: o[1] = 1; break; case b: o[1] = 2; }
    o[2] = int(c); o[3] = int(n::S::d); o[4] = last<E>();
}
//--- `using enum` of what is no enumeration
// error: invalid-using
struct S {};
kernel void f(device int* o) { using enum S; }
//--- literals with suffixes of one's own
// gives: i32 = 10 32 17
constexpr int operator""_x(unsigned long long n) { return int(n) * 2; }
namespace l { constexpr uint operator"" _k(unsigned long long n) { return n * 16; } }
using namespace l;
template <int N> int g() { return N + 7; }
kernel void f(device int* o) { o[0] = 5_x; o[1] = 0x2_k; o[2] = g<5_x>(); }
//--- a suffix that no operator defines
// error: unknown-identifier
kernel void f(device int* o) { o[0] = 5_x; }
//--- namespaces: nested, aliases, without a name, inline
// gives: i32 = 1 2 3 4
namespace a::b { static int one() { return 1; } }
namespace c = a::b;
namespace { int two() { return 2; } }
namespace v { inline namespace v1 { static int three() { return 3; } } }
namespace a { using v::three; static int four() { return b::one() + three(); } }
kernel void f(device int* o) { o[0] = c::one(); o[1] = two(); o[2] = v::three(); o[3] = a::four(); }
//--- `auto`, `decltype`, `decltype(auto)`, results deduced and trailing
// gives: i32 = 3 4 5 7
static auto three() { return 3; }
static auto four() -> int { return 4; }
template <typename T> auto next(T x) -> decltype(x + 1) { return x + 1; }
static decltype(auto) element(thread int* p, int i) { return p[i]; }
kernel void f(device int* o) {
    auto a = three();
    decltype(a) b = four();
    o[0] = a; o[1] = b; o[2] = next(4);
    int c[2] = {6, 7};
    o[3] = element(c, 1);
}
//--- loops over arrays and classes with `begin` and `end`
// gives: i32 = 6 12
struct Range {
    int n;
    struct It { int i; int operator*() const { return i; } thread It& operator++() { ++i; return *this; } bool operator!=(It o) const { return i != o.i; } };
    It begin() const { return {0}; }
    It end() const { return {n}; }
};
kernel void f(device int* o) {
    int a[] = {1, 2, 3}, s = 0, t = 0;
    for (int x : a) s += x;
    for (thread auto& x : a) x *= 2;
    for (auto x : Range{4}) t += x;
    o[0] = s + t - 6;
    o[1] = a[0] + a[1] + a[2];
}
//--- a loop over a list in braces, which would need `std::initializer_list`
// error: not-a-range
kernel void f(device int* o) { for (int x : {1, 2, 3}) o[0] += x; }
//--- loops over what functions `begin` and `end` give, over iterators and what ends them
// gives: i32 = 6 10 10
struct R { int a[3]; };
static thread int* begin(thread R& r) { return r.a; }
static thread int* end(thread R& r) { return r.a + 3; }
struct Stop { int n; };
struct It { int i; int operator*() const { return i; } thread It& operator++() { i++; return *this; }
    bool operator!=(It o) const { return i != o.i; } bool operator!=(Stop s) const { return i != s.n; } };
struct Range { int n; It begin() const { return {0}; } It end() const { return {n}; } };
struct Until { int n; It begin() const { return {0}; } Stop end() const { return {n}; } };
kernel void f(device int* o) {
    R r = {{1, 2, 3}};
    for (int x : r) o[0] += x;
    for (int x : Range{5}) o[1] += x;
    for (int x : Until{5}) o[2] += x;
}
//--- loops with an initializer and a range, which Clang accepts
// gives: i32 = 6 3 9 3
struct P { int a, b; };
kernel void f(device int* o) {
    for (int a[] = {1, 2, 3}; int x : a) o[0] += x;
    for (int k = 3; auto x : array<int, 1>{{1}}) o[1] += k * x;
    for (P ps[] = {{4, 5}}; auto [u, v] : ps) o[2] = u + v;
    for (int i = 0; bool more = i < 3; i++) o[3]++;
}
//--- `a ?: b`, which Clang accepts
// gives: i32 = 5 3 1 7
static int next(thread int& n) { return ++n; }
kernel void f(device int* o) {
    o[0] = o[0] ?: 5;
    o[1] = 3 ?: 7;
    int n = 0;
    next(n) ?: next(n);
    o[2] = n;
    device int* p = nullptr;
    o[3] = (p ?: &o[0])[0] + 2;
}
//--- static_assert, with and without a message
// gives: i32 = 1
static_assert(sizeof(int) == 4);
static_assert(sizeof(half) == 2, "halves are small");
kernel void f(device int* o) { static_assert(true); o[0] = 1; }
//--- static_assert that fails
// error: static-assert
static_assert(sizeof(int) == 8, "ints are not that long");
kernel void f(device int* o) { o[0] = 1; }
//--- type aliases, `typedef`, alias templates
// gives: i32 = 4 16 12
typedef int number;
using vector4 = float4;
template <typename T> using triple = array<T, 3>;
kernel void f(device int* o) { o[0] = sizeof(number); o[1] = sizeof(vector4); o[2] = sizeof(triple<int>); }
//--- references: in every address space, to arrays, to references that end a life
// gives: i32 = 9 8 3 5
static void set(thread int& x) { x = 9; }
static void set_device(device int& x) { x = 8; }
static int count(thread const int (&a)[3]) { return sizeof(a) / sizeof(a[0]); }
static int take(thread int&& x) { return x; }
kernel void f(device int* o) {
    int x; set(x); o[0] = x;
    set_device(o[1]);
    int a[3] = {}; o[2] = count(a);
    o[3] = take(5);
}
//--- pointers: arithmetic, differences, comparison, to pointers
// gives: i32 = 30 2 1 40 1
kernel void f(device int* o) {
    int a[4] = {10, 20, 30, 40};
    thread int* p = a + 2;
    thread int* q = &a[0];
    o[0] = *p; o[1] = p - q; o[2] = q < p;
    thread int* thread* pp = &p;
    ++*pp;
    o[3] = **pp;
    thread int* n = nullptr;
    o[4] = n == nullptr;
}
//--- casts: static, const, reinterpret, C style, functional
// gives: i32 = 2 5 1065353216 3
kernel void f(device int* o) {
    o[0] = static_cast<int>(2.9f);
    const int x = 5; o[1] = *const_cast<thread int*>(&x);
    float one = 1; o[2] = *reinterpret_cast<thread int*>(&one);
    o[3] = (int)3.5f;
}
//--- aggregate initialization: nested, designated, partial
// gives: i32 = 1 2 3 0 5 7
struct In { int a, b; };
struct Out { In i; int c; int d; };
kernel void f(device int* o) {
    Out x = {{1, 2}, 3};
    o[0] = x.i.a; o[1] = x.i.b; o[2] = x.c; o[3] = x.d;
    In y = {.a = 5, .b = 7};
    o[4] = y.a; o[5] = y.b;
}
//--- designators of members of members, elements of members and members of what has no name
// gives: i32 = 1 3 5 6 7 8 9
struct P { int x, y; };
struct S { P p; int a[2]; P q[2]; union { int i; float f; }; struct { int k; }; };
kernel void f(device int* o) {
    S s = {.p.x = 1, .p.y = 3, .a[0] = 5, .a[1] = 6, .q[1].x = 7, .i = 8, .k = 9};
    o[0] = s.p.x; o[1] = s.p.y; o[2] = s.a[0]; o[3] = s.a[1]; o[4] = s.q[1].x + s.q[0].y; o[5] = s.i; o[6] = s.k;
}
//--- a designator does not reach the members of a base
// error: unknown-member
struct B { int b; }; struct S : B { int x; };
kernel void f(device int* o) { S s = {.b = 1}; o[0] = s.b; }
//--- initializer lists that narrow, with a warning
// gives: i32 = 2
kernel void f(device int* o) { int x{2.5f}; o[0] = x; }
//--- `sizeof`, `alignof`, `sizeof...`, `alignas`
// gives: i32 = 12 4 3 32
template <typename... T> int count(T...) { return sizeof...(T); }
struct alignas(32) Wide { int x; };
kernel void f(device int* o) { o[0] = sizeof(packed_float3); o[1] = alignof(float); o[2] = count(1, 2.0f, 'c'); o[3] = alignof(Wide); }
//--- standard attributes that change nothing
// gives: i32 = 1 2
[[nodiscard]] static int one() { return 1; }
struct [[deprecated("old")]] Old { int x; };
kernel void f(device int* o, [[maybe_unused]] uint i [[thread_position_in_grid]]) {
    [[maybe_unused]] int unused = 0;
    o[0] = one();
    switch (o[0]) { case 1: o[1] = 1; [[fallthrough]]; case 2: o[1] = 2; }
}
//--- literals: binary, separators, characters, hexadecimal floats, suffixes
// gives: i32 = 10 1000000 97 10 8 255
kernel void f(device int* o) {
    o[0] = 0b1010; o[1] = 1'000'000; o[2] = 'a'; o[3] = '\n'; o[4] = 0x1p3f; o[5] = 0xffu;
}
//--- template argument deduction for classes
// gives: i32 = 4 2
template <typename T> struct Box { T v; Box(T x) : v(x) {} };
template <typename T, typename U> struct Two { T a; U b; };
template <typename T, typename U> Two(T, U) -> Two<T, U>;
kernel void f(device int* o) { Box b(4); o[0] = b.v; Two t{1, 2.5f}; o[1] = int(t.b); }
//--- comma, conditional, short circuit, evaluation order
// gives: i32 = 2 5 0 1
static bool touch(thread int& n) { n++; return true; }
kernel void f(device int* o) {
    int n = 0;
    o[0] = (1, 2);
    o[1] = n == 0 ? 5 : 6;
    bool b = false && touch(n);
    o[2] = n + b;
    o[3] = true || touch(n) ? n + 1 : 7;
}
//--- `switch`: ranges of cases, fall-through, nested loops
// gives: i32 = 1 3 6 -1
static int kind(int x) {
    int r = 0;
    switch (x) { case 0: return 1; case 1: r += 1; case 2: r += 2; break; case 10 ... 20: for (int i = 0; i < 4; i++) { if (i == 3) break; r += 2; } break; default: r = -1; }
    return r;
}
kernel void f(device int* o) { o[0] = kind(0); o[1] = kind(1); o[2] = kind(15); o[3] = kind(9); }
//--- a member that several bases have
// error: ambiguous-member
struct A { int x; }; struct B { int x; }; struct C : A, B {};
kernel void f(device int* o) { C c; c.A::x = 1; o[0] = c.x; }
//--- one base several times, members of each
// gives: i32 = 21 8
struct T { int t; }; struct A : T {}; struct B : T {}; struct C : A, B {};
kernel void f(device int* o) { C c; c.A::t = 1; c.B::t = 2; o[0] = c.A::t + 10 * c.B::t; o[1] = sizeof(C); }
//--- from a base to the class that derives from it, through pointers that are kept
// gives: i32 = 2 3 14
struct A { int a; };
struct B { int b; int get() { return b; } };
struct C : A, B { int c; };
template <typename D> struct Base { int x; int run() { return x + static_cast<thread D&>(*this).y; } };
struct Derived : A, Base<Derived> { int y; };
kernel void f(device int* o) {
    C c; c.a = 1; c.b = 2; c.c = 3;
    thread B* p = &c;
    o[0] = p->get();
    thread C* q = static_cast<thread C*>(p);
    o[1] = q->c;
    Derived d; d.a = 7; d.x = 3; d.y = 4;
    o[2] = d.run() + d.a;
}
//--- methods for variables and for values: `&`, `&&`
// gives: i32 = 1 2 3 4
struct S { int g() & { return 1; } int g() const & { return 2; } int g() && { return 3; } int h() const & { return 4; } };
kernel void f(device int* o) { S s; const S t = {}; o[0] = s.g(); o[1] = t.g(); o[2] = S().g(); o[3] = S().h(); }
//--- an operator for the comma
// gives: i32 = 8
struct S { int v; int operator,(int x) const { return v * x; } };
kernel void f(device int* o) { S s = {2}; o[0] = (s, 4); }
//--- arrays of characters from literals, `u8`
// gives: i32 = 98 0 103 120 4 121 97
struct Word { char text[6]; int v; };
constant Word words[] = {{"ab", 1}, {"cdefg", 2}};
constant char lists[2][4] = {"xyz", "uv"};
kernel void f(device int* o) {
    o[0] = words[0].text[1]; o[1] = words[0].text[2]; o[2] = words[1].text[4];
    o[3] = lists[0][0];
    char local[] = "xyz";
    o[4] = sizeof(local); o[5] = local[1];
    o[6] = u8'a';
}
//--- `offsetof`
// gives: i32 = 4 14
struct S { char c; int i; struct { short a, b[3]; } n; };
kernel void f(device int* o) { static_assert(offsetof(S, n) == 8); o[0] = offsetof(S, i); o[1] = offsetof(S, n.b[2]); }
//--- names that are taken: of parameters, of enumerators
// error: redefinition
enum E { a, b, a };
static int g(int x) { int x = 1; return x; }
kernel void f(device int* o) { o[0] = g(a); }
//--- a label of a `switch` does not skip an initializer
// error: skipped-initializer
kernel void f(device int* o) { switch (o[0]) { case 1: int x = 4; o[1] = x; break; case 2: o[2] = 1; } }
//--- default arguments: given once, and to the last parameters
// error: missing-default-argument
static int g(int x = 1, int y) { return x + y; }
kernel void f(device int* o) { o[0] = g(1, 2); }
//--- constants need functions that are `constexpr`
// error: not-constant
static int three() { return 3; }
kernel void f(device int* o) { int a[three()]; a[0] = 1; o[0] = a[0]; }
//--- pointers to functions: chosen at run time, in arrays and structures, null
// gives: i32 = 5 6 1 9 8 1 15
static int add(int x) { return x + 3; }
static int half_of(int x) { return x / 3; }
static int times(int x) { return x * 3; }
typedef int (*op)(int);
constant op ops[] = {add, half_of, times};
struct Pair { op first, second; };
static int apply(int (*p)(int), int x) { return p(x); }
kernel void f(device int* o) {
    o[0] = apply(o[0] == 0 ? &times : &add, 5) / 3;
    for (int i = 0; i < 3; i++) o[i + 1] = ops[i](3);
    Pair pair{add, nullptr};
    o[4] = (*pair.first)(5);
    o[5] = !pair.second && pair.first == add && pair.first != times;
    if (o[5] == 1) pair.second = times;
    o[6] = pair.second(5);
}
//--- pointers to functions with references, classes, address spaces, without a result
// gives: i32 = 7 9 11
struct V { int a; float4 b; };
static V sum(int a, V v) { return {a + v.a, v.b * 2}; }
static V difference(int a, V v) { return {a - v.a, v.b * 3}; }
static void put(device int* p, thread int& r) { *p = r++; }
static void put_next(device int* p, thread int& r) { *p = ++r; }
kernel void f(device int* o) {
    V (*p)(int, V) = o[0] == 0 ? sum : difference;
    void (*q)(device int*, thread int&) = p == sum ? put_next : put;
    V r = p(3, V{4, float4(1, 2, 3, 4)});
    o[0] = r.a;
    int n = int(r.b.w);
    q(o + 1, n);
    q = put;
    n += 2;
    q(o + 2, n);
}
//--- each thread calls what its own pointer says, also functions with barriers
// gives 4: i32 = 10 2 12 6 3 2 1 0
static int add(int x) { return x + 10; }
static int twice(int x) { return x * 2; }
static int reverse(threadgroup int* t, uint i) { t[i] = i; threadgroup_barrier(mem_flags::mem_threadgroup); return t[3 - i]; }
static int same(threadgroup int*, uint i) { return i; }
kernel void f(device int* o, uint i [[thread_position_in_grid]]) {
    threadgroup int t[4];
    int (*p)(int) = i % 2 ? twice : add;
    int (*q)(threadgroup int*, uint) = o[i] == 0 ? reverse : same;
    o[i] = p(i);
    o[i + 4] = q(t, i);
}
//--- pointers to functions: deduced, of overloads, of templates, while compiling
// gives: i32 = 8 5 3 9 25
static int sum(int x, int y) { return x + y; }
static int g(int x) { return x + 2; }
static int g(float x) { return 3; }
template <typename T> static T triple(T x) { return x * 3; }
template <typename R, typename... A> R call(R (*p)(A...), A... a) { return p(a...); }
template <typename F> struct Count;
template <typename R, typename... A> struct Count<R (*)(A...)> { static constexpr int n = sizeof...(A); };
template <auto F> struct Bound;
template <typename R, typename... A, R (*F)(A...)> struct Bound<F> { static R call(A... a) { return F(a...); } };
constexpr int square(int x) { return x * x; }
constexpr int apply(int (*p)(int), int x) { return p(x); }
static int pick(int (*p)(float)) { return p(1.0f); }
constexpr constant int k = apply(square, 5);
kernel void f(device int* o) {
    o[0] = call(sum, 3, 5);
    o[1] = Bound<&sum>::call(1, 2) + Count<decltype(&sum)>::n;
    o[2] = pick(g);
    int (*p)(int) = &g;
    if (p) p = triple;
    o[3] = p(3);
    o[4] = k;
}
//--- pointers to functions as numbers, as pointers to anything and back
// gives: i32 = 5 8 1
static int next(int x) { return x + 4; }
kernel void f(device int* o) {
    auto q = &next;
    thread void* v = (thread void*)q;
    int (*r)(int) = (int (*)(int))v;
    o[0] = r(1);
    ulong n = (ulong)q;
    r = reinterpret_cast<int (*)(int)>(n);
    o[1] = r(4);
    o[2] = *q == q && (ulong)r == n;
}
//--- the size of a pointer to a function
// gives: i32 = 8 8
static int g(int x) { return x; }
kernel void f(device int* o) { o[0] = sizeof(&g); o[1] = sizeof(decltype(&g)); }
//--- functions have no order
// error: invalid-operands
static int g(int x) { return x; }
kernel void f(device int* o) { int (*q)(int) = g; o[0] = q < g; }
//--- functions do not lie one behind the other
// error: invalid-operand
static int g(int x) { return x; }
kernel void f(device int* o) { int (*q)(int) = g; q++; o[0] = q(1); }
//--- a kernel takes no pointer to a function
// error: invalid-kernel-parameter
kernel void f(device int* o, int (*q)(int)) { o[0] = q(1); }
//--- lambdas without captures as pointers to functions
// gives: i32 = 8 9 7 4
static int apply(int (*p)(int), int x) { return p(x); }
template <int (*F)(int)> int now(int x) { return F(x); }
kernel void f(device int* o) {
    o[0] = apply(+[](int x) { return x + 3; }, 5);
    o[1] = apply([](int x) { return x + 4; }, 5);
    int (*p)(int) = [](auto x) { return x + 2; };
    o[2] = p(5);
    o[3] = now<+[](int x) { return x + 1; }>(3);
}
//--- a lambda with captures is no function
// error: no-conversion
kernel void f(device int* o) { int n = 1; int (*p)(int) = [n](int x) { return x + n; }; o[0] = p(1); }
//--- a call through what is known to be null
// error: null-call
kernel void f(device int* o) { constexpr int (*p)(int) = nullptr; o[0] = p(1); }
//--- too many arguments for a pointer to a function
// error: no-matching-function
static int g(int x) { return x; }
kernel void f(device int* o) { int (*p)(int) = g; o[0] = p(1, 2); }
//--- pointers to data members: in every address space, of arrays, null, chosen at run time
// gives: i32 = 1 2 7 4 9 1 0 5
struct Q { int z; int w[2]; };
struct P { int a; Q q; };
struct R { int x, y; };
kernel void f(device int* o) {
    device P* d = (device P*)o;
    int P::*m = &P::a;
    Q P::*k = &P::q;
    int (Q::*w)[2] = &Q::w;
    d->*m = 1;
    (d->*k).z = 2;
    ((d->*k).*w)[0] = 7;
    const device P& c = *d;
    o[3] = (c.*k).z + 2;
    R r{7, 9};
    int R::*p = nullptr;
    o[5] = p == nullptr;
    p = o[0] == 1 ? &R::y : &R::x;
    o[4] = r.*p;
    o[6] = p == &R::x;
    (&r)->*p = 5;
    o[7] = r.y;
}
//--- pointers to members as arguments of templates and deduced
// gives: i32 = 16 12 9 12 4 9 30
struct P { int a, b; int add(int x) const { return a + x; } };
template <int P::*M> int get(thread const P& p) { return p.*M; }
template <int (P::*M)(int) const> int call(thread const P& p, int x) { return (p.*M)(x); }
template <typename C, typename T> T read(thread const C& c, T C::*m) { return c.*m; }
template <typename C, typename R, typename... A> R run(thread const C& c, R (C::*m)(A...) const, A... a) { return (c.*m)(a...); }
template <auto M> struct Member;
template <typename C, typename T, T C::*M> struct Member<M> { using type = T; static T get(C c) { return c.*M; } };
template <typename C, typename T> struct Field { T C::*p; };
template <typename... F> int total(thread const P& p, F... f) { return ((p.*(f.p)) + ...); }
kernel void f(device int* o) {
    P s{7, 9};
    o[0] = get<&P::a>(s) + get<&P::b>(s);
    o[1] = call<&P::add>(s, 5);
    o[2] = read(s, &P::b);
    o[3] = run(s, &P::add, 5);
    o[4] = sizeof(Member<&P::a>::type);
    o[5] = Member<&P::b>::get(s);
    o[6] = total(s, Field<P, int>{&P::a}, Field<P, int>{&P::b}, Field<P, int>{&P::a}) + s.a;
}
//--- pointers to member functions: chosen at run time, overloads, templates
// gives: i32 = 12 2 35 8 1 2 3
struct P {
    int a;
    int add(int x) { return a + x; }
    int sub(int x) { return a - x; }
    int mul(int x) { return a * x; }
    void inc() { a++; }
    void dec() { a--; }
    int g(int) { return 1; }
    int g(float) { return 2; }
    template <typename T> int h(T) { return 3; }
};
kernel void f(device int* o) {
    P s{7};
    int (P::*ops[3])(int) = {&P::add, &P::sub, &P::mul};
    for (int i = 0; i < 3; i++) o[i] = (s.*ops[i])(5);
    void (P::*v)() = o[0] == 12 ? &P::inc : &P::dec;
    (s.*v)();
    o[3] = s.a;
    int (P::*i)(int) = &P::g;
    int (P::*k)(float) = &P::g;
    int (P::*t)(int) = &P::h;
    o[4] = (s.*i)(1); o[5] = (s.*k)(1); o[6] = (s.*t)(1);
}
//--- pointers to members of bases are ones of derived classes
// gives: i32 = 3 5 8 3 3 0
struct B0 { int z; };
struct B { int x; int get() const { return x; } };
struct D : B0, B { int y; };
kernel void f(device int* o) {
    D d{{1}, {3}, 5};
    int D::*m = &D::x;
    o[0] = d.*m;
    m = &D::y;
    o[1] = d.*m;
    int (D::*g)() const = &B::get;
    o[2] = (d.*g)() + 5;
    int B::*b = &B::x;
    o[3] = d.*b;
    if (o[0] == 1) b = nullptr;
    m = b;
    o[4] = d.*m;
    if (o[0] == 3) b = nullptr;
    m = b;
    o[5] = m != nullptr;
}
//--- a pointer to a member of another class
// error: invalid-member-pointer
struct P { int a; }; struct Q {};
kernel void f(device int* o) { Q q; int P::*m = &P::a; o[0] = q.*m; }
//--- a pointer to a member of another type
// error: no-conversion
struct P { int a; };
kernel void f(device int* o) { float P::*m = &P::a; o[0] = 1; }
//--- a function that may change its object, called through a pointer for a constant one
// error: no-matching-function
struct P { int a; int g(int) { return 1; } };
kernel void f(device int* o) { const P p{1}; auto m = &P::g; o[0] = (p.*m)(1); }
//--- pointers to functions of bases that are not known while compiling, for derived classes
// gives 4: i32 = 11 22 11 22 1 130 0 1
struct A { int a = 1; };
struct B { int b = 10; int f() const { return b + 1; } int g() const { return b * 2 + 2; } };
struct D : A, B { int d = 3; int h() const { return b + d * 40; } };
using Of = int (B::*)() const;
using OfD = int (D::*)() const;
struct Table { OfD of[2]; };
kernel void f(device int* o, uint i [[thread_position_in_grid]]) {
    D d;
    Of b = i % 2 ? &B::g : &B::f;
    OfD m = b;
    o[i] = (d.*m)();
    if (i == 0) {
        Of none = o[0] == 11 ? nullptr : b;
        OfD still = none;
        o[4] = still == nullptr;
        // Back to the base, of which the object is one.
        OfD h = o[0] == 11 ? &D::h : &D::f;
        Of back = static_cast<Of>(h);
        thread B& as_base = d;
        o[5] = (as_base.*back)();
        o[6] = static_cast<OfD>(b) != &D::f;
        o[7] = static_cast<OfD>(back) == &D::h;
    }
}
//--- pointers to functions of a base that there are two of
// gives: i32 = 1 2 2 1 12
struct B { int v; constexpr int f() const { return v; } };
struct L : B {}; struct R : B {}; struct D : L, R { constexpr D() : L{{1}}, R{{2}} {} };
using OfD = int (D::*)() const;
constexpr int while_compiling() {
    D d; OfD m[2] = {static_cast<int (L::*)() const>(&B::f), static_cast<int (R::*)() const>(&B::f)};
    int sum = 0;
    for (int i = 0; i < 2; i++) sum = sum * 10 + (d.*m[i])();
    return sum;
}
kernel void f(device int* o) {
    D d;
    constexpr OfD l = static_cast<int (L::*)() const>(&B::f);
    constexpr OfD r = static_cast<int (R::*)() const>(&B::f);
    o[0] = (d.*l)(); o[1] = (d.*r)();
    OfD m = o[0] == 1 ? r : l;
    o[2] = (d.*m)();
    int (B::*b)() const = &B::f;
    if (o[0] == 5) b = nullptr;
    int (L::*as_l)() const = b;
    o[3] = (d.*OfD(as_l))();
    constexpr int known = while_compiling();
    o[4] = known;
}
