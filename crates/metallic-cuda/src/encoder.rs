//! Turns commands into calls of the driver, on one stream for each queue.
//!
//! A command list, or a part of one, is encoded without waiting ([`Encoder::begin`], [`Encoder::encode`],
//! [`Encoder::finish`]); what comes out is an [`InFlight`], which knows when the GPU is done and what came of it.
//! Commands that need the host in between ([`needs_host`]) are executed by [`Encoder::execute_on_host`], when
//! nothing is on its way.

use std::hash::{DefaultHasher, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use metallic_hal::{Argument, Buffer, Command, Dispatch, Error, Fault, Grid, Result, log, threads, transfer};
use msl_codegen_llvm::nvptx::{LaunchInfo, status};
use msl_ir::Access;

use crate::clock::{Clock, Times};
use crate::context::{self, Context, Event, Function, Stream, enable_peer};
use crate::convert;
use crate::driver::Address;
use crate::marks::{self, Mark, Marks, Sightings};
use crate::memory::CudaBuffer;
use crate::pipeline::{CudaPipeline, Variant};
use crate::pool::{DeviceMemory, PinnedMemory};
use crate::texture::CudaTexture;
use crate::transfer::Transfers;

/// Lists on their way at a time.
pub const SLOTS: usize = 64;
/// 64-bit words of log records that a dispatch may write.
const LOG_WORDS: usize = 1 << 16;
/// Bytes that kernels find through pointers (large arguments by value, texture descriptors, ranges), by block.
const STAGING: usize = 1 << 16;
/// The driver's limit for the second and third axis of a launch.
const MOST_GROUPS: u32 = 65535;
pub const STATUS: u64 = status::SIZE;

pub struct Encoder {
    pub transfers: Arc<Transfers>,
    pub stream: Stream,
    pub clock: Arc<Clock>,
    /// A status block for each slot.
    pub status: DeviceMemory,
    /// Where the GPU puts the record of a fault, for each slot and for the log block.
    pub host: PinnedMemory,
    /// A status block with room for log records, and a record's place behind those of the slots.
    log: Mutex<Option<DeviceMemory>>,
    /// Made when the queue has seen enough lists; `None` where that is not possible.
    marks: OnceLock<Option<Arc<Marks>>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    free: Vec<usize>,
    /// See [`Transfers::order`].
    seen: u64,
    staging: Vec<Staging>,
    parameters: Vec<u8>,
    /// How many lists were begun.
    lists: u32,
    sightings: Sightings,
}

/// Memory of both sides for small things.
struct Staging {
    device: DeviceMemory,
    host: PinnedMemory,
    size: usize,
    used: usize,
}

/// What was handed to the driver for a list so far.
pub struct Encoding {
    pub slot: usize,
    /// Made when its start is marked on the stream.
    pub times: Option<Arc<Times>>,
    /// The end of the list before it.
    before: Option<Arc<Event>>,
    /// What is yet to be handed over, where that may be done at once in the end.
    plan: Option<Vec<Planned>>,
    /// What is handed over in the place of events.
    pub mark: Option<Mark>,
    pub launches: Vec<Launch>,
    /// Buffers by address that are prepared, and whether they count as written.
    used: Vec<(Address, bool)>,
    pub written: Vec<Arc<dyn Buffer>>,
    staging: Vec<Staging>,
    pub has_logs: bool,
}

/// A launch that is yet to be handed over; its kernel is that of the list's launch with the same number.
struct Planned {
    info: LaunchInfo,
    threadgroup: [u32; 3],
    /// The parameters, and how many bytes of them are not of `info`.
    arguments: Vec<u8>,
    end: usize,
}

/// What a fault record refers to.
pub struct Launch {
    pub variant: Arc<Variant>,
    pub pipeline: Arc<dyn metallic_hal::Pipeline>,
    pub label: Arc<str>,
    pub lengths: Box<[Option<u64>]>,
    pub log_state: Option<Arc<log::LogState>>,
}

/// Whether a command needs the host between the ones before and after it.
pub fn needs_host(command: &Command) -> bool {
    match command {
        Command::Dispatch(dispatch) => {
            let pipeline: &dyn std::any::Any = &*dispatch.pipeline;
            matches!(dispatch.grid, Grid::Indirect { .. })
                || pipeline.downcast_ref::<CudaPipeline>().is_some_and(CudaPipeline::has_logs)
        }
        Command::CopyBuffer { .. } | Command::FillBuffer { .. } | Command::Synchronize { .. } => false,
        Command::CopyBufferToTexture { .. }
        | Command::CopyTextureToBuffer { .. }
        | Command::CopyTexture { .. }
        | Command::GenerateMipmaps { .. }
        | Command::SignalEvent { .. }
        | Command::WaitEvent { .. } => true,
    }
}

impl Encoder {
    pub fn new(transfers: &Arc<Transfers>) -> Result<Encoder> {
        let context = &transfers.context;
        let stream = Stream::new(context)?;
        let status = DeviceMemory::allocate(context, SLOTS * STATUS as usize)?;
        let host = PinnedMemory::zeroed(context, (SLOTS + 1) * STATUS as usize)?;
        let mut blocks = vec![0u8; SLOTS * STATUS as usize];
        for slot in 0..SLOTS {
            let at = slot * STATUS as usize + status::HOST as usize;
            blocks[at..at + 8].copy_from_slice(&host_record(&host, slot).to_le_bytes());
        }
        // SAFETY: the memory has the size of the blocks.
        unsafe { transfers.upload(status.address, &blocks)? };
        let state = State { free: (0..SLOTS).rev().collect(), ..State::default() };
        let clock = Clock::new(&stream)?;
        Ok(Encoder {
            transfers: transfers.clone(),
            stream,
            clock,
            status,
            host,
            log: Mutex::new(None),
            marks: OnceLock::new(),
            state: Mutex::new(state),
        })
    }

    pub fn context(&self) -> &Arc<Context> {
        &self.transfers.context
    }

    /// Starts a list; `None` when too many are on their way. `before` is the end of the list before it, if that is an
    /// event on its way. `commands`: all of the list, if it needs nothing but dispatches, else none.
    pub fn begin(self: &Arc<Self>, before: Option<Arc<Event>>, commands: &[Command]) -> Option<Encoding> {
        let mut state = self.lock();
        let slot = state.free.pop()?;
        state.lists = state.lists.saturating_add(1);
        if marks::is_due(state.lists) {
            self.make_marks();
        }
        let has_marks = self.marks.get().is_some_and(Option::is_some);
        let is_planned = has_marks
            && match commands.len() {
                0 => false,
                1 => true,
                n => n <= marks::LONGEST && state.sightings.see(kernels_of(commands)),
            };
        Some(Encoding {
            slot,
            times: None,
            before,
            plan: is_planned.then(Vec::new),
            mark: None,
            launches: Vec::new(),
            used: Vec::new(),
            written: Vec::new(),
            staging: Vec::new(),
            has_logs: false,
        })
    }

    /// In the background: assembling takes some milliseconds.
    fn make_marks(self: &Arc<Self>) {
        let this: Weak<Encoder> = Arc::downgrade(self);
        threads::spawn(move || {
            if let Some(encoder) = this.upgrade() {
                encoder.marks.get_or_init(|| Marks::new(&encoder.transfers));
            }
        });
    }

    /// Hands over one command. [`needs_host`] is false for it, or it is a dispatch that [`Encoder::settle`] made.
    pub fn encode(&self, encoding: &mut Encoding, command: &Command) -> std::result::Result<(), Fault> {
        match command {
            Command::Dispatch(dispatch) => self.dispatch(encoding, dispatch),
            Command::CopyBuffer { .. } | Command::FillBuffer { .. } => {
                self.copy(encoding, command).map_err(|error| convert::fault(None, &error))
            }
            // The end of a list brings back what was written.
            _ => Ok(()),
        }
    }

    /// Takes back what a list had that is complete.
    pub fn release(&self, encoding: Encoding) {
        let mut state = self.lock();
        state.free.push(encoding.slot);
        for staging in encoding.staging {
            if staging.size == STAGING && state.staging.len() < 16 {
                state.staging.push(staging);
            }
        }
    }

    /// Marks the start of a list, as late as can be: before the first thing that the GPU does for it.
    pub fn start(&self, encoding: &mut Encoding) -> Result<Arc<Times>> {
        if let Some(times) = &encoding.times {
            return Ok(times.clone());
        }
        let is_known = encoding.before.is_some();
        let times = self.clock.times(encoding.before.take())?;
        encoding.times = Some(times.clone());
        if !is_known {
            self.stream.record(&times.start)?;
        }
        Ok(times)
    }

    pub fn buffer<'a>(&self, buffer: &'a dyn Buffer) -> Result<&'a CudaBuffer> {
        CudaBuffer::of(buffer, self.context()).ok_or_else(|| Error::Device("buffer of another device".into()))
    }
    fn texture<'a>(&self, texture: &'a dyn metallic_hal::Texture) -> Result<&'a CudaTexture> {
        CudaTexture::of(texture, self.context()).ok_or_else(|| Error::Device("texture of another device".into()))
    }

    /// Makes the GPU's bytes of a buffer the newest, before a command uses it.
    fn use_buffer(&self, encoding: &mut Encoding, buffer: &Arc<dyn Buffer>, written: bool) -> Result<Address> {
        let cuda = self.buffer(&**buffer)?;
        let address = cuda.gpu_address();
        if cuda.is_private() {
            return Ok(address);
        }
        let known = encoding.used.iter_mut().find(|(a, _)| *a == address);
        let is_marked = match known {
            Some((_, is_marked)) => std::mem::replace(is_marked, *is_marked || written),
            None => {
                cuda.prepare()?;
                encoding.used.push((address, written));
                false
            }
        };
        if written && !is_marked {
            cuda.will_write();
            encoding.written.push(buffer.clone());
        }
        Ok(address)
    }

    /// Puts bytes where kernels can read them until the list is complete.
    fn stage(&self, encoding: &mut Encoding, bytes: &[u8]) -> Result<Address> {
        let at = |s: &Staging| s.used.next_multiple_of(256);
        if encoding.staging.last().is_none_or(|s| at(s) + bytes.len() > s.size) {
            let known = if bytes.len() <= STAGING { self.lock().staging.pop() } else { None };
            let staging = match known {
                Some(staging) => Staging { used: 0, ..staging },
                None => {
                    let size = bytes.len().max(STAGING);
                    let device = DeviceMemory::allocate(self.context(), size)?;
                    Staging { device, host: PinnedMemory::allocate(self.context(), size)?, size, used: 0 }
                }
            };
            encoding.staging.push(staging);
        }
        let Some(staging) = encoding.staging.last_mut() else { return Ok(0) };
        let at = at(staging);
        staging.used = at + bytes.len();
        let to = staging.device.address + at as u64;
        // SAFETY: the range is in both blocks, which the encoding keeps and nobody else uses.
        unsafe {
            let from = staging.host.pointer.add(at);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), from, bytes.len());
            self.stream.upload(to, from, bytes.len())?;
        }
        Ok(to)
    }

    // ---- dispatches ------------------------------------------------------------------------

    fn dispatch(&self, encoding: &mut Encoding, dispatch: &Dispatch) -> std::result::Result<(), Fault> {
        let (threads, groups) = match &dispatch.grid {
            Grid::Indirect { buffer, offset } => self.indirect(dispatch, buffer, *offset)?,
            Grid::Threads(_) | Grid::Threadgroups(_) => dispatch.resolve_grid()?,
        };
        if threads.is_empty() {
            return Ok(());
        }
        let launched = self.launch(encoding, dispatch, threads.to_array(), groups.to_array());
        launched.map_err(|error| convert::fault(Some(&dispatch.label), &error))
    }

    /// The grid of an indirect dispatch; nothing is on its way.
    fn indirect(
        &self,
        dispatch: &Dispatch,
        buffer: &Arc<dyn Buffer>,
        offset: u64,
    ) -> std::result::Result<(metallic_hal::Size, metallic_hal::Size), Fault> {
        let failed = |error: Error| convert::fault(Some(&dispatch.label), &error);
        let cuda = self.buffer(&**buffer).map_err(failed)?;
        cuda.prepare().map_err(failed)?;
        let mut counts = [0u32; 3];
        if offset + 12 <= cuda.length() {
            // SAFETY: twelve bytes from the offset are within the buffer.
            unsafe {
                self.transfers.download(counts.as_mut_ptr().cast(), cuda.gpu_address() + offset, 12).map_err(failed)?;
            }
        }
        let group = dispatch.threads_per_threadgroup;
        let counted = Dispatch {
            pipeline: dispatch.pipeline.clone(),
            arguments: Vec::new(),
            grid: Grid::Threadgroups(counts.into()),
            threads_per_threadgroup: group,
            resident: Arc::new([]),
            label: dispatch.label.clone(),
            log_state: None,
        };
        counted.resolve_grid()
    }

    fn launch(&self, encoding: &mut Encoding, dispatch: &Dispatch, grid: [u32; 3], groups: [u32; 3]) -> Result<()> {
        let pipeline: &dyn std::any::Any = &*dispatch.pipeline;
        let pipeline = pipeline
            .downcast_ref::<CudaPipeline>()
            .ok_or_else(|| Error::Device("pipeline of another device".into()))?;
        let params = &pipeline.source.entry_point().params;
        let threadgroup = dispatch.threads_per_threadgroup.to_array();
        let arguments = pipeline.arguments_of(dispatch, threadgroup, grid);
        let variant = pipeline.variant(&arguments)?;
        let function = pipeline.function(&variant)?;
        let kernel = &variant.kernel;
        let mut block = std::mem::take(&mut self.lock().parameters);
        block.clear();
        let mut shared = kernel.declared_dynamic_shared();
        let mut ranges: Vec<[u64; 2]> = Vec::new();
        for (i, (argument, param)) in dispatch.arguments.iter().zip(params).enumerate() {
            let written = param.access != Access::ReadOnly;
            let (address, length) = match argument {
                Argument::Unbound => (0, 0),
                Argument::Buffer { buffer, offset } => {
                    let start = self.use_buffer(encoding, buffer, written)?;
                    if kernel.needs_ranges {
                        ranges.push([start, start + buffer.length()]);
                    }
                    (start + offset, buffer.length().saturating_sub(*offset))
                }
                Argument::Bytes(bytes) => {
                    let bytes = bytes.as_slice();
                    if kernel.inlined(i).is_some() {
                        block.resize(block.len().next_multiple_of(16), 0);
                        block.extend(bytes);
                        continue;
                    }
                    (self.stage(encoding, bytes)?, bytes.len() as u64)
                }
                Argument::Textures(textures) => {
                    let mut layouts = Vec::new();
                    for texture in textures {
                        let texture = self.texture(&**texture)?;
                        texture.prepare(written)?;
                        layouts.push(texture.layout()?);
                    }
                    let size = size_of_val(&layouts[..]);
                    let address = match &textures[..] {
                        [one] => self.texture(&**one)?.address(),
                        _ => {
                            // SAFETY: descriptors are plain data without padding bytes that matter.
                            let bytes = unsafe { std::slice::from_raw_parts(layouts.as_ptr().cast::<u8>(), size) };
                            self.stage(encoding, bytes)?
                        }
                    };
                    // An array of textures that is indexed holds pointers to descriptors.
                    if kernel.needs_ranges {
                        ranges.push([address, address + size as u64]);
                    }
                    (address, size as u64)
                }
                Argument::Sampler(sampler) => (sampler.0, 0),
                Argument::Threadgroup { length } => {
                    let at = shared;
                    shared += u64::from(*length).next_multiple_of(16);
                    (at, u64::from(*length))
                }
            };
            block.resize(block.len().next_multiple_of(8), 0);
            block.extend(address.to_le_bytes());
            block.extend(length.to_le_bytes());
            if let Some(element) = kernel.elements.get(i).copied().flatten() {
                block.extend((length / element).to_le_bytes());
            }
        }
        for buffer in dispatch.resident.iter() {
            // What the kernel does with it is not known.
            let address = self.use_buffer(encoding, buffer, true)?;
            if kernel.needs_ranges {
                ranges.push([address, address + buffer.length()]);
            }
        }
        let ranges_at = if ranges.is_empty() {
            0
        } else {
            let bytes: Vec<u8> = ranges.iter().flatten().flat_map(|w| w.to_le_bytes()).collect();
            self.stage(encoding, &bytes)?
        };
        let shared = u32::try_from(shared).unwrap_or(u32::MAX);
        if kernel.needs_much_shared(u64::from(shared)) {
            function.allow_shared(shared)?;
        }
        let status = if kernel.formats.is_empty() {
            self.status.address + encoding.slot as u64 * STATUS
        } else {
            encoding.has_logs = true;
            self.log_block()?
        };
        let info = LaunchInfo {
            grid,
            groups,
            base: [0; 3],
            dispatch: encoding.launches.len() as u32,
            dynamic_shared: shared,
            range_count: ranges.len() as u32,
            status,
            ranges: ranges_at,
        };
        self.transfers.order(&self.stream, &mut self.lock().seen)?;
        block.resize(block.len().next_multiple_of(8), 0);
        encoding.launches.push(Launch {
            variant: variant.clone(),
            pipeline: dispatch.pipeline.clone(),
            label: dispatch.label.clone(),
            lengths: convert::lengths(dispatch),
            log_state: dispatch.log_state.clone(),
        });
        let end = block.len();
        let mut planned = Planned { info, threadgroup, arguments: block, end };
        if let Some(plan) = &mut encoding.plan {
            let may_wait = encoding.staging.is_empty() && !encoding.has_logs && groups[1].max(groups[2]) <= MOST_GROUPS;
            plan.push(planned);
            if !may_wait {
                self.launch_plan(encoding)?;
            }
        } else {
            self.start(encoding)?;
            self.launch_parts(function, &mut planned)?;
            self.lock().parameters = planned.arguments;
        }
        Ok(())
    }

    /// Hands over what was planned, if anything.
    pub fn flush(&self, encoding: &mut Encoding) -> std::result::Result<(), Fault> {
        let handed = self.flush_plan(encoding);
        handed.map_err(|error| {
            let labels = encoding.launches.iter().map(|l| &*l.label).collect::<Vec<_>>();
            convert::fault(labels.first().copied(), &error)
        })
    }

    fn flush_plan(&self, encoding: &mut Encoding) -> Result<()> {
        let Some(plan) = encoding.plan.as_mut().filter(|plan| !plan.is_empty()) else { return Ok(()) };
        let marks = self.marks.get().and_then(Option::as_ref);
        let is_watched =
            |buffer: &Arc<dyn Buffer>| self.buffer(&**buffer).is_ok_and(|buffer| buffer.watched().is_some());
        // What somebody looks at is brought back after an event.
        if let Some(marks) = marks.filter(|_| !encoding.written.iter().any(is_watched)) {
            for planned in plan.iter_mut() {
                LaunchInfo { status: marks.status(), ..planned.info }.write(&mut planned.arguments);
            }
            let launches = plan.iter().zip(&encoding.launches).map(|(planned, launch)| {
                Ok(context::Launch {
                    function: launch.variant.loaded()?,
                    groups: planned.info.groups,
                    threads: planned.threadgroup,
                    shared: planned.info.dynamic_shared,
                    parameters: &planned.arguments,
                })
            });
            let launches = launches.collect::<Result<Vec<_>>>()?;
            // SAFETY: as below. Where the driver takes no graph it may yet take the launches alone, or say why not.
            encoding.mark = unsafe { marks.launch(self.context(), &self.stream, &launches) }.ok();
            self.context().check_alive()?;
            if encoding.mark.is_some() {
                let first = encoding.plan.take().and_then(|plan| plan.into_iter().next());
                self.lock().parameters = first.map_or_else(Vec::new, |first| first.arguments);
                return Ok(());
            }
        }
        self.launch_plan(encoding)
    }

    /// Hands over what was planned, launch by launch; what comes is not planned.
    fn launch_plan(&self, encoding: &mut Encoding) -> Result<()> {
        let Some(plan) = encoding.plan.take() else { return Ok(()) };
        self.start(encoding)?;
        for (mut planned, launch) in plan.into_iter().zip(&encoding.launches) {
            self.launch_parts(launch.variant.loaded()?, &mut planned)?;
        }
        Ok(())
    }

    /// Launches as many times as the driver's limits ask for.
    fn launch_parts(&self, function: &Function, planned: &mut Planned) -> Result<()> {
        let Planned { info, threadgroup, arguments: block, end } = planned;
        let groups = info.groups;
        for z in (0..groups[2]).step_by(MOST_GROUPS as usize) {
            for y in (0..groups[1]).step_by(MOST_GROUPS as usize) {
                let part = [groups[0], (groups[1] - y).min(MOST_GROUPS), (groups[2] - z).min(MOST_GROUPS)];
                block.truncate(*end);
                LaunchInfo { base: [0, y, z], ..*info }.write(block);
                let (threads, shared) = (*threadgroup, info.dynamic_shared);
                let launch = context::Launch { function, groups: part, threads, shared, parameters: block };
                // SAFETY: the parameters are those that the kernel was compiled for; what they point to is kept
                // by the command list.
                unsafe { self.stream.launch(&launch)? };
            }
        }
        Ok(())
    }

    pub fn log_block(&self) -> Result<Address> {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        if log.is_none() {
            let memory = DeviceMemory::allocate(self.context(), STATUS as usize + LOG_WORDS * 8)?;
            let mut words = [0u8; STATUS as usize];
            words[status::LOG_CAPACITY as usize..][..4].copy_from_slice(&(LOG_WORDS as u32).to_le_bytes());
            words[status::HOST as usize..][..8].copy_from_slice(&host_record(&self.host, SLOTS).to_le_bytes());
            // SAFETY: the memory is larger.
            unsafe { self.transfers.upload(memory.address, &words)? };
            *log = Some(memory);
        }
        Ok(log.as_ref().map_or(0, |memory| memory.address))
    }

    /// Delivers the log records of what is complete.
    pub fn print_logs(&self, launches: &[Launch]) -> Result<()> {
        let Some(launch) = launches.iter().find(|l| !l.variant.kernel.formats.is_empty()) else {
            return Ok(());
        };
        let (formats, state) = (&launch.variant.kernel.formats, launch.log_state.as_deref());
        let block = self.log_block()?;
        let mut words = vec![0u64; STATUS as usize / 8 + LOG_WORDS];
        // SAFETY: the words have the size of the block.
        unsafe { self.transfers.download(words.as_mut_ptr().cast(), block, size_of_val(&words[..]))? };
        let used = (words[status::LOG_USED as usize / 8] as u32 as usize).min(LOG_WORDS);
        let mut rest = &words[STATUS as usize / 8..][..used];
        while let [head, after @ ..] = rest {
            let (format, count) = (*head as u32 as usize, (*head >> 32) as usize);
            let Some(arguments) = after.get(..count) else { break };
            if let Some(format) = formats.get(format) {
                log::emit(state, &log::record(format.as_bytes(), arguments));
            }
            rest = &after[count..];
        }
        // SAFETY: the word is in the block.
        unsafe { self.stream.fill(block + status::LOG_USED, 0, 4) }
    }

    // ---- other commands --------------------------------------------------------------------

    fn copy(&self, encoding: &mut Encoding, command: &Command) -> Result<()> {
        match command {
            Command::CopyBuffer { source, source_offset, destination, destination_offset, size } => {
                let to = self.use_buffer(encoding, destination, true)? + destination_offset;
                let length = usize::try_from(*size).unwrap_or(usize::MAX);
                if CudaBuffer::of(&**source, self.context()).is_none() {
                    return self.copy_from_peer(source, *source_offset, to, length);
                }
                let from = self.use_buffer(encoding, source, false)? + source_offset;
                self.transfers.order(&self.stream, &mut self.lock().seen)?;
                self.start(encoding)?;
                if from < to + size && to < from + size {
                    // Through memory of its own, which the list keeps.
                    let between = DeviceMemory::allocate(self.context(), length)?;
                    let host = PinnedMemory::allocate(self.context(), 1)?;
                    // SAFETY: the ranges were validated.
                    unsafe {
                        self.stream.copy(between.address, from, length)?;
                        self.stream.copy(to, between.address, length)?;
                    }
                    encoding.staging.push(Staging { device: between, host, size: 0, used: 0 });
                    return Ok(());
                }
                // SAFETY: the ranges were validated.
                unsafe { self.stream.copy(to, from, length) }
            }
            Command::FillBuffer { buffer, offset, length, value } => {
                let to = self.use_buffer(encoding, buffer, true)? + offset;
                self.transfers.order(&self.stream, &mut self.lock().seen)?;
                self.start(encoding)?;
                // SAFETY: the range was validated.
                unsafe { self.stream.fill(to, *value, usize::try_from(*length).unwrap_or(usize::MAX)) }
            }
            _ => Ok(()),
        }
    }

    /// From a buffer of another GPU, whose commands on it are complete.
    fn copy_from_peer(&self, source: &Arc<dyn Buffer>, offset: u64, to: Address, length: usize) -> Result<()> {
        let other = CudaBuffer::of_any(&**source).ok_or_else(|| Error::Device("buffer of another device".into()))?;
        enable_peer(self.context(), other.context());
        let from = other.share_device_memory()? + offset;
        self.transfers.order(&self.stream, &mut self.lock().seen)?;
        // SAFETY: the ranges were validated, and the list keeps both buffers.
        unsafe { self.stream.copy_from_peer(to, other.context(), from, length) }
    }

    /// Executes a command about textures with the host's sides of what it uses. Nothing is on its way.
    pub fn execute_on_host(&self, command: &Command) -> std::result::Result<(), Fault> {
        let failed = |error: Error| convert::fault(None, &error);
        let texture = |texture: &Arc<dyn metallic_hal::Texture>, written: bool| {
            let texture = self.texture(&**texture).map_err(failed)?;
            texture.fetch(written).map_err(failed)?;
            Ok::<_, Fault>(texture.host().clone())
        };
        let snapshot = |buffer: &Arc<dyn Buffer>| -> std::result::Result<Arc<dyn Buffer>, Fault> {
            let cuda = self.buffer(&**buffer).map_err(failed)?;
            cuda.prepare().map_err(failed)?;
            cuda.snapshot().map_err(failed)
        };
        match command {
            Command::CopyBufferToTexture {
                source,
                source_offset,
                bytes_per_row,
                bytes_per_image,
                destination,
                region,
                at,
            } => transfer::execute(&Command::CopyBufferToTexture {
                source: snapshot(source)?,
                source_offset: *source_offset,
                bytes_per_row: *bytes_per_row,
                bytes_per_image: *bytes_per_image,
                destination: texture(destination, true)?,
                region: *region,
                at: *at,
            }),
            Command::CopyTextureToBuffer {
                source,
                region,
                at,
                destination,
                destination_offset,
                bytes_per_row,
                bytes_per_image,
            } => {
                let copy = snapshot(destination)?;
                transfer::execute(&Command::CopyTextureToBuffer {
                    source: texture(source, false)?,
                    region: *region,
                    at: *at,
                    destination: copy.clone(),
                    destination_offset: *destination_offset,
                    bytes_per_row: *bytes_per_row,
                    bytes_per_image: *bytes_per_image,
                })?;
                let cuda = self.buffer(&**destination).map_err(failed)?;
                cuda.restore(&*copy).map_err(failed)?;
                if !cuda.is_private() {
                    cuda.will_write();
                    cuda.written(false).map_err(failed)?;
                }
                Ok(())
            }
            Command::CopyTexture { source, region, source_at, destination, destination_origin, destination_at } => {
                transfer::execute(&Command::CopyTexture {
                    source: texture(source, false)?,
                    region: *region,
                    source_at: *source_at,
                    destination: texture(destination, true)?,
                    destination_origin: *destination_origin,
                    destination_at: *destination_at,
                })
            }
            Command::GenerateMipmaps { texture: t } => {
                transfer::execute(&Command::GenerateMipmaps { texture: texture(t, true)? })
            }
            _ => Ok(()),
        }
    }

    /// Whether a list must wait for those before it, see [`CudaBuffer::is_contended`].
    pub fn is_contended(&self, commands: &[Command]) -> bool {
        let contended =
            |buffer: &Arc<dyn Buffer>| CudaBuffer::of(&**buffer, self.context()).is_some_and(CudaBuffer::is_contended);
        commands.iter().any(|command| match command {
            Command::Dispatch(dispatch) => {
                dispatch.resident.iter().any(contended)
                    || dispatch
                        .arguments
                        .iter()
                        .any(|a| matches!(a, Argument::Buffer { buffer, .. } if contended(buffer)))
            }
            Command::CopyBuffer { source, destination, .. } => contended(source) || contended(destination),
            Command::FillBuffer { buffer, .. } => contended(buffer),
            _ => false,
        })
    }

    /// Compiles what is not; errors show when the list is encoded.
    pub fn make_ready(&self, commands: &[Command]) {
        for command in commands {
            let Command::Dispatch(dispatch) = command else { continue };
            let pipeline: &dyn std::any::Any = &*dispatch.pipeline;
            if let Some(pipeline) = pipeline.downcast_ref::<CudaPipeline>() {
                pipeline.make_ready(dispatch);
            }
        }
    }

    /// Whether a list's kernels are ready, so that handing it over takes no time.
    pub fn is_ready(&self, commands: &[Command]) -> bool {
        commands.iter().all(|command| match command {
            Command::Dispatch(dispatch) => {
                let pipeline: &dyn std::any::Any = &*dispatch.pipeline;
                pipeline.downcast_ref::<CudaPipeline>().is_some_and(|pipeline| pipeline.is_ready(dispatch))
            }
            _ => true,
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which kernels a list has, as a number that hardly any other list has.
fn kernels_of(commands: &[Command]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for command in commands {
        if let Command::Dispatch(dispatch) = command {
            hasher.write_usize(Arc::as_ptr(&dispatch.pipeline).addr());
        }
    }
    hasher.finish()
}

/// Where the GPU puts the fault record of a slot.
fn host_record(host: &PinnedMemory, slot: usize) -> u64 {
    (host.pointer.expose_provenance() + slot * STATUS as usize) as u64
}
