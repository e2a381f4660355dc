"""Kernels of MLX: its package has templates in headers, and a case makes the one instance that it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import mlx
import numpy as np
from harness import Call, Case, Sizes

# Names of types in the tests and in MLX.
NAMES = {
    "f32": "float", "f16": "half", "bf16": "bfloat16_t", "bool": "bool", "u8": "uint8_t", "u16": "uint16_t", "u32": "uint32_t",
    "u64": "uint64_t", "i8": "int8_t", "i16": "int16_t", "i32": "int32_t", "i64": "int64_t",
}  # fmt: skip
FLOATS = ("f32", "f16", "bf16")
# Half a unit in the last place: what one rounding is wrong by.
HALF = {"f32": 2.0**-24, "f16": 2.0**-11, "bf16": 2.0**-8}


def name_of(argument: Any) -> str:
    if isinstance(argument, bool):
        return "true" if argument else "false"
    return NAMES.get(argument, str(argument))


def case(file: str, kernel: str, arguments: tuple, make: Callable[[Sizes], Call], note: str = "", **options: Any) -> Case:
    """An instance of a template in headers that ``tests/corpora/mlx.py`` names; the types are those of the tests."""
    headers, _ = mlx.FILES[file]
    words = [name_of(a) for a in arguments]
    label = "_".join([kernel, *(w.replace("<", "_").replace(">", "").replace("_t", "") for w in words)])
    includes = "".join(f'#include "{mlx.KERNELS}/{header}"\n' for header in headers)
    if file == "hadamard":
        includes += "template <typename T> void hadamard_radix_m(thread T* x) {}\n"
    text = f'{includes}instantiate_kernel("{label}", {kernel}, {", ".join(words)})\n'
    given: Mapping[str, Any] = {"macros": {"MLX_METAL_JIT": 1}} | options
    return Case("mlx", f"{file}.metal", label, make, note, given, text)


def of_text(label: str, text: str, make: Callable[[Sizes], Call], note: str = "") -> Case:
    return Case("mlx", "text.metal", label, make, note, {"macros": {"MLX_METAL_JIT": 1}}, text)


def int32s(values: Any) -> np.ndarray:
    return np.array(values, np.int32)


def int64s(values: Any) -> np.ndarray:
    return np.array(values, np.int64)


def element_strides(x: np.ndarray) -> np.ndarray:
    return int64s([n // x.itemsize for n in x.strides])
