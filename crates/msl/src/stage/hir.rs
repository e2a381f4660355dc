//! The resolved program as text, for people who work on the compiler. Close to MSL, with every conversion and load
//! written out; not meant to be read back.

use std::fmt::Write;

use msl_sema::hir::*;
use msl_sema::types::{AddressSpace, Scalar, Ty, TyKind};

pub fn print(program: &Program) -> String {
    let mut p = Printer { program, out: String::new(), function: None };
    for (id, class) in program.classes.iter() {
        let word = if class.is_union { "union" } else { "struct" };
        let _ = writeln!(p.out, "{word} {id} {} // size {}, align {}", class.name, class.size, class.align);
        for f in &class.fields {
            let name = f.name.map_or("_".into(), |n| n.to_string());
            let base = if f.is_base { "base " } else { "" };
            let _ = writeln!(p.out, "    +{} {base}{name}: {}", f.offset, p.ty(f.ty));
        }
    }
    for (id, global) in program.globals.iter() {
        let storage = match &global.storage {
            GlobalStorage::Constant(bytes) => format!("constant, {} bytes", bytes.len()),
            GlobalStorage::Threadgroup => "threadgroup".into(),
            GlobalStorage::Resource => "resource".into(),
        };
        let _ = writeln!(p.out, "{id} {}: {} // {storage}", global.name, p.ty(global.ty));
    }
    for (id, function) in program.functions.iter() {
        p.function(id, function);
    }
    for entry in &program.entry_points {
        let _ = writeln!(p.out, "kernel {} = {}", entry.name, entry.function);
        for input in &entry.inputs {
            let _ = writeln!(p.out, "    {}: {} = {:?}", input.name, p.ty(input.ty), input.kind);
        }
    }
    p.out
}

struct Printer<'p> {
    program: &'p Program,
    out: String,
    function: Option<&'p Function>,
}

fn scalar(s: Scalar) -> &'static str {
    match s {
        Scalar::Bool => "bool",
        Scalar::Char => "char",
        Scalar::UChar => "uchar",
        Scalar::Short => "short",
        Scalar::UShort => "ushort",
        Scalar::Int => "int",
        Scalar::UInt => "uint",
        Scalar::Long => "long",
        Scalar::ULong => "ulong",
        Scalar::Half => "half",
        Scalar::BFloat => "bfloat",
        Scalar::Float => "float",
    }
}

fn space(s: AddressSpace) -> &'static str {
    match s {
        AddressSpace::Thread => "thread",
        AddressSpace::Device => "device",
        AddressSpace::Constant => "constant",
        AddressSpace::Threadgroup => "threadgroup",
    }
}

impl<'p> Printer<'p> {
    fn ty(&self, ty: Ty) -> String {
        match self.program.types.kind(ty) {
            TyKind::Error => "error".into(),
            TyKind::Void => "void".into(),
            TyKind::NullPtr => "nullptr_t".into(),
            TyKind::Scalar(s) => scalar(*s).into(),
            TyKind::Vector(s, n) => format!("{}{n}", scalar(*s)),
            TyKind::PackedVector(s, n) => format!("packed_{}{n}", scalar(*s)),
            TyKind::Pointer { pointee, quals, space: s } => {
                let quals = if quals.is_const { " const" } else { "" };
                format!("{} {}{quals}*", space(*s), self.ty(*pointee))
            }
            TyKind::Reference { referent, space: s, .. } => format!("{} {}&", space(*s), self.ty(*referent)),
            TyKind::Array { element, len, .. } => format!("{}[{}]", self.ty(*element), len.unwrap_or(0)),
            TyKind::Class(id) => self.program.classes[*id].name.to_string(),
            TyKind::Enum(id) => self.program.enums[*id].name.to_string(),
            TyKind::MemberPointer { class, member, .. } => {
                format!("{} {}::*", self.ty(*member), self.program.classes[*class].name)
            }
            TyKind::Function { .. } => "function".into(),
        }
    }

    fn line(&mut self, depth: usize, text: &str) {
        let _ = writeln!(self.out, "{}{text}", "    ".repeat(depth));
    }

