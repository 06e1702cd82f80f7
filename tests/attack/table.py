"""Invented ratings, and a second reader of them in plain Python that shares no code with the product."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

Row = dict[str, str | None]
#: White space as Unicode has it; Python's own idea has four controls more.
SPACE = "\t\n\x0b\x0c\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
SCALES = ["1,2,3,4,5", "0,1", "no,unsure,yes", "0,0.5,1", "-1,0,1", "5,1"[::-1]]
IDS: list[Callable[[int], str]] = [
    lambda n: f"i{n}",
    lambda n: str(n),
    lambda n: str(9007199254740992 + n),
    lambda n: f"{n:03d}",
    lambda n: f'item {n}, said "{n}"',
    lambda n: f"é\u0301{n}\U0001f600",
    lambda n: f"line {n}\nand more",
    lambda n: f"{n}.0" if n % 2 else f"{n}.5",
]
KEYS = ("item_id", "rater_id", "rating")


class BrokenError(Exception):
    """What must be refused, and why."""


@dataclass(frozen=True)
class Truth:
    """Ratings as they are meant."""

    rows: list[Row]
    scale: str
    axes: tuple[str, ...]
    columns: tuple[str, ...]

    @property
    def wanted(self) -> list[str]:
        """Columns that the command reads."""
        return [*KEYS, *self.axes]

    def words(self) -> list[str]:
        """Return the command's words for scale and groups, with as little arithmetic as can be."""
        axes = ["--axes", *self.axes] if self.axes else []
        few = ["--inference", "none", "--min_raters", "1", "--draws", "100", "--permutations", "1"]
        return ["--scale=" + self.scale, *axes, *few]


def truth(rng: Random, *, plain: bool = False, ids: Sequence[Callable[[int], str]] = IDS) -> Truth:
    """Draw a table of ratings without fault; `plain`: without skipped ratings and unused columns."""
    scale, item, rater = rng.choice(SCALES), rng.choice(ids), rng.choice(ids)
    levels, axes = scale.split(","), rng.choice([(), ("gender",), ("gender", "race")])
    profiles = [
        {
            "gender": rng.choice(["woman", "man", "", "non binary", "Frau, Ärztin"]),
            "race": rng.choice(["A|B", "A", "B ", "| C"]),
        }
        for _ in range(rng.randint(1, 6))
    ]
    rows: list[Row] = []
    for i in range(rng.randint(1, 5)):
        for r, profile in enumerate(profiles):
            if rng.random() < 0.8 or not rows:
                rating = "" if rows and rng.random() < 0.05 and not plain else rng.choice(levels)
                more = {
                    "text": rng.choice(["a text", "6'4 tall", "x, y", 'he said "no"', "two\nlines", ""]),
                    "note": f"n{i}",
                }
                rows.append(
                    {
                        "item_id": item(i),
                        "rater_id": rater(r),
                        "rating": rating,
                        **{a: profile[a] for a in axes},
                        **more,
                    }
                )
    columns = [*KEYS, *axes, *([] if plain else rng.sample(["text", "note"], rng.randint(0, 2)))]
    rng.shuffle(columns)
    if rng.random() < 0.3:
        rng.shuffle(rows)
    return Truth(rows, scale, axes, tuple(columns))


def cell(text: str | None) -> str | None:
    """Return a cell as it is to be read: spaces around it gone, nothing where nothing is left."""
    return (text or "").strip(SPACE) or None


def level_of(text: str, levels: Sequence[str]) -> int | None:
    """Return the place of a rating on the scale; numbers are compared as numbers."""
    text = text.strip()
    for place, level in enumerate(levels):
        if text == level:
            return place
        if NUMBER.fullmatch(text) and NUMBER.fullmatch(level) and float(text) == float(level):
            return place
    return None


