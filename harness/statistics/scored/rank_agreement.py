"""Agreement of scores with the item means of a group: correlations, how far noise holds them down, their intervals.

Each statistic T is linearised: item i stands for ``T + g(x_i, y_i) - mean g``, with g the influence function at its
score and its mean rating, and a rater adds ``g(x_i, y_i) - g(x_i, y_i without the rater)`` (two-way jackknife,
methods 3.2). Over items with at least two raters, each weighing the same.

Correlations are lower than they would be against means without noise, the lower the fewer the raters, so they do not
compare across groups (methods 2.2). ``reliability`` is the share of the means' variance that is no noise; its root is
the highest Pearson correlation any scores can be expected to reach. Only Pearson's can be freed from noise
(``disattenuated``); for ranks no such formula holds.

The functions that return an influence take scores x and means y of two items or more, shape (I,), with the variance of
y over draws of raters (`noise`), and return the value and g: from any means y' and their noise, in place of the items'
own, to the influence of (x_i, y'_i) on the value, up to a constant. The value is NaN where x or y does not vary; then g
is of no use.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.statistics.counts import Coded, Ints, Membership, count_levels
from lm_plural.harness.statistics.groups.groups import GroupStatistics, covariance_of, membership_matrix, stack
from lm_plural.harness.statistics.inference import Inference
from lm_plural.harness.statistics.measures import correlation
from lm_plural.harness.statistics.measures.agreement import ROUNDING
from lm_plural.harness.statistics.measures.correlation import DIGITS, equal_weights, unit
from lm_plural.harness.statistics.measures.reliability import LEAST_RELIABILITY
from lm_plural.harness.statistics.uncertainty.leave_one_out import Contribution

Influence = Callable[[Floats, Floats], Floats]
Found = tuple[float, Influence]


def pearson(x: Floats, y: Floats, _noise: Floats) -> Found:
    """Return r; ``g = z_x z_y - r z_y^2 / 2`` (and ``- r z_x^2 / 2``, which no rater moves)."""
    r = _of_one(correlation.pearson, x, y)
    zx, centre, sd = _standard(x), y.mean(), y.std()

    def g(to: Floats, _: Floats) -> Floats:
        zy = (to - centre) / sd
        return np.asarray(zx * zy - r * (zx**2 + zy**2) / 2)

    return r, g


def reliability(_x: Floats, y: Floats, noise: Floats) -> Found:
    """Return ``1 - mean noise / Var y``, the share of the means' variance that is no noise (methods 2.3)."""
    spread = y.var(ddof=1) if np.ptp(y) > ROUNDING else np.nan
    share = noise.mean() / spread

    def g(to: Floats, its_noise: Floats) -> Floats:
        return np.asarray(-its_noise / spread + share * (to - y.mean()) ** 2 / spread)

    return float(1 - share), g


def disattenuated(x: Floats, y: Floats, noise: Floats) -> Found:
    """Return ``r / sqrt(reliability)``: r with noise-free means; NaN (refused) where the reliability is below 0.4.

    With T^2 the means' variance less noise, ``g = z_x (y - m) / T - d z_x^2 / 2 - d ((y - m)^2 - noise) / (2 T^2)``.
    """
    rel = reliability(x, y, noise)[0]
    d = _of_one(correlation.pearson, x, y) / np.sqrt(rel) if rel >= LEAST_RELIABILITY else np.nan
    zx, centre, true = _standard(x), y.mean(), rel * y.var()

    def g(to: Floats, its_noise: Floats) -> Floats:
        away = to - centre
        return np.asarray(zx * away / np.sqrt(true) - d * zx**2 / 2 - d * (away**2 - its_noise) / (2 * true))

    return float(d), g


def spearman(x: Floats, y: Floats, _noise: Floats) -> Found:
    """Return Spearman's rho as a function of mid-ranks u, v in (0, 1): ``(E uv - 1/4) / sqrt(Var u Var v)``.

    An item moves E uv by ``u v``, and through the ranks of all others: by how many of them it is above or below.
    """
    rho = _of_one(correlation.spearman, x, y)
    u, v = (_above(z, np.ones_like(z))(z) for z in (x, y))
    su, sv = u.std(), v.std()
    v_past_x, u_past_x = _below(x, v)(x), _below(x, u)(x)
    at, u_past, v_past = _above(y, np.ones_like(y)), _below(y, u), _below(y, v)

    def g(to: Floats, _: Floats) -> Floats:
        rank = at(to)
        product, own_x = u * rank + u_past(to) + v_past_x, u**2 + 2 * u_past_x
        own_y = rank**2 + 2 * v_past(to)
        return np.asarray(product / (su * sv) - rho / 2 * (own_x / su**2 + own_y / sv**2))

    return rho, g


