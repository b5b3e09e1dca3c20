"""What a model says of one field: a class map, the scores of regions, and a verdict."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from livewell.classes import ClassNames
from livewell.errors import SpecError
from livewell.geometry import Box
from livewell.inference.detections import Detections
from livewell.measure.peaks import peaks
from livewell.metrics.rules import FamiliarityRule, ImageRule, RegionRule

NOTHING = "nothing to judge"
"""Verdict of an image without texture above the noise."""


@dataclass(frozen=True, slots=True, eq=False)
class ClassMap:
    """Logits of all classes on a grid over a field.

    `logits` are (classes, rows, columns) float32, NaN where nothing was judged; `origin_px` is row
    and column of the first cell's centre, like `stride_px` in pixels of the field.
    """

    logits: NDArray[np.float32]
    stride_px: float
    origin_px: tuple[float, float]

    def centres(self, cells: NDArray[np.int64]) -> NDArray[np.float64]:
        """Row and column in pixels of the field, (n, 2), of (n, 2) cells."""
        return np.asarray(cells * self.stride_px + np.asarray(self.origin_px))


@dataclass(frozen=True, eq=False)
class Prediction:
    """One field as a model sees it.

    Parameters
    ----------
    classes
        The model's.
    boxes
        Regions that were scored, pixels of the field at the model's pixel size.
    logits
        (regions, classes) float64; of a frame that the net pools by itself there is one row, the
        surest window, or all windows where no class is the positive one.
    rule, image_rule
        From logits to calls of regions, and to the verdict.
    notes
        What a careful user should know.
    find
        From the least probability of a detection to the peaks of the class map with their pixels,
        for nets whose maps say where; it gives ``None`` where there was nothing to judge.
    make_map
        Makes the class map; it is asked for when it is first wanted.
    make_stain
        Makes the stain, as `make_map`.
    distance, familiarity
        How far the field is, in features, from those that the model learnt from, and what decides
        whether it is unlike them; ``None`` where the model cannot tell.
    """

    classes: ClassNames
    boxes: Sequence[Box]
    logits: NDArray[np.float64]
    rule: RegionRule
    image_rule: ImageRule
    notes: tuple[str, ...] = ()
    find: Callable[[float], Detections | None] | None = field(default=None, repr=False)
    make_map: Callable[[], ClassMap] | None = field(default=None, repr=False)
    make_stain: Callable[[], NDArray[np.float32]] | None = field(default=None, repr=False)
    distance: float | None = None
    familiarity: FamiliarityRule | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.unlike:
            object.__setattr__(self, "notes", (*self.notes, self.unlike))

    @property
    def unlike(self) -> str:
        """The note on a field unlike what the model learnt; empty on others."""
        return self.familiarity.note(self.distance) if self.familiarity else ""

    @cached_property
    def image_logits(self) -> NDArray[np.float64]:
        """(classes,), the mean over the regions; NaN where there was nothing to judge."""
        if not len(self.logits):
            return np.full(len(self.classes), np.nan)
        return np.asarray(self.logits.mean(axis=0))

    @cached_property
    def probabilities(self) -> NDArray[np.float64]:
        """(regions, classes), calibrated."""
        return self.rule.probabilities(self.logits)

    @cached_property
    def codes(self) -> NDArray[np.int64]:
        """(regions,) number of the class called, -1 where none is."""
        return self.rule.codes(self.logits)

    @property
    def called(self) -> list[str]:
        """Name of the class that every region is called, or ``unsure``."""
        return [self.classes.called(int(code)) for code in self.codes]

    @property
    def shares(self) -> NDArray[np.float64]:
        """(classes,) share of the regions called each; NaN without regions."""
        if not len(self.codes):
            return np.full(len(self.classes), np.nan)
        return np.array([(self.codes == number).mean() for number in range(len(self.classes))])

    @cached_property
    def image_probabilities(self) -> NDArray[np.float64]:
        """(classes,), calibrated, of the whole image; NaN where there was nothing to judge."""
        return self.image_rule.probabilities(self.image_logits)

    @property
    def verdict(self) -> str:
        """Name of a class, ``unsure``, or ``nothing to judge``."""
        p = self.image_probabilities
        return NOTHING if np.isnan(p).any() else self.image_rule.verdict_of(p)

    @cached_property
    def class_map(self) -> ClassMap:
        """The class map.

        Raises
        ------
        SpecError
            The prediction was made of regions alone.
        """
        if self.make_map is None:
            raise SpecError("this prediction has no class map", expected="one of a whole field")
        return self.make_map()

    @cached_property
    def stain_map(self) -> NDArray[np.float32]:
        """(y, x) predicted stain at the field's own pixels, as its ratio to the background.

        NaN beyond the field's area.

        Raises
        ------
        ModelFileError
            The model predicts no stain.
        SpecError
            The prediction was made of regions alone.
        """
        if self.make_stain is None:
            raise SpecError("this prediction has no stain", expected="one of a whole field")
        return self.make_stain()

    @cached_property
    def map_probabilities(self) -> NDArray[np.float64]:
        """(classes, rows, columns), calibrated, of the class map; NaN where nothing was judged."""
        logits = np.moveaxis(self.class_map.logits, 0, -1)
        return np.moveaxis(self.rule.probabilities(logits), -1, 0)

    def detections(self, least: float | None = None) -> pd.DataFrame:
        """Peaks of the class map that are called, the surest first.

        Parameters
        ----------
        least
            Least probability of the positive class; by default those that are called.

        Returns
        -------
        DataFrame
            y, x (pixels of the field) and p.

        Raises
        ------
        SpecError
            No class is the positive one, or there is no class map.
        """
        if self.classes.positive is None:
            raise SpecError(
                "no class is sought, so there are no detections",
                expected="a positive class",
                got=str(self.classes),
                remedy="name one with --positive when labelling",
            )
        if self.find is not None:
            seen = self.find(self.rule.threshold if least is None else least)
            if seen is None:
                return pd.DataFrame({"y": [], "x": [], "p": []}, dtype=float)
            y, x = seen.y, seen.x
            p = self.rule.probability(seen.score)
        else:
            code = self.classes.code(self.classes.positive)
            probabilities = np.moveaxis(self.map_probabilities, 0, -1)
            values = probabilities[..., code]
            called = self.rule.called_of(probabilities)
            wanted = called == code if least is None else values >= least
            cells = peaks(np.where(wanted, values, -1.0), apart=1, least=0.0)
            y, x = self.class_map.centres(cells).T
            p = values[tuple(cells.T)]
        table = pd.DataFrame({"y": y, "x": x, "p": p})
        return table.sort_values("p", ascending=False, kind="stable", ignore_index=True)

    def merged(
        self, into: Mapping[str, str], positive: str | None = None
    ) -> tuple[ClassNames, NDArray[np.float64]]:
        """Classes and (regions, classes) probabilities when some classes go together.

        Parameters
        ----------
        into
            New name of every class.
        positive
            Positive one of the new classes.
        """
        classes = self.classes.merged(into, positive)
        member = np.array([[into[old] == new for new in classes] for old in self.classes])
        return classes, self.probabilities @ member

    def table(self) -> pd.DataFrame:
        """One row a region: y0, x0, y1, x1, called, and p_<class> of every class."""
        corners = np.array([box.corners for box in self.boxes], dtype=np.int64).reshape(-1, 4)
        found = pd.DataFrame(corners, columns=["y0", "x0", "y1", "x1"]).assign(called=self.called)
        for number, name in enumerate(self.classes):
            found[f"p_{name}"] = self.probabilities[:, number]
        return found

    def __repr__(self) -> str:
        p = ", ".join(
            f"{name} {each:.2f}"
            for name, each in zip(self.classes, self.image_probabilities, strict=True)
        )
        return f"Prediction({self.verdict}; {p}; {len(self.boxes)} regions)"

    def _repr_html_(self) -> str:
        p, share = "probability of the image", "share of regions"
        table = pd.DataFrame(
            {"class": list(self.classes), p: self.image_probabilities, share: self.shares}
        )
        formats = {p: "{:.3f}".format, share: "{:.0%}".format}
        html = table.to_html(index=False, border=0, na_rep="", formatters=formats)
        return f"<p><b>{escape(self.verdict)}</b>, {len(self.boxes)} regions</p>{html}"