    fn function(&mut self, id: FunctionId, f: &'p Function) {
        self.function = Some(f);
        let params: Vec<String> = f
            .locals
            .iter()
            .take(f.param_count as usize)
            .map(|(id, l)| format!("{}: {}", self.local(id), self.ty(l.ty)))
            .collect();
        let head = format!("{id} {}({}) -> {} {{", f.name, params.join(", "), self.ty(f.ret));
        self.line(0, &head);
        match &f.body {
            Some(body) => self.block(body, 1),
            None => self.line(1, "// no body"),
        }
        self.line(0, "}");
    }

    fn local(&self, id: LocalId) -> String {
        match self.function.and_then(|f| f.locals.get(id)).and_then(|l| l.name) {
            Some(name) => format!("{name}.{}", id.0),
            None => format!("_.{}", id.0),
        }
    }

    fn block(&mut self, block: &'p Block, depth: usize) {
        for stmt in block {
            self.stmt(stmt, depth);
        }
    }

    fn stmt(&mut self, stmt: &'p Stmt, depth: usize) {
        match &stmt.kind {
            StmtKind::Variable { local, init } => {
                let ty = self.function.and_then(|f| f.locals.get(*local)).map_or("?".into(), |l| self.ty(l.ty));
                let init = init.as_ref().map_or(String::new(), |e| format!(" = {}", self.expr(e)));
                let text = format!("{}: {ty}{init};", self.local(*local));
                self.line(depth, &text);
            }
            StmtKind::Expr(e) => {
                let text = format!("{};", self.expr(e));
                self.line(depth, &text);
            }
            StmtKind::Block(block) => {
                self.line(depth, "{");
                self.block(block, depth + 1);
                self.line(depth, "}");
            }
            StmtKind::If { condition, then, otherwise } => {
                let text = format!("if ({}) {{", self.expr(condition));
                self.line(depth, &text);
                self.block(then, depth + 1);
                if !otherwise.is_empty() {
                    self.line(depth, "} else {");
                    self.block(otherwise, depth + 1);
                }
                self.line(depth, "}");
            }
            StmtKind::For { condition, step, body, .. } => {
                let part = |e: &Option<Expr>| e.as_ref().map_or(String::new(), |e| self.expr(e));
                let text = format!("for (; {}; {}) {{", part(condition), part(step));
                self.line(depth, &text);
                self.block(body, depth + 1);
                self.line(depth, "}");
            }
            StmtKind::DoWhile { body, condition, .. } => {
                self.line(depth, "do {");
                self.block(body, depth + 1);
                let text = format!("}} while ({});", self.expr(condition));
                self.line(depth, &text);
            }
            StmtKind::Switch { value, cases } => {
                let text = format!("switch ({}) {{", self.expr(value));
                self.line(depth, &text);
                for case in cases {
                    let default = if case.is_default { " default" } else { "" };
                    let text = format!("case {:?}{default}:", case.values);
                    self.line(depth, &text);
                    self.block(&case.body, depth + 1);
                }
                self.line(depth, "}");
            }
            StmtKind::Break => self.line(depth, "break;"),
            StmtKind::Continue => self.line(depth, "continue;"),
            StmtKind::Return(value) => {
                let text = value.as_ref().map_or("return;".into(), |e| format!("return {};", self.expr(e)));
                self.line(depth, &text);
            }
        }
    }

    fn list(&self, list: &[Expr]) -> String {
        list.iter().map(|e| self.expr(e)).collect::<Vec<_>>().join(", ")
    }

