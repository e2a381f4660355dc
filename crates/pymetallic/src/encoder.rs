//! `ComputeCommandEncoder` and `BlitCommandEncoder`.

use metallic::{Origin, TextureSlice};
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyInt, PyTuple};

use crate::array::with_bytes;
use crate::buffer::Buffer;
use crate::command::CommandBuffer;
use crate::error::{ToPython, invalid, unsigned};
use crate::function_table::VisibleFunctionTable;
use crate::library::ComputePipelineState;
use crate::released::CountRelease;
use crate::texture::{SamplerState, Texture};
use crate::wait::wait;

/// A size: an int, or one to three of them.
fn size(object: &Bound<'_, PyAny>, what: &str) -> PyResult<[u32; 3]> {
    let dimension = |v: &Bound<'_, PyAny>| -> PyResult<u32> {
        let value: i64 = v.extract().map_err(|_| PyTypeError::new_err(format!("{what} must be integers, not {v}")))?;
        u32::try_from(value).map_err(|_| invalid(format!("{what} cannot be {value}")))
    };
    // To find that a tuple has no such attribute takes as long as a launch.
    let is_tuple = object.is_instance_of::<PyTuple>();
    if object.is_instance_of::<PyInt>() || (!is_tuple && object.hasattr(intern!(object.py(), "__index__"))?) {
        return Ok([dimension(object)?, 1, 1]);
    }
    let mut sizes = [1u32; 3];
    let mut count = 0;
    for value in object.try_iter()? {
        if count == 3 {
            return Err(invalid(format!("{what} has more than three dimensions")));
        }
        sizes[count] = dimension(&value?)?;
        count += 1;
    }
    if count == 0 {
        return Err(invalid(format!("{what} has no dimension")));
    }
    Ok(sizes)
}

fn texture_slice(slice: i64, level: i64) -> PyResult<TextureSlice> {
    Ok(TextureSlice { slice: unsigned(slice, "a slice")?, level: unsigned(level, "a mipmap level")? })
}

/// Records dispatches into a command buffer; each sees what earlier ones wrote.
#[pyclass(frozen, module = "pymetallic", weakref)]
pub struct ComputeCommandEncoder {
    inner: metallic::ComputeCommandEncoder,
    _released: CountRelease,
}

impl ComputeCommandEncoder {
    pub fn of(command_buffer: &metallic::CommandBuffer) -> PyResult<ComputeCommandEncoder> {
        command_buffer
            .make_compute_command_encoder()
            .python()
            .map(|inner| ComputeCommandEncoder { inner, _released: CountRelease })
    }
}

