//! Vector loads that overlap: what neighbors read is loaded once and shifted.
//!
//! In: an optimized module. Out: in each of its blocks, of the loads of whole lines of the cache (64 bytes) whose places
//! differ by constants, those that together reach everything; the others are shuffles of two of them. A vector of that
//! size that is not aligned lies on two lines, so that loading it takes as long as loading two. A kernel that reads
//! `a[i - 1]`, `a[i]` and `a[i + 1]` reads the same lines three times.
//! Promised: no byte is read that was not read before, and none at another time as far as memory can change: stores and
//! calls end what is joined, but for stores where loads are of memory that does not change. Not here: vectors of other
//! sizes, half of whose loads touch one line only.

use std::collections::HashMap;
use std::ffi::c_uint;

use llvm_sys::LLVMOpcode as O;
use llvm_sys::core::*;

use crate::llvm::{B, Ll, T, V};

const LINE: i64 = 64;
/// How far the computation of a place is followed.
const DEPTH: u32 = 8;

/// `base + offset + Σ factor · value`, modulo 2^64.
struct Place {
    base: V,
    terms: Vec<(V, i64)>,
    offset: i64,
}

/// What loads have in common that can share.
#[derive(PartialEq, Eq, Hash)]
struct Kind {
    base: V,
    terms: Vec<(V, i64)>,
    t: T,
    metadata: Vec<V>,
}

/// A load, and its distance from others of its kind, in bytes.
struct Load {
    inst: V,
    offset: i64,
}

struct Group {
    kind: Kind,
    /// Of memory that nobody writes.
    is_invariant: bool,
    loads: Vec<Load>,
}

impl Ll {
    /// Last of all: LLVM's passes have no opinion on it, but merge what computes places.
    pub fn share_overlapping_loads(&self) {
        let kinds: Vec<c_uint> = ["invariant.load", "alias.scope", "noalias"]
            .iter()
            // SAFETY: the text is as long as is said.
            .map(|n| unsafe { LLVMGetMDKindIDInContext(self.context, n.as_ptr().cast(), n.len() as c_uint) })
            .collect();
        // SAFETY: walks the lists of a live module; blocks are changed when they have been walked.
        unsafe {
            let mut f = LLVMGetFirstFunction(self.module);
            while !f.is_null() {
                let mut b = LLVMGetFirstBasicBlock(f);
                while !b.is_null() {
                    self.share_in_block(b, &kinds);
                    b = LLVMGetNextBasicBlock(b);
                }
                f = LLVMGetNextFunction(f);
            }
        }
    }

    fn share_in_block(&self, block: B, kinds: &[c_uint]) {
        let (mut open, mut done): (Vec<Group>, Vec<Group>) = (Vec::new(), Vec::new());
        // SAFETY: as above; `inst` is an instruction of the block.
        unsafe {
            let mut inst = LLVMGetFirstInstruction(block);
            while !inst.is_null() {
                match LLVMGetInstructionOpcode(inst) {
                    O::LLVMLoad if LLVMGetVolatile(inst) != 0 || LLVMGetOrdering(inst) as u32 != 0 => {
                        done.append(&mut open);
                    }
                    O::LLVMLoad => {
                        if let Some(size) = self.line_of(LLVMTypeOf(inst)) {
                            self.add_load(&mut open, inst, size, kinds);
                        }
                    }
                    O::LLVMStore => done.extend(open.extract_if(.., |g| !g.is_invariant)),
                    // What is called may write, or not come back.
                    O::LLVMCall if !self.is_pure(inst) => done.append(&mut open),
                    O::LLVMFence | O::LLVMAtomicRMW | O::LLVMAtomicCmpXchg | O::LLVMInvoke => done.append(&mut open),
                    _ => {}
                }
                inst = LLVMGetNextInstruction(inst);
            }
        }
        done.append(&mut open);
        for group in done.iter().filter(|g| g.loads.len() > 2) {
            self.share_group(group, kinds);
        }
    }

