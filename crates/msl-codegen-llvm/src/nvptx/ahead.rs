//! Several bounds checks as one.
//!
//! Accesses of one block that follow each other, with nothing between them that other threads could notice, are
//! tested before the first one: the thread ends because of the first that is out of bounds, and in the usual case there is
//! one branch, after which the loads can be issued together. What their addresses need is computed ahead. A thread that
//! ends so leaves the stores before that access undone, too; after a fault buffers hold nothing that could be relied on.

use std::collections::HashSet;

use msl_base::Id;
use msl_ir::analysis::Root;
use msl_ir::{AddressSpace, Op, ValueId};

use super::kernel::Emit;
use super::memory::Bounds;
use crate::CodegenError;
use crate::compiler::FaultKind;

/// Accesses that one branch tests at most.
const MOST: usize = 32;

impl Emit<'_> {
    /// Tests the first instruction of the list, if it is an access that needs it, and those after it that can be
    /// tested with it.
    pub fn check_ahead(&mut self, list: &[ValueId]) -> Result<(), CodegenError> {
        if self.checked.contains(&list[0]) || self.access(list[0]).is_none() {
            return Ok(());
        }
        let here: HashSet<ValueId> = list.iter().copied().collect();
        let mut tests: Vec<(ValueId, FaultKind, Bounds)> = Vec::new();
        let mut alignments = Vec::new();
        let mut writes_locals = false;
        for id in list {
            let op = &self.f.insts[*id].op;
            match op {
                Op::Load { ptr, .. } | Op::Store { ptr, .. } => {
                    let space = self.space_of(*ptr);
                    let is_store = matches!(op, Op::Store { .. });
                    if self.known.contains_key(id) {
                        continue;
                    }
                    if matches!(space, AddressSpace::Device | AddressSpace::Constant) {
                        if self.checked.contains(id) || tests.len() == MOST {
                            break;
                        }
                        if !self.compute_ahead(*ptr, &here, writes_locals)? {
                            break;
                        }
                        let Some((ptr, size, kind)) = self.access(*id) else { break };
                        let p = self.pointer(ptr);
                        if let Some(bounds) = self.bounds(ptr, p, size) {
                            tests.push((*id, kind, bounds));
                        }
                        self.common_tests.remove(id);
                        let test = self.alignment_test(*id, (ptr, p), p.p, self.alignment_of(*id));
                        alignments.extend(test.map(|test| (*id, test)));
                        self.checked.insert(*id);
                    } else if is_store && space == AddressSpace::Thread {
                        writes_locals = true;
                    }
                }
                op if is_quiet(op) => {}
                _ => break,
            }
        }
        self.branch_on(tests);
        // One test for all: LLVM makes one branch of those that depend on the same.
        if let Some(all) = alignments.iter().map(|(_, test)| *test).reduce(|a, b| self.ll.and(a, b)) {
            self.common_tests.extend(alignments.into_iter().map(|(id, _)| (id, all)));
        }
        Ok(())
    }

    /// What an instruction accesses in device or constant memory: pointer, bytes, kind.
    pub fn access(&self, id: ValueId) -> Option<(ValueId, u64, FaultKind)> {
        let types = &self.module.types;
        let (ptr, ty, kind) = match &self.f.insts[id].op {
            Op::Load { ptr, .. } => (*ptr, self.ty(id), FaultKind::Read),
            Op::Store { ptr, value, .. } => (*ptr, self.ty(*value), FaultKind::Write),
            _ => return None,
        };
        if !matches!(self.space_of(ptr), AddressSpace::Device | AddressSpace::Constant) {
            return None;
        }
        let size = match types.scalar_of(ty) {
            Some(s) if types.pointee(ty).is_none() => u64::from(u32::from(types.component_count(ty)).max(1) * s.size()),
            _ => 8,
        };
        Some((ptr, size, kind))
    }

    /// Makes a value known before its turn, where nothing in between can change it.
    pub fn compute_ahead(
        &mut self,
        v: ValueId,
        here: &HashSet<ValueId>,
        writes_locals: bool,
    ) -> Result<bool, CodegenError> {
        if self.vals[v.index()].is_some() || self.flipped.contains_key(&v) {
            return Ok(true);
        }
        let op = &self.f.insts[v].op;
        let is_stable = match op {
            Op::Load { ptr, volatile: false, .. } => {
                !writes_locals && matches!(self.provenance.roots(*ptr), [Root::Local(_)])
                    || self.never_changes(*ptr)
                        && self.compute_ahead(*ptr, here, writes_locals)?
                        && self.needs_no_test(v)
            }
            op => is_quiet(op) && !matches!(op, Op::Load { .. } | Op::Simd(..)),
        };
        if !here.contains(&v) || !is_stable {
            return Ok(false);
        }
        let mut operands = Vec::new();
        op.for_each_operand(|o| operands.push(o));
        for o in operands {
            if !self.compute_ahead(o, here, writes_locals)? {
                return Ok(false);
            }
        }
        if self.wraps_around(v) {
            self.emit_remainders(&[v]);
            return Ok(true);
        }
        let value = self.value(v)?;
        self.vals[v.index()] = value;
        self.ahead.insert(v);
        Ok(true)
    }

    /// Whether an access is known to be in bounds.
    fn needs_no_test(&mut self, id: ValueId) -> bool {
        let Some((ptr, size, _)) = self.access(id) else { return false };
        let p = self.pointer(ptr);
        self.bounds(ptr, p, size).is_none_or(|bounds| self.ll.as_const_int(bounds.ok) == Some(1))
    }

    /// Goes on if all tests hold; ends the thread at the first that does not.
    pub fn branch_on(&mut self, mut tests: Vec<(ValueId, FaultKind, Bounds)>) {
        let ll = self.ll;
        tests.retain(|(_, _, bounds)| ll.as_const_int(bounds.ok) != Some(1));
        let Some((_, _, first)) = tests.first() else { return };
        let all = tests[1..].iter().fold(first.ok, |all, (_, _, bounds)| ll.and(all, bounds.ok));
        let (good, bad) = (ll.new_block("inside"), ll.new_block("outside"));
        ll.likely_br(all, good, bad);
        ll.at_end(bad);
        let mut found = None;
        for (id, kind, bounds) in tests.iter().rev() {
            let site = self.site(*kind, bounds.param, self.f.insts[*id].span, self.outside(*kind, &bounds.among));
            let offset = bounds.place.emit(ll);
            found = Some(match found {
                None => (site, offset),
                Some((s, o)) => (ll.select(bounds.ok, s, site), ll.select(bounds.ok, o, offset)),
            });
        }
        if let Some((site, offset)) = found {
            self.end_with_fault(site, offset);
        }
        ll.at_end(good);
    }
}

