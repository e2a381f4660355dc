//! Macros and the table that names them.
//!
//! A macro's replacement list is analyzed once, at its definition: parameters, `#`, `##` and
//! `__VA_OPT__` become [`Piece`]s, so that expansion looks no name up. C++ [cpp.replace].

use std::sync::Arc;

use msl_base::{FxMap, Span, Symbol};

use crate::lexer::PpToken;

/// The macros in force at some point. Cloning copies the names and shares the definitions.
#[derive(Clone, Default, Debug)]
pub struct MacroTable {
    macros: FxMap<Symbol, Arc<Macro>>,
}

impl MacroTable {
    pub fn new() -> MacroTable {
        MacroTable::default()
    }
    pub fn get(&self, name: Symbol) -> Option<&Arc<Macro>> {
        self.macros.get(&name)
    }
    pub fn is_defined(&self, name: &str) -> bool {
        self.macros.contains_key(&Symbol::new(name))
    }
    pub fn len(&self) -> usize {
        self.macros.len()
    }
    pub fn is_empty(&self) -> bool {
        self.macros.is_empty()
    }
    /// All macros in the order of their names.
    pub fn sorted(&self) -> Vec<&Arc<Macro>> {
        let mut all: Vec<_> = self.macros.values().collect();
        all.sort_by_key(|m| m.name.as_str());
        all
    }
    pub(crate) fn insert(&mut self, definition: Arc<Macro>) -> Option<Arc<Macro>> {
        self.macros.insert(definition.name, definition)
    }
    pub(crate) fn remove(&mut self, name: Symbol) -> Option<Arc<Macro>> {
        self.macros.remove(&name)
    }
}

#[derive(Debug)]
pub struct Macro {
    pub name: Symbol,
    /// The name in its `#define`; nowhere for the dynamic ones.
    pub definition: Span,
    /// Defined by the compiler itself; changing it deserves a warning.
    pub is_builtin: bool,
    pub(crate) kind: MacroKind,
    /// The replacement list as written, for comparing redefinitions and for printing.
    pub(crate) body: Box<[PpToken]>,
}

#[derive(Debug)]
pub(crate) enum MacroKind {
    /// Stands for its body as it is.
    Object,
    /// An object-like macro with `##` in it.
    ObjectPieces(Box<[Piece]>),
    Function {
        params: Box<[Symbol]>,
        /// The last parameter takes all remaining arguments.
        variadic: bool,
        pieces: Box<[Piece]>,
    },
    Dynamic(Dynamic),
}

/// An element of an analyzed replacement list.
#[derive(Clone, Debug)]
pub(crate) enum Piece {
    Token(PpToken),
    /// `token` is the parameter's name as written. `raw` beside `##`: the argument goes in unexpanded.
    Param {
        index: usize,
        token: PpToken,
        raw: bool,
    },
    /// `#param`; the token is the `#`.
    Stringize {
        index: usize,
        token: PpToken,
    },
    Paste(PpToken),
    /// `__VA_OPT__(…)`, or `#__VA_OPT__(…)` with `stringize`.
    VaOpt {
        pieces: Box<[Piece]>,
        token: PpToken,
        stringize: bool,
    },
}

/// Macros whose value depends on where they stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Dynamic {
    Line,
    File,
    BaseFile,
    Counter,
    IncludeLevel,
    Date,
    Time,
    Timestamp,
    HasFeature,
    HasBuiltin,
    HasAttribute,
    IsIdentifier,
    HasInclude,
}

impl Macro {
    /// Whether a second definition says the same. C++ [cpp.replace]/1.
    pub(crate) fn same_as(&self, other: &Macro) -> bool {
        let shape = match (&self.kind, &other.kind) {
            (
                MacroKind::Function { params: a, variadic: va, .. },
                MacroKind::Function { params: b, variadic: vb, .. },
            ) => a == b && va == vb,
            (MacroKind::Function { .. }, _) | (_, MacroKind::Function { .. }) => false,
            (MacroKind::Dynamic(a), MacroKind::Dynamic(b)) => a == b,
            (MacroKind::Dynamic(_), _) | (_, MacroKind::Dynamic(_)) => false,
            _ => true,
        };
        shape
            && self.body.len() == other.body.len()
            && self.body.iter().zip(&other.body).all(|(a, b)| a.kind == b.kind && a.flags == b.flags)
    }

    /// The macro as a `#define` line, without the `#define`.
    pub fn describe(&self) -> String {
        let mut text = self.name.to_string();
        if let MacroKind::Function { params, variadic, .. } = &self.kind {
            let names: Vec<&str> = params.iter().map(|p| p.as_str()).collect();
            let mut list = names.join(", ");
            if *variadic {
                match list.strip_suffix("__VA_ARGS__") {
                    Some(rest) => list = format!("{rest}..."),
                    None => list.push_str("..."),
                }
            }
            text.push_str(&format!("({list})"));
        }
        for (i, token) in self.body.iter().enumerate() {
            if i == 0 || token.has(crate::lexer::SPACE) {
                text.push(' ');
            }
            token.spell(&mut text);
        }
        text
    }
}
