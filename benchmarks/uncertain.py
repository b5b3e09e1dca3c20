"""Most uncertain first against random on real images: labels needed for the same AUC."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import entr, expit

from benchmarks import mcf7
from benchmarks.mcf7 import LEAST_EACH
from benchmarks.needed import needed, rising
from benchmarks.result import Result, shown
from livewell.answers.choosing import ItemStates, choose
from livewell.answers.settings import TaskSettings
from livewell.files import write_text
from livewell.labels.by_points import Points
from livewell.metrics.intervals import Estimate, interval, signed_interval, tails
from livewell.metrics.outcomes import Floats, Outcomes
from livewell.metrics.resampling import draws
from livewell.metrics.weighted import STATISTICS
from livewell.models.recipes import FROZEN
from livewell.progress import task
from livewell.report.style import FAINT, Sheet, class_look
from livewell.splitting.schemes import KFolds
from livewell.study.pixels import StudyPixels
from livewell.study.scale import common_pixel_um
from livewell.study.study import Study
from livewell.tables.schemas import regions_of
from livewell.training.data import LabelledRegions
from livewell.training.features import reader_of
from livewell.training.frozen import fit_light_head
from livewell.workflows.index import index
from livewell.workflows.label import label
from livewell.workflows.split import split

SHARES = {"random": 0.0, "half uncertain": 0.5, "uncertain": 1.0}
"""Shares of items that the model is least sure of, by name of the way to choose; the rest are drawn
at random. The site deals at most nine of ten so."""
FIRST, BATCH, MOST = 20, 10, 300
"""Labels at random before there is a model; labels from model to model; labels in all."""
READ = (50, 100, 200)
"""Labels at random at which curves are compared."""
SEEDS, RESAMPLES = 20, 1000
SITE = TaskSettings(shared_every=0, repeats=0)
Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Cells:
    """Labelled cells: features (n, features), class 0 or 1, group of each, folds."""

    x: NDArray[np.float32]
    codes: Rows
    groups: NDArray[np.str_]
    folds: Sequence[tuple[Rows, Rows]]
    """Rows that may be labelled, and test rows, of other groups."""


@dataclass(frozen=True, eq=False)
class Curves:
    """Areas under the ROC curve by number of labels, of every way to choose.

    Parameters
    ----------
    steps
        Numbers of labels, (steps,).
    areas
        (ways, seeds, folds, steps), of the test groups as they are.
    resampled
        (ways, steps, resamples), means over seeds and folds that are drawn anew.
    groups
        Groups that the areas rest on: those of the scarcer class.
    """

    steps: Rows
    areas: Floats
    resampled: Floats
    groups: int

    @property
    def mean(self) -> Floats:
        """Over seeds and folds, (ways, steps)."""
        return np.asarray(self.areas.mean(axis=(1, 2)))


def table(data: Path, *, runs: Path, seed: int = 0) -> Result:
    """Labels that each way to choose needs for the AUC of random ones, on two sets."""
    sets = {
        "haemocytometer": haemocytometer(data, runs / "uncertain", seed),
        "mcf7-pi": experiments(data, runs / "uncertain", seed),
    }
    rows: list[list[str]] = []
    values: dict[str, Any] = {}
    found: dict[str, Curves] = {}
    for name, cells in sets.items():
        found[name] = curves_of(cells, range(seed, seed + SEEDS), name)
        own, values[name] = compared(found[name])
        rows += [[f"{name}, {first}", *rest] for first, *rest in own]
        values[name] |= {
            "cells": len(cells.x),
            "folds": len(cells.folds),
            "seeds": list(range(seed, seed + SEEDS)),
        }
    write_text(runs / "uncertain" / "curves.svg", figure(found))
    ways = [f"{way}: AUC | labels for random's AUC | ratio" for way in SHARES][1:]
    return Result(
        title="Real images: the most uncertain cells first, against cells at random",
        header=" | ".join(["labels at random", "AUC", *ways]),
        rows=rows,
        lead=f"Single cells, living or dead, in the features of {FROZEN.name}; its head is fitted"
        f" anew after every {BATCH} labels, from {FIRST} at random on. Uncertainty is the entropy"
        " of the head's probabilities of all cells of the training groups; half uncertain is how"
        " the site deals with a share of 0.5. The AUC is of test groups, which are never labelled:"
        " of haemocytometer (boxes living and dead, five folds of duplicate clusters) within folds,"
        f" of mcf7-pi (live and dead nuclei) within each of the experiments with {LEAST_EACH} of"
        " either, left out one by one.",
        notes=[
            f"Means over {SEEDS} seeds. Intervals of 95% resample test groups and seeds; training"
            " groups differ between folds alone. Labels needed are read from curves made"
            f" monotone (isotonic regression); > {MOST}: not reached.",
            "Temperatures are not fitted: of two classes they leave the order of entropies alone.",
            "FROZEN's layers, squares and penalty were chosen on experiments of mcf7-pi, with all"
            " labels.",
        ],
        values=values,
    )


def haemocytometer(data: Path, runs: Path, seed: int) -> Cells:
    """Cells in the chamber, at the centres of their boxes; folds of duplicate clusters."""
    images, folder = data / "haemocytometer", runs / "haemocytometer"
    if not (folder / "splits").is_dir():
        boxes = pd.read_csv(images / "cells.csv")
        points = folder.with_suffix(".csv")
        points.parent.mkdir(parents=True, exist_ok=True)
        boxes.assign(
            y=(boxes["ymin"] + boxes["ymax"]) / 2, x=(boxes["xmin"] + boxes["xmax"]) / 2
        ).to_csv(points, index=False)
        study = index(images, folder, files="*.png", metadata=images / "images.csv").study
        states = {state: state for state in ("living", "dead")}
        label(study, Points(points, states, 48), tuple(states), seed=seed)
        split(study, by="duplicate_cluster", scheme=KFolds(5), merge_duplicates=True, seed=seed)
    return cells_of(Study.open(folder), "split", 1)


def experiments(data: Path, runs: Path, seed: int) -> Cells:
    """Nuclei of ``mcf7-pi``; each experiment with enough of either state is left out once."""
    folder = runs / "mcf7-pi"
    study = Study.open(folder) if folder.is_dir() else mcf7.study_of(data, folder)
    mcf7.prepare(study, data, "cells", FROZEN.input.patch_px, seed)
    return cells_of(study, "cells", LEAST_EACH)


def cells_of(study: Study, name: str, least: int) -> Cells:
    """Features of a split's patches, and its folds that test at least so many of each class."""
    patches, parts, meta = study.split(name)
    pixels = StudyPixels(study)
    profile = FROZEN.for_labels(study.label_meta(meta.labels).of_centres)
    pixel_um = common_pixel_um(study, patches["image"])
    reader = reader_of(profile, pixels, pixels.number_of_channels, 2, pixel_um)
    pixels.prepare(patches["image"].unique())
    with task("features", total=len(patches)) as tick:
        x = reader.regions(pixels, regions_of(patches), reader.module.embedded, tick).numpy()
    classes = study.label_meta(meta.labels).classes
    codes = (patches["label"] == classes[1]).to_numpy().astype(np.int64)
    folds = []
    for _, own in parts.groupby("fold"):
        part = patches["group"].map(own.set_index("group")["part"])
        pool = np.flatnonzero(part.isin(["train", "validation"]))
        tested = np.flatnonzero(part == "test")
        if np.bincount(codes[tested], minlength=2).min() >= least:
            folds.append((pool, tested))
    return Cells(x, codes, patches["group"].to_numpy(np.str_), folds)


