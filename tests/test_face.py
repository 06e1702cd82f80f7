"""``import lm_plural as lp``: what is there, what it costs, and that its examples are true."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import subprocess
import sys
import time
from pathlib import Path

import pytest

import lm_plural as lp
from tests.conftest import ROOT

#: The jobs on the face, by the modules they live in.
JOBS = {name: home for name, home in lp._HOMES.items() if home.startswith("jobs.")}
#: Whose examples are not run: a judge would be asked for minutes, people for longer; a lens needs files.
NOT_RUN = {"jobs.judge", "jobs.annotate", "jobs.lens"}
#: Modules whose examples are run.
TAUGHT = ["", *(f".harness.{h}" for h in sorted({"analysis.disaggregated", *JOBS.values()} - NOT_RUN))]
#: In a process of its own: what importing the face loads and costs, what it says it has, and what stays away.
FRESH = """
import sys, time
start = time.perf_counter()
import lm_plural
seconds = time.perf_counter() - start
names = dir(lm_plural)
print(seconds, *(m.split(".")[0] for m in sys.modules))
from lm_plural import disaggregate
import lm_plural.harness.analysis.disaggregate
from lm_plural import harness
assert callable(disaggregate) and lm_plural.disaggregate is disaggregate and names == dir(lm_plural)
"""


def test_the_face_loads_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", FRESH], capture_output=True, text=True, timeout=60, check=True)
    seconds, *modules = done.stdout.split()
    assert "lm_plural" in modules
    assert not set(modules) & {"numpy", "polars", "pydantic", "scipy", "torch", "lm_eval", "yaml", "jinja2"}
    assert float(seconds) < 0.5


def test_a_first_import_is_fast() -> None:
    def run() -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import lm_plural"], timeout=60, check=True)
        return time.perf_counter() - start

    assert min(run() for _ in range(3)) < 0.5


def test_dir_is_what_is_there_and_nothing_else() -> None:
    assert dir(lp) == sorted(lp.__all__)
    for name in set(lp.__all__) - {"read_results"}:
        assert getattr(lp, name).__name__ == name
    assert lp.__version__.count(".") == 2


def test_read_results_is_that_of_the_reader() -> None:
    pytest.importorskip("lm_plural.harness.result.read", reason="results cannot be read back yet")
    assert lp.read_results.__name__ == "read_results"


def test_an_unknown_name_suggests() -> None:
    with pytest.raises(AttributeError, match=r"'lm_plural' has no attribute 'evalute'; did you mean 'evaluate'\?$"):
        lp.evalute  # type: ignore[attr-defined]  # noqa: B018
    assert not hasattr(lp, "__wrapped__")


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse((ROOT / "lm_plural" / "__init__.py").read_text())
    seen = {a.asname for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) for a in n.names} - {None}
    assert seen == set(lp.__all__)


@pytest.mark.parametrize("name", JOBS)
def test_every_argument_is_documented(name: str) -> None:
    function = getattr(lp, name)
    assert function.__doc__
    told = function.__doc__.split("Returns\n")[0].split("Raises\n")[0]
    for argument in inspect.signature(function).parameters:
        assert argument in told, f"{name}: {argument}"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with the files that examples speak of."""
    monkeypatch.chdir(tmp_path)
    rows = [f"i{i},r{j},{(i * j) % 5 + 1},{'woman' if j % 2 else 'man'}" for i in range(8) for j in range(24)]
    Path("ratings.csv").write_text("\n".join(["item_id,rater_id,rating,gender", *rows]) + "\n")
    Path("p.csv").write_text("item_id,prediction\n" + "".join(f"i{i},{i % 5 + 1}\n" for i in range(8)))


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("module", TAUGHT)
def test_examples_are_true(module: str) -> None:
    found = doctest.testmod(importlib.import_module(f"lm_plural{module}"))
    assert found.attempted > 1
    assert not found.failed
