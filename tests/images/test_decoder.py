"""Decoding in a process of its own: what goes wrong there costs one frame."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import imagecodecs
import numpy as np
import psutil
import pytest
import tifffile

from livewell.errors import ImageReadError
from livewell.images import decoder
from livewell.images.opening import open_image

MOVIE = np.random.default_rng(5).integers(1, 60000, (4, 24, 32), dtype=np.uint16)
PATCHED = (
    "import sys; sys.path[:] = sys.argv[1:]; import os, imagecodecs, numpy, time; whole ="
    " imagecodecs.png_decode; import livewell.images.serving as serving; imagecodecs.png_decode ="
    " lambda data: {} or whole(data); serving.serve()"
)
"""A decoder's program in which something happens before a PNG is decoded."""


@pytest.fixture(autouse=True)
def _own_decoder() -> Iterator[None]:
    """Every test begins and ends without a decoder."""
    decoder.DECODER.stop()
    yield
    decoder.DECODER.stop()


def decoders() -> list[psutil.Process]:
    """Decoders of this process."""
    return [
        child
        for child in psutil.Process().children()
        if any("livewell.images.serving" in part for part in child.cmdline())
    ]


def png(path: Path, seed: int = 0) -> np.ndarray:
    pixels = np.random.default_rng(seed).integers(0, 255, (24, 32), dtype=np.uint8)
    path.write_bytes(imagecodecs.png_encode(pixels))
    return pixels


def lzw(path: Path) -> None:
    tifffile.imwrite(path, MOVIE, compression="lzw", photometric="minisblack")


@pytest.mark.skipif(sys.platform == "win32", reason="no such limits and signals there")
@pytest.mark.parametrize(
    ("happens", "message"),
    [
        ("os.abort()", r"crashed \(SIGABRT\)"),
        ("os.kill(os.getpid(), 11)", r"crashed \(SIGSEGV\)"),
        ("os.kill(os.getpid(), 9)", "stopped by the system"),
        ("os._exit(0)", r"crashed \(0\)"),
        pytest.param(
            "numpy.ones(3 * 10**8)", "more memory than there is",
            marks=pytest.mark.skipif(sys.platform != "linux", reason="memory is not limited"),
        ),
        ("next(x for x in iter(int, 1) if x)", "far too long to decode"),
        ("1 / 0", "ZeroDivisionError"),
    ],
)  # fmt: skip
def test_a_crash_costs_one_frame(
    happens: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row H1's kind: a decoder that crashes, hangs or grows fails its file and no other."""
    program = PATCHED.format(happens)
    if "iter(int" in happens:
        program = program.replace("serving.serve()", "serving.LIMIT_S = 0; serving.serve()")
    png(tmp_path / "a.png")
    lzw(tmp_path / "b.tif")
    with monkeypatch.context() as patched, open_image(tmp_path / "b.tif") as other:
        patched.setattr(decoder, "START", program)
        with (
            open_image(tmp_path / "a.png") as image,
            pytest.raises(ImageReadError, match=rf"a\.png.*{message}"),
        ):
            image.frame(0)
        np.testing.assert_array_equal(other.frame(2), MOVIE[2])
    assert len(decoders()) == 1


def test_one_decoder_for_all_threads(tmp_path: Path) -> None:
    """Threads that read several files at once get each its own frames, of one process."""
    paths = [tmp_path / f"{n}.png" for n in range(8)]
    pixels = [png(path, n) for n, path in enumerate(paths)]
    wrong: list[Path] = []

    def read(path: Path, expected: np.ndarray) -> None:
        for _ in range(10):
            with open_image(path) as image:
                if not np.array_equal(image.frame(0), expected):
                    wrong.append(path)

    threads = [threading.Thread(target=read, args=pair) for pair in zip(paths, pixels, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(decoders()) == 1


def test_files_that_lie_in_memory_as_on_disk_need_none(tmp_path: Path) -> None:
    """Plain TIFF is read without a decoder."""
    tifffile.imwrite(tmp_path / "a.tif", MOVIE, photometric="minisblack")
    with open_image(tmp_path / "a.tif") as image:
        np.testing.assert_array_equal(image.frame(3), MOVIE[3])
    assert decoders() == []


def test_folder_changes_after_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path is that of the process that asks, wherever the decoder began."""
    first = png(tmp_path / "a.png", 1)
    with open_image(tmp_path / "a.png") as image:
        np.testing.assert_array_equal(image.frame(0), first)
    (tmp_path / "in").mkdir()
    second = png(tmp_path / "in" / "a.png", 2)
    monkeypatch.chdir(tmp_path / "in")
    with open_image("a.png") as image:
        np.testing.assert_array_equal(image.frame(0), second)
        image.close()
        Path("a.png").write_bytes(Path("a.png").read_bytes()[:-40])
        with pytest.raises(ImageReadError, match=r"^a\.png: damaged"):
            image.frame(0)


def test_no_python_to_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where no decoder can be started frames are decoded here, and one warning says so."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    monkeypatch.setattr(decoder.DECODER, "_works", True)
    pixels = png(tmp_path / "a.png")
    for _ in range(2):
        with open_image(tmp_path / "a.png") as image:
            np.testing.assert_array_equal(image.frame(0), pixels)
    assert caplog.text.count("No decoder can be started") == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_forked_processes_have_their_own(tmp_path: Path) -> None:
    """A forked process starts a decoder of its own and leaves its parent's alone."""
    pixels = png(tmp_path / "a.png")
    with open_image(tmp_path / "a.png") as image:
        image.frame(0)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                code = int(not np.array_equal(image.frame(0), pixels))
                decoder.DECODER.stop()
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        np.testing.assert_array_equal(image.frame(0), pixels)


ENDS = {
    "by itself": "",
    "with its input closed": "os.close(0); image.frame(0)",
    "by SIGTERM": "os.kill(os.getpid(), 15)",
    "by SIGKILL": "os.kill(os.getpid(), 9)",
    "by Ctrl-C": "os.killpg(0, 2); import time; time.sleep(5)",
}


@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="no such signals there")
@pytest.mark.parametrize("how", ENDS)
def test_no_decoder_outlives_its_process(how: str, tmp_path: Path) -> None:
    """However a process ends its decoder ends with it."""
    png(tmp_path / "a.png")
    program = (
        "import os, sys, psutil; from livewell.images.opening import open_image;"
        f" image = open_image({str(tmp_path / 'a.png')!r}); image.frame(0);"
        f" print(psutil.Process().children()[0].pid, flush=True); {ENDS[how]}"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        start_new_session=True, check=False, env=os.environ | {"PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip
    expected = {"by SIGTERM": -signal.SIGTERM, "by SIGKILL": -signal.SIGKILL}
    if "Ctrl-C" not in how:
        assert ended.returncode == expected.get(how, 0)
    _, alive = psutil.wait_procs(
        [psutil.Process(pid) for pid in [int(ended.stdout)] if psutil.pid_exists(pid)], timeout=10
    )
    assert alive == []
