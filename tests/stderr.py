"""What a command says on standard error, beside its signs of life."""

from __future__ import annotations

import re

#: A line of ``run`` that is neither an error nor the end of an interrupted command.
SIGN_OF_LIFE = re.compile(r"lm-plural run: (?!error: |interrupted;|terminated;)")


def told(err: str) -> list[str]:
    """Return the lines that are no signs of life."""
    return [line for line in err.strip().splitlines() if not SIGN_OF_LIFE.match(line)]
