//! `half` and `bfloat`: what is exact is rounded once, elementary functions are within one unit (MSL specification, section 8.4).
//!
//! Functions of one argument run over the values of the type, evenly spaced by their bits; functions of two over a product of
//! chosen values. Results are compared with double precision, in which sums and products of such values are exact. There is one
//! table of bounds for both math modes; in fast mode it holds for normal numbers.

use super::{BF16, F16, Format, Runner, UNARY, Unary, Verdict, error, floor_log2, power, strict};
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
    ("fabs(a)", |a, _| a.abs(), 0.0),
    // What exponents zeros, infinities and NaN have is not said.
    (
        "a != T(0) && isfinite(a) ? T(ilogb(a)) : T(0)",
        |a, _| if a == 0.0 || !a.is_finite() { 0.0 } else { exponent(a) },
        0.5,
    ),
    (
        "logb(a)",
        |a, _| match a.abs() {
            0.0 => f64::NEG_INFINITY,
            m if m.is_finite() => exponent(a),
            m => m,
        },
        0.5,
    ),
    ("mantissa_of(a)", |a, _| if a == 0.0 || !a.is_finite() { a } else { a / 2f64.powf(exponent(a) + 1.0) }, 0.0),
    ("exponent_of(a)", |a, _| if a == 0.0 || !a.is_finite() { 0.0 } else { exponent(a) + 1.0 }, 0.5),
    ("fraction_of(a)", |a, _| (if a.is_infinite() { 0.0 } else { a - a.trunc() }).copysign(a), 0.0),
    ("whole_of(a)", |a, _| a.trunc(), 0.0),
    ("T(isnan(a))", |a, _| truth(a.is_nan()), 0.0),
    ("T(isinf(a))", |a, _| truth(a.is_infinite()), 0.0),
    ("T(isfinite(a))", |a, _| truth(a.is_finite()), 0.0),
    ("T(signbit(a))", |a, _| truth(a.is_sign_negative()), 0.0),
    ("clamp(a, T(-0.5), T(2.5)) + T(0)", |a, _| if a.is_nan() { -0.5 } else { a.clamp(-0.5, 2.5) + 0.0 }, 0.0),
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
    ("T(a < b)", |a, b| truth(a < b), 0.0),
    ("T(a == b)", |a, b| truth(a == b), 0.0),
    ("T(isordered(a, b))", |a, b| truth(!a.is_nan() && !b.is_nan()), 0.0),
    ("T(isunordered(a, b))", |a, b| truth(a.is_nan() || b.is_nan()), 0.0),
    ("divide(a, b)", |a, b| a / b, 0.5),
    ("fma(a, b, a)", |a, b| a.mul_add(b, a), 0.5),
    ("fma(a, b, -b)", |a, b| a.mul_add(b, -b), 0.5),
    ("step(a, b)", |a, b| 1.0 - truth(b < a), 0.0),
    (
        "ldexp(a, isnan(b) ? 0 : int(clamp(b, T(-300), T(300))))",
        |a, b| if b.is_nan() { a } else { a * 2f64.powf(b.clamp(-300.0, 300.0).trunc()) },
        0.5,
    ),
    ("min(a, b) + T(0)", |a, b| a.min(b) + 0.0, 0.0),
    ("max(a, b) + T(0)", |a, b| a.max(b) + 0.0, 0.0),
    ("fmin3(a, b, T(0.25)) + T(0)", |a, b| a.min(b).min(0.25) + 0.0, 0.0),
    ("fmax3(a, b, T(0.25)) + T(0)", |a, b| a.max(b).max(0.25) + 0.0, 0.0),
    ("fmedian3(a, b, T(0.25)) + T(0)", |a, b| a.min(b).max(a.max(b).min(0.25)) + 0.0, 0.0),
    ("pow(a, b)", power, 1.0),
    ("powr(a, b)", |a, b| if a < 0.0 || a.is_nan() || b.is_nan() { f64::NAN } else { power(a, b) }, 1.0),
    ("atan2(a, b)", f64::atan2, 1.0),
];

fn truth(value: bool) -> f64 {
    f64::from(u8::from(value))
}

/// The exponent of a finite number that is not zero.
fn exponent(x: f64) -> f64 {
    f64::from(floor_log2(x.abs()))
}

/// Arguments beyond this are not reduced in fast mode.
const LARGEST_ANGLE: f64 = 65536.0;

/// Every `step`-th value of each type.
pub(super) fn check_small(runner: &mut Runner<'_>, step: usize) -> Result<(), String> {
    let mut source = String::new();
    for Type { name: ty, .. } in TYPES {
        for (i, (expression, ..)) in functions_of_one().chain(functions_of_two()).enumerate() {
            source += &kernel(ty, i, &expression);
        }
    }
    let bits: Vec<u16> = (0..=u16::MAX).step_by(step | 1).collect();
    let (x, y) = pairs(if step < 4 { 0x55 } else { 0x2ab });
    for mode in [MathMode::Safe, MathMode::Fast] {
        runner.open(&source, mode)?;
        for small in &TYPES {
            let ones = functions_of_one().count();
            for (i, function) in functions_of_one().enumerate() {
                check(runner, mode, small, i, &function, &bits, None);
            }
            for (i, function) in functions_of_two().enumerate() {
                check(runner, mode, small, ones + i, &function, &x, Some(&y));
            }
        }
    }
    Ok(())
}

