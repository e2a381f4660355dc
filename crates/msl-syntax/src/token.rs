//! Tokens as the parser sees them: keywords resolved, literals evaluated, macros gone.
//!
//! In: nothing; this is the vocabulary between the preprocessor and the parser.
//! Promised: a [`Token`] is `Copy`, carries its span, and a stream always ends in one
//! [`TokenKind::Eof`] token.
//! Not here: preprocessing tokens (`crate::lexer`), where keywords are still identifiers.
//!
//! Which names are keywords: the C++17 keywords, the address spaces and function qualifiers of
//! MSL, and the fundamental types that C++ spells as keywords, to which MSL adds `half` and
//! `bfloat`. All other type names of MSL (`uint`, `float4`, `texture2d`, `size_t`, …) are
//! identifiers. The words inside `[[…]]` may be keywords (`[[kernel]]`, `[[threadgroup(0)]]`):
//! use [`Token::word`] there. MSL specification, chapter 1.5 and 4.

use std::fmt;
use std::sync::LazyLock;

use msl_base::{FxMap, Span, Symbol};

/// One token with the place it was spelled at.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Token {
    pub kind: TokenKind,
    pub span: Span,
    /// First token of its line, in the file or at the outermost macro call.
    pub at_line_start: bool,
    /// White space or a comment stands before it on the line.
    pub has_space_before: bool,
}

