"""The report of a whole experiment: sick area over time by dose, by well and by position."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd
from markupsafe import Markup

from livewell.classes import p_word
from livewell.doses.over_time import Curves
from livewell.errors import GeometryError
from livewell.metrics.intervals import ROUGH_GROUPS, Estimate
from livewell.plate import Well
from livewell.report.doses import dose_text
from livewell.report.maps import plate_for, plate_view
from livewell.report.page import Note, Page, Picture, Section, Table, Tone, bad, cell, info, warn
from livewell.report.results import PageResults
from livewell.report.timecourses import dose_curves, well_panels
from livewell.report.trust import ELSEWHERE
from livewell.report.verdicts import CENTRES, WHOLE_WINDOWS
from livewell.text import plural, printable, sentence

TIMES = 6
"""Most times in the table of doses."""
NAMED = 8
"""Most wells or images that a note names."""
OWN_LABELS = info(
    "The model learnt from labels of this study. Where these were made from the dose, a curve per"
    " dose shows that doses can be told apart in unseen wells, not yet that cells are harmed."
)


@dataclass(frozen=True)
class TimelapseResults(PageResults):
    """What `timelapse_page` shows; classes are (negative, positive).

    `images` has one row a mapped image (image, plate, well, position, dose, dose_unit, scorer,
    group, seen, engine, and folder of its map relative to the page), `failures` one an image that
    could not be mapped (image, error). `thresholds` are probabilities, one a model; `warnings` what
    each map's making warned of, by image; `notes` further cautions. `same_study` says whether the
    model was trained on this study.
    """

    classes: tuple[str, str]
    curves: Curves
    images: pd.DataFrame
    failures: pd.DataFrame
    thresholds: Sequence[float]
    warnings: Mapping[str, Sequence[str]] = field(default_factory=dict)
    same_study: bool = False
    of_centres: bool = False
    """Whether the model judges what is at the centre of a window, not all of it."""


def timelapse_page(results: TimelapseResults) -> Page:
    """The page of a whole experiment."""
    sentence, tone = headline(results)
    low, high = min(results.thresholds), max(results.thresholds)
    between = f"{low:.2f}" if high - low < 0.005 else f"{low:.2f} to {high:.2f}, by its model,"
    positive = results.classes[1]
    lead = f"An area counts as {positive} where its {p_word(positive)} is {between} or more."
    lead += f" {results.curves.binning}"
    return results.page(sentence, tone, _sections(results), cautions(results), lead=lead)


def _sections(results: TimelapseResults) -> Iterator[Section | None]:
    places, positive = results.curves.places, results.classes[1]
    yield _by_dose(results)
    in_wells = places[places["well"].notna()]
    if len(in_wells):
        yield Section("Well by well", pictures=[well_panels(in_wells, positive=positive)])
    elif len(places):
        panels = well_panels(places, positive=positive, by="place")
        yield Section("Position by position", pictures=[panels])
    yield _plates(results)
    yield _listing(results)
    if len(results.failures):
        table = Table.of(results.failures)
        yield Section("Images that could not be mapped", tables=[table])


def headline(results: TimelapseResults) -> tuple[str, Tone]:
    """The result in one or two sentences of plain numbers, and its tone."""
    curves, positive = results.curves, results.classes[1]
    if not curves.places["fraction"].notna().any():
        return "There was nothing to judge in any image.", "bad"
    if curves.step is None:
        return _without_doses(results)
    now = curves.doses[curves.doses["step"] == curves.step]
    ends = now.sort_values(["dose_unit", "dose"]).iloc[[-1, 0] if len(now) > 1 else [0]]
    shares = " and ".join(
        f"{share(row, counted=True)} at {dose_text(row['dose'], row['dose_unit'])}"
        for row in ends.to_dict("records")
    )
    when = _time(now["time_s"].iloc[0], curves.step)
    said = f"{sentence(positive)} area at {when}: {shares}."
    if curves.contrast is None:
        return said, "info"
    difference, tone = _difference(curves.contrast.estimate)
    return f"{said} {difference}.", tone


def _difference(found: Estimate) -> tuple[str, Tone]:
    """What the interval of a difference allows to be said."""
    between = f"{100 * found.low:.0f} to {100 * found.high:.0f} points"
    if not np.isfinite(found.low):
        return "With one well of a dose nothing can be said of a difference", "warn"
    if found.low <= 0 <= found.high:
        return f"No difference is shown (95% interval {between})", "warn"
    larger = "larger" if found.low > 0 else "smaller"
    if found.high < 0:
        between = f"{-100 * found.high:.0f} to {-100 * found.low:.0f} points"
    tone: Tone = "info" if found.groups >= ROUGH_GROUPS else "warn"
    return f"It is {larger} at the highest dose, by {between} (95% interval)", tone


def _without_doses(results: TimelapseResults) -> tuple[str, Tone]:
    """What can be said where there is no curve of a dose."""
    curves, positive = results.curves, results.classes[1]
    table, noun, keys = curves.places, "position", ["place"]
    if len(curves.wells):
        table, noun, keys = curves.wells, "well", ["plate", "well"]
    if table["seen"].all():
        seen = f"Every {noun} was seen in training by the model that scored it"
        return f"{seen}: no curve here can be trusted.", "bad"
    known = table[~table["seen"] & table["fraction"].notna()].sort_values("step")
    last = known.groupby(keys, dropna=False).tail(1)["fraction"]
    said = f"{sentence(positive)} area of {plural(len(last), noun)} at the end: median"
    spread = f", from {last.min():.0%} to {last.max():.0%}" if len(last) > 1 else ""
    return f"{said} {last.median():.0%}{spread}.", "info"


def share(row: Mapping[Any, Any], *, counted: bool = False) -> str:
    """``85% (70-93%)`` of a row of the doses' table; with its wells where `counted`."""
    wells = [plural(int(row["wells"]), "well")] if counted else []
    if np.isfinite(row["low"]):
        wells.insert(0, f"{100 * row['low']:.0f}-{100 * row['high']:.0f}%")
    return f"{row['fraction']:.0%}" + (f" ({', '.join(wells)})" if wells else "")


