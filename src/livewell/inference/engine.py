"""What every way of scoring a movie takes and gives, whatever it does in between."""

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from livewell.errors import ImageContentError
from livewell.geometry import Box, WindowGrid
from livewell.image import Frame

EngineName = Literal["windows", "dense"]


@dataclass(frozen=True)
class View:
    """One frame as an engine needs it.

    Parameters
    ----------
    frame
        (channels, y, x), any number type, at the net's pixel size; (y, x) becomes one channel.
    area
        The part that holds picture; beyond it the picture is mirrored.
    wanted
        (rows, columns) bool: cells of the grid that are asked for.
    t
        Number of the frame.
    """

    frame: Frame
    area: Box
    wanted: NDArray[np.bool_]
    t: int = 0

    def __post_init__(self) -> None:
        if self.frame.ndim == 2:
            object.__setattr__(self, "frame", self.frame[None])


class Engine(Protocol):
    """Scores the windows of frames."""

    name: EngineName
    failed: dict[int, ImageContentError]
    """By number of the frame, why it could not be scored."""

    def stream(
        self, views: Iterable[View], grid: WindowGrid
    ) -> Generator[tuple[View, NDArray[np.float32]]]:
        """Logits of all classes in every wanted cell, NaN elsewhere, view by view.

        Parameters
        ----------
        views
            Frames of one size.
        grid
            Patches of the net's ``patch_px``, in pixels of the frame; they may lie beyond it.

        Yields
        ------
        (View, numpy.ndarray)
            In order; (classes, rows, columns) float32. All NaN for a frame that cannot be scored,
            such as one without a background above zero; see `failed`.
        """
        ...
