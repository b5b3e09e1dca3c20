"""The page of looking inside a net: where its evidence lies, and what it takes a class to be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from livewell.explain.background import LEAST_AREA, Background, told, warning
from livewell.report.estimate import short
from livewell.report.evidence import Evidence, evidence_pairs
from livewell.report.page import Note, Page, Picture, Section, Table
from livewell.report.trust import sorted_notes

HONEST = Note(
    "info",
    "Such maps show which places moved the score, not why. They are blurred by the layer's cells,"
    " and a net that is wrong shows maps that look as good as one that is right.",
)


@dataclass(frozen=True)
class ExplainResults:
    """What `explain_page` shows; classes are (negative, positive).

    `weights` says in words how the layer's maps are weighed; `top` is shown in full colour. `pairs`
    are title and patches of every gallery, as the paper's Figure 5; `models` is as its Figure 6.
    `background` says by class how much evidence lies off cells. `disagreement` has one row a field:
    name, class, and how overlapping crops disagree with weights of each crop and with those
    averaged over the class.
    """

    title: str
    subtitle: str
    classes: Sequence[str]
    layer: str
    weights: str
    top: float
    pairs: Sequence[tuple[str, Sequence[Evidence]]]
    fields: Sequence[Picture]
    models: Picture | None
    background: Mapping[str, Background]
    disagreement: Sequence[tuple[str, str, float, float]] = ()
    notes: Sequence[Note] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, Any] = field(default_factory=dict)


def explain_page(results: ExplainResults) -> Page:
    """The page of looking inside a net."""
    notes = [
        Note("warn" if warning(found, name) else "info", told(found, name))
        for name, found in results.background.items()
    ]
    doubt = any(note.tone == "warn" for note in notes)
    bare = all(found.area.value < LEAST_AREA for found in results.background.values())
    sections = [_patches(results), *_fields(results), *_models(results), _background(results)]
    return Page(
        title=results.title,
        subtitle=results.subtitle,
        verdict=headline(results),
        tone="warn" if doubt else "info" if bare else "good",
        lead=f"Grad-CAM at layer {results.layer}, {results.weights}. Every patch is of groups that"
        " its model never saw.",
        trust=sorted_notes([*notes, *results.notes, HONEST]),
        sections=sections,
        settings=results.settings,
        versions=results.versions,
    )


def headline(results: ExplainResults) -> str:
    """How much of the evidence lies on cells, in one sentence."""
    parts, area = [], []
    for name, found in results.background.items():
        evidence = found.evidence
        if evidence.value == evidence.value:
            parts.append(f"{1 - evidence.value:.0%} of the evidence for {name}")
            area.append(1 - found.area.value)
    if not parts:
        return "Where the evidence lies could not be measured."
    ends = f"{min(area):.0%}", f"{max(area):.0%}"
    cover = ends[0] if ends[0] == ends[1] else "-".join(ends)
    return " and ".join(parts) + f" lies on cells, which cover {cover} of the patches."


def _patches(results: ExplainResults) -> Section:
    pictures = [
        evidence_pairs(items, results.classes, results.top, title=title)
        for title, items in results.pairs
    ]
    named = [
        Picture(p.data, p.kind, p.alt, f"{title}. {p.caption}", p.wide)
        for p, (title, _) in zip(pictures, results.pairs, strict=True)
    ]
    return Section(
        "Surest calls, right and wrong",
        "What speaks for the class that was called. Wrong ones deserve the longer look: an error"
        " may be the net's, or the label's.",
        pictures=named,
    )


def _fields(results: ExplainResults) -> list[Section]:
    if not results.fields:
        return []
    tables = []
    if results.disagreement:
        rows = [
            (name, of, f"{each:.2f}", f"{average:.2f}")
            for name, of, each, average in results.disagreement
        ]
        tables.append(
            Table(
                ("field", "evidence for", "weights of each crop", "weights of the class"),
                rows,
                "Disagreement of overlapping crops: 0 they agree, 1.41 they have nothing in common",
                "llrr",
            )
        )
    return [
        Section(
            "Whole fields",
            "Maps of overlapping crops, averaged where they overlap.",
            pictures=results.fields,
            tables=tables,
        )
    ]


def _models(results: ExplainResults) -> list[Section]:
    if results.models is None:
        return []
    return [
        Section(
            "Class models",
            "The image that the net takes for the class, climbed to from an empty image, and from a"
            " patch of the other class (equation 4 of DeadNet's paper, smoothing). They are noisy"
            " for every net; what both have in common may mean something.",
            pictures=[results.models],
        )
    ]


def _background(results: ExplainResults) -> Section:
    rows = [
        (
            name,
            short(found.evidence),
            short(found.area),
            f"{found.patches:,}",
            str(found.evidence.groups),
            str(found.without_cells),
        )
        for name, found in results.background.items()
    ]
    names = ("evidence for", "off cells (95% interval)", "area off cells", "patches", "groups",
             "without cells")  # fmt: skip
    return Section(
        "Is it the cells?",
        "Cells are found by their texture in transmitted light, not by nuclei, and widened by one"
        " cell of the layer. A net that looked nowhere in particular would have as much of its"
        " evidence off cells as there is area off cells. Intervals resample groups.",
        tables=[Table(names, rows, align="lrrrrr")],
    )
