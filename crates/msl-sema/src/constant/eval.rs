//! Running HIR while compiling: `constexpr`, constant initialisers, array bounds, template arguments.
//!
//! Total: every run ends after a number of steps and calls, with a value or with the place and reason there is none.

use std::collections::HashMap;
use std::rc::Rc;

use msl_base::{Diagnostic, Span};
use msl_syntax::ast;

use super::{Const, Object, Pointer, binary_scalar, compare_scalar, convert_scalar, sign_extend, unary_scalar};
use crate::checker::Checker;
use crate::entity::BodyState;
use crate::hir::{self, BinaryOp, CompareOp, Conversion, Expr, ExprKind, FunctionId, LocalId, Stmt, StmtKind};
use crate::types::*;

const STEP_LIMIT: u64 = 4_000_000;
const CALL_LIMIT: u32 = 256;

#[derive(Debug)]
pub struct EvalError {
    pub span: Span,
    pub message: String,
}

type Eval<T> = Result<T, EvalError>;

/// Whether a string literal is all there is.
fn is_text(e: &Expr) -> bool {
    match &e.kind {
        ExprKind::String(_) => true,
        ExprKind::Convert(_, inner) => is_text(inner),
        _ => false,
    }
}

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
    frame: HashMap<LocalId, usize>,
    /// The function that is running; `None` while the expression itself is evaluated.
    function: Option<Rc<hir::Function>>,
    bodies: HashMap<FunctionId, Rc<hir::Function>>,
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
            frame: HashMap::new(),
            function: None,
            bodies: HashMap::new(),
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

    fn allocate(&mut self, value: Const, ty: Ty) -> usize {
        self.memory.push((value, ty));
        self.memory.len() - 1
    }

    // ---- memory ----------------------------------------------------------------------------

    fn read(&mut self, p: &Pointer, span: Span) -> Eval<Const> {
        let global;
        let (mut value, mut at) = match p.object {
            Object::Memory(i) => match self.memory.get(i) {
                Some((v, t)) => (v, *t),
                None => return fail(span, "this object no longer exists"),
            },
            Object::Global(g) => match self.c.global_values.get(&g) {
                Some(v) => {
                    global = v.clone();
                    (&*global, self.c.program.globals[g].ty)
                }
                None => return fail(span, "the value of this variable is not known while compiling"),
            },
        };
        for (k, index) in p.path.iter().enumerate() {
            let Some(next) = component_type(self.c, at, *index) else {
                return fail(span, "this reads outside of an object");
            };
            let i = *index as usize;
            value = match value {
                Const::Aggregate(items) if i < items.len() => &items[i],
                Const::Vector(items) if i < items.len() && k + 1 == p.path.len() => return Ok(Const::Scalar(items[i])),
                Const::Union(field, v) if u64::from(*field) == *index => v,
                Const::Union(field, v) => {
                    // Another member than the one written: the same bytes.
                    let (field, v) = (u64::from(*field), (**v).clone());
                    let member = self.reread_union(&v, at, field, next, span)?;
                    let rest =
                        Pointer { object: Object::Memory(self.allocate(member, next)), path: p.path[k + 1..].to_vec() };
                    return self.read(&rest, span);
                }
                Const::Uninit => return fail(span, "this has no value yet"),
                _ => return fail(span, "this reads outside of an object"),
            };
            at = next;
        }
        match value {
            Const::Uninit => fail(span, "this has no value yet"),
            v => Ok(v.clone()),
        }
    }

    fn reread_union(&mut self, v: &Const, union: Ty, field: u64, wanted: Ty, span: Span) -> Eval<Const> {
        let Some(from) = component_type(self.c, union, field) else {
            return fail(span, "this reads outside of an object");
        };
        let Some(mut bytes) = self.c.value_bytes(v, from) else {
            return fail(span, "a pointer has no bits while compiling");
        };
        bytes.resize(self.c.size_of(union) as usize, 0);
        match self.c.value_from_bytes(&bytes, wanted) {
            Some(v) => Ok(v),
            None => fail(span, "this member of the union is not the one with a value"),
        }
    }

    fn write(&mut self, p: &Pointer, value: Const, span: Span) -> Eval<()> {
        let Object::Memory(i) = p.object else {
            return fail(span, "this changes a constant");
        };
        let Some((_, mut ty)) = self.memory.get(i).cloned() else {
            return fail(span, "this object no longer exists");
        };
        // Types along the path first: the tree below is borrowed while walking.
        let mut types = vec![ty];
        for index in &p.path {
            match component_type(self.c, ty, *index) {
                Some(t) => ty = t,
                None => return fail(span, "this writes outside of an object"),
            }
            types.push(ty);
        }
        let (c, memory) = (&mut *self.c, &mut self.memory);
        let mut slot = &mut memory[i].0;
        for (k, index) in p.path.iter().enumerate() {
            let index = *index as usize;
            if matches!(slot, Const::Uninit) {
                *slot = c.uninit_value(types[k]);
            }
            match slot {
                Const::Aggregate(items) if index < items.len() => slot = &mut items[index],
                Const::Vector(items) if index < items.len() && k + 1 == p.path.len() => {
                    let Const::Scalar(bits) = value else {
                        return fail(span, "this writes something else than a scalar");
                    };
                    items[index] = bits;
                    return Ok(());
                }
                Const::Union(field, v) => {
                    if *field as usize != index {
                        *field = index as u32;
                        **v = c.uninit_value(types[k + 1]);
                    }
                    slot = v;
                }
                _ => return fail(span, "this writes outside of an object"),
            }
        }
        *slot = value;
        Ok(())
    }

    fn read_place(&mut self, place: &Place, span: Span) -> Eval<Const> {
        match place {
            Place::At(p) => self.read(p, span),
            Place::Swizzle(p, components) => {
                let value = self.read(p, span)?;
                swizzle(&value, components, span)
            }
        }
    }

    fn write_place(&mut self, place: &Place, value: Const, span: Span) -> Eval<()> {
        match place {
            Place::At(p) => self.write(p, value, span),
            Place::Swizzle(p, components) => {
                let items = match value {
                    Const::Vector(items) => items,
                    Const::Scalar(b) => vec![b],
                    _ => return fail(span, "this writes something else than a vector"),
                };
                for (c, bits) in components.iter().zip(items) {
                    let mut p = p.clone();
                    p.path.push(u64::from(*c));
                    self.write(&p, Const::Scalar(bits), span)?;
                }
                Ok(())
            }
        }
    }

    // ---- expressions -----------------------------------------------------------------------

    fn place(&mut self, e: &Expr) -> Eval<Place> {
        self.step(e.span)?;
        let span = e.span;
        Ok(match &e.kind {
            ExprKind::Local(id) => match self.frame.get(id) {
                Some(i) => Place::At(Pointer { object: Object::Memory(*i), path: Vec::new() }),
                None => {
                    // A constant of the function around the expression.
                    let known = if self.depth == 0 { self.c.fcx.const_locals.get(id).cloned() } else { None };
                    match known {
                        Some(v) => {
                            let i = self.allocate((*v).clone(), e.ty);
                            Place::At(Pointer { object: Object::Memory(i), path: Vec::new() })
                        }
                        None => return fail(span, self.unknown_local(*id)),
                    }
                }
            },
            ExprKind::Global(g) => Place::At(Pointer { object: Object::Global(*g), path: Vec::new() }),
            ExprKind::Deref(p) => match self.rvalue(p)? {
                Const::Pointer(Some(p)) => Place::At(p),
                Const::Pointer(None) => return fail(span, "this dereferences a null pointer"),
                _ => return fail(span, "what this points to is not known while compiling"),
            },
            ExprKind::Field { base, field } => self.sub_place(base, u64::from(*field))?,
            ExprKind::Index { base, index } => {
                let i = self.integer(index)?;
                if i < 0 {
                    return fail(span, format!("the index {i} is outside of the object"));
                }
                self.sub_place(base, i as u64)?
            }
            ExprKind::Swizzle { base, components } => match self.base_place(base)? {
                Place::At(p) if components.len() == 1 => {
                    let mut p = p;
                    p.path.push(u64::from(components[0]));
                    Place::At(p)
                }
                Place::At(p) => Place::Swizzle(p, components.clone()),
                Place::Swizzle(p, outer) => {
                    Place::Swizzle(p, components.iter().map(|c| outer[usize::from(*c)]).collect())
                }
            },
            ExprKind::Temporary(inner) => {
                let value = self.rvalue(inner)?;
                let i = self.allocate(value, inner.ty);
                Place::At(Pointer { object: Object::Memory(i), path: Vec::new() })
            }
            ExprKind::Assign { left, right } => {
                let place = self.place(left)?;
                let value = self.rvalue(right)?;
                self.write_place(&place, value, span)?;
                place
            }
            ExprKind::CompoundAssign { op, left, right, .. } => {
                let place = self.place(left)?;
                let old = self.read_place(&place, span)?;
                let r = self.rvalue(right)?;
                let new = if self.c.program.types.is_pointer(left.ty) {
                    let Const::Scalar(bits) = r else { return fail(span, "this is not known while compiling") };
                    let s = self.c.bits_scalar(right.ty).unwrap_or(Scalar::Long);
                    let n = sign_extend(bits, s);
                    self.offset(old, if *op == BinaryOp::Sub { -n } else { n }, span)?
                } else {
                    let wide = self.convert(old, left.ty, right.ty, span)?;
                    let result = self.binary(*op, wide, r, right.ty, span)?;
                    self.convert(result, right.ty, left.ty, span)?
                };
                self.write_place(&place, new, span)?;
                place
            }
            ExprKind::IncDec { operand, is_increment, .. } => {
                let place = self.place(operand)?;
                let old = self.read_place(&place, span)?;
                let new = self.incremented(old, operand.ty, *is_increment, span)?;
                self.write_place(&place, new, span)?;
                place
            }
            ExprKind::Conditional { condition, then, otherwise } => {
                let arm = if self.truth(condition)? { then } else { otherwise };
                self.place(arm)?
            }
            ExprKind::Comma(l, r) => {
                self.effect(l)?;
                self.place(r)?
            }
            ExprKind::Block(stmts, Some(value)) => {
                self.block_value(stmts, span)?;
                self.place(value)?
            }
            _ => {
                let value = self.rvalue(e)?;
                let i = self.allocate(value, e.ty);
                Place::At(Pointer { object: Object::Memory(i), path: Vec::new() })
            }
        })
    }

    fn unknown_local(&self, id: LocalId) -> String {
        match self.c.fcx.locals.get(id).and_then(|l| l.name).filter(|_| self.depth == 0) {
            Some(n) => format!("the value of '{n}' is not known while compiling"),
            None => "the value of this variable is not known while compiling".into(),
        }
    }

    fn base_place(&mut self, base: &Expr) -> Eval<Place> {
        if matches!(base.category, hir::Category::LValue(_)) {
            return self.place(base);
        }
        let value = self.rvalue(base)?;
        let i = self.allocate(value, base.ty);
        Ok(Place::At(Pointer { object: Object::Memory(i), path: Vec::new() }))
    }

    fn sub_place(&mut self, base: &Expr, index: u64) -> Eval<Place> {
        match self.base_place(base)? {
            Place::At(mut p) => {
                p.path.push(index);
                Ok(Place::At(p))
            }
            Place::Swizzle(mut p, components) => match components.get(index as usize) {
                Some(c) => {
                    p.path.push(u64::from(*c));
                    Ok(Place::At(p))
                }
                None => fail(base.span, "this reads outside of a vector"),
            },
        }
    }

    fn effect(&mut self, e: &Expr) -> Eval<()> {
        if matches!(e.category, hir::Category::LValue(_)) {
            self.place(e)?;
        } else {
            self.rvalue(e)?;
        }
        Ok(())
    }

    fn integer(&mut self, e: &Expr) -> Eval<i64> {
        let s = self.c.bits_scalar(e.ty).unwrap_or(Scalar::Long);
        match self.rvalue(e)? {
            Const::Scalar(bits) => Ok(sign_extend(bits, s)),
            _ => fail(e.span, "this is not known while compiling"),
        }
    }

    fn truth(&mut self, e: &Expr) -> Eval<bool> {
        match self.rvalue(e)? {
            Const::Scalar(bits) => Ok(bits != 0),
            _ => fail(e.span, "this condition is not known while compiling"),
        }
    }

    fn rvalue(&mut self, e: &Expr) -> Eval<Const> {
        self.step(e.span)?;
        let span = e.span;
        let unknown = |span: Span| fail(span, "this is not known while compiling");
        Ok(match &e.kind {
            ExprKind::Constant(bits) => match *self.c.kind(e.ty) {
                TyKind::Pointer { pointee, .. } if !matches!(self.c.kind(pointee), TyKind::Function { .. }) => {
                    Const::Pointer(None)
                }
                TyKind::NullPtr => Const::Pointer(None),
                _ => Const::Scalar(*bits),
            },
            ExprKind::Zero => self.c.zero_value(e.ty),
            ExprKind::Load(inner) => {
                let place = self.place(inner)?;
                self.read_place(&place, span)?
            }
            ExprKind::AddressOf(inner) => match self.place(inner)? {
                Place::At(p) => Const::Pointer(Some(p)),
                Place::Swizzle(..) => return fail(span, "several components have no address"),
            },
            ExprKind::Field { .. } | ExprKind::Index { .. } | ExprKind::Swizzle { .. } => {
                let place = self.place(e)?;
                self.read_place(&place, span)?
            }
            ExprKind::Unary(op, inner, _) => {
                let v = self.rvalue(inner)?;
                let Some((s, _)) = self.c.program.types.as_numeric(inner.ty) else { return unknown(span) };
                map(v, span, |b| Ok(unary_scalar(*op, b, s)))?
            }
            ExprKind::Binary(op, l, r, _) => {
                let a = self.rvalue(l)?;
                let b = self.rvalue(r)?;
                self.binary(*op, a, b, l.ty, span)?
            }
            ExprKind::Compare(op, l, r) => {
                let a = self.rvalue(l)?;
                let b = self.rvalue(r)?;
                self.compare(*op, a, b, l.ty, span)?
            }
            ExprKind::And(l, r) => Const::Scalar(u64::from(self.truth(l)? && self.truth(r)?)),
            ExprKind::Or(l, r) => Const::Scalar(u64::from(self.truth(l)? || self.truth(r)?)),
            ExprKind::Conditional { condition, then, otherwise } => {
                let arm = if self.truth(condition)? { then } else { otherwise };
                self.rvalue(arm)?
            }
            ExprKind::Comma(l, r) => {
                self.effect(l)?;
                self.rvalue(r)?
            }
            ExprKind::PointerOffset { base, offset } => {
                let p = self.rvalue(base)?;
                let n = self.integer(offset)?;
                self.offset(p, n, span)?
            }
            ExprKind::PointerDifference(l, r) => match (self.rvalue(l)?, self.rvalue(r)?) {
                (Const::Pointer(Some(a)), Const::Pointer(Some(b)))
                    if a.object == b.object && a.path.len() == b.path.len() && !a.path.is_empty() =>
                {
                    let n = a.path.len() - 1;
                    if a.path[..n] != b.path[..n] {
                        return fail(span, "these pointers are not into one array");
                    }
                    Const::Scalar((a.path[n] as i64 - b.path[n] as i64) as u64)
                }
                _ => return fail(span, "these pointers are not into one array"),
            },
            ExprKind::IncDec { operand, is_increment, is_prefix: false } => {
                let place = self.place(operand)?;
                let old = self.read_place(&place, span)?;
                let new = self.incremented(old.clone(), operand.ty, *is_increment, span)?;
                self.write_place(&place, new, span)?;
                old
            }
            ExprKind::Convert(conversion, inner) => self.conversion(*conversion, inner, e.ty, span)?,
            ExprKind::ConstructVector(parts) => {
                let mut items = Vec::new();
                for p in parts {
                    match self.rvalue(p)? {
                        Const::Scalar(b) => items.push(b),
                        Const::Vector(v) => items.extend(v),
                        _ => return unknown(span),
                    }
                }
                Const::Vector(items)
            }
            ExprKind::ConstructClass { fields } => {
                let TyKind::Class(class) = *self.c.kind(e.ty) else { return unknown(span) };
                if self.c.program.classes[class].is_union {
                    return match fields.first() {
                        Some((i, v)) => Ok(Const::Union(*i, Box::new(self.rvalue(v)?))),
                        None => Ok(self.c.zero_value(e.ty)),
                    };
                }
                let Const::Aggregate(mut items) = self.c.zero_value(e.ty) else { return unknown(span) };
                for (i, v) in fields {
                    let value = self.rvalue(v)?;
                    if let Some(slot) = items.get_mut(*i as usize) {
                        *slot = value;
                    }
                }
                Const::Aggregate(items)
            }
            ExprKind::ConstructArray(elements) => {
                let Const::Aggregate(mut items) = self.c.zero_value(e.ty) else { return unknown(span) };
                for (slot, v) in items.iter_mut().zip(elements) {
                    *slot = self.rvalue(v)?;
                }
                Const::Aggregate(items)
            }
            ExprKind::ConstructorCall { function, args } => {
                let fresh = self.c.uninit_value(e.ty);
                let object = self.allocate(fresh, e.ty);
                let this = Const::Pointer(Some(Pointer { object: Object::Memory(object), path: Vec::new() }));
                let mut values = vec![this];
                // Names of loggers are not kept.
                for a in args {
                    values.push(if is_text(a) { Const::Uninit } else { self.rvalue(a)? });
                }
                self.call(*function, values, span)?;
                self.memory[object].0.clone()
            }
            ExprKind::Call { function, args } => {
                let mut values = Vec::new();
                for a in args {
                    values.push(self.rvalue(a)?);
                }
                self.call(*function, values, span)?
            }
            ExprKind::Intrinsic { intrinsic, args, .. } => {
                let mut values = Vec::new();
                for a in args {
                    values.push((self.rvalue(a)?, a.ty));
                }
                match self.c.fold_intrinsic(*intrinsic, &values, e.ty) {
                    Some(v) => v,
                    None => return fail(span, format!("'{}' only runs on the device", intrinsic.name())),
                }
            }
            ExprKind::Block(stmts, value) => {
                self.block_value(stmts, span)?;
                match value {
                    Some(v) => self.rvalue(v)?,
                    None => Const::Void,
                }
            }
            ExprKind::Local(_)
            | ExprKind::Global(_)
            | ExprKind::Deref(_)
            | ExprKind::Temporary(_)
            | ExprKind::Assign { .. }
            | ExprKind::CompoundAssign { .. }
            | ExprKind::IncDec { .. } => {
                let place = self.place(e)?;
                self.read_place(&place, span)?
            }
            ExprKind::Builtin(_) => return fail(span, "this differs from thread to thread"),
            ExprKind::String(_) => return fail(span, "a text has no value here"),
            ExprKind::Error => return fail(span, ""),
        })
    }

    fn block_value(&mut self, stmts: &[Stmt], span: Span) -> Eval<()> {
        self.inside += 1;
        let flow = self.run(stmts);
        self.inside -= 1;
        match flow? {
            Flow::Normal => Ok(()),
            _ => fail(span, "this leaves an expression"),
        }
    }

    fn offset(&mut self, p: Const, n: i64, span: Span) -> Eval<Const> {
        let Const::Pointer(Some(mut p)) = p else {
            return fail(span, "what this points to is not known while compiling");
        };
        match p.path.last_mut() {
            Some(last) => match last.checked_add_signed(n) {
                Some(i) => *last = i,
                None => return fail(span, "this points outside of an array"),
            },
            None if n == 0 => {}
            None => return fail(span, "this points outside of an object"),
        }
        Ok(Const::Pointer(Some(p)))
    }

    fn incremented(&mut self, old: Const, ty: Ty, up: bool, span: Span) -> Eval<Const> {
        if self.c.program.types.is_pointer(ty) {
            return self.offset(old, if up { 1 } else { -1 }, span);
        }
        let Some((s, _)) = self.c.program.types.as_numeric(ty) else {
            return fail(span, "this cannot be counted");
        };
        let one = convert_scalar(1, Scalar::Int, s);
        let op = if up { BinaryOp::Add } else { BinaryOp::Sub };
        map(old, span, |b| binary_scalar(op, b, one, s))
    }

    fn binary(&mut self, op: BinaryOp, a: Const, b: Const, ty: Ty, span: Span) -> Eval<Const> {
        let Some((s, _)) = self.c.program.types.as_numeric(ty) else {
            return fail(span, "this is not known while compiling");
        };
        let one = |x: u64, y: u64| binary_scalar(op, x, y, s).map_err(|m| EvalError { span, message: m.into() });
        Ok(match (a, b) {
            (Const::Scalar(x), Const::Scalar(y)) => Const::Scalar(one(x, y)?),
            (Const::Vector(x), Const::Vector(y)) => {
                Const::Vector(x.into_iter().zip(y).map(|(x, y)| one(x, y)).collect::<Result<_, _>>()?)
            }
            _ => return fail(span, "this is not known while compiling"),
        })
    }

    fn compare(&mut self, op: CompareOp, a: Const, b: Const, ty: Ty, span: Span) -> Eval<Const> {
        let answer = |b: bool| Const::Scalar(u64::from(b));
        Ok(match (a, b) {
            (Const::Scalar(x), Const::Scalar(y)) => {
                let s = self.c.bits_scalar(ty).unwrap_or(Scalar::ULong);
                answer(compare_scalar(op, x, y, s))
            }
            (Const::Vector(x), Const::Vector(y)) => {
                let Some((s, _)) = self.c.program.types.as_any_vector(ty) else {
                    return fail(span, "this is not known");
                };
                Const::Vector(x.iter().zip(&y).map(|(x, y)| u64::from(compare_scalar(op, *x, *y, s))).collect())
            }
            (Const::Pointer(x), Const::Pointer(y)) => match op {
                CompareOp::Eq => answer(x == y),
                CompareOp::Ne => answer(x != y),
                _ => match (x, y) {
                    (Some(x), Some(y)) if x.object == y.object && x.path.len() == y.path.len() => {
                        let o = x.path.cmp(&y.path);
                        answer(match op {
                            CompareOp::Lt => o.is_lt(),
                            CompareOp::Le => o.is_le(),
                            CompareOp::Gt => o.is_gt(),
                            _ => o.is_ge(),
                        })
                    }
                    _ => return fail(span, "these pointers are not into one array"),
                },
            },
            _ => return fail(span, "this is not known while compiling"),
        })
    }

    fn convert(&mut self, v: Const, from: Ty, to: Ty, span: Span) -> Eval<Const> {
        let scalar = |m: &mut Self, ty: Ty| match m.c.program.types.as_any_vector(ty) {
            Some((s, _)) => Some(s),
            None => m.c.bits_scalar(ty),
        };
        match (scalar(self, from), scalar(self, to)) {
            (Some(f), Some(t)) if f == t => Ok(v),
            (Some(f), Some(t)) => map(v, span, |b| Ok(convert_scalar(b, f, t))),
            _ => fail(span, "this is not known while compiling"),
        }
    }

    fn conversion(&mut self, conversion: Conversion, inner: &Expr, to: Ty, span: Span) -> Eval<Const> {
        Ok(match conversion {
            Conversion::ArrayDecay => match self.base_place(inner)? {
                Place::At(mut p) => {
                    p.path.push(0);
                    Const::Pointer(Some(p))
                }
                Place::Swizzle(..) => return fail(span, "this is not an array"),
            },
            Conversion::Arithmetic => {
                let v = self.rvalue(inner)?;
                self.convert(v, inner.ty, to, span)?
            }
            Conversion::Splat => {
                let n = self.c.program.types.as_any_vector(to).map_or(1, |(_, n)| n);
                match self.rvalue(inner)? {
                    Const::Scalar(b) => Const::Vector(vec![b; usize::from(n)]),
                    _ => return fail(span, "this is not known while compiling"),
                }
            }
            Conversion::Packing => self.rvalue(inner)?,
            Conversion::Bitcast => {
                let v = self.rvalue(inner)?;
                match self.c.fold_intrinsic(msl_stdlib::Intrinsic::Bitcast, &[(v, inner.ty)], to) {
                    Some(v) => v,
                    None => return fail(span, "the bits of this are not known while compiling"),
                }
            }
            Conversion::Pointer => {
                let v = self.rvalue(inner)?;
                self.pointer_to_base(v, inner.ty, to, span)?
            }
            Conversion::PointerAdjust(_) => {
                let v = self.rvalue(inner)?;
                self.pointer_to_base(v, inner.ty, to, span)?
            }
            Conversion::PointerToBool => match self.rvalue(inner)? {
                Const::Pointer(p) => Const::Scalar(u64::from(p.is_some())),
                Const::Scalar(b) => Const::Scalar(u64::from(b != 0)),
                _ => return fail(span, "this is not known while compiling"),
            },
            Conversion::ToVoid => {
                self.effect(inner)?;
                Const::Void
            }
            Conversion::PointerToInteger | Conversion::IntegerToPointer => {
                return fail(span, "addresses are not known while compiling");
            }
        })
    }

    fn pointer_to_base(&mut self, v: Const, from: Ty, to: Ty, span: Span) -> Eval<Const> {
        let (TyKind::Pointer { pointee: f, .. }, TyKind::Pointer { pointee: t, .. }) =
            (self.c.kind(from).clone(), self.c.kind(to).clone())
        else {
            return Ok(v);
        };
        let (Some(f), Some(t)) = (self.c.program.types.as_class(f), self.c.program.types.as_class(t)) else {
            return Ok(v);
        };
        let Const::Pointer(Some(mut p)) = v else { return Ok(v) };
        if f == t {
            return Ok(Const::Pointer(Some(p)));
        }
        if let Some(path) = self.c.path_to_base(f, t) {
            p.path.extend(path.iter().map(|(field, _)| u64::from(*field)));
            return Ok(Const::Pointer(Some(p)));
        }
        if let Some(path) = self.c.path_to_base(t, f)
            && p.path.len() >= path.len()
        {
            p.path.truncate(p.path.len() - path.len());
            return Ok(Const::Pointer(Some(p)));
        }
        fail(span, "this cast is not known while compiling")
    }

    // ---- calls and statements --------------------------------------------------------------

    fn call(&mut self, id: FunctionId, args: Vec<Const>, span: Span) -> Eval<Const> {
        if self.depth >= CALL_LIMIT {
            return fail(span, "the calls are nested too deeply");
        }
        let function = match self.bodies.get(&id) {
            Some(f) => f.clone(),
            None => {
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
        let mut frame = HashMap::new();
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

    fn run(&mut self, stmts: &[Stmt]) -> Eval<Flow> {
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

fn component_type(c: &Checker<'_>, ty: Ty, index: u64) -> Option<Ty> {
    match *c.kind(ty) {
        TyKind::Array { element, .. } => Some(element),
        TyKind::Vector(s, _) | TyKind::PackedVector(s, _) => Some(Ty::scalar(s)),
        TyKind::Class(class) => c.program.classes[class].fields.get(index as usize).map(|f| f.ty),
        _ => None,
    }
}

fn swizzle(value: &Const, components: &[u8], span: Span) -> Eval<Const> {
    let Const::Vector(items) = value else { return fail(span, "this is not known while compiling") };
    let picked: Option<Vec<u64>> = components.iter().map(|c| items.get(usize::from(*c)).copied()).collect();
    match picked {
        Some(p) if p.len() == 1 => Ok(Const::Scalar(p[0])),
        Some(p) => Ok(Const::Vector(p)),
        None => fail(span, "this reads outside of a vector"),
    }
}

fn map(v: Const, span: Span, f: impl Fn(u64) -> Result<u64, &'static str>) -> Eval<Const> {
    let f = |b: u64| f(b).map_err(|m| EvalError { span, message: m.into() });
    Ok(match v {
        Const::Scalar(b) => Const::Scalar(f(b)?),
        Const::Vector(items) => Const::Vector(items.into_iter().map(f).collect::<Result<_, _>>()?),
        _ => return fail(span, "this is not known while compiling"),
    })
}
