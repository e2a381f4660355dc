// 6.18 Ray-Tracing Functions
#include <metal_stdlib>
using namespace metal;
//--- `intersector<…>::intersect`
// error: unsupported-ray-tracing
using namespace metal::raytracing;
kernel void f(device int* o) { intersector<triangle_data> i; o[0] = 1; }
//--- 6.18.7 points on curves and derivatives: `bezier`, `bspline`, `hermite`, `catmull_rom`
// gives: f32 ~ 1e-5 = 0.125 -2 12 0.078125 -0.5625 19.5 -0.6875 -1 6 -0.2161458 1.65625 3.25 0.8671875 -2.59375 -12.75 -0.9296875 3.71875 8.75 2.25
#include <metal_curves>
kernel void f(device float* o) {
  float3 p = float3(1), q = float3(-1.5f), r = float3(2), s = float3(0.5f);
  o[0] = bezier(0.25f, p, q, r).y;
  o[1] = bezier_derivative(0.25f, p, q, r).y;
  o[2] = bezier_second_derivative(0.25f, p, q, r).y;
  o[3] = bezier(0.25f, p, q, r, s).y;
  o[4] = bezier_derivative(0.25f, p, q, r, s).y;
  o[5] = bezier_second_derivative(0.25f, p, q, r, s).y;
  o[6] = bspline(0.25f, p, q, r).y;
  o[7] = bspline_derivative(0.25f, p, q, r).y;
  o[8] = bspline_second_derivative(0.25f, p, q, r).y;
  o[9] = bspline(0.25f, p, q, r, s).y;
  o[10] = bspline_derivative(0.25f, p, q, r, s).y;
  o[11] = bspline_second_derivative(0.25f, p, q, r, s).y;
  o[12] = hermite(0.25f, p, q, r, s).y;
  o[13] = hermite_derivative(0.25f, p, q, r, s).y;
  o[14] = hermite_second_derivative(0.25f, p, q, r, s).y;
  o[15] = catmull_rom(0.25f, p, q, r, s).y;
  o[16] = catmull_rom_derivative(0.25f, p, q, r, s).y;
  o[17] = catmull_rom_second_derivative(0.25f, p, q, r, s).y;
  o[18] = bezier(0.5h, 1.0h, 2.0h, 4.0h);
}
