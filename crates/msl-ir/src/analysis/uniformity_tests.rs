//! Shapes and blends of small kernels.

use super::*;
use crate::passes::testing::{entry, find, local, module, uniformity};

#[test]
fn addresses_of_a_row_are_linear_and_its_number_is_uniform() {
    let m = module(
        "fn k(%in: ptr<device, f32>, %n: ptr<constant, u32>) -> void {
           %gid = builtin thread_position_in_grid
           %x = extract %gid, 0
           %y = extract %gid, 1
           %w = load %n
           %row = mul %y, %w
           %i = add %row, %x
           %p = ptr_offset %in, %i
           %q = ptr_offset %in, %row
           %a = load %p
           %b = load %q
           %c = lt %x, %w
           if %c { store %p, %b }
         }
         kernel k = @k { in: buffer 0 device read_write f32  n: buffer 1 constant read u32 }",
    );
    let f = entry(&m);
    let u = uniformity(&m, &GangLayout::consecutive(Some([32, 4, 1]), 16, 2));
    let p = u.shape(find(&m, f, "ptr_offset", 0));
    assert_eq!((p.lanes, p.assumed), (Lanes::Linear(4), true));
    assert!(u.shape(find(&m, f, "ptr_offset", 1)).is_uniform());
    assert_eq!(u.shape(find(&m, f, "load", 1)).lanes, Lanes::Varying);
    assert!(u.shape(find(&m, f, "load", 2)).is_uniform());
    assert_eq!(u.split(find(&m, f, "if", 0)), Split::Lanes);
    assert!(!u.divergence().is_full(find(&m, f, "store", 0)));
}

/// The counter of a loop that threads leave at different times: uniform while only the loop reads it.
fn counting(after: &str) -> String {
    format!(
        "fn k(%out: ptr<device, u32>) -> void {{
           local i: u32
           %gid = builtin thread_position_in_grid
           %x = extract %gid, 0
           %zero: u32 = const 0
           %one: u32 = const 1
           %i = local_addr i
           store %i, %zero
           %p = ptr_offset %out, %x
           loop l {{
             %v = load %i
             %done = ge %v, %x
             if %done {{ break l }}
           }} continuing {{
             %w = load %i
             %next = add %w, %one
             store %i, %next
           }}
           {after}
         }}
         kernel k = @k {{ out: buffer 0 device read_write u32 }}"
    )
}

#[test]
fn a_counter_needs_a_blend_only_when_read_after_a_divergent_loop() {
    let layout = GangLayout::consecutive(Some([32, 1, 1]), 16, 2);
    let m = module(&counting("store %p, %zero"));
    let f = entry(&m);
    let u = uniformity(&m, &layout);
    assert!(u.local(local(&m, f, "i")).is_uniform());
    assert_eq!(u.split(find(&m, f, "break", 0)), Split::Lanes);
    assert_eq!(u.blend(find(&m, f, "store", 1)), Split::None);

    let m = module(&counting("%r = load %i\n store %p, %r"));
    let f = entry(&m);
    let u = uniformity(&m, &layout);
    assert_eq!(u.local(local(&m, f, "i")).lanes, Lanes::Varying);
    assert_eq!(u.blend(find(&m, f, "store", 0)), Split::None);
    assert_eq!(u.blend(find(&m, f, "store", 1)), Split::Lanes);
}

#[test]
fn two_branches_that_set_a_local_blend_once() {
    let m = module(
        "fn k(%out: ptr<device, u32>) -> void {
           local r: u32
           %gid = builtin thread_position_in_grid
           %x = extract %gid, 0
           %one: u32 = const 1
           %two: u32 = const 2
           %r = local_addr r
           %c = lt %x, %two
           if %c { store %r, %one } else { store %r, %two }
           %v = load %r
           %p = ptr_offset %out, %x
           store %p, %v
         }
         kernel k = @k { out: buffer 0 device read_write u32 }",
    );
    let f = entry(&m);
    let u = uniformity(&m, &GangLayout::consecutive(Some([32, 1, 1]), 16, 2));
    assert_eq!(u.blend(find(&m, f, "store", 0)), Split::None);
    assert_eq!(u.blend(find(&m, f, "store", 1)), Split::Lanes);
    assert_eq!(u.shape(find(&m, f, "load", 0)).lanes, Lanes::Varying);
}

#[test]
fn branches_on_the_part_number_split_parts_only() {
    let m = module(
        "fn k(%out: ptr<device, u32>) -> void {
           local r: u32
           %gid = builtin thread_position_in_threadgroup
           %y = extract %gid, 1
           %zero: u32 = const 0
           %r = local_addr r
           store %r, %zero
           %c = gt %y, %zero
           if %c { store %r, %y }
           %v = load %r
           %p = ptr_offset %out, %v
           store %p, %v
         }
         kernel k = @k { out: buffer 0 device read_write u32 }",
    );
    let f = entry(&m);
    let u = uniformity(&m, &GangLayout::consecutive(Some([16, 4, 1]), 16, 2));
    assert_eq!(u.split(find(&m, f, "if", 0)), Split::Parts);
    let v = u.shape(find(&m, f, "load", 0));
    assert_eq!((v.lanes, v.parts), (Lanes::Uniform, Parts::Different));
}
