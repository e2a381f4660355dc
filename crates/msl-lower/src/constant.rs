//! What is known at lowering time.
//!
//! Barriers, fences and log records hold their flags, scopes and formats in the instruction. The standard
//! library passes them through parameters of ordinary functions, so functions that
//! reach such an operation are lowered once per combination of constant arguments.
//! Where a value stays unknown the operation takes the strongest form.

use msl_base::Symbol;
use msl_sema::hir::{self, BinaryOp, Expr, ExprKind, StmtKind, UnaryOp};
use msl_stdlib::Intrinsic;

use crate::Lowerer;
use crate::function::FunctionLowerer;
use crate::walk::walk_block;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ConstantValue {
    Bits(u64),
    Text(Symbol),
    /// The address of a constant of the program's scope.
    Address(hir::GlobalId),
}

/// How deep calls are looked into.
const MAX_DEPTH: u32 = 8;

impl Lowerer<'_> {
    /// Whether a function reaches an operation that needs constants.
    pub fn wants_constants(&mut self, id: hir::FunctionId) -> bool {
        if let Some(&known) = self.wants_constants.get(&id) {
            return known;
        }
        // Also what a (forbidden) recursive call sees.
        self.wants_constants.insert(id, false);
        let program = self.program;
        let mut wanted = false;
        let mut callees = Vec::new();
        if let Some(body) = &program.functions[id].body {
            walk_block(body, &mut |e| match &e.kind {
                ExprKind::Intrinsic { intrinsic, .. } => {
                    wanted |= matches!(
                        intrinsic,
                        Intrinsic::Fence
                            | Intrinsic::ThreadgroupBarrier
                            | Intrinsic::SimdgroupBarrier
                            | Intrinsic::Log
                            | Intrinsic::Trap
                    );
                }
                ExprKind::Call { function, .. } | ExprKind::ConstructorCall { function, .. } => callees.push(*function),
                _ => {}
            });
        }
        for callee in callees {
            wanted = wanted || self.wants_constants(callee);
        }
        self.wants_constants.insert(id, wanted);
        wanted
    }

    /// Whether a parameter keeps its first value: nothing but loads touch it.
    fn is_never_written(&self, function: &hir::Function, local: hir::LocalId) -> bool {
        let (mut uses, mut loads) = (0, 0);
        let is_local = |e: &Expr| matches!(e.kind, ExprKind::Local(l) if l == local);
        if let Some(body) = &function.body {
            walk_block(body, &mut |e| {
                uses += u32::from(is_local(e));
                loads += u32::from(matches!(&e.kind, ExprKind::Load(inner) if is_local(inner)));
            });
        }
        uses == loads
    }

    fn evaluate(
        &self,
        expr: &Expr,
        known: &dyn Fn(hir::LocalId) -> Option<ConstantValue>,
        depth: u32,
    ) -> Option<ConstantValue> {
        let bits = |e: &Expr| match self.evaluate(e, known, depth)? {
            ConstantValue::Bits(bits) => Some(bits),
            ConstantValue::Text(_) | ConstantValue::Address(_) => None,
        };
        Some(ConstantValue::Bits(match &expr.kind {
            ExprKind::Constant(bits) => *bits,
            ExprKind::Zero => 0,
            ExprKind::String(text) => return Some(ConstantValue::Text(*text)),
            ExprKind::AddressOf(inner) => match inner.kind {
                ExprKind::Global(global) => return Some(ConstantValue::Address(global)),
                _ => return None,
            },
            ExprKind::Load(inner) => match &inner.kind {
                ExprKind::Local(local) => return known(*local),
                ExprKind::Field { base, field } => return self.text_of_member(base, *field, known, depth),
                _ => return None,
            },
            // Flags and scopes are small and not negative: conversions between integers keep them.
            ExprKind::Convert(hir::Conversion::Arithmetic | hir::Conversion::Pointer, inner) => {
                return self.evaluate(inner, known, depth);
            }
            ExprKind::Convert(hir::Conversion::ArrayDecay, inner) => return self.evaluate(inner, known, depth),
            ExprKind::Unary(UnaryOp::BitNot, a, _) => !bits(a)?,
            ExprKind::Binary(BinaryOp::Or, a, b, _) => bits(a)? | bits(b)?,
            ExprKind::Binary(BinaryOp::And, a, b, _) => bits(a)? & bits(b)?,
            ExprKind::Call { function, args } if depth < MAX_DEPTH => {
                // An operator of an enumeration: one `return`.
                let callee = self.program.functions.get(*function)?;
                let [stmt] = callee.body.as_deref()? else { return None };
                let StmtKind::Return(Some(value)) = &stmt.kind else { return None };
                let args: Vec<_> = args.iter().map(|a| self.evaluate(a, known, depth)).collect();
                return self.evaluate(value, &|l| args.get(l.0 as usize).copied().flatten(), depth + 1);
            }
            _ => return None,
        }))
    }
}

impl Lowerer<'_> {
    /// The text that a member of a constant points to; null is an empty one.
    fn text_of_member(
        &self,
        base: &Expr,
        field: u32,
        known: &dyn Fn(hir::LocalId) -> Option<ConstantValue>,
        depth: u32,
    ) -> Option<ConstantValue> {
        let global = match &base.kind {
            ExprKind::Global(global) => *global,
            ExprKind::Deref(pointer) => match self.evaluate(pointer, known, depth)? {
                ConstantValue::Address(global) => global,
                _ => return None,
            },
            _ => return None,
        };
        let class = self.program.types.as_class(base.ty)?;
        let offset = self.program.classes[class].fields.get(field as usize)?.offset;
        let constant = &self.program.globals[global];
        let Some(pointer) = constant.pointers.iter().find(|p| p.offset == offset) else {
            let hir::GlobalStorage::Constant(bytes) = &constant.storage else { return None };
            let at = usize::try_from(offset).ok()?;
            let is_null = bytes.get(at..at + 8)?.iter().all(|b| *b == 0);
            return is_null.then(|| ConstantValue::Text(Symbol::new("")));
        };
        let hir::GlobalStorage::Constant(bytes) = &self.program.globals[pointer.target].storage else { return None };
        let text = bytes.get(usize::try_from(pointer.addend).ok()?..)?;
        let text = &text[..text.iter().position(|b| *b == 0)?];
        Some(ConstantValue::Text(Symbol::new(&String::from_utf8_lossy(text))))
    }
}

impl FunctionLowerer<'_, '_> {
    /// The value of an expression, where it is plain.
    pub fn constant_value(&self, expr: &Expr) -> Option<ConstantValue> {
        let known = |local| self.known.get(&local).copied().filter(|_| self.cx.is_never_written(self.source, local));
        self.cx.evaluate(expr, &known, 0)
    }

    pub fn constant_bits(&self, expr: Option<&Expr>) -> Option<u64> {
        match self.constant_value(expr?)? {
            ConstantValue::Bits(bits) => Some(bits),
            ConstantValue::Text(_) | ConstantValue::Address(_) => None,
        }
    }

    /// The constant arguments of a call to a function that wants them; empty when there are none. `skip`
    /// parameters come before the arguments.
    pub fn constant_arguments(
        &mut self,
        function: hir::FunctionId,
        args: &[Expr],
        skip: usize,
    ) -> Vec<Option<ConstantValue>> {
        if !self.cx.wants_constants(function) {
            return Vec::new();
        }
        let values: Vec<_> = args.iter().map(|a| self.constant_value(a)).collect();
        if values.iter().all(Option::is_none) {
            return Vec::new();
        }
        std::iter::repeat_n(None, skip).chain(values).collect()
    }
}
