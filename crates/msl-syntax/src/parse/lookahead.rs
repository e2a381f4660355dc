//! Look-ahead over tokens, without building anything: is this a type, a declaration, a template argument list?
//!
//! In: a position. Out: where the construct would end and how sure that is.
//! Promised: bounded work per question (`FUEL` tokens) and no diagnostics, so asking is always safe.
//! Not here: the constructs themselves. C++ [dcl.ambig.res], [stmt.ambig].

use std::sync::LazyLock;

use msl_base::{FxSet, Symbol};

use super::Parser;
use super::name::{NameClass, Within};
use super::scope::{Entity, ScopeId};
use super::{NO_MATCH, decl::Context};
use crate::token::{Kw, Punct, TokenKind};

const FUEL: u32 = 5000;
const SKIM_DEPTH: u32 = 64;

/// A position, possibly inside a `>>` of which the first half is already used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct At {
    pub index: usize,
    half: bool,
}

impl At {
    pub(super) fn new(index: usize) -> At {
        At { index, half: false }
    }
    pub(super) fn next(self) -> At {
        At::new(self.index + 1)
    }
}

/// How a name reads.
#[derive(Clone, Copy, Debug)]
pub(super) struct NameSkim {
    pub end: At,
    pub class: NameClass,
    pub segments: usize,
    /// The token of the last identifier, `operator` or `~`.
    pub last: usize,
    /// The identifier of the segment before the last.
    pub qualifier: Option<usize>,
}

/// How sure it is that tokens form a type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Certainty {
    Type,
    /// A class template without arguments and nothing else.
    BareTemplate,
    /// A name nobody knows and nothing else.
    BareUnknown,
}

static TYPE_TRANSFORMS: LazyLock<FxSet<Symbol>> = LazyLock::new(|| {
    const NAMES: &[&str] = &[
        "__underlying_type",
        "__remove_reference",
        "__remove_reference_t",
        "__remove_cv",
        "__remove_cvref",
        "__remove_const",
        "__remove_volatile",
        "__remove_pointer",
        "__remove_extent",
        "__remove_all_extents",
        "__decay",
        "__add_pointer",
        "__add_lvalue_reference",
        "__add_rvalue_reference",
        "__make_signed",
        "__make_unsigned",
    ];
    NAMES.iter().map(|name| Symbol::new(name)).collect()
});

/// What is known about a name in front of `<` that lookup does not find.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum UnknownName {
    /// It stands where an operand is expected.
    Operand,
    /// It stands where a type may begin.
    MaybeType,
    /// Some class has a member template of that name.
    MemberTemplate,
}