def cautions(results: TimelapseResults) -> list[Note]:
    """What to know before the curves are trusted."""
    frames = results.curves.frames
    notes = []
    if len(results.failures):
        names = _named(results.failures["image"].tolist())
        notes.append(bad(f"{plural(len(results.failures), 'image')} could not be mapped: {names}."))
    notes += [*_seen_notes(results), *_dose_notes(results)]
    untimed = frames["step"].isna()
    if untimed.any():
        names = _named(sorted(frames.loc[untimed, "image"].unique()))
        notes.append(warn(f"No time is known of {names}: in no curve."))
    texts: dict[str, list[str]] = {}
    for image, each in results.warnings.items():
        for text in each:
            texts.setdefault(text, []).append(image)
    notes += [warn(f"{_named(images)}: {text}") for text, images in texts.items()]
    blank = int(frames["fraction"].isna().sum())
    if blank:
        of = f"{plural(blank, 'frame')} of {len(frames):,}"
        notes.append(info(f"Nothing was to judge in {of}."))
    own = OWN_LABELS if results.same_study else ELSEWHERE
    coloured = CENTRES if results.of_centres else WHOLE_WINDOWS
    return [*notes, *results.notes, coloured, own]


def _seen_notes(results: TimelapseResults) -> Iterator[Note]:
    """Which wells a model had learnt from, and what several models mean."""
    images = results.images
    by = ["plate", "well"] if images["well"].notna().any() else ["image"]
    seen = images[images["seen"]]
    if len(seen):
        names = _named(sorted(seen[by[-1]].dropna().astype("str").unique()))
        units = plural(len(seen.drop_duplicates(by)), by[-1])
        yield warn(
            f"{units} of {len(images.drop_duplicates(by))} were trained or tuned on by the model"
            f" that scored them, and their curves flatter: {names}. They are drawn dashed and"
            " hollow, and are in no curve of a dose. A run of several folds (livewell split"
            " --scheme folds) has an unseen model for each."
        )
    models = images["scorer"].nunique()
    if models > 1:
        yield info(
            f"{models} models of one run scored the images, each with its own threshold: what"
            " differs between models adds to what differs between wells."
        )
    known = images[images["well"].notna()].drop_duplicates(["plate", "well", "group"])
    if known.duplicated(["plate", "well"]).any():
        yield warn(
            "The run was split by something finer than wells: a model may have learnt from another"
            " position of a well that counts as unseen."
        )


def _dose_notes(results: TimelapseResults) -> Iterator[Note]:
    """How many wells each dose rests on."""
    doses, images = results.curves.doses, results.images
    if images["well"].isna().all():
        yield info("No well is known: there are curves of positions only, and none of a dose.")
        return
    if images["dose"].isna().all():
        yield info("No dose is known: there are curves of wells only.")
        return
    each = doses.groupby(["dose_unit", "dose"], dropna=False)["wells"]
    most = each.agg(["min", "max"]).reset_index()
    few = most[most["max"] < ROUGH_GROUPS]
    if len(few):
        names = ", ".join(
            f"{dose_text(dose, unit)} has {count}"
            for dose, unit, count in zip(few["dose"], few["dose_unit"], few["max"], strict=True)
        )
        yield warn(f"Intervals from fewer than {ROUGH_GROUPS} wells are rough: {names}.")
    if (most["min"] < most["max"]).any():
        yield warn(
            "Not every well has every time: a dose's curve may step where wells come or go. The"
            " column wells of doses.csv counts them."
        )


