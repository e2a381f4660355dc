//! The device, its memory, samplers, libraries and pipelines.

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::sync::Mutex;

use metallic_hal::PixelFormatInfo;
use objc2_foundation::NSRange;
use objc2_metal::{MTLOrigin, MTLRegion, MTLSize};

use super::foundation::{error, string, text_of};
use super::runtime::{
    Block, BlockRef, Imp, Method, Object, Sel, lock, log, make, new_plain, of, set_bool, set_float, set_int,
    set_object, setters,
};

/// What machine the system is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One memory; blits of any alignment.
    AppleSilicon,
    /// A memory of its own; blits of multiples of four bytes.
    Discrete,
    /// No Metal.
    None,
}

static KIND: Mutex<Kind> = Mutex::new(Kind::AppleSilicon);

pub fn set_kind(kind: Kind) {
    *lock(&KIND) = kind;
}

#[unsafe(no_mangle)]
extern "C-unwind" fn MTLCreateSystemDefaultDevice() -> *mut Object {
    match *lock(&KIND) {
        Kind::None => std::ptr::null_mut(),
        kind => make("MTLDevice", kind),
    }
}

pub struct Buffer {
    memory: Memory,
    pub length: usize,
    pub options: usize,
}

enum Memory {
    /// In words, so that every type is aligned.
    Own(Mutex<Box<[u128]>>),
    Foreign {
        start: usize,
        deallocator: BlockRef,
    },
}

