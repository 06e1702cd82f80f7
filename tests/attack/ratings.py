"""Doors for ratings and predictions: CSV, gzip, JSON lines and Parquet through ``disaggregate``, CSV through ``data import``."""

from __future__ import annotations

import gzip
import io
import json
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

from tests.attack import mutate
from tests.attack.door import Door, Fault, Runner
from tests.attack.table import (
    IDS,
    KEYS,
    NUMBER,
    BrokenError,
    Row,
    Truth,
    cell,
    csv_readings,
    judge,
    jsonl_readings,
    level_of,
    summary_of,
    truth,
    written_csv,
)

#: How many mutations an input gets.
HOW_MANY = (0, 1, 1, 1, 2, 2, 3)


def _disaggregate(rng: Random, run: Runner, made: Truth, file: str, *, valid: bool, readings: Iterator[Any]) -> bool:
    """Run the command on a file, and hold what it found against the second reader."""
    answer = run("disaggregate", "--ratings", file, *made.words(), "-o", "out.json", names=file, valid=valid)
    if answer.code:
        if Path("out.json").exists():
            raise Fault("difference", "refused, and results written")
        return False
    found = summary_of(json.loads(Path("out.json").read_text(encoding="utf-8")))
    if wrong := judge(found, readings, made):
        raise Fault("difference", wrong)
    return True


# --- CSV


def break_csv(rng: Random, text: str, separator: str = ",") -> str:
    """Return a CSV that is broken in one place, or looks so."""
    lines = text.splitlines(keepends=True)
    n = rng.randrange(len(lines)) if lines else 0

    def in_line(change: Callable[[str], str]) -> str:
        return "".join([*lines[:n], change(lines[n]), *lines[n + 1 :]])

    def in_cell(change: Callable[[str], str]) -> str:
        cells = lines[n].rstrip("\r\n").split(separator)
        k = rng.randrange(len(cells))
        cells[k] = change(cells[k])
        return in_line(lambda line: separator.join(cells) + line[len(line.rstrip("\r\n")) :])

    ways: list[Callable[[], str]] = [
        lambda: mutate.inserted(rng, text, ['"', '""', "6'4\"", '"""']),
        lambda: in_cell(lambda c: f'"{c}'),
        lambda: in_cell(lambda c: f'{c}"'),
        lambda: in_cell(lambda c: f'{c[:1]}"{c[1:]}'),
        lambda: in_cell(lambda _: rng.choice(mutate.WORDS)),
        lambda: in_cell(lambda c: mutate.inserted(rng, c, mutate.ODD)),
        lambda: in_cell(lambda c: c + separator + rng.choice(["", "x", '"y"'])),
        lambda: in_line(lambda line: line.partition(separator)[2]),
        lambda: in_line(lambda line: line.rpartition(separator)[0] + "\n"),
        lambda: in_line(lambda line: line + line),
        lambda: in_line(lambda line: rng.choice(["\n", "\r\n", "  \n", separator + "\n", "\r"]) + line),
        lambda: in_line(lambda line: line.rstrip("\r\n") + rng.choice(["\r", "\r\r\n", "\n\r", "\u2028", "\x0b", "\x1e"])),
        lambda: text.replace("\n", rng.choice(["\r", "\r\n", "\n\n", "\r\r\n", "\x85"])),
        lambda: text.replace(separator, rng.choice([";", "\t", separator + " ", " " + separator]), rng.choice([-1, 1, 3])),
        lambda: mutate.inserted(rng, text, mutate.ODD),
        lambda: "\ufeff" + text,
        lambda: text[: rng.randrange(len(text) + 1)],
        lambda: text.replace(*rng.choice([("rating", "rater_id"), ("item_id", " item_id"), ("gender", "gender_"), ("rater_id", "")]), 1),
        lambda: "".join(lines[:1] + sorted(lines[1:], key=lambda _: rng.random())),
        lambda: "".join(lines[1:]) + "".join(lines[:1]),
    ]
    return rng.choice(ways)() if lines else text


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
    return _disaggregate(rng, run, made, file, valid=valid, readings=csv_readings(raw, made.wanted, separator))


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
        lambda: gzip.compress(inner + b"\n" * 3_000_000),
    ]
    way = rng.randrange(len(ways)) if rng.random() < 0.7 else 0
    raw = ways[way]()
    Path("ratings.csv.gz").write_bytes(raw)
    readings = iter(csv_readings(unzipped, made.wanted)) if (unzipped := _unzipped(raw)) is not None else iter([BrokenError("no gzip")])
    return _disaggregate(rng, run, made, "ratings.csv.gz", valid=valid and way < 3, readings=readings)


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
            raise Fault("difference", "refused, and something written")
        return False
    counts = re.match(r"([\d,]+) ratings of ([\d,]+) items by ([\d,]+) raters\n", answer.out)
    if not counts:
        raise Fault("difference", f"no counts: {answer.out[:90]!r}")
    found = dict(zip(("n_ratings", "n_items", "n_raters"), (int(c.replace(",", "")) for c in counts.groups()), strict=True))
    if wrong := judge(found, _no_answers(csv_readings(raw, [*made.wanted, "text"]), made), made, keys=tuple(found)):
        raise Fault("difference", wrong)
    return True


