//! Executes commands on a stream: one for each queue.
//!
//! Commands are handed to the driver without waiting. [`Encoder::flush`] waits for them, brings back what
//! they wrote, and looks whether a thread reported a fault.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use metallic_hal::{Argument, Buffer, Command, Dispatch, Error, Executor, Fault, Result, log, transfer};
use msl_codegen_llvm::nvptx::{LaunchInfo, status};
use msl_ir::Access;

use crate::convert::{self, Launched, Record};
use crate::driver::{Address, Context, DeviceMemory, PinnedMemory, Stream};
use crate::memory::{CudaBuffer, CudaTexture};
use crate::pipeline::CudaPipeline;

/// 64-bit words of log records that a dispatch may write.
const LOG_WORDS: usize = 1 << 16;
/// Bytes for arguments passed by value, texture descriptors and ranges.
const STAGING: usize = 1 << 20;
/// The driver's limit for the second and third axis of a launch.
const MOST_GROUPS: u32 = 65535;

pub struct Encoder {
    context: Arc<Context>,
    stream: Stream,
    /// See [`status`].
    status: DeviceMemory,
    staging: DeviceMemory,
    staging_host: PinnedMemory,
    state: Mutex<State>,
}

/// What was handed to the driver since the last flush.
#[derive(Default)]
struct State {
    /// Buffers whose bytes are on the GPU, by address.
    uploaded: HashSet<Address>,
    /// Buffers to bring back.
    written: Vec<Arc<dyn Buffer>>,
    written_addresses: HashSet<Address>,
    launches: Vec<Launched>,
    staged: usize,
}

impl Encoder {
    pub fn new(context: &Arc<Context>) -> Result<Encoder> {
        let stream = Stream::new(context)?;
        let status = DeviceMemory::allocate(context, status::SIZE as usize + LOG_WORDS * 8)?;
        let staging = DeviceMemory::allocate(context, STAGING)?;
        let staging_host = PinnedMemory::allocate(context, STAGING)?;
        let encoder =
            Encoder { context: context.clone(), stream, status, staging, staging_host, state: Mutex::default() };
        encoder.clear_status()?;
        Ok(encoder)
    }

    fn clear_status(&self) -> Result<()> {
        let mut words = [0u32; status::SIZE as usize / 4];
        words[status::LOG_CAPACITY as usize / 4] = LOG_WORDS as u32;
        // SAFETY: the words outlive the copy, which is complete on return.
        unsafe { self.stream.upload(self.status.address, words.as_ptr().cast(), size_of_val(&words))? };
        self.stream.synchronize()
    }

