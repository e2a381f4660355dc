//! `metallic explain` on the benchmark kernels: what stands beside their lines.

use std::process::Command;

const KERNELS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../benches/kernels.metal");

fn explain(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_metallic"))
        .arg("explain")
        .args(arguments)
        .args(["--device", "cpu"])
        .env("PYMETALLIC_CPU_FEATURES", "avx2")
        .output()
        .expect("the program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// What is said between the line of the source that holds `code` and the next one.
fn beside(page: &str, code: &str) -> String {
    let lines: Vec<&str> = page.lines().collect();
    let at = lines.iter().position(|l| l.contains(code)).unwrap_or_else(|| panic!("no {code} in {page}"));
    let is_remark = |l: &&&str| l.starts_with("      |");
    lines[at + 1..].iter().take_while(is_remark).copied().collect::<Vec<_>>().join("\n")
}

/// Devices are for machines with vectors that the tests below know.
fn is_x86() -> bool {
    cfg!(target_arch = "x86_64")
}

#[test]
fn each_benchmark_kernel_is_explained_line_by_line() {
    if !is_x86() {
        return;
    }
    let table: [(&str, &str, &str, &[&str]); 16] = [
        (
            "vector_add",
            "256",
            "c[i] = a[i] + b[i];",
            &["+ c: contiguous: vector stores of 8 elements [contiguous-store]"],
        ),
        ("saxpy", "256", "y[i] = s * x[i]", &["+ s: one load for the whole gang [uniform-load]", "values: 2 varying"]),
        (
            "matmul_naive",
            "16,16",
            "for (uint k = 0; k < n; k++)",
            &[
                "[jammed-loop]",
                "bounds of 2 of 2 accesses are checked once before the loop [hoisted-checks]",
                "A: one load for each vector of 8 threads [uniform-load]",
                "B: contiguous: vector loads of 8 elements [contiguous-load]",
            ],
        ),
        ("matmul_tiled", "16,16", "for (uint k = 0; k < 16; k++)", &["[jammed-loop]", "[hoisted-checks]"]),
        ("mandelbrot", "32,8", "while (it < size.z)", &["! not jammed: threads leave it at different times", "help: "]),
        ("mandelbrot", "32,8", "if (x2 + y2 > 4.0f) break;", &["[masked-exit]"]),
        ("mandelbrot", "32,8", "it++;", &["values: 1 uniform"]),
        ("reduce", "256", "threadgroup_barrier", &["! splits the kernel: the 8 gangs", "help: "]),
        (
            "reduce",
            "256",
            "if (l < d) s[l]",
            &[
                "! threads disagree",
                "it depends on `thread_position_in_threadgroup`",
                "[limits-gang]",
                "vector stores of 8 elements, masked",
            ],
        ),
        ("reduce", "32", "threadgroup_barrier", &["+ free: the whole threadgroup runs in step"]),
        ("nbody", "256", "float4 q = p[j];", &["p: one load for the whole gang"]),
        ("nbody", "256", "float4 me = p[i];", &["p: threads are 16 bytes apart: vector loads and shuffles"]),
        ("life", "32,8", "uint xm = ", &["+ remainder in vectors: its reciprocal is computed once for the gang"]),
        ("life", "32,8", "uint s = in", &["in: probably contiguous, tested at run time", "[tested-load]"]),
        (
            "jacobi",
            "32,8",
            "if (x > 0 && y > 0",
            &["tested once per threadgroup: where it is true", "[versioned-guard]"],
        ),
        (
            "jacobi",
            "32,8",
            "b[y * n + x] = 0.25f",
            &["a: contiguous: vector loads of 8 elements (4 times) [contiguous-load]"],
        ),
    ];
    for (kernel, size, code, wanted) in table {
        let page = explain(&[KERNELS, kernel, "--threadgroup", size]);
        let text = beside(&page, code);
        for w in wanted {
            assert!(text.contains(w), "{kernel}: {w} is not beside {code}:\n{page}");
        }
    }
    let page = explain(&[KERNELS, "mandelbrot", "--threadgroup", "32,8"]);
    let reason = "gangs are 16 threads: of a simdgroup, loops would keep 14 vectors alive, and 13 fit the registers";
    assert!(page.contains(reason), "{page}");
}

#[test]
fn what_costs_speed_says_what_to_change() {
    if !is_x86() {
        return;
    }
    let file = std::env::temp_dir().join(format!("metallic-explain-{}.metal", std::process::id()));
    let source = "#include <metal_stdlib>
using namespace metal;
kernel void k(device const float* a, device const long* d, device const uint* where, device float* out,
              device atomic_uint* count, uint i [[thread_position_in_grid]]) {
    out[i] = a[where[i]];
    out[i] += float(d[i] / d[i + 1]);
    atomic_fetch_add_explicit(count, where[i], memory_order_relaxed);
    out[i] += float(atomic_fetch_add_explicit(count + where[i], 1u, memory_order_relaxed));
}
";
    std::fs::write(&file, source).expect("a temporary file");
    let name = file.to_string_lossy();
    let page = explain(&[&name]);
    assert!(beside(&page, "out[i] = a[where[i]];").contains("! a: an address of its own for each thread: gather"));
    assert!(beside(&page, "d[i] / d[i + 1]").contains("help: use 32-bit integers where they are enough"), "{page}");
    // What the standard library does stands where it is called.
    assert!(beside(&page, "(count, where[i]").contains("+ reduced over 32 threads in registers"), "{page}");
    let per_thread = beside(&page, "(count + where[i]");
    assert!(per_thread.contains("! one after the other for each thread") && per_thread.contains("help: "), "{page}");
    // Every mark of cost is followed by advice.
    for (line, next) in page.lines().zip(page.lines().skip(1)) {
        assert!(!line.contains("|   ! ") || next.contains("help: "), "{page}");
    }
    let json = explain(&[&name, "k", "--json"]);
    assert_eq!(json.lines().count(), 1);
    assert!(json.contains("\"kernel\": \"k\", \"threadgroup\": [256, 1, 1]"), "{json}");
    assert!(json.contains("\"remarks\": [{\"id\": \"contiguous-store\"") && json.contains("\"line\": 5"), "{json}");
    let _ = std::fs::remove_file(&file);
}

#[test]
fn what_cannot_be_explained_is_an_error() {
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_metallic")).arg("explain").args(arguments).output();
        let output = output.expect("the program starts");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(run(&["/nowhere.metal"]).0, Some(1));
    assert_eq!(run(&[KERNELS, "--threadgroup", "wide"]).0, Some(2));
    let (code, message) = run(&[KERNELS, "no_such_kernel"]);
    assert!(code == Some(1) && message.contains("no_such_kernel"), "{message}");
    let (code, message) = run(&[KERNELS, "--device", "null"]);
    assert!(code == Some(1) && message.contains("cannot explain"), "{message}");
    let (code, message) = run(&[KERNELS, "saxpy", "--threadgroup", "4096"]);
    assert!(code == Some(1) && message.contains("4096"), "{message}");
}
