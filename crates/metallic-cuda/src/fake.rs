//! A driver for tests: memory of the GPU is memory of the host, and every kernel adds one to the words of its
//! first buffer. What it was asked to do is counted.

use std::alloc::{Layout, alloc, dealloc};
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use crate::context::Context;
use crate::device::CudaDevice;
use crate::driver::{Address, Driver, Graphs, Handle, KernelNode, Status};

pub static UPLOADED: AtomicU64 = AtomicU64::new(0);
pub static DOWNLOADED: AtomicU64 = AtomicU64::new(0);
pub static LAUNCHES: AtomicU32 = AtomicU32::new(0);
/// Launches among them that came in graphs.
pub static GRAPH_LAUNCHES: AtomicU32 = AtomicU32::new(0);
/// How often a graph was changed.
pub static GRAPH_CHANGES: AtomicU32 = AtomicU32::new(0);
/// Milliseconds until the GPU notices the end of a list.
pub static DELAY: AtomicU64 = AtomicU64::new(0);
/// The next launch and all calls after it fail with this status.
pub static BREAK: AtomicI32 = AtomicI32::new(0);
/// The next launch alone fails with this status.
pub static REFUSE: AtomicI32 = AtomicI32::new(0);
/// The number of the launch in its list at which a thread faults, or `u32::MAX`.
pub static FAULT_AT: AtomicU32 = AtomicU32::new(u32::MAX);
static BROKEN: AtomicI32 = AtomicI32::new(0);
static ONE_BY_ONE: Mutex<()> = Mutex::new(());

/// A device on the fake driver, and the right to use its counters.
pub fn device() -> (CudaDevice, MutexGuard<'static, ()>) {
    let guard = ONE_BY_ONE.lock().unwrap_or_else(PoisonError::into_inner);
    for counter in [&UPLOADED, &DOWNLOADED, &DELAY] {
        counter.store(0, SeqCst);
    }
    for counter in [&LAUNCHES, &GRAPH_LAUNCHES, &GRAPH_CHANGES] {
        counter.store(0, SeqCst);
    }
    for status in [&BREAK, &REFUSE, &BROKEN] {
        status.store(0, SeqCst);
    }
    FAULT_AT.store(u32::MAX, SeqCst);
    (CudaDevice::of(Context::with(driver(), 0).unwrap()).unwrap(), guard)
}

fn driver() -> &'static Driver {
    static DRIVER: OnceLock<Driver> = OnceLock::new();
    DRIVER.get_or_init(|| Driver {
        init,
        driver_version: number,
        device_count: number,
        device_get,
        device_name,
        device_attribute,
        device_memory,
        retain: make_device_handle,
        release: ignore_device,
        get_current,
        set_current: ignore,
        enable_peer: ignore_flags,
        mem_alloc,
        mem_free,
        host_register,
        host_unregister: ignore,
        pointer_attribute,
        to_device,
        to_host,
        on_device,
        to_peer,
        set_bytes,
        stream_create: make_handle,
        stream_destroy: ignore,
        stream_synchronize: ignore,
        stream_query: ignore,
        stream_wait: ignore_event,
        event_create,
        event_destroy,
        event_record,
        event_query,
        event_elapsed,
        module_load,
        module_unload: ignore,
        module_function,
        function_set: ignore_attribute,
        launch,
        error_string,
        graphs: Some(Graphs {
            create: graph_create,
            destroy: graph_destroy,
            add_kernel,
            instantiate,
            destroy_instance: graph_destroy,
            set_kernel,
            launch: graph_launch,
        }),
        library: None,
    })
}

fn broken() -> Status {
    BROKEN.load(SeqCst)
}
const HANDLE: Handle = ptr::without_provenance_mut(0x1000);
/// The function that says that a launch is over.
const MARK: Handle = ptr::without_provenance_mut(0x1100);

