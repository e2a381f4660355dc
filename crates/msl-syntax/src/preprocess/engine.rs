//! The state of a preprocessing run and the source of raw tokens.
//!
//! Tokens come from a stack of contexts (replacement lists being rescanned) and, once those are
//! used up, from the file on top of the stack of frames. While a macro's context is on the
//! stack the macro is disabled; an identifier met while its macro is disabled is marked and never
//! expanded again. That is Clang's and GCC's reading of C++ [cpp.rescan].

use std::rc::Rc;
use std::sync::Arc;

use msl_base::{Diagnostic, Diagnostics, ExpansionId, FileId, FxMap, SourceMap, Span, Symbol};

use super::include::{FileProvider, KnownFile};
use super::literal::Literals;
use super::table::{Macro, MacroTable};
use super::{PreprocessOptions, Preprocessed, predefined};
use crate::lexer::{LINE_START, NO_EXPAND, PpKind, PpToken, SPACE, lex};
use crate::token::{Punct, Token, TokenKind};

pub(crate) struct Preprocessor<'a> {
    pub source_map: &'a mut SourceMap,
    pub options: &'a PreprocessOptions,
    pub provider: &'a dyn FileProvider,
    pub diagnostics: &'a mut Diagnostics,
    pub table: MacroTable,
    /// The definitions that `#pragma push_macro` saved.
    pub saved_macros: FxMap<Symbol, Vec<Option<Arc<Macro>>>>,
    pub frames: Vec<Frame>,
    contexts: Vec<Context>,
    /// Contexts below this index belong to somebody else: an isolated list is being expanded.
    floor: usize,
    isolated: bool,
    isolation_depth: usize,
    /// How many macro calls are reading their arguments; meanwhile no file may end.
    pub collecting: usize,
    /// Inside `#if`, where `defined` and `__has_include` mean something.
    pub in_condition: bool,
    /// The compiler's own definitions are being read.
    pub in_predefined: bool,
    disabled: FxMap<Symbol, u32>,
    pool: Vec<Vec<PpToken>>,
    /// Files never to be entered again.
    pub once: FxMap<Symbol, ()>,
    pub known_files: FxMap<Symbol, KnownFile>,
    pub counter: u64,
    pub main_name: Symbol,
    steps: usize,
    expansions: usize,
    /// White space before macros that came to nothing, for the token behind them.
    pub carried: u8,
    /// A limit was reached: the input counts as ended.
    pub halted: bool,
    output: Vec<Token>,
    literals: Literals,
}

/// A file being read.
pub(crate) struct Frame {
    pub tokens: Rc<Vec<PpToken>>,
    pub pos: usize,
    /// The resolved name, which nested includes are relative to.
    pub name: Symbol,
    pub conditionals: Vec<Conditional>,
    /// What `#line` added to line numbers and the name it gave.
    pub line_offset: i64,
    pub presumed_name: Symbol,
}

/// An `#if` that has not met its `#endif`.
pub(crate) struct Conditional {
    pub span: Span,
    /// A group of it has been processed, so the others are skipped.
    pub taken: bool,
    pub else_span: Option<Span>,
}

/// A replacement list being rescanned.
struct Context {
    tokens: ContextTokens,
    pos: usize,
    /// The macro this disables.
    name: Option<Symbol>,
}

enum ContextTokens {
    /// The body of an object-like macro, read in place.
    Body {
        definition: Arc<Macro>,
        expansion: ExpansionId,
        lead: u8,
    },
    List(Vec<PpToken>),
}

impl Context {
    fn get(&self, pos: usize) -> Option<PpToken> {
        match &self.tokens {
            ContextTokens::List(tokens) => tokens.get(pos).copied(),
            ContextTokens::Body { definition, expansion, lead } => {
                let mut token = *definition.body.get(pos)?;
                token.span.expansion = *expansion;
                if pos == 0 {
                    token.flags |= lead;
                }
                Some(token)
            }
        }
    }
}

