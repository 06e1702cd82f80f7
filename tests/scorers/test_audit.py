"""Real classifiers with weights, tiny ones, put under audit through the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lm_plural.harness.cli.main import main
from lm_plural.harness.result.read import read_content
from tests.suite import Suite

Make = Callable[..., Any]


def audited(suite: Suite, scorer: str, *words: str) -> dict[str, Any]:
    """Return the results of an audit on the suite, whose texts are words the classifiers know."""
    suite.items = [i | {"text": text} for i, text in zip(suite.items, WORDS, strict=True)]
    suite.raters = "rater_id,gender,race\n" + "".join(f"r{n},{'man' if n < 4 else 'woman'},white\n" for n in range(8))
    suite.ratings = "item_id,rater_id,harm\n" + "".join(
        f"i{i},r{j},{1 + (i * 3 + j) % 5}\n" for i in range(1, 5) for j in range(8)
    )
    suite.write()
    out = suite.root.parent / "out"
    command = [
        "audit",
        "--scorer",
        scorer,
        "--tasks",
        "tiny_rate",
        "--include_path",
        str(suite.root),
        "--axes",
        "gender",
    ]
    assert main([*command, "--text", "text", "--draws", "100", "-o", str(out), *words]) == 0
    (path,) = out.glob("*/results_*.json")
    return read_content(path)


WORDS = ("lovely day", "damn fool", "kind person", "what a day")


def test_any_sequence_classifier(suite: Suite, make_classifier: Make) -> None:
    folder: Path = make_classifier("harmless", "harmful")
    options = json.dumps({"model": str(folder), "labels": {"harmful": "harm"}})
    block = json.dumps(audited(suite, f"hf_classifier:{options}"))
    assert '"auc"' in block
    assert '"woman"' in block


@pytest.mark.parametrize("variant", ["original", "unbiased"])
def test_detoxify_variants(suite: Suite, make_checkpoint: Make, variant: str) -> None:
    checkpoint, base = make_checkpoint(variant)
    scorer = f"detoxify:variant={variant},checkpoint={checkpoint},huggingface_config_path={base}"
    assert '"auc"' in json.dumps(audited(suite, scorer, "--dimension", "toxicity"))
