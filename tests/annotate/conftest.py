"""A finished run whose responses differ, and forms filled in for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import lm_plural as lp
from lm_plural.harness.annotate.manifest import Manifest, read_manifest
from lm_plural.harness.annotate.rows import to_csv
from lm_plural.harness.hashing import digest

#: Rude now and then, so that the scorer has something to find; and what forms must not be broken by.
SAID = ["You are stupid.", "Talk to them calmly.", "=1+1", "</script><b>x</b>", "", "Damn it, leave.", "Ask a friend."]


def answered(output: Path) -> Path:
    """Let lm-eval's dummy model answer, and put other words into its journal."""
    lp.evaluate(model="dummy", tasks=["plural_demo_respond"], output_path=output, draws=100, permutations=1)
    (run,) = output.iterdir()
    journal = run / "samples_plural_demo_respond.jsonl"
    records = [json.loads(line) for line in journal.read_text().splitlines()]
    for n, record in enumerate(records):
        record["filtered_resps"] = [f"{SAID[n % len(SAID)]} {n}" if SAID[n % len(SAID)] else ""]
    journal.write_text("".join(json.dumps(r) + "\n" for r in records))
    lp.score(run, draws=100, permutations=1)
    return run


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return answered(tmp_path_factory.mktemp("annotate") / "outputs")


@pytest.fixture(autouse=True)
def salt_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "config" / "salt"
    monkeypatch.setenv("LM_PLURAL_RATER_SALT", str(path))
    return path


@pytest.fixture
def exported(run: Path, tmp_path: Path) -> Path:
    """An export of two blocks of six items, and three checks each."""
    lp.annotate_export(run, output_path=tmp_path / "ex", items=12, items_per_rater=6, raters_per_item=2)
    return tmp_path / "ex"


def level_of(rater: str, item: str, levels: list[str]) -> str:
    return levels[int(digest([rater, item]), 16) % len(levels)]


@pytest.fixture
def fill(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that fills in one long file: raters by name, each a block; rows may be changed by `change`."""

    def filled(folder: Path, raters: int = 4, change: Callable[[list[dict[str, str]]], object] | None = None) -> Path:
        m: Manifest = read_manifest(folder)
        rows = []
        for n in range(raters):
            block = m.blocks[n % len(m.blocks)]
            for one in (*m.items, *m.checks):
                if one.block == block:
                    level = getattr(one, "level", None) or level_of(f"r{n}", one.id, m.dimensions["toxicity"].levels)
                    rows.append({"rater_id": f"r{n}", "item_id": one.id, "toxicity": level, "order": str(one.position)})
        if change:
            change(rows)
        path = tmp_path / "ratings.csv"
        header = list(rows[0])
        path.write_text(to_csv(header, ([row[c] for c in header] for row in rows)))
        return path

    return filled