type Function = (String, Reference, f64);
enum Reference {
    One(fn(f64) -> f64),
    Two(fn(f64, f64) -> f64),
    /// The next value of the type.
    Next,
}

fn functions_of_one() -> impl Iterator<Item = Function> {
    // Roots are rounded correctly.
    let bound = |name: &str| if name.ends_with("sqrt") { 0.5 } else { 1.0 };
    let elementary = UNARY
        .iter()
        .map(move |Unary { name, reference, .. }| (format!("{name}(a)"), Reference::One(*reference), bound(name)));
    elementary.chain(ONE_ARGUMENT.iter().map(|&(e, reference, bound)| (e.to_owned(), Reference::Two(reference), bound)))
}

fn functions_of_two() -> impl Iterator<Item = Function> {
    let next = std::iter::once(("nextafter(a, b)".to_owned(), Reference::Next, 0.0));
    TWO_ARGUMENTS.iter().map(|&(e, reference, bound)| (e.to_owned(), Reference::Two(reference), bound)).chain(next)
}

fn kernel(ty: &str, number: usize, expression: &str) -> String {
    let expression = expression.replace("T(", &format!("{ty}("));
    format!(
        "kernel void {ty}{number}(device {ty}* out [[buffer(0)]], device const {ty}* x [[buffer(1)]], device const {ty}* y [[buffer(2)]], \
         uint i [[thread_position_in_grid]]) {{ {ty} a = x[i], b = y[i]; out[i] = {expression}; }}\n"
    )
}

fn check(
    runner: &mut Runner<'_>,
    mode: MathMode,
    small: &Type,
    number: usize,
    function: &Function,
    x: &[u16],
    y: Option<&[u16]>,
) {
    let &Type { name: ty, format, widen } = small;
    let (expression, reference, bound) = function;
    let inputs = [to_bytes(x), to_bytes(y.unwrap_or(x))];
    let Some(out) = runner.run(&format!("{ty}{number}"), &inputs, x.len(), inputs[0].len()) else { return };
    let least = 2f64.powi(format.least + format.digits - 1);
    let greatest = 2f64.powi(format.overflow - 1);
    let is_normal = |v: f64| v == 0.0 || (least..greatest).contains(&v.abs());
    let results = values(&out).enumerate().filter_map(|(i, found)| {
        let b = y.map_or(0, |y| y[i]);
        let (first, second, found) = (widen(x[i]), widen(b), widen(found));
        let want = match reference {
            Reference::One(f) => f(first),
            Reference::Two(f) => f(first, second),
            Reference::Next => next_after(x[i], b, widen),
        };
        let args = if y.is_some() { vec![first, second] } else { vec![first] };
        if mode == MathMode::Safe {
            return Some(strict(args, found, want, *bound, format));
        }
        let is_power = expression.starts_with("pow");
        let counts = args.iter().chain([&want]).all(|&v| is_normal(v))
            && (y.is_some() || first.abs() < LARGEST_ANGLE)
            // Undefined in fast mode.
            && !(is_power && first == 0.0 && second == 0.0);
        // Devices may make the sum in single precision and round it again.
        let twice = if expression.starts_with("fma") { 2f64.powi(format.digits - 24) } else { 0.0 };
        counts.then(|| Verdict { args, found, want, error: error(found, want, format), bound: *bound + twice })
    });
    runner.judge(&format!("{expression} of {ty} in {mode:?} mode"), results);
}

/// The neighbor of `a` towards `b`: values of one sign are ordered as their bits.
fn next_after(a: u16, b: u16, widen: fn(u16) -> f64) -> f64 {
    let (x, y) = (widen(a), widen(b));
    let order = |bits: u16| i32::from(bits & 0x7fff) * if bits < 0x8000 { 1 } else { -1 };
    if x.is_nan() || y.is_nan() {
        return f64::NAN;
    }
    let next = order(a) + (order(b) - order(a)).signum();
    match next {
        _ if x == y => y,
        0 => 0f64.copysign(x),
        _ => widen(u16::try_from(next.abs()).unwrap_or(0) | if next < 0 { 0x8000 } else { 0 }),
    }
}

fn to_bytes(bits: &[u16]) -> Vec<u8> {
    bits.iter().flat_map(|b| b.to_le_bytes()).collect()
}

fn values(bytes: &[u8]) -> impl Iterator<Item = u16> {
    bytes.chunks_exact(2).map(|c| u16::from_le_bytes([c[0], c[1]]))
}

/// Bits that are something special in one of the formats, and some of every magnitude.
fn pairs(step: usize) -> (Vec<u16>, Vec<u16>) {
    let mut set: Vec<u16> =
        vec![0, 1, 2, 0x3ff, 0x400, 0x401, 0x7f, 0x80, 0x81, 0x3bff, 0x3c00, 0x3c01, 0x3f7f, 0x3f80, 0x3f81];
    set.extend([0x4000, 0x4200, 0x4040, 0x40a0, 0x4500, 0x7bff, 0x7c00, 0x7e00, 0x7f7f, 0x7f80, 0x7fc0]);
    set.extend((0..0x7fff).step_by(step));
    let negative: Vec<u16> = set.iter().map(|b| b | 0x8000).collect();
    set.extend(negative);
    set.iter().flat_map(|&x| set.iter().map(move |&y| (x, y))).unzip()
}
