"""Cells and rows of tables: what rests on few raters says so, in every table and on the screen."""

from __future__ import annotations

from typing import Any

from lm_plural.harness.report.audit import render_audit
from lm_plural.harness.report.cells import count
from lm_plural.harness.report.layout import plain
from lm_plural.harness.report.table import render_block
from lm_plural.harness.statistics.inference import about
from tests.analysis.test_audit import two as two
from tests.report.test_summary import apart

SHORT = "intervals are a little too short"


def test_a_flag_is_about_the_statistics_it_names_or_about_all() -> None:
    some = [f"approximate: 14 raters, {SHORT} (item_mean, bias)", f"approximate: 11 raters, {SHORT} (divergence)"]
    assert [about(some, name) for name in ("bias", "divergence", "mean", "skill")] == [14, 11, None, None]
    assert about([f"approximate: 12 raters, {SHORT}"], "skill") == 12
    assert about(["not_for_gates: 12 raters and 9 items of 25 and 50"], "skill") is None


def test_raters_that_count_stand_in_brackets_where_they_are_fewer() -> None:
    assert count({"n_raters": 1200, "flags": []}) == "1,200"
    assert count({"n_raters": 15, "flags": [f"approximate: 14 raters, {SHORT} (divergence)"]}) == "15 (14)"
    assert count({"n_raters": 14, "flags": [f"approximate: 14 raters, {SHORT}"]}) == "14"
    assert count({"n_raters": None, "flags": []}) == "?"


def _marked(line: str) -> list[str]:
    return [cell for cell in line.split("  ") if cell.strip().startswith("~")]


def test_a_table_marks_what_rests_on_few_raters_and_nothing_else() -> None:
    lines = plain(render_block("a", apart(raters=24))).split("\n")
    left = next(line for line in lines if line.startswith("left "))
    assert len(_marked(left)) == 3  # bias, divergence, worth
    assert not _marked(next(line for line in lines if line.startswith("all raters ")))
    difference = next(line for line in lines if line.startswith("    left - right: "))
    assert ": ~" in difference
    assert "(12 and 12 raters)" in " ".join(" ".join(lines).split())
    assert "~" not in plain(render_block("a", apart()))


def test_an_audit_marks_them_too(two: dict[str, Any]) -> None:
    small = two["axes"]["side"]["groups"]["a"]
    few = f"approximate: 12 raters, {SHORT} (texts with two ratings)"
    groups = two["axes"]["side"]["groups"] | {"a": small | {"flags": [few]}}
    axes = {"side": two["axes"]["side"] | {"groups": groups}}
    told = {"scorer": {"name": "s", "worse": "more", "dimension": "toxicity"}, "simulated_raters": False}
    marked = two | told | {"axes": axes, "dataset": "d"}
    text = render_audit({"datasets": {"d": {"warning": None, "licence": "none"}}, "audited": {"t": marked}})
    line = next(line for line in plain(text).split("\n") if line.startswith("a "))
    assert f"{small['n_raters']} (12)" in line
    assert len(_marked(line)) == 1  # freed, not AUC
