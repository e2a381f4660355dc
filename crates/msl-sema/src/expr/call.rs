//! Calls: of functions, methods, objects with `operator()`, intrinsics.

use std::rc::Rc;

use msl_base::{Diagnostic, Span};
use msl_stdlib::{Intrinsic, Rule};
use msl_syntax::ast::{self, OverloadedOperator};

use super::{Operand, OverloadSet, Value, constant, rvalue_expr};
use crate::checker::Checker;
use crate::constant::Const;
use crate::declare::NameKey;
use crate::entity::*;
use crate::hir::{self, ExprKind, FunctionId};
use crate::overload::Chosen;
use crate::template::CallArg;
use crate::types::*;

impl Checker<'_> {
    /// Arguments with packs expanded.
    pub fn check_args<'e>(&mut self, args: &'e [ast::Expr]) -> Vec<CallArg<'e>> {
        let mut out = Vec::new();
        for a in args {
            if let ast::ExprKind::Pack(pattern) = &a.kind {
                let mut names = Vec::new();
                crate::walk::names_in_expr(pattern, &mut names);
                let Some(scopes) = self.expansion_scopes(&names, a.span) else { continue };
                for scope in scopes {
                    out.push(self.in_scope(&scope, |c| c.check_operand_arg(pattern)));
                }
                continue;
            }
            out.push(self.check_operand_arg(a));
        }
        out
    }

    pub fn check_call(&mut self, callee: &ast::Expr, args: &[ast::Expr], span: Span) -> Value {
        if let ast::ExprKind::Name(name) = &callee.kind {
            if let Some(v) = self.check_builtin_call(name, args, span) {
                return v;
            }
            // A name nothing declares may still be found through the arguments.
            if name.segments.len() == 1 && !name.is_global {
                let last = &name.segments[0];
                let key = NameKey::of(&last.ident);
                let found = self.lookup_unqualified(key);
                if found.entities.is_empty() {
                    let values = self.check_args(args);
                    let mut functions = Vec::new();
                    self.lookup_by_arguments(key, &arg_types(&values), &mut functions);
                    if functions.is_empty() {
                        self.report_unknown(name);
                        return Value::error(span);
                    }
                    let explicit = match &last.template_args {
                        Some(a) => self.expand_written_args(a).map(Rc::new),
                        None => None,
                    };
                    let set = OverloadSet {
                        functions,
                        explicit,
                        object: None,
                        key,
                        name: crate::declare::text_of(&last.ident),
                        by_arguments: false,
                        is_address: false,
                        span: name.span,
                    };
                    return self.call_set(set, &values, span);
                }
                // `S(1, 2)` of a class template: its arguments are deduced.
                if let Some(Entity::Class(def)) = found.entities.first()
                    && def.header.is_some()
                    && last.template_args.is_none()
                {
                    let def = def.clone();
                    let values = self.check_args(args);
                    return self.construct_deduced(&def, &values, span);
                }
            }
        }
        if let Some(called) = self.check_method_pointer_call(callee, args, span) {
            return called;
        }
        match self.check_operand(callee) {
            Operand::Overloads(set) => {
                let values = self.check_args(args);
                self.call_set(set, &values, span)
            }
            Operand::Type(ty) => {
                let values = self.check_args(args);
                self.construct(ty, &values, span)
            }
            Operand::Value(v) => {
                let values = self.check_args(args);
                self.call_value(v, &values, span)
            }
        }
    }

    pub fn call_set(&mut self, set: OverloadSet, args: &[CallArg<'_>], span: Span) -> Value {
        if has_error(args) {
            return Value::error(span);
        }
        let mut functions = set.functions;
        if set.by_arguments {
            self.lookup_by_arguments(set.key, &arg_types(args), &mut functions);
        }
        match self.resolve_overload(&functions, set.explicit.as_ref(), set.object.as_deref(), args, true, span) {
            Ok(chosen) => self.finish_call(chosen, set.object.map(|o| *o), args, span),
            Err(e) => {
                self.report_overload(e, &set.name, args, set.span);
                Value::error(span)
            }
        }
    }

    pub(super) fn call_value(&mut self, v: Value, args: &[CallArg<'_>], span: Span) -> Value {
        if v.is_error() || has_error(args) {
            return Value::error(span);
        }
        if let Some(class) = self.program.types.as_class(v.ty()) {
            self.complete_class(class, span);
            let key = NameKey::Operator(OverloadedOperator::Call);
            let functions: Vec<Rc<FnDef>> = self
                .lookup_in_class(class, key)
                .into_iter()
                .filter_map(|e| match e {
                    Entity::Function(f) => Some(f),
                    _ => None,
                })
                .collect();
            if functions.is_empty() {
                let name = self.class_name(class);
                self.error("not-callable", span, format!("objects of type '{name}' cannot be called"));
                return Value::error(span);
            }
            let set = OverloadSet {
                functions,
                explicit: None,
                object: Some(Box::new(v)),
                key,
                name: "operator()".into(),
                by_arguments: false,
                is_address: false,
                span,
            };
            return self.call_set(set, args, span);
        }
        let e = self.rvalue(v);
        if let TyKind::Pointer { pointee, .. } = *self.kind(e.ty)
            && matches!(self.kind(pointee), TyKind::Function { .. })
        {
            return self.call_pointer(e, args, span);
        }
        let name = self.type_name(e.ty);
        let mut d = Diagnostic::error("not-callable", span, format!("'{name}' cannot be called"));
        if let TyKind::MemberPointer { .. } = self.kind(e.ty) {
            d = d.help("call it for an object, with parentheses: '(object.*pointer)(…)'");
        }
        self.report(d);
        Value::error(span)
    }

    /// Carries out a call that overload resolution chose.
    pub fn finish_call(&mut self, chosen: Chosen, object: Option<Value>, args: &[CallArg<'_>], span: Span) -> Value {
        if crate::declare::is_kernel(&chosen.def.decl) {
            self.error("kernel-call", span, "a kernel cannot be called");
            return Value::error(span);
        }
        let def = chosen.def.clone();
        self.check_function_access(&def, span);
        if def.is_method() {
            let Some(object) = object else { return Value::error(span) };
            return self.call_method_ranked(&def, chosen.args, object, args, Some(&chosen.ranks), span);
        }
        let id = self.function_instance(&def, chosen.args, None, span);
        let exprs = self.ranked_args(id, args, Some(&chosen.ranks), span);
        let result = self.call_instance(id, exprs, span);
        // A static member called on an object still evaluates the object.
        match object {
            Some(o) if has_effects(&o.expr) && !result.is_error() => self.comma(o, result, span),
            _ => result,
        }
    }

    pub fn call_method(
        &mut self,
        def: &Rc<FnDef>,
        template_args: Vec<Arg>,
        object: Value,
        args: &[CallArg<'_>],
        span: Span,
    ) -> Value {
        self.call_method_ranked(def, template_args, object, args, None, span)
    }

    fn call_method_ranked(
        &mut self,
        def: &Rc<FnDef>,
        template_args: Vec<Arg>,
        object: Value,
        args: &[CallArg<'_>],
        ranks: Option<&[crate::conversion::Ics]>,
        span: Span,
    ) -> Value {
        let object = match (self.program.types.as_class(object.ty()), def.class) {
            (Some(from), Some(to)) if from != to => self.base_object(object, from, to),
            _ => object,
        };
        let space = object.space().unwrap_or(AddressSpace::Thread);
        let id = self.function_instance(def, template_args, Some(space), span);
        let quals = Quals { is_const: def.decl.this_quals.is_const, is_volatile: false };
        let this = if object.is_lvalue() {
            let pointer = self.types().pointer(object.ty(), quals, space);
            self.address_of_lvalue(object.expr, pointer, span)
        } else {
            self.address_of_temporary(object.expr, quals)
        };
        let mut exprs = vec![this];
        exprs.extend(self.ranked_args(id, args, ranks, span));
        self.call_instance(id, exprs, span)
    }

    /// Arguments converted to the parameters of an instance, defaults filled in; without `this`.
    pub fn bound_args(&mut self, id: FunctionId, args: &[CallArg<'_>], span: Span) -> Vec<hir::Expr> {
        self.ranked_args(id, args, None, span)
    }

    fn ranked_args(
        &mut self,
        id: FunctionId,
        args: &[CallArg<'_>],
        ranks: Option<&[crate::conversion::Ics]>,
        span: Span,
    ) -> Vec<hir::Expr> {
        let signature = self.functions[id.0 as usize].signature.clone();
        let def = self.functions[id.0 as usize].def.clone();
        let mut out = Vec::new();
        for (i, p) in signature.params.iter().enumerate() {
            let e = match args.get(i) {
                Some(CallArg::Value(v)) => match ranks.and_then(|r| r.get(i)) {
                    Some(ics) => self.apply(v.clone(), p.ty, ics, v.expr.span),
                    None => self.convert(v.clone(), p.ty, span),
                },
                Some(arg) => self.convert_arg(arg, p.ty, arg.span()),
                None => self.default_argument(&def, &signature, p, span),
            };
            out.push(e);
        }
        // Extra arguments of a C variadic function.
        for arg in args.iter().skip(signature.params.len()) {
            if let CallArg::Value(v) = arg {
                out.push(self.rvalue(v.clone()));
            }
        }
        out
    }

    fn default_argument(&mut self, def: &Rc<FnDef>, signature: &Rc<Signature>, p: &SigParam, span: Span) -> hir::Expr {
        let mut found =
            def.decl.params.get(p.written).and_then(|w| w.default.clone()).map(|e| (e, signature.scope.clone()));
        if found.is_none()
            && let Some((decl, scope)) = &*def.definition.borrow()
        {
            found = decl.params.get(p.written).and_then(|w| w.default.clone()).map(|e| (e, scope.clone()));
        }
        let Some((e, scope)) = found else {
            self.error("missing-argument", span, "an argument is missing");
            return crate::conversion::error_expr(span);
        };
        // Names in a default argument are those of the declaration.
        let mut e = self.in_scope(&Scope::function(&scope), |c| c.check_expr_converted(&e, p.ty));
        e.span = span;
        e
    }

    /// A call of an instance with converted arguments.
    pub fn call_instance(&mut self, id: FunctionId, args: Vec<hir::Expr>, span: Span) -> Value {
        let ret = self.result_type(id, span);
        self.mark_used(id);
        if ret.is_error() || args.iter().any(|a| a.ty == Ty::ERROR) {
            return Value::error(span);
        }
        let stored = self.storage_type(ret);
        let call = rvalue_expr(ExprKind::Call { function: id, args }, stored, span);
        match *self.kind(ret.ty) {
            TyKind::Reference { is_rvalue, .. } => {
                let mut v = self.deref(call, span);
                v.is_xvalue = is_rvalue;
                v
            }
            _ => Value::rvalue(call),
        }
    }

    // ---- builtins --------------------------------------------------------------------------

    fn check_builtin_call(&mut self, name: &ast::Name, args: &[ast::Expr], span: Span) -> Option<Value> {
        let last = name.segments.last()?;
        let ast::Ident::Name(symbol) = last.ident else { return None };
        let text = symbol.as_str();
        if text == "is_function_constant_defined" {
            return Some(self.check_constant_defined(args, span));
        }
        if !text.starts_with("__") {
            return None;
        }
        if let Some(intrinsic) = Intrinsic::from_name(text)
            && !self.is_declared_function(name, intrinsic, args)
        {
            return Some(self.check_intrinsic(intrinsic, last.template_args.as_deref(), args, span));
        }
        if let Some(v) = self.check_trait(text, args, span) {
            return Some(v);
        }
        match text {
            "__builtin_ctz" | "__builtin_clz" | "__builtin_popcount" if args.len() == 1 => {
                let intrinsic = match text {
                    "__builtin_ctz" => Intrinsic::TrailingZeros,
                    "__builtin_clz" => Intrinsic::LeadingZeros,
                    _ => Intrinsic::PopCount,
                };
                let arg = self.check_expr_converted(&args[0], Ty::UINT.into());
                if arg.ty == Ty::ERROR {
                    return Some(Value::error(span));
                }
                let counted = self.intrinsic_value(intrinsic, vec![arg], Ty::UINT, span);
                Some(Value::rvalue(self.convert_scalar(counted.expr, Scalar::Int)))
            }
            "__builtin_offsetof" => Some(self.check_offsetof(args, span)),
            "__builtin_constant_p" if args.len() == 1 => {
                self.unevaluated += 1;
                let v = self.check_expr(&args[0]);
                self.unevaluated -= 1;
                let is_known = !v.is_error() && self.evaluate_quietly(&v.expr).is_some();
                Some(Value::rvalue(constant(u64::from(is_known), Ty::INT, span)))
            }
            "__builtin_expect" if args.len() == 2 => Some(self.check_expr(&args[0])),
            "__builtin_assume" => {
                for a in args {
                    self.check_expr(a);
                }
                Some(Value::rvalue(rvalue_expr(ExprKind::Zero, Ty::VOID, span)))
            }
            "__builtin_unreachable" => Some(self.intrinsic_value(Intrinsic::Unreachable, Vec::new(), Ty::VOID, span)),
            "__builtin_trap" => Some(self.intrinsic_value(Intrinsic::Trap, Vec::new(), Ty::VOID, span)),
            _ => None,
        }
    }

    /// `__builtin_offsetof(S, a.b[2])`.
    fn check_offsetof(&mut self, args: &[ast::Expr], span: Span) -> Value {
        let [ty, member] = args else {
            self.error("wrong-argument-count", span, "'offsetof' takes a type and a member of it");
            return Value::error(span);
        };
        let Operand::Type(ty) = self.check_operand(ty) else {
            self.error("expected-type", ty.span, "'offsetof' takes a type and a member of it");
            return Value::error(span);
        };
        if ty.is_error() || !self.require_complete(ty.ty, span) {
            return Value::error(span);
        }
        let object = Value::lvalue(ExprKind::Error, ty.ty, Quals::NONE, AddressSpace::Thread, span);
        self.unevaluated += 1;
        let designated = self.designated_member(object, member);
        self.unevaluated -= 1;
        if designated.is_error() {
            return Value::error(span);
        }
        match self.offset_in(&designated.expr) {
            Some(offset) => Value::rvalue(constant(offset, Ty::ULONG, span)),
            None => {
                self.error("not-constant", member.span, "the offset of this is not known while compiling");
                Value::error(span)
            }
        }
    }

    /// The member of an object that `a.b[2]` designates.
    fn designated_member(&mut self, object: Value, e: &ast::Expr) -> Value {
        let operand = match &e.kind {
            ast::ExprKind::Name(name) => self.member_of(object, false, name, e.span),
            ast::ExprKind::Member { base, is_arrow: false, name } => {
                let base = self.designated_member(object, base);
                self.member_of(base, false, name, e.span)
            }
            ast::ExprKind::Subscript { base, index } => {
                let base = self.designated_member(object, base);
                let index = self.check_expr(index);
                Operand::Value(self.subscript(base, index, e.span))
            }
            _ => {
                self.error("expected-name", e.span, "expected the name of a member");
                return Value::error(e.span);
            }
        };
        match operand {
            Operand::Value(v) => v,
            Operand::Overloads(_) | Operand::Type(_) => {
                self.error("expected-name", e.span, "expected the name of a data member");
                Value::error(e.span)
            }
        }
    }

    /// How far the part of an object is from its start.
    fn offset_in(&mut self, e: &hir::Expr) -> Option<u64> {
        match &e.kind {
            ExprKind::Error => Some(0),
            ExprKind::Field { base, field } => {
                let class = self.program.types.as_class(base.ty)?;
                let offset = self.program.classes[class].fields.get(*field as usize)?.offset;
                Some(self.offset_in(base)? + offset)
            }
            ExprKind::Index { base, index } => {
                let Some(Const::Scalar(at)) = self.evaluate_quietly(index) else { return None };
                Some(self.offset_in(base)? + at.checked_mul(self.size_of(e.ty))?)
            }
            _ => None,
        }
    }

    /// Functions may share the name of an intrinsic when they take other arguments.
    fn is_declared_function(&mut self, name: &ast::Name, intrinsic: Intrinsic, args: &[ast::Expr]) -> bool {
        let fits = intrinsic.arity() == 255 || intrinsic.arity() == args.len();
        let has_pack = args.iter().any(|a| matches!(a.kind, ast::ExprKind::Pack(_)));
        !fits && !has_pack && matches!(self.lookup(name).entities.first(), Some(Entity::Function(_)))
    }

    fn check_constant_defined(&mut self, args: &[ast::Expr], span: Span) -> Value {
        let [arg] = args else {
            self.error(
                "wrong-argument-count",
                span,
                "'is_function_constant_defined' takes the name of a function constant",
            );
            return Value::error(span);
        };
        let ast::ExprKind::Name(name) = &arg.kind else {
            self.error("not-a-function-constant", arg.span, "this is not the name of a function constant");
            return Value::error(span);
        };
        let found = self.lookup(name);
        if let Some(Entity::Variable(def)) = found.entities.first() {
            let def = def.clone();
            if def.decl.attributes.iter().any(|a| a.name == "function_constant") {
                self.late = def.decl.name.segments.last().and_then(|s| match s.ident {
                    ast::Ident::Name(n) => Some(n),
                    _ => None,
                });
                let defined = match self.variable_instance(&def, name) {
                    Some(v) => !matches!(v.place, Place::Unset(_)),
                    None => false,
                };
                return Value::rvalue(constant(u64::from(defined), Ty::BOOL, span));
            }
        }
        if found.entities.is_empty() {
            self.report_unknown(name);
        } else {
            self.error("not-a-function-constant", arg.span, "this is not a function constant");
        }
        Value::error(span)
    }

    fn intrinsic_value(&mut self, intrinsic: Intrinsic, args: Vec<hir::Expr>, ty: Ty, span: Span) -> Value {
        let fp = self.fp;
        Value::rvalue(rvalue_expr(ExprKind::Intrinsic { intrinsic, args, fp }, ty, span))
    }

    fn check_intrinsic(
        &mut self,
        intrinsic: Intrinsic,
        explicit: Option<&[ast::TemplateArg]>,
        args: &[ast::Expr],
        span: Span,
    ) -> Value {
        if intrinsic == Intrinsic::IsFastMath {
            let fast = self.fp == hir::FpMode::Fast;
            return Value::rvalue(constant(u64::from(fast), Ty::BOOL, span));
        }
        let mut exprs = Vec::new();
        for arg in self.check_args(args) {
            match arg {
                CallArg::Value(v) => exprs.push(self.rvalue(v)),
                _ => {
                    self.error("invalid-argument", arg.span(), "an intrinsic takes plain values");
                    return Value::error(span);
                }
            }
        }
        if exprs.iter().any(|e| e.ty == Ty::ERROR) {
            return Value::error(span);
        }
        if intrinsic.arity() != 255 && exprs.len() != intrinsic.arity() {
            let message = format!("'{}' takes {} arguments, not {}", intrinsic.name(), intrinsic.arity(), exprs.len());
            self.error("wrong-argument-count", span, message);
            return Value::error(span);
        }
        let first = exprs.first().map_or(Ty::VOID, |e| e.ty);
        let numeric = |c: &Self, ty: Ty| c.program.types.as_numeric(ty).is_some();
        let ty = match intrinsic.rule() {
            Rule::Same => {
                if !numeric(self, first) {
                    return self.invalid_intrinsic(intrinsic, first, span);
                }
                if exprs.iter().any(|e| e.ty != first) {
                    return self.mixed_intrinsic(intrinsic, &exprs, span);
                }
                first
            }
            Rule::Lane => first,
            Rule::Third => exprs.get(2).map_or(Ty::VOID, |e| e.ty),
            Rule::Predicate => match self.program.types.as_numeric(first) {
                Some((_, n)) => self.types().vector(Scalar::Bool, n),
                None => return self.invalid_intrinsic(intrinsic, first, span),
            },
            Rule::Explicit => {
                let Some([arg]) = explicit else {
                    self.error(
                        "missing-template-arguments",
                        span,
                        format!("'{}' needs the type to give", intrinsic.name()),
                    );
                    return Value::error(span);
                };
                let to = self.type_of_arg(arg).ty;
                if to == Ty::ERROR {
                    return Value::error(span);
                }
                if intrinsic == Intrinsic::Bitcast {
                    self.require_complete(first, span);
                    self.require_complete(to, span);
                    // The fourth component of a three-component vector is padding.
                    let bits = |c: &Self, ty: Ty| match c.program.types.as_vector(ty) {
                        Some((s, n)) => s.size() * u64::from(n),
                        None => c.size_of(ty),
                    };
                    let (a, b) = (bits(self, first), bits(self, to));
                    if a != b && self.size_of(first) != self.size_of(to) {
                        let message = format!(
                            "'{}' has {a} bytes and '{}' has {b}: their bits cannot be the same",
                            self.type_name(first),
                            self.type_name(to)
                        );
                        self.error("size-mismatch", span, message);
                        return Value::error(span);
                    }
                }
                to
            }
            Rule::Select => {
                let Some(second) = exprs.get(1).map(|e| e.ty) else { return Value::error(span) };
                if exprs.get(2).map(|e| e.ty) != Some(second) {
                    return self.mixed_intrinsic(intrinsic, &exprs, span);
                }
                second
            }
            Rule::Pointee => match *self.kind(first) {
                TyKind::Pointer { pointee, .. } => match self.program.types.as_class(pointee) {
                    // `atomic<T>` stands for its value.
                    Some(c) if self.program.classes[c].special == hir::SpecialClass::Atomic => {
                        self.program.classes[c].fields.first().map_or(pointee, |f| f.ty)
                    }
                    _ => pointee,
                },
                _ => return self.invalid_intrinsic(intrinsic, first, span),
            },
            Rule::Pointer => first,
            Rule::Void => Ty::VOID,
            Rule::Bool => Ty::BOOL,
            Rule::UInt => Ty::UINT,
            Rule::ULong => Ty::ULONG,
            Rule::UInt3 => self.types().vector(Scalar::UInt, 3),
        };
        self.intrinsic_value(intrinsic, exprs, ty, span)
    }

    fn invalid_intrinsic(&mut self, intrinsic: Intrinsic, ty: Ty, span: Span) -> Value {
        let message = format!("'{}' does not apply to '{}'", intrinsic.name(), self.type_name(ty));
        self.error("invalid-operand", span, message);
        Value::error(span)
    }

    fn mixed_intrinsic(&mut self, intrinsic: Intrinsic, exprs: &[hir::Expr], span: Span) -> Value {
        let types: Vec<String> = exprs.iter().map(|e| self.type_name(e.ty)).collect();
        let message = format!("'{}' takes operands of one type, not ({})", intrinsic.name(), types.join(", "));
        self.error("invalid-operands", span, message);
        Value::error(span)
    }
}

pub fn arg_types(args: &[CallArg<'_>]) -> Vec<Ty> {
    args.iter()
        .filter_map(|a| match a {
            CallArg::Value(v) => Some(v.ty()),
            _ => None,
        })
        .collect()
}

pub fn has_error(args: &[CallArg<'_>]) -> bool {
    args.iter().any(|a| matches!(a, CallArg::Value(v) if v.is_error()))
}

/// Whether evaluating the expression may do something besides giving a value.
fn has_effects(e: &hir::Expr) -> bool {
    match &e.kind {
        ExprKind::Local(_) | ExprKind::Global(_) | ExprKind::Constant(_) | ExprKind::Zero | ExprKind::Error => false,
        ExprKind::Deref(b) | ExprKind::Load(b) | ExprKind::Field { base: b, .. } | ExprKind::AddressOf(b) => {
            has_effects(b)
        }
        _ => true,
    }
}
