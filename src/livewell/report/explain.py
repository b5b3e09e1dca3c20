"""The page of looking inside a net: where its evidence lies, what it takes a class to be."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize, to_rgb
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from livewell.explain.background import LEAST_AREA, Background, told, warning
from livewell.report.evidence_words import PER_CELL, Words
from livewell.report.galleries import stretched
from livewell.report.page import Page, Picture, Section, Table, info, warn
from livewell.report.results import PageResults
from livewell.report.style import INK, PERCENTILES, Sheet, class_look, empty, tile, tinted
from livewell.report.vocabulary import MOST_NAMED, short
from livewell.text import listed

Grey = NDArray[np.float32]
COVER = 0.75
"""Opacity of the strongest evidence over the grey image."""
COLUMNS = 3
"""Pairs in a row."""
GAP = 0.03
"""Between a patch and its overlay, of a patch's width."""
HONEST = info(
    "Such maps show which parts of an image moved the score, not why. They are blurred by the"
    " cells of the net's maps, and a net that is wrong shows maps that look as good as one that is"
    " right."
)


@dataclass(frozen=True)
class Evidence:
    """An image (h, w) with the evidence for a class at the same pixels.

    The map is never below zero, and NaN where nobody looked. `number` of the class decides the
    colour, `truth`, the number of the true class, that of the edge; ``None`` for no edge.
    """

    grey: Grey
    map: Grey
    number: int
    caption: str
    truth: int | None = None


def overlaid(evidence: Evidence, top: float) -> NDArray[np.floating]:
    """The grey image under its evidence, (h, w, 3), 0 to 1; `top` and more are shown alike."""
    known = np.nan_to_num(evidence.map).astype(np.float64)
    cover = COVER * np.clip(known / top, 0, 1) if top > 0 else np.zeros_like(known)
    return tinted(stretched(evidence.grey), cover, class_look(evidence.number).colour)


def evidence_pairs(
    items: Sequence[Evidence],
    classes: Sequence[str],
    top: float,
    *,
    title: str = "Evidence",
    unit: str = PER_CELL,
) -> Picture:
    """Patches of one size, each beside itself under its evidence, all on one absolute scale.

    `top` is shown in full colour, in that unit.
    """
    if not items:
        return empty("None.", title)
    captions = [item.caption for item in items]
    with Sheet.tiled(captions, COLUMNS, 4.35 / COLUMNS + 0.05, 0.45) as sheet:
        for axes, item in zip(sheet.panels, items, strict=False):
            axes.imshow(_pair(item, top), interpolation="none")
            tile(axes, item.caption, None if item.truth is None else class_look(item.truth).colour)
        _bars(sheet, sorted({item.number for item in items}), classes, top, unit)
        said = "; ".join(caption.replace("\n", ", ") for caption in captions)
        return sheet.picture(
            f"{title}: {len(items)} patches beside their evidence. {said}",
            "Left the patch, right the same under its evidence. The scale is absolute, the same for"
            " all patches here. Edges have the colour of the true class.",
            wide=True,
        )


