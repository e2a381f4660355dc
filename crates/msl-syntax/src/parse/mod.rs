//! Tokens to an abstract syntax tree: recursive descent over C++17 as MSL uses it.
//!
//! In: the token stream of the preprocessor and the scopes of whatever was parsed before (the standard library).
//! Out: a [`TranslationUnit`], the scopes after it, and diagnostics.
//! Promised: total. Any token sequence gives a tree; where something was wrong there is a diagnostic and an error
//! node. Nesting is limited ([`NESTING_LIMIT`]), and so is the height of every expression ([`HEIGHT_LIMIT`]), so
//! that later phases may recurse.
//! Not here: types, overloads, constants. The parser asks [`Scopes`] only whether a name is a type, a template or
//! a value; it decides with token look-ahead ([`lookahead`]) and never parses anything twice.
//! MSL specification, chapters 1.5 and 4 to 5; C++ [gram].

mod attribute;
mod class;
mod decl;
mod declarator;
mod expr;
mod foreign;
mod function;
mod lookahead;
mod name;
mod primary;
mod recover;
mod scope;
mod simple;
mod specifiers;
mod stmt;
mod template;
#[cfg(test)]
mod tests;

pub use scope::{BUILTIN_TEMPLATE_NAMES, BUILTIN_TYPE_NAMES, Entity, ScopeId, Scopes};

use std::cell::Cell;

use msl_base::{Diagnostics, FxSet, SourceMap, Span, Symbol};

use crate::ast::{Decl, FpPragma, LoopPragma, TranslationUnit};
use crate::token::{Kw, Punct, Token, TokenKind};
use scope::{Frame, Scope};

/// How deep expressions, statements, types and template arguments may nest together.
pub const NESTING_LIMIT: u32 = 256;

/// How high the tree of one expression may grow through chains such as `a + b + c + …` as well.
pub const HEIGHT_LIMIT: u32 = 1000;

/// Nesting beyond this continues on a thread with a larger stack, because callers may run on small ones.
const ROOMY_STACK_FROM: u32 = 32;
const ROOMY_STACK_BYTES: usize = 32 << 20;

/// Parses a whole file. `initial` is what is declared before its first token.
pub fn parse(
    tokens: &[Token],
    source_map: &SourceMap,
    initial: &Scopes,
    diagnostics: &mut Diagnostics,
) -> (TranslationUnit, Scopes) {
    let mut parser = Parser::new(tokens, source_map, initial, diagnostics);
    let decls = parser.parse_translation_unit();
    let files = source_map.files().iter().map(|f| f.start).collect();
    (TranslationUnit { decls, files }, parser.scopes)
}

struct Parser<'a> {
    /// A copy, because closing `>>` of template argument lists are split in place.
    tokens: Vec<Token>,
    /// For each bracket token the index of its partner; `NO_MATCH` for the rest.
    matching: Vec<u32>,
    pos: usize,
    /// The last token consumed, for "after this" messages and for the ends of spans.
    prev_span: Span,
    source: &'a SourceMap,
    diagnostics: &'a mut Diagnostics,
    scopes: Scopes,
    frames: Vec<Frame>,
    depth: u32,
    /// The height of the expression that was parsed last.
    height: u32,
    /// Whether `>` closes a template argument list here instead of comparing.
    in_angles: bool,
    /// Position of the last error; a second one at the same token would only repeat it.
    error_at: Option<usize>,
    loop_hint: LoopPragma,
    /// Floating-point pragmas in force at this place of the file.
    fp_pragmas: Vec<FpPragma>,
    /// What `#pragma pack` set last, and what it will go back to.
    pack: u32,
    outer_packs: Vec<u32>,
    /// Bodies of member functions, read when their class is complete.
    delayed: Vec<class::DelayedBody>,
    /// Names declared as parameter packs anywhere: they tell the two kinds of binary folds apart.
    packs: FxSet<Symbol>,
    /// How many frames there were inside the innermost class body.
    class_base: usize,
    /// Bounds the work of one look-ahead.
    fuel: Cell<u32>,
    skim_depth: Cell<u32>,
}

const NO_MATCH: u32 = u32::MAX;

