"""``lm-plural data fetch``, ``path`` and ``ls`` with a real server, a mirror and a cache: one line for each trouble."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from lm_plural.harness.cli.main import main
from tests.data.upstream import CONTENT, Upstream, ranges

CSV = b"item,rater,rating,group\n" + b"".join(
    b"i%d,r%d,%d,g\n" % (i, r, i % 5 + 1) for i in range(40) for r in range(9)
)


def files_in(folder: Path) -> dict[str, bytes]:
    """Return what a cache holds, but for what a download keeps to go on with."""
    kept = (".lock", ".part", ".part.json")
    paths = (p for p in folder.rglob("*") if p.is_file() and not p.name.endswith(kept))
    return {str(p.relative_to(folder)): p.read_bytes() for p in paths}


class Far:
    """A data set whose one file is on the server; `spec` is the file's part of the recipe."""

    def __init__(self, root: Path, upstream: Upstream, capsys: pytest.CaptureFixture[str]) -> None:
        upstream.content = CSV
        self.root, self.upstream, self.capsys = root, upstream, capsys
        self.cache, self.target = root / "cache", root / "cache" / "data" / "far" / "in" / "r.csv"
        self.spec: dict[str, Any] = {"path": "in/r.csv", "url": upstream.url, "sha256": upstream.sha256}
        self.keys: dict[str, Any] = {}

    def write(self) -> None:
        five = {"levels": [1, 2, 3, 4, 5], "direction": "lower"}
        where = {"file": "r", "item": "item", "rater": "rater"}
        recipe = {
            "dataset": "far",
            "title": "Far away",
            "licence": "CC-BY-4.0",
            "citation": "Nobody (2026).",
            "warning": "Invented.",
            "files": {"r": self.spec},
            "scales": {"five": five},
            "items": {"file": "r", "id": "item", "fields": ["item"]},
            "raters": {"file": "r", "id": "rater", "axes": {"group": "group"}},
            "ratings": {**where, "dimensions": {"harm": {"column": "rating", "scale": "five"}}},
        }
        folder = self.root / "tasks" / "far"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "dataset.yaml").write_text(yaml.safe_dump(recipe | self.keys))

    def run(self, verb: str, *words: object, code: int = 0) -> tuple[list[str], list[str]]:
        """Return the lines of stdout and stderr."""
        self.write()
        words = (*words, *["--private"] * (verb == "fetch"))
        assert main(["data", verb, *map(str, words), "--include_path", str(self.root / "tasks")]) == code
        out, err = self.capsys.readouterr()
        return out.splitlines(), err.splitlines()

    def refused(self, *words: object, code: int = 1) -> str:
        """Return the one line; the cache is as it was."""
        before = files_in(self.cache)
        _, (line,) = self.run("fetch", "far", *words, code=code)
        assert files_in(self.cache) == before
        return line.removeprefix("lm-plural data: error: ")


