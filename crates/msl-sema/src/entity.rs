//! What names mean while one compilation runs: definitions with the scope they were written in, template arguments,
//! local variables, and the chain of scopes that lookup walks.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use msl_base::{FxMap, Span, Symbol};
use msl_syntax::ast;

use crate::constant::Const;
use crate::declare::{NameKey, NsId};
use crate::hir::{self, FunctionId, GlobalId, LocalId};
use crate::types::{AddressSpace, ClassId, EnumId, QualTy, Ty};

/// A template argument.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Arg {
    Type(QualTy),
    /// Of integer, enumeration or (as its identity) pointer type.
    Value {
        bits: u64,
        ty: Ty,
    },
    /// Of class type.
    Object {
        value: Rc<Const>,
        ty: Ty,
    },
    /// A class or alias template, by the identity of its definition.
    Template(TemplateRef),
    Pack(Vec<Arg>),
}

#[derive(Clone, Debug)]
pub enum TemplateRef {
    Class(Rc<ClassDef>),
    Alias(Rc<AliasDef>),
}

impl TemplateRef {
    fn address(&self) -> usize {
        match self {
            TemplateRef::Class(c) => Rc::as_ptr(c) as usize,
            TemplateRef::Alias(a) => Rc::as_ptr(a) as usize,
        }
    }
}

impl PartialEq for TemplateRef {
    fn eq(&self, other: &Self) -> bool {
        self.address() == other.address()
    }
}
impl Eq for TemplateRef {}
impl std::hash::Hash for TemplateRef {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.address().hash(state);
    }
}

/// What a template parameter stands for.
#[derive(Clone, Debug)]
pub enum Binding {
    Bound(Arg),
    /// Being deduced: the position in the deduction's list.
    Placeholder(usize),
    /// While deducing through an alias template: the argument as written, and where.
    Pattern(Rc<[ast::TemplateArg]>, Rc<Scope>, bool),
}

pub struct FnDef {
    pub serial: u32,
    pub key: NameKey,
    pub decl: Arc<ast::FunctionDecl>,
    pub scope: Rc<Scope>,
    pub class: Option<ClassId>,
    /// Not a member, or a static one.
    pub is_static: bool,
    /// The parameters of the template this is, if it is one.
    pub header: Option<ast::TemplateHeader>,
    /// Where the body is, if not in `decl`.
    pub definition: RefCell<Option<(Arc<ast::FunctionDecl>, Rc<Scope>)>>,
    pub specializations: Vec<(Rc<Scope>, Arc<ast::FunctionDecl>)>,
    pub instances: RefCell<FxMap<(Vec<Arg>, Option<AddressSpace>), FunctionId>>,
    pub signatures: RefCell<FxMap<(Vec<Arg>, Option<AddressSpace>), Rc<Signature>>>,
    /// The closure whose call operator this is.
    pub lambda: Option<Rc<LambdaInfo>>,
    /// Who may use this member.
    pub access: ast::Access,
    /// Some derived class has made it public by a using-declaration: then everyone may call it.
    pub is_exposed: Cell<bool>,
    /// Constructors inherited with `using Base::Base`: the base's constructor.
    pub inherited: Option<Rc<FnDef>>,
}

impl std::fmt::Debug for FnDef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FnDef({})", self.serial)
    }
}

impl FnDef {
    pub fn is_template(&self) -> bool {
        self.header.is_some()
    }
    pub fn has_body(&self) -> bool {
        self.definition.borrow().is_some() || !matches!(self.decl.body, ast::FunctionBody::None)
    }
    /// Whether objects in an address space have this method.
    pub fn is_for_space(&self, space: Option<AddressSpace>) -> bool {
        let wanted = self.decl.this_quals.address_space.map(crate::resolve::address_space);
        wanted.is_none_or(|wanted| wanted == space)
    }
    pub fn is_deleted(&self) -> bool {
        matches!(self.decl.body, ast::FunctionBody::Deleted)
    }
    pub fn is_method(&self) -> bool {
        self.class.is_some() && !self.is_static
    }
    pub fn is_constructor(&self) -> bool {
        self.key == NameKey::Constructor
    }
    pub fn span(&self) -> Span {
        self.decl.name.span
    }
}

/// Parameter and result types of a function after substitution.
#[derive(Debug)]
pub struct Signature {
    pub params: Vec<SigParam>,
    /// `None`: `auto`, known when the body is checked.
    pub ret: Option<QualTy>,
    /// Where the template parameters are bound.
    pub scope: Rc<Scope>,
    pub has_error: bool,
}

#[derive(Clone, Debug)]
pub struct SigParam {
    pub ty: QualTy,
    /// The index of the written parameter (packs repeat it).
    pub written: usize,
    pub has_default: bool,
}