impl Buffer {
    pub fn start(&self) -> *mut u8 {
        match &self.memory {
            Memory::Own(words) => lock(words).as_mut_ptr().cast(),
            Memory::Foreign { start, .. } => *start as *mut u8,
        }
    }
    /// Bytes from an offset on, for copies: panics when they are not in the buffer.
    pub fn range(&self, offset: usize, length: usize) -> *mut u8 {
        assert!(offset + length <= self.length, "{offset} + {length} bytes of {}", self.length);
        // SAFETY: just checked.
        unsafe { self.start().add(offset) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Memory::Foreign { start, deallocator } = &self.memory {
            deallocator.call_with(*start as *mut c_void, self.length as u64);
        }
    }
}

pub struct Texture {
    size: [usize; 3],
    texel: usize,
    /// By slice and level.
    images: Mutex<BTreeMap<(usize, usize), Vec<u8>>>,
}

impl Texture {
    /// Calls back with (offset in the image, offset in linear memory, bytes) for each row.
    fn rows(
        &self,
        slice: usize,
        level: usize,
        region: MTLRegion,
        row: usize,
        image: usize,
        mut f: impl FnMut(&mut [u8], usize),
    ) {
        let size = self.size.map(|n| (n >> level).max(1));
        let MTLRegion { origin, size: extent } = region;
        assert!(origin.x + extent.width <= size[0] && origin.y + extent.height <= size[1]);
        assert!(origin.z + extent.depth <= size[2]);
        assert!(row >= extent.width * self.texel, "bytes per row");
        let mut images = lock(&self.images);
        let bytes =
            images.entry((slice, level)).or_insert_with(|| vec![0; size.iter().product::<usize>() * self.texel]);
        for z in 0..extent.depth {
            for y in 0..extent.height {
                let at = ((origin.z + z) * size[1] + origin.y + y) * size[0] + origin.x;
                let length = extent.width * self.texel;
                f(&mut bytes[at * self.texel..][..length], z * image + y * row);
            }
        }
    }
    /// # Safety
    /// `from` must hold the region in rows and images of these strides.
    pub unsafe fn write(
        &self,
        slice: usize,
        level: usize,
        region: MTLRegion,
        from: *const u8,
        row: usize,
        image: usize,
    ) {
        self.rows(slice, level, region, row, image, |texels, offset| {
            // SAFETY: the caller's promise.
            unsafe { std::ptr::copy_nonoverlapping(from.add(offset), texels.as_mut_ptr(), texels.len()) }
        });
    }
    /// # Safety
    /// As for `write`, of `to`.
    pub unsafe fn read(&self, slice: usize, level: usize, region: MTLRegion, to: *mut u8, row: usize, image: usize) {
        self.rows(slice, level, region, row, image, |texels, offset| {
            // SAFETY: the caller's promise.
            unsafe { std::ptr::copy_nonoverlapping(texels.as_ptr(), to.add(offset), texels.len()) }
        });
    }
    pub fn texel(&self) -> usize {
        self.texel
    }
}

pub struct Function {
    pub name: String,
    /// Type and bytes by index.
    pub constants: BTreeMap<usize, (usize, [u8; 16])>,
}

type Constants = Mutex<BTreeMap<usize, (usize, [u8; 16])>>;

pub fn methods() -> Vec<Method> {
    let device: &[(&str, Imp)] = &[
        ("maxThreadsPerThreadgroup", max_threads as Imp),
        ("name", device_name as Imp),
        ("registryID", registry_id as Imp),
        ("hasUnifiedMemory", is_apple as Imp),
        ("supportsFamily:", supports_family as Imp),
        ("maxThreadgroupMemoryLength", max_threadgroup_memory as Imp),
        ("maxBufferLength", max_buffer_length as Imp),
        ("supportsShaderBarycentricCoordinates", is_apple as Imp),
        ("newBufferWithLength:options:", new_buffer as Imp),
        ("newBufferWithBytesNoCopy:length:options:deallocator:", new_buffer_no_copy as Imp),
        ("newTextureWithDescriptor:", new_texture as Imp),
        ("newSamplerStateWithDescriptor:", new_sampler as Imp),
        ("newLibraryWithSource:options:error:", new_library as Imp),
        ("newComputePipelineStateWithDescriptor:options:reflection:error:", new_pipeline as Imp),
    ];
    let mut all = setters("MTLDevice", device);
    all.extend([
        ("MTLBuffer", "contents", contents as Imp),
        ("MTLBuffer", "gpuAddress", contents as Imp),
        ("MTLBuffer", "didModifyRange:", did_modify_range as Imp),
        ("MTLTexture", "gpuResourceID", resource_id as Imp),
        ("MTLTexture", "replaceRegion:mipmapLevel:slice:withBytes:bytesPerRow:bytesPerImage:", replace_region as Imp),
        ("MTLTexture", "getBytes:bytesPerRow:bytesPerImage:fromRegion:mipmapLevel:slice:", get_bytes as Imp),
        ("MTLSamplerState", "gpuResourceID", resource_id as Imp),
        ("MTLLibrary", "newFunctionWithName:constantValues:error:", new_function as Imp),
        ("MTLFunctionConstantValues", "+new", new_constants as Imp),
        ("MTLFunctionConstantValues", "setConstantValue:type:atIndex:", set_constant as Imp),
        ("MTLComputePipelineState", "maxTotalThreadsPerThreadgroup", pipeline_max_threads as Imp),
        ("MTLComputePipelineState", "threadExecutionWidth", pipeline_width as Imp),
        ("MTLComputePipelineState", "staticThreadgroupMemoryLength", pipeline_memory as Imp),
    ]);
    let (int, bool, float, object) = (set_int as Imp, set_bool as Imp, set_float as Imp, set_object as Imp);
    all.extend(setters(
        "MTLTextureDescriptor",
        &[
            ("+new", new_plain as Imp),
            ("setTextureType:", int),
            ("setPixelFormat:", int),
            ("setWidth:", int),
            ("setHeight:", int),
            ("setDepth:", int),
            ("setMipmapLevelCount:", int),
            ("setSampleCount:", int),
            ("setArrayLength:", int),
            ("setStorageMode:", int),
            ("setUsage:", int),
        ],
    ));
    all.extend(setters(
        "MTLSamplerDescriptor",
        &[
            ("+new", new_plain as Imp),
            ("setSAddressMode:", int),
            ("setTAddressMode:", int),
            ("setRAddressMode:", int),
            ("setMinFilter:", int),
            ("setMagFilter:", int),
            ("setMipFilter:", int),
            ("setNormalizedCoordinates:", bool),
            ("setCompareFunction:", int),
            ("setBorderColor:", int),
            ("setMaxAnisotropy:", int),
            ("setLodMinClamp:", float),
            ("setLodMaxClamp:", float),
            ("setReductionMode:", int),
            ("setSupportArgumentBuffers:", bool),
        ],
    ));
    all.extend(setters(
        "MTLCompileOptions",
        &[("+new", new_plain as Imp), ("setFastMathEnabled:", bool), ("setLanguageVersion:", int)],
    ));
    all.extend(setters(
        "MTLComputePipelineDescriptor",
        &[("+new", new_plain as Imp), ("setComputeFunction:", object), ("setLabel:", object)],
    ));
    all
}

// ---- the device ----------------------------------------------------------------------------

extern "C-unwind" fn max_threads(_: *mut Object, _: Sel) -> MTLSize {
    MTLSize { width: 1024, height: 512, depth: 256 }
}
extern "C-unwind" fn device_name(_: *mut Object, _: Sel) -> *mut Object {
    string("Fake GPU").autorelease()
}
extern "C-unwind" fn registry_id(_: *mut Object, _: Sel) -> u64 {
    77
}
extern "C-unwind" fn is_apple(this: *mut Object, _: Sel) -> bool {
    *of(this).native::<Kind>() == Kind::AppleSilicon
}
extern "C-unwind" fn supports_family(this: *mut Object, sel: Sel, family: isize) -> bool {
    assert_eq!(family, 1001, "the first family of Apple's");
    is_apple(this, sel)
}
extern "C-unwind" fn max_threadgroup_memory(_: *mut Object, _: Sel) -> usize {
    32768
}
extern "C-unwind" fn max_buffer_length(_: *mut Object, _: Sel) -> usize {
    1 << 33
}

// ---- memory ----------------------------------------------------------------------------------

extern "C-unwind" fn new_buffer(_: *mut Object, _: Sel, length: usize, options: usize) -> *mut Object {
    if length > 1 << 30 {
        return std::ptr::null_mut();
    }
    let memory = Memory::Own(Mutex::new(vec![0u128; length.div_ceil(16)].into_boxed_slice()));
    make("MTLBuffer", Buffer { memory, length, options })
}

extern "C-unwind" fn new_buffer_no_copy(
    _: *mut Object,
    _: Sel,
    start: *mut c_void,
    length: usize,
    options: usize,
    deallocator: *mut Block,
) -> *mut Object {
    assert!((start as usize).is_multiple_of(4096) && length.is_multiple_of(4096), "whole pages");
    if length > 1 << 30 {
        return std::ptr::null_mut();
    }
    let memory = Memory::Foreign { start: start as usize, deallocator: BlockRef::copy(deallocator) };
    make("MTLBuffer", Buffer { memory, length, options })
}

extern "C-unwind" fn contents(this: *mut Object, _: Sel) -> *mut u8 {
    of(this).native::<Buffer>().start()
}
extern "C-unwind" fn did_modify_range(this: *mut Object, _: Sel, range: NSRange) {
    // The numbers of managed storage: mode 1, from bit 4 on.
    assert_eq!(of(this).native::<Buffer>().options, 1 << 4, "managed buffers only");
    log(format!("did modify {}+{}", range.location, range.length));
}

extern "C-unwind" fn new_texture(_: *mut Object, _: Sel, descriptor: *mut Object) -> *mut Object {
    let d = of(descriptor);
    let (kind, samples) = (d.int("setTextureType:"), d.int("setSampleCount:"));
    let (mode, usage) = (d.int("setStorageMode:"), d.int("setUsage:"));
    let (levels, length) = (d.int("setMipmapLevelCount:"), d.int("setArrayLength:"));
    log(format!("texture type {kind} levels {levels} slices {length} samples {samples} mode {mode} usage {usage}"));
    let format = PixelFormatInfo::from_raw(d.int("setPixelFormat:") as u32).expect("a format");
    let size = [d.int("setWidth:"), d.int("setHeight:"), d.int("setDepth:")];
    make("MTLTexture", Texture { size, texel: format.bytes_per_texel as usize, images: Mutex::default() })
}

extern "C-unwind" fn resource_id(this: *mut Object, _: Sel) -> u64 {
    of(this);
    this as u64
}

extern "C-unwind" fn replace_region(
    this: *mut Object,
    _: Sel,
    region: MTLRegion,
    level: usize,
    slice: usize,
    bytes: *const u8,
    row: usize,
    image: usize,
) {
    // SAFETY: the caller's bytes hold the region.
    unsafe { of(this).native::<Texture>().write(slice, level, region, bytes, row, image) }
}

extern "C-unwind" fn get_bytes(
    this: *mut Object,
    _: Sel,
    bytes: *mut u8,
    row: usize,
    image: usize,
    region: MTLRegion,
    level: usize,
    slice: usize,
) {
    // SAFETY: the caller's bytes hold the region.
    unsafe { of(this).native::<Texture>().read(slice, level, region, bytes, row, image) }
}

/// A region that starts at a point.
pub fn region_at(origin: MTLOrigin, size: MTLSize) -> MTLRegion {
    MTLRegion { origin, size }
}

extern "C-unwind" fn new_sampler(_: *mut Object, _: Sel, descriptor: *mut Object) -> *mut Object {
    let d = of(descriptor);
    let fields = [
        ["setSAddressMode:", "setTAddressMode:", "setRAddressMode:"],
        ["setMinFilter:", "setMagFilter:", "setMipFilter:"],
        ["setNormalizedCoordinates:", "setCompareFunction:", "setBorderColor:"],
    ];
    let fields = fields.map(|row| row.map(|setter| d.int(setter)));
    let (anisotropy, arguments) = (d.int("setMaxAnisotropy:"), d.int("setSupportArgumentBuffers:"));
    let (least, most) = (d.float("setLodMinClamp:"), d.float("setLodMaxClamp:"));
    log(format!("sampler {fields:?} {anisotropy} {arguments} {least} {most}"));
    make("MTLSamplerState", ())
}

// ---- code ----------------------------------------------------------------------------------

/// Fails for texts with `#error`, as every compiler does.
extern "C-unwind" fn new_library(
    _: *mut Object,
    _: Sel,
    source: *mut Object,
    options: *mut Object,
    out: *mut *mut Object,
) -> *mut Object {
    let text = text_of(source);
    log(format!("library fast math {}", of(options).int("setFastMathEnabled:")));
    if let Some((before, message)) = text.split_once("#error ") {
        let (line, message) = (before.lines().count() + 1, message.lines().next().unwrap_or_default());
        let failure = error(&format!("program_source:{line}:2: error: {message}"), Vec::new());
        // SAFETY: the caller's place for an error.
        unsafe { out.write(failure.autorelease()) }
        return std::ptr::null_mut();
    }
    make("MTLLibrary", text)
}

extern "C-unwind" fn new_constants(_: *mut Object, _: Sel) -> *mut Object {
    make("MTLFunctionConstantValues", Constants::default())
}

extern "C-unwind" fn set_constant(this: *mut Object, _: Sel, value: *const [u8; 16], kind: usize, index: usize) {
    // SAFETY: the device passes aligned room for every type, more than 16 bytes.
    let bytes = unsafe { value.read() };
    lock(of(this).native::<Constants>()).insert(index, (kind, bytes));
}

extern "C-unwind" fn new_function(
    this: *mut Object,
    _: Sel,
    name: *mut Object,
    constants: *mut Object,
    out: *mut *mut Object,
) -> *mut Object {
    let name = text_of(name);
    if !of(this).native::<String>().contains(&format!("kernel void {name}(")) {
        let failure = error(&format!("Function {name} was not found in the library"), Vec::new());
        // SAFETY: the caller's place for an error.
        unsafe { out.write(failure.autorelease()) }
        return std::ptr::null_mut();
    }
    let constants = lock(of(constants).native::<Constants>()).clone();
    make("MTLFunction", Function { name, constants })
}

extern "C-unwind" fn new_pipeline(
    _: *mut Object,
    _: Sel,
    descriptor: *mut Object,
    options: usize,
    reflection: *mut *mut Object,
    _: *mut *mut Object,
) -> *mut Object {
    assert!(options == 0 && reflection.is_null(), "reflection is our own");
    let label = of(descriptor).object("setLabel:").expect("a label");
    log(format!("pipeline {}", text_of(label.as_ptr())));
    make("MTLComputePipelineState", of(descriptor).object("setComputeFunction:").expect("a function"))
}

extern "C-unwind" fn pipeline_max_threads(_: *mut Object, _: Sel) -> usize {
    896
}
extern "C-unwind" fn pipeline_width(_: *mut Object, _: Sel) -> usize {
    32
}
extern "C-unwind" fn pipeline_memory(_: *mut Object, _: Sel) -> usize {
    48
}
