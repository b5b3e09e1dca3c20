"""The page of a localisation: which images hold the positive class, and where."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from livewell.metrics.intervals import Estimate
from livewell.report import trust
from livewell.report.figures import verdict_strip
from livewell.report.overlays import FEW, MOST_NUMBERED
from livewell.report.page import Note, Page, Picture, Section, Table, Tone, bad, info, warn
from livewell.report.results import PageResults
from livewell.report.verdicts import counted, doubt, noun_of
from livewell.report.vocabulary import metric_name
from livewell.text import chance, plural, threshold_p

MOST = 20
"""Rows of the table of images with most detections."""
MAY_BE_BARE = ("well", "position", "note", "learnt")
"""Columns that are left out where they say nothing."""
POOLED = {
    "max": "the surest cell of each class map speaks for the image",
    "average": "the mean of all cells of the class map speaks for the image",
    "": "all cells of the class map together make the image's score",
}
"""What becomes of the cells of the class map, by the net's global pooling."""
OF_PLACES = "place_"
"""How the names of figures of detections begin, `livewell.detection.places`."""
PLACE_NAMES = {"f1": "F1", "average_precision": "average precision"}
TWO_RULES = (
    "The p of an image and that of a detection come from rules of their own, each fitted to labels"
    " of images: that of an image may lie below that of its surest detection."
)
CardFigure = tuple[str, float, float, float]


@dataclass(frozen=True)
class LocaliseResults(PageResults):
    """What `localise_page` shows; classes are (negative, positive).

    `pictures` has one row an image and frame (image, t, p, verdict, found, and perhaps well,
    position, note, and learnt: 1 where the model has learnt from the image), `detections` one a
    detection (image, t, number, y, x, p), `failures` one an input that could not be judged (image,
    t, error). Threshold and band are on an image's p; `least` is the least p of a detection that
    was listed, `chosen` whether that is the card's own threshold, from validation frames.

    `maps` is the paper's Figure 3. `measured` has name, value, low and high of the model's figures
    on unseen groups, as its card has them; names that begin with `OF_PLACES` are of detections.
    `learnt` counts images that the model was trained or calibrated on.
    """

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
    measured: Sequence[CardFigure] = ()
    learnt: int = 0

    @property
    def pooled(self) -> str:
        """What becomes of the cells of the class map of an image."""
        return POOLED.get(self.pooling, POOLED[""])


def localise_page(results: LocaliseResults) -> Page:
    """The page of a localisation."""
    sentence, tone = headline(results)
    negative, positive = results.classes
    return results.page(
        sentence,
        tone,
        _sections(results),
        [*_notes(results), *results.notes],
        lead=f"The model learnt from whole images labelled {positive} or {negative}; nobody ever"
        " showed it where in them the difference lies. It looks at every cell of its class map by"
        f" itself, and {results.pooled}.",
    )


def headline(results: LocaliseResults) -> tuple[str, Tone]:
    """How many images of each verdict, and how many detections, in one or two sentences."""
    table, (negative, positive) = results.pictures, results.classes
    number, found = len(results.detections), f" No detection of class {positive}."
    if number:
        found = f" {plural(number, 'detection')} of class {positive}"
        found += f" in {plural(int((table['found'] > 0).sum()), noun_of(table))}."
    called, failed = ("is called", "are called"), len(results.failures)
    said, tone = counted(table, (positive, negative), failed, "judged", called, found)
    if tone == "info" and any(note is not None and note.tone == "bad" for note in _model(results)):
        tone = "warn"
    return said, tone


def _sections(results: LocaliseResults) -> Iterator[Section]:
    table, (negative, positive) = results.pictures, results.classes
    if not table.empty:
        renamed = table.rename(columns={"p": "p_sick"})
        strip = verdict_strip(renamed, results.threshold, results.band, positive=positive)
        yield Section("Image by image", pictures=[strip])
        yield _most(results)
        if results.overlays:
            some = f"{len(results.overlays)} of {plural(len(table), noun_of(table))}"
            yield Section(
                "Images under their detections",
                f"{some}: those most surely called {positive}, then unsure ones, then those most"
                f" surely called {negative}. Outlined are the pixels of each detection, with its"
                f" number; with up to {FEW} detections, its p stands beside it, and with more than"
                f" {MOST_NUMBERED} there is no number. {TWO_RULES}",
                results.overlays,
            )
        if results.maps is not None:
            yield Section(
                "What the net computes",
                f"The last convolution makes two maps of the image, one a class; {results.pooled}.",
                [results.maps],
            )
        yield _meaning(results)
        every = table.drop(columns="mask", errors="ignore")
        if "learnt" in every:
            every = every.assign(learnt=every["learnt"].map({0: "", 1: "yes"}))
        filled = every.notna() & (every != "")
        said = [name for name in every if name not in MAY_BE_BARE or filled[name].any()]
        yield Section("All images", tables=[_table(every[said])])
    if len(results.failures):
        yield Section("Inputs that could not be judged", tables=[_table(results.failures)])


