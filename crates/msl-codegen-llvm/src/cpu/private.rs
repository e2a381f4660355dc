//! Locals that live in memory (arrays, structures, and whatever has its address taken).
//!
//! The memory of a gang's threads is interleaved in granules of four bytes: byte `o` of thread `t`
//! of the gang is at `o/4 · 4 · threads + t · 4 + o%4`. An access at the same offset in all lanes
//! is then one vector access; others gather. Offsets are clamped so that a wild index stays
//! within the thread memory of its own gang.

use msl_ir::Scalar;

use super::kernel::Emit;
use super::memory::{Access, Element};
use crate::emit::arith;
use crate::emit::shape::{ALL, Root, Shape};
use crate::emit::value::{Comp, Pointer, register_type};
use crate::llvm::V;

impl Emit<'_> {
    pub fn private_access(&mut self, p: &Pointer, e: Element, what: &Access) -> Vec<Comp> {
        let ll = self.ll;
        let gang = self.gang;
        let (base, size) = self.private_base(p.root);
        let bytes = u64::from(e.scalar.size());
        let mut out = Vec::new();
        for k in 0..e.count {
            let mut v = Vec::new();
            for part in 0..gang.parts {
                let places = self.granules(p, k as u64 * bytes, bytes, size, part);
                match what {
                    Access::Load => v.push(self.private_load(base, &places, e.scalar)),
                    Access::Store(values) => {
                        let x = values[k].get(ll, gang, part, true);
                        self.private_store(base, &places, e.scalar, x, part);
                    }
                }
            }
            if matches!(what, Access::Load) {
                out.push(Comp { shape: Shape::of(ALL), v });
            }
        }
        out
    }

    /// Where the granules of one access are: byte offsets in the gang's memory, as a scalar (a
    /// vector access) or a vector (a gather); and the offset of the value inside the first.
    fn granules(&self, p: &Pointer, add: u64, bytes: u64, size: u64, part: u32) -> Places {
        let ll = self.ll;
        let gang = self.gang;
        let threads = u64::from(gang.threads());
        let i32t = ll.int(32);
        let part_start = u64::from(part * gang.lanes) * 4;
        let most = size.saturating_sub(bytes);
        let clamp = |o: V| match ll.as_const_int(o) {
            Some(c) => ll.cint(ll.type_of(o), c.min(most)),
            None => {
                let t = ll.type_of(o);
                ll.intrinsic1("umin", t, &[o, ll.cint(t, most)])
            }
        };
        let scalar = {
            let o = p.scalar.get(ll, gang, part, false);
            let o = if add == 0 { o } else { ll.add(o, ll.c64(add)) };
            if p.var.is_none() { clamp(o) } else { o }
        };
        match &p.var {
            None => {
                let o = ll.trunc(scalar, i32t);
                let word = ll.and(o, ll.c32(!3));
                let at = ll.add(ll.mul(word, ll.c32(threads as u32)), ll.c32(part_start as u32));
                Places { at, within: ll.and(o, ll.c32(3)), vector: false, threads }
            }
            Some(var) => {
                let i = self.widen(var.index.get(ll, gang, part, true), var.ty);
                let i = ll.mul(i, ll.cint(ll.type_of(i), var.scale as u64));
                let o = ll.add(ll.splat(scalar, gang.lanes), i);
                let vt = ll.vec(i32t, gang.lanes);
                let o = ll.trunc(clamp(o), vt);
                let word = ll.and(o, ll.cint(vt, 0xffff_fffc));
                let lanes: Vec<V> = (0..gang.lanes).map(|l| ll.c32(part_start as u32 + l * 4)).collect();
                let at = ll.add(ll.mul(word, ll.cint(vt, threads)), ll.cvec(&lanes));
                Places { at, within: ll.and(o, ll.cint(vt, 3)), vector: true, threads }
            }
        }
    }

    fn word(&self, base: V, places: &Places, step: u64) -> V {
        let ll = self.ll;
        let vt = ll.vec(ll.int(32), self.gang.lanes);
        let p = ll.gep_const(base, step * 4 * places.threads);
        if places.vector {
            let index = ll.sext(places.at, ll.vec(ll.int(64), self.gang.lanes));
            ll.gather(vt, ll.gep(p, index), 4, self.all_on(), ll.zero(vt))
        } else {
            let v = ll.load(vt, ll.gep(p, ll.zext(places.at, ll.int(64))), 4);
            self.annotate(v, Root::Private);
            v
        }
    }

    fn set_word(&self, base: V, places: &Places, step: u64, v: V, part: u32) {
        let ll = self.ll;
        let p = ll.gep_const(base, step * 4 * places.threads);
        if places.vector {
            let index = ll.sext(places.at, ll.vec(ll.int(64), self.gang.lanes));
            let m = self.mask_part(&self.mask, part);
            ll.scatter(v, ll.gep(p, index), 4, m);
            return;
        }
        let at = ll.gep(p, ll.zext(places.at, ll.int(64)));
        let v = match &self.mask {
            None => v,
            Some(m) => {
                // Reading back rather than a masked store: LLVM can then keep it all in registers.
                let old = ll.load(ll.type_of(v), at, 4);
                self.annotate(old, Root::Private);
                ll.select(m[part as usize], v, old)
            }
        };
        let s = ll.store(v, at, 4);
        self.annotate(s, Root::Private);
    }

    fn private_load(&self, base: V, places: &Places, s: Scalar) -> V {
        let ll = self.ll;
        let low = self.word(base, places, 0);
        let vt = ll.type_of(low);
        match s.size() {
            8 => {
                let wide = ll.vec(ll.int(64), self.gang.lanes);
                let high = self.word(base, places, 1);
                let high = ll.shl(ll.zext(high, wide), ll.cint(wide, 32));
                ll.or(ll.zext(low, wide), high)
            }
            4 => ll.bitcast(low, ll.like(register_type(ll, s), low)),
            _ => {
                let shift = ll.shl(places.within, ll.cint(ll.type_of(places.within), 3));
                let shift = if places.vector { shift } else { ll.splat(shift, self.gang.lanes) };
                let v = ll.trunc(ll.lshr(low, shift), ll.like(ll.int(s.size() * 8), low));
                let _ = vt;
                if s == Scalar::Bool {
                    return arith::convert(ll, Scalar::U8, Scalar::Bool, v);
                }
                ll.bitcast(v, ll.like(register_type(ll, s), low))
            }
        }
    }

    fn private_store(&self, base: V, places: &Places, s: Scalar, v: V, part: u32) {
        let ll = self.ll;
        let vt = ll.vec(ll.int(32), self.gang.lanes);
        match s.size() {
            8 => {
                self.set_word(base, places, 0, ll.trunc(v, vt), part);
                let high = ll.lshr(v, ll.cint(ll.type_of(v), 32));
                self.set_word(base, places, 1, ll.trunc(high, vt), part);
            }
            4 => self.set_word(base, places, 0, ll.bitcast(v, vt), part),
            n => {
                let bits = if s == Scalar::Bool { v } else { ll.bitcast(v, ll.like(ll.int(n * 8), v)) };
                let wide = ll.zext(bits, vt);
                let shift = ll.shl(places.within, ll.cint(ll.type_of(places.within), 3));
                let shift = if places.vector { shift } else { ll.splat(shift, self.gang.lanes) };
                let ones = ll.cint(vt, (1 << (n * 8)) - 1);
                let keep = ll.not(ll.shl(ones, shift));
                let old = ll.and(self.word(base, places, 0), keep);
                self.set_word(base, places, 0, ll.or(old, ll.shl(wide, shift)), part);
            }
        }
    }

    /// The gang's memory behind a root, and its size in bytes per thread.
    fn private_base(&self, root: Root) -> (V, u64) {
        match root {
            Root::Local(l) if self.separate_locals => {
                let size = self.module.types.size_of(self.f.locals[l].ty);
                match self.private_slots.borrow().get(&l) {
                    Some(v) => (*v, size),
                    None => (self.private_segment, self.private_size),
                }
            }
            Root::Local(l) => {
                let size = self.module.types.size_of(self.f.locals[l].ty);
                let at = self.private_offset(l) * u64::from(self.gang.threads());
                (self.ll.gep_const(self.private_segment, at), size)
            }
            _ => (self.private_segment, self.private_size),
        }
    }
}

struct Places {
    at: V,
    within: V,
    vector: bool,
    threads: u64,
}
