//! The bytes of a file to the text of a source.

use msl_base::{Diagnostics, SourceMap};
use msl_syntax::lexer::{PpKind, lex};

/// The text that the bytes spell. Bytes that are not UTF-8 become U+FFFD, which a comment may hold and code may not,
/// as the compiler will say; in literals they would change a value, so they are refused here, with the reason.
pub fn decode(bytes: Vec<u8>) -> Result<String, String> {
    let bytes = match String::from_utf8(bytes) {
        Ok(text) => return Ok(text),
        Err(error) => error.into_bytes(),
    };
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err("the file is UTF-16: save it as UTF-8".into());
    }
    let mut text = String::with_capacity(bytes.len());
    let mut replaced = Vec::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            replaced.push(text.len() as u32);
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
    let mut map = SourceMap::new();
    // A source that is too large is refused by the compiler, too.
    let Some(id) = map.add("", &text, false) else { return Ok(text) };
    let file = map.file(id);
    for token in lex(&file.text, file.start, usize::MAX, &mut Diagnostics::new()) {
        let is_literal =
            matches!(token.kind, PpKind::String(_) | PpKind::Char(_) | PpKind::HeaderName(_) | PpKind::Unterminated(_));
        let range = token.span.start - file.start..token.span.end - file.start;
        let first = replaced.partition_point(|at| *at < range.start);
        if is_literal
            && let Some(at) = replaced.get(first).filter(|at| range.contains(at))
            && let Some(place) = map.position(file.start + at)
        {
            let (line, column) = (place.line, place.column);
            return Err(format!("the literal in line {line} is not UTF-8 at column {column}: save the file as UTF-8"));
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_may_be_in_any_encoding_and_literals_may_not() {
        let ok = |bytes: &[u8]| decode(bytes.to_vec()).unwrap();
        assert_eq!(ok(b"// M\xfcller\rint x; /* \xff\xfe */"), "// M\u{fffd}ller\rint x; /* \u{fffd}\u{fffd} */");
        assert_eq!(ok("\"é \u{fffd}\"".as_bytes()), "\"é \u{fffd}\"");
        assert_eq!(ok(b"int \xfc;"), "int \u{fffd};");
        let refused = |bytes: &[u8]| decode(bytes.to_vec()).unwrap_err();
        assert_eq!(
            refused(b"// \xfc\r\nchar s[] = \"\xc3\xa9 // \xfc\";"),
            "the literal in line 2 is not UTF-8 at column 18: save the file as UTF-8"
        );
        assert_eq!(
            refused(b"#include \"\xfc.h\""),
            "the literal in line 1 is not UTF-8 at column 11: save the file as UTF-8"
        );
        assert_eq!(refused(b"\xff\xfei\0n\0t\0"), "the file is UTF-16: save it as UTF-8");
    }
}
