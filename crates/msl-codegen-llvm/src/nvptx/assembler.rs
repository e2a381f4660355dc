//! What NVIDIA's assembler gets wrong, written so that it gets it right.
//!
//! In: PTX as LLVM writes it. Out: PTX that means the same. Seen with `ptxas` of CUDA 13.0 (the second with 13.5, too), which is
//! also the one inside of drivers; found by random programs:
//!
//! - `neg.s16` of -32768, extended to 32 bits, becomes 32768: the extension is moved in front of the negation.
//! - `min.f16` of `max.f16`, both with constants, is a clamp whose upper 16 bits are left as they were, and are
//!   stored where the result is extended to 32 bits. That of pairs is not, and costs the same.

use std::borrow::Cow;

/// The same program.
pub fn corrected(ptx: &str) -> Cow<'_, str> {
    let has_clamps = ptx.contains("min.f16 ") && ptx.contains("max.f16 ");
    if !has_clamps && !ptx.contains("neg.s16 ") {
        return Cow::Borrowed(ptx);
    }
    let mut out = String::with_capacity(ptx.len() + 1024);
    for line in ptx.lines() {
        match rewritten(line, has_clamps) {
            Some(text) => out.push_str(&text),
            None => out.push_str(line),
        }
        out.push('\n');
    }
    Cow::Owned(out)
}

fn rewritten(line: &str, has_clamps: bool) -> Option<String> {
    let (name, operands) = line.trim().strip_suffix(';')?.split_once(char::is_whitespace)?;
    let operands: Vec<&str> = operands.split(',').map(str::trim).collect();
    match (name, &operands[..]) {
        ("neg.s16", [to, a]) => Some(format!("\tmul.lo.s16 \t{to}, {a}, -1;")),
        ("min.f16", [to, a, b]) if has_clamps => Some(format!(
            "\t{{ .reg .b32 a, b; .reg .b16 rest; mov.b32 a, {{{a}, {a}}}; mov.b32 b, {{{b}, {b}}}; \
             min.f16x2 a, a, b; mov.b32 {{{to}, rest}}, a; }}"
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_assembled_wrongly_is_written_otherwise() {
        assert_eq!(corrected("\tneg.s16 \t%rs2, %rs1;\n"), "\tmul.lo.s16 \t%rs2, %rs1, -1;\n");
        let clamp = "\tmax.f16 \t%rs3, %rs1, %rs2;\n\tmin.f16 \t%rs4, %rs3, %rs5;\n";
        let text = corrected(clamp);
        assert!(text.contains("min.f16x2 a, a, b; mov.b32 {%rs4, rest}, a;") && !text.contains("min.f16 "), "{text}");
        for same in ["\tmin.f16 \t%rs4, %rs3, %rs5;\n", "\tneg.s32 \t%r2, %r1;\n"] {
            assert!(matches!(corrected(same), Cow::Borrowed(text) if text == same));
        }
    }
}
