//! The host's part against a driver for tests.

use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use metallic_hal::{
    Argument, Buffer, Command, CommandList, Completion, Device, Dispatch, Event, Grid, KernelCode, Pipeline,
    PipelineSource, Queue, StorageMode, Submission,
};

use crate::fake;

const KERNEL: &str = include_str!("testdata/increment.ir");

fn pipeline(device: &dyn Device) -> Arc<dyn Pipeline> {
    let module = Arc::new(msl_ir::text::parse(KERNEL).unwrap());
    let code = Arc::new(KernelCode::new(module, 0, None));
    let source = PipelineSource { code, text: None, label: "increment".into(), eager: false };
    device.make_compute_pipeline_state(&source).unwrap()
}

fn dispatch(pipeline: &Arc<dyn Pipeline>, buffer: &Arc<dyn Buffer>) -> Command {
    Command::Dispatch(Dispatch {
        pipeline: pipeline.clone(),
        arguments: vec![Argument::Buffer { buffer: buffer.clone(), offset: 0 }],
        grid: Grid::Threads(64.into()),
        threads_per_threadgroup: 64.into(),
        resident: Arc::new([]),
        label: "increment".into(),
        log_state: None,
    })
}

type Done = Arc<Mutex<Option<Completion>>>;

fn submit(queue: &Arc<dyn Queue>, commands: Vec<Command>) -> (Arc<dyn Submission>, Done) {
    let done = Done::default();
    let seen = done.clone();
    let list = CommandList { commands, ..CommandList::default() };
    (queue.submit(list, Box::new(move |completion| *seen.lock().unwrap() = Some(completion))), done)
}
fn run(queue: &Arc<dyn Queue>, commands: Vec<Command>) -> Completion {
    let (submission, done) = submit(queue, commands);
    submission.wait();
    done.lock().unwrap().clone().expect("completed")
}
fn words(buffer: &dyn Buffer) -> Vec<u32> {
    let mut bytes = vec![0; buffer.length() as usize];
    buffer.read(0, &mut bytes);
    bytes.chunks(4).map(|c| u32::from_le_bytes(c.try_into().unwrap())).collect()
}

#[test]
fn only_what_changed_is_transferred() {
    let (device, _guard) = fake::device();
    let pipeline = pipeline(&device);
    let queue = device.make_command_queue().unwrap();
    let buffer = device.make_buffer(4096, StorageMode::Shared).unwrap();
    fake::UPLOADED.store(0, SeqCst);
    for _ in 0..10 {
        run(&queue, vec![dispatch(&pipeline, &buffer)]).result.unwrap();
    }
    // Nobody looked: nothing came or went.
    assert_eq!((fake::UPLOADED.load(SeqCst), fake::DOWNLOADED.load(SeqCst)), (0, 0));
    assert_eq!(words(&*buffer), [10; 1024]);
    assert_eq!(words(&*buffer), [10; 1024]);
    assert_eq!((fake::UPLOADED.load(SeqCst), fake::DOWNLOADED.load(SeqCst)), (0, 4096));
    // Part of it is written.
    buffer.write(4, &20u32.to_le_bytes());
    run(&queue, vec![dispatch(&pipeline, &buffer)]).result.unwrap();
    assert_eq!(fake::UPLOADED.load(SeqCst), 4);
    assert_eq!(words(&*buffer)[..3], [11, 21, 11]);
    assert_eq!(fake::DOWNLOADED.load(SeqCst), 2 * 4096);
}

