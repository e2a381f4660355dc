//! PTX of what Metal leaves undefined and GPUs of others forgive: misaligned accesses, and barriers that only some threads
//! of a simdgroup reach. What it does, `tests/run/forgiven.metal` shows on devices.

use msl_codegen_llvm::{NvptxCompiler, NvptxOptions};
use msl_ir::text;

fn ptx(source: &str, options: &NvptxOptions) -> String {
    let module = text::parse(source).unwrap_or_else(|e| panic!("{e:?}"));
    NvptxCompiler.compile(&module, "f", options).unwrap_or_else(|e| panic!("{e}")).ptx
}

fn options() -> NvptxOptions {
    NvptxOptions { edge_groups: false, ..NvptxOptions::new([64, 1, 1]) }
}

/// Copies four floats from a place that `place` computes as `%from: ptr<device, f32>`.
fn copy_of_four(place: &str) -> String {
    format!(
        r#"
fn f(%in: ptr<device, f32>, %out: ptr<device, vec4<f32>>, %n: ptr<constant, u32>) -> void {{
  %i: vec3<u32> = builtin thread_position_in_grid
  %x = extract %i, 0
  %k = load %n
{place}
  %cast: ptr<device, vec4<f32>> = ptr_cast %from
  %v = load %cast
  %to = ptr_offset %out, %x
  store %to, %v
}}
kernel f = @f {{
  in: buffer 0 device read f32
  out: buffer 1 device write vec4<f32>
  n: buffer 2 constant reference read u32
}}
"#
    )
}

#[test]
fn an_access_that_may_be_misaligned_is_tested_and_done_in_pieces() {
    let code = ptx(&copy_of_four("  %from = ptr_offset %in, %k"), &options());
    assert_eq!(code.matches("ld.global.nc.v4.b32").count(), 1, "{code}");
    // The four pieces.
    assert_eq!(code.matches("ld.global.nc.b32").count(), 1 + 4, "{code}");
}

#[test]
fn an_access_is_not_tested_where_its_form_says_how_it_is_aligned() {
    let four = "  %c4: u32 = const 4\n  %k4 = mul %k, %c4\n  %from = ptr_offset %in, %k4";
    let code = ptx(&copy_of_four(four), &options());
    assert_eq!(code.matches("ld.global.nc.v4.b32").count(), 1, "{code}");
    assert_eq!(code.matches("ld.global.nc.b32").count(), 1, "{code}");
    // Unless the buffer starts anywhere.
    let anywhere = NvptxOptions { aligned: false, ..options() };
    let code = ptx(&copy_of_four(four), &anywhere);
    assert!(code.matches("ld.global.nc.b8").count() >= 16, "{code}");
}

/// A store, a barrier and a load of threadgroup memory by the threads for which `condition` computes `%some: bool`.
fn exchange(condition: &str, flags: &str) -> String {
    format!(
        r#"
global s: array<u32, 64> threadgroup align 4
fn f(%out: ptr<device, u32>) -> void {{
  %lane: u32 = builtin thread_index_in_simdgroup
  %index: u32 = builtin thread_index_in_threadgroup
  %group: u32 = builtin simdgroup_index_in_threadgroup
  %s: ptr<threadgroup, array<u32, 64>> = global_addr @s
  %mine = index_addr %s, %index
  %c3: u32 = const 3
{condition}
  if %some {{
    store %mine, %lane
    barrier threadgroup [{flags}]
    %c63: u32 = const 63
    %other = sub %c63, %index
    %theirs = index_addr %s, %other
    %v = load %theirs
    %to = ptr_offset %out, %index
    store %to, %v
  }} else {{
  }}
}}
kernel f = @f {{
  out: buffer 0 device write u32
}}
"#
    )
}

#[test]
fn threads_that_wait_at_the_end_of_a_branch_come_to_the_barriers_in_it() {
    let code = ptx(&exchange("  %some: bool = lt %lane, %c3", "threadgroup"), &options());
    // At the barrier, and at the end of the branch.
    assert_eq!(code.matches("barrier.sync").count(), 2, "{code}");
    assert!(code.contains("atom.") && code.contains("bar.warp.sync"), "{code}");
    // Warps that come whole need no more than the barrier.
    let code = ptx(&exchange("  %some: bool = lt %group, %c3", "threadgroup"), &options());
    assert_eq!((code.matches("bar.sync").count(), code.matches("barrier.sync").count()), (1, 0), "{code}");
    assert!(!code.contains("atom.shared") && !code.contains("bar.warp.sync"), "{code}");
}

#[test]
fn nobody_waits_at_a_barrier_that_orders_no_memory() {
    let code = ptx(&exchange("  %some: bool = lt %lane, %c3", ""), &options());
    assert!(!code.contains("bar.") && !code.contains("barrier."), "{code}");
}
