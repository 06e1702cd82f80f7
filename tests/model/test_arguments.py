from __future__ import annotations

import json
import re
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_plural.harness.errors import UsageError
from lm_plural.harness.model.arguments import literal, parse_arguments
from tests.suite import quick


def parse(*words: str) -> dict[str, Any]:
    return parse_arguments(words, "--model_args")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["a=1,b=x"], {"a": 1, "b": "x"}),
        (["a=1", "b=x"], {"a": 1, "b": "x"}),
        (["a=1,", "b=x"], {"a": 1, "b": "x"}),
        (["a=1, b = x "], {"a": 1, "b": "x"}),
        (["a=1,b=2", "b=3"], {"a": 1, "b": 3}),
        (['{"a": 1, "b": {"c": [true, null]}}'], {"a": 1, "b": {"c": [True, None]}}),
        (['{"a": 1}', "a=2"], {"a": 2}),
        (["a="], {"a": ""}),
        (["a=,b="], {"a": "", "b": ""}),
        (["pretrained=org/name,revision=a=b"], {"pretrained": "org/name", "revision": "a=b"}),
        (["base_url=http://x:8000/v1?a=1&b=2,model=m"], {"base_url": "http://x:8000/v1?a=1&b=2", "model": "m"}),
        (["system=be kind, be brief,n=1"], {"system": "be kind, be brief", "n": 1}),
        (['stop=["a,b"]'], {"stop": ["a,b"]}),
        (['stop=["a,b=c", "d"],n=1'], {"stop": ["a,b=c", "d"], "n": 1}),
        (['stop=[")", "a,b=c"],n=1'], {"stop": [")", "a,b=c"], "n": 1}),
        (['stop="x,y=1",n=1'], {"stop": "x,y=1", "n": 1}),
        (["text=it's so,n=1"], {"text": "it's so", "n": 1}),
        (["text='it\\'s, a=b',n=1"], {"text": "it's, a=b", "n": 1}),
        (["a={'b': 1, 'c': 2},n=1"], {"a": {"b": 1, "c": 2}, "n": 1}),
        (['a={"b": true, "c": null},n=1'], {"a": {"b": True, "c": None}, "n": 1}),
        (["a=1,0,b=2"], {"a": (1, 0), "b": 2}),
        ([], {}),
        (["{}"], {}),
    ],
)
def test_arguments_are_read_in_each_of_lm_evals_ways(words: list[str], expected: dict[str, Any]) -> None:
    assert parse(*words) == expected


def test_no_arguments_are_no_arguments() -> None:
    assert parse_arguments(None, "--model_args") == {}


@pytest.mark.parametrize("word", ["a", "=1", " = 1", "a,b=1", "", ",", "[1]", "{'a': 1}", '{"a": 1', "{" * 100_000])
def test_what_is_no_argument_is_a_usage_error_that_names_the_flag(word: str) -> None:
    with pytest.raises(UsageError, match=r"^--model_args: ") as caught:
        parse(word)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("true", True),
        ("FALSE", False),
        ("None", None),
        ("null", None),
        (" True ", True),
        ("-3", -3),
        ("0.5", 0.5),
        ("1e-3", 0.001),
        ("'3'", "3"),
        ('"true"', "true"),
        ("007", "007"),
        ("float16", "float16"),
        ("cuda:0", "cuda:0"),
        ("C:\\new", "C:\\new"),
        ("1or 2", "1or 2"),
        ("'\\d'", "'\\d'"),
        ("a\nb", "a\nb"),
        ("__import__('os').getcwd()", "__import__('os').getcwd()"),
        ("2**2**30", "2**2**30"),
        ("(" * 5000, "(" * 5000),
        ("[" * 100_000, "[" * 100_000),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_only_literals_are_anything_but_text(text: str, expected: Any) -> None:
    found = literal(text)
    assert found == expected
    assert type(found) is type(expected)


@quick
@given(st.text())
def test_any_text_is_a_literal_or_itself(text: str) -> None:
    found = literal(text)
    if isinstance(found, str):
        assert found == text.strip() or found in text


KEYS = st.text(string.ascii_letters + "_", min_size=1, max_size=8)
PLAIN = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(string.printable)
)
NESTED = st.recursive(PLAIN, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=3), v, max_size=3))


@quick
@given(st.dictionaries(KEYS, NESTED, max_size=4))
def test_a_json_object_comes_back_as_it_was(arguments: dict[str, Any]) -> None:
    assert parse(json.dumps(arguments)) == arguments


@quick
@given(st.dictionaries(KEYS, NESTED, min_size=1, max_size=4), st.booleans())
def test_key_value_pairs_come_back_as_they_were(arguments: dict[str, Any], one_word: bool) -> None:
    pairs = [f"{key}={value!r}" for key, value in arguments.items()]
    assert parse(*([",".join(pairs)] if one_word else pairs)) == arguments


@quick
@given(st.text())
def test_any_word_is_read_or_a_usage_error(word: str) -> None:
    try:
        found = parse(word)
    except UsageError:
        return
    assert all(isinstance(key, str) and key for key in found)


WORDS = st.text(string.ascii_letters + "/:._- ", min_size=1).map(str.strip).filter(bool)
NUMBERS = st.integers().map(str) | st.floats(allow_nan=False, allow_infinity=False).map(str)
SIMPLE = st.sampled_from(["true", "False", "None", "'quoted'", ""]) | NUMBERS | WORDS


@quick
@given(st.dictionaries(KEYS, SIMPLE.filter(lambda v: not re.search("null|nan|inf", v.lower()))))
def test_simple_arguments_mean_what_they_mean_to_lm_eval(arguments: dict[str, str]) -> None:
    from lm_eval.utils import simple_parse_args_string

    text = ",".join(f"{k}={v}" for k, v in arguments.items())
    if text:
        assert parse(text) == simple_parse_args_string(text)


@pytest.mark.parametrize("text", ['stop=["a,b"],n=1', "a={'b': 1, 'c': 2}", "pretrained=x,dtype=float16,peft=y"])
def test_brackets_mean_what_they_mean_to_lm_evals_own_command_line(text: str) -> None:
    from lm_eval._cli.utils import key_val_to_dict

    assert parse(text) == key_val_to_dict(text)
