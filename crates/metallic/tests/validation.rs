//! Wrong use of the API is refused with kernel, argument and reason, before anything runs; right
//! use arrives at the device. On the null device.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use metallic::hal::null::NullDevice;
use metallic::*;

const KERNELS: &str = r#"
struct Size size 16 align 8 {
  width: u64 @0
  height: u64 @8
}
global tile: array<f32, 64> threadgroup

fn scale(%data: ptr<device, f32>, %factor: ptr<constant, f32>) -> void {
  %gid = builtin thread_position_in_grid
  %i = extract %gid, 0
  %p = ptr_offset %data, %i
  %x = load %p
  %f = load %factor
  %y = mul %x, %f
  store %p, %y
}
kernel scale = @scale {
  data: buffer 0 device read_write f32
  factor: buffer 1 constant reference read f32
}

fn resources(%size: ptr<constant, Size>, %image: ptr<constant, array<u8, 560>>, %s: u64, %memory: ptr<threadgroup, f32>, %spare: ptr<device, f32>) -> void {
  return
}
kernel resources = @resources max_threads 128 {
  size: buffer 3 constant reference read struct Size size 16 align 8 { width: u64 @0 height: u64 @8 }
  image: texture 0 write d2 f32 0
  s: sampler 0 read
  memory: threadgroup 0 read_write f32
  spare: buffer 9 device read f32 unused
}
kernel square = @scale required_threads [8, 8, 1] {
  data: buffer 0 device read_write f32
  factor: buffer 1 constant reference read f32
}
"#;

struct Fixture {
    null: Arc<NullDevice>,
    device: Device,
    queue: CommandQueue,
    library: Library,
}

fn fixture() -> Fixture {
    let null = Arc::new(NullDevice::new());
    let device = Device::from_hal(null.clone());
    let queue = device.make_command_queue().unwrap();
    let library = device.make_library_with_ir(KERNELS).unwrap();
    Fixture { null, device, queue, library }
}

impl Fixture {
    fn pipeline(&self, name: &str) -> ComputePipelineState {
        self.device.make_compute_pipeline_state(&self.library.make_function(name).unwrap()).unwrap()
    }
    fn buffer(&self, length: u64) -> Buffer {
        self.device.make_buffer(length, StorageMode::Shared).unwrap()
    }
    /// An encoder with `scale` and its arguments bound.
    fn scale(&self) -> (CommandBuffer, ComputeCommandEncoder) {
        let command_buffer = self.queue.make_command_buffer().unwrap();
        let encoder = command_buffer.make_compute_command_encoder().unwrap();
        encoder.set_compute_pipeline_state(&self.pipeline("scale")).unwrap();
        encoder.set_buffer(&self.buffer(256), 0, 0).unwrap();
        encoder.set_bytes(&2f32.to_le_bytes(), 1).unwrap();
        (command_buffer, encoder)
    }
}

#[track_caller]
fn refused<T>(result: Result<T>, message: &str) {
    let error = result.err().expect("it must be refused").to_string();
    assert!(error.contains(message), "{error:?} does not say {message:?}");
}

#[test]
fn dispatches_arrive_in_order() {
    let f = fixture();
    let (command_buffer, encoder) = f.scale();
    encoder.dispatch_threads(100, 64).unwrap();
    encoder.dispatch_threadgroups((2, 3, 1), (8, 8, 2)).unwrap();
    encoder.dispatch_threads(0, 64).unwrap();
    let counts = f.device.make_buffer_with_slice(&[7u32, 1, 1]).unwrap();
    encoder.dispatch_threadgroups_with_indirect_buffer(&counts, 0, 32).unwrap();
    encoder.end_encoding().unwrap();
    let (a, b) = (f.device.make_buffer_with_slice(&[1u32, 2, 3]).unwrap(), f.buffer(12));
    let blit = command_buffer.make_blit_command_encoder().unwrap();
    blit.copy_from_buffer(&a, 4, &b, 0, 8).unwrap();
    blit.fill_buffer(&b, 8, 4, 0xff).unwrap();
    blit.end_encoding().unwrap();
    assert_eq!(command_buffer.status(), CommandBufferStatus::NotEnqueued);
    command_buffer.commit().unwrap();
    command_buffer.wait_until_completed().unwrap();
    assert_eq!(command_buffer.status(), CommandBufferStatus::Completed);
    assert!(command_buffer.gpu_end_time() >= command_buffer.gpu_start_time());
    assert_eq!(b.to_vec::<u32>().unwrap(), [2, 3, u32::MAX]);
    assert_eq!(
        f.null.take_log(),
        [
            "dispatch scale by threads: (100, 1, 1) threads, (2, 1, 1) threadgroups of (64, 1, 1)",
            "dispatch scale by threadgroups: (16, 24, 2) threads, (2, 3, 1) threadgroups of (8, 8, 2)",
            "dispatch scale by indirect: (224, 1, 1) threads, (7, 1, 1) threadgroups of (32, 1, 1)",
            "copy buffer 8",
            "fill buffer 4 with 255",
        ]
    );
}

