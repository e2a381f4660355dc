// The benchmark kernels of kernels.metal as people write them in CUDA C++, for NVRTC.
typedef unsigned uint;
typedef unsigned char uchar;

extern "C" __global__ void vector_add(const float* a, const float* b, float* c)
{
    uint i = blockIdx.x * blockDim.x + threadIdx.x;
    c[i] = a[i] + b[i];
}

extern "C" __global__ void matmul_naive(const float* A, const float* B, float* C, uint n)
{
    uint x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
    float sum = 0.0f;
    for (uint k = 0; k < n; k++) sum += A[y * n + k] * B[k * n + x];
    C[y * n + x] = sum;
}

extern "C" __global__ void matmul_tiled(const float* A, const float* B, float* C, uint n)
{
    uint x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
    uint lx = threadIdx.x, ly = threadIdx.y;
    __shared__ float As[16][16];
    __shared__ float Bs[16][16];
    float sum = 0.0f;
    for (uint t = 0; t < n / 16; t++) {
        As[ly][lx] = A[y * n + t * 16 + lx];
        Bs[ly][lx] = B[(t * 16 + ly) * n + x];
        __syncthreads();
        for (uint k = 0; k < 16; k++) sum += As[ly][k] * Bs[k][lx];
        __syncthreads();
    }
    C[y * n + x] = sum;
}

extern "C" __global__ void mandelbrot(uint* out, uint width, uint height, uint limit)
{
    uint px = blockIdx.x * blockDim.x + threadIdx.x, py = blockIdx.y * blockDim.y + threadIdx.y;
    float cx = -2.5f + 3.5f * (float(px) / float(width));
    float cy = -1.0f + 2.0f * (float(py) / float(height));
    float zx = 0.0f, zy = 0.0f;
    uint it = 0;
    while (it < limit) {
        float x2 = zx * zx, y2 = zy * zy;
        if (x2 + y2 > 4.0f) break;
        zy = 2.0f * zx * zy + cy;
        zx = x2 - y2 + cx;
        it++;
    }
    out[py * width + px] = it;
}

extern "C" __global__ void reduce(const float* a, float* partial)
{
    uint i = blockIdx.x * blockDim.x + threadIdx.x, l = threadIdx.x;
    __shared__ float s[256];
    s[l] = a[i];
    __syncthreads();
    for (uint d = 128; d > 0; d >>= 1) {
        if (l < d) s[l] += s[l + d];
        __syncthreads();
    }
    if (l == 0) partial[blockIdx.x] = s[0];
}

extern "C" __global__ void nbody(const float4* p, float4* acc, uint n, float eps2)
{
    uint i = blockIdx.x * blockDim.x + threadIdx.x;
    float4 me = p[i];
    float ax = 0.0f, ay = 0.0f, az = 0.0f;
    for (uint j = 0; j < n; j++) {
        float4 q = p[j];
        float dx = q.x - me.x, dy = q.y - me.y, dz = q.z - me.z;
        float inv = rsqrtf(dx * dx + dy * dy + dz * dz + eps2);
        float f = q.w * inv * inv * inv;
        ax += dx * f;
        ay += dy * f;
        az += dz * f;
    }
    acc[i] = make_float4(ax, ay, az, 0.0f);
}

extern "C" __global__ void life(const uchar* in, uchar* out, uint n)
{
    uint x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
    uint xm = (x + n - 1) % n, xp = (x + 1) % n, ym = (y + n - 1) % n, yp = (y + 1) % n;
    uint s = in[ym * n + xm] + in[ym * n + x] + in[ym * n + xp] + in[y * n + xm] + in[y * n + xp]
           + in[yp * n + xm] + in[yp * n + x] + in[yp * n + xp];
    out[y * n + x] = (s == 3 || (s == 2 && in[y * n + x] == 1)) ? 1 : 0;
}

extern "C" __global__ void jacobi(const float* a, float* b, uint n)
{
    uint x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x > 0 && y > 0 && x < n - 1 && y < n - 1) {
        b[y * n + x] = 0.25f * (a[(y - 1) * n + x] + a[(y + 1) * n + x] + a[y * n + x - 1] + a[y * n + x + 1]);
    }
}

extern "C" __global__ void nothing(float* a)
{
    if (blockIdx.x * blockDim.x + threadIdx.x == 1000000u) a[0] = 1.0f;
}
