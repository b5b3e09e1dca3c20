"""Progress: silent by default, on standard error when asked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livewell.progress import SILENT, Bars, Lines, each


def test_silent_shows_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """The default writes nothing, whatever is told to it."""
    with SILENT.task("work", total=2) as tick:
        tick()
        tick(0, "note")
    assert capfd.readouterr() == ("", "")


def test_bars_go_to_standard_error(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bar shows its name, what is done of how much and the last note, not on standard output."""
    monkeypatch.setattr("livewell.progress.SHORT_S", 0)
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


def test_parts_make_a_whole_bar(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thirds and sevenths of files end at the full count, not a rounding below it."""
    monkeypatch.setattr("livewell.progress.SHORT_S", 0)
    with Bars().task("judging", total=2) as tick:
        for parts, file in each((3, 7), tick):
            for _ in range(parts):
                file(1 / parts)
    assert "2 of 2" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("step_s", "total", "said"),
    [
        (0.1, 50, ["100%"]),
        (2, 50, ["10%", "20%", "30%", "40%", "50%", "60%", "70%", "80%", "90%", "100%"]),
        (45, 4, ["25%", "50%", "75%", "100%"]),
        (1, 10, ["100%"]),
        (7, 300, 60),
    ],
)
def test_a_log_file_gets_a_line_now_and_then(
    step_s: float, total: int, said: list[str] | int
) -> None:
    """Row 30: at each tenth, at most one in ten seconds, and one in half a minute where slow."""
    lines: list[str] = []
    now = [0.0]
    with Lines(lines.append, lambda: now[0]).task("judging", total) as tick:
        for _ in range(total):
            now[0] += step_s
            tick()
    shares = [line.split(", ")[1] for line in lines]
    assert shares == said if isinstance(said, list) else len(shares) == said
    assert lines[-1].startswith(f"judging: {total} of {total}, 100%")
    assert all(" left" in line for line in lines[:-1])


def test_what_is_done_in_a_moment_needs_no_line() -> None:
    """A log file is not filled with work of less than two seconds."""
    lines: list[str] = []
    now = [0.0]
    with Lines(lines.append, lambda: now[0]).task("reading", 3) as tick:
        for _ in range(3):
            now[0] += 0.5
            tick()
    assert not lines


def test_a_line_says_how_long_it_takes() -> None:
    """Row 30: what is done, the time gone, the time left and the last note, in units of people."""
    lines: list[str] = []
    now = [0.0]
    with Lines(lines.append, lambda: now[0]).task("judging", 1200) as tick:
        now[0] = 3600
        tick(100, "A01.tif")
    assert lines[0] == "judging: 100 of 1,200, 8%, 60 min gone, 11 h 0 min left; A01.tif"


def test_one_long_item_is_heard_of() -> None:
    """Row 30: within one file of many frames lines come by its notes."""
    lines: list[str] = []
    now = [0.0]
    with Lines(lines.append, lambda: now[0]).task("judging", 1) as tick:
        for frame in range(9):
            now[0] += 20
            tick(0, f"frame {frame}")
    assert [line.rpartition("; ")[2] for line in lines[:-1]] == [f"frame {n}" for n in (1, 3, 5, 7)]
