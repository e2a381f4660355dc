"""tinygrad on PyMetallic: operators, gradients, types, tensor cores and training.

The reference is tinygrad's own PYTHON device, which walks through the same graph one operation at a time, or NumPy.
``make test-tinygrad`` runs all cases, and tinygrad's own tests where there is a checkout of them; otherwise a sample
runs.
"""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

# Workers would cost more to start than these small kernels cost to compile.
os.environ.setdefault("PARALLEL", "0")
pytest.importorskip("tinygrad", reason="tinygrad is not installed")

from tinygrad import Context, Device, Tensor, TinyJit, Variable, dtypes, nn

import pymetallic as pm
import pymetallic.integrations.tinygrad as integration

DEVICE = "METAL"
ALL = os.environ.get("PYMETALLIC_TINYGRAD") == "all"
# Of the operators that differ in nothing but a function, these stand for the rest.
SAMPLE = {
    "exp2", "sqrt", "sin", "erf", "pow", "maximum", "where", "shift", "floor_divide", "sum_axis", "max_axis", "argmax",
    "softmax", "layernorm", "cumsum", "sort", "matmul", "einsum", "conv2d_groups", "max_pool2d", "pad_permute_slice",
    "gather", "scatter_add", "cat_stack", "attention", "cross_entropy", "interpolate",
}


