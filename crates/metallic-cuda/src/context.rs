//! The primary context of one GPU, and the objects of the driver that live in it.
//!
//! Every call makes the context current and puts back what was current before: other libraries of the process
//! (PyTorch, CuPy) rely on theirs. After an error that the driver cannot recover from, the context is *lost*:
//! nothing is called any more, and everything says so.

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use metallic_hal::{Error, Result};

use crate::driver::{Address, Driver, Handle, Status};
use crate::pool::Pools;

/// Attributes of a GPU, by the driver's numbers.
#[derive(Clone, Copy)]
pub enum Attribute {
    Multiprocessors = 16,
    CapabilityMajor = 75,
    CapabilityMinor = 76,
    /// Bytes of shared memory that a launch can be given.
    MaxDynamicShared = 97,
}

/// Not an error: what was asked about goes on.
const NOT_READY: Status = 600;

/// Errors after which a context does nothing any more.
fn is_fatal(status: Status) -> bool {
    // Deinitialized, uncorrectable ECC error, hardware stack, illegal instruction or address, misaligned address,
    // invalid space or program counter, launch failed or timed out, assertion, destroyed context, unknown.
    matches!(status, 4 | 214 | 220 | 226 | 700 | 702 | 709 | 710 | 714..=719 | 721 | 999)
}

/// See the module.
pub struct Context {
    pub driver: &'static Driver,
    pub device: c_int,
    pub index: u32,
    handle: Handle,
    pub id: String,
    is_lost: AtomicBool,
    reason: OnceLock<String>,
    pub pools: Pools,
}

// SAFETY: handles of the driver may be used from any thread; every call makes the context current first.
unsafe impl Send for Context {}
// SAFETY: as above.
unsafe impl Sync for Context {}

impl Drop for Context {
    fn drop(&mut self) {
        Pools::clear(self);
        // After a loss there is nothing left to release.
        if !self.is_lost() {
            // SAFETY: retained once in `open`.
            unsafe { (self.driver.release)(self.device) };
        }
    }
}

impl Context {
    pub fn open(index: u32) -> Result<Arc<Context>> {
        let driver = Driver::get()?;
        Context::with(driver, index)
    }

    pub fn with(driver: &'static Driver, index: u32) -> Result<Arc<Context>> {
        let count = driver.count();
        if index >= count {
            return Err(Error::Device(format!("there is no GPU {index}; the NVIDIA driver finds {count}")));
        }
        let (mut device, mut handle) = (0, ptr::null_mut());
        let check = |what: &str, status: Status| match status {
            0 => Ok(()),
            _ => {
                let hint = if is_fatal(status) { "; the NVIDIA driver gives it to new processes only" } else { "" };
                Err(Error::Device(format!("CUDA cannot {what}: {}{hint}", driver.describe(status))))
            }
        };
        // SAFETY: both results outlive the calls.
        unsafe {
            check("find the GPU", (driver.device_get)(&raw mut device, index as c_int))?;
            check("open the GPU", (driver.retain)(&raw mut handle, device))?;
        }
        let context = Context {
            driver,
            device,
            index,
            handle,
            id: format!("cuda:{index}"),
            is_lost: AtomicBool::new(false),
            reason: OnceLock::new(),
            pools: Pools::default(),
        };
        Ok(Arc::new(context))
    }

    pub fn is_lost(&self) -> bool {
        self.is_lost.load(Ordering::Acquire)
    }
    /// Fails once the context is lost.
    pub fn check_alive(&self) -> Result<()> {
        if !self.is_lost() {
            return Ok(());
        }
        let reason = self.reason.get().map_or("the driver failed", String::as_str);
        Err(Error::Device(format!(
            "device {} is lost: {reason}; its buffers and textures are gone; the NVIDIA driver gives the GPU to new \
             processes only: start the program again to use it, or go on with another device",
            self.id
        )))
    }

    /// The status of a call as a result.
    fn check(&self, what: &str, status: Status) -> Result<()> {
        if status == 0 {
            return Ok(());
        }
        let reason = self.driver.describe(status);
        if is_fatal(status) {
            let _ = self.reason.set(reason.clone());
            self.is_lost.store(true, Ordering::Release);
            self.check_alive()?;
        }
        Err(Error::Device(format!("CUDA cannot {what}: {reason}")))
    }

    /// Calls the driver with this context current.
    pub fn call(&self, what: &str, f: impl FnOnce(&Driver) -> Status) -> Result<()> {
        self.check_alive()?;
        let status = self.raw(f);
        self.check(what, status)
    }

