//! `metallic emit --stage asm`: machine code stands below the lines of the source that it comes from.

use std::process::Command;

const KERNELS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../benches/kernels.metal");

const MATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/math.metal");

fn assembly(kernel: &str, threadgroup: &str, features: &str) -> String {
    assembly_of(KERNELS, kernel, threadgroup, features)
}

fn assembly_of(file: &str, kernel: &str, threadgroup: &str, features: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_metallic"))
        .args(["emit", "--stage", "asm", "--device", "cpu", "--entry", kernel, "--threadgroup", threadgroup, file])
        .env("PYMETALLIC_CPU_FEATURES", features)
        .output()
        .expect("the program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The line of the source that each instruction stands below.
fn instructions(text: &str) -> Vec<(&str, &str)> {
    let mut place = "";
    let mut out = Vec::new();
    for line in text.lines() {
        if let Some(comment) = line.trim_start().strip_prefix("# ").filter(|c| c.contains(".metal:")) {
            place = comment;
        } else if line.starts_with('\t') && !line.starts_with("\t.") {
            out.push((place, line.trim()));
        }
    }
    out
}

#[test]
fn instructions_stand_below_their_lines() {
    if !cfg!(target_arch = "x86_64") {
        return;
    }
    let table: [(&str, &str, &str, &str); 4] = [
        ("vector_add", "256", "vaddps", "c[i] = a[i] + b[i];"),
        ("matmul_naive", "16,16", "vfmadd", "sum += A[p.y * n + k] * B[k * n + p.x];"),
        ("jacobi", "32,8", "vmulps", "b[y * n + x] = 0.25f *"),
        ("reduce", "256", "vaddps", "if (l < d) s[l] += s[l + d];"),
    ];
    for (kernel, threadgroup, operation, code) in table {
        let text = assembly(kernel, threadgroup, "avx2");
        let all: Vec<_> = instructions(&text).into_iter().filter(|(_, i)| i.starts_with(operation)).collect();
        assert!(!all.is_empty(), "{kernel}: no {operation}\n{text}");
        for (place, instruction) in all {
            assert!(place.contains(code), "{kernel}: {instruction} below {place:?}\n{text}");
            // File and line are said too.
            let (file, rest) = place.split_once(".metal:").unwrap();
            let line: usize = rest.split(':').next().unwrap().parse().unwrap();
            let source = std::fs::read_to_string(KERNELS).unwrap();
            assert!(file.ends_with("kernels"), "{place}");
            assert!(source.lines().nth(line - 1).unwrap().contains(code), "{place}");
        }
        // What is for debuggers is left out.
        assert!(!text.contains(".loc") && !text.contains("debug_"), "{text}");
    }
}

#[test]
fn math_functions_are_a_few_instructions() {
    if !cfg!(target_arch = "x86_64") {
        return;
    }
    // A kernel, what must not be in it, and how many products (with and without a sum) and divisions a vector costs:
    // exponents are made in integers out of rounded sums, and nobody asks what becomes of large numbers and NaN.
    let converts = ["vcvt", "vround", "vrndscale"].as_slice();
    for (kernel, absent, products, divisions) in [
        ("exponential", converts, 10, 0),
        ("precise_exponential", converts, 11, 0),
        ("sine", converts, 14, 0),
        ("arc_tangent", converts, 6, 1),
        ("hyperbolic_sine", converts, 16, 1),
    ] {
        for (features, lanes) in [("avx2", 8), ("avx512", 16)] {
            let text = assembly_of(MATH, kernel, "256", features);
            let all = instructions(&text);
            let count = |names: &[&str]| all.iter().filter(|(_, i)| names.iter().any(|n| i.starts_with(n))).count();
            assert_eq!(count(absent), 0, "{kernel} {features}\n{text}");
            // The 32 threads of a gang, in the versions with and without tests of bounds.
            let vectors = 2 * 32 / lanes;
            assert_eq!(count(&["vdivps"]), vectors * divisions, "{kernel} {features}\n{text}");
            let found = count(&["vmulps", "vfmadd", "vfnmadd", "vfmsub", "vfnmsub"]);
            assert!((1..=vectors * products).contains(&found), "{kernel} {features}: {found}\n{text}");
        }
    }
}
