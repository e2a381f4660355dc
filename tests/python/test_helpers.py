"""The demos, the matrix operations, the console scripts."""

from __future__ import annotations

import inspect
import subprocess
import sys
import time

import numpy as np
import pytest
from support import is_slow

import pymetallic as pm
from pymetallic import reference
from pymetallic.gallery import run_gallery
from pymetallic.helpers import AnimateIt, MetallicDemo, MetalMatrixOperations, StopWatch, display_array, run_comprehensive_example
from pymetallic.scripts import demo as demo_script
from pymetallic.scripts import smoke as smoke_script
from pymetallic.simulations import Fluid, Life

DEMOS = ["advanced_features", "basic_compute", "cellular_automata", "device_info", "error_handling", "fluid_dynamics", "image_processing",
         "matrix_operations", "memory_patterns", "performance_benchmark"]


def test_signatures():
    def defaults(function) -> dict:
        return {n: p.default for n, p in inspect.signature(function).parameters.items() if p.default is not p.empty}

    assert defaults(MetallicDemo) == {"quiet": False, "out_path": None, "device": None, "quick": False}
    assert defaults(MetalMatrixOperations) == {"device": None, "quiet": False}
    assert defaults(MetallicDemo.demo_cellular_automata) == {"width": 512, "height": 512, "steps": 200, "seed_probability": 0.05, "threadgroup": (16, 16, 1)}
    assert defaults(MetallicDemo.demo_fluid_dynamics) == {"width": 512, "height": 512, "steps": 100, "dt": 0.1, "visc": 0.0001, "threadgroup": (16, 16, 1)}
    assert callable(run_comprehensive_example)


@pytest.mark.parametrize("name", DEMOS)
def test_demos(device, name, tmp_path, capsys):
    demo = MetallicDemo(out_path=tmp_path, device=device, quick=True)
    assert list(demo.get_demos()) == DEMOS
    demo.get_demos()[name]()
    assert capsys.readouterr().out
    gif = {"cellular_automata", "fluid_dynamics", "image_processing"} & {name}
    assert [p.stem for p in tmp_path.glob("*.gif")] == list(gif)


def test_quiet_demos(device, capsys):
    assert MetallicDemo(quiet=True, device=device, quick=True).run_complete_demo() == []
    assert capsys.readouterr().out == ""


def test_a_demo_that_fails_is_reported(device, capsys, monkeypatch):
    monkeypatch.setattr(reference, "life_step", lambda cells: 1 - cells)
    demo = MetallicDemo(device=device, quick=True)
    assert demo.run_complete_demo() == ["cellular_automata"]
    assert "life_step differs" in capsys.readouterr().err


def test_matrix_operations(device):
    ops = MetalMatrixOperations(device, quiet=True)
    a, b = np.random.default_rng(2).standard_normal((2, 9, 9))
    assert np.allclose(ops.matrix_multiply(a[:, :4], b[:4]), a[:, :4] @ b[:4], atol=1e-5)
    assert ops.matrix_multiply(a, b).dtype == np.float32
    assert ops.matrix_multiply(np.zeros((2, 0)), np.zeros((0, 3))).tolist() == [[0, 0, 0]] * 2
    assert ops.matrix_multiply(np.zeros((0, 2)), np.zeros((2, 3))).shape == (0, 3)
    assert np.array_equal(ops.vector_operations(a[0], b[0], "add"), a[0].astype("f4") + b[0].astype("f4"))
    assert np.array_equal(ops.vector_operations(a.T, b.T, "multiply"), a.T.astype("f4") * b.T.astype("f4"))
    assert np.array_equal(ops.vector_scale(a[:, 1], 3), a[:, 1].astype("f4") * np.float32(3))
    assert np.allclose(ops.gaussian_blur_5x5(a), reference.gaussian_blur(a.astype("f4"), 5), atol=1e-6)
    for call in (lambda: ops.matrix_multiply(a[:, :4], b), lambda: ops.matrix_multiply(a[0], b), lambda: ops.vector_operations(a, b[0], "add"),
                 lambda: ops.vector_operations(a, b, "subtract"), lambda: ops.gaussian_blur_5x5(a[0]), lambda: ops.gaussian_blur_5x5(np.zeros((3, 3, 3)))):
        with pytest.raises(ValueError):
            call()


def test_life_and_fluid(device):
    cells = (np.random.default_rng(1).random((21, 34)) < 0.3).astype(np.uint8)
    life = Life(device, cells, (5, 3, 1))
    life.run(6)
    for _ in range(6):
        cells = reference.life_step(cells)
    assert np.array_equal(life.cells, cells)
    with pytest.raises(ValueError):
        Life(device, cells[0])
    one, two = Fluid(device, 24, 20), Fluid(device, 24, 20, threadgroup=(8, 4, 1))
    one.run(2)
    for step in range(2):
        for launch in Fluid.STEP:
            two.launch(launch, two.params(step))
    for name in ("velocity", "pressure", "dye"):
        assert np.array_equal(one.views[name], two.views[name])
    calm = Fluid(device, 24, 20, viscosity=50.0)
    calm.run(2)
    assert np.abs(calm.views["velocity"]).max() < np.abs(one.views["velocity"]).max()


