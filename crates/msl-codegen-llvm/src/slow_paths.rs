//! What compiled kernels call when an access is not plainly within bounds: each lane is tested, a
//! fault is recorded, and only what is allowed is touched.
//!
//! In: pointers that a kernel prepared (see `cpu::check`). The functions reach kernels through
//! [`LaunchContext::slow_paths`], so that no kernel carries copies of its own and objects in a cache name no
//! addresses. All offsets wrap as they do in the kernel; a lane is within bounds when its offset
//! is below `length - (bytes - 1)`, or 0 where that would be negative.

use crate::abi::{LaunchContext, header};

/// What is accessed, packed into a word: bytes of a scalar (1, 2, 4 or 8), threads of a part, scalars of
/// an element, parts, bits in which an index counts and wraps, whether it is signed, whether this is a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Form {
    pub bytes: u32,
    pub lanes: u32,
    pub count: u32,
    pub parts: u32,
    pub index_bits: u32,
    pub index_is_signed: bool,
    pub is_store: bool,
}

impl Form {
    pub fn pack(self) -> u64 {
        let fields = [self.bytes, self.lanes, self.count, self.parts, self.index_bits];
        let flags = u64::from(self.index_is_signed) << 40 | u64::from(self.is_store) << 41;
        fields.iter().enumerate().fold(flags, |word, (i, field)| word | u64::from(field & 0xff) << (8 * i))
    }
    fn unpack(word: u64) -> Form {
        let field = |i: u32| (word >> (8 * i)) as u32 & 0xff;
        Form {
            bytes: field(0),
            lanes: field(1),
            count: field(2),
            parts: field(3),
            index_bits: field(4),
            index_is_signed: word >> 40 & 1 != 0,
            is_store: word >> 41 & 1 != 0,
        }
    }
}

/// A part of a linear access: the index of its first lane, and what comes on top of all lanes' bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct LinearPart {
    pub offset: u64,
    pub first_index: u64,
    pub mask: u64,
}

/// The functions, in the order that the emitter knows.
#[repr(C)]
#[derive(Debug)]
pub struct SlowPaths {
    linear: unsafe extern "C" fn(*const u8, *mut u8, u64, *const LinearPart, *mut u8, u64, u32, u32, i64, i64),
    vectors: unsafe extern "C" fn(*const u8, *mut u8, u64, *const u64, *mut u8, u64, u32, u32, u64),
    scalars: unsafe extern "C" fn(*const u8, *mut u8, u64, *const u64, *mut u8, u64, u32, u32, u64),
    check: unsafe extern "C" fn(*const u8, u64, u64, u64, u32, u32, u32) -> u32,
    resident: unsafe extern "C" fn(*const u8, u64, *const u64, u64, u32, u32, u64) -> u64,
}

/// For [`LaunchContext::slow_paths`].
pub static SLOW_PATHS: SlowPaths = SlowPaths { linear, vectors, scalars, check, resident };

/// Byte offsets in the table.
pub(crate) mod offset {
    use super::SlowPaths;
    use std::mem::offset_of;
    pub const LINEAR: u64 = offset_of!(SlowPaths, linear) as u64;
    pub const VECTORS: u64 = offset_of!(SlowPaths, vectors) as u64;
    pub const SCALARS: u64 = offset_of!(SlowPaths, scalars) as u64;
    pub const CHECK: u64 = offset_of!(SlowPaths, check) as u64;
    pub const RESIDENT: u64 = offset_of!(SlowPaths, resident) as u64;
}

fn limit(length: u64, bytes: u64) -> u64 {
    length.saturating_sub(bytes.wrapping_sub(1))
}

/// # Safety
/// `scratch` is that of a running kernel, which starts with its context and the threadgroup's position.
unsafe fn record(scratch: *const u8, site: u32, thread: u32, offset: u64) {
    // SAFETY: promised by the caller.
    unsafe {
        let context = *scratch.add(header::CONTEXT as usize).cast::<*const LaunchContext>();
        let group = scratch.add(header::GROUP as usize).cast::<u32>();
        ((*context).on_fault)(context, site, group, thread, offset);
    }
}

