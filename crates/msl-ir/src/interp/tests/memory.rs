use super::*;

#[test]
fn packed_vectors_and_fields_lie_where_the_layout_says() {
    let items = "struct S size 32 align 16 { a: u8 @0 p: packed_vec3<u16> @2 v: vec3<u32> @16 }";
    let body = "%s = local_addr s
        %a = field_addr %s, 0
        %p = field_addr %s, 1
        %v = field_addr %s, 2
        %h: u16 = convert %x
        %one: u16 = const 1
        %h1 = add %h, %one
        %hv = compose %h, %h1, %h
        store %p, %hv
        %d = local_addr d
        copy %d, %s
        %q = field_addr %d, 1
        %w = load %q
        %e = extract %w, 1
        %b: ptr<thread, u8> = ptr_cast %d
        %four: u64 = const 4
        %c = ptr_offset %b, %four
        %u: ptr<thread, u16> = ptr_cast %c
        %f = load %u
        %g = add %e, %f
        %r: u32 = convert %g
        store %pout, %r";
    let text = kernel(items, "local s: S local d: S", body);
    assert_eq!(run(&text, &[1, 2, 3, 500], 3), [4, 6, 8, 1002]);
}

#[test]
fn locals_are_each_threads_own_and_poisoned() {
    let body = "%a = local_addr a
        %k: u32 = const 3
        %j = and %x, %k
        %p = index_addr %a, %j
        %y = load %p
        store %p, %x
        %z = load %p
        %r = add %y, %z
        store %pout, %r";
    let text = kernel("", "local a: array<u32, 4>", body);
    let expected = [1, 2, 3, 9].map(|x: u32| x.wrapping_add(0xa5a5_a5a5));
    assert_eq!(run(&text, &[1, 2, 3, 9], 4), expected);
    let plain = Options { poison: None, ..Options::default() };
    assert_eq!(run_with(&text, plain, &[1, 2], 2).unwrap(), [1, 2]);
}

#[test]
fn pointers_live_in_memory_and_in_integers() {
    let body = "%h = local_addr h
        store %h, %pout
        %q = load %h
        %n = ptr_to_int %q
        %m = ptr_to_int %out
        %d = sub %n, %m
        %e = ptr_diff %q, %out
        %p: ptr<device, u32> = int_to_ptr %n
        %a: u32 = convert %d
        %b: u32 = convert %e
        %c = add %a, %b
        %same = eq %p, %pout
        if %same { %v = assume_valid %p store %v, %c }";
    assert_eq!(run(&kernel("", "local h: ptr<device, u32>", body), &[0; 5], 5), [0, 8, 16, 24, 32]);
}

#[test]
fn constants_are_tables() {
    let items = "global table: array<u32, 4> constant = x\"0a0000001400000000010000\"";
    let body = "%t = global_addr @table %p = index_addr %t, %x %y = load %p store %pout, %y";
    assert_eq!(run(&kernel(items, "", body), &[3, 2, 1, 0], 4), [0, 256, 20, 10]);
}

#[test]
fn constants_hold_addresses_of_constants() {
    let items = "global table: array<u32, 4> constant = x\"0a0000001400000000010000\"
        global places: array<ptr<constant, u32>, 2> constant = x\"\", 8: @table 8, 0: @table 4";
    let body = "%t = global_addr @places %p = index_addr %t, %x %q = load %p %y = load %q store %pout, %y";
    assert_eq!(run(&kernel(items, "", body), &[1, 0, 1], 3), [256, 20, 256]);
}

#[test]
fn atomics_return_what_was_there() {
    let items = "fn any(%p: ptr<device, u32>, %x: u32) -> u32 { %y = atomic.max %p, %x device return %y }";
    let body = "%o = atomic.add %in, %c2 device store %pout, %o %z = call @any(%out, %c0)";
    let mut input = vec![5u32; 10];
    let expected: Vec<u32> = (0..10).map(|i| 5 + 2 * i).collect();
    assert_eq!(run(&kernel(items, "", body), &input, 4), expected);
    input.truncate(3);
    let exchange = "%e: u32 = const 5 %nine: u32 = const 9
        %o = compare_exchange %in, %e, %nine device store %pout, %o";
    assert_eq!(run(&kernel("", "", exchange), &input, 3), [5, 9, 9]);
}

#[test]
fn atomics_compute_in_their_type() {
    for (op, ty, start, operand, expected) in [
        ("min", "i32", 3, -4i32 as u32, -4i32 as u32),
        ("min", "u32", 3, -4i32 as u32, 3),
        ("xor", "u32", 0b1100, 0b1010, 0b0110),
        ("sub", "i32", 3, 5, -2i32 as u32),
        ("exchange", "u32", 1, 2, 2),
        ("add", "f32", 1.5f32.to_bits(), 2.25f32.to_bits(), 3.75f32.to_bits()),
        ("max", "f32", 1.5f32.to_bits(), (-2.25f32).to_bits(), 1.5f32.to_bits()),
    ] {
        let body = format!(
            "%p: ptr<device, {ty}> = ptr_cast %in %c: u32 = const {operand} %v: {ty} = bitcast %c
             %o = atomic.{op} %p, %v device %n = atomic.load %p device %r: u32 = bitcast %n store %out, %r"
        );
        let body = if ty == "u32" {
            body.replace("bitcast %c", "add %c, %c0").replace("bitcast %n", "add %n, %c0")
        } else {
            body
        };
        assert_eq!(run(&kernel("", "", &body), &[start], 1), [expected], "{op} {ty}");
    }
}

