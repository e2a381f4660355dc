//! Fields and where they are; sizes and alignments of all types.

use std::rc::Rc;
use std::sync::Arc;

use msl_base::{Diagnostic, Span, Symbol};
use msl_syntax::ast;

use crate::checker::Checker;
use crate::declare::NameKey;
use crate::entity::*;
use crate::hir;
use crate::types::*;

/// Where the next field goes.
#[derive(Default)]
pub(super) struct Layout {
    pub(super) size: u64,
    pub(super) align: u32,
    pub(super) is_union: bool,
}

impl Layout {
    pub(super) fn place(&mut self, size: u64, align: u32) -> u64 {
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

impl Checker<'_> {
    pub(super) fn add_field(&mut self, id: ClassId, v: &Arc<ast::VariableDecl>, layout: &mut Layout) {
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

    pub(super) fn push_field(
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
                _ => match self.early("an alignment", e.span, |c| c.constant_integer(e, "an alignment")) {
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
}
