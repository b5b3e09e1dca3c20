"""Labels from a death stain: Pattarone's mixture of two and its two thresholds."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from livewell.errors import Fault, LabelError
from livewell.labels.made import Labels, Others, Request, Route, refuse, two_classes
from livewell.labels.mixture import Mixture, fit_mixture
from livewell.labels.stain_decisions import (
    ALL,
    BETWEEN,
    BORDER,
    EMPTY,
    SAME_PATCH,
    SATURATED,
    UNFIT,
    StainDecisions,
)
from livewell.labels.stain_values import VALUES, StainScale, grid_values, left_out, nucleus_values
from livewell.measure.occupancy import Occupancy
from livewell.region import RegionGrid
from livewell.study.stained import StainSource
from livewell.study.study import Study
from livewell.tables.faults import listed
from livewell.tables.schemas import KEY, as_text
from livewell.text import plural

ROUTE = "fluorescence"
LEAST_NUCLEUS_RATIO = 0.01
"""Ratios below this, as of a nucleus at the camera's offset, have the logarithm of this."""
SATURATED_SHARE = 0.001
"""From this share of patches on a note tells of saturation."""


@dataclass(frozen=True, slots=True)
class Stain(Route):
    """Label patches by a death stain; what lies between two thresholds is left out.

    Parameters
    ----------
    channel
        The stain's channel, name or number.
    patch_px, stride_px
        The grid; of patches around nuclei the edge alone.
    on
        The stain in counts (``mean``: the mean of a patch, or the median inside a nucleus), its
        ratio to the frame's background, or the ratio's natural logarithm: single nuclei differ by
        orders of magnitude, which two normal distributions of the ratio do not describe.
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
    nuclei
        Masks of nuclei, one an image: a column of the fields table with their paths, or a file name
        with ``{stem}`` for the image's name without ending. A patch is centred on each nucleus in
        place of a grid. Nuclei are numbered from 1, 0 is outside; a mask of one value has a nucleus
        wherever pixels touch. Nuclei in registration borders are left out.
    stain_files
        Files of the stain beside the images, named in the same way, where it is no channel of them.
    eight_bit
        Whether every frame of the stain is scaled to 0-255 by its own lowest and highest level
        before it is measured, as the paper says of its images. Its published means lie above 255
        and so were taken before; and the brightest pixel of each frame sets its scale, so that
        levels of several frames no longer compare: of patches of mcf7-pi that the ratio calls dead
        three in four become live. With `on` mean only.
    saturated_from
        Level from which pixels are saturated, counts, such as 4095 of a 12-bit camera; the highest
        of the file's number type where ``None``.

    Notes
    -----
    A patch with a saturated pixel, or a nucleus half of which is saturated, is at least as bright
    as measured: it counts in the fit, and above the dead threshold it is dead; below it it is left
    out, for how bright it is nobody knows.

    Source: Pattarone et al. 2021, labels from propidium iodide: a mixture of two, live below
    mean + sd of the lower, dead above mean - sd of the higher component.
    """

    channel: str
    patch_px: int
    stride_px: int
    on: Literal["mean", "ratio", "log-ratio"] = "ratio"
    offset_counts: float = 0.0
    per: str | None = None
    reference: tuple[str, str] | None = None
    unfit: Others = "refuse"
    transmitted: str | None = None
    empty: Literal["drop", "keep"] = "drop"
    nuclei: str | None = None
    stain_files: str | None = None
    eight_bit: bool = False
    saturated_from: float | None = None

    @property
    def drops_empty(self) -> bool:
        """Whether patches without cells are left out; around nuclei there are some."""
        return self.empty == "drop" and not self.nuclei

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
        if taken := sorted(columns & set(VALUES)):
            raise LabelError(
                "a column of the fields table has the name of what is measured",
                where=", ".join(taken),
                remedy="rename it when indexing",
            )
        known = fields[list({"image", *columns})]
        unusable: list[str] = []
        measured = measure_stain(request.study, self, unusable, request.occupancy)
        measured = measured.merge(known, on="image")
        made = by_stain(measured, self, classes, request.seed)
        bare = sorted(set(fields["image"]) - set(measured["image"]))
        noun = "no nucleus in the mask" if self.nuclei else "no patch"
        notes = [f"{noun} of {plural(len(bare), 'image')}: {listed(bare)}"] if bare else []
        notes += unusable
        images = _counted(sets_of(fields, self))
        decided = made.decisions and replace(made.decisions, images=images)
        return replace(made, decisions=decided, notes=(*made.notes, *notes))


def measure_stain(
    study: Study, route: Stain, notes: list[str], occupancy: Occupancy | None = None
) -> pd.DataFrame:
    """Stain of every patch of a study, columns `livewell.labels.stain_values.VALUES`.

    Frames that are left out are told in `notes`.
    """
    scale = StainScale(
        route.on != "mean", route.offset_counts, route.eight_bit, route.saturated_from
    )
    source = StainSource(route.channel, route.stain_files)
    if route.nuclei:
        of_nuclei = route.transmitted, route.nuclei, route.patch_px
        return nucleus_values(study, source, *of_nuclei, scale, notes)
    grid = RegionGrid(route.patch_px, route.stride_px)
    return grid_values(study, source, route.transmitted, grid, scale, notes, occupancy)


