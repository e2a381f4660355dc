use super::*;

/// Applies an operation of the IR to pairs of scalars, through memory of their type.
fn apply(op: &str, s: Scalar, result: Scalar, pairs: &[(u64, u64)], is_unary: bool) -> Vec<u64> {
    let (t, r) = (s.name(), result.name());
    let operands = if is_unary { "%x" } else { "%x, %y" };
    let text = format!(
        "fn k(%a: ptr<device, {t}>, %b: ptr<device, {t}>, %out: ptr<device, {r}>) -> void {{
           %gid = builtin thread_position_in_grid
           %i = extract %gid, 0
           %pa = ptr_offset %a, %i
           %pb = ptr_offset %b, %i
           %po = ptr_offset %out, %i
           %x = load %pa
           %y = load %pb
           %r: {r} = {op} {operands}
           store %po, %r
         }}
         kernel k = @k {{ a: buffer 0 device read {t} b: buffer 1 device read {t} out: buffer 2 device read_write {r} }}"
    );
    let module = module(&text);
    let mut machine = Machine::new(&module, "k", Options::default()).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let size = s.size() as usize;
    let bytes = |f: fn(&(u64, u64)) -> u64| -> Vec<u8> {
        pairs.iter().flat_map(|p| f(p).to_le_bytes()[..size].to_vec()).collect()
    };
    let mut out = vec![0u8; pairs.len() * result.size() as usize];
    machine.bind(0, Argument::Bytes(bytes(|p| p.0)));
    machine.bind(1, Argument::Bytes(bytes(|p| p.1)));
    machine.bind(2, Argument::Buffer(BufferRef::new(&mut out)));
    machine.dispatch([pairs.len() as u32, 1, 1], [64, 1, 1], DispatchKind::Threads).unwrap();
    drop(machine);
    out.chunks(result.size() as usize).map(|c| c.iter().rev().fold(0, |bits, &b| bits << 8 | u64::from(b))).collect()
}

fn samples(s: Scalar) -> Vec<u64> {
    let top = 1u64 << (s.bits() - 1);
    let all = scalar::mask(s);
    let list: &[u64] = match s {
        Scalar::Bool => &[0, 1],
        // 0, −0, 1, −2, 0.1, largest, least subnormal, infinity, NaN
        Scalar::F32 => &[0, top, 0x3f80_0000, 0xc000_0000, 0x3dcc_cccd, 0x7f7f_ffff, 1, 0x7f80_0000, 0x7fc0_0000],
        Scalar::F16 => &[0, top, 0x3c00, 0xc000, 0x2e66, 0x7bff, 1, 0x7c00, 0x7e00],
        Scalar::BF16 => &[0, top, 0x3f80, 0xc000, 0x3dcd, 0x7f7f, 1, 0x7f80, 0x7fc0],
        _ => &[0, 1, 2, 3, 31, 100, top, top - 1, top + 1, all, all - 1],
    };
    list.to_vec()
}

fn pairs(s: Scalar) -> Vec<(u64, u64)> {
    let v = samples(s);
    v.iter().flat_map(|&a| v.iter().map(move |&b| (a, b))).collect()
}

/// Whether two results are the same, all NaNs being one.
fn agree(s: Scalar, a: u64, b: u64) -> bool {
    a == b || (s.is_float() && scalar::to_f32(s, a).is_nan() && scalar::to_f32(s, b).is_nan())
}

