//! How the text form spells the small enums: one table each, read in both directions.

use crate::{
    Access, AddressSpace, AtomicOp, BarrierScope, BinaryOp, Builtin, CompareOp, MemoryScope, Scalar, SimdOp,
    TextureDimension, UnaryOp,
};

/// An enum whose values have a spelling in the text form.
pub trait Spelled: Copy + PartialEq + 'static {
    const TABLE: &'static [(Self, &'static str)];

    /// The spelling in the text form.
    fn spelling(self) -> &'static str {
        Self::TABLE.iter().find(|(v, _)| *v == self).map_or("?", |(_, s)| s)
    }
    /// The value spelled so.
    fn from_spelling(text: &str) -> Option<Self> {
        Self::TABLE.iter().find(|(_, s)| *s == text).map(|(v, _)| *v)
    }
}

macro_rules! spelled {
    ($ty:ident { $($variant:ident = $text:literal),* $(,)? }) => {
        impl Spelled for $ty {
            const TABLE: &'static [(Self, &'static str)] = &[$(($ty::$variant, $text)),*];
        }
        // Fails to compile when a variant is added and not spelled.
        const _: fn($ty) = |v| match v { $($ty::$variant => {}),* };
    };
}

spelled!(Scalar {
    Bool = "bool", I8 = "i8", U8 = "u8", I16 = "i16", U16 = "u16", I32 = "i32", U32 = "u32", I64 = "i64",
    U64 = "u64", F16 = "f16", BF16 = "bf16", F32 = "f32",
});
spelled!(AddressSpace { Thread = "thread", Device = "device", Constant = "constant", Threadgroup = "threadgroup" });
spelled!(UnaryOp {
    Neg = "neg", Not = "not", Abs = "abs", Sqrt = "sqrt", Rsqrt = "rsqrt", Floor = "floor", Ceil = "ceil",
    Trunc = "trunc", RoundEven = "round_even", IsNan = "is_nan", IsInf = "is_inf", PopCount = "pop_count",
    LeadingZeros = "leading_zeros", TrailingZeros = "trailing_zeros", ReverseBits = "reverse_bits",
});
spelled!(BinaryOp {
    Add = "add", Sub = "sub", Mul = "mul", Div = "div", Rem = "rem", And = "and", Or = "or", Xor = "xor",
    Shl = "shl", Shr = "shr", Min = "min", Max = "max", CopySign = "copy_sign", MulHigh = "mul_high",
    AddSat = "add_sat", SubSat = "sub_sat",
});
spelled!(CompareOp { Eq = "eq", Ne = "ne", Lt = "lt", Le = "le", Gt = "gt", Ge = "ge" });
spelled!(AtomicOp {
    Load = "load", Store = "store", Exchange = "exchange", Add = "add", Sub = "sub", Min = "min", Max = "max",
    And = "and", Or = "or", Xor = "xor",
});
spelled!(MemoryScope { Thread = "thread", Simdgroup = "simdgroup", Threadgroup = "threadgroup", Device = "device" });
spelled!(BarrierScope { Simdgroup = "simdgroup", Threadgroup = "threadgroup" });
spelled!(SimdOp {
    Shuffle = "shuffle", BroadcastFirst = "broadcast_first", Ballot = "ballot", IsFirst = "is_first",
    ReduceAdd = "reduce_add", ReduceMul = "reduce_mul", ReduceMin = "reduce_min", ReduceMax = "reduce_max",
    ReduceAnd = "reduce_and", ReduceOr = "reduce_or", ReduceXor = "reduce_xor", InclusiveAdd = "inclusive_add",
    ExclusiveAdd = "exclusive_add", InclusiveMul = "inclusive_mul", ExclusiveMul = "exclusive_mul",
    MatrixMultiply = "matrix_multiply",
    MatrixTranspose = "matrix_transpose",
});
spelled!(Builtin {
    ThreadPositionInGrid = "thread_position_in_grid",
    ThreadPositionInThreadgroup = "thread_position_in_threadgroup",
    ThreadgroupPositionInGrid = "threadgroup_position_in_grid",
    ThreadsPerGrid = "threads_per_grid",
    ThreadsPerThreadgroup = "threads_per_threadgroup",
    DispatchThreadsPerThreadgroup = "dispatch_threads_per_threadgroup",
    ThreadgroupsPerGrid = "threadgroups_per_grid",
    ThreadIndexInThreadgroup = "thread_index_in_threadgroup",
    ThreadIndexInSimdgroup = "thread_index_in_simdgroup",
    SimdgroupIndexInThreadgroup = "simdgroup_index_in_threadgroup",
    SimdgroupsPerThreadgroup = "simdgroups_per_threadgroup",
    DispatchSimdgroupsPerThreadgroup = "dispatch_simdgroups_per_threadgroup",
    ThreadsPerSimdgroup = "threads_per_simdgroup",
    ThreadIndexInQuadgroup = "thread_index_in_quadgroup",
    QuadgroupIndexInThreadgroup = "quadgroup_index_in_threadgroup",
    QuadgroupsPerThreadgroup = "quadgroups_per_threadgroup",
    DispatchQuadgroupsPerThreadgroup = "dispatch_quadgroups_per_threadgroup",
});
spelled!(Access { ReadOnly = "read", WriteOnly = "write", ReadWrite = "read_write" });
spelled!(TextureDimension {
    D1 = "d1", D1Array = "d1_array", D2 = "d2", D2Array = "d2_array", D2Multisample = "d2_ms",
    D2MultisampleArray = "d2_ms_array", D3 = "d3", Cube = "cube", CubeArray = "cube_array", Buffer = "buffer",
    Depth2D = "depth2d", Depth2DArray = "depth2d_array", DepthCube = "depth_cube",
    DepthCubeArray = "depth_cube_array",
});

/// Whether a name can stand bare in the text form: an identifier that is no id and no type.
pub(super) fn is_plain_name(name: &str) -> bool {
    let mut chars = name.chars();
    let starts_well = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    let is_identifier = starts_well && chars.all(|c| c.is_ascii_alphanumeric() || c == '_');
    let looks_like_id = ["struct", "fn", "global", "local", "l"].iter().any(|prefix| numbered(name, prefix).is_some());
    let is_word =
        matches!(name, "void" | "array" | "ptr" | "struct" | "fn" | "global" | "kernel" | "local" | "align" | "size");
    let is_vector = ["vec", "packed_vec"].iter().any(|prefix| numbered(name, prefix).is_some());
    is_identifier && !looks_like_id && !is_word && !is_vector && Scalar::from_spelling(name).is_none()
}

/// The number in `prefix12`, spelled as an id prints.
pub(super) fn numbered(name: &str, prefix: &str) -> Option<u32> {
    let digits = name.strip_prefix(prefix)?;
    let canonical = digits.bytes().all(|b| b.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    if canonical { digits.parse().ok() } else { None }
}

impl Builtin {
    /// As in the text form, which is as in MSL.
    pub fn name(self) -> &'static str {
        self.spelling()
    }
}
