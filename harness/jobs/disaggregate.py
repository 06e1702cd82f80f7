"""Predictions of anyone's own against groups of raters, alone or two beside each other; no model needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, Unpack, cast, get_args

from lm_plural.harness.analysis.disaggregate import disaggregate as analyse
from lm_plural.harness.analysis.disaggregated import Disaggregated
from lm_plural.harness.analysis.options import Options
from lm_plural.harness.analysis.paired.changes import Paired
from lm_plural.harness.analysis.paired.compare import compare_predictions
from lm_plural.harness.data.own_files import NAMES, read_predictions, read_ratings, read_weights
from lm_plural.harness.data.source import Rows, Source
from lm_plural.harness.errors import UsageError, argument, did_you_mean
from lm_plural.harness.jobs.arguments import Axes, Levels, axes_of, rules_of, scale_of
from lm_plural.harness.ratings.coarsen import Coarsening, Neutral, to_three, to_two
from lm_plural.harness.ratings.rules import Chosen, Rules
from lm_plural.harness.ratings.scale import Direction, Scale
from lm_plural.harness.ratings.strategies import Strategy
from lm_plural.harness.ratings.table import RatingTable
from lm_plural.harness.statistics.inference import Inference
from lm_plural.harness.statistics.measures.agreement import Weights

#: Fewer levels, and for two of them where the middle goes.
Coarsen = Literal["3", "2:up", "2:down", "2:drop", "2:split"]


def disaggregate(
    ratings: Rows,
    *,
    scale: Levels,
    axes: Axes = (),
    predictions: Rows | None = None,
    columns: Mapping[str, str] | None = None,
    direction: Direction | None = None,
    reference: Strategy = Options.reference,
    coarsen: Coarsen | None = None,
    weights: Weights = Options.weights,
    item_weights: Rows | None = None,
    min_raters: int = Options.min_raters,
    inference: Inference = Options.inference,
    min_raters_interval: int = Options.min_raters_interval,
    draws: int = Options.draws,
    permutations: int = Options.permutations,
    strata: str | None = None,
    seed: int = Options.seed,
    **rules: Unpack[Chosen],
) -> Disaggregated:
    """Compare predictions with every group of raters; without predictions, describe the groups.

    Parameters
    ----------
    ratings : path or frame
        One row per rating: ``item_id``, ``rater_id``, ``rating``, ``weight`` if there, and a column per axis (several
        values separated by ``|``). A path names CSV, JSON lines or Parquet; a frame is one of polars or pandas.
    scale : sequence or Scale
        Levels as they stand in the ratings, lowest first.
    axes : sequence
        Columns with groups; a tuple of them for their cells.
    predictions : path or frame, optional
        ``item_id`` and either ``p1..pK`` (probabilities in scale order) or ``prediction`` (a level).
    columns : mapping, optional
        How the ratings call ``item_id``, ``rater_id``, ``rating`` or ``weight``: ``{"item_id": "comment"}``.
    direction : {"lower", "higher"}, optional
        Which end of the scale is better, by default that of `scale`, and ``lower`` of a list of levels.
    reference : str
        Disagreement strategy; anything but ``all`` is a sensitivity analysis.
    coarsen : {"3", "2:up", "2:down", "2:drop", "2:split"}, optional
        Fewer levels, for ratings and predictions; of two, where the middle goes.
    weights : {"items", "pairs"}
        The average item, or the average pair of raters.
    item_weights : path or frame, optional
        ``item_id`` and ``weight``; an item without one has 0.
    min_raters, min_raters_interval : int
        Least raters of a group for its statistics, and for their intervals.
    inference : {"items+raters", "raters", "items", "none"}
        What else might have been drawn.
    draws, permutations : int
        Joint draws of all groups; of raters between groups.
    strata : str, optional
        An axis within whose groups raters are permuted.
    seed : int
        Of draws and permutations.
    **rules : str
        What to do with troublesome rows (``duplicates="first"``): those of
        :class:`~lm_plural.harness.ratings.rules.Chosen`, each as in its neighbour ``Rules``.

    Returns
    -------
    Disaggregated

    Raises
    ------
    PluralError
        For anything wrong in the rows, with file and line.
    UsageError
        For an argument that cannot be.

    Examples
    --------
    Twelve people rate six texts; a model gives each level a probability.

    >>> import polars as pl
    >>> import lm_plural as lp
    >>> people = [(f"r{j}", "woman" if j % 2 else "man") for j in range(12)]
    >>> ratings = pl.DataFrame(
    ...     [(f"i{i}", r, (i * j) % 5 + 1, g) for i in range(6) for j, (r, g) in enumerate(people)],
    ...     schema=["item_id", "rater_id", "rating", "gender"], orient="row",
    ... )
    >>> says = pl.DataFrame({"item_id": [f"i{i}" for i in range(6)], "prediction": [1, 2, 3, 3, 4, 5]})
    >>> result = lp.disaggregate(ratings, scale=[1, 2, 3, 4, 5], axes=["gender"], predictions=says)
    >>> sorted(result.by_group["gender"])
    ['man', 'woman']
    >>> round(result.by_group["gender"]["woman"].statistics["bias"].value, 3)
    0.611
    """
    whole = scale_of(scale, direction)
    strata_axes = [strata] if strata else []
    table = read_table(ratings, whole, axes, rules_of(rules), columns, strata_axes)
    predicted = None if predictions is None else read_predictions(predictions, whole)
    options = Options(
        min_raters=min_raters,
        weights=weights,
        reference=reference,
        coarsening=coarsening_of(coarsen, whole),
        inference=inference,
        min_raters_interval=min_raters_interval,
        item_weights=None if item_weights is None else read_weights(item_weights),
        draws=draws,
        permutations=permutations,
        seed=seed,
        strata=strata,
    )
    return analyse(table, predicted, axes_of(axes), options)


def compare(
    ratings: Rows,
    first: Rows,
    second: Rows,
    *,
    scale: Levels,
    axes: Axes = (),
    columns: Mapping[str, str] | None = None,
    direction: Direction | None = None,
    coarsen: Coarsen | None = None,
    weights: Weights = Options.weights,
    item_weights: Rows | None = None,
    min_raters: int = Options.min_raters,
    inference: Inference = Options.inference,
    min_raters_interval: int = Options.min_raters_interval,
    draws: int = Options.draws,
    seed: int = Options.seed,
    **rules: Unpack[Chosen],
) -> Paired:
    """Compare two sets of predictions on the items both predict, for every group: first less second.

    Whole runs cannot be compared yet, only predictions in a file or frame.

    Parameters
    ----------
    ratings : path or frame
    first, second : path or frame
        As `predictions` of :func:`disaggregate`.
    scale, axes, columns, direction, coarsen, weights, item_weights, min_raters, inference
        As there.
    min_raters_interval, draws, seed : int
        As there.
    **rules : str
        As there.

    Returns
    -------
    Paired
        In divergence and rps, a change above 0 means that the first set is farther from the group.

    Raises
    ------
    PluralError
        For anything wrong in the rows, or if both sets have no rated item in common.
    UsageError
        For an argument that cannot be.

    Examples
    --------
    >>> import polars as pl
    >>> import lm_plural as lp
    >>> ratings = pl.DataFrame(
    ...     [(f"i{i}", f"r{j}", (i * j) % 5 + 1, "ab"[j % 2]) for i in range(6) for j in range(24)],
    ...     schema=["item_id", "rater_id", "rating", "team"], orient="row",
    ... )
    >>> items = [f"i{i}" for i in range(6)]
    >>> new = pl.DataFrame({"item_id": items, "prediction": [1, 3, 3, 3, 3, 1]})
    >>> old = pl.DataFrame({"item_id": items, "prediction": [5, 5, 5, 5, 5, 5]})
    >>> change = lp.compare(ratings, new, old, scale=range(1, 6), axes=["team"])
    >>> change.overall.statistics["divergence"].value < 0
    True
    """
    whole = scale_of(scale, direction)
    table = read_table(ratings, whole, axes, rules_of(rules), columns)
    a, b = read_predictions(first, whole, "first"), read_predictions(second, whole, "second")
    options = Options(
        min_raters=min_raters,
        weights=weights,
        coarsening=coarsening_of(coarsen, whole),
        inference=inference,
        min_raters_interval=min_raters_interval,
        item_weights=None if item_weights is None else read_weights(item_weights),
        draws=draws,
        seed=seed,
    )
    return compare_predictions(table, a, b, axes_of(axes), options)


def coarsening_of(text: str | None, scale: Scale) -> Coarsening | None:
    """Return the map ``3`` or ``2:NEUTRAL`` stands for.

    Raises
    ------
    UsageError
        If it is neither, or the scale has no middle level.
    """
    if text is None:
        return None
    levels, _, neutral = str(text).partition(":")
    if levels == "2" and neutral in get_args(Neutral):
        return to_two(scale, cast(Neutral, neutral))
    if text in ("3", 3):
        return to_three(scale)
    raise UsageError(f"{argument('coarsen')} {text}: expected 3, 2:up, 2:down, 2:drop or 2:split")


def read_table(
    ratings: Rows | Source,
    scale: Scale,
    axes: Axes,
    rules: Rules,
    columns: Mapping[str, str] | None = None,
    more: Iterable[str] = (),
) -> RatingTable:
    """Read ratings with the columns of `axes`, and `more`.

    Raises
    ------
    PluralError
        For anything wrong in the rows.
    UsageError
        For a column that is not there.
    """
    columns = columns or {}
    for name in columns:
        if name not in NAMES:
            hint = did_you_mean(name, NAMES)
            raise UsageError(f"{argument('columns')} {name!r}: expected one of {', '.join(NAMES)}{hint}")
    source, wanted = Source.of(ratings, "ratings"), [*axes_of(axes), *more]
    single = [name for axis in wanted for name in ([axis] if isinstance(axis, str) else axis)]
    source.refuse_unknown([*columns.values(), *single], [n for n in NAMES[:3] if n not in columns])
    return read_ratings(source, scale, wanted, rules, columns)
