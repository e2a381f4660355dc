//! Random structured programs, against the interpreter: divergence in every construct, barriers,
//! simdgroup operations, private arrays. `METALLIC_FUZZ=n` runs more of them, `METALLIC_SEED=s` one.

mod common;
use common::*;
use msl_codegen_llvm::{CompileOptions, Groups, Isa, Quick};
use std::fmt::Write;

struct Generator {
    s: u64,
    text: String,
    indent: usize,
    next: u32,
    /// Statements left.
    budget: i32,
    /// Labels one can break, and whether one can continue them.
    labels: Vec<(u32, bool)>,
    labels_used: u32,
    barriers: bool,
    simd: bool,
    /// All threads are here together, by construction.
    uniform: bool,
}

impl Generator {
    fn rand(&mut self, n: u32) -> u32 {
        self.s ^= self.s << 13;
        self.s ^= self.s >> 7;
        self.s ^= self.s << 17;
        ((self.s >> 33) as u32) % n
    }
    fn line(&mut self, text: &str) {
        for _ in 0..self.indent {
            self.text.push_str("  ");
        }
        self.text.push_str(text);
        self.text.push('\n');
    }
    fn value(&mut self, op: &str) -> String {
        self.next += 1;
        let name = format!("%v{}", self.next);
        self.line(&format!("{name}: u32 = {op}"));
        name
    }
    fn flag(&mut self, op: &str) -> String {
        self.next += 1;
        let name = format!("%b{}", self.next);
        self.line(&format!("{name}: bool = {op}"));
        name
    }
    fn constant(&mut self, n: u32) -> String {
        self.value(&format!("const {n}"))
    }
    /// An expression that is the same in all threads.
    fn uniform_leaf(&mut self) -> String {
        match self.rand(3) {
            0 => "%group".into(),
            1 => "%n".into(),
            _ => {
                let n = self.rand(20);
                self.constant(n)
            }
        }
    }
    fn leaf(&mut self) -> String {
        match self.rand(8) {
            0 => "%lid".into(),
            1 => "%x".into(),
            2 => "%y".into(),
            3 => self.uniform_leaf(),
            4 => {
                let i = self.leaf_index(4);
                let p = self.pointer(&format!("index_addr %array, {i}"), "thread");
                self.value(&format!("load {p}"))
            }
            k => {
                let l = k % 4;
                self.value(&format!("load %l{l}"))
            }
        }
    }
    fn pointer(&mut self, op: &str, space: &str) -> String {
        self.next += 1;
        let name = format!("%p{}", self.next);
        self.line(&format!("{name}: ptr<{space}, u32> = {op}"));
        name
    }
    fn leaf_index(&mut self, n: u32) -> String {
        let v = match self.rand(4) {
            0 => "%lid".to_string(),
            1 => {
                let l = self.rand(4);
                self.value(&format!("load %l{l}"))
            }
            _ => self.uniform_leaf(),
        };
        let c = self.constant(n - 1);
        self.value(&format!("and {v}, {c}"))
    }
    fn expression(&mut self, depth: u32) -> String {
        if depth == 0 || self.rand(4) == 0 {
            return self.leaf();
        }
        if self.simd && self.rand(6) == 0 {
            let a = self.expression(depth - 1);
            return match self.rand(7) {
                0 => self.value(&format!("simd.reduce_add {a}")),
                1 => self.value(&format!("simd.reduce_max {a}")),
                2 => self.value(&format!("simd.exclusive_add {a}")),
                3 => self.value(&format!("simd.broadcast_first {a}")),
                4 => {
                    // Reading a thread that is off is unspecified: read oneself through the ballot.
                    let b = self.flag(&format!("lt {a}, %n"));
                    self.next += 1;
                    let w = format!("%w{}", self.next);
                    self.line(&format!("{w}: u64 = simd.ballot {b}"));
                    self.value(&format!("convert {w}"))
                }
                5 => {
                    let b = self.flag("simd.is_first");
                    self.value(&format!("convert {b}"))
                }
                _ => self.value(&format!("simd.reduce_xor {a}")),
            };
        }
        let (a, b) = (self.expression(depth - 1), self.expression(depth - 1));
        let op = ["add", "sub", "mul", "and", "or", "xor", "min", "max", "shr"][self.rand(9) as usize];
        self.value(&format!("{op} {a}, {b}"))
    }
    fn condition(&mut self) -> String {
        let uniform = self.rand(3) == 0;
        let (a, b) =
            if uniform { (self.uniform_leaf(), self.uniform_leaf()) } else { (self.expression(1), self.expression(1)) };
        let op = ["lt", "ge", "eq", "ne"][self.rand(4) as usize];
        self.flag(&format!("{op} {a}, {b}"))
    }
    fn block(&mut self, depth: u32) {
        self.indent += 1;
        let n = 1 + self.rand(4);
        for _ in 0..n {
            if !self.statement(depth) {
                break;
            }
        }
        self.indent -= 1;
    }
    /// One statement; false after a terminator.
    fn statement(&mut self, depth: u32) -> bool {
        self.budget -= 1;
        if self.budget < 0 {
            return true;
        }
        let uniform = self.uniform;
        match self.rand(if depth == 0 { 7 } else { 14 }) {
            0..=2 => {
                let v = self.expression(2);
                let l = self.rand(4);
                self.line(&format!("store %l{l}, {v}"));
            }
            3 => {
                let (i, v) = (self.leaf_index(4), self.expression(1));
                let p = self.pointer(&format!("index_addr %array, {i}"), "thread");
                self.line(&format!("store {p}, {v}"));
            }
            4 if self.barriers && uniform => {
                // Each thread writes its own element, then reads its neighbor's.
                let v = self.expression(1);
                self.line("barrier threadgroup [threadgroup]");
                self.line(&format!("store %mine, {v}"));
                self.line("barrier threadgroup [threadgroup]");
                let o = self.expression(1);
                let mask = self.constant(63);
                let i = self.value(&format!("and {o}, {mask}"));
                let i = self.value(&format!("rem {i}, %count"));
                let p = self.pointer(&format!("index_addr %tile, {i}"), "threadgroup");
                let w = self.value(&format!("load {p}"));
                let l = self.rand(4);
                self.line(&format!("store %l{l}, {w}"));
                self.line("barrier threadgroup [threadgroup]");
            }
            4 | 5 => {
                let v = self.expression(1);
                let l = self.rand(4);
                let old = self.value(&format!("load %l{l}"));
                let sum = self.value(&format!("add {old}, {v}"));
                self.line(&format!("store %l{l}, {sum}"));
            }
            6 => {
                if let Some(k) = self.labels.len().checked_sub(1)
                    && !uniform
                {
                    let c = self.condition();
                    let at = self.rand(k as u32 + 1) as usize;
                    let (label, can_continue) = self.labels[at];
                    let what = match self.rand(5) {
                        0 | 1 if can_continue => format!("continue l{label}"),
                        2 if !self.barriers && self.rand(3) == 0 => "return".into(),
                        _ => format!("break l{label}"),
                    };
                    if self.rand(2) == 0 {
                        self.line(&format!("if {c} {{ {what} }}"));
                    } else {
                        self.line(&format!("if {c} {{"));
                        self.indent += 1;
                        let v = self.expression(1);
                        let l = self.rand(4);
                        self.line(&format!("store %l{l}, {v}"));
                        self.line(&what);
                        self.indent -= 1;
                        self.line("}");
                    }
                }
            }
            7..=9 => {
                let (c, is_uniform) = if self.rand(3) == 0 {
                    let (a, b) = (self.uniform_leaf(), self.uniform_leaf());
                    (self.flag(&format!("lt {a}, {b}")), true)
                } else {
                    (self.condition(), false)
                };
                self.uniform = uniform && is_uniform;
                self.line(&format!("if {c} {{"));
                self.block(depth - 1);
                if self.rand(2) == 0 {
                    self.line("} else {");
                    self.block(depth - 1);
                }
                self.line("}");
                self.uniform = uniform;
            }
            10 | 11 => {
                // At most a handful of iterations, counted in a local of the loop's own.
                self.labels_used += 1;
                let l = self.labels_used;
                let is_uniform = self.rand(2) == 0;
                let limit = if is_uniform {
                    let u = self.uniform_leaf();
                    let c = self.constant(3);
                    self.value(&format!("and {u}, {c}"))
                } else {
                    let u = self.expression(1);
                    let c = self.constant(7);
                    self.value(&format!("and {u}, {c}"))
                };
                self.line(&format!("store %i{}, %zero", l % 6));
                self.uniform = uniform && is_uniform;
                self.line(&format!("loop l{l} {{"));
                self.indent += 1;
                let i = self.value(&format!("load %i{}", l % 6));
                let done = self.flag(&format!("ge {i}, {limit}"));
                self.line(&format!("if {done} {{ break l{l} }}"));
                self.labels.push((l, true));
                self.indent -= 1;
                // The counter must not be shared with a loop nested six deep.
                self.block(depth - 1);
                self.labels.pop();
                self.line("} continuing {");
                self.indent += 1;
                let i = self.value(&format!("load %i{}", l % 6));
                let one = self.constant(1);
                let j = self.value(&format!("add {i}, {one}"));
                self.line(&format!("store %i{}, {j}", l % 6));
                self.indent -= 1;
                self.line("}");
                self.uniform = uniform;
            }
            12 => {
                self.labels_used += 1;
                let l = self.labels_used;
                self.uniform = false;
                self.line(&format!("scope l{l} {{"));
                self.labels.push((l, false));
                self.block(depth - 1);
                self.labels.pop();
                self.line("}");
                self.uniform = uniform;
            }
            _ => {
                self.labels_used += 1;
                let l = self.labels_used;
                let v = if self.rand(2) == 0 { self.uniform_leaf() } else { self.expression(1) };
                let c = self.constant(3);
                let v = self.value(&format!("and {v}, {c}"));
                self.uniform = false;
                self.line(&format!("switch l{l} {v} {{"));
                self.labels.push((l, false));
                for case in ["case 0", "case 1, 2", "case default"] {
                    self.line(&format!("{case} {{"));
                    self.block(depth - 1);
                    if self.rand(3) > 0 {
                        self.line(&format!("  break l{l}"));
                    }
                    self.line("}");
                }
                self.labels.pop();
                self.line("}");
                self.uniform = uniform;
            }
        }
        true
    }
}

