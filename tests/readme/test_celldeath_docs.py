"""The commands of the document on celldeath, on its pictures."""

from pathlib import Path

import pandas as pd
import pytest

DOCUMENT = Path(__file__).parents[2] / "docs" / "celldeath.md"


@pytest.mark.minutes
@pytest.mark.long
@pytest.mark.filterwarnings("default")
def test_three_commands_on_published_pictures(
    run_document, shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They run as they stand, and the headline is what is wrong with these pictures."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "data").symlink_to(shared_data)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    assert [words[2] for words in run_document(DOCUMENT)] == ["slice", "train", "predict"]
    page = Path("u2os-made/report.html").read_text("utf-8")
    for text in ("FAILS the audit", "replicate are confounded", "0.94", "0.69"):
        assert text in page
    uses = pd.read_csv("u2os-verdicts/named.csv")["use"].value_counts()
    assert uses["that the model learnt from"] >= 12
