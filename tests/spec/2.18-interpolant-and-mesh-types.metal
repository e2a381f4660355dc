// 2.18 Interpolant Type, 2.19 Per-Vertex Values, 2.20 Mesh Shader Types
#include <metal_stdlib>
using namespace metal;
//--- `interpolant<T, P>`
// graphics-only: unsupported-graphics
struct In { interpolant<float2, interpolation::perspective> p; };
kernel void f(device int* o) { In i; o[0] = 1; }
//--- `mesh<V, P, NV, NP, t>`
// graphics-only: unsupported-graphics
struct V { float4 p [[position]]; };
kernel void f(device int* o, mesh<V, void, 4, 2, topology::triangle> m) { o[0] = 1; }
//--- `mesh_grid_properties`
// graphics-only: unsupported-graphics
kernel void f(device int* o, mesh_grid_properties m) { o[0] = 1; }
