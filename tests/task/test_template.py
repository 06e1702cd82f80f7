from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import StrictUndefined
from jinja2.meta import find_undeclared_variables
from jinja2.sandbox import ImmutableSandboxedEnvironment

from lm_plural.harness.task.template import TemplateRenderError, names, render
from tests.conftest import ROOT
from tests.suite import quick

VALUES = {"text": "hello", "label": "x"}
#: Jinja as it comes, to compare with.
STOCK = ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)


def refused(source: str) -> TemplateRenderError:
    with pytest.raises(TemplateRenderError) as caught:
        render(source, VALUES)
    assert "\n" not in str(caught.value)
    return caught.value


@quick
@given(st.text().filter(lambda t: "{" not in t and "\r" not in t))
def test_text_without_braces_stays_as_it_is(text: str) -> None:
    assert render(text, {}, blank=True) == text


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


BIG = {"text": "hello", "big": "word ab " * 100_000, "labels": ["1", "2", "3"]}
BOMBS = [
    "{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}",
    "{% for a in big %}{% for b in big %}x{% endfor %}{% endfor %}",
    "{% for a in big %}{{ big }}{% endfor %}",
    "{% for a in big if a in big %}{% endfor %}",
    "{% for a in range(99999) %}{% if big == big ~ 'x' %}{% endif %}{% endfor %}",
    "{% for a in range(99999) %}{{ range(99999)|max }}{% endfor %}",
    "{% for a in range(99999) %}{{ range(99999)|join }}{% endfor %}",
    "{% for a in range(99999) %}{{ 'zz' in big }}{% endfor %}",
    "{% for a in range(99999) %}{{ loop.length }}{{ loop.last }}{% endfor %}",
    "{% for a in range(90000) %}" + "x" * 10_000 + "{% endfor %}",
    "{% for a in labels %}" * 19 + "{{ text }}" + "{% endfor %}" * 19,
    "{% for a in labels recursive %}{{ loop(labels) }}{% endfor %}",
    "{% set x = 'aaaaaaaaaa' %}" + "{% set x = x ~ x %}" * 60,
    "{% set x = 'aaaaaaaaaa' %}" + "{% set x = x + x %}" * 60,
    "{% set x = [1] %}" + "{% set x = x + x %}" * 60,
    "{% set x = [1] %}" + "{% set x = [x, x] %}" * 60 + "{{ x }}",
    "{% set x = {1: 2} %}" + "{% set x = {1: x, 2: x} %}" * 60 + "{{ x }}",
    "{% set x = 99999 %}" + "{% set x = x * x %}" * 60,
    "{% set x = 9 %}" + "{% set x = x ** 9 %}" * 60,
    "{% set n = namespace(x='aa') %}{% for i in range(99) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
    "{{ big" + " ~ big" * 1000 + " }}",
    "{{ (big|upper)" + " ~ (big|upper)" * 1000 + " }}",
    "{{ [big" + ", big" * 1000 + "] }}",
    "{{ 'x'.center(9999999999) }}",
    "{{ 'x'['center'](9999999999) }}",
    "{{ 'x'|center(9999999999) }}",
    "{{ 'x'.ljust(9999999999) }}",
    "{{ '1'.zfill(9999999999) }}",
    "{{ 'a\tb'.expandtabs(9999999999) }}",
    "{{ 'x'.translate({120: big}) }}",
    "{{ '%1000000000d' % 1 }}",
    "{{ '%1000000000d'|format(1) }}",
    "{{ '{:>9999999999}'.format(1) }}",
    "{{ '{a:>9999999999}'.format_map({'a': 1}) }}",
    "{{ lipsum(n=10000000) }}",
    "{{ big.replace('a', big) }}",
    "{{ big|replace('', big) }}",
    "{{ big.join(big) }}",
    "{{ big|join(big) }}",
    "{{ big.strip(big) }}",
    "{{ big|trim(big) }}",
    "{{ big|list|list|list|sort }}",
    "{{ big|indent(10000000) }}",
    "{{ big|wordwrap(1, True, big) }}",
    "{{ labels|batch(1000000000, 'x')|list }}",
    "{{ labels|slice(1000000000)|list }}",
    "{{ 1.5|round(1000000000, 'ceil') }}",
    "{{ ('f' * 4000000)|int(0, 16) % ('e' * 2000001)|int(0, 16) }}",
    "{% set j = joiner(big) %}{% for i in range(99999) %}{{ j() }}{% endfor %}",
    "{% filter replace('a', big) %}{{ big }}{% endfilter %}",
    "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
    "{% call f() %}{% endcall %}",
    "{% block a %}{{ self.a() }}{% endblock %}",
    "{{ text }}" * 9_900,
    "{{ text }}" * 5_000,
    "{{ " + "not " * 2_000 + "1 }}",
    "{{ text" + "[0]" * 2_000 + " }}",
]


#: Renders each bomb in no more than 256 MiB above what Python and Jinja take, and says how long it took.
DETONATE = """
import json, sys, time
from lm_plural.harness.task.template import TemplateRenderError, render
bombs, values = json.load(sys.stdin)
if sys.platform == "linux":
    import resource
    most = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize() + 2**28
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
for bomb in bombs:
    start, said = time.perf_counter(), "rendered"
    try:
        render(bomb, values)
    except TemplateRenderError as e:
        said = str(e)
    print(json.dumps([bomb[:80], said, time.perf_counter() - start]), flush=True)
"""


