"""The ladder P -> L0 -> L1 on new items and new raters: what each rung is worth (methods 6.2 and 6.3).

P knows no groups, L0 shifts each group's cuts, L1 also tilts its slopes. All are measured by the ranked probability
score of single ratings, each predicted by the cell that knew neither its item nor its rater.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.statistics.counts import Ints, Scaling, Sums
from lm_plural.harness.statistics.lens.ordinal import Pooled, Terms, cdf, fit_groups, fit_pooled
from lm_plural.harness.statistics.lens.split import (
    Cell,
    Flags,
    Mean,
    Rated,
    Split,
    centred,
    choose_spread,
    inner_folds,
    train,
    two_way,
)
from lm_plural.harness.statistics.measures.agreement import disagreement

#: What s_t is chosen from, by new raters; 0: groups are not shifted.
SHIFTS = (0.0, 0.03, 0.08, 0.2)
#: s_b of group slopes.
TILT = 0.1
#: Folds of raters for that choice, and of items for the correlation with raters seen.
RATER_FOLDS, ITEM_FOLDS = 4, 10


@dataclass(frozen=True)
class Everyone:
    """What the model of all raters is worth, without groups.

    Parameters
    ----------
    skill : Mean
        On new items and raters: 1 where it is as good as the raters' own distribution of each item, 0 where it is no
        better than their distribution over all items.
    r, r_new : float
        Correlation of predicted and mean ratings over held-out items: raters seen (10 folds of items), and new ones.
    cdfs : ndarray, shape (N, K-1)
        Held-out distribution for each rating.
    cell : ndarray of int, shape (N,)
        Which cell predicted it; -1 for none.
    """

    skill: Mean
    r: float
    r_new: float
    cdfs: Floats
    cell: Ints


@dataclass(frozen=True)
class Rungs:
    """What the rungs are worth for an axis, on new items and new raters, one row a rating and group.

    Parameters
    ----------
    skill : Mean
        Of P against each group's own distribution over all items.
    shift, tilt : Mean
        RPS of L0 less that of P, and of L1 less that of L0: below 0 where the rung is better.
    chosen : tuple of float
        s_t of each cell.
    rows, group : ndarray of int, shape (n,)
        Rating and group.
    cdfs : mapping of str to ndarray, shape (n, K-1)
        By rung.
    """

    skill: Mean
    shift: Mean
    tilt: Mean
    chosen: tuple[float, ...]
    rows: Ints
    group: Ints
    cdfs: dict[str, Floats]


def rater_weights(rated: Rated, everyone: Everyone) -> tuple[Floats, float]:
    """Return what a rater's ratings weigh in a group's terms, ``1 / (1 + (m - 1) icc)``, shape (R,), and the icc.

    Twenty-five ratings by one person are not those of twenty-five people. The icc is that of held-out residuals.
    """
    c, known = rated.coded, everyone.cell >= 0
    rest = (rated.value - rated.mean(everyone.cdfs))[known]
    rater = c.rater[known]
    m = np.bincount(rater, minlength=c.n_raters).astype(np.float64)
    means = ratio(np.bincount(rater, rest, c.n_raters), m, 0.0)
    there = m > 0
    raters, total = int(there.sum()), m.sum()
    if raters < 2 or total <= raters:
        return np.ones(c.n_raters), 0.0
    between = (m * (means - rest.mean()) ** 2).sum() / (raters - 1)
    within = ((rest - means[rater]) ** 2).sum() / (total - raters)
    size = (total - (m**2).sum() / total) / (raters - 1)
    icc = float(np.clip(ratio(between - within, between + (size - 1) * within, 0.0), 0.0, 1.0))
    own = np.bincount(c.rater, minlength=c.n_raters)
    return np.asarray(1 / (1 + np.maximum(own - 1, 0) * icc)), icc


def choose_shift(rated: Rated, rows: Flags, member: Floats, weight: Floats, pooled: Pooled, score: Floats) -> float:
    """Return the s_t whose shifts, fitted to some of the raters, serve the others best; 0 where none does.

    Parameters
    ----------
    rated : Rated
    rows : ndarray of bool, shape (N,)
        Ratings to choose by.
    member : ndarray, shape (R, G)
    weight : ndarray, shape (R,)
    pooled, score
        Of everyone, kept.
    """
    fold = np.random.default_rng(0).permutation(rated.coded.n_raters) % RATER_FOLDS
    losses = np.zeros(len(SHIFTS))
    for f in range(RATER_FOLDS):
        new, old = (rated.counts(rows, member * w[:, None]) for w in ((fold == f) * 1.0, (fold != f) * weight))
        for n, spread in enumerate(SHIFTS):
            below = cdf(pooled, score, fit_groups(old, pooled, score, None, (spread, TILT)))
            levels = np.arange(rated.k + 1)
            each = [((np.arange(rated.k) >= y) - below) ** 2 @ rated.spacing for y in levels]
            losses[n] += float((new * np.stack(each, axis=-1)).sum())
    return SHIFTS[int(losses.argmin())]


def validate_everyone(rated: Rated, found: Sequence[Cell], clusters: Ints, rng: np.random.Generator) -> Everyone:
    """Return what the pooled model is worth."""
    c = rated.coded
    cdfs, cell = np.zeros((len(c.item), rated.k)), np.full(len(c.item), -1)
    base = np.zeros((len(c.item), rated.k))
    for n, part in enumerate(found):
        at = part.test
        cdfs[at], cell[at] = cdf(part.pooled, part.score[c.item[at]]), n
        base[at] = _marginal(rated.counts(part.train).sum(axis=0))
    known = cell >= 0
    skill = _skill(rated, np.flatnonzero(known), rated.loss(cdfs, c.level)[known], rated.loss(base, c.level)[known])
    return Everyone(skill, _r_seen(rated, clusters, rng), _r_new(rated, cdfs, cell), cdfs, cell)


def validate_axis(rated: Rated, found: Sequence[Cell], member: Floats, weight: Floats) -> Rungs:
    """Return what the rungs of the ladder are worth for the groups of an axis; `member` of shape (R, G)."""
    c = rated.coded
    rows, group, chosen = [], [], []
    parts: dict[str, list[Floats]] = {"P": [], "L0": [], "L1": [], "B1": []}
    for cell in found:
        spread = choose_shift(rated, cell.train, member, weight, cell.pooled, cell.score)
        chosen.append(spread)
        counts = rated.counts(cell.train, member * weight[:, None])
        raw = rated.counts(cell.train, member).sum(axis=1)
        pooled, score = cell.pooled, cell.score
        shifts = fit_groups(counts, pooled, score, None, (spread, TILT))
        tilts = fit_groups(counts, pooled, score, rated.z, (spread, TILT)) if spread else None
        below = {"P": cdf(pooled, score)[None].repeat(member.shape[1], axis=0), "L0": cdf(pooled, score, shifts)}
        below["L1"] = cdf(pooled, score, tilts, rated.z) if tilts else below["L0"]
        at = np.flatnonzero(cell.test)
        r, g = np.nonzero(member[c.rater[at]])
        rows.append(at[r])
        group.append(g)
        for name, values in below.items():
            parts[name].append(values[g, c.item[at[r]]])
        parts["B1"].append(np.stack([_marginal(m) for m in raw])[g])
    row, of = np.concatenate(rows), np.concatenate(group)
    cdfs = {name: np.concatenate(values) for name, values in parts.items()}
    loss = {name: rated.loss(values, c.level[row]) for name, values in cdfs.items()}
    skill = _skill(rated, row, loss["P"], loss["B1"])
    shift, tilt = (two_way(loss[a] - loss[b], c.item[row], c.rater[row]) for a, b in (("L0", "P"), ("L1", "L0")))
    return Rungs(skill, shift, tilt, tuple(chosen), row, of, cdfs)


def fitted_terms(
    rated: Rated, rows: Flags, member: Floats, weight: Floats, pooled: Pooled, spread: float, *, tilted: bool
) -> Terms:
    """Return the terms of groups beside a pooled model, from some of the ratings."""
    counts = rated.counts(rows, member * weight[:, None])
    on = rated.z if tilted else None
    found = fit_groups(counts, pooled, pooled.score(rated.x), on, (spread, TILT))
    return found if tilted else Terms(found.shift, np.zeros((member.shape[1], rated.z.shape[1])))


def validate_sources(rated: Rated, source: Ints, clusters: Ints) -> tuple[Mean, Floats, list[Pooled]]:
    """Leave out one source of texts after the other (methods 6.3, split iii).

    Parameters
    ----------
    rated : Rated
    source : ndarray of int, shape (I,)
        Which model wrote each text.
    clusters : ndarray of int, shape (I,)

    Returns
    -------
    tuple
        Skill on the sources left out, the held-out distribution of each rating, shape (N, K-1), and the model fitted
        without each source.
    """
    c = rated.coded
    cdfs, base = np.zeros((2, len(c.item), rated.k))
    models = []
    for s in np.unique(source):
        test = source[c.item] == s
        pooled, _ = train(rated, ~test, clusters)
        models.append(pooled)
        cdfs[test] = cdf(pooled, pooled.score(rated.x)[c.item[test]])
        base[test] = _marginal(rated.counts(~test).sum(axis=0))
    every = np.arange(len(c.item))
    return _skill(rated, every, rated.loss(cdfs, c.level), rated.loss(base, c.level)), cdfs, models


def _marginal(counts: Floats) -> Floats:
    """Return the cumulative shares of levels, shape (K-1,), half a rating added to each."""
    total = (counts + 0.5).cumsum()
    return np.asarray(total[:-1] / total[-1])


def _skill(rated: Rated, row: Ints, loss: Floats, base: Floats) -> Mean:
    """Return ``(S_base - S) / (S_base - U)`` over rows, U being the disagreement of an item's raters."""
    c = rated.coded
    sums = Sums.of(rated.counts(np.ones(len(c.item), dtype=bool))[:, None], Scaling.plain(c.positions))
    ceiling = disagreement(sums)[c.item[row], 0]
    known = ~np.isnan(ceiling)
    at = row[known]
    return two_way((base - loss)[known], c.item[at], c.rater[at], (base - ceiling)[known])


