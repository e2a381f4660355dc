//! Queues, command buffers, encoders and shared events.
//!
//! A command buffer does not retain what its commands use, as its descriptor asks; so commands hold plain
//! pointers, and a resource that ended too early is found when the command runs.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex};

use objc2_foundation::NSRange;
use objc2_metal::{MTLOrigin, MTLSize};

use super::foundation::{EncoderInfo, error, text_of, uptime};
use super::resources::{Buffer, Function, Texture, region_at};
use super::runtime::{
    Block, BlockRef, Imp, Method, Object, Ref, Sel, lock, log, make, new_plain, of, set_bool, set_int, set_object,
    setters, violation, with_pool,
};

/// What a kernel finds bound.
#[derive(Clone, Default)]
pub struct Call {
    /// Address of the first byte and how many there are.
    pub buffers: BTreeMap<usize, (usize, usize)>,
    pub bytes: BTreeMap<usize, Vec<u8>>,
    pub textures: BTreeMap<usize, usize>,
    pub samplers: BTreeMap<usize, usize>,
    pub threadgroup_memory: BTreeMap<usize, usize>,
    pub constants: BTreeMap<usize, (usize, [u8; 16])>,
    pub threads: [usize; 3],
    pub threads_per_threadgroup: [usize; 3],
    pub resident: usize,
}

impl Call {
    /// The elements of a buffer. Kernels of the fake touch one buffer at a time.
    #[expect(clippy::mut_from_ref, reason = "memory of the device")]
    pub fn slice<T: Copy>(&self, index: usize) -> &mut [T] {
        let (start, length) = self.buffers[&index];
        // SAFETY: the command buffer runs alone, and elements are plain numbers.
        unsafe { std::slice::from_raw_parts_mut(start as *mut T, length / size_of::<T>()) }
    }
}

type Kernel = Arc<dyn Fn(&Call) -> Result<(), String> + Send + Sync>;
static KERNELS: Mutex<BTreeMap<&'static str, Kernel>> = Mutex::new(BTreeMap::new());

/// What functions of a name do; an error makes the command buffer fail.
pub fn add_kernel(name: &'static str, run: impl Fn(&Call) -> Result<(), String> + Send + Sync + 'static) {
    lock(&KERNELS).insert(name, Arc::new(run));
}

// ---- what objects hold -------------------------------------------------------------------------

struct Queue {
    device: Ref,
    most: usize,
    in_flight: Arc<AtomicUsize>,
    worker: Mutex<Sender<Ref>>,
}

type Command = Box<dyn FnOnce() -> Result<(), String> + Send>;

struct CommandBuffer {
    queue: Ref,
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Default)]
struct State {
    /// With the index of their encoder.
    commands: Vec<(usize, Command)>,
    /// Labels of the encoders that have ended.
    encoders: Vec<String>,
    has_open_encoder: bool,
    handlers: Vec<BlockRef>,
    /// `MTLCommandBufferStatus`.
    status: usize,
    error: Option<Ref>,
    start: f64,
    end: f64,
}

struct Encoder {
    buffer: Ref,
    index: usize,
    call: Mutex<Call>,
    pipeline: Mutex<Option<usize>>,
    has_ended: std::sync::atomic::AtomicBool,
}

struct Event {
    state: Mutex<(u64, Vec<(u64, BlockRef)>)>,
    raised: Condvar,
}