def numbers(*shape: int, low: float = -2.0, high: float = 2.0, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(low, high, shape).astype(np.float32)


def integers(*shape: int, low: int = -100, high: int = 100) -> np.ndarray:
    return np.random.default_rng(1).integers(low, high, shape).astype(np.int32)


def on(device: str, arrays: list[np.ndarray]) -> list[Tensor]:
    return [Tensor(a, device=device).realize() for a in arrays]


def forward(device, function, arrays):
    return function(*on(device, arrays)).clone(device).numpy()


def gradients(device, function, arrays):
    """Of a weighted sum of the results, so that nothing cancels."""
    tensors = on(device, arrays)
    result = function(*tensors)
    weights = Tensor(numbers(*result.shape, seed=7), device=device)
    wanted = [t for t in tensors if dtypes.is_float(t.dtype)]
    return [g.clone(device).numpy() for g in (result * weights).sum().gradient(*wanted)]


def close(actual, expected):
    """Both devices round the same operations, but sum in another order (as tensor cores and local memory do)."""
    assert actual.shape == expected.shape and actual.dtype == expected.dtype
    if actual.dtype.kind == "f":
        np.testing.assert_allclose(actual, expected, rtol=2e-5, atol=2e-5)
    else:
        np.testing.assert_array_equal(actual, expected)


# ---- operators -----------------------------------------------------------------------------------

A, B, POSITIVE, UNIT = numbers(5, 7), numbers(5, 7, seed=2), numbers(5, 7, low=0.1), numbers(5, 7, low=-0.9, high=0.9)
# No two equal, so that maxima and orders have one answer; more than one simdgroup takes at once.
DISTINCT = np.random.default_rng(3).permutation(6 * 40).reshape(6, 40).astype(np.float32) / 16
IMAGE = numbers(2, 4, 9, 8)
INDICES = integers(5, 3, low=0, high=5)
NO_GRADIENT = {"floor_divide", "shift", "bitwise", "remainder_int", "compare", "argmax", "argmin", "any_all", "sign", "rounding",
               "isinf_isnan", "one_hot", "idiv_const", "sort", "tril_arange"}

OPERATORS = {
    # one argument
    **{name: (lambda x, name=name: getattr(x, name)(), [A]) for name in (
        "abs", "neg", "exp", "exp2", "sin", "cos", "sigmoid", "tanh", "relu", "elu", "celu", "selu", "gelu", "quick_gelu", "silu",
        "mish", "softplus", "softsign", "hardswish", "hardsigmoid", "hardtanh", "relu6", "leaky_relu", "logsigmoid", "erf",
        "sinh", "cosh", "asinh", "atan", "square", "sign",
    )},
    **{name: (lambda x, name=name: getattr(x, name)(), [POSITIVE]) for name in ("log", "log2", "sqrt", "rsqrt", "reciprocal", "tan")},
    **{name: (lambda x, name=name: getattr(x, name)(), [UNIT]) for name in ("asin", "acos", "atanh")},
    "rounding": (lambda x: Tensor.stack(x.floor(), x.ceil(), x.trunc(), x.round()), [A * 3]),
    "isinf_isnan": (lambda x: x.isinf() | x.isnan(), [np.array([1, np.inf, -np.inf, np.nan, 0], np.float32)]),
    # two and three arguments
    "add": (lambda x, y: x + y, [A, B]),
    "sub_broadcast": (lambda x, y: x - y, [A, numbers(7)]),
    "mul": (lambda x, y: x * y, [A, B]),
    "div": (lambda x, y: x / y, [A, POSITIVE]),
    "pow": (lambda x, y: x ** y, [POSITIVE, A]),
    "maximum": (lambda x, y: x.maximum(y), [A, B]),
    "minimum": (lambda x, y: x.minimum(y), [A, B]),
    "logaddexp": (lambda x, y: x.logaddexp(y), [A, B]),
    "copysign": (lambda x, y: x.copysign(y), [A, B]),
    "lerp": (lambda x, y, w: x.lerp(y, w), [A, B, POSITIVE]),
    "where": (lambda x, y: (x > 0.25).where(x, y * 2), [A, B]),
    "compare": (lambda x, y: Tensor.stack(x < y, x <= y, x == y, x != y, x > y, x >= y), [integers(5, 7, low=-3, high=3), np.zeros((5, 7), np.int32)]),
    "clip": (lambda x: x.clip(-1, 0.5), [A]),
    "floor_divide": (lambda x, y: x // y, [integers(5, 7), integers(5, 7, low=1, high=9)]),
    "idiv_const": (lambda x: Tensor.stack(x // 3, x // 8, x % 7, x.div(5, rounding_mode="trunc")), [integers(5, 7)]),
    "remainder_int": (lambda x, y: x % y, [integers(5, 7), integers(5, 7, low=1, high=9)]),
    "fmod": (lambda x, y: x.fmod(y), [A, POSITIVE]),
    "shift": (lambda x: Tensor.stack(x << 3, x >> 2), [integers(5, 7).astype(np.uint32)]),
    "bitwise": (lambda x, y: Tensor.stack(x & y, x | y, x ^ y, ~x), [integers(5, 7), integers(5, 7, low=0)]),
    # along axes
    "sum_axis": (lambda x: x.sum(1), [numbers(6, 70)]),
    "sum_all": (lambda x: x.sum(), [numbers(33, 65)]),
    "mean_var_std": (lambda x: Tensor.stack(x.mean(1), x.var(1), x.std(1)), [numbers(6, 40)]),
    "prod": (lambda x: x.prod(1), [POSITIVE]),
    "max_axis": (lambda x: x.max(1), [DISTINCT]),
    "min_axis": (lambda x: x.min(0), [DISTINCT]),
    "argmax": (lambda x: x.argmax(1), [DISTINCT]),
    "argmin": (lambda x: x.argmin(0), [DISTINCT]),
    "any_all": (lambda x: Tensor.stack((x > 1).any(1), (x > -2).all(1)), [A]),
    "softmax": (lambda x: x.softmax(1), [numbers(6, 70)]),
    "log_softmax": (lambda x: x.log_softmax(1), [numbers(6, 40)]),
    "logsumexp": (lambda x: x.logsumexp(1), [numbers(6, 40)]),
    "layernorm": (lambda x: x.layernorm(), [numbers(4, 48)]),
    "normalize": (lambda x: x.normalize(), [A]),
    "cumsum": (lambda x: x.cumsum(1), [numbers(3, 40)]),
    "cumprod": (lambda x: x.cumprod(1), [POSITIVE]),
    "cummax": (lambda x: x.cummax(1)[0], [DISTINCT[:, :9]]),
    "sort": (lambda x: Tensor.cat(x.sort(1)[0], x.sort(1)[1].float()), [DISTINCT[:3, :16]]),
    "topk": (lambda x: x.topk(2, 1)[0], [DISTINCT[:2, :6]]),
    # shapes
    "pad_permute_slice": (lambda x: x.pad(((1, 2), (0, 3))).permute(1, 0)[::2, 1:-1].flip(0), [A]),
    "pad_reflect": (lambda x: x.pad((2, 1, 1, 2), mode="reflect"), [IMAGE]),
    "expand_roll": (lambda x: x.unsqueeze(1).expand(5, 3, 7).roll(2, 2), [A]),
    "cat_stack": (lambda x, y: Tensor.cat(x, y, Tensor.stack(x, y, dim=1).reshape(10, 7)), [A, B]),
    "split_repeat": (lambda x: x.split(3, 1)[1].repeat(2, 2), [A]),
    "tril_arange": (lambda x: x.tril() + Tensor.arange(7), [A]),
    "diagonal": (lambda x: x[:, :5].diagonal(), [A]),
    "unfold": (lambda x: x.unfold(1, 3, 2), [A]),
    # indices
    "gather": (lambda x, i: x.gather(0, i), [A, INDICES]),
    "index": (lambda x, i: x[i, 2], [A, INDICES]),
    "scatter": (lambda x, i, y: x.scatter(0, i[:1], y[:1, :3]), [A, INDICES, B]),
    "scatter_add": (lambda x, i, y: x.scatter_reduce(0, i, y[:, :3], "sum"), [A, INDICES, B]),
    "one_hot": (lambda i: i.one_hot(5), [INDICES]),
    "masked_fill": (lambda x: x.masked_fill(x > 0.5, -7), [A]),
    # products
    "dot": (lambda x, y: x.dot(y), [numbers(50), numbers(50, seed=2)]),
    "matvec": (lambda x, y: x @ y, [numbers(1, 64), numbers(64, 96)]),
    "matmul": (lambda x, y: x @ y, [numbers(16, 24), numbers(24, 8)]),
    "matmul_odd": (lambda x, y: x @ y, [numbers(13, 9), numbers(9, 11)]),
    "matmul_batched": (lambda x, y: x @ y, [numbers(2, 3, 8, 8), numbers(2, 1, 8, 8)]),
    "einsum": (lambda x, y: Tensor.einsum("bij,bkj->bik", x, y), [numbers(2, 5, 7), numbers(2, 4, 7)]),
    "conv1d": (lambda x, w: x.conv2d(w), [numbers(2, 3, 12), numbers(4, 3, 3)]),
    "conv2d": (lambda x, w, b: x.conv2d(w, b, padding=1), [IMAGE, numbers(6, 4, 3, 3), numbers(6)]),
    "conv2d_groups": (lambda x, w: x.conv2d(w, groups=2, stride=2, dilation=2), [IMAGE, numbers(4, 2, 2, 3)]),
    "conv3d": (lambda x, w: x.conv2d(w), [numbers(1, 2, 4, 4, 4), numbers(2, 2, 3, 3, 3)]),
    "conv_transpose2d": (lambda x, w: x.conv_transpose2d(w, stride=2, padding=1, output_padding=1), [IMAGE, numbers(4, 3, 3, 3)]),
    "avg_pool2d": (lambda x: x.avg_pool2d((3, 2), stride=2, padding=1), [IMAGE]),
    "max_pool2d": (lambda x: x.max_pool2d((3, 2), dilation=1), [DISTINCT.reshape(1, 2, 12, 10)]),
    "batchnorm": (lambda x: x.batchnorm(None, None, x.mean((0, 2, 3)), x.var((0, 2, 3)).add(1e-5).rsqrt()), [IMAGE]),
    "interpolate": (lambda x: x.interpolate((13, 5), mode="linear"), [IMAGE[:1, :1]]),
    "attention": (lambda q, k, v: q.scaled_dot_product_attention(k, v, is_causal=True), [numbers(2, 2, 9, 8, seed=s) for s in (1, 2, 3)]),
    "cross_entropy": (lambda x, y: x.cross_entropy(y[:, 0], label_smoothing=0.1), [A, INDICES]),
    "binary_crossentropy": (lambda x, y: x.sigmoid().binary_crossentropy(y.sigmoid()), [A, B]),
}


def cases():
    assert SAMPLE <= OPERATORS.keys() and NO_GRADIENT <= OPERATORS.keys()
    return [name for name in OPERATORS if ALL or name in SAMPLE]


@pytest.mark.parametrize("name", cases())
def test_operator(name):
    function, arrays = OPERATORS[name]
    close(forward(DEVICE, function, arrays), forward("PYTHON", function, arrays))
    if name not in NO_GRADIENT:
        for actual, expected in zip(gradients(DEVICE, function, arrays), gradients("PYTHON", function, arrays), strict=True):
            close(actual, expected)


# ---- types ---------------------------------------------------------------------------------------

TYPES = [dtypes.bool, dtypes.int8, dtypes.uint8, dtypes.int16, dtypes.uint16, dtypes.int32, dtypes.uint32, dtypes.int64,
         dtypes.uint64, dtypes.half, dtypes.bfloat16, dtypes.float]


@pytest.mark.parametrize("target", TYPES, ids=str)
def test_casts(target):
    """Of values that every type has, and to bits and back."""
    values = np.array([0, 1, 2, 3, 100, 127], np.float32)
    for source in TYPES if ALL else (dtypes.int8, dtypes.uint64, dtypes.bfloat16, dtypes.float):
        expected = values if dtypes.bool not in (source, target) else (values != 0).astype(np.float32)
        result = Tensor(values, device=DEVICE).cast(source).contiguous().cast(target).contiguous().float().numpy()
        np.testing.assert_array_equal(result, expected)
    if target.itemsize == 4:
        bits = Tensor(values, device=DEVICE).bitcast(target).contiguous().bitcast(dtypes.float32).numpy()
        np.testing.assert_array_equal(bits, values)


def to_bfloat(x: np.ndarray) -> np.ndarray:
    """To nearest even, as float32."""
    bits = x.astype(np.float32).view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) & np.uint32(0xFFFF0000)).view(np.float32)


@pytest.mark.parametrize("dtype, rounded", [
    (dtypes.half, lambda x: x.astype(np.float16).astype(np.float32)), (dtypes.bfloat16, to_bfloat),
], ids=["half", "bfloat"])
def test_short_floats_are_rounded(dtype, rounded):
    """After each operation, to nearest even."""
    a, b = rounded(numbers(4, 33)), rounded(numbers(4, 33, seed=2))
    x, y = (Tensor(v, device=DEVICE).cast(dtype).realize() for v in (a, b))
    result = Tensor.stack(x + y, x * y, x.maximum(y), x * y + x).float().numpy()
    np.testing.assert_array_equal(result, np.stack([rounded(a + b), rounded(a * b), np.maximum(a, b), rounded(rounded(a * b) + a)]))


def test_integers_wrap():
    for dtype in (np.int8, np.uint16, np.int32, np.uint32, np.int64, np.uint64):
        limits = np.iinfo(dtype)
        x = np.array([limits.max, limits.min, limits.max // 3, 5], dtype)
        y = np.array([1, 3, 7, limits.max], dtype)
        result = (Tensor(x, device=DEVICE) * Tensor(y, device=DEVICE) + 1).numpy()
        with np.errstate(over="ignore"):
            np.testing.assert_array_equal(result, x * y + dtype(1))


def test_special_values():
    """Arithmetic is not relaxed: NaN and infinities come out as IEEE says."""
    x = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0, 1.0, 3e38, np.inf], np.float32)
    y = np.array([-np.inf, 0.0, 1.0, -1.0, 0.0, np.nan, 2.0, np.inf], np.float32)
    t, u = Tensor(x, device=DEVICE), Tensor(y, device=DEVICE)
    with np.errstate(all="ignore"):
        for actual, expected in [(t + u, x + y), (t * u, x * y), (t / u, x / y), (t * 2, x + x), (t != t, x != x), (t < u, x < y),
                                 (t.isinf(), np.isinf(x))]:
            np.testing.assert_array_equal(actual.numpy(), expected)


# ---- tensor cores --------------------------------------------------------------------------------


@pytest.mark.parametrize("inputs, accumulator", [
    (dtypes.float, dtypes.float), (dtypes.half, dtypes.half), (dtypes.half, dtypes.float), (dtypes.bfloat16, dtypes.bfloat16),
    (dtypes.bfloat16, dtypes.float),
], ids=lambda d: d.name)
def test_tensor_cores(inputs, accumulator, monkeypatch):
    """Matrix products become simdgroup_multiply_accumulate, and are exact where every sum is."""
    sources = []
    compile_source = integration.MetalCompiler.compile
    monkeypatch.setattr(integration.MetalCompiler, "compile", lambda self, s: sources.append(s) or compile_source(self, s))
    # Small integers: neither products nor sums round, in no type and no order.
    rng = np.random.default_rng(5)
    a, b = (rng.integers(-2, 3, shape).astype(np.float32) for shape in ((64, 24), (24, 32)))
    with Context(TC=1):
        x, y = (Tensor(v, device=DEVICE).cast(inputs).realize() for v in (a, b))
        result = x.matmul(y, dtype=accumulator).float().numpy()
    np.testing.assert_array_equal(result, a @ b)
    assert any(f"simdgroup_{'bfloat' if inputs == dtypes.bfloat16 else inputs.name}8x8" in source for source in sources)


# ---- the runtime ---------------------------------------------------------------------------------


def test_views_start_at_offsets():
    base = Tensor(np.arange(32, dtype=np.float32), device=DEVICE).realize()
    buffer = base.uop.buffer
    view = buffer.view(8, dtypes.float32, 16 * 4).ensure_allocated()
    np.testing.assert_array_equal(view.numpy(), np.arange(16, 24, dtype=np.float32))
    base[16:24].assign(base[0:8] + 100).realize()
    np.testing.assert_array_equal(base.numpy(), np.r_[0:16, 100:108, 24:32].astype(np.float32))


def test_jit_with_a_symbolic_length():
    """Variables are kernel arguments by value; the kernel is made once."""
    @TinyJit
    def sums(x):
        return (x + 1).sum(0).realize()

    data = numbers(10, 3)
    tensor = Tensor(data, device=DEVICE).realize()
    for n in (2, 5, 9, 4):
        bound = Variable("n", 1, 10).bind(n)
        np.testing.assert_allclose(sums(tensor[:bound]).numpy(), (data[:n] + 1).sum(0), rtol=1e-5)


def test_devices_of_one_process_exchange_data():
    x = numbers(6)
    there = Tensor(x, device="METAL:1") * 2
    np.testing.assert_array_equal((there.to(DEVICE) + Tensor(x, device=DEVICE)).numpy(), x * 3)


def test_errors_are_what_tinygrad_expects():
    from tinygrad.device import CompileError

    device = Device[DEVICE]
    with pytest.raises(CompileError, match=r"program_source:1:\d+: error"):
        device.compiler.compile("kernel void k(device int* p) { p[0] = q; }")
    with pytest.raises(MemoryError):
        device.allocator.alloc(10**19)


def test_waiting_gives_seconds():
    from tinygrad.device import TinyELF
    from tinygrad.helpers import Target

    source = "kernel void k(device int* p, constant int& n, uint3 g [[threadgroup_position_in_grid]]) { p[g.x] = n; }"
    device = Device[DEVICE]
    elf = TinyELF(device.compiler.compile(source), "k", Target(DEVICE), ((None, 0, dtypes.int32, ()), ("n", 1, dtypes.int32, ())))
    buffer = device.allocator.alloc(4 * 4)
    seconds = device.runtime(elf)(buffer, global_size=(4, 1, 1), vals=(-9,), wait=True)
    assert 0 <= seconds < 60
    assert device.allocator._as_buffer(buffer).cast("i").tolist() == [-9] * 4
    with pytest.raises(RuntimeError, match="threads"):
        device.runtime(elf)(buffer, global_size=(1, 1, 1), local_size=(64, 64, 1), vals=(0,))


PROGRAM = """
import pymetallic.integrations.tinygrad
from tinygrad import Device, Tensor
x = Tensor([[1.0, 2.0], [3.0, 4.0]], device="METAL")
print(Device["METAL"].sysdevice.id, (x @ x).tolist(), x.cast("bfloat16").exp2().sum().float().item())
"""


@pytest.mark.parametrize("name", ["cpu", "interp"])
def test_any_device(name):
    if name != "interp" and all(d.id != name for d in pm.Device.get_all_devices()):
        pytest.skip(f"there is no device {name}")
    environment = {**os.environ, "PYMETALLIC_DEVICE": name}
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, env=environment, timeout=300)
    assert done.stdout.split("\n")[0] == f"{name} [[7.0, 10.0], [15.0, 22.0]] 30.0", done.stderr


def test_it_must_come_first():
    program = "import sys, types; sys.modules['tinygrad.runtime.ops_metal'] = types.ModuleType('m'); import pymetallic.integrations.tinygrad"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300)
    assert "before tinygrad opens a METAL device" in done.stderr


