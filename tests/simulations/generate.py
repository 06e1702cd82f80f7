"""DGM-1 of the methods note and variants of it: ratings by simulated crowds, and the truth about them.

Latent rating ``y* = mu_g + beta_i + gamma_gi + alpha_j + eps_ij``, beta N(0, 1), gamma N(0, .5^2), alpha N(0, .6^2),
eps N(0, 1), cut at -1.2, -.4, .4 and 1.2 to a 5-point scale. The model says ``Q_ik = Phi((c_k - .2 - .8 beta_i)/1.3)``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.polynomial.hermite_e import hermegauss
from scipy.stats import chi2, norm

from lm_plural.harness.statistics.counts import Coded, Membership

CUTS, POSITIONS = np.array([-1.2, -0.4, 0.4, 1.2]), np.arange(1.0, 6.0)
SEVERITY, RESIDUAL = 0.6, 1.0


@dataclass(frozen=True)
class Crowd:
    """How raters differ from each other beside their group.

    Parameters
    ----------
    heavy : bool
        Severity alpha has a t distribution with 3 degrees of freedom, of the same variance, instead of a normal one.
    extreme : float
        Share of raters who answer only 1 or 5, as y* is below or above 0.
    straight : float
        Share of raters who give one level, any of the five, to everything.
    uneven : float
        SD of the logarithm of a rater's residual SD.
    interaction : float
        SD of gamma.
    """

    heavy: bool = False
    extreme: float = 0.0
    straight: float = 0.0
    uneven: float = 0.0
    interaction: float = 0.5


@dataclass(frozen=True)
class Design:
    """Who rates what: items, raters and mean severity of each group, and the share of items each rater sees.

    With `perfect` the model knows every group's distribution.
    """

    name: str
    items: int
    raters: tuple[int, ...]
    means: tuple[float, ...] = (0.9, 0.1)
    density: float = 1.0
    crowd: Crowd = field(default_factory=Crowd)
    perfect: bool = False


class Data(NamedTuple):
    """One simulated collection with the model's distributions, shape (I, K), or (I, G, K) of a perfect model."""

    coded: Coded
    members: Membership
    q: np.ndarray


def simulate(design: Design, rng: np.random.Generator) -> Data:
    """Draw new items and new raters."""
    sizes, crowd = np.array(design.raters), design.crowd
    group = np.repeat(np.arange(len(sizes)), sizes)
    beta = rng.normal(size=design.items)
    mean = np.array(design.means)[:, None] + beta + crowd.interaction * rng.normal(size=(len(sizes), design.items))
    item, rater = _rated(design.items, len(group), design.density, rng)
    severity = rng.standard_t(3, len(group)) / np.sqrt(3) if crowd.heavy else rng.normal(size=len(group))
    residual = RESIDUAL * np.exp(crowd.uneven * rng.normal(size=len(group)))
    latent = mean[group[rater], item] + SEVERITY * severity[rater] + residual[rater] * rng.normal(size=len(item))
    level = np.searchsorted(CUTS, latent)
    style, fixed = rng.random(len(group))[rater], rng.integers(0, 5, len(group))[rater]
    level = np.where(style < crowd.extreme, 4 * (latent > 0), level)
    level = np.where(style > 1 - crowd.straight, fixed, level)
    coded = Coded(item, rater, level, design.items, len(group), POSITIONS)
    cdf = response(mean.T, crowd) if design.perfect else model(beta)
    return Data(coded, Membership(np.arange(len(group)), group, len(sizes)), _levels(cdf))


def _rated(items: int, raters: int, density: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Every rater gets the same number of items, at random."""
    each = round(density * items)
    if each == items:
        item = np.tile(np.arange(items), raters)
    else:
        item = np.argpartition(rng.random((raters, items)), each, axis=1)[:, :each].ravel()
    return item, np.repeat(np.arange(raters), each)


def model(beta: np.ndarray) -> np.ndarray:
    """Return Q, shape (..., 4)."""
    return norm.cdf((CUTS - 0.2 - 0.8 * beta[..., None]) / 1.3)


def response(mean: np.ndarray, crowd: Crowd) -> np.ndarray:
    """Return P(rating <= k) of a rater drawn at random, given the latent mean of the item for the group."""
    sd, weight = _spreads(crowd)

    def below(cut: np.ndarray) -> np.ndarray:
        return norm.cdf((cut - mean[..., None])[..., None] / sd) @ weight

    usual = (1 - crowd.extreme - crowd.straight) * below(CUTS)
    return usual + crowd.extreme * below(np.zeros(4)) + crowd.straight * np.arange(1, 5) / 5


def _spreads(crowd: Crowd) -> tuple[np.ndarray, np.ndarray]:
    """Return severity and residual together as a mixture of normals: their SDs and weights (t is one over chi2)."""
    if crowd.heavy:
        nodes = chi2(3).ppf((np.arange(400) + 0.5) / 400) / 3
        return np.sqrt(RESIDUAL**2 + SEVERITY**2 / 3 / nodes), np.full(400, 1 / 400)
    z, weight = _normal(20 if crowd.uneven else 1)
    return np.sqrt(SEVERITY**2 + (RESIDUAL * np.exp(crowd.uneven * z)) ** 2), weight


def _normal(n: int) -> tuple[np.ndarray, np.ndarray]:
    nodes, weights = hermegauss(n)
    return nodes, weights / weights.sum()


def _levels(cdf: np.ndarray) -> np.ndarray:
    return np.diff(cdf, axis=-1, prepend=0.0, append=1.0)


def truth(design: Design, nodes: int = 40) -> dict[str, np.ndarray]:
    """Return the true value of each statistic for every group, shape (G,), by integration over beta and gamma.

    ``cliff`` is a table, shape (G, G).
    """
    (b, wb), (c, wc) = _normal(nodes), _normal(nodes)
    at = np.array(design.means)[:, None, None] + b[:, None] + design.crowd.interaction * c
    f, step = response(at, design.crowd), 1 / 4
    q = f if design.perfect else model(b)[:, None]

    def over_items(x: np.ndarray) -> np.ndarray:
        return np.einsum("gbck,b,c->gk", x, wb, wc)

    divergence, disagreement = (step * over_items(x).sum(axis=1) for x in ((f - q) ** 2, f * (1 - f)))
    signal = step * (over_items(f**2) - over_items(f) ** 2).sum(axis=1)
    given_beta = np.einsum("gbck,c->gbk", _levels(f), wc)
    above = np.sign(np.subtract.outer(np.arange(5), np.arange(5)))
    return {
        "item_mean": 5 - over_items(f).sum(axis=1),
        "bias": over_items(f - q).sum(axis=1),
        "divergence": divergence,
        "disagreement": disagreement,
        "rps": divergence + disagreement,
        "signal": signal,
        "skill": 1 - divergence / signal,
        "equivalent_raters": np.full(len(at), np.inf) if design.perfect else disagreement / divergence,
        "cliff": np.einsum("b,gbk,kl,hbl->gh", wb, given_beta, above, given_beta),
    }