pub fn methods() -> Vec<Method> {
    let mut all = vec![
        ("MTLDevice", "newCommandQueue", new_queue as Imp),
        ("MTLDevice", "newCommandQueueWithMaxCommandBufferCount:", new_queue_with_count as Imp),
        ("MTLDevice", "newSharedEvent", new_event as Imp),
        ("MTLCommandQueue", "commandBuffer", command_buffer as Imp),
        ("MTLCommandQueue", "commandBufferWithDescriptor:", command_buffer_with_descriptor as Imp),
        ("MTLSharedEventListener", "+new", new_plain as Imp),
        ("MTLSharedEvent", "notifyListener:atValue:block:", notify_listener as Imp),
        ("MTLSharedEvent", "setSignaledValue:", set_signaled_value as Imp),
    ];
    all.extend(setters(
        "MTLCommandBufferDescriptor",
        &[
            ("+new", new_plain as Imp),
            ("setRetainedReferences:", set_bool as Imp),
            ("setErrorOptions:", set_int as Imp),
        ],
    ));
    all.extend(setters(
        "MTLCommandBuffer",
        &[
            ("setLabel:", set_object as Imp),
            ("addCompletedHandler:", add_completed_handler as Imp),
            ("commit", commit as Imp),
            ("waitUntilCompleted", wait_until_completed as Imp),
            ("status", status as Imp),
            ("error", buffer_error as Imp),
            ("GPUStartTime", start_time as Imp),
            ("GPUEndTime", end_time as Imp),
            ("blitCommandEncoder", blit_encoder as Imp),
            ("computeCommandEncoder", compute_encoder as Imp),
            ("encodeSignalEvent:value:", encode_signal as Imp),
            ("encodeWaitForEvent:value:", encode_wait as Imp),
        ],
    ));
    all.extend(setters(
        "MTLBlitCommandEncoder",
        &[
            ("setLabel:", set_object as Imp),
            ("endEncoding", end_encoding as Imp),
            ("synchronizeResource:", synchronize as Imp),
            ("generateMipmapsForTexture:", generate_mipmaps as Imp),
            ("copyFromBuffer:sourceOffset:toBuffer:destinationOffset:size:", copy_buffer as Imp),
            ("fillBuffer:range:value:", fill_buffer as Imp),
            (
                "copyFromBuffer:sourceOffset:sourceBytesPerRow:sourceBytesPerImage:sourceSize:toTexture:\
                 destinationSlice:destinationLevel:destinationOrigin:",
                copy_to_texture as Imp,
            ),
            (
                "copyFromTexture:sourceSlice:sourceLevel:sourceOrigin:sourceSize:toBuffer:destinationOffset:\
                 destinationBytesPerRow:destinationBytesPerImage:",
                copy_from_texture as Imp,
            ),
            (
                "copyFromTexture:sourceSlice:sourceLevel:sourceOrigin:sourceSize:toTexture:destinationSlice:\
                 destinationLevel:destinationOrigin:",
                copy_texture as Imp,
            ),
        ],
    ));
    all.extend(setters(
        "MTLComputeCommandEncoder",
        &[
            ("setLabel:", set_object as Imp),
            ("endEncoding", end_encoding as Imp),
            ("setComputePipelineState:", set_pipeline as Imp),
            ("setBuffer:offset:atIndex:", set_buffer as Imp),
            ("setBytes:length:atIndex:", set_bytes as Imp),
            ("setTexture:atIndex:", set_texture as Imp),
            ("setSamplerState:atIndex:", set_sampler as Imp),
            ("setThreadgroupMemoryLength:atIndex:", set_threadgroup_memory as Imp),
            ("useResource:usage:", use_resource as Imp),
            ("dispatchThreads:threadsPerThreadgroup:", dispatch_threads as Imp),
            ("dispatchThreadgroups:threadsPerThreadgroup:", dispatch_threadgroups as Imp),
            (
                "dispatchThreadgroupsWithIndirectBuffer:indirectBufferOffset:threadsPerThreadgroup:",
                dispatch_indirect as Imp,
            ),
        ],
    ));
    all
}

// ---- queues --------------------------------------------------------------------------------------

extern "C-unwind" fn new_queue(this: *mut Object, sel: Sel) -> *mut Object {
    new_queue_with_count(this, sel, 64)
}

extern "C-unwind" fn new_queue_with_count(this: *mut Object, _: Sel, most: usize) -> *mut Object {
    let (sender, receiver) = channel::<Ref>();
    std::thread::spawn(move || receiver.into_iter().for_each(|buffer| with_pool(|| run(buffer))));
    let queue = Queue { device: Ref::retain(this), most, in_flight: Arc::default(), worker: Mutex::new(sender) };
    make("MTLCommandQueue", queue)
}

