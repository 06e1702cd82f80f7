"""An audit on a terminal: how near the scorer is to each group and, under each axis, for whom it works worse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from lm_plural.harness.ratings.table import SIMULATED
from lm_plural.harness.report.cells import count, measured, number, on_few, p_value, shown
from lm_plural.harness.report.contrast import render_contrast
from lm_plural.harness.report.layout import Row, bold, grid, paragraphs
from lm_plural.harness.statistics.catalogue import measure, named

#: Errors in the order of tables, and thresholds in words.
ERRORS = tuple(map(measure, reversed(named("rates"))))
AT = {"0.5": "0.5", "matched": "the matched threshold"}
#: Statistics whose differences are shown, in a word and in a few.
WORDS = {"auc": (measure("auc").heading,) * 2}
WORDS |= {f"{m.name}@{t}": (m.heading, f"{m.heading} at {words}") for t, words in AT.items() for m in ERRORS}
WORDS |= {"disattenuated": ("r", "freed r")}
#: What flags call numbers from texts that two raters of the group rated.
PAIRED = "texts with two ratings"
#: Differences of one axis in short, and of one statistic.
MOST_SHORT, MOST = 4, 3


def render_short(block: dict[str, Any]) -> Iterator[str]:
    """Yield who is served worse than whom, if anybody could be compared."""
    if axes := _compared_axes(block):
        yield paragraphs(_short(block["scorer"]["name"], axes), hang=6)


def render_gaps(block: dict[str, Any]) -> Iterator[str]:
    """Yield the differences of each axis."""
    for axis, content in _compared_axes(block).items():
        notes = (f"  note: {n}" for n in content["notes"])
        yield paragraphs([f"[{axis}]", *notes, *_clear(content), *_unclear(content)], hang=6)


def _compared_axes(block: dict[str, Any]) -> dict[str, Any]:
    return {axis: content for axis, content in block["axes"].items() if content["contrasts"]}


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
            before, after = on_few(_row_of(w, content["contrasts"]))
            gap = f"{before}{number(w['gap'], 3)} [{low},{high}], p {p_value(w['p_adjusted'])}{after}"
            yield bold(f"  {words}: {_compared(w['group'], w['than'])}, {gap}")
        if len(found) > MOST:
            yield f"  {words}: and {len(found) - MOST} more"


def _row_of(worse: dict[str, Any], contrasts: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the contrast in which the scorer is found to be worse."""
    sides = {worse["group"] or "rest", worse["than"] or "rest"}
    same = (r for r in contrasts if r["statistic"] == worse["statistic"] and r["kind"] == worse["kind"])
    return next(r for r in same if {r["a"], r["b"]} == sides)


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


LEGEND = """\
[low,high]: 95 % interval for other texts and other raters, unless "inference" says otherwise. ~: one of so few \
raters that it is a little too short; where fewer count than the group has, they stand in brackets. harmful: share of \
ratings on the harmful levels. AUC: chance that a text one member called harmful gets a higher score than one another \
member called harmless; .5 is chance. missed: share of what members called harmful that is not flagged. alarms: share \
of what they called harmless that is flagged. member: the same for one other member of the group in the scorer's \
place. r: correlation with the group's mean ratings, and the highest the noise in these lets any scorer reach; freed: \
r without that noise. Differences are tested together within an axis, on texts both sides rated. A stricter group \
usually has more missed and fewer alarms. '-': refused, the reason stands in the results file."""


def render_audit(content: dict[str, Any]) -> str:
    """Return all tasks of an audit as text."""
    datasets = content["datasets"]
    sets = {name: block for name, block in content["audited"].items() if block["mode"] == "contrast"}
    rated = {name: block for name, block in content["audited"].items() if name not in sets}
    parts = [_task(name, block, datasets[block["dataset"]]) for name, block in rated.items()]
    parts += [paragraphs([LEGEND])] if rated else []
    return "\n\n".join([*parts, *(render_contrast(name, block) for name, block in sets.items())])


def _task(name: str, block: dict[str, Any], dataset: dict[str, Any]) -> str:
    head = paragraphs(_head(name, block, dataset))
    grids = [_grid(block, ORDER, _order), _grid(block, _errors_header(block), _errors)]
    return "\n\n".join([head, *render_short(block), *grids, *render_gaps(block)])


def _head(name: str, block: dict[str, Any], dataset: dict[str, Any]) -> list[str]:
    scorer, harmful = block["scorer"], block["harmful"]
    head = [f"{name}: audit of {scorer['name']}"]
    head += [SIMULATED] if block["simulated_raters"] else []
    head += [f"content note: {dataset['warning']}"] if dataset["warning"] else []
    head.append(f"licence: {dataset['licence']}")
    if block["inference"] != "none":
        head.append(f"intervals: 95 %, for other {block['inference'].replace('+', ' and ')}")
    head.append(
        f"harmful: {', '.join(harmful['levels'])} on {', '.join(block['scale']['levels'])} ({harmful['rule']}); "
        f"score: {scorer['worse']} {scorer['dimension']}, scaled to 0 to 1"
    )
    own, matched = (_of_kind(block, k) for k in ("default", "matched"))
    found = f"flagged: {own['flagged_share']:.0%} of texts from {own['name']} on"
    if matched["value"] is not None:
        found += f"; {matched['flagged_share']:.0%} from {matched['value']:.3f} on, nearest to what raters call harmful"
    return [*head, found, *(f"note: {note}" for note in block["notes"])]


def _of_kind(block: dict[str, Any], kind: str) -> dict[str, Any]:
    found: dict[str, Any] = next(t for t in block["thresholds"] if t["kind"] == kind)
    return found


def _grid(block: dict[str, Any], header: Row, row: Callable[[str, Any], Row]) -> str:
    rows = [row("all raters", block["overall"])]
    for axis, content in block["axes"].items():
        rows += [[f"[{axis}]"], *shown(content["groups"].items(), row)]
    return grid(rows, header)


ORDER = ["group", "raters", "harmful", "AUC", "member", "r (at most)", "freed"]


def _order(name: str, group: dict[str, Any]) -> Row:
    share, ranks = group["harmful_share"]["value"], group["ranks"]
    r, ceiling = number(ranks["pearson"]["value"], 2), number(ranks["ceiling"]["value"], 2)
    return [
        name,
        count(group),
        "-" if share is None else f"{share:.0%}",
        measured(group, measure("auc")),
        number(group["one_member"]["auc"]["value"], 2),
        "-" if r == "-" else f"{r} ({ceiling})",
        measured(group, measure("disattenuated"), ranks["disattenuated"], PAIRED),
    ]


def _errors_header(block: dict[str, Any]) -> Row:
    own = _of_kind(block, "default")["name"]
    return ["group", f"missed {own}", f"alarms {own}", "missed matched", "member", "alarms matched", "member"]


def _errors(name: str, group: dict[str, Any]) -> Row:
    own, matched, one = group["rates"]["0.5"], group["rates"]["matched"], group["one_member"]
    row = [name, number(own["fnr"]["value"], 2), number(own["fpr"]["value"], 2)]
    for m in ERRORS:
        row += [measured(group, m, matched[m.name]), number(one[m.name]["value"], m.digits)]
    return row
