"""Options that verbs share, and options from a file: flag over config over default."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lm_plural.harness.cli.asking.run import add_arguments
from lm_plural.harness.cli.main import Parser, main, parse
from lm_plural.harness.cli.options import apply_config, parse_axes, parse_batch_size, parse_bool, parse_limit
from lm_plural.harness.errors import UsageError
from lm_plural.harness.model.arguments import parse_arguments
from tests.suite import quick


@pytest.fixture
def configured(tmp_path: Path):
    """Return the arguments of ``run`` with a config file and words on the command line."""

    def make(config: Any, *words: str) -> argparse.Namespace:
        path = tmp_path / "config.yaml"
        path.write_text(config if isinstance(config, str) else yaml.safe_dump(config))
        parser = Parser("lm-plural run", allow_abbrev=False)
        add_arguments(parser)
        args, _ = parse("run", [*words, "--config", str(path)])
        apply_config(args, parser, path)
        return args

    return make


def test_a_config_fills_in_what_the_command_line_leaves_out(configured) -> None:
    args = configured({"seed": 7, "device": "cpu", "limit": 5, "batch_size": "auto", "output_path": "out"})
    assert (args.seed, args.device, args.limit, args.batch_size) == (7, "cpu", 5, None)
    assert args.output_path == Path("out")
    assert args.model == "hf"


@pytest.mark.parametrize(
    ("config", "words", "dest", "expected"),
    [
        ({"seed": 7}, ["--seed", "1234"], "seed", 1234),
        ({"model": "vllm"}, ["--model", "hf"], "model", "hf"),
        ({"model": "vllm"}, ["-M", "hf"], "model", "hf"),
        ({"output_path": "x"}, ["--output_path=outputs"], "output_path", Path("outputs")),
        ({"batch_size": 8}, ["-b", "auto"], "batch_size", None),
        ({"apply_chat_template": True}, ["--apply_chat_template", "false"], "apply_chat_template", False),
        ({"apply_chat_template": False}, ["--apply_chat_template"], "apply_chat_template", True),
        ({"predict_only": False}, ["--predict_only"], "predict_only", True),
        ({"tasks": ["a", "b"]}, ["-t", "c"], "tasks", ["c"]),
        (
            {"include_path": ["a"]},
            ["--include_path", "b", "--include_path", "c"],
            "include_path",
            [Path("b"), Path("c")],
        ),
        ({"model_args": {"a": 1}}, ["--model_args", "b=2"], "model_args", ["b=2"]),
    ],
)
def test_a_flag_wins_over_the_config_even_with_the_default_value(configured, config, words, dest, expected) -> None:
    assert getattr(configured(config, *words), dest) == expected


@pytest.mark.parametrize(
    ("config", "dest", "expected"),
    [
        ({"tasks": "a,b"}, "tasks", ["a", "b"]),
        ({"tasks": ["a", "b,c"]}, "tasks", ["a", "b", "c"]),
        ({"tasks": [1, 2]}, "tasks", ["1", "2"]),
        ({"axes": ["gender", "gender*race"]}, "axes", ["gender", "gender*race"]),
        ({"include_path": "x"}, "include_path", [Path("x")]),
        ({"include_path": ["x", "y"]}, "include_path", [Path("x"), Path("y")]),
        ({"limit": 0.5}, "limit", 0.5),
        ({"limit": None}, "limit", None),
        ({"seed": None}, "seed", 1234),
        ({"apply_chat_template": True}, "apply_chat_template", True),
        ({"apply_chat_template": False}, "apply_chat_template", False),
        ({"predict_only": True}, "predict_only", True),
        ({"predict_only": False}, "predict_only", False),
        ({"system_instruction": "--be kind\nalways"}, "system_instruction", "--be kind\nalways"),
        ({"tasks": []}, "tasks", None),
    ],
)
def test_a_config_value_is_read_as_the_option_reads_it(configured, config, dest, expected) -> None:
    assert getattr(configured(config), dest) == expected


@pytest.mark.parametrize("key", ["model_args", "gen_kwargs"])
@pytest.mark.parametrize(
    "value",
    [
        {"pretrained": "a/b", "dtype": "float16", "max_length": 512, "revision": None, "trust": True},
        {"chat_template_args": {"enable_thinking": False, "n": {"deep": [1, "x,y=z"]}}},
        {"until": ["\n\n", "a,b=c"], "temperature": 0.7},
        {},
    ],
)
def test_a_mapping_in_the_config_arrives_as_it_is(configured, key: str, value: dict[str, Any]) -> None:
    assert parse_arguments(getattr(configured({key: value}), key), key) == value


@pytest.mark.parametrize("value", ["a=1,b=[1, 2]", ["a=1", "b=[1, 2]"]])
def test_key_value_words_in_the_config_are_read_as_on_the_command_line(configured, value: Any) -> None:
    assert parse_arguments(configured({"model_args": value}).model_args, "") == {"a": 1, "b": [1, 2]}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("model: hf\nmodl_args: {}", ":2: unknown key 'modl_args'; did you mean 'model_args'?"),
        ("config: x.yaml", ":1: unknown key 'config'"),
        ("help: true", ":1: unknown key 'help'"),
        ("5: x", ":1: unknown key 5"),
        ("\nseed: many", ":2: --seed: 'many' is not a whole number from 0 on"),
        ("seed: true", ":1: --seed: 'true' is not a whole number from 0 on"),
        ("seed: [1, 2]", ":1: --seed: expected one value, found a list"),
        ("model: {a: b}", ":1: --model: expected one value, found a mapping"),
        ("limit: -3", ":1: --limit/-L: '-3' is not a positive count or a share below 1"),
        ("predict_only: perhaps", ":1: --predict_only: expected true or false, found 'perhaps'"),
        ("predict_only: 1", ":1: --predict_only: expected true or false, found 1"),
        ("apply_chat_template: perhaps", ":1: --apply_chat_template: 'perhaps' is not true or false"),
        ("tasks: {a: b}", ":1: --tasks: expected one value, found a mapping"),
        ("tasks: [[a]]", ":1: --tasks: expected one value, found a list"),
        ("model_args: [{a: b}]", ":1: --model_args: expected one value, found a mapping"),
        ("seed: 1\nseed: 2", ":2: key 'seed' is given twice"),
        ("seed: [", ":1: not valid YAML"),
    ],
)
def test_a_wrong_config_is_one_finding_at_its_line(configured, config: str, expected: str) -> None:
    with pytest.raises(UsageError) as caught:
        configured(config)
    assert f"config.yaml{expected}" in str(caught.value)


def test_a_wrong_config_ends_a_run_with_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "c.yaml").write_text("sed: 3")
    assert main(["run", "--config", str(tmp_path / "c.yaml")]) == 2
    assert main(["run", "--config", str(tmp_path / "none.yaml")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        f"lm-plural run: error: {tmp_path}/c.yaml:1: unknown key 'sed'; did you mean 'seed'?",
        f"lm-plural run: error: {tmp_path}/none.yaml: cannot read: No such file or directory",
    ]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
KEYS = st.sampled_from(["seed", "tasks", "model_args", "limit", "predict_only", "include_path", "x"])


@quick
@given(st.dictionaries(KEYS, VALUES, max_size=2))
def test_any_config_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, config: dict[str, Any]) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(yaml.safe_dump(config))
    parser = Parser("lm-plural run", allow_abbrev=False)
    add_arguments(parser)
    args, _ = parse("run", ["--seed", "3"])
    try:
        apply_config(args, parser, path)
    except UsageError:
        return
    assert args.seed == 3
    assert isinstance(args.predict_only, bool)
    assert all(isinstance(p, Path) for p in args.include_path)


@pytest.mark.parametrize(("text", "expected"), [("1", 1), ("10", 10), ("2.0", 2), ("0.5", 0.5), ("1e2", 100)])
def test_a_limit_is_a_count_or_a_share(text: str, expected: float) -> None:
    assert parse_limit(text) == expected
    assert isinstance(parse_limit(text), type(expected))


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "nan", "inf", "-inf", "x", ""])
def test_what_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not a positive count or a share below 1"):
        parse_limit(text)


@pytest.mark.parametrize(("text", "expected"), [("1", 1), ("64", 64), ("auto", None), ("auto:4", None)])
def test_a_batch_size_is_a_count_or_auto(text: str, expected: int | None) -> None:
    assert parse_batch_size(text) == expected


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "²", "", "automatic"])
def test_what_is_no_batch_size_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not a positive whole number or auto"):
        parse_batch_size(text)


def test_axes_are_names_or_cells_each_once() -> None:
    assert parse_axes(["a", "a*b", "a", "a*b*c"]) == ["a", ("a", "b"), ("a", "b", "c")]
    assert parse_axes([]) is None
    assert parse_axes(None) is None


@pytest.mark.parametrize("word", ["a*a", "a*", "*", "*a", "a**b", "a*b*a"])
def test_cells_of_fewer_than_two_different_axes_are_refused(word: str) -> None:
    with pytest.raises(UsageError, match="cells need two or more different axes"):
        parse_axes([word])


@pytest.mark.parametrize(
    ("text", "expected"), [("true", True), ("Yes", True), ("1", True), ("FALSE", False), ("no", False)]
)
def test_truth_has_a_few_spellings(text: str, expected: bool) -> None:
    assert parse_bool(text) is expected


def test_words_are_collected_over_commas_spaces_and_repeated_flags() -> None:
    args, _ = parse("run", ["-t", "a,b", "c", "--tasks", "d,,e,"])
    assert args.tasks == ["a", "b", "c", "d", "e"]
