"""What results say at a glance: a few lines of text, or a small table of HTML; and what makes an object say so."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import replace
from html import escape
from typing import Any

from lm_plural.harness.analysis.judging import called, self_judged
from lm_plural.harness.ratings.table import SIMULATED
from lm_plural.harness.statistics import catalogue
from lm_plural.harness.statistics.inference import about

Block = Mapping[str, Any]
#: Lines of a text, columns of one, groups of an axis in a table, and characters of a model's name.
MOST_LINES, WIDTH, MOST_GROUPS, MOST_NAME = 10, 80, 12, 24


#: The first of these that a block has is what it is read by.
FIRST = tuple(map(catalogue.measure, reversed(catalogue.named("first"))))
SCREEN = tuple(map(catalogue.measure, catalogue.named("screen")))
EXPOSURE = catalogue.measure("exposure")
#: Which end of a measure is the worse one for a group, by whether more is better.
WORSE = {True: "lowest", False: "highest", None: None}
#: Shown beside it, with digits.
BESIDE = {name: catalogue.measure(name).digits for name in catalogue.named("beside")}


#: Styles of a table: colours and lines are left to the page, which may be dark.
TABLE, LEFT = "font-variant-numeric:tabular-nums", "text-align:left;padding:.1em .7em .1em 0"
RIGHT, CAPTION = (
    "text-align:right;padding:.1em .7em;white-space:nowrap",
    "text-align:left;white-space:nowrap;color:inherit",
)


class OneResult(ABC):
    """A result that says what it is, as text and as a table in a notebook."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return the block as JSON types."""

    @abstractmethod
    def _head(self) -> str:
        """Return what it is, in a line."""

    def __repr__(self) -> str:
        return text_of(self.to_dict(), self._head())

    def _repr_html_(self) -> str:
        return html_of(self.to_dict(), self._head())


class ManyResults(ABC):
    """Results of tasks that say what they are, as text and as tables in a notebook."""

    @abstractmethod
    def _said(self) -> tuple[str, Mapping[str, Block], str]:
        """Return what was measured, the blocks of its tasks, and where they lie."""

    def __repr__(self) -> str:
        head, blocks, path = self._said()
        where = f"in {_tail(path, WIDTH - 3)}"
        if len(blocks) == 1:
            ((name, block),) = blocks.items()
            *lines, last = text_of(block, f"{head} on {name}").split("\n")
            return fitted([*lines, *([last] if len(lines) < MOST_LINES - 1 else []), where])
        tasks = [sentence_of(block, name) for name, block in blocks.items()]
        simulated = sum(bool(block.get("simulated_raters")) for block in blocks.values())
        tasks += [f"of these, tasks with simulated raters: {simulated}"] if simulated else []
        room = MOST_LINES - 2
        if len(tasks) > room:
            tasks = [*tasks[: room - 2], f"and {len(blocks) - room + 2} more tasks", tasks[-1]]
        said = f"{head} on {len(blocks)} tasks: all raters; worst group" if blocks else head
        return fitted([said, *tasks, where])

    def _repr_html_(self) -> str:
        head, blocks, path = self._said()
        shown = [html_of(block, f"{head} on {name}") for name, block in blocks.items()]
        return f"<div>{''.join(shown)}<p>in <code>{escape(path)}</code></p></div>"


def named(model: str) -> str:
    """Return the name of a model, cut at its beginning."""
    return _tail(model, MOST_NAME)


def _tail(text: str, width: int) -> str:
    """Return a path or name cut at its beginning."""
    return text if len(text) <= width else "…" + text[1 - width :]


#: Whether a scorer passes a contrast set.
VERDICTS = {True: "PASSES", False: "DOES NOT PASS", None: "cannot be told"}


def contrasted(block: Block) -> Mapping[str, Any]:
    """Return the scorer's dimensions that a contrast set has texts for; all where it has for none."""
    dimensions: Mapping[str, Any] = block["dimensions"]
    own = {d: found for d, found in dimensions.items() if any(x["own"] for x in found.values())}
    return own or dimensions


def verdict(scorer: str, language: str, found: Block) -> str:
    """Return whether one dimension of a scorer passes a contrast set in a language."""
    own = found["own"]
    told = f": AUC {interval({**own, 'value': own['auc']}, 2)} on its own texts" if own else ""
    return f"{scorer}, {language}: {VERDICTS[found['passes']]}{told}"


def verdicts(block: Block) -> list[str]:
    """Return whether the scorer passes on its own dimensions, a line for each language."""
    name = block["scorer"]["name"]
    return [verdict(called(name, d), x, f) for d, found in contrasted(block).items() for x, f in found.items()]


