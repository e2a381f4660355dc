//! Names, types, attributes and parameters.

use crate::ast::*;
use crate::dump::expr::{expr, exprs};

pub(super) fn join<T>(items: &[T], separator: &str, text: impl Fn(&T) -> String) -> String {
    items.iter().map(text).collect::<Vec<_>>().join(separator)
}

pub(super) fn name(name: &Name) -> String {
    let start = if name.is_global { "::" } else { "" };
    let segments = join(&name.segments, "::", |segment| {
        let args = match &segment.template_args {
            Some(args) => format!("<{}>", join(args, ", ", template_arg)),
            None => String::new(),
        };
        format!("{}{args}", ident(&segment.ident))
    });
    format!("{start}{segments}")
}

fn ident(ident: &Ident) -> String {
    match ident {
        Ident::Name(symbol) if symbol.as_str().is_empty() => "<missing>".into(),
        Ident::Name(symbol) => symbol.to_string(),
        Ident::Operator(op) => format!("operator{}", operator(*op)),
        Ident::Conversion(ty) => format!("operator {}", type_text(ty)),
        Ident::Literal(symbol) => format!("operator\"\"{symbol}"),
        Ident::Destructor(symbol) => format!("~{symbol}"),
        Ident::Decltype(e) => format!("decltype({})", expr(e)),
    }
}

fn operator(op: OverloadedOperator) -> String {
    match op {
        OverloadedOperator::Binary(op) => binary(op).into(),
        OverloadedOperator::Assign(op) => assign(op),
        OverloadedOperator::Unary(op) => unary(op).into(),
        OverloadedOperator::Increment => "++".into(),
        OverloadedOperator::Decrement => "--".into(),
        OverloadedOperator::Call => "()".into(),
        OverloadedOperator::Subscript => "[]".into(),
        OverloadedOperator::Arrow => "->".into(),
        OverloadedOperator::Comma => ",".into(),
    }
}

pub(super) fn assign(op: Option<BinaryOperator>) -> String {
    format!("{}=", op.map_or("", binary))
}

pub(super) fn binary(op: BinaryOperator) -> &'static str {
    match op {
        BinaryOperator::Add => "+",
        BinaryOperator::Sub => "-",
        BinaryOperator::Mul => "*",
        BinaryOperator::Div => "/",
        BinaryOperator::Rem => "%",
        BinaryOperator::Shl => "<<",
        BinaryOperator::Shr => ">>",
        BinaryOperator::Lt => "<",
        BinaryOperator::Gt => ">",
        BinaryOperator::Le => "<=",
        BinaryOperator::Ge => ">=",
        BinaryOperator::Eq => "==",
        BinaryOperator::Ne => "!=",
        BinaryOperator::BitAnd => "&",
        BinaryOperator::BitXor => "^",
        BinaryOperator::BitOr => "|",
        BinaryOperator::And => "&&",
        BinaryOperator::Or => "||",
    }
}

pub(super) fn unary(op: UnaryOperator) -> &'static str {
    match op {
        UnaryOperator::Plus => "+",
        UnaryOperator::Minus => "-",
        UnaryOperator::Not => "!",
        UnaryOperator::BitNot => "~",
        UnaryOperator::Deref => "*",
        UnaryOperator::AddressOf => "&",
        UnaryOperator::PreIncrement => "++",
        UnaryOperator::PreDecrement => "--",
    }
}

/// An expression argument prints in brackets where it could be taken for a type.
fn template_arg(arg: &TemplateArg) -> String {
    match arg {
        TemplateArg::Type(ty) => type_text(ty),
        TemplateArg::Expr(e) => match e.kind {
            ExprKind::Name(_) => format!("[{}]", expr(e)),
            _ => expr(e),
        },
        TemplateArg::Ambiguous(n) => format!("?{}", name(n)),
        TemplateArg::Pack(arg) => format!("{}...", template_arg(arg)),
    }
}

