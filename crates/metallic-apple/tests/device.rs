//! The device against the fake of Metal: calls and their order of arguments, who keeps what for how
//! long, and what it promises beyond Metal.
#![cfg(all(feature = "gnustep", not(target_os = "macos")))]

mod fake_metal;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fake_metal::runtime::take_log;
use fake_metal::{Kind, add_kernel, session};
use metallic_apple::AppleDevice;
use metallic_hal::*;
use msl_ir::{PixelFormat, SamplerState, Scalar};

const MODULE: &str = r#"
fn scale(%data: ptr<device, f32>, %factor: ptr<constant, f32>) -> void {
  return
}
kernel scale = @scale {
  data: buffer 0 device read_write f32
  factor: buffer 1 constant reference read f32
}
kernel fault = @scale {
  data: buffer 0 device read_write f32
  factor: buffer 1 constant reference read f32
}

fn everything(%out: ptr<device, u32>, %image: ptr<constant, array<u8, 560>>, %s: u64, %memory: ptr<threadgroup, f32>, %spare: ptr<device, f32>) -> void {
  return
}
kernel everything = @everything {
  out: buffer 3 device read_write u32
  image: texture 2 write d2 f32 2
  s: sampler 1 read
  memory: threadgroup 4 read_write f32
  spare: buffer 9 device read f32 unused
}
"#;

const TEXT: &str = "kernel void scale(device float *data) {}\nkernel void fault() {}\nkernel void everything() {}\n";

fn text(text: &str, constants: Vec<FunctionConstantValue>) -> SourceText {
    let library = LibraryText {
        text: text.into(),
        preprocessor_macros: vec![("A(x)".into(), "x".into())],
        language_version: Some((3, 1)),
        fast_math_enabled: false,
    };
    SourceText { library: Arc::new(library), constants }
}

fn source(kernel: &str, text: Option<SourceText>) -> PipelineSource {
    let module = Arc::new(msl_ir::text::parse(MODULE).unwrap());
    let entry = module.entry_points.iter().position(|e| e.name == kernel).unwrap();
    PipelineSource { code: Arc::new(KernelCode::new(module, entry, None)), text, label: kernel.into(), eager: false }
}

fn device() -> AppleDevice {
    AppleDevice::system_default().unwrap()
}

fn buffer_of(device: &AppleDevice, values: &[f32]) -> Arc<dyn Buffer> {
    let buffer = device.make_buffer(values.len() as u64 * 4, StorageMode::Shared).unwrap();
    floats(&*buffer).copy_from_slice(values);
    buffer
}

#[expect(clippy::mut_from_ref, reason = "memory that host and device share")]
fn floats(buffer: &dyn Buffer) -> &mut [f32] {
    let start = buffer.contents().unwrap().cast::<f32>().as_ptr();
    // SAFETY: the buffer has so many bytes, and no command runs meanwhile.
    unsafe { std::slice::from_raw_parts_mut(start, buffer.length() as usize / 4) }
}

fn bytes(buffer: &dyn Buffer) -> Vec<u8> {
    // SAFETY: as in `floats`.
    unsafe { std::slice::from_raw_parts(buffer.contents().unwrap().as_ptr(), buffer.length() as usize).to_vec() }
}

fn list(commands: Vec<Command>) -> CommandList {
    CommandList { label: "list".into(), commands, ..CommandList::default() }
}

fn run(queue: &Arc<dyn Queue>, commands: Vec<Command>) -> Completion {
    let result = Arc::new(Mutex::new(None));
    let out = result.clone();
    let submission = queue.submit(list(commands), Box::new(move |completion| *out.lock().unwrap() = Some(completion)));
    submission.wait();
    assert!(submission.is_completed());
    result.lock().unwrap().take().unwrap()
}

fn dispatch(pipeline: &Arc<dyn Pipeline>, label: &str, arguments: Vec<Argument>, grid: Grid) -> Command {
    Command::Dispatch(Dispatch {
        pipeline: pipeline.clone(),
        arguments,
        grid,
        threads_per_threadgroup: Size::new(2, 2, 1),
        resident: Arc::new([]),
        label: label.into(),
        log_state: None,
    })
}

