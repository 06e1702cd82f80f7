"""What to do with troublesome rows of ratings, said by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

#: Says where row number n (0-based) of the source stands, e.g. ``ratings.csv:18``.
Locate = Callable[[int], str]


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

    duplicates: Literal["error", "first", "drop"] = "error"
    off_scale: Literal["error", "drop"] = "error"
    missing: Literal["drop", "error"] = "drop"
    profiles: Literal["error", "drop", "undeclared", "fill"] = "error"
    unknown_item: Literal["error", "drop"] = "error"
    unknown_rater: Literal["error", "drop", "undeclared"] = "error"


#: Rules a person with a single file of ratings can choose; the first choice is the default.
CHOICES: dict[str, tuple[str, ...]] = {
    "duplicates": ("error", "first", "drop"),
    "off_scale": ("error", "drop"),
    "missing": ("drop", "error"),
    "profiles": ("error", "drop", "undeclared", "fill"),
}
