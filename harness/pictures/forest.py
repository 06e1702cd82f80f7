"""One statistic of every group as points with intervals, beside all raters."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from lm_plural.harness.pictures.shared import (
    INK,
    LABEL,
    caption,
    known,
    no_value,
    not_shown,
    nothing,
    plots_extra,
    raters,
    styled,
)
from lm_plural.harness.statistics.catalogue import Picture, measure

if TYPE_CHECKING:
    import altair as alt


BAND, DASHED = "#dcdcdc", "#666666"


def panels(
    rows: list[dict[str, Any]], overall: Mapping[str, float | None], statistic: str, unit: str
) -> alt.FacetChart:
    """Draw a row for each group (``axis``, ``label``, ``order``, ``value``, ``low``, ``high``) before all raters."""
    import altair as alt

    scale, drawn = _scale(rows, overall, statistic), picture(statistic)
    value, low = (alt.X(f"{k}:Q", title=unit, scale=scale) for k in ("value", "low"))
    order = alt.EncodingSortField("order", op="min")
    y = alt.Y("label:N", title=None, sort=order).axis(labelLimit=LABEL, ticks=False, domain=False, labelPadding=8)
    everyone, zero = alt.Chart({"values": [dict(overall)]}), alt.Chart({"values": [{"value": 0}]})
    fill = alt.when("isValid(datum.low)").then(alt.value(INK)).otherwise(alt.value("white"))
    numbers = [alt.Tooltip(f"{k}:Q", format=".4~g") for k in ("value", "low", "high")]
    tooltip = ["group:N", "raters:Q", "items:Q", "ratings:Q", *numbers, "flags:N"]
    layers = [  # a screen reader gets all of a group from its point
        everyone.mark_rect(color=BAND, aria=False).encode(x=low, x2="high:Q"),
        *([zero.mark_rule(color=INK, aria=False).encode(x=value)] if drawn.zero else []),
        everyone.mark_rule(color=DASHED, strokeDash=[5, 3]).encode(x=value),
        alt.Chart().mark_rule(color=INK, strokeWidth=1.6, aria=False).encode(x=low, x2="high:Q", y=y),
        alt.Chart().mark_point(size=64, opacity=1, color=INK).encode(x=value, y=y, fill=fill, tooltip=tooltip),
    ]
    panel = alt.layer(*layers, data={"values": rows}).properties(width=420, height=alt.Step(22))
    header = alt.Header(
        title=None, labelPadding=4, labelAnchor="start", labelFontSize=12, labelFontWeight="bold", labelColor=INK
    )
    axes = list(dict.fromkeys(row["axis"] for row in rows))
    facet = alt.Facet("axis:N", sort=axes, header=header)
    chart: alt.FacetChart = panel.facet(facet, columns=1, spacing=14).resolve_scale(y="independent")
    return chart


def _scale(rows: list[dict[str, Any]], overall: Mapping[str, float | None], statistic: str) -> alt.Scale:
    """Return a scale from zero; of ratios a logarithmic one, so that an interval stands around its point."""
    import altair as alt

    numbers = [v for row in [*rows, overall] for k in ("value", "low", "high") if (v := row[k]) is not None]
    if statistic == "equivalent_raters" and min(numbers) > 0:
        return alt.Scale(type="log", nice=False, padding=12)
    return alt.Scale(zero=statistic != "item_mean")


INTERVALS = {
    "items+raters": "95 % intervals, for new items and new raters of the group",
    "items": "95 % intervals, for new items and these raters",
    "raters": "95 % intervals, for these items and new raters of the group",
    "none": "No intervals were computed",
}


def picture(statistic: str) -> Picture:
    """Return how a picture of a statistic is called: in its own words, or by its name."""
    return measure(statistic).picture or Picture(statistic, statistic)


def statistics(block: Mapping[str, Any]) -> list[str]:
    """Return the names of the statistics in a result that can be drawn."""
    groups = [block["overall"], *(g for a in block["axes"].values() for g in a["groups"].values())]
    return list(dict.fromkeys(k for g in groups for k, v in g.items() if isinstance(v, dict) and "value" in v))


def forest(block: Mapping[str, Any], statistic: str, axis: str | None = None) -> alt.TopLevelMixin:
    """Draw a point and a 95 % interval for each group, groups with most raters first.

    A dashed line and a grey band are all raters, a hollow point has no interval, refused groups stand in the subtitle.

    Parameters
    ----------
    block : mapping
        One result as JSON (``Disaggregated.to_dict()``).
    statistic : str
        One of ``statistics(block)``.
    axis : str, optional
        Default: a panel for every axis.

    Returns
    -------
    altair chart

    Raises
    ------
    UsageError
        If the result has no such statistic or axis.
    PluralError
        If altair is not installed.
    """
    known("statistic", statistic, statistics(block))
    axes = list(block["axes"]) if axis is None else [known("axis", axis, block["axes"])]
    rows = [_row(a, g, c, statistic) for a in axes for g, c in _largest_first(block["axes"][a]["groups"])]
    rows = [row | {"order": n} for n, row in enumerate(rows) if row["value"] is not None]
    overall = _interval(block["overall"], statistic)
    drawn = picture(statistic)
    unit = drawn.axis + (_ends(block["scale"]) if statistic == "item_mean" else "")
    with plots_extra():
        chart = panels(rows, overall, statistic, unit) if rows else nothing("no group has a value")
        words = *_legend(block, rows, overall), *_absent(block, statistic, axes, rows)
        return styled(chart, caption(block, drawn.title, *words))


def _largest_first(groups: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return sorted(groups.items(), key=lambda item: (-item[1]["n_raters"], item[0]))


def _interval(content: Mapping[str, Any], statistic: str) -> dict[str, float | None]:
    """Return value, low and high; half an interval is none."""
    value, low, high = ((content.get(statistic) or {}).get(k) for k in ("value", "low", "high"))
    whole = None not in (value, low, high)
    return {"value": value, "low": low if whole else None, "high": high if whole else None}


def _row(axis: str, name: str, content: Mapping[str, Any], statistic: str) -> dict[str, Any]:
    counts = {k: content[f"n_{k}"] for k in ("raters", "items", "ratings")}
    words = {"axis": axis, "group": name, "label": raters(name, content), "flags": "; ".join(content["flags"])}
    return words | counts | _interval(content, statistic)


def _ends(scale: Mapping[str, Any]) -> str:
    """Return what the ends of the rating scale mean."""
    ends = [(f"{scale['positions'][k]:g}", scale["labels"][k]) for k in (0, -1)]
    if all(at == label for at, label in ends):
        return f" ({' to '.join(at for at, _ in ends)}; {scale['direction']} is better)"
    words = [at if at == label else f"{at}: {label}" for at, label in ends]
    return f" ({', '.join(words)}; {scale['direction']} is better)"


def _legend(block: Mapping[str, Any], rows: list[dict[str, Any]], overall: Mapping[str, float | None]) -> list[str]:
    inference = block["inference"]
    marks = []
    if rows and overall["value"] is not None:
        marks.append("dashed line: all raters" + (", grey band: their interval" if overall["low"] is not None else ""))
    if inference != "none" and any(row["low"] is None for row in rows):
        marks.append("hollow point: no interval")
    return [f"{INTERVALS.get(inference, '95 % intervals')} (inference: {inference})", "; ".join(marks).capitalize()]


def _absent(block: Mapping[str, Any], statistic: str, axes: list[str], rows: list[dict[str, Any]]) -> list[str]:
    shown = {(row["axis"], row["group"]) for row in rows}
    left_out = {a: {g: c for g, c in block["axes"][a]["groups"].items() if (a, g) not in shown} for a in axes}
    reason = partial(no_value, statistic)
    return [not_shown(groups, reason, f" ({a})" if len(axes) > 1 else "") for a, groups in left_out.items()]
