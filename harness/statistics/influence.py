"""Correlations of scores with noisy means, each with its influence function: how much one item moves it.

Every function takes scores x and means y of two items or more, shape (I,), with the variance of y over draws of raters
(`noise`), and returns the value and g: from any means y' and their noise, in place of the items' own, to the influence
of (x_i, y'_i) on the value, up to a constant. The value is NaN where x or y does not vary; g is of no use then.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.statistics import correlation
from lm_plural.harness.statistics.agreement import ROUNDING
from lm_plural.harness.statistics.reliability import LEAST_RELIABILITY

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
