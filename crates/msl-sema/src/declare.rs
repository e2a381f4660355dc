//! What the source declares, before any checking: namespaces, overload sets, classes, templates, aliases, variables.
//!
//! In: syntax trees. Out: tables that never change again, shared between threads and compilations. The prelude is
//! one layer; each library is another on top of it. Names inside declarations are not resolved here, except the
//! names of namespaces and of the templates that explicit specialisations and out-of-class definitions belong to.

use std::collections::HashMap;
use std::sync::Arc;

use msl_base::{Diagnostic, Diagnostics, Span, Symbol};
use msl_syntax::ast;

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
    pub members: HashMap<NameKey, Vec<DeclEntity>>,
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

/// One layer of declarations over an optional base.
#[derive(Debug, Default)]
pub struct Layer {
    pub base: Option<Arc<Layer>>,
    starts: [u32; 7],
    namespaces: Vec<Namespace>,
    functions: Vec<FnEntry>,
    classes: Vec<ClassEntry>,
    enums: Vec<EnumEntry>,
    aliases: Vec<AliasEntry>,
    variables: Vec<VarEntry>,
    usings: Vec<UsingEntry>,
    names: HashMap<NsId, Names>,
    class_ext: HashMap<ClassDeclId, ClassExtension>,
    fn_specializations: HashMap<FnDeclId, Vec<(NsId, Arc<ast::FunctionDecl>)>>,
    var_specializations: HashMap<VarDeclId, Vec<(NsId, Arc<ast::VariableDecl>)>>,
    pub guides: HashMap<Symbol, Vec<(NsId, Arc<ast::FunctionDecl>)>>,
    pub entries: Vec<EntryDecl>,
    pub entry_index: HashMap<Symbol, usize>,
    pub function_constants: Vec<VarDeclId>,
    pub static_asserts: Vec<StaticAssertDecl>,
    pub fp_pragmas: Vec<ast::FpPragma>,
    /// Explicit instantiations without a host name: checked by `check`, never an entry point.
    pub instantiations: Vec<(NsId, Arc<ast::FunctionDecl>)>,
    /// Global positions below this belong to the base.
    pub library_end: u32,
}

macro_rules! accessor {
    ($get:ident, $own:ident, $id:ident, $entry:ident, $slot:literal, $list:ident) => {
        pub fn $get(&self, id: $id) -> &$entry {
            match id.0.checked_sub(self.starts[$slot]) {
                Some(i) => &self.$list[i as usize],
                None => self.base.as_ref().expect("ids below the start belong to the base").$get(id),
            }
        }
        /// Ids this layer declares itself.
        #[allow(dead_code)]
        pub fn $own(&self) -> impl Iterator<Item = $id> + use<> {
            (self.starts[$slot]..self.starts[$slot] + self.$list.len() as u32).map($id)
        }
    };
}

impl Layer {
    accessor!(namespace, own_namespaces, NsId, Namespace, 0, namespaces);
    accessor!(function, own_functions, FnDeclId, FnEntry, 1, functions);
    accessor!(class, own_classes, ClassDeclId, ClassEntry, 2, classes);
    accessor!(enumeration, own_enums, EnumDeclId, EnumEntry, 3, enums);
    accessor!(alias, own_aliases, AliasDeclId, AliasEntry, 4, aliases);
    accessor!(variable, own_variables, VarDeclId, VarEntry, 5, variables);
    accessor!(using, own_usings, UsingId, UsingEntry, 6, usings);

    pub fn on(base: Option<Arc<Layer>>) -> Layer {
        let mut layer = Layer::default();
        match &base {
            Some(b) => {
                let lens = [
                    b.namespaces.len(),
                    b.functions.len(),
                    b.classes.len(),
                    b.enums.len(),
                    b.aliases.len(),
                    b.variables.len(),
                    b.usings.len(),
                ];
                for (slot, len) in lens.into_iter().enumerate() {
                    layer.starts[slot] = b.starts[slot] + len as u32;
                }
            }
            None => layer.namespaces.push(Namespace { name: None, parent: None }),
        }
        layer.base = base;
        layer
    }

    fn layers(&self) -> impl Iterator<Item = &Layer> {
        std::iter::successors(Some(self), |l| l.base.as_deref())
    }

    /// Direct members of a namespace, inline namespaces included.
    pub fn find(&self, ns: NsId, key: NameKey, out: &mut Vec<DeclEntity>) {
        for layer in self.layers() {
            if let Some(names) = layer.names.get(&ns) {
                if let Some(found) = names.members.get(&key) {
                    out.extend(found.iter().copied());
                }
                for child in &names.inline_children {
                    self.find(*child, key, out);
                }
            }
        }
    }

