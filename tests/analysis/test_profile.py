"""What a data set holds, against figures worked out independently for the real files, and by hand for small ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lm_plural.harness.analysis.profile import profile
from lm_plural.harness.data.dataset import Dataset
from lm_plural.harness.data.recipe import load_recipe
from lm_plural.harness.errors import PluralError
from lm_plural.harness.ratings.scale import Scale
from lm_plural.harness.task.index import builtin_tasks
from tests.ratings.build import table

CLOSE = {"abs": 1e-5, "rel": 0}


def figures(mirror: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((mirror / name / "reference.json").read_text())
    return found


def read(mirror: Path, name: str, dimension: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("LM_PLURAL_DATA_MIRROR", str(mirror))
    path = builtin_tasks() / name / "dataset.yaml"
    return profile(Dataset(load_recipe(path), path.parent).table(dimension))


def same(found: dict[str, Any], known: dict[str, Any]) -> None:
    """Compare a group's counts, mean and the alphas that are known."""
    for name in ("n_raters", "n_items", "n_ratings"):
        assert found[name] == known.get(name, found[name]), name
    assert found["mean"] == pytest.approx(known["mean"], **CLOSE)
    for metric, alpha in known["alpha"].items():
        assert found["alpha"][metric] == (None if alpha is None else pytest.approx(alpha, **CLOSE)), metric


#: Data set, dimension, and the axes whose groups the recipe cuts as the reference does: ours by theirs.
REAL = [
    ("popquorn", "offensiveness", {"gender": "gender", "race": "race", "age": "age", "education": "education"}),
    ("crehate", "hate", {"nationality": "nationality"}),
]


@pytest.mark.parametrize(("name", "dimension", "axes"), REAL)
def test_the_real_files_have_the_figures_worked_out_independently(
    mirror: Path, name: str, dimension: str, axes: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found, known = read(mirror, name, dimension, monkeypatch), figures(mirror, name)
    overall = known["overall"] | {n: known[n] for n in ("n_items", "n_raters", "n_ratings")}
    same(found["overall"], overall)
    spread = known["ratings_per_item"]
    assert found["ratings_per_item"] == {"least": spread["min"], "median": spread["median"], "most": spread["max"]}
    assert {float(level): n for level, n in found["levels"].items()} == {
        float(k): n for k, n in known["rating_counts"].items()
    }
    lost = known["missing_ratings_dropped"] + known["duplicate_item_rater_rows_dropped"]
    assert sum(int(text.split()[0]) for text in found["exclusions"]) == lost
    compared = 0
    for ours, theirs in axes.items():
        for group, one in known["groups"].get(theirs, {}).items():
            same(found["axes"][ours][group], one)
            compared += 1
    assert compared >= 5


def test_a_small_table_by_hand() -> None:
    people = {"r1": {"gender": ["woman"]}, "r2": {"gender": ["woman"]}, "r3": {"gender": ["man"]}}
    rows = [("a", "r1", "1"), ("a", "r2", "5"), ("a", "r3", "2"), ("b", "r1", "3"), ("b", "r2", "3")]
    found = profile(table(*rows, ("c", "r1", None), raters=people))
    assert found["levels"] == {"1": 1, "2": 1, "3": 2, "4": 0, "5": 1}
    assert found["ratings_per_item"] == {"least": 2, "median": 2.5, "most": 3}
    assert found["ratings_per_rater"] == {"least": 1, "median": 2.0, "most": 2}
    assert found["exclusions"] == ["1 ratings left out: no rating in the cell"]
    woman, man = found["axes"]["gender"]["woman"], found["axes"]["gender"]["man"]
    assert (woman["n_raters"], woman["n_items"], woman["n_ratings"], woman["mean"]) == (2, 2, 4, 3.0)
    # disagreement: 1 and 5 of 4 pairable ratings, each pair over 4: observed 2/4, expected 1 - (1*0+1*0+2*1)/(4*3)
    assert woman["alpha"]["nominal"] == pytest.approx(1 - 0.5 / (10 / 12))
    assert man["alpha"]["nominal"] is None
    assert found["overall"]["mean"] == pytest.approx(14 / 5)
    json.dumps(found, allow_nan=False)


def test_a_table_on_two_scales_is_refused() -> None:
    scales = {"five": Scale(tuple("12345")), "two": Scale(tuple("12"))}
    with pytest.raises(PluralError, match="scale"):
        profile(table(("a", "r1", "1", "five"), ("a", "r2", "1", "two"), scales=scales))
