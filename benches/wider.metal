// Kernels of different natures, as people write them for GPUs.
#include <metal_stdlib>
using namespace metal;

// One threadgroup of 256 a row.
kernel void softmax(device const float* in, device float* out, constant uint& n, uint row [[threadgroup_position_in_grid]],
                    uint l [[thread_position_in_threadgroup]], uint lane [[thread_index_in_simdgroup]],
                    uint group [[simdgroup_index_in_threadgroup]])
{
    threadgroup float shared[8];
    device const float* x = in + row * n;
    device float* y = out + row * n;
    float most = -INFINITY;
    for (uint i = l; i < n; i += 256) most = max(most, x[i]);
    most = simd_max(most);
    if (lane == 0) shared[group] = most;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    most = shared[0];
    for (uint i = 1; i < 8; i++) most = max(most, shared[i]);
    threadgroup_barrier(mem_flags::mem_threadgroup);
    float sum = 0.0f;
    for (uint i = l; i < n; i += 256) {
        float e = exp(x[i] - most);
        y[i] = e;
        sum += e;
    }
    sum = simd_sum(sum);
    if (lane == 0) shared[group] = sum;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    sum = 0.0f;
    for (uint i = 0; i < 8; i++) sum += shared[i];
    float scale = 1.0f / sum;
    for (uint i = l; i < n; i += 256) y[i] *= scale;
}

// Bins in threadgroup memory, then added to those of all.
kernel void histogram(device const uchar* data, device atomic_uint* bins, constant uint& n,
                      uint g [[threadgroup_position_in_grid]], uint l [[thread_position_in_threadgroup]])
{
    threadgroup atomic_uint own[256];
    atomic_store_explicit(&own[l], 0, memory_order_relaxed);
    threadgroup_barrier(mem_flags::mem_threadgroup);
    uint first = g * 16384;
    for (uint i = first + l; i < min(first + 16384, n); i += 256)
        atomic_fetch_add_explicit(&own[data[i]], 1, memory_order_relaxed);
    threadgroup_barrier(mem_flags::mem_threadgroup);
    atomic_fetch_add_explicit(&bins[l], atomic_load_explicit(&own[l], memory_order_relaxed), memory_order_relaxed);
}

// One step of the network; one thread for each pair.
kernel void bitonic(device uint* a, constant uint& k, constant uint& j, uint t [[thread_position_in_grid]])
{
    uint i = 2 * t - (t & (j - 1));
    uint x = a[i], y = a[i + j];
    bool up = (i & k) == 0;
    if ((x > y) == up) {
        a[i] = y;
        a[i + j] = x;
    }
}

// Inclusive sums in blocks of 1024, and of each block.
kernel void scan_blocks(device const uint* in, device uint* out, device uint* sums, uint g [[threadgroup_position_in_grid]],
                        uint l [[thread_position_in_threadgroup]], uint lane [[thread_index_in_simdgroup]],
                        uint group [[simdgroup_index_in_threadgroup]])
{
    threadgroup uint shared[8];
    uint before = 0;
    for (uint part = 0; part < 4; part++) {
        uint i = g * 1024 + part * 256 + l;
        uint v = simd_prefix_inclusive_sum(in[i]);
        if (lane == 31) shared[group] = v;
        threadgroup_barrier(mem_flags::mem_threadgroup);
        uint all = 0, mine = 0;
        for (uint s = 0; s < 8; s++) {
            if (s == group) mine = all;
            all += shared[s];
        }
        out[i] = before + mine + v;
        before += all;
        threadgroup_barrier(mem_flags::mem_threadgroup);
    }
    if (l == 0) sums[g] = before;
}

kernel void scan_add(device uint* out, device const uint* sums, uint i [[thread_position_in_grid]])
{
    out[i] += i < 1024 ? 0 : sums[i / 1024 - 1];
}

// Borders repeat the last pixel.
kernel void convolve(device const float* in, device float* out, constant float* weights, constant uint2& size,
                     uint2 p [[thread_position_in_grid]])
{
    float sum = 0.0f;
    for (int dy = -2; dy <= 2; dy++)
        for (int dx = -2; dx <= 2; dx++) {
            int x = clamp(int(p.x) + dx, 0, int(size.x) - 1), y = clamp(int(p.y) + dy, 0, int(size.y) - 1);
            sum += weights[(dy + 2) * 5 + dx + 2] * in[y * size.x + x];
        }
    out[p.y * size.x + p.x] = sum;
}

