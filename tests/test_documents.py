from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from lm_plural.harness.documents import InvalidFileError, load_yaml
from lm_plural.harness.strict import Strict, parse
from tests.suite import quick


class Inner(Strict):
    size: int = Field(1, ge=1)
    word: str | None = None


class Outer(Strict):
    name: str
    inner: Inner = Inner()
    many: dict[str, Inner] = Field(default_factory=dict)
    either: list[str | int] = Field(default_factory=list)


@pytest.fixture
def file(tmp_path: Path):
    def write(text: str | bytes, name: str = "a.yaml") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def findings(path: Path) -> list[str]:
    """Return what is wrong with an Outer; the folder is cut off."""
    with pytest.raises(InvalidFileError) as caught:
        parse(load_yaml(path), Outer)
    return [f.replace(f"{path.parent}/", "") for f in caught.value.findings]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name: a\ninnr: {}", "a.yaml:2: unknown key 'innr'; did you mean 'inner'?"),
        ("name: a\ninner:\n  szie: 2", "a.yaml:3: unknown key 'inner.szie'; did you mean 'size'?"),
        ("name: a\nmany:\n  x:\n    wrod: b", "a.yaml:4: unknown key 'many.x.wrod'; did you mean 'word'?"),
        ("inner: {}", "a.yaml:1: missing key 'name'"),
        ("name: 5", "a.yaml:1: name: expected text, found 5 (text needs quotes)"),
        ("name: [a]", "a.yaml:1: name: expected text, found a list"),
        ("name: a\ninner: 3", "a.yaml:2: inner: expected a mapping, found 3"),
        ("name: a\ninner:\n\n  size: 0", "a.yaml:4: inner.size: expected greater than or equal to 1, found 0"),
        ("name: a\neither:\n- b\n- {}", "a.yaml:4: either.1: expected text or integer, found a mapping"),
        ("name: a\neither: b", "a.yaml:2: either: expected a list, found 'b'"),
        ("name: a\n1: b", "a.yaml:2: 1: Keys should be strings, found 1"),
        ("name: " + "x" * 9 + "\ninner: " + "y" * 999, "a.yaml:2: inner: expected a mapping, found '" + "y" * 59),
    ],
)
def test_each_wrong_value_is_one_finding_at_its_line(file, text: str, expected: str) -> None:
    assert findings(file(text)) == [expected]


def test_all_findings_are_told_at_once(file) -> None:
    assert len(findings(file("nmae: a\ninner: {size: 0, wrd: a}\neither: 1"))) == 5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name: [a", "a.yaml:1: not valid YAML: did not find expected ',' or ']' while parsing a flow sequence"),
        ("name: a\ninner:\n\tsize: 1", "a.yaml:3: not valid YAML: found character that cannot start any token"),
        ("name: a\n---\nname: b", "a.yaml:2: not valid YAML"),
        ("name: a\x07b", "a.yaml:1: not valid YAML"),
        ("- a", "a.yaml:1: expected a mapping of keys, found sequence"),
        ("\n# nothing\n", "a.yaml:1: the file is empty"),
        ("? [a]\n: b", "a.yaml:1: not valid YAML: found unhashable key"),
        ("name: a\nname: b", "a.yaml:2: key 'name' is given twice"),
        ("name: a\ninner:\n  size: 1\n  size: 2", "a.yaml:4: key 'size' is given twice"),
        ("name: a\ninner: {<<: 5}", "a.yaml:2: not valid YAML: expected a mapping"),
        ("name: *nowhere", "a.yaml:1: not valid YAML: found undefined alias"),
        ("name: a\nday: 2024-13-45", "a.yaml:2: not valid YAML: '2024-13-45' is no timestamp"),
        ("name: !!int abc", "a.yaml:1: not valid YAML: 'abc' is no int"),
        ("name: !!timestamp x", "a.yaml:1: not valid YAML: 'x' is no timestamp"),
        (b"x: 1\nname: \xff", "a.yaml:2: not UTF-8 text"),
    ],
)
def test_what_is_not_proper_yaml_is_one_finding(file, text: str | bytes, expected: str) -> None:
    (found,) = findings(file(text))
    assert found.startswith(expected)
    assert "\n" not in found


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.system [touch {0}]", "!!python/object/apply:pathlib.Path.touch [{0}]"]
)
def test_a_python_tag_is_refused_and_nothing_runs(file, tmp_path: Path, tag: str) -> None:
    (found,) = findings(file(f"name: {tag.format(tmp_path / 'made')}"))
    assert found.startswith("a.yaml:1: not valid YAML: could not determine a constructor for the tag")
    assert not (tmp_path / "made").exists()


