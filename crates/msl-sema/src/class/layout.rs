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

/// See `class-too-large`: what is copied or initialised member by member has to have an end.
const MOST_LEAVES: u64 = 1 << 16;

/// Where the next field goes, after the C++ ABI.
#[derive(Default)]
pub(super) struct Layout {
    pub(super) size: u64,
    pub(super) align: u32,
    pub(super) is_union: bool,
    /// `__attribute__((packed))`: no member is aligned unless it says so itself.
    pub(super) is_packed: bool,
    /// `#pragma pack(n)`: no member is aligned to more; 0 for no limit.
    pub(super) limit: u32,
    /// Bits of the last byte that a bit-field left for the next one.
    pub(super) free_bits: u64,
}

impl Layout {
    /// The alignment of a member: its type's, and what its own attributes ask for.
    fn member_align(&self, natural: u32, asked: u32, is_packed: bool) -> u32 {
        let align = if self.is_packed || is_packed { 1 } else { natural.max(1) };
        let align = align.max(asked);
        if self.limit == 0 { align } else { align.min(self.limit) }
    }

    pub(super) fn place(&mut self, size: u64, natural: u32, asked: u32, is_packed: bool) -> u64 {
        let align = self.member_align(natural, asked, is_packed);
        self.align = self.align.max(align);
        self.free_bits = 0;
        if self.is_union {
            self.size = self.size.max(size);
            return 0;
        }
        let offset = self.size.next_multiple_of(u64::from(align));
        self.size = offset.saturating_add(size);
        offset
    }

    /// The first bit of a bit-field of `width` bits in a type of `size` bytes. It crosses no boundary of the type's size
    /// unless members are packed; a width of 0 ends the run of bit-fields.
    fn place_bits(&mut self, size: u64, natural: u32, width: u64, is_named: bool, is_packed: bool) -> u64 {
        let align = self.member_align(natural, 1, is_packed);
        let align_bits = if self.is_packed || is_packed { 1 } else { u64::from(align) * 8 };
        if self.is_union {
            self.size = self.size.max(width.div_ceil(8));
            self.align = self.align.max(if is_named { align } else { 1 });
            return 0;
        }
        let mut start = self.size * 8 - self.free_bits;
        let may_pad = self.limit == 0;
        if width == 0 {
            start = start.next_multiple_of(u64::from(natural.max(1)) * 8);
        } else if may_pad && start % align_bits + width > size * 8 {
            start = start.next_multiple_of(align_bits);
        }
        let end = start + width;
        self.size = end.div_ceil(8);
        self.free_bits = self.size * 8 - end;
        if is_named {
            self.align = self.align.max(align);
        }
        start
    }
}