#[pymethods]
impl ComputeCommandEncoder {
    /// Chooses the kernel of the dispatches that follow.
    fn set_compute_pipeline_state(&self, pipeline_state: &ComputePipelineState) -> PyResult<()> {
        self.inner.set_compute_pipeline_state(&pipeline_state.inner).python()
    }
    /// Binds a buffer, from `offset` bytes on, at a buffer index (0 to 30).
    fn set_buffer(&self, buffer: &Buffer, offset: i64, index: i64) -> PyResult<()> {
        let (offset, index) = (unsigned(offset, "a buffer offset")?, unsigned(index, "a buffer index")?);
        self.inner.set_buffer(&buffer.inner, offset, index).python()
    }
    /// Binds the buffer that is there already from another offset on.
    fn set_buffer_offset(&self, offset: i64, index: i64) -> PyResult<()> {
        let (offset, index) = (unsigned(offset, "a buffer offset")?, unsigned(index, "a buffer index")?);
        self.inner.set_buffer_offset(offset, index).python()
    }
    /// Binds a copy of 1 to 4096 bytes at a buffer index: an array, a NumPy scalar or bytes.
    fn set_bytes(&self, data: &Bound<'_, PyAny>, index: i64) -> PyResult<()> {
        let index = unsigned(index, "a buffer index")?;
        with_bytes(data, |bytes| self.inner.set_bytes(bytes, index).python())
    }
    /// Binds a table of functions at a buffer index.
    fn set_visible_function_table(&self, table: &VisibleFunctionTable, index: i64) -> PyResult<()> {
        self.inner.set_visible_function_table(&table.inner, unsigned(index, "a buffer index")?).python()
    }
    /// Binds a texture at a texture index.
    fn set_texture(&self, texture: &Texture, index: i64) -> PyResult<()> {
        self.inner.set_texture(&texture.inner, unsigned(index, "a texture index")?).python()
    }
    /// Binds a sampler at a sampler index.
    fn set_sampler_state(&self, sampler_state: &SamplerState, index: i64) -> PyResult<()> {
        self.inner.set_sampler_state(&sampler_state.inner, unsigned(index, "a sampler index")?).python()
    }
    /// Sizes a `threadgroup` argument, in bytes.
    fn set_threadgroup_memory_length(&self, length: i64, index: i64) -> PyResult<()> {
        let length = unsigned(length, "a threadgroup memory length")?;
        self.inner.set_threadgroup_memory_length(length, unsigned(index, "a threadgroup memory index")?).python()
    }
    /// Announces a buffer that kernels reach through addresses in other buffers.
    fn use_resource(&self, buffer: &Buffer) -> PyResult<()> {
        self.inner.use_resource(&buffer.inner).python()
    }
    /// Runs the kernel for each thread of a grid; threadgroups at its far edges may be smaller.
    fn dispatch_threads(&self, grid: &Bound<'_, PyAny>, threadgroup: &Bound<'_, PyAny>) -> PyResult<()> {
        self.inner.dispatch_threads(size(grid, "a grid")?, size(threadgroup, "a threadgroup")?).python()
    }
    /// Runs the kernel for a grid of full threadgroups; `groups` counts those.
    fn dispatch_threadgroups(&self, groups: &Bound<'_, PyAny>, threadgroup: &Bound<'_, PyAny>) -> PyResult<()> {
        self.inner.dispatch_threadgroups(size(groups, "a grid")?, size(threadgroup, "a threadgroup")?).python()
    }
    /// Like `dispatch_threadgroups`, with the three uint32 counts read from a buffer when it runs.
    fn dispatch_threadgroups_with_indirect_buffer(
        &self,
        indirect_buffer: &Buffer,
        offset: i64,
        threadgroup: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let offset = unsigned(offset, "a buffer offset")?;
        let threadgroup = size(threadgroup, "a threadgroup")?;
        self.inner.dispatch_threadgroups_with_indirect_buffer(&indirect_buffer.inner, offset, threadgroup).python()
    }
    /// Dispatches are in order already; this states what a Metal device may need.
    fn memory_barrier(&self) -> PyResult<()> {
        self.inner.memory_barrier(metallic::BarrierScope::Buffers).python()
    }
    /// Ends the encoder, once; only then may its command buffer be committed or make another one.
    fn end_encoding(&self) -> PyResult<()> {
        self.inner.end_encoding().python()
    }
    /// The command buffer that it records into.
    #[getter]
    fn command_buffer(&self) -> CommandBuffer {
        CommandBuffer::from_inner(self.inner.command_buffer().clone())
    }
    /// Commits the encoder's command buffer.
    fn commit(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.inner.command_buffer().commit()).python()
    }
    /// Waits for the encoder's command buffer.
    fn wait_until_completed(&self, py: Python<'_>) -> PyResult<()> {
        wait(py, |timeout| self.inner.command_buffer().wait_until_completed_timeout(timeout))
    }
}

/// Records copies into a command buffer.
#[pyclass(frozen, module = "pymetallic", weakref)]
pub struct BlitCommandEncoder {
    inner: metallic::BlitCommandEncoder,
    _released: CountRelease,
}

impl BlitCommandEncoder {
    pub fn of(command_buffer: &metallic::CommandBuffer) -> PyResult<BlitCommandEncoder> {
        command_buffer
            .make_blit_command_encoder()
            .python()
            .map(|inner| BlitCommandEncoder { inner, _released: CountRelease })
    }
}

