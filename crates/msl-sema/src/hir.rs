//! The program resolved and typed: what lowering reads.
//!
//! Promised to lowering, upheld by the checker: every name is resolved, every conversion is
//! explicit, every overload chosen, every template instantiated, every default argument and
//! implicit `this` written out. Types are concrete. References are gone: a variable, parameter or field of
//! reference type has a *pointer* type here and its uses are [`ExprKind::Deref`]s. Member
//! functions take `this` as an ordinary first parameter of pointer type. Constructors are functions whose
//! first parameter is a pointer to the object under construction and which return nothing. Lambdas are classes with a
//! call operator. Virtual functions, exceptions and recursion do not exist.
//!
//! Not here: templates, names, overload sets, syntax.

use std::sync::Arc;

use msl_base::{Arena, Span, Symbol};

use crate::types::{AddressSpace, ClassId, EnumId, Scalar, Ty, TyTable};

msl_base::define_id!(
    /// A function instance (one per specialisation and, for members, per address space of `this`).
    pub struct FunctionId, "fn"
);
msl_base::define_id!(
    /// A variable of namespace scope, a `static`/`constant` local or data member, or a threadgroup variable.
    pub struct GlobalId, "global"
);
msl_base::define_id!(
    /// A parameter or local variable of a function.
    pub struct LocalId, "local"
);

/// Everything one entry point reaches.
#[derive(Debug, Default)]
pub struct Program {
    pub types: TyTable,
    pub classes: Arena<ClassId, Class>,
    pub enums: Arena<EnumId, Enum>,
    pub functions: Arena<FunctionId, Function>,
    pub globals: Arena<GlobalId, Global>,
    pub entry_points: Vec<EntryPoint>,
}

#[derive(Debug, Clone)]
pub struct Class {
    /// As diagnostics print it, template arguments included.
    pub name: Symbol,
    pub is_union: bool,
    /// Bases first (each base subobject is a field), then members, with offsets.
    pub fields: Vec<Field>,
    pub size: u64,
    pub align: u32,
    pub special: SpecialClass,
}

/// Classes of the standard library that lowering or reflection must recognise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpecialClass {
    None,
    /// `matrix<T, C, R>`: one field, an array of C vectors of R components.
    Matrix {
        elem: Scalar,
        columns: u8,
        rows: u8,
    },
    /// `atomic<T>`: one field of type T.
    Atomic,
    /// One field, a `constant __texture_descriptor*`.
    Texture {
        dimension: TextureDimension,
        component: Scalar,
        access: TextureAccess,
    },
    /// One field, a `ulong`.
    Sampler,
    /// `array<T, N>`: one field, `T[N]`.
    Array {
        len: u64,
    },
    SimdgroupMatrix,
    /// `visible_function_table<F>`: one field, a `constant ulong*`.
    FunctionTable,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextureDimension {
    D1,
    D1Array,
    D2,
    D2Array,
    D2Multisample,
    D2MultisampleArray,
    D3,
    Cube,
    CubeArray,
    Buffer,
    Depth2D,
    Depth2DArray,
    DepthCube,
    DepthCubeArray,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextureAccess {
    Sample,
    Read,
    Write,
    ReadWrite,
}

#[derive(Debug, Clone)]
pub struct Field {
    pub name: Option<Symbol>,
    pub ty: Ty,
    pub offset: u64,
    pub is_base: bool,
    /// `[[id(n)]]` of argument buffers.
    pub id: Option<u32>,
    pub bits: Option<Bits>,
}

/// Which bits of an object a bit-field is: `width` ones from bit `start` of the class on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bits {
    pub start: u64,
    pub width: u32,
}

impl Bits {
    /// The bytes that hold a bit of it, from `start / 8` on.
    pub fn byte_count(self) -> u64 {
        (self.start % 8 + u64::from(self.width)).div_ceil(8)
    }

    /// A value as the field keeps it, extended to 64 bits.
    pub fn keep(self, value: u64, is_signed: bool) -> u64 {
        let unused = 64 - self.width.clamp(1, 64);
        if is_signed { ((value << unused) as i64 >> unused) as u64 } else { value << unused >> unused }
    }
}

#[derive(Debug, Clone)]
pub struct Enum {
    pub name: Symbol,
    pub underlying: Scalar,
    pub is_scoped: bool,
}

#[derive(Debug, Clone)]
pub struct Global {
    pub name: Symbol,
    pub ty: Ty,
    pub align: u32,
    pub storage: GlobalStorage,
    /// Addresses of other constants that stand in the bytes of this one.
    pub pointers: Vec<GlobalPointer>,
    pub span: Span,
}

/// Eight bytes of a constant that hold the address of a place in another one, declared earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GlobalPointer {
    pub offset: u64,
    pub target: GlobalId,
    pub addend: u64,
}

#[derive(Debug, Clone)]
pub enum GlobalStorage {
    /// `constant` data, evaluated to its bytes in memory layout.
    Constant(Arc<[u8]>),
    /// A threadgroup variable of a kernel.
    Threadgroup,
    /// A resource that is bound at namespace scope. What lowering sees does not use it: it has become a parameter.
    Resource,
}

