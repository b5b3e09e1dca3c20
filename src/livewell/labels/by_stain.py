"""Labels from a death stain: Pattarone's mixture of two and its two thresholds."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from livewell.errors import Fault, LabelError
from livewell.labels.made import Labels, Others, Request, Route, refuse, two_classes
from livewell.labels.mixture import Mixture, fit_mixture
from livewell.measure import stain
from livewell.measure.occupancy import LEAST_SHARE, shares, textured
from livewell.progress import task
from livewell.region import RegionGrid
from livewell.study.pixels import StudyPixels
from livewell.study.scale import common_pixel_um
from livewell.study.study import Study
from livewell.tables.faults import listed
from livewell.tables.schemas import KEY, key_table

ROUTE = "fluorescence"


@dataclass(frozen=True, slots=True)
class Stain(Route):
    """Label patches of a grid by a death stain; what lies between two thresholds is left out.

    Parameters
    ----------
    channel
        The stain's channel, name or number.
    patch_px, stride_px
        The grid.
    on
        The mean stain, or its ratio to the frame's background.
    offset_counts
        Camera offset taken off before the ratio.
    per
        Column whose values are fitted each by itself, such as an experiment with its own staining;
        ``None`` for the whole set.
    reference
        ``column=value`` of the images to fit on, such as ``treatment=none``, whose thresholds
        serve all; all by default.
    unfit
        Groups in which no two components can be told apart: refused, or their patches left out.
    transmitted
        Transmitted-light channel, name or number; found by its name where ``None``.
    empty
        Whether patches without any cell-scale texture in transmitted light are left out: they are
        dark in the stain, and would pass for living cells.

    Notes
    -----
    Source: Pattarone et al. 2021, labels from propidium iodide: a mixture of two, live below
    mean + sd of the lower, dead above mean - sd of the higher component.
    """

    channel: str
    patch_px: int
    stride_px: int
    on: Literal["mean", "ratio"] = "ratio"
    offset_counts: float = 0.0
    per: str | None = None
    reference: tuple[str, str] | None = None
    unfit: Others = "refuse"
    transmitted: str | None = None
    empty: Literal["drop", "keep"] = "drop"

    def make(self, request: Request) -> Labels:
        """The labels, of the study's pixels."""
        classes, fields = two_classes(request.classes, self.name), request.study.fields()
        columns = {name for name in (self.per, *(self.reference or ())[:1]) if name}
        if not columns <= set(fields):
            raise LabelError(
                "the fields table has no such column",
                where=", ".join(sorted(columns - set(fields))),
                expected=", ".join(fields.columns),
            )
        measured = measure_stain(request.study, self)
        known = fields[list({"image", *columns})]
        return by_stain(measured.merge(known, on="image"), self, classes, request.seed)


def by_stain(measured: pd.DataFrame, route: Stain, classes: tuple[str, str], seed: int) -> Labels:
    """One label (dark, bright) a patch, its score what it was decided on; the mixtures by group.

    `measured` is as `measure_stain` returns, with the columns that `route` names.
    """
    every = len(measured)
    measured = measured[(measured["cells"] >= LEAST_SHARE) | (route.empty == "keep")]
    values = measured[route.on].astype("float64")
    groups = measured[route.per] if route.per else pd.Series("", index=measured.index)
    fit_on = pd.Series(True, index=measured.index)
    if route.reference:
        column, value = route.reference
        fit_on = measured[column].astype("str") == value
    found = _value_faults(measured["image"], values, groups)
    if route.reference and not fit_on.any():
        text = f"none of {len(fit_on)} patches is of {'='.join(route.reference)}, to fit on"
        found.append(Fault("reference", "reference", text))
    refuse(found, route.name, "leave patches out where the stain was not measured")
    names = groups.astype("str")
    mixtures, failed = _mixtures(values[fit_on], groups, seed, whole=route.per is None)
    if failed and (route.unfit == "refuse" or not mixtures):
        refuse(
            failed, route.name, "fit all groups together, decide on the ratio, or drop unfit groups"
        )
    live_below = names.map({name: fitted.live_below for name, fitted in mixtures.items()})
    dead_above = names.map({name: fitted.dead_above for name, fitted in mixtures.items()})
    live, dead = values < live_below.astype("float64"), values > dead_above.astype("float64")
    kept, fitted = live | dead, names.isin(mixtures)
    labels = [classes[int(value)] for value in dead[kept]]
    steps = {
        "on the grid": every,
        "without cells, left out": every - len(measured),
        "patches": len(measured),
        "fitted on": int(fit_on.sum()),
        "of groups without a usable mixture, dropped": int((~fitted).sum()),
        "between the thresholds, dropped": int((~kept & fitted).sum()),
    }
    made = Labels.of(
        ROUTE,
        measured.loc[kept, KEY],
        labels,
        classes,
        steps,
        score=values[kept],
        notes=map(str, failed),
    )
    return replace(made, mixtures=mixtures)


