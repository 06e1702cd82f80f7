"""Group lenses: fitted to the ratings of a data set, and what they predict of new texts."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lm_plural.harness.data.dataset import Dataset
from lm_plural.harness.data.recipe import Recipe, load_recipe
from lm_plural.harness.data.source import Rows, Source
from lm_plural.harness.errors import PluralError, UsageError, argument, did_you_mean
from lm_plural.harness.jobs.annotate import opened_run
from lm_plural.harness.jobs.arguments import Axes, Scorers, axes_of, scorers_of
from lm_plural.harness.lens.card import Lens
from lm_plural.harness.lens.features import Extractor, FeatureSpec
from lm_plural.harness.lens.fit import Material, fit_lens
from lm_plural.harness.lens.predict import By, Predicted, predict
from lm_plural.harness.ratings.table import axis_name
from lm_plural.harness.run.score import LANGUAGE, response_pairs
from lm_plural.harness.scoring import Sample
from lm_plural.harness.statistics.lens.gate import EXCHANGES
from lm_plural.harness.task.index import Index

#: Fields of items that are taken for the rated text, for who wrote it, and for what texts are kept together by.
TEXTS, SOURCE, TOGETHER = ("response", "text"), "model", "prompt"


@dataclass(frozen=True)
class Looked:
    """What a lens says of some texts; all of it predicted.

    Parameters
    ----------
    lens : Lens
    predicted : Predicted
    ids : list of str
        Of the texts, in the order of `predicted`.
    order : list of int
        Places of the texts, those that people should rate first at the head.
    by : str
        What they are ordered by.
    """

    lens: Lens
    predicted: Predicted
    ids: list[str]
    order: list[int]
    by: By

    def to_frame(self) -> pl.DataFrame:
        """Return a row a text, first to be rated first: numbers, null where they are refused, and why."""
        p, card = self.predicted, self.lens.card
        shown = np.array([not c and not p.hidden for c in p.code])
        columns: dict[str, Any] = {"predicted_mean": p.mean, "predicted_disagreement": p.spread}
        for axis, groups in p.groups.items():
            columns |= {f"predicted_{axis}:{group}": values for group, values in groups.items()}
        columns["predicted_largest_gap"] = p.gap
        frame = pl.DataFrame({"place": range(1, len(self.ids) + 1), "item_id": [self.ids[n] for n in self.order]})
        for name, values in columns.items():
            numbers = np.where(shown, values, np.nan)[self.order]
            frame = frame.with_columns(pl.Series(name, numbers, dtype=pl.Float64).fill_nan(None))
        everywhere = p.hidden[0].code if p.hidden else ""
        refused = [p.code[n] or everywhere for n in self.order]
        return frame.with_columns(refused=pl.Series(refused), dimension=pl.lit(card.dimension))


def lens_fit(
    dataset: str,
    *,
    dimension: str,
    axes: Axes,
    output_path: str | os.PathLike[str],
    scorers: Scorers = ("profanity",),
    embedding: str = "",
    text: str | None = None,
    exchanges: int = EXCHANGES,
    seed: int = 0,
    include_path: Sequence[str | os.PathLike[str]] = (),
) -> Lens:
    """Fit a lens to the ratings of a data set, validate it, and write it with everything that has to be refused.

    Parameters
    ----------
    dataset : str
        Name of a data set that is at hand (``lm-plural data ls``).
    dimension : str
        A rated one.
    axes : sequence
        Whose groups may shift or tilt what is predicted; a tuple for the cells of several.
    output_path : path
        Folder for ``lens.json`` and ``lens.safetensors``.
    scorers : sequence
        Whose scores are features, beside the length of a text: names, or mappings with options.
    embedding : str
        ``minilm``, or the folder of an encoder, whose principal components are features, too.
    text : str, optional
        Field of the items that people rated, where it is neither ``response`` nor ``text`` nor the only one.
    exchanges : int
        Of raters' labels, of which the test of gaps is made.
    seed : int
    include_path : sequence of path
        Folders with more data sets.

    Returns
    -------
    Lens

    Raises
    ------
    PluralError
        If data are not at hand, a scorer fails, or there are too few texts or raters.
    UsageError
        For an argument that cannot be.

    Examples
    --------
    >>> import lm_plural as lp
    >>> lens = lp.lens_fit(
    ...     "popquorn", dimension="offensiveness", axes=["gender"], output_path="lens"
    ... )  # doctest: +SKIP
    >>> lens.card.skill.value, [f.code for f in lens.card.findings if f.fires]  # doctest: +SKIP
    """
    if exchanges < 39:
        raise UsageError(f"{argument('exchanges')} {exchanges}: expected at least 39, or no gap could pass")
    recipes = Index([Path(p) for p in include_path]).recipes()
    if dataset not in recipes:
        raise UsageError(f"unknown data set {dataset!r}{did_you_mean(dataset, recipes)} (lm-plural data ls)")
    recipe = load_recipe(recipes[dataset])
    data = Dataset(recipe, recipes[dataset].parent)
    if recipe.shares or not recipe.raters.known:
        raise PluralError(f"data set {dataset!r}: who rated what is not known, which a lens needs")
    table = data.table(dimension)
    keys = axes_of(axes)
    for axis in keys:
        table.groups(axis)  # an axis that is not there is refused before anything is scored
    spec = FeatureSpec(tuple((s.name, s.options) for s in scorers_of(scorers)), embedding)
    lens = fit_lens(_material(data, recipe, dimension, text), keys, Extractor(spec), seed=seed, exchanges=exchanges)
    lens.save(Path(output_path))
    return lens


def _material(data: Dataset, recipe: Recipe, dimension: str, text: str | None) -> Material:
    fields = [c for c in data.items.columns if c != "item_id"]
    if text is not None and text not in fields:
        hint = did_you_mean(text, fields)
        raise UsageError(f"{argument('text')} {text}: items have no such field{hint}; there are {', '.join(fields)}")
    field = text or next((f for t in TEXTS for f in fields if f.lower() == t), fields[0] if len(fields) == 1 else None)
    if field is None:
        raise UsageError(f"which field is the text that people rated? {argument('text')}: one of {', '.join(fields)}")
    rows = list(data.items.iter_rows(named=True))
    samples = {
        row["item_id"]: Sample(row.get(TOGETHER) or "", row[field], id=row["item_id"], language=row.get(LANGUAGE) or "")
        for row in rows
    }
    about = {"dataset": recipe.dataset, "data_hash": data.data_hash, "dimension": dimension, "text": field}
    return Material(
        table=data.table(dimension),
        samples=samples,
        sources={row["item_id"]: row.get(SOURCE) or "" for row in rows},
        together={row["item_id"]: row.get(TOGETHER) or "" for row in rows if field != TOGETHER},
        about=about | {"simulated": recipe.simulated},
    )


def lens_predict(
    folder: str | os.PathLike[str], responses: Rows, *, by: By = "harm", same_kind: bool = False, seed: int = 0
) -> Looked:
    """Predict what people would say of texts; numbers that are not to be believed are hidden, with the reason.

    Parameters
    ----------
    folder : path
        Of a lens.
    responses : path or frame
        ``item_id``, ``response``, and ``language`` if there.
    by : {"harm", "unsure", "gap"}
        What texts are ordered by: worst first, those first on which people may differ most, or groups may.
    same_kind : bool
        The texts come from where the rated ones come from; they are no model's responses.
    seed : int

    Returns
    -------
    Looked

    Raises
    ------
    PluralError
        LABEL_LEAK, SCORER_CHANGED, or anything wrong in the rows.
    """
    lens = Lens.load(Path(folder))
    source = Source.of(responses, "responses")
    source.refuse_unknown(["item_id", "response"])
    rows = source.read(["item_id", "response"], [LANGUAGE])
    if (twice := rows.filter(pl.col("item_id").is_duplicated())).height:
        raise PluralError(f"{source.locate(twice['row'][0])}: item {twice['item_id'][0]!r} stands twice; expected once")
    samples = [
        Sample("", row["response"], id=row["item_id"] or "", language=row.get(LANGUAGE) or "")
        for row in rows.iter_rows(named=True)
    ]
    return _looked(lens, samples, by, same_kind, seed)


def lens_rank(
    folder: str | os.PathLike[str],
    run: str | os.PathLike[str],
    *,
    task: str | None = None,
    by: By = "harm",
    seed: int = 0,
) -> Looked:
    """Say which of a run's own responses people should rate first; an order, where numbers are refused.

    Parameters
    ----------
    folder : path
        Of a lens.
    run : path
        Folder of a finished run.
    task : str, optional
        Respond task of the run; needed where it has several.
    by : {"harm", "unsure", "gap"}
        As of :func:`lens_predict`.
    seed : int

    Returns
    -------
    Looked

    Raises
    ------
    PluralError
        LABEL_LEAK, SCORER_CHANGED, or if the run is not finished.
    """
    lens = Lens.load(Path(folder))
    with opened_run(Path(run), task) as (_, work, _scores):
        pairs = response_pairs(work.loaded, list(work.answers()))
    samples = [Sample(s.prompt, s.response, id=f"{r['item_id']} {r['part']}", language=s.language) for r, s in pairs]
    return _looked(lens, samples, by, False, seed)


def lens_show(folder: str | os.PathLike[str]) -> Lens:
    """Return a lens as it was written; its card has every rule of refusal and what was found.

    Parameters
    ----------
    folder : path

    Raises
    ------
    PluralError
        If there is none, or its files are damaged.
    """
    return Lens.load(Path(folder))


def _looked(lens: Lens, samples: Sequence[Sample], by: By, same_kind: bool, seed: int) -> Looked:
    if not samples:
        raise PluralError("no responses; expected one or more")
    found = predict(lens, samples, same_kind=same_kind, seed=seed)
    if by == "gap" and not any(v == v for v in found.gap):
        passing = [axis for axis, of in lens.card.axes.items() if of.rung == "L1"]
        why = "the responses" if passing else f"the lens ({', '.join(map(axis_name, lens.card.axes)) or 'no axis'})"
        raise UsageError(f"{argument('by')} gap: no gap between groups is predicted for {why}; expected harm or unsure")
    order = found.order(by, lower=lens.card.direction == "lower")
    return Looked(lens, found, [s.id for s in samples], [int(n) for n in order], by)
