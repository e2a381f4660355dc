// The benchmark kernels, one output per thread, as people write them.
#include <metal_stdlib>
using namespace metal;

kernel void vector_add(device const float* a, device const float* b, device float* c, uint i [[thread_position_in_grid]])
{
    c[i] = a[i] + b[i];
}

kernel void saxpy(device float* y, device const float* x, constant float& s, uint i [[thread_position_in_grid]])
{
    y[i] = s * x[i] + y[i];
}

kernel void matmul_naive(device const float* A, device const float* B, device float* C, constant uint& n,
                         uint2 p [[thread_position_in_grid]])
{
    float sum = 0.0f;
    for (uint k = 0; k < n; k++) sum += A[p.y * n + k] * B[k * n + p.x];
    C[p.y * n + p.x] = sum;
}

kernel void matmul_tiled(device const float* A, device const float* B, device float* C, constant uint& n,
                         uint2 p [[thread_position_in_grid]], uint2 l [[thread_position_in_threadgroup]])
{
    threadgroup float As[16][16];
    threadgroup float Bs[16][16];
    float sum = 0.0f;
    for (uint t = 0; t < n / 16; t++) {
        As[l.y][l.x] = A[p.y * n + t * 16 + l.x];
        Bs[l.y][l.x] = B[(t * 16 + l.y) * n + p.x];
        threadgroup_barrier(mem_flags::mem_threadgroup);
        for (uint k = 0; k < 16; k++) sum += As[l.y][k] * Bs[k][l.x];
        threadgroup_barrier(mem_flags::mem_threadgroup);
    }
    C[p.y * n + p.x] = sum;
}

kernel void mandelbrot(device uint* out, constant uint3& size, uint2 p [[thread_position_in_grid]])
{
    float cx = -2.5f + 3.5f * (float(p.x) / float(size.x));
    float cy = -1.0f + 2.0f * (float(p.y) / float(size.y));
    float zx = 0.0f, zy = 0.0f;
    uint it = 0;
    while (it < size.z) {
        float x2 = zx * zx, y2 = zy * zy;
        if (x2 + y2 > 4.0f) break;
        zy = 2.0f * zx * zy + cy;
        zx = x2 - y2 + cx;
        it++;
    }
    out[p.y * size.x + p.x] = it;
}

kernel void reduce(device const float* a, device float* partial, uint i [[thread_position_in_grid]],
                   uint l [[thread_position_in_threadgroup]], uint g [[threadgroup_position_in_grid]])
{
    threadgroup float s[256];
    s[l] = a[i];
    threadgroup_barrier(mem_flags::mem_threadgroup);
    for (uint d = 128; d > 0; d >>= 1) {
        if (l < d) s[l] += s[l + d];
        threadgroup_barrier(mem_flags::mem_threadgroup);
    }
    if (l == 0) partial[g] = s[0];
}

kernel void nbody(device const float4* p, device float4* acc, constant uint& n, constant float& eps2,
                  uint i [[thread_position_in_grid]])
{
    float4 me = p[i];
    float3 a = float3(0.0f);
    for (uint j = 0; j < n; j++) {
        float4 q = p[j];
        float3 d = q.xyz - me.xyz;
        float inv = rsqrt(dot(d, d) + eps2);
        a += d * (q.w * inv * inv * inv);
    }
    acc[i] = float4(a, 0.0f);
}

kernel void life(device const uchar* in, device uchar* out, constant uint& n, uint2 p [[thread_position_in_grid]])
{
    uint x = p.x, y = p.y;
    uint xm = (x + n - 1) % n, xp = (x + 1) % n, ym = (y + n - 1) % n, yp = (y + 1) % n;
    uint s = in[ym * n + xm] + in[ym * n + x] + in[ym * n + xp] + in[y * n + xm] + in[y * n + xp]
           + in[yp * n + xm] + in[yp * n + x] + in[yp * n + xp];
    out[y * n + x] = (s == 3 || (s == 2 && in[y * n + x] == 1)) ? 1 : 0;
}

kernel void jacobi(device const float* a, device float* b, constant uint& n, uint2 p [[thread_position_in_grid]])
{
    uint x = p.x, y = p.y;
    if (x > 0 && y > 0 && x < n - 1 && y < n - 1) {
        b[y * n + x] = 0.25f * (a[(y - 1) * n + x] + a[(y + 1) * n + x] + a[y * n + x - 1] + a[y * n + x + 1]);
    }
}
