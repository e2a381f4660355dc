//! What NVIDIA's assembler gets wrong, written so that it gets it right.
//!
//! In: PTX as LLVM writes it. Out: PTX that means the same. Seen with `ptxas` of CUDA 13.0, which is also the one inside of
//! drivers, and all but the first with 13.5, too; found by random programs:
//!
//! - `neg.s16` and `abs.s16` of -32768, extended to 32 bits, become 32768: the extension is moved in front.
//! - `max.s16` and the like compared with a constant become an instruction for pairs, and the comparison is that
//!   of the other half.
//! - `min.f16` of `max.f16`, both with constants, is a clamp whose upper 16 bits are left as they were, and are
//!   stored where the result is extended to 32 bits. That of pairs is not, and costs the same.
//! - `selp.f32` of -0 and 1 or -1 is made of the condition as a number, and gives 0.

use std::borrow::Cow;

/// The names of instructions that may have to be rewritten.
const NAMES: [&str; 8] =
    ["neg.s16 ", "abs.s16 ", "max.s16 ", "min.s16 ", "max.u16 ", "min.u16 ", "min.f16 ", "selp.f32 "];

/// The same program.
pub fn corrected(ptx: &str) -> Cow<'_, str> {
    if !NAMES.iter().any(|name| ptx.contains(name)) {
        return Cow::Borrowed(ptx);
    }
    let has_clamps = ptx.contains("max.f16 ");
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
        ("abs.s16", [to, a]) => {
            Some(format!("\t{{ .reg .b32 a; cvt.s32.s16 a, {a}; abs.s32 a, a; cvt.u16.u32 {to}, a; }}"))
        }
        ("max.s16" | "min.s16" | "max.u16" | "min.u16", [to, a, b]) => {
            let (op, kind) = name.split_at(4);
            let kind = &kind[..1];
            // Constants are written with a sign, those of unsigned types too.
            let wide = |name: &str, v: &str| match v.parse::<i32>() {
                Err(_) => format!("cvt.{kind}32.{kind}16 {name}, {v};"),
                Ok(v) if kind == "u" => format!("mov.b32 {name}, {};", v as u16),
                Ok(v) => format!("mov.b32 {name}, {};", v as i16),
            };
            let (x, y) = (wide("a", a), wide("b", b));
            Some(format!("\t{{ .reg .b32 a, b; {x} {y} {op}{kind}32 a, a, b; cvt.u16.u32 {to}, a; }}"))
        }
        ("min.f16", [to, a, b]) if has_clamps => Some(format!(
            "\t{{ .reg .b32 a, b; .reg .b16 rest; mov.b32 a, {{{a}, {a}}}; mov.b32 b, {{{b}, {b}}}; \
             min.f16x2 a, a, b; mov.b32 {{{to}, rest}}, a; }}"
        )),
        ("selp.f32", [to, a, b, condition]) => {
            let bits = |v: &str| v.strip_prefix("0f").and_then(|hex| u32::from_str_radix(hex, 16).ok());
            let (a, b) = (bits(a)?, bits(b)?);
            (a == 1 << 31 || b == 1 << 31)
                .then(|| format!("\tselp.b32 \t{to}, {}, {}, {condition};", a as i32, b as i32))
        }
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
        let wide = "\t{ .reg .b32 a, b; cvt.s32.s16 a, %rs2; mov.b32 b, 0; max.s32 a, a, b; cvt.u16.u32 %rs1, a; }\n";
        assert_eq!(corrected("\tmax.s16 \t%rs1, %rs2, 0;\n"), wide);
        let wide =
            "\t{ .reg .b32 a, b; cvt.u32.u16 a, %rs2; mov.b32 b, 32768; min.u32 a, a, b; cvt.u16.u32 %rs1, a; }\n";
        assert_eq!(corrected("\tmin.u16 \t%rs1, %rs2, -32768;\n"), wide);
        let choice = "\tselp.b32 \t%r16, -2147483648, -1082130432, %p5;\n";
        assert_eq!(corrected("\tselp.f32 \t%r16, 0f80000000, 0fBF800000, %p5;\n"), choice);
        let other = "\tselp.f32 \t%r16, 0f00000000, %r3, %p5;\n";
        assert_eq!(corrected(other), other);
        for same in ["\tmin.f32 \t%r4, %r3, %r5;\n", "\tneg.s32 \t%r2, %r1;\n"] {
            assert!(matches!(corrected(same), Cow::Borrowed(text) if text == same));
        }
    }
}
