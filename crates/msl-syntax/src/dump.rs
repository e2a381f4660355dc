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

/// A tree as high as the parser lets it grow needs more stack than a caller may have left.
const STACK_BYTES: usize = 64 << 20;

/// The whole unit.
pub fn dump(unit: &TranslationUnit) -> String {
    let print = || Printer::nested_text(|printer| unit.decls.iter().for_each(|decl| printer.decl(decl)));
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().stack_size(STACK_BYTES);
        match builder.spawn_scoped(scope, print).map(|thread| thread.join()) {
            Ok(Ok(text)) => text,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(_) => String::from("<no stack to print on>\n"),
        }
    })
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
    /// What `print` writes, as a text of its own.
    fn nested_text(print: impl FnOnce(&mut Printer)) -> String {
        let mut printer = Printer { out: String::new(), indent: 0 };
        print(&mut printer);
        printer.out
    }
}
