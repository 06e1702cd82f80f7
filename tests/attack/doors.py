"""All doors, by name."""

from __future__ import annotations

from tests.attack import documents, folders, ratings, replies
from tests.attack.door import Door

DOORS: dict[str, Door] = {door.name: door for part in (ratings, documents, folders, replies) for door in part.DOORS}
