"""The responses of a finished run that people may rate, and a sample of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lm_plural.harness.analysis.design.sample import Allocation, bands, draw
from lm_plural.harness.annotate.form import Form
from lm_plural.harness.annotate.manifest import CHECKS, Check, Item, text_hash
from lm_plural.harness.arrays import Floats
from lm_plural.harness.errors import UsageError, argument, did_you_mean
from lm_plural.harness.hashing import digest
from lm_plural.harness.run.journal import Record
from lm_plural.harness.run.loop import Work
from lm_plural.harness.run.score import LANGUAGE
from lm_plural.harness.task.template import render

#: Strata by the scorer's bands; one stratum.
BY_SCORE, NO_STRATA = "score", "none"


@dataclass(frozen=True)
class Shown:
    """What raters see: an opaque id, a prompt and a response, and where it stands."""

    id: str
    prompt: str
    response: str
    block: int
    position: int


def responses(work: Work, language: str | None = None) -> tuple[dict[str, list[Record]], str]:
    """Return the answers of a respond task by prompt, of one language, and which it is.

    Raises
    ------
    UsageError
        If there are several languages and none is named, or none of the one that is.
    """
    by_language: dict[str, dict[str, list[Record]]] = {}
    for record in work.answers():
        of = by_language.setdefault(record["doc"].get(LANGUAGE) or "en", {})
        of.setdefault(record["item_id"], []).append(record)
    if language is None and len(by_language) > 1:
        found = ", ".join(f"{name} ({len(prompts)} prompts)" for name, prompts in by_language.items())
        raise UsageError(f"responses in {len(by_language)} languages, {found}: name one by {argument('language')}")
    language = language or next(iter(by_language))
    if language not in by_language:
        raise UsageError(f"{argument('language')} {language}: no response in it; there are {', '.join(by_language)}")
    return by_language[language], language


def strata_of(by: str, prompts: Mapping[str, Sequence[Record]], scores: Floats | None) -> list[str]:
    """Return the stratum of each prompt.

    Parameters
    ----------
    by : str
        ``score``, ``none``, or a field of the items.
    prompts : mapping
    scores : ndarray, shape (P,), or None
        Mean score of each prompt's responses.

    Raises
    ------
    UsageError
        For a field that is not there.
    """
    if by == BY_SCORE:
        return ["all"] * len(prompts) if scores is None else bands(scores)
    if by == NO_STRATA:
        return ["all"] * len(prompts)
    docs = [records[0]["doc"] for records in prompts.values()]
    if by not in docs[0]:
        known = [BY_SCORE, NO_STRATA, *docs[0]]
        raise UsageError(
            f"{argument('strata')} {by}: no such field{did_you_mean(by, known)}; there are {', '.join(known)}"
        )
    return [doc.get(by) or "none" for doc in docs]


def drawn_items(
    work: Work,
    prompts: Mapping[str, Sequence[Record]],
    strata: Sequence[str],
    n: int,
    per_rater: int,
    rng: np.random.Generator,
    how: Allocation,
) -> tuple[list[Item], list[tuple[str, str]]]:
    """Draw prompts, and of each one of its responses; return the items, and prompt and response as they are shown.

    One response a prompt: two to the same question would be near each other, and people who read both would compare.
    """
    ids, text = list(prompts), work.loaded.task.doc_to_text
    found = draw(strata, n, per_rater, rng, how)
    items, shown = [], []
    for place, probability, block, position in zip(*vars(found).values(), strict=True):
        records = prompts[ids[place]]
        record = records[int(rng.integers(len(records)))]
        response = record["filtered_resps"][0] or ""
        items.append(
            Item(
                id=digest([work.loaded.name, record["key"], response]),
                key=record["key"],
                prompt=ids[place],
                text=text_hash(response),
                stratum=strata[place],
                probability=float(probability) / len(records),
                block=int(block) + 1,
                position=int(position) + 1,
            )
        )
        shown.append((render(text, record["doc"]), response))
    return items, shown


def with_checks(
    items: Sequence[Item], levels: Sequence[str], run: str, rng: np.random.Generator
) -> tuple[list[Item], list[Check]]:
    """Return the items and attention checks of every block in one order: a check in each part of a block.

    Parameters
    ----------
    items : sequence of Item
    levels : sequence of str
        One of which is to be chosen: never the middle, which careless people choose.
    run : str
        What makes the ids of checks look like those of items.
    rng : numpy.random.Generator
    """
    middle = levels[len(levels) // 2] if len(levels) % 2 else None
    may_be = [level for level in levels if level != middle]
    placed: list[Item] = []
    checks: list[Check] = []
    for block in sorted({item.block for item in items}):
        mine = sorted((item for item in items if item.block == block), key=lambda item: item.position)
        n_checks = min(CHECKS, len(mine))
        parts = np.array_split(np.arange(1, len(mine) + 1), n_checks)  # after which item of each part
        after = [int(rng.choice(part)) for part in parts]
        for n, place in enumerate(after):
            level = may_be[int(rng.integers(len(may_be)))]
            number = digest(["check", run, block, n])
            checks.append(Check(id=number, level=level, block=block, position=place + n + 1))
        for item in mine:
            later = sum(place < item.position for place in after)
            placed.append(item.model_copy(update={"position": item.position + later}))
    return placed, checks


def shown_items(
    items: Sequence[Item], texts: Sequence[tuple[str, str]], checks: Sequence[Check], form: Form
) -> list[Shown]:
    """Return all that raters see, block by block in order."""
    out = [
        Shown(item.id, prompt, response if response.strip() else form.empty, item.block, item.position)
        for item, (prompt, response) in zip(items, texts, strict=True)
    ]
    out += [
        Shown(c.id, form.check, form.check_task.format(level=form.levels[c.level]), c.block, c.position) for c in checks
    ]
    return sorted(out, key=lambda one: (one.block, one.position))
