//! Registering the members of a class that is being completed.

use std::rc::Rc;
use std::sync::Arc;

use msl_base::Diagnostic;
use msl_syntax::ast;

use super::layout::Layout;
use crate::checker::Checker;
use crate::declare::{NameKey, OutOfClassKind};
use crate::entity::*;
use crate::types::*;

impl Checker<'_> {
    pub(super) fn add_entity(&mut self, id: ClassId, key: NameKey, entity: Entity) {
        self.classes[id.0 as usize].members.entry(key).or_default().push(entity);
    }

    pub(super) fn add_member(&mut self, id: ClassId, member: &ast::Decl, access: ast::Access, layout: &mut Layout) {
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
                if crate::declare::is_kernel(f) {
                    let d = Diagnostic::error(
                        "invalid-kernel",
                        f.name.span,
                        "a kernel is a function of its own, not a member of a class",
                    );
                    self.report(d.help("move it out of the class"));
                }
                let key = match f.kind {
                    ast::FunctionKind::Constructor => NameKey::Constructor,
                    ast::FunctionKind::Destructor => NameKey::Destructor,
                    ast::FunctionKind::Conversion => NameKey::Conversion,
                    ast::FunctionKind::Ordinary => match f.name.segments.last() {
                        Some(s) => NameKey::of(&s.ident),
                        None => return,
                    },
                };
                if f.kind == ast::FunctionKind::Destructor {
                    // Declared only: it is defined outside.
                    let is_declared = matches!(f.body, ast::FunctionBody::None);
                    self.any_destructor |= is_declared || crate::cleanup::does_something(&f.body);
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
                let mut def = self.make_fn_def(key, f.clone(), scope, Some(id), f.flags.is_static);
                if let Some(d) = Rc::get_mut(&mut def) {
                    d.access = access;
                }
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
            ast::DeclKind::Using { name, is_pack: true, .. } => {
                let mut names = Vec::new();
                crate::walk::names_in_name(name, &mut names);
                for scope in self.expansion_scopes(&names, member.span).unwrap_or_default() {
                    self.in_scope(&scope, |c| c.add_using(id, name, access));
                }
            }
            ast::DeclKind::Using { name, .. } => self.add_using(id, name, access),
            ast::DeclKind::UsingEnum(name) => {
                if let Some(def) = self.enum_named(name) {
                    for (i, enumerator) in def.decl.enumerators.iter().flatten().enumerate() {
                        self.add_entity(id, NameKey::Name(enumerator.name), Entity::Enumerator(def.clone(), i as u32));
                    }
                }
            }
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
        // `enum E : int;` is the enumeration that is defined further down.
        let name_of =
            |e: &ast::EnumDecl| e.name.as_ref().and_then(|n| n.segments.last()).map(|s| NameKey::of(&s.ident));
        let members = self.classes[id.0 as usize].def.decl.clone();
        let definition = members.members.iter().flatten().find_map(|m| match &m.kind {
            ast::DeclKind::Enum(d) if d.enumerators.is_some() && name_of(d).is_some() && name_of(d) == name_of(e) => {
                Some(d)
            }
            _ => None,
        });
        let e = if e.enumerators.is_none() { definition.unwrap_or(e) } else { e };
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

    fn add_using(&mut self, id: ClassId, name: &ast::Name, access: ast::Access) {
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
                        d.access = f.access;
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
        self.classes[id.0 as usize].redeclared.insert(key, access);
        for e in found {
            if let Entity::Function(f) = &e
                && access == ast::Access::Public
            {
                f.is_exposed.set(true);
            }
            self.add_entity(id, key, e);
        }
    }
}
