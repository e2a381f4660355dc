//! Declarations, a line each with what they hold below.

use crate::ast::*;
use crate::dump::Printer;
use crate::dump::expr::expr;
use crate::dump::names::{attributes, join, name, param, qualifiers, template_headers, type_text};
use crate::dump::stmt::{fp_pragma, initializer};

impl Printer {
    pub(super) fn decl(&mut self, decl: &Decl) {
        match &decl.kind {
            DeclKind::Namespace { name, is_inline, decls } => {
                let inline = if *is_inline { "inline " } else { "" };
                let n = name.map_or("<anonymous>".to_string(), |n| n.to_string());
                self.line(&format!("{inline}namespace {n}"));
                self.inside(|p| decls.iter().for_each(|d| p.decl(d)));
            }
            DeclKind::NamespaceAlias { name: alias, target } => {
                self.line(&format!("namespace {alias} = {}", name(target)));
            }
            DeclKind::UsingDirective(n) => self.line(&format!("using namespace {}", name(n))),
            DeclKind::UsingEnum(n) => self.line(&format!("using enum {}", name(n))),
            DeclKind::Using { name: n, has_typename, is_pack } => {
                let dots = if *is_pack { "..." } else { "" };
                self.line(&format!("using {}{}{dots}", if *has_typename { "typename " } else { "" }, name(n)));
            }
            DeclKind::Alias(alias) => {
                let template =
                    alias.template.as_ref().map_or(String::new(), |t| template_headers(std::slice::from_ref(t)));
                let ty = type_text(&alias.ty);
                self.line(&format!("{template}alias {} = {ty}{}", alias.name, attributes(&alias.attributes)));
                self.type_members(&alias.ty);
            }
            DeclKind::Class(class) => self.class(class),
            DeclKind::Enum(decl) => self.enumeration(decl),
            DeclKind::Function(function) => self.function("fn", function),
            DeclKind::Variable(variable) => self.variable(variable),
            DeclKind::StaticAssert { condition, message } => {
                let message = message.map_or(String::new(), |m| format!(", {:?}", m.as_str()));
                self.line(&format!("static_assert {}{message}", expr(condition)));
            }
            DeclKind::ExplicitInstantiation { is_extern, decl } => {
                self.line(if *is_extern { "extern instantiate" } else { "instantiate" });
                self.inside(|p| p.decl(decl));
            }
            DeclKind::Friend(decl) => {
                self.line("friend");
                self.inside(|p| p.decl(decl));
            }
            DeclKind::DeductionGuide(function) => self.function("guide", function),
            DeclKind::FpPragma(pragma) => self.line(fp_pragma(*pragma)),
            DeclKind::Empty => self.line("empty"),
            DeclKind::Error => self.line("<error>"),
        }
    }

    /// Members of a class that is defined inside a type.
    fn type_members(&mut self, ty: &TypeExpr) {
        match &ty.kind {
            TypeExprKind::Class(class) => self.inside(|p| p.members(class)),
            TypeExprKind::Enum(decl) => self.inside(|p| p.enumerators(decl)),
            TypeExprKind::Qualified { inner, .. } | TypeExprKind::Pointer(inner) => self.type_members(inner),
            TypeExprKind::Array { element, .. } => self.type_members(element),
            _ => {}
        }
    }

    fn class(&mut self, class: &ClassDecl) {
        let key = match class.key {
            ClassKey::Struct => "struct",
            ClassKey::Class => "class",
            ClassKey::Union => "union",
        };
        let n = class.name.as_ref().map_or("<anonymous>".into(), name);
        let bases = if class.bases.is_empty() {
            String::new()
        } else {
            let text =
                join(&class.bases, ", ", |b| format!("{}{}", type_text(&b.ty), if b.is_pack { "..." } else { "" }));
            format!(" : {text}")
        };
        let end = if class.members.is_none() { ";" } else { "" };
        let template = template_headers(&class.templates);
        self.line(&format!("{template}{key} {n}{bases}{end}{}", attributes(&class.attributes)));
        self.inside(|p| p.members(class));
    }

