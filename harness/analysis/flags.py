"""Why a number is missing or should be read with care (methods section 0, row 11)."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

from lm_plural.harness.analysis.group import Number
from lm_plural.harness.analysis.options import Options

#: Below this many raters intervals of divergence cover 91 to 94 % instead of 95 (methods 3.2).
APPROXIMATE = 15
#: What a group needs to be gated on.
GATE_RATERS, GATE_ITEMS = 25, 50
#: Share of common items below which a contrast is warned about, and below which it says little.
WARN_SUPPORT, LITTLE_SUPPORT = 0.7, 0.3


def too_few(raters: int, options: Options) -> str | None:
    """Return the refusal of a group below the least number of raters."""
    return f"few_raters: {raters} of at least {options.min_raters}" if raters < options.min_raters else None


def of_interval(raters: int, items: int, options: Options) -> list[str]:
    """Return what keeps a group from an interval or from a gate."""
    if options.inference == "none":
        return []
    if raters < options.min_raters_interval:
        return [f"no_interval: {raters} raters of at least {options.min_raters_interval}"]
    if items < 2 and options.inference != "raters":
        return [f"no_interval: {items} item, at least 2 needed"]
    found = [f"approximate: {raters} raters, intervals are a little too short"] if raters < APPROXIMATE else []
    if raters < GATE_RATERS or items < GATE_ITEMS:
        found.append(f"not_for_gates: {raters} raters and {items} items of {GATE_RATERS} and {GATE_ITEMS}")
    return found


def has_interval(limits: Sequence[str], options: Options) -> bool:
    """Return whether an interval is given, by what ``of_interval`` said."""
    return options.inference != "none" and not any(f.startswith("no_interval") for f in limits)


def of_values(numbers: Mapping[str, Number], promised: Collection[str]) -> list[str]:
    """Return the reason for every statistic that could not be computed, or has no or half an interval.

    `promised`: statistics with enough raters and items for an interval.
    """
    lost = [name for name, n in numbers.items() if math.isnan(n.value)]
    if "item_mean" in lost:
        return ["no_ratings: no rating of this group on a compared item"]
    found = []
    if "disagreement" in lost:
        found.append(f"no_pairs: no compared item has two raters of this group, so no {', '.join(lost)}")
    elif "skill" in lost:
        found.append("no_signal: the group's ratings do not vary over items more than by chance, so skill is refused")
    if "equivalent_raters" in lost and "disagreement" not in lost:
        found.append("no_divergence: not distinguishable from perfect, so equivalent raters have no upper limit")
    bare = [name for name in promised if not math.isnan(numbers[name].value) and math.isnan(numbers[name].low)]
    if "skill" in bare and not math.isnan(numbers["divergence"].low):
        bare.remove("skill")
        found.append("weak_signal: what there is to predict is hardly told from chance, so skill has no interval")
    if bare:
        found.append(f"no_variation: all alike, so no interval of {', '.join(bare)}")
    worth = numbers.get("equivalent_raters")
    if worth and not math.isnan(worth.low) and math.isnan(worth.high):
        found.append("equivalent_raters_open: divergence may be 0, so there is a lower limit only")
    return found


def of_some(limits: Mapping[str, Sequence[str]], n: int) -> list[str]:
    """Return flags with the statistics they are about, if they are not about all n."""
    return [flag if len(names) == n else f"{flag} ({', '.join(names)})" for flag, names in limits.items()]


def of_contrast(raters: tuple[int, int], items: int, share: float, options: Options) -> list[str]:
    """Return what is to be said of a difference of two sides."""
    if not items:
        return ["no_common_items: no item has enough raters of both"]
    found = []
    if share < LITTLE_SUPPORT:
        found.append(f"little_common_support: {share:.0%} of items, the others may differ")
    elif share < WARN_SUPPORT:
        found.append(f"common_support: {share:.0%} of items")
    return found + [f for f in of_interval(min(raters), items, options) if not f.startswith("not_for_gates")]
