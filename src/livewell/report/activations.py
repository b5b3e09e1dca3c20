"""Class activation maps of every class: a row a class, of one call that was right and one wrong."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize, to_rgb
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from livewell.explain.places import PlaceCam
from livewell.metrics.outcomes import chances
from livewell.report.galleries import stretched
from livewell.report.inside import Inside
from livewell.report.page import Picture
from livewell.report.style import INK, PALETTE, Sheet, cut, tile
from livewell.tables.schemas import KEY, regions_of

Map = NDArray[np.float32]
FOR, AGAINST = PALETTE["amber"], "#5E3C99"
"""Amber speaks for a class, purple against it; the two differ in lightness too."""
COVER = 0.8
"""Opacity of the strongest evidence over the grey image."""
FULL = 99.0
"""Percentile of all values shown, whatever their sign, that has full colour."""
ROWS = 5
"""Classes in one figure."""
TALL_IN = 1.75
"""Of a row with its captions."""


@dataclass(frozen=True)
class Activation:
    """An image (h, w) with its class activation map and its Grad-CAM at the same pixels.

    Both are in one unit; a net that has no class activation map has ``None``.
    """

    grey: Map
    cam: Map | None
    gradcam: Map
    caption: str

    @property
    def maps(self) -> list[tuple[str, Map]]:
        """The maps that there are, by their names."""
        cam = [] if self.cam is None else [("CAM", self.cam)]
        return [*cam, ("Grad-CAM", self.gradcam)]


@dataclass(frozen=True)
class ClassRow:
    """What was seen of a class: in the surest right call of it, and in the surest wrong one.

    `missed` is shown where no call was right: the patch of the class that came nearest to one.
    """

    name: str
    right: Activation | None
    wrong: Activation | None
    missed: Activation | None = None


def activation_figures(rows: Sequence[ClassRow], unit: str) -> list[Picture]:
    """Figures of at most `ROWS` classes each, all on one scale: the strongest in full colour."""
    shown = (each for row in rows for each in (row.right, row.wrong, row.missed) if each)
    values = [np.abs(found).ravel() for each in shown for _, found in each.maps]
    top = float(np.nanpercentile(np.concatenate(values), FULL)) if values else 1.0
    top = top or 1.0
    starts = range(0, len(rows), ROWS)
    return [_figure(rows[start : start + ROWS], top, unit) for start in starts]


def class_rows(inside: Inside, table: pd.DataFrame, numbers: Sequence[int]) -> list[ClassRow]:
    """What the models of a run saw of classes by number, in a table of scores with the column y."""
    p = chances(table, inside.tested.classes)

    def surest(those: "pd.Series[bool]", number: int) -> Activation | None:
        rows = np.flatnonzero(those)
        if not len(rows):
            return None
        row = rows[p[rows, number].argmax()]
        return _seen(inside, table.iloc[[row]], number, p[row, number])

    found = []
    for number in numbers:
        called, true = table["called"] == number, table["y"] == number
        right, wrong = surest(called & true, number), surest(called & ~true, number)
        missed = surest(true, number) if right is None else None
        found.append(ClassRow(inside.tested.classes[number], right, wrong, missed))
    return found


def _seen(inside: Inside, row: pd.DataFrame, number: int, p: float) -> Activation:
    """The one patch of a table under its model's maps for a class."""
    cam, classes = inside.cams[int(row["fold"].iloc[0])], inside.tested.classes
    (found,) = inside.maps(row, number)
    asked = inside.tested.pixels, regions_of(row[KEY]), number
    maps, gradcam = cam.activation_maps(*asked), found.map
    if isinstance(cam, PlaceCam):
        gradcam = np.maximum(cam.activation_maps(*asked, averaged=True)[0], 0)
    label, called = row["label"].iloc[0], classes.called(int(row["called"].iloc[0]))
    said = f"\nis {label}" if called == classes[number] else f"\nmissed, called {called}"
    said = "" if label == called else said
    return Activation(
        found.grey,
        None if maps is None else maps[0],
        gradcam,
        f"p {p:.2f}, {row['group'].iloc[0]}{said}",
    )


def activated(grey: Map, found: Map, top: float) -> NDArray[np.floating]:
    """The grey image under a map that may lie below zero, (h, w, 3), 0 to 1."""
    known = np.nan_to_num(found).astype(np.float64)[..., None] / top
    cover = COVER * np.clip(np.abs(known), 0, 1)
    colour = np.where(known > 0, np.array(to_rgb(FOR)), np.array(to_rgb(AGAINST)))
    return np.asarray((1 - cover) * stretched(grey)[..., None] + cover * colour)


def _figure(rows: Sequence[ClassRow], top: float, unit: str) -> Picture:
    shown = (each for row in rows for each in (row.right, row.wrong, row.missed))
    kinds = next(([name for name, _ in each.maps] for each in shown if each is not None), [])
    half = 1 + len(kinds)
    said = []
    size_in = 1.5 * 2 * half, TALL_IN * len(rows) + 0.7
    with Sheet(*size_in, rows=len(rows), columns=2 * half, gap_in=0.03) as sheet:
        for place, row in enumerate(rows):
            panels = sheet.panels[2 * half * place : 2 * half * (place + 1)]
            first = row.right or row.missed
            _fill(panels[:half], first, top)
            _fill(panels[half:], row.wrong, top)
            name = cut(row.name, 16)
            panels[0].set_ylabel(name, size=9, color=INK, weight="bold", visible=True)
            if place == 0:
                for axes, head in zip(panels, 2 * ["image", *kinds], strict=True):
                    axes.set_title(head, size=8.5)
                panels[0].set_title("a right call", size=8.5)
                panels[half].set_title("a wrong call", size=8.5)
            told = [each.caption for each in (first, row.wrong) if each is not None]
            said.append(f"{row.name}: {'; '.join(told) or 'no call'}".replace("\n", ", "))
        _bar(sheet, top, unit)
        return sheet.picture(
            f"Class activation maps. {'. '.join(said)}.",
            "A row a class: its surest right call and its surest wrong one. Amber speaks for the"
            " class of the row, purple against it; all figures here have the same scale, and no"
            " colour is no evidence.",
            wide=True,
        )


def _fill(panels: Sequence[Axes], shown: Activation | None, top: float) -> None:
    """One image and its maps; a word where there is none."""
    if shown is None:
        for axes in panels:
            tile(axes, "")
        panels[0].text(0.5, 0.5, "none", transform=panels[0].transAxes, ha="center", size=8)
        return
    panels[0].imshow(stretched(shown.grey), cmap="gray", vmin=0, vmax=1, interpolation="none")
    tile(panels[0], shown.caption)
    for axes, (_, found) in zip(panels[1:], shown.maps, strict=True):
        axes.imshow(activated(shown.grey, found, top), interpolation="none")
        tile(axes, "")


def _bar(sheet: Sheet, top: float, unit: str) -> None:
    shares = np.linspace(-COVER, COVER, 9)
    colours = [
        tuple(1 - abs(share) * (1 - np.array(to_rgb(FOR if share > 0 else AGAINST))))
        for share in shares
    ]
    shades = ScalarMappable(
        Normalize(-top, top), LinearSegmentedColormap.from_list("activation", colours)
    )
    place: dict[str, Any] = {"location": "bottom", "shrink": 0.4, "aspect": 45, "pad": 0.01}
    bar = sheet.figure.colorbar(shades, ax=sheet.panels, ticks=MaxNLocator(5), **place)
    bar.outline.set_visible(False)
    bar.set_label(f"against, and for the class ({unit})", size=8)
    bar.ax.tick_params(labelsize=8)
