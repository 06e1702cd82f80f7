"""The demonstration suite: its files are the ones its script and README describe."""

from __future__ import annotations

import csv
import json
import re
import runpy
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from lm_plural.harness.cli.main import main
from lm_plural.harness.data.dataset import Dataset
from lm_plural.harness.data.recipe import load_recipe
from lm_plural.harness.task.index import Index
from lm_plural.harness.task.load import load_task

FOLDER = Index().recipes()["plural_demo"].parent
README = (FOLDER / "README.md").read_text(encoding="utf-8")
TASKS = [d.data["task"] for d in Index().select(["plural_demo"])]


def rows(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as f:
        return list(csv.DictReader(f))


@pytest.fixture(scope="module")
def items() -> list[dict[str, str]]:
    return [json.loads(line) for line in (FOLDER / "items.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return Dataset(load_recipe(FOLDER / "dataset.yaml"), FOLDER)


def simulate(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, FOLDER / "simulate.py", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@cache
def simulation() -> dict[str, Any]:
    """The names of simulate.py."""
    return runpy.run_path(str(FOLDER / "simulate.py"))


def test_the_script_gives_the_files_byte_for_byte() -> None:
    done = simulate("--check")
    assert (done.returncode, done.stdout) == (0, "raters.csv and ratings.csv are reproduced\n")


def test_the_check_finds_a_changed_file(tmp_path: Path) -> None:
    assert simulate("--out", tmp_path).returncode == 0
    assert (tmp_path / "raters.csv").read_bytes() == (FOLDER / "raters.csv").read_bytes()
    (tmp_path / "raters.csv").write_text("rater_id\n")
    done = simulate("--check", "--out", tmp_path)
    assert (done.returncode, done.stdout) == (1, f"{tmp_path / 'raters.csv'} differs\n")


@pytest.mark.parametrize("task", TASKS)
def test_every_task_is_valid_and_the_checksums_are_the_files(task: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", task]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("1 valid, 0 invalid")
    assert err == ""


def test_there_is_a_rate_task_for_every_dimension_and_one_respond_task(dataset: Dataset) -> None:
    index = Index()
    tasks = [load_task(d, index).task for d in index.select(["plural_demo"])]
    assert sorted(t.dimension for t in tasks if t.mode == "rate") == sorted(dataset.recipe.ratings.dimensions)
    assert [t.task for t in tasks if t.mode == "respond"] == ["plural_demo_respond"]


def test_every_prompt_stands_in_two_languages_with_two_replies(items: list[dict[str, str]]) -> None:
    assert len(items) == 192
    assert len({i["item_id"] for i in items}) == 192
    assert Counter(i["parallel_id"] for i in items) == {f"p{n:02d}": 4 for n in range(1, 49)}
    for item in items:
        assert item["item_id"] == f"{item['parallel_id']}-{item['language']}-{item['variant']}"
        assert item["prompt_id"] == f"{item['parallel_id']}-{item['language']}"
    kinds = {(i["parallel_id"], i["language"], i["variant"]) for i in items}
    assert len(kinds) == 48 * 2 * 2
    assert {(la, v) for _, la, v in kinds} == {(la, v) for la in ("en", "de") for v in ("careful", "careless")}


def test_twins_share_prompt_and_topic_and_differ_in_their_reply(items: list[dict[str, str]]) -> None:
    prompts: dict[str, set[str]] = {}
    topics: dict[str, set[str]] = {}
    for item in items:
        prompts.setdefault(item["prompt_id"], set()).add(item["prompt"])
        topics.setdefault(item["parallel_id"], set()).add(item["topic"])
    assert all(len(texts) == 1 for texts in prompts.values())
    assert all(len(names) == 1 for names in topics.values())
    assert len({text for texts in prompts.values() for text in texts}) == 96
    assert len({i["response"] for i in items}) == 192
    assert all(i["prompt"].strip() and i["response"].strip() for i in items)


def test_topics_are_as_often_as_the_readme_says(items: list[dict[str, str]]) -> None:
    told = {m[1]: int(m[2]) for m in re.finditer(r"^\| (\w+) \| (\d+) \|$", README, re.MULTILINE)}
    assert Counter(i["topic"] for i in items) == {topic: 4 * n for topic, n in told.items()}


def test_how_long_a_reply_is_tells_nothing_of_how_it_was_meant(items: list[dict[str, str]]) -> None:
    pairs: dict[str, dict[str, str]] = {}
    for i in items:
        pairs.setdefault(i["prompt_id"], {})[i["variant"]] = i["response"]
    for pair in pairs.values():
        careful, careless = sorted(map(len, pair.values()))
        assert careless - careful <= 0.08 * careless
    for language in ("en", "de"):
        lengths = {
            v: np.array([len(i["response"]) for i in items if i["language"] == language and i["variant"] == v])
            for v in ("careful", "careless")
        }
        above = lengths["careful"][:, None] - lengths["careless"]
        auc = float(((above > 0) + (above == 0) / 2).mean())
        assert 0.45 < auc < 0.55
        assert f"{auc:.2f} in {'English' if language == 'en' else 'German'}" in README.replace("\n", " ")
    kinds = Counter((i["language"], i["variant"], i["length"]) for i in items)
    assert set(kinds.values()) == {24}
    assert max(len(i["response"]) for i in items if i["length"] == "short") < 200
    assert min(len(i["response"]) for i in items if i["length"] == "long") > 250


def test_twins_have_the_same_traits_and_they_are_as_often_as_the_readme_says(items: list[dict[str, str]]) -> None:
    told = {m[1]: (int(m[2]), int(m[3])) for m in re.finditer(r"^\| (\w+) \| .+? \| (\d+) \| (\d+) \|", README, re.M)}
    found = Counter((i["variant"], trait) for i in items for trait in i["traits"].split("|"))
    assert {t: (found["careful", t], found["careless", t]) for t in simulation()["TRAITS"]} == told
    twins: dict[tuple[str, str], set[str]] = {}
    for i in items:
        twins.setdefault((i["parallel_id"], i["variant"]), set()).add(i["traits"])
    assert all(len(traits) == 1 for traits in twins.values())
    assert all(len(set(traits)) == len(traits) for ones in twins.values() for traits in (next(iter(ones)).split("|"),))


def test_what_a_reply_does_shows_in_its_ratings_and_its_length_does_not(
    items: list[dict[str, str]], dataset: Dataset
) -> None:
    effects = simulation()["text_effects"]
    for dimension in dataset.recipe.ratings.dimensions:
        means = dict(dataset.table(dimension).ratings.group_by("item_id").agg(pl.col("level").mean()).iter_rows())
        for variant in ("careful", "careless"):
            of = [i for i in items if i["variant"] == variant]
            rated = [means[i["item_id"]] for i in of]
            meant = [effects(i["traits"].split("|"))[dimension] for i in of]
            assert np.corrcoef(rated, meant)[0, 1] > 0.65  # the rest is 45 or 30 raters' noise
            assert abs(np.corrcoef(rated, [len(i["response"]) for i in of])[0, 1]) < 0.4


def told_levels() -> Iterator[tuple[str, dict[str, int], int]]:
    """Yield axis, raters per level and raters with two levels, as the README says."""
    for axis in ("gender", "ethnicity", "politics", "country", "age"):
        line = re.search(rf"^\| {axis} \| (.+) \|$", README, re.MULTILINE)
        assert line is not None
        counts, _, two = line[1].partition(";")
        levels = {part.rsplit(" ", 1)[0]: int(part.rsplit(" ", 1)[1]) for part in counts.split(", ")}
        yield axis, levels, int(found[0]) if (found := re.search(r"\d+", two)) else 0


@pytest.mark.parametrize(("axis", "levels", "two"), list(told_levels()))
def test_raters_per_level_are_as_the_readme_says(dataset: Dataset, axis: str, levels: dict[str, int], two: int) -> None:
    table = dataset.table("toxicity")
    assert table.group_sizes(axis) == levels
    assert sum(len(values) == 2 for values in table.raters[axis]) == two
    assert all(len(set(values)) == len(values) for values in table.raters[axis])


def test_ratings_are_as_many_as_the_readme_says(items: list[dict[str, str]]) -> None:
    ratings = rows("ratings.csv")
    assert len(ratings) == 7200
    assert len({(r["item_id"], r["rater_id"]) for r in ratings}) == 7200
    assert set(Counter(r["rater_id"] for r in ratings).values()) == {24}
    language = {i["item_id"]: i["language"] for i in items}
    by_rater: dict[str, set[str]] = {}
    for r in ratings:
        by_rater.setdefault(r["rater_id"], set()).add(language[r["item_id"]])
    assert all(len(languages) == 1 for languages in by_rater.values())
    assert Counter(next(iter(languages)) for languages in by_rater.values()) == {"en": 183, "de": 117}
    for name, expected in (("en", {45, 46}), ("de", {29, 30})):
        counts = Counter(r["item_id"] for r in ratings if language[r["item_id"]] == name)
        assert len(counts) == 96
        assert set(counts.values()) == expected


def test_about_one_answer_in_two_hundred_is_empty_and_counted(dataset: Dataset) -> None:
    ratings = rows("ratings.csv")
    for dimension in dataset.recipe.ratings.dimensions:
        empty = sum(r[dimension] == "" for r in ratings)
        assert 0.003 < empty / 7200 < 0.007
        table = dataset.table(dimension)
        assert len(table.ratings) == 7200 - empty
        assert [(e.rows, e.rule) for e in table.exclusions] == [(empty, "no rating in the cell")]


def test_lower_is_better_on_what_harms_and_higher_on_the_rest(dataset: Dataset) -> None:
    better = {d: dataset.table(d).scale.direction for d in dataset.recipe.ratings.dimensions}
    assert better == {
        "toxicity": "lower",
        "stereotypical_bias": "lower",
        "sensitivity": "higher",
        "emotional_awareness": "higher",
        "helpfulness": "higher",
    }


def test_the_planted_effects_are_in_the_ratings(dataset: Dataset) -> None:
    def means(dimension: str, axis: str) -> dict[str, float]:
        table = dataset.table(dimension)
        found = table.ratings.join(table.groups(axis), on="rater_id").group_by("group").agg(pl.col("level").mean())
        return dict(found.iter_rows())

    toxicity, age = means("toxicity", "gender"), means("helpfulness", "age")
    assert toxicity["woman"] - toxicity["man"] > 0.15
    assert age["60+"] - age["18-30"] > 0.15


def test_the_raters_are_said_to_be_simulated_where_the_data_are_described(
    dataset: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dataset.recipe.simulated
    assert "SIMULATED RATERS" in dataset.recipe.title
    assert "SIMULATED. No person rated anything here." in README
    assert main(["ls", "datasets"]) == 0
    assert re.search(r"plural_demo .*SIMULATED", capsys.readouterr().out)


def test_every_table_of_results_says_that_the_raters_are_simulated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "--model", "dummy", "-t", "plural_demo", "--limit", "2", "-o", str(tmp_path), "--tables"]) == 0
    out = capsys.readouterr().out
    tables = re.split(r"^(plural_demo_\w+) \(", out, flags=re.MULTILINE)[1:]
    assert tables[::2] == TASKS
    assert all("SIMULATED RATERS" in text for text in tables[1::2])
