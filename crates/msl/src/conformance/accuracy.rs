//! Accuracy of the math library on a device (MSL specification, section 8.4).
//!
//! Each function runs over the whole range of its type: every exponent with samples of the mantissa, zeros, subnormals,
//! infinities, NaN and the neighborhoods of special values; functions of two arguments over a product of such sets.
//! Results are compared with double precision. In safe mode `precise::f` and plain `f` must keep the bound for every argument and
//! give zeros the right sign; vector forms must give the bits of the scalar form; `half` and `bfloat` must be within one unit
//! (`accuracy/small.rs`). In fast mode only normal numbers count.

mod small;

use std::collections::BTreeMap;
use std::f64::consts::PI;

use super::{Executor, Launch, Memory};
use crate::{CompileOptions, FunctionConstantValues, MathMode, NoFiles};

/// How far a result may be from the truth.
#[derive(Clone, Copy, Debug)]
enum Bound {
    Ulp(f64),
    /// `3 + floor(|2x|)` units, for exponentials.
    Exponential,
    /// Absolute for arguments in an interval, relative (in units) elsewhere; zero: nothing is promised elsewhere.
    Near {
        low: f64,
        high: f64,
        absolute: f64,
        ulp: f64,
    },
}

struct Unary {
    name: &'static str,
    reference: fn(f64) -> f64,
    precise: f64,
    fast: Bound,
}

const fn unary(name: &'static str, reference: fn(f64) -> f64, precise: f64, fast: Bound) -> Unary {
    Unary { name, reference, precise, fast }
}

const CIRCLE: Bound = Bound::Near { low: -PI, high: PI, absolute: 1.0 / 8192.0, ulp: 0.0 };
const TANGENT: Bound = Bound::Near { low: -1.5, high: 1.5, absolute: 1.0 / 4096.0, ulp: 0.0 };

const fn logarithm(absolute: f64, ulp: f64) -> Bound {
    Bound::Near { low: 0.5, high: 2.0, absolute, ulp }
}

const UNARY: &[Unary] = &[
    unary("exp", f64::exp, 4.0, Bound::Exponential),
    unary("exp2", f64::exp2, 4.0, Bound::Exponential),
    unary("exp10", |x| 10f64.powf(x), 4.0, Bound::Exponential),
    unary("log", f64::ln, 4.0, logarithm(1.0 / 2097152.0, 3.0)),
    unary("log2", f64::log2, 4.0, logarithm(1.0 / 2097152.0, 3.0)),
    unary("log10", f64::log10, 4.0, logarithm(1.0 / 2097152.0, 3.0)),
    unary("sin", f64::sin, 4.0, CIRCLE),
    unary("cos", f64::cos, 4.0, CIRCLE),
    unary("tan", f64::tan, 6.0, TANGENT),
    unary("sinpi", sinpi, 4.0, CIRCLE),
    unary("cospi", cospi, 4.0, CIRCLE),
    unary("tanpi", tanpi, 6.0, Bound::Near { low: -0.45, high: 0.45, absolute: 1.0 / 4096.0, ulp: 0.0 }),
    unary("asin", f64::asin, 4.0, Bound::Ulp(5.0)),
    unary("acos", f64::acos, 4.0, Bound::Ulp(5.0)),
    unary("atan", f64::atan, 5.0, Bound::Ulp(5.0)),
    unary("sinh", f64::sinh, 4.0, Bound::Exponential),
    unary("cosh", f64::cosh, 4.0, Bound::Exponential),
    unary("tanh", f64::tanh, 5.0, Bound::Ulp(5.0)),
    unary("asinh", f64::asinh, 4.0, Bound::Ulp(5.0)),
    unary("acosh", f64::acosh, 4.0, Bound::Ulp(5.0)),
    unary("atanh", f64::atanh, 5.0, Bound::Ulp(5.0)),
    unary("sqrt", f64::sqrt, 0.5, Bound::Ulp(3.0)),
    unary("rsqrt", |x| 1.0 / x.sqrt(), 0.5, Bound::Ulp(2.0)),
];

/// Functions that have no `precise::` form of this shape.
const PLAIN: &[(&str, fn(f64) -> f64, f64)] = &[("sincos_sine", f64::sin, 4.0), ("sincos_cosine", f64::cos, 4.0)];

