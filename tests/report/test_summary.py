"""One screen, whatever was run: at most 24 lines of 80 columns, with what there is to say."""

from __future__ import annotations

import copy
import re
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lm_plural.harness.ratings.predictions import Predictions
from lm_plural.harness.ratings.table import RatingTable
from lm_plural.harness.report.layout import OPEN, columns, plain
from lm_plural.harness.report.summary import LINES, WIDTH, _half, summary
from tests.analysis.axis.test_between import block, guesses, panel
from tests.analysis.test_audit import two as two

FILES = ["results written to out/model/results_2026.json", "all tables: --tables, or lm-plural show out/model"]


def screen(blocks: dict[str, Any], files: list[str] = FILES) -> list[str]:
    """Return the lines, which fit."""
    lines = summary("a model against each group of raters", blocks, files).split("\n")
    assert len(lines) <= LINES
    assert max(columns(line) for line in lines[: len(lines) - len(files)]) <= WIDTH
    assert lines[len(lines) - len(files) :] == files
    return [plain(line) for line in lines]


def apart(names: tuple[str, ...] = ("left", "right"), raters: int = 40) -> dict[str, Any]:
    """Return a result in which every second rater is two levels above the others, with whom the model agrees."""
    t = panel(items=30, raters=raters, axes=lambda j: {"side": [names[j % len(names)]]})
    second = t.ratings["rater_id"].str.slice(1).cast(pl.Int64).to_numpy() % 2
    level = np.random.default_rng(3).integers(0, 3, len(t.ratings)) + 2 * second
    t = RatingTable(t.ratings.with_columns(level=pl.Series(level)), t.raters, t.scales)
    q = Predictions([f"i{i}" for i in range(30)], np.tile([0.3, 0.4, 0.3, 0.0, 0.0], (30, 1)))
    return {"mode": "rate"} | block(t, q, ["side"], min_raters=5, min_raters_interval=10)


@pytest.fixture(scope="module")
def clear() -> dict[str, Any]:
    return apart()


@pytest.fixture(scope="module")
def quiet() -> dict[str, Any]:
    found: dict[str, Any] = block(panel(raters=40), guesses())
    for row in found["axes"]["g"]["contrasts"]:
        row["p_adjusted"] = 1.0
    return {"mode": "rate"} | found


def test_the_worst_difference_stands_in_plain_words(clear: dict[str, Any]) -> None:
    lines = screen({"rude": clear})
    text = " ".join(" ".join(lines).split())
    row = next(r for r in clear["axes"]["side"]["contrasts"] if (r["statistic"], r["kind"]) == ("divergence", "pairs"))
    ends = sorted(abs(row[k]) for k in ("low_simultaneous", "high_simultaneous"))
    assert row["value"] < 0
    said = f"by {-row['value']:.3f} [{ends[0]:.3f}, {ends[1]:.3f}]"
    assert f"side: further from right raters than from left raters {said}" in text
    o = clear["overall"]["divergence"]
    assert f"{o['value']:.3f} [{o['low']:.3f},{o['high']:.3f}]".replace("0.", ".")[1:] in text.replace("0.", ".")
    assert "no difference" not in text
    assert sum(OPEN in line for line in summary("t", {"rude": clear}).split("\n")) >= 1


def test_below_is_said_of_the_group_the_model_is_further_below(clear: dict[str, Any]) -> None:
    only = copy.deepcopy(clear)
    only["axes"]["side"]["contrasts"] = [r for r in only["axes"]["side"]["contrasts"] if r["statistic"] == "bias"]
    biases = {g: v["bias"]["value"] for g, v in only["axes"]["side"]["groups"].items()}
    assert biases["right"] < -1 < biases["left"]
    text = " ".join(" ".join(screen({"rude": only})).split())
    assert "side: further below right raters than left raters by 2." in text
    assert "scale points" in text


def test_nothing_found_is_said_once_a_task(quiet: dict[str, Any]) -> None:
    assert sum("no difference between groups is clear of chance" in line for line in screen({"a": quiet})) == 1
    lines = screen({"a": quiet, "b": quiet})
    assert [line for line in lines if "no difference" in line] == [
        "no difference between groups is clear of chance: a, b"
    ]


@pytest.mark.parametrize("n", [1, 7, 75])
def test_any_number_of_tasks_fits_and_those_with_something_to_say_stay(
    n: int, clear: dict[str, Any], quiet: dict[str, Any]
) -> None:
    lines = screen({f"set_task{i}": quiet for i in range(n)} | {"set_loud": clear})
    assert any(line.startswith("loud, side: further") for line in lines)
    hidden = [line for line in lines if line.startswith("and ") and "nothing clear of chance" in line]
    assert bool(hidden) == (n == 75)


def test_forty_groups_with_long_and_wide_names_fit() -> None:
    names = tuple(f"{'日本語の長い名前' * 6} {n}" for n in range(20)) + tuple(
        f"{'very long words ' * 6}{n}" for n in range(20)
    )
    lines = screen({"a_name_that_goes_on_" * 8: apart(names, raters=240)})
    text = " ".join(" ".join(lines).split())
    assert "too few raters to tell: very long words very…" in text
    assert text.count("10 would give an interval") == 1