def _by_dose(results: TimelapseResults) -> Section | None:
    doses, positive = results.curves.doses, results.classes[1]
    if doses.empty:
        return None
    steps = sorted(doses["step"].unique())
    chosen = {steps[round(n)] for n in np.linspace(0, len(steps) - 1, min(TIMES, len(steps)))}
    part = doses[doses["step"].isin(chosen)].sort_values(["step", "time_s"], kind="stable")
    names = {}
    for (unit, dose), group in part.groupby(["dose_unit", "dose"], dropna=False, sort=True):
        wells = plural(int(group["wells"].max()), "well")
        names[dose_text(dose, unit)] = f"{dose_text(dose, unit)}, {wells}"
    rows: dict[str, dict[str, str]] = {}
    for row in part.to_dict("records"):
        name = names[dose_text(row["dose"], row["dose_unit"])]
        rows.setdefault(_time(row["time_s"], row["step"]), {})[name] = share(row)
    cells = [[time, *(of.get(name, "") for name in names.values())] for time, of in rows.items()]
    table = Table(["time", *names.values()], cells, "Mean over unseen wells (95% interval).")
    picture = dose_curves(doses, positive=positive)
    return Section(f"{sentence(positive)} area by dose", pictures=[picture], tables=[table])


def _plates(results: TimelapseResults) -> Section | None:
    """Plates at the last step that all doses have, or the last of all."""
    wells, step, positive = results.curves.wells, results.curves.step, results.classes[1]
    if wells.empty:
        return None
    step = int(wells["step"].max()) if step is None else step
    now = wells[wells["step"] == step]
    when = f"at {_time(now['time_s'].iloc[0], step)}"
    pictures: list[Picture] = []
    several = now["plate"].dropna().unique().size > 1
    try:
        plate = plate_for([Well.parse(str(well)) for well in wells["well"].unique()])
        for _, part in now.groupby(["plate", "seen"], dropna=False, sort=True):
            name = f"Plate {part['plate'].iloc[0]}: " if several else ""
            seen = part["seen"].iloc[0]
            kind = "wells that the model was trained or tuned on" if seen else "unseen wells"
            shares = part.groupby("well")["fraction"].mean()
            names = [str(Well.parse(str(well))) for well in shares.index]
            view = plate_view(names, shares.to_numpy(float), plate=plate, positive=positive)
            text = f"{name}{kind}; {positive} area, % of what was judged, {when}."
            pictures.append(replace(view, caption=sentence(text), wide=True))
    except GeometryError:
        # wells that are no wells of a plate, such as dishes, have curves but are on no map
        return None
    return Section(f"Plate {when}", pictures=pictures)


def _listing(results: TimelapseResults) -> Section | None:
    """All images with links to their own pages and videos."""
    if results.images.empty:
        return None
    frames = results.curves.frames
    known = frames[frames["fraction"].notna()].sort_values("t").groupby("image")["fraction"]
    last, counts = known.last(), frames.groupby("image").size()
    video = f"overlay.{results.settings.get('video', 'webm')}"
    listed = [
        {
            "image": _link(f"{row['folder']}/report.html", row["image"]),
            "plate": cell(row["plate"]),
            "well": cell(row["well"]),
            "dose": "" if pd.isna(row["dose"]) else dose_text(row["dose"], row["dose_unit"]),
            "model": row["scorer"],
            "well was": "seen" if row["seen"] else "unseen",
            "frames": str(counts.get(row["image"], 0)),
            "at its end": f"{last[row['image']]:.0%}" if row["image"] in last else "",
            "engine": row["engine"],
            "": _link(f"{row['folder']}/{video}", "video"),
        }
        for row in results.images.to_dict("records")
    ]
    rows = [tuple(row.values()) for row in listed]
    table = Table(list(listed[0]), rows, "Every image has a page of its own.", "llllllrrll")
    return Section("Positions", tables=[table])


def _link(path: str, text: str) -> Markup:
    # Markup escapes what is put in, and the template leaves it as it is
    return Markup('<a href="{}">{}</a>').format(quote(path), printable(text))


def _time(time_s: Any, step: int) -> str:
    if pd.isna(time_s):
        return f"frame {step}"
    return f"{time_s / 3600:.2f}".rstrip("0").rstrip(".") + " h"


def _named(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
