//! What is known only when a pipeline is made: function constants (MSL specification, section 5.8), and constants made
//! from them. They have values here, for code that cannot run is left out, but nothing of the program's form may depend on
//! them: no type, no array bound, no template argument.

use msl_base::{Diagnostic, Span, Symbol};

use crate::checker::Checker;

impl Checker<'_> {
    /// Runs `f`, which gives something that has to be known while compiling; reports where it depends on a function constant.
    pub fn early<R>(&mut self, what: &str, span: Span, f: impl FnOnce(&mut Self) -> Option<R>) -> Option<R> {
        let (result, late) = self.noting_late(|c| c.asking_early(true, f));
        match late {
            Some(name) if result.is_some() => {
                self.report_late(what, name, span);
                None
            }
            _ => result,
        }
    }

    /// Runs `f`, where the value of a function constant is of no use, so that it matters not whether it has one.
    pub fn asking_early<R>(&mut self, is_early: bool, f: impl FnOnce(&mut Self) -> R) -> R {
        let outer = self.is_early;
        self.is_early |= is_early;
        let result = f(self);
        self.is_early = outer;
        result
    }

    /// Runs `f`; gives the function constant that was looked at, too.
    pub fn noting_late<R>(&mut self, f: impl FnOnce(&mut Self) -> R) -> (R, Option<Symbol>) {
        let outer = self.late.take();
        let result = f(self);
        let late = std::mem::replace(&mut self.late, outer);
        (result, late)
    }

    pub fn report_late(&mut self, what: &str, name: Symbol, span: Span) {
        let message =
            format!("{what} has to be known while compiling, and this depends on the function constant '{name}'");
        let d = Diagnostic::error("not-constant", span, message)
            .note("function constants get their values when the function is made, after compiling")
            .help("use a macro, a template parameter or a 'constexpr' constant");
        self.report(d);
    }
}
