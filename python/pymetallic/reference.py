"""What each of the 20 kernels computes, in NumPy: the judge of the demos and of the tests.

Arrays are ``(height, width[, channels])``; everything is float32 unless said. Arithmetic is carried
out in float64 where the kernels' order of operations is free, so that a comparison measures the
kernel's rounding and not NumPy's.
"""

from __future__ import annotations

import numpy as np

__all__ = [
    "advect", "add_force", "divergence", "gaussian_blur", "image_pipeline", "jacobi", "life_step",
    "mandelbrot", "reduce_sum", "subtract_gradient",
]

GAUSSIAN_3 = np.array([0.25, 0.5, 0.25])
GAUSSIAN_5 = np.array([0.0625, 0.25, 0.375, 0.25, 0.0625])


def mandelbrot(width: int, height: int, max_iterations: int) -> np.ndarray:
    """Escape times over x in [-2.5, 1], y in [-1, 1], divided by ``max_iterations``; (height, width) float32."""
    f = np.float32
    cx = f(-2.5) + f(3.5) * (np.arange(width, dtype=f) / f(width))
    cy = f(-1.0) + f(2.0) * (np.arange(height, dtype=f) / f(height))
    cx, cy = np.broadcast_arrays(cx[None, :], cy[:, None])
    index = np.arange(width * height)
    cx, cy = cx.ravel().copy(), cy.ravel().copy()
    zx, zy = np.zeros_like(cx), np.zeros_like(cy)
    count = np.full(width * height, max_iterations, dtype=np.uint32)
    for iteration in range(max_iterations):
        x2, y2 = zx * zx, zy * zy
        escaped = x2 + y2 > f(4.0)
        if escaped.any():
            count[index[escaped]] = iteration
            keep = ~escaped
            index, cx, cy, zx, zy, x2, y2 = (v[keep] for v in (index, cx, cy, zx, zy, x2, y2))
        if index.size == 0:
            break
        zy = f(2.0) * zx * zy + cy
        zx = x2 - y2 + cx
    return (count.astype(f) / f(max_iterations)).reshape(height, width)


def _shift(image: np.ndarray, dx: int, dy: int) -> np.ndarray:
    """``result[y, x] = image[y + dy, x + dx]`` with clamped edges."""
    height, width = image.shape[:2]
    rows = np.clip(np.arange(height) + dy, 0, height - 1)
    columns = np.clip(np.arange(width) + dx, 0, width - 1)
    return image[rows][:, columns]


def gaussian_blur(image: np.ndarray, size: int) -> np.ndarray:
    """A picture (h, w) or (h, w, channels), blurred over ``size`` 3 or 5 texels each way; edges are clamped."""
    weights = {3: GAUSSIAN_3, 5: GAUSSIAN_5}[size]
    radius = size // 2
    total = np.zeros(image.shape, dtype=np.float64)
    for dy in range(-radius, radius + 1):
        for dx in range(-radius, radius + 1):
            total += _shift(image, dx, dy).astype(np.float64) * (weights[dx + radius] * weights[dy + radius])
    return total.astype(np.float32)


