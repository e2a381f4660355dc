//! Memory: faults, vectors of every layout, strides, atomics, simdgroup permutations.

mod common;
use common::*;
use msl_codegen_llvm::{CompileOptions, CpuCompiler, FaultKind, Groups, Isa, TargetOptions};

/// A kernel over `out` and inputs with a body between the position and the end.
fn kernel(params: &str, bindings: &str, locals: &str, body: &str) -> String {
    format!(
        "global tile: array<u32, 256> threadgroup\nfn f({params}) -> void {{\n{locals}\n  %gid = builtin thread_position_in_grid\n  %i = extract %gid, 0\n  %lid = builtin thread_index_in_threadgroup\n{body}\n}}\nkernel f = @f {{\n{bindings}\n}}\n"
    )
}

#[test]
fn an_access_past_the_end_is_reported_and_harmless() {
    for (index, first_bad) in [("%i", 40u32), ("%far", 0), ("%twice", 20)] {
        let source = kernel(
            "%a: ptr<device, u32>, %out: ptr<device, u32>",
            "  a: buffer 0 device read u32\n  out: buffer 1 device read_write u32",
            "",
            &format!(
                "  %c: u32 = const 1000000\n  %far = add %i, %c\n  %two: u32 = const 2\n  %twice = mul %i, %two\n  %p = ptr_offset %a, {index}\n  %x = load %p\n  %q = ptr_offset %out, %i\n  store %q, %x"
            ),
        );
        let a: Vec<u32> = (0..40).collect();
        for parts in [None, Some(4)] {
            let k = compile(&source, "f", &CompileOptions { parts, ..CompileOptions::new([64, 1, 1]) });
            let out = launch(&k, [64, 1, 1], [64, 1, 1], &[u32s(&a), u32s(&[7; 64])]);
            let (site, group, thread, _) = out.fault.expect("a fault");
            assert_eq!((group, thread), ([0, 0, 0], first_bad), "{index}");
            assert_eq!(k.sites[site as usize].kind, FaultKind::Read);
            assert_eq!(k.sites[site as usize].param, Some(0));
        }
    }
}

#[test]
fn a_write_past_the_end_changes_nothing_else() {
    let source = kernel(
        "%out: ptr<device, u32>",
        "  out: buffer 0 device read_write u32",
        "",
        "  %q = ptr_offset %out, %i\n  store %q, %i",
    );
    let k = compile(&source, "f", &CompileOptions::new([64, 1, 1]));
    let mut memory = vec![9u32; 64];
    // Only half of the memory is given to the kernel.
    let mut half: Vec<u8> = memory[..32].iter().flat_map(|x| x.to_le_bytes()).collect();
    half.truncate(33 * 4 - 4);
    let out = launch(&k, [64, 1, 1], [64, 1, 1], &[bytes(&half)]);
    let (site, _, thread, offset) = out.fault.expect("a fault");
    assert_eq!((k.sites[site as usize].kind, thread, offset), (FaultKind::Write, 32, 128));
    assert_eq!(out.args[0].as_u32(), (0..32).collect::<Vec<u32>>());
    memory.clear();
}

#[test]
fn a_loop_that_runs_past_the_end_names_its_thread() {
    // The checks of the loop are done before it, fail, and the careful version finds the culprit.
    let source = kernel(
        "%a: ptr<device, f32>, %out: ptr<device, f32>, %pn: ptr<constant, u32>",
        "  a: buffer 0 device read f32\n  out: buffer 1 device read_write f32\n  n: buffer 2 constant reference read u32",
        "  local k: u32\n  local sum: f32",
        "  %n = load %pn\n  %pk = local_addr k\n  %ps = local_addr sum\n  %zero: u32 = const 0\n  %fz: f32 = const 0.0\n  %one: u32 = const 1\n  store %pk, %zero\n  store %ps, %fz\n  loop l0 {\n    %k = load %pk\n    %more = lt %k, %n\n    if %more { } else { break l0 }\n    %w = mul %i, %n\n    %at = add %w, %k\n    %p = ptr_offset %a, %at\n    %x = load %p\n    %s = load %ps\n    %t = add %s, %x\n    store %ps, %t\n  } continuing {\n    %k1 = load %pk\n    %k2 = add %k1, %one\n    store %pk, %k2\n  }\n  %q = ptr_offset %out, %i\n  %r = load %ps\n  store %q, %r",
    );
    let a: Vec<f32> = (0..64 * 8).map(|i| i as f32).collect();
    let k = compile(&source, "f", &CompileOptions::new([64, 1, 1]));
    let good = launch(&k, [64, 1, 1], [64, 1, 1], &[f32s(&a), f32s(&[0.0; 64]), u32s(&[8])]);
    assert_eq!(good.fault, None);
    let expect: Vec<f32> = (0..64).map(|i| (0..8).map(|k| (i * 8 + k) as f32).sum()).collect();
    assert_eq!(good.args[1].as_f32(), expect);
    let bad = launch(&k, [64, 1, 1], [64, 1, 1], &[f32s(&a[..60 * 8]), f32s(&[0.0; 64]), u32s(&[8])]);
    assert_eq!(bad.fault.expect("a fault").2, 60);
}

