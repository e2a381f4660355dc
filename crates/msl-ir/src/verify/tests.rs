//! One malformed module per rule: the verifier must name the rule, and nothing else.

use msl_base::{Span, Symbol};

use super::*;

fn rules(module: &Module) -> Vec<String> {
    verify(module).err().unwrap_or_default().into_iter().map(|e| e.rule).collect()
}

/// Instructions in a function with parameters %i: i32, %u: u32, %f: f32, %b: bool, %v: vec3<f32>,
/// %p: ptr<device, f32>, %c: ptr<constant, f32>, %s: ptr<device, S>, %a: ptr<thread, array<f32, 4>>, %w: u64.
fn in_function(body: &str) -> Module {
    let text = format!(
        "struct S size 16 align 4 {{ x: f32 @0 y: packed_vec3<f32> @4 }}
         global k: f32 constant = x\"\"
         global t: f32 threadgroup
         fn helper(f32, u32) -> f32 {{ unreachable }}
         fn test(%i: i32, %u: u32, %f: f32, %b: bool, %v: vec3<f32>, %p: ptr<device, f32>,
            %c: ptr<constant, f32>, %s: ptr<device, S>, %a: ptr<thread, array<f32, 4>>, %w: u64) -> i32 {{
            local x: f32
            {body}
            return %i
         }}"
    );
    text::parse(&text).unwrap_or_else(|e| panic!("{e}\n{body}"))
}

