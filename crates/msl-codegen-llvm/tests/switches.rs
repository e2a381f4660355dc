//! Threadgroup barriers inside of switches: uniform and not, falling through, leaving loops.

mod common;
use common::*;

/// Each case exchanges numbers with a neighbor through threadgroup memory, which needs the barriers.
fn kernel(selector: &str) -> String {
    format!(
        "global tile: array<u32, 128> threadgroup
fn f(%out: ptr<device, u32>, %p: ptr<constant, i32>) -> void {{
  local sum: u32 align 4
  local round: u32 align 4
  %gid = builtin thread_position_in_grid
  %i = extract %gid, 0
  %l = builtin thread_index_in_threadgroup
  %n = load %p
  %one: u32 = const 1
  %mask: u32 = const 127
  %t = global_addr tile
  %mine = index_addr %t, %l
  %next = add %l, %one
  %wrapped = and %next, %mask
  %other = index_addr %t, %wrapped
  %s = local_addr sum
  store %s, %l
  %r = local_addr round
  %zero: u32 = const 0
  store %r, %zero
  %three: u32 = const 3
  loop again {{
    %round = load %r
    %go = lt %round, %three
    if %go {{}} else {{ break again }}
    %rs: i32 = convert %round
{selector}
    switch which %v {{
      case 1 {{
        %a0 = load %s
        store %mine, %a0
        barrier threadgroup [threadgroup]
        %a1 = load %other
        %a2 = add %a0, %a1
        store %s, %a2
        barrier threadgroup [threadgroup]
      }}
      case 2 -7 {{
        %b0 = load %s
        store %mine, %b0
        barrier threadgroup [threadgroup]
        %b1 = load %other
        store %s, %b1
        barrier threadgroup [threadgroup]
        break which
      }}
      case default {{
        %c0 = load %s
        %c1 = mul %c0, %three
        store %s, %c1
        barrier threadgroup [threadgroup]
      }}
      case 4 {{
        %d0 = load %s
        %d1 = add %d0, %one
        store %s, %d1
      }}
      case 5 {{ break again }}
    }}
  }} continuing {{
    %r0 = load %r
    %r1 = add %r0, %one
    store %r, %r1
  }}
  %o = ptr_offset %out, %i
  %result = load %s
  store %o, %result
}}
kernel f = @f {{
  out: buffer 0 device read_write u32
  p: buffer 1 constant reference read i32
}}
"
    )
}

#[test]
fn barriers_in_switches_meet() {
    for selector in
        ["    %v = add %n, %rs", "    %two: i32 = const 2\n    %half = mul %rs, %two\n    %v = sub %n, %half"]
    {
        let source = kernel(selector);
        for n in [0i32, 1, 2, 3, 4, 5, -7] {
            check(&source, "f", [256, 1, 1], [128, 1, 1], &[u32s(&[7; 256]), u32s(&[n as u32])]);
        }
    }
}
