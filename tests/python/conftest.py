"""Devices as fixtures. A test that takes ``device`` runs once on each."""

from __future__ import annotations

import pytest
from support import devices

import pymetallic as pm

DEVICES = devices()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "device" in metafunc.fixturenames:
        # With no device at all, one failing test stands for each.
        ids = [d.id for d in DEVICES] or ["none"]
        metafunc.parametrize("device", ids, indirect=True)


@pytest.fixture
def device(request: pytest.FixtureRequest) -> pm.Device:
    if request.param == "none":
        pytest.fail("there is neither a cpu device nor an interpreter")
    return pm.Device(request.param)


@pytest.fixture
def queue(device: pm.Device) -> pm.CommandQueue:
    return device.make_command_queue()


@pytest.fixture
def finds_faults(device: pm.Device) -> None:
    """For tests of what kernels must not do: GPUs of Apple do it, or not, and say nothing."""
    if device.id.startswith("apple"):
        pytest.skip("Metal does not look at what kernels access")
