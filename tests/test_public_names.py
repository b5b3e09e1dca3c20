"""What ``import livewell`` offers."""

import subprocess
import sys

import livewell


def test_every_name_leads_somewhere() -> None:
    """Each of the few public names can be imported, and they are few."""
    assert len(livewell.__all__) <= 52
    for name in livewell.__all__:
        assert getattr(livewell, name) is not None
    assert set(livewell.__all__) == set(dir(livewell))


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A misspelt name fails as for any module."""
    assert not hasattr(livewell, "asses")


def test_jobs_win_over_modules_of_the_same_name() -> None:
    """After a job's module was imported the name still leads to the function."""
    code = "import livewell.workflows.assess, livewell; assert callable(livewell.assess)"
    subprocess.run([sys.executable, "-c", code], check=True)
