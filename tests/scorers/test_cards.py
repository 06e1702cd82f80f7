"""The cards of scorers in docs/scorers.md are those of docs/scorer_cards.json; what is quick is measured again."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from functools import cache
from typing import Any

import pytest

from lm_plural.harness.scoring import listed, scorer_entry_points
from tests.conftest import ROOT

SCRIPT = ROOT / "docs" / "make_scorers.py"
CARDS: dict[str, Any] = json.loads((ROOT / "docs" / "scorer_cards.json").read_text(encoding="utf-8"))


@cache
def script() -> dict[str, Any]:
    """The names of the script."""
    return runpy.run_path(str(SCRIPT))


def test_the_page_is_up_to_date() -> None:
    done = subprocess.run([sys.executable, str(SCRIPT), "--check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_scorer_has_a_card_or_is_said_not_to_be_measured() -> None:
    page = script()["section"]().splitlines()
    for factory in scorer_entry_points():
        for one in listed(factory):
            found = [line for line in page if line.startswith((f"| `{one.scorer}` |", f"| `{factory}` "))]
            assert found, one.scorer
            assert all(line.count("|") in (6, 7) for line in found)
    assert sum("no model at hand: not measured" in line for line in page) > 20


def test_length_and_profanity_measure_what_their_cards_say() -> None:
    measured = script()["measure"]("length", None)
    assert measured == {k: CARDS[k] for k in measured}
    found = script()["audited"]("profanity", {}, None, people=False)["toxicity"]["contrast"]
    card = CARDS["`profanity`"]["toxicity"]
    assert found["en"]["own"] == pytest.approx(card["contrast"]["en"]["own"], abs=1e-6)
    assert found["de"]["own"]["auc"] is None  # it covers English alone
    assert card["contrast"]["de"]["own"]["auc"] is None


def test_no_number_of_an_unfit_judge_is_shown() -> None:
    unfit = [line for line in script()["section"]().splitlines() if line.startswith("| `judge` by")]
    assert unfit
    for line in unfit:
        assert "**unfit**" in line
        assert "0." not in line.replace("`judge` by", "")
