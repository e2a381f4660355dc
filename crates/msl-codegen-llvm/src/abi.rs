//! The calling convention between compiled CPU kernels and their host, and the types it uses.
//!
//! A kernel is an [`EntryFn`]: it runs the threadgroups `first..end` of a grid (linear index, x
//! fastest) on the calling thread. Different threads may run different ranges of one dispatch at
//! the same time, each with scratch memory of its own; scratch is 64-byte aligned, at least
//! [`CompiledKernel::scratch_size`](crate::CompiledKernel::scratch_size) bytes, and need not be
//! cleared. The kernel looks at the stop word once per threadgroup and returns when it is not zero.

use std::ffi::c_void;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::slow_paths::SlowPaths;

/// Runs the threadgroups `first_group..end_group`.
pub type EntryFn =
    unsafe extern "C" fn(context: *const LaunchContext, first_group: u64, end_group: u64, scratch: *mut u8);

/// One argument, in the order of the entry point's parameters.
///
/// Buffers and textures: the address and the length in bytes of the memory bound. Threadgroup
/// parameters: `address` is ignored, `length` is the size in bytes. Samplers: `address` is the value.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ArgumentSlot {
    pub address: u64,
    pub length: u64,
}

/// What a dispatch is made of. Field order is known to the code generator.
#[repr(C)]
pub struct LaunchContext {
    pub arguments: *const ArgumentSlot,
    /// `threads_per_grid`.
    pub grid_threads: [u32; 3],
    /// `threadgroups_per_grid`.
    pub groups: [u32; 3],
    /// `dispatch_threads_per_threadgroup`; what the kernel was compiled for.
    pub threadgroup: [u32; 3],
    /// [`STREAM`].
    pub flags: u32,
    /// Not zero: return at the next threadgroup.
    pub stop: *const AtomicU32,
    pub fault: *const FaultRecord,
    /// Called (rarely) when a thread faults; [`record_fault`] suits most hosts.
    pub on_fault:
        unsafe extern "C" fn(context: *const LaunchContext, site: u32, group: *const u32, thread: u32, offset: u64),
    /// Finds the resident allocation that holds an address that did not come from a parameter:
    /// writes its first address and its end, or two zeros.
    pub find_range: unsafe extern "C" fn(context: *const LaunchContext, address: u64, range: *mut [u64; 2]),
    /// A log record: the format's bytes, and one 64-bit word per scalar argument.
    pub on_log: unsafe extern "C" fn(
        context: *const LaunchContext,
        format: *const u8,
        format_length: u64,
        arguments: *const u64,
        count: u64,
    ),
    /// [`SLOW_PATHS`](crate::slow_paths::SLOW_PATHS).
    pub slow_paths: *const SlowPaths,
    /// Runs a threadgroup that is not full, or whose threads do not go the expected way: the entry of a
    /// kernel compiled for [`Groups::Any`](crate::Groups), with the same context and scratch memory, or what
    /// makes one; see also [`Groups::Whole`](crate::Groups). A kernel for all groups never calls it.
    pub edge: EntryFn,
    /// The host's own.
    pub user: *mut c_void,
}

/// The dispatch moves more memory than the caches hold: what it only writes should not displace the rest.
pub const STREAM: u32 = 1;

/// The first fault of a dispatch.
#[repr(C)]
#[derive(Debug, Default)]
pub struct FaultRecord {
    /// 0: none; 1: being written; 2: complete.
    pub state: AtomicU32,
    /// Index into [`CompiledKernel::sites`](crate::CompiledKernel).
    pub site: AtomicU32,
    pub group: [AtomicU32; 3],
    /// Linear index of the thread in a threadgroup of the size dispatched.
    pub thread: AtomicU32,
    /// Byte offset from the start of the memory, or the address where there is none.
    pub offset: std::sync::atomic::AtomicU64,
}

impl FaultRecord {
    /// Site, threadgroup, linear thread index and byte offset of the fault, if there was one.
    pub fn get(&self) -> Option<(u32, [u32; 3], u32, u64)> {
        (self.state.load(Ordering::Acquire) == 2).then(|| {
            let g = |i: usize| self.group[i].load(Ordering::Relaxed);
            (
                self.site.load(Ordering::Relaxed),
                [g(0), g(1), g(2)],
                self.thread.load(Ordering::Relaxed),
                self.offset.load(Ordering::Relaxed),
            )
        })
    }
}

