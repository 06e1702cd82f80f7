"""What every picture of a result shares: its caption, its colours, and the extra it needs."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from lm_plural.harness.errors import PluralError, UsageError, did_you_mean
from lm_plural.harness.ratings.table import SIMULATED

if TYPE_CHECKING:
    import altair as alt

INK = "#222222"
#: Pixels a label may take: 40 characters and a count of raters.
LABEL = 340
#: Groups named in a list of those not shown.
MOST_NAMED = 12
WIDTH = 96
#: Codes of flags that say why a group has no value of a statistic, and of which one, if not of all.
WHY = {"no_ratings": "", "no_pairs": "", "no_reference": "", "off_scale": "", "no_agreement": ""}
WHY |= {"no_signal": "skill", "no_divergence": "equivalent_raters"}


@contextmanager
def plots_extra() -> Iterator[None]:
    """Turn a missing library into one line that says what to install.

    Raises
    ------
    PluralError
        If altair or vl-convert cannot be imported.
    """
    try:
        yield
    except ImportError as e:
        raise PluralError('pictures need altair and vl-convert: pip install "lm-plural[plots]"') from e


def known(what: str, name: str, among: Iterable[str]) -> str:
    """Return `name`, or raise ``UsageError`` if the result has no such thing."""
    among = list(among)
    if name not in among:
        hint = did_you_mean(name, among) or f"; it has {', '.join(among) or 'none'}"
        raise UsageError(f"no {what} {name!r} in this result{hint}")
    return name


def caption(block: Mapping[str, Any], title: str, *notes: str) -> alt.Title:
    """Return a title in words over what a reader must know to trust the picture."""
    import altair as alt

    size = ", ".join(f"{block['overall'][f'n_{what}']:,} {what}" for what in ("raters", "items", "ratings"))
    lines = [*([SIMULATED] if block.get("simulated_raters") else []), size, *notes]
    wrapped = [part for line in lines for part in textwrap.wrap(line, WIDTH)]
    return alt.Title(textwrap.wrap(title, 72), subtitle=wrapped, anchor="start", frame="bounds", offset=14)


def raters(name: str, group: Mapping[str, Any], more: str = "") -> str:
    """Return ``Woman (131 raters)``, with `more` before the closing bracket."""
    n = group["n_raters"]
    return f"{name} ({n:,} rater{'' if n == 1 else 's'}{more})"


def not_shown(groups: Mapping[str, Mapping[str, Any]], reason: Callable[[list[str]], str], where: str = "") -> str:
    """Return a line that names the groups left out, the largest first, or an empty string.

    `reason` makes a few words of the codes of a group's flags; a count of raters that is too small needs none.
    """
    ranked = sorted(groups, key=lambda name: -groups[name]["n_raters"])
    named = [raters(name, groups[name], _why(groups[name]["flags"], reason)) for name in ranked[:MOST_NAMED]]
    more = [f"{len(ranked) - MOST_NAMED} more"] if len(ranked) > MOST_NAMED else []
    return f"Not shown{where}: {', '.join(named + more)}" if named else ""


def _why(flags: Sequence[str], reason: Callable[[list[str]], str]) -> str:
    codes = [flag.partition(":")[0] for flag in flags]
    words = "" if "few_raters" in codes else reason(codes)
    return f": {words}" if words else ""


def no_value(statistic: str, codes: Iterable[str]) -> str:
    """Return in short those codes of flags that say why a group has no value of a statistic."""
    told = (c for c in codes if c.startswith("strategy_") or WHY.get(c, "another statistic") in ("", statistic))
    return ", ".join(c.replace("_", " ") for c in told)


def nothing(why: str) -> alt.Chart:
    """Return a picture that says why it is empty."""
    import altair as alt

    text = f"nothing to show: {why}"
    chart: alt.Chart = alt.Chart({"values": [{}]}, width=420, height=40).mark_text(text=text, color=INK, fontSize=13)
    return chart


def styled(chart: Any, title: alt.Title) -> alt.TopLevelMixin:
    """Return a chart with its title and the look of all pictures: white paper, dark ink, thin grid."""
    axis = {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal", "titlePadding": 10}
    done: alt.TopLevelMixin = (
        chart.properties(title=title, description=" ".join(title.text), background="white", padding=14)
        .configure_view(stroke=None)
        .configure_axis(**axis, gridColor="#eeeeee", labelFlush=False, labelColor=INK, titleColor=INK)
        .configure_title(
            fontSize=15, subtitleFontSize=11.5, subtitleColor="#444444", subtitleLineHeight=15, subtitlePadding=6
        )
    )
    return done
