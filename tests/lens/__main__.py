"""``python -m tests.lens``: how often the test of gaps passes on POPQUORN, under exchanged labels and injected gaps.

Labels of raters are exchanged at random, so that there is no gap: it should pass in at most 5 % of the seeds. Into
such labels a slope is injected: each rating is taken as its place on the latent scale of the pooled model, drawn
anew within its level, and moved for one group by so much per standard deviation of the first score.
"""

from __future__ import annotations

import argparse
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.special import expit, logit

from lm_plural.harness.arrays import Floats
from lm_plural.harness.data.dataset import Dataset
from lm_plural.harness.data.recipe import load_recipe
from lm_plural.harness.files import write_atomic
from lm_plural.harness.jobs.lens import _material
from lm_plural.harness.lens.features import Extractor, FeatureSpec, Standard
from lm_plural.harness.lens.fit import _coded, _texts, membership
from lm_plural.harness.statistics.lens.gate import gap_slopes
from lm_plural.harness.statistics.lens.ordinal import fit_pooled, thresholds
from lm_plural.harness.statistics.lens.split import Rated, Split, cells
from lm_plural.harness.task.index import Index

BEGIN, END = "<!-- made by python -m tests.lens -->\n", "<!-- end -->\n"


def popquorn(axis: str) -> tuple[Rated, Floats]:
    """Return the ratings of offensiveness with features, and who is in which of the two largest groups of an axis."""
    path = Index().recipes()["popquorn"]
    recipe = load_recipe(path)
    data = Dataset(recipe, path.parent)
    material = _material(data, recipe, "offensiveness", None)
    ids, scores, embedded, _ = _texts(material, Extractor(FeatureSpec((("profanity", {}),))))
    coded, raters = _coded(material.table, ids, material.table.scale.positions)
    member = membership(raters, material.table.groups(axis))[1]
    return Rated(coded, *Standard.of(scores, embedded).apply(scores, embedded)), member[
        :, np.argsort(-member.sum(0))[:2]
    ]


def injected(rated: Rated, member: Floats, slope: float, rng: np.random.Generator) -> Rated:
    """Return the ratings with a slope on the last score, for the first group, in logits per standard deviation."""
    c, every = rated.coded, np.ones(len(rated.coded.item), dtype=bool)
    pooled = fit_pooled(rated.counts(every), rated.x, 0.1)
    score, cuts = pooled.score(rated.x)[c.item], np.r_[-np.inf, thresholds(pooled.cuts), np.inf]
    low, high = expit(cuts[c.level] - score), expit(cuts[c.level + 1] - score)
    latent = score + logit(np.clip(low + (high - low) * rng.random(len(low)), 1e-12, 1 - 1e-12))
    latent += slope * rated.z[c.item, -1] * member[c.rater, 0]
    return replace(rated, coded=replace(c, level=np.searchsorted(cuts[1:-1], latent)))


def passes(rated: Rated, member: Floats, slope: float, seed: int) -> bool:
    """Return whether the gate passes with labels exchanged, and a slope injected where it is not 0."""
    rng = np.random.default_rng(seed)
    some = np.flatnonzero(member.any(axis=1))
    drawn = member.copy()
    drawn[some] = member[some][rng.permutation(len(some))]
    if slope:
        rated = injected(rated, drawn, slope, rng)
    clusters = np.arange(rated.coded.n_items)
    split = Split.draw(clusters, np.where(drawn.any(axis=1), drawn.argmax(axis=1), -1), rng)
    found = cells(rated, split, clusters)
    return gap_slopes(rated, found, drawn, split.half, np.ones(len(drawn)), rng).axis.passes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--injected", type=int, default=40, help="seeds of each injected slope")
    parser.add_argument("--output", type=Path, help="page whose marked part is written anew")
    args = parser.parse_args()
    rows = ["| axis | injected slope | passes |", "|---|---:|---:|"]
    for axis in ("gender", "race"):
        rated, member = popquorn(axis)
        for slope, seeds in ((0.0, args.seeds), (0.1, args.injected), (0.2, args.injected)):
            n = sum(passes(rated, member, slope, seed) for seed in range(seeds))
            rows.append(f"| {axis} | {slope:g} | {n} of {seeds} |")
            print(rows[-1], flush=True)
    if args.output:
        page = args.output.read_text()
        made = "\n".join([f"`python -m tests.lens --seeds {args.seeds} --injected {args.injected}`:", "", *rows, ""])
        write_atomic(args.output, re.sub(f"{BEGIN}.*{END}", lambda _: BEGIN + made + END, page, flags=re.DOTALL))


if __name__ == "__main__":
    main()
