//! Binding arguments and dispatching kernels (`MTLComputeCommandEncoder`).

use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use metallic_hal::{self as hal, Argument, Command, Dispatch, Grid, InlineBytes, Size};
use msl_ir::{Access, HostType, Param, ParamKind, TextureDimension};

use crate::command_encoder::CommandEncoder;
use crate::{
    Buffer, CommandBuffer, ComputePipelineState, Error, PixelFormatInfo, Result, SamplerState, Texture, TextureType,
    TextureUsage, VisibleFunctionTable, limits,
};

/// Records dispatches into a command buffer. Dispatches see the writes of earlier ones. Ends
/// when dropped.
pub struct ComputeCommandEncoder {
    encoder: CommandEncoder,
    state: Mutex<State>,
}

/// `MTLBarrierScope`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BarrierScope {
    Buffers = 1,
    Textures = 2,
}

/// A check that fails with the reason, for the caller to say where.
type Checked<T> = std::result::Result<T, String>;

#[derive(Default)]
struct State {
    pipeline: Option<ComputePipelineState>,
    /// By index, as long as needed.
    buffers: Vec<Option<Binding>>,
    textures: Vec<Option<Texture>>,
    samplers: Vec<Option<SamplerState>>,
    threadgroup_memory: Vec<u32>,
    resident: Vec<Arc<dyn hal::Buffer>>,
    /// `resident` as dispatches hold it, until it changes.
    shared_resident: Option<Arc<[Arc<dyn hal::Buffer>]>>,
}

enum Binding {
    Buffer { buffer: Buffer, offset: u64 },
    Bytes(InlineBytes),
    Table(VisibleFunctionTable),
}

static NO_RESIDENT: LazyLock<Arc<[Arc<dyn hal::Buffer>]>> = LazyLock::new(|| Arc::from([]));

impl ComputeCommandEncoder {
    pub(crate) fn new(command_buffer: &CommandBuffer) -> ComputeCommandEncoder {
        ComputeCommandEncoder { encoder: CommandEncoder::new(command_buffer), state: Mutex::default() }
    }

    pub fn command_buffer(&self) -> &CommandBuffer {
        self.encoder.command_buffer()
    }

    // ---- bindings ----------------------------------------------------------------------

    pub fn set_compute_pipeline_state(&self, pipeline: &ComputePipelineState) -> Result<()> {
        self.encoder.check_open()?;
        self.encoder.device().check_own(pipeline.device(), "the compute pipeline state")?;
        self.lock().pipeline = Some(pipeline.clone());
        Ok(())
    }

    /// Binds a buffer from `offset` on.
    pub fn set_buffer(&self, buffer: &Buffer, offset: u64, index: u32) -> Result<()> {
        self.encoder.check_open()?;
        self.encoder.device().check_own(buffer.device(), "the buffer")?;
        check_index("buffer", index, limits::BUFFERS)?;
        check_offset(buffer, offset, index)?;
        put(&mut self.lock().buffers, index, Some(Binding::Buffer { buffer: buffer.clone(), offset }));
        Ok(())
    }

    /// Binds the buffer that is already there from another offset on.
    pub fn set_buffer_offset(&self, offset: u64, index: u32) -> Result<()> {
        self.encoder.check_open()?;
        check_index("buffer", index, limits::BUFFERS)?;
        let mut state = self.lock();
        match state.buffers.get_mut(index as usize) {
            Some(Some(Binding::Buffer { buffer, offset: old })) => {
                check_offset(buffer, offset, index)?;
                *old = offset;
                Ok(())
            }
            _ => Err(Error::invalid(format!("set_buffer_offset: no buffer is bound at index {index}"))),
        }
    }

    /// Takes away what is bound at a buffer index.
    pub fn unset_buffer(&self, index: u32) -> Result<()> {
        self.encoder.check_open()?;
        check_index("buffer", index, limits::BUFFERS)?;
        put(&mut self.lock().buffers, index, None);
        Ok(())
    }