unsafe extern "C" fn init(_: c_uint) -> Status {
    0
}
unsafe extern "C" fn number(value: *mut c_int) -> Status {
    unsafe { *value = 1 };
    0
}
unsafe extern "C" fn device_get(device: *mut c_int, index: c_int) -> Status {
    unsafe { *device = index };
    0
}
unsafe extern "C" fn device_name(text: *mut c_char, _: c_int, _: c_int) -> Status {
    unsafe { ptr::copy_nonoverlapping(c"fake".as_ptr(), text, 5) };
    0
}
unsafe extern "C" fn device_attribute(value: *mut c_int, attribute: c_int, _: c_int) -> Status {
    unsafe { *value = if attribute == 75 { 9 } else { 0 } };
    0
}
unsafe extern "C" fn device_memory(value: *mut usize, _: c_int) -> Status {
    unsafe { *value = 1 << 30 };
    0
}
unsafe extern "C" fn make_device_handle(handle: *mut Handle, _: c_int) -> Status {
    unsafe { *handle = HANDLE };
    0
}
unsafe extern "C" fn ignore_device(_: c_int) -> Status {
    0
}
unsafe extern "C" fn get_current(handle: *mut Handle) -> Status {
    unsafe { *handle = HANDLE };
    0
}
unsafe extern "C" fn ignore(_: *mut c_void) -> Status {
    broken()
}
unsafe extern "C" fn ignore_flags(_: Handle, _: c_uint) -> Status {
    broken()
}
unsafe extern "C" fn ignore_event(_: Handle, _: Handle, _: c_uint) -> Status {
    broken()
}
unsafe extern "C" fn ignore_attribute(_: Handle, _: c_int, _: c_int) -> Status {
    broken()
}
unsafe extern "C" fn make_handle(handle: *mut Handle, _: c_uint) -> Status {
    unsafe { *handle = HANDLE };
    broken()
}
/// An event is the time at which it happens, in nanoseconds from the first one.
fn now() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
}
unsafe extern "C" fn event_create(event: *mut Handle, _: c_uint) -> Status {
    unsafe { *event = Box::into_raw(Box::new(AtomicU64::new(0))).cast() };
    broken()
}
unsafe extern "C" fn event_destroy(event: Handle) -> Status {
    drop(unsafe { Box::from_raw(event.cast::<AtomicU64>()) });
    broken()
}
unsafe extern "C" fn event_record(event: Handle, _: Handle) -> Status {
    unsafe { &*event.cast::<AtomicU64>() }.store(now() + 1_000_000 * DELAY.load(SeqCst), SeqCst);
    broken()
}
unsafe extern "C" fn event_query(event: Handle) -> Status {
    let at = unsafe { &*event.cast::<AtomicU64>() }.load(SeqCst);
    if broken() == 0 && now() < at { 600 } else { broken() }
}
unsafe extern "C" fn event_elapsed(milliseconds: *mut f32, _: Handle, _: Handle) -> Status {
    unsafe { *milliseconds = 0.0 };
    broken()
}

