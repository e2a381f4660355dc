//! Who may use which member: `public`, `protected`, `private` and friends.
//!
//! Checked where a member is named through an object or its class, where a constructor is called, and where an object
//! is taken for one of its bases. Friends are known by their names: programs that are right are never refused.

use msl_base::{Diagnostic, Span};
use msl_syntax::ast;

use crate::checker::Checker;
use crate::declare::NameKey;
use crate::entity::*;
use crate::resolve::NameSpan;
use crate::types::*;

impl Checker<'_> {
    /// Remembers that a member is not for everyone.
    pub(super) fn note_access(&mut self, id: ClassId, member: &ast::Decl, access: ast::Access) {
        let (key, name) = match &member.kind {
            ast::DeclKind::Alias(a) => (NameKey::Name(a.name), None),
            ast::DeclKind::Class(c) => match c.name.as_ref().and_then(|n| n.segments.last()) {
                Some(s) => (NameKey::of(&s.ident), None),
                None => return,
            },
            ast::DeclKind::Enum(e) => {
                let own = e.name.as_ref().and_then(|n| n.segments.last()).map(|s| NameKey::of(&s.ident));
                let inner = e.enumerators.iter().flatten().map(|e| NameKey::Name(e.name));
                let keys: Vec<NameKey> = own.into_iter().chain(inner.filter(|_| !e.is_scoped)).collect();
                if access != ast::Access::Public {
                    self.classes[id.0 as usize].access.extend(keys.into_iter().map(|k| (k, access)));
                }
                return;
            }
            ast::DeclKind::Variable(v) => match v.name.segments.last() {
                Some(s) => (NameKey::of(&s.ident), None),
                None => return,
            },
            ast::DeclKind::Friend(inner) => match &inner.kind {
                ast::DeclKind::Function(f) => (NameKey::Constructor, f.name.segments.last().cloned()),
                ast::DeclKind::Class(c) => {
                    (NameKey::Constructor, c.name.as_ref().and_then(|n| n.segments.last()).cloned())
                }
                _ => return,
            },
            _ => return,
        };
        let info = &mut self.classes[id.0 as usize];
        match (key, name) {
            (NameKey::Constructor, Some(friend)) => {
                if let ast::Ident::Name(n) = friend.ident {
                    info.friend_names.push(n);
                }
            }
            (NameKey::Constructor, None) => {}
            (key, _) => {
                let is_new = !info.members.contains_key(&key);
                if access == ast::Access::Public {
                    info.access.remove(&key);
                } else if is_new {
                    info.access.insert(key, access);
                }
            }
        }
    }

    /// Reports a function that must not be called here.
    pub fn check_function_access(&mut self, f: &FnDef, span: Span) {
        let is_closed = f.access != ast::Access::Public && !f.is_exposed.get();
        let Some(owner) = f.class.filter(|_| is_closed) else { return };
        if self.is_library_span(span) || self.may_use(owner, f.access) {
            return;
        }
        let what = if f.access == ast::Access::Private { "private" } else { "protected" };
        let class = self.class_name(owner);
        let message = match f.key {
            NameKey::Constructor => format!("this constructor of '{class}' is {what}"),
            NameKey::Destructor => format!("the destructor of '{class}' is {what}, so there can be no object here"),
            NameKey::Name(n) => format!("'{n}' is a {what} member of '{class}'"),
            _ => format!("this operator is a {what} member of '{class}'"),
        };
        let d = Diagnostic::error("inaccessible-member", span, message);
        self.report(d.note_at(f.span(), "it is declared here"));
    }

    /// Reports a variable whose end nobody here may bring about.
    pub fn check_destructor_access(&mut self, class: ClassId, span: Span) {
        let found = self.classes[class.0 as usize].members.get(&NameKey::Destructor).and_then(|l| l.first().cloned());
        if let Some(Entity::Function(f)) = found {
            self.check_function_access(&f, span);
        }
    }

    /// Reports a type or constant of a class that must not be named here. `class` is what it is named through.
    pub fn check_nested_access(&mut self, class: ClassId, key: NameKey, span: Span) {
        let mut owners = Vec::new();
        self.member_owners(class, key, &mut owners);
        if let Some(owner) = owners.first() {
            self.check_access(*owner, key, span);
        }
    }

    /// Reports an object that is taken for a base that it keeps to itself.
    pub fn check_base_access(&mut self, from: ClassId, to: ClassId, span: Span) {
        if self.is_library_span(span) {
            return;
        }
        let mut at = from;
        for (field, class) in self.path_to_base(from, to).unwrap_or_default() {
            let bases = &self.classes[at.0 as usize].bases;
            let access = bases.iter().find(|b| b.field == field).map_or(ast::Access::Public, |b| b.access);
            if access != ast::Access::Public && !self.may_use(at, access) {
                let what = if access == ast::Access::Private { "private" } else { "protected" };
                let (derived, base) = (self.class_name(at), self.class_name(class));
                let name = self.classes[at.0 as usize].decl.span_of_name();
                let d =
                    Diagnostic::error("inaccessible-member", span, format!("'{base}' is a {what} base of '{derived}'"))
                        .note_at(name, "the class is declared here")
                        .help(format!("derive from it with 'public': 'class {derived} : public {base}'"));
                self.report(d);
                return;
            }
            at = class;
        }
    }

    /// Whether a member of a base is known by a using-declaration. Reports one that must not be used here.
    pub fn check_redeclared(&mut self, class: ClassId, key: NameKey, span: Span) -> bool {
        let mut owners = Vec::new();
        self.member_owners(class, key, &mut owners);
        let Some(owner) = owners.first().copied() else { return false };
        let Some(access) = self.classes[owner.0 as usize].redeclared.get(&key).copied() else { return false };
        if access != ast::Access::Public {
            self.check_access_as(owner, key, access, span);
        }
        true
    }

    /// Reports a member that must not be used here.
    pub fn check_access(&mut self, owner: ClassId, key: NameKey, span: Span) {
        if let Some(access) = self.classes[owner.0 as usize].access.get(&key).copied() {
            self.check_access_as(owner, key, access, span);
        }
    }

    fn check_access_as(&mut self, owner: ClassId, key: NameKey, access: ast::Access, span: Span) {
        if self.is_library_span(span) || self.may_use(owner, access) {
            return;
        }
        let what = if access == ast::Access::Private { "private" } else { "protected" };
        let name = match key {
            NameKey::Name(n) => n.to_string(),
            _ => "this operator".into(),
        };
        let d = Diagnostic::error(
            "inaccessible-member",
            span,
            format!("'{name}' is a {what} member of '{}'", self.class_name(owner)),
        );
        let at = self.classes[owner.0 as usize].decl.span_of_name();
        self.report(d.note_at(at, "the class is declared here"));
    }

    fn may_use(&mut self, owner: ClassId, access: ast::Access) -> bool {
        let friends = self.classes[owner.0 as usize].friend_names.clone();
        let own_def = self.classes[owner.0 as usize].def.serial;
        let function = self.fcx.function.map(|f| self.functions[f.0 as usize].def.clone());
        if let Some(f) = &function
            && matches!(f.key, NameKey::Name(n) if friends.contains(&n))
        {
            return true;
        }
        let mut at = Some(self.scope.clone());
        let mut classes: Vec<ClassId> = function.and_then(|f| f.class).into_iter().collect();
        while let Some(scope) = at {
            if let ScopeKind::Class(c) = scope.kind {
                classes.push(c);
            }
            at = scope.parent.clone();
        }
        classes.into_iter().any(|c| {
            let def = self.classes[c.0 as usize].def.clone();
            // Instances of one template may differ here: that is not worth a false alarm.
            def.serial == own_def
                || friends.contains(&def.name)
                || access == ast::Access::Protected && self.derives_from(c, owner).is_some()
        })
    }
}
