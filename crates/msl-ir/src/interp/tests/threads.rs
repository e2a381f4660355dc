use super::*;

#[test]
fn builtins_at_the_edge_of_a_grid() {
    let all = [
        "thread_position_in_grid",
        "thread_position_in_threadgroup",
        "threadgroup_position_in_grid",
        "threads_per_grid",
        "threads_per_threadgroup",
        "dispatch_threads_per_threadgroup",
        "threadgroups_per_grid",
        "thread_index_in_threadgroup",
        "thread_index_in_simdgroup",
        "simdgroup_index_in_threadgroup",
        "simdgroups_per_threadgroup",
        "dispatch_simdgroups_per_threadgroup",
        "threads_per_simdgroup",
        "thread_index_in_quadgroup",
        "quadgroup_index_in_threadgroup",
        "quadgroups_per_threadgroup",
        "dispatch_quadgroups_per_threadgroup",
    ];
    // The last thread of the grid stores them all.
    let mut body = String::new();
    for (n, name) in all.iter().enumerate() {
        body += &format!("%b{n} = builtin {name} ");
    }
    body += "%px = extract %b0, 0 %py = extract %b0, 1 %k9: u32 = const 9 %k6: u32 = const 6
        %ex = eq %px, %k9 %ey = eq %py, %k6 %last = and %ex, %ey if %last { ";
    let mut word = 0;
    for n in 0..all.len() {
        for c in 0..if n < 7 { 3 } else { 1 } {
            let value =
                if n < 7 { format!("%e{word} = extract %b{n}, {c}") } else { format!("%e{word} = add %b{n}, %zero") };
            body += &format!(
                "{value} %k{word}x: u32 = const {word} %q{word} = ptr_offset %out, %k{word}x store %q{word}, %e{word} "
            );
            word += 1;
        }
    }
    body += "}";
    let text = format!(
        "fn k(%out: ptr<device, u32>) -> void {{ %zero: u32 = const 0 {body} }}
        kernel k = @k {{ out: buffer 0 device read_write u32 }}"
    );
    let module = module(&text);
    let mut out = vec![0u32; word];
    let mut machine = Machine::new(&module, "k", Options::default()).unwrap();
    machine.bind(0, Argument::Buffer(BufferRef::of(&mut out)));
    machine.dispatch([10, 7, 1], [4, 8, 2], DispatchKind::Threads).unwrap();
    drop(machine);
    let expected = [
        9, 6, 0, // grid
        1, 6, 0, // in threadgroup
        2, 0, 0, // threadgroup
        10, 7, 1, //
        2, 7, 1, // this threadgroup is smaller
        4, 8, 2, //
        3, 1, 1, //
        13, 13, 0, 1, 2, 32, 1, 3, 4, 16,
    ];
    assert_eq!(out, expected);
}

#[test]
fn a_grid_of_threadgroups_covers_every_thread() {
    let text = "fn k(%out: ptr<device, u32>) -> void {
          %g = builtin thread_position_in_grid
          %n = builtin threads_per_grid
          %x = extract %g, 0 %y = extract %g, 1 %w = extract %n, 0
          %r = mul %y, %w
          %i = add %r, %x
          %p = ptr_offset %out, %i
          %one: u32 = const 1
          %o = atomic.add %p, %one device
        }
        kernel k = @k { out: buffer 0 device read_write u32 }";
    let module = module(text);
    let mut out = [0u32; 12 * 6];
    let mut machine = Machine::new(&module, "k", Options::default()).unwrap();
    machine.bind(0, Argument::Buffer(BufferRef::of(&mut out)));
    machine.dispatch([3, 2, 1], [4, 3, 1], DispatchKind::Threadgroups).unwrap();
    drop(machine);
    assert_eq!(out, [1; 72]);
}

#[test]
fn barriers_make_a_tree_reduction_correct() {
    // The second kernel of the text form's documentation.
    let docs = include_str!("../../text/mod.rs");
    let example: String = docs
        .split("```")
        .nth(7)
        .unwrap()
        .lines()
        .skip(1)
        .map(|l| l.trim_start_matches("//!").to_owned() + "\n")
        .collect();
    let module = module(&example);
    let mut input: Vec<f32> = (0..256).map(|i| i as f32).collect();
    let mut out = [0f32; 4];
    let options = Options { races: RaceCheck::Grid, ..Options::default() };
    let mut machine = Machine::new(&module, "reduce", options).unwrap();
    machine.bind(0, Argument::Buffer(BufferRef::of(&mut input)));
    machine.bind(1, Argument::Buffer(BufferRef::of(&mut out)));
    machine.dispatch([256, 1, 1], [64, 1, 1], DispatchKind::Threads).unwrap();
    drop(machine);
    assert_eq!(out, [2016.0, 6112.0, 10208.0, 14304.0]);
}

