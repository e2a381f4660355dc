//! Functions whose results are exact or correctly rounded, under each of their names: `f`, `fast::f` and `precise::f`.
//!
//! With math mode "safe" every bit counts, those of zeros, subnormal numbers, infinities too; with "fast", where results are
//! undefined for what is not a normal number and zeros have any sign, the value.

use super::{
    F32, FORMS, Runner, Verdict, error, floor_log2, from_bytes, kernel_of_forms, pairs, samples, spell, to_bytes,
};
use crate::MathMode;

/// The expression over `a`, `b` (float) and the value, where results are exact. For `@` stands the namespace of a form, for `#`
/// the prefix of a helper's name.
type Exact = (&'static str, fn(f32, f32) -> f32);

const EXACT: &[Exact] = &[
    ("@abs(a)", |a, _| a.abs()),
    ("@fabs(a)", |a, _| a.abs()),
    ("@floor(a)", |a, _| a.floor()),
    ("@ceil(a)", |a, _| a.ceil()),
    ("@trunc(a)", |a, _| a.trunc()),
    ("@rint(a)", |a, _| a.round_ties_even()),
    ("@round(a)", |a, _| a.round()),
    ("@sign(a)", |a, _| if a.is_nan() || a == 0.0 { if a == 0.0 { a } else { 0.0 } } else { a.signum() }),
    ("a + b", |a, b| a + b),
    ("a - b", |a, b| a - b),
    ("a * b", |a, b| a * b),
    ("a / b", |a, b| a / b),
    ("@fma(a, b, 1.5f)", |a, b| a.mul_add(b, 1.5)),
    ("@fma(a, b, -a)", |a, b| a.mul_add(b, -a)),
    ("@copysign(a, b)", f32::copysign),
    ("float(@isnan(a))", |a, _| f32::from(u8::from(a.is_nan()))),
    ("float(@isinf(a))", |a, _| f32::from(u8::from(a.is_infinite()))),
    ("float(@isfinite(a))", |a, _| f32::from(u8::from(a.is_finite()))),
    ("float(@isnormal(a))", |a, _| f32::from(u8::from(a.is_normal()))),
    ("float(@signbit(a))", |a, _| f32::from(u8::from(a.is_sign_negative()))),
    ("float(@isordered(a, b))", |a, b| f32::from(u8::from(!a.is_nan() && !b.is_nan()))),
    ("float(@isunordered(a, b))", |a, b| f32::from(u8::from(a.is_nan() || b.is_nan()))),
    ("float(a < b)", |a, b| f32::from(u8::from(a < b))),
    ("float(a >= b)", |a, b| f32::from(u8::from(a >= b))),
    ("float(a == b)", |a, b| f32::from(u8::from(a == b))),
    ("float(a != b)", |a, b| f32::from(u8::from(a != b))),
    ("@step(a, b)", |a, b| if b < a { 0.0 } else { 1.0 }),
    ("@nextafter(a, b)", next_after),
    ("@ldexp(a, isnan(b) ? 0 : int(clamp(b, -400.0f, 400.0f)))", |a, b| {
        (f64::from(a) * 2f64.powi(b.clamp(-400.0, 400.0) as i32)) as f32
    }),
    ("float(@ilogb(a))", |a, _| exponent(a) as f32),
    ("#mantissa_of(a)", |a, _| if a == 0.0 || !a.is_finite() { a } else { significand(a) }),
    ("#exponent_of(a)", |a, _| if a == 0.0 || !a.is_finite() { 0.0 } else { (exponent(a) + 1) as f32 }),
    ("#fraction_of(a)", |a, _| (if a.is_infinite() { 0.0 } else { a - a.trunc() }).copysign(a)),
    ("#whole_of(a)", |a, _| a.trunc()),
    ("@logb(a)", |a, _| match a.abs() {
        0.0 => f32::NEG_INFINITY,
        m if m.is_finite() => exponent(a) as f32,
        m => m,
    }),
    ("@fdim(a, b)", |a, b| {
        if a.is_nan() || b.is_nan() {
            f32::NAN
        } else if a > b {
            a - b
        } else {
            0.0
        }
    }),
    // Which zero is the smaller one is not said.
    ("@fmin(a, b) + 0.0f", |a, b| a.min(b) + 0.0),
    ("@fmax(a, b) + 0.0f", |a, b| a.max(b) + 0.0),
    ("@fmin3(a, b, 0.25f) + 0.0f", |a, b| a.min(b).min(0.25) + 0.0),
    ("@fmax3(a, b, 0.25f) + 0.0f", |a, b| a.max(b).max(0.25) + 0.0),
    ("@min(a, b) + 0.0f", |a, b| a.min(b) + 0.0),
    ("@max(a, b) + 0.0f", |a, b| a.max(b) + 0.0),
    ("@min3(a, b, 0.25f) + 0.0f", |a, b| a.min(b).min(0.25) + 0.0),
    ("@max3(a, b, 0.25f) + 0.0f", |a, b| a.max(b).max(0.25) + 0.0),
    // NaN counts as missing: of two numbers either is their median.
    ("@fmedian3(a, b, 0.25f) + 0.0f", |a, b| a.min(b).max(a.max(b).min(0.25)) + 0.0),
    ("@median3(a, 0.25f, b) + 0.0f", |a, b| a.min(0.25).max(a.max(0.25).min(b)) + 0.0),
    // `fmin(fmax(a, low), high)`: NaN gives the lower bound.
    ("@clamp(a, -0.5f, 2.5f) + 0.0f", |a, _| if a.is_nan() { -0.5 } else { a.clamp(-0.5, 2.5) + 0.0 }),
    ("@saturate(a) + 0.0f", |a, _| if a.is_nan() { 0.0 } else { a.clamp(0.0, 1.0) + 0.0 }),
    ("isinf(a) ? 0.0f : @fract(a)", |a, _| match a {
        _ if a.is_infinite() => 0.0,
        _ if a.is_nan() => a,
        _ => (a - a.floor()).min(1f32.next_down()),
    }),
    ("isnan(a) ? 0.0f : float(long(a))", |a, _| if a.is_nan() { 0.0 } else { a as i64 as f32 }),
    ("isnan(a) ? 0.0f : float(ulong(a))", |a, _| if a.is_nan() { 0.0 } else { a as u64 as f32 }),
    ("float(int(a))", |a, _| a as i32 as f32),
    ("float(uint(a))", |a, _| a as u32 as f32),
    ("float(half(a))", |a, _| half::f16::from_f32(a).to_f32()),
    ("float(bfloat(a))", |a, _| half::bf16::from_f32(a).to_f32()),
];

/// The same of functions whose definition is a formula, which other math modes may contract.
const FORMULAS: &[Exact] = &[
    ("@mix(a, b, 0.375f)", |a, b| a + (b - a) * 0.375),
    ("isnan(a) ? 0.0f : @smoothstep(-1.0f, 2.5f, a)", |a, _| {
        let t = ((a + 1.0) / 3.5).clamp(0.0, 1.0);
        if a.is_nan() { 0.0 } else { t * t * (3.0 - 2.0 * t) }
    }),
    ("@dot(float3(a, b, 1.5f), float3(b, a, 0.75f))", |a, b| a * b + b * a + 1.125),
    ("@length_squared(float2(a, b))", |a, b| a * a + b * b),
    ("@length(float2(a, b))", |a, b| (a * a + b * b).sqrt()),
    ("@distance(float2(a, b), float2(1.0f))", |a, b| ((a - 1.0) * (a - 1.0) + (b - 1.0) * (b - 1.0)).sqrt()),
    ("@reflect(float2(a, b), float2(0.0f, 1.0f)).y", |a, b| b - 2.0 * (0.0 * a + b)),
];

fn next_after(a: f32, b: f32) -> f32 {
    match a.partial_cmp(&b) {
        None => f32::NAN,
        Some(std::cmp::Ordering::Less) => a.next_up(),
        Some(std::cmp::Ordering::Equal) => b,
        Some(std::cmp::Ordering::Greater) => a.next_down(),
    }
}

fn exponent(a: f32) -> i32 {
    match a.abs() {
        0.0 => i32::MIN,
        x if x.is_finite() => floor_log2(f64::from(x)),
        _ => i32::MAX,
    }
}

fn significand(a: f32) -> f32 {
    (f64::from(a) / 2f64.powi(exponent(a) + 1)) as f32
}

/// Functions of more than one result, as functions of one: their names are prefixed by that of the form.
pub(super) fn helpers() -> String {
    let text = "
template <typename T> static T #mantissa_of(T x) { int e; return T(@frexp(x, e)); }
template <typename T> static T #exponent_of(T x) { int e; @frexp(x, e); return T(e); }
template <typename T> static T #fraction_of(T x) { T w; return T(@modf(x, w)); }
template <typename T> static T #whole_of(T x) { T w; @modf(x, w); return w; }
template <typename T> static T #sincos_sine(T x) { T c; return T(@sincos(x, c)); }
template <typename T> static T #sincos_cosine(T x) { T c; @sincos(x, c); return c; }
";
    FORMS.iter().map(|&form| spell(text, form)).collect()
}

pub(super) fn check_exact(runner: &mut Runner<'_>, per_exponent: u32) -> Result<(), String> {
    let mut source = String::new();
    for (i, (expression, _)) in EXACT.iter().chain(FORMULAS).enumerate() {
        source += &kernel_of_forms(&format!("exact{i}"), expression);
    }
    let (mut x, mut y) = pairs(per_exponent);
    // Rounding at all magnitudes.
    for value in samples(per_exponent) {
        x.push(value);
        y.push(value * 0.75);
    }
    let inputs = [to_bytes(&x), to_bytes(&y)];
    for mode in [MathMode::Safe, MathMode::Fast] {
        runner.open(&source, mode)?;
        let kept = if mode == MathMode::Safe { FORMULAS } else { &[] };
        for (i, (expression, reference)) in EXACT.iter().chain(kept).enumerate() {
            let size = FORMS.len() * inputs[0].len();
            let Some(out) = runner.run(&format!("exact{i}"), &inputs, x.len(), size) else { continue };
            let found = from_bytes(&out);
            for (form, found) in FORMS.iter().zip(found.chunks(x.len())) {
                let results = x.iter().zip(&y).zip(found).filter_map(|((&x, &y), &found)| {
                    let want = reference(x, y);
                    let (error, bound) = if mode == MathMode::Safe {
                        (strict_error(found, want), 0.0)
                    } else {
                        fast_error(expression, [x, y], found, want)?
                    };
                    let args = vec![f64::from(x), f64::from(y)];
                    Some(Verdict { args, found: f64::from(found), want: f64::from(want), error, bound })
                });
                // What exponent NaN has is not said.
                let is_exponent = expression.contains("ilogb");
                let kept = results.filter(|v| !(is_exponent && v.args[0].is_nan()));
                runner.judge(&format!("{} in {mode:?} mode", spell(expression, *form)), kept);
            }
        }
    }
    Ok(())
}

fn strict_error(found: f32, want: f32) -> f64 {
    if found.to_bits() == want.to_bits() || found.is_nan() && want.is_nan() { 0.0 } else { f64::INFINITY }
}

/// Whether an exact result is too small for a normal number, though it may round to one: devices flush before or after.
fn is_tiny(exact: f64) -> bool {
    exact != 0.0 && exact.abs() < f64::from(f32::MIN_POSITIVE)
}

/// How far off a result is in fast mode and how far it may be, where something is promised.
fn fast_error(expression: &str, args: [f32; 2], found: f32, want: f32) -> Option<(f64, f64)> {
    let is_plain_number = |v: f32| v == 0.0 || v.is_normal();
    // Quotients are made with a reciprocal.
    let is_quotient = expression == "a / b";
    let counts = args.iter().chain([&want]).all(|&v| is_plain_number(v))
        && !(is_quotient && !(args[0].is_normal() && is_plain_number(1.0 / args[1]) && args[1].abs() < 8e37))
        && !(expression == "a * b" && is_tiny(f64::from(args[0]) * f64::from(args[1])));
    let bound = if is_quotient { 2.5 } else { 0.0 };
    counts.then(|| (error(f64::from(found), f64::from(want), F32), bound))
}
