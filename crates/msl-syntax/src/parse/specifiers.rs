//! Declaration specifiers and the types they spell: `static constexpr device const unsigned int`, `typename T::x`,
//! `struct { … }`.
//!
//! Out: [`Specifiers`], whose `ty` already carries the qualifiers. One routine serves declarations, parameters and
//! type-ids; [`Expecting`] says which words are welcome. MSL specification, 2.1 and 4; C++ [dcl.spec].

use msl_base::{Diagnostic, Span};

use super::Parser;
use super::decl::Context;
use super::lookahead::{At, is_builtin_type};
use super::name::{NameClass, NameMode, Within};
use crate::ast::*;
use crate::token::{Kw, Punct, TokenKind};

/// What the specifiers belong to.
#[derive(Clone, Copy)]
pub(super) enum Expecting<'t> {
    /// A declaration, which may define classes; the headers are those of the enclosing `template<…>`.
    Declaration(Context, &'t [TemplateHeader]),
    Parameter,
    TypeId,
}

#[derive(Debug)]
pub(super) struct Specifiers {
    /// `None` where no type was written: constructors, conversions, mistakes.
    pub ty: Option<TypeExpr>,
    pub flags: DeclFlags,
    pub stage: StageKeyword,
    pub attributes: Vec<Attribute>,
    pub is_typedef: bool,
    pub is_friend: bool,
    /// The class or enumeration declared by these specifiers, to be emitted before the declarators.
    pub tag: Option<Decl>,
    pub span: Span,
}

/// The keywords of a builtin type met so far.
#[derive(Default)]
struct BuiltinWords {
    sign: Option<bool>,
    shorts: u32,
    longs: u32,
    base: Option<BuiltinType>,
    is_wrong: bool,
}

impl BuiltinWords {
    fn add(&mut self, keyword: Kw) {
        let base = match keyword {
            Kw::Signed | Kw::Unsigned => {
                self.is_wrong |= self.sign.is_some();
                self.sign = Some(keyword == Kw::Unsigned);
                return;
            }
            Kw::Short => {
                self.shorts += 1;
                return;
            }
            Kw::Long => {
                self.longs += 1;
                return;
            }
            Kw::Void => BuiltinType::Void,
            Kw::Bool => BuiltinType::Bool,
            Kw::Char => BuiltinType::Char,
            Kw::Char16 => BuiltinType::UnsignedShort,
            Kw::Char32 => BuiltinType::UnsignedInt,
            Kw::WcharT => BuiltinType::Int,
            Kw::Half => BuiltinType::Half,
            Kw::Bfloat => BuiltinType::BFloat,
            Kw::Float => BuiltinType::Float,
            Kw::Double => BuiltinType::Double,
            _ => BuiltinType::Int,
        };
        self.is_wrong |= self.base.is_some();
        self.base = Some(base);
    }

    fn finish(&self) -> Option<BuiltinType> {
        use BuiltinType as B;
        let unsigned = self.sign == Some(true);
        let sized = match (self.shorts, self.longs) {
            (0, 0) => None,
            (1, 0) if unsigned => Some(B::UnsignedShort),
            (1, 0) => Some(B::Short),
            (0, 1) if unsigned => Some(B::UnsignedLong),
            (0, 1) => Some(B::Long),
            (0, 2) if unsigned => Some(B::UnsignedLongLong),
            (0, 2) => Some(B::LongLong),
            _ => return None,
        };
        if self.is_wrong {
            return None;
        }
        match (self.base, sized) {
            (None | Some(B::Int), Some(sized)) => Some(sized),
            (Some(B::Double), Some(B::Long)) if self.sign.is_none() => Some(B::Double),
            (None | Some(B::Int), None) => Some(if unsigned { B::UnsignedInt } else { B::Int }),
            (Some(B::Char), None) => Some(match self.sign {
                None => B::Char,
                Some(false) => B::SignedChar,
                Some(true) => B::UnsignedChar,
            }),
            (Some(base), None) if self.sign.is_none() => Some(base),
            _ => None,
        }
    }
}

