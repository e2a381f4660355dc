//! Destructors: the ends of the lives of objects become calls.
//!
//! In: the body of a function as checked. Out: the same, where objects whose class has a destructor that does something,
//! or has a member or base with one, are destroyed at the end of their block in reverse order, on every way out of it; what
//! a statement makes and drops is destroyed after it. A returned value is made before the locals are destroyed, and is
//! not destroyed itself. Bodies without such objects, nearly all, are left alone.

use msl_base::{Arena, Span};
use msl_syntax::ast;

use crate::checker::Checker;
use crate::declare::NameKey;
use crate::entity::Entity;
use crate::hir::*;
use crate::types::{AddressSpace, ClassId, Quals, Ty, TyKind};

/// The objects of longer arrays are destroyed in a loop.
const LONGEST_UNROLLED: u64 = 8;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Loop,
    Switch,
}

struct Live {
    kind: Kind,
    locals: Vec<LocalId>,
}

/// A temporary that has a name now. `made` is a flag where it may not be reached.
struct Taken {
    local: LocalId,
    made: Option<LocalId>,
}

struct Cleaner<'c, 'a> {
    checker: &'c mut Checker<'a>,
    locals: Arena<LocalId, Local>,
    live: Vec<Live>,
}

impl Checker<'_> {
    /// Whether destroying an object of the type does anything.
    pub fn has_destructor(&mut self, ty: Ty) -> bool {
        if !self.any_destructor {
            return false;
        }
        match *self.kind(ty) {
            TyKind::Array { element, .. } => self.has_destructor(element),
            TyKind::Class(c) => {
                self.complete_class(c, Span::NONE);
                if self.destructor_of(c).is_some() {
                    return true;
                }
                let fields: Vec<Ty> = self.program.classes[c].fields.iter().map(|f| f.ty).collect();
                !self.program.classes[c].is_union && fields.into_iter().any(|f| self.has_destructor(f))
            }
            _ => false,
        }
    }

    fn destructor_of(&self, class: ClassId) -> Option<std::rc::Rc<crate::entity::FnDef>> {
        let members = self.classes[class.0 as usize].members.get(&NameKey::Destructor)?;
        members.iter().find_map(|e| match e {
            Entity::Function(f) if does_something(&f.decl.body) || f.definition.borrow().is_some() => Some(f.clone()),
            _ => None,
        })
    }

    /// Adds what has to happen at the ends of lives; `params` are locals too.
    pub fn end_lives(&mut self, body: Block, locals: &mut Arena<LocalId, Local>, params: u32) -> Block {
        if !self.any_destructor {
            return body;
        }
        let mut cleaner = Cleaner { checker: self, locals: std::mem::take(locals), live: Vec::new() };
        let taken: Vec<LocalId> = (0..params).map(LocalId).filter(|p| cleaner.ends(*p)).collect();
        let body = cleaner.block(body, Kind::Plain, taken);
        *locals = cleaner.locals;
        body
    }
}

/// Whether the body of a destructor is not empty.
pub fn does_something(body: &ast::FunctionBody) -> bool {
    match body {
        ast::FunctionBody::Block { body, .. } => {
            !matches!(&body.kind, ast::StmtKind::Compound(list) if list.is_empty())
        }
        ast::FunctionBody::None | ast::FunctionBody::Defaulted | ast::FunctionBody::Deleted => false,
    }
}

impl Cleaner<'_, '_> {
    fn ends(&mut self, local: LocalId) -> bool {
        let Some(ty) = self.locals.get(local).map(|l| l.ty) else { return false };
        self.checker.has_destructor(ty)
    }

    fn block(&mut self, block: Block, kind: Kind, locals: Vec<LocalId>) -> Block {
        self.live.push(Live { kind, locals });
        let mut out = Vec::new();
        let span = block.last().map_or(Span::NONE, |s| s.span);
        for s in block {
            self.stmt(s, &mut out);
        }
        if crate::stmt::falls_through(&out) {
            self.destroy_from(self.live.len() - 1, span, &mut out);
        }
        self.live.pop();
        out
    }

