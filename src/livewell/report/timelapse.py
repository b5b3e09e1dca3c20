"""The report of a whole experiment: sick area over time by dose, by well and by position."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd
from markupsafe import Markup

from livewell.doses.over_time import Curves
from livewell.errors import GeometryError
from livewell.metrics.intervals import ROUGH_GROUPS, Estimate
from livewell.plate import PLATES, Well
from livewell.report.maps import plate_view
from livewell.report.page import Note, Page, Picture, Section, Table, Tone
from livewell.report.timecourses import dose_curves, dose_name, well_panels
from livewell.report.trust import sorted_notes
from livewell.report.verdicts import ELSEWHERE
from livewell.text import plural

TIMES = 6
"""Most times in the table of doses."""
NAMED = 8
"""Most wells or images that a note names."""
WHOLE_WINDOWS = Note(
    "info",
    "A place is coloured by the whole window around it: maps tell where in the frame, not which"
    " cell.",
)
OWN_LABELS = Note(
    "info",
    "The model learnt from labels of this study. Where these were made from the dose, a curve per"
    " dose shows that doses can be told apart in unseen wells, not yet that cells are harmed.",
)


@dataclass(frozen=True)
class TimelapseResults:
    """What `timelapse_page` shows; classes are (negative, positive).

    `images` has one row a mapped image (image, plate, well, position, dose, dose_unit, scorer,
    group, seen, engine, and folder of its map relative to the page), `failures` one an image that
    could not be mapped (image, error). `thresholds` are probabilities, one a model; `warnings` what
    each map's making warned of, by image; `notes` further cautions. `same_study` says whether the
    model was trained on this study.
    """

    title: str
    subtitle: str
    classes: tuple[str, str]
    curves: Curves
    images: pd.DataFrame
    failures: pd.DataFrame
    thresholds: Sequence[float]
    warnings: Mapping[str, Sequence[str]] = field(default_factory=dict)
    same_study: bool = False
    notes: Sequence[str] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, Any] = field(default_factory=dict)


def timelapse_page(results: TimelapseResults) -> Page:
    """The page of a whole experiment."""
    sentence, tone = headline(results)
    sections = [*_by_dose(results), *_by_well(results), *_plates(results), *_listing(results)]
    if len(results.failures):
        table = Table.of(results.failures)
        sections.append(Section("Images that could not be mapped", tables=[table]))
    return Page(
        title=results.title,
        subtitle=results.subtitle,
        verdict=sentence,
        tone=tone,
        lead=_counted(results),
        trust=sorted_notes(cautions(results)),
        sections=sections,
        settings=results.settings,
        versions=results.versions,
    )


def headline(results: TimelapseResults) -> tuple[str, Tone]:
    """The result in one or two sentences of plain numbers, and its tone."""
    curves, positive = results.curves, results.classes[1]
    area = f"{positive} area"
    if not curves.places["fraction"].notna().any():
        return "There was nothing to judge in any image.", "bad"
    if curves.step is None:
        return _without_doses(results)
    now = curves.doses[curves.doses["step"] == curves.step]
    when = _when(now["time_s"].iloc[0], curves.step)
    ends = now.sort_values(["dose_unit", "dose"]).iloc[[-1, 0] if len(now) > 1 else [0]]
    shares = " and ".join(
        f"{share(row, counted=True)} at {dose_name(row['dose'], row['dose_unit'])}"
        for row in ends.to_dict("records")
    )
    if curves.contrast is None:
        return f"{area.capitalize()} {when}: {shares}.", "info"
    told, tone = _difference(curves.contrast.estimate)
    return f"{area.capitalize()} {when}: {shares}. {told}.", tone


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
    table, noun = (curves.wells, "well") if len(curves.wells) else (curves.places, "position")
    if table["seen"].all():
        return (
            f"Every {noun} was seen in training by the model that scored it: no curve here can be"
            " trusted.",
            "bad",
        )
    keys = ["plate", "well"] if noun == "well" else ["place"]
    known = table[~table["seen"] & table["fraction"].notna()].sort_values("step")
    last = known.groupby(keys, dropna=False).tail(1)["fraction"]
    spread = f"from {last.min():.0%} to {last.max():.0%}" if len(last) > 1 else ""
    return (
        f"{positive.capitalize()} area of {plural(len(last), noun)} at the end: median"
        f" {last.median():.0%}{', ' if spread else ''}{spread}.",
        "info",
    )


def share(row: Mapping[Any, Any], *, counted: bool = False) -> str:
    """``85% (70-93%)`` of a row of the doses' table; with its wells where `counted`."""
    told = []
    if np.isfinite(row["low"]):
        told.append(f"{100 * row['low']:.0f}-{100 * row['high']:.0f}%")
    if counted:
        told.append(plural(int(row["wells"]), "well"))
    return f"{row['fraction']:.0%}" + (f" ({', '.join(told)})" if told else "")


