//! Places and values of expressions.

use msl_base::Span;

use super::operator::map;
use super::*;
use crate::constant::unary_scalar;
use crate::hir::{BinaryOp, Stmt};

impl Machine<'_, '_> {
    fn place(&mut self, e: &Expr) -> Eval<Place> {
        match self.known_place(e) {
            // An object without members is known whatever it is a reference to.
            Err(_) if self.is_memberless(e.ty) => Ok(Place::At(self.memberless_object(e.ty))),
            place => place,
        }
    }

    fn is_memberless(&self, ty: Ty) -> bool {
        self.depth == 0 && self.c.program.types.as_class(ty).is_some_and(|c| self.c.is_empty_class(c))
    }

    fn memberless_object(&mut self, ty: Ty) -> Pointer {
        let value = self.c.zero_value(ty);
        Pointer { object: Object::Memory(self.allocate(value, ty)), path: Vec::new() }
    }

    pub(super) fn rvalue(&mut self, e: &Expr) -> Eval<Const> {
        match self.known_rvalue(e) {
            Err(failure) => match *self.c.kind(e.ty) {
                TyKind::Pointer { pointee, .. } if self.is_memberless(pointee) => {
                    Ok(Const::Pointer(Some(self.memberless_object(pointee))))
                }
                _ => Err(failure),
            },
            value => value,
        }
    }

    fn known_place(&mut self, e: &Expr) -> Eval<Place> {
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

    pub(super) fn base_place(&mut self, base: &Expr) -> Eval<Place> {
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

    pub(super) fn effect(&mut self, e: &Expr) -> Eval<()> {
        if matches!(e.category, hir::Category::LValue(_)) {
            self.place(e)?;
        } else {
            self.rvalue(e)?;
        }
        Ok(())
    }

    pub(super) fn integer(&mut self, e: &Expr) -> Eval<i64> {
        let s = self.c.bits_scalar(e.ty).unwrap_or(Scalar::Long);
        match self.rvalue(e)? {
            Const::Scalar(bits) => Ok(sign_extend(bits, s)),
            _ => fail(e.span, "this is not known while compiling"),
        }
    }

    pub(super) fn truth(&mut self, e: &Expr) -> Eval<bool> {
        match self.rvalue(e)? {
            Const::Scalar(bits) => Ok(bits != 0),
            _ => fail(e.span, "this condition is not known while compiling"),
        }
    }

    fn known_rvalue(&mut self, e: &Expr) -> Eval<Const> {
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
                        Some((i, v)) => {
                            let value = self.rvalue(v)?;
                            let value = memory::kept_bits(self.c, e.ty, *i as usize, value);
                            Ok(Const::Union(*i, Box::new(value)))
                        }
                        None => Ok(self.c.zero_value(e.ty)),
                    };
                }
                let Const::Aggregate(mut items) = self.c.zero_value(e.ty) else { return unknown(span) };
                for (i, v) in fields {
                    let value = self.rvalue(v)?;
                    let value = memory::kept_bits(self.c, e.ty, *i as usize, value);
                    if let Some(slot) = items.get_mut(*i as usize) {
                        *slot = value;
                    }
                }
                Const::Aggregate(items)
            }
            ExprKind::ConstructArray(elements) => {
                let zero = self.c.zero_value(e.ty);
                self.charge(&zero, span)?;
                let Const::Aggregate(mut items) = zero else { return unknown(span) };
                for (slot, v) in items.iter_mut().zip(elements) {
                    *slot = self.rvalue(v)?;
                }
                Const::Aggregate(items)
            }
            ExprKind::FillArray(elements, rest) => {
                let zero = self.c.zero_value(e.ty);
                self.charge(&zero, span)?;
                let Const::Aggregate(mut items) = zero else { return unknown(span) };
                let all = elements.iter().chain(std::iter::repeat(&**rest));
                for (slot, v) in items.iter_mut().zip(all) {
                    *slot = self.rvalue(v)?;
                }
                Const::Aggregate(items)
            }
            ExprKind::ConstructorCall { function, args } => {
                let fresh = self.c.uninit_value(e.ty);
                let object = self.allocate(fresh, e.ty);
                let this = Const::Pointer(Some(Pointer { object: Object::Memory(object), path: Vec::new() }));
                let mut values = vec![this];
                for a in args {
                    values.push(self.rvalue(a)?);
                }
                self.call(*function, values, span)?;
                self.memory[object].0.clone()
            }
            ExprKind::Call { function, args } => {
                let mut values = Vec::new();
                for a in args {
                    values.push(self.rvalue(a)?);
                }
                match values.first().and_then(|pointer| self.c.dispatch_target(*function, pointer)) {
                    Some(target) => {
                        let mut values = values.split_off(1);
                        if let Some(Const::Pointer(Some(this))) = values.first_mut() {
                            this.path.extend(target.base.iter().map(|(field, _)| u64::from(*field)));
                        }
                        self.call(target.function, values, span)?
                    }
                    None => self.call(*function, values, span)?,
                }
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
            ExprKind::String(text) => {
                let object = Object::Global(self.c.text_constant(*text));
                Const::Pointer(Some(Pointer { object, path: vec![0] }))
            }
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
}
