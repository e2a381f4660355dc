// Statements.
//--- loops with break and continue
// buffer 0: i32 = zeros(4)
// dispatch: f grid=1
// expect 0: i32 = 20 5 10 3
kernel void f(device int* out [[buffer(0)]]) {
    int sum = 0;
    for (int i = 0; i < 10; ++i) {
        if (i % 2) continue;
        if (i > 8) break;
        sum += i;
    }
    out[0] = sum;
    int n = 0;
    while (n < 5) n++;
    out[1] = n;
    int k = 0;
    do { k += 10; } while (k < 0);
    out[2] = k;
    int outer = 0;
    for (int a = 0; a < 3; a++)
        for (int b = 0;; b++) {
            if (b == 2) { outer++; break; }
        }
    out[3] = outer;
}
//--- switch falls through
// buffer 0: i32 = zeros(6)
// dispatch: g grid=6 threadgroup=6
// expect 0: i32 = 111 110 100 7 -1 -1
kernel void g(device int* out [[buffer(0)]], uint i [[thread_position_in_grid]]) {
    int r = 0;
    switch (i) {
        case 0: r += 1;
        case 1: r += 10;
        case 2: r += 100; break;
        case 3: { r = 7; break; }
        default: r = -1;
    }
    out[i] = r;
}
//--- return in the middle, from nested loops
// buffer 0: i32 = zeros(4)
// dispatch: h grid=4 threadgroup=4
// expect 0: i32 = 1 11 21 31
static int find(int x) {
    for (int i = 0; i < 10; i++) {
        for (int j = 0; j < 10; j++) {
            if (j == 1 && i == x) return i * 10 + j;
        }
        if (x == 0) return 0;
    }
    return -1;
}
kernel void h(device int* out [[buffer(0)]], uint i [[thread_position_in_grid]]) {
    if (i > 100) return;
    out[i] = find(int(i));
}
//--- short circuits do not evaluate what they skip
// buffer 0: i32 = 0 0 0 0
// dispatch: k grid=1
// expect 0: i32 = 1 0 1 5
static bool touch(device int* p) { *p += 1; return true; }
kernel void k(device int* out [[buffer(0)]]) {
    bool a = true && touch(out);
    bool b = false && touch(out + 1);
    bool c = false || touch(out + 2);
    bool d = true || touch(out + 1);
    out[3] = a + b + c + d + (c ? 2 : (touch(out + 1), 9));
}
//--- side effects happen once
// buffer 0: i32 = 1 2 3 4 5
// dispatch: m grid=1
// expect 0: i32 = 1 12 3 4 2
kernel void m(device int* p [[buffer(0)]]) {
    int i = 1;
    p[i++] += 10;
    p[4] = i;
}
//--- accesses that only some threads come to
// buffer 0: f32 = iota(8)
// buffer 1: f32 = zeros(8)
// buffer 2: u32 = 8
// dispatch: neighbors grid=8 threadgroup=8
// expect 1: f32 = 1 2 4 6 8 10 12 6
// dispatch: far grid=8 threadgroup=8
// expect 1: f32 = 5 6 7 3 -4 -5 -6 -7
kernel void neighbors(device const float* a [[buffer(0)]], device float* b [[buffer(1)]], constant uint& n [[buffer(2)]],
                      uint i [[thread_position_in_grid]]) {
    float sum = i == 3 ? a[i] - 3 : 0;
    if (i > 0) sum += a[i - 1];
    if (i + 1 < n) sum += a[i + 1];
    b[i] = sum;
}
kernel void far(device const float* a [[buffer(0)]], device float* b [[buffer(1)]], constant uint& n [[buffer(2)]],
                uint i [[thread_position_in_grid]]) {
    float x = a[i];
    if (i < 3) b[i] = a[i + 5];
    else if (i == 3) {
        b[i] = x;
        return;
    } else b[i] = -x;
}
//--- one of two objects is read: constants, variables, elements of buffers, vectors
// buffer 0: i32 = 0 1 0 5
// buffer 1: i32 = iota(4, 10)
// dispatch: one_of_two grid=4 threadgroup=4
// expect 0: i32 = 4063 2104 4065 2106
#include <metal_stdlib>
using namespace metal;
constant constexpr int one_of_two_a = 1, one_of_two_b = 2;
constant int one_of_two_list[2] = {50, 60};
static int one_of_two_twice(int x) { return x * 2; }
kernel void one_of_two(device int* o [[buffer(0)]], device const int* in [[buffer(1)]], uint i [[thread_position_in_grid]]) {
    const bool c = o[i] != 0;
    int x = 1, y = 2;
    int4 v = int4(40), w = int4(41);
    int sum = one_of_two_twice(c ? one_of_two_a : one_of_two_b) * 1000 + (c ? x : y) + (c ? v : w).y;
    sum += c ? one_of_two_list[0] + in[i] * 0 : one_of_two_list[1] - 50;
    sum += (c ? in[i] : in[i]);
    (c ? x : y) = 7;
    sum += c ? x - 7 : y - 7;
    (c ? v : w).x += 3;
    o[i] = sum + (c ? v.x - 4 - 37 : w.x - 44);
}
