"""How much area a stain lights, treated beside control: whether a treatment kills."""

from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from livewell.doses.lit_area import LitArea, LitDesign, lit_area, refuse_design
from livewell.execution.results import ResultFolder
from livewell.files import AnyPath
from livewell.labels.stain_thresholds import threshold_of
from livewell.report.page import render
from livewell.report.stain_area import StainAreaResults, cautions, stain_area_page
from livewell.study.runs import versions
from livewell.study.stained import StainSource, lit_shares
from livewell.study.study import Study


@dataclass(frozen=True, slots=True)
class StainAreaResult:
    """What `stain_area` made: the page, and the tables of images, wells and treatments."""

    page: Path
    images: pd.DataFrame
    area: LitArea
    warnings: tuple[str, ...]


def stain_area(
    study: Study | AnyPath,
    out: AnyPath,
    *,
    channel: str,
    control: str,
    by: str = "treatment",
    time: str | None = None,
    group: str = "well",
    stain_files: str | None = None,
    sds: float | None = None,
    above: float | None = None,
    labels: str | None = None,
    seed: int = 0,
) -> StainAreaResult:
    """Measure the area that a stain lights in every image, and compare treated wells and controls.

    Parameters
    ----------
    study
        Its images; the columns of its fields that are named below.
    out
        Takes ``images.csv``, ``wells.csv``, ``treatments.csv`` and ``report.html``.
    channel, stain_files
        As in `livewell.Stain`; any stain, such as one of living cells.
    by, control
        Column of the treatment, and its value for controls.
    time
        Column of the time, such as the day; all images are of one time where ``None``.
    group
        Column of what is independent: wells that are resampled.
    sds, above, labels
        From where on a pixel is lit: standard deviations above the frame's background (5 where
        nothing is given), counts, or the dead threshold of labels by a stain. Where most of a frame
        may be lit, as by a stain of living cells, only counts are safe: there the background cannot
        be told.
    seed
        Of the resampling of wells.

    Raises
    ------
    TableError
        Columns that are not there or empty, no control, a well of two treatments; images that
        cannot be read.
    SpecError, LabelError
        Several thresholds; labels without one.
    OutputError
        `out` holds something else, or was begun with other settings.
    """
    study, out = Study.of(study), Path(out)
    design, source = LitDesign(by, control, time, group), StainSource(channel, stain_files)
    fields = study.fields()
    refuse_design(fields, design)
    threshold, text = threshold_of(study, sds, above, labels)
    settings = {"study": str(study.folder.resolve()), **asdict(source), **asdict(design)}
    settings |= {"sds": sds, "above": above, "labels": labels, "seed": seed}
    folder = ResultFolder.claim(out, "stain-area", "stainarea.json", settings).begin()
    unusable: list[str] = []
    images = lit_shares(study, source, threshold, unusable).merge(
        fields, on="image", suffixes=("", " of the table")
    )
    area = lit_area(images, design, seed=seed)
    results = StainAreaResults(
        title=f"Area lit by {channel} in {study.folder.name}",
        subtitle=f"{len(images):,} images, pixels brighter than {text}",
        stain=channel,
        area=area,
        settings=settings,
        versions=versions(),
    )
    tables = {"images": images, "wells": area.wells, "treatments": area.treatments}
    page = folder.write(render(stain_area_page(results)), tables)
    warnings = (note.text for note in cautions(results) if note.tone in ("bad", "warn"))
    return StainAreaResult(page, images, area, (*unusable, *warnings))
