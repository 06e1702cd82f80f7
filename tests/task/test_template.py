from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_plural.harness.task.template import TemplateRenderError, render
from tests.suite import quick

VALUES = {"text": "hello", "label": "x"}


def refused(source: str) -> TemplateRenderError:
    with pytest.raises(TemplateRenderError) as caught:
        render(source, VALUES)
    assert "\n" not in str(caught.value)
    return caught.value


@quick
@given(st.text().filter(lambda t: "{" not in t and "\r" not in t))
def test_text_without_braces_stays_as_it_is(text: str) -> None:
    assert render(text, {}) == text


@quick
@given(st.text())
def test_a_field_is_put_in_as_it_is_and_never_rendered_itself(text: str) -> None:
    assert render("<{{ text }}>", {"text": text}) == f"<{text}>"


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__ }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ text['__class__'] }}",
        "{{ text|attr('__class__') }}",
        "{{ text['__cla' ~ 'ss__'] }}",
        "{{ '{0.__class__}'.format(text) }}",
        "{{ '{a.__class__.__mro__}'.format_map({'a': text}) }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ self.__init__.__globals__ }}",
        "{{ render.__globals__ }}",
        "{{ lipsum.__globals__['os'] }}",
        "{{ namespace.__init__ }}",
        "{{ ([1]|map(attribute='__class__')|list)[0].x }}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}",
        "{% extends 'a' %}",
        "{{ open('/etc/passwd') }}",
        "{{ [].append(1) }}",
    ],
)
def test_nothing_leads_out_of_the_sandbox(source: str) -> None:
    refused(source)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "source",
    [
        "{% for i in range(10**9) %}{% endfor %}",
        "{% for i in range(1000000000) %}{% endfor %}",
        "{{ 10 ** 10 ** 10 }}",
        "{{ 'a' * 10000000000 }}",
        "{{ 10000000000 * 'a' }}",
        "{{ [1] * 10000000000 }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{{ " + "(" * 5000 + ")" * 5000 + " }}",
        "{% for i in text %}" * 30 + "{% endfor %}" * 30,
    ],
)
def test_what_would_not_end_is_refused(source: str) -> None:
    refused(source)


def test_ordinary_arithmetic_is_allowed() -> None:
    assert render("{{ 2 * 3 }}{{ '-' * 4 }}{% for i in range(3) %}{{ i }}{% endfor %}", {}) == "6----012"


def test_an_unknown_field_is_named_with_those_there_are() -> None:
    assert str(refused("{{ txt }}")) == "template: no field 'txt'; did you mean 'text'?; there are text, label"


def test_an_unknown_attribute_of_a_field_is_named() -> None:
    assert "no attribute 'foo'" in str(refused("{{ text.foo.bar }}"))


def test_a_field_may_be_asked_for_before_it_is_used() -> None:
    assert render("{% if more is defined %}{{ more }}{% endif %}{{ text }}", VALUES) == "hello"


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("{{ txt }}", 1),
        ("a\nb\n{{ txt }}\n", 3),
        ("a\n{{ text \n", 2),
        ("a\n{% if text %}\nb\n{% endfi %}\n", 4),
        ("a\n\n{{ 1 / 0 }}\n", 3),
        ("a\n{{ text|no_such_filter }}\n", 2),
        ("a\nb\n{{ ''.__class__.x }}", 3),
    ],
)
def test_an_error_knows_its_line_within_the_template(source: str, line: int) -> None:
    assert refused(source).line == line


@quick
@given(st.text(alphabet="{}%# \n'\"|.()[]*+-/~<>=,:_abtexrangeifor01", max_size=40))
def test_any_template_renders_or_is_refused(source: str) -> None:
    with suppress(TemplateRenderError):
        render(source, VALUES)
