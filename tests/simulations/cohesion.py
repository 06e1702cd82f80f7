"""S8 of the methods note: the permutation p of group association when groups do not differ."""

from __future__ import annotations

import numpy as np

from lm_plural.harness.statistics.counts import Coded, Membership
from lm_plural.harness.statistics.groups.cohesion import cohesion_test
from lm_plural.harness.statistics.uncertainty.draws import generator

CUTS = np.array([-1.2, -0.4, 0.4, 1.2])


def crowd(rng: np.random.Generator, items: int, raters: int) -> Coded:
    """Everybody rates everything, some severely and some leniently throughout, as in DICES-350."""
    latent = rng.normal(size=(items, 1)) + 0.6 * rng.normal(size=raters) + 1.5 * rng.normal(size=(items, raters))
    item, rater = np.divmod(np.arange(latent.size), raters)
    return Coded(item, rater, np.searchsorted(CUTS, latent.ravel()), items, raters, np.arange(1.0, 6.0))


def null_p_values(
    n_group: int,
    repetitions: int,
    n_permutations: int = 499,
    *,
    items: int = 350,
    raters: int = 104,
    seed: int = 8,
) -> np.ndarray:
    """Return the p of alpha - xRR and of GAI for `n_group` raters drawn at random, shape (repetitions, 2).

    Multiples of 2 / (1 + n_permutations): few permutations and many repetitions are visibly not uniform.
    """
    rng = generator(seed, "S8", str(n_group))
    found = []
    for _ in range(repetitions):
        group = rng.permutation(raters) >= n_group
        members = Membership(np.arange(raters), group.astype(np.int64), 2)
        test = cohesion_test(crowd(rng, items, raters), members, rng, n_permutations=n_permutations)
        found.append((test.p[0], test.p_gai[0]))
    return np.array(found)
