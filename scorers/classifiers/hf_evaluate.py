"""The scorer ``evaluate``: any measurement of the evaluate library that gives each text a number."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lm_plural.harness.errors import PluralError, UsageError, argument, did_you_mean
from lm_plural.harness.scoring import FloatArray, Sample, ScorerInfo
from lm_plural.scorers.base import TextScorer, hash_options, responses, version_of

# Three texts, all different: few measurements give exactly three numbers for another reason.
PROBE = ["A first text.", "Another one, a little longer.", "And a third text."]


def evaluate(
    *,
    measurement: str,
    dimension: str,
    key: str | None = None,
    options: dict[str, Any] | None = None,
    range: tuple[float, float] = (0.0, 1.0),
    direction: Literal["more", "less"] = "more",
    trust_remote_code: bool = False,
) -> TextScorer:
    """Make a scorer of a measurement of the evaluate library, tried once on three short texts (runs its script).

    A measurement is a script, also one that comes from the Hub: use only those you trust.

    Parameters
    ----------
    measurement : str
        Name on the Hub (``toxicity``, ``owner/name``) or path of a local script.
    dimension : str
        What its numbers mean: the name of the score's column.
    key : str, optional
        Which of the measurement's results to take; not needed if only one has a number for each text.
    options : dict, optional
        Keyword arguments of the measurement's ``compute``.
    range : tuple of float
        Least and greatest number it can give.
    direction : {"more", "less"}
        Whether a higher number means more or less of the dimension.
    trust_remote_code : bool
        Whether the user allowed the script to run.

    Returns
    -------
    TextScorer
        One dimension. Scores have shape (samples, 1), NaN for a missing or blank response. The version covers
        the script and the options, not models that the script downloads.

    Raises
    ------
    PluralError
        If the measurement cannot be loaded, fails, or gives one number for all texts; while scoring, if a
        number lies outside `range`.
    UsageError
        If the script is not allowed to run; if `key` is not one of its results, or is needed and not given.
    """
    if not trust_remote_code:
        raise UsageError(
            f"scorer 'evaluate' runs the script of measurement {measurement!r}; "
            f"where you trust it, allow that by {argument('trust_remote_code')}"
        )
    module = _load(measurement)
    texts_as = _argument(measurement, module)
    low, high = range

    def compute(texts: list[str]) -> dict[str, Any]:
        try:
            found: dict[str, Any] = module.compute(**{texts_as: texts}, **(options or {}))
        except Exception as e:  # it is someone's script: it can raise anything
            raise PluralError(f"measurement {measurement!r} failed: {type(e).__name__}: {e}") from e
        return found

    key = _key(measurement, key, compute(PROBE))

    def rate(samples: list[Sample]) -> FloatArray:
        rows = _per_text(compute(responses(samples))[key], len(samples))
        if rows is None:
            raise PluralError(f"measurement {measurement!r}: {key!r} is not one number for each text")
        outside = rows[(rows < low) | (rows > high)]
        if outside.size:
            raise PluralError(f"measurement {measurement!r} gave {outside[0]:g}, outside range: [{low:g}, {high:g}]")
        return rows

    info = ScorerInfo(
        name=f"evaluate:{Path(measurement).stem}",
        dimensions=(dimension,),
        range=(low, high),
        direction=direction,
        device="cpu",
        version=version_of(
            evaluate=version("evaluate"),
            # evaluate's own hash of the script and the files it imports
            script=f"sha256:{module._hash}",
            options=hash_options({"key": key, "options": options or {}}),
        ),
    )
    return TextScorer(info, rate)


def _load(measurement: str) -> Any:
    """Return the measurement, its script imported."""
    import evaluate as library

    try:
        # in memory: else every batch is written to a locked file in the cache and read back
        return library.load(measurement, module_type="measurement", keep_in_memory=True)
    except Exception as e:  # importing someone's script can raise anything
        raise PluralError(f"cannot load measurement {measurement!r}: {type(e).__name__}: {e}") from e


def _argument(measurement: str, module: Any) -> str:
    """Return the name under which the measurement takes texts."""
    features = module.features[0] if isinstance(module.features, list) else module.features
    for name in ("data", "predictions"):
        if name in features:
            return name
    raise PluralError(f"measurement {measurement!r} takes neither 'data' nor 'predictions' but {', '.join(features)}")


def _per_text(result: Any, texts: int) -> FloatArray | None:
    """Return `result` as an array of shape (texts,), or None if it is not one number for each text."""
    if not isinstance(result, list | tuple | np.ndarray):
        return None
    try:
        rows = np.asarray(result)
    except ValueError:  # lists of unequal length
        return None
    return rows.astype(np.float64) if rows.shape == (texts,) and rows.dtype.kind in "biuf" else None


def _key(measurement: str, key: str | None, found: dict[str, Any]) -> str:
    """Return which of the results found for the probe to take."""
    if key is not None and key not in found:
        near = did_you_mean(key, found)
        raise UsageError(f"measurement {measurement!r} has no result {key!r}{near} (it has {', '.join(found)})")
    usable = [k for k, result in found.items() if _per_text(result, len(PROBE)) is not None]
    wanted = [k for k in usable if key in (None, k)]
    if len(wanted) > 1:
        raise UsageError(f"measurement {measurement!r} has several results: say key: {' or '.join(wanted)}")
    if not wanted:
        forms = ", ".join(f"{k!r} is {_form(v)}" for k, v in found.items() if key in (None, k))
        hint = f"; say key: {' or '.join(usable)}" if usable else ""
        raise PluralError(f"measurement {measurement!r} cannot score each text: {forms}{hint}")
    return wanted[0]


def _form(result: Any) -> str:
    """Return what an unusable result is, in words."""
    is_number = isinstance(result, int | float | np.number)
    return "one number for all texts" if is_number else f"a {type(result).__name__}, not a number for each text"
