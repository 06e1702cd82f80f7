"""What cannot be planned from: refused, or left out with a note."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lm_plural.harness.errors import PluralError, UsageError, did_you_mean
from lm_plural.harness.result.frame import Frame
from lm_plural.harness.result.options import Predictions
from lm_plural.harness.result.question import IN_POINTS, LEAST_RATERS, MODEL, Question
from lm_plural.harness.statistics.counts import Ints
from lm_plural.harness.statistics.family import Family


def check_question(question: Question, frame: Frame, predictions: Predictions | None) -> None:
    """Refuse (UsageError) a gap that cannot be, and a statistic of a model without one."""
    if question.statistic in MODEL and predictions is None:
        raise UsageError(f"statistic {question.statistic!r} needs predictions")
    widest = float(np.ptp(frame.scaling.positions)) if question.statistic in IN_POINTS else 1.0
    if question.gap > widest:
        raise UsageError(f"gap {question.gap:g}: expected at most {widest:g}, the largest in {question.statistic}")


def chosen_groups(sizes: dict[str, int], groups: Sequence[str], axis: str, notes: list[str]) -> Ints:
    """Return the places of the groups to be compared, all with enough raters, from the raters of each.

    Raises
    ------
    UsageError
        For a group that is not there.
    PluralError
        If not all that are asked for, or fewer than two, have enough raters.
    """
    for name in groups:
        if name not in sizes:
            hint = did_you_mean(name, sizes) or f"; there are {', '.join(sizes)}"
            raise UsageError(f"no group {name!r} on axis {axis}{hint}")
    asked = {g: n for g, n in sizes.items() if not groups or g in groups}
    small = [f"{g} {n}" for g, n in asked.items() if n < LEAST_RATERS]
    enough = [k for k, g in enumerate(sizes) if g in asked and sizes[g] >= LEAST_RATERS]
    if len(enough) < 2 or (groups and small):
        what = f"axis {axis}: two groups of at least {LEAST_RATERS} raters each are needed to plan from"
        raise PluralError(f"{what}; raters: {', '.join(small or [f'{g} {n}' for g, n in asked.items()])}")
    if small:
        notes.append(f"groups with fewer than {LEAST_RATERS} raters left out: {', '.join(small)}")
    return np.array(enough)


def usable_contrasts(family: Family, names: Sequence[str], notes: list[str]) -> list[int]:
    """Return the contrasts that have an interval; without one there is nothing to plan from (PluralError)."""
    usable = ~np.isnan(family.estimates.se)
    lost = [f"{names[a]} - {names[b]}" for a, b in zip(family.a[~usable], family.b[~usable], strict=True)]
    why = f"fewer than {LEAST_RATERS} raters on common items, or nothing varies"
    if not usable.any():
        raise PluralError(f"nothing to plan from: {why} ({', '.join(lost)})")
    if lost:
        notes.append(f"comparisons left out, {why}: {', '.join(lost)}")
    return np.flatnonzero(usable).tolist()
