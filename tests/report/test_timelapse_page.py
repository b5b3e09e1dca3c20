"""The report of a whole experiment says what the numbers allow, and no more."""

import html
import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from livewell.doses.over_time import FRAME, curves_of
from livewell.report import timecourses
from livewell.report.doses import dose_text
from livewell.report.page import Note, render
from livewell.report.timecourses import PANELS, dose_curves, well_panels
from livewell.report.timelapse import TimelapseResults, cautions, headline, timelapse_page

NAN = float("nan")


def experiment(
    wells: int = 12, *, high: float = 0.85, seen: int = 0, steps: int = 7, unit: str = "s"
) -> TimelapseResults:
    """A plate of so many wells a dose (0, 30, 120), the first few of each seen in training."""
    rng = np.random.default_rng(5)
    rows, images = [], []
    for row, dose in zip("BCD", (0, 30, 120), strict=True):
        for number in range(wells):
            well = f"{row}{number + 1:02}"
            image, last = f"{well} & more.tif", 0.05 + (high - 0.05) * dose / 120
            share = np.clip(np.linspace(0.05, last, steps) + rng.normal(0, 0.03, steps), 0, 1)
            for t in range(steps):
                known = (image, "P", well, "1", dose, unit, t, 3600.0 * t, 40, share[t], share[t])
                rows.append((*known, number < seen, f"P/{well}/1", t))
            images.append((image, "P", well, "1", dose, unit, "fold-00", well, number < seen))
    columns = ["image", "plate", "well", "position", "dose", "dose_unit", "scorer", "group", "seen"]
    return TimelapseResults(
        "Time-lapse",
        "36 images",
        ("healthy", "sick"),
        curves_of(pd.DataFrame(rows, columns=FRAME)),
        pd.DataFrame(images, columns=columns).assign(
            engine="windows, torch", folder="positions/x y"
        ),
        pd.DataFrame({"image": [], "error": []}),
        (0.5,),
    )


def without(results: TimelapseResults, **values: object) -> TimelapseResults:
    """The same with columns of all frames and images set to something else."""
    frames = results.curves.frames[FRAME].assign(**values)
    known = {name: value for name, value in values.items() if name in results.images}
    return replace(results, curves=curves_of(frames), images=results.images.assign(**known))


def said(results: TimelapseResults, tone: str) -> str:
    return " ".join(note.text for note in cautions(results) if note.tone == tone)


def test_the_verdict_is_plain_numbers() -> None:
    """Highest and lowest dose at the last common time with intervals and wells, then the gap."""
    sentence, tone = headline(experiment())
    assert re.fullmatch(
        r"Sick area at 6 h: 8\d% \(\d+-\d+%, 12 wells\) at 120 s and \d% \(\d+-\d+%, 12 wells\)"
        r" at 0 s\. It is larger at the highest dose, by \d+ to \d+ points \(95% interval\)\.",
        sentence,
    )
    assert tone == "info"
    assert headline(experiment(3))[1] == "warn"
    fewer, _ = headline(without(experiment(), dose=120 - experiment().curves.frames["dose"]))
    assert re.search(r"It is smaller at the highest dose, by \d+ to \d+ points", fewer)


def test_no_difference_is_not_called_one() -> None:
    """Where the interval of the difference holds zero the verdict says that none is shown."""
    sentence, tone = headline(experiment(high=0.05))
    assert "No difference is shown" in sentence
    assert tone == "warn"


def test_one_well_a_dose_says_nothing_of_a_difference() -> None:
    """A single well has no interval, and the verdict says so instead of comparing."""
    sentence, tone = headline(experiment(1))
    assert "With one well of a dose nothing can be said of a difference" in sentence
    assert "(1 well)" in sentence
    assert tone == "warn"


def test_seen_wells_are_named() -> None:
    """Training wells are warned of by name; where there are no others no curve is trusted."""
    results = experiment(4, seen=2)
    assert "6 wells of 12 were trained or tuned on" in said(results, "warn")
    assert "B01, B02, C01" in said(results, "warn")
    page = render(timelapse_page(results))
    assert "Wells that the model was trained or tuned on" in page
    assert "Dashed and hollow" in page
    sentence, tone = headline(experiment(2, seen=2))
    assert "Every well was seen in training" in sentence
    assert tone == "bad"


@pytest.mark.long
def test_few_wells_and_gaps_are_said() -> None:
    """Fewer than ten wells are rough; wells that end early, failures and warnings are told."""
    results = experiment(4)
    assert "0 s has 4, 30 s has 4, 120 s has 4" in said(results, "warn")
    frames = results.curves.frames[FRAME]
    short = replace(
        results, curves=curves_of(frames[(frames["well"] != "B01") | (frames["t"] < 2)])
    )
    assert "wells come or go" in said(short, "warn")
    names = [f"{n}.tif" for n in range(11)]
    bad = replace(
        results,
        failures=pd.DataFrame({"image": names, "error": "broken"}),
        warnings={name: ["no pixel size"] for name in names[:2]},
        notes=[Note("warn", "something else")],
    )
    assert "11 images could not be mapped: 0.tif, 1.tif" in said(bad, "bad")
    assert "and 3 more" in said(bad, "bad")
    assert "0.tif, 1.tif: no pixel size" in said(bad, "warn")
    assert "something else" in said(bad, "warn")
    assert "Images that could not be mapped" in render(timelapse_page(bad))


