//! The walk over the declarations of a translation unit: namespaces, using, aliases, enumerations, variables.
//!
//! Classes are in `class.rs`, functions and entry points in `function.rs`.

use std::sync::Arc;

use msl_base::{Diagnostic, Diagnostics, Symbol};
use msl_syntax::ast;

use super::spelling::text_of;
use super::*;

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

    pub(super) fn names(&mut self, ns: NsId) -> &mut Names {
        self.layer.names.entry(ns).or_default()
    }

    pub(super) fn add(&mut self, ns: NsId, key: NameKey, entity: DeclEntity) {
        let list = self.names(ns).members.entry(key).or_default();
        if !list.contains(&entity) {
            list.push(entity);
        }
    }

    pub(super) fn own(&self, ns: NsId, key: NameKey) -> Vec<DeclEntity> {
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
            ast::DeclKind::UsingEnum(name) => match self.resolve_enum(ns, name, 0) {
                Some((id, decl)) => {
                    for (i, enumerator) in decl.enumerators.iter().flatten().enumerate() {
                        self.add(ns, NameKey::Name(enumerator.name), DeclEntity::Enumerator(id, i as u32));
                    }
                }
                None => self.diags.push(Diagnostic::error(
                    "invalid-using",
                    name.span,
                    "'using enum' names an enumeration, and no enumeration of this name is declared at namespace scope",
                )),
            },
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
        self.diags.push(crate::diagnose::unknown_namespace(name));
    }

    fn resolve_namespace(&self, ns: NsId, name: &ast::Name) -> Option<NsId> {
        self.resolve_prefix(ns, name, name.segments.len())
    }

    pub(super) fn resolve_prefix(&self, ns: NsId, name: &ast::Name, count: usize) -> Option<NsId> {
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
    pub(super) fn resolve_owner(&self, ns: NsId, name: &ast::Name) -> Option<(usize, Vec<DeclEntity>)> {
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

    /// The enumeration a name or an alias of it designates.
    fn resolve_enum(&self, ns: NsId, name: &ast::Name, depth: u32) -> Option<(EnumDeclId, Arc<ast::EnumDecl>)> {
        let (i, found) = self.resolve_owner(ns, name)?;
        if i + 1 != name.segments.len() || depth > 8 {
            return None;
        }
        found.into_iter().find_map(|entity| match entity {
            DeclEntity::Enum(id) => Some((id, self.layer.enumeration(id).decl.clone())),
            DeclEntity::Alias(id) => match &self.layer.alias(id).decl.ty.kind {
                ast::TypeExprKind::Named { name: of, .. } => self.resolve_enum(self.layer.alias(id).ns, of, depth + 1),
                _ => None,
            },
            _ => None,
        })
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
}