    fn members(&mut self, class: &ClassDecl) {
        for member in class.members.iter().flatten() {
            self.decl(member);
        }
    }

    fn enumeration(&mut self, decl: &EnumDecl) {
        let scoped = if decl.is_scoped { " class" } else { "" };
        let n = decl.name.as_ref().map_or("<anonymous>".into(), name);
        let underlying = decl.underlying.as_ref().map_or(String::new(), |ty| format!(" : {}", type_text(ty)));
        self.line(&format!("enum{scoped} {n}{underlying}{}", attributes(&decl.attributes)));
        self.inside(|p| p.enumerators(decl));
    }

    fn enumerators(&mut self, decl: &EnumDecl) {
        for enumerator in decl.enumerators.iter().flatten() {
            let value = enumerator.value.as_ref().map_or(String::new(), |e| format!(" = {}", expr(e)));
            self.line(&format!("{}{value}", enumerator.name));
        }
    }

    fn function(&mut self, word: &str, function: &FunctionDecl) {
        let stage = match function.stage {
            StageKeyword::Kernel => "kernel ",
            StageKeyword::Vertex => "vertex ",
            StageKeyword::Fragment => "fragment ",
            StageKeyword::None => "",
        };
        let word = match function.kind {
            FunctionKind::Ordinary => word,
            FunctionKind::Constructor => "constructor",
            FunctionKind::Destructor => "destructor",
            FunctionKind::Conversion => "conversion",
        };
        let mut params = join(&function.params, ", ", param);
        if function.is_variadic {
            params.push_str(if params.is_empty() { "..." } else { ", ..." });
        }
        let quals = match qualifiers(function.this_quals) {
            text if text.is_empty() => text,
            text => format!(" {text}"),
        };
        let body = match &function.body {
            FunctionBody::None => ";",
            FunctionBody::Defaulted => " = default",
            FunctionBody::Deleted => " = delete",
            FunctionBody::Block { .. } => "",
        };
        let ret = match function.kind {
            FunctionKind::Ordinary => format!(" -> {}", type_text(&function.ret)),
            _ => String::new(),
        };
        let head = format!(
            "{}{}{stage}{word} {}({params}){quals}{ret}{}{body}",
            template_headers(&function.templates),
            flags(function.flags),
            name(&function.name),
            attributes(&function.attributes),
        );
        self.line(&head);
        if let FunctionBody::Block { initializers, body } = &function.body {
            self.inside(|p| {
                for init in initializers {
                    let pack = if init.is_pack { "..." } else { "" };
                    p.line(&format!("init {}{}{pack}", name(&init.name), initializer(&init.init)));
                }
                p.stmt(body);
            });
        }
    }

    fn variable(&mut self, variable: &VariableDecl) {
        let init = variable.init.as_ref().map_or(String::new(), |i| format!(" {}", initializer(i)));
        let bits = variable.bits.as_ref().map_or(String::new(), |e| format!(" : {}", expr(e)));
        let head = format!(
            "{}{}var {}: {}{bits}{init}{}",
            template_headers(&variable.templates),
            flags(variable.flags),
            name(&variable.name),
            type_text(&variable.ty),
            attributes(&variable.attributes),
        );
        self.line(&head);
        self.type_members(&variable.ty);
    }
}

fn flags(flags: DeclFlags) -> String {
    let words = [
        (flags.is_extern, "extern "),
        (flags.is_static, "static "),
        (flags.is_inline, "inline "),
        (flags.is_constexpr, "constexpr "),
        (flags.is_explicit, "explicit "),
        (flags.is_mutable, "mutable "),
        (flags.is_virtual, "virtual "),
        (flags.is_thread_local, "thread_local "),
    ];
    words.iter().filter(|(set, _)| *set).map(|(_, word)| *word).collect()
}
