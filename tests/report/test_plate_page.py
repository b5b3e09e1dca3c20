"""The page of plates in a browser: read by pointer and keys, whatever names wells have."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from benchmarks.plate import simulated
from livewell.plate import PLATES
from livewell.report.page import render
from livewell.report.plate import headline, plate_page
from livewell.report.plate_map import SHAPES, plate_widget, points_text, share_text
from livewell.report.plate_results import PlateResults
from livewell.workflows.plate import plate

if TYPE_CHECKING:
    from playwright.sync_api import Page

EVIL = '</script><script>alert("x\'")</script><!--&\u2028'
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


def wells_of(**columns: object) -> pd.DataFrame:
    """Two judged wells and one that was not."""
    table = pd.DataFrame(
        {
            "plate": "",
            "well": ["A01", "A02", "B01"],
            "row": [0, 0, 1],
            "column": [0, 1, 0],
            "role": ["untreated", "treated", "treated"],
            "condition": ["none", EVIL, "x"],
            "value": [0.1, 0.8, np.nan],
            "low": [0.05, 0.7, np.nan],
            "high": [0.2, 0.9, np.nan],
            "note": "",
            "fields": [4, 4, 0],
            "empty": 0,
            "failed": [0, 1, 0],
            "judged": [True, True, False],
            "hit": [False, True, False],
            "difference": [np.nan, 0.7, np.nan],
            "difference_low": [np.nan, 0.5, np.nan],
            "difference_high": [np.nan, 0.8, np.nan],
            "p": [np.nan, 1e-4, np.nan],
            "q": [np.nan, 1e-3, np.nan],
            "replicates": [0, 1, 0],
        }
    )
    return table.assign(**columns)


def test_roles_differ_by_shape_and_names_break_nothing() -> None:
    """Controls have an outline of their own, and no name ends the script."""
    widget = plate_widget("", PLATES[24], wells_of(), "share", None, "")
    shapes = [shape[2] for shape in widget.data["shapes"]]
    assert shapes[:3] == [SHAPES["untreated"], SHAPES["treated"], SHAPES["treated"]]
    assert len(shapes) == 24
    assert widget.data["wells"][1]["head"] == "hit"
    assert widget.data["lost"] == [[30, 10]]
    results = PlateResults(
        "t",
        "s",
        wells=wells_of(),
        formats={"": PLATES[24]},
        score="share",
        untreated="",
        hits=pd.DataFrame(columns=["p", "hit", "condition"]),
        other_hits=pd.DataFrame(),
        effects=pd.DataFrame(columns=["plate", "effect", "of", "p", "p_adjusted", "note"]),
        controls=pd.DataFrame(),
        correction="none",
        alpha=0.05,
    )
    assert "nothing is tested" in headline(results)[0]
    page = render(plate_page(results))
    assert "<script>alert" not in page
    assert page.count("</script>") == 2


def test_numbers_as_text() -> None:
    """Shares and differences stand with their intervals, or without where there are none."""
    assert share_text(0.123, 0.08, 0.175) == "12.3% (8.0-17.5%)"
    assert share_text(0.5, np.nan, np.nan) == "50.0%"
    assert share_text(np.nan, np.nan, np.nan) == "nothing judged"
    assert points_text(-0.123, -0.2, 0.01) == "-12.3 points (-20.0 to +1.0)"


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Page]":
    """A simulated plate in a browser."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium")
    folder = tmp_path_factory.mktemp("plate")
    verdicts = simulated(folder / "p", 24, fields=2, field_px=48, missing=("B02",))
    made = plate(
        verdicts,
        folder / "page",
        metadata=verdicts.parent / "platemap.csv",
        untreated={"treatment": "none"},
    )
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 400, "height": 800})
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(Path(made.page).as_uri())
        yield page
        assert not wrong
        browser.close()


@pytest.mark.long
def test_click_and_keys_show_wells(opened: "Page") -> None:
    """A click shows value, interval and tiles of a well; arrow keys step, Enter keeps."""
    first = opened.locator(".plate svg.map path.w").first
    first.scroll_into_view_if_needed()
    first.click(force=True)
    opened.wait_for_selector(".plate[data-shown=A01]")
    assert opened.locator(".plate .card h3").inner_text().startswith("A01")
    assert re.search(r"\d+\.\d% \(\d", opened.locator(".plate .card").inner_text())
    assert opened.locator(".plate .tiles canvas").count() == 2
    opened.keyboard.press("ArrowDown")
    assert opened.locator(".plate .card h3").inner_text().startswith("B01")
    opened.keyboard.press("ArrowRight")
    assert "not judged" in opened.locator(".plate .card").inner_text()
    opened.keyboard.press("Enter")
    opened.wait_for_selector(".plate[data-shown=B02]")
    opened.keyboard.press("Escape")
    assert opened.locator(".plate .card").inner_text() == ""


@pytest.mark.long
def test_colours_may_be_stretched_and_nothing_overflows(opened: "Page") -> None:
    """The other scale changes colours and its ends; at 400 px the page is not wider than that."""
    shape = opened.locator(".plate svg.map path.w").nth(2)
    before = shape.get_attribute("fill")
    opened.select_option(".plate select", label="range of this plate")
    assert shape.get_attribute("fill") != before
    assert opened.locator(".plate .bar span").first.inner_text() != "0%"
    assert opened.evaluate("document.documentElement.scrollWidth") == 400
