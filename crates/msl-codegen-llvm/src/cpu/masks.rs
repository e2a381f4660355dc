//! Masks: which lanes of a gang are active.
//!
//! A mask is one `<lanes x i1>` per part, or nothing where all lanes are known to be on. Masks that
//! change under control flow live in stack slots, which LLVM turns into values.

use super::kernel::Emit;
use crate::llvm::V;

/// `None`: every lane is on.
pub type Mask = Option<Vec<V>>;

/// A mask in memory: one slot per part.
#[derive(Clone, Debug)]
pub struct MaskSlot(pub Vec<V>);

impl Emit<'_> {
    pub fn mask_type(&self) -> crate::llvm::T {
        self.ll.vec(self.ll.int(1), self.gang.lanes)
    }
    pub fn all_on(&self) -> V {
        self.ll.ones(self.mask_type())
    }
    pub fn all_off(&self) -> V {
        self.ll.zero(self.mask_type())
    }
    pub fn mask_part(&self, m: &Mask, part: u32) -> V {
        m.as_ref().map_or_else(|| self.all_on(), |v| v[part as usize])
    }
    pub fn mask_parts(&self, m: &Mask) -> Vec<V> {
        (0..self.gang.parts).map(|p| self.mask_part(m, p)).collect()
    }
    pub fn mask_and(&self, m: &Mask, with: &[V]) -> Mask {
        Some(match m {
            None => with.to_vec(),
            Some(v) => v.iter().zip(with).map(|(a, b)| self.ll.and(*a, *b)).collect(),
        })
    }
    pub fn mask_and_not(&self, m: &Mask, with: &[V]) -> Mask {
        let not: Vec<V> = with.iter().map(|w| self.ll.not(*w)).collect();
        self.mask_and(m, &not)
    }
    pub fn new_mask_slot(&self) -> MaskSlot {
        MaskSlot((0..self.gang.parts).map(|_| self.ll.alloca(self.mask_type(), 0)).collect())
    }
    pub fn write_mask(&self, slot: &MaskSlot, m: &Mask) {
        for (p, s) in slot.0.iter().enumerate() {
            self.ll.store(self.mask_part(m, p as u32), *s, 0);
        }
    }
    pub fn clear_mask(&self, slot: &MaskSlot) {
        for s in &slot.0 {
            self.ll.store(self.all_off(), *s, 0);
        }
    }
    pub fn read_mask(&self, slot: &MaskSlot) -> Vec<V> {
        slot.0.iter().map(|s| self.ll.load(self.mask_type(), *s, 0)).collect()
    }
    /// Adds the lanes of a mask to a slot.
    pub fn join_mask(&self, slot: &MaskSlot, m: &Mask) {
        let old = self.read_mask(slot);
        for (p, s) in slot.0.iter().enumerate() {
            let new = self.ll.or(old[p], self.mask_part(m, p as u32));
            self.ll.store(new, *s, 0);
        }
    }

    /// The bits of a vector of `i1` as one integer.
    pub fn mask_bits(&self, v: V) -> V {
        self.ll.bitcast(v, self.ll.int(self.gang.lanes))
    }
    /// Whether any lane of any of these vectors is set.
    pub fn any_of(&self, v: &[V]) -> V {
        let all = v.iter().copied().reduce(|a, b| self.ll.or(a, b)).unwrap_or_else(|| self.all_off());
        let bits = self.mask_bits(all);
        self.ll.ne(bits, self.ll.zero(self.ll.type_of(bits)))
    }
    /// Whether every lane of all of these vectors is set.
    pub fn all_of(&self, v: &[V]) -> V {
        let all = v.iter().copied().reduce(|a, b| self.ll.and(a, b)).unwrap_or_else(|| self.all_on());
        let bits = self.mask_bits(all);
        self.ll.eq(bits, self.ll.ones(self.ll.type_of(bits)))
    }
    pub fn any(&self, m: &Mask) -> V {
        match m {
            None => self.ll.cbool(true),
            Some(v) => self.any_of(v),
        }
    }
    /// Lanes for which a condition holds or that are off anyway.
    pub fn holds_where_active(&self, cond: &[V], m: &Mask) -> V {
        match m {
            None => self.all_of(cond),
            Some(v) => {
                let or: Vec<V> = cond.iter().zip(v).map(|(c, m)| self.ll.or(*c, self.ll.not(*m))).collect();
                self.all_of(&or)
            }
        }
    }
}
