"""Where harmful begins."""

from __future__ import annotations

import pytest

from lm_plural.harness.errors import UsageError
from lm_plural.harness.ratings.harmful import Cut
from lm_plural.harness.ratings.scale import Scale


@pytest.mark.parametrize(
    ("levels", "direction", "harmful", "rule"),
    [
        ("12345", "lower", "45", "worse than the middle level"),
        ("12345", "higher", "12", "worse than the middle level"),
        ("123", "lower", "3", "worse than the middle level"),
        ("01", "lower", "1", "the worse of two levels"),
        ("01", "higher", "0", "the worse of two levels"),
        ("1234", "lower", "34", "the worse half of the levels"),
        ("1234", "higher", "12", "the worse half of the levels"),
    ],
)
def test_by_default_what_is_worse_than_the_middle(levels: str, direction: str, harmful: str, rule: str):
    cut = Cut.of(Scale(tuple(levels), direction))  # type: ignore[arg-type]
    assert ("".join(cut.levels), cut.rule) == (harmful, rule)
    assert cut.harmful.tolist() == [v in harmful for v in levels]


@pytest.mark.parametrize(("direction", "harmful"), [("lower", "345"), ("higher", "123")])
def test_a_level_and_what_is_worse(direction: str, harmful: str):
    cut = Cut.of(Scale(tuple("12345"), direction), "3.0")  # type: ignore[arg-type]
    assert ("".join(cut.levels), cut.level) == (harmful, "3")
    assert cut.rule == "3.0 or worse, as asked"


def test_a_level_must_be_there_and_leave_something_harmless():
    with pytest.raises(UsageError, match="'6' is not on the scale 1, 2, 3"):
        Cut.of(Scale(tuple("123")), "6")
    for direction, best in (("lower", "1"), ("higher", "3")):
        with pytest.raises(UsageError, match=f"'{best}' is the best level of 1, 2, 3: nothing would be harmless"):
            Cut.of(Scale(tuple("123"), direction), best)  # type: ignore[arg-type]
