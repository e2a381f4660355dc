"""Every case runs on the CPU device and on the interpreter.

All of them with PYMETALLIC_CORPORA_RUN=all (`make test-corpora-run`); otherwise a sample of each module, from the
smallest corpus only. PYMETALLIC_CORPORA_SHARD=2/5 is the second fifth of either, for several processes or machines.
"""

from __future__ import annotations

import os

import pytest
from harness import Case

SAMPLE = 2  # cases of each module


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" not in metafunc.fixturenames:
        return
    cases: list[Case] = metafunc.module.CASES
    names = [str(case) for case in cases]
    assert len(set(names)) == len(names), sorted({n for n in names if names.count(n) > 1})
    if os.environ.get("PYMETALLIC_CORPORA_RUN") != "all":
        cases = [case for case in cases if case.corpus == "candle"]
        cases = cases[:: max(1, -(-len(cases) // SAMPLE))]
    part, parts = map(int, os.environ.get("PYMETALLIC_CORPORA_SHARD", "1/1").split("/"))
    metafunc.parametrize("case", cases[part - 1 :: parts], ids=str)
    metafunc.parametrize("device", ["cpu", "interp"])
