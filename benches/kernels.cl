// The benchmark kernels for OpenCL peers; the same algorithms as kernels.metal.
#define X get_global_id(0)
#define Y get_global_id(1)

kernel void vector_add(global const float* a, global const float* b, global float* c) { c[X] = a[X] + b[X]; }

kernel void saxpy(global float* y, global const float* x, float s) { y[X] = s * x[X] + y[X]; }

kernel void matmul_naive(global const float* A, global const float* B, global float* C, uint n)
{
    float sum = 0.0f;
    for (uint k = 0; k < n; k++) sum += A[Y * n + k] * B[k * n + X];
    C[Y * n + X] = sum;
}

kernel __attribute__((reqd_work_group_size(16, 16, 1)))
void matmul_tiled(global const float* A, global const float* B, global float* C, uint n)
{
    local float As[16][16];
    local float Bs[16][16];
    uint lx = get_local_id(0), ly = get_local_id(1);
    float sum = 0.0f;
    for (uint t = 0; t < n / 16; t++) {
        As[ly][lx] = A[Y * n + t * 16 + lx];
        Bs[ly][lx] = B[(t * 16 + ly) * n + X];
        barrier(CLK_LOCAL_MEM_FENCE);
        for (uint k = 0; k < 16; k++) sum += As[ly][k] * Bs[k][lx];
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    C[Y * n + X] = sum;
}

kernel void mandelbrot(global uint* out, uint w, uint h, uint limit)
{
    float cx = -2.5f + 3.5f * ((float)X / (float)w), cy = -1.0f + 2.0f * ((float)Y / (float)h);
    float zx = 0.0f, zy = 0.0f;
    uint it = 0;
    while (it < limit) {
        float x2 = zx * zx, y2 = zy * zy;
        if (x2 + y2 > 4.0f) break;
        zy = 2.0f * zx * zy + cy;
        zx = x2 - y2 + cx;
        it++;
    }
    out[Y * w + X] = it;
}

// The kernels that ship with the package, with their guards.
kernel void matrix_multiply(global const float* A, global const float* B, global float* C, uint m, uint n, uint k)
{
    if (Y >= m || X >= n) return;
    float sum = 0.0f;
    for (uint i = 0; i < k; i++) sum += A[Y * k + i] * B[i * n + X];
    C[Y * n + X] = sum;
}

kernel void mandelbrot_share(global float* out, uint w, uint h, uint limit)
{
    if (X >= w || Y >= h) return;
    float cx = -2.5f + 3.5f * ((float)X / (float)w), cy = -1.0f + 2.0f * ((float)Y / (float)h);
    float zx = 0.0f, zy = 0.0f;
    uint it = 0;
    while (it < limit) {
        float x2 = zx * zx, y2 = zy * zy;
        if (x2 + y2 > 4.0f) break;
        zy = 2.0f * zx * zy + cy;
        zx = x2 - y2 + cx;
        it++;
    }
    out[Y * w + X] = (float)it / (float)limit;
}

kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void reduce(global const float* a, global float* partial)
{
    local float s[256];
    uint l = get_local_id(0);
    s[l] = a[X];
    barrier(CLK_LOCAL_MEM_FENCE);
    for (uint d = 128; d > 0; d >>= 1) {
        if (l < d) s[l] += s[l + d];
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    if (l == 0) partial[get_group_id(0)] = s[0];
}

kernel void nbody(global const float4* p, global float4* acc, uint n, float eps2)
{
    float4 me = p[X];
    float ax = 0.0f, ay = 0.0f, az = 0.0f;
    for (uint j = 0; j < n; j++) {
        float4 q = p[j];
        float dx = q.x - me.x, dy = q.y - me.y, dz = q.z - me.z;
        float inv = rsqrt(dx * dx + dy * dy + dz * dz + eps2), w = q.w * inv * inv * inv;
        ax += dx * w; ay += dy * w; az += dz * w;
    }
    acc[X] = (float4)(ax, ay, az, 0.0f);
}

kernel void life(global const uchar* in, global uchar* out, uint n)
{
    uint x = X, y = Y;
    uint xm = (x + n - 1) % n, xp = (x + 1) % n, ym = (y + n - 1) % n, yp = (y + 1) % n;
    uint s = in[ym * n + xm] + in[ym * n + x] + in[ym * n + xp] + in[y * n + xm] + in[y * n + xp]
           + in[yp * n + xm] + in[yp * n + x] + in[yp * n + xp];
    out[y * n + x] = (s == 3 || (s == 2 && in[y * n + x] == 1)) ? 1 : 0;
}

kernel void jacobi(global const float* a, global float* b, uint n)
{
    uint x = X, y = Y;
    if (x > 0 && y > 0 && x < n - 1 && y < n - 1)
        b[y * n + x] = 0.25f * (a[(y - 1) * n + x] + a[(y + 1) * n + x] + a[y * n + x - 1] + a[y * n + x + 1]);
}
