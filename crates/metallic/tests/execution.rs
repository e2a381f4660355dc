//! Kernels run through the whole object model. On every device that executes kernels.

use metallic::*;

/// The devices of this build that execute kernels.
fn devices() -> Vec<Device> {
    ["interp", "cpu", "cuda:0"].into_iter().filter_map(|id| Device::by_name(id).ok()).collect()
}

const KERNELS: &str = r#"
global tile: array<f32, 64> threadgroup

fn vector_add(%a: ptr<device, f32>, %b: ptr<device, f32>, %out: ptr<device, f32>) -> void {
  %gid = builtin thread_position_in_grid
  %i = extract %gid, 0
  %pa = ptr_offset %a, %i
  %pb = ptr_offset %b, %i
  %po = ptr_offset %out, %i
  %x = load %pa
  %y = load %pb
  %sum = add.contract %x, %y
  store %po, %sum
}
kernel vector_add = @vector_add {
  a: buffer 0 device read f32
  b: buffer 1 device read f32
  out: buffer 2 device read_write f32
}

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

fn meet(%data: ptr<device, u32>, %come: ptr<constant, u32>) -> void {
  %lid = builtin thread_index_in_threadgroup
  %least: u32 = load %come
  %comes = lt %lid, %least
  if %comes {
    barrier threadgroup [threadgroup]
  }
  %p = ptr_offset %data, %lid
  store %p, %lid
}
kernel meet = @meet {
  data: buffer 0 device read_write u32
  come: buffer 1 constant reference read u32
}

fn reduce(%in: ptr<device, f32>, %out: ptr<device, f32>) -> void {
  local stride: u32
  %gid = builtin thread_position_in_grid
  %i = extract %gid, 0
  %lid = builtin thread_index_in_threadgroup
  %tile = global_addr @tile
  %mine = index_addr %tile, %lid
  %pin = ptr_offset %in, %i
  %x = load %pin
  store %mine, %x
  barrier threadgroup [threadgroup]
  %stride = local_addr stride
  %s0: u32 = const 32
  store %stride, %s0
  %zero: u32 = const 0
  %one: u32 = const 1
  loop halve {
    %s = load %stride
    %done = eq %s, %zero
    if %done { break halve }
    %active = lt %lid, %s
    if %active {
      %j = add %lid, %s
      %other = index_addr %tile, %j
      %u = load %mine
      %v = load %other
      %w = add %u, %v
      store %mine, %w
    }
    barrier threadgroup [threadgroup]
  } continuing {
    %s1 = load %stride
    %s2 = shr %s1, %one
    store %stride, %s2
  }
  %first = eq %lid, %zero
  if %first {
    %gp = builtin threadgroup_position_in_grid
    %g = extract %gp, 0
    %po = ptr_offset %out, %g
    %total = load %mine
    store %po, %total
  }
}
kernel reduce = @reduce max_threads 64 {
  in: buffer 0 device read f32
  out: buffer 1 device read_write f32
}

fn chase(%table: ptr<device, u64>, %out: ptr<device, u32>) -> void {
  %address = load %table
  %p: ptr<device, u32> = int_to_ptr %address
  %v = load %p
  store %out, %v
}
kernel chase = @chase {
  table: buffer 0 device read u64
  out: buffer 1 device read_write u32
}
"#;

fn pipeline(device: &Device, name: &str) -> ComputePipelineState {
    let library = device.make_library_with_ir(KERNELS).unwrap();
    device.make_compute_pipeline_state(&library.make_function(name).unwrap()).unwrap()
}

/// Encodes with `encode`, commits and waits.
fn run(device: &Device, name: &str, encode: impl FnOnce(&ComputeCommandEncoder)) -> Result<()> {
    let command_buffer = device.make_command_queue().unwrap().make_command_buffer().unwrap();
    let encoder = command_buffer.make_compute_command_encoder().unwrap();
    encoder.set_compute_pipeline_state(&pipeline(device, name)).unwrap();
    encode(&encoder);
    encoder.end_encoding().unwrap();
    command_buffer.commit().unwrap();
    command_buffer.wait_until_completed()
}

fn count(n: usize) -> Vec<f32> {
    (0..n).map(|i| i as f32).collect()
}

#[test]
fn vectors_are_added_whatever_the_threadgroup() {
    for device in devices() {
        for (n, group) in [(1, 1), (100, 7), (1000, 64), (4096, 1024), (5000, 33)] {
            let a = device.make_buffer_with_slice(&count(n)).unwrap();
            let b = device.make_buffer_with_slice(&vec![0.5f32; n]).unwrap();
            let out = device.make_buffer(4 * n as u64, StorageMode::Shared).unwrap();
            run(&device, "vector_add", |encoder| {
                encoder.set_buffer(&a, 0, 0).unwrap();
                encoder.set_buffer(&b, 0, 1).unwrap();
                encoder.set_buffer(&out, 0, 2).unwrap();
                encoder.dispatch_threads(n as u32, group).unwrap();
            })
            .unwrap();
            let expected: Vec<f32> = (0..n).map(|i| i as f32 + 0.5).collect();
            assert_eq!(out.to_vec::<f32>().unwrap(), expected, "{device:?}, {n} threads by {group}");
        }
    }
}