def field_evidence(
    item: Evidence, classes: Sequence[str], top: float, unit: str = PER_CELL
) -> Picture:
    """A whole field, and the same under its evidence."""
    height, width = item.grey.shape
    by = -(-max(height, width) // 900)
    small = replace(item, grey=item.grey[::by, ::by], map=item.map[::by, ::by])
    with Sheet(9.0, 4.4 * height / width + 0.75, columns=2, gap_in=0.03) as sheet:
        for axes, shown in zip(sheet.panels, (_plain(small), overlaid(small, top)), strict=True):
            axes.imshow(shown, interpolation="none")
            axes.set_axis_off()
        _bars(sheet, [item.number], classes, top, unit)
        drawn = f" One pixel in {by} is drawn." if by > 1 else ""
        return sheet.picture(
            f"{item.caption}: the field, and its evidence for {classes[item.number]}.",
            f"{item.caption}: evidence for {classes[item.number]}.{drawn}",
            wide=True,
        )


def class_models(
    rows: Sequence[tuple[str, Sequence[tuple[str, Grey | None]]]],
) -> Picture:
    """Class models in rows: what they began from and what came of it, as the paper's Figure 6.

    Rows are the name of the class, and (caption, image) one a column; ``None`` leaves one free.
    """
    if not rows:
        return empty("None.", "Class models")
    columns = max(len(images) for _, images in rows)
    with Sheet(9.0, len(rows) * (8.6 / columns + 0.3), rows=len(rows), columns=columns) as sheet:
        panels = iter(sheet.panels)
        for name, images in rows:
            for place, axes in enumerate(islice(panels, columns)):
                caption, image = images[place] if place < len(images) else ("", None)
                if image is None:
                    axes.set_axis_off()
                    continue
                axes.imshow(stretched(image), cmap="gray", vmin=0, vmax=1, interpolation="none")
                tile(axes, caption)
                if place == 0:
                    axes.set_ylabel(name, size=10, color=INK, weight="bold")
        low, high = PERCENTILES
        return sheet.picture(
            f"Class models of {listed(name for name, _ in rows)}.",
            f"Each image is shown from its {low}th to its {high}th percentile.",
            wide=True,
        )


def _plain(item: Evidence) -> NDArray[np.floating]:
    return np.repeat(stretched(item.grey)[..., None], 3, axis=2)


def _pair(item: Evidence, top: float) -> NDArray[np.floating]:
    plain = _plain(item)
    gap = np.ones((len(plain), max(round(GAP * plain.shape[1]), 1), 3))
    return np.concatenate([plain, gap, overlaid(item, top)], axis=1)


def _bars(
    sheet: Sheet, numbers: Sequence[int], classes: Sequence[str], top: float, unit: str
) -> None:
    """One colour bar a class, side by side under the panels."""
    place: dict[str, Any] = {"location": "bottom", "shrink": 0.35, "aspect": 40, "pad": 0.01}
    for number in numbers:
        pale = 1 - COVER * (1 - np.array(to_rgb(class_look(number).colour)))
        fading = LinearSegmentedColormap.from_list("evidence", [(1, 1, 1), tuple(pale)])
        shades = ScalarMappable(Normalize(0, top), fading)
        bar = sheet.figure.colorbar(shades, ax=sheet.panels, ticks=MaxNLocator(4), **place)
        bar.outline.set_visible(False)
        bar.set_label(f"evidence for {classes[number]} ({unit})", size=8)
        bar.ax.tick_params(labelsize=8)


@dataclass(frozen=True)
class ExplainResults(PageResults):
    """What `explain_page` shows.

    `words` say how evidence was found; `top` is shown in full colour on patches. `pairs` are title
    and patches of every gallery, as the paper's Figure 5; `models` is as its Figure 6. `background`
    says by class how much evidence lies off cells. `disagreement` has one row a field: name, class,
    and how overlapping crops disagree with weights of each crop and with those averaged over the
    class. `activations` are the figures of class activation maps.
    """

    classes: Sequence[str]
    words: Words
    top: float
    pairs: Sequence[tuple[str, Sequence[Evidence]]]
    fields: Sequence[Picture]
    models: Picture | None
    background: Mapping[str, Background]
    disagreement: Sequence[tuple[str, str, float, float]] = ()
    activations: Sequence[Picture] = ()


def explain_page(results: ExplainResults) -> Page:
    """The page of looking inside a net."""
    known = results.background.items()
    notes = [(warn if warning(found, name) else info)(told(found, name)) for name, found in known]
    if len(notes) > MOST_NAMED:
        # the table has them all
        notes = [note for note in notes if note.tone == "warn"]
    doubt = any(note.tone == "warn" for note in notes)
    bare = all(found.area.value < LEAST_AREA for _, found in known)
    return results.page(
        headline(results),
        "warn" if doubt else "info" if bare else "good",
        _sections(results),
        [*notes, *results.notes, *results.words.notes, HONEST],
        lead=f"{results.words.lead} Every patch is of groups that its model never saw.",
    )


def _sections(results: ExplainResults) -> Iterator[Section]:
    if results.activations:
        title = "Class activation maps, class by class"
        yield Section(title, results.words.activations, results.activations)
    pictures = []
    for title, items in results.pairs:
        picture = evidence_pairs(
            items, results.classes, results.top, title=title, unit=results.words.unit
        )
        pictures.append(replace(picture, caption=f"{title}. {picture.caption}"))
    yield Section(
        "Surest calls, right and wrong",
        "What speaks for the class that was called. Wrong ones deserve the longer look: an error"
        " may be the net's, or the label's.",
        pictures,
    )
    if results.fields:
        rows = [
            (name, of, f"{each:.2f}", f"{average:.2f}")
            for name, of, each, average in results.disagreement
        ]
        heads = ("field", "evidence for", "weights of each crop", "weights of the class")
        said = "Disagreement of overlapping crops: 0 they agree, 1.41 they have nothing in common"
        yield Section(
            "Whole fields",
            results.words.fields,
            results.fields,
            [Table(heads, rows, said, "llrr")] if rows else [],
        )
    if results.models is not None:
        yield Section(
            "Class models",
            "The image that the net takes for the class, climbed to from an empty image, and from a"
            " patch of the other class (equation 4 of DeadNet's paper, smoothing). They are noisy"
            " for every net; what both have in common may mean something.",
            [results.models],
        )
    names = ("evidence for", "off cells (95% interval)", "area off cells", "patches", "groups",
             "without cells")  # fmt: skip
    off_cells = [
        (
            name,
            *map(short, (found.evidence, found.area)),
            f"{found.patches:,}",
            *map(str, (found.evidence.groups, found.without_cells)),
        )
        for name, found in results.background.items()
    ]
    yield Section(
        "Is it the cells?",
        "Cells are found by their texture in transmitted light, not by nuclei, and widened by"
        f" {results.words.margin}. A net that looked nowhere in particular would have as much"
        " of its evidence off cells as there is area off cells. Intervals resample groups.",
        tables=[Table(names, off_cells, align="lrrrrr")],
    )


def headline(results: ExplainResults) -> str:
    """How much of the evidence lies on cells, in one sentence."""
    known = {
        name: (found.evidence.value, found.area.value)
        for name, found in results.background.items()
        if found.evidence.value == found.evidence.value
    }
    if not known:
        return "Where the evidence lies could not be measured."
    parts = [f"{1 - off:.0%} of the evidence for {name}" for name, (off, _) in known.items()]
    if len(known) > MOST_NAMED:
        shares = sorted(1 - off for off, _ in known.values())
        every = len(results.classes)
        of = f"all {every}" if len(known) == every else f"{len(known)} of {every}"
        parts = [f"{shares[0]:.0%} to {shares[-1]:.0%} of the evidence for {of} classes"]
    areas = [1 - area for _, area in known.values()]
    cover = "-".join(dict.fromkeys([f"{min(areas):.0%}", f"{max(areas):.0%}"]))
    return f"{listed(parts)} lies on cells, which cover {cover} of the patches."
