"""The reports of verdicts on new images and of a heat-map run."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from livewell.classes import ClassNames
from livewell.report.class_figures import class_areas, class_verdicts
from livewell.report.figures import verdict_strip
from livewell.report.maps import class_plate, plate_view
from livewell.report.page import Note, Page, Section, Table, Tone
from livewell.report.results import AssessResults, HeatmapResults
from livewell.report.trends import sick_curve
from livewell.report.trust import sorted_notes
from livewell.text import listed, plural

UNDECIDED = ("unsure", "nothing to judge")
"""Verdicts that name no class."""

ABSOLUTE = (
    "The heat map's scale is absolute: the same colour means the same probability in every frame "
    "and movie."
)
ELSEWHERE = Note(
    "info",
    "What the model says holds as far as these images were taken like those that it learnt from "
    "and was measured on: same optics, magnification, cells and culture.",
)
"""Stands on every page of new images."""


def assess_page(results: AssessResults) -> Page:
    """The page of verdicts on new images: how many of each, where, and what could not be read."""
    sentence, tone = _assess_headline(results)
    sections = [_pictures(results), *_plate(results)]
    sections += [
        Section(gallery.title, gallery.lead, pictures=[gallery.picture()])
        for gallery in results.galleries
    ]
    sections.append(_listing(results))
    return Page(
        title=results.title,
        subtitle=results.subtitle,
        verdict=sentence,
        tone=tone,
        trust=sorted_notes([*_assess_notes(results), *results.notes]),
        sections=[*sections, *_unread(results)],
        settings={"model": dict(results.card), **results.settings}
        if results.card
        else results.settings,
        versions=results.versions,
    )


def heatmap_page(results: HeatmapResults) -> Page:
    """The page of a heat-map run: the curve of the sick area, the video, stills."""
    curve, classes = results.curve, results.classes
    names = ["fraction"] if classes.binary else [f"fraction_{name}" for name in classes]
    shares = curve[names].to_numpy(float)
    known = shares[np.isfinite(shares).all(axis=1)]
    notes = list(results.notes)
    if len(known) < len(shares):
        lost = plural(len(shares) - len(known), "frame")
        notes.append(Note("info", f"Nothing was to judge in {lost} of {len(shares)}."))
    notes += [
        Note(
            "info",
            "A place is coloured by the whole window around it: the map tells where in the frame, "
            "not which cell.",
        ),
        ELSEWHERE,
    ]
    sections = [_positive_area(results) if classes.binary else _class_areas(results)]
    if results.video is not None or results.stills:
        videos = [results.video] if results.video is not None else []
        sections.append(Section("The movie", videos=videos, pictures=results.stills))
    return Page(
        title=results.title,
        subtitle=results.subtitle,
        verdict=_heatmap_headline(known, len(shares), classes),
        tone="info" if known.size else "bad",
        trust=sorted_notes(notes),
        sections=sections,
        settings={"model": dict(results.card), **results.settings}
        if results.card
        else results.settings,
        versions=results.versions,
    )


def _positive_area(results: HeatmapResults) -> Section:
    """Of two classes: share of the area over the threshold."""
    positive, curve = results.classes[1], results.curve
    x, label = _time_axis(curve)
    band = (curve["low"], curve["high"]) if {"low", "high"} <= set(curve.columns) else None
    counts = ""
    if results.threshold is not None:
        counts = f"An area counts as {positive} where its probability is {results.threshold:.2f} or"
        counts += " more. "
    drawn = sick_curve(x, curve["fraction"], band, x_label=label, positive=positive)
    return Section(
        f"{positive.capitalize()} area over time",
        counts + ABSOLUTE,
        pictures=[drawn],
    )


def _class_areas(results: HeatmapResults) -> Section:
    """Of three or more classes: share of the area whose most probable class is each one."""
    x, label = _time_axis(results.curve)
    shares = {name: results.curve[f"fraction_{name}"] for name in results.classes}
    return Section(
        "Area of each class over time",
        "An area is coloured by its most probable class, the stronger the more probable. "
        + ABSOLUTE,
        pictures=[class_areas(x, shares, results.classes, x_label=label)],
    )


def _heatmap_headline(known: np.ndarray, frames: int, classes: ClassNames) -> str:
    if not known.size:
        return f"There was nothing to judge in any of {plural(frames, 'frame')}."
    if not classes.binary:
        return _areas_headline(known, frames, classes)
    positive, known = classes[1], known[:, 0]
    if known.size == 1:
        return f"{known[0]:.0%} of the judged area looks {positive}."
    return (
        f"The {positive} area goes from {known[0]:.0%} to {known[-1]:.0%} of what was judged over "
        f"{plural(frames, 'frame')}, and is {known.max():.0%} at most."
    )


def _areas_headline(known: np.ndarray, frames: int, classes: ClassNames) -> str:
    order = [classes.code(name) for name in classes.sought]
    first = listed(f"{known[0, code]:.0%} {classes[code]}" for code in order)
    if len(known) == 1:
        return f"The judged area looks {first}."
    last = listed(f"{known[-1, code]:.0%} {classes[code]}" for code in order)
    return f"The judged area goes from {first} to {last} over {plural(frames, 'frame')}."


def _time_axis(curve: pd.DataFrame) -> tuple[np.ndarray, str]:
    if "time_s" not in curve or curve["time_s"].isna().any():
        return curve["t"].to_numpy(float), "frame"
    time_s = curve["time_s"].to_numpy(float)
    for unit_s, name in ((3600, "h"), (60, "min")):
        if np.ptp(time_s) >= 2 * unit_s:
            return time_s / unit_s, f"time ({name})"
    return time_s, "time (s)"


def _assess_headline(results: AssessResults) -> tuple[str, Tone]:
    table, classes = results.verdicts, results.classes
    failed = len(results.failures)
    unread = f" {plural(failed, 'input')} could not be read." if failed else ""
    if table.empty:
        return f"No picture was judged.{unread}", "bad"
    counts = table["verdict"].value_counts()
    names = reversed(classes.names) if classes.binary else classes.sought
    kinds = [*names, *UNDECIDED]
    said = [_said(int(counts[kind]), kind) for kind in kinds if counts.get(kind)]
    judged = len(table) - int(counts.get("nothing to judge", 0))
    tone: Tone = "warn" if failed or not judged else "info"
    return f"Of {plural(len(table), 'picture')}, {listed(said)}.{unread}", tone


def _said(count: int, kind: str) -> str:
    if kind == "unsure":
        return f"{count} {'is' if count == 1 else 'are'} unsure"
    if kind == "nothing to judge":
        return f"{count} {'has' if count == 1 else 'have'} nothing to judge"
    return f"{count} look{'s' if count == 1 else ''} {kind}"


def _assess_notes(results: AssessResults) -> list[Note]:
    notes = []
    counts: Mapping[Any, int] = (
        results.verdicts["verdict"].value_counts().to_dict() if len(results.verdicts) else {}
    )
    if len(results.failures):
        lost = plural(len(results.failures), "input")
        notes.append(
            Note("bad", f"{lost} could not be read and got no verdict; they are listed below.")
        )
    if counts.get("unsure"):
        unsure = plural(int(counts["unsure"]), "picture")
        notes.append(Note("info", _doubt(results, unsure)))
    if counts.get("nothing to judge"):
        n = plural(int(counts["nothing to judge"]), "picture")
        notes.append(
            Note("info", f"Nothing to judge was found in {n}, as in fields without cells.")
        )
    return [*notes, ELSEWHERE]


def _doubt(results: AssessResults, unsure: str) -> str:
    wrong = "where the model was too often wrong on its own validation data"
    if not results.classes.binary:
        return f"No class is probable enough, {wrong}, in {unsure}: no verdict."
    band = results.band
    where = f" ({band[0]:.2f} to {band[1]:.2f})" if band else ""
    return f"The band of doubt{where}, {wrong}, holds {unsure}: no verdict."


def _pictures(results: AssessResults) -> Section:
    if results.classes.binary:
        strip = verdict_strip(
            results.verdicts, results.threshold, results.band, positive=results.classes[1]
        )
    else:
        strip = class_verdicts(results.verdicts, results.classes)
    return Section("Picture by picture", pictures=[strip])


def _plate(results: AssessResults) -> list[Section]:
    table = results.verdicts
    if "well" not in table or not table["well"].notna().any():
        return []
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
    return [Section("Plate", "Mean over the pictures of each well.", pictures=[view])]


def _listing(results: AssessResults) -> Section:
    return Section("Verdicts", tables=[Table.of(results.verdicts)])


def _unread(results: AssessResults) -> list[Section]:
    if results.failures.empty:
        return []
    return [Section("Inputs that could not be read", tables=[Table.of(results.failures)])]
