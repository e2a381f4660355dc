//! Indices made of the thread's position by bit operations: what is emitted, and that every lane gets its own.

mod common;
use common::*;
use msl_codegen_llvm::{CompileOptions, CpuCompiler, Groups, Isa, TargetOptions};

/// `out[i] = a[j]` or `out[j] = a[i]`, where `%j` is computed from `%i`, the position, and `%u`, a number in a buffer.
fn kernel(ty: &str, index: &str, is_store: bool, under: Option<&str>) -> String {
    let (from, to) = if is_store { ("%i", "%j") } else { ("%j", "%i") };
    let body = format!(
        "  %p = ptr_offset %a, {from}\n  %x: {} = load %p\n  %q = ptr_offset %out, {to}\n  store %q, %x\n",
        ty.trim_start_matches("packed_")
    );
    let body = match under {
        Some(condition) => format!("{condition}\n  if %c {{\n{body}  }}\n"),
        None => body,
    };
    format!(
        "fn f(%a: ptr<device, {ty}>, %out: ptr<device, {ty}>, %pu: ptr<constant, u32>) -> void {{\n  %gid = builtin thread_position_in_grid\n  %i = extract %gid, 0\n  %u = load %pu\n  %one: u32 = const 1\n  %two: u32 = const 2\n  %three: u32 = const 3\n  %four: u32 = const 4\n  %five: u32 = const 5\n  %forty: u32 = const 40\n  %zero: u32 = const 0\n{index}\n{body}}}\nkernel f = @f {{\n  a: buffer 0 device read {ty}\n  out: buffer 1 device read_write {ty}\n  u: buffer 2 constant reference read u32\n}}\n"
    )
}

/// For loads: any places below 1024 for positions below 200.
const LOADS: [&str; 16] = [
    "  %j = xor %i, %u",
    "  %j = or %i, %u",
    "  %j = and %i, %u",
    "  %v = and %u, %three\n  %j = shr %i, %v",
    "  %j = div %i, %four",
    "  %j = rem %i, %four",
    "  %j = xor %i, %one",
    "  %d = shr %i, %three\n  %j = add %d, %five",
    "  %q0 = and %i, %u\n  %j = sub %i, %q0",
    "  %q0 = and %i, %u\n  %t = mul %i, %two\n  %j = sub %t, %q0",
    "  %q0 = and %i, %one\n  %t = mul %i, %two\n  %j = sub %t, %q0",
    "  %t = mul %i, %four\n  %j = or %t, %three",
    "  %t = mul %i, %three\n  %j = xor %t, %five",
    "  %k = add %i, %five\n  %j = xor %k, %u",
    "  %l: u64 = convert %i\n  %m: u64 = convert %u\n  %j = xor %l, %m",
    "  %s: u16 = convert %i\n  %m: u16 = convert %u\n  %j = xor %s, %m",
];

/// For stores: another place for each position.
const STORES: [&str; 7] = [
    "  %j = xor %i, %u",
    "  %j = xor %i, %one",
    "  %q0 = and %i, %u\n  %t = mul %i, %two\n  %j = sub %t, %q0",
    "  %q0 = and %i, %u\n  %t = mul %i, %two\n  %t1 = sub %t, %q0\n  %j = add %t1, %u",
    "  %q0 = and %i, %three\n  %t = mul %i, %two\n  %t1 = sub %t, %q0\n  %j = add %t1, %five",
    "  %t = mul %i, %two\n  %j = or %t, %one",
    "  %k = add %i, %five\n  %j = xor %k, %u",
];

const TYPES: [(&str, usize); 8] = [
    ("f32", 4),
    ("vec2<f32>", 8),
    ("vec4<u32>", 16),
    ("vec3<f32>", 16),
    ("packed_vec3<f32>", 12),
    ("u8", 1),
    ("f16", 2),
    ("u64", 8),
];

/// With these numbers in the buffer, the interpreter's results, with full threadgroups and smaller ones; for 32-bit
/// elements on every instruction set that this machine has.
fn check_all(source: &str, grid: u32, args: &[Arg], numbers: &[u32], is_small: bool) {
    let sizes = ([grid, 1, 1], [64, 1, 1]);
    let arguments: Vec<Vec<Arg>> = numbers.iter().map(|u| [args, &[u32s(&[*u])]].concat()).collect();
    let expected: Vec<Vec<Arg>> = arguments.iter().map(|a| interpret(source, "f", sizes.0, sizes.1, a)).collect();
    let names: &[&str] = if is_small { &["host"] } else { &["host", "avx2", "sse4"] };
    for name in names {
        let Ok(isa) = Isa::restricted(name) else { continue };
        let kernel = compile_for(isa, source, "f", &CompileOptions::new([64, 1, 1]));
        for (args, expected) in arguments.iter().zip(&expected) {
            let out = launch(&kernel, sizes.0, sizes.1, args);
            assert_eq!(out.fault, None, "{name}\n{source}");
            assert_eq!(out.args[1].as_bytes(), expected[1].as_bytes(), "{name}\n{source}");
        }
    }
}

