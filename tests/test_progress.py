"""Progress: silent by default, on standard error when asked for."""

import pytest

from livewell.progress import SILENT, Bars


def test_silent_shows_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """The default writes nothing, whatever is told to it."""
    with SILENT.task("work", total=2) as tick:
        tick()
        tick(0, "note")
    assert capfd.readouterr() == ("", "")


def test_bars_go_to_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    """A bar shows its name, what is done of how much and the last note, not on standard output."""
    with Bars().task("counting cells", total=3) as tick:
        tick()
        tick(2, "all alive")
    out, err = capfd.readouterr()
    assert out == ""
    assert "counting cells" in err
    assert "3/3" in err
    assert "all alive" in err
