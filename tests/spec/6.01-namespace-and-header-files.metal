// 6.1 Namespace and Header Files
//--- the namespace `metal`
// gives: i32 = 3
#include <metal_stdlib>
kernel void f(device int* o) { o[0] = metal::max(2, 3); }
//--- every header by itself
// gives: i32 = 1
#include <metal_types>
#include <metal_atomic>
#include <metal_common>
#include <metal_compute>
#include <metal_geometric>
#include <metal_integer>
#include <metal_logging>
#include <metal_math>
#include <metal_matrix>
#include <metal_numeric>
#include <metal_pack>
#include <metal_quadgroup>
#include <metal_relational>
#include <metal_simdgroup>
#include <metal_simdgroup_matrix>
#include <metal_tensor>
#include <metal_texture>
#include <metal_type_traits>
#include <metal_graphics>
#include <simd/simd.h>
kernel void f(device int* o) { o[0] = 1; }
//--- the namespace has to be named
// error: unknown-identifier
#include <metal_stdlib>
kernel void f(device int* o) { o[0] = max(2, 3); }
//--- `simd::` names
// gives: i32 = 16 16
#include <metal_stdlib>
#include <simd/simd.h>
kernel void f(device int* o) { o[0] = sizeof(simd::float4); o[1] = sizeof(simd_float4); }
//--- names of the namespace by using-declarations
// gives: i32 = 5
#include <metal_stdlib>
using metal::uint;
using metal::max;
using metal::uint2;
typedef uint words[2];
struct Sizes { uint count; };
kernel void f(device int* o) {
  words w = { 3u, 4u };
  Sizes sizes = { w[1] };
  uint x = sizes.count;
  metal::uint y = 5u;
  o[0] = max(uint2(x, y).x, y);
}
//--- type traits
// see: tests/run/std_types.metal (type traits)
//--- `numeric_limits`, limits and constants as macros
// see: tests/run/std_types.metal (limits)
//--- a header that does not exist
// error: include-not-found
#include <metal_stdlb>
kernel void f(device int* o) { o[0] = 1; }
//--- headers shared with hosts: `NS_ENUM`, `#import`, types of `simd/simd.h`
// buffer 0: i32 = zeros(4)
// buffer 2: f32 = iota(64)
// dispatch: f grid=1
// expect 0: i32 = 2 1 16 112
#ifdef __METAL_VERSION__
#define NS_ENUM(_type, _name) enum _name : _type _name; enum _name : _type
typedef metal::int32_t EnumBackingType;
#define NSInteger metal::int32_t
#else
#import <Foundation/Foundation.h>
#endif
#import <simd/simd.h>
typedef NS_ENUM(EnumBackingType, BufferIndex)
{
    BufferIndexOut      = 0,
    BufferIndexOther    = 1,
    BufferIndexUniforms = 2
};
typedef NS_ENUM(NSInteger, TextureIndex) { TextureIndexColor = 0 };
typedef struct
{
    matrix_float4x4 projection;
    vector_float3 origin;
    simd_float2 scale;
    simd_uint3 counts;
} Uniforms;
kernel void f(device int* o [[buffer(BufferIndexOut)]], constant Uniforms& u [[buffer(BufferIndexUniforms)]]) {
    BufferIndex b = BufferIndexOther;
    o[0] = BufferIndexUniforms; o[1] = b; o[2] = u.origin.x; o[3] = sizeof(u);
}
