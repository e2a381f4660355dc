//! Executes commands: binds arguments, spreads threadgroups over threads, reports faults.

use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use metallic_hal::{Argument, Command, Dispatch, Executor, Fault, HostBuffer, HostTexture, SerialQueue, log, transfer};
use msl_codegen_llvm::Groups;
use msl_codegen_llvm::abi::{self, ArgumentSlot, FaultRecord, LaunchContext};
use msl_codegen_llvm::slow_paths::SLOW_PATHS;
use msl_ir::Access;
use msl_ir::passes::assume_textures::KnownTexture;

use crate::edge::{self, Edge};
use crate::pipeline::{CpuPipeline, Shape, Variant};
use crate::pool::{Counts, Pool};
use crate::scratch::with_scratch;
use crate::start;

/// Dispatches that take less run on the calling thread alone, in nanoseconds.
const SMALL: u64 = 20_000;
/// What a chunk should take at least, so that taking it costs little, in nanoseconds.
const CHUNK: u64 = 4_000;
/// How long code runs that may be replaced before it is looked whether it was, in nanoseconds.
const SLICE: u64 = 200_000;
/// After so long the thread that runs a kernel makes better code itself.
const PATIENCE: Duration = Duration::from_millis(50);
/// Where a threadgroup may read so many bytes, it might take longer than it takes to make better code.
const LONG: u64 = 32 << 20;

pub(crate) struct Encoder {
    pool: Arc<Pool>,
}

impl Encoder {
    pub fn new(pool: Arc<Pool>) -> Encoder {
        Encoder { pool }
    }
    pub fn counts(&self) -> Counts {
        self.pool.counts()
    }
}

impl Executor for Encoder {
    fn execute(&self, command: &Command) -> Result<(), Fault> {
        match command {
            Command::Dispatch(dispatch) => self.dispatch(dispatch),
            other => transfer::execute(other),
        }
    }
    fn schedule(&self, queue: Arc<SerialQueue>) {
        self.pool.schedule(queue);
    }
    fn has_threads(&self) -> bool {
        self.pool.has_workers()
    }
    fn may_run_handlers(&self) -> bool {
        !Pool::is_worker()
    }
    fn help(&self) -> bool {
        self.pool.help()
    }
}

impl Encoder {
    fn dispatch(&self, dispatch: &Dispatch) -> Result<(), Fault> {
        let pipeline: &dyn std::any::Any = &*dispatch.pipeline;
        let Some(pipeline) = pipeline.downcast_ref::<CpuPipeline>() else {
            return Err(Fault::new("pipeline of another device"));
        };
        let (threads, _) = dispatch.resolve_grid()?;
        if threads.is_empty() {
            return Ok(());
        }
        let threadgroup = pipeline.shape(threads, dispatch.threads_per_threadgroup.to_array());
        let groups = threads.div_ceil(threadgroup.into());
        let arguments = Arguments::bind(dispatch)?;
        let noalias = !arguments.overlap(pipeline, dispatch);
        let textures = pipeline.textures(arguments.textures(dispatch));
        let shape = |groups: Groups| Shape { threadgroup, noalias, groups, textures: textures.clone() };
        let compile =
            |groups: Groups| pipeline.variant(&shape(groups)).map_err(|error| failed(dispatch, &error.to_string()));
        // Most threadgroups are full; where none is, the code for the others does it all. That code is not made
        // before one of them comes up.
        let extent = threads.to_array();
        let has_full = (0..3).all(|i| extent[i] >= threadgroup[i]);
        let has_edge = (0..3).any(|i| !extent[i].is_multiple_of(threadgroup[i]));
        let variant = compile(if has_full { Groups::Full } else { Groups::Any })?;
        let edge = Edge::new(pipeline, &variant, &arguments.threadgroup_memory);
        if has_full && has_edge {
            // Surely needed: better now than while threads wait for each other.
            edge.code(|| false).map_err(|message| failed(dispatch, message))?;
        }
        if !variant.is_final() {
            start::improve_next(&variant);
            if arguments.slots.iter().fold(0u64, |sum, slot| sum.saturating_add(slot.length)) / groups.volume() as u64
                > LONG
            {
                variant.improve();
            }
        }
        let stop = AtomicU32::new(0);
        let fault = FaultRecord::default();
        let bound = Bound { dispatch, arguments: &arguments, edge, is_out_of_memory: AtomicBool::new(false) };
        let context = LaunchContext {
            arguments: arguments.slots.as_ptr(),
            grid_threads: threads.to_array(),
            groups: groups.to_array(),
            threadgroup,
            flags: if arguments.exceed_caches(threads.volume() as u64) { abi::STREAM } else { 0 },
            stop: &raw const stop,
            fault: &raw const fault,
            on_fault,
            find_range,
            on_log,
            slow_paths: &raw const SLOW_PATHS,
            edge: edge::run,
            user: (&raw const bound).cast_mut().cast::<c_void>(),
        };
        let scratch = variant.kernel().scratch_size(&arguments.threadgroup_memory);
        let scratch = usize::try_from(scratch).unwrap_or(usize::MAX);
        let launch =
            Launch { context: &context, variant: &variant, scratch, is_out_of_memory: &bound.is_out_of_memory };
        // The number of threads was checked to fit into 63 bits.
        self.run(&launch, groups.volume() as u64);
        if bound.is_out_of_memory.load(Ordering::Relaxed) {
            let message = "there is no memory for the variables of its threadgroups";
            return Err(failed(dispatch, message));
        }
        bound.edge.check().map_err(|message| failed(dispatch, message))?;
        match fault.get() {
            Some((site, group, thread, offset)) => {
                let variant = bound.edge.owner(site).unwrap_or(&variant);
                let site = site & !(abi::EDGE_SITE | abi::WHOLE_SITE);
                Err(describe(pipeline, dispatch, variant, site, group, thread, offset))
            }
            None => Ok(()),
        }
    }