pub struct ClassDef {
    pub serial: u32,
    pub name: Symbol,
    pub decl: Arc<ast::ClassDecl>,
    pub scope: Rc<Scope>,
    pub header: Option<ast::TemplateHeader>,
    pub specializations: Vec<(Rc<Scope>, Arc<ast::ClassDecl>)>,
    pub out_of_class: Vec<(Rc<Scope>, crate::declare::OutOfClass)>,
    pub instances: RefCell<FxMap<Vec<Arg>, ClassId>>,
    pub ns: NsId,
}

impl std::fmt::Debug for ClassDef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ClassDef({})", self.name)
    }
}

pub struct AliasDef {
    pub decl: Arc<ast::AliasDecl>,
    pub scope: Rc<Scope>,
    pub resolved: Cell<Option<QualTy>>,
    pub resolving: Cell<bool>,
}

impl std::fmt::Debug for AliasDef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AliasDef({})", self.decl.name)
    }
}

pub struct EnumDef {
    pub decl: Arc<ast::EnumDecl>,
    pub scope: Rc<Scope>,
    pub id: Cell<Option<EnumId>>,
}

impl std::fmt::Debug for EnumDef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EnumDef")
    }
}

/// A variable of namespace scope or a static data member (template).
pub struct VarDef {
    pub decl: Arc<ast::VariableDecl>,
    /// An out-of-class definition, where the initialiser may be.
    pub definition: Option<(Rc<Scope>, Arc<ast::VariableDecl>)>,
    pub scope: Rc<Scope>,
    pub class: Option<ClassId>,
    pub specializations: Vec<(Rc<Scope>, Arc<ast::VariableDecl>)>,
    pub instances: RefCell<FxMap<Vec<Arg>, Rc<LocalVar>>>,
    pub in_progress: Cell<bool>,
}

impl std::fmt::Debug for VarDef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VarDef")
    }
}

#[derive(Clone, Debug)]
pub enum Place {
    Local(LocalId),
    Global(GlobalId),
    /// An input of the kernel: a position, an index or a size.
    Input(hir::BuiltinInput),
    /// A function constant without a value.
    Unset(Symbol),
    /// Its declaration was wrong.
    Error,
}

/// A variable with storage: parameter, local, static or namespace-scope instance.
#[derive(Debug)]
pub struct LocalVar {
    pub name: Symbol,
    pub place: Place,
    /// As declared; may be a reference.
    pub ty: QualTy,
    /// Of the function being checked when it was declared, to tell captures apart.
    pub owner: u32,
    /// The value of a `constexpr` variable, or `const` one of scalar type with a constant initialiser.
    pub value: RefCell<Option<Rc<Const>>>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum Entity {
    Namespace(NsId),
    Class(Rc<ClassDef>),
    /// The name of a class inside itself.
    Injected(ClassId),
    Enum(Rc<EnumDef>),
    Enumerator(Rc<EnumDef>, u32),
    Alias(Rc<AliasDef>),
    Function(Rc<FnDef>),
    Variable(Rc<VarDef>),
    Local(Rc<LocalVar>),
    LocalPack(Rc<Vec<Rc<LocalVar>>>),
    /// An expression that stands for the name: `this`, a capture, a structured binding.
    Bound(Rc<crate::expr::Value>),
    /// A non-static data member: the class and the path of field numbers from it.
    Field(ClassId, Rc<[u32]>),
    Type(QualTy),
    Param(Binding),
}

impl Entity {
    /// Where something of namespace scope is declared first.
    pub fn declared_at(&self) -> Option<Span> {
        match self {
            Entity::Function(f) if f.class.is_none() => Some(f.span()),
            Entity::Variable(v) if v.class.is_none() => Some(v.decl.name.span),
            _ => None,
        }
    }
}

pub struct Scope {
    pub parent: Option<Rc<Scope>>,
    pub kind: ScopeKind,
}

impl std::fmt::Debug for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self.kind {
            ScopeKind::Namespace(_) => "namespace",
            ScopeKind::Class(_) => "class",
            ScopeKind::Params(_) => "params",
            ScopeKind::Block(_) => "block",
            ScopeKind::Function => "function",
        };
        f.write_str(name)
    }
}

#[derive(Debug, Default)]
pub struct BlockNames {
    pub names: RefCell<FxMap<Symbol, Vec<Entity>>>,
    pub directives: RefCell<Vec<NsId>>,
}

pub enum ScopeKind {
    Namespace(NsId),
    Class(ClassId),
    Params(Vec<(Symbol, Binding)>),
    Block(BlockNames),
    /// Around the parameters and body of a function: locals found beyond it belong to another function.
    Function,
}