    /// The size of a scalar of a vector that is as long as a line.
    fn line_of(&self, t: T) -> Option<i64> {
        if !self.is_vector(t) {
            return None;
        }
        let elem = self.elem(t);
        let is = |list: [T; 2]| list.contains(&elem);
        let size = match () {
            () if is([self.f32(), self.int(32)]) => 4,
            () if is([self.f64(), self.int(64)]) => 8,
            () => return None,
        };
        (size * i64::from(self.lanes(t)) == LINE).then_some(size)
    }

    fn add_load(&self, open: &mut Vec<Group>, inst: V, size: i64, kinds: &[c_uint]) {
        // SAFETY: `inst` is a load.
        let (pointer, metadata): (V, Vec<V>) =
            unsafe { (LLVMGetOperand(inst, 0), kinds.iter().map(|k| LLVMGetMetadata(inst, *k)).collect()) };
        let mut place = Place { base: pointer, terms: Vec::new(), offset: 0 };
        self.follow(pointer, &mut place);
        place.terms.retain(|t| t.1 != 0);
        place.terms.sort_unstable();
        let is_invariant = !metadata[0].is_null();
        let kind = Kind { base: place.base, terms: place.terms, t: self.type_of(inst), metadata };
        let load = Load { inst, offset: place.offset };
        match open.iter_mut().find(|g| g.kind == kind && (g.loads[0].offset - load.offset) % size == 0) {
            Some(group) => group.loads.push(load),
            None => open.push(Group { kind, is_invariant, loads: vec![load] }),
        }
    }

    fn follow(&self, pointer: V, place: &mut Place) {
        let mut p = pointer;
        // SAFETY: operands of live instructions.
        unsafe {
            for _ in 0..DEPTH {
                let is_gep = !LLVMIsAGetElementPtrInst(p).is_null();
                if !is_gep || LLVMGetNumIndices(p) != 1 || self.is_vector(self.type_of(p)) {
                    break;
                }
                let index = LLVMGetOperand(p, 1);
                let step = LLVMGetGEPSourceElementType(p);
                // Places are bytes from somewhere, in 64 bits.
                if step != self.int(8) || self.type_of(index) != self.int(64) {
                    break;
                }
                self.add_terms(index, 1, place, DEPTH);
                p = LLVMGetOperand(p, 0);
            }
        }
        place.base = p;
    }

    /// Adds `factor · v`.
    fn add_terms(&self, v: V, factor: i64, place: &mut Place, depth: u32) {
        if let Some(k) = self.as_const_int(v) {
            place.offset = place.offset.wrapping_add((k as i64).wrapping_mul(factor));
            return;
        }
        // SAFETY: operands of a live instruction, which has two where its operation has.
        unsafe {
            if depth > 0 && !LLVMIsAInstruction(v).is_null() {
                let operand = |i| LLVMGetOperand(v, i);
                let constant = |i| self.as_const_int(operand(i)).map(|k| k as i64);
                let both = |place: &mut Place, sign: i64| {
                    self.add_terms(operand(0), factor, place, depth - 1);
                    self.add_terms(operand(1), factor.wrapping_mul(sign), place, depth - 1);
                };
                match LLVMGetInstructionOpcode(v) {
                    O::LLVMAdd => return both(place, 1),
                    O::LLVMOr if LLVMGetIsDisjoint(v) != 0 => return both(place, 1),
                    O::LLVMSub => return both(place, -1),
                    O::LLVMShl => {
                        if let Some(k) = constant(1).filter(|k| (0..64).contains(k)) {
                            return self.add_terms(operand(0), factor.wrapping_shl(k as u32), place, depth - 1);
                        }
                    }
                    O::LLVMMul => {
                        if let Some(k) = constant(1) {
                            return self.add_terms(operand(0), factor.wrapping_mul(k), place, depth - 1);
                        }
                    }
                    _ => {}
                }
            }
        }
        match place.terms.iter_mut().find(|t| t.0 == v) {
            Some(t) => t.1 = t.1.wrapping_add(factor),
            None => place.terms.push((v, factor)),
        }
    }

