//! Declarators: the `*p[4]`, `(&f)(int)` and `S<T>::g(int) const device` around a declared name.
//!
//! In: the type the specifiers spell. Out: the declared name and its whole type; for functions the return type and
//! the [`FunctionSuffix`]. The part in parentheses is read after what follows it, because that is how types nest.
//! C++ [dcl.decl].

use msl_base::Span;

use super::Parser;
use super::decl::Context;
use super::lookahead::{At, Certainty, is_qualifier};
use super::name::NameMode;
use super::scope::{Entity, Frame, Scope};
use super::specifiers::{Expecting, address_space, qualify};
use crate::ast::*;
use crate::token::{Kw, Punct, TokenKind};

#[derive(Debug)]
pub(super) struct Declarator {
    pub name: Option<Name>,
    /// For functions the return type.
    pub ty: TypeExpr,
    pub function: Option<FunctionSuffix>,
    pub is_pack: bool,
    pub attributes: Vec<Attribute>,
}

/// What follows the name of a declared function.
#[derive(Debug)]
pub(super) struct FunctionSuffix {
    pub params: Vec<ParamDecl>,
    pub is_variadic: bool,
    pub this_quals: Qualifiers,
    pub this_ref: RefQualifier,
    pub trailing: Option<TypeExpr>,
    /// The parameters' names, for the body.
    pub scope: Scope,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum DeclaratorMode {
    /// A name must come; it may be qualified.
    Declaration(Context),
    /// A plain name may come.
    Parameter,
    /// No name may come.
    Abstract,
}

impl Parser<'_> {
    pub(super) fn parse_abstract_declarator(&mut self, base: TypeExpr, attributes: &mut Vec<Attribute>) -> TypeExpr {
        let mut declarator = self.parse_declarator(base, DeclaratorMode::Abstract);
        attributes.append(&mut declarator.attributes);
        function_type(declarator)
    }

    /// `operator T` reads a type without parameters, which belong to the operator.
    pub(super) fn parse_conversion_type(&mut self) -> TypeExpr {
        let base = self.parse_type_specifiers();
        self.parse_pointers(base)
    }

    pub(super) fn parse_declarator(&mut self, base: TypeExpr, mode: DeclaratorMode) -> Declarator {
        let base = self.parse_pointers(base);
        let mut attributes = self.parse_attributes();
        let is_pack = mode == DeclaratorMode::Parameter && self.eat(Punct::Ellipsis);
        if self.at(Punct::LParen) && self.is_nested_declarator(mode) {
            return self.parse_nested_declarator(base, mode, is_pack);
        }
        let mut entered = 0;
        let name = match mode {
            DeclaratorMode::Abstract => None,
            DeclaratorMode::Parameter => self.cur().identifier().map(|symbol| {
                let span = self.bump().span;
                super::name::simple_name(symbol, span)
            }),
            DeclaratorMode::Declaration(_) => {
                let is_name = self.at_name() || (self.at(Punct::Tilde) && !self.peek(1).is_eof());
                if is_name {
                    let (name, _) = self.parse_name(NameMode::Type);
                    entered = self.enter_qualifiers(&name);
                    Some(name)
                } else {
                    None
                }
            }
        };
        self.parse_attributes_into(&mut attributes);
        let mut declarator = self.parse_declarator_suffixes(base, mode, name.is_some());
        self.leave(entered);
        self.parse_attributes_into(&mut attributes);
        declarator.name = name;
        declarator.is_pack |= is_pack;
        attributes.append(&mut declarator.attributes);
        declarator.attributes = attributes;
        declarator
    }

