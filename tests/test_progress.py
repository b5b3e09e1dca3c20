"""Progress: silent by default, on standard error when asked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livewell.progress import SILENT, Bars, each


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
    assert "3 of 3" in err
    assert "all alive" in err


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.data())
def test_each_item_is_told_once(files: list[int], data: st.DataObject) -> None:
    """However frames and their parts are told, every file is one unit when the next begins."""
    told: list[float] = []
    for number, (frames, file) in enumerate(each(files, lambda done=1, note="": told.append(done))):
        assert sum(told) == pytest.approx(number)
        for _, frame in each(range(frames), file, 1 / frames):
            for step in data.draw(st.lists(st.floats(0, 1), max_size=3)):
                frame(step)
        assert sum(told) == pytest.approx(number + 1)
    assert sum(told) == pytest.approx(len(files))


def test_parts_make_a_whole_bar(capfd: pytest.CaptureFixture[str]) -> None:
    """Thirds and sevenths of files end at the full count, not a rounding below it."""
    with Bars().task("judging", total=2) as tick:
        for parts, file in each((3, 7), tick):
            for _ in range(parts):
                file(1 / parts)
    assert "2 of 2" in capfd.readouterr().err
