//! Statements.
//!
//! A statement that cannot be read is skipped to its `;` and leaves an error node, so each one is judged alone.
//! Chains of `else if` and of labels are built in loops; everything else nests through [`Parser::nested`].
//! C++ [stmt.stmt]; MSL specification, 1.5 (no goto, no exceptions).

use std::sync::Arc;

use msl_base::{Diagnostic, Span, Symbol};

use super::decl::{Context, Terminator, fp_pragma};
use super::lookahead::At;
use super::{HEIGHT_LIMIT, Parser};
use crate::ast::*;
use crate::token::{Kw, Pragma, Punct, TokenKind, UnrollHint};

/// The part of `if` up to its branch, for building `else if` chains from the end.
struct IfHead {
    start: Span,
    init: Option<Box<Stmt>>,
    condition: Condition,
    is_constexpr: bool,
    then: Box<Stmt>,
}

/// A `case` or `default` in front of a statement.
enum Label {
    Case(Box<Expr>, Option<Expr>),
    Default,
}

impl Parser<'_> {
    /// `{ … }` with a scope of its own.
    pub(super) fn parse_compound(&mut self) -> Stmt {
        let start = self.span();
        let open = self.pos;
        self.bump();
        self.push_local();
        let fp = self.fp_pragmas.clone();
        let statements = self.parse_statements();
        self.fp_pragmas = fp;
        self.leave(1);
        self.expect_close(open, Punct::RBrace);
        Stmt { kind: StmtKind::Compound(statements), span: self.since(start) }
    }

    fn parse_statements(&mut self) -> Vec<Stmt> {
        let mut statements = Vec::with_capacity(1);
        while !self.at(Punct::RBrace) && !self.cur().is_eof() {
            let before = self.pos;
            if let TokenKind::Pragma(pragma) = self.kind() {
                let span = self.bump().span;
                self.set_pack(pragma);
                match fp_pragma(pragma) {
                    Some(pragma) => {
                        self.set_fp_pragma(pragma);
                        statements.push(Stmt { kind: StmtKind::FpPragma(pragma), span });
                    }
                    None => self.set_loop_hint(pragma),
                }
                continue;
            }
            // A kernel or namespace cannot start inside a function; a brace is missing before it.
            if self.cur().at_line_start && matches!(self.kind(), TokenKind::Keyword(Kw::Kernel | Kw::Namespace)) {
                break;
            }
            statements.push(self.parse_statement());
            if self.pos == before {
                self.error_here("unexpected-token", "expected a statement");
                self.bump();
            }
        }
        // The tree lives as long as its library.
        statements.shrink_to_fit();
        statements
    }

    fn set_loop_hint(&mut self, pragma: Pragma) {
        if let Pragma::Unroll(hint) = pragma {
            self.loop_hint = match hint {
                UnrollHint::Enable | UnrollHint::Full => LoopPragma::Unroll(0),
                UnrollHint::Disable | UnrollHint::Count(0 | 1) => LoopPragma::NoUnroll,
                UnrollHint::Count(n) => LoopPragma::Unroll(n),
            };
        }
    }

    pub(super) fn parse_statement(&mut self) -> Stmt {
        let span = self.span();
        match self.nested(|p| p.parse_statement_inner()) {
            Some(stmt) => stmt,
            None => Stmt { kind: StmtKind::Error, span },
        }
    }

    /// The body of `if`, `for` and so on, which has a scope even without braces.
    fn parse_body(&mut self) -> Box<Stmt> {
        while let TokenKind::Pragma(pragma) = self.kind() {
            self.bump();
            self.set_loop_hint(pragma);
        }
        if self.at(Punct::RBrace) || self.at_kw(Kw::Else) || self.cur().is_eof() {
            let place = self.after_previous();
            self.error("expected-statement", place, "expected a statement");
            return Box::new(Stmt { kind: StmtKind::Error, span: place });
        }
        self.push_local();
        let body = self.parse_statement();
        self.leave(1);
        Box::new(body)
    }

    fn parse_statement_inner(&mut self) -> Stmt {
        let start = self.span();
        let hint = std::mem::take(&mut self.loop_hint);
        if self.at_attribute() && !self.is_declaration_ahead(At::new(self.pos)) {
            // Attributes of statements (`[[likely]]`, `[[fallthrough]]`) are advice nobody has to take.
            self.parse_attributes();
            self.loop_hint = hint;
            return if self.at(Punct::RBrace) {
                Stmt { kind: StmtKind::Empty, span: start }
            } else {
                self.parse_statement()
            };
        }
        let kind = match self.kind() {
            TokenKind::Punct(Punct::LBracket) if self.skip_foreign_attribute() => return self.parse_statement(),
            TokenKind::Punct(Punct::LBrace) => return self.parse_compound(),
            TokenKind::Punct(Punct::Semi) => {
                self.bump();
                StmtKind::Empty
            }
            TokenKind::Identifier(_) if self.peek_is(1, Punct::Colon) => {
                let label = self.bump().span;
                self.bump();
                self.not_in_msl(label, "labels", "use loops and conditions instead of jumps");
                StmtKind::Empty
            }
            TokenKind::Keyword(keyword) => match keyword {
                Kw::If => return self.parse_if(),
                Kw::Switch => return self.parse_switch(),
                Kw::Case | Kw::Default => return self.parse_labeled(),
                Kw::While => self.parse_while(hint),
                Kw::Do => self.parse_do(hint),
                Kw::For => return self.parse_for(hint),
                Kw::Break | Kw::Continue => {
                    self.bump();
                    self.expect_semicolon("statement");
                    if keyword == Kw::Break { StmtKind::Break } else { StmtKind::Continue }
                }
                Kw::Return => self.parse_return(),
                Kw::Goto => {
                    self.bump();
                    self.not_in_msl(start, "'goto'", "use loops and conditions instead of jumps");
                    if let TokenKind::Identifier(_) = self.kind() {
                        self.bump();
                    }
                    self.expect_semicolon("statement");
                    StmtKind::Error
                }
                Kw::Asm => {
                    self.parse_asm();
                    StmtKind::Error
                }
                Kw::Try => return self.parse_try(),
                Kw::Else => {
                    self.error("unexpected-token", start, "this 'else' has no 'if' before it");
                    self.bump();
                    return self.parse_statement();
                }
                Kw::Catch => {
                    self.error("unexpected-token", start, "this 'catch' has no 'try' before it");
                    self.bump();
                    StmtKind::Error
                }
                _ => return self.parse_simple_statement(),
            },
            _ => return self.parse_simple_statement(),
        };
        Stmt { kind, span: self.since(start) }
    }

    /// A declaration or an expression, with its semicolon.
    fn parse_simple_statement(&mut self) -> Stmt {
        let start = self.span();
        if self.is_declaration_ahead(At::new(self.pos)) {
            let mut decls = Vec::with_capacity(1);
            let kind = self.parse_block_declaration(&mut decls);
            let kind = kind.unwrap_or(StmtKind::Decl(decls));
            return Stmt { kind, span: self.since(start) };
        }
        let e = self.parse_expr();
        self.expect_semicolon("expression");
        Stmt { kind: StmtKind::Expr(e), span: self.since(start) }
    }

    fn parse_block_declaration(&mut self, out: &mut Vec<Decl>) -> Option<StmtKind> {
        match self.kind() {
            TokenKind::Keyword(Kw::Using | Kw::StaticAssert | Kw::Namespace | Kw::Template) => {
                if self.at_kw(Kw::Template) {
                    self.error_here("unexpected-token", "a template cannot be declared inside a function");
                }
                self.parse_declaration_inner(Context::Block, Vec::new(), out);
                None
            }
            _ => self.parse_simple_declaration(Context::Block, Vec::new(), Terminator::Semicolon, out),
        }
    }

    fn parse_return(&mut self) -> StmtKind {
        self.bump();
        if self.eat(Punct::Semi) {
            return StmtKind::Return(None);
        }
        if self.at(Punct::RBrace) {
            self.expect_semicolon("statement");
            return StmtKind::Return(None);
        }
        let value = if self.at(Punct::LBrace) {
            let (list, span) = self.parse_brace_list();
            Initializer::Brace(list, span)
        } else {
            Initializer::Copy(self.parse_expr())
        };
        self.expect_semicolon("statement");
        StmtKind::Return(Some(value))
    }

    fn parse_try(&mut self) -> Stmt {
        let start = self.bump().span;
        self.not_in_msl(start, "exceptions", "return a value that tells success from failure");
        let body =
            if self.at(Punct::LBrace) { self.parse_compound() } else { Stmt { kind: StmtKind::Error, span: start } };
        while self.eat_kw(Kw::Catch) {
            if self.at(Punct::LParen) {
                self.skip_brackets();
            }
            if self.at(Punct::LBrace) {
                self.skip_brackets();
            }
        }
        body
    }

    // ---- conditions -----------------------------------------------------------------------

    /// `(init; condition)`. The scope for what is declared must be in place.
    fn parse_condition(&mut self, keyword: &str) -> (Option<Box<Stmt>>, Condition) {
        let open = self.pos;
        if !self.expect(Punct::LParen, &format!("after '{keyword}'")) {
            // `if a > b {`, as other languages have it.
            let condition = if self.at(Punct::LBrace) { self.error_expr() } else { self.parse_expr() };
            return (None, Condition::Expr(condition));
        }
        let saved = std::mem::replace(&mut self.in_angles, false);
        let mut init = None;
        let mut condition = self.parse_condition_part();
        if self.eat(Punct::Semi) {
            init = Some(Box::new(condition));
            condition = self.parse_condition_part();
        }
        self.in_angles = saved;
        self.expect_close(open, Punct::RParen);
        let span = condition.span;
        let condition = match condition.kind {
            StmtKind::Expr(e) => Condition::Expr(e),
            StmtKind::Decl(decls) => match decls.into_iter().next().map(|d| d.kind) {
                Some(DeclKind::Variable(variable)) => Condition::Decl(variable),
                _ => {
                    self.error("expected-expression", span, "expected a condition");
                    Condition::Expr(self.error_expr())
                }
            },
            StmtKind::Empty => {
                self.error("expected-expression", span, "expected a condition");
                Condition::Expr(self.error_expr())
            }
            _ => Condition::Expr(self.error_expr()),
        };
        (init, condition)
    }

    fn parse_condition_part(&mut self) -> Stmt {
        let start = self.span();
        if self.at(Punct::Semi) || self.at(Punct::RParen) {
            return Stmt { kind: StmtKind::Empty, span: start };
        }
        if self.at_kw(Kw::Using) || self.at_kw(Kw::Typedef) {
            self.error_here("unexpected-token", "expected a condition");
        }
        let kind = if self.is_declaration_ahead(At::new(self.pos)) {
            let mut decls = Vec::new();
            let binding = self.parse_simple_declaration(Context::Block, Vec::new(), Terminator::Condition, &mut decls);
            binding.unwrap_or(StmtKind::Decl(decls))
        } else {
            StmtKind::Expr(self.parse_expr())
        };
        Stmt { kind, span: self.since(start) }
    }

    /// `if … else if … else …` in one loop: long chains are common in generated code.
    fn parse_if(&mut self) -> Stmt {
        let mut heads: Vec<IfHead> = Vec::new();
        let mut scopes = 0;
        let mut otherwise = None;
        loop {
            let start = self.bump().span;
            let is_constexpr = self.eat_kw(Kw::Constexpr);
            self.push_local();
            scopes += 1;
            let (init, condition) = self.parse_condition("if");
            let then = self.parse_body();
            heads.push(IfHead { start, init, condition, is_constexpr, then });
            if !self.eat_kw(Kw::Else) {
                break;
            }
            if self.at_kw(Kw::If) && heads.len() < HEIGHT_LIMIT as usize {
                continue;
            }
            if self.at_kw(Kw::If) {
                self.report_nesting();
                break;
            }
            otherwise = Some(self.parse_body());
            break;
        }
        self.leave(scopes);
        let mut result = otherwise;
        for head in heads.into_iter().rev() {
            let IfHead { start, init, condition, is_constexpr, then } = head;
            let kind = StmtKind::If { init, condition, is_constexpr, then, otherwise: result };
            result = Some(Box::new(Stmt { kind, span: self.since(start) }));
        }
        result.map_or(Stmt { kind: StmtKind::Error, span: self.prev_span }, |stmt| *stmt)
    }

    fn parse_switch(&mut self) -> Stmt {
        let start = self.bump().span;
        self.push_local();
        let (init, condition) = self.parse_condition("switch");
        let body = self.parse_body();
        self.leave(1);
        Stmt { kind: StmtKind::Switch { init, condition, body }, span: self.since(start) }
    }

    fn parse_labeled(&mut self) -> Stmt {
        let start = self.span();
        let mut labels: Vec<(Label, Span)> = Vec::new();
        loop {
            let label_start = self.span();
            if self.eat_kw(Kw::Case) {
                let value = self.parse_conditional();
                let upper = if self.eat(Punct::Ellipsis) { Some(self.parse_conditional()) } else { None };
                self.expect_colon("case");
                labels.push((Label::Case(Box::new(value), upper), label_start));
            } else if self.eat_kw(Kw::Default) {
                self.expect_colon("default");
                labels.push((Label::Default, label_start));
            } else {
                break;
            }
            if labels.len() > HEIGHT_LIMIT as usize {
                self.report_nesting();
                break;
            }
        }
        while let TokenKind::Pragma(pragma) = self.kind() {
            self.bump();
            self.set_loop_hint(pragma);
        }
        let mut body = if self.at(Punct::RBrace) || self.cur().is_eof() {
            Stmt { kind: StmtKind::Empty, span: self.after_previous() }
        } else {
            self.parse_statement()
        };
        for (label, label_start) in labels.into_iter().rev() {
            let kind = match label {
                Label::Case(value, upper) => StmtKind::Case { value: *value, upper, body: Box::new(body) },
                Label::Default => StmtKind::Default(Box::new(body)),
            };
            body = Stmt { kind, span: self.since(label_start) };
        }
        body.span = self.since(start);
        body
    }

    fn expect_colon(&mut self, after: &str) {
        if self.eat(Punct::Colon) {
            return;
        }
        let place = self.after_previous();
        self.report(
            Diagnostic::error("expected-token", place, format!("expected ':' after this '{after}'"))
                .help("insert ':' here"),
        );
        self.eat(Punct::Semi);
    }

    // ---- loops ----------------------------------------------------------------------------

    fn parse_while(&mut self, hint: LoopPragma) -> StmtKind {
        self.bump();
        self.push_local();
        let (init, condition) = self.parse_condition("while");
        if let Some(init) = init {
            self.error("unexpected-token", init.span, "a 'while' loop has no initialisation");
        }
        let body = self.parse_body();
        self.leave(1);
        StmtKind::While { condition, body, hint }
    }

    fn parse_do(&mut self, hint: LoopPragma) -> StmtKind {
        self.bump();
        let body = self.parse_body();
        let condition = if self.eat_kw(Kw::While) {
            let open = self.pos;
            if self.expect(Punct::LParen, "after 'while'") {
                let e = self.parse_expr();
                self.expect_close(open, Punct::RParen);
                e
            } else {
                self.error_expr()
            }
        } else {
            let place = self.after_previous();
            self.error("expected-token", place, "expected 'while' after the body of 'do'");
            self.error_expr()
        };
        self.expect_semicolon("loop");
        StmtKind::DoWhile { body, condition, hint }
    }

    fn parse_for(&mut self, hint: LoopPragma) -> Stmt {
        let start = self.bump().span;
        let open = self.pos;
        if !self.expect(Punct::LParen, "after 'for'") {
            self.skip_to_statement_end();
            return Stmt { kind: StmtKind::Error, span: self.since(start) };
        }
        self.push_local();
        let saved = std::mem::replace(&mut self.in_angles, false);
        let init_start = self.span();
        let init_kind = if self.at(Punct::Semi) {
            StmtKind::Empty
        } else if self.is_declaration_ahead(At::new(self.pos)) {
            let mut decls = Vec::new();
            let binding = self.parse_simple_declaration(Context::Block, Vec::new(), Terminator::ForInit, &mut decls);
            binding.unwrap_or(StmtKind::Decl(decls))
        } else {
            StmtKind::Expr(self.parse_expr())
        };
        let kind = if self.at(Punct::Colon) {
            self.parse_range_for(open, init_kind, hint)
        } else if self.at(Punct::Semi) && self.is_range_ahead() {
            self.parse_range_for_after(open, Stmt { kind: init_kind, span: self.since(init_start) }, hint)
        } else {
            let init = match init_kind {
                StmtKind::Empty => None,
                kind => Some(Box::new(Stmt { kind, span: self.since(init_start) })),
            };
            self.parse_plain_for(open, init, hint)
        };
        self.in_angles = saved;
        self.leave(1);
        Stmt { kind, span: self.since(start) }
    }

    /// At the `;` behind the first part of a loop: a declaration and `:` follow, as C++20 has it and Clang accepts.
    fn is_range_ahead(&self) -> bool {
        let mut at = self.pos + 1;
        if !self.is_declaration_ahead(At::new(at)) {
            return false;
        }
        loop {
            match self.kind_at(At::new(at)) {
                TokenKind::Punct(Punct::Colon) => return true,
                TokenKind::Punct(Punct::LParen | Punct::LBracket | Punct::LBrace) => {
                    let close = self.matching[at];
                    if close == super::NO_MATCH {
                        return false;
                    }
                    at = close as usize;
                }
                TokenKind::Punct(Punct::Semi | Punct::Question | Punct::Eq | Punct::RParen) | TokenKind::Eof => {
                    return false;
                }
                _ => {}
            }
            at += 1;
        }
    }

    /// `for (init; auto x : range)` is a block with the first part and the loop.
    fn parse_range_for_after(&mut self, open: usize, first: Stmt, hint: LoopPragma) -> StmtKind {
        self.bump();
        let start = self.span();
        let mut decls = Vec::new();
        let binding = self.parse_simple_declaration(Context::Block, Vec::new(), Terminator::ForInit, &mut decls);
        if !self.at(Punct::Colon) {
            self.expect(Punct::Colon, "before the range of this loop");
            self.skip_to_statement_end();
            return StmtKind::Error;
        }
        let kind = self.parse_range_for(open, binding.unwrap_or(StmtKind::Decl(decls)), hint);
        StmtKind::Compound(vec![first, Stmt { kind, span: self.since(start) }])
    }

    fn parse_plain_for(&mut self, open: usize, init: Option<Box<Stmt>>, hint: LoopPragma) -> StmtKind {
        let mut condition = None;
        let mut step = None;
        if self.expect_for_semicolon("initialisation") {
            if !self.at(Punct::Semi) && !self.at(Punct::RParen) {
                let part = self.parse_condition_part();
                condition = match part.kind {
                    StmtKind::Expr(e) => Some(Condition::Expr(e)),
                    StmtKind::Decl(decls) => match decls.into_iter().next().map(|d| d.kind) {
                        Some(DeclKind::Variable(variable)) => Some(Condition::Decl(variable)),
                        _ => None,
                    },
                    _ => None,
                };
            }
            if self.expect_for_semicolon("condition") && !self.at(Punct::RParen) {
                step = Some(self.parse_expr());
            }
        }
        self.expect_close(open, Punct::RParen);
        let body = self.parse_body();
        StmtKind::For { init, condition, step, body, hint }
    }

    fn expect_for_semicolon(&mut self, after: &str) -> bool {
        if self.eat(Punct::Semi) {
            return true;
        }
        let place = self.after_previous();
        self.report(
            Diagnostic::error("expected-semicolon", place, format!("expected ';' after the {after} of this loop"))
                .help("insert ';' here"),
        );
        false
    }

    fn parse_range_for(&mut self, open: usize, init: StmtKind, hint: LoopPragma) -> StmtKind {
        let place = self.span();
        self.bump();
        let range = self.parse_initializer_clause();
        self.expect_close(open, Punct::RParen);
        let body = self.parse_body();
        let variable = match init {
            StmtKind::Decl(decls) => decls.into_iter().find_map(|d| match d.kind {
                DeclKind::Variable(variable) => Some(variable),
                _ => None,
            }),
            // The element gets a name that no program can write, and the body takes it apart.
            StmtKind::StructuredBinding { names, ty, .. } => {
                let ident = Ident::Name(Symbol::new("(element)"));
                let segment = NameSegment { ident, template_args: None, span: place };
                let name = Name { is_global: false, segments: vec![segment], span: place };
                let auto = Box::new(TypeExpr { kind: TypeExprKind::Auto, span: place });
                let reference = TypeExpr { kind: TypeExprKind::LValueRef(auto), span: place };
                let init = Expr { kind: ExprKind::Name(name.clone()), span: place };
                let binding = StmtKind::StructuredBinding { names, ty: reference, init };
                let parts = vec![Stmt { kind: binding, span: place }, *body];
                let variable = VariableDecl {
                    name,
                    flags: DeclFlags::default(),
                    templates: Vec::new(),
                    ty,
                    init: None,
                    attributes: Vec::new(),
                    bits: None,
                    span: place,
                };
                let body = Box::new(Stmt { kind: StmtKind::Compound(parts), span: place });
                return StmtKind::RangeFor { variable: Arc::new(variable), range, body, hint };
            }
            _ => None,
        };
        match variable {
            Some(variable) => StmtKind::RangeFor { variable, range, body, hint },
            None => {
                self.diagnostics.push(Diagnostic::error(
                    "expected-token",
                    place,
                    "a range-based loop begins with the declaration of one variable",
                ));
                StmtKind::Error
            }
        }
    }
}
