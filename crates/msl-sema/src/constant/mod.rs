//! Values known while compiling, and arithmetic on their bits.

mod eval;
mod intrinsic;
mod late;

use half::{bf16, f16};
use msl_base::{Span, Symbol};

use crate::checker::Checker;
use crate::hir::{BinaryOp, Bits, CompareOp, GlobalId, GlobalPointer, UnaryOp};
use crate::types::*;

/// Objects of more bytes have no value while compiling.
const LARGEST: u64 = 1 << 24;

/// A value. Its type says how to read it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Const {
    /// Scalars, enumerations and function pointers: bits in the low end.
    Scalar(u64),
    Vector(Vec<u64>),
    /// Array elements or class fields.
    Aggregate(Vec<Const>),
    /// The active member of a union.
    Union(u32, Box<Const>),
    Pointer(Option<Pointer>),
    Void,
    /// A scalar without a value yet.
    Uninit,
}

/// An object and the way into it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Pointer {
    pub object: Object,
    pub path: Vec<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Object {
    Memory(usize),
    Global(GlobalId),
}

pub fn float_from_bits(bits: u64, s: Scalar) -> f64 {
    match s {
        Scalar::Half => f16::from_bits(bits as u16).to_f64(),
        Scalar::BFloat => bf16::from_bits(bits as u16).to_f64(),
        _ => f64::from(f32::from_bits(bits as u32)),
    }
}

pub fn float_to_bits(value: f64, s: Scalar) -> u64 {
    match s {
        Scalar::Half => u64::from(f16::from_f64(value).to_bits()),
        Scalar::BFloat => u64::from(bf16::from_f64(value).to_bits()),
        _ => u64::from((value as f32).to_bits()),
    }
}

/// Keeps the bits a type has.
pub fn truncate(bits: u64, s: Scalar) -> u64 {
    match s {
        Scalar::Bool => u64::from(bits != 0),
        _ => match s.size() {
            1 => bits & 0xff,
            2 => bits & 0xffff,
            4 => bits & 0xffff_ffff,
            _ => bits,
        },
    }
}

/// The value of integer bits.
pub fn sign_extend(bits: u64, s: Scalar) -> i64 {
    match s {
        Scalar::Char => i64::from(bits as i8),
        Scalar::Short => i64::from(bits as i16),
        Scalar::Int => i64::from(bits as i32),
        _ => truncate(bits, s) as i64,
    }
}

pub fn convert_scalar(bits: u64, from: Scalar, to: Scalar) -> u64 {
    match (from.is_float(), to.is_float()) {
        (true, true) => float_to_bits(float_from_bits(bits, from), to),
        (true, false) => {
            let f = float_from_bits(bits, from);
            match to {
                Scalar::Bool => u64::from(f != 0.0),
                Scalar::Char => f as i8 as u8 as u64,
                Scalar::UChar => f as u8 as u64,
                Scalar::Short => f as i16 as u16 as u64,
                Scalar::UShort => f as u16 as u64,
                Scalar::Int => f as i32 as u32 as u64,
                Scalar::UInt => f as u32 as u64,
                Scalar::Long => f as i64 as u64,
                _ => f as u64,
            }
        }
        (false, true) => {
            let f = if from == Scalar::ULong { bits as f64 } else { sign_extend(bits, from) as f64 };
            // 64-bit integers to float in one rounding.
            match (to, from) {
                (Scalar::Float, Scalar::ULong) => u64::from((bits as f32).to_bits()),
                (Scalar::Float, Scalar::Long) => u64::from((bits as i64 as f32).to_bits()),
                _ => float_to_bits(f, to),
            }
        }
        (false, false) => {
            if to == Scalar::Bool {
                u64::from(truncate(bits, from) != 0)
            } else {
                truncate(sign_extend(bits, from) as u64, to)
            }
        }
    }
}

pub fn unary_scalar(op: UnaryOp, bits: u64, s: Scalar) -> u64 {
    match op {
        UnaryOp::Negate if s.is_float() => bits ^ (1 << (s.size() * 8 - 1)),
        UnaryOp::Negate => truncate((bits as i64).wrapping_neg() as u64, s),
        UnaryOp::Not => u64::from(bits == 0),
        UnaryOp::BitNot => truncate(!bits, s),
    }
}

