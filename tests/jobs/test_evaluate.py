"""The main job on a tiny real model: files, lm-eval's shape, resume, score."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import lm_plural as lp
from lm_plural.harness.cli.main import main
from lm_plural.harness.result.read import read_content
from tests.stderr import told
from tests.suite import Suite

#: The demo's rate task without the limit on off-scale mass: random weights know no scale.
RATE = Path(__file__).parents[1] / "run" / "rate.yaml"
RESPOND = "plural_demo_respond"


def run(model: Path, out: Path, *more: object) -> int:
    args = ["run", "--model_args", f"pretrained={model},dtype=float32", "--batch_size", "4", "-o", str(out)]
    return main([*args, *map(str, more)])


def folder_of(out: Path) -> Path:
    (folder,) = out.iterdir()
    return folder


def results_of(out: Path) -> dict:
    return read_content(sorted(folder_of(out).glob("results_*.json"))[-1])


def lines_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def finished(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("finished")
    assert run(tiny_model, out, "--tasks", RATE, RESPOND, "--limit", "6") == 0
    return out


def test_results_have_lm_evals_keys_and_our_block(finished: Path) -> None:
    content = results_of(finished)
    for key in ("results", "configs", "versions", "n-samples", "higher_is_better", "n-shot", "config", "task_hashes"):
        assert set(content[key]) >= {"rate"} or key == "config"
    rate = content["results"]["rate"]
    assert rate["alias"] == "rate"
    assert isinstance(rate["rps,none"], float)
    assert content["n-samples"]["rate"] == {"original": 192, "effective": 6}
    block = content["disaggregated"]["rate"]
    assert block["simulated_raters"] is True
    assert block["inference"] == "items+raters"
    assert content["results"]["rate"]["rps_stderr,none"] == block["overall"]["rps"]["se"]
    woman = block["axes"]["gender"]["groups"]["woman"]
    assert woman["rps"]["value"] == pytest.approx(woman["divergence"]["value"] + woman["disagreement"]["value"])
    assert woman["bias"]["low"] < woman["bias"]["value"] < woman["bias"]["high"]
    assert {r["axis"] for r in block["families"]} == set(block["axes"])


def test_respond_results_hold_every_statistic_per_group(finished: Path) -> None:
    block = results_of(finished)["disaggregated"]["plural_demo_respond"]
    stats = block["axes"]["gender"]["groups"]["man"]["statistics"]["profanity.toxicity"]
    assert set(stats) == {
        "mean",
        "expected_maximum",
        "exceedance",
        "exposure",
        "reference_exposure",
        "reference_mean",
    }
    assert all(0 <= v["value"] <= 1 for v in stats.values())
    assert stats["expected_maximum"]["value"] >= stats["mean"]["value"]
    assert block["overall"]["n_responses"] == 12
    assert block["overall"]["n_unscored"] == {"profanity.toxicity": block["overall"]["n_empty"]}


def test_journal_has_one_line_per_request_with_unique_keys(finished: Path) -> None:
    lines = lines_of(folder_of(finished) / "samples_rate.jsonl")
    assert len(lines) == 6 * 4 == len({line["key"] for line in lines})
    assert {line["part"] for line in lines} == {
        "levels/ascending",
        "levels/descending",
        "letters/ascending",
        "letters/descending",
    }
    assert all(len(line["filtered_resps"][0]) == 5 for line in lines)
    responses = lines_of(folder_of(finished) / "samples_plural_demo_respond.jsonl")
    assert len(responses) == 6 * 2
    assert {line["doc_id"] for line in responses} == set(range(6))


def test_sampled_repeats_differ(finished: Path) -> None:
    responses = lines_of(folder_of(finished) / "samples_plural_demo_respond.jsonl")
    by_item: dict[str, set[str]] = {}
    for line in responses:
        by_item.setdefault(line["item_id"], set()).add(line["filtered_resps"][0])
    assert sum(len(texts) == 2 for texts in by_item.values()) >= 5


def test_same_command_again_has_nothing_to_do(
    finished: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {p: p.read_bytes() for p in folder_of(finished).iterdir()}
    assert run(tiny_model, finished, "--tasks", RATE, RESPOND, "--limit", "6") == 0
    assert "nothing new" in capsys.readouterr().out
    assert {p: p.read_bytes() for p in folder_of(finished).iterdir()} == before


def test_table_fits_100_columns_and_says_simulated(
    finished: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tiny_model, finished, "--tasks", RATE, RESPOND, "--limit", "6", "--tables")
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines()[:-1])) <= 100
    assert out.count("SIMULATED RATERS") == 2


def test_a_task_file_that_is_gone_is_named_with_the_run(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(folder_of(finished), tmp_path / "run"))
    run_json = json.loads((folder / "run.json").read_text())
    first = next(iter(run_json["tasks"]))
    run_json["tasks"][first]["path"] = "/nowhere/x.yaml"
    (folder / "run.json").write_text(json.dumps(run_json))
    assert main(["score", str(folder)]) == 1
    said = f"{folder}/run.json: task {first!r}: its file '/nowhere/x.yaml' is not there any more"
    assert capsys.readouterr().err == f"lm-plural score: error: {said}\n"


def test_score_repeats_everything_after_generation(finished: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(finished, copy)
    folder = folder_of(copy)
    first = results_of(copy)
    for path in [*folder.glob("scores_*"), *folder.glob("results_*")]:
        path.unlink()
    assert main(["score", str(folder)]) == 0
    again = results_of(copy)
    assert again["disaggregated"] == first["disaggregated"]
    assert again["results"] == first["results"]


def test_another_argument_never_reuses_answers(finished: Path, tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    assert run(tiny_model, out, "--tasks", RATE, "--limit", "2", "--seed", "7") == 0
    assert len(list(out.iterdir())) == 2


def test_a_larger_limit_goes_on_from_the_journal(finished: Path, tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    journal = folder_of(out) / "samples_rate.jsonl"
    before = journal.read_bytes()
    assert run(tiny_model, out, "--tasks", RATE, "--limit", "8") == 0
    assert journal.read_bytes().startswith(before)
    assert len(lines_of(journal)) == 8 * 4


def test_batch_size_does_not_change_results(tiny_model: Path, tmp_path: Path) -> None:
    values = []
    for size in ("1", "7", "auto"):
        out = tmp_path / size
        assert run(tiny_model, out, "--tasks", RATE, "--limit", "5", "--batch_size", size) == 0
        values.append(results_of(out)["results"]["rate"]["rps,none"])
    assert values == pytest.approx([values[0]] * 3, abs=1e-6)


def test_a_model_that_does_not_answer_on_the_scale_is_refused_with_a_reason(tiny_model: Path, tmp_path: Path) -> None:
    assert run(tiny_model, tmp_path, "--tasks", "plural_demo_toxicity", "--limit", "2") == 0
    block = results_of(tmp_path)["disaggregated"]["plural_demo_toxicity"]
    assert block["elicitation"]["refused"] is True
    assert block["elicitation"]["off_scale_median"] > 0.5
    for group in block["axes"]["gender"]["groups"].values():
        assert group["bias"]["value"] is None
        assert any(f.startswith(("off_scale", "few_raters")) for f in group["flags"])


def test_predict_only_writes_answers_and_no_results(tiny_model: Path, tmp_path: Path) -> None:
    assert run(tiny_model, tmp_path, "--tasks", RESPOND, "--limit", "2", "--predict_only") == 0
    names = {p.name for p in folder_of(tmp_path).iterdir()}
    assert "samples_plural_demo_respond.jsonl" in names
    assert not any(n.startswith(("results_", "scores_")) for n in names)


def test_secrets_are_written_nowhere() -> None:
    from lm_plural.harness.model.spec import ModelSpec

    spec = ModelSpec("local-chat-completions", {"model": "m", "auth_token": "hush", "header": "hush", "max_length": 9})
    assert "hush" not in json.dumps([spec.identity, spec.public_args, spec.slug])
    assert spec.identity["model_args"]["max_length"] == 9


def test_samples_by_place_are_asked_and_kept_for_score(tiny_model: Path, tmp_path: Path) -> None:
    assert run(tiny_model, tmp_path, "--tasks", RATE, "--samples", '{"rate": [7, 2]}', "--log_samples") == 0
    lines = lines_of(folder_of(tmp_path) / "samples_rate.jsonl")
    assert {line["doc_id"] for line in lines} == {2, 7}
    assert main(["score", str(folder_of(tmp_path))]) == 0


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        ('{"rate": [999]}', "has no sample 999"),
        ('{"other": [1]}', "'other' is not among"),
        ('{"rate": 3}', "expected a JSON object"),
        ("[1]", "expected a JSON object"),
        ('{"rate": []}', "expected a JSON object of lists"),
    ],
)
def test_bad_samples_are_usage_errors(
    tiny_model: Path, tmp_path: Path, samples: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tiny_model, tmp_path, "--tasks", RATE, "--samples", samples) == 2
    assert words in capsys.readouterr().err


def test_items_without_a_rating_are_counted_in_the_results(tmp_path: Path, suite: Suite) -> None:
    suite.items.append({**suite.items[0], "item_id": "i99", "prompt_id": "p99"})
    suite.write()
    out = tmp_path / "out"
    task = suite.folder / "rate.yaml"
    assert main(["run", "--model", "dummy", "-t", str(task), "--include_path", str(tmp_path), "-o", str(out)]) == 0
    block = results_of(out)["disaggregated"]["tiny_rate"]
    assert "1 of 5 items left out: no rating on harm" in block["notes"]


SCORER = '''
import os
import numpy as np
from lm_plural.harness.scoring import ScorerInfo

class Moody:
    info = ScorerInfo("moody", ("toxicity",), (0.0, 1.0), "more", "cpu", os.environ.get("MOODY_VERSION", "A"))

    def score(self, batch):
        value = os.environ.get("MOODY", "0.1")
        if value == "raise":
            raise RuntimeError("no mood")
        if value == "flat":
            return np.zeros(len(batch))
        return np.full((len(batch), 1), float(value))

def moody():
    """A scorer that does what the environment says."""
    return Moody()
'''


@pytest.fixture
def moody(tmp_path: Path) -> tuple[str, Path]:
    """A scorer installed by another package, and a task that uses it."""
    site = tmp_path / "site"
    (site / "moody-1.0.dist-info").mkdir(parents=True)
    (site / "moody-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: moody\nVersion: 1.0\n")
    (site / "moody-1.0.dist-info" / "entry_points.txt").write_text("[lm_plural.scorers]\nmoody = moody_scorer:moody\n")
    (site / "moody_scorer.py").write_text(SCORER)
    task = tmp_path / "moody.yaml"
    base = Path(__file__).parents[2] / "tasks" / "plural_demo" / "respond.yaml"
    task.write_text(f"include: {base}\ntask: moody\nscorers: [moody]\n")
    return str(site), task


def moody_run(command, moody: tuple[str, Path], out: Path, verb: str = "run", **env: str):
    site, task = moody
    if verb == "score":
        return command("score", folder_of(out), PYTHONPATH=site, **env)
    return command("run", "--model", "dummy", "-t", task, "--limit", 2, "-o", out, PYTHONPATH=site, **env)


def moody_mean(out: Path) -> float:
    return results_of(out)["results"]["moody"]["moody.toxicity.mean,none"]


def test_scores_always_come_from_the_scorer_that_scored_last(command, moody, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert moody_run(command, moody, out, MOODY="0.1", MOODY_VERSION="A").returncode == 0
    assert moody_mean(out) == pytest.approx(0.1)
    assert moody_run(command, moody, out, "score", MOODY="0.9", MOODY_VERSION="B").returncode == 0
    assert moody_mean(out) == pytest.approx(0.9)
    assert moody_run(command, moody, out, "score", MOODY="0.1", MOODY_VERSION="A").returncode == 0
    assert moody_mean(out) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("mood", "words"),
    [
        ("raise", "RuntimeError: no mood"),
        ("flat", "returned shape"),
        ("inf", "returned inf"),
        ("7", "expected 0.0 to 1.0"),
    ],
)
def test_a_scorer_that_breaks_its_word_is_one_line_and_poisons_nothing(command, moody, tmp_path, mood, words) -> None:
    out = tmp_path / "out"
    done = moody_run(command, moody, out, MOODY=mood)
    assert done.returncode == 1
    assert words in done.stderr
    assert len(told(done.stderr)) == 1, done.stderr
    assert moody_run(command, moody, out, MOODY="0.5").returncode == 0
    assert moody_mean(out) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--gen_kwargs", "do_sample=false"], "would be copies"),
        (["--gen_kwargs", "temperature=0"], "would be copies"),
        (["--gen_kwargs", "max_gen_toks=abc"], "expected a whole number from 1 on"),
        (["--gen_kwargs", "until=5"], "expected texts"),
        (["--axes", "gendr"], "did you mean 'gender'"),
        (["--device", "nonsense"], "no such device"),
        (["--max_batch_size", "0"], "from 1 on"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_asked(
    tiny_model: Path, tmp_path: Path, more: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tiny_model, tmp_path, "--tasks", RESPOND, "--limit", "2", *more) == 2
    assert words in capsys.readouterr().err
    assert not list(tmp_path.glob("*/samples_*"))


@pytest.mark.parametrize("content", ["[]", "{}", "null", '"x"', '{"tasks": []}', "{"])
def test_a_run_json_that_is_not_one_is_one_line(
    finished: Path, tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    (folder_of(out) / "run.json").write_text(content)
    assert main(["score", str(folder_of(out))]) == 1
    assert "run.json: " in capsys.readouterr().err


def test_an_answer_of_the_wrong_kind_is_refused(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    journal = folder_of(out) / "samples_rate.jsonl"
    lines = lines_of(journal)
    lines[0]["filtered_resps"] = [[0.5, 0.5]]
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert main(["score", str(folder_of(out))]) == 1
    assert "samples_rate.jsonl: the answer with key" in capsys.readouterr().err


def test_two_files_of_one_task_name_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    twin = tmp_path / "twin.yaml"
    twin.write_text(f"include: {RATE}\n")
    assert main(["run", "--model", "dummy", "-t", str(RATE), str(twin), "-o", str(tmp_path / "out")]) == 2
    assert "task 'rate' is also asked for from" in capsys.readouterr().err


@pytest.mark.parametrize("as_text", [True, False])
def test_the_function_finds_the_run_of_the_command_line(finished: Path, tiny_model: Path, as_text: bool) -> None:
    args = f"pretrained={tiny_model},dtype=float32" if as_text else {"pretrained": str(tiny_model), "dtype": "float32"}
    outcome = lp.evaluate(model_args=args, tasks=[str(RATE), RESPOND], limit=6, batch_size=4, output_path=finished)
    assert (outcome.folder, outcome.new) == (folder_of(finished), False)
    assert lp.score(outcome.folder).new is False
    lines = repr(outcome).splitlines()
    assert lines[0].startswith("Outcome: ")
    assert lines[0].endswith("on 2 tasks: all raters; worst group")
    assert lines[1].startswith("rate: divergence 0.")
    assert lines[-2] == "of these, tasks with simulated raters: 2"
    assert max(map(len, lines)) <= 80
    assert outcome._repr_html_().count("SIMULATED RATERS") == 2


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"tasks": ()}, r"^no tasks: give tasks \("),
        ({"model": "hff"}, "^unknown model backend 'hff'"),
        ({"model_args": "pretrained"}, "^model_args: 'pretrained' is not key=value"),
        ({"limit": -1}, "^limit -1: expected a positive count or a share below 1"),
        ({"samples": {RESPOND: [0]}, "limit": 2}, "^samples and limit cannot both be given"),
        (
            {"samples": {"plural_demo_respnd": [0]}},
            "^samples: 'plural_demo_respnd' is not among the tasks asked",
        ),
        ({"axes": ["gendr"]}, "no axis 'gendr'"),
    ],
)
def test_what_cannot_be_run_names_the_argument(tmp_path: Path, more: dict, message: str) -> None:
    with pytest.raises(lp.UsageError, match=message):
        lp.evaluate(**{"tasks": [RESPOND], "model": "dummy", "output_path": tmp_path} | more)


def test_what_was_found_of_a_task_is_said_when_it_ends(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ["plural_demo_toxicity", "plural_demo_helpfulness"]
    outcome = lp.evaluate(model="dummy", tasks=names, limit=6, axes=["gender"], draws=100, output_path=tmp_path)
    assert outcome.content
    lines = [line.removeprefix("lm-plural run: ") for line in capsys.readouterr().err.splitlines()]
    first, second = (next(n for n, x in enumerate(lines) if x.startswith(f"{name}: divergence ")) for name in names)
    assert first < next(n for n, x in enumerate(lines) if x.startswith(f"{names[1]}: ")) < second
    value = outcome.content["disaggregated"][names[0]]["overall"]["divergence"]["value"]
    assert lines[first].startswith(f"{names[0]}: divergence {value:.3f} [")
    assert lp.score(outcome.folder, axes=["gender"], draws=100).new is False
