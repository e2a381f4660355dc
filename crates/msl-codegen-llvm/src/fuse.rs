//! Which multiplications are fused with additions, decided on LLVM IR before LLVM optimizes it.
//!
//! In: a module whose locals are registers already, and whose floats LLVM may do nothing with but contract them
//! ([`CONTRACT`]; [`REORDER`] says something to us only). Out: the same with calls of `llvm.fma` where a product may be fused with the sum it goes into, and without
//! any freedom for LLVM: all code that is made of it rounds alike, however well it is made. So a kernel gives the
//! same results in fast mode, too, whether its code was made quickly or well and whatever part of a grid ran which. What LLVM
//! would do with more flags besides cannot be measured: what pays is done to our own IR (`msl_ir::passes`).

use std::collections::HashMap;

use llvm_sys::LLVMOpcode as O;
use llvm_sys::core::*;

use crate::llvm::{B, CONTRACT, Ll, REORDER, V};

/// A loop with so many of these operations keeps all units of a processor busy. Were it repeated, what it needs would no
/// longer fit into registers.
const BUSY: u32 = 12;

/// Fuses products with sums where the processor can.
pub fn fuse(ll: &Ll, has_fma: bool) {
    // SAFETY: walks the list of a live module, of which nothing is removed on the way.
    unsafe {
        let mut f = LLVMGetFirstFunction(ll.module);
        while !f.is_null() {
            fuse_function(ll, f, has_fma);
            f = LLVMGetNextFunction(f);
        }
    }
}

fn fuse_function(ll: &Ll, f: V, has_fma: bool) {
    let blocks = blocks(f);
    let mut fused = vec![0; blocks.len()];
    for (count, &block) in fused.iter_mut().zip(&blocks) {
        for v in instructions(block) {
            if is_sum(v) && contracts(v) {
                let is_fused = has_fma && fuse_sum(ll, v);
                *count += u32::from(is_fused);
                if !is_fused {
                    bind(ll, v);
                }
            } else if opcode(v) == Some(O::LLVMFDiv) {
                bind(ll, v);
            }
        }
    }
    // Blocks are in the order in which they were emitted: what is between the start of a loop and the branch back
    // to it belongs to the loop.
    let places: HashMap<B, usize> = blocks.iter().enumerate().map(|(place, block)| (*block, place)).collect();
    for (end, &block) in blocks.iter().enumerate() {
        // SAFETY: blocks of a finished function have terminators, which have as many successors as they say.
        unsafe {
            let branch = LLVMGetBasicBlockTerminator(block);
            let to = (0..LLVMGetNumSuccessors(branch)).filter_map(|i| places.get(&LLVMGetSuccessor(branch, i)));
            let start = to.copied().filter(|start| *start <= end).max();
            if start.is_some_and(|start| fused[start..=end].iter().sum::<u32>() >= BUSY) && !ll.has_loop_hint(branch) {
                ll.loop_hint(branch, "llvm.loop.unroll.runtime.disable", None);
            }
        }
    }
}

fn blocks(f: V) -> Vec<B> {
    let present = |block: B| (!block.is_null()).then_some(block);
    // SAFETY: walks the list of a live function; nothing is changed on the way.
    unsafe {
        let first = present(LLVMGetFirstBasicBlock(f));
        std::iter::successors(first, |block| present(LLVMGetNextBasicBlock(*block))).collect()
    }
}

fn instructions(block: B) -> Vec<V> {
    let present = |v: V| (!v.is_null()).then_some(v);
    // SAFETY: walks the list of a live block; nothing is changed on the way.
    unsafe {
        let first = present(LLVMGetFirstInstruction(block));
        std::iter::successors(first, |v| present(LLVMGetNextInstruction(*v))).collect()
    }
}

/// Whether an instruction may be fused with another.
fn contracts(v: V) -> bool {
    // SAFETY: `v` is an instruction that can have such flags, as the callers have seen.
    unsafe { LLVMGetFastMathFlags(v) & CONTRACT != 0 }
}

fn opcode(v: V) -> Option<O> {
    // SAFETY: a live value, asked for its opcode where it is an instruction only.
    unsafe { (!LLVMIsAInstruction(v).is_null()).then(|| LLVMGetInstructionOpcode(v)) }
}

fn is_sum(v: V) -> bool {
    matches!(opcode(v), Some(O::LLVMFAdd | O::LLVMFSub))
}

/// The instruction is used by one other, in its own block: were it in another, a loop might be around one of them.
fn is_only_for(v: V, user: V) -> bool {
    // SAFETY: both are live instructions.
    unsafe {
        let first = LLVMGetFirstUse(v);
        !first.is_null()
            && LLVMGetNextUse(first).is_null()
            && LLVMGetInstructionParent(v) == LLVMGetInstructionParent(user)
    }
}