/// What the preprocessor hands to the parser. The last token is `Eof`.
pub type TokenStream = Vec<Token>;

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum TokenKind {
    Identifier(Symbol),
    Keyword(Kw),
    Integer(IntegerLiteral),
    Float(FloatLiteral),
    /// A character literal; the value is the code unit, or C's value for `'ab'`.
    Char(u32),
    /// A string literal with its escapes resolved, without the quotes. Adjacent literals are still
    /// separate. `\x80` to `\xff` stand as the character of that number.
    String(Symbol),
    Punct(Punct),
    /// A pragma that means something to the compiler, at the place it stood.
    Pragma(Pragma),
    Eof,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IntegerLiteral {
    pub value: u64,
    pub suffix: IntegerSuffix,
    pub base: IntegerBase,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IntegerSuffix {
    None,
    U,
    L,
    UL,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IntegerBase {
    Binary,
    Octal,
    Decimal,
    Hexadecimal,
}

/// A floating-point literal. With suffix `None` or `F` the value is already rounded (once) to
/// single precision, because MSL has no `double`; with `H` or `BF` it is the nearest `f64`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct FloatLiteral {
    pub value: f64,
    pub suffix: FloatSuffix,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FloatSuffix {
    None,
    F,
    H,
    BF,
}

/// Pragmas that reach the parser. All others are dropped by the preprocessor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pragma {
    /// `#pragma unroll`, `#pragma unroll N`, `#pragma nounroll`, `#pragma clang loop unroll(…)`: for the next loop.
    Unroll(UnrollHint),
    /// `#pragma METAL fp math_mode(…)`: until the end of the enclosing block or file.
    MathMode(MathMode),
    /// `#pragma METAL fp contract(…)`: until the end of the enclosing block or file.
    Contract(ContractMode),
    /// `#pragma pack(…)`: for the classes that follow.
    Pack(PackPragma),
}

/// The largest alignment of members, 0 for no limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PackPragma {
    Set(u32),
    /// Remembers what holds, and sets where a number is given.
    Push(Option<u32>),
    Pop,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UnrollHint {
    /// Unroll as far as it pays. Also where the count is no literal (`#pragma unroll N` with a template parameter).
    Enable,
    Full,
    Disable,
    Count(u32),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MathMode {
    Fast,
    Relaxed,
    Safe,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ContractMode {
    Off,
    On,
    Fast,
}

/// Defines an enum of spellings with `as_str` and the list of all.
macro_rules! spellings {
    ($(#[$meta:meta])* $name:ident { $($variant:ident $text:literal),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        pub enum $name { $($variant),* }
        impl $name {
            pub const ALL: &'static [$name] = &[$($name::$variant),*];
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text),* }
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

spellings! {
    /// A keyword of MSL.
    Kw {
        Alignas "alignas", Alignof "alignof", Asm "asm", Auto "auto", Bool "bool", Break "break", Case "case",
        Catch "catch", Char "char", Char16 "char16_t", Char32 "char32_t", Class "class", Const "const",
        Constexpr "constexpr", ConstCast "const_cast", Continue "continue", Decltype "decltype", Default "default",
        Delete "delete", Do "do", Double "double", DynamicCast "dynamic_cast", Else "else", Enum "enum",
        Explicit "explicit", Export "export", Extern "extern", False "false", Float "float", For "for",
        Friend "friend", Goto "goto", If "if", Inline "inline", Int "int", Long "long", Mutable "mutable",
        Namespace "namespace", New "new", Noexcept "noexcept", Nullptr "nullptr", Operator "operator",
        Private "private", Protected "protected", Public "public", Register "register",
        ReinterpretCast "reinterpret_cast", Return "return", Short "short", Signed "signed", Sizeof "sizeof",
        Static "static", StaticAssert "static_assert", StaticCast "static_cast", Struct "struct", Switch "switch",
        Template "template", This "this", ThreadLocal "thread_local", Throw "throw", True "true", Try "try",
        Typedef "typedef", Typeid "typeid", Typename "typename", Union "union", Unsigned "unsigned", Using "using",
        Virtual "virtual", Void "void", Volatile "volatile", WcharT "wchar_t", While "while",
        // MSL: the floating-point types that have no C++ keyword.
        Half "half", Bfloat "bfloat",
        // MSL: function qualifiers.
        Kernel "kernel", Vertex "vertex", Fragment "fragment",
        // MSL: address spaces.
        Device "device", Constant "constant", Threadgroup "threadgroup",
        ThreadgroupImageblock "threadgroup_imageblock", Thread "thread", RayData "ray_data", ObjectData "object_data",
        // Clang's extensions that headers use.
        Attribute "__attribute__", Restrict "__restrict", Typeof "__typeof__", Extension "__extension__",
    }
}

spellings! {
    /// An operator or a separator. `[[` and `]]` are two tokens each.
    Punct {
        LBrace "{", RBrace "}", LBracket "[", RBracket "]", LParen "(", RParen ")", Semi ";", Colon ":",
        ColonColon "::", Question "?", Comma ",", Dot ".", DotStar ".*", Ellipsis "...", Arrow "->", ArrowStar "->*",
        Plus "+", Minus "-", Star "*", Slash "/", Percent "%", Caret "^", Amp "&", Pipe "|", Tilde "~", Bang "!",
        Eq "=", Less "<", Greater ">", PlusEq "+=", MinusEq "-=", StarEq "*=", SlashEq "/=", PercentEq "%=",
        CaretEq "^=", AmpEq "&=", PipeEq "|=", LessLess "<<", GreaterGreater ">>", LessLessEq "<<=",
        GreaterGreaterEq ">>=", EqEq "==", BangEq "!=", LessEq "<=", GreaterEq ">=", AmpAmp "&&", PipePipe "||",
        PlusPlus "++", MinusMinus "--", Hash "#", HashHash "##",
    }
}

impl Kw {
    /// The keyword of that name, with Clang's other spellings (`__inline__`, `__restrict__`, …).
    pub fn from_symbol(name: Symbol) -> Option<Kw> {
        KEYWORDS.get(&name).copied()
    }
}

impl Punct {
    /// The operator behind an alternative spelling (`and`, `not_eq`, …). C++ [lex.digraph].
    pub fn from_alternative(name: Symbol) -> Option<Punct> {
        ALTERNATIVES.get(&name).copied()
    }
}

static KEYWORDS: LazyLock<FxMap<Symbol, Kw>> = LazyLock::new(|| {
    const ALIASES: &[(&str, Kw)] = &[
        ("__inline", Kw::Inline),
        ("__inline__", Kw::Inline),
        ("__restrict__", Kw::Restrict),
        ("__attribute", Kw::Attribute),
        ("__typeof", Kw::Typeof),
        ("__asm", Kw::Asm),
        ("__asm__", Kw::Asm),
        ("__const", Kw::Const),
        ("__const__", Kw::Const),
        ("__volatile__", Kw::Volatile),
        ("__signed__", Kw::Signed),
        ("__alignof__", Kw::Alignof),
        ("_Static_assert", Kw::StaticAssert),
    ];
    let names = Kw::ALL.iter().map(|k| (k.as_str(), *k));
    names.chain(ALIASES.iter().copied()).map(|(name, kw)| (Symbol::new(name), kw)).collect()
});

static ALTERNATIVES: LazyLock<FxMap<Symbol, Punct>> = LazyLock::new(|| {
    [
        ("and", Punct::AmpAmp),
        ("and_eq", Punct::AmpEq),
        ("bitand", Punct::Amp),
        ("bitor", Punct::Pipe),
        ("compl", Punct::Tilde),
        ("not", Punct::Bang),
        ("not_eq", Punct::BangEq),
        ("or", Punct::PipePipe),
        ("or_eq", Punct::PipeEq),
        ("xor", Punct::Caret),
        ("xor_eq", Punct::CaretEq),
    ]
    .into_iter()
    .map(|(name, punct)| (Symbol::new(name), punct))
    .collect()
});

impl Token {
    pub fn new(kind: TokenKind, span: Span) -> Token {
        Token { kind, span, at_line_start: false, has_space_before: false }
    }
    pub fn is(&self, punct: Punct) -> bool {
        self.kind == TokenKind::Punct(punct)
    }
    pub fn is_keyword(&self, keyword: Kw) -> bool {
        self.kind == TokenKind::Keyword(keyword)
    }
    pub fn is_eof(&self) -> bool {
        self.kind == TokenKind::Eof
    }
    pub fn identifier(&self) -> Option<Symbol> {
        match self.kind {
            TokenKind::Identifier(name) => Some(name),
            _ => None,
        }
    }
    /// The name of an identifier or keyword, for places where keywords are plain words (attributes).
    pub fn word(&self) -> Option<Symbol> {
        match self.kind {
            TokenKind::Identifier(name) => Some(name),
            TokenKind::Keyword(keyword) => Some(Symbol::new(keyword.as_str())),
            _ => None,
        }
    }
    /// Splits the first `>` off `>>`, `>=` or `>>=`, for closing template argument lists.
    /// Returns the `>` and the token that remains.
    pub fn split_greater(self) -> Option<(Token, Token)> {
        let TokenKind::Punct(punct) = self.kind else { return None };
        let rest = match punct {
            Punct::GreaterGreater => Punct::Greater,
            Punct::GreaterEq => Punct::Eq,
            Punct::GreaterGreaterEq => Punct::GreaterEq,
            _ => return None,
        };
        let mut first = Token { kind: TokenKind::Punct(Punct::Greater), ..self };
        let mut second = Token { kind: TokenKind::Punct(rest), at_line_start: false, has_space_before: false, ..self };
        // A token that was pasted together or holds a line splice has no characters to divide.
        if (self.span.end - self.span.start) as usize == punct.as_str().len() {
            first.span.end = self.span.start + 1;
            second.span.start = self.span.start + 1;
        }
        Some((first, second))
    }
}

/// The token in MSL, spelled canonically: reading it back gives the same token.
impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl fmt::Display for TokenKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TokenKind::Identifier(name) => f.write_str(name.as_str()),
            TokenKind::Keyword(keyword) => f.write_str(keyword.as_str()),
            TokenKind::Integer(literal) => literal.fmt(f),
            TokenKind::Float(literal) => literal.fmt(f),
            TokenKind::Char(value) => fmt_char(f, *value),
            TokenKind::String(text) => fmt_string(f, text.as_str()),
            TokenKind::Punct(punct) => f.write_str(punct.as_str()),
            TokenKind::Pragma(pragma) => pragma.fmt(f),
            TokenKind::Eof => Ok(()),
        }
    }
}

impl fmt::Display for IntegerLiteral {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.base {
            IntegerBase::Binary => write!(f, "{:#b}", self.value)?,
            IntegerBase::Octal if self.value == 0 => f.write_str("0")?,
            IntegerBase::Octal => write!(f, "0{:o}", self.value)?,
            IntegerBase::Decimal => write!(f, "{}", self.value)?,
            IntegerBase::Hexadecimal => write!(f, "{:#x}", self.value)?,
        }
        f.write_str(match self.suffix {
            IntegerSuffix::None => "",
            IntegerSuffix::U => "u",
            IntegerSuffix::L => "l",
            IntegerSuffix::UL => "ul",
        })
    }
}

impl fmt::Display for FloatLiteral {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suffix = match self.suffix {
            FloatSuffix::None => "",
            FloatSuffix::F => "f",
            FloatSuffix::H => "h",
            FloatSuffix::BF => "bf",
        };
        match self.suffix {
            // An overflowing literal has no digits of its own; this one overflows as well.
            _ if self.value.is_infinite() => write!(f, "1e999{suffix}"),
            FloatSuffix::None | FloatSuffix::F => write!(f, "{:?}{suffix}", self.value as f32),
            FloatSuffix::H | FloatSuffix::BF => write!(f, "{:?}{suffix}", self.value),
        }
    }
}

impl fmt::Display for Pragma {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pragma::Unroll(UnrollHint::Enable) => f.write_str("#pragma unroll"),
            Pragma::Unroll(UnrollHint::Full) => f.write_str("#pragma clang loop unroll(full)"),
            Pragma::Unroll(UnrollHint::Disable) => f.write_str("#pragma nounroll"),
            Pragma::Unroll(UnrollHint::Count(count)) => write!(f, "#pragma unroll {count}"),
            Pragma::MathMode(MathMode::Fast) => f.write_str("#pragma METAL fp math_mode(fast)"),
            Pragma::MathMode(MathMode::Relaxed) => f.write_str("#pragma METAL fp math_mode(relaxed)"),
            Pragma::MathMode(MathMode::Safe) => f.write_str("#pragma METAL fp math_mode(safe)"),
            Pragma::Contract(ContractMode::Off) => f.write_str("#pragma METAL fp contract(off)"),
            Pragma::Contract(ContractMode::On) => f.write_str("#pragma METAL fp contract(on)"),
            Pragma::Contract(ContractMode::Fast) => f.write_str("#pragma METAL fp contract(fast)"),
            Pragma::Pack(PackPragma::Set(0)) => f.write_str("#pragma pack()"),
            Pragma::Pack(PackPragma::Set(n)) => write!(f, "#pragma pack({n})"),
            Pragma::Pack(PackPragma::Push(None)) => f.write_str("#pragma pack(push)"),
            Pragma::Pack(PackPragma::Push(Some(n))) => write!(f, "#pragma pack(push, {n})"),
            Pragma::Pack(PackPragma::Pop) => f.write_str("#pragma pack(pop)"),
        }
    }
}