impl Scope {
    pub fn block(parent: &Rc<Scope>) -> Rc<Scope> {
        Rc::new(Scope { parent: Some(parent.clone()), kind: ScopeKind::Block(BlockNames::default()) })
    }
    pub fn params(parent: &Rc<Scope>, names: Vec<(Symbol, Binding)>) -> Rc<Scope> {
        Rc::new(Scope { parent: Some(parent.clone()), kind: ScopeKind::Params(names) })
    }
    pub fn class(parent: &Rc<Scope>, class: ClassId) -> Rc<Scope> {
        Rc::new(Scope { parent: Some(parent.clone()), kind: ScopeKind::Class(class) })
    }
    pub fn function(parent: &Rc<Scope>) -> Rc<Scope> {
        Rc::new(Scope { parent: Some(parent.clone()), kind: ScopeKind::Function })
    }
    /// Adds a name to a block; other scopes do not grow.
    pub fn declare(&self, name: Symbol, entity: Entity) {
        if let ScopeKind::Block(block) = &self.kind {
            block.names.borrow_mut().entry(name).or_default().push(entity);
        }
    }
    pub fn namespace(&self) -> NsId {
        let mut at = Some(self);
        while let Some(scope) = at {
            if let ScopeKind::Namespace(ns) = scope.kind {
                return ns;
            }
            at = scope.parent.as_deref();
        }
        NsId::GLOBAL
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClassState {
    Declared,
    Completing,
    Complete,
}

/// What the checker knows of a class beyond its layout.
pub struct ClassInfo {
    pub def: Rc<ClassDef>,
    pub args: Vec<Arg>,
    /// The primary template, or the specialisation chosen.
    pub decl: Arc<ast::ClassDecl>,
    pub scope: Rc<Scope>,
    pub state: ClassState,
    pub bases: Vec<BaseInfo>,
    pub fields: Vec<FieldInfo>,
    pub members: FxMap<NameKey, Vec<Entity>>,
    /// Of members that not everyone may use.
    pub access: FxMap<NameKey, ast::Access>,
    /// Of members of bases that a using-declaration names.
    pub redeclared: FxMap<NameKey, ast::Access>,
    pub friends: Vec<Rc<FnDef>>,
    /// Names of functions and classes that may use everything.
    pub friend_names: Vec<Symbol>,
    pub has_error: bool,
    pub lambda: Option<Rc<LambdaInfo>>,
    pub implicit_default: Option<FunctionId>,
    /// What `is_trivially_default` and `is_trivially_copyable` found out, once the class is complete.
    pub trivially_default: Option<bool>,
    pub trivially_copyable: Option<bool>,
    /// Scalars and vectors that it is made of, those of an array's element counted once.
    pub leaves: u64,
    pub span: Span,
}

#[derive(Clone, Copy, Debug)]
pub struct BaseInfo {
    pub class: ClassId,
    pub field: u32,
    /// Who may know that it is a base.
    pub access: ast::Access,
}

/// One entry per field of the layout, bases included, in the same order.
#[derive(Clone, Debug)]
pub struct FieldInfo {
    pub name: Option<Symbol>,
    /// As declared; may be a reference (the layout holds a pointer then).
    pub ty: QualTy,
    pub is_base: bool,
    pub is_mutable: bool,
    pub decl: Option<Arc<ast::VariableDecl>>,
}

/// What a lambda captured: names, and the fields of the closure they are.
#[derive(Debug)]
pub struct LambdaInfo {
    pub captures: Vec<(Symbol, Entity)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BodyState {
    /// Known by its signature only.
    Declared,
    Queued,
    Checking,
    Done,
}

/// What the checker knows of a function instance beyond its HIR.
pub struct FnInfo {
    pub def: Rc<FnDef>,
    pub args: Vec<Arg>,
    pub signature: Rc<Signature>,
    /// Where `this` points, for methods and constructors.
    pub this_space: Option<AddressSpace>,
    pub state: BodyState,
    pub ret: Option<QualTy>,
    /// The declaration with the body and the scope with its template arguments.
    pub body: (Arc<ast::FunctionDecl>, Rc<Scope>),
    pub requested: Option<Rc<Frame>>,
}

impl FnInfo {
    /// The class of the object a method is called for.
    pub fn method_class(&self) -> Option<ClassId> {
        self.def.class.filter(|_| self.def.is_method())
    }
}

/// One step of "while instantiating".
#[derive(Debug)]
pub struct Frame {
    pub what: FrameKind,
    pub span: Span,
    pub parent: Option<Rc<Frame>>,
    pub depth: u32,
}

#[derive(Clone, Debug)]
pub enum FrameKind {
    Function(FunctionId),
    Class(ClassId),
    Text(String),
}

/// The function whose body is being checked.
#[derive(Debug, Default)]
pub struct FnCtx {
    pub serial: u32,
    pub function: Option<FunctionId>,
    pub locals: msl_base::Arena<LocalId, hir::Local>,
    /// `None` while `auto` is not deduced.
    pub ret: Option<QualTy>,
    /// The written return type where it mentions `auto`.
    pub auto_ret: Option<ast::TypeExpr>,
    pub const_locals: FxMap<LocalId, Rc<Const>>,
    /// Those of them whose values depend on a function constant.
    pub late_locals: FxMap<LocalId, Symbol>,
    pub loop_depth: u32,
    pub switch_depth: u32,
    /// Statements before the body, made while its scope was set up.
    pub prologue: Vec<hir::Stmt>,
    /// Unset function constants are fine in code that cannot run.
    pub dead: u32,
}
