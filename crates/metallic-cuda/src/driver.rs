//! The functions of the CUDA driver that we use, found when first asked for.
//!
//! Names and signatures are those of the driver API. A [`Context`] makes its GPU current before each call;
//! the driver's own functions are thread safe.

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::ptr;
use std::sync::{Arc, OnceLock};

use metallic_hal::{Error, Result};

pub type Address = u64;
type Status = c_int;
type Handle = *mut c_void;

macro_rules! table {
    ($($field:ident = $symbol:literal ($($arg:ty),*);)*) => {
        /// The driver.
        pub struct Driver {
            $($field: unsafe extern "C" fn($($arg),*) -> Status,)*
            /// Keeps the functions loaded.
            _library: libloading::Library,
        }

        impl Driver {
            fn load() -> std::result::Result<Driver, String> {
                let names: &[&str] = if cfg!(windows) { &["nvcuda.dll"] } else { &["libcuda.so.1", "libcuda.so"] };
                // SAFETY: the driver's initializers are meant to run in any process.
                let library = names.iter().find_map(|name| unsafe { libloading::Library::new(name) }.ok());
                let library = library.ok_or("the NVIDIA driver (libcuda) is not installed")?;
                // SAFETY: each symbol is declared with the signature that the driver API documents.
                unsafe {
                    Ok(Driver {
                        $($field: *library.get($symbol).map_err(|e| format!("the NVIDIA driver is too old: {e}"))?,)*
                        _library: library,
                    })
                }
            }
        }
    };
}

table! {
    init = b"cuInit\0" (c_uint);
    driver_version = b"cuDriverGetVersion\0" (*mut c_int);
    device_count = b"cuDeviceGetCount\0" (*mut c_int);
    device_get = b"cuDeviceGet\0" (*mut c_int, c_int);
    device_name = b"cuDeviceGetName\0" (*mut c_char, c_int, c_int);
    device_attribute = b"cuDeviceGetAttribute\0" (*mut c_int, c_int, c_int);
    device_memory = b"cuDeviceTotalMem_v2\0" (*mut usize, c_int);
    retain = b"cuDevicePrimaryCtxRetain\0" (*mut Handle, c_int);
    release = b"cuDevicePrimaryCtxRelease_v2\0" (c_int);
    set_current = b"cuCtxSetCurrent\0" (Handle);
    mem_alloc = b"cuMemAlloc_v2\0" (*mut Address, usize);
    mem_free = b"cuMemFree_v2\0" (Address);
    mem_alloc_host = b"cuMemAllocHost_v2\0" (*mut Handle, usize);
    mem_free_host = b"cuMemFreeHost\0" (Handle);
    to_device = b"cuMemcpyHtoDAsync_v2\0" (Address, *const c_void, usize, Handle);
    to_host = b"cuMemcpyDtoHAsync_v2\0" (*mut c_void, Address, usize, Handle);
    on_device = b"cuMemcpyDtoDAsync_v2\0" (Address, Address, usize, Handle);
    set_bytes = b"cuMemsetD8Async\0" (Address, u8, usize, Handle);
    stream_create = b"cuStreamCreate\0" (*mut Handle, c_uint);
    stream_destroy = b"cuStreamDestroy_v2\0" (Handle);
    stream_synchronize = b"cuStreamSynchronize\0" (Handle);
    module_load = b"cuModuleLoadDataEx\0" (*mut Handle, *const c_void, c_uint, *mut c_int, *mut Handle);
    module_unload = b"cuModuleUnload\0" (Handle);
    module_function = b"cuModuleGetFunction\0" (*mut Handle, Handle, *const c_char);
    function_set = b"cuFuncSetAttribute\0" (Handle, c_int, c_int);
    launch = b"cuLaunchKernel\0" (
        Handle, c_uint, c_uint, c_uint, c_uint, c_uint, c_uint, c_uint, Handle, *mut *mut c_void, *mut *mut c_void
    );
    error_string = b"cuGetErrorString\0" (Status, *mut *const c_char);
}

