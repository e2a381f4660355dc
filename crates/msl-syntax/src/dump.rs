//! The tree as text, for `emit --stage ast` and tests.
//!
//! Declarations and statements take a line each and indent what they hold; types read from the outside in
//! (`ptr(device float)`), expressions are prefix forms (`(+ a (* b c))`). The text is stable: it depends on nothing
//! but the tree. Spans are left out.

mod decl;
mod expr;
mod names;
mod stmt;

use crate::ast::TranslationUnit;

/// The whole unit.
pub fn dump(unit: &TranslationUnit) -> String {
    let mut printer = Printer { out: String::new(), indent: 0 };
    for decl in &unit.decls {
        printer.decl(decl);
    }
    printer.out
}

struct Printer {
    out: String,
    indent: usize,
}

impl Printer {
    fn line(&mut self, text: &str) {
        for _ in 0..self.indent {
            self.out.push_str("  ");
        }
        self.out.push_str(text);
        self.out.push('\n');
    }
    fn inside(&mut self, print: impl FnOnce(&mut Self)) {
        self.indent += 1;
        print(self);
        self.indent -= 1;
    }
    /// An expression that holds statements prints them below the line it stands on; take them out of the line.
    fn nested_text(print: impl FnOnce(&mut Printer)) -> String {
        let mut printer = Printer { out: String::new(), indent: 0 };
        print(&mut printer);
        printer.out
    }
}
