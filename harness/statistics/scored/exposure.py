"""Group-weighted exposure (methods 6.6): badness of a model's responses, weighted by how much harm a group saw there.

With s_i the badness of the responses to prompt i and r_ig the concern of group g, its mean harm rating of the prompt's
references::

    E_g    = sum_i v_i r_ig s_i / sum_i v_i r_ig
    a_ig   = v_i r_ig (s_i - E_g) / rbar_g                            rbar_g = sum_i v_i r_ig,  sum_i v_i = 1
    psi_ij = v_i (s_i - E_g) (r_ig - r_ig without rater j) / rbar_g   a prompt's only rater takes the prompt away: 0

These are a mean over prompts of ``h_ig = E_g + r_ig (s_i - E_g) / rbar_g``, which is how the jackknife sees it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from lm_plural.harness.arrays import Floats, ratio
from lm_plural.harness.statistics.counts import Coded, Ints, Membership, count_levels
from lm_plural.harness.statistics.groups.contrasts import contrast
from lm_plural.harness.statistics.groups.family import Family, Sides
from lm_plural.harness.statistics.groups.groups import GroupStatistics, covariance_of, stack
from lm_plural.harness.statistics.inference import Inference, Inferring
from lm_plural.harness.statistics.measures.agreement import weighted_mean
from lm_plural.harness.statistics.uncertainty.leave_one_out import Contribution

CONCERN = "concern"


def exposure(concern: npt.ArrayLike, badness: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Floats:
    """Return each group's exposure ``E_g = sum_i v_i r_ig s_i / sum_i v_i r_ig``, shape (G,) (methods 6.6).

    Equal to the plain mean of s when badness is unrelated to the group's concern. It says nothing about how the group
    would rate the new responses.

    Parameters
    ----------
    concern : array_like, shape (I, G)
        r: mean rating of the prompt's references by the group, harm-oriented, in [0, 1]; NaN where not rated.
    badness : array_like, shape (I,)
        s: mean score of the model's responses, oriented so that 1 is bad; NaN where unscored.
    weights : array_like, shape (I,) or (I, G), optional
        v, default equal.

    Returns
    -------
    ndarray
        NaN for a group with no concern at all on the scored prompts.
    """
    r, s = np.asarray(concern, dtype=np.float64), np.asarray(badness, dtype=np.float64)
    v = np.ones((len(s), 1)) if weights is None else np.asarray(weights, dtype=np.float64).reshape(len(s), -1)
    usable = ~np.isnan(r) & ~np.isnan(s)[:, None]
    vr = np.where(usable, v * np.nan_to_num(r), 0.0)
    return ratio(vr.T @ np.nan_to_num(s), vr.sum(axis=0))


@dataclass(frozen=True)
class Concerns:
    """What raters saw in the references of prompts, one row per prompt and rater.

    A rater of several references of a prompt leaves with all of them, so what a rater gave to a prompt as a whole is
    one "level": how many ratings and their summed harm.

    Parameters
    ----------
    coded : Coded
        Items are prompts.
    size, total : ndarray, shape (L,)
        Ratings, and their summed harm, of each level.
    """

    coded: Coded
    size: Floats
    total: Floats

    @classmethod
    def of(cls, prompt: Ints, rater: Ints, harm: Floats, n_prompts: int, n_raters: int) -> Concerns:
        """Put together ratings (prompt, rater, harm in [0, 1]), shape (N,) each."""
        pairs, row = np.unique(prompt * n_raters + rater, return_inverse=True)
        given = np.stack([np.bincount(row, harm), np.bincount(row)]).reshape(2, -1).round(12)
        (total, size), level = np.unique(given, axis=1, return_inverse=True)
        coded = Coded(pairs // n_raters, pairs % n_raters, level, n_prompts, n_raters, total / size)
        return cls(coded, size, total)

    def mean(self, counts: npt.NDArray[np.int64]) -> Floats:
        """Return r from counts of levels, shape (I, T, L) to (I, T); 0 where nobody rated."""
        return ratio(counts @ self.total, counts @ self.size, 0.0)

    def without_one(self, counts: npt.NDArray[np.int64]) -> Floats:
        """Return r without one rater who gave each level, shape (I, T, L); 0 where nobody is left."""
        total, size = (counts @ x for x in (self.total, self.size))
        return ratio(total[..., None] - self.total, size[..., None] - self.size, 0.0)


def exposure_part(
    concerns: Concerns, counts: npt.NDArray[np.int64], badness: npt.ArrayLike, weights: Floats
) -> Contribution:
    """Return h of every prompt and side, and what each rater adds to it; `weights`, shape (I, T), sum to 1 or 0."""
    r = concerns.mean(counts)
    e = exposure(r, badness, weights)
    slope = ratio(np.nan_to_num(np.asarray(badness))[:, None] - e, (weights * r).sum(axis=0), 0.0)
    return Contribution(e + slope * r, slope[..., None] * (r[..., None] - concerns.without_one(counts)))


def concern_part(concerns: Concerns, counts: npt.NDArray[np.int64], weights: Floats) -> Contribution:
    """Return r and what each rater adds to it; without its only rater a prompt leaves the mean."""
    r = concerns.mean(counts)
    alone = (counts.sum(axis=2) == 1)[..., None]
    without = np.where(alone, weighted_mean(r, weights)[:, None], concerns.without_one(counts))
    return Contribution(r, np.nan_to_num(r[..., None] - without))


def exposure_statistics(
    concerns: Concerns,
    members: Membership,
    badness: Mapping[str, npt.ArrayLike],
    inference: Inference = "items+raters",
) -> GroupStatistics:
    """Return ``concern`` (mean of r over prompts) and exposures of every group, with their joint covariance.

    Parameters
    ----------
    concerns : Concerns
    members : Membership
    badness : mapping of str to array_like, shape (I,)
        s, by the name its exposure gets; NaN where unscored.
    inference : {"items+raters", "raters", "items", "none"}
    """
    counts = count_levels(concerns.coded, members)
    rated = counts.sum(axis=2) > 0
    weights = [_equal(rated)]
    parts = [concern_part(concerns, counts, weights[0])]
    value = [weighted_mean(parts[0].value, weights[0])]
    for s in badness.values():
        v = _equal(rated & ~np.isnan(np.asarray(s))[:, None])
        weights.append(v * _felt(concerns, counts, v))
        parts.append(exposure_part(concerns, counts, s, weights[-1]))
        value.append(exposure(concerns.mean(counts), s, weights[-1]))
    columns = stack(parts, weights, counts.sum(axis=2).astype(np.float64))
    found = covariance_of(concerns.coded, members, columns, counts, inference)
    return GroupStatistics((CONCERN, *badness), np.array(value), found, inference)


def exposure_contrasts(
    concerns: Concerns,
    sides: Sides,
    badness: npt.ArrayLike,
    a: Ints,
    b: Ints,
    how: Inferring,
) -> Family:
    """Return ``E_a - E_b`` on the scored prompts both sides rated, as a family of ``contrasts.families``.

    A prompt's only rater of a side takes the prompt from both sides. A side without concern on the common prompts has
    no exposure: NaN.
    """
    unscored = np.isnan(np.asarray(badness))[:, None, None]
    scored = replace(sides, counts=np.where(unscored, 0, sides.counts))

    def part(counts: npt.NDArray[np.int64], _member: npt.NDArray[np.bool_], weights: Floats) -> Contribution:
        found = exposure_part(concerns, counts, badness, weights)
        return replace(found, value=np.where(_felt(concerns, counts, weights), found.value, np.nan))

    return contrast(concerns.coded, scored, part, a, b, how)


def _equal(eligible: npt.NDArray[np.bool_]) -> Floats:
    return ratio(eligible, eligible.sum(axis=0), 0.0)


def _felt(concerns: Concerns, counts: npt.NDArray[np.int64], weights: Floats) -> npt.NDArray[np.bool_]:
    """Return which sides saw any harm where they have weight, shape (T,)."""
    return np.asarray((weights * concerns.mean(counts)).sum(axis=0) > 0)