fn scale(pipeline: &Arc<dyn Pipeline>, data: &Arc<dyn Buffer>, offset: u64, factor: f32, grid: Grid) -> Command {
    let arguments = vec![
        Argument::Buffer { buffer: data.clone(), offset },
        Argument::Bytes(InlineBytes::new(&factor.to_le_bytes())),
    ];
    dispatch(pipeline, "scale", arguments, grid)
}

fn add_scale() {
    add_kernel("scale", |call| {
        let factor = f32::from_le_bytes(call.bytes[&1].as_slice().try_into().unwrap());
        let threads: usize = call.threads.iter().product();
        call.slice::<f32>(0).iter_mut().take(threads).for_each(|x| *x *= factor);
        Ok(())
    });
    add_kernel("fault", |_| Err("Caused GPU Address Fault Error (0000000b)".into()));
}

#[test]
fn a_system_without_metal_says_so() {
    let _session = session(Kind::None);
    assert_eq!(AppleDevice::system_default().err().unwrap().to_string(), "this system has no Metal device");
    assert!(AppleDevice::all().is_empty());
}

#[test]
fn the_device_says_what_it_is() {
    let _session = session(Kind::AppleSilicon);
    let device = device();
    let info = device.info();
    assert_eq!((info.name.as_str(), info.id.as_str(), info.registry_id), ("Fake GPU", "apple", 77));
    assert_eq!(info.max_threads_per_threadgroup, [1024, 512, 256]);
    assert_eq!((info.max_threadgroup_memory_length, info.max_buffer_length), (32768, 1 << 33));
    assert!(info.has_unified_memory && info.supports_shader_barycentric_coordinates);
}

#[test]
fn kernels_run_over_each_kind_of_grid() {
    let _session = session(Kind::AppleSilicon);
    add_scale();
    let device = device();
    let queue = device.make_command_queue().unwrap();
    let pipeline = device.make_compute_pipeline_state(&source("scale", Some(text(TEXT, vec![])))).unwrap();
    assert_eq!(pipeline.max_total_threads_per_threadgroup(), 896);
    assert_eq!((pipeline.thread_execution_width(), pipeline.static_threadgroup_memory_length()), (32, 48));
    let data = buffer_of(&device, &[1.0; 12]);
    let counts = device.make_buffer(20, StorageMode::Shared).unwrap();
    floats(&*counts)[2..5].copy_from_slice(&[2u32, 1, 1].map(f32::from_bits));
    take_log();
    let before = timestamp();
    let completion = run(
        &queue,
        vec![
            scale(&pipeline, &data, 0, 2.0, Grid::Threads(Size::new(3, 1, 1))),
            scale(&pipeline, &data, 8, 3.0, Grid::Threadgroups(Size::new(1, 1, 1))),
            scale(&pipeline, &data, 16, 5.0, Grid::Indirect { buffer: counts.clone(), offset: 8 }),
        ],
    );
    completion.result.unwrap();
    assert_eq!(floats(&*data), [2., 2., 6., 3., 15., 15., 5., 5., 5., 5., 5., 5.]);
    assert!(
        before <= completion.times.get().0
            && completion.times.get().0 <= completion.times.get().1
            && completion.times.get().1 <= timestamp()
    );
    assert_eq!(take_log(), ["encoder scale"], "dispatches share an encoder");
}