    fn raw(&self, f: impl FnOnce(&Driver) -> Status) -> Status {
        let mut before = ptr::null_mut();
        // SAFETY: `before` outlives the call; the context is alive as long as `self`.
        unsafe {
            (self.driver.get_current)(&raw mut before);
            if before == self.handle {
                return f(self.driver);
            }
            let status = (self.driver.set_current)(self.handle);
            if status != 0 {
                return status;
            }
            let status = f(self.driver);
            (self.driver.set_current)(before);
            status
        }
    }

    pub fn name(&self) -> String {
        let mut bytes = [0 as c_char; 256];
        // SAFETY: the driver writes at most 255 bytes and a zero.
        unsafe {
            (self.driver.device_name)(bytes.as_mut_ptr(), 255, self.device);
            CStr::from_ptr(bytes.as_ptr()).to_string_lossy().into_owned()
        }
    }
    pub fn attribute(&self, attribute: Attribute) -> u32 {
        let mut value = 0;
        // SAFETY: `value` outlives the call.
        unsafe { (self.driver.device_attribute)(&raw mut value, attribute as c_int, self.device) };
        value.max(0) as u32
    }
    pub fn memory(&self) -> u64 {
        let mut value = 0;
        // SAFETY: as above.
        unsafe { (self.driver.device_memory)(&raw mut value, self.device) };
        value as u64
    }
    /// 12.4 is 12040.
    pub fn driver_version(&self) -> u32 {
        let mut value = 0;
        // SAFETY: as above.
        unsafe { (self.driver.driver_version)(&raw mut value) };
        value.max(0) as u32
    }
    /// Compute capability: 90 for 9.0.
    pub fn capability(&self) -> u32 {
        self.attribute(Attribute::CapabilityMajor) * 10 + self.attribute(Attribute::CapabilityMinor)
    }

    /// The GPU whose memory an address is, by the driver's count; `None` for memory of the host.
    pub fn owner_of(&self, address: Address) -> Option<u32> {
        const MEMORY_TYPE: c_int = 2;
        const DEVICE_ORDINAL: c_int = 9;
        let (mut kind, mut ordinal) = (0u32, 0i32);
        self.call("ask about an address", |d| unsafe {
            // SAFETY: both results have the attributes' types and outlive the calls.
            match (d.pointer_attribute)((&raw mut kind).cast(), MEMORY_TYPE, address) {
                0 => (d.pointer_attribute)((&raw mut ordinal).cast(), DEVICE_ORDINAL, address),
                status => status,
            }
        })
        .ok()?;
        (kind == 2 && ordinal >= 0).then_some(ordinal as u32)
    }
}

/// An event: a place in a stream.
pub struct Event {
    context: Arc<Context>,
    handle: Handle,
}

// SAFETY: see `Context`.
unsafe impl Send for Event {}
// SAFETY: as above.
unsafe impl Sync for Event {}

impl Event {
    /// `timed` events can be compared by [`Event::since`].
    pub fn new(context: &Arc<Context>, timed: bool) -> Result<Event> {
        const NO_TIMING: c_uint = 2;
        let mut handle = ptr::null_mut();
        let flags = if timed { 0 } else { NO_TIMING };
        // SAFETY: `handle` outlives the call.
        context.call("make an event", |d| unsafe { (d.event_create)(&raw mut handle, flags) })?;
        Ok(Event { context: context.clone(), handle })
    }
    /// Milliseconds from `start` to this event; both have happened.
    pub fn since(&self, start: &Event) -> Result<f64> {
        let mut milliseconds = 0f32;
        // SAFETY: both events are alive.
        self.context
            .call("measure time", |d| unsafe { (d.event_elapsed)(&raw mut milliseconds, start.handle, self.handle) })?;
        Ok(f64::from(milliseconds))
    }
    /// Waits, asleep most of the time. Fails when something failed before it.
    ///
    /// The driver's own way to sleep takes an interrupt of the GPU for each event, whether somebody waits or not, which
    /// costs far more than looking again now and then.
    pub fn wait(&self) -> Result<()> {
        let start = Instant::now();
        while !self.is_done()? {
            let pause = (start.elapsed() / 32).clamp(Duration::from_micros(20), Duration::from_millis(1));
            std::thread::sleep(pause);
        }
        Ok(())
    }
    /// Whether it has happened. Fails when something failed before it.
    pub fn is_done(&self) -> Result<bool> {
        let mut ready = true;
        // SAFETY: as above.
        self.context.call("run the commands", |d| match unsafe { (d.event_query)(self.handle) } {
            NOT_READY => {
                ready = false;
                0
            }
            status => status,
        })?;
        Ok(ready)
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: made in `new`, destroyed once.
        let _ = self.context.call("end an event", |d| unsafe { (d.event_destroy)(self.handle) });
    }
}

