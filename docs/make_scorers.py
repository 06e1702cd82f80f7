"""Make the cards of scorers in docs/scorers.md: what each is, and what was measured of those that are at hand.

python docs/make_scorers.py --measure length profanity    # measures anew, into docs/scorer_cards.json, then as below
python docs/make_scorers.py --judged RUN                  # the judges of a run's plural_demo_respond, how they answered
python docs/make_scorers.py                               # writes the section from docs/scorer_cards.json
python docs/make_scorers.py --check                       # exit code 1 if it is not up to date

Measuring needs the data sets of people's ratings at hand (``lm-plural data fetch popquorn crehate``); without them only
what the package holds is measured. ``--measure judge`` holds the embedded model against the first prompts of the set
(``--limit``), which takes long; ``--judged`` takes what a run found of its judges.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from lm_plural.harness.errors import PluralError
from lm_plural.harness.jobs.audit import audit
from lm_plural.harness.report.cells import interval
from lm_plural.harness.result.making.contrast import contrast_result
from lm_plural.harness.result.read import read_results
from lm_plural.harness.scoring import Listed, listed, scorer_entry_points
from lm_plural.harness.task.contrast import load_contrast
from lm_plural.harness.task.index import Index

PAGE, CARDS = (Path(__file__).parent / name for name in ("scorers.md", "scorer_cards.json"))
BEGIN, END = "<!-- made by docs/make_scorers.py -->\n", "<!-- end of cards -->\n"
SET = "contrast"
#: Tasks whose raters are people, by what a scorer must measure to be held against them; and the one whose are not.
PEOPLE, SIMULATED = {"toxicity": ("popquorn_offensiveness", "crehate_hate")}, "plural_demo_{}"
#: The judge that is at hand, which is none, and what nobody would take for a scorer.
JUDGE, LENGTH = "smollm2-demo", "length"
#: The task whose responses judges answered to.
JUDGED = "plural_demo_respond"
NOT_MEASURED = "no model at hand: not measured"


def measure(name: str, limit: int | None) -> dict[str, Any]:
    """Return what was measured of a scorer, by its name in the table and dimension."""
    dimensions = list(load_contrast(Index().contrasts[SET]).file.dimensions)
    if name == LENGTH:
        return {f"`{LENGTH}` (characters)": {d: {"contrast": found} for d, found in of_length(dimensions).items()}}
    if name == "judge":
        options = [{"rubric": d, "pretrained": JUDGE} for d in dimensions]
        cards: dict[str, Any] = {}
        for one in options:
            cards |= audited("judge", one, limit, people=False)
        return {f"`judge` by {JUDGE}": cards}
    return {f"`{name}`": audited(name, {}, None, people=True)}


def judged(run: Path) -> dict[str, Any]:
    """Return what a run found of its judges, from how they answered to its responses."""
    results = read_results(run)
    overall = results.content(JUDGED)["overall"]
    cards = {
        overall["scorers"][key]["dimension"]: {
            "contrast": {},
            "responses": overall["n_responses"],
            "unfit": found["unfit"],
        }
        | {"itself": overall["scorers"][key]["itself"], "model": results.model_name}
        for key, found in overall["judges"].items()
    }
    return {f"`judge` by {results.model_name}": cards}


def audited(scorer: str, options: dict[str, Any], limit: int | None, *, people: bool) -> dict[str, Any]:
    """Hold a scorer against the contrast set and against ratings, and return what was found by dimension."""
    with tempfile.TemporaryDirectory() as folder:
        told: dict[str, Any] = {"scorer": scorer, "scorer_options": options, "output_path": folder}
        content = audit(tasks=[SET], limit=limit, **told).content or {}
        cards: dict[str, Any] = {}
        for dimension, by_language in content["audited"][SET]["dimensions"].items():
            if not any(f["own"] for f in by_language.values()):
                continue
            found = {x: _kept(f) for x, f in by_language.items()}
            cards[dimension] = {"contrast": found} | ({"prompts": limit} if limit else {})
            tasks = [*PEOPLE.get(dimension, ()), SIMULATED.format(dimension)] if people else []
            cards[dimension]["people"] = {t: f for t in tasks if (f := _with_people(t, dimension, told))}
    return cards


def _kept(found: dict[str, Any]) -> dict[str, Any]:
    """Return what a card says of one dimension in one language."""
    own = {k: found["own"][k] for k in ("auc", "low", "high")} if found["own"] else None
    unfit = found.get("judge", {}).get("unfit")
    return {"own": own, "passes": found["passes"], "flags": found["flags"]} | ({"unfit": unfit} if unfit else {})


def _with_people(task: str, dimension: str, told: dict[str, Any]) -> dict[str, Any] | None:
    """Return the agreement with all raters of a task; None where its data are not at hand."""
    text = "response" if task == SIMULATED.format(dimension) else None
    try:
        content = audit(tasks=[task], axes=["gender"], **({"text": text} if text else {}), **told).content or {}
    except PluralError as e:
        print(f"{task}: {e}", file=sys.stderr)
        return None
    block = content["audited"][task]
    overall = block["overall"]
    numbers = {k: {e: v[e] for e in ("value", "low", "high")} for k, v in _numbers(overall).items()}
    return {"n_items": overall["n_items"], "simulated": block["simulated_raters"], **numbers}


def _numbers(overall: dict[str, Any]) -> dict[str, Any]:
    return {"pearson": overall["ranks"]["pearson"], "auc": overall["auc"]}


def of_length(dimensions: list[str]) -> dict[str, Any]:
    """Return what the contrast set says of the number of characters, taken for each dimension."""
    found = load_contrast(Index().contrasts[SET])
    head = {"scorer": LENGTH, "version": "characters", "range": [0, 1000], "direction": "more"}
    records = [
        {**head, "item_id": i, "scores": dict.fromkeys(dimensions, float(len(s.response or "")))}
        for i, s in found.samples()
    ]
    block = contrast_result(found, records)
    return {d: {x: _kept(f) for x, f in by.items()} for d, by in block["dimensions"].items()}


def section() -> str:
    """Return the section."""
    measured: dict[str, Any] = json.loads(CARDS.read_text(encoding="utf-8"))
    rows = [_head("scorer", "dimension", "good from bad, en", "good from bad, de", "with people")]
    reasons = []
    for name, card in measured.items():
        for dimension, found in card.items():
            cells = (
                ["**unfit**", "not measured"]
                if found.get("unfit")
                else [_contrast(found["contrast"].get(x)) for x in ("en", "de")]
            )
            people = [_agreement(task, f) for task, f in found.get("people", {}).items()]
            rows.append(_row(name, dimension, *cells, "; ".join(people) or "not measured"))
            reasons += _reasons(name, dimension, found)
    others = [_head("scorer", "dimensions", "languages", "licence", "at hand", "card")]
    named = {name.strip("`").partition("`")[0] for name in measured}
    for factory in sorted(scorer_entry_points()):
        others += [_other(one) for one in listed(factory) if one.scorer not in named and factory not in named]
    return "\n".join([*rows, "", *dict.fromkeys(reasons), "", *others, ""])


def _contrast(found: dict[str, Any] | None) -> str:
    if found is None or found["own"] is None:
        return "not measured"
    if found.get("unfit"):
        return "**unfit**"
    if found["own"]["auc"] is None:
        return "no scores: not covered"
    auc = interval({**found["own"], "value": found["own"]["auc"]}, 2)
    return (
        f"{auc}, {'passes' if found['passes'] else 'does not pass' if found['passes'] is False else 'cannot be told'}"
    )


def _agreement(task: str, found: dict[str, Any]) -> str:
    whose = "simulated raters, " * found["simulated"]
    r, auc = interval(found["pearson"], 2), interval(found["auc"], 2)
    return f"{task} ({whose}{found['n_items']:,} texts): r {r}, AUC {auc}"


def _reasons(name: str, dimension: str, found: dict[str, Any]) -> list[str]:
    """Return what speaks against a scorer: for which reasons it is unfit, and what else moves its scores."""
    whose = "its own " * bool(found.get("itself"))
    out = [
        f"* {name}, {dimension} (en, {found['responses']} of {whose}responses to plural_demo): unfit, {reason}"
        for reason in found.get("unfit", ())
    ]
    for language, f in found["contrast"].items():
        part = f", on the first {found['prompts']} prompts of each dimension" if "prompts" in found else ""
        where = f"* {name}, {dimension} ({language}{part}): "
        out += [f"{where}unfit, {reason}" for reason in f.get("unfit", ())]
        if not f.get("unfit") and f["own"] and f["own"]["auc"] is not None and name != f"`{LENGTH}` (characters)":
            out += [where + flag.replace("_", " ") for flag in f["flags"]]
    return out


def _other(one: Listed) -> str:
    dimensions, languages = ", ".join(one.dimensions) or "as its options say", " ".join(one.languages) or "any"
    return _row(
        f"`{one.scorer}`", dimensions, languages, one.licence, one.at_hand or "as its options say", NOT_MEASURED
    )


def _head(*cells: str) -> str:
    return _row(*cells) + "\n" + "|---" * len(cells) + "|"


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def main() -> int:
    """Measure, write or check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--measure", nargs="+", default=[], metavar="NAME", help=f"{LENGTH}, profanity, judge")
    parser.add_argument("--limit", type=int, default=1, help="prompts of each dimension that a judge is held against")
    parser.add_argument("--judged", type=Path, metavar="RUN", help="folder of a run")
    args = parser.parse_args()
    if args.measure or args.judged:
        known = json.loads(CARDS.read_text(encoding="utf-8")) if CARDS.exists() else {}
        for name in args.measure:
            known |= measure(name, args.limit)
        known |= judged(args.judged) if args.judged else {}
        CARDS.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    made = before + BEGIN + section() + END + after
    if not args.check:
        PAGE.write_text(made, encoding="utf-8")
        return 0
    if made == text:
        return 0
    print(f"{PAGE}: not up to date; run python docs/make_scorers.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