    /// Runs all threadgroups, on as many threads as the work is worth.
    fn run(&self, launch: &Launch, groups: u64) {
        if groups == 1 || self.pool.threads() == 1 {
            launch.run(0, groups);
            return;
        }
        let mut next = 0;
        // Small work is done before another thread would wake; unknown work is tried first.
        let start = Instant::now();
        let mut elapsed = 0;
        while next < groups {
            let Some(one) = launch.variant.estimate(1) else {
                launch.run(0, 1);
                next = 1;
                elapsed = start.elapsed().as_nanos() as u64;
                launch.variant.measured(1, elapsed);
                continue;
            };
            let left = launch.variant.estimate(groups - next).unwrap_or(0);
            if elapsed + left > SMALL {
                let least = (CHUNK / one.max(1)).clamp(1, (groups - next).div_ceil(2 * self.pool.threads() as u64));
                // The mean of what one thread did is an estimate that follows the data.
                self.pool.run(next, groups, least, &|first, end| launch.run_timed(first, end));
                return;
            }
            // The estimate may be wrong by much, so it is looked at again on the way.
            let chunk = (CHUNK / one.max(1)).clamp(1, groups - next);
            launch.run(next, next + chunk);
            let now = start.elapsed().as_nanos() as u64;
            launch.variant.measured(chunk, now - elapsed);
            elapsed = now;
            next += chunk;
        }
    }
}

/// One dispatch, ready to run.
struct Launch<'a> {
    context: &'a LaunchContext,
    variant: &'a Arc<Variant>,
    /// Bytes of scratch memory that each thread needs.
    scratch: usize,
    /// A thread got no scratch memory; its threadgroups have not run.
    is_out_of_memory: &'a AtomicBool,
}

// SAFETY: the context points to data that is only read (arguments), atomic (stop, fault) or `Sync`
// (the dispatch), all of which outlive the launch; kernels may run on several threads at a time.
unsafe impl Sync for Launch<'_> {}

impl Launch<'_> {
    /// Runs threadgroups: a slice at a time as long as better code may come.
    fn run(&self, first: u64, end: u64) {
        let mut next = first;
        let start = Instant::now();
        while !self.variant.is_final() && next < end {
            let one = self.variant.estimate(1).unwrap_or(SLICE).max(1);
            let slice = (SLICE / one).clamp(1, self.variant.until_next()).min(end - next);
            let before = Instant::now();
            self.run_all(next, next + slice);
            next += slice;
            self.variant.measured(slice, before.elapsed().as_nanos() as u64);
            self.variant.count(slice);
            // The thread that makes code may have much to do.
            if start.elapsed() > PATIENCE && self.variant.is_replaced_when_ready() {
                self.variant.improve_unless_others();
            }
        }
        if next < end {
            self.run_all(next, end);
        }
    }

    fn run_all(&self, first: u64, end: u64) {
        let kernel = self.variant.kernel();
        let ran = with_scratch(self.scratch, |scratch| {
            // SAFETY: the context is valid and was made for this kernel: one slot per parameter,
            // the threadgroup it was compiled for; the groups are in the grid; scratch has the
            // size and alignment it asks for and belongs to this thread.
            unsafe { (kernel.entry())(self.context, first, end, scratch) }
        });
        if !ran {
            self.is_out_of_memory.store(true, Ordering::Relaxed);
        }
    }

    fn run_timed(&self, first: u64, end: u64) {
        let start = Instant::now();
        self.run(first, end);
        self.variant.measured(end - first, start.elapsed().as_nanos() as u64);
    }
}

