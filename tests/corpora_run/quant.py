"""The quantised formats of ggml: what values a block stands for, from the definitions of the structs.

``FORMATS`` names each; ``blocks`` makes random valid blocks, ``dequantize`` says their values. Tables that belong to a
format (grids of the iq formats) are data and are read from the header that defines it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from harness import corpus_folder

U8, F16, U16 = np.uint8, np.float16, np.uint16
IQ4NL = np.array([-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113], np.float64)
FP4 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6, 0, -0.5, -1, -1.5, -2, -3, -4, -6], np.float64)
IQ1_DELTA = 0.125


@lru_cache(None)
def table(name: str, width: int) -> np.ndarray:
    """A table of integers as the bytes of its elements."""
    text = (corpus_folder("ggml") / "ggml-common.h").read_text()
    body = re.search(rf"GGML_TABLE_BEGIN\(uint\d+_t, {name}, [^)]*\)(.*?)GGML_TABLE_END", text, re.S).group(1)
    numbers = np.array([int(n, 0) for n in re.findall(r"0x[0-9a-fA-F]+|\b\d+\b", body)], np.uint64)
    return numbers.astype({1: "<u1", 4: "<u4", 8: "<u8"}[width]).view(U8).reshape(-1, width)


@dataclass
class Format:
    size: int  # values in a block
    fields: list[tuple]
    values: Callable[[np.ndarray], np.ndarray]

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(self.fields)


def f(x: np.ndarray) -> np.ndarray:
    return x.astype(np.float64)


def col(x: np.ndarray) -> np.ndarray:
    return f(x)[:, None]


def nibbles(q: np.ndarray) -> np.ndarray:
    """Low halves of all bytes, then high halves."""
    return np.concatenate([q & 15, q >> 4], axis=1)


def high_bits(qh: np.ndarray) -> np.ndarray:
    bits = qh.copy().view("<u4")
    return (bits >> np.arange(32, dtype=np.uint32)) & 1


def q2(b: np.ndarray) -> np.ndarray:
    """Two bits each: of 32 bytes, the lowest bits first."""
    q = b.reshape(len(b), -1, 1, 32)
    return ((q >> np.array([0, 2, 4, 6], U8)[None, None, :, None]) & 3).reshape(len(b), -1)


def q2_k(b):
    scale, least = f(b["scales"] & 15), f(b["scales"] >> 4)
    q = f(q2(b["qs"])).reshape(len(b), 16, 16)
    return (col(b["d"])[..., None] * scale[..., None] * q - col(b["dmin"])[..., None] * least[..., None]).reshape(len(b), -1)


def q3_k(b):
    s = b["scales"]
    low = np.concatenate([s[:, :8] & 15, s[:, :8] >> 4], axis=1)
    high = np.concatenate([(s[:, 8:] >> n) & 3 for n in (0, 2, 4, 6)], axis=1)
    scale = f(low | (high << 4)) - 32
    h = ((b["hmask"][:, None, :] >> np.arange(8, dtype=U8)[None, :, None]) & 1).reshape(len(b), -1)
    q = f(q2(b["qs"])) - 4 * (1 - f(h))
    return (col(b["d"])[..., None] * scale[..., None] * q.reshape(len(b), 16, 16)).reshape(len(b), -1)


def scales_k4(s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eight scales and eight minima of six bits in twelve bytes."""
    first = s[:, :4] & 63, s[:, 4:8] & 63
    second = (s[:, 8:] & 15) | ((s[:, :4] >> 6) << 4), (s[:, 8:] >> 4) | ((s[:, 4:8] >> 6) << 4)
    return f(np.concatenate([first[0], second[0]], axis=1)), f(np.concatenate([first[1], second[1]], axis=1))


def with_k4(b, q: np.ndarray) -> np.ndarray:
    scale, least = scales_k4(b["scales"])
    q = q.reshape(len(b), 8, 32)
    return (col(b["d"])[..., None] * scale[..., None] * q - col(b["dmin"])[..., None] * least[..., None]).reshape(len(b), -1)