#[test]
fn arguments_are_checked_by_reflection() {
    let f = fixture();
    let command_buffer = f.queue.make_command_buffer().unwrap();
    let encoder = command_buffer.make_compute_command_encoder().unwrap();
    refused(encoder.dispatch_threads(1, 1), "without a compute pipeline state");
    encoder.set_compute_pipeline_state(&f.pipeline("scale")).unwrap();
    refused(encoder.dispatch_threads(1, 1), "kernel scale: argument data (buffer 0): no buffer is bound");
    refused(encoder.set_buffer(&f.buffer(4), 0, 31), "buffer index 31: the highest is 30");
    refused(encoder.set_buffer(&f.buffer(4), 4, 0), "offset 4 at index 0 is beyond the buffer of 4 bytes");
    encoder.set_buffer(&f.buffer(8), 2, 0).unwrap();
    encoder.set_bytes(&[1, 2], 1).unwrap();
    refused(encoder.dispatch_threads(1, 1), "argument data (buffer 0): offset 2 is not a multiple of 4");
    encoder.set_buffer_offset(4, 0).unwrap();
    refused(encoder.dispatch_threads(1, 1), "argument factor (buffer 1): its type has 4 bytes, set_bytes gave 2");
    encoder.set_bytes(&[0; 4], 0).unwrap();
    refused(encoder.dispatch_threads(1, 1), "argument data (buffer 0): the kernel may write to it");
    refused(encoder.set_bytes(&[0; 4097], 1), "it takes 1 to 4096");
    refused(encoder.set_buffer_offset(0, 7), "no buffer is bound at index 7");
    let other = fixture();
    refused(encoder.set_buffer(&other.buffer(4), 0, 0), "belongs to device null");
}

#[test]
fn textures_samplers_and_threadgroup_memory_are_checked() {
    let f = fixture();
    let command_buffer = f.queue.make_command_buffer().unwrap();
    let encoder = command_buffer.make_compute_command_encoder().unwrap();
    let pipeline = f.pipeline("resources");
    assert_eq!(pipeline.max_total_threads_per_threadgroup(), 128);
    assert_eq!(pipeline.static_threadgroup_memory_length(), 256);
    encoder.set_compute_pipeline_state(&pipeline).unwrap();
    encoder.set_buffer(&f.buffer(8), 0, 3).unwrap();
    refused(encoder.dispatch_threads(1, 1), "argument size (buffer 3): its type has 16 bytes, the buffer 8");
    encoder.set_buffer(&f.buffer(16), 0, 3).unwrap();
    refused(encoder.dispatch_threads(1, 1), "argument image (texture 0): no texture is bound");
    let texture = |change: fn(&mut TextureDescriptor)| {
        let mut descriptor = TextureDescriptor::new_2d(PixelFormat::RGBA8Unorm, 4, 4, false);
        change(&mut descriptor);
        f.device.make_texture(&descriptor).unwrap()
    };
    encoder.set_texture(&texture(|d| d.texture_type = TextureType::D3), 0).unwrap();
    refused(encoder.dispatch_threads(1, 1), "the kernel takes a texture2d, the texture is a texture3d");
    encoder.set_texture(&texture(|d| d.pixel_format = PixelFormat::RGBA8Uint), 0).unwrap();
    refused(encoder.dispatch_threads(1, 1), "texture of floats, the texture's format is RGBA8Uint");
    encoder.set_texture(&texture(|d| d.pixel_format = PixelFormat::Depth32Float), 0).unwrap();
    refused(encoder.dispatch_threads(1, 1), "writes it, but textures of format Depth32Float can only be read");
    encoder.set_texture(&texture(|d| d.usage = TextureUsage::SHADER_READ), 0).unwrap();
    refused(encoder.dispatch_threads(1, 1), "writes it, which the texture's usage does not allow");
    encoder.set_texture(&texture(|_| ()), 0).unwrap();
    refused(encoder.dispatch_threads(1, 1), "argument s (sampler 0): no sampler is bound");
    let sampler = f.device.make_sampler_state(&SamplerDescriptor::default()).unwrap();
    encoder.set_sampler_state(&sampler, 0).unwrap();
    refused(encoder.dispatch_threads(1, 1), "argument memory (threadgroup 0): it has no memory");
    refused(encoder.set_threadgroup_memory_length(32769, 0), "exceeds the limit of 32768 bytes");
    encoder.set_threadgroup_memory_length(32768, 0).unwrap();
    refused(encoder.dispatch_threads(1, 1), "33024 bytes of threadgroup memory (256 declared by the kernel");
    encoder.set_threadgroup_memory_length(32, 0).unwrap();
    encoder.dispatch_threads(1, 1).unwrap();
}