def test_bombs_end_soon_in_little_memory_with_one_line_each() -> None:
    words = [sys.executable, "-c", DETONATE]
    given = json.dumps([BOMBS, BIG])
    done = subprocess.run(words, input=given, capture_output=True, text=True, timeout=120, cwd=ROOT, check=False)
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(said) == len(BOMBS), done.stderr
    for bomb, message, seconds in said:
        assert message.startswith("template: "), bomb
        assert "MemoryError" not in message, bomb
        assert "\n" not in message, bomb
        assert seconds < 2, bomb


def test_each_rendering_has_a_budget_of_its_own_in_threads_too() -> None:
    source, values = "{{ text }}" * 9, {"text": "x" * 1_000_000}
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _: len(render(source, values)), range(8))) == {9_000_000}


@pytest.mark.parametrize(
    "source",
    [
        "{{ text }} {{ text|upper }} {{ text.title() }} {{ text[1:3] }} {{ text[-1] }} {{ text|length }}",
        "{% for a in labels %}{{ loop.index }}. {{ a }}{% if not loop.last %}, {% endif %}{% else %}none{% endfor %}",
        "{% for a in labels if a != '2' -%}\n {{ loop.revindex0 }}/{{ loop.length }} {{ a }} {%- endfor %}",
        "{% for a in labels %}{% for b in labels %}{{ loop.first }}{{ a ~ b }}{% endfor %}{% endfor %}",
        "{% for a in labels %}{{ loop.cycle('x', 'y') }}{{ loop.previtem|default('') }}{% endfor %}",
        "{{ labels|join(', ') }} {{ labels|first }} {{ labels|last }} {{ labels|reverse|join }} {{ '-'.join(labels) }}",
        "{{ labels }} {{ [1, 'a', none] }} {{ (1, 2) }} {{ {'de': 'German'}['de'] }} {{ {'a': 1} }}",
        "{% set greeting = 'Dear ' ~ text %}{{ greeting|replace('e', 'E') }} {{ greeting.replace('e', '', 1) }}",
        "{{ 'long' if text|length > 3 else 'short' }} {{ other is defined }} {{ other|default('?') }} {{ 3 is odd }}",
        "{{ text == 'hello' and 'ell' in text }} {{ not text }} {{ text is string }} {{ '1' in labels }}",
        "{{ 1 + 2 * 3 - 4 / 5 }} {{ 7 // 2 }} {{ 7 % 2 }} {{ -3 }} {{ '-' * 4 }} {{ 2.5 }} {{ '7'|int + 1 }}",
        "{% if text.startswith('h') %}a{% elif label %}b{% else %}c{% endif %} {{ (' ' ~ text).strip() }}",
        "{{ 'b A c'.split()|sort|join }} {{ 'abca'|unique|join }} {{ 'ab'|list }} {{ text|truncate(4) }}",
        "{% raw %}{{ text }}{% endraw %}{# note #}\n{{- text -}}\n\n{{ range(3)|list }} {{ [3, 1]|min }}\n",
    ],
)
def test_what_prompts_need_is_rendered_as_jinja_renders_it(source: str) -> None:
    values = {"text": "hello", "label": "x", "labels": ["1", "2", "3"]}
    assert render(source, values) == STOCK.from_string(source).render(values)


def test_the_templates_of_all_tasks_are_rendered_as_jinja_renders_them() -> None:
    def templates(value: object, key: str = "") -> list[str]:
        if isinstance(value, dict):
            return [t for k, v in value.items() for t in templates(v, k)]
        if isinstance(value, list):
            return [t for v in value for t in templates(v, key)]
        return [value] if isinstance(value, str) and key in ("doc_to_text", "paraphrases", "text") else []

    found = [t for p in ROOT.glob("tasks/*/*.yaml") for t in templates(yaml.safe_load(p.read_text()))]
    fields = ["text", "prompt", "response", "options", "group", "axis", "post", "context", "question", "user_prompt"]
    assert len(found) > 60
    for source in found:
        values = {f: f"<{f}>\n{{{{ not a template }}}} & 'ß'" for f in fields} | {"labels": ["1", "2"]}
        stock = STOCK.from_string(source)
        values |= {f: "other" for f in find_undeclared_variables(STOCK.parse(source)) if f not in values}
        assert render(source, values) == stock.render(values)


def test_constants_are_not_computed_to_find_the_names_of_a_template() -> None:
    hidden = "{% if text == 'no' %}{{ 'a' * 10000000000 }}{% endif %}{% if 1[:2] is odd %}{% endif %}"
    assert names(hidden + "{% set a = b %}{% for c in label %}{{ c }}{{ loop.index }}{% endfor %}{{ a }}") == {
        "text",
        "b",
        "label",
    }
    assert "no field 'txt'" in str(refused("{{ txt }}" + hidden))


def test_a_method_that_is_not_called_is_refused_and_not_printed_with_an_address() -> None:
    assert "is no text, number or list" in str(refused("{{ text.upper }}"))


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


@pytest.mark.parametrize(
    "source", ["", " \n", "{% raw %}", "{# a #}", "{{ '' }}", "{% if label == 'y' %}{{ text }}{% endif %}"]
)
def test_a_prompt_that_is_blank_is_refused_unless_it_may_be(source: str) -> None:
    assert str(refused(source)) == "template: nothing but blanks comes of it; expected text"
    assert not render(source, VALUES, blank=True).strip()


@quick
@given(st.text(alphabet="{}%# \n'\"|.()[]*+-/~<>=,:_abtexrangeifor01", max_size=40))
def test_any_template_renders_or_is_refused(source: str) -> None:
    with suppress(TemplateRenderError):
        render(source, VALUES)