impl Frame {
    pub fn new(tokens: Rc<Vec<PpToken>>, name: Symbol) -> Frame {
        Frame { tokens, pos: 0, name, conditionals: Vec::new(), line_offset: 0, presumed_name: name }
    }
    /// The token to be read next; the `Eof` at the end stays.
    pub fn peek(&self) -> PpToken {
        self.tokens[self.pos]
    }
    pub fn advance(&mut self) {
        self.pos = (self.pos + 1).min(self.tokens.len() - 1);
    }
    /// The index of the first token of the next line.
    pub fn line_end(&self) -> usize {
        let rest = &self.tokens[self.pos..];
        self.pos + rest.iter().position(|t| t.has(LINE_START)).unwrap_or(rest.len() - 1)
    }
}

impl<'a> Preprocessor<'a> {
    pub fn new(
        source_map: &'a mut SourceMap,
        options: &'a PreprocessOptions,
        provider: &'a dyn FileProvider,
        diagnostics: &'a mut Diagnostics,
    ) -> Preprocessor<'a> {
        let table = options.initial_macros.as_deref().cloned().unwrap_or_default();
        Preprocessor {
            source_map,
            options,
            provider,
            diagnostics,
            table,
            saved_macros: FxMap::default(),
            frames: Vec::new(),
            contexts: Vec::new(),
            floor: 0,
            isolated: false,
            isolation_depth: 0,
            collecting: 0,
            in_condition: false,
            in_predefined: false,
            disabled: FxMap::default(),
            pool: Vec::new(),
            once: FxMap::default(),
            known_files: FxMap::default(),
            counter: 0,
            main_name: Symbol::new(""),
            steps: 0,
            expansions: 0,
            carried: 0,
            halted: false,
            output: Vec::new(),
            literals: Literals::default(),
        }
    }

    pub fn run(mut self, file: FileId) -> Preprocessed {
        predefined::define_dynamic(&mut self.table);
        let predefined = predefined::text(self.options);
        self.in_predefined = true;
        self.run_definitions("<built-in>", &predefined, true);
        self.in_predefined = false;
        let command_line = self.command_line();
        if !command_line.is_empty() {
            self.run_definitions("<command line>", &command_line, false);
        }
        let source = self.source_map.file(file).clone();
        let tokens = lex(&source.text, source.start, self.options.limits.tokens, self.diagnostics);
        self.output.reserve(tokens.len());
        let end = tokens[tokens.len() - 1].span;
        self.main_name = Symbol::new(&source.name);
        self.frames.push(Frame::new(Rc::new(tokens), self.main_name));
        loop {
            let token = self.next_expanded();
            match token.kind {
                PpKind::Eof => break,
                PpKind::Identifier(name) if name == self.names().pragma_operator => {
                    if let Some(token) = self.pragma_operator(token) {
                        self.emit(token);
                    }
                }
                _ => self.emit(token),
            }
        }
        // More than one frame is left only where a limit ended the run.
        while let Some(frame) = self.frames.pop() {
            if !self.halted {
                self.finish_frame(&frame);
            }
        }
        let eof = Token { kind: TokenKind::Eof, span: end, at_line_start: true, has_space_before: false };
        self.output.push(eof);
        Preprocessed { tokens: self.output, macros: Arc::new(self.table) }
    }

    /// Reads a text that consists of directives.
    fn run_definitions(&mut self, name: &str, text: &str, is_builtin: bool) {
        let Some(file) = self.source_map.add(name, text, is_builtin) else { return };
        let start = self.source_map.file(file).start;
        let tokens = lex(text, start, self.options.limits.tokens, self.diagnostics);
        self.frames.push(Frame::new(Rc::new(tokens), Symbol::new(name)));
        while !self.next_raw().is_eof() {}
        self.frames.clear();
    }

    /// The `-D` and `-U` options as directives.
    fn command_line(&mut self) -> String {
        let mut text = String::new();
        for (name, value) in &self.options.defines {
            let head = name.split('(').next().unwrap_or("");
            if !predefined::is_identifier(head) || name.contains('\n') || value.contains('\n') {
                let message = format!("'{}' cannot be defined as a macro", name.escape_debug());
                self.diagnostics.push(Diagnostic::error("invalid-define-option", Span::NONE, message));
                continue;
            }
            text.push_str(&format!("#define {name} {value}\n"));
        }
        for name in &self.options.undefines {
            if !predefined::is_identifier(name) {
                let message = format!("'{}' is not the name of a macro", name.escape_debug());
                self.diagnostics.push(Diagnostic::error("invalid-define-option", Span::NONE, message));
                continue;
            }
            text.push_str(&format!("#undef {name}\n"));
        }
        text
    }

    /// Hands a token to the parser.
    fn emit(&mut self, token: PpToken) {
        if self.output.len() >= self.options.limits.tokens {
            self.halt(token.span, "the program has too many tokens after macro expansion");
            return;
        }
        if let PpKind::Number(spelling) = token.kind
            && let Some(call) = super::literal::user_literal(spelling.as_str())
        {
            let first = Token {
                kind: call[0],
                span: token.span,
                at_line_start: token.has(LINE_START),
                has_space_before: token.has(SPACE),
            };
            self.output.push(first);
            self.output.extend(call[1..].iter().map(|kind| Token::new(*kind, token.span)));
            return;
        }
        if let Some(kind) = self.literals.convert(&token, self.diagnostics) {
            self.output.push(Token {
                kind,
                span: token.span,
                at_line_start: token.has(LINE_START),
                has_space_before: token.has(SPACE),
            });
        }
    }

    /// Ends the run with an error, once.
    pub fn halt(&mut self, span: Span, message: &str) {
        if !self.halted {
            self.halted = true;
            self.diagnostics.push(Diagnostic::error("preprocessor-limit", span, message));
        }
    }

    /// Counts work done. Returns false where the limit is reached.
    pub fn spend(&mut self, steps: usize, span: Span) -> bool {
        self.steps = self.steps.saturating_add(steps);
        if self.steps > self.options.limits.steps {
            self.halt(span, "the program takes too long to preprocess");
        }
        !self.halted
    }

    /// Registers an expansion. Returns `None` where the limit is reached.
    pub fn new_expansion(&mut self, definition: &Macro, call_site: Span) -> Option<ExpansionId> {
        self.expansions += 1;
        if self.expansions > self.options.limits.expansions {
            self.halt(call_site, "the program expands too many macros");
            return None;
        }
        Some(self.source_map.add_expansion(msl_base::Expansion {
            macro_name: definition.name.as_str().to_owned(),
            call_site,
            definition: definition.definition,
        }))
    }

    /// The next token without expanding it. `Eof` at the end of the input, of an isolated list, or (while
    /// macro arguments are read) of a file.
    pub fn next_raw(&mut self) -> PpToken {
        if self.halted {
            return PpToken { kind: PpKind::Eof, span: Span::NONE, flags: LINE_START };
        }
        while self.contexts.len() > self.floor {
            let Some(context) = self.contexts.last_mut() else { break };
            if let Some(token) = context.get(context.pos) {
                context.pos += 1;
                self.spend(1, token.span);
                return token;
            }
            self.pop_context();
        }
        if self.isolated {
            return PpToken { kind: PpKind::Eof, span: Span::NONE, flags: LINE_START };
        }
        self.next_from_file()
    }

    fn next_from_file(&mut self) -> PpToken {
        loop {
            let only = self.frames.len() == 1;
            let Some(frame) = self.frames.last_mut() else {
                return PpToken { kind: PpKind::Eof, span: Span::NONE, flags: LINE_START };
            };
            let token = frame.peek();
            if token.is_eof() {
                if only || self.collecting > 0 || self.halted {
                    return token;
                }
                if let Some(frame) = self.frames.pop() {
                    self.finish_frame(&frame);
                }
                continue;
            }
            frame.advance();
            if token.has(LINE_START) && token.is(Punct::Hash) {
                if let Some(pragma) = self.directive(token) {
                    return pragma;
                }
                if self.halted {
                    return PpToken { kind: PpKind::Eof, span: token.span, flags: LINE_START };
                }
                continue;
            }
            self.spend(1, token.span);
            return token;
        }
    }

    /// Complains about what a file left open.
    fn finish_frame(&mut self, frame: &Frame) {
        for conditional in &frame.conditionals {
            let message = "this conditional directive has no '#endif'";
            self.diagnostics.push(Diagnostic::error("unterminated-conditional", conditional.span, message));
        }
    }

    /// Whether the next token is `(`, without reading it. Looks into files but not past directives.
    pub fn next_is_paren(&self) -> bool {
        for context in self.contexts[self.floor..].iter().rev() {
            if let Some(token) = context.get(context.pos) {
                return token.is(Punct::LParen);
            }
        }
        !self.isolated && self.frames.last().is_some_and(|f| f.peek().is(Punct::LParen))
    }

    pub fn push_body(&mut self, definition: Arc<Macro>, expansion: ExpansionId, lead: u8) {
        let name = definition.name;
        self.push_context(ContextTokens::Body { definition, expansion, lead }, Some(name));
    }

    pub fn push_list(&mut self, tokens: Vec<PpToken>, name: Option<Symbol>) {
        self.push_context(ContextTokens::List(tokens), name);
    }

    fn push_context(&mut self, tokens: ContextTokens, name: Option<Symbol>) {
        let context = Context { tokens, pos: 0, name };
        if self.contexts.len() >= self.options.limits.nesting {
            let span = context.get(0).map_or(Span::NONE, |t| t.span);
            self.halt(span, "macros are nested too deeply");
            return;
        }
        if let Some(name) = name {
            *self.disabled.entry(name).or_insert(0) += 1;
        }
        self.contexts.push(context);
    }

    fn pop_context(&mut self) {
        let Some(context) = self.contexts.pop() else { return };
        if let Some(name) = context.name
            && let Some(count) = self.disabled.get_mut(&name)
        {
            *count -= 1;
        }
        if let ContextTokens::List(tokens) = context.tokens {
            self.recycle(tokens);
        }
    }

    pub fn is_disabled(&self, name: Symbol) -> bool {
        self.disabled.get(&name).is_some_and(|count| *count > 0)
    }

    pub fn new_list(&mut self) -> Vec<PpToken> {
        self.pool.pop().unwrap_or_default()
    }

    pub fn recycle(&mut self, mut list: Vec<PpToken>) {
        if self.pool.len() < 32 && list.capacity() < 1 << 16 {
            list.clear();
            self.pool.push(list);
        }
    }

    /// Fully expands a list on its own, as macro arguments and directives need it.
    pub fn expand_isolated(&mut self, tokens: Vec<PpToken>) -> Vec<PpToken> {
        let nothing_to_do = |t: &PpToken| match t.kind {
            PpKind::Identifier(name) => t.has(NO_EXPAND) || self.table.get(name).is_none(),
            _ => true,
        };
        if !self.in_condition && tokens.iter().all(nothing_to_do) {
            return tokens;
        }
        if self.isolation_depth >= self.options.limits.argument_nesting {
            let span = tokens.first().map_or(Span::NONE, |t| t.span);
            self.halt(span, "macro calls are nested too deeply in each other's arguments");
            return tokens;
        }
        let saved = (self.floor, self.isolated, std::mem::take(&mut self.carried));
        let height = self.contexts.len();
        self.floor = height;
        self.isolated = true;
        self.isolation_depth += 1;
        self.push_list(tokens, None);
        let mut expanded = self.new_list();
        loop {
            let token = self.next_expanded();
            if token.is_eof() {
                break;
            }
            expanded.push(token);
        }
        while self.contexts.len() > height {
            self.pop_context();
        }
        self.isolation_depth -= 1;
        (self.floor, self.isolated, self.carried) = saved;
        expanded
    }

    /// The expanded rest of a directive's line.
    pub fn expand_line(&mut self, line: &[PpToken]) -> Vec<PpToken> {
        let mut list = self.new_list();
        list.extend_from_slice(line);
        self.expand_isolated(list)
    }

    pub fn is_collecting(&self) -> bool {
        self.collecting > 0
    }

    /// The resolved name of the file being read.
    pub fn frame_name(&self) -> String {
        self.frames.last().map_or(String::new(), |f| f.name.as_str().to_owned())
    }
}
