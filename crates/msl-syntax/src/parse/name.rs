//! Names: `::a::b<int>::c`, operators, conversions, destructors.
//!
//! In: a position at a name. Out: the [`Name`] and what it stands for ([`NameClass`]), found by looking its
//! segments up one after the other. Whether `<` opens template arguments is decided here: it does after a name
//! that is known to be a template and after the keyword `template`; after unknown names the tokens decide
//! ([`Parser::looks_like_template_args`]). C++ [temp.names], [basic.lookup.qual].

use msl_base::{Span, Symbol};

use super::Parser;
use super::lookahead::{At, UnknownName, can_follow_qualifier};
use super::scope::{Entity, Frame, ScopeId};
use crate::ast::*;
use crate::token::{Kw, Punct, TokenKind};

/// What a whole name stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum NameClass {
    Type(Option<ScopeId>),
    /// A class or alias template without arguments: a type by deduction, the class itself inside it, or a
    /// template argument.
    Template(Option<ScopeId>),
    Value,
    Namespace(ScopeId),
    /// Not declared, or a member of something that depends on template parameters.
    Unknown,
}

impl NameClass {
    pub(super) fn is_type(self) -> bool {
        matches!(self, NameClass::Type(_) | NameClass::Template(_))
    }
    pub(super) fn scope(self) -> Option<ScopeId> {
        match self {
            NameClass::Type(scope) | NameClass::Template(scope) => scope,
            NameClass::Namespace(scope) => Some(scope),
            NameClass::Value | NameClass::Unknown => None,
        }
    }
}

/// Where a name stands, which decides about `<` after names nobody knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum NameMode {
    /// A type is expected: `<` opens arguments.
    Type,
    /// An expression is expected: `<` is the operator unless the tokens can be nothing but arguments.
    Expr,
}

/// Where the next segment of a name is looked up.
#[derive(Clone, Copy)]
pub(super) enum Within {
    Lexical,
    Scope(ScopeId),
    /// Inside something unknown or dependent.
    Unknown,
}

impl Within {
    pub(super) fn of(class: NameClass) -> Within {
        class.scope().map_or(Within::Unknown, Within::Scope)
    }
}

