"""The JUDGE-BENCH copy of DICES-990: the independent figures, its direction, and answers that have no rater."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lm_plural.harness.cli.main import main
from lm_plural.harness.errors import PluralError
from tests.tasks.figures import (
    NO_OR_YES,
    described,
    equal,
    reference,
    share_of_worst,
    shipped,
    truncated,
    whole,
    without_last_record,
)
from tests.tasks.invented import invented

INVENTED = Path(__file__).parent / "invented" / "dices_990_overall"
FILE = "dices990/dices_990.json"


def test_the_independent_figures(real: Path) -> None:
    known = reference(real, "dices990")
    table = shipped("dices_990_overall").table("safety")
    assert table.exclusions == ()
    equal(described(table, (), NO_OR_YES)["overall"], whole(known), ">=Yes")
    found = described(table)["overall"]
    assert found["n_ratings"] == known["rows_in_file"]
    assert found["alpha"]["nominal"] == pytest.approx(known["alpha_three_level_nominal"], abs=1e-5)
    assert share_of_worst(table) == pytest.approx(known["share_yes_of_all"], abs=1e-5), "Yes is unsafe"
    unsure = found["rates"][">=Unsure"] - found["rates"][">=Yes"]
    assert unsure == pytest.approx(known["share_unsure_of_all"], abs=1e-5)


@pytest.mark.usefixtures("real")
def test_a_truncated_file_is_refused_by_the_published_total(tmp_path: Path) -> None:
    cut = truncated("dices_990_overall", "crowd", tmp_path, without_last_record)
    with pytest.raises(PluralError, match=rf"^[^\n]*{re.escape(FILE)}: 72\d+ ratings; expected the 72103 that were"):
        cut.table("safety")


def test_every_answer_has_an_id_of_its_own() -> None:
    dataset = invented("dices_990_overall", INVENTED)
    assert not dataset.recipe.raters.known
    table = dataset.table("safety")
    assert table.ratings["rater_id"].to_list() == ["0-0", "0-1", "0-2", "1-0", "1-1", "2-0", "2-1", "2-2", "2-3"]
    assert table.ratings["level"].to_list() == [0, 2, 1, 2, 0, 0, 0, 0, 2]


@pytest.mark.usefixtures("real")
def test_the_run_from_the_copy_counts_no_raters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["run", "--model", "dummy", "-t", "dices_990_safety", "--limit", "20", "-o", str(tmp_path), "--tables"])
        == 0
    )
    out = " ".join(capsys.readouterr().out.split())
    assert "'dices_990_overall' stands in for 'dices_990'" in out
    assert "intervals: 95 %, for other items note" in out
    assert "all raters ? " in out
