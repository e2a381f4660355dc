//! Every elementwise operation on every type, against the interpreter.

mod common;
use common::*;
use msl_codegen_llvm::CompileOptions;

const TYPES: [&str; 11] = ["i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64", "f16", "bf16", "f32"];

fn size(t: &str) -> usize {
    match t {
        "bool" | "i8" | "u8" => 1,
        "i16" | "u16" | "f16" | "bf16" => 2,
        "i64" | "u64" => 8,
        _ => 4,
    }
}

/// Numbers that show mistakes: limits, small values, random bits.
fn data(t: &str, seed: u64, n: usize) -> Vec<u8> {
    let mut s = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        s ^= s << 13;
        s ^= s >> 7;
        s ^= s << 17;
        s
    };
    let bits = size(t) as u32 * 8;
    let specials: Vec<u64> = match t {
        "bool" => vec![0, 1],
        "f32" => [
            0.0f32,
            1.0,
            -1.0,
            1.5,
            -2.5,
            0.5,
            3.5e9,
            -3.5e9,
            1e20,
            -1e20,
            1e-40,
            f32::INFINITY,
            f32::NEG_INFINITY,
            f32::NAN,
            127.6,
            255.5,
            65535.4,
            300.0,
        ]
        .iter()
        .map(|x| u64::from(x.to_bits()))
        .collect(),
        "f16" => vec![0x0000, 0x3c00, 0xbc00, 0x3e00, 0xc100, 0x7bff, 0x7c00, 0xfc00, 0x7e00, 0x0001, 0x5bff, 0x57f8],
        "bf16" => vec![0x0000, 0x3f80, 0xbf80, 0x3fc0, 0x7f7f, 0x7f80, 0xff80, 0x7fc0, 0x0001, 0x4380],
        _ => vec![0, 1, 2, 3, u64::MAX, u64::MAX - 1, 1 << (bits - 1), (1 << (bits - 1)) - 1, 7, 10, 31, 32, 33],
    };
    let mut out = Vec::new();
    for i in 0..n {
        let r = next();
        let v = if r % 3 == 0 {
            specials[(r >> 8) as usize % specials.len()]
        } else if r % 3 == 1 && t != "bool" {
            next()
        } else {
            // Moderate numbers.
            let k = (next() % 200) as i64 - 100;
            match t {
                "f32" => u64::from((k as f32 * 0.37).to_bits()),
                "f16" => u64::from(half::f16::from_f32(k as f32 * 0.37).to_bits()),
                "bf16" => u64::from(half::bf16::from_f32(k as f32 * 0.37).to_bits()),
                "bool" => (k & 1) as u64,
                _ => k as u64,
            }
        };
        let _ = i;
        out.extend_from_slice(&v.to_le_bytes()[..size(t)]);
    }
    out
}

fn is_nan(t: &str, b: &[u8]) -> bool {
    match t {
        "f32" => f32::from_le_bytes(b.try_into().unwrap()).is_nan(),
        "f16" => half::f16::from_le_bytes(b.try_into().unwrap()).is_nan(),
        "bf16" => half::bf16::from_le_bytes(b.try_into().unwrap()).is_nan(),
        _ => false,
    }
}
fn is_zero(t: &str, b: &[u8]) -> bool {
    matches!(t, "f32" | "f16" | "bf16") && b[..b.len() - 1].iter().all(|x| *x == 0) && b[b.len() - 1] & 0x7f == 0
}

const N: usize = 96;

