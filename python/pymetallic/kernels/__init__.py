"""The MSL sources that ship with the package, as text.

``get_kernel_source(name)`` reads one file; the constants below hold them all, read when first used.
"""

import functools
from importlib import resources

__all__ = [
    "get_kernel_source",
    "HELPER_KERNELS",
    "DEMO_KERNELS",
    "LINALG_KERNELS",
    "IMAGE_PROCESSING_KERNELS",
    "GAME_OF_LIFE_KERNELS",
    "FLUID_SIMULATION_KERNELS",
]

HELPER_KERNELS: str
DEMO_KERNELS: str
LINALG_KERNELS: str
IMAGE_PROCESSING_KERNELS: str
GAME_OF_LIFE_KERNELS: str
FLUID_SIMULATION_KERNELS: str

_CONSTANTS = {
    "HELPER_KERNELS": "helper_kernels",
    "DEMO_KERNELS": "demo_kernels",
    "LINALG_KERNELS": "linalg_kernels",
    "IMAGE_PROCESSING_KERNELS": "image_processing",
    "GAME_OF_LIFE_KERNELS": "game_of_life",
    "FLUID_SIMULATION_KERNELS": "fluid_simulation",
}


@functools.cache
def get_kernel_source(name: str) -> str:
    """The text of the kernel file ``name`` (with or without ``.metal``).

    Raises ``FileNotFoundError``, listing the files there are, when there is none of that name.
    """
    stem = name.removesuffix(".metal")
    folder = resources.files(__name__)
    available = sorted(p.name.removesuffix(".metal") for p in folder.iterdir() if p.name.endswith(".metal"))
    if stem not in available:
        raise FileNotFoundError(f"no kernel file {name!r}; there are: {', '.join(available)}")
    return (folder / f"{stem}.metal").read_text(encoding="utf-8")


def __getattr__(name: str) -> str:
    if name in _CONSTANTS:
        source = get_kernel_source(_CONSTANTS[name])
        globals()[name] = source
        return source
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
