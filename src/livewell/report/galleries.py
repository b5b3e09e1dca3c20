"""Example patches side by side."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livewell.errors import OutputError
from livewell.report.page import Picture
from livewell.report.style import INK, UNSURE, Sheet, empty

PERCENTILES = (0.5, 99.5)
"""Grey levels of a patch shown as black and as white, unless levels are given."""


def patch_gallery(
    stack: Sequence[NDArray[Any]] | NDArray[Any],
    captions: Sequence[str],
    *,
    columns: int = 6,
    tones: Sequence[str | None] | None = None,
    levels: tuple[float, float] | None = None,
    title: str = "Example patches",
) -> Picture:
    """Patches (y, x) in a grid on the page's full width, each with a caption of one or two lines
    below.

    `tones` are colours of the lines around patches. `levels` are shown as black and white, the same
    for all; without them every patch is stretched by itself between its `PERCENTILES`. The SVG
    holds the pixels of the patches unchanged in size.
    """
    patches = list(stack)
    edges = list(tones) if tones is not None else [None] * len(patches)
    if not len(patches) == len(captions) == len(edges):
        raise OutputError(
            "a gallery whose parts do not fit",
            expected=f"{len(patches)} captions and colours",
            got=f"{len(captions)} captions, {len(edges)} colours",
        )
    if not patches:
        return empty("None.", title)
    lines = max(caption.count("\n") + 1 for caption in captions)
    rows = math.ceil(len(patches) / columns)
    height_in = rows * (9.0 / columns + 0.17 * lines + 0.04)
    with Sheet(9.0, height_in, rows=rows, columns=columns, gap_in=0.03) as sheet:
        for axes in sheet.panels[len(patches) :]:
            axes.set_axis_off()
        for axes, patch, caption, edge in zip(sheet.panels, patches, captions, edges, strict=False):
            axes.imshow(_shown(patch, levels), cmap="gray", vmin=0, vmax=255, interpolation="none")
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[:].set_visible(edge is not None)
            axes.spines[:].set(color=edge or UNSURE, linewidth=2.4)
            axes.set_xlabel(caption, size=8, color=INK, labelpad=3, linespacing=1.25)
        if levels is None:
            low, high = PERCENTILES
            shown = (
                f"Each patch is shown from its {low}th to its {high}th percentile of grey levels."
            )
        else:
            shown = f"Grey levels from {levels[0]:.5g} to {levels[1]:.5g} are shown."
        picture = sheet.picture(
            f"{title}: {len(patches)} patches. "
            + "; ".join(c.replace("\n", ", ") for c in captions),
            shown,
        )
        return replace(picture, wide=True)


def _shown(patch: NDArray[Any], levels: tuple[float, float] | None) -> NDArray[np.uint8]:
    grey = np.asarray(patch, dtype=np.float32)
    known = grey[np.isfinite(grey)]
    if not known.size:
        return np.zeros(grey.shape, dtype=np.uint8)
    low, high = levels if levels is not None else np.percentile(known, PERCENTILES)
    stretched = (np.nan_to_num(grey, nan=float(low)) - low) / ((high - low) or 1.0)
    return np.rint(255 * np.clip(stretched, 0, 1)).astype(np.uint8)
