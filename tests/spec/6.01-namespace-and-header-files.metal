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
//--- type traits of C++17: of objects, constructors, assignments, calls; `extent`, `index_sequence_for`
// gives: i32 = 1 1 1 1 0 1 1 3 1 1 0 1 1 1 1
#include <metal_stdlib>
using namespace metal;
struct A { int x; A(int v) : x(v) {} };
static int twice(int x) { return 2 * x; }
template <size_t... I> static int last(index_sequence<I...>) { int r[] = { int(I)... }; return r[sizeof...(I) - 1]; }
kernel void f(device int* o) {
  o[0] = is_same_v<remove_cvref_t<const thread int&>, int>;
  o[1] = is_same_v<remove_all_extents_t<int[2][3]>, int> && is_same_v<add_cv_t<int>, const volatile int>;
  o[2] = is_compound_v<A> && !is_compound_v<float> && is_object_v<A>;
  o[3] = is_fundamental_v<half>;
  o[4] = is_default_constructible_v<A>;
  o[5] = is_copy_constructible_v<A> && is_move_assignable_v<A> && is_default_constructible_v<int>;
  o[6] = is_assignable_v<thread int&, float> && !is_assignable_v<int, int>;
  o[7] = extent_v<int[2][3], 1>;
  o[8] = is_same_v<index_sequence_for<int, float>, index_sequence<0, 1>>;
  o[9] = is_invocable_v<decltype(twice), int>;
  o[10] = is_invocable_v<decltype(twice), A>;
  o[11] = is_same_v<invoke_result_t<decltype(twice), int>, int>;
  o[12] = conjunction_v<true_type, true_type> && !disjunction_v<false_type> && negation_v<false_type>;
  o[13] = is_aggregate_v<int[2]> && !is_aggregate_v<A>;
  o[14] = last(make_index_sequence<2000>{}) == 1999;
}
//--- `numeric_limits` of every kind: exponents, `round_style`, `has_denorm`
// gives: i32 = -4 4 -37 38 -37 38 1 0 1 0 2 8
#include <metal_stdlib>
using namespace metal;
kernel void f(device int* o) {
  o[0] = numeric_limits<half>::min_exponent10; o[1] = numeric_limits<half>::max_exponent10;
  o[2] = numeric_limits<float>::min_exponent10; o[3] = numeric_limits<float>::max_exponent10;
  o[4] = numeric_limits<bfloat>::min_exponent10; o[5] = numeric_limits<bfloat>::max_exponent10;
  o[6] = numeric_limits<float>::round_style == round_to_nearest && numeric_limits<int>::round_style == round_toward_zero;
  o[7] = numeric_limits<uint>::max_exponent; o[8] = numeric_limits<half>::has_denorm == denorm_present; o[9] = numeric_limits<int>::traps;
  o[10] = BFLT_DIG; o[11] = BFLT_MANT_DIG;
}
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
