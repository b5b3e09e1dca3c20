"""What a page shows of a predicted stain: frames beside the real one, and how alike they are."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from livewell.outputs.stains import PredictedStain, StainShot
from livewell.report.galleries import stretched
from livewell.report.overlays import reduced
from livewell.report.page import Picture, Section, info
from livewell.report.style import Sheet, tile
from livewell.text import plural

WIDEST_PX = 480
"""Wider frames are drawn with fewer pixels."""
BRIGHTEST = 99.8
"""Percentile of all pixels shown that ends the scale."""
NOT_MEASURED = info(
    "A predicted stain is what the model expects from the transmitted light, learnt from images in"
    " which the stain was imaged: it is no measurement, and no dye has shown it."
)


def stain_section(results: PredictedStain) -> Section:
    """Frames with their predicted stain, beside the real one where the movie has it."""
    name, r = results.name, np.array([each for each in results.r if np.isfinite(each)])
    lead = "Predicted at every pixel, as its ratio to the background, on a logarithmic scale. "
    if not r.size:
        lead += f"No channel {name} of the movie could be measured, to hold it against."
    else:
        told = f"{r.mean():.2f}" + (f" ({r.min():.2f} to {r.max():.2f})" if len(r) > 1 else "")
        over = plural(len(r), "frame")
        lead += f"Pearson's r of predicted and real logarithms, pixel by pixel: {told}, {over}."
    pictures = [stain_figure(name, results.shots)] if results.shots else []
    return Section(f"Predicted {name}", lead, pictures, notes=[NOT_MEASURED])


def stain_figure(name: str, shots: Sequence[StainShot]) -> Picture:
    """One row a frame: transmitted light, predicted stain, real stain, on one scale for all."""
    real = any(shot.measured is not None for shot in shots)
    columns, (tall, wide) = 3 if real else 2, shots[0].pixels.shape
    stains = [each for shot in shots for each in (shot.predicted, shot.measured)]
    known = np.concatenate([each[np.isfinite(each)] for each in stains if each is not None])
    top = max(float(np.percentile(known, BRIGHTEST)), 2.0) if known.size else 2.0
    by, scale = -(-wide // WIDEST_PX), LogNorm(1.0, top, clip=True)
    row_in = 8.4 / columns * tall / wide + 0.2
    with Sheet(9.0, row_in * len(shots) + 0.7, rows=len(shots), columns=columns) as sheet:
        for number, shot in enumerate(shots):
            panels = sheet.panels[columns * number : columns * (number + 1)]
            light = stretched(reduced(shot.pixels, by))
            panels[0].imshow(light, cmap="gray", vmin=0, vmax=1, interpolation="none")
            tile(panels[0], f"frame {shot.t}, transmitted light")
            said = "" if np.isnan(shot.r) else f", r {shot.r:.2f}"
            captions = (f"{name}, predicted{said}", f"{name}, real")
            for axes, values, caption in zip(
                panels[1:], (shot.predicted, shot.measured), captions, strict=False
            ):
                drawn = np.full((1, 1), np.nan) if values is None else reduced(values, by)
                axes.set_facecolor("#E9EAEB")
                axes.imshow(drawn, cmap="magma", norm=scale, interpolation="none")
                tile(axes, caption if values is not None else f"{name}: not imaged")
        place: dict[str, Any] = {"location": "bottom", "shrink": 0.5, "aspect": 40, "pad": 0.02}
        shades = ScalarMappable(scale, "magma")
        bar = sheet.figure.colorbar(shades, ax=sheet.panels, **place)
        bar.outline.set_visible(False)
        bar.set_label(f"{name}, ratio to the background")
        bar.ax.xaxis.set_major_locator(LogLocator(2))
        bar.ax.xaxis.set_minor_locator(NullLocator())
        bar.ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        told = f" beside the real one, r {', '.join(f'{shot.r:.2f}' for shot in shots)}"
        alt = f"Predicted {name} of {plural(len(shots), 'frame')}{told if real else ''}."
        caption = "Grey: not known. The scale ends at the brightest 0.2% of what is shown."
        return sheet.picture(alt, caption, wide=True)