#[test]
fn a_view_sees_what_kernels_write_and_kernels_what_goes_through_the_view() {
    let (device, _guard) = fake::device();
    let pipeline = pipeline(&device);
    let queue = device.make_command_queue().unwrap();
    let buffer = device.make_buffer_with_bytes(&[1; 64], StorageMode::Shared).unwrap().unwrap();
    let view = buffer.contents().unwrap().cast::<u32>();
    // SAFETY: sixteen words, and nothing is on its way when they are used.
    let word = |i: usize| unsafe { view.add(i).as_ptr() };
    unsafe { *word(3) = 5 };
    run(&queue, vec![dispatch(&pipeline, &buffer)]).result.unwrap();
    unsafe { assert_eq!((*word(3), *word(4)), (6, 0x0101_0102)) };
    unsafe { *word(4) = 8 };
    buffer.release_contents();
    run(&queue, vec![dispatch(&pipeline, &buffer)]).result.unwrap();
    assert_eq!(words(&*buffer)[3..6], [7, 9, 0x0101_0103]);
    // The view is gone: another round brings nothing here.
    let before = (fake::UPLOADED.load(SeqCst), fake::DOWNLOADED.load(SeqCst));
    run(&queue, vec![dispatch(&pipeline, &buffer)]).result.unwrap();
    assert_eq!((fake::UPLOADED.load(SeqCst), fake::DOWNLOADED.load(SeqCst)), before);
}

#[test]
fn a_view_that_appears_while_the_gpu_writes_is_filled_at_completion() {
    let (device, _guard) = fake::device();
    let pipeline = pipeline(&device);
    let queue = device.make_command_queue().unwrap();
    let buffer = device.make_buffer(64, StorageMode::Shared).unwrap();
    fake::DELAY.store(20, SeqCst);
    let (submission, _) = submit(&queue, vec![dispatch(&pipeline, &buffer)]);
    std::thread::sleep(Duration::from_millis(5));
    let view = buffer.contents().unwrap().cast::<u32>();
    submission.wait();
    // SAFETY: nothing is on its way.
    assert_eq!(unsafe { *view.as_ptr() }, 1);
}

#[test]
fn private_buffers_stay_on_the_gpu() {
    let (device, _guard) = fake::device();
    let pipeline = pipeline(&device);
    let queue = device.make_command_queue().unwrap();
    let buffer = device.make_buffer(64, StorageMode::Private).unwrap();
    let copy = device.make_buffer(64, StorageMode::Shared).unwrap();
    assert!(buffer.contents().is_none());
    fake::UPLOADED.store(0, SeqCst);
    let blit = Command::CopyBuffer {
        source: buffer.clone(),
        source_offset: 0,
        destination: copy.clone(),
        destination_offset: 0,
        size: 64,
    };
    run(&queue, vec![dispatch(&pipeline, &buffer), blit]).result.unwrap();
    assert_eq!((fake::UPLOADED.load(SeqCst), fake::DOWNLOADED.load(SeqCst)), (0, 0));
    assert_eq!(words(&*copy), [1; 16]);
}