def measure_stain(study: Study, route: Stain) -> pd.DataFrame:
    """Stain of every patch of a grid on every image of a study.

    Columns `schemas.KEY`, ``mean`` (counts), ``ratio`` to the background and ``cells``, the share
    of the patch with cell-scale texture in transmitted light; patches in registration borders of
    zeros of either channel are left out.
    """
    stained, seen = StudyPixels(study, route.channel), StudyPixels(study, route.transmitted)
    images = study.fields()["image"]
    seen.prepare(images)
    pixel_um = common_pixel_um(study, images)
    headers = study.headers()
    grid = RegionGrid(route.patch_px, route.stride_px)
    tables = []
    with task("measuring the stain", total=len(headers)) as tick:
        for image, frames in zip(headers["image"], headers["frames"], strict=True):
            for t in range(int(frames)):
                key = str(image), t
                area = stained.area(*key).common(seen.area(*key))
                patches = list(grid.patches(*key, area)) if area else []
                boxes = [patch.box for patch in patches]
                frame = stained.frame(*key)
                table = key_table(patches)
                table["mean"] = stain.means(frame, boxes)
                table["cells"] = shares(textured(seen.frame(*key), pixel_um), boxes)
                level = stain.background(frame)
                table["ratio"] = stain.ratio(
                    table["mean"].to_numpy(float), level, route.offset_counts
                )
                tables.append(table)
            tick()
    return pd.concat(tables, ignore_index=True)


def _mixtures(
    values: "pd.Series[float]", groups: "pd.Series[Any]", seed: int, *, whole: bool
) -> tuple[Mapping[str, Mixture], list[Fault]]:
    """The usable mixture of each group, and a fault for each group without."""
    if whole:
        return {"": fit_mixture(values.to_numpy(), seed).check()}, []
    mixtures: dict[str, Mixture] = {}
    failed: list[Fault] = []
    for name in sorted(groups.unique(), key=str):
        try:
            sample = values[(groups == name)[values.index]]
            mixtures[str(name)] = fit_mixture(sample.to_numpy(), seed).check()
        except LabelError as error:
            text = error.what + (f" ({error.got})" if error.got else "")
            failed.append(Fault("unfit", f"group {name}", text))
    return mixtures, failed


def _value_faults(
    images: "pd.Series[str]", values: "pd.Series[float]", groups: "pd.Series[Any]"
) -> list[Fault]:
    found = []
    wrong = ~np.isfinite(values)
    if wrong.any():
        text = f"{int(wrong.sum())} values are missing or no finite numbers, in "
        found.append(Fault("value", str(values.name), text + listed(images[wrong].unique())))
    if groups.isna().any():
        text = f"{int(groups.isna().sum())} patches without a group"
        found.append(Fault("empty-value", str(groups.name), text))
    return found
