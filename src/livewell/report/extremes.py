"""The patches that look most like each class, for a page of verdicts."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from livewell.errors import LivewellError
from livewell.geometry import Box
from livewell.images.opening import Channels, open_image
from livewell.inference.frames import fit_to, read_field
from livewell.inference.prediction import Prediction
from livewell.models.files import Card
from livewell.report.results import Gallery

SHOWN = 6
"""Patches in a gallery."""


def extremes(found: Prediction) -> list[list[Any]]:
    """The surest patch of each class for a frame's journal entry: class, p, then the corners."""
    p = found.probabilities
    return [
        [name, float(p[row, number]), *found.boxes[row].corners]
        for number, name in enumerate(found.classes)
        for row in [int(p[:, number].argmax())]
    ]


def galleries(
    entries: Sequence[Mapping[str, Any]],
    paths: Mapping[str, Path],
    card: Card,
    channels: Channels,
    pixel_um: float | None,
) -> list[Gallery]:
    """The surest patches of each class over all files, also of those judged before a restart.

    Rows of the journal's entries hold t and what `extremes` gave. Files are read again; one that
    cannot be read any more is left out.
    """
    found = [
        (name, p, str(entry["image"]), int(row["t"]), Box.of(*(int(edge) for edge in corners)))
        for entry in entries
        for row in entry["rows"]
        for name, p, *corners in row.get("extremes", ())
    ]
    made = []
    classes = card.class_names
    # of two classes p is always told of the positive one
    for kind in classes.sought if not classes.binary else reversed(classes.pair):
        items = []
        chosen = sorted((each for each in found if each[0] == kind), key=lambda each: -each[1])
        for _, p, image, t, box in chosen[:SHOWN]:
            try:
                with open_image(paths[image], pixel_um=pixel_um) as opened:
                    fit = fit_to(card, opened.header, channels, image)
                    field = read_field(opened, t, fit, image)
            except LivewellError:
                continue
            pixels = np.array(field.pixels[(0, *box.slices)], dtype=np.float32)
            told = 1 - p if classes.binary and kind != classes.positive else p
            items.append((pixels, f"p {told:.2f}\n{image}, frame {t}"))
        if items:
            title = f"Patches that look most {kind}"
            made.append(
                Gallery(title, [pixels for pixels, _ in items], [told for _, told in items])
            )
    return made
