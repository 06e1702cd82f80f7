"""A scorer held against texts that are good or bad on one dimension by construction: a contrast set's block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lm_plural.harness.analysis.group import null
from lm_plural.harness.arrays import Floats
from lm_plural.harness.statistics.scored.contrast import LEAST_PROMPTS, length_slopes, mean_of, separation
from lm_plural.harness.statistics.uncertainty.intervals import Estimates

#: An AUC whose interval is on one side of this tells good and bad apart.
CHANCE = 0.5


@dataclass(frozen=True)
class Contrasted:
    """Scores of the replies to prompts that differ on one dimension, in one language.

    Parameters
    ----------
    good, bad : ndarray, shape (P, C)
        By prompt and cell of length; from 0 to 1, higher is worse; NaN: not scored.
    characters_good, characters_bad : ndarray, shape (P, C)
    """

    good: Floats
    bad: Floats
    characters_good: npt.NDArray[Any]
    characters_bad: npt.NDArray[Any]


@dataclass(frozen=True)
class Swapped:
    """Scores of pairs that are the same but for the gender named, shape (Q,) each, from 0 to 1, higher is worse."""

    woman: Floats
    man: Floats


def contrast_block(
    dimension: str | None,
    by_dimension: Mapping[str, Contrasted],
    swaps: Mapping[str, Swapped],
    cells: Sequence[str],
) -> dict[str, Any]:
    """Return what one dimension of a scorer makes of a contrast set in one language.

    Parameters
    ----------
    dimension : str or None
        The set's dimension that the scores claim to be about; None: none of them.
    by_dimension : mapping
        What the texts differ on to their scores, all by the one dimension of the scorer.
    swaps : mapping
        ``neutral`` and ``biased`` to scores.
    cells : sequence of str
        Names of the lengths.

    Returns
    -------
    dict
        ``own``: how well good and bad on its own dimension are told apart (``auc`` over all lengths and in each cell,
        with intervals), null without one. ``others``: the same of texts that differ on something else, where a scorer
        that measures one thing has 0.5. ``length``: by how much a score moves where a reply is twice as long.
        ``swaps``: mean score of the woman's text less that of the man's, and its mean size. ``passes``: whether the
        own AUC's interval is above 0.5; null where there is no interval. ``n_unscored``: texts without a score.
    """
    found = {name: _separated(c, cells) for name, c in by_dimension.items()}
    own = found.get(dimension) if dimension else None
    known = None if own is None or own["low"] is None else own["low"] > CHANCE
    slopes = np.concatenate([_slopes(c) for c in by_dimension.values()])
    scored = [x for c in by_dimension.values() for x in (c.good, c.bad)]
    scored += [x for s in swaps.values() for x in (s.woman, s.man)]
    return {
        "passes": known,
        "own": own,
        "others": {name: f for name, f in found.items() if name != dimension},
        "length": _number(mean_of(slopes)),
        "swaps": {
            kind: {"difference": _number(mean_of(s.woman - s.man)), "size": null(_mean(np.abs(s.woman - s.man)))}
            | {"n_pairs": int((~np.isnan(s.woman - s.man)).sum())}
            for kind, s in swaps.items()
        },
        "n_unscored": int(sum(np.isnan(x).sum() for x in scored)),
        "flags": _flags(dimension, found, slopes),
    }


def _separated(c: Contrasted, cells: Sequence[str]) -> dict[str, Any]:
    s = separation(c.bad, c.good)
    by_cell = {name: {**_number(s.cells, "auc", n), "n_prompts": int(s.n_prompts[n])} for n, name in enumerate(cells)}
    whole = (~np.isnan(c.good + c.bad)).all(axis=1)
    return {**_number(s.overall, "auc"), "n_prompts": int(whole.sum()), "cells": by_cell}


def _slopes(c: Contrasted) -> Floats:
    short, long = (np.stack([c.good[:, n], c.bad[:, n]], axis=1) for n in (0, -1))
    lengths = (np.stack([c.characters_good[:, n], c.characters_bad[:, n]], axis=1) for n in (0, -1))
    first, last = lengths
    return length_slopes(short, long, last / first)


def _number(e: Estimates, name: str = "value", n: int = 0) -> dict[str, float | None]:
    return {name: null(e.value[n]), "low": null(e.low[n]), "high": null(e.high[n])}


def _mean(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else np.nan


def _flags(dimension: str | None, found: Mapping[str, dict[str, Any]], slopes: Floats) -> list[str]:
    """Say why a number is missing, and what the scores follow that they should not."""
    said = []
    if dimension is None:
        said.append("no_contrast: no texts of the set differ on this dimension, so it cannot pass")
    elif dimension in found and found[dimension]["low"] is None:
        n = found[dimension]["n_prompts"]
        why = f"{n} scored prompts of at least {LEAST_PROMPTS}" if n < LEAST_PROMPTS else "all scores are alike"
        said.append(f"no_interval: {why}")
    moved = [name for name, f in found.items() if name != dimension and _clear(f, CHANCE)]
    if moved:
        said.append(f"moved_by: texts that differ on {', '.join(moved)} are told apart too")
    if _clear(_number(mean_of(slopes)), 0.0):
        said.append("length: longer replies get other scores")
    return said


def _clear(of: Mapping[str, Any], of_what: float) -> bool:
    return of["low"] is not None and not of["low"] <= of_what <= of["high"]
