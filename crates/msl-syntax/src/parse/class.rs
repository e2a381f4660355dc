//! Classes, unions and enumerations.
//!
//! Bodies of member functions see members declared after them. So a class is read in two steps: its declarations,
//! stepping over the bodies, and then the bodies. C++ [class.mem], [dcl.enum].

use std::sync::Arc;

use msl_base::{Diagnostic, Span, Symbol};

use super::Parser;
use super::decl::Context;
use super::lookahead::At;
use super::name::last_symbol;
use super::scope::{Entity, Frame, Scope, ScopeId};
use super::specifiers::{Expecting, Specifiers};
use crate::ast::*;
use crate::token::{Kw, Punct, TokenKind};

/// A function body of which only the place is known yet.
#[derive(Debug)]
pub(super) struct DelayedBody {
    pub start: usize,
    pub end: usize,
    /// The scopes between the class and the function: its template headers.
    pub frames: Vec<Frame>,
    pub scope: Scope,
    /// Which member it belongs to.
    pub index: usize,
}

impl Parser<'_> {
    /// From `struct`, `class` or `union`. A definition or declaration goes to `result.tag`.
    pub(super) fn parse_class_specifier(&mut self, expecting: Expecting, result: &mut Specifiers) -> TypeExpr {
        let start = self.span();
        let key = match self.bump().kind {
            TokenKind::Keyword(Kw::Class) => ClassKey::Class,
            TokenKind::Keyword(Kw::Union) => ClassKey::Union,
            _ => ClassKey::Struct,
        };
        let mut attributes = self.parse_attributes();
        let name = self.opt_tag_name();
        self.parse_attributes_into(&mut attributes);
        if self.at_word("final") && (self.peek_is(1, Punct::LBrace) || self.peek_is(1, Punct::Colon)) {
            self.bump();
        }
        let templates = match expecting {
            Expecting::Declaration(_, templates) => templates,
            _ => &[],
        };
        let may_define = matches!(expecting, Expecting::Declaration(..));
        let is_definition = self.at(Punct::LBrace) || (self.at(Punct::Colon) && name.is_some() && may_define);
        if !is_definition {
            return self.parse_class_reference(start, key, name, attributes, templates, expecting, result);
        }
        let scope = self.define_class(name.as_ref(), templates, result.is_friend);
        let bases = if self.eat(Punct::Colon) { self.parse_bases(scope) } else { Vec::new() };
        let pack = self.pack;
        let first = if key == ClassKey::Class { Access::Private } else { Access::Public };
        let mut access = vec![(0, first)];
        let members = self.nested(|p| p.parse_class_body(scope, name.as_ref().and_then(last_symbol), &mut access));
        let members = members.unwrap_or_default();
        let span = self.since(start);
        if let Some(primary) = name.as_ref().and_then(|n| self.resolve(n).scope())
            && primary != scope
        {
            self.scopes.adopt_members(primary, scope);
        }
        self.parse_attributes_into(&mut attributes);
        let class = Arc::new(ClassDecl {
            key,
            name: name.clone(),
            templates: templates.to_vec(),
            attributes,
            bases,
            members: Some(members),
            access,
            pack,
            span,
        });
        match name {
            Some(name) => {
                result.tag = Some(Decl { kind: DeclKind::Class(class), span });
                TypeExpr { kind: TypeExprKind::Named { name, has_typename: false }, span }
            }
            None => {
                if self.at(Punct::Semi) {
                    // Members of an anonymous struct or union belong to the scope around it.
                    self.search_also(scope);
                    result.tag = Some(Decl { kind: DeclKind::Class(class.clone()), span });
                }
                TypeExpr { kind: TypeExprKind::Class(class), span }
            }
        }
    }

    /// `struct S;` or `struct S x;`
    fn parse_class_reference(
        &mut self,
        start: Span,
        key: ClassKey,
        name: Option<Name>,
        attributes: Vec<Attribute>,
        templates: &[TemplateHeader],
        expecting: Expecting,
        result: &mut Specifiers,
    ) -> TypeExpr {
        let span = self.since(start);
        let Some(name) = name else {
            self.error_here("expected-name", "expected the name of a class or '{'");
            return TypeExpr { kind: TypeExprKind::Error, span };
        };
        let is_declaration = self.at(Punct::Semi) && matches!(expecting, Expecting::Declaration(..));
        if let ([segment], Some(symbol)) = (&name.segments[..], last_symbol(&name))
            && segment.template_args.is_none()
            && !result.is_friend
        {
            let is_known = if is_declaration {
                self.declared_here(symbol).is_some_and(|e| e.scope().is_some())
            } else {
                self.lookup(symbol).is_some()
            };
            if !is_known {
                self.define_class(Some(&name), templates, false);
            }
        }
        if is_declaration {
            let class = ClassDecl {
                key,
                name: Some(name.clone()),
                templates: templates.to_vec(),
                attributes,
                bases: Vec::new(),
                members: None,
                access: Vec::new(),
                pack: 0,
                span,
            };
            result.tag = Some(Decl { kind: DeclKind::Class(Arc::new(class)), span });
        }
        TypeExpr { kind: TypeExprKind::Named { name, has_typename: false }, span }
    }

    /// The name in a class head, where `<` always opens arguments.
    fn opt_tag_name(&mut self) -> Option<Name> {
        let start = self.span();
        let is_global = self.at(Punct::ColonColon);
        if is_global {
            self.bump();
        }
        let mut segments = Vec::new();
        while let TokenKind::Identifier(symbol) = self.kind() {
            // `struct final {` could only be a class of that name.
            let segment_start = self.bump().span;
            let template_args = if self.at(Punct::Less) { Some(self.parse_template_args()) } else { None };
            segments.push(NameSegment { ident: Ident::Name(symbol), template_args, span: self.since(segment_start) });
            if !self.eat(Punct::ColonColon) {
                break;
            }
        }
        if segments.is_empty() { None } else { Some(Name { is_global, segments, span: self.since(start) }) }
    }

    /// The scope for the members of a class, declaring its name where that is new.
    fn define_class(&mut self, name: Option<&Name>, templates: &[TemplateHeader], is_friend: bool) -> ScopeId {
        let fresh = |p: &mut Self| p.scopes.add(Scope::class());
        let Some(name) = name else { return fresh(self) };
        let (Some(last), Some(symbol)) = (name.segments.last(), last_symbol(name)) else { return fresh(self) };
        if last.template_args.is_some() {
            // A specialisation has members of its own.
            return fresh(self);
        }
        if name.segments.len() > 1 || name.is_global {
            return self.resolve(name).scope().unwrap_or_else(|| fresh(self));
        }
        if let Some(Entity::Type(Some(id)) | Entity::ClassTemplate(Some(id))) = self.declared_here(symbol) {
            return id;
        }
        let id = fresh(self);
        let is_template = templates.iter().any(|header| !header.params.is_empty());
        if !is_friend {
            self.declare(symbol, if is_template { Entity::ClassTemplate(Some(id)) } else { Entity::Type(Some(id)) });
        }
        id
    }

    fn parse_bases(&mut self, scope: ScopeId) -> Vec<BaseSpecifier> {
        let mut bases = Vec::new();
        loop {
            let start = self.span();
            let mut is_virtual = false;
            let mut access = None;
            loop {
                match self.kind() {
                    TokenKind::Keyword(Kw::Virtual) => {
                        let span = self.span();
                        self.not_in_msl(span, "virtual base classes", "");
                        is_virtual = true;
                    }
                    TokenKind::Keyword(Kw::Public) => access = Some(Access::Public),
                    TokenKind::Keyword(Kw::Protected) => access = Some(Access::Protected),
                    TokenKind::Keyword(Kw::Private) => access = Some(Access::Private),
                    _ => break,
                }
                self.bump();
            }
            let before = self.pos;
            let ty = self.parse_type_specifiers();
            if self.pos == before {
                break;
            }
            if let Some(base) = self.scope_of_type(&ty)
                && base != scope
            {
                self.scopes.get_mut(scope).search_also(base);
            }
            let is_pack = self.eat(Punct::Ellipsis);
            bases.push(BaseSpecifier { ty, is_pack, is_virtual, access, span: self.since(start) });
            if !self.eat(Punct::Comma) {
                break;
            }
        }
        bases
    }

    /// Notes at which members the access changes.
    fn parse_class_body(
        &mut self,
        scope: ScopeId,
        class_name: Option<Symbol>,
        access: &mut Vec<(u32, Access)>,
    ) -> Vec<Decl> {
        let open = self.pos;
        if !self.expect(Punct::LBrace, "to begin the members") {
            self.skip_to_statement_end();
            return Vec::new();
        }
        let in_angles = std::mem::replace(&mut self.in_angles, false);
        let outer_delayed = std::mem::take(&mut self.delayed);
        self.frames.push(Frame::Shared(scope));
        let outer_base = std::mem::replace(&mut self.class_base, self.frames.len());
        let mut members = Vec::new();
        while !self.at(Punct::RBrace) && !self.cur().is_eof() {
            let before = self.pos;
            if let Some(specifier) = self.opt_access_specifier() {
                access.push((members.len() as u32, specifier));
                continue;
            }
            if self.is_likely_outside(open) {
                break;
            }
            self.parse_declaration(Context::Class(class_name), &mut members);
            if self.pos == before {
                self.error_here("unexpected-token", "expected a member");
                self.bump();
            }
        }
        self.expect_close(open, Punct::RBrace);
        let end = (self.pos, self.prev_span);
        for delayed in std::mem::take(&mut self.delayed) {
            self.parse_delayed_body(delayed, &mut members);
        }
        (self.pos, self.prev_span) = end;
        self.class_base = outer_base;
        self.leave(1);
        self.delayed = outer_delayed;
        self.in_angles = in_angles;
        members
    }

    /// A class without its `}` would swallow the functions after it; `kernel` gives it away.
    fn is_likely_outside(&self, open: usize) -> bool {
        self.matching[open] == super::NO_MATCH
            && self.cur().at_line_start
            && matches!(self.kind(), TokenKind::Keyword(Kw::Kernel | Kw::Namespace))
    }

    fn opt_access_specifier(&mut self) -> Option<Access> {
        let access = match self.kind() {
            TokenKind::Keyword(Kw::Public) => Access::Public,
            TokenKind::Keyword(Kw::Protected) => Access::Protected,
            TokenKind::Keyword(Kw::Private) => Access::Private,
            _ => return None,
        };
        if !self.peek_is(1, Punct::Colon) {
            return None;
        }
        self.bump();
        self.bump();
        Some(access)
    }

    fn parse_delayed_body(&mut self, delayed: DelayedBody, members: &mut [Decl]) {
        let DelayedBody { start, end, frames, scope, index } = delayed;
        self.pos = start;
        self.prev_span = self.tokens[start.saturating_sub(1)].span;
        let count = frames.len();
        self.frames.extend(frames);
        let body = self.nested(|p| p.with_scope(scope, |p| p.parse_function_body()));
        self.leave(count);
        self.pos = end;
        let Some(body) = body else { return };
        let mut decl = members.get_mut(index);
        while let Some(Decl { kind: DeclKind::Friend(inner), .. }) = decl {
            decl = Some(inner);
        }
        if let Some(Decl { kind: DeclKind::Function(function) | DeclKind::DeductionGuide(function), .. }) = decl
            && let Some(function) = Arc::get_mut(function)
        {
            function.body = body;
        }
    }

    // ---- enumerations ------------------------------------------------------------------

    pub(super) fn parse_enum_specifier(&mut self, result: &mut Specifiers) -> TypeExpr {
        let start = self.bump().span;
        let is_scoped = self.eat_kw(Kw::Class) || self.eat_kw(Kw::Struct);
        let mut attributes = self.parse_attributes();
        let name = self.opt_tag_name();
        let has_base = self.at(Punct::Colon)
            && self
                .skim_type_id(At::new(self.pos + 1), false)
                // `typedef enum E : int E;` declares the enumeration first: `NS_ENUM` of headers that are shared with hosts.
                .is_some_and(|(end, _)| {
                    matches!(
                        self.kind_at(end),
                        TokenKind::Identifier(_) | TokenKind::Punct(Punct::LBrace | Punct::Semi)
                    )
                });
        let underlying = if has_base {
            self.bump();
            Some(self.parse_type_id())
        } else {
            None
        };
        let is_definition = self.at(Punct::LBrace);
        if !is_definition && name.is_none() {
            self.error_here("expected-token", "expected the name of an enumeration or '{'");
            return TypeExpr { kind: TypeExprKind::Error, span: self.since(start) };
        }
        let scope = self.define_enum(name.as_ref(), is_definition || underlying.is_some() || self.at(Punct::Semi));
        let enumerators = if is_definition { Some(self.parse_enumerators(scope, is_scoped)) } else { None };
        self.parse_attributes_into(&mut attributes);
        let span = self.since(start);
        let is_declaration = is_definition || underlying.is_some() || self.at(Punct::Semi);
        let decl = Arc::new(EnumDecl { name: name.clone(), is_scoped, underlying, enumerators, attributes, span });
        match name {
            Some(name) => {
                if is_declaration {
                    result.tag = Some(Decl { kind: DeclKind::Enum(decl), span });
                }
                TypeExpr { kind: TypeExprKind::Named { name, has_typename: false }, span }
            }
            None => {
                if self.at(Punct::Semi) {
                    result.tag = Some(Decl { kind: DeclKind::Enum(decl.clone()), span });
                }
                TypeExpr { kind: TypeExprKind::Enum(decl), span }
            }
        }
    }

    fn define_enum(&mut self, name: Option<&Name>, declares: bool) -> ScopeId {
        if let Some(name) = name {
            if let Some(id) = self.resolve(name).scope() {
                return id;
            }
            if let (true, 1, Some(symbol)) = (declares, name.segments.len(), last_symbol(name)) {
                let id = self.scopes.add(Scope::default());
                self.declare(symbol, Entity::Type(Some(id)));
                return id;
            }
        }
        self.scopes.add(Scope::default())
    }

    fn parse_enumerators(&mut self, scope: ScopeId, is_scoped: bool) -> Vec<Enumerator> {
        let open = self.pos;
        self.bump();
        let saved = std::mem::replace(&mut self.in_angles, false);
        let mut enumerators = Vec::new();
        while !self.at(Punct::RBrace) && !self.cur().is_eof() {
            let Some((name, start)) = self.expect_identifier("the name of an enumerator") else {
                self.skip_to_comma(Punct::RBrace);
                if self.eat(Punct::Comma) {
                    continue;
                }
                break;
            };
            self.parse_attributes();
            let value = if self.eat(Punct::Eq) { Some(self.parse_conditional()) } else { None };
            self.scopes.declare(scope, name, Entity::Value);
            if !is_scoped {
                self.declare(name, Entity::Value);
            }
            enumerators.push(Enumerator { name, value, span: self.since(start) });
            if self.eat(Punct::Comma) {
                continue;
            }
            if matches!(self.kind(), TokenKind::Identifier(_)) {
                let place = self.after_previous();
                self.report(
                    Diagnostic::error("expected-token", place, "expected ',' after this enumerator")
                        .help("insert ',' here"),
                );
                continue;
            }
            break;
        }
        self.in_angles = saved;
        self.expect_close(open, Punct::RBrace);
        enumerators
    }
}