/// Copies a scalar in one piece, as other threads may see it.
///
/// # Safety
/// Both places hold as many bytes.
unsafe fn copy(from: *const u8, to: *mut u8, bytes: u32) {
    // SAFETY: promised by the caller; nothing is assumed about alignment.
    unsafe {
        match bytes {
            1 => to.write(from.read()),
            2 => to.cast::<u16>().write_unaligned(from.cast::<u16>().read_unaligned()),
            4 => to.cast::<u32>().write_unaligned(from.cast::<u32>().read_unaligned()),
            _ => to.cast::<u64>().write_unaligned(from.cast::<u64>().read_unaligned()),
        }
    }
}

/// # Safety
/// `to` holds as many bytes.
unsafe fn clear(to: *mut u8, bytes: u32) {
    // SAFETY: promised by the caller.
    unsafe { to.write_bytes(0, bytes as usize) }
}

/// Where a fault is reported: the place in the program, and the first thread of the part.
#[derive(Clone, Copy)]
struct At {
    scratch: *const u8,
    site: u32,
    thread: u32,
}

/// One scalar of each lane, between memory and `data` (a vector of them).
///
/// # Safety
/// Memory from `base` is valid for `length` bytes, `data` for all lanes; `at` holds the kernel's scratch memory.
unsafe fn each_lane(
    at: At,
    base: *mut u8,
    length: u64,
    offset: impl Fn(u32) -> u64,
    data: *mut u8,
    form: Form,
    mask: u64,
) {
    let limit = limit(length, form.bytes.into());
    let is_on = |lane: u32| mask >> lane & 1 != 0;
    if let Some(lane) = (0..form.lanes).find(|lane| is_on(*lane) && offset(*lane) >= limit) {
        // SAFETY: `scratch` is the running kernel's.
        unsafe { record(at.scratch, at.site, at.thread.wrapping_add(lane), offset(lane)) };
    }
    for lane in 0..form.lanes {
        let cell = data.wrapping_add((lane * form.bytes) as usize);
        let offset = offset(lane);
        let may = is_on(lane) && offset < limit;
        let place = base.wrapping_add(offset as usize);
        // SAFETY: the lane was tested against the length; the cell is one of `data`.
        unsafe {
            match (form.is_store, may) {
                (true, true) => copy(cell, place, form.bytes),
                (true, false) => {}
                (false, true) => copy(place, cell, form.bytes),
                (false, false) => clear(cell, form.bytes),
            }
        }
    }
}

/// Linear accesses of all parts: `data` holds `count` vectors for each. Lanes are `stride` steps of the index
/// apart, of `scale` bytes each.
unsafe extern "C" fn linear(
    scratch: *const u8,
    base: *mut u8,
    length: u64,
    parts: *const LinearPart,
    data: *mut u8,
    form: u64,
    site: u32,
    thread: u32,
    stride: i64,
    scale: i64,
) {
    let form = Form::unpack(form);
    let unused = 64 - form.index_bits.clamp(1, 64);
    for k in 0..form.parts {
        // SAFETY: there are as many parts as the form says.
        let part = unsafe { *parts.add(k as usize) };
        let at = At { scratch, site, thread: thread.wrapping_add(k * form.lanes) };
        for c in 0..form.count {
            let offset = |lane: u32| {
                let index = part.first_index.wrapping_add((stride as u64).wrapping_mul(lane.into())) << unused;
                let index = if form.index_is_signed { (index as i64 >> unused) as u64 } else { index >> unused };
                let bytes = index.wrapping_mul(scale as u64);
                bytes.wrapping_add(part.offset).wrapping_add(u64::from(c * form.bytes))
            };
            let vector = data.wrapping_add(((k * form.count + c) * form.lanes * form.bytes) as usize);
            // SAFETY: memory is that of the argument; `data` has a vector per part and component.
            unsafe { each_lane(at, base, length, offset, vector, form, part.mask) };
        }
    }
}

