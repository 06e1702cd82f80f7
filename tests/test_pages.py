"""Pages say what is so: python.md runs, data.md is read as recipes, and of a page a command writes its own section."""

from __future__ import annotations

import ast
import contextlib
import io
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from lm_plural.harness.data.recipe import Recipe, Table
from lm_plural.harness.data.steps import Step
from tests.conftest import ROOT
from tests.sections import write_section

#: The page about recipes, and its blocks.
DATA = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
RECIPES = [
    yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", DATA.replace("0123...", "ab" * 32), re.DOTALL)
]
PAGE = ROOT / "docs" / "python.md"
FENCED = re.compile(r"^```(python|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: Numbers of a text; an integer part may be left out. Those inside words (p36) are no numbers.
NUMBER = re.compile(r"(?<![\w.])-?\d*\.\d+")


class Cell(NamedTuple):
    line: int
    code: str
    output: str


def cells(page: str) -> list[Cell]:
    """Return the blocks of code, each with the block of text that follows it."""
    found: list[Cell] = []
    for block in FENCED.finditer(page):
        kind, content = block.groups()
        if kind == "python":
            found.append(Cell(page.count("\n", 0, block.start()) + 1, content, ""))
        else:
            found[-1] = found[-1]._replace(output=content)
    return found


def run(code: str, names: dict[str, Any]) -> str:
    """Run a block as a notebook does: what it prints, and the value of its last expression."""
    tree = ast.parse(code)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(tree, str(PAGE), "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), str(PAGE), "eval"), names)
            if value is not None:
                print(repr(value))
    return out.getvalue()


def same(found: str, expected: str) -> bool:
    """Return whether texts are equal but for the last digit shown, or the tenth, of numbers with a fraction."""

    def near(a: str, b: str) -> bool:
        return float(a) == pytest.approx(float(b), abs=10.0 ** -min(len(b.partition(".")[2]), 10) * 1.01)

    a, b = NUMBER.findall(found), NUMBER.findall(expected)
    return (
        NUMBER.sub("#", found).strip() == NUMBER.sub("#", expected).strip()
        and len(a) == len(b)
        and all(map(near, a, b))
    )


def test_the_page_prints_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    blocks = cells(PAGE.read_text("utf-8"))
    assert len(blocks) > 8
    for cell in blocks:
        found = run(cell.code, names)
        assert same(found, cell.output), f"{PAGE}:{cell.line}: printed\n{found}"


def test_only_the_last_digit_may_differ() -> None:
    assert same("woman 0.123 [.1,-.2]\n", "woman 0.124 [.1,-.2]")
    assert not same("woman 0.126 [.1,.2]", "woman 0.124 [.1,.2]")
    assert not same("man 0.124", "woman 0.124")
    assert not same("3 groups", "4 groups")
    assert same("0.12345678901234", "0.12345678901299")


def test_only_the_section_is_written(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("head\n<!-- a -->\nold\n<!-- /a -->\nmiddle\n<!-- b -->\nkept\n<!-- /b -->\n")
    write_section(page, "a", "new\n")
    write_section(page, "a", "newer")
    assert page.read_text() == ("head\n<!-- a -->\n\nnewer\n\n<!-- /a -->\nmiddle\n<!-- b -->\nkept\n<!-- /b -->\n")


def test_a_page_without_the_section_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- a -->\n")
    with pytest.raises(ValueError, match="no section <!-- a -->"):
        write_section(page, "a", "text")
    assert page.read_text() == "<!-- a -->\n"


def test_every_step_has_a_row_with_an_example_of_it() -> None:
    rows = re.findall(r"^\| (\w+) \| `(\w+: \{.*?\})` \|", DATA, re.MULTILINE)
    for name, example in rows:
        assert Step.model_validate(yaml.safe_load(example.replace("\\|", "|"))).name == name
    assert sorted(name for name, _ in rows) == sorted(Step.model_fields)


def test_the_recipe_is_one() -> None:
    recipe = Recipe.model_validate(RECIPES[0])
    assert set(recipe.filters) == {"speeders"}


def test_the_table_is_one() -> None:
    (table,) = RECIPES[1]["tables"].values()
    assert [s.name for s in Table.model_validate(table).steps] == ["split", "explode"]
