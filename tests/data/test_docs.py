"""What docs/data.md shows is what the recipe language reads."""

from __future__ import annotations

import re

import yaml

from lm_plural.harness.data.recipe import Recipe, Table
from lm_plural.harness.data.steps import Step
from tests.conftest import ROOT

TEXT = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
BLOCKS = [
    yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", TEXT.replace("0123...", "ab" * 32), re.DOTALL)
]


def test_every_step_has_a_row_with_an_example_of_it() -> None:
    rows = re.findall(r"^\| (\w+) \| `(\w+: \{.*?\})` \|", TEXT, re.MULTILINE)
    for name, example in rows:
        assert Step.model_validate(yaml.safe_load(example.replace("\\|", "|"))).name == name
    assert sorted(name for name, _ in rows) == sorted(Step.model_fields)


def test_the_recipe_is_one() -> None:
    recipe = Recipe.model_validate(BLOCKS[0])
    assert set(recipe.filters) == {"speeders"}


def test_the_table_is_one() -> None:
    (table,) = BLOCKS[1]["tables"].values()
    assert [s.name for s in Table.model_validate(table).steps] == ["split", "explode"]
