"""Differences between sides of any statistic that is a mean over items, on the items both sides rated."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import Floats
from lm_plural.harness.statistics.counts import Coded, Ints
from lm_plural.harness.statistics.family import Family, family
from lm_plural.harness.statistics.inferences import Inference
from lm_plural.harness.statistics.leave_one_out import Contribution
from lm_plural.harness.statistics.sides import Sides, support

#: From counts (I, T, L), membership (R, T) and item weights (I, T) to the statistic of T columns, NaN where undefined.
Part = Callable[[npt.NDArray[np.int64], npt.NDArray[np.bool_], Floats], Contribution]


def contrast(
    coded: Coded,
    sides: Sides,
    part: Part,
    a: Ints,
    b: Ints,
    *,
    rng: np.random.Generator,
    inference: Inference = "items+raters",
    draws: int = 10_000,
    least: int = 2,
    needs: int = 1,
) -> Family:
    """Return the contrasts a - b of a statistic; items both sides rated weigh the same.

    Parameters
    ----------
    coded : Coded
    sides : Sides
    part : callable
        Where it is undefined for a side, so is the contrast.
    a, b : ndarray of int, shape (M,)
    rng : numpy.random.Generator
    inference : {"items+raters", "raters", "items", "none"}
    draws : int
        Of max-T.
    least : int
        Raters of a side, below which a contrast has no interval.
    needs : int
        Raters of a side that an item needs.
    """
    at, m = np.concatenate([a, b]), len(a)
    counts = sides.counts[:, at]
    n = sides.counts.sum(axis=2).astype(np.float64)
    v, share = support(n, a, b, "items", None, needs)
    counts = np.where((np.tile(v, 2) > 0)[..., None], counts, 0)
    found = part(counts, sides.member[:, at], np.tile(v, 2))
    known = np.asarray(~np.isnan(found.value).any(axis=0))
    v = v * (known[:m] & known[m:])
    return family(
        coded,
        sides,
        found,
        n[:, at],
        v,
        share,
        a,
        b,
        rng=rng,
        inference=inference,
        draws=draws,
        least=least,
        needs=needs,
    )
