"""The reports of verdicts on new images and of a heat-map run."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from livewell.classes import ClassNames, p_word
from livewell.report.class_figures import class_areas, class_verdicts
from livewell.report.figures import verdict_strip
from livewell.report.maps import class_plate, plate_view
from livewell.report.page import Note, Page, Section, Table, Tone, bad, info
from livewell.report.results import AssessResults, HeatmapResults
from livewell.report.stains import stain_section
from livewell.report.timecourses import sick_curve
from livewell.report.trust import ELSEWHERE
from livewell.text import listed, plural, sentence

Verbs = tuple[str, str]
LOOK: Verbs = ("looks", "look")
UNDECIDED = {"unsure": ("is", "are"), "nothing to judge": ("has", "have")}
"""Verdicts that name no class, and what one image and many do."""
TOO_WRONG = "where the model was too often wrong on its own validation data"
ABSOLUTE = (
    "The heat map's scale is absolute: the same colour means the same probability in every frame "
    "and movie."
)
WHOLE_WINDOWS = info(
    "A point of the map is coloured by the whole window around it: the map says where in the frame,"
    " not which cell."
)
CENTRES = info(
    "A point of the map is coloured by what is at it and close by, and only where there is a cell:"
    " the model judges what is at the centre of a window."
)


def assess_page(results: AssessResults) -> Page:
    """The page of verdicts on new images: how many of each, where, and what could not be read."""
    table, classes, failures = results.verdicts, results.classes, results.failures
    names = list(reversed(classes.names) if classes.binary else classes.sought)
    sentence, tone = counted(table, names, len(failures), "read")
    if classes.binary:
        strip = verdict_strip(table, results.threshold, results.band, positive=classes[1])
    else:
        strip = class_verdicts(table, classes)
    unknown = [name for name in ("well", "position") if name in table and table[name].isna().all()]
    unread = Section("Inputs that could not be read", tables=[Table.of(failures)])
    sections = [
        Section("Image by image", pictures=[strip]),
        *results.further,
        _plate(results),
        *(gallery.section() for gallery in results.galleries),
        Section("Verdicts", tables=[Table.of(table.drop(columns=unknown))]),
        unread if len(failures) else None,
    ]
    return results.page(sentence, tone, sections, [*_assess_notes(results), *results.notes])


def heatmap_page(results: HeatmapResults) -> Page:
    """The page of a heat-map run: the curve of the sick area, the video, stills."""
    curve, classes = results.curve, results.classes
    names = ["fraction"] if classes.binary else [f"fraction_{name}" for name in classes]
    shares = curve[names].to_numpy(float)
    known = shares[np.isfinite(shares).all(axis=1)]
    notes = [CENTRES if results.of_centres else WHOLE_WINDOWS, ELSEWHERE]
    if len(known) < len(shares):
        lost = plural(len(shares) - len(known), "frame")
        notes.insert(0, info(f"Nothing was to judge in {lost} of {len(shares)}."))
    videos = [results.video] if results.video is not None else []
    title = "The movie" if len(shares) > 1 else "The image"
    film = Section(title, videos=videos, pictures=results.stills)
    return results.page(
        _heatmap_headline(known, len(shares), classes),
        "info" if known.size else "bad",
        [
            _areas(results),
            film if videos or results.stills else None,
            None if results.stain is None else stain_section(results.stain),
        ],
        [*results.notes, *notes],
    )


def _areas(results: HeatmapResults) -> Section:
    """Share of the area over the threshold of two classes, or of each most probable of more."""
    classes, curve = results.classes, results.curve
    x, label = _time_axis(curve)
    over_time = " over time" if len(x) > 1 else ""
    if not classes.binary:
        shares = {name: curve[f"fraction_{name}"] for name in classes}
        how = "An area is coloured by its most probable class, the stronger the more probable. "
        drawn = [class_areas(x, shares, classes, x_label=label)] if len(x) > 1 else []
        return Section(f"Area of each class{over_time}", how + ABSOLUTE, drawn)
    positive, counts = classes[1], ""
    if results.threshold is not None:
        word = p_word(positive)
        counts = (
            f"An area counts as {positive} where its {word} is {results.threshold:.2f} or more. "
        )
    curves = [sick_curve(x, curve["fraction"], x_label=label, positive=positive)]
    title = f"{sentence(positive)} area{over_time}"
    absolute = ABSOLUTE.replace("probability", p_word(positive))
    return Section(title, counts + absolute, curves if len(x) > 1 else [])


def _heatmap_headline(known: np.ndarray, frames: int, classes: ClassNames) -> str:
    over = plural(frames, "frame")
    if not known.size:
        return f"There was nothing to judge in any of {over}."
    if classes.binary:
        first, last = (f"{known[at, 0]:.0%}" for at in (0, -1))
        if len(known) == 1:
            return f"{first} of the judged area looks {classes[1]}."
        goes = f"The {classes[1]} area goes from {first} to {last} of what was judged over {over}"
        return f"{goes}, and is {known[:, 0].max():.0%} at most."
    order = [classes.code(name) for name in classes.sought]
    first, last = (
        listed(f"{known[at, code]:.0%} {classes[code]}" for code in order) for at in (0, -1)
    )
    if len(known) == 1:
        return f"The judged area looks {first}."
    return f"The judged area goes from {first} to {last} over {over}."


def _time_axis(curve: pd.DataFrame) -> tuple[np.ndarray, str]:
    if "time_s" not in curve or curve["time_s"].isna().any():
        return curve["t"].to_numpy(float), "frame"
    time_s = curve["time_s"].to_numpy(float)
    for unit_s, name in ((3600, "h"), (60, "min")):
        if np.ptp(time_s) >= 2 * unit_s:
            return time_s / unit_s, f"time ({name})"
    return time_s, "time (s)"


def noun_of(table: pd.DataFrame) -> str:
    """What one row of a table of verdicts is: a frame where an image has several, else an image."""
    return "image" if table["image"].is_unique else "frame"


def counted(
    table: pd.DataFrame,
    classes: Sequence[str],
    failed: int,
    done: str,
    verbs: Verbs = LOOK,
    further: str = "",
) -> tuple[str, Tone]:
    """How many rows have each verdict, what else is said, and how many inputs were not `done`."""
    unread = f" {plural(failed, 'input')} could not be {done}." if failed else ""
    if table.empty:
        return f"No image was judged.{unread}", "bad"
    counts = table["verdict"].value_counts()
    kinds = dict.fromkeys(classes, verbs) | UNDECIDED
    said = [
        f"{counts[kind]} {one if counts[kind] == 1 else many} {kind}"
        for kind, (one, many) in kinds.items()
        if counts.get(kind)
    ]
    judged = len(table) - int(counts.get("nothing to judge", 0))
    tone: Tone = "warn" if failed or not judged else "info"
    return f"Of {plural(len(table), noun_of(table))}, {listed(said)}.{further}{unread}", tone


def _assess_notes(results: AssessResults) -> Iterator[Note]:
    if len(results.failures):
        lost = plural(len(results.failures), "input")
        yield bad(f"{lost} could not be read and got no verdict; they are listed below.")
    if results.verdicts.empty:
        yield ELSEWHERE
        return
    if results.familiarity and "distance" in results.verdicts:
        for text in results.familiarity.notes(results.verdicts["distance"].tolist(), "images"):
            yield bad(f"{text}.")
    verdicts, noun = list(results.verdicts["verdict"]), noun_of(results.verdicts)
    unsure, bare = (plural(verdicts.count(kind), noun) for kind in UNDECIDED)
    if "unsure" in verdicts and results.classes.binary:
        yield info(doubt(results.band, unsure))
    elif "unsure" in verdicts:
        yield info(f"No class is probable enough, {TOO_WRONG}, in {unsure}: no verdict.")
    if "nothing to judge" in verdicts:
        yield info(f"Nothing to judge was found in {bare}, as in fields without cells.")
    yield ELSEWHERE


def doubt(band: tuple[float, float] | None, unsure: str) -> str:
    """Where so many unsure images lie, of two classes."""
    where = f" ({band[0]:.2f} to {band[1]:.2f})" if band else ""
    return f"The band of doubt{where}, {TOO_WRONG}, holds {unsure}: no verdict."


def _plate(results: AssessResults) -> Section | None:
    table = results.verdicts
    if "well" not in table or not table["well"].notna().any():
        return None
    wells = table[table["well"].notna()].groupby("well", sort=True)
    states = list(wells["verdict"].agg(lambda kinds: kinds.mode().iloc[0]))
    names = [str(name) for name in wells.groups]
    classes = results.classes
    if classes.binary:
        share = wells["sick_fraction"].mean().to_numpy(float)
        view = plate_view(names, share, states, positive=classes[1])
    else:
        shares = wells[[f"called_{name}" for name in classes]].mean().to_numpy(float)
        view = class_plate(names, shares, classes, states)
    return Section("Plate", "Mean over the images of each well.", [view])
