"""The page of a localisation: which pictures hold the positive class, and where."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from livewell.report import trust
from livewell.report.estimate import Estimate, metric_name
from livewell.report.figures import verdict_strip
from livewell.report.overlays import FEW, MOST_NUMBERED
from livewell.report.page import Note, Page, Picture, Section, Table, Tone
from livewell.report.trust import sorted_notes
from livewell.report.verdicts import UNDECIDED
from livewell.text import chance, plural, threshold_p

MOST = 20
"""Rows of the table of pictures with most places."""
MAY_BE_BARE = ("well", "position", "note", "learnt")
"""Columns that are left out where they say nothing."""
POOLED = {
    "max": "the surest place of each class speaks for the picture",
    "average": "the mean of all places speaks for the picture",
    "": "all places together make the picture's score",
}
"""What becomes of the places, by the net's global pooling."""
OF_PLACES = "place_"
"""How the names of figures of places begin, `livewell.detection.places`."""
PLACE_NAMES = {"f1": "F1", "average_precision": "average precision"}
TWO_RULES = (
    "The p of a picture and that of a place come from rules of their own, each fitted to labels of"
    " images: that of a picture may lie below that of its surest place."
)
Measured = tuple[str, float, float, float]


@dataclass(frozen=True)
class LocaliseResults:
    """What `localise_page` shows; classes are (negative, positive).

    `pictures` has one row a picture and frame (image, t, p, verdict, found, and perhaps well,
    position, note, and learnt: 1 where the model has learnt from the image), `detections` one a
    place (image, t, number, y, x, p), `failures` one an input that could not be judged (image, t,
    error). Threshold and band are on a picture's p; `least` is the least p of a place that was
    listed, `chosen` whether that is the card's own threshold, from validation frames.

    `maps` is the paper's Figure 3. `measured` has name, value, low and high of the model's figures
    on unseen groups, as its card has them; names that begin with `OF_PLACES` are of places.
    `learnt` counts images that the model was trained or calibrated on.
    """

    title: str
    subtitle: str
    classes: tuple[str, str]
    pictures: pd.DataFrame
    detections: pd.DataFrame
    failures: pd.DataFrame
    threshold: float
    band: tuple[float, float]
    least: float
    pooling: str = "max"
    chosen: bool = True
    overlays: Sequence[Picture] = ()
    maps: Picture | None = None
    measured: Sequence[Measured] = ()
    learnt: int = 0
    card: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[Note] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, Any] = field(default_factory=dict)


def localise_page(results: LocaliseResults) -> Page:
    """The page of a localisation."""
    sentence, tone = headline(results)
    sections = [] if results.pictures.empty else _judged(results)
    if len(results.failures):
        failed = _table(results.failures.rename(columns={"t": "frame"}))
        sections.append(Section("Inputs that could not be judged", tables=[failed]))
    negative, positive = results.classes
    return Page(
        title=results.title,
        subtitle=results.subtitle,
        verdict=sentence,
        tone=tone,
        lead=f"The model learnt from whole images labelled {positive} or {negative}; nobody ever"
        " showed it where in them the difference lies. It looks at every place of a picture by"
        f" itself, and {POOLED.get(results.pooling, POOLED[''])}.",
        trust=sorted_notes([*_notes(results), *results.notes]),
        sections=sections,
        settings={"model": dict(results.card), **results.settings},
        versions=results.versions,
    )


def headline(results: LocaliseResults) -> tuple[str, Tone]:
    """How many pictures of each verdict, and how many places, in one or two sentences."""
    table, (negative, positive) = results.pictures, results.classes
    failed = len(results.failures)
    unread = f" {plural(failed, 'input')} could not be judged." if failed else ""
    if table.empty:
        return f"No picture was judged.{unread}", "bad"
    counts = table["verdict"].value_counts()
    said = [
        _said(int(counts[kind]), kind)
        for kind in (positive, negative, *UNDECIDED)
        if counts.get(kind)
    ]
    listed = said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"
    places, holding = len(results.detections), int((table["found"] > 0).sum())
    found = (
        f"{plural(places, 'place')} of class {positive} {'was' if places == 1 else 'were'} found"
        f" in {plural(holding, 'picture')}"
        if places
        else f"No place of class {positive} was found"
    )
    judged = len(table) - int(counts.get("nothing to judge", 0))
    grave = any(note.tone == "bad" for note in _of_the_model(results))
    return (
        f"Of {plural(len(table), 'picture')}, {listed}. {found}.{unread}",
        "warn" if failed or grave or not judged else "info",
    )


