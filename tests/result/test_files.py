"""The results file is read by lm-eval's own tooling, and is strict JSON."""

from __future__ import annotations

import json
from pathlib import Path

from lm_plural.harness.cli.main import main


def test_lm_evals_table_reads_our_results(tmp_path: Path) -> None:
    from lm_eval.utils import make_table

    tasks = ["plural_demo_toxicity", "plural_demo_respond"]
    assert main(["run", "--model", "dummy", "--tasks", *tasks, "--limit", "3", "-o", str(tmp_path)]) == 0
    (path,) = tmp_path.glob("*/results_*.json")
    content = json.loads(path.read_text(), parse_constant=lambda name: (_ for _ in ()).throw(ValueError(name)))
    table = make_table(content)
    assert "profanity.toxicity.mean" in table
    assert "plural_demo_toxicity" in table