#[test]
fn every_kind_of_argument_arrives_at_its_index() {
    let _session = session(Kind::AppleSilicon);
    let seen = Arc::new(Mutex::new(None));
    let out = seen.clone();
    add_kernel("everything", move |call| {
        *out.lock().unwrap() = Some(call.clone());
        Ok(())
    });
    let device = device();
    let queue = device.make_command_queue().unwrap();
    let constant = |index, scalar, len, bits| FunctionConstantValue { index, scalar, len, bits };
    let constants = vec![
        constant(0, Scalar::Bool, 1, [1, 0, 0, 0]),
        constant(5, Scalar::F32, 3, [1.0f32, 2.0, 3.0, 0.0].map(|x| u64::from(x.to_bits()))),
        constant(7, Scalar::U64, 2, [1, 1 << 40, 0, 0]),
    ];
    let pipeline = device.make_compute_pipeline_state(&source("everything", Some(text(TEXT, constants)))).unwrap();
    let descriptor = TextureDescriptor::new_2d(PixelFormat::R32Float, 4, 4, false);
    let textures = vec![device.make_texture(&descriptor).unwrap(), device.make_texture(&descriptor).unwrap()];
    let out = buffer_of(&device, &[0.0; 8]);
    let spare = buffer_of(&device, &[0.0; 8]);
    // repeat, clamp to zero, clamp to edge; nearest, linear, linear; pixels; less; white; 4; 0.5 to 2.
    let packed = [(2, 3), (4, 3), (0, 3), (0, 1), (1, 1), (2, 2), (1, 1), (1, 4), (2, 2), (3, 4), (8, 16), (32, 16)];
    let sampler = packed.iter().fold((0u64, 0), |(bits, at), (value, width)| (bits | value << at, at + width)).0;
    let arguments = vec![
        Argument::Buffer { buffer: out.clone(), offset: 4 },
        Argument::Textures(textures.clone()),
        Argument::Sampler(SamplerState(sampler)),
        Argument::Threadgroup { length: 64 },
        Argument::Unbound,
    ];
    take_log();
    let Command::Dispatch(one) = dispatch(&pipeline, "everything", arguments, Grid::Threads(Size::new(5, 6, 7))) else {
        unreachable!()
    };
    let command = Command::Dispatch(Dispatch { resident: Arc::new([spare.clone()]), ..one });
    run(&queue, vec![command]).result.unwrap();
    assert_eq!(take_log()[0], "sampler [[2, 4, 0], [0, 1, 2], [0, 1, 2]] 4 1 0.5 2");
    let call = seen.lock().unwrap().take().unwrap();
    assert_eq!(call.buffers[&3], (out.contents().unwrap().as_ptr() as usize + 4, 28));
    assert_eq!(call.buffers.len(), 1);
    let ids: Vec<u64> = textures.iter().map(|t| t.gpu_resource_id()).collect();
    assert_eq!(call.textures.into_iter().collect::<Vec<_>>(), [(2, ids[0] as usize), (3, ids[1] as usize)]);
    assert_eq!(call.samplers[&1] as u64, device.sampler_resource_id(SamplerState(sampler)).unwrap());
    assert_eq!(call.threadgroup_memory.into_iter().collect::<Vec<_>>(), [(4, 64)]);
    assert_eq!((call.threads, call.threads_per_threadgroup, call.resident), ([5, 6, 7], [2, 2, 1], 1));
    // The numbers of `MTLDataType` for bool, float3 and ulong2.
    let constant = |index: usize| (call.constants[&index].0, u128::from_le_bytes(call.constants[&index].1));
    assert_eq!(constant(0), (53, 1));
    assert_eq!(constant(5), (5, 0x4040_0000_4000_0000_3f80_0000));
    assert_eq!(constant(7), (86, 1 << 104 | 1));
}

#[test]
fn a_text_is_compiled_once_and_its_errors_are_the_compilers() {
    let _session = session(Kind::AppleSilicon);
    let device = device();
    let shared = text(TEXT, vec![]);
    take_log();
    for kernel in ["scale", "fault", "scale"] {
        device.make_compute_pipeline_state(&source(kernel, Some(shared.clone()))).unwrap();
    }
    assert_eq!(take_log(), ["library fast math 0", "pipeline scale", "pipeline fault", "pipeline scale"]);
    let fails = |source: &PipelineSource| device.make_compute_pipeline_state(source).err().unwrap().to_string();
    let broken = text("kernel\n#error no luck\n", vec![]);
    // The line counts from the text and the macros before it.
    assert_eq!(fails(&source("scale", Some(broken))), "kernel scale: program_source:4:2: error: no luck");
    let other = text("kernel void other() {}", vec![]);
    assert_eq!(fails(&source("scale", Some(other))), "kernel scale: Function scale was not found in the library");
    assert!(fails(&source("scale", None)).starts_with("device apple compiles MSL only"));
}

