"""Each of the 20 kernels of the package against NumPy, on every device, for many sizes and threadgroups.

Integers and what a fixed order of IEEE operations gives are compared exactly, in strict math; the rest within the
tolerance that stands beside it.
"""

from __future__ import annotations

import numpy as np
import pytest
from support import STRICT, buffer_of, is_slow, launch, words

import pymetallic as pm
from pymetallic import reference

SIZES_1D = [1, 31, 32, 33, 1000]
GROUPS_1D = [(1, 1, 1), (32, 1, 1), (33, 1, 1), (256, 1, 1), (1024, 1, 1), (7, 5, 3), (16, 16, 1), (32, 32, 1)]
SIZES_2D = [(1, 1), (31, 2), (32, 3), (33, 31), (7, 50)]
GROUPS_2D = [(1, 1, 1), (32, 1, 1), (1024, 1, 1), (7, 5, 3), (16, 16, 1), (32, 32, 1), (1, 64, 1)]
LARGE_1D = 1024 * 768
LARGE_2D = (1024, 768)


def rng() -> np.random.Generator:
    return np.random.default_rng(11)


def normal(*shape: int) -> np.ndarray:
    return rng().standard_normal(shape, dtype=np.float32)


def skip_slow(device: pm.Device, threads: int, limit: int = 5000) -> None:
    if is_slow(device) and threads > limit:
        pytest.skip(f"{threads} threads take too long on {device.id}")


def largest_error(actual: np.ndarray, expected: np.ndarray) -> float:
    return float(np.max(np.abs(actual.astype(np.float64) - expected), initial=0.0))


# ---- one dimension -------------------------------------------------------------------------------


@pytest.mark.parametrize("group", GROUPS_1D, ids=str)
@pytest.mark.parametrize("n", [*SIZES_1D, LARGE_1D])
class TestOneDimension:
    def test_fill_u32(self, device, n, group):
        skip_slow(device, n)
        data = buffer_of(device, np.arange(n + 7, dtype=np.uint32))
        # More threads than elements: the kernel's own guard counts.
        launch(device, "helper_kernels", "fill_u32", [data, np.array([n, 0xDEADBEEF], np.uint32)], (n + 5, 1, 1), group)
        expected = np.arange(n + 7, dtype=np.uint32)
        expected[:n] = 0xDEADBEEF
        assert np.array_equal(data.to_numpy(np.uint32), expected)

    @pytest.mark.parametrize("name, operation", [("scalar_add_f32", np.add), ("scalar_multiply_f32", np.multiply)])
    def test_scalar(self, device, n, group, name, operation):
        skip_slow(device, n)
        values = normal(n + 3)
        data = buffer_of(device, values)
        launch(device, "helper_kernels", name, [data, np.float32(1.7), *words(n)], (n + 3, 1, 1), group)
        expected = values.copy()
        expected[:n] = operation(values[:n], np.float32(1.7))
        assert np.array_equal(data.to_numpy(np.float32), expected)

    @pytest.mark.parametrize("file, name, operation", [
        ("demo_kernels", "vector_add", np.add), ("linalg_kernels", "vector_add", np.add), ("linalg_kernels", "vector_multiply", np.multiply)])
    def test_vectors(self, device, n, group, file, name, operation):
        skip_slow(device, n)
        a, b = normal(2, n)
        result = device.make_buffer(4 * n)
        launch(device, file, name, [buffer_of(device, a), buffer_of(device, b), result], (n, 1, 1), group)
        assert np.array_equal(result.to_numpy(np.float32), operation(a, b))

    def test_vector_scale(self, device, n, group):
        skip_slow(device, n)
        a = normal(n)
        result = device.make_buffer(4 * n)
        launch(device, "linalg_kernels", "vector_scale", [buffer_of(device, a), result, np.float32(-3.25)], (n, 1, 1), group)
        assert np.array_equal(result.to_numpy(np.float32), a * np.float32(-3.25))


