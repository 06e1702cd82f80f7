"""Every data set has a card with all its sections, and docs/benchmarks.md is made of them."""

from __future__ import annotations

import subprocess
import sys

from lm_plural.harness.data.recipe import load_recipe
from lm_plural.harness.task.index import Index
from tests.conftest import ROOT
from tests.tasks.invented import INVENTED


def test_the_page_of_all_cards_is_up_to_date() -> None:
    command = [sys.executable, str(ROOT / "docs" / "collect_cards.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_data_set_without_a_stated_licence_is_not_passed_on() -> None:
    recipes = [load_recipe(path) for path in Index().recipes().values()]
    assert len(recipes) >= 20
    assert not [r.dataset for r in recipes if r.licence == "none stated" and r.redistribution == "allowed"]


def test_every_invented_file_says_from_where_it_has_its_form() -> None:
    said = (INVENTED / "SCHEMAS.md").read_text(encoding="utf-8").splitlines()
    named = [line.split("|")[1].strip() for line in said if line.startswith("| ")][1:]
    assert named == sorted(p.name for p in INVENTED.iterdir() if p.is_dir())


def test_tags_of_the_suite() -> None:
    tags = Index().tags
    assert {"pluralistic_safety", "toxicity", "dialogue_safety", "quick", "full", "steered"} <= tags.keys()
    assert {"popquorn_offensiveness", "crehate_hate", "dices_350_safety", "plural_demo_toxicity"} <= set(tags["quick"])
    assert not set(tags["steered"]) & {*tags["full"], *tags["quick"], *tags["pluralistic_safety"]}


def test_every_data_set_has_a_rate_task_with_several_wordings_and_a_steered_one() -> None:
    index = Index()
    documents = list(index.tasks.values())
    used = {str(d.data["dataset"]) for d in documents if d.data["mode"] == "rate"}
    worded = {str(d.data["dataset"]) for d in documents if d.data.get("paraphrases")}
    steered = {str(d.data["dataset"]) for d in documents if d.data.get("steer")}
    stand_ins = {load_recipe(path).stand_in for path in index.recipes().values()}
    wanted = set(index.recipes()) - stand_ins
    assert (wanted - used, wanted - worded, wanted - steered) == (set(), set(), set())