fn operand(v: V, i: u32) -> V {
    // SAFETY: the callers know that the instruction has so many.
    unsafe { LLVMGetOperand(v, i) }
}

/// A product, perhaps with the other sign, that goes into `user` alone.
struct Product {
    mul: V,
    negation: Option<V>,
}

fn product(v: V, user: V) -> Option<Product> {
    let negation = (opcode(v) == Some(O::LLVMFNeg) && is_only_for(v, user)).then_some(v);
    let (mul, user) = negation.map_or((v, user), |n| (operand(n, 0), n));
    let fits = opcode(mul) == Some(O::LLVMFMul) && contracts(mul) && is_only_for(mul, user);
    fits.then_some(Product { mul, negation })
}

/// Whether it was fused; it is then gone.
fn fuse_sum(ll: &Ll, sum: V) -> bool {
    let t = ll.type_of(sum);
    let elem = if ll.is_vector(t) { ll.elem(t) } else { t };
    if elem != ll.f32() && elem != ll.f64() {
        return false;
    }
    let [left, right] = [operand(sum, 0), operand(sum, 1)];
    let is_difference = opcode(sum) == Some(O::LLVMFSub);
    let (product, other, is_right) = match (product(left, sum), product(right, sum)) {
        (Some(p), _) => (p, right, false),
        (None, Some(p)) => (p, left, true),
        (None, None) => return fuse_behind(ll, sum),
    };
    // SAFETY: `sum` is in a block; what is made before it uses what it used, and nothing uses what is erased: the sum was
    // replaced, and product and negation were for it alone.
    unsafe {
        ll.before(sum);
        let [mut a, b] = [operand(product.mul, 0), operand(product.mul, 1)];
        if product.negation.is_some() != (is_difference && is_right) {
            a = ll.fneg(a);
        }
        let c = if is_difference && !is_right { ll.fneg(other) } else { other };
        let fused = ll.intrinsic1("fma", ll.type_of(sum), &[a, b, c]);
        LLVMReplaceAllUsesWith(sum, fused);
        for old in [Some(sum), product.negation, Some(product.mul)].into_iter().flatten() {
            LLVMInstructionEraseFromParent(old);
        }
    }
    true
}

/// Where floats may be added in another order: `(x · y + u · v) + z` as `x · y + (u · v + z)`, through all sums of
/// products that lie between. Dot products to which something is added end in these.
fn fuse_behind(ll: &Ll, sum: V) -> bool {
    if opcode(sum) != Some(O::LLVMFAdd) || !reorders(sum) {
        return false;
    }
    for (first, other) in [(0, 1), (1, 0)] {
        let other = operand(sum, other);
        let mut chain = Vec::new();
        let (mut user, mut v) = (sum, operand(sum, first));
        while is_fma(ll, v) && is_only_for(v, user) {
            chain.push(v);
            (user, v) = (v, operand(v, 2));
        }
        if let (false, Some(Product { mul, negation: None })) = (chain.is_empty(), product(v, user)) {
            let t = ll.type_of(sum);
            // SAFETY: as for a single sum; each of the chain was for the next alone.
            unsafe {
                ll.before(sum);
                let mut fused = ll.intrinsic1("fma", t, &[operand(mul, 0), operand(mul, 1), other]);
                for &v in chain.iter().rev() {
                    fused = ll.intrinsic1("fma", t, &[operand(v, 0), operand(v, 1), fused]);
                }
                LLVMReplaceAllUsesWith(sum, fused);
                LLVMInstructionEraseFromParent(sum);
                chain.into_iter().chain([mul]).for_each(|v| LLVMInstructionEraseFromParent(v));
            }
            return true;
        }
    }
    false
}

fn reorders(v: V) -> bool {
    // SAFETY: `v` is an instruction that can have such flags.
    unsafe { LLVMGetFastMathFlags(v) & REORDER != 0 }
}

fn is_fma(ll: &Ll, v: V) -> bool {
    // SAFETY: a live value; what it calls is asked for where it is a call only.
    unsafe {
        if LLVMIsACallInst(v).is_null() {
            return false;
        }
        let callee = LLVMGetCalledValue(v);
        !LLVMIsAFunction(callee).is_null() && ll.name_of(callee).starts_with("llvm.fma.")
    }
}

/// Replaces a sum or quotient by one that LLVM may do nothing with: flags cannot be taken away.
fn bind(ll: &Ll, old: V) {
    let Some(opcode) = opcode(old) else { return };
    // SAFETY: `old` is in a block; what is made before it uses what it used, and nothing uses it when it is erased.
    unsafe {
        ll.before(old);
        let bound = ll.bin(opcode, operand(old, 0), operand(old, 1));
        LLVMReplaceAllUsesWith(old, bound);
        LLVMInstructionEraseFromParent(old);
    }
}
