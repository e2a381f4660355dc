// First kernels: element-wise addition and the Mandelbrot set.
#include <metal_stdlib>
using namespace metal;

/// result = a + b, one element per thread.
kernel void vector_add(device const float* a [[buffer(0)]],
                       device const float* b [[buffer(1)]],
                       device float* result [[buffer(2)]],
                       uint i [[thread_position_in_grid]])
{
    result[i] = a[i] + b[i];
}

/// Escape time over x in [-2.5, 1], y in [-1, 1], as a fraction of `max_iterations`.
kernel void mandelbrot(device float* output [[buffer(0)]],
                       constant uint& width [[buffer(1)]],
                       constant uint& height [[buffer(2)]],
                       constant uint& max_iterations [[buffer(3)]],
                       uint2 position [[thread_position_in_grid]])
{
    if (position.x >= width || position.y >= height) {
        return;
    }
    float cx = -2.5f + 3.5f * (float(position.x) / float(width));
    float cy = -1.0f + 2.0f * (float(position.y) / float(height));
    float zx = 0.0f, zy = 0.0f;
    uint iteration = 0;
    while (iteration < max_iterations) {
        float x2 = zx * zx, y2 = zy * zy;
        if (x2 + y2 > 4.0f) {
            break;
        }
        zy = 2.0f * zx * zy + cy;
        zx = x2 - y2 + cx;
        iteration++;
    }
    output[position.y * width + position.x] = float(iteration) / float(max_iterations);
}