    pub fn directives(&self, ns: NsId) -> Vec<NsId> {
        let mut out = Vec::new();
        for layer in self.layers() {
            if let Some(names) = layer.names.get(&ns) {
                out.extend(names.directives.iter().copied());
            }
        }
        out
    }

    /// Plain names visible as members of a namespace; for suggestions.
    pub fn member_names(&self, ns: NsId) -> Vec<Symbol> {
        let mut out = Vec::new();
        for layer in self.layers() {
            if let Some(names) = layer.names.get(&ns) {
                out.extend(names.members.keys().filter_map(|k| match k {
                    NameKey::Name(n) => Some(*n),
                    _ => None,
                }));
                for child in &names.inline_children {
                    out.extend(self.member_names(*child));
                }
            }
        }
        out
    }

    /// The namespaces below one, of all layers; for suggestions.
    pub fn child_namespaces(&self, ns: NsId) -> Vec<NsId> {
        let mut out = Vec::new();
        for layer in self.layers() {
            for id in layer.own_namespaces() {
                if layer.namespace(id).parent == Some(ns) {
                    out.push(id);
                }
            }
        }
        out
    }

    pub fn class_extensions(&self, id: ClassDeclId) -> impl Iterator<Item = &ClassExtension> {
        self.layers().filter_map(move |l| l.class_ext.get(&id))
    }

    pub fn fn_specializations(&self, id: FnDeclId) -> Vec<(NsId, Arc<ast::FunctionDecl>)> {
        self.layers().filter_map(|l| l.fn_specializations.get(&id)).flatten().cloned().collect()
    }

    pub fn var_specializations(&self, id: VarDeclId) -> Vec<(NsId, Arc<ast::VariableDecl>)> {
        self.layers().filter_map(|l| l.var_specializations.get(&id)).flatten().cloned().collect()
    }

    pub fn deduction_guides(&self, name: Symbol) -> Vec<(NsId, Arc<ast::FunctionDecl>)> {
        self.layers().filter_map(|l| l.guides.get(&name)).flatten().cloned().collect()
    }

    /// Unqualified lookup among namespaces alone, for the few names resolved while declaring.
    fn lookup(&self, mut ns: NsId, key: NameKey) -> Vec<DeclEntity> {
        loop {
            let found = self.find_with_directives(ns, key);
            if !found.is_empty() {
                return found;
            }
            match self.namespace(ns).parent {
                Some(p) => ns = p,
                None => return Vec::new(),
            }
        }
    }

    /// Members of a namespace, or else of those its using-directives nominate.
    pub fn find_with_directives(&self, ns: NsId, key: NameKey) -> Vec<DeclEntity> {
        let mut out = Vec::new();
        let mut seen = vec![ns];
        let mut next = 0;
        while let Some(&at) = seen.get(next) {
            next += 1;
            self.find(at, key, &mut out);
            for d in self.directives(at) {
                if !seen.contains(&d) {
                    seen.push(d);
                }
            }
        }
        out.dedup();
        out
    }
}

/// Walks a translation unit into a layer.
pub struct Declarer<'a> {
    pub layer: &'a mut Layer,
    pub diags: &'a mut Diagnostics,
}

