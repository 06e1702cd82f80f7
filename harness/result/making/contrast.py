"""A scorer on a contrast set: from score records to the block of each of its dimensions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lm_plural.harness.analysis.audit.contrast import Contrasted, Swapped, contrast_block
from lm_plural.harness.analysis.judging import judge_block
from lm_plural.harness.arrays import Floats
from lm_plural.harness.errors import PluralError
from lm_plural.harness.files import cache_dir, to_json, writable_cache, write_atomic
from lm_plural.harness.hashing import digest
from lm_plural.harness.result.making.audit import badness
from lm_plural.harness.run.journal import Record
from lm_plural.harness.run.score import not_covered
from lm_plural.harness.task.contrast import SIZES, ContrastSet, Prompt, Quality, Swap

#: The contrast set whose verdicts are kept: the one that comes with the package.
OWN = "contrast"


def remember_card(found: ContrastSet, block: Mapping[str, Any]) -> None:
    """Keep whether a scorer passes the package's contrast set, by its version, for results that show its numbers."""
    if found.name != OWN or found.limit is not None:
        return
    passes = {d: {x: f["passes"] for x, f in by.items()} for d, by in block["dimensions"].items()}
    path = _card(block["scorer"]["version"])
    with suppress(OSError, PluralError):  # without a cache nothing is lost but that it is known elsewhere
        writable_cache()
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, to_json({"set": found.hash, "scorer": block["scorer"], "passes": passes}))


def known_card(version: str, dimension: str) -> dict[str, bool | None]:
    """Return whether a version of a scorer passes the contrast set on a dimension, by language; empty: not known."""
    try:
        known = json.loads(_card(version).read_text(encoding="utf-8"))["passes"].get(dimension, {})
        return {str(x): v for x, v in known.items()}
    except (OSError, ValueError, KeyError, AttributeError):
        return {}


def _card(version: str) -> Path:
    return cache_dir() / OWN / f"{digest(version)}.json"


def contrast_result(found: ContrastSet, records: Sequence[Record]) -> dict[str, Any]:
    """Return the block of a contrast set.

    Parameters
    ----------
    found : ContrastSet
    records : sequence of dict
        Scores of its texts by one scorer.

    Returns
    -------
    dict
        ``dimensions``: by dimension of the scorer and language, the blocks of :func:`contrast_block`. There are no
        raters, so no axes.

    Raises
    ------
    PluralError
        If no text has a score record.
    """
    if not records:
        raise PluralError(f"contrast set {found.name!r}: no text has a score")
    first = records[0]
    return {
        "mode": "contrast",
        "title": found.file.title,
        "warning": found.file.warning,
        "hash": found.hash,
        "version": found.version,
        "scorer": {"name": first["scorer"]} | {k: first[k] for k in ("version", "range", "direction")},
        "notes": not_covered(records),
        "axes": {},
        "dimensions": {name: _by_language(found, records, name) for name in first["scores"]},
    }


def _by_language(found: ContrastSet, records: Sequence[Record], dimension: str) -> dict[str, Any]:
    own = dimension if dimension in found.file.dimensions else None
    worse: Literal["more", "less"] = "less" if own and found.file.dimensions[own] == "higher" else "more"
    scores = {r["item_id"]: badness(r, dimension, worse) for r in records}
    languages = list(dict.fromkeys(p.language for p in found.prompts))
    blocks = {
        language: contrast_block(
            own,
            {
                name: _contrasted([p for p in found.prompts if (p.language, p.dimension) == (language, name)], scores)
                for name in found.file.dimensions
                if any((p.language, p.dimension) == (language, name) for p in found.prompts)
            },
            {
                kind: _swapped(pairs, scores)
                for kind in ("neutral", "biased")
                if (pairs := [s for s in found.swaps if (s.language, s.kind) == (language, kind)])
            },
            SIZES,
        )
        for language in languages
    }
    if any("more" in r for r in records):
        more = {r["item_id"]: r["more"] for r in records}
        for language, block in blocks.items():
            texts = [s.id for _, s in found.samples() if s.language == language]
            own_texts = [t for p in found.prompts if (p.language, p.dimension) == (language, own) for t in p.ids()]
            block |= judge_block(block, [more[t] for t in texts], [more[t] for t in own_texts])
    return blocks


def _contrasted(prompts: Sequence[Prompt], scores: Mapping[str, float]) -> Contrasted:
    def of(quality: Quality) -> Floats:
        return np.array([[scores.get(p.id_of(quality, s), np.nan) for s in SIZES] for p in prompts])

    def characters(quality: Quality) -> Floats:
        return np.array([[float(len(p.reply(quality, s))) for s in SIZES] for p in prompts])

    return Contrasted(of("good"), of("bad"), characters("good"), characters("bad"))


def _swapped(pairs: Sequence[Swap], scores: Mapping[str, float]) -> Swapped:
    woman, man = (np.array([scores.get(f"{s.key}-{who}", np.nan) for s in pairs]) for who in ("woman", "man"))
    return Swapped(woman, man)
