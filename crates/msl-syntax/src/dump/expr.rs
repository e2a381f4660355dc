//! Expressions as prefix forms.

use crate::ast::*;
use crate::dump::Printer;
use crate::dump::names::{assign, binary, join, name, param, template_headers, type_text, unary};

pub(super) fn exprs(list: &[Expr]) -> String {
    join(list, ", ", expr)
}

pub(super) fn expr(e: &Expr) -> String {
    match &e.kind {
        ExprKind::Bool(value) => value.to_string(),
        ExprKind::Integer { value, suffix, .. } => {
            let suffix = match suffix {
                IntegerSuffix::None => "",
                IntegerSuffix::U => "u",
                IntegerSuffix::L => "l",
                IntegerSuffix::UL => "ul",
                IntegerSuffix::LL => "ll",
                IntegerSuffix::ULL => "ull",
            };
            format!("{value}{suffix}")
        }
        ExprKind::Float { value, suffix } => {
            let suffix = match suffix {
                FloatSuffix::None => "",
                FloatSuffix::F => "f",
                FloatSuffix::H => "h",
                FloatSuffix::BF => "bf",
            };
            format!("{value:?}{suffix}")
        }
        ExprKind::Char(value) => format!("(char {value})"),
        ExprKind::String(text) => format!("{:?}", text.as_str()),
        ExprKind::Nullptr => "nullptr".into(),
        ExprKind::This => "this".into(),
        ExprKind::Name(n) => name(n),
        ExprKind::Paren(inner) => format!("(paren {})", expr(inner)),
        ExprKind::Unary { op, operand } => format!("({} {})", unary(*op), expr(operand)),
        ExprKind::Postfix { op, operand } => {
            let op = match op {
                PostfixOperator::Increment => "++",
                PostfixOperator::Decrement => "--",
            };
            format!("(post{op} {})", expr(operand))
        }
        ExprKind::Binary { op, left, right, .. } => format!("({} {} {})", binary(*op), expr(left), expr(right)),
        ExprKind::Assign { op, left, right, .. } => format!("({} {} {})", assign(*op), expr(left), expr(right)),
        ExprKind::Comma(left, right) => format!("(, {} {})", expr(left), expr(right)),
        ExprKind::Conditional { condition, then, otherwise } => {
            let then = then.as_ref().map_or(String::new(), |e| format!(" {}", expr(e)));
            format!("(? {}{then} {})", expr(condition), expr(otherwise))
        }
        ExprKind::Call { callee, args } => format!("{}({})", callee_text(callee), exprs(args)),
        ExprKind::Subscript { base, index } => format!("{}[{}]", expr(base), expr(index)),
        ExprKind::Member { base, is_arrow, name: n } => {
            format!("{}{}{}", expr(base), if *is_arrow { "->" } else { "." }, name(n))
        }
        ExprKind::PointedMember { base, is_arrow, pointer } => {
            format!("({} {} {})", if *is_arrow { "->*" } else { ".*" }, expr(base), expr(pointer))
        }
        ExprKind::CStyleCast { ty, operand } => format!("(cast {} {})", type_text(ty), expr(operand)),
        ExprKind::NamedCast { kind, ty, operand } => {
            let kind = match kind {
                NamedCast::Static => "static_cast",
                NamedCast::Const => "const_cast",
                NamedCast::Reinterpret => "reinterpret_cast",
                NamedCast::Dynamic => "dynamic_cast",
            };
            format!("({kind} {} {})", type_text(ty), expr(operand))
        }
        ExprKind::Construct { ty, args } => format!("(new {})({})", type_text(ty), exprs(args)),
        ExprKind::BraceConstruct { ty, args } => format!("(new {}){{{}}}", type_text(ty), exprs(args)),
        ExprKind::InitList(list) => format!("{{{}}}", exprs(list)),
        ExprKind::Designated { field, value } => format!(".{field} = {}", expr(value)),
        ExprKind::DesignatedIndex { first, last, value } => {
            let last = last.as_ref().map_or(String::new(), |e| format!(" ... {}", expr(e)));
            format!("[{}{last}] = {}", expr(first), expr(value))
        }
        ExprKind::SizeofType(ty) => format!("(sizeof-type {})", type_text(ty)),
        ExprKind::SizeofExpr(inner) => format!("(sizeof {})", expr(inner)),
        ExprKind::AlignofType(ty) => format!("(alignof {})", type_text(ty)),
        ExprKind::SizeofPack(pack) => format!("(sizeof... {pack})"),
        ExprKind::Pack(inner) => format!("{}...", expr(inner)),
        ExprKind::Fold { op, is_left, pack, init } => {
            let direction = if *is_left { "fold-left" } else { "fold-right" };
            let op = match op {
                FoldOperator::Comma => ",".to_owned(),
                FoldOperator::Binary(op) => binary(*op).to_owned(),
                FoldOperator::Assign(op) => format!("{}=", op.map_or("", binary)),
            };
            let init = init.as_ref().map_or(String::new(), |e| format!(" from {}", expr(e)));
            format!("({direction} {op} {}{init})", expr(pack))
        }
        ExprKind::Lambda(lambda) => lambda_text(lambda),
        ExprKind::Statements(body) => {
            let count = if let StmtKind::Compound(list) = &body.kind { list.len() } else { 1 };
            format!("(statements {count})")
        }
        ExprKind::Type(ty) => format!("(type {})", type_text(ty)),
        ExprKind::Noexcept(inner) => format!("(noexcept {})", expr(inner)),
        ExprKind::Error => "<error>".into(),
    }
}

fn callee_text(callee: &Expr) -> String {
    match callee.kind {
        ExprKind::Name(_) | ExprKind::Member { .. } | ExprKind::Paren(_) => expr(callee),
        _ => format!("(call {})", expr(callee)),
    }
}

/// A lambda stays on its line; its statements are separated by `;`.
fn lambda_text(lambda: &LambdaExpr) -> String {
    let mut captures: Vec<String> = Vec::new();
    match lambda.default_capture {
        Some(CaptureDefault::ByCopy) => captures.push("=".into()),
        Some(CaptureDefault::ByReference) => captures.push("&".into()),
        None => {}
    }
    for capture in &lambda.captures {
        let reference = if capture.by_reference { "&" } else { "" };
        let captured = capture.name.map_or("this".to_string(), |n| n.to_string());
        let init = capture.init.as_ref().map_or(String::new(), |e| format!(" = {}", expr(e)));
        captures.push(format!("{reference}{captured}{init}"));
    }
    let template = lambda.template.as_ref().map_or(String::new(), |t| template_headers(std::slice::from_ref(t)));
    let ret = lambda.ret.as_ref().map_or(String::new(), |ty| format!(" -> {}", type_text(ty)));
    let mutable = if lambda.is_mutable { " mutable" } else { "" };
    let body = Printer::nested_text(|p| p.stmt(&lambda.body));
    let body: Vec<&str> = body.lines().map(str::trim).collect();
    let params = join(&lambda.params, ", ", param);
    format!("(lambda [{}] {template}({params}){mutable}{ret} {{{}}})", captures.join(", "), body.join("; "))
}
