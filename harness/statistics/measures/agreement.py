"""Agreement of a model with a group (methods 2.1): the base statistics everything else derives from.

With ``u_jk = z_jk - Q_k`` and step widths Delta_k (sum 1), per item and group::

    S = sum_k Delta_k mean_j u_jk^2                                      mean ranked probability score
    C = sum_k Delta_k [(sum_j u_jk)^2 - sum_j u_jk^2] / (n (n - 1))      divergence, unbiased for sum Delta (F - Q)^2
    U = sum_k Delta_k [sum_j z_jk^2 - (sum_j z_jk)^2 / n] / (n - 1)      the group's own disagreement, unbiased
    b = E_q[s] - mean_j s_j                                              signed bias in scale points

S = C + U. C and U are means over distinct pairs of raters, so a small group is not punished for being small.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.statistics.counts import Coded, Membership, Scaling, Sums, stream

Weights = Literal["items", "pairs"]
#: What rounding may leave of a difference that is zero.
ROUNDING = 1e-10


@dataclass(frozen=True)
class PerItem:
    """Base statistics of each item and group, shape (I, G); NaN where fewer than 2 raters rated (bias: none)."""

    bias: Floats
    divergence: Floats
    disagreement: Floats
    rps: Floats


def cumulative(q: npt.ArrayLike) -> Floats:
    """Return the CDF of distributions without its last point: shape (..., K) to (..., K-1)."""
    return np.asarray(q, dtype=np.float64).cumsum(axis=-1)[..., :-1]


def model_cdf(q: npt.ArrayLike) -> Floats:
    """Return the model's CDF with a group axis: shape (I, K) or (I, G, K) to (I, 1 or G, K-1)."""
    return cumulative(_per_group(q))


def _per_group(q: npt.ArrayLike) -> Floats:
    q = np.asarray(q, dtype=np.float64)
    return q[:, None, :] if q.ndim == 2 else q


def per_item(sums: Sums, q: npt.ArrayLike) -> PerItem:
    """Compute b, C, U and S of every item and group.

    Parameters
    ----------
    sums : Sums
        Of shape (I, G).
    q : array_like, shape (I, K) or (I, G, K)
        The model's distribution over the levels of ``sums.scaling``.

    Returns
    -------
    PerItem
    """
    cdf, spacing = model_cdf(q), sums.scaling.spacing
    n = np.where(sums.n >= 2, sums.n, np.nan)
    return PerItem(
        bias=expected(q, sums.scaling) - item_mean(sums),
        divergence=divergence(sums, cdf),
        disagreement=disagreement(sums),
        rps=((sums.zz - 2 * cdf * sums.z + sums.n[..., None] * cdf**2) @ spacing) / n,
    )


def expected(q: npt.ArrayLike, scaling: Scaling) -> Floats:
    """Return E_q[s] with a group axis, shape (I, 1 or G)."""
    return np.asarray(_per_group(q) @ scaling.positions)


def item_mean(sums: Sums) -> Floats:
    """Return the mean rating of every item and group, NaN where nobody rated."""
    return ratio(sums.x, sums.n)


def divergence(sums: Sums, cdf: Floats) -> Floats:
    """Return C of every item and group against a CDF that broadcasts to (I, G, K-1), NaN where fewer than 2 rated."""
    n = np.where(sums.n >= 2, sums.n, np.nan)
    k = sums.n[..., None]
    su = sums.z - k * cdf
    suu = sums.zz - 2 * cdf * sums.z + k * cdf**2
    return np.asarray(((su**2 - suu) @ sums.scaling.spacing) / (n * (n - 1)))


def disagreement(sums: Sums) -> Floats:
    """Return U of every item and group, NaN where fewer than 2 raters rated."""
    n = np.where(sums.n >= 2, sums.n, np.nan)
    return np.asarray((sums.zz - sums.z**2 / n[..., None]) @ sums.scaling.spacing / (n - 1))


def item_weights(sums: Sums, how: Weights = "items", user: Floats | None = None, *, least: int = 2) -> Floats:
    """Return weights over eligible items, shape (I, G), each column summing to 1 (methods 2.6).

    Parameters
    ----------
    sums : Sums
    how : {"items", "pairs"}
        The average item; or the average pair of raters, proportional to n (n - 1) (rater, n, if `least` is 1).
    user : ndarray, shape (I,), optional
        Weights of items, which multiply either.
    least : int
        Raters of the group an eligible item has: 2 for statistics of pairs, 1 for linear ones (mean, bias).

    Returns
    -------
    ndarray
        Zeros for a group without eligible items.
    """
    n = sums.n
    v = np.where(n >= least, (n * (n - 1) if least == 2 else n) if how == "pairs" else 1.0, 0.0)
    v = v if user is None else v * user[:, None]
    return ratio(v, v.sum(axis=0), 0.0)


