"""The page of a localisation: which pictures hold the positive class, and where."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from livewell.report.figures import verdict_strip
from livewell.report.page import Note, Page, Picture, Section, Table, Tone
from livewell.report.trust import plural, sorted_notes
from livewell.report.verdicts import ELSEWHERE, UNDECIDED

MOST = 20
"""Rows of the table of pictures with most places."""
MAY_BE_BARE = ("well", "position", "note")
"""Columns that are left out where they say nothing."""
POOLED = {
    "max": "the surest place of each class speaks for the picture",
    "average": "the mean of all places speaks for the picture",
    "": "all places together make the picture's score",
}
"""What becomes of the places, by the net's global pooling."""
Measured = tuple[str, float, float, float]


@dataclass(frozen=True)
class LocaliseResults:
    """What `localise_page` shows.

    Parameters
    ----------
    title, subtitle
        What was judged, by which model.
    classes
        Names of (negative, positive).
    pictures
        One row a picture and frame: image, t, p, verdict, found, and perhaps well, position, note.
    detections
        One row a place: image, t, number, y, x, p.
    failures
        One row an input that could not be judged: image, t, error.
    threshold, band
        On a picture's p.
    least
        Least probability of a place that was listed.
    pooling
        Name of the net's global pooling.
    chosen
        Whether that is the card's own threshold, chosen on validation frames.
    overlays
        Some pictures under their places.
    maps
        The paper's Figure 3; ``None`` if no picture was judged.
    measured
        Name, value, low and high of the model's figures on unseen groups.
    card
        Summary of the model's card.
    notes, settings, versions
        As in `livewell.report.page.Page`.
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
    card: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[Note] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, Any] = field(default_factory=dict)


def localise_page(results: LocaliseResults) -> Page:
    """The page of a localisation."""
    sentence, tone = headline(results)
    every = results.pictures.drop(columns="mask", errors="ignore")
    told = every.notna() & (every != "")
    said = [name for name in every if name not in MAY_BE_BARE or told[name].any()]
    sections = [
        _strip(results),
        _most(results),
        *_overlays(results),
        *_maps(results),
        _meaning(results),
        Section("All pictures", tables=[Table.of(every[said])]),
    ]
    if len(results.failures):
        sections.append(
            Section("Inputs that could not be judged", tables=[Table.of(results.failures)])
        )
    return Page(
        title=results.title,
        subtitle=results.subtitle,
        verdict=sentence,
        tone=tone,
        lead="The model learnt from labels of whole images which of them hold"
        f" {results.classes[1]}; nobody ever showed it one. It looks at every place of a picture"
        f" by itself, and {POOLED.get(results.pooling, POOLED[''])}.",
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
    where = f" in {plural(holding, 'picture')}" if places else ""
    judged = len(table) - int(counts.get("nothing to judge", 0))
    return (
        f"Of {plural(len(table), 'picture')}, {listed}. {plural(places, 'place')}{where} look"
        f"{'s' if places == 1 else ''} {positive}.{unread}",
        "warn" if failed or not judged else "info",
    )


def _said(count: int, kind: str) -> str:
    if kind == "unsure":
        return f"{count} {'is' if count == 1 else 'are'} unsure"
    if kind == "nothing to judge":
        return f"{count} {'has' if count == 1 else 'have'} nothing to judge"
    return f"{count} {'is' if count == 1 else 'are'} called {kind}"


def _notes(results: LocaliseResults) -> list[Note]:
    counts = results.pictures["verdict"].value_counts()
    positive = results.classes[1]
    notes = []
    if len(results.failures):
        lost = plural(len(results.failures), "input")
        notes.append(Note("bad", f"{lost} could not be judged; they are listed below."))
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
                f"{plural(stray, 'place')} of {len(results.detections)} lie in"
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
    return [*notes, ELSEWHERE]


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
    return Section(
        "Pictures with most places",
        tables=[Table.of(shown.rename(columns={"t": "frame", "found": "places"}))],
    )


def _overlays(results: LocaliseResults) -> list[Section]:
    if not results.overlays:
        return []
    return [
        Section(
            "Pictures under their places",
            f"{len(results.overlays)} of {plural(len(results.pictures), 'picture')}: the surest"
            f" {results.classes[1]}, then unsure ones, then the surest {results.classes[0]}."
            " Outlined are the pixels of each place; beside its number stands its probability.",
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
    positive = results.classes[1]
    how = (
        "a low one of those that told validation frames apart best by their highest place"
        if results.chosen
        else "as you asked"
    )
    notes = [
        Note(
            "info",
            f"A place says where evidence for {positive} was. It is no segmentation: its outline is"
            " cut at a share of what the place's score hangs on most, and need not follow an edge"
            " that you see.",
        ),
        Note(
            "info",
            "The model was trained on labels of images alone. It finds what sets the two kinds of"
            f" image apart, which is {positive} only as far as nothing else does: look at the"
            " overlays before you count.",
        ),
        Note(
            "info",
            f"A place is listed from p {results.least:.2g} on, {how}. That p was fitted to labels"
            " of images, not to marked objects: it ranks places, and is not the chance that one"
            f" holds {positive}.",
        ),
        Note("info", "Objects that touch may share one place, so places are no exact count."),
    ]
    tables = []
    if results.measured:
        rows = [
            (name, f"{value:.3f}", f"{low:.3f} to {high:.3f}")
            for name, value, low, high in results.measured
        ]
        tables.append(
            Table(("figure", "value", "95% interval"), rows, "The model on unseen groups", "lrr")
        )
    else:
        notes.append(
            Note("warn", "The model was not measured on unseen groups; run `livewell evaluate`.")
        )
    return Section("What a place is, and is not", notes=notes, tables=tables)