fn data(size: usize) -> Arg {
    // Floats of these bytes are finite.
    bytes(&(0..2048 * size).map(|k| (k * 37 % 251) as u8 & 0x3f).collect::<Vec<_>>())
}

#[test]
fn loads_follow_every_pattern() {
    for (ty, size) in TYPES {
        for (k, index) in LOADS.iter().enumerate() {
            // Every second one for other types than float.
            if size != 4 && (k + size / 2) % 2 == 1 {
                continue;
            }
            let source = kernel(ty, index, false, None);
            let numbers = [0, 1, 2, 3, 7, 8, 15, 16, 31, 64, 200];
            check_all(&source, 200, &[data(size), bytes(&vec![0; 200 * size])], &numbers, size != 4);
        }
    }
}

#[test]
fn stores_follow_every_pattern() {
    for (ty, size) in TYPES {
        for (k, index) in STORES.iter().enumerate() {
            let under = (k % 2 == 1).then_some("  %m = rem %i, %three\n  %c = ne %m, %zero");
            if size > 8 && k % 3 != 0 {
                continue;
            }
            let source = kernel(ty, index, true, under);
            let args = [data(size), bytes(&vec![0; 1024 * size])];
            check_all(&source, 150, &args, &[0, 1, 3, 7, 15, 31], size != 4);
        }
    }
}

#[test]
fn what_lies_beyond_the_end_is_not_touched() {
    // The last vectors' windows reach beyond the buffers, their lanes do not.
    for (ty, size) in [("f32", 4), ("vec2<f32>", 8)] {
        for u in [0u32, 1, 3, 7] {
            let source = kernel(ty, STORES[2], true, None);
            let j = |i: u32| 2 * i - (i & u);
            let n = (0..128).map(j).max().unwrap() as usize + 1;
            check_all(&source, 128, &[data(size), bytes(&vec![9; n * size])], &[u], true);
            let source = kernel(ty, LOADS[9], false, None);
            let all = data(size);
            let exact = bytes(&all.as_bytes()[..n * size]);
            check_all(&source, 128, &[exact, bytes(&vec![0; 128 * size])], &[u], true);
            // One less is an error, and the thread is named.
            let short = bytes(&all.as_bytes()[..(n - 1) * size]);
            let k = compile(&source, "f", &CompileOptions::new([64, 1, 1]));
            let out = launch(&k, [128, 1, 1], [64, 1, 1], &[short, bytes(&vec![0; 128 * size]), u32s(&[u])]);
            let (_, group, thread, _) = out.fault.expect("a fault");
            assert_eq!((group, thread), ([1, 0, 0], 63), "{u}");
        }
    }
}

fn entry_ir(isa: Isa, source: &str) -> String {
    let options = CompileOptions { groups: Groups::Full, ..CompileOptions::new([64, 1, 1]) };
    let ir = CpuCompiler::new(TargetOptions { isa }).emit_llvm_ir(&parse(source), "f", &options, true).unwrap();
    let start = ir.find("define void @metallic_kernel").unwrap();
    let end = ir[start..].find("\n}").unwrap();
    ir[start..start + end].to_string()
}

/// The block that a threadgroup without surprises runs loads, shuffles and stores.
#[test]
fn patterns_known_while_compiling_are_shuffles() {
    for (index, is_store) in [
        (LOADS[4], false),
        (LOADS[6], false),
        (LOADS[10], false),
        (STORES[1], true),
        (STORES[4], true),
        (STORES[5], true),
    ] {
        let source = kernel("f32", index, is_store, None);
        let ir = entry_ir(Isa::Avx512, &source);
        let fast = &ir[..ir.find("slow").unwrap_or(ir.len())];
        assert!(fast.contains("shufflevector") || fast.contains("<32 x float>"), "{index}\n{ir}");
        // Only where bounds are not met.
        assert!(ir.matches("masked.gather").count() + ir.matches("masked.scatter").count() <= 2, "{index}\n{ir}");
    }
}

