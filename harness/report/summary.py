"""One screen that says what was learnt: at most 24 lines of 80 columns, whatever was run.

A table of the tasks, differences between groups that are clear of chance (the largest first), what could not be told
and was refused, where the files are. Where that is too long, fewer differences of each task are told, then those of
fewer tasks, then fewer tasks stand in the table; those with a difference stay longest.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

from lm_plural.harness.analysis.design.plan import would_show
from lm_plural.harness.analysis.judging import SELF_JUDGED, self_judged
from lm_plural.harness.ratings.table import SIMULATED
from lm_plural.harness.report.audit import ERRORS
from lm_plural.harness.report.cells import agreement, count, interval, measured, number, on_few
from lm_plural.harness.report.layout import Row, bold, columns, cut, grid, wrapped
from lm_plural.harness.statistics.catalogue import measure, named
from lm_plural.harness.statistics.inference import CLEAR

#: Of a model against all raters, and of raters alone.
SCREEN = tuple(map(measure, named("screen")))
PEOPLES = tuple(map(measure, named("people", "differences")))
#: The screen.
LINES, WIDTH = 24, 80
#: Differences of one task that are named, names of tasks and groups in a row, and lines for groups without an interval.
MOST_FOUND, MOST_NAMED, UNTOLD_LINES = 3, 4, 2
#: How long a reason for a refusal may be, and a name inside a sentence.
MOST_REASON, MOST_NAME = 66, 40
#: Notes that tell of something refused, notes that must be known beside any number, and flags that tell of neither.
REFUSED, KNOWN = (
    re.compile(r"\brefused\b|\bnot compared\b"),
    re.compile(r"\bstands in for\b|^language_not_covered"),
)
GROUPS_REFUSED = "comparison with the groups refused, "
NO_REFUSAL = ("not_for_gates", "approximate", "no_raters", "no_variation", "weak_signal", "equivalent_raters_open")
#: Why a group has no interval: how many raters it has, as far as they count for the statistic, and how many it takes.
FEW = re.compile(r"(?:few_raters|no_interval): (\d+)(?: raters)? of at least (\d+)(?: \((.*)\))?$")


#: What is said of tasks without a difference, by whether any two groups could be compared.
NOTHING = {True: "no difference between groups is clear of chance", False: "no two groups could be compared"}


class Gap(NamedTuple):
    """A difference that is clear of chance."""

    rank: int
    least: float
    text: str


class Untold(NamedTuple):
    """A group of which nothing can be said for want of raters."""

    axis: str
    group: str
    raters: int
    needed: int


@dataclass(frozen=True)
class Told:
    """What one task has to say.

    Attributes
    ----------
    rows : list of list of str
        Its numbers over all raters, each row after what is added to the task's name.
    gaps : list of Gap
        The largest first.
    compared : bool
        Whether any two groups could be.
    would : list of (int, float, str)
        Of each axis with groups without an interval: raters of one more group, the gap that they would show, in what.
    more : list of str
        Whole sentences.
    """

    name: str
    kind: Kind
    rows: list[Row]
    gaps: list[Gap]
    compared: bool
    untold: list[Untold]
    would: list[tuple[int, float, str]]
    refused: list[str]
    simulated: bool
    more: list[str] = field(default_factory=list)


class Kind(NamedTuple):
    """A kind of result: headings of its numbers, what they mean, its main statistic, and how to read it."""

    heads: tuple[str, ...]
    legend: str
    main: str
    rows: Callable[[dict[str, Any]], list[Row]]
    gap: Callable[[dict[str, Any], str, dict[str, Any]], Gap | None]


def summary(title: str, blocks: Mapping[str, dict[str, Any]], files: Sequence[str] = ()) -> str:
    """Return the screen.

    Parameters
    ----------
    title : str
        What was held against the raters.
    blocks : mapping
        Of a results file, by task.
    files : sequence of str
        Last lines, as they are: a path is never broken.
    """
    told = [_told(name, block) for name, block in _shortened(blocks).items()]
    prefix = next(iter(blocks)).removesuffix(told[0].name) if told else ""
    last = sum(max(1, -(-columns(line) // WIDTH)) for line in files)
    for size in _sizes(len(told)):
        lines = list(_screen(title, prefix, told, size))
        if len(lines) + last <= LINES:
            break
    return "\n".join([*lines[: max(LINES - last, 1)], *files])


def where_tables(path: Path | None) -> str:
    """Return the line that says how to see everything."""
    return f"all tables: --tables{f', or lm-plural show {path}' if path else ''}"


class Size(NamedTuple):
    """How much is said: tasks in the table, tasks whose differences are told, of each how many, and whether details."""

    rows: int
    told: int
    gaps: int
    details: bool


def _sizes(n: int) -> Iterator[Size]:
    """Yield sizes, the largest first."""
    yield from (Size(n, n, gaps, details) for details in (True, False) for gaps in range(MOST_FOUND, 0, -1))
    yield from (Size(n, told, 1, details=False) for told in range(n - 1, -1, -1))
    yield from (Size(rows, rows // 3, 1, details=False) for rows in range(n - 1, -1, -1))


def _shortened(blocks: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return blocks under their tasks' names without what all names begin with."""
    same = takewhile(lambda letters: len(set(letters)) == 1, zip(*blocks, strict=False))
    prefix = "".join(letters[0] for letters in same) if len(blocks) > 1 else ""
    prefix = prefix[: prefix.rfind("_") + 1]
    return {name.removeprefix(prefix) or name: block for name, block in blocks.items()}


