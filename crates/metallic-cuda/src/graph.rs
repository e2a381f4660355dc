//! Two launches as one piece for the driver: handing it over again takes half of the time of one launch.

use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;

use metallic_hal::Result;

use crate::context::{Context, Function, Stream};
use crate::driver::{Driver, Graphs, Handle, KernelNode, Status};

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

/// See the module.
pub struct Graph {
    context: Arc<Context>,
    graph: Handle,
    first: Handle,
    instance: Handle,
}

// SAFETY: handles of the driver may be used from any thread, by one at a time; only `&mut self` uses them.
unsafe impl Send for Graph {}

/// The driver's calls, where it has them.
pub fn calls(driver: &Driver) -> Option<&Graphs> {
    driver.graphs.as_ref()
}

const NOT_FOUND: Status = 500;

/// Calls with the description of a launch.
fn with<R>(launch: &Launch, f: impl FnOnce(*const KernelNode) -> R) -> R {
    const BLOCK: usize = 1;
    const SIZE: usize = 2;
    let mut size = launch.parameters.len();
    let tag = ptr::without_provenance_mut::<c_void>;
    let mut extra =
        [tag(BLOCK), launch.parameters.as_ptr().cast_mut().cast(), tag(SIZE), (&raw mut size).cast(), ptr::null_mut()];
    let node = KernelNode {
        function: launch.function.handle(),
        groups: launch.groups,
        threads: launch.threads,
        shared: launch.shared,
        parameters: ptr::null_mut(),
        extra: extra.as_mut_ptr(),
        kernel: ptr::null_mut(),
        context: ptr::null_mut(),
    };
    f(&raw const node)
}

impl Graph {
    /// `second` runs after `first`.
    pub fn new(context: &Arc<Context>, first: &Launch, second: &Launch) -> Result<Graph> {
        let mut made = Graph {
            context: context.clone(),
            graph: ptr::null_mut(),
            first: ptr::null_mut(),
            instance: ptr::null_mut(),
        };
        let mut last = ptr::null_mut();
        context.call("make a graph", |d| {
            let Some(d) = calls(d) else { return NOT_FOUND };
            // SAFETY: results outlive the calls; the driver copies descriptions and parameters.
            unsafe {
                let mut status = (d.create)(&raw mut made.graph, 0);
                if status == 0 {
                    status = with(first, |n| (d.add_kernel)(&raw mut made.first, made.graph, ptr::null(), 0, n));
                }
                if status == 0 {
                    let before = &raw const made.first;
                    status = with(second, |n| (d.add_kernel)(&raw mut last, made.graph, before, 1, n));
                }
                if status == 0 {
                    status = (d.instantiate)(&raw mut made.instance, made.graph, 0);
                }
                status
            }
        })?;
        Ok(made)
    }

    /// Replaces the first launch from now on. Fails where the driver needs another graph.
    pub fn set(&mut self, first: &Launch) -> Result<()> {
        self.context.call("change a graph", |d| {
            let Some(d) = calls(d) else { return NOT_FOUND };
            // SAFETY: the driver copies the description and the parameters.
            with(first, |n| unsafe { (d.set_kernel)(self.instance, self.first, n) })
        })
    }

    /// # Safety
    /// The addresses among the parameters are those of device memory that stays alive until the stream got there, and
    /// the functions are loaded.
    pub unsafe fn launch(&mut self, stream: &Stream) -> Result<()> {
        self.context.call("launch the kernel", |d| {
            let Some(d) = calls(d) else { return NOT_FOUND };
            // SAFETY: the caller's promise.
            unsafe { (d.launch)(self.instance, stream.handle()) }
        })
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        let _ = self.context.call("end a graph", |d| {
            let Some(d) = calls(d) else { return 0 };
            // SAFETY: made in `new`, destroyed once; launches that are on their way keep what they need.
            unsafe {
                if !self.instance.is_null() {
                    (d.destroy_instance)(self.instance);
                }
                if !self.graph.is_null() {
                    (d.destroy)(self.graph);
                }
            }
            0
        });
    }
}
