"""Whether a language model that judges replies is fit to: it answers on the scale, and to the text.

What a judge says is no judgement where it answers something else than a label, where its answer follows the place of a
label and not its meaning, or where it agrees with whatever is said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lm_plural.harness.analysis.group import null
from lm_plural.harness.arrays import Floats

#: Code of a judge whose numbers say nothing.
UNFIT = "JUDGE_UNFIT"
#: Least mean probability on the labels, and least correlation of the agreement in both orders of their meaning.
LEAST_MASS, LEAST_R = 0.5, 0.5
#: Share of replies on one side of the middle of the scale from which on a judge says the same of everything, where good
#: and bad replies are as many.
ONE_SIDED = 0.95
#: Replies that a correlation needs.
LEAST = 10


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
    up, down = more["ascending"], more["descending"]
    known = ~np.isnan(up) & ~np.isnan(down)
    up, down, mass = up[known], down[known], more["label_mass"][known]
    if len(up) < LEAST:
        return {"label_mass": null(_mean(mass)), "orders": None, "agrees": None, "unfit": []}
    spread = up.std() > 0 and down.std() > 0
    orders = float(np.corrcoef(up, down)[0, 1]) if spread else np.nan
    agrees = float(((up + down) / 2 > 0.5).mean())
    reasons = []
    if mass.mean() < LEAST_MASS:
        reasons.append(f"off scale: {1 - mass.mean():.0%} of its probability is on no label")
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
