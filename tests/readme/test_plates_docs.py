"""The page on plates: its commands, and the columns that it names."""

import re
from pathlib import Path

import pandas as pd
import pytest

DOCUMENT = Path(__file__).parents[2] / "docs" / "plates.md"


@pytest.mark.long
def test_commands_and_columns(run_document, study, model: Path, tmp_path, monkeypatch) -> None:
    """They run on a study and its model, and every column of the table of files is there."""
    monkeypatch.chdir(tmp_path)
    Path("demo").mkdir()
    Path("demo/study").symlink_to(study.folder)
    Path("demo/run").symlink_to(model)
    assert [words[1] for words in run_document(DOCUMENT)] == ["assess", "plate"]
    rows = re.findall(r"^\| `(\w+\.csv)` \|.*\| (.*) \|$", DOCUMENT.read_text("utf-8"), re.M)
    assert len(rows) == 4
    for name, said in rows:
        columns = set(pd.read_csv(Path("plate-map") / name).columns)
        assert set(re.findall(r"`(\w+)`", said)) <= columns, name
