//! Classes: members, bases, layout.
//!
//! A class is completed when something needs its members or size: its specialisation is chosen, members are
//! registered (signatures and bodies stay unchecked), fields are laid out after the C++ ABI with the sizes of
//! MSL (section 2). Empty bases take no room.

use std::rc::Rc;
use std::sync::Arc;

use msl_base::{Diagnostic, Span, Symbol};
use msl_syntax::ast;

use crate::checker::Checker;
use crate::declare::{NameKey, OutOfClassKind};
use crate::entity::*;
use crate::hir::{self, SpecialClass, TextureAccess, TextureDimension};
use crate::types::*;

impl Checker<'_> {
    /// Makes the members and layout of a class known. `false`: the class is not defined (nothing is reported).
    pub fn complete_class(&mut self, id: ClassId, span: Span) -> bool {
        match self.classes[id.0 as usize].state {
            ClassState::Complete => return !self.classes[id.0 as usize].has_error,
            ClassState::Completing => return false,
            ClassState::Declared => {}
        }
        let (def, args) = {
            let info = &self.classes[id.0 as usize];
            (info.def.clone(), info.args.clone())
        };
        let (decl, env) = self.hard(|c| c.select_specialization(&def, &args, span));
        if decl.members.is_none() {
            return false;
        }
        self.classes[id.0 as usize].state = ClassState::Completing;
        self.classes[id.0 as usize].decl = decl.clone();
        let scope = Scope::class(&env, id);
        self.classes[id.0 as usize].scope = scope.clone();
        let at = if span.is_none() { self.classes[id.0 as usize].span } else { span };
        let (auto, default) = (self.auto_binding.take(), self.default_space.take());
        let errors = self.diags.error_count();
        let work = |c: &mut Self| c.in_scope(&scope, |c| c.define_class(id, &decl, &def));
        self.hard(|c| {
            if args.is_empty() {
                work(c);
            } else if c.in_frame(FrameKind::Class(id), at, work).is_none() {
                c.classes[id.0 as usize].has_error = true;
            }
        });
        (self.auto_binding, self.default_space) = (auto, default);
        // What is missing from a class with errors is not worth a message of its own.
        self.classes[id.0 as usize].has_error |= self.diags.error_count() > errors;
        self.classes[id.0 as usize].state = ClassState::Complete;
        if args.is_empty() {
            self.check_class_asserts(id, &decl);
        } else {
            self.in_frame(FrameKind::Class(id), at, |c| c.check_class_asserts(id, &decl));
        }
        true
    }

    /// Like `complete_class`; reports a class that is not defined.
    pub fn require_complete(&mut self, ty: Ty, span: Span) -> bool {
        match *self.kind(ty) {
            TyKind::Class(c) => {
                if self.complete_class(c, span) || self.classes[c.0 as usize].has_error {
                    return true;
                }
                let name = self.class_name(c);
                let at = self.classes[c.0 as usize].def.decl.span;
                let what = match self.classes[c.0 as usize].state {
                    ClassState::Completing => format!("'{name}' is not complete here, inside its own definition"),
                    _ => format!("'{name}' is declared but not defined"),
                };
                self.report(Diagnostic::error("incomplete-type", span, what).note_at(at, "it is declared here"));
                false
            }
            TyKind::Array { element, .. } => self.require_complete(element, span),
            _ => true,
        }
    }

    fn define_class(&mut self, id: ClassId, decl: &Arc<ast::ClassDecl>, def: &Rc<ClassDef>) {
        let mut layout = Layout { is_union: decl.key == ast::ClassKey::Union, ..Layout::default() };
        self.program.classes[id].is_union = layout.is_union;
        for base in &decl.bases {
            if base.is_virtual {
                self.error("unsupported-virtual-base", base.span, "virtual base classes are not supported by Metal");
                continue;
            }
            let mut types = Vec::new();
            if base.is_pack || matches!(base.ty.kind, ast::TypeExprKind::Pack(_)) {
                self.expand_pack_type(&base.ty, &mut |_, t| types.push(t));
            } else {
                types.push(self.resolve_type(&base.ty));
            }
            for ty in types {
                self.add_base(id, ty, base.span, &mut layout);
            }
        }
        for member in decl.members.iter().flatten() {
            self.add_member(id, member, &mut layout);
        }
        let align_attr = self.alignment_of(&decl.attributes).unwrap_or(1);
        let align = layout.align.max(align_attr);
        let class = &mut self.program.classes[id];
        class.align = align;
        class.size = layout.size.max(1).next_multiple_of(u64::from(align));
        self.attach_out_of_class(id, def);
        if let Some(special) = self.special_class(id, &decl.attributes) {
            self.program.classes[id].special = special;
        }
    }

    fn add_base(&mut self, id: ClassId, ty: QualTy, span: Span, layout: &mut Layout) {
        if ty.is_error() {
            self.classes[id.0 as usize].has_error = true;
            return;
        }
        let Some(base) = self.program.types.as_class(ty.ty) else {
            let name = self.type_name(ty);
            self.error("invalid-base", span, format!("'{name}' is not a class and cannot be a base"));
            return;
        };
        if !self.require_complete(ty.ty, span) {
            return;
        }
        let (size, align) = (self.program.classes[base].size, self.program.classes[base].align);
        let is_empty = self.is_empty_class(base);
        let offset = if is_empty {
            layout.align = layout.align.max(align);
            0
        } else {
            layout.place(size, align)
        };
        let field = self.program.classes[id].fields.len() as u32;
        self.program.classes[id].fields.push(hir::Field { name: None, ty: ty.ty, offset, is_base: true, id: None });
        let info = &mut self.classes[id.0 as usize];
        info.bases.push(BaseInfo { class: base, field });
        info.fields.push(FieldInfo { name: None, ty: ty.ty.into(), is_base: true, is_mutable: false, decl: None });
    }

    /// No fields, or only empty bases.
    pub fn is_empty_class(&self, id: ClassId) -> bool {
        self.program.classes[id]
            .fields
            .iter()
            .all(|f| f.is_base && self.program.types.as_class(f.ty).is_some_and(|b| self.is_empty_class(b)))
    }

    fn add_entity(&mut self, id: ClassId, key: NameKey, entity: Entity) {
        self.classes[id.0 as usize].members.entry(key).or_default().push(entity);
    }

    fn add_member(&mut self, id: ClassId, member: &ast::Decl, layout: &mut Layout) {
        let scope = self.scope.clone();
        match &member.kind {
            ast::DeclKind::Alias(alias) => {
                self.add_embedded(id, &alias.ty);
                let def = AliasDef { decl: alias.clone(), scope, resolved: None.into(), resolving: false.into() };
                self.add_entity(id, NameKey::Name(alias.name), Entity::Alias(Rc::new(def)));
            }
            ast::DeclKind::Class(class) => self.add_nested_class(id, class, layout),
            ast::DeclKind::Enum(e) => self.add_enum(id, e),
            ast::DeclKind::Function(f) => {
                let key = match f.kind {
                    ast::FunctionKind::Constructor => NameKey::Constructor,
                    ast::FunctionKind::Destructor => NameKey::Destructor,
                    ast::FunctionKind::Conversion => NameKey::Conversion,
                    ast::FunctionKind::Ordinary => match f.name.segments.last() {
                        Some(s) => NameKey::of(&s.ident),
                        None => return,
                    },
                };
                if f.kind == ast::FunctionKind::Destructor
                    && let ast::FunctionBody::Block { body, .. } = &f.body
                    && !matches!(&body.kind, ast::StmtKind::Compound(list) if list.is_empty())
                {
                    self.error(
                        "unsupported-destructor",
                        f.name.span,
                        "destructors that do something are not supported by Metal",
                    );
                }
                let is_specialization = f.templates.last().is_some_and(|t| t.params.is_empty());
                if is_specialization {
                    // `template<> void f<int>()` inside the class: it belongs to the template before it.
                    let existing = self.classes[id.0 as usize].members.get_mut(&key);
                    if let Some(list) = existing {
                        for e in list {
                            if let Entity::Function(d) = e
                                && d.is_template()
                                && let Some(d) = Rc::get_mut(d)
                            {
                                d.specializations.push((scope.clone(), f.clone()));
                            }
                        }
                    }
                    return;
                }
                let def = self.make_fn_def(key, f.clone(), scope, Some(id), f.flags.is_static);
                self.add_entity(id, key, Entity::Function(def));
            }
            ast::DeclKind::Variable(v) => {
                self.add_embedded(id, &v.ty);
                if v.flags.is_static {
                    let Some(ast::Ident::Name(name)) = v.name.segments.last().map(|s| &s.ident) else { return };
                    let def = VarDef {
                        decl: v.clone(),
                        definition: None,
                        scope,
                        class: Some(id),
                        specializations: Vec::new(),
                        instances: Default::default(),
                        in_progress: false.into(),
                    };
                    self.add_entity(id, NameKey::Name(*name), Entity::Variable(Rc::new(def)));
                    return;
                }
                self.add_field(id, v, layout);
            }
            ast::DeclKind::Using { name, .. } => self.add_using(id, name),
            ast::DeclKind::Friend(inner) => {
                if let ast::DeclKind::Function(f) = &inner.kind
                    && !matches!(f.body, ast::FunctionBody::None)
                    && let Some(last) = f.name.segments.last()
                {
                    let key = NameKey::of(&last.ident);
                    let def = self.make_fn_def(key, f.clone(), scope, None, true);
                    self.classes[id.0 as usize].friends.push(def);
                }
            }
            ast::DeclKind::DeductionGuide(_)
            | ast::DeclKind::StaticAssert { .. }
            | ast::DeclKind::ExplicitInstantiation { .. }
            | ast::DeclKind::FpPragma(_)
            | ast::DeclKind::Empty
            | ast::DeclKind::Error => {}
            ast::DeclKind::Namespace { .. }
            | ast::DeclKind::NamespaceAlias { .. }
            | ast::DeclKind::UsingDirective(_) => {
                self.error("invalid-member", member.span, "this cannot be a member of a class");
            }
        }
    }

    /// Types defined inside the declaration of another member.
    fn add_embedded(&mut self, id: ClassId, ty: &ast::TypeExpr) {
        match &ty.kind {
            ast::TypeExprKind::Enum(e) => self.add_enum(id, e),
            ast::TypeExprKind::Class(c) if c.name.is_some() => self.register_class(id, c),
            ast::TypeExprKind::Qualified { inner, .. } => self.add_embedded(id, inner),
            ast::TypeExprKind::Pointer(t) => self.add_embedded(id, t),
            ast::TypeExprKind::Array { element, .. } => self.add_embedded(id, element),
            _ => {}
        }
    }

    fn add_enum(&mut self, id: ClassId, e: &Arc<ast::EnumDecl>) {
        let def = self.embedded_enum_def(e);
        if let Some(last) = e.name.as_ref().and_then(|n| n.segments.last()) {
            self.add_entity(id, NameKey::of(&last.ident), Entity::Enum(def.clone()));
        }
        if !e.is_scoped {
            for (i, enumerator) in e.enumerators.iter().flatten().enumerate() {
                self.add_entity(id, NameKey::Name(enumerator.name), Entity::Enumerator(def.clone(), i as u32));
            }
        }
    }

    fn register_class(&mut self, id: ClassId, class: &Arc<ast::ClassDecl>) {
        let Some(last) = class.name.as_ref().and_then(|n| n.segments.last()) else { return };
        let key = NameKey::of(&last.ident);
        let scope = self.scope.clone();
        let existing = self.classes[id.0 as usize].members.get(&key).and_then(|l| {
            l.iter().find_map(|e| match e {
                Entity::Class(d) => Some(d.clone()),
                _ => None,
            })
        });
        if let Some(existing) = existing {
            let list = self.classes[id.0 as usize].members.get_mut(&key);
            let copy = ClassDef {
                serial: existing.serial,
                name: existing.name,
                decl: if last.template_args.is_some() { existing.decl.clone() } else { class.clone() },
                scope: existing.scope.clone(),
                header: existing.header.clone(),
                specializations: {
                    let mut s = existing.specializations.clone();
                    if last.template_args.is_some() {
                        s.push((scope, class.clone()));
                    }
                    s
                },
                out_of_class: existing.out_of_class.clone(),
                instances: Default::default(),
                ns: existing.ns,
            };
            if class.members.is_some()
                && let Some(list) = list
            {
                list.retain(|e| !matches!(e, Entity::Class(_)));
                list.push(Entity::Class(Rc::new(copy)));
            }
            return;
        }
        // Definitions outside of the enclosing class, of this nested one and of its members.
        let outer = self.classes[id.0 as usize].def.clone();
        let mut decl = class.clone();
        let mut members = Vec::new();
        for (at, ooc) in &outer.out_of_class {
            let name = match &ooc.kind {
                OutOfClassKind::Class(c) => c.name.clone(),
                OutOfClassKind::Function(f) => Some(f.name.clone()),
                OutOfClassKind::Variable(v) => Some(v.name.clone()),
            };
            let Some(name) = name else { continue };
            let next = ooc.first_segment + 1;
            if name.segments.get(next).map(|s| NameKey::of(&s.ident)) != Some(key) {
                continue;
            }
            if name.segments.len() == next + 1 {
                if let OutOfClassKind::Class(c) = &ooc.kind {
                    decl = c.clone();
                }
            } else {
                let mut inner = ooc.clone();
                inner.first_segment = next;
                members.push((at.clone(), inner));
            }
        }
        let mut def = self.make_class_def(decl, scope, Vec::new(), members);
        if let Some(d) = Rc::get_mut(&mut def) {
            d.header = class.templates.last().filter(|t| !t.params.is_empty()).cloned();
            d.name = match last.ident {
                ast::Ident::Name(n) => n,
                _ => d.name,
            };
        }
        self.add_entity(id, key, Entity::Class(def));
    }

    fn add_nested_class(&mut self, id: ClassId, class: &Arc<ast::ClassDecl>, layout: &mut Layout) {
        if class.name.is_some() {
            self.register_class(id, class);
            return;
        }
        // An anonymous member: its fields are named as if they were ours.
        let ty = self.embedded_class(class, None);
        let Some(inner) = self.program.types.as_class(ty.ty) else { return };
        self.complete_class(inner, class.span);
        let index = self.push_field(id, None, ty, layout, None, 1, class.span);
        let names: Vec<(NameKey, Vec<u32>)> = self.classes[inner.0 as usize]
            .members
            .iter()
            .filter_map(|(k, list)| match &list[..] {
                [Entity::Field(_, path)] => Some((*k, path.to_vec())),
                _ => None,
            })
            .collect();
        for (key, path) in names {
            let full: Vec<u32> = std::iter::once(index).chain(path).collect();
            self.add_entity(id, key, Entity::Field(id, full.into()));
        }
    }

    fn add_field(&mut self, id: ClassId, v: &Arc<ast::VariableDecl>, layout: &mut Layout) {
        let Some(last) = v.name.segments.last() else { return };
        let ast::Ident::Name(name) = last.ident else { return };
        if let Some(bits) = &v.bits {
            self.error("unsupported-bit-field", bits.span, "bit-fields are not supported by Metal");
        }
        if crate::resolve::mentions_auto(&v.ty) {
            self.error("auto-not-allowed", v.ty.span, "a data member cannot have type 'auto'");
            return;
        }
        let ty = self.resolve_type(&v.ty);
        match self.kind(ty.ty) {
            TyKind::Void => {
                self.error("invalid-field-type", v.ty.span, "a data member cannot have type 'void'");
                return;
            }
            TyKind::Function { .. } => {
                self.error("invalid-field-type", v.ty.span, "a data member cannot be a function");
                return;
            }
            TyKind::Class(c) if *c == id => {
                let text = self.type_name(ty);
                self.error("incomplete-type", v.ty.span, format!("'{text}' cannot contain itself"));
                return;
            }
            _ => {}
        }
        if !self.require_complete(ty.ty, v.ty.span) {
            return;
        }
        if let Some(space) = ty.space.filter(|s| *s != AddressSpace::Thread) {
            let message = format!("a data member cannot be in address space '{}'", space.name());
            let d = Diagnostic::error("field-address-space", v.span, message).help(
                "the object decides where its members are; a pointer or reference member can point into another space",
            );
            self.report(d);
        }
        if self.classes[id.0 as usize].members.contains_key(&NameKey::Name(name)) {
            self.error("redefinition", v.name.span, format!("'{name}' is a member already"));
            return;
        }
        let align = self.alignment_of(&v.attributes).unwrap_or(1);
        let index = self.push_field(id, Some(name), ty, layout, Some(v.clone()), align, v.span);
        self.add_entity(id, NameKey::Name(name), Entity::Field(id, Rc::from(vec![index])));
    }

    fn push_field(
        &mut self,
        id: ClassId,
        name: Option<Symbol>,
        ty: QualTy,
        layout: &mut Layout,
        decl: Option<Arc<ast::VariableDecl>>,
        min_align: u32,
        span: Span,
    ) -> u32 {
        let stored = self.storage_type(ty);
        let (size, align) = (self.size_of(stored), self.align_of(stored).max(min_align));
        let offset = layout.place(size, align);
        if offset.saturating_add(size) > 1 << 40 {
            self.error("class-too-large", span, "this class is too large");
        }
        let index = self.program.classes[id].fields.len() as u32;
        let argument_id = decl.as_ref().and_then(|d| self.id_attribute(&d.attributes));
        self.program.classes[id].fields.push(hir::Field { name, ty: stored, offset, is_base: false, id: argument_id });
        let is_mutable = decl.as_ref().is_some_and(|d| d.flags.is_mutable);
        self.classes[id.0 as usize].fields.push(FieldInfo { name, ty, is_base: false, is_mutable, decl });
        index
    }

    fn id_attribute(&mut self, attributes: &[ast::Attribute]) -> Option<u32> {
        let a = attributes.iter().find(|a| a.name == "id")?;
        let e = a.args.first()?;
        let value = self.constant_integer(e, "the id of a member")?;
        u32::try_from(value).ok()
    }

    /// `alignas(n)`, `alignas(T)` and `__attribute__((aligned(n)))`.
    pub fn alignment_of(&mut self, attributes: &[ast::Attribute]) -> Option<u32> {
        let mut align = None;
        for a in attributes.iter().filter(|a| a.name == "alignas" || a.name == "aligned") {
            let Some(e) = a.args.first() else { continue };
            let value = match &e.kind {
                ast::ExprKind::Type(t) => {
                    let ty = self.resolve_type(t);
                    self.require_complete(ty.ty, t.span);
                    i64::from(self.align_of(ty.ty))
                }
                _ => match self.constant_integer(e, "an alignment") {
                    Some(v) => v,
                    None => continue,
                },
            };
            if value <= 0 || value > 1 << 16 || !(value as u64).is_power_of_two() {
                self.error("invalid-alignment", e.span, format!("{value} is not an alignment; it is a power of two"));
                continue;
            }
            align = Some(align.unwrap_or(1).max(value as u32));
        }
        align
    }

    fn add_using(&mut self, id: ClassId, name: &ast::Name) {
        let Some(last) = name.segments.last() else { return };
        let Some(qualifier) = self.resolve_qualifier(name) else { return };
        let crate::lookup::Qualifier::Class(base) = qualifier else {
            self.error("invalid-using", name.span, "a using-declaration in a class names a member of a base");
            return;
        };
        let base_name = self.classes[base.0 as usize].def.name;
        let written_base = name.segments.len().checked_sub(2).and_then(|i| match name.segments[i].ident {
            ast::Ident::Name(n) => Some(n),
            _ => None,
        });
        if let ast::Ident::Name(n) = last.ident
            && (n == base_name || Some(n) == written_base)
        {
            let ctors = self.lookup_in_class(base, NameKey::Constructor);
            for e in ctors {
                if let Entity::Function(f) = e {
                    let mut def =
                        self.make_fn_def(NameKey::Constructor, f.decl.clone(), f.scope.clone(), Some(id), false);
                    if let Some(d) = Rc::get_mut(&mut def) {
                        d.inherited = Some(f.clone());
                    }
                    self.add_entity(id, NameKey::Constructor, Entity::Function(def));
                }
            }
            return;
        }
        let key = NameKey::of(&last.ident);
        let found = self.lookup_in_class(base, key);
        if found.is_empty() {
            self.report_no_member(&crate::lookup::Qualifier::Class(base), &last.ident, last.span);
        }
        for e in found {
            self.add_entity(id, key, e);
        }
    }

    /// Gives members their definitions from outside the class.
    fn attach_out_of_class(&mut self, id: ClassId, def: &Rc<ClassDef>) {
        let decl = self.classes[id.0 as usize].decl.clone();
        let args = self.classes[id.0 as usize].args.clone();
        for (scope, ooc) in &def.out_of_class {
            let (name, templates) = match &ooc.kind {
                OutOfClassKind::Function(f) => (&f.name, &f.templates),
                OutOfClassKind::Variable(v) => (&v.name, &v.templates),
                OutOfClassKind::Class(_) => continue,
            };
            if name.segments.len() != ooc.first_segment + 2 {
                continue;
            }
            let owner = &name.segments[ooc.first_segment];
            let bound = match (&owner.template_args, templates.first()) {
                (Some(written), Some(header)) if !header.params.is_empty() => {
                    let own_args =
                        decl.name.as_ref().and_then(|n| n.segments.last()).and_then(|s| s.template_args.as_ref());
                    let text =
                        |list: &[ast::TemplateArg]| list.iter().map(crate::declare::arg_text).collect::<Vec<_>>();
                    match own_args {
                        // Of a partial specialisation: written the same way.
                        Some(own) if text(own) != text(written) => continue,
                        Some(own) => {
                            let Some(own_header) = decl.templates.last() else { continue };
                            let _ = own;
                            let values: Vec<Arg> =
                                own_header.params.iter().filter_map(|p| self.bound_param(p.name?)).collect();
                            Scope::params(scope, crate::resolve::bind_params(&header.params, &values))
                        }
                        // Of the primary template: the parameters in order.
                        None => {
                            let plain = written.len() == header.params.len()
                                && written.iter().zip(&header.params).all(|(a, p)| {
                                    let a = match a {
                                        ast::TemplateArg::Pack(inner) => inner,
                                        other => other,
                                    };
                                    p.name.is_some_and(|n| crate::declare::arg_text(a) == format!("::{n}"))
                                });
                            if !plain {
                                continue;
                            }
                            Scope::params(scope, crate::resolve::bind_params(&header.params, &args))
                        }
                    }
                }
                (Some(written), _) => {
                    // A member of one specialisation.
                    let Some(primary) = def.header.clone() else { continue };
                    let (def_scope, def_name) = (def.scope.clone(), def.name);
                    let found = self.attempt(|c| {
                        c.in_scope(scope, |c| {
                            c.resolve_template_args(&primary.params, written, &def_scope, Span::NONE, def_name)
                        })
                    });
                    match found {
                        Ok(Some(found)) if found == args => scope.clone(),
                        _ => continue,
                    }
                }
                (None, _) => scope.clone(),
            };
            let bound = Scope::class(&bound, id);
            self.attach_definition(id, ooc, bound);
        }
    }

    fn bound_param(&mut self, name: Symbol) -> Option<Arg> {
        match self.lookup_unqualified(NameKey::Name(name)).entities.into_iter().next() {
            Some(Entity::Param(Binding::Bound(a))) => Some(a),
            _ => None,
        }
    }

    fn attach_definition(&mut self, id: ClassId, ooc: &crate::declare::OutOfClass, bound: Rc<Scope>) {
        match &ooc.kind {
            OutOfClassKind::Function(f) => {
                let key = match f.kind {
                    ast::FunctionKind::Constructor => NameKey::Constructor,
                    ast::FunctionKind::Destructor => NameKey::Destructor,
                    ast::FunctionKind::Conversion => NameKey::Conversion,
                    ast::FunctionKind::Ordinary => match f.name.segments.last() {
                        Some(s) => NameKey::of(&s.ident),
                        None => return,
                    },
                };
                let list = self.classes[id.0 as usize].members.get(&key).cloned().unwrap_or_default();
                let candidates: Vec<Rc<FnDef>> = list
                    .into_iter()
                    .filter_map(|e| match e {
                        Entity::Function(d) if d.class == Some(id) && d.decl.params.len() == f.params.len() => Some(d),
                        _ => None,
                    })
                    .collect();
                let own_templates = |d: &ast::FunctionDecl| d.templates.last().map_or(0, |t| t.params.len());
                let text = |d: &ast::FunctionDecl| -> Vec<String> {
                    d.params.iter().map(|p| crate::declare::type_text(&p.ty)).collect()
                };
                let chosen = match candidates.len() {
                    0 => None,
                    1 => Some(0),
                    _ => candidates
                        .iter()
                        .position(|d| text(&d.decl) == text(f) && d.decl.this_quals == f.this_quals)
                        .or_else(|| candidates.iter().position(|d| text(&d.decl) == text(f)))
                        .or_else(|| {
                            candidates.iter().position(|d| {
                                !d.has_body() && d.is_template() == (own_templates(f) > 0 && d.header.is_some())
                            })
                        }),
                };
                match chosen {
                    Some(i) => *candidates[i].definition.borrow_mut() = Some((f.clone(), bound)),
                    None => {
                        let class = self.class_name(id);
                        let message = format!("'{class}' declares no such member");
                        self.error("unknown-member", f.name.span, message);
                    }
                }
            }
            OutOfClassKind::Variable(v) => {
                let Some(last) = v.name.segments.last() else { return };
                let key = NameKey::of(&last.ident);
                if let Some(list) = self.classes[id.0 as usize].members.get_mut(&key) {
                    for e in list {
                        if let Entity::Variable(def) = e
                            && let Some(d) = Rc::get_mut(def)
                        {
                            d.definition = Some((bound.clone(), v.clone()));
                        }
                    }
                }
            }
            OutOfClassKind::Class(_) => {}
        }
    }

    fn check_class_asserts(&mut self, id: ClassId, decl: &Arc<ast::ClassDecl>) {
        let scope = self.classes[id.0 as usize].scope.clone();
        for member in decl.members.iter().flatten() {
            if let ast::DeclKind::StaticAssert { condition, message } = &member.kind {
                self.hard(|c| c.in_scope(&scope, |c| c.check_static_assert(condition, *message, member.span)));
            }
        }
    }

    fn special_class(&mut self, id: ClassId, attributes: &[ast::Attribute]) -> Option<SpecialClass> {
        let attribute = attributes.iter().find(|a| a.name == "__metal_special")?;
        let name = match attribute.args.first().map(|e| &e.kind) {
            Some(ast::ExprKind::String(s)) => *s,
            _ => return None,
        };
        let args = self.classes[id.0 as usize].args.clone();
        let scalar = match args.first() {
            Some(Arg::Type(t)) => self.program.types.as_numeric(t.ty).map(|(s, _)| s),
            _ => None,
        };
        let value = |i: usize| match args.get(i) {
            Some(Arg::Value { bits, .. }) => *bits,
            _ => 0,
        };
        use TextureDimension as D;
        let dimension = match name.as_str() {
            "matrix" => {
                return Some(SpecialClass::Matrix { elem: scalar?, columns: value(1) as u8, rows: value(2) as u8 });
            }
            "atomic" => return Some(SpecialClass::Atomic),
            "sampler" => return Some(SpecialClass::Sampler),
            "array" => return Some(SpecialClass::Array { len: value(1) }),
            "simdgroup_matrix" => return Some(SpecialClass::SimdgroupMatrix),
            "texture1d" => D::D1,
            "texture1d_array" => D::D1Array,
            "texture2d" => D::D2,
            "texture2d_array" => D::D2Array,
            "texture2d_ms" => D::D2Multisample,
            "texture2d_ms_array" => D::D2MultisampleArray,
            "texture3d" => D::D3,
            "texturecube" => D::Cube,
            "texturecube_array" => D::CubeArray,
            "texture_buffer" => D::Buffer,
            "depth2d" => D::Depth2D,
            "depth2d_array" => D::Depth2DArray,
            "depthcube" => D::DepthCube,
            "depthcube_array" => D::DepthCubeArray,
            _ => return None,
        };
        let access = match args.get(1) {
            Some(Arg::Value { bits, ty }) => match self.value_name(*bits, *ty).rsplit("::").next() {
                Some("read") => TextureAccess::Read,
                Some("write") => TextureAccess::Write,
                Some("read_write") => TextureAccess::ReadWrite,
                _ => TextureAccess::Sample,
            },
            _ => TextureAccess::Sample,
        };
        Some(SpecialClass::Texture { dimension, component: scalar?, access })
    }

    // ---- sizes -------------------------------------------------------------------------

    /// What a variable, parameter or field of the type holds: references are pointers.
    pub fn storage_type(&mut self, ty: QualTy) -> Ty {
        match *self.kind(ty.ty) {
            TyKind::Reference { referent, quals, space, .. } => self.types().pointer(referent, quals, space),
            _ => ty.ty,
        }
    }

    pub fn size_of(&self, ty: Ty) -> u64 {
        match self.kind(ty) {
            TyKind::Error | TyKind::Void | TyKind::Function { .. } => 1,
            TyKind::NullPtr | TyKind::Pointer { .. } | TyKind::Reference { .. } => 8,
            TyKind::Scalar(s) => s.size(),
            TyKind::Vector(s, n) => s.size() * u64::from(if *n == 3 { 4 } else { *n }),
            TyKind::PackedVector(s, n) => s.size() * u64::from(*n),
            TyKind::Array { element, len, .. } => self.size_of(*element).saturating_mul(len.unwrap_or(0)),
            TyKind::Class(c) => self.program.classes[*c].size,
            TyKind::Enum(e) => self.program.enums[*e].underlying.size(),
        }
    }

    pub fn align_of(&self, ty: Ty) -> u32 {
        match self.kind(ty) {
            TyKind::Error | TyKind::Void | TyKind::Function { .. } => 1,
            TyKind::NullPtr | TyKind::Pointer { .. } | TyKind::Reference { .. } => 8,
            TyKind::Scalar(s) | TyKind::PackedVector(s, _) => s.size() as u32,
            TyKind::Vector(..) => self.size_of(ty) as u32,
            TyKind::Array { element, .. } => self.align_of(*element),
            TyKind::Class(c) => self.program.classes[*c].align,
            TyKind::Enum(e) => self.program.enums[*e].underlying.size() as u32,
        }
    }

    // ---- properties ----------------------------------------------------------------------

    pub fn constructors(&self, id: ClassId) -> Vec<Rc<FnDef>> {
        self.classes[id.0 as usize]
            .members
            .get(&NameKey::Constructor)
            .into_iter()
            .flatten()
            .filter_map(|e| match e {
                Entity::Function(f) => Some(f.clone()),
                _ => None,
            })
            .collect()
    }

    /// No constructors of its own: initialised member by member.
    pub fn is_aggregate(&self, id: ClassId) -> bool {
        self.classes[id.0 as usize].lambda.is_none() && !self.has_user_constructors(id)
    }

    pub fn has_user_constructors(&self, id: ClassId) -> bool {
        self.constructors(id).iter().any(|f| {
            !matches!(f.decl.body, ast::FunctionBody::Defaulted | ast::FunctionBody::Deleted)
                || f.definition.borrow().is_some()
        })
    }

    /// Leaving an object of the type uninitialised is what its default constructor does.
    pub fn is_trivially_default(&mut self, ty: Ty) -> bool {
        match *self.kind(ty) {
            TyKind::Array { element, .. } => self.is_trivially_default(element),
            TyKind::Class(c) => {
                self.complete_class(c, Span::NONE);
                if self.has_user_constructors(c) {
                    return false;
                }
                let fields = self.classes[c.0 as usize].fields.clone();
                fields
                    .iter()
                    .all(|f| f.decl.as_ref().is_none_or(|d| d.init.is_none()) && self.is_trivially_default(f.ty.ty))
            }
            _ => true,
        }
    }

    /// Copying it is copying its bytes.
    pub fn is_trivially_copyable(&mut self, ty: Ty) -> bool {
        match *self.kind(ty) {
            TyKind::Array { element, .. } => self.is_trivially_copyable(element),
            TyKind::Class(c) => {
                self.complete_class(c, Span::NONE);
                if self.user_copy_constructor(c) {
                    return false;
                }
                let fields = self.classes[c.0 as usize].fields.clone();
                fields.iter().all(|f| self.is_trivially_copyable(f.ty.ty))
            }
            TyKind::Reference { .. } | TyKind::Void | TyKind::Function { .. } => false,
            _ => true,
        }
    }

    /// Whether a constructor with a body takes one object of the class itself.
    pub fn user_copy_constructor(&mut self, id: ClassId) -> bool {
        let class = self.class_type(id);
        for f in self.constructors(id) {
            let is_trivial = matches!(f.decl.body, ast::FunctionBody::Defaulted);
            if f.is_template() || is_trivial || f.decl.params.is_empty() || f.inherited.is_some() {
                continue;
            }
            if f.decl.params.iter().skip(1).any(|p| p.default.is_none()) {
                continue;
            }
            let s = self.signature(&f, &[], Some(AddressSpace::Thread));
            if let Some(p) = s.params.first()
                && let TyKind::Reference { referent, .. } = self.kind(p.ty.ty)
                && *referent == class
            {
                return true;
            }
        }
        false
    }

    /// The steps from a class to one of its bases, as fields to go through. Empty for the class itself.
    pub fn path_to_base(&self, from: ClassId, to: ClassId) -> Option<Vec<(u32, ClassId)>> {
        if from == to {
            return Some(Vec::new());
        }
        for base in &self.classes[from.0 as usize].bases {
            if let Some(rest) = self.path_to_base(base.class, to) {
                return Some(std::iter::once((base.field, base.class)).chain(rest).collect());
            }
        }
        None
    }

    pub fn derives_from(&mut self, from: ClassId, to: ClassId) -> Option<u32> {
        self.complete_class(from, Span::NONE);
        self.path_to_base(from, to).map(|p| p.len() as u32)
    }

    pub fn declared_field_type(&self, class: ClassId, path: &[u32]) -> Option<QualTy> {
        let mut at = class;
        let mut ty = None;
        for (i, index) in path.iter().enumerate() {
            let field = self.classes[at.0 as usize].fields.get(*index as usize)?;
            ty = Some(field.ty);
            if i + 1 < path.len() {
                at = self.program.types.as_class(field.ty.ty)?;
            }
        }
        ty
    }
}

/// Where the next field goes.
#[derive(Default)]
struct Layout {
    size: u64,
    align: u32,
    is_union: bool,
}

impl Layout {
    fn place(&mut self, size: u64, align: u32) -> u64 {
        let align = align.max(1);
        self.align = self.align.max(align);
        if self.is_union {
            self.size = self.size.max(size);
            return 0;
        }
        let offset = self.size.next_multiple_of(u64::from(align));
        self.size = offset.saturating_add(size);
        offset
    }
}
