//! The integer constant expressions of `#if` and `#elif`. C++ [cpp.cond].

use msl_base::{Diagnostic, Diagnostics, Span, Symbol};

use super::engine::Preprocessor;
use super::expand::NAMES;
use super::literal;
use crate::lexer::{LINE_START, PpKind, PpToken, SPACE};
use crate::token::{IntegerSuffix, Punct, TokenKind};

/// Parentheses and prefix operators inside each other; each costs stack.
const MAX_DEPTH: usize = 100;

/// A value of `intmax_t` or `uintmax_t`.
#[derive(Clone, Copy)]
struct Value {
    bits: u64,
    unsigned: bool,
}

impl Value {
    fn signed(value: i64) -> Value {
        Value { bits: value as u64, unsigned: false }
    }
    fn truth(value: bool) -> Value {
        Value::signed(i64::from(value))
    }
    fn is_true(self) -> bool {
        self.bits != 0
    }
}

impl Preprocessor<'_> {
    /// The truth of a condition; false where it is malformed.
    pub(crate) fn evaluate_condition(&mut self, directive: PpToken, line: &[PpToken]) -> bool {
        let saved = std::mem::replace(&mut self.in_condition, true);
        let tokens = self.expand_line(line);
        self.in_condition = saved;
        if self.halted {
            return false;
        }
        if tokens.is_empty() {
            let span = line.first().map_or(directive.span, |t| t.span);
            self.diagnostics.push(Diagnostic::error("invalid-condition", span, "the condition is empty"));
            return false;
        }
        let end = tokens.last().map_or(directive.span, |t| t.span);
        let mut evaluator = Evaluator { tokens: &tokens, pos: 0, end, depth: 0, diagnostics: &mut *self.diagnostics };
        let value = evaluator.comma();
        if value.is_some() && evaluator.pos < tokens.len() {
            evaluator.fail::<Value>(evaluator.pos, "expected an operator or the end of the condition");
            return false;
        }
        value.is_some_and(Value::is_true)
    }

    /// `defined NAME` or `defined(NAME)`, whose first word has been read.
    pub(crate) fn defined_operator(&mut self, word: PpToken) -> PpToken {
        let mut token = self.next_raw();
        let in_parens = token.is(Punct::LParen);
        if in_parens {
            token = self.next_raw();
        }
        let number = |symbol: Symbol| PpToken { kind: PpKind::Number(symbol), ..word };
        let Some(name) = token.identifier() else {
            let span = if token.is_eof() { word.span } else { token.span };
            let message = "expected the name of a macro after 'defined'";
            self.diagnostics.push(Diagnostic::error("invalid-condition", span, message));
            return number(NAMES.zero);
        };
        if in_parens {
            let close = self.next_raw();
            if !close.is(Punct::RParen) {
                let message = "expected ')' after the name of the macro";
                self.diagnostics.push(Diagnostic::error("invalid-condition", token.span, message));
            }
        }
        number(if self.table.get(name).is_some() { NAMES.one } else { NAMES.zero })
    }

    /// `__has_include("…")` or `__has_include(<…>)`, whose first word has been read.
    pub(crate) fn has_include_operator(&mut self, word: PpToken) -> PpToken {
        let mut spelling = String::new();
        let mut closed = false;
        if self.next_raw().is(Punct::LParen) {
            loop {
                let token = self.next_expanded_header(spelling.is_empty());
                if token.is_eof() || (token.is(Punct::RParen) && !spelling.starts_with('<')) {
                    closed = token.is(Punct::RParen);
                    break;
                }
                if token.has(SPACE | LINE_START) && !spelling.is_empty() {
                    spelling.push(' ');
                }
                token.spell(&mut spelling);
                if token.is(Punct::Greater) {
                    closed = self.next_raw().is(Punct::RParen);
                    break;
                }
            }
        }
        let quoted = (spelling.starts_with('<') && spelling.ends_with('>'))
            || (spelling.starts_with('"') && spelling.ends_with('"'));
        if !closed || !quoted || spelling.len() < 3 {
            let message = "'__has_include' takes \"file\" or <file> in parentheses";
            self.diagnostics.push(Diagnostic::error("invalid-condition", word.span, message));
            return PpToken { kind: PpKind::Number(NAMES.zero), ..word };
        }
        let path = spelling[1..spelling.len() - 1].trim();
        let found = self.include_exists(path, spelling.starts_with('<'));
        PpToken { kind: PpKind::Number(if found { NAMES.one } else { NAMES.zero }), ..word }
    }

    /// Macros count in front of a header name but not inside it.
    fn next_expanded_header(&mut self, at_start: bool) -> PpToken {
        if at_start { self.next_expanded() } else { self.next_raw() }
    }
}