#[test]
fn a_fault_names_its_kernel_and_ends_the_list() {
    let _session = session(Kind::AppleSilicon);
    add_scale();
    let device = device();
    let queue = device.make_command_queue().unwrap();
    let shared = text(TEXT, vec![]);
    let good = device.make_compute_pipeline_state(&source("scale", Some(shared.clone()))).unwrap();
    let bad = device.make_compute_pipeline_state(&source("fault", Some(shared))).unwrap();
    let data = buffer_of(&device, &[1.0; 4]);
    let (copy, event) = (buffer_of(&device, &[0.0; 4]), Arc::new(Event::new()));
    let grid = || Grid::Threads(Size::new(4, 1, 1));
    let arguments = || vec![Argument::Buffer { buffer: data.clone(), offset: 0 }, Argument::Unbound];
    let copy_data = Command::CopyBuffer {
        source: data.clone(),
        source_offset: 0,
        destination: copy.clone(),
        destination_offset: 0,
        size: 16,
    };
    let completion = run(
        &queue,
        vec![
            scale(&good, &data, 0, 2.0, grid()),
            copy_data,
            dispatch(&bad, "fault", arguments(), grid()),
            Command::SignalEvent { event: event.clone(), value: 1 },
        ],
    );
    let fault = completion.result.unwrap_err();
    assert_eq!(fault.to_string(), "Caused GPU Address Fault Error (0000000b), in kernel fault");
    assert_eq!(floats(&*copy), [2.0; 4]);
    assert_eq!(event.value(), 0);
    run(&queue, vec![scale(&good, &data, 0, 2.0, grid())]).result.unwrap();
    assert_eq!(floats(&*data), [4.0; 4]);
}

#[test]
fn copies_and_fills_take_any_offset() {
    for kind in [Kind::AppleSilicon, Kind::Discrete] {
        let _session = session(kind);
        add_kernel("copy_bytes", |call| {
            let from = call.slice::<u8>(1)[..call.threads[0]].to_vec();
            call.slice::<u8>(0)[..call.threads[0]].copy_from_slice(&from);
            Ok(())
        });
        add_kernel("fill_bytes", |call| {
            call.slice::<u8>(0)[..call.threads[0]].fill(call.bytes[&1][0]);
            Ok(())
        });
        let device = device();
        let queue = device.make_command_queue().unwrap();
        let from = device.make_buffer(16, StorageMode::Shared).unwrap();
        let to = device.make_buffer(16, StorageMode::Private).unwrap();
        let back = device.make_buffer(16, StorageMode::Shared).unwrap();
        assert!(to.contents().is_none());
        let copy = |source: &Arc<dyn Buffer>, source_offset, to: &Arc<dyn Buffer>, destination_offset, size| {
            Command::CopyBuffer {
                source: source.clone(),
                source_offset,
                destination: to.clone(),
                destination_offset,
                size,
            }
        };
        let fill = |offset, length, value| Command::FillBuffer { buffer: from.clone(), offset, length, value };
        take_log();
        let commands = vec![
            fill(0, 16, 7),
            fill(1, 3, 9),
            fill(4, 0, 1),
            copy(&from, 0, &to, 0, 16),
            copy(&from, 1, &to, 10, 2),
            copy(&to, 0, &back, 0, 16),
        ];
        run(&queue, commands).result.unwrap();
        assert_eq!(bytes(&*back), [7, 9, 9, 9, 7, 7, 7, 7, 7, 7, 9, 9, 7, 7, 7, 7]);
        let blits = take_log().iter().filter(|line| line.starts_with("blit ")).count();
        assert_eq!(blits, if kind == Kind::Discrete { 3 } else { 5 });
    }
}