    fn stmt(&mut self, s: Stmt, out: &mut Block) {
        let span = s.span;
        let mut temporaries = Vec::new();
        let kind = match s.kind {
            StmtKind::Variable { local, init } => {
                let init = init.map(|mut e| {
                    self.keep_bound(&mut e, out);
                    self.take_temporaries(&mut e, false, &mut temporaries);
                    e
                });
                declare_flags(&temporaries, span, out);
                out.push(Stmt { kind: StmtKind::Variable { local, init }, span });
                self.destroy_taken(&temporaries, span, out);
                if self.ends(local)
                    && let Some(live) = self.live.last_mut()
                {
                    live.locals.push(local);
                }
                return;
            }
            StmtKind::Expr(mut e) => {
                self.take_temporaries(&mut e, false, &mut temporaries);
                declare_flags(&temporaries, span, out);
                if e.category == Category::RValue && self.checker.has_destructor(e.ty) {
                    let local = self.temporary(e.ty, span);
                    out.push(Stmt { kind: StmtKind::Variable { local, init: Some(e) }, span });
                    temporaries.push(Taken { local, made: None });
                } else {
                    out.push(Stmt { kind: StmtKind::Expr(e), span });
                }
                self.destroy_taken(&temporaries, span, out);
                return;
            }
            StmtKind::Block(b) => StmtKind::Block(self.block(b, Kind::Plain, Vec::new())),
            StmtKind::If { condition, then, otherwise } => {
                let condition = self.full_expression(condition);
                let then = self.block(then, Kind::Plain, Vec::new());
                StmtKind::If { condition, then, otherwise: self.block(otherwise, Kind::Plain, Vec::new()) }
            }
            StmtKind::For { condition, step, body, hint } => {
                let condition = condition.map(|e| self.full_expression(e));
                let step = step.map(|e| self.full_expression(e));
                StmtKind::For { condition, step, body: self.block(body, Kind::Loop, Vec::new()), hint }
            }
            StmtKind::DoWhile { body, condition, hint } => {
                let condition = self.full_expression(condition);
                StmtKind::DoWhile { body: self.block(body, Kind::Loop, Vec::new()), condition, hint }
            }
            StmtKind::Switch { value, cases } => {
                let value = self.full_expression(value);
                let end =
                    |c: &mut Self, case: Case| Case { body: c.block(case.body, Kind::Switch, Vec::new()), ..case };
                StmtKind::Switch { value, cases: cases.into_iter().map(|case| end(self, case)).collect() }
            }
            StmtKind::Break => {
                let at = self.live.iter().rposition(|l| l.kind != Kind::Plain).unwrap_or(0);
                self.destroy_from(at, span, out);
                StmtKind::Break
            }
            StmtKind::Continue => {
                let at = self.live.iter().rposition(|l| l.kind == Kind::Loop).unwrap_or(0);
                self.destroy_from(at, span, out);
                StmtKind::Continue
            }
            StmtKind::Return(value) => {
                let value = value.map(|mut e| {
                    self.take_temporaries(&mut e, false, &mut temporaries);
                    declare_flags(&temporaries, span, out);
                    let is_live = self.live.iter().any(|l| !l.locals.is_empty()) || !temporaries.is_empty();
                    if !is_live || e.ty == Ty::VOID || e.category != Category::RValue {
                        return e;
                    }
                    let local = self.temporary(e.ty, span);
                    let ty = e.ty;
                    out.push(Stmt { kind: StmtKind::Variable { local, init: Some(e) }, span });
                    load(local, ty, span)
                });
                self.destroy_taken(&temporaries, span, out);
                self.destroy_from(0, span, out);
                StmtKind::Return(value)
            }
        };
        out.push(Stmt { kind, span });
    }

    fn temporary(&mut self, ty: Ty, span: Span) -> LocalId {
        self.locals.push(Local { name: None, ty, align: 0, span })
    }

    /// A temporary that a reference is bound to lives as long as the reference.
    fn keep_bound(&mut self, e: &mut Expr, out: &mut Block) {
        let ExprKind::AddressOf(place) = &mut e.kind else { return };
        let mut place = &mut **place;
        while matches!(place.kind, ExprKind::Field { .. }) {
            let ExprKind::Field { base, .. } = &mut place.kind else { return };
            place = base;
        }
        if let ExprKind::Temporary(inner) = &mut place.kind
            && self.checker.has_destructor(inner.ty)
        {
            let (ty, span) = (inner.ty, place.span);
            let local = self.temporary(ty, span);
            let init = std::mem::replace(&mut **inner, object(local, ty, span));
            out.push(Stmt { kind: StmtKind::Variable { local, init: Some(init) }, span });
            *place = object(local, ty, span);
            if let Some(live) = self.live.last_mut() {
                live.locals.push(local);
            }
        }
    }

