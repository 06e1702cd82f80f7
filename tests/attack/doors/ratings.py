"""Doors of ratings and predictions: CSV, gzip and JSON lines through ``disaggregate``, CSV through ``data import``."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

from tests.attack import mutate
from tests.attack.breaks import HOW_MANY, break_csv, break_jsonl
from tests.attack.door import Door, FaultError, Runner
from tests.attack.table import (
    KEYS,
    NUMBER,
    BrokenError,
    Row,
    Truth,
    cell,
    csv_readings,
    jsonl_readings,
    judge,
    level_of,
    summary_of,
    truth,
    written_csv,
)


def compared(run: Runner, made: Truth, file: str, *, valid: bool, readings: Iterator[Any]) -> bool:
    """Run the command on a file, and hold what it found against the second reader."""
    answer = run("disaggregate", "--ratings", file, *made.words(), "-o", "out.json", names=file, valid=valid)
    if answer.code:
        if Path("out.json").exists():
            raise FaultError("difference", "refused, and results written")
        return False
    found = summary_of(json.loads(Path("out.json").read_text(encoding="utf-8")))
    if wrong := judge(found, readings, made):
        raise FaultError("difference", wrong)
    return True


# --- CSV


def _csv_bytes(rng: Random, made: Truth, separator: str = ",") -> tuple[bytes, bool]:
    """Return a CSV file, and whether nothing is wrong with it."""
    text, many = written_csv(made, rng, separator), rng.choice(HOW_MANY)
    for _ in range(many):
        text = break_csv(rng, text, separator)
    raw = mutate.encoded(text)
    if many and rng.random() < 0.15:
        raw = mutate.flipped(rng, raw)
    return raw, not many


def ratings_csv(rng: Random, run: Runner, _shared: Any) -> bool:
    separator = "\t" if rng.random() < 0.1 else ","
    made, file = truth(rng), "ratings.tsv" if separator == "\t" else "ratings.csv"
    raw, valid = _csv_bytes(rng, made, separator)
    Path(file).write_bytes(raw)
    return compared(run, made, file, valid=valid, readings=csv_readings(raw, made.wanted, separator))


def ratings_gz(rng: Random, run: Runner, _shared: Any) -> bool:
    """Attack gzipped CSV: what is compressed, how, and the compressed bytes."""
    made = truth(rng)
    inner, valid = _csv_bytes(rng, made)
    raw, cut = gzip.compress(inner, mtime=0), rng.randrange(len(inner) + 1)
    ways: list[Callable[[], bytes]] = [
        lambda: raw,
        lambda: gzip.compress(inner[:cut]) + gzip.compress(inner[cut:]),
        lambda: raw + b"\0" * 512,
        lambda: raw[: rng.randrange(len(raw))],
        lambda: mutate.flipped(rng, raw),
        lambda: raw + rng.randbytes(9),
        lambda: gzip.compress(raw),
        lambda: inner,
        lambda: gzip.compress(inner + b"\n" * 300_000),
    ]
    way = rng.randrange(len(ways)) if rng.random() < 0.7 else 0
    raw = ways[way]()
    Path("ratings.csv.gz").write_bytes(raw)
    readings = (
        iter(csv_readings(unzipped, made.wanted))
        if (unzipped := _unzipped(raw)) is not None
        else iter([BrokenError("no gzip")])
    )
    return compared(run, made, "ratings.csv.gz", valid=valid and way < 2, readings=readings)


def _unzipped(raw: bytes) -> bytes | None:
    """Unpack all members; None if they are not whole. A file that is not zipped is what it is."""
    if raw[:2] != b"\x1f\x8b":
        return raw
    out = b""
    while raw.rstrip(b"\0"):
        part = zlib.decompressobj(31)
        try:
            out += part.decompress(raw) + part.flush()
        except zlib.error:
            return None
        if not part.eof:
            return None
        raw = part.unused_data
    return _unzipped(out)  # once more, if it was zipped twice


# --- data import


def imported(rng: Random, run: Runner, _shared: Any) -> bool:
    """Attack ``data import``: the file's columns are named, its counts are printed."""
    made = truth(rng, plain=True)
    rows = [{**r, "text": f"text of {r['item_id']}"} for r in made.rows]
    made = Truth(rows, made.scale, made.axes, (*made.columns, "text"))
    raw, valid = _csv_bytes(rng, made)
    Path("mine.csv").write_bytes(raw)
    axes = ["--axes", *made.axes] if made.axes else []
    roles = [f"{role}={role}" for role in (*KEYS, "text")]
    words = ["data", "import", "mine.csv", "--columns", *roles, *axes, "--separator", "|", "--scale=" + made.scale]
    answer = run(*words, "--direction", "lower", "--to", "to", names="mine.csv", valid=valid)
    if answer.code:
        if list(Path("to").rglob("*")):
            raise FaultError("difference", "refused, and something written")
        return False
    counts = re.match(r"([\d,]+) ratings of ([\d,]+) items by ([\d,]+) raters\n", answer.out)
    if not counts:
        raise FaultError("difference", f"no counts: {answer.out[:90]!r}")
    found = dict(
        zip(("n_ratings", "n_items", "n_raters"), (int(c.replace(",", "")) for c in counts.groups()), strict=True)
    )
    if wrong := judge(found, _no_answers(csv_readings(raw, [*made.wanted, "text"]), made), made, keys=tuple(found)):
        raise FaultError("difference", wrong)
    return True


