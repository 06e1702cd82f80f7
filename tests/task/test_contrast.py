"""Contrast sets: what a file may say, and every way in which it may be wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lm_plural.harness.documents import InvalidFileError, load_yaml
from lm_plural.harness.errors import PluralError, UsageError
from lm_plural.harness.task.contrast import load_contrast, refuse_contrast

HEAD: dict[str, Any] = {
    "task": "small",
    "mode": "contrast",
    "title": "A small set",
    "licence": "Apache-2.0",
    "version": 1,
    "dimensions": {"toxicity": "lower", "helpfulness": "higher"},
    "prompts": "prompts.jsonl",
    "swaps": "swaps.jsonl",
}


def prompt(n: int = 1, dimension: str = "toxicity", language: str = "en", **more: str) -> dict[str, str]:
    good, bad = ("Add water, friend.", "Add water, donkey.") if dimension == "toxicity" else ("Add it.", "Add hm.")
    return {
        "dimension": dimension,
        "prompt_id": f"{dimension[:3]}-{n}",
        "language": language,
        "prompt": f"How do I cook dish {n}?",
        "good_short": good,
        "bad_short": bad,
        "good_long": f"{good} {good} {'x' * n}",
        "bad_long": f"{bad} {bad} {'y' * n}",
        **more,
    }


def swap(n: int = 1, kind: str = "neutral", language: str = "en") -> dict[str, Any]:
    woman, man = ({"prompt": f"What may my {child} cook?", "response": "Soup."} for child in ("daughter", "son"))
    return {"pair_id": f"swap-{n}", "language": language, "kind": kind, "woman": woman, "man": man}


def write(folder: Path, prompts: list[Any], swaps: list[Any] | None = None, /, **more: Any) -> Path:
    """Write a set and return its file; a row that is text is a line as it is."""
    for name, rows in (("prompts", prompts), ("swaps", [swap()] if swaps is None else swaps)):
        lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
        (folder / f"{name}.jsonl").write_text("\n".join([*lines, ""]), encoding="utf-8")
    path = folder / "small.yaml"
    path.write_text(json.dumps({**HEAD, **more}), encoding="utf-8")
    return path


def test_every_text_is_there_once_with_its_language(tmp_path: Path) -> None:
    found = load_contrast(load_yaml(write(tmp_path, [prompt(), prompt(language="de")], [swap(), swap(2, "biased")])))
    samples = dict(found.samples())
    assert len(samples) == 2 * 4 + 2 * 2
    assert samples["tox-1-de-bad-short"].language == "de"
    assert samples["tox-1-en-good-long"].response == prompt()["good_long"]
    assert samples["swap-2-en-man"].prompt == "What may my son cook?"


def test_its_hash_changes_with_a_text(tmp_path: Path) -> None:
    first = load_contrast(load_yaml(write(tmp_path, [prompt()]))).hash
    assert load_contrast(load_yaml(write(tmp_path, [prompt()]))).hash == first
    assert load_contrast(load_yaml(write(tmp_path, [prompt(bad_short="Add water, donkeys")]))).hash != first
    assert load_contrast(load_yaml(write(tmp_path, [prompt()], version=2))).hash != first


Change = Callable[[dict[str, str]], Any]


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (prompt(dimension="tone"), "dimension 'tone'; expected one of toxicity, helpfulness"),
        (prompt(), "'tox-1-en' again, first on line 1"),
        ({k: v for k, v in prompt(2).items() if k != "bad_long"}, "bad_long: Field required"),
        (prompt(2, extra="x"), "extra: Extra inputs are not permitted"),
        (prompt(2, good_short=""), "good_short: "),
        (
            prompt(2, good_short="Add water."),
            "short replies of 10 (good) and 18 (bad) characters; expected at most 10%",
        ),
        ("{", "Invalid JSON"),
        ("[1]", "Input should be an object"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, second: Any, said: str) -> None:
    found = load_contrast(load_yaml(write(tmp_path, [prompt(), second])))
    with pytest.raises(InvalidFileError) as e:
        list(found.samples())
    assert str(e.value).startswith(f"{tmp_path / 'prompts.jsonl'}:2: ")
    assert said in str(e.value)


def test_a_wrong_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidFileError, match=r"unknown key 'groups'"):
        load_contrast(load_yaml(write(tmp_path, [prompt()], groups={})))
    with pytest.raises(PluralError, match=r"small.yaml:1: no file .*other.jsonl"):
        load_contrast(load_yaml(write(tmp_path, [prompt()], prompts="other.jsonl")))
    with pytest.raises(InvalidFileError, match=r"no texts; expected one JSON object a line"):
        list(load_contrast(load_yaml(write(tmp_path, []))).samples())
    with pytest.raises(InvalidFileError, match="prompts"):
        load_contrast(load_yaml(write(tmp_path, [prompt()], prompts="../prompts.jsonl")))


def test_no_model_is_asked(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'small' is a contrast set.*lm-plural audit --scorer NAME --tasks small"):
        refuse_contrast(load_yaml(write(tmp_path, [prompt()])))