    /// A condition, or the step of a loop: its temporaries are destroyed once it has its value.
    fn full_expression(&mut self, mut e: Expr) -> Expr {
        let mut temporaries = Vec::new();
        self.take_temporaries(&mut e, false, &mut temporaries);
        let is_dropped = e.category == Category::RValue && self.checker.has_destructor(e.ty);
        if temporaries.is_empty() && !is_dropped {
            return e;
        }
        let span = e.span;
        let mut stmts = Vec::new();
        declare_flags(&temporaries, span, &mut stmts);
        if is_dropped {
            let local = self.temporary(e.ty, span);
            stmts.push(Stmt { kind: StmtKind::Variable { local, init: Some(e) }, span });
            temporaries.push(Taken { local, made: None });
            self.destroy_taken(&temporaries, span, &mut stmts);
            return Expr { kind: ExprKind::Block(stmts, None), ty: Ty::VOID, category: Category::RValue, span };
        }
        if e.category != Category::RValue || e.ty == Ty::VOID {
            stmts.push(Stmt { kind: StmtKind::Expr(e), span });
            self.destroy_taken(&temporaries, span, &mut stmts);
            return Expr { kind: ExprKind::Block(stmts, None), ty: Ty::VOID, category: Category::RValue, span };
        }
        let ty = e.ty;
        let local = self.temporary(ty, span);
        stmts.push(Stmt { kind: StmtKind::Variable { local, init: Some(e) }, span });
        self.destroy_taken(&temporaries, span, &mut stmts);
        let value = load(local, ty, span);
        Expr { kind: ExprKind::Block(stmts, Some(Box::new(value))), ty, category: Category::RValue, span }
    }

    /// Gives the temporaries of an expression names, so that they can be destroyed after it. Those that `may_be_skipped`
    /// note that they were made.
    fn take_temporaries(&mut self, e: &mut Expr, may_be_skipped: bool, taken: &mut Vec<Taken>) {
        self.keep_dropped(e);
        match &mut e.kind {
            ExprKind::Temporary(inner) if self.checker.has_destructor(inner.ty) => {
                self.take_temporaries(inner, may_be_skipped, taken);
                let (ty, span) = (inner.ty, e.span);
                let local = self.temporary(ty, span);
                let flag = may_be_skipped.then(|| self.temporary(Ty::BOOL, span));
                taken.push(Taken { local, made: flag });
                let init = std::mem::replace(&mut **inner, object(local, ty, span));
                let mut made = vec![Stmt { kind: StmtKind::Variable { local, init: Some(init) }, span }];
                made.extend(flag.map(|flag| {
                    let target = object(flag, Ty::BOOL, span);
                    let kind = ExprKind::Assign { left: Box::new(target), right: Box::new(truth(true, span)) };
                    let category = Category::LValue(AddressSpace::Thread);
                    Stmt { kind: StmtKind::Expr(Expr { kind, ty: Ty::BOOL, category, span }), span }
                }));
                e.kind = ExprKind::Block(made, Some(Box::new(object(local, ty, span))));
            }
            ExprKind::And(a, b) | ExprKind::Or(a, b) => {
                self.take_temporaries(a, may_be_skipped, taken);
                self.take_temporaries(b, true, taken);
            }
            ExprKind::Conditional { condition, then, otherwise } => {
                self.take_temporaries(condition, may_be_skipped, taken);
                self.take_temporaries(then, true, taken);
                self.take_temporaries(otherwise, true, taken);
            }
            ExprKind::Block(stmts, value) => {
                for s in std::mem::take(stmts) {
                    let span = s.span;
                    let kind = match s.kind {
                        StmtKind::Variable { local, init } => {
                            let init = init.map(|mut e| {
                                self.take_temporaries(&mut e, may_be_skipped, taken);
                                e
                            });
                            StmtKind::Variable { local, init }
                        }
                        StmtKind::Expr(mut e) => {
                            self.take_temporaries(&mut e, may_be_skipped, taken);
                            StmtKind::Expr(e)
                        }
                        kind => {
                            self.stmt(Stmt { kind, span }, stmts);
                            continue;
                        }
                    };
                    stmts.push(Stmt { kind, span });
                }
                if let Some(value) = value {
                    self.take_temporaries(value, may_be_skipped, taken);
                }
            }
            _ => each_operand(e, &mut |operand| self.take_temporaries(operand, may_be_skipped, taken)),
        }
    }