extern "C-unwind" fn command_buffer(this: *mut Object, _: Sel) -> *mut Object {
    let queue = of(this).native::<Queue>();
    assert_eq!(queue.device.class(), "MTLDevice");
    if queue.in_flight.fetch_add(1, Ordering::SeqCst) >= queue.most {
        violation("more command buffers than the queue holds: Metal would block here".into());
    }
    let buffer = CommandBuffer { queue: Ref::retain(this), state: Mutex::default(), ended: Condvar::new() };
    Ref::new("MTLCommandBuffer", buffer).autorelease()
}

extern "C-unwind" fn command_buffer_with_descriptor(
    this: *mut Object,
    sel: Sel,
    descriptor: *mut Object,
) -> *mut Object {
    let d = of(descriptor);
    assert_eq!((d.int("setRetainedReferences:"), d.int("setErrorOptions:")), (0, 1));
    command_buffer(this, sel)
}

// ---- command buffers ---------------------------------------------------------------------------------

fn buffer_state<'a>(this: *mut Object) -> std::sync::MutexGuard<'a, State> {
    lock(&of(this).native::<CommandBuffer>().state)
}

extern "C-unwind" fn add_completed_handler(this: *mut Object, _: Sel, block: *mut Block) {
    buffer_state(this).handlers.push(BlockRef::copy(block));
}

extern "C-unwind" fn commit(this: *mut Object, _: Sel) {
    {
        let mut state = buffer_state(this);
        assert!(state.status == 0 && !state.has_open_encoder, "committed once, without an open encoder");
        state.status = 2;
    }
    let queue = of(this).native::<CommandBuffer>().queue.clone();
    lock(&queue.native::<Queue>().worker).send(Ref::retain(this)).expect("the worker runs");
}

fn run(this: Ref) {
    let body = this.native::<CommandBuffer>();
    let commands = std::mem::take(&mut lock(&body.state).commands);
    let start = uptime();
    let mut failure = None;
    for (encoder, command) in commands {
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(command));
        match result {
            Ok(Ok(())) => {}
            Ok(Err(message)) => failure = Some((encoder, message)),
            Err(_) => failure = Some((encoder, "the fake panicked".into())),
        }
        if failure.is_some() {
            break;
        }
    }
    let handlers = {
        let mut state = lock(&body.state);
        state.start = start;
        state.end = uptime();
        state.status = 4;
        if let Some((at, message)) = failure {
            let info = |(i, label): (usize, &String)| {
                let error_state = if i == at { 4 } else { 1 };
                let info: EncoderInfo = (label.clone(), error_state);
                Ref::new("MTLCommandBufferEncoderInfo", info)
            };
            let infos = state.encoders.iter().enumerate().map(info).collect();
            state.error = Some(error(&message, infos));
            state.status = 5;
        }
        std::mem::take(&mut state.handlers)
    };
    for handler in handlers {
        handler.call(this.as_ptr());
    }
    body.queue.native::<Queue>().in_flight.fetch_sub(1, Ordering::SeqCst);
    body.ended.notify_all();
}

extern "C-unwind" fn wait_until_completed(this: *mut Object, _: Sel) {
    let body = of(this).native::<CommandBuffer>();
    let mut state = lock(&body.state);
    while state.status < 4 {
        state = body.ended.wait(state).expect("nobody panics here");
    }
}

extern "C-unwind" fn status(this: *mut Object, _: Sel) -> usize {
    buffer_state(this).status
}
extern "C-unwind" fn buffer_error(this: *mut Object, _: Sel) -> *mut Object {
    buffer_state(this).error.clone().map_or(std::ptr::null_mut(), Ref::autorelease)
}
extern "C-unwind" fn start_time(this: *mut Object, _: Sel) -> f64 {
    buffer_state(this).start
}
extern "C-unwind" fn end_time(this: *mut Object, _: Sel) -> f64 {
    buffer_state(this).end
}

// ---- encoders ------------------------------------------------------------------------------------------