def image_pipeline(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(output, blurred) of an (h, w, 4) image: blur, Sobel edges, 0.7/0.3 mix, gamma 0.8, clamp."""
    blurred = gaussian_blur(image, 3)
    light = image[..., :3].astype(np.float64) @ np.array([0.299, 0.587, 0.114])
    gx, gy = np.zeros_like(light), np.zeros_like(light)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            value = _shift(light, dx, dy)
            gx += value * (dx * (2 - abs(dy)))
            gy += value * (dy * (2 - abs(dx)))
    edge = np.hypot(gx, gy)
    output = np.empty_like(image)
    mixed = 0.7 * blurred[..., :3].astype(np.float64) + 0.3 * edge[..., None]
    output[..., :3] = np.clip(mixed, 0.0, 1.0) ** 0.8
    output[..., 3] = image[..., 3]
    return output, blurred


def life_step(cells: np.ndarray) -> np.ndarray:
    """One generation on a torus; uint8 of 0 and 1."""
    neighbors = sum(
        np.roll(cells, (dy, dx), axis=(0, 1)).astype(np.uint8)
        for dy in (-1, 0, 1)
        for dx in (-1, 0, 1)
        if (dx, dy) != (0, 0)
    )
    return ((neighbors == 3) | ((neighbors == 2) & (cells != 0))).astype(np.uint8)


def reduce_sum(values: np.ndarray, group: int) -> np.ndarray:
    """One sum per group of ``group`` elements, in float64."""
    padded = np.zeros(-(-values.size // group) * group, dtype=np.float64)
    padded[: values.size] = values
    return padded.reshape(-1, group).sum(axis=1)


def _positions(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x, y], axis=-1).astype(np.float64)


def add_force(velocity: np.ndarray, dt: float, fx: float, fy: float, fr: float, fs: float) -> np.ndarray:
    """A swirl around (fx, fy); velocity is (h, w, 2)."""
    offset = _positions(*velocity.shape[:2]) - np.array([fx, fy])
    falloff = np.exp(-(offset**2).sum(axis=-1) / (fr * fr))
    swirl = np.stack([-offset[..., 1], offset[..., 0]], axis=-1)
    return (velocity + swirl * (fs * falloff * dt)[..., None]).astype(np.float32)


def advect(field: np.ndarray, velocity: np.ndarray, dt: float) -> np.ndarray:
    """Semi-Lagrangian step of a scalar (h, w) or vector (h, w, 2) field, bilinear, clamped."""
    height, width = field.shape[:2]
    position = _positions(height, width) - np.float64(np.float32(dt)) * velocity.astype(np.float64)
    position = np.clip(position, 0.0, [width - 1.0, height - 1.0])
    base = np.floor(position)
    f = position - base
    x0, y0 = base[..., 0].astype(int), base[..., 1].astype(int)
    x1, y1 = np.minimum(x0 + 1, width - 1), np.minimum(y0 + 1, height - 1)
    fx, fy = f[..., 0], f[..., 1]
    if field.ndim == 3:
        fx, fy = fx[..., None], fy[..., None]
    field = field.astype(np.float64)
    top = field[y0, x0] + (field[y0, x1] - field[y0, x0]) * fx
    bottom = field[y1, x0] + (field[y1, x1] - field[y1, x0]) * fx
    return (top + (bottom - top) * fy).astype(np.float32)


def divergence(velocity: np.ndarray) -> np.ndarray:
    """The divergence (h, w) of a velocity (h, w, 2), float32; edges are clamped."""
    x, y = velocity[..., 0].astype(np.float64), velocity[..., 1].astype(np.float64)
    return (0.5 * (_shift(x, 1, 0) - _shift(x, -1, 0) + _shift(y, 0, 1) - _shift(y, 0, -1))).astype(np.float32)


def jacobi(pressure: np.ndarray, b: np.ndarray) -> np.ndarray:
    """One step of Jacobi's iteration towards the pressure (h, w) whose Laplacian is ``b`` (h, w), float32."""
    p = pressure.astype(np.float64)
    total = _shift(p, -1, 0) + _shift(p, 1, 0) + _shift(p, 0, -1) + _shift(p, 0, 1)
    return (0.25 * (total - b)).astype(np.float32)


def subtract_gradient(velocity: np.ndarray, pressure: np.ndarray) -> np.ndarray:
    """The velocity (h, w, 2) less the gradient of the pressure (h, w), float32."""
    p = pressure.astype(np.float64)
    gradient = 0.5 * np.stack([_shift(p, 1, 0) - _shift(p, -1, 0), _shift(p, 0, 1) - _shift(p, 0, -1)], axis=-1)
    return (velocity - gradient).astype(np.float32)
