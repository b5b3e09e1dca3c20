"""Figures with two axes of place: confusion matrix, plate, frame under its heat map."""

from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.patches import Circle, Wedge
from numpy.typing import ArrayLike
from PIL import Image as Pillow

from livewell.classes import ClassNames
from livewell.errors import OutputError
from livewell.image import Frame
from livewell.outputs.heatmaps import Map
from livewell.outputs.overlay import Look, draw
from livewell.plate import PLATES, Plate, Well
from livewell.report.page import Picture
from livewell.report.style import HEALTHY, INK, SICK, Sheet, class_legend, class_look
from livewell.report.vocabulary import PATCHES, Vocabulary

COUNTS = LinearSegmentedColormap.from_list("counts", ["#FFFFFF", "#C9DDEC", "#5A9BC9"])
"""White to blue; dark text stays readable on every shade."""
HEALTH = LinearSegmentedColormap.from_list("health", [HEALTHY, "#E9EAEB", SICK])
"""Blue (all healthy) through pale grey to vermillion (all sick)."""

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
    names = max(len(name) for name in (*classes, *called))
    room = 1.5 if two else 0.9 + 0.085 * names
    turned = not two and 0.085 * names > cell
    size = room + cell * len(called), (room if two or turned else 0.9) + cell * len(classes)
    with Sheet(*size) as sheet:
        axes = sheet.axes
        axes.imshow(share, cmap=COUNTS, vmin=0, vmax=1)
        for row, column in np.ndindex(*counts.shape):
            text = f"{counts[row, column]:,.0f}"
            style: dict[str, Any] = {"ha": "center", "va": "center"}
            axes.text(column, row - 0.08, text, size=13 * scale, weight="bold", **style)
            if total[row, 0]:
                said = f"{share[row, column]:.0%}"
                axes.text(column, row + 0.24, said, size=10 * scale, **style)
        ends: dict[str, Any] = {}
        if turned:
            ends = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"}
        axes.set_xticks(range(len(called)), called, **ends)
        axes.set_yticks(range(len(classes)), classes, rotation=90 if two else 0, va="center")
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        for edge in np.arange(len(classes) - 1) + 0.5:
            axes.axhline(edge, color="white", lw=2)
        for edge in np.arange(len(called) - 1) + 0.5:
            axes.axvline(edge, color="white", lw=2)
        axes.set_xlabel("called")
        axes.set_ylabel("true")
        said = "; ".join(
            f"true {classes[row]} called {called[column]} {counts[row, column]:.0f}"
            for row, column in np.ndindex(*counts.shape)
        )
        return sheet.picture(
            f"Confusion matrix: {said}.",
            f"{words.regions.capitalize()} by true and called class; percentages are of the true"
            " class.",
        )


def plate_view(
    wells: Sequence[str],
    values: ArrayLike,
    verdicts: Sequence[str] | None = None,
    *,
    plate: Plate | None = None,
    positive: str = "sick",
) -> Picture:
    """A plate with every well coloured by its share (0 to 1) of positive patches.

    NaN is drawn as a cross: nothing to judge; the verdict "unsure" is ringed with dashes. Without
    `plate` it is the smallest usual one with 24 wells or more that holds all wells.
    """
    places, plate, scale = _placed(wells, plate)
    shares = np.asarray(values, dtype=float)
    with Sheet(plate.columns * scale + 1.5, plate.rows * scale + 0.6) as sheet:
        axes = sheet.axes
        _empty_plate(axes, plate, scale)
        states = list(verdicts) if verdicts is not None else [""] * len(places)
        for well, share, state in zip(places, shares, states, strict=True):
            at = (well.column, well.row)
            if not np.isfinite(share):
                axes.plot(*at, "x", color="#8A8F94", ms=7 * scale / 0.52)
                continue
            ring = UNSURE_RING if state == "unsure" else {}
            axes.add_patch(
                Circle(at, 0.42, fc=HEALTH(share), **{"ec": "#6B7177", "lw": 0.5} | ring)
            )
            if scale > 0.4:
                ink = "white" if share < 0.22 or share > 0.86 else INK
                axes.text(*at, f"{100 * share:.0f}", ha="center", va="center", size=8, color=ink)
        bar = sheet.figure.colorbar(
            ScalarMappable(Normalize(0, 100), HEALTH), ax=axes, shrink=0.7, aspect=22, pad=0.02
        )
        bar.outline.set_visible(False)
        bar.set_label(f"{positive} patches (%)")
        known = shares[np.isfinite(shares)]
        mean = f", mean share of {positive} patches {known.mean():.0%}" if known.size else ""
        dashed = "; dashed ring: unsure" if "unsure" in states else ""
        return sheet.picture(
            f"Plate map of {len(places)} wells{mean}.",
            f"Share of {positive} patches in every well{dashed}"
            + ("; cross: nothing to judge." if known.size < shares.size else "."),
        )