def _no_answers(readings: Iterator[list[Row] | BrokenError], made: Truth) -> Iterator[list[Row] | BrokenError]:
    """Leave out what an import takes for no answer, and yield the rest; an item has one text."""
    nothing = {"NA", "N/A", "nan", "NULL", "NaN", "n/a", "null", "None", "<NA>"} - set(made.scale.split(","))
    for reading in readings:
        if isinstance(reading, BrokenError):
            yield reading
            continue
        texts: dict[str | None, str | None] = {}
        if any(texts.setdefault(cell(r["item_id"]), cell(r["text"])) != cell(r["text"]) for r in reading if cell(r["item_id"])):
            yield BrokenError("an item with two texts")
            continue
        yield [{k: None if k not in ("item_id", "rater_id") and cell(v) in nothing else v for k, v in r.items()} for r in reading]


# --- JSON lines


def written_jsonl(made: Truth, rng: Random) -> list[str]:
    """Write a table as JSON lines in one of the ways that are right; whole columns of numbers may be numbers."""
    numbers = {
        c for c in made.columns
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


def break_jsonl(rng: Random, lines: list[str]) -> list[str]:
    """Return JSON lines of which one is broken, or looks so."""
    n = rng.randrange(len(lines)) if lines else 0
    line = lines[n] if lines else ""

    def in_record(change: Callable[[dict[str, Any]], Any]) -> str:
        try:
            record = json.loads(line)
            return json.dumps(change(record) or record, ensure_ascii=rng.random() < 0.5)
        except (ValueError, TypeError, AttributeError, IndexError, RecursionError):
            return line + "x"

    def key(record: dict[str, Any]) -> str:
        return rng.choice([*record])

    ways: list[Callable[[], str]] = [
        lambda: in_record(lambda r: r.__setitem__(key(r), mutate.value(rng))),
        lambda: in_record(lambda r: r.__setitem__(key(r), rng.choice([1, 1.0, 2.5, 2**53 + 1, 2**63, "1", "1.0"]))),
        lambda: in_record(lambda r: r.__setitem__("rater_id", float(n) + rng.choice([0.0, 0.5]))),
        lambda: in_record(lambda r: r.pop(key(r)) and None),
        lambda: in_record(lambda r: mutate.tree(rng, r)[0]),
        lambda: in_record(lambda r: [r]),
        lambda: line[: rng.randrange(len(line) + 1)],
        lambda: mutate.inserted(rng, line, [*mutate.ODD, "\\ud83d", '"', "\\", "{", "}", ",", "NaN", "\r", "\t", "[" * 3000]),
        lambda: line.replace('": ', '": ' + rng.choice(["[" * 2000 + "]" * 2000, "-0", "1E400", "01", "+1", ".5", "0x1", "Infinity"]) + ', "z": ', 1),
        lambda: line.replace("{", '{"item_id": "again", ', 1),
        lambda: line.replace("}", ', "item_id": "again"}', 1),
        lambda: rng.choice(["", " ", "null", "[]", "{}", "1", '"a"', "//", "\ufeff" + line, line + line, line + ",", line + "\r" + line]),
        lambda: line.replace('"rating"', rng.choice(['"Rating"', '"rating "', '"row"', '"_rule"', '"rating.x"'])),
        lambda: line.replace('"gender": ', '"gender": {"a": 1}, "gender.a": '),
    ]
    return [*lines[:n], rng.choice(ways)(), *lines[n + 1 :]]


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
    return _disaggregate(rng, run, made, file, valid=not many, readings=jsonl_readings(raw, made.wanted))


# --- Parquet


def _column(rng: Random, name: str, cells: list[str | None]) -> Any:
    """Return cells as a column of one of the types that can hold them, written by another library than the product's."""
    import pyarrow as pa

    known = [c for c in cells if c not in (None, "")]
    types = [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())]
    if known and all(re.fullmatch(r"-?(0|[1-9]\d{0,17})", c) for c in known):
        types += [pa.int64(), pa.decimal128(38, 0)]
        if all(0 <= int(c) < 100 for c in known):
            types += [pa.int8(), pa.uint16(), pa.float64(), pa.float32()]
    kind = rng.choice(types)
    values: list[Any] = [None if c == "" and name == "rating" else c for c in cells]
    if pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        values = [int(v) if v else None for v in values]
    elif pa.types.is_floating(kind):
        values = [float(v) if v else rng.choice([None, float("nan")]) for v in values]
    if pa.types.is_dictionary(kind):
        return pa.array(values, pa.string()).dictionary_encode()
    return pa.array(values, kind)


