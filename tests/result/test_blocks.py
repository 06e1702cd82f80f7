"""The types of blocks: every real one fits, a wrong type is found, a new key is kept."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from lm_plural.harness.cli.main import main
from lm_plural.harness.result.blocks import KINDS, PeopleBlock, RateBlock, ResultsFile, kind
from lm_plural.harness.result.read import read_results
from tests.opinions import Opinions
from tests.suite import Suite

#: Keys that may be missing: without `divergence` a block is of people only.
NOT_NEEDED = ("low", "divergence", "profanity.toxicity")
DEMO = ("plural_demo_toxicity", "plural_demo_respond")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Real results files, one for each kind of block."""
    place = tmp_path_factory.mktemp("blocks")
    few = ["--draws", "100"]
    out = place / "run"
    assert main(["run", "--model", "dummy", "--tasks", *DEMO, "--limit", "6", *few, "-o", str(out)]) == 0
    (run,) = out.glob("*/results_*.json")
    steer = {"axis": "gender", "text": "Answer as {{ group }}."}
    asked = {
        "elicitation": {"codings": ["letters"], "max_off_scale": 1.0},
        "paraphrases": ["Say.\n{{ text }}\n{{ options }}\n"],
    }
    suite = Suite(place / "tiny")
    suite.task |= {**asked, "steer": steer, "groups": {"axes": ["gender"], "min_raters": 1}}
    suite.write()
    assert main(["run", "--model", "dummy", "--tasks", str(suite.task_path), *few, "-o", str(place / "steered")]) == 0
    (steered,) = (place / "steered").glob("*/results_*.json")
    assert Opinions(place / "opinions").run(place / "shares", *few) == 0
    (shares,) = (place / "shares").glob("*/results_*.json")
    words = [
        "audit",
        "--scorer",
        "profanity",
        "--tasks",
        "plural_demo_toxicity",
        "--text",
        "response",
        "--axes",
        "gender",
    ]
    assert main([*words, *few, "-o", str(place / "audit")]) == 0
    (audit,) = (place / "audit").glob("*/results_*.json")
    ratings, people = place / "long.csv", place / "people.json"
    rows = [f"i{i},r{r},{(i * r) % 5 + 1},{'ab'[r % 2]}" for i in range(6) for r in range(12)]
    ratings.write_text("item_id,rater_id,rating,team\n" + "\n".join(rows) + "\n")
    own = ["disaggregate", "--ratings", str(ratings), "--scale", "1,2,3,4,5", "--axes", "team", "--permutations", "49"]
    assert main([*own, *few, "-o", str(people)]) == 0
    return {"run": run, "steered": steered, "shares": shares, "audit": audit, "people": people}


def blocks(path: Path) -> dict[str, dict[str, Any]]:
    results = read_results(path)
    return {task: results.content(task) for task in results.tasks}


def test_every_real_block_is_of_its_kind_whole_and_without_its_details(files: dict[str, Path]) -> None:
    found = {}
    for name, path in files.items():
        whole, written = blocks(path), json.loads(path.read_text())
        small = written.get("disaggregated") or written.get("audited") or {path.stem: written}
        for task, block in whole.items():
            found[name, task] = kind(block)
            assert isinstance(KINDS[kind(block)].model_validate(block), KINDS[kind(small[task])])
            KINDS[kind(block)].model_validate(small[task])
    assert found == {
        ("run", "plural_demo_toxicity"): "rate",
        ("run", "plural_demo_respond"): "respond",
        ("steered", "tiny_rate"): "rate",
        ("shares", "opinions_opinion"): "shares",
        ("audit", "plural_demo_toxicity"): "audit",
        ("people", "people"): "people",
    }