def cautions(results: TimelapseResults) -> list[Note]:
    """What to know before the curves are trusted."""
    curves, notes = results.curves, []
    if len(results.failures):
        names = _named(results.failures["image"].tolist())
        lost = plural(len(results.failures), "image")
        notes.append(Note("bad", f"{lost} could not be mapped: {names}."))
    notes += _seen_notes(results)
    notes += _dose_notes(results)
    untimed = curves.frames["step"].isna()
    if untimed.any():
        names = _named(sorted(curves.frames.loc[untimed, "image"].unique()))
        notes.append(Note("warn", f"No time is known of {names}: in no curve."))
    texts: dict[str, list[str]] = {}
    for image, each in results.warnings.items():
        for text in each:
            texts.setdefault(text, []).append(image)
    notes += [Note("warn", f"{_named(images)}: {text}") for text, images in texts.items()]
    notes += [Note("warn", text) for text in results.notes]
    blank = int(curves.frames["fraction"].isna().sum())
    if blank:
        of = f"{plural(blank, 'frame')} of {len(curves.frames):,}"
        notes.append(Note("info", f"Nothing was to judge in {of}."))
    return [*notes, WHOLE_WINDOWS, OWN_LABELS if results.same_study else ELSEWHERE]


def _seen_notes(results: TimelapseResults) -> list[Note]:
    """Which wells a model had learnt from, and what several models mean."""
    images, notes = results.images, []
    by = ["plate", "well"] if images["well"].notna().any() else ["image"]
    seen = images[images["seen"]]
    if len(seen):
        names = _named(sorted(seen[by[-1]].dropna().astype("str").unique()))
        units = plural(len(seen.drop_duplicates(by)), "well" if len(by) > 1 else "image")
        text = (
            f"{units} of {len(images.drop_duplicates(by))} were trained or tuned on by the model"
            f" that scored them, and their curves flatter: {names}. They are drawn dashed and"
            " hollow, and are in no curve of a dose. A run of several folds (livewell split"
            " --scheme folds) has an unseen model for each."
        )
        notes.append(Note("warn", text))
    models = images["scorer"].nunique()
    if models > 1:
        text = (
            f"{models} models of one run scored the images, each with its own threshold: what"
            " differs between models adds to what differs between wells."
        )
        notes.append(Note("info", text))
    known = images[images["well"].notna()].drop_duplicates(["plate", "well", "group"])
    if known.duplicated(["plate", "well"]).any():
        text = (
            "The run was split by something finer than wells: a model may have learnt from another"
            " position of a well that counts as unseen."
        )
        notes.append(Note("warn", text))
    return notes


def _dose_notes(results: TimelapseResults) -> list[Note]:
    """How many wells each dose rests on."""
    doses, images = results.curves.doses, results.images
    if images["well"].isna().all():
        text = "No well is known: there are curves of positions only, and none of a dose."
        return [Note("info", text)]
    if images["dose"].isna().all():
        return [Note("info", "No dose is known: there are curves of wells only.")]
    each = doses.groupby(["dose_unit", "dose"], dropna=False)["wells"]
    most = each.agg(["min", "max"]).reset_index()
    notes = []
    few = most[most["max"] < ROUGH_GROUPS]
    if len(few):
        names = [
            f"{dose_name(dose, unit)} has {count}"
            for dose, unit, count in zip(few["dose"], few["dose_unit"], few["max"], strict=True)
        ]
        text = f"Intervals from fewer than {ROUGH_GROUPS} wells are rough: {', '.join(names)}."
        notes.append(Note("warn", text))
    if (most["min"] < most["max"]).any():
        text = "Not every well has every time: a dose's curve may step where wells come or go."
        notes.append(Note("warn", f"{text} The column wells of doses.csv counts them."))
    return notes


def _counted(results: TimelapseResults) -> str:
    low, high = min(results.thresholds), max(results.thresholds)
    between = f"{low:.2f}" if high - low < 0.005 else f"{low:.2f} to {high:.2f}, by its model,"
    return (
        f"An area counts as {results.classes[1]} where its probability is {between} or more."
        f" {results.curves.binning}"
    )


