"""Uploads and downloads as part of a command buffer; futures of command buffers."""

from __future__ import annotations

import array
import asyncio
import concurrent.futures
import ctypes
import gc
import threading
import weakref

import numpy as np
import pytest
from support import HEADER, leaves_python_to_others

import pymetallic as pm

SOURCE = HEADER + """
kernel void twice(device float* data [[buffer(0)]], uint i [[thread_position_in_grid]]) { data[i] *= 2.0f; }
kernel void far(device float* data [[buffer(0)]], uint i [[thread_position_in_grid]]) { data[i + (1u << 28)] = 1.0f; }
"""
MODES = [pm.Buffer.STORAGE_SHARED, pm.Buffer.STORAGE_MANAGED, pm.Buffer.STORAGE_PRIVATE]


def encode(commands: pm.CommandBuffer, buffer: pm.Buffer, name: str = "twice") -> None:
    encoder = commands.make_compute_command_encoder()
    encoder.set_compute_pipeline_state(commands.device.make_kernel(SOURCE, name).pipeline_state)
    encoder.set_buffer(buffer, 0, 0)
    encoder.dispatch_threads(buffer.size // 4, 64)
    encoder.end_encoding()


def failing(queue: pm.CommandQueue) -> pm.CommandBuffer:
    commands = queue.make_command_buffer()
    encode(commands, queue.device.make_buffer(64), "far")
    return commands


# ---- transfers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_up_compute_down(device, queue, mode):
    values = np.arange(3000, dtype=np.float32).reshape(30, 100)
    commands = queue.make_command_buffer()
    buffer = pm.async_buffer_from_numpy(device, values, commands, mode)
    before = pm.async_buffer_to_numpy(buffer, np.float32, commands)
    encode(commands, buffer)
    after = pm.async_buffer_to_numpy(buffer, "f4", commands, (30, 100))
    values[:] = -1  # staged already
    assert commands.status == "not_enqueued" and buffer.storage_mode == mode
    commands.commit()
    commands.wait_until_completed()
    assert np.array_equal(before, np.arange(3000)) and np.array_equal(after.ravel(), 2 * np.arange(3000))
    assert after.shape == (30, 100) and after.flags.writeable


def test_the_copy_is_not_done_when_the_function_returns(device, queue):
    event = device.make_shared_event()
    commands = queue.make_command_buffer()
    commands.encode_wait_for_event(event, 1)
    buffer = pm.async_buffer_from_numpy(device, np.full(100, 7, np.int32), commands, pm.Buffer.STORAGE_SHARED)
    commands.commit()
    assert not buffer.to_numpy(np.int32).any()
    event.signaled_value = 1
    commands.wait_until_completed()
    assert (buffer.to_numpy(np.int32) == 7).all()


def test_anything_with_memory_is_uploaded(device, queue):
    commands = queue.make_command_buffer()
    sources = [array.array("f", range(6)), memoryview(np.arange(6, dtype=np.float32)), np.arange(12, dtype=np.float32)[::2] / 2,
               np.arange(6, dtype=np.float32).tobytes()]
    down = [pm.async_buffer_to_numpy(pm.async_buffer_from_numpy(device, s, commands), np.float32, commands) for s in sources]
    commands.commit()
    commands.wait_until_completed()
    assert all(np.array_equal(d, np.arange(6)) for d in down)


def test_wrong_transfers(device, queue):
    commands = queue.make_command_buffer()
    other = pm.Device("null").make_command_queue().make_command_buffer()
    with pytest.raises(pm.MetalError, match="belongs to device null"):
        pm.async_buffer_from_numpy(device, np.zeros(3), other)
    with pytest.raises(pm.MetalError, match="belongs to device"):
        pm.async_buffer_to_numpy(device.make_buffer(8), np.float32, other)
    with pytest.raises(ValueError, match="STORAGE_SHARED"):
        pm.async_buffer_from_numpy(device, np.zeros(3), commands, 7)
    with pytest.raises(pm.MetalError, match="at least one byte"):
        pm.async_buffer_from_numpy(device, np.zeros(0), commands)
    for dtype, shape in ((np.float64, None), (np.float32, (2, 2))):
        with pytest.raises(pm.MetalError):
            pm.async_buffer_to_numpy(device.make_buffer(12), dtype, commands, shape)
    encoder = commands.make_compute_command_encoder()
    with pytest.raises(pm.MetalError, match="end_encoding"):
        pm.async_buffer_from_numpy(device, np.zeros(3), commands)
    encoder.end_encoding()
    commands.commit()
    with pytest.raises(pm.MetalError, match="committed"):
        pm.async_buffer_from_numpy(device, np.zeros(3), commands)


def uploaded(device: pm.Device, array: object, change: object = None, **options: object) -> np.ndarray:
    """What arrives of an array that changes after the upload was recorded, before it runs."""
    commands = device.make_command_queue().make_command_buffer()
    buffer = pm.async_buffer_from_numpy(device, array, commands, **options)
    down = pm.async_buffer_to_numpy(buffer, np.float32, commands)
    if change is not None:
        change()
    commands.commit()
    commands.wait_until_completed()
    return down


@pytest.mark.parametrize("size", [6, 3 << 20])
def test_what_may_change_is_staged(device, size):
    """Also through the array that a read-only one is a view of, or that a memoryview is of."""
    def sources():
        yield lambda a: a
        yield lambda a: np.broadcast_to(a, (1, size))
        yield lambda a: memoryview(a).toreadonly()
        yield lambda a: a.reshape(2, -1).T

    for source in sources():
        for copy in (None, True):
            values = np.arange(size, dtype=np.float32)
            array = source(values)
            expected = np.array(array).ravel()
            assert np.array_equal(uploaded(device, array, lambda v=values: v.fill(-1), copy=copy), expected)


def test_without_a_copy_the_device_reads_the_array_itself(device):
    values = np.arange(1 << 20, dtype=np.float32)
    assert (uploaded(device, values, lambda: values.fill(5), copy=False) == 5).all()


def test_what_cannot_change_is_not_staged(device):
    """The device reads it itself: what is written behind Python's back, after the upload was recorded, arrives."""
    if not device.has_unified_memory:
        pytest.skip("the device has memory of its own")
    size = 1 << 20

    def fixed() -> np.ndarray:
        array = np.arange(size, dtype=np.float32)
        array.flags.writeable = False
        return array

    def sources():
        array = fixed()
        yield array.ctypes.data, array
        array = fixed()
        yield array.ctypes.data, array[: size // 2]
        for wrap in (lambda b: b, memoryview, lambda b: np.frombuffer(b, np.float32)):
            bytes_ = fixed().tobytes()
            yield np.frombuffer(bytes_, np.uint8).ctypes.data, wrap(bytes_)

    for address, source in sources():
        first = ctypes.c_float.from_address(address)
        for copy, expected in ((True, 0.0), (None, 0.5)):
            first.value = 0.0
            down = uploaded(device, source, lambda: setattr(first, "value", 0.5), copy=copy)
            assert down[0] == expected and down[1] == 1.0, (copy, type(source))


def test_an_array_that_is_not_staged_is_kept_until_completion(device):
    class Array(np.ndarray):
        pass

    for commit in (True, False):
        commands = device.make_command_queue().make_command_buffer()
        values = np.full(1 << 20, 7, np.float32).view(Array)
        gone = weakref.ref(values)
        buffer = pm.async_buffer_from_numpy(device, values, commands, pm.Buffer.STORAGE_SHARED, copy=False)
        del values
        gc.collect()
        assert gone() is not None
        if commit:
            commands.commit()
            commands.wait_until_completed()
            assert (buffer.to_numpy(np.float32) == 7).all()
        del commands
        device.make_buffer(4)  # what other threads let go is released by the next call
        gc.collect()
        assert gone() is None


def test_without_a_copy_wrong_uses(device, queue):
    commands = queue.make_command_buffer()
    with pytest.raises(pm.MetalError, match="not C-contiguous"):
        pm.async_buffer_from_numpy(device, np.zeros((4, 6), np.float32).T, commands, copy=False)
    with pytest.raises(pm.MetalError, match="is no array"):
        pm.async_buffer_from_numpy(device, [1.0, 2.0], commands, copy=False)
    with pytest.raises(pm.MetalError, match="at least one byte"):
        pm.async_buffer_from_numpy(device, np.zeros(0), commands, copy=False)
    # Nothing of it was recorded.
    commands.commit()
    commands.wait_until_completed()


def test_zeros_are_zeros_after_uploads(device, queue):
    """Memory that was used for an upload is used again for others, and never shows in a new buffer."""
    for _ in range(4):
        up = device.make_buffer_from_numpy(np.full(1 << 20, 7, np.float32))
        del up
        gc.collect()
        buffer = device.make_buffer(4 << 20)
        assert not buffer.to_numpy(np.float32).any()
        commands = queue.make_command_buffer()
        assert not pm.async_buffer_to_numpy(buffer, np.float32, commands).any()
        del buffer


def test_staging_does_not_hold_the_interpreter(device, queue):
    values = np.zeros(64 << 20, np.uint8)
    assert leaves_python_to_others(lambda: pm.async_buffer_from_numpy(device, values, queue.make_command_buffer(), copy=True))


def test_uploads_of_many_threads(device):
    def upload(k: int) -> bool:
        commands = device.make_command_queue().make_command_buffer()
        down = pm.async_buffer_to_numpy(pm.async_buffer_from_numpy(device, np.full(1 << 18, k, np.int32), commands), np.int32, commands)
        commands.commit()
        commands.wait_until_completed()
        return bool((down == k).all())

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        assert all(pool.map(upload, range(24)))


def test_staging_memory_is_reused(device):
    """Command buffers that are never committed give theirs back, too."""
    def upload(commit: bool) -> None:
        commands = device.make_command_queue().make_command_buffer()
        pm.async_buffer_from_numpy(device, np.zeros(3 << 20, np.uint8), commands)
        if commit:
            commands.commit()
            commands.wait_until_completed()

    upload(True)
    before = device.free_staging_length
    assert before >= 3 << 20
    for i in range(20):
        upload(i % 2 == 0)
        gc.collect()
        # What other tests left may have gone back to the system meanwhile.
        assert 3 << 20 <= device.free_staging_length <= before


# ---- futures -------------------------------------------------------------------------------------


def test_futures(device, queue):
    buffer = device.make_buffer_from_numpy(np.ones(64, np.float32))
    commands = queue.make_command_buffer()
    encode(commands, buffer)
    early = commands.future()
    assert isinstance(early, concurrent.futures.Future) and not early.done() and not early.cancel()
    commands.commit()
    late = commands.future()
    assert early.result(60) is commands and late.result(60) is commands
    assert commands.future().done()
    assert (buffer.to_numpy(np.float32) == 2).all()


def test_futures_of_many(device):
    buffers = [device.make_buffer_from_numpy(np.full(64, k, np.float32)) for k in range(8)]
    futures = []
    for buffer in buffers:
        commands = device.make_command_queue().make_command_buffer()
        encode(commands, buffer)
        futures.append(commands.future())
        commands.commit()
        del commands
    done, pending = concurrent.futures.wait(futures, 60)
    assert len(done) == 8 and not pending
    assert {f.result().status for f in concurrent.futures.as_completed(futures, 60)} == {"completed"}


@pytest.mark.usefixtures("finds_faults")
def test_a_future_carries_the_error(device, queue):
    commands = failing(queue)
    future = commands.future()
    commands.commit()
    for f in (future, commands.future()):
        assert isinstance(f.exception(60), pm.MetalExecutionError)
        with pytest.raises(pm.MetalExecutionError, match="far"):
            f.result(60)


def test_futures_and_asyncio(device, queue):
    commands = queue.make_command_buffer()
    encode(commands, device.make_buffer(64))

    async def main() -> pm.CommandBuffer:
        future = asyncio.wrap_future(commands.future())
        commands.commit()
        return await asyncio.wait_for(future, 60)

    assert asyncio.run(main()) is commands


def test_await_of_what_is_committed_takes_no_thread(device, queue):
    """Hundreds may be awaited at once."""
    event = device.make_shared_event()
    all_commands = [device.make_command_queue().make_command_buffer() for _ in range(200)]
    for commands in all_commands:
        commands.encode_wait_for_event(event, 1)
        commands.commit()

    async def main() -> None:
        async def wait(commands: pm.CommandBuffer) -> None:
            await commands

        before = threading.active_count()
        waits = asyncio.gather(*map(wait, all_commands))
        # All of them have begun to wait.
        await asyncio.sleep(0.01)
        threads = threading.active_count()
        event.signaled_value = 1
        await asyncio.wait_for(waits, 60)
        assert threads <= before

    asyncio.run(main())


def test_an_event_loop_that_closed_before(device, queue):
    event = device.make_shared_event()
    commands = queue.make_command_buffer()
    commands.encode_wait_for_event(event, 1)

    async def main() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.ensure_future(wait()), 0.01)

    async def wait() -> None:
        await commands

    asyncio.run(main())
    event.signaled_value = 1
    commands.wait_until_completed()


def test_a_future_of_what_is_never_committed_goes_away(device, queue):
    commands = queue.make_command_buffer()
    future = commands.future()
    gone = weakref.ref(future)
    del commands, future
    gc.collect()
    device.make_event()
    gc.collect()
    assert gone() is None


# ---- handlers ------------------------------------------------------------------------------------


def test_handlers_cannot_be_added_after_commit(device, queue):
    commands = queue.make_command_buffer()
    commands.commit()
    for add in (commands.add_completed_handler, commands.add_scheduled_handler):
        with pytest.raises(pm.MetalValidationError, match="committed already"):
            add(print)
    commands.wait_until_completed()
    with pytest.raises(pm.MetalValidationError, match="committed already"):
        commands.add_completed_handler(print)


@pytest.mark.usefixtures("finds_faults")
def test_a_handler_that_raises_does_not_stop_the_others(device, queue, monkeypatch):
    reported = []
    monkeypatch.setattr("sys.unraisablehook", lambda u: reported.append(u.exc_value))
    ran = []

    def bad(_: pm.CommandBuffer) -> None:
        raise RuntimeError("on purpose")

    for commands in (queue.make_command_buffer(), failing(queue)):
        commands.add_scheduled_handler(bad)
        commands.add_completed_handler(bad)
        commands.add_completed_handler(lambda c: ran.append(c.status))
        commands.commit()
        try:
            commands.wait_until_completed()
        except pm.MetalExecutionError:
            pass
    assert ran == ["completed", "error"]
    assert [str(e) for e in reported] == ["on purpose"] * 4


def test_handlers_may_wait_for_others(device):
    """For another command buffer of the same queue, which runs after this one, and for itself."""
    queue = device.make_command_queue()
    first, second = queue.make_command_buffer(), queue.make_command_buffer()
    encode(second, device.make_buffer(64))
    seen = []
    committed = threading.Event()

    def handler(same: pm.CommandBuffer) -> None:
        # The handler may run before this test's next line; waiting for what is not committed is an error.
        assert committed.wait(30)
        second.wait_until_completed()
        same.wait_until_completed()
        seen.append((same.status, second.status))

    first.add_completed_handler(handler)
    first.commit()
    second.commit()
    committed.set()
    first.wait_until_completed()
    assert seen == [("completed", "completed")]


def test_buffers_are_released_from_other_threads(device):
    class Array(np.ndarray):
        pass

    values = [np.zeros(64, np.float32).view(Array) for _ in range(20)]
    gone = [weakref.ref(v) for v in values]
    buffers = [pm.Buffer.from_array(v, device=device) for v in values]
    del values

    def release() -> None:
        while buffers:
            try:
                buffers.pop()
            except IndexError:
                return

    threads = [threading.Thread(target=release) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gc.collect()
    assert all(g() is None for g in gone)
