"""Results where only shares of answers by group are known: how alike the model and each group answer.

Without raters there is no divergence, disagreement or skill, nothing is corrected for small groups, and intervals speak
of other items only. Other wordings and answering as a member are looked at as in :mod:`harness.result.making.asked`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from lm_plural.harness.analysis import flags
from lm_plural.harness.analysis.disaggregated import families
from lm_plural.harness.analysis.group import SCHEMA_VERSION, Number, null
from lm_plural.harness.analysis.options import WITHOUT_RATERS, Options
from lm_plural.harness.analysis.shares.between import adjusted, contrasts, no_interval
from lm_plural.harness.analysis.shares.compared import STATISTICS, Compared
from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.data.shares import left_out_note
from lm_plural.harness.ratings.shares import ShareTable
from lm_plural.harness.ratings.table import Axis, axis_name
from lm_plural.harness.result.making.answers import Answers
from lm_plural.harness.result.making.asked import wordings_range
from lm_plural.harness.run.loop import Work
from lm_plural.harness.statistics.shares import over_items
from lm_plural.harness.statistics.uncertainty.intervals import Estimates, bounded
from lm_plural.harness.task.elicit import steering

#: What every reader of such a result must know.
NOTES = (
    "only shares of answers by group are known, no raters: no divergence, disagreement or skill, and no correction for "
    "small groups, whose shares are further from any model by chance",
    "intervals speak of other questions, not of other people; the same people answered many of them, which no interval "
    "here knows of",
)
NO_RATERS = "no_raters: only the group's shares are known"


def shares_result(work: Work, axes: Sequence[Axis] | None = None, options: Options | None = None) -> dict[str, Any]:
    """Return the block of a finished task on shares of answers."""
    loaded, task, options = work.loaded, work.loaded.task, options or Options()
    options = replace(options, inference=WITHOUT_RATERS[options.inference], min_raters=task.groups.min_raters)
    plain = Answers.of(work)
    table, few = loaded.shares.answered(options.min_raters)
    items, size = plain.predictions.item_ids, plain.predictions.q.shape[1]
    found = {axis_name(a): Compared.of(table, a, items, size) for a in axes or task.groups.axes}
    q = plain.predictions.q * (np.nan if plain.refused else 1.0)
    blocks = {axis: _axis(axis, compared, q, options, plain.refused) for axis, compared in found.items()}
    block = {
        "kind": "shares",
        "schema_version": SCHEMA_VERSION,
        "dimension": task.dimension,
        **{k: getattr(options, k) for k in ("inference", "min_raters", "draws", "seed")},
        "notes": _notes(work, few, options, plain.refused),
        "overall": _overall(next(iter(found.values())), q, options, plain.refused),
        "axes": blocks,
        "families": families({axis: b["contrasts"] for axis, b in blocks.items()}),
        "elicitation": plain.elicitation(task),
    }
    if task.paraphrases:
        block["paraphrases"] = paraphrases(work, found)
    if task.steer:
        block["steered"] = steered(work, table, plain, options)
    return block


def _notes(work: Work, few: int, options: Options, refused: str | None) -> list[str]:
    found = [*NOTES, *work.loaded.notes]
    if few:
        found.append(left_out_note(few, "(item, group) pair", f"fewer than {options.min_raters} answers"))
    return found + ([f"comparison with the groups refused, {refused}"] if refused else [])


def _overall(compared: Compared, q: Floats, options: Options, refused: str | None) -> dict[str, Any]:
    """Return the average group of the first axis: on each item the mean over its groups, however many people."""
    known = np.asarray(compared.known.any(axis=1, keepdims=True))
    values = {s: _mean(v) for s, v in compared.values(q).items()}
    return {"n_items": int(known.sum()), "n_raters": None} | _Groups.of(values, known, options, refused).block(0)


def _mean(values: Floats) -> Floats:
    """Return the mean over the groups that are known, shape (I, G) to (I, 1)."""
    known = ~np.isnan(values)
    return ratio(np.where(known, values, 0.0).sum(axis=1, keepdims=True), known.sum(axis=1, keepdims=True))


def _axis(axis: str, compared: Compared, q: Floats, options: Options, refused: str | None) -> dict[str, Any]:
    values, known = compared.values(q), compared.known.astype(bool)
    groups = _Groups.of(values, known, options, refused)
    levels = {"uniform": compared.values(compared.uniform()), "other_groups": compared.values(compared.others())}
    beside = {name: {s: over_items(v).estimates.value for s, v in of.items()} for name, of in levels.items()}
    return {
        "groups": {
            name: {
                "n_items": int(known[:, g].sum()),
                "n_raters": None,
                "answers_per_item": _median(compared.answers[:, g]),
                **groups.block(g),
                "beside": {other: {s: null(float(v[g])) for s, v in of.items()} for other, of in beside.items()},
            }
            for g, name in enumerate(compared.names)
        },
        "contrasts": contrasts(axis, compared.names, values, options),
    }


def _median(answers: Floats) -> float | None:
    known = answers[~np.isnan(answers)]
    return float(np.median(known)) if len(known) else None


@dataclass(frozen=True)
class _Groups:
    """Statistics of groups, and what keeps one from a value or an interval."""

    estimates: Mapping[str, Estimates]
    n_items: npt.NDArray[np.int64]
    options: Options
    refused: str | None

    @classmethod
    def of(
        cls, values: Mapping[str, Floats], known: npt.NDArray[np.bool_], options: Options, refused: str | None
    ) -> _Groups:
        estimates = {s: bounded(over_items(v).estimates) for s, v in values.items()}
        return cls(estimates, known.sum(axis=0), options, refused)

    def block(self, g: int) -> dict[str, Any]:
        """Return the numbers and flags of a group."""
        interval = self.options.inference != "none"
        numbers = {s: Number.at(e, g, interval=interval) for s, e in self.estimates.items()}
        return {s: n.to_dict() for s, n in numbers.items()} | {"flags": self._flags(g, numbers)}

    def _flags(self, g: int, numbers: Mapping[str, Number]) -> list[str]:
        n = int(self.n_items[g])
        if not n:
            return [NO_RATERS, "no_items: the group answered none of the items asked"]
        if self.refused:
            return [NO_RATERS, self.refused]
        found = [NO_RATERS]
        if np.isnan(numbers["w1_alignment"].value):
            found.append("no_order: no item of the group has options with an order, so no w1_alignment")
        if self.options.inference == "none":
            return found
        if bare := [s for s, v in numbers.items() if not np.isnan(v.value) and np.isnan(v.low)]:
            found += [f"{flag} ({', '.join(bare)})" for flag in no_interval(n)]
        if n < flags.GATE_ITEMS:
            found.append(f"not_for_gates: {n} items of {flags.GATE_ITEMS}")
        return found


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
    return {name: wordings_range([float(one[name][group]) for one in found]) for name in STATISTICS}


def steered(work: Work, table: ShareTable, plain: Answers, options: Options) -> dict[str, Any]:
    """Return the block ``steered``: how much more alike a group a model gets when asked to answer as a member.

    Changes are steered minus unsteered on the same items; those of all groups are adjusted together.
    """
    steer = work.loaded.task.steer
    assert steer
    answers = {g: Answers.of(work, group=g) for g in work.loaded.steered}
    why = {g: f"unsteered, {plain.refused}" if plain.refused else a.refused for g, a in answers.items()}
    items = plain.predictions.item_ids
    compared = Compared.of(table, steer.axis, items, plain.predictions.q.shape[1])
    changes = [_change(compared.only(g), items, plain, a, refused=bool(why[g])) for g, a in answers.items()]
    numbers = {
        name: adjusted(over_items(np.stack([c[name] for c in changes], axis=1)), options, "steered", name)
        for name in (STATISTICS if changes else ())
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
    return {name: (after[name] - before[name])[:, 0] for name in STATISTICS}
