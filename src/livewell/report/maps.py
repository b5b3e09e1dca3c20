"""Figures with two axes of place: confusion matrix, plate, frame under its heat map."""

from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from typing import Literal

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.patches import Circle
from numpy.typing import ArrayLike
from PIL import Image as Pillow

from livewell.errors import OutputError
from livewell.image import Frame
from livewell.outputs.heatmaps import Map
from livewell.outputs.overlay import Look, draw
from livewell.plate import PLATES, Plate, Well
from livewell.report.page import Picture
from livewell.report.style import HEALTHY, INK, SICK, Sheet

COUNTS = LinearSegmentedColormap.from_list("counts", ["#FFFFFF", "#C9DDEC", "#5A9BC9"])
"""White to blue; dark text stays readable on every shade."""
HEALTH = LinearSegmentedColormap.from_list("health", [HEALTHY, "#E9EAEB", SICK])
"""Blue (all healthy) through pale grey to vermillion (all sick)."""


def confusion(matrix: ArrayLike, classes: Sequence[str]) -> Picture:
    """Confusion matrix: counts, and the share of the true class.

    Parameters
    ----------
    matrix
        Counts, rows true and columns called, in the order of `classes`.
    classes
        Names of the classes.
    """
    counts = np.asarray(matrix, dtype=float)
    total = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)
    side = 1.5 + 0.85 * len(classes)
    with Sheet(side, side) as sheet:
        axes = sheet.axes
        axes.imshow(share, cmap=COUNTS, vmin=0, vmax=1)
        for row, column in np.ndindex(*counts.shape):
            text = f"{counts[row, column]:,.0f}"
            axes.text(column, row - 0.08, text, ha="center", va="center", size=13, weight="bold")
            if total[row, 0]:
                axes.text(column, row + 0.24, f"{share[row, column]:.0%}", ha="center", va="center")
        ticks = range(len(classes))
        axes.set_xticks(ticks, classes)
        axes.set_yticks(ticks, classes, rotation=90, va="center")
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        for edge in np.arange(len(classes) - 1) + 0.5:
            axes.axhline(edge, color="white", lw=2)
            axes.axvline(edge, color="white", lw=2)
        axes.set_xlabel("called")
        axes.set_ylabel("true")
        said = "; ".join(
            f"true {classes[row]} called {classes[column]} {counts[row, column]:.0f}"
            for row, column in np.ndindex(*counts.shape)
        )
        return sheet.picture(
            f"Confusion matrix: {said}.",
            "Patches by true and called class; percentages are of the true class.",
        )


def plate_view(
    wells: Sequence[str],
    values: ArrayLike,
    verdicts: Sequence[str] | None = None,
    *,
    plate: Plate | None = None,
    positive: str = "sick",
) -> Picture:
    """A plate with every well coloured by its share of positive patches.

    Parameters
    ----------
    wells
        Names such as ``B07``, each once.
    values
        Share of each well, 0 to 1; NaN is drawn as a cross: nothing to judge.
    verdicts
        Of each well; "unsure" is ringed with dashes.
    plate
        Its format; the smallest usual one with 24 wells or more that holds all wells.
    positive
        Name of the positive class.

    Raises
    ------
    GeometryError
        A name is no well.
    OutputError
        A well lies outside the plate.
    """
    places = [Well.parse(name) for name in wells]
    usual = [known for size, known in PLATES.items() if size >= 24]
    fits = [known for known in usual if all(place in known for place in places)]
    plate = plate or (fits[0] if fits else usual[-1])
    outside = [str(place) for place in places if place not in plate]
    if outside:
        raise OutputError("wells outside the plate", got=", ".join(outside))
    shares = np.asarray(values, dtype=float)
    scale = min(0.52, 7.0 / plate.columns)
    with Sheet(plate.columns * scale + 1.5, plate.rows * scale + 0.6) as sheet:
        axes = sheet.axes
        for well in plate.wells():
            axes.add_patch(Circle((well.column, well.row), 0.42, fill=False, ec="#D9DDE1", lw=0.7))
        states = list(verdicts) if verdicts is not None else [""] * len(places)
        for well, share, state in zip(places, shares, states, strict=True):
            at = (well.column, well.row)
            if not np.isfinite(share):
                axes.plot(*at, "x", color="#8A8F94", ms=7 * scale / 0.52)
                continue
            ring = {"ec": INK, "lw": 1.3, "ls": (0, (2, 1.5))} if state == "unsure" else {}
            axes.add_patch(
                Circle(at, 0.42, fc=HEALTH(share), **{"ec": "#6B7177", "lw": 0.5} | ring)
            )
            if scale > 0.4:
                ink = "white" if share < 0.22 or share > 0.86 else INK
                axes.text(*at, f"{100 * share:.0f}", ha="center", va="center", size=8, color=ink)
        axes.set_xlim(-0.6, plate.columns - 0.4)
        axes.set_ylim(plate.rows - 0.4, -0.6)
        axes.set_aspect("equal")
        axes.set_xticks(range(plate.columns), [str(i + 1) for i in range(plate.columns)])
        axes.set_yticks(range(plate.rows), [str(Well(row, 0))[:-2] for row in range(plate.rows)])
        axes.tick_params(length=0, labelsize=8 if scale > 0.4 else 5)
        axes.xaxis.tick_top()
        axes.spines[:].set_visible(False)
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
    """One frame under its heat map, as the overlay video shows it.

    Parameters
    ----------
    frame, map01, look, index, time_s
        As in `livewell.outputs.overlay.draw`.
    kind
        ``webp`` (lossy, small) or ``png``.
    widest_px
        Wider frames are made smaller for the page.
    caption
        Sentence below it.
    wide
        On the page's whole width; else two stand side by side, with larger text in them.
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
    if map01 is not None and np.isfinite(map01).any():
        worst = f", highest probability of {look.class_name} {float(np.nanmax(map01)):.2f}"
    return Picture(
        buffer.getvalue(), kind, f"Frame {index} under its heat map{worst}.", caption, wide
    )
