"""The door of recipes, and of the files that a recipe reads."""

from __future__ import annotations

import io
import json
import tarfile
import warnings
import zipfile
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

from tests.attack import mutate
from tests.attack.breaks import HOW_MANY, break_csv, break_jsonl
from tests.attack.door import Door, FaultError, Runner, differ
from tests.attack.doors.documents import dumped, validated, written_yaml
from tests.attack.table import (
    BrokenError,
    Truth,
    cell,
    csv_readings,
    groups_of,
    jsonl_readings,
    level_of,
    written_csv,
)
from tests.opinions import Opinions
from tests.suite import Suite, default_task

WIDE = """id,split,body,marks,who,fast,best,one,two
1,test,INVENTED a,"1,2","r1,r2",no,x,INVENTED a,INVENTED b
2,test,INVENTED b,"3,3","r1,r3",no,y,INVENTED c,INVENTED d
3,train,INVENTED c,2,r2,yes,x,INVENTED e,INVENTED f
3,train,INVENTED c,2,r3,no,x,INVENTED e,INVENTED f
"""
PEOPLE = [
    {"worker": "r1", "about": {"gender": "F", "age": 20}, "black": True, "white": False, "said": "['x', 'y']"},
    {"worker": "r2", "about": {"gender": "m", "age": 40}, "black": False, "white": True, "said": "['x']"},
    {"worker": "r3", "about": {"gender": "?", "age": None}, "black": True, "white": True, "said": "[]"},
]


def _rich() -> dict[str, Any]:
    """Return a recipe that uses most steps."""
    return {
        "dataset": "rich",
        "title": "INVENTED",
        "licence": "Apache-2.0",
        "redistribution": "allowed",
        "citation": "Nobody (2026).",
        "notes": ["invented"],
        "files": {
            "wide": {"path": "wide.csv", "sha256": None},
            "people": {"path": "people.json", "sha256": None, "records": "people"},
        },
        "tables": {
            "posts": {
                "file": "wide",
                "steps": [
                    {"concat": {"columns": ["split", "id"], "separator": "-", "into": "post"}},
                    {"digest": {"columns": ["body"], "into": "short"}},
                    {"fill": {"into": "source", "value": "wide"}},
                ],
            },
            "marked": {
                "file": "posts",
                "steps": [
                    {"split": {"columns": ["marks", "who"], "separator": ","}},
                    {"explode": {"columns": ["marks", "who"], "position": "place"}},
                    {"drop": {"rule": "too fast", "where": {"fast": ["yes"]}}},
                    {"keep": {"rule": "no mark", "where": {"marks": [1, 2, 3]}}},
                    {"once": {"columns": ["post", "who"], "rule": "again"}},
                    {"join": {"table": "workers", "by": ["worker"], "columns": ["gender"]}},
                ],
            },
            "workers": {
                "file": "people",
                "steps": [
                    {
                        "recode": {
                            "column": "about.gender",
                            "levels": {"F": "woman", "M": "man", "?": None},
                            "fold": False,
                            "other": "keep",
                            "into": "gender",
                        }
                    },
                    {
                        "bin": {
                            "column": "about.age",
                            "edges": [30],
                            "labels": ["young", "old"],
                            "least": 1,
                            "most": 99,
                            "into": "age",
                        }
                    },
                    {"one_hot": {"columns": {"black": "Black", "white": "White"}, "into": "race"}},
                    {"literal": {"column": "said", "values": "words"}},
                ],
            },
        },
        "scales": {
            "bad": {"levels": [1, 2, 3], "labels": ["a", "b", "c"], "positions": [1, 2, 4], "direction": "lower"}
        },
        "items": {"file": "posts", "id": "post", "fields": ["body", "source"]},
        "raters": {
            "file": "workers",
            "id": "worker",
            "axes": {"gender": "gender", "age": "age", "race": "race"},
            "separator": "|",
            "undeclared": ["-"],
        },
        "ratings": {
            "file": "marked",
            "item": "post",
            "rater": "who",
            "dimensions": {"harm": {"column": "marks", "scale": "bad"}},
        },
        "filters": {"first": {"about": "Only first.", "where": {"place": [1]}}},
        "rules": {"duplicates": "first", "unknown_rater": "drop"},
    }


def _ordered(recipe: dict[str, Any]) -> dict[str, Any]:
    """Put the table of workers above the one that joins it."""
    tables = recipe["tables"]
    for step in tables["marked"]["steps"]:
        if "join" in step:
            step["join"] |= {"by": ["who"]}
    tables["workers"]["steps"].append({"concat": {"columns": ["worker"], "into": "who"}})
    return recipe | {"tables": {name: tables[name] for name in ("posts", "workers", "marked")}}