pub(super) fn type_text(ty: &TypeExpr) -> String {
    match &ty.kind {
        TypeExprKind::Builtin(builtin) => builtin_type(*builtin).into(),
        TypeExprKind::Named { name: n, has_typename } => {
            format!("{}{}", if *has_typename { "typename " } else { "" }, name(n))
        }
        TypeExprKind::Auto => "auto".into(),
        TypeExprKind::DecltypeAuto => "decltype(auto)".into(),
        TypeExprKind::Decltype(e) => format!("decltype({})", expr(e)),
        TypeExprKind::Pointer(inner) => format!("ptr({})", type_text(inner)),
        TypeExprKind::LValueRef(inner) => format!("ref({})", type_text(inner)),
        TypeExprKind::RValueRef(inner) => format!("rref({})", type_text(inner)),
        TypeExprKind::Array { element, size } => {
            format!("array({}, {})", type_text(element), size.as_ref().map_or("?".into(), |e| expr(e)))
        }
        TypeExprKind::Function { ret, params, is_const } => {
            let constness = if *is_const { " const" } else { "" };
            format!("fn({}) -> {}{constness}", join(params, ", ", param), type_text(ret))
        }
        TypeExprKind::MemberPointer { class, member } => {
            format!("member-ptr({}, {})", type_text(class), type_text(member))
        }
        TypeExprKind::Qualified { inner, quals } => format!("{} {}", qualifiers(*quals), type_text(inner)),
        TypeExprKind::Pack(inner) => format!("{}...", type_text(inner)),
        TypeExprKind::Class(class) => match &class.name {
            Some(n) => format!("class {}", name(n)),
            None => format!("class {{{}}}", class.members.as_ref().map_or(0, Vec::len)),
        },
        TypeExprKind::Enum(decl) => format!("enum {{{}}}", decl.enumerators.as_ref().map_or(0, Vec::len)),
        TypeExprKind::Error => "<error>".into(),
    }
}

pub(super) fn qualifiers(quals: Qualifiers) -> String {
    let mut words = Vec::new();
    if quals.is_coherent {
        words.push("coherent");
    }
    if let Some(space) = quals.address_space {
        words.push(match space {
            AddressSpaceKeyword::Device => "device",
            AddressSpaceKeyword::Constant => "constant",
            AddressSpaceKeyword::Threadgroup => "threadgroup",
            AddressSpaceKeyword::Thread => "thread",
            AddressSpaceKeyword::ThreadgroupImageblock => "threadgroup_imageblock",
            AddressSpaceKeyword::RayData => "ray_data",
            AddressSpaceKeyword::ObjectData => "object_data",
        });
    }
    if quals.is_const {
        words.push("const");
    }
    if quals.is_volatile {
        words.push("volatile");
    }
    words.join(" ")
}

fn builtin_type(ty: BuiltinType) -> &'static str {
    match ty {
        BuiltinType::Void => "void",
        BuiltinType::Bool => "bool",
        BuiltinType::Char => "char",
        BuiltinType::SignedChar => "signed char",
        BuiltinType::UnsignedChar => "unsigned char",
        BuiltinType::Short => "short",
        BuiltinType::UnsignedShort => "unsigned short",
        BuiltinType::Int => "int",
        BuiltinType::UnsignedInt => "unsigned int",
        BuiltinType::Long => "long",
        BuiltinType::UnsignedLong => "unsigned long",
        BuiltinType::LongLong => "long long",
        BuiltinType::UnsignedLongLong => "unsigned long long",
        BuiltinType::Half => "half",
        BuiltinType::BFloat => "bfloat",
        BuiltinType::Float => "float",
        BuiltinType::Double => "double",
    }
}

/// Attributes with a space before each, so that none leaves nothing.
pub(super) fn attributes(attributes: &[Attribute]) -> String {
    attributes
        .iter()
        .map(|attribute| {
            let namespace = attribute.namespace.map_or(String::new(), |n| format!("{n}::"));
            let args = if attribute.args.is_empty() { String::new() } else { format!("({})", exprs(&attribute.args)) };
            format!(" [[{namespace}{}{args}]]", attribute.name)
        })
        .collect()
}

pub(super) fn param(param: &ParamDecl) -> String {
    let pack = if param.is_pack { "..." } else { "" };
    let ty = type_text(&param.ty);
    let default = param.default.as_ref().map_or(String::new(), |e| format!(" = {}", expr(e)));
    let named = match param.name {
        Some(n) => format!("{n}{pack}: {ty}"),
        None => format!("{ty}{pack}"),
    };
    format!("{named}{default}{}", attributes(&param.attributes))
}

pub(super) fn template_headers(headers: &[TemplateHeader]) -> String {
    headers.iter().map(|h| format!("template<{}> ", join(&h.params, ", ", template_param))).collect()
}

fn template_param(param: &TemplateParam) -> String {
    let pack = if param.is_pack { "..." } else { "" };
    let n = param.name.map_or("_".to_string(), |n| n.to_string());
    match &param.kind {
        TemplateParamKind::Type { default } => {
            format!("{n}{pack}: type{}", default.as_ref().map_or(String::new(), |t| format!(" = {}", type_text(t))))
        }
        TemplateParamKind::Value { ty, default } => {
            let default = default.as_ref().map_or(String::new(), |e| format!(" = {}", expr(e)));
            format!("{n}{pack}: {}{default}", type_text(ty))
        }
        TemplateParamKind::Template { params, default } => {
            let default = default.as_ref().map_or(String::new(), |d| format!(" = {}", name(d)));
            format!("{n}{pack}: template<{}>{default}", join(params, ", ", template_param))
        }
    }
}