def halves(q: np.ndarray) -> np.ndarray:
    """Of 32 bytes, the low halves and then the high halves."""
    q = q.reshape(len(q), -1, 1, 32)
    return np.concatenate([q & 15, q >> 4], axis=2).reshape(len(q), -1)


def q4_k(b):
    return with_k4(b, f(halves(b["qs"])))


def q5_k(b):
    high = ((b["qh"][:, None, :] >> np.arange(8, dtype=U8)[None, :, None]) & 1).reshape(len(b), -1)
    return with_k4(b, f(halves(b["qs"])) + 16 * f(high))


def q6_k(b):
    ql = b["ql"].reshape(len(b), 2, 2, 32)
    low = np.stack([ql[:, :, 0] & 15, ql[:, :, 1] & 15, ql[:, :, 0] >> 4, ql[:, :, 1] >> 4], axis=2)
    high = np.stack([(b["qh"].reshape(len(b), 2, 32) >> n) & 3 for n in (0, 2, 4, 6)], axis=2)
    q = f(low | (high << 4)) - 32
    return (col(b["d"])[..., None] * f(b["scales"])[..., None] * q.reshape(len(b), 16, 16)).reshape(len(b), -1)


def signs(bits: np.ndarray) -> np.ndarray:
    """Eight signs of a byte."""
    return 1.0 - 2.0 * ((bits[..., None] >> np.arange(8, dtype=U8)) & 1)


def even_signs(index: np.ndarray) -> np.ndarray:
    """Seven bits stand for eight signs of which an even number is negative."""
    return signs(table("ksigns_iq2xs", 1)[index.astype(np.int64), 0])


def iq2_xxs(b):
    words = b["qs"].copy().view("<u4").reshape(len(b), 8, 2)
    grid = f(table("iq2xxs_grid", 8)[words[..., 0].copy().view(U8).reshape(len(b), 8, 4)])
    s = words[..., 1]
    sign = even_signs((s[..., None] >> np.array([0, 7, 14, 21], np.uint32)) & 127)
    d = col(b["d"]) * (0.5 + f(s >> 28)) * 0.25
    return (d[..., None, None] * grid * sign).reshape(len(b), -1)


def iq2_xs(b):
    q = b["qs"].reshape(len(b), 8, 4)
    grid = f(table("iq2xs_grid", 8)[q & 511])
    scale = np.stack([b["scales"] & 15, b["scales"] >> 4], axis=2).repeat(2, axis=2)
    d = col(b["d"])[..., None] * (0.5 + f(scale)) * 0.25
    return (d[..., None] * grid * even_signs(q >> 9)).reshape(len(b), -1)


def iq2_s(b):
    q, sign = b["qs"][:, :32].reshape(len(b), 8, 4), b["qs"][:, 32:].reshape(len(b), 8, 4)
    high = (b["qh"][..., None] >> np.array([0, 2, 4, 6], U8)) & 3
    grid = f(table("iq2s_grid", 8)[q.astype(int) | (high.astype(int) << 8)])
    scale = np.stack([b["scales"] & 15, b["scales"] >> 4], axis=2).repeat(2, axis=2)
    d = col(b["d"])[..., None] * (0.5 + f(scale)) * 0.25
    return (d[..., None] * grid * signs(sign)).reshape(len(b), -1)


def iq3_xxs(b):
    grid = f(table("iq3xxs_grid", 4)[b["qs"][:, :64]]).reshape(len(b), 8, 4, 8)
    s = b["qs"][:, 64:].copy().view("<u4")
    sign = even_signs((s[..., None] >> np.array([0, 7, 14, 21], np.uint32)) & 127)
    d = col(b["d"]) * (0.5 + f(s >> 28)) * 0.5
    return (d[..., None, None] * grid * sign).reshape(len(b), -1)


def iq3_s(b):
    q = b["qs"].reshape(len(b), 8, 8).astype(int)
    high = ((b["qh"][..., None] >> np.arange(8, dtype=U8)) & 1).astype(int)
    grid = f(table("iq3s_grid", 4)[q | (high << 8)]).reshape(len(b), 8, 4, 8)
    scale = np.stack([b["scales"] & 15, b["scales"] >> 4], axis=2).reshape(len(b), 8)
    d = col(b["d"]) * (1 + 2 * f(scale))
    return (d[..., None, None] * grid * signs(b["signs"].reshape(len(b), 8, 4))).reshape(len(b), -1)