def summary(rows: Sequence[Row], truth: Truth) -> dict[str, Any]:
    """Count and average cells, as the second reader read them.

    Raises
    ------
    BrokenError
        If the table must be refused.
    """
    levels, seen, profiles, found = truth.scale.split(","), set(), dict[str, Any](), []
    positions = _positions(levels)
    for row in rows:
        cells = {c: cell(row.get(c)) for c in truth.wanted}
        if not any(cells.values()):
            continue
        item, rater, rating = (cells[k] for k in KEYS)
        if item is None or rater is None:
            raise BrokenError("a row without item or rater")
        profile = {a: groups_of(cells[a]) for a in truth.axes}
        if profiles.setdefault(rater, profile) != profile:
            raise BrokenError("a rater with two profiles")
        if rating is None:
            continue
        place = level_of(rating, levels)
        if place is None:
            raise BrokenError(f"a rating off the scale: {rating[:20]!r}")
        if (item, rater) in seen:
            raise BrokenError("two ratings of one item by one rater")
        seen.add((item, rater))
        found.append((item, rater, positions[place]))
    if not found:
        raise BrokenError("no ratings")
    out = {"all": _counted(found)}
    for axis in truth.axes:
        for group in sorted({g for p in profiles.values() for g in p[axis]}):
            if some := [f for f in found if group in profiles[f[1]][axis]]:
                out[f"{axis}: {group}"] = _counted(some)
    return out


def groups_of(text: str | None) -> frozenset[str]:
    """Return the groups that a cell names."""
    named = {part.strip(SPACE) for part in (text or "").split("|")} - {"", "undeclared"}
    return frozenset(named or {"undeclared"})


def _positions(levels: Sequence[str]) -> list[float]:
    try:
        return [float(v) for v in levels]
    except ValueError:
        return [float(k) for k in range(1, len(levels) + 1)]


def _counted(found: Sequence[tuple[str, str, float]]) -> dict[str, Any]:
    mean = math.fsum(f[2] for f in found) / len(found)
    items, raters = {f[0] for f in found}, {f[1] for f in found}
    return {"n_items": len(items), "n_raters": len(raters), "n_ratings": len(found), "mean": round(mean, 9)}


def summary_of(block: dict[str, Any]) -> dict[str, Any]:
    """Return the same out of what the product wrote."""

    def counted(group: dict[str, Any]) -> dict[str, Any]:
        return {
            k: round(group[k], 9) if k == "mean" else group[k] for k in ("n_items", "n_raters", "n_ratings", "mean")
        }

    out = {"all": counted(block["overall"])}
    for axis, found in block["axes"].items():
        out |= {f"{axis}: {name}": counted(group) for name, group in found["groups"].items() if group["n_ratings"]}
    return out


# --- the formats


def written_csv(truth: Truth, rng: Random, separator: str = ",") -> str:
    """Write a table as CSV in one of the ways that are right."""
    out = io.StringIO()
    quoting = rng.choice([csv.QUOTE_MINIMAL, csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])
    writer = csv.writer(out, delimiter=separator, quoting=quoting, lineterminator=rng.choice(["\n", "\n", "\r\n"]))
    writer.writerow(truth.columns)
    writer.writerows([row[c] for c in truth.columns] for row in truth.rows)
    text = out.getvalue()
    if rng.random() < 0.2:
        text = text.rstrip("\r\n")
    return ("\ufeff" if rng.random() < 0.1 else "") + text


def csv_readings(raw: bytes, wanted: Sequence[str], separator: str = ",") -> Iterator[list[Row] | BrokenError]:
    """Yield the ways in which a CSV may be read: where a lone carriage return ends a row, and where it does not."""
    text = raw.decode("utf-8-sig", "surrogateescape")
    yield _csv_reading(text, wanted, separator)
    if (bare := re.sub("^[\ufeff\r\n]*\ufeff", "", text)) != text:  # a second mark of UTF-8 is no part of a name either
        yield _csv_reading(bare, wanted, separator)
    if re.search(r"\r(?!\n)", text):
        hidden = re.sub(r"\r(?!\n)", "\ue000", text)
        found = _csv_reading(hidden, wanted, separator)
        if isinstance(found, list):
            found = [{k: v and v.replace("\ue000", "\r") for k, v in row.items()} for row in found]
        yield found


