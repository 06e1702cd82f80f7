"""2,000 hostile inputs; and that the attackers find what is planted."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.attack.__main__ import attack, faults, split, table
from tests.attack.door import FAULTS
from tests.attack.doors import DOORS
from tests.attack.planted import DOORS as PLANTED
from tests.attack.pool import run_all
from tests.attack.table import (
    SCALES,
    BrokenError,
    Truth,
    csv_readings,
    jsonl_readings,
    judge,
    level_of,
    summary,
    truth,
    written_csv,
)

SEED = 1
FOUND = {
    "good": "accepted",
    "help": "accepted",
    "refused": "refused",
    "sleeps": "hang",
    "doomed": "difference",
    "valid": "valid refused",
}


def test_2000_hostile_inputs_are_read_rightly_or_refused_in_one_line() -> None:
    numbers = split(2_000)
    results = attack(numbers, SEED, jobs=2)
    assert {r.door for r in results} == set(DOORS)
    assert not (wrong := faults(results, SEED)), f"\n{wrong}"
    assert len(results) == sum(map(len, numbers.values()))
    for door in DOORS:  # nobody passes by refusing everything
        kinds = Counter(r.kind for r in results if r.door == door)
        assert kinds["accepted"] > 0.08 * kinds.total(), f"{door}\n{table(results)}"


def test_planted_faults_are_found() -> None:
    found = {}
    for r in run_all(dict.fromkeys(PLANTED, (0, 1)), 0, 2, limit=1.5, doors="tests.attack.planted"):
        found.setdefault(r.door, []).append(r)
    assert {door: [r.kind for r in some] for door, some in found.items()} == {
        door: [FOUND.get(door, "traceback")] * 2 for door in PLANTED
    }
    (line,) = [x for x in faults([r for some in found.values() for r in some], 0).splitlines() if "KeyError" in x]
    assert line == "* 2 x traceback: KeyError: 'x'"


def test_an_input_is_the_same_whenever_it_is_made(tmp_path: Path) -> None:
    kept = []
    for n in (1, 2):
        attack({"csv": [7]}, 3, 1, tmp_path / str(n))
        kept.append({p.name: p.read_bytes() for p in (tmp_path / str(n) / "csv-3-7").iterdir() if p.suffix == ".csv"})
    assert kept[0] == kept[1] != {}


HEAD = "item_id,rater_id,rating,gender\n"
BY_HAND = Truth([], "1,2,3", ("gender",), ())


def read(text: str | bytes) -> dict[str, Any]:
    raw = text.encode() if isinstance(text, str) else text
    (reading, *_) = csv_readings(raw, BY_HAND.wanted)
    if isinstance(reading, BrokenError):
        raise reading
    return summary(reading, BY_HAND)


def test_the_second_reader_counts() -> None:
    found = read(HEAD + 'a,x,1,m\na,y,3.0,"m|w"\n\n b ,x, 2 ,m\nb,y,,w|m\n')
    assert found["all"] == {"n_items": 2, "n_raters": 2, "n_ratings": 3, "mean": 2.0}
    assert found["gender: w"] == {"n_items": 1, "n_raters": 1, "n_ratings": 1, "mean": 3.0}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (HEAD + 'a,x,1,m\nb,"x,2,m\nc,x,3,m\n', "a quote that is never closed"),
        (HEAD + "a,x,1,m,more\n", "more cells"),
        (HEAD + "a,x,1,m\na,x,2,m\n", "two ratings"),
        (HEAD + "a,x,1,m\nb,x,1,w\n", "two profiles"),
        (HEAD + "a,x,4,m\n", "off the scale"),
        (HEAD + "a,,1,m\n", "without item or rater"),
        (HEAD.replace("gender", "rating") + "a,x,1,m\n", "columns 'rating'"),
        (HEAD.encode() + b"a,x\xff,1,m\n", "no UTF-8"),
        (HEAD, "no ratings"),
    ],
)
def test_the_second_reader_refuses(text: str | bytes, reason: str) -> None:
    with pytest.raises(BrokenError, match=reason):
        read(text)


def test_lost_ratings_are_a_difference() -> None:
    made = truth(Random(0))
    raw = written_csv(made, Random(0)).encode()
    whole = summary(made.rows, made)
    assert judge(whole, csv_readings(raw, made.wanted), made) is None
    less = summary(made.rows[:-1], made)
    assert "expected" in (judge(less, csv_readings(raw, made.wanted), made) or "")


def test_numbers_in_json_are_ids_as_they_are_written_or_as_they_are() -> None:
    line = b'{"item_id": 9007199254740993, "rater_id": 1.50, "rating": 3.0, "gender": null}\n'
    rows = [row for reading in jsonl_readings(line, BY_HAND.wanted) for row in reading]  # type: ignore[union-attr]
    assert [r["item_id"] for r in rows] == ["9007199254740993"] * 3
    assert [r["rater_id"] for r in rows] == ["1.50", "1.5", "1.5"]
    assert [r["rating"] for r in rows] == ["3.0", "3.0", "3"]


def test_levels_are_compared_as_numbers() -> None:
    assert [level_of(t, SCALES[0].split(",")) for t in ("3", "3.0", "3e0", "٣", "inf", "6")] == [
        2,
        2,
        2,
        None,
        None,
        None,
    ]


def test_every_kind_of_fault_is_in_the_table() -> None:
    assert set(FAULTS) == {"traceback", "hang", "difference", "valid refused"}
