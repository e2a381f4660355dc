"""Command buffers: order, status, handlers, events, await, blits between buffers, threads of the host."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from support import HEADER

import pymetallic as pm

COUNT = HEADER + """
kernel void increment(device uint* data, uint i [[thread_position_in_grid]]) { data[i] += 1; }
kernel void affine(device uint* data, constant uint& a, constant uint& b, uint i [[thread_position_in_grid]]) { data[i] = data[i] * a + b; }
kernel void spin(device uint* data, constant uint& rounds, uint i [[thread_position_in_grid]])
{
    uint x = data[i] + i;
    for (uint k = 0; k < rounds; k++) {
        x = x * 1664525u + 1013904223u;
    }
    data[i] = x;
}
"""


def encode(commands: pm.CommandBuffer, name: str, buffer: pm.Buffer, *values: int, threads: int | None = None) -> None:
    encoder = commands.make_compute_command_encoder()
    encoder.set_compute_pipeline_state(commands.device.make_kernel(COUNT, name).pipeline_state)
    encoder.set_buffer(buffer, 0, 0)
    for index, value in enumerate(values):
        encoder.set_bytes(np.uint32(value), 1 + index)
    encoder.dispatch_threads(threads or buffer.size // 4, 64)
    encoder.end_encoding()


def test_status(device, queue):
    buffer = device.make_buffer(64)
    commands = queue.make_command_buffer()
    assert commands.get_status() == -1 and commands.status == "not_enqueued"
    encode(commands, "increment", buffer)
    commands.enqueue()
    assert commands.get_status() == -1 and commands.status == "enqueued"
    assert commands.gpu_start_time == commands.gpu_end_time == 0.0
    commands.commit()
    assert commands.get_status() in (0, 1)
    commands.wait_until_scheduled()
    commands.wait_until_completed()
    assert commands.get_status() == 1 and commands.status == "completed" and commands.error is None
    assert 0.0 < commands.gpu_start_time <= commands.gpu_end_time
    assert commands.command_queue.device == commands.device == device
    assert "completed" in repr(commands)


def test_commit_does_not_wait(device, queue):
    event = device.make_shared_event()
    commands = queue.make_command_buffer()
    commands.encode_wait_for_event(event, 1)
    start = time.perf_counter()
    commands.commit()
    assert time.perf_counter() - start < 1.0
    assert commands.get_status() == 0
    event.signaled_value = 1
    commands.wait_until_completed()
    assert commands.get_status() == 1


def test_other_threads_run_while_one_waits(device, queue):
    event = device.make_shared_event()
    commands = queue.make_command_buffer()
    commands.encode_wait_for_event(event, 1)
    commands.commit()
    waiter = threading.Thread(target=commands.wait_until_completed)
    waiter.start()
    ticks = sum(1 for _ in range(100_000))
    assert ticks == 100_000 and waiter.is_alive()
    event.signaled_value = 1
    waiter.join(60)
    assert not waiter.is_alive()


def test_commands_run_in_order(device, queue):
    buffer = device.make_buffer(4 * 100)
    expected = np.zeros(100, np.uint32)
    last = None
    for step in range(20):
        last = queue.make_command_buffer()
        for k in range(3):
            encode(last, "affine", buffer, 3 + k, step)
            expected = expected * np.uint32(3 + k) + np.uint32(step)
        last.commit()
    last.wait_until_completed()
    assert np.array_equal(buffer.to_numpy(np.uint32), expected)


def test_dispatches_of_one_encoder_see_each_other(device, queue):
    buffer = device.make_buffer(4 * 1000)
    commands = queue.make_command_buffer()
    encoder = commands.compute_command_encoder()
    encoder.set_compute_pipeline_state(device.make_kernel(COUNT, "increment").pipeline_state)
    encoder.set_buffer(buffer, 0, 0)
    for _ in range(50):
        encoder.dispatch_threads(1000, 96)
        encoder.memory_barrier()
    encoder.end_encoding()
    commands.commit()
    commands.wait_until_completed()
    assert (buffer.to_numpy(np.uint32) == 50).all()


def test_enqueued_order_holds(device, queue):
    buffer = device.make_buffer(4)
    first, second = queue.make_command_buffer(), queue.make_command_buffer()
    first.enqueue()
    second.enqueue()
    encode(second, "affine", buffer, 10, 0)
    second.commit()
    encode(first, "affine", buffer, 1, 7)
    first.commit()
    second.wait_until_completed()
    assert buffer.to_numpy(np.uint32)[0] == 70


def test_buffer_offsets(device, queue):
    buffer = device.make_buffer(4 * 100)
    commands = queue.make_command_buffer()
    encoder = commands.make_compute_command_encoder()
    encoder.set_compute_pipeline_state(device.make_kernel(COUNT, "increment").pipeline_state)
    encoder.set_buffer(buffer, 40, 0)
    encoder.dispatch_threads(10, 10)
    encoder.set_buffer_offset(360, 0)
    encoder.dispatch_threadgroups(2, 5)
    encoder.end_encoding()
    commands.commit()
    commands.wait_until_completed()
    expected = np.zeros(100, np.uint32)
    expected[10:20] = expected[90:100] = 1
    assert np.array_equal(buffer.to_numpy(np.uint32), expected)


def test_indirect_dispatch(device, queue):
    buffer, counts = device.make_buffer(4 * 100), device.make_buffer_from_numpy(np.array([0, 3, 1, 1], np.uint32))
    commands = queue.make_command_buffer()
    encoder = commands.make_compute_command_encoder()
    encoder.set_compute_pipeline_state(device.make_kernel(COUNT, "increment").pipeline_state)
    encoder.set_buffer(buffer, 0, 0)
    encoder.dispatch_threadgroups_with_indirect_buffer(counts, 4, 8)
    with pytest.raises(pm.MetalError):
        encoder.dispatch_threadgroups_with_indirect_buffer(counts, 8, 8)
    with pytest.raises(pm.MetalError):
        encoder.dispatch_threadgroups_with_indirect_buffer(counts, 2, 8)
    encoder.end_encoding()
    commands.commit()
    commands.wait_until_completed()
    assert np.array_equal(buffer.to_numpy(np.uint32), [1] * 24 + [0] * 76)


def test_blits(device, queue):
    a = device.make_buffer_from_numpy(np.arange(100, dtype=np.uint8))
    private = device.make_buffer(100, pm.Buffer.STORAGE_PRIVATE)
    managed = device.make_buffer(100, pm.Buffer.STORAGE_MANAGED)
    commands = queue.make_command_buffer()
    blit = commands.make_blit_command_encoder()
    blit.fill_buffer(private, 0xAB)
    blit.copy_from_buffer(a, 10, private, 3, 50)
    blit.copy_from_buffer(private, 0, managed, 0, 100)
    blit.fill_buffer(managed, 1, 90)
    blit.fill_buffer(managed, 2, 80, 5)
    blit.copy_from_buffer(a, 0, a, 50, 50)
    blit.synchronize_resource(managed)
    assert blit.command_buffer.status == "not_enqueued"
    blit.end_encoding()
    commands.commit()
    commands.wait_until_completed()
    expected = np.full(100, 0xAB, np.uint8)
    expected[3:53] = np.arange(10, 60)
    expected[90:], expected[80:85] = 1, 2
    assert np.array_equal(managed.to_numpy(np.uint8), expected)
    assert np.array_equal(a.to_numpy(np.uint8), [*range(50), *range(50)])


def test_managed_buffers(device, queue):
    buffer = device.make_buffer(40, pm.Buffer.STORAGE_MANAGED)
    view = buffer.to_numpy(np.uint32)
    view[:] = 5
    buffer.did_modify_range(0, 40)
    commands = queue.make_command_buffer()
    encode(commands, "increment", buffer)
    blit = commands.make_blit_command_encoder()
    blit.synchronize_resource(buffer)
    blit.end_encoding()
    commands.commit()
    commands.wait_until_completed()
    assert (view == 6).all()
    with pytest.raises(pm.MetalError):
        buffer.did_modify_range(20, 41)
    with pytest.raises(pm.MetalError):
        device.make_buffer(4).did_modify_range(0, 4)


# ---- handlers ------------------------------------------------------------------------------------


def test_handlers(device, queue):
    seen = []
    commands = queue.make_command_buffer()
    commands.add_scheduled_handler(lambda c: seen.append(("scheduled", type(c))))
    commands.add_completed_handler(lambda c: seen.append(("completed", c.get_status())))
    commands.add_completed_handler(lambda c: seen.append(("again", c.wait_until_completed())))
    commands.commit()
    commands.wait_until_completed()
    assert ("scheduled", pm.CommandBuffer) in seen
    assert [s for s in seen if s[0] != "scheduled"] == [("completed", 1), ("again", None)]


def test_a_handler_may_commit_the_next(device, queue):
    buffer = device.make_buffer(4)
    done = threading.Event()

    def step(left: int) -> None:
        commands = queue.make_command_buffer()
        encode(commands, "increment", buffer)
        commands.add_completed_handler(lambda _: step(left - 1) if left > 1 else done.set())
        commands.commit()

    step(10)
    assert done.wait(60)
    assert buffer.to_numpy(np.uint32)[0] == 10


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_handler_that_raises(device, queue):
    commands = queue.make_command_buffer()
    ran = []

    def bad(_: pm.CommandBuffer) -> None:
        ran.append(1)
        raise RuntimeError("on purpose")

    commands.add_completed_handler(bad)
    commands.commit()
    commands.wait_until_completed()
    assert ran == [1] and commands.get_status() == 1


def test_handlers_of_what_is_never_committed_go_away(device, queue):
    class Handler:
        def __call__(self, _: object) -> None: ...

    handler = Handler()
    gone = weakref.ref(handler)
    commands = queue.make_command_buffer()
    commands.add_completed_handler(handler)
    del handler
    assert gone() is not None
    del commands
    gc.collect()
    device.make_event()
    assert gone() is None


# ---- events --------------------------------------------------------------------------------------


def test_events(device):
    event = device.make_shared_event()
    assert event.signaled_value == 0 and event.wait_until_signaled_value(0, 0.0)
    assert not event.wait_until_signaled_value(1, 0.01)
    event.signaled_value = 5
    event.signaled_value = 3
    assert event.signaled_value == 5 and event.wait_until_signaled_value(4)


def test_events_order_queues(device):
    buffer, event = device.make_buffer(4 * 64), device.make_event()
    late, early = device.make_command_queue().make_command_buffer(), device.make_command_queue().make_command_buffer()
    late.encode_wait_for_event(event, 1)
    encode(late, "affine", buffer, 2, 0)
    late.encode_signal_event(event, 2)
    late.commit()
    encode(early, "affine", buffer, 1, 21)
    early.encode_signal_event(event, 1)
    early.commit()
    assert event.wait_until_signaled_value(2, 60.0)
    late.wait_until_completed()
    assert (buffer.to_numpy(np.uint32) == 42).all()


def test_events_are_encoded_between_encoders(device, queue):
    commands = queue.make_command_buffer()
    encoder = commands.make_compute_command_encoder()
    with pytest.raises(pm.MetalError, match="end_encoding"):
        commands.encode_signal_event(device.make_event(), 1)
    encoder.end_encoding()


# ---- await ---------------------------------------------------------------------------------------


def test_await(device, queue):
    buffer = device.make_buffer(4 * 64)

    async def main() -> None:
        first = queue.make_command_buffer()
        encode(first, "increment", buffer)
        assert await first is first  # commits it
        assert first.get_status() == 1
        second = queue.make_command_buffer()
        encode(second, "increment", buffer)
        second.commit()
        await second
        await second
        several = [queue.make_command_buffer() for _ in range(8)]
        for commands in several:
            encode(commands, "increment", buffer)

        async def wait(commands: pm.CommandBuffer) -> None:
            await commands

        await asyncio.gather(*map(wait, several))

    asyncio.run(main())
    assert (buffer.to_numpy(np.uint32) == 10).all()


def test_the_event_loop_goes_on(device, queue):
    event = device.make_shared_event()
    commands = queue.make_command_buffer()
    commands.encode_wait_for_event(event, 1)

    async def main() -> None:
        async def signal() -> None:
            await asyncio.sleep(0.01)
            event.signaled_value = 1

        async def wait() -> None:
            await commands

        await asyncio.wait_for(asyncio.gather(wait(), signal()), 60)

    asyncio.run(main())
    assert commands.get_status() == 1


@pytest.mark.usefixtures("finds_faults")
def test_await_raises_the_error(device, queue):
    commands = queue.make_command_buffer()
    encode(commands, "increment", device.make_buffer(4), threads=1 << 20)

    async def main() -> None:
        await commands

    with pytest.raises(pm.MetalExecutionError, match="increment"):
        asyncio.run(main())


# ---- threads of the host -------------------------------------------------------------------------


def test_many_threads(device):
    queue = device.make_command_queue()

    def work(k: int) -> bool:
        buffer = device.make_buffer(4 * 200)
        commands = None
        for _ in range(10):
            commands = queue.make_command_buffer()
            encode(commands, "affine", buffer, 1, k)
            commands.commit()
        commands.wait_until_completed()
        return bool((buffer.to_numpy(np.uint32) == 10 * k).all())

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(24)))


def test_one_command_buffer_is_waited_for_by_many(device, queue):
    commands = queue.make_command_buffer()
    encode(commands, "spin", device.make_buffer(4 * 64), 100)
    commands.commit()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: commands.wait_until_completed(), range(8)))
    assert commands.get_status() == 1
