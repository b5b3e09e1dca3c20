"""Sick area over time: a curve a position, a well and a dose, with intervals that resample wells.

Tables of frames have the columns `FRAME`, one row an image and frame; `common_steps` adds ``step``,
the number that frames of different positions share, and ``at_s``, its time in seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from livewell.doses.positions import places
from livewell.doses.wells import difference, ends, resampled
from livewell.metrics.intervals import Estimate, interval

FRAME = [
    *("image", "plate", "well", "position", "dose", "dose_unit", "t", "time_s"),
    *("n_windows", "fraction", "mean_p", "seen", "place", "frame"),
]
"""``n_windows``: judged windows; ``fraction``: share of them that is positive, 0 to 1; ``mean_p``:
mean probability, both NaN where nothing was judged; ``seen``: whether the model was trained or
tuned on the image's group; ``place``: name of the position; ``frame``: number in its movie;
``time_s``: seconds, NaN where no time is known."""
WELL = ["plate", "well", "dose", "dose_unit", "seen"]
"""Columns that name a well's curve."""
DOSES = ["dose", "dose_unit", "step", "time_s", "fraction", "low", "high", "wells", "method"]
SAME_TIME = 0.1
"""Intervals this far from a whole multiple, as a share of it, still count as common."""


@dataclass(frozen=True, slots=True)
class Contrast:
    """What the highest dose's sick area is above the lowest dose's at one step.

    The doses are in `unit`, empty if there is none; the estimate is a difference, -1 to 1, with NaN
    ends where a dose has one well.
    """

    lowest: float
    highest: float
    unit: str
    estimate: Estimate


@dataclass(frozen=True)
class Curves:
    """Sick area over time: rows of frames, and a curve a position, a well and a dose.

    Tables are as `common_steps`, `by_position`, `by_well` and `by_dose` return them; `binning` says
    how frames of different positions were brought together. `step` is the last one that all doses
    have, `contrast` how they differ there.
    """

    frames: pd.DataFrame
    places: pd.DataFrame
    wells: pd.DataFrame
    doses: pd.DataFrame
    binning: str
    step: int | None
    contrast: Contrast | None


def curves_of(frames: pd.DataFrame, *, seed: int = 0) -> Curves:
    """All curves of a table of frames, columns `FRAME`; `seed` is of the resampling of wells."""
    rows, binning = common_steps(frames)
    each = by_position(rows)
    wells = by_well(each)
    doses = by_dose(wells, seed=seed)
    step = last_common(doses)
    found = None if step is None else contrast(wells, step, seed=seed)
    return Curves(rows, each, wells, doses, binning, step, found)


def begins(fields: pd.DataFrame, headers: pd.DataFrame) -> pd.DataFrame:
    """When every image's first frame was taken, by image, which may lack its header.

    ``start_s``: ``time_s``, else ``t0`` times the frame interval, else 0 where no file at all says
    when it begins, else NaN; ``frame_s``; ``first``: ``t0`` or 0.
    """
    files = fields.reindex(columns=["image", "t0", "time_s"]).set_index("image")
    files["frame_s"] = headers.set_index("image")["frame_s"].reindex(files.index)
    files = files.apply(pd.to_numeric, errors="coerce").astype("float64")
    start = files["time_s"].fillna(files["t0"] * files["frame_s"])
    if files["time_s"].isna().all() and files["t0"].isna().all():
        start = pd.Series(0.0, index=files.index)
    first = files["t0"].fillna(0).astype("int64")
    return pd.DataFrame({"start_s": start, "frame_s": files["frame_s"], "first": first})


