"""What four kinds of interval say about the same gaps between groups of POPQUORN raters.

  python benchmarks/intervals.py --data ../shared/data/popquorn/offensiveness_raw_data.csv --output docs/intervals.md

iid: every rating on its own, as most tools have it. items: other items, these raters. raters: other raters, these
items. items+raters: both. The model is alt-profanity-check, its probability turned into a level.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

import numpy as np
import polars as pl
from scipy.stats import norm

from lm_plural.harness.analysis.disaggregate import disaggregate
from lm_plural.harness.analysis.options import Options
from lm_plural.harness.ratings.clean import build_table
from lm_plural.harness.ratings.predictions import Predictions
from lm_plural.harness.ratings.scale import Scale
from lm_plural.harness.ratings.table import RatingTable
from lm_plural.harness.scoring import Sample
from lm_plural.scorers.classifiers.profanity import profanity

SCALE = Scale(tuple("12345"))
AXES = ("gender", "race")
STATISTICS = {"item_mean": "mean rating (scale points)", "rps": "rps of the model (0 to 1)"}
KINDS = ("iid", "items", "raters", "items+raters")


def read(path: Path) -> tuple[RatingTable, Predictions, pl.DataFrame]:
    """Return the ratings, a classifier's levels, and one row per rating with its rps."""
    rows = pl.read_csv(path, infer_schema=False).with_row_index("row")
    long = rows.select(
        "row",
        item_id="instance_id",
        rater_id="user_id",
        dimension=pl.lit("offensiveness"),
        scale=pl.lit("s"),
        value=pl.col("offensiveness").str.slice(0, 1),
    )
    raters = rows.select("row", *(pl.concat_list(a).alias(a) for a in AXES), rater_id="user_id")
    texts = rows.unique("instance_id", maintain_order=True)
    score = profanity().score([Sample("", t) for t in texts["text"]])[:, 0]
    level = np.rint(4 * score).astype(int)
    predictions = Predictions(texts["instance_id"].to_list(), np.eye(5)[level])
    guess = pl.DataFrame({"instance_id": texts["instance_id"], "guess": level + 1})
    rated = rows.join(guess, on="instance_id").with_columns(item_mean=pl.col("offensiveness").cast(pl.Float64))
    rated = rated.with_columns(rps=(pl.col("guess") - pl.col("item_mean")).abs() / 4)
    return build_table(long, raters, {"s": SCALE}), predictions, rated


def iid(rated: pl.DataFrame, axis: str, a: str, b: str, statistic: str) -> tuple[float, float, float, float]:
    """Return the gap of two plain means, its SE and 95 % interval, every rating on its own."""
    x, y = (rated.filter(pl.col(axis) == g)[statistic].to_numpy() for g in (a, b))
    gap, se = x.mean() - y.mean(), np.sqrt(x.var(ddof=1) / len(x) + y.var(ddof=1) / len(y))
    half = norm.ppf(0.975) * se
    return gap, se, gap - half, gap + half


def table(path: Path) -> list[str]:
    """Return the lines of the table."""
    ratings, predictions, rated = read(path)
    done = {k: disaggregate(ratings, predictions, AXES, Options(inference=k, permutations=1)) for k in KINDS[1:]}
    lines = ["| axis | gap | statistic | kind | value | SE | 95 % interval |", "|---|---|---|---|---|---|---|"]
    for axis in AXES:
        for statistic, words in STATISTICS.items():
            rows = {k: d.contrasts(statistic, axis).filter(pl.col("se").is_not_null()) for k, d in done.items()}
            for a, b in rows["items+raters"].filter(pl.col("b") != "rest").select("a", "b").iter_rows():
                numbers = {"iid": iid(rated, axis, a, b, statistic)} | {k: two_way(r, a, b) for k, r in rows.items()}
                lines += [_line(axis, f"{a} - {b}", words, kind, numbers[kind]) for kind in KINDS]
    return lines


def two_way(rows: pl.DataFrame, a: str, b: str) -> tuple[float, float, float, float]:
    """Return the same of a contrast of ours."""
    row = rows.filter((pl.col("a") == a) & (pl.col("b") == b)).row(0, named=True)
    return row["value"], row["se"], row["low"], row["high"]


def _line(axis: str, gap: str, words: str, kind: str, numbers: tuple[float, float, float, float]) -> str:
    value, se, low, high = numbers
    clear = " **clear of 0**" if low > 0 or high < 0 else ""
    return f"| {axis} | {gap} | {words} | {kind} | {value:+.3f} | {se:.3f} | [{low:+.3f}, {high:+.3f}]{clear} |"


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    words = __doc__.split("\n\n")[2].replace("\n", " ")
    text = "\n".join(
        [
            "# Four kinds of interval, one data set",
            "",
            f"Produced by `python {shlex.join(sys.argv)}` from the POPQUORN offensiveness ratings (1,500 comments, 262 "
            "raters, 13,036 ratings).",
            "",
            words,
            "",
            "The iid gap is of plain means over all ratings; the others compare groups on the items both rated, so the "
            "values differ a little. Intervals here are for each gap alone; results also hold the simultaneous ones.",
            "",
            *table(args.data),
            "",
        ]
    )
    if args.output:
        args.output.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