#[test]
fn managed_memory_is_kept_in_step() {
    for kind in [Kind::AppleSilicon, Kind::Discrete] {
        let _session = session(kind);
        let is_discrete = kind == Kind::Discrete;
        let device = device();
        let queue = device.make_command_queue().unwrap();
        let managed = device.make_buffer(64, StorageMode::Managed).unwrap();
        let shared = device.make_buffer(64, StorageMode::Shared).unwrap();
        let texture = device.make_texture(&TextureDescriptor::default()).unwrap();
        take_log();
        for buffer in [&managed, &shared] {
            buffer.did_modify_range(4, 12);
            buffer.synchronize();
        }
        texture.get_bytes(&mut [0; 4], 4, 4, Region::new_2d(0, 0, 1, 1), TextureSlice::default());
        let commands = [&managed, &shared].map(|b| Command::Synchronize { buffer: b.clone() });
        run(&queue, commands.into()).result.unwrap();
        let log: Vec<String> = take_log().into_iter().filter(|line| !line.starts_with("encoder")).collect();
        if is_discrete {
            let expected =
                ["did modify 4+8", "synchronize MTLBuffer", "synchronize MTLTexture", "synchronize MTLBuffer"];
            assert_eq!(log, expected);
        } else {
            assert_eq!(log, ["did modify 4+8", "synchronize MTLBuffer"]);
        }
    }
}

#[test]
fn memory_of_the_host_is_used_in_place() {
    let _session = session(Kind::AppleSilicon);
    add_scale();
    let device = device();
    let queue = device.make_command_queue().unwrap();
    let pipeline = device.make_compute_pipeline_state(&source("scale", Some(text(TEXT, vec![])))).unwrap();
    let memory = HostMemory::allocate(40_000).unwrap();
    // Not at the start of a page, and not to the end of one.
    // SAFETY: within the allocation, which the buffer owns.
    let (start, owner) = (unsafe { memory.pointer().add(20_000) }, Arc::new(memory));
    // SAFETY: as above.
    let part = unsafe { HostMemory::external(start, 16, Box::new(owner.clone())) };
    let buffer = device.make_buffer_no_copy(part).unwrap();
    assert_eq!((buffer.contents().unwrap(), buffer.length()), (start, 16));
    assert_eq!(buffer.gpu_address(), start.as_ptr() as u64);
    floats(&*buffer).copy_from_slice(&[1., 2., 3., 4.]);
    run(&queue, vec![scale(&pipeline, &buffer, 4, 10.0, Grid::Threads(Size::new(2, 1, 1)))]).result.unwrap();
    assert_eq!(floats(&*buffer), [1., 20., 30., 4.]);
    assert_eq!(Arc::strong_count(&owner), 2);
    drop(buffer);
    assert_eq!(Arc::strong_count(&owner), 1);
    // Memory that Metal refuses goes back at once.
    // SAFETY: the device refuses it without a look at it.
    let huge = unsafe { HostMemory::external(start, 2 << 30, Box::new(owner.clone())) };
    assert!(matches!(device.make_buffer_no_copy(huge).err().unwrap(), Error::Unsupported(_)));
    assert_eq!(Arc::strong_count(&owner), 1);
    let error = device.make_buffer(2 << 30, StorageMode::Shared).err().unwrap();
    assert_eq!(error.to_string(), "cannot allocate 2147483648 bytes on apple");
}

