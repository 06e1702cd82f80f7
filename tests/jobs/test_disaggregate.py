"""One function for paths and frames, and the same bytes as the command line."""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import lm_plural as lp
from lm_plural.harness.analysis.overview import MOST_LINES, WIDTH, html_of, text_of
from lm_plural.harness.cli.main import main

SCALE = [1, 2, 3, 4, 5]


def long_table() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    rows = [
        (i, f"r{j}", int(np.clip(np.rint(3 + rng.normal() + j % 2), 1, 5)), ("man", "woman")[j % 2], "ab"[j % 3 > 0])
        for i in range(12)
        for j in range(30)
    ]
    return pl.DataFrame(rows, schema=["item_id", "rater_id", "rating", "gender", "team"], orient="row")


RATINGS = long_table()
PREDICTIONS = pl.DataFrame({"item_id": range(12), **{f"p{k}": [0.1 + 0.1 * (k in (3, 4))] * 12 for k in range(1, 6)}})
PREDICTIONS = PREDICTIONS.with_columns(p5=1 - pl.sum_horizontal("p1", "p2", "p3", "p4"))
WEIGHTS = pl.DataFrame({"item_id": range(12), "weight": [1.0 + i % 3 for i in range(12)]})
AXES: list[Any] = ["gender", ("gender", "team")]


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    RATINGS.write_csv("r.csv")
    PREDICTIONS.write_parquet("p.parquet")
    WEIGHTS.write_ndjson("w.jsonl")


def from_paths(**more: Any) -> lp.Disaggregated:
    given = {"predictions": "p.parquet", "item_weights": Path("w.jsonl")} | more
    return lp.disaggregate("r.csv", scale=SCALE, axes=AXES, draws=500, permutations=200, **given)


def test_the_command_line_writes_the_bytes_of_the_function(capsys: pytest.CaptureFixture[str]) -> None:
    words = "--ratings r.csv --predictions p.parquet --item_weights w.jsonl --scale 1,2,3,4,5 --axes gender gender*team"
    more = "--draws 500 --permutations 200 --coarsen 2:up --direction higher --weights pairs --seed 3 --strata team"
    assert main(["disaggregate", *words.split(), *more.split(), "-o", "cli.json"]) == 0
    from_paths(coarsen="2:up", direction="higher", weights="pairs", seed=3, strata="team").save("function.json")
    assert Path("cli.json").read_bytes() == Path("function.json").read_bytes()
    assert "results written to cli.json" in capsys.readouterr().out


def test_frames_give_what_paths_give() -> None:
    expected = from_paths().to_dict()
    for ratings, says in ((RATINGS, PREDICTIONS), (RATINGS.lazy(), PREDICTIONS.lazy())):
        found = lp.disaggregate(
            ratings, scale=SCALE, axes=AXES, predictions=says, item_weights=WEIGHTS, draws=500, permutations=200
        )
        assert found.to_dict() == expected


