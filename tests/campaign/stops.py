"""Commands that are killed, run out of disk, or run twice at once, and are then given again.

All must end as the undisturbed command did, or say how to go on.
"""

import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.campaign.cases import Case
from tests.campaign.commands import (
    CHAIN,
    GONE,
    Command,
    Ending,
    copied,
    digests,
    images_in,
    leftovers,
    run,
    warm,
)

MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Undisturbed:
    """What a command starts from, what it makes (a digest by file), and how long it takes.

    `steady` are the files in which two undisturbed runs agree.
    """

    name: str
    before: Path
    made: dict[str, str]
    steady: frozenset[str]
    seconds: float
    bytes: int


class _Stops:
    """What the three kinds share: commands, and worlds before and after each."""

    wait_s = 400.0

    def __init__(self, names: Sequence[str] = tuple(CHAIN)) -> None:
        self._names = names

    def prepare(self, folder: Path) -> list[Undisturbed]:
        """Go through the whole work once, every command that is asked for a second time."""
        warm()
        world = folder / "world"
        images_in(world)
        found = []
        for name, words in CHAIN.items():
            before = copied(world, folder / f"before-{name}")
            again = copied(world, folder / f"again-{name}")
            began = time.monotonic()
            _must_end(run(words, world), name)
            seconds = time.monotonic() - began
            if name in self._names:
                _must_end(run(words, again), name)
                made, second = digests(world), digests(again)
                steady = frozenset(file for file in made if made[file] == second.get(file))
                size = _size(world) - _size(before)
                found.append(Undisturbed(name, before, made, steady, seconds, size))
            if name == self._last:
                break
        return found

    @property
    def _last(self) -> str:
        return [name for name in CHAIN if name in self._names][-1]


class Kills(_Stops):
    """Commands killed by signals at any moment, one to three times."""

    def case(self, world: list[Undisturbed], rng: random.Random, folder: Path) -> Case:
        """One command, its kills, and the command again."""
        asked = rng.choice(world)
        sent = rng.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT))
        moments = [rng.uniform(0, asked.seconds) for _ in range(rng.choice((1, 1, 2, 3)))]
        shown = ", ".join(f"{moment:.2f}" for moment in moments)
        what = f"{asked.name}: {sent.name} after {shown} s of {asked.seconds:.2f}"
        return Case(what, partial(_killed, asked, sent, moments, folder))


def _killed(
    asked: Undisturbed, sent: signal.Signals, moments: list[float], folder: Path
) -> tuple[str, str]:
    world = copied(asked.before, folder / "world")
    for moment in moments:
        command = Command(CHAIN[asked.name], world)
        time.sleep(moment)
        command.send(sent)
        ending = command.wait()
        wrong = _wrong_end(ending, sent)
        if wrong:
            return wrong
    return _ended(asked, run(CHAIN[asked.name], world), world)


def _wrong_end(ending: Ending, sent: signal.Signals) -> tuple[str, str] | None:
    """What is wrong with how a stopped command ended."""
    # before it has begun to listen it is the signal's alone, and has nothing to say
    if ending.code == -sent and (sent == signal.SIGKILL or not ending.said):
        return None
    stopped = ending.code == 128 + sent and GONE.search(ending.said)
    if ending.code == 0 or (stopped and "Traceback" not in ending.said):
        return None
    return "other exception", f"exit {ending.code}: {ending.said[-500:]}"


class FullDisk(_Stops):
    """Commands on a disk that is full after some of what they write."""

    def prepare(self, folder: Path) -> list[Undisturbed]:
        """As for kills, where a disk of a given size can be had."""
        with disk(folder / "trial", MEGABYTE):
            pass
        return super().prepare(folder)

    def case(self, world: list[Undisturbed], rng: random.Random, folder: Path) -> Case:
        """One command with a tenth, two tenths ... of the room it needs, and again with all."""
        asked, tenth = rng.choice(world), rng.randrange(10)
        what = f"{asked.name}: room for {tenth} tenths of {asked.bytes >> 10} KiB"
        return Case(what, partial(_filled, asked, tenth, folder))


def _filled(asked: Undisturbed, tenth: int, folder: Path) -> tuple[str, str]:
    room = _size(asked.before) + asked.bytes * tenth // 10 + 4096
    with disk(folder / "disk", room) as enlarge:
        world = copied(asked.before, folder / "disk" / "world")
        ending = Command(CHAIN[asked.name], world, folder / "full.txt").wait()
        if ending.code not in (0, 2) or (ending.code == 2 and "[output]" not in ending.said):
            return "other exception", f"exit {ending.code}: {ending.said[-600:]}"
        enlarge(room + 4 * asked.bytes + 64 * MEGABYTE)
        category, said = _ended(
            asked, Command(CHAIN[asked.name], world, folder / "full.txt").wait(), world
        )
        return category, f"first exit {ending.code}; {said}"


@contextmanager
def disk(folder: Path, size: int) -> Iterator[Callable[[int], None]]:
    """A disk of so many bytes at `folder`; yields what makes it larger. Needs to be root."""
    folder.mkdir(parents=True)

    def mount(options: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", options, "none", str(folder)]
        subprocess.run(command, check=True, capture_output=True)

    mount(f"size={size}")
    try:
        yield lambda more: mount(f"remount,size={more}")
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


class Twins(_Stops):
    """The same command twice at once in the same folder."""

    def case(self, world: list[Undisturbed], rng: random.Random, folder: Path) -> Case:
        """One command, and the same a moment later."""
        asked = rng.choice(world)
        moment = rng.choice((0.0, rng.uniform(0, asked.seconds)))
        what = f"{asked.name}: twice, {moment:.2f} s apart"
        return Case(what, partial(_twice, asked, moment, folder))


def _twice(asked: Undisturbed, moment: float, folder: Path) -> tuple[str, str]:
    world = copied(asked.before, folder / "world")
    first = Command(CHAIN[asked.name], world, folder / "first.txt")
    time.sleep(moment)
    endings = [Command(CHAIN[asked.name], world, folder / "second.txt").wait(), first.wait()]
    for ending in endings:
        if ending.code not in (0, 2) or (ending.code == 2 and "What to do" not in ending.said):
            return "other exception", f"exit {ending.code}: {ending.said[-600:]}"
    return _ended(asked, run(CHAIN[asked.name], world), world)


def _ended(asked: Undisturbed, ending: Ending, world: Path) -> tuple[str, str]:
    """What came of a command that was disturbed and given again."""
    if ending.code == 2 and "What to do" in ending.said:
        return "refused, says how to go on", ending.said[-600:]
    if ending.code:
        return "blocked", f"exit {ending.code}: {ending.said[-600:]}"
    made = digests(world)
    wrong = [file for file in asked.made if file not in made]
    wrong += [file for file in asked.steady if file in made and made[file] != asked.made[file]]
    wrong += [file for file in made if file not in asked.made]
    if wrong:
        return "differs", ", ".join(sorted(wrong)[:8])
    left = leftovers(world)
    return ("equal, with leftovers" if left else "equal"), ", ".join(left[:5])


def _must_end(ending: Ending, name: str) -> None:
    if ending.code:
        raise RuntimeError(f"{name} ended with {ending.code} undisturbed: {ending.said[-2000:]}")


def _size(folder: Path) -> int:
    """Bytes of what lies in a folder, in blocks of 4 KiB."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return sum(-(-path.stat().st_size // 4096) * 4096 + 4096 for path in files)
