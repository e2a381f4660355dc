//! What NVIDIA's assembler gets wrong, written so that it gets it right.
//!
//! In: PTX as LLVM writes it. Out: PTX that means the same. Seen with `ptxas` of CUDA 13.0, which is also the one inside of
//! drivers, and most with 13.5, too; found by random programs:
//!
//! - `neg.s16` and `abs.s16` of -32768, extended to 32 bits, become 32768: the extension is moved in front.
//! - `max.s16` and the like compared with a constant become an instruction for pairs, and the comparison is that
//!   of the other half.
//! - `min.f16` of `max.f16`, both with constants, is a clamp whose upper 16 bits are left as they were, and are
//!   stored where the result is extended to 32 bits. (With that of pairs drivers crashed.)
//! - `selp.f32` of -0 and 1 or -1 is made of the condition as a number, and gives 0.
//! - `neg.s32` whose result goes into two of `max.s32` or the like is forgotten. A sum is not.
//! - `neg.s32` of the least number is positive where its result is shifted right and added.
//! - `abs.s32` is believed to be positive, where that of the least number is not.
//! - `add.s16x2` of a constant, of which one half is used, adds nothing.
//! - `st.b8` and `st.b16` of what an instruction for floating point has made convert it to an integer.
//! - What `ld.param.b16` loads, extended to 32 bits and taken as two halves, has the next 16 bits of memory as the upper
//!   one.

use std::collections::HashSet;

/// The same program.
pub fn corrected(ptx: &str) -> String {
    let uses = Uses::of(ptx);
    let mut out = String::with_capacity(ptx.len() + 1024);
    for line in ptx.lines() {
        match rewritten(line, &uses) {
            Some(text) => out.push_str(&text),
            None => out.push_str(line),
        }
        out.push('\n');
    }
    out
}

/// What registers are used for, whatever function they are of.
#[derive(Default)]
struct Uses<'a> {
    has_clamps: bool,
    /// In a minimum or maximum of 32 bits, a comparison, or what extends the sign.
    compared: HashSet<&'a str>,
    constant: HashSet<&'a str>,
    /// As two numbers of 16 bits.
    pairs: HashSet<&'a str>,
}

impl<'a> Uses<'a> {
    fn of(ptx: &'a str) -> Uses<'a> {
        let mut uses = Uses { has_clamps: ptx.contains("max.f16 "), ..Uses::default() };
        for line in ptx.lines() {
            match instruction(line) {
                Some(("max.s32" | "min.s32" | "max.u32" | "min.u32", operands)) => uses.compared.extend(operands),
                Some(("shr.s32" | "cvt.s64.s32", operands)) => uses.compared.extend(operands),
                Some((name, operands)) if name.starts_with("setp.") => uses.compared.extend(operands),
                Some(("mov.b32", operands)) if operands.len() == 2 && operands[1].parse::<i64>().is_ok() => {
                    uses.constant.insert(operands[0]);
                }
                Some(("mov.b32", operands)) if operands[0].starts_with('{') => uses.pairs.extend(operands.last()),
                Some((name, operands)) if name.contains("16x2") => uses.pairs.extend(operands),
                _ => {}
            }
        }
        uses
    }
}

/// The name of an instruction, and what it is given.
fn instruction(line: &str) -> Option<(&str, Vec<&str>)> {
    let (name, operands) = line.trim().strip_suffix(';')?.split_once(char::is_whitespace)?;
    Some((name, operands.split(',').map(str::trim).collect()))
}

fn rewritten(line: &str, uses: &Uses<'_>) -> Option<String> {
    let (name, operands) = instruction(line)?;
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
        ("min.f16", [to, a, b]) if uses.has_clamps => Some(format!(
            "\t{{ .reg .b32 a, b; cvt.f32.f16 a, {a}; cvt.f32.f16 b, {b}; min.f32 a, a, b; cvt.rn.f16.f32 {to}, a; }}"
        )),
        ("selp.f32", [to, a, b, condition]) => {
            let bits = |v: &str| v.strip_prefix("0f").and_then(|hex| u32::from_str_radix(hex, 16).ok());
            let (a, b) = (bits(a)?, bits(b)?);
            (a == 1 << 31 || b == 1 << 31)
                .then(|| format!("\tselp.b32 \t{to}, {}, {}, {condition};", a as i32, b as i32))
        }
        ("neg.s32", [to, a]) if uses.compared.contains(to) => {
            Some(format!("\t{{ .reg .b32 a; not.b32 a, {a}; add.s32 {to}, a, 1; }}"))
        }
        ("abs.s32" | "abs.s64", [to, a]) if uses.compared.contains(to) => {
            let bits = &name[5..];
            let sign = if bits == "32" { 31 } else { 63 };
            Some(format!(
                "\t{{ .reg .b{bits} s; shr.s{bits} s, {a}, {sign}; xor.b{bits} {to}, {a}, s; sub.s{bits} {to}, {to}, s; }}"
            ))
        }
        ("add.s16x2", [to, a, b]) if uses.constant.contains(a) || uses.constant.contains(b) => Some(format!(
            "\t{{ .reg .b32 a, b, s; and.b32 a, {a}, 0x7fff7fff; and.b32 b, {b}, 0x7fff7fff; add.s32 a, a, b; \
             xor.b32 s, {a}, {b}; and.b32 s, s, 0x80008000; xor.b32 {to}, a, s; }}"
        )),
        (store, [at, value]) if store.starts_with("st.") && store.ends_with(".b8") && value.starts_with("%rs") => {
            Some(format!("\t{{ .reg .b16 h; and.b16 h, {value}, 255; {store} {at}, h; }}"))
        }
        (store, [at, value])
            if store.starts_with("st.") && (store.ends_with(".b8") || store.ends_with(".b16")) && is_word(value) =>
        {
            Some(format!("\t{{ .reg .b16 h; cvt.u16.u32 h, {value}; {store} {at}, h; }}"))
        }
        ("ld.param.b16" | "ld.const.b16", [to, from]) if uses.pairs.contains(to) => {
            Some(format!("\t{{ .reg .b16 h, z; {name} h, {from}; mov.b16 z, 0; mov.b32 {to}, {{h, z}}; }}"))
        }
        ("cvt.u32.u16", [to, from]) if uses.pairs.contains(to) => {
            Some(format!("\t{{ .reg .b16 z; mov.b16 z, 0; mov.b32 {to}, {{{from}, z}}; }}"))
        }
        _ => None,
    }
}

