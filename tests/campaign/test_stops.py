"""A part of the campaigns that disturb commands, always the same, and quick commands only."""

import subprocess
from pathlib import Path

import pytest

from tests.campaign.cases import run, told
from tests.campaign.stops import FullDisk, Kills, Twins, disk

QUICK = ("index", "split", "train", "assess")
"""Commands of a second or less."""


@pytest.mark.minutes
@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["kills", "disk", "twins"])
def test_disturbed_commands(name: str, tmp_path: Path) -> None:
    """Killed, run twice at once, or out of disk: given again, a command ends as undisturbed."""
    if name == "disk":
        try:
            with disk(tmp_path / "trial", 1 << 20):
                pass
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("a disk of a few megabytes cannot be mounted here")
    kind = {"kills": Kills, "disk": FullDisk, "twins": Twins}[name](QUICK)
    outcomes = run(kind, range(12), tmp_path, seed=0)
    assert not [it for it in outcomes if it.failed], told(outcomes, name, 0)
