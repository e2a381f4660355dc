//! How values are held while a gang is emitted, and conversions between the forms.
//!
//! A [`Comp`] is one scalar component in the form its [`Shape`] says: one LLVM scalar for the gang,
//! one per part, one vector for all parts, one vector per part, or the base of a linear form.

use msl_ir::Scalar;

use super::shape::{L, Linear, P, Root, Shape};
use crate::llvm::{Ll, T, V};

/// One component of a value, in the form of its shape.
#[derive(Clone, Debug)]
pub struct Comp {
    pub shape: Shape,
    pub v: Vec<V>,
}

/// A pointer: where it was derived from and how far from there, in bytes.
#[derive(Clone, Debug)]
pub struct Pointer {
    pub root: Root,
    /// Vouched for by trusted code: accesses are not checked.
    pub valid: bool,
    /// `i64`, the same in all lanes of a part.
    pub scalar: Comp,
    pub var: Option<Varying>,
}

/// The part of an offset that differs between lanes: `index · scale`.
#[derive(Clone, Debug)]
pub struct Varying {
    pub index: Comp,
    pub ty: Scalar,
    pub scale: i64,
}

#[derive(Clone, Debug)]
pub enum Val {
    Comps(Vec<Comp>),
    Pointer(Pointer),
}

/// Lanes and parts of a gang.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gang {
    pub lanes: u32,
    pub parts: u32,
}

impl Gang {
    pub fn threads(self) -> u32 {
        self.lanes * self.parts
    }
}

impl Comp {
    pub fn uniform(v: V) -> Comp {
        Comp { shape: Shape::UNIFORM, v: vec![v] }
    }

    /// The value in one part: a vector if `vector`, else a scalar (the shape must not differ
    /// between lanes).
    pub fn get(&self, ll: &Ll, gang: Gang, part: u32, vector: bool) -> V {
        if let Some(l) = self.shape.linear {
            let base = self.base(ll, part);
            if !vector {
                return base;
            }
            let t = ll.type_of(base);
            let splat = ll.splat(base, gang.lanes);
            return if l.stride == 0 { splat } else { ll.add(splat, ll.iota(t, gang.lanes, l.stride as u64)) };
        }
        let v = self.v[if self.shape.parts() { part as usize } else { 0 }];
        if vector && !self.shape.lanes() { splat(ll, gang, v) } else { v }
    }

    /// What lane 0 of a part holds, of a form that is linear or does not differ between lanes.
    pub fn base(&self, ll: &Ll, part: u32) -> V {
        match self.shape.linear {
            Some(Linear { part_stride: Some(q), .. }) => {
                let v = self.v[0];
                let offset = q.wrapping_mul(i64::from(part));
                if offset == 0 { v } else { ll.add(v, ll.cint(ll.type_of(v), offset as u64)) }
            }
            _ => self.v[if self.shape.parts() { part as usize } else { 0 }],
        }
    }

    /// The same value in another form, which must be able to hold it.
    pub fn coerce(&self, ll: &Ll, gang: Gang, to: Shape) -> Comp {
        if self.shape.linear == to.linear && self.shape.bits & (L | P) == to.bits & (L | P) {
            return Comp { shape: to, v: self.v.clone() };
        }
        let n = to.copies(gang.parts);
        let v = (0..n)
            .map(|p| if to.linear.is_some() { self.base(ll, p) } else { self.get(ll, gang, p, to.lanes()) })
            .collect();
        Comp { shape: to, v }
    }
}

/// A vector of equal lanes; on a target with one lane per value, the value.
pub fn splat(ll: &Ll, gang: Gang, v: V) -> V {
    if gang.lanes == 1 { v } else { ll.splat(v, gang.lanes) }
}

/// The LLVM type of a scalar held in registers. `bf16` is held as its bits.
pub fn register_type(ll: &Ll, s: Scalar) -> T {
    match s {
        Scalar::Bool => ll.int(1),
        Scalar::F32 => ll.f32(),
        Scalar::F16 => ll.f16(),
        Scalar::BF16 => ll.int(16),
        s => ll.int(s.bits()),
    }
}

/// The LLVM type of a scalar in memory.
pub fn memory_type(ll: &Ll, s: Scalar) -> T {
    if s == Scalar::Bool { ll.int(8) } else { register_type(ll, s) }
}
