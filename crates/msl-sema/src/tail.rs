//! Functions that call themselves last become loops: Metal has no recursion, and real programs contain this form of it.
//!
//! In: bodies as checked. Out: the same, where every call of a function to itself was its last action and stood in no
//! loop, with the parameters assigned and the body run again. Other recursion stays and is reported.

use msl_base::Span;

use crate::hir::*;
use crate::types::{AddressSpace, Ty};

/// Rewrites the function if that removes all its calls of itself.
pub fn loop_tail_calls(id: FunctionId, function: &mut Function) -> bool {
    let Some(mut body) = function.body.clone() else { return false };
    let mut rewriter = Rewriter { id, locals: function.locals.clone(), params: function.param_count, changed: false };
    rewriter.tail(&mut body, true);
    if !rewriter.changed {
        return false;
    }
    let mut left = Vec::new();
    crate::entry::calls_in_block(&body, &mut left);
    if left.iter().any(|(f, _)| *f == id) {
        return false;
    }
    let span = function.span;
    if crate::stmt::falls_through(&body) {
        body.push(Stmt { kind: StmtKind::Return(None), span });
    }
    function.locals = rewriter.locals;
    let kind = StmtKind::For { condition: None, step: None, body, hint: LoopHint::None };
    function.body = Some(vec![Stmt { kind, span }]);
    true
}

struct Rewriter {
    id: FunctionId,
    locals: msl_base::Arena<LocalId, Local>,
    params: u32,
    changed: bool,
}

impl Rewriter {
    /// A block whose end is the end of the function (or of a statement followed by a plain return).
    fn tail(&mut self, block: &mut Block, ends_function: bool) {
        let mut i = 0;
        while i < block.len() {
            let is_last = i + 1 == block.len();
            let before_return = matches!(block.get(i + 1).map(|s| &s.kind), Some(StmtKind::Return(None)));
            let at_end = (is_last && ends_function) || before_return;
            let span = block[i].span;
            match &mut block[i].kind {
                StmtKind::Return(Some(e)) => {
                    if let Some(args) = self.own_call(e) {
                        let again = self.again(args, span);
                        block[i].kind = StmtKind::Block(again);
                    }
                }
                StmtKind::Expr(e) if at_end => {
                    if let Some(args) = self.own_call(e) {
                        let again = self.again(args, span);
                        block[i].kind = StmtKind::Block(again);
                    }
                }
                StmtKind::Block(b) => self.tail(b, at_end),
                StmtKind::If { then, otherwise, .. } => {
                    self.tail(then, at_end);
                    self.tail(otherwise, at_end);
                }
                _ => {}
            }
            i += 1;
        }
    }

    fn own_call(&self, e: &Expr) -> Option<Vec<Expr>> {
        match &e.kind {
            ExprKind::Call { function, args } if *function == self.id && args.len() == self.params as usize => {
                Some(args.clone())
            }
            _ => None,
        }
    }

    /// All arguments are evaluated before any parameter changes.
    fn again(&mut self, args: Vec<Expr>, span: Span) -> Block {
        self.changed = true;
        let mut out = Vec::new();
        let mut copies = Vec::new();
        for (i, arg) in args.into_iter().enumerate() {
            let ty = arg.ty;
            let temporary = self.locals.push(Local { name: None, ty, align: 0, span });
            out.push(Stmt { kind: StmtKind::Variable { local: temporary, init: Some(arg) }, span });
            copies.push((LocalId(i as u32), temporary, ty));
        }
        for (param, temporary, ty) in copies {
            let value = Expr {
                kind: ExprKind::Load(Box::new(local(temporary, ty, span))),
                ty,
                category: Category::RValue,
                span,
            };
            let target = local(param, ty, span);
            let category = target.category;
            let kind = ExprKind::Assign { left: Box::new(target), right: Box::new(value) };
            out.push(Stmt { kind: StmtKind::Expr(Expr { kind, ty, category, span }), span });
        }
        out.push(Stmt { kind: StmtKind::Continue, span });
        out
    }
}

fn local(id: LocalId, ty: Ty, span: Span) -> Expr {
    Expr { kind: ExprKind::Local(id), ty, category: Category::LValue(AddressSpace::Thread), span }
}
