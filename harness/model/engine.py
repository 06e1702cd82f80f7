"""What every engine has in common."""

from __future__ import annotations

#: Texts handed at once to a backend that batches by itself: four times what the largest engines work on together, so
#: that they are seldom idle; a kill costs at most so many, where answers come only when all are there.
WINDOW = 4096
