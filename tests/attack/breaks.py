"""Ways to break the text of a CSV, of JSON lines and of YAML, some of which only look like it."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

from tests.attack import mutate

#: How many of them an input gets.
HOW_MANY = (0, 1, 1, 1, 2, 2, 3)


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
        lambda: in_line(
            lambda line: line.rstrip("\r\n") + rng.choice(["\r", "\r\r\n", "\n\r", "\u2028", "\x0b", "\x1e"])
        ),
        lambda: text.replace("\n", rng.choice(["\r", "\r\n", "\n\n", "\r\r\n", "\x85"])),
        lambda: text.replace(
            separator, rng.choice([";", "\t", separator + " ", " " + separator]), rng.choice([-1, 1, 3])
        ),
        lambda: mutate.inserted(rng, text, mutate.ODD),
        lambda: "\ufeff" + text,
        lambda: text[: rng.randrange(len(text) + 1)],
        lambda: text.replace(
            *rng.choice([("rating", "rater_id"), ("item_id", " item_id"), ("gender", "gender_"), ("rater_id", "")]), 1
        ),
        lambda: "".join(lines[:1] + sorted(lines[1:], key=lambda _: rng.random())),
        lambda: "".join(lines[1:]) + "".join(lines[:1]),
    ]
    return rng.choice(ways)() if lines else text


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
        lambda: mutate.inserted(
            rng, line, [*mutate.ODD, "\\ud83d", '"', "\\", "{", "}", ",", "NaN", "\r", "\t", "[" * 3000]
        ),
        lambda: line.replace(
            '": ',
            '": '
            + rng.choice(["[" * 2000 + "]" * 2000, "-0", "1E400", "01", "+1", ".5", "0x1", "Infinity"])
            + ', "z": ',
            1,
        ),
        lambda: line.replace("{", '{"item_id": "again", ', 1),
        lambda: line.replace("}", ', "item_id": "again"}', 1),
        lambda: rng.choice(
            [
                "",
                " ",
                "null",
                "[]",
                "{}",
                "1",
                '"a"',
                "//",
                "\ufeff" + line,
                line + line,
                line + ",",
                line + "\r" + line,
            ]
        ),
        lambda: line.replace('"rating"', rng.choice(['"Rating"', '"rating "', '"row"', '"_rule"', '"rating.x"'])),
        lambda: line.replace('"gender": ', '"gender": {"a": 1}, "gender.a": '),
    ]
    return [*lines[:n], rng.choice(ways)(), *lines[n + 1 :]]


def break_yaml(rng: Random, text: str) -> str:
    """Return YAML text that is broken, or looks so."""
    lines = text.splitlines(keepends=True)
    n = rng.randrange(len(lines)) if lines else 0

    def in_line(change: Callable[[str], str]) -> str:
        return "".join([*lines[:n], change(lines[n]), *lines[n + 1 :]])

    tags = ["!!python/object/apply:os.system [echo]", "!!binary x", "!!timestamp 2024-13-45", "!!int x", "!!set {a, b}"]
    tags += ["*nowhere", "&a [*a]", "{{ x }}", "2024-13-45", "0x_", "1:99:99", "0o9", "~", "<<: 3", "? a", "| ", "> x"]
    ways: list[Callable[[], str]] = [
        lambda: mutate.inserted(
            rng, text, [*mutate.ODD, "\t", ":", "- ", "{", "[", "'", '"', "#", "&x ", "*x", "---\n", "%"]
        ),
        lambda: in_line(lambda line: line + line),
        lambda: in_line(lambda _: ""),
        lambda: in_line(lambda line: rng.choice(["  ", " ", "\t"]) + line),
        lambda: in_line(lambda line: line.lstrip()),
        lambda: in_line(lambda line: line.partition(":")[0] + ": " + rng.choice(tags) + "\n"),
        lambda: text[: rng.randrange(len(text) + 1)],
        lambda: text.replace("\n", rng.choice(["\r", "\r\n", "\x85", "\u2028"])),
        lambda: (
            text
            + rng.choice(
                ["x: [*a, *a]\n", "include: rate.yaml\n", "include: nowhere.yaml\n", "include: 3\n", "...\n---\na: 1\n"]
            )
        ),
        lambda: (
            text
            + "a: &a [x, x, x, x, x, x, x, x, x]\n"
            + "".join(
                f"{b}: &{b} [{', '.join('*' + a for _ in range(9))}]\n" for a, b in ("ab", "bc", "cd", "de", "ef", "fg")
            )
        ),
        lambda: text + "deep: " + "[" * rng.choice([50, 200, 5000]),
        lambda: "".join(sorted(lines, key=lambda _: rng.random())),
    ]
    return rng.choice(ways)() if lines else text
