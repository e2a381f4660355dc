"""The type stubs say what is there: the same names, parameters and kinds."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest

import pymetallic
from pymetallic import _native

STUB = Path(pymetallic.__file__).with_name("_native.pyi")
TREE = ast.parse(STUB.read_text(encoding="utf-8"))
CLASSES = {node.name: node for node in TREE.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")}


def public(names) -> set[str]:
    return {name for name in names if not name.startswith("_")}


def test_module_names():
    functions = {node.name for node in TREE.body if isinstance(node, ast.FunctionDef)}
    assert set(CLASSES) | functions == public(dir(_native))


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_members(name):
    node, cls = CLASSES[name], getattr(_native, name)
    members = {m.name: m for m in node.body if isinstance(m, ast.FunctionDef)}
    attributes = {m.target.id for m in node.body if isinstance(m, ast.AnnAssign) and isinstance(m.target, ast.Name)}
    if issubclass(cls, Exception):
        return
    assert public(members) | public(attributes) == public(vars(cls))
    assert ast.get_docstring(node)
    for member, stub in members.items():
        decorators = {ast.unparse(d) for d in stub.decorator_list}
        runtime = inspect.getattr_static(cls, member, None)
        assert runtime is not None, member
        if "property" in decorators or any(d.endswith(".setter") for d in decorators):
            assert inspect.isdatadescriptor(runtime) or inspect.isgetsetdescriptor(runtime), member
        elif not member.startswith("__"):
            expected = [a.arg for a in (*stub.args.args, *stub.args.kwonlyargs) if a.arg not in ("self", "cls")]
            signature = inspect.signature(getattr(cls, member))
            found = [p.name for p in signature.parameters.values() if p.name != "self" and p.kind is not p.VAR_KEYWORD]
            assert found == expected, member
            required = [p.name for p in signature.parameters.values() if p.default is p.empty and p.name in found]
            defaults = len(stub.args.defaults)
            positional = [a.arg for a in stub.args.args if a.arg not in ("self", "cls")]
            assert required == positional[: len(positional) - defaults], member


def test_the_package_is_typed():
    assert STUB.with_name("py.typed").exists()
    for name in pymetallic.__all__:
        assert hasattr(pymetallic, name)


def test_type_checkers_agree():
    api = pytest.importorskip("mypy.api")
    configuration = Path(__file__).parents[2] / "pyproject.toml"
    out, errors, status = api.run([str(STUB.parent), "--config-file", str(configuration)])
    assert status == 0, out + errors