def _csv_reading(text: str, wanted: Sequence[str], separator: str) -> list[Row] | BrokenError:
    csv.field_size_limit(2**31 - 1)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
        try:
            for _ in csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True):
                pass
        except csv.Error as e:
            if "unexpected end of data" in str(e):
                return BrokenError("a quote that is never closed")
    except csv.Error as e:
        return BrokenError(str(e))
    rows = [r for r in rows if r]
    if not rows:
        return BrokenError("an empty file")
    head = rows[0]
    for column in wanted:
        if head.count(column) != 1:
            return BrokenError(f"{head.count(column)} columns {column!r}")
    if any(c.strip(SPACE) for r in rows[1:] for c in r[len(head) :]):
        return BrokenError("a row with more cells than the head")
    found: list[Row] = [{c: r[k] if (k := head.index(c)) < len(r) else None for c in wanted} for r in rows[1:]]
    if any("\udc80" <= char <= "\udcff" for r in found for v in r.values() for char in v or ""):
        return BrokenError("no UTF-8")
    return found


class Written(str):
    """A number as it is written."""

    __slots__ = ()


def jsonl_readings(raw: bytes, wanted: Sequence[str]) -> Iterator[list[Row] | BrokenError]:
    """Yield the ways in which JSON lines may be read: numbers as written, as the numbers they are, and 3.0 as 3."""
    for spelling in ("written", "number", "whole"):
        try:
            yield [
                _record(line, wanted, spelling)
                for line in raw.decode("utf-8-sig", "surrogateescape").split("\n")
                if line.strip()
            ]
        except BrokenError as e:
            yield e
        except RecursionError:
            return


def _record(line: str, wanted: Sequence[str], spelling: str) -> Row:
    kinds: dict[str, Any] = {"parse_int": Written, "parse_float": Written, "parse_constant": Written}
    try:
        record = json.loads(line, strict=False, **kinds)
    except ValueError as e:
        raise BrokenError(f"no JSON: {e}") from e
    if not isinstance(record, dict):
        raise BrokenError("a line that is no object")
    return {c: _text_of(record.get(c), spelling) for c in wanted}


def _text_of(found: Any, spelling: str) -> str | None:
    if isinstance(found, list):
        raise BrokenError("a list where a text is expected")
    if isinstance(found, dict) or found is None or (found == "NaN" and isinstance(found, Written)):
        return None
    if isinstance(found, bool):
        return str(found).lower()
    if any("\udc80" <= char <= "\udcff" for char in found):
        raise BrokenError("no UTF-8")
    if spelling == "written" or not isinstance(found, Written) or len(found) > 4000:
        return str(found)
    if re.fullmatch(r"-?\d+", found):
        return str(int(found))
    number = float(found)
    return str(int(number)) if spelling == "whole" and number.is_integer() else str(number)


def judge(
    found: dict[str, Any], readings: Iterator[list[Row] | BrokenError], truth: Truth, keys: tuple[str, ...] = ()
) -> str | None:
    """Return what the product found that no way of reading finds; None if one does, or if there is no second opinion.

    `keys` are those of all ratings together, if nothing else is known.
    """
    reasons: list[str] = []
    for reading in readings:
        try:
            if isinstance(reading, BrokenError):
                raise reading
            expected = summary(reading, truth)
        except BrokenError as e:
            reasons.append(f"taken, in spite of: {e}")
            continue
        if keys:
            expected = {k: expected["all"][k] for k in keys}
        if expected == found:
            return None
        which = next(k for k in [*expected, *found] if expected.get(k) != found.get(k))
        reasons.append(f"{which}: found {found.get(which)}, expected {expected.get(which)}")
    return reasons[0] if reasons else None
