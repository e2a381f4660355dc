//! Calls through pointers to functions, and to member functions, that are not known while compiling.
//!
//! A pointer to a function is a number; zero is null. Functions that hosts put into tables have numbers that do not depend
//! on what is compiled. No target can jump to where a number says, so
//! a call is one of a function that compares the number with those of all functions of this type whose address the program
//! takes. There is one such function for each type that is called through (and address space of the object); its
//! body is written once everything else is known. Where the number is known, the function itself is called.

use msl_base::{Arena, Diagnostic, Id, Span, Symbol};
use msl_syntax::ast;

use super::{Value, rvalue_expr};
use crate::checker::Checker;
use crate::constant::Const;
use crate::declare::{EntryDeclKind, NameKey, NsId};
use crate::entity::{BodyState, FnInfo, SigParam, Signature};
use crate::hir::{self, Category, ExprKind, FunctionId, LocalId, StmtKind};
use crate::template::CallArg;
use crate::types::*;

/// The number of the first `[[visible]]` function of a program.
const VISIBLE: u64 = 1 << 32;

/// The function that carries out the calls through one type of pointer.
pub struct Dispatch {
    /// The type of the pointers.
    pub pointer: Ty,
    /// Where the object is that a member function is called for.
    pub space: Option<AddressSpace>,
    pub id: FunctionId,
}

/// A function that a pointer may point to.
pub struct Target {
    /// The pointer as a number.
    number: u64,
    pub function: FunctionId,
    /// The steps from the class of the pointer to the one of the member function.
    pub base: Vec<(u32, ClassId)>,
    /// Where the pointer was cast to one for a base: how far the object of the derived class begins before it.
    back: u64,
}