/// Whether it is a register of 32 bits.
fn is_word(operand: &str) -> bool {
    operand.strip_prefix("%r").is_some_and(|number| number.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_assembled_wrongly_is_written_otherwise() {
        assert_eq!(corrected("\tneg.s16 \t%rs2, %rs1;\n"), "\tmul.lo.s16 \t%rs2, %rs1, -1;\n");
        let clamp = "\tmax.f16 \t%rs3, %rs1, %rs2;\n\tmin.f16 \t%rs4, %rs3, %rs5;\n";
        let text = corrected(clamp);
        assert!(text.contains("min.f32 a, a, b; cvt.rn.f16.f32 %rs4, a;") && !text.contains("min.f16 "), "{text}");
        let wide = "\t{ .reg .b32 a, b; cvt.s32.s16 a, %rs2; mov.b32 b, 0; max.s32 a, a, b; cvt.u16.u32 %rs1, a; }\n";
        assert_eq!(corrected("\tmax.s16 \t%rs1, %rs2, 0;\n"), wide);
        let wide =
            "\t{ .reg .b32 a, b; cvt.u32.u16 a, %rs2; mov.b32 b, 32768; min.u32 a, a, b; cvt.u16.u32 %rs1, a; }\n";
        assert_eq!(corrected("\tmin.u16 \t%rs1, %rs2, -32768;\n"), wide);
        let choice = "\tselp.b32 \t%r16, -2147483648, -1082130432, %p5;\n";
        assert_eq!(corrected("\tselp.f32 \t%r16, 0f80000000, 0fBF800000, %p5;\n"), choice);
        // Only what is compared.
        let extreme = "\tneg.s32 \t%r2, %r1;\n\tmax.s32 \t%r4, %r3, %r2;\n\tneg.s32 \t%r5, %r1;\n";
        let text = corrected(extreme);
        assert!(text.starts_with("\t{ .reg .b32 a; not.b32 a, %r1; add.s32 %r2, a, 1; }\n"), "{text}");
        assert!(text.ends_with("\tneg.s32 \t%r5, %r1;\n"), "{text}");
        let text = corrected("\tneg.s32 \t%r2, %r1;\n\tshr.s32 \t%r4, %r2, 1;\n");
        assert!(text.starts_with("\t{ .reg .b32 a; not.b32 a, %r1; add.s32 %r2, a, 1; }\n"), "{text}");
        let text = corrected("\tabs.s32 \t%r2, %r1;\n\tsetp.lt.s32 \t%p1, %r2, 0;\n");
        assert!(text.contains("shr.s32 s, %r1, 31; xor.b32 %r2, %r1, s; sub.s32 %r2, %r2, s;"), "{text}");
        let text = corrected("\tmov.b32 \t%r3, 65537;\n\tadd.s16x2 \t%r2, %r1, %r3;\n\tadd.s16x2 \t%r4, %r1, %r2;\n");
        assert!(!text.contains("%r2, %r1, %r3") && text.ends_with("\tadd.s16x2 \t%r4, %r1, %r2;\n"), "{text}");
        let store = "\t{ .reg .b16 h; cvt.u16.u32 h, %r25; st.local.b8 [%rd1+6], h; }\n";
        assert_eq!(corrected("\tst.local.b8 \t[%rd1+6], %r25;\n"), store);
        let store = "\t{ .reg .b16 h; and.b16 h, %rs2, 255; st.global.b8 [%rd1], h; }\n";
        assert_eq!(corrected("\tst.global.b8 \t[%rd1], %rs2;\n"), store);
        let pair = "\tmov.b32 \t{%rs1, %rs2}, %r12;\n";
        let load = "\t{ .reg .b16 h, z; ld.param.b16 h, [%rd1+2]; mov.b16 z, 0; mov.b32 %r12, {h, z}; }\n";
        assert_eq!(corrected(&format!("\tld.param.b16 \t%r12, [%rd1+2];\n{pair}")), format!("{load}{pair}"));
        let wide = "\t{ .reg .b16 z; mov.b16 z, 0; mov.b32 %r12, {%rs7, z}; }\n";
        assert_eq!(corrected(&format!("\tcvt.u32.u16 \t%r12, %rs7;\n{pair}")), format!("{wide}{pair}"));
        let other = "\tselp.f32 \t%r16, 0f00000000, %r3, %p5;\n";
        assert_eq!(corrected(other), other);
        for same in ["\tmin.f32 \t%r4, %r3, %r5;\n", "\tnot.b32 \t%r2, %r1;\n"] {
            assert_eq!(corrected(same), same);
        }
    }
}