def _screen(title: str, prefix: str, told: Sequence[Told], size: Size) -> Iterator[str]:
    """Yield the lines but the last ones."""
    order = sorted(range(len(told)), key=lambda n: _worst(told[n]))  # those with something to say stay longest
    shown, hidden = ([told[n] for n in sorted(part)] for part in (order[: size.rows], order[size.rows :]))
    yield from _wrapped(title)
    if told and all(t.simulated for t in told):
        yield SIMULATED
    elif simulated := [t.name for t in told if t.simulated]:
        yield from _wrapped(f"{_names(simulated)}: {SIMULATED}")
    yield ""
    for kind in dict.fromkeys(t.kind for t in shown):
        rows = [(t.name, row) for t in shown if t.kind == kind for row in t.rows]
        one = len(told) == 1 and all(row[0] for _, row in rows)  # its name heads the column
        whoserows = [[row[0] if one else f"{name} {row[0]}".rstrip(), *row[1:]] for name, row in rows]
        first = told[0].name if one else f"{prefix}..." if prefix else ""
        yield from grid(whoserows, [first, *kind.heads], width=WIDTH, rule=False).split("\n")
        yield from _wrapped(kind.legend) if kind.legend else ()
    if hidden:
        some = sum(bool(t.gaps) for t in hidden)
        what = f"{some} of them with differences clear of chance" if some else "nothing clear of chance"
        yield f"and {len(hidden)} {'tasks' if len(hidden) > 1 else 'task'} more, {what}"
    yield from [""] if size.details else []
    yield from _found(shown, size, alone=len(told) == 1)
    yield from _untold(told)
    yield from _refused(told, details=size.details)


def _worst(told: Told) -> tuple[bool, int, float]:
    """Return what puts tasks in order, the one with the largest difference first."""
    return not told.gaps, *((told.gaps[0].rank, -told.gaps[0].least) if told.gaps else (0, 0.0))


def _wrapped(text: str, hang: int = 2) -> list[str]:
    return wrapped(text, WIDTH, hang=hang)


def _some(texts: Sequence[str], most: int = MOST_NAMED) -> str:
    return ", ".join(texts[:most]) + (f" and {len(texts) - most} more" if len(texts) > most else "")


def _names(names: Sequence[str], most: int = MOST_NAMED) -> str:
    return _some([cut(name, MOST_NAME) for name in names], most)