#[test]
fn dispatches_of_one_encoder_see_each_other_and_inputs_may_alias() {
    for device in devices() {
        let data = device.make_buffer_with_slice(&count(300)).unwrap();
        run(&device, "scale", |encoder| {
            encoder.set_buffer(&data, 0, 0).unwrap();
            for factor in [2f32, 3.0, 0.5] {
                encoder.set_bytes(&factor.to_le_bytes(), 1).unwrap();
                encoder.dispatch_threadgroups(3, 100).unwrap();
            }
            encoder.set_compute_pipeline_state(&pipeline(&device, "vector_add")).unwrap();
            for index in 0..3 {
                encoder.set_buffer(&data, 0, index).unwrap();
            }
            encoder.dispatch_threads(300, 64).unwrap();
        })
        .unwrap();
        let expected: Vec<f32> = (0..300).map(|i| i as f32 * 6.0).collect();
        assert_eq!(data.to_vec::<f32>().unwrap(), expected, "{device:?}");
    }
}

#[test]
fn threadgroups_share_memory_across_barriers() {
    for device in devices() {
        let input = device.make_buffer_with_slice(&count(64 * 50)).unwrap();
        let out = device.make_buffer(4 * 50, StorageMode::Shared).unwrap();
        run(&device, "reduce", |encoder| {
            encoder.set_buffer(&input, 0, 0).unwrap();
            encoder.set_buffer(&out, 0, 1).unwrap();
            encoder.dispatch_threadgroups(50, 64).unwrap();
        })
        .unwrap();
        let expected: Vec<f32> = (0..50).map(|g| (64 * g..64 * (g + 1)).map(|i| i as f32).sum()).collect();
        assert_eq!(out.to_vec::<f32>().unwrap(), expected, "{device:?}");
    }
}

#[test]
fn a_kernel_that_leaves_its_buffer_fails_its_command_buffer() {
    for device in devices() {
        let data = device.make_buffer_with_slice(&count(10)).unwrap();
        let error = run(&device, "scale", |encoder| {
            encoder.set_buffer(&data, 8, 0).unwrap();
            encoder.set_bytes(&2f32.to_le_bytes(), 1).unwrap();
            encoder.dispatch_threads(9, 4).unwrap();
        })
        .unwrap_err();
        let Error::Execution(fault) = &error else { panic!("{device:?}: {error}") };
        assert_eq!(fault.kernel.as_deref(), Some("scale"), "{device:?}: {error}");
        assert_eq!(fault.argument.as_deref(), Some("data"), "{device:?}: {error}");
        assert_eq!(fault.thread, Some([8, 0, 0]), "{device:?}: {error}");
        // Whatever happened there, the queue goes on.
        run(&device, "scale", |encoder| {
            encoder.set_buffer(&data, 0, 0).unwrap();
            encoder.set_bytes(&2f32.to_le_bytes(), 1).unwrap();
            encoder.dispatch_threads(10, 4).unwrap();
        })
        .unwrap();
    }
}

#[test]
fn a_simdgroup_that_misses_a_barrier_is_a_fault() {
    // NVIDIA's GPUs wait for it, or do not.
    for device in devices().into_iter().filter(|device| !device.id().starts_with("cuda")) {
        let data = device.make_buffer_with_slice(&[0u32; 96]).unwrap();
        let meet = |threads: u32| {
            run(&device, "meet", |encoder| {
                encoder.set_buffer(&data, 0, 0).unwrap();
                encoder.set_bytes(&threads.to_le_bytes(), 1).unwrap();
                encoder.dispatch_threadgroups(1, 96).unwrap();
            })
        };
        for threads in [0, 65, 96] {
            // A simdgroup comes when one of its threads does; where nobody comes, nobody waits.
            meet(threads).unwrap_or_else(|error| panic!("{device:?}, {threads}: {error}"));
        }
        for threads in [1, 32, 64] {
            let error = meet(threads).unwrap_err();
            assert!(error.to_string().contains("divergent-barrier"), "{device:?}, {threads}: {error}");
        }
    }
}

#[test]
fn argument_buffers_reach_what_was_announced() {
    for device in devices() {
        let target = device.make_buffer_with_slice(&[17u32, 42]).unwrap();
        let table = device.make_buffer_with_slice(&[target.gpu_address() + 4]).unwrap();
        let out = device.make_buffer(4, StorageMode::Shared).unwrap();
        let chase = |announce: bool| {
            run(&device, "chase", |encoder| {
                encoder.set_buffer(&table, 0, 0).unwrap();
                encoder.set_buffer(&out, 0, 1).unwrap();
                if announce {
                    encoder.use_resource(&target).unwrap();
                }
                encoder.dispatch_threads(1, 1).unwrap();
            })
        };
        chase(true).unwrap();
        assert_eq!(out.to_vec::<u32>().unwrap(), [42], "{device:?}");
        assert!(matches!(chase(false), Err(Error::Execution(_))), "{device:?}");
    }
}

