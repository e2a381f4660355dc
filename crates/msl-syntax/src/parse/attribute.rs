//! Attributes: `[[buffer(0)]]`, `__attribute__((always_inline))`, `alignas(16)`.
//!
//! Promised: any balanced text is accepted as arguments; what an attribute means is checked later.
//! MSL specification, chapter 5; C++ [dcl.attr].

use msl_base::Symbol;

use super::lookahead::At;
use super::{NO_MATCH, Parser};
use crate::ast::*;
use crate::token::{Kw, Punct, TokenKind};

impl Parser<'_> {
    /// All attributes that stand here, of any spelling.
    pub(super) fn parse_attributes_into(&mut self, out: &mut Vec<Attribute>) {
        loop {
            if self.at_attribute() {
                self.parse_double_bracket_attributes(out);
            } else if self.at_kw(Kw::Attribute) {
                self.parse_gnu_attributes(out);
            } else if self.at_kw(Kw::Alignas) {
                self.parse_alignas(out);
            } else {
                return;
            }
        }
    }
    pub(super) fn parse_attributes(&mut self) -> Vec<Attribute> {
        let mut attributes = Vec::new();
        self.parse_attributes_into(&mut attributes);
        attributes
    }

    fn parse_double_bracket_attributes(&mut self, out: &mut Vec<Attribute>) {
        let open = self.pos;
        self.bump();
        self.bump();
        let mut default_namespace = None;
        if self.at_kw(Kw::Using) {
            self.bump();
            default_namespace = self.cur().word();
            self.bump();
            self.eat(Punct::Colon);
        }
        self.parse_attribute_list(Punct::RBracket, default_namespace, out);
        if self.expect_close(open + 1, Punct::RBracket) {
            self.expect_close(open, Punct::RBracket);
        } else if self.matching[open] != NO_MATCH {
            // The message for the inner bracket is enough.
            self.eat(Punct::RBracket);
        }
    }

    fn parse_gnu_attributes(&mut self, out: &mut Vec<Attribute>) {
        self.bump();
        let open = self.pos;
        if !self.expect(Punct::LParen, "after '__attribute__'") {
            return;
        }
        let inner = self.pos;
        if self.expect(Punct::LParen, "after '__attribute__('") {
            self.parse_attribute_list(Punct::RParen, None, out);
            self.expect_close(inner, Punct::RParen);
        }
        self.expect_close(open, Punct::RParen);
    }

    fn parse_attribute_list(&mut self, close: Punct, default_namespace: Option<Symbol>, out: &mut Vec<Attribute>) {
        loop {
            while self.eat(Punct::Comma) {}
            if self.at(close) || self.cur().is_eof() {
                return;
            }
            let start = self.span();
            let Some(mut name) = self.cur().word() else {
                self.error_here("expected-name", "expected the name of an attribute");
                return;
            };
            self.bump();
            let mut namespace = default_namespace;
            if self.eat(Punct::ColonColon) {
                namespace = Some(name);
                match self.cur().word() {
                    Some(word) => {
                        name = word;
                        self.bump();
                    }
                    None => self.error_here("expected-name", "expected the name of an attribute"),
                }
            }
            // `__packed__` is `packed`, spelled so that no macro of a program can meet it.
            if let Some(plain) = name.as_str().strip_prefix("__").and_then(|n| n.strip_suffix("__")) {
                name = Symbol::new(plain);
            }
            let args = if self.at(Punct::LParen) { self.parse_attribute_args() } else { Vec::new() };
            self.eat(Punct::Ellipsis);
            out.push(Attribute { namespace, name, args, span: self.since(start) });
            if !self.at(Punct::Comma) {
                return;
            }
        }
    }

    fn parse_attribute_args(&mut self) -> Vec<Expr> {
        let open = self.pos;
        self.bump();
        let saved = std::mem::replace(&mut self.in_angles, false);
        let mut args = Vec::new();
        while !self.at(Punct::RParen) && !self.cur().is_eof() {
            args.push(self.parse_attribute_arg());
            if !self.eat(Punct::Comma) {
                break;
            }
        }
        self.in_angles = saved;
        self.expect_close(open, Punct::RParen);
        args
    }

    fn parse_attribute_arg(&mut self) -> Expr {
        // Words such as `[[clang::loop(unroll, full)]]` or `[[imageblock_data(T)]]`; some are keywords.
        let ends = |p: &Self| matches!(p.peek(1).kind, TokenKind::Punct(Punct::Comma | Punct::RParen));
        if let TokenKind::Keyword(_) = self.kind()
            && ends(self)
            && !matches!(self.kind(), TokenKind::Keyword(Kw::True | Kw::False | Kw::Nullptr | Kw::This))
            && self.type_id_ahead(At::new(self.pos)).is_none()
        {
            let token = self.bump();
            let name = super::name::simple_name(token.word().unwrap_or(Symbol::new("")), token.span);
            return Expr { kind: ExprKind::Name(name), span: token.span };
        }
        self.parse_type_or_argument(|p, at| p.is_at(at, Punct::Comma) || p.is_at(at, Punct::RParen))
    }

    fn parse_alignas(&mut self, out: &mut Vec<Attribute>) {
        let start = self.bump().span;
        let open = self.pos;
        if !self.expect(Punct::LParen, "after 'alignas'") {
            return;
        }
        let saved = std::mem::replace(&mut self.in_angles, false);
        let arg = self.parse_type_or_argument(|p, at| p.is_at(at, Punct::RParen));
        self.in_angles = saved;
        self.expect_close(open, Punct::RParen);
        out.push(Attribute { namespace: None, name: Symbol::new("alignas"), args: vec![arg], span: self.since(start) });
    }
}
