//! Primary expressions: literals, names, parentheses and folds, functional casts, named casts, lambdas.
//!
//! C++ [expr.prim], [expr.type.conv].

use std::sync::Arc;

use msl_base::{Span, Symbol};

use super::Parser;
use super::decl::Context;
use super::lookahead::is_builtin_type;
use super::name::{NameClass, NameMode, assign_operator, binary_operator};
use super::scope::{Entity, Frame, Scope};
use super::specifiers::address_space;
use crate::ast::*;
use crate::token::{self, IntegerBase, Kw, Punct, TokenKind};

impl Parser<'_> {
    pub(super) fn parse_primary(&mut self) -> Expr {
        self.height = 1;
        let span = self.span();
        let literal = |p: &mut Self, kind| {
            p.bump();
            Expr { kind, span }
        };
        match self.kind() {
            TokenKind::Integer(value) => literal(self, integer(value)),
            TokenKind::Float(value) => literal(self, float(value)),
            TokenKind::Char(value) => literal(self, ExprKind::Char(i64::from(value))),
            TokenKind::String(_) => {
                let text = self.parse_string();
                Expr { kind: ExprKind::String(text), span: self.since(span) }
            }
            TokenKind::Punct(punct) => match punct {
                Punct::LParen => self.parse_paren(),
                Punct::LBracket if !self.at_attribute() => self.parse_lambda(),
                Punct::LBrace => self.parse_initializer_clause(),
                Punct::ColonColon if self.at_name() => self.parse_name_expr(),
                _ => self.parse_missing_operand(),
            },
            TokenKind::Identifier(_) => self.parse_name_expr(),
            TokenKind::Keyword(keyword) => self.parse_keyword_expr(keyword, span),
            TokenKind::Pragma(_) | TokenKind::Eof => self.parse_missing_operand(),
        }
    }

    fn parse_missing_operand(&mut self) -> Expr {
        let place = if self.cur().at_line_start || self.cur().is_eof() { self.after_previous() } else { self.span() };
        self.error("expected-expression", place, "expected an expression");
        self.error_expr()
    }

    fn parse_keyword_expr(&mut self, keyword: Kw, span: Span) -> Expr {
        let simple = match keyword {
            Kw::True => Some(ExprKind::Bool(true)),
            Kw::False => Some(ExprKind::Bool(false)),
            Kw::Nullptr => Some(ExprKind::Nullptr),
            Kw::This => Some(ExprKind::This),
            _ => None,
        };
        if let Some(kind) = simple {
            self.bump();
            return Expr { kind, span };
        }
        match keyword {
            Kw::Operator => self.parse_name_expr(),
            Kw::StaticCast | Kw::ReinterpretCast | Kw::ConstCast | Kw::DynamicCast => self.parse_named_cast(),
            Kw::Typename | Kw::Auto | Kw::Struct | Kw::Class | Kw::Union | Kw::Enum => self.parse_construct(),
            Kw::Decltype | Kw::Typeof => self.parse_decltype_expr(),
            k if is_builtin_type(k) || super::lookahead::is_qualifier(k) => self.parse_construct(),
            Kw::Typeid => {
                self.bump();
                self.not_in_msl(span, "run-time type information", "");
                if self.at(Punct::LParen) {
                    self.skip_brackets();
                }
                self.error_expr()
            }
            Kw::Asm => {
                self.parse_asm();
                self.error_expr()
            }
            _ => self.parse_missing_operand(),
        }
    }

    /// Adjacent string literals as one.
    pub(super) fn parse_string(&mut self) -> Symbol {
        let mut text: Option<Symbol> = None;
        while let TokenKind::String(part) = self.kind() {
            self.bump();
            text = Some(match text {
                Some(before) => Symbol::new(&format!("{before}{part}")),
                None => part,
            });
        }
        text.unwrap_or(Symbol::new(""))
    }

    fn parse_name_expr(&mut self) -> Expr {
        let start = self.span();
        let (name, class) = self.parse_name(NameMode::Expr);
        self.height = 1;
        self.finish_name_expr(start, name, class, false)
    }

    /// After a name: `T(…)` and `T{…}` where it is a type, the name itself otherwise.
    fn finish_name_expr(&mut self, start: Span, name: Name, class: NameClass, has_typename: bool) -> Expr {
        let is_type = class.is_type() || has_typename;
        let may_be_type = is_type || class == NameClass::Unknown;
        if matches!(class, NameClass::Type(_)) && self.at(Punct::Less) {
            let message = format!("'{}' is not a template", self.source.text(name.span));
            self.error("not-a-template", name.span, message);
            self.skip_to_statement_end();
            return self.error_expr();
        }
        let span = name.span;
        if is_type && self.at(Punct::LParen) {
            let ty = TypeExpr { kind: TypeExprKind::Named { name, has_typename }, span: self.since(start) };
            let args = self.parse_call_args(false);
            self.grow(self.height);
            return Expr { kind: ExprKind::Construct { ty, args }, span: self.since(start) };
        }
        if may_be_type && self.at(Punct::LBrace) {
            let ty = TypeExpr { kind: TypeExprKind::Named { name, has_typename }, span: self.since(start) };
            let (args, _) = self.parse_brace_list();
            self.grow(self.height);
            return Expr { kind: ExprKind::BraceConstruct { ty, args }, span: self.since(start) };
        }
        Expr { kind: ExprKind::Name(name), span }
    }

    /// A type by keywords, and its arguments.
    fn parse_construct(&mut self) -> Expr {
        let start = self.span();
        let ty = match self.nested(|p| p.parse_type_specifiers()) {
            Some(ty) => ty,
            None => return self.error_expr(),
        };
        self.finish_construct(start, ty)
    }

    fn finish_construct(&mut self, start: Span, ty: TypeExpr) -> Expr {
        let kind = if self.at(Punct::LParen) {
            let args = self.parse_call_args(false);
            ExprKind::Construct { ty, args }
        } else if self.at(Punct::LBrace) {
            let (args, _) = self.parse_brace_list();
            ExprKind::BraceConstruct { ty, args }
        } else {
            let span = ty.span;
            self.error("expected-expression", span, "expected an expression, but this is a type");
            return self.error_expr();
        };
        self.grow(self.height);
        Expr { kind, span: self.since(start) }
    }

    /// `decltype(e){}`, `decltype(e)(x)` or `decltype(e)::value`.
    fn parse_decltype_expr(&mut self) -> Expr {
        let start = self.span();
        let operand = self.parse_decltype_operand();
        self.height = 1;
        if self.at(Punct::ColonColon) {
            let (name, class) = self.parse_name_after_decltype(start, operand, NameMode::Expr);
            return self.finish_name_expr(start, name, class, false);
        }
        let span = self.since(start);
        let ty = match operand.kind {
            ExprKind::Type(ty) => ty,
            _ => TypeExpr { kind: TypeExprKind::Decltype(Box::new(operand)), span },
        };
        self.finish_construct(start, ty)
    }

    fn parse_named_cast(&mut self) -> Expr {
        let start = self.span();
        let kind = match self.bump().kind {
            TokenKind::Keyword(Kw::ConstCast) => NamedCast::Const,
            TokenKind::Keyword(Kw::ReinterpretCast) => NamedCast::Reinterpret,
            TokenKind::Keyword(Kw::DynamicCast) => {
                self.not_in_msl(start, "'dynamic_cast'", "use 'static_cast'");
                NamedCast::Dynamic
            }
            _ => NamedCast::Static,
        };
        if !self.at(Punct::Less) {
            self.error_here("expected-token", "expected '<' and the type to cast to");
            return self.error_expr();
        }
        let ty = self.parse_cast_target();
        let open = self.pos;
        if !self.expect(Punct::LParen, "around the value to cast") {
            return self.error_expr();
        }
        let saved = std::mem::replace(&mut self.in_angles, false);
        let operand = Box::new(self.parse_expr());
        self.in_angles = saved;
        self.expect_close(open, Punct::RParen);
        self.grow(self.height);
        Expr { kind: ExprKind::NamedCast { kind, ty, operand }, span: self.since(start) }
    }

    // ---- parentheses and folds ------------------------------------------------------------

    fn parse_paren(&mut self) -> Expr {
        let open = self.pos;
        let start = self.bump().span;
        if self.at(Punct::LBrace) {
            let saved = std::mem::replace(&mut self.in_angles, false);
            let body = self.nested(|p| p.parse_compound());
            self.in_angles = saved;
            self.expect_close(open, Punct::RParen);
            self.height = 1;
            return match body {
                Some(body) => Expr { kind: ExprKind::Statements(Arc::new(body)), span: self.since(start) },
                None => self.error_expr(),
            };
        }
        let saved = std::mem::replace(&mut self.in_angles, false);
        let kind = if self.at(Punct::Ellipsis) {
            // `(... op pack)`
            self.bump();
            self.parse_fold_rest(None)
        } else {
            let first = self.parse_expr();
            let is_fold = self.peek_is(1, Punct::Ellipsis)
                && matches!(self.kind(), TokenKind::Punct(p) if fold_operator(p).is_some());
            if is_fold { self.parse_fold_after(open, first) } else { ExprKind::Paren(Box::new(first)) }
        };
        self.in_angles = saved;
        self.expect_close(open, Punct::RParen);
        self.grow(self.height);
        Expr { kind, span: self.since(start) }
    }

    /// After `(... ` : the operator and the pack.
    fn parse_fold_rest(&mut self, init: Option<Box<Expr>>) -> ExprKind {
        let Some(op) = self.fold_operator() else {
            self.error_here("expected-token", "expected an operator after '...'");
            return ExprKind::Error;
        };
        let pack = Box::new(self.parse_fold_operand());
        ExprKind::Fold { op, is_left: true, pack, init }
    }

    /// After `(first`, at `op ...`. `first` began after token `open`.
    fn parse_fold_after(&mut self, open: usize, first: Expr) -> ExprKind {
        let first_is_pack = self.names_pack(open + 1, self.pos);
        let Some(op) = self.fold_operator() else { return ExprKind::Paren(Box::new(first)) };
        self.bump();
        if self.at(Punct::RParen) {
            return ExprKind::Fold { op, is_left: false, pack: Box::new(first), init: None };
        }
        let second_operator = self.span();
        match self.fold_operator() {
            Some(second) if second == op => {}
            _ => self.error("expected-token", second_operator, "expected the same operator on both sides of '...'"),
        }
        let start = self.pos;
        let second = self.parse_fold_operand();
        // `(pack op ... op init)` folds to the right, `(init op ... op pack)` to the left.
        let is_left = !first_is_pack || self.names_pack(start, self.pos);
        let (pack, init) = if is_left { (second, first) } else { (first, second) };
        ExprKind::Fold { op, is_left, pack: Box::new(pack), init: Some(Box::new(init)) }
    }

    /// Whether the tokens mention a name that was declared as a pack.
    fn names_pack(&self, start: usize, end: usize) -> bool {
        self.tokens[start..end].iter().any(|t| t.identifier().is_some_and(|name| self.packs.contains(&name)))
    }

    fn fold_operator(&mut self) -> Option<FoldOperator> {
        let TokenKind::Punct(punct) = self.kind() else { return None };
        let found = fold_operator(punct)?;
        self.bump();
        Some(found)
    }

    /// A cast-expression, as the grammar of folds wants it.
    fn parse_fold_operand(&mut self) -> Expr {
        self.parse_conditional()
    }

    // ---- lambdas --------------------------------------------------------------------------

    fn parse_lambda(&mut self) -> Expr {
        let start = self.span();
        let lambda = self.nested(|p| p.parse_lambda_inner());
        self.height = 1;
        match lambda {
            Some(lambda) => Expr { kind: ExprKind::Lambda(Arc::new(lambda)), span: self.since(start) },
            None => self.error_expr(),
        }
    }

    fn parse_lambda_inner(&mut self) -> LambdaExpr {
        let start = self.span();
        let saved = std::mem::replace(&mut self.in_angles, false);
        let (default_capture, captures) = self.parse_captures();
        let frames = self.frames.len();
        let mut template = None;
        if self.at(Punct::Less) {
            let header_start = self.span();
            self.frames.push(Frame::Local(Scope::template_header()));
            let params = self.parse_template_params();
            template = Some(TemplateHeader { params, span: self.since(header_start) });
        }
        self.push_local();
        for capture in &captures {
            if let (Some(name), Some(_)) = (capture.name, &capture.init) {
                self.declare(name, Entity::Value);
            }
        }
        let mut params = Vec::new();
        if self.at(Punct::LParen) {
            let open = self.pos;
            self.bump();
            params = self.parse_params(open).0;
            self.expect_close(open, Punct::RParen);
        }
        let mut is_mutable = false;
        let mut ret = None;
        loop {
            match self.kind() {
                TokenKind::Keyword(Kw::Mutable) => is_mutable = true,
                TokenKind::Keyword(Kw::Constexpr | Kw::Static) => {}
                TokenKind::Keyword(k) if address_space(k).is_some() => {}
                TokenKind::Keyword(Kw::Noexcept) => {
                    self.bump();
                    if self.at(Punct::LParen) {
                        self.skip_brackets();
                    }
                    continue;
                }
                TokenKind::Keyword(Kw::Attribute) => {
                    self.parse_attributes();
                    continue;
                }
                TokenKind::Punct(Punct::LBracket) if self.at_attribute() => {
                    self.parse_attributes();
                    continue;
                }
                TokenKind::Punct(Punct::Arrow) if ret.is_none() => {
                    self.bump();
                    ret = Some(self.parse_type_id());
                    continue;
                }
                _ => break,
            }
            self.bump();
        }
        let body = match self.parse_function_body_block() {
            Some(body) => body,
            None => {
                self.error_here("expected-token", "expected the body of a lambda");
                Stmt { kind: StmtKind::Error, span: self.span() }
            }
        };
        let pushed = self.frames.len() - frames;
        self.leave(pushed);
        self.in_angles = saved;
        let body = Box::new(body);
        LambdaExpr { captures, default_capture, template, params, ret, is_mutable, body, span: self.since(start) }
    }

    fn parse_function_body_block(&mut self) -> Option<Stmt> {
        if !self.at(Punct::LBrace) {
            return None;
        }
        let hint = std::mem::take(&mut self.loop_hint);
        let body = self.parse_compound();
        self.loop_hint = hint;
        Some(body)
    }

    fn parse_captures(&mut self) -> (Option<CaptureDefault>, Vec<LambdaCapture>) {
        let open = self.pos;
        self.bump();
        let mut default = None;
        let mut captures = Vec::new();
        while !self.at(Punct::RBracket) && !self.cur().is_eof() {
            let start = self.span();
            let ends = self.peek_is(1, Punct::RBracket) || self.peek_is(1, Punct::Comma);
            if self.at(Punct::Eq) && ends {
                self.bump();
                default = Some(CaptureDefault::ByCopy);
            } else if self.at(Punct::Amp) && ends {
                self.bump();
                default = Some(CaptureDefault::ByReference);
            } else {
                let by_reference = self.eat(Punct::Amp);
                self.eat(Punct::Ellipsis);
                let name = if self.eat_kw(Kw::This) || (self.at(Punct::Star) && self.peek(1).is_keyword(Kw::This)) {
                    if self.eat(Punct::Star) {
                        self.bump();
                    }
                    None
                } else {
                    match self.expect_identifier("the name of a variable to capture") {
                        Some((name, _)) => Some(name),
                        None => break,
                    }
                };
                let init = match self.parse_initializer(Context::Block) {
                    Some(Initializer::Copy(e)) => Some(e),
                    Some(Initializer::Paren(mut list, span) | Initializer::Brace(mut list, span)) => {
                        if list.len() == 1 {
                            Some(list.remove(0))
                        } else {
                            Some(Expr { kind: ExprKind::InitList(list), span })
                        }
                    }
                    None => None,
                };
                self.eat(Punct::Ellipsis);
                captures.push(LambdaCapture { name, by_reference, init, span: self.since(start) });
            }
            if !self.eat(Punct::Comma) {
                break;
            }
        }
        self.expect_close(open, Punct::RBracket);
        (default, captures)
    }
}

fn integer(literal: token::IntegerLiteral) -> ExprKind {
    let suffix = match literal.suffix {
        token::IntegerSuffix::None => IntegerSuffix::None,
        token::IntegerSuffix::U => IntegerSuffix::U,
        token::IntegerSuffix::L => IntegerSuffix::L,
        token::IntegerSuffix::UL => IntegerSuffix::UL,
    };
    ExprKind::Integer { value: literal.value, suffix, is_decimal: literal.base == IntegerBase::Decimal }
}

fn float(literal: token::FloatLiteral) -> ExprKind {
    let suffix = match literal.suffix {
        token::FloatSuffix::None => FloatSuffix::None,
        token::FloatSuffix::F => FloatSuffix::F,
        token::FloatSuffix::H => FloatSuffix::H,
        token::FloatSuffix::BF => FloatSuffix::BF,
    };
    ExprKind::Float { value: literal.value, suffix }
}

fn fold_operator(punct: Punct) -> Option<FoldOperator> {
    if punct == Punct::Comma {
        return Some(FoldOperator::Comma);
    }
    let binary = binary_operator(punct).map(|(op, _)| FoldOperator::Binary(op));
    binary.or_else(|| assign_operator(punct).map(FoldOperator::Assign))
}
