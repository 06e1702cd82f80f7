"""What hangs on how a model was asked, with groups known by their shares only: other wordings, and as a member."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lm_plural.harness.analysis.group import null
from lm_plural.harness.analysis.options import Options
from lm_plural.harness.analysis.shares.between import adjusted
from lm_plural.harness.analysis.shares.compared import HIGHER_IS_BETTER, Compared
from lm_plural.harness.ratings.shares import ShareTable
from lm_plural.harness.result.answers import Answers
from lm_plural.harness.result.paraphrases import wordings_range
from lm_plural.harness.run.loop import Work
from lm_plural.harness.statistics.shares import over_items
from lm_plural.harness.task.elicit import steering
from lm_plural.harness.task.steered import steered_items


def paraphrases(work: Work, axes: Mapping[str, Compared]) -> dict[str, Any]:
    """Return the block ``paraphrases``: values when only one wording is asked, and how far they are apart."""
    answers = [Answers.of(work, wording=n) for n in range(len(work.loaded.task.wordings))]
    by_axis = {axis: [_means(compared, a) for a in answers] for axis, compared in axes.items()}
    return {
        "n_wordings": len(answers),
        "off_scale_median": [a.median for a in answers],
        "axes": {
            axis: {"groups": {g: _spread(found, n) for n, g in enumerate(axes[axis].names)}}
            for axis, found in by_axis.items()
        },
        "flags": [f"wording {n}: {a.refused}" for n, a in enumerate(answers) if a.refused],
    }


def _means(compared: Compared, answers: Answers) -> dict[str, Any]:
    q = answers.predictions.q * (np.nan if answers.refused else 1.0)
    return {name: over_items(v).estimates.value for name, v in compared.values(q).items()}


def _spread(found: Sequence[Mapping[str, Any]], group: int) -> dict[str, Any]:
    return {name: wordings_range([float(one[name][group]) for one in found]) for name in HIGHER_IS_BETTER}


def steered(work: Work, table: ShareTable, plain: Answers, options: Options) -> dict[str, Any]:
    """Return the block ``steered``: how much more alike a group a model gets when asked to answer as a member.

    Changes are steered minus unsteered on the same items; those of all groups are adjusted together.
    """
    steer = work.loaded.task.steer
    assert steer
    answers = {g: Answers.of(work, group=g) for g in steered_items(work.loaded)}
    why = {g: f"unsteered, {plain.refused}" if plain.refused else a.refused for g, a in answers.items()}
    items = plain.predictions.item_ids
    compared = Compared.of(table, steer.axis, items, plain.predictions.q.shape[1])
    changes = [_change(compared.only(g), items, plain, a, refused=bool(why[g])) for g, a in answers.items()]
    numbers = {
        name: adjusted(over_items(np.stack([c[name] for c in changes], axis=1)), options, "steered", name)
        for name in (HIGHER_IS_BETTER if changes else ())
    }
    groups = {
        group: {
            "said": steering(work.loaded.task, group),
            "off_scale_median": answers[group].median,
            "n_items": int((~np.isnan(changes[m]["js_similarity"])).sum()),
            "change": {s: {k: null(float(v[m])) for k, v in of.items()} for s, of in numbers.items()},
            "flags": [reason] if (reason := why[group]) else [],
        }
        for m, group in enumerate(answers)
    }
    return {"axis": steer.axis, "text": steer.text, "groups": groups}


def _change(group: Compared, items: Sequence[str], plain: Answers, asked: Answers, *, refused: bool) -> dict[str, Any]:
    """Return each statistic's change on each item, shape (I,); NaN where it is not known."""
    known = dict(zip(asked.predictions.item_ids, asked.predictions.q, strict=True))
    none = np.full(plain.predictions.q.shape[1], np.nan)
    q = np.stack([none if refused else known.get(item, none) for item in items])
    before, after = group.values(plain.predictions.q), group.values(q)
    return {name: (after[name] - before[name])[:, 0] for name in HIGHER_IS_BETTER}
