"""The folder written for somebody's own file: whole or not there, and read back as it was meant, whatever its words."""

from __future__ import annotations

import csv
import io
import shutil
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lm_plural.harness.data.dataset import Dataset
from lm_plural.harness.data.importing import write as bringing
from lm_plural.harness.data.importing.draft import Import, name_of
from lm_plural.harness.data.importing.write import bring
from lm_plural.harness.data.recipe import load_recipe
from lm_plural.harness.documents import load_yaml
from lm_plural.harness.errors import PluralError, UsageError
from lm_plural.harness.task.index import Index
from lm_plural.harness.task.load import load_task
from lm_plural.harness.task.template import render
from tests.suite import quick

GENDERS = ["woman", "man"]


def written(path: Path, names: list[str], gender: list[str] = GENDERS) -> Path:
    """Write three items rated by six people."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(names)
    for i in range(3):
        for r in range(6):
            rows.writerow([f"i{i}", f"r{r}", (i + r) % 3 + 1, f"text {i}", gender[r % len(gender)]])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(out.getvalue(), encoding="utf-8")
    return path


@pytest.fixture
def made(tmp_path: Path) -> Import:
    """What is known of a plain file."""
    return Import(
        file=written(tmp_path / "my.csv", ["item", "rater", "rating", "text", "gender"]),
        dataset="my",
        item="item",
        rater="rater",
        rating="rating",
        text="text",
        axes=("gender",),
        separator=None,
        nothing=(),
        skipped=(),
        dimension="harm",
        levels=("1", "2", "3"),
        labels=(),
        direction="lower",
        question="How rude?",
        licence="none stated",
        citation="none given",
    )


def test_what_was_written_is_a_task_on_the_same_ratings(made: Import, tmp_path: Path) -> None:
    done = bring(made, tmp_path / "to")
    assert done.folder == tmp_path / "to" / "my"
    assert done.task
    assert (done.folder / "my.csv").read_bytes() == made.file.read_bytes()
    loaded = load_task(load_yaml(done.folder / "harm.yaml"), Index([tmp_path / "to"]))
    assert loaded.table.group_sizes("gender") == {"woman": 3, "man": 3}
    assert loaded.task.groups.min_raters == 3, "no group has five"
    assert [d.fields["text"] for d in loaded.docs()] == ["text 0", "text 1", "text 2"]
    card = (done.folder / "README.md").read_text()
    assert card.startswith("# my\n\n## Origin\n\nNot filled in yet.")
    assert "none stated; none given" in card


names = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs"], exclude_characters="\0\r\n\ufeff"), min_size=1, max_size=12
)
columns = names.map(str.strip).filter(
    lambda n: n and '"' not in n and n not in ("row", "_rule", "_fault") and "_duplicated_" not in n
)


@settings(quick, max_examples=25)
@given(
    st.lists(columns, min_size=5, max_size=5, unique=True), names, names, st.sampled_from(["woman", "a|b", "NA", "yes"])
)
def test_any_words_are_read_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, made_of: list[str], question: str, licence: str, gender: str
) -> None:
    root = tmp_path_factory.getbasetemp() / "words"
    shutil.rmtree(root, ignore_errors=True)
    if made_of[4] in ("rater_id", "item_text") or not licence.strip():
        return
    item, rater, rating, text, axis = made_of
    plain = Import(
        written(root / "my.csv", made_of, ["man", gender]), "my", item, rater, rating, text, (axis,), "|", ("NA",), (),
        "harm", ("1", "2", "3"), (), "lower", question, licence, licence,
    )  # fmt: skip
    folder = bring(plain, root / "to").folder
    recipe = load_recipe(folder / "dataset.yaml")
    assert (recipe.licence, recipe.items.id, recipe.raters.axes) == (licence, item, {axis: axis})
    sizes = Dataset(recipe, folder).table("harm").group_sizes(axis)
    groups = {"a|b": ["a", "b"], "NA": ["undeclared"]}.get(gender, [gender])
    assert sizes == {"man": 3, **dict.fromkeys(groups, 3)}
    task = yaml.safe_load((folder / "harm.yaml").read_text(encoding="utf-8"))
    assert question in render(task["doc_to_text"], {plain.field: "x", "options": ""})


@pytest.mark.parametrize(
    ("text", "name"),
    [("My Data (v2).csv", "my_data_v2_csv"), ("../../etc", "etc"), ("性别", "data"), ("", "data"), ("__A__", "a")],
)
def test_a_name_is_small_letters_digits_and_underscores(text: str, name: str) -> None:
    assert name_of(text) == name


def test_skipped_answers_are_read_as_none(made: Import, tmp_path: Path) -> None:
    content = made.file.read_text().replace("i0,r0,1,", "i0,r0,NA,").replace("i0,r1,2,", "i0,r1,n/a,")
    made.file.write_text(content)
    notes = bring(replace(made, skipped=("NA", "n/a")), tmp_path / "to").notes
    assert notes[0] == "16 ratings of 3 items by 6 raters"
    assert notes[-3:-1] == ["read as no answer: NA, n/a", "2 ratings left out: no rating in the cell"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            {"levels": ("1", "2")},
            "{file}:4: rating '3' of harm in column 'rating' is not on its scale; expected one of 1, 2",
        ),
        ({"levels": ("1",)}, "scales.harm.levels: List should have at least 2 items"),
        ({"axes": ("sex",)}, "{file}:1: no column 'sex'; there are item, rater, rating, text, gender"),
        ({"licence": ""}, "licence: must say something, found ''"),
        ({"dataset": "My Data"}, "dataset: String should match pattern"),
        ({"direction": "up"}, "scales.harm.direction: expected 'higher' or 'lower', found 'up'"),
    ],
)
def test_what_cannot_be_read_back_leaves_nothing_and_names_the_users_file(
    made: Import, tmp_path: Path, change: dict[str, object], expected: str
) -> None:
    with pytest.raises(PluralError) as e:
        bring(replace(made, **change), tmp_path / "to")  # type: ignore[arg-type]
    assert str(e.value).startswith(expected.format(file=made.file))
    assert sorted(tmp_path.iterdir()) == [made.file]


@pytest.mark.parametrize("taken", ["dataset.yaml", "README.md", "harm.yaml"])
def test_names_that_the_folder_needs_are_refused(made: Import, tmp_path: Path, taken: str) -> None:
    file = made.file.rename(tmp_path / taken)
    with pytest.raises(UsageError, match="choose another"):
        bring(replace(made, file=file), tmp_path / "to")
    assert sorted(tmp_path.iterdir()) == [file]


def test_an_interrupt_and_a_full_disk_leave_nothing(
    made: Import, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "to").mkdir()
    for error in (KeyboardInterrupt(), OSError(28, "No space left on device")):

        def stop(*_: object, error: BaseException = error) -> None:
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(bringing.shutil, "copyfile", stop)
            with pytest.raises((KeyboardInterrupt, PluralError)) as e:
                bring(made, tmp_path / "to")
        assert isinstance(e.value, KeyboardInterrupt) or "my: cannot write: No space left" in str(e.value)
        assert list((tmp_path / "to").iterdir()) == []
    assert bring(made, tmp_path / "to").folder.is_dir()


def test_a_column_that_is_no_text_is_refused(made: Import, tmp_path: Path) -> None:
    frame = pl.read_csv(made.file).with_columns(text=pl.col("text").cast(pl.Binary))
    frame.write_parquet(tmp_path / "my.parquet")
    with pytest.raises(PluralError, match=r"my.parquet:1: column 'text' holds Binary; expected text or numbers"):
        bring(replace(made, file=tmp_path / "my.parquet"), tmp_path / "to")
