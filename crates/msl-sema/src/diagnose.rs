//! Words for messages: how types, classes and template arguments print, and which name was probably meant.

use msl_base::{Diagnostic, Span, Symbol};
use msl_syntax::ast;

use crate::checker::Checker;
use crate::entity::Arg;
use crate::types::*;

/// A directive or alias names a namespace that is not there.
pub fn unknown_namespace(name: &ast::Name) -> Diagnostic {
    let diagnostic = Diagnostic::error("unknown-namespace", name.span, "no namespace of this name is declared");
    let last = name.segments.last().map(|s| crate::declare::text_of(&s.ident)).unwrap_or_default();
    match msl_syntax::foreign::remedy(&last) {
        Some(remedy) => diagnostic.help(remedy),
        None => diagnostic,
    }
}

impl Checker<'_> {
    /// A class as programs write it: `float4x4` and `atomic_uint` for what they are names of.
    pub fn class_name(&self, class: ClassId) -> String {
        let name = self.program.classes[class].name;
        let Some(info) = self.classes.get(class.0 as usize) else { return name.to_string() };
        let scalar = |arg: &Arg| match arg {
            Arg::Type(t) => match self.kind(t.ty) {
                TyKind::Scalar(s) => Some(*s),
                _ => None,
            },
            _ => None,
        };
        match (info.def.name.as_str(), &info.args[..]) {
            ("matrix", [element, Arg::Value { bits: columns, .. }, Arg::Value { bits: rows, .. }]) => {
                match scalar(element) {
                    Some(s) => format!("{}{columns}x{rows}", s.name()),
                    None => name.to_string(),
                }
            }
            ("atomic", [element]) => match scalar(element) {
                Some(s) => format!("atomic_{}", s.name()),
                None => name.to_string(),
            },
            _ => name.to_string(),
        }
    }

    pub fn type_name(&self, ty: impl Into<QualTy>) -> String {
        let ty = ty.into();
        let mut out = String::new();
        if let Some(space) = ty.space
            && !self.program.types.is_reference(ty.ty)
        {
            out.push_str(space.name());
            out.push(' ');
        }
        out.push_str(&self.quals_prefix(ty.quals));
        out.push_str(&self.bare_type_name(ty.ty));
        out
    }

    fn quals_prefix(&self, quals: Quals) -> String {
        let mut out = String::new();
        if quals.is_const {
            out.push_str("const ");
        }
        if quals.is_volatile {
            out.push_str("volatile ");
        }
        out
    }

    fn bare_type_name(&self, ty: Ty) -> String {
        match self.kind(ty) {
            TyKind::Error => "<error>".into(),
            TyKind::Void => "void".into(),
            TyKind::NullPtr => "nullptr_t".into(),
            TyKind::Scalar(s) => s.name().into(),
            TyKind::Vector(s, n) => format!("{}{n}", s.name()),
            TyKind::PackedVector(s, n) => format!("packed_{}{n}", s.name()),
            TyKind::Pointer { pointee, quals, space } => {
                if let TyKind::Function { ret, params } = self.kind(*pointee) {
                    return format!("{} (*)({})", self.bare_type_name(*ret), self.type_list(params));
                }
                if self.program.types.is_pointer(*pointee) {
                    // The space and qualifiers of the inner pointer stand behind its star.
                    let mut words = self.quals_prefix(*quals);
                    if *space != AddressSpace::Thread {
                        words = format!("{words}{} ", space.name());
                    }
                    return format!("{}{words}*", self.bare_type_name(*pointee));
                }
                let inner = QualTy::new(*pointee, *quals, Some(*space));
                format!("{} *", self.type_name(inner))
            }
            TyKind::Reference { referent, quals, space, is_rvalue } => {
                let inner = QualTy::new(*referent, *quals, Some(*space));
                format!("{} {}", self.type_name(inner), if *is_rvalue { "&&" } else { "&" })
            }
            TyKind::Array { element, quals, len } => {
                // Outer bounds print first.
                let mut bounds = String::new();
                let (mut element, mut quals, mut len) = (*element, *quals, *len);
                loop {
                    bounds.push_str(&len.map_or("[]".into(), |n| format!("[{n}]")));
                    match self.kind(element) {
                        TyKind::Array { element: e, quals: q, len: l } => (element, quals, len) = (*e, *q, *l),
                        _ => break,
                    }
                }
                format!("{}{}{bounds}", self.quals_prefix(quals), self.bare_type_name(element))
            }
            TyKind::MemberPointer { class, member, quals } => {
                let class = self.class_name(*class);
                if let TyKind::Function { ret, params } = self.kind(*member) {
                    let constness = if quals.is_const { " const" } else { "" };
                    let params = self.type_list(params);
                    return format!("{} ({class}::*)({params}){constness}", self.bare_type_name(*ret));
                }
                format!("{}{} {class}::*", self.quals_prefix(*quals), self.bare_type_name(*member))
            }
            TyKind::Class(c) => self.class_name(*c),
            TyKind::Enum(e) => self.program.enums[*e].name.to_string(),
            TyKind::Function { ret, params } => format!("{} ({})", self.bare_type_name(*ret), self.type_list(params)),
        }
    }

    fn type_list(&self, types: &[Ty]) -> String {
        types.iter().map(|t| self.bare_type_name(*t)).collect::<Vec<_>>().join(", ")
    }

    pub fn arg_name(&self, arg: &Arg) -> String {
        match arg {
            Arg::Type(t) => self.type_name(*t),
            Arg::Value { bits, ty } => self.value_name(*bits, *ty),
            Arg::Object { ty, .. } => format!("{}{{…}}", self.bare_type_name(*ty)),
            Arg::Template(crate::entity::TemplateRef::Class(c)) => c.name.to_string(),
            Arg::Template(crate::entity::TemplateRef::Alias(a)) => a.decl.name.to_string(),
            Arg::Pack(args) => self.arg_names(args),
        }
    }

    pub fn value_name(&self, bits: u64, ty: Ty) -> String {
        match self.kind(ty) {
            TyKind::Scalar(Scalar::Bool) => (bits != 0).to_string(),
            TyKind::Scalar(s) if s.is_float() => crate::constant::float_from_bits(bits, *s).to_string(),
            TyKind::Scalar(Scalar::ULong) => bits.to_string(),
            TyKind::Enum(e) => {
                let info = &self.enum_infos[e.0 as usize];
                let at = info.values.iter().position(|v| *v == bits);
                match at.and_then(|i| info.def.decl.enumerators.as_ref().and_then(|l| l.get(i))) {
                    Some(e2) => format!("{}::{}", self.program.enums[*e].name, e2.name),
                    None => format!("({}){bits}", self.program.enums[*e].name),
                }
            }
            TyKind::Pointer { pointee, .. } if matches!(self.kind(*pointee), TyKind::Function { .. }) => {
                match bits.checked_sub(1).and_then(|i| self.program.functions.get(crate::hir::FunctionId(i as u32))) {
                    Some(f) => format!("&{}", f.name),
                    None => "nullptr".into(),
                }
            }
            TyKind::Scalar(s) => crate::constant::sign_extend(bits, *s).to_string(),
            _ => bits.to_string(),
        }
    }

    pub fn arg_names(&self, args: &[Arg]) -> String {
        let shown: Vec<String> =
            args.iter().filter(|a| !matches!(a, Arg::Pack(p) if p.is_empty())).map(|a| self.arg_name(a)).collect();
        shown.join(", ")
    }
}

