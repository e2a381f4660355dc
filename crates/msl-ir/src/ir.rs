//! The form of the IR and what it means.
//!
//! # Form
//!
//! A [`Module`] holds types, globals, functions and entry points. A [`Function`] is a tree:
//! a [`Block`] is a list of instructions, some of which hold blocks (`if`, `loop`, `switch`,
//! `scope`). There is no `goto` and there are no phis: an instruction defines at most one SSA
//! value, visible to the rest of its block and to everything nested there; what changes lives
//! in *locals* (memory) and is loaded and stored. Values are scalars, vectors of 2–4
//! components and pointers; arrays and structures exist in memory only. Functions receive and
//! return aggregates through pointers. MSL forbids recursion: the call graph is acyclic.
//!
//! # Threads
//!
//! A kernel is executed by every thread of a grid, grouped in threadgroups; the threads of a
//! threadgroup, in order of their linear index (x fastest), form simdgroups of 32 and
//! quadgroups of 4. The meaning of a function is given for one thread, except for barriers
//! and [`Op::Simd`], which are *convergent*: they concern the threads of the group that
//! execute the same instruction in the same iteration of all surrounding loops. Threads that
//! diverge at a branch reconverge at the end of the innermost construct that holds it: a
//! target must make the set of active threads at a convergent operation exactly those whose
//! control flow, followed through the tree, reaches it together.
//!
//! # Values
//!
//! Integers wrap. `Div`/`Rem` of integers by zero, and of the least signed value by −1, give
//! an unspecified value but no other harm. Shift amounts are taken modulo the width.
//! Float operations round to nearest even; `f16`/`bf16` operations behave as if each were
//! rounded to its type. With [`FpFlags::FAST`] an instruction may be reassociated, treat NaN
//! and infinity as absent and subnormals as zero, use reciprocal and approximate forms
//! within the error bounds of the MSL specification (section 8.4); with
//! [`FpFlags::CONTRACT`] a multiply feeding an add may become one fma. Without flags the
//! result is exact IEEE, the same on every target. Conversions float → integer saturate, NaN
//! gives 0. Conversions to `Bool` test `!= 0`; from `Bool` give 0 or 1.
//!
//! # Memory
//!
//! A pointer is an address in one address space. Reading or writing outside the buffer, local or
//! threadgroup variable that the pointer was derived from is a *fault*: targets detect it for device and
//! constant memory, end the command with an error that names the place, and change no memory
//! that the kernel was not given. Locals and threadgroup variables are uninitialised at
//! start; reading them gives unspecified (but not trapping) bytes. Two threads that access
//! the same non-atomic location without a barrier between, one of them writing, race: the
//! value read is unspecified. Atomic operations are relaxed unless [`Op::Fence`] or a barrier
//! orders them.
//!
//! # Convergence and progress
//!
//! A threadgroup barrier must be reached by all threads of the threadgroup that have not returned,
//! or by none (otherwise a fault). A thread that waits, in a loop, for another thread of its own
//! simdgroup need not ever proceed.
//!
//! # What is forgiven
//!
//! Metal leaves the following undefined. Apple's GPUs give a sensible answer, and published kernels rely
//! on it without knowing, so the meaning here is what those GPUs do. Targets may assume none of it away;
//! the interpreter makes each a fault on request ([`interp::Options::strict`](crate::interp::Options::strict)).
//!
//! - *Alignment.* Loads and stores state the alignment of the type. An address that is not a multiple of
//!   it is accessed all the same; bytes are bytes. (ggml reads four `uint8_t` of a block aligned to 2 as one
//!   `uint32_t`.) Atomic operations must be aligned.
//! - *Barriers.* A simdgroup arrives at a threadgroup barrier as one: when any of its threads does. The
//!   others need not come by; they wait at the end of the branch. (MLX's products of matrix and vector
//!   have a barrier that the first thread of each simdgroup reaches.) A simdgroup of which no thread comes
//!   by is missing, which is a fault, unless all of them have returned. Nobody need come by a barrier
//!   that orders no memory. (MLX has one in a loop of some simdgroups, for speed alone, and on both sides
//!   of a branch that simdgroups take differently.)
//! - *The end of threadgroup memory.* A read may go up to [`READ_SLACK`] bytes beyond the end of a
//!   threadgroup variable and gives unspecified bytes there. (MLX's merge sort reads the element after
//!   the last one before it knows that it is not needed.) A write may not. Memory whose size the host
//!   gives may be read and written up to [`HOST_SLACK`] bytes beyond the end; whether what was written
//!   there stays is unspecified. (ggml's attention clears more than it asks for with heads of 96.)