impl Declarer<'_> {
    pub fn declare_all(&mut self, decls: &[ast::Decl], ns: NsId) {
        for decl in decls {
            self.declare(decl, ns);
        }
    }

    fn names(&mut self, ns: NsId) -> &mut Names {
        self.layer.names.entry(ns).or_default()
    }

    fn add(&mut self, ns: NsId, key: NameKey, entity: DeclEntity) {
        let list = self.names(ns).members.entry(key).or_default();
        if !list.contains(&entity) {
            list.push(entity);
        }
    }

    fn own(&self, ns: NsId, key: NameKey) -> Vec<DeclEntity> {
        let mut out = Vec::new();
        self.layer.find(ns, key, &mut out);
        out
    }

    fn declare(&mut self, decl: &ast::Decl, ns: NsId) {
        match &decl.kind {
            ast::DeclKind::Namespace { name, is_inline, decls } => {
                let child = self.open_namespace(ns, *name, *is_inline);
                self.declare_all(decls, child);
            }
            ast::DeclKind::NamespaceAlias { name, target } => match self.resolve_namespace(ns, target) {
                Some(target) => self.add(ns, NameKey::Name(*name), DeclEntity::Namespace(target)),
                None => self.unknown_namespace(target),
            },
            ast::DeclKind::UsingDirective(name) => match self.resolve_namespace(ns, name) {
                Some(target) => self.names(ns).directives.push(target),
                None => self.unknown_namespace(name),
            },
            ast::DeclKind::Using { name, .. } => {
                let id = UsingId(self.layer.starts[6] + self.layer.usings.len() as u32);
                self.layer.usings.push(UsingEntry { ns, name: name.clone() });
                if let Some(last) = name.segments.last() {
                    self.add(ns, NameKey::of(&last.ident), DeclEntity::Using(id));
                }
            }
            ast::DeclKind::Alias(alias) => {
                self.declare_embedded(&alias.ty, ns);
                let id = AliasDeclId(self.layer.starts[4] + self.layer.aliases.len() as u32);
                self.layer.aliases.push(AliasEntry { ns, decl: alias.clone() });
                // `typedef struct S {…} S;` names the same thing twice.
                let repeats_class = alias.template.is_none()
                    && self
                        .own(ns, NameKey::Name(alias.name))
                        .iter()
                        .any(|e| matches!(e, DeclEntity::Class(_) | DeclEntity::Enum(_)));
                if !repeats_class {
                    let list = self.names(ns).members.entry(NameKey::Name(alias.name)).or_default();
                    list.retain(|e| !matches!(e, DeclEntity::Alias(_)));
                    list.push(DeclEntity::Alias(id));
                }
            }
            ast::DeclKind::Class(class) => self.declare_class(class, ns),
            ast::DeclKind::Enum(e) => self.declare_enum(e, ns),
            ast::DeclKind::Function(f) => self.declare_function(f, ns),
            ast::DeclKind::Variable(v) => self.declare_variable(v, ns),
            ast::DeclKind::StaticAssert { condition, message } => self.layer.static_asserts.push(StaticAssertDecl {
                ns,
                condition: condition.clone(),
                message: *message,
                span: decl.span,
            }),
            ast::DeclKind::ExplicitInstantiation { decl: inner, .. } => self.declare_instantiation(inner, ns),
            ast::DeclKind::Friend(_) | ast::DeclKind::Empty | ast::DeclKind::Error => {}
            ast::DeclKind::DeductionGuide(f) => {
                if let Some(ast::Ident::Name(name)) = f.name.segments.last().map(|s| &s.ident) {
                    self.layer.guides.entry(*name).or_default().push((ns, f.clone()));
                }
            }
            ast::DeclKind::FpPragma(p) => self.layer.fp_pragmas.push(*p),
        }
    }

    fn open_namespace(&mut self, parent: NsId, name: Option<Symbol>, is_inline: bool) -> NsId {
        let key = NameKey::Name(name.unwrap_or_else(|| Symbol::new("(anonymous namespace)")));
        for entity in self.own(parent, key) {
            if let DeclEntity::Namespace(id) = entity {
                return id;
            }
        }
        let id = NsId(self.layer.starts[0] + self.layer.namespaces.len() as u32);
        self.layer.namespaces.push(Namespace { name, parent: Some(parent) });
        self.add(parent, key, DeclEntity::Namespace(id));
        if name.is_none() {
            self.names(parent).directives.push(id);
        }
        if is_inline {
            self.names(parent).inline_children.push(id);
        }
        id
    }

    fn unknown_namespace(&mut self, name: &ast::Name) {
        self.diags.push(Diagnostic::error("unknown-namespace", name.span, "no namespace of this name is declared"));
    }

    fn resolve_namespace(&self, ns: NsId, name: &ast::Name) -> Option<NsId> {
        self.resolve_prefix(ns, name, name.segments.len())
    }

    fn resolve_prefix(&self, ns: NsId, name: &ast::Name, count: usize) -> Option<NsId> {
        let mut at = if name.is_global { Some(NsId::GLOBAL) } else { None };
        for segment in &name.segments[..count] {
            let key = NameKey::of(&segment.ident);
            let found = match at {
                Some(at) => self.layer.find_with_directives(at, key),
                None => self.layer.lookup(ns, key),
            };
            at = Some(found.iter().find_map(|e| match e {
                DeclEntity::Namespace(n) => Some(*n),
                _ => None,
            })?);
        }
        Some(at.unwrap_or(ns))
    }

    /// The entities a name designates, and which segment they are the meaning of: the first segment that is not a
    /// namespace.
    fn resolve_owner(&self, ns: NsId, name: &ast::Name) -> Option<(usize, Vec<DeclEntity>)> {
        let mut at = if name.is_global { Some(NsId::GLOBAL) } else { None };
        for (i, segment) in name.segments.iter().enumerate() {
            let key = NameKey::of(&segment.ident);
            let found = match at {
                Some(at) => self.layer.find_with_directives(at, key),
                None => self.layer.lookup(ns, key),
            };
            let namespace = found.iter().find_map(|e| match e {
                DeclEntity::Namespace(n) => Some(*n),
                _ => None,
            });
            match namespace {
                Some(n) if i + 1 < name.segments.len() => at = Some(n),
                _ => return Some((i, found)),
            }
        }
        None
    }

    fn declare_embedded(&mut self, ty: &ast::TypeExpr, ns: NsId) {
        match &ty.kind {
            ast::TypeExprKind::Class(c) if c.name.is_some() => self.declare_class(c, ns),
            ast::TypeExprKind::Enum(e) => self.declare_enum(e, ns),
            ast::TypeExprKind::Pointer(t) | ast::TypeExprKind::LValueRef(t) => self.declare_embedded(t, ns),
            ast::TypeExprKind::Array { element, .. } => self.declare_embedded(element, ns),
            ast::TypeExprKind::Qualified { inner, .. } => self.declare_embedded(inner, ns),
            _ => {}
        }
    }

    fn declare_class(&mut self, class: &Arc<ast::ClassDecl>, ns: NsId) {
        let Some(name) = &class.name else { return };
        let Some(last) = name.segments.last() else { return };
        let key = NameKey::of(&last.ident);
        if last.template_args.is_some() {
            // A specialisation.
            let owner = self.resolve_owner(ns, name);
            if let Some((i, found)) = owner {
                let target = found.iter().find_map(|e| match e {
                    DeclEntity::Class(c) => Some(*c),
                    _ => None,
                });
                if let Some(target) = target {
                    if i + 1 == name.segments.len() {
                        let ext = self.layer.class_ext.entry(target).or_default();
                        // A specialisation declared first and defined later.
                        if class.members.is_some() {
                            let key = class_key(class);
                            ext.specializations.retain(|(_, c)| c.members.is_some() || class_key(c) != key);
                        }
                        ext.specializations.push((ns, class.clone()));
                    } else {
                        self.layer.class_ext.entry(target).or_default().members.push(OutOfClass {
                            ns,
                            first_segment: i,
                            kind: OutOfClassKind::Class(class.clone()),
                        });
                    }
                    return;
                }
            }
            self.diags.push(Diagnostic::error(
                "unknown-template",
                name.span,
                "no class template of this name is declared to specialise",
            ));
            return;
        }
        if name.segments.len() > 1 {
            if let Some((i, found)) = self.resolve_owner(ns, name) {
                for entity in &found {
                    if let DeclEntity::Class(target) = entity {
                        if i + 1 == name.segments.len() {
                            self.replace_class(*target, class);
                        } else {
                            self.layer.class_ext.entry(*target).or_default().members.push(OutOfClass {
                                ns,
                                first_segment: i,
                                kind: OutOfClassKind::Class(class.clone()),
                            });
                        }
                        return;
                    }
                }
            }
            self.diags.push(Diagnostic::error("unknown-class", name.span, "no class of this name is declared here"));
            return;
        }
        let mut own = Vec::new();
        self.layer.find(ns, key, &mut own);
        for entity in own {
            if let DeclEntity::Class(existing) = entity {
                if existing.0 < self.layer.starts[2] {
                    continue;
                }
                let old = &self.layer.class(existing).decl;
                if class.members.is_some() && old.members.is_some() && !Arc::ptr_eq(old, class) {
                    let (was, span) = (old.span, class.span);
                    let d = Diagnostic::error(
                        "redefinition",
                        name.span,
                        format!("redefinition of '{}'", text_of(&last.ident)),
                    );
                    self.diags.push(if was == span { d } else { d.note_at(was, "the previous definition is here") });
                } else if class.members.is_some() {
                    self.replace_class(existing, class);
                }
                return;
            }
        }
        let id = ClassDeclId(self.layer.starts[2] + self.layer.classes.len() as u32);
        self.layer.classes.push(ClassEntry { ns, decl: class.clone() });
        let list = self.names(ns).members.entry(key).or_default();
        list.retain(|e| !matches!(e, DeclEntity::Alias(_)));
        list.push(DeclEntity::Class(id));
    }

    fn replace_class(&mut self, id: ClassDeclId, class: &Arc<ast::ClassDecl>) {
        if let Some(i) = id.0.checked_sub(self.layer.starts[2]) {
            let entry = &mut self.layer.classes[i as usize];
            // Default template arguments may stand on the forward declaration only.
            if let (Some(old), Some(new)) = (entry.decl.templates.last(), class.templates.last()) {
                let merged = merge_headers(old, new);
                let mut copy = ast::ClassDecl::clone(class);
                if let Some(last) = copy.templates.last_mut() {
                    *last = merged;
                }
                entry.decl = Arc::new(copy);
            } else {
                entry.decl = class.clone();
            }
        }
    }

    fn declare_enum(&mut self, e: &Arc<ast::EnumDecl>, ns: NsId) {
        let id = EnumDeclId(self.layer.starts[3] + self.layer.enums.len() as u32);
        let name = e.name.as_ref().and_then(|n| n.segments.last()).map(|s| NameKey::of(&s.ident));
        if let Some(key) = name {
            for entity in self.own(ns, key) {
                if let DeclEntity::Enum(existing) = entity
                    && existing.0 >= self.layer.starts[3]
                {
                    if e.enumerators.is_some() {
                        let at = (existing.0 - self.layer.starts[3]) as usize;
                        self.layer.enums[at].decl = e.clone();
                        self.declare_enumerators(e, existing, ns);
                    }
                    return;
                }
            }
        }
        self.layer.enums.push(EnumEntry { ns, decl: e.clone() });
        if let Some(key) = name {
            self.add(ns, key, DeclEntity::Enum(id));
        }
        self.declare_enumerators(e, id, ns);
    }

    fn declare_enumerators(&mut self, e: &Arc<ast::EnumDecl>, id: EnumDeclId, ns: NsId) {
        if !e.is_scoped {
            for (i, enumerator) in e.enumerators.iter().flatten().enumerate() {
                self.add(ns, NameKey::Name(enumerator.name), DeclEntity::Enumerator(id, i as u32));
            }
        }
    }

    fn declare_function(&mut self, f: &Arc<ast::FunctionDecl>, ns: NsId) {
        let Some(last) = f.name.segments.last() else { return };
        let key = NameKey::of(&last.ident);
        let is_specialization = f.templates.last().is_some_and(|t| t.params.is_empty());
        if f.name.segments.len() > 1 || is_specialization {
            let Some((i, found)) = self.resolve_owner(ns, &f.name) else { return };
            if i + 1 < f.name.segments.len() {
                let class = found.iter().find_map(|e| match e {
                    DeclEntity::Class(c) => Some(*c),
                    _ => None,
                });
                match class {
                    Some(class) => self.layer.class_ext.entry(class).or_default().members.push(OutOfClass {
                        ns,
                        first_segment: i,
                        kind: OutOfClassKind::Function(f.clone()),
                    }),
                    None => self.diags.push(Diagnostic::error(
                        "unknown-identifier",
                        f.name.span,
                        "the class or namespace this member is defined in is not declared",
                    )),
                }
                return;
            }
            if is_specialization {
                let functions: Vec<FnDeclId> = found
                    .iter()
                    .filter_map(|e| match e {
                        DeclEntity::Function(f) => Some(*f),
                        _ => None,
                    })
                    .collect();
                let templates: Vec<FnDeclId> =
                    functions.into_iter().filter(|id| !self.layer.function(*id).decl.templates.is_empty()).collect();
                if templates.is_empty() {
                    self.diags.push(Diagnostic::error(
                        "unknown-template",
                        f.name.span,
                        "no function template of this name is declared to specialise",
                    ));
                }
                // Which template it belongs to is settled when one of them is instantiated.
                for id in templates {
                    let list = self.layer.fn_specializations.entry(id).or_default();
                    if !matches!(f.body, ast::FunctionBody::None) {
                        let key = signature_key(f);
                        list.retain(|(_, s)| !matches!(s.body, ast::FunctionBody::None) || signature_key(s) != key);
                    }
                    list.push((ns, f.clone()));
                }
                return;
            }
            // `void ns::f() {…}` defines what the namespace declared.
            let target = self.resolve_prefix(ns, &f.name, f.name.segments.len() - 1).unwrap_or(ns);
            self.add_function(f, target, key);
            return;
        }
        self.add_function(f, ns, key);
    }

    fn add_function(&mut self, f: &Arc<ast::FunctionDecl>, ns: NsId, key: NameKey) {
        let has_body = !matches!(f.body, ast::FunctionBody::None);
        let signature = std::sync::OnceLock::new();
        let key_of = |f: &ast::FunctionDecl| signature_key(f).into_boxed_str();
        for entity in self.own(ns, key) {
            let DeclEntity::Function(id) = entity else { continue };
            let Some(at) = id.0.checked_sub(self.layer.starts[1]) else { continue };
            let existing = &self.layer.functions[at as usize];
            let existing_has_body =
                existing.definition.is_some() || !matches!(existing.decl.body, ast::FunctionBody::None);
            if existing.decl.params.len() != f.params.len()
                || existing.decl.templates.len() != f.templates.len()
                || existing.signature.get_or_init(|| key_of(&existing.decl)) != signature.get_or_init(|| key_of(f))
            {
                continue;
            }
            if has_body && existing_has_body {
                let was = existing.definition.as_ref().unwrap_or(&existing.decl).name.span;
                if let Some(last) = f.name.segments.last() {
                    self.diags.push(
                        Diagnostic::error(
                            "redefinition",
                            f.name.span,
                            format!("redefinition of '{}'", text_of(&last.ident)),
                        )
                        .note_at(was, "the previous definition is here"),
                    );
                }
            } else if has_body {
                self.layer.functions[at as usize].definition = Some(f.clone());
                self.declare_entry(f, id, ns);
            }
            return;
        }
        let id = FnDeclId(self.layer.starts[1] + self.layer.functions.len() as u32);
        self.layer.functions.push(FnEntry { ns, decl: f.clone(), definition: None, signature });
        self.add(ns, key, DeclEntity::Function(id));
        if has_body {
            self.declare_entry(f, id, ns);
        }
    }

    fn declare_entry(&mut self, f: &Arc<ast::FunctionDecl>, id: FnDeclId, ns: NsId) {
        if !is_kernel(f) || !f.templates.is_empty() {
            return;
        }
        let Some(last) = f.name.segments.last() else { return };
        let ast::Ident::Name(own_name) = last.ident else { return };
        let name = host_name(&f.attributes).unwrap_or(own_name);
        self.push_entry(EntryDecl { name, span: f.name.span, ns, kind: EntryDeclKind::Function(id) });
    }

    fn push_entry(&mut self, entry: EntryDecl) {
        if let Some(&other) = self.layer.entry_index.get(&entry.name) {
            let was = self.layer.entries[other].span;
            self.diags.push(
                Diagnostic::error(
                    "duplicate-entry-point",
                    entry.span,
                    format!("a kernel named '{}' exists already", entry.name),
                )
                .note_at(was, "the other kernel is here"),
            );
            return;
        }
        self.layer.entry_index.insert(entry.name, self.layer.entries.len());
        self.layer.entries.push(entry);
    }

    fn declare_variable(&mut self, v: &Arc<ast::VariableDecl>, ns: NsId) {
        self.declare_embedded(&v.ty, ns);
        let Some(last) = v.name.segments.last() else { return };
        let key = NameKey::of(&last.ident);
        if v.name.segments.len() > 1 || last.template_args.is_some() {
            let Some((i, found)) = self.resolve_owner(ns, &v.name) else { return };
            for entity in found {
                match entity {
                    DeclEntity::Class(class) if i + 1 < v.name.segments.len() => {
                        self.layer.class_ext.entry(class).or_default().members.push(OutOfClass {
                            ns,
                            first_segment: i,
                            kind: OutOfClassKind::Variable(v.clone()),
                        });
                        return;
                    }
                    DeclEntity::Variable(var) => {
                        self.layer.var_specializations.entry(var).or_default().push((ns, v.clone()));
                        return;
                    }
                    _ => {}
                }
            }
            self.diags.push(Diagnostic::error(
                "unknown-identifier",
                v.name.span,
                "nothing of this name is declared here",
            ));
            return;
        }
        for entity in self.own(ns, key) {
            if let DeclEntity::Variable(id) = entity
                && let Some(at) = id.0.checked_sub(self.layer.starts[5])
            {
                let old = &self.layer.variables[at as usize].decl;
                if old.flags.is_extern || old.init.is_none() {
                    self.layer.variables[at as usize].decl = v.clone();
                    self.note_function_constant(v, id);
                } else if v.init.is_some() {
                    let was = old.span;
                    self.diags.push(
                        Diagnostic::error(
                            "redefinition",
                            v.name.span,
                            format!("redefinition of '{}'", text_of(&last.ident)),
                        )
                        .note_at(was, "the previous definition is here"),
                    );
                }
                return;
            }
        }
        let id = VarDeclId(self.layer.starts[5] + self.layer.variables.len() as u32);
        self.layer.variables.push(VarEntry { ns, decl: v.clone() });
        self.add(ns, key, DeclEntity::Variable(id));
        self.note_function_constant(v, id);
    }

    fn note_function_constant(&mut self, v: &ast::VariableDecl, id: VarDeclId) {
        let is_constant = v.attributes.iter().any(|a| a.name == "function_constant");
        if is_constant && !self.layer.function_constants.contains(&id) {
            self.layer.function_constants.push(id);
        }
    }

    fn declare_instantiation(&mut self, inner: &ast::Decl, ns: NsId) {
        let (name, attributes, signature) = match &inner.kind {
            ast::DeclKind::Function(f) => (&f.name, &f.attributes, Some(f.clone())),
            ast::DeclKind::Variable(v) => (&v.name, &v.attributes, None),
            _ => return,
        };
        match host_name(attributes) {
            Some(host) => self.push_entry(EntryDecl {
                name: host,
                span: name.span,
                ns,
                kind: EntryDeclKind::Instantiation { name: name.clone(), signature },
            }),
            None => {
                if let Some(f) = signature {
                    self.layer.instantiations.push((ns, f));
                }
            }
        }
    }
}