#[pymethods]
impl BlitCommandEncoder {
    /// Copies `size` bytes from one buffer to another. Offsets are in bytes.
    fn copy_from_buffer(
        &self,
        source_buffer: &Buffer,
        source_offset: i64,
        dest_buffer: &Buffer,
        dest_offset: i64,
        size: i64,
    ) -> PyResult<()> {
        let (from, to) = (unsigned(source_offset, "an offset")?, unsigned(dest_offset, "an offset")?);
        let size = unsigned(size, "a size")?;
        self.inner.copy_from_buffer(&source_buffer.inner, from, &dest_buffer.inner, to, size).python()
    }
    /// Sets `length` bytes (to the end by default) from `offset` on to `value` (0 to 255).
    #[pyo3(signature = (buffer, value=0, offset=0, length=None))]
    fn fill_buffer(&self, buffer: &Buffer, value: u8, offset: i64, length: Option<i64>) -> PyResult<()> {
        let offset: u64 = unsigned(offset, "an offset")?;
        let length = match length {
            Some(length) => unsigned(length, "a length")?,
            None => buffer.inner.length().saturating_sub(offset),
        };
        self.inner.fill_buffer(&buffer.inner, offset, length, value).python()
    }
    /// Copies texels of a buffer into a region (x, y, z, width, height, depth) of a texture, by default all of the
    /// level.
    ///
    /// source_offset, bytes_per_row and bytes_per_image are in bytes. Rows and images follow each other without gaps
    /// unless their strides are given.
    #[pyo3(signature = (source_buffer, dest_texture, source_offset=0, bytes_per_row=None, bytes_per_image=None, region=None, level=0, slice=0))]
    #[expect(clippy::too_many_arguments)]
    fn copy_from_buffer_to_texture(
        &self,
        source_buffer: &Buffer,
        dest_texture: &Texture,
        source_offset: i64,
        bytes_per_row: Option<i64>,
        bytes_per_image: Option<i64>,
        region: Option<[i64; 6]>,
        level: i64,
        slice: i64,
    ) -> PyResult<()> {
        let at = texture_slice(slice, level)?;
        let region = dest_texture.region(region, at.level)?;
        let (row, image) = dest_texture.strides(region, bytes_per_row, bytes_per_image)?;
        let offset = unsigned(source_offset, "an offset")?;
        let (from, to) = (&source_buffer.inner, &dest_texture.inner);
        self.inner.copy_from_buffer_to_texture(from, offset, row, image, to, at, region).python()
    }
    /// Copies a region of a texture into a buffer; the arguments are those of `copy_from_buffer_to_texture`.
    #[pyo3(signature = (source_texture, dest_buffer, dest_offset=0, bytes_per_row=None, bytes_per_image=None, region=None, level=0, slice=0))]
    #[expect(clippy::too_many_arguments)]
    fn copy_from_texture_to_buffer(
        &self,
        source_texture: &Texture,
        dest_buffer: &Buffer,
        dest_offset: i64,
        bytes_per_row: Option<i64>,
        bytes_per_image: Option<i64>,
        region: Option<[i64; 6]>,
        level: i64,
        slice: i64,
    ) -> PyResult<()> {
        let at = texture_slice(slice, level)?;
        let region = source_texture.region(region, at.level)?;
        let (row, image) = source_texture.strides(region, bytes_per_row, bytes_per_image)?;
        let offset = unsigned(dest_offset, "an offset")?;
        let (from, to) = (&source_texture.inner, &dest_buffer.inner);
        self.inner.copy_from_texture_to_buffer(from, at, region, to, offset, row, image).python()
    }
    /// Copies a region (x, y, z, width, height, depth), by default all of the level, to the place `dest_origin`
    /// (x, y, z; by default 0, 0, 0) of another texture whose texels have the same size.
    #[pyo3(signature = (source_texture, dest_texture, region=None, dest_origin=None, source_level=0, source_slice=0, dest_level=0, dest_slice=0))]
    #[expect(clippy::too_many_arguments)]
    fn copy_from_texture(
        &self,
        source_texture: &Texture,
        dest_texture: &Texture,
        region: Option<[i64; 6]>,
        dest_origin: Option<[i64; 3]>,
        source_level: i64,
        source_slice: i64,
        dest_level: i64,
        dest_slice: i64,
    ) -> PyResult<()> {
        let from = texture_slice(source_slice, source_level)?;
        let to = texture_slice(dest_slice, dest_level)?;
        let region = source_texture.region(region, from.level)?;
        let [x, y, z] = dest_origin.unwrap_or_default();
        let origin =
            Origin { x: unsigned(x, "an origin")?, y: unsigned(y, "an origin")?, z: unsigned(z, "an origin")? };
        self.inner.copy_from_texture(&source_texture.inner, from, region, &dest_texture.inner, to, origin).python()
    }
    /// Fills each mipmap level from the one above it.
    fn generate_mipmaps(&self, texture: &Texture) -> PyResult<()> {
        self.inner.generate_mipmaps(&texture.inner).python()
    }
    /// Makes what kernels wrote to a managed buffer visible to the host.
    fn synchronize_resource(&self, buffer: &Buffer) -> PyResult<()> {
        self.inner.synchronize_resource(&buffer.inner).python()
    }
    /// Ends the encoder, once; only then may its command buffer be committed or make another one.
    fn end_encoding(&self) -> PyResult<()> {
        self.inner.end_encoding().python()
    }
    /// The command buffer that it records into.
    #[getter]
    fn command_buffer(&self) -> CommandBuffer {
        CommandBuffer::from_inner(self.inner.command_buffer().clone())
    }
}
