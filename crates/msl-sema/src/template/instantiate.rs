//! Instances: signatures and bodies of functions, specialisations of classes, variables.

use std::rc::Rc;
use std::sync::Arc;

use msl_base::{Diagnostic, Span, Symbol};
use msl_syntax::ast;

use super::deduce::Deduction;
use super::order;
use crate::checker::Checker;
use crate::declare::{NameKey, text_of};
use crate::entity::*;
use crate::hir::{self, FunctionId};
use crate::resolve::{bind_params, mentions_auto};
use crate::types::*;

impl Checker<'_> {
    /// Parameter and result types of a function with template arguments.
    pub fn signature(&mut self, def: &Rc<FnDef>, args: &[Arg], this_space: Option<AddressSpace>) -> Rc<Signature> {
        let key = (args.to_vec(), this_space);
        if let Some(s) = def.signatures.borrow().get(&key) {
            return s.clone();
        }
        let scope = match &def.header {
            Some(h) => Scope::params(&def.scope, bind_params(&h.params, args)),
            None => def.scope.clone(),
        };
        let outer_auto = self.auto_binding.take();
        let outer_default = self.default_space.take();
        let decl = def.decl.clone();
        let mut params = Vec::new();
        let mut has_error = false;
        // Parameter names are visible in later parameter types and the result type (`decltype(x)`).
        let block = Scope::block(&scope);
        self.in_scope(&block, |c| {
            for (written, p) in decl.params.iter().enumerate() {
                let has_default = p.default.is_some()
                    || def
                        .definition
                        .borrow()
                        .as_ref()
                        .is_some_and(|(d, _)| d.params.get(written).is_some_and(|p| p.default.is_some()));
                if p.is_pack || matches!(p.ty.kind, ast::TypeExprKind::Pack(_)) {
                    let from = params.len();
                    c.expand_pack_type(&p.ty, &mut |c, t| {
                        let ty = c.adjust_param(t);
                        params.push(SigParam { ty, written, has_default: false });
                    });
                    if let Some(name) = p.name {
                        let vars = params[from..]
                            .iter()
                            .map(|sp: &SigParam| c.unevaluated_param(name, sp.ty, p.span))
                            .collect();
                        block.declare(name, Entity::LocalPack(Rc::new(vars)));
                    }
                    continue;
                }
                let ty = c.resolve_type(&p.ty);
                if ty.ty == Ty::VOID && p.name.is_none() && decl.params.len() == 1 {
                    break;
                }
                if ty.ty == Ty::VOID {
                    c.error("void-parameter", p.span, "a parameter cannot have type 'void'");
                    has_error = true;
                }
                has_error |= ty.is_error();
                let ty = c.adjust_param(ty);
                params.push(SigParam { ty, written, has_default });
                if let Some(name) = p.name {
                    let var = c.unevaluated_param(name, ty, p.span);
                    block.declare(name, Entity::Local(var));
                }
            }
        });
        let ret = match decl.kind {
            ast::FunctionKind::Constructor | ast::FunctionKind::Destructor => Some(Ty::VOID.into()),
            ast::FunctionKind::Conversion | ast::FunctionKind::Ordinary if mentions_auto(&decl.ret) => None,
            _ => {
                // An unqualified method works in every space; so do the references it gives to its own parts.
                if def.is_method() && decl.this_quals.address_space.is_none() {
                    self.default_space = this_space.filter(|s| *s != AddressSpace::Thread);
                }
                let ret = self.in_scope(&block, |c| c.resolve_type(&decl.ret));
                self.default_space = None;
                has_error |= ret.is_error();
                Some(self.adjust_result(ret))
            }
        };
        self.auto_binding = outer_auto;
        self.default_space = outer_default;
        let signature = Rc::new(Signature { params, ret, scope, has_error });
        if !(has_error && self.is_speculating()) {
            def.signatures.borrow_mut().insert(key, signature.clone());
        }
        signature
    }

    /// A parameter as the rest of the declaration sees it: it has a type, and storage nowhere.
    fn unevaluated_param(&mut self, name: Symbol, ty: QualTy, span: Span) -> Rc<LocalVar> {
        Rc::new(LocalVar {
            name,
            place: Place::Local(hir::LocalId(u32::MAX)),
            ty,
            owner: u32::MAX,
            value: None.into(),
            span,
        })
    }

    fn adjust_result(&mut self, ret: QualTy) -> QualTy {
        // Results are values: qualifiers matter for what they refer to only.
        match self.kind(ret.ty) {
            TyKind::Reference { .. } => ret,
            _ => ret.ty.into(),
        }
    }

    /// The explicit specialisation for these arguments.
    fn function_specialization(
        &mut self,
        def: &Rc<FnDef>,
        args: &[Arg],
    ) -> Option<(Arc<ast::FunctionDecl>, Rc<Scope>)> {
        let mut found = None;
        for (scope, spec) in &def.specializations {
            if self.specialization_matches(def, args, scope, spec) {
                found = Some((spec.clone(), scope.clone()));
                if !matches!(spec.body, ast::FunctionBody::None) {
                    break;
                }
            }
        }
        found
    }

    /// Whether a call ends at `= delete`: a specialisation counts before the template.
    pub fn is_deleted(&mut self, def: &Rc<FnDef>, args: &[Arg]) -> bool {
        match self.function_specialization(def, args) {
            Some((spec, _)) => matches!(spec.body, ast::FunctionBody::Deleted),
            None => def.is_deleted(),
        }
    }

    /// A function with all its template arguments, declared; its body is checked when somebody uses it.
    pub fn function_instance(
        &mut self,
        def: &Rc<FnDef>,
        args: Vec<Arg>,
        this_space: Option<AddressSpace>,
        span: Span,
    ) -> FunctionId {
        let this_space = if def.is_method() { Some(this_space.unwrap_or(AddressSpace::Thread)) } else { None };
        let key = (args, this_space);
        if let Some(id) = def.instances.borrow().get(&key) {
            return *id;
        }
        let (args, _) = key.clone();
        let signature = self.signature(def, &args, this_space);
        let body = self.function_specialization(def, &args);
        let body = body.unwrap_or_else(|| match &*def.definition.borrow() {
            Some((decl, scope)) => {
                let scope = match decl.templates.last().filter(|t| !t.params.is_empty() && def.header.is_some()) {
                    Some(h) => Scope::params(scope, bind_params(&h.params, &args)),
                    None => scope.clone(),
                };
                (decl.clone(), scope)
            }
            None => (def.decl.clone(), signature.scope.clone()),
        });
        let name = self.function_name(def, &args);
        let ret = signature.ret;
        let hir_ret = ret.map_or(Ty::ERROR, |t| self.storage_type(t));
        let id = self.program.functions.push(hir::Function {
            name: Symbol::new(&name),
            locals: msl_base::Arena::new(),
            param_count: signature.params.len() as u32 + u32::from(def.is_method()),
            ret: hir_ret,
            body: None,
            is_kernel: crate::declare::is_kernel(&def.decl),
            span: def.span(),
        });
        let parent = self.frame.clone();
        let is_template = !args.is_empty() || def.class.is_some_and(|c| !self.classes[c.0 as usize].args.is_empty());
        let requested = if is_template {
            let depth = parent.as_ref().map_or(0, |f| f.depth) + 1;
            Some(Rc::new(Frame { what: FrameKind::Function(id), span, parent, depth }))
        } else {
            None
        };
        self.functions.push(FnInfo {
            def: def.clone(),
            args,
            signature,
            this_space,
            state: BodyState::Declared,
            ret,
            body,
            requested,
        });
        def.instances.borrow_mut().insert(key, id);
        id
    }

    /// Whether `template<> void f<int>(…)` is what the template is with these arguments.
    fn specialization_matches(
        &mut self,
        def: &Rc<FnDef>,
        args: &[Arg],
        scope: &Rc<Scope>,
        spec: &Arc<ast::FunctionDecl>,
    ) -> bool {
        let Some(header) = def.header.clone() else { return false };
        if spec.params.len() != def.decl.params.len() {
            return false;
        }
        let written = spec.name.segments.last().and_then(|s| s.template_args.clone()).unwrap_or_default();
        let result = self.attempt(|c| {
            c.in_scope(scope, |c| {
                let written = c.expand_written_args(&written)?;
                let leading = c.resolve_leading_args(&header.params, &written, &def.scope)?;
                let mut d = Deduction::new(&header.params, leading);
                let placeholders = Scope::params(&def.scope, d.placeholders());
                for (p, s) in def.decl.params.iter().zip(&spec.params) {
                    let ty = c.resolve_type(&s.ty);
                    c.deduce(&p.ty, &placeholders, ty, &mut d).ok()?;
                }
                // What no parameter tells the result does: `template <> float4 convert(half4)`.
                if !matches!(spec.ret.kind, ast::TypeExprKind::Auto) {
                    let ty = c.resolve_type(&spec.ret);
                    c.deduce(&def.decl.ret, &placeholders, ty, &mut d).ok()?;
                }
                c.finish_deduction(d, &def.scope).ok()
            })
        });
        matches!(result, Ok(Some(found)) if found == args)
    }

    pub fn function_name(&mut self, def: &Rc<FnDef>, args: &[Arg]) -> String {
        let mut name = match def.class {
            Some(c) => format!("{}::", self.class_name(c)),
            None => String::new(),
        };
        match def.key {
            NameKey::Constructor => {
                let class = def.class.map(|c| self.classes[c.0 as usize].def.name.to_string());
                name.push_str(&class.unwrap_or_default());
            }
            NameKey::Conversion => name.push_str("operator"),
            _ => name.push_str(&def.decl.name.segments.last().map(|s| text_of(&s.ident)).unwrap_or_default()),
        }
        if !args.is_empty() {
            name.push_str(&format!("<{}>", crate::diagnose::shorten(self.arg_names(args))));
        }
        name
    }

    /// The result type; checks the body when it is `auto`.
    pub fn result_type(&mut self, id: FunctionId, span: Span) -> QualTy {
        if let Some(t) = self.functions[id.0 as usize].ret {
            return t;
        }
        if self.functions[id.0 as usize].state == BodyState::Checking {
            let name = self.program.functions[id].name;
            self.error("undeduced-result", span, format!("'{name}' is used before its result type is known"));
            return QualTy::ERROR;
        }
        self.check_body(id);
        self.functions[id.0 as usize].ret.unwrap_or(QualTy::ERROR)
    }

    // ---- classes -----------------------------------------------------------------------

    /// A class with all its template arguments; completed when somebody needs to look inside.
    pub fn class_instance(&mut self, def: &Rc<ClassDef>, args: Vec<Arg>, span: Span) -> ClassId {
        if let Some(id) = def.instances.borrow().get(&args) {
            return *id;
        }
        let name = if def.header.is_some() {
            format!("{}<{}>", def.name, crate::diagnose::shorten(self.arg_names(&args)))
        } else {
            def.name.to_string()
        };
        let id = self.program.classes.push(hir::Class {
            name: Symbol::new(&name),
            is_union: def.decl.key == ast::ClassKey::Union,
            fields: Vec::new(),
            size: 1,
            align: 1,
            special: hir::SpecialClass::None,
        });
        self.classes.push(ClassInfo {
            def: def.clone(),
            args: args.clone(),
            decl: def.decl.clone(),
            scope: def.scope.clone(),
            state: ClassState::Declared,
            bases: Vec::new(),
            fields: Vec::new(),
            members: msl_base::FxMap::default(),
            access: Default::default(),
            friends: Vec::new(),
            redeclared: Default::default(),
            friend_names: Vec::new(),
            has_error: false,
            lambda: None,
            implicit_default: None,
            trivially_default: None,
            trivially_copyable: None,
            leaves: 0,
            span,
        });
        def.instances.borrow_mut().insert(args, id);
        id
    }

    /// The declaration an instance is made from, with the scope its parameters are bound in.
    pub fn select_specialization(
        &mut self,
        def: &Rc<ClassDef>,
        args: &[Arg],
        span: Span,
    ) -> (Arc<ast::ClassDecl>, Rc<Scope>) {
        let primary_scope = match &def.header {
            Some(h) => Scope::params(&def.scope, bind_params(&h.params, args)),
            None => def.scope.clone(),
        };
        let mut matches: Vec<(Arc<ast::ClassDecl>, Rc<Scope>)> = Vec::new();
        for (scope, spec) in &def.specializations {
            if let Some(bound) = self.match_specialization(def, args, scope, spec) {
                if spec.templates.last().is_none_or(|t| t.params.is_empty()) {
                    return (spec.clone(), bound);
                }
                matches.push((spec.clone(), bound));
            }
        }
        if matches.is_empty() {
            return (def.decl.clone(), primary_scope);
        }
        let best = matches
            .iter()
            .position(|(f, _)| {
                matches
                    .iter()
                    .all(|(g, _)| Arc::ptr_eq(f, g) || (order::class_at_least(f, g) && !order::class_at_least(g, f)))
            })
            .unwrap_or_else(|| {
                if matches.len() > 1 {
                    let mut d = Diagnostic::error(
                        "ambiguous-specialization",
                        span,
                        format!("several partial specialisations of '{}' match equally well", def.name),
                    );
                    for (spec, _) in &matches {
                        d = d.note_at(spec.span, "this one matches");
                    }
                    self.report(d);
                }
                0
            });
        matches.swap_remove(best)
    }

    fn match_specialization(
        &mut self,
        def: &Rc<ClassDef>,
        args: &[Arg],
        scope: &Rc<Scope>,
        spec: &Arc<ast::ClassDecl>,
    ) -> Option<Rc<Scope>> {
        let primary = def.header.clone()?;
        let written = spec.name.as_ref()?.segments.last()?.template_args.clone()?;
        let bound = match spec.templates.last().filter(|t| !t.params.is_empty()) {
            Some(header) => {
                let mut d = Deduction::new(&header.params, Vec::new());
                let placeholders = Scope::params(scope, d.placeholders());
                self.deduce_args(&written, &placeholders, args, &mut d).ok()?;
                let found = self.finish_deduction(d, scope).ok()?;
                Scope::params(scope, bind_params(&header.params, &found))
            }
            None => scope.clone(),
        };
        let (def_scope, name) = (def.scope.clone(), def.name);
        let result = self.attempt(|c| {
            c.in_scope(&bound, |c| c.resolve_template_args(&primary.params, &written, &def_scope, Span::NONE, name))
        });
        matches!(result, Ok(Some(found)) if found == args).then_some(bound)
    }
}
