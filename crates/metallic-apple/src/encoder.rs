//! Command lists as the calls of Metal's encoders.
//!
//! Commands of a kind that follow one another share an encoder. Dispatches of an encoder run one after
//! another and see each other's writes, as do encoders: Metal tracks what each resource is used for.

use std::ptr::NonNull;
use std::sync::Arc;

use block2::RcBlock;
use metallic_hal::{
    Argument, Buffer, Command, Dispatch, Event, Fault, Grid, LibraryText, PixelFormatInfo, SourceText, StorageMode,
    Texture, TextureDescriptor,
};
use objc2::rc::Retained;
use objc2::runtime::ProtocolObject;
use objc2_foundation::{NSRange, NSString};
use objc2_metal::{
    MTLBlitCommandEncoder, MTLCommandBuffer, MTLCommandEncoder, MTLComputeCommandEncoder, MTLDevice, MTLEvent,
    MTLResource, MTLResourceUsage, MTLSharedEvent, MTLSize,
};

use crate::convert;
use crate::device::Context;
use crate::memory::{AppleBuffer, AppleTexture};
use crate::pipeline::{ApplePipeline, Place};

type SharedEvent = Retained<ProtocolObject<dyn MTLSharedEvent>>;
type Encoded = Result<(), Fault>;

/// What is left to do and to keep for commands that were encoded.
#[derive(Default)]
pub struct Encoding {
    /// To be raised when the command buffer has completed, if no listener did so before.
    pub signals: Vec<(Arc<Event>, u64)>,
    /// Command buffers do not keep what they use.
    pub events: Vec<SharedEvent>,
}

/// Encodes all commands, or those before one that cannot be encoded.
pub fn encode(
    context: &Context,
    buffer: &ProtocolObject<dyn MTLCommandBuffer>,
    commands: &[Command],
) -> (Encoding, Encoded) {
    let mut encoder = Encoder { context, buffer, open: Open::None, done: Encoding::default() };
    let result = commands.iter().try_for_each(|command| encoder.encode(command));
    encoder.end();
    (encoder.done, result)
}

struct Encoder<'a> {
    context: &'a Context,
    buffer: &'a ProtocolObject<dyn MTLCommandBuffer>,
    open: Open<'a>,
    done: Encoding,
}

enum Open<'a> {
    None,
    Compute(Compute<'a>),
    Blit(Retained<ProtocolObject<dyn MTLBlitCommandEncoder>>),
}

struct Compute<'a> {
    raw: Retained<ProtocolObject<dyn MTLComputeCommandEncoder>>,
    /// What is set already.
    pipeline: Option<&'a ApplePipeline>,
    /// The kernels so far, for messages: Metal tells which encoder failed, not which dispatch.
    label: String,
}

/// Labels grow to this at most.
const MAX_LABEL: usize = 256;

