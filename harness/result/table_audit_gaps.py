"""For whom a scorer works worse, in words: what is clear of chance, and what is not and would have been seen."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from lm_plural.harness.result.cells import WIDTH, number, p_value

#: Statistics whose differences are shown, in a word and in a few.
WORDS = {
    "auc": ("AUC", "AUC"),
    "fnr@0.5": ("missed", "missed at 0.5"),
    "fpr@0.5": ("alarms", "alarms at 0.5"),
    "fnr@matched": ("missed", "missed at the matched threshold"),
    "fpr@matched": ("alarms", "alarms at the matched threshold"),
    "disattenuated": ("r", "freed r"),
}
#: Differences of one axis in short, and of one statistic.
MOST_SHORT, MOST = 4, 3


def render_short(block: dict[str, Any]) -> Iterator[str]:
    """Yield who is served worse than whom, if anybody could be compared."""
    if axes := _compared_axes(block):
        yield _filled(_short(block["scorer"]["name"], axes))


def render_gaps(block: dict[str, Any]) -> Iterator[str]:
    """Yield the differences of each axis."""
    for axis, content in _compared_axes(block).items():
        yield _filled([f"[{axis}]", *(f"  note: {n}" for n in content["notes"]), *_clear(content), *_unclear(content)])


def _compared_axes(block: dict[str, Any]) -> dict[str, Any]:
    return {axis: content for axis, content in block["axes"].items() if content["contrasts"]}


def _filled(lines: list[str]) -> str:
    return "\n".join(textwrap.fill(x, WIDTH, subsequent_indent="      ") for x in lines)


def _short(scorer: str, axes: dict[str, Any]) -> list[str]:
    """Return who is served worse than whom, by which measures."""
    lines, unclear = [], []
    for axis, content in axes.items():
        by_side: dict[tuple[str | None, str | None], list[str]] = {}
        for w in sorted(content["worse"], key=lambda w: w["p_adjusted"]):
            if w["statistic"] in WORDS:
                by_side.setdefault((w["group"], w["than"]), []).append(WORDS[w["statistic"]][0])
        pairs = [f"{_compared(*sides)} ({', '.join(dict.fromkeys(by))})" for sides, by in by_side.items()]
        more = f"; and {len(pairs) - MOST_SHORT} more" if len(pairs) > MOST_SHORT else ""
        lines += [f"  by {axis}: {'; '.join(pairs[:MOST_SHORT])}{more}"] if pairs else []
        unclear += [] if pairs else [axis]
    if unclear:
        what = "how large a one would have been seen stands below"
        lines.append(f"  no difference clear of chance by {', '.join(unclear)}; {what}")
    return [f"In short, {scorer} works:", *lines]


def _compared(group: str | None, than: str | None) -> str:
    if group is None:
        return f"better for {than} than for all others"
    return f"worse for {group} than for {than or 'all others'}"


def _clear(content: dict[str, Any]) -> Iterator[str]:
    for statistic, (_, words) in WORDS.items():
        found = [w for w in content["worse"] if w["statistic"] == statistic]
        for w in sorted(found, key=lambda w: w["p_adjusted"])[:MOST]:
            low, high = (number(w[k], 3) for k in ("low", "high"))
            gap = f"{number(w['gap'], 3)} [{low},{high}], p {p_value(w['p_adjusted'])}"
            yield f"  {words}: {_compared(w['group'], w['than'])}, {gap}"
        if len(found) > MOST:
            yield f"  {words}: and {len(found) - MOST} more"


def _unclear(content: dict[str, Any]) -> Iterator[str]:
    """Say of which statistics nothing is clear, and how large a gap would have been seen."""
    said, unknown = [], []
    for statistic, (_, words) in WORDS.items():
        gaps = sorted(g["now"] for g in content["mdg"].get(statistic, ()))
        if not gaps:
            unknown.append(words)
        elif not any(w["statistic"] == statistic for w in content["worse"]):
            said.append(f"{words} {gaps[0]:.3f} to {gaps[-1]:.3f}")
    if said:
        yield (
            "  not clear of chance; a gap would be seen (power 80 %) from this on, in the most to the least precise "
            f"comparison: {'; '.join(said)}"
        )
    if unknown:
        yield f"  no comparison has an interval, the reasons stand in the results file: {', '.join(unknown)}"