struct Binary {
    name: &'static str,
    reference: fn(f64, f64) -> f64,
    precise: f64,
}

const BINARY: &[Binary] = &[
    Binary { name: "pow", reference: power, precise: 16.0 },
    Binary {
        name: "powr",
        reference: |x, y| if x < 0.0 || x.is_nan() { f64::NAN } else { power(x, y) },
        precise: 16.0,
    },
    Binary { name: "atan2", reference: f64::atan2, precise: 6.0 },
    Binary { name: "fmod", reference: |x, y| x % y, precise: 0.0 },
    Binary { name: "divide", reference: |x, y| x / y, precise: 0.5 },
];

/// `pow(1, NaN)` and `pow(x, 0)` are one. Rust's `powf` does the same; `powr` differs where this is asked.
fn power(x: f64, y: f64) -> f64 {
    x.powf(y)
}

/// The expression over `a`, `b` (float) and the value, where results are exact.
type Exact = (&'static str, fn(f32, f32) -> f32);

const EXACT: &[Exact] = &[
    ("abs(a)", |a, _| a.abs()),
    ("fabs(a)", |a, _| a.abs()),
    ("floor(a)", |a, _| a.floor()),
    ("ceil(a)", |a, _| a.ceil()),
    ("trunc(a)", |a, _| a.trunc()),
    ("rint(a)", |a, _| a.round_ties_even()),
    ("round(a)", |a, _| a.round()),
    ("sign(a)", |a, _| if a.is_nan() || a == 0.0 { if a == 0.0 { a } else { 0.0 } } else { a.signum() }),
    ("a + b", |a, b| a + b),
    ("a - b", |a, b| a - b),
    ("a * b", |a, b| a * b),
    ("a / b", |a, b| a / b),
    ("fma(a, b, 1.5f)", |a, b| a.mul_add(b, 1.5)),
    ("fma(a, b, -a)", |a, b| a.mul_add(b, -a)),
    ("copysign(a, b)", f32::copysign),
    ("float(isnan(a))", |a, _| f32::from(u8::from(a.is_nan()))),
    ("float(isinf(a))", |a, _| f32::from(u8::from(a.is_infinite()))),
    ("float(isfinite(a))", |a, _| f32::from(u8::from(a.is_finite()))),
    ("float(isnormal(a))", |a, _| f32::from(u8::from(a.is_normal()))),
    ("float(signbit(a))", |a, _| f32::from(u8::from(a.is_sign_negative()))),
    ("float(isordered(a, b))", |a, b| f32::from(u8::from(!a.is_nan() && !b.is_nan()))),
    ("float(isunordered(a, b))", |a, b| f32::from(u8::from(a.is_nan() || b.is_nan()))),
    ("float(a < b)", |a, b| f32::from(u8::from(a < b))),
    ("float(a >= b)", |a, b| f32::from(u8::from(a >= b))),
    ("float(a == b)", |a, b| f32::from(u8::from(a == b))),
    ("float(a != b)", |a, b| f32::from(u8::from(a != b))),
    ("step(a, b)", |a, b| if b < a { 0.0 } else { 1.0 }),
    ("nextafter(a, b)", next_after),
    ("ldexp(a, isnan(b) ? 0 : int(clamp(b, -400.0f, 400.0f)))", |a, b| {
        (f64::from(a) * 2f64.powi(b.clamp(-400.0, 400.0) as i32)) as f32
    }),
    ("float(ilogb(a))", |a, _| exponent(a) as f32),
    ("mantissa_of(a)", |a, _| if a == 0.0 || !a.is_finite() { a } else { significand(a) }),
    ("exponent_of(a)", |a, _| if a == 0.0 || !a.is_finite() { 0.0 } else { (exponent(a) + 1) as f32 }),
    ("fraction_of(a)", |a, _| (if a.is_infinite() { 0.0 } else { a - a.trunc() }).copysign(a)),
    ("whole_of(a)", |a, _| a.trunc()),
    ("logb(a)", |a, _| match a.abs() {
        0.0 => f32::NEG_INFINITY,
        m if m.is_finite() => exponent(a) as f32,
        m => m,
    }),
    ("fdim(a, b)", |a, b| {
        if a.is_nan() || b.is_nan() {
            f32::NAN
        } else if a > b {
            a - b
        } else {
            0.0
        }
    }),
    // Which zero is the smaller one is not said.
    ("fmin(a, b) + 0.0f", |a, b| a.min(b) + 0.0),
    ("fmax(a, b) + 0.0f", |a, b| a.max(b) + 0.0),
    ("fmin3(a, b, 0.25f) + 0.0f", |a, b| a.min(b).min(0.25) + 0.0),
    ("fmax3(a, b, 0.25f) + 0.0f", |a, b| a.max(b).max(0.25) + 0.0),
    ("isnan(a) || isnan(b) ? 0.0f : fmedian3(a, b, 0.25f) + 0.0f", |a, b| {
        if a.is_nan() || b.is_nan() { 0.0 } else { a.min(b).max(a.max(b).min(0.25)) + 0.0 }
    }),
    ("isnan(a) ? 0.0f : saturate(a) + 0.0f", |a, _| if a.is_nan() { 0.0 } else { a.clamp(0.0, 1.0) + 0.0 }),
    ("isinf(a) ? 0.0f : fract(a)", |a, _| match a {
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

/// Functions that the table above uses.
const HELPERS: &str = "
static float mantissa_of(float x) { int e; return frexp(x, e); }
static float exponent_of(float x) { int e; frexp(x, e); return float(e); }
static float fraction_of(float x) { float w; return modf(x, w); }
static float sincos_sine(float x) { float c; return sincos(x, c); }
static float sincos_cosine(float x) { float c; sincos(x, c); return c; }
static float whole_of(float x) { float w; modf(x, w); return w; }
";

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

/// Of a normal number.
fn floor_log2(x: f64) -> i32 {
    ((x.to_bits() >> 52) & 0x7ff) as i32 - 1023
}

/// Angles in turns are reduced exactly before the double-precision function sees them; zeros and poles have the signs of C's `sinpi`.
fn sinpi(x: f64) -> f64 {
    let r = x % 2.0;
    match r.abs() {
        0.0 | 1.0 => 0f64.copysign(x),
        a if a > 1.5 => ((a - 2.0) * PI).sin() * r.signum(),
        a if a > 0.5 => -((a - 1.0) * PI).sin() * r.signum(),
        _ => (r * PI).sin(),
    }
}

fn cospi(x: f64) -> f64 {
    let a = (x % 2.0).abs();
    let a = if a > 1.0 { 2.0 - a } else { a };
    if a == 0.5 { 0.0 } else { ((0.5 - a) * PI).sin() }
}

fn tanpi(x: f64) -> f64 {
    let (s, c) = (sinpi(x), cospi(x));
    if c == 0.0 { f64::INFINITY.copysign(s) } else { s / c }
}

/// A binary format: digits, exponent of the least subnormal, exponent of overflow.
#[derive(Clone, Copy)]
struct Format {
    digits: i32,
    least: i32,
    overflow: i32,
}

const F32: Format = Format { digits: 24, least: -149, overflow: 128 };
const F16: Format = Format { digits: 11, least: -24, overflow: 16 };
const BF16: Format = Format { digits: 8, least: -133, overflow: 128 };

/// In units in the last place of the format.
fn error(found: f64, want: f64, format: Format) -> f64 {
    if want.is_nan() || found.is_nan() {
        return if want.is_nan() && found.is_nan() { 0.0 } else { f64::INFINITY };
    }
    let limit = 2f64.powi(format.overflow);
    let (found, want) = (found.clamp(-limit, limit), want.clamp(-limit, limit));
    let top = if want.abs() < 2f64.powi(format.least) { format.least } else { floor_log2(want.abs()) };
    let unit = (top.min(format.overflow - 1) + 1 - format.digits).max(format.least);
    (found - want).abs() / 2f64.powi(unit)
}

/// Every exponent, `per_exponent` mantissas, both signs, and more around small integers and multiples of π/2.
fn samples(per_exponent: u32) -> Vec<f32> {
    let mut bits = Vec::new();
    let mut state = 0x9e37_79b9u32;
    for high in 0..512u32 {
        for m in [0, 1, 0x7f_ffff] {
            bits.push(high << 23 | m);
        }
        for _ in 0..per_exponent {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            bits.push(high << 23 | state >> 9);
        }
    }
    let mut values: Vec<f32> = bits.into_iter().map(f32::from_bits).collect();
    for i in 0..i32::try_from(per_exponent * 16).unwrap_or(0) {
        let i = f64::from(i);
        for center in [i, i + 0.5, i * PI / 2.0, i * 0.0625, 1.0 + i / 64.0, 20000.0 + i * PI / 2.0] {
            let center = center as f32;
            values.extend([center, -center, center.next_up(), center.next_down(), -center.next_up()]);
        }
    }
    values
}

/// Pairs: a product of a coarser set with itself.
fn pairs(per_exponent: u32) -> (Vec<f32>, Vec<f32>) {
    let mut set =
        vec![f32::NAN, f32::INFINITY, f32::MAX, f32::MIN_POSITIVE, f32::from_bits(1), 0.0, 0.3, 0.5, 1.5, 16_777_215.0];
    set.extend((1..8).map(|i| i as f32));
    set.extend([0.999_999_94, 1.000_000_1, 1.001, 2.5, 3.5, 9.75]);
    let step = (24 / per_exponent.clamp(1, 12)) as usize;
    set.extend((1..255u32).step_by(step).map(|e| f32::from_bits(e << 23 | e.wrapping_mul(0x3_1234) & 0x7f_ffff)));
    let negative: Vec<f32> = set.iter().map(|x| -x).collect();
    set.extend(negative);
    set.iter().flat_map(|&x| set.iter().map(move |&y| (x, y))).unzip()
}

/// The source of a library and what to do with its kernels.
struct Runner<'e> {
    executor: &'e mut dyn Executor,
    failures: Vec<String>,
}

impl Runner<'_> {
    fn open(&mut self, kernels: &str, math_mode: MathMode) -> Result<(), String> {
        let source = format!("#include <metal_stdlib>\nusing namespace metal;\n{HELPERS}{kernels}");
        let options = CompileOptions { math_mode, ..CompileOptions::default() };
        self.executor.open("math_accuracy.metal", &source, &options, &NoFiles).map_err(|e| e.to_string())
    }

    /// Runs a kernel over inputs of equal length; gives the bytes of its output.
    fn run(&mut self, kernel: &str, inputs: &[Vec<u8>], threads: usize, output: usize) -> Option<Vec<u8>> {
        let constants = FunctionConstantValues::default();
        let mut memory = Memory::default();
        memory.buffers.insert(0, vec![0; output]);
        for (input, index) in inputs.iter().zip(1..) {
            memory.buffers.insert(index, input.clone());
        }
        let launch = Launch {
            kernel,
            constants: &constants,
            grid: [threads as u32, 1, 1],
            threadgroup: [64, 1, 1],
            threadgroup_memory: &BTreeMap::new(),
            samplers: &BTreeMap::new(),
        };
        let result = match self.executor.compile(kernel, &constants) {
            Ok(()) => self.executor.launch(&launch, &mut memory),
            Err(e) => Err(e.to_string()),
        };
        match result {
            Ok(()) => memory.buffers.remove(&0),
            Err(e) => {
                self.failures.push(format!("{kernel}: {e}"));
                None
            }
        }
    }

    /// Notes the worst of the results that break their bound.
    fn judge(&mut self, what: &str, results: impl Iterator<Item = Verdict>) {
        let (mut bad, mut worst) = (0, None::<Verdict>);
        for verdict in results.filter(|v| v.error > v.bound || v.error.is_nan()) {
            bad += 1;
            if worst.as_ref().is_none_or(|w| verdict.error / verdict.bound.max(0.5) > w.error / w.bound.max(0.5)) {
                worst = Some(verdict);
            }
        }
        if let Some(Verdict { args, found, want, error, bound }) = worst {
            self.failures.push(format!(
                "{what}: {bad} results are too far off; worst at {args:?}: {found:e} instead of {want:e}, error {error:.3}, allowed {bound}"
            ));
        }
    }
}

struct Verdict {
    args: Vec<f64>,
    found: f64,
    want: f64,
    error: f64,
    bound: f64,
}

fn strict(args: Vec<f64>, found: f64, want: f64, bound: f64, format: Format) -> Verdict {
    let mut error = error(found, want, format);
    if want == 0.0 && found == 0.0 && want.is_sign_negative() != found.is_sign_negative() {
        error = f64::INFINITY;
    }
    Verdict { args, found, want, error, bound }
}

fn to_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn from_bytes(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|c| f32::from_le_bytes([c[0], c[1], c[2], c[3]])).collect()
}

fn kernel(name: &str, ty: &str, arguments: usize, body: &str) -> String {
    let second = if arguments > 1 { format!("device const {ty}* y [[buffer(2)]], ") } else { String::new() };
    format!(
        "kernel void {name}(device {ty}* out [[buffer(0)]], device const {ty}* x [[buffer(1)]], {second}uint i [[thread_position_in_grid]]) \
         {{ {ty} a = x[i]; {}out[i] = {body}; }}\n",
        if arguments > 1 { format!("{ty} b = y[i]; ") } else { String::new() }
    )
}

/// Checks every function; the error lists those that miss their bounds. More samples per exponent take longer and find more.
pub fn check_math(executor: &mut dyn Executor, per_exponent: u32) -> Result<(), String> {
    let mut runner = Runner { executor, failures: Vec::new() };
    check_safe(&mut runner, per_exponent)?;
    check_exact(&mut runner, per_exponent)?;
    small::check_small(&mut runner, (48 / per_exponent.clamp(1, 48)) as usize)?;
    check_fast(&mut runner, per_exponent)?;
    if runner.failures.is_empty() { Ok(()) } else { Err(runner.failures.join("\n")) }
}

fn check_safe(runner: &mut Runner<'_>, per_exponent: u32) -> Result<(), String> {
    let mut source = String::new();
    for Unary { name, .. } in UNARY {
        source += &kernel(&format!("plain_{name}"), "float", 1, &format!("{name}(a)"));
        source += &kernel(&format!("precise_{name}"), "float", 1, &format!("precise::{name}(a)"));
        for n in 2..=4 {
            // One thread makes one vector; three components overlap into the next element and are stored one by one.
            source += &format!(
                "kernel void vector{n}_{name}(device packed_float{n}* out [[buffer(0)]], device const packed_float{n}* x [[buffer(1)]], \
                 uint i [[thread_position_in_grid]]) {{ out[i] = {name}(float{n}(x[i])); }}\n"
            );
        }
    }
    for (name, ..) in PLAIN {
        source += &kernel(&format!("plain_{name}"), "float", 1, &format!("{name}(a)"));
    }
    for Binary { name, .. } in BINARY {
        source += &kernel(&format!("plain_{name}"), "float", 2, &format!("{name}(a, b)"));
        source += &kernel(&format!("precise_{name}"), "float", 2, &format!("precise::{name}(a, b)"));
    }
    runner.open(&source, MathMode::Safe)?;
    let x = samples(per_exponent);
    let bytes = to_bytes(&x);
    for Unary { name, reference, precise, .. } in UNARY {
        for form in ["plain", "precise"] {
            let kernel = format!("{form}_{name}");
            let Some(out) = runner.run(&kernel, std::slice::from_ref(&bytes), x.len(), bytes.len()) else { continue };
            let results = x.iter().zip(from_bytes(&out)).map(|(&x, found)| {
                let x = f64::from(x);
                strict(vec![x], f64::from(found), reference(x), *precise, F32)
            });
            runner.judge(&kernel, results);
        }
        // A few samples of each exponent are enough to see that vectors are made of scalars.
        let few: Vec<f32> = x.iter().copied().step_by(13).collect();
        let few = &few[..few.len() / 12 * 12];
        let few_bytes = to_bytes(few);
        let scalar = runner.run(&format!("plain_{name}"), std::slice::from_ref(&few_bytes), few.len(), few_bytes.len());
        for n in 2..=4 {
            let vector = runner.run(
                &format!("vector{n}_{name}"),
                std::slice::from_ref(&few_bytes),
                few.len() / n,
                few_bytes.len(),
            );
            if let (Some(scalar), Some(vector)) = (&scalar, vector) {
                let same = from_bytes(scalar)
                    .iter()
                    .zip(from_bytes(&vector))
                    .all(|(s, v)| s.to_bits() == v.to_bits() || s.is_nan() && v.is_nan());
                if !same {
                    runner.failures.push(format!("{name} of float{n} differs from {name} of float"));
                }
            }
        }
    }
    for (name, reference, bound) in PLAIN {
        let kernel = format!("plain_{name}");
        let Some(out) = runner.run(&kernel, std::slice::from_ref(&bytes), x.len(), bytes.len()) else { continue };
        let results = x.iter().zip(from_bytes(&out)).map(|(&x, found)| {
            let x = f64::from(x);
            strict(vec![x], f64::from(found), reference(x), *bound, F32)
        });
        runner.judge(&kernel, results);
    }
    let (x, y) = pairs(per_exponent);
    let inputs = [to_bytes(&x), to_bytes(&y)];
    for Binary { name, reference, precise } in BINARY {
        for form in ["plain", "precise"] {
            let kernel = format!("{form}_{name}");
            let Some(out) = runner.run(&kernel, &inputs, x.len(), inputs[0].len()) else { continue };
            let results = x.iter().zip(&y).zip(from_bytes(&out)).map(|((&x, &y), found)| {
                let (x, y) = (f64::from(x), f64::from(y));
                strict(vec![x, y], f64::from(found), reference(x, y), *precise, F32)
            });
            // NaN wins in `powr`, even against a base of one and an exponent of zero.
            let is_powr = *name == "powr";
            let kept = results.filter(|v| !(is_powr && v.args[1].is_nan()));
            runner.judge(&kernel, kept);
        }
    }
    Ok(())
}

fn check_exact(runner: &mut Runner<'_>, per_exponent: u32) -> Result<(), String> {
    let mut source = String::new();
    for (i, (expression, _)) in EXACT.iter().enumerate() {
        source += &kernel(&format!("exact{i}"), "float", 2, expression);
    }
    runner.open(&source, MathMode::Safe)?;
    let (mut x, mut y) = pairs(per_exponent);
    // Rounding at all magnitudes.
    for value in samples(per_exponent) {
        x.push(value);
        y.push(value * 0.75);
    }
    let inputs = [to_bytes(&x), to_bytes(&y)];
    for (i, (expression, reference)) in EXACT.iter().enumerate() {
        let Some(out) = runner.run(&format!("exact{i}"), &inputs, x.len(), inputs[0].len()) else { continue };
        let results = x.iter().zip(&y).zip(from_bytes(&out)).map(|((&x, &y), found)| {
            let want = reference(x, y);
            let same = found.to_bits() == want.to_bits() || found.is_nan() && want.is_nan();
            let error = if same { 0.0 } else { f64::INFINITY };
            Verdict {
                args: vec![f64::from(x), f64::from(y)],
                found: f64::from(found),
                want: f64::from(want),
                error,
                bound: 0.0,
            }
        });
        // A conversion of NaN to an integer is zero; what exponent NaN has is not said.
        let is_exponent = expression.contains("ilogb");
        runner.judge(expression, results.filter(|v| !(is_exponent && v.args[0].is_nan())));
    }
    Ok(())
}

fn check_fast(runner: &mut Runner<'_>, per_exponent: u32) -> Result<(), String> {
    let mut source = String::new();
    for Unary { name, .. } in UNARY {
        source += &kernel(&format!("plain_{name}"), "float", 1, &format!("{name}(a)"));
        source += &kernel(&format!("fast_{name}"), "float", 1, &format!("fast::{name}(a)"));
        source += &kernel(&format!("precise_{name}"), "float", 1, &format!("precise::{name}(a)"));
    }
    for Binary { name, .. } in BINARY {
        source += &kernel(&format!("fast_{name}"), "float", 2, &format!("fast::{name}(a, b)"));
    }
    runner.open(&source, MathMode::Fast)?;
    let is_plain_number = |x: f64| x == 0.0 || (1.2e-38..3.4e38).contains(&x.abs());
    let x = samples(per_exponent);
    let bytes = to_bytes(&x);
    for Unary { name, reference, precise, fast } in UNARY {
        for form in ["plain", "fast", "precise"] {
            let kernel = format!("{form}_{name}");
            let bound = if form == "precise" { Bound::Ulp(*precise) } else { *fast };
            let Some(out) = runner.run(&kernel, std::slice::from_ref(&bytes), x.len(), bytes.len()) else { continue };
            let results = x.iter().zip(from_bytes(&out)).filter_map(|(&x, found)| {
                let (x, found) = (f64::from(x), f64::from(found));
                let want = reference(x);
                if !is_plain_number(x) || !is_plain_number(want) {
                    return None;
                }
                let units = error(found, want, F32);
                let (error, bound) = match bound {
                    Bound::Ulp(u) => (units, u),
                    Bound::Exponential => (units, 3.0 + (2.0 * x).abs().floor()),
                    Bound::Near { low, high, absolute, .. } if (low..=high).contains(&x) => {
                        ((found - want).abs(), absolute)
                    }
                    Bound::Near { ulp, .. } if ulp > 0.0 => (units, ulp),
                    Bound::Near { .. } => return None,
                };
                Some(Verdict { args: vec![x], found, want, error, bound })
            });
            runner.judge(&format!("{kernel} in fast mode"), results);
        }
    }
    let (x, y) = pairs(per_exponent);
    let inputs = [to_bytes(&x), to_bytes(&y)];
    for Binary { name, reference, .. } in BINARY {
        let kernel = format!("fast_{name}");
        let Some(out) = runner.run(&kernel, &inputs, x.len(), inputs[0].len()) else { continue };
        let results = x.iter().zip(&y).zip(from_bytes(&out)).filter_map(|((&x, &y), found)| {
            let (x, y, found) = (f64::from(x), f64::from(y), f64::from(found));
            let want = reference(x, y);
            let quotient = x / y;
            // Powers are exp2(y log2(x)); remainders and quotients are made with a reciprocal.
            let bound = match *name {
                "pow" | "powr" => 16.0 + 4.0 * (y * x.abs().log2()).abs(),
                "atan2" => 6.0,
                "divide" => 2.5,
                _ => return None,
            };
            let counts =
                [x, y, want, quotient, 1.0 / y].iter().all(|&v| is_plain_number(v)) && x != 0.0 && y.abs() < 8e37;
            counts.then(|| Verdict { args: vec![x, y], found, want, error: error(found, want, F32), bound })
        });
        runner.judge(&format!("{kernel} in fast mode"), results);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_counted_in_units_of_the_format() {
        assert_eq!(error(1.0, 1.0, F32), 0.0);
        assert_eq!(error(f64::from(1f32.next_up()), 1.0, F32), 1.0);
        assert_eq!(error(f64::from(f32::from_bits(1)), 0.0, F32), 1.0);
        assert_eq!(error(f64::INFINITY, f64::from(f32::MAX), F32), 1.0);
        assert_eq!(error(f64::NAN, f64::NAN, F32), 0.0);
        assert!(error(f64::NAN, 1.0, F32).is_infinite());
        assert_eq!(error(2048.0 + 2.0, 2048.0, F16), 1.0);
    }

    #[test]
    fn references_in_turns_are_exact_where_it_shows() {
        assert_eq!((sinpi(0.5), sinpi(1.5), sinpi(-0.5), sinpi(2.5)), (1.0, -1.0, -1.0, 1.0));
        assert_eq!((cospi(0.0), cospi(1.0), cospi(1.5), cospi(-0.5)), (1.0, -1.0, 0.0, 0.0));
        assert!((cospi(1.75) - 0.5f64.sqrt()).abs() < 1e-15 && (sinpi(-1.25) - 0.5f64.sqrt()).abs() < 1e-15);
        assert!((cospi(0.75) + 0.5f64.sqrt()).abs() < 1e-15 && (cospi(1.25) + 0.5f64.sqrt()).abs() < 1e-15);
        assert_eq!(tanpi(0.5), f64::INFINITY);
        assert!(samples(1).len() > 2000 && samples(1).iter().any(|x| x.is_nan()));
    }
}
