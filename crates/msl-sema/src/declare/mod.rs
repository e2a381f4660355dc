//! What the source declares, before any checking: namespaces, overload sets, classes, templates, aliases, variables.
//!
//! In: syntax trees. Out: tables that never change again, shared between threads and compilations. The prelude is
//! one layer; each library is another on top of it. Names inside declarations are not resolved here, except the
//! names of namespaces and of the templates that explicit specialisations and out-of-class definitions belong to.

mod class;
mod declarer;
mod function;
mod layer;
mod spelling;

use std::sync::Arc;

use msl_base::{FxMap, Span, Symbol};
use msl_syntax::ast;

pub use declarer::Declarer;
pub use function::is_kernel;
pub use layer::Layer;
pub use spelling::{arg_text, binary_text, expr_text, operator_text, text_of, type_text};

msl_base::define_id!(pub struct NsId, "ns");
msl_base::define_id!(pub struct FnDeclId, "fndecl");
msl_base::define_id!(pub struct ClassDeclId, "classdecl");
msl_base::define_id!(pub struct EnumDeclId, "enumdecl");
msl_base::define_id!(pub struct AliasDeclId, "alias");
msl_base::define_id!(pub struct VarDeclId, "vardecl");
msl_base::define_id!(pub struct UsingId, "using");

impl NsId {
    pub const GLOBAL: NsId = NsId(0);
}

/// What a declaration is found by.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum NameKey {
    Name(Symbol),
    Operator(ast::OverloadedOperator),
    Literal(Symbol),
    Conversion,
    Constructor,
    Destructor,
}

impl NameKey {
    pub fn of(ident: &ast::Ident) -> NameKey {
        match ident {
            ast::Ident::Name(n) => NameKey::Name(*n),
            ast::Ident::Operator(o) => NameKey::Operator(normalize_operator(*o)),
            ast::Ident::Conversion(_) => NameKey::Conversion,
            ast::Ident::Literal(n) => NameKey::Literal(*n),
            ast::Ident::Destructor(_) => NameKey::Destructor,
            ast::Ident::Decltype(_) => NameKey::Name(Symbol::new("<decltype>")),
        }
    }
}

/// `-`, `+`, `*`, `&` are one key whether unary or binary; the number of operands tells them apart.
pub fn normalize_operator(op: ast::OverloadedOperator) -> ast::OverloadedOperator {
    use ast::{BinaryOperator as B, OverloadedOperator as O, UnaryOperator as U};
    match op {
        O::Unary(U::Plus) => O::Binary(B::Add),
        O::Unary(U::Minus) => O::Binary(B::Sub),
        O::Unary(U::Deref) => O::Binary(B::Mul),
        O::Unary(U::AddressOf) => O::Binary(B::BitAnd),
        O::Unary(U::PreIncrement) => O::Increment,
        O::Unary(U::PreDecrement) => O::Decrement,
        other => other,
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeclEntity {
    Namespace(NsId),
    Class(ClassDeclId),
    Enum(EnumDeclId),
    Enumerator(EnumDeclId, u32),
    Alias(AliasDeclId),
    Function(FnDeclId),
    Variable(VarDeclId),
    Using(UsingId),
}

/// Names added to a namespace by one layer.
#[derive(Debug, Default)]
pub struct Names {
    pub members: FxMap<NameKey, Vec<DeclEntity>>,
    pub directives: Vec<NsId>,
    pub inline_children: Vec<NsId>,
}

#[derive(Debug)]
pub struct Namespace {
    pub name: Option<Symbol>,
    pub parent: Option<NsId>,
}

#[derive(Debug, Clone)]
pub struct FnEntry {
    pub ns: NsId,
    /// The first declaration: it has the default arguments.
    pub decl: Arc<ast::FunctionDecl>,
    /// The one with a body, where that is another.
    pub definition: Option<Arc<ast::FunctionDecl>>,
    /// [`signature_key`] of `decl`, once a declaration of the same name was compared with it.
    signature: std::sync::OnceLock<Box<str>>,
}

#[derive(Debug)]
pub struct ClassEntry {
    pub ns: NsId,
    pub decl: Arc<ast::ClassDecl>,
}

#[derive(Debug)]
pub struct EnumEntry {
    pub ns: NsId,
    pub decl: Arc<ast::EnumDecl>,
}

#[derive(Debug)]
pub struct AliasEntry {
    pub ns: NsId,
    pub decl: Arc<ast::AliasDecl>,
}

#[derive(Debug)]
pub struct VarEntry {
    pub ns: NsId,
    pub decl: Arc<ast::VariableDecl>,
}

#[derive(Debug)]
pub struct UsingEntry {
    pub ns: NsId,
    pub name: ast::Name,
}

/// What a layer adds to a class (template) of its own or of its base.
#[derive(Debug, Default)]
pub struct ClassExtension {
    pub specializations: Vec<(NsId, Arc<ast::ClassDecl>)>,
    /// Members defined outside of the class; the name's last segments tell which.
    pub members: Vec<OutOfClass>,
}

#[derive(Debug, Clone)]
pub struct OutOfClass {
    pub ns: NsId,
    /// The segments of the name from the class on.
    pub first_segment: usize,
    pub kind: OutOfClassKind,
}

#[derive(Debug, Clone)]
pub enum OutOfClassKind {
    Function(Arc<ast::FunctionDecl>),
    Variable(Arc<ast::VariableDecl>),
    Class(Arc<ast::ClassDecl>),
}

/// A kernel somebody can ask for.
#[derive(Debug, Clone)]
pub struct EntryDecl {
    pub name: Symbol,
    pub span: Span,
    pub ns: NsId,
    pub kind: EntryDeclKind,
}

#[derive(Debug, Clone)]
pub enum EntryDeclKind {
    Function(FnDeclId),
    /// An explicit instantiation of a template; with the parameters where they are written.
    Instantiation {
        name: ast::Name,
        signature: Option<Arc<ast::FunctionDecl>>,
    },
}

#[derive(Debug, Clone)]
pub struct StaticAssertDecl {
    pub ns: NsId,
    pub condition: ast::Expr,
    pub message: Option<Symbol>,
    pub span: Span,
}