def _r_new(rated: Rated, cdfs: Floats, cell: Ints) -> float:
    """Return the correlation of means over items and cells, centred in cells."""
    c, known = rated.coded, cell >= 0
    code = cell[known] * c.n_items + c.item[known]
    where, place, n = np.unique(code, return_inverse=True, return_counts=True)
    place = place.reshape(-1)
    p, y = (np.bincount(place, v[known]) / n for v in (rated.mean(cdfs), rated.value))
    return _r(p, y, where // c.n_items)


def _r_seen(rated: Rated, clusters: Ints, rng: np.random.Generator) -> float:
    """Return the correlation with item means, items left out in ten folds, centred in folds."""
    counts = rated.counts(np.ones(len(rated.coded.item), dtype=bool))
    items = np.flatnonzero(counts.sum(axis=1) > 0)
    names, place = np.unique(clusters[items], return_inverse=True)
    fold = (rng.permutation(len(names)) % ITEM_FOLDS)[place.reshape(-1)]
    spread = choose_spread(counts[items], rated.x[items], inner_folds(items, clusters))
    predicted = np.zeros(len(items))
    for f in np.unique(fold):
        new = fold == f
        model = fit_pooled(counts[items[~new]], rated.x[items[~new]], spread)
        predicted[new] = rated.mean(cdf(model, model.score(rated.x[items[new]])))
    shares = counts[items] / counts[items].sum(axis=1, keepdims=True)
    return _r(predicted, shares @ np.concatenate([[0.0], rated.spacing.cumsum()]), fold)


def _r(p: Floats, y: Floats, cell: Ints) -> float:
    p, y = (centred(v, np.ones(len(v)), [cell]) for v in (p, y))
    return float(ratio((p * y).sum(), np.sqrt((p**2).sum() * (y**2).sum()), 0.0))


__all__ = ["Everyone", "Rungs", "Split", "validate_axis", "validate_everyone"]
