//! Threadgroups side by side, run as one.
//!
//! Where threads cannot tell how they are grouped, the full threadgroups that follow each other in a row of
//! the grid need not be run one by one. In: the loop over threadgroups of a kernel ([`super::kernel`]), with
//! tests of what holds in a threadgroup ([`super::guards`], [`super::bounds`]). Out: an [`Attempt`] to make
//! these tests for all the threadgroups up to the end of the row at once, and loops over the rows of threads
//! of all of them, along which memory is walked in order. A test that fails for many is repeated for the
//! first alone, then for fewer: the usual reason is a border of the grid.
//!
//! Kernels with loops are not run like this: they have work enough in each threadgroup, and share loads
//! between the rows of one.

use llvm_sys::LLVMIntPredicate as IP;
use msl_ir::{AddressSpace, Builtin, Function, Module, Op};

use super::gangs::any_inst;
use super::kernel::Emit;
use super::layout::{Layout, Rows};
use crate::CodegenError;
use crate::abi;
use crate::emit::shape::Shape;
use crate::emit::value::Comp;
use crate::llvm::{B, Ll, V};

/// Whether threadgroups of a kernel may be run together.
pub fn can_join(module: &Module, f: &Function, layout: &Layout) -> bool {
    let asks = |op: &Op| match op {
        Op::Builtin(b) => !matches!(b, Builtin::ThreadPositionInGrid | Builtin::ThreadsPerGrid),
        Op::Barrier { .. } | Op::Simd(..) | Op::Call { .. } | Op::Loop { .. } => true,
        _ => false,
    };
    let shared = |ty| module.types.pointee(ty).is_some_and(|(space, _)| space == AddressSpace::Threadgroup);
    layout.is_full()
        && matches!(layout.rows, Rows::Line | Rows::InRow)
        && !f.params.iter().any(|ty| shared(*ty))
        && !module.globals.iter().any(|(_, g)| g.space == AddressSpace::Threadgroup)
        && !any_inst(f, &f.body, &|_, op| asks(op))
}

/// No limit yet.
const ANY: u32 = u32::MAX;

/// Tests for several threadgroups from the present one on.
pub struct Attempt {
    head: B,
    /// At most so many are tried.
    limit: V,
    /// How many are tried.
    pub count: V,
    /// The limit for the next ones.
    after: V,
}

impl Attempt {
    /// The limit, where the loop over threadgroups begins; `from` enters it.
    pub fn limit(ll: &Ll, from: B) -> V {
        ll.phi(ll.int(32), &[(ll.c32(ANY), from)])
    }

    /// Begins to test where the builder stands: `left` threadgroups remain in the row, `todo` in all.
    pub fn begin(ll: &Ll, limit: V, left: V, todo: V) -> Attempt {
        let least = |a: V, b: V| ll.intrinsic1("umin", ll.type_of(a), &[a, b]);
        let most = least(ll.zext(least(left, limit), ll.int(64)), todo);
        let first = ll.trunc(most, ll.int(32));
        let from = ll.current();
        let head = ll.new_block("attempt");
        ll.br(head);
        ll.at_end(head);
        let count = ll.phi(ll.int(32), &[(first, from)]);
        let after = ll.phi(ll.int(32), &[(ll.c32(ANY), from)]);
        Attempt { head, limit, count, after }
    }

    /// Goes to `good` if `holds`; else tests again for fewer, if it was for several, and leaves the builder
    /// where there is one that failed.
    pub fn decide(&self, ll: &Ll, holds: V, good: B) {
        let (fail, again, single) = (ll.new_block("fail"), ll.new_block("again"), ll.new_block("single"));
        ll.likely_br(holds, good, fail);
        ll.at_end(fail);
        ll.cond_br(ll.icmp(IP::LLVMIntUGT, self.count, ll.c32(1)), again, single);
        ll.at_end(again);
        // Between the first and the last one of a row all may be well; else cut what is left in half.
        let is_first = ll.eq(self.limit, ll.c32(ANY));
        let fewer = ll.select(is_first, ll.sub(self.count, ll.c32(2)), ll.lshr(self.count, ll.c32(1)));
        let fewer = ll.intrinsic1("umax", ll.int(32), &[fewer, ll.c32(1)]);
        ll.stays(ll.br_back(self.head));
        ll.add_incoming(self.count, &[(ll.c32(1), again)]);
        ll.add_incoming(self.after, &[(fewer, again)]);
        ll.at_end(single);
    }

