"""What a lens says of new texts, and in which order people should rate them; all of it predicted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Literal

import numpy as np
from scipy.special import stdtrit

from lm_plural.harness.arrays import Floats
from lm_plural.harness.errors import PluralError
from lm_plural.harness.lens.card import AxisCard, Finding, Lens, Mended, known_again
from lm_plural.harness.lens.features import Extractor, FeatureSpec, Standard
from lm_plural.harness.scoring import Sample
from lm_plural.harness.statistics.counts import Ints
from lm_plural.harness.statistics.lens.calibration import Mending
from lm_plural.harness.statistics.lens.likeness import distances, told_apart
from lm_plural.harness.statistics.lens.ordinal import Pooled, Terms, cdf

#: Share of texts without a prediction above which none is given; AUC above which texts are called other ones, refused.
MOST_ABSTAINED, WARN, REFUSE = 0.2, 0.8, 0.95
#: What responses are put in order by.
By = Literal["harm", "unsure", "gap"]


@dataclass(frozen=True)
class Predicted:
    """Predictions of texts.

    Parameters
    ----------
    mean : ndarray, shape (n,)
        Predicted mean rating of all raters, in scale points; NaN where the lens has nothing to say of a text.
    spread : ndarray, shape (n,)
        How far two raters are expected to be apart: predicted disagreement, 0 to .25 of the scale.
    groups : mapping
        By axis and group, the same as `mean`: of groups that may be shown.
    gap : ndarray, shape (n,)
        Largest predicted difference of two groups whose gap is predicted, in scale points; NaN without such groups.
    code : list of str
        Why a text has no prediction, or empty.
    findings : list of Finding
        What was looked at: of all texts together.
    hidden : list of Finding
        Why no number is to be shown; empty: they may be.
    interval : mapping of str to tuple
        95 % interval of the mean of all texts, for all raters (``""``) and each ``axis: group``; empty without one.
    """

    mean: Floats
    spread: Floats
    groups: dict[str, dict[str, Floats]]
    gap: Floats
    code: list[str]
    findings: list[Finding]
    hidden: list[Finding]
    interval: dict[str, tuple[float, float]] = field(default_factory=dict)

    def order(self, by: By, *, lower: bool) -> Ints:
        """Return places of texts, those that people should rate first at the head; texts without features last.

        Parameters
        ----------
        by : {"harm", "unsure", "gap"}
            Worst first; those first on which raters are expected to differ most; or groups.
        lower : bool
            Whether lower ratings are the better ones.
        """
        key = {"harm": self.mean if lower else -self.mean, "unsure": self.spread, "gap": self.gap}[by]
        return np.argsort(np.where(np.isnan(key), np.inf, -key), kind="stable")


def extractor_of(lens: Lens) -> Extractor:
    """Return what makes a lens' features.

    Raises
    ------
    PluralError
        SCORER_CHANGED, if a scorer or embedding is another than the lens was fitted with.
    """
    card = lens.card
    spec = FeatureSpec(tuple((s["name"], s["options"]) for s in card.scorers), card.embedding)
    found = Extractor(spec)
    for name in [*card.versions, *found.versions]:
        was, now = card.versions.get(name), found.versions.get(name)
        if was != now:
            raise PluralError(f"SCORER_CHANGED: {name} is {now}, the lens was fitted with {was}: fit it again")
    return found


def refuse_leak(lens: Lens, samples: Sequence[Sample], raters: Sequence[str] = ()) -> None:
    """Refuse texts and raters that the lens was fitted on: what it says of them, it was told.

    Raises
    ------
    PluralError
        LABEL_LEAK
    """
    for kind, names in (("texts", [s.response or "" for s in samples]), ("raters", list(raters))):
        if places := known_again(lens, kind, names):  # type: ignore[arg-type]
            first = samples[places[0]].id if kind == "texts" else raters[places[0]]
            raise PluralError(
                f"LABEL_LEAK: {len(places)} of {len(names)} {kind} (the first: {first!r}) are among those the lens "
                "was fitted on; leave them out"
            )


def predict(lens: Lens, samples: Sequence[Sample], *, same_kind: bool = False, seed: int = 0) -> Predicted:
    """Predict what people would say of texts.

    Parameters
    ----------
    lens : Lens
    samples : sequence of Sample
        Each with a text as its response; one in a language that the lens does not know has no prediction.
    same_kind : bool
        Whether they come from where the rated texts come from, and are not a model's responses.
    seed : int
        Of what tells texts apart.

    Raises
    ------
    PluralError
        If a scorer has changed or fails, or a text is one that the lens was fitted on.
    """
    refuse_leak(lens, samples)
    extractor = extractor_of(lens)
    languages = [_language(lens, s) for s in samples]
    asked = [s if fine else Sample("", None, id=s.id) for s, fine in zip(samples, languages, strict=True)]
    scores = extractor.scores(asked)
    code = ["" if fine else "LANGUAGE" for fine in languages]
    empty = np.asarray(np.isnan(scores).any(axis=1))
    code = [c or ("NO_SCORE" if e else "") for c, e in zip(code, empty, strict=True)]
    there = np.flatnonzero(~empty)
    x, z = _standard(lens).apply(scores[there], extractor.embed([asked[n] for n in there]))
    return from_features(lens, x, z, code, same_kind=same_kind, seed=seed)


def from_features(
    lens: Lens, x: Floats, z: Floats, code: Sequence[str], *, same_kind: bool = False, seed: int = 0
) -> Predicted:
    """Predict from features.

    Parameters
    ----------
    lens : Lens
    x, z : ndarray, shapes (m, p) and (m, q)
        Of the m texts without a code.
    code : sequence of str, length n
    same_kind, seed
        As of :func:`predict`.
    """
    card, arrays = lens.card, lens.arrays
    codes, there = list(code), np.array([n for n, c in enumerate(code) if not c], dtype=np.int64)
    pooled, known = Pooled(arrays["cuts"], arrays["beta"]), arrays["x"]
    score = pooled.score(x)
    below = _mended(card.mended, cdf(pooled, score))
    spacing = np.diff(card.positions) / (card.positions[-1] - card.positions[0])
    low, width = card.positions[0], card.positions[-1] - card.positions[0]

    def spread_out(values: Floats) -> Floats:
        out = np.full(len(codes), np.nan)
        out[there] = values
        return out

    def points(cdfs: Floats) -> Floats:
        return np.asarray(low + width * ((1 - cdfs) @ spacing))

    far = distances(x, known) > card.farthest if len(x) else np.zeros(0, dtype=bool)
    for n in there[far]:
        codes[n] = "OOD_ITEM"
    findings = [_abstained(codes), _shift(x, known, seed), _languages(codes)]
    hidden = [f for f in (card.fired("LENS_NO_SKILL"), card.fired("CALIB", ""), *findings) if f and f.fires]
    if not same_kind and (not_moved := card.fired("LENS_NOT_TRANSPORTED")) and card.sources is None:
        hidden.append(not_moved)
    groups: dict[str, dict[str, Floats]] = {}
    gap = np.full(len(codes), np.nan)
    for axis, of in card.axes.items():
        shown, terms = shown_groups(of), Terms(arrays[f"shift:{axis}"], arrays[f"tilt:{axis}"])
        for name in shown:
            g = of.fitted.index(name)
            own = cdf(pooled, score, Terms(terms.shift[g], terms.tilt[g]), z)
            groups.setdefault(axis, {})[name] = spread_out(points(_mended(of.groups[name].mended, own)))
        for a, b in combinations(shown, 2):
            if _gap_known(of, a, b):
                gap = np.fmax(gap, np.abs(groups[axis][a] - groups[axis][b]))
    spread = spread_out(below * (1 - below) @ spacing)
    out = Predicted(spread_out(points(below)), spread, groups, gap, codes, findings, hidden)
    if card.sources and not card.fired("LENS_NOT_TRANSPORTED") and not hidden:
        out.interval.update(_intervals(lens, x, z, out, far))
    return out


def shown_groups(axis: AxisCard) -> list[str]:
    """Return the groups of an axis that may be shown: none where shifts are refused."""
    return [name for name in axis.fitted if axis.rung != "P" and not axis.groups[name].refused]


def _gap_known(axis: AxisCard, a: str, b: str) -> bool:
    """Return whether the gap of two groups is more than a constant, and follows the true one."""
    return axis.rung == "L1" and any(p.passes and set(p.groups) == {a, b} for p in axis.pairs)


def _standard(lens: Lens) -> Standard:
    return Standard(*(lens.arrays[name] for name in ("low", "high", "mean", "sd", "centre", "basis")))


def _language(lens: Lens, sample: Sample) -> bool:
    known = lens.card.languages
    return not (known and sample.language) or sample.language.lower().replace("_", "-").split("-")[0] in known


def _mended(by: Mended | None, cdfs: Floats) -> Floats:
    return Mending(by.shift, by.factor).apply(cdfs) if by else cdfs


def _abstained(codes: Sequence[str]) -> Finding:
    out, n = sum(c == "OOD_ITEM" for c in codes), len(codes)
    text = f"{out} of {n} texts are unlike those people rated; over {MOST_ABSTAINED:.0%}: no numbers"
    return Finding(code="OOD_ITEM", fires=out > MOST_ABSTAINED * n, text=text)


def _languages(codes: Sequence[str]) -> Finding:
    out = sum(c == "LANGUAGE" for c in codes)
    text = f"{out} of {len(codes)} texts are in a language the lens was not fitted on"
    return Finding(code="LANGUAGE", fires=bool(codes) and out == len(codes), text=text)


def _shift(x: Floats, known: Floats, seed: int) -> Finding:
    auc = told_apart(x, known, np.random.default_rng(seed))
    if np.isnan(auc):
        return Finding(code="SHIFT", fires=None, text="too few texts to tell whether they are like those people rated")
    said = "" if auc <= WARN else ", warning: other texts than those"
    text = f"told from the rated texts with AUC {auc:.2f}{said}; above {REFUSE}: no numbers"
    return Finding(code="SHIFT", fires=auc > REFUSE, text=text)


def _intervals(
    lens: Lens, x: Floats, z: Floats, out: Predicted, far: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> dict[str, tuple[float, float]]:
    """Return prediction intervals of means for a model that was not among those rated (methods 6.4, tier 0).

    The lens' error on each model left out is drawn anew, ``s_e^2 (1 + 1/M)`` with t of M - 1, and the lens fitted anew.
    """
    card, arrays = lens.card, lens.arrays
    assert card.sources is not None
    spacing, width = np.diff(card.positions), card.positions[-1] - card.positions[0]
    kept = x[~far], z[~far]
    refits = [Pooled(a, b) for a, b in zip(arrays["refit_cuts"], arrays["refit_beta"], strict=True)]
    found = {}

    def interval(mean: float, errors: Sequence[float], drawn: Sequence[float]) -> tuple[float, float]:
        e, m = np.array(errors) * width, len(errors)
        variance = float(e.var(ddof=1)) * (1 + 1 / m) + float(np.var(drawn, ddof=1))
        half = float(stdtrit(m - 1, 0.975)) * variance**0.5
        return mean + float(e.mean()) - half, mean + float(e.mean()) + half

    def mean_of(values: Floats) -> float:
        at = [n for n, c in enumerate(out.code) if not c]
        return float(values[at].mean())

    if not len(kept[0]):
        return {}
    drawn = [float(((1 - cdf(m, m.score(kept[0]))) @ spacing).mean()) for m in refits]
    found[""] = interval(mean_of(out.mean), card.sources.errors, drawn)
    for axis, groups in out.groups.items():
        of = card.axes[axis]
        for name in groups:
            g = of.fitted.index(name)
            shift, tilt = arrays[f"refit_shift:{axis}"][:, g], arrays[f"refit_tilt:{axis}"][:, g]
            drawn = [
                float(((1 - cdf(m, m.score(kept[0]), Terms(s, b), kept[1])) @ spacing).mean())
                for m, s, b in zip(refits, shift, tilt, strict=True)
            ]
            found[f"{axis}: {name}"] = interval(mean_of(groups[name]), card.sources.by_group[axis][name], drawn)
    return found
