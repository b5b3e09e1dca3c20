"""Figures with two axes of position: confusion matrix, plate, frame under its heat map."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.patches import Circle, Wedge
from numpy.typing import ArrayLike, NDArray
from PIL import Image as Pillow

from livewell.classes import ClassNames
from livewell.errors import OutputError
from livewell.image import Frame
from livewell.outputs.heatmaps import Map
from livewell.outputs.overlay import Look, draw
from livewell.outputs.video import OverlayFrame
from livewell.plate import PLATES, Plate, Well
from livewell.report.page import Picture
from livewell.report.style import (
    HEALTHY,
    INK,
    SICK,
    Sheet,
    class_legend,
    class_look,
    name_ticks,
)
from livewell.report.vocabulary import PATCHES, Vocabulary

COUNTS = LinearSegmentedColormap.from_list("counts", ["#FFFFFF", "#C9DDEC", "#5A9BC9"])
"""White to blue; dark text stays readable on every shade."""
HEALTH = LinearSegmentedColormap.from_list("health", [HEALTHY, "#E9EAEB", SICK])
"""Blue (all healthy) through pale grey to vermillion (all sick)."""
MOST_ZEROS = 8
"""Larger confusion matrices are drawn without the zeros beside their diagonal."""
WIDEST_PX = 1400
"""Wider frames are made smaller for the page."""
Shares = NDArray[np.floating]
UNSURE_RING: dict[str, Any] = {"ec": INK, "lw": 1.3, "ls": (0, (2, 1.5))}
"""Round a well that is left unsure."""


def confusion(
    matrix: ArrayLike,
    classes: Sequence[str],
    called: Sequence[str] = (),
    *,
    words: Vocabulary = PATCHES,
) -> Picture:
    """Confusion matrix, rows true and columns called: counts, and the share of the true class.

    `called` names the columns, as the rows where empty; "unsure" may stand last.
    """
    called = called or classes
    counts = np.asarray(matrix, dtype=float)
    total = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)
    two = len(called) == 2
    cell = min(0.85, 7.0 / len(called))
    scale = cell / 0.85
    names = min(24, max(len(name) for name in (*classes, *called)))
    room = 1.5 if two else 0.9 + 0.085 * names
    turned = not two and 0.085 * names > cell
    size = room + cell * len(called), (room if two or turned else 0.9) + cell * len(classes)
    middle: dict[str, Any] = {"ha": "center", "va": "center"}
    said = []
    with Sheet(*size) as sheet:
        axes = sheet.axes
        axes.imshow(share, cmap=COUNTS, vmin=0, vmax=1)
        for row, column in np.ndindex(*counts.shape):
            count = counts[row, column]
            said.append(f"true {classes[row]} called {called[column]} {count:.0f}")
            if not count and row != column and len(classes) > MOST_ZEROS:
                continue
            axes.text(column, row - 0.08, f"{count:,.0f}", size=13 * scale, weight="bold", **middle)
            if total[row, 0]:
                text = f"{share[row, column]:.0%}"
                axes.text(column, row + 0.24, text, size=max(10 * scale, 7), **middle)
        most = 14 if two else 24
        tilt: dict[str, Any] = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"}
        name_ticks(axes, "x", range(len(called)), called, most, **(tilt if turned else {}))
        name_ticks(axes, "y", range(len(classes)), classes, most, rotation=90 * two, va="center")
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        for edge in np.arange(len(classes) - 1) + 0.5:
            axes.axhline(edge, color="white", lw=2)
        for edge in np.arange(len(called) - 1) + 0.5:
            axes.axvline(edge, color="white", lw=2)
        axes.set(xlabel="called", ylabel="true")
        return sheet.picture(
            f"Confusion matrix: {'; '.join(said)}.",
            f"{words.regions.capitalize()} by true and called class; percentages are of the true"
            " class.",
            wide=len(classes) > 4,
        )


def plate_view(
    wells: Sequence[str],
    values: ArrayLike,
    verdicts: Sequence[str] = (),
    *,
    plate: Plate | None = None,
    positive: str = "sick",
) -> Picture:
    """A plate with every well coloured by its share (0 to 1) of positive patches.

    NaN is drawn as a cross: nothing to judge; the verdict "unsure" is ringed with dashes. Without
    `plate` it is the smallest usual one with 24 wells or more that holds all wells. A name that is
    no well raises `GeometryError`.
    """
    places = [Well.parse(name) for name in wells]
    plate = plate_for(places, plate)
    shares, scale = np.asarray(values, dtype=float), _scale(plate)

    def filled(axes: Axes, at: tuple[int, int], row: Shares, ring: Mapping[str, Any]) -> None:
        share = row[0]
        style: dict[str, Any] = {"ec": "#6B7177", "lw": 0.5, **ring}
        axes.add_patch(Circle(at, 0.42, fc=HEALTH(share), **style))
        if scale > 0.4:
            ink = "white" if share < 0.22 or share > 0.86 else INK
            axes.text(*at, f"{100 * share:.0f}", ha="center", va="center", size=8, color=ink)

    with Sheet(plate.columns * scale + 1.5, plate.rows * scale + 0.6) as sheet:
        _draw_plate(sheet.axes, plate, places, shares[:, None], verdicts, filled)
        shades = ScalarMappable(Normalize(0, 100), HEALTH)
        bar = sheet.figure.colorbar(shades, ax=sheet.axes, shrink=0.7, aspect=22, pad=0.02)
        bar.outline.set_visible(False)
        bar.set_label(f"{positive} patches (%)")
        known = shares[np.isfinite(shares)]
        mean = f", mean share of {positive} patches {known.mean():.0%}" if known.size else ""
        return sheet.picture(
            f"Plate map of {len(places)} wells{mean}.",
            f"Share of {positive} patches in every well{_signs(shares[:, None], verdicts)}.",
        )


def class_plate(
    wells: Sequence[str], shares: ArrayLike, classes: ClassNames, verdicts: Sequence[str] = ()
) -> Picture:
    """A plate with a ring in every well: the share of its patches called each class.

    Shares have the shape (wells, classes); what is left of 1 was left unsure; NaN is drawn as a
    cross: nothing to judge. The number in a well is that of its most frequent class. Else as
    `plate_view`.
    """
    places = [Well.parse(name) for name in wells]
    plate = plate_for(places)
    table, scale = np.asarray(shares, dtype=float).reshape(len(places), len(classes)), _scale(plate)
    looks = [class_look(number) for number in range(len(classes))]

    def ringed(axes: Axes, at: tuple[int, int], row: Shares, ring: Mapping[str, Any]) -> None:
        ends = 360 * np.concatenate([[0], np.cumsum(row)]) - 90
        for look, start, end in zip(looks, ends[:-1], ends[1:], strict=True):
            style: dict[str, Any] = {"fc": look.colour, "ec": "white", "hatch": look.hatch}
            if end > start:
                axes.add_patch(Wedge(at, 0.42, start, end, width=0.2, lw=0.4, **style))
        if ring:
            axes.add_patch(Circle(at, 0.45, fill=False, **ring))
        if scale > 0.4:
            most = f"{int(row.argmax()) + 1}"
            axes.text(*at, most, ha="center", va="center", size=8, color=INK)

    wide = plate.columns * scale + 0.6
    numbered = [f"{number} {name}" for number, name in enumerate(classes, 1)]
    legend, tall_legend = class_legend(numbered, wide)
    with Sheet(wide, plate.rows * scale + 0.7 + tall_legend) as sheet:
        _draw_plate(sheet.axes, plate, places, table, verdicts, ringed)
        sheet.figure.legend(loc="outside lower left", **legend)
        known, mean = table[np.isfinite(table).all(axis=1)], ""
        if len(known):
            pairs = zip(classes, known.mean(axis=0), strict=True)
            mean = f", mean shares: {', '.join(f'{name} {share:.0%}' for name, share in pairs)}"
        return sheet.picture(
            f"Plate map of {len(places)} wells{mean}.",
            "Share of patches called each class in every well, and the number of the most frequent"
            f" one{_signs(table, verdicts)}.",
        )


def plate_for(wells: Sequence[Well], plate: Plate | None = None) -> Plate:
    """The smallest usual plate with 24 wells or more that holds all these, if none is given."""
    usual = [known for size, known in PLATES.items() if size >= 24]
    fits = (known for known in usual if all(well in known for well in wells))
    plate = plate or next(fits, usual[-1])
    outside = [str(well) for well in wells if well not in plate]
    if outside:
        raise OutputError("wells outside the plate", got=", ".join(outside))
    return plate


def _scale(plate: Plate) -> float:
    """Inches from well to well."""
    return min(0.52, 7.0 / plate.columns)


def _draw_plate(
    axes: Axes,
    plate: Plate,
    places: Sequence[Well],
    shares: Shares,
    verdicts: Sequence[str],
    draw: Callable[[Axes, tuple[int, int], Shares, Mapping[str, Any]], None],
) -> None:
    """All wells of a plate; those with shares are drawn, in a ring of dashes where unsure."""
    scale = _scale(plate)
    for well in plate.wells():
        axes.add_patch(Circle((well.column, well.row), 0.42, fill=False, ec="#D9DDE1", lw=0.7))
    axes.set(xlim=(-0.6, plate.columns - 0.4), ylim=(plate.rows - 0.4, -0.6), aspect="equal")
    axes.set_xticks(range(plate.columns), [str(i + 1) for i in range(plate.columns)])
    axes.set_yticks(range(plate.rows), [str(Well(row, 0))[:-2] for row in range(plate.rows)])
    axes.tick_params(length=0, labelsize=8 if scale > 0.4 else 5)
    axes.xaxis.tick_top()
    axes.spines[:].set_visible(False)
    for well, row, state in zip(places, shares, verdicts or [""] * len(places), strict=True):
        at = (well.column, well.row)
        if np.isfinite(row).all():
            draw(axes, at, row, UNSURE_RING if state == "unsure" else {})
        else:
            axes.plot(*at, "x", color="#8A8F94", ms=7 * scale / 0.52)


def _signs(shares: Shares, verdicts: Sequence[str]) -> str:
    """What rings and crosses mean, where there are any."""
    dashed = "; dashed ring: unsure" if "unsure" in verdicts else ""
    return dashed + ("; cross: nothing to judge" if not np.isfinite(shares).all() else "")


def stills_of(shown: Iterable[OverlayFrame], look: Look) -> list[Picture]:
    """Frames under their heat maps, as `still`, each with its number below."""
    return [
        still(frame, map01, look, index=t, time_s=time_s, caption=f"Frame {t}")
        for frame, map01, time_s, t in shown
    ]


def still(
    frame: Frame,
    map01: Map | None,
    look: Look,
    *,
    index: int = 0,
    time_s: float | None = None,
    caption: str = "",
) -> Picture:
    """One frame under its heat map, as `livewell.outputs.overlay.draw` and the video show it.

    Two stand side by side on a page, so text in them is larger; wide frames are made smaller.
    """
    look = replace(look, text_scale=look.text_scale * 1.6)
    image = Pillow.fromarray(draw(frame, map01, time_s, index, look))
    if image.width > WIDEST_PX:
        height = round(image.height * WIDEST_PX / image.width)
        image = image.resize((WIDEST_PX, height), Pillow.Resampling.LANCZOS)
    buffer = BytesIO()
    image.save(buffer, "WEBP", quality=86)
    worst = ""
    if map01 is not None and np.isfinite(map01).any():
        names = look.classes or (look.class_name,)
        tops = np.nanmax(map01.reshape(len(names), -1), axis=1)
        said = ", ".join(f"{name} {top:.2f}" for name, top in zip(names, tops, strict=True))
        worst = f", highest probability of {said}"
    alt = f"Frame {index} under its heat map{worst}."
    return Picture(buffer.getvalue(), "webp", alt, caption)