    /// A value of which only a member is read, or nothing, is an object too.
    fn keep_dropped(&mut self, e: &mut Expr) {
        let (value, is_field) = match &mut e.kind {
            ExprKind::Field { base, .. } => (base, true),
            ExprKind::Comma(first, _) | ExprKind::Convert(Conversion::ToVoid, first) => (first, false),
            _ => return,
        };
        let is_made = value.category == Category::RValue && !matches!(value.kind, ExprKind::Load(_));
        if !is_made || !self.checker.has_destructor(value.ty) {
            return;
        }
        let (ty, span) = (value.ty, value.span);
        let dropped = Expr { kind: ExprKind::Error, ty, category: Category::RValue, span };
        let made = std::mem::replace(&mut **value, dropped);
        let category = Category::LValue(AddressSpace::Thread);
        **value = Expr { kind: ExprKind::Temporary(Box::new(made)), ty, category, span };
        if is_field {
            let member = Expr { kind: std::mem::replace(&mut e.kind, ExprKind::Error), category, ..e.clone() };
            e.kind = ExprKind::Load(Box::new(member));
        }
    }

    /// What a statement made, the youngest first.
    fn destroy_taken(&mut self, taken: &[Taken], span: Span, out: &mut Block) {
        for Taken { local, made } in taken.iter().rev() {
            let Some(flag) = made else {
                self.destroy(&[*local], span, out);
                continue;
            };
            let mut then = Vec::new();
            self.destroy(&[*local], span, &mut then);
            let condition = load(*flag, Ty::BOOL, span);
            out.push(Stmt { kind: StmtKind::If { condition, then, otherwise: Vec::new() }, span });
        }
    }

    fn destroy(&mut self, locals: &[LocalId], span: Span, out: &mut Block) {
        for local in locals.iter().rev() {
            let ty = self.locals[*local].ty;
            self.destroy_object(&object(*local, ty, span), span, out);
        }
    }

    /// Everything that lives in a block and those inside of it, the youngest first.
    fn destroy_from(&mut self, depth: usize, span: Span, out: &mut Block) {
        for level in (depth..self.live.len()).rev() {
            let locals = self.live[level].locals.clone();
            self.destroy(&locals, span, out);
        }
    }

    /// The destructor's own body, then the members and bases in reverse order.
    fn destroy_object(&mut self, place: &Expr, span: Span, out: &mut Block) {
        if !self.checker.has_destructor(place.ty) {
            return;
        }
        match *self.checker.kind(place.ty) {
            TyKind::Array { element, len, .. } => {
                let len = len.unwrap_or(0);
                if len > LONGEST_UNROLLED {
                    self.destroy_elements(place, element, len, span, out);
                    return;
                }
                for i in (0..len).rev() {
                    let element = indexed(place, number(i, span), element);
                    self.destroy_object(&element, span, out);
                }
            }
            TyKind::Class(class) => {
                if let Some(def) = self.checker.destructor_of(class) {
                    let function = self.checker.function_instance(&def, Vec::new(), Some(AddressSpace::Thread), span);
                    self.checker.mark_used(function);
                    let pointer = self.checker.types().pointer(place.ty, Quals::NONE, AddressSpace::Thread);
                    let kind = ExprKind::AddressOf(Box::new(place.clone()));
                    let this = Expr { kind, ty: pointer, category: Category::RValue, span };
                    let kind = ExprKind::Call { function, args: vec![this] };
                    let call = Expr { kind, ty: Ty::VOID, category: Category::RValue, span };
                    out.push(Stmt { kind: StmtKind::Expr(call), span });
                }
                let fields: Vec<Ty> = self.checker.program.classes[class].fields.iter().map(|f| f.ty).collect();
                for (i, ty) in fields.into_iter().enumerate().rev() {
                    let kind = ExprKind::Field { base: Box::new(place.clone()), field: i as u32 };
                    self.destroy_object(&Expr { kind, ty, category: place.category, span }, span, out);
                }
            }
            _ => {}
        }
    }