fn program(seed: u64, barriers: bool, simd: bool) -> String {
    let mut g = Generator {
        s: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
        text: String::new(),
        indent: 1,
        next: 0,
        budget: 30,
        labels: Vec::new(),
        labels_used: 0,
        barriers,
        simd,
        uniform: true,
    };
    for _ in 0..8 {
        g.rand(2);
    }
    let mut head = String::new();
    let _ = writeln!(head, "global tile: array<u32, 1024> threadgroup\n");
    let _ = writeln!(head, "fn f(%out: ptr<device, u32>, %pn: ptr<constant, u32>) -> void {{");
    for i in 0..4 {
        let _ = writeln!(head, "  local a{i}: u32");
    }
    for i in 0..6 {
        let _ = writeln!(head, "  local c{i}: u32");
    }
    let _ = writeln!(head, "  local arr: array<u32, 4>");
    for line in [
        "%gid = builtin thread_position_in_grid",
        "%x = extract %gid, 0",
        "%y = extract %gid, 1",
        "%z = extract %gid, 2",
        "%groups = builtin threadgroup_position_in_grid",
        "%group = extract %groups, 0",
        "%lid = builtin thread_index_in_threadgroup",
        "%sizes = builtin threads_per_threadgroup",
        "%sx = extract %sizes, 0",
        "%sy = extract %sizes, 1",
        "%sz = extract %sizes, 2",
        "%sxy = mul %sx, %sy",
        "%count = mul %sxy, %sz",
        "%n = load %pn",
        "%zero: u32 = const 0",
        "%array = local_addr arr",
        "%tile = global_addr @tile",
        "%mine: ptr<threadgroup, u32> = index_addr %tile, %lid",
    ] {
        let _ = writeln!(head, "  {line}");
    }
    for i in 0..4 {
        let _ = writeln!(head, "  %l{i} = local_addr a{i}\n  store %l{i}, %zero");
        let _ = writeln!(
            head,
            "  %e{i}: u32 = const {i}\n  %pe{i}: ptr<thread, u32> = index_addr %array, %e{i}\n  store %pe{i}, %lid"
        );
    }
    for i in 0..6 {
        let _ = writeln!(head, "  %i{i} = local_addr c{i}\n  store %i{i}, %zero");
    }
    head.push_str("  scope l0 {\n");
    g.indent = 2;
    for _ in 0..8 {
        g.statement(3);
    }
    let mut tail = String::from("  }\n");
    // Everything ends up in the output, so that nothing is dead.
    tail.push_str("  %gs = builtin threads_per_grid\n  %gw = extract %gs, 0\n  %gh = extract %gs, 1\n");
    tail.push_str("  %zz = mul %z, %gh\n  %yy = add %zz, %y\n  %row = mul %yy, %gw\n  %at = add %row, %x\n  %eight: u32 = const 8\n  %base = mul %at, %eight\n");
    for i in 0..8 {
        let _ =
            writeln!(tail, "  %o{i}: u32 = const {i}\n  %at{i} = add %base, %o{i}\n  %po{i} = ptr_offset %out, %at{i}");
        if i < 4 {
            let _ = writeln!(tail, "  %r{i} = load %l{i}");
        } else {
            let _ = writeln!(tail, "  %r{i} = load %pe{}", i - 4);
        }
        let _ = writeln!(tail, "  store %po{i}, %r{i}");
    }
    format!(
        "{head}{}{tail}}}\nkernel f = @f {{\n  out: buffer 0 device read_write u32\n  n: buffer 1 constant reference read u32\n}}\n",
        g.text
    )
}

