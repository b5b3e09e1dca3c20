"""A trained model: a net, the rules that make its logits answers, and what it learnt from."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, cached_property, partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from livewell.classes import ClassNames
from livewell.errors import ModelFileError
from livewell.files import AnyPath
from livewell.geometry import Box, WindowGrid
from livewell.image import Header, Image, PixelSource
from livewell.images.opening import Channels, open_image
from livewell.inference.detections import Detections, Finder, Look
from livewell.inference.familiarity import Familiarity
from livewell.inference.fields import engine_of
from livewell.inference.frames import Field, field_of, fit_to, read_field
from livewell.inference.map_detections import finder_of
from livewell.inference.prediction import ClassMap, Prediction
from livewell.inference.sending import FromFolder
from livewell.inference.stain import stain_ratio
from livewell.inference.wide_fields import class_scores, look_over
from livewell.inference.windows import View, too_small
from livewell.measure.occupancy import LEAST_SHARE, Occupancy, grid_shares, textured
from livewell.metrics.rules import RegionRule, log_odds, scored
from livewell.models.device import AUTO, placed
from livewell.models.files import Card, find_model, load_model
from livewell.models.learnt import LearntFrames
from livewell.models.nets.net import Net
from livewell.progress import Tick
from livewell.region import Region
from livewell.tables.schemas import regions_of
from livewell.text import html_table
from livewell.training.features import patches_with_cells

Find = Callable[[float], Detections | None]


class Model(FromFolder):
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
        self.card, self.folder, self.device = card, folder, device
        self.engine = engine_of(self.net)
        self.familiarity = Familiarity(self.net, self.engine, card.familiarity_rule)
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
        """Digests of the frames of the images that it was trained or calibrated on."""
        return frozenset(self.card.data.get("learnt", ()))

    @cached_property
    def learnt_frames(self) -> LearntFrames:
        """What these frames look like; empty in models of older versions."""
        return LearntFrames.read(self.folder, self.card.learnt_sha256)

    @property
    def tested(self) -> frozenset[str]:
        """Names of the groups that it was tested on."""
        return frozenset(self.card.data.get("groups", {}).get("test", ()))

    def need_patches(self) -> "Model":
        """The model itself, where patches are judged; one of whole fields is an error."""
        if not self.scores_patches:
            raise self._unfit(
                "this model judges whole frames, and here patches are judged",
                expected="a model of a profile such as FAST",
                remedy="use `livewell localise`, or `livewell evaluate` for its run",
            )
        return self

    def need_two_classes(self, what: str) -> None:
        """Refuse more than two classes for what is of two, in words that begin the message."""
        if not self.classes.binary:
            raise self._unfit(
                f"{what} one class against another",
                expected="a model of two classes",
                got=", ".join(self.classes),
                remedy="merge classes with `livewell label merge`, and train on these labels",
            )

    def need_stain(self) -> str:
        """Name of the stain that it predicts; a model that predicts none is an error."""
        if self.card.stain is None:
            raise self._unfit(
                "this model predicts no stain",
                expected="a model that was trained with a stain as target",
                remedy="train a profile such as STAIN_UNET with --stain CHANNEL",
            )
        return self.card.stain

    def need_detections(self) -> RegionRule:
        """Its rule for detections; a model without detections is an error."""
        self._need_class_map()
        self.need_two_classes("detections are of")
        if self.card.detection_rule is None:
            raise self._unfit(
                "the card has no rule for detections",
                expected="a detection_rule, chosen on validation frames",
                got="",
                remedy="train again with this version of livewell",
            )
        return self.card.detection_rule

    def _need_class_map(self) -> None:
        if self.scores_patches:
            raise self._unfit(
                "this model judges patches, and here whole frames are judged",
                expected="a model of a profile such as WSCNN_FAST",
                remedy="use `livewell assess` for its verdicts, or `livewell explain` for where its"
                " evidence lies",
            )
        if not self.gives_map:
            raise self._unfit(
                "a model with a fully connected head does not tell where",
                expected="a head that judges every cell of its map alike, such as global_pool=max",
                got=f"global_pool={self.card.profile.net.pooled_by}",
                remedy="hold it against labels with `livewell evaluate`, or train with"
                " global_pool=max",
            )

    def _unfit(self, what: str, **more: str) -> ModelFileError:
        """The error where the model is asked for what it cannot do."""
        given = {"where": str(self.folder), "got": f"profile {self.card.profile.name}"} | more
        return ModelFileError(what, **given)

    def least(self, below: float = 0.0) -> float:
        """Log odds of the net so far below its threshold of detections in calibrated ones."""
        rule = self.need_detections()
        return rule.log_odds(rule.threshold) - rule.temperature * below

    def scored(
        self, table: pd.DataFrame, source: PixelSource, tick: Tick | None = None
    ) -> pd.DataFrame:
        """A table of regions with what their logits decide, as `metrics.rules.scored`."""
        logits = self.engine.regions(source, regions_of(table), tick)
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
            From patch to patch and from cell to cell of the class map; by default patches, or
            middles of patches judged by their centres, touch, and cells are a quarter patch apart.

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
            fit = fit_to(self.card, header, asked, "array")
            field = field_of(planes[list(fit.channels)], t, fit, "array")
        else:
            fit = fit_to(self.card, image.header, channels, image.source)
            field = read_field(image, t, fit, f"{image.source}, frame {t}")
        return self.judged(field, regions, stride_px=stride_px)

    def judged(
        self, field: Field, regions: Sequence[Box] | None = None, *, stride_px: int | None = None
    ) -> Prediction:
        """What the model says of one field, as `predict`."""
        rule, find, distance = self.card.region_rule, None, None
        if regions is None and not self.scores_patches:
            regions, logits, rule, find = self._whole(field)
        else:
            whole = regions is None
            if regions is None:
                regions = self.patches(field, stride_px or self.card.profile.middle_px)
            logits, distance = self.familiarity.judged(field, regions, whole)
        make_map = partial(self.class_map, field, stride_px or max(self.card.patch_px // 4, 1))
        verdicts, make_stain = self.card.image_rule, partial(self.stain_map, field)
        made = (self.classes, regions, logits, rule, verdicts, field.notes, find, make_map)
        return Prediction(*made, make_stain, distance, self.card.familiarity_rule)

    def patches(
        self, field: Field, stride_px: int, occupancy: Occupancy | None = None
    ) -> list[Box]:
        """Patches of a field with cells, by texture or `occupancy`; the last end at its edge."""
        if min(field.area.shape) < self.card.patch_px:
            raise too_small(field.area, self.card.patch_px, field.where)
        return patches_with_cells(self.net, field.pixels, field.area, stride_px, occupancy)

    def class_map(self, field: Field, stride_px: int) -> ClassMap:
        """The class map of a field, by the net's own pass or by windows, where there are cells.

        A net whose map says where has a stride of its own. Of several windows over an image its
        map is that of the surest.
        """
        if not self.scores_patches:
            finder = self.finder(Look())
            parts = class_scores(finder, field.pixels, field.area)
            window, maps, _ = max(parts, key=lambda part: self._sureness(part[2]))
            origin = finder.first_px + 0.5
            y, x = window.y.start + origin, window.x.start + origin
            return ClassMap(maps, finder.stride_px, (y, x))
        grid = WindowGrid.over(field.area, self.card.patch_px, stride_px)
        mask = textured(field.pixels[0], self.card.pixel_um)
        middles = grid.centred(self.card.profile.middle_px)
        wanted = grid_shares(mask, middles) >= LEAST_SHARE
        view = View(field.pixels, field.area, wanted, field.t)
        return ClassMap(self.engine.scored(view, grid), stride_px, grid.box(0, 0).centre)

    def stain_map(self, field: Field) -> NDArray[np.float32]:
        """The stain of a field, (y, x), as its ratio to the background; NaN beyond its area."""
        self.need_stain()
        return stain_ratio(self.net, field.pixels, field.area)

    def _sureness(self, scores: NDArray[np.float32]) -> float:
        """Of the positive class; where there is none, of the most probable one."""
        if self.classes.binary:
            return float(log_odds(scores))
        p, positive = self.card.image_rule.probabilities(scores), self.classes.positive
        return float(p.max() if positive is None else p[self.classes.code(positive)])

    def _whole(self, field: Field) -> tuple[list[Box], NDArray[np.float64], RegionRule, Find]:
        """Windows that speak for a field, their logits and rule, and how detections are found.

        There are none where there is no texture. The surest window speaks for the field; of more
        than two classes without a positive one all windows do. These have no detections.
        """
        rule = self.card.region_rule
        find: Find = self._no_detections
        if self.classes.binary:
            rule = self.need_detections()
            find = cache(lambda least: self.detected(field, Look(least=rule.log_odds(least))))
            found = find(rule.threshold)
            parts = [] if found is None else [(found.window, np.array([0.0, found.logit]))]
        else:
            self._need_class_map()
            windows = class_scores(self.finder(Look()), field.pixels, field.area)
            seen = [(window, scores) for window, _, scores in windows] if self._holds(field) else []
            parts = sorted(seen, key=lambda part: -self._sureness(part[1]))
            if self.classes.positive is not None:
                del parts[1:]
        logits = np.array([scores for _, scores in parts], dtype=float)
        return [window for window, _ in parts], logits.reshape(-1, len(self.classes)), rule, find

    def _no_detections(self, _: float) -> Detections | None:
        self.need_two_classes("detections are of")
        return None

    def _holds(self, field: Field) -> bool:
        """Whether at least `LEAST_SHARE` of a training frame's pixels have texture above the noise.

        One lone object in a large image is something to judge.
        """
        height, width = self.card.frame_px or field.area.shape
        least = LEAST_SHARE * min(height * width, field.area.y.size * field.area.x.size)
        mask = textured(field.pixels[0], self.card.pixel_um)
        return bool(mask[field.area.slices].sum() >= least)

    def detected(self, field: Field, look: Look, tick: Tick | None = None) -> Detections | None:
        """Peaks of a field's class map, with their pixels; ``None`` where there is nothing."""
        if not self._holds(field):
            return None
        return look_over(self.finder(look), field.pixels, field.area, tick)

    def finder(self, look: Look, source: PixelSource | None = None) -> Finder:
        """What finds the peaks of its class maps, kept for the next call.

        Of a `source` features may be kept beside it; this one is made anew.
        """
        if source is not None:
            return finder_of(self.net, look, source)
        if look not in self._finders:
            self._finders[look] = finder_of(self.net, look)
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
        return self.engine.embedded(source, regions)

    def __repr__(self) -> str:
        return f"Model({self.card.profile.name}: {self.classes}; {self.folder})"

    def _repr_html_(self) -> str:
        return html_table(self.card.profile.name, self.card.about)
