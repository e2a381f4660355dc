//! Who may use which member: `public`, `protected`, `private` and friends.
//!
//! Checked where a member is named through an object or its class. Overloads of one name share the access of the most
//! open one, friends are known by their names, and types inside of classes are open to all: programs that are right are
//! never refused.

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
            ast::DeclKind::Function(f) if f.kind == ast::FunctionKind::Ordinary => match f.name.segments.last() {
                Some(s) => (NameKey::of(&s.ident), None),
                None => return,
            },
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

    /// Reports a member that must not be used here.
    pub fn check_access(&mut self, owner: ClassId, key: NameKey, span: Span) {
        let Some(access) = self.classes[owner.0 as usize].access.get(&key).copied() else { return };
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