def _pairs() -> dict[str, Any]:
    """Return a recipe of choices between two texts, and of a wide table."""
    rich = _rich()
    chosen = {
        "columns": {"x": "one", "y": "two"},
        "chosen": "best",
        "first": "a",
        "second": "b",
        "preferred": "which",
        "rule": "none",
    }
    return rich | {
        "dataset": "rich",
        "tables": {
            "choices": {
                "file": "wide",
                "steps": [{"pairs": chosen}, {"digest": {"columns": ["a", "b"], "into": "pair"}}],
            },
            "long": {
                "file": "people",
                "steps": [{"unpivot": {"columns": ["black", "white"], "names": "asked", "values": "said_so"}}],
            },
        },
        "scales": {"better": {"levels": ["first", "second"], "direction": "lower"}},
        "items": {"file": "choices", "id": "pair", "fields": ["a", "b"]},
        "raters": {"file": "long", "id": "worker", "axes": {"gender": "about.gender"}},
        "ratings": {
            "file": "choices",
            "item": "pair",
            "rater": "who",
            "dimensions": {"choice": {"column": "which", "scale": "better"}},
        },
        "filters": {},
        "rules": {"unknown_rater": "undeclared", "duplicates": "first"},
    }


def _recipe_task(dimension: str, text: str, levels: list[Any]) -> dict[str, Any]:
    task = default_task() | {"task": "rich_rate", "dataset": "rich", "dimension": dimension, "doc_to_choice": levels}
    return task | {"doc_to_text": text, "groups": {"axes": ["gender"], "min_raters": 1}}


def recipes(rng: Random, run: Runner, _shared: Any) -> bool:
    """Attack recipes through ``validate``, or the files that they read through ``data show``."""
    if rng.random() < 0.4:
        return _data(rng, run)
    folder = Path("tasks/rich")
    folder.mkdir(parents=True)
    kind = rng.randrange(3)
    if kind == 2:
        shares = Opinions(Path("tasks"))
        raw, valid, doomed = written_yaml(rng, shares.recipe)
        shares.write()
        folder, task = shares.folder, "opinion.yaml"
    else:
        recipe = _ordered(_rich()) if kind == 0 else _pairs()
        text, levels = ("{{ body }}", [1, 2, 3]) if kind == 0 else ("{{ a }} {{ b }}", ["A", "B"])
        raw, valid, doomed = written_yaml(rng, recipe)
        (folder / "wide.csv").write_text(WIDE)
        (folder / "people.json").write_text(json.dumps({"people": PEOPLE}))
        task = "rate.yaml"
        (folder / task).write_text(dumped(_recipe_task("harm" if kind == 0 else "choice", text, levels)))
    (folder / "dataset.yaml").write_bytes(raw)
    return validated(run, folder / task, "--include_path", "tasks", valid=valid, doomed=doomed)


def _data(rng: Random, run: Runner) -> bool:
    """Break one of the files that a simple recipe reads; counts are those of a second reader, or it is refused."""
    suite = Suite(Path("tasks"))
    for spec in suite.recipe["files"].values():
        spec["sha256"] = None
    ratings = [
        dict(zip(("item_id", "rater_id", "harm"), line.split(","), strict=True)) for line in suite.ratings.split()[1:]
    ]
    some = rng.sample(ratings, rng.randint(1, len(ratings)))
    truth = Truth(some, "", (), ("item_id", "rater_id", "harm"))  # type: ignore[arg-type]
    texts = {"ratings.csv": written_csv(truth, rng), "raters.csv": suite.raters}
    texts["items.jsonl"] = "\n".join(json.dumps(i) for i in suite.items)
    many, which = rng.choice(HOW_MANY), rng.choice([*texts])
    for _ in range(many):
        text = texts[which]
        texts[which] = "\n".join(break_jsonl(rng, text.split("\n"))) if which == "items.jsonl" else break_csv(rng, text)
    suite.write()
    for name, text in texts.items():
        (suite.folder / name).write_bytes(mutate.encoded(text))
    answer = run(
        "data", "show", "tiny", "--json", "--include_path", "tasks", names="tasks/tiny/" if many else "", valid=not many
    )
    if answer.code:
        return False
    overall = json.loads(answer.out)["tiny"]["dimensions"]["harm"]["overall"]
    raws = {name: mutate.encoded(text) for name, text in texts.items()}
    reasons = []
    for items in jsonl_readings(raws["items.jsonl"], ["item_id", "text", "prompt_id", "lang"]):
        for raters in csv_readings(raws["raters.csv"], ["rater_id", "gender", "race"]):
            for rated in csv_readings(raws["ratings.csv"], ["item_id", "rater_id", "harm"]):
                try:
                    for reading in (items, raters, rated):
                        if isinstance(reading, BrokenError):
                            raise reading
                    expected = _counted(items, raters, rated)  # type: ignore[arg-type]
                except BrokenError as e:
                    reasons.append(f"taken, in spite of: {e}")
                    continue
                found = {k: overall[k] for k in expected}
                if found == expected:
                    return True
                reasons.append(f"found {found}, expected {expected}")
    if reasons:
        raise FaultError("difference", f"{which}: {reasons[0]}")
    return True


