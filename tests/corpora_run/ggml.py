"""Arguments of ggml's kernels: the structs of ``ggml-metal-impl.h`` as NumPy types, and its constants."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from harness import Call, Case, Sizes, corpus_folder

CTYPES = {
    "int32_t": "i4", "uint64_t": "u8", "int64_t": "i8", "float": "f4", "int16_t": "i2", "bool": "u1", "size_t": "u8", "int": "i4",
}  # fmt: skip
OPTIONS = {"macros": {"GGML_METAL_HAS_BF16": 1}}


@lru_cache(None)
def header() -> str:
    text = (corpus_folder("ggml") / "ggml-metal" / "ggml-metal-impl.h").read_text()
    return re.sub(r"//[^\n]*", "", text)


@lru_cache(None)
def struct(name: str) -> np.dtype:
    body = re.search(rf"typedef struct ?\{{([^}}]*)\}} ggml_metal_kargs_{name};", header()).group(1)
    fields: list[tuple] = []
    for ctype, field, count in re.findall(r"(\w+)\s+(\w+)\s*(?:\[(\d+)\])?\s*;", body):
        fields.append((field, CTYPES[ctype], int(count)) if count else (field, CTYPES[ctype]))
    return np.dtype(fields, align=True)


def number(name: str) -> int:
    return int(re.search(rf"#define {name}\s+(\d+)", header()).group(1))


def arguments(name: str, **values: Any) -> bytes:
    """The bytes of a struct; what is not given is zero."""
    s = np.zeros((), struct(name))
    for field, value in values.items():
        s[field] = value
    return s.tobytes()


def extents(n: str, shape: tuple[int, ...], strides: tuple[int, ...], fields: np.dtype | None = None) -> dict[str, int]:
    """``ne<n>0…3`` and ``nb<n>0…3`` of an array, its last axis first."""
    shape, strides = (1,) * (4 - len(shape)) + tuple(shape), (0,) * (4 - len(strides)) + tuple(strides)
    found = {f"ne{n}{i}": v for i, v in enumerate(shape[::-1])} | {f"nb{n}{i}": v for i, v in enumerate(strides[::-1])}
    return {k: v for k, v in found.items() if fields is None or k in fields.names}


def of(name: str, parts: dict[str, np.ndarray], **values: Any) -> bytes:
    """A struct from arrays: {"0": src0, "1": src1, "": dst} and other values. Missing fields are left out."""
    fields = struct(name)
    for n, array in parts.items():
        values = extents(n, array.shape, array.strides, fields) | values
    return arguments(name, **values)


def case(file: str, kernel: str, make: Callable[[Sizes], Call], note: str = "") -> Case:
    """A case of ``ggml-metal/kernels``; neither ``.metal`` nor ``kernel_`` is written."""
    return Case("ggml", f"ggml-metal/kernels/{file}.metal", f"kernel_{kernel}", make, note, OPTIONS)
