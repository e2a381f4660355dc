//! One-word names mentioned in a piece of syntax: how pack expansions find their packs, and lambdas what they use.

use msl_base::Symbol;
use msl_syntax::ast::*;

pub fn names_in_arg(arg: &TemplateArg, out: &mut Vec<Symbol>) {
    match arg {
        TemplateArg::Type(t) => names_in_type(t, out),
        TemplateArg::Expr(e) => names_in_expr(e, out),
        TemplateArg::Ambiguous(n) => names_in_name(n, out),
        TemplateArg::Pack(inner) => names_in_arg(inner, out),
    }
}

pub fn names_in_name(name: &Name, out: &mut Vec<Symbol>) {
    for (i, s) in name.segments.iter().enumerate() {
        match &s.ident {
            Ident::Name(n) if i == 0 && !name.is_global => out.push(*n),
            Ident::Conversion(t) => names_in_type(t, out),
            Ident::Decltype(e) => names_in_expr(e, out),
            _ => {}
        }
        for a in s.template_args.iter().flatten() {
            names_in_arg(a, out);
        }
    }
}

pub fn names_in_type(ty: &TypeExpr, out: &mut Vec<Symbol>) {
    match &ty.kind {
        TypeExprKind::Named { name, .. } => names_in_name(name, out),
        TypeExprKind::Decltype(e) => names_in_expr(e, out),
        TypeExprKind::MemberPointer { class, member } => {
            names_in_type(class, out);
            names_in_type(member, out);
        }
        TypeExprKind::Pointer(t)
        | TypeExprKind::LValueRef(t)
        | TypeExprKind::RValueRef(t)
        | TypeExprKind::Pack(t)
        | TypeExprKind::Qualified { inner: t, .. } => names_in_type(t, out),
        TypeExprKind::Array { element, size } => {
            names_in_type(element, out);
            if let Some(e) = size {
                names_in_expr(e, out);
            }
        }
        TypeExprKind::Function { ret, params, .. } => {
            names_in_type(ret, out);
            params.iter().for_each(|p| names_in_type(&p.ty, out));
        }
        TypeExprKind::Builtin(_)
        | TypeExprKind::Auto
        | TypeExprKind::DecltypeAuto
        | TypeExprKind::Class(_)
        | TypeExprKind::Enum(_)
        | TypeExprKind::Error => {}
    }
}

pub fn names_in_exprs(list: &[Expr], out: &mut Vec<Symbol>) {
    list.iter().for_each(|e| names_in_expr(e, out));
}

pub fn names_in_expr(e: &Expr, out: &mut Vec<Symbol>) {
    match &e.kind {
        ExprKind::This => out.push(Symbol::new("this")),
        ExprKind::Name(n) => names_in_name(n, out),
        ExprKind::Paren(i)
        | ExprKind::Unary { operand: i, .. }
        | ExprKind::Postfix { operand: i, .. }
        | ExprKind::SizeofExpr(i)
        | ExprKind::Pack(i)
        | ExprKind::Noexcept(i)
        | ExprKind::Designated { value: i, .. } => names_in_expr(i, out),
        ExprKind::Binary { left, right, .. } | ExprKind::Assign { left, right, .. } | ExprKind::Comma(left, right) => {
            names_in_expr(left, out);
            names_in_expr(right, out);
        }
        ExprKind::Conditional { condition, then, otherwise } => {
            names_in_expr(condition, out);
            then.iter().for_each(|e| names_in_expr(e, out));
            names_in_expr(otherwise, out);
        }
        ExprKind::Call { callee, args } => {
            names_in_expr(callee, out);
            names_in_exprs(args, out);
        }
        ExprKind::Subscript { base, index } => {
            names_in_expr(base, out);
            names_in_expr(index, out);
        }
        ExprKind::PointedMember { base, pointer, .. } => {
            names_in_expr(base, out);
            names_in_expr(pointer, out);
        }
        ExprKind::Member { base, name, .. } => {
            names_in_expr(base, out);
            for s in &name.segments {
                s.template_args.iter().flatten().for_each(|a| names_in_arg(a, out));
            }
        }
        ExprKind::CStyleCast { ty, operand } | ExprKind::NamedCast { ty, operand, .. } => {
            names_in_type(ty, out);
            names_in_expr(operand, out);
        }
        ExprKind::Construct { ty, args } | ExprKind::BraceConstruct { ty, args } => {
            names_in_type(ty, out);
            names_in_exprs(args, out);
        }
        ExprKind::InitList(items) => names_in_exprs(items, out),
        ExprKind::DesignatedIndex { first, last, value } => {
            names_in_expr(first, out);
            if let Some(l) = last {
                names_in_expr(l, out);
            }
            names_in_expr(value, out);
        }
        ExprKind::SizeofType(t) | ExprKind::AlignofType(t) | ExprKind::Type(t) => names_in_type(t, out),
        ExprKind::Fold { pack, init, .. } => {
            names_in_expr(pack, out);
            if let Some(i) = init {
                names_in_expr(i, out);
            }
        }
        ExprKind::Statements(body) => names_in_stmt(body, out),
        ExprKind::Lambda(l) => {
            for c in &l.captures {
                out.extend(c.name);
                if c.name.is_none() {
                    out.push(Symbol::new("this"));
                }
                if let Some(i) = &c.init {
                    names_in_expr(i, out);
                }
            }
            l.params.iter().for_each(|p| names_in_type(&p.ty, out));
            names_in_stmt(&l.body, out);
        }
        // The packs counted are not expanded by what is around.
        ExprKind::SizeofPack(_)
        | ExprKind::Bool(_)
        | ExprKind::Integer { .. }
        | ExprKind::Float { .. }
        | ExprKind::Char(_)
        | ExprKind::String(_)
        | ExprKind::Nullptr
        | ExprKind::Error => {}
    }
}