def text_of(block: Block, head: str) -> str:
    """Return at most 10 lines: `head`, all raters, and each axis with its groups and the one that is worst off."""
    if block.get("mode") == "contrast":
        return fitted([head, *verdicts(block)][:MOST_LINES])
    lines = [head, *([SIMULATED] if block.get("simulated_raters") else []), _overall(block)]
    lines += filter(None, [self_judged(block)])
    axes = [_axis(block, axis) for axis in block["axes"]]
    room = MOST_LINES - len(lines)
    if len(axes) > room:
        axes = [*axes[: room - 1], f"and {len(axes) - room + 1} more axes"]
    return fitted([*lines, *axes])


def fitted(lines: list[str]) -> str:
    """Return lines as one text, each cut to the width."""
    return "\n".join(line if len(line) <= WIDTH else line[: WIDTH - 1] + "…" for line in lines)


def found_of(block: Block) -> str:
    """Return how near a model is to all raters, measure by measure, or why that is refused."""
    if (block.get("elicitation") or {}).get("refused"):
        return next((note for note in reversed(block["notes"]) if "refused" in note), "refused")
    found = {m: block["overall"][m.name] for m in SCREEN if m.name in block["overall"]}
    return ", ".join(f"{m.heading} {interval(e, m.digits)}" for m, e in found.items()) or _overall(block)


def sentence_of(block: Block, task: str) -> str:
    """Return a line: the number over all raters, and the group worst off of all axes with its interval."""
    if block.get("mode") == "contrast":
        return f"{task}: {'; '.join(verdicts(block))}"
    found = [(row, axis) for axis in block["axes"] if (row := worst_of(block, axis))]
    measure, estimate = _measured(block)
    text = f"{task}: {measure.name} {_number(estimate['value'], measure.digits)}"
    if found:
        (name, worst), _ = _end(found, measure_of(block))
        text = _cut(f"{text}; ", name, f" {interval(worst, measure.digits)}")
    return text


def _end(found: list[tuple[tuple[str, Block], str]], measure: catalogue.Measure) -> tuple[tuple[str, Block], str]:
    return (min if WORSE[measure.better] == "lowest" else max)(found, key=lambda row: row[0][1]["value"])


def measure_of(block: Block) -> catalogue.Measure:
    """Return the measure a block is read by."""
    if "statistics" in block["overall"]:
        return EXPOSURE
    return next((m for m in FIRST if m.name in block["overall"]), FIRST[-1])


def estimate_of(group: Block, name: str) -> Block:
    """Return an estimate of a group; of responses that of the first scorer. Without one, its value is None."""
    found: Mapping[str, Any] = group
    if "statistics" in group:
        found = next(iter(group["statistics"].values()), {})
    return found.get(name) or {"value": None, "low": None, "high": None}


def worst_of(block: Block, axis: str) -> tuple[str, Block] | None:
    """Return the group at the worse end of an axis and its estimate: among those with an interval, if there are any.

    None where there is none, or all are the same.
    """
    measure = measure_of(block)
    if WORSE[measure.better] is None:
        return None
    rows = [(g, estimate_of(v, measure.name)) for g, v in block["axes"][axis]["groups"].items()]
    rows = [(g, e) for g, e in rows if e["value"] is not None]
    rows = [(g, e) for g, e in rows if e["low"] is not None] or rows
    same = len(rows) > 1 and len({e["value"] for _, e in rows}) == 1  # nobody is worse off
    return None if same or not rows else _end([(row, axis) for row in rows], measure)[0]


def interval(estimate: Block, digits: int) -> str:
    """Return ``0.050 [.030,.080]``, ``-`` for what was refused; without an interval there are no brackets."""
    value, low, high = (_number(estimate[k], digits) for k in ("value", "low", "high"))
    if low == high == "-":
        return value
    ends = (end.replace("0.", ".", 1) if end.lstrip("-").startswith("0.") else end for end in (low, high))
    return f"{value} [{','.join(ends)}]"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{round(value, digits) + 0.0:.{digits}f}"


def _cut(before: str, name: str, after: str) -> str:
    """Return a line in which a name that is too long is cut."""
    room = max(WIDTH - len(before) - len(after), 8)
    return before + (name if len(name) <= room else name[: room - 1] + "…") + after


def _measured(block: Block) -> tuple[catalogue.Measure, Block]:
    """Return what is known of all raters: of responses, which no group weights there, the mean score."""
    overall, measure = block["overall"], measure_of(block)
    measure = replace(measure, name="mean") if measure is EXPOSURE else measure
    return measure, estimate_of(overall, measure.name)


