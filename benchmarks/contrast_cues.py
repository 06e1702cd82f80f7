"""How far words alone, meaning apart, tell good from bad in the contrast set: cues that were left in the writing.

    python benchmarks/contrast_cues.py

For each dimension and language a bag of words (log odds of a word in bad and good replies, smoothed by 1) is made from
all prompts but one and ranks the two pairs of that one. 50 % is chance. Words carry meaning, too: a rude word is why a
reply is rude. So the numbers are an upper bound of what careless writing left behind, and of use to compare with.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from math import log

from lm_plural.harness.task.contrast import SIZES, Prompt, load_contrast
from lm_plural.harness.task.index import Index


def words(text: str) -> set[str]:
    """Return the words of a text in lower case, and its marks."""
    return set(re.findall(r"\w+|[^\w\s]", text.lower()))


def ranked(prompts: Sequence[Prompt]) -> float:
    """Return the share of pairs in which the bag of words of the other prompts finds the bad reply, ties half."""
    right = 0.0
    for held_out in prompts:
        counts: dict[str, Counter[str]] = {"bad": Counter(), "good": Counter()}
        for p in prompts:
            if p is not held_out:
                for quality, counter in counts.items():
                    counter.update(w for size in SIZES for w in words(p.reply(quality, size)))  # type: ignore[arg-type]
        odds = {w: log((counts["bad"][w] + 1) / (counts["good"][w] + 1)) for w in counts["bad"] | counts["good"]}
        for size in SIZES:
            bad, good = (
                sum(odds.get(w, 0.0) for w in words(held_out.reply(quality, size))) for quality in ("bad", "good")
            )
            right += (bad > good) + 0.5 * (bad == good)
    return right / (len(prompts) * len(SIZES))


def main() -> None:
    """Print a table."""
    found = load_contrast(Index().contrasts["contrast"])
    print("| dimension | en | de |\n|---|---:|---:|")
    for dimension in found.file.dimensions:
        rates = [
            ranked([p for p in found.prompts if (p.dimension, p.language) == (dimension, x)]) for x in ("en", "de")
        ]
        print(f"| {dimension} | {rates[0]:.0%} | {rates[1]:.0%} |")


if __name__ == "__main__":
    main()