impl<'a> Encoder<'a> {
    fn encode(&mut self, command: &'a Command) -> Encoded {
        match command {
            Command::Dispatch(dispatch) => self.dispatch(dispatch),
            Command::CopyBuffer { source, source_offset, destination, destination_offset, size } => self.copy_buffer(
                buffer_of(source)?,
                *source_offset,
                buffer_of(destination)?,
                *destination_offset,
                *size,
            ),
            Command::FillBuffer { buffer, offset, length, value } => {
                self.fill_buffer(buffer_of(buffer)?, *offset, *length, *value)
            }
            Command::CopyBufferToTexture {
                source,
                source_offset,
                bytes_per_row,
                bytes_per_image,
                destination,
                region,
                at,
            } => {
                let (source, texture) = (buffer_of(source)?, texture_of(destination)?);
                if region.size.is_empty() {
                    return Ok(());
                }
                let offset = source.base + *source_offset as usize;
                let (row, image) =
                    convert::strides(texture.descriptor(), region.size, *bytes_per_row, *bytes_per_image);
                check_linear(texture.descriptor(), offset, row, image)?;
                // SAFETY: region and range were validated.
                unsafe {
                    self.blit()?.copyFromBuffer_sourceOffset_sourceBytesPerRow_sourceBytesPerImage_sourceSize_toTexture_destinationSlice_destinationLevel_destinationOrigin(
                        &source.raw, offset, row, image, convert::size(region.size),
                        &texture.raw, at.slice as usize, at.level as usize, convert::origin(region.origin),
                    );
                }
                Ok(())
            }
            Command::CopyTextureToBuffer {
                source,
                region,
                at,
                destination,
                destination_offset,
                bytes_per_row,
                bytes_per_image,
            } => {
                let (texture, destination) = (texture_of(source)?, buffer_of(destination)?);
                if region.size.is_empty() {
                    return Ok(());
                }
                let offset = destination.base + *destination_offset as usize;
                let (row, image) =
                    convert::strides(texture.descriptor(), region.size, *bytes_per_row, *bytes_per_image);
                check_linear(texture.descriptor(), offset, row, image)?;
                // SAFETY: region and range were validated.
                unsafe {
                    self.blit()?.copyFromTexture_sourceSlice_sourceLevel_sourceOrigin_sourceSize_toBuffer_destinationOffset_destinationBytesPerRow_destinationBytesPerImage(
                        &texture.raw, at.slice as usize, at.level as usize, convert::origin(region.origin),
                        convert::size(region.size), &destination.raw, offset, row, image,
                    );
                }
                Ok(())
            }
            Command::CopyTexture { source, region, source_at, destination, destination_origin, destination_at } => {
                let (source, destination) = (texture_of(source)?, texture_of(destination)?);
                if region.size.is_empty() {
                    return Ok(());
                }
                // SAFETY: both regions were validated.
                unsafe {
                    self.blit()?.copyFromTexture_sourceSlice_sourceLevel_sourceOrigin_sourceSize_toTexture_destinationSlice_destinationLevel_destinationOrigin(
                        &source.raw, source_at.slice as usize, source_at.level as usize, convert::origin(region.origin),
                        convert::size(region.size), &destination.raw, destination_at.slice as usize,
                        destination_at.level as usize, convert::origin(*destination_origin),
                    );
                }
                Ok(())
            }
            Command::GenerateMipmaps { texture } => {
                let texture = texture_of(texture)?;
                self.blit()?.generateMipmapsForTexture(&texture.raw);
                Ok(())
            }
            Command::Synchronize { buffer } => {
                let buffer = buffer_of(buffer)?;
                // Metal takes managed resources only; others are coherent.
                if buffer.storage_mode() == StorageMode::Managed {
                    let resource: &ProtocolObject<dyn MTLResource> = ProtocolObject::from_ref(&*buffer.raw);
                    self.blit()?.synchronizeResource(resource);
                }
                Ok(())
            }
            Command::SignalEvent { event, value } => self.signal(event, *value),
            Command::WaitEvent { event, value } => self.wait(event, *value),
        }
    }

    // ---- encoders ------------------------------------------------------------------------

    fn end(&mut self) {
        match std::mem::replace(&mut self.open, Open::None) {
            Open::None => {}
            Open::Compute(compute) => {
                compute.raw.setLabel(Some(&NSString::from_str(&compute.label)));
                compute.raw.endEncoding();
            }
            Open::Blit(blit) => blit.endEncoding(),
        }
    }

    fn blit(&mut self) -> Result<&ProtocolObject<dyn MTLBlitCommandEncoder>, Fault> {
        if !matches!(self.open, Open::Blit(_)) {
            self.end();
            let encoder = self.buffer.blitCommandEncoder().ok_or_else(no_encoder)?;
            encoder.setLabel(Some(&NSString::from_str("blit")));
            self.open = Open::Blit(encoder);
        }
        match &self.open {
            Open::Blit(encoder) => Ok(encoder),
            Open::None | Open::Compute(_) => Err(no_encoder()),
        }
    }