#[test]
fn sizes_are_checked() {
    let f = fixture();
    let (_command_buffer, encoder) = f.scale();
    refused(encoder.dispatch_threads(1, 0), "threadgroup (0, 1, 1) has no threads");
    refused(encoder.dispatch_threads(1, 1025), "exceeds (1024, 1024, 1024) along an axis");
    refused(encoder.dispatch_threads(1, (32, 33, 1)), "has 1056 threads; at most 1024 are allowed");
    refused(encoder.dispatch_threadgroups(u32::MAX, 2), "too many threads");
    refused(encoder.dispatch_threads((u32::MAX, u32::MAX, u32::MAX), 1), "too many threads");
    encoder.set_compute_pipeline_state(&f.pipeline("square")).unwrap();
    refused(encoder.dispatch_threads(1, 64), "is not the required (8, 8, 1)");
    encoder.dispatch_threads(64, (8, 8, 1)).unwrap();
    refused(f.device.make_buffer(0, StorageMode::Shared), "at least one byte");
    let indirect = f.buffer(12);
    refused(encoder.dispatch_threadgroups_with_indirect_buffer(&indirect, 4, (8, 8, 1)), "exceeds the buffer of 12");
}

#[test]
fn command_buffers_and_encoders_have_an_order() {
    let f = fixture();
    let (command_buffer, encoder) = f.scale();
    refused(command_buffer.wait_until_completed(), "has not been committed");
    refused(command_buffer.make_blit_command_encoder().map(drop), "while a compute command encoder is open");
    refused(command_buffer.commit(), "call end_encoding before commit");
    encoder.end_encoding().unwrap();
    refused(encoder.end_encoding(), "end_encoding was called before");
    refused(encoder.dispatch_threads(1, 1), "the encoder has ended");
    command_buffer.commit().unwrap();
    refused(command_buffer.commit(), "committed already");
    refused(command_buffer.make_compute_command_encoder().map(drop), "committed already");
    refused(command_buffer.add_completed_handler(|_| ()), "committed already");
    refused(f.library.make_function("missing"), "the library has scale, resources, square");
    refused(Device::by_name("gpu"), "there is no device \"gpu\"; there are:");
}

#[test]
fn handlers_run_before_waits_return_and_may_use_their_command_buffer() {
    let f = fixture();
    let count = Arc::new(AtomicU32::new(0));
    let (command_buffer, encoder) = f.scale();
    encoder.dispatch_threads(1, 1).unwrap();
    drop(encoder);
    let (c, queue) = (count.clone(), f.queue.clone());
    command_buffer
        .add_completed_handler(move |command_buffer| {
            assert_eq!(command_buffer.status(), CommandBufferStatus::Completed);
            command_buffer.wait_until_completed().unwrap();
            let next = queue.make_command_buffer().unwrap();
            next.commit().unwrap();
            next.wait_until_completed().unwrap();
            c.fetch_add(1, Ordering::SeqCst);
        })
        .unwrap();
    let c = count.clone();
    command_buffer
        .add_scheduled_handler(move |_| {
            c.fetch_add(10, Ordering::SeqCst);
        })
        .unwrap();
    command_buffer.commit().unwrap();
    command_buffer.wait_until_completed().unwrap();
    assert_eq!(count.load(Ordering::SeqCst), 11);
}

