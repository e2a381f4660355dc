//! Threads that fault: where they are registered, and what they leave behind.
//!
//! A thread that faults calls a function that never returns. A block shared by all places would be what every branch
//! with such a place on one side has in common with the other side: the machine code would then bring the threads of
//! a warp together there, at the end, and run all that comes after the branch once for each side. Kernels with few
//! such places get a copy of the function at each: what it is called with is brought into registers before
//! the kernel's first branch, for all threads, whereas a copy reads the launch's parameters only where it is reached.

use msl_base::Span;
use msl_ir::analysis::Root;

use super::kernel::Emit;
use super::status;
use crate::compiler::{FaultKind, FaultSite, outside_of_all};
use crate::llvm::{Ll, T, V};

/// Kernels with so many places that can fault, at most, have no function for them.
const MOST_COPIES: u32 = 8;
/// The names of the function: it finds the thread's position itself, or is told.
const NAMES: [&str; 2] = ["fault", "fault_at"];

impl Emit<'_> {
    /// Decides, at the end, whether the function for faults is one.
    pub fn finish_faults(&self) {
        let form = if self.fault_calls <= MOST_COPIES { "alwaysinline" } else { "noinline" };
        for f in NAMES.into_iter().filter_map(|name| self.ll.named_function(name)) {
            self.ll.attr(f, form);
        }
    }

    /// Registers a place that can fault.
    pub fn site(&mut self, kind: FaultKind, param: Option<u32>, span: Span, message: Option<String>) -> V {
        self.sites.push(FaultSite { kind, param, span, message });
        self.ll.c32(self.sites.len() as u32 - 1)
    }

    /// What is said of an access outside of several objects.
    pub fn outside(&self, kind: FaultKind, among: &[Root]) -> Option<String> {
        let names = among.iter().filter_map(|root| match root {
            Root::Param(i) => self.entry.params.get(*i as usize).map(|p| p.name),
            Root::Global(g) => Some(self.module.globals[*g].name),
            Root::Local(_) | Root::Unknown { .. } => None,
        });
        (!among.is_empty()).then(|| outside_of_all(kind, names))
    }

    /// Ends the current block with a fault of this thread.
    pub fn end_with_fault(&mut self, site: V, offset: V) {
        let ll = self.ll;
        self.fault_calls += 1;
        let size = self.options.threadgroup;
        // Where threads are numbered as the hardware does it, the function finds the position itself, so that nothing
        // is kept for it.
        let is_plain = !self.renumbered && (!self.options.edge_groups || size[1..] == [1, 1]);
        let position = if is_plain { self.base } else { self.position_in_grid() };
        let (ty, f) = function(ll, is_plain.then_some(size));
        let mut arguments = vec![self.status, site, offset, self.dispatch];
        arguments.extend(position);
        let call = ll.call(ty, f, &arguments);
        // Else LLVM makes one place of several.
        ll.call_attr(call, "nomerge");
        ll.unreachable();
    }
}

/// The function that ends a thread: the first one of the launches that share a status block writes its record. Its last
/// parameters are the thread's position in the grid or, with the size of threadgroups, the first threadgroup of
/// the launch.
fn function(ll: &Ll, size: Option<[u32; 3]>) -> (T, V) {
    let (i32t, i64t) = (ll.int(32), ll.int(64));
    let ty = ll.fn_type(ll.void(), &[ll.ptr_in(1), i32t, i64t, i32t, i32t, i32t, i32t]);
    let name = NAMES[usize::from(size.is_none())];
    if let Some(f) = ll.named_function(name) {
        return (ty, f);
    }
    let here = ll.current();
    let f = ll.add_function(name, ty, true);
    for attribute in ["noreturn", "cold"] {
        ll.attr(f, attribute);
    }
    let [block, site, offset, dispatch] = std::array::from_fn(|i| ll.param(f, i as u32));
    let last: [V; 3] = std::array::from_fn(|i| ll.param(f, 4 + i as u32));
    let (entry, record, end) = (ll.block(f, "entry"), ll.block(f, "record"), ll.block(f, "end"));
    ll.at_end(entry);
    let found = ll.cmpxchg_in(block, ll.c32(0), ll.c32(1), "device");
    ll.cond_br(ll.eq(found, ll.c32(0)), record, end);
    ll.at_end(record);
    let position = match size {
        None => last,
        Some(size) => std::array::from_fn(|i| {
            let axis = ["x", "y", "z"][i];
            let read = |name: &str| ll.intrinsic(&format!("llvm.nvvm.read.ptx.sreg.{name}.{axis}"), i32t, &[]);
            let group = ll.add(read("ctaid"), last[i]);
            ll.add(ll.mul(group, ll.c32(size[i])), read("tid"))
        }),
    };
    let host = ll.load(i64t, ll.gep_const(block, status::HOST), 8);
    let host = ll.int_to_ptr_in(host, 1);
    // The driver's linker gives the kernel as many registers as this function has, if those are more, and fewer threads
    // fit then: words that are stored one by one, as volatile ones are, need not be brought together first.
    let put = |v: V, at: u64, align: u32| {
        let store = ll.store(v, ll.gep_const(host, at), align);
        ll.set_volatile(store);
    };
    put(ll.c32(1), status::CLAIMED, 4);
    put(site, status::SITE, 4);
    put(dispatch, status::DISPATCH, 4);
    put(offset, status::OFFSET, 8);
    for (i, v) in position.into_iter().enumerate() {
        put(v, status::THREAD + 4 * i as u64, 4);
    }
    ll.br(end);
    ll.at_end(end);
    ll.intrinsic("llvm.nvvm.exit", ll.void(), &[]);
    ll.unreachable();
    ll.at_end(here);
    (ty, f)
}
