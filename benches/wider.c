/* The wider set as plain C with OpenMP: the same results, the way one writes them for CPUs. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void softmax(const float* restrict in, float* restrict out, int64_t rows, int64_t n)
{
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < rows; r++) {
        const float* x = in + r * n;
        float *y = out + r * n, most = x[0], sum = 0.0f;
        for (int64_t i = 0; i < n; i++) most = x[i] > most ? x[i] : most;
        for (int64_t i = 0; i < n; i++) sum += y[i] = expf(x[i] - most);
        float scale = 1.0f / sum;
        for (int64_t i = 0; i < n; i++) y[i] *= scale;
    }
}

void histogram(const uint8_t* restrict data, uint32_t* restrict bins, int64_t n)
{
#pragma omp parallel
    {
        /* Four tables, so that equal neighbors do not wait for each other. */
        uint32_t own[4][256] = {{0}};
#pragma omp for schedule(static) nowait
        for (int64_t i = 0; i < n / 4; i++)
            for (int k = 0; k < 4; k++) own[k][data[4 * i + k]]++;
#pragma omp critical
        for (int b = 0; b < 256; b++) bins[b] += own[0][b] + own[1][b] + own[2][b] + own[3][b];
    }
}

void bitonic(uint32_t* a, int64_t n)
{
    for (int64_t k = 2; k <= n; k <<= 1)
        for (int64_t j = k >> 1; j > 0; j >>= 1) {
#pragma omp parallel for schedule(static)
            for (int64_t block = 0; block < n / (2 * j); block++) {
                uint32_t *x = a + block * 2 * j, *y = x + j;
                int up = (block * 2 * j & k) == 0;
#pragma omp simd
                for (int64_t i = 0; i < j; i++) {
                    uint32_t lo = x[i] < y[i] ? x[i] : y[i], hi = x[i] < y[i] ? y[i] : x[i];
                    x[i] = up ? lo : hi;
                    y[i] = up ? hi : lo;
                }
            }
        }
}

void scan(const uint32_t* restrict in, uint32_t* restrict out, int64_t n)
{
    enum { BLOCK = 1 << 16 };
    int64_t blocks = (n + BLOCK - 1) / BLOCK;
    uint32_t* sums = malloc(blocks * sizeof *sums);
#pragma omp parallel for schedule(static)
    for (int64_t b = 0; b < blocks; b++) {
        int64_t end = (b + 1) * BLOCK < n ? (b + 1) * BLOCK : n;
        uint32_t sum = 0;
        for (int64_t i = b * BLOCK; i < end; i++) sum += in[i];
        sums[b] = sum;
    }
    uint32_t before = 0;
    for (int64_t b = 0; b < blocks; b++) {
        uint32_t s = sums[b];
        sums[b] = before;
        before += s;
    }
#pragma omp parallel for schedule(static)
    for (int64_t b = 0; b < blocks; b++) {
        int64_t end = (b + 1) * BLOCK < n ? (b + 1) * BLOCK : n;
        uint32_t sum = sums[b];
        for (int64_t i = b * BLOCK; i < end; i++) out[i] = sum += in[i];
    }
    free(sums);
}

static int64_t clamped(int64_t v, int64_t n) { return v < 0 ? 0 : v >= n ? n - 1 : v; }

void convolve(const float* restrict in, float* restrict out, const float* restrict w, int64_t width, int64_t height)
{
#pragma omp parallel for schedule(static)
    for (int64_t y = 0; y < height; y++) {
        const float* rows[5];
        for (int d = 0; d < 5; d++) rows[d] = in + clamped(y + d - 2, height) * width;
        float* to = out + y * width;
        for (int64_t x = 0; x < width; x++) {
            if (x == 2) {
#pragma omp simd
                for (int64_t i = 2; i < width - 2; i++) {
                    float sum = 0.0f;
                    for (int d = 0; d < 5; d++)
                        for (int e = 0; e < 5; e++) sum += w[d * 5 + e] * rows[d][i + e - 2];
                    to[i] = sum;
                }
                x = width - 2;
            }
            float sum = 0.0f;
            for (int d = 0; d < 5; d++)
                for (int e = 0; e < 5; e++) sum += w[d * 5 + e] * rows[d][clamped(x + e - 2, width)];
            to[x] = sum;
        }
    }
}