def iq1_grid(index: np.ndarray) -> np.ndarray:
    """Of eight values from -1, 0, 1."""
    return f(table("iq1s_grid", 8).view(np.int8)[index])


def iq1_s(b):
    qh = b["qh"].astype(int)
    high = (qh[..., None] >> np.array([0, 3, 6, 9])) & 7
    grid = iq1_grid(b["qs"].reshape(len(b), 8, 4).astype(int) | (high << 8))
    delta = np.where(qh & 0x8000, -IQ1_DELTA, IQ1_DELTA)
    d = col(b["d"]) * (2 * ((qh >> 12) & 7) + 1)
    return (d[..., None, None] * (grid + delta[..., None, None])).reshape(len(b), -1)


def iq1_m(b):
    sc = b["scales"].copy().view("<u2").astype(int)
    d = ((sc[:, 0] >> 12) | ((sc[:, 1] >> 8) & 0xF0) | ((sc[:, 2] >> 4) & 0xF00) | (sc[:, 3] & 0xF000)).astype(U16).view(F16)
    scale = (sc[..., None] >> np.array([0, 3, 6, 9])) & 7  # one per sixteen values
    qh = b["qh"].astype(int)
    parts = np.stack([qh & 15, qh >> 4], axis=2).reshape(len(b), 32)  # per eight values: three bits and the shift
    grid = iq1_grid(b["qs"].astype(int) | ((parts & 7) << 8))
    delta = np.where(parts & 8, -IQ1_DELTA, IQ1_DELTA)
    d = col(d) * (2 * scale.reshape(len(b), 16).repeat(2, axis=1) + 1)
    return (d[..., None] * (grid + delta[..., None])).reshape(len(b), -1)


def iq4_xs(b):
    low = np.stack([b["scales_l"] & 15, b["scales_l"] >> 4], axis=2).reshape(len(b), 8).astype(int)
    high = (b["scales_h"].astype(int)[:, None] >> (2 * np.arange(8))) & 3
    d = col(b["d"]) * ((low | (high << 4)) - 32)
    q = b["qs"].reshape(len(b), 8, 16)
    return (d[..., None] * IQ4NL[np.concatenate([q & 15, q >> 4], axis=2)]).reshape(len(b), -1)


def mxfp4(b):
    e = b["e"].astype(np.float64)
    d = np.where(e == 0, 2.0**-127, 2.0 ** (e - 127))
    return d[:, None] * FP4[nibbles(b["qs"])]


def tq2_0(b):
    return col(b["d"]) * (f(q2(b["qs"])) - 1)