def _above(z: Floats, values: Floats) -> Callable[[Floats], Floats]:
    """Return a function of z': the mean over items of their value where z is below z', half of it where equal."""
    order = np.argsort(z, kind="stable")
    ordered, sums = z[order], np.append(0.0, values[order].cumsum()) / len(z)
    return lambda to: (sums[np.searchsorted(ordered, to, "left")] + sums[np.searchsorted(ordered, to, "right")]) / 2


def _below(z: Floats, values: Floats) -> Callable[[Floats], Floats]:
    """Return the same of items where z is above z'."""
    lower = _above(z, values)
    return lambda to: values.mean() - lower(to)


def kendall(x: Floats, y: Floats, _noise: Floats) -> Found:
    """Return tau-b, ``K / sqrt(T_x T_y)``: K the mean of sgn(x_i - x_k) sgn(y_i - y_k) over pairs, T those not tied.

    ``g = 2 k_i / sqrt(T_x T_y) - tau t_xi / T_x - tau t_yi / T_y``, small letters being an item's mean over the others.
    """
    tau = _of_one(correlation.kendall, x, y)
    tx, ty, k = _untied(x, x), _untied(y, y), _concordance(x, y)
    all_x, all_y = tx.mean(), ty.mean()

    def g(to: Floats, _: Floats) -> Floats:
        # an item is never compared with itself, wherever it goes
        its_y = _untied(y, to) - (to != y) / len(y)
        return np.asarray(2 * k(to) / np.sqrt(all_x * all_y) - tau * (tx / all_x + its_y / all_y))

    return tau, g


def _untied(z: Floats, to: Floats) -> Floats:
    ordered = np.sort(z)
    same = np.searchsorted(ordered, to, "right") - np.searchsorted(ordered, to, "left")
    return np.asarray(1 - same / len(z))


def _concordance(x: Floats, y: Floats) -> Callable[[Floats], Floats]:
    """Return a function of y': mean_k sgn(x_i - x_k) sgn(y'_i - y_k), shape (I,); few means differ, so a table does."""
    values, of_y = np.unique(y, return_inverse=True)
    places, of_x = np.unique(x, return_inverse=True)
    table = np.zeros((len(places), len(values) + 1), dtype=np.int32)
    np.add.at(table, (of_x, of_y + 1), 1)
    lower = table.cumsum(axis=0, dtype=np.int32)
    # items with a lower score less those with a higher one, of means up to each
    balance = (2 * lower - table - lower[-1]).cumsum(axis=1, dtype=np.int32)

    def concordance(to: Floats) -> Floats:
        left, right = np.searchsorted(values, to, "left"), np.searchsorted(values, to, "right")
        return np.asarray((balance[of_x, left] + balance[of_x, right] - balance[of_x, -1]) / len(x))

    return concordance


def _of_one(measure: Callable[[Floats, Floats], Floats], x: Floats, y: Floats) -> float:
    return float(measure(x[:, None], y[:, None])[0])


def _standard(x: Floats) -> Floats:
    return ratio(x - x.mean(), np.full(len(x), x.std()))


#: By name, in the order they are shown.
FUNCTIONS: dict[str, Callable[[Floats, Floats, Floats], Found]] = {
    "pearson": pearson,
    "spearman": spearman,
    "kendall": kendall,
    "reliability": reliability,
    "disattenuated": disattenuated,
}


