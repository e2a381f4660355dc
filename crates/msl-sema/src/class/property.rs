//! What is asked about complete classes: constructors, triviality, bases.

use std::rc::Rc;

use msl_base::Span;
use msl_syntax::ast;

use crate::checker::Checker;
use crate::declare::NameKey;
use crate::entity::*;
use crate::types::*;

/// As many bases, theirs included, are looked at for pointers to members.
const MOST_BASES: u32 = 4096;

impl Checker<'_> {
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
                if let Some(known) = self.classes[c.0 as usize].trivially_default {
                    return known;
                }
                let answer = self.is_class_trivially_default(c);
                if self.classes[c.0 as usize].state == ClassState::Complete {
                    self.classes[c.0 as usize].trivially_default = Some(answer);
                }
                answer
            }
            _ => true,
        }
    }

    fn is_class_trivially_default(&mut self, c: ClassId) -> bool {
        // Beside other constructors there is a default one only if it is asked for.
        if self.has_user_default(c) || self.has_user_constructors(c) && !self.has_defaulted_default(c) {
            return false;
        }
        let fields = self.classes[c.0 as usize].fields.clone();
        fields.iter().all(|f| f.decl.as_ref().is_none_or(|d| d.init.is_none()) && self.is_trivially_default(f.ty.ty))
    }

    /// Copying it is copying its bytes.
    pub fn is_trivially_copyable(&mut self, ty: Ty) -> bool {
        match *self.kind(ty) {
            TyKind::Array { element, .. } => self.is_trivially_copyable(element),
            TyKind::Class(c) => {
                self.complete_class(c, Span::NONE);
                if let Some(known) = self.classes[c.0 as usize].trivially_copyable {
                    return known;
                }
                let fields = self.classes[c.0 as usize].fields.clone();
                let answer =
                    !self.user_copy_constructor(c) && fields.iter().all(|f| self.is_trivially_copyable(f.ty.ty));
                if self.classes[c.0 as usize].state == ClassState::Complete {
                    self.classes[c.0 as usize].trivially_copyable = Some(answer);
                }
                answer
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

    /// Where in a class objects of one of its bases are, and the steps there. A class may have a base several times.
    pub fn base_subobjects(&self, from: ClassId, to: ClassId) -> Vec<(u64, Vec<(u32, ClassId)>)> {
        let (mut found, mut left) = (Vec::new(), MOST_BASES);
        self.collect_subobjects(from, to, (0, &mut Vec::new()), &mut left, &mut found);
        found
    }

    fn collect_subobjects(
        &self,
        from: ClassId,
        to: ClassId,
        (offset, path): (u64, &mut Vec<(u32, ClassId)>),
        left: &mut u32,
        found: &mut Vec<(u64, Vec<(u32, ClassId)>)>,
    ) {
        if from == to {
            found.push((offset, path.clone()));
            return;
        }
        for base in &self.classes[from.0 as usize].bases {
            let Some(rest) = left.checked_sub(1) else { return };
            *left = rest;
            let Some(field) = self.program.classes[from].fields.get(base.field as usize) else { continue };
            path.push((base.field, base.class));
            self.collect_subobjects(base.class, to, (offset + field.offset, path), left, found);
            path.pop();
        }
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
