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
    "matrix.metal",
    "array.metal",
    "atomic.metal",
    "simdgroup.metal",
    "pack.metal",
    "texture.metal",
    "assert.metal",
];

/// Whether `#include <name>` names a header that the prelude already holds.
pub fn is_builtin_header(name: &str) -> bool {
    name.starts_with("metal_")
        || matches!(
            name,
            "metal"
                | "simd/simd.h"
                | "TargetConditionals.h"
                | "stdint.h"
                | "stddef.h"
                | "simd/types.h"
                | "simd/vector_types.h"
                | "simd/matrix_types.h"
                | "simd/base.h"
                | "simd/math.h"
                | "simd/vector.h"
                | "simd/matrix.h"
        )
}