impl Checker<'_> {
    pub(super) fn add_field(&mut self, id: ClassId, v: &Arc<ast::VariableDecl>, layout: &mut Layout) {
        let Some(last) = v.name.segments.last() else { return self.add_padding(v, layout) };
        let ast::Ident::Name(name) = last.ident else { return };
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
        let index = match &v.bits {
            Some(width) => {
                let Some(width) = self.bit_field_width(ty, width, true) else { return };
                let (size, natural) = (self.size_of(ty.ty), self.align_of(ty.ty));
                let is_packed = v.attributes.iter().any(|a| a.name == "packed");
                let start = layout.place_bits(size, natural, width, true, is_packed);
                let bits = hir::Bits { start, width: width as u32 };
                self.record_field(id, Some(name), ty, start / 8, Some(bits), Some(v.clone()))
            }
            None => self.push_field(id, Some(name), ty, layout, Some(v.clone()), align, v.span),
        };
        self.add_entity(id, NameKey::Name(name), Entity::Field(id, Rc::from(vec![index])));
    }

    fn leaves(&self, ty: Ty) -> u64 {
        match *self.kind(ty) {
            TyKind::Array { element, .. } => self.leaves(element),
            TyKind::Class(c) => self.classes[c.0 as usize].leaves,
            _ => 1,
        }
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
        let (size, align) = (self.size_of(stored), self.align_of(stored));
        let is_packed = decl.as_ref().is_some_and(|d| d.attributes.iter().any(|a| a.name == "packed"));
        let offset = layout.place(size, align, min_align, is_packed);
        if offset.saturating_add(size) > 1 << 40 {
            self.error("class-too-large", span, "this class is too large");
        }
        // Classes in classes in classes: few lines make more members than any compiler could copy one by one.
        let (before, more) = (self.classes[id.0 as usize].leaves, self.leaves(stored));
        self.classes[id.0 as usize].leaves = before.saturating_add(more);
        if before <= MOST_LEAVES && more <= MOST_LEAVES && before + more > MOST_LEAVES {
            let message = format!("with this member the class has more than {MOST_LEAVES} numbers in it");
            self.error("class-too-large", span, message);
        }
        self.record_field(id, name, ty, offset, None, decl)
    }

    fn record_field(
        &mut self,
        id: ClassId,
        name: Option<Symbol>,
        ty: QualTy,
        offset: u64,
        bits: Option<hir::Bits>,
        decl: Option<Arc<ast::VariableDecl>>,
    ) -> u32 {
        let stored = self.storage_type(ty);
        let index = self.program.classes[id].fields.len() as u32;
        let argument_id = decl.as_ref().and_then(|d| self.id_attribute(&d.attributes));
        self.program.classes[id].fields.push(hir::Field {
            name,
            ty: stored,
            offset,
            is_base: false,
            id: argument_id,
            bits,
        });
        let is_mutable = decl.as_ref().is_some_and(|d| d.flags.is_mutable);
        self.classes[id.0 as usize].fields.push(FieldInfo { name, ty, is_base: false, is_mutable, decl });
        index
    }

    /// `int : 3;` takes room, `int : 0;` ends a run of bit-fields.
    fn add_padding(&mut self, v: &Arc<ast::VariableDecl>, layout: &mut Layout) {
        let Some(width) = &v.bits else { return };
        let ty = self.resolve_type(&v.ty);
        let Some(width) = self.bit_field_width(ty, width, false) else { return };
        let (size, natural) = (self.size_of(ty.ty), self.align_of(ty.ty));
        layout.place_bits(size, natural, width, false, false);
    }

    fn bit_field_width(&mut self, ty: QualTy, width: &ast::Expr, is_named: bool) -> Option<u64> {
        if ty.is_error() {
            return None;
        }
        let scalar = self.bits_scalar(ty.ty).filter(|s| s.is_integer());
        let Some(scalar) = scalar else {
            let message =
                format!("a bit-field is of an integer type or an enumeration, not of '{}'", self.type_name(ty));
            self.error("invalid-bit-field", width.span, message);
            return None;
        };
        let what = "the width of a bit-field";
        let value = self.early(what, width.span, |c| c.constant_integer(width, what))?;
        let largest = if scalar == Scalar::Bool { 1 } else { scalar.size() as i64 * 8 };
        let smallest = i64::from(is_named);
        if value < smallest || value > largest {
            let message =
                format!("a bit-field of '{}' has from {smallest} to {largest} bits, not {value}", self.type_name(ty));
            self.error("invalid-bit-field", width.span, message);
            return None;
        }
        Some(value as u64)
    }

    /// The bits of an lvalue that is a bit-field.
    pub fn bits_of(&self, e: &hir::Expr) -> Option<hir::Bits> {
        match &e.kind {
            hir::ExprKind::Field { base, field } => {
                let class = self.program.types.as_class(base.ty)?;
                self.program.classes[class].fields.get(*field as usize)?.bits
            }
            hir::ExprKind::Comma(_, right) => self.bits_of(right),
            hir::ExprKind::Conditional { then, otherwise, .. } if matches!(e.category, hir::Category::LValue(_)) => {
                self.bits_of(then).or_else(|| self.bits_of(otherwise))
            }
            hir::ExprKind::Assign { left, .. } | hir::ExprKind::CompoundAssign { left, .. } => self.bits_of(left),
            hir::ExprKind::IncDec { operand, is_prefix: true, .. } => self.bits_of(operand),
            _ => None,
        }
    }

    /// Whether an lvalue has no address: it is a bit-field, or several components of a vector.
    pub fn has_no_address(&self, e: &hir::Expr) -> bool {
        matches!(&e.kind, hir::ExprKind::Swizzle { components, .. } if components.len() > 1)
            || self.bits_of(e).is_some()
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
            TyKind::NullPtr | TyKind::Pointer { .. } | TyKind::Reference { .. } | TyKind::MemberPointer { .. } => 8,
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
            TyKind::NullPtr | TyKind::Pointer { .. } | TyKind::Reference { .. } | TyKind::MemberPointer { .. } => 8,
            TyKind::Scalar(s) | TyKind::PackedVector(s, _) => s.size() as u32,
            TyKind::Vector(..) => self.size_of(ty) as u32,
            TyKind::Array { element, .. } => self.align_of(*element),
            TyKind::Class(c) => self.program.classes[*c].align,
            TyKind::Enum(e) => self.program.enums[*e].underlying.size() as u32,
        }
    }
}