#[test]
fn vectors_in_every_layout() {
    for elem in ["f32", "u8", "i16", "f16", "u64", "u32"] {
        for (ty, n) in [("vec2", 2), ("vec3", 3), ("vec4", 4), ("packed_vec3", 3), ("packed_vec2", 2)] {
            let value = ty.trim_start_matches("packed_");
            let source = kernel(
                &format!("%a: ptr<device, {ty}<{elem}>>, %out: ptr<device, {ty}<{elem}>>, %b: ptr<device, u32>"),
                &format!(
                    "  a: buffer 0 device read {ty}<{elem}>\n  out: buffer 1 device read_write {ty}<{elem}>\n  b: buffer 2 device read u32"
                ),
                "",
                &format!(
                    "  %p = ptr_offset %a, %i\n  %x: {value}<{elem}> = load %p\n  %pb = ptr_offset %b, %i\n  %j = load %pb\n  %q = ptr_offset %a, %j\n  %y: {value}<{elem}> = load %q\n  %z = add %x, %y\n  %o = ptr_offset %out, %i\n  store %o, %z"
                ),
            );
            let size = match elem {
                "u8" => 1,
                "i16" | "f16" => 2,
                "u64" => 8,
                _ => 4,
            };
            let stride = size * if ty == "vec3" { 4 } else { n };
            let count = 100usize;
            // Small numbers, so that floats stay finite.
            let data: Vec<u8> =
                (0..count * stride).map(|i| if i % size == size - 1 { 0x3c } else { (i * 31) as u8 }).collect();
            let index: Vec<u32> = (0..count as u32).map(|i| (i * 37 + 5) % count as u32).collect();
            let args = [bytes(&data), bytes(&vec![0; count * stride]), u32s(&index)];
            check(&source, "f", [count as u32, 1, 1], [32, 1, 1], &args);
        }
    }
}

#[test]
fn atomics_count_every_thread() {
    for (op, ty) in [
        ("add", "u32"),
        ("max", "u32"),
        ("min", "i32"),
        ("xor", "u32"),
        ("or", "u32"),
        ("and", "u32"),
        ("sub", "i32"),
        ("add", "u64"),
        ("max", "u64"),
    ] {
        for condition in [false, true] {
            // To one place and to sixteen, with and without lanes switched off.
            let act = format!(
                "  %v: {ty} = convert %i\n  %five: u32 = const 15\n  %s = and %i, %five\n  %one: u32 = const 1\n  %s1 = add %s, %one\n  %p1 = ptr_offset %out, %s1\n  atomic.{op} %p1, %v device\n  atomic.{op} %out, %v device"
            );
            let body = if condition {
                format!(
                    "  %three: u32 = const 3\n  %m = rem %i, %three\n  %z: u32 = const 0\n  %c = eq %m, %z\n  if %c {{\n{act}\n  }}"
                )
            } else {
                act
            };
            let source = kernel(
                &format!("%out: ptr<device, {ty}>"),
                &format!("  out: buffer 0 device read_write {ty}"),
                "",
                &body,
            );
            let size = if ty == "u64" { 8 } else { 4 };
            check(&source, "f", [100, 1, 1], [64, 1, 1], &[bytes(&vec![0x5a; 17 * size])]);
        }
    }
}

#[test]
fn float_atomics_add() {
    let source = kernel(
        "%out: ptr<device, f32>",
        "  out: buffer 0 device read_write f32",
        "",
        "  %v: f32 = convert %i\n  atomic.add %out, %v device\n  %one: u32 = const 1\n  %p = ptr_offset %out, %one\n  %old = atomic.add %p, %v device\n  %two: u32 = const 2\n  %j = add %i, %two\n  %q = ptr_offset %out, %j\n  store %q, %old",
    );
    let out = check(&source, "f", [100, 1, 1], [64, 1, 1], &[f32s(&[0.0; 102])]);
    assert_eq!(out[0].as_f32()[0], 4950.0);
}

#[test]
fn threadgroup_atomics_and_compare_exchange() {
    let source = kernel(
        "%out: ptr<device, u32>",
        "  out: buffer 0 device read_write u32",
        "",
        "  %tile = global_addr @tile\n  %z: u32 = const 0\n  %mine = index_addr %tile, %lid\n  store %mine, %z\n  barrier threadgroup [threadgroup]\n  %seven: u32 = const 7\n  %b = and %lid, %seven\n  %p: ptr<threadgroup, u32> = index_addr %tile, %b\n  %one: u32 = const 1\n  atomic.add %p, %lid threadgroup\n  barrier threadgroup [threadgroup]\n  %x = load %mine\n  %old = compare_exchange %out, %z, %one device\n  %was: bool = eq %old, %z\n  %w: u32 = convert %was\n  %i1 = add %i, %one\n  %q = ptr_offset %out, %i1\n  %y = add %x, %w\n  store %q, %y",
    );
    check(&source, "f", [200, 1, 1], [100, 1, 1], &[u32s(&[0; 201])]);
}

