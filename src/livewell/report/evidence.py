"""Figures of what a net looks at: patches beside their evidence, fields, class models."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize, to_rgb
from numpy.typing import NDArray

from livewell.report.galleries import PERCENTILES
from livewell.report.page import Picture
from livewell.report.style import INK, UNSURE, Sheet, class_look, empty

Grey = NDArray[np.float32]
COVER = 0.75
"""Opacity of the strongest evidence over the grey picture."""
GAP = 0.03
"""Between a patch and its overlay, of a patch's width."""


@dataclass(frozen=True)
class Evidence:
    """A picture (h, w) with the evidence for a class at the same pixels.

    The map is never below zero, and NaN where nobody looked. `number` of the class decides the
    colour, `truth`, the number of the true class, that of the edge; ``None`` for no edge.
    """

    grey: Grey
    map: Grey
    number: int
    caption: str
    truth: int | None = None


def overlaid(evidence: Evidence, top: float) -> NDArray[np.float64]:
    """The grey picture under its evidence, (h, w, 3), 0 to 1; `top` and more are shown alike."""
    grey = _stretched(evidence.grey)[..., None]
    known = np.nan_to_num(evidence.map).astype(np.float64)
    share = np.clip(known / top, 0, 1) if top > 0 else np.zeros_like(known)
    alpha = COVER * share[..., None]
    colour = np.array(to_rgb(class_look(evidence.number).colour))
    return np.asarray(np.clip((1 - alpha) * grey + alpha * colour, 0, 1), dtype=np.float64)


def evidence_pairs(
    items: Sequence[Evidence],
    classes: Sequence[str],
    top: float,
    *,
    columns: int = 3,
    title: str = "Evidence",
) -> Picture:
    """Patches of one size, each beside itself under its evidence, all on one absolute scale.

    `top` is shown in full colour, in score per cell of the layer.
    """
    if not items:
        return empty("None.", title)
    lines = max(item.caption.count("\n") + 1 for item in items)
    rows = -(-len(items) // columns)
    height_in = rows * (4.35 / columns + 0.17 * lines + 0.05) + 0.45
    with Sheet(9.0, height_in, rows=rows, columns=columns, gap_in=0.03) as sheet:
        for axes in sheet.panels[len(items) :]:
            axes.set_axis_off()
        for axes, item in zip(sheet.panels, items, strict=False):
            axes.imshow(_pair(item, top), interpolation="none")
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[:].set_visible(item.truth is not None)
            edge = UNSURE if item.truth is None else class_look(item.truth).colour
            axes.spines[:].set(color=edge, linewidth=2.2)
            axes.set_xlabel(item.caption, size=8, color=INK, labelpad=3, linespacing=1.25)
        _bars(sheet, sorted({item.number for item in items}), classes, top)
        said = "; ".join(item.caption.replace("\n", ", ") for item in items)
        picture = sheet.picture(
            f"{title}: {len(items)} patches beside their evidence. {said}",
            "Left the patch, right the same under its evidence. The scale is absolute, the same in"
            " every figure here. Edges have the colour of the true class.",
        )
        return replace(picture, wide=True)


def field_evidence(item: Evidence, classes: Sequence[str], top: float) -> Picture:
    """A whole field, and the same under its evidence."""
    height, width = item.grey.shape
    by = -(-max(height, width) // 900)
    small = Evidence(
        item.grey[::by, ::by], item.map[::by, ::by], item.number, item.caption, item.truth
    )
    size_in = 4.4 * height / width
    with Sheet(9.0, size_in + 0.75, columns=2, gap_in=0.03) as sheet:
        plain = np.repeat(_stretched(small.grey)[..., None], 3, axis=2)
        for axes, shown in zip(sheet.panels, (plain, overlaid(small, top)), strict=True):
            axes.imshow(shown, interpolation="none")
            axes.set_axis_off()
        _bars(sheet, [item.number], classes, top)
        drawn = f" One pixel in {by} is drawn." if by > 1 else ""
        picture = sheet.picture(
            f"{item.caption}: the field, and its evidence for {classes[item.number]}.",
            f"{item.caption}: evidence for {classes[item.number]}.{drawn}",
        )
        return replace(picture, wide=True)


def class_models(
    rows: Sequence[tuple[str, Sequence[tuple[str, Grey | None]]]], *, title: str = "Class models"
) -> Picture:
    """Class models in rows: what they began from and what came of it, as the paper's Figure 6.

    Rows are the name of the class, and (caption, image) one a column; ``None`` leaves a place free.
    """
    if not rows:
        return empty("None.", title)
    columns = max(len(images) for _, images in rows)
    with Sheet(9.0, len(rows) * (8.6 / columns + 0.3), rows=len(rows), columns=columns) as sheet:
        panels = iter(sheet.panels)
        for name, images in rows:
            for place in range(columns):
                axes = next(panels)
                caption, image = images[place] if place < len(images) else ("", None)
                axes.set_xticks([])
                axes.set_yticks([])
                if image is None:
                    axes.set_axis_off()
                    continue
                axes.imshow(_stretched(image), cmap="gray", vmin=0, vmax=1, interpolation="none")
                axes.spines[:].set_visible(False)
                axes.set_xlabel(caption, size=8, color=INK, labelpad=3)
                if place == 0:
                    axes.set_ylabel(name, size=10, color=INK, weight="bold")
        picture = sheet.picture(
            f"{title} of {' and '.join(name for name, _ in rows)}.",
            f"Each picture is shown from its {PERCENTILES[0]}th to its {PERCENTILES[1]}th"
            " percentile.",
        )
        return replace(picture, wide=True)


def _pair(item: Evidence, top: float) -> NDArray[np.float64]:
    plain = np.repeat(_stretched(item.grey)[..., None], 3, axis=2)
    gap = np.ones((len(plain), max(round(GAP * plain.shape[1]), 1), 3))
    return np.concatenate([plain, gap, overlaid(item, top)], axis=1)


def _stretched(grey: Grey) -> NDArray[np.float64]:
    low, high = np.percentile(grey[np.isfinite(grey)], PERCENTILES)
    return np.asarray(np.clip((grey - low) / ((high - low) or 1.0), 0, 1), dtype=np.float64)


def _bars(sheet: Sheet, numbers: Sequence[int], classes: Sequence[str], top: float) -> None:
    """One colour bar a class, side by side under the panels."""
    for number in numbers:
        colour = np.array(to_rgb(class_look(number).colour))
        pale = 1 - COVER * (1 - colour)
        fading = LinearSegmentedColormap.from_list("evidence", [(1, 1, 1), tuple(pale)])
        bar = sheet.figure.colorbar(
            ScalarMappable(Normalize(0, top), fading),
            ax=sheet.panels,
            location="bottom",
            shrink=0.35,
            aspect=40,
            pad=0.01,
        )
        bar.outline.set_visible(False)
        bar.set_label(f"evidence for {classes[number]} (score per cell of the layer)", size=8)
        bar.ax.tick_params(labelsize=8)