def frame_rows(
    fields: pd.DataFrame,
    headers: pd.DataFrame,
    curves: Mapping[str, pd.DataFrame],
    seen: Mapping[str, bool],
) -> pd.DataFrame:
    """Rows of all frames, columns `FRAME`.

    `curves` has, by image, ``t``, ``n_windows``, ``fraction`` and ``mean_p`` of every frame; `seen`
    whether the model that scored an image was trained or tuned on its group.
    """
    empty = pd.DataFrame(columns=["image", "t", "n_windows", "fraction", "mean_p"])
    parts = [curve[list(empty)[1:]].assign(image=image) for image, curve in curves.items()]
    known = fields.reindex(columns=["image", *FRAME[1:6]]).assign(place=places(fields))
    known = known.join(begins(fields, headers), on="image")
    rows = (pd.concat(parts) if parts else empty).merge(known, on="image")
    later = (rows["t"] * rows["frame_s"]).where(rows["t"] > 0, 0.0)
    return rows.assign(
        time_s=(rows["start_s"] + later).astype("float64"),
        frame=rows["first"] + rows["t"],
        seen=rows["image"].map(dict(seen)).astype(bool),
    )[FRAME]


def common_steps(frames: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Number frames so that those taken together in different positions share a step.

    Times that are the same everywhere are taken as they are. Where all positions have one interval,
    frames are numbered by it from each position's first one, so that positions may be visited one
    after the other. Otherwise frames go to the nearest multiple of the longest interval of any
    position. Where no time is known at all, frames are counted.

    Rows come back by position and time, with ``step`` (whole number, or missing: rows without time
    have no step where others have one) and ``at_s`` (its time in seconds: the median of its rows,
    or the multiple; NaN where no time is known); and, in a sentence, what was done.
    """
    order = ["place", "time_s", "image", "frame"]
    every = frames.sort_values(order, kind="stable").reset_index(drop=True)
    timed = every["time_s"].notna()
    if timed.any():
        rows, how = _timed_steps(every[timed].reset_index(drop=True))
        rows = pd.concat([rows, every[~timed]], ignore_index=True)
        return rows.astype({"step": "Int64"}), how
    rows = every.assign(step=every["frame"], at_s=np.nan)
    return rows.astype({"step": "Int64"}), "No time is known: frames are counted from the first."


def _timed_steps(rows: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """`common_steps` of rows that all have a time."""
    time, place = rows["time_s"].to_numpy(float), rows["place"]
    exact = np.round(time, 3)
    union = np.unique(exact)
    times = pd.DataFrame({"place": place, "time": exact}).drop_duplicates()
    times = times.sort_values(["place", "time"])
    # from frame to frame within positions, by position
    gaps = times.groupby("place")["time"].diff().set_axis(times["place"]).dropna()
    if len(union) == pd.Series(exact).groupby(place).nunique().max() or gaps.empty:
        same = rows.assign(step=np.searchsorted(union, exact), at_s=exact)
        return same, "Frames of the same time are compared."
    each = gaps.groupby(level=0).median()
    usual = float(each.median())
    multiple = (gaps / usual).round()
    if ((gaps / usual - multiple).abs() <= SAME_TIME * multiple).all():
        first = rows.groupby("place")["time_s"].transform("min").to_numpy(float)
        # a first frame a hair before a whole interval has been waited for
        step = np.floor(first / usual + 0.01) + np.round((time - first) / usual)
        rows = rows.assign(step=step.astype("int64"))
        rows["at_s"] = rows.groupby("step")["time_s"].transform("median")
        return rows, (
            f"Frames are {usual:g} s apart in every position and compared by their number; the"
            " time of a step is the median of its frames'."
        )
    longest = float(each.max())
    step = np.round(time / longest).astype("int64")
    return rows.assign(step=step, at_s=step * longest), (
        f"Positions have different intervals: frames nearest to the same multiple of {longest:g} s"
        " are taken together."
    )


def by_position(frames: pd.DataFrame) -> pd.DataFrame:
    """A row a position and step; frames of one step are pooled by their judged windows.

    Columns ``place``, `WELL`, ``step``, ``time_s`` (of the step), ``n_windows`` (judged, a frame),
    ``fraction``, ``mean_p``.
    """
    rows = frames[frames["step"].notna()].sort_values(["image", "frame"], kind="stable")
    found = _pooled(rows.astype({"step": "int64"}), ["place", *WELL], "frames")
    return found.drop(columns="frames")


def by_well(positions: pd.DataFrame) -> pd.DataFrame:
    """A row a well and step: the mean over its positions, weighted by judged windows.

    A well of which some positions were seen in training and some were not has a curve of each;
    positions without well are left out. Columns `WELL`, ``step``, ``time_s``, ``n_windows``,
    ``fraction``, ``mean_p``, ``positions``.
    """
    rows = positions[positions["well"].notna()].rename(columns={"time_s": "at_s"})
    found = _pooled(rows.sort_values(["place", "step"], kind="stable"), WELL, "positions")
    found["n_windows"] *= found["positions"]
    return found


def _pooled(rows: pd.DataFrame, keys: list[str], count: str) -> pd.DataFrame:
    """Means weighted by judged windows; ``n_windows`` becomes their mean, `count` the rows."""
    windows = rows["n_windows"].where(rows["fraction"].notna(), 0).astype("float64")
    table = rows[[*keys, "step", "at_s"]].assign(
        n_windows=windows,
        fraction=rows["fraction"].fillna(0) * windows,
        mean_p=rows["mean_p"].fillna(0) * windows,
    )
    groups = table.groupby([*keys, "step", "at_s"], dropna=False, sort=True)
    found = groups[["n_windows", "fraction", "mean_p"]].sum()
    for name in ("fraction", "mean_p"):
        found[name] = found[name] / found["n_windows"].where(found["n_windows"] > 0)
    sizes = groups.size()
    found["n_windows"] /= sizes
    return found.assign(**{count: sizes}).reset_index().rename(columns={"at_s": "time_s"})


def by_dose(wells: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """A row a dose and step: the mean over wells that the model never saw, wells weighing alike.

    Columns `DOSES`; ``low`` and ``high`` are the 95% interval of `livewell.metrics.intervals` at
    that step alone, NaN where the dose has one well. Wells, whole curves at a time, are resampled.
    """
    rows: list[tuple[object, ...]] = []
    for dose, unit, part in _doses(wells):
        shares = part.pivot_table(index="name", columns="step", values="fraction")
        times = part.drop_duplicates("step").set_index("step")["time_s"].to_dict()
        values = resampled(shares.to_numpy(float), seed)
        for column, (step, share) in enumerate(shares.items()):
            known = share.dropna()
            found = interval(float(known.mean()), values[:, column], len(known))
            at = (dose, unit, step, times[step])
            rows.append((*at, found.value, *ends(found), len(known), found.method))
    return pd.DataFrame(rows, columns=DOSES)


def contrast(wells: pd.DataFrame, step: int, *, seed: int = 0) -> Contrast | None:
    """How far the highest dose lies above the lowest at one step, wells of both resampled.

    ``None`` without two doses of one unit that have a well there.
    """
    doses = _doses(wells[wells["step"] == step])
    if len(doses) < 2 or len({str(unit) for _, unit, _ in doses}) > 1:
        return None
    (lowest, unit, least), (highest, _, most) = doses[0], doses[-1]
    shares = [part.pivot_table(index="name", values="fraction") for part in (least, most)]
    low, high = (each["fraction"].to_numpy(float) for each in shares)
    between = difference(low, high, seed)
    return Contrast(lowest, highest, unit or "", between)


def last_common(doses: pd.DataFrame) -> int | None:
    """The last step at which every dose has at least half of its wells; `doses` as of `by_dose`."""
    if doses.empty:
        return None
    names = [doses["dose"], doses["dose_unit"].astype("str").fillna("")]
    most = doses.groupby(names)["wells"].transform("max")
    enough = doses[doses["fraction"].notna() & (2 * doses["wells"] >= most)]
    counts = enough["step"].value_counts()
    common = counts.index[counts == doses.groupby(names).ngroups]
    return int(common.max()) if len(common) else None


def _doses(wells: pd.DataFrame) -> list[tuple[float, str | None, pd.DataFrame]]:
    """Dose, unit and rows of unseen wells, named, for every dose by unit and ascending."""
    rows = wells[~wells["seen"].astype(bool) & wells["dose"].notna() & wells["fraction"].notna()]
    names = rows["plate"].astype("str").fillna("") + "/" + rows["well"].astype("str")
    groups = rows.assign(name=names).groupby(["dose_unit", "dose"], dropna=False, sort=True)
    return [
        (float(str(dose)), unit if isinstance(unit, str) else None, part)
        for (unit, dose), part in groups
    ]
