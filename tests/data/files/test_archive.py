"""Files inside archives: found by name, never written where the archive says, never too large, never half."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tracemalloc
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lm_plural.harness.data.files import archive
from lm_plural.harness.data.files.archive import extracted
from lm_plural.harness.data.recipe import load_recipe
from lm_plural.harness.documents import InvalidFileError
from lm_plural.harness.errors import PluralError
from tests.data.small import said, small
from tests.suite import Suite

TEXT = b"item,rater,rating,group\na,x,1,woman\n"
Members = list[tuple[str, bytes]]


def tarred(path: Path, members: Members, mode: str = "w") -> Path:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def zipped(path: Path, members: Members) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        for name, content in members:
            z.writestr(name, content)
    return path


KINDS = {
    "a.tar": tarred,
    "a.tgz": lambda path, members: tarred(path, members, "w:gz"),
    "a.tar.xz": lambda path, members: tarred(path, members, "w:xz"),
    "a.zip": zipped,
}


@pytest.fixture(params=KINDS)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Make an archive of one kind."""
    return lambda *members: KINDS[request.param](tmp_path / request.param, list(members))


def refused(path: Path, member: str, folder: Path) -> str:
    """Return the one line; nothing was unpacked."""
    with pytest.raises(PluralError) as e:
        extracted(path, member, folder)
    assert not list(folder.glob("*")), "something was left behind"
    assert str(e.value).startswith(f"{path}: ")
    return str(e.value).removeprefix(f"{path}: ")


def test_a_member_is_unpacked_once_under_its_last_name(make: Any, tmp_path: Path) -> None:
    path = make(("data/v2/r.csv", TEXT), ("data/v2/other.csv", b"x"))
    found = extracted(path, "r.csv", tmp_path / "out")
    assert found.read_bytes() == TEXT
    assert found.name.endswith("-r.csv")
    before = found.stat().st_mtime_ns
    assert extracted(path, "r.csv", tmp_path / "out") == found
    assert found.stat().st_mtime_ns == before
    assert list((tmp_path / "out").iterdir()) == [found]


def test_another_archive_of_the_same_name_is_unpacked_again(make: Any, tmp_path: Path) -> None:
    old = extracted(make(("r.csv", TEXT)), "r.csv", tmp_path / "out")
    new = extracted(make(("r.csv", TEXT * 2)), "r.csv", tmp_path / "out")
    assert (old.read_bytes(), new.read_bytes()) == (TEXT, TEXT * 2)


@pytest.mark.parametrize("name", ["../../r.csv", "/etc/r.csv", "a/../../../r.csv"])
def test_a_path_inside_an_archive_leads_nowhere(make: Any, tmp_path: Path, name: str) -> None:
    found = extracted(make((name, TEXT)), "r.csv", tmp_path / "deep" / "out")
    assert found.read_bytes() == TEXT
    assert found.parent == tmp_path / "deep" / "out"
    assert not (tmp_path / "r.csv").exists()
    assert not Path("/etc/r.csv").exists()


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("names", [("a/r.csv", "b/r.csv"), ("r.csv", "r.csv")])
def test_two_members_of_one_name_are_refused(make: Any, tmp_path: Path, names: tuple[str, str]) -> None:
    line = refused(make(*((n, TEXT) for n in names)), "r.csv", tmp_path / "out")
    assert line == f"2 files called 'r.csv'; expected one; there are {', '.join(names)}"


def test_a_member_that_is_not_there_is_named_with_those_that_are(make: Any, tmp_path: Path) -> None:
    path = make(*((f"f{n}.csv", TEXT) for n in range(30)))
    line = refused(path, "r.csv", tmp_path / "out")
    assert line.startswith("0 files called 'r.csv'; expected one; there are f0.csv, ")
    assert "f10.csv" not in line


def test_a_bomb_is_refused_before_it_is_unpacked(make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST", 1000)
    path = make(("r.csv", bytes(1001)), ("s.csv", bytes(1000)))
    assert refused(path, "r.csv", tmp_path / "out") == "r.csv unpacks to 1001 bytes; expected at most 1000"
    assert extracted(path, "s.csv", tmp_path / "out").stat().st_size == 1000


def test_a_zip_that_lies_about_a_size_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", [("r.csv", bytes(5000))])
    true, lie = (5000).to_bytes(4, "little"), (10).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(true, lie))
    assert refused(path, "r.csv", tmp_path / "out").startswith("cannot unpack r.csv: ")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.75])
def test_a_truncated_archive_is_one_line(make: Any, tmp_path: Path, share: float) -> None:
    path = make(("s.csv", os.urandom(20_000)), ("r.csv", os.urandom(20_000)))
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    line = refused(path, "r.csv", tmp_path / "out")
    assert line.startswith(("cannot unpack r.csv: ", "0 files called"))
    assert "\n" not in line


@pytest.mark.parametrize("content", [b"", b"garbage" * 100, b"PK\x03\x04" + bytes(100), b"\x1f\x8b" + bytes(100), TEXT])
def test_what_is_no_archive_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.tgz").write_bytes(content)
    assert refused(tmp_path / "a.tgz", "r.csv", tmp_path / "out").startswith(("cannot unpack", "0 files called"))


