// What the interpreter (and every checking device) must notice.
//--- reading beyond a buffer
// buffer 0: f32 = zeros(4)
// fault: out-of-bounds
// dispatch: f grid=5
kernel void f(device float* p [[buffer(0)]], uint i [[thread_position_in_grid]]) { p[i] += 1; }
//--- a barrier that a simdgroup misses
// buffer 0: f32 = zeros(64)
// fault: divergent-barrier
// dispatch: g grid=64 threadgroup=64
#include <metal_stdlib>
using namespace metal;
kernel void g(device float* p [[buffer(0)]], uint i [[thread_position_in_threadgroup]]) {
    if (i < 32) threadgroup_barrier(mem_flags::mem_threadgroup);
    p[i] = 1;
}
//--- a local array
// buffer 0: i32 = zeros(2)
// buffer 1: i32 = 8
// fault: out-of-bounds
// dispatch: h grid=1
kernel void h(device int* p [[buffer(0)]], constant int& n [[buffer(1)]]) {
    int a[4] = {1, 2, 3, 4};
    p[0] = a[n];
}
//--- a write beyond the end of threadgroup memory
// buffer 0: i32 = zeros(4)
// fault: of 's'
// dispatch: w grid=4 threadgroup=4
#include <metal_stdlib>
using namespace metal;
kernel void w(device int* p [[buffer(0)]], uint i [[thread_position_in_threadgroup]]) {
    threadgroup int s[4];
    s[i + 1] = int(i);
    threadgroup_barrier(mem_flags::mem_threadgroup);
    p[i] = s[i];
}
//--- a read far beyond it
// buffer 0: i32 = zeros(4)
// fault: of 's'
// dispatch: r grid=4 threadgroup=4
#include <metal_stdlib>
using namespace metal;
kernel void r(device int* p [[buffer(0)]], uint i [[thread_position_in_threadgroup]]) {
    threadgroup int s[4];
    s[i] = int(i);
    threadgroup_barrier(mem_flags::mem_threadgroup);
    p[i] = s[i + 5];
}
//--- a read beyond the end that only one thread comes to
// buffer 0: f32 = zeros(8)
// buffer 1: f32 = zeros(8)
// fault: of 'a'
// dispatch: one grid=8 threadgroup=8
kernel void one(device const float* a [[buffer(0)]], device float* b [[buffer(1)]], uint i [[thread_position_in_grid]]) {
    float x = b[i];
    if (i == 5) x += a[i + 3];
    b[i] = x + 1;
}
//--- a write beyond the end after a branch
// buffer 0: f32 = zeros(8)
// buffer 1: f32 = zeros(7)
// fault: of 'b'
// dispatch: two grid=8 threadgroup=8
kernel void two(device const float* a [[buffer(0)]], device float* b [[buffer(1)]], uint i [[thread_position_in_grid]]) {
    float x = 1;
    if (i == 5) x += a[i + 2];
    b[i] = x + 1;
}