Counts = Ints
Members = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class RatedMeans:
    """Items of one group, as far as two of its raters rated them.

    Parameters
    ----------
    item : ndarray of int, shape (J,)
        Which items.
    counts : ndarray, shape (J, K)
        Their ratings.
    x, y : ndarray, shape (J,)
        Score and mean rating, the scale running from 0 to 1.
    noise : ndarray, shape (J,)
        Variance of y over draws of raters, unbiased.
    y_less, noise_less : ndarray, shape (J, K)
        The same without one rater who chose each level; NaN where only one would be left.
    """

    item: Ints
    counts: Floats
    x: Floats
    y: Floats
    noise: Floats
    y_less: Floats
    noise_less: Floats

    @classmethod
    def of(cls, coded: Coded, counts: Counts, member: Members, score: Floats) -> RatedMeans:
        """Take the items of one column: counts (I, K), membership (R,), scores (I,)."""
        s, item = unit(coded.positions), np.flatnonzero(counts.sum(axis=1) >= 2)
        c = counts[item].astype(np.float64)
        n, total, square = c.sum(axis=1), c @ s, c @ s**2
        left = np.where(n > 2, n - 1, np.nan)[:, None]
        y, y_less = total / n, (total[:, None] - s) / left
        noise = (square / n - y**2) / (n - 1)
        noise_less = ((square[:, None] - s**2) / left - y_less**2) / (left - 1)
        found = cls(item, c, score[item], y.round(DIGITS), noise, y_less.round(DIGITS), noise_less)
        kept = np.flatnonzero((counts.sum(axis=1) >= 2)[coded.item] & member[coded.rater])
        raters, j = np.unique(coded.rater[kept], return_inverse=True)
        full = len(item) >= 2 and len(kept) == len(item) * len(raters)
        return found._crossed(coded.item[kept], j, s[coded.level[kept]]) if full else found

    def _crossed(self, item: Ints, rater: Ints, value: Floats) -> RatedMeans:
        """Return them for a group in which everyone rated everything.

        How severe a rater is moves all means alike there and is no noise in their order, so the noise is what items and
        raters leave in a two-way analysis of variance: on average MS_res / n (methods 2.3).
        """
        i, n, items = np.searchsorted(self.item, item), self.counts.sum(axis=1), len(self.item)
        severity = np.bincount(rater, value) / items
        rest = (value - self.y[i] - severity[rater] + self.y.mean()) ** 2
        noise = np.bincount(i, rest) / (n * (n - 1)) * items / (items - 1)
        less = (noise * n / np.where(n > 2, n - 1, np.nan))[:, None]
        return replace(self, noise=noise, noise_less=np.broadcast_to(less, self.noise_less.shape))

    def part(self, name: str, n_items: int) -> tuple[Floats, Floats]:
        """Return what each item stands for, shape (I,), and what one rater of each level adds, shape (I, K).

        NaN throughout where the statistic is not defined.
        """
        out, table = np.full(n_items, np.nan), np.zeros((n_items, self.y_less.shape[1]))
        if len(self.item) < 2:
            return out, table
        value, g = FUNCTIONS[name](self.x, self.y, self.noise)
        out[:] = value
        if np.isnan(value):
            return out, table
        here = g(self.y, self.noise)
        out[self.item] += here - here.mean()
        levels = range(table.shape[1])
        moved = here[:, None] - np.stack([g(self.y_less[:, k], self.noise_less[:, k]) for k in levels], axis=1)
        # what all raters of an item move it by alike is bias, no difference between them: fewer raters, other ties
        moved -= ((self.counts * moved).sum(axis=1) / self.counts.sum(axis=1))[:, None]
        # of two raters: without one of them the item leaves the mean
        table[self.item] = np.where(np.isnan(self.y_less), (here - here.mean())[:, None], moved)
        return out, table


def rank_part(coded: Coded, counts: Counts, member: Members, score: npt.ArrayLike, name: str) -> Contribution:
    """Return one statistic of columns with counts (I, T, K) and membership (R, T); NaN where it is not defined.

    Parameters
    ----------
    coded : Coded
    counts : ndarray, shape (I, T, K)
        Items with fewer than two ratings do not count.
    member : ndarray of bool, shape (R, T)
    score : array_like, shape (I,)
        Without NaN.
    name : {"pearson", "spearman", "kendall", "reliability", "disattenuated"}
    """
    s = np.asarray(score, dtype=np.float64)
    columns = range(counts.shape[1])
    found = [RatedMeans.of(coded, counts[:, t], member[:, t], s).part(name, coded.n_items) for t in columns]
    value, table = (np.stack(x, axis=1) for x in zip(*found, strict=True))
    return Contribution(value, table)


def rank_statistics(
    coded: Coded, members: Membership, score: npt.ArrayLike, inference: Inference = "items+raters"
) -> GroupStatistics:
    """Return correlations, reliability and the disattenuated correlation of every group, with their covariance."""
    counts = count_levels(coded, members)
    n, member = counts.sum(axis=2), membership_matrix(members, coded.n_raters)
    weights = equal_weights(n >= 2)
    parts = [rank_part(coded, counts, member, score, name) for name in FUNCTIONS]
    known = [weights * ~np.isnan(p.value).any(axis=0) for p in parts]
    columns = stack(parts, known, n.astype(np.float64))
    covariance = covariance_of(coded, members, columns, counts, inference)
    return GroupStatistics(tuple(FUNCTIONS), columns.total.reshape(len(parts), -1), covariance, inference)