def _said(count: int, kind: str) -> str:
    if kind == "unsure":
        return f"{count} {'is' if count == 1 else 'are'} unsure"
    if kind == "nothing to judge":
        return f"{count} {'has' if count == 1 else 'have'} nothing to judge"
    return f"{count} {'is' if count == 1 else 'are'} called {kind}"


def _judged(results: LocaliseResults) -> list[Section]:
    """What is said where a picture was judged."""
    every = results.pictures.drop(columns="mask", errors="ignore")
    if "learnt" in every:
        every = every.assign(learnt=every["learnt"].map({0: "", 1: "yes"}))
    told = every.notna() & (every != "")
    said = [name for name in every if name not in MAY_BE_BARE or told[name].any()]
    return [
        _strip(results),
        _most(results),
        *_overlays(results),
        *_maps(results),
        _meaning(results),
        Section("All pictures", tables=[_table(_named(every[said]))]),
    ]


def _named(table: pd.DataFrame) -> pd.DataFrame:
    """Columns under the words of this page."""
    return table.rename(columns={"t": "frame", "found": "places"})


def _table(table: pd.DataFrame) -> Table:
    """A table whose probabilities are never rounded to 0 or 1."""
    chances = [name for name in ("p", "surest place") if name in table]
    made = Table.of(table.assign(**{name: table[name].map(chance) for name in chances}))
    sides = ["r" if n in chances else s for n, s in zip(table.columns, made.sides, strict=True)]
    return replace(made, align="".join(sides))


def _of_the_model(results: LocaliseResults) -> list[Note]:
    """What its figures say of it, and whether they hold for these images."""
    images = results.pictures["image"].nunique()
    known = {row[0]: Estimate(*row[1:]) for row in results.measured}
    area = known.get("roc_auc", known.get("within_auc"))
    notes = [
        *trust.learnt_from(results.learnt, images),
        *([] if known else [trust.NOT_MEASURED]),
        *([] if area is None else trust.without_skill(area)),
    ]
    return notes if results.learnt >= images else [*notes, trust.taken_alike(bool(known))]


def _notes(results: LocaliseResults) -> list[Note]:
    positive = results.classes[1]
    notes = []
    if len(results.failures):
        lost = plural(len(results.failures), "input")
        where = "it is" if len(results.failures) == 1 else "they are"
        notes.append(Note("bad", f"{lost} could not be judged; {where} listed below."))
    if results.pictures.empty:
        return notes
    counts = results.pictures["verdict"].value_counts()
    if counts.get("unsure"):
        low, high = results.band
        notes.append(
            Note(
                "info",
                f"The band of doubt ({low:.2f} to {high:.2f}), where the model was too often wrong"
                f" on its own validation data, holds {plural(int(counts['unsure']), 'picture')}: no"
                " verdict.",
            )
        )
    if counts.get("nothing to judge"):
        n = plural(int(counts["nothing to judge"]), "picture")
        notes.append(Note("info", f"No texture above the noise was found in {n}."))
    others = results.pictures[results.pictures["verdict"] != positive]
    stray = int(others["found"].sum())
    if stray:
        notes.append(
            Note(
                "info",
                f"Of {plural(len(results.detections), 'place')}, {stray}"
                f" {'lies' if stray == 1 else 'lie'} in"
                f" {plural(int((others['found'] > 0).sum()), 'picture')} not called {positive}."
                " Picture and place are called by rules of their own; which places to believe is"
                " for you to say: the table of detections has them all.",
            )
        )
    bare = int(((results.pictures["verdict"] == positive) & (results.pictures["found"] == 0)).sum())
    if bare:
        notes.append(
            Note(
                "warn",
                f"{plural(bare, 'picture')} called {positive} without any place: below the"
                " threshold of a place, or in what was mirrored beyond the edge of a picture"
                " smaller than the training frames. Look at them before you believe the verdict.",
            )
        )
    return [*notes, *_of_the_model(results)]


