"""A running acquisition, judged as its frames arrive: a line of JSON a frame, a page, an alarm."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from logging import getLogger
from pathlib import Path
from typing import Any

import pandas as pd

from livewell.errors import ImageReadError, LivewellError, OutputError, SpecError
from livewell.execution.commands import Commands
from livewell.execution.frames import OpenSettings
from livewell.execution.results import ResultFolder
from livewell.execution.series import Naming
from livewell.files import AnyPath
from livewell.images.listing import STAMP
from livewell.images.opening import Channels, noted_channels
from livewell.inference.model import Model
from livewell.inference.occupancy import ModelOccupancy
from livewell.inference.plates import need_no_plate
from livewell.metrics.alarms import AlarmRule
from livewell.models.device import AUTO
from livewell.models.files import find_model
from livewell.names import name_of
from livewell.outputs.verdicts import verdict_table
from livewell.report.model import meaning, model_summary
from livewell.report.page import Section, noted, render
from livewell.report.watch import LOST_S, WatchResults, drawn, watch_page
from livewell.study.runs import versions
from livewell.tables.metadata import AuditSummary
from livewell.workflows.watching import Watcher, WatchSettings

_LOG = getLogger(__name__)
PAGE_S, PAGE_SHARE = 5.0, 0.03
"""The page is written anew at most so often. That takes at most this share of the time, and so does
drawing its figures: few frames wait for it."""
BY_HAND = "stopped by hand"


@dataclass(frozen=True, slots=True)
class Watch:
    """What `watch` made: verdicts and failures as of `assess`, positions in alarm, the page.

    `reason` says why it ended.
    """

    verdicts: pd.DataFrame
    failures: pd.DataFrame
    alarms: tuple[str, ...]
    page: Path
    reason: str
    warnings: tuple[str, ...]
    audit: AuditSummary


def watch(
    folder: AnyPath,
    model: AnyPath,
    out: AnyPath,
    *,
    stride_px: int | None = None,
    pattern: str | None = None,
    channels: Channels = None,
    pixel_um: float | None = None,
    frame_s: float | None = None,
    occupied_by: AnyPath | None = None,
    device: str = AUTO,
    interval_s: float = 0.5,
    give_up_after_s: float = 600.0,
    until_idle_s: float | None = None,
    frames: int | None = None,
    alarm_frames: tuple[int, int] = (3, 5),
    alarm_above: float | None = None,
    on_alarm: str | None = None,
    tell: Callable[[dict[str, Any]], object] = lambda line: None,
) -> Watch:
    """Judge images of a running acquisition as they arrive; Ctrl-C ends it, the same call goes on.

    A file is read once it rests, which is when two looks find it the same, and tried again while it
    is not whole. Files are judged in the order in which they were first seen, those of one look by
    name; none is skipped. A file that changes afterwards is judged again where its pixels changed.

    Parameters
    ----------
    folder
        Is searched with its folders at every look, and may appear later.
    model
        Model folder, a file in it, or a training run of one fold.
    out
        Takes ``frames.jsonl``, a line of JSON a frame and failure, ``report.html``, and at the end
        ``verdicts.csv`` and ``failures.csv``. A watch with the same settings goes on.
    stride_px, pattern, channels, pixel_um, frame_s, occupied_by, device
        As in `livewell.assess`. A file without a position is one of its own.
    interval_s
        Seconds from look to look.
    give_up_after_s
        A file that cannot be read, and did not change for so many seconds, is a failure.
    until_idle_s
        The watch ends when nothing has changed for so many seconds; what is not whole then is a
        failure.
    frames
        The watch ends when so many frames, of all calls, have a verdict or are failures.
    alarm_frames
        ``(3, 5)``: a position is in alarm where three of its last five judged frames speak for the
        model's positive class.
    alarm_above
        A frame speaks for it where p lies above this; by default where that is its verdict.
    on_alarm
        A program that is started once for each position in alarm, without a shell, with the image,
        the position and p as its last arguments. After a kill it may be started again.
    tell
        Is called with each line when it is on the disk.

    Raises
    ------
    ModelFileError
        No usable model, or `occupied_by` is none for this.
    ImageReadError
        `folder` is a file or a study.
    OutputError
        `out` cannot be written, holds something else, is in use, or was begun with other settings.
    SpecError, LayoutError
        A setting that cannot be.
    """
    folder, out = Path(folder), Path(out)
    judge = need_no_plate(Model.load(Path(model), device=device).need_patches())
    _refuse(folder, out, interval_s=interval_s, give_up_after_s=give_up_after_s)
    card = judge.card
    stride = stride_px or card.profile.middle_px
    rule = AlarmRule(judge.classes.positive, *alarm_frames, above=alarm_above)
    occupancy = None
    settings: dict[str, Any] = {
        "images": str(folder.resolve()),
        "weights": card.weights_sha256,
        "stride_px": stride,
        "pattern": pattern,
        "channel": noted_channels(channels),
        "pixel_um": pixel_um,
        "frame_s": frame_s,
        "alarm_frames": list(alarm_frames),
        "alarm_above": alarm_above,
    }
    if occupied_by is not None:
        telling = Model.load(occupied_by, device=device)
        occupancy = ModelOccupancy(telling, judge.channels, card.pixel_um)
        settings["occupied_by"] = occupancy.weights_sha256
    commands = None if on_alarm is None else Commands.of(on_alarm, out / "on-alarm.txt")
    asked = WatchSettings(interval_s, give_up_after_s, until_idle_s, frames, stride)
    naming = Naming.of(pattern)
    results = ResultFolder.claim(out, "watch", "watch.json", settings).begin()
    opening = OpenSettings(channels, pixel_um, frame_s)
    with Watcher(folder, out, judge, opening, occupancy, naming, rule, asked, commands) as watcher:
        page = _Page(results, folder, find_model(Path(model)), watcher, settings)
        watcher.tell, watcher.pulse = tell, page.due
        try:
            reason = watcher.run()
        except BaseException as error:
            page.last(BY_HAND if isinstance(error, KeyboardInterrupt) else f"an error: {error}")
            raise
        page.last(reason)
        failures = watcher.failures()
        warnings = (*page.warnings, *watcher.warnings)
        made = (page.verdicts(), failures, watcher.alarms, page.path, reason, warnings)
    return Watch(*made, card.audits[0])


def _refuse(folder: Path, out: Path, **spans_s: float) -> None:
    """Refuse what cannot be watched, and spans of time that are none."""
    for name, value in spans_s.items():
        if not value > 0:
            raise SpecError("must be above zero", where=name, got=str(value))
    if folder.is_file() or (folder / STAMP).exists():
        raise ImageReadError(
            "a file, and no folder to watch" if folder.is_file() else "a study, and no acquisition",
            where=str(folder),
            remedy="name the folder that the microscope writes to",
        )
    if out.resolve() == folder.resolve():
        raise OutputError(
            "not a folder of results: images arrive in it",
            where=str(out),
            remedy="name another folder with --out",
        )


class _Page:
    """The page of a watch, written anew now and then."""

    def __init__(
        self,
        folder: ResultFolder,
        images: Path,
        model: Path,
        watcher: Watcher,
        settings: dict[str, Any],
    ) -> None:
        self._folder, self._watcher = folder, watcher
        self._images, self._model, self._settings = images, model, settings
        self._next_s = self._draw_s = 0.0
        self._lost_s = LOST_S
        self._drawn: tuple[int, tuple[Section | None, ...]] = (-1, ())
        self.path = folder.path / "report.html"
        self.warnings: list[str] = []

    def due(self) -> None:
        """Write it where it is time; where it cannot be written the watch goes on."""
        if time.monotonic() < self._next_s:
            return
        self._draw(time.monotonic() >= self._draw_s)
        began = time.monotonic()
        try:
            self._folder.write(self._rendered(""), {})
        except OutputError as error:
            _LOG.warning("The page is not written: %s", error)
        wait_s = max(PAGE_S, (time.monotonic() - began) / PAGE_SHARE)
        self._next_s, self._lost_s = began + wait_s, max(LOST_S, 4 * wait_s)

    def last(self, reason: str) -> None:
        """Write it for the last time, with the tables."""
        tables = {"verdicts": self.verdicts(), "failures": self._watcher.failures()}
        self._draw(True)
        try:
            self._folder.write(self._rendered(reason), tables)
        except LivewellError as error:
            _LOG.warning("The page is not written: %s", error)

    def verdicts(self) -> pd.DataFrame:
        """As `assess` writes them, in its order."""
        rows = self._watcher.in_order()
        columns = ["image", "plate", "well", "position"]
        places = pd.DataFrame(rows, columns=columns).drop_duplicates("image")
        return verdict_table(rows, places, self._watcher.judge.classes)

    def _draw(self, due: bool) -> None:
        """Draw the figures where that is due and something new was judged."""
        began, watcher = time.monotonic(), self._watcher
        if due and self._drawn[0] != watcher.lines:
            rules = watcher.series.rule, watcher.judge.card.image_rule
            self._drawn = watcher.lines, drawn(watcher.seen(""), *rules)
            now = time.monotonic()
            self._draw_s = now + (now - began) / PAGE_SHARE

    def _rendered(self, reason: str) -> str:
        watcher, card = self._watcher, self._watcher.judge.card
        results = WatchResults(
            title=f"Watch of {name_of(self._images)}",
            subtitle=f"by the model {self._model}",
            watched=watcher.seen(reason),
            lost_s=self._lost_s,
            drawn=self._drawn[1],
            rule=watcher.series.rule,
            image_rule=card.image_rule,
            card=model_summary(card),
            audits=card.audits,
            notes=noted(watcher.warnings, meaning(card)),
            settings=self._settings,
            versions=versions(),
        )
        return render(watch_page(results))