/// A stream: commands in order.
pub struct Stream {
    pub context: Arc<Context>,
    handle: Handle,
    is_borrowed: bool,
}

// SAFETY: see `Context`.
unsafe impl Send for Stream {}
// SAFETY: as above.
unsafe impl Sync for Stream {}

impl Stream {
    pub fn new(context: &Arc<Context>) -> Result<Stream> {
        const NON_BLOCKING: c_uint = 1;
        let mut handle = ptr::null_mut();
        // SAFETY: `handle` outlives the call.
        context.call("make a stream", |d| unsafe { (d.stream_create)(&raw mut handle, NON_BLOCKING) })?;
        Ok(Stream { context: context.clone(), handle, is_borrowed: false })
    }

    /// A stream of another library of the process, which keeps it; 1 is the stream that all blocking streams
    /// wait for, 2 that of the calling thread.
    pub fn borrowed(context: &Arc<Context>, number: u64) -> Stream {
        let handle = ptr::with_exposed_provenance_mut(usize::try_from(number).unwrap_or(0));
        Stream { context: context.clone(), handle, is_borrowed: true }
    }
    /// What other libraries know it by.
    pub fn number(&self) -> u64 {
        self.handle.expose_provenance() as u64
    }
    pub(crate) fn handle(&self) -> Handle {
        self.handle
    }

    /// # Safety
    /// `from` is readable for `length` bytes and `to` is device memory of as many, until the stream got there.
    pub unsafe fn upload(&self, to: Address, from: *const u8, length: usize) -> Result<()> {
        // SAFETY: the caller's promise.
        self.context.call("copy to the GPU", |d| unsafe { (d.to_device)(to, from.cast(), length, self.handle) })
    }
    /// # Safety
    /// `to` is writable for `length` bytes and `from` is device memory of as many, until the stream got there.
    pub unsafe fn download(&self, to: *mut u8, from: Address, length: usize) -> Result<()> {
        // SAFETY: the caller's promise.
        self.context.call("copy from the GPU", |d| unsafe { (d.to_host)(to.cast(), from, length, self.handle) })
    }
    /// # Safety
    /// Both are device memory of `length` bytes that do not overlap.
    pub unsafe fn copy(&self, to: Address, from: Address, length: usize) -> Result<()> {
        // SAFETY: the caller's promise.
        self.context.call("copy", |d| unsafe { (d.on_device)(to, from, length, self.handle) })
    }
    /// # Safety
    /// `to` is device memory of `length` bytes.
    pub unsafe fn fill(&self, to: Address, value: u8, length: usize) -> Result<()> {
        // SAFETY: the caller's promise.
        self.context.call("fill", |d| unsafe { (d.set_bytes)(to, value, length, self.handle) })
    }
    pub fn record(&self, event: &Event) -> Result<()> {
        // SAFETY: both are alive.
        self.context.call("record an event", |d| unsafe { (d.event_record)(event.handle, self.handle) })
    }
    /// Lets nothing after this start before the event.
    pub fn wait_for(&self, event: &Event) -> Result<()> {
        // SAFETY: both are alive.
        self.context.call("wait for an event", |d| unsafe { (d.stream_wait)(self.handle, event.handle, 0) })
    }
    pub fn synchronize(&self) -> Result<()> {
        // SAFETY: the stream is alive.
        self.context.call("run the commands", |d| unsafe { (d.stream_synchronize)(self.handle) })
    }
    /// Fails when something failed on it; asks the driver, which takes a moment.
    pub fn check(&self) -> Result<()> {
        // SAFETY: the stream is alive.
        self.context.call("run the commands", |d| match unsafe { (d.stream_query)(self.handle) } {
            NOT_READY => 0,
            status => status,
        })
    }
    /// # Safety
    /// The addresses among the parameters are those of device memory that stays alive until the stream got there.
    pub unsafe fn launch(&self, launch: &Launch) -> Result<()> {
        let ([gx, gy, gz], [tx, ty, tz]) = (launch.groups, launch.threads);
        // SAFETY: the driver reads the parameters before it returns.
        self.context.call("launch the kernel", |d| {
            launch.with_parameters(|extra| unsafe {
                let (function, shared) = (launch.function.handle, launch.shared);
                (d.launch)(function, gx, gy, gz, tx, ty, tz, shared, self.handle, ptr::null_mut(), extra)
            })
        })
    }
}