impl<'a> Parser<'a> {
    fn new(tokens: &[Token], source: &'a SourceMap, initial: &Scopes, diagnostics: &'a mut Diagnostics) -> Parser<'a> {
        let tokens = keep_useful_tokens(tokens);
        let matching = match_brackets(&tokens);
        Parser {
            tokens,
            matching,
            pos: 0,
            prev_span: Span::NONE,
            source,
            diagnostics,
            scopes: initial.clone(),
            frames: vec![Frame::Shared(ScopeId::GLOBAL)],
            depth: 0,
            height: 0,
            in_angles: false,
            error_at: None,
            loop_hint: LoopPragma::None,
            fp_pragmas: Vec::new(),
            pack: 0,
            outer_packs: Vec::new(),
            delayed: Vec::new(),
            packs: FxSet::default(),
            class_base: 0,
            fuel: Cell::new(0),
            skim_depth: Cell::new(0),
        }
    }

    fn parse_translation_unit(&mut self) -> Vec<Decl> {
        let mut decls = Vec::new();
        while !self.cur().is_eof() {
            let before = self.pos;
            if self.at(Punct::RBrace) {
                self.error_here("unexpected-token", "this brace closes nothing");
                self.bump();
                self.eat(Punct::Semi);
                continue;
            }
            self.parse_declaration(decl::Context::Namespace, &mut decls);
            if self.pos == before {
                self.error_here("unexpected-token", "expected a declaration");
                self.bump();
            }
        }
        decls
    }

    // ---- tokens -----------------------------------------------------------------------

    fn cur(&self) -> &Token {
        &self.tokens[self.pos]
    }
    fn kind(&self) -> TokenKind {
        self.cur().kind
    }
    fn peek(&self, distance: usize) -> &Token {
        &self.tokens[(self.pos + distance).min(self.tokens.len() - 1)]
    }
    fn span(&self) -> Span {
        self.cur().span
    }
    /// From the start of `start` to the last token consumed.
    fn since(&self, start: Span) -> Span {
        self.source.join(start, self.prev_span)
    }
    fn at(&self, punct: Punct) -> bool {
        self.cur().is(punct)
    }
    fn at_kw(&self, keyword: Kw) -> bool {
        self.cur().is_keyword(keyword)
    }
    fn peek_is(&self, distance: usize, punct: Punct) -> bool {
        self.peek(distance).is(punct)
    }
    /// `[[`
    fn at_attribute(&self) -> bool {
        self.at(Punct::LBracket) && self.peek_is(1, Punct::LBracket)
    }
    fn bump(&mut self) -> Token {
        let token = *self.cur();
        if !token.is_eof() {
            self.pos += 1;
            self.prev_span = token.span;
        }
        token
    }
    fn eat(&mut self, punct: Punct) -> bool {
        let found = self.at(punct);
        if found {
            self.bump();
        }
        found
    }
    fn eat_kw(&mut self, keyword: Kw) -> bool {
        let found = self.at_kw(keyword);
        if found {
            self.bump();
        }
        found
    }
    fn at_word(&self, word: &str) -> bool {
        self.cur().identifier().is_some_and(|name| name == word)
    }

    /// An identifier, or a diagnostic and `None`.
    fn expect_identifier(&mut self, what: &str) -> Option<(Symbol, Span)> {
        if let Some(name) = self.cur().identifier() {
            let span = self.bump().span;
            return Some((name, span));
        }
        self.error_here("expected-name", format!("expected {what}"));
        None
    }

    // ---- nesting ----------------------------------------------------------------------

    /// Runs `parse` one level deeper, or reports that nesting is too deep and returns `None`.
    fn nested<R: Send>(&mut self, parse: impl FnOnce(&mut Self) -> R + Send) -> Option<R> {
        if self.depth >= NESTING_LIMIT {
            self.report_nesting();
            return None;
        }
        self.depth += 1;
        let result = if self.depth == ROOMY_STACK_FROM { self.on_roomy_stack(parse) } else { Some(parse(self)) };
        self.depth -= 1;
        result
    }

    fn on_roomy_stack<R: Send>(&mut self, parse: impl FnOnce(&mut Self) -> R + Send) -> Option<R> {
        let outcome = std::thread::scope(|scope| {
            let builder = std::thread::Builder::new().stack_size(ROOMY_STACK_BYTES);
            let this = &mut *self;
            builder.spawn_scoped(scope, move || parse(this)).map(|thread| thread.join())
        });
        match outcome {
            Ok(Ok(result)) => Some(result),
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(_) => {
                self.report_nesting();
                None
            }
        }
    }

    fn report_nesting(&mut self) {
        let span = self.span();
        self.error("nesting-limit", span, format!("this is nested more than {NESTING_LIMIT} levels deep"));
        // Without an end to the nesting nothing after it can be understood.
        self.skip_to_statement_end();
    }

    /// Notes that the expression being built is one level higher than its highest part.
    fn grow(&mut self, height: u32) -> bool {
        self.height = height + 1;
        if self.height == HEIGHT_LIMIT {
            let span = self.span();
            self.error(
                "nesting-limit",
                span,
                format!("this expression has more than {HEIGHT_LIMIT} operators in a row"),
            );
        }
        self.height < HEIGHT_LIMIT
    }

    // ---- scopes -----------------------------------------------------------------------

    fn push_local(&mut self) {
        self.frames.push(Frame::Local(Scope::default()));
    }
    fn pop_local(&mut self) -> Scope {
        match self.frames.pop() {
            Some(Frame::Local(scope)) => scope,
            _ => Scope::default(),
        }
    }

    /// Unqualified lookup, innermost scope first.
    fn lookup(&self, name: Symbol) -> Option<Entity> {
        self.frames.iter().rev().find_map(|frame| match frame {
            Frame::Shared(id) => self.scopes.lookup(*id, name),
            Frame::Local(scope) => scope.own(name).or_else(|| {
                let also = scope.also();
                if also.is_empty() { None } else { self.scopes.lookup_also(also, name, ScopeId(u32::MAX)) }
            }),
        })
    }

    /// Declares a name in the innermost scope that is not a template header.
    fn declare(&mut self, name: Symbol, entity: Entity) {
        let frame = self.frames.iter_mut().rev().find(|frame| match frame {
            Frame::Local(scope) => !scope.is_template_header,
            Frame::Shared(_) => true,
        });
        match frame {
            Some(Frame::Local(scope)) => scope.hide(name, entity),
            Some(Frame::Shared(id)) => {
                let id = *id;
                self.scopes.declare(id, name, entity);
            }
            None => {}
        }
    }

    /// The entity a name has in the innermost scope for declarations itself.
    fn declared_here(&self, name: Symbol) -> Option<Entity> {
        self.frames.iter().rev().find_map(|frame| match frame {
            Frame::Local(scope) if scope.is_template_header => None,
            Frame::Local(scope) => Some(scope.own(name)),
            Frame::Shared(id) => Some(self.scopes.get(*id).own(name)),
        })?
    }

    /// Makes the innermost scope for declarations search another one too.
    fn search_also(&mut self, other: ScopeId) {
        for frame in self.frames.iter_mut().rev() {
            match frame {
                Frame::Local(scope) if scope.is_template_header => {}
                Frame::Local(scope) => return scope.search_also(other),
                Frame::Shared(id) => {
                    let id = *id;
                    if id != other {
                        self.scopes.get_mut(id).search_also(other);
                    }
                    return;
                }
            }
        }
    }
}

