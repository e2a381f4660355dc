//! Regions that lanes may be off in: what is dear is jumped over when all are, what is cheap runs for nobody. Results
//! are those of the interpreter either way.

mod common;
use common::*;
use msl_codegen_llvm::{CompileOptions, CpuCompiler, Groups, Isa, TargetOptions};

/// `body` where a number of the thread is small; `%x` is that number, `%o` the thread's own place.
fn kernel(body: &str) -> String {
    format!(
        "fn f(%a: ptr<device, u32>, %b: ptr<device, u32>, %out: ptr<device, u32>) -> void {{
  %gid = builtin thread_position_in_grid
  %i = extract %gid, 0
  %p = ptr_offset %a, %i
  %q = ptr_offset %b, %i
  %o = ptr_offset %out, %i
  %x = load %p
  %few: u32 = const 100
  %small = lt %x, %few
  if %small {{
{body}
  }}
}}
kernel f = @f {{
  a: buffer 0 device read u32
  b: buffer 1 device read u32
  out: buffer 2 device read_write u32
}}
"
    )
}

/// Branches to code under a mask, in optimized code for full threadgroups.
fn jumps(isa: Isa, parts: u32, source: &str) -> usize {
    let options = CompileOptions { groups: Groups::Full, parts: Some(parts), ..CompileOptions::new([256, 1, 1]) };
    let ir = CpuCompiler::new(TargetOptions { isa }).emit_llvm_ir(&parse(source), "f", &options, true).unwrap();
    let start = ir.find("define void @metallic_kernel").unwrap();
    let end = start + ir[start..].find("\n}").unwrap();
    ir[start..end].lines().filter(|l| l.starts_with("on") && l.contains(':')).count()
}

fn agrees(source: &str) {
    let number = |i: u32| i.wrapping_mul(2_654_435_761) >> 8;
    // Gangs in which all, some and no lanes are on.
    let a: Vec<u32> = (0..1024).map(|i| if i / 128 % 3 == 0 { number(i) % 200 } else { i / 128 % 3 * 99 }).collect();
    let b: Vec<u32> = (0..1024).map(number).collect();
    check(source, "f", [1000, 1, 1], [256, 1, 1], &[u32s(&a), u32s(&b), u32s(&[7; 1024])]);
}

#[test]
fn what_is_cheap_runs_for_nobody() {
    let store = kernel("    store %o, %x");
    let sums = kernel("    %s = add %x, %i\n    %t = xor %s, %x\n    store %o, %t");
    for source in [&store, &sums] {
        assert_eq!(jumps(Isa::Avx512, 2, source), 0, "{source}");
        agrees(source);
    }
    // Stores under masks are slow where masks have no registers of their own.
    assert!(jumps(Isa::Avx2, 4, &store) > 0);
}

#[test]
fn what_is_dear_is_jumped_over() {
    let bodies = [
        // Brings lines into the cache.
        "    %y = load %q\n    store %o, %y",
        // Goes lane by lane.
        "    %m: u32 = const 1023\n    %j = and %x, %m\n    %r = ptr_offset %out, %j\n    store %r, %x",
        // Takes long.
        "    %y = div %i, %x\n    store %o, %y",
        "    %lx: u64 = convert %x\n    %ly = mul %lx, %lx\n    %lz = mul %ly, %ly\n    %y: u32 = convert %lz\n    store %o, %y",
    ];
    for body in bodies {
        let source = kernel(body);
        for isa in [Isa::Avx512, Isa::Avx2, Isa::Sse4] {
            assert!(jumps(isa, if isa == Isa::Avx512 { 2 } else { 4 }, &source) > 0, "{isa:?} {source}");
        }
    }
    agrees(&kernel(bodies[0]));
    agrees(&kernel(bodies[3]));
}

/// Many vectors in step have more to do, and jump over less.
#[test]
fn what_is_cheap_for_few_vectors_is_dear_for_many() {
    let source = kernel("    %s = add %x, %i\n    %t = xor %s, %x\n    store %o, %t");
    assert_eq!(jumps(Isa::Avx512, 2, &source), 0);
    assert!(jumps(Isa::Avx512, 8, &source) > 0);
}
