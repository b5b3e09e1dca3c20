"""A running acquisition: a line a frame, whatever way files are written, and the page."""

import json
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile
from numpy.typing import NDArray

from livewell.errors import ImageReadError, LayoutError, OutputError, SpecError
from livewell.models.files import load_model, rewrite_card
from livewell.workflows.assess import assess
from livewell.workflows.convert import convert
from livewell.workflows.watch import Watch, watch

PATTERN = "{well}_p{position:int}_t{t}.tif"
Painter = Callable[..., NDArray[np.uint16]]
Line = dict[str, Any]


@pytest.fixture(scope="module", name="model")
def stranger(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained model, as if it had learnt from other images than these."""
    folder = tmp_path_factory.mktemp("stranger") / "model"
    shutil.copytree(model, folder)
    _, card = load_model(folder)
    nothing = {"data": card.data | {"learnt": []}, "learnt_sha256": ""}
    rewrite_card(folder, card.model_copy(update=nothing))
    return folder


@pytest.fixture(scope="session")
def frames(paint: Painter) -> dict[str, NDArray[np.uint16]]:
    """Six frames of a healthy and of a sick position."""
    return {state: paint(state, 7, (6, 128, 192)) for state in ("healthy", "sick")}


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """The folder that the microscope writes to."""
    folder = tmp_path / "images"
    folder.mkdir()
    return folder


@pytest.fixture
def run(images: Path, model: Path, tmp_path: Path) -> Callable[..., Watch]:
    """A watch of it with short times."""

    def watched(**settings: Any) -> Watch:
        given = {"interval_s": 0.02, "give_up_after_s": 600.0, "until_idle_s": 0.3}
        return watch(images, model, tmp_path / "out", **given | settings)

    return watched


@pytest.fixture
def lines(tmp_path: Path) -> Callable[[str], list[Line]]:
    """Lines of a kind, as they lie on the disk."""

    def read(kind: str = "frame") -> list[Line]:
        text = (tmp_path / "out" / "frames.jsonl").read_text("utf-8")
        return [line for line in map(json.loads, text.splitlines()) if line["kind"] == kind]

    return read


def write(folder: Path, name: str, frame: NDArray[Any]) -> Path:
    """A file of one frame, which states its pixel size."""
    path = folder / name
    tifffile.imwrite(path, frame, resolution=(20000, 20000), resolutionunit="CENTIMETER")
    return path


def beside(*steps: Callable[[], object], every_s: float = 0.1) -> threading.Thread:
    """Do things one after the other while a watch runs."""

    def work() -> None:
        for step in steps:
            time.sleep(every_s)
            step()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_rows_are_those_of_assess(
    run: Callable[..., Watch],
    lines: Callable[..., list[Line]],
    images: Path,
    model: Path,
    tmp_path: Path,
    frames: dict[str, NDArray[np.uint16]],
) -> None:
    """Verdicts of a watch are, number for number, what `assess` says of the same files."""
    for state, well in (("healthy", "A01"), ("sick", "B01")):
        write(images, f"{well}_p1_t0.tif", frames[state][0])
        write(images, f"{well}_p1_t1.tif", frames[state][1])
    (images / "movies").mkdir()
    write(images / "movies", "B02_p1_t0.tif", frames["sick"])
    made = run(pattern=PATTERN, frames=10)
    assessed = assess(images, model, tmp_path / "assessed", pattern=PATTERN)
    same = ("verdicts.csv", "failures.csv")
    assert [(tmp_path / "out" / name).read_text() for name in same] == [
        (tmp_path / "assessed" / name).read_text() for name in same
    ]
    assert made.failures.empty
    by_name = {(row["image"], row["t"]): row for row in lines()}
    assert len(by_name) == len(lines()) == 10
    for row in assessed.verdicts.to_dict("records"):
        line = by_name[row["image"], row["t"]]
        assert (line["p_sick"], line["called_sick"]) == (row["p_sick"], row["sick_fraction"])
        assert (line["well"], line["verdict"]) == (row["well"], row["verdict"])
        assert 0 <= line["latency_s"] < 600
        assert line["seen"] < line["judged"]


@pytest.mark.long
def test_frames_are_judged_as_files_become_whole(
    run: Callable[..., Watch],
    lines: Callable[..., list[Line]],
    images: Path,
    tmp_path: Path,
    frames: dict[str, NDArray[np.uint16]],
) -> None:
    """Half-written, renamed, late, vanished and never whole files: a line for each whole frame, and
    a failure, once, for the others."""
    apart = tmp_path / "apart"
    apart.mkdir()
    whole = {n: write(apart, f"A01_p1_t{n}.tif", frames["healthy"][n]) for n in range(5)}
    half = whole[2].read_bytes()

    def add(path: Path, data: bytes) -> None:
        with path.open("ab") as file:
            file.write(data)

    writer = beside(
        lambda: shutil.copy(whole[1], images),
        lambda: add(images / whole[2].name, half[: len(half) // 2]),
        lambda: add(images / "never_p1_t0.tif", half[:5000]),
        lambda: add(images / "gone_p1_t0.tif", half[:4000]),
        lambda: add(images / "moving.tif", half),
        lambda: (images / "gone_p1_t0.tif").unlink(),
        lambda: add(images / whole[2].name, half[len(half) // 2 :]),
        lambda: (images / "moving.tif").rename(images / whole[3].name),
        lambda: shutil.copy(whole[0], images),
    )
    made = run(pattern=PATTERN, until_idle_s=4)
    writer.join()
    judged = {line["image"]: line for line in lines() if line["image"] != "moving.tif"}
    assert sorted(judged) == [f"A01_p1_t{n}.tif" for n in range(4)]
    failed = [line["image"] for line in lines("failure")]
    assert sorted(failed) == sorted(made.failures["image"])
    # a file that was there between two looks was never seen
    assert {*failed} - {"gone_p1_t0.tif"} == {"never_p1_t0.tif"}
    assert len({*failed}) == len(failed)
    assert "too early" in made.failures.set_index("image")["error"]["never_p1_t0.tif"]
    assert made.reason == "nothing has changed for 4 s"


def test_a_movie_that_grows_is_judged_frame_by_frame(
    run: Callable[..., Watch],
    lines: Callable[..., list[Line]],
    images: Path,
    frames: dict[str, NDArray[np.uint16]],
) -> None:
    """Pages that are added to a file are judged once each, those before them not again."""

    def add(frame: NDArray[np.uint16]) -> Callable[[], None]:
        return lambda: tifffile.imwrite(
            images / "movie.tif", frame, append=True, metadata=None, photometric="minisblack"
        )

    writer = beside(*map(add, frames["sick"]), every_s=0.25)
    made = run(frames=6, until_idle_s=60)
    writer.join()
    assert [line["t"] for line in lines()] == list(range(6))
    assert made.alarms == ("movie.tif",)


@pytest.mark.long
def test_a_store_that_grows_is_judged_frame_by_frame(
    run: Callable[..., Watch],
    lines: Callable[..., list[Line]],
    images: Path,
    frames: dict[str, NDArray[np.uint16]],
    tmp_path: Path,
) -> None:
    """Of an OME-Zarr whose chunks come one by one each frame is judged once it is there."""
    tifffile.imwrite(tmp_path / "m.tif", frames["sick"], photometric="minisblack")
    convert(tmp_path / "m.tif", tmp_path / "m.zarr", ngff="0.4", pixel_um=0.5, frame_s=60)
    files = sorted(path for path in (tmp_path / "m.zarr").rglob("*") if path.is_file())

    def put(which: Callable[[Path], bool]) -> None:
        for path in filter(which, files):
            to = images / path.relative_to(tmp_path)
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, to)

    def chunks(t: int) -> Callable[[], None]:
        return lambda: put(lambda path: path.relative_to(tmp_path).parts[2:3] == (f"{t}",))

    put(lambda path: path.name.startswith("."))
    writer = beside(*map(chunks, range(6)), every_s=0.4)
    made = run(frames=6, until_idle_s=60)
    writer.join()
    assert [line["t"] for line in lines()] == list(range(6))
    assert not any(line["again"] for line in lines())
    assert made.failures.empty


def test_the_same_command_goes_on(
    run: Callable[..., Watch],
    lines: Callable[..., list[Line]],
    images: Path,
    tmp_path: Path,
    frames: dict[str, NDArray[np.uint16]],
) -> None:
    """After a stop amid a line no frame is lost or judged again, and failures are told once."""
    for n in range(4):
        write(images, f"A01_p1_t{n}.tif", frames["healthy"][n])
    (images / "never.tif").write_bytes(b"II*\0")
    seen: list[Line] = []

    def stop_at_two(line: Line) -> None:
        seen.append(line)
        if len(seen) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tell=stop_at_two)
    assert "stopped by hand" in (tmp_path / "out" / "report.html").read_text("utf-8")
    with (tmp_path / "out" / "frames.jsonl").open("a") as file:
        file.write('{"kind": "fra')
    run()
    first = lines()
    assert run().verdicts["image"].tolist() == [f"A01_p1_t{n}.tif" for n in range(4)]
    assert [line["image"] for line in lines()] == [line["image"] for line in first]
    assert len({line["image"] for line in first}) == len(first) == 4
    assert len(lines("failure")) == 1


@pytest.mark.long
def test_a_file_that_changes_its_pixels_is_judged_again(
    run: Callable[..., Watch],
    lines: Callable[..., list[Line]],
    images: Path,
    frames: dict[str, NDArray[np.uint16]],
) -> None:
    """A verdict is of what the file holds: it is told anew with other pixels, not with a new
    time."""
    path = write(images, "A01_p1_t0.tif", frames["healthy"][0])
    run(frames=1)
    path.touch()
    run()
    assert [line["again"] for line in lines()] == [False]
    write(images, path.name, frames["sick"][0])
    made = run()
    assert [line["again"] for line in lines()] == [False, True]
    assert made.verdicts["p_sick"].tolist() == [lines()[-1]["p_sick"]]


def test_a_frame_that_comes_late_is_put_where_it_belongs(
    run: Callable[..., Watch],
    lines: Callable[..., list[Line]],
    images: Path,
    frames: dict[str, NDArray[np.uint16]],
) -> None:
    """An earlier frame that comes last is said to be late, and the state goes by order of time."""
    for n, state in ((1, "sick"), (2, "sick"), (3, "healthy")):
        write(images, f"A01_p1_t{n}.tif", frames[state][n])
    run(pattern=PATTERN, frames=3, alarm_frames=(2, 2))
    write(images, "A01_p1_t0.tif", frames["healthy"][0])
    run(pattern=PATTERN, frames=4, alarm_frames=(2, 2))
    assert [line["late"] for line in lines()] == [False, False, False, True]
    assert [line["state"] for line in lines()] == ["unsure", "sick", "unsure", "unsure"]


def test_an_alarm_starts_a_program_once_for_each_position(
    run: Callable[..., Watch],
    lines: Callable[..., list[Line]],
    images: Path,
    tmp_path: Path,
    frames: dict[str, NDArray[np.uint16]],
) -> None:
    """It gets image, position and p, without a shell; that it fails is told, and stops nothing."""
    for n in range(4):
        write(images, f"A01_p1_t{n}.tif", frames["healthy"][n])
        write(images, f"B 01$x_p1_t{n}.tif", frames["sick"][n])
    script = tmp_path / "stop.py"
    script.write_text("import sys; print(*sys.argv[1:], sep='|'); sys.exit(3)")
    command = f"'{sys.executable}' {script} light"
    pattern = "{plate:text}_p{position:int}_t{t}.tif"
    made = run(pattern=pattern, frames=8, on_alarm=command, alarm_frames=(2, 3))
    (alarm,) = lines("alarm")
    assert made.alarms == ("B 01$x/1",) == (alarm["place"],)
    said = (tmp_path / "out" / "on-alarm.txt").read_text().splitlines()
    path = images / alarm["image"]
    assert said == [f"light|{path}|B 01$x/1|{alarm['p']:.4f}"]
    assert lines("command") == [{"kind": "command", "place": "B 01$x/1", "error": "exit code 3"}]
    assert made.warnings == ("the command for the alarm of B 01$x/1 failed: exit code 3",)
    states = [line["state"] for line in lines() if line["place"] == "B 01$x/1"]
    assert states == ["unsure", "sick", "sick", "sick"]
    assert lines()[-1]["states"] == {"healthy": 1, "sick": 1}
    run(pattern=pattern, frames=8, on_alarm=command, alarm_frames=(2, 3))
    assert len(lines("command")) == 1
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "Alarm: B 01$x/1." in page
    assert 'http-equiv="refresh"' not in page


@pytest.mark.long
def test_the_page_says_that_the_watch_runs(
    run: Callable[..., Watch],
    images: Path,
    tmp_path: Path,
    frames: dict[str, NDArray[np.uint16]],
) -> None:
    """While it runs a browser reads the page again, and is told when there was the last look."""
    write(images, "A01_p1_t0.tif", frames["healthy"][0])
    pages: list[str] = []

    def tell(_: Line) -> None:
        pages.append((tmp_path / "out" / "report.html").read_text("utf-8"))

    writer = beside(lambda: write(images, "A01_p1_t1.tif", frames["healthy"][1]), every_s=1)
    run(tell=tell, frames=2, until_idle_s=60)
    writer.join()
    assert 'http-equiv="refresh" content="5"' in pages[-1]
    assert "Running; last look at" in pages[-1]
    assert "Ended: 2 frames" in (tmp_path / "out" / "report.html").read_text("utf-8")


def test_what_cannot_be_watched_is_refused(
    run: Callable[..., Watch], images: Path, model: Path, tmp_path: Path
) -> None:
    """A file, results among the images, times and patterns that are none; other settings later."""
    (images / "a.tif").write_bytes(b"II*\0")
    with pytest.raises(ImageReadError, match="no folder to watch"):
        watch(images / "a.tif", model, tmp_path / "out")
    with pytest.raises(OutputError, match="images arrive in it"):
        watch(images, model, images)
    with pytest.raises(SpecError, match="interval_s"):
        run(interval_s=0)
    with pytest.raises(LayoutError):
        run(pattern="{well")
    with pytest.raises(SpecError, match="not a command"):
        run(on_alarm="stop 'light")
    assert run().failures["image"].tolist() == ["a.tif"]
    with pytest.raises(OutputError, match="other settings"):
        run(alarm_above=0.9)


def test_no_frame_is_a_page_too(run: Callable[..., Watch], images: Path) -> None:
    """A folder that never comes ends as idle, with a page that says so."""
    images.rmdir()
    made = run(until_idle_s=0.2)
    assert made.verdicts.empty
    assert "the folder is not there" in made.page.read_text("utf-8")
    assert pd.read_csv(made.page.with_name("verdicts.csv")).empty
