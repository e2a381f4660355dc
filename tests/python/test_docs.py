"""The documentation is true: its Python runs and prints what it says, and every public thing has a docstring that
gives shapes, dtypes, units and errors where there are any."""

from __future__ import annotations

import ast
import contextlib
import importlib
import inspect
import io
import re
from pathlib import Path

import pytest

import pymetallic
from pymetallic import _native

ROOT = Path(__file__).parents[2]
STUB = ast.parse(Path(pymetallic.__file__).with_name("_native.pyi").read_text(encoding="utf-8"))
MODULES = ["_functions", "_kernel", "gallery", "helpers", "kernels", "metallic", "reference", "simulations"]


@pytest.mark.parametrize("page", ["docs/tutorial.md", "docs/migration.md", "README.md"])
def test_pages(page, monkeypatch):
    """Blocks of Python run in order; a block of text after one is what it prints."""
    monkeypatch.setenv("PYMETALLIC_DEVICE", "cpu")
    text = (ROOT / page).read_text(encoding="utf-8")
    names: dict = {}
    printed = None
    blocks = list(re.finditer(r"^```(\w+)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE))
    assert any(block[1] == "python" for block in blocks)
    for block in blocks:
        if block[1] == "python":
            # The same line numbers as in the page, for whoever reads the failure.
            start = text[: block.start(2)].count("\n")
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(compile("\n" * start + block[2], page, "exec"), names)
            printed = out.getvalue()
        elif block[1] == "text":
            assert printed == block[2]


def stub_members():
    for node in STUB.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, node, getattr(_native, node.name), None
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            cls = getattr(_native, node.name)
            yield node.name, node, cls, None
            for member in node.body:
                if not isinstance(member, ast.FunctionDef) or member.name.startswith("_"):
                    continue
                if not any(ast.unparse(d).endswith(".setter") for d in member.decorator_list):
                    yield f"{node.name}.{member.name}", member, getattr(cls, member.name), node


NATIVE = list(stub_members())


def words(doc: str | None) -> str:
    """One spelling of code and white space, for the stubs have reStructuredText and Rust has Markdown."""
    return " ".join((doc or "").replace("``", "`").split())


@pytest.mark.parametrize(("node", "member"), [(n, m) for _, n, m, _ in NATIVE], ids=[name for name, *_ in NATIVE])
def test_help_and_stubs_say_the_same(node, member):
    doc = ast.get_docstring(node)
    assert doc and doc.rstrip().endswith((".", "…", ")", '"'))
    assert words(inspect.getdoc(member)) == words(doc)


# What a docstring must speak of (or that of its class), by what the annotation says is there.
SHAPE_OR_DTYPE = re.compile(r"dtype|shape|\(\(depth,\)|uint8|1 to 4096 bytes|\(h, w", re.IGNORECASE)
UNIT = re.compile(
    r"bytes|seconds|texels|threads|how many|number|index|\b0\b|count|level|value|STORAGE_|exit code|slices|simdgroup",
    re.IGNORECASE,
)


@pytest.mark.parametrize(("node", "cls"), [(n, c) for _, n, _, c in NATIVE if isinstance(n, ast.FunctionDef)],
                         ids=[name for name, n, *_ in NATIVE if isinstance(n, ast.FunctionDef)])
def test_shapes_dtypes_and_units(node, cls):
    doc = (ast.get_docstring(node) or "") + ((ast.get_docstring(cls) or "") if cls else "")
    annotations = [ast.unparse(a.annotation) for a in (*node.args.args, *node.args.kwonlyargs) if a.annotation]
    annotations.append(ast.unparse(node.returns))
    if any("NDArray" in a or "ArrayLike" in a for a in annotations):
        assert SHAPE_OR_DTYPE.search(doc), "arrays without shape or dtype"
    if annotations[-1] in ("int", "float") or "tuple[int" in annotations[-1]:
        assert UNIT.search(doc), "a number without a unit"


def public_functions():
    for name in MODULES:
        module = importlib.import_module(f"pymetallic.{name}")
        yield module.__name__, module
        for attribute, value in vars(module).items():
            if attribute.startswith("_") or getattr(value, "__module__", None) != module.__name__:
                continue
            if not (inspect.isfunction(value) or inspect.isclass(value)):
                continue
            yield f"{name}.{attribute}", value
            for member, inner in vars(value).items() if inspect.isclass(value) else ():
                inner = inner.fget if isinstance(inner, property) else getattr(inner, "__func__", inner)
                if not member.startswith("_") and inspect.isfunction(inner):
                    yield f"{name}.{attribute}.{member}", inner


PYTHON = list(public_functions())


@pytest.mark.parametrize("thing", [t for _, t in PYTHON], ids=[name for name, _ in PYTHON])
def test_docstrings(thing):
    assert thing.__doc__ and thing.__doc__.strip()
    if not inspect.isfunction(thing):
        return
    annotations = [str(a) for a in inspect.get_annotations(thing).values()]
    doc = thing.__doc__
    if any("ndarray" in a for a in annotations):
        assert re.search(r"\(\w+, \w+|dtype|shape|float32|uint8|element|array|vector", doc, re.IGNORECASE), "an array of what?"


def test_errors_are_named():
    """What raises something that a caller would catch says so."""
    raising = {"Device.get_default_device", "Device.make_library", "Device.make_compute_pipeline_state",
               "Device.make_buffer", "Buffer.from_array", "Buffer.from_dlpack", "Buffer.from_numpy_no_copy",
               "Buffer.to_numpy", "Library.make_function", "CommandBuffer.wait_until_completed"}
    docs = {name: ast.get_docstring(node) for name, node, *_ in NATIVE}
    assert [name for name in sorted(raising) if not re.search(r"[Rr]aises|\w+Error", docs[name])] == []
    assert "raises" in ast.get_docstring(STUB)