def written_parquet(made: Truth, rng: Random, change: Callable[[Any], Any] = lambda t: t) -> bytes:
    """Write a table as Parquet in one of the ways that are right."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = change(pa.table({c: _column(rng, c, [r[c] for r in made.rows]) for c in made.columns}))
    out = io.BytesIO()
    pq.write_table(
        table,
        out,
        row_group_size=rng.choice([1, 3, 1000]),
        compression=rng.choice(["none", "snappy", "zstd", "gzip", "brotli", "lz4"]),
        data_page_version=rng.choice(["1.0", "2.0"]),
        use_dictionary=rng.random() < 0.5,
        write_page_checksum=rng.random() < 0.3,
    )
    return out.getvalue()


def break_table(rng: Random, table: Any) -> Any:
    """Return an arrow table with a column of another kind, name or content."""
    import pyarrow as pa

    n, rows = rng.randrange(table.num_columns), table.num_rows
    name = table.column_names[n]
    odd: list[Callable[[], Any]] = [
        lambda: pa.array([b"\xff\xfe"] * rows, pa.binary()),
        lambda: pa.array([["a"]] * rows),
        lambda: pa.array([{"a": 1}] * rows),
        lambda: pa.array([None] * rows),
        lambda: pa.array([True] * rows),
        lambda: pa.array([1 / (k + 1) for k in range(rows)]),
        lambda: pa.array(range(rows), pa.timestamp("ns", "Europe/Berlin")),
        lambda: pa.array(range(rows), pa.duration("us")),
        lambda: pa.array(range(rows), pa.date32()),
        lambda: pa.array([rng.choice(mutate.WORDS) for _ in range(rows)]),
        lambda: pa.array([2**63 + k for k in range(rows)], pa.uint64()),
        lambda: pa.array([float(2**53 + k) for k in range(rows)]),
        lambda: pa.array([float("inf")] * rows),
    ]
    how = rng.randrange(5)
    if how == 0:
        return table.drop_columns([name])
    if how == 1:
        return table.rename_columns([*table.column_names[:n], rng.choice(["row", "", "x\0y", "rating", "é"]), *table.column_names[n + 1 :]])
    if how == 2:
        return table.slice(0, rng.randrange(rows + 1))
    return table.set_column(n, name, rng.choice(odd)())


def parquet_readings(raw: bytes, wanted: Sequence[str], meant: Truth | None) -> Iterator[list[Row] | BrokenError]:
    """Yield what the other library reads, and, where only bytes were damaged, what was meant."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        names = pq.read_schema(io.BytesIO(raw)).names
        for column in wanted:
            if names.count(column) != 1:
                raise BrokenError(f"{names.count(column)} columns {column!r}")
        table = pq.read_table(io.BytesIO(raw), columns=list(wanted))
        table.validate(full=True)
        columns = {c: [_arrow_text(v) for v in table[c]] for c in wanted}
        yield [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    except BrokenError as e:
        yield e
    except (pa.ArrowException, OSError, ValueError, OverflowError) as e:
        yield BrokenError(f"not readable: {' '.join(str(e).split())[:90]}")
    if meant:
        yield meant.rows


def _arrow_text(scalar: Any) -> str | None:
    found = scalar.as_py() if not hasattr(scalar, "value") or not str(scalar.type).startswith(("timestamp", "duration")) else scalar.value
    if isinstance(found, list | bytes):
        raise BrokenError(f"{scalar.type} where text is expected")
    if found is None or found != found or isinstance(found, dict):
        return None
    return str(found).lower() if isinstance(found, bool) else str(found)


def ratings_parquet(rng: Random, run: Runner, _shared: Any) -> bool:
    ids = [i for i in IDS if "\n" not in i(1)]
    made, way = truth(rng, ids=ids), rng.random()
    if way < 0.3:
        raw = written_parquet(made, rng, lambda table: break_table(rng, table))
    else:
        raw = written_parquet(made, rng)
    flipped = 0.3 <= way < 0.85
    if flipped:
        raw = mutate.flipped(rng, raw)
    Path("ratings.parquet").write_bytes(raw)
    readings = parquet_readings(raw, made.wanted, made if flipped else None)
    return _disaggregate(rng, run, made, "ratings.parquet", valid=way >= 0.85, readings=readings)


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
        raise Fault("difference", reasons[0])
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
    Door("csv", 260, ratings_csv),
    Door("gzip", 60, ratings_gz),
    Door("import", 50, imported),
    Door("jsonl", 150, ratings_jsonl),
    Door("parquet", 90, ratings_parquet),
    Door("predictions", 80, predictions),
]
