//! Messages as JSON, for editors and build tools. Written by hand: five fields do not
//! justify a serialisation framework in the compiler.

use std::fmt::Write;

use msl_base::Severity;

use crate::report::{Message, Place};

pub fn messages(messages: &[Message]) -> String {
    let mut out = String::from("[");
    for (i, m) in messages.iter().enumerate() {
        out.push_str(if i == 0 { "\n  " } else { ",\n  " });
        message(&mut out, m);
    }
    out.push_str(if messages.is_empty() { "]\n" } else { "\n]\n" });
    out
}

fn message(out: &mut String, m: &Message) {
    let severity = match m.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let _ = write!(out, "{{\"id\": {}, \"severity\": \"{severity}\", ", quoted(m.id));
    let _ = write!(out, "\"message\": {}", quoted(&m.message));
    place(out, m.place.as_ref());
    out.push_str(", \"notes\": [");
    for (i, (at, text)) in m.notes.iter().enumerate() {
        let _ = write!(out, "{}{{\"message\": {}", if i == 0 { "" } else { ", " }, quoted(text));
        place(out, at.as_ref());
        out.push('}');
    }
    out.push(']');
    match &m.help {
        Some(help) => {
            let _ = write!(out, ", \"help\": {}}}", quoted(help));
        }
        None => out.push_str(", \"help\": null}"),
    }
}

fn place(out: &mut String, place: Option<&Place>) {
    match place {
        Some(p) => {
            let _ = write!(out, ", \"file\": {}, \"line\": {}, \"column\": {}", quoted(&p.file), p.line, p.column);
            let _ = write!(out, ", \"end_line\": {}, \"end_column\": {}", p.end_line, p.end_column);
        }
        None => out.push_str(", \"file\": null"),
    }
}

/// A JSON string.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if (c as u32) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
