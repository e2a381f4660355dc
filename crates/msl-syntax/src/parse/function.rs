//! Functions after their declarator: what they are, and their bodies.
//!
//! Bodies of member functions are stepped over and remembered; the class reads them when it is complete.
//! C++ [dcl.fct.def].

use std::sync::Arc;

use msl_base::{Diagnostic, Span, Symbol};

use super::class::DelayedBody;
use super::decl::Context;
use super::declarator::{Declarator, FunctionSuffix};
use super::lookahead::At;
use super::name::NameMode;
use super::simple::DeclaratorEnd;
use super::specifiers::Specifiers;
use super::{NO_MATCH, Parser};
use crate::ast::*;
use crate::token::{Kw, Punct, TokenKind};

impl Parser<'_> {
    pub(super) fn parse_function(
        &mut self,
        context: Context,
        start: Span,
        specifiers: &Specifiers,
        templates: &[TemplateHeader],
        name: Name,
        kind: FunctionKind,
        declarator: Declarator,
        mut attributes: Vec<Attribute>,
        out: &mut Vec<Decl>,
    ) -> DeclaratorEnd {
        let Some(suffix) = declarator.function else { return DeclaratorEnd::Done };
        let FunctionSuffix { params, is_variadic, this_quals, this_ref, trailing, scope } = suffix;
        let is_guide = specifiers.ty.is_none() && kind == FunctionKind::Ordinary && trailing.is_some();
        if self.at_kw(Kw::Asm) && self.peek_is(1, Punct::LParen) {
            self.parse_asm_label(&mut attributes);
        }
        let ret = match (&name.segments.last().map(|s| &s.ident), trailing) {
            (Some(Ident::Conversion(target)), _) => (**target).clone(),
            (_, Some(trailing)) => trailing,
            (_, None) => declarator.ty,
        };
        if specifiers.ty.is_none() && kind == FunctionKind::Ordinary && !is_guide {
            self.diagnostics.push(
                Diagnostic::error("missing-type", name.span, "this function has no return type")
                    .help("write the return type before the name, or 'void'"),
            );
        }
        let stage = take_stage(specifiers.stage, &mut attributes);
        if !is_guide && !specifiers.is_friend && kind == FunctionKind::Ordinary {
            self.declare_value(&name, templates);
        }
        let mut function = FunctionDecl {
            name,
            kind,
            stage,
            flags: specifiers.flags,
            templates: templates.to_vec(),
            attributes,
            ret,
            params,
            is_variadic,
            this_quals,
            this_ref,
            body: FunctionBody::None,
            fp_pragma: self.fp_pragmas.clone(),
            span: self.since(start),
        };
        let mut end = DeclaratorEnd::Open;
        if self.eat(Punct::Eq) {
            function.body = self.parse_special_body();
        } else if self.at(Punct::LBrace) || self.at(Punct::Colon) || self.at_kw(Kw::Try) {
            end = DeclaratorEnd::Done;
            if context == Context::Block {
                let span = self.span();
                self.error("nested-function", span, "a function cannot be defined inside a function");
            }
            match self.body_end() {
                Some(body_end) if matches!(context, Context::Class(_)) => {
                    let frames = self.frames[self.class_base.min(self.frames.len())..].to_vec();
                    self.delayed.push(DelayedBody { start: self.pos, end: body_end, frames, scope, index: out.len() });
                    self.pos = body_end;
                    self.prev_span = self.tokens[body_end - 1].span;
                }
                _ => {
                    let entered = self.enter_qualifiers(&function.name);
                    function.body = self.with_scope(scope, |p| p.parse_function_body());
                    self.leave(entered);
                }
            }
            function.span = self.since(start);
        }
        let span = function.span;
        let function = Arc::new(function);
        let kind = if is_guide { DeclKind::DeductionGuide(function) } else { DeclKind::Function(function) };
        let decl = Decl { kind, span };
        out.push(if specifiers.is_friend { Decl { kind: DeclKind::Friend(Box::new(decl)), span } } else { decl });
        end
    }

    /// `__asm("air.name")`: what the function is called in the device's own library. It becomes an attribute.
    fn parse_asm_label(&mut self, attributes: &mut Vec<Attribute>) {
        let start = self.bump().span;
        let open = self.pos;
        self.bump();
        let text_span = self.span();
        let text = self.parse_string();
        self.expect_close(open, Punct::RParen);
        let args = vec![Expr { kind: ExprKind::String(text), span: text_span }];
        attributes.push(Attribute { namespace: None, name: Symbol::new("__asm"), args, span: self.since(start) });
        self.parse_attributes_into(attributes);
    }

    /// After `=`: `default`, `delete` or `0`.
    fn parse_special_body(&mut self) -> FunctionBody {
        if self.eat_kw(Kw::Default) {
            return FunctionBody::Defaulted;
        }
        if self.eat_kw(Kw::Delete) {
            return FunctionBody::Deleted;
        }
        let span = self.span();
        if let TokenKind::Integer(_) = self.kind() {
            self.bump();
            self.not_in_msl(span, "virtual functions", "");
        } else {
            self.error_here("expected-token", "expected 'default' or 'delete'");
        }
        FunctionBody::Deleted
    }

    /// The token after a function body that starts here with `{` or `:`, when its braces are balanced.
    fn body_end(&self) -> Option<usize> {
        let mut at = At::new(self.pos);
        if self.is_at(at, Punct::Colon) {
            loop {
                at = self.skim_name(at.next(), true)?.end;
                if !self.is_at(at, Punct::LParen) && !self.is_at(at, Punct::LBrace) {
                    return None;
                }
                at = At::new(self.partner(at.index)? + 1);
                if self.is_at(at, Punct::Ellipsis) {
                    at = at.next();
                }
                if !self.is_at(at, Punct::Comma) {
                    break;
                }
            }
        }
        if self.is_at(at, Punct::LBrace) { Some(self.partner(at.index)? + 1) } else { None }
    }

    fn partner(&self, index: usize) -> Option<usize> {
        match *self.matching.get(index)? {
            NO_MATCH => None,
            close => Some(close as usize),
        }
    }

    /// Member initialisers and the block.
    pub(super) fn parse_function_body(&mut self) -> FunctionBody {
        let saved = std::mem::replace(&mut self.in_angles, false);
        let hint = std::mem::take(&mut self.loop_hint);
        let fp = self.fp_pragmas.clone();
        if self.at_kw(Kw::Try) {
            let span = self.bump().span;
            self.not_in_msl(span, "exceptions", "");
        }
        let mut initializers = Vec::new();
        if self.eat(Punct::Colon) {
            loop {
                let before = self.pos;
                if let Some(initializer) = self.parse_member_initializer() {
                    initializers.push(initializer);
                }
                if !self.eat(Punct::Comma) || self.pos == before {
                    break;
                }
            }
        }
        let body = if self.at(Punct::LBrace) {
            self.parse_compound()
        } else {
            self.error_here("expected-token", "expected the body of the function");
            Stmt { kind: StmtKind::Error, span: self.span() }
        };
        self.in_angles = saved;
        self.loop_hint = hint;
        self.fp_pragmas = fp;
        FunctionBody::Block { initializers, body: Box::new(body) }
    }

    fn parse_member_initializer(&mut self) -> Option<MemberInitializer> {
        let start = self.span();
        if !self.at_name() {
            self.error_here("expected-name", "expected the name of a member or base class");
            return None;
        }
        let (name, _) = self.parse_name(NameMode::Type);
        let init = if self.at(Punct::LParen) {
            let (args, span) = self.parse_paren_list();
            Initializer::Paren(args, span)
        } else if self.at(Punct::LBrace) {
            let (args, span) = self.parse_brace_list();
            Initializer::Brace(args, span)
        } else {
            self.error_here("expected-token", "expected '(' or '{' after this member");
            return None;
        };
        let is_pack = self.eat(Punct::Ellipsis);
        Some(MemberInitializer { name, init, is_pack, span: self.since(start) })
    }
}

