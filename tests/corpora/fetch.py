"""Other people's Metal kernels, as the tests use them.

    from fetch import folder
    path = folder("candle")        # None where it cannot be had: offline, or without cargo or pip

or, to fetch everything and see where it is: `python tests/corpora/fetch.py [NAME...]`.

Each corpus is a package of a registry, in a fixed version. Crates come through `cargo info`, which leaves the one
package in cargo's own cache; Python packages come through `pip download` and are unpacked below `target/corpora`.
Nothing of them is part of this repository.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "corpora"
TIMEOUT = 300  # seconds for a download

# Name: where it comes from, package, version, and the folder inside that holds the kernels.
CORPORA = {
    "candle": ("crate", "candle-metal-kernels", "0.11.1", "src/metal_src"),
    "ggml": ("crate", "llama-cpp-sys-2", "0.1.161", "llama.cpp/ggml/src"),
    "ggml-one-file": ("crate", "whisper-rs-sys", "0.15.0", "whisper.cpp/ggml/src"),
    "mistralrs-quant": ("crate", "mistralrs-quant", "0.8.1", "src/metal_kernels"),
    "mistralrs-paged-attn": ("crate", "mistralrs-paged-attn", "0.8.1", "src/metal/kernels"),
    "spirv-cross": ("crate", "spirv-cross-sys", "0.7.4", "native/SPIRV-Cross/reference"),
    "mlx": ("wheel", "mlx-cpu", "0.32.4", "mlx/include"),
}


def folder(name: str) -> Path | None:
    """The folder with the kernels of a corpus, fetched if need be."""
    kind, package, version, inside = CORPORA[name]
    at = (crate if kind == "crate" else python_package)(package, version)
    if at is None or not (at / inside).is_dir():
        return None
    return at / inside


def run(command: list[str]) -> bool:
    try:
        # Outside of our workspace: versions are not those of its lock file.
        done = subprocess.run(command, cwd=tempfile.gettempdir(), capture_output=True, text=True, timeout=TIMEOUT)
    except (OSError, subprocess.TimeoutExpired) as error:
        print(f"{command[0]}: {error}", file=sys.stderr)
        return False
    if done.returncode != 0:
        print(f"{' '.join(command)}: {done.stderr.strip()[-400:]}", file=sys.stderr)
    return done.returncode == 0


def crate(package: str, version: str) -> Path | None:
    def find() -> Path | None:
        home = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
        # A version may have build metadata, after a plus sign.
        found = [*home.glob(f"registry/src/*/{package}-{version}"), *home.glob(f"registry/src/*/{package}-{version}+*")]
        return next((at for at in found if (at / "Cargo.toml").is_file()), None)

    if find() is None:
        run([os.environ.get("CARGO", "cargo"), "info", "--quiet", f"{package}@{version}"])
    return find()


def python_package(package: str, version: str) -> Path | None:
    at = CACHE / f"{package}-{version}"
    if at.is_dir():
        return at
    CACHE.mkdir(parents=True, exist_ok=True)
    # Into a folder of its own that is renamed when it is complete: several tests may fetch at once.
    work = Path(tempfile.mkdtemp(dir=CACHE))
    try:
        what = [f"{package}=={version}", "--no-deps", "--only-binary=:all:"]
        # The headers in a wheel are the same for all platforms.
        platform = ["--platform", "manylinux_2_35_x86_64", "--python-version", "3.12", "--implementation", "py"]
        if not run([sys.executable, "-m", "pip", "download", "--quiet", *what, *platform, "--dest", str(work)]):
            return None
        for archive in list(work.iterdir()):
            unpack(archive, work / "unpacked")
        try:
            (work / "unpacked").rename(at)
        except OSError:
            pass  # somebody else was faster
        return at if at.is_dir() else None
    finally:
        shutil.rmtree(work, ignore_errors=True)


def unpack(archive: Path, into: Path) -> None:
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            # The libraries are large and nobody needs them.
            wheel.extractall(into, [name for name in wheel.namelist() if not name.endswith((".so", ".a", ".dylib"))])
    else:
        with tarfile.open(archive) as source:
            source.extractall(into, filter="data")


if __name__ == "__main__":
    missing = False
    for name in sys.argv[1:] or CORPORA:
        at = folder(name)
        missing |= at is None
        print(f"{name}: {at or 'not available'}")
    sys.exit(missing)
