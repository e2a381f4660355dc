//! Written types to types: qualifiers, address spaces, references and arrays, names with template arguments.

use std::rc::Rc;
use std::sync::Arc;

use msl_base::{Diagnostic, Span, Symbol};
use msl_syntax::ast;

use crate::checker::{Checker, EnumInfo};
use crate::entity::*;
use crate::hir;
use crate::types::*;

/// The library's name for vectors of more than four components.
pub const LONG_VECTOR: &str = "__long_vec";

pub fn address_space(keyword: ast::AddressSpaceKeyword) -> Option<AddressSpace> {
    match keyword {
        ast::AddressSpaceKeyword::Device => Some(AddressSpace::Device),
        ast::AddressSpaceKeyword::Constant => Some(AddressSpace::Constant),
        ast::AddressSpaceKeyword::Threadgroup => Some(AddressSpace::Threadgroup),
        ast::AddressSpaceKeyword::Thread => Some(AddressSpace::Thread),
        ast::AddressSpaceKeyword::ThreadgroupImageblock
        | ast::AddressSpaceKeyword::RayData
        | ast::AddressSpaceKeyword::ObjectData => None,
    }
}

pub fn builtin_type(b: ast::BuiltinType) -> Option<Ty> {
    use ast::BuiltinType as B;
    Some(match b {
        B::Void => Ty::VOID,
        B::Bool => Ty::BOOL,
        B::Char | B::SignedChar => Ty::CHAR,
        B::UnsignedChar => Ty::UCHAR,
        B::Short => Ty::SHORT,
        B::UnsignedShort => Ty::USHORT,
        B::Int => Ty::INT,
        B::UnsignedInt => Ty::UINT,
        B::Long | B::LongLong => Ty::LONG,
        B::UnsignedLong | B::UnsignedLongLong => Ty::ULONG,
        B::Half => Ty::HALF,
        B::BFloat => Ty::BFLOAT,
        B::Float => Ty::FLOAT,
        B::Double => return None,
    })
}

/// Whether `auto` occurs in the type in a place that a variable's initialiser decides.
pub fn mentions_auto(ty: &ast::TypeExpr) -> bool {
    use ast::TypeExprKind as K;
    match &ty.kind {
        K::Auto | K::DecltypeAuto => true,
        K::Pointer(t) | K::LValueRef(t) | K::RValueRef(t) | K::Pack(t) => mentions_auto(t),
        K::Qualified { inner, .. } | K::MemberPointer { member: inner, .. } => mentions_auto(inner),
        K::Array { element, .. } => mentions_auto(element),
        _ => false,
    }
}