use msl_base::{Arena, Span, Symbol};

use crate::reflect::EntryPoint;
use crate::types::{AddressSpace, TypeId, TypeTable};

/// How many bytes beyond the end of threadgroup memory a read may touch: those of the largest vector.
pub const READ_SLACK: u64 = 16;

/// How many bytes beyond the end of host-sized threadgroup memory may be touched.
pub const HOST_SLACK: u64 = 256;

msl_base::define_id!(pub struct FunctionId, "fn");
msl_base::define_id!(
    /// An instruction of a function and the value it defines.
    pub struct ValueId, "%"
);
msl_base::define_id!(pub struct LocalId, "local");
msl_base::define_id!(pub struct GlobalId, "global");
msl_base::define_id!(
    /// Names a `loop`, `switch` or `scope`; unique within its function.
    pub struct LabelId, "l"
);

#[derive(Clone, Debug, Default)]
pub struct Module {
    pub types: TypeTable,
    pub globals: Arena<GlobalId, Global>,
    pub functions: Arena<FunctionId, Function>,
    pub entry_points: Vec<EntryPoint>,
}

impl Module {
    /// The constants whose addresses other constants hold, in order.
    pub fn addressed_constants(&self) -> Vec<GlobalId> {
        let mut out: Vec<GlobalId> = self.globals.values().flat_map(|g| g.pointers.iter().map(|p| p.target)).collect();
        out.sort();
        out.dedup();
        out
    }
}

/// Memory that exists beside buffers: constant tables and threadgroup variables.
#[derive(Clone, Debug)]
pub struct Global {
    pub name: Symbol,
    pub ty: TypeId,
    /// `Constant` (with bytes) or `Threadgroup` (without; one instance per threadgroup).
    pub space: AddressSpace,
    /// At least the alignment of `ty`.
    pub align: u32,
    /// The bytes in memory layout, little endian; shorter than the type means zeros follow.
    pub init: Option<Vec<u8>>,
    /// Addresses of other constants that stand in the bytes.
    pub pointers: Vec<GlobalPointer>,
}

/// Eight bytes of a constant that hold the address of a place in another one, which comes earlier in the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GlobalPointer {
    /// Where it stands, in bytes.
    pub offset: u64,
    pub target: GlobalId,
    /// The place in the target, in bytes.
    pub addend: u64,
}

#[derive(Clone, Debug)]
pub struct Function {
    pub name: Symbol,
    /// Types of the parameters. For entry points see [`EntryPoint::params`].
    pub params: Vec<TypeId>,
    pub ret: TypeId,
    pub locals: Arena<LocalId, Local>,
    /// Every instruction, in no particular order; [`Function::body`] gives the tree. An
    /// instruction appears in at most one block, at most once.
    pub insts: Arena<ValueId, Inst>,
    pub body: Block,
    /// The next unused label.
    pub next_label: u32,
    pub span: Span,
}

impl Function {
    pub fn new(name: Symbol, params: Vec<TypeId>, ret: TypeId) -> Function {
        Function {
            name,
            params,
            ret,
            locals: Arena::new(),
            insts: Arena::new(),
            body: Block::default(),
            next_label: 0,
            span: Span::NONE,
        }
    }
    pub fn make_label(&mut self) -> LabelId {
        self.next_label += 1;
        LabelId(self.next_label - 1)
    }
}

