"""All doors, by name."""

from __future__ import annotations

from tests.attack.door import Door
from tests.attack.doors import command_line, documents, folders, parquet, ratings, recipes, replies

PARTS = (ratings, parquet, documents, recipes, command_line, folders, replies)
DOORS: dict[str, Door] = {door.name: door for part in PARTS for door in part.DOORS}