def _counted(items: list[dict[str, Any]], raters: list[dict[str, Any]], rated: list[dict[str, Any]]) -> dict[str, int]:
    """Count ratings of known items by known raters."""

    def cells(rows: list[dict[str, Any]]) -> list[dict[str, str | None]]:
        return [c for c in ({k: cell(v) for k, v in row.items()} for row in rows) if any(c.values())]

    fields = dict[str | None, Any]()
    for row in cells(items):
        if row["item_id"] is None or fields.setdefault(row["item_id"], row) != row:
            raise BrokenError("an item without id, or two with one id")
    profiles = dict[str | None, Any]()
    for row in cells(raters):
        profile = [groups_of(row[a]) for a in ("gender", "race")]
        if row["rater_id"] and profiles.setdefault(row["rater_id"], profile) != profile:
            raise BrokenError("a rater with two profiles")
    pairs = Counter[tuple[str | None, str | None]]()
    for row in cells(rated):
        item, rater, harm = row["item_id"], row["rater_id"], row["harm"]
        if item is None or rater is None:
            raise BrokenError("a row without item or rater")
        if harm is None:
            continue
        if item not in fields or rater not in profiles:
            raise BrokenError("an unknown item or rater")
        if level_of(harm, list("12345")) is None:
            raise BrokenError("a rating off the scale")
        pairs[item, rater] += 1
    if max(pairs.values(), default=2) > 1:
        raise BrokenError("no rating, or two of one item by one rater")
    return {"n_ratings": len(pairs), "n_items": len({i for i, _ in pairs}), "n_raters": len({r for _, r in pairs})}


# --- archives


def _packed(rng: Random, name: str, raw: bytes) -> tuple[str, bytes, bool]:
    """Return an archive that holds a file, its name, and whether it must be taken: once, whatever its folder."""
    places = [f"{rng.choice(['', 'folder/', './', '/', '../../', 'a/../'])}{name}"]
    whole = True
    if rng.random() < 0.3:
        more = rng.choice([f"other/{name}", "other.csv", f"{name}/x", name.upper(), f"x{name}"])
        places.append(more)
        whole = not more.endswith(f"/{name}")
    out = io.BytesIO()
    if rng.random() < 0.5:
        method = rng.choice([0, 8, 12, 14])
        with warnings.catch_warnings(), zipfile.ZipFile(out, "w", method) as z:
            for place in places:
                z.writestr(place, raw)
        return "ratings.zip", out.getvalue(), whole and method in (0, 8)  # the others unpack without a bound
    way = rng.choice(["gz", "xz", "bz2"])
    with tarfile.open(fileobj=out, mode=f"w:{way}") as tar:  # type: ignore[call-overload]
        for place in places:
            info = tarfile.TarInfo(place)
            info.size = len(raw)
            tar.addfile(info, io.BytesIO(raw))
        if rng.random() < 0.3:
            link = tarfile.TarInfo(f"link/{name}")
            link.type, link.linkname = rng.choice([tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE]), "/etc/hosts"
            tar.addfile(link)
    return f"ratings.tar.{way}", out.getvalue(), whole


def archives(rng: Random, run: Runner, _shared: Any) -> bool:
    """Attack archives: every format here has checksums, so what is taken must be what was packed."""
    suite = Suite(Path("tasks"))
    name, raw, valid = _packed(rng, "ratings.csv", suite.ratings.encode())
    if rng.random() < 0.6:
        raw, valid = mutate.flipped(rng, raw), False
    suite.recipe["files"]["ratings.csv"] = {"path": name, "sha256": None, "member": "ratings.csv"}
    suite.write()
    (suite.folder / name).write_bytes(raw)
    answer = run("data", "show", "tiny", "--json", "--include_path", "tasks", names=name, valid=valid)
    if answer.code:
        return False
    overall = json.loads(answer.out)["tiny"]["dimensions"]["harm"]["overall"]
    differ("counts", [overall[k] for k in ("n_ratings", "n_items", "n_raters")], [16, 4, 4])
    differ("mean", overall["mean"], 3.5)
    return True


DOORS = [Door("recipe", 80, recipes), Door("archive", 20, archives)]