def _by_dose(results: TimelapseResults) -> list[Section]:
    doses = results.curves.doses
    if doses.empty:
        return []
    steps = sorted(doses["step"].unique())
    chosen = {steps[round(n)] for n in np.linspace(0, len(steps) - 1, min(TIMES, len(steps)))}
    part = doses[doses["step"].isin(chosen)]
    most = part.groupby(["dose_unit", "dose"], dropna=False)["wells"].transform("max")
    names = [
        f"{dose_name(dose, unit)}, {plural(int(wells), 'well')}"
        for dose, unit, wells in zip(part["dose"], part["dose_unit"], most, strict=True)
    ]
    times = [_time(t, s) for t, s in zip(part["time_s"], part["step"], strict=True)]
    cells = {
        (time, name): share(row)
        for time, name, row in zip(times, names, part.to_dict("records"), strict=True)
    }
    columns = list(dict.fromkeys(names))
    ordered = [_time(t, s) for s, t in sorted(zip(part["step"], part["time_s"], strict=True))]
    rows = [[t, *(cells.get((t, n), "") for n in columns)] for t in dict.fromkeys(ordered)]
    caption = "Mean over unseen wells (95% interval)."
    picture = dose_curves(doses, positive=results.classes[1])
    table = Table(["time", *columns], rows, caption)
    title = f"{results.classes[1].capitalize()} area by dose"
    return [Section(title, pictures=[replace(picture, wide=True)], tables=[table])]


def _by_well(results: TimelapseResults) -> list[Section]:
    places, positive = results.curves.places, results.classes[1]
    if places.empty:
        return []
    if places["well"].notna().any():
        known = places[places["well"].notna()]
        return [Section("Well by well", pictures=[well_panels(known, positive=positive)])]
    picture = well_panels(places, positive=positive, by="place")
    return [Section("Position by position", pictures=[picture])]


def _plates(results: TimelapseResults) -> list[Section]:
    """Plates at the last step that all doses have, or the last of all."""
    wells, step = results.curves.wells, results.curves.step
    if wells.empty:
        return []
    step = int(wells["step"].max()) if step is None else step
    now = wells[wells["step"] == step]
    when = _when(now["time_s"].iloc[0], step)
    pictures: list[Picture] = []
    several = now["plate"].dropna().unique().size > 1
    for _, part in now.groupby(["plate", "seen"], dropna=False, sort=True):
        name = f"Plate {part['plate'].iloc[0]}: " if several else ""
        seen = part["seen"].iloc[0]
        kind = "wells that the model was trained or tuned on" if seen else "unseen wells"
        shares = part.groupby("well")["fraction"].mean()
        try:
            every = [Well.parse(str(well)) for well in wells["well"].unique()]
            fits = [p for size, p in PLATES.items() if size >= 24 and all(w in p for w in every)]
            names = [str(Well.parse(str(well))) for well in shares.index]
            view = plate_view(
                names, shares.to_numpy(float), plate=fits[0], positive=results.classes[1]
            )
        except GeometryError:
            # wells that are no wells of a plate, such as dishes, have curves but no place
            return []
        text = f"{name}{kind}; {results.classes[1]} area, % of what was judged, {when}."
        pictures.append(replace(view, caption=text[0].upper() + text[1:], wide=True))
    return [Section(f"Plate {when}", pictures=pictures)]


def _listing(results: TimelapseResults) -> list[Section]:
    """All images with links to their own pages and videos."""
    if results.images.empty:
        return []
    frames = results.curves.frames
    known = frames[frames["fraction"].notna()].sort_values("t").groupby("image")["fraction"]
    last, counts = known.last(), frames.groupby("image").size()
    video = f"overlay.{results.settings.get('video', 'webm')}"
    rows = [
        [
            _link(f"{row['folder']}/report.html", row["image"]),
            *("" if pd.isna(row[name]) else str(row[name]) for name in ("plate", "well")),
            "" if pd.isna(row["dose"]) else dose_name(row["dose"], row["dose_unit"]),
            row["scorer"],
            "seen" if row["seen"] else "unseen",
            str(counts.get(row["image"], 0)),
            f"{last[row['image']]:.0%}" if row["image"] in last else "",
            row["engine"],
            _link(f"{row['folder']}/{video}", "video"),
        ]
        for row in results.images.to_dict("records")
    ]
    columns = [
        "image",
        "plate",
        "well",
        "dose",
        "model",
        "well was",
        "frames",
        "at its end",
        "engine",
        "",
    ]
    table = Table(columns, rows, "Every image has a page of its own.", "llllllrrll")
    return [Section("Positions", tables=[table])]


def _link(path: str, text: str) -> Markup:
    # Markup escapes what is put in, and the template leaves it as it is
    return Markup('<a href="{}">{}</a>').format(quote(path), text)


def _when(time_s: float, step: int) -> str:
    return f"at {_time(time_s, step)}"


def _time(time_s: Any, step: int) -> str:
    if pd.isna(time_s):
        return f"frame {step}"
    return f"{time_s / 3600:.2f}".rstrip("0").rstrip(".") + " h"


def _named(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
