// 2.11 Imageblocks
#include <metal_stdlib>
using namespace metal;
//--- `imageblock<T>`
// graphics-only: unsupported-graphics
struct Pixel { half4 color [[color(0)]]; };
kernel void f(imageblock<Pixel> b, ushort2 p [[thread_position_in_threadgroup]]) { b.write(Pixel(), p); }
//--- the address space `threadgroup_imageblock`
// graphics-only: unsupported-address-space
struct Pixel { half4 color; };
kernel void f(device half4* o, threadgroup_imageblock Pixel* p) { o[0] = p->color; }