/// Accesses of several parts, whose lanes each have an offset: `data` holds `count` vectors for each part, `mask` a bit
/// for each of their lanes.
unsafe extern "C" fn vectors(
    scratch: *const u8,
    base: *mut u8,
    length: u64,
    offsets: *const u64,
    data: *mut u8,
    form: u64,
    site: u32,
    thread: u32,
    mask: u64,
) {
    let form = Form::unpack(form);
    for k in 0..form.parts {
        let first = k * form.lanes;
        let at = At { scratch, site, thread: thread.wrapping_add(first) };
        for c in 0..form.count {
            // SAFETY: the kernel passes an offset for each lane of each part.
            let offset =
                |lane: u32| unsafe { (*offsets.add((first + lane) as usize)).wrapping_add((c * form.bytes).into()) };
            let vector = data.wrapping_add(((k * form.count + c) * form.lanes * form.bytes) as usize);
            // SAFETY: memory is that of the argument; `data` has a vector per part and component.
            unsafe { each_lane(at, base, length, offset, vector, form, mask >> first) };
        }
    }
}

/// A scalar load for each of several parts (`mask` tells which are on), `count` values for each.
unsafe extern "C" fn scalars(
    scratch: *const u8,
    base: *mut u8,
    length: u64,
    offsets: *const u64,
    data: *mut u8,
    form: u64,
    site: u32,
    thread: u32,
    mask: u64,
) {
    let form = Form::unpack(form);
    let limit = limit(length, u64::from(form.count) * u64::from(form.bytes));
    for k in 0..form.parts {
        // SAFETY: the kernel passes an offset per part and room for all values; only what is below
        // the limit is touched.
        unsafe {
            let offset = *offsets.add(k as usize);
            let is_on = mask >> k & 1 != 0;
            if is_on && offset >= limit {
                record(scratch, site, thread.wrapping_add(k * form.lanes), offset);
            }
            for c in 0..form.count {
                let cell = data.add(((k * form.count + c) * form.bytes) as usize);
                if is_on && offset < limit {
                    copy(base.wrapping_add(offset as usize + (c * form.bytes) as usize), cell, form.bytes);
                } else {
                    clear(cell, form.bytes);
                }
            }
        }
    }
}

/// Whether one scalar access may be done. Records a fault if not and `active`.
unsafe extern "C" fn check(
    scratch: *const u8,
    size: u64,
    length: u64,
    offset: u64,
    active: u32,
    site: u32,
    thread: u32,
) -> u32 {
    let inside = offset < limit(length, size);
    if !inside && active != 0 {
        // SAFETY: the scratch memory is the running kernel's.
        unsafe { record(scratch, site, thread, offset) };
    }
    u32::from(inside && active != 0)
}

