//! Names, operators and written types as text: for messages, and as keys that are equal for declarations of the same.

use std::sync::Arc;

use msl_syntax::ast;

pub fn text_of(ident: &ast::Ident) -> String {
    match ident {
        ast::Ident::Name(n) | ast::Ident::Literal(n) => n.to_string(),
        ast::Ident::Operator(o) => format!("operator{}", operator_text(*o)),
        ast::Ident::Conversion(_) => "conversion operator".into(),
        ast::Ident::Destructor(n) => format!("~{n}"),
        ast::Ident::Decltype(_) => "decltype(…)".into(),
    }
}

pub fn operator_text(op: ast::OverloadedOperator) -> String {
    use ast::OverloadedOperator as O;
    match op {
        O::Binary(b) => binary_text(b).into(),
        O::Assign(None) => "=".into(),
        O::Assign(Some(b)) => format!("{}=", binary_text(b)),
        O::Unary(ast::UnaryOperator::Not) => "!".into(),
        O::Unary(ast::UnaryOperator::BitNot) => "~".into(),
        O::Unary(ast::UnaryOperator::Plus) => "+".into(),
        O::Unary(ast::UnaryOperator::Minus) => "-".into(),
        O::Unary(ast::UnaryOperator::Deref) => "*".into(),
        O::Unary(ast::UnaryOperator::AddressOf) => "&".into(),
        O::Unary(ast::UnaryOperator::PreIncrement) | O::Increment => "++".into(),
        O::Unary(ast::UnaryOperator::PreDecrement) | O::Decrement => "--".into(),
        O::Call => "()".into(),
        O::Subscript => "[]".into(),
        O::Arrow => "->".into(),
        O::Comma => ",".into(),
    }
}

pub fn binary_text(op: ast::BinaryOperator) -> &'static str {
    use ast::BinaryOperator as B;
    match op {
        B::Add => "+",
        B::Sub => "-",
        B::Mul => "*",
        B::Div => "/",
        B::Rem => "%",
        B::Shl => "<<",
        B::Shr => ">>",
        B::Lt => "<",
        B::Gt => ">",
        B::Le => "<=",
        B::Ge => ">=",
        B::Eq => "==",
        B::Ne => "!=",
        B::BitAnd => "&",
        B::BitXor => "^",
        B::BitOr => "|",
        B::And => "&&",
        B::Or => "||",
    }
}

/// A text equal for declarations of the same function, as far as spelling tells: parameter types without names and
/// top-level `const`, template parameter kinds, qualifiers of `this`, and the return type of templates.
pub fn signature_key(f: &ast::FunctionDecl) -> String {
    let mut key = String::new();
    for header in &f.templates {
        header_key(header, &mut key);
    }
    if let Some(args) = f.name.segments.last().and_then(|s| s.template_args.as_ref()) {
        args_key(args, &mut key);
    }
    for p in &f.params {
        let ty = match &p.ty.kind {
            ast::TypeExprKind::Qualified { inner, quals } if quals.address_space.is_none() => inner,
            _ => &p.ty,
        };
        type_key(ty, &mut key);
        key.push_str(if p.is_pack { "...," } else { "," });
    }
    key.push_str(&format!("{:?}", f.this_quals));
    if !f.templates.is_empty() {
        type_key(&f.ret, &mut key);
    }
    key
}

pub(super) fn class_key(c: &ast::ClassDecl) -> String {
    let mut key = String::new();
    for header in &c.templates {
        header_key(header, &mut key);
    }
    if let Some(args) = c.name.as_ref().and_then(|n| n.segments.last()).and_then(|s| s.template_args.as_ref()) {
        args_key(args, &mut key);
    }
    key
}

fn header_key(header: &ast::TemplateHeader, key: &mut String) {
    key.push('<');
    for p in &header.params {
        match &p.kind {
            ast::TemplateParamKind::Type { .. } => key.push('t'),
            ast::TemplateParamKind::Value { ty, .. } => type_key(ty, key),
            ast::TemplateParamKind::Template { .. } => key.push('T'),
        }
        if p.is_pack {
            key.push('~');
        }
        key.push(';');
    }
    key.push('>');
}

