"""Pictures of a result, and how they are written."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_plural.harness.errors import UsageError
from lm_plural.harness.files import write_atomic
from lm_plural.harness.pictures.forest import forest, statistics
from lm_plural.harness.pictures.heat_map import heat_map
from lm_plural.harness.pictures.shared import plots_extra

if TYPE_CHECKING:
    import altair as alt

__all__ = ["KINDS", "forest", "heat_map", "plots", "save", "statistics"]

#: Pictures that one may ask for by name: a block, a statistic and an axis (either may be None) to a chart.
KINDS: dict[str, Callable[[Mapping[str, Any], str | None, str | None], alt.TopLevelMixin]] = {
    "forest": lambda block, statistic, axis: forest(block, statistic or _first(block), axis),
    "heat_map": lambda block, _, axis: heat_map(block, axis or next(iter(block["axes"]), "")),
}
SUFFIXES = (".svg", ".png", ".html")
#: Pixels of a PNG for each of the chart.
SHARPNESS = 2
PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title><script>{libraries}</script></head>
<body><div id="picture"></div><script>vegaEmbed("#picture", {spec}, {options});</script></body>
</html>
"""


def plots(block: Mapping[str, Any]) -> dict[str, alt.TopLevelMixin]:
    """Return every picture of a result that shows something, by a name fit for a file.

    Parameters
    ----------
    block : mapping
        One result as JSON (``Disaggregated.to_dict()``).

    Returns
    -------
    dict of str to altair chart
        ``forest_divergence``, ``heat_map_gender`` and so on.

    Raises
    ------
    PluralError
        If altair is not installed.
    """
    groups = [g for a in block["axes"].values() for g in a["groups"].values()]
    drawn = [s for s in statistics(block) if any((g.get(s) or {}).get("value") is not None for g in groups)]
    apart = [a for a, content in block["axes"].items() if content.get("distances")]
    forests = {f"forest_{s}": forest(block, s) for s in drawn}
    return forests | {f"heat_map_{_slug(a)}": heat_map(block, a) for a in apart}


def _first(block: Mapping[str, Any]) -> str:
    """Return what is drawn where nobody says: how far the model is, else what people said."""
    return "divergence" if "divergence" in statistics(block) else "item_mean"


def _slug(axis: str) -> str:
    """Return an axis as part of a file name: ``gender & race`` as ``gender_by_race``."""
    return re.sub(r"\W", "_", axis.replace(" & ", "_by_"))


def save(chart: alt.TopLevelMixin, path: Path) -> None:
    """Write a picture whole or not at all, in the format its name asks for.

    Parameters
    ----------
    chart : altair chart
    path : Path
        Ends in ``.svg``, ``.png`` or ``.html`` (one page that needs no network).

    Raises
    ------
    UsageError
        If the name ends in anything else.
    PluralError
        If altair or vl-convert is not installed, or the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(f"{path}: expected a name that ends in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")
    with plots_extra():
        content = _render(chart.to_dict(), suffix)
    write_atomic(path, content)


def _render(spec: dict[str, Any], suffix: str) -> bytes:
    import vl_convert

    if suffix == ".svg":
        return vl_convert.vegalite_to_svg(spec).encode()
    if suffix == ".png":
        return vl_convert.vegalite_to_png(spec, scale=SHARPNESS)
    return _page(spec, vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")).encode()


def _page(spec: dict[str, Any], libraries: str) -> str:
    """Return a page with its libraries inside; altair's own lets ``</script>`` in a group's name end the script."""
    actions = {"export": True, "source": False, "compiled": False, "editor": False}
    return PAGE.format(
        title=html.escape(" ".join(spec["title"]["text"])),
        libraries=libraries,
        spec=json.dumps(spec).replace("<", "\\u003c"),
        options=json.dumps({"renderer": "svg", "actions": actions}),
    )