fn open(this: *mut Object, class: &'static str) -> *mut Object {
    let mut state = buffer_state(this);
    assert!(state.status == 0 && !state.has_open_encoder, "one encoder at a time, before the commit");
    state.has_open_encoder = true;
    let encoder = Encoder {
        buffer: Ref::retain(this),
        index: state.encoders.len(),
        call: Mutex::default(),
        pipeline: Mutex::default(),
        has_ended: false.into(),
    };
    Ref::new(class, encoder).autorelease()
}

extern "C-unwind" fn blit_encoder(this: *mut Object, _: Sel) -> *mut Object {
    open(this, "MTLBlitCommandEncoder")
}
extern "C-unwind" fn compute_encoder(this: *mut Object, _: Sel) -> *mut Object {
    open(this, "MTLComputeCommandEncoder")
}

extern "C-unwind" fn end_encoding(this: *mut Object, _: Sel) {
    let encoder = of(this).native::<Encoder>();
    assert!(!encoder.has_ended.swap(true, Ordering::SeqCst), "encoders end once");
    let label = of(this).object("setLabel:").map_or(String::new(), |label| text_of(label.as_ptr()));
    log(format!("encoder {label}"));
    let mut state = buffer_state(encoder.buffer.as_ptr());
    state.encoders.push(label);
    state.has_open_encoder = false;
}

/// Adds a command of an encoder.
fn push(this: *mut Object, command: impl FnOnce() -> Result<(), String> + Send + 'static) {
    let encoder = of(this).native::<Encoder>();
    assert!(!encoder.has_ended.load(Ordering::SeqCst), "the encoder has ended");
    buffer_state(encoder.buffer.as_ptr()).commands.push((encoder.index, Box::new(command)));
}

/// A resource that nobody keeps for us.
fn buffer_at<'a>(address: usize) -> &'a Buffer {
    of(address as *mut Object).native::<Buffer>()
}
fn texture_at<'a>(address: usize) -> &'a Texture {
    of(address as *mut Object).native::<Texture>()
}

extern "C-unwind" fn synchronize(this: *mut Object, _: Sel, resource: *mut Object) {
    let resource = resource as usize;
    push(this, move || {
        log(format!("synchronize {}", of(resource as *mut Object).class()));
        Ok(())
    });
}

extern "C-unwind" fn generate_mipmaps(this: *mut Object, _: Sel, texture: *mut Object) {
    let texture = texture as usize;
    push(this, move || {
        log(format!("generate mipmaps of texels of {} bytes", texture_at(texture).texel()));
        Ok(())
    });
}

extern "C-unwind" fn copy_buffer(
    this: *mut Object,
    _: Sel,
    from: *mut Object,
    from_offset: usize,
    to: *mut Object,
    to_offset: usize,
    size: usize,
) {
    let (from, to) = (from as usize, to as usize);
    push(this, move || {
        let (from, to) = (buffer_at(from).range(from_offset, size), buffer_at(to).range(to_offset, size));
        log(format!("blit copy {size}"));
        // SAFETY: `range` checked both.
        unsafe { std::ptr::copy(from, to, size) }
        Ok(())
    });
}

extern "C-unwind" fn fill_buffer(this: *mut Object, _: Sel, buffer: *mut Object, range: NSRange, value: u8) {
    let buffer = buffer as usize;
    push(this, move || {
        log(format!("blit fill {}", range.length));
        // SAFETY: `range` checks it.
        unsafe { std::ptr::write_bytes(buffer_at(buffer).range(range.location, range.length), value, range.length) }
        Ok(())
    });
}

/// Bytes that a region takes in linear memory.
fn linear(texture: &Texture, size: MTLSize, row: usize, image: usize) -> usize {
    (size.depth - 1) * image + (size.height - 1) * row + size.width * texture.texel()
}