D, M = ("d", F16), ("m", F16)
FORMATS = {
    "q1_0": Format(128, [D, ("qs", U8, 16)], lambda b: col(b["d"]) * (2.0 * np.unpackbits(b["qs"], axis=1, bitorder="little") - 1)),
    "q2_0": Format(64, [D, ("qs", U8, 16)], lambda b: col(b["d"]) * (f((b["qs"][..., None] >> np.array([0, 2, 4, 6], U8)) & 3).reshape(len(b), -1) - 1)),
    "q4_0": Format(32, [D, ("qs", U8, 16)], lambda b: col(b["d"]) * (f(nibbles(b["qs"])) - 8)),
    "q4_1": Format(32, [D, M, ("qs", U8, 16)], lambda b: col(b["d"]) * f(nibbles(b["qs"])) + col(b["m"])),
    "q5_0": Format(32, [D, ("qh", U8, 4), ("qs", U8, 16)], lambda b: col(b["d"]) * (f(nibbles(b["qs"])) + 16 * f(high_bits(b["qh"])) - 16)),
    "q5_1": Format(32, [D, M, ("qh", U8, 4), ("qs", U8, 16)], lambda b: col(b["d"]) * (f(nibbles(b["qs"])) + 16 * f(high_bits(b["qh"]))) + col(b["m"])),
    "q8_0": Format(32, [D, ("qs", np.int8, 32)], lambda b: col(b["d"]) * f(b["qs"])),
    "q2_K": Format(256, [("scales", U8, 16), ("qs", U8, 64), D, ("dmin", F16)], q2_k),
    "q3_K": Format(256, [("hmask", U8, 32), ("qs", U8, 64), ("scales", U8, 12), D], q3_k),
    "q4_K": Format(256, [D, ("dmin", F16), ("scales", U8, 12), ("qs", U8, 128)], q4_k),
    "q5_K": Format(256, [D, ("dmin", F16), ("scales", U8, 12), ("qh", U8, 32), ("qs", U8, 128)], q5_k),
    "q6_K": Format(256, [("ql", U8, 128), ("qh", U8, 64), ("scales", np.int8, 16), D], q6_k),
    "iq2_xxs": Format(256, [D, ("qs", U16, 32)], iq2_xxs),
    "iq2_xs": Format(256, [D, ("qs", U16, 32), ("scales", U8, 8)], iq2_xs),
    "iq2_s": Format(256, [D, ("qs", U8, 64), ("qh", U8, 8), ("scales", U8, 8)], iq2_s),
    "iq3_xxs": Format(256, [D, ("qs", U8, 96)], iq3_xxs),
    "iq3_s": Format(256, [D, ("qs", U8, 64), ("qh", U8, 8), ("signs", U8, 32), ("scales", U8, 4)], iq3_s),
    "iq1_s": Format(256, [D, ("qs", U8, 32), ("qh", U16, 8)], iq1_s),
    "iq1_m": Format(256, [("qs", U8, 32), ("qh", U8, 16), ("scales", U8, 8)], iq1_m),
    "iq4_nl": Format(32, [D, ("qs", U8, 16)], lambda b: col(b["d"]) * IQ4NL[nibbles(b["qs"])]),
    "iq4_xs": Format(256, [D, ("scales_h", U16), ("scales_l", U8, 4), ("qs", U8, 128)], iq4_xs),
    "mxfp4": Format(32, [("e", U8), ("qs", U8, 16)], mxfp4),
    "tq2_0": Format(256, [("qs", U8, 64), D], tq2_0),
    "f16": Format(1, [("x", F16)], lambda b: f(b["x"])[:, None]),
    "f32": Format(1, [("x", np.float32)], lambda b: f(b["x"])[:, None]),
    "bf16": Format(1, [("x", U16)], lambda b: f((b["x"].astype(np.uint32) << np.uint32(16)).view(np.float32))[:, None]),
}  # fmt: skip


def blocks(rng: np.random.Generator, name: str, count: int) -> np.ndarray:
    """Random blocks: all bits of the quants, scales of an ordinary size."""
    form = FORMATS[name]
    b = np.frombuffer(rng.integers(0, 256, count * form.dtype.itemsize, np.uint8).tobytes(), form.dtype).copy()
    for field in ("d", "dmin", "m"):
        if field in form.dtype.names:
            b[field] = rng.uniform(0.005, 0.05, count) * (-1 if field == "m" else 1)
    if name == "mxfp4":
        b["e"] = rng.integers(120, 126, count)
    if name == "iq1_m":
        # Its scale of half type is spread over the upper bits of four words of scales.
        d = rng.uniform(0.005, 0.05, count).astype(F16).view(U16)
        words = b["scales"].copy().view("<u2") & 0x0FFF
        for i in range(4):
            words[:, i] |= ((d >> U16(4 * i)) & U16(15)) << U16(12)
        b["scales"] = words.view(U8)
    if name in ("f16", "f32"):
        b["x"] = rng.normal(0, 1, count)
    if name == "bf16":
        b["x"] = (rng.normal(0, 1, count).astype(np.float32).view(np.uint32) >> np.uint32(16)).astype(U16)
    return b


def matrix(rng: np.random.Generator, name: str, rows: int, columns: int) -> tuple[np.ndarray, np.ndarray, int]:
    """The bytes of a matrix, its values, and the bytes of a row."""
    form = FORMATS[name]
    b = blocks(rng, name, rows * columns // form.size)
    return b, form.values(b).reshape(rows, columns), columns // form.size * form.dtype.itemsize
