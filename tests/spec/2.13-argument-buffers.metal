// 2.13 Argument Buffers
#include <metal_stdlib>
using namespace metal;
//--- structures with `[[id(n)]]`: scalars, arrays, nested structures
// buffer 0: f32 = 1 2 3 4
// buffer 1: f32 = zeros(2)
// dispatch: f grid=1
// expect 1: f32 = 4 6
struct In { float a [[id(2)]]; float b [[id(3)]]; };
struct Args { float x [[id(0)]]; float y [[id(1)]]; In in; };
kernel void f(constant Args& args [[buffer(0)]], device float* o [[buffer(1)]]) { o[0] = args.x + args.in.a; o[1] = args.y + args.in.b; }
//--- pointers in argument buffers have eight bytes
// gives: i32 = 24 8
struct Args { device float* a [[id(0)]]; constant int* b [[id(1)]]; uint n [[id(2)]]; };
kernel void f(device int* o) { o[0] = sizeof(Args); o[1] = alignof(Args); }
//--- textures and samplers in argument buffers have eight bytes
// gives: i32 = 16
struct Args { texture2d<float> t; sampler s; };
kernel void f(device int* o) { o[0] = sizeof(Args); }
//--- linked structures
// gives: i32 = 16
struct Node { device Node* next; int value; };
kernel void f(device int* o) { o[0] = sizeof(Node); }