#[test]
fn textures_are_written_copied_and_read() {
    let _session = session(Kind::AppleSilicon);
    let device = device();
    let queue = device.make_command_queue().unwrap();
    take_log();
    let volume = TextureDescriptor {
        texture_type: TextureType::D3,
        pixel_format: PixelFormat::R8Uint,
        width: 4,
        height: 2,
        depth: 2,
        mipmap_level_count: 2,
        ..TextureDescriptor::default()
    };
    let array = TextureDescriptor {
        texture_type: TextureType::D2Array,
        depth: 1,
        mipmap_level_count: 1,
        array_length: 3,
        storage_mode: StorageMode::Private,
        ..volume.clone()
    };
    let (from, to) = (device.make_texture(&volume).unwrap(), device.make_texture(&array).unwrap());
    assert_eq!(
        take_log(),
        [
            "texture type 7 levels 2 slices 1 samples 1 mode 0 usage 3",
            "texture type 3 levels 1 slices 3 samples 1 mode 2 usage 3"
        ]
    );
    let whole = Region::new_3d(0, 0, 0, Size::new(4, 2, 2));
    let at = TextureSlice::default();
    let texels: Vec<u8> = (0..16).collect();
    from.replace_region(whole, at, &texels, 4, 8);
    let mut plane = [0; 6];
    from.get_bytes(&mut plane, 3, 0, Region::new_3d(1, 0, 1, Size::new(3, 2, 1)), at);
    assert_eq!(plane, [9, 10, 11, 13, 14, 15]);

    let linear = device.make_buffer(32, StorageMode::Shared).unwrap();
    let part = Region { origin: Origin { x: 1, y: 0, z: 1 }, size: Size::new(2, 2, 1) };
    let slice = TextureSlice { slice: 2, level: 0 };
    let commands = vec![
        Command::CopyTexture {
            source: from.clone(),
            region: part,
            source_at: at,
            destination: to.clone(),
            destination_origin: Origin { x: 2, y: 0, z: 0 },
            destination_at: slice,
        },
        Command::CopyTextureToBuffer {
            source: to.clone(),
            region: Region::new_2d(0, 0, 4, 2),
            at: slice,
            destination: linear.clone(),
            destination_offset: 3,
            bytes_per_row: 8,
            bytes_per_image: 16,
        },
        Command::CopyBufferToTexture {
            source: linear.clone(),
            source_offset: 5,
            bytes_per_row: 0,
            bytes_per_image: 0,
            destination: from.clone(),
            region: Region { origin: Origin { x: 0, y: 1, z: 0 }, size: Size::new(2, 1, 1) },
            at: TextureSlice { slice: 0, level: 0 },
        },
        Command::GenerateMipmaps { texture: from.clone() },
    ];
    run(&queue, commands).result.unwrap();
    assert_eq!(bytes(&*linear)[3..15], [0, 0, 9, 10, 0, 0, 0, 0, 0, 0, 13, 14]);
    let mut all = [0; 16];
    from.get_bytes(&mut all, 4, 8, whole, at);
    assert_eq!(all, [0, 1, 2, 3, 9, 10, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
    assert!(take_log().contains(&"generate mipmaps of texels of 1 bytes".into()));
}

#[test]
fn strides_that_blits_cannot_take_are_faults() {
    let _session = session(Kind::AppleSilicon);
    let device = device();
    let queue = device.make_command_queue().unwrap();
    let texture = device.make_texture(&TextureDescriptor::new_2d(PixelFormat::RGBA8Unorm, 2, 2, false)).unwrap();
    let linear = device.make_buffer(32, StorageMode::Shared).unwrap();
    let fill = Command::FillBuffer { buffer: linear.clone(), offset: 0, length: 32, value: 3 };
    let odd = Command::CopyBufferToTexture {
        source: linear.clone(),
        source_offset: 0,
        bytes_per_row: 9,
        bytes_per_image: 0,
        destination: texture,
        region: Region::new_2d(0, 0, 2, 2),
        at: TextureSlice::default(),
    };
    let refill = Command::FillBuffer { buffer: linear.clone(), offset: 0, length: 32, value: 4 };
    let fault = run(&queue, vec![fill, odd, refill]).result.unwrap_err();
    let expected = "bytes_per_row is 9; to copy texels of RGBA8Unorm this device needs a multiple of 4";
    assert_eq!(fault.message, expected);
    assert_eq!(bytes(&*linear), [3; 32], "commands before it ran, those after it did not");
}

#[test]
fn events_order_queues_and_the_host() {
    let _session = session(Kind::AppleSilicon);
    let device = device();
    let (first, second) = (device.make_command_queue().unwrap(), device.make_command_queue().unwrap());
    let buffer = device.make_buffer(4, StorageMode::Shared).unwrap();
    let event = Arc::new(Event::new());
    let fill = |value| Command::FillBuffer { buffer: buffer.clone(), offset: 0, length: 4, value };
    let wait = |value| Command::WaitEvent { event: event.clone(), value };
    let signal = |value| Command::SignalEvent { event: event.clone(), value };
    let last =
        first.submit(list(vec![wait(1), fill(1), signal(2), wait(3), signal(4)]), Box::new(|c| c.result.unwrap()));
    let middle = second.submit(list(vec![wait(2), fill(2), signal(3)]), Box::new(|c| c.result.unwrap()));
    std::thread::sleep(Duration::from_millis(5));
    assert!(!last.is_completed() && !middle.is_completed());
    assert_eq!(bytes(&*buffer), [0; 4]);
    event.signal(1);
    last.wait();
    assert_eq!((event.value(), bytes(&*buffer)), (4, vec![2; 4]));
    middle.wait();
    // What has been reached holds up nobody, and needs no event of Metal.
    run(&first, vec![wait(4), fill(5)]).result.unwrap();
    assert_eq!(bytes(&*buffer), [5; 4]);
}

#[test]
fn any_number_of_lists_may_be_on_their_way() {
    let _session = session(Kind::AppleSilicon);
    let device = device();
    let queue = device.make_command_queue().unwrap();
    let buffer = device.make_buffer(4, StorageMode::Shared).unwrap();
    let event = Arc::new(Event::new());
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut last = queue.submit(
        list(vec![Command::WaitEvent { event: event.clone(), value: 1 }]),
        Box::new(|completion| completion.result.unwrap()),
    );
    for i in 0..1000 {
        let order = order.clone();
        let fill = Command::FillBuffer { buffer: buffer.clone(), offset: 0, length: 4, value: i as u8 };
        last = queue.submit(list(vec![fill]), Box::new(move |_| order.lock().unwrap().push(i)));
    }
    assert!(order.lock().unwrap().is_empty());
    event.signal(1);
    last.wait();
    assert_eq!(*order.lock().unwrap(), (0..1000).collect::<Vec<_>>());
    assert_eq!(bytes(&*buffer), [231; 4]);
}

#[test]
fn a_handler_may_wait_for_a_later_list() {
    let _session = session(Kind::AppleSilicon);
    let device = device();
    let queue = device.make_command_queue().unwrap();
    let count = Arc::new(AtomicU32::new(0));
    let (again, inner) = (queue.clone(), count.clone());
    let handler = move |_: Completion| {
        again.submit(list(vec![]), Box::new(|_| ())).wait();
        inner.fetch_add(1, Ordering::SeqCst);
    };
    let outer = CommandList { has_handlers: true, ..list(vec![]) };
    queue.submit(outer, Box::new(handler)).wait();
    assert_eq!(count.load(Ordering::SeqCst), 1);
    // A handler that panics is its own failure.
    queue.submit(list(vec![]), Box::new(|_| panic!("on purpose"))).wait();
}

#[test]
fn lists_outlive_the_handles_of_those_who_submitted_them() {
    let _session = session(Kind::AppleSilicon);
    add_scale();
    let event = Arc::new(Event::new());
    let result = Arc::new(Mutex::new(None));
    let submission = {
        let device = device();
        let queue = device.make_command_queue().unwrap();
        let pipeline = device.make_compute_pipeline_state(&source("scale", Some(text(TEXT, vec![])))).unwrap();
        let data = buffer_of(&device, &[1.0; 4]);
        let out = result.clone();
        let wait = Command::WaitEvent { event: event.clone(), value: 1 };
        let grid = Grid::Threads(Size::new(4, 1, 1));
        let commands = vec![wait, scale(&pipeline, &data, 0, 2.0, grid)];
        queue.submit(list(commands), Box::new(move |c| *out.lock().unwrap() = Some(c.result)))
    };
    event.signal(1);
    submission.wait();
    result.lock().unwrap().take().unwrap().unwrap();
}