    fn expr(&self, e: &Expr) -> String {
        let ty = || self.ty(e.ty);
        match &e.kind {
            ExprKind::Local(id) => self.local(*id),
            ExprKind::Global(id) => format!("{}", self.program.globals[*id].name),
            ExprKind::Deref(p) => format!("*({})", self.expr(p)),
            ExprKind::Field { base, field } => {
                let name = match self.program.types.kind(base.ty) {
                    TyKind::Class(id) => self.program.classes[*id].fields.get(*field as usize).and_then(|f| f.name),
                    _ => None,
                };
                match name {
                    Some(name) => format!("{}.{name}", self.expr(base)),
                    None => format!("{}.{field}", self.expr(base)),
                }
            }
            ExprKind::Index { base, index } => format!("{}[{}]", self.expr(base), self.expr(index)),
            ExprKind::Swizzle { base, components } => {
                let names: String = components.iter().map(|&c| ['x', 'y', 'z', 'w'][usize::from(c & 3)]).collect();
                format!("{}.{names}", self.expr(base))
            }
            ExprKind::Temporary(v) => format!("temporary({})", self.expr(v)),
            ExprKind::Constant(bits) => match self.program.types.kind(e.ty) {
                TyKind::Scalar(Scalar::Float) => format!("{:?}f", f32::from_bits(*bits as u32)),
                TyKind::Scalar(Scalar::Int) => format!("{}", *bits as i32),
                TyKind::Scalar(Scalar::Bool) => format!("{}", *bits != 0),
                _ => format!("{bits}:{}", ty()),
            },
            ExprKind::String(s) => format!("{:?}", s.as_str()),
            ExprKind::Zero => format!("{}{{}}", ty()),
            ExprKind::Load(o) => format!("load {}", self.expr(o)),
            ExprKind::AddressOf(o) => format!("&{}", self.expr(o)),
            ExprKind::Unary(op, a, _) => format!("{op:?}({})", self.expr(a)),
            ExprKind::Binary(op, a, b, _) => format!("({} {op:?} {})", self.expr(a), self.expr(b)),
            ExprKind::Compare(op, a, b) => format!("({} {op:?} {})", self.expr(a), self.expr(b)),
            ExprKind::And(a, b) => format!("({} && {})", self.expr(a), self.expr(b)),
            ExprKind::Or(a, b) => format!("({} || {})", self.expr(a), self.expr(b)),
            ExprKind::Conditional { condition, then, otherwise } => {
                format!("({} ? {} : {})", self.expr(condition), self.expr(then), self.expr(otherwise))
            }
            ExprKind::Comma(a, b) => format!("({}, {})", self.expr(a), self.expr(b)),
            ExprKind::PointerOffset { base, offset } => format!("({} +* {})", self.expr(base), self.expr(offset)),
            ExprKind::PointerDifference(a, b) => format!("({} -* {})", self.expr(a), self.expr(b)),
            ExprKind::Assign { left, right } => format!("({} = {})", self.expr(left), self.expr(right)),
            ExprKind::CompoundAssign { op, left, right, .. } => {
                format!("({} {op:?}= {})", self.expr(left), self.expr(right))
            }
            ExprKind::IncDec { operand, is_increment, is_prefix } => {
                let op = if *is_increment { "++" } else { "--" };
                let operand = self.expr(operand);
                if *is_prefix { format!("{op}{operand}") } else { format!("{operand}{op}") }
            }
            ExprKind::Convert(c, inner) => format!("{c:?}<{}>({})", ty(), self.expr(inner)),
            ExprKind::ConstructVector(parts) => format!("{}({})", ty(), self.list(parts)),
            ExprKind::ConstructClass { fields } => {
                let list: Vec<String> = fields.iter().map(|(i, e)| format!(".{i} = {}", self.expr(e))).collect();
                format!("{}{{{}}}", ty(), list.join(", "))
            }
            ExprKind::ConstructArray(list) => format!("{}{{{}}}", ty(), self.list(list)),
            ExprKind::FillArray(list, rest) => format!("{}{{{}; {}...}}", ty(), self.list(list), self.expr(rest)),
            ExprKind::ConstructorCall { function, args } => {
                format!("new {}:{function}({})", self.program.functions[*function].name, self.list(args))
            }
            ExprKind::Call { function, args } => {
                format!("{}:{function}({})", self.program.functions[*function].name, self.list(args))
            }
            ExprKind::Intrinsic { intrinsic, args, .. } => {
                format!("{}<{}>({})", intrinsic.name(), ty(), self.list(args))
            }
            ExprKind::Builtin(b) => format!("{b:?}"),
            ExprKind::Block(block, value) => {
                let mut inner = Printer { program: self.program, out: String::new(), function: self.function };
                for stmt in block {
                    inner.stmt(stmt, 0);
                }
                let value = value.as_ref().map_or(String::new(), |e| self.expr(e));
                format!("({{ {} {value} }})", inner.out.replace('\n', " "))
            }
            ExprKind::Error => "<error>".into(),
        }
    }
}