/// Whether nobody can tell if an instruction ran before the thread ended.
pub fn is_quiet(op: &Op) -> bool {
    match op {
        Op::Const(_)
        | Op::Undef
        | Op::Splat(_)
        | Op::Compose(_)
        | Op::Extract { .. }
        | Op::ExtractDynamic { .. }
        | Op::Insert { .. }
        | Op::InsertDynamic { .. }
        | Op::Shuffle { .. }
        | Op::Unary(..)
        | Op::Binary(..)
        | Op::Fma(..)
        | Op::Compare(..)
        | Op::Select { .. }
        | Op::Convert(_)
        | Op::Bitcast(_)
        | Op::Builtin(_)
        | Op::Param(_)
        | Op::LocalAddr(_)
        | Op::GlobalAddr(_)
        | Op::FieldAddr { .. }
        | Op::IndexAddr { .. }
        | Op::PtrOffset { .. }
        | Op::PtrCast(_)
        | Op::PtrDiff(..)
        | Op::PtrToInt(_)
        | Op::IntToPtr(_)
        | Op::AssumeValid(_)
        | Op::Load { .. }
        | Op::Store { .. } => true,
        Op::Simd(..)
        | Op::Barrier { .. }
        | Op::Log { .. }
        | Op::Copy { .. }
        | Op::Atomic { .. }
        | Op::CompareExchange { .. }
        | Op::Fence { .. }
        | Op::Call { .. }
        | Op::If { .. }
        | Op::Loop { .. }
        | Op::Switch { .. }
        | Op::Scope { .. }
        | Op::Break(_)
        | Op::Continue(_)
        | Op::Return(_)
        | Op::Trap(_)
        | Op::Unreachable => false,
    }
}