struct Evaluator<'a> {
    tokens: &'a [PpToken],
    pos: usize,
    end: Span,
    depth: usize,
    diagnostics: &'a mut Diagnostics,
}

/// Binding strength of a binary operator.
fn precedence(punct: Punct) -> Option<u8> {
    Some(match punct {
        Punct::PipePipe => 1,
        Punct::AmpAmp => 2,
        Punct::Pipe => 3,
        Punct::Caret => 4,
        Punct::Amp => 5,
        Punct::EqEq | Punct::BangEq => 6,
        Punct::Less | Punct::Greater | Punct::LessEq | Punct::GreaterEq => 7,
        Punct::LessLess | Punct::GreaterGreater => 8,
        Punct::Plus | Punct::Minus => 9,
        Punct::Star | Punct::Slash | Punct::Percent => 10,
        _ => return None,
    })
}

/// Each method returns `None` after a complaint. `live` is false in operands that do not count.
impl Evaluator<'_> {
    fn fail<T>(&mut self, pos: usize, message: &str) -> Option<T> {
        let span = self.tokens.get(pos).map_or(self.end, |t| t.span);
        self.diagnostics.push(Diagnostic::error("invalid-condition", span, message));
        None
    }

    fn peek_punct(&self) -> Option<Punct> {
        match self.tokens.get(self.pos)?.kind {
            PpKind::Punct(punct) => Some(punct),
            PpKind::Identifier(name) => Punct::from_alternative(name),
            _ => None,
        }
    }

    fn comma(&mut self) -> Option<Value> {
        let mut value = self.conditional(true)?;
        while self.peek_punct() == Some(Punct::Comma) {
            self.pos += 1;
            value = self.conditional(true)?;
        }
        Some(value)
    }

    fn conditional(&mut self, live: bool) -> Option<Value> {
        if self.depth >= MAX_DEPTH {
            return self.fail(self.pos, "the condition is nested too deeply");
        }
        self.depth += 1;
        let condition = self.binary(1, live)?;
        let mut result = condition;
        if self.peek_punct() == Some(Punct::Question) {
            self.pos += 1;
            let then = self.conditional(live && condition.is_true())?;
            if self.peek_punct() != Some(Punct::Colon) {
                return self.fail(self.pos, "expected ':' of the conditional operator");
            }
            self.pos += 1;
            let otherwise = self.conditional(live && !condition.is_true())?;
            result = if condition.is_true() { then } else { otherwise };
            result.unsigned = then.unsigned || otherwise.unsigned;
        }
        self.depth -= 1;
        Some(result)
    }

    fn binary(&mut self, minimum: u8, live: bool) -> Option<Value> {
        let mut left = self.unary(live)?;
        while let Some(punct) = self.peek_punct() {
            let Some(strength) = precedence(punct).filter(|p| *p >= minimum) else { break };
            let operator = self.pos;
            self.pos += 1;
            let right_live = match punct {
                Punct::AmpAmp => live && left.is_true(),
                Punct::PipePipe => live && !left.is_true(),
                _ => live,
            };
            let right = self.binary(strength + 1, right_live)?;
            left = self.apply(punct, left, right, operator, live)?;
        }
        Some(left)
    }

    fn apply(&mut self, punct: Punct, left: Value, right: Value, operator: usize, live: bool) -> Option<Value> {
        let unsigned = left.unsigned || right.unsigned;
        let (a, b) = (left.bits, right.bits);
        let (sa, sb) = (a as i64, b as i64);
        let arithmetic = |bits: u64| Value { bits, unsigned };
        Some(match punct {
            Punct::PipePipe => Value::truth(a != 0 || b != 0),
            Punct::AmpAmp => Value::truth(a != 0 && b != 0),
            Punct::Pipe => arithmetic(a | b),
            Punct::Caret => arithmetic(a ^ b),
            Punct::Amp => arithmetic(a & b),
            Punct::EqEq => Value::truth(a == b),
            Punct::BangEq => Value::truth(a != b),
            Punct::Less => Value::truth(if unsigned { a < b } else { sa < sb }),
            Punct::Greater => Value::truth(if unsigned { a > b } else { sa > sb }),
            Punct::LessEq => Value::truth(if unsigned { a <= b } else { sa <= sb }),
            Punct::GreaterEq => Value::truth(if unsigned { a >= b } else { sa >= sb }),
            Punct::LessLess | Punct::GreaterGreater => shift(left, right, punct == Punct::LessLess),
            Punct::Plus => arithmetic(a.wrapping_add(b)),
            Punct::Minus => arithmetic(a.wrapping_sub(b)),
            Punct::Star => arithmetic(a.wrapping_mul(b)),
            Punct::Slash | Punct::Percent if b == 0 => {
                if live {
                    let span = self.tokens.get(operator).map_or(self.end, |t| t.span);
                    let message = "this condition divides by zero";
                    self.diagnostics.push(Diagnostic::error("division-by-zero-in-condition", span, message));
                    return None;
                }
                arithmetic(0)
            }
            Punct::Slash => arithmetic(if unsigned { a / b } else { sa.wrapping_div(sb) as u64 }),
            Punct::Percent => arithmetic(if unsigned { a % b } else { sa.wrapping_rem(sb) as u64 }),
            _ => return self.fail(operator, "this operator cannot be used in a condition"),
        })
    }

    fn unary(&mut self, live: bool) -> Option<Value> {
        // Prefix operators apply from the inside out.
        let mut operators = Vec::new();
        while let Some(punct @ (Punct::Bang | Punct::Tilde | Punct::Minus | Punct::Plus)) = self.peek_punct() {
            operators.push(punct);
            self.pos += 1;
        }
        let mut value = self.primary(live)?;
        for operator in operators.into_iter().rev() {
            value = match operator {
                Punct::Bang => Value::truth(!value.is_true()),
                Punct::Tilde => Value { bits: !value.bits, ..value },
                Punct::Minus => Value { bits: value.bits.wrapping_neg(), ..value },
                _ => value,
            };
        }
        Some(value)
    }

    fn primary(&mut self, live: bool) -> Option<Value> {
        let pos = self.pos;
        let Some(token) = self.tokens.get(pos) else {
            return self.fail(pos, "the condition ends where a value is expected");
        };
        self.pos += 1;
        match token.kind {
            PpKind::Punct(Punct::LParen) => {
                let value = self.conditional(live)?;
                if self.peek_punct() != Some(Punct::RParen) {
                    let diagnostic = Diagnostic::error("invalid-condition", token.span, "this '(' is never closed");
                    self.diagnostics.push(diagnostic);
                    return None;
                }
                self.pos += 1;
                Some(value)
            }
            PpKind::Number(spelling) => self.number(pos, spelling),
            PpKind::Char(_) => match literal::convert_char(token, self.diagnostics)? {
                TokenKind::Char(value) => Some(Value::signed(i64::from(value as i32))),
                _ => None,
            },
            PpKind::Identifier(name) if name == NAMES.true_ => Some(Value::truth(true)),
            PpKind::Identifier(name) if name == NAMES.false_ => Some(Value::truth(false)),
            PpKind::Identifier(name) => {
                if self.tokens.get(self.pos).is_some_and(|t| t.is(Punct::LParen)) {
                    let message = format!("the function-like macro '{name}' is not defined");
                    return self.fail(pos, &message);
                }
                // A name that is no macro counts as zero.
                Some(Value::signed(0))
            }
            PpKind::Punct(Punct::Eq) => self.fail(pos, "'=' cannot be used in a condition; comparing is '=='"),
            PpKind::String(_) => self.fail(pos, "a string cannot be used in a condition"),
            _ => self.fail(pos, "expected a value"),
        }
    }

    fn number(&mut self, pos: usize, spelling: Symbol) -> Option<Value> {
        match literal::parse_number(spelling.as_str()) {
            Ok(TokenKind::Integer(literal)) => {
                let suffixed = matches!(literal.suffix, IntegerSuffix::U | IntegerSuffix::UL);
                let large = literal.value > i64::MAX as u64;
                // There is no wider type, so that even a decimal literal this large is unsigned.
                let unsigned = suffixed || large;
                Some(Value { bits: literal.value, unsigned })
            }
            Ok(_) => self.fail(pos, "a floating-point number cannot be used in a condition"),
            Err(error) => {
                let span = self.tokens.get(pos).map_or(self.end, |t| t.span);
                self.diagnostics.push(error.at(span));
                None
            }
        }
    }
}

fn shift(left: Value, right: Value, mut to_left: bool) -> Value {
    let mut count = right.bits;
    if !right.unsigned && (right.bits as i64) < 0 {
        to_left = !to_left;
        count = count.wrapping_neg();
    }
    let bits = match (to_left, left.unsigned) {
        (true, _) => left.bits.checked_shl(count.min(64) as u32).unwrap_or(0),
        (false, true) => left.bits.checked_shr(count.min(64) as u32).unwrap_or(0),
        (false, false) => ((left.bits as i64) >> count.min(63)) as u64,
    };
    Value { bits, ..left }
}