def curves_of(cells: Cells, seeds: Sequence[int], what: str) -> Curves:
    """Label, fit and test: every way, seed and fold."""
    steps = np.arange(FIRST, MOST + 1, BATCH)
    every = np.concatenate([tested for _, tested in cells.folds])
    known, code = np.unique(cells.groups[every], return_inverse=True)
    held = np.stack([np.bincount(code, cells.codes[every] == each) > 0 for each in (0, 1)])
    weights = draws(held, seeds[0], RESAMPLES)
    of_seeds = np.random.default_rng([seeds[0], 1]).multinomial(
        len(seeds), np.full(len(seeds), 1 / len(seeds)), size=RESAMPLES
    )
    shape = len(SHARES), len(seeds), len(cells.folds), len(steps)
    areas, above, below = np.empty(shape), np.zeros((shape[0], shape[3], RESAMPLES)), 0.0
    with task(what, total=int(np.prod(shape[:3]))) as tick:
        for fold, (pool, tested) in enumerate(cells.folds):
            own = weights[:, np.isin(known, cells.groups[tested])]
            for number, seed in enumerate(seeds):
                weight = own.mean(axis=1) * of_seeds[:, number]
                below = below + weight
                for way, share in enumerate(SHARES.values()):
                    scores = learning(cells, pool, tested, share, seed)
                    for step, score in enumerate(scores):
                        whole, drawn = _areas(cells, tested, score, own)
                        areas[way, number, fold, step] = whole
                        above[way, step] += weight * np.nan_to_num(drawn)
                    tick()
    return Curves(steps, areas, above / below, int(held.sum(axis=1).min()))