def test_splits_finer_than_wells_and_several_models() -> None:
    """A run split by position is a caution, models of several folds are a note."""
    results = experiment(2)
    twice = pd.concat([results.images, results.images.assign(group="other", scorer="fold-01")])
    results = replace(results, images=twice, thresholds=(0.4, 0.6))
    assert "finer than wells" in said(results, "warn")
    assert "2 models of one run" in said(results, "info")
    assert "0.40 to 0.60, by its model" in timelapse_page(results).lead


@pytest.mark.long
def test_without_doses_wells_and_times() -> None:
    """What is not known is not shown, and the page says what it lacks."""
    full = experiment(2)
    no_dose = without(full, dose=NAN, dose_unit=None)
    assert re.match(r"Sick area of 6 wells at the end: median \d+%, from", headline(no_dose)[0])
    assert "No dose is known" in said(no_dose, "info")
    no_well = without(full, dose=NAN, dose_unit=None, plate=None, well=None)
    assert "6 positions" in headline(no_well)[0]
    assert "No well is known" in said(no_well, "info")
    no_time = without(full, time_s=NAN)
    assert "at frame 6" in headline(no_time)[0]
    for results in (no_dose, no_well, no_time):
        page = timelapse_page(results)
        assert (
            "nan" not in render(replace(page, settings={}, versions={})).split("<footer")[0][-4000:]
        )
    titles = [section.title for section in timelapse_page(no_well).sections]
    assert titles == ["Position by position", "Positions"]


def test_nothing_to_judge_and_nothing_at_all() -> None:
    """Blank movies and a batch of failures alone still make a page."""
    blank = without(experiment(1), fraction=NAN, mean_p=NAN, n_windows=0)
    assert headline(blank)[0] == "There was nothing to judge in any image."
    assert "21 frames of 21" in said(blank, "info")
    none = replace(
        blank, curves=curves_of(blank.curves.frames[FRAME].iloc[:0]), images=blank.images.iloc[:0]
    )
    assert headline(none)[1] == "bad"
    for results in (blank, none):
        render(timelapse_page(results))


def test_wells_that_are_no_wells_of_a_plate() -> None:
    """Dishes have curves, but no place on a plate."""
    results = experiment(2)
    named = without(results, well="dish " + results.curves.frames["well"])
    titles = [
        section.title for section in timelapse_page(replace(named, images=results.images)).sections
    ]
    assert not any(title.startswith("Plate") for title in titles)


def test_links_are_escaped_and_relative() -> None:
    """Names and folders of users become harmless links."""
    page = render(timelapse_page(experiment(1)))
    assert '<a href="positions/x%20y/report.html">B01 &amp; more.tif</a>' in page
    assert '<a href="positions/x%20y/overlay.webm">video</a>' in page
    assert not re.findall(r"""(?:src|href)\s*=\s*["'](?!data:|#|positions/)""", page)


def test_table_of_doses() -> None:
    """At most six times, the first and last among them, and a column a dose from low to high."""
    sections = timelapse_page(experiment(2, steps=30)).sections
    table = sections[0].tables[0]
    assert table.columns == ["time", "0 s, 2 wells", "30 s, 2 wells", "120 s, 2 wells"]
    assert [row[0] for row in table.rows] == ["0 h", "6 h", "12 h", "17 h", "23 h", "29 h"]
    cells = [value for row in table.rows for value in row[1:]]
    assert all(re.fullmatch(r"\d+% \(\d+-\d+%\)", value) for value in cells)


@pytest.mark.long
@pytest.mark.parametrize("wells", [1, 3, 17])
def test_figures_are_valid_and_described(wells: int) -> None:
    """Figures are SVG with words for those who cannot see them; too many panels are counted."""
    results = experiment(wells, seen=min(wells - 1, 2))
    panels = well_panels(results.curves.places)
    for picture in (dose_curves(results.curves.doses), panels):
        ElementTree.fromstring(picture.data)
        assert picture.alt.startswith("Sick area over time")
    text = html.unescape(panels.data.decode())
    assert "B01, 0 s" in text
    assert "D01, 120 s" in text
    assert (f"{PANELS} of 51 wells are shown" in panels.caption) == (wells == 17)
    assert "120 s, " in html.unescape(dose_curves(results.curves.doses).data.decode())


def test_doses_are_told_apart_without_colour() -> None:
    """Neighbouring doses differ in marker and line, and the colours rise in lightness."""
    assert len(set(timecourses.MARKS)) == len(timecourses.MARKS)
    colours = timecourses.series_colours(6)
    light = [
        sum(int(c[i : i + 2], 16) * w for i, w in ((1, 0.3), (3, 0.59), (5, 0.11))) for c in colours
    ]
    assert light == sorted(light)
    assert dose_text(0.5, NAN) == "dose 0.5"
    assert dose_text(NAN, "s") == "no dose"
