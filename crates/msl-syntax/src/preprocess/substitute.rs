//! Replacement lists with their arguments put in: `#`, `##`, `__VA_OPT__`.
//! C++ [cpp.subst], [cpp.stringize], [cpp.concat].

use msl_base::{Diagnostic, ExpansionId, Span, Symbol};

use super::engine::Preprocessor;
use super::expand::{Arguments, with_definition};
use super::table::{Macro, Piece};
use crate::lexer::{LINE_START, NO_EXPAND, PpKind, PpToken, SPACE, escape, lex_single};
use crate::token::Punct;

/// The most bytes `##` and `#` may make.
const MAX_PASTED: usize = 1 << 16;
const MAX_STRINGIZED: usize = 1 << 20;

/// One call being substituted.
struct Call<'a> {
    definition: &'a Macro,
    arguments: &'a Arguments,
    /// Each argument fully expanded, once somebody needed it.
    expanded: Vec<Option<Vec<PpToken>>>,
    expansion: ExpansionId,
    /// The parameter that takes the variable arguments.
    variadic: Option<usize>,
}

impl Preprocessor<'_> {
    /// The replacement of one macro call, ready to be rescanned.
    pub(crate) fn substitute(
        &mut self,
        definition: &Macro,
        pieces: &[Piece],
        arguments: &Arguments,
        expansion: ExpansionId,
    ) -> Vec<PpToken> {
        let variadic = match &definition.kind {
            super::table::MacroKind::Function { params, variadic: true, .. } => Some(params.len() - 1),
            _ => None,
        };
        let expanded = vec![None; arguments.ranges.len()];
        let mut call = Call { definition, arguments, expanded, expansion, variadic };
        let mut out = self.new_list();
        self.substitute_pieces(&mut call, pieces, &mut out);
        for list in call.expanded.into_iter().flatten() {
            self.recycle(list);
        }
        remove_placemarkers(&mut out);
        out
    }

    fn substitute_pieces(&mut self, call: &mut Call<'_>, pieces: &[Piece], out: &mut Vec<PpToken>) {
        let mut paste: Option<PpToken> = None;
        for (i, piece) in pieces.iter().enumerate() {
            let begin = out.len();
            match piece {
                Piece::Paste(token) => {
                    paste = Some(*token);
                    continue;
                }
                Piece::Token(token) => out.push(in_expansion(*token, call.expansion)),
                Piece::Param { index, token, raw: true } => {
                    let argument = call.arguments.get(*index);
                    if !self.spend(argument.len(), token.span) {
                        return;
                    }
                    // GNU: `, ## args` drops the comma before no arguments and pastes nothing otherwise.
                    if paste.is_some()
                        && call.variadic == Some(*index)
                        && matches!(pieces.get(i.wrapping_sub(2)), Some(Piece::Token(t)) if t.is(Punct::Comma))
                    {
                        paste = None;
                        if argument.is_empty() {
                            out.pop();
                            continue;
                        }
                    }
                    if argument.is_empty() {
                        out.push(placemarker(token, call.expansion));
                    }
                    out.extend_from_slice(argument);
                    lead(out, begin, token.flags);
                }
                Piece::Param { index, token, raw: false } => {
                    self.expand_argument(call, *index);
                    if let Some(Some(list)) = call.expanded.get(*index) {
                        if !self.spend(list.len(), token.span) {
                            return;
                        }
                        out.extend_from_slice(list);
                    }
                    if out.len() == begin {
                        out.push(placemarker(token, call.expansion));
                    }
                    lead(out, begin, token.flags);
                }
                Piece::Stringize { index, token } => {
                    let kind = self.stringize(call.arguments.get(*index), token.span);
                    out.push(in_expansion(PpToken { kind, ..*token }, call.expansion));
                }
                Piece::VaOpt { pieces, token, stringize: wanted } => {
                    if let Some(variadic) = call.variadic {
                        self.expand_argument(call, variadic);
                        if call.expanded.get(variadic).is_some_and(|l| l.as_ref().is_some_and(|l| !l.is_empty())) {
                            self.substitute_pieces(call, pieces, out);
                        }
                    }
                    if *wanted {
                        let mut inner = out.split_off(begin);
                        remove_placemarkers(&mut inner);
                        let kind = self.stringize(&inner, token.span);
                        out.push(in_expansion(PpToken { kind, ..*token }, call.expansion));
                    } else if out.len() == begin {
                        out.push(placemarker(token, call.expansion));
                    } else {
                        lead(out, begin, token.flags);
                    }
                }
            }
            if let Some(operator) = paste.take()
                && begin > 0
                && begin < out.len()
            {
                self.paste(call, operator, begin, out);
            }
        }
    }

    fn expand_argument(&mut self, call: &mut Call<'_>, index: usize) {
        if let Some(slot @ None) = call.expanded.get_mut(index) {
            let mut list = self.new_list();
            list.extend_from_slice(call.arguments.get(index));
            *slot = Some(self.expand_isolated(list));
        }
    }

    fn stringize(&mut self, tokens: &[PpToken], span: Span) -> PpKind {
        let mut text = String::from("\"");
        for (i, token) in tokens.iter().enumerate() {
            if i > 0 && token.has(SPACE | LINE_START) {
                text.push(' ');
            }
            match token.kind {
                PpKind::String(spelling) | PpKind::Char(spelling) => escape(spelling.as_str(), &mut text),
                PpKind::Stray('\\') => text.push_str("\\\\"),
                PpKind::Unterminated('"') => text.push_str("\\\""),
                _ => token.spell(&mut text),
            }
            if text.len() > MAX_STRINGIZED {
                self.halt(span, "'#' makes a string that is too long");
                break;
            }
        }
        text.push('"');
        self.spend(text.len() / 4 + tokens.len(), span);
        PpKind::String(Symbol::new(&text))
    }

    /// Joins the tokens on both sides of `at` into one.
    fn paste(&mut self, call: &Call<'_>, operator: PpToken, at: usize, out: &mut Vec<PpToken>) {
        let (left, right) = (out[at - 1], out[at]);
        if right.kind == PpKind::Placemarker {
            out.remove(at);
            return;
        }
        if left.kind == PpKind::Placemarker {
            out[at].flags = left.flags;
            out.remove(at - 1);
            return;
        }
        let mut spelling = String::new();
        left.spell(&mut spelling);
        right.spell(&mut spelling);
        let span = in_expansion(operator, call.expansion).span;
        // Names are kept for the life of the process, so that making them up has a price.
        if spelling.len() > MAX_PASTED {
            self.halt(span, "'##' makes a token that is too long");
            return;
        }
        if !self.spend(spelling.len() / 4, span) {
            return;
        }
        let Some(kind) = lex_single(&spelling) else {
            let message = format!("'##' joins its operands to '{spelling}', which is not a token");
            let diagnostic = Diagnostic::error("invalid-paste", span, message);
            self.diagnostics.push(with_definition(diagnostic, call.definition));
            return;
        };
        out[at - 1] = PpToken { kind, span, flags: left.flags & !NO_EXPAND };
        out.remove(at);
    }
}

/// A token of the replacement list as part of an expansion.
fn in_expansion(token: PpToken, expansion: ExpansionId) -> PpToken {
    PpToken { span: Span { expansion, ..token.span }, ..token }
}

fn placemarker(token: &PpToken, expansion: ExpansionId) -> PpToken {
    in_expansion(PpToken { kind: PpKind::Placemarker, ..*token }, expansion)
}

/// Takes placemarkers out; the white space before one goes to the token behind it.
fn remove_placemarkers(out: &mut Vec<PpToken>) {
    let mut space = 0;
    out.retain_mut(|token| {
        if token.kind == PpKind::Placemarker {
            space |= token.flags & SPACE;
            return false;
        }
        token.flags |= std::mem::take(&mut space);
        true
    });
}

/// Gives the first token that was put in the white space of what it replaces.
fn lead(out: &mut [PpToken], begin: usize, flags: u8) {
    if let Some(first) = out.get_mut(begin) {
        first.flags = first.flags & !(SPACE | LINE_START) | flags & SPACE;
    }
}