/// Drops pragmas that stand in the middle of a construct, where they could mean nothing, and makes sure
/// that the stream ends.
fn keep_useful_tokens(tokens: &[Token]) -> Vec<Token> {
    let mut kept: Vec<Token> = Vec::with_capacity(tokens.len() + 1);
    for token in tokens {
        if token.is_eof() {
            break;
        }
        if let TokenKind::Pragma(_) = token.kind {
            let is_between = kept.last().is_none_or(|previous| match previous.kind {
                TokenKind::Punct(p) => {
                    matches!(p, Punct::Semi | Punct::LBrace | Punct::RBrace | Punct::RParen | Punct::Colon)
                }
                TokenKind::Keyword(k) => matches!(k, Kw::Else | Kw::Do),
                TokenKind::Pragma(_) => true,
                _ => false,
            });
            if !is_between {
                continue;
            }
        }
        kept.push(*token);
    }
    let end = match (tokens.last(), kept.last()) {
        (Some(last), _) if last.is_eof() => *last,
        (_, Some(last)) => Token::new(
            TokenKind::Eof,
            Span { start: last.span.end, end: last.span.end, expansion: last.span.expansion },
        ),
        _ => Token::new(TokenKind::Eof, Span::NONE),
    };
    kept.push(end);
    kept
}

/// Pairs brackets. A closing brace closes what was left open inside it, so that one missing `)` does not
/// unbalance the rest of the file; parentheses and square brackets never reach across a brace.
fn match_brackets(tokens: &[Token]) -> Vec<u32> {
    let mut matching = vec![NO_MATCH; tokens.len()];
    let mut open: Vec<(usize, Punct)> = Vec::new();
    // How many `(` and `[` are open since each open `{`. Knowing that a partner exists before searching for it
    // keeps this linear.
    let mut counts = vec![[0usize; 2]];
    let mut braces = 0;
    for (i, token) in tokens.iter().enumerate() {
        let TokenKind::Punct(punct) = token.kind else { continue };
        let Some(level) = counts.last_mut() else { break };
        let opener = match punct {
            Punct::LParen | Punct::LBracket => {
                level[usize::from(punct == Punct::LBracket)] += 1;
                open.push((i, punct));
                continue;
            }
            Punct::LBrace => {
                counts.push([0; 2]);
                braces += 1;
                open.push((i, punct));
                continue;
            }
            Punct::RParen if level[0] > 0 => Punct::LParen,
            Punct::RBracket if level[1] > 0 => Punct::LBracket,
            Punct::RBrace if braces > 0 => Punct::LBrace,
            _ => continue,
        };
        while let Some((index, kind)) = open.pop() {
            if kind != Punct::LBrace
                && let Some(level) = counts.last_mut()
            {
                level[usize::from(kind == Punct::LBracket)] -= 1;
            }
            if kind == opener {
                matching[index] = i as u32;
                matching[i] = index as u32;
                break;
            }
        }
        if opener == Punct::LBrace {
            counts.pop();
            braces -= 1;
        }
    }
    matching
}