def learning(cells: Cells, pool: Rows, tested: Rows, share: float, seed: int) -> Floats:
    """Scores of test cells after every batch of labels, (steps, tests).

    `share` of the items that are labelled are the most uncertain ones, once there is a model.
    """
    profile = FROZEN.for_labels(True)
    spec: Any = profile.net
    states = ItemStates.unseen(len(pool))
    settings = SITE.model_copy(update={"uncertain": share, "seed": seed})
    found = []
    for ordinal in range(0, MOST, BATCH):
        chosen = choose(states, settings, task=0, person=0, ordinal=ordinal, count=BATCH)
        rows = [choice.item for choice in chosen]
        last = states.last.copy()
        last[rows] = np.arange(ordinal, ordinal + len(rows))
        states = replace(states, last=last, dealt=(last >= 0).astype(np.int64))
        if ordinal + BATCH < FIRST:
            continue
        known = pool[last >= 0]
        codes = cells.codes[known]
        if len(np.unique(codes)) < 2:
            found.append(np.zeros(len(tested)))
            continue
        regions = LabelledRegions([], codes, list(cells.groups[known]))
        head = fit_light_head(cells.x[known], regions, profile, spec, seed)
        # classes weigh alike in fitting; with their shares, odds are those of what was labelled
        shares = np.log(np.bincount(codes) / len(codes)).astype(np.float32)
        head = head.shifted(shares)
        odds = np.diff(head.logits(cells.x[pool]), axis=1)[:, 0].astype(float)
        p = expit(odds)
        states = replace(states, uncertainty=(entr(p) + entr(1 - p)) / np.log(2))
        found.append(np.diff(head.logits(cells.x[tested]), axis=1)[:, 0].astype(float))
    return np.stack(found)


def _areas(cells: Cells, tested: Rows, score: Floats, weights: Floats) -> tuple[float, Floats]:
    """The area on a fold's test cells, and the same under each weighting of its groups."""
    y = cells.codes[tested]
    code = np.unique(cells.groups[tested], return_inverse=True)[1].astype(np.int64)
    names = tuple(np.unique(cells.groups[tested]).tolist())
    weigh = STATISTICS["roc_auc"].prepare(
        Outcomes(y, score, (score > 0).astype(np.int64), code, names)
    )
    whole = weigh(np.ones((1, len(names))))
    return float(whole[0]), weigh(weights)