#[test]
fn every_operation_on_every_type_computes_what_its_definition_says() {
    use crate::text::Spelled;
    for s in Scalar::ALL {
        let pairs = pairs(s);
        for &(op, name) in BinaryOp::TABLE {
            let on_bool = matches!(op, BinaryOp::And | BinaryOp::Or | BinaryOp::Xor);
            let on_float = matches!(
                op,
                BinaryOp::Add
                    | BinaryOp::Sub
                    | BinaryOp::Mul
                    | BinaryOp::Div
                    | BinaryOp::Min
                    | BinaryOp::Max
                    | BinaryOp::CopySign
            );
            let allowed = if s == Scalar::Bool {
                on_bool
            } else if s.is_float() {
                on_float
            } else {
                op != BinaryOp::CopySign
            };
            if !allowed {
                continue;
            }
            for (&(a, b), got) in pairs.iter().zip(apply(name, s, s, &pairs, false)) {
                let expected = scalar::binary(op, s, a, b);
                assert!(agree(s, got, expected), "{name} {s:?} {a:#x} {b:#x}: {got:#x}, not {expected:#x}");
            }
        }
        for &(op, name) in CompareOp::TABLE {
            if s == Scalar::Bool && !matches!(op, CompareOp::Eq | CompareOp::Ne) {
                continue;
            }
            for (&(a, b), got) in pairs.iter().zip(apply(name, s, Scalar::Bool, &pairs, false)) {
                assert_eq!(got, u64::from(scalar::compare(op, s, a, b)), "{name} {s:?} {a:#x} {b:#x}");
            }
        }
        for to in Scalar::ALL {
            for (&(a, _), got) in pairs.iter().zip(apply("convert", s, to, &pairs, true)) {
                assert!(agree(to, got, scalar::convert(s, to, a)), "{s:?} to {to:?}: {a:#x}");
            }
        }
    }
}

#[test]
fn float_flags_do_not_change_results() {
    // 0x1.000002p0² − 1 differs between fma and separate rounding.
    let body = "%f: f32 = bitcast %x
        %m = mul.fast %f, %f
        %one: f32 = const 1.0
        %s = sub.fast %m, %one
        %r: u32 = bitcast %s
        store %pout, %r";
    let x = f32::from_bits(0x3f80_0001);
    assert_eq!(run(&kernel("", "", body), &[x.to_bits()], 1), [(x * x - 1.0).to_bits()]);
}

#[test]
fn vectors_are_made_and_taken_apart() {
    let body = "%y = add %x, %c1
        %z = add %x, %c2
        %v = compose %x, %y, %z
        %w = shuffle %v, [2, 0, 1, 1]
        %u = insert %w, %c0, 3
        %d = insert_dyn %u, %x, %c1
        %e = extract_dyn %d, %c0
        %s: vec4<u32> = splat %e
        %p = mul %s, %d
        %a = extract %p, 0
        %b = extract %p, 1
        %t = add %a, %b
        %q: vec2<u16> = bitcast %t
        %h = extract %q, 0
        %r: u32 = convert %h
        store %pout, %r";
    let expected: Vec<u32> = (0..50).map(|x| ((x + 2) * (x + 2) + x * (x + 2)) & 0xffff).collect();
    assert_eq!(run(&kernel("", "", body), &(0..50).collect::<Vec<_>>(), 16), expected);
}

#[test]
fn three_component_vectors_cast_without_padding() {
    let body = "%y: u8 = convert %x
        %b = splat.contract %y
        store %pout, %c0";
    // The type of a splat must be stated.
    assert!(text::parse(&kernel("", "", body)).is_err());
    let body = "%h: u16 = convert %x
        %v: vec3<u16> = splat %h
        %c: vec3<i16> = bitcast %v
        %e = extract %c, 2
        %r: i32 = convert %e
        %u: u32 = bitcast %r
        store %pout, %u";
    assert_eq!(run(&kernel("", "", body), &[0xffff, 5], 2), [u32::MAX, 5]);
}

#[test]
fn select_chooses_by_component() {
    let body = "%y = add %x, %c1
        %v = compose %x, %y
        %l: vec2<u32> = const 5
        %m = lt %v, %l
        %z: vec2<u32> = const 100
        %s = select %m, %v, %z
        %a = extract %s, 0
        %b = extract %s, 1
        %r = add %a, %b
        %small = lt %x, %c2
        %q = select %small, %c0, %r
        store %pout, %q";
    let expected = |x: u32| match x {
        0 | 1 => 0,
        2 | 3 => 2 * x + 1,
        4 => 104,
        _ => 200,
    };
    assert_eq!(run(&kernel("", "", body), &[0, 1, 2, 3, 4, 5], 4), [0, 1, 2, 3, 4, 5].map(expected));
}
