"""All doors, by name."""

from __future__ import annotations

from tests.attack import documents, ratings, replies
from tests.attack.door import Door

DOORS: dict[str, Door] = {door.name: door for part in (ratings, documents, replies) for door in part.DOORS}
