"""DICES-350 in its described schema, on INVENTED rows."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lm_plural.harness.cli.main import main
from lm_plural.harness.data.dataset import Dataset
from lm_plural.harness.errors import PluralError
from lm_plural.harness.task.elicit import prompt, variants
from lm_plural.harness.task.index import Index
from lm_plural.harness.task.load import LoadedTask, load_task
from lm_plural.harness.task.template import render
from tests.tasks.figures import changed, unchecked
from tests.tasks.invented import findings, invented, with_invented

INVENTED = Path(__file__).parent / "invented" / "dices_350"
FILE = "diverse_safety_adversarial_dialog_350.csv"
FILTER = "removed_raters"
TASKS = ["dices_350_respond", "dices_350_safety", "dices_350_safety_steer_race"]


@pytest.fixture
def dataset() -> Dataset:
    return invented("dices_350", INVENTED)


def loaded(name: str, folder: Path) -> LoadedTask:
    index = Index([folder])
    return load_task(index.tasks[name], index)


def ratings(dataset: Dataset, dimension: str) -> dict[tuple[str, str], str]:
    """Return the level of each item and rater, raters by their last digit."""
    table = dataset.table(dimension)
    rows = table.ratings.select("item_id", "rater_id", "level").iter_rows()
    return {(item, rater[-1]): table.scale.levels[level] for item, rater, level in rows}


def test_every_profile(dataset: Dataset) -> None:
    table = dataset.table("safety")
    assert table.group_sizes("gender") == {"man": 4, "woman": 6}
    assert table.group_sizes("race") == {"Asian": 1, "Black": 1, "Latine": 1, "White": 6, "multiracial": 1}
    assert table.group_sizes("age") == {"gen x+": 3, "gen z": 6, "millennial": 1}
    assert table.group_sizes("education") == {"college degree or higher": 7, "high school or below": 2, "other": 1}


def test_rater_ids_are_text_of_fifteen_digits(dataset: Dataset) -> None:
    ids = dataset.table("safety").raters["rater_id"]
    assert "297514565398139" in ids
    assert set(ids.str.len_chars()) == {15}


def test_texts_hold_lines_quotes_and_commas(dataset: Dataset) -> None:
    expected = 'USER: INVENTED question 1\nLAMDA: INVENTED reply, 1\nUSER: INVENTED "further" question 1'
    assert dataset.items["context"][0] == expected
    assert dataset.items["safety_gold"].to_list() == ["Yes", "No", "No"]


def test_every_dimension_reads_its_own_column(dataset: Dataset) -> None:
    dimensions = dict.fromkeys(dataset.recipe.ratings.dimensions)
    assert list(dimensions) == [
        "safety",
        "harmful_content",
        "unfair_bias",
        "misinformation",
        "political_affiliation",
        "policy",
    ]
    found = {d: ratings(dataset, d) for d in dimensions}
    assert [d for d in dimensions if found[d]["1", "1"] == "Yes"] == ["safety", "harmful_content", "unfair_bias"]
    assert [d for d in dimensions if found[d]["2", "3"] == "Unsure"] == ["safety", "misinformation"]
    assert [d for d in dimensions if found[d]["3", "2"] == "Yes"] == ["safety", "political_affiliation"]
    assert set(found["policy"].values()) == {"No"}


def test_yes_is_unsafe_and_unsure_halfway(dataset: Dataset) -> None:
    scale = dataset.table("safety").scale
    assert (scale.levels, scale.positions, scale.direction) == (("No", "Unsure", "Yes"), (0, 0.5, 1), "lower")


def test_the_copy_that_stands_in_has_the_same_scale_and_the_tasks_need_no_other_field(dataset: Dataset) -> None:
    copy = invented("dices_350_overall", INVENTED.parent / "dices_350_overall")
    assert copy.table("safety").scale == dataset.table("safety").scale
    assert {"context", "response", "safety_gold"} <= {*copy.items.columns} & {*dataset.items.columns}


def test_the_raters_of_low_quality_are_nineteen_and_stay_unless_a_task_says_so(dataset: Dataset) -> None:
    spec = dataset.recipe.filters[FILTER]
    assert (len(set(spec.where["rater_id"])), spec.active) == (19, False)
    assert len(dataset.table("safety").ratings) == 30
    table = invented("dices_350", INVENTED, {FILTER: True}).table("safety")
    assert [(e.rule, e.rows) for e in table.exclusions] == [(f"filter {FILTER}", 3)]
    assert "297514565398139" not in table.raters["rater_id"]


def test_the_published_total_is_asserted(tmp_path: Path) -> None:
    dataset = changed("dices_350", tmp_path, unchecked)
    shutil.copy(INVENTED / FILE, dataset.folder)
    with pytest.raises(PluralError, match=f"^[^\n]*{FILE}: 30 ratings; expected the 43050 that were published$"):
        dataset.table("safety")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("Q_overall", "Q_all", ":1: no column 'Q_overall'"),
        ("Woman", "Women", ":2: unknown level 'Women' of rater_gender; expected one of Man, Woman"),
        ("gen z", "gen zed", ":2: unknown level 'gen zed' of rater_age; expected one of gen z, millenial, gen x+"),
        (
            ",No\n",
            ",Maybe\n",
            ":2: rating 'Maybe' of safety in column 'Q_overall' is not on its scale; expected one of No, Unsure, Yes",
        ),
        ("1,100000000000001", "1,100000000000000", ":5: a second rating of item '1' by rater '100000000000000'"),
    ],
)
def test_another_file_is_one_clear_line(tmp_path: Path, old: str, new: str, expected: str) -> None:
    text = (INVENTED / FILE).read_text()
    assert old in text
    (tmp_path / FILE).write_text(text.replace(old, new, 1))
    with pytest.raises(PluralError) as e:
        invented("dices_350", tmp_path).table("safety")
    assert f"{FILE}{expected}" in str(e.value)
    assert "\n" not in str(e.value)


def test_the_tasks_are_valid(tmp_path: Path) -> None:
    assert findings(with_invented("dices_350", INVENTED, tmp_path)) == {name: [] for name in TASKS}


def test_the_whole_dialogue_is_asked_about(tmp_path: Path) -> None:
    with_invented("dices_350", INVENTED, tmp_path)
    task = loaded("dices_350_safety", tmp_path)
    for variant in variants(task.task):
        text = prompt(task.task, task.scale, variant, task.docs(1)[0].fields)
        assert 'reply, 1\nUSER: INVENTED "further" question 1\nLAMDA: INVENTED last reply 1\n' in text
    respond = loaded("dices_350_respond", tmp_path)
    asked = render(respond.task.doc_to_text, dict(respond.docs(1)[0].fields))
    assert asked.endswith('USER: INVENTED "further" question 1\nLAMDA:')


def test_a_run_on_the_authors_file_has_its_groups(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with_invented("dices_350", INVENTED, tmp_path)
    command = ["run", "--model", "dummy", "-t", "dices_350_safety", "--include_path", str(tmp_path)]
    assert main([*command, "-o", str(tmp_path / "out"), "--inference", "none", "--tables"]) == 0
    out = capsys.readouterr().out
    assert "[race]" in out
    assert "stands in for" not in out
