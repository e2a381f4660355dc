//! Recognizing macro calls: names, arguments, dynamic macros. C++ [cpp.replace].

use std::ops::Range;
use std::sync::{Arc, LazyLock};

use msl_base::{Diagnostic, ExpansionId, Span, Symbol};

use super::engine::Preprocessor;
use super::predefined;
use super::table::{Dynamic, Macro, MacroKind};
use crate::lexer::{LINE_START, NO_EXPAND, PpKind, PpToken, SPACE, escape};
use crate::token::Punct;

/// Names the preprocessor itself knows.
pub(crate) struct Names {
    pub defined: Symbol,
    pub va_args: Symbol,
    pub va_opt: Symbol,
    pub pragma_operator: Symbol,
    pub true_: Symbol,
    pub false_: Symbol,
    pub zero: Symbol,
    pub one: Symbol,
}

pub(crate) static NAMES: LazyLock<Names> = LazyLock::new(|| Names {
    defined: Symbol::new("defined"),
    va_args: Symbol::new("__VA_ARGS__"),
    va_opt: Symbol::new("__VA_OPT__"),
    pragma_operator: Symbol::new("_Pragma"),
    true_: Symbol::new("true"),
    false_: Symbol::new("false"),
    zero: Symbol::new("0"),
    one: Symbol::new("1"),
});

/// The arguments of one macro call, in one list.
pub(crate) struct Arguments {
    pub tokens: Vec<PpToken>,
    pub ranges: Vec<Range<usize>>,
    /// The closing parenthesis.
    pub close: Span,
}

impl Arguments {
    pub fn get(&self, index: usize) -> &[PpToken] {
        self.ranges.get(index).map_or(&[], |r| &self.tokens[r.clone()])
    }
}

/// What became of a macro name.
enum Entered {
    /// Its replacement will be read next.
    Replaced,
    /// It stays: a function-like macro without arguments.
    Kept,
    Token(PpToken),
}

