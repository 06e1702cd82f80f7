"""A crowd of scripted raters for the pages: ``python -m tests.annotate.crowd DIR --raters 60 --output OUT``.

Writes OUT/ratings.csv and OUT/people.csv for an export. Raters differ in severity (normal, SD .6) and women rate .8
higher than others; responses differ (SD 1), the ruder the shorter; one rater in twelve answers attention checks wrong.
What they say is drawn: import it with ``--simulated``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from lm_plural.harness.annotate.rows import to_csv
from tests.annotate.scripted import Opinions


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.annotate.crowd", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--raters", type=int, default=60)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    opinions, rng = Opinions.of(args.folder), np.random.default_rng(0)
    m = opinions.manifest
    lines = (args.folder / "items.jsonl").read_text(encoding="utf-8").splitlines()
    length = {row["id"]: len(row["response"]) for row in map(json.loads, lines)}
    middle = float(np.median(list(length.values())))
    rude = {one: rng.normal() - 0.5 * (length[one] > middle) for one in sorted(m.by_id)}
    ratings, people = [], []
    for n in range(args.raters):
        name = f"prolific{n:03}"
        said = {axis: str(rng.choice(list(opinions.form.choices(axis))[:4])) for axis in m.axes}
        shift = 0.6 * rng.normal() + 0.8 * (said.get("gender") == "woman")
        for item in m.items:
            if item.block == m.blocks[n % len(m.blocks)]:
                z = rude[item.id] + shift + rng.normal() - 0.4
                ratings.append(
                    [name, item.id, *[1 + int(np.digitize(z, [-1.2, -0.4, 0.4, 1.2])) for _ in m.dimensions]]
                )
        for check in m.checks:
            if check.block == m.blocks[n % len(m.blocks)]:
                ratings.append([name, check.id, *[3 if n % 12 == 5 else check.level for _ in m.dimensions]])
        people.append([name, *said.values()])
    args.output.mkdir(parents=True, exist_ok=True)
    header = ["rater_id", "item_id", *m.dimensions]
    (args.output / "ratings.csv").write_text(to_csv(header, ratings))
    (args.output / "people.csv").write_text(to_csv(["rater_id", *m.axes], people))


if __name__ == "__main__":
    main()
