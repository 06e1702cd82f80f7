"""Scripted raters: what each says of every item and of themselves, whichever tool asks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lm_plural.harness.annotate.form import Form, read_form
from lm_plural.harness.annotate.manifest import FORM, Check, Manifest, read_manifest
from lm_plural.harness.annotate.people import hashed
from lm_plural.harness.annotate.rows import read_csv
from lm_plural.harness.hashing import digest

#: Three who read what they rate, and one who does not read attention checks either.
RATERS, CARELESS = ("p01@example.org", "p02@example.org", "p03@example.org"), "p04@example.org"


@dataclass(frozen=True)
class Opinions:
    """What raters say of the items of an export."""

    manifest: Manifest
    form: Form

    @classmethod
    def of(cls, folder: Path) -> Opinions:
        return cls(read_manifest(folder), read_form(folder / FORM))

    def level(self, rater: str, item: str, dimension: str) -> str:
        one = self.manifest.by_id[item]
        levels = self.manifest.dimensions[dimension].levels
        if isinstance(one, Check):
            return one.level if rater != CARELESS else next(level for level in levels if level != one.level)
        return levels[int(digest([rater, item, dimension]), 16) % len(levels)]

    def about(self, rater: str, axis: str) -> str:
        options = list(self.form.choices(axis))
        return options[int(digest([rater, axis]), 16) % len(options)]


def mismatches(folder: Path, opinions: Opinions, rated: set[tuple[str, str]], salt: bytes) -> tuple[int, list[str]]:
    """Return how many ratings and answers were read, and every one that is not what was said.

    Parameters
    ----------
    folder : Path
        Of the export, after the import.
    opinions : Opinions
    rated : set of (str, str)
        Rater and item, attention checks and the careless rater left out.
    salt : bytes
    """
    said = {
        (hashed(rater, salt), item, d): opinions.level(rater, item, d)
        for rater, item in rated
        for d in opinions.manifest.dimensions
    }
    found = {(r["rater_id"], r["item_id"], r["dimension"]): r["rating"] for _, r in read_csv(folder / "ratings.csv")[1]}
    wrong = [
        f"{key}: said {said.get(key)}, read {found.get(key)}"
        for key in said.keys() | found.keys()
        if said.get(key) != found.get(key)
    ]
    people = {row["rater_id"]: row for _, row in read_csv(folder / "raters.csv")[1]}
    for rater in {r for r, _ in rated}:
        for axis in opinions.manifest.axes:
            told = people.get(hashed(rater, salt), {}).get(axis)
            if told != opinions.about(rater, axis):
                wrong.append(f"{rater}, {axis}: said {opinions.about(rater, axis)}, read {told}")
    return len(found) + len(people) * len(opinions.manifest.axes), wrong
