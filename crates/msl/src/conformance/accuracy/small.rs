//! `half` and `bfloat`: what is exact is rounded once, elementary functions are within one unit (MSL specification, section 8.4).
//!
//! Functions of one argument run over the values of the type, evenly spaced by their bits; functions of two over a product of
//! chosen values. Results are compared with double precision, in which sums and products of such values are exact.

use super::{BF16, F16, Format, Runner, UNARY, Unary, Verdict, kernel, power, strict};
use crate::MathMode;

struct Type {
    name: &'static str,
    format: Format,
    widen: fn(u16) -> f64,
}

const TYPES: [Type; 2] = [
    Type { name: "half", format: F16, widen: |b| half::f16::from_bits(b).to_f64() },
    Type { name: "bfloat", format: BF16, widen: |b| half::bf16::from_bits(b).to_f64() },
];

/// The expression over `a` and `b`, the truth, and how many units the result may be off: half a one is one rounding.
type Case = (&'static str, fn(f64, f64) -> f64, f64);

const ONE_ARGUMENT: &[Case] = &[
    ("abs(a)", |a, _| a.abs(), 0.0),
    ("floor(a)", |a, _| a.floor(), 0.0),
    ("ceil(a)", |a, _| a.ceil(), 0.0),
    ("trunc(a)", |a, _| a.trunc(), 0.0),
    ("rint(a)", |a, _| a.round_ties_even(), 0.0),
    ("round(a)", |a, _| a.round(), 0.0),
    ("sign(a)", |a, _| if a.is_nan() { 0.0 } else { if a == 0.0 { a } else { a.signum() } }, 0.0),
    ("-a", |a, _| -a, 0.0),
    ("sqrt(a)", |a, _| a.sqrt(), 0.5),
    // Less than one, which the nearest value may not be.
    ("isinf(a) ? T(0) : fract(a)", |a, _| if a.is_infinite() { 0.0 } else { a - a.floor() }, 1.0),
    ("isnan(a) ? T(0) : saturate(a) + T(0)", |a, _| if a.is_nan() { 0.0 } else { a.clamp(0.0, 1.0) + 0.0 }, 0.0),
    (
        "T(int(clamp(a, T(-30000), T(30000))))",
        |a, _| if a.is_nan() { -30000.0 } else { a.clamp(-30000.0, 30000.0).trunc() + 0.0 },
        0.5,
    ),
    ("T(float(a) * 1.0009765625f)", |a, _| f64::from(a as f32 * 1.000_976_6), 0.5),
];

const TWO_ARGUMENTS: &[Case] = &[
    ("a + b", |a, b| a + b, 0.5),
    ("a - b", |a, b| a - b, 0.5),
    ("a * b", |a, b| a * b, 0.5),
    ("a / b", |a, b| a / b, 0.5),
    ("fma(a, b, T(0.5))", |a, b| a.mul_add(b, 0.5), 0.5),
    ("fmod(a, b)", |a, b| a % b, 0.0),
    ("copysign(a, b)", f64::copysign, 0.0),
    ("fmin(a, b) + T(0)", |a, b| a.min(b) + 0.0, 0.0),
    ("fmax(a, b) + T(0)", |a, b| a.max(b) + 0.0, 0.0),
    (
        "fdim(a, b)",
        |a, b| {
            if a.is_nan() || b.is_nan() {
                f64::NAN
            } else if a > b {
                a - b
            } else {
                0.0
            }
        },
        0.5,
    ),
    ("T(a < b)", |a, b| f64::from(u8::from(a < b)), 0.0),
    ("T(a == b)", |a, b| f64::from(u8::from(a == b)), 0.0),
    ("pow(a, b)", power, 1.0),
    ("powr(a, b)", |a, b| if a < 0.0 || a.is_nan() || b.is_nan() { f64::NAN } else { power(a, b) }, 1.0),
    ("atan2(a, b)", f64::atan2, 1.0),
];

/// Arguments beyond this are not reduced in fast mode.
const LARGEST_ANGLE: f64 = 65536.0;

/// Every `step`-th value of each type.
pub(super) fn check_small(runner: &mut Runner<'_>, step: usize) -> Result<(), String> {
    let mut source = String::new();
    for Type { name: ty, .. } in TYPES {
        let typed = |expression: &str| expression.replace("T(", &format!("{ty}("));
        for Unary { name, .. } in UNARY {
            source += &kernel(&format!("{ty}_{name}"), ty, 1, &format!("{name}(a)"));
        }
        for (i, (expression, ..)) in ONE_ARGUMENT.iter().enumerate() {
            source += &kernel(&format!("{ty}_one{i}"), ty, 1, &typed(expression));
        }
        for (i, (expression, ..)) in TWO_ARGUMENTS.iter().enumerate() {
            source += &kernel(&format!("{ty}_two{i}"), ty, 2, &typed(expression));
        }
    }
    let bits: Vec<u16> = (0..=u16::MAX).step_by(step | 1).collect();
    let bytes = to_bytes(&bits);
    runner.open(&source, MathMode::Safe)?;
    for Type { name: ty, format, widen } in TYPES {
        let functions = UNARY.iter().map(|u| (format!("{ty}_{}", u.name), u.name, u.reference, 1.0));
        for (kernel, name, reference, bound) in functions {
            let Some(out) = runner.run(&kernel, std::slice::from_ref(&bytes), bits.len(), bytes.len()) else {
                continue;
            };
            let results = bits.iter().zip(values(&out)).map(|(&b, found)| {
                let x = widen(b);
                strict(vec![x], widen(found), reference(x), bound, format)
            });
            runner.judge(&format!("{name} of {ty}"), results);
        }
        for (i, (expression, reference, bound)) in ONE_ARGUMENT.iter().enumerate() {
            let kernel = format!("{ty}_one{i}");
            let Some(out) = runner.run(&kernel, std::slice::from_ref(&bytes), bits.len(), bytes.len()) else {
                continue;
            };
            let results = bits.iter().zip(values(&out)).map(|(&b, found)| {
                let x = widen(b);
                strict(vec![x], widen(found), reference(x, 0.0), *bound, format)
            });
            runner.judge(&format!("{expression} of {ty}"), results);
        }
        let (x, y) = pairs();
        let inputs = [to_bytes(&x), to_bytes(&y)];
        for (i, (expression, reference, bound)) in TWO_ARGUMENTS.iter().enumerate() {
            let Some(out) = runner.run(&format!("{ty}_two{i}"), &inputs, x.len(), inputs[0].len()) else { continue };
            let results = x.iter().zip(&y).zip(values(&out)).map(|((&x, &y), found)| {
                let (x, y) = (widen(x), widen(y));
                strict(vec![x, y], widen(found), reference(x, y), *bound, format)
            });
            runner.judge(&format!("{expression} of {ty}"), results);
        }
    }
    check_small_fast(runner, &source, &bits)
}

/// In fast mode normal numbers count.
fn check_small_fast(runner: &mut Runner<'_>, source: &str, bits: &[u16]) -> Result<(), String> {
    let bytes = to_bytes(bits);
    runner.open(source, MathMode::Fast)?;
    for Type { name: ty, format, widen } in TYPES {
        let least = 2f64.powi(format.least + format.digits - 1);
        let greatest = 2f64.powi(format.overflow - 1);
        let is_normal = |v: f64| v == 0.0 || (least..greatest).contains(&v.abs());
        for Unary { name, reference, .. } in UNARY {
            let kernel = format!("{ty}_{name}");
            let Some(out) = runner.run(&kernel, std::slice::from_ref(&bytes), bits.len(), bytes.len()) else {
                continue;
            };
            let results = bits.iter().zip(values(&out)).filter_map(|(&b, found)| {
                let (x, found) = (widen(b), widen(found));
                let want = reference(x);
                let counts = is_normal(x) && is_normal(want) && x.abs() < LARGEST_ANGLE;
                counts.then(|| Verdict {
                    args: vec![x],
                    found,
                    want,
                    error: super::error(found, want, format),
                    bound: 1.0,
                })
            });
            runner.judge(&format!("{name} of {ty} in fast mode"), results);
        }
    }
    Ok(())
}

fn to_bytes(bits: &[u16]) -> Vec<u8> {
    bits.iter().flat_map(|b| b.to_le_bytes()).collect()
}

fn values(bytes: &[u8]) -> impl Iterator<Item = u16> {
    bytes.chunks_exact(2).map(|c| u16::from_le_bytes([c[0], c[1]]))
}

/// Bits that are something special in one of the formats, and some of every magnitude.
fn pairs() -> (Vec<u16>, Vec<u16>) {
    let mut set: Vec<u16> =
        vec![0, 1, 2, 0x3ff, 0x400, 0x401, 0x7f, 0x80, 0x81, 0x3bff, 0x3c00, 0x3c01, 0x3f7f, 0x3f80, 0x3f81];
    set.extend([0x4000, 0x4200, 0x4040, 0x40a0, 0x4500, 0x7bff, 0x7c00, 0x7e00, 0x7f7f, 0x7f80, 0x7fc0]);
    set.extend((0..0x7fff).step_by(0x2ab));
    let negative: Vec<u16> = set.iter().map(|b| b | 0x8000).collect();
    set.extend(negative);
    set.iter().flat_map(|&x| set.iter().map(move |&y| (x, y))).unzip()
}