def _no_answers(readings: Iterator[list[Row] | BrokenError], made: Truth) -> Iterator[list[Row] | BrokenError]:
    """Leave out what an import takes for no answer, and yield the rest; an item has one text."""
    nothing = {"NA", "N/A", "nan", "NULL", "NaN", "n/a", "null", "None", "<NA>"} - set(made.scale.split(","))
    for reading in readings:
        if isinstance(reading, BrokenError):
            yield reading
            continue
        texts: dict[str | None, str | None] = {}
        if any(
            texts.setdefault(cell(r["item_id"]), cell(r["text"])) != cell(r["text"])
            for r in reading
            if cell(r["item_id"])
        ):
            yield BrokenError("an item with two texts")
            continue
        yield [
            {k: None if k not in ("item_id", "rater_id") and cell(v) in nothing else v for k, v in r.items()}
            for r in reading
        ]


# --- JSON lines


def written_jsonl(made: Truth, rng: Random) -> list[str]:
    """Write a table as JSON lines in one of the ways that are right; whole columns of numbers may be numbers."""
    numbers = {
        c
        for c in made.columns
        if rng.random() < 0.5 and all(re.fullmatch(r"-?(0|[1-9]\d*)(\.\d+)?", r[c] or "0") for r in made.rows)
    }
    lines = []
    for row in made.rows:
        cells = []
        for c in made.columns:
            if row[c] == "" and rng.random() < 0.5 and any(r[c] for r in made.rows):
                continue
            plain = row[c] is not None and c in numbers and row[c] != ""
            cells.append(f"{json.dumps(c)}: {row[c] if plain else json.dumps(row[c], ensure_ascii=rng.random() < 0.5)}")
        lines.append("{" + ", ".join(cells) + "}")
    return lines


def ratings_jsonl(rng: Random, run: Runner, _shared: Any) -> bool:
    made, many = truth(rng), rng.choice(HOW_MANY)
    lines = written_jsonl(made, rng)
    for _ in range(many):
        lines = break_jsonl(rng, lines)
    raw = mutate.encoded(rng.choice(["\n", "\n", "\r\n"]).join(lines) + rng.choice(["\n", "", "\n\n"]))
    if many and rng.random() < 0.15:
        raw = mutate.flipped(rng, raw)
    file = rng.choice(["ratings.jsonl", "ratings.ndjson"])
    Path(file).write_bytes(raw)
    return compared(run, made, file, valid=not many, readings=jsonl_readings(raw, made.wanted))


# --- predictions and weights


