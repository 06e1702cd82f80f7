"""Fitting a lens: features, validation, the ladder, and what has to be refused."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from lm_plural.harness.arrays import Floats
from lm_plural.harness.errors import PluralError
from lm_plural.harness.lens.card import (
    AxisCard,
    Card,
    Finding,
    Gap,
    GroupCard,
    Lens,
    Mended,
    Number,
    Rung,
    Sources,
    hashes,
)
from lm_plural.harness.lens.features import Extractor, Standard
from lm_plural.harness.ratings.table import UNDECLARED, Axis, RatingTable, axis_name
from lm_plural.harness.scoring import Sample
from lm_plural.harness.statistics.counts import Coded, Ints
from lm_plural.harness.statistics.lens.calibration import MOST_ERROR, SLOPES, Calibration, calibration, mend, mended
from lm_plural.harness.statistics.lens.gate import EXCHANGES, LEVEL, gap_slopes
from lm_plural.harness.statistics.lens.likeness import farthest
from lm_plural.harness.statistics.lens.ordinal import Pooled, Terms, cdf, fit_pooled
from lm_plural.harness.statistics.lens.split import Rated, Split, cells, train
from lm_plural.harness.statistics.lens.validate import (
    Everyone,
    choose_shift,
    fitted_terms,
    rater_weights,
    validate_axis,
    validate_everyone,
    validate_sources,
)
from lm_plural.harness.statistics.measures.reliability import LEAST_RELIABILITY, reliability

#: Texts, raters, and raters of a group, below which nothing is fitted.
LEAST_ITEMS, LEAST_RATERS, LEAST_OF_GROUP = 60, 10, 10
#: Models whose texts were rated, below which nothing is said of another model's.
LEAST_SOURCES = 5
#: Refits by which an interval knows how far the lens itself may be off.
REFITS = 50
#: Share of the skill on new raters that must be left on texts of a model that was left out.
TRANSPORTED = 0.5


@dataclass(frozen=True)
class Material:
    """What a lens is fitted on.

    Parameters
    ----------
    table : RatingTable
        On one scale.
    samples : mapping of str to Sample
        The text of each item.
    sources : mapping of str to str
        Which model wrote the text of an item, where that is known.
    together : mapping of str to str
        Items with the same value are never on two sides of a split.
    about : mapping
        ``dataset``, ``data_hash``, ``dimension``, ``text`` and ``simulated`` of the card.
    """

    table: RatingTable
    samples: Mapping[str, Sample]
    sources: Mapping[str, str]
    together: Mapping[str, str]
    about: Mapping[str, Any]


def fit_lens(
    material: Material, axes: Sequence[Axis], extractor: Extractor, *, seed: int = 0, exchanges: int = EXCHANGES
) -> Lens:
    """Fit a lens and validate it.

    Raises
    ------
    PluralError
        If there are too few texts or raters.
    UsageError
        If an axis does not exist.
    """
    rng = np.random.default_rng(seed)
    table, scale = material.table, material.table.scale
    members = {axis_name(axis): table.groups(axis) for axis in axes}
    ids, scores, embedded, notes = _texts(material, extractor)
    standard = Standard.of(scores, embedded)
    x, z = standard.apply(scores, embedded)
    coded, raters = _coded(table, ids, scale.positions)
    if len(ids) < LEAST_ITEMS or len(raters) < LEAST_RATERS:
        least = f"at least {LEAST_ITEMS} and {LEAST_RATERS}"
        raise PluralError(f"{len(ids)} rated texts with all scores and {len(raters)} raters; a lens needs {least}")
    rated = Rated(coded, x, z)
    clusters = _codes([material.together.get(i) or _same(material.samples[i].response) for i in ids])
    every = np.ones(len(coded.item), dtype=bool)
    split = Split.draw(clusters, np.zeros(len(raters), dtype=np.int64), rng)
    known = validate_everyone(rated, cells(rated, split, clusters), clusters, rng)
    weight, icc = rater_weights(rated, known)
    pooled, spread = train(rated, every, clusters)
    fine, own = _calibrated(known.cdfs, coded.level, rated.spacing, known.cell, split.fold[coded.item])
    findings = [_skill(known), _calib("", fine)]
    arrays: dict[str, Any] = {"cuts": pooled.cuts, "beta": pooled.beta, "x": x, **vars(standard)}
    cards = {}
    for axis, groups in members.items():
        work = _AxisWork(rated, axis, raters, groups, weight, clusters, rng, exchanges)
        cards[axis], terms = work.fit(pooled)
        findings += work.findings
        arrays |= {f"shift:{axis}": terms.shift, f"tilt:{axis}": terms.tilt}
    sources = None
    if len(names := sorted({material.sources.get(i, "") for i in ids} - {""})) >= LEAST_SOURCES:
        code = {n: k for k, n in enumerate(names)}
        origin = np.array([code.get(material.sources.get(i, ""), len(names)) for i in ids])
        sources = _transported(rated, origin, names, clusters, cards, arrays, raters, members)
        arrays |= _refits(rated, spread, cards, weight, raters, members, rng)
    salt = secrets.token_hex(16)
    texts = [material.samples[i].response or "" for i in ids]
    arrays |= {"texts": hashes(texts, salt), "raters": hashes(raters, salt)}
    findings = [*findings, _transport(sources, known, len(names)), *_later(farthest(x), extractor)]
    languages = sorted({s.language for i in ids if (s := material.samples[i]).language}) or extractor.languages
    card = Card(
        **material.about,
        levels=scale.levels,
        labels=scale.labels,
        positions=scale.positions,
        direction=scale.direction,
        languages=tuple(languages),
        n_items=len(ids),
        n_raters=len(raters),
        n_ratings=len(coded.item),
        notes=(*map(str, table.exclusions), *notes),
        scorers=tuple({"name": n, "options": dict(o)} for n, o in extractor.spec.scorers),
        embedding=extractor.spec.embedding,
        versions=extractor.versions,
        features=tuple(extractor.names),
        components=standard.basis.shape[1],
        spread=spread,
        icc=icc,
        seed=seed,
        exchanges=exchanges,
        skill=Number.of(known.skill),
        r=known.r,
        r_new=known.r_new,
        first_fifth=_first_fifth(rated, known, lower=scale.direction == "higher"),
        error=fine.error,
        slope=fine.slope,
        mended=own,
        farthest=farthest(x),
        axes=cards,
        sources=sources,
        findings=tuple(findings),
        salt=salt,
        arrays="",
    )
    return Lens(card, arrays)


def _texts(material: Material, extractor: Extractor) -> tuple[list[str], Floats, Floats, list[str]]:
    """Return the rated items that have all features, their scores and embeddings, and how many were left out."""
    rated = material.table.ratings["item_id"].unique(maintain_order=True).to_list()
    ids = [i for i in rated if i in material.samples and (material.samples[i].response or "").strip()]
    samples = [material.samples[i] for i in ids]
    scores = extractor.scores(samples)
    kept = np.flatnonzero(~np.isnan(scores).any(axis=1))
    embedded = extractor.embed([samples[n] for n in kept])
    left = len(rated) - len(kept)
    notes = [f"{left} rated texts left out: empty, or a scorer has no value for them"] if left else []
    return [ids[n] for n in kept], scores[kept], embedded, notes


def _coded(table: RatingTable, ids: Sequence[str], positions: Sequence[float]) -> tuple[Coded, list[str]]:
    items = pl.DataFrame({"item_id": ids, "item": np.arange(len(ids))})
    found = table.ratings.join(items, on="item_id", maintain_order="left")
    raters = found["rater_id"].unique().sort().to_list()
    codes = pl.DataFrame(
        {"rater_id": raters, "rater": np.arange(len(raters))}, schema_overrides={"rater_id": pl.String}
    )
    found = found.join(codes, on="rater_id", maintain_order="left")
    item, rater, level = (found[c].to_numpy().astype(np.int64) for c in ("item", "rater", "level"))
    return Coded(item, rater, level, len(ids), len(raters), np.asarray(positions, dtype=np.float64)), raters


def _codes(names: Sequence[str]) -> Ints:
    return np.unique(np.array(names, dtype=object).astype(str), return_inverse=True)[1].reshape(-1)


def _same(text: str | None) -> str:
    """Return a text as it is compared with others: two that differ in case or spaces only are one."""
    return " ".join((text or "").casefold().split())


class _AxisWork:
    """An axis from memberships to its place on the ladder."""

    def __init__(
        self,
        rated: Rated,
        axis: str,
        raters: Sequence[str],
        groups: pl.DataFrame,
        weight: Floats,
        clusters: Ints,
        rng: np.random.Generator,
        exchanges: int,
    ) -> None:
        self.rated, self.axis, self.weight, self.clusters, self.rng = rated, axis, weight, clusters, rng
        self.exchanges = exchanges
        self.names, self.member = membership(raters, groups)
        self.findings: list[Finding] = []

    def fit(self, pooled: Pooled) -> tuple[AxisCard, Terms]:
        """Return the card of the axis and the terms of its groups."""
        groups = self._groups()
        used = [n for n, name in enumerate(self.names) if not groups[name].refused]
        nothing = Terms(np.zeros((0, self.rated.k)), np.zeros((0, self.rated.z.shape[1])))
        if len(used) < 2:
            why = f"{len(used)} groups left that are rated reliably; nothing to compare"
            self.findings += [self._finding(code, fires=True, text=why) for code in ("LENS_NO_SHIFT", "LENS_NO_GAP")]
            return AxisCard(groups=groups, fitted=(), rung="P", spread=0.0), nothing
        names, member = [self.names[n] for n in used], self.member[:, used]
        strata = np.where(member.any(axis=1), member.argmax(axis=1), -1)
        split = Split.draw(self.clusters, strata, self.rng)
        found = cells(self.rated, split, self.clusters)
        rungs = validate_axis(self.rated, found, member, self.weight)
        gaps = gap_slopes(self.rated, found, member, split.half, self.weight, self.rng, exchanges=self.exchanges)
        shifted, tilted = rungs.shift.high < 0, gaps.axis.passes and not rungs.tilt.low > 0
        rung: Rung = "P" if not shifted else "L1" if tilted else "L0"
        self._gates(rungs.shift, rungs.chosen, gaps.axis.p, gaps.axis.value, rungs.tilt.low)
        every = np.ones(len(self.rated.coded.item), dtype=bool)
        spread = choose_shift(self.rated, every, member, self.weight, pooled, pooled.score(self.rated.x))
        spread = (spread or max(rungs.chosen)) if shifted else 0.0
        terms = fitted_terms(self.rated, every, member, self.weight, pooled, spread, tilted=rung == "L1")
        cell = np.zeros(len(self.rated.coded.item), dtype=np.int64)
        for n, part in enumerate(found):
            cell[part.test] = n
        for g, name in enumerate(names) if rung != "P" else ():
            at = rungs.group == g
            row = rungs.rows[at]
            level, fold = self.rated.coded.level[row], split.fold[self.rated.coded.item[row]]
            fine, own = _calibrated(rungs.cdfs[rung][at], level, self.rated.spacing, cell[row], fold)
            self.findings.append(_calib(f"{self.axis}: {name}", fine))
            refused = "" if fine.fine else f"CALIB: {self.findings[-1].text}"
            update = {"error": fine.error, "slope": fine.slope, "mended": own, "refused": refused}
            groups[name] = groups[name].model_copy(update=update)
        pairs = [
            Gap(groups=(names[a], names[b]), slope=s.value, p=s.p, passes=gaps.axis.passes and s.passes)
            for (a, b), s in gaps.pairs.items()
        ]
        card = AxisCard(
            groups=groups,
            fitted=tuple(names),
            rung=rung,
            spread=spread,
            skill=Number.of(rungs.skill),
            shift=Number.of(rungs.shift),
            tilt=Number.of(rungs.tilt),
            chosen=rungs.chosen,
            gap=Gap(slope=gaps.axis.value, p=gaps.axis.p, passes=gaps.axis.passes),
            pairs=tuple(pairs),
        )
        return card, terms

    def _groups(self) -> dict[str, GroupCard]:
        """Return all groups; those with too few raters or too unreliable ratings are refused."""
        coded = self.rated.coded
        counts = self.rated.counts(np.ones(len(coded.item), dtype=bool), self.member)
        rel = reliability(np.moveaxis(counts, 0, 1), coded.positions)
        out = {}
        for g, name in enumerate(self.names):
            n, r = int(self.member[:, g].sum()), None if np.isnan(rel[g]) else float(rel[g])
            why = f"{n} raters, needs {LEAST_OF_GROUP}" if n < LEAST_OF_GROUP else ""
            if not why and (r is None or r < LEAST_RELIABILITY):
                why = f"reliability of its item means {_two(r)}, needs {LEAST_RELIABILITY}"
            why = "undeclared is no group to speak of" if name == UNDECLARED else why
            if name != UNDECLARED:
                text = why or f"{n} raters, reliability {_two(r)}"
                self.findings.append(self._finding("UNRELIABLE_REF", fires=bool(why), text=text, of=name))
            refused = f"UNRELIABLE_REF: {why}" if why else ""
            out[name] = GroupCard(n_raters=n, n_ratings=int(counts[g].sum()), reliability=r, refused=refused)
        return out

    def _gates(self, shift: Any, chosen: Sequence[float], p: float, slope: float, tilt: float) -> None:
        gain = f"shifts change the error of prediction by {_gain(shift.value)} {_span(shift)}"
        if not any(chosen):
            gain = "new raters are predicted best without shifts"
        self.findings.append(self._finding("LENS_NO_SHIFT", fires=not shift.high < 0, text=f"{gain}; needs below 0"))
        text = f"gap slope {slope:.2f}, p {p:.3f} of exchanged labels; needs {LEVEL} or less"
        harm = " (but tilted slopes predict worse)" if tilt > 0 else ""
        self.findings.append(self._finding("LENS_NO_GAP", fires=not p <= LEVEL or bool(harm), text=text + harm))

    def _finding(self, code: str, *, fires: bool, text: str, of: str = "") -> Finding:
        return Finding(code=code, about=f"{self.axis}: {of}" if of else self.axis, fires=fires, text=text)


def membership(raters: Sequence[str], groups: pl.DataFrame) -> tuple[list[str], Floats]:
    """Return names of groups and who is in them, shape (R, G), of raters with ratings."""
    place = {r: n for n, r in enumerate(raters)}
    rows = [(place[r], g) for r, g in groups.iter_rows() if r in place]
    names = sorted({g for _, g in rows})
    member, of = np.zeros((len(raters), len(names))), {g: n for n, g in enumerate(names)}
    for r, g in rows:
        member[r, of[g]] = 1
    return names, member


def _calibrated(
    cdfs: Floats, level: Ints, spacing: Floats, cell: Ints, fold: Ints
) -> tuple[Calibration, Mended | None]:
    """Return how well predictions are calibrated, after mending them once if they are not, and how they are mended."""
    known = cell >= 0
    cdfs, level, cell, fold = cdfs[known], level[known], cell[known], fold[known]
    found = calibration(cdfs, level, spacing, cell)
    if found.fine:
        return found, None
    found = calibration(mended(cdfs, level, fold), level, spacing, cell)
    own = mend(cdfs, level)
    return found, Mended(shift=own.shift, factor=own.factor)


def _skill(known: Everyone) -> Finding:
    text = f"skill {known.skill.value:.2f} {_span(known.skill, 2)} on new texts and raters; its lower end needs above 0"
    return Finding(code="LENS_NO_SKILL", fires=not known.skill.low > 0, text=text)


def _calib(about: str, found: Calibration) -> Finding:
    needs = f"need at most {MOST_ERROR} and {SLOPES[0]} to {SLOPES[1]}"
    text = f"predicted shares off by {found.error:.3f}, slope {found.slope:.2f}; {needs}"
    return Finding(code="CALIB", about=about, fires=not found.fine, text=text)


def _transport(sources: Sources | None, known: Everyone, n: int) -> Finding:
    if sources is None:
        text = (
            f"not validated for model responses: the texts are by {n or 'no'} known models, and it takes "
            f"{LEAST_SOURCES} to leave one out; of a model's responses only the order is given"
        )
        return Finding(code="LENS_NOT_TRANSPORTED", fires=True, text=text)
    skill = sources.skill.value or 0.0
    text = f"skill {skill:.2f} on texts of a model left out, {known.skill.value:.2f} on new texts and raters"
    return Finding(
        code="LENS_NOT_TRANSPORTED",
        fires=skill < TRANSPORTED * known.skill.value,
        text=f"{text}; needs {TRANSPORTED:.0%} of it",
    )


def _later(limit: float, extractor: Extractor) -> list[Finding]:
    """Return what is looked at when texts are predicted."""
    what = {
        "OOD_ITEM": f"a text farther than {limit:.2f} from its 10 nearest has no prediction; over 20 %: none has",
        "SHIFT": "texts that can be told from those people rated: AUC above .8 is said, above .95 refuses",
        "LANGUAGE": f"a text not in {', '.join(extractor.languages) or 'the languages of the rated texts'} has none",
        "SCORER_CHANGED": f"another version of {', '.join(extractor.versions) or 'a scorer'} stops the command",
        "LABEL_LEAK": "a text or rater that the lens was fitted on stops the command",
    }
    return [Finding(code=code, fires=None, text=text) for code, text in what.items()]


def _first_fifth(rated: Rated, known: Everyone, *, lower: bool) -> float | None:
    """Return how many of the tenth of texts that people found worst are among the fifth that the lens puts first."""
    c, at = rated.coded, known.cell >= 0
    n = np.bincount(c.item[at], minlength=c.n_items)
    items = np.flatnonzero(n > 0)
    p, y = (np.bincount(c.item[at], v[at], c.n_items)[items] / n[items] for v in (rated.mean(known.cdfs), rated.value))
    sign = 1 if lower else -1
    if len(items) < LEAST_ITEMS:
        return None
    worst = np.argsort(sign * y, kind="stable")[: len(items) // 10]
    first = np.argsort(sign * p, kind="stable")[: len(items) // 5]
    return float(np.isin(worst, first).mean())


def _transported(
    rated: Rated,
    origin: Ints,
    names: Sequence[str],
    clusters: Ints,
    cards: Mapping[str, AxisCard],
    arrays: Mapping[str, Any],
    raters: Sequence[str],
    members: Mapping[str, pl.DataFrame],
) -> Sources:
    """Return what is left of the lens on texts of a model it has not seen, and how far its means were off there."""
    c = rated.coded
    skill, cdfs, models = validate_sources(rated, origin, clusters)
    rest, of = rated.value - rated.mean(cdfs), origin[c.item]
    errors = [float(rest[of == s].mean()) for s in range(len(names))]
    by_group: dict[str, dict[str, tuple[float, ...]]] = {}
    for axis, card in cards.items():
        found, member = membership(raters, members[axis])
        terms = Terms(arrays[f"shift:{axis}"], arrays[f"tilt:{axis}"])
        for g, name in enumerate(card.fitted):
            mine = member[c.rater, found.index(name)] > 0
            one = Terms(terms.shift[g], terms.tilt[g])
            means = [rated.mean(cdf(m, m.score(rated.x), one, rated.z)) for m in models[: len(names)]]
            each = [
                float((rated.value - means[s][c.item])[mine & (of == s)].mean()) if (mine & (of == s)).any() else 0.0
                for s in range(len(names))
            ]
            by_group.setdefault(axis, {})[name] = tuple(each)
    return Sources(names=tuple(names), skill=Number.of(skill), errors=tuple(errors), by_group=by_group)


def _refits(
    rated: Rated,
    spread: float,
    cards: Mapping[str, AxisCard],
    weight: Floats,
    raters: Sequence[str],
    members: Mapping[str, pl.DataFrame],
    rng: np.random.Generator,
) -> dict[str, Floats]:
    """Return the model fitted again with random weights of items and of raters, 50 times."""
    c = rated.coded
    every = np.ones(len(c.item), dtype=bool)
    out: dict[str, list[Floats]] = {}
    for _ in range(REFITS):
        items, people = rng.exponential(size=c.n_items), rng.exponential(size=c.n_raters)
        model = fit_pooled(rated.counts(every, people[:, None])[0] * items[:, None], rated.x, spread)
        out.setdefault("refit_cuts", []).append(model.cuts)
        out.setdefault("refit_beta", []).append(model.beta)
        for axis, card in cards.items():
            found, member = membership(raters, members[axis])
            used = member[:, [found.index(n) for n in card.fitted]] * people[:, None]
            terms = fitted_terms(rated, every, used, weight, model, card.spread, tilted=card.rung == "L1")
            out.setdefault(f"refit_shift:{axis}", []).append(terms.shift)
            out.setdefault(f"refit_tilt:{axis}", []).append(terms.tilt)
    return {name: np.stack(parts) for name, parts in out.items()}


def _two(value: float | None) -> str:
    return "not known" if value is None else f"{value:.2f}"


def _gain(value: float) -> str:
    return f"{value:+.5f}"


def _span(mean: Any, digits: int = 5) -> str:
    return "(no interval)" if np.isnan(mean.low) else f"[{mean.low:.{digits}f}, {mean.high:.{digits}f}]"
