"""``lm-plural data show``: who rated, how far they agree, and under which licence; also of what is not at hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lm_plural.harness.cli.main import main
from tests.suite import Suite

Capture = pytest.CaptureFixture[str]


def show(suite: Suite, capsys: Capture, *words: str, code: int = 0) -> tuple[str, list[str]]:
    suite.write()
    assert main(["data", "show", "tiny", *words, "--include_path", str(suite.root)]) == code
    out, err = capsys.readouterr()
    return out, err.splitlines()


def told(suite: Suite, capsys: Capture, *words: str) -> dict[str, Any]:
    out, _ = show(suite, capsys, "--json", *words)
    found: dict[str, Any] = json.loads(out)["tiny"]
    return found


def test_every_group_is_shown_with_its_counts_and_agreement(suite: Suite, capsys: Capture) -> None:
    out, err = show(suite, capsys)
    assert err == []
    lines = out.splitlines()
    assert lines[:3] == ["tiny: Tiny", "licence: Apache-2.0 (redistribution forbidden)", "cite: Nobody (2026)."]
    assert "harm: 16 ratings of 4 items by 4 raters" in lines
    assert "ratings of an item: 4 to 4 (median 4); ratings by a rater: 4 to 4 (median 4)" in lines
    assert "levels: 1 (a) 0, 2 (b) 4, 3 (c) 4, 4 (d) 4, 5 (e) 4; lower is better" in lines
    heads = next(line for line in lines if line.startswith("group"))
    assert heads.split() == ["group", "raters", "ratings", "items", "mean", "alpha", "nominal", "ordinal", "interval"]
    rows = {line.split()[0]: line.split()[1:] for line in lines[lines.index(heads) + 2 :]}
    assert rows["man"][:3] == ["2", "8", "4"]
    assert rows["undeclared"][:3] == ["1", "4", "4"]
    assert rows["undeclared"][4:] == ["-", "-", "-"], "one rater agrees with nobody"
    assert [line for line in lines if line.startswith("[")] == ["[gender]", "[race]"]


def test_json_has_the_same_numbers(suite: Suite, capsys: Capture) -> None:
    found = told(suite, capsys)
    harm = found["dimensions"]["harm"]
    assert harm["overall"]["n_ratings"] == 16
    assert sum(harm["levels"].values()) == 16
    assert list(harm["levels"]) == list("12345")
    assert harm["axes"]["race"]["undeclared"]["alpha"] == {"nominal": None, "ordinal": None, "interval": None}
    assert (found["licence"], found["redistribution"]) == ("Apache-2.0", "forbidden")


def test_all_that_a_reader_must_know_stands_above(suite: Suite, capsys: Capture) -> None:
    suite.recipe |= {
        "simulated": True,
        "warning": "Some are rude.",
        "notes": ["The fourth rater is a robot"],
        "homepage": "https://example.org",
        "filters": {"robot": {"about": "Leaves out the robot.", "where": {"rater_id": "r4"}}},
    }
    suite.ratings += "i1,r1,\n"
    out, _ = show(suite, capsys)
    assert out.splitlines()[1].startswith("SIMULATED RATERS")
    for line in (
        "more: https://example.org",
        "content note: Some are rude.",
        "note: The fourth rater is a robot",
        "filter robot (off): Leaves out the robot.",
        "note: 1 ratings left out: no rating in the cell",
    ):
        assert line in out.splitlines()
    on, _ = show(suite, capsys, "--filter", "robot")
    assert "note: 4 ratings left out: filter robot" in on.splitlines()
    assert "harm: 12 ratings of 4 items by 3 raters" in on.splitlines()


def test_one_dimension_of_several(suite: Suite, capsys: Capture) -> None:
    suite.recipe["ratings"]["dimensions"]["other"] = {"column": "harm", "scale": "bad"}
    assert list(told(suite, capsys)["dimensions"]) == ["harm", "other"]
    assert list(told(suite, capsys, "--dimension", "other")["dimensions"]) == ["other"]
    _, (line,) = show(suite, capsys, "--dimension", "othr", code=2)
    assert line.startswith("lm-plural data: error: data set 'tiny' has no ratings on 'othr'; did you mean 'other'?")
    _, (line,) = show(suite, capsys, "--filter", "none", code=2)
    assert line == "lm-plural data: error: data set 'tiny' has no filter 'none'; there are none"


def test_what_is_not_at_hand_shows_its_licence_then_the_error(suite: Suite, capsys: Capture) -> None:
    suite.recipe["files"]["items.jsonl"] = {"path": "gone.csv", "sha256": None, "how": "ask its authors"}
    out, (line,) = show(suite, capsys, code=1)
    assert "licence: Apache-2.0" in out
    assert line.startswith("lm-plural data: error: data set 'tiny': no file gone.csv: ")
    assert ": ask its authors; looked for " in line
    out, (line,) = show(suite, capsys, "--json", code=1)
    assert json.loads(out)["tiny"]["dimensions"] == {}


def test_a_rating_off_the_scale_stops_with_its_line(suite: Suite, capsys: Capture) -> None:
    suite.ratings += "i1,r1,9\n"
    _, (line,) = show(suite, capsys, code=1)
    assert line.startswith(
        f"lm-plural data: error: {suite.folder}/ratings.csv:18: rating '9' of harm is not on its scale"
    )


def test_several_data_sets_are_shown_one_below_the_other(suite: Suite, capsys: Capture) -> None:
    out, _ = show(suite, capsys, "plural_demo", "--dimension", "harm", code=2)
    assert out.startswith("tiny: Tiny")
    assert "\n\nplural_demo: " in out