impl Driver {
    /// The driver of this process, initialized.
    pub fn get() -> Result<&'static Driver> {
        static DRIVER: OnceLock<std::result::Result<Driver, String>> = OnceLock::new();
        let loaded = DRIVER.get_or_init(|| {
            let driver = Driver::load()?;
            // SAFETY: a call without pointers.
            let status = unsafe { (driver.init)(0) };
            if status != 0 {
                return Err(format!("the NVIDIA driver finds no GPU: {}", driver.describe(status)));
            }
            Ok(driver)
        });
        loaded.as_ref().map_err(|message| Error::Device(message.clone()))
    }

    fn describe(&self, status: Status) -> String {
        let mut text = ptr::null();
        // SAFETY: `text` receives a pointer to a static string, or stays null.
        unsafe {
            if (self.error_string)(status, &raw mut text) == 0 && !text.is_null() {
                return CStr::from_ptr(text).to_string_lossy().into_owned();
            }
        }
        format!("error {status}")
    }

    fn check(&self, what: &str, status: Status) -> Result<()> {
        if status == 0 {
            return Ok(());
        }
        Err(Error::Device(format!("CUDA cannot {what}: {}", self.describe(status))))
    }

    pub fn count(&self) -> u32 {
        let mut n = 0;
        // SAFETY: `n` outlives the call.
        let status = unsafe { (self.device_count)(&raw mut n) };
        if status == 0 { n.max(0) as u32 } else { 0 }
    }
}

/// Attributes of a GPU, by the driver's numbers.
#[derive(Clone, Copy)]
pub enum Attribute {
    Multiprocessors = 16,
    CapabilityMajor = 75,
    CapabilityMinor = 76,
}

/// The primary context of one GPU.
pub struct Context {
    driver: &'static Driver,
    device: c_int,
    handle: Handle,
    pub id: String,
}

// SAFETY: handles of the driver may be used from any thread; every call makes the context current first.
unsafe impl Send for Context {}
// SAFETY: as above.
unsafe impl Sync for Context {}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: retained once in `open`.
        unsafe { (self.driver.release)(self.device) };
    }
}

impl Context {
    pub fn open(index: u32) -> Result<Arc<Context>> {
        let driver = Driver::get()?;
        let count = driver.count();
        if index >= count {
            return Err(Error::Device(format!("there is no GPU {index}; the NVIDIA driver finds {count}")));
        }
        let (mut device, mut handle) = (0, ptr::null_mut());
        // SAFETY: both results outlive the calls.
        unsafe {
            driver.check("find the GPU", (driver.device_get)(&raw mut device, index as c_int))?;
            driver.check("open the GPU", (driver.retain)(&raw mut handle, device))?;
        }
        Ok(Arc::new(Context { driver, device, handle, id: format!("cuda:{index}") }))
    }

    fn call(&self, what: &str, f: impl FnOnce(&Driver) -> Status) -> Result<()> {
        // SAFETY: the context is alive as long as `self`.
        let status = unsafe { (self.driver.set_current)(self.handle) };
        self.driver.check("use the GPU", status)?;
        self.driver.check(what, f(self.driver))
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
}

/// Memory of the GPU, freed on drop.
pub struct DeviceMemory {
    context: Arc<Context>,
    pub address: Address,
}

impl DeviceMemory {
    pub fn allocate(context: &Arc<Context>, length: usize) -> Result<DeviceMemory> {
        let mut address = 0;
        // SAFETY: `address` outlives the call.
        let result = context.call("allocate", |d| unsafe { (d.mem_alloc)(&raw mut address, length.max(1)) });
        if result.is_err() {
            return Err(Error::OutOfMemory { device: context.id.clone(), requested: length as u64 });
        }
        Ok(DeviceMemory { context: context.clone(), address })
    }
}

impl Drop for DeviceMemory {
    fn drop(&mut self) {
        // SAFETY: allocated in `allocate`; command lists keep what they use until they are complete.
        let _ = self.context.call("free", |d| unsafe { (d.mem_free)(self.address) });
    }
}

/// Memory of the host that copies run fast from and to; zeroed.
pub struct PinnedMemory {
    context: Arc<Context>,
    pub pointer: *mut u8,
}

// SAFETY: plain memory and its owner.
unsafe impl Send for PinnedMemory {}
// SAFETY: as above; `&PinnedMemory` gives out the pointer only.
unsafe impl Sync for PinnedMemory {}

impl PinnedMemory {
    pub fn allocate(context: &Arc<Context>, length: usize) -> Result<PinnedMemory> {
        let mut pointer = ptr::null_mut();
        // SAFETY: `pointer` outlives the call.
        context.call("allocate host memory", |d| unsafe { (d.mem_alloc_host)(&raw mut pointer, length.max(1)) })?;
        let pointer = pointer.cast::<u8>();
        // SAFETY: the allocation has this length.
        unsafe { ptr::write_bytes(pointer, 0, length) };
        Ok(PinnedMemory { context: context.clone(), pointer })
    }
}

impl Drop for PinnedMemory {
    fn drop(&mut self) {
        // SAFETY: allocated in `allocate`, freed once.
        let _ = self.context.call("free host memory", |d| unsafe { (d.mem_free_host)(self.pointer.cast()) });
    }
}

/// A stream: commands in order.
pub struct Stream {
    pub context: Arc<Context>,
    handle: Handle,
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
        Ok(Stream { context: context.clone(), handle })
    }