/// Runs a simdgroup operation on `%x`, 45 threads: one whole simdgroup and a part of one.
fn simd(op: &str) -> Vec<u32> {
    let body = format!("%y = {op} store %pout, %y");
    run(&kernel("", "", &body), &(0..45).map(|i| i + 3).collect::<Vec<_>>(), 45)
}

#[test]
fn simd_operations_with_a_partial_simdgroup() {
    let groups: [Vec<u32>; 2] = [(3..35).collect(), (35..48).collect()];
    let per_group = |f: &dyn Fn(&[u32]) -> Vec<u32>| groups.iter().flat_map(|g| f(g)).collect::<Vec<u32>>();
    let all = |f: &dyn Fn(&[u32]) -> u32| per_group(&|g| vec![f(g); g.len()]);
    assert_eq!(simd("simd.reduce_add %x"), all(&|g| g.iter().sum()));
    assert_eq!(simd("simd.reduce_mul %x"), all(&|g| g.iter().fold(1, |a: u32, &b| a.wrapping_mul(b))));
    assert_eq!(simd("simd.reduce_min %x"), all(&|g| g[0]));
    assert_eq!(simd("simd.reduce_max %x"), all(&|g| g[g.len() - 1]));
    assert_eq!(simd("simd.reduce_and %x"), all(&|g| g.iter().fold(u32::MAX, |a, b| a & b)));
    assert_eq!(simd("simd.reduce_or %x"), all(&|g| g.iter().fold(0, |a, b| a | b)));
    assert_eq!(simd("simd.reduce_xor %x"), all(&|g| g.iter().fold(0, |a, b| a ^ b)));
    assert_eq!(simd("simd.broadcast_first %x"), all(&|g| g[0]));
    let scan = |mul: bool, inclusive: bool| {
        per_group(&|g| {
            let mut total = u32::from(mul);
            let mut out = Vec::new();
            for &x in g {
                let next = if mul { total.wrapping_mul(x) } else { total.wrapping_add(x) };
                out.push(if inclusive { next } else { total });
                total = next;
            }
            out
        })
    };
    assert_eq!(simd("simd.inclusive_add %x"), scan(false, true));
    assert_eq!(simd("simd.exclusive_add %x"), scan(false, false));
    assert_eq!(simd("simd.inclusive_mul %x"), scan(true, true));
    assert_eq!(simd("simd.exclusive_mul %x"), scan(true, false));
    assert_eq!(simd("simd.shuffle %x, %i"), (3..48).collect::<Vec<u32>>());
}

#[test]
fn shuffles_read_poison_from_absent_threads() {
    let body = "%k: u32 = const 7 %n = add %i, %k %y = simd.shuffle %x, %n store %pout, %y";
    let expected: Vec<u32> = (0..40)
        .map(|i: u32| {
            let from = i / 32 * 32 + (i + 7) % 32;
            if from < 40 { from + 100 } else { 0xa5a5_a5a5 }
        })
        .collect();
    assert_eq!(run(&kernel("", "", body), &(100..140).collect::<Vec<_>>(), 40), expected);
}

#[test]
fn simd_operations_see_active_threads_only() {
    let body = "%bit = and %x, %c1
        %odd = ne %bit, %c0
        if %odd {
          %first = simd.is_first
          %sum = simd.reduce_add %x
          %k: u32 = const 1000
          %big = add %sum, %k
          %r = select %first, %big, %sum
          store %pout, %r
        } else {
          %t: bool = const true
          %b = simd.ballot %t
          %l: u32 = convert %b
          store %pout, %l
        }";
    let expected: Vec<u32> = (0..32)
        .map(|i| match i {
            1 => 1256,
            i if i % 2 == 1 => 256,
            _ => 0x5555_5555,
        })
        .collect();
    assert_eq!(run(&kernel("", "", body), &(0..32).collect::<Vec<_>>(), 32), expected);
}

