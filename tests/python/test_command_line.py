"""The ``metallic`` command that the package installs."""

from __future__ import annotations

import importlib.metadata
import json
import signal
import subprocess
import sys

import pymetallic
from pymetallic.scripts import metallic

KERNEL = """
#include <metal_stdlib>
using namespace metal;
kernel void twice(device float* x, uint i [[thread_position_in_grid]]) { x[i] *= 2; }
"""


def run(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "pymetallic.scripts.metallic", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_it_is_installed():
    scripts = importlib.metadata.entry_points(group="console_scripts")
    found = {e.name: e.value for e in scripts if e.value.startswith("pymetallic.")}
    assert found["metallic"] == "pymetallic.scripts.metallic:main"


def test_versions_agree():
    assert pymetallic.__version__ == importlib.metadata.version("pymetallic")


def test_kernels_are_checked(tmp_path):
    file = tmp_path / "twice.metal"
    file.write_text(KERNEL)
    result = run("check", "--json", "--device", "cpu", str(file))
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["ok"] and [e["name"] for e in report["entry_points"]] == ["twice"]


def test_errors_are_the_exit_code(tmp_path):
    file = tmp_path / "wrong.metal"
    file.write_text(KERNEL.replace("2;", "nothing;"))
    result = run("check", "--device", "cpu", str(file))
    assert result.returncode == 1
    assert "wrong.metal:4" in result.stdout + result.stderr


def test_arguments_that_make_no_sense():
    result = run("bogus")
    assert result.returncode == 2
    assert "bogus" in result.stderr
    assert run("--help").returncode == 0


def test_interrupts_are_handled_as_before(capfd):
    before = signal.getsignal(signal.SIGINT)
    assert metallic.main(["--version"]) == 0
    assert signal.getsignal(signal.SIGINT) is before
    assert capfd.readouterr().out.startswith("metallic ")