    fn compute(&mut self, kernel: &str) -> Result<&mut Compute<'a>, Fault> {
        if !matches!(self.open, Open::Compute(_)) {
            self.end();
            let raw = self.buffer.computeCommandEncoder().ok_or_else(no_encoder)?;
            self.open = Open::Compute(Compute { raw, pipeline: None, label: String::new() });
        }
        match &mut self.open {
            Open::Compute(compute) => {
                compute.add_to_label(kernel);
                Ok(compute)
            }
            Open::None | Open::Blit(_) => Err(no_encoder()),
        }
    }

    // ---- kernels -------------------------------------------------------------------------

    fn dispatch(&mut self, dispatch: &'a Dispatch) -> Encoded {
        let pipeline =
            ApplePipeline::of(&*dispatch.pipeline).ok_or_else(|| Fault::new("pipeline of another device"))?;
        let indirect = match &dispatch.grid {
            Grid::Indirect { buffer, .. } => Some(buffer_of(buffer)?),
            Grid::Threads(_) | Grid::Threadgroups(_) => None,
        };
        let context = self.context;
        let compute = self.compute(&dispatch.label)?;
        compute.set_pipeline(pipeline);
        let raw = &*compute.raw;
        for (place, argument) in pipeline.arguments.iter().zip(&dispatch.arguments) {
            bind(context, raw, *place, argument)?;
        }
        for buffer in dispatch.resident.iter() {
            let resource: &ProtocolObject<dyn MTLResource> = ProtocolObject::from_ref(&*buffer_of(buffer)?.raw);
            raw.useResource_usage(resource, MTLResourceUsage::Read | MTLResourceUsage::Write);
        }
        let group = convert::size(dispatch.threads_per_threadgroup);
        match &dispatch.grid {
            Grid::Threads(threads) => raw.dispatchThreads_threadsPerThreadgroup(convert::size(*threads), group),
            Grid::Threadgroups(groups) => {
                raw.dispatchThreadgroups_threadsPerThreadgroup(convert::size(*groups), group);
            }
            Grid::Indirect { offset, .. } => {
                if let Some(buffer) = indirect {
                    // SAFETY: the buffer holds three counts from the offset on; that was validated.
                    unsafe {
                        raw.dispatchThreadgroupsWithIndirectBuffer_indirectBufferOffset_threadsPerThreadgroup(
                            &buffer.raw,
                            buffer.base + *offset as usize,
                            group,
                        );
                    }
                }
            }
        }
        Ok(())
    }

    // ---- copies and fills ------------------------------------------------------------------

    fn copy_buffer(
        &mut self,
        from: &AppleBuffer,
        from_offset: u64,
        to: &AppleBuffer,
        to_offset: u64,
        size: u64,
    ) -> Encoded {
        if size == 0 {
            return Ok(());
        }
        let (from_offset, to_offset) = (from.base + from_offset as usize, to.base + to_offset as usize);
        let size = size as usize;
        if self.context.has_byte_blits || (from_offset | to_offset | size).is_multiple_of(4) {
            // SAFETY: both ranges were validated.
            unsafe {
                self.blit()?.copyFromBuffer_sourceOffset_toBuffer_destinationOffset_size(
                    &from.raw,
                    from_offset,
                    &to.raw,
                    to_offset,
                    size,
                );
            }
            return Ok(());
        }
        self.for_bytes(false, size, |raw, start| {
            // SAFETY: `start` lies in both ranges.
            unsafe {
                raw.setBuffer_offset_atIndex(Some(&to.raw), to_offset + start, 0);
                raw.setBuffer_offset_atIndex(Some(&from.raw), from_offset + start, 1);
            }
        })
    }

    fn fill_buffer(&mut self, buffer: &AppleBuffer, offset: u64, length: u64, value: u8) -> Encoded {
        if length == 0 {
            return Ok(());
        }
        let (offset, length) = (buffer.base + offset as usize, length as usize);
        if self.context.has_byte_blits || (offset | length).is_multiple_of(4) {
            self.blit()?.fillBuffer_range_value(&buffer.raw, NSRange::new(offset, length), value);
            return Ok(());
        }
        self.for_bytes(true, length, |raw, start| {
            // SAFETY: `start` lies in the range; one byte is copied.
            unsafe {
                raw.setBuffer_offset_atIndex(Some(&buffer.raw), offset + start, 0);
                raw.setBytes_length_atIndex(NonNull::from(&value).cast(), 1, 1);
            }
        })
    }

    /// Runs a kernel over each byte of a range, for devices whose blits want multiples of four.
    fn for_bytes(
        &mut self,
        is_fill: bool,
        length: usize,
        bind: impl Fn(&ProtocolObject<dyn MTLComputeCommandEncoder>, usize),
    ) -> Encoded {
        let context = self.context;
        let kernels = context.byte_kernels.get_or_init(|| ByteKernels::make(context));
        let kernels = kernels.as_ref().map_err(|message| Fault::new(message.clone()))?;
        let (kernel, label) = if is_fill { (&kernels.fill, "fill") } else { (&kernels.copy, "copy") };
        let compute = self.compute(label)?;
        compute.set_pipeline(kernel);
        // Positions of threads have 32 bits.
        const MOST: usize = 1 << 30;
        for start in (0..length).step_by(MOST) {
            bind(&compute.raw, start);
            let threads = MTLSize { width: MOST.min(length - start), height: 1, depth: 1 };
            let group = MTLSize { width: 256, height: 1, depth: 1 };
            compute.raw.dispatchThreads_threadsPerThreadgroup(threads, group);
        }
        Ok(())
    }

    // ---- events ----------------------------------------------------------------------------
    //
    // Our events belong to no device. Each signal and each wait gets a shared event of its own that
    // starts at 0 and is raised once, to 1; host and listeners carry the news between it and ours. So
    // the values of ours only grow, and any two devices may share one.

    fn signal(&mut self, event: &Arc<Event>, value: u64) -> Encoded {
        self.end();
        let raw = self.shared_event()?;
        let target = event.clone();
        let block = RcBlock::new(move |_: NonNull<ProtocolObject<dyn MTLSharedEvent>>, _: u64| target.signal(value));
        // SAFETY: the block is valid; Metal copies it.
        unsafe { raw.notifyListener_atValue_block(self.context.listener(), 1, RcBlock::as_ptr(&block)) };
        let as_event: &ProtocolObject<dyn MTLEvent> = ProtocolObject::from_ref(&*raw);
        self.buffer.encodeSignalEvent_value(as_event, 1);
        self.done.signals.push((event.clone(), value));
        self.done.events.push(raw);
        Ok(())
    }

    fn wait(&mut self, event: &Arc<Event>, value: u64) -> Encoded {
        if event.value() >= value {
            return Ok(());
        }
        self.end();
        let raw = self.shared_event()?;
        let as_event: &ProtocolObject<dyn MTLEvent> = ProtocolObject::from_ref(&*raw);
        self.buffer.encodeWaitForEvent_value(as_event, 1);
        let waiting = raw.clone();
        event.notify(value, move || waiting.setSignaledValue(1));
        self.done.events.push(raw);
        Ok(())
    }

    fn shared_event(&self) -> Result<SharedEvent, Fault> {
        self.context.raw.newSharedEvent().ok_or_else(|| Fault::new("the device has no more events"))
    }
}