/// Arithmetic on two values of one type; an error says what is undefined.
pub fn binary_scalar(op: BinaryOp, a: u64, b: u64, s: Scalar) -> Result<u64, &'static str> {
    if s.is_float() {
        let (x, y) = (float_from_bits(a, s), float_from_bits(b, s));
        let exact32 = |f: fn(f32, f32) -> f32| u64::from(f(x as f32, y as f32).to_bits());
        let value = match (op, s) {
            (BinaryOp::Add, Scalar::Float) => return Ok(exact32(|x, y| x + y)),
            (BinaryOp::Sub, Scalar::Float) => return Ok(exact32(|x, y| x - y)),
            (BinaryOp::Mul, Scalar::Float) => return Ok(exact32(|x, y| x * y)),
            (BinaryOp::Div, Scalar::Float) => return Ok(exact32(|x, y| x / y)),
            (BinaryOp::Add, _) => x + y,
            (BinaryOp::Sub, _) => x - y,
            (BinaryOp::Mul, _) => x * y,
            (BinaryOp::Div, _) => x / y,
            _ => return Err("this operator does not apply to floating-point values"),
        };
        return Ok(float_to_bits(value, s));
    }
    let (x, y) = (sign_extend(a, s), sign_extend(b, s));
    let (ux, uy) = (truncate(a, s), truncate(b, s));
    let width = s.size() as u32 * 8;
    let bits = match op {
        BinaryOp::Add => x.wrapping_add(y) as u64,
        BinaryOp::Sub => x.wrapping_sub(y) as u64,
        BinaryOp::Mul => x.wrapping_mul(y) as u64,
        BinaryOp::Div | BinaryOp::Rem if uy == 0 => return Err("this divides by zero"),
        BinaryOp::Div if s.is_signed() => x.wrapping_div(y) as u64,
        BinaryOp::Rem if s.is_signed() => x.wrapping_rem(y) as u64,
        BinaryOp::Div => ux / uy,
        BinaryOp::Rem => ux % uy,
        // Metal takes shift amounts modulo the width.
        BinaryOp::Shl => ux << (uy as u32 & (width - 1)),
        BinaryOp::Shr if s.is_signed() => (x >> (uy as u32 & (width - 1))) as u64,
        BinaryOp::Shr => ux >> (uy as u32 & (width - 1)),
        BinaryOp::And => a & b,
        BinaryOp::Or => a | b,
        BinaryOp::Xor => a ^ b,
    };
    Ok(truncate(bits, s))
}

pub fn compare_scalar(op: CompareOp, a: u64, b: u64, s: Scalar) -> bool {
    let ordering = if s.is_float() {
        float_from_bits(a, s).partial_cmp(&float_from_bits(b, s))
    } else if s == Scalar::ULong {
        Some(a.cmp(&b))
    } else {
        Some(sign_extend(a, s).cmp(&sign_extend(b, s)))
    };
    use std::cmp::Ordering as O;
    match op {
        CompareOp::Eq => ordering == Some(O::Equal),
        CompareOp::Ne => ordering != Some(O::Equal),
        CompareOp::Lt => ordering == Some(O::Less),
        CompareOp::Le => matches!(ordering, Some(O::Less | O::Equal)),
        CompareOp::Gt => ordering == Some(O::Greater),
        CompareOp::Ge => matches!(ordering, Some(O::Greater | O::Equal)),
    }
}

