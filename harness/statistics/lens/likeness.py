"""Are new texts like those a lens was fitted on? By distance, one by one, and all together (methods 6.5)."""

from __future__ import annotations

import numpy as np

from lm_plural.harness.arrays import Floats
from lm_plural.harness.statistics.counts import Ints
from lm_plural.harness.statistics.lens.ordinal import cdf, fit_pooled

#: Nearest neighbours a distance is the mean of, and the share of the training texts that is farther than the limit.
NEIGHBOURS, BEYOND = 10, 0.025
#: Numbers held at once.
HELD = 4_000_000
#: Texts of each kind that are told apart, folds, and the penalty's standard deviation.
MOST, FOLDS, SPREAD = 2_000, 5, 1.0


def distances(texts: Floats, known: Floats, *, themselves: bool = False) -> Floats:
    """Return the mean distance to the nearest known texts, shape (n,).

    Parameters
    ----------
    texts, known : ndarray, shapes (n, p) and (m, p)
        Features.
    themselves : bool
        Whether `texts` are `known`: a text is then no neighbour of itself.
    """
    new, old = texts.astype(np.float32), known.astype(np.float32)  # enough to tell who is near
    out, squares = np.zeros(len(texts)), (old**2).sum(axis=1)
    k = min(NEIGHBOURS, len(known) - themselves)
    step = max(1, HELD // max(1, len(known)))
    for start in range(0, len(texts), step):
        rows = new[start : start + step]
        square = np.maximum((rows**2).sum(axis=1)[:, None] - 2 * rows @ old.T + squares, 0.0)
        if themselves:
            square[np.arange(len(rows)), start + np.arange(len(rows))] = np.inf
        out[start : start + step] = np.sqrt(np.partition(square, k - 1, axis=1)[:, :k]).mean(axis=1)
    return out


def farthest(known: Floats) -> float:
    """Return the distance that 2.5 % of the known texts are beyond, each seen from the others."""
    return float(np.quantile(distances(known, known, themselves=True), 1 - BEYOND))


def told_apart(texts: Floats, known: Floats, rng: np.random.Generator) -> float:
    """Return the AUC by which a logistic regression tells new texts from known ones, cross-validated in 5 folds.

    Features and their squares are looked at, so that a wider spread shows too; 0.5: they cannot be told apart.

    Parameters
    ----------
    texts, known : ndarray, shapes (n, p) and (m, p)
        At most 2,000 of each are looked at.
    rng : numpy.random.Generator

    Returns
    -------
    float
        NaN with fewer texts of a kind than folds.
    """
    few = [rows[rng.permutation(len(rows))[:MOST]] for rows in (known, texts)]
    if min(map(len, few)) < FOLDS:
        return float("nan")
    x = np.vstack(few)
    x = np.hstack([x, x**2])
    x = (x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-9)
    new = np.repeat([0, 1], [len(rows) for rows in few])
    fold = np.concatenate([rng.permutation(len(rows)) % FOLDS for rows in few])
    # each kind weighs the same, whatever their numbers
    counts = np.eye(2)[new] / np.bincount(new)[new, None] * min(map(len, few))
    aucs = []
    for f in range(FOLDS):
        out = fold == f
        model = fit_pooled(counts[~out], x[~out], SPREAD)
        aucs.append(_auc(1 - cdf(model, model.score(x[out]))[:, 0], new[out]))
    return float(np.mean(aucs))


def _auc(score: Floats, new: Ints) -> float:
    from scipy.stats import rankdata

    ranks, n = rankdata(score), int(new.sum())
    return float((ranks[new == 1].sum() - n * (n + 1) / 2) / (n * (len(new) - n)))
