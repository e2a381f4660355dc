//! Stores of some lanes of a vector, which leave the memory between them as it is.
//!
//! AVX-512 has instructions for them. AVX2 has one that takes AMD's processors 12 cycles and more, whatever is stored, and
//! what it stored is not loaded again before it is in the cache: in memory that nobody else looks at, all lanes are stored.
//! (Elsewhere, storing lane by lane was slower still: 76 instead of 33 ms for a bitonic sort.)

use super::ALIGN;
use crate::cpu::kernel::Emit;
use crate::emit::shape::Root;
use crate::llvm::V;

/// The lanes of a vector that are stored.
#[derive(Clone, Copy)]
pub struct StoreMask {
    pub lanes: V,
    /// The memory of the others is there, too.
    pub is_there: bool,
}

impl Emit<'_> {
    pub(super) fn masked_store(&self, v: V, at: V, mask: StoreMask, root: Root) {
        let ll = self.ll;
        // Nobody else touches the memory of a threadgroup while one of its gangs runs.
        if mask.is_there && self.is_shared(root) && !self.target.has_mask_registers {
            let old = ll.load(ll.type_of(v), at, ALIGN);
            self.annotate(old, root);
            let all = self.as_one_value(ll.select(mask.lanes, v, old));
            self.annotate(ll.store(all, at, ALIGN), root);
            return;
        }
        self.annotate(ll.masked_store(v, at, ALIGN, mask.lanes), root);
    }

    /// Hides how a vector that fills a register was computed: LLVM would make a masked store of a blend that is stored.
    fn as_one_value(&self, v: V) -> V {
        let ll = self.ll;
        let t = ll.type_of(v);
        if self.target.lanes != 8 || ll.lanes(t) * ll.bits(t) != 256 {
            return v;
        }
        let value = ll.plain_asm("", "=x,0", t, &[v]);
        ll.call_attr(value, "memory");
        value
    }
}