/// Blocks carry their size before them.
fn layout(size: usize) -> Layout {
    Layout::from_size_align(size + 512, 512).unwrap()
}
unsafe extern "C" fn mem_alloc(address: *mut Address, size: usize) -> Status {
    if size > 1 << 30 {
        return 2;
    }
    unsafe {
        let block = alloc(layout(size));
        block.cast::<usize>().write(size);
        // Nothing may rely on zeros.
        ptr::write_bytes(block.add(512), 0xAA, size);
        *address = block.add(512).expose_provenance() as Address;
    }
    broken()
}
unsafe extern "C" fn mem_free(address: Address) -> Status {
    unsafe {
        let block = at(address).sub(512);
        dealloc(block, layout(block.cast::<usize>().read()));
    }
    broken()
}
fn at(address: Address) -> *mut u8 {
    ptr::with_exposed_provenance_mut(address as usize)
}
unsafe extern "C" fn host_register(_: *mut c_void, _: usize, _: c_uint) -> Status {
    broken()
}
unsafe extern "C" fn pointer_attribute(value: *mut c_void, attribute: c_int, _: Address) -> Status {
    unsafe { value.cast::<u32>().write(if attribute == 2 { 2 } else { 0 }) };
    0
}
unsafe extern "C" fn to_device(to: Address, from: *const c_void, length: usize, _: Handle) -> Status {
    UPLOADED.fetch_add(length as u64, SeqCst);
    unsafe { ptr::copy(from.cast(), at(to), length) };
    broken()
}
unsafe extern "C" fn to_host(to: *mut c_void, from: Address, length: usize, _: Handle) -> Status {
    DOWNLOADED.fetch_add(length as u64, SeqCst);
    unsafe { ptr::copy(at(from), to.cast(), length) };
    broken()
}
unsafe extern "C" fn on_device(to: Address, from: Address, length: usize, _: Handle) -> Status {
    unsafe { ptr::copy(at(from), at(to), length) };
    broken()
}
unsafe extern "C" fn to_peer(to: Address, _: Handle, from: Address, _: Handle, length: usize, _: Handle) -> Status {
    unsafe { ptr::copy(at(from), at(to), length) };
    broken()
}
unsafe extern "C" fn set_bytes(to: Address, value: u8, length: usize, _: Handle) -> Status {
    unsafe { ptr::write_bytes(at(to), value, length) };
    broken()
}
unsafe extern "C" fn module_load(
    module: *mut Handle,
    _: *const c_void,
    _: c_uint,
    _: *mut c_int,
    _: *mut Handle,
) -> Status {
    unsafe { *module = HANDLE };
    broken()
}
unsafe extern "C" fn module_function(function: *mut Handle, _: Handle, name: *const c_char) -> Status {
    let is_mark = unsafe { CStr::from_ptr(name) } == c"metallic_mark";
    unsafe { *function = if is_mark { MARK } else { HANDLE } };
    broken()
}
unsafe extern "C" fn error_string(status: Status, text: *mut *const c_char) -> Status {
    let words = match status {
        2 => c"out of memory",
        700 => c"an illegal memory access was encountered",
        701 => c"too many resources requested for launch",
        _ => return 1,
    };
    unsafe { *text = words.as_ptr() };
    0
}

unsafe extern "C" fn launch(
    _: Handle,
    _: c_uint,
    _: c_uint,
    _: c_uint,
    _: c_uint,
    _: c_uint,
    _: c_uint,
    _: c_uint,
    _: Handle,
    _: *mut *mut c_void,
    extra: *mut *mut c_void,
) -> Status {
    LAUNCHES.fetch_add(1, SeqCst);
    let status = BREAK.swap(0, SeqCst);
    if status != 0 {
        // Noticed after the launch.
        BROKEN.store(status, SeqCst);
        return 0;
    }
    let refused = REFUSE.swap(0, SeqCst);
    if broken() != 0 || refused != 0 {
        return broken().max(refused);
    }
    unsafe {
        let block = parameters(extra);
        execute(&block);
    }
    0
}

/// A copy of the parameters of a launch.
unsafe fn parameters(extra: *mut *mut c_void) -> Vec<u8> {
    unsafe {
        let size = (*extra.add(3)).cast::<usize>().read();
        std::slice::from_raw_parts((*extra.add(1)).cast::<u8>(), size).to_vec()
    }
}

unsafe fn execute(block: &[u8]) {
    unsafe {
        let (size, block) = (block.len(), block.as_ptr());
        let word = |at: usize| block.add(at).cast::<u64>().read_unaligned();
        let (address, length) = (word(0), word(8));
        // The end of the block: status, ranges, twelve counts.
        let number = block.add(size - 12).cast::<u32>().read_unaligned();
        let status = at(word(size - 64));
        if number > 0 && status.cast::<u32>().read() != 0 {
            return;
        }
        if FAULT_AT.load(SeqCst) == number {
            status.cast::<u32>().write(1);
            let record = at(status.add(40).cast::<u64>().read_unaligned()).cast::<u32>();
            for (i, value) in [1, 0, number, 7, 0, 0].into_iter().enumerate() {
                record.add(i).write(value);
            }
            record.add(6).cast::<u64>().write_unaligned(length);
            return;
        }
        for i in 0..length as usize / 4 {
            let p = at(address).cast::<u32>().add(i);
            p.write_unaligned(p.read_unaligned().wrapping_add(1));
        }
    }
}