impl Parser<'_> {
    pub(super) fn kind_at(&self, at: At) -> TokenKind {
        let token = &self.tokens[at.index.min(self.tokens.len() - 1)];
        match token.split_greater() {
            Some((_, rest)) if at.half => rest.kind,
            _ => token.kind,
        }
    }
    pub(super) fn is_at(&self, at: At, punct: Punct) -> bool {
        self.kind_at(at) == TokenKind::Punct(punct)
    }
    fn kw_at(&self, at: At, keyword: Kw) -> bool {
        self.kind_at(at) == TokenKind::Keyword(keyword)
    }
    /// After the partner of the bracket here.
    pub(super) fn after_brackets(&self, at: At) -> Option<At> {
        match *self.matching.get(at.index)? {
            NO_MATCH => None,
            close => Some(At::new(close as usize + 1)),
        }
    }
    /// Whether `>`, or something that starts with it, stands here.
    pub(super) fn is_angle_close(&self, at: At) -> bool {
        matches!(
            self.kind_at(at),
            TokenKind::Punct(Punct::Greater | Punct::GreaterGreater | Punct::GreaterEq | Punct::GreaterGreaterEq)
        )
    }
    fn after_angle(&self, at: At) -> At {
        match self.kind_at(at) {
            TokenKind::Punct(Punct::Greater) => at.next(),
            // A third level inside `>>=` is not worth a state of its own.
            _ if at.half => at.next(),
            _ => At { index: at.index, half: true },
        }
    }

    fn burn(&self) -> bool {
        let left = self.fuel.get();
        self.fuel.set(left.saturating_sub(1));
        left > 0
    }
    /// Runs one question with fresh fuel, unless it is part of another.
    fn asking<R>(&self, ask: impl FnOnce(&Self) -> Option<R>) -> Option<R> {
        if self.skim_depth.get() == 0 {
            self.fuel.set(FUEL);
        }
        if self.skim_depth.get() >= SKIM_DEPTH {
            return None;
        }
        self.skim_depth.set(self.skim_depth.get() + 1);
        let answer = ask(self);
        self.skim_depth.set(self.skim_depth.get() - 1);
        answer
    }

    /// Reads a name. `as_type` is set where a type must stand, so that `<` after unknown names opens arguments.
    pub(super) fn skim_name(&self, at: At, as_type: bool) -> Option<NameSkim> {
        self.asking(|p| p.skim_name_inner(at, as_type))
    }

    fn skim_name_inner(&self, mut at: At, as_type: bool) -> Option<NameSkim> {
        let mut within = Within::Lexical;
        if self.is_at(at, Punct::ColonColon) {
            within = Within::Scope(ScopeId::GLOBAL);
            at = at.next();
        }
        let mut segments = 0;
        let mut qualifier = None;
        loop {
            if !self.burn() {
                return None;
            }
            let forced = self.kw_at(at, Kw::Template);
            if forced {
                at = at.next();
            }
            let last = at.index;
            segments += 1;
            let entity = match self.kind_at(at) {
                TokenKind::Identifier(name) => self.lookup_within(within, name),
                TokenKind::Keyword(Kw::Operator) | TokenKind::Punct(Punct::Tilde) if segments > 1 || !as_type => {
                    return Some(NameSkim { end: at.next(), class: NameClass::Value, segments, last, qualifier });
                }
                _ => return None,
            };
            at = at.next();
            let mut has_args = false;
            if self.is_at(at, Punct::Less) {
                let opens = forced
                    || match entity {
                        Some(entity) => entity.is_template(),
                        None => as_type || self.looks_like_template_args(at, UnknownName::MaybeType),
                    };
                if opens {
                    at = self.skim_template_args(at, false)?;
                    has_args = true;
                }
            }
            let class = Parser::classify(entity, has_args);
            let goes_on = self.is_at(at, Punct::ColonColon) && can_follow_qualifier(self.kind_at(at.next()));
            if !goes_on {
                return Some(NameSkim { end: at, class, segments, last, qualifier });
            }
            at = at.next();
            qualifier = Some(last);
            within = Within::of(class);
        }
    }

    /// After the `>` that closes the `<` here. `strict` accepts only tokens that occur in type arguments.
    fn skim_template_args(&self, open: At, strict: bool) -> Option<At> {
        self.asking(|p| p.skim_template_args_inner(open, strict))
    }

    fn skim_template_args_inner(&self, open: At, strict: bool) -> Option<At> {
        let mut at = open.next();
        loop {
            if !self.burn() {
                return None;
            }
            match self.kind_at(at) {
                _ if self.is_angle_close(at) => return Some(self.after_angle(at)),
                TokenKind::Identifier(_) | TokenKind::Punct(Punct::ColonColon) => {
                    at = match self.skim_name(at, false) {
                        Some(skim) => skim.end,
                        // A name that cannot be read to its end leaves nothing to go by.
                        None if self.is_at(at.next(), Punct::Less) => return None,
                        None => at.next(),
                    };
                }
                TokenKind::Keyword(Kw::Typename) => at = at.next(),
                TokenKind::Punct(Punct::LParen | Punct::LBracket) => at = self.after_brackets(at)?,
                TokenKind::Punct(Punct::LBrace) if !strict => at = self.after_brackets(at)?,
                TokenKind::Punct(Punct::Semi | Punct::LBrace | Punct::RBrace | Punct::RParen | Punct::RBracket) => {
                    return None;
                }
                TokenKind::Eof | TokenKind::Pragma(_) => return None,
                TokenKind::Punct(punct) if strict => {
                    let may = matches!(
                        punct,
                        Punct::Comma
                            | Punct::Star
                            | Punct::Amp
                            | Punct::Plus
                            | Punct::Minus
                            | Punct::Ellipsis
                            | Punct::Dot
                    );
                    if !may {
                        return None;
                    }
                    at = at.next();
                }
                TokenKind::Float(_) | TokenKind::String(_) if strict => return None,
                _ => at = at.next(),
            }
        }
    }

    /// At `<` after a name that is not known to be a template: whether only arguments make sense of the tokens.
    /// `after` says what is known about the name and its place.
    pub(super) fn looks_like_template_args(&self, open: At, after: UnknownName) -> bool {
        let is_strict = after != UnknownName::MemberTemplate;
        let Some(end) = self.skim_template_args(open, is_strict) else { return false };
        match self.kind_at(end) {
            // `a < b > (c)` could compare twice, which nobody means.
            TokenKind::Punct(Punct::LParen | Punct::ColonColon | Punct::LBrace) => true,
            // Where `>` compares, an operand follows.
            TokenKind::Punct(punct) => !matches!(
                punct,
                Punct::Plus
                    | Punct::Minus
                    | Punct::Star
                    | Punct::Amp
                    | Punct::Bang
                    | Punct::Tilde
                    | Punct::PlusPlus
                    | Punct::MinusMinus
                    | Punct::LBracket
            ),
            // `unknown<float> x` declares something.
            TokenKind::Identifier(_) => after == UnknownName::MaybeType,
            _ => false,
        }
    }

    /// Reads a type with an abstract declarator. `allow_function` lets `T(int)` be a function type instead of the
    /// start of an expression.
    pub(super) fn skim_type_id(&self, at: At, allow_function: bool) -> Option<(At, Certainty)> {
        self.asking(|p| p.skim_type_id_inner(at, allow_function))
    }

    /// Whether a type starts here, whatever follows it.
    pub(super) fn type_id_ahead(&self, at: At) -> Option<Certainty> {
        self.skim_type_id(at, true).map(|(_, certainty)| certainty)
    }

    /// Reads `C::*`.
    pub(super) fn skim_member_pointer(&self, at: At) -> Option<At> {
        if !matches!(self.kind_at(at), TokenKind::Identifier(_) | TokenKind::Punct(Punct::ColonColon)) {
            return None;
        }
        let end = self.skim_name(at, true)?.end;
        (self.is_at(end, Punct::ColonColon) && self.is_at(end.next(), Punct::Star)).then(|| end.next().next())
    }

    /// What begins a declarator of pointers or references: `*`, `&`, `&&` or `C::*`.
    fn is_pointer_operator(&self, at: At) -> bool {
        matches!(self.kind_at(at), TokenKind::Punct(Punct::Star | Punct::Amp | Punct::AmpAmp))
            || self.skim_member_pointer(at).is_some()
    }

    fn skim_type_id_inner(&self, at: At, allow_function: bool) -> Option<(At, Certainty)> {
        let (mut at, core, mut is_adorned) = self.skim_specifiers(at)?;
        loop {
            if !self.burn() {
                return None;
            }
            match self.kind_at(at) {
                TokenKind::Punct(Punct::Star | Punct::Amp | Punct::AmpAmp) => at = at.next(),
                TokenKind::Keyword(k) if is_qualifier(k) || k == Kw::Restrict => at = at.next(),
                TokenKind::Keyword(Kw::Attribute) => at = self.after_brackets(at.next())?,
                TokenKind::Punct(Punct::LBracket) => at = self.after_brackets(at)?,
                TokenKind::Identifier(_) | TokenKind::Punct(Punct::ColonColon) => match self.skim_member_pointer(at) {
                    Some(after) => at = after,
                    None => break,
                },
                TokenKind::Punct(Punct::LParen) => {
                    let is_nested = self.is_pointer_operator(at.next());
                    let after = self.after_brackets(at)?;
                    if is_nested && (self.is_at(after, Punct::LParen) || self.is_at(after, Punct::LBracket)) {
                        at = self.after_brackets(after)?;
                    // In `bool(T::value)` the name is none of a type, which would need `typename`.
                    } else if allow_function && self.is_parameter_list(at, Context::Block) {
                        at = after;
                    } else {
                        break;
                    }
                }
                _ => break,
            }
            is_adorned = true;
        }
        Some((at, if is_adorned { Certainty::Type } else { core }))
    }

    /// Reads specifiers of a type: qualifiers and one core type. The flag says whether there was more than a name.
    fn skim_specifiers(&self, mut at: At) -> Option<(At, Certainty, bool)> {
        let mut core = None;
        let mut is_adorned = false;
        loop {
            if !self.burn() {
                return None;
            }
            match self.kind_at(at) {
                TokenKind::Keyword(k) if is_qualifier(k) => {
                    is_adorned = true;
                    at = at.next();
                }
                TokenKind::Keyword(Kw::Extension | Kw::Register) => at = at.next(),
                // Attributes tell nothing of their own: a type must stand beside them.
                TokenKind::Keyword(Kw::Attribute | Kw::Alignas) => at = self.after_brackets(at.next())?,
                TokenKind::Keyword(k) if is_builtin_type(k) => {
                    core = Some(Certainty::Type);
                    at = at.next();
                }
                TokenKind::Keyword(Kw::Auto) => {
                    core = Some(Certainty::Type);
                    at = at.next();
                }
                TokenKind::Keyword(Kw::Decltype | Kw::Typeof) if core.is_none() => {
                    at = self.after_brackets(at.next())?;
                    core = Some(Certainty::Type);
                    if self.is_at(at, Punct::ColonColon) {
                        // A member of the type: a type only where `typename` says so.
                        return None;
                    }
                }
                TokenKind::Keyword(Kw::Typename) if core.is_none() => {
                    at = at.next();
                    at = if self.kw_at(at, Kw::Decltype) {
                        let after = self.after_brackets(at.next())?;
                        if self.is_at(after, Punct::ColonColon) {
                            self.skim_name(after.next(), true)?.end
                        } else {
                            after
                        }
                    } else {
                        self.skim_name(at, true)?.end
                    };
                    core = Some(Certainty::Type);
                }
                TokenKind::Keyword(Kw::Struct | Kw::Class | Kw::Union | Kw::Enum) if core.is_none() => {
                    at = at.next();
                    if self.kw_at(at, Kw::Class) || self.kw_at(at, Kw::Struct) {
                        at = at.next();
                    }
                    at = if self.is_at(at, Punct::LBrace) {
                        self.after_brackets(at)?
                    } else {
                        self.skim_name(at, true)?.end
                    };
                    core = Some(Certainty::Type);
                }
                TokenKind::Identifier(_) if core.is_none() && self.is_type_transform(at) => {
                    at = self.after_brackets(at.next())?;
                    core = Some(Certainty::Type);
                }
                TokenKind::Identifier(_) | TokenKind::Punct(Punct::ColonColon) if core.is_none() => {
                    // After a qualifier only a type can come.
                    let skim = self.skim_name(at, is_adorned)?;
                    core = Some(match skim.class {
                        NameClass::Type(_) => Certainty::Type,
                        NameClass::Template(_) => Certainty::BareTemplate,
                        NameClass::Unknown if self.is_type_query(at) => return None,
                        NameClass::Unknown => Certainty::BareUnknown,
                        NameClass::Value | NameClass::Namespace(_) => return None,
                    });
                    at = skim.end;
                }
                _ => break,
            }
        }
        Some((at, core?, is_adorned))
    }

    /// Clang's builtin questions about types such as `__is_enum(E)`: values, although what is in parentheses are types.
    fn is_type_query(&self, at: At) -> bool {
        let is_query = |name: &str| name.starts_with("__is_") || name.starts_with("__has_");
        self.is_at(at.next(), Punct::LParen)
            && matches!(self.kind_at(at), TokenKind::Identifier(name) if is_query(name.as_str()))
    }

    /// Clang's builtin type functions such as `__underlying_type(E)`.
    pub(super) fn is_type_transform(&self, at: At) -> bool {
        // Most identifiers are followed by something else, which is the cheaper question.
        self.is_at(at.next(), Punct::LParen)
            && matches!(self.kind_at(at), TokenKind::Identifier(name) if TYPE_TRANSFORMS.contains(&name))
    }

    /// At `(` after a declared name: parameters of a function, rather than the initialiser of a variable?
    pub(super) fn is_parameter_list(&self, open: At, context: Context) -> bool {
        let at = open.next();
        match self.kind_at(at) {
            TokenKind::Punct(Punct::RParen | Punct::Ellipsis) => return true,
            TokenKind::Punct(Punct::LBracket) if self.is_at(at.next(), Punct::LBracket) => return true,
            _ => {}
        }
        if matches!(context, Context::Class(_)) {
            return true;
        }
        let Some((after, core, is_adorned)) = self.asking(|p| p.skim_specifiers(at)) else { return false };
        let follow = self.kind_at(after);
        if follow == TokenKind::Punct(Punct::LParen) {
            // `int (*f)(int)` is a parameter, `int(x)` a value.
            return (self.is_pointer_operator(after.next()) || self.is_at(after.next(), Punct::RParen))
                && self
                    .after_brackets(after)
                    .is_some_and(|a| self.is_at(a, Punct::LParen) || self.is_at(a, Punct::LBracket));
        }
        let is_named = matches!(follow, TokenKind::Identifier(_)) || self.skim_member_pointer(after).is_some();
        let continues = matches!(
            follow,
            TokenKind::Punct(
                Punct::Star | Punct::Amp | Punct::AmpAmp | Punct::Comma | Punct::RParen | Punct::Ellipsis | Punct::Eq
            )
        ) || (follow == TokenKind::Punct(Punct::LBracket) && self.is_at(after.next(), Punct::LBracket));
        if is_adorned || core == Certainty::Type {
            return is_named || continues || follow == TokenKind::Punct(Punct::LBracket);
        }
        match core {
            Certainty::BareTemplate => is_named || continues,
            _ => is_named || (continues && !matches!(context, Context::Block)),
        }
    }

    /// Whether the statement here is a declaration.
    pub(super) fn is_declaration_ahead(&self, mut at: At) -> bool {
        while self.is_at(at, Punct::LBracket) && self.is_at(at.next(), Punct::LBracket) {
            match self.after_brackets(at) {
                Some(after) => at = after,
                None => return false,
            }
        }
        match self.kind_at(at) {
            TokenKind::Keyword(k) if is_builtin_type(k) || matches!(k, Kw::Decltype | Kw::Typeof | Kw::Typename) => {
                let Some((after, ..)) = self.asking(|p| p.skim_specifiers(at)) else { return k != Kw::Decltype };
                self.declares_after_type(after)
            }
            TokenKind::Keyword(k) => is_declaration_keyword(k) || is_qualifier(k),
            TokenKind::Identifier(_) | TokenKind::Punct(Punct::ColonColon) => {
                self.is_foreign_mark(at) || self.name_declares(at)
            }
            _ => false,
        }
    }

    fn name_declares(&self, at: At) -> bool {
        if self.is_type_transform(at) {
            return true;
        }
        let Some(skim) = self.skim_name(at, false) else { return false };
        match skim.class {
            NameClass::Type(_) | NameClass::Template(_) => {
                let Some((after, ..)) = self.asking(|p| p.skim_specifiers(at)) else { return false };
                self.declares_after_type(after)
            }
            NameClass::Value | NameClass::Namespace(_) => false,
            // Patterns that only a declaration explains; saying "unknown type" is then the better message.
            NameClass::Unknown => match self.kind_at(skim.end) {
                TokenKind::Identifier(name) => {
                    name == "coherent" || !matches!(self.lookup(name), Some(Entity::Namespace(_))) || skim.segments > 1
                }
                TokenKind::Keyword(k) => is_qualifier(k),
                TokenKind::Punct(Punct::Star | Punct::Amp) => {
                    let mut next = skim.end.next();
                    while let TokenKind::Keyword(k) = self.kind_at(next) {
                        if !is_qualifier(k) && k != Kw::Restrict {
                            return false;
                        }
                        next = next.next();
                    }
                    matches!(self.kind_at(next), TokenKind::Identifier(name) if self.lookup(name).is_none())
                        && matches!(self.kind_at(next.next()), TokenKind::Punct(Punct::Eq | Punct::Semi | Punct::Comma))
                }
                _ => false,
            },
        }
    }

    /// After the specifiers of a known type: whether a declarator follows rather than `(args)` or `{args}`.
    fn declares_after_type(&self, at: At) -> bool {
        match self.kind_at(at) {
            TokenKind::Punct(Punct::LParen) => {
                let is_pointer = self.is_pointer_operator(at.next())
                    || matches!(self.kind_at(at.next()), TokenKind::Keyword(k) if is_qualifier(k));
                is_pointer
                    && self
                        .after_brackets(at)
                        .is_some_and(|a| self.is_at(a, Punct::LParen) || self.is_at(a, Punct::LBracket))
            }
            TokenKind::Punct(punct) => matches!(
                punct,
                Punct::Star
                    | Punct::Amp
                    | Punct::AmpAmp
                    | Punct::Semi
                    | Punct::LBracket
                    | Punct::ColonColon
                    | Punct::Eq
                    | Punct::Ellipsis
            ),
            TokenKind::Identifier(_) => true,
            TokenKind::Keyword(k) => {
                is_qualifier(k) || is_declaration_keyword(k) || k == Kw::Operator || k == Kw::Restrict
            }
            TokenKind::Integer(_) | TokenKind::Float(_) | TokenKind::Char(_) | TokenKind::String(_) => true,
            TokenKind::Pragma(_) | TokenKind::Eof => false,
        }
    }
}

