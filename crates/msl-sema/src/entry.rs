//! Entry points: which function a name asks for, how each parameter gets its value (MSL sections 5.1 and 5.2), and
//! what a kernel may not be.

use std::collections::BTreeSet;
use std::rc::Rc;

use msl_base::{Diagnostic, Id, Span, Symbol};
use msl_syntax::ast;

use crate::checker::Checker;
use crate::constant::Const;
use crate::declare::{EntryDecl, EntryDeclKind};
use crate::entity::*;
use crate::hir::{self, BuiltinInput, ExprKind, FunctionId, Input, InputKind, SpecialClass, StmtKind};
use crate::template::Deduction;
use crate::types::*;

/// The builtin inputs by attribute, with how many components they may have.
pub fn builtin(name: &str) -> Option<(BuiltinInput, bool)> {
    use BuiltinInput as B;
    Some(match name {
        "thread_position_in_grid" => (B::ThreadPositionInGrid, true),
        "thread_position_in_threadgroup" => (B::ThreadPositionInThreadgroup, true),
        "threadgroup_position_in_grid" => (B::ThreadgroupPositionInGrid, true),
        "threads_per_grid" => (B::ThreadsPerGrid, true),
        "threads_per_threadgroup" => (B::ThreadsPerThreadgroup, true),
        "dispatch_threads_per_threadgroup" => (B::DispatchThreadsPerThreadgroup, true),
        "threadgroups_per_grid" => (B::ThreadgroupsPerGrid, true),
        "grid_origin" => (B::GridOrigin, true),
        "grid_size" => (B::GridSize, true),
        "thread_index_in_threadgroup" => (B::ThreadIndexInThreadgroup, false),
        "thread_index_in_simdgroup" => (B::ThreadIndexInSimdgroup, false),
        "simdgroup_index_in_threadgroup" => (B::SimdgroupIndexInThreadgroup, false),
        "simdgroups_per_threadgroup" => (B::SimdgroupsPerThreadgroup, false),
        "dispatch_simdgroups_per_threadgroup" => (B::DispatchSimdgroupsPerThreadgroup, false),
        "threads_per_simdgroup" | "thread_execution_width" => (B::ThreadsPerSimdgroup, false),
        "thread_index_in_quadgroup" => (B::ThreadIndexInQuadgroup, false),
        "quadgroup_index_in_threadgroup" => (B::QuadgroupIndexInThreadgroup, false),
        "quadgroups_per_threadgroup" => (B::QuadgroupsPerThreadgroup, false),
        "dispatch_quadgroups_per_threadgroup" => (B::DispatchQuadgroupsPerThreadgroup, false),
        _ => return None,
    })
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Slot {
    Buffer,
    Texture,
    Sampler,
    Threadgroup,
}

impl Slot {
    fn attribute(self) -> &'static str {
        match self {
            Slot::Buffer => "buffer",
            Slot::Texture => "texture",
            Slot::Sampler => "sampler",
            Slot::Threadgroup => "threadgroup",
        }
    }
    fn limit(self) -> u32 {
        match self {
            Slot::Buffer | Slot::Threadgroup => 31,
            Slot::Texture => 128,
            Slot::Sampler => 16,
        }
    }
}

/// An input whose index may still have to be found.
struct Pending {
    name: Symbol,
    ty: Ty,
    span: Span,
    kind: PendingKind,
}

enum PendingKind {
    Done(InputKind),
    Slot { slot: Slot, index: Option<u32>, count: u32, is_reference: bool },
}