def compared(found: Curves) -> tuple[list[list[str]], dict[str, Any]]:
    """Rows of the table, and all curves as plain values."""
    ways = list(SHARES)
    rows: list[list[str]] = []
    values: dict[str, Any] = {"labels": found.steps.tolist(), "curves": {}, "needed": {}}
    for way, name in enumerate(ways):
        values["curves"][name] = [asdict(each) for each in estimates_of(found, way)]
    for labels in READ:
        at = int(np.flatnonzero(found.steps == labels)[0])
        row = [str(labels), shown(estimates_of(found, 0)[at])]
        for way, name in enumerate(ways[1:], 1):
            needed, ratio = saved(found, way, at)
            apart = signed_interval(
                float(found.mean[way, at] - found.mean[0, at]),
                found.resampled[way, at] - found.resampled[0, at],
                found.groups,
            )
            values["needed"][f"{name}, {labels}"] = {
                "labels": asdict(needed),
                "ratio": asdict(ratio),
                "auc_difference": asdict(apart),
            }
            row += [shown(estimates_of(found, way)[at]), _labels(needed), _ratio(ratio)]
        rows.append(row)
    return rows, values


def estimates_of(found: Curves, way: int) -> list[Estimate]:
    """The AUC at every number of labels."""
    pairs = zip(found.mean[way], found.resampled[way], strict=True)
    return [interval(float(mean), drawn, found.groups) for mean, drawn in pairs]


def saved(found: Curves, way: int, at: int) -> tuple[Estimate, Estimate]:
    """Labels that a way needs for the AUC of random ones at a step, and over what these need."""

    def both(curves: Floats) -> tuple[float, float]:
        smooth = [rising(found.steps, curve) for curve in curves]
        target = smooth[0][at]
        first, other = (needed(found.steps, smooth[each], target) for each in (0, way))
        return other, other / first

    whole = both(found.mean)
    drawn = np.array([both(found.resampled[..., each]) for each in range(RESAMPLES)])
    ends = np.quantile(drawn, tails(found.groups - 1), axis=0, method="inverted_cdf")
    estimates = [
        Estimate(value, min(low, value), max(high, value), found.groups, "percentile")
        for value, low, high in zip(whole, *ends.tolist(), strict=True)
    ]
    return estimates[0], estimates[1]


def _labels(found: Estimate) -> str:
    return " ".join([_number(found.value), f"({_number(found.low)} to {_number(found.high)})"])


def _number(value: float) -> str:
    return f"> {MOST}" if np.isinf(value) else f"{value:.0f}"


def _ratio(found: Estimate) -> str:
    ends = ["more" if np.isinf(end) else f"{end:.2f}" for end in (found.low, found.high)]
    value = "more" if np.isinf(found.value) else f"{found.value:.2f}"
    return f"{value} ({ends[0]} to {ends[1]})"


def figure(found: Mapping[str, Curves]) -> str:
    """AUC against labels, one panel a set, with intervals."""
    with Sheet(9.0, 3.8, columns=len(found)) as sheet:
        for axes, (name, curves) in zip(sheet.panels, found.items(), strict=True):
            for way, said in enumerate(SHARES):
                look, drawn = class_look(way), estimates_of(curves, way)
                low, high = [each.low for each in drawn], [each.high for each in drawn]
                axes.fill_between(curves.steps, low, high, color=look.colour, alpha=0.12, lw=0)
                axes.plot(
                    curves.steps,
                    curves.mean[way],
                    color=look.colour,
                    ls=look.dash,
                    marker=look.mark,
                    markevery=4,
                    ms=5,
                    label=said,
                )
            axes.set(title=name, xlabel="labels", ylabel="AUC")
            axes.grid(color=FAINT, lw=0.6)
            axes.legend(loc="lower right")
        alt = "AUC on unseen groups against labels, cells at random and the most uncertain first."
        return sheet.picture(alt).data.decode()