/// Runs `out[i] = expression(a[i], b[i], c[i])` and compares.
fn elementwise(types: &[&str], result: &str, expression: &str, skip: impl Fn(usize, &[Vec<u8>]) -> bool) {
    let params: Vec<String> = types.iter().enumerate().map(|(i, t)| format!("%p{i}: ptr<device, {t}>")).collect();
    let loads: Vec<String> =
        (0..types.len()).map(|i| format!("  %q{i} = ptr_offset %p{i}, %i\n  %v{i} = load %q{i}\n")).collect();
    let bindings: Vec<String> =
        types.iter().enumerate().map(|(i, t)| format!("  p{i}: buffer {i} device read {t}\n")).collect();
    let k = types.len();
    let source = format!(
        "fn f({}, %out: ptr<device, {result}>) -> void {{\n  %gid = builtin thread_position_in_grid\n  %i = extract %gid, 0\n{}  %r: {result} = {expression}\n  %po = ptr_offset %out, %i\n  store %po, %r\n}}\nkernel f = @f {{\n{}  out: buffer {k} device read_write {result}\n}}\n",
        params.join(", "),
        loads.concat(),
        bindings.concat(),
    );
    let inputs: Vec<Vec<u8>> = types.iter().enumerate().map(|(i, t)| data(t, 77 + i as u64 * 13, N)).collect();
    let mut args: Vec<Arg> = inputs.iter().map(|b| bytes(b)).collect();
    args.push(bytes(&vec![0; N * size(result)]));
    let (grid, tg) = ([N as u32, 1, 1], [32, 1, 1]);
    let expected = interpret(&source, "f", grid, tg, &args)[k].as_bytes();
    let options =
        CompileOptions { groups: msl_codegen_llvm::Groups::Full, run_passes: false, ..CompileOptions::new(tg) };
    let kernel = compile(&source, "f", &options);
    let out = launch(&kernel, grid, tg, &args);
    assert_eq!(out.fault, None);
    let got = out.args[k].as_bytes();
    let w = size(result);
    for i in 0..N {
        let (x, y) = (&got[i * w..(i + 1) * w], &expected[i * w..(i + 1) * w]);
        if x == y || (is_nan(result, x) && is_nan(result, y)) || skip(i, &inputs) {
            continue;
        }
        let operands: Vec<&[u8]> = inputs.iter().zip(types).map(|(b, t)| &b[i * size(t)..(i + 1) * size(t)]).collect();
        panic!("{expression} of {types:?} -> {result}: {x:02x?} instead of {y:02x?} for {operands:02x?}");
    }
}

fn all_zero(b: &[u8]) -> bool {
    b.iter().all(|x| *x == 0)
}

#[test]
fn integer_arithmetic() {
    for t in &TYPES[..8] {
        for op in [
            "add", "sub", "mul", "div", "rem", "and", "or", "xor", "shl", "shr", "min", "max", "mulhi", "add_sat",
            "sub_sat",
        ] {
            let op = match op {
                "mulhi" => "mul_high",
                o => o,
            };
            let w = size(t);
            elementwise(&[t, t], t, &format!("{op} %v0, %v1"), |i, b| {
                // Unspecified: by zero, and the least number by minus one.
                let (x, y) = (&b[0][i * w..(i + 1) * w], &b[1][i * w..(i + 1) * w]);
                matches!(op, "div" | "rem")
                    && (all_zero(y)
                        || (t.starts_with('i')
                            && y.iter().all(|v| *v == 255)
                            && x[w - 1] == 0x80
                            && all_zero(&x[..w - 1])))
            });
        }
        for op in ["neg", "not", "abs", "popcount", "leading_zeros", "trailing_zeros", "reverse_bits"] {
            let op = match op {
                "popcount" => "pop_count",
                o => o,
            };
            elementwise(&[t], t, &format!("{op} %v0"), |_, _| false);
        }
        for op in ["eq", "ne", "lt", "le", "gt", "ge"] {
            elementwise(&[t, t], "bool", &format!("{op} %v0, %v1"), |_, _| false);
        }
    }
}

#[test]
fn float_arithmetic() {
    for t in &TYPES[8..] {
        let w = size(t);
        for op in ["add", "sub", "mul", "div", "min", "max", "copy_sign"] {
            elementwise(&[t, t], t, &format!("{op} %v0, %v1"), |i, b| {
                matches!(op, "min" | "max")
                    && is_zero(t, &b[0][i * w..(i + 1) * w])
                    && is_zero(t, &b[1][i * w..(i + 1) * w])
            });
        }
        for op in ["neg", "abs", "sqrt", "rsqrt", "floor", "ceil", "trunc", "round_even"] {
            elementwise(&[t], t, &format!("{op} %v0"), |_, _| false);
        }
        for op in ["is_nan", "is_inf"] {
            elementwise(&[t], "bool", &format!("{op} %v0"), |_, _| false);
        }
        for op in ["eq", "ne", "lt", "le", "gt", "ge"] {
            elementwise(&[t, t], "bool", &format!("{op} %v0, %v1"), |_, _| false);
        }
        elementwise(&[t, t, t], t, "fma %v0, %v1, %v2", |_, _| false);
    }
}

#[test]
fn conversions() {
    for from in TYPES.iter().chain(&["bool"]) {
        for to in TYPES.iter().chain(&["bool"]) {
            if from != to {
                elementwise(&[from], to, "convert %v0", |_, _| false);
            }
        }
    }
}

#[test]
fn selection() {
    for t in ["u8", "f32", "i64", "f16", "bf16", "bool"] {
        elementwise(&["bool", t, t], t, "select %v0, %v1, %v2", |_, _| false);
    }
}