type Sizes = ([u32; 3], [u32; 3]);

fn configuration(seed: u64) -> (Sizes, u32) {
    let shapes: [Sizes; 6] = [
        ([64, 2, 1], [32, 2, 1]),
        ([32, 8, 1], [16, 8, 1]),
        ([14, 10, 3], [7, 5, 3]),
        ([70, 1, 1], [64, 1, 1]),
        ([5, 1, 1], [1, 1, 1]),
        ([20, 9, 1], [16, 4, 1]),
    ];
    (shapes[(seed / 7) as usize % shapes.len()], (seed % 11) as u32)
}

/// Ways to compile.
const VARIANTS: usize = if cfg!(target_arch = "x86_64") { 7 } else { 3 };

/// What is wrong with the code for a program, if anything.
fn mistake(source: &str, sizes: Sizes, n: u32) -> Option<String> {
    (0..VARIANTS).find_map(|k| mistake_in(source, sizes, n, k))
}

fn mistake_in(source: &str, (grid, tg): Sizes, n: u32, variant: usize) -> Option<String> {
    let threads: u32 = grid.iter().product();
    let args = [u32s(&vec![0; threads as usize * 8]), u32s(&[n])];
    // Programs that do not end are of no use.
    let expected = interpret_with(source, "f", grid, tg, &args, 0).ok()?[0].as_u32();
    let base = CompileOptions::new(tg);
    let options = match variant {
        0 => base,
        1 => CompileOptions { run_passes: false, ..base },
        3 | 4 => base,
        5 => CompileOptions { quick: Quick::IfBrief, groups: Groups::Any, ..base },
        6 => CompileOptions { quick: Quick::Always, ..base },
        _ => CompileOptions { run_passes: false, parts: Some(4), ..base },
    };
    {
        let isa = match variant {
            3 => Isa::Avx2,
            4 => Isa::Sse4,
            _ => Isa::Host,
        };
        let kernel = compile_for(isa, source, "f", &options);
        let out = launch(&kernel, grid, tg, &args);
        if out.fault.is_some() {
            return Some(format!("fault {:?}, {options:?}", out.fault));
        }
        let got = out.args[0].as_u32();
        if let Some(i) = (0..got.len()).find(|i| got[*i] != expected[*i]) {
            return Some(format!(
                "thread {} value {}: {:#x} instead of {:#x}, {options:?}",
                i / 8,
                i % 8,
                got[i],
                expected[i]
            ));
        }
    }
    None
}

