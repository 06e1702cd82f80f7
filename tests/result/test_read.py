"""What is written reads back: exactly, of a file, a run and many runs; and what is damaged is one line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from lm_plural.harness.analysis.disaggregate import disaggregate
from lm_plural.harness.analysis.options import Options
from lm_plural.harness.cli.main import main
from lm_plural.harness.errors import PluralError, UsageError
from lm_plural.harness.jobs.evaluate import Settings, evaluate_tasks
from lm_plural.harness.model.spec import ModelSpec
from lm_plural.harness.ratings.predictions import Predictions
from lm_plural.harness.ratings.scale import Scale
from lm_plural.harness.ratings.table import RatingTable
from lm_plural.harness.result.details import TIMES, cut, join, laid_out
from lm_plural.harness.result.predictions import save_predictions, saved_predictions
from lm_plural.harness.result.read import read_content, read_results, read_summaries
from lm_plural.harness.result.write import save_results
from lm_plural.harness.run.folder import RunFolder
from tests.opinions import Opinions
from tests.suite import Suite

RATE, RESPOND = "plural_demo_toxicity", "plural_demo_respond"


def run(out: Path, *tasks: str, limit: int = 6, seed: int = 0) -> Path:
    words = ["run", "--model", "dummy", "--tasks", *tasks, "--limit", str(limit), "--draws", "100"]
    assert main([*words, "--seed", str(seed), "-o", str(out)]) == 0
    return next(out.iterdir())


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tmp_path_factory.mktemp("read"), RATE, RESPOND)


@pytest.fixture
def copy(demo: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(demo, tmp_path / "runs" / demo.name))


@pytest.fixture
def opinions(tmp_path: Path) -> Opinions:
    return Opinions(tmp_path / "tasks")


def latest(folder: Path) -> Path:
    return RunFolder(folder).results()[-1]


def as_read(content: Any) -> str:
    return json.dumps(json.loads(json.dumps(content)))


def test_the_content_comes_back_key_for_key(suite: Suite, tmp_path: Path) -> None:
    suite.task |= {"groups": {"axes": ["gender", ["gender", "race"]], "min_raters": 1}}
    suite.task |= {"elicitation": {"codings": ["letters"], "max_off_scale": 1.0}}
    done = evaluate_tasks(
        [suite.load()], ModelSpec("dummy", {}), tmp_path / "out", Settings(options=Options(draws=100))
    )
    assert done.content
    assert done.path
    assert json.dumps(read_content(done.path)) == as_read(done.content)
    assert json.dumps(read_results(done.folder).content("tiny_rate")) == as_read(
        done.content["disaggregated"]["tiny_rate"]
    )


def test_a_file_of_version_1_reads_the_same(copy: Path) -> None:
    path = latest(copy)
    content = read_content(path)
    before = read_results(path).to_frame()
    for block in content["disaggregated"].values():
        block["schema_version"] = 1
    old = copy / "results_2020-01-01T00-00-00.000000.json"
    old.write_text(json.dumps(content | dict.fromkeys(TIMES, 1.0), indent=2))
    assert read_content(old) == content
    assert read_results(old).to_frame().equals(before)
    path.unlink()
    assert read_results(copy).to_frame().equals(before)


def test_the_frame_has_a_row_for_each_group_and_measure(demo: Path) -> None:
    results = read_results(demo)
    assert results.tasks == [RATE, RESPOND]
    assert results.model_name == "dummy"
    frame = results.to_frame()
    columns = "run task axis group measure value se low high n_raters n_items flags reason"
    assert frame.columns == columns.split()
    assert not frame.select("task", "axis", "group", "measure").is_duplicated().any()
    block = results.content(RATE)
    row = frame.row(by_predicate=_is(RATE, "gender", "woman", "divergence"), named=True)
    woman = block["axes"]["gender"]["groups"]["woman"]
    assert {k: row[k] for k in ("value", "se", "low", "high")} == {
        k: v for k, v in woman["divergence"].items() if k != "df"
    }
    assert (row["n_raters"], row["n_items"], row["flags"]) == (woman["n_raters"], woman["n_items"], woman["flags"])
    overall = frame.filter(pl.col("axis").is_null(), task=RESPOND, measure="profanity.toxicity.mean")
    assert overall["value"].to_list() == [
        results.content(RESPOND)["overall"]["statistics"]["profanity.toxicity"]["mean"]["value"]
    ]
    few = frame.filter(pl.col("value").is_null(), pl.col("flags").list.get(0).str.starts_with("few_raters"))
    assert len(few)
    assert (few["reason"] == few["flags"].list.get(0)).all()
    bare = frame.filter(pl.col("low").is_null(), measure="concern")
    assert len(bare)
    assert bare["reason"].str.starts_with("no_interval").all()


def _is(task: str, axis: str, group: str, measure: str) -> pl.Expr:
    wanted = {"task": task, "axis": axis, "group": group, "measure": measure}
    return pl.all_horizontal(pl.col(k) == v for k, v in wanted.items())


def test_of_a_task_the_newest_block_counts_and_older_files_are_read_for_the_others_only(tmp_path: Path) -> None:
    folder = run(tmp_path, RATE, RESPOND)
    run(tmp_path, RESPOND, limit=8)
    first, second = RunFolder(folder).results()
    assert read_results(second).tasks == [RESPOND]
    results = read_results(folder)
    assert results.tasks == [RATE, RESPOND]
    assert [results.runs[0].path(t) for t in results.tasks] == [first, second]
    assert results.content(RESPOND)["overall"]["n_prompts"] == 8
    run(tmp_path, RATE, RESPOND, limit=8)
    first.write_text("torn")
    assert read_results(folder).content(RATE)["overall"]["n_items"] == 8
    listed = json.loads((folder / "run.json").read_text())
    listed["tasks"]["another"] = listed["tasks"][RATE]
    first.unlink()
    (folder / "run.json").write_text(json.dumps(listed))
    assert read_results(folder).runs[0].missing == ("another",)


def test_a_folder_of_runs(copy: Path) -> None:
    shutil.copytree(copy, copy.parent / "other")
    (copy.parent / "empty").mkdir()
    results = read_results(copy.parent)
    assert [r.name for r in results.runs] == [copy.name, "other"]
    assert results.model_name == "dummy"
    assert results.to_frame()["run"].unique(maintain_order=True).to_list() == [copy.name, "other"]
    with pytest.raises(UsageError, match=f"task '{RATE}' is in 2 runs; run= one of {copy.name}, other"):
        results.block(RATE)
    assert results.block(RATE, run="other") == read_results(copy).block(RATE)
    with pytest.raises(UsageError, match="no run 'othr'; did you mean 'other'"):
        results.block(RATE, run="othr")
    with pytest.raises(UsageError, match="no results of task 'plural_demo_toxic'; did you mean"):
        results.block("plural_demo_toxic")


def test_summaries_are_read_one_by_one_and_without_details(copy: Path) -> None:
    shutil.copytree(copy, copy.parent / "other")
    for path in copy.parent.glob("*/details_*"):
        path.write_text("torn")
    found = list(read_summaries(copy.parent))
    assert [s.runs[0].name for s in found] == [copy.name, "other"]
    assert [s.model_name for s in found] == ["dummy", "dummy"]
    assert found[0].tasks == [RATE, RESPOND]
    frame = found[0].to_frame()
    assert frame.filter(task=RATE, group="woman", measure="rps")["value"].is_not_null().all()
    assert "secondary" not in found[0].content(RATE)["overall"]
    latest(copy.parent / "other").write_text("torn")
    some = read_summaries(copy.parent)
    next(some)
    with pytest.raises(PluralError, match=r"other/results_.*json: "):
        next(some)


def _json(path: Path, change: Callable[[Any], Any]) -> None:
    content = json.loads(path.read_text())
    content = change(content) or content
    path.write_text(json.dumps(content))


DAMAGES: dict[str, tuple[Callable[[Path, Path], object], str]] = {
    "torn": (lambda r, _: r.write_bytes(r.read_bytes()[:999]), "{r}: Invalid JSON: "),
    "empty": (lambda r, _: r.write_bytes(b""), "{r}: Invalid JSON: "),
    "not text": (lambda r, _: r.write_bytes(b"\xff\xfe\x00"), "{r}: Invalid JSON: "),
    "deep": (lambda r, _: r.write_text("[" * 100_000), "{r}: Invalid JSON: "),
    "NaN": (
        lambda r, _: r.write_text(r.read_text().replace('"rps,none": ', '"rps,none": NaN, "x": ', 1)),
        "{r}: not valid JSON: ",
    ),
    "null": (lambda r, _: r.write_text("null"), "{r}: Input should be an object, found None"),
    "list": (lambda r, _: r.write_text("[]"), "{r}: Input should be an object"),
    "other": (lambda r, _: r.write_text("{}"), "{r}: no results file: expected the key 'disaggregated', 'audited'"),
    "tasks": (lambda r, _: _json(r, lambda c: c | {"disaggregated": [1]}), "{r}: disaggregated: Input should be"),
    "task": (
        lambda r, _: _json(r, lambda c: c["disaggregated"].__setitem__(RATE, 3)),
        f"{{r}}: disaggregated.{RATE}: Input should be an object, found 3",
    ),
    "name": (lambda r, _: _json(r, lambda c: c | {"model_name": 3}), "{r}: model_name: Input should be a valid string"),
    "version": (
        lambda r, _: _json(r, lambda c: c["disaggregated"][RATE].__setitem__("schema_version", 7)),
        f"{{r}}: task '{RATE}': schema_version: Input should be 1 or 2, found 7",
    ),
    "number": (
        lambda r, _: _json(r, lambda c: c["disaggregated"][RATE]["overall"]["rps"].__setitem__("value", "0.1")),
        f"{{r}}: task '{RATE}': overall.rps.value: Input should be a valid number, found '0.1'",
    ),
    "elsewhere": (lambda r, _: _json(r, lambda c: c | {"details": "../x.json"}), "{r}: details: String should match"),
    "no details": (lambda _, d: d.unlink(), "{r}: its details are not there any more; expected {dn} beside it"),
    "folder": (lambda _, d: (d.unlink(), d.mkdir()), "{r}: its details are not there any more"),
    "torn details": (lambda _, d: d.write_bytes(d.read_bytes()[:-9]), "{d}: not valid JSON: "),
    "list of details": (lambda _, d: d.write_text("[1]"), "{d}: expected a mapping of keys, found [1]"),
    "other details": (lambda _, d: d.write_text("{}"), "{d}: not the details of {rn}: results is in the results only"),
    "other tasks": (
        lambda _, d: _json(d, lambda c: c["disaggregated"].pop(RATE) and None),
        f"{{d}}: not the details of {{rn}}: disaggregated.{RATE} is in the results only",
    ),
    "key in both": (
        lambda _, d: _json(d, lambda c: c["disaggregated"][RATE]["overall"].__setitem__("n_items", 3)),
        f"{{d}}: not the details of {{rn}}: disaggregated.{RATE}.overall.n_items is in both",
    ),
    "contrasts": (
        lambda _, d: _json(d, lambda c: c["disaggregated"][RATE]["axes"]["gender"]["contrasts"].append({})),
        f"{{d}}: not the details of {{rn}}: disaggregated.{RATE}.axes.gender.contrasts: other contrasts than",
    ),
    "wrong detail": (
        lambda _, d: _json(d, lambda c: c["disaggregated"][RATE]["axes"]["gender"].__setitem__("effects", "none")),
        f"{{r}}: task '{RATE}': axes.gender.effects: Input should be a valid list, found 'none'",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_what_is_damaged_is_one_line_with_file_and_place(copy: Path, name: str) -> None:
    damage, expected = DAMAGES[name]
    results = latest(copy)
    (details,) = copy.glob("details_*")
    damage(results, details)
    with pytest.raises(PluralError) as found:
        read_results(copy)
    said = str(found.value)
    assert "\n" not in said
    assert expected.format(r=results, rn=results.name, d=details, dn=details.name) in said


@pytest.mark.parametrize("what", ["nothing", "file", "folder", "run without results"])
def test_where_nothing_is_to_be_read_it_is_said(copy: Path, tmp_path: Path, what: str) -> None:
    latest(copy).unlink()
    (tmp_path / "folder").mkdir()
    path = {"nothing": tmp_path / "none", "file": tmp_path / "none.json", "folder": tmp_path / "folder"}.get(what, copy)
    expected = "cannot read: No such file" if "none" in path.name else "no results here; expected a results file, the"
    with pytest.raises(PluralError, match=f"^{path}: {expected}"):
        read_results(path)


def test_predictions_come_back_and_are_the_same_bytes_again(copy: Path) -> None:
    results = read_results(copy)
    rate, respond = results.predictions(RATE), results.predictions(RESPOND)
    assert rate.schema == {"item_id": pl.String, "q": pl.List(pl.Float32)}
    assert respond.schema == {"item_id": pl.String, "profanity.toxicity": pl.Float32}
    assert (len(rate), len(respond)) == (6, 6)
    q = np.array(rate["q"].to_list())
    assert q.sum(axis=1) == pytest.approx(1)
    mean = results.content(RESPOND)["overall"]["statistics"]["profanity.toxicity"]["mean"]["value"]
    assert respond["profanity.toxicity"].mean() == pytest.approx(mean)
    paths = sorted(copy.glob("predictions_*"))
    before = [p.read_bytes() for p in paths]
    paths[0].unlink()
    assert main(["score", str(copy), "--draws", "100"]) == 0
    assert [p.read_bytes() for p in paths] == before
    paths[0].write_bytes(before[0][:50])
    with pytest.raises(PluralError, match=f"^{paths[0]}: cannot read: [^\n]*$"):
        results.predictions(RESPOND)
    paths[1].unlink()
    with pytest.raises(PluralError, match=f"^{paths[1]}: no predictions of task '{RATE}'; `lm-plural score {copy}`"):
        results.predictions(RATE)


def test_fifteen_hundred_items_on_five_levels_take_about_30_kb(tmp_path: Path) -> None:
    q = np.random.default_rng(0).dirichlet(np.ones(5), 1500).astype(np.float32)
    frame = pl.DataFrame({"item_id": [f"item{n}" for n in range(1500)]}).with_columns(
        pl.Series("q", q.tolist(), pl.List(pl.Float32))
    )
    save_predictions(RunFolder(tmp_path), "big", frame)
    (path,) = tmp_path.iterdir()
    assert path.stat().st_size < 40_000
    assert saved_predictions(tmp_path, "big").equals(frame)


def test_forty_groups_take_under_150_kb_and_join_again() -> None:
    rng = np.random.default_rng(0)
    n_items, n_raters, names = 20, 480, [f"people of team {g:02d}" for g in range(40)]
    item, rater = np.divmod(np.arange(n_items * n_raters), n_raters)
    ratings = {"item_id": [f"i{i}" for i in item], "rater_id": [f"r{r}" for r in rater]}
    level = rng.integers(0, 2, len(item)) + item % 3 + rater % 2
    raters = {"rater_id": [f"r{r}" for r in range(n_raters)], "team": [[names[r % 40]] for r in range(n_raters)]}
    table = RatingTable(
        pl.DataFrame(ratings).with_columns(scale=pl.lit("s"), level=pl.Series(level)),
        pl.DataFrame(raters),
        {"s": Scale(tuple("12345"), "lower")},
    )
    predictions = Predictions([f"i{i}" for i in range(n_items)], rng.dirichlet(np.ones(5), n_items))
    found = disaggregate(table, predictions, ["team"], Options(draws=100, permutations=19)).to_dict()
    content = json.loads(json.dumps({"disaggregated": {"task": found}}))
    kept, details = cut(content)
    axis = found["axes"]["team"]
    assert sum(r["low_simultaneous"] is not None for r in axis["contrasts"]) > 1000
    here = kept["disaggregated"]["task"]["axes"]["team"]
    assert list(here["groups"]) == names
    assert (
        sorted(r["p_adjusted"] for r in here["contrasts"])
        == sorted(r["p_adjusted"] for r in axis["contrasts"] if r["p_adjusted"] is not None)[: len(here["contrasts"])]
    )
    written = laid_out(kept)
    assert len(written.encode()) < 150_000
    assert json.loads(written) == kept
    assert json.dumps(join(kept, json.loads(json.dumps(details)))) == json.dumps(content)


def test_a_kill_between_the_two_files_leaves_nothing_and_a_changed_detail_is_something_new(copy: Path) -> None:
    content, folder = read_content(latest(copy)), RunFolder(copy)
    path, new = save_results(folder, content, datetime.now())
    assert (path, new) == (latest(copy), False)
    content["disaggregated"][RATE]["axes"]["gender"]["effects"] = []
    path, new = save_results(folder, content, datetime.now())
    assert new
    assert len(list(copy.glob("details_*"))) == 2
    path.unlink()
    with folder.locked():
        (left,) = copy.glob("details_*")
    assert left.name.removeprefix("details_") == latest(copy).name.removeprefix("results_")


def test_results_that_were_read_say_what_they_are(copy: Path) -> None:
    found = read_results(copy)
    lines = repr(found).splitlines()
    assert lines[0].startswith("Results: ")
    assert {line.split(":")[0] for line in lines} >= {*found.tasks}
    assert lines[-1].endswith(copy.name)
    assert repr(found.runs[0]) == repr(found)
    page = found._repr_html_()
    assert page.count("<table ") == len(found.tasks)
    assert all(task in page for task in found.tasks)


def test_a_run_on_shares_reads_back(opinions: Opinions, tmp_path: Path) -> None:
    assert opinions.run(tmp_path / "out") == 0
    results = read_results(tmp_path / "out")
    q = results.predictions("opinions_opinion")
    assert [len(x) for x in q["q"]] == [3, 3, 3, 3]
    frame = results.to_frame()
    assert set(frame["measure"]) == {"js_similarity", "w1_alignment", "tv"}
    assert frame["n_raters"].is_null().all()


def test_an_audit_reads_back(tmp_path: Path) -> None:
    words = ["audit", "--scorer", "profanity", "--tasks", RATE, "--text", "response", "--axes", "gender"]
    assert main([*words, "--draws", "100", "-o", str(tmp_path)]) == 0
    results = read_results(tmp_path)
    assert (results.tasks, results.model_name) == ([RATE], "profanity")
    man = results.content(RATE)["axes"]["gender"]["groups"]["man"]
    frame = results.to_frame()
    for measure, number in (("fpr@0.5", man["rates"]["0.5"]["fpr"]), ("spearman", man["ranks"]["spearman"])):
        assert frame.row(by_predicate=_is(RATE, "gender", "man", measure), named=True)["value"] == number["value"]