typedef struct { float x, y; } pair;

void fft(const pair* restrict in, pair* restrict out, int64_t count)
{
    static pair table[512];
    for (int i = 0; i < 512; i++) table[i] = (pair){cosf(-(float)M_PI * i / 512), sinf(-(float)M_PI * i / 512)};
#pragma omp parallel for schedule(static)
    for (int64_t c = 0; c < count; c++) {
        pair a[1024], b[1024], *from = a, *to = b;
        memcpy(a, in + c * 1024, sizeof a);
        for (int s = 1; s < 1024; s <<= 1) {
            for (int p = 0; p < 512; p += s) {
                pair w = table[p];
                for (int q = 0; q < s; q++) {
                    pair x = from[p + q], y = from[p + q + 512], d = {x.x - y.x, x.y - y.y};
                    to[q + 2 * p] = (pair){x.x + y.x, x.y + y.y};
                    to[q + 2 * p + s] = (pair){d.x * w.x - d.y * w.y, d.x * w.y + d.y * w.x};
                }
            }
            pair* other = from;
            from = to;
            to = other;
        }
        memcpy(out + c * 1024, from, sizeof a);
    }
}

static float half(uint16_t h)
{
    _Float16 f;
    memcpy(&f, &h, 2);
    return f;
}

void matvec_q8(const int8_t* restrict w, const uint16_t* restrict scales, const float* restrict x, float* restrict y, int64_t rows, int64_t n)
{
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < rows; r++) {
        float sum = 0.0f;
        for (int64_t b = 0; b < n / 32; b++) {
            float s = 0.0f;
            for (int i = 0; i < 32; i++) s += w[r * n + b * 32 + i] * x[b * 32 + i];
            sum += half(scales[r * (n / 32) + b]) * s;
        }
        y[r] = sum;
    }
}

void rays(const float* restrict s, float* restrict depth, int64_t count, int64_t width, int64_t height)
{
#pragma omp parallel for schedule(static)
    for (int64_t y = 0; y < height; y++)
#pragma omp simd
        for (int64_t x = 0; x < width; x++) {
            float dx = (x + 0.5f) / width - 0.5f, dy = (y + 0.5f) / height - 0.5f;
            float r = 1.0f / sqrtf(dx * dx + dy * dy + 1.0f), nearest = 1e30f;
            for (int64_t i = 0; i < count; i++) {
                float b = (dx * s[4 * i] + dy * s[4 * i + 1] + s[4 * i + 2]) * r;
                float c = s[4 * i] * s[4 * i] + s[4 * i + 1] * s[4 * i + 1] + s[4 * i + 2] * s[4 * i + 2] - s[4 * i + 3] * s[4 * i + 3];
                float h = b * b - c, t = b - sqrtf(h > 0.0f ? h : 0.0f);
                nearest = h > 0.0f && t > 0.0f && t < nearest ? t : nearest;
            }
            depth[y * width + x] = nearest;
        }
}

void find(const uint8_t* restrict text, uint8_t* restrict found, const uint8_t* restrict word, int64_t length, int64_t n)
{
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++) {
        int64_t k = 0;
        while (k < length && text[i + k] == word[k]) k++;
        found[i] = k == length;
    }
}

void layer_norm(const float* restrict in, float* restrict out, const float* restrict gain, const float* restrict bias, int64_t rows, int64_t n)
{
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < rows; r++) {
        const float* x = in + r * n;
        float sum = 0.0f, squares = 0.0f;
        for (int64_t i = 0; i < n; i++) sum += x[i], squares += x[i] * x[i];
        float mean = sum / n, scale = 1.0f / sqrtf(squares / n - mean * mean + 1e-5f);
        for (int64_t i = 0; i < n; i++) out[r * n + i] = (x[i] - mean) * scale * gain[i] + bias[i];
    }
}