    /// Binds a copy of a few bytes (at most [`limits::BYTES`]) in place of a buffer.
    pub fn set_bytes(&self, bytes: &[u8], index: u32) -> Result<()> {
        self.encoder.check_open()?;
        check_index("buffer", index, limits::BUFFERS)?;
        if bytes.is_empty() || bytes.len() > limits::BYTES {
            let (length, limit) = (bytes.len(), limits::BYTES);
            return Err(Error::invalid(format!(
                "set_bytes at index {index} with {length} bytes: it takes 1 to {limit}, make a buffer of more"
            )));
        }
        put(&mut self.lock().buffers, index, Some(Binding::Bytes(InlineBytes::new(bytes))));
        Ok(())
    }

    /// Binds a table in place of a buffer.
    pub fn set_visible_function_table(&self, table: &VisibleFunctionTable, index: u32) -> Result<()> {
        self.encoder.check_open()?;
        self.encoder.device().check_own(table.pipeline().device(), "the visible function table")?;
        check_index("buffer", index, limits::BUFFERS)?;
        put(&mut self.lock().buffers, index, Some(Binding::Table(table.clone())));
        Ok(())
    }

    pub fn set_texture(&self, texture: &Texture, index: u32) -> Result<()> {
        self.encoder.check_open()?;
        self.encoder.device().check_own(texture.device(), "the texture")?;
        check_index("texture", index, limits::TEXTURES)?;
        put(&mut self.lock().textures, index, Some(texture.clone()));
        Ok(())
    }

    pub fn set_sampler_state(&self, sampler: &SamplerState, index: u32) -> Result<()> {
        self.encoder.check_open()?;
        check_index("sampler", index, limits::SAMPLERS)?;
        put(&mut self.lock().samplers, index, Some(*sampler));
        Ok(())
    }

    /// Sizes a `threadgroup` argument, in bytes (rounded up to a multiple of 16).
    pub fn set_threadgroup_memory_length(&self, length: u32, index: u32) -> Result<()> {
        self.encoder.check_open()?;
        check_index("threadgroup memory", index, limits::THREADGROUP_MEMORIES)?;
        let limit = self.encoder.device().max_threadgroup_memory_length();
        if length > limit {
            return Err(Error::invalid(format!(
                "threadgroup memory of {length} bytes at index {index} exceeds the limit of {limit} bytes"
            )));
        }
        put(&mut self.lock().threadgroup_memory, index, length.next_multiple_of(16));
        Ok(())
    }

    /// Announces a buffer that kernels reach through addresses in other buffers.
    pub fn use_resource(&self, buffer: &Buffer) -> Result<()> {
        self.encoder.check_open()?;
        self.encoder.device().check_own(buffer.device(), "the resource")?;
        // What kernels do with addresses in other buffers is not known here.
        buffer.check_writable("the resource")?;
        let mut state = self.lock();
        if !state.resident.iter().any(|b| Arc::ptr_eq(b, buffer.hal())) {
            state.resident.push(buffer.hal().clone());
            state.shared_resident = None;
        }
        Ok(())
    }

    /// Dispatches of one encoder are in order already; this states what a Metal device may need.
    pub fn memory_barrier(&self, _scope: BarrierScope) -> Result<()> {
        self.encoder.check_open()
    }

    // ---- dispatches --------------------------------------------------------------------

    /// Runs the kernel for each thread of a grid; threadgroups at its far edges may be smaller.
    pub fn dispatch_threads(&self, threads: impl Into<Size>, threads_per_threadgroup: impl Into<Size>) -> Result<()> {
        self.dispatch(Grid::Threads(threads.into()), threads_per_threadgroup.into())
    }

    /// Runs the kernel for a grid of full threadgroups.
    pub fn dispatch_threadgroups(
        &self,
        threadgroups: impl Into<Size>,
        threads_per_threadgroup: impl Into<Size>,
    ) -> Result<()> {
        self.dispatch(Grid::Threadgroups(threadgroups.into()), threads_per_threadgroup.into())
    }