#[test]
fn shuffles_in_every_pattern() {
    for ty in ["u32", "f32", "u8", "f16", "u64", "vec3<f32>"] {
        let elem = ty.trim_start_matches("vec3<").trim_end_matches('>');
        let cast = |v: &str, n: &str| format!("  {n}: {elem} = convert {v}\n");
        let value = if ty.starts_with("vec3") {
            format!("{}  %x = splat %x0\n", cast("%i", "%x0")).replace("%x = splat", &format!("%x: {ty} = splat"))
        } else {
            cast("%i", "%x")
        };
        for lane in ["xor %lane, %three", "add %lane, %three", "sub %lane, %three", "and %i, %three", "mul %lane, %i"] {
            let source = kernel(
                &format!("%out: ptr<device, {ty}>"),
                &format!("  out: buffer 0 device read_write {ty}"),
                "",
                &format!(
                    "{value}  %lane = builtin thread_index_in_simdgroup\n  %three: u32 = const 3\n  %to: u32 = {lane}\n  %m: u32 = const 31\n  %tm = and %to, %m\n  %y = simd.shuffle %x, %tm\n  %q = ptr_offset %out, %i\n  store %q, %y"
                ),
            );
            let size = match ty {
                "u8" => 1,
                "f16" => 2,
                "u64" => 8,
                "vec3<f32>" => 16,
                _ => 4,
            };
            check(&source, "f", [128, 1, 1], [64, 1, 1], &[bytes(&vec![0; 128 * size])]);
        }
    }
}

#[test]
fn threadgroup_memory_sized_by_the_host() {
    let source = kernel(
        "%out: ptr<device, u32>, %t: ptr<threadgroup, u32>, %s: ptr<threadgroup, u32>",
        "  out: buffer 0 device read_write u32\n  t: threadgroup 0 read_write u32\n  s: threadgroup 1 read_write u32",
        "",
        "  %p = ptr_offset %t, %lid\n  store %p, %i\n  %k: u32 = const 63\n  %r = sub %k, %lid\n  %ps = ptr_offset %s, %r\n  store %ps, %i\n  barrier threadgroup [threadgroup]\n  %p2 = ptr_offset %t, %r\n  %x = load %p2\n  %ps2 = ptr_offset %s, %lid\n  %y = load %ps2\n  %z = add %x, %y\n  %q = ptr_offset %out, %i\n  store %q, %z",
    );
    check(&source, "f", [128, 1, 1], [64, 1, 1], &[u32s(&[0; 128]), Arg::Threadgroup(256), Arg::Threadgroup(256)]);
}

/// In each simdgroup, of which there are `count` in a threadgroup, the thread `lane` stores a number of its own to a place
/// of the simdgroup's, from `far` on.
fn one_of_many(lane: u32, count: u32, far: u32) -> String {
    kernel(
        "%a: ptr<device, u32>, %out: ptr<device, u32>",
        "  a: buffer 0 device read u32\n  out: buffer 1 device read_write u32",
        "",
        &format!(
            "  %p = ptr_offset %a, %i
  %x = load %p
  %l = builtin thread_index_in_simdgroup
  %k: u32 = const {lane}
  %is = eq %l, %k
  if %is {{
    %group = builtin threadgroup_position_in_grid
    %g = extract %group, 0
    %count: u32 = const {count}
    %first = mul %g, %count
    %s = builtin simdgroup_index_in_threadgroup
    %place = add %first, %s
    %far: u32 = const {far}
    %at = add %place, %far
    %q = ptr_offset %out, %at
    store %q, %x
  }}"
        ),
    )
}

#[test]
fn one_thread_of_many_stores_for_all() {
    let a: Vec<u32> = (0..256).map(|i| 1000 + i * i).collect();
    for lane in [0, 5, 16, 31, 32] {
        // Where a grid ends, the lane may be missing.
        for (threads, threadgroup) in [(256, 64), (230, 96), (20, 32)] {
            let source = one_of_many(lane, threadgroup / 32, 0);
            check(&source, "f", [threads, 1, 1], [threadgroup, 1, 1], &[u32s(&a), u32s(&[7; 12])]);
        }
        let k = compile(&one_of_many(lane, 2, 1000), "f", &CompileOptions::new([64, 1, 1]));
        let out = launch(&k, [64, 1, 1], [64, 1, 1], &[u32s(&a), u32s(&[7; 8])]);
        assert_eq!(out.fault.map(|f| f.2), (lane < 32).then_some(lane), "{lane}");
        assert_eq!(out.args[1].as_u32(), [7; 8]);
    }
    for isa in [Isa::Avx512, Isa::Avx2, Isa::Sse4, Isa::Neon] {
        let c = CpuCompiler::new(TargetOptions { isa });
        let options = CompileOptions { groups: Groups::Full, ..CompileOptions::new([64, 1, 1]) };
        let text = c.emit_llvm_ir(&parse(&one_of_many(31, 2, 0)), "f", &options, true).unwrap();
        assert!(!text.contains("scatter"), "{isa:?}: {text}");
    }
}