/// Whether a token can follow `::` in a name.
pub(super) fn can_follow_qualifier(kind: TokenKind) -> bool {
    matches!(
        kind,
        TokenKind::Identifier(_) | TokenKind::Keyword(Kw::Operator | Kw::Template) | TokenKind::Punct(Punct::Tilde)
    )
}

/// `const`, `volatile` and the address spaces.
pub(super) fn is_qualifier(keyword: Kw) -> bool {
    matches!(keyword, Kw::Const | Kw::Volatile) || super::specifiers::address_space(keyword).is_some()
}

pub(super) fn is_builtin_type(keyword: Kw) -> bool {
    matches!(
        keyword,
        Kw::Void
            | Kw::Bool
            | Kw::Char
            | Kw::Char16
            | Kw::Char32
            | Kw::WcharT
            | Kw::Short
            | Kw::Int
            | Kw::Long
            | Kw::Signed
            | Kw::Unsigned
            | Kw::Half
            | Kw::Bfloat
            | Kw::Float
            | Kw::Double
    )
}

/// Keywords that begin a declaration in a block.
fn is_declaration_keyword(keyword: Kw) -> bool {
    matches!(
        keyword,
        Kw::Auto
            | Kw::Static
            | Kw::Constexpr
            | Kw::Extern
            | Kw::Inline
            | Kw::Register
            | Kw::Mutable
            | Kw::ThreadLocal
            | Kw::Virtual
            | Kw::Explicit
            | Kw::Friend
            | Kw::Typedef
            | Kw::Using
            | Kw::StaticAssert
            | Kw::Struct
            | Kw::Class
            | Kw::Union
            | Kw::Enum
            | Kw::Namespace
            | Kw::Template
            | Kw::Alignas
            | Kw::Kernel
            | Kw::Vertex
            | Kw::Fragment
            | Kw::Attribute
    )
}
