"""What the audit learns from: features of labelled frames and regions by a fixed backbone."""

from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from livewell.inference.familiarity import field_features
from livewell.labels.times import FROM_ZERO, frame_times
from livewell.metrics.baselines import drawn_alike
from livewell.metrics.outcomes import Floats
from livewell.models.nets.frozen import FrozenNet
from livewell.models.recipes import FROZEN
from livewell.progress import task
from livewell.splitting.checks.data import AuditData, unusable
from livewell.splitting.checks.replicates import COLUMNS
from livewell.splitting.checks.sample import Sample
from livewell.splitting.units import given_to
from livewell.study.scale import common_pixel_um
from livewell.tables.schemas import BOX, regions_of
from livewell.training.features import FieldReader, reader_of

MOST_FIELDS, MOST_REGIONS = 240, 1000
"""Rows that are learnt from at most, what labels were given to giving alike many."""


def labelled(data: AuditData) -> tuple[Sample, pd.DataFrame]:
    """Features of labelled frames, or of labelled regions where images hold several classes.

    The second is the table of rows: image, t, label, unit (what is never torn).
    """
    if data.mixed:
        rows = data.labels.dropna(subset=BOX).assign(
            unit=lambda table: table["image"].map(data.fields.set_index("image")["unit"])
        )
        rows["t"] = rows["t"].fillna(0).astype(int)
        rows["bundle"] = rows["unit"]
        rows = _some(rows, MOST_REGIONS)
        return _sample(data, rows, _of_regions(data, rows)), rows
    rows = _some(data.frames, MOST_FIELDS)
    return _sample(data, rows, _of_fields(data, rows)), rows


def before(data: AuditData, treated_s: float = 0.0) -> tuple[Sample | None, str]:
    """Features of frames at or before the treatment, with the labels that their units got later.

    ``None`` with the reason where there are none. `treated_s` is the time of the treatment in the
    study's time, seconds.
    """
    if data.mixed:
        return None, (
            "images hold labelled regions of several classes, and the same region cannot be found"
            " in an earlier image"
        )
    fields = data.study.fields()
    if "hours" in fields and ("time_s" not in fields or fields["time_s"].isna().all()):
        fields["time_s"] = pd.to_numeric(fields["hours"], errors="coerce") * 3600
    headers, _ = data.study.read_headers()
    fields = fields[fields["image"].isin(headers["image"])].reset_index(drop=True)
    times, note, faults = frame_times(fields, headers)
    if faults or note == FROM_ZERO:
        return None, (
            "the study does not say when images were taken; give times (livewell index --metadata"
            " or --pattern, columns time_s, t0 or hours)"
        )
    own = given_to(fields, data.noun)
    labels = pd.DataFrame({"unit": data.labels["image"].map(own), "label": data.labels["label"]})
    given = labels.drop_duplicates().groupby("unit")["label"].agg(list)
    given = given[given.map(len) == 1].map(lambda names: names[0])
    # before the choice: an empty table would take the rows of what is assigned
    rows = times.assign(unit=times["image"].map(own))
    rows = rows[rows["time_s"] <= treated_s]
    rows = rows.assign(label=rows["unit"].map(given), bundle=rows["unit"]).dropna(subset=["label"])
    if rows.empty:
        return None, (
            "nothing with a label was imaged before the treatment, at or before"
            f" {treated_s:g} s (livewell audit --treated-s)"
        )
    rows = _some(rows[rows.groupby("unit").cumcount(ascending=False) < 2], MOST_FIELDS)
    failed = unusable(data.pixels, sorted(rows["image"].unique()))
    rows = rows[~rows["image"].isin(failed)]
    frames = zip(rows["image"], rows["t"], strict=True)
    rows = rows[[t in data.pixels.usable(image) for image, t in frames]].reset_index(drop=True)
    if rows.empty:
        return None, "no image from before the treatment can be read"
    return _sample(data, rows, _of_fields(data, rows)), ""


def columns(data: AuditData, rows: pd.DataFrame) -> dict[str, NDArray[np.str_]]:
    """Replicates of rows by column, see `livewell.splitting.checks.replicates`."""
    about = data.study.fields().set_index("image")
    there = [name for name in COLUMNS if name in about and about[name].notna().any()]
    return {
        name: rows["image"].map(about[name].astype("str")).fillna("").to_numpy(str)
        for name in there
    }


def _sample(data: AuditData, rows: pd.DataFrame, features: Floats) -> Sample:
    sample = Sample(
        features,
        data.classes.codes(rows["label"]),
        data.classes,
        rows["bundle"].to_numpy(str),
        rows["unit"].to_numpy(str),
        np.full(len(rows), ""),
        data.thing,
    )
    return sample.permuted_within(columns(data, rows))


def _some(rows: pd.DataFrame, most: int) -> pd.DataFrame:
    found = drawn_alike(rows.assign(group=rows["bundle"]), most, 0)
    return found.sort_values(["image", "t"]).reset_index(drop=True)


def _of_fields(data: AuditData, rows: pd.DataFrame) -> Floats:
    """Mean features of frames over their patches with cells, or over all where none has any."""
    net = _reader(data, rows["image"], centred=False).net
    return field_features(net, rows, data.pixels, bare=True)


def _of_regions(data: AuditData, rows: pd.DataFrame) -> Floats:
    """Features at the centres of regions."""
    reader, pixels = _reader(data, rows["image"], centred=True), data.pixels
    with task("looking at labelled regions", total=len(rows)) as tick:
        read = cast(FrozenNet, reader.net.module).embedded
        found = reader.regions(pixels, regions_of(rows), read, tick)
    return found.numpy().astype(np.float64)


def _reader(data: AuditData, images: "pd.Series[str]", *, centred: bool) -> FieldReader:
    channels, pixel_um = data.pixels.number_of_channels, common_pixel_um(data.study, images)
    profile = FROZEN.for_labels(centred)
    return reader_of(profile, data.pixels, channels, len(data.classes), pixel_um)