pub(super) fn function_kind(name: &Name, context: Context, specifiers: &Specifiers) -> FunctionKind {
    let Some((last, qualifiers)) = name.segments.split_last() else { return FunctionKind::Ordinary };
    match &last.ident {
        Ident::Conversion(_) => FunctionKind::Conversion,
        Ident::Destructor(_) => FunctionKind::Destructor,
        Ident::Name(symbol) if specifiers.ty.is_none() => {
            let class = match (qualifiers.last().map(|s| &s.ident), context) {
                (Some(Ident::Name(class)), _) => Some(*class),
                (None, Context::Class(class)) => class,
                _ => None,
            };
            if class == Some(*symbol) { FunctionKind::Constructor } else { FunctionKind::Ordinary }
        }
        _ => FunctionKind::Ordinary,
    }
}

/// `[[kernel]]` means the same as `kernel`; afterwards only the stage says so.
fn take_stage(stage: StageKeyword, attributes: &mut Vec<Attribute>) -> StageKeyword {
    let mut found = stage;
    attributes.retain(|attribute| {
        let named = match attribute.name.as_str() {
            "kernel" => StageKeyword::Kernel,
            "vertex" => StageKeyword::Vertex,
            "fragment" => StageKeyword::Fragment,
            _ => return true,
        };
        if attribute.namespace.is_some() {
            return true;
        }
        found = named;
        false
    });
    found
}
