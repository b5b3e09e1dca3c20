"""The README's commands on real images."""

from pathlib import Path

import pytest


@pytest.mark.minutes
@pytest.mark.long
@pytest.mark.filterwarnings("default")
def test_commands_on_real_images_run(run_commands, shared_data: Path, tmp_path, monkeypatch):
    """The tutorial's commands work as they stand, with a training cut short."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "data").symlink_to(shared_data)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    assert len(run_commands("real")) >= 9
