"""How far the groups of an axis are from each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lm_plural.harness.pictures.shared import LABEL, caption, known, not_shown, nothing, plots_extra, styled

if TYPE_CHECKING:
    import altair as alt

#: Light to dark in one hue: the order survives a grey printer and every kind of colour vision.
COLOURS = ["#f7fbff", "#9ecae1", "#2171b5", "#08306b"]
#: Share of the largest distance from which white reads better than black; either has a contrast of 4.5 or more.
DARK = 0.63


def heat_map(block: Mapping[str, Any], axis: str) -> alt.TopLevelMixin:
    """Draw the distance between every two groups of an axis, groups with most raters first.

    A dash is a refused distance; a group without any stands in the subtitle.

    Parameters
    ----------
    block : mapping
        One result as JSON (``Disaggregated.to_dict()``).
    axis : str
        One whose ``distances`` were computed.

    Returns
    -------
    altair chart

    Raises
    ------
    UsageError
        If the result has no such axis, or no distances on it.
    PluralError
        If altair is not installed.
    """
    known("axis", axis, block["axes"])
    known("distances of axis", axis, [a for a, content in block["axes"].items() if content.get("distances")])
    groups, distances = block["axes"][axis]["groups"], block["axes"][axis]["distances"]
    ranked = sorted(groups, key=lambda g: (-groups[g]["n_raters"], g))
    names = [a for a in ranked if any(_between(distances, a, b) is not None for b in ranked)]
    cells = [_cell(a, b, _between(distances, a, b)) for a in names for b in names]
    dash = "–: distance refused" if any(c["text"] == "–" for c in cells) else ""
    absent = not_shown({g: c for g, c in groups.items() if g not in names}, lambda _: "too few common items")
    title = f"How far the groups of {axis} are from each other (divergence, 0 to 1)"
    with plots_extra():
        chart = _cells(cells, names) if cells else nothing("no distance could be computed")
        return styled(chart, caption(block, title, dash, absent))


def _between(distances: Mapping[str, Mapping[str, float | None]], a: str, b: str) -> float | None:
    """Return the distance of two groups, None where it was refused and of a group to itself."""
    return None if a == b else distances.get(a, {}).get(b)


def _cell(a: str, b: str, distance: float | None) -> dict[str, Any]:
    refused = "" if a == b else "–"
    text = refused if distance is None else f"{round(distance, 3) + 0.0:.3f}"  # no -0.000
    return {"a": a, "b": b, "distance": distance, "text": text}


def _cells(cells: list[dict[str, Any]], names: list[str]) -> alt.LayerChart | alt.FacetChart:
    import altair as alt

    largest = max((c["distance"] for c in cells if c["distance"] is not None), default=0.0)
    top = largest if largest > 0 else 1.0
    scale = alt.Scale(domain=[0, top], range=COLOURS, clamp=True)
    axis: dict[str, Any] = {"labelLimit": LABEL, "ticks": False, "domain": False, "labelPadding": 6}
    base = alt.Chart({"values": cells}, width=alt.Step(44), height=alt.Step(24)).encode(
        x=alt.X("b:N", sort=names, title=None).axis(**axis, labelAngle=-40),
        y=alt.Y("a:N", sort=names, title=None).axis(**axis),
        tooltip=["a:N", "b:N", "text:N"],
    )
    ink = alt.when(f"datum.distance > {DARK * top}").then(alt.value("white")).otherwise(alt.value("black"))
    tiles = base.transform_filter("isValid(datum.distance)").mark_rect(stroke="white")
    # no legend: the numbers stand in the cells
    coloured = tiles.encode(color=alt.Color("distance:Q", scale=scale, legend=None))
    return alt.layer(coloured, base.mark_text(fontSize=11).encode(text="text:N", color=ink))