#[test]
fn lists_complete_in_order_however_many_there_are() {
    let (device, _guard) = fake::device();
    let pipeline = pipeline(&device);
    let queue = device.make_command_queue().unwrap();
    let buffer = device.make_buffer(64, StorageMode::Shared).unwrap();
    for delay in [0, 1] {
        fake::DELAY.store(delay, SeqCst);
        let order = Arc::new(Mutex::new(Vec::new()));
        let all: Vec<_> = (0..200)
            .map(|i| {
                let order = order.clone();
                let list = CommandList { commands: vec![dispatch(&pipeline, &buffer)], ..CommandList::default() };
                queue.submit(list, Box::new(move |_| order.lock().unwrap().push(i)))
            })
            .collect();
        all[150].wait();
        assert!(all[..=150].iter().all(|s| s.is_completed()));
        // Nobody waits for the rest.
        while !all.iter().all(|s| s.is_completed()) {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(order.lock().unwrap().iter().copied().eq(0..200));
    }
    assert_eq!(words(&*buffer), [400; 16]);
}

#[test]
fn events_hold_up_what_comes_after() {
    let (device, _guard) = fake::device();
    let pipeline = pipeline(&device);
    let (first, second) = (device.make_command_queue().unwrap(), device.make_command_queue().unwrap());
    let buffer = device.make_buffer(64, StorageMode::Shared).unwrap();
    let event = Arc::new(Event::new());
    let waits = Command::WaitEvent { event: event.clone(), value: 1 };
    let (held, _) = submit(&first, vec![waits, dispatch(&pipeline, &buffer)]);
    let (behind, _) = submit(&first, vec![dispatch(&pipeline, &buffer)]);
    std::thread::sleep(Duration::from_millis(5));
    assert!(!held.is_completed() && !behind.is_completed());
    let signals = Command::SignalEvent { event, value: 1 };
    run(&second, vec![dispatch(&pipeline, &buffer), signals]).result.unwrap();
    behind.wait();
    assert!(held.is_completed());
    assert_eq!(words(&*buffer), [3; 16]);
}

#[test]
fn after_a_fault_the_rest_of_the_list_does_not_run_and_the_next_list_does() {
    let (device, _guard) = fake::device();
    let pipeline = pipeline(&device);
    let queue = device.make_command_queue().unwrap();
    let buffer = device.make_buffer(64, StorageMode::Shared).unwrap();
    fake::FAULT_AT.store(1, SeqCst);
    let commands = || (0..4).map(|_| dispatch(&pipeline, &buffer)).collect();
    let fault = run(&queue, commands()).result.unwrap_err();
    assert_eq!(fault.kernel.as_deref(), Some("increment"));
    assert_eq!((fault.id, fault.thread), ("out-of-bounds", Some([7, 0, 0])));
    assert_eq!(words(&*buffer), [1; 16]);
    fake::FAULT_AT.store(u32::MAX, SeqCst);
    run(&queue, commands()).result.unwrap();
    assert_eq!(words(&*buffer), [5; 16]);
}

#[test]
fn a_refused_launch_fails_its_list_only() {
    let (device, _guard) = fake::device();
    let pipeline = pipeline(&device);
    let queue = device.make_command_queue().unwrap();
    let buffer = device.make_buffer(64, StorageMode::Shared).unwrap();
    fake::REFUSE.store(701, SeqCst);
    let fault = run(&queue, vec![dispatch(&pipeline, &buffer)]).result.unwrap_err();
    assert_eq!(fault.kernel.as_deref(), Some("increment"));
    assert!(fault.message.contains("too many resources"), "{fault}");
    run(&queue, vec![dispatch(&pipeline, &buffer)]).result.unwrap();
}

#[test]
fn a_broken_context_is_said_to_be_lost() {
    let (device, _guard) = fake::device();
    let pipeline = pipeline(&device);
    let queue = device.make_command_queue().unwrap();
    let buffer = device.make_buffer(64, StorageMode::Shared).unwrap();
    run(&queue, vec![dispatch(&pipeline, &buffer)]).result.unwrap();
    fake::BREAK.store(700, SeqCst);
    let (broken, _) = submit(&queue, vec![dispatch(&pipeline, &buffer)]);
    let fault = run(&queue, vec![dispatch(&pipeline, &buffer)]).result.unwrap_err();
    broken.wait();
    assert!(fault.message.contains("device cuda:0 is lost: an illegal memory access"), "{fault}");
    assert!(fault.message.contains("start the program again"), "{fault}");
    assert!(device.is_lost());
    let error = device.make_buffer(64, StorageMode::Shared).err().unwrap();
    assert!(error.to_string().contains("lost"), "{error}");
}

#[test]
fn memory_that_is_not_there_is_an_error_with_its_size() {
    let (device, _guard) = fake::device();
    let error = device.make_buffer(1 << 40, StorageMode::Private).err().unwrap();
    assert_eq!(error.to_string(), format!("cannot allocate {} bytes on cuda:0", 1u64 << 40));
    // Freed memory is used again.
    let address = device.make_buffer(3 << 20, StorageMode::Private).unwrap().gpu_address();
    assert_eq!(device.make_buffer(3 << 20, StorageMode::Private).unwrap().gpu_address(), address);
}

#[test]
fn large_uploads_arrive_whole() {
    let (device, _guard) = fake::device();
    let bytes: Vec<u8> = (0..(9 << 20) + 5).map(|i| (i % 251) as u8).collect();
    let upload = |bytes: &[u8]| {
        let buffer = device.make_buffer_with_bytes(bytes, StorageMode::Shared).unwrap().unwrap();
        let mut back = vec![0; bytes.len()];
        buffer.read(0, &mut back);
        assert!(back == bytes);
    };
    // One after the other, and beside each other, of all lengths around those of blocks and pieces.
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for length in [bytes.len(), 2 << 20, (2 << 20) - 1, (4 << 20) + 1, 8 << 20, (256 << 10) * 9 + 7] {
                    upload(&bytes[..length]);
                }
            });
        }
    });
}

