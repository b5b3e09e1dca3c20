"""The loop of a watch: look, read what is ready in order, keep a line a frame, raise alarms."""

import time
from collections.abc import Callable, Set
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Self
from zlib import crc32

import numpy as np
import pandas as pd

from livewell.errors import LivewellError, why
from livewell.execution.arrivals import Arrival, Arrivals, Failure
from livewell.execution.commands import Commands
from livewell.execution.frame_log import FrameLog, Line
from livewell.execution.frames import FileFrame, OpenSettings, judge_frames
from livewell.execution.items import STOPPING, Item, Record
from livewell.execution.series import Naming, Series
from livewell.geometry import Box
from livewell.images.listing import images_in
from livewell.inference.model import Model
from livewell.inference.occupancy import ModelOccupancy
from livewell.metrics.alarms import AlarmRule
from livewell.names import natural_key, path_of
from livewell.outputs.verdicts import judged_frame, verdict_row
from livewell.report.overlays import reduced
from livewell.report.watch import Watched
from livewell.text import plural

THUMBNAIL_PX, THUMBNAILS = 200, 12
"""Longer edge of what the page shows of a frame, and how many positions' last frames it shows."""
BUSY = 4
"""A look begins at the earliest so many times as long after the last one as that took."""
VANISHED = "it was gone before it was whole"
TOO_LATE = "it was never whole"
WAIT_S = 60.0
"""How long the end waits for commands that are running."""


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """How a watch looks and when it ends, seconds; see `livewell.workflows.watch.watch`."""

    interval_s: float
    give_up_after_s: float
    until_idle_s: float | None
    frames: int | None
    stride_px: int