    /// Like `dispatch_threadgroups`, with the three `u32` counts read from a buffer when it runs.
    pub fn dispatch_threadgroups_with_indirect_buffer(
        &self,
        buffer: &Buffer,
        offset: u64,
        threads_per_threadgroup: impl Into<Size>,
    ) -> Result<()> {
        self.encoder.device().check_own(buffer.device(), "the indirect buffer")?;
        buffer.check_range("reading threadgroup counts", offset, 12)?;
        if !offset.is_multiple_of(4) {
            return Err(Error::invalid(format!("offset {offset} of the indirect buffer is not a multiple of 4")));
        }
        self.dispatch(Grid::Indirect { buffer: buffer.hal().clone(), offset }, threads_per_threadgroup.into())
    }

    pub fn end_encoding(&self) -> Result<()> {
        self.encoder.end()
    }

    fn dispatch(&self, grid: Grid, group: Size) -> Result<()> {
        self.encoder.check_open()?;
        let mut state = self.lock();
        let state = &mut *state;
        let Some(pipeline) = &state.pipeline else {
            return Err(Error::invalid("dispatch without a compute pipeline state: call set_compute_pipeline_state"));
        };
        let fail =
            |reason: String| Error::Validation { kernel: Some(pipeline.label().to_string()), argument: None, reason };
        check_threadgroup(pipeline, group).map_err(fail)?;
        let is_empty = check_grid(&grid, group).map_err(fail)?;
        let inner = &pipeline.inner;
        let facts = inner.code.facts();
        let params = pipeline.reflection();
        let mut arguments = Vec::with_capacity(params.len());
        let mut memory = facts.static_threadgroup_memory_length;
        for (position, param) in params.iter().enumerate() {
            let argument =
                state.argument(pipeline, param, facts.alignments[position]).map_err(|reason| Error::Validation {
                    kernel: Some(pipeline.label().to_string()),
                    argument: Some(describe(param)),
                    reason,
                })?;
            if let Argument::Threadgroup { length } = argument {
                memory = memory.next_multiple_of(16).saturating_add(length);
            }
            arguments.push(argument);
        }
        let limit = self.encoder.device().max_threadgroup_memory_length();
        if memory > limit {
            return Err(fail(format!(
                "{memory} bytes of threadgroup memory ({} declared by the kernel, the rest set by \
                 set_threadgroup_memory_length) exceed the limit of {limit} bytes",
                facts.static_threadgroup_memory_length
            )));
        }
        if is_empty {
            return Ok(());
        }
        let resident = if state.resident.is_empty() {
            NO_RESIDENT.clone()
        } else {
            state.shared_resident.get_or_insert_with(|| state.resident.as_slice().into()).clone()
        };
        self.encoder.push(Command::Dispatch(Dispatch {
            pipeline: inner.hal.clone(),
            arguments,
            grid,
            threads_per_threadgroup: group,
            resident,
            label: inner.label.clone(),
            log_state: self.command_buffer().log_state().cloned(),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What is bound for a parameter, or why it cannot be used.
    fn argument(&self, pipeline: &ComputePipelineState, param: &Param, alignment: u32) -> Checked<Argument> {
        if !param.used {
            return Ok(Argument::Unbound);
        }
        let index = param.index as usize;
        match &param.kind {
            ParamKind::Buffer { element: HostType::FunctionTable { function }, .. } => {
                let Some(Some(Binding::Table(table))) = self.buffers.get(index) else {
                    return Err("no visible function table is bound: call set_visible_function_table".into());
                };
                table.check_for(pipeline, function.as_str())?;
                Ok(Argument::Buffer { buffer: table.buffer().hal().clone(), offset: 0 })
            }
            ParamKind::Buffer { is_reference, element, .. } => {
                let Some(Some(binding)) = self.buffers.get(index) else {
                    return Err("no buffer is bound: call set_buffer or set_bytes".into());
                };
                let needed = if *is_reference { element.size() } else { 0 };
                match binding {
                    Binding::Buffer { buffer, offset } => {
                        if !offset.is_multiple_of(u64::from(alignment)) {
                            return Err(format!("offset {offset} is not a multiple of {alignment}"));
                        }
                        // Memory that a device made is aligned to more than any type needs; the host's may be at
                        // any address.
                        if !buffer.gpu_address().is_multiple_of(u64::from(alignment)) {
                            return Err(format!(
                                "the memory of the host that the buffer lies over is not aligned to {alignment} bytes: \
                                 make a buffer with a copy"
                            ));
                        }
                        if param.access != Access::ReadOnly && buffer.is_read_only() {
                            return Err("the kernel may write to it, the buffer lies over read-only memory".into());
                        }
                        let available = buffer.length() - offset;
                        if available < needed {
                            return Err(format!(
                                "its type has {needed} bytes, the buffer {available} from its offset on"
                            ));
                        }
                        Ok(Argument::Buffer { buffer: buffer.hal().clone(), offset: *offset })
                    }
                    Binding::Table(_) => Err("a visible function table is bound; the kernel takes a buffer".into()),
                    Binding::Bytes(_) if param.access != Access::ReadOnly => {
                        Err("the kernel may write to it; bind a buffer instead of set_bytes".into())
                    }
                    Binding::Bytes(bytes) => {
                        if (bytes.len() as u64) < needed {
                            return Err(format!("its type has {needed} bytes, set_bytes gave {}", bytes.len()));
                        }
                        Ok(Argument::Bytes(bytes.clone()))
                    }
                }
            }
            ParamKind::Threadgroup { .. } => match self.threadgroup_memory.get(index) {
                Some(&length) if length > 0 => Ok(Argument::Threadgroup { length }),
                _ => Err("it has no memory: call set_threadgroup_memory_length".into()),
            },
            ParamKind::Sampler => match self.samplers.get(index) {
                Some(Some(sampler)) => Ok(Argument::Sampler(sampler.packed)),
                _ => Err("no sampler is bound: call set_sampler_state".into()),
            },
            ParamKind::Texture { dimension, component, array_len } => {
                let mut textures = Vec::with_capacity((*array_len).max(1) as usize);
                for i in index..index + (*array_len).max(1) as usize {
                    let Some(Some(texture)) = self.textures.get(i) else {
                        return Err(format!("no texture is bound at index {i}: call set_texture"));
                    };
                    check_texture(texture, *dimension, *component, param.access)?;
                    textures.push(texture.hal().clone());
                }
                Ok(Argument::Textures(textures))
            }
        }
    }
}

/// `a (buffer 0)`.
fn describe(param: &Param) -> String {
    let table = match param.kind {
        ParamKind::Buffer { .. } => "buffer",
        ParamKind::Threadgroup { .. } => "threadgroup",
        ParamKind::Texture { .. } => "texture",
        ParamKind::Sampler => "sampler",
    };
    format!("{} ({table} {})", param.name, param.index)
}

fn check_index(what: &str, index: u32, limit: u32) -> Result<()> {
    if index >= limit {
        return Err(Error::invalid(format!("{what} index {index}: the highest is {}", limit - 1)));
    }
    Ok(())
}

fn check_offset(buffer: &Buffer, offset: u64, index: u32) -> Result<()> {
    if offset >= buffer.length() {
        let length = buffer.length();
        return Err(Error::invalid(format!("offset {offset} at index {index} is beyond the buffer of {length} bytes")));
    }
    Ok(())
}

fn put<T: Default>(table: &mut Vec<T>, index: u32, value: T) {
    let index = index as usize;
    if table.len() <= index {
        table.resize_with(index + 1, T::default);
    }
    table[index] = value;
}

fn check_threadgroup(pipeline: &ComputePipelineState, group: Size) -> Checked<()> {
    if group.is_empty() {
        return Err(format!("threadgroup {group} has no threads"));
    }
    let limits = pipeline.device().info().max_threads_per_threadgroup;
    if group.to_array().iter().zip(limits).any(|(n, limit)| *n > limit) {
        return Err(format!("threadgroup {group} exceeds {} along an axis", Size::from(limits)));
    }
    let most = pipeline.max_total_threads_per_threadgroup();
    if group.volume() > u128::from(most) {
        return Err(format!("threadgroup {group} has {} threads; at most {most} are allowed", group.volume()));
    }
    if let Some(required) = pipeline.entry_point().required_threads
        && required != group.to_array()
    {
        return Err(format!("threadgroup {group} is not the required {}", Size::from(required)));
    }
    Ok(())
}

/// Whether the grid is empty.
fn check_grid(grid: &Grid, group: Size) -> Checked<bool> {
    match grid {
        Grid::Threads(threads) => {
            if threads.volume() > u128::from(u64::MAX >> 1) {
                return Err(format!("grid {threads} has too many threads"));
            }
            Ok(threads.is_empty())
        }
        Grid::Threadgroups(groups) => {
            let axes = groups.to_array().into_iter().zip(group.to_array());
            if axes.into_iter().any(|(a, b)| a.checked_mul(b).is_none())
                || groups.volume() * group.volume() > u128::from(u64::MAX >> 1)
            {
                return Err(format!("{groups} threadgroups of {group} are too many threads"));
            }
            Ok(groups.is_empty())
        }
        Grid::Indirect { .. } => Ok(false),
    }
}

fn check_texture(
    texture: &Texture,
    dimension: TextureDimension,
    component: msl_ir::Scalar,
    access: Access,
) -> Checked<()> {
    use hal::ComponentKind;
    let descriptor = texture.descriptor();
    let wanted = match dimension {
        TextureDimension::D1 => TextureType::D1,
        TextureDimension::D1Array => TextureType::D1Array,
        TextureDimension::D2 | TextureDimension::Depth2D => TextureType::D2,
        TextureDimension::D2Array | TextureDimension::Depth2DArray => TextureType::D2Array,
        TextureDimension::D2Multisample => TextureType::D2Multisample,
        TextureDimension::D2MultisampleArray => TextureType::D2MultisampleArray,
        TextureDimension::D3 => TextureType::D3,
        TextureDimension::Cube | TextureDimension::DepthCube => TextureType::Cube,
        TextureDimension::CubeArray | TextureDimension::DepthCubeArray => TextureType::CubeArray,
        TextureDimension::Buffer => TextureType::TextureBuffer,
    };
    if descriptor.texture_type != wanted {
        let (is, wanted) = (descriptor.texture_type.name(), wanted.name());
        return Err(format!("the kernel takes a {wanted}, the texture is a {is}"));
    }
    let info = PixelFormatInfo::of(descriptor.pixel_format);
    let kind = match component {
        c if c.is_float() => ComponentKind::Float,
        c if c.is_signed() => ComponentKind::Sint,
        _ => ComponentKind::Uint,
    };
    if info.kind != kind {
        let component = match kind {
            ComponentKind::Float => "floats",
            ComponentKind::Sint => "signed integers",
            ComponentKind::Uint => "unsigned integers",
        };
        return Err(format!("the kernel takes a texture of {component}, the texture's format is {}", info.name));
    }
    let (needed, verb) = match access {
        Access::ReadOnly => (TextureUsage::SHADER_READ, "reads"),
        Access::WriteOnly => (TextureUsage::SHADER_WRITE, "writes"),
        Access::ReadWrite => (TextureUsage::READ_WRITE, "reads and writes"),
    };
    if access != Access::ReadOnly && !info.is_writable() {
        return Err(format!("the kernel {verb} it, but textures of format {} can only be read", info.name));
    }
    if !descriptor.usage.allows(needed) {
        return Err(format!("the kernel {verb} it, which the texture's usage does not allow"));
    }
    Ok(())
}