#[test]
fn many_command_buffers_in_flight_complete_in_order() {
    for device in devices() {
        let queue = device.make_command_queue().unwrap();
        let data = device.make_buffer_with_slice(&[1f32; 64]).unwrap();
        let pipeline = pipeline(&device, "scale");
        let all: Vec<CommandBuffer> = (0..100)
            .map(|i| {
                let command_buffer = queue.make_command_buffer().unwrap();
                let encoder = command_buffer.make_compute_command_encoder().unwrap();
                encoder.set_compute_pipeline_state(&pipeline).unwrap();
                encoder.set_buffer(&data, 0, 0).unwrap();
                let factor = if i % 2 == 0 { 2f32 } else { 0.5 };
                encoder.set_bytes(&factor.to_le_bytes(), 1).unwrap();
                encoder.dispatch_threads(64, 32).unwrap();
                encoder.end_encoding().unwrap();
                command_buffer.commit().unwrap();
                command_buffer
            })
            .collect();
        for command_buffer in &all {
            command_buffer.wait_until_completed().unwrap();
        }
        assert_eq!(data.to_vec::<f32>().unwrap(), [1f32; 64], "{device:?}");
    }
}

/// Runs with an environment of its own: variables are read when a device is opened.
#[test]
fn machine_code_comes_back_from_the_cache() {
    const MARK: &str = "METALLIC_TEST_CACHE_CHILD";
    if std::env::var_os(MARK).is_some() {
        let device = Device::by_name("cpu").unwrap();
        let data = device.make_buffer_with_slice(&count(10)).unwrap();
        run(&device, "scale", |encoder| {
            encoder.set_buffer(&data, 0, 0).unwrap();
            encoder.set_bytes(&2f32.to_le_bytes(), 1).unwrap();
            encoder.dispatch_threads(11, 4).unwrap();
        })
        .unwrap_err();
        assert_eq!(data.to_vec::<f32>().unwrap()[9], 18.0);
        return;
    }
    if Device::by_name("cpu").is_err() {
        return;
    }
    let directory = std::env::temp_dir().join(format!("metallic-execution-{}", std::process::id()));
    let entries = || {
        let mut all: Vec<_> = std::fs::read_dir(&directory).into_iter().flatten().flatten().map(|e| e.path()).collect();
        all.sort();
        all
    };
    let child = || {
        let status = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["machine_code_comes_back_from_the_cache", "--exact"])
            .env(MARK, "1")
            .env("PYMETALLIC_CACHE_DIR", &directory)
            .status()
            .unwrap();
        assert!(status.success());
    };
    child();
    let first = entries();
    assert!(!first.is_empty(), "the first run fills the cache");
    child();
    assert_eq!(entries(), first, "the second run adds nothing");
    for path in &first {
        std::fs::write(path, b"not machine code").unwrap();
    }
    child();
    assert_eq!(entries(), first, "damaged entries are replaced");
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn threads_may_use_one_device_at_the_same_time() {
    let rounds = if cfg!(debug_assertions) { 30 } else { 300 };
    for device in devices() {
        let scale = pipeline(&device, "scale");
        let handled = std::sync::atomic::AtomicUsize::new(0);
        let handled = std::sync::Arc::new(handled);
        std::thread::scope(|scope| {
            for thread in 0..6u32 {
                let (device, scale, handled) = (&device, &scale, handled.clone());
                scope.spawn(move || {
                    let queue = device.make_command_queue().unwrap();
                    let n = 1 + thread * 5000 * u32::from(device.id() == "cpu");
                    let data = device.make_buffer_with_slice(&vec![1f32; n as usize]).unwrap();
                    for round in 0..rounds {
                        let command_buffer = queue.make_command_buffer().unwrap();
                        let encoder = command_buffer.make_compute_command_encoder().unwrap();
                        encoder.set_compute_pipeline_state(scale).unwrap();
                        encoder.set_buffer(&data, 0, 0).unwrap();
                        // Some go one too far, which must not concern the others.
                        let beyond = u32::from(round % 7 == 6);
                        let factor = if round % 7 == 6 { 1f32 } else { [2f32, 0.5][round % 7 % 2] };
                        encoder.set_bytes(&factor.to_le_bytes(), 1).unwrap();
                        encoder.dispatch_threads(n + beyond, 64).unwrap();
                        encoder.end_encoding().unwrap();
                        let handled = handled.clone();
                        command_buffer
                            .add_completed_handler(move |_| {
                                handled.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                            })
                            .unwrap();
                        command_buffer.commit().unwrap();
                        if round % 3 != 0 || beyond == 1 {
                            assert_eq!(command_buffer.wait_until_completed().is_err(), beyond == 1);
                        }
                    }
                    let last = queue.make_command_buffer().unwrap();
                    last.commit().unwrap();
                    last.wait_until_completed().unwrap();
                });
            }
        });
        let start = std::time::Instant::now();
        while handled.load(std::sync::atomic::Ordering::SeqCst) < 6 * rounds && start.elapsed().as_secs() < 20 {
            std::thread::yield_now();
        }
        assert_eq!(handled.load(std::sync::atomic::Ordering::SeqCst), 6 * rounds, "{device:?}");
    }
}