def bomb(entry: str, step: str) -> str:
    lines = [f"a0: &a0 {entry}"]
    for n in range(1, 30):
        lines.append(f"a{n}: &a{n} " + step.format(", ".join([f"*a{n - 1}"] * 10)))
    return "\n".join(lines)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (bomb("[x]", "[{}]"), "a.yaml:6: holds more than 100000 values with its aliases written out"),
        (bomb("{x: 1}", "{{<<: [{}]}}"), "holds more than 100000 values"),
        ("a: &a [*a]", "a.yaml:1: a value contains itself"),
        ("a: &a {b: {c: *a}}", "a.yaml:1: a value contains itself"),
        ("a: " + "[" * 200_000 + "]" * 200_000, "a.yaml:1: nested more than 100 deep"),
        ("".join("  " * n + "a:\n" for n in range(150)), "nested more than 100 deep"),
        ("a:\n" + "- 1\n" * 1_000_000, "holds more than 100000 values"),
        ("a: " + "x" * 17_000_000, "a.yaml: longer than 16777216 characters"),
        ("a: 0x" + "f" * 5000, "a.yaml:1: not valid YAML: '0xffff"),
    ],
    ids=[
        "alias bomb",
        "merge bomb",
        "list in itself",
        "mapping in itself",
        "deep list",
        "deep mapping",
        "long list",
        "long text",
        "long number",
    ],
)
def test_what_would_never_end_is_refused(file, text: str, expected: str) -> None:
    (found,) = findings(file(text))
    assert expected in found


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "a.yaml")
    assert findings(tmp_path / "a.yaml") == ["a.yaml: cannot read: not a file"]


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    assert findings(tmp_path / "a.yaml") == ["a.yaml: cannot read: No such file or directory"]


def test_anchors_and_merge_keys_work_and_a_merged_key_stands_where_its_anchor_is(file) -> None:
    text = "name: a\nmany:\n  x: &x\n    size: 0\n  y:\n    <<: *x\n    word: b"
    assert [f.split(": ")[0] for f in findings(file(text))] == ["a.yaml:4", "a.yaml:4"]
    document = load_yaml(file(text.replace("size: 0", "size: 3")))
    assert document.data["many"]["y"] == {"size": 3, "word": "b"}
    assert document.lines["many", "y", "word"][1] == 7


def test_an_own_key_wins_over_a_merged_one_and_is_not_a_repeat(file) -> None:
    document = load_yaml(file("a: &a {size: 1, word: x}\nb:\n  <<: *a\n  size: 2"))
    assert document.data["b"] == {"size": 2, "word": "x"}
    assert document.lines["b", "size"][1] == 4


def test_own_keys_win_over_included_ones(file) -> None:
    file("name: base\ninner:\n  size: 2\n  word: b", "_b.yaml")
    loaded = parse(load_yaml(file("include: _b.yaml\nname: own")), Outer)
    assert (loaded.name, loaded.inner.size) == ("own", 2)


def test_a_finding_in_an_included_key_names_the_included_file(file) -> None:
    file("inner:\n  size: 0\neither: [a]", "_b.yaml")
    assert findings(file("name: a\ninclude: _b.yaml"))[0].startswith("_b.yaml:2: inner.size")


