//! Bodies of functions: parameters, constructor initialisers, statements, what happens at the end.

use std::rc::Rc;

use msl_base::{Diagnostic, Span, Symbol};
use msl_syntax::ast;

use crate::checker::Checker;
use crate::constant::Const;
use crate::declare::{NameKey, text_of};
use crate::entity::*;
use crate::expr::Value;
use crate::hir::{self, Category, ExprKind, FpMode, FunctionId, StmtKind};
use crate::types::*;

impl Checker<'_> {
    /// Checks the body of an instance, once.
    pub fn check_body(&mut self, id: FunctionId) {
        let info = &mut self.functions[id.0 as usize];
        if matches!(info.state, BodyState::Checking | BodyState::Done) {
            return;
        }
        info.state = BodyState::Checking;
        let frame = info.requested.clone();
        let outer_frame = std::mem::replace(&mut self.frame, frame);
        let outer_fp = self.fp;
        let depth = self.frame.as_ref().map_or(0, |f| f.depth);
        self.nesting += 1;
        if depth > crate::checker::INSTANTIATION_DEPTH || self.nesting > crate::checker::NESTING_DEPTH {
            let span = self.frame.as_ref().map_or(Span::NONE, |f| f.span);
            self.hard(|c| c.error("instantiation-depth", span, "templates are instantiated too deeply"));
            self.functions[id.0 as usize].ret.get_or_insert(QualTy::ERROR);
        } else if self.has_room(self.program.functions[id].span) {
            self.hard(|c| c.check_body_inner(id));
        }
        self.nesting -= 1;
        self.fp = outer_fp;
        self.frame = outer_frame;
        self.functions[id.0 as usize].state = BodyState::Done;
    }

    pub fn apply_fp_pragma(&mut self, pragma: ast::FpPragma) {
        self.fp = match pragma {
            ast::FpPragma::MathModeFast => FpMode::Fast,
            ast::FpPragma::MathModeRelaxed => FpMode::Contract,
            ast::FpPragma::MathModeSafe => FpMode::Strict,
            ast::FpPragma::ContractFast | ast::FpPragma::ContractOn => match self.fp {
                FpMode::Strict => FpMode::Contract,
                other => other,
            },
            ast::FpPragma::ContractOff => match self.fp {
                FpMode::Contract => FpMode::Strict,
                other => other,
            },
        };
    }

    fn check_body_inner(&mut self, id: FunctionId) {
        let info = &self.functions[id.0 as usize];
        let (decl, scope) = info.body.clone();
        let (def, signature, this_space) = (info.def.clone(), info.signature.clone(), info.this_space);
        let target = self.labelled_function(&decl);
        if matches!(decl.body, ast::FunctionBody::None) && target.is_none() {
            let name = self.program.functions[id].name;
            let mut d =
                Diagnostic::error("undefined-function", decl.name.span, format!("'{name}' is used but not defined"));
            if let Some(f) = &self.frame {
                d = d.note_at(f.span, "it is used here");
            }
            self.frame = None;
            self.report(d);
            self.functions[id.0 as usize].ret.get_or_insert(QualTy::ERROR);
            return;
        }
        for p in &decl.fp_pragma {
            self.apply_fp_pragma(*p);
        }
        self.check_parameter_list(&def, &decl);
        let function_scope = Scope::function(&scope);
        let block = Scope::block(&function_scope);
        let serial = self.next_serial();
        let ret = self.functions[id.0 as usize].ret;
        let fcx = FnCtx {
            serial,
            function: Some(id),
            ret,
            auto_ret: ret.is_none().then(|| decl.ret.clone()),
            ..FnCtx::default()
        };
        let (body, mut fcx) = self.in_function(fcx, |c| {
            c.in_scope(&block, |c| {
                let this = c.declare_this(&def, this_space, decl.span);
                c.declare_params(&decl, &signature, &block);
                if let (Some(info), Some(this)) = (&def.lambda, &this) {
                    let info = info.clone();
                    let pointer = c.rvalue(this.clone());
                    let closure = c.deref(pointer, decl.span);
                    // Captures are named outside of the parameters, which may hide them.
                    c.bind_captures(&info, &closure, &block, decl.span);
                } else if let Some(this) = &this {
                    block.declare(Symbol::new("this"), Entity::Bound(Rc::new(this.clone())));
                }
                let mut out = std::mem::take(&mut c.fcx.prologue);
                if def.is_constructor()
                    && let Some(this) = this
                {
                    c.check_member_initializers(&def, &decl, &this, &mut out);
                }
                match &decl.body {
                    ast::FunctionBody::Block { body, .. } => c.check_function_block(body, &mut out),
                    ast::FunctionBody::Defaulted => c.check_defaulted(&def, &decl),
                    ast::FunctionBody::None => {
                        if let Some(target) = &target {
                            c.forward_to(target, decl.span, &mut out);
                        }
                    }
                    ast::FunctionBody::Deleted => {}
                }
                out
            })
        });
        let ret = match fcx.ret {
            Some(t) => t,
            None => Ty::VOID.into(),
        };
        self.functions[id.0 as usize].ret = Some(ret);
        if ret.ty != Ty::VOID && !ret.is_error() && crate::stmt::falls_through(&body) && !def.is_constructor() {
            let name = self.program.functions[id].name;
            let message = format!("'{name}' can end without returning a value");
            self.report(Diagnostic::warning("missing-return", decl.name.span, message));
        }
        let body = self.end_lives(body, &mut fcx.locals, self.program.functions[id].param_count);
        let stored = self.storage_type(ret);
        let function = &mut self.program.functions[id];
        function.locals = fcx.locals;
        function.ret = stored;
        function.body = Some(body);
    }

    /// What the library has for a function that is declared with the name of Apple's own library, as in
    /// `__asm("air.simdgroup_async_copy_1d.p3i8.p1i8")`: the function of that name with `__air_` in front.
    fn labelled_function(&mut self, decl: &ast::FunctionDecl) -> Option<Rc<FnDef>> {
        let label = decl.attributes.iter().find(|a| a.name == "__asm")?;
        let ast::ExprKind::String(text) = label.args.first()?.kind else { return None };
        let name: String = text.as_str().strip_prefix("air.")?.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
        let key = NameKey::Name(Symbol::new(&format!("__air_{name}")));
        let ns = self.namespace_with(key)?;
        self.lookup_in_namespace(ns, key).into_iter().find_map(|e| match e {
            Entity::Function(f) => Some(f),
            _ => None,
        })
    }

    /// The parameters go to another function, as many as it has; a result is a null pointer.
    fn forward_to(&mut self, target: &Rc<FnDef>, span: Span, out: &mut hir::Block) {
        let function = self.function_instance(target, Vec::new(), None, span);
        self.mark_used(function);
        let load = |c: &Self, i: u32| {
            let ty = c.fcx.locals[hir::LocalId(i)].ty;
            let local = ExprKind::Local(hir::LocalId(i));
            let place = Value::lvalue(local, ty, Quals::NONE, AddressSpace::Thread, span);
            crate::expr::rvalue_expr(ExprKind::Load(Box::new(place.expr)), ty, span)
        };
        let count = self.functions[function.0 as usize].signature.params.len().min(self.fcx.locals.len());
        let args = (0..count as u32).map(|i| load(self, i)).collect();
        let call = crate::expr::rvalue_expr(ExprKind::Call { function, args }, Ty::VOID, span);
        out.push(hir::Stmt { kind: StmtKind::Expr(call), span });
        if let Some(ret) = self.fcx.ret.filter(|r| r.ty != Ty::VOID && !r.is_error()) {
            let zero = crate::expr::rvalue_expr(ExprKind::Zero, ret.ty, span);
            out.push(hir::Stmt { kind: StmtKind::Return(Some(zero)), span });
        }
    }

    /// The pointer parameter of methods.
    fn declare_this(&mut self, def: &Rc<FnDef>, space: Option<AddressSpace>, span: Span) -> Option<Value> {
        let class = def.class.filter(|_| def.is_method())?;
        let quals = Quals { is_const: def.decl.this_quals.is_const && !def.is_constructor(), is_volatile: false };
        let space = space.unwrap_or(AddressSpace::Thread);
        let local = self.this_local(class, quals, space, span);
        let ty = self.fcx.locals[local].ty;
        let lvalue = Value::lvalue(ExprKind::Local(local), ty, Quals::NONE, AddressSpace::Thread, span);
        Some(Value::rvalue(crate::expr::rvalue_expr(ExprKind::Load(Box::new(lvalue.expr)), ty, span)))
    }

    fn declare_params(&mut self, decl: &ast::FunctionDecl, signature: &Rc<Signature>, block: &Rc<Scope>) {
        let mut packs: Vec<(Symbol, Vec<Rc<LocalVar>>)> = Vec::new();
        for (i, p) in decl.params.iter().enumerate() {
            if (p.is_pack || matches!(p.ty.kind, ast::TypeExprKind::Pack(_)))
                && let Some(name) = p.name
                && !signature.params.iter().any(|s| s.written == i)
            {
                packs.push((name, Vec::new()));
            }
        }
        for p in &signature.params {
            let written = decl.params.get(p.written);
            let name = written.and_then(|w| w.name);
            let span = written.map_or(decl.span, |w| w.span);
            let stored = self.storage_type(p.ty);
            let id = self.fcx.locals.push(hir::Local { name, ty: stored, align: 0, span });
            let Some(name) = name else { continue };
            let owner = self.fcx.serial;
            let var = Rc::new(LocalVar { name, place: Place::Local(id), ty: p.ty, owner, value: None.into(), span });
            let is_pack = written.is_some_and(|w| w.is_pack || matches!(w.ty.kind, ast::TypeExprKind::Pack(_)));
            if is_pack {
                match packs.iter_mut().find(|(n, _)| *n == name) {
                    Some((_, list)) => list.push(var),
                    None => packs.push((name, vec![var])),
                }
                continue;
            }
            if self.is_declared(block, name) {
                self.error("redefinition", span, format!("there are two parameters named '{name}'"));
            }
            block.declare(name, Entity::Local(var));
        }
        for (name, list) in packs {
            block.declare(name, Entity::LocalPack(Rc::new(list)));
        }
    }

    /// What no list of parameters may have.
    fn check_parameter_list(&mut self, def: &Rc<FnDef>, decl: &ast::FunctionDecl) {
        if decl.is_variadic && !self.is_library_span(decl.span) {
            let d = Diagnostic::error(
                "not-in-msl",
                decl.name.span,
                "the Metal Shading Language has no functions with variable arguments",
            )
            .help("use a template with a parameter pack: 'template <typename... T> void f(T... args)'");
            self.report(d);
        }
        let mut with_default = None;
        for (i, p) in decl.params.iter().enumerate() {
            let declared = def.decl.params.get(i).and_then(|p| p.default.as_ref());
            match (&p.default, declared) {
                (Some(own), Some(first)) if own.span != first.span => {
                    let d = Diagnostic::error("redefinition", own.span, "this default argument has been given already")
                        .note_at(first.span, "it was given here")
                        .help("leave it out of the definition");
                    self.report(d);
                }
                (None, None)
                    if with_default.is_some() && !p.is_pack && !matches!(p.ty.kind, ast::TypeExprKind::Pack(_)) =>
                {
                    let name = p.name.map_or_else(|| "this parameter".to_owned(), |n| format!("'{n}'"));
                    let mut d = Diagnostic::error(
                        "missing-default-argument",
                        p.span,
                        format!("{name} needs a default argument, for a parameter in front of it has one"),
                    );
                    if let Some(at) = with_default {
                        d = d.note_at(at, "the earlier default argument is here");
                    }
                    self.report(d);
                    return;
                }
                (own, first) => with_default = own.as_ref().or(first).map(|e| e.span).or(with_default),
            }
        }
    }

    pub fn is_declared(&self, block: &Rc<Scope>, name: Symbol) -> bool {
        match &block.kind {
            ScopeKind::Block(b) => b.names.borrow().contains_key(&name),
            _ => false,
        }
    }

    fn check_defaulted(&mut self, def: &Rc<FnDef>, decl: &ast::FunctionDecl) {
        // Default constructors have run the member initialisers; copies are made without a call.
        if !def.is_constructor() && decl.kind != ast::FunctionKind::Destructor {
            self.error("unsupported-defaulted", decl.name.span, "only constructors and assignment can be defaulted");
        }
    }

    /// Initialises bases and members in their order, as the constructor says or else by their own initialisers.
    fn check_member_initializers(
        &mut self,
        def: &Rc<FnDef>,
        decl: &ast::FunctionDecl,
        this: &Value,
        out: &mut hir::Block,
    ) {
        let Some(class) = def.class else { return };
        let initializers: &[ast::MemberInitializer] = match &decl.body {
            ast::FunctionBody::Block { initializers, .. } => initializers,
            _ => &[],
        };
        let span = decl.span;
        let object = {
            let pointer = self.rvalue(this.clone());
            self.deref(pointer, span)
        };
        if let Some(base_def) = &def.inherited {
            self.init_inherited(class, base_def, &object, out, span);
            return;
        }
        let infos = self.classes[class.0 as usize].fields.clone();
        let mut given: Vec<Option<(&ast::MemberInitializer, Rc<Scope>)>> = vec![None; infos.len()];
        let mut expanded = Vec::new();
        for init in initializers {
            if !init.is_pack {
                expanded.push((init, self.scope.clone()));
                continue;
            }
            let mut names = Vec::new();
            crate::walk::names_in_name(&init.name, &mut names);
            crate::walk::names_in_initializer(&init.init, &mut names);
            let scopes = self.expansion_scopes(&names, init.span).unwrap_or_default();
            expanded.extend(scopes.into_iter().map(|scope| (init, scope)));
        }
        for (init, scope) in expanded {
            // Delegation to another constructor of the class.
            let Some(last) = init.name.segments.last() else { continue };
            let member = match last.ident {
                ast::Ident::Name(n) if init.name.segments.len() == 1 && last.template_args.is_none() => {
                    infos.iter().position(|f| f.name == Some(n) && !f.is_base)
                }
                _ => None,
            };
            let index = match member {
                Some(i) => i,
                None => {
                    if let ast::Ident::Name(n) = last.ident
                        && let Some(Entity::Field(owner, path)) = self.lookup_in_class(class, NameKey::Name(n)).first()
                        && *owner == class
                        && path.len() > 1
                    {
                        // A member of an anonymous union or struct.
                        let path = path.clone();
                        let target = self.field_value(object.clone(), class, &path, init.span);
                        let ty = self.declared_field_type(class, &path).unwrap_or(QualTy::ERROR);
                        let value = self.check_initializer(ty, &init.init, init.span);
                        push_init(out, target.expr, value, init.span);
                        continue;
                    }
                    let ty = match self.attempt(|c| c.in_scope(&scope, |c| c.resolve_type_name(&init.name))) {
                        Ok(t) => t,
                        Err(_) => {
                            let text = text_of(&last.ident);
                            let message =
                                format!("'{text}' is neither a member nor a base of '{}'", self.class_name(class));
                            self.error("unknown-member", init.span, message);
                            continue;
                        }
                    };
                    let own = self.class_type(class);
                    if ty.ty == own {
                        let value = self.check_initializer(ty, &init.init, init.span);
                        push_init(out, object.expr.clone(), value, init.span);
                        return;
                    }
                    match infos.iter().position(|f| f.is_base && f.ty.ty == ty.ty) {
                        Some(i) => i,
                        None => {
                            let name = self.type_name(ty);
                            let message = format!("'{name}' is not a base of '{}'", self.class_name(class));
                            self.error("unknown-member", init.span, message);
                            continue;
                        }
                    }
                }
            };
            if given[index].is_some() {
                self.error("redefinition", init.span, "this is initialised twice");
            }
            given[index] = Some((init, scope));
        }
        let is_union = self.program.classes[class].is_union;
        for (i, info) in infos.iter().enumerate() {
            let stored = self.storage_type(info.ty);
            let target = hir::Expr {
                kind: ExprKind::Field { base: Box::new(object.expr.clone()), field: i as u32 },
                ty: stored,
                category: Category::LValue(AddressSpace::Thread),
                span,
            };
            let value = match (&given[i], &info.decl) {
                (Some((init, scope)), _) => {
                    let value = self.in_scope(scope, |c| c.check_initializer(info.ty, &init.init, init.span));
                    Some((value, init.span))
                }
                (None, Some(d)) if d.init.is_some() => {
                    // The member's own initialiser does not see the constructor's parameters.
                    let scope = Scope::block(&self.classes[class.0 as usize].scope.clone());
                    scope.declare(Symbol::new("this"), Entity::Bound(Rc::new(this.clone())));
                    let at = d.span;
                    d.init.as_ref().map(|init| (self.in_scope(&scope, |c| c.check_initializer(info.ty, init, at)), at))
                }
                (None, _) if is_union => None,
                (None, _) if self.program.types.is_reference(info.ty.ty) => {
                    let name = info.name.map_or("", Symbol::as_str);
                    self.error(
                        "uninitialized-reference",
                        span,
                        format!("the reference member '{name}' is not initialised"),
                    );
                    None
                }
                (None, _) => self.default_init(info.ty.ty, span).map(|e| (e, span)),
            };
            if let Some((value, at)) = value {
                push_init(out, target, value, at);
            }
        }
    }

    fn init_inherited(
        &mut self,
        class: ClassId,
        base_def: &Rc<FnDef>,
        object: &Value,
        out: &mut hir::Block,
        span: Span,
    ) {
        let Some(base) = base_def.class else { return };
        let infos = self.classes[class.0 as usize].fields.clone();
        let Some(id) = self.fcx.function else { return };
        let args = self.functions[id.0 as usize].args.clone();
        for (i, info) in infos.iter().enumerate() {
            let stored = self.storage_type(info.ty);
            let target = hir::Expr {
                kind: ExprKind::Field { base: Box::new(object.expr.clone()), field: i as u32 },
                ty: stored,
                category: Category::LValue(AddressSpace::Thread),
                span,
            };
            if info.is_base && self.program.types.as_class(info.ty.ty) == Some(base) {
                let target_fn = self.function_instance(base_def, args.clone(), Some(AddressSpace::Thread), span);
                self.mark_used(target_fn);
                let count = self.functions[id.0 as usize].signature.params.len();
                let exprs = (1..=count)
                    .map(|p| {
                        let local = hir::LocalId(p as u32);
                        let ty = self.fcx.locals[local].ty;
                        let v = Value::lvalue(ExprKind::Local(local), ty, Quals::NONE, AddressSpace::Thread, span);
                        crate::expr::rvalue_expr(ExprKind::Load(Box::new(v.expr)), ty, span)
                    })
                    .collect();
                let kind = ExprKind::ConstructorCall { function: target_fn, args: exprs };
                push_init(out, target, crate::expr::rvalue_expr(kind, info.ty.ty, span), span);
            } else if let Some(init) = info.decl.as_ref().and_then(|d| d.init.as_ref()) {
                let scope = self.classes[class.0 as usize].scope.clone();
                let value = self.in_scope(&scope, |c| c.check_initializer(info.ty, init, span));
                push_init(out, target, value, span);
            } else if let Some(value) = self.default_init(info.ty.ty, span) {
                push_init(out, target, value, span);
            }
        }
    }

    /// Remembers the value of a constant local.
    pub fn remember(&mut self, local: hir::LocalId, value: Const) -> Rc<Const> {
        let value = Rc::new(value);
        self.fcx.const_locals.insert(local, value.clone());
        value
    }
}

fn push_init(out: &mut hir::Block, target: hir::Expr, value: hir::Expr, span: Span) {
    if value.ty == Ty::ERROR {
        return;
    }
    let (ty, category) = (target.ty, target.category);
    let kind = ExprKind::Assign { left: Box::new(target), right: Box::new(value) };
    out.push(hir::Stmt { kind: StmtKind::Expr(hir::Expr { kind, ty, category, span }), span });
}