#[derive(Debug, Clone)]
pub struct Function {
    /// Qualified, with template arguments, for messages and dumps.
    pub name: Symbol,
    /// Parameters first, `this` before all, in order; then variables as they are met.
    pub locals: Arena<LocalId, Local>,
    pub param_count: u32,
    pub ret: Ty,
    /// `None` when the body is not available: nothing that runs reaches the function, or an error was reported.
    pub body: Option<Block>,
    pub is_kernel: bool,
    pub span: Span,
}

#[derive(Debug, Clone)]
pub struct Local {
    pub name: Option<Symbol>,
    pub ty: Ty,
    /// 0: natural.
    pub align: u32,
    pub span: Span,
}

/// What float operations in an expression allow (compile option, `#pragma METAL fp`, `precise::`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FpMode {
    Strict,
    /// Contraction only.
    Contract,
    Fast,
}

pub type Block = Vec<Stmt>;

#[derive(Debug, Clone)]
pub struct Stmt {
    pub kind: StmtKind,
    pub span: Span,
}

#[derive(Debug, Clone)]
pub enum StmtKind {
    /// Starts the life of a local, initialised where `init` is given. For class types `init` may be a
    /// [`ExprKind::ConstructorCall`].
    Variable {
        local: LocalId,
        init: Option<Expr>,
    },
    Expr(Expr),
    Block(Block),
    If {
        condition: Expr,
        then: Block,
        otherwise: Block,
    },
    /// Covers `while` (no step), `for` and range-for. The condition is tested first.
    For {
        condition: Option<Expr>,
        step: Option<Expr>,
        body: Block,
        hint: LoopHint,
    },
    DoWhile {
        body: Block,
        condition: Expr,
        hint: LoopHint,
    },
    /// Cases in source order; falling through is as in C.
    Switch {
        value: Expr,
        cases: Vec<Case>,
    },
    Break,
    Continue,
    Return(Option<Expr>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LoopHint {
    #[default]
    None,
    /// 0: completely.
    Unroll(u32),
    NoUnroll,
}

#[derive(Debug, Clone)]
pub struct Case {
    pub values: Vec<i64>,
    pub is_default: bool,
    pub body: Block,
}

#[derive(Debug, Clone)]
pub struct Expr {
    pub kind: ExprKind,
    /// Never a reference. Of an lvalue: the object's type.
    pub ty: Ty,
    pub category: Category,
    pub span: Span,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Category {
    /// Designates an object in an address space; has no value until loaded.
    LValue(AddressSpace),
    /// A value. Values of class and array type exist too (function results, aggregates); lowering gives
    /// them temporary storage.
    RValue,
}

#[derive(Debug, Clone)]
pub enum ExprKind {
    // ---- lvalues -----------------------------------------------------------------------
    Local(LocalId),
    Global(GlobalId),
    /// The object a pointer points to.
    Deref(Box<Expr>),
    /// Field of a class lvalue or rvalue (then an rvalue).
    Field {
        base: Box<Expr>,
        field: u32,
    },
    /// Element of an array or vector lvalue (or rvalue vector/array, then an rvalue). The index has integer type.
    Index {
        base: Box<Expr>,
        index: Box<Expr>,
    },
    /// Components of a vector lvalue (assignable when they do not repeat) or rvalue. One component gives a scalar.
    Swizzle {
        base: Box<Expr>,
        components: Vec<u8>,
    },
    /// An rvalue given storage until the end of the full expression (or, when bound to a local reference,
    /// of the enclosing block); an lvalue in `thread` space.
    Temporary(Box<Expr>),

    // ---- values ------------------------------------------------------------------------
    /// Of scalar or enum type (or null pointer): bits in the low end; floats as IEEE bits of their type.
    Constant(u64),
    /// A text: only as the format of `os_log`/`printf`.
    String(Symbol),
    /// All bytes zero.
    Zero,
    /// The value in an lvalue.
    Load(Box<Expr>),
    /// Address of an lvalue.
    AddressOf(Box<Expr>),
    /// Elementwise on scalars and vectors.
    Unary(UnaryOp, Box<Expr>, FpMode),
    /// Elementwise; both operands and the result have one type, except shifts (the right operand has the
    /// integer type and length of the left one) and pointers (below). Mixed scalar-vector operands have been splat.
    Binary(BinaryOp, Box<Expr>, Box<Expr>, FpMode),
    /// `bool` or `bool` vector. Pointers compare too.
    Compare(CompareOp, Box<Expr>, Box<Expr>),
    /// Short circuit, on `bool`.
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    /// `condition` is `bool`; only one arm is evaluated. Arms may both be lvalues (then the result is).
    Conditional {
        condition: Box<Expr>,
        then: Box<Expr>,
        otherwise: Box<Expr>,
    },
    Comma(Box<Expr>, Box<Expr>),
    /// Pointer + integer × element size; the offset has integer type (negated for `p - n`).
    PointerOffset {
        base: Box<Expr>,
        offset: Box<Expr>,
    },
    /// Elements between two pointers of one type, `long`.
    PointerDifference(Box<Expr>, Box<Expr>),
    /// Stores and gives the left side as an lvalue. The left side is evaluated once. Class assignment is memberwise copy.
    Assign {
        left: Box<Expr>,
        right: Box<Expr>,
    },
    /// `left op= right`, computed in `ty` of `right` after converting the loaded left to it, and
    /// converted back to the type of `left`. The left side is evaluated once. For pointers, `right` is the offset.
    CompoundAssign {
        op: BinaryOp,
        left: Box<Expr>,
        right: Box<Expr>,
        fp: FpMode,
    },
    /// `++x`, `x++`, `--x`, `x--`; prefix gives the lvalue, postfix the old value. Scalars, vectors and pointers.
    IncDec {
        operand: Box<Expr>,
        is_increment: bool,
        is_prefix: bool,
    },
    Convert(Conversion, Box<Expr>),
    /// A vector from scalars and vectors, in order, of the element type; component counts add up.
    ConstructVector(Vec<Expr>),
    /// A class rvalue from one value per field (missing: zero). For unions one field.
    ConstructClass {
        fields: Vec<(u32, Expr)>,
    },
    /// An array rvalue; missing elements are zero.
    ConstructArray(Vec<Expr>),
    /// An array rvalue: the first elements, then all others by one expression, evaluated for each.
    FillArray(Vec<Expr>, Box<Expr>),
    /// A class rvalue made by running a constructor on it; `args` exclude the object pointer.
    ConstructorCall {
        function: FunctionId,
        args: Vec<Expr>,
    },
    Call {
        function: FunctionId,
        args: Vec<Expr>,
    },
    /// An intrinsic of the table in `msl-stdlib`.
    Intrinsic {
        intrinsic: msl_stdlib::Intrinsic,
        args: Vec<Expr>,
        fp: FpMode,
    },
    Builtin(BuiltinInput),
    /// Statements, then a value (captures of constructor order, structured bindings).
    Block(Block, Option<Box<Expr>>),
    Error,
}

/// Value-changing and representation-changing conversions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conversion {
    /// Between scalars, or between vectors of one length, by value (rounding, truncation, saturation to the range
    /// for float → integer, `!= 0` to bool).
    Arithmetic,
    /// Scalar → vector: every component.
    Splat,
    /// Same bits: `as_type`.
    Bitcast,
    /// Pointer → pointer (same space), or derived → base at offset 0.
    Pointer,
    /// Pointer → pointer to a base, by byte offset.
    PointerAdjust(i64),
    PointerToInteger,
    IntegerToPointer,
    /// Array lvalue → pointer to its first element.
    ArrayDecay,
    PointerToBool,
    /// Packed vector ↔ vector.
    Packing,
    ToVoid,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UnaryOp {
    Negate,
    /// `!`, on `bool` (vectors).
    Not,
    BitNot,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    Shl,
    Shr,
    And,
    Or,
    Xor,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CompareOp {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

// ---- entry points -------------------------------------------------------------------

#[derive(Debug, Clone)]
pub struct EntryPoint {
    pub name: Symbol,
    pub function: FunctionId,
    /// How each parameter of the function gets its value, in order.
    pub inputs: Vec<Input>,
    pub max_total_threads: Option<u32>,
    pub required_threads: Option<[u32; 3]>,
}

#[derive(Debug, Clone)]
pub struct Input {
    pub name: Symbol,
    pub ty: Ty,
    pub kind: InputKind,
    pub span: Span,
}

#[derive(Debug, Clone)]
pub enum InputKind {
    /// Pointer (or reference: a pointer here) to `device` or `constant` memory.
    Buffer {
        index: u32,
        is_reference: bool,
    },
    /// `count` > 1 for `array<texture2d<…>, N>`.
    Texture {
        index: u32,
        count: u32,
    },
    Sampler {
        index: u32,
    },
    Threadgroup {
        index: u32,
        is_reference: bool,
    },
    /// Converted to the parameter's declared type by lowering.
    Builtin(BuiltinInput),
    /// Absent because of `[[function_constant(c)]]` being false: null, zero.
    Absent,
}

/// MSL specification, section 5.2.3.6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BuiltinInput {
    ThreadPositionInGrid,
    ThreadPositionInThreadgroup,
    ThreadgroupPositionInGrid,
    ThreadsPerGrid,
    ThreadsPerThreadgroup,
    DispatchThreadsPerThreadgroup,
    ThreadgroupsPerGrid,
    GridOrigin,
    GridSize,
    ThreadIndexInThreadgroup,
    ThreadIndexInSimdgroup,
    SimdgroupIndexInThreadgroup,
    SimdgroupsPerThreadgroup,
    DispatchSimdgroupsPerThreadgroup,
    /// Also `thread_execution_width`.
    ThreadsPerSimdgroup,
    ThreadIndexInQuadgroup,
    QuadgroupIndexInThreadgroup,
    QuadgroupsPerThreadgroup,
    DispatchQuadgroupsPerThreadgroup,
}