fn fmt_char(f: &mut fmt::Formatter<'_>, value: u32) -> fmt::Result {
    match u8::try_from(value) {
        Ok(b'\'') => f.write_str("'\\''"),
        Ok(b'\\') => f.write_str("'\\\\'"),
        Ok(byte @ 0x20..=0x7e) => write!(f, "'{}'", byte as char),
        Ok(byte) => write!(f, "'\\x{byte:02x}'"),
        // Multi-character literals come out as their characters.
        Err(_) => {
            f.write_str("'")?;
            for byte in value.to_be_bytes().into_iter().skip_while(|b| *b == 0) {
                write!(f, "\\x{byte:02x}")?;
            }
            f.write_str("'")
        }
    }
}

fn fmt_string(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str("\"")?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\t' => f.write_str("\\t")?,
            // Octal, because a hexadecimal escape would swallow the digits that follow.
            '\0'..='\x1f' | '\x7f' => write!(f, "\\{:03o}", c as u32)?,
            _ => write!(f, "{c}")?,
        }
    }
    f.write_str("\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn split_greater_divides_the_span() {
        let token = Token::new(TokenKind::Punct(Punct::GreaterGreaterEq), Span::new(10, 13));
        let (first, rest) = token.split_greater().unwrap();
        assert!(first.is(Punct::Greater) && rest.is(Punct::GreaterEq));
        assert_eq!((first.span, rest.span), (Span::new(10, 11), Span::new(11, 13)));
        let (first, rest) = rest.split_greater().unwrap();
        assert!(first.is(Punct::Greater) && rest.is(Punct::Eq));
        assert!(rest.split_greater().is_none());
    }

    #[test]
    fn keywords_have_aliases_and_type_names_are_identifiers() {
        let kw = |s: &str| Kw::from_symbol(Symbol::new(s));
        assert_eq!(kw("kernel"), Some(Kw::Kernel));
        assert_eq!(kw("__inline__"), Some(Kw::Inline));
        assert_eq!(kw("half"), Some(Kw::Half));
        assert_eq!(kw("uint"), None);
        assert_eq!(Punct::from_alternative(Symbol::new("and")), Some(Punct::AmpAmp));
    }

    #[test]
    fn literals_print_as_they_could_be_written() {
        let show = |kind: TokenKind| kind.to_string();
        let int = |value, suffix, base| TokenKind::Integer(IntegerLiteral { value, suffix, base });
        assert_eq!(show(int(255, IntegerSuffix::UL, IntegerBase::Hexadecimal)), "0xfful");
        assert_eq!(show(int(8, IntegerSuffix::None, IntegerBase::Octal)), "010");
        let float = |value, suffix| TokenKind::Float(FloatLiteral { value, suffix });
        assert_eq!(show(float(f64::from(0.1f32), FloatSuffix::F)), "0.1f");
        assert_eq!(show(float(1.0, FloatSuffix::H)), "1.0h");
        assert_eq!(show(TokenKind::Char(u32::from(b'\n'))), "'\\x0a'");
        assert_eq!(show(TokenKind::String(Symbol::new("a\"\n\u{1}2"))), "\"a\\\"\\n\\0012\"");
    }
}
