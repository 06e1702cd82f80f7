"""Two models on the same items and raters (methods 3.7): by how much gaps between groups change, A less B.

The change of a gap in bias is always 0: such a gap is one between people.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import Floats
from lm_plural.harness.statistics import agreement
from lm_plural.harness.statistics.changes import Changes, critical_one_sided
from lm_plural.harness.statistics.counts import Coded, Ints, Scaling, Sums
from lm_plural.harness.statistics.family import family
from lm_plural.harness.statistics.inferences import Inference
from lm_plural.harness.statistics.leave_one_out import Contribution
from lm_plural.harness.statistics.paired_parts import divergence_change
from lm_plural.harness.statistics.sides import Sides, support


def gap_changes(
    coded: Coded,
    sides: Sides,
    scaling: Scaling,
    q_a: npt.ArrayLike,
    q_b: npt.ArrayLike,
    a: Ints,
    b: Ints,
    weights: agreement.Weights = "items",
    user: Floats | None = None,
    *,
    rng: np.random.Generator,
    inference: Inference = "items+raters",
    draws: int = 10_000,
    least: int = 2,
) -> Changes:
    """Return the change of gaps in divergence (and so in rps), that of side a less that of side b, as one family.

    Parameters
    ----------
    coded : Coded
    sides : Sides
        T of them.
    scaling : Scaling
    q_a, q_b : array_like, shape (I, K)
    a, b : ndarray of int, shape (M,)
        Sides to compare, on the items that a rater of each rated.
    weights : {"items", "pairs"}
    user : ndarray, shape (I,), or None
        The user's weights of items.
    rng, inference, draws, least
        As of ``paired.group_changes``.
    """
    at, sums = np.concatenate([a, b]), Sums.of(sides.counts, scaling)
    v, share = support(sums.n, a, b, weights, user, 1)
    part = divergence_change(sums, q_a, q_b, agreement.item_weights(sums, weights, user, least=1))
    part = Contribution(part.value[:, at], part.table[:, at])
    how = sums.n[:, at], v, share, a, b
    f = family(coded, sides, part, *how, rng=rng, inference=inference, draws=draws, least=least, needs=1)
    one_sided = critical_one_sided(f.estimates, f.covariance, f.loadings, inference, rng, draws)
    n_raters = f.covariance.n_raters.reshape(2, -1)
    return Changes(f.estimates, f.p_adjusted, f.critical, one_sided, f.n_items, n_raters, share)
