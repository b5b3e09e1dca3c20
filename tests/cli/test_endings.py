"""How commands end: one object for machines, one exit code a kind, nothing for those who left."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from livewell.cli import main
from livewell.errors import STOPPED

Run = Callable[..., Result]


def program(*words: object, **options: object) -> "subprocess.CompletedProcess[str]":
    """The program in a process of its own."""
    command = [sys.executable, "-m", "livewell", *map(str, words)]
    return subprocess.run(command, text=True, timeout=120, **options)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    "words",
    [
        "--json",
        "nonsense --json",
        "--nonsense --json",
        "inspect --json",
        "inspect --json --nonsense x",
        "inspect x --nonsense --json",
        "train x --json",
        "label --json",
        "label nonsense --json",
        "label words --json",
        "split x --by well --seed much --json",
    ],
)
def test_wrong_usage_is_one_object(words: str) -> None:
    """Row L11: a usage error with --json, wherever it stands, is one object with the code usage."""
    made = CliRunner().invoke(main, words.split())
    assert made.exit_code == 2
    told = json.loads(made.stdout)
    assert told["error"] == "usage"
    assert told["message"]
    assert "Traceback" not in made.stderr


@pytest.mark.parametrize("words", ["inspect --json --help", "--version"])
def test_help_and_version_stay_text(words: str) -> None:
    """Whoever asks for help gets it as text, with --json too."""
    made = CliRunner().invoke(main, words.split())
    assert made.exit_code == 0
    assert "version" in made.stdout or "Usage" in made.stdout


@pytest.mark.parametrize(
    "error", [ZeroDivisionError("by zero"), EOFError("no data"), MemoryError(), KeyError("a")]
)
def test_what_nobody_expected(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row 22: exit code 3, one object, and a sentence on how to report it; its place on request."""

    def broken(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("livewell.workflows.inspect.unfolded", broken)
    made = CliRunner().invoke(main, ["inspect", "x", "--json"])
    assert made.exit_code == 3
    told = json.loads(made.stdout)
    assert told["error"] == "unexpected"
    assert type(error).__name__ in told["message"]
    assert "LIVEWELL_TRACEBACK" in told["message"]
    assert "Traceback" not in made.stderr
    monkeypatch.setenv("LIVEWELL_TRACEBACK", "1")
    assert "in broken" in CliRunner().invoke(main, ["inspect", "x"]).stderr


@pytest.mark.parametrize("heavy", ["click", "numpy"])
@pytest.mark.parametrize("words", [("inspect", "x"), ("inspect", "x", "--json")])
def test_an_early_interrupt(heavy: str, words: tuple[str, ...], tmp_path: Path) -> None:
    """Row L16: Ctrl-C while the program or a command is still being loaded ends as any other."""
    text = "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(9)\n"
    (tmp_path / f"{heavy}.py").write_text(text)
    path = os.pathsep.join([str(tmp_path), *sys.path])
    heed = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    code = (
        heed + f"import sys; sys.argv[1:] = {words!r}; from livewell.__main__ import main; main()"
    )
    made = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
        timeout=120,
    )
    assert made.returncode == 128 + signal.SIGINT
    assert made.stderr.strip() == STOPPED
    if "--json" in words:
        assert json.loads(made.stdout)["error"] == "stopped"


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_where_nothing_can_be_stopped(sent: signal.Signals) -> None:
    """A stop that Python swallows, as in a finaliser or while it forks, still ends the command."""
    code = f"""
import signal, time
from livewell.cli import main
import livewell.workflows.inspect as work
class Last:
    def __del__(self):
        signal.raise_signal({int(sent)})
def slow(*_):
    Last()
    time.sleep(60)
work.unfolded = slow
signal.signal(signal.SIGINT, signal.default_int_handler)
main(["inspect", "x"])
"""
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50)
    assert (made.returncode, made.stderr.strip()) == (128 + sent, STOPPED)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_that_a_library_makes_an_error_of(
    sent: signal.Signals, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """A library that answers a stop with an error of its own is not blamed for it."""

    def library(*_: object) -> None:
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(sent)
        raise ValueError("Invalid bounding box")

    monkeypatch.setattr("livewell.workflows.inspect.unfolded", library)
    # a shell's job in the background ignores the first of them, and it stays ignored
    was = signal.signal(
        sent, signal.default_int_handler if sent == signal.SIGINT else signal.SIG_DFL
    )
    request.addfinalizer(lambda: signal.signal(sent, was))
    before = signal.getsignal(sent)
    made = CliRunner().invoke(main, ["inspect", "x"])
    assert (made.exit_code, made.stderr.strip()) == (128 + sent, STOPPED)
    assert signal.getsignal(sent) == before


@pytest.fixture
def broken_pipe() -> int:
    """The end to write on of a pipe that nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def test_a_reader_who_left(plate: Path, broken_pipe: int) -> None:
    """As in `livewell inspect x | head -1`: nothing is said about it, and the exit code is true."""
    made = program("inspect", plate / "images", stdout=broken_pipe, stderr=subprocess.PIPE)
    assert (made.returncode, made.stderr) == (0, "")
    made = program("inspect", plate / "gone", stdout=broken_pipe, stderr=broken_pipe)
    assert made.returncode == 1


def test_closed_streams(plate: Path, tmp_path: Path) -> None:
    """Without standard output, input or error a command works, and no file takes their place."""
    out = tmp_path / "study"
    words = f'"{sys.executable}" -m livewell index "{plate / "images"}" --out "{out}"'
    made = subprocess.run(f"{words} <&- >&- 2>&-", shell=True, timeout=120)
    assert made.returncode == 0
    assert json.loads((out / "study.json").read_text())["kind"] == "study"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("words", [("--json",), ()])
def test_no_room_for_what_is_printed(plate: Path, words: tuple[str, ...]) -> None:
    """Row 17: where standard output is a file on a full disk, that is said on standard error."""
    with Path("/dev/full").open("w") as full:
        made = program("inspect", plate / "images", *words, stdout=full, stderr=subprocess.PIPE)
    assert made.returncode == 2
    assert "error [output]: standard output: cannot be written" in made.stderr
    assert "Traceback" not in made.stderr
