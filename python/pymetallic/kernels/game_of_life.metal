// Conway's game of life on a torus.
#include <metal_stdlib>
using namespace metal;

struct LifeParams {
    uint width;
    uint height;
};

kernel void life_step(device const uchar* in [[buffer(0)]],
                      device uchar* out [[buffer(1)]],
                      constant LifeParams& params [[buffer(2)]],
                      uint2 position [[thread_position_in_grid]])
{
    uint w = params.width, h = params.height;
    if (position.x >= w || position.y >= h) {
        return;
    }
    uint x = position.x, y = position.y;
    uint left = (x + w - 1) % w, right = (x + 1) % w;
    uint up = (y + h - 1) % h, down = (y + 1) % h;
    uint neighbors = in[up * w + left] + in[up * w + x] + in[up * w + right]
                   + in[y * w + left] + in[y * w + right]
                   + in[down * w + left] + in[down * w + x] + in[down * w + right];
    uchar alive = in[y * w + x];
    out[y * w + x] = (neighbors == 3 || (neighbors == 2 && alive != 0)) ? 1 : 0;
}
