"""Objects of a JSON record as parallel lists, and several values in one cell recoded one by one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_plural.harness.data.apply import apply_steps
from lm_plural.harness.data.files.frames import FAULT, ROW, RULE
from lm_plural.harness.data.files.scan import scan, stacked
from lm_plural.harness.data.steps import Step
from lm_plural.harness.errors import PluralError
from tests.suite import quick


def read(path: Path, said: list[Any]) -> pl.LazyFrame:
    path.write_text(json.dumps({str(n): {"text": "INVENTED", "said": s} for n, s in enumerate(said)}))
    return scan(path, ".", "n", ["said"])


@quick
@given(st.lists(st.dictionaries(st.text(min_size=1), st.text(min_size=1), min_size=1, max_size=4), min_size=1))
def test_keys_and_values_stay_side_by_side(
    tmp_path_factory: pytest.TempPathFactory, said: list[dict[str, str]]
) -> None:
    frame = read(tmp_path_factory.mktemp("entries") / "a.json", said).collect()
    assert frame["said.keys"].to_list() == [list(s) for s in said]
    assert frame["said.values"].to_list() == [list(s.values()) for s in said]
    assert frame.columns == [ROW, "n", "text", "said.keys", "said.values", RULE, FAULT]


@pytest.mark.parametrize("nothing", [{}, None, ""])
def test_a_file_in_which_nobody_said_anything_goes_below_one_in_which_somebody_did(
    tmp_path: Path, nothing: object
) -> None:
    frame = stacked([read(tmp_path / "b.json", [nothing]), read(tmp_path / "a.json", [{"Ann0": 1}])]).collect()
    assert frame["said.keys"].to_list() == [None, ["Ann0"]]
    assert frame["said.values"].to_list() == [None, ["1"]]


def test_other_fields_are_named_with_their_row(tmp_path: Path) -> None:
    with pytest.raises(PluralError, match=r"a.json: row 2: said is 'Ann0,Ann1'; expected names with values$"):
        read(tmp_path / "a.json", [{"Ann0": 1}, "Ann0,Ann1"])


def recoded(cells: list[str | None], **keys: object) -> pl.DataFrame:
    empty = pl.lit(None, pl.String)
    frame = pl.LazyFrame({"c": cells}, schema={"c": pl.String}).with_row_index(ROW)
    step = Step.model_validate({"recode": {"column": "c", "levels": {"W": "white", "B": "black", "no": None}, **keys}})
    return apply_steps(frame.with_columns(empty.alias(RULE), empty.alias(FAULT)), [step], lambda _: frame).collect()


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("W", "white"),
        ("W|B", "white|black"),
        ("B, W", "black|white"),
        ('["W", "B"]', "white|black"),
        ('["W", "no", "W"]', "white"),
        ("no", None),
        ("[]", None),
        (",", None),
        (None, None),
    ],
)
def test_each_value_in_a_cell_is_recoded(cell: str | None, expected: str | None) -> None:
    frame = recoded([cell, "B"], separators="|,")
    assert frame["c"].to_list() == [expected, "black"]
    assert frame[FAULT].to_list() == [None, None]


def test_an_unknown_value_among_others_is_a_fault() -> None:
    faults = recoded(["W|X", "W|B"], separators="|")[FAULT].to_list()
    assert faults == ["unknown level 'W|X' of c; expected one of W, B, no", None]


def test_other_values_are_kept_with_their_commas() -> None:
    cells = recoded(['["China, Hong Kong", "W"]', "China, Hong Kong|B"], separators="|", other="keep")["c"].to_list()
    assert cells == ["China, Hong Kong|white", "China, Hong Kong|black"]