/// Runs lists of one launch until they end in marks, which are made in the background; how many ran.
fn run_until_marked(queue: &Arc<dyn Queue>, pipeline: &Arc<dyn Pipeline>, buffer: &Arc<dyn Buffer>) -> u32 {
    let mut count = 0;
    while fake::GRAPH_LAUNCHES.load(SeqCst) == 0 {
        run(queue, vec![dispatch(pipeline, buffer)]).result.unwrap();
        count += 1;
        std::thread::sleep(Duration::from_micros(100));
        assert!(count < 100_000, "there are no marks");
    }
    count
}

#[test]
fn a_queue_that_is_used_often_ends_its_launches_in_marks() {
    let (device, _guard) = fake::device();
    let pipeline = pipeline(&device);
    let queue = device.make_command_queue().unwrap();
    let buffer = device.make_buffer(64, StorageMode::Shared).unwrap();
    let count = run_until_marked(&queue, &pipeline, &buffer);
    assert!(count >= 15, "{count}");
    let mut last = 0.0;
    for _ in 0..100 {
        let (start, end) = run(&queue, vec![dispatch(&pipeline, &buffer)]).times.get();
        assert!(last <= start && start <= end, "{last} {start} {end}");
        last = end;
    }
    assert_eq!((fake::GRAPH_LAUNCHES.load(SeqCst), fake::GRAPH_CHANGES.load(SeqCst)), (101, 0));
    assert_eq!(words(&*buffer), [count + 100; 16]);
    // More kinds of launches than are kept, among lists of other kinds.
    let buffers: Vec<_> = (0..20).map(|_| device.make_buffer(64, StorageMode::Shared).unwrap()).collect();
    for _ in 0..5 {
        for buffer in &buffers {
            submit(&queue, vec![dispatch(&pipeline, buffer)]);
        }
        submit(&queue, vec![dispatch(&pipeline, &buffers[0]), dispatch(&pipeline, &buffers[1])]);
    }
    run(&queue, vec![dispatch(&pipeline, &buffers[2])]).result.unwrap();
    assert!(fake::GRAPH_CHANGES.load(SeqCst) > 0);
    let sums: Vec<u32> = buffers.iter().map(|buffer| words(&**buffer)[0]).collect();
    assert_eq!((sums[0], sums[1], sums[2]), (10, 10, 6));
    assert!(sums[3..].iter().all(|n| *n == 5), "{sums:?}");
    // Where somebody looks at the result it comes back with the list.
    let view = buffers[3].contents().unwrap().cast::<u32>();
    run(&queue, vec![dispatch(&pipeline, &buffers[3])]).result.unwrap();
    // SAFETY: nothing is on its way.
    assert_eq!(unsafe { *view.as_ptr() }, 6);
}