def _overall(block: Block) -> str:
    (measure, estimate), overall = _measured(block), block["overall"]
    parts = [f"{measure.name} {interval(estimate, measure.digits)}"]
    parts += [f"{n} {_number(overall[n]['value'], digits)}" for n, digits in BESIDE.items() if n in overall]
    return f"all: {', '.join(parts)}"


def _axis(block: Block, axis: str) -> str:
    content, measure = block["axes"][axis], measure_of(block)
    groups = content["groups"]
    few = sum(any(f.startswith("few_raters") for f in v["flags"]) for v in groups.values())
    head = f"{axis}: {len(groups)} group{'s' * (len(groups) != 1)}{f' ({few} too small)' if few else ''}"
    if worst := worst_of(block, axis):
        before = f"{head}; {WORSE[measure.better]}: "
        return _cut(before, worst[0], f" {interval(worst[1], measure.digits)}")
    rows = [(g, estimate_of(v, measure.name)) for g, v in groups.items()]
    known = sorted((e["value"], g) for g, e in rows if e["value"] is not None)
    if len(known) < 2:
        return head
    (low, least), (high, most) = known[0], known[-1]
    ends = f"{_number(low, measure.digits)} ({least}) to {_number(high, measure.digits)} ({most})"
    return f"{head}; {measure.name} {ends}"


def html_of(block: Block, head: str) -> str:
    """Return a table that stands alone: the groups, of each axis the one worst off in bold and said to be so."""
    if block.get("mode") == "contrast":
        return f"<div><p>{escape(head)}</p><ul>{''.join(f'<li>{escape(v)}</li>' for v in verdicts(block))}</ul></div>"
    measure = measure_of(block)
    beside = {n: digits for n, digits in BESIDE.items() if n in block["overall"]}
    names = ["group", "raters", measure.name, *beside]
    # of responses nobody weights them all by a concern
    rows = [] if measure is EXPOSURE else [_row("all", block["overall"], measure, beside)]
    for axis in block["axes"]:
        rows += [f'<tr><th colspan="{len(names)}" scope="rowgroup" style="{LEFT}">{escape(axis)}</th></tr>']
        rows += _rows(block, axis, measure, beside)
    sides = [LEFT, *[RIGHT] * (len(names) - 1)]
    header = "".join(
        f'<th scope="col" style="{side}">{escape(name)}</th>' for name, side in zip(names, sides, strict=True)
    )
    told = [SIMULATED] * bool(block.get("simulated_raters")) + [self_judged(block)]
    simulated = "".join(f"<p><strong>{escape(text)}</strong></p>" for text in told if text)
    body = "".join(rows)
    few = "; ~: of few raters, a little too short" if "~" in body else ""
    caption = f'<caption style="{CAPTION}">{escape(head)}; in brackets: 95 % interval{few}</caption>'
    inside = f"{caption}<thead><tr>{header}</tr></thead><tbody>{body}</tbody>"
    return f'<div>{simulated}<table style="{TABLE}">{inside}</table></div>'


def _rows(block: Block, axis: str, measure: catalogue.Measure, beside: Mapping[str, int]) -> Iterator[str]:
    groups, worst = block["axes"][axis]["groups"], worst_of(block, axis)
    order = sorted(groups.items(), key=lambda gv: -(gv[1].get("n_raters") or 0))
    for name, group in order[:MOST_GROUPS]:
        last = worst is not None and name == worst[0] and len(groups) > 1
        yield _row(name, group, measure, beside, mark=f"{WORSE[measure.better]} here" if last else "")
    if (hidden := len(order) - MOST_GROUPS) > 0:
        yield f'<tr><td colspan="{3 + len(beside)}" style="{LEFT}">({hidden} more)</td></tr>'


def _row(name: str, group: Block, measure: catalogue.Measure, beside: Mapping[str, int], mark: str = "") -> str:
    shown = {measure.name: measure.digits, **beside}
    cells = [
        "~" * (about(group["flags"], n) is not None and found["low"] is not None) + interval(found, digits)
        for n, digits in shown.items()
        for found in [estimate_of(group, n)]
    ]
    if cells[0] == "-" and group["flags"]:
        cells[0] += f" ({group['flags'][0].split(':')[0]})"
    weight = "bold" if mark else "normal"
    raters = group.get("n_raters")
    row = "".join(
        f'<td style="{RIGHT}">{escape(c)}</td>' for c in (f"{raters:,}" if raters is not None else "", *cells)
    )
    head = escape(f"{name} ({mark})" if mark else name)
    return f'<tr style="font-weight:{weight}"><th scope="row" style="{LEFT};font-weight:{weight}">{head}</th>{row}</tr>'
