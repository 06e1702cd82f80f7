"""What to do with troublesome rows of ratings, said by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypedDict, get_args, get_type_hints

#: Says where row number n (0-based) of the source stands, e.g. ``ratings.csv:18``.
Locate = Callable[[int], str]
Duplicates = Literal["error", "first", "drop"]
OffScale = Literal["error", "drop"]
Missing = Literal["drop", "error"]
Profiles = Literal["error", "drop", "undeclared", "fill"]


@dataclass(frozen=True)
class Rules:
    """What to do with troublesome rows; the default is to stop with an error.

    Parameters
    ----------
    duplicates : {"error", "first", "drop"}
        Several rows of one (item, rater, dimension).
    off_scale : {"error", "drop"}
        A rating that is not a level of its scale.
    missing : {"drop", "error"}
        No rating in the cell (a skipped question).
    profiles : {"error", "drop", "undeclared", "fill"}
        A rater with two different profiles: stop, leave out the rater, or set the differing axes to undeclared; fill:
        take the declared one where the others say nothing, else undeclared.
    unknown_item, unknown_rater : {"error", "drop"} and {"error", "drop", "undeclared"}
        A rating of an item, or by a rater, that is not in its file.
    """

    duplicates: Duplicates = "error"
    off_scale: OffScale = "error"
    missing: Missing = "drop"
    profiles: Profiles = "error"
    unknown_item: Literal["error", "drop"] = "error"
    unknown_rater: Literal["error", "drop", "undeclared"] = "error"


class Chosen(TypedDict, total=False):
    """Rules that a person with a single file of ratings can choose; the first choice is the default."""

    duplicates: Duplicates
    off_scale: OffScale
    missing: Missing
    profiles: Profiles


#: The choices of each.
CHOICES: dict[str, tuple[str, ...]] = {name: get_args(hint) for name, hint in get_type_hints(Chosen).items()}
