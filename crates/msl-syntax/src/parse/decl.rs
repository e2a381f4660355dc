//! Declarations by their first word: namespaces, using, aliases, linkage, assertions.
//!
//! Every routine appends to a list, because one declaration may give several nodes (`struct S {} a, *b;`).
//! Everything that begins with specifiers is in `simple`. C++ [dcl.dcl].

use std::sync::Arc;

use msl_base::{Diagnostic, Span, Symbol};

use super::Parser;
use super::name::{NameMode, Within, last_symbol};
use super::scope::{Entity, Frame, Scope, ScopeId};
use crate::ast::*;
use crate::token::{Kw, PackPragma, Pragma, Punct, TokenKind};

/// Where a declaration stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Context {
    Namespace,
    /// The class by name, so that constructors are known.
    Class(Option<Symbol>),
    Block,
}

/// What ends a declaration, besides errors.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Terminator {
    Semicolon,
    /// The first part of `for (…)`: stops at `;` or `:`.
    ForInit,
    /// Inside `if (…)`: one variable, stops at `)` or `;`.
    Condition,
}

impl Parser<'_> {
    pub(super) fn parse_declaration(&mut self, context: Context, out: &mut Vec<Decl>) {
        let start = self.span();
        if self.nested(|p| p.parse_declaration_inner(context, Vec::new(), out)).is_none() {
            out.push(Decl { kind: DeclKind::Error, span: start });
        }
    }

    /// A declaration after its `template<…>` headers.
    pub(super) fn parse_declaration_inner(
        &mut self,
        context: Context,
        templates: Vec<TemplateHeader>,
        out: &mut Vec<Decl>,
    ) {
        let start = self.span();
        let kind = match self.kind() {
            TokenKind::Pragma(pragma) => {
                self.bump();
                self.set_pack(pragma);
                match fp_pragma(pragma) {
                    Some(pragma) => {
                        self.set_fp_pragma(pragma);
                        DeclKind::FpPragma(pragma)
                    }
                    // A loop hint without a loop.
                    None => return,
                }
            }
            TokenKind::Punct(Punct::Semi) => {
                self.bump();
                DeclKind::Empty
            }
            TokenKind::Keyword(Kw::Namespace) => return self.parse_namespace(start, false, out),
            TokenKind::Keyword(Kw::Inline) if self.peek(1).is_keyword(Kw::Namespace) => {
                self.bump();
                return self.parse_namespace(start, true, out);
            }
            TokenKind::Keyword(Kw::Using) => return self.parse_using(templates, out),
            TokenKind::Keyword(Kw::Template) => return self.parse_template(context, templates, false, out),
            TokenKind::Keyword(Kw::Extern) if self.peek(1).is_keyword(Kw::Template) => {
                self.bump();
                return self.parse_template(context, templates, true, out);
            }
            TokenKind::Keyword(Kw::Extern) if matches!(self.peek(1).kind, TokenKind::String(_)) => {
                return self.parse_linkage(context, out);
            }
            TokenKind::Keyword(Kw::StaticAssert) => self.parse_static_assert(),
            TokenKind::Keyword(Kw::Asm) => {
                self.parse_asm();
                DeclKind::Error
            }
            TokenKind::Punct(Punct::LBracket) if self.skip_foreign_attribute() => {
                return self.parse_declaration(context, out);
            }
            TokenKind::Identifier(_) if context != Context::Block && self.skip_foreign_declaration() => DeclKind::Error,
            _ => {
                self.parse_simple_declaration(context, templates, Terminator::Semicolon, out);
                return;
            }
        };
        out.push(Decl { kind, span: self.since(start) });
    }

    pub(super) fn set_fp_pragma(&mut self, pragma: FpPragma) {
        let is_contract =
            |p: FpPragma| matches!(p, FpPragma::ContractFast | FpPragma::ContractOn | FpPragma::ContractOff);
        self.fp_pragmas.retain(|p| is_contract(*p) != is_contract(pragma));
        self.fp_pragmas.push(pragma);
    }

    pub(super) fn set_pack(&mut self, pragma: Pragma) {
        match pragma {
            Pragma::Pack(PackPragma::Set(n)) => self.pack = n,
            Pragma::Pack(PackPragma::Push(n)) => {
                self.outer_packs.push(self.pack);
                self.pack = n.unwrap_or(self.pack);
            }
            Pragma::Pack(PackPragma::Pop) => self.pack = self.outer_packs.pop().unwrap_or(0),
            Pragma::Unroll(_) | Pragma::MathMode(_) | Pragma::Contract(_) => {}
        }
    }

    pub(super) fn parse_asm(&mut self) {
        let start = self.bump().span;
        self.eat_kw(Kw::Volatile);
        if self.at(Punct::LParen) || self.at(Punct::LBrace) {
            self.skip_brackets();
        }
        let span = self.since(start);
        self.eat(Punct::Semi);
        self.diagnostics.push(Diagnostic::error(
            "unsupported-inline-assembly",
            span,
            "inline assembly is not portable and not supported",
        ));
    }

    fn parse_namespace(&mut self, start: Span, is_inline: bool, out: &mut Vec<Decl>) {
        self.bump();
        self.parse_attributes();
        let mut names: Vec<(Symbol, bool)> = Vec::new();
        let mut is_next_inline = is_inline;
        while let TokenKind::Identifier(name) = self.kind() {
            self.bump();
            names.push((name, is_next_inline));
            self.parse_attributes();
            if !self.eat(Punct::ColonColon) {
                break;
            }
            is_next_inline = self.eat_kw(Kw::Inline);
        }
        if let [(name, _)] = names[..]
            && self.eat(Punct::Eq)
        {
            if !self.at_name() {
                self.error_here("expected-name", "expected the name of a namespace");
                return self.skip_to_statement_end();
            }
            let (target, class) = self.parse_name(NameMode::Type);
            if let Some(scope) = class.scope() {
                self.declare(name, Entity::Namespace(scope));
            }
            self.expect_semicolon("namespace alias");
            let kind = DeclKind::NamespaceAlias { name, target };
            return out.push(Decl { kind, span: self.since(start) });
        }
        let open = self.pos;
        if !self.expect(Punct::LBrace, "to begin the namespace") {
            return self.skip_to_statement_end();
        }
        let entered = names.len().max(1);
        if names.is_empty() {
            let id = self.scopes.add(Scope::default());
            self.search_also(id);
            self.frames.push(Frame::Shared(id));
        }
        for (name, is_inline) in &names {
            let id = match self.declared_here(*name) {
                Some(Entity::Namespace(id)) => id,
                _ => {
                    let id = self.scopes.add(Scope::default());
                    self.declare(*name, Entity::Namespace(id));
                    id
                }
            };
            if *is_inline {
                self.search_also(id);
            }
            self.frames.push(Frame::Shared(id));
        }
        let saved = self.fp_pragmas.clone();
        let mut decls = Vec::new();
        while !self.at(Punct::RBrace) && !self.cur().is_eof() {
            let before = self.pos;
            self.parse_declaration(Context::Namespace, &mut decls);
            if self.pos == before {
                self.error_here("unexpected-token", "expected a declaration");
                self.bump();
            }
        }
        self.fp_pragmas = saved;
        self.leave(entered);
        self.expect_close(open, Punct::RBrace);
        let span = self.since(start);
        let Some(((name, is_inline), outer)) = names.split_last() else {
            return out.push(Decl { kind: DeclKind::Namespace { name: None, is_inline, decls }, span });
        };
        let mut decl = Decl { kind: DeclKind::Namespace { name: Some(*name), is_inline: *is_inline, decls }, span };
        for (name, is_inline) in outer.iter().rev() {
            let kind = DeclKind::Namespace { name: Some(*name), is_inline: *is_inline, decls: vec![decl] };
            decl = Decl { kind, span };
        }
        out.push(decl);
    }

    fn parse_using(&mut self, templates: Vec<TemplateHeader>, out: &mut Vec<Decl>) {
        let start = self.bump().span;
        if self.eat_kw(Kw::Namespace) {
            if !self.at_name() {
                self.error_here("expected-name", "expected the name of a namespace");
                return self.skip_to_statement_end();
            }
            let (name, class) = self.parse_name(NameMode::Type);
            if let Some(scope) = class.scope() {
                self.search_also(scope);
            }
            self.parse_attributes();
            self.expect_semicolon("using directive");
            return out.push(Decl { kind: DeclKind::UsingDirective(name), span: self.since(start) });
        }
        if self.eat_kw(Kw::Enum) {
            if !self.at_name() {
                self.error_here("expected-name", "expected the name of an enumeration");
                return self.skip_to_statement_end();
            }
            let (name, _) = self.parse_name(NameMode::Type);
            self.expect_semicolon("using declaration");
            return out.push(Decl { kind: DeclKind::UsingEnum(name), span: self.since(start) });
        }
        if let TokenKind::Identifier(name) = self.kind() {
            let is_alias = self.peek_is(1, Punct::Eq)
                || (self.peek_is(1, Punct::LBracket) && self.peek_is(2, Punct::LBracket))
                || self.peek(1).is_keyword(Kw::Attribute);
            if is_alias {
                return self.parse_alias(start, name, templates, out);
            }
        }
        loop {
            let item_start = self.span();
            let has_typename = self.eat_kw(Kw::Typename);
            if !self.at_name() {
                self.error_here("expected-name", "expected a name after 'using'");
                return self.skip_to_statement_end();
            }
            let (name, _) = self.parse_name(NameMode::Type);
            if let Some(symbol) = last_symbol(&name) {
                match self.resolve_entity(&name) {
                    Some(entity) => self.declare(symbol, entity),
                    None if has_typename => self.declare(symbol, Entity::Type(None)),
                    None => {}
                }
            }
            let is_pack = self.eat(Punct::Ellipsis);
            out.push(Decl { kind: DeclKind::Using { name, has_typename, is_pack }, span: self.since(item_start) });
            if !self.eat(Punct::Comma) {
                break;
            }
        }
        self.expect_semicolon("using declaration");
    }

    /// What a qualified name was declared as.
    fn resolve_entity(&self, name: &Name) -> Option<Entity> {
        let symbol = last_symbol(name)?;
        let qualifiers = &name.segments[..name.segments.len() - 1];
        let within = if qualifiers.is_empty() {
            if name.is_global { Within::Scope(ScopeId::GLOBAL) } else { Within::Lexical }
        } else {
            let qualifier = Name { is_global: name.is_global, segments: qualifiers.to_vec(), span: name.span };
            Within::of(self.resolve(&qualifier))
        };
        self.lookup_within(within, symbol)
    }

    fn parse_alias(&mut self, start: Span, name: Symbol, mut templates: Vec<TemplateHeader>, out: &mut Vec<Decl>) {
        self.bump();
        let mut attributes = self.parse_attributes();
        self.expect(Punct::Eq, "in an alias");
        let ty = self.parse_attributed_type_id(&mut attributes);
        self.parse_attributes_into(&mut attributes);
        let scope = self.scope_of_type(&ty);
        let entity = if templates.is_empty() { Entity::Type(scope) } else { Entity::ClassTemplate(scope) };
        self.declare(name, entity);
        self.expect_semicolon("alias");
        let span = self.since(start);
        let template = templates.pop();
        out.push(Decl { kind: DeclKind::Alias(Arc::new(AliasDecl { name, template, ty, attributes, span })), span });
    }

    fn parse_linkage(&mut self, context: Context, out: &mut Vec<Decl>) {
        self.bump();
        self.bump();
        if !self.at(Punct::LBrace) {
            return self.parse_declaration(context, out);
        }
        let open = self.pos;
        self.bump();
        while !self.at(Punct::RBrace) && !self.cur().is_eof() {
            let before = self.pos;
            self.parse_declaration(context, out);
            if self.pos == before {
                self.error_here("unexpected-token", "expected a declaration");
                self.bump();
            }
        }
        self.expect_close(open, Punct::RBrace);
    }

    pub(super) fn parse_static_assert(&mut self) -> DeclKind {
        self.bump();
        let open = self.pos;
        if !self.expect(Punct::LParen, "after 'static_assert'") {
            self.skip_to_statement_end();
            return DeclKind::Error;
        }
        let condition = self.parse_assignment();
        let mut message = None;
        if self.eat(Punct::Comma) {
            match self.kind() {
                TokenKind::String(_) => message = Some(self.parse_string()),
                _ => self.error_here("expected-token", "expected a string literal"),
            }
        }
        self.expect_close(open, Punct::RParen);
        self.expect_semicolon("static assertion");
        DeclKind::StaticAssert { condition, message }
    }
}

pub(super) fn fp_pragma(pragma: Pragma) -> Option<FpPragma> {
    use crate::token::{ContractMode, MathMode};
    Some(match pragma {
        Pragma::Unroll(_) | Pragma::Pack(_) => return None,
        Pragma::MathMode(MathMode::Fast) => FpPragma::MathModeFast,
        Pragma::MathMode(MathMode::Relaxed) => FpPragma::MathModeRelaxed,
        Pragma::MathMode(MathMode::Safe) => FpPragma::MathModeSafe,
        Pragma::Contract(ContractMode::Off) => FpPragma::ContractOff,
        Pragma::Contract(ContractMode::On) => FpPragma::ContractOn,
        Pragma::Contract(ContractMode::Fast) => FpPragma::ContractFast,
    })
}