// ---- graphs ------------------------------------------------------------------------------------

/// Launches one after the other: function and parameters. An instance is a copy.
type Graph = Vec<(usize, Vec<u8>)>;

unsafe extern "C" fn graph_create(graph: *mut Handle, _: c_uint) -> Status {
    unsafe { *graph = Box::into_raw(Box::<Graph>::default()).cast() };
    broken()
}
unsafe extern "C" fn graph_destroy(graph: Handle) -> Status {
    drop(unsafe { Box::from_raw(graph.cast::<Graph>()) });
    broken()
}
unsafe fn launch_of(node: *const KernelNode) -> (usize, Vec<u8>) {
    unsafe { ((*node).function.addr(), parameters((*node).extra)) }
}
unsafe extern "C" fn add_kernel(
    node: *mut Handle,
    graph: Handle,
    _: *const Handle,
    before: usize,
    what: *const KernelNode,
) -> Status {
    unsafe {
        let graph = &mut *graph.cast::<Graph>();
        assert_eq!(before, usize::from(!graph.is_empty()));
        graph.push(launch_of(what));
        *node = ptr::without_provenance_mut(graph.len());
    }
    broken()
}
unsafe extern "C" fn instantiate(instance: *mut Handle, graph: Handle, _: u64) -> Status {
    unsafe { *instance = Box::into_raw(Box::new((*graph.cast::<Graph>()).clone())).cast() };
    broken()
}
unsafe extern "C" fn set_kernel(instance: Handle, node: Handle, what: *const KernelNode) -> Status {
    GRAPH_CHANGES.fetch_add(1, SeqCst);
    unsafe { (&mut *instance.cast::<Graph>())[node.addr() - 1] = launch_of(what) };
    broken()
}
unsafe extern "C" fn graph_launch(instance: Handle, _: Handle) -> Status {
    GRAPH_LAUNCHES.fetch_add(1, SeqCst);
    let status = BREAK.swap(0, SeqCst);
    if status != 0 {
        BROKEN.store(status, SeqCst);
        return 0;
    }
    for (function, block) in unsafe { &*instance.cast::<Graph>() } {
        LAUNCHES.fetch_add(1, SeqCst);
        if *function == MARK.addr() { unsafe { mark(block) } } else { unsafe { execute(block) } }
    }
    0
}

/// What `mark.ptx` says.
unsafe fn mark(block: &[u8]) {
    let word = |at: usize| u64::from_le_bytes(block[at..at + 8].try_into().unwrap());
    let delay = DELAY.load(SeqCst);
    unsafe {
        let (state, ring) = (at(word(0)), at(word(8)));
        let count = state.add(128).cast::<u32>();
        let entry = ring.add(*count as usize % 64 * 128);
        *count += 1;
        let mut mark = u64::from(*count & 0xfffff);
        if state.cast::<u32>().read() != 0 {
            state.cast::<u32>().write(0);
            ptr::copy_nonoverlapping(state.add(64), entry.add(64), 32);
            mark |= 1 << 20;
        }
        let entry = entry.expose_provenance();
        let write = move || {
            let entry = ptr::with_exposed_provenance_mut::<u64>(entry);
            AtomicU64::from_ptr(entry).store(mark | (now() & !31) << 16, SeqCst);
        };
        if delay == 0 {
            write();
        } else {
            std::thread::spawn(move || {
                std::thread::sleep(std::time::Duration::from_millis(delay));
                write();
            });
        }
    }
}