/// Names of template parameters and default arguments may differ between declarations; defaults of either count.
fn merge_headers(old: &ast::TemplateHeader, new: &ast::TemplateHeader) -> ast::TemplateHeader {
    let mut merged = new.clone();
    for (to, from) in merged.params.iter_mut().zip(&old.params) {
        match (&mut to.kind, &from.kind) {
            (ast::TemplateParamKind::Type { default: to }, ast::TemplateParamKind::Type { default: from })
                if to.is_none() =>
            {
                to.clone_from(from);
            }
            (
                ast::TemplateParamKind::Value { default: to, .. },
                ast::TemplateParamKind::Value { default: from, .. },
            ) if to.is_none() => {
                to.clone_from(from);
            }
            _ => {}
        }
    }
    merged
}

pub fn is_kernel(f: &ast::FunctionDecl) -> bool {
    f.stage == ast::StageKeyword::Kernel || f.attributes.iter().any(|a| a.name == "kernel")
}

fn host_name(attributes: &[ast::Attribute]) -> Option<Symbol> {
    attributes.iter().find(|a| a.name == "host_name").and_then(|a| match a.args.first().map(|e| &e.kind) {
        Some(ast::ExprKind::String(s)) => Some(*s),
        _ => None,
    })
}

pub fn text_of(ident: &ast::Ident) -> String {
    match ident {
        ast::Ident::Name(n) | ast::Ident::Literal(n) => n.to_string(),
        ast::Ident::Operator(o) => format!("operator{}", operator_text(*o)),
        ast::Ident::Conversion(_) => "conversion operator".into(),
        ast::Ident::Destructor(n) => format!("~{n}"),
        ast::Ident::Decltype(_) => "decltype(…)".into(),
    }
}

