"""The page on plates: its commands, and the columns that it names."""

import re
from pathlib import Path

import pandas as pd
import pytest

from tests.readme.conftest import commands_of, run_commands_of

DOCUMENT = Path(__file__).parents[2] / "docs" / "plates.md"


@pytest.mark.long
def test_commands_and_columns(study, model: Path, tmp_path: Path, monkeypatch) -> None:
    """They run on a study and its model, and every column of the table of files is there."""
    monkeypatch.chdir(tmp_path)
    Path("demo").mkdir()
    Path("demo/study").symlink_to(study.folder)
    Path("demo/run").symlink_to(model)
    assert [words[1] for words in run_commands_of(commands_of(DOCUMENT))] == ["assess", "plate"]
    rows = re.findall(r"^\| `(\w+\.csv)` \|.*\| (.*) \|$", DOCUMENT.read_text("utf-8"), re.M)
    assert len(rows) == 4
    for name, said in rows:
        columns = set(pd.read_csv(Path("plate-map") / name).columns)
        assert set(re.findall(r"`(\w+)`", said)) <= columns, name