# ---- training ------------------------------------------------------------------------------------


def train(device: str, steps: int, batch: int) -> tuple[list[float], list[np.ndarray]]:
    """A small convolutional network on noise with labels; the losses, and the parameters at the end."""
    rng = np.random.default_rng(9)

    def parameter(*shape: int) -> Tensor:
        return Tensor((rng.standard_normal(shape) * np.prod(shape[1:]) ** -0.5).astype(np.float32), device=device).realize()

    kernel, hidden, head = parameter(2, 1, 3, 3), parameter(12, 2 * 3 * 3), parameter(5, 12)
    parameters = [kernel, hidden, head]
    optimizer = nn.optim.SGD(parameters, lr=0.1, momentum=0.9)
    images = Tensor(rng.standard_normal((batch, 1, 8, 8)).astype(np.float32), device=device).realize()
    labels = Tensor(rng.integers(0, 5, batch).astype(np.int32), device=device).realize()

    @TinyJit
    def step() -> Tensor:
        optimizer.zero_grad()
        features = images.conv2d(kernel).relu().max_pool2d(2).flatten(1)
        loss = features.linear(hidden.T).relu().linear(head.T).cross_entropy(labels).backward()
        return loss.realize(*optimizer.schedule_step())

    with Context(TRAINING=1):
        losses = [step().item() for _ in range(steps)]
    return losses, [p.numpy() for p in parameters]


def test_training():
    losses, parameters = train(DEVICE, 1, batch=4)
    expected_losses, expected_parameters = train("PYTHON", 1, batch=4)
    # Sums are in another order.
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-5)
    for actual, expected in zip(parameters, expected_parameters, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


def test_training_converges():
    losses, _ = train(DEVICE, 40, batch=16)
    assert losses[-1] < 0.3 * losses[0]
