"""Two GPUs of one machine: each has its own memory, and copies between them are commands.

Skipped where there are not two of NVIDIA's.
"""

from __future__ import annotations

import threading

import numpy as np
import pytest

import pymetallic as pm

GPUS = [d.id for d in pm.Device.get_all_devices() if d.id.startswith("cuda:")]

pytestmark = pytest.mark.skipif(len(GPUS) < 2, reason="needs two NVIDIA GPUs")

SOURCE = """
kernel void scale(device float* a, constant float& by, uint i [[thread_position_in_grid]]) { a[i] *= by; }
"""


@pytest.fixture
def gpus() -> tuple[pm.Device, pm.Device]:
    return pm.Device(GPUS[0]), pm.Device(GPUS[1])


def scale(device: pm.Device, buffer: pm.Buffer, by: float, queue: pm.CommandQueue | None = None) -> pm.CommandBuffer:
    """Multiplies the floats of a buffer, asynchronously."""
    pipeline = device.make_compute_pipeline_state(device.make_library(SOURCE).make_function("scale"))
    commands = (queue or device.make_command_queue()).make_command_buffer()
    encoder = commands.make_compute_command_encoder()
    encoder.set_compute_pipeline_state(pipeline)
    encoder.set_buffer(buffer, 0, 0)
    encoder.set_bytes(np.array([by], np.float32), 1)
    encoder.dispatch_threads((buffer.size // 4, 1, 1), (64, 1, 1))
    encoder.end_encoding()
    commands.commit()
    return commands


def copy(queue: pm.CommandQueue, source: pm.Buffer, target: pm.Buffer, size: int) -> pm.CommandBuffer:
    commands = queue.make_command_buffer()
    blit = commands.make_blit_command_encoder()
    blit.copy_from_buffer(source, 0, target, 0, size)
    blit.end_encoding()
    commands.commit()
    return commands


def test_each_gpu_is_a_device_of_its_own(gpus):
    first, second = gpus
    assert first.id != second.id and first != second
    values = np.arange(1000, dtype=np.float32)
    buffers = [pm.Buffer.from_numpy(d, values) for d in gpus]
    for device, buffer, by in zip(gpus, buffers, (2, 3)):
        assert buffer.device == device
        scale(device, buffer, by).wait_until_completed()
    assert np.array_equal(buffers[0].to_numpy(np.float32), values * 2)
    assert np.array_equal(buffers[1].to_numpy(np.float32), values * 3)


@pytest.mark.parametrize("storage", [pm.Buffer.STORAGE_SHARED, pm.Buffer.STORAGE_PRIVATE])
@pytest.mark.parametrize("size", [4, 4096, (1 << 24) + 4])
def test_copies_between_gpus(gpus, storage, size):
    first, second = gpus
    values = np.random.default_rng(size).random(size // 4, dtype=np.float32)
    source = pm.Buffer.from_numpy(first, values)
    there = pm.Buffer(second, size, storage)
    back = pm.Buffer(first, size)
    scale(first, source, 2).wait_until_completed()
    copy(second.make_command_queue(), source, there, size).wait_until_completed()
    scale(second, there, 5).wait_until_completed()
    copy(first.make_command_queue(), there, back, size).wait_until_completed()
    assert np.array_equal(back.to_numpy(np.float32), values * np.float32(2) * np.float32(5))
    assert np.array_equal(source.to_numpy(np.float32), values * 2)


def test_what_belongs_to_another_gpu_is_refused_by_name(gpus):
    first, second = gpus
    buffer = pm.Buffer(second, 256)
    commands = first.make_command_queue().make_command_buffer()
    encoder = commands.make_compute_command_encoder()
    with pytest.raises(pm.MetalError) as error:
        encoder.set_buffer(buffer, 0, 0)
    assert first.id in str(error.value) and second.id in str(error.value)
    pipeline = second.make_compute_pipeline_state(second.make_library(SOURCE).make_function("scale"))
    with pytest.raises(pm.MetalError, match="device"):
        encoder.set_compute_pipeline_state(pipeline)


def test_gpus_work_at_the_same_time(gpus):
    values = np.ones(1 << 16, np.float32)
    results: dict[str, np.ndarray] = {}

    def work(device: pm.Device) -> None:
        buffer = pm.Buffer.from_numpy(device, values)
        queue = device.make_command_queue()
        for _ in range(50):
            commands = scale(device, buffer, 1.5, queue)
        commands.wait_until_completed()
        results[device.id] = buffer.to_numpy(np.float32).copy()

    threads = [threading.Thread(target=work, args=(d,)) for d in gpus for _ in range(2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    expected = values.copy()
    for _ in range(50):
        expected *= np.float32(1.5)
    for d in gpus:
        assert np.array_equal(results[d.id], expected)


def test_a_fault_of_one_gpu_is_not_the_others(gpus):
    first, second = gpus
    source = "kernel void wild(device float* a, uint i [[thread_position_in_grid]]) { a[i + 1000000] = 1; }"
    pipeline = first.make_compute_pipeline_state(first.make_library(source).make_function("wild"))
    commands = first.make_command_queue().make_command_buffer()
    encoder = commands.make_compute_command_encoder()
    encoder.set_compute_pipeline_state(pipeline)
    encoder.set_buffer(pm.Buffer(first, 64), 0, 0)
    encoder.dispatch_threads((16, 1, 1), (16, 1, 1))
    encoder.end_encoding()
    commands.commit()
    with pytest.raises(pm.MetalError, match="wild"):
        commands.wait_until_completed()
    buffer = pm.Buffer.from_numpy(second, np.ones(64, np.float32))
    scale(second, buffer, 4).wait_until_completed()
    assert np.array_equal(buffer.to_numpy(np.float32), np.full(64, 4, np.float32))