#[test]
fn arguments_of_every_kind_arrive() {
    let text = "
        struct D size 488 align 8 { data: ptr<device, u8> @0 width: u32 @8 }
        fn k(%c: ptr<constant, u32>, %t: ptr<threadgroup, u32>, %d: ptr<constant, D>, %s: u64, %out: ptr<device, u64>) -> void {
          %l = builtin thread_index_in_threadgroup
          %n = load %c
          %p = ptr_offset %t, %l
          store %p, %n
          %v = load %p
          %fw = field_addr %d, 1
          %w = load %fw
          %fd = field_addr %d, 0
          %data = load %fd
          %two: u32 = const 2
          %q = ptr_offset %data, %two
          %b = load %q
          %sum = add %v, %w
          %b32: u32 = convert %b
          %sum2 = add %sum, %b32
          %sum64: u64 = convert %sum2
          %r = add %sum64, %s
          %o = ptr_offset %out, %l
          store %o, %r
        }
        kernel k = @k {
          c: buffer 0 constant reference read u32
          t: threadgroup 0 read_write u32
          d: texture 0 read d2 f32 0
          s: sampler 0 read
          out: buffer 1 device read_write u64
        }";
    let module = module(text);
    let mut out = [0u64; 3];
    let texels = [1u8, 2, 40, 4];
    let descriptor = TextureDescriptor {
        data: 0,
        width: 300,
        height: 1,
        depth: 1,
        array_length: 1,
        mip_levels: 1,
        samples: 1,
        format: PixelFormat::R8Uint as u32,
        bytes_per_texel: 1,
        level_offset: [0; 16],
        row_stride: [4; 16],
        plane_stride: [0; 16],
        slice_stride: [0; 16],
    };
    let mut machine = Machine::new(&module, "k", Options::default()).unwrap();
    machine.bind(0, Argument::Bytes(2000u32.to_le_bytes().to_vec()));
    machine.bind(1, Argument::Threadgroup(16));
    machine.bind(2, Argument::Textures(vec![TextureRef { descriptor, data: BufferRef::read_only(&texels) }]));
    machine.bind(3, Argument::Sampler(SamplerState(1 << 40)));
    machine.bind(4, Argument::Buffer(BufferRef::of(&mut out)));
    machine.dispatch([3, 1, 1], [3, 1, 1], DispatchKind::Threads).unwrap();
    drop(machine);
    assert_eq!(out, [2340 + (1 << 40); 3]);
}

#[test]
fn resident_buffers_are_reached_through_their_addresses() {
    let text = "
        struct Arguments size 8 align 8 { data: ptr<device, u32> @0 }
        fn k(%a: ptr<constant, Arguments>) -> void {
          %f = field_addr %a, 0
          %p = load %f
          %one: u32 = const 1
          %q = ptr_offset %p, %one
          %x = load %q
          %y = add %x, %x
          store %q, %y
        }
        kernel k = @k { a: buffer 0 constant reference read struct Arguments size 8 align 8 { data: pointer @0 } }";
    let module = module(text);
    let mut data = [1u32, 21];
    let address = 0x7f12_3456_7000u64;
    let mut machine = Machine::new(&module, "k", Options::default()).unwrap();
    machine.bind(0, Argument::Bytes(address.to_le_bytes().to_vec()));
    let f = machine.dispatch([1, 1, 1], [1, 1, 1], DispatchKind::Threads).unwrap_err();
    assert_eq!(f.kind, FaultKind::InvalidPointer);
    machine.make_resident(BufferRef::of(&mut data), address);
    machine.dispatch([1, 1, 1], [1, 1, 1], DispatchKind::Threads).unwrap();
    drop(machine);
    assert_eq!(data, [1, 42]);
}

#[test]
fn pointers_into_one_buffer_compare_as_addresses_whichever_argument_they_come_from() {
    let text = "
        fn k(%a: ptr<device, u32>, %b: ptr<device, u32>, %c: ptr<device, u32>) -> void {
          %zero: u32 = const 0
          %one: u32 = const 1
          %two: u32 = const 2
          %end = ptr_offset %a, %two
          %same = eq %a, %b
          %x = select %same, %one, %zero
          store %a, %x
          %next = ptr_offset %a, %one
          %met = eq %end, %c
          %y = select %met, %one, %zero
          store %next, %y
          %far = ptr_diff %c, %b
          %n: u32 = convert %far
          store %end, %n
        }
        kernel k = @k { a: buffer 0 device read_write u32 b: buffer 1 device read_write u32 c: buffer 2 device read_write u32 }";
    let module = module(text);
    let mut data = [9u32; 4];
    let start = data.as_mut_ptr().cast::<u8>();
    let mut machine = Machine::new(&module, "k", Options::default()).unwrap();
    // SAFETY: the memory outlives the machine, and nobody else looks at it meanwhile.
    let parts = unsafe {
        [BufferRef::from_raw(start, 16), BufferRef::from_raw(start, 16), BufferRef::from_raw(start.add(8), 8)]
    };
    for (i, part) in parts.into_iter().enumerate() {
        machine.bind(i, Argument::Buffer(part));
    }
    machine.dispatch([1, 1, 1], [1, 1, 1], DispatchKind::Threads).unwrap();
    drop(machine);
    assert_eq!(data, [1, 1, 8, 9]);
}
