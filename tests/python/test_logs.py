"""What kernels log, delivered to handlers."""

from __future__ import annotations

import threading

import pytest
from support import HEADER

import pymetallic as pm

SOURCE = HEADER + """#include <metal_logging>
constant os_log tiles("org.example", "tiles");
kernel void talk(device int* p) {
    os_log_default.log("value %d", p[0]);
    tiles.log_debug("quiet");
    tiles.log_error("error %.2f", 1.5f);
}
"""


def talk(device: pm.Device, commands: pm.CommandBuffer) -> None:
    pipeline = device.make_compute_pipeline_state(device.make_library(SOURCE).make_function("talk"))
    encoder = commands.make_compute_command_encoder()
    encoder.set_compute_pipeline_state(pipeline)
    encoder.set_buffer(device.make_buffer(4), 0, 0)
    encoder.dispatch_threads((1, 1, 1), (1, 1, 1))
    encoder.end_encoding()
    commands.commit()
    commands.wait_until_completed()


def test_handlers_get_the_records_of_a_queue(device):
    state = device.make_log_state()
    records, lock = [], threading.Lock()

    def handler(*record):
        with lock:
            records.append(record)

    state.add_log_handler(handler)
    talk(device, device.make_command_queue(state).make_command_buffer())
    assert records == [(None, None, "notice", "value 0"), ("org.example", "tiles", "debug", "quiet"), ("org.example", "tiles", "error", "error 1.50")]
    assert state.level == "debug" and "debug" in repr(state)


def test_levels_and_command_buffers(device):
    state, messages = device.make_log_state("error"), []
    state.add_log_handler(lambda subsystem, category, level, message: messages.append(message))
    talk(device, device.make_command_queue().make_command_buffer(log_state=state))
    assert messages == ["error 1.50"]
    with pytest.raises(ValueError, match="none of debug, info"):
        device.make_log_state("loud")