pub fn operator_text(op: ast::OverloadedOperator) -> String {
    use ast::OverloadedOperator as O;
    match op {
        O::Binary(b) => binary_text(b).into(),
        O::Assign(None) => "=".into(),
        O::Assign(Some(b)) => format!("{}=", binary_text(b)),
        O::Unary(ast::UnaryOperator::Not) => "!".into(),
        O::Unary(ast::UnaryOperator::BitNot) => "~".into(),
        O::Unary(ast::UnaryOperator::Plus) => "+".into(),
        O::Unary(ast::UnaryOperator::Minus) => "-".into(),
        O::Unary(ast::UnaryOperator::Deref) => "*".into(),
        O::Unary(ast::UnaryOperator::AddressOf) => "&".into(),
        O::Unary(ast::UnaryOperator::PreIncrement) | O::Increment => "++".into(),
        O::Unary(ast::UnaryOperator::PreDecrement) | O::Decrement => "--".into(),
        O::Call => "()".into(),
        O::Subscript => "[]".into(),
        O::Arrow => "->".into(),
        O::Comma => ",".into(),
    }
}

pub fn binary_text(op: ast::BinaryOperator) -> &'static str {
    use ast::BinaryOperator as B;
    match op {
        B::Add => "+",
        B::Sub => "-",
        B::Mul => "*",
        B::Div => "/",
        B::Rem => "%",
        B::Shl => "<<",
        B::Shr => ">>",
        B::Lt => "<",
        B::Gt => ">",
        B::Le => "<=",
        B::Ge => ">=",
        B::Eq => "==",
        B::Ne => "!=",
        B::BitAnd => "&",
        B::BitXor => "^",
        B::BitOr => "|",
        B::And => "&&",
        B::Or => "||",
    }
}

