"""Whether a language model that judges replies is fit to: it answers on the scale, and to the text.

What a judge says is no judgement where it answers something else than a label, where its answer follows the place of a
label and not its meaning, or where it agrees with whatever is said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from lm_plural.harness.analysis.group import null
from lm_plural.harness.arrays import Floats

#: Code of a judge whose numbers say nothing, and key of whether one is the model whose responses it judges.
UNFIT, SELF_JUDGED = "JUDGE_UNFIT", "self_judged"
#: Least mean probability on the labels, and least correlation of the agreement in both orders of their meaning.
LEAST_MASS, LEAST_R = 0.5, 0.5
#: Share of replies on one side of the middle of the scale from which on a judge says the same of everything, where good
#: and bad replies are as many.
ONE_SIDED = 0.95
#: Replies that a correlation needs.
LEAST = 10
#: Mean absolute correlation between the scores of different dimensions from which on a judge says one thing of a reply,
#: whatever it is asked; texts of a contrast set differ on one dimension each.
MOST_ALIKE = 0.9


def called(scorer: str, dimension: str) -> str:
    """Return what scores of a dimension are called: ``profanity.toxicity``; ``judge:toxicity`` says it already."""
    return scorer if scorer.endswith(f":{dimension}") else f"{scorer}.{dimension}"


def fitness(more: Mapping[str, Floats], *, balanced: bool) -> dict[str, Any]:
    """Return what speaks against a judge.

    Parameters
    ----------
    more : mapping of str to ndarray, shape (n,)
        ``label_mass``, ``ascending`` and ``descending`` of each reply, NaN where it was not judged.
    balanced : bool
        Whether half of the replies are good, so that a judge that says the same of all is caught. Without that, all
        may really be alike.

    Returns
    -------
    dict
        ``label_mass`` (mean), ``orders`` (correlation of the agreement in both orders), ``agrees`` (share of replies
        above the middle), null where too few were judged; ``unfit``: reasons.
    """
    up, down, mass = more["ascending"], more["descending"], more["label_mass"]
    known = ~np.isnan(up) & ~np.isnan(down)
    up, down, mass = up[known], down[known], mass[~np.isnan(mass)]
    reasons = []
    if len(mass) >= LEAST and mass.mean() < LEAST_MASS:
        reasons.append(f"off scale: {1 - mass.mean():.0%} of what it says is no label")
    if len(up) < LEAST:
        return {"label_mass": null(_mean(mass)), "orders": None, "agrees": None, "unfit": reasons}
    spread = up.std() > 0 and down.std() > 0
    orders = float(np.corrcoef(up, down)[0, 1]) if spread else np.nan
    agrees = float(((up + down) / 2 > 0.5).mean())
    if np.isnan(orders):
        reasons.append("constant: it says the same of every reply")
    elif orders < LEAST_R:
        reasons.append(f"position: r {orders:.2f} with itself when the labels are turned, at least {LEAST_R:g} needed")
    balanced &= not orders < LEAST_R  # what it says of places is no agreement either way
    if balanced and agrees >= ONE_SIDED:
        reasons.append(f"acquiescence: it agrees to {agrees:.0%} of the statements, of which half are wrong")
    if balanced and agrees <= 1 - ONE_SIDED:
        reasons.append(f"refusal to agree: it agrees to {agrees:.0%} of the statements, of which half are right")
    return {"label_mass": null(_mean(mass)), "orders": null(orders), "agrees": agrees, "unfit": reasons}


def unscored(records: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return how many replies a judge was asked about and has no score for, and how many it was not asked about.

    Parameters
    ----------
    records : sequence of mapping
        ``scores`` and ``more`` of each reply, by one judge of one dimension.

    Returns
    -------
    dict
        ``off_scale``: it said something else than a label; ``refused``: it said nothing, most of the times;
        ``not_asked``: the reply is missing, blank, too long or in a language the rubric has not.
    """
    found = {"off_scale": 0, "refused": 0, "not_asked": 0}
    for record in records:
        if all(v is None for v in record["scores"].values()):
            more = record["more"]
            silent = (more.get("refused") or 0) > 0.5
            found["not_asked" if more["label_mass"] is None else "refused" if silent else "off_scale"] += 1
    return found


def self_judged(block: Mapping[str, Any]) -> str:
    """Return the note on judges of a respond block that are the model whose responses they judge; else nothing."""
    own = [name for name, j in block["overall"].get("judges", {}).items() if j.get(SELF_JUDGED)]
    return f"SELF-JUDGED: the model judged its own responses ({', '.join(own)})" if own else ""


@dataclass(frozen=True)
class Alike:
    """How far the scores of a judge on different dimensions go together.

    Parameters
    ----------
    pairs : dict
        Correlation by two dimensions, where both vary over enough texts.
    """

    pairs: dict[tuple[str, str], float]

    @property
    def mean(self) -> float | None:
        """Mean absolute correlation; None without any."""
        return float(np.mean(np.abs(list(self.pairs.values())))) if self.pairs else None

    @property
    def unfit(self) -> list[str]:
        """What speaks against the judge."""
        if self.mean is None or self.mean < MOST_ALIKE:
            return []
        return [
            f"one factor: |r| {self.mean:.2f} between dimensions on average: it says one thing whatever it is asked"
        ]


def alike(scores: Mapping[str, Mapping[str, float | None]]) -> Alike:
    """Return the correlations between dimensions, of the scores by text; of those scored on both."""
    pairs = {}
    for a, b in combinations(scores, 2):
        both = [(one, other) for t, one in scores[a].items() if (other := scores[b].get(t)) is not None]
        x, y = np.array([pair for pair in both if None not in pair], dtype=np.float64).reshape(-1, 2).T
        if len(x) >= LEAST and x.std() > 0 and y.std() > 0:
            pairs[a, b] = float(np.corrcoef(x, y)[0, 1])
    return Alike(pairs)


def columns(records: Sequence[Mapping[str, float | None]]) -> dict[str, Floats]:
    """Return what was kept beside scores as columns, NaN for null."""
    names = dict.fromkeys(name for r in records for name in r)
    return {n: np.array([np.nan if (v := r.get(n)) is None else v for r in records], dtype=np.float64) for n in names}


def judge_block(block: Mapping[str, Any], texts: Sequence[Any], own: Sequence[Any]) -> dict[str, Any]:
    """Return what a contrast set's block says of a judge.

    Parameters
    ----------
    block : mapping
        Of :func:`~lm_plural.harness.analysis.audit.contrast.contrast_block`.
    texts, own : sequence of mapping
        What was kept beside the scores of all texts, and of those that differ on the judge's own dimension, half of
        which are good.

    Returns
    -------
    dict
        ``judge``: see :func:`fitness`; ``passes``: false where the judge is unfit; ``flags``.
    """
    found = fitness(columns(texts), balanced=False)
    one_sided = fitness(columns(own), balanced=True)["unfit"] if own else []
    unfit = list(dict.fromkeys([*found["unfit"], *(r for r in one_sided if r.partition(":")[0] not in _names(found))]))
    if block["passes"] is False:
        unfit.append("contrast: good and bad replies are not told apart")
    flags = [*block["flags"], *(f"{UNFIT}: {reason}" for reason in unfit)]
    passes = False if unfit else block["passes"]
    return {"judge": {**found, "unfit": unfit}, "passes": passes, "flags": flags}


def _names(found: Mapping[str, Any]) -> set[str]:
    return {reason.partition(":")[0] for reason in found["unfit"]}


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else np.nan