impl Checker<'_> {
    pub fn resolve_type(&mut self, ty: &ast::TypeExpr) -> QualTy {
        self.nested(ty.span, |_| QualTy::ERROR, |c| c.resolve_type_inner(ty))
    }

    fn resolve_type_inner(&mut self, ty: &ast::TypeExpr) -> QualTy {
        use ast::TypeExprKind as K;
        match &ty.kind {
            K::Builtin(b) => match builtin_type(*b) {
                Some(t) => t.into(),
                None => {
                    self.report(
                        Diagnostic::error("double-type", ty.span, "Metal has no type 'double'").help("use 'float'"),
                    );
                    QualTy::ERROR
                }
            },
            K::Named { name, .. } => self.resolve_type_name(name),
            K::Auto | K::DecltypeAuto => match self.auto_binding {
                Some(t) => t,
                None => {
                    self.error("auto-not-allowed", ty.span, "'auto' is not allowed here");
                    QualTy::ERROR
                }
            },
            K::Decltype(e) => match self.type_function(e) {
                Some(t) => t,
                None => self.decltype_of(e),
            },
            K::Pointer(inner) => {
                let inner_ty = self.resolve_type(inner);
                self.pointer_to(inner_ty, ty.span)
            }
            K::LValueRef(inner) => {
                let inner_ty = self.resolve_type(inner);
                self.reference_to(inner_ty, false, ty.span)
            }
            K::RValueRef(inner) => {
                let inner_ty = self.resolve_type(inner);
                self.reference_to(inner_ty, true, ty.span)
            }
            K::Array { element, size } => {
                let element_ty = self.resolve_type(element);
                let len = match size {
                    Some(e) => match self.array_length(e) {
                        Some(n) => Some(n),
                        None => return QualTy::ERROR,
                    },
                    None => None,
                };
                self.array_of(element_ty, len, ty.span)
            }
            K::Function { ret, params, .. } => {
                let ret = self.resolve_type(ret);
                let mut types = Vec::new();
                for p in params {
                    if p.is_pack {
                        self.expand_pack_type(&p.ty, &mut |c, t| {
                            let t = c.adjust_param(t);
                            types.push(t.ty);
                        });
                        continue;
                    }
                    let t = self.resolve_type(&p.ty);
                    if t.ty == Ty::VOID && params.len() == 1 {
                        break;
                    }
                    types.push(self.adjust_param(t).ty);
                }
                self.types().intern(TyKind::Function { ret: ret.ty, params: types }).into()
            }
            K::MemberPointer { class, member } => self.member_pointer_type(class, member),
            K::Qualified { inner, quals } => {
                let inner_ty = self.resolve_type(inner);
                self.qualify(inner_ty, quals, ty.span)
            }
            K::Pack(inner) => {
                self.error("unexpanded-pack", ty.span, "a parameter pack cannot be expanded here");
                let _ = inner;
                QualTy::ERROR
            }
            K::Class(decl) => self.embedded_class(decl, None),
            K::Enum(decl) => self.embedded_enum(decl),
            K::Error => QualTy::ERROR,
        }
    }

    pub fn array_length(&mut self, e: &ast::Expr) -> Option<u64> {
        let what = "the size of an array";
        let value = self.early(what, e.span, |c| c.constant_integer(e, what))?;
        if value < 0 {
            self.error("negative-array-size", e.span, format!("an array cannot have {value} elements"));
            return None;
        }
        if value > 1 << 32 {
            self.error("array-too-large", e.span, "this array is too large");
            return None;
        }
        Some(value as u64)
    }

    pub fn pointer_to(&mut self, inner: QualTy, span: Span) -> QualTy {
        if inner.is_error() {
            return QualTy::ERROR;
        }
        if self.program.types.is_reference(inner.ty) {
            self.error("pointer-to-reference", span, "there are no pointers to references");
            return QualTy::ERROR;
        }
        let space = inner.space.unwrap_or(AddressSpace::Thread);
        self.types().pointer(inner.ty, inner.quals, space).into()
    }

    pub fn reference_to(&mut self, inner: QualTy, is_rvalue: bool, span: Span) -> QualTy {
        if inner.is_error() {
            return QualTy::ERROR;
        }
        match *self.kind(inner.ty) {
            TyKind::Reference { referent, quals, space, is_rvalue: was_rvalue } => {
                self.types().reference(referent, quals, space, is_rvalue && was_rvalue).into()
            }
            TyKind::Void => {
                self.error("reference-to-void", span, "there are no references to 'void'");
                QualTy::ERROR
            }
            _ => {
                let space = inner.space.or(self.default_space).unwrap_or(AddressSpace::Thread);
                self.types().reference(inner.ty, inner.quals, space, is_rvalue).into()
            }
        }
    }

    pub fn array_of(&mut self, element: QualTy, len: Option<u64>, span: Span) -> QualTy {
        match self.kind(element.ty) {
            TyKind::Error => QualTy::ERROR,
            TyKind::Void | TyKind::Reference { .. } | TyKind::Function { .. } => {
                let name = self.type_name(element);
                self.error("invalid-array-element", span, format!("there are no arrays of '{name}'"));
                QualTy::ERROR
            }
            TyKind::Array { len: None, .. } => {
                self.error("invalid-array-element", span, "only the first bound of an array may be left out");
                QualTy::ERROR
            }
            _ => {
                let ty = self.types().array(element.ty, element.quals, len);
                if self.size_of(ty) > 1 << 40 {
                    self.error("array-too-large", span, "this array is too large");
                    return QualTy::ERROR;
                }
                QualTy::new(ty, element.quals, element.space)
            }
        }
    }

    fn qualify(&mut self, inner: QualTy, quals: &ast::Qualifiers, span: Span) -> QualTy {
        if inner.is_error() {
            return inner;
        }
        let add = Quals { is_const: quals.is_const, is_volatile: quals.is_volatile };
        let mut space = inner.space;
        if let Some(keyword) = quals.address_space {
            match address_space(keyword) {
                None => {
                    self.error(
                        "unsupported-address-space",
                        span,
                        "this address space is not supported by compute kernels here",
                    );
                }
                Some(s) => {
                    if self.program.types.is_reference(inner.ty) {
                        return inner;
                    }
                    if space.is_some_and(|old| old != s) {
                        let name = self.type_name(inner);
                        let message = format!("'{name}' is already in another address space than '{}'", s.name());
                        self.error("conflicting-address-space", span, message);
                        return QualTy::ERROR;
                    }
                    space = Some(s);
                }
            }
        }
        match *self.kind(inner.ty) {
            TyKind::Reference { .. } => inner,
            TyKind::Array { element, quals: old, len } => {
                let quals = old.with(add);
                let ty = self.qualified_array(element, quals, len, add);
                QualTy::new(ty, quals, space)
            }
            _ => QualTy::new(inner.ty, inner.quals.with(add), space),
        }
    }

    fn qualified_array(&mut self, element: Ty, quals: Quals, len: Option<u64>, add: Quals) -> Ty {
        let element = match *self.kind(element) {
            TyKind::Array { element: e, quals: q, len: l } => self.qualified_array(e, q.with(add), l, add),
            _ => element,
        };
        self.types().array(element, quals, len)
    }

    /// Parameters of array and function type become pointers; top-level qualifiers do not matter to callers.
    pub fn adjust_param(&mut self, ty: QualTy) -> QualTy {
        match *self.kind(ty.ty) {
            TyKind::Array { element, quals, .. } => {
                let space = ty.space.unwrap_or(AddressSpace::Thread);
                self.types().pointer(element, quals, space).into()
            }
            TyKind::Function { .. } => self.types().pointer(ty.ty, Quals::NONE, AddressSpace::Thread).into(),
            _ => ty,
        }
    }

    // ---- names -------------------------------------------------------------------------

    pub fn resolve_type_name(&mut self, name: &ast::Name) -> QualTy {
        let Some(last) = name.segments.last() else { return QualTy::ERROR };
        if let ast::Ident::Decltype(e) = &last.ident {
            return self.decltype_of(e);
        }
        if name.segments.len() == 1
            && let Some(ty) = self.builtin_template(last)
        {
            return ty;
        }
        let found = self.lookup(name);
        if found.is_error {
            return QualTy::ERROR;
        }
        let entity = found.entities.iter().find(|e| self.is_type_entity(e)).cloned();
        if let (Some(Entity::Class(_) | Entity::Enum(_) | Entity::Alias(_)), Some(crate::lookup::Qualifier::Class(c))) =
            (&entity, &found.qualifier)
        {
            self.check_nested_access(*c, crate::declare::NameKey::of(&last.ident), last.span);
        }
        match entity {
            Some(e) => self.entity_type(&e, last).unwrap_or(QualTy::ERROR),
            None if found.entities.is_empty() => {
                if let Some(q) = &found.qualifier {
                    let q = q.clone();
                    self.report_no_member(&q, &last.ident, last.span);
                } else {
                    self.report_unknown_type(name);
                }
                QualTy::ERROR
            }
            None => {
                let text = crate::declare::text_of(&last.ident);
                self.error("not-a-type", name.span, format!("'{text}' is not a type"));
                QualTy::ERROR
            }
        }
    }

    fn report_unknown_type(&mut self, name: &ast::Name) {
        self.report_unknown(name);
    }

    /// A vector of more than four components: a class of the library.
    fn long_vector(&mut self, element: QualTy, len: u64, span: Span) -> Option<QualTy> {
        let key = crate::declare::NameKey::Name(Symbol::new(LONG_VECTOR));
        let ns = self.namespace_with(key)?;
        let def = self.lookup_in_namespace(ns, key).into_iter().find_map(|e| match e {
            Entity::Class(def) => Some(def),
            _ => None,
        })?;
        let args = vec![Arg::Type(element), Arg::Value { bits: len, ty: Ty::INT }];
        let class = self.class_instance(&def, args, span);
        Some(self.class_type(class).into())
    }

    pub fn is_type_entity(&self, e: &Entity) -> bool {
        matches!(
            e,
            Entity::Class(_)
                | Entity::Injected(_)
                | Entity::Enum(_)
                | Entity::Alias(_)
                | Entity::Type(_)
                | Entity::Param(
                    Binding::Bound(Arg::Type(_) | Arg::Template(_)) | Binding::Placeholder(_) | Binding::Pattern(..)
                )
        )
    }

    /// A vector of so many elements; `None` where the number is wrong.
    fn vector_type(&mut self, element: QualTy, len: Option<i64>, is_packed: bool, span: Span) -> QualTy {
        let scalar = self.program.types.as_scalar(element.ty);
        match (scalar, len) {
            (_, None) => QualTy::ERROR,
            (Some(s), Some(n @ 2..=4)) => {
                let kind = if is_packed { TyKind::PackedVector(s, n as u8) } else { TyKind::Vector(s, n as u8) };
                self.types().intern(kind).into()
            }
            (Some(_), Some(n @ 5..=64)) if !is_packed => {
                self.long_vector(element, n as u64, span).unwrap_or(QualTy::ERROR)
            }
            (Some(_), Some(n)) => {
                self.error("invalid-vector", span, format!("a vector has 2, 3 or 4 components, not {n}"));
                QualTy::ERROR
            }
            (None, _) => {
                let text = self.type_name(element);
                self.error("invalid-vector", span, format!("there are no vectors of '{text}'"));
                QualTy::ERROR
            }
        }
    }

    /// `typedef float v4 __attribute__((ext_vector_type(4)))`, and `vector_size`, which counts bytes.
    fn attributed_type(&mut self, ty: QualTy, attributes: &[ast::Attribute]) -> QualTy {
        let is_vector = |a: &&ast::Attribute| matches!(a.name.as_str(), "ext_vector_type" | "vector_size");
        let Some(a) = attributes.iter().find(is_vector) else { return ty };
        let Some(e) = a.args.first() else {
            self.error("missing-argument", a.span, format!("'{}' takes a number", a.name));
            return QualTy::ERROR;
        };
        if ty.is_error() {
            return ty;
        }
        let mut len = self.constant_integer(e, "the length of a vector");
        if a.name == "vector_size" {
            len = len.map(|n| n / self.size_of(ty.ty).max(1) as i64);
        }
        if len == Some(1) {
            return ty;
        }
        let element = QualTy { ty: ty.ty, quals: Quals::NONE, space: None };
        QualTy { ty: self.vector_type(element, len, false, a.span).ty, ..ty }
    }

    /// `__vec<T, N>`, `__packed_vec<T, N>`, `__underlying_type<E>`, `__make_integer_seq<S, T, N>`.
    fn builtin_template(&mut self, segment: &ast::NameSegment) -> Option<QualTy> {
        let ast::Ident::Name(name) = segment.ident else { return None };
        if !name.as_str().starts_with("__") {
            return None;
        }
        let args = segment.template_args.as_ref()?;
        let span = segment.span;
        match name.as_str() {
            "__vec" | "__packed_vec" if args.len() == 2 => {
                let element = self.type_of_arg(&args[0]);
                let len = self.integer_of_arg(&args[1]);
                if element.is_error() {
                    return Some(QualTy::ERROR);
                }
                Some(self.vector_type(element, len, name == "__packed_vec", span))
            }
            "__underlying_type" if args.len() == 1 => {
                let ty = self.type_of_arg(&args[0]);
                match *self.kind(ty.ty) {
                    TyKind::Enum(e) => {
                        self.complete_enum(e);
                        Some(Ty::scalar(self.program.enums[e].underlying).into())
                    }
                    TyKind::Error => Some(QualTy::ERROR),
                    _ => {
                        let text = self.type_name(ty);
                        self.error("not-an-enum", span, format!("'{text}' is not an enumeration"));
                        Some(QualTy::ERROR)
                    }
                }
            }
            "__make_integer_seq" if args.len() == 3 => {
                let template = self.template_of_arg(&args[0])?;
                let ty = self.type_of_arg(&args[1]);
                let len = self.integer_of_arg(&args[2])?.clamp(0, 4096) as u64;
                let TemplateRef::Class(def) = template else { return Some(QualTy::ERROR) };
                let values = (0..len).map(|bits| Arg::Value { bits, ty: ty.ty }).collect();
                let class = self.class_instance(&def, vec![Arg::Type(ty), Arg::Pack(values)], span);
                Some(self.class_type(class).into())
            }
            _ => None,
        }
    }

    pub fn class_type(&mut self, class: ClassId) -> Ty {
        self.types().intern(TyKind::Class(class))
    }

    /// The type an entity names, with the template arguments of the segment. Reports and gives `None` otherwise.
    pub fn entity_type(&mut self, entity: &Entity, segment: &ast::NameSegment) -> Option<QualTy> {
        let span = segment.span;
        let args = segment.template_args.as_deref();
        match entity {
            Entity::Class(def) => {
                let def = def.clone();
                if self.report_unsupported(&def.decl.attributes, def.name.as_str(), span) {
                    return None;
                }
                if def.header.is_some() {
                    let Some(args) = args else {
                        let message = format!("'{}' is a template and needs arguments", def.name);
                        self.report(
                            Diagnostic::error("missing-template-arguments", span, message)
                                .note_at(def.decl.span_of_name(), "the template is declared here"),
                        );
                        return None;
                    };
                    let header = def.header.clone()?;
                    let scope = def.scope.clone();
                    let args = self.resolve_template_args(&header.params, args, &scope, span, def.name)?;
                    let class = self.class_instance(&def, args, span);
                    return Some(self.class_type(class).into());
                }
                if args.is_some() {
                    self.error("not-a-template", span, format!("'{}' is not a template", def.name));
                    return None;
                }
                let class = self.class_instance(&def, Vec::new(), span);
                Some(self.class_type(class).into())
            }
            Entity::Injected(class) => {
                if args.is_some() {
                    let def = self.classes[class.0 as usize].def.clone();
                    return self.entity_type(&Entity::Class(def), segment);
                }
                Some(self.class_type(*class).into())
            }
            Entity::Enum(def) => {
                let id = self.enum_instance(def);
                Some(self.types().intern(TyKind::Enum(id)).into())
            }
            Entity::Alias(def) => {
                let def = def.clone();
                match (&def.decl.template, args) {
                    (None, None) => Some(self.alias_type(&def, span)),
                    (None, Some(_)) => {
                        self.error("not-a-template", span, format!("'{}' is not a template", def.decl.name));
                        None
                    }
                    (Some(_), None) => {
                        let message = format!("'{}' is a template and needs arguments", def.decl.name);
                        self.error("missing-template-arguments", span, message);
                        None
                    }
                    (Some(header), Some(args)) => {
                        let scope = def.scope.clone();
                        let args = self.resolve_template_args(&header.params, args, &scope, span, def.decl.name)?;
                        Some(self.alias_instance(&def, args))
                    }
                }
            }
            Entity::Type(t) => Some(*t),
            Entity::Param(Binding::Bound(Arg::Type(t))) => Some(*t),
            Entity::Param(Binding::Bound(Arg::Template(t))) => {
                let entity = match t {
                    TemplateRef::Class(c) => Entity::Class(c.clone()),
                    TemplateRef::Alias(a) => Entity::Alias(a.clone()),
                };
                self.entity_type(&entity, segment)
            }
            Entity::Param(Binding::Bound(Arg::Pack(_))) => {
                self.error("unexpanded-pack", span, "this parameter pack is not expanded with '...'");
                None
            }
            Entity::Param(Binding::Placeholder(_) | Binding::Pattern(..)) => {
                self.error("cannot-deduce", span, "this template parameter is not known yet");
                None
            }
            _ => {
                self.error("not-a-type", span, "this is not a type");
                None
            }
        }
    }

    pub fn alias_type(&mut self, def: &Rc<AliasDef>, span: Span) -> QualTy {
        if let Some(t) = def.resolved.get() {
            return t;
        }
        if def.resolving.replace(true) {
            self.error("recursive-alias", span, format!("the alias '{}' refers to itself", def.decl.name));
            return QualTy::ERROR;
        }
        let scope = def.scope.clone();
        let decl = def.decl.clone();
        let ty = self.hard(|c| {
            c.in_scope(&scope, |c| match &decl.ty.kind {
                ast::TypeExprKind::Class(class) => c.embedded_class(class, Some(decl.name)),
                _ => {
                    let ty = c.resolve_type(&decl.ty);
                    c.attributed_type(ty, &decl.attributes)
                }
            })
        });
        def.resolving.set(false);
        def.resolved.set(Some(ty));
        ty
    }

    pub fn alias_instance(&mut self, def: &Rc<AliasDef>, args: Vec<Arg>) -> QualTy {
        let Some(header) = &def.decl.template else { return QualTy::ERROR };
        let names = bind_params(&header.params, &args);
        let scope = Scope::params(&def.scope, names);
        let decl = def.decl.clone();
        let (auto, default) = (self.auto_binding.take(), self.default_space.take());
        let ty = self.in_scope(&scope, |c| {
            let ty = c.resolve_type(&decl.ty);
            c.attributed_type(ty, &decl.attributes)
        });
        (self.auto_binding, self.default_space) = (auto, default);
        ty
    }

    /// A class defined inside another declaration.
    pub fn embedded_class(&mut self, decl: &Arc<ast::ClassDecl>, alias: Option<Symbol>) -> QualTy {
        if let Some(name) = &decl.name {
            // Declared by the walk of the namespace, or in the enclosing class or block already.
            let found = self.lookup(name);
            for e in &found.entities {
                if let Entity::Class(def) = e
                    && Arc::ptr_eq(&def.decl, decl)
                {
                    let id = self.class_instance(&def.clone(), Vec::new(), decl.span);
                    return self.class_type(id).into();
                }
            }
        }
        let key = (Arc::as_ptr(decl) as usize, Rc::as_ptr(&self.scope) as usize);
        let def = match self.embedded_classes.get(&key) {
            Some(d) => d.clone(),
            None => {
                let scope = self.scope.clone();
                let mut def = self.make_class_def(decl.clone(), scope, Vec::new(), Vec::new());
                if let (Some(alias), Some(d), None) = (alias, Rc::get_mut(&mut def), &decl.name) {
                    d.name = alias;
                }
                self.embedded_classes.insert(key, def.clone());
                if let Some(ast::Ident::Name(n)) = decl.name.as_ref().and_then(|n| n.segments.last()).map(|s| &s.ident)
                {
                    self.scope.declare(*n, Entity::Class(def.clone()));
                }
                def
            }
        };
        let id = self.class_instance(&def, Vec::new(), decl.span);
        self.class_type(id).into()
    }

    pub fn embedded_enum_def(&mut self, decl: &Arc<ast::EnumDecl>) -> Rc<EnumDef> {
        let key = (Arc::as_ptr(decl) as usize, Rc::as_ptr(&self.scope) as usize);
        let scope = self.scope.clone();
        self.embedded_enums
            .entry(key)
            .or_insert_with(|| Rc::new(EnumDef { decl: decl.clone(), scope, id: None.into() }))
            .clone()
    }

    fn embedded_enum(&mut self, decl: &Arc<ast::EnumDecl>) -> QualTy {
        let def = self.embedded_enum_def(decl);
        let id = self.enum_instance(&def);
        self.types().intern(TyKind::Enum(id)).into()
    }

    // ---- enumerations --------------------------------------------------------------------

    pub fn enum_instance(&mut self, def: &Rc<EnumDef>) -> EnumId {
        if let Some(id) = def.id.get() {
            return id;
        }
        let name = match def.decl.name.as_ref().and_then(|n| n.segments.last()).map(|s| &s.ident) {
            Some(ast::Ident::Name(n)) => *n,
            _ => Symbol::new("(unnamed enum)"),
        };
        let id = self.program.enums.push(hir::Enum { name, underlying: Scalar::Int, is_scoped: def.decl.is_scoped });
        def.id.set(Some(id));
        let ns = def.scope.namespace();
        self.enum_infos.push(EnumInfo { def: def.clone(), values: Vec::new(), is_complete: false, ns });
        let scope = def.scope.clone();
        if let Some(t) = &def.decl.underlying {
            let ty = self.hard(|c| c.in_scope(&scope, |c| c.resolve_type(t)));
            match self.program.types.as_scalar(ty.ty) {
                Some(s) if s.is_integer() => self.program.enums[id].underlying = s,
                _ if ty.is_error() => {}
                _ => {
                    let name = self.type_name(ty);
                    let message = format!("the underlying type of an enumeration is an integer type, not '{name}'");
                    self.hard(|c| c.error("invalid-underlying-type", t.span, message));
                }
            }
        }
        id
    }

    /// Evaluates the enumerators.
    pub fn complete_enum(&mut self, id: EnumId) {
        if self.enum_infos[id.0 as usize].is_complete {
            return;
        }
        self.enum_infos[id.0 as usize].is_complete = true;
        let def = self.enum_infos[id.0 as usize].def.clone();
        let block = Scope::block(&def.scope);
        let has_underlying = def.decl.underlying.is_some();
        let mut next: i128 = 0;
        let mut range = (0i128, 0i128);
        let all = def.decl.enumerators.as_deref().unwrap_or_default();
        let mut seen = msl_base::FxMap::default();
        for (i, enumerator) in all.iter().enumerate() {
            if let Some(first) = seen.insert(enumerator.name, i).map(|first: usize| &all[first]) {
                let message = format!("'{}' is an enumerator of this enumeration already", enumerator.name);
                let d = Diagnostic::error("redefinition", enumerator.span, message).note_at(first.span, "it is here");
                self.hard(|c| c.report(d));
            }
            if let Some(e) = &enumerator.value {
                let what = "the value of an enumerator";
                let value = self.hard(|c| c.in_scope(&block, |c| c.early(what, e.span, |c| c.constant_wide(e, what))));
                next = value.unwrap_or(next);
            }
            range = (range.0.min(next), range.1.max(next));
            self.enum_infos[id.0 as usize].values.push(next as u64);
            // Earlier enumerators are visible to later ones, inside scoped enumerations too.
            block.declare(enumerator.name, Entity::Enumerator(def.clone(), i as u32));
            next += 1;
        }
        if !has_underlying && !def.decl.is_scoped {
            let fits = |lo: i128, hi: i128| range.0 >= lo && range.1 <= hi;
            let underlying = if fits(i32::MIN.into(), i32::MAX.into()) {
                // Clang picks `unsigned int` where no enumerator is negative.
                if range.0 >= 0 { Scalar::UInt } else { Scalar::Int }
            } else if fits(0, u32::MAX.into()) {
                Scalar::UInt
            } else if fits(i64::MIN.into(), i64::MAX.into()) {
                Scalar::Long
            } else {
                Scalar::ULong
            };
            self.program.enums[id].underlying = underlying;
        }
        let scalar = self.program.enums[id].underlying;
        for v in &mut self.enum_infos[id.0 as usize].values {
            *v = crate::constant::truncate(*v, scalar);
        }
    }

    pub fn enumerator_value(&mut self, def: &Rc<EnumDef>, index: u32) -> (Ty, u64) {
        let id = self.enum_instance(def);
        self.complete_enum(id);
        let info = &self.enum_infos[id.0 as usize];
        match info.values.get(index as usize) {
            Some(v) => {
                let v = *v;
                (self.types().intern(TyKind::Enum(id)), v)
            }
            // Used inside its own enumeration, before it is complete.
            None => (Ty::ERROR, 0),
        }
    }

    // ---- decltype ------------------------------------------------------------------------

    pub fn decltype_of(&mut self, e: &ast::Expr) -> QualTy {
        self.unevaluated += 1;
        let (ty, _) = self.noting_late(|c| c.decltype_inner(e));
        self.unevaluated -= 1;
        ty
    }

    fn decltype_inner(&mut self, e: &ast::Expr) -> QualTy {
        match &e.kind {
            // An entity that is named has its declared type.
            ast::ExprKind::Name(name) => {
                let found = self.lookup(name);
                if let [entity] = &found.entities[..] {
                    match entity {
                        Entity::Local(v) => return v.ty,
                        Entity::Bound(v) => return QualTy { space: None, ..v.qual_ty() },
                        Entity::Field(class, path) => {
                            if let Some(t) = self.declared_field_type(*class, path) {
                                return t;
                            }
                        }
                        Entity::Variable(def) => {
                            let def = def.clone();
                            if let Some(v) = self.variable_instance(&def, name) {
                                return v.ty;
                            }
                        }
                        _ => {}
                    }
                }
            }
            ast::ExprKind::Member { base, is_arrow, name } => {
                if let Some(t) = self.declared_member_type(base, *is_arrow, name) {
                    return t;
                }
            }
            _ => {}
        }
        let value = self.check_expr_or_function(e);
        let mut ty = value.qual_ty();
        if ty.is_error() {
            return QualTy::ERROR;
        }
        match value.expr.category {
            hir::Category::LValue(space) => self.types().reference(ty.ty, ty.quals, space, value.is_xvalue).into(),
            hir::Category::RValue => {
                ty.quals = Quals::NONE;
                ty.space = None;
                ty
            }
        }
    }
}

/// Pairs template parameters with their arguments.
pub fn bind_params(params: &[ast::TemplateParam], args: &[Arg]) -> Vec<(Symbol, Binding)> {
    params.iter().zip(args).filter_map(|(p, a)| Some((p.name?, Binding::Bound(a.clone())))).collect()
}

pub trait NameSpan {
    fn span_of_name(&self) -> Span;
}

impl NameSpan for ast::ClassDecl {
    fn span_of_name(&self) -> Span {
        self.name.as_ref().map_or(self.span, |n| n.span)
    }
}