/// A text equal for declarations of the same function, as far as spelling tells: parameter types without names and
/// top-level `const`, template parameter kinds, qualifiers of `this`, and the return type of templates.
pub fn signature_key(f: &ast::FunctionDecl) -> String {
    let mut key = String::new();
    for header in &f.templates {
        header_key(header, &mut key);
    }
    if let Some(args) = f.name.segments.last().and_then(|s| s.template_args.as_ref()) {
        args_key(args, &mut key);
    }
    for p in &f.params {
        let ty = match &p.ty.kind {
            ast::TypeExprKind::Qualified { inner, quals } if quals.address_space.is_none() => inner,
            _ => &p.ty,
        };
        type_key(ty, &mut key);
        key.push_str(if p.is_pack { "...," } else { "," });
    }
    key.push_str(&format!("{:?}", f.this_quals));
    if !f.templates.is_empty() {
        type_key(&f.ret, &mut key);
    }
    key
}

fn class_key(c: &ast::ClassDecl) -> String {
    let mut key = String::new();
    for header in &c.templates {
        header_key(header, &mut key);
    }
    if let Some(args) = c.name.as_ref().and_then(|n| n.segments.last()).and_then(|s| s.template_args.as_ref()) {
        args_key(args, &mut key);
    }
    key
}