/// The arguments of a dispatch as kernels take them.
struct Arguments {
    slots: Vec<ArgumentSlot>,
    /// Lengths of host-sized threadgroup memory.
    threadgroup_memory: Vec<u64>,
    /// Arrays of texture descriptors that slots point to.
    _textures: Vec<Box<[msl_ir::TextureDescriptor]>>,
}

impl Arguments {
    fn bind(dispatch: &Dispatch) -> Result<Arguments, Fault> {
        let mut slots = Vec::with_capacity(dispatch.arguments.len());
        let mut textures_of_arrays = Vec::new();
        let mut threadgroup_memory = Vec::new();
        for argument in &dispatch.arguments {
            let (address, length) = match argument {
                Argument::Unbound => (0, 0),
                Argument::Buffer { buffer, offset } => {
                    let buffer = HostBuffer::of(&**buffer).ok_or_else(|| Fault::new("buffer of another device"))?;
                    let memory = buffer.memory();
                    (memory.as_ptr() as u64 + offset, (memory.len() as u64).saturating_sub(*offset))
                }
                Argument::Bytes(bytes) => (bytes.as_slice().as_ptr() as u64, bytes.len() as u64),
                Argument::Textures(textures) => {
                    let layouts = textures
                        .iter()
                        .map(|texture| HostTexture::of(&**texture).map(HostTexture::layout))
                        .collect::<Option<Vec<_>>>()
                        .ok_or_else(|| Fault::new("texture of another device"))?;
                    let length = size_of::<msl_ir::TextureDescriptor>() as u64 * layouts.len() as u64;
                    match layouts[..] {
                        [one] => (&raw const *one as u64, length),
                        _ => {
                            let array: Box<[_]> = layouts.into_iter().copied().collect();
                            let address = array.as_ptr() as u64;
                            textures_of_arrays.push(array);
                            (address, length)
                        }
                    }
                }
                Argument::Sampler(state) => (state.0, 0),
                Argument::Threadgroup { length } => {
                    threadgroup_memory.push(u64::from(*length));
                    (0, u64::from(*length))
                }
            };
            slots.push(ArgumentSlot { address, length });
        }
        Ok(Arguments { slots, threadgroup_memory, _textures: textures_of_arrays })
    }

    /// Whether a dispatch of so many threads moves twice the memory that the last cache holds, so that little of
    /// what it writes would still be there when somebody reads it: of what just fills the cache, steps that go
    /// to and fro between two buffers find most. Kernels that stream take few bytes of a buffer per thread; the
    /// size of a buffer alone says little.
    fn exceed_caches(&self, threads: u64) -> bool {
        const BYTES_PER_THREAD: u64 = 16;
        let most = threads.saturating_mul(BYTES_PER_THREAD);
        let moved = self.slots.iter().fold(0u64, |sum, slot| sum.saturating_add(slot.length.min(most)));
        // The common case, answered without asking for the size.
        moved > 1 << 20 && moved >= 2 * last_cache_size()
    }

    /// What code may know about the textures, arrays of them left out.
    fn textures(&self, dispatch: &Dispatch) -> Vec<KnownTexture> {
        let bound = dispatch.arguments.iter().enumerate().filter_map(|(i, argument)| {
            let Argument::Textures(textures) = argument else { return None };
            let [texture] = &textures[..] else { return None };
            Some(KnownTexture::of(i as u32, HostTexture::of(&**texture)?.layout()))
        });
        bound.collect()
    }

    /// Whether a buffer that the kernel writes shares memory with another.
    fn overlap(&self, pipeline: &CpuPipeline, dispatch: &Dispatch) -> bool {
        // Whatever is reached through argument buffers may be bound besides.
        if !dispatch.resident.is_empty() {
            return true;
        }
        let params = &pipeline.source.entry_point().params;
        let buffers = || {
            let all = self.slots.iter().zip(&dispatch.arguments).zip(params);
            all.filter(|((_, argument), _)| matches!(argument, Argument::Buffer { .. }))
        };
        buffers().enumerate().any(|(i, ((a, _), param))| {
            param.access != Access::ReadOnly
                && buffers().enumerate().any(|(j, ((b, _), _))| {
                    i != j && a.address < b.address + b.length && b.address < a.address + a.length
                })
        })
    }
}