impl Checker<'_> {
    /// The result and the parameters behind a pointer to a function.
    pub fn pointed_function(&self, pointer: Ty) -> Option<(Ty, Vec<Ty>)> {
        let TyKind::Pointer { pointee, .. } = *self.kind(pointer) else { return None };
        match self.kind(pointee) {
            TyKind::Function { ret, params } => Some((*ret, params.clone())),
            _ => None,
        }
    }

    /// Calls what a pointer to a function points to.
    pub fn call_pointer(&mut self, pointer: hir::Expr, args: &[CallArg<'_>], span: Span) -> Value {
        let Some((_, params)) = self.pointed_function(pointer.ty) else { return Value::error(span) };
        if !self.check_argument_count(pointer.ty, params.len(), args.len(), span) {
            return Value::error(span);
        }
        let known = match self.evaluate_quietly(&pointer) {
            Some(Const::Scalar(bits)) => Some(bits),
            _ => None,
        };
        let function = known.and_then(|bits| self.function_of_number(bits));
        match known {
            Some(0) => {
                let d = Diagnostic::error("null-call", span, "this calls through a null pointer");
                self.report(d);
                Value::error(span)
            }
            _ => {
                if let Some(id) = function {
                    let exprs = self.bound_args(id, args, span);
                    return self.call_instance(id, exprs, span);
                }
                let id = self.dispatch(pointer.ty, None);
                let all: Vec<CallArg<'_>> =
                    std::iter::once(CallArg::Value(Value::rvalue(pointer))).chain(args.iter().cloned()).collect();
                let exprs = self.bound_args(id, &all, span);
                self.call_instance(id, exprs, span)
            }
        }
    }

    /// What stands for a function in pointers: for one that hosts put into tables, its place among those.
    pub fn number_of_function(&mut self, id: FunctionId) -> u64 {
        let def = self.functions[id.index()].def.clone();
        for (place, entry) in self.layer.visible.iter().enumerate() {
            let is_it = match entry.kind {
                EntryDeclKind::Function(f) => std::rc::Rc::ptr_eq(&self.fn_def(f), &def),
                EntryDeclKind::Instantiation { .. } => {
                    def.is_template() && self.attempt(|c| c.entry_function(entry)).ok().flatten() == Some(id)
                }
            };
            if is_it {
                return VISIBLE + place as u64;
            }
        }
        u64::from(id.0) + 1
    }

    fn function_of_number(&mut self, number: u64) -> Option<FunctionId> {
        match number.checked_sub(VISIBLE) {
            Some(place) => {
                let entry = self.layer.visible.get(place as usize)?;
                self.entry_function(entry)
            }
            None => (1..=self.functions.len() as u64).contains(&number).then(|| FunctionId(number as u32 - 1)),
        }
    }

    /// What hosts may put into tables.
    pub fn describe_visible_functions(&mut self) -> Vec<crate::VisibleFunctionInfo> {
        let mut out = Vec::new();
        for (place, entry) in self.layer.visible.iter().enumerate() {
            let Some(id) = self.entry_function(entry) else { continue };
            let pointer = self.function_pointer(id, entry.span).ty();
            let TyKind::Pointer { pointee, .. } = *self.kind(pointer) else { continue };
            let type_name = self.type_name(QualTy::from(pointee));
            out.push(crate::VisibleFunctionInfo { name: entry.name, number: VISIBLE + place as u64, type_name });
        }
        out
    }

    pub fn check_argument_count(&mut self, pointer: Ty, wanted: usize, given: usize, span: Span) -> bool {
        if wanted == given {
            return true;
        }
        let name = self.type_name(QualTy::from(pointer));
        let s = if wanted == 1 { "" } else { "s" };
        let message = format!("'{name}' takes {wanted} argument{s}, not {given}");
        self.error("no-matching-function", span, message);
        false
    }

    /// The function that carries out calls through pointers of a type.
    pub fn dispatch(&mut self, pointer: Ty, space: Option<AddressSpace>) -> FunctionId {
        if let Some(known) = self.dispatches.iter().find(|d| d.pointer == pointer && d.space == space) {
            return known.id;
        }
        let mut params = vec![pointer];
        let (ret, rest) = match *self.kind(pointer) {
            TyKind::MemberPointer { class, member, quals } => {
                let class = self.types().intern(TyKind::Class(class));
                params.push(self.types().pointer(class, quals, space.unwrap_or(AddressSpace::Thread)));
                match self.kind(member) {
                    TyKind::Function { ret, params } => (*ret, params.clone()),
                    _ => (Ty::ERROR, Vec::new()),
                }
            }
            _ => self.pointed_function(pointer).unwrap_or((Ty::ERROR, Vec::new())),
        };
        params.extend(rest);
        let name = Symbol::new("(call through a pointer)");
        let scope = self.ns_scope(NsId::GLOBAL);
        let def = self.make_fn_def(NameKey::Name(name), declaration(name), scope, None, true);
        let mut locals: Arena<LocalId, hir::Local> = Arena::new();
        for ty in &params {
            let ty = self.storage_type((*ty).into());
            locals.push(hir::Local { name: None, ty, align: 0, span: Span::NONE });
        }
        let stored = self.storage_type(ret.into());
        let id = self.program.functions.push(hir::Function {
            name,
            locals,
            param_count: params.len() as u32,
            ret: stored,
            body: None,
            is_kernel: false,
            span: Span::NONE,
        });
        let sig_param = |(written, ty): (usize, Ty)| SigParam { ty: ty.into(), written, has_default: false };
        let signature = Signature {
            params: params.into_iter().enumerate().map(sig_param).collect(),
            ret: Some(ret.into()),
            scope: def.scope.clone(),
            has_error: false,
        };
        self.functions.push(FnInfo {
            body: (def.decl.clone(), def.scope.clone()),
            def,
            args: Vec::new(),
            signature: signature.into(),
            this_space: None,
            state: BodyState::Done,
            ret: Some(ret.into()),
            requested: None,
        });
        self.dispatches.push(Dispatch { pointer, space, id });
        id
    }

    /// What a call of a [`Dispatch`] calls, with the values of the arguments known.
    pub fn dispatch_target(&mut self, function: FunctionId, pointer: &Const) -> Option<Target> {
        let Dispatch { pointer: ty, space, .. } = *self.dispatches.iter().find(|d| d.id == function)?;
        let Const::Scalar(bits) = *pointer else { return None };
        if let TyKind::MemberPointer { class, .. } = *self.kind(ty) {
            let target = self.known_method(class, bits)?;
            let function = self.function_instance(&target.method.def, target.method.args, space, Span::NONE);
            return (target.back == 0).then_some(Target { number: bits, function, base: target.base, back: 0 });
        }
        let function = self.function_of_number(bits)?;
        Some(Target { number: bits, function, base: Vec::new(), back: 0 })
    }

    /// Writes the bodies of the functions calls through pointers go to, and has the functions they choose from checked.
    pub fn complete_dispatches(&mut self) {
        if self.has_tables {
            // The host may have put any of them into a table.
            for entry in &self.layer.visible {
                if let Some(id) = self.entry_function(entry) {
                    self.function_pointer(id, entry.span);
                }
            }
        }
        let mut done = (0, 0, 0);
        // A function may take the address of another, and call through another type.
        while done != (self.dispatches.len(), self.addressed.len(), self.methods.len()) {
            done = (self.dispatches.len(), self.addressed.len(), self.methods.len());
            for i in 0..self.dispatches.len() {
                let Dispatch { pointer, space, id } = self.dispatches[i];
                let targets = self.targets(pointer, space);
                for target in &targets {
                    self.mark_used(target.function);
                }
                self.drain();
                let body = self.dispatch_body(id, &targets);
                self.program.functions[id].body = Some(body);
            }
        }
    }

    /// The functions a pointer of the type may point to.
    fn targets(&mut self, pointer: Ty, space: Option<AddressSpace>) -> Vec<Target> {
        if let TyKind::MemberPointer { .. } = self.kind(pointer) {
            let methods = self.methods_behind(pointer);
            return methods
                .into_iter()
                .filter(|m| m.method.def.is_for_space(space))
                .map(|m| Target {
                    number: m.number,
                    function: self.function_instance(&m.method.def, m.method.args, space, Span::NONE),
                    base: m.base,
                    back: m.back,
                })
                .collect();
        }
        let addressed: Vec<FunctionId> =
            self.addressed.iter().filter(|(_, ty)| *ty == pointer).map(|(id, _)| *id).collect();
        let target = |id| Target { number: self.number_of_function(id), function: id, base: Vec::new(), back: 0 };
        addressed.into_iter().map(target).collect()
    }

    fn dispatch_body(&mut self, id: FunctionId, targets: &[Target]) -> hir::Block {
        let function = &self.program.functions[id];
        let (ret, span) = (function.ret, Span::NONE);
        let params: Vec<(LocalId, Ty)> = function.locals.iter().map(|(l, local)| (l, local.ty)).collect();
        let read = |(local, ty): (LocalId, Ty)| {
            let category = Category::LValue(AddressSpace::Thread);
            let place = hir::Expr { kind: ExprKind::Local(local), ty, category, span };
            rvalue_expr(ExprKind::Load(Box::new(place)), ty, span)
        };
        let statement = |kind| hir::Stmt { kind, span };
        let mut cases = Vec::new();
        for target in targets {
            let mut args: Vec<hir::Expr> = params[1..].iter().copied().map(read).collect();
            if let (Some(this), Some(class)) =
                (args.first_mut(), self.functions[target.function.index()].method_class())
            {
                let TyKind::Pointer { quals, space, .. } = *self.kind(this.ty) else { continue };
                let class = self.class_type(class);
                let to = self.types().pointer(class, quals, space);
                let object = self.deref(this.clone(), span);
                *this = match target.back {
                    0 => {
                        let base = self.along_bases(object, &target.base);
                        self.address_of_lvalue(base.expr, to, span)
                    }
                    back => self.derived_pointer(this.clone(), back, to),
                };
            }
            let call = rvalue_expr(ExprKind::Call { function: target.function, args }, ret, span);
            let body = if ret == Ty::VOID {
                vec![statement(StmtKind::Expr(call)), statement(StmtKind::Return(None))]
            } else {
                vec![statement(StmtKind::Return(Some(call)))]
            };
            cases.push(hir::Case { values: vec![target.number as i64], is_default: false, body });
        }
        let number = ExprKind::Convert(hir::Conversion::Bitcast, Box::new(read(params[0])));
        let mut body = vec![statement(StmtKind::Switch { value: rvalue_expr(number, Ty::ULONG, span), cases })];
        if ret != Ty::VOID {
            body.push(statement(StmtKind::Return(Some(rvalue_expr(ExprKind::Zero, ret, span)))));
        }
        body
    }
}

/// What stands for a declaration that nobody wrote.
fn declaration(name: Symbol) -> std::sync::Arc<ast::FunctionDecl> {
    let span = Span::NONE;
    let segment = ast::NameSegment { ident: ast::Ident::Name(name), template_args: None, span };
    std::sync::Arc::new(ast::FunctionDecl {
        name: ast::Name { is_global: false, segments: vec![segment], span },
        kind: ast::FunctionKind::Ordinary,
        stage: ast::StageKeyword::None,
        flags: ast::DeclFlags::default(),
        templates: Vec::new(),
        attributes: Vec::new(),
        ret: ast::TypeExpr { kind: ast::TypeExprKind::Auto, span },
        params: Vec::new(),
        is_variadic: false,
        this_quals: ast::Qualifiers::default(),
        this_ref: ast::RefQualifier::None,
        body: ast::FunctionBody::None,
        fp_pragma: Vec::new(),
        span,
    })
}