def test_gallery(device, tmp_path):
    rows = run_gallery(device, tmp_path, quiet=True, quick=True)
    assert [r.kernel for r in rows if not r.ok] == []
    assert len(rows) == 20
    assert {p.name for p in tmp_path.iterdir()} >= {"mandelbrot.png", "photograph.png", "image_pipeline.png", "life.gif", "fluid.gif"}


def test_stop_watch():
    watch = StopWatch()
    assert watch.clicks == 0 and str(watch)
    start = time.perf_counter()
    for _ in range(2):
        with watch:
            pass
        time.sleep(0.01)
    assert watch.clicks == 2 and 0.0 < watch.elapsed_time <= time.perf_counter() - start - 0.02 and "2" in str(watch)


def test_animations(tmp_path):
    from PIL import Image

    animation = AnimateIt("moving", out_path=str(tmp_path), seconds=1.0, loop=True, colorful=True)
    assert animation.save() is None
    for i in range(4):
        frame = np.zeros((8, 10), np.float32)
        frame[i] = i + 1
        animation.add_frame(frame)
    path = animation.save()
    with Image.open(path) as image:
        assert image.n_frames == 4 and image.size == (10, 8) and image.info["duration"] == 250 and image.info["loop"] == 0
    once = AnimateIt("once", out_path=tmp_path)
    once.add_frame(np.zeros((4, 4, 3)))
    once.add_frame(np.ones((4, 4, 3)))
    with Image.open(once.save()) as image:
        assert "loop" not in image.info and image.info["duration"] == 100
    nowhere = AnimateIt()
    nowhere.add_frame(np.zeros((4, 4)))
    assert nowhere.save() is None and len(nowhere.frames) == len(nowhere.times) == 1


def test_display_array(monkeypatch):
    from PIL import Image

    shown = []
    monkeypatch.setattr(Image.Image, "show", lambda self, title=None: shown.append((self.mode, self.size, title)))
    assert display_array(np.random.default_rng(0).random((4, 6)), "gray")
    assert display_array(np.zeros((4, 6, 3), np.uint8)) and display_array(np.zeros((4, 6, 4)), normalize=False)
    assert shown == [("L", (6, 4), "gray"), ("RGB", (6, 4), None), ("RGBA", (6, 4), None)]
    assert not display_array(np.zeros(4)) and not display_array(np.zeros((4, 4, 2))) and not display_array(np.zeros((0, 4)))


def test_demo_script(device, tmp_path, capsys):
    assert demo_script.main(["--quick_test", "--device", device.id]) == 0
    assert "20 agree with NumPy" in capsys.readouterr().out
    out = str(tmp_path / "new")
    assert demo_script.main(["--quick_test", "--device", device.id, "--out_dir", out, "--demos", "device_info", "basic_compute"]) == 0
    assert "vector_add" in capsys.readouterr().out
    assert demo_script.main(["--quick_test", "--device", device.id, "--demos", "all"]) == 0
    assert demo_script.main(["--quick_test", "--device", device.id, "--demos", "fireworks"]) == 2
    assert "fireworks" in capsys.readouterr().err
    assert demo_script.main(["--quick_test", "--device", "abacus"]) == 1


def test_smoke_script(device, capsys, monkeypatch):
    monkeypatch.setenv("PYMETALLIC_DEVICE", device.id)
    assert smoke_script.main() == 0
    assert "ok on" in capsys.readouterr().out


def test_modules_run_as_programs(device):
    if is_slow(device):
        pytest.skip("once is enough")
    for module in ("pymetallic.scripts.smoke", "pymetallic.scripts.demo"):
        arguments = [] if module.endswith("smoke") else ["--quick_test"]
        done = subprocess.run([sys.executable, "-m", module, *arguments], capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, done.stderr


def test_interpreter_exit_with_work_under_way(device):
    """A process that ends while commands run ends well."""
    code = f"""
import numpy as np, pymetallic as pm
device = pm.Device({device.id!r})
queue = device.make_command_queue()
event = device.make_shared_event()
array = np.zeros(1000, np.float32)
buffer = pm.Buffer.from_numpy(device, array)
for _ in range(20):
    commands = queue.make_command_buffer()
    encoder = commands.make_blit_command_encoder()
    encoder.fill_buffer(buffer, 1)
    encoder.end_encoding()
    commands.add_completed_handler(lambda c: None)
    commands.commit()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert pm.__version__
