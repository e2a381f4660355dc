//! Names as expressions: variables, functions, enumerators, template arguments, members through `this`.

use std::rc::Rc;

use msl_base::{Diagnostic, Span, Symbol};
use msl_syntax::ast;

use super::{Operand, OverloadSet, Value, constant, rvalue_expr};
use crate::checker::Checker;
use crate::declare::{NameKey, text_of};
use crate::entity::*;
use crate::hir::{ExprKind, FunctionId, GlobalStorage};
use crate::lookup::{Found, Qualifier};
use crate::types::*;

impl Checker<'_> {
    pub fn check_name(&mut self, name: &ast::Name) -> Operand {
        if name.segments.len() == 1
            && let Some(args) = &name.segments[0].template_args
            && let ast::Ident::Name(n) = name.segments[0].ident
            && (n == "__vec" || n == "__packed_vec")
        {
            let _ = args;
            return Operand::Type(self.resolve_type_name(name));
        }
        let found = self.lookup(name);
        if found.is_error {
            return Operand::Value(Value::error(name.span));
        }
        if found.entities.is_empty() {
            if let (Some(q), Some(last)) = (&found.qualifier, name.segments.last()) {
                let q = q.clone();
                self.report_no_member(&q, &last.ident, last.span);
            } else {
                self.report_unknown(name);
            }
            return Operand::Value(Value::error(name.span));
        }
        self.found_operand(name, found)
    }

    pub fn found_operand(&mut self, name: &ast::Name, found: Found) -> Operand {
        let span = name.span;
        let Some(last) = name.segments.last() else { return Operand::Value(Value::error(span)) };
        let owner = match &found.entities[0] {
            Entity::Variable(v) => v.class,
            _ => None,
        };
        if let Some(owner) = owner {
            self.check_access(owner, NameKey::of(&last.ident), last.span);
        }
        if let (Entity::Enumerator(..), Some(Qualifier::Class(class))) = (&found.entities[0], &found.qualifier) {
            self.check_nested_access(*class, NameKey::of(&last.ident), last.span);
        }
        if let Some(Entity::Function(_)) = found.entities.first() {
            return self.function_operand(name, found);
        }
        let value = match &found.entities[0] {
            Entity::Local(v) => self.local_value(&v.clone(), span),
            Entity::LocalPack(_) | Entity::Param(Binding::Bound(Arg::Pack(_))) => {
                self.error("unexpanded-pack", span, "this parameter pack is not expanded with '...'");
                Value::error(span)
            }
            Entity::Bound(v) => {
                let mut v = (**v).clone();
                v.expr.span = span;
                if found.crossed && self.unevaluated == 0 {
                    self.report_not_captured(name);
                    v = Value::error(span);
                }
                v
            }
            Entity::Variable(def) => {
                let def = def.clone();
                match self.variable_instance(&def, name) {
                    Some(v) => self.local_value(&v, span),
                    None => Value::error(span),
                }
            }
            Entity::Enumerator(def, i) => {
                let (ty, bits) = self.enumerator_value(&def.clone(), *i);
                if ty == Ty::ERROR {
                    // Inside its own enumeration an enumerator is still an integer.
                    let id = def.id.get();
                    let bits = id.and_then(|id| self.enum_infos[id.0 as usize].values.get(*i as usize)).copied();
                    match bits {
                        Some(b) => Value::rvalue(constant(b, Ty::LONG, span)),
                        None => Value::error(span),
                    }
                } else {
                    Value::rvalue(constant(bits, ty, span))
                }
            }
            Entity::Field(class, path) => {
                let (class, path) = (*class, path.clone());
                return Operand::Value(self.implicit_field(name, &found, class, &path));
            }
            Entity::Param(Binding::Bound(Arg::Value { bits, ty })) => Value::rvalue(constant(*bits, *ty, span)),
            Entity::Param(Binding::Bound(Arg::Object { value, ty })) => {
                let (value, ty) = (value.clone(), *ty);
                let stored = self.storage_type(ty.into());
                match self.constant_expr(&value, stored, span) {
                    Some(pointer) if self.program.types.is_reference(ty) => self.deref(pointer, span),
                    Some(e) => Value::rvalue(e),
                    None => Value::error(span),
                }
            }
            Entity::Namespace(_) => {
                self.error(
                    "expected-value",
                    span,
                    format!("'{}' is a namespace where a value is expected", text_of(&last.ident)),
                );
                Value::error(span)
            }
            Entity::Param(Binding::Placeholder(_) | Binding::Pattern(..)) => {
                self.error("cannot-deduce", span, "this template parameter is not known yet");
                Value::error(span)
            }
            other => {
                // A template without arguments in front of `(`: its arguments are deduced from the call.
                let other = other.clone();
                return Operand::Type(self.entity_type(&other, last).unwrap_or(QualTy::ERROR));
            }
        };
        Operand::Value(value)
    }

    fn function_operand(&mut self, name: &ast::Name, found: Found) -> Operand {
        let span = name.span;
        let Some(last) = name.segments.last() else { return Operand::Value(Value::error(span)) };
        let functions: Vec<Rc<FnDef>> = found
            .entities
            .iter()
            .filter_map(|e| match e {
                Entity::Function(f) => Some(f.clone()),
                _ => None,
            })
            .collect();
        let explicit = match &last.template_args {
            Some(args) => match self.expand_written_args(args) {
                Some(a) => Some(Rc::new(a)),
                None => return Operand::Value(Value::error(span)),
            },
            None => None,
        };
        let has_method = functions.iter().any(|f| f.is_method());
        let mut object = None;
        if has_method {
            let class = match (&found.class, &found.qualifier) {
                (Some(c), _) | (None, Some(Qualifier::Class(c))) => Some(*c),
                _ => None,
            };
            if let Some(class) = class
                && let Some(this) = self.this_object(span)
                && let Some(from) = self.program.types.as_class(this.ty())
                && self.derives_from(from, class).is_some()
            {
                object = Some(Box::new(this));
            } else if self.unevaluated > 0
                && let Some(class) = class
            {
                object = Some(Box::new(self.object_placeholder(class)));
            }
        }
        let is_member = functions.iter().any(|f| f.class.is_some());
        Operand::Overloads(OverloadSet {
            functions,
            explicit,
            object,
            key: NameKey::of(&last.ident),
            name: text_of(&last.ident),
            by_arguments: name.segments.len() == 1 && !name.is_global && !is_member,
            is_address: false,
            span,
        })
    }

    fn report_not_captured(&mut self, name: &ast::Name) {
        let text = name.segments.last().map(|s| text_of(&s.ident)).unwrap_or_default();
        let d = Diagnostic::error("not-captured", name.span, format!("'{text}' belongs to an enclosing function"))
            .help("a lambda has to capture it: '[&]' or '[=]'");
        self.report(d);
    }

    /// The value of a variable that was found.
    pub fn local_value(&mut self, v: &Rc<LocalVar>, span: Span) -> Value {
        let (place, declared) = (v.place.clone(), v.ty);
        if declared.is_error() {
            return Value::error(span);
        }
        let object = self.program.types.strip_reference(declared);
        let is_reference = self.program.types.is_reference(declared.ty);
        let object_quals = match self.kind(object.ty) {
            TyKind::Array { quals, .. } => object.quals.with(*quals),
            _ => object.quals,
        };
        let late = match place {
            Place::Local(id) if v.owner == self.fcx.serial => self.fcx.late_locals.get(&id).copied(),
            Place::Global(id) => self.late_globals.get(&id).copied(),
            Place::Unset(name) => Some(name),
            _ => None,
        };
        self.late = late.or(self.late);
        match place {
            Place::Local(id) => {
                let space =
                    if is_reference { object.space.unwrap_or(AddressSpace::Thread) } else { AddressSpace::Thread };
                if v.owner != self.fcx.serial {
                    let value = v.value.borrow().clone();
                    if let Some(value) = value
                        && let Some(e) = self.constant_expr(&value, declared.ty, span)
                    {
                        return Value::rvalue(e);
                    }
                    if self.unevaluated > 0 || v.owner == u32::MAX {
                        return Value::lvalue(ExprKind::Error, object.ty, object_quals, space, span);
                    }
                    let segment = ast::NameSegment { ident: ast::Ident::Name(v.name), template_args: None, span };
                    self.report_not_captured(&ast::Name { is_global: false, segments: vec![segment], span });
                    return Value::error(span);
                }
                let stored = self.storage_type(declared);
                let kind = ExprKind::Local(id);
                if is_reference {
                    let local = Value::lvalue(kind, stored, Quals::NONE, AddressSpace::Thread, span);
                    let pointer = rvalue_expr(ExprKind::Load(Box::new(local.expr)), stored, span);
                    return self.deref(pointer, span);
                }
                Value::lvalue(kind, stored, object_quals, AddressSpace::Thread, span)
            }
            Place::Global(id) => {
                let global = &self.program.globals[id];
                let stored = global.ty;
                let space = match global.storage {
                    GlobalStorage::Constant(_) => AddressSpace::Constant,
                    GlobalStorage::Threadgroup => AddressSpace::Threadgroup,
                    GlobalStorage::Resource => {
                        let object_quals = match self.kind(stored) {
                            TyKind::Class(_) => object_quals,
                            _ => Quals::CONST,
                        };
                        let v = Value::lvalue(ExprKind::Global(id), stored, object_quals, AddressSpace::Thread, span);
                        if !is_reference {
                            return v;
                        }
                        let pointer = self.rvalue(v);
                        return self.deref(pointer, span);
                    }
                };
                let quals =
                    if space == AddressSpace::Constant { object_quals.with(Quals::CONST) } else { object_quals };
                if is_reference {
                    let kept = Value::lvalue(ExprKind::Global(id), stored, Quals::CONST, space, span);
                    let pointer = self.rvalue(kept);
                    return self.deref(pointer, span);
                }
                Value::lvalue(ExprKind::Global(id), stored, quals, space, span)
            }
            Place::Input(input) => Value::rvalue(rvalue_expr(ExprKind::Builtin(input), declared.ty, span)),
            Place::Unset(name) => {
                if self.unevaluated == 0 && self.fcx.dead == 0 && !self.ignore_unset && !self.is_early {
                    let d = Diagnostic::error(
                        "unset-function-constant",
                        span,
                        format!("the function constant '{name}' has no value"),
                    )
                    .note_at(v.span, "it is declared here")
                    .help("give it a value when the function is made, or test it with 'is_function_constant_defined'");
                    self.report(d);
                }
                Value::rvalue(rvalue_expr(ExprKind::Zero, declared.ty, span))
            }
            Place::Error => Value::error(span),
        }
    }

    /// The pointer `this`.
    pub fn this_pointer(&mut self, span: Span) -> Option<Value> {
        let found = self.lookup_unqualified(NameKey::Name(Symbol::new("this")));
        match found.entities.first() {
            Some(Entity::Bound(v)) if !found.crossed || self.unevaluated > 0 => {
                let mut v = (**v).clone();
                v.expr.span = span;
                Some(v)
            }
            _ => None,
        }
    }

    pub fn this_object(&mut self, span: Span) -> Option<Value> {
        let pointer = self.this_pointer(span)?;
        let pointer = self.rvalue(pointer);
        Some(self.deref(pointer, span))
    }

    /// An object of a class that exists for type checking only.
    pub fn object_placeholder(&mut self, class: ClassId) -> Value {
        let ty = self.class_type(class);
        Value::lvalue(ExprKind::Error, ty, Quals::NONE, AddressSpace::Thread, Span::NONE)
    }

    fn implicit_field(&mut self, name: &ast::Name, found: &Found, class: ClassId, path: &[u32]) -> Value {
        let span = name.span;
        let this = match self.this_object(span) {
            Some(v) => v,
            None if self.unevaluated > 0 => self.object_placeholder(class),
            None => {
                let text = name.segments.last().map(|s| text_of(&s.ident)).unwrap_or_default();
                let message = format!("'{text}' is a member and needs an object");
                self.error("member-without-object", span, message);
                return Value::error(span);
            }
        };
        let _ = found;
        let Some(from) = self.program.types.as_class(this.ty()) else { return Value::error(span) };
        if self.derives_from(from, class).is_none() {
            if self.unevaluated > 0 {
                let object = self.object_placeholder(class);
                return self.field_value(object, class, path, span);
            }
            let message =
                format!("this is a member of '{}', not of the class this method belongs to", self.class_name(class));
            self.error("member-without-object", span, message);
            return Value::error(span);
        }
        let this = self.base_object(this, from, class);
        self.field_value(this, class, path, span)
    }

    // ---- functions as values -------------------------------------------------------------

    /// The function a set can only mean, as a pointer.
    pub fn sole_function(&mut self, set: &OverloadSet) -> Option<Value> {
        let mut found: Option<FunctionId> = None;
        if let [def] = &set.functions[..]
            && def.is_method()
            && def.header.is_none()
            && set.is_address
        {
            return self.method_pointer(&def.clone(), Vec::new(), set.span);
        }
        for def in set.functions.clone() {
            if def.is_method() {
                return None;
            }
            let args = match (&def.header, &set.explicit) {
                (None, None) => Vec::new(),
                (None, Some(_)) => continue,
                (Some(_), None) => return None,
                (Some(_), Some(explicit)) => match self.deduce_call(&def, Some(explicit), &[]) {
                    Ok(args) => args,
                    Err(_) => continue,
                },
            };
            if self.attempt(|c| c.signature(&def, &args, None)).is_err() {
                continue;
            }
            if found.is_some() {
                return None;
            }
            found = Some(self.function_instance(&def, args, None, set.span));
        }
        Some(self.function_pointer(found?, set.span))
    }

    pub fn function_value(&mut self, set: &OverloadSet) -> Value {
        if let Some(v) = self.sole_function(set) {
            return v;
        }
        let message = format!("'{}' is a function and has to be called", set.name);
        let mut d = Diagnostic::error("function-not-called", set.span, message);
        if let Some(class) = set.functions.first().filter(|f| f.is_method() && !set.is_address).and_then(|f| f.class) {
            d = d.help(format!("a pointer to it is '&{}::{}'", self.class_name(class), set.name));
        }
        self.report(d);
        Value::error(set.span)
    }

    /// Picks the function of a given type out of a set.
    pub fn resolve_function_address(&mut self, set: &OverloadSet, function: Ty) -> Option<Value> {
        let TyKind::Function { ret, params } = self.kind(function).clone() else {
            let v = self.function_value(set);
            return (!v.is_error()).then_some(v);
        };
        for def in set.functions.clone() {
            if def.is_method() {
                continue;
            }
            let args = match &def.header {
                None if set.explicit.is_some() => continue,
                None => Vec::new(),
                Some(_) => {
                    let values: Vec<crate::template::CallArg<'_>> = params
                        .iter()
                        .map(|t| {
                            let target = self.program.types.strip_reference((*t).into());
                            let v = match target.space {
                                Some(space) => Value::lvalue(ExprKind::Error, target.ty, target.quals, space, set.span),
                                None => Value::rvalue(rvalue_expr(ExprKind::Error, *t, set.span)),
                            };
                            crate::template::CallArg::Value(v)
                        })
                        .collect();
                    match self.deduce_call(&def, set.explicit.as_ref(), &values) {
                        Ok(a) => a,
                        Err(_) => continue,
                    }
                }
            };
            let Ok(signature) = self.attempt(|c| c.signature(&def, &args, None)) else { continue };
            let same = signature.params.len() == params.len()
                && signature.params.iter().zip(&params).all(|(p, t)| p.ty.ty == *t)
                && signature.ret.is_none_or(|r| r.ty == ret);
            if same {
                let id = self.function_instance(&def, args, None, set.span);
                return Some(self.function_pointer(id, set.span));
            }
        }
        let name = self.type_name(function);
        let mut d =
            Diagnostic::error("no-matching-function", set.span, format!("no '{}' has the type '{name}'", set.name));
        if let Some(class) = set.functions.first().filter(|f| f.is_method()).and_then(|f| f.class) {
            let class = self.class_name(class);
            d = d.help(format!(
                "it is called for objects of '{class}': a pointer to it is one to a member, 'auto p = &{class}::{}'",
                set.name
            ));
        }
        self.report(d);
        None
    }

    /// A function as a constant pointer: its number.
    pub fn function_pointer(&mut self, id: FunctionId, span: Span) -> Value {
        let ret = self.result_type(id, span);
        let params = self.functions[id.0 as usize].signature.params.iter().map(|p| p.ty.ty).collect();
        let function = self.types().intern(TyKind::Function { ret: ret.ty, params });
        let ty = self.types().pointer(function, Quals::NONE, AddressSpace::Thread);
        if !self.addressed.contains(&(id, ty)) {
            self.addressed.push((id, ty));
        }
        let number = self.number_of_function(id);
        Value { expr: constant(number, ty, span), quals: Quals::NONE, is_xvalue: false }
    }

    /// The address of a place in a constant.
    fn pointer_expr(&mut self, pointer: &crate::constant::Pointer, ty: Ty, span: Span) -> Option<crate::hir::Expr> {
        let crate::constant::Object::Global(global) = pointer.object else { return None };
        let category = crate::hir::Category::LValue(AddressSpace::Constant);
        let mut ty_here = self.program.globals[global].ty;
        let mut place = crate::hir::Expr { kind: ExprKind::Global(global), ty: ty_here, category, span };
        for index in &pointer.path {
            let base = Box::new(place);
            let (kind, inner) = match *self.kind(ty_here) {
                TyKind::Array { element, .. } => {
                    (ExprKind::Index { base, index: Box::new(constant(*index, Ty::ULONG, span)) }, element)
                }
                TyKind::Vector(s, _) | TyKind::PackedVector(s, _) => {
                    (ExprKind::Swizzle { base, components: vec![*index as u8] }, Ty::scalar(s))
                }
                TyKind::Class(c) => {
                    let inner = self.program.classes[c].fields.get(*index as usize)?.ty;
                    (ExprKind::Field { base, field: *index as u32 }, inner)
                }
                _ => return None,
            };
            place = crate::hir::Expr { kind, ty: inner, category, span };
            ty_here = inner;
        }
        let to = self.types().pointer(ty_here, Quals::NONE, AddressSpace::Constant);
        let address = rvalue_expr(ExprKind::AddressOf(Box::new(place)), to, span);
        Some(self.standard(address, ty))
    }

    /// A lambda-free value known at compile time as an expression, where it has a plain form.
    pub fn constant_expr(&mut self, value: &crate::constant::Const, ty: Ty, span: Span) -> Option<crate::hir::Expr> {
        use crate::constant::Const;
        Some(match value {
            Const::Scalar(bits) => constant(*bits, ty, span),
            Const::Pointer(None) => constant(0, ty, span),
            Const::Pointer(Some(pointer)) => self.pointer_expr(pointer, ty, span)?,
            Const::Vector(items) => {
                let (s, n) = self.program.types.as_any_vector(ty)?;
                let parts = items.iter().map(|b| constant(*b, Ty::scalar(s), span)).collect();
                let vector = self.types().vector(s, n);
                let e = rvalue_expr(ExprKind::ConstructVector(parts), vector, span);
                self.standard(e, ty)
            }
            Const::Aggregate(items) => match self.kind(ty).clone() {
                TyKind::Array { element, .. } => {
                    let parts = items.iter().map(|v| self.constant_expr(v, element, span)).collect::<Option<_>>()?;
                    rvalue_expr(ExprKind::ConstructArray(parts), ty, span)
                }
                TyKind::Class(c) => {
                    let mut fields = Vec::new();
                    for (i, v) in items.iter().enumerate() {
                        let field = self.program.classes[c].fields.get(i)?.ty;
                        fields.push((i as u32, self.constant_expr(v, field, span)?));
                    }
                    rvalue_expr(ExprKind::ConstructClass { fields }, ty, span)
                }
                _ => return None,
            },
            Const::Union(field, v) => {
                let TyKind::Class(c) = *self.kind(ty) else { return None };
                let field_ty = self.program.classes[c].fields.get(*field as usize)?.ty;
                let v = self.constant_expr(v, field_ty, span)?;
                rvalue_expr(ExprKind::ConstructClass { fields: vec![(*field, v)] }, ty, span)
            }
            Const::Void | Const::Uninit => return None,
        })
    }
}
