// 5.2 Function Arguments and Variables
#include <metal_stdlib>
using namespace metal;
//--- 5.2.1 `[[buffer(n)]]`, `[[texture(n)]]`, `[[sampler(n)]]`, `[[threadgroup(n)]]`
// see: tests/run/threadgroup.metal (host-sized threadgroup memory)
//--- indices are given in order to arguments without one
// buffer 0: i32 = 0
// buffer 1: i32 = 5
// buffer 2: i32 = 7
// dispatch: f grid=1
// expect 0: i32 = 12
kernel void f(device int* o, constant int& b [[buffer(2)]], constant int& a) { o[0] = a + b; }
//--- two arguments of one index
// error: duplicate-index
kernel void f(device int* a [[buffer(0)]], device int* b [[buffer(0)]]) { a[0] = b[0]; }
//--- an index that is too large
// error: index-out-of-range
kernel void f(device int* a [[buffer(31)]]) { a[0] = 1; }
//--- an attribute that does not fit the type
// error: wrong-attribute
kernel void f(device int* a [[texture(0)]]) { a[0] = 1; }
//--- `[[raster_order_group(n)]]` is accepted
// gives: i32 = 1
kernel void f(device int* o [[buffer(0), raster_order_group(0)]]) { o[0] = 1; }
//--- 5.2.3.6 positions of threads, one to three components, of 16 and 32 bits
// buffer 0: i32 = zeros(8)
// dispatch: f grid=4,2 threadgroup=2,2
// expect 0: i32 = 0 1 10 11 20 21 30 31
kernel void f(device int* o, ushort2 t [[thread_position_in_grid]], uint2 g [[threads_per_grid]]) { o[t.x * g.y + t.y] = t.x * 10 + t.y; }
//--- sizes and indices of threadgroups and grids
// buffer 0: i32 = zeros(9)
// dispatch: f grid=6,1,1 threadgroup=4,1,1
// expect 0: i32 = 4 4 2 6 0 0 2 1 0
kernel void f(device int* o, uint i [[thread_position_in_grid]], uint a [[threads_per_threadgroup]], uint b [[dispatch_threads_per_threadgroup]], uint c [[threadgroups_per_grid]],
              uint d [[grid_size]], uint e [[grid_origin]], uint g [[thread_index_in_threadgroup]], uint h [[threadgroup_position_in_grid]], uint p [[thread_position_in_threadgroup]]) {
    if (i == 0) { o[0] = a; o[1] = b; o[2] = c; o[3] = d; o[4] = e; o[5] = g; }
    if (i == 5) { o[6] = h + 1; o[7] = p; }
}
//--- indices and numbers of SIMD-groups and quad-groups
// buffer 0: i32 = zeros(8)
// dispatch: f grid=64 threadgroup=64
// expect 0: i32 = 32 1 2 2 1 9 16 16
kernel void f(device int* o, uint i [[thread_position_in_grid]], uint w [[threads_per_simdgroup]], ushort s [[simdgroup_index_in_threadgroup]], uint n [[simdgroups_per_threadgroup]], uint d [[dispatch_simdgroups_per_threadgroup]],
              ushort q [[thread_index_in_quadgroup]], uint qi [[quadgroup_index_in_threadgroup]], uint qn [[quadgroups_per_threadgroup]], uint qd [[dispatch_quadgroups_per_threadgroup]]) {
    if (i == 37) { o[0] = w; o[1] = s; o[2] = n; o[3] = d; o[4] = q; o[5] = qi; o[6] = qn; o[7] = qd; }
}
//--- `[[thread_execution_width]]`, `[[thread_index_in_simdgroup]]`
// gives 33: i32 = 32 0
kernel void f(device int* o, ushort w [[thread_execution_width]], ushort l [[thread_index_in_simdgroup]], ushort i [[thread_index_in_threadgroup]]) { if (i == 32) { o[0] = w; o[1] = l; } }
//--- an input of a type it cannot have
// error: invalid-input-type
kernel void f(device int* o, float i [[thread_position_in_grid]]) { o[0] = 1; }
//--- inputs of different numbers of components
// error: mixed-dimensions
kernel void f(device int* o, uint i [[thread_position_in_grid]], uint2 n [[threads_per_grid]]) { o[i] = n.x; }
//--- 5.2.4 `[[stage_in]]` in a kernel
// error: unsupported-stage-in
struct In { float4 a [[attribute(0)]]; };
kernel void f(device float4* o, In in [[stage_in]]) { o[0] = in.a; }
//--- an argument that has no attribute and cannot be bound
// error: missing-attribute
kernel void f(device int* o, uint i) { o[0] = i; }
//--- an attribute that does not exist
// error: unknown-attribute
kernel void f(device int* o, uint i [[thread_position_in_gird]]) { o[0] = i; }
//--- `[[vertex_id]]` and other inputs of graphics functions in a kernel
// graphics-only: unknown-attribute
kernel void f(device int* o, uint i [[vertex_id]]) { o[0] = i; }
