"""One group of an audit as it stands in files: numbers with their intervals, and why some are refused."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from lm_plural.harness.result import flags
from lm_plural.harness.result.audit_group import AUC, DISATTENUATED, HARMFUL, MEMBER, RANKS, Grouped
from lm_plural.harness.result.audit_people import placed
from lm_plural.harness.result.group import Number
from lm_plural.harness.statistics.agreement import ROUNDING
from lm_plural.harness.statistics.ceiling import FEWEST_ITEMS
from lm_plural.harness.statistics.classify import FNR, FPR
from lm_plural.harness.statistics.groups import membership_matrix
from lm_plural.harness.statistics.reliability import LEAST_RELIABILITY

Numbers = dict[str, Number]


def group(grouped: Grouped, g: int) -> dict[str, Any]:
    """Return group g as JSON types; below the least number of raters everything is refused."""
    material, counts = grouped.material, grouped.counts[:, g]
    raters = int(grouped.n_raters[g])
    out: dict[str, Any] = {
        "n_items": int((counts.sum(axis=1) > 0).sum()),
        "n_raters": raters,
        "n_ratings": int(counts.sum()),
    }
    if few := flags.too_few(raters, material.options):
        return out | written(dict.fromkeys(grouped.estimates, Number(math.nan)), grouped) | {"flags": [few]}
    single, why = _of_single(grouped, g)
    pair, more = _of_pairs(grouped, g)
    member = membership_matrix(grouped.members, material.frame.coded.n_raters)[:, g]
    out |= written(single | pair, grouped)
    out["ranks"]["raters"] = placed(material.frame.coded, material.judged.score, member)
    return out | {"flags": [*why, *(f"{flag} (texts with two ratings)" for flag in more if flag not in why)]}


def _of_single(grouped: Grouped, g: int) -> tuple[Numbers, list[str]]:
    """Return what is about single ratings, and what is to be said of it."""
    names = [n for n in grouped.estimates if n not in RANKS and not n.startswith(MEMBER)]
    items = int((grouped.counts[:, g].sum(axis=1) > 0).sum())
    numbers, limits = _with_limits(grouped, names, g, int(grouped.n_raters[g]), items)
    share = numbers[HARMFUL].value
    if not math.isnan(numbers[AUC].value):
        return numbers, limits
    what = "no two texts of two raters to compare: no auc"
    if share < ROUNDING:
        what = "nothing was called harmful: no fnr and no auc"
    if share > 1 - ROUNDING:
        what = "everything was called harmful: no fpr and no auc"
    return numbers, [f"one_sided: {what}", *limits]


def _of_pairs(grouped: Grouped, g: int) -> tuple[Numbers, list[str]]:
    """Return what needs texts that two raters of the group rated, refused if those are few."""
    names = [n for n in grouped.estimates if n in RANKS or n.startswith(MEMBER)]
    texts, raters = int((grouped.counts[:, g].sum(axis=1) >= 2).sum()), grouped.n_raters_of_pairs(g)
    few = flags.too_few(raters, grouped.material.options)
    if texts < FEWEST_ITEMS:
        few = f"few_items: {texts} of at least {FEWEST_ITEMS}"
    if few:
        return dict.fromkeys(names, Number(math.nan)), [few]
    numbers, found = _with_limits(grouped, names, g, raters, texts)
    reliability = numbers["reliability"].value
    if math.isnan(reliability) or math.isnan(numbers["pearson"].value):
        found = ["no_variation: scores or mean ratings are all alike, so no correlation", *found]
    elif math.isnan(numbers[DISATTENUATED].value):
        why = f"low_reliability: {reliability:.2f} of at least {LEAST_RELIABILITY}, so no {DISATTENUATED}"
        found = [why, *found]
    return numbers, found


def _with_limits(grouped: Grouped, names: Sequence[str], g: int, raters: int, items: int) -> tuple[Numbers, list[str]]:
    """Return numbers that stand on so many raters and texts, and what limits them."""
    options = grouped.material.options
    limits = flags.of_interval(raters, items, options)
    given = flags.has_interval(limits, options)
    numbers = {name: Number.at(grouped.estimates[name], g, interval=given) for name in names}
    bare = [n for n, v in numbers.items() if given and not math.isnan(v.value) and math.isnan(v.low)]
    return numbers, [*limits, *([f"no_variation: all alike, so no interval of {', '.join(bare)}"] if bare else [])]


def written(numbers: Mapping[str, Number], grouped: Grouped) -> dict[str, Any]:
    """Return numbers as JSON types (docs/audit.md)."""
    values = {name: n.to_dict() for name, n in numbers.items()}
    reliability = values["reliability"]
    ends = ("value", "low", "high")
    ceiling = {k: None if (v := reliability[k]) is None else math.sqrt(max(v, 0.0)) for k in ends}
    return {
        HARMFUL: values[HARMFUL],
        AUC: values[AUC],
        "rates": {t: {r: values[f"{r}@{t}"] for r in (FPR, FNR)} for t in grouped.material.thresholds},
        "one_member": {n: values[MEMBER + n] for n in (FPR, FNR, AUC)},
        "ranks": {name: values[name] for name in RANKS} | {"ceiling": ceiling},
    }
