"""Means over a model's own responses of which people rated a sample and a scorer all (two-way PPI++, methods 6.4).

In each stratum s of the sample, with ratings Y of n_s responses and predictions f of these and of N_s others::

    theta_s = lam mean(f of the others) + mean(Y - lam f)        theta = sum_s W_s theta_s, W_s its share of all
    lam     = sum_s W_s^2 cov_s(Y, f) / n_s  /  sum_s W_s^2 var_s(f) (1/n_s + 1/N_s),  cut to [0, 1]
    V       = V_2way(Y - lam f) + lam^2 sum_s W_s^2 var_s(f) / N_s + sum_s W_s (theta_s - theta)^2 / (n + N)

V_2way is the jackknife over items within strata and over raters: as the same people rated many of the responses, the
rater part does not shrink with predictions, however good they are. The last term is what other prompts would change of
the shares of strata. With one stratum it is the formula of methods 6.4, up to that term, which is then 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.statistics.counts import Coded, Ints, Membership, Scaling, Sums, count_levels
from lm_plural.harness.statistics.groups.groups import covariance_of
from lm_plural.harness.statistics.inference import Inference
from lm_plural.harness.statistics.uncertainty.intervals import Estimates, raw
from lm_plural.harness.statistics.uncertainty.jackknife import Columns
from lm_plural.harness.statistics.uncertainty.leave_one_out import item_mean

#: Rated responses of a stratum that a variance takes.
LEAST = 2


@dataclass(frozen=True)
class Sampled:
    """All P responses that something is to be said of, and which of them are the I rated ones.

    Parameters
    ----------
    predicted : ndarray, shape (P,)
        In scale points.
    stratum : ndarray of int, shape (P,)
        From which the sample was drawn at random.
    place : ndarray of int, shape (I,)
        Of the rated ones among all, in the order of the codes of their ratings.
    own : ndarray, shape (I,), optional
        Predictions of the rated ones, where they are of the very response and `predicted` are means over several of
        the same prompt.
    """

    predicted: Floats
    stratum: Ints
    place: Ints
    own: Floats | None = None


@dataclass(frozen=True)
class Powered:
    """Means of G groups, each array of shape (G,).

    Parameters
    ----------
    estimates : Estimates
        With predictions.
    alone : Estimates
        From ratings alone, of the same sample.
    trust : ndarray
        lam; 0 where predictions are left out.
    gain : ndarray
        Variance of the ratings alone over that with predictions.
    n_rated, n_unrated : ndarray
        Responses.
    n_raters : ndarray
    whole : ndarray of bool
        False where a stratum has too few rated responses of the group, so that no mean over all responses can be told.
    """

    estimates: Estimates
    alone: Estimates
    trust: Floats
    gain: Floats
    n_rated: Ints
    n_unrated: Ints
    n_raters: Ints
    whole: npt.NDArray[np.bool_]


def powered_means(
    coded: Coded, members: Membership, scaling: Scaling, sampled: Sampled, inference: Inference = "items+raters"
) -> Powered:
    """Return the mean rating of all responses for every group, with predictions and without.

    Parameters
    ----------
    coded : Coded
        Ratings of the sample.
    members : Membership
    scaling : Scaling
    sampled : Sampled
    inference : {"items+raters", "raters", "items", "none"}
    """
    counts, g = count_levels(coded, members), members.n_groups
    sums = Sums.of(counts, scaling)
    each = [_OneGroup.of(sums, k, sampled) for k in range(g)]
    weights = np.stack([one.weights for one in each], axis=1)
    part = item_mean(sums, weights)
    for k, one in enumerate(each):
        one.means = part.value[:, k]
    trust = np.array([one.trust for one in each])
    ways = [(one, lam) for lams in (trust, 0 * trust) for one, lam in zip(each, lams, strict=True)]
    n, pool = np.tile(sums.n, 2), np.tile(np.arange(g), 2)
    leaves = np.stack([one.apart(lam) for one, lam in ways], axis=1)
    # where a group has one rater of a response, the response leaves the mean with that rater
    table = np.where((n == 1)[:, None], leaves[:, None], np.tile(np.moveaxis(part.table, 1, 2), 2))
    factors = np.stack([one.factor for one, _ in ways], axis=1)
    columns = Columns(leaves * factors, table, np.tile(weights, 2), pool, n)
    covariance = covariance_of(coded, members, columns, counts, inference)
    variance, df = covariance.variance(np.eye(2 * g), inference)
    more = np.array([one.variance_of_all(lam) for one, lam in ways])
    if inference not in ("items+raters", "items"):
        more = 0 * more
    n_all = len(sampled.stratum)
    both = variance + more
    df = ratio(both**2, ratio(variance**2, df, 0.0) + more**2 / max(n_all - 1, 1), np.inf)
    total = np.array([one.total(lam) for one, lam in ways])
    found = [raw(total[part], both[part], df[part]) for part in (slice(g), slice(g, None))]
    n_rated = np.array([int((one.weights > 0).sum()) for one in each])
    return Powered(
        found[0],
        found[1],
        trust,
        ratio(both[g:], both[:g]),
        n_rated,
        n_all - n_rated,
        covariance.n_raters[:g].astype(np.int64),
        np.array([one.whole for one in each]),
    )


@dataclass
class _OneGroup:
    """The sample as one group rated it.

    Parameters
    ----------
    weights : ndarray, shape (I,)
        W_s / n_s of what it rated; zeros where nothing can be told.
    stratum, predicted : ndarray, shape (I,)
    share : ndarray, shape (S,)
        W_s.
    rest : list of (int, float, float)
        Of each stratum how many responses it did not rate, their mean prediction, and the variance of all its
        predictions.
    n_all : int
    whole : bool
    means : ndarray, shape (I,)
        Mean ratings, NaN where it did not rate.
    """

    weights: Floats
    stratum: Ints
    predicted: Floats
    share: Floats
    rest: list[tuple[int, float, float]]
    n_all: int
    whole: bool
    means: Floats

    @classmethod
    def of(cls, sums: Sums, g: int, sampled: Sampled) -> _OneGroup:
        strata, stratum = np.unique(sampled.stratum, return_inverse=True)
        n_all, mine = len(stratum), stratum[sampled.place]
        rated = sums.n[:, g] > 0
        own = sampled.predicted[sampled.place] if sampled.own is None else sampled.own
        others = np.ones(n_all, dtype=bool)
        others[sampled.place[rated]] = False
        n = np.bincount(mine[rated], minlength=len(strata))
        share = np.bincount(stratum, minlength=len(strata)) / n_all
        rest = []
        for s in range(len(strata)):
            left, every = sampled.predicted[others & (stratum == s)], sampled.predicted[stratum == s]
            spread = float(every.var(ddof=1)) if len(every) > 1 else 0.0
            rest.append((len(left), float(left.mean()) if len(left) else 0.0, spread))
        # a stratum of one response that is rated is known; any other takes two
        whole = bool(((n >= LEAST) | ((n == 1) & (np.array([r[0] for r in rest]) == 0))).all())
        weights = np.where(rated, (share / np.maximum(n, 1))[mine], 0.0) if whole else np.zeros(len(mine))
        return cls(weights, mine, own, share, rest, n_all, whole, np.zeros(0))

    def _of(self, s: int) -> npt.NDArray[np.bool_]:
        return np.asarray((self.stratum == s) & (self.weights > 0))

    @property
    def trust(self) -> float:
        """How far the predictions are trusted: lam."""
        above = below = 0.0
        for s, (left, _, spread) in enumerate(self.rest):
            at = self._of(s)
            n = int(at.sum())
            if left and n >= LEAST:
                above += self.share[s] ** 2 / n * np.cov(self.means[at], self.predicted[at])[0, 1]
                below += self.share[s] ** 2 * spread * (1 / n + 1 / left)
        return float(np.clip(above / below, 0, 1)) if below > 0 else 0.0

    def _by_stratum(self, lam: float) -> tuple[Floats, Floats]:
        """Return h, shape (I,), and its mean in each stratum."""
        used = np.array([lam if left else 0.0 for left, _, _ in self.rest])
        h = np.where(self.weights > 0, self.means - used[self.stratum] * self.predicted, 0.0)
        n = np.bincount(self.stratum[self.weights > 0], minlength=len(self.share))
        return h, ratio(np.bincount(self.stratum, h, minlength=len(self.share)), n, 0.0)

    def apart(self, lam: float) -> Floats:
        """Return how far h is from the mean of its stratum, shape (I,)."""
        h, mean = self._by_stratum(lam)
        return np.where(self.weights > 0, h - mean[self.stratum], 0.0)

    @property
    def factor(self) -> Floats:
        """What makes the engine's I / (I - 1) the n_s / (n_s - 1) of each stratum, as a factor of h, shape (I,)."""
        at = self.weights > 0
        n, items = np.bincount(self.stratum[at], minlength=len(self.share))[self.stratum], int(at.sum())
        return np.asarray(np.sqrt(ratio(n, n - 1.0, 0.0) * ((items - 1) / items if items else 0.0)))

    def _means(self, lam: float) -> Floats:
        _, mean = self._by_stratum(lam)
        return np.asarray(mean + np.array([lam * f if left else 0.0 for left, f, _ in self.rest]))

    def total(self, lam: float) -> float:
        """Return theta; NaN where a stratum is not known."""
        return float(self.share @ self._means(lam)) if self.whole else float("nan")

    def variance_of_all(self, lam: float) -> float:
        """Return what the responses without ratings and the shares of strata add to the variance."""
        theta = self._means(lam)
        others = sum(w**2 * v / left for w, (left, _, v) in zip(self.share, self.rest, strict=True) if left)
        return float(lam**2 * others + self.share @ (theta - self.share @ theta) ** 2 / self.n_all)