def tree_sum(values: np.ndarray) -> np.float32:
    """The order of additions of reduce_sum, in float32."""
    part = values.astype(np.float32).copy()
    count = part.size
    while count > 1:
        kept = (count + 1) // 2
        part[: count - kept] += part[kept:count]
        count = kept
    return part[0]


@pytest.mark.parametrize("group", [1, 2, 31, 32, 33, 100, 255, 256])
@pytest.mark.parametrize("n", [1, 31, 32, 33, 1000, 50_021])
def test_reduce_sum(device, n, group):
    skip_slow(device, n)
    values = normal(n)
    groups = -(-n // group)
    source = buffer_of(device, values)
    for full in (True, False):
        sums = device.make_buffer(4 * groups)
        # Full threadgroups with the kernel's guard, or a last one that is smaller.
        launch(device, "linalg_kernels", "reduce_sum", [source, sums, *words(n)], (groups * group if full else n, 1, 1), (group, 1, 1), STRICT)
        expected = []
        for g in range(groups):
            part = values[g * group : (g + 1) * group]
            expected.append(tree_sum(np.pad(part, (0, group - part.size)) if full else part))
        assert np.array_equal(sums.to_numpy(np.float32), np.array(expected, np.float32))
        error = largest_error(sums.to_numpy(np.float32), reference.reduce_sum(values, group))
        assert error <= 1e-4


# ---- two dimensions ------------------------------------------------------------------------------


def multiply_in_order(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Row by column in float32, the sum in the order of k, no contraction."""
    total = np.zeros((a.shape[0], b.shape[1]), np.float32)
    for k in range(a.shape[1]):
        total = total + a[:, k : k + 1] * b[k : k + 1, :]
    return total


@pytest.mark.parametrize("group", GROUPS_2D, ids=str)
@pytest.mark.parametrize("m, n, k", [(1, 1, 1), (31, 33, 7), (32, 32, 32), (5, 64, 1), (65, 40, 33), (257, 300, 129)])
def test_matrix_multiply(device, m, n, k, group):
    skip_slow(device, m * n * k, 20_000)
    a, b = normal(m, k), normal(k, n)
    for options in (STRICT, None):
        result = buffer_of(device, np.full((m + 1, n), 77.0, np.float32))
        arguments = [buffer_of(device, a), buffer_of(device, b), result, *words(m, n, k)]
        launch(device, "linalg_kernels", "matrix_multiply", arguments, (n + 2, m + 1, 1), group, options)
        c = result.to_numpy(np.float32, (m + 1, n))
        assert (c[m] == 77.0).all()
        if options is STRICT:
            assert np.array_equal(c[:m], multiply_in_order(a, b))
        else:
            assert largest_error(c[:m], a.astype(np.float64) @ b.astype(np.float64)) <= 1e-6 * k + 1e-6


@pytest.mark.parametrize("group", GROUPS_2D, ids=str)
@pytest.mark.parametrize("size", [*SIZES_2D, (300, 200)], ids=str)
def test_mandelbrot(device, size, group):
    width, height = size
    iterations = 40
    skip_slow(device, width * height, 1500)
    expected = reference.mandelbrot(width, height, iterations)
    for options in (STRICT, None):
        output = device.make_buffer(4 * width * height)
        launch(device, "demo_kernels", "mandelbrot", [output, *words(width, height, iterations)], (width, height, 1), group, options)
        picture = output.to_numpy(np.float32, (height, width))
        if options is STRICT:
            assert np.array_equal(picture, expected)
        else:
            # Contraction changes orbits near the boundary, where they are chaotic.
            assert np.mean(picture != expected) <= 0.02


def test_mandelbrot_of_a_screen(device):
    width, height = (48, 36) if is_slow(device) else LARGE_2D
    output = device.make_buffer(4 * width * height)
    launch(device, "demo_kernels", "mandelbrot", [output, *words(width, height, 100)], (width, height, 1), (32, 8, 1), STRICT)
    assert np.array_equal(output.to_numpy(np.float32, (height, width)), reference.mandelbrot(width, height, 100))


@pytest.mark.parametrize("group", GROUPS_2D, ids=str)
@pytest.mark.parametrize("size", [*SIZES_2D, LARGE_2D], ids=str)
class TestImages:
    def test_life_step(self, device, size, group):
        width, height = size
        skip_slow(device, width * height, 1500)
        cells = (rng().random((height, width)) < 0.4).astype(np.uint8)
        out = buffer_of(device, np.full(width * height + 5, 9, np.uint8))
        launch(device, "game_of_life", "life_step", [buffer_of(device, cells), out, np.array([width, height], np.uint32)], (width + 3, height + 1, 1), group)
        expected = np.append(reference.life_step(cells).ravel(), np.full(5, 9))
        assert np.array_equal(out.to_numpy(np.uint8), expected)

    def test_gaussian_blur_5x5_buffer(self, device, size, group):
        width, height = size
        for channels in (1, 3) if width * height < 5000 else (4,):
            skip_slow(device, width * height * channels, 1200)
            image = rng().random((height, width, channels), dtype=np.float32)
            out = device.make_buffer(image.nbytes)
            launch(device, "image_processing", "gaussian_blur_5x5_buffer", [buffer_of(device, image), out, *words(width, height, channels)],
                   (width, height, 1), group, STRICT)
            assert np.array_equal(out.to_numpy(np.float32, image.shape), blur_in_order(image, reference.GAUSSIAN_5))

    def test_gaussian_blur_3x3(self, device, size, group):
        width, height = size
        skip_slow(device, width * height, 1500)
        image = rng().random((height, width, 4), dtype=np.float32)
        source, destination = (device.make_texture(width, height, pixel_format="rgba32float") for _ in range(2))
        source.replace_region(image)
        launch(device, "image_processing", "gaussian_blur_3x3", [source, destination], (width, height, 1), group, STRICT)
        assert np.array_equal(destination.to_numpy(), blur_in_order(image, reference.GAUSSIAN_3))

    def test_image_processing_pipeline(self, device, size, group):
        width, height = size
        skip_slow(device, width * height, 1500)
        image = rng().random((height, width, 4), dtype=np.float32)
        expected, blurred = reference.image_pipeline(image)
        for options in (STRICT, None):
            out, temp = device.make_buffer(image.nbytes), device.make_buffer(image.nbytes)
            launch(device, "image_processing", "image_processing_pipeline", [buffer_of(device, image), out, temp, *words(width, height)],
                   (width, height, 1), group, options)
            assert largest_error(temp.to_numpy(np.float32, image.shape), blurred) <= 1e-6
            result = out.to_numpy(np.float32, image.shape)
            # pow, on values in [0, 1].
            assert largest_error(result, expected) <= 2e-5
            assert np.array_equal(result[..., 3], image[..., 3])


def blur_in_order(image: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Row by row, in float32; the products of the weights are exact."""
    radius = weights.size // 2
    total = np.zeros_like(image)
    for dy in range(-radius, radius + 1):
        for dx in range(-radius, radius + 1):
            weight = np.float32(weights[dx + radius] * weights[dy + radius])
            total = total + reference._shift(image, dx, dy) * weight
    return total


# ---- fluid ---------------------------------------------------------------------------------------

PARAMS = np.dtype([("width", "u4"), ("height", "u4"), ("dt", "f4"), ("fx", "f4"), ("fy", "f4"), ("fr", "f4"), ("fs", "f4")])
HALF = np.float32(0.5)


@pytest.mark.parametrize("group", GROUPS_2D, ids=str)
@pytest.mark.parametrize("size", [*SIZES_2D, LARGE_2D], ids=str)
class TestFluid:
    def run(self, device, size, group, name, inputs, shape, in_place=False):
        width, height = size
        skip_slow(device, width * height, 1500)
        params = np.array([(width, height, 0.1, 0.4 * width, 0.6 * height, 5.0, 4.0)], PARAMS)
        buffers = [buffer_of(device, array) for array in inputs]
        out = buffers[0] if in_place else device.make_buffer(4 * int(np.prod(shape)))
        bound = [*buffers, *([] if in_place else [out])]
        bound += [None] * (3 - len(bound))
        launch(device, "fluid_simulation", name, [*bound, params], (width + 1, height + 2, 1), group, STRICT)
        return out.to_numpy(np.float32, shape)

    def velocity(self, size) -> np.ndarray:
        # Fast enough to leave the grid at the edges.
        return normal(size[1], size[0], 2) * np.float32(20.0)

    def scalar(self, size) -> np.ndarray:
        return normal(size[1], size[0])

    def test_add_force(self, device, size, group):
        velocity = self.velocity(size)
        result = self.run(device, size, group, "add_force", [velocity], velocity.shape, in_place=True)
        # exp, times an offset of at most the size of the grid; relative to the velocity's own rounding.
        assert np.allclose(result, reference.add_force(velocity, 0.1, np.float32(0.4 * size[0]), np.float32(0.6 * size[1]), 5.0, 4.0), rtol=1e-6, atol=2e-5)

    def test_advect_vel(self, device, size, group):
        velocity = self.velocity(size)
        result = self.run(device, size, group, "advect_vel", [velocity], velocity.shape)
        # A position near 1000 has an error of 2**-14 cells; neighbors differ by up to about 100.
        assert largest_error(result, reference.advect(velocity, velocity, 0.1)) <= 2e-2 if max(size) > 500 else 5e-4

    def test_advect_scalar(self, device, size, group):
        field, velocity = self.scalar(size), self.velocity(size)
        result = self.run(device, size, group, "advect_scalar", [field, velocity], field.shape)
        assert largest_error(result, reference.advect(field, velocity, 0.1)) <= 1e-3

    def test_divergence(self, device, size, group):
        velocity = self.velocity(size)
        result = self.run(device, size, group, "divergence", [velocity], velocity.shape[:2])
        x, y = velocity[..., 0], velocity[..., 1]
        shift = reference._shift
        assert np.array_equal(result, HALF * ((shift(x, 1, 0) - shift(x, -1, 0)) + (shift(y, 0, 1) - shift(y, 0, -1))))

    def test_jacobi_pressure(self, device, size, group):
        p, b = self.scalar(size), normal(size[1] + 1, size[0])[1:]
        result = self.run(device, size, group, "jacobi_pressure", [p, b], p.shape)
        shift = reference._shift
        total = shift(p, -1, 0) + shift(p, 1, 0) + shift(p, 0, -1) + shift(p, 0, 1)
        assert np.array_equal(result, np.float32(0.25) * (total - b))

    def test_subtract_gradient(self, device, size, group):
        velocity, p = self.velocity(size), self.scalar(size)
        result = self.run(device, size, group, "subtract_gradient", [velocity, p], velocity.shape)
        shift = reference._shift
        gradient = HALF * np.stack([shift(p, 1, 0) - shift(p, -1, 0), shift(p, 0, 1) - shift(p, 0, -1)], axis=-1)
        assert np.array_equal(result, velocity - gradient)


def test_there_are_twenty_kernels(device):
    """What this file covers is what the package ships."""
    from pymetallic import kernels

    names = []
    for constant in kernels.__all__:
        if constant.endswith("_KERNELS"):
            names += device.make_library(getattr(kernels, constant)).function_names
    assert sorted(names) == sorted([
        "fill_u32", "scalar_add_f32", "scalar_multiply_f32", "vector_add", "mandelbrot", "matrix_multiply", "vector_add",
        "vector_multiply", "vector_scale", "reduce_sum", "image_processing_pipeline", "gaussian_blur_3x3",
        "gaussian_blur_5x5_buffer", "life_step", "add_force", "advect_vel", "divergence", "jacobi_pressure",
        "subtract_gradient", "advect_scalar"])
