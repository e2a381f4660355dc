//! Where memory is: the address and size of what a pointer was derived from, and alias facts.

use msl_ir::{AddressSpace, LocalId, ParamKind, READ_SLACK};

use super::kernel::Emit;
use crate::emit::shape::Root;
use crate::llvm::V;

impl Emit<'_> {
    /// In threadgroup memory.
    pub fn is_shared(&self, root: Root) -> bool {
        match root {
            Root::Shared => true,
            Root::Param(i) => {
                matches!(self.entry.params.get(i as usize).map(|p| &p.kind), Some(ParamKind::Threadgroup { .. }))
            }
            Root::Global(g) => self.module.globals[g].space == AddressSpace::Threadgroup,
            Root::Local(_) | Root::Private | Root::Raw => false,
        }
    }

    /// Address of the first byte and length in bytes.
    pub fn root_address(&self, root: Root) -> (V, V) {
        let ll = self.ll;
        match root {
            Root::Param(i) if self.is_shared(root) => {
                let a = &self.args[i as usize];
                (a.pointer, a.length)
            }
            Root::Param(i) => {
                let a = &self.args[i as usize];
                (a.pointer, a.length)
            }
            Root::Global(g) if self.is_shared(root) => {
                let offset = self.shared_globals.get(&g).copied().unwrap_or(0);
                let size = self.module.types.size_of(self.module.globals[g].ty);
                (ll.gep_const(self.scratch, offset), ll.c64(size))
            }
            Root::Global(g) => {
                let size = self.module.types.size_of(self.module.globals[g].ty);
                (self.constant_global(g), ll.c64(size))
            }
            Root::Shared => (ll.gep_const(self.scratch, self.shared_start), self.shared_size),
            Root::Local(_) | Root::Private | Root::Raw => (ll.null(), ll.c64(u64::MAX)),
        }
    }

    /// Address of the first byte and how many bytes an access may touch: reads of threadgroup memory may go
    /// [beyond it](READ_SLACK).
    pub fn reach(&self, root: Root, is_store: bool) -> (V, V) {
        let ll = self.ll;
        let (base, length) = self.root_address(root);
        let slack = if self.is_shared(root) && !is_store { READ_SLACK } else { 0 };
        match ll.as_const_int(length) {
            _ if slack == 0 => (base, length),
            Some(n) => (base, ll.c64(n + slack)),
            None => (base, ll.add(length, ll.c64(slack))),
        }
    }

    /// Offset of a threadgroup variable from the start of threadgroup memory.
    pub fn shared_offset(&self, root: Root) -> V {
        let ll = self.ll;
        let (p, _) = self.root_address(root);
        let start = ll.gep_const(self.scratch, self.shared_start);
        ll.sub(ll.ptr_to_int(p), ll.ptr_to_int(start))
    }

    pub fn constant_global(&self, g: msl_ir::GlobalId) -> V {
        if let Some(v) = self.constants.borrow().get(&g) {
            return *v;
        }
        let global = &self.module.globals[g];
        let mut bytes = global.init.clone().unwrap_or_default();
        bytes.resize(self.module.types.size_of(global.ty) as usize, 0);
        // Targets come earlier in the module, so this ends.
        let pointers: Vec<_> =
            global.pointers.iter().map(|p| (p.offset, self.constant_global(p.target), p.addend)).collect();
        let v = self.ll.constant_with_pointers("table", &bytes, &pointers, global.align.max(16));
        self.constants.borrow_mut().insert(g, v);
        v
    }

    /// Offset of a local in this thread's memory.
    pub fn private_offset(&self, l: LocalId) -> u64 {
        self.private_layout.get(&l).copied().unwrap_or(0)
    }

    /// Marks an access with what it cannot alias.
    pub fn annotate(&self, access: V, root: Root) {
        let key = match root {
            Root::Param(i) if !self.is_shared(root) => {
                if self.read_only(root) {
                    self.ll.set_md(access, "invariant.load", self.ll.md_node(&[]));
                }
                if self.noalias { 8 + i as usize } else { 0 }
            }
            Root::Global(_) if !self.is_shared(root) => {
                self.ll.set_md(access, "invariant.load", self.ll.md_node(&[]));
                return;
            }
            Root::Param(_) | Root::Global(_) | Root::Shared => 1,
            Root::Local(_) | Root::Private => 2,
            Root::Raw => return,
        };
        self.scopes.annotate(self.ll, access, key);
    }

    /// Nothing in this dispatch writes this memory.
    pub fn read_only(&self, root: Root) -> bool {
        self.read_only_roots.contains(&root)
    }
}

/// Alias scopes: one per kind of memory or buffer.
pub struct Scopes {
    scopes: Vec<llvm_sys::prelude::LLVMMetadataRef>,
    kinds: Vec<usize>,
}

impl Scopes {
    /// `params` buffers that are separate allocations.
    pub fn new(ll: &crate::llvm::Ll, params: usize) -> Scopes {
        let domain = ll.md_node(&[ll.md_string("kernel")]);
        let kinds: Vec<usize> = [0, 1, 2].into_iter().chain(8..8 + params).collect();
        let scopes = kinds.iter().map(|k| ll.md_node(&[ll.md_string(&format!("memory{k}")), domain])).collect();
        Scopes { scopes, kinds }
    }

    fn annotate(&self, ll: &crate::llvm::Ll, access: V, key: usize) {
        let Some(at) = self.kinds.iter().position(|k| *k == key) else { return };
        ll.set_md(access, "alias.scope", ll.md_node(&[self.scopes[at]]));
        // Without the promise that buffers are separate, the buffers share scope 0.
        let others: Vec<_> = self.scopes.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, s)| *s).collect();
        ll.set_md(access, "noalias", ll.md_node(&others));
    }
}
