"""A watch of files by another process, killed on the way: nothing is lost, nothing is doubled."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.watch import MOVIE, PATTERN

WRITER = "import sys, benchmarks.watch as watch; watch.write(*sys.argv[1:])"
FRAMES, KILLS = 30, 2


@pytest.mark.long
@pytest.mark.minutes
def test_a_killed_watch_goes_on(model: Path, tmp_path: Path) -> None:
    """Thirty frames in all ways of writing, and two kills (-9): one line for each whole frame, one
    failure for each other file, verdicts in the order of assess."""
    images, notes, out = tmp_path / "images", tmp_path / "written.jsonl", tmp_path / "out"
    images.mkdir()
    words = [sys.executable, "-m", "livewell", "watch", images, "--model", model, "--out", out]
    words += ["--pattern", PATTERN, "--until-idle", "15s", "--give-up-after", "10m", "--json"]
    words += ["--interval", "0.2s"]
    command = [str(word) for word in words]
    asked = [sys.executable, "-c", WRITER, str(images), str(notes), str(FRAMES), "0.3", "3"]
    writer = subprocess.Popen(asked)
    for number in range(KILLS):
        watching = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert watching.stdout is not None
        for _ in range(4 + number):  # it says that it begins, then a line for each frame
            watching.stdout.readline()
        watching.kill()
        watching.communicate()
        time.sleep(0.2)
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    assert writer.wait() == 0
    assert done.returncode == 1  # some files were never whole
    written = [json.loads(line) for line in notes.read_text("utf-8").splitlines()]
    lines = [json.loads(line) for line in (out / "frames.jsonl").read_text("utf-8").splitlines()]
    judged = [(line["image"], line["t"]) for line in lines if line["kind"] == "frame"]
    whole = [(each["image"], each["t"]) for each in written if each["whole_s"] is not None]
    assert sorted(judged) == sorted(whole)
    assert [t for image, t in judged if image == MOVIE] == sorted(t for i, t in whole if i == MOVIE)
    failed = [line["image"] for line in lines if line["kind"] == "failure"]
    assert sorted(failed) == sorted(e["image"] for e in written if e["whole_s"] is None)
    end = json.loads(done.stdout.splitlines()[-1])
    assert (end["kind"], sum(end["verdicts"].values())) == ("end", len(whole))