def _table(table: pd.DataFrame) -> Table:
    """A table in the words of this page, whose probabilities are never rounded to 0 or 1."""
    chances = [name for name in ("p", "surest detection") if name in table]
    made = Table.of(table.assign(**{name: table[name].map(chance) for name in chances}))
    sides = ["r" if n in chances else s for n, s in zip(table.columns, made.sides, strict=True)]
    columns = [{"t": "frame", "found": "detections"}.get(name, name) for name in made.columns]
    return replace(made, columns=columns, align="".join(sides))


def _model(results: LocaliseResults) -> list[Note | None]:
    """What its figures say of it, and whether they hold for these images."""
    images = results.pictures["image"].nunique()
    known = {row[0]: Estimate(*row[1:], 0, "") for row in results.measured}
    area = known.get("roc_auc", known.get("within_auc"))
    return [
        trust.learnt_from(results.learnt, images),
        None if known else trust.NOT_MEASURED,
        None if area is None else trust.without_skill(area),
        None if results.learnt >= images else trust.taken_alike(bool(known)),
    ]


def _notes(results: LocaliseResults) -> Iterator[Note | None]:
    pictures, positive = results.pictures, results.classes[1]
    if len(results.failures):
        lost = plural(len(results.failures), "input")
        where = "it is" if len(results.failures) == 1 else "they are"
        yield bad(f"{lost} could not be judged; {where} listed below.")
    if pictures.empty:
        return
    counts, noun = pictures["verdict"].value_counts(), noun_of(pictures)
    if counts.get("unsure"):
        yield info(doubt(results.band, plural(int(counts["unsure"]), noun)))
    if counts.get("nothing to judge"):
        n = plural(int(counts["nothing to judge"]), noun)
        yield info(f"No texture above the noise was found in {n}.")
    called, marked = pictures["verdict"] == positive, pictures["found"] > 0
    stray = int(pictures.loc[~called, "found"].sum())
    if stray:
        yield info(
            f"Of {plural(len(results.detections), 'detection')}, {stray}"
            f" {'lies' if stray == 1 else 'lie'} in"
            f" {plural(int((~called & marked).sum()), noun)} not called {positive}."
            " Image and detection are called by rules of their own; which detections to believe"
            " is for you to say: the table of detections has them all."
        )
    bare = int((called & ~marked).sum())
    if bare:
        yield warn(
            f"{plural(bare, noun)} called {positive} without any detection: below the"
            " threshold of a detection, or in what was mirrored beyond the edge of an image"
            " smaller than the training frames. Look at them before you believe the verdict."
        )
    yield from _model(results)


def _most(results: LocaliseResults) -> Section:
    title, table = "Images with most detections", results.pictures[results.pictures["found"] > 0]
    table = table.sort_values(["found", "p"], ascending=False, kind="stable").head(MOST)
    if table.empty:
        return Section(title, "No detection reached the threshold.")
    surest = results.detections.groupby(["image", "t"])["p"].max().rename("surest detection")
    table = table.merge(surest, left_on=["image", "t"], right_index=True, how="left")
    shown = table[["image", "t", "verdict", "p", "found", "surest detection"]]
    return Section(title, TWO_RULES, tables=[_table(shown)])


def _meaning(results: LocaliseResults) -> Section:
    negative, positive = results.classes
    how = (
        "a low one of those that told validation frames apart best by their highest cell of the"
        " class map"
        if results.chosen
        else "as you asked"
    )
    look = ": look at the overlays before you count" if results.overlays else ""
    texts = [
        f"A detection says where the evidence for class {positive} lies. It is no segmentation: its"
        " outline is cut at a share of what the detection's score hangs on most, and need not"
        " follow an edge that you see.",
        "Peaks may lie a few pixels beside the middle of an object, the same way in all images of"
        " a model.",
        "The model was trained on labels of images alone. It finds whatever sets images labelled"
        f" {positive} and {negative} apart, be it what the labels mean or what goes with"
        f" it{look}.",
        f"A detection is listed from p {threshold_p(results.least)} on, {how}. That p was fitted to"
        " labels of images, not to marked objects: it ranks detections, and is not the chance that"
        " one is right.",
        "Objects that touch may share one detection, so detections are no exact count.",
    ]
    tables = [_measured(results)] if results.measured else []
    notes = [info(text) for text in texts]
    return Section("What a detection is, and is not", notes=notes, tables=tables)


def _measured(results: LocaliseResults) -> Table:
    """The model's own figures, those of images before those of detections."""
    images: list[tuple[str, ...]] = []
    places: list[tuple[str, ...]] = []
    for name, value, low, high in results.measured:
        bare, rows, said = name.removeprefix(OF_PLACES), images, metric_name(name)
        if name.startswith(OF_PLACES):
            said, rows = f"detections: {PLACE_NAMES.get(bare, bare.replace('_', ' '))}", places
        rows.append((said, f"{value:.3f}", f"{low:.3f} to {high:.3f}" if low == low else ""))
    names = ("figure", "value", "95% interval")
    return Table(names, [*images, *places], "The model on unseen groups", "lrr")
