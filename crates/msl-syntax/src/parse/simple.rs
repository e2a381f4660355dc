//! Simple declarations: specifiers and declarators, which give variables, typedefs, functions and structured bindings.
//!
//! Names are declared before their initialiser is read. C++ [dcl.decl], [dcl.init], [dcl.struct.bind].

use std::sync::Arc;

use msl_base::{Diagnostic, Span, Symbol};

use super::Parser;
use super::decl::{Context, Terminator};
use super::declarator::{DeclaratorMode, function_type};
use super::function::function_kind;
use super::lookahead::At;
use super::name::last_symbol;
use super::scope::Entity;
use super::specifiers::{Expecting, Specifiers, qualify};
use crate::ast::*;
use crate::token::{Punct, TokenKind};

impl Parser<'_> {
    /// Specifiers and declarators. Returns a structured binding where that is what stood here.
    pub(super) fn parse_simple_declaration(
        &mut self,
        context: Context,
        templates: Vec<TemplateHeader>,
        terminator: Terminator,
        out: &mut Vec<Decl>,
    ) -> Option<StmtKind> {
        let start = self.span();
        let before = self.pos;
        let mut specifiers = self.parse_specifiers(Expecting::Declaration(context, &templates));
        let declares_tag = specifiers.tag.is_some();
        if let Some(tag) = specifiers.tag.take() {
            let span = tag.span;
            out.push(if specifiers.is_friend { Decl { kind: DeclKind::Friend(Box::new(tag)), span } } else { tag });
        }
        if self.at(Punct::Semi) && self.pos > before {
            if !declares_tag {
                if specifiers.is_friend {
                    let kind = DeclKind::Friend(Box::new(Decl { kind: DeclKind::Empty, span: start }));
                    out.push(Decl { kind, span: self.since(start) });
                } else if specifiers.ty.is_some() {
                    self.diagnostics.push(Diagnostic::warning(
                        "declares-nothing",
                        specifiers.span,
                        "this declaration declares nothing",
                    ));
                }
            }
            if terminator == Terminator::Semicolon {
                self.bump();
            }
            return None;
        }
        if declares_tag && self.is_definition_unterminated() {
            self.expect_semicolon("definition");
            return None;
        }
        if context == Context::Block && self.is_structured_binding(&specifiers) {
            return Some(self.parse_structured_binding(specifiers, terminator));
        }
        if self.pos == before && !self.at_name() && !self.at(Punct::Tilde) {
            self.error_here("unexpected-token", "expected a declaration");
            self.skip_to_statement_end();
            return None;
        }
        loop {
            let is_body = self.parse_init_declarator(context, start, &specifiers, &templates, terminator, out);
            match is_body {
                // A function body or an error that was skipped ends the declaration.
                DeclaratorEnd::Done => return None,
                DeclaratorEnd::Open => {}
            }
            if terminator == Terminator::Semicolon {
                self.skip_foreign_semantic();
            }
            if terminator == Terminator::Condition || !self.eat(Punct::Comma) {
                break;
            }
        }
        if terminator == Terminator::Semicolon {
            self.expect_semicolon("declaration");
        }
        None
    }

    /// After the `}` of a class: whether what follows is the next declaration rather than a declarator.
    fn is_definition_unterminated(&self) -> bool {
        let closes = self.tokens[self.pos.saturating_sub(1)].is(Punct::RBrace);
        let may_declare = match self.kind() {
            TokenKind::Identifier(_) => !(self.cur().at_line_start && self.is_declaration_ahead(At::new(self.pos))),
            TokenKind::Punct(p) => {
                matches!(p, Punct::Star | Punct::Amp | Punct::AmpAmp | Punct::LParen | Punct::ColonColon | Punct::Comma)
            }
            _ => false,
        };
        closes && !may_declare
    }

    fn parse_init_declarator(
        &mut self,
        context: Context,
        start: Span,
        specifiers: &Specifiers,
        templates: &[TemplateHeader],
        terminator: Terminator,
        out: &mut Vec<Decl>,
    ) -> DeclaratorEnd {
        let declarator_start = self.span();
        let base = specifiers
            .ty
            .clone()
            .unwrap_or(TypeExpr { kind: TypeExprKind::Builtin(BuiltinType::Void), span: declarator_start });
        let mut declarator = self.parse_declarator(base, DeclaratorMode::Declaration(context));
        let Some(name) = declarator.name.take() else {
            if matches!(context, Context::Class(_)) && self.eat(Punct::Colon) {
                let name = Name { is_global: false, segments: Vec::new(), span: self.prev_span };
                let bits = Some(self.parse_conditional());
                let span = self.since(declarator_start);
                let decl = VariableDecl {
                    name,
                    flags: specifiers.flags,
                    templates: Vec::new(),
                    ty: declarator.ty,
                    init: None,
                    attributes: Vec::new(),
                    bits,
                    span,
                };
                out.push(Decl { kind: DeclKind::Variable(Arc::new(decl)), span });
                return DeclaratorEnd::Open;
            }
            match self.tokens[self.pos.saturating_sub(1)] {
                token if self.pos > 0 && matches!(token.kind, TokenKind::Keyword(_)) && !self.at_name() => {
                    let word = self.source.text(token.span).to_owned();
                    let message = format!("expected a name, but '{word}' is a keyword");
                    self.error("expected-name", token.span, message);
                }
                _ => self.error_here("expected-name", "expected the name of what is declared"),
            }
            self.skip_to_statement_end();
            return DeclaratorEnd::Done;
        };
        let kind = function_kind(&name, context, specifiers);
        let mut attributes = specifiers.attributes.clone();
        attributes.append(&mut declarator.attributes);
        if declarator.function.is_some() && !specifiers.is_typedef {
            return self.parse_function(context, start, specifiers, templates, name, kind, declarator, attributes, out);
        }
        let mut ty = function_type(declarator);
        if specifiers.ty.is_none() {
            self.diagnostics.push(
                Diagnostic::error("missing-type", name.span, "this declaration has no type")
                    .help("write a type before the name"),
            );
            ty = TypeExpr { kind: TypeExprKind::Error, span: name.span };
        }
        if specifiers.is_typedef {
            let Some(symbol) = last_symbol(&name) else {
                self.error("expected-name", name.span, "a typedef needs a plain name");
                return DeclaratorEnd::Open;
            };
            let scope = self.scope_of_type(&ty);
            self.declare(symbol, Entity::Type(scope));
            let span = self.since(start);
            let alias = AliasDecl { name: symbol, template: None, ty, attributes, span };
            out.push(Decl { kind: DeclKind::Alias(Arc::new(alias)), span });
            return DeclaratorEnd::Open;
        }
        self.declare_value(&name, templates);
        let bits = if matches!(context, Context::Class(_)) && self.eat(Punct::Colon) {
            Some(self.parse_conditional())
        } else {
            None
        };
        let entered = self.enter_qualifiers(&name);
        let init = match terminator {
            Terminator::ForInit if self.at(Punct::Colon) => None,
            _ => self.parse_initializer(context),
        };
        self.leave(entered);
        self.parse_attributes_into(&mut attributes);
        if specifiers.stage != StageKeyword::None {
            // `template kernel f_t f<float>;` declares a function through its type, so keep the word.
            attributes.push(Attribute {
                namespace: None,
                name: Symbol::new(match specifiers.stage {
                    StageKeyword::Vertex => "vertex",
                    StageKeyword::Fragment => "fragment",
                    StageKeyword::Kernel | StageKeyword::None => "kernel",
                }),
                args: Vec::new(),
                span: specifiers.span,
            });
        }
        let span = self.since(declarator_start);
        let decl = VariableDecl {
            name,
            flags: specifiers.flags,
            templates: templates.to_vec(),
            ty: hoist_address_space(ty),
            init,
            attributes,
            bits,
            span,
        };
        out.push(Decl { kind: DeclKind::Variable(Arc::new(decl)), span: self.since(start) });
        DeclaratorEnd::Open
    }

    /// Declares a function or variable, unless the name is qualified or a specialisation.
    pub(super) fn declare_value(&mut self, name: &Name, templates: &[TemplateHeader]) {
        if let [segment] = &name.segments[..]
            && segment.template_args.is_none()
            && let Ident::Name(symbol) = segment.ident
        {
            let is_template = templates.iter().any(|header| !header.params.is_empty());
            self.declare(symbol, if is_template { Entity::ValueTemplate } else { Entity::Value });
        }
    }

    /// `= e`, `(…)` or `{…}`.
    pub(super) fn parse_initializer(&mut self, context: Context) -> Option<Initializer> {
        if self.eat(Punct::Eq) {
            return Some(Initializer::Copy(self.parse_initializer_clause()));
        }
        if self.at(Punct::LBrace) {
            let (args, span) = self.parse_brace_list();
            return Some(Initializer::Brace(args, span));
        }
        if self.at(Punct::LParen) && !matches!(context, Context::Class(_)) {
            let (args, span) = self.parse_paren_list();
            return Some(Initializer::Paren(args, span));
        }
        None
    }

    // ---- structured bindings -----------------------------------------------------------

    fn is_structured_binding(&self, specifiers: &Specifiers) -> bool {
        let is_auto = specifiers.ty.as_ref().is_some_and(|ty| match &ty.kind {
            TypeExprKind::Auto => true,
            TypeExprKind::Qualified { inner, .. } => matches!(inner.kind, TypeExprKind::Auto),
            _ => false,
        });
        let skip = usize::from(self.at(Punct::Amp) || self.at(Punct::AmpAmp));
        is_auto && self.peek_is(skip, Punct::LBracket) && matches!(self.peek(skip + 1).kind, TokenKind::Identifier(_))
    }

    fn parse_structured_binding(&mut self, specifiers: Specifiers, terminator: Terminator) -> StmtKind {
        let span = specifiers.span;
        let mut ty = specifiers.ty.unwrap_or(TypeExpr { kind: TypeExprKind::Auto, span });
        if self.eat(Punct::Amp) {
            ty = TypeExpr { kind: TypeExprKind::LValueRef(Box::new(ty)), span };
        } else if self.eat(Punct::AmpAmp) {
            ty = TypeExpr { kind: TypeExprKind::RValueRef(Box::new(ty)), span };
        }
        let open = self.pos;
        self.bump();
        let mut names = Vec::new();
        while let Some(name) = self.expect_identifier("a name to bind") {
            names.push(name);
            if !self.eat(Punct::Comma) {
                break;
            }
        }
        self.expect_close(open, Punct::RBracket);
        for (name, _) in &names {
            self.declare(*name, Entity::Value);
        }
        let init = match self.parse_initializer(Context::Block) {
            Some(Initializer::Copy(e)) => e,
            Some(Initializer::Paren(mut list, span) | Initializer::Brace(mut list, span)) => {
                if list.len() == 1 {
                    list.remove(0)
                } else {
                    self.error("expected-expression", span, "a structured binding takes one value apart");
                    self.error_expr()
                }
            }
            None if terminator == Terminator::ForInit && self.at(Punct::Colon) => self.error_expr(),
            None => {
                self.error_here("expected-token", "expected '=' and the value to take apart");
                self.error_expr()
            }
        };
        if terminator == Terminator::Semicolon {
            self.expect_semicolon("declaration");
        }
        StmtKind::StructuredBinding { names, ty, init }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum DeclaratorEnd {
    /// `,` or the terminator follows.
    Open,
    /// The declaration is over.
    Done,
}

/// The address space of `threadgroup float a[4]` belongs to the variable, so move it outside the array.
fn hoist_address_space(mut ty: TypeExpr) -> TypeExpr {
    fn take(ty: &mut TypeExpr) -> Option<AddressSpaceKeyword> {
        match &mut ty.kind {
            TypeExprKind::Array { element, .. } => take(element),
            TypeExprKind::Qualified { quals, .. } => {
                let space = quals.address_space.take();
                if *quals == Qualifiers::default() {
                    let kind = std::mem::replace(&mut ty.kind, TypeExprKind::Error);
                    if let TypeExprKind::Qualified { inner, .. } = kind {
                        *ty = *inner;
                    }
                }
                space
            }
            _ => None,
        }
    }
    if !matches!(ty.kind, TypeExprKind::Array { .. }) {
        return ty;
    }
    let Some(space) = take(&mut ty) else { return ty };
    let span = ty.span;
    qualify(ty, Qualifiers { address_space: Some(space), ..Qualifiers::default() }, span)
}
