"""The models of a run under one look: weights, maps, fields and class models."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from livewell import __version__
from livewell.errors import SpecError
from livewell.execution.executors import SERIAL, Executor
from livewell.explain.background import OffCells, off_cells
from livewell.explain.class_model import EQUATION_4, Ascent, class_model
from livewell.explain.crops import CropCam, Weights
from livewell.explain.gradcam import PatchMap
from livewell.explain.places import PlaceCam
from livewell.files import folder_names
from livewell.image import mirrored
from livewell.inference.evaluation_set import EvaluationSet
from livewell.inference.fields import Fields
from livewell.measure.occupancy import textured
from livewell.metrics.baselines import drawn_alike
from livewell.models.device import device_of
from livewell.progress import task
from livewell.report.evidence_words import Words, words_of
from livewell.report.explain import Evidence, class_models, field_evidence
from livewell.report.field_maps import FieldJob, field_maps
from livewell.report.page import Picture
from livewell.study.scale import common_pixel_um
from livewell.tables.schemas import KEY, regions_of
from livewell.text import few, sentence

MOST_TRAINING, MOST_TESTED = 500, 400
"""At most so many training patches of a class make its weights, and so many test patches are looked
at for the background; both drawn once, groups alike."""
TOP = 99.0
"""Percentile of the evidence on test patches that is shown in full colour."""


@dataclass(frozen=True, slots=True)
class Look:
    """What is looked at.

    All classes where none is named; where `layer` is ``None`` the last convolutional one, on a
    fixed backbone all that the head reads. Weights of a ``class`` are averaged over its training
    patches (equation 3), of a ``crop`` its own (equation 1); a net on a fixed backbone has those of
    each place, and no `models`. `patches` are shown of each kind, `fields` of each class.
    `stride_px` in a field is an eighth of a patch where ``None``, which was chosen on planted sick
    cells (`benchmarks.planted`), and 8 px between places on a fixed backbone.
    """

    classes: tuple[str, ...] = ()
    layer: str | None = None
    weights: Weights = "class"
    patches: int = 6
    fields: int = 1
    stride_px: int | None = None
    models: bool = True
    ascent: Ascent = EQUATION_4


def cams_of(
    tested: EvaluationSet, folds: Sequence[int], look: Look
) -> dict[int, CropCam | PlaceCam]:
    """The models of folds under a look; all are of crops, or all are on a fixed backbone."""
    found: dict[int, CropCam | PlaceCam] = {}
    for fold in folds:
        model = tested.model(fold)
        found[fold] = (
            PlaceCam(model.net, look.layer, look.stride_px)
            if isinstance(model.engine, Fields)
            else CropCam(model.net, look.layer, look.weights, look.stride_px)
        )
    fixed = [fold for fold, cam in found.items() if isinstance(cam, PlaceCam)]
    if 0 < len(fixed) < len(found):
        raise SpecError(
            "evidence of nets of crops and of nets on a fixed backbone has no common scale",
            where=str(tested.own_run.folder),
            got=f"a fixed backbone in fold {few(fixed)}, and none in others",
            remedy="look into folds of one kind at a time, with --fold and --out",
        )
    return found


@dataclass(frozen=True)
class Inside:
    """The models of a run under one look."""

    tested: EvaluationSet
    cams: dict[int, CropCam | PlaceCam]
    look: Look
    seed: int
    masks: dict[tuple[str, int], NDArray[np.bool_]] = field(default_factory=dict)

    def __reduce__(self) -> tuple[Callable[..., "Inside"], tuple[object, ...]]:
        """Made again in another process, where the models are loaded; learnt weights are sent."""
        learnt = {fold: cam.learnt for fold, cam in self.cams.items() if isinstance(cam, CropCam)}
        run = self.tested.own_run.folder
        return _made_again, (run, list(self.cams), self.look, self.seed, learnt)

    @property
    def words(self) -> Words:
        """How a page says what was looked at."""
        return words_of(next(iter(self.cams.values())), self.look.models, MOST_TRAINING)

    def learn_weights(self, numbers: Sequence[int]) -> None:
        """Weights of every fold and class over training patches of the class (equation 3)."""
        train, chosen = self.tested.part("train"), []
        for (fold, cam), number in product(self.cams.items(), numbers):
            if isinstance(cam, CropCam):
                of = (train["fold"] == fold) & (train["label"] == self.tested.classes[number])
                chosen.append((cam, number, drawn_alike(train[of], MOST_TRAINING, self.seed)))
        if not chosen:
            return
        total = sum(len(part) for *_, part in chosen)
        with task("weights of the classes", total=total) as tick:
            for cam, number, part in chosen:
                cam.learn(self.tested.pixels, regions_of(part), number, tick)

    def maps(self, rows: pd.DataFrame, number: int) -> list[PatchMap]:
        """Maps of patches, in order, each by its fold's model."""
        found: dict[int, PatchMap] = {}
        for fold, part in rows.groupby("fold", sort=True):
            cam, regions = self.cams[int(str(fold))], regions_of(part[KEY])
            made = cam.patch_maps(self.tested.pixels, regions, number)
            found |= dict(zip(part.index.tolist(), made, strict=True))
        return [found[row] for row in rows.index.tolist()]

    def off_cells(
        self, table: pd.DataFrame, numbers: Sequence[int]
    ) -> tuple[dict[int, tuple[OffCells, list[str]]], pd.DataFrame, float]:
        """By class the evidence of patches called so, on and off cells; rows; full colour."""
        classes, measured = self.tested.classes, {}
        rows: list[pd.DataFrame] = []
        strengths: list[NDArray[np.float32]] = []
        chosen = {
            number: drawn_alike(table[table["called"] == number], MOST_TESTED, self.seed)
            for number in numbers
        }
        total = sum(len(part) for part in chosen.values())
        with task("evidence on and off cells", total=total) as tick:
            for number, part in chosen.items():
                part = part.sort_values(KEY, kind="stable").reset_index(drop=True)
                found = []
                for first in range(0, len(part), 32):
                    some = part.iloc[first : first + 32]
                    maps = self.maps(some, number)
                    margin = self.cams[int(some["fold"].iloc[0])].layer.margin_px
                    masks = np.stack([self._cells(each, margin) for each in maps])
                    found.append(off_cells(np.stack([m.map for m in maps]), masks, margin))
                    strengths += [m.map.ravel()[::7] for m in maps]
                    tick(len(some))
                if found:
                    joined = OffCells.joined(found)
                    measured[number] = joined, part["group"].tolist()
                    if not classes.binary:
                        part = part.assign(p=self._p(part, number))
                    # one row a patch that was looked at, for `patches.csv`
                    looked = part[["fold", *KEY, "group", "label", "p"]].assign(
                        evidence_for=classes[number],
                        evidence=joined.evidence,
                        off_cells=joined.share,
                        area_off_cells=joined.area_off,
                        with_cells=joined.with_cells,
                    )
                    rows.append(looked)
        top = float(np.percentile(np.concatenate(strengths), TOP)) if strengths else 1.0
        return measured, pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(), top or 1.0

    def _cells(self, found: PatchMap, margin_px: int) -> NDArray[np.bool_]:
        """Where there is the texture of cells in a patch and a margin around it."""
        key = found.patch.image, found.patch.t
        pixels = self.tested.pixels
        if key not in self.masks:
            # patches come sorted by frame, so the frames before are done with
            self.masks.clear()
            pixel_um = common_pixel_um(self.tested.study, [key[0]])
            self.masks[key] = textured(pixels.frame(*key), pixel_um)
        box = found.box.widened(margin_px)
        return np.asarray(mirrored(self.masks[key], pixels.area(*key), box))

    def pairs(
        self, table: pd.DataFrame, numbers: Sequence[int]
    ) -> list[tuple[str, list[Evidence]]]:
        """The surest calls of each class, right and wrong, at most two of one image."""
        classes = self.tested.classes
        p = np.stack([self._p(table, code) for code in range(len(classes))], axis=1)
        sure = table.assign(sure=np.take_along_axis(p, table[["called"]].to_numpy(int), 1)[:, 0])
        sure = sure[sure["called"] >= 0].sort_values("sure", ascending=False, kind="stable")
        galleries = []
        for number, right in product(numbers, (True, False)):
            rows = sure[(sure["called"] == number) & ((sure["y"] == number) == right)]
            rows = rows[rows.groupby(["image", "t"]).cumcount() < 2].head(self.look.patches)
            if rows.empty:
                continue
            shown = rows["p" if classes.binary else "sure"]
            captions = [
                f"p {p:.2f}, {group}" for p, group in zip(shown, rows["group"], strict=True)
            ]
            items = [
                Evidence(found.grey, found.map, number, caption, int(y))
                for found, caption, y in zip(
                    self.maps(rows, number), captions, rows["y"], strict=True
                )
            ]
            title = f"{sentence(classes[number])}, rightly"
            if not right:
                others = " or ".join(classes[int(code)] for code in sorted(rows["y"].unique()))
                title = f"Called {classes[number]}, labelled {others}"
            galleries.append((title, items))
        return galleries

    def fields(
        self,
        table: pd.DataFrame,
        numbers: Sequence[int],
        top: float,
        folder: Path,
        executor: Executor = SERIAL,
    ) -> tuple[list[Picture], list[tuple[str, str, float, float]]]:
        """Whole fields of each class under their evidence; how far overlapping crops disagree.

        The folder takes the maps, as TIFF of 32-bit numbers.
        """
        items, disagreement = [], []
        jobs: dict[str, FieldJob] = {}
        classes, pixels = self.tested.classes, self.tested.pixels
        files = folder_names(self.tested.study.fields()["image"].tolist())
        of_classes = folder_names(classes.names)
        for number in numbers:
            rows = table[table["y"] == number]
            rows = rows.assign(mean=self._p(rows, number))
            mean = rows.groupby(["fold", "image", "t"])["mean"].mean()
            for fold, image, t in mean.sort_values(ascending=False).index[: self.look.fields]:
                file = f"fields/{files[image]}-{t}-{of_classes[classes[number]]}.tif"
                job = FieldJob(number, int(fold), str(image), int(t), file)
                jobs[f"{image}, frame {t}, {classes[number]}"] = job
        asked = {"look": asdict(self.look), "seed": self.seed, "livewell": __version__}
        for job, shown, apart in field_maps(self, jobs, folder, asked, executor):
            title = f"{job.image}, frame {job.t}"
            disagreement += [(title, classes[job.number], *apart)] if apart else []
            grey = pixels.frame(job.image, job.t).astype(np.float32)
            items.append(Evidence(grey, shown, job.number, title))
        if items and not disagreement:
            # scores of many places together are on a scale of their own
            top = float(np.nanpercentile(np.concatenate([item.map.ravel() for item in items]), TOP))
        unit = self.words.field_unit
        return [field_evidence(item, classes.names, top, unit) for item in items], disagreement

    def _p(self, table: pd.DataFrame, code: int) -> NDArray[np.float64]:
        """Probability of a class in every row of a table of scores."""
        classes = self.tested.classes
        if classes.binary:
            p = table["p"].to_numpy(float)
            return p if code == 1 else 1 - p
        return table[f"p_{classes[code]}"].to_numpy(float)

    def _other(self, table: pd.DataFrame, number: int) -> int:
        """The class that a class is confused with most: of two the other one."""
        others = [code for code in range(len(self.tested.classes)) if code != number]
        confused = table.loc[table["y"] == number, "called"].value_counts()
        return max(others, key=lambda code: int(confused.get(code, 0)))

    def models(self, table: pd.DataFrame, numbers: Sequence[int]) -> Picture | None:
        """Class models of the first fold, from zeros and from a sure patch of the other class.

        ``None`` for nets on a fixed backbone.
        """
        fold, cam = next(iter(self.cams.items()))
        if isinstance(cam, PlaceCam):
            return None
        rows, classes, ascent = [], self.tested.classes, self.look.ascent
        size = cam.net.input_px
        zeros = torch.zeros(self.tested.pixels.number_of_channels, size, size)
        with task("class models", total=2 * len(numbers) * ascent.steps) as tick:
            climbed = partial(class_model, cam.net, ascent=ascent, tick=tick)
            for number in numbers:
                other = self._other(table, number)
                none = climbed(number, zeros)
                shown: list[tuple[str, NDArray[np.float32] | None]] = [
                    (f"from zeros, {_climb(none.scores, number)}", none.image)
                ]
                begun = table[(table["fold"] == fold) & (table["y"] == other)]
                right = begun[begun["called"] == other]
                begun = right if len(right) else begun
                if len(begun):
                    surest = int(self._p(begun, other).argmax())
                    patch = regions_of(begun.iloc[[surest]][KEY])[0]
                    box = patch.box.widened(cam.net.context_px)
                    grey = self.tested.pixels.crop(patch.image, patch.t, box)
                    start = cam.inputs(torch.from_numpy(grey)[None])[0]
                    made, before = climbed(number, start), start[0].cpu().numpy()
                    shown += [
                        (f"a {classes[other]} patch", before),
                        (f"from it, {_climb(made.scores, number)}", made.image),
                        ("what changed", made.image - before),
                    ]
                rows.append((classes[number], shown))
        return class_models(rows)


def _made_again(
    run: Path,
    folds: Sequence[int],
    look: Look,
    seed: int,
    learnt: Mapping[int, Mapping[int, NDArray[np.float32]]],
) -> Inside:
    tested = EvaluationSet.of_run(run, folds)
    cams = cams_of(tested, folds, look)
    for fold, cam in cams.items():
        if isinstance(cam, CropCam):
            cam.take(learnt[fold], device_of(cam.net.module))
    return Inside(tested, cams, look, seed)


def _climb(scores: NDArray[np.float32], number: int) -> str:
    return f"score {scores[0, number]:.1f} to {scores[-1, number]:.1f}"