#[test]
fn each_rule_of_instructions_rejects() {
    let cases: &[(&str, &str)] = &[
        ("%x: u8 = const 0x100", "the bits of a constant fit its type"),
        ("%x: ptr<device, f32> = const 8", "a constant pointer is null"),
        ("%x: f32 = splat %f", "splat makes a vector from one scalar of its component type"),
        ("%x: vec2<f32> = compose %f, %f, %f", "compose makes a vector from one scalar per component"),
        ("%x: i32 = extract %v, 0", "the component has the component type of a vector"),
        ("%x = extract %v, 3", "the vector has that component"),
        ("%x = extract_dyn %v, %i", "the index is u32"),
        ("%x = insert %v, %i, 0", "the component has the component type of a vector"),
        ("%x = insert_dyn %v, %f, %f", "the index is u32"),
        ("%x = shuffle %v, [0, 3]", "the vector has that component"),
        ("%x: vec3<f32> = shuffle %v, [0, 1]", "shuffle makes a vector of as many components as it names"),
        ("%x = sqrt %i", "the operand is a float"),
        ("%x = not %f", "the operand is an integer or bool"),
        ("%x = neg %b", "the operand is a number"),
        ("%x = pop_count %f", "the operand is an integer"),
        ("%x: f32 = is_nan %f", "the result is bool in the shape of the operand"),
        ("%x = add %i, %f", "operands and result have the same type"),
        ("%x = add %b, %b", "the operands are numbers"),
        ("%x = add %p, %p", "the operands are scalars or vectors"),
        ("%x = rem %f, %f", "the operands are integers"),
        ("%x = copy_sign %i, %i", "the operands are floats"),
        ("%x = xor %f, %f", "the operands are integers or bool"),
        ("%x = lt %i, %u", "the operands have one type"),
        ("%x = lt %b, %b", "bool is compared for equality only"),
        ("%x: bool = lt %v, %v", "the result is bool in the shape of the operand"),
        ("%x = select %i, %f, %f", "the condition is bool, or a vector of bool in the shape of the result"),
        ("%x = fma %i, %i, %i", "the operands are floats"),
        ("%x: vec2<f32> = convert %f", "convert is between scalars, or vectors of one length"),
        ("%x: u64 = bitcast %f", "bitcast is between numbers of one size in bits"),
        ("%x: f32 = param 17", "the function has that parameter and type"),
        ("%x: ptr<thread, i32> = local_addr x", "the result points to that object in the address space of the base"),
        ("%x: ptr<thread, i32> = local_addr local7", "the local exists"),
        ("%x: ptr<device, f32> = field_addr %p, 0", "the base points to a structure"),
        ("%x: ptr<device, f32> = field_addr %s, 2", "the structure has that field"),
        ("%x: ptr<device, f32> = index_addr %p, %u", "the base points to an array or vector"),
        ("%x = index_addr %a, %f", "the index is an integer"),
        (
            "%x: ptr<device, f32> = index_addr %a, %u",
            "the result points to that object in the address space of the base",
        ),
        ("%x = ptr_offset %p, %f", "the offset is an integer"),
        ("%x: ptr<constant, i32> = ptr_cast %p", "ptr_cast keeps the address space"),
        ("%x = ptr_diff %p, %c", "both pointers are in one address space"),
        ("%x: i32 = ptr_to_int %p", "the result is u64"),
        ("%x: ptr<device, f32> = int_to_ptr %u", "the operand is u64"),
        ("%x: u64 = assume_valid %w", "%9 is a pointer"),
        ("%x: i32 = load %p", "a load gives the scalar, vector (unpacked) or pointer pointed to"),
        ("%x: array<f32, 4> = load %a", "a value is a scalar, an unpacked vector or a pointer"),
        ("%x = load %p align 3", "an alignment is a power of two"),
        ("store %p, %i", "a store takes the scalar, vector (unpacked) or pointer pointed to"),
        ("store %c, %f", "constant memory is not written"),
        ("copy %p, %s", "both pointers have one pointee type"),
        ("%x = atomic.xor %p, %f device", "the atomic operation is defined on that type"),
        ("%x = atomic.load %c device", "atomic operations are on device or threadgroup memory"),
        ("%x = atomic.add %p, %i device", "the value has the pointee type"),
        ("%x = atomic.add %p device", "all atomic operations but load take a value"),
        ("%x: f32 = atomic.load %s device", "an atomic is i32, u32, i64, u64, f32, f16, bool, i8 or u8"),
        ("%x: u32 = compare_exchange %p, %f, %f device", "operands and result have the pointee type"),
        ("%x: u32 = builtin thread_position_in_grid", "a builtin is u32, or vec3<u32>"),
        ("%x = simd.shuffle %f, %i", "the lane is u32"),
        ("%x = simd.shuffle %f", "the operation has that many operands"),
        ("%x = simd.reduce_xor %f", "the operand is an integer or bool"),
        ("%x = simd.reduce_add %b", "the operand is a number"),
        ("%x = simd.ballot %i", "the operand is bool"),
        ("log @t", "the format is a constant global"),
        ("%x = call @helper(%f)", "the arguments have the types of the parameters"),
        ("%x: i32 = call @helper(%f, %u)", "the result has the type that the function returns"),
        ("if %i { }", "the condition is bool"),
        ("switch l0 %f { }", "the value is an integer"),
        ("switch l0 %i { case 1 { } case 1 { } }", "case values are different"),
        ("switch l0 %u { case -1 { } }", "case values fit the type of the switch"),
        ("switch l0 %u { case default { } case default { } }", "there is one default"),
        ("if %b { return }", "the function returns a value"),
        ("if %b { return %f }", "the value has the type the function returns"),
        ("%x = add.fp2 %f, %f", "float flags are none, contract or fast"),
        ("%x: f32 = barrier threadgroup", "this operation has no value"),
        // Structure.
        ("if %b { return %i %x = neg %i }", "nothing follows a terminator in its block"),
        ("if %b { %x = neg %i } %y = neg %x", "the definition of %10 encloses its use and comes before it"),
        (
            "loop l0 { %x = neg %i } continuing { %y = neg %x }",
            "the definition of %10 encloses its use and comes before it",
        ),
        ("scope l0 { } break l0", "nothing follows a terminator in its block"),
        ("loop l0 { } scope l0 { }", "l0 names one construct"),
        ("scope l0 { continue l0 }", "l0 is a loop around the continue"),
        ("scope l0 { break l1 }", "l1 encloses the break"),
        ("loop l0 { } continuing { continue l0 }", "a continuing block leaves by breaking its own loop"),
        ("loop l0 { loop l1 { } continuing { break l0 } }", "a continuing block leaves by breaking its own loop"),
        ("loop l0 { } continuing { return %i }", "a continuing block does not return"),
    ];
    for (body, rule) in cases {
        let module = in_function(body);
        let found = rules(&module);
        assert!(found.iter().any(|r| r == rule), "{body}\nexpected: {rule}\nfound: {found:?}");
        let printed = verify(&module).unwrap_err();
        assert!(printed.iter().all(|e| e.to_string().starts_with("in fn test: ")), "{printed:?}");
    }
}

