//! Expressions with operators: from the comma down to postfix chains.
//!
//! Promised: left-leaning chains are built in loops, and `height` bounds the tree they make; what recurses goes
//! through [`Parser::nested`]. A `{…}` list is an expression wherever C++ allows an initialiser clause.
//! C++ [expr].

use msl_base::Span;

use super::Parser;
use super::lookahead::{At, Certainty};
use super::name::{assign_operator, binary_operator};
use crate::ast::*;
use crate::token::{Kw, Punct, TokenKind};

impl Parser<'_> {
    pub(super) fn error_expr(&mut self) -> Expr {
        self.height = 1;
        Expr { kind: ExprKind::Error, span: self.after_previous() }
    }

    /// Any expression, commas included.
    pub(super) fn parse_expr(&mut self) -> Expr {
        let start = self.span();
        let mut left = self.parse_assignment();
        while self.at(Punct::Comma) && !self.peek_is(1, Punct::Ellipsis) {
            self.bump();
            let height = self.height;
            let right = self.parse_assignment();
            if !self.grow(height.max(self.height)) {
                return self.give_up();
            }
            left = Expr { kind: ExprKind::Comma(Box::new(left), Box::new(right)), span: self.since(start) };
        }
        left
    }

    /// An expression that became too high: nothing more of it is read.
    fn give_up(&mut self) -> Expr {
        self.skip_to_statement_end();
        self.error_expr()
    }

    pub(super) fn parse_assignment(&mut self) -> Expr {
        match self.nested(|p| p.parse_assignment_inner()) {
            Some(e) => e,
            None => self.error_expr(),
        }
    }

    fn parse_assignment_inner(&mut self) -> Expr {
        let start = self.span();
        let left = self.parse_conditional();
        let TokenKind::Punct(punct) = self.kind() else { return left };
        let Some(op) = assign_operator(punct) else { return left };
        // `op ...` belongs to a fold expression, which the parentheses handle.
        if self.peek_is(1, Punct::Ellipsis) {
            return left;
        }
        let op_span = self.bump().span;
        let height = self.height;
        let right = self.parse_initializer_clause();
        if !self.grow(height.max(self.height)) {
            return self.give_up();
        }
        let kind = ExprKind::Assign { op, left: Box::new(left), right: Box::new(right), op_span };
        Expr { kind, span: self.since(start) }
    }

    /// An expression without assignments: template arguments, array sizes, enumerators.
    pub(super) fn parse_conditional(&mut self) -> Expr {
        let start = self.span();
        let condition = self.parse_binary(1);
        if !self.at(Punct::Question) {
            return condition;
        }
        self.bump();
        let height = self.height;
        let saved = std::mem::replace(&mut self.in_angles, false);
        // `a ?: b`, an extension of Clang, is `a ? a : b` with `a` evaluated once.
        let then = if self.at(Punct::Colon) { None } else { Some(Box::new(self.parse_expr())) };
        self.in_angles = saved;
        let height = height.max(self.height);
        if !self.expect(Punct::Colon, "between the two values of '?'") {
            return then.map_or(condition, |then| *then);
        }
        let otherwise = self.parse_initializer_clause();
        if !self.grow(height.max(self.height)) {
            return self.give_up();
        }
        let kind = ExprKind::Conditional { condition: Box::new(condition), then, otherwise: Box::new(otherwise) };
        Expr { kind, span: self.since(start) }
    }

    fn parse_binary(&mut self, min: u8) -> Expr {
        let start = self.span();
        let mut left = self.parse_unary();
        loop {
            let TokenKind::Punct(punct) = self.kind() else { return left };
            if self.in_angles && matches!(punct, Punct::Greater | Punct::GreaterGreater) {
                return left;
            }
            if matches!(punct, Punct::DotStar | Punct::ArrowStar) {
                self.bump();
                let height = self.height;
                let pointer = Box::new(self.parse_unary());
                if !self.grow(height.max(self.height)) {
                    return self.give_up();
                }
                let is_arrow = punct == Punct::ArrowStar;
                let kind = ExprKind::PointedMember { base: Box::new(left), is_arrow, pointer };
                left = Expr { kind, span: self.since(start) };
                continue;
            }
            let Some((op, precedence)) = binary_operator(punct) else { return left };
            // `op ...` belongs to a fold expression, which the parentheses handle.
            if precedence < min || self.peek_is(1, Punct::Ellipsis) {
                return left;
            }
            let op_span = self.bump().span;
            let height = self.height;
            let right = self.parse_binary(precedence + 1);
            if !self.grow(height.max(self.height)) {
                return self.give_up();
            }
            let kind = ExprKind::Binary { op, left: Box::new(left), right: Box::new(right), op_span };
            left = Expr { kind, span: self.since(start) };
        }
    }

    fn parse_unary(&mut self) -> Expr {
        use UnaryOperator as U;
        let start = self.span();
        let op = match self.kind() {
            TokenKind::Punct(punct) => match punct {
                Punct::Plus => U::Plus,
                Punct::Minus => U::Minus,
                Punct::Bang => U::Not,
                Punct::Tilde => U::BitNot,
                Punct::Star => U::Deref,
                Punct::Amp => U::AddressOf,
                Punct::PlusPlus => U::PreIncrement,
                Punct::MinusMinus => U::PreDecrement,
                Punct::LParen if self.is_cast_ahead() => return self.parse_cast(start),
                _ => return self.parse_postfix(),
            },
            TokenKind::Keyword(Kw::Sizeof | Kw::Alignof) => return self.parse_sizeof(),
            TokenKind::Keyword(Kw::Noexcept) => return self.parse_noexcept(),
            TokenKind::Keyword(Kw::New | Kw::Delete | Kw::Throw) => return self.parse_unknown_operator(),
            TokenKind::Keyword(Kw::Extension) => {
                self.bump();
                return self.nested(|p| p.parse_unary()).unwrap_or_else(|| self.error_expr());
            }
            _ => return self.parse_postfix(),
        };
        self.bump();
        let operand = match self.nested(|p| p.parse_unary()) {
            Some(operand) => operand,
            None => return self.error_expr(),
        };
        if !self.grow(self.height) {
            return self.give_up();
        }
        Expr { kind: ExprKind::Unary { op, operand: Box::new(operand) }, span: self.since(start) }
    }

    /// At `(`: a type in parentheses with an operand after it.
    fn is_cast_ahead(&self) -> bool {
        let Some((end, certainty)) = self.skim_type_id(At::new(self.pos + 1), false) else { return false };
        if !self.is_at(end, Punct::RParen) {
            return false;
        }
        let next = self.kind_at(end.next());
        match certainty {
            Certainty::Type | Certainty::BareTemplate => !matches!(next, TokenKind::Punct(Punct::Ellipsis)),
            // `(unknown)(x)` calls, `(unknown) - x` subtracts; only these can be operands of a cast.
            Certainty::BareUnknown => matches!(
                next,
                TokenKind::Identifier(_)
                    | TokenKind::Integer(_)
                    | TokenKind::Float(_)
                    | TokenKind::Char(_)
                    | TokenKind::Keyword(Kw::This | Kw::True | Kw::False | Kw::Sizeof)
            ),
        }
    }

    fn parse_cast(&mut self, start: Span) -> Expr {
        let open = self.pos;
        self.bump();
        let saved = std::mem::replace(&mut self.in_angles, false);
        let ty = self.parse_type_id();
        self.in_angles = saved;
        self.expect_close(open, Punct::RParen);
        if self.at(Punct::LBrace) {
            // A compound literal, which Clang takes for `T{…}`.
            let (args, _) = self.parse_brace_list();
            let literal = Expr { kind: ExprKind::BraceConstruct { ty, args }, span: self.since(start) };
            return self.parse_postfix_of(start, literal);
        }
        let operand = match self.nested(|p| p.parse_unary()) {
            Some(operand) => operand,
            None => return self.error_expr(),
        };
        if !self.grow(self.height) {
            return self.give_up();
        }
        Expr { kind: ExprKind::CStyleCast { ty, operand: Box::new(operand) }, span: self.since(start) }
    }

    fn parse_sizeof(&mut self) -> Expr {
        let start = self.span();
        let is_alignof = self.bump().is_keyword(Kw::Alignof);
        if self.eat(Punct::Ellipsis) {
            let open = self.pos;
            if !self.expect(Punct::LParen, "after 'sizeof...'") {
                return self.error_expr();
            }
            let name = self.expect_identifier("the name of a parameter pack").map_or("".into(), |(name, _)| name);
            self.expect_close(open, Punct::RParen);
            self.height = 1;
            return Expr { kind: ExprKind::SizeofPack(name), span: self.since(start) };
        }
        let is_type = self.at(Punct::LParen)
            && self.skim_type_id(At::new(self.pos + 1), false).is_some_and(|(end, certainty)| {
                self.is_at(end, Punct::RParen) && (certainty != Certainty::BareUnknown || is_alignof)
            });
        if is_type {
            let open = self.pos;
            self.bump();
            let saved = std::mem::replace(&mut self.in_angles, false);
            let ty = self.parse_type_id();
            self.in_angles = saved;
            self.expect_close(open, Punct::RParen);
            self.height = 1;
            let kind = if is_alignof { ExprKind::AlignofType(ty) } else { ExprKind::SizeofType(ty) };
            return Expr { kind, span: self.since(start) };
        }
        if is_alignof {
            self.error("expected-type", start, "'alignof' takes a type");
        }
        let operand = match self.nested(|p| p.parse_unary()) {
            Some(operand) => operand,
            None => return self.error_expr(),
        };
        self.grow(self.height);
        Expr { kind: ExprKind::SizeofExpr(Box::new(operand)), span: self.since(start) }
    }

    fn parse_noexcept(&mut self) -> Expr {
        let start = self.bump().span;
        let open = self.pos;
        if !self.expect(Punct::LParen, "after 'noexcept'") {
            return self.error_expr();
        }
        let saved = std::mem::replace(&mut self.in_angles, false);
        let operand = self.parse_expr();
        self.in_angles = saved;
        self.expect_close(open, Punct::RParen);
        Expr { kind: ExprKind::Noexcept(Box::new(operand)), span: self.since(start) }
    }

    /// `new`, `delete` and `throw`, read only to step over them.
    fn parse_unknown_operator(&mut self) -> Expr {
        let token = self.bump();
        let (what, help) = match token.kind {
            TokenKind::Keyword(Kw::Throw) => ("exceptions", "return a value that tells success from failure"),
            _ => (
                "dynamic memory",
                "pass a buffer to the kernel, or use an array in the thread or threadgroup address space",
            ),
        };
        self.not_in_msl(token.span, what, help);
        if self.at(Punct::LBracket) && self.peek_is(1, Punct::RBracket) {
            self.bump();
            self.bump();
        }
        if token.is_keyword(Kw::New) {
            let base = self.parse_type_specifiers();
            drop(base);
            while self.at(Punct::Star) || self.at(Punct::LBracket) || self.at(Punct::LParen) || self.at(Punct::LBrace) {
                self.skip_brackets();
            }
        } else if !self.at(Punct::Semi) && !self.cur().is_eof() {
            self.parse_assignment();
        }
        self.error_expr()
    }

    fn parse_postfix(&mut self) -> Expr {
        let start = self.span();
        let primary = self.parse_primary();
        self.parse_postfix_of(start, primary)
    }

    /// Calls, subscripts, members and `++` after an operand.
    pub(super) fn parse_postfix_of(&mut self, start: Span, mut e: Expr) -> Expr {
        loop {
            let height = self.height;
            let kind = match self.kind() {
                TokenKind::Punct(Punct::LParen) => {
                    let takes_types = takes_types(&e);
                    let args = self.parse_call_args(takes_types);
                    ExprKind::Call { callee: Box::new(e), args }
                }
                TokenKind::Punct(Punct::LBracket) if !self.at_attribute() => {
                    let open = self.pos;
                    self.bump();
                    let saved = std::mem::replace(&mut self.in_angles, false);
                    let index =
                        if self.at(Punct::LBrace) { self.parse_initializer_clause() } else { self.parse_expr() };
                    self.in_angles = saved;
                    self.expect_close(open, Punct::RBracket);
                    ExprKind::Subscript { base: Box::new(e), index: Box::new(index) }
                }
                TokenKind::Punct(punct @ (Punct::Dot | Punct::Arrow)) => {
                    self.bump();
                    let name = self.parse_member_name();
                    ExprKind::Member { base: Box::new(e), is_arrow: punct == Punct::Arrow, name }
                }
                TokenKind::Punct(Punct::PlusPlus) => {
                    self.bump();
                    ExprKind::Postfix { op: PostfixOperator::Increment, operand: Box::new(e) }
                }
                TokenKind::Punct(Punct::MinusMinus) => {
                    self.bump();
                    ExprKind::Postfix { op: PostfixOperator::Decrement, operand: Box::new(e) }
                }
                _ => return e,
            };
            if !self.grow(height.max(self.height)) {
                return self.give_up();
            }
            e = Expr { kind, span: self.since(start) };
        }
    }

    // ---- lists --------------------------------------------------------------------------

    /// An assignment expression or `{…}`.
    pub(super) fn parse_initializer_clause(&mut self) -> Expr {
        if !self.at(Punct::LBrace) {
            return self.parse_assignment();
        }
        match self.nested(|p| p.parse_brace_list()) {
            Some((list, span)) => Expr { kind: ExprKind::InitList(list), span },
            None => self.error_expr(),
        }
    }

    /// One element of a list: a clause, perhaps a pack expansion or designated.
    fn parse_list_element(&mut self, close: Punct) -> Expr {
        let start = self.span();
        let e = if close == Punct::RBrace && (self.is_field_designator() || self.is_index_designator()) {
            self.parse_designator()
        } else {
            self.parse_initializer_clause()
        };
        if self.eat(Punct::Ellipsis) {
            return Expr { kind: ExprKind::Pack(Box::new(e)), span: self.since(start) };
        }
        e
    }

    /// `.x` of `.x = 1`, `.x{1}`, `.x.y = 1` or `.x[1] = 1`.
    fn is_field_designator(&self) -> bool {
        self.at(Punct::Dot)
            && matches!(self.peek(1).kind, TokenKind::Identifier(_))
            && [Punct::Eq, Punct::LBrace, Punct::Dot, Punct::LBracket].iter().any(|p| self.peek_is(2, *p))
    }

    /// `[…] =` or `[…].x`, which no lambda looks like.
    fn is_index_designator(&self) -> bool {
        let close = self.matching[self.pos];
        self.at(Punct::LBracket)
            && close != super::NO_MATCH
            && self.tokens.get(close as usize + 1).is_some_and(|t| t.is(Punct::Eq) || t.is(Punct::Dot))
    }

    /// A designator and what it designates. `.x.y = 1`, which Clang takes from C, is `.x = {.y = 1}`.
    fn parse_designator(&mut self) -> Expr {
        let start = self.span();
        if self.eat(Punct::Dot) {
            let field = self.expect_identifier("the name of a field").map_or("".into(), |(name, _)| name);
            let value = Box::new(self.parse_designated());
            self.grow(self.height);
            return Expr { kind: ExprKind::Designated { field, value }, span: self.since(start) };
        }
        let open = self.pos;
        self.bump();
        let first = Box::new(self.parse_conditional());
        let last = if self.eat(Punct::Ellipsis) { Some(Box::new(self.parse_conditional())) } else { None };
        self.expect_close(open, Punct::RBracket);
        let value = Box::new(self.parse_designated());
        self.grow(self.height);
        Expr { kind: ExprKind::DesignatedIndex { first, last, value }, span: self.since(start) }
    }

    fn parse_designated(&mut self) -> Expr {
        let start = self.span();
        if self.is_field_designator() || self.at(Punct::LBracket) {
            let inner = self.nested(|p| p.parse_designator()).unwrap_or_else(|| self.error_expr());
            return Expr { kind: ExprKind::InitList(vec![inner]), span: self.since(start) };
        }
        self.eat(Punct::Eq);
        self.parse_initializer_clause()
    }

    /// Elements of a list whose designators go deeper: `.x.y = 1, .x.z = 2` is `.x = {.y = 1, .z = 2}`.
    fn push_element(list: &mut Vec<Expr>, e: Expr, goes_deeper: bool) {
        let ExprKind::Designated { field, value } = &e.kind else { return list.push(e) };
        if let (true, Some(previous), ExprKind::InitList(inner)) = (goes_deeper, list.last_mut(), &value.kind)
            && let ExprKind::Designated { field: earlier, value: into } = &mut previous.kind
            && earlier == field
            && let ExprKind::InitList(members) = &mut into.kind
        {
            let deeper = |e: &Expr| matches!(&e.kind, ExprKind::Designated { value, .. } if matches!(value.kind, ExprKind::InitList(_)));
            for member in inner {
                let is_path = deeper(member);
                Self::push_element(members, member.clone(), is_path);
            }
            previous.span.end = e.span.end;
            return;
        }
        list.push(e);
    }

    /// The elements between two brackets, which are consumed. `types` lets elements be types.
    fn parse_list(&mut self, close: Punct, types: bool) -> (Vec<Expr>, Span) {
        let open = self.pos;
        let start = self.bump().span;
        let saved = std::mem::replace(&mut self.in_angles, false);
        let mut list = Vec::with_capacity(1);
        let mut height = 0;
        while !self.at(close) && !self.cur().is_eof() {
            let before = self.pos;
            let is_end = |p: &Self, at| p.is_at(at, Punct::Comma) || p.is_at(at, close) || p.is_at(at, Punct::Ellipsis);
            let goes_deeper = self.at(Punct::Dot) && (self.peek_is(2, Punct::Dot) || self.peek_is(2, Punct::LBracket));
            let e = if types { self.parse_type_or_argument(is_end) } else { self.parse_list_element(close) };
            Self::push_element(&mut list, e, goes_deeper);
            height = height.max(self.height);
            if self.eat(Punct::Comma) {
                continue;
            }
            if self.at(close) || self.pos == before || self.at_list_end(close) {
                break;
            }
            let what = if close == Punct::RBrace {
                "expected ',' or '}' after this element"
            } else {
                "expected ',' or ')' after this argument"
            };
            let has_partner = self.matching[open] != super::NO_MATCH;
            self.error_here("expected-token", what);
            if !has_partner {
                break;
            }
            self.skip_to_comma(close);
            if !self.eat(Punct::Comma) {
                break;
            }
        }
        self.in_angles = saved;
        self.height = height;
        self.expect_close(open, close);
        (list, self.since(start))
    }

    /// Whether the list was left open: what stands here cannot continue it.
    fn at_list_end(&self, close: Punct) -> bool {
        matches!(self.kind(), TokenKind::Eof | TokenKind::Punct(Punct::Semi | Punct::RBrace))
            || (close == Punct::RParen && self.at(Punct::LBrace))
            || matches!(self.kind(), TokenKind::Punct(Punct::RParen | Punct::RBracket))
            || (self.cur().at_line_start
                && matches!(self.kind(), TokenKind::Keyword(k) if super::recover::starts_statement(k)))
    }

    pub(super) fn parse_call_args(&mut self, types: bool) -> Vec<Expr> {
        self.parse_list(Punct::RParen, types).0
    }
    pub(super) fn parse_paren_list(&mut self) -> (Vec<Expr>, Span) {
        self.parse_list(Punct::RParen, false)
    }
    pub(super) fn parse_brace_list(&mut self) -> (Vec<Expr>, Span) {
        self.parse_list(Punct::RBrace, false)
    }

    /// An argument that may be a type, for builtins and attributes.
    pub(super) fn parse_type_or_argument(&mut self, is_end: impl Fn(&Self, At) -> bool) -> Expr {
        let start = self.span();
        let is_type = self
            .skim_type_id(At::new(self.pos), true)
            .is_some_and(|(end, certainty)| certainty != Certainty::BareUnknown && is_end(self, end));
        let e = if is_type {
            let ty = self.parse_type_id();
            self.height = 1;
            Expr { span: ty.span, kind: ExprKind::Type(ty) }
        } else {
            self.parse_initializer_clause()
        };
        if self.eat(Punct::Ellipsis) {
            return Expr { kind: ExprKind::Pack(Box::new(e)), span: self.since(start) };
        }
        e
    }
}

/// Builtins take types among their arguments: `__is_same(T, U)`, `__builtin_bit_cast(T, x)`. The intrinsics of the standard
/// library take values only.
fn takes_types(callee: &Expr) -> bool {
    match &callee.kind {
        ExprKind::Name(name) => super::name::last_symbol(name).is_some_and(|n| {
            let n = n.as_str();
            n.starts_with("__") && !n.starts_with("__metal_")
        }),
        _ => false,
    }
}