    /// # Safety
    /// `from` is readable for `length` bytes and `to` is device memory of as many, until the stream is synchronized.
    pub unsafe fn upload(&self, to: Address, from: *const u8, length: usize) -> Result<()> {
        // SAFETY: the caller's promise.
        self.context.call("copy to the GPU", |d| unsafe { (d.to_device)(to, from.cast(), length, self.handle) })
    }
    /// # Safety
    /// `to` is writable for `length` bytes and `from` is device memory of as many, until the stream is synchronized.
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
    pub fn synchronize(&self) -> Result<()> {
        // SAFETY: the stream is alive.
        self.context.call("run the commands", |d| unsafe { (d.stream_synchronize)(self.handle) })
    }
    /// # Safety
    /// The function takes `slots.len()` parameters of at most 8 bytes each, and the addresses among them
    /// are those of device memory that stays alive until the stream is synchronized.
    pub unsafe fn launch(
        &self,
        function: &Function,
        groups: [u32; 3],
        threads: [u32; 3],
        shared: u32,
        slots: &[u64],
    ) -> Result<()> {
        let mut pointers: Vec<*mut c_void> = slots.iter().map(|s| ptr::from_ref(s).cast_mut().cast()).collect();
        let ([gx, gy, gz], [tx, ty, tz]) = (groups, threads);
        // SAFETY: the driver reads the parameters before it returns.
        self.context.call("launch the kernel", |d| unsafe {
            let parameters = pointers.as_mut_ptr();
            (d.launch)(function.handle, gx, gy, gz, tx, ty, tz, shared, self.handle, parameters, ptr::null_mut())
        })
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // SAFETY: made in `new`, destroyed once.
        let _ = self.context.call("end a stream", |d| unsafe { (d.stream_destroy)(self.handle) });
    }
}

/// A loaded kernel.
pub struct Function {
    context: Arc<Context>,
    module: Handle,
    handle: Handle,
}

// SAFETY: see `Context`.
unsafe impl Send for Function {}
// SAFETY: as above.
unsafe impl Sync for Function {}

impl Function {
    /// Has the driver compile PTX for its GPU.
    pub fn load(context: &Arc<Context>, ptx: &str, symbol: &str) -> Result<Function> {
        const ERROR_LOG: c_int = 5;
        const ERROR_LOG_SIZE: c_int = 6;
        let (text, symbol) = (c_string(ptx), c_string(symbol));
        let mut log = vec![0u8; 8192];
        let mut names = [ERROR_LOG, ERROR_LOG_SIZE];
        let mut values: [Handle; 2] = [log.as_mut_ptr().cast(), ptr::without_provenance_mut(log.len() - 1)];
        let (mut module, mut handle) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: the text ends in a zero; options and results outlive the call.
        let loaded = context.call("load the kernel", |d| unsafe {
            (d.module_load)(&raw mut module, text.as_ptr().cast(), 2, names.as_mut_ptr(), values.as_mut_ptr())
        });
        if let Err(error) = loaded {
            let end = log.iter().position(|b| *b == 0).unwrap_or(0);
            let log = String::from_utf8_lossy(&log[..end]).into_owned();
            return Err(Error::Pipeline { message: format!("{error}: {}", log.trim()) });
        }
        let mut function = Function { context: context.clone(), module, handle };
        // SAFETY: the module is loaded.
        context
            .call("find the kernel", |d| unsafe { (d.module_function)(&raw mut handle, module, symbol.as_ptr()) })?;
        function.handle = handle;
        Ok(function)
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
