// 6.16 Encoding Commands for Indirect Command Buffers, 6.17 Variable Rasterization Rate
#include <metal_stdlib>
using namespace metal;
//--- `command_buffer`, `compute_command`
// error: unsupported-indirect-commands
struct Commands { command_buffer b [[id(0)]]; };
kernel void f(device int* o, constant Commands& c [[buffer(1)]]) { compute_command d(c.b, 0); o[0] = 1; }
//--- `render_command`
// graphics-only: unsupported-indirect-commands
struct Commands { command_buffer b [[id(0)]]; };
kernel void f(device int* o, constant Commands& c [[buffer(1)]]) { render_command d(c.b, 0); o[0] = 1; }
//--- `rasterization_rate_map_data`
// graphics-only: unsupported-graphics
kernel void f(device int* o, constant rasterization_rate_map_data& d [[buffer(1)]]) { rasterization_rate_map_decoder m(d); o[0] = 1; }
