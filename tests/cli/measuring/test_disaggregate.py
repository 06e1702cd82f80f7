"""``lm-plural disaggregate``: people's own files in, out.json out, and one clear line for everything that is wrong."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pytest

from lm_plural.harness.cli.main import main
from lm_plural.harness.report.table import render_legend
from tests.tasks.figures import equal

HEADER = "item_id,rater_id,rating,gender\n"
RATINGS = HEADER + "".join(
    f"i{i},r{j},{(i * j) % 5 + 1},{'woman' if j % 2 else 'man'}\n" for i in range(6) for j in range(12)
)
P_HEADER = "item_id,p1,p2,p3,p4,p5\n"
PREDICTIONS = P_HEADER + "".join(f"i{i},.1,.3,.3,.2,.1\n" for i in range(6))
O1 = HEADER + "".join(f"a,r{n},{v},all\n" for n, v in enumerate([1, 2, 2, 4]))
CANONICAL = [
    "*    *    *    *    *    3    4    1    2    1    1    3    3    *    3",
    "1    *    2    1    3    3    4    3    *    *    *    *    *    *    *",
    "*    *    2    1    3    4    4    *    2    1    1    3    3    *    4",
]


class Done(NamedTuple):
    code: int
    out: str
    err: str
    block: dict[str, Any] | None


Bring = Callable[..., Done]


@pytest.fixture
def bring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Bring:
    """Write ratings and predictions, run the command on them where they lie, and read out.json."""
    monkeypatch.chdir(tmp_path)

    def run(
        ratings: str | bytes | None = RATINGS,
        predictions: str | bytes | None = None,
        *more: str,
        scale: str = "1,2,3,4,5",
        axes: str = "gender",
        names: Mapping[str, str] = {"r": "r.csv", "p": "p.csv"},
        out: str = "out.json",
    ) -> Done:
        command = ["disaggregate", "--ratings", names["r"], "--scale", scale, "--output_path", out]
        command += ["--axes", axes] if axes else []
        command += ["--predictions", names["p"]] if predictions is not None else []
        for key, content in (("r", ratings), ("p", predictions)):
            if content is not None:
                Path(names[key]).write_bytes(content.encode() if isinstance(content, str) else content)
        try:
            code = main([*command, *more])
        except SystemExit as e:
            code = int(e.code or 0)
        printed = capsys.readouterr()
        file = Path(out)
        return Done(code, printed.out, printed.err, json.loads(file.read_text("utf-8")) if file.is_file() else None)

    return run


def read(done: Done) -> dict[str, Any]:
    assert (done.code, done.err) == (0, "")
    assert done.block is not None
    return done.block


def refused(done: Done, code: int, *words: str) -> None:
    assert done.code == code, done
    assert done.err.startswith("lm-plural disaggregate: error: ")
    assert done.err.count("\n") == 1
    assert done.err.endswith("\n")
    for word in words:
        assert word in done.err
    assert done.block is None
    assert not list(Path().glob(".*.tmp"))


def value(group: dict[str, Any], name: str) -> float | None:
    return group[name]["value"]


def test_the_one_item_oracle_from_file_to_file(bring: Bring):
    block = read(bring(O1, P_HEADER + "a,.1,.3,.3,.2,.1\n", "--min_raters", "1"))
    for group in (block["overall"], block["axes"]["gender"]["groups"]["all"]):
        assert value(group, "divergence") == pytest.approx(-0.0075)
        assert value(group, "disagreement") == pytest.approx(0.1875)
        assert value(group, "rps") == pytest.approx(0.18)
        assert value(group, "bias") == pytest.approx(0.65)
        assert value(group, "equivalent_raters") is None
        assert group["mean"] == 2.25
        assert [f.split(":")[0] for f in group["flags"]] == ["no_signal", "no_divergence", "no_interval"]


def test_krippendorffs_example_from_file_to_file(bring: Bring):
    cells = [(i, j, v) for j, line in enumerate(CANONICAL) for i, v in enumerate(line.split()) if v != "*"]
    block = read(bring("item_id,rater_id,rating\n" + "".join(f"{i},{j},{v}\n" for i, j, v in cells), axes=""))
    expected = {"nominal": 0.691358, "ordinal": 0.806721, "interval": 0.810845}
    assert block["overall"]["alpha"] == pytest.approx(expected, abs=1e-6)
    assert block["axes"] == {}
    assert "bias" not in block["overall"]


def test_out_json_says_what_was_measured(bring: Bring):
    block = read(bring(RATINGS, PREDICTIONS, "--direction", "higher", "--weights", "pairs", "--min_raters", "3"))
    assert block["schema_version"] == 2
    assert block["scale"]["levels"] == list("12345")
    assert (block["scale"]["direction"], block["weights"], block["min_raters"]) == ("higher", "pairs", 3)
    assert (block["inference"], block["reference"], block["notes"]) == ("items+raters", "all", [])


def test_the_table_shows_every_group_and_where_the_file_is(bring: Bring):
    out = bring(RATINGS, PREDICTIONS, "--tables").out
    legend = [line.split()[0] for line in render_legend("rate").splitlines()]
    assert [line.split()[0] for line in out.splitlines() if line[:1].strip()] == [
        "r.csv", "intervals:", "group", "----------", "all", "[gender]", "man", "woman", "[gender]",
        *legend, "results",
    ]  # fmt: skip
    assert "results written to out.json" in out
    assert max(map(len, out.splitlines())) <= 100


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("i9,r1,6,woman", ("r.csv:74:", "'6'", "expected one of 1, 2, 3, 4, 5")),
        ("i0,r0,1,man", ("r.csv:74:", "item 'i0'", "rater 'r0'", "expected one")),
        ("i9,r1,3,man", ("r.csv:74:", "rater 'r1'", "woman and man", "expected one")),
        (",r1,3,woman", ("r.csv:74:", "no item in column 'item_id'", "expected one")),
        ("i9,,3,woman", ("r.csv:74:", "no rater in column 'rater_id'", "expected one")),
        ('"i\n9",r1,3,woman\n"i\r\n\n9",r1,3,woman\ni10,r1,sechs,woman', ("r.csv:79:", "'sechs'", "expected one of")),
        ("i9,r1", ("r.csv:74:", "2 cells", "expected 4")),
        ("\n\ni9,r1,6,woman", ("r.csv:76:", "'6'")),
    ],
)
def test_a_bad_rating_stops_with_its_line_its_value_and_what_was_expected(bring: Bring, rows: str, expected: Any):
    refused(bring(RATINGS + rows + "\n"), 1, *expected)


@pytest.mark.parametrize("p", ["nan", "NaN", "-0.1", "x", "", "inf", "1.5", "1e400"])
def test_a_bad_probability_stops_with_its_line_and_column(bring: Bring, p: str):
    shown = repr(p) if p else "empty"
    refused(bring(RATINGS, PREDICTIONS + f"i9,.5,{p},.1,.1,.1\n"), 1, f"p.csv:8: p2 is {shown}; expected a probability")


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (["item_id=rater_id"], "column 'rater_id' would be item_id and rater_id; expected a column for each"),
        (["rating=gender", "rater_id=gender"], "column 'gender' would be rating and rater_id"),
        (["weight=rating"], "column 'rating' would be rating and weight"),
    ],
)
def test_a_column_of_two_roles_is_refused(bring: Bring, columns: list[str], expected: str):
    refused(bring(RATINGS, None, "--columns", *columns), 2, expected)


@pytest.mark.parametrize(
    ("predictions", "expected"),
    [
        (PREDICTIONS + "i9,0,.3,.3,.2,.1\n", ("p.csv:8:", "sum to 0.9", "expected 1")),
        (PREDICTIONS + "\n\ni9,0,.3,.3,.2,.1\n", ("p.csv:10:", "sum to 0.9", "expected 1")),
        (PREDICTIONS + "i0,.1,.3,.3,.2,.1\n", ("p.csv:8:", "a second prediction for item 'i0'", "expected one")),
        (PREDICTIONS + ",.1,.3,.3,.2,.1\n", ("p.csv:8:", "no item_id", "expected one")),
        ("item_id,prediction\ni0,3\ni1,9\n", ("p.csv:3:", "'9' is not on the scale 1, 2, 3, 4, 5")),
        ("item_id,prediction\ni0,3\ni1,\n", ("p.csv:3:", "not on the scale")),
        ("item_id,prediction\nzz,3\n", ("none of the 1 predicted items has a rating", "'i0'", "'zz'")),
        ("item_id,p1,p2\ni0,.5,.5\n", ("p.csv:1:", "no column 'p3'", "item_id, p1, p2")),
        ("item_id,p1,p2,p3,p4,p5,p6\ni0,1,0,0,0,0,0\n", ("p.csv:1:", "'p6'", "expected p1..p5")),
        ("item,p1,p2,p3,p4,p5\ni0,1,0,0,0,0\n", ("p.csv:1:", "no column 'item_id'", "item, p1")),
        ("item_id,score\ni0,.5\n", ("p.csv:1:", "no column 'p1'", "item_id, score")),
        (P_HEADER, ("p.csv", "no predictions in the file")),
        ("item_id,prediction\n", ("p.csv", "no predictions in the file")),
        ("", ("p.csv", "empty")),
        (bytes(range(256)) * 8, ("p.csv", "cannot read")),
    ],
)
def test_bad_predictions_stop_with_what_was_expected(bring: Bring, predictions: Any, expected: Any):
    refused(bring(RATINGS, predictions), 1, *expected)


@pytest.mark.parametrize(
    ("ratings", "expected"),
    [
        ("", ("r.csv", "empty")),
        (HEADER, ("r.csv:2:", "no ratings in the file")),
        ("item_id,rater_id,score\na,b,1\n", ("r.csv:1:", "no column 'rating'", "there are item_id, rater_id, score")),
        (RATINGS.replace(",", ";"), ("r.csv:1:", "no column 'item_id'", "item_id;rater_id;rating;gender")),
        (RATINGS + "i9,r1,3,woman,surplus\n", ("r.csv:74:", "cannot read", "5 cells; expected 4")),
        (bytes(range(256)) * 8, ("r.csv", "cannot read")),
        (RATINGS.encode() + "ié,r1,3,woman\n".encode("latin-1"), ("r.csv", "utf-8")),
        (RATINGS.encode("utf-16"), ("r.csv", "UTF-16 text; expected UTF-8")),
        (RATINGS + '"i9,r1,3,woman\n', ("r.csv:74:", "cannot read", "begins with a quote here has no end")),
        (RATINGS + "i9,r1,3\ni8,r1,3,woman\n", ("r.csv:74:", "cannot read", "3 cells; expected 4")),
        (HEADER + "a,r,,woman\n", ("r.csv:2:", "no ratings left", "no rating in the cell")),
    ],
)
def test_a_file_that_is_no_table_of_ratings_stops(bring: Bring, ratings: Any, expected: Any):
    refused(bring(ratings), 1, *expected)


@pytest.mark.parametrize("axes", ["gendre", "gender,age", "gender*age"])
def test_an_unknown_axis_stops_with_the_columns_there_are(bring: Bring, axes: str):
    refused(bring(axes=axes), 2, "r.csv:1:", "no column", "there are item_id, rater_id, rating, gender")


@pytest.mark.parametrize("axes", ["rater_id", "item_id", "rating", "gender*rater_id"])
def test_an_axis_that_cannot_group_raters_is_a_usage_error(bring: Bring, axes: str):
    refused(bring(axes=axes), 2, "axis", "expected a column that says something of raters")


@pytest.mark.parametrize("axes", ["gender*", "gender*gender"])
def test_cells_of_fewer_than_two_axes_are_a_usage_error(bring: Bring, axes: str):
    refused(bring(axes=axes), 2, f"--axes {axes}", "two or more different axes")


@pytest.mark.parametrize("which", ["r", "p"])
def test_a_missing_file_and_a_folder_stop_with_their_name(bring: Bring, which: str):
    names = {"r": "r.csv", "p": "p.csv"} | {which: "nowhere.csv"}
    ratings = None if which == "r" else RATINGS
    more = ("--predictions", "nowhere.csv") if which == "p" else ()
    refused(bring(ratings, None, *more, names=names), 1, "nowhere.csv", "No such file")
    Path("nowhere.csv").mkdir()
    refused(bring(ratings, None, *more, names=names), 1, "nowhere.csv", "cannot read")


@pytest.mark.parametrize("out", ["file/out.json", ".", "/proc/nowhere/out.json"])
def test_results_that_cannot_be_written_are_an_error_and_nothing_is_shown(bring: Bring, out: str):
    Path("file").write_text("in the way")
    done = bring(out=out)
    refused(done, 1, "cannot write")
    assert done.out == ""


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        ("1", "like 1,2,3,4,5"),
        ("", "like 1,2,3,4,5"),
        ("1;2;3", "like 1,2,3\n"),
        ("1-7", "like 1,2,3,4,5,6,7\n"),
        ("0..2", "like 0,1,2\n"),
        ("1:3", "like 1,2,3\n"),
        ("1 to 3", "like 1,2,3\n"),
        ("1 2 3", "like 1,2,3\n"),
        ("[1, 2, 3]", "like 1,2,3\n"),
        ("likert", "like 1,2,3,4,5\n"),
        ("1,1", "all different"),
        ("1,2,2.0", "all different"),
        ("1,,2", "none empty"),
        ("3,2,1", "like 1,2,3\n"),
        ("1,2,inf", "must be finite and increase"),
        ("nan,1", "must be finite and increase"),
    ],
)
def test_a_scale_that_cannot_be_is_a_usage_error(bring: Bring, scale: str, expected: str):
    refused(bring(scale=scale), 2, "scale", expected)


def test_words_where_the_scale_has_numbers_are_one_line_that_says_what_to_write(bring: Bring):
    words = RATINGS.replace(",1,", ",strongly agree,")
    refused(bring(words), 1, "rating 'strongly agree'", "expected one of 1, 2, 3, 4, 5; a scale of words names them as")


@pytest.mark.parametrize("text", ["nonsense", "2", "2:", "2:maybe", "2:up:down", "4", ":up", ""])
def test_a_coarsening_that_is_none_is_a_usage_error(bring: Bring, text: str):
    refused(bring(RATINGS, None, "--coarsen", text), 2, f"--coarsen {text}", "expected 3, 2:up, 2:down")


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (("--min_raters", "0"), "not a whole number from 1 on"),
        (("--min_raters", "some"), "not a whole number from 1 on"),
        (("--reference", "best"), "invalid choice: 'best'"),
        (("--reference", "weighted"), "needs a column weight"),
        (("--duplicates", "last"), "invalid choice: 'last'"),
        (("--axis", "gender"), "did you mean '--axes'"),
    ],
)
def test_a_bad_option_is_a_usage_error(bring: Bring, more: tuple[str, ...], expected: str):
    refused(bring(RATINGS, PREDICTIONS, *more), 2, expected)


def test_an_even_scale_cannot_be_coarsened_to_three(bring: Bring):
    refused(bring(RATINGS.replace(",5,", ",4,"), None, "--coarsen", "3", scale="1,2,3,4"), 2, "has no middle level")


def test_ratings_and_predictions_without_a_counterpart_are_notes_with_their_number(bring: Bring):
    some = "\n".join(PREDICTIONS.splitlines()[:3]) + "\nzz,1,0,0,0,0\n"
    done = bring(RATINGS, some, "--tables")
    assert read(done)["notes"] == [
        "1 predicted items without a rating left out",
        "4 rated items without a prediction not compared",
    ]
    assert "note: 4 rated items without a prediction not compared" in done.out


@pytest.mark.parametrize(
    ("rows", "more", "note"),
    [
        ("i9,r1,6,woman\n", ("--off_scale", "drop"), "1 ratings left out: not on the scale ('6')"),
        (
            "i0,r0,4,man\n",
            ("--duplicates", "first"),
            "1 ratings left out: repeated (item, rater, dimension), first kept",
        ),
        ("i0,r0,4,man\n", ("--duplicates", "drop"), "2 ratings left out: repeated (item, rater, dimension), none kept"),
        ("i9,r1,,woman\n", (), "1 ratings left out: no rating in the cell"),
        ("i9,r0,1,woman\n", ("--profiles", "drop"), "7 ratings left out: raters with two profiles (r0)"),
    ],
)
def test_rows_left_out_by_a_chosen_rule_are_notes(bring: Bring, rows: str, more: tuple[str, ...], note: str):
    assert read(bring(RATINGS + rows, None, *more))["notes"] == [note]


def test_the_order_of_rows_does_not_matter(bring: Bring):
    def turned(text: str) -> str:
        head, *rows = text.splitlines(keepends=True)
        return head + "".join(reversed(rows))

    straight, backwards = read(bring(RATINGS, PREDICTIONS)), read(bring(turned(RATINGS), turned(PREDICTIONS)))
    for group in ("man", "woman"):
        a, b = (x["axes"]["gender"]["groups"][group] for x in (straight, backwards))
        for name in ("bias", "divergence", "disagreement", "rps", "skill", "equivalent_raters"):
            assert value(a, name) == pytest.approx(value(b, name))


def frame(text: str) -> pl.DataFrame:
    return pl.read_csv(io.BytesIO(text.encode()))


def parquet(text: str) -> bytes:
    buffer = io.BytesIO()
    frame(text).write_parquet(buffer)
    return buffer.getvalue()


FORMATS: dict[str, Callable[[str], str | bytes]] = {
    "csv": str,
    "csv.gz": lambda t: gzip.compress(t.encode()),
    "tsv": lambda t: t.replace(",", "\t"),
    "jsonl": lambda t: frame(t).write_ndjson(),
    "jsonl.gz": lambda t: gzip.compress(frame(t).write_ndjson().encode()),
    "parquet": parquet,
}
OTHER_CSV: dict[str, Callable[[str], str | bytes]] = {
    "a byte order mark": lambda t: b"\xef\xbb\xbf" + t.encode(),
    "Windows line ends": lambda t: t.replace("\n", "\r\n"),
    "every cell quoted": lambda t: "\n".join('"' + line.replace(",", '","') + '"' for line in t.splitlines()),
    "no last line end": lambda t: t.rstrip("\n"),
    "blank lines": lambda t: t.replace("\n", "\n\n"),
    "spaces around cells": lambda t: t.replace(",", ", ").replace("item_id, rater_id, rating, gender", HEADER.strip())
    .replace("item_id, p1, p2, p3, p4, p5", P_HEADER.strip()),
}  # fmt: skip


@pytest.mark.parametrize("ending", FORMATS)
def test_every_format_gives_the_same_result(bring: Bring, ending: str):
    write, names = FORMATS[ending], {"r": f"ratings.{ending}", "p": f"predictions.{ending}"}
    expected = read(bring(RATINGS, PREDICTIONS))
    assert read(bring(write(RATINGS), write(PREDICTIONS), names=names)) == expected


@pytest.mark.parametrize("variant", OTHER_CSV)
def test_csv_as_other_programs_write_it_gives_the_same_result(bring: Bring, variant: str):
    write = OTHER_CSV[variant]
    assert read(bring(write(RATINGS), write(PREDICTIONS))) == read(bring(RATINGS, PREDICTIONS))


LINES = {"csv": ":74:", "csv.gz": ":74:", "tsv": ":74:", "jsonl": ":73:", "jsonl.gz": ":73:", "parquet": ": row 73:"}


@pytest.mark.parametrize(("ending", "where"), LINES.items())
def test_every_format_names_the_line_of_a_bad_rating(bring: Bring, ending: str, where: str):
    name = f"ratings.{ending}"
    refused(bring(FORMATS[ending](RATINGS + "i9,r1,6,woman\n"), names={"r": name}), 1, f"{name}{where} rating '6'")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            '{"item_id": "a", "rater_id": "b", "rating": 3}\n\n{"item_id": "c", "rater_id": "b", "rating": 6}',
            "r.jsonl:3:",
        ),
        ('{"item_id": "a", "rater_id": "b", "rating": 3}\n{"item_id": "c",', "r.jsonl:2:"),
        ('{"item_id": "a", "rater_id": "b", "rating": [3]}', "r.jsonl:1: column 'rating' holds List"),
        ("[1, 2]", "r.jsonl:1:"),
    ],
)
def test_bad_json_lines_stop_with_their_line(bring: Bring, lines: str, expected: str):
    refused(bring(lines, names={"r": "r.jsonl"}, axes=""), 1, expected)


@pytest.mark.parametrize("ending", ["csv.gz", "parquet", "jsonl", "jsonl.gz"])
def test_bytes_of_another_kind_stop(bring: Bring, ending: str):
    torn = gzip.compress(RATINGS.encode())[:-40]
    refused(bring(torn, names={"r": f"r.{ending}"}), 1, f"r.{ending}", "cannot read")


def test_numbers_in_parquet_may_be_floats(bring: Bring):
    buffer = io.BytesIO()
    frame(RATINGS).with_columns(pl.col("rating").cast(pl.Float32)).write_parquet(buffer)
    assert read(bring(buffer.getvalue(), names={"r": "r.parquet"})) == read(bring(RATINGS))


def test_a_level_predicted_is_a_distribution_with_all_its_mass_there(bring: Bring):
    sure = P_HEADER + "".join(f"i{i},0,0,1.0,0,0\n" for i in range(6))
    level = "item_id,prediction\n" + "".join(f"i{i},3.0\n" for i in range(6))
    assert read(bring(RATINGS, level)) == read(bring(RATINGS, sure))


def test_probabilities_that_sum_to_one_up_to_rounding_are_made_to_sum_to_one(bring: Bring):
    rounded = P_HEADER + "".join(f"i{i},.1999,.1999,.1999,.1999,.1999\n" for i in range(6))
    exact = P_HEADER + "".join(f"i{i},.2,.2,.2,.2,.2\n" for i in range(6))
    found, known = (read(bring(RATINGS, p))["overall"] for p in (rounded, exact))
    assert value(found, "bias") == pytest.approx(value(known, "bias"), abs=1e-12)


def test_several_axes_cells_and_raters_in_two_groups(bring: Bring):
    rows = [("r1", "woman|nb", "x"), ("r2", " woman | woman ", "y"), ("r3", "", "y"), ("r4", "|", "x")]
    text = "item_id,rater_id,rating,gender,race\n" + "".join(f"a,{r},3,{g},{c}\n" for r, g, c in rows)
    axes = read(bring(text, None, "--axes", "gender*race", axes="gender,race"))["axes"]
    sizes = {a: {g: v["n_raters"] for g, v in axis["groups"].items()} for a, axis in axes.items()}
    assert sizes == {
        "gender": {"nb": 1, "undeclared": 2, "woman": 2},
        "race": {"x": 2, "y": 2},
        "gender & race": {"nb & x": 1, "undeclared & x": 1, "undeclared & y": 1, "woman & x": 1, "woman & y": 1},
    }


def test_ids_and_groups_in_any_script_come_back_unchanged(bring: Bring):
    ids, groups = ["🏳️‍🌈", "مرحبا", 'i,\n"1"', "Ω≈ç"], ["女性", 'o\'neil "x" \\', "عربي"]
    quoted = ['"' + s.replace('"', '""') + '"' for s in (*ids, *groups)]
    rows = [f"{quoted[i]},r{j},{(i + j) % 5 + 1},{quoted[4 + j % 3]}\n" for i in range(4) for j in range(6)]
    predictions = P_HEADER + "".join(f"{i},.2,.2,.2,.2,.2\n" for i in quoted[:4])
    done = bring(HEADER + "".join(rows), predictions, "--min_raters", "1")
    found = read(done)["axes"]["gender"]["groups"]
    assert set(found) == set(groups)
    assert all(value(g, "bias") is not None for g in found.values())


def test_forty_groups_are_all_in_the_file_and_the_table_says_how_many_more(bring: Bring):
    rows = [f"i{i},r{j},{(i + j) % 5 + 1},g{j % 40:02}\n" for i in range(3) for j in range(240)]
    done = bring(HEADER + "".join(rows), P_HEADER + "i0,.2,.2,.2,.2,.2\n", "--tables")
    assert len(read(done)["axes"]["gender"]["groups"]) == 40
    assert "(28 more)" in done.out


@pytest.mark.parametrize("k", [2, 11])
def test_any_number_of_levels(bring: Bring, k: int):
    rows = [f"i{i},r{j},{(i + j) % k},g\n" for i in range(8) for j in range(6)]
    predictions = ",".join(["item_id", *(f"p{n + 1}" for n in range(k))]) + "\n"
    predictions += "".join(f"i{i}," + ",".join([str(1 / k)] * k) + "\n" for i in range(8))
    group = read(bring(HEADER + "".join(rows), predictions, scale=",".join(map(str, range(k)))))["overall"]
    flat = np.array([(i + j) % k for i in range(8) for j in range(6)])
    assert group["mean"] == pytest.approx(flat.mean())
    assert list(group["rates"]) == [f">={n}" for n in range(1, k)]
    assert group["rates"][f">={k - 1}"] == pytest.approx((flat == k - 1).mean())
    assert value(group, "bias") == pytest.approx((k - 1) / 2 - flat.mean())


@pytest.mark.parametrize(("level", "bias", "divergence"), [(3, 0, 0), (5, 2, 0.5)])
def test_equal_ratings_and_sure_predictions_are_refused_nothing_they_have(bring: Bring, level, bias, divergence):
    ratings = HEADER + "".join(f"i{i},r{j},3,g\n" for i in range(49) for j in range(6))
    p = ",".join("1" if n == level else "0" for n in range(1, 6))
    group = read(bring(ratings, P_HEADER + "".join(f"i{i},{p}\n" for i in range(49))))["overall"]
    assert value(group, "bias") == pytest.approx(bias)
    assert value(group, "disagreement") == 0
    assert value(group, "divergence") == pytest.approx(divergence)
    assert value(group, "skill") is None
    assert group["alpha"] == {"nominal": None, "ordinal": None, "interval": None}
    assert {f.split(":")[0] for f in group["flags"]} >= {"no_signal", "alpha_undefined"}


def test_a_group_of_one_is_refused_by_number_and_by_lack_of_pairs(bring: Bring):
    ratings = RATINGS + "".join(f"i{i},solo,2,nb\n" for i in range(6))
    for least, reason in (("5", "few_raters: 1 of at least 5"), ("1", "no_pairs: ")):
        solo = read(bring(ratings, PREDICTIONS, "--min_raters", least))["axes"]["gender"]["groups"]["nb"]
        assert value(solo, "divergence") is None
        assert solo["flags"][0].startswith(reason)
        assert solo["mean"] == 2


@pytest.mark.parametrize("reference", ["mean", "median", "majority", "consensus", "dictator", "any_flag"])
def test_a_strategy_is_named_in_the_result_and_changes_no_description(bring: Bring, reference: str):
    plain, other = read(bring(RATINGS, PREDICTIONS)), read(bring(RATINGS, PREDICTIONS, "--reference", reference))
    assert other["reference"] == reference
    assert f"measured under strategy {reference!r}, not against all ratings" in other["notes"]
    for name in ("mean", "alpha", "rates", "n_ratings"):
        assert other["overall"][name] == plain["overall"][name]
    assert value(other["overall"], "rps") is None


@pytest.mark.parametrize(("text", "levels"), [("3", 3), ("2:up", 2), ("2:down", 2), ("2:drop", 2), ("2:split", 2)])
def test_coarsening_from_the_command_line(bring: Bring, text: str, levels: int):
    block = read(bring(RATINGS, PREDICTIONS, "--coarsen", text))
    assert len(block["scale"]["levels"]) == levels
    overall = block["overall"]
    total = value(overall, "divergence") + value(overall, "disagreement")
    assert value(overall, "rps") == pytest.approx(total)


def as_brought(mirror: Path) -> pl.DataFrame:
    names = {"instance_id": "item_id", "user_id": "rater_id", "offensiveness": "rating"}
    return pl.read_csv(mirror / "popquorn" / "offensiveness_raw_data.csv", infer_schema=False).rename(names)


def test_popquorn_equals_the_independent_figures_for_every_group_of_every_axis(bring: Bring, mirror: Path):
    expected = json.loads((mirror / "popquorn" / "reference.json").read_text())
    block = read(bring(as_brought(mirror).write_csv(), axes=",".join(expected["groups"])))
    equal(block["overall"], expected["overall"] | {"n_ratings": expected["n_ratings"]}, ">=3")
    for axis, groups in expected["groups"].items():
        assert block["axes"][axis]["groups"].keys() == groups.keys()
        for g, known in groups.items():
            equal(block["axes"][axis]["groups"][g], known, ">=3")


def test_a_file_may_call_its_columns_otherwise(bring: Bring):
    other = RATINGS.replace("item_id,rater_id,rating", "comment,who,score")
    refused(bring(other, None, "--columns", "item=comment"), 2, "--columns item=comment", "item_id")
    refused(
        bring(other, None, "--columns", "item_id=coment", "rater_id=who", "rating=score"),
        2,
        "no column 'coment'; did you mean 'comment'?",
    )
    found = bring(other, None, "--columns", "item_id=comment", "rater_id=who", "rating=score")
    assert read(found) == read(bring(RATINGS))


def test_popquorn_against_a_real_classifier_equals_the_statistics_worked_out_in_polars(bring: Bring, mirror: Path):
    from lm_plural.harness.scoring import Sample
    from lm_plural.scorers.classifiers.profanity import profanity

    rows = as_brought(mirror)
    texts = rows.unique("item_id", maintain_order=True)
    score = profanity().score([Sample("", t) for t in texts["text"]])[:, 0]
    level = 1 + np.rint(4 * score).astype(int)
    predictions = texts.select("item_id", prediction=pl.Series(level))
    groups = read(bring(rows.write_csv(), predictions.write_csv(), axes="gender"))["axes"]["gender"]["groups"]
    y = pl.col("rating").cast(pl.Float64)
    both = rows.join(predictions, on="item_id").with_columns(y, e=pl.col("prediction") - y)
    for name, found in groups.items():
        # A sure prediction: RPS is |error| / 4, U half the mean absolute difference of two raters / 4, C the rest.
        one = both.filter(pl.col("gender") == name)
        pairs = one.join(one, on="item_id").filter(pl.col("rater_id") != pl.col("rater_id_right"))
        spread = pairs.group_by("item_id").agg(u=(pl.col("rating") - pl.col("rating_right")).abs().mean() / 8)
        items = one.group_by("item_id").agg(s=pl.col("e").abs().mean() / 4).join(spread, on="item_id")
        s, u = items.select(pl.col("s", "u").mean()).row(0)
        b = one.group_by("item_id").agg(pl.col("e").mean())["e"].mean()
        assert (value(found, "bias"), value(found, "rps")) == (pytest.approx(b), pytest.approx(s))
        assert (value(found, "disagreement"), value(found, "divergence")) == (pytest.approx(u), pytest.approx(s - u))


def test_the_command_works_in_a_process_of_its_own(command: Callable[..., Any], tmp_path: Path):
    for name, text in (("r.csv", RATINGS), ("p.csv", PREDICTIONS), ("bad.csv", PREDICTIONS + "i0,1,0,0,0,0\n")):
        (tmp_path / name).write_text(text)
    out = tmp_path / "deep" / "out.json"
    base = ("disaggregate", "--ratings", tmp_path / "r.csv", "--scale", "1,2,3,4,5", "--axes", "gender", "-o", out)
    bad = command(*base, "--predictions", tmp_path / "bad.csv")
    assert (bad.returncode, bad.stdout, bad.stderr.count("\n")) == (1, "", 1)
    assert f"{tmp_path / 'bad.csv'}:8: a second prediction for item 'i0'" in bad.stderr
    assert not out.exists()
    good = command(*base, "--predictions", tmp_path / "p.csv")
    assert (good.returncode, good.stderr) == (0, "")
    assert json.loads(out.read_text())["overall"]["n_items"] == 6


def test_a_reader_who_has_seen_enough_of_the_table_does_not_cost_the_results(tmp_path: Path):
    rows = [f"i{i},r{j},{(i + j) % 5 + 1},{'g' * 25}{j % 40}" for i in range(3) for j in range(240)]
    names = [f"axis{n}" for n in range(12)]
    text = ",".join(["item_id", "rater_id", "rating", *names]) + "\n"
    text += "".join(row + "," + ",".join([row.split(",")[-1]] * 11) + "\n" for row in rows)
    (tmp_path / "r.csv").write_text(text)
    out = tmp_path / "out.json"
    command = ["disaggregate", "--ratings", tmp_path / "r.csv", "--scale", "1,2,3,4,5", "-o", out]
    command += ["--inference", "none", "--axes", *names]
    unread, closed = os.pipe()
    os.close(unread)
    done = subprocess.run(
        [sys.executable, "-m", "lm_plural", *map(str, command)], stdout=closed, stderr=subprocess.PIPE, check=False
    )
    os.close(closed)
    assert done.stderr == b""
    assert len(json.loads(out.read_text())["axes"]) == 12


@pytest.mark.parametrize(("weights", "bias"), [("1,1,1", 3 - 2), ("0,0,1", 3 - 3), ("2,1,1", 3 - 7 / 4)])
def test_weights_of_the_user_weight_the_reference(tmp_path: Path, weights: str, bias: float):
    rows = [f"i,r{n},{n + 1},{w}" for n, w in enumerate(weights.split(","))]
    (tmp_path / "r.csv").write_text("\n".join(["item_id,rater_id,rating,weight", *rows]) + "\n")
    (tmp_path / "p.csv").write_text("item_id,prediction\ni,3\n")
    files = ["--ratings", tmp_path / "r.csv", "--predictions", tmp_path / "p.csv", "--output_path", tmp_path / "o.json"]
    more = ["--scale", "1,2,3", "--min_raters", "1", "--reference", "weighted"]
    assert main(["disaggregate", *map(str, files), *more]) == 0
    assert json.loads((tmp_path / "o.json").read_text())["overall"]["bias"]["value"] == pytest.approx(bias)


def test_a_negative_weight_names_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "r.csv").write_text("item_id,rater_id,rating,weight\ni,a,1,1\ni,b,2,-1\n")
    assert main(["disaggregate", "--ratings", str(tmp_path / "r.csv"), "--scale", "1,2"]) == 1
    assert "r.csv:3: weight '-1'; expected a number from 0 on" in capsys.readouterr().err
