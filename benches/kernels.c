/* The benchmark kernels as plain C with OpenMP: what "just write the loop" gives. */
#include <stdint.h>

void vector_add(const float* restrict a, const float* restrict b, float* restrict c, int64_t n)
{
#pragma omp parallel for simd schedule(static)
    for (int64_t i = 0; i < n; i++) c[i] = a[i] + b[i];
}

void saxpy(float* restrict y, const float* restrict x, float s, int64_t n)
{
#pragma omp parallel for simd schedule(static)
    for (int64_t i = 0; i < n; i++) y[i] = s * x[i] + y[i];
}

void matmul_naive(const float* restrict A, const float* restrict B, float* restrict C, int64_t n)
{
#pragma omp parallel for schedule(dynamic, 8)
    for (int64_t y = 0; y < n; y++)
        for (int64_t x = 0; x < n; x++) {
            float sum = 0.0f;
            for (int64_t k = 0; k < n; k++) sum += A[y * n + k] * B[k * n + x];
            C[y * n + x] = sum;
        }
}

void mandelbrot(uint32_t* out, int64_t w, int64_t h, int64_t limit)
{
#pragma omp parallel for schedule(dynamic, 8)
    for (int64_t y = 0; y < h; y++)
        for (int64_t x = 0; x < w; x++) {
            float cx = -2.5f + 3.5f * ((float)x / (float)w), cy = -1.0f + 2.0f * ((float)y / (float)h);
            float zx = 0.0f, zy = 0.0f;
            uint32_t it = 0;
            for (; it < limit; it++) {
                float x2 = zx * zx, y2 = zy * zy;
                if (x2 + y2 > 4.0f) break;
                zy = 2.0f * zx * zy + cy;
                zx = x2 - y2 + cx;
            }
            out[y * w + x] = it;
        }
}

void life(const uint8_t* restrict in, uint8_t* restrict out, int64_t n)
{
#pragma omp parallel for schedule(static)
    for (int64_t y = 0; y < n; y++) {
        const uint8_t *u = in + ((y + n - 1) % n) * n, *c = in + y * n, *d = in + ((y + 1) % n) * n;
        for (int64_t x = 0; x < n; x++) {
            int64_t l = (x + n - 1) % n, r = (x + 1) % n;
            uint32_t s = u[l] + u[x] + u[r] + c[l] + c[r] + d[l] + d[x] + d[r];
            out[y * n + x] = s == 3 || (s == 2 && c[x] == 1);
        }
    }
}

void jacobi(const float* restrict a, float* restrict b, int64_t n)
{
#pragma omp parallel for schedule(static)
    for (int64_t y = 1; y < n - 1; y++)
#pragma omp simd
        for (int64_t x = 1; x < n - 1; x++)
            b[y * n + x] = 0.25f * (a[(y - 1) * n + x] + a[(y + 1) * n + x] + a[y * n + x - 1] + a[y * n + x + 1]);
}
