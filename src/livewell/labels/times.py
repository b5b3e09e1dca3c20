"""When every frame was taken, from what files and tables say."""

import pandas as pd

from livewell.doses.positions import untimed_faults
from livewell.errors import Fault, TableError
from livewell.study.study import Study
from livewell.tables.faults import listed

FROM_ZERO = "No file says when it begins (time_s, t0); each is taken to begin at 0 s."
"""Note of labels of files without any time."""


def frame_times(
    fields: pd.DataFrame, headers: pd.DataFrame
) -> tuple[pd.DataFrame, str, list[Fault]]:
    """Every frame's time, a note, and what is missing for it.

    Frame k is taken at time_s + k * frame_s, where time_s is that of the file's field or its t0
    times frame_s. Returns columns image, t, time_s; a note where no file says when it begins;
    faults of files without header, frame interval or time, and of positions with several files
    of which some say no time.
    """
    columns = [name for name in ("frames", "frame_s") if name in headers]
    known = headers.drop_duplicates("image").set_index("image")[columns]
    files = fields[["image"]].join(known, on="image")
    for name in ("time_s", "t0"):
        files[name] = fields[name] if name in fields else float("nan")
    for name in ("frames", "frame_s", "time_s", "t0"):
        values = files[name] if name in files else pd.Series(float("nan"), index=files.index)
        files[name] = pd.to_numeric(values, errors="coerce").astype("float64")
    note = ""
    start = files["time_s"].fillna(files["t0"] * files["frame_s"])
    if files["time_s"].isna().all() and files["t0"].isna().all():
        start, note = pd.Series(0.0, index=files.index), FROM_ZERO
    lacking = {
        "no-header": (files["frames"].isna(), "no number of frames is known"),
        "no-frame-interval": (
            files["frame_s"].isna() & ((files["frames"] > 1) | start.isna() & files["t0"].notna()),
            "the time from frame to frame is not known",
        ),
        "no-time": (
            start.isna() & files["t0"].isna(),
            "neither time_s nor t0 says when it begins, though other files have one",
        ),
    }
    found = [
        Fault(code, listed(files["image"][rows]), text)
        for code, (rows, text) in lacking.items()
        if rows.any()
    ] + untimed_faults(fields, files.loc[files["frames"] == 1, "image"])
    if found:
        return pd.DataFrame(columns=["image", "t", "time_s"]), note, found
    counts = files["frames"].astype("int64")
    frames = files.assign(start=start).loc[files.index.repeat(counts)].reset_index(drop=True)
    frames["t"] = frames.groupby("image").cumcount()
    frames["time_s"] = frames["start"] + frames["t"] * frames["frame_s"].fillna(0.0)
    return frames[["image", "t", "time_s"]], note, []


def timed_frames(study: Study) -> tuple[pd.DataFrame, str]:
    """Times and note of `frame_times` of a study, whose faults are an error.

    Raises
    ------
    TableError
        All that is missing for the times.
    """
    times, note, faults = frame_times(study.fields(), study.headers())
    if faults:
        raise TableError("no times of frames", faults, where=str(study.folder))
    return times, note