impl Checker<'_> {
    /// The scalar that holds the bits of a scalar or enumeration type.
    pub fn bits_scalar(&mut self, ty: Ty) -> Option<Scalar> {
        match *self.kind(ty) {
            TyKind::Scalar(s) => Some(s),
            TyKind::Enum(e) => {
                self.complete_enum(e);
                Some(self.program.enums[e].underlying)
            }
            TyKind::MemberPointer { .. } => Some(Scalar::ULong),
            TyKind::Pointer { pointee, .. } if matches!(self.kind(pointee), TyKind::Function { .. }) => {
                Some(Scalar::ULong)
            }
            _ => None,
        }
    }

    pub fn zero_value(&mut self, ty: Ty) -> Const {
        if self.size_of(ty) > LARGEST {
            return Const::Uninit;
        }
        match self.kind(ty).clone() {
            TyKind::Vector(_, n) | TyKind::PackedVector(_, n) => Const::Vector(vec![0; usize::from(n)]),
            TyKind::Array { element, len, .. } => {
                let zero = self.zero_value(element);
                Const::Aggregate(vec![zero; len.unwrap_or(0) as usize])
            }
            TyKind::Class(c) => {
                let fields: Vec<Ty> = self.program.classes[c].fields.iter().map(|f| f.ty).collect();
                if self.program.classes[c].is_union {
                    return match fields.first() {
                        Some(f) => Const::Union(0, Box::new(self.zero_value(*f))),
                        None => Const::Aggregate(Vec::new()),
                    };
                }
                Const::Aggregate(fields.into_iter().map(|f| self.zero_value(f)).collect())
            }
            TyKind::Pointer { pointee, .. } if matches!(self.kind(pointee), TyKind::Function { .. }) => {
                Const::Scalar(0)
            }
            TyKind::Pointer { .. } | TyKind::NullPtr => Const::Pointer(None),
            TyKind::Void => Const::Void,
            _ => Const::Scalar(0),
        }
    }

    pub fn uninit_value(&mut self, ty: Ty) -> Const {
        if self.size_of(ty) > LARGEST {
            return Const::Uninit;
        }
        match self.kind(ty).clone() {
            TyKind::Array { element, len, .. } => {
                let one = self.uninit_value(element);
                Const::Aggregate(vec![one; len.unwrap_or(0) as usize])
            }
            TyKind::Class(c) if !self.program.classes[c].is_union => {
                let fields: Vec<Ty> = self.program.classes[c].fields.iter().map(|f| f.ty).collect();
                Const::Aggregate(fields.into_iter().map(|f| self.uninit_value(f)).collect())
            }
            TyKind::Scalar(_) | TyKind::Enum(_) | TyKind::Pointer { .. } => Const::Uninit,
            _ => self.zero_value(ty),
        }
    }

    /// The bytes of a value in memory; padding and what has no value are zero. `None`: it holds a pointer.
    pub fn value_bytes(&mut self, value: &Const, ty: Ty) -> Option<(Vec<u8>, Vec<GlobalPointer>)> {
        if self.size_of(ty) > LARGEST {
            return None;
        }
        let mut bytes = vec![0; self.size_of(ty) as usize];
        let mut pointers = Vec::new();
        self.write_bytes(value, ty, &mut bytes, 0, &mut pointers)?;
        Some((bytes, pointers))
    }

    /// The bytes of a part that begins at `start`.
    fn write_bytes(
        &mut self,
        value: &Const,
        ty: Ty,
        out: &mut [u8],
        start: u64,
        pointers: &mut Vec<GlobalPointer>,
    ) -> Option<()> {
        match (value, self.kind(ty).clone()) {
            (Const::Pointer(Some(Pointer { object: Object::Global(target), path })), _) => {
                let addend = self.offset_in_global(*target, path)?;
                pointers.push(GlobalPointer { offset: start, target: *target, addend });
            }
            (Const::Scalar(bits), _) => {
                let n = out.len().min(self.size_of(ty) as usize).min(8);
                out[..n].copy_from_slice(&bits.to_le_bytes()[..n]);
            }
            (Const::Vector(items), TyKind::Vector(s, _) | TyKind::PackedVector(s, _)) => {
                let size = s.size() as usize;
                for (i, bits) in items.iter().enumerate() {
                    out.get_mut(i * size..(i + 1) * size)?.copy_from_slice(&bits.to_le_bytes()[..size]);
                }
            }
            (Const::Aggregate(items), TyKind::Array { element, .. }) => {
                let size = self.size_of(element) as usize;
                for (i, v) in items.iter().enumerate() {
                    let part = out.get_mut(i * size..(i + 1) * size)?;
                    self.write_bytes(v, element, part, start + (i * size) as u64, pointers)?;
                }
            }
            (Const::Aggregate(items), TyKind::Class(c)) => {
                for (i, v) in items.iter().enumerate() {
                    let (field, offset, bits) = {
                        let f = self.program.classes[c].fields.get(i)?;
                        (f.ty, f.offset as usize, f.bits)
                    };
                    if let Some(bits) = bits {
                        write_bits(v, bits, out);
                        continue;
                    }
                    let size = self.size_of(field) as usize;
                    // An empty base takes no room.
                    if let Some(part) = out.get_mut(offset..offset + size) {
                        self.write_bytes(v, field, part, start + offset as u64, pointers)?;
                    }
                }
            }
            (Const::Union(field, v), TyKind::Class(c)) => {
                let (f, bits) = self.program.classes[c].fields.get(*field as usize).map(|f| (f.ty, f.bits))?;
                if let Some(bits) = bits {
                    write_bits(v, bits, out);
                    return Some(());
                }
                let size = self.size_of(f) as usize;
                self.write_bytes(v, f, out.get_mut(..size)?, start, pointers)?;
            }
            (Const::Pointer(None) | Const::Uninit | Const::Void, _) => {}
            _ => return None,
        }
        Some(())
    }

    /// Where a place in a constant is, in bytes.
    fn offset_in_global(&mut self, global: GlobalId, path: &[u64]) -> Option<u64> {
        let mut ty = self.program.globals[global].ty;
        let mut offset = 0;
        for index in path {
            let (element, at) = match *self.kind(ty) {
                TyKind::Array { element, .. } => (element, index * self.size_of(element)),
                TyKind::Vector(s, _) | TyKind::PackedVector(s, _) => (Ty::scalar(s), index * s.size()),
                TyKind::Class(c) => {
                    let field = self.program.classes[c].fields.get(*index as usize)?;
                    (field.ty, field.offset)
                }
                _ => return None,
            };
            (ty, offset) = (element, offset + at);
        }
        Some(offset)
    }

    /// A text as a constant of its own.
    pub fn text_constant(&mut self, text: Symbol) -> GlobalId {
        let bytes: Vec<Const> = text.as_str().bytes().chain([0]).map(|b| Const::Scalar(u64::from(b))).collect();
        let ty = self.types().array(Ty::CHAR, Quals::CONST, Some(bytes.len() as u64));
        let name = Symbol::new("(text)");
        self.make_constant(name, ty.into(), Const::Aggregate(bytes), 0, Span::NONE)
    }

    pub fn value_from_bytes(&mut self, bytes: &[u8], ty: Ty) -> Option<Const> {
        let number = |b: &[u8]| b.iter().take(8).rev().fold(0u64, |n, b| n << 8 | u64::from(*b));
        Some(match self.kind(ty).clone() {
            TyKind::Scalar(_) | TyKind::Enum(_) => Const::Scalar(number(bytes.get(..self.size_of(ty) as usize)?)),
            TyKind::Vector(s, n) | TyKind::PackedVector(s, n) => {
                let size = s.size() as usize;
                let items = (0..usize::from(n)).map(|i| bytes.get(i * size..(i + 1) * size).map(number));
                Const::Vector(items.collect::<Option<_>>()?)
            }
            TyKind::Array { element, len, .. } => {
                let size = self.size_of(element) as usize;
                let mut items = Vec::new();
                for i in 0..len.unwrap_or(0) as usize {
                    items.push(self.value_from_bytes(bytes.get(i * size..)?, element)?);
                }
                Const::Aggregate(items)
            }
            TyKind::Class(c) => {
                if self.program.classes[c].is_union {
                    let (f, bits) = self.program.classes[c].fields.first().map(|f| (f.ty, f.bits))?;
                    let value = match bits {
                        Some(bits) => self.value_of_bits(bytes, bits, f),
                        None => self.value_from_bytes(bytes, f)?,
                    };
                    return Some(Const::Union(0, Box::new(value)));
                }
                let fields: Vec<(Ty, usize, Option<Bits>)> =
                    self.program.classes[c].fields.iter().map(|f| (f.ty, f.offset as usize, f.bits)).collect();
                let mut items = Vec::new();
                for (f, offset, bits) in fields {
                    if let Some(bits) = bits {
                        items.push(self.value_of_bits(bytes, bits, f));
                        continue;
                    }
                    items.push(self.value_from_bytes(bytes.get(offset..)?, f)?);
                }
                Const::Aggregate(items)
            }
            _ => return None,
        })
    }

    fn value_of_bits(&mut self, bytes: &[u8], bits: Bits, ty: Ty) -> Const {
        let mut value = 0u64;
        for i in 0..u64::from(bits.width) {
            let at = bits.start + i;
            let byte = bytes.get((at / 8) as usize).copied().unwrap_or(0);
            value |= u64::from(byte >> (at % 8) & 1) << i;
        }
        let s = self.bits_scalar(ty).unwrap_or(Scalar::UInt);
        Const::Scalar(truncate(bits.keep(value, s.is_signed()), s))
    }
}

fn write_bits(value: &Const, bits: Bits, out: &mut [u8]) {
    let Const::Scalar(value) = value else { return };
    for i in 0..u64::from(bits.width) {
        let at = bits.start + i;
        if let Some(byte) = out.get_mut((at / 8) as usize) {
            let mask = 1u8 << (at % 8);
            *byte = if value >> i & 1 == 1 { *byte | mask } else { *byte & !mask };
        }
    }
}
