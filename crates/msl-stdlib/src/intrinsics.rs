//! The table of intrinsics.

/// How the checker types a call. `T` is a scalar or vector type of numbers; arguments are first converted
/// lvalue to rvalue, and no other conversion is applied: the headers call with exact types.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rule {
    /// `(T, …) -> T`: all arguments and the result have the type of the first.
    Same,
    /// `(T, …) -> bool` or `bool` vector of the length of T.
    Predicate,
    /// `<To>(From) -> To`: the result type is the explicit template argument.
    Explicit,
    /// `(condition: bool or bool vector, T, T) -> T`.
    Select,
    /// `(P*, …) -> P` for a pointer to P.
    Pointee,
    /// `(…) -> void`.
    Void,
    /// `(T, ushort/uint/int lane) -> T`.
    Lane,
    /// `(A, B, T) -> T`.
    Third,
    /// `(…) -> bool`
    Bool,
    /// `(…) -> uint`
    UInt,
    /// `(…) -> ulong`
    ULong,
    /// `(P*) -> P*`
    Pointer,
    /// Like the type of the builtin named: `uint3` or `uint`.
    UInt3,
}

macro_rules! intrinsics {
    ($($(#[$meta:meta])* $variant:ident $name:literal $arity:literal $rule:ident;)*) => {
        /// An operation of the device that MSL headers can name.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
        pub enum Intrinsic { $($(#[$meta])* $variant),* }

        impl Intrinsic {
            pub const ALL: &'static [Intrinsic] = &[$(Intrinsic::$variant),*];
            /// The spelling in MSL, with the `__metal_` prefix.
            pub fn name(self) -> &'static str {
                match self { $(Intrinsic::$variant => concat!("__metal_", $name)),* }
            }
            /// Number of arguments; 255 is "any number".
            pub fn arity(self) -> usize {
                match self { $(Intrinsic::$variant => $arity),* }
            }
            pub fn rule(self) -> Rule {
                match self { $(Intrinsic::$variant => Rule::$rule),* }
            }
        }
    };
}

intrinsics! {
    // Elementwise arithmetic (msl-ir `UnaryOp`, `BinaryOp`).
    Abs "abs" 1 Same;
    Sqrt "sqrt" 1 Same;
    Rsqrt "rsqrt" 1 Same;
    Floor "floor" 1 Same;
    Ceil "ceil" 1 Same;
    Trunc "trunc" 1 Same;
    /// To nearest, ties to even.
    RoundEven "rint" 1 Same;
    IsNan "isnan" 1 Predicate;
    IsInf "isinf" 1 Predicate;
    PopCount "popcount" 1 Same;
    LeadingZeros "clz" 1 Same;
    TrailingZeros "ctz" 1 Same;
    ReverseBits "reverse_bits" 1 Same;
    Min "min" 2 Same;
    Max "max" 2 Same;
    CopySign "copysign" 2 Same;
    MulHigh "mulhi" 2 Same;
    AddSat "addsat" 2 Same;
    SubSat "subsat" 2 Same;
    Fma "fma" 3 Same;
    /// `select(condition, if_true, if_false)`.
    Select "select" 3 Select;
    /// `__metal_convert<To>(x)`: by value, elementwise.
    Convert "convert" 1 Explicit;
    /// `__metal_bitcast<To>(x)`.
    Bitcast "bitcast" 1 Explicit;
    /// `__metal_pointer_cast<To>(p)`: pointers to pointers or `ulong`, unchecked.
    PointerCast "pointer_cast" 1 Explicit;
    /// A pointer that the library promises to be valid, see the IR's `AssumeValid`.
    AssumeValid "assume_valid" 1 Pointer;

    // Memory. `order` and `scope` of the public functions are dropped or become fences in the headers.
    AtomicLoad "atomic_load" 1 Pointee;
    AtomicStore "atomic_store" 2 Void;
    AtomicExchange "atomic_exchange" 2 Pointee;
    AtomicAdd "atomic_add" 2 Pointee;
    AtomicSub "atomic_sub" 2 Pointee;
    AtomicMin "atomic_min" 2 Pointee;
    AtomicMax "atomic_max" 2 Pointee;
    AtomicAnd "atomic_and" 2 Pointee;
    AtomicOr "atomic_or" 2 Pointee;
    AtomicXor "atomic_xor" 2 Pointee;
    /// `(pointer, expected, desired) -> found`
    CompareExchange "atomic_compare_exchange" 3 Pointee;
    /// `(flags, scope)`, constants: flags device 1, threadgroup 2, texture 4; scope thread 0, simdgroup 1, threadgroup 2, device 3.
    Fence "fence" 2 Void;

    // Threads.
    /// `(flags)`, constant.
    ThreadgroupBarrier "threadgroup_barrier" 1 Void;
    SimdgroupBarrier "simdgroup_barrier" 1 Void;
    SimdShuffle "simd_shuffle" 2 Lane;
    /// Two elements of each operand a thread, laid out as those of `simdgroup_matrix`; the third is `float2`.
    SimdMatrixMultiply "simd_matrix_multiply" 3 Third;
    SimdBroadcastFirst "simd_broadcast_first" 1 Same;
    SimdBallot "simd_ballot" 1 ULong;
    SimdIsFirst "simd_is_first" 0 Bool;
    SimdSum "simd_sum" 1 Same;
    SimdProduct "simd_product" 1 Same;
    SimdMin "simd_min" 1 Same;
    SimdMax "simd_max" 1 Same;
    SimdAnd "simd_and" 1 Same;
    SimdOr "simd_or" 1 Same;
    SimdXor "simd_xor" 1 Same;
    SimdPrefixInclusiveSum "simd_prefix_inclusive_sum" 1 Same;
    SimdPrefixExclusiveSum "simd_prefix_exclusive_sum" 1 Same;
    SimdPrefixInclusiveProduct "simd_prefix_inclusive_product" 1 Same;
    SimdPrefixExclusiveProduct "simd_prefix_exclusive_product" 1 Same;
    /// Whether float math may be fast where the call stands (compile option or pragma of the *caller's
    /// library*): folded to a constant by the checker.
    IsFastMath "is_fast_math" 0 Bool;
    ThreadIndexInSimdgroup "thread_index_in_simdgroup" 0 UInt;
    SimdgroupIndexInThreadgroup "simdgroup_index_in_threadgroup" 0 UInt;

    // The rest.
    /// `(level, subsystem, category, format string, arguments…)`.
    Log "log" 255 Void;
    Trap "trap" 0 Void;
    Unreachable "unreachable" 0 Void;
}

impl Intrinsic {
    /// Finds an intrinsic by its MSL spelling.
    pub fn from_name(name: &str) -> Option<Intrinsic> {
        if !name.starts_with("__metal_") {
            return None;
        }
        Intrinsic::ALL.iter().copied().find(|i| i.name() == name)
    }
}
