//! Running HIR while compiling: `constexpr`, constant initialisers, array bounds, template arguments.
//!
//! Total: every run ends after a number of steps and calls, with a value or with the place and reason there is none.

mod call;
mod expr;
mod memory;
mod operator;

use std::rc::Rc;

use msl_base::{Diagnostic, FxMap, Span};
use msl_syntax::ast;

use super::{Const, Object, Pointer, sign_extend};
use crate::checker::Checker;
use crate::hir::{self, Expr, ExprKind, FunctionId, LocalId};
use crate::types::*;

const STEP_LIMIT: u64 = 4_000_000;
const CALL_LIMIT: u32 = 256;

#[derive(Debug)]
pub struct EvalError {
    pub span: Span,
    pub message: String,
}

type Eval<T> = Result<T, EvalError>;

fn fail<T>(span: Span, message: impl Into<String>) -> Eval<T> {
    Err(EvalError { span, message: message.into() })
}

enum Flow {
    Normal,
    Break,
    Continue,
    Return(Const),
}

/// Where a value is stored.
enum Place {
    At(Pointer),
    /// Components of a vector.
    Swizzle(Pointer, Vec<u8>),
}

struct Machine<'c, 'a> {
    c: &'c mut Checker<'a>,
    memory: Vec<(Const, Ty)>,
    frame: FxMap<LocalId, usize>,
    /// The function that is running; `None` while the expression itself is evaluated.
    function: Option<Rc<hir::Function>>,
    bodies: FxMap<FunctionId, Rc<hir::Function>>,
    steps: u64,
    depth: u32,
    /// Blocks inside expressions that are running: their variables do not outlive the statement.
    inside: u32,
}

impl Checker<'_> {
    pub fn evaluate(&mut self, e: &Expr) -> Result<Const, EvalError> {
        match &e.kind {
            ExprKind::Constant(_) | ExprKind::Zero => {}
            ExprKind::Error => return fail(e.span, ""),
            _ => {}
        }
        let mut machine = Machine {
            c: self,
            memory: Vec::new(),
            frame: FxMap::default(),
            function: None,
            bodies: FxMap::default(),
            steps: 0,
            depth: 0,
            inside: 0,
        };
        let value = machine.rvalue(e)?;
        // A pointer into what existed during the evaluation only means nothing afterwards.
        if holds_temporary(&value) {
            return fail(e.span, "the result points to something that no longer exists");
        }
        Ok(value)
    }

    /// Functions that are `constexpr`, lambdas, and all of the library: what of it can be evaluated is.
    fn may_run_while_compiling(&self, id: FunctionId) -> bool {
        let info = &self.functions[id.0 as usize];
        let decl = &info.body.0;
        info.def.decl.flags.is_constexpr
            || decl.flags.is_constexpr
            || info.def.lambda.is_some()
            || matches!(decl.body, ast::FunctionBody::Defaulted)
            || self.is_library_span(info.def.span())
            || info.def.inherited.as_ref().is_some_and(|f| f.decl.flags.is_constexpr)
    }

    pub fn evaluate_quietly(&mut self, e: &Expr) -> Option<Const> {
        // Errors in functions that are met are theirs to report, not ours.
        self.evaluate(e).ok()
    }

    /// Evaluates something that has to be known; reports when it is not.
    pub fn evaluate_required(&mut self, e: &Expr, what: &str) -> Option<Const> {
        if e.ty == Ty::ERROR {
            return None;
        }
        match self.evaluate(e) {
            Ok(v) => Some(v),
            Err(error) => {
                if !error.message.is_empty() {
                    let at = if e.span.is_none() { error.span } else { e.span };
                    let mut d = Diagnostic::error(
                        "not-constant",
                        at,
                        format!("{what} has to be known while compiling, and this is not"),
                    );
                    let inside = error.span.is_none() || error.span == at;
                    d = if inside { d.note(error.message) } else { d.note_at(error.span, error.message) };
                    self.report(d);
                }
                None
            }
        }
    }

    pub fn constant_wide(&mut self, e: &ast::Expr, what: &str) -> Option<i128> {
        self.unevaluated += 1;
        let v = self.check_expr(e);
        let v = self.builtin_operand(v, Some(Ty::LONG));
        self.unevaluated -= 1;
        if v.is_error() {
            return None;
        }
        let ty = v.ty();
        let scalar = self.bits_scalar(ty).filter(|s| s.is_integer());
        let Some(s) = scalar else {
            let name = self.type_name(ty);
            self.error("expected-integer", e.span, format!("{what} is an integer, not '{name}'"));
            return None;
        };
        let expr = self.rvalue(v);
        match self.evaluate_required(&expr, what)? {
            Const::Scalar(bits) if s == Scalar::ULong => Some(i128::from(bits)),
            Const::Scalar(bits) => Some(i128::from(sign_extend(bits, s))),
            _ => None,
        }
    }

    pub fn constant_integer(&mut self, e: &ast::Expr, what: &str) -> Option<i64> {
        let wide = self.constant_wide(e, what)?;
        match i64::try_from(wide) {
            Ok(v) => Some(v),
            Err(_) => {
                self.error("constant-too-large", e.span, format!("{what} is too large"));
                None
            }
        }
    }
}

fn holds_temporary(value: &Const) -> bool {
    match value {
        Const::Pointer(Some(p)) => matches!(p.object, Object::Memory(_)),
        Const::Aggregate(items) => items.iter().any(holds_temporary),
        Const::Union(_, v) => holds_temporary(v),
        _ => false,
    }
}

impl Machine<'_, '_> {
    fn step(&mut self, span: Span) -> Eval<()> {
        self.steps += 1;
        if self.steps > STEP_LIMIT {
            return fail(span, "the evaluation takes too many steps");
        }
        Ok(())
    }

    /// Copies and large values take steps, too: one for each number, as its parts are of one size.
    fn charge(&mut self, v: &Const, span: Span) -> Eval<()> {
        fn size(v: &Const) -> u64 {
            match v {
                Const::Aggregate(items) => items.first().map_or(0, |first| items.len() as u64 * size(first).max(1)),
                _ => 0,
            }
        }
        self.steps += size(v);
        self.step(span)
    }

    fn allocate(&mut self, value: Const, ty: Ty) -> usize {
        self.memory.push((value, ty));
        self.memory.len() - 1
    }
}