#[test]
fn each_rule_of_modules_rejects() {
    let cases: &[(&str, &str)] = &[
        ("struct S size 4 align 3 { }", "an alignment is a power of two"),
        ("struct S size 6 align 4 { }", "the size is a multiple of the alignment"),
        ("struct S size 4 align 4 { x: u64 @0 }", "field x lies within the structure"),
        ("struct S size 4 align 4 { x: S @0 }", "a structure does not contain itself"),
        ("global g: f32 constant", "a constant has bytes"),
        ("global g: f32 threadgroup = x\"00\"", "threadgroup memory has no bytes"),
        ("global g: f32 device", "a global is constant or threadgroup memory"),
        ("global g: f32 threadgroup align 2", "the alignment is at least that of the type"),
        ("global g: u8 constant = x\"0000\"", "the bytes fit the type"),
        ("global g: u64 constant = x\"\", 0: @g 0", "constants hold addresses of earlier constants"),
        ("global a: u64 constant = x\"\" global g: u64 constant = x\"\", 4: @a 0", "the addresses fit the type"),
        (
            "global a: u64 threadgroup global g: u64 constant = x\"\", 0: @a 0",
            "constants hold addresses of earlier constants",
        ),
        ("global g: array<void, 2> threadgroup", "the element of an array is an earlier type of memory"),
        ("global g: ptr<device, void> threadgroup", "the pointee is a type of memory"),
        ("fn f(array<f32, 2>) -> void { }", "a parameter is a scalar, vector or pointer"),
        ("fn f() -> packed_vec3<f32> { unreachable }", "a function returns a scalar, vector, pointer or nothing"),
        ("fn f() -> void { local x: void }", "a local has a type of memory"),
        ("fn f() -> void { local x: f32 align 1 }", "the alignment is at least that of the type"),
        ("fn f() -> void { call @f() }", "functions are not recursive"),
        ("fn f() -> void { call @g() } fn g() -> void { call @f() }", "functions are not recursive"),
        ("fn f() -> u32 { }", "a function with a value does not reach its end without a return"),
        (
            "fn f(%b: bool, %i: i32) -> i32 { if %b { return %i } }",
            "a function with a value does not reach its end without a return",
        ),
        ("fn f() -> i32 { unreachable } kernel k = @f { }", "a kernel returns nothing"),
        ("fn f(f32) -> void { } kernel k = @f { }", "a kernel describes each parameter of its function"),
        (
            "fn f(ptr<constant, f32>) -> void { } kernel k = @f { a: buffer 0 device read f32 }",
            "parameter a is a device pointer",
        ),
        (
            "fn f(ptr<device, f32>) -> void { } kernel k = @f { a: threadgroup 0 read f32 }",
            "parameter a is a threadgroup pointer",
        ),
        (
            "fn f(ptr<device, f32>) -> void { } kernel k = @f { a: texture 0 read d2 f32 0 }",
            "parameter a is a constant pointer",
        ),
        ("fn f(u32) -> void { } kernel k = @f { a: sampler 0 read }", "parameter a is u64"),
        ("fn f() -> void { } kernel k = @f { } kernel k = @f { }", "kernels have different names"),
        ("fn f() -> void { } kernel k = @f required_threads [0, 1, 1] { }", "required threads are not 0"),
    ];
    for (text, rule) in cases {
        let module = text::parse(text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        assert_eq!(rules(&module), [*rule], "{text}");
    }
}

#[test]
fn malformed_arenas_are_judged_without_a_panic() {
    let mut module = Module::default();
    let void = module.types.void();
    let mut f = Function::new(Symbol::new("f"), vec![], void);
    let inst = |op| Inst { op, ty: void, fp: FpFlags::STRICT, span: Span::NONE };
    let twice = f.insts.push(inst(Op::Barrier { scope: BarrierScope::Simdgroup, flags: MemFlags::NONE }));
    let wild = f.insts.push(Inst { ty: TypeId(99), ..inst(Op::Undef) });
    let operand = f.insts.push(inst(Op::Store { ptr: ValueId(77), value: twice, align: 4, volatile: false }));
    let itself = ValueId(3);
    f.insts.push(inst(Op::Scope { label: LabelId(5), body: Block { insts: vec![itself] } }));
    f.body.insts = vec![twice, twice, wild, operand, ValueId(50), itself];
    module.functions.push(f);
    let found = rules(&module);
    for rule in [
        "an instruction is in one block, once",
        "the type exists",
        "the definition of %77 encloses its use and comes before it",
        "a block lists instructions of its function",
        "l5 is below the next unused label",
    ] {
        assert!(found.iter().any(|r| r == rule), "{rule}: {found:?}");
    }
}

#[test]
fn well_formed_functions_pass() {
    for body in [
        "%x = load %p align 1 %y = field_addr %s, 1 %z = load %y store %y, %z",
        "loop l0 { if %b { break l0 } switch l1 %i { case 1 { continue l0 } case default { break l1 } } }
         continuing { if %b { break l0 } }",
        "%x = eq %p, %p %y = simd.ballot %x %z: vec3<i32> = bitcast %v %q = atomic.add %p, %f device",
        "scope l0 { loop l1 { if %b { break l0 } if %b { return %i } } }",
    ] {
        assert_eq!(rules(&in_function(body)), Vec::<String>::new(), "{body}");
    }
    let text = "fn f(%b: bool, %i: i32) -> i32 { if %b { return %i } else { loop l0 { } } }";
    assert_eq!(rules(&text::parse(text).unwrap()), Vec::<String>::new());
}
