"""The results file is read by lm-eval's own tooling, and is strict JSON."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest

from lm_plural.harness.cli.main import main
from lm_plural.harness.result.write import better, save_results
from lm_plural.harness.run.folder import RunFolder
from tests.suite import Suite


@pytest.mark.parametrize("left", ["null", "[]", "5", "[" * 100_000, "\udcff"])
def test_results_that_somebody_broke_are_written_anew(tmp_path: Path, left: str) -> None:
    folder, now = RunFolder(tmp_path), datetime.now()
    path, _ = save_results(folder, {"results": {}, "disaggregated": {}}, now)
    assert save_results(folder, {"results": {}, "disaggregated": {}}, now) == (path, False)
    path.write_text(left, encoding="utf-8", errors="surrogateescape")
    again, new = save_results(folder, {"results": {}, "disaggregated": {}}, now)
    assert new
    assert json.loads(again.read_text())["results"] == {}


def test_lm_evals_table_reads_our_results(tmp_path: Path) -> None:
    from lm_eval.utils import make_table

    tasks = ["plural_demo_toxicity", "plural_demo_respond"]
    assert main(["run", "--model", "dummy", "--tasks", *tasks, "--limit", "3", "-o", str(tmp_path)]) == 0
    (path,) = tmp_path.glob("*/results_*.json")
    content = json.loads(path.read_text(), parse_constant=lambda name: (_ for _ in ()).throw(ValueError(name)))
    table = make_table(content)
    assert "profanity.toxicity.mean" in table
    assert "plural_demo_toxicity" in table


@pytest.mark.parametrize("direction", ["lower", "higher"])
def test_scores_are_better_as_the_scale_says_and_exposure_is_always_worse(tmp_path: Path, direction: str) -> None:
    suite = Suite(tmp_path / "tasks")
    suite.recipe["scales"]["bad"]["direction"] = direction
    assert better("skill:gender=woman", rate := suite.load()) is True
    assert better("bias", rate) is None
    respond = suite.respond(doc_to_text="say {{ lang }}", doc_to_target="text", doc_id="prompt_id").load()
    assert better("profanity.harm.mean", respond) is (direction == "higher")
    assert better("profanity.harm.mean_stderr", respond) is None
    assert better("profanity.harm.reference_exposure:gender=woman", respond) is False
