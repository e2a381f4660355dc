// Stable fluids on a collocated grid: velocities are float2, edges are clamped, sampling is bilinear.
#include <metal_stdlib>
using namespace metal;

struct FluidParams {
    uint width;
    uint height;
    float dt;
    float fx;   // center of the force, in cells
    float fy;
    float fr;   // its radius, in cells
    float fs;   // its strength
};

static inline uint cell(int x, int y, constant FluidParams& p)
{
    return uint(clamp(y, 0, int(p.height) - 1)) * p.width + uint(clamp(x, 0, int(p.width) - 1));
}

template <typename T>
static inline T bilinear(device const T* field, float2 position, constant FluidParams& p)
{
    float2 top = float2(float(p.width) - 1.0f, float(p.height) - 1.0f);
    float2 q = clamp(position, float2(0.0f), top);
    float2 base = floor(q);
    float2 f = q - base;
    int x = int(base.x), y = int(base.y);
    T a = field[cell(x, y, p)], b = field[cell(x + 1, y, p)];
    T c = field[cell(x, y + 1, p)], d = field[cell(x + 1, y + 1, p)];
    return mix(mix(a, b, f.x), mix(c, d, f.x), f.y);
}

/// Swirls the fluid around (fx, fy), within radius fr.
kernel void add_force(device float2* velocity [[buffer(0)]],
                      constant FluidParams& params [[buffer(3)]],
                      uint2 position [[thread_position_in_grid]])
{
    if (position.x >= params.width || position.y >= params.height) {
        return;
    }
    float2 offset = float2(position) - float2(params.fx, params.fy);
    float falloff = exp(-dot(offset, offset) / (params.fr * params.fr));
    velocity[position.y * params.width + position.x] += float2(-offset.y, offset.x) * (params.fs * falloff * params.dt);
}

/// Moves the velocity along itself: 0 -> 1.
kernel void advect_vel(device const float2* velocity [[buffer(0)]],
                       device float2* result [[buffer(1)]],
                       constant FluidParams& params [[buffer(3)]],
                       uint2 position [[thread_position_in_grid]])
{
    if (position.x >= params.width || position.y >= params.height) {
        return;
    }
    uint index = position.y * params.width + position.x;
    result[index] = bilinear(velocity, float2(position) - params.dt * velocity[index], params);
}

kernel void divergence(device const float2* velocity [[buffer(0)]],
                       device float* result [[buffer(1)]],
                       constant FluidParams& params [[buffer(3)]],
                       uint2 position [[thread_position_in_grid]])
{
    if (position.x >= params.width || position.y >= params.height) {
        return;
    }
    int x = int(position.x), y = int(position.y);
    float dx = velocity[cell(x + 1, y, params)].x - velocity[cell(x - 1, y, params)].x;
    float dy = velocity[cell(x, y + 1, params)].y - velocity[cell(x, y - 1, params)].y;
    result[position.y * params.width + position.x] = 0.5f * (dx + dy);
}

/// One Jacobi step of the pressure equation: p = 0, b = 1, result 2.
kernel void jacobi_pressure(device const float* pressure [[buffer(0)]],
                            device const float* divergence [[buffer(1)]],
                            device float* result [[buffer(2)]],
                            constant FluidParams& params [[buffer(3)]],
                            uint2 position [[thread_position_in_grid]])
{
    if (position.x >= params.width || position.y >= params.height) {
        return;
    }
    int x = int(position.x), y = int(position.y);
    uint index = position.y * params.width + position.x;
    float sum = pressure[cell(x - 1, y, params)] + pressure[cell(x + 1, y, params)]
              + pressure[cell(x, y - 1, params)] + pressure[cell(x, y + 1, params)];
    result[index] = 0.25f * (sum - divergence[index]);
}

/// Makes the velocity free of divergence: velocity 0, pressure 1, result 2.
kernel void subtract_gradient(device const float2* velocity [[buffer(0)]],
                              device const float* pressure [[buffer(1)]],
                              device float2* result [[buffer(2)]],
                              constant FluidParams& params [[buffer(3)]],
                              uint2 position [[thread_position_in_grid]])
{
    if (position.x >= params.width || position.y >= params.height) {
        return;
    }
    int x = int(position.x), y = int(position.y);
    float2 gradient = 0.5f * float2(pressure[cell(x + 1, y, params)] - pressure[cell(x - 1, y, params)],
                                    pressure[cell(x, y + 1, params)] - pressure[cell(x, y - 1, params)]);
    uint index = position.y * params.width + position.x;
    result[index] = velocity[index] - gradient;
}

/// Moves a scalar along the velocity: scalar 0, velocity 1, result 2.
kernel void advect_scalar(device const float* scalar [[buffer(0)]],
                          device const float2* velocity [[buffer(1)]],
                          device float* result [[buffer(2)]],
                          constant FluidParams& params [[buffer(3)]],
                          uint2 position [[thread_position_in_grid]])
{
    if (position.x >= params.width || position.y >= params.height) {
        return;
    }
    uint index = position.y * params.width + position.x;
    result[index] = bilinear(scalar, float2(position) - params.dt * velocity[index], params);
}
