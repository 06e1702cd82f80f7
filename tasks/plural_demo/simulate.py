"""Draw the raters and ratings of plural_demo. THE RATERS ARE SIMULATED.

Every effect below was invented, so that a statistic can be compared with a known truth; none describes
real people.

Latent answer of rater j to item i on dimension d (the traits and the topic t belong to the item):

    y*_ijd = LOCATION[d] + sum over traits of i of TRAITS[trait][d]
             + sum_axis mean_level(TRUE_EFFECTS[d][axis][level])
             + sum_axis mean_level(INTERACTIONS[d][axis, level, t]) + HARSH[d] * alpha_jd + eps_ijd
    eps_ijd ~ N(0, .8^2)
    alpha_jd = .5 * (sqrt(.5) * s_j + sqrt(.5) * u_jd)    s_j, u_jd ~ N(0, 1)
    rating_ijd = 1 + number of THRESHOLDS below y*_ijd, and empty with probability .005

What an item adds comes from its reply's text and nothing else: from the traits it was written to have, coded
in items.jsonl. Two replies with the same traits, such as a text and its twin in the other language, are the
same to all raters; what a reply's length adds is nothing.

mean_level averages over the levels a rater has on the axis; a level that is not listed, `undeclared` too,
has effect 0. HARSH: a severe rater (alpha > 0) sees more toxicity and bias and less of the rest. All draws
come from `random.Random(SEED).random()`. Usage: `python simulate.py [--out DIR] [--check]`.
"""

import argparse
import json
from collections.abc import Mapping
from math import fsum, sqrt
from pathlib import Path
from random import Random
from statistics import NormalDist

SEED = 18
N_RATERS, ITEMS_PER_RATER, P_EMPTY, P_TWO_ETHNICITIES = 300, 24, 0.005, 0.08
SD_RATER, SD_NOISE = 0.5, 0.8
SHARED = 0.5  # the part of the rater variance that is common to all dimensions
THRESHOLDS = (-1.5, -0.5, 0.5, 1.5)
AXES = ("gender", "ethnicity", "politics", "country", "age")
DIMENSIONS = ("toxicity", "sensitivity", "emotional_awareness", "stereotypical_bias", "helpfulness")
HARSH = dict(zip(DIMENSIONS, (1, -1, -1, 1, -1), strict=True))
LOCATION = dict(zip(DIMENSIONS, (-1.2, 0.2, -0.3, -1.1, -0.4), strict=True))
TRAITS = {  # what a reply does -> latent shift on each of DIMENSIONS, in their order
    "sneers": (1.4, -0.4, -0.3, 0.3, -0.2),  # mocks or belittles the person asking, or those spoken of
    "generalises": (0.6, -0.2, 0.0, 1.9, 0.0),  # says what women, men, the old, a faith, "people like that" are like
    "blames": (0.8, -0.2, -0.6, 0.2, -0.2),  # puts it down to the person asking: too touchy, own fault
    "waves_off": (0.4, -0.4, -0.7, 0.0, -0.3),  # says that it is nothing, or cannot be helped
    "orders": (0.3, -0.7, -0.2, 0.0, 0.0),  # gives one command and leaves no other way or view
    "meets_feeling": (-0.2, 0.2, 1.0, 0.0, 0.0),  # answers to the feeling that the question shows
    "other_side": (-0.2, 0.7, 0.2, -0.3, 0.0),  # grants the other side a reason of its own
    "leaves_choice": (-0.2, 0.7, 0.1, -0.1, 0.1),  # names more than one good way, the choice is the person's
    "gives_words": (0.0, 0.1, 0.3, 0.0, 0.6),  # offers words to say
    "step": (0.0, 0.0, 0.0, 0.0, 0.6),  # names something to do
    "more_steps": (0.0, 0.0, 0.1, 0.0, 0.5),  # and more of it
}
TRUE_EFFECTS: dict[str, dict[str, dict[str, float]]] = {  # dimension -> axis -> level -> latent shift
    "toxicity": {
        "gender": {"woman": 0.25, "man": -0.25, "non_binary": 0.4},
        "politics": {"liberal": 0.15, "conservative": -0.15},
    },
    "sensitivity": {"country": {"US": 0.15, "Germany": -0.15}},
    "emotional_awareness": {
        "ethnicity": {"black": 0.6, "hispanic": 0.2},
        "politics": {"centre": 0.15, "conservative": 0.4},
    },
    "stereotypical_bias": {"gender": {"woman": 0.2, "non_binary": 0.4}},  # politics: a true null
    "helpfulness": {"age": {"18-30": -0.3, "31-40": -0.15, "51-60": 0.15, "60+": 0.3}},
}
INTERACTIONS: dict[str, dict[tuple[str, str, str], float]] = {  # dimension -> (axis, level, topic) -> shift
    "sensitivity": {("gender", "woman", "work_and_gender"): -0.6, ("gender", "woman", "dating"): -0.5},
}
# Weights of the draws. US_SHARE and 90 - US_SHARE are the weights of US and Germany, by (first) ethnicity.
GENDER = {"woman": 47, "man": 43, "non_binary": 3, "undeclared": 5}
GENDER |= {"woman|non_binary": 1, "man|non_binary": 1}
ETHNICITY = {"white": 48, "black": 14, "hispanic": 12, "asian": 12, "middle_eastern": 8, "undeclared": 6}
AGE = {"18-30": 27, "31-40": 24, "41-50": 18, "51-60": 14, "60+": 11, "undeclared": 6}
US_SHARE = {"white": 45, "black": 70, "hispanic": 80, "asian": 50, "middle_eastern": 25, "undeclared": 45}
P_GERMAN = {"US": 0.05, "Germany": 0.92, "US|Germany": 0.5, "undeclared": 0.5}  # chance to rate in German


