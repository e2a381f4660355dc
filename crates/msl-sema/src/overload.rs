//! Overload resolution (C++ [over.match]): viable candidates, the best of them, and why there is none.

use std::cmp::Ordering;
use std::rc::Rc;

use msl_base::{Diagnostic, Span};
use msl_syntax::ast::RefQualifier;

use crate::checker::Checker;
use crate::conversion::{Ics, Rank};
use crate::entity::*;
use crate::expr::Value;
use crate::template::{CallArg, ExplicitArgs};
use crate::types::*;

/// A candidate that could be called.
#[derive(Clone, Debug)]
pub struct Chosen {
    pub def: Rc<FnDef>,
    pub args: Vec<Arg>,
    pub signature: Rc<Signature>,
    pub ranks: Vec<Ics>,
    /// For methods: qualifiers the object gained, base steps, and whether the method names its address space.
    this_rank: (u32, bool, bool),
}

#[derive(Debug)]
pub enum OverloadError {
    /// Every candidate with the reason against it.
    NoneViable(Vec<(Rc<FnDef>, String, Span)>),
    Ambiguous(Vec<Rc<FnDef>>),
    /// The best one is `= delete`.
    Deleted(Rc<FnDef>),
    /// The library declares it to say that it is not supported.
    Unsupported(Rc<FnDef>),
}