def class_plate(
    wells: Sequence[str],
    shares: ArrayLike,
    classes: ClassNames,
    verdicts: Sequence[str] | None = None,
    *,
    plate: Plate | None = None,
) -> Picture:
    """A plate with a ring in every well: the share of its patches called each class.

    Shares have the shape (wells, classes); what is left of 1 was left unsure; NaN is drawn as a
    cross: nothing to judge. The number in a well is that of its most frequent class. Else as
    `plate_view`.
    """
    places, plate, scale = _placed(wells, plate)
    table = np.asarray(shares, dtype=float).reshape(len(places), len(classes))
    states = list(verdicts) if verdicts is not None else [""] * len(places)
    looks = [class_look(number) for number in range(len(classes))]
    wide = plate.columns * scale + 0.6
    numbered = [f"{number} {name}" for number, name in enumerate(classes, 1)]
    legend, tall_legend = class_legend(numbered, wide)
    with Sheet(wide, plate.rows * scale + 0.7 + tall_legend) as sheet:
        axes = sheet.axes
        _empty_plate(axes, plate, scale)
        for well, row, state in zip(places, table, states, strict=True):
            at = (well.column, well.row)
            if not np.isfinite(row).all():
                axes.plot(*at, "x", color="#8A8F94", ms=7 * scale / 0.52)
                continue
            ends = 360 * np.concatenate([[0], np.cumsum(row)]) - 90
            for look, start, end in zip(looks, ends[:-1], ends[1:], strict=True):
                style: dict[str, Any] = {"fc": look.colour, "ec": "white", "hatch": look.hatch}
                if end > start:
                    axes.add_patch(Wedge(at, 0.42, start, end, width=0.2, lw=0.4, **style))
            if state == "unsure":
                axes.add_patch(Circle(at, 0.45, fill=False, **UNSURE_RING))
            if scale > 0.4:
                top = f"{int(row.argmax()) + 1}"
                axes.text(*at, top, ha="center", va="center", size=8, color=INK)
        sheet.figure.legend(loc="outside lower left", **legend)
        known = table[np.isfinite(table).all(axis=1)]
        mean = ""
        if len(known):
            pairs = zip(classes, known.mean(axis=0), strict=True)
            mean = f", mean shares: {', '.join(f'{name} {share:.0%}' for name, share in pairs)}"
        dashed = "; dashed ring: unsure" if "unsure" in states else ""
        cross = "; cross: nothing to judge" if len(known) < len(table) else ""
        return sheet.picture(
            f"Plate map of {len(places)} wells{mean}.",
            "Share of patches called each class in every well, and the number of the most frequent"
            f" one{dashed}{cross}.",
        )


def _placed(wells: Sequence[str], plate: Plate | None) -> tuple[list[Well], Plate, float]:
    """The wells, the plate that holds them, and inches from well to well."""
    places = [Well.parse(name) for name in wells]
    usual = [known for size, known in PLATES.items() if size >= 24]
    fits = [known for known in usual if all(place in known for place in places)]
    plate = plate or (fits[0] if fits else usual[-1])
    outside = [str(place) for place in places if place not in plate]
    if outside:
        raise OutputError("wells outside the plate", got=", ".join(outside))
    return places, plate, min(0.52, 7.0 / plate.columns)


def _empty_plate(axes: Axes, plate: Plate, scale: float) -> None:
    for well in plate.wells():
        axes.add_patch(Circle((well.column, well.row), 0.42, fill=False, ec="#D9DDE1", lw=0.7))
    axes.set_xlim(-0.6, plate.columns - 0.4)
    axes.set_ylim(plate.rows - 0.4, -0.6)
    axes.set_aspect("equal")
    axes.set_xticks(range(plate.columns), [str(i + 1) for i in range(plate.columns)])
    axes.set_yticks(range(plate.rows), [str(Well(row, 0))[:-2] for row in range(plate.rows)])
    axes.tick_params(length=0, labelsize=8 if scale > 0.4 else 5)
    axes.xaxis.tick_top()
    axes.spines[:].set_visible(False)


def still(
    frame: Frame,
    map01: Map | None,
    look: Look,
    *,
    index: int = 0,
    time_s: float | None = None,
    kind: Literal["png", "webp"] = "webp",
    widest_px: int = 1400,
    caption: str = "",
    wide: bool = False,
) -> Picture:
    """One frame under its heat map, as the overlay video shows it (`livewell.outputs.overlay.draw`).

    Frames wider than `widest_px` are made smaller. Not `wide`, two stand side by side, with larger
    text in them.
    """
    if not wide:
        look = replace(look, text_scale=look.text_scale * 1.6)
    image = Pillow.fromarray(draw(frame, map01, time_s, index, look))
    if image.width > widest_px:
        height = round(image.height * widest_px / image.width)
        image = image.resize((widest_px, height), Pillow.Resampling.LANCZOS)
    buffer = BytesIO()
    image.save(buffer, kind.upper(), **({"quality": 86} if kind == "webp" else {"optimize": True}))
    worst = ""
    if map01 is not None and look.classes and np.isfinite(map01).any():
        tops = np.nanmax(map01, axis=(1, 2))
        said = (f"{name} {top:.2f}" for name, top in zip(look.classes, tops, strict=True))
        worst = f", highest probability of {', '.join(said)}"
    elif map01 is not None and np.isfinite(map01).any():
        worst = f", highest probability of {look.class_name} {float(np.nanmax(map01)):.2f}"
    return Picture(
        buffer.getvalue(), kind, f"Frame {index} under its heat map{worst}.", caption, wide
    )
