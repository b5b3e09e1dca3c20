"""Wells of plates: a map, hits beside untreated wells, effects of the plate, controls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from livewell.errors import SpecError
from livewell.execution.judged_images import JudgedImages, Measure
from livewell.execution.plate_layout import PlateLayout, Roles
from livewell.execution.results import ResultFolder
from livewell.files import AnyPath
from livewell.images.opening import Channels, asked_channels
from livewell.metrics.assay_quality import assay_quality
from livewell.metrics.hits import ALPHA, hits
from livewell.metrics.plate_effects import lines_of_one, plate_effects, polished
from livewell.metrics.plates import WELL, from_untreated, well_values
from livewell.plate import PLATES, Plate, Well
from livewell.report.maps import plate_for
from livewell.report.page import noted, render
from livewell.report.plate import plate_page
from livewell.report.plate_cautions import cautions
from livewell.report.plate_map import Tiled
from livewell.report.plate_results import NO_CORRECTION, POLISH, PlateResults
from livewell.report.plate_tiles import MOST_FIELDS, about_tiles, chosen_fields, field_tiles
from livewell.report.thumbnails import atlas
from livewell.report.trust import ELSEWHERE
from livewell.study.runs import versions
from livewell.study.study import Study

CORRECTIONS = (NO_CORRECTION, POLISH)


@dataclass(frozen=True, slots=True)
class PlateResult:
    """What `plate` made: a row a well, a condition, an effect, a figure of controls; the page."""

    page: Path
    wells: pd.DataFrame
    hits: pd.DataFrame
    effects: pd.DataFrame
    controls: pd.DataFrame
    warnings: tuple[str, ...]


def plate(
    results: AnyPath,
    out: AnyPath,
    *,
    study: Study | AnyPath | None = None,
    metadata: AnyPath | None = None,
    untreated: Mapping[str, str] | None = None,
    positive: Mapping[str, str] | None = None,
    by: Sequence[str] = (),
    measure: Measure = "called",
    class_name: str | None = None,
    frame: int | None = None,
    plate_wells: int | None = None,
    correct: str = NO_CORRECTION,
    alpha: float = ALPHA,
    thumbnails: int = MOST_FIELDS,
    seed: int = 0,
) -> PlateResult:
    """Put verdicts on the map of their plates, and hold every condition against untreated wells.

    Parameters
    ----------
    results
        A folder that `assess` made.
    out
        Takes ``wells.csv``, ``hits.csv``, ``effects.csv``, ``controls.csv`` and ``report.html``.
    study
        That of the images, which knows plates, wells and what was done to them; by default the one
        that was assessed, where it was one.
    metadata
        A plate map: a table by ``well`` (or ``row`` and ``column``, with ``plate`` where there are
        several) or by ``image``, with columns such as ``treatment`` and ``dose``.
    untreated, positive
        Which wells are controls: values by column of the study or plate map, any of which will do.
        Without `untreated` nothing is tested.
    by
        Columns in which replicate wells agree; by default treatment, dose, dose_unit and cell_line,
        those that there are. Wells without a condition are tested each by itself.
    measure
        ``called``, the share of patches called the class, or ``p``, their mean probability.
    class_name
        Of three or more classes the one whose share is looked at; of two the positive one's name.
    frame
        Judge wells by this frame alone; by default all frames of an image count alike.
    plate_wells
        Format of the plates, such as 384; by default the smallest that holds all wells.
    correct
        ``none``, or ``median-polish``: take effects of rows and columns out before hits are tested.
    alpha
        False discoveries allowed among hits.
    thumbnails
        Fields of a well shown at most; 0: none.
    seed
        Of resampling and permutation.

    Raises
    ------
    StudyError
        `results` is no whole folder of verdicts, or `study` no study.
    SpecError
        A class, frame, format, correction or level that there is not.
    LayoutError, TableError
        Wells cannot be told, or everything wrong with wells and plate map at once.
    OutputError
        `out` cannot be written, or holds something else.
    """
    results, out = Path(results), Path(out)
    if correct not in CORRECTIONS:
        raise SpecError("no such correction", where="--correct", expected=", ".join(CORRECTIONS))
    judged = JudgedImages.read(results, measure, class_name, frame)
    known = judged.study if study is None else study
    of = None if known is None else Study.of(known)
    roles = Roles(untreated or {}, positive or {}, tuple(by))
    layout = PlateLayout.of(judged, of, None if metadata is None else Path(metadata), roles)
    formats = _formats(layout.wells, plate_wells)
    wells = _wells(layout, seed)
    clean = polished(wells)
    wells["b_score"] = clean["b_score"]
    plain, corrected = (hits(table, alpha=alpha) for table in (wells, clean))
    found, other = (corrected, plain) if correct == POLISH else (plain, corrected)
    effects = plate_effects(wells, formats, seed=seed)
    controls = assay_quality(wells, seed=seed)
    wells = _with_tests(wells, found)
    settings = {
        "results": str(results.resolve()),
        "study": None if of is None else str(of.folder.resolve()),
        "metadata": None if metadata is None else str(Path(metadata).resolve()),
        "untreated": roles.untreated,
        "positive": roles.positive,
        "by": list(by),
        "measure": measure,
        "class": class_name,
        "frame": frame,
        "correct": correct,
        "alpha": alpha,
        "seed": seed,
    }
    folder = ResultFolder.claim(out, "plate", "plate.json", settings, anew=True).begin()
    channels = asked_channels(judged.settings.get("channel"))
    tiled, about = _tiles(layout, formats, channels, thumbnails)
    shown = PlateResults(
        title=f"Plates of {results.resolve().name}",
        subtitle=f"{judged.score}, as assessed in {results}",
        wells=wells,
        formats=formats,
        hits=found,
        other_hits=other,
        effects=effects,
        controls=controls,
        score=judged.score,
        untreated=", ".join(f"{name}={value}" for name, value in roles.untreated.items()),
        correction=correct,
        alpha=alpha,
        lines=lines_of_one(wells),
        tiled=tiled,
        about_tiles=about,
        notes=[*noted(layout.notes), ELSEWHERE],
        settings=settings,
        versions=versions(),
    )
    tables = {"wells": wells, "hits": found, "effects": effects, "controls": controls}
    page = folder.write(render(plate_page(shown)), tables)
    warnings = tuple(n.text for n in cautions(shown) if n.tone in ("bad", "warn"))
    return PlateResult(page, wells, found, effects, controls, warnings)


def _formats(wells: pd.DataFrame, plate_wells: int | None) -> dict[str, Plate]:
    """Every plate's format, asked for or the smallest usual one of 24 wells or more."""
    if plate_wells is not None and plate_wells not in PLATES:
        expected = ", ".join(map(str, PLATES))
        raise SpecError(
            "no usual plate", where="--plate-wells", expected=expected, got=str(plate_wells)
        )
    size = None if plate_wells is None else PLATES[plate_wells]
    return {
        str(name): plate_for([Well.parse(str(well)) for well in rows["well"]], size)
        for name, rows in wells.groupby("plate", sort=True)
    }