impl Parser<'_> {
    pub(super) fn parse_specifiers(&mut self, expecting: Expecting) -> Specifiers {
        let start = self.span();
        let mut result = Specifiers {
            ty: None,
            flags: DeclFlags::default(),
            stage: StageKeyword::None,
            attributes: Vec::new(),
            is_typedef: false,
            is_friend: false,
            tag: None,
            span: start,
        };
        let mut quals = Qualifiers::default();
        let mut words: Option<(BuiltinWords, Span)> = None;
        let mut core: Option<TypeExpr> = None;
        loop {
            let span = self.span();
            if result.tag.is_some() && self.is_next_declaration() {
                break;
            }
            match self.kind() {
                TokenKind::Keyword(k) if address_space(k).is_some() => {
                    self.bump();
                    self.add_address_space(&mut quals, k, span);
                }
                TokenKind::Keyword(Kw::Const) => {
                    self.bump();
                    quals.is_const = true;
                }
                TokenKind::Keyword(Kw::Volatile) => {
                    self.bump();
                    quals.is_volatile = true;
                }
                TokenKind::Keyword(Kw::Restrict | Kw::Extension) => {
                    self.bump();
                }
                TokenKind::Keyword(k) if is_builtin_type(k) => {
                    if let Some(first) = core.take() {
                        self.report_second_type(&first);
                    }
                    self.bump();
                    if k == Kw::WcharT {
                        self.not_in_msl(span, "wide characters", "use 'int'");
                    }
                    words.get_or_insert_with(|| (BuiltinWords::default(), span)).0.add(k);
                }
                TokenKind::Keyword(Kw::Auto) if core.is_none() && words.is_none() => {
                    self.bump();
                    core = Some(TypeExpr { kind: TypeExprKind::Auto, span });
                }
                TokenKind::Keyword(Kw::Decltype | Kw::Typeof) if core.is_none() && words.is_none() => {
                    core = Some(self.parse_decltype_type(false));
                }
                TokenKind::Keyword(Kw::Typename) if core.is_none() && words.is_none() => {
                    core = Some(self.parse_typename());
                }
                TokenKind::Keyword(Kw::Struct | Kw::Class | Kw::Union) if core.is_none() && words.is_none() => {
                    core = Some(self.parse_class_specifier(expecting, &mut result));
                }
                TokenKind::Keyword(Kw::Enum) if core.is_none() && words.is_none() => {
                    core = Some(self.parse_enum_specifier(&mut result));
                }
                TokenKind::Keyword(Kw::Attribute | Kw::Alignas) => {
                    self.parse_attributes_into(&mut result.attributes);
                }
                TokenKind::Punct(Punct::LBracket) if self.at_attribute() => {
                    self.parse_attributes_into(&mut result.attributes);
                }
                TokenKind::Identifier(_) | TokenKind::Punct(Punct::ColonColon) => {
                    if self.is_coherent_qualifier() && self.at_word("coherent") {
                        self.bump();
                        quals.is_coherent = true;
                        if self.at(Punct::LParen) {
                            self.skip_brackets();
                        }
                    } else if self.is_foreign_mark(At::new(self.pos)) {
                        self.skip_foreign_mark();
                    } else if core.is_none() && words.is_none() && self.is_type_name_here(expecting) {
                        core = Some(self.parse_named_type());
                    } else {
                        break;
                    }
                }
                TokenKind::Keyword(k) => {
                    if !self.parse_storage_word(k, expecting, &mut result) {
                        break;
                    }
                }
                _ => break,
            }
        }
        if let Some((words, span)) = words {
            let span = self.since(span);
            let kind = match words.finish() {
                Some(builtin) => TypeExprKind::Builtin(builtin),
                None => {
                    self.diagnostics.push(Diagnostic::error(
                        "invalid-type-specifiers",
                        span,
                        "these words do not make up a type together",
                    ));
                    TypeExprKind::Error
                }
            };
            core = Some(TypeExpr { kind, span });
        }
        result.span = self.since(start);
        result.ty = core.map(|ty| qualify(ty, quals, result.span));
        // `constant x = 1` has an address space but no type; keep it for the declaration that is reported.
        if result.ty.is_none() && quals != Qualifiers::default() {
            let error = TypeExpr { kind: TypeExprKind::Error, span: result.span };
            self.error_here("missing-type", "expected a type after these qualifiers");
            result.ty = Some(qualify(error, quals, result.span));
        }
        result
    }

    /// After the `}` of a class whose `;` was forgotten: whether a word follows that cannot continue its declaration.
    fn is_next_declaration(&self) -> bool {
        self.tokens[self.pos.saturating_sub(1)].is(Punct::RBrace)
            && matches!(self.kind(), TokenKind::Keyword(k) if is_builtin_type(k)
                || matches!(k, Kw::Kernel | Kw::Vertex | Kw::Fragment | Kw::Struct | Kw::Class | Kw::Union | Kw::Enum
                    | Kw::Template | Kw::Using | Kw::Typedef | Kw::Namespace))
    }

    /// `first` stood where a type is due, and here stands another one.
    fn report_second_type(&mut self, first: &TypeExpr) {
        if let TypeExprKind::Named { name, .. } = &first.kind
            && self.resolve(name) == NameClass::Unknown
        {
            let text = self.source.text(name.span).to_owned();
            let mut d = Diagnostic::error("unknown-identifier", name.span, format!("'{text}' is not declared"));
            if let Some(remedy) = crate::foreign::remedy(&text) {
                d = d.help(remedy);
            }
            self.report(d);
            return;
        }
        self.error_here("invalid-type-specifiers", "this type follows another type");
    }

    fn add_address_space(&mut self, quals: &mut Qualifiers, keyword: Kw, span: Span) {
        let space = address_space(keyword);
        match quals.address_space {
            // `thread` is where everything lives unless it says otherwise, so it gives way.
            Some(_) if keyword == Kw::Thread => return,
            None | Some(AddressSpaceKeyword::Thread) => {}
            old if old == space => {}
            Some(_) => self.error("conflicting-address-spaces", span, "this type already has another address space"),
        }
        quals.address_space = space;
    }

    /// `coherent` is a word of MSL 3.2 only in front of a qualifier or in `coherent(scope)`.
    fn is_coherent_qualifier(&self) -> bool {
        match self.peek(1).kind {
            TokenKind::Keyword(k) => super::lookahead::is_qualifier(k) || is_builtin_type(k),
            TokenKind::Punct(Punct::LParen) => {
                matches!(self.peek(2).kind, TokenKind::Keyword(_) | TokenKind::Identifier(_))
                    && self.peek_is(3, Punct::RParen)
                    && matches!(self.peek(4).kind, TokenKind::Keyword(_) | TokenKind::Identifier(_))
            }
            TokenKind::Identifier(_) => matches!(self.peek(2).kind, TokenKind::Punct(Punct::Star | Punct::Amp)),
            _ => false,
        }
    }

    /// Storage classes, function specifiers and stages. Returns whether the word was one.
    fn parse_storage_word(&mut self, keyword: Kw, expecting: Expecting, result: &mut Specifiers) -> bool {
        let flags = &mut result.flags;
        let span = self.span();
        match keyword {
            Kw::Static => flags.is_static = true,
            Kw::Extern => flags.is_extern = true,
            Kw::Inline => flags.is_inline = true,
            Kw::Constexpr => flags.is_constexpr = true,
            Kw::Explicit => flags.is_explicit = true,
            Kw::Mutable => flags.is_mutable = true,
            Kw::ThreadLocal => {
                flags.is_thread_local = true;
                self.not_in_msl(span, "thread-local storage", "variables in functions belong to one thread already");
            }
            Kw::Virtual => {
                flags.is_virtual = true;
                self.not_in_msl(span, "virtual functions", "");
            }
            Kw::Register => self.not_in_msl(span, "'register'", "leave it out"),
            Kw::Typedef => result.is_typedef = true,
            Kw::Friend => result.is_friend = true,
            Kw::Kernel => result.stage = StageKeyword::Kernel,
            Kw::Vertex => result.stage = StageKeyword::Vertex,
            Kw::Fragment => result.stage = StageKeyword::Fragment,
            _ => return false,
        }
        self.bump();
        if keyword == Kw::Explicit && self.at(Punct::LParen) {
            self.skip_brackets();
        }
        if !matches!(expecting, Expecting::Declaration(..)) && !matches!(keyword, Kw::Register | Kw::Constexpr) {
            self.error("unexpected-token", span, "this word belongs to declarations of variables and functions");
        }
        true
    }

    /// Whether the name here is the type of what follows, rather than what is declared.
    fn is_type_name_here(&self, expecting: Expecting) -> bool {
        let Expecting::Declaration(context, _) = expecting else { return true };
        let here = At::new(self.pos);
        if self.is_type_transform(here) {
            return true;
        }
        let Some(skim) = self.skim_name(here, true) else { return true };
        let last = self.kind_at(At::new(skim.last));
        if !matches!(last, TokenKind::Identifier(_)) {
            // `S::operator T()`, `S::~S()`.
            return false;
        }
        let opens = self.is_at(skim.end, Punct::LParen);
        if opens
            && let Context::Class(Some(class)) = context
            && skim.segments == 1
            && last == TokenKind::Identifier(class)
        {
            return false;
        }
        if opens && skim.qualifier.is_some_and(|q| self.kind_at(At::new(q)) == last) {
            return false;
        }
        if opens
            && let NameClass::Template(_) = skim.class
            && let Some(close) = self.close_of(skim.end)
            && self.is_at(close.next(), Punct::Arrow)
        {
            // A deduction guide.
            return false;
        }
        if skim.class.is_type() {
            return true;
        }
        let next = self.kind_at(skim.end);
        let is_pointer = opens
            && matches!(self.kind_at(skim.end.next()), TokenKind::Punct(Punct::Star | Punct::Amp | Punct::AmpAmp));
        let ends_declarator = matches!(
            next,
            TokenKind::Punct(
                Punct::Eq
                    | Punct::Semi
                    | Punct::Comma
                    | Punct::LParen
                    | Punct::RParen
                    | Punct::LBracket
                    | Punct::LBrace
                    | Punct::Colon
            ) | TokenKind::Eof
        );
        is_pointer || !ends_declarator
    }

    fn close_of(&self, at: At) -> Option<At> {
        match *self.matching.get(at.index)? {
            super::NO_MATCH => None,
            close => Some(At::new(close as usize)),
        }
    }

    fn parse_named_type(&mut self) -> TypeExpr {
        let start = self.span();
        if self.is_type_transform(At::new(self.pos)) {
            let callee = self.parse_type_transform();
            return TypeExpr { kind: TypeExprKind::Decltype(Box::new(callee)), span: self.since(start) };
        }
        let (name, class) = self.parse_name(NameMode::Type);
        if class == NameClass::Value || matches!(class, NameClass::Namespace(_)) {
            // Sema would say the same, but only the parser knows that nothing else was possible here.
            let what = if class == NameClass::Value { "value" } else { "namespace" };
            let message = format!("expected a type, but this names a {what}");
            self.diagnostics.push(Diagnostic::error("expected-type", name.span, message));
            return TypeExpr { kind: TypeExprKind::Error, span: name.span };
        }
        TypeExpr { span: name.span, kind: TypeExprKind::Named { name, has_typename: false } }
    }

    /// `__underlying_type(E)` as a call with a type for an argument.
    fn parse_type_transform(&mut self) -> Expr {
        let start = self.span();
        let name = self.bump();
        let symbol = name.identifier().unwrap_or_else(|| "".into());
        let callee = super::name::simple_name(symbol, name.span);
        let open = self.pos;
        self.bump();
        let args = vec![{
            let ty = self.parse_type_id();
            Expr { span: ty.span, kind: ExprKind::Type(ty) }
        }];
        self.expect_close(open, Punct::RParen);
        let callee = Box::new(Expr { span: name.span, kind: ExprKind::Name(callee) });
        Expr { kind: ExprKind::Call { callee, args }, span: self.since(start) }
    }

    fn parse_typename(&mut self) -> TypeExpr {
        let start = self.bump().span;
        if self.at_kw(Kw::Decltype) {
            return self.parse_decltype_type(true);
        }
        if !self.at_name() {
            self.error_here("expected-type", "expected the name of a type after 'typename'");
            return TypeExpr { kind: TypeExprKind::Error, span: self.since(start) };
        }
        let (name, _) = self.parse_name(NameMode::Type);
        TypeExpr { kind: TypeExprKind::Named { name, has_typename: true }, span: self.since(start) }
    }

    /// `decltype(e)`, `decltype(auto)`, `decltype(e)::type`.
    fn parse_decltype_type(&mut self, has_typename: bool) -> TypeExpr {
        let start = self.span();
        let is_auto = self.at_kw(Kw::Decltype)
            && self.peek_is(1, Punct::LParen)
            && self.peek(2).is_keyword(Kw::Auto)
            && self.peek_is(3, Punct::RParen);
        if is_auto {
            for _ in 0..4 {
                self.bump();
            }
            return TypeExpr { kind: TypeExprKind::DecltypeAuto, span: self.since(start) };
        }
        let operand = self.parse_decltype_operand();
        if self.at(Punct::ColonColon) {
            let (name, _) = self.parse_name_after_decltype(start, operand, NameMode::Type);
            return TypeExpr { kind: TypeExprKind::Named { name, has_typename }, span: self.since(start) };
        }
        let span = self.since(start);
        match operand.kind {
            // `__typeof__(int)`
            ExprKind::Type(ty) => ty,
            _ => TypeExpr { kind: TypeExprKind::Decltype(Box::new(operand)), span },
        }
    }

    /// After `decltype(e)`, at `::`.
    pub(super) fn parse_name_after_decltype(
        &mut self,
        start: Span,
        operand: Expr,
        mode: NameMode,
    ) -> (Name, NameClass) {
        let span = self.since(start);
        let segment = NameSegment { ident: Ident::Decltype(Box::new(operand)), template_args: None, span };
        self.bump();
        self.parse_name_from(start, false, vec![segment], Within::Unknown, mode)
    }

    /// `decltype` or `__typeof__` and its parentheses.
    pub(super) fn parse_decltype_operand(&mut self) -> Expr {
        let keyword = self.bump();
        let open = self.pos;
        if !self.expect(Punct::LParen, "after 'decltype'") {
            return self.error_expr();
        }
        let saved = std::mem::replace(&mut self.in_angles, false);
        let type_operand = keyword.is_keyword(Kw::Typeof)
            && self.skim_type_id(At::new(self.pos), true).is_some_and(|(end, _)| self.is_at(end, Punct::RParen));
        let operand = if type_operand {
            let ty = self.parse_type_id();
            Expr { span: ty.span, kind: ExprKind::Type(ty) }
        } else {
            self.parse_expr()
        };
        self.in_angles = saved;
        self.expect_close(open, Punct::RParen);
        operand
    }

    /// A type and nothing else: in casts, template arguments, aliases.
    pub(super) fn parse_type_id(&mut self) -> TypeExpr {
        self.parse_attributed_type_id(&mut Vec::new())
    }

    /// A type-id; what attributes stand in it are added to those of the alias it is for.
    pub(super) fn parse_attributed_type_id(&mut self, attributes: &mut Vec<Attribute>) -> TypeExpr {
        let span = self.span();
        self.nested(|p| {
            let base = p.parse_attributed_specifiers(attributes);
            p.parse_abstract_declarator(base, attributes)
        })
        .unwrap_or(TypeExpr { kind: TypeExprKind::Error, span })
    }

    /// The specifiers of a type-id; a diagnostic where there is no type.
    pub(super) fn parse_type_specifiers(&mut self) -> TypeExpr {
        self.parse_attributed_specifiers(&mut Vec::new())
    }

    fn parse_attributed_specifiers(&mut self, attributes: &mut Vec<Attribute>) -> TypeExpr {
        let mut specifiers = self.parse_specifiers(Expecting::TypeId);
        attributes.append(&mut specifiers.attributes);
        match specifiers.ty {
            Some(ty) => ty,
            None => {
                self.error_here("expected-type", "expected a type");
                TypeExpr { kind: TypeExprKind::Error, span: self.span() }
            }
        }
    }
}

