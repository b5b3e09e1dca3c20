"""A trained model: a net, the rules that make its logits answers, and what it learnt from."""

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from html import escape
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from livewell.classes import ClassNames
from livewell.files import AnyPath
from livewell.geometry import Box, WindowGrid
from livewell.image import Header, Image, PixelSource
from livewell.images.opening import Channels, open_image
from livewell.inference.capabilities import detection_rule, refuse_frames
from livewell.inference.detections import Finder, Look
from livewell.inference.embedding import embedded
from livewell.inference.engine import View
from livewell.inference.frames import Field, fit_to, model_frame, read_field
from livewell.inference.prediction import ClassMap, Prediction
from livewell.inference.wide_fields import FieldDetections, look_over
from livewell.inference.windows import Windows, window_boxes
from livewell.measure.occupancy import LEAST_SHARE, grid_shares, shares, textured
from livewell.metrics.rules import RegionRule, scored
from livewell.models.device import AUTO, placed
from livewell.models.files import Card, find_model, load_model
from livewell.models.nets.net import Net
from livewell.progress import Tick
from livewell.region import Region


class Model:
    """A trained model, ready to predict.

    Parameters
    ----------
    net, card
        What `livewell.models.files.load_model` reads.
    folder
        Where it lies; decides nothing, but names it.
    device
        Where it computes: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.

    Raises
    ------
    SpecError
        There is no such device here.
    """

    def __init__(
        self, net: Net, card: Card, folder: Path = Path(), device: str | torch.device = AUTO
    ) -> None:
        self.net = replace(net, module=placed(net.module, device))
        self.card, self.folder = card, folder
        self.windows = Windows(self.net)
        self._finders: dict[Look, Finder] = {}

    @classmethod
    def load(cls, path: AnyPath, *, device: str | torch.device = AUTO) -> "Model":
        """Read a model: its folder, a file in it, or a training run of one fold.

        Parameters
        ----------
        path
            Where it is.
        device
            As in `Model`.

        Raises
        ------
        ModelFileError
            As `livewell.models.files.load_model`.
        """
        folder = find_model(Path(path))
        return cls(*load_model(folder), folder, device)

    @property
    def name(self) -> str:
        """Name of the fold or folder that holds it."""
        return self.folder.parent.name if self.folder.name == "model" else self.folder.name

    @property
    def classes(self) -> ClassNames:
        """The classes that it tells apart."""
        return self.card.class_names

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels that it sees."""
        return self.card.channels

    @property
    def gives_map(self) -> bool:
        """Whether its net makes a class map that says where, so that there are detections."""
        return self.card.profile.net.says_where

    @property
    def takes_any_size(self) -> bool:
        """Whether its net takes fields of any size, rather than crops of one."""
        return self.card.profile.net.says_where or self.card.profile.dense_is_exact

    @property
    def scores_patches(self) -> bool:
        """Whether its regions are patches of a field, rather than whole fields."""
        return bool(self.card.patch_px)

    @property
    def learnt(self) -> frozenset[str]:
        """Digests of the first frames of the images that it was trained or calibrated on."""
        return frozenset(self.card.data.get("learnt", ()))

    @property
    def tested(self) -> frozenset[str]:
        """Names of the groups that it was tested on."""
        return frozenset(self.card.data.get("groups", {}).get("test", ()))

    def need_patches(self) -> "Model":
        """The model itself, where patches are judged.

        Raises
        ------
        ModelFileError
            It judges whole fields.
        """
        refuse_frames(self.card, self.folder)
        return self

    def need_detections(self) -> RegionRule:
        """Its rule for detections.

        Raises
        ------
        ModelFileError
            It judges patches, its maps do not say where, or its card has no rule for detections.
        """
        return detection_rule(self.card, self.folder)

    def least(self, below: float = 0.0) -> float:
        """Log odds of the net that lie so far below its threshold of detections in calibrated ones.

        Raises
        ------
        ModelFileError
            As `need_detections`.
        """
        rule = self.need_detections()
        return rule.log_odds(rule.threshold) - rule.temperature * below

    def region_logits(
        self, source: PixelSource, regions: Sequence[Region], tick: Tick | None = None
    ) -> NDArray[np.float64]:
        """Logits of regions of a study, (n, classes), as `Windows.regions`.

        Parameters
        ----------
        source, regions, tick
            As there.
        """
        return self.windows.regions(source, regions, tick)

    def scored(self, table: pd.DataFrame, logits: NDArray[np.float64]) -> pd.DataFrame:
        """`table` with what logits decide, as `metrics.rules.scored`."""
        return scored(table, logits, self.card.region_rule, self.classes)

    def predict(
        self,
        image: "AnyPath | Image | NDArray[np.generic]",
        regions: Sequence[Box] | None = None,
        *,
        t: int = 0,
        channels: Channels = None,
        pixel_um: float | None = None,
        stride_px: int | None = None,
    ) -> Prediction:
        """What the model says of one frame of an image.

        Parameters
        ----------
        image
            A file, an open image, or an array (y, x) or (channels, y, x) in grey levels.
        regions
            Boxes to score, pixels at the model's pixel size; by default patches side by side where
            there are cells, or the whole frame.
        t
            Number of the frame.
        channels
            Channels by name or number; the model's own by default.
        pixel_um
            Edge of a pixel, micrometres, in place of what the file says.
        stride_px
            From patch to patch and from cell to cell of the class map; by default patches touch.

        Raises
        ------
        ImageReadError, ImageContentError
            The image cannot be read, or not be judged by this model.
        """
        if isinstance(image, str | os.PathLike):
            with open_image(Path(image), pixel_um=pixel_um) as opened:
                return self.predict(opened, regions, t=t, channels=channels, stride_px=stride_px)
        if isinstance(image, np.ndarray):
            planes = image[None] if image.ndim == 2 else image
            names = tuple(f"channel {number}" for number in range(len(planes)))
            height, width = planes.shape[1:]
            header = Header(1, names, height, width, str(image.dtype), pixel_um)
            asked = tuple(range(len(planes))) if channels is None else channels
            where = "array"
            fit = fit_to(self.card, header, asked, where)
            chosen = planes[list(fit.channels)]
            pixels, area = model_frame(chosen, fit.scale, where)
            found = Field(pixels, area, chosen[0], t)
        else:
            fit = fit_to(self.card, image.header, channels, image.source)
            where = f"{image.source}, frame {t}"
            found = read_field(image, t, fit, where)
        return self.judged(found, regions, stride_px=stride_px, notes=fit.notes, where=where)

    def judged(
        self,
        field: Field,
        regions: Sequence[Box] | None = None,
        *,
        stride_px: int | None = None,
        notes: tuple[str, ...] = (),
        where: str = "",
    ) -> Prediction:
        """What the model says of one field, as `predict`.

        Parameters
        ----------
        field
            At the model's pixel size.
        regions, stride_px
            As in `predict`.
        notes
            Kept with the prediction.
        where
            Name of the frame, for errors.
        """
        if regions is None and not self.scores_patches:
            return self._whole(field, notes)
        if regions is None:
            regions = self.patches(field, stride_px or self.card.patch_px, where)
        logits = self.windows.boxes(field.pixels, field.area, regions)
        mean = logits.mean(axis=0) if len(logits) else np.full(len(self.classes), np.nan)
        return Prediction(
            self.classes,
            regions,
            logits,
            mean,
            self.card.region_rule,
            self.card.image_rule,
            notes,
            None,
            lambda: self.class_map(field, stride_px or max(self.card.patch_px // 4, 1)),
        )

    def patches(self, field: Field, stride_px: int, where: str = "") -> list[Box]:
        """Patches of a field where there are cells; the last row and column end at its edge.

        Parameters
        ----------
        field
            At the model's pixel size.
        stride_px
            From patch to patch.
        where
            Name of the frame, for errors.

        Raises
        ------
        ImageContentError
            The field is smaller than a patch.
        """
        size = self.card.patch_px
        boxes = window_boxes(field.area, size, stride_px, where=where, edge="shift")
        full = shares(textured(field.pixels[0], self.card.pixel_um), boxes) >= LEAST_SHARE
        return [box for box, holds in zip(boxes, full, strict=True) if holds]

    def class_map(self, field: Field, stride_px: int) -> ClassMap:
        """The class map of a field, by the net's own pass or by windows, where there are cells.

        Parameters
        ----------
        field
            At the model's pixel size.
        stride_px
            From cell to cell; a net whose map says where has its own.
        """
        if not self.scores_patches:
            finder = self.finder(Look())
            seen = look_over(finder, field.pixels, field.area)
            origin = finder.first_px + 0.5
            y, x = seen.window.y.start + origin, seen.window.x.start + origin
            return ClassMap(seen.places.maps, finder.stride_px, (y, x))
        grid = WindowGrid.over(field.area, self.card.patch_px, stride_px)
        mask = textured(field.pixels[0], self.card.pixel_um)
        wanted = grid_shares(mask, grid) >= LEAST_SHARE
        view = View(field.pixels, field.area, wanted, field.t)
        return ClassMap(self.windows.scored(view, grid), stride_px, grid.box(0, 0).centre)

    def _whole(self, field: Field, notes: tuple[str, ...]) -> Prediction:
        """A field pooled by the net itself; nothing where there is no texture."""
        rule = self.need_detections()

        @cache
        def find(least: float) -> FieldDetections | None:
            return self.detected(field, Look(least=rule.log_odds(least)))

        detected = find(rule.threshold)
        boxes = [] if detected is None else [detected.window]
        nothing = np.full(len(self.classes), np.nan)
        mean = nothing if detected is None else np.array([0.0, detected.logit])
        return Prediction(
            self.classes,
            boxes,
            mean[None] if boxes else np.empty((0, len(self.classes))),
            mean,
            rule,
            self.card.image_rule,
            notes,
            find,
            lambda: self.class_map(field, 0),
        )

    def detected(
        self, field: Field, look: Look, tick: Tick | None = None
    ) -> FieldDetections | None:
        """Peaks of the class map of a field, with their pixels; ``None`` where there is nothing.

        That is where less than `LEAST_SHARE` of a training frame's pixels have texture above the
        noise: one lone object in a large image is something.

        Parameters
        ----------
        field
            At the model's pixel size.
        look
            How peaks are found.
        tick
            Of one unit, the field.
        """
        height, width = self.card.frame_px or field.area.shape
        least = LEAST_SHARE * min(height * width, field.area.y.size * field.area.x.size)
        mask = textured(field.pixels[0], self.card.pixel_um)
        if mask[field.area.slices].sum() < least:
            return None
        return look_over(self.finder(look), field.pixels, field.area, tick)

    def finder(self, look: Look) -> Finder:
        """What finds the peaks of its class maps, kept for the next call."""
        if look not in self._finders:
            self._finders[look] = Finder(self.net, look)
        return self._finders[look]

    def embed(self, source: PixelSource, regions: Sequence[Region]) -> NDArray[np.float32]:
        """What the net has made of regions right before it tells classes apart.

        Parameters
        ----------
        source
            Where pixels come from.
        regions
            Which ones.

        Returns
        -------
        numpy.ndarray
            (n, features) float32; maps are averaged over their cells.

        Raises
        ------
        SpecError
            No region, or a model whose logits are averaged over flips and rotations.
        """
        return embedded(self.windows, source, regions)

    def __repr__(self) -> str:
        return f"Model({self.card.profile.name}: {self.classes}; {self.folder})"

    def _repr_html_(self) -> str:
        shown = "".join(
            f"<tr><td>{escape(str(row['name']))}</td><td>{row['value']:.3f} ({row['low']:.3f} to"
            f" {row['high']:.3f})</td></tr>"
            for row in self.card.results
        )
        results = f"<table>{shown}</table>" if shown else "<p>not evaluated</p>"
        return (
            f"<p><b>{escape(self.card.profile.name)}</b>: {escape(str(self.classes))}; channels"
            f" {escape(', '.join(filter(None, self.channels))) or 'unnamed'}</p>{results}"
        )