/// What is launched.
#[derive(Clone, Copy)]
pub struct Launch<'a> {
    pub function: &'a Function,
    pub groups: [u32; 3],
    pub threads: [u32; 3],
    /// Bytes of dynamic shared memory.
    pub shared: u32,
    /// Laid out as those of the function.
    pub parameters: &'a [u8],
}

impl Launch<'_> {
    /// Calls with the parameters as the driver takes them in one block: end, pointer, size.
    pub(crate) fn with_parameters<R>(&self, f: impl FnOnce(*mut *mut c_void) -> R) -> R {
        const BLOCK: usize = 1;
        const SIZE: usize = 2;
        let mut size = self.parameters.len();
        let tag = ptr::without_provenance_mut::<c_void>;
        let block = self.parameters.as_ptr().cast_mut().cast();
        let mut extra = [tag(BLOCK), block, tag(SIZE), (&raw mut size).cast(), ptr::null_mut()];
        f(extra.as_mut_ptr())
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if !self.is_borrowed {
            // SAFETY: made in `new`, destroyed once.
            let _ = self.context.call("end a stream", |d| unsafe { (d.stream_destroy)(self.handle) });
        }
    }
}

/// A loaded kernel.
pub struct Function {
    context: Arc<Context>,
    module: Handle,
    handle: Handle,
    /// Of no other function of the process, unlike its handle, which the driver gives out again.
    pub number: u64,
}

// SAFETY: see `Context`.
unsafe impl Send for Function {}
// SAFETY: as above.
unsafe impl Sync for Function {}

impl Function {
    /// Loads PTX; the driver makes machine code of it for its GPU, and keeps that on disk (`CUDA_CACHE_PATH`). Its linker
    /// would give out machine code to keep, but such code has calls by its convention, which cost registers.
    pub fn load(context: &Arc<Context>, ptx: &str, symbol: &str) -> Result<Function> {
        const ERROR_LOG: c_int = 5;
        const ERROR_LOG_SIZE: c_int = 6;
        let (text, symbol) = (c_string(ptx), c_string(symbol));
        let mut log = vec![0u8; 8192];
        let mut names = [ERROR_LOG, ERROR_LOG_SIZE];
        let mut values: [Handle; 2] = [log.as_mut_ptr().cast(), ptr::without_provenance_mut(log.len() - 1)];
        let (mut module, mut handle) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: text, options and results outlive the call.
        let loaded = context.call("load the kernel", |d| unsafe {
            (d.module_load)(&raw mut module, text.as_ptr().cast(), 2, names.as_mut_ptr(), values.as_mut_ptr())
        });
        if let Err(error) = loaded {
            context.check_alive()?;
            let end = log.iter().position(|b| *b == 0).unwrap_or(0);
            let log = String::from_utf8_lossy(&log[..end]).into_owned();
            return Err(Error::Pipeline { message: format!("{error}: {}", log.trim()) });
        }
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let mut function = Function { context: context.clone(), module, handle, number };
        // SAFETY: the module is loaded.
        context
            .call("find the kernel", |d| unsafe { (d.module_function)(&raw mut handle, module, symbol.as_ptr()) })?;
        function.handle = handle;
        Ok(function)
    }

    pub(crate) fn handle(&self) -> Handle {
        self.handle
    }

    /// Allows so much dynamic shared memory.
    pub fn allow_shared(&self, bytes: u32) -> Result<()> {
        const MAX_DYNAMIC_SHARED: c_int = 8;
        // SAFETY: the function is loaded.
        self.context.call("give the kernel threadgroup memory", |d| unsafe {
            (d.function_set)(self.handle, MAX_DYNAMIC_SHARED, bytes as c_int)
        })
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        // SAFETY: loaded in `load`, unloaded once; command lists keep pipelines until they are complete.
        let _ = self.context.call("unload the kernel", |d| unsafe { (d.module_unload)(self.module) });
    }
}

fn c_string(text: &str) -> CString {
    CString::new(text.replace('\0', "")).unwrap_or_default()
}

/// Lets the first GPU reach the memory of the second, where the hardware can.
pub fn enable_peer(from: &Context, to: &Context) {
    let peer = to.handle;
    // SAFETY: both contexts are alive. A second time is an error without consequence.
    let _ = from.raw(|d| unsafe { (d.enable_peer)(peer, 0) });
}

impl Stream {
    /// # Safety
    /// `to` is memory of this stream's GPU and `from` of the other, `length` bytes each.
    pub unsafe fn copy_from_peer(&self, to: Address, other: &Context, from: Address, length: usize) -> Result<()> {
        // SAFETY: the caller's promise.
        self.context.call("copy between GPUs", |d| unsafe {
            (d.to_peer)(to, self.context.handle, from, other.handle, length, self.handle)
        })
    }
}
