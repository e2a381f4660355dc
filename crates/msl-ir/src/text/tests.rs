//! The text form gives back what it was given, ids included.

use msl_base::Symbol;

use super::*;
use crate::*;

/// The examples of the module documentation, one after the other.
fn documented_examples() -> Vec<String> {
    let source = include_str!("mod.rs");
    let docs: String = source.lines().filter_map(|l| l.strip_prefix("//!")).map(|l| format!("{l}\n")).collect();
    docs.split("```").skip(1).step_by(2).map(|s| s.trim_start_matches("text").to_owned()).collect()
}

fn round_trip(text: &str) -> String {
    let module = parse(text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let once = print(&module);
    let again = parse(&once).unwrap_or_else(|e| panic!("{e}\n{once}"));
    assert_eq!(print(&again), once);
    once
}

#[test]
fn documented_kernels_parse_and_round_trip() {
    let examples = documented_examples();
    assert_eq!(examples.len(), 4);
    for index in [0, 2, 3] {
        round_trip(&examples[index]);
    }
}

const EVERYTHING: &str = r#"
struct Node size 24 align 8 {
  next: ptr<device, Node> @0
  p: packed_vec3<f16> @8
  "odd name": u8 @14
  inner: struct1 @16
}
struct struct1 "Box<int>" size 4 align 4 {
  v: i32 @0
}
global table: array<f32, 2> constant align 16 = x"0000803f"
global global1 "a b": u32 threadgroup align 4
global format: array<i8, 3> constant align 1 = x"25640a"
global places: array<ptr<constant, f32>, 2> constant align 8 = x"", 0: @table 4, 8: @format 0

fn helper(i32) -> i32 {
  %0: i32 = param 0
  return %0
}

fn fn1 "operator+"(ptr<device, Node>, u64) -> void {
  local0 x: i32 align 4
  local1 x: vec3<f32> align 16
  local2 "": array<Node, 3> align 8
  %0: ptr<device, Node> = param 0
  %1: ptr<thread, i32> = local_addr local0
  %2: ptr<constant, array<f32, 2>> = global_addr @table
  %3: ptr<threadgroup, u32> = global_addr global1
  %4: f32 = const 1.5
  %5: f32 = const -0.0
  %6: f32 = const 0x7fc00000
  %7: f16 = const 0.33325195
  %8: bf16 = const 0x7f80
  %9: i8 = const -128
  %10: u64 = const 18446744073709551615
  %11: bool = const true
  %12: vec2<i16> = const -3
  %13: ptr<device, f32> = const 0
  %14: f32 = const 1e-45
  %15: f32 = const 3.4028235e38
  %16: vec3<f32> = undef
  %17: vec4<f32> = splat %4
  %18: vec2<f32> = compose %4, %5
  %19: f32 = extract %18, 1
  %20: u32 = const 1
  %21: f32 = extract_dyn %18, %20
  %22: vec2<f32> = insert %18, %4, 0
  %23: vec2<f32> = insert_dyn %18, %4, %20
  %24: vec3<f32> = shuffle %18, [1, 0, 1]
  %25: f32 = add.fast %4, %5
  %26: f32 = mul.contract %4, %5
  %27: f32 = sqrt.fp2 %4
  %28: bool = lt %4, %5
  %29: f32 = select %28, %4, %5
  %30: f32 = fma %4, %5, %6
  %31: i32 = convert %4
  %32: i32 = bitcast %4
  %33: ptr<device, i32> = field_addr %0, 2
  %34: ptr<constant, f32> = index_addr %2, %20
  %35: ptr<device, Node> = ptr_offset %0, %20
  %36: ptr<device, u8> = ptr_cast %0
  %37: i64 = ptr_diff %0, %35
  %38: u64 = ptr_to_int %0
  %39: ptr<device, struct1> = int_to_ptr %38
  %40: ptr<device, u8> = assume_valid %36
  %41: f32 = load %34 align 4
  %42: i32 = load.volatile %1 align 2
  store %1, %42 align 4
  store.volatile %1, %42 align 1
  copy %0, %35 align 8
  %46: u32 = atomic.add %3, %20 threadgroup
  atomic.store %3, %20 device
  %48: u32 = atomic.load %3 simdgroup
  %49: u32 = compare_exchange %3, %20, %48 device
  fence device [device texture]
  %51: vec3<u32> = builtin threads_per_grid
  barrier threadgroup [device threadgroup]
  barrier simdgroup []
  %54: f32 = simd.reduce_add.fast %4
  %55: bool = simd.is_first
  %56: u64 = simd.ballot %28
  log @format, %42, %4
  %58: i32 = call @helper(%42)
  if %28 {
    trap "say \"no\""
  } else {
    call fn1(%0, %10)
  }
  loop l4 unroll 0 {
    loop l2 no_unroll {
      continue l4
    } continuing {
      break l2
    }
  } continuing {
    if %28 {
      break l4
    }
  }
  switch l0 %42 {
    case -1, 3 {
    }
    case default {
      break l0
    }
    case 7, default {
      unreachable
    }
  }
  scope l3 {
    break l3
  }
  return
}

kernel "my kernel" = fn1 max_threads 64 required_threads [8, 8, 1] {
  a: buffer 0 device read_write struct Node size 24 align 8 { next: pointer @0 v: array<vec3<f32, 12>, 2, 12> @8 }
  b: buffer 1 constant reference read matrix<f32, 4, 3, 64> unused
  t: threadgroup 0 read_write other<3, 1>
  tex: texture 2 write d2_array f16 0
  s: sampler 0 read
}
"#;

#[test]
fn every_construct_prints_as_it_was_written() {
    let printed = print(&parse(EVERYTHING).unwrap());
    assert_eq!(printed.trim().replace("\n\nkernel", "\nkernel"), EVERYTHING.trim().replace("\n\nkernel", "\nkernel"));
}

#[test]
fn ids_survive_with_holes_and_out_of_order() {
    let text = "fn f() -> u32 {\n  %9: u32 = const 1\n  %2: u32 = add %9, %9\n  return %2\n}\n";
    assert_eq!(round_trip(text), text);
    let module = parse(text).unwrap();
    let function = module.functions.values().next().unwrap();
    assert_eq!(function.insts.len(), 10);
    assert_eq!(function.body.insts[..2], [ValueId(9), ValueId(2)]);
}

#[test]
fn names_take_the_numbers_that_are_left() {
    let text = "fn f(%a: u32) -> void { scope out { %0 = add %a, %a scope l0 { break out } } }";
    let expected = "fn f(u32) -> void {\n  %1: u32 = param 0\n  scope l1 {\n    %0: u32 = add %1, %1\n    scope l0 {\n      break l1\n    }\n  }\n}\n";
    assert_eq!(round_trip(text), expected);
}

#[test]
fn functions_of_one_name_are_told_apart_by_id() {
    let mut module = Module::default();
    let void = module.types.void();
    for _ in 0..2 {
        module.functions.push(Function::new(Symbol::new("same"), vec![], void));
    }
    let text = print(&module);
    assert_eq!(text, "fn fn0 \"same\"() -> void {\n}\n\nfn fn1 \"same\"() -> void {\n}\n");
    assert_eq!(round_trip(&text), text);
}

#[test]
fn errors_name_the_place() {
    let cases = [
        ("fn f() -> void {\n  %x = const 1\n}", "2:8: the type must be stated here: '%x: f32 = const 1.5'"),
        ("fn f() -> void { return %x }", "1:25: %x is not defined here"),
        ("fn f() -> void { %x: u8 = const 256 }", "1:33: the number does not fit the type"),
        ("fn f() -> void { frobnicate }", "1:18: unknown instruction 'frobnicate'"),
        ("fn f() -> void {", "1:16: expected an instruction"),
        ("fn f() -> nothing { }", "1:11: unknown struct 'nothing'"),
        ("fn f() -> void { } fn f() -> void { }", "1:23: 'f' is declared twice"),
        ("fn f(%x: f32) -> void { %x: f32 = const 1 }", "1:41: %x is defined twice"),
        ("fn f(%x: f32) -> void { neg %x }", "1:25: this instruction has a value: '%x = …'"),
        ("\u{1}", "1:1: unexpected character '\\u{1}'"),
        ("global g: f32 constant = x\"0\"", "1:26: bytes are pairs of hexadecimal digits"),
        ("fn f() -> void { %99999999: u8 = const 1 }", "1:40: the number of %99999999 is too large"),
    ];
    let found = cases.map(|(text, _)| parse(text).unwrap_err().to_string());
    assert_eq!(found, cases.map(|(_, expected)| expected.to_owned()));
}

#[test]
fn deep_nesting_is_an_error_not_an_overflow() {
    let blocks = format!("fn f(%c: bool) -> void {{ {} {} }}", "if %c {".repeat(5000), "}".repeat(5000));
    assert!(parse(&blocks).unwrap_err().message.contains("nested too deeply"));
    let types = format!("global g: {}u8{} constant", "array<".repeat(5000), ", 1>".repeat(5000));
    assert!(parse(&types).unwrap_err().message.contains("nested too deeply"));
}

#[test]
fn every_prefix_of_a_text_is_parsed_without_a_panic() {
    for end in (0..EVERYTHING.len()).filter(|&i| EVERYTHING.is_char_boundary(i)) {
        let _ = parse(&EVERYTHING[..end]);
    }
}

#[test]
fn spans_print_as_comments() {
    let mut module = parse("fn f() -> void { return }").unwrap();
    let id = module.functions.ids().next().unwrap();
    module.functions[id].insts[ValueId(0)].span = msl_base::Span::new(3, 9);
    let text = print_with_spans(&module);
    assert!(text.contains("return // 3..9\n"), "{text}");
    assert_eq!(round_trip(&text), print(&module));
}