impl Preprocessor<'_> {
    pub(crate) fn names(&self) -> &'static Names {
        &NAMES
    }

    /// The next token after macro expansion.
    pub(crate) fn next_expanded(&mut self) -> PpToken {
        let mut token = self.next_replaced();
        token.flags |= std::mem::take(&mut self.carried);
        token
    }

    fn next_replaced(&mut self) -> PpToken {
        loop {
            let mut token = self.next_raw();
            let PpKind::Identifier(name) = token.kind else { return token };
            if token.has(NO_EXPAND) {
                return token;
            }
            if self.in_condition && name == NAMES.defined {
                return self.defined_operator(token);
            }
            let Some(definition) = self.table.get(name) else { return token };
            if self.is_disabled(name) {
                token.flags |= NO_EXPAND;
                return token;
            }
            let definition = definition.clone();
            match self.enter_macro(token, definition) {
                Entered::Replaced => {}
                Entered::Kept => return token,
                Entered::Token(token) => return token,
            }
        }
    }

    fn enter_macro(&mut self, name: PpToken, definition: Arc<Macro>) -> Entered {
        let lead = name.flags & (LINE_START | SPACE);
        match &definition.kind {
            MacroKind::Object => {
                if definition.body.is_empty() {
                    self.carried |= lead;
                } else if let Some(expansion) = self.new_expansion(&definition, name.span) {
                    self.push_body(definition, expansion, lead);
                }
                Entered::Replaced
            }
            MacroKind::ObjectPieces(pieces) => {
                let Some(expansion) = self.new_expansion(&definition, name.span) else { return Entered::Replaced };
                let arguments = Arguments { tokens: Vec::new(), ranges: Vec::new(), close: name.span };
                self.enter_pieces(&definition, pieces, &arguments, expansion, lead);
                Entered::Replaced
            }
            MacroKind::Function { params, variadic, pieces } => {
                if !self.next_is_paren() {
                    return Entered::Kept;
                }
                let Some(arguments) = self.collect_arguments(name, &definition, params.len(), *variadic) else {
                    return Entered::Replaced;
                };
                let call_site = name.span.to(arguments.close);
                if let Some(expansion) = self.new_expansion(&definition, call_site) {
                    self.enter_pieces(&definition, pieces, &arguments, expansion, lead);
                }
                self.recycle(arguments.tokens);
                Entered::Replaced
            }
            MacroKind::Dynamic(dynamic) => self.dynamic(name, &definition, *dynamic),
        }
    }

    fn enter_pieces(
        &mut self,
        definition: &Macro,
        pieces: &[super::table::Piece],
        arguments: &Arguments,
        expansion: ExpansionId,
        lead: u8,
    ) {
        let mut list = self.substitute(definition, pieces, arguments, expansion);
        let Some(first) = list.first_mut() else {
            self.carried |= lead;
            self.recycle(list);
            return;
        };
        first.flags = first.flags & !(LINE_START | SPACE) | lead;
        self.push_list(list, Some(definition.name));
    }

    /// Reads `(…)` behind a macro's name and repairs a wrong number of arguments after complaining.
    fn collect_arguments(
        &mut self,
        name: PpToken,
        definition: &Macro,
        params: usize,
        variadic: bool,
    ) -> Option<Arguments> {
        let open = self.next_raw();
        let mut arguments = Arguments { tokens: self.new_list(), ranges: Vec::new(), close: open.span };
        let mut depth = 0usize;
        let mut begin = 0;
        let mut last = open.span;
        self.collecting += 1;
        let closed = loop {
            let mut token = self.next_raw();
            match token.kind {
                PpKind::Eof => break false,
                PpKind::Punct(Punct::LParen) => depth += 1,
                PpKind::Punct(Punct::RParen) if depth == 0 => {
                    arguments.close = token.span;
                    break true;
                }
                PpKind::Punct(Punct::RParen) => depth -= 1,
                PpKind::Punct(Punct::Comma) if depth == 0 && !(variadic && arguments.ranges.len() + 1 == params) => {
                    arguments.ranges.push(begin..arguments.tokens.len());
                    begin = arguments.tokens.len();
                    continue;
                }
                // Reading on may end the expansion that disables this name, and so it is marked now.
                PpKind::Identifier(name) if self.is_disabled(name) && self.table.get(name).is_some() => {
                    token.flags |= NO_EXPAND;
                }
                _ => {}
            }
            if token.has(LINE_START) {
                token.flags = token.flags & !LINE_START | SPACE;
            }
            last = token.span;
            arguments.tokens.push(token);
        };
        self.collecting -= 1;
        if !closed {
            if !self.halted {
                let message = format!("the arguments of macro '{}' have no closing parenthesis", definition.name);
                let diagnostic = Diagnostic::error("unterminated-macro-call", name.span, message);
                self.diagnostics.push(with_definition(diagnostic, definition).label(last, "the arguments end here"));
            }
            return None;
        }
        arguments.ranges.push(begin..arguments.tokens.len());
        if params == 0 && arguments.ranges.len() == 1 && arguments.tokens.is_empty() {
            arguments.ranges.clear();
        }
        self.check_argument_count(name, definition, params, variadic, &mut arguments);
        Some(arguments)
    }

    fn check_argument_count(
        &mut self,
        name: PpToken,
        definition: &Macro,
        params: usize,
        variadic: bool,
        arguments: &mut Arguments,
    ) {
        let given = arguments.ranges.len();
        let enough = given == params || (variadic && given + 1 == params);
        if !enough {
            let needed = if variadic { params - 1 } else { params };
            let plural = if needed == 1 { "" } else { "s" };
            let at_least = if variadic { "at least " } else { "" };
            let were = if given == 1 { "was" } else { "were" };
            let message = format!(
                "macro '{}' takes {at_least}{needed} argument{plural}, but {given} {were} given",
                definition.name
            );
            let span = name.span.to(arguments.close);
            let mut diagnostic = Diagnostic::error("macro-argument-count", span, message);
            let template = arguments.tokens.iter().any(|t| t.is(Punct::Less));
            if given > params && template {
                diagnostic = diagnostic.help("put an argument that contains commas into parentheses");
            }
            self.diagnostics.push(with_definition(diagnostic, definition));
        }
        arguments.ranges.truncate(params);
    }

    fn dynamic(&mut self, name: PpToken, definition: &Macro, dynamic: Dynamic) -> Entered {
        let kind = match dynamic {
            Dynamic::Line => PpKind::Number(self.line_number(name.span)),
            Dynamic::File => quote(self.frames.last().map_or("", |f| f.presumed_name.as_str())),
            Dynamic::BaseFile => quote(self.main_name.as_str()),
            Dynamic::Counter => {
                let value = self.counter;
                self.counter += 1;
                PpKind::Number(Symbol::new(&value.to_string()))
            }
            Dynamic::IncludeLevel => PpKind::Number(Symbol::new(&self.frames.len().saturating_sub(1).to_string())),
            // Output must not depend on when it was made.
            Dynamic::Date => quote("Jan  1 1970"),
            Dynamic::Time => quote("00:00:00"),
            Dynamic::Timestamp => quote("Thu Jan  1 00:00:00 1970"),
            Dynamic::HasFeature | Dynamic::HasBuiltin | Dynamic::HasAttribute | Dynamic::IsIdentifier => {
                if !self.next_is_paren() {
                    let message = format!("expected '(' after '{}'", definition.name);
                    self.diagnostics.push(Diagnostic::error("invalid-feature-check", name.span, message));
                    return Entered::Token(PpToken { kind: PpKind::Number(NAMES.zero), ..name });
                }
                let arguments = self.collect_arguments(name, definition, 1, true);
                let Some(arguments) = arguments else { return Entered::Replaced };
                let word = arguments.tokens.last().and_then(PpToken::identifier).map_or("", Symbol::as_str);
                let found = match dynamic {
                    Dynamic::HasFeature => predefined::has_feature(word),
                    Dynamic::HasBuiltin => predefined::has_builtin(word),
                    Dynamic::HasAttribute => predefined::has_attribute(word),
                    _ => !word.is_empty() && crate::token::Kw::from_symbol(Symbol::new(word)).is_none(),
                };
                self.recycle(arguments.tokens);
                PpKind::Number(if found { NAMES.one } else { NAMES.zero })
            }
            Dynamic::HasInclude if self.in_condition => return Entered::Token(self.has_include_operator(name)),
            Dynamic::HasInclude => {
                let message = "'__has_include' works in '#if' and '#elif' only";
                self.diagnostics.push(Diagnostic::error("invalid-feature-check", name.span, message));
                return Entered::Kept;
            }
        };
        let flags = name.flags & (LINE_START | SPACE);
        Entered::Token(PpToken { kind, span: name.span, flags })
    }

    /// The line a token was used at, as `#line` has it.
    fn line_number(&mut self, span: Span) -> Symbol {
        let use_site = self.source_map.use_site(span);
        let line = self.source_map.position(use_site.start).map_or(0, |l| i64::from(l.line));
        let offset = self.frames.last().map_or(0, |f| f.line_offset);
        Symbol::new(&(line + offset).max(0).to_string())
    }
}

/// Adds where the macro was defined.
pub(crate) fn with_definition(diagnostic: Diagnostic, definition: &Macro) -> Diagnostic {
    if definition.definition.is_none() {
        return diagnostic;
    }
    diagnostic.note_at(definition.definition, format!("macro '{}' is defined here", definition.name))
}

fn quote(text: &str) -> PpKind {
    let mut spelling = String::from("\"");
    escape(text, &mut spelling);
    spelling.push('"');
    PpKind::String(Symbol::new(&spelling))
}