def predictions(rng: Random, run: Runner, _shared: Any) -> bool:
    """Attack ``--predictions``: probabilities or levels of items that are all rated, so that the bias can be told."""
    made = truth(rng, plain=True)
    levels, items = made.scale.split(","), list(dict.fromkeys(r["item_id"] for r in made.rows))
    Path("ratings.csv").write_bytes(mutate.encoded(written_csv(made, rng)))
    if rng.random() < 0.5:
        columns: tuple[str, ...] = ("item_id", "prediction")
        rows: list[Row] = [{"item_id": i, "prediction": rng.choice(levels)} for i in items]
    else:
        columns = ("item_id", *(f"p{k}" for k in range(1, len(levels) + 1)))
        rows = []
        for i in items:
            parts = [rng.randrange(1, 9) for _ in levels]
            rows.append({"item_id": i, **{f"p{k}": repr(p / sum(parts)) for k, p in enumerate(parts, 1)}})
    said, many = Truth(rows, made.scale, (), columns), rng.choice(HOW_MANY)
    if rng.random() < 0.7:
        file, text = "predictions.csv", written_csv(said, rng)
        for _ in range(many):
            text = break_csv(rng, text)
        raw = mutate.encoded(text)
        readings = csv_readings(raw, columns)
    else:
        lines = written_jsonl(said, rng)
        for _ in range(many):
            lines = break_jsonl(rng, lines)
        file, raw = "predictions.jsonl", mutate.encoded("\n".join(lines))
        readings = jsonl_readings(raw, columns)
    Path(file).write_bytes(raw)
    words = ["disaggregate", "--ratings", "ratings.csv", "--predictions", file, *made.words(), "-o", "out.json"]
    answer = run(*words, names="" if many else file, valid=not many)
    if answer.code:
        return False
    found = json.loads(Path("out.json").read_text(encoding="utf-8"))["overall"]["bias"]["value"]
    reasons = []
    for reading in readings:
        try:
            if isinstance(reading, BrokenError):
                raise reading
            expected = _bias(reading, made, columns)
        except BrokenError as e:
            reasons.append(f"taken, in spite of: {e}")
            continue
        if found is not None and abs(found - expected) < 1e-6:
            return True
        reasons.append(f"bias {found}, expected {expected}")
    if reasons:
        raise FaultError("difference", reasons[0])
    return True


def _bias(reading: list[Row], made: Truth, columns: tuple[str, ...]) -> float:
    """Return the mean over items of what is predicted minus what raters said."""
    levels = made.scale.split(",")
    positions = [float(v) if NUMBER.fullmatch(levels[0]) else k for k, v in enumerate(levels, 1)]
    predicted: dict[str, float] = {}
    for row in reading:
        cells = [cell(row[c]) for c in columns]
        if not any(cells):
            continue
        item, numbers = cells[0], cells[1:]
        if item is None or item in predicted:
            raise BrokenError("no item, or one twice")
        if columns[1] == "prediction":
            if (place := level_of(numbers[0] or "", levels)) is None:
                raise BrokenError("a level off the scale")
            predicted[item] = positions[place]
            continue
        try:
            q = [float(v or "nan") for v in numbers]
        except ValueError as e:
            raise BrokenError("no number") from e
        if not all(-1e-3 <= v <= 1 + 1e-3 for v in q) or abs(sum(q) - 1) > 2e-3:
            raise BrokenError("no distribution")
        predicted[item] = sum(a * b for a, b in zip(positions, q, strict=True)) / sum(q)
    rated: dict[str, list[float]] = {}
    for row in made.rows:
        place = level_of(row["rating"] or "", levels)
        assert place is not None
        rated.setdefault(cell(row["item_id"]) or "", []).append(positions[place])
    both = [i for i in rated if i in predicted]
    if not both:
        raise BrokenError("no item in common")
    return sum(predicted[i] - sum(rated[i]) / len(rated[i]) for i in both) / len(both)


DOORS = [
    Door("csv", 200, ratings_csv),
    Door("gzip", 30, ratings_gz),
    Door("import", 100, imported),
    Door("jsonl", 200, ratings_jsonl),
    Door("predictions", 120, predictions),
]
