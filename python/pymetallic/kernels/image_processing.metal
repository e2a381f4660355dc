// Image processing on RGBA float32 buffers and on textures.
#include <metal_stdlib>
using namespace metal;

constant float gaussian3[3] = {0.25f, 0.5f, 0.25f};
constant float gaussian5[5] = {0.0625f, 0.25f, 0.375f, 0.25f, 0.0625f};

static inline float4 pixel(device const float4* image, int x, int y, int width, int height)
{
    return image[clamp(y, 0, height - 1) * width + clamp(x, 0, width - 1)];
}

static inline float luminance(float4 color)
{
    return dot(color.rgb, float3(0.299f, 0.587f, 0.114f));
}

/// 3x3 Gaussian blur (kept in `temp`), Sobel magnitude of the luminance, 0.7/0.3 mix, gamma 0.8, clamp.
kernel void image_processing_pipeline(device const float4* input [[buffer(0)]],
                                      device float4* output [[buffer(1)]],
                                      device float4* temp [[buffer(2)]],
                                      constant uint& width [[buffer(3)]],
                                      constant uint& height [[buffer(4)]],
                                      uint2 position [[thread_position_in_grid]])
{
    if (position.x >= width || position.y >= height) {
        return;
    }
    int w = int(width), h = int(height);
    int x = int(position.x), y = int(position.y);

    float4 blurred = float4(0.0f);
    float gx = 0.0f, gy = 0.0f;
    for (int dy = -1; dy <= 1; dy++) {
        for (int dx = -1; dx <= 1; dx++) {
            float4 color = pixel(input, x + dx, y + dy, w, h);
            blurred += color * (gaussian3[dx + 1] * gaussian3[dy + 1]);
            float light = luminance(color);
            gx += light * float(dx * (2 - abs(dy)));
            gy += light * float(dy * (2 - abs(dx)));
        }
    }
    uint index = position.y * width + position.x;
    temp[index] = blurred;
    float edge = sqrt(gx * gx + gy * gy);
    float3 mixed = 0.7f * blurred.rgb + 0.3f * float3(edge);
    output[index] = float4(pow(saturate(mixed), float3(0.8f)), input[index].a);
}

/// 3x3 Gaussian blur from one texture into another.
kernel void gaussian_blur_3x3(texture2d<float, access::read> source [[texture(0)]],
                              texture2d<float, access::write> destination [[texture(1)]],
                              uint2 position [[thread_position_in_grid]])
{
    uint width = source.get_width(), height = source.get_height();
    if (position.x >= width || position.y >= height) {
        return;
    }
    float4 sum = float4(0.0f);
    for (int dy = -1; dy <= 1; dy++) {
        for (int dx = -1; dx <= 1; dx++) {
            int x = clamp(int(position.x) + dx, 0, int(width) - 1);
            int y = clamp(int(position.y) + dy, 0, int(height) - 1);
            sum += source.read(uint2(x, y)) * (gaussian3[dx + 1] * gaussian3[dy + 1]);
        }
    }
    destination.write(sum, position);
}

/// 5x5 Gaussian blur of an image of `channels` interleaved channels.
kernel void gaussian_blur_5x5_buffer(device const float* input [[buffer(0)]],
                                     device float* output [[buffer(1)]],
                                     constant uint& width [[buffer(2)]],
                                     constant uint& height [[buffer(3)]],
                                     constant uint& channels [[buffer(4)]],
                                     uint2 position [[thread_position_in_grid]])
{
    if (position.x >= width || position.y >= height) {
        return;
    }
    for (uint channel = 0; channel < channels; channel++) {
        float sum = 0.0f;
        for (int dy = -2; dy <= 2; dy++) {
            for (int dx = -2; dx <= 2; dx++) {
                int x = clamp(int(position.x) + dx, 0, int(width) - 1);
                int y = clamp(int(position.y) + dy, 0, int(height) - 1);
                sum += input[(uint(y) * width + uint(x)) * channels + channel] * (gaussian5[dx + 2] * gaussian5[dy + 2]);
            }
        }
        output[(position.y * width + position.x) * channels + channel] = sum;
    }
}