#[test]
fn patterns_known_at_run_time_are_permutes() {
    let ir = entry_ir(Isa::Avx512, &kernel("f32", LOADS[0], false, None));
    assert!(ir.contains("vpermi2var.d.512"), "{ir}");
    let ir = entry_ir(Isa::Avx2, &kernel("f32", LOADS[0], false, None));
    assert!(ir.contains("llvm.x86.avx2.permd"), "{ir}");
    let ir = entry_ir(Isa::Avx512, &kernel("f32", STORES[2], true, None));
    assert!(ir.contains("avx512.permvar.si.512") && ir.contains("masked.store"), "{ir}");
    let avx2 = entry_ir(Isa::Avx2, &kernel("f32", STORES[2], true, None));
    let stored = avx2.find("masked.store").expect("vectors are stored");
    assert!(avx2[..stored].contains("llvm.x86.avx2.permd"), "{avx2}");
    // The places are sought before the loop over gangs: nothing between it and the store compares all lanes.
    let loop_start = avx2[..stored].rfind("\ngang").expect("a loop over gangs");
    assert!(avx2[loop_start..stored].matches("icmp eq <8 x i32>").count() < 8, "{avx2}");
    // What is to be known of the pattern is found out before the loop over gangs.
    let before = &ir[..ir.find("avx512.permvar.si.512").unwrap()];
    let expand = before.rfind("avx512.mask.expand").expect("inverted before");
    assert!(before[expand..].contains("\ngang"), "{ir}");
}

/// For rows of `%u` elements: lanes in a few of them.
const ROWS: [&str; 5] = [
    "  %seven: u32 = const 7\n  %x0 = and %i, %seven\n  %y0 = shr %i, %three\n  %r = mul %y0, %u\n  %j = add %r, %x0",
    "  %seven: u32 = const 7\n  %x0 = and %i, %seven\n  %y0 = shr %i, %three\n  %r = mul %u, %y0\n  %x1 = xor %x0, %five\n  %j = add %x1, %r",
    "  %x0 = and %i, %three\n  %y0 = shr %i, %two\n  %y1 = and %y0, %three\n  %r = mul %y1, %u\n  %x1 = mul %x0, %two\n  %j = add %r, %x1",
    "  %x0 = and %i, %three\n  %y0 = shr %i, %two\n  %l: u64 = convert %y0\n  %m: u64 = convert %u\n  %k: u64 = convert %x0\n  %r = mul %l, %m\n  %j = add %r, %k",
    "  %seven: u32 = const 7\n  %fifteen: u32 = const 15\n  %w = and %u, %fifteen\n  %x0 = and %i, %seven\n  %y0 = shr %i, %three\n  %r = mul %y0, %w\n  %j = sub %r, %x0\n  %j1 = add %j, %seven",
];

#[test]
fn lanes_in_rows_get_their_own() {
    for (ty, size) in TYPES {
        for (k, index) in ROWS.iter().enumerate() {
            if size != 4 && k % 2 == 1 {
                continue;
            }
            let index = index.replace("%j1 = add %j,", "%j = add %j0,").replace("%j = sub", "%j0 = sub");
            let source = kernel(ty, &index, false, None);
            check_all(&source, 150, &[data(size), bytes(&vec![0; 150 * size])], &[0, 1, 8, 13, 16, 40], size != 4);
            if k == 4 {
                continue;
            }
            // Rows that do not overlap.
            let under = (k == 1).then_some("  %m = rem %i, %three\n  %c = ne %m, %zero");
            let source = kernel(ty, &index, true, under);
            let (n, widths): (u32, &[u32]) = if k == 2 { (16, &[8, 13, 40]) } else { (150, &[8, 13, 40]) };
            check_all(&source, n, &[data(size), bytes(&vec![0; 2048 * size])], widths, size != 4);
        }
    }
}

#[test]
fn rows_at_the_end_of_a_buffer_are_read_to_its_end() {
    for (ty, size) in [("f32", 4), ("vec2<f32>", 8), ("f16", 2)] {
        let source = kernel(ty, ROWS[0], false, None);
        let n = (127 / 8 * 13 + 7 + 1) as usize;
        let all = data(size);
        let exact = bytes(&all.as_bytes()[..n * size]);
        check_all(&source, 128, &[exact, bytes(&vec![0; 128 * size])], &[13], false);
        let short = bytes(&all.as_bytes()[..(n - 1) * size]);
        let k = compile(&source, "f", &CompileOptions::new([64, 1, 1]));
        let out = launch(&k, [128, 1, 1], [64, 1, 1], &[short, bytes(&vec![0; 128 * size]), u32s(&[13])]);
        let (_, group, thread, _) = out.fault.expect("a fault");
        assert_eq!((group, thread), ([1, 0, 0], 63));
    }
}