def _found(shown: Sequence[Told], size: Size, *, alone: bool) -> Iterator[str]:
    """Yield what is clear of chance, task by task, and once who has nothing."""
    found = sorted((t for t in shown if t.gaps), key=_worst)
    for t in found[: size.told]:
        more = len(t.gaps) - size.gaps
        texts = [gap.text for gap in t.gaps[: size.gaps]]
        texts[-1] += f"; and {more} more" if more > 0 else ""
        texts = texts if alone else [f"{cut(t.name, MOST_NAME)}, {texts[0]}", *(f"  {text}" for text in texts[1:])]
        yield from (bold_line(line) for text in texts for line in _wrapped(text, 4))
    if rest := found[size.told :]:
        what = f"{'more ' if size.told else ''}differences clear of chance"
        yield from _wrapped(f"{what}: {_counts({t.name: len(t.gaps) for t in rest})}")
    said = [text if alone else f"{cut(t.name, MOST_NAME)}, {text}" for t in shown for text in t.more]
    yield from (line for text in said for line in _wrapped(text, 4))
    for compared, text in NOTHING.items():
        if names := [t.name for t in shown if not t.gaps and t.compared == compared]:
            yield from _wrapped(text if alone else f"{text}: {_names(names, 3 * MOST_NAMED)}")


def _counts(of: Mapping[str, int], most: int = MOST_NAMED) -> str:
    return _some([f"{cut(name, MOST_NAME)} ({n})" for name, n in of.items()], most)


def bold_line(line: str) -> str:
    """Return a line bold but for its indent."""
    text = line.lstrip(" ")
    return line[: len(line) - len(text)] + bold(text)