def test_flipped_bytes_are_one_line(make: Any, tmp_path: Path) -> None:
    path = make(("r.csv", b"".join(b"%d,x\n" % n for n in range(20_000))))
    content = bytearray(path.read_bytes())
    if path.suffix == ".tar":
        content[:2] = b"\0\0"  # a plain tar has a checksum of its headers only
    else:
        content[len(content) // 2 : len(content) // 2 + 40] = bytes(40)
    path.write_bytes(bytes(content))
    assert refused(path, "r.csv", tmp_path / "out").startswith(("cannot unpack", "0 files called"))


def test_a_zip_with_a_password_is_one_line(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", [("r.csv", TEXT)])
    content = bytearray(path.read_bytes())
    content[6] |= 1  # the bits that say encrypted
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(bytes(content))
    assert "password" in refused(path, "r.csv", tmp_path / "out")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE])
def test_links_pipes_and_folders_are_no_files(tmp_path: Path, kind: bytes) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        info = tarfile.TarInfo("r.csv")
        info.type, info.linkname = kind, "/etc/passwd"
        tar.addfile(info)
    assert refused(tmp_path / "a.tar", "r.csv", tmp_path / "out").startswith("0 files called 'r.csv'")


def test_a_folder_that_cannot_be_written_is_one_line(make: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(PluralError, match=r"cannot unpack r.csv: "):
        extracted(make(("r.csv", TEXT)), "r.csv", tmp_path / "file" / "out")


def test_two_processes_at_once_unpack_it_whole(tmp_path: Path) -> None:
    content = b"item\n" + b"x" * 3_000_000
    path = tarred(tmp_path / "a.tgz", [("r.csv", content)], "w:gz")
    code = "import sys\nfrom pathlib import Path\nfrom lm_plural.harness.data.files.archive import extracted\n"
    code += "print(len(extracted(Path(sys.argv[1]), 'r.csv', Path(sys.argv[2])).read_bytes()))"
    words = [sys.executable, "-c", code, str(path), str(tmp_path / "out")]
    both = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [p.communicate(timeout=60)[0].strip() for p in both] == [str(len(content))] * 2
    assert len(list((tmp_path / "out").iterdir())) == 1


def test_a_recipe_reads_a_member_and_names_its_line(tmp_path: Path) -> None:
    content = TEXT + b"b,x,9,woman\n"
    path = tarred(tmp_path / "a.tgz", [("in/r.csv", content)], "w:gz")
    dataset = small(
        tmp_path, path.read_bytes(), name="a.tgz", files={"file": {"path": "a.tgz", "sha256": None, "member": "r.csv"}}
    )
    assert "-r.csv:3: rating '9' of harm in column 'rating' is not on its scale" in said(dataset)


@pytest.mark.parametrize("member", ["../r.csv", "/r.csv", "a/../../r.csv", "", "a\\r.csv"])
def test_a_member_that_leaves_its_folder_is_refused_in_the_recipe(suite: Suite, member: str) -> None:
    suite.recipe["files"]["items.jsonl"]["member"] = member
    suite.write()
    with pytest.raises(InvalidFileError, match=r"member: must be a relative path that stays in its folder"):
        load_recipe(suite.recipe_path)


# ---- small archives of much ----------------------------------------------------------------------------------------


def measured(path: Path, folder: Path) -> tuple[str, int]:
    """Return the error, and the most bytes that Python held on the way to it."""
    tracemalloc.start()
    try:
        return refused(path, "r.csv", folder), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_long_name_of_gigabytes_is_not_read(tmp_path: Path) -> None:
    size = 2**26
    name = tarfile.TarInfo("././@LongLink")
    name.type, name.size = tarfile.GNUTYPE_LONGNAME, size
    with gzip.open(tmp_path / "a.tgz", "wb", 1) as f:
        f.write(name.tobuf(tarfile.GNU_FORMAT))
        f.write(bytes(size))
    line, held = measured(tmp_path / "a.tgz", tmp_path / "out")
    assert line.startswith(f"cannot unpack r.csv: a header of {size} bytes; expected at most ")
    assert held < 2**24


def test_an_archive_that_unpacks_to_more_than_anybody_publishes_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "WHOLE", 2**20)
    path = tarred(tmp_path / "a.tgz", [("s.csv", bytes(2**21)), ("r.csv", TEXT)], "w:gz")
    assert "unpacks to more than 1048576 bytes" in refused(path, "r.csv", tmp_path / "out")


def test_a_file_with_holes_is_refused(tmp_path: Path) -> None:
    name = tarfile.TarInfo("r.csv")
    name.size = 512
    header = bytearray(name.tobuf(tarfile.GNU_FORMAT))
    header[156:157] = tarfile.GNUTYPE_SPARSE
    header[386 : 386 + 24] = b"%011o\0%011o\0" % (0, 512)
    header[483 : 483 + 12] = b"%011o\0" % 2**32
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    (tmp_path / "a.tar").write_bytes(bytes(header) + bytes(512 + 1024))
    assert "is stored with holes; expected a plain file" in refused(tmp_path / "a.tar", "r.csv", tmp_path / "out")


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_a_zip_that_python_unpacks_in_memory_is_refused(tmp_path: Path, method: int) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as z:
        z.writestr("r.csv", bytes(2**26))
    line, held = measured(tmp_path / "a.zip", tmp_path / "out")
    assert line == f"cannot unpack r.csv: r.csv is packed by method {method}; expected deflate"
    assert held < 2**24


def test_a_member_for_which_there_is_no_room_is_not_begun(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    line = refused(make(("r.csv", bytes(1001))), "r.csv", tmp_path / "out")
    assert line == "r.csv unpacks to 1001 bytes; 1000 are free"
