//! Calls of functions and the statements of their bodies.

use std::rc::Rc;

use msl_base::{FxMap, Span};

use super::*;
use crate::entity::BodyState;
use crate::hir::{Stmt, StmtKind};

impl Machine<'_, '_> {
    pub(super) fn call(&mut self, id: FunctionId, args: Vec<Const>, span: Span) -> Eval<Const> {
        if self.depth >= CALL_LIMIT {
            return fail(span, "the calls are nested too deeply");
        }
        let function = match self.bodies.get(&id) {
            Some(f) => f.clone(),
            None => {
                if !self.c.may_run_while_compiling(id) {
                    let name = self.c.program.functions[id].name;
                    return fail(span, format!("'{name}' is not declared 'constexpr'"));
                }
                if matches!(self.c.functions[id.0 as usize].state, BodyState::Declared | BodyState::Queued) {
                    let is_defined = self.c.functions[id.0 as usize].def.has_body();
                    if !is_defined {
                        let name = self.c.program.functions[id].name;
                        return fail(span, format!("'{name}' is not defined"));
                    }
                    self.c.check_body(id);
                }
                let function = &self.c.program.functions[id];
                if function.body.is_none() {
                    let name = function.name;
                    let checking = self.c.functions[id.0 as usize].state == BodyState::Checking;
                    return fail(
                        span,
                        if checking { format!("'{name}' is still being defined") } else { String::new() },
                    );
                }
                let rc = Rc::new(function.clone());
                self.bodies.insert(id, rc.clone());
                rc
            }
        };
        let mark = self.memory.len();
        let mut frame = FxMap::default();
        for (i, value) in args.into_iter().enumerate().take(function.param_count as usize) {
            let local = LocalId(i as u32);
            let ty = function.locals[local].ty;
            let at = self.allocate(value, ty);
            frame.insert(local, at);
        }
        let outer = std::mem::replace(&mut self.frame, frame);
        let caller = self.function.replace(function.clone());
        self.depth += 1;
        let flow = match &function.body {
            Some(body) => self.run(body),
            None => Ok(Flow::Normal),
        };
        self.depth -= 1;
        self.frame = outer;
        self.function = caller;
        // What lived in the call is gone.
        self.memory.truncate(mark);
        match flow? {
            Flow::Return(v) => Ok(v),
            _ if function.ret == Ty::VOID => Ok(Const::Void),
            _ => fail(span, format!("'{}' ends without returning a value", function.name)),
        }
    }

    pub(super) fn run(&mut self, stmts: &[Stmt]) -> Eval<Flow> {
        for s in stmts {
            match self.statement(s)? {
                Flow::Normal => {}
                flow => return Ok(flow),
            }
        }
        Ok(Flow::Normal)
    }

    fn statement(&mut self, s: &Stmt) -> Eval<Flow> {
        self.step(s.span)?;
        match &s.kind {
            StmtKind::Variable { local, init } => {
                let (value, ty) = match init {
                    Some(e) => (self.rvalue(e)?, e.ty),
                    None => {
                        let ty = self.local_type(*local);
                        (self.c.uninit_value(ty), ty)
                    }
                };
                match self.frame.get(local) {
                    // The next round of a loop.
                    Some(at) if self.inside == 0 && *at < self.memory.len() => self.memory[*at] = (value, ty),
                    _ => {
                        let at = self.allocate(value, ty);
                        self.frame.insert(*local, at);
                    }
                }
            }
            StmtKind::Expr(e) => {
                let mark = self.memory.len();
                self.effect(e)?;
                self.memory.truncate(mark);
            }
            StmtKind::Block(b) => return self.run(b),
            StmtKind::If { condition, then, otherwise } => {
                return if self.truth(condition)? { self.run(then) } else { self.run(otherwise) };
            }
            StmtKind::For { condition, step, body, .. } => loop {
                self.step(s.span)?;
                if let Some(c) = condition
                    && !self.truth(c)?
                {
                    break;
                }
                match self.run(body)? {
                    Flow::Break => break,
                    Flow::Return(v) => return Ok(Flow::Return(v)),
                    Flow::Normal | Flow::Continue => {}
                }
                if let Some(e) = step {
                    self.effect(e)?;
                }
            },
            StmtKind::DoWhile { body, condition, .. } => loop {
                self.step(s.span)?;
                match self.run(body)? {
                    Flow::Break => break,
                    Flow::Return(v) => return Ok(Flow::Return(v)),
                    Flow::Normal | Flow::Continue => {}
                }
                if !self.truth(condition)? {
                    break;
                }
            },
            StmtKind::Switch { value, cases } => {
                let v = self.integer(value)?;
                let start = cases
                    .iter()
                    .position(|c| c.values.contains(&v))
                    .or_else(|| cases.iter().position(|c| c.is_default));
                for case in start.map_or(&[][..], |i| &cases[i..]) {
                    match self.run(&case.body)? {
                        Flow::Normal => {}
                        Flow::Break => break,
                        flow => return Ok(flow),
                    }
                }
            }
            StmtKind::Break => return Ok(Flow::Break),
            StmtKind::Continue => return Ok(Flow::Continue),
            StmtKind::Return(e) => {
                return Ok(Flow::Return(match e {
                    Some(e) => self.rvalue(e)?,
                    None => Const::Void,
                }));
            }
        }
        Ok(Flow::Normal)
    }

    fn local_type(&self, id: LocalId) -> Ty {
        let locals = self.function.as_ref().map_or(&self.c.fcx.locals, |f| &f.locals);
        locals.get(id).map_or(Ty::ERROR, |l| l.ty)
    }
}
