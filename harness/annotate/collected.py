"""What came back, checked: what is refused, what is left out and counted, and the two files that are kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lm_plural.harness.annotate import label_studio, potato, sheet
from lm_plural.harness.annotate.form import Form
from lm_plural.harness.annotate.manifest import Check, Item, Manifest
from lm_plural.harness.annotate.people import EXPIRED, REVOKED, Submissions, hashed
from lm_plural.harness.annotate.rows import Returned, Row, read_json, to_csv
from lm_plural.harness.errors import PluralError, UsageError
from lm_plural.harness.ratings.table import UNDECLARED

RATINGS, RATERS = "ratings.csv", "raters.csv"
COLUMNS = ("item_id", "rater_id", "dimension", "rating", "order", "seconds", "tool")


def read_returned(path: Path, manifest: Manifest, form: Form) -> tuple[Returned, str]:
    """Read ratings of whichever tool: a file, or a folder of files; return them and the tool.

    Raises
    ------
    PluralError
        If there are none, or a file is not what it should be.
    """
    if not path.exists():
        raise PluralError(f"{path}: not there; expected ratings, a file or a folder")
    if not path.is_dir():
        paths = [path]
    elif found := potato.states(path):
        paths = found
    else:
        paths = sorted(p for p in path.iterdir() if p.suffix.lower() in (".csv", ".json") and p.is_file())
    kinds = {"potato" if p.name == potato.STATE else p.suffix.lower().lstrip(".") for p in paths}
    if len(kinds) != 1 or not kinds <= {"potato", "csv", "json"}:
        what = "Potato's annotation_output/, exports of Label Studio as JSON, or CSV"
        raise PluralError(f"{path}: {' and '.join(sorted(kinds)) or 'no ratings'} here; expected {what}")
    (kind,) = kinds
    if kind == "potato":
        parts = [potato.read(p, manifest, form) for p in paths]
    elif kind == "csv":
        parts = [sheet.read(p, manifest, form) for p in paths]
    else:
        users = {p: users_ for p in paths if (users_ := label_studio.users_of(read_json(p))) is not None}
        names = {number: name for known in users.values() for number, name in known.items()}
        parts = [label_studio.read(p, form, names) for p in paths if p not in users]
        if not names:
            parts.append(Returned(notes=["no users.json: raters are numbers of one installation of Label Studio"]))
    every = sum(parts, Returned())
    if not every.rows:
        raise PluralError(f"{path}: no ratings; expected what raters gave to the items of {manifest.task}")
    return every, {"json": "label_studio"}.get(kind, kind)


@dataclass
class Checked:
    """Ratings that count.

    Parameters
    ----------
    ratings : list of dict
        With the keys of :data:`COLUMNS`; raters are hashes.
    raters : dict of str to dict of str to list of str
        Groups by rater and axis.
    excluded : list of dict
        ``rater_id`` (null where consent was taken back), ``why`` and ``ratings``, of raters who do not count.
    counts : dict of str to int
        What was left out or is missing, by what is said of it.
    notes : list of str
    """

    ratings: list[dict[str, Any]]
    raters: dict[str, dict[str, list[str]]]
    excluded: list[dict[str, Any]]
    counts: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def files(self, axes: Sequence[str]) -> dict[str, str]:
        """Return the two files that are kept."""
        rows = ([r[c] if r[c] is not None else "" for c in COLUMNS] for r in self.ratings)
        people = ([rater, *("|".join(said[a]) for a in axes)] for rater, said in sorted(self.raters.items()))
        return {RATINGS: to_csv(COLUMNS, rows), RATERS: to_csv(["rater_id", *axes], people)}


def checked(
    returned: Returned, manifest: Manifest, form: Form, tool: str, submissions: Submissions, key: bytes
) -> Checked:
    """Return the ratings that count.

    Parameters
    ----------
    returned : Returned
    manifest : Manifest
    form : Form
    tool : str
    submissions : Submissions
    key : bytes
        The salt of raters.

    Raises
    ------
    PluralError
        For an item or dimension that was not exported, a value off the scale, or two ratings of one item by one rater.
    """
    counts: Counter[str] = Counter()
    rows = _once([_on_scale(row, manifest, form) for row in returned.rows], counts)
    out: dict[str, str] = {r: why for r in {row.rater for row in rows} if (why := submissions.why_out(r))}
    failed = _failed(rows, manifest)
    out |= {
        r: f"{n} attention checks failed" for r, n in failed.items() if n > manifest.checks_may_fail and r not in out
    }
    mine = _block_of(rows, manifest)
    kept = []
    for row in rows:
        item = manifest.by_id[row.item]
        if isinstance(item, Check) or row.rater in out:
            continue
        if item.block != mine[row.rater]:
            counts["ratings outside the rater's block left out"] += 1
            continue
        kept.append(row)
    if not kept:
        raise PluralError("no rating is left: every rater is excluded")
    excluded = [  # of who took consent back not even the hash stays
        {
            "rater_id": None if r in submissions.revoked else hashed(r, key),
            "why": why,
            "ratings": _ratings(rows, r, manifest),
        }
        for r, why in sorted(out.items())
    ]
    raters = {hashed(r, key): _said(returned.about.get(r, {}), manifest.axes) for r in {row.rater for row in kept}}
    counts["raters who said nothing of themselves"] = len({r.rater for r in kept} - set(returned.about))
    if submissions.status:
        counts["raters the platform's file does not name"] = len({r.rater for r in kept} - set(submissions.status))
    counts |= _below_plan(kept, manifest)
    ratings = [
        {
            "item_id": row.item,
            "rater_id": hashed(row.rater, key),
            "dimension": row.dimension,
            "rating": row.value,
            "order": row.order,
            "seconds": row.seconds,
            "tool": tool,
        }
        for row in kept
    ]
    ratings.sort(key=lambda r: (r["rater_id"], r["order"] or 0, r["item_id"], r["dimension"]))
    return Checked(ratings, raters, excluded, {k: n for k, n in counts.items() if n}, list(returned.notes))


def _on_scale(row: Row, manifest: Manifest, form: Form) -> Row:
    """Return the row with its level, whether the level or the words for it came back."""
    if row.item not in manifest.by_id:
        raise PluralError(f"{row.where}: item {row.item!r:.60} was not exported here; expected ratings of this export")
    if row.dimension not in manifest.dimensions:
        expected = ", ".join(manifest.dimensions)
        raise PluralError(f"{row.where}: dimension {row.dimension!r:.60} was not asked; expected {expected}")
    scale = manifest.dimensions[row.dimension].scale
    words = {text.casefold(): level for level, text in form.levels.items()}
    value = words.get(row.value.casefold(), row.value)
    try:
        level = scale.levels[scale.index(value)]
    except UsageError as e:
        raise PluralError(f"{row.where}: {row.dimension} of item {row.item}: {e}") from e
    return Row(row.rater, row.item, row.dimension, level, row.where, row.order, row.seconds)


def _once(rows: Iterable[Row], counts: Counter[str]) -> list[Row]:
    """Return each rating once; the same again is counted, another one is refused."""
    found: dict[tuple[str, str, str], Row] = {}
    for row in rows:
        known = found.setdefault((row.rater, row.item, row.dimension), row)
        if known is not row:
            if known.value != row.value:
                what = f"item {row.item} has {row.dimension} {known.value} and {row.value} of one rater"
                raise PluralError(f"{row.where}: {what}; expected one rating ({known.where} has the other)")
            counts["ratings that came twice left out"] += 1
    return list(found.values())


def _failed(rows: Iterable[Row], manifest: Manifest) -> Counter[str]:
    """Return how many attention checks each rater got wrong: one that is wrong on any dimension is."""
    wrong = {
        (row.rater, row.item)
        for row in rows
        if isinstance(check := manifest.by_id[row.item], Check) and row.value != check.level
    }
    return Counter(rater for rater, _ in wrong)


def _block_of(rows: Iterable[Row], manifest: Manifest) -> dict[str, int]:
    """Return the block of each rater: that of which most was rated, the first of several."""
    found: dict[str, Counter[int]] = {}
    for row in rows:
        found.setdefault(row.rater, Counter())[manifest.by_id[row.item].block] += 1
    return {rater: min(n, key=lambda block: (-n[block], block)) for rater, n in found.items()}


def _ratings(rows: Iterable[Row], rater: str, manifest: Manifest) -> int:
    return sum(row.rater == rater and isinstance(manifest.by_id[row.item], Item) for row in rows)


def _said(about: Mapping[str, Sequence[str]], axes: Sequence[str]) -> dict[str, list[str]]:
    """Return the groups of a rater by axis: undeclared where nothing was said, or is known no longer."""
    out = {}
    for axis in axes:
        groups = [g for g in about.get(axis, ()) if g not in (EXPIRED, REVOKED)]
        named = [g for g in dict.fromkeys(groups) if g != UNDECLARED]
        out[axis] = named or [UNDECLARED]
    return out


def _below_plan(kept: Iterable[Row], manifest: Manifest) -> Counter[str]:
    """Return how many items have no rating, and fewer than were planned."""
    raters: dict[str, set[str]] = {item.id: set() for item in manifest.items}
    for row in kept:
        raters[row.item].add(row.rater)
    none = sum(not who for who in raters.values())
    few = sum(0 < len(who) < manifest.raters_per_item for who in raters.values())
    planned = manifest.raters_per_item
    return Counter({"items without a rating": none, f"items with fewer than the {planned} raters planned": few})