@pytest.mark.parametrize("arrow", [True, False])
def test_pandas_gives_what_paths_give(arrow: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    pd = pytest.importorskip("pandas")
    ratings, says, weights = (pd.DataFrame(f.to_dict(as_series=False)) for f in (RATINGS, PREDICTIONS, WEIGHTS))
    ratings["rating"] = ratings["rating"].astype(float)  # as pandas does where one is missing
    ratings["gender"] = ratings["gender"].astype("category")
    if not arrow:
        monkeypatch.setitem(sys.modules, "pyarrow", None)
    found = lp.disaggregate(
        ratings, scale=SCALE, axes=AXES, predictions=says, item_weights=weights, draws=500, permutations=200
    )
    assert found.to_dict() == from_paths().to_dict()


def test_a_missing_rating_in_a_frame_is_left_out_and_counted() -> None:
    holes = RATINGS.with_columns(rating=pl.when(pl.int_range(pl.len()) > 2).then("rating"))
    assert lp.disaggregate(holes, scale=SCALE).to_dict()["notes"] == ["3 ratings left out: no rating in the cell"]


def test_two_sets_of_predictions_are_compared_from_paths_and_frames_alike() -> None:
    other = PREDICTIONS.select("item_id", prediction=pl.lit(5))
    change = lp.compare("r.csv", "p.parquet", other, scale=SCALE, axes="gender", draws=500)
    again = lp.compare(RATINGS, PREDICTIONS, other.lazy(), scale=SCALE, axes=["gender"], draws=500)
    assert change.to_dict() == again.to_dict()
    assert change.overall.statistics["divergence"].high < 0
    turned = lp.compare(RATINGS, other, PREDICTIONS, scale=SCALE, draws=500).overall.statistics["divergence"]
    assert turned.value == pytest.approx(-change.overall.statistics["divergence"].value)
    assert repr(change).startswith("Paired: change, first less second, 30 raters of 12 items\nall: divergence -")


@pytest.mark.parametrize(
    ("more", "kind", "message"),
    [
        ({"scale": "12345"}, lp.UsageError, r"^scale '12345': expected a list of levels, lowest first"),
        ({"scale": [1, 2, 3]}, lp.PluralError, r"^ratings: row \d+: rating '[45]' of rating is not on its scale"),
        (
            {"scale": lp.Scale(("1", "5")), "direction": "higher"},
            lp.UsageError,
            "^direction higher: the scale says",
        ),
        ({"direction": "up"}, lp.UsageError, "^direction 'up': expected lower or higher"),
        (
            {"axes": ["gendre"]},
            lp.UsageError,
            r"^ratings: no column 'gendre'; did you mean 'gender'\?; there are",
        ),
        ({"columns": {"items": "item_id"}}, lp.UsageError, "^columns 'items': expected one of item_id, rater_id, rati"),
        ({"coarsen": "4"}, lp.UsageError, "^coarsen 4: expected 3, 2:up, 2:down"),
        ({"predictions": WEIGHTS}, lp.PluralError, r"^predictions: no column 'p1'"),
        ({"predictions": PREDICTIONS.with_columns(p1=2.0)}, lp.PluralError, "^predictions: row 1: p1 is '2'; expected"),
        ({"item_weights": WEIGHTS.clear()}, lp.PluralError, "^item_weights: a frame without rows"),
        ({"predictions": 7}, lp.UsageError, "^predictions: int 7: expected a path, or a frame of polars or pandas"),
        ({"predictions": "none.csv"}, lp.PluralError, "^none.csv: cannot read: No such file"),
        ({"duplicates": "last"}, lp.UsageError, "^duplicates 'last': expected error or first or drop"),
        ({"axis": ["gender"]}, TypeError, "^unexpected argument 'axis'"),
        ({"min_raters": 0}, lp.UsageError, "^min_raters 0: expected at least 1"),
    ],
)
def test_what_cannot_be_is_one_line_that_names_the_argument(more: dict[str, Any], kind: Any, message: str) -> None:
    with pytest.raises(kind, match=message) as caught:
        lp.disaggregate(RATINGS, **({"scale": SCALE} | more))
    assert "\n" not in str(caught.value)


def test_a_frame_that_pandas_cannot_hand_over_is_one_line() -> None:
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    with pytest.raises(lp.PluralError, match=r"^ratings: cannot read the frame: "):
        lp.disaggregate(pd.DataFrame({"item_id": [1, "x"]}), scale=SCALE)


class Cells(HTMLParser):
    """The cells of tables, and whether every tag is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, _attrs: object) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_a_result_says_in_few_lines_who_is_worst_off() -> None:
    result = from_paths()
    lines = repr(result).splitlines()
    assert lines[0] == "Disaggregated: predictions against 30 raters, 360 ratings of 12 items"
    groups = {g: v.statistics["divergence"].value for g, v in result.by_group["gender"].items()}
    worst = max(groups, key=lambda g: groups[g])
    assert lines[2].startswith(f"gender: 2 groups; highest: {worst} {groups[worst]:.3f} [")
    assert max(map(len, lines)) <= WIDTH
    assert repr(lp.disaggregate("r.csv", scale=SCALE)).startswith("Disaggregated: ratings only, 30 raters")


def test_many_axes_and_long_names_still_fit() -> None:
    block = from_paths().to_dict()
    long = {f"{name} " * 20: group for name, group in block["axes"]["gender"]["groups"].items()}
    block["axes"] = {f"axis {n}": {"groups": long} for n in range(20)}
    block["simulated_raters"] = True
    lines = text_of(block, "head").splitlines()
    assert len(lines) == MOST_LINES
    assert max(map(len, lines)) <= WIDTH
    assert lines[1].startswith("SIMULATED RATERS")
    assert lines[-1] == "and 14 more axes"


def test_the_table_of_a_notebook_is_whole_escaped_and_marks_in_words() -> None:
    block = from_paths().to_dict()
    groups = block["axes"]["gender"]["groups"]
    block["axes"]["gender"]["groups"] = {f"<script>{name}": group for name, group in groups.items()}
    page = html_of(block | {"simulated_raters": True}, "a & b")
    cells = Cells()
    cells.feed(page)
    cells.close()
    assert cells.open == []
    assert "<script>" not in page
    assert any(text.startswith("<script>man") for text in cells.texts)
    assert sum("(highest here)" in text for text in cells.texts) == 2  # one an axis
    assert any(text.startswith("SIMULATED RATERS") for text in cells.texts)
    assert from_paths()._repr_html_().startswith("<div><table ")
