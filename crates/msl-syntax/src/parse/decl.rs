//! Declarations: namespaces, using, aliases, functions, variables.
//!
//! Every routine appends to a list, because one declaration may give several nodes (`struct S {} a, *b;`).
//! Names are declared as soon as their declarator ends, so initialisers and bodies see them. C++ [dcl.dcl].

use std::sync::Arc;

use msl_base::{Diagnostic, Span, Symbol};

use super::class::DelayedBody;
use super::declarator::{Declarator, DeclaratorMode, FunctionSuffix, function_type};
use super::lookahead::At;
use super::name::{NameMode, Within, last_symbol};
use super::scope::{Entity, Frame, Scope, ScopeId};
use super::specifiers::{Expecting, Specifiers, qualify};
use super::{NO_MATCH, Parser};
use crate::ast::*;
use crate::token::{Kw, Pragma, Punct, TokenKind};

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
        let mut names: Vec<(Symbol, Span)> = Vec::new();
        while let TokenKind::Identifier(name) = self.kind() {
            names.push((name, self.bump().span));
            self.parse_attributes();
            if !self.eat(Punct::ColonColon) {
                break;
            }
            self.eat_kw(Kw::Inline);
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
        for (name, _) in &names {
            let id = match self.declared_here(*name) {
                Some(Entity::Namespace(id)) => id,
                _ => {
                    let id = self.scopes.add(Scope::default());
                    self.declare(*name, Entity::Namespace(id));
                    id
                }
            };
            if is_inline {
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
        let Some(((name, _), outer)) = names.split_last() else {
            return out.push(Decl { kind: DeclKind::Namespace { name: None, is_inline, decls }, span });
        };
        let mut decl = Decl { kind: DeclKind::Namespace { name: Some(*name), is_inline, decls }, span };
        for (name, _) in outer.iter().rev() {
            let kind = DeclKind::Namespace { name: Some(*name), is_inline: false, decls: vec![decl] };
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
            self.error("unsupported-using-enum", start, "`using enum` is not supported");
            return self.skip_to_statement_end();
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
                self.error_here("expected-name", "expected a name after `using`");
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
            self.eat(Punct::Ellipsis);
            out.push(Decl { kind: DeclKind::Using { name, has_typename }, span: self.since(item_start) });
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
        let ty = self.parse_type_id();
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
        if !self.expect(Punct::LParen, "after `static_assert`") {
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

    // ---- variables, functions, typedefs --------------------------------------------------

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
                // An unnamed bit-field only pads.
                let span = self.prev_span;
                self.parse_conditional();
                self.error("unsupported-bit-field", span, "bit-fields are not supported");
                return DeclaratorEnd::Open;
            }
            self.error_here("expected-name", "expected the name of what is declared");
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
    fn declare_value(&mut self, name: &Name, templates: &[TemplateHeader]) {
        if let [segment] = &name.segments[..]
            && segment.template_args.is_none()
            && let Ident::Name(symbol) = segment.ident
        {
            let is_template = templates.iter().any(|header| !header.params.is_empty());
            self.declare(symbol, if is_template { Entity::ValueTemplate } else { Entity::Value });
        }
    }

    fn parse_function(
        &mut self,
        context: Context,
        start: Span,
        specifiers: &Specifiers,
        templates: &[TemplateHeader],
        name: Name,
        kind: FunctionKind,
        declarator: Declarator,
        mut attributes: Vec<Attribute>,
        out: &mut Vec<Decl>,
    ) -> DeclaratorEnd {
        let Some(suffix) = declarator.function else { return DeclaratorEnd::Done };
        let FunctionSuffix { params, is_variadic, this_quals, trailing, scope } = suffix;
        let is_guide = specifiers.ty.is_none() && kind == FunctionKind::Ordinary && trailing.is_some();
        let ret = match (&name.segments.last().map(|s| &s.ident), trailing) {
            (Some(Ident::Conversion(target)), _) => (**target).clone(),
            (_, Some(trailing)) => trailing,
            (_, None) => declarator.ty,
        };
        if specifiers.ty.is_none() && kind == FunctionKind::Ordinary && !is_guide {
            self.diagnostics.push(
                Diagnostic::error("missing-type", name.span, "this function has no return type")
                    .help("write the return type before the name, or `void`"),
            );
        }
        let stage = take_stage(specifiers.stage, &mut attributes);
        if !is_guide && !specifiers.is_friend && kind == FunctionKind::Ordinary {
            self.declare_value(&name, templates);
        }
        let mut function = FunctionDecl {
            name,
            kind,
            stage,
            flags: specifiers.flags,
            templates: templates.to_vec(),
            attributes,
            ret,
            params,
            is_variadic,
            this_quals,
            body: FunctionBody::None,
            fp_pragma: self.fp_pragmas.clone(),
            span: self.since(start),
        };
        let mut end = DeclaratorEnd::Open;
        if self.eat(Punct::Eq) {
            function.body = self.parse_special_body();
        } else if self.at(Punct::LBrace) || self.at(Punct::Colon) || self.at_kw(Kw::Try) {
            end = DeclaratorEnd::Done;
            if context == Context::Block {
                let span = self.span();
                self.error("nested-function", span, "a function cannot be defined inside a function");
            }
            match self.body_end() {
                Some(body_end) if matches!(context, Context::Class(_)) => {
                    let frames = self.frames[self.class_base.min(self.frames.len())..].to_vec();
                    self.delayed.push(DelayedBody { start: self.pos, end: body_end, frames, scope, index: out.len() });
                    self.pos = body_end;
                    self.prev_span = self.tokens[body_end - 1].span;
                }
                _ => {
                    let entered = self.enter_qualifiers(&function.name);
                    function.body = self.with_scope(scope, |p| p.parse_function_body());
                    self.leave(entered);
                }
            }
            function.span = self.since(start);
        }
        let span = function.span;
        let function = Arc::new(function);
        let kind = if is_guide { DeclKind::DeductionGuide(function) } else { DeclKind::Function(function) };
        let decl = Decl { kind, span };
        out.push(if specifiers.is_friend { Decl { kind: DeclKind::Friend(Box::new(decl)), span } } else { decl });
        end
    }

    /// After `=`: `default`, `delete` or `0`.
    fn parse_special_body(&mut self) -> FunctionBody {
        if self.eat_kw(Kw::Default) {
            return FunctionBody::Defaulted;
        }
        if self.eat_kw(Kw::Delete) {
            return FunctionBody::Deleted;
        }
        let span = self.span();
        if let TokenKind::Integer(_) = self.kind() {
            self.bump();
            self.not_in_msl(span, "virtual functions", "");
        } else {
            self.error_here("expected-token", "expected `default` or `delete`");
        }
        FunctionBody::Deleted
    }

    /// The token after a function body that starts here with `{` or `:`, when its braces are balanced.
    fn body_end(&self) -> Option<usize> {
        let mut at = At::new(self.pos);
        if self.is_at(at, Punct::Colon) {
            loop {
                at = self.skim_name(at.next(), true)?.end;
                if !self.is_at(at, Punct::LParen) && !self.is_at(at, Punct::LBrace) {
                    return None;
                }
                at = At::new(self.partner(at.index)? + 1);
                if self.is_at(at, Punct::Ellipsis) {
                    at = at.next();
                }
                if !self.is_at(at, Punct::Comma) {
                    break;
                }
            }
        }
        if self.is_at(at, Punct::LBrace) { Some(self.partner(at.index)? + 1) } else { None }
    }

    fn partner(&self, index: usize) -> Option<usize> {
        match *self.matching.get(index)? {
            NO_MATCH => None,
            close => Some(close as usize),
        }
    }

    /// Member initialisers and the block.
    pub(super) fn parse_function_body(&mut self) -> FunctionBody {
        let saved = std::mem::replace(&mut self.in_angles, false);
        let hint = std::mem::take(&mut self.loop_hint);
        let fp = self.fp_pragmas.clone();
        if self.at_kw(Kw::Try) {
            let span = self.bump().span;
            self.not_in_msl(span, "exceptions", "");
        }
        let mut initializers = Vec::new();
        if self.eat(Punct::Colon) {
            loop {
                let before = self.pos;
                if let Some(initializer) = self.parse_member_initializer() {
                    initializers.push(initializer);
                }
                if !self.eat(Punct::Comma) || self.pos == before {
                    break;
                }
            }
        }
        let body = if self.at(Punct::LBrace) {
            self.parse_compound()
        } else {
            self.error_here("expected-token", "expected the body of the function");
            Stmt { kind: StmtKind::Error, span: self.span() }
        };
        self.in_angles = saved;
        self.loop_hint = hint;
        self.fp_pragmas = fp;
        FunctionBody::Block { initializers, body: Box::new(body) }
    }

    fn parse_member_initializer(&mut self) -> Option<MemberInitializer> {
        let start = self.span();
        if !self.at_name() {
            self.error_here("expected-name", "expected the name of a member or base class");
            return None;
        }
        let (name, _) = self.parse_name(NameMode::Type);
        let init = if self.at(Punct::LParen) {
            let (args, span) = self.parse_paren_list();
            Initializer::Paren(args, span)
        } else if self.at(Punct::LBrace) {
            let (args, span) = self.parse_brace_list();
            Initializer::Brace(args, span)
        } else {
            self.error_here("expected-token", "expected `(` or `{` after this member");
            return None;
        };
        let is_pack = self.eat(Punct::Ellipsis);
        Some(MemberInitializer { name, init, is_pack, span: self.since(start) })
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
                self.error_here("expected-token", "expected `=` and the value to take apart");
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
enum DeclaratorEnd {
    /// `,` or the terminator follows.
    Open,
    /// The declaration is over.
    Done,
}

pub(super) fn fp_pragma(pragma: Pragma) -> Option<FpPragma> {
    use crate::token::{ContractMode, MathMode};
    Some(match pragma {
        Pragma::Unroll(_) => return None,
        Pragma::MathMode(MathMode::Fast) => FpPragma::MathModeFast,
        Pragma::MathMode(MathMode::Relaxed) => FpPragma::MathModeRelaxed,
        Pragma::MathMode(MathMode::Safe) => FpPragma::MathModeSafe,
        Pragma::Contract(ContractMode::Off) => FpPragma::ContractOff,
        Pragma::Contract(ContractMode::On) => FpPragma::ContractOn,
        Pragma::Contract(ContractMode::Fast) => FpPragma::ContractFast,
    })
}

fn function_kind(name: &Name, context: Context, specifiers: &Specifiers) -> FunctionKind {
    let Some((last, qualifiers)) = name.segments.split_last() else { return FunctionKind::Ordinary };
    match &last.ident {
        Ident::Conversion(_) => FunctionKind::Conversion,
        Ident::Destructor(_) => FunctionKind::Destructor,
        Ident::Name(symbol) if specifiers.ty.is_none() => {
            let class = match (qualifiers.last().map(|s| &s.ident), context) {
                (Some(Ident::Name(class)), _) => Some(*class),
                (None, Context::Class(class)) => class,
                _ => None,
            };
            if class == Some(*symbol) { FunctionKind::Constructor } else { FunctionKind::Ordinary }
        }
        _ => FunctionKind::Ordinary,
    }
}

/// `[[kernel]]` means the same as `kernel`; afterwards only the stage says so.
fn take_stage(stage: StageKeyword, attributes: &mut Vec<Attribute>) -> StageKeyword {
    let mut found = stage;
    attributes.retain(|attribute| {
        let named = match attribute.name.as_str() {
            "kernel" => StageKeyword::Kernel,
            "vertex" => StageKeyword::Vertex,
            "fragment" => StageKeyword::Fragment,
            _ => return true,
        };
        if attribute.namespace.is_some() {
            return true;
        }
        found = named;
        false
    });
    found
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
