"""What intervals may speak of (methods 3.1); apart from the engine, so that a command line knows it at once."""

from __future__ import annotations

from typing import Literal, get_args

#: New items and new members of the groups; these items, new people; these people, new items; no intervals.
Inference = Literal["items+raters", "raters", "items", "none"]
INFERENCES: tuple[str, ...] = get_args(Inference)
#: A p up to here is clear of chance.
CLEAR = 0.05