def sets_of(table: pd.DataFrame, route: Stain) -> "pd.Series[str]":
    """Set of each row, as pages tell them apart: its group, and its value of the reference."""
    columns = [name for name in (route.per, *(route.reference or ())[:1]) if name]
    if not columns:
        return pd.Series(ALL, index=table.index, dtype="str")
    parts = table[list(dict.fromkeys(columns))].astype("str").fillna("(empty)")
    return pd.Series([", ".join(row) for row in parts.to_numpy()], index=table.index, dtype="str")


def _counted(sets: "pd.Series[str]") -> dict[str, int]:
    """How often each name stands there, in the order of the names."""
    return {str(name): int(count) for name, count in sets.value_counts().sort_index().items()}


def by_stain(measured: pd.DataFrame, route: Stain, classes: tuple[str, str], seed: int) -> Labels:
    """One label (dark, bright) a patch, its score what it was decided on; the mixtures by group.

    `measured` is as `measure_stain` returns, with the columns that `route` names.
    """
    measured = measured.reset_index(drop=True)
    outcome = left_out(measured, empty=route.drops_empty)
    used = measured[outcome == ""]
    values = used["mean" if route.on == "mean" else "ratio"].astype("float64")
    if route.on == "log-ratio":
        values = pd.Series(np.log(values.clip(lower=LEAST_NUCLEUS_RATIO)), name="log-ratio")
    groups = used[route.per] if route.per else pd.Series("", index=used.index)
    fit_on = pd.Series(True, index=used.index)
    if route.reference:
        column, value = route.reference
        fit_on = (as_text(used[column]) == value).fillna(False)
    found = _value_faults(used["image"], values, groups)
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
    saturated = used["saturated"].astype(bool)
    outcome = outcome.where(outcome != "", _outcomes(values, names, saturated, mixtures, classes))
    kept = measured[outcome.isin(classes)]
    counted = outcome.value_counts()
    reasons = (BORDER, SAME_PATCH) if route.nuclei else (EMPTY,)
    steps = {
        "nuclei" if route.nuclei else "on the grid": len(measured),
        **{f"{name}, left out": int(counted.get(name, 0)) for name in reasons},
        "patches": len(used),
        "fitted on": int(fit_on.sum()),
        **{f"{name}, dropped": int(counted.get(name, 0)) for name in (UNFIT, SATURATED, BETWEEN)},
    }
    ends, notes = outcome[used.index], [str(fault) for fault in failed]
    if saturated.mean() >= SATURATED_SHARE:
        noun = "nucleus" if route.nuclei else "patch"
        notes.append(_saturation_note(ends[saturated], len(used), classes[1], noun))
    labels = outcome[kept.index]
    made = Labels.of(
        ROUTE, kept[KEY], labels, classes, steps, score=values[kept.index], notes=notes
    )
    table = pd.DataFrame(
        {
            "image": measured["image"],
            "set": sets_of(measured, route),
            "group": names.reindex(measured.index, fill_value=""),
            "stain": values.reindex(measured.index),
            "fitted": fit_on.reindex(measured.index, fill_value=False),
            "outcome": outcome,
        }
    )
    images = _counted(table.drop_duplicates("image")["set"])
    of = "nuclei" if route.nuclei else "patches"
    return replace(made, mixtures=mixtures, decisions=StainDecisions(table, images, of))


def _outcomes(
    values: "pd.Series[float]",
    names: "pd.Series[str]",
    saturated: "pd.Series[bool]",
    mixtures: Mapping[str, Mixture],
    classes: tuple[str, str],
) -> "pd.Series[str]":
    """How each patch that is used ends: a class, or why it has none."""
    live_below = names.map({name: fitted.live_below for name, fitted in mixtures.items()})
    dead_above = names.map({name: fitted.dead_above for name, fitted in mixtures.items()})
    outcome = pd.Series(BETWEEN, index=values.index, dtype="str")
    outcome[values < live_below.astype("float64")] = classes[0]
    outcome[saturated] = SATURATED
    outcome[values > dead_above.astype("float64")] = classes[1]
    outcome[~names.isin(mixtures)] = UNFIT
    return outcome


def _saturation_note(ends: "pd.Series[str]", every: int, positive: str, noun: str) -> str:
    """What a careful user should know of saturated patches."""
    kept = int((ends == positive).sum())
    return (
        f"{plural(len(ends), noun)} of {every:,} ({len(ends) / every:.1%}) reach the level"
        f" of saturation, and are at least as bright as measured: {kept} above the dead threshold"
        f" are {positive}, {int((ends == SATURATED).sum())} below it were left out"
    )


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