def weighted_mean(values: Floats, weights: Floats) -> Floats:
    """Return sum_i v_i h_ig, shape (G,); NaN for a group without weight. Entries without weight are not looked at."""
    some = weights.sum(axis=0) > 0
    total = np.where(weights > 0, values * weights, 0.0).sum(axis=0)
    return np.where(some, total, np.nan)


def signal(coded: Coded, members: Membership, sums: Sums, weights: Floats) -> Floats:
    """Return A_g, the between-item variation of the group's CDF, shape (G,): what there is to predict.

    ``A_g = sum_k Delta_k mean (z - z')^2 / 2 - U_g``, the mean over pairs of ratings of distinct items *and* distinct
    raters (distinct items alone would be biased because raters are shared), an item's ratings weighing ``v_i / n_i``
    each. Where all raters rated all items this is ``mean_i FF_i - G2`` of methods 2.1; elsewhere that form depends on
    how many raters an item had. NaN where no such pair exists.
    """
    z, kept = sums.scaling.indicators, sums.scaling.kept > 0
    w = ratio(weights, sums.n, 0.0)
    chosen = np.zeros((len(members.rater), len(kept)))
    for rows in stream(coded, members):
        cell = rows.pair * len(kept) + rows.level
        np.add.at(chosen.reshape(-1), cell, w[rows.item, rows.group] * kept[rows.level])

    def over_raters(values: Floats) -> Floats:
        out = np.zeros((weights.shape[1], *values.shape[1:]))
        np.add.at(out, members.group, values)
        return out

    by_rater = chosen.sum(axis=1)
    # over ordered pairs of ratings by two raters on two items: all, less same item, less same rater, plus itself
    pairs = 1 - (weights**2).sum(axis=0) - over_raters(by_rater**2) + (w * weights).sum(axis=0)
    first = (sums.zz * (w * (1 - weights + w))[..., None]).sum(axis=0) - over_raters(
        by_rater[:, None] * (chosen @ z**2)
    )
    product = (weights[..., None] * sums.cdf).sum(axis=0) ** 2 - ((weights[..., None] * sums.cdf) ** 2).sum(axis=0)
    product += (sums.zz * (w**2)[..., None]).sum(axis=0) - over_raters((chosen @ z) ** 2)
    across = ratio(first - product, _clear(pairs)[:, None])
    return across @ sums.scaling.spacing - weighted_mean(disagreement(sums), weights)


def skill(divergence: Floats, between: Floats) -> Floats:
    """Return rho = 1 - C/A: 1 perfect, 0 no better than the group's marginal; NaN where A <= 0."""
    return 1 - ratio(divergence, _clear(between))


def equivalent_raters(divergence: Floats, disagreement: Floats) -> Floats:
    """Return m_eff = U/C: the model is worth that many raters of the group; NaN where C <= 0 (no upper limit seen)."""
    return ratio(disagreement, _clear(divergence))


def _clear(values: Floats) -> Floats:
    return np.where(values > ROUNDING, values, 0.0)


def plug_in_divergence(scaling: Scaling, reference: Floats, q: npt.ArrayLike) -> Floats:
    """Return sum_k Delta_k (F_ref - Q)^2 per item and group, shape (I, G), NaN without a reference.

    For references that are one aggregate per item (majority, median, ...), where no correction for few raters exists.
    """
    out: Floats = (cumulative(reference) - model_cdf(q)) ** 2 @ scaling.spacing
    return out


def disagreement_kept(counts: npt.ArrayLike, fine: Scaling, coarse: Scaling) -> Floats:
    """Return U_coarse / U_fine of each group, shape (G,), over items with two ratings that count on both scales.

    Far from 1: the two scales do not tell the same story. Below 1 disagreement is lost; above 1 neighbouring levels
    that the map tears apart now stand a whole scale away from each other.

    Parameters
    ----------
    counts : array_like, shape (I, G, K_fine)
    fine, coarse : Scaling
        Of the same rated levels.

    Returns
    -------
    ndarray
        NaN for a group without such an item or without disagreement on the fine scale.
    """
    both = [_disagreement(Sums.of(counts, scaling)) for scaling in (fine, coarse)]
    weights = np.asarray(~np.isnan(both).any(axis=0), dtype=np.float64)
    before, after = (weighted_mean(u, weights) for u in both)
    return ratio(after, before)


def _disagreement(sums: Sums) -> Floats:
    """Return U per item and group, which does not depend on a prediction."""
    items, _, steps = sums.z.shape
    return per_item(sums, np.zeros((items, steps + 1))).disagreement