impl<'a> Compute<'a> {
    fn set_pipeline(&mut self, pipeline: &'a ApplePipeline) {
        if !self.pipeline.is_some_and(|set| std::ptr::eq(set, pipeline)) {
            self.raw.setComputePipelineState(&pipeline.raw);
            self.pipeline = Some(pipeline);
        }
    }

    fn add_to_label(&mut self, kernel: &str) {
        if self.label.is_empty() {
            self.label.push_str(kernel);
        } else if !self.label.ends_with(kernel) && self.label.len() + kernel.len() < MAX_LABEL {
            self.label.push_str(", ");
            self.label.push_str(kernel);
        }
    }
}

fn bind(
    context: &Context,
    raw: &ProtocolObject<dyn MTLComputeCommandEncoder>,
    place: Place,
    argument: &Argument,
) -> Encoded {
    // SAFETY (of all calls): indices are below Metal's limits, which was validated when the
    // pipeline was made; offsets lie in their buffers, which was validated when they were bound.
    match (place, argument) {
        (_, Argument::Unbound) => {}
        (Place::Buffer(index), Argument::Buffer { buffer, offset }) => {
            let buffer = buffer_of(buffer)?;
            // SAFETY: see above.
            unsafe { raw.setBuffer_offset_atIndex(Some(&buffer.raw), buffer.base + *offset as usize, index) }
        }
        (Place::Buffer(index), Argument::Bytes(bytes)) => {
            let bytes = bytes.as_slice();
            // SAFETY: see above; Metal copies the bytes.
            unsafe { raw.setBytes_length_atIndex(NonNull::from(bytes).cast(), bytes.len(), index) }
        }
        (Place::Texture(index), Argument::Textures(textures)) => {
            for (i, texture) in textures.iter().enumerate() {
                let texture = texture_of(texture)?;
                // SAFETY: see above.
                unsafe { raw.setTexture_atIndex(Some(&texture.raw), index + i) }
            }
        }
        (Place::Sampler(index), Argument::Sampler(state)) => {
            let sampler = context.sampler(*state).ok_or_else(|| Fault::new("the device made no sampler state"))?;
            // SAFETY: see above; the context keeps the sampler.
            unsafe { raw.setSamplerState_atIndex(Some(&sampler), index) }
        }
        (Place::Threadgroup(index), Argument::Threadgroup { length }) => {
            // SAFETY: see above.
            unsafe { raw.setThreadgroupMemoryLength_atIndex(*length as usize, index) }
        }
        (
            place,
            Argument::Buffer { .. }
            | Argument::Bytes(_)
            | Argument::Textures(_)
            | Argument::Sampler(_)
            | Argument::Threadgroup { .. },
        ) => return Err(Fault::new(format!("argument of another kind than {place:?}"))),
    }
    Ok(())
}

