"""The commands of the document on a public set, on its images."""

from pathlib import Path

import pytest

DOCUMENT = Path(__file__).parents[2] / "docs" / "mcf7-pi.md"


@pytest.mark.long
@pytest.mark.filterwarnings("default")
def test_commands_on_a_public_set_run(
    run_document, shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From labels by a stain to maps of both classes, as they stand, with trainings cut short."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "data").symlink_to(shared_data)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    done = [words[1] for words in run_document(DOCUMENT)]
    assert {"label", "evaluate", "compare", "explain", "heatmap"} <= set(done)