    /// `for (uint i = len; i > 0;) { i = i - 1; destroy place[i]; }`
    fn destroy_elements(&mut self, place: &Expr, element: Ty, len: u64, span: Span, out: &mut Block) {
        let i = self.temporary(Ty::UINT, span);
        let value = |kind, ty| Expr { kind, ty, category: Category::RValue, span };
        let read = load(i, Ty::UINT, span);
        let zero = Box::new(number(0, span));
        let condition = value(ExprKind::Compare(CompareOp::Gt, Box::new(read.clone()), zero), Ty::BOOL);
        let fp = self.checker.fp;
        let one = Box::new(number(1, span));
        let less = value(ExprKind::Binary(BinaryOp::Sub, Box::new(read.clone()), one, fp), Ty::UINT);
        let target = object(i, Ty::UINT, span);
        let category = target.category;
        let assign = ExprKind::Assign { left: Box::new(target), right: Box::new(less) };
        let assign = Expr { kind: assign, ty: Ty::UINT, category, span };
        let mut body = vec![Stmt { kind: StmtKind::Expr(assign), span }];
        self.destroy_object(&indexed(place, read, element), span, &mut body);
        out.push(Stmt { kind: StmtKind::Variable { local: i, init: Some(number(len, span)) }, span });
        let hint = Default::default();
        out.push(Stmt { kind: StmtKind::For { condition: Some(condition), step: None, body, hint }, span });
    }
}

fn number(value: u64, span: Span) -> Expr {
    Expr { kind: ExprKind::Constant(value), ty: Ty::UINT, category: Category::RValue, span }
}

fn indexed(place: &Expr, index: Expr, element: Ty) -> Expr {
    let span = index.span;
    let kind = ExprKind::Index { base: Box::new(place.clone()), index: Box::new(index) };
    Expr { kind, ty: element, category: place.category, span }
}

/// Nothing was made yet.
fn declare_flags(taken: &[Taken], span: Span, out: &mut Block) {
    for local in taken.iter().filter_map(|t| t.made) {
        out.push(Stmt { kind: StmtKind::Variable { local, init: Some(truth(false, span)) }, span });
    }
}

fn truth(value: bool, span: Span) -> Expr {
    Expr { kind: ExprKind::Constant(u64::from(value)), ty: Ty::BOOL, category: Category::RValue, span }
}

fn load(local: LocalId, ty: Ty, span: Span) -> Expr {
    let kind = ExprKind::Load(Box::new(object(local, ty, span)));
    Expr { kind, ty, category: Category::RValue, span }
}

fn object(local: LocalId, ty: Ty, span: Span) -> Expr {
    Expr { kind: ExprKind::Local(local), ty, category: Category::LValue(AddressSpace::Thread), span }
}

/// The direct operands of an expression; statements inside of it are left out.
pub fn each_operand(e: &mut Expr, f: &mut dyn FnMut(&mut Expr)) {
    match &mut e.kind {
        ExprKind::Deref(a)
        | ExprKind::Field { base: a, .. }
        | ExprKind::Swizzle { base: a, .. }
        | ExprKind::Temporary(a)
        | ExprKind::Load(a)
        | ExprKind::AddressOf(a)
        | ExprKind::Unary(_, a, _)
        | ExprKind::IncDec { operand: a, .. }
        | ExprKind::Convert(_, a) => f(a),
        ExprKind::Index { base: a, index: b }
        | ExprKind::Binary(_, a, b, _)
        | ExprKind::Compare(_, a, b)
        | ExprKind::And(a, b)
        | ExprKind::Or(a, b)
        | ExprKind::Comma(a, b)
        | ExprKind::PointerOffset { base: a, offset: b }
        | ExprKind::PointerDifference(a, b)
        | ExprKind::Assign { left: a, right: b }
        | ExprKind::CompoundAssign { left: a, right: b, .. } => {
            f(a);
            f(b);
        }
        ExprKind::Conditional { condition, then, otherwise } => {
            f(condition);
            f(then);
            f(otherwise);
        }
        ExprKind::ConstructVector(list)
        | ExprKind::ConstructArray(list)
        | ExprKind::Intrinsic { args: list, .. }
        | ExprKind::Call { args: list, .. }
        | ExprKind::ConstructorCall { args: list, .. } => list.iter_mut().for_each(f),
        ExprKind::FillArray(list, rest) => {
            list.iter_mut().for_each(&mut *f);
            f(rest);
        }
        ExprKind::ConstructClass { fields } => fields.iter_mut().for_each(|(_, a)| f(a)),
        ExprKind::Block(_, value) => value.iter_mut().for_each(|a| f(a)),
        ExprKind::Local(_)
        | ExprKind::Global(_)
        | ExprKind::Constant(_)
        | ExprKind::String(_)
        | ExprKind::Zero
        | ExprKind::Builtin(_)
        | ExprKind::Error => {}
    }
}
