"""The page of a running watch: state and curve of each position, delays, failures, last frames."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from livewell.classes import UNSURE as DOUBT
from livewell.classes import p_of
from livewell.metrics.alarms import AlarmRule
from livewell.metrics.decisions import MAX_ERROR
from livewell.metrics.rules import ImageRule
from livewell.names import natural_key
from livewell.report.galleries import patch_gallery
from livewell.report.page import Note, Page, Section, Table, Tone, Widget, bad, info, warn
from livewell.report.results import PageResults
from livewell.report.style import INK, UNSURE, Sheet, class_look, tail, unit_axis
from livewell.report.trust import ELSEWHERE
from livewell.text import few, listed, plural, sentence, threshold_p

REFRESH_S, LOST_S = 5, 60.0
"""Seconds until a browser reads the page again, and at least until it calls a watch lost."""
PANELS, ACROSS = 24, 4
"""Most small panels on a page, and in a row."""
SHOWN = 50
"""Most rows of a table."""
Line = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Watched:
    """What a watch has seen: lines of ``frames.jsonl`` by position, in order of time.

    `states` and the line that `raised` an alarm are by position too; `pending` files with their age
    in seconds and what failed of them (image, t, error); `waiting` files are ready, and the oldest
    of them has waited for `oldest_s`. `reason` says why it has ended, and is empty while it runs.
    """

    places: Mapping[str, Sequence[Line]]
    states: Mapping[str, str]
    raised: Mapping[str, Line]
    failures: pd.DataFrame
    pending: Sequence[tuple[str, float, Sequence[tuple[str, int | None, str]]]]
    waiting: int
    oldest_s: float
    there: bool
    looked: datetime
    reason: str
    latencies_s: Sequence[float]
    look_took_s: float
    thumbnails: Sequence[tuple[str, np.ndarray]]

    @property
    def frames(self) -> int:
        """How many frames have a verdict."""
        return sum(map(len, self.places.values()))


@dataclass(frozen=True)
class WatchResults(PageResults):
    """What `watch_page` shows: what was seen, what `drawn` made of it, the rules.

    After `lost_s` without a new page the watch counts as lost.
    """

    watched: Watched
    drawn: Sequence[Section | None]
    rule: AlarmRule
    image_rule: ImageRule
    lost_s: float = LOST_S


def watch_page(results: WatchResults) -> Page:
    """The page of a watch, which a browser reads again and again while it runs."""
    seen = results.watched
    verdict, tone = headline(results)
    at = f"{seen.looked:%Y-%m-%d %H:%M:%S} UTC"
    lead = f"Ended: {seen.reason}." if seen.reason else f"Running; last look at {at}."
    sections = [
        None if seen.reason else _alive(results),
        *results.drawn,
        _positions(results),
        _delays(seen),
        _pending(seen),
        _failures(seen),
    ]
    page = results.page(verdict, tone, sections, [*_notes(results), *results.notes], lead=lead)
    return page if seen.reason else replace(page, refresh_s=REFRESH_S)


def headline(results: WatchResults) -> tuple[str, Tone]:
    """How many positions are in which state, and the tone."""
    seen, positive = results.watched, results.rule.positive
    if not seen.places:
        there = "" if seen.there else "; the folder is not there"
        return f"No frame has been judged{there}.", "warn"
    states = list(seen.states.values())
    order = [*reversed(results.image_rule.classes), DOUBT]
    counts = [f"{states.count(name)} {name}" for name in order if name in states]
    of = (
        f"Of {plural(len(states), 'position')}, {listed(counts)}, by {plural(seen.frames, 'frame')}"
    )
    alarms = f" Alarm: {few(seen.raised, 8)}." if seen.raised else ""
    if not seen.there and not seen.reason:
        return f"{of}. The folder is gone.{alarms}", "bad"
    tone: Tone = "bad" if seen.raised or positive in states else "info"
    return f"{of}.{alarms}", tone


def _alive(results: WatchResults) -> Section:
    looked_ms = int(1000 * results.watched.looked.timestamp())
    data = {"looked": looked_ms, "lost_s": results.lost_s}
    return Section("Watch", widgets=[Widget("watch.html", data)])


def drawn(seen: Watched, rule: AlarmRule, verdicts: ImageRule) -> tuple[Section | None, ...]:
    """Sections whose figures need not be drawn again while nothing new was judged."""
    return _curves(seen, rule, verdicts), _last_frames(seen)


def _curves(seen: Watched, rule: AlarmRule, verdicts: ImageRule) -> Section | None:
    if not seen.places:
        return None
    chosen = _alarms_first(seen)[:PANELS]
    columns = min(len(chosen), ACROSS)
    rows = -(-len(chosen) // columns)
    height_in = 2.9 if len(chosen) == 1 else 0.6 + 1.5 * rows
    with Sheet(9.4, height_in, rows=rows, columns=columns, used=len(chosen), gap_in=0.03) as sheet:
        for place, (axes, name) in enumerate(zip(sheet.panels, chosen, strict=False)):
            _panel(axes, rule, verdicts, seen.places[name])
            axes.set_title(tail(name, 24), fontsize=8 if len(chosen) > 1 else 10, pad=2)
            if place % columns:
                axes.set_yticklabels([])
        sheet.figure.supxlabel("frame, in order of time", fontsize=9)
        sheet.figure.supylabel(_of(rule), fontsize=9)
        caption = "A dot is coloured by the frame's verdict. Dashed: what an alarm counts from."
        if len(chosen) < len(seen.places):
            caption += f" {len(chosen)} of {len(seen.places)} positions, those in alarm first."
        alt = f"{sentence(_of(rule))} over time in {plural(len(chosen), 'position')}."
        picture = sheet.picture(alt, caption, wide=True)
    return Section("Position by position", pictures=[picture])


def _alarms_first(seen: Watched) -> list[str]:
    return sorted(seen.places, key=lambda name: (name not in seen.raised, natural_key(name)))


def _of(rule: AlarmRule) -> str:
    return "highest probability" if rule.positive is None else p_of(rule.positive)


def _panel(axes: Axes, rule: AlarmRule, verdicts: ImageRule, lines: Sequence[Line]) -> None:
    positive, names = rule.positive, verdicts.classes
    wanted = names if positive is None else (positive,)
    known = [number for number, line in enumerate(lines, 1) if line["n_patches"]]
    p = [max(float(lines[at - 1][f"p_{name}"]) for name in wanted) for at in known]
    colours = {name: class_look(number).colour for number, name in enumerate(names)}
    axes.plot(known, p, color=INK, lw=0.7, alpha=0.5)
    dots = [colours.get(lines[at - 1]["verdict"], UNSURE) for at in known]
    axes.scatter(known, p, c=dots, s=9 if len(known) < 100 else 4, zorder=3)
    if positive is not None:
        axes.axhline(_threshold(rule, verdicts), color=INK, lw=0.8, ls=(0, (4, 3)))
    unit_axis(axes, "y")
    axes.tick_params(labelsize=7, length=2, pad=1)
    axes.set_xlim(0.5, max(len(lines), 2) + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))


def _threshold(rule: AlarmRule, verdicts: ImageRule) -> float:
    """Above which p a frame speaks for the positive class."""
    return verdicts.high if rule.above is None else rule.above


def _positions(results: WatchResults) -> Section | None:
    seen, positive = results.watched, results.rule.positive
    if not seen.places:
        return None
    columns = ["position", "state", "alarm since", "frames", "last verdict", "p", "last image"]
    rows = []
    order = _alarms_first(seen)
    for name in order[:SHOWN]:
        line, raised = seen.places[name][-1], seen.raised.get(name)
        p = line.get(f"p_{positive}")
        since = "" if raised is None else f"{raised['image']}, frame {raised['t']}"
        shown = "" if p is None else f"{p:.2f}"
        count = f"{len(seen.places[name]):,}"
        rows.append([name, seen.states[name], since, count, line["verdict"], shown, line["image"]])
    caption = _rule(results)
    if len(order) > SHOWN:
        caption += f" First {SHOWN} of {len(order)} positions, those in alarm first."
    return Section("Positions", tables=[Table(columns, rows, caption, "lllrlrl")])


def _rule(results: WatchResults) -> str:
    rule, positive = results.rule, results.rule.positive
    of = f"at least {rule.least} of its last {rule.last} judged frames speak for"
    if positive is None:
        return f"A position is in the state that {of}; the model seeks no class: no alarm."
    threshold = threshold_p(_threshold(rule, results.image_rule))
    return (
        f"A position is in the state that {of}, and in alarm once that was {positive}. A frame"
        f" speaks for {positive} where p is above {threshold}; one without anything to judge does"
        " not count."
    )


def _last_frames(seen: Watched) -> Section | None:
    if not seen.thumbnails:
        return None
    captions, frames = zip(*seen.thumbnails, strict=True)
    picture = patch_gallery(frames, captions, title="Last frames")
    caption = picture.caption.replace("Each patch", "Each frame")
    return Section("Last frames", pictures=[replace(picture, caption=caption)])


def _delays(seen: Watched) -> Section | None:
    if not len(seen.latencies_s):
        return None
    middle, most, longest = np.percentile(seen.latencies_s, [50, 95, 100])
    rows = [
        ["half of the frames", f"{middle:.2f} s"],
        ["95% of the frames", f"{most:.2f} s"],
        ["the slowest", f"{longest:.2f} s"],
        ["files that wait", f"{seen.waiting:,}"],
        ["the oldest waits for", f"{seen.oldest_s:.1f} s"],
        ["one look took", f"{seen.look_took_s:.3f} s"],
    ]
    caption = "From the look that first saw a file as it was judged to its line in frames.jsonl."
    return Section("Delay", tables=[Table(["of this call", ""], rows, caption)])


def _pending(seen: Watched) -> Section | None:
    if not seen.pending:
        return None
    rows = [
        [name, f"{age_s:.0f} s", failed[0][2] if failed else "still changes, or has just come"]
        for name, age_s, failed in seen.pending[:SHOWN]
    ]
    caption = "They are tried again."
    if len(rows) < len(seen.pending):
        caption += f" First {SHOWN} of {len(seen.pending)}."
    table = Table(["image", "seen since", "what was wrong"], rows, caption, "lrl")
    return Section("Files that are not whole", tables=[table])


def _failures(seen: Watched) -> Section | None:
    if seen.failures.empty:
        return None
    return Section("Frames without a verdict", tables=[Table.of(seen.failures, most=SHOWN)])


def _notes(results: WatchResults) -> Iterator[Note]:
    seen, rule = results.watched, results.rule
    if len(seen.failures):
        yield bad(f"{plural(len(seen.failures), 'input')} got no verdict; they are listed below.")
    if seen.waiting and seen.oldest_s > 2 * REFRESH_S:
        yield warn(
            f"Frames arrive faster than they are judged: {plural(seen.waiting, 'file')} wait, the"
            f" oldest for {seen.oldest_s:.0f} s. They are judged in order, and none is left out."
        )
    alone = sum(
        lines[0]["image"] == name and len(lines) == 1 for name, lines in seen.places.items()
    )
    if alone > 1 and rule.least > 1:
        yield warn(
            f"{plural(alone, 'image')} of one frame say no position, so each is one of its own and"
            " never in alarm: name positions with --pattern, such as {well}_{position}_t{t}.tif."
        )
    if rule.positive is not None and seen.places:
        longest = max(map(len, seen.places.values()))
        chance = rule.false_alarms(MAX_ERROR, longest)
        yield info(
            f"No error rate of the alarm is known. If {MAX_ERROR:.0%} of a position's frames were"
            f" called {rule.positive} wrongly, one independently of the other, {chance:.2%} of such"
            f" positions would be in alarm within {plural(longest, 'frame')}; but frames of one"
            " position err alike (a bubble, a drifting focus), and where they do persistence is no"
            f" guard. The model's own verdicts: {results.image_rule.note or 'nothing is known'}."
        )
    yield info("A curve is of one position, and has no interval: positions are what differ.")
    yield ELSEWHERE
