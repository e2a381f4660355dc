// Operations of simdgroups behind branches that threads take differently, loops that they leave at different times, and
// returns: MSL 6.9.2, "the active threads". A GPU may run threads of one simdgroup apart for longer than the program says.
//--- behind a switch with a loop, where some threads have returned
// buffer 0: u32 = iota(128)
// buffer 1: u32 = zeros(128)
// buffer 2: u32 = zeros(4)
// dispatch: a grid=128 threadgroup=64
// expect 1: u32 = expr(128, 12 * max(0, min(1, 3 - i % 8)))
#include <metal_stdlib>
using namespace metal;
kernel void a(device const uint* in [[buffer(0)]], device uint* out [[buffer(1)]], device atomic_uint* sums [[buffer(2)]],
              uint i [[thread_position_in_grid]]) {
    if (i % 8 >= 3) return;
    switch (in[i] * 7 % 5) {
    case 0:
        for (uint j = 0;; j++) {
            if (j > in[i] % 11) break;
            atomic_fetch_add_explicit(&sums[j % 2], uint(pow(float(j), 1.5f)), memory_order_relaxed);
        }
        break;
    case 1:
        atomic_fetch_add_explicit(&sums[2], 1, memory_order_relaxed);
    case 2:
        if (in[i] % 3 == 0) break;
        atomic_fetch_add_explicit(&sums[3], in[i], memory_order_relaxed);
    }
    out[i] = simd_sum(1u);
}
//--- in a loop that threads leave at different times, and behind it
// buffer 0: u32 = zeros(64)
// buffer 1: u32 = zeros(64)
// dispatch: b grid=64 threadgroup=32
// expect 0: u32 = expr(64, 32 * (i % 32) - (i % 32) * (i % 32 - 1) / 2)
// expect 1: u32 = fill(64, 32)
#include <metal_stdlib>
using namespace metal;
kernel void b(device uint* out [[buffer(0)]], device uint* after [[buffer(1)]], uint i [[thread_position_in_grid]]) {
    uint sum = 0;
    for (uint j = 0; j < i % 32; j++) sum += simd_sum(1u) + 1;
    out[i] = sum;
    after[i] = simd_sum(1u);
}
//--- with continue, break and return in a loop
// buffer 0: u32 = zeros(32)
// buffer 1: u32 = zeros(32)
// dispatch: c grid=32 threadgroup=32
// expect 0: u32 = fill(8, 0) fill(24, 76)
// expect 1: u32 = fill(8, 0) fill(24, 24)
#include <metal_stdlib>
using namespace metal;
kernel void c(device uint* out [[buffer(0)]], device uint* after [[buffer(1)]], uint i [[thread_position_in_grid]]) {
    uint sum = 0;
    for (uint j = 0; j < 6; j++) {
        if (i < 8 && j == 1) return;
        if ((i & 1) == (j & 1)) {
            sum += simd_sum(1u);
            continue;
        }
        if (j == 5 && i >= 100) break;
        sum += simd_sum(1u);
    }
    out[i] = sum;
    after[i] = simd_sum(1u);
}
//--- returns deep inside of branches
// buffer 0: u32 = zeros(32)
// dispatch: d grid=32 threadgroup=32
// expect 0: u32 = fill(4, 0) fill(28, 28)
#include <metal_stdlib>
using namespace metal;
kernel void d(device uint* out [[buffer(0)]], uint i [[thread_position_in_grid]]) {
    uint n = i;
    if (i < 16) {
        for (uint j = 0; j < i; j++) n = n * 3 + j;
        if (i < 4) return;
        n ^= 5;
    } else {
        while (n > 3) n /= 2;
    }
    out[i] = simd_sum(1u) + (n == 77777 ? 1 : 0);
}
