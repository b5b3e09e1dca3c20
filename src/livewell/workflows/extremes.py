"""The patches that look most and least like the positive class, for a page of verdicts."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livewell.errors import LivewellError
from livewell.geometry import Box
from livewell.images.opening import open_image
from livewell.inference.frames import fit_to, model_frame
from livewell.models.files import Card
from livewell.report.results import Gallery

SHOWN = 6
"""Patches in a gallery."""


def extremes(p: NDArray[np.float64], boxes: Sequence[Box]) -> list[list[float]]:
    """The highest and the lowest patch of a frame for its journal entry: p, then the corners."""
    rows = dict.fromkeys((int(p.argmax()), int(p.argmin())))
    return [[float(p[row]), *boxes[row].corners] for row in rows]


def galleries(
    entries: Sequence[Mapping[str, Any]],
    paths: Mapping[str, Path],
    card: Card,
    channel: str | None,
    pixel_um: float | None,
) -> list[Gallery]:
    """The surest patches of each class over all files, also of those judged before a restart.

    Their files are read again; one that cannot be read any more is left out.

    Parameters
    ----------
    entries
        Of the journal: image and rows, which hold t and what `extremes` gave.
    paths
        File of every image.
    card
        The model's.
    channel, pixel_um
        As the files were judged.
    """
    found = [
        (p, str(entry["image"]), int(row["t"]), Box.of(*(int(edge) for edge in corners)))
        for entry in entries
        for row in entry["rows"]
        for p, *corners in row.get("extremes", ())
    ]
    made = []
    for kind, sign in zip(reversed(card.classes), (-1, 1), strict=True):
        items = []
        for p, image, t, box in sorted(found, key=lambda each: sign * each[0])[:SHOWN]:
            try:
                with open_image(paths[image], pixel_um=pixel_um) as opened:
                    fit = fit_to(card, opened.header, channel, image)
                    frame, _ = model_frame(opened.frame(t, fit.channel), fit, image)
            except LivewellError:
                continue
            pixels = np.array(frame[box.slices], dtype=np.float32)
            items.append((pixels, f"p {p:.2f}\n{image}, frame {t}"))
        if items:
            title = f"Patches that look most {kind}"
            made.append(
                Gallery(title, [pixels for pixels, _ in items], [told for _, told in items])
            )
    return made