@pytest.fixture
def far(
    tmp_path: Path, upstream: Upstream, pem: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Far:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pem))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("LM_PLURAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("LM_PLURAL_DATA_MIRROR", raising=False)
    return Far(tmp_path, upstream, capsys)


def test_a_file_is_fetched_once_checked_and_found(far: Far) -> None:
    out, err = far.run("fetch", "far")
    assert out == [
        "far: licence CC-BY-4.0; Nobody (2026).",
        "content note: Invented.",
        f"  in/r.csv: fetched into {far.target} (checked)",
    ]
    assert err == []
    assert files_in(far.cache) == {"data/far/in/r.csv": CSV}
    out, _ = far.run("fetch", "far", "far")
    assert out[2:] == [f"  in/r.csv: at hand, {far.target}"]
    assert len(far.upstream.asked) == 1
    assert far.run("path", "far")[0] == [str(far.target)]
    assert far.run("show", "far")[0][5].startswith("harm: 360 ratings of 40 items by 9 raters")


def test_a_file_without_a_checksum_is_told_to_be_unchecked_with_the_one_it_has(far: Far) -> None:
    far.spec["sha256"] = None
    out, _ = far.run("fetch", "far")
    assert out[2].endswith(f"(no checksum is known; sha256 {far.upstream.sha256})")
    assert "at hand" in far.run("fetch", "far")[0][2]


def other_bytes(far: Far) -> None:
    far.upstream.content = CSV[:-1] + b"x"


def gone(status: int) -> Callable[[Far], None]:
    return lambda far: far.upstream.first.append((status, {}))


def page(far: Far) -> None:
    far.upstream.content = b"<!DOCTYPE html><title>Log in"


def dropped(far: Far) -> None:
    far.upstream.cuts = [1000] * 4


def redirected(far: Far) -> None:
    far.upstream.first = [(302, {"Location": "http://127.0.0.1/r.csv"})]


def longer(far: Far) -> None:
    far.spec["size"] = len(CSV) - 1


TROUBLE = [
    (other_bytes, "not the expected file: its sha256 is "),
    (gone(404), "the server answers 404 Not Found: the file is gone from this address"),
    (gone(410), "the server answers 410 Gone: the file is gone from this address"),
    (gone(403), "the server answers 403 Forbidden: a licence to accept or a log-in is needed; get the file by hand"),
    (page, "an HTML page came where r.csv was expected"),
    (dropped, "IncompleteRead(1000 bytes read, "),
    (
        redirected,
        "redirects to http://127.0.0.1/r.csv, which is not an https address; files are fetched over https only",
    ),
    (longer, f"is announced with {len(CSV)} bytes; expected {len(CSV) - 1}"),
]


@pytest.mark.parametrize(("harm", "words"), TROUBLE, ids=[words[:30] for _, words in TROUBLE])
@pytest.mark.parametrize("cached", [False, True], ids=["nothing cached", "an old file cached"])
def test_a_file_that_does_not_come_is_one_line_and_the_cache_stays(
    far: Far, harm: Callable[[Far], None], words: str, cached: bool
) -> None:
    far.spec["sha256"] = far.upstream.sha256
    if cached:
        far.target.parent.mkdir(parents=True)
        far.target.write_bytes(b"another version")
    harm(far)
    assert far.refused().startswith(f"{far.upstream.url}: {words}")


def test_another_version_in_the_cache_is_replaced(far: Far) -> None:
    far.target.parent.mkdir(parents=True)
    far.target.write_bytes(b"another version")
    assert "sha256 is" in far.run("path", "far", code=1)[1][0]
    assert "fetched into" in far.run("fetch", "far")[0][2]
    assert far.target.read_bytes() == CSV


def test_the_same_command_goes_on_where_it_stopped(far: Far) -> None:
    far.upstream.content = CONTENT
    far.spec["sha256"] = far.upstream.sha256
    far.upstream.cuts = [70_000] * 4
    assert far.refused().endswith("the same command goes on where it stopped")
    far.upstream.cuts = []
    far.run("fetch", "far")
    assert far.target.read_bytes() == CONTENT
    assert ranges(far.upstream)[-1] is not None


def test_a_file_too_large_and_a_size_that_is_none(far: Far) -> None:
    assert far.refused("--most", "0.000001").endswith(f"is announced with {len(CSV)} bytes; expected at most 1073")
    for size in ("0", "-1", "inf", "nan"):
        assert far.refused("--most", size, code=2) == f"--most {size}: expected a size in GiB above 0"
    assert "invalid float value: 'x'" in far.refused("--most", "x", code=2)


@pytest.mark.parametrize("path", ["../r.csv", "/etc/r.csv", "a/../../r.csv", "..\\r.csv", ".."])
def test_a_path_in_a_recipe_cannot_leave_its_folder(far: Far, path: str) -> None:
    far.spec["path"] = path
    line = far.refused(code=2)
    assert "files.r.path: must be a relative path that stays in its folder" in line
    assert far.upstream.asked == []


@pytest.mark.parametrize("url", ["http://127.0.0.1/r.csv", "file:///etc/passwd", "ftp://x/y", "", "//x/y", "https"])
def test_only_https_is_an_address(far: Far, url: str) -> None:
    far.spec["url"] = url
    assert "files.r.url: String should match pattern '^https://'" in far.refused(code=2)


def test_a_link_in_the_cache_leads_nowhere(far: Far) -> None:
    (far.root / "elsewhere").mkdir()
    far.target.parent.parent.mkdir(parents=True)
    far.target.parent.symlink_to(far.root / "elsewhere")
    assert "'in/r.csv' leads out of " in far.refused()
    assert list((far.root / "elsewhere").iterdir()) == []
    far.target.parent.unlink()
    far.target.parent.mkdir()
    far.target.symlink_to(far.root / "elsewhere" / "r.csv")
    assert "leads out of" in far.refused()
    far.target.unlink()
    far.target.symlink_to(far.target)
    assert "leads out of" in far.refused()


def test_a_cache_that_cannot_be_written_is_one_line(far: Far, monkeypatch: pytest.MonkeyPatch) -> None:
    (far.root / "file").write_text("in the way")
    monkeypatch.setenv("LM_PLURAL_CACHE", str(far.root / "file"))
    assert far.refused().startswith(f"{far.root}/file: cannot write the cache: ")
    assert far.upstream.asked == []


@pytest.mark.parametrize("below", ["", "far/"])
@pytest.mark.parametrize("given", ["--mirror", "LM_PLURAL_DATA_MIRROR"])
def test_a_file_in_a_mirror_is_left_alone(far: Far, monkeypatch: pytest.MonkeyPatch, below: str, given: str) -> None:
    file = far.root / "mirror" / below / "in" / "r.csv"
    file.parent.mkdir(parents=True)
    file.write_bytes(CSV)
    mirror = str(far.root / "mirror")
    words = ["--mirror", mirror] if given == "--mirror" else []
    if not words:
        monkeypatch.setenv(given, mirror)
    assert far.run("fetch", "far", *words)[0][2:] == [f"  in/r.csv: at hand, {file}"]
    assert far.run("path", "far", *words)[0] == [str(file)]
    assert far.upstream.asked == []
    file.write_bytes(b"mine")
    assert far.refused(*words).startswith(f"{file}: sha256 is ")
    assert file.read_bytes() == b"mine"
    assert os.environ.get("LM_PLURAL_DATA_MIRROR") == (None if words else mirror)


def test_a_mirror_that_is_not_there_is_one_line(far: Far) -> None:
    assert far.refused("--mirror", far.root / "none", code=2) == f"--mirror {far.root}/none: no such folder"


def test_what_cannot_be_fetched_says_how_to_get_it(far: Far) -> None:
    far.spec = {"path": "in/r.csv", "sha256": None, "how": "ask its authors at https://example.org"}
    assert far.refused() == "far: in/r.csv cannot be fetched: ask its authors at https://example.org"
    del far.spec["how"]
    line = far.refused()
    assert (
        line
        == "far: in/r.csv cannot be fetched: no address is known; set LM_PLURAL_DATA_MIRROR to a folder that has it"
    )


def test_an_unknown_data_set_is_a_usage_error_with_a_suggestion(far: Far) -> None:
    for verb in ("fetch", "path", "show"):
        _, (line,) = far.run(verb, "fra", code=2)
        assert line == "lm-plural data: error: unknown data set 'fra'; did you mean 'far'? (lm-plural data ls)"


def test_a_server_whose_certificate_is_not_trusted_is_one_line(far: Far, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    assert "certificate verify failed" in far.refused()


def status(far: Far) -> str:
    out, _ = far.run("ls", "--json")
    (row,) = [r for r in json.loads("\n".join(out)) if r["dataset"] == "far"]
    assert (row["licence"], row["title"]) == ("CC-BY-4.0", "Far away")
    return str(row["at hand"])


def test_ls_says_whether_files_are_at_hand(far: Far) -> None:
    assert status(far) == "fetch"
    far.run("fetch", "far")
    assert status(far) == "yes"
    far.spec = {"path": "other.csv", "sha256": None}
    assert status(far) == "by hand"
    lines, _ = far.run("ls")
    assert lines[0].split() == ["dataset", "at", "hand", "licence", "title"]


def test_ls_warns_of_a_broken_recipe_and_lists_the_others(far: Far) -> None:
    (far.root / "tasks" / "broken").mkdir(parents=True)
    (far.root / "tasks" / "broken" / "dataset.yaml").write_text("a: [\n")
    out, (line,) = far.run("ls", "--json")
    assert {"far", "plural_demo"} <= {r["dataset"] for r in json.loads("\n".join(out))}
    assert line.startswith(f"lm-plural data: warning: {far.root}/tasks/broken/dataset.yaml:")


@pytest.mark.parametrize("words", [[], ["fecth"], ["fetch"], ["fetch", "far", "--forse"], ["import"]])
def test_a_wrong_command_is_one_line(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("lm-plural data: error: ")
