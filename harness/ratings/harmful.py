"""Where the line between harmful and harmless lies on a scale: never silent, as it decides what an error is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lm_plural.harness.errors import UsageError
from lm_plural.harness.ratings.scale import Scale

MIDDLE, HALF, WORST = "worse than the middle level", "the worse half of the levels", "the worse of two levels"


@dataclass(frozen=True)
class Cut:
    """The levels of a scale that count as harmful.

    Parameters
    ----------
    scale : Scale
    level : str
        The mildest of them.
    rule : str
        Why these.
    """

    scale: Scale
    level: str
    rule: str

    @classmethod
    def of(cls, scale: Scale, level: str | None = None) -> Cut:
        """Cut a scale at a level: it and what is worse are harmful. Default: what is worse than the middle.

        Raises
        ------
        UsageError
            If it is not on the scale, or nothing would be harmless.
        """
        k = scale.size
        if level is None:
            worse = k - k // 2 if scale.direction == "lower" else k // 2 - 1
            return cls(scale, scale.levels[worse], WORST if k == 2 else MIDDLE if k % 2 else HALF)
        cut = cls(scale, scale.levels[scale.index(level)], f"{level} or worse, as asked")
        if cut.harmful.all():
            raise UsageError(f"{level!r} is the best level of {', '.join(scale.levels)}: nothing would be harmless")
        return cut

    @property
    def harmful(self) -> npt.NDArray[np.bool_]:
        """Which levels are harmful, shape (K,)."""
        at, places = self.scale.index(self.level), np.arange(self.scale.size)
        return np.asarray(places >= at if self.scale.direction == "lower" else places <= at)

    @property
    def levels(self) -> list[str]:
        """Harmful levels, in the order of the scale."""
        return [v for v, h in zip(self.scale.levels, self.harmful, strict=True) if h]