/// Leaves out lines for as long as the mistake stays.
fn reduce(source: &str, sizes: Sizes, n: u32) -> String {
    let k = (0..VARIANTS).rev().find(|k| mistake_in(source, sizes, n, *k).is_some()).unwrap_or(0);
    std::panic::set_hook(Box::new(|_| {}));
    let wrong = |lines: &[&str]| {
        let text = lines.join("\n");
        let valid = msl_ir::text::parse(&text).is_ok_and(|m| msl_ir::verify(&m).is_ok());
        let defined = || {
            let threads: u32 = sizes.0.iter().product();
            let args = [u32s(&vec![0; threads as usize * 8]), u32s(&[n])];
            let run = |poison| interpret_with(&text, "f", sizes.0, sizes.1, &args, poison).map(|a| a[0].as_u32());
            run(0) == run(0xa5)
        };
        valid && std::panic::catch_unwind(|| defined() && mistake_in(&text, sizes, n, k).is_some()).unwrap_or(false)
    };
    let mut lines: Vec<&str> = source.lines().collect();
    let mut size = 64;
    while size > 0 {
        let mut changed = false;
        let mut i = 0;
        while i < lines.len() {
            let mut fewer = lines.clone();
            fewer.drain(i..(i + size).min(lines.len()));
            if wrong(&fewer) {
                lines = fewer;
                changed = true;
            } else {
                i += size.div_ceil(2);
            }
        }
        if !changed || size > 1 {
            size /= 2;
        }
    }
    let _ = std::panic::take_hook();
    lines.join("\n")
}

fn try_one(seed: u64) {
    let source = program(seed, seed % 3 == 1, seed % 2 == 1);
    let (sizes, n) = configuration(seed);
    if let Some(m) = mistake(&source, sizes, n) {
        let shorter = if std::env::var_os("METALLIC_REDUCE").is_some() { reduce(&source, sizes, n) } else { source };
        let now = mistake(&shorter, sizes, n);
        panic!("seed {seed}: {m}\nnow {now:?}\n{shorter}\nsizes {sizes:?}, n {n}");
    }
}

#[test]
fn random_programs_do_what_the_interpreter_does() {
    if let Ok(s) = std::env::var("METALLIC_SEED") {
        return try_one(s.parse().unwrap());
    }
    let first = std::env::var("METALLIC_FIRST").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    let n: u64 = std::env::var("METALLIC_FUZZ").ok().and_then(|s| s.parse().ok()).unwrap_or(40);
    for seed in first..first + n {
        eprintln!("seed {seed}");
        try_one(seed);
    }
}
