//! Templates: headers, arguments, explicit instantiations.
//!
//! C++ [temp]. Whether an argument is a type or an expression is decided by look-ahead; a lone name that nobody
//! knows, or a class template without arguments, is left to semantic analysis ([`TemplateArg::Ambiguous`]).

use msl_base::{Diagnostic, Span};

use super::Parser;
use super::decl::{Context, Terminator};
use super::lookahead::{At, Certainty};
use super::name::{NameMode, last_symbol};
use super::scope::{Entity, Frame, Scope};
use super::specifiers::Expecting;
use crate::ast::*;
use crate::token::{Kw, Punct, TokenKind};

impl Parser<'_> {
    /// From `template`: a template, a specialisation or an explicit instantiation.
    pub(super) fn parse_template(
        &mut self,
        context: Context,
        mut templates: Vec<TemplateHeader>,
        is_extern: bool,
        out: &mut Vec<Decl>,
    ) {
        let start = self.span();
        if !self.peek_is(1, Punct::Less) {
            self.bump();
            return self.parse_explicit_instantiation(start, context, is_extern, out);
        }
        let mut entered = 0;
        while self.at_kw(Kw::Template) && self.peek_is(1, Punct::Less) && entered < 16 {
            let header_start = self.bump().span;
            self.frames.push(Frame::Local(Scope::template_header()));
            entered += 1;
            let params = self.parse_template_params();
            templates.push(TemplateHeader { params, span: self.since(header_start) });
        }
        if self.at_word("requires") || self.at_word("concept") {
            self.no_concepts();
            self.skip_to_statement_end();
        } else {
            match self.kind() {
                TokenKind::Keyword(Kw::Using) => self.parse_declaration_inner(context, templates, out),
                TokenKind::Keyword(Kw::Template | Kw::Namespace | Kw::StaticAssert) => {
                    self.error_here(
                        "unexpected-token",
                        "expected a class, function, variable or alias after the template header",
                    );
                }
                _ => {
                    self.parse_simple_declaration(context, templates, Terminator::Semicolon, out);
                }
            }
        }
        self.leave(entered);
    }

    fn parse_explicit_instantiation(&mut self, start: Span, context: Context, is_extern: bool, out: &mut Vec<Decl>) {
        let mut decls = Vec::new();
        // What is declared here is declared already; a scope of its own keeps the names apart.
        self.push_local();
        self.parse_simple_declaration(context, Vec::new(), Terminator::Semicolon, &mut decls);
        self.pop_local();
        for decl in decls {
            let kind = DeclKind::ExplicitInstantiation { is_extern, decl: Box::new(decl) };
            out.push(Decl { kind, span: self.since(start) });
        }
    }

    /// `<…>` of a header, declaring the parameters in the innermost scope.
    pub(super) fn parse_template_params(&mut self) -> Vec<TemplateParam> {
        let open = self.pos;
        self.bump();
        let saved = std::mem::replace(&mut self.in_angles, true);
        let mut params = Vec::with_capacity(1);
        while !self.is_angle_close(At::new(self.pos)) && !self.cur().is_eof() {
            let before = self.pos;
            match self.nested(|p| p.parse_template_param()) {
                Some(param) => {
                    if let Some(name) = param.name {
                        let entity = match param.kind {
                            TemplateParamKind::Type { .. } => Entity::Type(None),
                            TemplateParamKind::Value { .. } => Entity::Value,
                            TemplateParamKind::Template { .. } => Entity::ClassTemplate(None),
                        };
                        if let Some(Frame::Local(scope)) = self.frames.last_mut() {
                            scope.hide(name, entity);
                        }
                        if param.is_pack {
                            self.packs.insert(name);
                        }
                    }
                    params.push(param);
                }
                None => break,
            }
            if !self.eat(Punct::Comma) || self.pos == before {
                break;
            }
        }
        self.in_angles = saved;
        self.expect_angle_close(open);
        params
    }

    fn parse_template_param(&mut self) -> TemplateParam {
        let start = self.span();
        if self.eat_kw(Kw::Template) {
            return self.parse_template_template_param(start);
        }
        let is_type = matches!(self.kind(), TokenKind::Keyword(Kw::Typename | Kw::Class)) && {
            let skip = 1
                + usize::from(self.peek_is(1, Punct::Ellipsis))
                + usize::from(
                    matches!(self.peek(1).kind, TokenKind::Identifier(_))
                        || (self.peek_is(1, Punct::Ellipsis) && matches!(self.peek(2).kind, TokenKind::Identifier(_))),
                );
            let after = At::new(self.pos + skip);
            !self.is_at(after, Punct::ColonColon) && !self.is_at(after, Punct::Less)
        };
        if is_type {
            self.bump();
            let is_pack = self.eat(Punct::Ellipsis);
            let name = self.cur().identifier();
            if name.is_some() {
                self.bump();
            }
            let default = if self.eat(Punct::Eq) { Some(self.parse_type_id()) } else { None };
            let kind = TemplateParamKind::Type { default };
            return TemplateParam { name, kind, is_pack, span: self.since(start) };
        }
        let specifiers = self.parse_specifiers(Expecting::Parameter);
        let ty = specifiers.ty.unwrap_or_else(|| {
            self.error_here("expected-type", "expected a template parameter");
            TypeExpr { kind: TypeExprKind::Error, span: start }
        });
        let declarator = self.parse_declarator(ty, super::declarator::DeclaratorMode::Parameter);
        let name = declarator.name.as_ref().and_then(last_symbol);
        let is_pack = declarator.is_pack;
        let ty = super::declarator::function_type(declarator);
        let default = if self.eat(Punct::Eq) { Some(self.parse_conditional()) } else { None };
        TemplateParam { name, kind: TemplateParamKind::Value { ty, default }, is_pack, span: self.since(start) }
    }

    fn parse_template_template_param(&mut self, start: Span) -> TemplateParam {
        let params = if self.at(Punct::Less) {
            self.frames.push(Frame::Local(Scope::template_header()));
            let params = self.parse_template_params();
            self.leave(1);
            params
        } else {
            self.error_here("expected-token", "expected '<' after 'template'");
            Vec::new()
        };
        if !self.eat_kw(Kw::Class) && !self.eat_kw(Kw::Typename) {
            self.error_here("expected-token", "expected 'class' or 'typename'");
        }
        let is_pack = self.eat(Punct::Ellipsis);
        let name = self.cur().identifier();
        if name.is_some() {
            self.bump();
        }
        let default = if self.eat(Punct::Eq) {
            if self.at_name() {
                Some(self.parse_name(NameMode::Type).0)
            } else {
                self.error_here("expected-name", "expected the name of a template");
                None
            }
        } else {
            None
        };
        TemplateParam { name, kind: TemplateParamKind::Template { params, default }, is_pack, span: self.since(start) }
    }

    /// `<…>` after the name of a template.
    pub(super) fn parse_template_args(&mut self) -> Vec<TemplateArg> {
        let open = self.pos;
        self.bump();
        let saved = std::mem::replace(&mut self.in_angles, true);
        let mut args = Vec::with_capacity(1);
        while !self.is_angle_close(At::new(self.pos)) && !self.cur().is_eof() {
            let before = self.pos;
            match self.nested(|p| p.parse_template_arg()) {
                Some(arg) => args.push(arg),
                None => break,
            }
            if !self.eat(Punct::Comma) || self.pos == before {
                break;
            }
        }
        self.in_angles = saved;
        self.expect_angle_close(open);
        args
    }

    /// `<T>` of a named cast.
    pub(super) fn parse_cast_target(&mut self) -> TypeExpr {
        let open = self.pos;
        self.bump();
        let saved = std::mem::replace(&mut self.in_angles, true);
        let ty = self.parse_type_id();
        self.in_angles = saved;
        self.expect_angle_close(open);
        ty
    }

    fn parse_template_arg(&mut self) -> TemplateArg {
        let here = At::new(self.pos);
        let certainty = self.skim_type_id(here, true).and_then(|(end, certainty)| {
            let ends = self.is_angle_close(end) || self.is_at(end, Punct::Comma) || self.is_at(end, Punct::Ellipsis);
            ends.then_some(certainty)
        });
        let arg = match certainty {
            Some(Certainty::Type) => TemplateArg::Type(self.parse_type_id()),
            Some(Certainty::BareTemplate | Certainty::BareUnknown) => {
                TemplateArg::Ambiguous(self.parse_name(NameMode::Type).0)
            }
            None => TemplateArg::Expr(self.parse_conditional()),
        };
        if self.eat(Punct::Ellipsis) { TemplateArg::Pack(Box::new(arg)) } else { arg }
    }

    /// The `>` of a list, splitting `>>` and its like.
    fn expect_angle_close(&mut self, open: usize) {
        if self.eat(Punct::Greater) {
            return;
        }
        if let Some((first, rest)) = self.cur().split_greater() {
            self.prev_span = first.span;
            self.tokens[self.pos] = rest;
            return;
        }
        let opener = self.tokens[open].span;
        let place = if self.cur().at_line_start { self.after_previous() } else { self.span() };
        self.report(
            Diagnostic::error("expected-closing-bracket", place, "expected '>'").note_at(opener, "to match this '<'"),
        );
    }
}