def _untold(told: Sequence[Told]) -> Iterator[str]:
    """Yield which groups could not be told for want of raters, as many as fit, and how many would do."""
    fewest: dict[str, int] = {}
    for u in sorted((u for t in told for u in t.untold), key=lambda u: -u.raters):
        fewest.setdefault(u.group, u.raters)
    if not fewest:
        return
    would = _would(told)
    for most in range(min(len(fewest), UNTOLD_LINES * WIDTH // len(", a (9)")), 0, -1):
        lines = _wrapped(f"too few raters to tell: {_counts(fewest, most)}; {would}")
        if len(lines) <= UNTOLD_LINES:
            yield from lines
            return
    yield from _wrapped(f"too few raters to tell: {len(fewest)} group{'s' * (len(fewest) > 1)}; {would}")


def _would(told: Sequence[Told]) -> str:
    """Say how many raters would give an interval, and what they, or how many more, would show."""
    needed = sorted({u.needed for t in told for u in t.untold})
    text = f"{' or '.join(map(str, needed))} would give an interval"
    if not (shown := [w for t in told for w in t.would]):
        return text
    raters, gap, statistic = max(shown)
    m = measure(statistic)
    size = number(gap, m.digits)
    if raters > needed[-1]:
        return f"{text}, about {raters:,} show a gap in {m.heading} of {size}, as found"
    return f"{text} and show gaps in {m.heading} from about {size} on"


def _refused(told: Sequence[Told], *, details: bool) -> Iterator[str]:
    """Yield what was refused and why, each reason once."""
    by_reason: dict[str, list[str]] = {}
    for t in told:
        for reason in t.refused:
            by_reason.setdefault(reason, []).append(t.name)
    if len(by_reason) > 1 and not details:
        n = sum(bool(t.refused) for t in told)
        yield f"something refused or to be known of {n} {'task' if n == 1 else 'tasks'}, see the tables"
        return
    for reason, names in by_reason.items():
        where = f" ({_names(names, 2)})" if len(told) > 1 else ""
        yield from _wrapped(f"{'note' if KNOWN.search(reason) else 'refused'}: {_half(reason)}{where}")


def _half(reason: str) -> str:
    """Return a reason in half a line: limits and consequences are not needed, nor is what a flag is called.

    Unless a bare number follows, which would then be one of what?
    """
    flag, colon, said = reason.partition(": ")
    if colon and re.fullmatch(r"[a-z_]+|[A-Z_]+", flag):
        reason = f"{flag.replace('_', ' ')}: {said}" if said[:1].isdigit() else said
    short = re.sub(r" \([^()]*\)$|, so .*$", "", reason)
    return textwrap.shorten(short, MOST_REASON, placeholder=" ...")


def _told(name: str, block: dict[str, Any]) -> Told:
    kind = _kind(block)
    gaps, compared = [], False
    for axis, content in block["axes"].items():
        rows = [r for r in content.get("contrasts", ()) if r["p_adjusted"] is not None]
        compared |= bool(rows)
        if len({r[side] for r in rows if r["kind"] == "pairs" for side in "ab"}) == 2:  # all others are the other one
            rows = [r for r in rows if r["kind"] == "pairs"]
        for row in (r for r in rows if r["p_adjusted"] <= CLEAR):
            if gap := kind.gap(row, axis, block):
                gaps.append(gap)
    notes = [n.removeprefix(GROUPS_REFUSED) for n in block["notes"] if REFUSED.search(n) or KNOWN.search(n)]
    flags = [f for f in block["overall"].get("flags", ()) if not f.startswith(NO_REFUSAL)]
    untold = list(_few(block, kind.main))
    return Told(
        name,
        kind,
        kind.rows(block),
        sorted(gaps, key=lambda g: (g.rank, -g.least)),
        compared,
        untold,
        list(_shown_by_more(block, kind.main, untold)),
        [*notes, *flags],
        bool(block.get("simulated_raters")),
        [
            *([_steered(block["steered"])] if "steered" in block else []),
            *filter(None, [self_judged(block)]),
            *_unscored(block),
            *_of_sample(block),
        ],
    )


def _few(block: dict[str, Any], main: str) -> Iterator[Untold]:
    """Yield the groups that have too few raters for an interval of the main statistic."""
    for axis, content in block["axes"].items():
        for name, group in content["groups"].items():
            for found in filter(None, map(FEW.search, group["flags"])):
                about = found[3]
                if about is None or main in re.split(r"[,: ]+", about):
                    needed = max(int(found[2]), block.get("min_raters_interval", 0))
                    yield Untold(axis, name if name != "undeclared" else f"{axis} undeclared", int(found[1]), needed)
                    break


def _shown_by_more(block: dict[str, Any], main: str, untold: Sequence[Untold]) -> Iterator[tuple[int, float, str]]:
    for axis, needed in {u.axis: u.needed for u in untold}.items():
        if found := would_show(block["axes"][axis], main, needed):
            yield *found, main


def _kind(block: dict[str, Any]) -> Kind:
    if block.get("mode") in ("audit", "annotated"):
        return {"audit": AUDIT, "annotated": ANNOTATED}[block["mode"]]
    if block.get("kind") == "shares":
        return SHARES
    if "statistics" in block["overall"]:
        return RESPOND
    return RATE if "bias" in block["overall"] else PEOPLE


def _ends(row: dict[str, Any]) -> tuple[float, float]:
    """Return the ends of a difference's size, the nearer to 0 first."""
    low, high = sorted(abs(row[k]) for k in ("low_simultaneous", "high_simultaneous"))
    return low, high


def _size(row: dict[str, Any], digits: int, unit: str = "") -> str:
    """Return the size of a difference with its interval; an approximate one with how many raters it rests on."""
    near, far = _ends(row)
    before, after = on_few(row)
    return f"{before}{number(abs(row['value']), digits)} [{number(near, digits)}, {number(far, digits)}]{unit}{after}"


def _sides(row: dict[str, Any], *, others: str = "all others", who: str = " raters") -> tuple[str, str]:
    """Return both sides in words, the side with the larger number first."""
    a, b = (f"{cut(row[side], MOST_NAME)}{who}" for side in "ab")
    b = others if row["kind"] == "rest" else b
    return (a, b) if row["value"] > 0 else (b, a)


def _of_rate(row: dict[str, Any], axis: str, block: dict[str, Any]) -> Gap | None:
    more, less = _sides(row)
    near = _ends(row)[0]
    if row["statistic"] == "divergence":
        return Gap(0, near, f"{axis}: further from {more} than from {less} by {_size(row, 3)}")
    if row["statistic"] != "bias":
        return None
    # on common items the model's mean falls out: which of the two it is further from is told by their own biases
    groups = block["axes"][axis]["groups"]
    own = groups[row["a"]]["bias"]["value"] or 0.0
    other = block["overall"] if row["kind"] == "rest" else groups[row["b"]]
    above = abs(own) >= abs(other["bias"]["value"] or 0.0)
    way, first, second = ("above", more, less) if above == (row["value"] > 0) else ("below", less, more)
    return Gap(1, near, f"{axis}: further {way} {first} than {second} by {_size(row, 2, ' scale points')}")


def _of_people(row: dict[str, Any], axis: str, _: dict[str, Any]) -> Gap | None:
    more, less = _sides(row)
    near = _ends(row)[0]
    if row["statistic"] == "item_mean":
        return Gap(0, near, f"{axis}: {more} rate higher than {less} by {_size(row, 2, ' scale points')}")
    if row["statistic"] == "disagreement":
        return Gap(1, near, f"{axis}: {more} disagree more among themselves than {less} by {_size(row, 3)}")
    return None


def _of_respond(row: dict[str, Any], axis: str, _: dict[str, Any]) -> Gap | None:
    statistic, _, key = row["statistic"].partition(":")
    if statistic != "exposure":
        return None
    more, less = _sides(row)
    return Gap(0, _ends(row)[0], f"{axis}: worse where {more} see harm than where {less} do by {_size(row, 3)} ({key})")


def _of_shares(row: dict[str, Any], axis: str, _: dict[str, Any]) -> Gap | None:
    if row["statistic"] != "js_similarity":
        return None
    more, less = _sides(row, others="the average other group", who="")
    return Gap(0, _ends(row)[0], f"{axis}: less like {less} than like {more} by {_size(row, 3)}")


#: Statistics of an audit: a sentence, and whether more of it is worse.
AUDITED = {
    "auc": ("tells harmful from harmless worse for {worse} than for {better}", False),
    "fnr@matched": ("misses more of what {worse} call harmful than of what {better} do", True),
    "fpr@matched": ("flags more of what {worse} call harmless than of what {better} do", True),
    "fnr@0.5": ("misses (from 0.5 on) more of what {worse} call harmful than of what {better} do", True),
    "fpr@0.5": ("flags (from 0.5 on) more of what {worse} call harmless than of what {better} do", True),
}
AUDITED |= {"disattenuated": ("orders texts less as {worse} do than as {better} do", False)}


def _of_audit(row: dict[str, Any], axis: str, _: dict[str, Any]) -> Gap | None:
    if row["statistic"] not in AUDITED:
        return None
    sentence, more_is_worse = AUDITED[row["statistic"]]
    more, less = _sides(row)
    worse, better = (more, less) if more_is_worse else (less, more)
    rank = list(AUDITED).index(row["statistic"])
    return Gap(rank, _ends(row)[0], f"{axis}: {sentence.format(worse=worse, better=better)} by {_size(row, 3)}")


def _steered(found: dict[str, Any]) -> str:
    """Say of how many groups the model gets closer when it answers as a member."""
    by_way: dict[bool, list[str]] = {True: [], False: []}
    for name, group in found["groups"].items():
        statistic, sign = ("divergence", -1) if "divergence" in group["change"] else ("js_similarity", 1)
        change = group["change"][statistic]
        if change["p_adjusted"] is not None and change["p_adjusted"] <= CLEAR:
            by_way[sign * change["value"] > 0].append(name)
    said = [f"{way} {_names(by_way[k])}" for k, way in ((True, "closer to"), (False, "further from")) if by_way[k]]
    return f"asked to answer as a member of a {found['axis']} group: {' and '.join(said) or 'no clear change'}"


def _of_sample(block: dict[str, Any]) -> Iterator[str]:
    """Yield what a sample of a model's own responses says of all, and what a scorer adds to it."""
    if block.get("mode") != "annotated":
        return
    found, scorer = block["overall"].get("powered"), block["scorer"]
    if found is None:
        yield "a response of every prompt is rated: plain two-way estimates"
    elif scorer is None:
        yield "no scorer has scores of the responses: means over all are from the ratings alone"
    elif found["gain"] is not None:
        less = 100 * (1 - 1 / found["gain"])
        how = f"{number(less, 0)} % less variance than from ratings alone; what is left is raters and rated items"
        how = how if less >= 0.5 else "adds nothing to the ratings"
        told = f"{scorer['name']} (correlation {number(scorer['correlation'], 2)} with the ratings)"
        yield f"{told} over all {block['n_responses']:,} prompts: {how}"


def _rows_of_annotated(block: dict[str, Any]) -> list[Row]:
    o, m = block["overall"], measure("item_mean")
    powered = o.get("powered")
    row = ["", count(o), f"{block['n_rated']:,} of {block['n_responses']:,}"]
    if powered is None:
        return [[*row, measured(o, m), ""]]
    return [[*row, measured(o, m, powered), measured(o, m, powered["alone"])]]


def _unscored(block: dict[str, Any]) -> Iterator[str]:
    """Yield which rated dimensions no scorer measures, and how far scorers of one dimension agree."""
    if missing := block["overall"].get("no_scorer"):
        whose = _names(missing) if len(missing) < MOST_FOUND else f"{len(missing)} more rated dimensions"
        yield f"no scorer chosen for {whose} (docs/scorers.md)"
    for pair in block["overall"].get("correlations", ()):
        if pair["scorer_correlation"]["value"] is not None:
            yield f"r of {pair['a']} and {pair['b']}: {interval(pair['scorer_correlation'], 2)}"


def _rows_of_rate(block: dict[str, Any]) -> list[Row]:
    return [["", count(block["overall"]), *(measured(block["overall"], m) for m in SCREEN)]]


def _rows_of_people(block: dict[str, Any]) -> list[Row]:
    o = block["overall"]
    if "item_mean" not in o:
        return [["", count(o), number(o["mean"], 2), ""]]
    return [["", count(o), *(measured(o, m) for m in PEOPLES)]]


def _rows_of_respond(block: dict[str, Any]) -> list[Row]:
    """Return a row a scorer: its mean, or that it is refused, beside its agreement with people."""
    o, rows = block["overall"], []
    for key, found in o["statistics"].items():
        judge, known = o.get("judges", {}).get(key, {}), o.get("scorers", {}).get(key, {})
        mean = interval(found["mean"], 3)
        if judge.get("unfit"):
            mean = "refused, unfit" if found["mean"]["value"] is None else f"UNFIT {mean}"
        name = f"{key}{' (itself)' * bool(judge.get(SELF_JUDGED))}"
        scored = f"{o['n_responses'] - o['n_unscored'][key]:,}/{o['n_responses']:,}"
        rows.append([name, scored, mean, agreement(known.get("people", {}))])
    return rows


def _rows_of_shares(block: dict[str, Any]) -> list[Row]:
    o = block["overall"]
    return [["", f"{o['n_items']:,}", interval(o["js_similarity"], 3)]]


def _rows_of_audit(block: dict[str, Any]) -> list[Row]:
    o = block["overall"]
    errors = (measured(o, m, o["rates"]["matched"][m.name]) for m in ERRORS)
    return [["", count(o), measured(o, measure("auc")), *errors]]


RATE = Kind(
    ("raters", *(m.heading for m in SCREEN)),
    "divergence: 0 best. skill: 1 best, 0 only the average habit. worth: in raters.",
    "divergence",
    _rows_of_rate,
    _of_rate,
)
PEOPLE = Kind(
    ("raters", "mean rating", "disagreement"),
    "disagreement: how far apart raters of the same item are, 0 to 1.",
    "item_mean",
    _rows_of_people,
    _of_people,
)
RESPOND = Kind(
    ("scored", "mean score", "r with people"),
    "r with people: of the scorer, on rated reference responses to the same prompts.",
    "exposure",
    _rows_of_respond,
    _of_respond,
)
SHARES = Kind(
    ("questions", "likeness"),
    "likeness: to the average group's answers, 1 equal, 0 nothing in common.",
    "js_similarity",
    _rows_of_shares,
    _of_shares,
)
ANNOTATED = Kind(
    ("raters", "rated", "mean, all responses", "ratings alone"),
    "mean rating: of all responses, from a sample of them and a scorer (two-way PPI++).",
    "item_mean",
    _rows_of_annotated,
    _of_people,
)
AUDIT = Kind(
    ("raters", "AUC", "missed", "alarms"),
    "AUC: 1 best, .5 chance. missed: of what raters call harmful; alarms: harmless.",
    "auc",
    _rows_of_audit,
    _of_audit,
)
