//! Puts included files into a source, for drivers that compile MSL and find no files.
//!
//! Only `#include` itself is carried out, whatever the conditions around it: what a condition
//! leaves out is left out of the pasted text as well. Files that nobody provides (`metal_stdlib`)
//! are left to the driver. `#line` keeps the driver's messages true.

use std::fmt::Write;

use msl_base::source::with_line_feeds;

use crate::FileProvider;

/// What the result may grow to; a source that includes more is too large for any compiler.
const MAX_LENGTH: usize = 64 << 20;
const MAX_DEPTH: usize = 200;

/// The text with the files that it includes in place.
pub fn include_files(text: &str, name: &str, files: &dyn FileProvider) -> String {
    let mut out = Paster { files, out: String::with_capacity(text.len()), open: Vec::new(), once: Vec::new() };
    out.paste(text, name);
    out.out
}

struct Paster<'a> {
    files: &'a dyn FileProvider,
    out: String,
    /// The files being pasted, outermost first.
    open: Vec<String>,
    /// Files that ask to be included once, and have been.
    once: Vec<String>,
}

impl Paster<'_> {
    fn paste(&mut self, text: &str, name: &str) {
        self.open.push(name.into());
        let mut in_comment = false;
        let text = &*with_line_feeds(text);
        for (number, line) in text.split_inclusive('\n').enumerate() {
            let directive = if in_comment { None } else { directive(line) };
            match directive {
                Some(Directive::Include { path, system }) if self.has_room() => {
                    if self.include(path, name, system) {
                        let _ = writeln!(self.out, "#line {} {name:?}", number + 2);
                    } else {
                        self.out.push_str(line);
                    }
                }
                // In one text it would speak of the whole.
                Some(Directive::PragmaOnce) => self.out.push('\n'),
                _ => self.out.push_str(line),
            }
            in_comment = ends_in_comment(line, in_comment);
        }
        self.open.pop();
    }

    fn has_room(&self) -> bool {
        self.out.len() < MAX_LENGTH && self.open.len() < MAX_DEPTH
    }

    /// Whether there is such a file.
    fn include(&mut self, path: &str, includer: &str, system: bool) -> bool {
        let Ok(Some(file)) = self.files.read(path, includer, system) else { return false };
        // A file that includes itself does so behind a guard, which only a preprocessor can
        // follow; that the inner text would be left out is what every guard means.
        if self.open.contains(&file.name) || self.once.contains(&file.name) {
            return true;
        }
        if with_line_feeds(&file.text).lines().any(|line| matches!(directive(line), Some(Directive::PragmaOnce))) {
            self.once.push(file.name.clone());
        }
        let _ = writeln!(self.out, "#line 1 {:?}", file.name);
        self.paste(&file.text, &file.name);
        if !self.out.ends_with('\n') {
            self.out.push('\n');
        }
        true
    }
}

enum Directive<'a> {
    Include { path: &'a str, system: bool },
    PragmaOnce,
}

fn directive(line: &str) -> Option<Directive<'_>> {
    let rest = line.trim_start().strip_prefix('#')?.trim_start();
    if let Some(rest) = rest.strip_prefix("pragma") {
        let rest = rest.strip_prefix(char::is_whitespace)?.trim_start();
        return rest.split_whitespace().next().filter(|word| *word == "once").map(|_| Directive::PragmaOnce);
    }
    let rest = rest.strip_prefix("include")?.trim_start();
    let (rest, end, system) = match rest.as_bytes().first()? {
        b'"' => (&rest[1..], '"', false),
        b'<' => (&rest[1..], '>', true),
        _ => return None,
    };
    let (path, _) = rest.split_once(end)?;
    Some(Directive::Include { path, system })
}

fn ends_in_comment(line: &str, mut in_comment: bool) -> bool {
    let bytes = line.as_bytes();
    let mut quote = None;
    let mut i = 0;
    while i < bytes.len() {
        let two = bytes.get(i..i + 2);
        match (in_comment, quote, bytes[i]) {
            (true, ..) if two == Some(b"*/") => {
                in_comment = false;
                i += 1;
            }
            (true, ..) => {}
            (_, Some(_), b'\\') => i += 1,
            (_, Some(q), b) if q == b => quote = None,
            (_, Some(_), _) => {}
            (_, None, b'"' | b'\'') => quote = Some(bytes[i]),
            (_, None, b'/') if two == Some(b"//") => return false,
            (_, None, b'/') if two == Some(b"/*") => {
                in_comment = true;
                i += 1;
            }
            _ => {}
        }
        i += 1;
    }
    in_comment
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::IncludedFile;

    struct Headers(&'static [(&'static str, &'static str)]);
    impl FileProvider for Headers {
        fn read(&self, path: &str, _: &str, _: bool) -> Result<Option<IncludedFile>, String> {
            let found = self.0.iter().find(|(name, _)| *name == path);
            Ok(found.map(|(name, text)| IncludedFile { name: (*name).into(), text: (*text).into() }))
        }
        fn searched(&self, _: &str, _: &str, _: bool) -> Vec<String> {
            Vec::new()
        }
    }

    #[test]
    fn files_are_pasted_where_they_are_included() {
        let files = Headers(&[("a.h", "#pragma once\n#include <b.h>\nint a;"), ("b.h", "int b;\n#include \"a.h\"\n")]);
        let text = "#include <metal_stdlib>\n#include \"a.h\"\n# include \"a.h\" // again\nint c;\n";
        let expected = "#include <metal_stdlib>\n#line 1 \"a.h\"\n\n#line 1 \"b.h\"\nint b;\n#line 3 \"b.h\"\n\
                        #line 3 \"a.h\"\nint a;\n#line 3 \"m\"\n#line 4 \"m\"\nint c;\n";
        assert_eq!(include_files(text, "m", &files), expected);
    }

    #[test]
    fn carriage_returns_alone_end_lines() {
        let files = Headers(&[("a.h", "#pragma once\rint a;\r")]);
        let expected = "// text\n#line 1 \"a.h\"\n\nint a;\n#line 3 \"m\"\nint b;\n";
        assert_eq!(include_files("// text\r#include \"a.h\"\rint b;\r", "m", &files), expected);
    }

    #[test]
    fn comments_include_nothing() {
        let files = Headers(&[("a.h", "int a;")]);
        let text = "/* first\n#include \"a.h\"\n*/ const char *s = \"/*\";\n// /*\nint x;\n";
        assert_eq!(include_files(text, "m", &files), text);
    }
}