#[test]
fn faults_and_losses_show_in_lists_that_end_in_marks() {
    let (device, _guard) = fake::device();
    let pipeline = pipeline(&device);
    let queue = device.make_command_queue().unwrap();
    let buffer = device.make_buffer(64, StorageMode::Shared).unwrap();
    run_until_marked(&queue, &pipeline, &buffer);
    let before = fake::GRAPH_LAUNCHES.load(SeqCst);
    fake::FAULT_AT.store(0, SeqCst);
    let fault = run(&queue, vec![dispatch(&pipeline, &buffer)]).result.unwrap_err();
    assert_eq!(
        (fault.id, fault.thread, fault.kernel.as_deref()),
        ("out-of-bounds", Some([7, 0, 0]), Some("increment"))
    );
    fake::FAULT_AT.store(u32::MAX, SeqCst);
    run(&queue, vec![dispatch(&pipeline, &buffer)]).result.unwrap();
    assert_eq!(fake::GRAPH_LAUNCHES.load(SeqCst), before + 2);
    // A mark that never comes.
    fake::BREAK.store(700, SeqCst);
    let fault = run(&queue, vec![dispatch(&pipeline, &buffer)]).result.unwrap_err();
    assert!(fault.message.contains("device cuda:0 is lost: an illegal memory access"), "{fault}");
    assert!(device.is_lost());
}

#[test]
fn lists_that_come_again_are_handed_over_at_once() {
    let (device, _guard) = fake::device();
    let pipeline = pipeline(&device);
    let queue = device.make_command_queue().unwrap();
    let buffers: Vec<_> = (0..6).map(|_| device.make_buffer(64, StorageMode::Shared).unwrap()).collect();
    run_until_marked(&queue, &pipeline, &buffers[5]);
    let list = |which: &[usize]| which.iter().map(|i| dispatch(&pipeline, &buffers[*i])).collect::<Vec<_>>();
    let graphs = || fake::GRAPH_LAUNCHES.load(SeqCst);
    let before = graphs();
    for _ in 0..10 {
        run(&queue, list(&[0, 1, 0])).result.unwrap();
    }
    // Twice one by one, then as one.
    assert_eq!(graphs() - before, 8);
    assert_eq!((words(&*buffers[0])[15], words(&*buffers[1])[15]), (20, 10));
    // Two that take turns, as in a simulation with two states.
    for _ in 0..10 {
        run(&queue, list(&[2, 3, 3])).result.unwrap();
        run(&queue, list(&[3, 2, 2])).result.unwrap();
    }
    assert_eq!((words(&*buffers[2])[15], words(&*buffers[3])[15]), (30, 30));
    assert_eq!((graphs() - before, fake::GRAPH_CHANGES.load(SeqCst)), (28, 0));
    // More kinds than are kept: what differs is changed.
    for first in 0..10 {
        run(&queue, list(&[first % 5, 4, first / 5])).result.unwrap();
    }
    assert_eq!(words(&*buffers[4])[15], 12);
    assert!((1..=30).contains(&fake::GRAPH_CHANGES.load(SeqCst)), "{}", fake::GRAPH_CHANGES.load(SeqCst));
    // After a fault the rest of the list does nothing.
    let (first, second) = (words(&*buffers[0])[0], words(&*buffers[1])[0]);
    fake::FAULT_AT.store(1, SeqCst);
    let fault = run(&queue, list(&[0, 1, 0])).result.unwrap_err();
    assert_eq!((fault.id, fault.thread), ("out-of-bounds", Some([7, 0, 0])));
    assert_eq!((words(&*buffers[0])[0], words(&*buffers[1])[0]), (first + 1, second));
    fake::FAULT_AT.store(u32::MAX, SeqCst);
    run(&queue, list(&[0, 1, 0])).result.unwrap();
    assert_eq!((words(&*buffers[0])[0], words(&*buffers[1])[0]), (first + 3, second + 1));
    // Where somebody looks at a result, it comes back with the list.
    let view = buffers[1].contents().unwrap().cast::<u32>();
    let now = graphs();
    run(&queue, list(&[0, 1, 0])).result.unwrap();
    // SAFETY: nothing is on its way.
    assert_eq!((unsafe { *view.as_ptr() }, graphs()), (second + 2, now));
}