extern "C-unwind" fn copy_to_texture(
    this: *mut Object,
    _: Sel,
    from: *mut Object,
    offset: usize,
    row: usize,
    image: usize,
    size: MTLSize,
    to: *mut Object,
    slice: usize,
    level: usize,
    origin: MTLOrigin,
) {
    let (from, to) = (from as usize, to as usize);
    push(this, move || {
        let texture = texture_at(to);
        let bytes = buffer_at(from).range(offset, linear(texture, size, row, image));
        // SAFETY: `range` checked it.
        unsafe { texture.write(slice, level, region_at(origin, size), bytes, row, image) }
        Ok(())
    });
}

extern "C-unwind" fn copy_from_texture(
    this: *mut Object,
    _: Sel,
    from: *mut Object,
    slice: usize,
    level: usize,
    origin: MTLOrigin,
    size: MTLSize,
    to: *mut Object,
    offset: usize,
    row: usize,
    image: usize,
) {
    let (from, to) = (from as usize, to as usize);
    push(this, move || {
        let texture = texture_at(from);
        let bytes = buffer_at(to).range(offset, linear(texture, size, row, image));
        // SAFETY: `range` checked it.
        unsafe { texture.read(slice, level, region_at(origin, size), bytes, row, image) }
        Ok(())
    });
}

extern "C-unwind" fn copy_texture(
    this: *mut Object,
    _: Sel,
    from: *mut Object,
    from_slice: usize,
    from_level: usize,
    from_origin: MTLOrigin,
    size: MTLSize,
    to: *mut Object,
    to_slice: usize,
    to_level: usize,
    to_origin: MTLOrigin,
) {
    let (from, to) = (from as usize, to as usize);
    push(this, move || {
        let (from, to) = (texture_at(from), texture_at(to));
        let row = size.width * from.texel();
        let image = row * size.height;
        let mut bytes = vec![0; image * size.depth];
        // SAFETY: the vector holds the region.
        unsafe {
            from.read(from_slice, from_level, region_at(from_origin, size), bytes.as_mut_ptr(), row, image);
            to.write(to_slice, to_level, region_at(to_origin, size), bytes.as_ptr(), row, image);
        }
        Ok(())
    });
}

// ---- kernels ------------------------------------------------------------------------------------------

fn call_of<'a>(this: *mut Object) -> std::sync::MutexGuard<'a, Call> {
    lock(&of(this).native::<Encoder>().call)
}

extern "C-unwind" fn set_pipeline(this: *mut Object, _: Sel, pipeline: *mut Object) {
    *lock(&of(this).native::<Encoder>().pipeline) = Some(pipeline as usize);
}

extern "C-unwind" fn set_buffer(this: *mut Object, _: Sel, buffer: *mut Object, offset: usize, index: usize) {
    let mut call = call_of(this);
    let body = of(buffer).native::<Buffer>();
    call.bytes.remove(&index);
    call.buffers.insert(index, (body.range(offset, 1) as usize, body.length - offset));
}

extern "C-unwind" fn set_bytes(this: *mut Object, _: Sel, bytes: *const u8, length: usize, index: usize) {
    // SAFETY: the caller passes so many bytes.
    let bytes = unsafe { std::slice::from_raw_parts(bytes, length) }.to_vec();
    let mut call = call_of(this);
    call.buffers.remove(&index);
    call.bytes.insert(index, bytes);
}

extern "C-unwind" fn set_texture(this: *mut Object, _: Sel, texture: *mut Object, index: usize) {
    call_of(this).textures.insert(index, texture as usize);
}
extern "C-unwind" fn set_sampler(this: *mut Object, _: Sel, sampler: *mut Object, index: usize) {
    call_of(this).samplers.insert(index, sampler as usize);
}
extern "C-unwind" fn set_threadgroup_memory(this: *mut Object, _: Sel, length: usize, index: usize) {
    call_of(this).threadgroup_memory.insert(index, length);
}
extern "C-unwind" fn use_resource(this: *mut Object, _: Sel, resource: *mut Object, usage: usize) {
    of(resource);
    assert_eq!(usage, 3, "read and written");
    call_of(this).resident += 1;
}

