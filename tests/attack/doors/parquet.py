"""The door of Parquet: columns of all types, written and read again by another library than the product's."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

from tests.attack import mutate
from tests.attack.door import Door, Runner
from tests.attack.doors.ratings import compared
from tests.attack.table import IDS, BrokenError, Row, Truth, truth


def _column(rng: Random, name: str, cells: list[str | None]) -> Any:
    """Return cells as a column of one of the types that can hold them."""
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
        return table.rename_columns(
            [*table.column_names[:n], rng.choice(["row", "", "x\0y", "rating", "é"]), *table.column_names[n + 1 :]]
        )
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
    found = (
        scalar.as_py()
        if not hasattr(scalar, "value") or not str(scalar.type).startswith(("timestamp", "duration"))
        else scalar.value
    )
    if isinstance(found, list | bytes):
        raise BrokenError(f"{scalar.type} where text is expected")
    if found is None or found != found or isinstance(found, dict):
        return None
    if isinstance(found, float) and found.is_integer():
        return str(int(found))  # ids of other tools that became numbers on their way: 1.0 is the id 1
    return str(found).lower() if isinstance(found, bool) else str(found)


def ratings_parquet(rng: Random, run: Runner, _shared: Any) -> bool:
    ids = [i for i in IDS if "\n" not in i(1)]
    made, way = truth(rng, ids=ids), rng.random()
    raw = written_parquet(made, rng, lambda table: break_table(rng, table) if way < 0.3 else table)
    flipped = 0.3 <= way < 0.85
    if flipped:
        raw = mutate.flipped(rng, raw)
    Path("ratings.parquet").write_bytes(raw)
    readings = parquet_readings(raw, made.wanted, made if flipped else None)
    return compared(run, made, "ratings.parquet", valid=way >= 0.85, readings=readings)


DOORS = [Door("parquet", 5, ratings_parquet)]
