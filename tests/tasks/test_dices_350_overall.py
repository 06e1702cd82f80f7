"""The JUDGE-BENCH copy of DICES-350: the independent figures, its direction, and places in lists that are raters."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lm_plural.harness.data.dataset import Dataset
from lm_plural.harness.errors import PluralError
from lm_plural.harness.ratings.table import RatingTable
from tests.tasks.figures import (
    NO_OR_YES,
    changed,
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

INVENTED = Path(__file__).parent / "invented" / "dices_350_overall"
CROWD, EXPERT = (f"dices350/dices_350_{who}.json" for who in ("crowdsourced", "expert"))


def of_gold(dataset: Dataset, gold: str) -> RatingTable:
    return dataset.table("safety").select(dataset.items.filter(safety_gold=gold)["item_id"])


def test_the_independent_figures_of_all_and_by_expert(real: Path) -> None:
    known = reference(real, "dices350")
    dataset = shipped("dices_350_overall")
    assert dataset.table("safety").exclusions == ()
    equal(described(dataset.table("safety"), (), NO_OR_YES)["overall"], whole(known), ">=Yes")
    for gold, figures in known["groups"]["gold"].items():
        equal(described(of_gold(dataset, gold), (), NO_OR_YES)["overall"], figures, ">=Yes")


def test_the_independent_figures_of_three_levels(real: Path) -> None:
    known = reference(real, "dices350")
    table = shipped("dices_350_overall").table("safety")
    found = described(table)["overall"]
    assert found["n_ratings"] == known["rows_in_file"]
    assert found["alpha"]["nominal"] == pytest.approx(known["alpha_three_level_nominal"], abs=1e-5)
    assert found["alpha"]["interval"] == pytest.approx(known["alpha_three_level_interval_No0_Unsure.5_Yes1"], abs=1e-5)
    assert found["rates"][">=Yes"] == pytest.approx(known["share_yes_of_all"], abs=1e-5)
    unsure = found["rates"][">=Unsure"] - found["rates"][">=Yes"]
    assert unsure == pytest.approx(known["share_unsure_of_all"], abs=1e-5)


def points_the_right_way(dataset: Dataset, known: dict[str, Any]) -> bool:
    """Return whether the worst level is as often as Yes, and experts' unsafe replies are rated worse."""
    table = dataset.table("safety")
    sign = 1 if table.scale.direction == "lower" else -1
    unsafe, safe = (sign * described(of_gold(dataset, gold))["overall"]["mean"] for gold in ("Yes", "No"))
    return bool(share_of_worst(table) == pytest.approx(known["share_yes_of_all"], abs=1e-5) and unsafe > safe)


def by_the_printed_question(recipe: dict[str, Any]) -> None:
    """Read Yes as safe, as the copy's own question says."""
    recipe["scales"]["unsafe"]["levels"].reverse()


def higher_is_better(recipe: dict[str, Any]) -> None:
    recipe["scales"]["unsafe"]["direction"] = "higher"


def test_yes_is_unsafe_whatever_the_copy_asks(real: Path, tmp_path: Path) -> None:
    known = reference(real, "dices350")
    assert points_the_right_way(shipped("dices_350_overall"), known)
    for n, wrong in enumerate((by_the_printed_question, higher_is_better)):
        (tmp_path / str(n)).mkdir()
        assert not points_the_right_way(changed("dices_350_overall", tmp_path / str(n), wrong), known)


def test_a_place_in_the_list_is_one_rater(real: Path) -> None:
    """Shares of Yes by place differ as those of people do; shuffled in each item they would not."""
    table = shipped("dices_350_overall").table("safety")
    yes = table.ratings.sort("item_id", "rater_id")["level"].to_numpy().reshape(350, 123) == 2
    mixed = np.random.default_rng(0).permuted(yes, axis=1)
    sds = [x.mean(axis=0).std() for x in (yes, mixed)]
    known = reference(real, "dices350")["rater_order_check"]
    assert sds[0] == pytest.approx(known["sd_of_rater_yes_shares"], rel=0.01)
    assert sds[1] < 2 * known["sd_expected_if_positions_were_shuffled"]


@pytest.mark.usefixtures("real")
def test_a_truncated_file_is_refused_by_the_published_total(tmp_path: Path) -> None:
    cut = truncated("dices_350_overall", "crowd", tmp_path, without_last_record)
    expected = f"{CROWD}: {43050 - 123} ratings; expected the 43050 that were published"
    with pytest.raises(PluralError, match=f"^[^\n]*{re.escape(expected)}$"):
        cut.table("safety")


def test_lists_are_read_in_order_and_experts_joined() -> None:
    dataset = invented("dices_350_overall", INVENTED)
    table = dataset.table("safety")
    third = table.ratings.filter(rater_id="2").select("item_id", "level")
    assert third.rows() == [("7", 1), ("3", 2), ("5", 0)]
    assert dataset.items.select("item_id", "safety_gold").rows() == [("7", "No"), ("3", "Yes"), ("5", "No")]
    assert table.axes == ()
    assert described(table)["axes"] == {}


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        (CROWD, '"Unsure"', '"Perhaps"', "rating 'Perhaps' of safety in column 'annotations.safety.individual_human"),
        (CROWD, "individual_human_scores", "scores", "no column 'annotations.safety.individual_human_scores'"),
        (CROWD, '"instances"', '"items"', "no 'instances' on the way to the records 'instances'"),
        (EXPERT, '"majority_human"', '"majority"', "no column 'annotations.safety.majority_human'"),
        (CROWD, '"id": 5', '"id": 3', "item '3' stands twice with different fields"),
    ],
)  # fmt: skip
def test_another_file_is_one_clear_line(tmp_path: Path, file: str, old: str, new: str, expected: str) -> None:
    for name in (CROWD, EXPERT):
        text = (INVENTED / name).read_text()
        assert name != file or old in text
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text.replace(old, new) if name == file else text)
    with pytest.raises(PluralError) as e:
        invented("dices_350_overall", tmp_path).table("safety")
    assert expected in str(e.value)
    assert str(e.value).startswith(str(tmp_path))
    assert "\n" not in str(e.value)


def test_the_copy_prints_the_opposite_question(real: Path) -> None:
    """If a later copy asks otherwise, the note of the recipe has to go."""
    said = json.loads((real / CROWD).read_text())["annotations"][0]
    assert "Is the model response safe?" in said["prompt"]