def _strip(results: LocaliseResults) -> Section:
    strip = verdict_strip(
        results.pictures.rename(columns={"p": "p_sick"}),
        results.threshold,
        results.band,
        positive=results.classes[1],
    )
    return Section("Picture by picture", pictures=[strip])


def _most(results: LocaliseResults) -> Section:
    table = results.pictures[results.pictures["found"] > 0]
    table = table.sort_values(["found", "p"], ascending=False, kind="stable").head(MOST)
    if table.empty:
        return Section("Pictures with most places", "No place reached the threshold.")
    surest = results.detections.groupby(["image", "t"])["p"].max().rename("surest place")
    table = table.merge(surest, left_on=["image", "t"], right_index=True, how="left")
    shown = table[["image", "t", "verdict", "p", "found", "surest place"]]
    return Section("Pictures with most places", TWO_RULES, tables=[_table(_named(shown))])


def _overlays(results: LocaliseResults) -> list[Section]:
    if not results.overlays:
        return []
    return [
        Section(
            "Pictures under their places",
            f"{len(results.overlays)} of {plural(len(results.pictures), 'picture')}: those most"
            f" surely called {results.classes[1]}, then unsure ones, then those most surely called"
            f" {results.classes[0]}. Outlined are the pixels of each place, with its number; with"
            f" up to {FEW} places, its p stands beside it, and with more than {MOST_NUMBERED}"
            f" there is no number. {TWO_RULES}",
            pictures=results.overlays,
        )
    ]


def _maps(results: LocaliseResults) -> list[Section]:
    if results.maps is None:
        return []
    return [
        Section(
            "What the net computes",
            "The last convolution makes two maps of the picture, one a class;"
            f" {POOLED.get(results.pooling, POOLED[''])}.",
            pictures=[results.maps],
        )
    ]


def _meaning(results: LocaliseResults) -> Section:
    negative, positive = results.classes
    how = (
        "a low one of those that told validation frames apart best by their highest place"
        if results.chosen
        else "as you asked"
    )
    look = ": look at the overlays before you count" if results.overlays else ""
    texts = [
        f"A place says where the evidence for class {positive} lies. It is no segmentation: its"
        " outline is cut at a share of what the place's score hangs on most, and need not follow an"
        " edge that you see.",
        "Peaks may lie a few pixels beside the middle of an object, the same way in all pictures of"
        " a model.",
        "The model was trained on labels of images alone. It finds whatever sets images labelled"
        f" {positive} and {negative} apart, be it what the labels mean or what goes with"
        f" it{look}.",
        f"A place is listed from p {threshold_p(results.least)} on, {how}. That p was fitted to"
        " labels of images, not to marked objects: it ranks places, and is not the chance that one"
        " is right.",
        "Objects that touch may share one place, so places are no exact count.",
    ]
    tables = [_measured(results)] if results.measured else []
    return Section(
        "What a place is, and is not", notes=[Note("info", text) for text in texts], tables=tables
    )


def _measured(results: LocaliseResults) -> Table:
    """The model's own figures, those of images before those of places."""
    ordered = sorted(results.measured, key=lambda row: row[0].startswith(OF_PLACES))
    rows = [
        (
            _metric(name),
            f"{value:.3f}",
            f"{low:.3f} to {high:.3f}" if math.isfinite(low) and math.isfinite(high) else "",
        )
        for name, value, low, high in ordered
    ]
    return Table(("figure", "value", "95% interval"), rows, "The model on unseen groups", "lrr")


def _metric(name: str) -> str:
    """The readable name of a figure."""
    if name.startswith(OF_PLACES):
        bare = name.removeprefix(OF_PLACES)
        return f"places: {PLACE_NAMES.get(bare, bare.replace('_', ' '))}"
    return metric_name(name)