def test_an_own_mapping_replaces_the_included_one_whole_with_its_lines(file) -> None:
    file("name: b\ninner:\n  size: 2\n  word: b", "_b.yaml")
    document = load_yaml(file("include: _b.yaml\ninner:\n  size: 5"))
    assert document.data["inner"] == {"size": 5}
    assert ("inner", "word") not in document.lines
    assert document.at(("inner", "word"), "x") == f"{document.path}:2: x"


def test_a_broken_included_file_is_named_with_its_line(file) -> None:
    file("name: a\ninner: [", "_b.yaml")
    assert findings(file("include: _b.yaml"))[0].startswith("_b.yaml:2: not valid YAML")


@pytest.mark.parametrize(
    ("include", "expected"),
    [
        ("_none.yaml", "a.yaml:2: include: no file _none.yaml"),
        ("[b.yaml]", "a.yaml:2: include: expected a file, found ['b.yaml']"),
        ("5", "a.yaml:2: include: expected a file, found 5"),
        ("null", "a.yaml:2: include: expected a file, found None"),
        (".", "a.yaml:2: include: no file ."),
        ("x" * 300, "a.yaml:2: include: no file " + "x" * 300),
        ("../{folder}/a.yaml", "a.yaml:2: a.yaml includes itself"),
        ("a.yaml", "a.yaml:2: a.yaml includes itself"),
    ],
)
def test_an_include_that_cannot_be_followed_is_found_at_its_line(
    file, tmp_path: Path, include: str, expected: str
) -> None:
    path = file(f"name: a\ninclude: {include.format(folder=tmp_path.name)}")
    assert [f.replace(f"{path.parent}", ".") for f in findings(path)] == [expected]


def test_a_task_may_build_on_one_in_another_folder_a_confined_file_may_not(file, tmp_path: Path) -> None:
    file("name: base", "base.yaml")
    (tmp_path / "below").mkdir()
    path = file("include: ../base.yaml", "below/a.yaml")
    assert load_yaml(path).data == {"name": "base"}
    for include in ("../base.yaml", str(tmp_path / "base.yaml"), "x/../../base.yaml"):
        path.write_text(f"include: {include}")
        with pytest.raises(InvalidFileError, match=r"a\.yaml:1: include: expected a file in the same folder or below"):
            load_yaml(path, confined=True)
    file("include: below/b.yaml", "a.yaml")
    file("include: ../base.yaml", "below/b.yaml")
    with pytest.raises(InvalidFileError, match=r"b\.yaml:1: include: expected a file in the same folder"):
        load_yaml(tmp_path / "a.yaml", confined=True)


def test_a_circle_of_includes_is_refused(file) -> None:
    file("include: c.yaml", "b.yaml")
    file("include: a.yaml", "c.yaml")
    assert findings(file("include: b.yaml")) == ["c.yaml:1: a.yaml includes itself"]


@pytest.mark.timeout(20)
def test_a_circle_through_a_link_is_refused(file, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path)
    assert findings(file("include: loop/a.yaml")) == ["a.yaml:1: a.yaml includes itself"]


def test_a_line_within_a_text_is_counted_only_in_a_block(file) -> None:
    document = load_yaml(file('block: |\n  x\n  y\nflow: "x\\ny"\n'))
    assert document.at(("block",), "m", 2) == f"{document.path}:3: m"
    assert document.at(("flow",), "m", 2) == f"{document.path}:4: m"


@quick
@given(st.text(max_size=60) | st.text(alphabet="ab:-?[]{}&*!|>'\"%@`#,\n\t <=0.", max_size=60))
def test_any_text_is_read_or_refused_with_findings(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(text.encode("utf-8", errors="surrogatepass"))
    found: list[str] = []
    try:
        parse(load_yaml(path), Outer)
    except InvalidFileError as e:
        found = e.findings
    assert all(f.startswith(str(path)) and "\n" not in f for f in found)
