from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lm_plural.harness.errors import UsageError
from lm_plural.harness.ratings.scale import Scale
from lm_plural.harness.task.elicit import Variant, continuations, distribution, prompt, shown, steering, variants
from lm_plural.harness.task.index import Index
from lm_plural.harness.task.load import load_task
from lm_plural.harness.task.schema import Task
from lm_plural.harness.task.template import TemplateRenderError
from tests.suite import default_task, quick

SCALE = Scale(("1", "2", "3"), "lower", ("low", "middle", "high"))
ALL = [Variant(c, o) for c in ("levels", "letters", "words") for o in ("ascending", "descending")]


def task(**keys: Any) -> Task:
    return Task.model_validate(default_task() | {"doc_to_choice": [1, 2, 3]} | keys)


@pytest.mark.parametrize(
    ("coding", "order", "places", "labels"),
    [
        ("levels", "ascending", [0, 1, 2], ["1", "2", "3"]),
        ("levels", "descending", [2, 1, 0], ["3", "2", "1"]),
        ("letters", "ascending", [0, 1, 2], ["A", "B", "C"]),
        ("letters", "descending", [2, 1, 0], ["A", "B", "C"]),
        ("words", "ascending", [0, 1, 2], ["low", "middle", "high"]),
        ("words", "descending", [2, 1, 0], ["high", "middle", "low"]),
    ],
)
def test_letters_belong_to_the_place_and_other_labels_to_the_level(coding, order, places, labels) -> None:
    assert shown(task(), SCALE, Variant(coding, order)) == (places, labels)


@pytest.mark.parametrize(
    ("coding", "order", "expected"),
    [
        ("levels", "ascending", ["1", "2", "3"]),
        ("levels", "descending", ["1", "2", "3"]),
        ("letters", "ascending", ["A", "B", "C"]),
        ("letters", "descending", ["C", "B", "A"]),
        ("words", "descending", ["low", "middle", "high"]),
    ],
)
def test_continuations_stand_lowest_level_first_whatever_is_shown(coding, order, expected) -> None:
    assert continuations(task(target_delimiter=""), SCALE, Variant(coding, order)) == expected
    assert continuations(task(target_delimiter=" "), SCALE, Variant(coding, order)) == [f" {e}" for e in expected]


@pytest.mark.parametrize("variant", ALL, ids=str)
def test_the_label_shown_beside_a_levels_word_is_the_one_scored_for_it(variant: Variant) -> None:
    text = prompt(task(doc_to_text="{{ options }}"), SCALE, variant, {})
    scored = continuations(task(target_delimiter=""), SCALE, variant)
    for word, label in zip(SCALE.labels, scored, strict=True):
        line = f"({label}) {word}" if label != word else f"({label})"
        assert line in text.split("\n")


def test_a_prompt_holds_the_fields_the_options_and_the_labels() -> None:
    source = "{{ text }}|{{ options }}|{{ labels | join('/') }}"
    found = prompt(task(doc_to_text=source), SCALE, Variant("letters", "descending"), {"text": "{{ x }}"})
    assert found == "{{ x }}|(A) high\n(B) middle\n(C) low|A/B/C"


def test_a_prompt_with_an_unknown_field_is_an_error() -> None:
    with pytest.raises(TemplateRenderError, match="no field 'txt'"):
        prompt(task(doc_to_text="{{ txt }}"), SCALE, ALL[0], {"text": "x"})


def test_variants_are_all_combinations_of_a_tasks_codings_and_orders() -> None:
    assert [str(v) for v in variants(task())] == [
        "levels/ascending",
        "levels/descending",
        "letters/ascending",
        "letters/descending",
    ]
    assert variants(task(elicitation={"codings": ["words"], "orders": ["descending"]})) == [ALL[5]]


def test_variants_are_of_every_wording_and_unsteered_unless_a_group_is_named() -> None:
    asked = task(paraphrases=["a", "b"], steer="gender", elicitation={"codings": ["levels"], "orders": ["ascending"]})
    assert [str(v) for v in variants(asked)] == ["levels/ascending", "levels/ascending/1", "levels/ascending/2"]
    assert [(str(v), v.group) for v in variants(asked, "man")][1:] == [
        ("levels/ascending/1/as man", "man"),
        ("levels/ascending/2/as man", "man"),
    ]