#[test]
fn enqueued_command_buffers_keep_their_place() {
    let f = fixture();
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    let make = |name: u32| {
        let command_buffer = f.queue.make_command_buffer().unwrap();
        let event = f.device.make_shared_event();
        let order = order.clone();
        event.notify_listener(1, move || order.lock().unwrap().push(name));
        command_buffer.encode_signal_event(&event, 1).unwrap();
        command_buffer
    };
    let (first, second) = (make(1), make(2));
    first.enqueue().unwrap();
    second.commit().unwrap();
    assert_eq!(second.status(), CommandBufferStatus::Committed);
    first.commit().unwrap();
    second.wait_until_completed().unwrap();
    first.wait_until_completed().unwrap();
    assert_eq!(*order.lock().unwrap(), [1, 2]);
}

#[test]
fn events_order_queues() {
    let f = fixture();
    let event = f.device.make_shared_event();
    let (waits, signals) = (f.queue.make_command_buffer().unwrap(), {
        let other = f.device.make_command_queue().unwrap();
        other.make_command_buffer().unwrap()
    });
    waits.encode_wait_for_event(&event, 5).unwrap();
    signals.encode_signal_event(&event, 5).unwrap();
    waits.commit().unwrap();
    assert!(!event.wait_until_signaled_value(5, Some(std::time::Duration::from_millis(2))));
    signals.commit().unwrap();
    waits.wait_until_completed().unwrap();
    assert_eq!(event.signaled_value(), 5);
}

#[test]
fn textures_take_and_give_bytes() {
    let f = fixture();
    let mut descriptor = TextureDescriptor::new_2d(PixelFormat::R8Unorm, 4, 4, true);
    let texture = f.device.make_texture(&descriptor).unwrap();
    let bytes: Vec<u8> = (0..16).map(|i| i * 10).collect();
    texture.replace_region(Region::new_2d(0, 0, 4, 4), 0, 0, &bytes, 4, 0).unwrap();
    let mut part = [0; 4];
    texture.get_bytes(&mut part, 2, 0, Region::new_2d(1, 2, 2, 2), 0, 0).unwrap();
    assert_eq!(part, [90, 100, 130, 140]);
    let region = Region::new_2d(0, 0, 4, 4);
    refused(texture.replace_region(region, 1, 0, &bytes, 4, 0), "exceeds level 1 of size (2, 2, 1)");
    refused(texture.replace_region(region, 0, 0, &bytes[1..], 4, 0), "needs 16 bytes and was given 15");
    refused(texture.replace_region(region, 0, 0, &bytes, 3, 0), "bytes_per_row is 3, a row of the region has 4");
    let command_buffer = f.queue.make_command_buffer().unwrap();
    let blit = command_buffer.make_blit_command_encoder().unwrap();
    blit.generate_mipmaps(&texture).unwrap();
    let buffer = f.buffer(16);
    let at = TextureSlice { slice: 0, level: 1 };
    blit.copy_from_texture_to_buffer(&texture, at, Region::new_2d(0, 0, 2, 2), &buffer, 0, 2, 4).unwrap();
    blit.end_encoding().unwrap();
    command_buffer.commit().unwrap();
    command_buffer.wait_until_completed().unwrap();
    assert_eq!(&buffer.to_vec::<u8>().unwrap()[..4], [25, 45, 105, 125]);
    descriptor.width = 0;
    refused(f.device.make_texture(&descriptor), "width of a texture2d is 0");
}

#[test]
fn private_memory_is_filled_by_a_copy() {
    let f = fixture();
    let buffer = f.device.make_buffer_with_bytes(&[1, 2, 3, 4], StorageMode::Private).unwrap();
    assert!(buffer.contents().is_none());
    refused(buffer.to_vec::<u8>(), "private storage");
    assert_eq!(f.null.take_log(), ["copy buffer 4"]);
}
