"""The manifest of an export: all that raters must not see and that an import needs."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lm_plural.harness.errors import PluralError
from lm_plural.harness.files import is_file
from lm_plural.harness.hashing import digest
from lm_plural.harness.ratings.scale import Scale

MANIFEST, FORM, ITEMS, ASSIGNMENT = "manifest.json", "form.yaml", "items.jsonl", "assignment.csv"
#: Tools that forms are written for.
Tool = Literal["csv", "potato", "label_studio"]
TOOLS: tuple[str, ...] = get_args(Tool)
#: Attention checks of a block, and how many a rater may get wrong: Prolific lets nobody be turned away for one.
CHECKS, MAY_FAIL = 3, 1


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class Item(_Part):
    """A response that people rate.

    Attributes
    ----------
    id : str
        What raters see of its origin: a hash.
    key : str
        Of its answer in the run's journal.
    prompt : str
        Id of its prompt in the task.
    text : str
        Hash of the response.
    stratum : str
    probability : float
        Of being drawn, for this very response.
    block, position : int
        From 1 on; who rates which, in which order.
    """

    id: str
    key: str
    prompt: str
    text: str
    stratum: str
    probability: Annotated[float, Field(gt=0, le=1)]
    block: Annotated[int, Field(ge=1)]
    position: Annotated[int, Field(ge=1)]


class Check(_Part):
    """An attention check: which level is to be chosen on every dimension."""

    id: str
    level: str
    block: Annotated[int, Field(ge=1)]
    position: Annotated[int, Field(ge=1)]


class Dimension(_Part):
    """One thing that is asked, and the scale it is rated on."""

    levels: list[str]
    labels: list[str]
    positions: list[float]
    direction: Literal["higher", "lower"]

    @cached_property
    def scale(self) -> Scale:
        """The scale."""
        return Scale(tuple(self.levels), self.direction, tuple(self.labels), tuple(self.positions))


class Manifest(_Part):
    """What was drawn of which run, how, and for whom.

    Attributes
    ----------
    schema_version : int
    tool : str
    run : str
        Its folder.
    model_name, model_hash : str
    task : str
    language : str
    seed : int
    raters_per_item : int
        Planned, of all groups together.
    allocation : str
    dimensions : dict of str to Dimension
    axes : list of str
        Asked of raters.
    items : list of Item
    checks : list of Check
    checks_may_fail : int
    strata : dict of str to list of str
        Ids of all prompts, drawn or not, by stratum.
    """

    schema_version: Literal[1] = 1
    tool: Tool
    run: str
    model_name: str
    model_hash: str
    task: str
    language: str
    seed: int
    raters_per_item: Annotated[int, Field(ge=1)]
    allocation: str
    dimensions: dict[str, Dimension]
    axes: list[str]
    items: list[Item]
    checks: list[Check]
    checks_may_fail: Annotated[int, Field(ge=0)]
    strata: dict[str, list[str]]

    @cached_property
    def by_id(self) -> dict[str, Item | Check]:
        """Items and attention checks by what raters see of them."""
        return {i.id: i for i in self.items} | {c.id: c for c in self.checks}

    @cached_property
    def blocks(self) -> list[int]:
        """Blocks, in order."""
        return sorted({one.block for one in self.items})

    @property
    def n_prompts(self) -> int:
        """All prompts of the run, drawn or not."""
        return sum(map(len, self.strata.values()))


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of an export.

    Raises
    ------
    PluralError
        If it is not there, or not one.
    """
    path = folder / MANIFEST
    if not is_file(path):
        raise PluralError(f"{path}: not there; expected the folder that lm-plural annotate export wrote")
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except ValidationError as e:
        first = e.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise PluralError(f"{path}: not the manifest of an export: {place}: {first['msg']}") from e
    except OSError as e:
        raise PluralError(f"{path}: cannot read: {e.strerror}") from e


def text_hash(response: str) -> str:
    """Return the hash by which a response is told from others, here and in whatever was learned from it."""
    return digest(response)


def overlap(manifest: Manifest, raters: Iterable[str], known: Iterable[str], known_raters: Iterable[str]) -> list[str]:
    """Return how ratings overlap with what a predictor was learned from, a line each; empty if they do not.

    Whatever learned from these texts or from these people cannot be corrected by their ratings (LABEL_LEAK).

    Parameters
    ----------
    manifest : Manifest
    raters : iterable of str
        Hashes of the people who rated, as in ``raters.csv``.
    known, known_raters : iterable of str
        Hashes of texts (:func:`text_hash`) and of raters that the predictor was learned from.
    """
    texts = {item.text for item in manifest.items} & set(known)
    people = set(raters) & set(known_raters)
    found = [f"LABEL_LEAK: {len(texts)} of the rated responses were learned from"] if texts else []
    return found + ([f"LABEL_LEAK: {len(people)} of the raters were learned from"] if people else [])
