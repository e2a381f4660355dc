use super::*;

fn inputs() -> Vec<u32> {
    (0..70).map(|i| i * 7 % 23).collect()
}

fn check(text: &str, expected: impl Fn(u32) -> u32) {
    let input = inputs();
    let expected: Vec<u32> = input.iter().map(|&x| expected(x)).collect();
    for threadgroup in [1, 7, 32, 70] {
        assert_eq!(run(text, &input, threadgroup), expected, "threadgroups of {threadgroup}\n{text}");
    }
}

#[test]
fn loops_run_as_often_as_each_thread_asks() {
    let body = "%n = local_addr n %s = local_addr s
        store %n, %c0 store %s, %c0
        loop l {
          %a = load %n
          %done = ge %a, %x
          if %done { break l }
          %b = and %a, %c1
          %odd = eq %b, %c1
          if %odd { continue l }
          %t = load %s
          %u = add %t, %a
          store %s, %u
        } continuing {
          %a1 = load %n
          %a2 = add %a1, %c1
          store %n, %a2
        }
        %r = load %s
        store %pout, %r";
    check(&kernel("", "local n: u32 local s: u32", body), |x| (0..x).filter(|n| n % 2 == 0).sum());
}

#[test]
fn breaks_leave_outer_loops_and_scopes_from_varying_branches() {
    let body = "%n = local_addr n %m = local_addr m
        store %n, %c0
        loop outer {
          store %m, %c0
          loop inner {
            %a = load %n
            %b = load %m
            %p = mul %a, %b
            %found = ge %p, %x
            if %found { break outer }
            %c9: u32 = const 9
            %full = ge %b, %c9
            if %full { continue outer }
          } continuing {
            %b1 = load %m
            %b2 = add %b1, %c1
            store %m, %b2
          }
        } continuing {
          %a1 = load %n
          %a2 = add %a1, %c1
          store %n, %a2
        }
        %a3 = load %n %b3 = load %m
        %k: u32 = const 100
        %h = mul %a3, %k
        %r = add %h, %b3
        store %pout, %r";
    check(&kernel("", "local n: u32 local m: u32", body), |x| {
        let mut n = 0;
        loop {
            for m in 0..10 {
                if n * m >= x {
                    return n * 100 + m;
                }
            }
            n += 1;
        }
    });
}

#[test]
fn switches_fall_through_default_and_break() {
    let body = "%s = local_addr s
        store %s, %c0
        %k: u32 = const 6
        %v = rem %x, %k
        switch sw %v {
          case 0 { store %s, %c1 }
          case 1, 2 {
            %t = load %s
            %u = add %t, %c2
            store %s, %u
            %big = gt %x, %k
            if %big { break sw }
          }
          case default {
            %t2 = load %s
            %h: u32 = const 100
            %u2 = add %t2, %h
            store %s, %u2
          }
          case 4 {
            %t3 = load %s
            %u3 = mul %t3, %c2
            store %s, %u3
            break sw
          }
          case 5 { store %s, %x }
        }
        %r = load %s
        store %pout, %r";
    check(&kernel("", "local s: u32", body), |x| {
        let mut s = 0;
        let mut at = match x % 6 {
            0 => 0,
            1 | 2 => 1,
            4 => 3,
            5 => 4,
            _ => 2,
        };
        loop {
            match at {
                0 => s = 1,
                1 => {
                    s += 2;
                    if x > 6 {
                        return s;
                    }
                }
                2 => s += 100,
                3 => return s * 2,
                _ => return x,
            }
            at += 1;
        }
    });
}

#[test]
fn a_switch_without_default_skips_and_sees_signs() {
    let body = "%v: i32 = bitcast %x
        %k: i32 = const 5
        %w = sub %v, %k
        %b: i8 = convert %w
        store %pout, %c0
        switch s %b { case -5, -1 { store %pout, %c1 break s } case 3 { store %pout, %c2 } }";
    check(&kernel("", "", body), |x| match x as i32 - 5 {
        -5 | -1 => 1,
        3 => 2,
        _ => 0,
    });
}

