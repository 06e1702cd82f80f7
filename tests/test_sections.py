from __future__ import annotations

from pathlib import Path

import pytest

from tests.sections import write_section


def test_only_the_section_is_written(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("head\n<!-- a -->\nold\n<!-- /a -->\nmiddle\n<!-- b -->\nkept\n<!-- /b -->\n")
    write_section(page, "a", "new\n")
    write_section(page, "a", "newer")
    assert page.read_text() == ("head\n<!-- a -->\n\nnewer\n\n<!-- /a -->\nmiddle\n<!-- b -->\nkept\n<!-- /b -->\n")


def test_a_page_without_the_section_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- a -->\n")
    with pytest.raises(ValueError, match="no section <!-- a -->"):
        write_section(page, "a", "text")
    assert page.read_text() == "<!-- a -->\n"