def _wells(layout: PlateLayout, seed: int) -> pd.DataFrame:
    """A row a well that is known: value and interval, role and condition, whether it was judged."""
    values = well_values(layout.fields, seed=seed)
    wells = layout.wells.merge(values, on=WELL, how="left")
    wells["judged"] = wells["fields"].notna()
    counts = ["fields", "empty", "failed", "patches"]
    wells[counts] = wells[counts].fillna(0).astype("int64")
    wells[["method", "note"]] = wells[["method", "note"]].fillna("")
    return from_untreated(wells)


def _with_tests(wells: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """Wells with what was found of their conditions; controls are no tests."""
    names = {"low": "difference_low", "high": "difference_high", "wells": "replicates"}
    columns = ["condition", "difference", "low", "high", "p", "q", "hit", "wells"]
    tests = found[columns].rename(columns=names).assign(role="treated")
    joined = wells.merge(tests, on=["condition", "role"], how="left")
    return joined.assign(hit=joined["hit"].eq(True), replicates=joined["replicates"].fillna(0))


def _tiles(
    layout: PlateLayout, formats: Mapping[str, Plate], channels: Channels, most: int
) -> tuple[dict[str, Tiled], str]:
    """An atlas a plate, and what is said of the small images."""
    if not most:
        return {}, ""
    chosen, edge = chosen_fields(layout.fields, most)
    tiles, read = field_tiles(chosen, layout.files, channels, edge)
    made: dict[str, Tiled] = {}
    for name in formats:
        rows = np.flatnonzero((chosen["plate"] == name).to_numpy(bool) & read)
        if len(rows):
            picture, columns = atlas(tiles[rows])
            wells: dict[str, list[int]] = {}
            for number, well in enumerate(chosen["well"].iloc[rows]):
                wells.setdefault(str(well), []).append(number)
            made[name] = Tiled(picture, columns, edge, wells)
    lost, judged = int((~read).sum()), int((~layout.fields["failed"]).sum())
    return made, about_tiles(int(read.sum()), judged, lost, edge)