    /// What the loop over threadgroups goes on with, from the block `from`.
    pub fn end(&self, ll: &Ll, from: B) {
        ll.add_incoming(self.limit, &[(self.after, from)]);
    }
}

impl Emit<'_> {
    /// Runs `count` threadgroups.
    pub fn emit_joined(&mut self, count: V, next: B) -> Result<(), CodegenError> {
        let (f, ll) = (self.f, self.ll);
        let n = self.gang.threads();
        let [sx, sy, sz] = self.layout.size;
        let (per_row, rows) = (sx / n, sy * sz);
        let across = if per_row == 1 { count } else { ll.mul_nuw(count, ll.c32(per_row)) };
        let zero = ll.c32(0);
        let mut row = zero;
        let row_block = ll.new_block("row");
        if rows > 1 {
            let from = ll.current();
            ll.br(row_block);
            ll.at_end(row_block);
            row = ll.phi(ll.int(32), &[(zero, from)]);
        }
        let from = ll.current();
        let (body, end) = (ll.new_block("gang"), ll.new_block("endgang"));
        ll.br(body);
        ll.at_end(body);
        let i = ll.phi(ll.int(32), &[(zero, from)]);
        self.begin_joined(row, i, per_row);
        self.end = end;
        if self.block(&f.body)? {
            ll.br(end);
        }
        ll.at_end(end);
        let i1 = ll.add_nuw(i, ll.c32(1));
        ll.add_incoming(i, &[(i1, end)]);
        let more = ll.ult(i1, across);
        if rows == 1 {
            ll.at_end(row_block);
            ll.unreachable();
            ll.at_end(end);
            ll.stays(ll.cond_br(more, body, next));
            return Ok(());
        }
        let end_row = ll.new_block("endrow");
        ll.stays(ll.cond_br(more, body, end_row));
        ll.at_end(end_row);
        let row1 = ll.add_nuw(row, ll.c32(1));
        ll.add_incoming(row, &[(row1, end_row)]);
        ll.stays(ll.cond_br(ll.ult(row1, ll.c32(rows)), row_block, next));
        Ok(())
    }

    /// The `i`th gang of a row of threads.
    fn begin_joined(&mut self, row: V, i: V, per_row: u32) {
        let ll = self.ll;
        let n = self.gang.threads();
        let [_, sy, sz] = self.layout.size;
        let by = |op, v: V, k: u32| ll.bin(op, v, ll.c32(k));
        let (rem, div) = (llvm_sys::LLVMOpcode::LLVMURem, llvm_sys::LLVMOpcode::LLVMUDiv);
        let shapes = self.layout.position();
        // Counted from the first of these threadgroups.
        let x = Comp { shape: shapes[0], v: vec![ll.mul_nuw(i, ll.c32(n))] };
        let y = if sz == 1 { row } else { by(rem, row, sy) };
        let z = if sz == 1 { ll.c32(0) } else { by(div, row, sy) };
        let place = |shape: Shape, v: V| Comp { shape, v: vec![v] };
        self.positions = vec![x, place(shapes[1], y), place(shapes[2], z)];
        // Where a fault would be.
        let (group, own) = if per_row == 1 { (i, ll.c32(0)) } else { (by(div, i, per_row), by(rem, i, per_row)) };
        self.joined_group = Some(ll.add(self.group[0], group));
        self.gang_index = ll.add(ll.mul(row, ll.c32(per_row)), own);
        let linear = self.layout.builtin(Builtin::ThreadIndexInThreadgroup)[0];
        self.linear_index = Comp { shape: linear, v: vec![ll.mul(self.gang_index, ll.c32(n))] };
        self.entry_mask = None;
        self.mask = None;
    }

    /// Before what may report a fault: says in which threadgroup.
    pub fn note_group(&self) {
        if let Some(x) = self.joined_group {
            self.ll.store(x, self.ll.gep_const(self.scratch, abi::header::GROUP), 4);
        }
    }
}
