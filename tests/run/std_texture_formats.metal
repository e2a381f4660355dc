// Textures: formats, dimensions, levels, sampling (MSL specification, sections 2.9, 2.10, 6.12).
//--- float and normalized formats are read and written
// texture 0: a8Unorm 2x1 = 51 255
// texture 1: r8Unorm 2x1 = 0 11
// texture 2: r8Unorm_srgb 2x1 = 0 11
// texture 3: r8Snorm 2x1 = -128 -12
// texture 4: r16Unorm 2x1 = 77 2188
// texture 5: r16Snorm 2x1 = -32768 -16332
// texture 6: r16Float 2x1 = -1.25 1.75
// texture 7: r32Float 2x1 = -1.25 1.75
// texture 8: rg8Unorm 2x1 = 0 37 11 48
// texture 9: rg8Unorm_srgb 2x1 = 0 37 11 48
// texture 10: rg8Snorm 2x1 = -128 -26 -12 25
// texture 11: rg16Unorm 2x1 = 77 9454 2188 11565
// texture 12: rg16Snorm 2x1 = -32768 -16346 -16332 -16295
// texture 13: rg16Float 2x1 = -1.25 -0.75 1.75 2.25
// texture 14: rg32Float 2x1 = -1.25 -0.75 1.75 2.25
// texture 15: rgba8Unorm 2x1 = 0 37 74 111 11 48 85 122
// texture 16: rgba8Unorm_srgb 2x1 = 0 37 74 111 11 48 85 122
// texture 17: rgba8Snorm 2x1 = -128 -26 11 48 -12 25 62 -28
// texture 18: rgba16Unorm 2x1 = 77 9454 18831 28208 2188 11565 20942 30319
// texture 19: rgba16Snorm 2x1 = -32768 -16346 -16309 -16272 -16332 -16295 -16258 -16221
// texture 20: rgba16Float 2x1 = -1.25 -0.75 -0.25 0.25 1.75 2.25 2.75 3.25
// texture 21: rgba32Float 2x1 = -1.25 -0.75 -0.25 0.25 1.75 2.25 2.75 3.25
// texture 22: bgra8Unorm 2x1 = 0 37 74 111 11 48 85 122
// texture 23: bgra8Unorm_srgb 2x1 = 0 37 74 111 11 48 85 122
// texture 24: b5g6r5Unorm 2x1 = 40252 2017
// texture 25: a1bgr5Unorm 2x1 = 40252 2017
// texture 26: abgr4Unorm 2x1 = 40252 2017
// texture 27: bgr5A1Unorm 2x1 = 40252 2017
// texture 28: rgb10a2Unorm 2x1 = 2637959732 1073745919
// texture 29: bgr10a2Unorm 2x1 = 2637959732 1073745919
// texture 30: rg11b10Float 2x1 = 1893739488 4156569603
// texture 31: rgb9e5Float 2x1 = 2281541732 2762997761
// texture 32: a8Unorm 1x1
// texture 33: r8Unorm 1x1
// texture 34: r8Unorm_srgb 1x1
// texture 35: r8Snorm 1x1
// texture 36: r16Unorm 1x1
// texture 37: r16Snorm 1x1
// texture 38: r16Float 1x1
// texture 39: r32Float 1x1
// texture 40: rg8Unorm 1x1
// texture 41: rg8Unorm_srgb 1x1
// texture 42: rg8Snorm 1x1
// texture 43: rg16Unorm 1x1
// texture 44: rg16Snorm 1x1
// texture 45: rg16Float 1x1
// texture 46: rg32Float 1x1
// texture 47: rgba8Unorm 1x1
// texture 48: rgba8Unorm_srgb 1x1
// texture 49: rgba8Snorm 1x1
// texture 50: rgba16Unorm 1x1
// texture 51: rgba16Snorm 1x1
// texture 52: rgba16Float 1x1
// texture 53: rgba32Float 1x1
// texture 54: bgra8Unorm 1x1
// texture 55: bgra8Unorm_srgb 1x1
// texture 56: b5g6r5Unorm 1x1
// texture 57: a1bgr5Unorm 1x1
// texture 58: abgr4Unorm 1x1
// texture 59: bgr5A1Unorm 1x1
// texture 60: rgb10a2Unorm 1x1
// texture 61: bgr10a2Unorm 1x1
// texture 62: rg11b10Float 1x1
// texture 63: rgb9e5Float 1x1
// buffer 0: f32 = zeros(256)
// dispatch: formats grid=32 threadgroup=32
// expect 0[0]: f32 ~ 2e-6 = 0 0 0 0.2 0 0 0 1
// expect 0[8]: f32 ~ 2e-6 = 0 0 0 1 0.0431372549 0 0 1
// expect 0[16]: f32 ~ 2e-6 = 0 0 0 1 0.00334653576 0 0 1
// expect 0[24]: f32 ~ 2e-6 = -1 0 0 1 -0.094488189 0 0 1
// expect 0[32]: f32 ~ 2e-6 = 0.00117494469 0 0 1 0.0333867399 0 0 1
// expect 0[40]: f32 ~ 2e-6 = -1 0 0 1 -0.498428297 0 0 1
// expect 0[48]: f32 ~ 2e-6 = -1.25 0 0 1 1.75 0 0 1
// expect 0[56]: f32 ~ 2e-6 = -1.25 0 0 1 1.75 0 0 1
// expect 0[64]: f32 ~ 2e-6 = 0 0.145098039 0 1 0.0431372549 0.188235294 0 1
// expect 0[72]: f32 ~ 2e-6 = 0 0.0185002201 0 1 0.00334653576 0.0295568344 0 1
// expect 0[80]: f32 ~ 2e-6 = -1 -0.204724409 0 1 -0.094488189 0.196850394 0 1
// expect 0[88]: f32 ~ 2e-6 = 0.00117494469 0.144258793 0 1 0.0333867399 0.176470588 0 1
// expect 0[96]: f32 ~ 2e-6 = -1 -0.498855556 0 1 -0.498428297 -0.497299112 0 1
// expect 0[104]: f32 ~ 2e-6 = -1.25 -0.75 0 1 1.75 2.25 0 1
// expect 0[112]: f32 ~ 2e-6 = -1.25 -0.75 0 1 1.75 2.25 0 1
// expect 0[120]: f32 ~ 2e-6 = 0 0.145098039 0.290196078 0.435294118 0.0431372549 0.188235294 0.333333333 0.478431373
// expect 0[128]: f32 ~ 2e-6 = 0 0.0185002201 0.0684781698 0.435294118 0.00334653576 0.0295568344 0.0908417112 0.478431373
// expect 0[136]: f32 ~ 2e-6 = -1 -0.204724409 0.0866141732 0.377952756 -0.094488189 0.196850394 0.488188976 -0.220472441
// expect 0[144]: f32 ~ 2e-6 = 0.00117494469 0.144258793 0.287342641 0.43042649 0.0333867399 0.176470588 0.319554437 0.462638285
// expect 0[152]: f32 ~ 2e-6 = -1 -0.498855556 -0.497726371 -0.496597186 -0.498428297 -0.497299112 -0.496169927 -0.495040742
// expect 0[160]: f32 ~ 2e-6 = -1.25 -0.75 -0.25 0.25 1.75 2.25 2.75 3.25
// expect 0[168]: f32 ~ 2e-6 = -1.25 -0.75 -0.25 0.25 1.75 2.25 2.75 3.25
// expect 0[176]: f32 ~ 2e-6 = 0.290196078 0.145098039 0 0.435294118 0.333333333 0.188235294 0.0431372549 0.478431373
// expect 0[184]: f32 ~ 2e-6 = 0.0684781698 0.0185002201 0 0.435294118 0.0908417112 0.0295568344 0.00334653576 0.478431373
// expect 0[192]: f32 ~ 2e-6 = 0.612903226 0.650793651 0.903225806 1 0 1 0.0322580645 1
// expect 0[200]: f32 ~ 2e-6 = 0.612903226 0.64516129 0.967741935 0 0 1 0.516129032 1
// expect 0[208]: f32 ~ 2e-6 = 0.6 0.866666667 0.2 0.8 0 0.466666667 0.933333333 0.0666666667
// expect 0[216]: f32 ~ 2e-6 = 0.225806452 0.290322581 0.903225806 1 0.0322580645 1 0.0322580645 0
// expect 0[224]: f32 ~ 2e-6 = 0.551319648 0.754643206 0.456500489 0.666666667 1 0.00293255132 0 0.333333333
// expect 0[232]: f32 ~ 2e-6 = 0.456500489 0.754643206 0.551319648 0.666666667 0 0.00293255132 1 0.333333333
// expect 0[240]: f32 ~ 2e-6 = 1.5 2.15625 0.546875 1 2.86102295e-06 6.67572021e-06 64512 1
// expect 0[248]: f32 ~ 2e-6 = 0.390625 0.78125 1.99609375 1 0.0625 0 18.75 1
// expect texture 32: u8 = 159
// expect texture 33: u8 = 64
// expect texture 34: u8 = 137
// expect texture 35: i8 = 32
// expect texture 36: u16 = 16384
// expect texture 37: i16 = 8192
// expect texture 38: f16 = 0.25
// expect texture 39: f32 = 0.25
// expect texture 40: u8 = 64 0
// expect texture 41: u8 = 137 0
// expect texture 42: i8 = 32 -64
// expect texture 43: u16 = 16384 0
// expect texture 44: i16 = 8192 -16384
// expect texture 45: f16 = 0.25 -0.5
// expect texture 46: f32 = 0.25 -0.5
// expect texture 47: u8 = 64 0 255 159
// expect texture 48: u8 = 137 0 255 159
// expect texture 49: i8 = 32 -64 127 79
// expect texture 50: u16 = 16384 0 65535 40959
// expect texture 51: i16 = 8192 -16384 32767 20479
// expect texture 52: f16 = 0.25 -0.5 1.75 0.625
// expect texture 53: f32 = 0.25 -0.5 1.75 0.625
// expect texture 54: u8 = 255 0 64 159
// expect texture 55: u8 = 255 0 137 159
// expect texture 56: u16 = 16415
// expect texture 57: u16 = 16447
// expect texture 58: u16 = 16633
// expect texture 59: u16 = 40991
// expect texture 60: u32 = 3220177152
// expect texture 61: u32 = 2415920127
// expect texture 62: u32 = 2113930048
// expect texture 63: u32 = 2264924224
#include <metal_stdlib>
using namespace metal;
kernel void formats(array<texture2d<float, access::read>, 32> in [[texture(0)]], array<texture2d<float, access::write>, 32> out [[texture(32)]],
                    device float4* values [[buffer(0)]], uint i [[thread_position_in_grid]]) {
    values[2 * i] = in[i].read(uint2(0, 0));
    values[2 * i + 1] = in[i].read(uint2(1, 0));
    out[i].write(float4(0.25, -0.5, 1.75, 0.625), uint2(0, 0));
    // Outside nothing happens.
    out[i].write(float4(1), uint2(1, 0));
}
//--- unsigned integer formats
// texture 0: r8Uint 2x1 = 11 66
// texture 1: r16Uint 2x1 = 65035 65346
// texture 2: r32Uint 2x1 = 4294966795 4294967106
// texture 3: rg8Uint 2x1 = 11 220 66 19
// texture 4: rg16Uint 2x1 = 65035 476 65346 787
// texture 5: rg32Uint 2x1 = 4294966795 476 4294967106 787
// texture 6: rgba8Uint 2x1 = 11 220 173 126 66 19 228 181
// texture 7: rgba16Uint 2x1 = 65035 476 1453 2430 65346 787 1764 2741
// texture 8: rgba32Uint 2x1 = 4294966795 476 1453 2430 4294967106 787 1764 2741
// texture 9: rgb10a2Uint 2x1 = 2637959732 1073745919
// texture 10: r8Uint 1x1
// texture 11: r16Uint 1x1
// texture 12: r32Uint 1x1
// texture 13: rg8Uint 1x1
// texture 14: rg16Uint 1x1
// texture 15: rg32Uint 1x1
// texture 16: rgba8Uint 1x1
// texture 17: rgba16Uint 1x1
// texture 18: rgba32Uint 1x1
// texture 19: rgb10a2Uint 1x1
// buffer 0: u32 = zeros(80)
// dispatch: formats grid=10 threadgroup=10
// expect 0[0]: u32 = 11 0 0 1 66 0 0 1
// expect 0[8]: u32 = 65035 0 0 1 65346 0 0 1
// expect 0[16]: u32 = 4294966795 0 0 1 4294967106 0 0 1
// expect 0[24]: u32 = 11 220 0 1 66 19 0 1
// expect 0[32]: u32 = 65035 476 0 1 65346 787 0 1
// expect 0[40]: u32 = 4294966795 476 0 1 4294967106 787 0 1
// expect 0[48]: u32 = 11 220 173 126 66 19 228 181
// expect 0[56]: u32 = 65035 476 1453 2430 65346 787 1764 2741
// expect 0[64]: u32 = 4294966795 476 1453 2430 4294967106 787 1764 2741
// expect 0[72]: u32 = 564 772 467 2 1023 3 0 1
// expect texture 10: u8 = 255
// expect texture 11: u16 = 65535
// expect texture 12: u32 = 70000
// expect texture 13: u8 = 255 255
// expect texture 14: u16 = 65535 300
// expect texture 15: u32 = 70000 300
// expect texture 16: u8 = 255 255 5 9
// expect texture 17: u16 = 65535 300 5 9
// expect texture 18: u32 = 70000 300 5 9
// expect texture 19: u32 = 3226776575
#include <metal_stdlib>
using namespace metal;
kernel void formats(array<texture2d<uint, access::read>, 10> in [[texture(0)]], array<texture2d<uint, access::write>, 10> out [[texture(10)]],
                    device uint4* values [[buffer(0)]], uint i [[thread_position_in_grid]]) {
    values[2 * i] = in[i].read(uint2(0, 0));
    values[2 * i + 1] = in[i].read(uint2(1, 0));
    out[i].write(uint4(70000, 300, 5, 9), uint2(0, 0));
    // Outside nothing happens.
    out[i].write(uint4(1), uint2(1, 0));
}
//--- signed integer formats
// texture 0: r8Sint 2x1 = -64 -33
// texture 1: r16Sint 2x1 = -16384 -16353
// texture 2: r32Sint 2x1 = -1073741824 -1073741793
// texture 3: rg8Sint 2x1 = -64 33 -33 -64
// texture 4: rg16Sint 2x1 = -16384 -16287 -16353 -16256
// texture 5: rg32Sint 2x1 = -1073741824 -1073741727 -1073741793 -1073741696
// texture 6: rgba8Sint 2x1 = -64 33 2 -29 -33 -64 33 2
// texture 7: rgba16Sint 2x1 = -16384 -16287 -16190 -16093 -16353 -16256 -16159 -16062
// texture 8: rgba32Sint 2x1 = -1073741824 -1073741727 -1073741630 -1073741533 -1073741793 -1073741696 -1073741599 -1073741502
// texture 9: r8Sint 1x1
// texture 10: r16Sint 1x1
// texture 11: r32Sint 1x1
// texture 12: rg8Sint 1x1
// texture 13: rg16Sint 1x1
// texture 14: rg32Sint 1x1
// texture 15: rgba8Sint 1x1
// texture 16: rgba16Sint 1x1
// texture 17: rgba32Sint 1x1
// buffer 0: i32 = zeros(72)
// dispatch: formats grid=9 threadgroup=9
// expect 0[0]: i32 = -64 0 0 1 -33 0 0 1
// expect 0[8]: i32 = -16384 0 0 1 -16353 0 0 1
// expect 0[16]: i32 = -1073741824 0 0 1 -1073741793 0 0 1
// expect 0[24]: i32 = -64 33 0 1 -33 -64 0 1
// expect 0[32]: i32 = -16384 -16287 0 1 -16353 -16256 0 1
// expect 0[40]: i32 = -1073741824 -1073741727 0 1 -1073741793 -1073741696 0 1
// expect 0[48]: i32 = -64 33 2 -29 -33 -64 33 2
// expect 0[56]: i32 = -16384 -16287 -16190 -16093 -16353 -16256 -16159 -16062
// expect 0[64]: i32 = -1073741824 -1073741727 -1073741630 -1073741533 -1073741793 -1073741696 -1073741599 -1073741502
// expect texture 9: i8 = -128
// expect texture 10: i16 = -32768
// expect texture 11: i32 = -70000
// expect texture 12: i8 = -128 127
// expect texture 13: i16 = -32768 32767
// expect texture 14: i32 = -70000 70000
// expect texture 15: i8 = -128 127 -5 9
// expect texture 16: i16 = -32768 32767 -5 9
// expect texture 17: i32 = -70000 70000 -5 9
#include <metal_stdlib>
using namespace metal;
kernel void formats(array<texture2d<int, access::read>, 9> in [[texture(0)]], array<texture2d<int, access::write>, 9> out [[texture(9)]],
                    device int4* values [[buffer(0)]], uint i [[thread_position_in_grid]]) {
    values[2 * i] = in[i].read(uint2(0, 0));
    values[2 * i + 1] = in[i].read(uint2(1, 0));
    out[i].write(int4(-70000, 70000, -5, 9), uint2(0, 0));
    // Outside nothing happens.
    out[i].write(int4(1), uint2(1, 0));
}