#[test]
fn simd_sums_of_vectors_of_floats() {
    let body = "%f: f32 = convert %x %h: f32 = const 0.5 %g = mul %f, %h %v = compose %f, %g
        %s = simd.reduce_add %v %e = extract %s, 1 %r: u32 = convert %e store %pout, %r";
    assert_eq!(run(&kernel("", "", body), &(0..8).collect::<Vec<_>>(), 8), [14; 8]);
}

#[test]
fn logs_are_formatted_and_name_the_thread() {
    let items = "global format: array<i8, 8> constant = \"x=%u %s\\n\"";
    let text = kernel(items, "", "%is = eq %x, %c2 if %is { log @format, %x }");
    let module = module(&text);
    let mut machine = Machine::new(&module, "k", Options::default()).unwrap();
    machine.bind(0, Argument::Bytes([1u32, 2, 2].iter().flat_map(|x| x.to_le_bytes()).collect()));
    machine.dispatch([3, 1, 1], [3, 1, 1], DispatchKind::Threads).unwrap();
    let logs = machine.take_logs();
    assert_eq!(
        logs.iter().map(|l| (l.record.message.as_str(), l.thread[0])).collect::<Vec<_>>(),
        [("x=2 %s\n", 1), ("x=2 %s\n", 2)]
    );
    assert!(machine.take_logs().is_empty());
}

/// Not a benchmark: a picture of this size has to be no trouble in tests.
#[test]
fn mandelbrot_agrees_with_rust() {
    let text = "fn mandelbrot(%out: ptr<device, u32>) -> void {
          local zx: f32 local zy: f32 local n: u32
          %g = builtin thread_position_in_grid
          %x = extract %g, 0 %y = extract %g, 1
          %fx: f32 = convert %x %fy: f32 = convert %y
          %scale: f32 = const 0.0234375 %two: f32 = const 2.0 %half: f32 = const 1.5 %four: f32 = const 4.0
          %sx = mul %fx, %scale %sy = mul %fy, %scale
          %cx = sub %sx, %two %cy = sub %sy, %half
          %zero: f32 = const 0.0 %n0: u32 = const 0 %n1: u32 = const 1 %limit: u32 = const 64
          %pzx = local_addr zx %pzy = local_addr zy %pn = local_addr n
          store %pzx, %zero store %pzy, %zero store %pn, %n0
          loop l {
            %n = load %pn
            %done = ge %n, %limit
            if %done { break l }
            %a = load %pzx %b = load %pzy
            %aa = mul %a, %a %bb = mul %b, %b
            %m = add %aa, %bb
            %out_of = gt %m, %four
            if %out_of { break l }
            %d = sub %aa, %bb
            %na = add %d, %cx
            %ab = mul %a, %b
            %ab2 = mul %ab, %two
            %nb = add %ab2, %cy
            store %pzx, %na store %pzy, %nb
            %nn = add %n, %n1
            store %pn, %nn
          }
          %w: u32 = const 128
          %row = mul %y, %w
          %i = add %row, %x
          %p = ptr_offset %out, %i
          %r = load %pn
          store %p, %r
        }
        kernel mandelbrot = @mandelbrot { out: buffer 0 device read_write u32 }";
    let module = module(text);
    let mut out = vec![0u32; 128 * 128];
    let start = std::time::Instant::now();
    let mut machine = Machine::new(&module, "mandelbrot", Options::default()).unwrap();
    machine.bind(0, Argument::Buffer(BufferRef::of(&mut out)));
    machine.dispatch([128, 128, 1], [16, 16, 1], DispatchKind::Threads).unwrap();
    drop(machine);
    println!("mandelbrot: {:?}", start.elapsed());
    for y in 0..128 {
        for x in 0..128 {
            let (cx, cy) = (x as f32 * 0.0234375 - 2.0, y as f32 * 0.0234375 - 1.5);
            let (mut a, mut b, mut n) = (0f32, 0f32, 0);
            while n < 64 && a * a + b * b <= 4.0 {
                (a, b) = (a * a - b * b + cx, a * b * 2.0 + cy);
                n += 1;
            }
            assert_eq!(out[y * 128 + x], n, "{x} {y}");
        }
    }
}