pub(super) fn address_space(keyword: Kw) -> Option<AddressSpaceKeyword> {
    Some(match keyword {
        Kw::Device => AddressSpaceKeyword::Device,
        Kw::Constant => AddressSpaceKeyword::Constant,
        Kw::Threadgroup => AddressSpaceKeyword::Threadgroup,
        Kw::Thread => AddressSpaceKeyword::Thread,
        Kw::ThreadgroupImageblock => AddressSpaceKeyword::ThreadgroupImageblock,
        Kw::RayData => AddressSpaceKeyword::RayData,
        Kw::ObjectData => AddressSpaceKeyword::ObjectData,
        _ => return None,
    })
}

/// Applies qualifiers, merging with those the type has at its top.
pub(super) fn qualify(ty: TypeExpr, quals: Qualifiers, span: Span) -> TypeExpr {
    if quals == Qualifiers::default() {
        return ty;
    }
    let (inner, old) = match ty.kind {
        TypeExprKind::Qualified { inner, quals } => (inner, quals),
        _ => (Box::new(ty), Qualifiers::default()),
    };
    let quals = Qualifiers {
        is_const: old.is_const | quals.is_const,
        is_volatile: old.is_volatile | quals.is_volatile,
        address_space: quals.address_space.or(old.address_space),
        is_coherent: old.is_coherent | quals.is_coherent,
    };
    TypeExpr { kind: TypeExprKind::Qualified { inner, quals }, span }
}