    /// Whether a call has nothing to do with memory and comes back.
    fn is_pure(&self, call: V) -> bool {
        // SAFETY: `call` is one; attributes are those of the function called, if it is known.
        unsafe {
            let f = LLVMGetCalledValue(call);
            if LLVMIsAFunction(f).is_null() || LLVMGetIntrinsicID(f) == 0 {
                return false;
            }
            let kind = |name: &str| LLVMGetEnumAttributeKindForName(name.as_ptr().cast(), name.len());
            let attribute =
                |name: &str| LLVMGetEnumAttributeAtIndex(f, llvm_sys::LLVMAttributeFunctionIndex, kind(name));
            let memory = attribute("memory");
            !memory.is_null() && LLVMGetEnumAttributeValue(memory) == 0 && !attribute("willreturn").is_null()
        }
    }

    fn share_group(&self, group: &Group, kinds: &[c_uint]) {
        let t = group.kind.t;
        let lanes = self.lanes(t) as i64;
        let size = LINE / lanes;
        let mut offsets: Vec<i64> = group.loads.iter().map(|l| l.offset).collect();
        offsets.sort_unstable();
        offsets.dedup();
        // The fewest that reach all: each time the last that leaves no gap.
        let mut kept = vec![offsets[0]];
        let mut last = 0;
        while last + 1 < offsets.len() {
            let reached = offsets.partition_point(|o| o - offsets[last] <= LINE) - 1;
            last = reached.max(last + 1);
            kept.push(offsets[last]);
        }
        // A shuffle is an instruction more, where a load may be part of another.
        if 2 * kept.len() > group.loads.len() {
            return;
        }
        let origin = group.loads[0].offset;
        // SAFETY: the loads are instructions of one block in its order, so that the first pointer is there for all;
        // each is removed when nothing uses it any more.
        unsafe {
            let pointer = LLVMGetOperand(group.loads[0].inst, 0);
            // Integers are shifted by one instruction where one vector follows on the other.
            let words = self.vec(self.int(8 * size as u32), lanes as u32);
            let mut loaded: HashMap<i64, V> = HashMap::new();
            // The beginning of a vector that comes after another, from one that overlaps it.
            let mut turned: HashMap<(i64, i64), V> = HashMap::new();
            for load in &group.loads {
                LLVMPositionBuilderBefore(self.builder, load.inst);
                let mut get = |offset: i64| {
                    *loaded.entry(offset).or_insert_with(|| {
                        let at = self.gep_const(pointer, (offset - origin) as u64);
                        let v = self.load(words, at, LLVMGetAlignment(load.inst).min(size as u32));
                        for (kind, node) in kinds.iter().zip(&group.kind.metadata).filter(|(_, n)| !n.is_null()) {
                            LLVMSetMetadata(v, *kind, *node);
                        }
                        v
                    })
                };
                let at = kept.partition_point(|k| *k <= load.offset) - 1;
                let v = if kept[at] == load.offset {
                    get(kept[at])
                } else {
                    let (low, high) = (kept[at], kept[at + 1]);
                    let (a, b) = (get(low), get(high));
                    let distance = (high - low) / size;
                    let next = *turned.entry((low, high)).or_insert_with(|| {
                        let turn: Vec<u32> = (0..lanes).map(|i| ((i + lanes - distance) % lanes) as u32).collect();
                        if distance == lanes { b } else { self.shuffle1(b, &turn) }
                    });
                    let first = (load.offset - low) / size;
                    let shift: Vec<u32> = (first..first + lanes).map(|i| i as u32).collect();
                    self.shuffle(a, next, &shift)
                };
                LLVMReplaceAllUsesWith(load.inst, self.bitcast(v, t));
            }
            for load in &group.loads {
                LLVMInstructionEraseFromParent(load.inst);
            }
        }
    }
}
