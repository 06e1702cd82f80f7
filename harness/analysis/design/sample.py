"""Which responses people rate, and who rates which: a stratified random sample in disjoint blocks.

A rater rates one block. Blocks are disjoint because annotation tools give whole blocks to people, and each holds its
part of every stratum, so that whoever rates any block says something of the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from lm_plural.harness.arrays import Floats
from lm_plural.harness.errors import UsageError
from lm_plural.harness.statistics.counts import Ints

#: As many of each stratum as its share of all, or as many of each.
Allocation = Literal["proportional", "equal"]
#: Drawn of a stratum at least, if it has them: fewer have no variance.
LEAST = 2
#: Bands that scores are cut into.
BANDS = 3


@dataclass(frozen=True)
class Drawn:
    """A sample, one entry a response drawn.

    Parameters
    ----------
    place : ndarray of int, shape (n,)
        Among all responses.
    probability : ndarray, shape (n,)
        Of being drawn.
    block, position : ndarray of int, shape (n,)
        From 0 on.
    """

    place: Ints
    probability: Floats
    block: Ints
    position: Ints


def bands(scores: Floats) -> list[str]:
    """Return a stratum for each score: which third it is in, equal scores in one, ``unscored`` for NaN."""
    known = scores[~np.isnan(scores)]
    if not len(known):
        return ["unscored"] * len(scores)
    cuts = np.unique(np.quantile(known, np.arange(1, BANDS) / BANDS))
    place = np.digitize(scores, cuts, right=True)
    present = {p: n for n, p in enumerate(sorted(set(place[~np.isnan(scores)].tolist())), start=1)}
    return [
        "unscored" if np.isnan(s) else f"score band {present[p]} of {len(present)}"
        for s, p in zip(scores, place.tolist(), strict=True)
    ]


def allocate(sizes: Sequence[int], n: int, how: Allocation = "proportional") -> list[int]:
    """Return how many to draw of each stratum, in all n, none more than it has.

    Raises
    ------
    UsageError
        If n is not enough for two of each.
    """
    if how not in get_args(Allocation):
        raise UsageError(f"allocation {how!r}; expected one of {', '.join(get_args(Allocation))}")
    least = [min(LEAST, size) for size in sizes]
    if n < sum(least):
        raise UsageError(f"{n} items: expected at least {sum(least)}, {LEAST} of each of {len(sizes)} strata")
    n, found = min(n, sum(sizes)), least
    share = [size if how == "proportional" else 1 for size in sizes]
    while sum(found) < n:  # the next one to whom most is due
        due = [s / (k + 1) if k < size else -1.0 for s, k, size in zip(share, found, sizes, strict=True)]
        found[due.index(max(due))] += 1
    return found


def draw(
    strata: Sequence[str], n: int, per_block: int, rng: np.random.Generator, how: Allocation = "proportional"
) -> Drawn:
    """Draw n responses at random within strata, and deal them out to blocks of at most `per_block`.

    Parameters
    ----------
    strata : sequence of str
        Of each response.
    n, per_block : int
    rng : numpy.random.Generator
    how : {"proportional", "equal"}

    Raises
    ------
    UsageError
        If n is not enough for two of each stratum.
    """
    names, stratum = np.unique(np.asarray(strata), return_inverse=True)
    members = [np.flatnonzero(stratum == s) for s in range(len(names))]
    sizes = [len(m) for m in members]
    counts = allocate(sizes, n, how)
    chosen = [rng.permutation(m)[:k] for m, k in zip(members, counts, strict=True)]
    place = np.concatenate(chosen)
    n_blocks = -(-len(place) // per_block)
    # dealt stratum after stratum like cards, so that blocks are of like size and make-up
    block = rng.permutation(n_blocks)[np.arange(len(place)) % n_blocks]
    probability = np.concatenate([np.full(k, k / size) for k, size in zip(counts, sizes, strict=True)])
    order = np.lexsort((rng.random(len(place)), block))
    starts = np.searchsorted(block[order], np.arange(n_blocks))
    position = np.arange(len(place)) - starts[block[order]]
    return Drawn(place[order], probability[order], block[order], position)