impl Parser<'_> {
    pub(super) fn lookup_within(&self, within: Within, name: Symbol) -> Option<Entity> {
        match within {
            Within::Lexical => self.lookup(name),
            Within::Scope(scope) => self.scopes.lookup(scope, name),
            Within::Unknown => None,
        }
    }

    /// The class of a segment, given what it was looked up as and whether arguments follow.
    pub(super) fn classify(entity: Option<Entity>, has_args: bool) -> NameClass {
        match entity {
            Some(Entity::Namespace(scope)) => NameClass::Namespace(scope),
            Some(Entity::Type(scope)) => NameClass::Type(scope),
            Some(Entity::ClassTemplate(scope)) if has_args => NameClass::Type(scope),
            Some(Entity::ClassTemplate(scope)) => NameClass::Template(scope),
            Some(Entity::Value | Entity::ValueTemplate) => NameClass::Value,
            None => NameClass::Unknown,
        }
    }

    /// Whether a name can start here.
    pub(super) fn at_name(&self) -> bool {
        match self.kind() {
            TokenKind::Identifier(_) | TokenKind::Keyword(Kw::Operator) => true,
            TokenKind::Punct(Punct::ColonColon) => {
                matches!(self.peek(1).kind, TokenKind::Identifier(_) | TokenKind::Keyword(Kw::Operator))
            }
            _ => false,
        }
    }

    /// A possibly qualified name. Where there is none, a diagnostic and a name without letters.
    pub(super) fn parse_name(&mut self, mode: NameMode) -> (Name, NameClass) {
        let start = self.span();
        let is_global = self.eat(Punct::ColonColon);
        let within = if is_global { Within::Scope(ScopeId::GLOBAL) } else { Within::Lexical };
        // Most names have one segment, and there are many names.
        self.parse_name_from(start, is_global, Vec::with_capacity(1), within, mode)
    }

    /// The rest of a name after some segments and their `::`.
    pub(super) fn parse_name_from(
        &mut self,
        start: Span,
        is_global: bool,
        mut segments: Vec<NameSegment>,
        mut within: Within,
        mode: NameMode,
    ) -> (Name, NameClass) {
        let mut class;
        loop {
            let forced = self.eat_kw(Kw::Template);
            let segment_start = self.span();
            let (ident, entity) = match self.kind() {
                TokenKind::Identifier(name) => {
                    self.bump();
                    (Ident::Name(name), self.lookup_within(within, name))
                }
                TokenKind::Keyword(Kw::Operator) => (self.parse_operator_name(), Some(Entity::Value)),
                TokenKind::Punct(Punct::Tilde) => {
                    self.bump();
                    let name = self.expect_identifier("a class name").map_or(Symbol::new(""), |(name, _)| name);
                    (Ident::Destructor(name), Some(Entity::Value))
                }
                _ => {
                    self.error_here("expected-name", "expected a name");
                    (Ident::Name(Symbol::new("")), None)
                }
            };
            let is_operator = matches!(ident, Ident::Operator(_));
            let template_args =
                if self.at(Punct::Less) && (forced || self.is_template_args_start(entity, is_operator, mode)) {
                    Some(self.parse_template_args())
                } else {
                    None
                };
            class = Parser::classify(entity, template_args.is_some());
            segments.push(NameSegment { ident, template_args, span: self.since(segment_start) });
            if self.at(Punct::ColonColon) && can_follow_qualifier(self.peek(1).kind) {
                self.bump();
                within = Within::of(class);
            } else {
                break;
            }
        }
        (Name { is_global, segments, span: self.since(start) }, class)
    }

    /// At `<` after a name that was looked up as `entity`.
    fn is_template_args_start(&self, entity: Option<Entity>, is_operator: bool, mode: NameMode) -> bool {
        match entity {
            Some(entity) if entity.is_template() => true,
            // `operator+<float>(a, b)`, but not `&operator+ < x`, which nobody writes.
            Some(Entity::Value) => is_operator,
            // `T::x<…>` in a type can only be arguments; the program is wrong elsewhere.
            Some(Entity::Type(_)) => mode == NameMode::Type,
            Some(_) => false,
            None => match mode {
                NameMode::Type => true,
                NameMode::Expr => self.looks_like_template_args(At::new(self.pos), UnknownName::Operand),
            },
        }
    }

    /// The name after `.` or `->`.
    pub(super) fn parse_member_name(&mut self) -> Name {
        let start = self.span();
        let forced = self.eat_kw(Kw::Template);
        match self.kind() {
            TokenKind::Identifier(name) => {
                let is_qualifier = self.peek_is(1, Punct::ColonColon)
                    || (self.peek_is(1, Punct::Less) && self.lookup(name).is_some_and(|e| e.scope().is_some()) && {
                        let skim = self.skim_name(At::new(self.pos), false);
                        skim.is_some_and(|s| s.segments > 1)
                    });
                if is_qualifier {
                    return self.parse_name(NameMode::Expr).0;
                }
                self.bump();
                // The type of the object is not known here, so any member template of that name will do if the
                // tokens agree.
                let known = if self.scopes.is_member_template(name) {
                    UnknownName::MemberTemplate
                } else {
                    UnknownName::Operand
                };
                let opens = self.at(Punct::Less) && (forced || self.looks_like_template_args(At::new(self.pos), known));
                let template_args = if opens { Some(self.parse_template_args()) } else { None };
                let span = self.since(start);
                Name {
                    is_global: false,
                    segments: vec![NameSegment { ident: Ident::Name(name), template_args, span }],
                    span,
                }
            }
            TokenKind::Keyword(Kw::Operator) | TokenKind::Punct(Punct::Tilde | Punct::ColonColon) => {
                self.parse_name(NameMode::Expr).0
            }
            _ => {
                self.error_here("expected-name", "expected the name of a member");
                simple_name(Symbol::new(""), self.after_previous())
            }
        }
    }

    /// `operator` and what follows it.
    fn parse_operator_name(&mut self) -> Ident {
        use OverloadedOperator as O;
        let start = self.bump().span;
        let operator = match self.kind() {
            TokenKind::Punct(punct) => match punct {
                Punct::LParen if self.peek_is(1, Punct::RParen) => {
                    self.bump();
                    Some(O::Call)
                }
                Punct::LBracket if self.peek_is(1, Punct::RBracket) => {
                    self.bump();
                    Some(O::Subscript)
                }
                Punct::LessEq if self.peek_is(1, Punct::Greater) && !self.peek(1).has_space_before => {
                    self.bump();
                    let span = self.since(start);
                    self.not_in_msl(span, "operator '<=>'", "write the comparisons: 'bool operator<(…) const'");
                    Some(O::Binary(BinaryOperator::Lt))
                }
                Punct::Comma => Some(O::Comma),
                Punct::Arrow => Some(O::Arrow),
                Punct::PlusPlus => Some(O::Increment),
                Punct::MinusMinus => Some(O::Decrement),
                Punct::Bang => Some(O::Unary(UnaryOperator::Not)),
                Punct::Tilde => Some(O::Unary(UnaryOperator::BitNot)),
                _ => match (binary_operator(punct), assign_operator(punct)) {
                    (Some((op, _)), _) => Some(O::Binary(op)),
                    (None, Some(op)) => Some(O::Assign(op)),
                    (None, None) => None,
                },
            },
            TokenKind::String(_) => {
                self.bump();
                let name = self.expect_identifier("the suffix of a literal operator").map_or(Symbol::new(""), |n| n.0);
                return Ident::Literal(name);
            }
            TokenKind::Keyword(Kw::New | Kw::Delete) => {
                self.bump();
                if self.at(Punct::LBracket) && self.peek_is(1, Punct::RBracket) {
                    self.bump();
                    self.bump();
                }
                let span = self.since(start);
                self.not_in_msl(span, "dynamic memory", "");
                return Ident::Operator(O::Call);
            }
            _ => None,
        };
        if let Some(operator) = operator {
            self.bump();
            return Ident::Operator(operator);
        }
        if self.type_id_ahead(At::new(self.pos)).is_none() {
            self.error_here("expected-name", "expected an operator or a type after 'operator'");
            return Ident::Operator(O::Call);
        }
        Ident::Conversion(Box::new(self.parse_conversion_type()))
    }

    /// What a finished name stands for, by looking it up again.
    pub(super) fn resolve(&self, name: &Name) -> NameClass {
        let mut within = if name.is_global { Within::Scope(ScopeId::GLOBAL) } else { Within::Lexical };
        let mut class = NameClass::Unknown;
        for segment in &name.segments {
            class = match segment.ident {
                Ident::Name(symbol) => {
                    Parser::classify(self.lookup_within(within, symbol), segment.template_args.is_some())
                }
                Ident::Decltype(_) => NameClass::Unknown,
                _ => NameClass::Value,
            };
            within = Within::of(class);
        }
        class
    }

    /// The scope of a named class type, where it is known.
    pub(super) fn scope_of_type(&self, ty: &TypeExpr) -> Option<ScopeId> {
        match &ty.kind {
            TypeExprKind::Named { name, .. } => self.resolve(name).scope(),
            TypeExprKind::Qualified { inner, .. } => self.scope_of_type(inner),
            _ => None,
        }
    }

    /// Enters the classes and namespaces that qualify a declared name, so that the rest of its declaration sees
    /// their members. Returns how many frames were pushed.
    pub(super) fn enter_qualifiers(&mut self, name: &Name) -> usize {
        let mut within = if name.is_global { Within::Scope(ScopeId::GLOBAL) } else { Within::Lexical };
        let mut scopes = Vec::new();
        for segment in &name.segments[..name.segments.len().saturating_sub(1)] {
            let Ident::Name(symbol) = segment.ident else { break };
            let Some(scope) = self.lookup_within(within, symbol).and_then(Entity::scope) else { break };
            scopes.push(scope);
            within = Within::Scope(scope);
        }
        let count = scopes.len();
        self.frames.extend(scopes.into_iter().map(Frame::Shared));
        count
    }

    pub(super) fn leave(&mut self, frames: usize) {
        let left = self.frames.len().saturating_sub(frames).max(1);
        self.frames.truncate(left);
    }
}