    fn buffer<'a>(&self, buffer: &'a dyn Buffer) -> Result<&'a CudaBuffer> {
        CudaBuffer::of(buffer, &self.context).ok_or_else(|| Error::Device("buffer of another device".into()))
    }
    fn texture<'a>(&self, texture: &'a dyn metallic_hal::Texture) -> Result<&'a CudaTexture> {
        CudaTexture::of(texture, &self.context).ok_or_else(|| Error::Device("texture of another device".into()))
    }

    /// Makes the GPU's bytes of a buffer the newest, before a command uses it.
    fn use_buffer(&self, state: &mut State, buffer: &Arc<dyn Buffer>, written: bool) -> Result<Address> {
        let cuda = self.buffer(&**buffer)?;
        let address = cuda.device.address;
        if !cuda.is_private() {
            if state.uploaded.insert(address) {
                cuda.upload(&self.stream)?;
            }
            if written && state.written_addresses.insert(address) {
                state.written.push(buffer.clone());
            }
        }
        Ok(address)
    }

    /// Puts bytes where kernels can read them until the next flush; upload them with [`Self::upload_staged`].
    fn stage(&self, state: &mut State, bytes: &[u8]) -> Result<Address> {
        let at = state.staged.next_multiple_of(256);
        if at + bytes.len() > STAGING {
            return Err(Error::Unsupported("arguments passed by value exceed a megabyte".into()));
        }
        // SAFETY: the range was checked; the GPU is done with it since the last flush.
        unsafe {
            let to = self.staging_host.pointer.add(at);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len());
        }
        state.staged = at + bytes.len();
        Ok(self.staging.address + at as u64)
    }
    fn upload_staged(&self, state: &State, from: usize) -> Result<()> {
        if state.staged == from {
            return Ok(());
        }
        // SAFETY: the range is in both stagings; it is not written again before a flush.
        unsafe {
            let source = self.staging_host.pointer.add(from);
            self.stream.upload(self.staging.address + from as u64, source, state.staged - from)
        }
    }

    fn dispatch(&self, dispatch: &Dispatch) -> std::result::Result<(), Fault> {
        let label = Some(&*dispatch.label);
        let pipeline: &dyn std::any::Any = &*dispatch.pipeline;
        let Some(pipeline) = pipeline.downcast_ref::<CudaPipeline>() else {
            return Err(Fault::new("pipeline of another device"));
        };
        if let metallic_hal::Grid::Indirect { .. } = dispatch.grid {
            // The counts are read by the host.
            self.flush_all()?;
        }
        let dispatch = &self.resolve_indirect(dispatch).map_err(|e| convert::fault(label, &e))?;
        let (threads, groups) = dispatch.resolve_grid()?;
        if threads.is_empty() {
            return Ok(());
        }
        // Room for what is passed by value.
        if self.lock().staged > STAGING / 2 {
            self.flush_all()?;
        }
        let has_logs = self.launch(dispatch, pipeline, threads.to_array(), groups.to_array());
        if has_logs.map_err(|e| convert::fault(label, &e))? {
            self.flush_all()?;
        }
        Ok(())
    }

    /// The same dispatch with its grid read from the buffer.
    fn resolve_indirect(&self, dispatch: &Dispatch) -> Result<Dispatch> {
        let grid = match &dispatch.grid {
            metallic_hal::Grid::Indirect { buffer, offset } => {
                let cuda = self.buffer(&**buffer)?;
                let host = if cuda.is_private() { cuda.snapshot(&self.stream)? } else { buffer.clone() };
                let mut counts = [0u32; 3];
                if let (Some(at), true) = (host.contents(), offset + 12 <= host.length()) {
                    // SAFETY: twelve bytes from the offset are within the buffer.
                    unsafe {
                        let from = at.as_ptr().add(*offset as usize);
                        std::ptr::copy_nonoverlapping(from, counts.as_mut_ptr().cast(), 12);
                    }
                }
                metallic_hal::Grid::Threadgroups(counts.into())
            }
            other => other.clone(),
        };
        let arguments = dispatch.arguments.iter().map(clone_argument).collect();
        Ok(Dispatch {
            pipeline: dispatch.pipeline.clone(),
            arguments,
            grid,
            threads_per_threadgroup: dispatch.threads_per_threadgroup,
            resident: dispatch.resident.clone(),
            label: dispatch.label.clone(),
        })
    }

    /// Whether the kernel may have written log records.
    fn launch(&self, dispatch: &Dispatch, pipeline: &CudaPipeline, grid: [u32; 3], groups: [u32; 3]) -> Result<bool> {
        let state = &mut *self.lock();
        let staged = state.staged;
        let params = &pipeline.source.entry_point().params;
        let mut slots = Vec::with_capacity(2 * params.len() + 14);
        let mut shared = 0u64;
        // Address, length and whether it is written, of each buffer.
        let mut bound = Vec::new();
        let mut ranges: Vec<[u64; 2]> = Vec::new();
        for (argument, param) in dispatch.arguments.iter().zip(params) {
            let written = param.access != Access::ReadOnly;
            let (address, length) = match argument {
                Argument::Unbound => (0, 0),
                Argument::Buffer { buffer, offset } => {
                    let address = self.use_buffer(state, buffer, written)? + offset;
                    let length = buffer.length().saturating_sub(*offset);
                    bound.push((address, length, written));
                    (address, length)
                }
                Argument::Bytes(bytes) => (self.stage(state, bytes.as_slice())?, bytes.len() as u64),
                Argument::Textures(textures) => {
                    let mut layouts = Vec::new();
                    for texture in textures {
                        let texture = self.texture(&**texture)?;
                        texture.prepare(&self.stream, written)?;
                        layouts.push(texture.layout()?);
                    }
                    let size = size_of_val(&layouts[..]);
                    let address = match &textures[..] {
                        [one] => self.texture(&**one)?.address(),
                        // SAFETY: descriptors are plain data without padding bytes that matter.
                        _ => self
                            .stage(state, unsafe { std::slice::from_raw_parts(layouts.as_ptr().cast::<u8>(), size) })?,
                    };
                    // An array of textures that is indexed holds pointers to descriptors.
                    ranges.push([address, address + size as u64]);
                    (address, size as u64)
                }
                Argument::Sampler(sampler) => (sampler.0, 0),
                Argument::Threadgroup { length } => {
                    let at = shared;
                    shared += u64::from(*length).next_multiple_of(16);
                    (at, u64::from(*length))
                }
            };
            slots.extend([address, length]);
        }
        for buffer in dispatch.resident.iter() {
            // What the kernel does with it is not known.
            let address = self.use_buffer(state, buffer, true)?;
            ranges.push([address, address + buffer.length()]);
        }
        let overlap = bound.iter().enumerate().any(|(i, (a, n, written))| {
            *written && bound.iter().enumerate().any(|(j, (b, m, _))| i != j && *a < b + m && *b < a + n)
        });
        let noalias = dispatch.resident.is_empty() && !overlap;
        let threadgroup = dispatch.threads_per_threadgroup.to_array();
        let edge_groups = (0..3).any(|i| !grid[i].is_multiple_of(threadgroup[i]));
        let variant = pipeline.variant(threadgroup, edge_groups, noalias)?;
        let function = pipeline.function(&variant)?;
        let kernel = &variant.kernel;
        if !kernel.needs_ranges {
            ranges.clear();
        } else {
            ranges.extend(dispatch.arguments.iter().filter_map(|argument| match argument {
                Argument::Buffer { buffer, .. } => Some([buffer.gpu_address(), buffer.gpu_address() + buffer.length()]),
                _ => None,
            }));
        }
        let range_bytes: Vec<u8> = ranges.iter().flatten().flat_map(|w| w.to_le_bytes()).collect();
        let ranges_at = if ranges.is_empty() { 0 } else { self.stage(state, &range_bytes)? };
        self.upload_staged(state, staged)?;
        let shared = u32::try_from(shared).unwrap_or(u32::MAX);
        if u64::from(shared) + kernel.static_shared > 48 * 1024 {
            function.allow_shared(shared)?;
        }
        let info = LaunchInfo {
            grid,
            groups,
            base: [0; 3],
            dispatch: state.launches.len() as u32,
            dynamic_shared: shared,
            range_count: ranges.len() as u32,
            status: self.status.address,
            ranges: ranges_at,
        };
        for z in (0..groups[2]).step_by(MOST_GROUPS as usize) {
            for y in (0..groups[1]).step_by(MOST_GROUPS as usize) {
                let part = [groups[0], (groups[1] - y).min(MOST_GROUPS), (groups[2] - z).min(MOST_GROUPS)];
                let mut all = slots.clone();
                all.extend(LaunchInfo { base: [0, y, z], ..info }.slots());
                // SAFETY: the slots are those that the kernel was compiled for; what they point to is kept by
                // the command list.
                unsafe { self.stream.launch(function, part, threadgroup, shared, &all)? };
            }
        }
        state.launches.push(Launched {
            pipeline: dispatch.pipeline.clone(),
            sites: kernel.sites.clone(),
            label: dispatch.label.clone(),
            lengths: convert::lengths(dispatch),
        });
        if !kernel.formats.is_empty() {
            self.print_logs(&kernel.formats)?;
        }
        Ok(!kernel.formats.is_empty())
    }

    /// Prints the log records of the kernel that was launched last.
    fn print_logs(&self, formats: &[String]) -> Result<()> {
        let mut words = vec![0u64; status::SIZE as usize / 8 + LOG_WORDS];
        // SAFETY: the words outlive the copy, which is complete after `synchronize`.
        unsafe { self.stream.download(words.as_mut_ptr().cast(), self.status.address, size_of_val(&words[..]))? };
        self.stream.synchronize()?;
        let used = (words[status::LOG_USED as usize / 8] as u32 as usize).min(LOG_WORDS);
        let mut rest = &words[status::SIZE as usize / 8..][..used];
        while let [head, after @ ..] = rest {
            let (format, count) = (*head as u32 as usize, (*head >> 32) as usize);
            let Some(arguments) = after.get(..count) else { break };
            if let Some(format) = formats.get(format) {
                log::emit(&log::format(format, arguments));
            }
            rest = &after[count..];
        }
        // SAFETY: the range is in the status block.
        unsafe { self.stream.fill(self.status.address + status::LOG_USED, 0, 4) }
    }

    /// Waits, brings back what was written, and reports the first fault.
    fn flush_all(&self) -> std::result::Result<(), Fault> {
        let mut state = std::mem::take(&mut *self.lock());
        let result = self.finish(&mut state);
        let record = result.map_err(|error| {
            let last = state.launches.last().map(|l| &*l.label);
            convert::fault(last, &error)
        })?;
        let Some(record) = record else { return Ok(()) };
        let _ = self.clear_status();
        match state.launches.get(record.dispatch as usize) {
            Some(launched) => Err(launched.describe(record)),
            None => Err(Fault::new("a kernel failed at an unknown place")),
        }
    }

    fn finish(&self, state: &mut State) -> Result<Option<Record>> {
        if state.launches.is_empty() && state.uploaded.is_empty() && state.staged == 0 {
            return Ok(None);
        }
        for buffer in &state.written {
            self.buffer(&**buffer)?.download(&self.stream)?;
        }
        if state.launches.is_empty() {
            self.stream.synchronize()?;
            return Ok(None);
        }
        let mut words = [0u32; status::SIZE as usize / 4];
        // SAFETY: the words outlive the copy, which is complete after `synchronize`.
        let copied =
            unsafe { self.stream.download(words.as_mut_ptr().cast(), self.status.address, size_of_val(&words)) };
        let done = self.stream.synchronize();
        copied.and(done)?;
        let at = |offset: u64| words[offset as usize / 4];
        Ok((at(status::CLAIMED) != 0).then(|| Record {
            site: at(status::SITE),
            dispatch: at(status::DISPATCH),
            thread: [at(status::THREAD), at(status::THREAD + 4), at(status::THREAD + 8)],
            offset: u64::from(at(status::OFFSET)) | u64::from(at(status::OFFSET + 4)) << 32,
        }))
    }

    fn copy(&self, command: &Command) -> Result<()> {
        let state = &mut *self.lock();
        match command {
            Command::CopyBuffer { source, source_offset, destination, destination_offset, size } => {
                let from = self.use_buffer(state, source, false)? + source_offset;
                let to = self.use_buffer(state, destination, true)? + destination_offset;
                let length = usize::try_from(*size).unwrap_or(usize::MAX);
                // SAFETY: the ranges were validated; those that overlap go through memory of their own,
                // which is not freed before the copies are done.
                unsafe {
                    if from < to + size && to < from + size {
                        let between = DeviceMemory::allocate(&self.context, length)?;
                        self.stream.copy(between.address, from, length)?;
                        self.stream.copy(to, between.address, length)?;
                        return self.stream.synchronize();
                    }
                    self.stream.copy(to, from, length)
                }
            }
            Command::FillBuffer { buffer, offset, length, value } => {
                let to = self.use_buffer(state, buffer, true)? + offset;
                // SAFETY: the range was validated.
                unsafe { self.stream.fill(to, *value, usize::try_from(*length).unwrap_or(usize::MAX)) }
            }
            _ => Ok(()),
        }
    }

    /// Executes a command about textures with the host's sides of what it uses.
    fn on_host(&self, command: &Command) -> std::result::Result<(), Fault> {
        let failed = |error: Error| convert::fault(None, &error);
        self.flush_all()?;
        let texture = |texture: &Arc<dyn metallic_hal::Texture>, written: bool| {
            let texture = self.texture(&**texture).map_err(failed)?;
            texture.fetch(written).map_err(failed)?;
            Ok::<_, Fault>(texture.host().clone())
        };
        let snapshot = |buffer: &Arc<dyn Buffer>| -> std::result::Result<Arc<dyn Buffer>, Fault> {
            let cuda = self.buffer(&**buffer).map_err(failed)?;
            if !cuda.is_private() {
                cuda.upload(&self.stream).map_err(failed)?;
            }
            cuda.snapshot(&self.stream).map_err(failed)
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
                cuda.restore(&*copy, &self.stream).map_err(failed)?;
                cuda.download(&self.stream).and_then(|()| self.stream.synchronize()).map_err(failed)
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

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Executor for Encoder {
    fn execute(&self, command: &Command) -> std::result::Result<(), Fault> {
        match command {
            Command::Dispatch(dispatch) => self.dispatch(dispatch),
            Command::CopyBuffer { .. } | Command::FillBuffer { .. } => {
                self.copy(command).map_err(|error| convert::fault(None, &error))
            }
            Command::CopyBufferToTexture { .. }
            | Command::CopyTextureToBuffer { .. }
            | Command::CopyTexture { .. }
            | Command::GenerateMipmaps { .. } => self.on_host(command),
            // Every flush brings back what was written.
            Command::Synchronize { .. } | Command::SignalEvent { .. } | Command::WaitEvent { .. } => Ok(()),
        }
    }
    fn flush(&self) -> std::result::Result<(), Fault> {
        self.flush_all()
    }
}

fn clone_argument(argument: &Argument) -> Argument {
    match argument {
        Argument::Unbound => Argument::Unbound,
        Argument::Buffer { buffer, offset } => Argument::Buffer { buffer: buffer.clone(), offset: *offset },
        Argument::Bytes(bytes) => Argument::Bytes(bytes.clone()),
        Argument::Textures(textures) => Argument::Textures(textures.clone()),
        Argument::Sampler(state) => Argument::Sampler(*state),
        Argument::Threadgroup { length } => Argument::Threadgroup { length: *length },
    }
}
