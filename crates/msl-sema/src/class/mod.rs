//! Classes: members, bases, layout.
//!
//! A class is completed when something needs its members or size: its specialisation is chosen, members are
//! registered (signatures and bodies stay unchecked), fields are laid out after the C++ ABI with the sizes of
//! MSL (section 2). Empty bases take no room.

mod access;
mod layout;
mod member;
mod out_of_class;
mod property;
mod special;

use std::rc::Rc;
use std::sync::Arc;

use msl_base::{Diagnostic, Span};
use msl_syntax::ast;

use crate::checker::Checker;
use crate::entity::*;
use crate::hir;
use crate::types::*;

use layout::Layout;

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
        let mut layout = Layout {
            is_union: decl.key == ast::ClassKey::Union,
            is_packed: decl.attributes.iter().any(|a| a.name == "packed"),
            limit: decl.pack,
            ..Layout::default()
        };
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
            let implied = if decl.key == ast::ClassKey::Class { ast::Access::Private } else { ast::Access::Public };
            for ty in types {
                self.add_base(id, ty, base.access.unwrap_or(implied), base.span, &mut layout);
            }
        }
        for (i, member) in decl.members.iter().flatten().enumerate() {
            self.note_access(id, member, decl.access_of(i));
            self.add_member(id, member, decl.access_of(i), &mut layout);
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

    fn add_base(&mut self, id: ClassId, ty: QualTy, access: ast::Access, span: Span, layout: &mut Layout) {
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
            layout.place(size, align, 1, false)
        };
        let field = self.program.classes[id].fields.len() as u32;
        self.program.classes[id].fields.push(hir::Field {
            name: None,
            ty: ty.ty,
            offset,
            is_base: true,
            id: None,
            bits: None,
        });
        let leaves = self.classes[base.0 as usize].leaves;
        let info = &mut self.classes[id.0 as usize];
        info.bases.push(BaseInfo { class: base, field, access });
        info.leaves = info.leaves.saturating_add(leaves);
        info.fields.push(FieldInfo { name: None, ty: ty.ty.into(), is_base: true, is_mutable: false, decl: None });
    }

    /// No fields, or only empty bases.
    pub fn is_empty_class(&self, id: ClassId) -> bool {
        self.program.classes[id]
            .fields
            .iter()
            .all(|f| f.is_base && self.program.types.as_class(f.ty).is_some_and(|b| self.is_empty_class(b)))
    }

    fn check_class_asserts(&mut self, id: ClassId, decl: &Arc<ast::ClassDecl>) {
        let scope = self.classes[id.0 as usize].scope.clone();
        for member in decl.members.iter().flatten() {
            if let ast::DeclKind::StaticAssert { condition, message } = &member.kind {
                self.hard(|c| c.in_scope(&scope, |c| c.check_static_assert(condition, *message, member.span)));
            }
        }
    }
}