    /// `*`, `&`, `&&` and the qualifiers after them.
    fn parse_pointers(&mut self, mut ty: TypeExpr) -> TypeExpr {
        let start = ty.span;
        let mut levels = 0;
        loop {
            let kind: fn(Box<TypeExpr>) -> TypeExprKind = match self.kind() {
                TokenKind::Punct(Punct::Star) => TypeExprKind::Pointer,
                TokenKind::Punct(Punct::Amp) => TypeExprKind::LValueRef,
                TokenKind::Punct(Punct::AmpAmp) => TypeExprKind::RValueRef,
                TokenKind::Identifier(_) | TokenKind::Punct(Punct::ColonColon) if self.is_member_pointer_ahead() => {
                    |_| TypeExprKind::Error
                }
                _ => return ty,
            };
            levels += 1;
            if levels + self.depth > super::NESTING_LIMIT {
                self.report_nesting();
                return ty;
            }
            if let TokenKind::Identifier(_) | TokenKind::Punct(Punct::ColonColon) = self.kind() {
                let (name, _) = self.parse_name(NameMode::Type);
                let class =
                    Box::new(TypeExpr { span: name.span, kind: TypeExprKind::Named { name, has_typename: true } });
                self.eat(Punct::ColonColon);
                self.eat(Punct::Star);
                let span = self.since(start);
                ty = TypeExpr { kind: TypeExprKind::MemberPointer { class, member: Box::new(ty) }, span };
            } else {
                self.bump();
                let span = self.since(start);
                ty = TypeExpr { kind: kind(Box::new(ty)), span };
            }
            let mut quals = Qualifiers::default();
            loop {
                match self.kind() {
                    TokenKind::Keyword(Kw::Const) => quals.is_const = true,
                    TokenKind::Keyword(Kw::Volatile) => quals.is_volatile = true,
                    TokenKind::Keyword(Kw::Restrict | Kw::Extension) => {}
                    TokenKind::Keyword(k) if address_space(k).is_some() => quals.address_space = address_space(k),
                    TokenKind::Identifier(name) if name == "coherent" && self.peek_is(1, Punct::LParen) => {
                        quals.is_coherent = true;
                        self.bump();
                        self.skip_brackets();
                        continue;
                    }
                    _ => break,
                }
                self.bump();
            }
            let span = self.since(start);
            ty = qualify(ty, quals, span);
        }
    }

    fn is_member_pointer_ahead(&self) -> bool {
        self.skim_member_pointer(At::new(self.pos)).is_some()
    }

    /// At `(`: a declarator in parentheses, rather than parameters?
    fn is_nested_declarator(&self, mode: DeclaratorMode) -> bool {
        let inside = self.peek(1).kind;
        let is_pointer = matches!(inside, TokenKind::Punct(Punct::Star | Punct::Amp | Punct::AmpAmp | Punct::LParen))
            || matches!(inside, TokenKind::Keyword(k) if is_qualifier(k))
                && matches!(self.peek(2).kind, TokenKind::Punct(Punct::Star | Punct::Amp))
            || self.skim_member_pointer(At::new(self.pos + 1)).is_some();
        match mode {
            DeclaratorMode::Declaration(_) => true,
            DeclaratorMode::Abstract => is_pointer,
            DeclaratorMode::Parameter => {
                is_pointer
                    || (matches!(inside, TokenKind::Identifier(_))
                        && !matches!(
                            self.type_id_ahead(At::new(self.pos + 1)),
                            Some(Certainty::Type | Certainty::BareTemplate)
                        ))
            }
        }
    }

    fn parse_nested_declarator(&mut self, base: TypeExpr, mode: DeclaratorMode, is_pack: bool) -> Declarator {
        let open = self.pos;
        let error = TypeExpr { kind: TypeExprKind::Error, span: base.span };
        let parsed = self.nested(|p| {
            let close = p.matching[open];
            if close == super::NO_MATCH {
                p.bump();
                let inner = p.parse_declarator(base, mode);
                p.expect_close(open, Punct::RParen);
                return inner;
            }
            // What follows the parentheses applies to the type first.
            let open_span = p.span();
            p.pos = close as usize;
            p.bump();
            let mut outer = p.parse_declarator_suffixes(base, mode, true);
            p.parse_attributes_into(&mut outer.attributes);
            let end = (p.pos, p.prev_span);
            p.pos = open + 1;
            p.prev_span = open_span;
            // `void (f)(int)` declares a function like `void f(int)`.
            let is_plain = matches!(p.kind(), TokenKind::Identifier(_)) && p.pos + 1 == close as usize;
            let (ty, function, outer_attributes) = if is_plain {
                (outer.ty, outer.function, outer.attributes)
            } else {
                let attributes = std::mem::take(&mut outer.attributes);
                (function_type(outer), None, attributes)
            };
            let mut inner = p.parse_declarator(ty, mode);
            if p.pos != close as usize {
                p.expect_close(open, Punct::RParen);
            }
            (p.pos, p.prev_span) = end;
            inner.function = inner.function.or(function);
            inner.attributes.extend(outer_attributes);
            inner
        });
        let mut declarator = parsed.unwrap_or(Declarator {
            name: None,
            ty: error,
            function: None,
            is_pack: false,
            attributes: Vec::new(),
        });
        declarator.is_pack |= is_pack;
        declarator
    }

