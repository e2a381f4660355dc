//! Promoted locals: a stack slot for each component in each form it takes, all of which LLVM turns
//! into registers. The flow analysis says which form is current at each point; at joins the value
//! is moved from one form's slots to another's.

use msl_base::Id;
use msl_ir::{LocalId, Scalar, Type, ValueId};

use super::kernel::Emit;
use crate::CodegenError;
use crate::emit::flow::{Point, State};
use crate::emit::live::Place;
use crate::emit::shape::{Root, Shape, ValueShape};
use crate::emit::value::{Comp, Pointer, Val, Varying, register_type};
use crate::llvm::{T, V};

/// Slots of one component.
#[derive(Clone, Default)]
struct Slots {
    scalar: Vec<Option<V>>,
    vector: Vec<Option<V>>,
}

/// Slots of one local, by component.
#[derive(Clone, Default)]
pub struct Storage {
    slots: Vec<Slots>,
}

impl Emit<'_> {
    /// Number of components and their type; a pointer is one 64-bit offset.
    pub fn local_components(&self, l: LocalId) -> (usize, Scalar) {
        match *self.module.types.get(self.f.locals[l].ty) {
            Type::Scalar(s) => (1, s),
            Type::Vector { elem, len, .. } => (usize::from(len), elem),
            _ => (1, Scalar::I64),
        }
    }

    fn slot(&mut self, storage: usize, comp: usize, vector: bool, copy: usize, t: T) -> V {
        let parts = self.gang.parts as usize;
        let s = &mut self.storage[storage].slots;
        if s.len() <= comp {
            s.resize(comp + 1, Slots::default());
        }
        let list = if vector { &mut s[comp].vector } else { &mut s[comp].scalar };
        if list.is_empty() {
            list.resize(parts, None);
        }
        if let Some(v) = list[copy] {
            return v;
        }
        let v = self.ll.alloca(t, 0);
        let s = &mut self.storage[storage].slots[comp];
        let list = if vector { &mut s.vector } else { &mut s.scalar };
        list[copy] = Some(v);
        v
    }

    /// Reads a component held in the form `shape`.
    pub fn read_slot(&mut self, storage: usize, comp: usize, shape: Shape, s: Scalar) -> Comp {
        let vector = shape.lanes() && shape.linear.is_none();
        let e = register_type(self.ll, s);
        let t = if vector { self.vector_type(e) } else { e };
        let v = (0..shape.copies(self.gang.parts) as usize)
            .map(|i| {
                let slot = self.slot(storage, comp, vector, i, t);
                self.ll.load(t, slot, 0)
            })
            .collect();
        Comp { shape, v }
    }

    pub fn write_slot(&mut self, storage: usize, comp: usize, value: &Comp) {
        let vector = value.shape.lanes() && value.shape.linear.is_none();
        for (i, v) in value.v.iter().enumerate() {
            let slot = self.slot(storage, comp, vector, i, self.ll.type_of(*v));
            self.ll.store(*v, slot, 0);
        }
    }

    pub fn vector_type(&self, e: T) -> T {
        if self.gang.lanes == 1 { e } else { self.ll.vec(e, self.gang.lanes) }
    }

    /// The value of a promoted local now, as components (one offset for a pointer).
    fn read_local(&mut self, l: LocalId, shape: &ValueShape) -> Vec<Comp> {
        let (n, s) = self.local_components(l);
        (0..n).map(|c| self.read_slot(l.index(), c, shape.c[c], s)).collect()
    }

    pub fn load_local(&mut self, id: ValueId, place: Place) -> Val {
        let l = place.local;
        let (n, s) = self.local_components(l);
        let out = self.flow.shapes[id.index()];
        let Some(current) = self.state[l.index()] else {
            // Never stored: unspecified.
            let ty = self.f.insts[id].ty;
            return self.unspecified(ty);
        };
        if let Some((root, valid)) = current.root {
            let offset = self.read_slot(l.index(), 0, current.c[0], s);
            return Val::Pointer(self.pointer_from_offset(root, valid, offset));
        }
        let comps = match place.component {
            Some(c) => vec![self.read_slot(l.index(), usize::from(c), current.c[usize::from(c)], s)],
            None => (0..n).map(|c| self.read_slot(l.index(), c, current.c[c], s)).collect(),
        };
        let (ll, gang) = (self.ll, self.gang);
        Val::Comps(comps.iter().enumerate().map(|(i, c)| c.coerce(ll, gang, out.c[i])).collect())
    }

    /// A pointer whose whole offset is one number.
    pub fn pointer_from_offset(&self, root: Root, valid: bool, offset: Comp) -> Pointer {
        if offset.shape.lanes() {
            let zero = Comp::uniform(self.ll.c64(0));
            let var = Some(Varying { index: offset, ty: Scalar::I64, scale: 1 });
            Pointer { root, valid, scalar: zero, var }
        } else {
            let shape = Shape::of(offset.shape.bits);
            let scalar = offset.coerce(self.ll, self.gang, shape);
            Pointer { root, valid, scalar, var: None }
        }
    }

    /// Stores to a promoted local; `blend` keeps the value of lanes that are off.
    pub fn store_local(&mut self, id: ValueId, place: Place, value: &Val) -> Result<(), CodegenError> {
        let l = place.local;
        let (n, s) = self.local_components(l);
        let blend = self.flow.blend[id.index()] && self.mask.is_some();
        let shape = self.shape_after_store(id, place);
        let old = self.state[l.index()];
        let first = usize::from(place.component.unwrap_or(0));
        let count = if place.component.is_some() { 1 } else { n };
        let new: Vec<Comp> = match value {
            Val::Comps(c) => c.clone(),
            Val::Pointer(p) => {
                let to = shape.root.map_or(p.root, |r| r.0);
                vec![self.collapse(p, to)]
            }
        };
        for (i, value) in new.iter().enumerate().take(count) {
            let c = first + i;
            let target = shape.c[c];
            let comp = if blend {
                let old_comp = match old {
                    Some(o) => {
                        let v = self.read_slot(l.index(), c, o.c[c], s);
                        match (o.root, shape.root) {
                            (Some((from, _)), Some((to, _))) => self.rebase(v, from, to),
                            _ => v,
                        }
                    }
                    None => {
                        let t = register_type(self.ll, s);
                        Comp::uniform(self.ll.zero(t))
                    }
                };
                let (ll, gang) = (self.ll, self.gang);
                let v = (0..gang.parts)
                    .map(|p| {
                        let m = self.mask_part(&self.mask, p);
                        ll.select(m, value.get(ll, gang, p, true), old_comp.get(ll, gang, p, true))
                    })
                    .collect();
                Comp { shape: Shape::VARYING, v }
            } else {
                value.clone()
            };
            let comp = comp.coerce(self.ll, self.gang, target);
            self.write_slot(l.index(), c, &comp);
        }
        self.state[l.index()] = Some(shape);
        Ok(())
    }

    /// The form the analysis gives the local after this store.
    fn shape_after_store(&self, id: ValueId, place: Place) -> ValueShape {
        self.flow.stored.get(&id).copied().unwrap_or_else(|| {
            // Unreached by the analysis: never executed.
            self.state[place.local.index()].unwrap_or(ValueShape::splat(Shape::VARYING))
        })
    }

    /// Brings every local to the form it has at a join.
    pub fn coerce_state(&mut self, to: &State, except: &[LocalId]) {
        for (i, target) in to.iter().enumerate() {
            let l = LocalId::from_index(i);
            let (Some(target), Some(from)) = (target, self.state[i]) else { continue };
            if from.has_form_of(target) || except.contains(&l) || !self.places.promoted[i] {
                continue;
            }
            let (n, s) = self.local_components(l);
            let comps = self.read_local(l, &from);
            for (c, comp) in comps.into_iter().enumerate().take(n) {
                let mut comp = comp;
                if let (Some((a, _)), Some((b, _))) = (from.root, target.root) {
                    comp = self.rebase(comp, a, b);
                }
                let same_form = from.root == target.root
                    && comp.shape.linear == target.c[c].linear
                    && (comp.shape.bits ^ target.c[c].bits) & 3 == 0;
                if !same_form {
                    let comp = comp.coerce(self.ll, self.gang, target.c[c]);
                    self.write_slot(i, c, &comp);
                }
            }
            let _ = s;
        }
        self.state = to.clone();
    }

    pub fn point(&self, id: ValueId, p: Point) -> State {
        self.flow.states.get(&(id, p)).cloned().unwrap_or_else(|| self.state.clone())
    }

    /// A local's value in the form `target`, read from its present form.
    pub fn read_as(&mut self, l: LocalId, c: usize, target: Shape, root: Option<Root>) -> Comp {
        let (_, s) = self.local_components(l);
        match self.state[l.index()] {
            Some(o) => {
                let mut v = self.read_slot(l.index(), c, o.c[c], s);
                if let (Some((from, _)), Some(to)) = (o.root, root) {
                    v = self.rebase(v, from, to);
                }
                v.coerce(self.ll, self.gang, target)
            }
            None => {
                let t = register_type(self.ll, s);
                Comp::uniform(self.ll.zero(t)).coerce(self.ll, self.gang, target)
            }
        }
    }
}