#[test]
fn small_threadgroups_of_two_dimensions_access_rows() {
    let source = "fn f(%a: ptr<device, f32>, %out: ptr<device, f32>, %pu: ptr<constant, u32>) -> void {
  %gid = builtin thread_position_in_grid
  %x = extract %gid, 0
  %y = extract %gid, 1
  %u = load %pu
  %r = mul %y, %u
  %j = add %r, %x
  %p = ptr_offset %a, %j
  %v = load %p
  %w = add %v, %v
  %q = ptr_offset %out, %j
  store %q, %w
}
kernel f = @f {
  a: buffer 0 device read f32
  out: buffer 1 device read_write f32
  u: buffer 2 constant reference read u32
}
";
    let args = [data(4), bytes(&[0; 4096]), u32s(&[20])];
    for (grid, group) in
        [([16, 16, 1], [8, 8, 1]), ([13, 11, 1], [8, 8, 1]), ([16, 16, 1], [4, 16, 1]), ([12, 6, 1], [2, 2, 1])]
    {
        check(source, "f", grid, group, &args);
    }
    let options = CompileOptions { groups: Groups::Full, ..CompileOptions::new([8, 8, 1]) };
    let c = CpuCompiler::new(TargetOptions { isa: Isa::Avx512 });
    let ir = c.emit_llvm_ir(&parse(source), "f", &options, true).unwrap();
    assert!(ir.contains("load <8 x float>") && ir.contains("store <8 x float>"), "{ir}");
}

#[test]
fn elements_may_overlap_those_of_neighbors() {
    for (ty, n) in [("packed_vec2<f32>", 2), ("packed_vec3<f32>", 3)] {
        for index in ["%i", "%h", "%t"] {
            let source = format!(
                "fn f(%a: ptr<device, f32>, %out: ptr<device, {ty}>) -> void {{\n  %gid = builtin thread_position_in_grid\n  %i = extract %gid, 0\n  %one: u32 = const 1\n  %h = shr %i, %one\n  %t = mul %i, %one\n  %p = ptr_offset %a, {index}\n  %w: ptr<device, {ty}> = ptr_cast %p\n  %x: vec{n}<f32> = load %w\n  %q = ptr_offset %out, %i\n  store %q, %x\n}}\nkernel f = @f {{\n  a: buffer 0 device read f32\n  out: buffer 1 device read_write {ty}\n}}\n"
            );
            check(&source, "f", [100, 1, 1], [64, 1, 1], &[data(4), bytes(&vec![0; 100 * 4 * n])]);
        }
    }
}

#[test]
fn vectors_go_anywhere_in_units_of_eight_bytes() {
    for (ty, size) in [
        ("vec2<f32>", 8),
        ("vec4<f32>", 16),
        ("packed_vec3<f32>", 12),
        ("vec4<u8>", 4),
        ("vec2<f16>", 4),
        ("vec4<f16>", 8),
        ("vec3<u8>", 4),
        ("vec2<u64>", 16),
    ] {
        let value = ty.trim_start_matches("packed_");
        for to in [("%i", "%j"), ("%j", "%i")] {
            let source = format!(
                "fn f(%a: ptr<device, {ty}>, %out: ptr<device, {ty}>, %b: ptr<device, u32>) -> void {{\n  %gid = builtin thread_position_in_grid\n  %i = extract %gid, 0\n  %pb = ptr_offset %b, %i\n  %j = load %pb\n  %p = ptr_offset %a, {}\n  %x: {value} = load %p\n  %q = ptr_offset %out, {}\n  store %q, %x\n}}\nkernel f = @f {{\n  a: buffer 0 device read {ty}\n  out: buffer 1 device read_write {ty}\n  b: buffer 2 device read u32\n}}\n",
                to.0, to.1
            );
            let index: Vec<u32> = (0..100).map(|i| (i * 37 + 5) % 100).collect();
            check(&source, "f", [100, 1, 1], [64, 1, 1], &[data(size), bytes(&vec![0; 100 * size]), u32s(&index)]);
        }
    }
}

#[test]
fn fields_of_structures_are_vectors() {
    let source = "struct P size 16 align 4 {
  x: f32 @0
  y: f32 @4
  z: f32 @8
  w: f32 @12
}
fn f(%s: ptr<device, P>) -> void {
  %gid = builtin thread_position_in_grid
  %i = extract %gid, 0
  %p = ptr_offset %s, %i
  %px = field_addr %p, 0
  %py = field_addr %p, 1
  %pz = field_addr %p, 2
  %pw = field_addr %p, 3
  %x = load %px
  %x1 = add %x, %x
  store %px, %x1
  %y = load %py
  %y1 = mul %y, %x
  store %py, %y1
  %z = load %pz
  %w = load %pw
  store %pz, %w
  store %pw, %z
}
kernel f = @f {
  s: buffer 0 device read_write f32
}
";
    check(source, "f", [100, 1, 1], [64, 1, 1], &[bytes(&data(4).as_bytes()[..1600])]);
    let ir = entry_ir(Isa::Avx512, source);
    assert!(!ir.contains("masked.scatter") && !ir.contains("masked.gather"), "{ir}");
}
