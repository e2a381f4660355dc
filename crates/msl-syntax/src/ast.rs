//! The program as written. Names are not resolved; the parser uses what it knows of declared
//! names only to tell types, templates and values apart. Declarations are shared (`Arc`)
//! because templates are instantiated by walking them again.
//!
//! Error recovery leaves `Error` nodes; a diagnostic has been reported for each.

use std::sync::Arc;

use msl_base::{Span, Symbol};

#[derive(Debug, Default)]
pub struct TranslationUnit {
    pub decls: Vec<Decl>,
    /// Where the files start that the tokens came from, ascending.
    pub files: Vec<u32>,
}

// ---- names --------------------------------------------------------------------------

/// A possibly qualified name: `::a::b<int>::c`.
#[derive(Clone, Debug)]
pub struct Name {
    /// Starts with `::`.
    pub is_global: bool,
    /// At least one; the last is the name itself, the others qualify it.
    pub segments: Vec<NameSegment>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub struct NameSegment {
    pub ident: Ident,
    pub template_args: Option<Vec<TemplateArg>>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum Ident {
    Name(Symbol),
    /// `operator+`, `operator()`, …
    Operator(OverloadedOperator),
    /// `operator T`.
    Conversion(Box<TypeExpr>),
    /// `operator""_x`.
    Literal(Symbol),
    /// `~T`.
    Destructor(Symbol),
    /// `decltype(e)::…` as the first segment.
    Decltype(Box<Expr>),
}

#[derive(Clone, Debug)]
pub enum TemplateArg {
    Type(TypeExpr),
    Expr(Expr),
    /// A name followed by nothing that tells whether it is a type, template or value (a dependent
    /// member, or a name unknown to the parser). Sema looks it up.
    Ambiguous(Name),
    /// `arg...`
    Pack(Box<TemplateArg>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OverloadedOperator {
    Binary(BinaryOperator),
    /// `op=`; `None` is `=`.
    Assign(Option<BinaryOperator>),
    Unary(UnaryOperator),
    /// `+`, `-`, `*`, `&` as written in a declaration, before the parameter count tells unary from binary, use
    /// `Binary`; sema decides by the number of parameters.
    Increment,
    Decrement,
    Call,
    Subscript,
    Arrow,
    Comma,
}

// ---- types --------------------------------------------------------------------------

#[derive(Clone, Debug)]
pub struct TypeExpr {
    pub kind: TypeExprKind,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum TypeExprKind {
    Builtin(BuiltinType),
    /// A type or type template by name; `half`, `uint`, `float4`, `texture2d<float>` are names too
    /// (declared by the standard library prelude) unless listed in [`BuiltinType`].
    Named {
        name: Name,
        has_typename: bool,
    },
    Auto,
    DecltypeAuto,
    Decltype(Box<Expr>),
    Pointer(Box<TypeExpr>),
    LValueRef(Box<TypeExpr>),
    RValueRef(Box<TypeExpr>),
    Array {
        element: Box<TypeExpr>,
        size: Option<Box<Expr>>,
    },
    Function {
        ret: Box<TypeExpr>,
        params: Vec<ParamDecl>,
        is_const: bool,
    },
    /// `T C::*`; a pointer to a member function where `member` is a function.
    MemberPointer {
        class: Box<TypeExpr>,
        member: Box<TypeExpr>,
    },
    /// `const`, `volatile` and address space, applied to the inner type.
    Qualified {
        inner: Box<TypeExpr>,
        quals: Qualifiers,
    },
    /// `T...`
    Pack(Box<TypeExpr>),
    /// `struct { … } x;` or `enum { … } x;`
    Class(Arc<ClassDecl>),
    Enum(Arc<EnumDecl>),
    Error,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Qualifiers {
    pub is_const: bool,
    pub is_volatile: bool,
    pub address_space: Option<AddressSpaceKeyword>,
    /// `coherent(device)` of MSL 3.2.
    pub is_coherent: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddressSpaceKeyword {
    Device,
    Constant,
    Threadgroup,
    Thread,
    ThreadgroupImageblock,
    RayData,
    ObjectData,
}

/// Types spelled by keywords.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BuiltinType {
    Void,
    Bool,
    Char,
    SignedChar,
    UnsignedChar,
    Short,
    UnsignedShort,
    Int,
    UnsignedInt,
    Long,
    UnsignedLong,
    LongLong,
    UnsignedLongLong,
    Half,
    BFloat,
    Float,
    Double,
}

// ---- attributes ---------------------------------------------------------------------

/// `[[ns::name(args)]]` and `__attribute__((name(args)))`.
#[derive(Clone, Debug)]
pub struct Attribute {
    pub namespace: Option<Symbol>,
    pub name: Symbol,
    pub args: Vec<Expr>,
    pub span: Span,
}

// ---- declarations -------------------------------------------------------------------

#[derive(Clone, Debug)]
pub struct Decl {
    pub kind: DeclKind,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum DeclKind {
    Namespace {
        name: Option<Symbol>,
        is_inline: bool,
        decls: Vec<Decl>,
    },
    NamespaceAlias {
        name: Symbol,
        target: Name,
    },
    /// `using namespace a;`
    UsingDirective(Name),
    /// `using a::b;`, also of base members; `using T::f...;` of the members of a pack of bases.
    Using {
        name: Name,
        has_typename: bool,
        is_pack: bool,
    },
    /// `using enum a::E;`
    UsingEnum(Name),
    /// `typedef` and `using x = …`, template or not.
    Alias(Arc<AliasDecl>),
    Class(Arc<ClassDecl>),
    Enum(Arc<EnumDecl>),
    Function(Arc<FunctionDecl>),
    Variable(Arc<VariableDecl>),
    StaticAssert {
        condition: Expr,
        message: Option<Symbol>,
    },
    /// `template void f<int>(int);` or `template struct S<int>;` or variable.
    ExplicitInstantiation {
        is_extern: bool,
        decl: Box<Decl>,
    },
    /// `friend …;` (the declared thing inside).
    Friend(Box<Decl>),
    /// `template<…> S(T) -> S<T>;`
    DeductionGuide(Arc<FunctionDecl>),
    /// `#pragma METAL fp …` at file scope: applies to what follows.
    FpPragma(FpPragma),
    Empty,
    Error,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FpPragma {
    MathModeFast,
    MathModeRelaxed,
    MathModeSafe,
    ContractFast,
    ContractOn,
    ContractOff,
}

/// `template<…>`; `params` empty is an explicit specialisation.
#[derive(Clone, Debug)]
pub struct TemplateHeader {
    pub params: Vec<TemplateParam>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub struct TemplateParam {
    pub name: Option<Symbol>,
    pub kind: TemplateParamKind,
    pub is_pack: bool,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum TemplateParamKind {
    Type { default: Option<TypeExpr> },
    Value { ty: TypeExpr, default: Option<Expr> },
    Template { params: Vec<TemplateParam>, default: Option<Name> },
}

#[derive(Clone, Debug)]
pub struct AliasDecl {
    pub name: Symbol,
    pub template: Option<TemplateHeader>,
    pub ty: TypeExpr,
    pub attributes: Vec<Attribute>,
    pub span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClassKey {
    Struct,
    Class,
    Union,
}

#[derive(Clone, Debug)]
pub struct ClassDecl {
    pub key: ClassKey,
    /// `None` for anonymous. For specialisations the last segment has template arguments; for
    /// out-of-class definitions of nested classes there are several segments.
    pub name: Option<Name>,
    /// Outermost first (several for members of templates defined outside).
    pub templates: Vec<TemplateHeader>,
    pub attributes: Vec<Attribute>,
    pub bases: Vec<BaseSpecifier>,
    /// `None` for a declaration without a body.
    pub members: Option<Vec<Decl>>,
    /// From which member on which access holds, in order; the first entry is what the key of the class says.
    pub access: Vec<(u32, Access)>,
    /// The largest alignment of members by `#pragma pack`; 0: no limit.
    pub pack: u32,
    pub span: Span,
}

/// Who may use a member of a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Public,
    Protected,
    Private,
}

impl ClassDecl {
    /// Of the member with that number.
    pub fn access_of(&self, member: usize) -> Access {
        let at = self.access.iter().take_while(|(from, _)| *from as usize <= member).last();
        at.map_or(Access::Public, |(_, access)| *access)
    }
}

#[derive(Clone, Debug)]
pub struct BaseSpecifier {
    pub ty: TypeExpr,
    pub is_pack: bool,
    pub is_virtual: bool,
    /// As written; otherwise what the key of the class says.
    pub access: Option<Access>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub struct EnumDecl {
    pub name: Option<Name>,
    pub is_scoped: bool,
    pub underlying: Option<TypeExpr>,
    pub enumerators: Option<Vec<Enumerator>>,
    pub attributes: Vec<Attribute>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub struct Enumerator {
    pub name: Symbol,
    pub value: Option<Expr>,
    pub span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StageKeyword {
    Kernel,
    Vertex,
    Fragment,
    /// `[[mesh]]`, `[[object]]`, `[[visible]]`, … stay attributes.
    None,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeclFlags {
    pub is_static: bool,
    pub is_extern: bool,
    pub is_inline: bool,
    pub is_constexpr: bool,
    pub is_explicit: bool,
    pub is_mutable: bool,
    pub is_virtual: bool,
    pub is_thread_local: bool,
}

#[derive(Clone, Debug)]
pub struct FunctionDecl {
    pub name: Name,
    pub kind: FunctionKind,
    pub stage: StageKeyword,
    pub flags: DeclFlags,
    pub templates: Vec<TemplateHeader>,
    pub attributes: Vec<Attribute>,
    /// `void` for constructors and destructors; for conversions the target type.
    pub ret: TypeExpr,
    /// `auto f() -> T` has `ret` = T.
    pub params: Vec<ParamDecl>,
    /// `...` at the end (C variadic).
    pub is_variadic: bool,
    /// Of a member: `const`, `volatile`, address space (`device`, `constant`, …).
    pub this_quals: Qualifiers,
    /// Of a member: which objects it is for.
    pub this_ref: RefQualifier,
    /// Explicit `noexcept(...)` is dropped.
    pub body: FunctionBody,
    pub fp_pragma: Vec<FpPragma>,
    pub span: Span,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RefQualifier {
    #[default]
    None,
    /// `&`
    LValue,
    /// `&&`
    RValue,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FunctionKind {
    Ordinary,
    Constructor,
    Destructor,
    Conversion,
}

#[derive(Clone, Debug)]
pub enum FunctionBody {
    /// Declared only.
    None,
    Defaulted,
    Deleted,
    Block {
        initializers: Vec<MemberInitializer>,
        body: Box<Stmt>,
    },
}

/// `: a(1), Base<T>{x}`
#[derive(Clone, Debug)]
pub struct MemberInitializer {
    pub name: Name,
    pub init: Initializer,
    pub is_pack: bool,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub struct ParamDecl {
    pub name: Option<Symbol>,
    pub ty: TypeExpr,
    pub is_pack: bool,
    pub default: Option<Expr>,
    pub attributes: Vec<Attribute>,
    pub span: Span,
}

/// One declarator; `int a, *b;` gives two.
#[derive(Clone, Debug)]
pub struct VariableDecl {
    /// Qualified for out-of-class definitions of static members; with template arguments for
    /// variable template specialisations.
    pub name: Name,
    pub flags: DeclFlags,
    pub templates: Vec<TemplateHeader>,
    /// With the address space the declaration gives, as outermost `Qualified`.
    pub ty: TypeExpr,
    pub init: Option<Initializer>,
    pub attributes: Vec<Attribute>,
    /// The width of a bit-field; one without a name (no segments) only takes room.
    pub bits: Option<Expr>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum Initializer {
    /// `= e`, where `e` may be an initialiser list.
    Copy(Expr),
    /// `(a, b)`
    Paren(Vec<Expr>, Span),
    /// `{a, b}`
    Brace(Vec<Expr>, Span),
}

// ---- statements ---------------------------------------------------------------------

#[derive(Clone, Debug)]
pub struct Stmt {
    pub kind: StmtKind,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum StmtKind {
    Compound(Vec<Stmt>),
    /// Variables, aliases, classes, enums, using, static_assert.
    Decl(Vec<Decl>),
    /// `auto [a, b] = e;`
    StructuredBinding {
        names: Vec<(Symbol, Span)>,
        ty: TypeExpr,
        init: Expr,
    },
    Expr(Expr),
    If {
        init: Option<Box<Stmt>>,
        condition: Condition,
        is_constexpr: bool,
        then: Box<Stmt>,
        otherwise: Option<Box<Stmt>>,
    },
    Switch {
        init: Option<Box<Stmt>>,
        condition: Condition,
        body: Box<Stmt>,
    },
    /// A label of the enclosing switch, in front of a statement.
    Case {
        value: Expr,
        upper: Option<Expr>,
        body: Box<Stmt>,
    },
    Default(Box<Stmt>),
    While {
        condition: Condition,
        body: Box<Stmt>,
        hint: LoopPragma,
    },
    DoWhile {
        body: Box<Stmt>,
        condition: Expr,
        hint: LoopPragma,
    },
    For {
        init: Option<Box<Stmt>>,
        condition: Option<Condition>,
        step: Option<Expr>,
        body: Box<Stmt>,
        hint: LoopPragma,
    },
    RangeFor {
        variable: Arc<VariableDecl>,
        range: Expr,
        body: Box<Stmt>,
        hint: LoopPragma,
    },
    Break,
    Continue,
    Return(Option<Initializer>),
    FpPragma(FpPragma),
    Empty,
    Error,
}

#[derive(Clone, Debug)]
pub enum Condition {
    Expr(Expr),
    /// `if (int x = f())`
    Decl(Arc<VariableDecl>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LoopPragma {
    #[default]
    None,
    /// 0: all of it.
    Unroll(u32),
    NoUnroll,
}

// ---- expressions --------------------------------------------------------------------

#[derive(Clone, Debug)]
pub struct Expr {
    pub kind: ExprKind,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum ExprKind {
    Bool(bool),
    Integer {
        value: u64,
        suffix: IntegerSuffix,
        is_decimal: bool,
    },
    Float {
        value: f64,
        suffix: FloatSuffix,
    },
    Char(i64),
    String(Symbol),
    Nullptr,
    This,
    /// Also templates and overload sets; resolved by sema.
    Name(Name),
    Paren(Box<Expr>),
    Unary {
        op: UnaryOperator,
        operand: Box<Expr>,
    },
    Postfix {
        op: PostfixOperator,
        operand: Box<Expr>,
    },
    Binary {
        op: BinaryOperator,
        left: Box<Expr>,
        right: Box<Expr>,
        op_span: Span,
    },
    /// `=` (None) and compound assignment.
    Assign {
        op: Option<BinaryOperator>,
        left: Box<Expr>,
        right: Box<Expr>,
        op_span: Span,
    },
    Comma(Box<Expr>, Box<Expr>),
    /// `then` is missing in `a ?: b`.
    Conditional {
        condition: Box<Expr>,
        then: Option<Box<Expr>>,
        otherwise: Box<Expr>,
    },
    Call {
        callee: Box<Expr>,
        args: Vec<Expr>,
    },
    Subscript {
        base: Box<Expr>,
        index: Box<Expr>,
    },
    /// `base.name` or `base->name`; name may be qualified, templated, an operator or destructor.
    Member {
        base: Box<Expr>,
        is_arrow: bool,
        name: Name,
    },
    /// `base.*pointer` or `base->*pointer`
    PointedMember {
        base: Box<Expr>,
        is_arrow: bool,
        pointer: Box<Expr>,
    },
    /// `(T)e`
    CStyleCast {
        ty: TypeExpr,
        operand: Box<Expr>,
    },
    NamedCast {
        kind: NamedCast,
        ty: TypeExpr,
        operand: Box<Expr>,
    },
    /// `T(args)` where T is known to be a type (or is a dependent `typename`).
    Construct {
        ty: TypeExpr,
        args: Vec<Expr>,
    },
    /// `T{args}`
    BraceConstruct {
        ty: TypeExpr,
        args: Vec<Expr>,
    },
    /// `{a, b}` where an initialiser is expected. `.x = 1` designators appear as `Designated`.
    InitList(Vec<Expr>),
    Designated {
        field: Symbol,
        value: Box<Expr>,
    },
    /// `[2] = e` and Clang's `[0 ... 7] = e` (both ends included) in an initialiser list.
    DesignatedIndex {
        first: Box<Expr>,
        last: Option<Box<Expr>>,
        value: Box<Expr>,
    },
    SizeofType(TypeExpr),
    SizeofExpr(Box<Expr>),
    AlignofType(TypeExpr),
    /// `sizeof...(pack)`
    SizeofPack(Symbol),
    /// `e...`
    Pack(Box<Expr>),
    /// `(… op pack)`, `(pack op …)`, `(init op … op pack)`
    Fold {
        op: FoldOperator,
        is_left: bool,
        pack: Box<Expr>,
        init: Option<Box<Expr>>,
    },
    Lambda(Arc<LambdaExpr>),
    /// `({ …; value; })`, an extension of compilers.
    Statements(Arc<Stmt>),
    /// A type where an expression was expected, as an argument of a builtin such as `__is_same(T, U)`.
    Type(TypeExpr),
    /// `noexcept(e)`
    Noexcept(Box<Expr>),
    Error,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoldOperator {
    Binary(BinaryOperator),
    /// `=` (None) and compound assignment.
    Assign(Option<BinaryOperator>),
    Comma,
}

#[derive(Clone, Debug)]
pub struct LambdaExpr {
    pub captures: Vec<LambdaCapture>,
    pub default_capture: Option<CaptureDefault>,
    pub template: Option<TemplateHeader>,
    pub params: Vec<ParamDecl>,
    pub ret: Option<TypeExpr>,
    pub is_mutable: bool,
    pub body: Box<Stmt>,
    pub span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaptureDefault {
    ByCopy,
    ByReference,
}

#[derive(Clone, Debug)]
pub struct LambdaCapture {
    /// `None` is `this`.
    pub name: Option<Symbol>,
    pub by_reference: bool,
    pub init: Option<Expr>,
    pub span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum IntegerSuffix {
    #[default]
    None,
    U,
    L,
    UL,
    LL,
    ULL,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum FloatSuffix {
    /// A literal without suffix is `float` in MSL (section 2.1).
    #[default]
    None,
    F,
    H,
    BF,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnaryOperator {
    Plus,
    Minus,
    Not,
    BitNot,
    Deref,
    AddressOf,
    PreIncrement,
    PreDecrement,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PostfixOperator {
    Increment,
    Decrement,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOperator {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    Shl,
    Shr,
    Lt,
    Gt,
    Le,
    Ge,
    Eq,
    Ne,
    BitAnd,
    BitXor,
    BitOr,
    And,
    Or,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NamedCast {
    Static,
    Const,
    Reinterpret,
    Dynamic,
}
