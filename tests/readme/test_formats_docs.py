"""The commands of the page on formats, on the small files of many formats."""

from pathlib import Path

import pytest

from livewell.images.formats import SUFFIXES

DOCUMENT = Path(__file__).parents[2] / "docs" / "formats.md"


def test_commands_on_files_of_three_makers(
    run_document, shared_formats: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They run as they stand."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "formats").symlink_to(shared_formats)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    assert {words[1] for words in run_document(DOCUMENT)} == {"inspect"}


@pytest.mark.parametrize("ending", [".nd2", ".lif", ".lof", ".czi"])
def test_the_page_names_endings(ending: str) -> None:
    """What is said to be read is read, by that ending."""
    assert f"`{ending}`" in DOCUMENT.read_text("utf-8")
    assert ending in SUFFIXES
