//! Text → module: items, types and entry points. Instructions are in `parse_inst`.

use std::collections::HashMap;
use std::fmt;

use msl_base::{Id, Symbol};

use super::lex::{Spot, Token, lex};
use super::names::{Spelled, numbered};
use crate::*;

/// Why a text is not a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// 1-based.
    pub line: u32,
    pub column: u32,
    pub message: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}
impl std::error::Error for ParseError {}

/// Parses a whole module. The result may be malformed: [`verify`](crate::verify) tells.
pub fn parse(text: &str) -> Result<Module, ParseError> {
    let mut p = Parser { tokens: lex(text)?, at: 0, module: Module::default(), names: Names::default(), depth: 0 };
    // Every module can then be printed without inserting a type.
    p.module.types.void();
    p.collect_names()?;
    p.items()?;
    Ok(p.module)
}

/// What module-level names stand for; filled before anything is parsed, so that items may come in any order.
#[derive(Default)]
pub(super) struct Names {
    structs: HashMap<String, StructId>,
    globals: HashMap<String, GlobalId>,
    functions: HashMap<String, FunctionId>,
}

pub(super) struct Parser {
    tokens: Vec<Spot>,
    pub(super) at: usize,
    pub(super) module: Module,
    pub(super) names: Names,
    /// Of nested types and blocks, against overflow of the stack.
    pub(super) depth: u32,
}

/// Where a function's body starts, and the values its header names.
struct Body {
    function: FunctionId,
    at: usize,
    params: Vec<Option<String>>,
}

const MAX_DEPTH: u32 = 300;