/// A variable of one thread, in the `thread` address space, alive for the whole call.
#[derive(Clone, Debug)]
pub struct Local {
    pub name: Symbol,
    pub ty: TypeId,
    /// At least the alignment of `ty`.
    pub align: u32,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Block {
    pub insts: Vec<ValueId>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Inst {
    pub op: Op,
    /// Type of the value; `void` where there is none.
    pub ty: TypeId,
    pub fp: FpFlags,
    pub span: Span,
}

/// What a float instruction allows a target to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub struct FpFlags(pub u8);

impl FpFlags {
    pub const STRICT: FpFlags = FpFlags(0);
    pub const CONTRACT: FpFlags = FpFlags(1);
    /// Includes `CONTRACT`.
    pub const FAST: FpFlags = FpFlags(3);

    pub fn is_fast(self) -> bool {
        self.0 & 2 != 0
    }
    pub fn may_contract(self) -> bool {
        self.0 & 1 != 0
    }
}

/// Operations. Operand and result types are stated per group; "elementwise" operations take
/// scalars or vectors, all operands of the same type as the result unless stated.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    // ---- constants and composition -------------------------------------------------
    /// A scalar (bits in the low end, zero extended; floats as their IEEE bits) or, with
    /// value 0, a null pointer, or, for a vector type, that scalar in every component.
    Const(u64),
    /// An unspecified value of any value type.
    Undef,
    /// A vector from one scalar.
    Splat(ValueId),
    /// A vector from scalars, one per component.
    Compose(Vec<ValueId>),
    /// One component of a vector, by constant or by value (`u32`; out of range: unspecified).
    Extract {
        vector: ValueId,
        index: u8,
    },
    ExtractDynamic {
        vector: ValueId,
        index: ValueId,
    },
    /// The vector with one component replaced.
    Insert {
        vector: ValueId,
        value: ValueId,
        index: u8,
    },
    InsertDynamic {
        vector: ValueId,
        value: ValueId,
        index: ValueId,
    },
    /// A vector of components of `vector`, `components.len()` (2–4) long.
    Shuffle {
        vector: ValueId,
        components: Vec<u8>,
    },

    // ---- arithmetic, elementwise ----------------------------------------------------
    Unary(UnaryOp, ValueId),
    Binary(BinaryOp, ValueId, ValueId),
    /// Operands of one type; the result is `bool` or a vector of `bool`. Float `Ne` is true
    /// on NaN, all others false.
    Compare(CompareOp, ValueId, ValueId),
    /// `condition ? a : b`; the condition is `bool`, or a `bool` vector of the same length.
    Select {
        condition: ValueId,
        a: ValueId,
        b: ValueId,
    },
    /// `a * b + c`, rounded once.
    Fma(ValueId, ValueId, ValueId),
    /// Between scalar types, elementwise, by value.
    Convert(ValueId),
    /// Reinterprets the bytes of a scalar or vector as another of the same size in bits
    /// (three-component vectors count three components; `Bool` is not allowed).
    Bitcast(ValueId),

    // ---- pointers --------------------------------------------------------------------
    /// A parameter of the function (see [`EntryPoint::params`] for kernels).
    Param(u32),
    /// `pointer(thread, type of the local)`.
    LocalAddr(LocalId),
    GlobalAddr(GlobalId),
    /// Pointer to a structure → pointer to its field.
    FieldAddr {
        base: ValueId,
        field: u32,
    },
    /// Pointer to an array or vector → pointer to an element. The index is an integer of any
    /// width, taken as signed or unsigned by its type.
    IndexAddr {
        base: ValueId,
        index: ValueId,
    },
    /// `base + offset`, counted in elements of the pointee type.
    PtrOffset {
        base: ValueId,
        offset: ValueId,
    },
    /// The same address with another pointee type, in the same address space.
    PtrCast(ValueId),
    /// `i64` distance in bytes, `a - b`.
    PtrDiff(ValueId, ValueId),
    /// Pointer → `u64` and back. A pointer made from an integer may point anywhere that a pointer
    /// converted to an integer did, and to resources made resident for the command.
    PtrToInt(ValueId),
    IntToPtr(ValueId),
    /// The same pointer, promised by trusted code (the standard library's texture functions)
    /// to be within its allocation when accessed; targets need not check it.
    AssumeValid(ValueId),

    // ---- memory ----------------------------------------------------------------------
    /// The pointee must be a scalar, vector (packed or not; the result is not packed) or pointer.
    Load {
        ptr: ValueId,
        align: u32,
        volatile: bool,
    },
    Store {
        ptr: ValueId,
        value: ValueId,
        align: u32,
        volatile: bool,
    },
    /// Copies one object of the pointee type; the two do not overlap partially. Spaces may differ.
    Copy {
        dst: ValueId,
        src: ValueId,
        align: u32,
    },
    /// The value before the operation (void for `Store`). The pointee is `i32 u32 i64 u64 f32 bool i8 u8` or,
    /// where the operation allows, `f16`. `Load` has no value operand.
    Atomic {
        op: AtomicOp,
        ptr: ValueId,
        value: Option<ValueId>,
        space: MemoryScope,
    },
    /// The value found there (compare it with `expected` to know whether it was replaced). Never fails spuriously.
    CompareExchange {
        ptr: ValueId,
        expected: ValueId,
        desired: ValueId,
        space: MemoryScope,
    },
    /// Orders memory accesses of this thread at the scope.
    Fence {
        scope: MemoryScope,
        flags: MemFlags,
    },

    // ---- threads ---------------------------------------------------------------------
    /// Position and size builtins, see [`Builtin`] for types.
    Builtin(Builtin),
    /// Execution and memory barrier. `Simdgroup` concerns the active threads of the simdgroup.
    Barrier {
        scope: BarrierScope,
        flags: MemFlags,
    },
    /// Convergent operations among the active threads of a simdgroup.
    Simd(SimdOp, Vec<ValueId>),
    /// Appends a record to the device log (`os_log`): the text of a constant global of the module, which holds level,
    /// subsystem, category and format ([`crate::log`]), and arguments.
    Log {
        format: GlobalId,
        args: Vec<ValueId>,
    },
    /// Ends the command with an error carrying this message, when executed by an active thread.
    Trap(Symbol),
    /// All arguments are values. Removed by the inliner.
    Call {
        function: FunctionId,
        args: Vec<ValueId>,
    },

    // ---- control ---------------------------------------------------------------------
    If {
        condition: ValueId,
        then: Block,
        otherwise: Block,
    },
    /// `for (;;) { body; continue: continuing }`. `Continue(label)` goes to `continuing`, `Break(label)`
    /// out. `continuing` may `Break` its own loop (do-while) but neither `Continue` it nor return.
    Loop {
        label: LabelId,
        body: Block,
        continuing: Block,
        hint: LoopHint,
    },
    /// An integer `value`. Execution starts at the case that matches, or at the default, or after the
    /// switch. The end of a case falls into the next one; `Break(label)` leaves.
    Switch {
        label: LabelId,
        value: ValueId,
        cases: Vec<Case>,
    },
    /// `body`, which `Break(label)` leaves.
    Scope {
        label: LabelId,
        body: Block,
    },
    /// Last in its block, as are the next three.
    Break(LabelId),
    Continue(LabelId),
    Return(Option<ValueId>),
    /// The program guarantees that it is never reached.
    Unreachable,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// Sign- or zero-extended to 64 bits by the type of the switch value. Empty for a pure `default:`.
    pub values: Vec<i64>,
    pub is_default: bool,
    pub body: Block,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LoopHint {
    #[default]
    None,
    /// `#pragma unroll`, with a count, or 0 for "all of it".
    Unroll(u32),
    NoUnroll,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum UnaryOp {
    /// Integer or float.
    Neg,
    /// Bitwise complement; logical for `bool`.
    Not,
    /// Integer (the least value stays) or float (clears the sign).
    Abs,
    // Float.
    Sqrt,
    /// 1/sqrt, within 2 ulp when fast; correctly rounded division of 1 by the root otherwise.
    Rsqrt,
    Floor,
    Ceil,
    Trunc,
    /// To nearest, ties to even.
    RoundEven,
    IsNan,
    IsInf,
    // Integer.
    PopCount,
    /// Of 0: the width.
    LeadingZeros,
    TrailingZeros,
    ReverseBits,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    /// Float, or integer towards zero.
    Div,
    /// Integer only: sign of the dividend.
    Rem,
    And,
    Or,
    Xor,
    Shl,
    /// Arithmetic for signed types.
    Shr,
    /// Of a NaN and a number: the number. −0 < +0 is not guaranteed.
    Min,
    Max,
    /// Magnitude of the first, sign of the second. Float.
    CopySign,
    /// High half of the product. Integer.
    MulHigh,
    /// Saturating. Integer.
    AddSat,
    SubSat,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum CompareOp {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum AtomicOp {
    Load,
    Store,
    Exchange,
    Add,
    Sub,
    Min,
    Max,
    And,
    Or,
    Xor,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum MemoryScope {
    Thread,
    Simdgroup,
    Threadgroup,
    Device,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum BarrierScope {
    Simdgroup,
    Threadgroup,
}

/// `mem_flags` of MSL (section 6.9).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct MemFlags(pub u8);

impl MemFlags {
    pub const NONE: MemFlags = MemFlags(0);
    pub const DEVICE: MemFlags = MemFlags(1);
    pub const THREADGROUP: MemFlags = MemFlags(2);
    pub const TEXTURE: MemFlags = MemFlags(4);
}

/// MSL specification, section 5.2.3.6. Vectors are `u32` × 3; scalars `u32`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum Builtin {
    ThreadPositionInGrid,
    ThreadPositionInThreadgroup,
    ThreadgroupPositionInGrid,
    ThreadsPerGrid,
    /// Of this threadgroup: smaller at the edge of a grid dispatched by threads.
    ThreadsPerThreadgroup,
    DispatchThreadsPerThreadgroup,
    ThreadgroupsPerGrid,
    // Scalars.
    ThreadIndexInThreadgroup,
    ThreadIndexInSimdgroup,
    SimdgroupIndexInThreadgroup,
    SimdgroupsPerThreadgroup,
    DispatchSimdgroupsPerThreadgroup,
    /// 32.
    ThreadsPerSimdgroup,
    ThreadIndexInQuadgroup,
    QuadgroupIndexInThreadgroup,
    QuadgroupsPerThreadgroup,
    DispatchQuadgroupsPerThreadgroup,
}

impl Builtin {
    pub fn is_vector(self) -> bool {
        self <= Builtin::ThreadgroupsPerGrid
    }
}

/// Operands and results; `T` is any scalar or vector of numbers. Only threads active at the
/// operation take part; reading from a thread that is not gives an unspecified value.
///
/// The order in which sums and products of floats are made is that of trees, which devices make in
/// few steps: a reduction combines thread i with thread i + 16, then + 8, 4, 2, 1; in an inclusive
/// scan thread i combines with thread i − 1, then − 2, 4, 8, 16, of what that one had before the
/// step. A thread that does not take part is left out. An exclusive scan is 0, or 1, combined with
/// the inclusive one of the thread before. In fast mode a device may take another order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum SimdOp {
    /// `(T value, u32 lane) -> T`: the value of that thread of the simdgroup (lane modulo 32).
    Shuffle,
    /// `(T) -> T`: of the first active thread.
    BroadcastFirst,
    /// `(bool) -> u64`: bit i is set when thread i is active and passed true.
    Ballot,
    /// `() -> bool`: whether this is the active thread with the least index.
    IsFirst,
    /// `(T) -> T` over active threads.
    ReduceAdd,
    ReduceMul,
    ReduceMin,
    ReduceMax,
    ReduceAnd,
    ReduceOr,
    ReduceXor,
    /// `(T) -> T` over active threads of lower (and, if inclusive, equal) index.
    InclusiveAdd,
    ExclusiveAdd,
    InclusiveMul,
    ExclusiveMul,
    /// `(vec2 a, vec2 b, vec2 f32 c) -> vec2 f32`: the product of two 8 × 8 matrices, plus a third. Thread i holds row (bits
    /// 4, 2, 1 of i) and the pair of columns (bits 3, 0). Exact products are added to c in f32, in the order of
    /// k, by fused operations; in fast mode a device may sum in another order. All 32 threads are active.
    MatrixMultiply,
    /// `(vec2 a) -> vec2`: a matrix of the same layout, transposed. All 32 threads are active.
    MatrixTranspose,
}

impl Op {
    /// Calls `f` with each value this instruction uses, not those of nested blocks.
    pub fn for_each_operand(&self, mut f: impl FnMut(ValueId)) {
        let mut g = |v: &ValueId| f(*v);
        match self {
            Op::Const(_)
            | Op::Undef
            | Op::Param(_)
            | Op::LocalAddr(_)
            | Op::GlobalAddr(_)
            | Op::Fence { .. }
            | Op::Builtin(_)
            | Op::Barrier { .. }
            | Op::Trap(_)
            | Op::Loop { .. }
            | Op::Scope { .. }
            | Op::Break(_)
            | Op::Continue(_)
            | Op::Unreachable => {}
            Op::Splat(a)
            | Op::Unary(_, a)
            | Op::Convert(a)
            | Op::Bitcast(a)
            | Op::PtrCast(a)
            | Op::PtrToInt(a)
            | Op::IntToPtr(a)
            | Op::AssumeValid(a)
            | Op::Extract { vector: a, .. }
            | Op::Shuffle { vector: a, .. }
            | Op::FieldAddr { base: a, .. }
            | Op::Load { ptr: a, .. }
            | Op::If { condition: a, .. }
            | Op::Switch { value: a, .. } => g(a),
            Op::Compose(list) | Op::Simd(_, list) | Op::Log { args: list, .. } | Op::Call { args: list, .. } => {
                list.iter().for_each(g);
            }
            Op::ExtractDynamic { vector: a, index: b }
            | Op::Insert { vector: a, value: b, .. }
            | Op::Binary(_, a, b)
            | Op::Compare(_, a, b)
            | Op::IndexAddr { base: a, index: b }
            | Op::PtrOffset { base: a, offset: b }
            | Op::PtrDiff(a, b)
            | Op::Store { ptr: a, value: b, .. }
            | Op::Copy { dst: a, src: b, .. } => {
                g(a);
                g(b);
            }
            Op::InsertDynamic { vector: a, value: b, index: c }
            | Op::Select { condition: a, a: b, b: c }
            | Op::Fma(a, b, c)
            | Op::CompareExchange { ptr: a, expected: b, desired: c, .. } => {
                g(a);
                g(b);
                g(c);
            }
            Op::Atomic { ptr, value, .. } => {
                g(ptr);
                value.iter().for_each(g);
            }
            Op::Return(value) => value.iter().for_each(g),
        }
    }

    /// Replaces each operand (not those of nested blocks).
    pub fn map_operands(&mut self, mut f: impl FnMut(ValueId) -> ValueId) {
        let mut g = |v: &mut ValueId| *v = f(*v);
        match self {
            Op::Const(_)
            | Op::Undef
            | Op::Param(_)
            | Op::LocalAddr(_)
            | Op::GlobalAddr(_)
            | Op::Fence { .. }
            | Op::Builtin(_)
            | Op::Barrier { .. }
            | Op::Trap(_)
            | Op::Loop { .. }
            | Op::Scope { .. }
            | Op::Break(_)
            | Op::Continue(_)
            | Op::Unreachable => {}
            Op::Splat(a)
            | Op::Unary(_, a)
            | Op::Convert(a)
            | Op::Bitcast(a)
            | Op::PtrCast(a)
            | Op::PtrToInt(a)
            | Op::IntToPtr(a)
            | Op::AssumeValid(a)
            | Op::Extract { vector: a, .. }
            | Op::Shuffle { vector: a, .. }
            | Op::FieldAddr { base: a, .. }
            | Op::Load { ptr: a, .. }
            | Op::If { condition: a, .. }
            | Op::Switch { value: a, .. } => g(a),
            Op::Compose(list) | Op::Simd(_, list) | Op::Log { args: list, .. } | Op::Call { args: list, .. } => {
                list.iter_mut().for_each(g);
            }
            Op::ExtractDynamic { vector: a, index: b }
            | Op::Insert { vector: a, value: b, .. }
            | Op::Binary(_, a, b)
            | Op::Compare(_, a, b)
            | Op::IndexAddr { base: a, index: b }
            | Op::PtrOffset { base: a, offset: b }
            | Op::PtrDiff(a, b)
            | Op::Store { ptr: a, value: b, .. }
            | Op::Copy { dst: a, src: b, .. } => {
                g(a);
                g(b);
            }
            Op::InsertDynamic { vector: a, value: b, index: c }
            | Op::Select { condition: a, a: b, b: c }
            | Op::Fma(a, b, c)
            | Op::CompareExchange { ptr: a, expected: b, desired: c, .. } => {
                g(a);
                g(b);
                g(c);
            }
            Op::Atomic { ptr, value, .. } => {
                g(ptr);
                value.iter_mut().for_each(g);
            }
            Op::Return(value) => value.iter_mut().for_each(g),
        }
    }

    /// The blocks nested in this instruction, in source order.
    pub fn blocks(&self) -> Vec<&Block> {
        match self {
            Op::If { then, otherwise, .. } => vec![then, otherwise],
            Op::Loop { body, continuing, .. } => vec![body, continuing],
            Op::Switch { cases, .. } => cases.iter().map(|c| &c.body).collect(),
            Op::Scope { body, .. } => vec![body],
            _ => Vec::new(),
        }
    }
    pub fn blocks_mut(&mut self) -> Vec<&mut Block> {
        match self {
            Op::If { then, otherwise, .. } => vec![then, otherwise],
            Op::Loop { body, continuing, .. } => vec![body, continuing],
            Op::Switch { cases, .. } => cases.iter_mut().map(|c| &mut c.body).collect(),
            Op::Scope { body, .. } => vec![body],
            _ => Vec::new(),
        }
    }
    /// Ends its block: nothing may follow it.
    pub fn is_terminator(&self) -> bool {
        matches!(self, Op::Break(_) | Op::Continue(_) | Op::Return(_) | Op::Unreachable)
    }
}