#[test]
fn do_while_loops_break_in_their_continuing_part() {
    let body = "%n = local_addr n
        store %n, %x
        loop l { %a = load %n %b = mul %a, %c2 store %n, %b }
        continuing {
          %c = load %n
          %k: u32 = const 50
          %z = eq %c, %c0
          %big = gt %c, %k
          %stop = or %z, %big
          if %stop { break l }
        }
        %r = load %n
        store %pout, %r";
    check(&kernel("", "local n: u32", body), |x| {
        let mut n = x;
        loop {
            n *= 2;
            if n == 0 || n > 50 {
                return n;
            }
        }
    });
}

#[test]
fn calls_return_early_from_nested_constructs_and_keep_their_locals_apart() {
    let items = "fn collatz(%n: u32, %depth: u32) -> u32 {
          local m: u32 local steps: u32
          %m = local_addr m %s = local_addr steps
          %zero: u32 = const 0 %one: u32 = const 1 %two: u32 = const 2 %three: u32 = const 3
          store %m, %n store %s, %zero
          loop l {
            %a = load %m
            %small = le %a, %one
            if %small { %r = load %s return %r }
            %bit = and %a, %one
            %odd = ne %bit, %zero
            if %odd {
              %b = mul %a, %three
              %c = add %b, %one
              store %m, %c
              continue l
            }
            %d = div %a, %two
            store %m, %d
          } continuing {
            %t = load %s
            %u = add %t, %one
            store %s, %u
          }
        }
        fn twice(%n: u32) -> u32 {
          %zero: u32 = const 0 %one: u32 = const 1
          %z = eq %n, %zero
          if %z { return %zero }
          %a = call @collatz(%n, %zero)
          %m = add %n, %one
          %b = call @collatz(%m, %one)
          %c = add %a, %b
          return %c
        }";
    let body = "%odd = and %x, %c1 %is = eq %odd, %c1
        store %pout, %x
        if %is { %r = call @twice(%x) store %pout, %r }";
    let collatz = |mut n: u32| {
        let mut steps = 0;
        while n > 1 {
            n = if n % 2 == 1 { n * 3 + 1 } else { n / 2 };
            steps += 1;
        }
        steps
    };
    check(&kernel(items, "", body), |x| if x % 2 == 1 { collatz(x) + collatz(x + 1) } else { x });
}

#[test]
fn threads_that_diverged_meet_again_after_the_construct() {
    // The ballot after the branch sees everyone; those inside see their own.
    let body = "%bit = and %x, %c1 %odd = ne %bit, %c0
        %t: bool = const true
        store %pout, %c0
        scope s {
          if %odd {
            %k: u32 = const 10
            %big = gt %x, %k
            if %big { break s }
          }
          %b = simd.ballot %t
          %l: u32 = convert %b
          store %pout, %l
        }
        %all = simd.ballot %t
        %n = pop_count %all
        %m: u32 = convert %n
        %old = load %pout
        %sh: u32 = const 26
        %h = shl %m, %sh
        %r = xor %old, %h
        store %pout, %r";
    let input: Vec<u32> = (0..20).collect();
    let stays = |x: u32| x & 1 == 0 || x <= 10;
    let ballot: u32 = (0..20).filter(|&x| stays(x)).map(|x| 1 << x).sum();
    let expected: Vec<u32> = input.iter().map(|&x| (if stays(x) { ballot } else { 0 }) ^ (20 << 26)).collect();
    assert_eq!(run(&kernel("", "", body), &input, 20), expected);
}

#[test]
fn deep_nesting_executes() {
    let body = format!("{} store %pout, %x {}", "scope s%d { %q = eq %x, %x if %q {".repeat(90), "} }".repeat(90));
    let mut text = String::new();
    for (n, part) in body.split("%d").enumerate() {
        text.push_str(&part.replace("%q", &format!("%q{n}")));
        if n < 90 {
            text.push_str(&n.to_string());
        }
    }
    assert_eq!(run(&kernel("", "", &text), &[3, 4], 2), [3, 4]);
}