/// Which lanes may access `size` bytes at addresses that came from nowhere the compiler knows:
/// asks the host for the allocation around each.
unsafe extern "C" fn resident(
    scratch: *const u8,
    size: u64,
    addresses: *const u64,
    form: u64,
    site: u32,
    thread: u32,
    mask: u64,
) -> u64 {
    let lanes = Form::unpack(form).lanes;
    let mut range = [0u64; 2];
    let mut good = 0u64;
    // SAFETY: the kernel passes its scratch memory and an address per lane; the host's `find_range`
    // writes two words.
    unsafe {
        let context = *scratch.add(header::CONTEXT as usize).cast::<*const LaunchContext>();
        for lane in (0..lanes).filter(|lane| mask >> lane & 1 != 0) {
            let address = *addresses.add(lane as usize);
            let within = |range: &[u64; 2]| {
                let room = range[1].wrapping_sub(range[0]).saturating_sub(size.wrapping_sub(1));
                address.wrapping_sub(range[0]) < room
            };
            // A neighbor's allocation is usually the same one.
            if !within(&range) {
                ((*context).find_range)(context, address, &raw mut range);
            }
            if within(&range) {
                good |= 1 << lane;
            }
        }
        let bad = mask & !good;
        if bad != 0 {
            let lane = bad.trailing_zeros();
            record(scratch, site, thread.wrapping_add(lane), *addresses.add(lane as usize));
        }
    }
    good
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::{FaultRecord, find_no_range, ignore_log, record_fault, unreachable_edge};
    use std::sync::atomic::AtomicU32;

    /// Runs `f` with the scratch memory of a kernel; gives the fault.
    fn with_scratch(f: impl FnOnce(*const u8)) -> Option<(u32, [u32; 3], u32, u64)> {
        let (stop, fault) = (AtomicU32::new(0), FaultRecord::default());
        let context = LaunchContext {
            arguments: std::ptr::null(),
            grid_threads: [1; 3],
            groups: [1; 3],
            threadgroup: [1; 3],
            flags: 0,
            stop: &raw const stop,
            fault: &raw const fault,
            on_fault: record_fault,
            find_range: find_no_range,
            on_log: ignore_log,
            slow_paths: &raw const SLOW_PATHS,
            edge: unreachable_edge,
            user: std::ptr::null_mut(),
        };
        let scratch = [&raw const context as u64, 5 | 6 << 32, 7];
        f(scratch.as_ptr().cast());
        fault.get()
    }

    #[test]
    fn linear_loads_stop_at_the_end_and_wrap_with_the_index() {
        let memory: Vec<u32> = (10..18).collect();
        let mut data = [u32::MAX; 8];
        let form = Form { bytes: 4, lanes: 4, count: 1, parts: 2, index_bits: 32, ..Form::default() };
        assert_eq!(Form::unpack(form.pack()), form);
        // The first part wraps to the start of memory; the second ends beyond it in its last lane.
        let parts = [
            LinearPart { offset: 0, first_index: u64::from(u32::MAX), mask: 0b1110 },
            LinearPart { offset: 4, first_index: 4, mask: 0b1111 },
        ];
        let fault = with_scratch(|scratch| {
            let base = memory.as_ptr().cast_mut().cast();
            // SAFETY: sizes agree with the description; loads do not write to memory.
            unsafe { linear(scratch, base, 32, parts.as_ptr(), data.as_mut_ptr().cast(), form.pack(), 3, 100, 1, 4) };
        });
        assert_eq!(data, [0, 10, 11, 12, 15, 16, 17, 0]);
        assert_eq!(fault, Some((3, [5, 6, 7], 107, 32)));
    }

    #[test]
    fn scattered_stores_touch_only_active_lanes_within_bounds() {
        let mut memory = [0u16; 4];
        let data: [u16; 4] = [1, 2, 3, 4];
        let form = Form { bytes: 2, lanes: 4, count: 1, parts: 1, is_store: true, ..Form::default() }.pack();
        let offsets = [6u64, 7, 0, 2];
        let fault = with_scratch(|scratch| {
            let base = memory.as_mut_ptr().cast();
            // SAFETY: four offsets and four values for four lanes.
            unsafe { vectors(scratch, base, 8, offsets.as_ptr(), data.as_ptr().cast_mut().cast(), form, 1, 8, 0b1011) };
        });
        assert_eq!(memory, [0, 4, 0, 1]);
        assert_eq!(fault, Some((1, [5, 6, 7], 9, 7)));
    }

    #[test]
    fn parts_of_several_components_are_loaded_as_so_many_vectors() {
        // Two parts of two threads that load pairs; the last thread but one is off, the last beyond the end.
        let memory = [10u32, 11, 12, 13, 14];
        let mut data = [9u32; 8];
        let form = Form { bytes: 4, lanes: 2, count: 2, parts: 2, ..Form::default() }.pack();
        let offsets = [8u64, 0, 4, 16];
        let fault = with_scratch(|scratch| {
            let base = memory.as_ptr().cast_mut().cast();
            // SAFETY: four offsets, room for two vectors of each of two parts; loads do not write to memory.
            unsafe { vectors(scratch, base, 20, offsets.as_ptr(), data.as_mut_ptr().cast(), form, 2, 30, 0b1011) };
        });
        assert_eq!(data, [12, 10, 13, 11, 0, 14, 0, 0]);
        assert_eq!(fault, Some((2, [5, 6, 7], 33, 20)));
    }

    #[test]
    fn nothing_is_resident_where_the_host_knows_no_range() {
        let form = Form { lanes: 2, ..Form::default() }.pack();
        let fault = with_scratch(|scratch| {
            // SAFETY: two addresses for two lanes.
            assert_eq!(unsafe { resident(scratch, 4, [64u64, 128].as_ptr(), form, 9, 0, 0b10) }, 0);
        });
        assert_eq!(fault, Some((9, [5, 6, 7], 1, 128)));
    }
}