class Watcher:
    """A watch that runs; use it in a ``with`` block.

    `pulse` is called between frames and between looks, `tell` with each line that was kept, which
    `lines` counts.
    """

    def __init__(
        self,
        folder: Path,
        out: Path,
        judge: Model,
        opening: OpenSettings,
        occupancy: ModelOccupancy | None,
        naming: Naming,
        rule: AlarmRule,
        settings: WatchSettings,
        commands: Commands | None,
    ) -> None:
        self.judge, self.settings = judge, settings
        self.series = Series(naming, rule)
        self.arrivals = Arrivals(folder, settings.interval_s)
        self.pulse: Callable[[], object] = lambda: None
        self.tell: Callable[[Line], object] = lambda line: None
        self.alarms: tuple[str, ...] = ()
        self.lines = 0
        self.warnings: list[str] = []
        self._opening, self._occupancy, self._commands = opening, occupancy, commands
        self._raised: dict[str, Line] = {}
        self._failed: dict[str, list[Failure]] = {}
        self._last: dict[str, tuple[str, np.ndarray]] = {}
        self._latencies: list[float] = []
        self._queue: list[Arrival] = []
        self._looked_s = self._news_s = time.monotonic()
        self._look_took_s = 0.0
        self._looked = datetime.now(UTC)
        self.arrivals.changed_s = self._news_s
        self._log = FrameLog(out / "frames.jsonl")
        for line in self._log.lines:
            self._remember(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._log.close()

    def run(self) -> str:
        """Watch until there is a reason to end, which is returned."""
        for place in [p for p, line in self._raised.items() if "command" not in line]:
            self._command(place)
        self._warm_up()
        self.pulse()
        self.tell({"kind": "begin", "frames": len(self.series)})
        while True:
            self._look()
            while self._queue:
                self._read(self._queue.pop(0))
                self._pulse()
            self._give_up(self.settings.give_up_after_s, TOO_LATE)
            if reason := self._ended():
                break
            self._pulse()
            time.sleep(max(self._next_look_s - time.monotonic(), 0))
        self._await_commands()
        return reason

    def _warm_up(self) -> None:
        """The first frame that a model sees takes it several times as long as others."""
        card = self.judge.card
        edge, patch = 2 * card.patch_px, Box.of(0, 0, card.patch_px, card.patch_px)
        noise = np.random.default_rng(0).integers(500, 1500, (len(card.channels), edge, edge))
        with suppress(LivewellError):  # a plain image may be nothing that it judges
            self.judge.predict(noise.astype(np.uint16), [patch], pixel_um=card.pixel_um)

    @property
    def _next_look_s(self) -> float:
        return self._looked_s + max(self.settings.interval_s, BUSY * self._look_took_s)

    def _look(self) -> None:
        now_s = time.monotonic()
        self.arrivals.look(now_s)
        self._look_took_s = time.monotonic() - now_s
        self._looked_s, self._looked = now_s, datetime.now(UTC)
        self._queue = self.arrivals.ready(now_s)

    def _pulse(self) -> None:
        """What is done between files: another look, commands that have ended, the page."""
        if time.monotonic() >= self._next_look_s:
            self._look()
        self._tidy()

    def _tidy(self) -> None:
        self._end_commands()
        self.pulse()

    def _ended(self) -> str:
        settings = self.settings
        done = len(self.series) + sum(map(len, self._failed.values()))
        if settings.frames is not None and done >= settings.frames:
            return f"{plural(done, 'frame')} of {settings.frames} were judged or are failures"
        idle_s = time.monotonic() - max(self.arrivals.changed_s, self._news_s)
        if settings.until_idle_s is not None and idle_s >= settings.until_idle_s:
            self._give_up(0.0, TOO_LATE)
            return f"nothing has changed for {settings.until_idle_s:g} s"
        return ""

    def _read(self, arrival: Arrival) -> None:
        """Judge the frames of a file that have no verdict yet, as far as they are whole."""
        rests, failed = arrival.rests, list[Failure]()
        arrival.attempt(time.monotonic())
        images = images_in(arrival.name, arrival.path)
        for name, path in images.items():
            which = partial(_wanted, {t for image, t in arrival.taken if image == name}, rests)
            work = partial(self._frame, _Reading(arrival, name, len(images), arrival.since_s))
            item = Item(name, path, {})
            try:
                record = judge_frames(item, _silent, self.judge, self._opening, work, which)
            except STOPPING:
                raise
            except LivewellError as error:
                failed.append((name, None, why(error)))
            else:
                failed += [(name, row["t"], row["error"]) for row in record["failures"]]
        arrival.failed = tuple(failed)
        if rests and not failed:
            arrival.done = arrival.tried

    def _frame(self, of: "_Reading", frame: FileFrame) -> Record:
        """The row of one frame, whose line is kept; empty where it shows what it showed before."""
        arrival, t, content = of.arrival, frame.field.t, _digest(frame.field.pixels)
        if arrival.taken.get((of.image, t)) == content:
            return {}
        row = verdict_row(judged_frame(self.judge, frame, self.settings.stride_px, self._occupancy))
        place = self.series.naming.place(of.image, frame.header)
        again = (of.image, t) in arrival.taken
        line: Line = {"kind": "frame", "image": of.image, "t": t, **place, **row}
        line["again"], line["late"] = again, self.series.add(line)
        now_s, now = time.monotonic(), datetime.now(UTC)
        latency_s = now_s - of.since_s
        state = self.series.states[place["place"]]  # type: ignore[index]  # a place has a name
        line |= {
            "seen": _stamp(now - timedelta(seconds=now_s - arrival.seen_s)),
            "judged": _stamp(now),
            "latency_s": round(latency_s, 3),
            "waiting": len(self._queue),
            "state": state,
            "alarm": place["place"] in self._raised or state == self.series.rule.positive,
            "states": self.series.counts,
            "content": content,
            "frames": frame.header.frames,
            "images": of.images,
            "file": arrival.name,
            "version": list(arrival.tried or ()),
        }
        self._keep(line)
        self._latencies.append(latency_s)
        self._show(line, frame.field.raw)
        if state == self.series.rule.positive and line["place"] not in self._raised:
            self._raise(line)
        self._tidy()
        return row

    def _show(self, line: Line, raw: np.ndarray) -> None:
        by = -(-max(raw.shape) // THUMBNAIL_PX)
        self._last.pop(line["place"], None)
        self._last[line["place"]] = f"{line['place']}\n{line['verdict']}", reduced(raw, by)
        while len(self._last) > THUMBNAILS:
            del self._last[next(iter(self._last))]

    def _keep(self, line: Line) -> None:
        """A line, on the disk before anybody is told of it."""
        self._log.add(line)
        self._remember(line)
        self._news_s = time.monotonic()
        self.tell(line)

    def _remember(self, line: Line) -> None:
        """Take in a line, of this call or an earlier one."""
        self.lines += 1
        if line["kind"] == "frame":
            self._take(self._known(line["file"]), line)
            self.series.add(line)
        elif line["kind"] == "failure":
            self._known(line["file"]).given_up = True
            failure = line["image"], line["t"], line["error"]
            self._failed.setdefault(line["file"], []).append(failure)
        elif line["kind"] == "alarm":
            self._raised[line["place"]] = dict(line)
            self.alarms = tuple(self._raised)
        elif line["kind"] == "command":
            self._raised[line["place"]]["command"] = line["error"]
            if line["error"]:
                self.warnings.append(
                    f"the command for the alarm of {line['place']} failed: {line['error']}"
                )

    def _take(self, arrival: Arrival, line: Line) -> None:
        """Note that a frame has a verdict, which ends its failure, and maybe all work on its file.

        That is so when every image of the file has as many verdicts as frames.
        """
        image, t = line["image"], line["t"]
        arrival.taken[image, t] = line["content"]
        arrival.frames[image] = line["frames"]
        whole = len(arrival.taken) >= sum(arrival.frames.values())
        if whole and len(arrival.frames) >= line["images"]:
            arrival.done = line["version"][0], line["version"][1]
        of = self._failed.pop(arrival.name, [])
        if still := [each for each in of if each[0] != image or each[1] not in (None, t)]:
            self._failed[arrival.name] = still

    def _known(self, file: str) -> Arrival:
        if file not in self.arrivals.files:
            path = path_of(self.arrivals.folder, file)
            self.arrivals.files[file] = Arrival(file, path, self._looked_s)
        return self.arrivals.files[file]

    def _give_up(self, after_s: float, reason: str) -> None:
        for arrival in self.arrivals.overdue(time.monotonic(), after_s):
            lost = VANISHED if arrival.gone_s is not None else ""
            failures = arrival.failed or ((arrival.name, None, reason),)
            for image, t, error in ((arrival.name, None, lost),) if lost else failures:
                line = {"kind": "failure", "image": image, "t": t, "error": error}
                self._keep(line | {"file": arrival.name})

    def _raise(self, line: Line) -> None:
        kept = {name: line[name] for name in ("image", "t", "plate", "well", "position", "place")}
        p = line[f"p_{self.series.rule.positive}"]
        self._keep({"kind": "alarm", **kept, "p": p, "raised": _stamp(datetime.now(UTC))})
        self._command(line["place"])

    def _command(self, place: str) -> None:
        if self._commands is None:
            return
        line = self._raised[place]
        path = path_of(self.arrivals.folder, line["image"]).absolute()
        arguments = [str(path), place, f"{line['p']:.4f}"]
        error = self._commands.start(place, arguments, time.monotonic())
        if error:
            self._keep({"kind": "command", "place": place, "error": error})

    def _end_commands(self) -> None:
        if self._commands is not None:
            for place, error in self._commands.ended(time.monotonic()):
                self._keep({"kind": "command", "place": place, "error": error})

    def _await_commands(self) -> None:
        while self._commands is not None and self._commands.busy:
            self._end_commands()
            time.sleep(0.02)

    def failures(self) -> pd.DataFrame:
        """Failures that still hold: image, t, error."""
        rows = [failure for of in self._failed.values() for failure in of]
        table = pd.DataFrame(rows, columns=["image", "t", "error"]).astype({"t": "Int64"})
        return table.sort_values("image", key=lambda names: names.map(natural_key), kind="stable")

    def in_order(self) -> list[Line]:
        """Lines of frames by image and frame, those that were judged again once."""
        return sorted(self.series, key=lambda line: (natural_key(line["image"]), line["t"]))

    def seen(self, reason: str) -> Watched:
        """What the page shows now; `reason` why the watch has ended, empty while it runs."""
        now_s = time.monotonic()
        return Watched(
            places={name: [line for _, line in of] for name, of in self.series.places.items()},
            states=self.series.states,
            raised=self._raised,
            failures=self.failures(),
            pending=[(e.name, now_s - e.seen_s, e.failed) for e in self.arrivals.open()],
            waiting=len(self._queue),
            oldest_s=max((now_s - each.since_s for each in self._queue), default=0.0),
            there=self.arrivals.there,
            looked=self._looked,
            reason=reason,
            latencies_s=self._latencies,
            look_took_s=self._look_took_s,
            thumbnails=list(reversed(self._last.values())),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Reading:
    """A file that is read, as it was since then: which of its so many images is read now."""

    arrival: Arrival
    image: str
    images: int
    since_s: float


def _wanted(taken: Set[int], rests: bool, frames: int) -> list[int]:
    """Frames to read: those without a verdict, or all, where the file has changed all the same.

    Of a movie that is being written the last one may not be whole.
    """
    whole = range(frames if rests else frames - 1)
    return [t for t in whole if t not in taken] or list(whole if rests else ())


def _silent(done: float = 1, note: str = "") -> None:
    """Nobody watches the progress of one file."""


def _digest(pixels: np.ndarray) -> str:
    return f"{crc32(np.ascontiguousarray(pixels).data):08x}"


def _stamp(when: datetime) -> str:
    return when.isoformat(timespec="milliseconds")