fn buffer_of(buffer: &Arc<dyn Buffer>) -> Result<&AppleBuffer, Fault> {
    AppleBuffer::of(&**buffer).ok_or_else(|| Fault::new("buffer of another device"))
}

fn texture_of(texture: &Arc<dyn Texture>) -> Result<&AppleTexture, Fault> {
    AppleTexture::of(&**texture).ok_or_else(|| Fault::new("texture of another device"))
}

fn no_encoder() -> Fault {
    Fault::new("the command buffer gave no encoder")
}

/// Blits between linear memory and textures move whole texels.
fn check_linear(d: &TextureDescriptor, offset: usize, row: usize, image: usize) -> Encoded {
    let info = PixelFormatInfo::of(d.pixel_format);
    let texel = info.bytes_per_texel as usize;
    for (what, value) in [("offset", offset), ("bytes_per_row", row), ("bytes_per_image", image)] {
        if !value.is_multiple_of(texel) {
            return Err(Fault::new(format!(
                "{what} is {value}; to copy texels of {} this device needs a multiple of {texel}",
                info.name
            )));
        }
    }
    Ok(())
}

/// Copies and fills of bytes where they are not aligned as blits want them.
pub struct ByteKernels {
    copy: ApplePipeline,
    fill: ApplePipeline,
}

const BYTE_KERNELS: &str = "\
kernel void copy_bytes(device uchar *to [[buffer(0)]], device const uchar *from [[buffer(1)]],
                       uint i [[thread_position_in_grid]]) { to[i] = from[i]; }
kernel void fill_bytes(device uchar *to [[buffer(0)]], constant uchar &value [[buffer(1)]],
                       uint i [[thread_position_in_grid]]) { to[i] = value; }
";

impl ByteKernels {
    fn make(context: &Context) -> Result<ByteKernels, String> {
        let library = LibraryText {
            text: BYTE_KERNELS.into(),
            preprocessor_macros: Vec::new(),
            language_version: None,
            fast_math_enabled: true,
        };
        let text = SourceText { library: Arc::new(library), constants: Vec::new() };
        let copy = ApplePipeline::internal(context, &text, "copy_bytes")?;
        Ok(ByteKernels { copy, fill: ApplePipeline::internal(context, &text, "fill_bytes")? })
    }
}
