//! The Metal standard library: headers written in MSL (`msl/*.metal`) over the small table of
//! intrinsics below.
//!
//! An intrinsic is a name `__metal_<name>` that only the headers use. The checker types calls
//! by [`Intrinsic::rule`]; lowering maps each to operations of the IR. Everything that can be
//! written in MSL is written there, not here.
//!
//! The headers form one text in the order of [`HEADERS`], the *prelude*, which every program starts
//! with; `#include <metal_…>` therefore adds nothing.

mod intrinsics;

pub use intrinsics::{Intrinsic, Rule};

/// A header of the prelude.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    /// As diagnostics name it.
    pub name: &'static str,
    pub text: &'static str,
}

macro_rules! headers {
    ($($name:literal),* $(,)?) => {
        /// The headers, in order; later ones use earlier ones. Macros defined in one are visible in the next ones
        /// and in the program.
        pub const HEADERS: &[Header] =
            &[$(Header { name: concat!("<metal>/", $name), text: include_str!(concat!("../msl/", $name)) }),*];
    };
}

headers![
    "types.metal",
    "type_traits.metal",
    "limits.metal",
    "integer.metal",
    "common.metal",
    "math.metal",
    "curves.metal",
    "matrix.metal",
    "array.metal",
    "atomic.metal",
    "simdgroup.metal",
    "pack.metal",
    "pixel_format.metal",
    "texture.metal",
    "graphics.metal",
    "tensor.metal",
    "assert.metal",
    "apple.metal",
];

/// Headers by the names of the MSL specification and of the toolchain, all of which the prelude holds, and those of the
/// vector library that kernels share with hosts.
pub const HEADER_NAMES: &[&str] = &[
    "metal_stdlib",
    "metal_array",
    "metal_array_ref",
    "metal_assert",
    "metal_atomic",
    "metal_command_buffer",
    "metal_common",
    "metal_compute",
    "metal_config",
    "metal_curves",
    "metal_extended_vector",
    "metal_function_table",
    "metal_geometric",
    "metal_graphics",
    "metal_imageblocks",
    "metal_initializer_list",
    "metal_integer",
    "metal_interpolate",
    "metal_limits",
    "metal_logging",
    "metal_math",
    "metal_matrix",
    "metal_mesh",
    "metal_numeric",
    "metal_pack",
    "metal_packed_vector",
    "metal_quadgroup",
    "metal_raytracing",
    "metal_relational",
    "metal_simdgroup",
    "metal_simdgroup_matrix",
    "metal_tensor",
    "metal_tessellation",
    "metal_texture",
    "metal_tuple",
    "metal_type_traits",
    "metal_types",
    "metal_uniform",
    "metal_utility",
    "metal_visible_function_table",
    "metal_cooperative_tensor",
    "MetalPerformancePrimitives/MetalPerformancePrimitives.h",
    "MetalPerformancePrimitives/MPPTensorOpsConvolution2d.h",
    "MetalPerformancePrimitives/MPPTensorOpsMatMul2d.h",
    "metal",
    "simd/simd.h",
    "simd/base.h",
    "simd/math.h",
    "simd/matrix.h",
    "simd/matrix_types.h",
    "simd/types.h",
    "simd/vector.h",
    "simd/vector_types.h",
    "stddef.h",
    "stdint.h",
    "TargetConditionals.h",
];

/// Whether `#include <name>` names a header that the prelude already holds. The toolchain has more `metal_` headers
/// than anyone lists, so that only what looks like a slip of a listed name is none.
pub fn is_builtin_header(name: &str) -> bool {
    HEADER_NAMES.contains(&name)
        || (name.starts_with("metal_") && HEADER_NAMES.iter().all(|h| msl_base::similar::distance(name, h) > 2))
}
