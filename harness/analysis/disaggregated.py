"""The result of a disaggregation: groups, their statistics and differences, and how they stand in files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from lm_plural.harness.analysis.group import Group, header
from lm_plural.harness.analysis.options import Options
from lm_plural.harness.analysis.overview import OneResult
from lm_plural.harness.errors import UsageError, did_you_mean
from lm_plural.harness.files import to_json, write_atomic
from lm_plural.harness.ratings.scale import Scale
from lm_plural.harness.statistics.uncertainty.multiplicity import holm


@dataclass(frozen=True)
class AxisResult:
    """One axis: its groups, and what is between them as JSON types (schema in docs/files.md)."""

    groups: dict[str, Group]
    contrasts: list[dict[str, Any]] = field(default_factory=list)
    between: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the axis as JSON types."""
        groups = {g: v.to_dict() for g, v in self.groups.items()}
        return {"groups": groups, "contrasts": self.contrasts, **self.between}


@dataclass(frozen=True, repr=False)
class Disaggregated(OneResult):
    """A result with its groups, in the manner of fairlearn's MetricFrame.

    Attributes
    ----------
    overall : Group
        All raters as one group.
    axes : dict of str to AxisResult

    Examples
    --------
    >>> import polars as pl
    >>> import lm_plural as lp
    >>> ratings = pl.DataFrame(
    ...     [(f"i{i}", f"r{j}", (i * j) % 5 + 1, "ab"[j % 2]) for i in range(6) for j in range(24)],
    ...     schema=["item_id", "rater_id", "rating", "team"], orient="row",
    ... )
    >>> result = lp.disaggregate(ratings, scale=[1, 2, 3, 4, 5], axes=["team"])
    >>> round(result.by_group["team"]["a"].statistics["item_mean"].value, 2)
    2.25
    >>> result.difference("item_mean", "team", to="b")["value"].round(2).to_list()
    [-0.14]
    """

    scale: Scale
    overall: Group
    axes: dict[str, AxisResult]
    options: Options
    notes: tuple[str, ...] = ()

    def _head(self) -> str:
        o = self.overall
        what = "predictions against" if "divergence" in o.statistics else "ratings only,"
        return f"Disaggregated: {what} {o.n_raters:,} raters, {o.n_ratings:,} ratings of {o.n_items:,} items"

    @property
    def by_group(self) -> dict[str, dict[str, Group]]:
        """Groups by axis, then name."""
        return {axis: a.groups for axis, a in self.axes.items()}

    def contrasts(self, statistic: str | None = None, axis: str | None = None) -> pl.DataFrame:
        """Return all signed differences, one row each, with p and simultaneous intervals of their family.

        Raises
        ------
        UsageError
            If there is no such statistic or axis.
        """
        rows = [{"axis": name} | row for name, a in self._chosen(axis) for row in a.contrasts]
        _known("statistic", statistic, {r["statistic"] for r in rows})
        return frame_of(r for r in rows if statistic in (None, r["statistic"]))

    def difference(self, statistic: str, axis: str, to: str | None = None) -> pl.DataFrame:
        """Return each group's difference to all others or, if named, to one group, signed group minus `to`.

        Raises
        ------
        UsageError
            If there is no such statistic, axis or group.
        """
        rows = self.contrasts(statistic, axis).to_dicts()
        _known("group", to, set(self.axes[axis].groups))
        if to is None:
            return frame_of(r for r in rows if r["kind"] == "rest")
        pairs = [r for r in rows if r["kind"] == "pairs" and to in (r["a"], r["b"])]
        return frame_of(r if r["b"] == to else _turned(r) for r in pairs)

    def spread(self, statistic: str | None = None, axis: str | None = None) -> pl.DataFrame:
        """Return how far the groups of an axis are apart: tau, the corrected SD, and an interval for the range."""
        rows = [
            {"axis": name, "statistic": s, "tau": v["tau"], "tau2": v["tau2"], "flags": v["flags"]}
            | {"range_low": v["range"]["low"], "range_high": v["range"]["high"]}
            for name, a in self._chosen(axis)
            for s, v in a.between.get("spread", {}).items()
        ]
        _known("statistic", statistic, {str(r["statistic"]) for r in rows})
        return frame_of(r for r in rows if statistic in (None, r["statistic"]))

    @property
    def families(self) -> list[dict[str, Any]]:
        """For each statistic, whether any two groups of an axis differ, with Holm's adjustment over the axes."""
        return families({name: axis.contrasts for name, axis in self.axes.items()})

    def to_frame(self) -> pl.DataFrame:
        """Return every statistic of every group, one row each."""
        groups = [("", "all", self.overall)]
        groups += [(axis, g, v) for axis, a in self.axes.items() for g, v in a.groups.items()]
        return frame_of(
            {"axis": axis, "group": name, "statistic": s}
            | number.to_dict()
            | {"n_items": g.n_items, "n_raters": g.n_raters, "n_ratings": g.n_ratings, "flags": list(g.flags)}
            for axis, name, g in groups
            for s, number in g.statistics.items()
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the block as JSON types (schema in docs/files.md)."""
        return header(self.scale, self.options) | {
            "notes": list(self.notes),
            "overall": self.overall.to_dict(),
            "axes": {axis: a.to_dict() for axis, a in self.axes.items()},
            "families": self.families,
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the block as JSON.

        Raises
        ------
        PluralError
            If it cannot be written.
        """
        write_atomic(Path(path), to_json(self.to_dict()))

    def plot(self, kind: str = "forest", *, statistic: str | None = None, axis: str | None = None) -> Any:
        """Return an altair chart of a kind of :data:`~lm_plural.harness.pictures.plots.KINDS`.

        Such as ``forest``: groups with intervals; ``heat_map``: distances between groups.

        Raises
        ------
        PluralError
            If altair is not installed (extra ``plots``).
        UsageError
            If there is no such kind, statistic or axis.
        """
        from lm_plural.harness.pictures import plots

        _known("kind", kind, set(plots.KINDS))
        return plots.KINDS[kind](self.to_dict(), statistic, axis)

    def save_plots(self, folder: Path, suffix: str = ".svg") -> list[Path]:
        """Write every picture of the result into a folder; suffix .svg, .png or .html."""
        from lm_plural.harness.pictures import plots

        charts = plots.plots(self.to_dict())
        paths = [folder / f"{name}{suffix}" for name in charts]
        for path, chart in zip(paths, charts.values(), strict=True):
            plots.save(chart, path)
        return paths

    def _chosen(self, axis: str | None) -> list[tuple[str, AxisResult]]:
        _known("axis", axis, set(self.axes))
        return [(name, a) for name, a in self.axes.items() if axis in (None, name)]


def families(axes: Mapping[str, Sequence[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return whether any two groups differ, for each statistic and axis, from the rows of contrasts of each axis."""
    names = dict.fromkeys(r["statistic"] for rows in axes.values() for r in rows)
    return [row for name in names for row in _family(name, axes)]


def _family(statistic: str, axes: Mapping[str, Sequence[dict[str, Any]]]) -> list[dict[str, Any]]:
    least: dict[str, float] = {}
    for name, contrasts in axes.items():
        rows = [r for r in contrasts if r["statistic"] == statistic and r["kind"] == "pairs"]
        if p := [r["p_adjusted"] for r in rows if r["p_adjusted"] is not None]:
            least[name] = min(p)
    adjusted = holm(list(least.values()))
    return [
        {"statistic": statistic, "axis": axis, "p": p, "p_holm": float(h)}
        for (axis, p), h in zip(least.items(), adjusted, strict=True)
    ]


def _turned(row: dict[str, Any]) -> dict[str, Any]:
    """Return the difference the other way round."""
    ends = {"low": "high", "low_simultaneous": "high_simultaneous"}
    ends |= {v: k for k, v in ends.items()}
    flip = {k: None if row[v] is None else -row[v] for k, v in ends.items()}
    flip |= {"a": row["b"], "b": row["a"], "n_raters_a": row["n_raters_b"], "n_raters_b": row["n_raters_a"]}
    flip["value"] = None if row["value"] is None else -row["value"]
    if known := row.get("ratio"):
        over = {"value": "value", "low": "high", "high": "low"}
        flip["ratio"] = {k: None if known[v] is None else 1 / known[v] for k, v in over.items()}
    return row | flip


def _known(what: str, name: str | None, known: Iterable[str]) -> None:
    if name is not None and name not in (names := sorted(known)):
        raise UsageError(f"no {what} {name!r}{did_you_mean(name, names)}; there are {', '.join(names) or 'none'}")


def frame_of(rows: Iterable[dict[str, Any]]) -> pl.DataFrame:
    """Return rows as a frame; what is whole in some and not in others becomes a float."""
    return pl.DataFrame(list(rows), infer_schema_length=None, strict=False)