    /// `[n]` and `(params)` after a name or where one could be.
    fn parse_declarator_suffixes(&mut self, base: TypeExpr, mode: DeclaratorMode, has_name: bool) -> Declarator {
        let mut sizes: Vec<(Option<Box<Expr>>, Span)> = Vec::new();
        let mut attributes = Vec::new();
        let start = base.span;
        let mut function = None;
        loop {
            if self.at_attribute() {
                self.parse_attributes_into(&mut attributes);
            } else if self.at(Punct::LBracket) {
                let open = self.pos;
                let open_span = self.bump().span;
                let saved = std::mem::replace(&mut self.in_angles, false);
                let size = if self.at(Punct::RBracket) { None } else { Some(Box::new(self.parse_expr())) };
                self.in_angles = saved;
                self.expect_close(open, Punct::RBracket);
                sizes.push((size, self.since(open_span)));
                if sizes.len() as u32 + self.depth > super::NESTING_LIMIT {
                    self.report_nesting();
                    break;
                }
            } else if self.at(Punct::LParen) && sizes.is_empty() && self.is_function_suffix(mode, has_name) {
                function = self.nested(|p| p.parse_function_suffix());
                break;
            } else {
                break;
            }
        }
        let mut ty = base;
        for (size, span) in sizes.into_iter().rev() {
            let span = self.source.join(start, span);
            ty = TypeExpr { kind: TypeExprKind::Array { element: Box::new(ty), size }, span };
        }
        Declarator { name: None, ty, function, is_pack: false, attributes }
    }

    fn is_function_suffix(&self, mode: DeclaratorMode, has_name: bool) -> bool {
        let here = At::new(self.pos);
        match mode {
            DeclaratorMode::Declaration(context) => self.is_parameter_list(here, context),
            DeclaratorMode::Parameter => true,
            DeclaratorMode::Abstract => has_name || self.is_parameter_list(here, Context::Namespace),
        }
    }

    /// `(params) const device noexcept -> T`
    pub(super) fn parse_function_suffix(&mut self) -> FunctionSuffix {
        let open = self.pos;
        self.bump();
        self.push_local();
        let saved = std::mem::replace(&mut self.in_angles, false);
        let (params, is_variadic) = self.parse_params(open);
        self.in_angles = saved;
        self.expect_close(open, Punct::RParen);
        let mut this_quals = Qualifiers::default();
        let mut this_ref = RefQualifier::None;
        let mut trailing = None;
        loop {
            match self.kind() {
                TokenKind::Keyword(Kw::Const) => this_quals.is_const = true,
                TokenKind::Keyword(Kw::Volatile) => this_quals.is_volatile = true,
                TokenKind::Keyword(k) if address_space(k).is_some() => this_quals.address_space = address_space(k),
                TokenKind::Punct(Punct::Amp) => this_ref = RefQualifier::LValue,
                TokenKind::Punct(Punct::AmpAmp) => this_ref = RefQualifier::RValue,
                TokenKind::Keyword(Kw::Noexcept) => {
                    self.bump();
                    if self.at(Punct::LParen) {
                        self.skip_brackets();
                    }
                    continue;
                }
                TokenKind::Keyword(Kw::Throw) => {
                    let span = self.bump().span;
                    self.not_in_msl(span, "exceptions", "");
                    if self.at(Punct::LParen) {
                        self.skip_brackets();
                    }
                    continue;
                }
                TokenKind::Identifier(word) if word == "requires" => {
                    self.no_concepts();
                    self.skip_constraint();
                    continue;
                }
                TokenKind::Identifier(word) if word == "override" || word == "final" => {
                    let span = self.bump().span;
                    self.not_in_msl(span, "virtual functions", "");
                    continue;
                }
                TokenKind::Punct(Punct::Arrow) if trailing.is_none() => {
                    self.bump();
                    trailing = Some(self.parse_type_id());
                    continue;
                }
                _ => break,
            }
            self.bump();
        }
        let scope = self.pop_local();
        FunctionSuffix { params, is_variadic, this_quals, this_ref, trailing, scope }
    }

