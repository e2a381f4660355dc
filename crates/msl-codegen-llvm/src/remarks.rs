//! What code generation has to say to the author of a kernel: decisions with their place in the source.
//!
//! In: calls of [`Remarks::add`] and [`Remarks::value`] while a kernel is emitted, from wherever a decision
//! is made; nothing is collected, and no text is built, unless somebody asked. Out: an [`Explanation`]. A
//! remark about something that costs speed says what to change. Not here: how remarks are shown, lines and
//! columns.

use std::cell::RefCell;

use msl_base::Span;
use msl_ir::{Block, Function, Op};

/// A decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    pub span: Span,
    /// Stable, in kebab case: `gather`, `uniform-load`.
    pub id: &'static str,
    pub message: String,
    /// What to change, where this costs speed.
    pub help: Option<&'static str>,
}

/// How the threads of a gang share a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// The same in all threads of the gang: computed once.
    Uniform,
    /// The same in each vector of threads: computed once for each.
    PerVector,
    /// Counts up with the thread: kept as its first number.
    Linear,
    /// Different in each thread: vectors.
    Varying,
}

/// How a kernel was compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Lanes of a vector.
    pub lanes: u32,
    /// Threads that run in step.
    pub gang: u32,
    /// Gangs of a full threadgroup.
    pub gangs: u32,
    /// What there is to say of the kernel as a whole, a sentence each.
    pub summary: Vec<String>,
    /// In the order of the source.
    pub remarks: Vec<Remark>,
    /// The values that the code computes, by place.
    pub values: Vec<(Span, Form)>,
}

/// Collects remarks while one version of a kernel is emitted.
#[derive(Default)]
pub struct Remarks {
    summary: RefCell<Vec<String>>,
    remarks: RefCell<Vec<Remark>>,
    values: RefCell<Vec<(Span, Form)>>,
}

impl Remarks {
    /// Adds a remark once: code that is emitted in several versions is one decision.
    pub fn add(&self, span: Span, id: &'static str, message: String, help: Option<&'static str>) {
        let remark = Remark { span, id, message, help };
        let mut list = self.remarks.borrow_mut();
        if !list.contains(&remark) {
            list.push(remark);
        }
    }

    pub fn summary(&self, sentence: String) {
        self.summary.borrow_mut().push(sentence);
    }

    pub fn value(&self, span: Span, form: Form) {
        self.values.borrow_mut().push((span, form));
    }

    /// About loops of the source that no remark is about.
    pub(crate) fn say_what_became_of_loops(&self, f: &Function) {
        fn loops(f: &Function, block: &Block, out: &mut Vec<Span>) {
            for id in &block.insts {
                let op = &f.insts[*id].op;
                if matches!(op, Op::Loop { .. }) {
                    out.push(f.insts[*id].span);
                }
                op.blocks().iter().for_each(|b| loops(f, b, out));
            }
        }
        let mut written = Vec::new();
        loops(f, &f.body, &mut written);
        let about = ["jammed-loop", "masked-loop", "simdgroup-loop"];
        for span in written {
            let is_left = self.remarks.borrow().iter().any(|r| r.span == span && about.contains(&r.id));
            if !is_left {
                let message = "no loop is left of it: its iterations stand one after the other, or there are none";
                self.add(span, "unrolled-loop", message.into(), None);
            }
        }
    }

    pub(crate) fn into_explanation(self, lanes: u32, gang: u32, gangs: u32) -> Explanation {
        let mut remarks = self.remarks.into_inner();
        remarks.sort_by_key(|r| (r.span.start, r.span.end));
        Explanation {
            lanes,
            gang,
            gangs,
            summary: self.summary.into_inner(),
            remarks,
            values: self.values.into_inner(),
        }
    }
}