/// Keeps names readable where templates nest deeply.
pub fn shorten(text: String) -> String {
    const LIMIT: usize = 300;
    if text.len() <= LIMIT {
        return text;
    }
    let cut = |mut i: usize| {
        while !text.is_char_boundary(i) {
            i -= 1;
        }
        i
    };
    format!("{}…{}", &text[..cut(LIMIT / 2)], &text[cut(text.len() - LIMIT / 2)..])
}

/// The builtin type whose name is most like `wanted`.
pub fn closest_type(wanted: &str) -> Option<String> {
    let names: Vec<String> =
        Scalar::ALL.iter().flat_map(|s| ["", "2", "3", "4"].map(|n| format!("{}{n}", s.name()))).collect();
    msl_base::similar::closest(wanted, names.iter().map(String::as_str)).map(str::to_owned)
}

/// The name most like `wanted`, if one is like it at all. Ties go to the first.
pub fn closest(wanted: &str, names: &[Symbol]) -> Option<Symbol> {
    msl_base::similar::closest(wanted, names.iter().map(|n| n.as_str())).map(Symbol::new)
}

/// The id and the reason of the library's mark on what it declares only to say that it is not supported.
pub fn unsupported(attributes: &[ast::Attribute]) -> Option<(Symbol, Symbol)> {
    let mark = attributes.iter().find(|a| a.name == "__metal_unsupported")?;
    match (&mark.args.first()?.kind, &mark.args.get(1)?.kind) {
        (ast::ExprKind::String(id), ast::ExprKind::String(reason)) => Some((*id, *reason)),
        _ => None,
    }
}

impl Checker<'_> {
    /// Reports a use of what is marked so; `false`: it is not.
    pub fn report_unsupported(&mut self, attributes: &[ast::Attribute], name: &str, span: Span) -> bool {
        let Some((id, reason)) = unsupported(attributes) else { return false };
        self.report(Diagnostic::error(id.as_str(), span, format!("'{name}' {reason}")));
        true
    }
}