def test_blocks_are_read_by_attribute(files: dict[str, Path]) -> None:
    rate = read_results(files["run"]).block("plural_demo_toxicity")
    assert isinstance(rate, RateBlock)
    assert rate.overall.divergence.value is not None
    assert rate.axes["gender"].groups["woman"].n_raters is not None
    tiny = read_results(files["steered"]).block("tiny_rate")
    assert isinstance(tiny, RateBlock)
    assert tiny.paraphrases
    assert tiny.paraphrases.n_wordings == 2
    assert tiny.steered
    assert tiny.steered.axis == "gender"
    people = read_results(files["people"]).block("people")
    assert type(people) is PeopleBlock
    assert people.axes["team"].groups["a"].divergence is None


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("run", ("plural_demo_toxicity", "overall", "n_items"), 6.5),
        ("run", ("plural_demo_toxicity", "overall", "divergence", "value"), "0.1"),
        ("run", ("plural_demo_toxicity", "overall", "divergence"), None),
        ("run", ("plural_demo_toxicity", "schema_version"), 3),
        ("run", ("plural_demo_toxicity", "notes"), "a note"),
        ("run", ("plural_demo_toxicity", "scale", "positions"), [1, "2"]),
        ("run", ("plural_demo_toxicity", "axes", "gender", "groups", "woman", "flags"), None),
        ("run", ("plural_demo_toxicity", "axes", "gender", "groups", "woman", "rps", "low"), True),
        ("run", ("plural_demo_toxicity", "axes", "gender", "contrasts", 0, "kind"), "triples"),
        ("run", ("plural_demo_respond", "overall", "n_unscored", "profanity.toxicity"), -1),
        ("run", ("plural_demo_respond", "axes", "gender", "groups", "man", "concern"), 0.2),
        ("steered", ("tiny_rate", "steered", "groups"), []),
        ("steered", ("tiny_rate", "paraphrases", "n_wordings"), "2"),
        ("shares", ("opinions_opinion", "overall", "tv"), {}),
        ("audit", ("plural_demo_toxicity", "scorer", "worse"), "bad"),
        ("audit", ("plural_demo_toxicity", "axes", "gender", "groups", "man", "auc"), 0.5),
        ("people", ("people", "permutations"), "49"),
    ],
)
def test_a_wrong_type_is_found_and_a_missing_key(
    files: dict[str, Path], name: str, place: tuple[str | int, ...], value: Any
) -> None:
    block = deepcopy(blocks(files[name])[str(place[0])])
    *above, last = place[1:]
    part: Any = block
    for step in above:
        part = part[step]
    part[last] = value
    with pytest.raises(ValidationError) as found:
        KINDS[kind(block)].model_validate(block)
    assert found.value.errors()[0]["loc"][: len(above)] == tuple(above)
    del part[last]
    if last not in NOT_NEEDED:
        with pytest.raises(ValidationError):
            KINDS[kind(block)].model_validate(block)


def test_keys_of_a_later_version_are_kept_and_a_new_measure_is_read(files: dict[str, Path]) -> None:
    block = deepcopy(blocks(files["run"])["plural_demo_toxicity"])
    block["later"] = {"a": 1}
    group = block["axes"]["gender"]["groups"]["woman"]
    group["warmth"] = {"value": 0.5, "se": 0.1, "df": 3.0, "low": 0.3, "high": 0.7}
    typed = RateBlock.model_validate(block)
    assert typed.model_extra is not None
    assert typed.model_extra["later"] == {"a": 1}
    numbers = dict(typed.axes["gender"].groups["woman"].numbers())
    assert numbers["warmth"].high == 0.7
    assert "ceiling" not in numbers


def test_the_published_schema_is_of_what_is_written(files: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    capsys.readouterr()
    assert main(["schema", "results"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert schema == {"$schema": schema["$schema"], **TypeAdapter(ResultsFile).json_schema()}
    validator = jsonschema.Draft202012Validator(schema)
    for path in files.values():
        validator.validate(json.loads(path.read_text()))
    content = json.loads(files["run"].read_text())
    content["disaggregated"]["plural_demo_toxicity"]["overall"]["n_items"] = "six"
    assert not validator.is_valid(content)