impl Parser {
    // ---- tokens ------------------------------------------------------------------------
    pub(super) fn peek(&self) -> &Token {
        &self.tokens[self.at.min(self.tokens.len() - 1)].token
    }
    pub(super) fn peek_at(&self, ahead: usize) -> &Token {
        &self.tokens[(self.at + ahead).min(self.tokens.len() - 1)].token
    }
    pub(super) fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }
    /// An error at the token before the current one: the one just taken.
    pub(super) fn error<T>(&self, message: impl Into<String>) -> Result<T, ParseError> {
        self.error_at(self.at.saturating_sub(1), message)
    }
    pub(super) fn error_at<T>(&self, at: usize, message: impl Into<String>) -> Result<T, ParseError> {
        let spot = &self.tokens[at.min(self.tokens.len() - 1)];
        Err(ParseError { line: spot.line, column: spot.column, message: message.into() })
    }
    pub(super) fn is_punct(&self, c: char) -> bool {
        *self.peek() == Token::Punct(c)
    }
    pub(super) fn opt_punct(&mut self, c: char) -> bool {
        let found = self.is_punct(c);
        if found {
            self.next();
        }
        found
    }
    pub(super) fn punct(&mut self, c: char) -> Result<(), ParseError> {
        if self.opt_punct(c) { Ok(()) } else { self.error_at(self.at, format!("expected '{c}'")) }
    }
    pub(super) fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Token::Word(w) if w == word)
    }
    pub(super) fn opt_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        if found {
            self.next();
        }
        found
    }
    pub(super) fn word(&mut self, what: &str) -> Result<String, ParseError> {
        match self.next() {
            Token::Word(w) => Ok(w),
            _ => self.error(format!("expected {what}")),
        }
    }
    pub(super) fn spelled<T: Spelled>(&mut self, what: &str) -> Result<T, ParseError> {
        let word = self.word(what)?;
        match T::from_spelling(&word) {
            Some(v) => Ok(v),
            None => self.error(format!("unknown {what} '{word}'")),
        }
    }
    /// An identifier or a string.
    fn label(&mut self) -> Result<Symbol, ParseError> {
        match self.next() {
            Token::Word(w) => Ok(Symbol::new(&w)),
            Token::Text(t) => Ok(Symbol::new(&t)),
            _ => self.error("expected a name"),
        }
    }
    pub(super) fn number<T: TryFrom<u64>>(&mut self) -> Result<T, ParseError> {
        if let Token::Number(n) = self.next() {
            let value = match n.strip_prefix("0x") {
                Some(hex) => u64::from_str_radix(hex, 16).ok(),
                None => n.parse().ok(),
            };
            if let Some(v) = value.and_then(|v| T::try_from(v).ok()) {
                return Ok(v);
            }
        }
        self.error("expected a number in range")
    }
    fn opt_number(&mut self, word: &str) -> Result<Option<u32>, ParseError> {
        if self.opt_word(word) { self.number().map(Some) } else { Ok(None) }
    }
    /// `@16`
    fn offset(&mut self) -> Result<u64, ParseError> {
        if let Token::At(text) = self.next()
            && let Ok(offset) = text.parse()
        {
            return Ok(offset);
        }
        self.error("expected an offset, as in '@16'")
    }
    pub(super) fn nested<T>(
        &mut self,
        parse: impl FnOnce(&mut Parser) -> Result<T, ParseError>,
    ) -> Result<T, ParseError> {
        if self.depth >= MAX_DEPTH {
            return self.error_at(self.at, "nested too deeply");
        }
        self.depth += 1;
        let result = parse(self);
        self.depth -= 1;
        result
    }

    // ---- names -------------------------------------------------------------------------
    /// Finds the declarations at the top level and gives out their ids.
    fn collect_names(&mut self) -> Result<(), ParseError> {
        let (mut depth, mut structs, mut globals, mut functions) = (0u32, 0, 0, 0);
        for at in 0..self.tokens.len() {
            match &self.tokens[at].token {
                Token::Punct('{') => depth += 1,
                Token::Punct('}') => depth = depth.saturating_sub(1),
                Token::Word(keyword) if depth == 0 => {
                    let Some(Token::Word(name)) = self.tokens.get(at + 1).map(|s| &s.token) else { continue };
                    let name = name.clone();
                    let is_duplicate = match keyword.as_str() {
                        "struct" => {
                            structs += 1;
                            self.names.structs.insert(name.clone(), StructId(structs - 1)).is_some()
                        }
                        "global" => {
                            globals += 1;
                            self.names.globals.insert(name.clone(), GlobalId(globals - 1)).is_some()
                        }
                        "fn" => {
                            functions += 1;
                            self.names.functions.insert(name.clone(), FunctionId(functions - 1)).is_some()
                        }
                        _ => false,
                    };
                    if is_duplicate {
                        return self.error_at(at + 1, format!("'{name}' is declared twice"));
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The name of the item being declared: `name`, or an id (which must be the next one) and a string.
    fn declared(&mut self, prefix: &str, next: usize) -> Result<Symbol, ParseError> {
        let word = self.word("a name")?;
        if let Some(n) = numbered(&word, prefix)
            && n as usize != next
        {
            return self.error(format!("this is {prefix}{next}"));
        }
        if let Token::Text(text) = self.peek() {
            let name = Symbol::new(text);
            self.next();
            return Ok(name);
        }
        Ok(Symbol::new(&word))
    }

    pub(super) fn global_ref(&mut self) -> Result<GlobalId, ParseError> {
        match self.next() {
            Token::Word(name) | Token::At(name) => match self.names.globals.get(&name) {
                Some(&id) => Ok(id),
                None => self.by_number(&name, "global", self.names.globals.len()).map(GlobalId),
            },
            _ => self.error("expected a global"),
        }
    }
    pub(super) fn function_ref(&mut self) -> Result<FunctionId, ParseError> {
        match self.next() {
            Token::Word(name) | Token::At(name) => match self.names.functions.get(&name) {
                Some(&id) => Ok(id),
                None => self.by_number(&name, "fn", self.names.functions.len()).map(FunctionId),
            },
            _ => self.error("expected a function"),
        }
    }
    fn by_number(&self, name: &str, prefix: &str, count: usize) -> Result<u32, ParseError> {
        match numbered(name, prefix) {
            Some(n) if (n as usize) < count => Ok(n),
            _ => self.error(format!("unknown {prefix} '{name}'")),
        }
    }

    // ---- types -------------------------------------------------------------------------
    pub(super) fn ty(&mut self) -> Result<TypeId, ParseError> {
        self.nested(Parser::ty_inner)
    }
    fn ty_inner(&mut self) -> Result<TypeId, ParseError> {
        let word = self.word("a type")?;
        if word == "void" {
            return Ok(self.module.types.void());
        }
        if let Some(s) = Scalar::from_spelling(&word) {
            return Ok(self.module.types.scalar(s));
        }
        if let Some(&id) = self.names.structs.get(&word) {
            return Ok(self.module.types.intern(Type::Struct(id)));
        }
        if let Some((len, packed)) = vector_word(&word) {
            self.punct('<')?;
            let elem = self.spelled("scalar type")?;
            self.punct('>')?;
            return Ok(self.module.types.intern(Type::Vector { elem, len, packed }));
        }
        match word.as_str() {
            "array" => {
                self.punct('<')?;
                let elem = self.ty()?;
                self.punct(',')?;
                let len = self.number()?;
                self.punct('>')?;
                Ok(self.module.types.array(elem, len))
            }
            "ptr" => {
                self.punct('<')?;
                let space = self.spelled("address space")?;
                self.punct(',')?;
                let pointee = self.ty()?;
                self.punct('>')?;
                Ok(self.module.types.pointer(space, pointee))
            }
            _ => {
                let id = self.by_number(&word, "struct", self.names.structs.len())?;
                Ok(self.module.types.intern(Type::Struct(StructId(id))))
            }
        }
    }

    // ---- items -------------------------------------------------------------------------
    fn items(&mut self) -> Result<(), ParseError> {
        // Layouts first, then signatures, then bodies: later steps ask about the earlier.
        while self.peek() != &Token::End {
            match self.word("'struct', 'global', 'fn' or 'kernel'")?.as_str() {
                "struct" => self.structure()?,
                "global" | "fn" | "kernel" => self.skip_item(),
                other => return self.error(format!("expected an item, not '{other}'")),
            }
        }
        self.at = 0;
        let mut bodies = Vec::new();
        while self.peek() != &Token::End {
            match self.word("an item")?.as_str() {
                "global" => self.global()?,
                "fn" => bodies.push(self.signature()?),
                "kernel" => self.entry_point()?,
                _ => self.skip_item(),
            }
        }
        for body in bodies {
            self.at = body.at;
            self.function_body(body.function, &body.params)?;
        }
        Ok(())
    }

    /// Goes to the next token at the top level that starts an item.
    fn skip_item(&mut self) {
        let mut depth = 0u32;
        while *self.peek() != Token::End {
            match self.peek() {
                Token::Punct('{') => depth += 1,
                Token::Punct('}') => depth = depth.saturating_sub(1),
                Token::Word(w) if depth == 0 && matches!(w.as_str(), "struct" | "global" | "fn" | "kernel") => return,
                _ => {}
            }
            self.next();
        }
    }

    fn structure(&mut self) -> Result<(), ParseError> {
        let name = self.declared("struct", self.module.types.structs().len())?;
        let size = if self.opt_word("size") { Some(self.number()?) } else { None };
        let align = self.opt_number("align")?;
        self.punct('{')?;
        let mut fields = Vec::new();
        while !self.opt_punct('}') {
            let name = self.label()?;
            self.punct(':')?;
            let ty = self.ty()?;
            let offset = self.offset()?;
            fields.push(Field { name, ty, offset });
        }
        let (Some(size), Some(align)) = (size, align) else {
            return self.error("a structure states its size and alignment: 'struct S size 8 align 4 { … }'");
        };
        self.module.types.add_struct(Struct { name, fields, size, align });
        Ok(())
    }

    /// `align 4`, or the type's own.
    pub(super) fn opt_align(&mut self, ty: TypeId) -> Result<u32, ParseError> {
        Ok(self.opt_number("align")?.unwrap_or_else(|| self.module.types.align_of(ty)))
    }

    fn global(&mut self) -> Result<(), ParseError> {
        let name = self.declared("global", self.module.globals.len())?;
        self.punct(':')?;
        let ty = self.ty()?;
        let space = self.spelled("address space")?;
        let align = self.opt_align(ty)?;
        let mut init = None;
        if self.opt_punct('=') {
            init = Some(match self.next() {
                Token::Bytes(b) => b,
                Token::Text(t) => t.into_bytes(),
                _ => return self.error("expected bytes, as in x\"00ff\", or a string"),
            });
        }
        let mut pointers = Vec::new();
        while self.opt_punct(',') {
            let offset = self.number()?;
            self.punct(':')?;
            let target = self.global_ref()?;
            pointers.push(GlobalPointer { offset, target, addend: self.number()? });
        }
        self.module.globals.push(Global { name, ty, space, align, init, pointers });
        Ok(())
    }

    fn signature(&mut self) -> Result<Body, ParseError> {
        let name = self.declared("fn", self.module.functions.len())?;
        self.punct('(')?;
        let (mut types, mut params) = (Vec::new(), Vec::new());
        while !self.opt_punct(')') {
            if !types.is_empty() {
                self.punct(',')?;
            }
            let mut name = None;
            if let Token::Value(v) = self.peek() {
                name = Some(v.clone());
                self.next();
                self.punct(':')?;
            }
            params.push(name);
            types.push(self.ty()?);
        }
        if self.next() != Token::Arrow {
            return self.error("expected '->'");
        }
        let ret = self.ty()?;
        let function = self.module.functions.push(Function::new(name, types, ret));
        let at = self.at;
        if !self.is_punct('{') {
            return self.error_at(at, "expected '{'");
        }
        self.skip_item();
        Ok(Body { function, at, params })
    }

    // ---- entry points ------------------------------------------------------------------
    fn entry_point(&mut self) -> Result<(), ParseError> {
        let name = self.label()?;
        self.punct('=')?;
        let function = self.function_ref()?;
        let max_total_threads = self.opt_number("max_threads")?;
        let mut required_threads = None;
        if self.opt_word("required_threads") {
            self.punct('[')?;
            let x = self.number()?;
            self.punct(',')?;
            let y = self.number()?;
            self.punct(',')?;
            let z = self.number()?;
            self.punct(']')?;
            required_threads = Some([x, y, z]);
        }
        let mut params = Vec::new();
        self.punct('{')?;
        while !self.opt_punct('}') {
            params.push(self.entry_param()?);
        }
        self.module.entry_points.push(EntryPoint { name, function, params, max_total_threads, required_threads });
        Ok(())
    }

    fn entry_param(&mut self) -> Result<Param, ParseError> {
        let name = self.label()?;
        self.punct(':')?;
        let what = self.word("a kind of parameter")?;
        let index = self.number()?;
        let (mut is_constant, mut is_reference) = (false, false);
        if what == "buffer" {
            is_constant = self.opt_word("constant");
            if !is_constant {
                self.opt_word("device");
            }
            is_reference = self.opt_word("reference");
        }
        let access = self.spelled("access")?;
        let kind = match what.as_str() {
            "buffer" => ParamKind::Buffer { is_constant, is_reference, element: self.host_type()? },
            "threadgroup" => ParamKind::Threadgroup { element: self.host_type()? },
            "texture" => ParamKind::Texture {
                dimension: self.spelled("texture dimension")?,
                component: self.spelled("scalar type")?,
                array_len: self.number()?,
            },
            "sampler" => ParamKind::Sampler,
            _ => return self.error(format!("unknown kind of parameter '{what}'")),
        };
        let used = !self.opt_word("unused");
        Ok(Param { name, kind, index, access, used })
    }

    fn host_type(&mut self) -> Result<HostType, ParseError> {
        self.nested(Parser::host_type_inner)
    }
    fn host_type_inner(&mut self) -> Result<HostType, ParseError> {
        let word = self.word("a type")?;
        if let Some(s) = Scalar::from_spelling(&word) {
            return Ok(HostType::Scalar(s));
        }
        if let Some((len, packed)) = vector_word(&word) {
            self.punct('<')?;
            let elem: Scalar = self.spelled("scalar type")?;
            let mut size = elem.size() * u32::from(if len == 3 && !packed { 4 } else { len });
            if self.opt_punct(',') {
                size = self.number()?;
            }
            self.punct('>')?;
            return Ok(HostType::Vector { elem, len, size });
        }
        match word.as_str() {
            "matrix" => {
                self.punct('<')?;
                let elem = self.spelled("scalar type")?;
                self.punct(',')?;
                let columns = self.number()?;
                self.punct(',')?;
                let rows = self.number()?;
                self.punct(',')?;
                let size = self.number()?;
                self.punct('>')?;
                Ok(HostType::Matrix { elem, columns, rows, size })
            }
            "array" => {
                self.punct('<')?;
                let elem = self.host_type()?;
                self.punct(',')?;
                let len = self.number()?;
                let mut stride = elem.size();
                if self.opt_punct(',') {
                    stride = self.number()?;
                }
                self.punct('>')?;
                Ok(HostType::Array { elem: Box::new(elem), len, stride })
            }
            "struct" => {
                let name = self.label()?;
                let size = if self.opt_word("size") { self.number()? } else { return self.error("expected a size") };
                let Some(align) = self.opt_number("align")? else { return self.error("expected an alignment") };
                self.punct('{')?;
                let mut fields = Vec::new();
                while !self.opt_punct('}') {
                    let name = self.label()?;
                    self.punct(':')?;
                    let ty = self.host_type()?;
                    let offset = self.offset()?;
                    fields.push(HostField { name, offset, ty });
                }
                Ok(HostType::Struct { name, size, align, fields })
            }
            "pointer" => Ok(HostType::Pointer),
            "texture" => Ok(HostType::Texture),
            "sampler" => Ok(HostType::Sampler),
            "function_table" => {
                self.punct('<')?;
                let function = self.label()?;
                self.punct('>')?;
                Ok(HostType::FunctionTable { function })
            }
            "other" => {
                self.punct('<')?;
                let size = self.number()?;
                self.punct(',')?;
                let align = self.number()?;
                self.punct('>')?;
                Ok(HostType::Other { size, align })
            }
            _ => self.error(format!("unknown type '{word}'")),
        }
    }

    /// The function as parsed so far is moved out while its body is parsed.
    fn function_body(&mut self, id: FunctionId, params: &[Option<String>]) -> Result<(), ParseError> {
        let signature = &self.module.functions[id];
        let function = Function::new(signature.name, signature.params.clone(), signature.ret);
        let function = super::parse_inst::parse_body(self, function, params)?;
        self.module.functions[FunctionId::from_index(id.index())] = function;
        Ok(())
    }
}

/// `vec3` or `packed_vec3`: the length, and whether packed.
fn vector_word(word: &str) -> Option<(u8, bool)> {
    let (digits, packed) = match word.strip_prefix("packed_vec") {
        Some(digits) => (digits, true),
        None => (word.strip_prefix("vec")?, false),
    };
    match digits {
        "2" => Some((2, packed)),
        "3" => Some((3, packed)),
        "4" => Some((4, packed)),
        _ => None,
    }
}