pub(super) fn simple_name(symbol: Symbol, span: Span) -> Name {
    Name {
        is_global: false,
        segments: vec![NameSegment { ident: Ident::Name(symbol), template_args: None, span }],
        span,
    }
}

/// The last segment, when it is a plain identifier.
pub(super) fn last_symbol(name: &Name) -> Option<Symbol> {
    match name.segments.last()?.ident {
        Ident::Name(symbol) => Some(symbol),
        _ => None,
    }
}

/// A binary operator with its precedence; higher binds tighter.
pub(super) fn binary_operator(punct: Punct) -> Option<(BinaryOperator, u8)> {
    use BinaryOperator as B;
    Some(match punct {
        Punct::PipePipe => (B::Or, 1),
        Punct::AmpAmp => (B::And, 2),
        Punct::Pipe => (B::BitOr, 3),
        Punct::Caret => (B::BitXor, 4),
        Punct::Amp => (B::BitAnd, 5),
        Punct::EqEq => (B::Eq, 6),
        Punct::BangEq => (B::Ne, 6),
        Punct::Less => (B::Lt, 7),
        Punct::Greater => (B::Gt, 7),
        Punct::LessEq => (B::Le, 7),
        Punct::GreaterEq => (B::Ge, 7),
        Punct::LessLess => (B::Shl, 8),
        Punct::GreaterGreater => (B::Shr, 8),
        Punct::Plus => (B::Add, 9),
        Punct::Minus => (B::Sub, 9),
        Punct::Star => (B::Mul, 10),
        Punct::Slash => (B::Div, 10),
        Punct::Percent => (B::Rem, 10),
        _ => return None,
    })
}

/// `=` (`Some(None)`) or a compound assignment.
pub(super) fn assign_operator(punct: Punct) -> Option<Option<BinaryOperator>> {
    use BinaryOperator as B;
    Some(match punct {
        Punct::Eq => None,
        Punct::PlusEq => Some(B::Add),
        Punct::MinusEq => Some(B::Sub),
        Punct::StarEq => Some(B::Mul),
        Punct::SlashEq => Some(B::Div),
        Punct::PercentEq => Some(B::Rem),
        Punct::CaretEq => Some(B::BitXor),
        Punct::AmpEq => Some(B::BitAnd),
        Punct::PipeEq => Some(B::BitOr),
        Punct::LessLessEq => Some(B::Shl),
        Punct::GreaterGreaterEq => Some(B::Shr),
        _ => return None,
    })
}