    /// Past `requires` and what follows it behind the parameters of a function, up to its body.
    fn skip_constraint(&mut self) {
        self.bump();
        while !self.at(Punct::Semi) && !self.at(Punct::LBrace) && !self.cur().is_eof() {
            // `requires (T x) { … }` in an expression has braces of its own.
            if self.at_word("requires") {
                self.bump();
                if self.at(Punct::LParen) {
                    self.skip_brackets();
                }
                if self.at(Punct::LBrace) {
                    self.skip_brackets();
                }
                continue;
            }
            match self.kind() {
                TokenKind::Punct(Punct::LParen | Punct::LBracket) => self.skip_brackets(),
                TokenKind::Punct(Punct::RParen | Punct::RBracket | Punct::RBrace) => return,
                _ => {
                    self.bump();
                }
            }
        }
    }

    /// Parameters up to the `)` for the `(` at token `open`, declaring their names in the innermost scope.
    pub(super) fn parse_params(&mut self, open: usize) -> (Vec<ParamDecl>, bool) {
        let mut params = Vec::with_capacity(1);
        if self.at_kw(Kw::Void) && self.peek_is(1, Punct::RParen) {
            self.bump();
            return (params, false);
        }
        while !self.at(Punct::RParen) && !self.cur().is_eof() {
            if self.eat(Punct::Ellipsis) {
                return (params, true);
            }
            let before = self.pos;
            params.push(self.parse_param());
            self.skip_foreign_semantic();
            if self.eat(Punct::Comma) {
                continue;
            }
            if self.at(Punct::Ellipsis) {
                continue;
            }
            if self.at(Punct::RParen) {
                break;
            }
            // Whatever stands here, the next parameter is readable.
            self.error_here("expected-token", "expected ',' or ')' after this parameter");
            if self.matching[open] == super::NO_MATCH {
                break;
            }
            self.skip_to_comma(Punct::RParen);
            self.eat(Punct::Comma);
            if self.pos == before {
                break;
            }
        }
        (params, false)
    }

    /// Skips to the next `,` or to the closing bracket of a list.
    pub(super) fn skip_to_comma(&mut self, close: Punct) {
        while !self.at(Punct::Comma) && !self.at(close) && !self.cur().is_eof() {
            match self.kind() {
                TokenKind::Punct(Punct::Semi | Punct::RBrace | Punct::RParen | Punct::RBracket) => return,
                TokenKind::Punct(Punct::LParen | Punct::LBracket | Punct::LBrace) => self.skip_brackets(),
                _ => {
                    self.bump();
                }
            }
        }
    }

    fn parse_param(&mut self) -> ParamDecl {
        let start = self.span();
        let specifiers = self.parse_specifiers(Expecting::Parameter);
        let ty = specifiers.ty.unwrap_or_else(|| {
            self.error_here("expected-type", "expected the type of a parameter");
            TypeExpr { kind: TypeExprKind::Error, span: start }
        });
        let mut attributes = specifiers.attributes;
        let declarator = self.parse_declarator(ty, DeclaratorMode::Parameter);
        let name = declarator.name.as_ref().and_then(super::name::last_symbol);
        let is_pack = declarator.is_pack;
        attributes.extend(declarator.attributes.iter().cloned());
        let ty = function_type(declarator);
        if let Some(name) = name {
            self.declare(name, Entity::Value);
            if is_pack {
                self.packs.insert(name);
            }
        }
        let default = if self.eat(Punct::Eq) { Some(self.parse_initializer_clause()) } else { None };
        self.parse_attributes_into(&mut attributes);
        ParamDecl { name, ty, is_pack, default, attributes, span: self.since(start) }
    }

    /// Parses with a parameter scope in place.
    pub(super) fn with_scope<R>(&mut self, scope: Scope, parse: impl FnOnce(&mut Self) -> R) -> R {
        self.frames.push(Frame::Local(scope));
        let result = parse(self);
        self.pop_local();
        result
    }
}

/// The type of a declarator, functions included.
pub(super) fn function_type(declarator: Declarator) -> TypeExpr {
    let Declarator { ty, function, .. } = declarator;
    let Some(function) = function else { return ty };
    let span = ty.span;
    let kind = TypeExprKind::Function {
        ret: Box::new(function.trailing.unwrap_or(ty)),
        params: function.params,
        is_const: function.this_quals.is_const,
    };
    TypeExpr { kind, span }
}