fn header_key(header: &ast::TemplateHeader, key: &mut String) {
    key.push('<');
    for p in &header.params {
        match &p.kind {
            ast::TemplateParamKind::Type { .. } => key.push('t'),
            ast::TemplateParamKind::Value { ty, .. } => type_key(ty, key),
            ast::TemplateParamKind::Template { .. } => key.push('T'),
        }
        if p.is_pack {
            key.push('~');
        }
        key.push(';');
    }
    key.push('>');
}

fn name_key(name: &ast::Name, key: &mut String) {
    for s in &name.segments {
        key.push_str("::");
        key.push_str(&text_of(&s.ident));
        if let Some(args) = &s.template_args {
            args_key(args, key);
        }
    }
}

fn args_key(args: &[ast::TemplateArg], key: &mut String) {
    key.push('<');
    for a in args {
        arg_key(a, key);
        key.push(',');
    }
    key.push('>');
}

fn arg_key(arg: &ast::TemplateArg, key: &mut String) {
    match arg {
        ast::TemplateArg::Type(t) => type_key(t, key),
        ast::TemplateArg::Expr(e) => expr_key(e, key),
        ast::TemplateArg::Ambiguous(n) => name_key(n, key),
        ast::TemplateArg::Pack(p) => {
            arg_key(p, key);
            key.push('~');
        }
    }
}

