"""Statistics of every group with their joint uncertainty."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, eye_array, kron

from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.statistics.catalogue import MEASURES
from lm_plural.harness.statistics.counts import Coded, Membership, Scaling, Sums
from lm_plural.harness.statistics.inference import Inference
from lm_plural.harness.statistics.measures import agreement
from lm_plural.harness.statistics.uncertainty import leave_one_out
from lm_plural.harness.statistics.uncertainty.intervals import NEAR_ZERO, Estimates, of_a_square, on_log_scale, raw
from lm_plural.harness.statistics.uncertainty.jackknife import (
    Columns,
    Covariance,
    covariance,
    disjoint_covariance,
    sizes,
)

#: Statistics of single ratings: one rater makes an item eligible. Others are of pairs and need two.
SINGLE = frozenset(m.name for m in MEASURES if m.least == 1)


@dataclass(frozen=True)
class Weighting:
    """Weights of items, shape (I, G): `single` for statistics of single ratings, `pair` for those of pairs."""

    single: Floats
    pair: Floats

    @classmethod
    def of(cls, sums: Sums, how: agreement.Weights = "items", user: Floats | None = None) -> Weighting:
        """Weigh the eligible items of every group."""
        return cls(*(agreement.item_weights(sums, how, user, least=n) for n in (1, 2)))

    def by_name(self, name: str) -> Floats:
        """Return the weights a statistic is averaged with."""
        return self.single if name in SINGLE else self.pair


def parts_of(
    sums: Sums, q: npt.ArrayLike | None, weights: Weighting, *, between: bool = True
) -> dict[str, leave_one_out.Contribution]:
    """Return the base statistics: item_mean and disagreement, and with a model's `q` bias, divergence and rps.

    `between` adds ``signal``, the items' parts of A.
    """
    single, pair = weights.single, weights.pair
    found = {"item_mean": leave_one_out.item_mean(sums, single), "disagreement": leave_one_out.disagreement(sums, pair)}
    if q is not None:
        found["bias"] = leave_one_out.bias(sums, q, single)
        found["divergence"] = leave_one_out.divergence(sums, agreement.model_cdf(q), pair)
        found["rps"] = found["divergence"] + found["disagreement"]
    if between:
        found["signal"] = leave_one_out.between(sums, pair)
    return found


def membership_matrix(members: Membership, n_raters: int) -> npt.NDArray[np.bool_]:
    """Return who is in which group, shape (R, G)."""
    out = np.zeros((n_raters, members.n_groups), dtype=bool)
    out[members.rater, members.group] = True
    return out


@dataclass(frozen=True)
class GroupStatistics:
    """Base statistics of G groups and their covariance.

    Parameters
    ----------
    names : tuple of str
        S base statistics; columns of `covariance` are ``name x group``, group fastest.
    value : ndarray, shape (S, G)
    covariance : Covariance
    inference : str
    """

    names: tuple[str, ...]
    value: Floats
    covariance: Covariance
    inference: Inference

    def n_items(self, name: str) -> Floats:
        """Items with weight in a statistic, shape (G,)."""
        return self._columns(self.covariance.n_items, name)

    def n_raters(self, name: str) -> Floats:
        """Raters who rated an item with weight in a statistic, shape (G,)."""
        return self._columns(self.covariance.n_raters, name)

    def _columns(self, values: Floats, name: str) -> Floats:
        base = name if name in self.names else next(iter(self.gradient(name)))
        return np.asarray(values.reshape(self.value.shape)[self.names.index(base)])

    def base(self, name: str) -> Floats:
        """Return values of a base statistic, shape (G,)."""
        return np.asarray(self.value[self.names.index(name)])

    def loadings(self, gradient: dict[str, Floats | float]) -> Floats:
        """Return rows that combine base statistics within each group, shape (G, S G)."""
        g = self.value.shape[1]
        rows = np.zeros((g, len(self.names), g))
        for name, weight in gradient.items():
            rows[np.arange(g), self.names.index(name), np.arange(g)] = np.nan_to_num(weight)
        return rows.reshape(g, -1)

    def combine(self, value: Floats, gradient: dict[str, Floats | float]) -> Estimates:
        """Return a function of a group's base statistics with a raw interval, by its gradient (delta method)."""
        variance, df = self.covariance.variance(self.loadings(gradient), self.inference)
        return raw(value, np.where(np.isnan(value), np.nan, variance), df)

    @cached_property
    def estimates(self) -> dict[str, Estimates]:
        """Every reported statistic; C, 1 - skill and equivalent raters on the log scale, the rest raw."""
        out = {n: self.combine(self.base(n), {n: 1.0}) for n in self.names if n != "signal"}
        if "divergence" in out:
            out["divergence"] = of_a_square(out["divergence"])
            out["skill"] = self._skill()
            out["equivalent_raters"] = self._equivalent_raters(out["divergence"])
        return out

    def gradient(self, name: str) -> dict[str, Floats | float]:
        """Return the gradient of a reported statistic in the base statistics, first the one over whose items it is."""
        if name in self.names:
            return {name: 1.0}
        c = self.base("divergence")
        if name == "skill":
            a = self.base("signal")
            return {"divergence": -ratio(1, a), "signal": ratio(c, a**2)}
        if name == "equivalent_raters":
            return {"divergence": -ratio(self.base("disagreement"), c**2), "disagreement": ratio(1, c)}
        raise KeyError(name)

    def _skill(self) -> Estimates:
        """Return rho = 1 - C/A; no interval where A itself is hardly told from 0."""
        c, a = self.base("divergence"), self.base("signal")
        rho = agreement.skill(c, a)
        grad = {n: -np.asarray(w) for n, w in self.gradient("skill").items()}
        e = of_a_square(self.combine(1 - rho, dict(grad)))
        seen = self.combine(a, {"signal": 1.0})
        clear = a > NEAR_ZERO * seen.se
        se, df, low, high = (np.where(clear, x, np.nan) for x in (e.se, e.df, 1 - e.high, 1 - e.low))
        return Estimates(rho, se, df, low, high)

    def _equivalent_raters(self, c: Estimates) -> Estimates:
        """Return m = U/C; where the interval of C reaches 0 it is "at least U / upper(C)", with no upper end."""
        u = self.base("disagreement")
        m = agreement.equivalent_raters(c.value, u)
        e = on_log_scale(self.combine(m, self.gradient("equivalent_raters")))
        open_end = ~(c.low > 0)
        low = np.where(open_end, ratio(u, c.high), e.low)
        return Estimates(m, e.se, e.df, low, np.where(open_end, np.nan, e.high))