def test_groups_with_too_few_raters_are_named_with_what_would_do() -> None:
    found = apart(("left", "right", "left", "right", "few"), raters=32)
    assert found["axes"]["side"]["groups"]["few"]["n_raters"] == 6
    text = " ".join(" ".join(screen({"a": found})).split())
    assert "too few raters to tell: few (6); 10 would give an interval" in text


def test_a_long_name_is_cut_in_its_middle_inside_a_sentence_and_whole_in_the_table() -> None:
    name = "begins_" + "and_goes_on_" * 12 + "ends"
    lines = screen({name: apart(("left", "x" * 100))})
    assert name in "".join(line.split(" ")[0] for line in lines)
    assert f"{'x' * 20}…{'x' * 19} raters" in " ".join(" ".join(lines).split())


def test_as_many_groups_are_named_as_fit() -> None:
    few = apart(tuple(f"group number {n}" for n in range(12)), raters=72)
    lines = screen(dict.fromkeys([f"t{n}" for n in range(30)], few))
    first = next(n for n, line in enumerate(lines) if line.startswith("too few raters to tell: "))
    said = " ".join(" ".join(lines[first : first + 2]).split())
    assert said.startswith("too few raters to tell: group number 0 (6), group number 1 (6), group number 10 ")
    assert re.search(r"\(6\) and \d more; 10 would give an interval$", said)


def test_a_small_group_has_a_tilde_and_its_counts() -> None:
    found = apart(raters=24)
    small = [r for r in found["axes"]["side"]["contrasts"] if "approximate" in str(r["flags"])]
    assert small
    text = " ".join(" ".join(screen({"a": found})).split())
    assert "by ~" in text
    assert f"({small[0]['n_raters_a']} and {small[0]['n_raters_b']} raters)" in text


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("few_raters: 2 of at least 5", "few raters: 2 of at least 5"),
        ("no_signal: the items do not differ (A < 0), so no skill", "the items do not differ (A < 0)"),
        ("JUDGE_UNFIT: says yes to everything", "says yes to everything"),
        ("the comparison: 3 raters", "the comparison: 3 raters"),
    ],
)
def test_half_a_line_says_of_what_a_number_is(reason: str, said: str) -> None:
    assert _half(reason) == said


def test_what_is_refused_is_said_in_half_a_line(clear: dict[str, Any]) -> None:
    why = "off_scale: a median of 85% of the model's probability is on no level (limit 50%)"
    refused = clear | {"notes": [f"comparison with the groups refused, {why}", "3 ratings left out: no rating"]}
    line, _no_signal = [line for line in screen({"a": refused}) if line.startswith("refused: ")]
    assert line == "refused: a median of 85% of the model's probability is on no level"


def test_simulated_raters_are_called_so(clear: dict[str, Any], quiet: dict[str, Any]) -> None:
    assert screen({"a": clear | {"simulated_raters": True}})[1].startswith("SIMULATED RATERS: ")
    mixed = screen({"drawn": clear | {"simulated_raters": True}, "asked": quiet})
    assert mixed[1].startswith("drawn: SIMULATED RATERS: ")


def test_people_alone_and_audits_have_a_screen_too(two: dict[str, Any]) -> None:
    people = screen({"ratings.csv": block(panel(raters=40))})
    assert any(line.split()[:4] == ["raters", "mean", "rating", "disagreement"] for line in people)
    audited = " ".join(" ".join(screen({"task": two})).split())
    assert "side: tells harmful from harmless worse for b raters than for" in audited
    assert "too few raters to tell: c (6), d (3); 10 would give an interval" in audited


def test_a_path_is_never_broken(clear: dict[str, Any]) -> None:
    path = "results written to " + "x" * 300
    assert screen({f"t{n}": clear for n in range(30)}, [path])[-1] == path


WORDS = st.text(min_size=1, max_size=90).filter(str.strip)


@settings(deadline=None, derandomize=True, max_examples=30, database=None)
@given(st.dictionaries(WORDS, st.tuples(st.booleans(), WORDS), max_size=30), st.lists(WORDS, max_size=3))
def test_whatever_the_names_it_fits(
    clear: dict[str, Any], quiet: dict[str, Any], tasks: dict[str, tuple[bool, str]], notes: list[str]
) -> None:
    blocks = {}
    for name, (loud, group) in tasks.items():
        found = copy.deepcopy(clear if loud else quiet) | {"notes": [f"refused {note}" for note in notes]}
        (axis,) = found["axes"]
        content = found["axes"][axis]
        first = next(iter(content["groups"]))
        for row in content["contrasts"]:
            row |= {side: group if row[side] == first else row[side] for side in "ab"}
        content["groups"] = {group if g == first else g: v for g, v in content["groups"].items()}
        blocks[name] = found
    screen(blocks)
