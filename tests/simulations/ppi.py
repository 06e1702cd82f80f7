"""S6: a mean over items from an audit sample, all items rated by the same raters, and a biased lens."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from lm_plural.harness.analysis.design.sample import Allocation, bands, draw
from lm_plural.harness.statistics.counts import Coded, Membership, Scaling, Sums, count_levels
from lm_plural.harness.statistics.groups.groups import Weighting
from lm_plural.harness.statistics.scored.powered import Sampled, powered_means
from lm_plural.harness.statistics.uncertainty.intervals import quantile
from lm_plural.harness.statistics.uncertainty.jackknife import Columns, covariance
from lm_plural.harness.statistics.uncertainty.leave_one_out import item_mean
from lm_plural.harness.statistics.uncertainty.ppi import prediction_powered

CUTS, POSITIONS = np.array([-1.2, -0.4, 0.4, 1.2]), np.arange(1.0, 6.0)
ITEM, RATER, REST = 1.0, 0.6, 1.0


def truth() -> float:
    """The mean rating over items and raters."""
    above = norm.sf(CUTS / np.sqrt(ITEM**2 + RATER**2 + REST**2))
    return float(1 + above.sum())


def audit(n: int, raters: int, more: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return levels (n, R), and a lens' predictions for rated and unrated items: r = .8 with the item, .4 too high."""
    item = ITEM * rng.normal(size=n + more)
    y = item[:n, None] + RATER * rng.normal(size=raters) + REST * rng.normal(size=(n, raters))
    lens = 3.4 + 0.8 * (0.8 * item / ITEM + 0.6 * rng.normal(size=n + more))
    return np.digitize(y, CUTS), lens[:n], lens[n:]


def two_way_variance(levels: np.ndarray, rest: np.ndarray) -> tuple[float, float]:
    """Return variance and degrees of freedom of the mean of `rest` (labels less trusted predictions) by the engine."""
    n, raters = levels.shape
    item, rater = (x.ravel() for x in np.indices(levels.shape))
    coded, everyone = Coded(item, rater, levels.ravel(), n, raters, POSITIONS), Membership.everyone(raters)
    sums = Sums.of(count_levels(coded, everyone), Scaling.plain(POSITIONS))
    weights = Weighting.of(sums).single
    table = np.moveaxis(item_mean(sums, weights).table, 1, 2)
    member, pool = np.ones((raters, 1), dtype=bool), np.zeros(1, dtype=np.int64)
    columns = Columns(rest[:, None], table, weights, pool, sums.n)
    variance, df = covariance(coded, columns, member).variance(np.eye(1), "items+raters")
    return float(variance[0]), float(df[0])


def coverage(n: int, raters: int, more: int, repetitions: int, rng: np.random.Generator) -> tuple[float, float]:
    """Return how often 95 % intervals hold the truth: two-way, and with item means as independent."""
    known, held = truth(), np.zeros((repetitions, 2), dtype=bool)
    for k in range(repetitions):
        levels, f, u = audit(n, raters, more, rng)
        means = POSITIONS[levels].mean(axis=1)
        plain = prediction_powered(means, f, u)
        variance, df = two_way_variance(levels, means - plain.trust * f)
        both = prediction_powered(means, f, u, trust=plain.trust, variance=variance)
        wide = float(quantile(np.array([df]))[0]) * both.se
        held[k] = abs(both.value - known) < wide, abs(plain.value - known) < 1.96 * plain.se
    return float(held[:, 0].mean()), float(held[:, 1].mean())


#: Samples as `annotate export` draws them: prompts, of them rated, in a block, raters of each block, and how many of
#: each stratum; None: one stratum.
EXPORTS: tuple[tuple[int, int, int, int, Allocation | None], ...] = (
    (500, 60, 20, 12, None),
    (500, 60, 20, 12, "proportional"),
    (500, 120, 20, 8, "equal"),
    (2000, 100, 10, 20, "proportional"),
)


def exported(
    prompts: int,
    n: int,
    per_block: int,
    raters: int,
    how: Allocation | None,
    repetitions: int,
    rng: np.random.Generator,
) -> tuple[float, float, float]:
    """Return how often intervals hold the truth, with predictions and without, and the median gain.

    Strata, if any, are thirds of the predictions, blocks are disjoint, and each has raters of its own; one rating in
    ten is missing at random.
    """
    known, held, gains = truth(), np.zeros((repetitions, 2), dtype=bool), np.zeros(repetitions)
    for k in range(repetitions):
        levels, f, _ = audit(prompts, raters * -(-n // per_block), 0, rng)
        strata = bands(f) if how else ["all"] * prompts
        drawn = draw(strata, n, per_block, rng, how or "proportional")
        rated = drawn.block[:, None] == np.arange(levels.shape[1]) // raters
        item, rater = np.nonzero(rated & (rng.random(rated.shape) < 0.9))
        place = drawn.place
        coded = Coded(item, rater, levels[place[item], rater], len(place), levels.shape[1], POSITIONS)
        sampled = Sampled(f, np.unique(strata, return_inverse=True)[1], place)
        everyone = Membership.everyone(coded.n_raters)
        found = powered_means(coded, everyone, Scaling.plain(POSITIONS), sampled)
        held[k] = [float(e.low[0]) < known < float(e.high[0]) for e in (found.estimates, found.alone)]
        gains[k] = found.gain[0]
    return float(held[:, 0].mean()), float(held[:, 1].mean()), float(np.median(gains))