def group_statistics(
    coded: Coded,
    members: Membership,
    counts: npt.ArrayLike,
    scaling: Scaling,
    q: npt.ArrayLike | None,
    weights: Weighting,
    inference: Inference = "items+raters",
) -> GroupStatistics:
    """Return the statistics of every group, and their joint covariance by the two-way jackknife.

    Parameters
    ----------
    coded : Coded
    members : Membership
        Several axes may stand side by side: a rater then has one membership per axis.
    counts : array_like, shape (I, G, K_fine)
        Of the items to be counted (zeros elsewhere).
    scaling : Scaling
    q : array_like, shape (I, K) or (I, G, K), or None
    weights : Weighting
    inference : {"items+raters", "raters", "items", "none"}
    """
    sums = Sums.of(counts, scaling)
    names, columns = _base(sums, q, weights)
    value = columns.total.reshape(len(names), -1)
    value[names.index("signal")] = agreement.signal(coded, members, sums, weights.pair)
    return _with_rps(
        GroupStatistics(names, value, covariance_of(coded, members, columns, counts, inference), inference)
    )


def _base(sums: Sums, q: npt.ArrayLike | None, weights: Weighting) -> tuple[tuple[str, ...], Columns]:
    """Return the base statistics but rps; their parts, as large as the columns, end here."""
    parts = {n: p for n, p in parts_of(sums, q, weights).items() if n != "rps"}
    return tuple(parts), stack(parts.values(), [weights.by_name(n) for n in parts], sums.n)


def stack(parts: Iterable[leave_one_out.Contribution], weights: Sequence[Floats], n: Floats) -> Columns:
    """Return columns ``statistic x group``, group fastest.

    Parameters
    ----------
    parts : iterable of Contribution, S of them
    weights : sequence of ndarray, shape (I, G)
        Of items, for each statistic.
    n : ndarray, shape (I, G)
        Raters.
    """
    parts, s = list(parts), len(weights)
    return Columns(
        np.concatenate([p.value for p in parts], axis=1),
        np.concatenate([np.moveaxis(p.table, 1, 2) for p in parts], axis=2),
        np.hstack(weights),
        np.tile(np.arange(n.shape[1]), s),
        np.tile(n, s),
    )


def covariance_of(
    coded: Coded, members: Membership, columns: Columns, counts: npt.ArrayLike, inference: Inference
) -> Covariance:
    """Return the covariance of stacked columns, the fast way where no rater is in two groups; its sizes for none."""
    if inference == "none":
        return sizes(coded, members, columns)
    if members.disjoint:
        return disjoint_covariance(coded, members, columns, counts)
    s = columns.weights.shape[1] // members.n_groups
    return covariance(coded, columns, np.tile(membership_matrix(members, coded.n_raters), s))


def _with_rps(found: GroupStatistics) -> GroupStatistics:
    """Append S = C + U as a base statistic."""
    if "divergence" not in found.names:
        return found
    s, g = found.value.shape
    both = np.zeros(s)
    pair = found.names.index("divergence")
    both[[pair, found.names.index("disagreement")]] = 1
    load = kron(csr_array(np.vstack([np.eye(s), both])), eye_array(g), format="csr")
    c = found.covariance
    as_pair = slice(pair * g, (pair + 1) * g)
    items, raters, same, own = ((load @ (load @ m).T).T if m.size else m for m in (c.items, c.raters, c.same, c.own))
    pool, n_items, n_raters = (np.concatenate([x, x[as_pair]]) for x in (c.pool, c.n_items, c.n_raters))
    cov = Covariance(items, raters, same, pool.astype(np.int64), n_items, n_raters, own)
    return GroupStatistics(
        (*found.names, "rps"),
        np.vstack([found.value, found.base("divergence") + found.base("disagreement")]),
        cov,
        found.inference,
    )