// 1024 points a threadgroup of 256, radix 2, Stockham's order.
kernel void fft(device const float2* in, device float2* out, uint g [[threadgroup_position_in_grid]],
                uint l [[thread_position_in_threadgroup]])
{
    threadgroup float2 a[1024];
    threadgroup float2 b[1024];
    for (uint i = l; i < 1024; i += 256) a[i] = in[g * 1024 + i];
    threadgroup_barrier(mem_flags::mem_threadgroup);
    threadgroup float2* from = a;
    threadgroup float2* to = b;
    for (uint s = 1; s < 1024; s <<= 1) {
        for (uint t = l; t < 512; t += 256) {
            uint q = t & (s - 1), p = t - q;
            float angle = -M_PI_F * float(p) / 512.0f;
            float2 w = float2(cos(angle), sin(angle));
            float2 x = from[t], y = from[t + 512];
            float2 d = x - y;
            to[q + 2 * p] = x + y;
            to[q + 2 * p + s] = float2(d.x * w.x - d.y * w.y, d.x * w.y + d.y * w.x);
        }
        threadgroup_barrier(mem_flags::mem_threadgroup);
        threadgroup float2* other = from;
        from = to;
        to = other;
    }
    for (uint i = l; i < 1024; i += 256) out[g * 1024 + i] = from[i];
}

// Weights of eight bits in blocks of 32 with a scale; one simdgroup a row.
kernel void matvec_q8(device const char* weights, device const half* scales, device const float* x, device float* y,
                      constant uint& n, uint row [[threadgroup_position_in_grid]], uint lane [[thread_index_in_simdgroup]])
{
    device const char* w = weights + row * n;
    device const half* s = scales + row * (n / 32);
    float sum = 0.0f;
    for (uint block = 0; block < n / 32; block++) sum += float(s[block]) * (float(w[block * 32 + lane]) * x[block * 32 + lane]);
    sum = simd_sum(sum);
    if (lane == 0) y[row] = sum;
}

// The nearest of some spheres, from a camera at the origin.
kernel void rays(device const float4* spheres, device float* depth, constant uint& count, constant uint2& size,
                 uint2 p [[thread_position_in_grid]])
{
    float3 d = normalize(float3((float(p.x) + 0.5f) / float(size.x) - 0.5f, (float(p.y) + 0.5f) / float(size.y) - 0.5f, 1.0f));
    float nearest = 1e30f;
    for (uint i = 0; i < count; i++) {
        float4 s = spheres[i];
        float b = dot(d, s.xyz), c = dot(s.xyz, s.xyz) - s.w * s.w;
        float h = b * b - c;
        if (h > 0.0f) {
            float t = b - sqrt(h);
            if (t > 0.0f && t < nearest) nearest = t;
        }
    }
    depth[p.y * size.x + p.x] = nearest;
}

// Where a word begins.
kernel void find(device const uchar* text, device uchar* found, constant uchar* word, constant uint& length,
                 uint i [[thread_position_in_grid]])
{
    uint k = 0;
    while (k < length && text[i + k] == word[k]) k++;
    found[i] = k == length;
}

// One threadgroup of 256 a row.
kernel void layer_norm(device const float* in, device float* out, device const float* gain, device const float* bias,
                       constant uint& n, uint row [[threadgroup_position_in_grid]],
                       uint l [[thread_position_in_threadgroup]], uint lane [[thread_index_in_simdgroup]],
                       uint group [[simdgroup_index_in_threadgroup]])
{
    threadgroup float2 shared[8];
    device const float* x = in + row * n;
    float sum = 0.0f, squares = 0.0f;
    for (uint i = l; i < n; i += 256) {
        sum += x[i];
        squares += x[i] * x[i];
    }
    sum = simd_sum(sum);
    squares = simd_sum(squares);
    if (lane == 0) shared[group] = float2(sum, squares);
    threadgroup_barrier(mem_flags::mem_threadgroup);
    float2 all = 0.0f;
    for (uint i = 0; i < 8; i++) all += shared[i];
    float mean = all.x / float(n);
    float scale = rsqrt(all.y / float(n) - mean * mean + 1e-5f);
    for (uint i = l; i < n; i += 256) out[row * n + i] = (x[i] - mean) * scale * gain[i] + bias[i];
}

// 32x32 a simdgroup, from fragments of 8x8.
kernel void gemm(device const float* A, device const float* B, device float* C, constant uint& n,
                 uint2 group [[threadgroup_position_in_grid]])
{
    simdgroup_float8x8 sum[4][4];
    for (uint i = 0; i < 4; i++)
        for (uint j = 0; j < 4; j++) sum[i][j] = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
    for (uint k = 0; k < n; k += 8) {
        simdgroup_float8x8 a[4], b[4];
        for (uint i = 0; i < 4; i++) simdgroup_load(a[i], A + (group.y * 32 + i * 8) * n + k, n);
        for (uint j = 0; j < 4; j++) simdgroup_load(b[j], B + k * n + group.x * 32 + j * 8, n);
        for (uint i = 0; i < 4; i++)
            for (uint j = 0; j < 4; j++) simdgroup_multiply_accumulate(sum[i][j], a[i], b[j], sum[i][j]);
    }
    for (uint i = 0; i < 4; i++)
        for (uint j = 0; j < 4; j++) simdgroup_store(sum[i][j], C + (group.y * 32 + i * 8) * n + group.x * 32 + j * 8, n);
}
