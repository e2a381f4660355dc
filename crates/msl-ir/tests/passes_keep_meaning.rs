//! Random kernels give the same result before and after each step of the pipeline, and what
//! uniformity analysis says about their values holds for every thread.

mod support;

use msl_base::Span;
use msl_ir::analysis::{GangLayout, Lanes, Uniformity};
use msl_ir::interp::{Argument, BufferRef, DispatchKind, Machine, Options as Watch};
use msl_ir::passes::{Facts, Options, PASSES, run_pipeline};
use msl_ir::*;

const SHAPES: [[u32; 3]; 4] = [[32, 2, 1], [64, 1, 1], [8, 8, 1], [16, 4, 1]];

fn execute(m: &Module, size: [u32; 3]) -> Vec<u32> {
    let input: Vec<u32> = (0..support::INPUT as u32).map(|i| i.wrapping_mul(2_654_435_761) >> 27).collect();
    let mut out = vec![0u32; 64 * support::OUTPUT as usize + 1];
    let mut machine = Machine::new(m, "k", Watch { step_limit: Some(20_000_000), ..Watch::default() }).unwrap();
    machine.bind(0, Argument::Buffer(BufferRef::read_only(&input)));
    machine.bind(1, Argument::Buffer(BufferRef::of(&mut out)));
    if let Err(fault) = machine.dispatch(size, size, DispatchKind::Threads) {
        panic!("{fault}\n{}", text::print(m));
    }
    drop(machine);
    out
}

#[test]
fn every_prefix_of_the_pipeline_keeps_the_results() {
    for seed in 0..150 {
        let original = support::kernel(seed);
        let size = SHAPES[seed as usize % SHAPES.len()];
        let expected = execute(&original, size);
        for (i, pass) in PASSES.iter().enumerate() {
            // Most of the time the whole pipeline is enough; some seeds look at each step.
            if i + 1 < PASSES.len() && seed % 5 != 0 {
                continue;
            }
            let mut m = original.clone();
            let function = m.entry_points[0].function;
            let facts = Facts {
                threads_per_threadgroup: Some(size),
                full_threadgroups: true,
                joins_accesses: true,
                ..Facts::default()
            };
            let options = Options { facts, verify: true, after: Some(pass.name), observe: None };
            if let Err(d) = run_pipeline(&mut m, function, options) {
                panic!("seed {seed}: {}\n{}", d.message, text::print(&m));
            }
            let found = execute(&m, size);
            if let Some(at) = (0..found.len()).find(|i| found[*i] != expected[*i]) {
                panic!(
                    "seed {seed}, after {}: word {} of thread {} is {} instead of {}\n{}\n----\n{}",
                    pass.name,
                    at % 16,
                    at / 16,
                    found[at],
                    expected[at],
                    text::print(&original),
                    text::print(&m),
                );
            }
        }
    }
}

/// After each integer value that is said to be uniform or linear: a test that sets the last word of the output.
fn instrument(m: &mut Module, f: FunctionId, layout: &GangLayout) -> usize {
    let u = Uniformity::analyze(m, &m.functions[f], layout);
    let u32_ty = m.types.scalar(Scalar::U32);
    let bool_ty = m.types.scalar(Scalar::Bool);
    let void = m.types.void();
    let out_ty = m.functions[f].params[1];
    let mut tests = 0;
    let function = &mut m.functions[f];
    let mut blocks: Vec<(Option<ValueId>, usize)> = vec![(None, 0)];
    while let Some((owner, index)) = blocks.pop() {
        let list = match owner {
            None => std::mem::take(&mut function.body.insts),
            Some(o) => std::mem::take(&mut function.insts[o].op.blocks_mut()[index].insts),
        };
        let mut new = Vec::new();
        for v in list {
            for i in 0..function.insts[v].op.blocks().len() {
                blocks.push((Some(v), i));
            }
            new.push(v);
            if function.insts[v].ty != u32_ty {
                continue;
            }
            let shape = u.shape(v).exact();
            let stride = match shape.lanes {
                Lanes::Uniform if shape.is_uniform() || layout.lanes == 32 => 0,
                Lanes::Linear(s) if layout.lanes == 32 => s,
                _ => continue,
            };
            tests += 1;
            let mut add = |op, ty| {
                let v = function.insts.push(Inst { op, ty, fp: FpFlags::STRICT, span: Span::NONE });
                new.push(v);
                v
            };
            let lane = add(Op::Builtin(Builtin::ThreadIndexInSimdgroup), u32_ty);
            let s = add(Op::Const(u64::from(stride as u32)), u32_ty);
            let along = add(Op::Binary(BinaryOp::Mul, lane, s), u32_ty);
            let base = add(Op::Binary(BinaryOp::Sub, v, along), u32_ty);
            let first = add(Op::Simd(SimdOp::BroadcastFirst, vec![base]), u32_ty);
            let mut wrong = add(Op::Compare(CompareOp::Ne, base, first), bool_ty);
            if shape.max < u64::from(u32::MAX) {
                let max = add(Op::Const(shape.max), u32_ty);
                let above = add(Op::Compare(CompareOp::Gt, v, max), bool_ty);
                wrong = add(Op::Binary(BinaryOp::Or, wrong, above), bool_ty);
            }
            let out = add(Op::Param(1), out_ty);
            let last = add(Op::Const(64 * u64::from(support::OUTPUT)), u32_ty);
            let flag = add(Op::PtrOffset { base: out, offset: last }, out_ty);
            let mark = add(Op::Const(u64::from(v.0) + 1), u32_ty);
            let store = function.insts.push(Inst {
                op: Op::Store { ptr: flag, value: mark, align: 4, volatile: false },
                ty: void,
                fp: FpFlags::STRICT,
                span: Span::NONE,
            });
            let test = Op::If { condition: wrong, then: Block { insts: vec![store] }, otherwise: Block::default() };
            new.push(function.insts.push(Inst { op: test, ty: void, fp: FpFlags::STRICT, span: Span::NONE }));
        }
        match owner {
            None => function.body.insts = new,
            Some(o) => function.insts[o].op.blocks_mut()[index].insts = new,
        }
    }
    tests
}

#[test]
fn values_that_are_said_to_be_uniform_are() {
    let mut tests = 0;
    for seed in 0..120 {
        let mut original = support::kernel(1000 + seed);
        let size = SHAPES[seed as usize % SHAPES.len()];
        let function = original.entry_points[0].function;
        // Half of them as they come out of the inliner, with all their locals.
        let after = if seed % 2 == 0 { Some("inline_calls") } else { None };
        run_pipeline(&mut original, function, Options { after, ..Options::default() }).unwrap();
        for lanes in [32, 16] {
            let mut m = original.clone();
            tests += instrument(&mut m, function, &GangLayout::consecutive(Some(size), lanes, 32 / lanes));
            let out = execute(&m, size);
            let flag = out[64 * support::OUTPUT as usize];
            assert_eq!(
                flag,
                0,
                "seed {seed}, {lanes} lanes: %{} differs\n{}",
                flag.wrapping_sub(1),
                text::print(&original)
            );
        }
    }
    assert!(tests > 1000, "only {tests} values were tested");
}
