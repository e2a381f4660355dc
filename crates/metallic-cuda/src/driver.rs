//! The functions of the CUDA driver that we use, found when first asked for.
//!
//! Names and signatures are those of the driver API; see `context` for how they are called.

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::ptr;
use std::sync::OnceLock;

use metallic_hal::{Error, Result};

pub type Address = u64;
pub type Status = c_int;
pub type Handle = *mut c_void;

/// What a kernel node of a graph does, as the driver lays it out.
#[repr(C)]
pub struct KernelNode {
    pub function: Handle,
    pub groups: [c_uint; 3],
    pub threads: [c_uint; 3],
    pub shared: c_uint,
    pub parameters: *mut *mut c_void,
    pub extra: *mut *mut c_void,
    pub kernel: Handle,
    pub context: Handle,
}

macro_rules! optional {
    ($($field:ident = $symbol:literal ($($arg:ty),*);)*) => {
        /// What drivers from CUDA 12 on have.
        pub struct Graphs {
            $(pub $field: unsafe extern "C" fn($($arg),*) -> Status,)*
        }

        impl Graphs {
            fn load(library: &libloading::Library) -> Option<Graphs> {
                // SAFETY: each symbol is declared with the signature that the driver API documents.
                unsafe { Some(Graphs { $($field: *library.get($symbol).ok()?,)* }) }
            }
        }
    };
}

optional! {
    create = b"cuGraphCreate\0" (*mut Handle, c_uint);
    destroy = b"cuGraphDestroy\0" (Handle);
    add_kernel = b"cuGraphAddKernelNode_v2\0" (*mut Handle, Handle, *const Handle, usize, *const KernelNode);
    instantiate = b"cuGraphInstantiateWithFlags\0" (*mut Handle, Handle, u64);
    destroy_instance = b"cuGraphExecDestroy\0" (Handle);
    set_kernel = b"cuGraphExecKernelNodeSetParams_v2\0" (Handle, Handle, *const KernelNode);
    launch = b"cuGraphLaunch\0" (Handle, Handle);
}

macro_rules! table {
    ($($field:ident = $symbol:literal ($($arg:ty),*);)*) => {
        /// The driver.
        pub struct Driver {
            $(pub $field: unsafe extern "C" fn($($arg),*) -> Status,)*
            pub graphs: Option<Graphs>,
            /// Keeps the functions loaded; tests have functions of their own.
            #[allow(dead_code, reason = "kept")]
            pub library: Option<libloading::Library>,
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
                        graphs: Graphs::load(&library),
                        library: Some(library),
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
    get_current = b"cuCtxGetCurrent\0" (*mut Handle);
    set_current = b"cuCtxSetCurrent\0" (Handle);
    enable_peer = b"cuCtxEnablePeerAccess\0" (Handle, c_uint);
    mem_alloc = b"cuMemAlloc_v2\0" (*mut Address, usize);
    mem_free = b"cuMemFree_v2\0" (Address);
    host_register = b"cuMemHostRegister_v2\0" (*mut c_void, usize, c_uint);
    host_unregister = b"cuMemHostUnregister\0" (*mut c_void);
    pointer_attribute = b"cuPointerGetAttribute\0" (*mut c_void, c_int, Address);
    to_device = b"cuMemcpyHtoDAsync_v2\0" (Address, *const c_void, usize, Handle);
    to_host = b"cuMemcpyDtoHAsync_v2\0" (*mut c_void, Address, usize, Handle);
    on_device = b"cuMemcpyDtoDAsync_v2\0" (Address, Address, usize, Handle);
    to_peer = b"cuMemcpyPeerAsync\0" (Address, Handle, Address, Handle, usize, Handle);
    set_bytes = b"cuMemsetD8Async\0" (Address, u8, usize, Handle);
    stream_create = b"cuStreamCreate\0" (*mut Handle, c_uint);
    stream_destroy = b"cuStreamDestroy_v2\0" (Handle);
    stream_synchronize = b"cuStreamSynchronize\0" (Handle);
    stream_query = b"cuStreamQuery\0" (Handle);
    stream_wait = b"cuStreamWaitEvent\0" (Handle, Handle, c_uint);
    event_create = b"cuEventCreate\0" (*mut Handle, c_uint);
    event_destroy = b"cuEventDestroy_v2\0" (Handle);
    event_record = b"cuEventRecord\0" (Handle, Handle);
    event_query = b"cuEventQuery\0" (Handle);
    event_elapsed = b"cuEventElapsedTime\0" (*mut f32, Handle, Handle);
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

    /// The driver's words for an error.
    pub fn describe(&self, status: Status) -> String {
        let mut text = ptr::null();
        // SAFETY: `text` receives a pointer to a static string, or stays null.
        unsafe {
            if (self.error_string)(status, &raw mut text) == 0 && !text.is_null() {
                return CStr::from_ptr(text).to_string_lossy().into_owned();
            }
        }
        format!("error {status}")
    }

    pub fn count(&self) -> u32 {
        let mut n = 0;
        // SAFETY: `n` outlives the call.
        let status = unsafe { (self.device_count)(&raw mut n) };
        if status == 0 { n.max(0) as u32 } else { 0 }
    }
}