impl Checker<'_> {
    pub fn resolve_overload(
        &mut self,
        candidates: &[Rc<FnDef>],
        explicit: Option<&ExplicitArgs>,
        this: Option<&Value>,
        args: &[CallArg<'_>],
        allow_user: bool,
        span: Span,
    ) -> Result<Chosen, OverloadError> {
        let mut viable: Vec<Chosen> = Vec::new();
        for def in candidates {
            viable.extend(self.candidate(def, explicit, this, args, allow_user, false));
        }
        match viable.len() {
            0 => {
                // Reasons are put into words only where somebody may read them.
                let mut failures = Vec::new();
                if self.is_speculating() {
                    return Err(OverloadError::NoneViable(failures));
                }
                for def in candidates {
                    if let Err((reason, at)) = self.candidate(def, explicit, this, args, allow_user, true) {
                        failures.push((def.clone(), reason, at));
                    }
                }
                return Err(OverloadError::NoneViable(failures));
            }
            1 => {}
            _ => {
                let best = (0..viable.len())
                    .find(|i| (0..viable.len()).all(|j| *i == j || self.is_better(&viable[*i], &viable[j], args)));
                match best {
                    Some(i) => viable.swap(0, i),
                    None => {
                        // Keep those nothing beats.
                        let top: Vec<usize> = (0..viable.len())
                            .filter(|i| {
                                (0..viable.len()).all(|j| *i == j || !self.is_better(&viable[j], &viable[*i], args))
                            })
                            .collect();
                        if top.len() == 1 {
                            viable.swap(0, top[0]);
                        } else {
                            let list: Vec<usize> = if top.is_empty() { (0..viable.len()).collect() } else { top };
                            return Err(OverloadError::Ambiguous(
                                list.iter().map(|i| viable[*i].def.clone()).collect(),
                            ));
                        }
                    }
                }
            }
        }
        let chosen = viable.swap_remove(0);
        let _ = span;
        if self.is_deleted(&chosen.def, &chosen.args) {
            return Err(OverloadError::Deleted(chosen.def));
        }
        if crate::diagnose::unsupported(&chosen.def.decl.attributes).is_some() {
            return Err(OverloadError::Unsupported(chosen.def));
        }
        Ok(chosen)
    }

    fn candidate(
        &mut self,
        def: &Rc<FnDef>,
        explicit: Option<&ExplicitArgs>,
        this: Option<&Value>,
        args: &[CallArg<'_>],
        allow_user: bool,
        explains: bool,
    ) -> Result<Chosen, (String, Span)> {
        let fail = |reason: String| Err((reason, Span::NONE));
        let params = &def.decl.params;
        let is_pack =
            |p: &msl_syntax::ast::ParamDecl| p.is_pack || matches!(p.ty.kind, msl_syntax::ast::TypeExprKind::Pack(_));
        let has_pack = params.iter().any(is_pack);
        let is_void_list = params.len() == 1
            && params[0].name.is_none()
            && matches!(params[0].ty.kind, msl_syntax::ast::TypeExprKind::Builtin(msl_syntax::ast::BuiltinType::Void));
        let count = if is_void_list { 0 } else { params.len() };
        if args.len() > count && !has_pack && !def.decl.is_variadic {
            return fail(format!("it takes {}, not {}", arguments(count), args.len()));
        }
        // An inexpensive look at the defaults before anything is deduced.
        let needed = if is_void_list {
            0
        } else {
            params
                .iter()
                .enumerate()
                .filter(|(i, p)| {
                    !is_pack(p)
                        && p.default.is_none()
                        && def
                            .definition
                            .borrow()
                            .as_ref()
                            .is_none_or(|(d, _)| d.params.get(*i).is_none_or(|p| p.default.is_none()))
                })
                .count()
        };
        if args.len() < needed {
            return fail(format!(
                "it takes {}{}, not {}",
                if needed < count { "at least " } else { "" },
                arguments(needed),
                args.len()
            ));
        }
        // The object.
        let mut this_space = None;
        let mut this_rank = (0, false, false);
        if def.is_method() {
            if def.is_constructor() {
                // Objects are made in `thread` space and copied to where they go.
                let space = def.decl.this_quals.address_space.map(crate::resolve::address_space);
                if space.is_some_and(|s| s != Some(AddressSpace::Thread)) {
                    return fail("it makes objects in another address space".into());
                }
                this_space = Some(AddressSpace::Thread);
            } else {
                let Some(object) = this else { return fail("it needs an object to be called on".into()) };
                let quals = def.decl.this_quals;
                let is_value = !object.is_lvalue() || object.is_xvalue;
                match def.decl.this_ref {
                    RefQualifier::LValue if is_value && !quals.is_const => {
                        return fail("the object is a value, and the method is for variables ('&')".into());
                    }
                    RefQualifier::RValue if !is_value => {
                        return fail("the object is a variable, and the method is for values ('&&')".into());
                    }
                    _ => {}
                }
                match self.method_space(def, object) {
                    Some(s) => this_space = Some(s),
                    None if !quals.is_const && object.space() == Some(AddressSpace::Constant) => {
                        return fail("the object is in address space 'constant' and the method is not const".into());
                    }
                    None if object.quals.is_const && !quals.is_const => {
                        return fail("the object is const and the method is not".into());
                    }
                    None => {
                        return fail(format!(
                            "the object is in address space '{}', which the method is not declared for",
                            object.space().unwrap_or(AddressSpace::Thread).name()
                        ));
                    }
                }
                let depth = match (self.program.types.as_class(object.ty()), def.class) {
                    (Some(from), Some(to)) => self.path_to_base(from, to).map_or(0, |p| p.len() as u32),
                    _ => 0,
                };
                this_rank = (depth, quals.is_const && !object.quals.is_const, quals.address_space.is_none());
            }
        }
        if explicit.is_some() && def.header.is_none() {
            return fail("it is not a template".into());
        }
        let template_args = match self.deduce_call(def, explicit, args) {
            Ok(a) => a,
            Err(reason) => return fail(reason),
        };
        let signature = if def.header.is_some() {
            match self.attempt(|c| {
                // A signature that went wrong before is wrong again.
                let s = c.signature(def, &template_args, this_space);
                if s.has_error {
                    c.error("substitution", Span::NONE, "the parameter or result types are not valid");
                }
                s
            }) {
                Ok(s) => s,
                Err(d) => return Err((d.message, d.span)),
            }
        } else {
            self.hard(|c| c.signature(def, &template_args, this_space))
        };
        if args.len() > signature.params.len() && !def.decl.is_variadic {
            return fail(format!("it takes {}, not {}", arguments(signature.params.len()), args.len()));
        }
        if let Some(p) = signature.params.get(args.len())
            && !p.has_default
        {
            return fail(format!("it takes at least {}, not {}", arguments(args.len() + 1), args.len()));
        }
        let mut ranks = Vec::new();
        for (i, arg) in args.iter().enumerate() {
            let Some(p) = signature.params.get(i) else {
                ranks.push(Ics::of(Rank::Ellipsis));
                continue;
            };
            // Copy construction does not go through another conversion.
            match self.implicit_conversion(arg, p.ty, allow_user) {
                Some(ics) => ranks.push(ics),
                None if !explains => return fail(String::new()),
                None => {
                    let reason = match arg {
                        CallArg::Value(v) => self.conversion_failure(v, p.ty).0,
                        CallArg::List(..) => format!("the list does not convert to '{}'", self.type_name(p.ty)),
                        CallArg::Overloads(_) => format!("the function does not convert to '{}'", self.type_name(p.ty)),
                    };
                    return Err((format!("argument {}: {reason}", i + 1), arg.span()));
                }
            }
        }
        Ok(Chosen { def: def.clone(), args: template_args, signature, ranks, this_rank })
    }

    /// Whether `a` is a better choice than `b`.
    fn is_better(&self, a: &Chosen, b: &Chosen, args: &[CallArg<'_>]) -> bool {
        let mut any_better = false;
        for i in 0..args.len() {
            match a.ranks[i].compare(&b.ranks[i]) {
                Ordering::Greater => return false,
                Ordering::Less => any_better = true,
                Ordering::Equal => {}
            }
        }
        if a.def.is_method() && b.def.is_method() {
            // Fewer steps to a base, and no `const` gained.
            let (depths, gains) = ((a.this_rank.0, b.this_rank.0), (a.this_rank.1, b.this_rank.1));
            if depths.0 > depths.1 || gains == (true, false) {
                return false;
            }
            any_better |= depths.0 < depths.1 || gains == (false, true);
        }
        if any_better {
            return true;
        }
        if a.def.is_method() && b.def.is_method() && a.def.decl.this_ref != b.def.decl.this_ref {
            // For a value: `&&` before `const &`.
            return a.def.decl.this_ref == RefQualifier::RValue;
        }
        if a.def.is_method() && b.def.is_method() && a.this_rank.2 != b.this_rank.2 {
            return !a.this_rank.2;
        }
        // Worse in nothing; is the other one better in something?
        for i in 0..args.len() {
            if b.ranks[i].compare(&a.ranks[i]) == Ordering::Less {
                return false;
            }
        }
        match (a.def.is_template(), b.def.is_template()) {
            (false, true) => return true,
            (true, false) => return false,
            (true, true) => {
                use crate::template::order::{function_at_least, function_tie_break};
                let ab = function_at_least(&a.def.decl, &b.def.decl, args.len());
                let ba = function_at_least(&b.def.decl, &a.def.decl, args.len());
                if ab != ba {
                    return ab;
                }
                match function_tie_break(&a.def.decl, &b.def.decl) {
                    Ordering::Greater => return true,
                    Ordering::Less => return false,
                    Ordering::Equal => {}
                }
            }
            (false, false) => {}
        }
        // An inherited constructor is hidden by the class's own.
        if a.def.inherited.is_some() != b.def.inherited.is_some() {
            return b.def.inherited.is_some();
        }
        // Declarations of one function: the one with a body. The program's own over the library's.
        let same = a.signature.params.len() == b.signature.params.len()
            && a.signature.params.iter().zip(&b.signature.params).all(|(x, y)| x.ty.ty == y.ty.ty);
        if same {
            if a.def.has_body() != b.def.has_body() {
                return a.def.has_body();
            }
            let own = |d: &FnDef| !self.is_library_span(d.span());
            if own(&a.def) != own(&b.def) {
                return own(&a.def);
            }
        }
        false
    }

    pub fn is_library_span(&self, span: Span) -> bool {
        span.start < self.layer.library_end
    }

    /// Reports a call that found no function, or several.
    pub fn report_overload(&mut self, error: OverloadError, name: &str, args: &[CallArg<'_>], span: Span) {
        let d = match error {
            OverloadError::NoneViable(list) => {
                let types: Vec<String> = args
                    .iter()
                    .map(|a| match a {
                        CallArg::Value(v) => self.type_name(QualTy { space: None, ..v.qual_ty() }),
                        CallArg::List(..) => "{…}".into(),
                        CallArg::Overloads(_) => "function".into(),
                    })
                    .collect();
                // Functions of the library are templates that name the types they take by `enable_if`.
                let is_constraint =
                    |def: &FnDef, reason: &str| reason.contains("'enable_if<false") && self.is_library_span(def.span());
                if let [(def, reason, at)] = &list[..]
                    && !is_constraint(def, reason)
                {
                    // One function: its reason is the message.
                    let at = if at.is_none() { span } else { *at };
                    Diagnostic::error(
                        "no-matching-function",
                        at,
                        format!("'{name}' cannot be called like this: {reason}"),
                    )
                    .note_at(def.span(), "it is declared here")
                } else {
                    let message = format!("no '{name}' takes ({})", types.join(", "));
                    let mut d = Diagnostic::error("no-matching-function", span, message);
                    let shown = 6;
                    for (def, reason, _) in list.iter().take(shown) {
                        if !is_constraint(def, reason) {
                            d = d.note_at(def.span(), format!("this one does not: {reason}"));
                        }
                    }
                    let is_mixed = types.windows(2).any(|w| w[0] != w[1]);
                    if is_mixed && list.iter().any(|(def, reason, _)| is_constraint(def, reason)) {
                        d = d.help(format!("convert an argument, as in '{}(…)'", types[0]));
                    }
                    if list.len() > shown {
                        d = d.note(format!("and {} more", list.len() - shown));
                    }
                    d
                }
            }
            OverloadError::Ambiguous(list) => {
                let mut d = Diagnostic::error("ambiguous-call", span, format!("the call of '{name}' is ambiguous"));
                for def in list.iter().take(6) {
                    d = d.note_at(def.span(), "this one would do");
                }
                d.help("convert an argument so that one function fits best")
            }
            OverloadError::Unsupported(def) => {
                self.report_unsupported(&def.decl.attributes, name, span);
                return;
            }
            OverloadError::Deleted(def) => Diagnostic::error("deleted-function", span, format!("'{name}' is deleted"))
                .note_at(def.span(), "it is deleted here"),
        };
        self.report(d);
    }
}

fn arguments(n: usize) -> String {
    match n {
        0 => "no arguments".into(),
        1 => "1 argument".into(),
        n => format!("{n} arguments"),
    }
}