/// Set in a thread's linear index that counts the threads of a smaller threadgroup at an edge of the grid.
pub(crate) const PACKED: u32 = 1 << 31;

/// The linear index that a thread would have if its threadgroup were full.
fn unpacked(context: &LaunchContext, group: &[u32], thread: u32) -> u32 {
    let full = context.threadgroup;
    let size = |i: usize| {
        let first = group[i].wrapping_mul(full[i]);
        context.grid_threads[i].wrapping_sub(first).clamp(1, full[i])
    };
    let (x, y, z) = (thread % size(0), thread / size(0) % size(1), thread / (size(0) * size(1)));
    (z * full[1] + y) * full[0] + x
}

/// Set in the fault sites of kernels for [`Groups::Any`](crate::Groups), so that a host tells them from
/// those of the kernel that handed threadgroups over.
pub const EDGE_SITE: u32 = 1 << 31;
/// The same for [`Groups::Whole`](crate::Groups).
pub const WHOLE_SITE: u32 = 1 << 30;

/// The usual `on_fault`: keeps the first fault in the context's record.
///
/// # Safety
/// `context` and its fault record are valid; `group` points to three words.
pub unsafe extern "C" fn record_fault(
    context: *const LaunchContext,
    site: u32,
    group: *const u32,
    thread: u32,
    offset: u64,
) {
    // SAFETY: promised by the caller, a compiled kernel given a valid context.
    let (context, group) = unsafe { (&*context, std::slice::from_raw_parts(group, 3)) };
    // SAFETY: likewise.
    let record = unsafe { &*context.fault };
    let thread = if thread & PACKED == 0 { thread } else { unpacked(context, group, thread & !PACKED) };
    if record.state.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_ok() {
        record.site.store(site, Ordering::Relaxed);
        for (to, from) in record.group.iter().zip(group) {
            to.store(*from, Ordering::Relaxed);
        }
        record.thread.store(thread, Ordering::Relaxed);
        record.offset.store(offset, Ordering::Relaxed);
        record.state.store(2, Ordering::Release);
    }
}

/// A `find_range` that knows no allocations: every address without a parameter faults.
///
/// # Safety
/// `range` points to two words.
pub unsafe extern "C" fn find_no_range(_context: *const LaunchContext, _address: u64, range: *mut [u64; 2]) {
    // SAFETY: promised by the caller.
    unsafe { *range = [0, 0] }
}

/// An `on_log` that drops the record.
///
/// # Safety
/// None needed; the signature is the contract's.
pub unsafe extern "C" fn ignore_log(
    _context: *const LaunchContext,
    _format: *const u8,
    _format_length: u64,
    _arguments: *const u64,
    _count: u64,
) {
}

/// An `edge` for dispatches whose threadgroups are all full.
///
/// # Safety
/// None needed; the signature is the contract's.
pub unsafe extern "C" fn unreachable_edge(_: *const LaunchContext, _: u64, _: u64, _: *mut u8) {}

/// Byte offsets the emitter uses, checked against the structure below.
pub(crate) mod offset {
    use super::LaunchContext;
    use std::mem::offset_of;
    pub const ARGUMENTS: u64 = offset_of!(LaunchContext, arguments) as u64;
    pub const GRID: u64 = offset_of!(LaunchContext, grid_threads) as u64;
    pub const GROUPS: u64 = offset_of!(LaunchContext, groups) as u64;
    pub const FLAGS: u64 = offset_of!(LaunchContext, flags) as u64;
    pub const STOP: u64 = offset_of!(LaunchContext, stop) as u64;
    pub const ON_FAULT: u64 = offset_of!(LaunchContext, on_fault) as u64;
    pub const ON_LOG: u64 = offset_of!(LaunchContext, on_log) as u64;
    pub const SLOW_PATHS: u64 = offset_of!(LaunchContext, slow_paths) as u64;
    pub const EDGE: u64 = offset_of!(LaunchContext, edge) as u64;
}

/// The start of scratch memory, written by the kernel: context pointer, group position.
pub(crate) mod header {
    pub const CONTEXT: u64 = 0;
    pub const GROUP: u64 = 8;
    pub const SIZE: u64 = 64;
}