fn dispatch(this: *mut Object, group: MTLSize, threads: impl FnOnce() -> [usize; 3] + Send + 'static) {
    let mut call = std::mem::take(&mut *call_of(this));
    *call_of(this) = call.clone();
    let pipeline = lock(&of(this).native::<Encoder>().pipeline).expect("a pipeline is set");
    call.threads_per_threadgroup = [group.width, group.height, group.depth];
    push(this, move || {
        let function = of(pipeline as *mut Object).native::<Ref>().clone();
        let function = function.native::<Function>();
        call.constants = function.constants.clone();
        call.threads = threads();
        for resource in call.textures.values().chain(call.samplers.values()) {
            of(*resource as *mut Object);
        }
        let kernel = lock(&KERNELS).get(function.name.as_str()).cloned();
        kernel.unwrap_or_else(|| panic!("the test has no kernel {}", function.name))(&call)
    });
}

extern "C-unwind" fn dispatch_threads(this: *mut Object, _: Sel, threads: MTLSize, group: MTLSize) {
    dispatch(this, group, move || [threads.width, threads.height, threads.depth]);
}

fn in_threads(groups: [usize; 3], group: MTLSize) -> [usize; 3] {
    [groups[0] * group.width, groups[1] * group.height, groups[2] * group.depth]
}

extern "C-unwind" fn dispatch_threadgroups(this: *mut Object, _: Sel, groups: MTLSize, group: MTLSize) {
    dispatch(this, group, move || in_threads([groups.width, groups.height, groups.depth], group));
}

extern "C-unwind" fn dispatch_indirect(this: *mut Object, _: Sel, buffer: *mut Object, offset: usize, group: MTLSize) {
    let buffer = buffer as usize;
    dispatch(this, group, move || {
        // SAFETY: `range` checks that there are three numbers.
        let counts = unsafe { buffer_at(buffer).range(offset, 12).cast::<[u32; 3]>().read_unaligned() };
        in_threads(counts.map(|n| n as usize), group)
    });
}

// ---- events ---------------------------------------------------------------------------------------------

extern "C-unwind" fn new_event(_: *mut Object, _: Sel) -> *mut Object {
    make("MTLSharedEvent", Event { state: Mutex::default(), raised: Condvar::new() })
}

extern "C-unwind" fn notify_listener(this: *mut Object, _: Sel, listener: *mut Object, value: u64, block: *mut Block) {
    assert_eq!(of(listener).class(), "MTLSharedEventListener");
    lock(&of(this).native::<Event>().state).1.push((value, BlockRef::copy(block)));
}

extern "C-unwind" fn set_signaled_value(this: *mut Object, _: Sel, value: u64) {
    let event = of(this).native::<Event>();
    let mut state = lock(&event.state);
    state.0 = value;
    let (ready, waiting) = std::mem::take(&mut state.1).into_iter().partition(|(at, _)| *at <= value);
    state.1 = waiting;
    drop(state);
    event.raised.notify_all();
    let ready: Vec<(u64, BlockRef)> = ready;
    let this = Ref::retain(this);
    // Listeners are called on a queue of their own.
    std::thread::spawn(move || {
        with_pool(|| ready.iter().for_each(|(at, block)| block.call_with(this.as_ptr().cast(), *at)));
    });
}

fn encode_event(this: *mut Object, command: impl FnOnce() -> Result<(), String> + Send + 'static) {
    let mut state = buffer_state(this);
    assert!(!state.has_open_encoder, "events are encoded between encoders");
    let index = state.encoders.len();
    state.commands.push((index, Box::new(command)));
}

extern "C-unwind" fn encode_signal(this: *mut Object, sel: Sel, event: *mut Object, value: u64) {
    let event = event as usize;
    let sel = sel as usize;
    encode_event(this, move || {
        set_signaled_value(event as *mut Object, sel as Sel, value);
        Ok(())
    });
}

extern "C-unwind" fn encode_wait(this: *mut Object, _: Sel, event: *mut Object, value: u64) {
    let event = event as usize;
    encode_event(this, move || {
        let event = of(event as *mut Object).native::<Event>();
        let mut state = lock(&event.state);
        while state.0 < value {
            state = event.raised.wait(state).expect("nobody panics here");
        }
        Ok(())
    });
}