/// Bytes of the largest cache that threads share.
fn last_cache_size() -> u64 {
    const USUAL: u64 = 32 << 20;
    static SIZE: OnceLock<u64> = OnceLock::new();
    *SIZE.get_or_init(|| {
        let of = |index: u32| {
            let path = format!("/sys/devices/system/cpu/cpu0/cache/index{index}/size");
            let text = std::fs::read_to_string(path).ok()?;
            let kib: u64 = text.trim().strip_suffix('K')?.parse().ok()?;
            Some(kib << 10)
        };
        (0..8).filter_map(of).max().filter(|size| *size >= 1 << 20).unwrap_or(USUAL)
    })
}

/// Keeps the first fault and stops the other threads.
unsafe extern "C" fn on_fault(context: *const LaunchContext, site: u32, group: *const u32, thread: u32, offset: u64) {
    // SAFETY: called by a kernel with the context it was given, which `Encoder::dispatch` made.
    unsafe {
        abi::record_fault(context, site, group, thread, offset);
        (*(*context).stop).store(1, Ordering::Relaxed);
    }
}

/// What a running kernel may need from here: where addresses that it computes may point to, more code.
pub(crate) struct Bound<'a> {
    dispatch: &'a Dispatch,
    arguments: &'a Arguments,
    pub edge: Edge<'a>,
    /// A thread got no scratch memory; its threadgroups have not run.
    pub is_out_of_memory: AtomicBool,
}

fn failed(dispatch: &Dispatch, message: &str) -> Fault {
    Fault { kernel: Some(dispatch.label.to_string()), ..Fault::new(message) }
}

unsafe extern "C" fn find_range(context: *const LaunchContext, address: u64, range: *mut [u64; 2]) {
    // SAFETY: as above; `user` is what `Encoder::dispatch` gave, `range` points to two words.
    let (memory, range) = unsafe { (&*(*context).user.cast::<Bound<'_>>(), &mut *range) };
    let arguments = &memory.dispatch.arguments;
    let bound = arguments.iter().filter_map(|argument| match argument {
        Argument::Buffer { buffer, .. } => Some(buffer),
        _ => None,
    });
    let buffers = memory
        .dispatch
        .resident
        .iter()
        .chain(bound)
        .map(|buffer| [buffer.gpu_address(), buffer.gpu_address() + buffer.length()]);
    // Bytes and the descriptors of textures, whose addresses a kernel may keep in a local or compute from an index.
    let passed = arguments
        .iter()
        .zip(&memory.arguments.slots)
        .filter(|(argument, _)| matches!(argument, Argument::Textures(_) | Argument::Bytes(_)))
        .map(|(_, slot)| [slot.address, slot.address + slot.length]);
    *range = buffers.chain(passed).find(|[start, end]| (*start..*end).contains(&address)).unwrap_or([0, 0]);
}

unsafe extern "C" fn on_log(
    context: *const LaunchContext,
    format: *const u8,
    format_length: u64,
    arguments: *const u64,
    count: u64,
) {
    // SAFETY: the kernel passes as many bytes and words as it says.
    let (format, arguments) = unsafe {
        (
            std::slice::from_raw_parts(format, format_length as usize),
            if count == 0 { &[] } else { std::slice::from_raw_parts(arguments, count as usize) },
        )
    };
    // SAFETY: as above.
    let bound = unsafe { &*(*context).user.cast::<Bound<'_>>() };
    log::emit(bound.dispatch.log_state.as_deref(), &log::record(format, arguments));
}

fn describe(
    pipeline: &CpuPipeline,
    dispatch: &Dispatch,
    variant: &Variant,
    site: u32,
    group: [u32; 3],
    thread: u32,
    offset: u64,
) -> Fault {
    let [width, height, _] = variant.shape.threadgroup;
    let local = [thread % width, thread / width % height, thread / (width * height)];
    let position = std::array::from_fn(|i| group[i].wrapping_mul(variant.shape.threadgroup[i]).wrapping_add(local[i]));
    let (id, message, argument, location) = variant.kernel().describe_fault(&pipeline.source, dispatch, site, offset);
    Fault {
        id,
        message,
        kernel: Some(dispatch.label.to_string()),
        argument,
        location: location.map(String::into_boxed_str),
        thread: Some(position),
    }
}
