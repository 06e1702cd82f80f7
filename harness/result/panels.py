"""How rows of a forest become marks: a panel for each axis on one horizontal scale."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lm_plural.harness.result.picture import INK, LABEL

if TYPE_CHECKING:
    import altair as alt

BAND, DASHED = "#dcdcdc", "#666666"
#: Statistics where zero parts two findings and gets a line.
ZERO = ("bias", "skill")


def panels(
    rows: list[dict[str, Any]], overall: Mapping[str, float | None], statistic: str, unit: str
) -> alt.FacetChart:
    """Draw a row for each group (``axis``, ``label``, ``order``, ``value``, ``low``, ``high``) before all raters."""
    import altair as alt

    scale = _scale(rows, overall, statistic)
    value, low = (alt.X(f"{k}:Q", title=unit, scale=scale) for k in ("value", "low"))
    order = alt.EncodingSortField("order", op="min")
    y = alt.Y("label:N", title=None, sort=order).axis(labelLimit=LABEL, ticks=False, domain=False, labelPadding=8)
    everyone, zero = alt.Chart({"values": [dict(overall)]}), alt.Chart({"values": [{"value": 0}]})
    fill = alt.when("isValid(datum.low)").then(alt.value(INK)).otherwise(alt.value("white"))
    numbers = [alt.Tooltip(f"{k}:Q", format=".4~g") for k in ("value", "low", "high")]
    tooltip = ["group:N", "raters:Q", "items:Q", "ratings:Q", *numbers, "flags:N"]
    layers = [  # a screen reader gets all of a group from its point
        everyone.mark_rect(color=BAND, aria=False).encode(x=low, x2="high:Q"),
        *([zero.mark_rule(color=INK, aria=False).encode(x=value)] if statistic in ZERO else []),
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
