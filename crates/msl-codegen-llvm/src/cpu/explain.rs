//! Remarks that follow from the analyses: the gang, control flow, barriers, loops, values.
//!
//! In: a version of a kernel with its flow, and why its gang is not larger. Out: calls of the sink. What
//! is decided while code is emitted (accesses, atomic operations, checks of loops) is reported where it is.

use std::collections::{HashSet, VecDeque};

use msl_base::Id;
use msl_ir::{BarrierScope, BinaryOp, Block, LocalId, Op, Scalar, ValueId};

use super::gangs::GangLimit;
use super::kernel::Emit;
use crate::emit::divide::Conversions;
use crate::emit::shape::{Root, Shape};
use crate::remarks::{Form, Remarks};

/// What one access turned out to be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum AccessForm {
    Uniform,
    PerVector,
    Contiguous,
    /// Steps of so many bytes, by vector accesses and shuffles.
    Interleaved(u64),
    /// Steps of so many bytes, lane by lane in hardware.
    Strided(u64),
    /// Counting down.
    Reversed,
    Tested,
    /// Following a pattern that is the same for all gangs.
    Patterned,
    Scattered,
    /// Different values for one place.
    Contended,
    Raw,
    Private,
}

fn count(n: u32, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

impl Emit<'_> {
    /// Reports on the version as a whole; `limit` is what kept the gang from being larger.
    pub fn explain(&self, sink: &Remarks, limit: GangLimit) {
        let gang = self.gang;
        let threads = gang.threads();
        let per_group = count(self.layout.gangs, "gang");
        sink.summary(format!(
            "gangs of {threads} threads: {} of {} lanes run in step; {per_group} in a threadgroup",
            count(gang.parts, "vector"),
            gang.lanes
        ));
        let [x, y, z] = self.layout.size;
        if matches!(self.layout.rows, super::layout::Rows::Scattered) {
            sink.summary(format!(
                "threadgroups of {x}x{y}x{z} have rows that are no multiple of {} threads: positions and addresses \
                 are computed per thread; make the width a multiple of {}",
                gang.lanes, gang.lanes
            ));
        }
        if !self.layout.is_full() && !self.layout.edge {
            sink.summary(format!(
                "threadgroups of {} threads do not fill their gangs: everything runs under masks; make the size a \
                 multiple of {threads}",
                self.layout.threads()
            ));
        }
        let (sentence, at) = self.describe_limit(limit);
        sink.summary(sentence);
        if let (Some(at), GangLimit::Costly(_) | GangLimit::Diverges(_)) = (at, limit) {
            let message = format!("keeps gangs at {threads} threads: {}", self.describe_cost(at));
            sink.add(self.f.insts[at].span, "limits-gang", message, None);
        }
        self.explain_block(sink, &self.f.body, limit);
    }

    fn describe_limit(&self, limit: GangLimit) -> (String, Option<ValueId>) {
        let base = 32;
        match limit {
            GangLimit::Requested => ("the size of gangs was asked for".into(), None),
            GangLimit::NothingToShare => {
                ("gangs are one simdgroup: there is no loop or barrier that more threads could share".into(), None)
            }
            GangLimit::NothingShared => (
                "gangs are not larger: the loops read nothing that is the same for more threads, and have enough to do"
                    .into(),
                None,
            ),
            GangLimit::Costly(at) => {
                (format!("gangs are one simdgroup of {base}: {}", self.describe_cost(at)), Some(at))
            }
            GangLimit::Diverges(at) => (format!("gangs are not larger: {}", self.describe_cost(at)), Some(at)),
            GangLimit::Threadgroup => {
                ("gangs are not larger: the threadgroup has no more threads to fill them".into(), None)
            }
            GangLimit::Registers { wanted, have } => (
                format!("gangs are not larger: loops would keep {wanted} vectors alive, and {have} fit the registers"),
                None,
            ),
            GangLimit::SimdgroupRegisters { wanted, have } => (
                format!(
                    "gangs are {} threads: of a simdgroup, loops would keep {wanted} vectors alive, and {have} fit the \
                     registers",
                    self.gang.threads()
                ),
                None,
            ),
            GangLimit::Size => {
                ("gangs are not larger: the kernel has enough vector operations to be busy as it is".into(), None)
            }
            GangLimit::Most => ("gangs are as large as they get".into(), None),
        }
    }

    fn describe_cost(&self, at: ValueId) -> &'static str {
        match &self.f.insts[at].op {
            Op::Simd(..) | Op::Barrier { .. } => "operations of simdgroups need them apart",
            Op::Atomic { .. } | Op::CompareExchange { .. } => "atomic operations are done for a simdgroup at a time",
            Op::Break(_) | Op::Continue(_) | Op::Return(_) => "threads leave at different times",
            Op::If { then, otherwise, .. } if self.only_leaves(then) || self.only_leaves(otherwise) => {
                "threads leave at different times"
            }
            Op::Switch { .. } => "threads take different cases of a switch",
            _ => "threads take different sides of a branch",
        }
    }

    fn explain_block(&self, sink: &Remarks, block: &Block, limit: GangLimit) {
        for id in &block.insts {
            self.explain_inst(sink, *id, limit);
            for b in self.f.insts[*id].op.blocks() {
                self.explain_block(sink, b, limit);
            }
        }
    }

    fn explain_inst(&self, sink: &Remarks, id: ValueId, limit: GangLimit) {
        let inst = &self.f.insts[id];
        let span = inst.span;
        let i = id.index();
        match &inst.op {
            // The exits speak for themselves.
            Op::If { then, otherwise, .. } if self.only_leaves(then) || self.only_leaves(otherwise) => {}
            Op::If { condition, then, otherwise } if self.flow.divergent[i] => {
                let is_jumped = [then, otherwise].iter().any(|b| self.is_worth_a_test(b));
                let rest = if is_jumped { "; what no thread of the gang needs is jumped over" } else { "" };
                let message =
                    format!("threads disagree: both sides run, under masks{rest}{}", self.because(*condition));
                // A few instructions under a mask are no loss.
                let help =
                    "make the condition the same for the threads of a simdgroup, or compute both results and select";
                sink.add(span, "masked-branch", message, is_jumped.then_some(help));
            }
            Op::If { .. } => sink.add(span, "uniform-branch", "all threads of a gang agree: a branch".into(), None),
            Op::Switch { value, .. } if self.flow.divergent[i] => sink.add(
                span,
                "masked-switch",
                format!(
                    "threads take different cases: each case that some thread takes runs, under a mask{}",
                    self.because(*value)
                ),
                Some("switch on something that is the same for the threads of a simdgroup, or use a table"),
            ),
            Op::Loop { label, body, .. } => {
                let counts = self.leading_test(*label, body).is_some_and(|t| self.is_lane_test(&t));
                if counts && self.flow.masked_break.contains(label) {
                    sink.add(
                        span,
                        "masked-loop",
                        "not jammed: threads count from their own numbers, and some leave one iteration before others"
                            .into(),
                        Some("let it end at a multiple of 32, a constant or `n & ~31u`, and do the rest after it"),
                    );
                } else if self.flow.masked_break.contains(label) || self.flow.escaped[i] {
                    sink.add(
                        span,
                        "masked-loop",
                        format!(
                            "not jammed: threads leave it at different times; it runs until the last of {} is done",
                            self.gang.threads()
                        ),
                        Some("let threads that do the same number of iterations be neighbors"),
                    );
                } else if self.gang.threads() > 32 {
                    let simdgroups = self.gang.threads() / 32;
                    let message = format!("jammed: {simdgroups} simdgroups run it in step and share what is uniform");
                    sink.add(span, "jammed-loop", message, None);
                } else {
                    let message = format!("not jammed: {}", self.describe_limit(limit).0);
                    sink.add(span, "simdgroup-loop", message, jam_help(limit));
                }
            }
            Op::Barrier { scope: BarrierScope::Threadgroup, .. } if self.is_split => {
                let message = format!(
                    "splits the kernel: the {} gangs run up to here one after the other; what is needed later goes \
                     through memory",
                    self.layout.gangs
                );
                sink.add(span, "split", message, Some("a smaller threadgroup fits one gang, whose barriers are free"));
            }
            Op::Barrier { scope: BarrierScope::Threadgroup, .. } => {
                sink.add(span, "free-barrier", "free: the whole threadgroup runs in step".into(), None);
            }
            Op::Break(_) | Op::Continue(_) | Op::Return(_) if self.flow.masked_exit[i] => {
                sink.add(span, "masked-exit", "threads that leave here are switched off and wait".into(), None);
            }
            op => self.explain_value(sink, id, op),
        }
    }

    /// Why a condition is not the same for all threads, as the end of a sentence.
    fn because(&self, condition: ValueId) -> String {
        let mut seen = HashSet::new();
        let mut list = VecDeque::from([condition]);
        let mut variable = None;
        // What is nearest says most.
        while let Some(v) = list.pop_front() {
            if !self.flow.shapes[v.index()].c.iter().any(|s| s.lanes()) && self.flow.shapes[v.index()].root.is_none()
                || !seen.insert(v)
            {
                continue;
            }
            let op = &self.f.insts[v].op;
            let source = match op {
                Op::Builtin(b) => format!("`{}`", b.name()),
                Op::Atomic { .. } | Op::CompareExchange { .. } => "the result of an atomic operation".into(),
                Op::Simd(..) => "what threads of the simdgroup exchange".into(),
                Op::Load { ptr, .. } => match self.places.get(*ptr) {
                    Some(place) => {
                        let stores = self.stores_to(place.local, &self.f.body);
                        if stores.iter().any(|v| self.flow.shapes[v.index()].c.iter().any(|s| s.lanes())) {
                            list.extend(stores);
                            variable.get_or_insert(place.local);
                            continue;
                        }
                        variable = Some(place.local);
                        break;
                    }
                    None => match self.flow.shapes[ptr.index()].root.map(|r| r.0) {
                        Some(Root::Param(i)) if (i as usize) < self.entry.params.len() => {
                            format!("what each thread reads from `{}`", self.entry.params[i as usize].name)
                        }
                        _ => "what each thread reads from memory".into(),
                    },
                },
                _ => {
                    op.for_each_operand(|o| list.push_back(o));
                    continue;
                }
            };
            return format!("; it depends on {source}");
        }
        match variable {
            Some(l) => format!("; it depends on `{}`, which threads set at different times", self.f.locals[l].name),
            None => String::new(),
        }
    }

    fn stores_to(&self, local: LocalId, block: &Block) -> Vec<ValueId> {
        let mut out = Vec::new();
        for id in &block.insts {
            let op = &self.f.insts[*id].op;
            if let Op::Store { ptr, value, .. } = op
                && self.places.get(*ptr).is_some_and(|p| p.local == local)
            {
                out.push(*value);
            }
            for b in op.blocks() {
                out.extend(self.stores_to(local, b));
            }
        }
        out
    }

    fn only_leaves(&self, block: &Block) -> bool {
        matches!(block.insts[..], [only] if matches!(self.f.insts[only].op, Op::Break(_) | Op::Continue(_) | Op::Return(_)))
    }

    fn explain_value(&self, sink: &Remarks, id: ValueId, op: &Op) {
        let inst = &self.f.insts[id];
        let types = &self.module.types;
        let Some(scalar) = types.scalar_of(inst.ty) else { return };
        let computes = matches!(
            op,
            Op::Unary(..) | Op::Binary(..) | Op::Fma(..) | Op::Compare(..) | Op::Select { .. } | Op::Convert(_)
        );
        if !computes || types.pointee(inst.ty).is_some() || self.uses[id.index()] == 0 {
            return;
        }
        let shape = self.flow.shapes[id.index()];
        let n = self.count_of(id).min(4);
        let form = shape.c[..n].iter().map(|s| form(*s)).max().unwrap_or(Form::Uniform);
        sink.value(inst.span, form);
        let varies = form == Form::Varying;
        if let Op::Binary(operation @ (BinaryOp::Div | BinaryOp::Rem), _, b) = op
            && scalar.is_integer()
            && varies
        {
            let what = if *operation == BinaryOp::Div { "division" } else { "remainder" };
            let constant = matches!(self.f.insts[*b].op, Op::Const(_));
            let uniform = self.flow.shapes[b.index()].c[0].is_gang_uniform();
            match scalar.bits() {
                _ if constant => {
                    sink.add(inst.span, "constant-division", format!("{what} by a constant: multiplications"), None)
                }
                64 if self.target.conversions == Conversions::OneByOne => sink.add(
                    inst.span,
                    "scalarized-division",
                    format!("64-bit {what}: done thread by thread"),
                    Some("use 32-bit integers, whose division stays in vectors"),
                ),
                _ => {
                    let by =
                        if uniform { "its reciprocal is computed once for the gang" } else { "exact, by reciprocals" };
                    let wide = scalar.bits() == 64;
                    let help = "use 32-bit integers where they are enough: their division takes fewer instructions";
                    sink.add(inst.span, "vector-division", format!("{what} in vectors: {by}"), wide.then_some(help));
                }
            }
        }
        if scalar == Scalar::F16 && varies && !self.flow_is_fast(id) && matches!(op, Op::Binary(..) | Op::Fma(..)) {
            sink.add(
                inst.span,
                "rounded-half",
                "computed in float and rounded to half each time".into(),
                Some("compile with fast math, or compute in float and convert the result"),
            );
        }
    }

    fn flow_is_fast(&self, id: ValueId) -> bool {
        self.f.insts[id].fp.is_fast()
    }

    /// Reports an access, when somebody listens.
    pub fn remark_access(&self, id: ValueId, root: Root, is_store: bool, form: AccessForm) {
        let Some(sink) = self.remarks else { return };
        let span = self.f.insts[id].span;
        let name = match root {
            Root::Param(i) => self.entry.params.get(i as usize).map(|p| format!("{}: ", p.name)),
            _ => None,
        }
        .unwrap_or_default();
        let what = if is_store { "store" } else { "load" };
        let lanes = self.gang.lanes;
        let id_of = |load, store| if is_store { store } else { load };
        let mask = if is_store && self.mask.is_some() { ", masked" } else { "" };
        let (id, message, help) = match form {
            AccessForm::Uniform => {
                (id_of("uniform-load", "uniform-store"), format!("one {what} for the whole gang"), None)
            }
            AccessForm::PerVector => {
                (id_of("uniform-load", "uniform-store"), format!("one {what} for each vector of {lanes} threads"), None)
            }
            AccessForm::Contiguous => (
                id_of("contiguous-load", "contiguous-store"),
                format!("contiguous: vector {what}s of {lanes} elements{mask}"),
                None,
            ),
            AccessForm::Interleaved(bytes) => (
                id_of("strided-load", "strided-store"),
                format!("threads are {bytes} bytes apart: vector {what}s and shuffles{mask}"),
                None,
            ),
            AccessForm::Strided(bytes) => (
                id_of("gather", "scatter"),
                format!("threads are {bytes} bytes apart: {what}s lane by lane{mask}"),
                Some("let neighboring threads access neighboring elements, as with one array per field"),
            ),
            AccessForm::Reversed => (
                id_of("reversed-load", "reversed-store"),
                format!("addresses count down: vector {what}s and shuffles{mask}"),
                None,
            ),
            AccessForm::Tested => (
                id_of("tested-load", "tested-store"),
                format!("probably contiguous, tested at run time: vector {what}s if so, else one per lane{mask}"),
                None,
            ),
            AccessForm::Patterned => (
                id_of("patterned-load", "patterned-store"),
                format!(
                    "all vectors of threads access in the same order: vector {what}s and shuffles where they are close{mask}"
                ),
                None,
            ),
            AccessForm::Scattered => (
                id_of("gather", "scatter"),
                format!("an address of its own for each thread: {}{mask}", id_of("gather", "scatter")),
                Some("let neighboring threads access neighboring elements, or copy to threadgroup memory first"),
            ),
            AccessForm::Contended => (
                "contended-store",
                format!("all threads store to one place, one of them wins: the last of each vector{mask}"),
                Some("let one thread store"),
            ),
            AccessForm::Raw => (
                id_of("unknown-load", "unknown-store"),
                "through a pointer from memory or numbers: every address is looked up first".into(),
                Some("pass the buffer as an argument"),
            ),
            AccessForm::Private => (
                id_of("private-load", "private-store"),
                "a variable in memory: indexed by numbers known only at run time, or its address is used".into(),
                Some("index it by constants or the counter of a short loop, so that it can live in registers"),
            ),
        };
        sink.add(span, id, format!("{name}{message}"), help);
    }
}

fn form(s: Shape) -> Form {
    match s {
        s if s.linear.is_some() => Form::Linear,
        s if s.lanes() => Form::Varying,
        s if s.parts() => Form::PerVector,
        _ => Form::Uniform,
    }
}

fn jam_help(limit: GangLimit) -> Option<&'static str> {
    match limit {
        GangLimit::Costly(_) | GangLimit::Diverges(_) => {
            Some("make branches around and inside of it the same for all threads of the threadgroup")
        }
        GangLimit::Threadgroup => Some("use threadgroups of 64 to 256 threads, a multiple of 32"),
        GangLimit::Registers { .. } | GangLimit::SimdgroupRegisters { .. } => {
            Some("keep fewer variables alive in the loop")
        }
        GangLimit::NothingToShare
        | GangLimit::NothingShared
        | GangLimit::Requested
        | GangLimit::Size
        | GangLimit::Most => None,
    }
}