pub fn names_in_initializer(init: &Initializer, out: &mut Vec<Symbol>) {
    match init {
        Initializer::Copy(e) => names_in_expr(e, out),
        Initializer::Paren(list, _) | Initializer::Brace(list, _) => names_in_exprs(list, out),
    }
}

fn names_in_variable(v: &VariableDecl, out: &mut Vec<Symbol>) {
    names_in_type(&v.ty, out);
    if let Some(i) = &v.init {
        names_in_initializer(i, out);
    }
}

fn names_in_decl(d: &Decl, out: &mut Vec<Symbol>) {
    match &d.kind {
        DeclKind::Variable(v) => names_in_variable(v, out),
        DeclKind::Alias(a) => names_in_type(&a.ty, out),
        DeclKind::StaticAssert { condition, .. } => names_in_expr(condition, out),
        _ => {}
    }
}

fn names_in_condition(c: &Condition, out: &mut Vec<Symbol>) {
    match c {
        Condition::Expr(e) => names_in_expr(e, out),
        Condition::Decl(v) => names_in_variable(v, out),
    }
}

pub fn names_in_stmt(s: &Stmt, out: &mut Vec<Symbol>) {
    match &s.kind {
        StmtKind::Compound(list) => list.iter().for_each(|s| names_in_stmt(s, out)),
        StmtKind::Decl(decls) => decls.iter().for_each(|d| names_in_decl(d, out)),
        StmtKind::StructuredBinding { ty, init, .. } => {
            names_in_type(ty, out);
            names_in_expr(init, out);
        }
        StmtKind::Expr(e) => names_in_expr(e, out),
        StmtKind::If { init, condition, then, otherwise, .. } => {
            init.iter().for_each(|s| names_in_stmt(s, out));
            names_in_condition(condition, out);
            names_in_stmt(then, out);
            otherwise.iter().for_each(|s| names_in_stmt(s, out));
        }
        StmtKind::Switch { init, condition, body } => {
            init.iter().for_each(|s| names_in_stmt(s, out));
            names_in_condition(condition, out);
            names_in_stmt(body, out);
        }
        StmtKind::Case { value, upper, body } => {
            names_in_expr(value, out);
            upper.iter().for_each(|e| names_in_expr(e, out));
            names_in_stmt(body, out);
        }
        StmtKind::Default(body) => names_in_stmt(body, out),
        StmtKind::While { condition, body, .. } => {
            names_in_condition(condition, out);
            names_in_stmt(body, out);
        }
        StmtKind::DoWhile { body, condition, .. } => {
            names_in_stmt(body, out);
            names_in_expr(condition, out);
        }
        StmtKind::For { init, condition, step, body, .. } => {
            init.iter().for_each(|s| names_in_stmt(s, out));
            condition.iter().for_each(|c| names_in_condition(c, out));
            step.iter().for_each(|e| names_in_expr(e, out));
            names_in_stmt(body, out);
        }
        StmtKind::RangeFor { variable, range, body, .. } => {
            names_in_type(&variable.ty, out);
            names_in_expr(range, out);
            names_in_stmt(body, out);
        }
        StmtKind::Return(Some(init)) => names_in_initializer(init, out),
        StmtKind::Return(None)
        | StmtKind::Break
        | StmtKind::Continue
        | StmtKind::FpPragma(_)
        | StmtKind::Empty
        | StmtKind::Error => {}
    }
}