impl Checker<'_> {
    /// Finds, checks and describes an entry point.
    pub fn compile_entry(&mut self, entry: &EntryDecl) -> Option<()> {
        let id = self.entry_function(entry)?;
        let def = self.functions[id.0 as usize].def.clone();
        self.mark_used(id);
        self.check_static_asserts();
        self.drain();
        self.complete_dispatches();
        let described = self.describe_entry(id, &def, entry);
        let described = described?;
        self.program.entry_points.push(described);
        self.prune(id);
        for (f, function) in self.program.functions.iter_mut() {
            crate::tail::loop_tail_calls(f, function);
        }
        self.check_recursion(id);
        self.pass_resources(id);
        Some(())
    }

    /// Checks how a kernel gets its inputs, compiling nothing.
    pub fn check_entry(&mut self, entry: &EntryDecl) {
        if let Some(id) = self.entry_function(entry) {
            let def = self.functions[id.0 as usize].def.clone();
            self.describe_entry(id, &def, entry);
        }
    }

    pub fn entry_function(&mut self, entry: &EntryDecl) -> Option<FunctionId> {
        match &entry.kind {
            EntryDeclKind::Function(id) => {
                let def = self.fn_def(*id);
                Some(self.function_instance(&def, Vec::new(), None, entry.span))
            }
            EntryDeclKind::Instantiation { name, signature } => {
                let scope = self.ns_scope(entry.ns);
                self.in_scope(&scope, |c| c.explicit_instantiation(name, signature.as_deref(), entry.span))
            }
        }
    }

    /// `template void f<int>(…);` and `template decltype(f<int>) f<int>;`.
    pub fn explicit_instantiation(
        &mut self,
        name: &ast::Name,
        signature: Option<&ast::FunctionDecl>,
        span: Span,
    ) -> Option<FunctionId> {
        let found = self.lookup(name);
        let candidates: Vec<Rc<FnDef>> = found
            .entities
            .iter()
            .filter_map(|e| match e {
                Entity::Function(f) if f.is_template() => Some(f.clone()),
                _ => None,
            })
            .collect();
        if candidates.is_empty() {
            if found.entities.is_empty() {
                self.report_unknown(name);
            } else {
                self.error("unknown-template", name.span, "this is not a function template that could be instantiated");
            }
            return None;
        }
        let written = name.segments.last().and_then(|s| s.template_args.clone()).unwrap_or_default();
        let mut reasons = Vec::new();
        for def in candidates {
            let Some(header) = def.header.clone() else { continue };
            let result = self.attempt(|c| -> Result<Vec<Arg>, String> {
                let Some(expanded) = c.expand_written_args(&written) else {
                    return Err("the arguments are wrong".into());
                };
                let Some(leading) = c.resolve_leading_args(&header.params, &expanded, &def.scope) else {
                    return Err("the arguments are wrong".into());
                };
                let mut d = Deduction::new(&header.params, leading);
                if let Some(s) = signature {
                    let count = |f: &ast::FunctionDecl| f.params.len();
                    let variadic = def.decl.params.iter().any(|p| p.is_pack);
                    if count(s) != count(&def.decl) && !variadic {
                        return Err(format!("it has {} parameters, not {}", count(&def.decl), count(s)));
                    }
                    let placeholders = Scope::params(&def.scope, d.placeholders());
                    for (p, w) in def.decl.params.iter().zip(&s.params) {
                        let ty = c.resolve_type(&w.ty);
                        c.deduce(&p.ty, &placeholders, ty, &mut d)?;
                    }
                }
                c.finish_deduction(d, &def.scope)
            });
            match result {
                Ok(Ok(args)) => {
                    let id = self.function_instance(&def, args, None, span);
                    match signature.and_then(|s| self.other_parameter(id, s)) {
                        None => return Some(id),
                        Some(reason) => reasons.push((def, reason, Span::NONE)),
                    }
                }
                Ok(Err(reason)) => reasons.push((def, reason, Span::NONE)),
                Err(d) => reasons.push((def, d.message, d.span)),
            }
        }
        let text = name.segments.last().map(|s| crate::declare::text_of(&s.ident)).unwrap_or_default();
        let mut d = match reasons.first() {
            Some((_, reason, at)) if reasons.len() == 1 => Diagnostic::error(
                "invalid-instantiation",
                if at.is_none() { span } else { *at },
                format!("'{text}' cannot be instantiated like this: {reason}"),
            ),
            _ => Diagnostic::error(
                "invalid-instantiation",
                span,
                format!("no template '{text}' fits this instantiation"),
            ),
        };
        for (def, reason, _) in reasons.iter().take(4) {
            d = d.note_at(def.span(), format!("this template does not fit: {reason}"));
        }
        self.report(d);
        None
    }

    /// Why an instance is not what an explicit instantiation spells: the first parameter of another type.
    fn other_parameter(&mut self, id: FunctionId, written: &ast::FunctionDecl) -> Option<String> {
        let signature = self.functions[id.0 as usize].signature.clone();
        if signature.has_error || signature.params.len() != written.params.len() {
            return None;
        }
        for (i, (p, w)) in signature.params.iter().zip(&written.params).enumerate() {
            let ty = self.resolve_type(&w.ty);
            let ty = self.adjust_param(ty);
            if !ty.is_error() && ty.ty != p.ty.ty {
                let (is, spelled) = (self.type_name(p.ty), self.type_name(ty));
                return Some(format!("parameter {} is '{is}', not '{spelled}'", i + 1));
            }
        }
        None
    }

    fn describe_entry(&mut self, id: FunctionId, def: &Rc<FnDef>, entry: &EntryDecl) -> Option<hir::EntryPoint> {
        let decl = def.decl.clone();
        let signature = self.functions[id.0 as usize].signature.clone();
        if !crate::declare::is_kernel(&decl) {
            let what = match decl.stage {
                ast::StageKeyword::Vertex | ast::StageKeyword::Fragment => {
                    "a render function, and only kernels are supported"
                }
                _ => "not a kernel",
            };
            let d = Diagnostic::error("unsupported-entry-point", entry.span, format!("'{}' is {what}", entry.name))
                .note_at(def.span(), "it is declared here");
            self.report(d);
            return None;
        }
        if signature.ret.is_some_and(|r| r.ty != Ty::VOID && !r.is_error()) {
            self.error("kernel-result", decl.ret.span, "a kernel returns 'void'");
        }
        if signature.has_error {
            return None;
        }
        let fcx = FnCtx { serial: self.next_serial(), ..FnCtx::default() };
        let (inputs, _) = self.in_function(fcx, |c| {
            c.in_scope(&signature.scope, |c| {
                let mut pending = Vec::new();
                for p in &signature.params {
                    if let Some(written) = decl.params.get(p.written) {
                        pending.push(c.classify(written, p.ty));
                    }
                }
                for resource in c.reached_resources(id) {
                    if let Some((written, ty)) = c.resources.get(&resource).cloned() {
                        pending.push(c.classify(&written, ty));
                    }
                }
                c.assign_indices(pending)
            })
        });
        let max_total_threads = self
            .threads_attribute(&decl.attributes, "max_total_threads_per_threadgroup", &signature.scope)
            .and_then(|v| v.first().copied());
        let required_threads = self
            .threads_attribute(&decl.attributes, "required_threads_per_threadgroup", &signature.scope)
            .map(|v| [v[0], v.get(1).copied().unwrap_or(1), v.get(2).copied().unwrap_or(1)]);
        self.check_dimensions(&decl, &signature);
        let inputs = inputs.into_iter().collect::<Option<Vec<Input>>>()?;
        Some(hir::EntryPoint { name: entry.name, function: id, inputs, max_total_threads, required_threads })
    }

    /// Positions and sizes of grids are all scalars or all vectors of one length (MSL specification, 5.2.3.6).
    fn check_dimensions(&mut self, decl: &ast::FunctionDecl, signature: &Signature) {
        let mut first: Option<(&ast::ParamDecl, u8, QualTy)> = None;
        for p in &signature.params {
            let Some(written) = decl.params.get(p.written) else { continue };
            let is_position = |a: &ast::Attribute| builtin(a.name.as_str()).is_some_and(|(_, is_position)| is_position);
            if !written.attributes.iter().any(is_position) {
                continue;
            }
            let len = match *self.kind(p.ty.ty) {
                TyKind::Scalar(_) => 1,
                TyKind::Vector(_, n) => n,
                _ => continue,
            };
            match first {
                None => first = Some((written, len, p.ty)),
                Some((other, n, ty)) if n != len => {
                    let (this, that) = (self.type_name(p.ty), self.type_name(ty));
                    let d = Diagnostic::error(
                        "mixed-dimensions",
                        written.span,
                        format!("positions and sizes are all scalars or all vectors of one length, not '{this}' here and '{that}' there"),
                    )
                    .note_at(other.span, "the other one is here");
                    self.report(d);
                    return;
                }
                Some(_) => {}
            }
        }
    }

    fn threads_attribute(&mut self, attributes: &[ast::Attribute], name: &str, scope: &Rc<Scope>) -> Option<Vec<u32>> {
        let a = attributes.iter().find(|a| a.name == *name)?;
        let mut out = Vec::new();
        for e in &a.args {
            let n = self.in_scope(scope, |c| c.constant_integer(e, "a number of threads"))?;
            match u32::try_from(n) {
                Ok(n) if n > 0 => out.push(n),
                _ => {
                    self.error("invalid-thread-count", e.span, format!("{n} is not a number of threads"));
                    return None;
                }
            }
        }
        if out.is_empty() {
            self.error("missing-argument", a.span, format!("'{name}' takes a number of threads"));
            return None;
        }
        Some(out)
    }

    fn classify(&mut self, written: &ast::ParamDecl, ty: QualTy) -> Option<Pending> {
        let span = written.span;
        let name = written.name.unwrap_or_else(|| Symbol::new(""));
        let stored = self.storage_type(ty);
        let pending = |kind: PendingKind| Some(Pending { name, ty: stored, span, kind });
        if ty.is_error() {
            return None;
        }
        if let Some(a) = written.attributes.iter().find(|a| a.name == "function_constant") {
            let present = a.args.first().and_then(|e| {
                let e = self.check_condition(e);
                self.evaluate_required(&e, "whether a parameter is present")
            });
            match present {
                Some(Const::Scalar(0)) => return pending(PendingKind::Done(InputKind::Absent)),
                Some(_) => {}
                None => return None,
            }
        }
        let is_source = |a: &&ast::Attribute| {
            let name = a.name.as_str();
            builtin(name).is_some() || matches!(name, "buffer" | "texture" | "sampler" | "threadgroup" | "stage_in")
        };
        let mut sources = written.attributes.iter().filter(is_source);
        if let (Some(first), Some(second)) = (sources.next(), sources.next()) {
            let what = if first.name == second.name {
                format!("'[[{}]]' is given twice", first.name)
            } else {
                format!("a parameter has one source: '[[{}]]' excludes '[[{}]]'", first.name, second.name)
            };
            self.report(
                Diagnostic::error("conflicting-attributes", second.span, what)
                    .note_at(first.span, "the other one is here"),
            );
            return None;
        }
        if let Some(a) = written.attributes.iter().find(|a| a.name == "stage_in") {
            self.error("unsupported-stage-in", a.span, "'[[stage_in]]' is not supported for kernels");
            return None;
        }
        // Builtin inputs.
        if let Some((a, (input, is_position))) =
            written.attributes.iter().find_map(|a| Some((a, builtin(a.name.as_str())?)))
        {
            let valid = match *self.kind(ty.ty) {
                TyKind::Scalar(s) => matches!(s, Scalar::UInt | Scalar::UShort),
                TyKind::Vector(s, n) => is_position && n <= 3 && matches!(s, Scalar::UInt | Scalar::UShort),
                _ => false,
            };
            if !valid {
                let allowed = if is_position {
                    "'uint', 'uint2', 'uint3', 'ushort', 'ushort2' or 'ushort3'"
                } else {
                    "'uint' or 'ushort'"
                };
                let d = Diagnostic::error(
                    "invalid-input-type",
                    written.ty.span,
                    format!("'{}' has type {allowed}, not '{}'", a.name, self.type_name(ty)),
                );
                self.report(d);
                return None;
            }
            return pending(PendingKind::Done(InputKind::Builtin(input)));
        }
        let slot = match *self.kind(ty.ty) {
            TyKind::Pointer { space, pointee, .. } => self.pointer_slot(written, space, pointee, false)?,
            TyKind::Reference { space, referent, .. } => self.pointer_slot(written, space, referent, true)?,
            TyKind::Class(c) => {
                self.complete_class(c, span);
                match self.resource_class(c) {
                    Some((slot, count)) => (slot, count, false),
                    None => {
                        let d = Diagnostic::error(
                            "invalid-kernel-parameter",
                            span,
                            format!("a kernel parameter cannot be a '{}' by value", self.type_name(ty)),
                        )
                        .help(format!("take it by reference: 'constant {} &{name}'", self.type_name(ty)));
                        self.report(d);
                        return None;
                    }
                }
            }
            _ => {
                let text = self.type_name(ty);
                let unknown = written.attributes.iter().find(|a| a.namespace.is_none());
                let d = match unknown {
                    Some(a) if a.name != "buffer" => Diagnostic::error(
                        "unknown-attribute",
                        a.span,
                        format!("'{}' is not an attribute of kernel parameters", a.name),
                    ),
                    _ => Diagnostic::error(
                        "missing-attribute",
                        span,
                        format!(
                            "the parameter '{name}' of type '{text}' has no attribute that says where its value comes from"
                        ),
                    ),
                };
                let names: Vec<Symbol> = BUILTIN_NAMES.iter().map(|n| Symbol::new(n)).collect();
                let close = unknown.and_then(|a| crate::diagnose::closest(a.name.as_str(), &names));
                let d = match close {
                    Some(n) => d.help(format!("did you mean '{n}'?")),
                    None => d.help(format!(
                        "take a value from a buffer with 'constant {text} &{name}', or a position with '[[thread_position_in_grid]]'"
                    )),
                };
                self.report(d);
                return None;
            }
        };
        let (slot, count, is_reference) = slot;
        let mut index = None;
        for a in &written.attributes {
            let wanted = [Slot::Buffer, Slot::Texture, Slot::Sampler, Slot::Threadgroup]
                .into_iter()
                .find(|s| a.name == *s.attribute());
            let Some(wanted) = wanted else { continue };
            if wanted != slot {
                let message = format!(
                    "'[[{}(n)]]' is for another kind of parameter; this one takes '[[{}(n)]]'",
                    a.name,
                    slot.attribute()
                );
                self.error("wrong-attribute", a.span, message);
                return None;
            }
            let Some(e) = a.args.first() else {
                self.error("missing-argument", a.span, format!("'{}' takes an index", a.name));
                return None;
            };
            // Function constants may choose it (MSL specification, section 5.8.1.4).
            let value = self.constant_integer(e, "the index of a parameter")?;
            let limit = slot.limit();
            match u32::try_from(value) {
                Ok(i) if i < limit => index = Some(i),
                _ => {
                    let message = format!("the index {value} is not between 0 and {}", limit - 1);
                    self.error("index-out-of-range", e.span, message);
                    return None;
                }
            }
        }
        pending(PendingKind::Slot { slot, index, count, is_reference })
    }

    fn pointer_slot(
        &mut self,
        written: &ast::ParamDecl,
        space: AddressSpace,
        pointee: Ty,
        is_reference: bool,
    ) -> Option<(Slot, u32, bool)> {
        let what = if is_reference { "reference" } else { "pointer" };
        if !is_reference && self.program.types.is_pointer(pointee) {
            self.error("invalid-kernel-parameter", written.span, "a kernel parameter cannot be a pointer to a pointer");
            return None;
        }
        if let TyKind::Function { .. } = self.kind(pointee) {
            let message =
                format!("a kernel parameter cannot be a {what} to a function: hosts have no functions to give");
            let d = Diagnostic::error("invalid-kernel-parameter", written.span, message);
            self.report(d.help("choose among the functions in the kernel, by a number or a function constant"));
            return None;
        }
        match space {
            AddressSpace::Device | AddressSpace::Constant => Some((Slot::Buffer, 1, is_reference)),
            AddressSpace::Threadgroup => Some((Slot::Threadgroup, 1, is_reference)),
            AddressSpace::Thread => {
                let name = written.name.map_or("", Symbol::as_str);
                let text = self.type_name(pointee);
                let mark = if is_reference { '&' } else { '*' };
                let d = Diagnostic::error(
                    "missing-address-space",
                    written.span,
                    format!("a {what} parameter of a kernel needs an address space"),
                )
                .help(format!("write 'device {text} {mark}{name}' or 'constant {text} {mark}{name}'"));
                self.report(d);
                None
            }
        }
    }

    fn resource_class(&mut self, c: ClassId) -> Option<(Slot, u32)> {
        match self.program.classes[c].special {
            SpecialClass::Texture { .. } => Some((Slot::Texture, 1)),
            SpecialClass::Sampler => Some((Slot::Sampler, 1)),
            SpecialClass::FunctionTable => Some((Slot::Buffer, 1)),
            SpecialClass::Array { len } => {
                let Some(Arg::Type(t)) = self.classes[c.0 as usize].args.first().cloned() else { return None };
                let inner = self.program.types.as_class(t.ty)?;
                self.complete_class(inner, Span::NONE);
                match self.resource_class(inner)? {
                    (Slot::Texture, 1) => Some((Slot::Texture, len as u32)),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// Explicit indices first, then the lowest free ones in order.
    fn assign_indices(&mut self, pending: Vec<Option<Pending>>) -> Vec<Option<Input>> {
        let mut taken: [BTreeSet<u32>; 4] = Default::default();
        let mut owners: Vec<(Slot, u32, Span)> = Vec::new();
        for p in pending.iter().flatten() {
            if let PendingKind::Slot { slot, index: Some(i), count, .. } = p.kind {
                for n in i..i + count {
                    if !taken[slot as usize].insert(n) {
                        let mut d = Diagnostic::error(
                            "duplicate-index",
                            p.span,
                            format!("'{}({n})' is taken by another parameter", slot.attribute()),
                        );
                        if let Some((_, _, at)) = owners.iter().find(|(s, o, _)| *s == slot && *o == n) {
                            d = d.note_at(*at, "the other parameter is here");
                        }
                        self.report(d);
                    }
                    owners.push((slot, n, p.span));
                }
            }
        }
        pending
            .into_iter()
            .map(|p| {
                let p = p?;
                let kind = match p.kind {
                    PendingKind::Done(kind) => kind,
                    PendingKind::Slot { slot, index, count, is_reference } => {
                        let set = &mut taken[slot as usize];
                        let index = index.unwrap_or_else(|| {
                            let free = (0..).find(|i| (*i..*i + count).all(|n| !set.contains(&n))).unwrap_or(0);
                            set.extend(free..free + count);
                            free
                        });
                        match slot {
                            Slot::Buffer => InputKind::Buffer { index, is_reference },
                            Slot::Texture => InputKind::Texture { index, count },
                            Slot::Sampler => InputKind::Sampler { index },
                            Slot::Threadgroup => InputKind::Threadgroup { index, is_reference },
                        }
                    }
                };
                Some(Input { name: p.name, ty: p.ty, kind, span: p.span })
            })
            .collect()
    }

    // ---- the whole program -------------------------------------------------------------------

    /// Metal has no recursion: reports the first cycle among what the entry point calls.
    fn check_recursion(&mut self, root: FunctionId) {
        let mut state = vec![0u8; self.program.functions.len()];
        let mut stack: Vec<(FunctionId, Vec<(FunctionId, Span)>)> = vec![(root, self.calls_of(root))];
        state[root.index()] = 1;
        while let Some((id, calls)) = stack.last_mut() {
            let Some((next, span)) = calls.pop() else {
                state[id.index()] = 2;
                stack.pop();
                continue;
            };
            match state[next.index()] {
                0 => {
                    state[next.index()] = 1;
                    let calls = self.calls_of(next);
                    stack.push((next, calls));
                }
                1 => {
                    let f = &self.program.functions[next];
                    let d = Diagnostic::error(
                        "recursion",
                        span,
                        format!("this calls '{}' again, and Metal has no recursion", f.name),
                    )
                    .note_at(f.span, "the function is declared here");
                    self.report(d);
                    return;
                }
                _ => {}
            }
        }
    }

    fn calls_of(&self, id: FunctionId) -> Vec<(FunctionId, Span)> {
        let mut out = Vec::new();
        if let Some(body) = &self.program.functions[id].body {
            calls_in_block(body, &mut out);
        }
        out
    }

    /// Drops the bodies nothing reaches: those evaluated while compiling only.
    fn prune(&mut self, root: FunctionId) {
        let mut reached = vec![false; self.program.functions.len()];
        let mut stack = vec![root];
        while let Some(id) = stack.pop() {
            if !std::mem::replace(&mut reached[id.index()], true) {
                stack.extend(self.calls_of(id).into_iter().map(|(f, _)| f));
            }
        }
        for (id, f) in self.program.functions.iter_mut() {
            if !reached[id.index()] {
                f.body = None;
            }
        }
    }
}

const BUILTIN_NAMES: [&str; 19] = [
    "thread_position_in_grid",
    "thread_position_in_threadgroup",
    "threadgroup_position_in_grid",
    "threads_per_grid",
    "threads_per_threadgroup",
    "dispatch_threads_per_threadgroup",
    "threadgroups_per_grid",
    "grid_origin",
    "grid_size",
    "thread_index_in_threadgroup",
    "thread_index_in_simdgroup",
    "simdgroup_index_in_threadgroup",
    "simdgroups_per_threadgroup",
    "threads_per_simdgroup",
    "thread_execution_width",
    "thread_index_in_quadgroup",
    "quadgroup_index_in_threadgroup",
    "quadgroups_per_threadgroup",
    "buffer",
];

pub fn calls_in_block(block: &[hir::Stmt], out: &mut Vec<(FunctionId, Span)>) {
    for s in block {
        match &s.kind {
            StmtKind::Variable { init, .. } => init.iter().for_each(|e| calls_in(e, out)),
            StmtKind::Expr(e) => calls_in(e, out),
            StmtKind::Block(b) => calls_in_block(b, out),
            StmtKind::If { condition, then, otherwise } => {
                calls_in(condition, out);
                calls_in_block(then, out);
                calls_in_block(otherwise, out);
            }
            StmtKind::For { condition, step, body, .. } => {
                condition.iter().for_each(|e| calls_in(e, out));
                step.iter().for_each(|e| calls_in(e, out));
                calls_in_block(body, out);
            }
            StmtKind::DoWhile { body, condition, .. } => {
                calls_in_block(body, out);
                calls_in(condition, out);
            }
            StmtKind::Switch { value, cases } => {
                calls_in(value, out);
                cases.iter().for_each(|c| calls_in_block(&c.body, out));
            }
            StmtKind::Break | StmtKind::Continue => {}
            StmtKind::Return(e) => e.iter().for_each(|e| calls_in(e, out)),
        }
    }
}

fn calls_in(e: &hir::Expr, out: &mut Vec<(FunctionId, Span)>) {
    match &e.kind {
        ExprKind::Call { function, args } | ExprKind::ConstructorCall { function, args } => {
            out.push((*function, e.span));
            args.iter().for_each(|a| calls_in(a, out));
        }
        ExprKind::Deref(a)
        | ExprKind::Field { base: a, .. }
        | ExprKind::Swizzle { base: a, .. }
        | ExprKind::Temporary(a)
        | ExprKind::Load(a)
        | ExprKind::AddressOf(a)
        | ExprKind::Unary(_, a, _)
        | ExprKind::IncDec { operand: a, .. }
        | ExprKind::Convert(_, a) => calls_in(a, out),
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
            calls_in(a, out);
            calls_in(b, out);
        }
        ExprKind::Conditional { condition, then, otherwise } => {
            calls_in(condition, out);
            calls_in(then, out);
            calls_in(otherwise, out);
        }
        ExprKind::ConstructVector(list) | ExprKind::ConstructArray(list) => list.iter().for_each(|a| calls_in(a, out)),
        ExprKind::FillArray(list, rest) => {
            list.iter().for_each(|a| calls_in(a, out));
            calls_in(rest, out);
        }
        ExprKind::Intrinsic { args, .. } => args.iter().for_each(|a| calls_in(a, out)),
        ExprKind::ConstructClass { fields } => fields.iter().for_each(|(_, a)| calls_in(a, out)),
        ExprKind::Block(b, v) => {
            calls_in_block(b, out);
            v.iter().for_each(|a| calls_in(a, out));
        }
        ExprKind::Local(_)
        | ExprKind::Global(_)
        | ExprKind::Constant(_)
        | ExprKind::String(_)
        | ExprKind::Zero
        | ExprKind::Builtin(_)
        | ExprKind::Error => {}
    }
}