fn type_key(ty: &ast::TypeExpr, key: &mut String) {
    use ast::TypeExprKind as K;
    match &ty.kind {
        K::Builtin(b) => key.push_str(&format!("{b:?}")),
        K::Named { name, .. } => name_key(name, key),
        K::Auto | K::DecltypeAuto => key.push_str("auto"),
        K::Decltype(e) => expr_key(e, key),
        K::Pointer(t) => {
            type_key(t, key);
            key.push('*');
        }
        K::LValueRef(t) => {
            type_key(t, key);
            key.push('&');
        }
        K::RValueRef(t) => {
            type_key(t, key);
            key.push_str("&&");
        }
        K::Array { element, size } => {
            type_key(element, key);
            key.push('[');
            if let Some(s) = size {
                expr_key(s, key);
            }
            key.push(']');
        }
        K::Function { ret, params, .. } => {
            type_key(ret, key);
            for p in params {
                key.push(',');
                type_key(&p.ty, key);
            }
        }
        K::Qualified { inner, quals } => {
            key.push_str(&format!("{}{}{:?}", quals.is_const, quals.is_volatile, quals.address_space));
            type_key(inner, key);
        }
        K::Pack(t) => {
            type_key(t, key);
            key.push('~');
        }
        K::Class(c) => key.push_str(&format!("{:?}", Arc::as_ptr(c))),
        K::Enum(e) => key.push_str(&format!("{:?}", Arc::as_ptr(e))),
        K::Error => key.push('?'),
    }
}

fn expr_key(e: &ast::Expr, key: &mut String) {
    use ast::ExprKind as K;
    match &e.kind {
        K::Name(n) => name_key(n, key),
        K::Integer { value, .. } => key.push_str(&value.to_string()),
        K::Bool(b) => key.push_str(&b.to_string()),
        K::Binary { op, left, right, .. } => {
            expr_key(left, key);
            key.push_str(binary_text(*op));
            expr_key(right, key);
        }
        K::Paren(i) => expr_key(i, key),
        K::Unary { op, operand } => {
            key.push_str(&format!("{op:?}"));
            expr_key(operand, key);
        }
        K::Call { callee, args } => {
            expr_key(callee, key);
            for a in args {
                key.push(',');
                expr_key(a, key);
            }
        }
        K::SizeofType(t) | K::Type(t) => type_key(t, key),
        // Anything else: equal only where it stands at the same place.
        _ => key.push_str(&format!("{:?}", e.span)),
    }
}

/// A written type as a text without spaces; equal texts are the same type in the same scope.
pub fn type_text(ty: &ast::TypeExpr) -> String {
    let mut key = String::new();
    type_key(ty, &mut key);
    key
}

pub fn arg_text(arg: &ast::TemplateArg) -> String {
    let mut key = String::new();
    arg_key(arg, &mut key);
    key
}
