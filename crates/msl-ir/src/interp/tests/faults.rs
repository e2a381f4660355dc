use super::*;

fn check(body: &str, kind: FaultKind, message: &str) -> Fault {
    check_with(&kernel("", "local a: array<u32, 4>", body), Options::default(), kind, message)
}

fn check_with(text: &str, options: Options, kind: FaultKind, message: &str) -> Fault {
    let f = fault(text, options, &(0..40).collect::<Vec<_>>(), 20);
    assert_eq!((f.kind, f.message.as_str()), (kind, message), "{f}");
    assert_eq!(f.kernel, "k");
    f
}

#[test]
fn accesses_outside_are_named_by_buffer_offset_and_thread() {
    let f = check(
        "%q = ptr_offset %pin, %x %y = load %q store %pout, %y",
        FaultKind::OutOfBounds,
        "read of 4 bytes at byte 160 of 'in', which holds 160",
    );
    assert_eq!(
        (f.argument.map(|a| a.as_str()), f.thread, f.threadgroup),
        (Some("in"), Some([20, 0, 0]), Some([1, 0, 0]))
    );
    assert_eq!(f.inst.as_deref(), Some("%11: u32 = load %10 align 4"));
    let f = check(
        "%m: i32 = const -1 %q = ptr_offset %pout, %m store %q, %x",
        FaultKind::OutOfBounds,
        "write of 4 bytes at byte -4 of 'out', which holds 160",
    );
    assert_eq!(f.thread, Some([0, 0, 0]));
    assert!(f.to_string().contains("in kernel k, thread (0, 0, 0) of threadgroup (0, 0, 0)"), "{f}");
    check(
        "%a = local_addr a %p = index_addr %a, %x store %p, %x",
        FaultKind::OutOfBounds,
        "write of 4 bytes at byte 16 of 'a', which holds 16",
    );
    check(
        "%p = ptr_offset %out, %x %n: u32 = const 36 %q = ptr_offset %p, %n %y = atomic.add %q, %x device",
        FaultKind::OutOfBounds,
        "write of 4 bytes at byte 160 of 'out', which holds 160",
    );
}

#[test]
fn accesses_of_the_wrong_kind_fault() {
    check(
        "%p: ptr<device, u8> = ptr_cast %pout %q = ptr_offset %p, %c2 %r: ptr<device, u32> = ptr_cast %q
         %y = atomic.add %r, %x device",
        FaultKind::Misaligned,
        "write of 4 bytes: 'out' is accessed at byte 2, which is not a multiple of 4",
    );
    check(
        "%p: ptr<device, u32> = const 0 %y = load %p",
        FaultKind::InvalidPointer,
        "read through a null pointer (an argument that is not bound is null)",
    );
    check(
        "%n: u64 = const 81985529216486895 %p: ptr<device, u32> = int_to_ptr %n %y = load %p",
        FaultKind::InvalidPointer,
        "read through a pointer to no known object (0x123456789abcdef)",
    );
    check(
        "%a = local_addr a %n = ptr_to_int %a %p: ptr<device, u32> = int_to_ptr %n %y = load %p",
        FaultKind::InvalidPointer,
        "read of 4 bytes: 'a' is in another address space",
    );
    let text = kernel("", "", "store %pin, %x");
    let module = module(&text);
    let mut machine = Machine::new(&module, "k", Options::default()).unwrap();
    machine.bind(0, Argument::Bytes(vec![0; 64]));
    let f = machine.dispatch([1, 1, 1], [1, 1, 1], DispatchKind::Threads).unwrap_err();
    assert_eq!((f.kind, f.message.as_str()), (FaultKind::ReadOnly, "write of 4 bytes: 'in' is not writable"));
}

#[test]
fn traps_and_unreachable_code_end_the_dispatch() {
    let f = check("%k: u32 = const 33 %is = eq %x, %k if %is { trap \"no\" }", FaultKind::Trap, "no");
    assert_eq!(f.thread, Some([33, 0, 0]));
    check("unreachable", FaultKind::Unreachable, "control reached what the program promises to be unreachable");
}

#[test]
fn divergent_barriers_name_a_thread_that_is_missing() {
    // Threads 64 to 127 of 128: two whole simdgroups do not come by.
    let text = kernel("", "", "%k: u32 = const 64 %is = lt %x, %k if %is { barrier threadgroup [device] }");
    let f = fault(&text, Options::default(), &(0..128).collect::<Vec<_>>(), 128);
    assert_eq!(f.kind, FaultKind::DivergentBarrier);
    assert_eq!(f.message, "a threadgroup barrier is reached by 64 of 128 threads; this one is not among them");
    assert_eq!(f.thread, Some([64, 0, 0]));
}