def pick(rng: Random, weights: Mapping[str, float]) -> str:
    """Draw one key in proportion to its weight."""
    u = rng.random() * fsum(weights.values())
    for level, weight in weights.items():
        u -= weight
        if u < 0:
            return level
    return list(weights)[-1]


def normal(rng: Random, sd: float) -> float:
    """Draw from N(0, sd^2) by inversion."""
    return sd * NormalDist().inv_cdf(rng.random() or 2.0**-54)


def draw_rater(rng: Random) -> dict[str, str]:
    """Draw one rater's levels: politics leans on age, country on ethnicity, the rest is independent."""
    ethnicity = pick(rng, ETHNICITY)
    if ethnicity != "undeclared" and rng.random() < P_TWO_ETHNICITIES:
        others = {level: w for level, w in ETHNICITY.items() if level not in (ethnicity, "undeclared")}
        ethnicity = "|".join(sorted((ethnicity, pick(rng, others))))
    age = pick(rng, AGE)
    older = 2 if age == "undeclared" else list(AGE).index(age)
    politics = {"liberal": 52 - 7 * older, "centre": 26, "conservative": 16 + 7 * older, "undeclared": 6}
    us = US_SHARE[ethnicity.split("|")[0]]
    country = {"US": us, "Germany": 90 - us, "US|Germany": 5, "undeclared": 5}
    drawn = (pick(rng, GENDER), ethnicity, pick(rng, politics), pick(rng, country), age)
    return dict(zip(AXES, drawn, strict=True))


def assign(rng: Random, item_ids: list[str], seen: dict[str, int]) -> list[str]:
    """Return the items rated least often so far, random among ties, in random order."""
    order = sorted(item_ids, key=lambda item_id: (seen[item_id], rng.random()))
    chosen = sorted(order[:ITEMS_PER_RATER], key=lambda _: rng.random())
    for item_id in chosen:
        seen[item_id] += 1
    return chosen


def text_effects(traits: list[str]) -> dict[str, float]:
    """Return what a reply with these traits is to everybody, by dimension."""
    return {d: LOCATION[d] + fsum(TRAITS[t][k] for t in traits) for k, d in enumerate(DIMENSIONS)}


def group_shift(rater: Mapping[str, str], dimension: str, topic: str) -> float:
    """Return the true effects and interactions of a rater's groups, averaged within each axis."""
    effects, by_topic = TRUE_EFFECTS[dimension], INTERACTIONS.get(dimension, {})
    shifts = []
    for axis in AXES:
        levels = rater[axis].split("|")
        values = [effects.get(axis, {}).get(x, 0.0) + by_topic.get((axis, x, topic), 0.0) for x in levels]
        shifts.append(fsum(values) / len(values))
    return fsum(shifts)


def simulate(items: list[dict[str, str]], seed: int = SEED) -> dict[str, str]:
    """Return the text of raters.csv and ratings.csv by file name."""
    rng = Random(seed)
    by_id = {item["item_id"]: item for item in items}
    of_text = {item_id: text_effects(item["traits"].split("|")) for item_id, item in by_id.items()}
    seen = dict.fromkeys(by_id, 0)
    raters, ratings = [",".join(("rater_id", *AXES))], [",".join(("item_id", "rater_id", *DIMENSIONS))]
    for number in range(1, N_RATERS + 1):
        rater_id, rater = f"r{number:03d}", draw_rater(rng)
        raters.append(",".join((rater_id, *rater.values())))
        language = "de" if rng.random() < P_GERMAN[rater["country"]] else "en"
        shared = normal(rng, SD_RATER * sqrt(SHARED))
        alpha = {d: HARSH[d] * (shared + normal(rng, SD_RATER * sqrt(1 - SHARED))) for d in DIMENSIONS}
        for item_id in assign(rng, [i for i, item in by_id.items() if item["language"] == language], seen):
            cells, item = [item_id, rater_id], by_id[item_id]
            for d in DIMENSIONS:
                shift = group_shift(rater, d, item["topic"])
                y = of_text[item_id][d] + shift + alpha[d] + normal(rng, SD_NOISE)
                cells.append("" if rng.random() < P_EMPTY else str(1 + sum(y > cut for cut in THRESHOLDS)))
            ratings.append(",".join(cells))
    return {"raters.csv": "\n".join([*raters, ""]), "ratings.csv": "\n".join([*ratings, ""])}


def main() -> int:
    """Write the two files, or compare them with what the seed gives."""
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description="Draw raters.csv and ratings.csv of plural_demo.")
    parser.add_argument("--out", type=Path, default=here, help="folder (default: beside this script)")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file differs")
    args = parser.parse_args()
    lines = (here / "items.jsonl").read_text(encoding="utf-8").splitlines()
    texts = simulate([json.loads(line) for line in lines])
    if args.check:
        paths = {args.out / name: text.encode() for name, text in texts.items()}
        differ = [path for path, data in paths.items() if not path.is_file() or path.read_bytes() != data]
        print("\n".join(f"{path} differs" for path in differ) or "raters.csv and ratings.csv are reproduced")
        return 1 if differ else 0
    args.out.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (args.out / name).write_bytes(text.encode())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