def test_a_prompt_is_in_the_wording_of_its_variant_after_what_steers_it() -> None:
    asked = task(
        doc_to_text="A {{ text }}", paraphrases=["B {{ text }}"], steer={"axis": "gender", "names": {"m": "a man"}}
    )
    said = "Answer as a person would who describes their gender as: a man."
    for variant, expected in (
        (Variant("levels", "ascending"), "A x"),
        (Variant("levels", "ascending", 1), "B x"),
        (Variant("levels", "ascending", 1, "m"), f"{said}\n\nB x"),
        (Variant("levels", "ascending", 0, "woman"), f"{said.replace('a man', 'woman')}\n\nA x"),
    ):
        assert prompt(asked, SCALE, variant, {"text": "x"}) == expected


def test_a_text_that_steers_sees_axis_and_group_only_and_ends_in_one_blank_line() -> None:
    asked = task(doc_to_text="A", steer={"axis": "gender", "text": "{{ axis }}: {{ group }}\n"})
    assert prompt(asked, SCALE, Variant("levels", "ascending", group="m"), {"text": "x"}) == "gender: m\n\nA"
    with pytest.raises(TemplateRenderError, match="no field 'text'"):
        steering(task(steer={"axis": "gender", "text": "{{ text }}"}), "m")


def test_labels_that_do_not_fit_the_scale_are_a_usage_error() -> None:
    with pytest.raises(UsageError, match="2 labels for the 3 levels"):
        shown(task(doc_to_choice=["a", "b"]), SCALE, Variant("levels", "ascending"))


def test_a_scale_longer_than_the_alphabet_has_no_letters() -> None:
    long = Scale(tuple(map(str, range(27))))
    with pytest.raises(UsageError, match="26 labels for 27 levels"):
        shown(task(), long, Variant("letters", "ascending"))
    order, labels = shown(task(), Scale(tuple(map(str, range(26)))), Variant("letters", "ascending"))
    assert (len(order), labels[-1]) == (26, "Z")


def test_distribution_and_off_scale_mass_by_hand() -> None:
    q, off = distribution(np.log([[0.1, 0.3], [0.4, 0.4]]))
    assert q == pytest.approx([(0.25 + 0.5) / 2, (0.75 + 0.5) / 2])
    assert off == pytest.approx((0.6 + 0.2) / 2)


def test_a_label_without_probability_has_none() -> None:
    q, off = distribution([[-math.inf, math.log(0.5)]])
    assert list(q) == [0, 1]
    assert off == pytest.approx(0.5)


def test_no_label_with_any_probability_is_unknown_not_a_guess() -> None:
    q, off = distribution([[-math.inf, -math.inf], [math.log(0.5), math.log(0.5)]])
    assert np.isnan(q).all()
    assert off == pytest.approx(0.5)


def test_labels_that_begin_alike_cannot_make_the_off_scale_mass_negative() -> None:
    _, off = distribution(np.log([[0.9, 0.8]]))
    assert off == 0


SHAPES = st.tuples(st.integers(1, 4), st.integers(2, 7))
LOGPROBS = arrays(np.float64, SHAPES, elements=st.floats(-2000, 0))


@quick
@given(LOGPROBS)
def test_a_distribution_sums_to_one_and_off_scale_mass_is_a_share(logprobs: np.ndarray) -> None:
    q, off = distribution(logprobs)
    assert q.sum() == pytest.approx(1)
    assert (q >= 0).all()
    assert 0 <= off <= 1


@quick
@given(LOGPROBS)
def test_reversed_labels_give_the_reversed_distribution(logprobs: np.ndarray) -> None:
    q, off = distribution(logprobs)
    turned, off_turned = distribution(logprobs[:, ::-1])
    assert turned == pytest.approx(q[::-1])
    assert off_turned == pytest.approx(off)


@quick
@given(LOGPROBS, st.randoms())
def test_the_order_of_the_variants_does_not_matter(logprobs: np.ndarray, random: Any) -> None:
    rows = list(logprobs)
    random.shuffle(rows)
    assert distribution(rows)[0] == pytest.approx(distribution(logprobs)[0])


@quick
@given(st.lists(st.floats(-5, 0), min_size=3, max_size=3))
def test_a_pure_preference_for_a_place_is_averaged_out(by_place: list[float]) -> None:
    """A model that looks only at the place of a letter says nothing of the levels: q is symmetric."""
    logprobs = []
    for variant in (Variant("letters", "ascending"), Variant("letters", "descending")):
        scored = continuations(task(target_delimiter=""), SCALE, variant)
        logprobs.append([by_place["ABC".index(label)] for label in scored])
    q, _ = distribution(logprobs)
    assert q == pytest.approx(q[::-1])


def test_the_demos_labels_are_its_scale() -> None:
    index = Index()
    loaded = load_task(index.tasks["plural_demo_toxicity"], index)
    assert loaded.task.choices == list(loaded.scale.levels)
    assert continuations(loaded.task, loaded.scale, Variant("letters", "descending")) == ["E", "D", "C", "B", "A"]