const SHARED: &str = "global s: array<u32, 64> threadgroup";

/// Each body stores 7 in `out` when all goes on, and is a fault of this kind when nothing is forgiven.
#[test]
fn what_hardware_forgives_is_a_fault_on_request() {
    let bodies = [
        (
            "%p: ptr<device, u8> = ptr_cast %in %q = ptr_offset %p, %c2 %r: ptr<device, u32> = ptr_cast %q %y = load %r
             %k: u32 = const 65536 %is = ne %y, %k if %is { trap \"these are not the bytes\" }",
            FaultKind::Misaligned,
        ),
        ("%one = and %x, %c1 %is = eq %one, %c1 if %is { barrier threadgroup [device] }", FaultKind::DivergentBarrier),
        (
            "%k: u32 = const 32 %is = lt %x, %k if %is { return } barrier threadgroup [device]",
            FaultKind::DivergentBarrier,
        ),
        ("%k: u32 = const 32 %is = lt %x, %k if %is { barrier threadgroup [] }", FaultKind::DivergentBarrier),
        (
            "%s = global_addr s %p = index_addr %s, %c0 %n: u32 = const 64 %q = ptr_offset %p, %n %y = load %q",
            FaultKind::OutOfBounds,
        ),
    ];
    for (body, kind) in bodies {
        let text = kernel(SHARED, "", &format!("{body} %seven: u32 = const 7 store %pout, %seven"));
        let input: Vec<u32> = (0..80).collect();
        let out = run(&text, &input, 80);
        assert_eq!(out.last(), Some(&7), "{body}");
        let strict = Options { strict: true, ..Options::default() };
        assert_eq!(fault(&text, strict, &input, 80).kind, kind, "{body}");
    }
    // The last four bytes that may be read begin at byte 268. Those after them and writes are never forgiven.
    for (body, is_forgiven) in [
        ("%n: u32 = const 67 %q = ptr_offset %p, %n %y = load %q", true),
        ("%n: u32 = const 68 %q = ptr_offset %p, %n %y = load %q", false),
        ("%n: u32 = const 64 %q = ptr_offset %p, %n store %q, %x", false),
    ] {
        let text = kernel(SHARED, "", &format!("%s = global_addr s %p = index_addr %s, %c0 {body}"));
        assert_eq!(run_with(&text, Options::default(), &[0; 4], 4).is_ok(), is_forgiven, "{body}");
    }
}

#[test]
fn endless_loops_meet_the_step_limit() {
    let options = Options { step_limit: Some(10_000), ..Options::default() };
    let message = "the kernel executed more instructions than allowed";
    check_with(&kernel("", "", "loop l { }"), options, FaultKind::StepLimit, message);
    check_with(&kernel("", "", "loop l { %y = add %x, %x }"), options, FaultKind::StepLimit, message);
}

#[test]
fn faults_carry_the_span_and_function() {
    let items = "fn f(%p: ptr<device, u32>) -> void { %n: u32 = const 1000 %q = ptr_offset %p, %n %x = load %q }";
    let mut module = module(&kernel(items, "", "call @f(%out)"));
    let f = module.functions.ids().next().unwrap();
    module.functions[f].insts[ValueId(3)].span = Span::new(7, 9);
    let mut out = [0u32; 4];
    let mut machine = Machine::new(&module, "k", Options::default()).unwrap();
    machine.bind(0, Argument::Bytes(vec![0; 16]));
    machine.bind(1, Argument::Buffer(BufferRef::of(&mut out)));
    let fault = machine.dispatch([4, 1, 1], [4, 1, 1], DispatchKind::Threads).unwrap_err();
    assert_eq!((fault.span, fault.function.map(|f| f.as_str())), (Span::new(7, 9), Some("f")));
}

#[test]
fn dispatches_that_cannot_be_are_refused() {
    let module = module(&kernel("", "", ""));
    assert!(matches!(Machine::new(&module, "nope", Options::default()), Err(SetupError::UnknownEntryPoint(_))));
    let mut machine = Machine::new(&module, "k", Options::default()).unwrap();
    let kind = |m: &mut Machine<'_>, grid, group| m.dispatch(grid, group, DispatchKind::Threadgroups).unwrap_err().kind;
    assert_eq!(kind(&mut machine, [1, 1, 1], [0, 1, 1]), FaultKind::Dispatch);
    assert_eq!(kind(&mut machine, [u32::MAX, 1, 1], [2, 1, 1]), FaultKind::Dispatch);
    machine.bind(0, Argument::Sampler(SamplerState(1)));
    assert_eq!(kind(&mut machine, [1, 1, 1], [1, 1, 1]), FaultKind::Dispatch);
    let large = super::module(&kernel("", "local a: array<u64, 100000000000>", ""));
    let mut machine = Machine::new(&large, "k", Options::default()).unwrap();
    assert_eq!(kind(&mut machine, [1, 1, 1], [1, 1, 1]), FaultKind::Dispatch);
    let broken = text::parse("fn f() -> u32 { } kernel k = @f { }").unwrap();
    assert!(matches!(Machine::new(&broken, "k", Options::default()), Err(SetupError::Malformed(_))));
}

// ---- races -----------------------------------------------------------------------------------

const WATCH: Options = Options { poison: Some(0xa5), races: RaceCheck::Threadgroup, strict: false, step_limit: None };
const TILE: &str = "global tile: array<u32, 64> threadgroup";

/// Writes its element of the tile, synchronizes as told, reads its neighbor's.
fn neighbor(barrier: &str) -> String {
    let body = format!(
        "%t = global_addr @tile
         %l = builtin thread_index_in_threadgroup
         %p = index_addr %t, %l
         store %p, %x
         {barrier}
         %n = xor %l, %c1
         %q = index_addr %t, %n
         %y = load %q
         store %pout, %y"
    );
    kernel(TILE, "", &body)
}

#[test]
fn missing_barriers_are_races() {
    let input: Vec<u32> = (0..40).map(|i| i + 5).collect();
    let f = fault(&neighbor(""), WATCH, &input, 40);
    assert_eq!(
        (f.kind, f.message.as_str()),
        (FaultKind::Race, "read of threadgroup memory races with a write by thread 1 of the same threadgroup")
    );
    // A barrier for the wrong memory is none.
    assert_eq!(fault(&neighbor("barrier threadgroup [device]"), WATCH, &input, 40).kind, FaultKind::Race);
    let expected: Vec<u32> = (0..40u32).map(|i| (i ^ 1) + 5).collect();
    for barrier in ["barrier threadgroup [threadgroup]", "barrier simdgroup [threadgroup]"] {
        assert_eq!(run_with(&neighbor(barrier), WATCH, &input, 40).unwrap(), expected);
    }
    // Without the detector the outcome is fixed: lock step.
    assert_eq!(run(&neighbor(""), &input, 40), expected);
}

#[test]
fn a_simdgroup_barrier_does_not_order_simdgroups() {
    let body = "%t = global_addr @tile
        %l = builtin thread_index_in_threadgroup
        %p = index_addr %t, %l
        store %p, %x
        barrier simdgroup [threadgroup]
        %k: u32 = const 32
        %n = xor %l, %k
        %q = index_addr %t, %n
        %y = load %q";
    assert_eq!(fault(&kernel(TILE, "", body), WATCH, &(1..65).collect::<Vec<_>>(), 64).kind, FaultKind::Race);
}

#[test]
fn writes_of_different_values_race_and_of_the_same_do_not() {
    let input: Vec<u32> = (0..8).map(|i| i + 1).collect();
    assert_eq!(fault(&kernel("", "", "store %out, %x"), WATCH, &input, 8).kind, FaultKind::Race);
    assert!(run_with(&kernel("", "", "store %out, %c1"), WATCH, &input, 8).is_ok());
    // Atomics do not race with each other, but with what is not atomic.
    assert!(run_with(&kernel("", "", "%o = atomic.add %out, %x device"), WATCH, &input, 8).is_ok());
    let mixed = "%o = atomic.add %out, %x device %y = load %out";
    assert_eq!(fault(&kernel("", "", mixed), WATCH, &input, 8).kind, FaultKind::Race);
    // Read, then written by another thread.
    let late = "%y = load %in %is = eq %i, %c2 if %is { %z: u32 = const 77 store %in, %z }";
    assert_eq!(fault(&kernel("", "", late), WATCH, &input, 8).kind, FaultKind::Race);
}

#[test]
fn threadgroups_race_when_the_whole_grid_is_watched() {
    let text = kernel("", "", "%is = eq %i, %i if %is { store %out, %x }");
    let input = [1, 2, 3];
    assert!(run_with(&text, WATCH, &input, 1).is_ok());
    let f = fault(&text, Options { races: RaceCheck::Grid, ..WATCH }, &input, 1);
    assert_eq!(f.message, "write of device memory races with a write by thread 0 of another threadgroup");
    // Threadgroup memory is not shared between threadgroups.
    let options = Options { races: RaceCheck::Grid, ..WATCH };
    let input: Vec<u32> = (1..65).collect();
    assert!(run_with(&neighbor("barrier threadgroup [threadgroup]"), options, &input, 16).is_ok());
}