fn name_key(name: &ast::Name, key: &mut String) {
    for s in &name.segments {
        key.push_str("::");
        key.push_str(&text_of(&s.ident));
        if let Some(args) = &s.template_args {
            args_key(args, key);
        }
    }
}

fn args_key(args: &[ast::TemplateArg], key: &mut String) {
    key.push('<');
    for a in args {
        arg_key(a, key);
        key.push(',');
    }
    key.push('>');
}

fn arg_key(arg: &ast::TemplateArg, key: &mut String) {
    match arg {
        ast::TemplateArg::Type(t) => type_key(t, key),
        ast::TemplateArg::Expr(e) => expr_key(e, key),
        ast::TemplateArg::Ambiguous(n) => name_key(n, key),
        ast::TemplateArg::Pack(p) => {
            arg_key(p, key);
            key.push('~');
        }
    }
}

fn type_key(ty: &ast::TypeExpr, key: &mut String) {
    use ast::TypeExprKind as K;
    match &ty.kind {
        K::Builtin(b) => key.push_str(&format!("{b:?}")),
        K::Named { name, .. } => name_key(name, key),
        K::Auto | K::DecltypeAuto => key.push_str("auto"),
        K::Decltype(e) => expr_key(e, key),
        K::Pointer(t) => {
            type_key(t, key);
            key.push('*');
        }
        K::LValueRef(t) => {
            type_key(t, key);
            key.push('&');
        }
        K::RValueRef(t) => {
            type_key(t, key);
            key.push_str("&&");
        }
        K::Array { element, size } => {
            type_key(element, key);
            key.push('[');
            if let Some(s) = size {
                expr_key(s, key);
            }
            key.push(']');
        }
        K::Function { ret, params, .. } => {
            type_key(ret, key);
            for p in params {
                key.push(',');
                type_key(&p.ty, key);
            }
        }
        K::MemberPointer { class, member } => {
            type_key(member, key);
            type_key(class, key);
            key.push_str("::*");
        }
        K::Qualified { inner, quals } => {
            key.push_str(&format!("{}{}{:?}", quals.is_const, quals.is_volatile, quals.address_space));
            type_key(inner, key);
        }
        K::Pack(t) => {
            type_key(t, key);
            key.push('~');
        }
        K::Class(c) => key.push_str(&format!("{:?}", Arc::as_ptr(c))),
        K::Enum(e) => key.push_str(&format!("{:?}", Arc::as_ptr(e))),
        K::Error => key.push('?'),
    }
}

fn expr_key(e: &ast::Expr, key: &mut String) {
    use ast::ExprKind as K;
    match &e.kind {
        K::Name(n) => name_key(n, key),
        K::Integer { value, .. } => key.push_str(&value.to_string()),
        K::Bool(b) => key.push_str(&b.to_string()),
        K::Binary { op, left, right, .. } => {
            expr_key(left, key);
            key.push_str(binary_text(*op));
            expr_key(right, key);
        }
        K::Paren(i) => expr_key(i, key),
        K::Unary { op, operand } => {
            key.push_str(&format!("{op:?}"));
            expr_key(operand, key);
        }
        K::Call { callee, args } => {
            expr_key(callee, key);
            for a in args {
                key.push(',');
                expr_key(a, key);
            }
        }
        K::SizeofType(t) | K::Type(t) => type_key(t, key),
        // Anything else: equal only where it stands at the same place.
        _ => key.push_str(&format!("{:?}", e.span)),
    }
}

/// A written type as a text without spaces; equal texts are the same type in the same scope.
pub fn type_text(ty: &ast::TypeExpr) -> String {
    let mut key = String::new();
    type_key(ty, &mut key);
    key
}

pub fn expr_text(e: &ast::Expr) -> String {
    let mut key = String::new();
    expr_key(e, &mut key);
    key
}

pub fn arg_text(arg: &ast::TemplateArg) -> String {
    let mut key = String::new();
    arg_key(arg, &mut key);
    key
}
