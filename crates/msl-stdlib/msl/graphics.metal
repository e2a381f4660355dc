// Names of the library that serve graphics, ray tracing and commands made by the device (MSL specification, sections 2.7,
// 2.11, 2.15 to 2.20, 6.10, 6.16 to 6.18). They are declared so that a use of one is told what it is.

namespace metal {

#define __ONLY_GRAPHICS [[__metal_unsupported("unsupported-graphics", "belongs to graphics functions; only kernels are supported")]]
#define __ONLY_RAYS [[__metal_unsupported("unsupported-ray-tracing", "belongs to ray tracing, which is not supported")]]
#define __ONLY_COMMANDS [[__metal_unsupported("unsupported-indirect-commands", "belongs to indirect command buffers, which are not supported")]]

#define __PIXEL(name) template <typename T> struct __ONLY_GRAPHICS name;
__PIXEL(r8unorm) __PIXEL(r8snorm) __PIXEL(r16unorm) __PIXEL(r16snorm) __PIXEL(rg8unorm) __PIXEL(rg8snorm) __PIXEL(rg16unorm)
__PIXEL(rg16snorm) __PIXEL(rgba8unorm) __PIXEL(srgba8unorm) __PIXEL(rgba8snorm) __PIXEL(rgba16unorm) __PIXEL(rgba16snorm)
__PIXEL(rgb10a2) __PIXEL(rg11b10f) __PIXEL(rgb9e5)
#undef __PIXEL
template <typename... A> struct __ONLY_GRAPHICS imageblock;
template <typename... A> struct __ONLY_GRAPHICS imageblock_slice;
template <typename... A> struct __ONLY_GRAPHICS interpolant;
template <typename... A> struct __ONLY_GRAPHICS vertex_value;
template <typename... A> struct __ONLY_GRAPHICS patch_control_point;
template <typename V, typename P, size_t vertices, size_t primitives, auto topology> struct __ONLY_GRAPHICS mesh;
struct __ONLY_GRAPHICS mesh_grid_properties;
struct __ONLY_GRAPHICS rasterization_rate_map_data;
struct __ONLY_GRAPHICS rasterization_rate_map_decoder;
enum class topology { point, line, triangle };
namespace interpolation { struct perspective; struct no_perspective; }

template <typename T> __ONLY_GRAPHICS T dfdx(T x);
template <typename T> __ONLY_GRAPHICS T dfdy(T x);
template <typename T> __ONLY_GRAPHICS T fwidth(T x);
__ONLY_GRAPHICS void discard_fragment();
__ONLY_GRAPHICS uint get_num_samples();
__ONLY_GRAPHICS float2 get_sample_position(uint index);

struct __ONLY_COMMANDS command_buffer;
struct __ONLY_COMMANDS compute_command;
struct __ONLY_COMMANDS render_command;
struct __ONLY_COMMANDS compute_pipeline_state;
struct __ONLY_COMMANDS render_pipeline_state;
struct __ONLY_COMMANDS depth_stencil_state;
// Of section 2.15: how many entries there are, and the number of the function in each.
template <typename F> struct [[__metal_special("visible_function_table")]] visible_function_table {
  constant ulong* __t;
  using fnptr = F*;
  fnptr operator[](uint index) const { return reinterpret_cast<F*>(__t[1u + index]); }
  uint size() const { return __metal_pointer_cast<ulong>(__t) == 0ul ? 0u : uint(__t[0]); }
  bool empty() const { return size() == 0u; }
};
template <typename F> inline bool is_null_visible_function_table(visible_function_table<F> t) { return __metal_pointer_cast<ulong>(t.__t) == 0ul; }

namespace raytracing {
struct __ONLY_RAYS ray;
struct __ONLY_RAYS intersection_params;
struct __ONLY_RAYS acceleration_structure_ref;
template <typename... A> struct __ONLY_RAYS acceleration_structure;
struct __ONLY_RAYS primitive_acceleration_structure;
struct __ONLY_RAYS instance_acceleration_structure;
template <typename... A> struct __ONLY_RAYS intersector;
template <typename... A> struct __ONLY_RAYS intersection_query;
template <typename... A> struct __ONLY_RAYS intersection_result;
template <typename... A> struct __ONLY_RAYS intersection_result_ref;
template <typename... A> struct __ONLY_RAYS intersection_function_table;
struct triangle_data;
struct curve_data;
struct instancing;
struct world_space_data;
struct primitive_motion;
struct instance_motion;
struct extended_limits;
}

#undef __ONLY_GRAPHICS
#undef __ONLY_RAYS
#undef __ONLY_COMMANDS

} // namespace metal
