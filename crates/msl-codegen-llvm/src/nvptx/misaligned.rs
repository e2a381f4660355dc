//! Loads and stores that may be misaligned.
//!
//! The hardware ends the whole context at an address that is not a multiple of the size of the access. So an address of
//! which that is not known (`align`) is tested, and the rare access that is misaligned is done in pieces. LLVM would make one
//! access of two that differ in their alignment alone, with the lesser one: places and values of the rare kind are hidden from it.

use llvm_sys::LLVMOpcode as O;
use msl_ir::ValueId;
use msl_ir::analysis::Root;

use super::align::Alignment;
use super::kernel::{Emit, Ptr};
use crate::llvm::{T, V};

/// A place that is accessed.
pub struct Place {
    pub at: V,
    /// LLVM's number of its address space.
    pub space: u32,
    /// Bytes.
    pub size: u64,
    pub alignment: Alignment,
    /// Whether it has its usual alignment, if that is to be tested.
    pub test: Option<V>,
}

impl Emit<'_> {
    /// Whether the address of an access must be tested.
    pub fn may_be_misaligned(&self, id: ValueId, alignment: Alignment) -> bool {
        !alignment.is_sure() && !self.aligned.contains(&id) && !self.known.contains_key(&id)
    }

    /// Whether an access that may be misaligned is not: a condition, if it is to be tested. `at`: where the pointer leads, or
    /// what is accessed instead.
    pub fn alignment_test(&self, id: ValueId, (pointer, p): (ValueId, Ptr), at: V, alignment: Alignment) -> Option<V> {
        if !self.may_be_misaligned(id, alignment) {
            return None;
        }
        if let Some(test) = self.common_tests.get(&id) {
            return Some(*test);
        }
        let is_aligned = |root: &Root| match root {
            Root::Param(i) => self.args.get(*i as usize).is_some_and(|arg| arg.is_aligned),
            Root::Global(_) => true,
            Root::Local(_) | Root::Unknown { .. } => false,
        };
        // What is between it and a multiple of 16, give or take multiples of 16.
        let distance = match (p.offset, self.provenance.roots(pointer)) {
            (Some(offset), [root]) if at == p.p && is_aligned(root) => offset,
            _ => self.ll.ptr_to_int(at),
        };
        Some(self.is_multiple(distance, alignment.usual))
    }

    /// Whether a number is a multiple of a power of two.
    pub fn is_multiple(&self, v: V, of: u32) -> V {
        let ll = self.ll;
        ll.eq(ll.and(v, ll.c64(u64::from(of) - 1)), ll.c64(0))
    }

    /// Does one of two things: what is usual, or what a misaligned address needs.
    fn either(&self, test: V, usual: impl FnOnce() -> Option<V>, other: impl FnOnce() -> Option<V>) -> Option<V> {
        let ll = self.ll;
        let (aligned, misaligned, done) =
            (ll.new_block("aligned"), ll.new_block("misaligned"), ll.new_block("accessed"));
        ll.likely_br(test, aligned, misaligned);
        ll.at_end(aligned);
        let usual = usual();
        ll.br(done);
        ll.at_end(misaligned);
        let other = other();
        ll.br(done);
        ll.at_end(done);
        Some(ll.phi(ll.type_of(usual?), &[(usual?, aligned), (other?, misaligned)]))
    }

    /// A number that is another one to LLVM.
    fn hidden(&self, v: V, bits: u32) -> V {
        let ll = self.ll;
        let register = match bits {
            64 => "l",
            32 => "r",
            16 => "h",
            // There are none of fewer.
            _ => return v,
        };
        let text = format!("mov.b{bits} $0, $1;");
        ll.plain_asm(&text, &format!("={register},{register}"), ll.int(bits), &[v])
    }

    fn hidden_place(&self, at: V, space: u32) -> V {
        self.ll.int_to_ptr_in(self.hidden(self.ll.ptr_to_int(at), 64), space)
    }

    /// Loads a number, vector or pointer. `mark`: what else is to be said of each load.
    pub fn load_at(&self, place: &Place, ty: T, mark: impl Fn(V)) -> V {
        let ll = self.ll;
        let load = |ty: T, at: V, align: u32| {
            let v = ll.load(ty, at, align);
            mark(v);
            v
        };
        let usual = || Some(load(ty, place.at, place.alignment.usual));
        let loaded = match place.test {
            None => usual(),
            Some(test) => self.either(test, usual, || {
                let word = 1 << place.size.trailing_zeros().min(2);
                let (t, count) = (ll.int(8 * word), place.size as u32 / word);
                let piece = place.alignment.sure.min(word);
                let mut all = ll.poison(ll.vec(t, count));
                let at = self.hidden_place(place.at, place.space);
                for i in 0..count {
                    let bits = (0..word).step_by(piece as usize).map(|byte| {
                        let v = load(ll.int(8 * piece), ll.gep_const(at, u64::from(i * word + byte)), piece);
                        ll.shl(ll.zext(v, t), ll.cint(t, u64::from(8 * byte)))
                    });
                    let bits = bits.reduce(|a, b| ll.or(a, b)).unwrap_or_else(|| ll.poison(t));
                    all = ll.insert(all, self.hidden(bits, 8 * word), i);
                }
                Some(match ll.is_pointer(ty) {
                    true => ll.cast(O::LLVMIntToPtr, ll.bitcast(all, ll.int(64)), ty),
                    false => ll.bitcast(all, ty),
                })
            }),
        };
        loaded.unwrap_or_else(|| ll.poison(ty))
    }

    /// Stores a number, vector or pointer. `mark`: what else is to be said of each store.
    pub fn store_at(&self, place: &Place, value: V, mark: impl Fn(V)) {
        let ll = self.ll;
        let store = |v: V, at: V, align: u32| mark(ll.store(v, at, align));
        let usual = || {
            store(value, place.at, place.alignment.usual);
            None
        };
        match place.test {
            None => usual(),
            Some(test) => self.either(test, usual, || {
                let (piece, count) = pieces(place.size, place.alignment.sure);
                let bits = if ll.is_pointer(ll.type_of(value)) { ll.ptr_to_int(value) } else { value };
                let all = ll.bitcast(bits, ll.vec(ll.int(8 * piece), count));
                for i in 0..count {
                    store(ll.extract(all, i), ll.gep_const(place.at, u64::from(i * piece)), piece);
                }
                None
            }),
        };
    }

    /// Copies so many bytes in pieces of one alignment or another. Between address spaces of these numbers.
    pub fn copy_at(&self, id: ValueId, (to, to_space): (V, u32), from: (V, u32), size: u64, [at, of]: [Alignment; 2]) {
        let ll = self.ll;
        let both = Alignment { usual: at.usual.min(of.usual), sure: at.sure.min(of.sure) };
        let copy = |to: V, align: u32| {
            ll.copy_bytes(to, to_space, from.0, from.1, size, align);
            None
        };
        if !self.may_be_misaligned(id, both) {
            copy(to, both.usual);
            return;
        }
        // What either is not a multiple of, one bit or another tells.
        let test = self.is_multiple(ll.or(ll.ptr_to_int(to), ll.ptr_to_int(from.0)), both.usual);
        self.either(test, || copy(to, both.usual), || copy(self.hidden_place(to, to_space), both.sure));
    }

    /// Copies 16 bytes from device to threadgroup memory, with an instruction of its own if both places are aligned.
    pub fn copy_past(&self, to: &Place, from: &Place) {
        let ll = self.ll;
        let copy = || {
            ll.intrinsic("llvm.nvvm.cp.async.cg.shared.global.16", ll.void(), &[to.at, from.at]);
            None
        };
        match [from.test, to.test].into_iter().flatten().reduce(|a, b| ll.and(a, b)) {
            None => copy(),
            Some(test) => self.either(test, copy, || {
                let bytes = ll.load(ll.vec(ll.int(8), from.size as u32), from.at, from.alignment.sure);
                ll.store(bytes, to.at, to.alignment.sure);
                None
            }),
        };
    }
}

/// Bytes of each piece of an access, and how many there are.
fn pieces(size: u64, sure: u32) -> (u32, u32) {
    let piece = sure.min(1 << size.trailing_zeros().min(4)).max(1);
    (piece, size as u32 / piece)
}
