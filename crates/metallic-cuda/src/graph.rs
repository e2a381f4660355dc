//! Launches, one after the other, as one piece for the driver: handing it over again takes half of the time of one launch.

use std::ptr;
use std::sync::Arc;

use metallic_hal::Result;

use crate::context::{Context, Launch, Stream};
use crate::driver::{Driver, Graphs, Handle, KernelNode, Status};

/// See the module.
pub struct Graph {
    context: Arc<Context>,
    graph: Handle,
    nodes: Vec<Handle>,
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
    launch.with_parameters(|extra| {
        let node = KernelNode {
            function: launch.function.handle(),
            groups: launch.groups,
            threads: launch.threads,
            shared: launch.shared,
            parameters: ptr::null_mut(),
            extra,
            kernel: ptr::null_mut(),
            context: ptr::null_mut(),
        };
        f(&raw const node)
    })
}

impl Graph {
    /// Each launch begins when the one before it is over.
    pub fn new(context: &Arc<Context>, launches: &[Launch]) -> Result<Graph> {
        let (graph, instance) = (ptr::null_mut(), ptr::null_mut());
        let mut made = Graph { context: context.clone(), graph, nodes: Vec::with_capacity(launches.len()), instance };
        context.call("make a graph", |d| {
            let Some(d) = calls(d) else { return NOT_FOUND };
            // SAFETY: results outlive the calls; the driver copies descriptions and parameters.
            unsafe {
                let mut status = (d.create)(&raw mut made.graph, 0);
                for launch in launches {
                    let mut node = ptr::null_mut();
                    let before = made.nodes.last().map_or(ptr::null(), |last| &raw const *last);
                    let count = usize::from(!before.is_null());
                    if status == 0 {
                        status = with(launch, |n| (d.add_kernel)(&raw mut node, made.graph, before, count, n));
                    }
                    made.nodes.push(node);
                }
                if status == 0 {
                    status = (d.instantiate)(&raw mut made.instance, made.graph, 0);
                }
                status
            }
        })?;
        Ok(made)
    }

    /// Replaces one of the launches from now on. Fails where the driver needs another graph.
    pub fn set(&mut self, place: usize, launch: &Launch) -> Result<()> {
        self.context.call("change a graph", |d| {
            let (Some(d), Some(node)) = (calls(d), self.nodes.get(place)) else { return NOT_FOUND };
            // SAFETY: the driver copies the description and the parameters.
            with(launch, |n| unsafe { (d.set_kernel)(self.instance, *node, n) })
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
