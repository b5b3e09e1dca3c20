"""The canvas of raw grey levels, in a real browser."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import tifffile

from livewell.study.study import Study
from livewell.web.site import Site
from tests.web.test_looking import heat_map

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

WIDE = np.random.default_rng(0).integers(100, 60_000, (1500, 2100)).astype(np.uint16)
DEEP = (np.arange(40 * 60).reshape(40, 60) * 20 + 1_000).astype(np.uint16)


@pytest.fixture
def own_study(study: Study, tmp_path: Path) -> Study:
    """The movies of the plate, a deep small image, a wide one, and one that is not whole."""
    root = tmp_path / "images"
    root.mkdir()
    movie = study.path(study.fields()["image"][0])
    (root / "movie.ome.tif").write_bytes(movie.read_bytes())
    tifffile.imwrite(root / "deep.tif", DEEP)
    tifffile.imwrite(root / "wide.tif", WIDE)
    (root / "broken.tif").write_bytes(movie.read_bytes()[:300])
    names = ["movie.ome.tif", "deep.tif", "wide.tif", "broken.tif"]
    return Study.create(
        tmp_path / "study", root, pd.DataFrame({"image": names, "path": names}), frame_s=1800.0
    )


@pytest.fixture
def look(signed_in: "Page", served: Site) -> "Iterator[Viewer]":
    """The page of an image."""
    return Viewer(signed_in, served.address)


class Viewer:
    """What a person does on the page of an image."""

    def __init__(self, page: "Page", address: str) -> None:
        self.page, self.address = page, address
        self.asked: list[str] = []
        page.on("request", lambda request: self.asked.append(request.url))

    def open(self, number: int) -> "Viewer":
        """Go to an image and wait until it is drawn."""
        self.page.goto(f"{self.address}/image/{number}")
        self.shows(0)
        return self

    def shows(self, frame: int) -> None:
        """Wait until a frame is drawn."""
        self.page.wait_for_selector(f'canvas[data-frame="{frame}"]')

    def point_at(self, y: float, x: float, height: int, width: int) -> str:
        """Lay the pointer on a pixel of an image that is shown whole; what is read there."""
        self.page.evaluate("scrollTo(0, 0)")
        edge = self.page.locator("canvas").bounding_box()
        assert edge is not None
        scale = min(edge["height"] / height, edge["width"] / width)
        left = edge["x"] + (edge["width"] - width * scale) / 2
        top = edge["y"] + (edge["height"] - height * scale) / 2
        self.page.mouse.move(left + (x + 0.5) * scale, top + (y + 0.5) * scale)
        return self.page.locator("#read").inner_text()

    def grey(self, down: float = 0.6) -> list[int]:
        """Colours across the canvas so far down, red, green and blue of each point."""
        found: list[int] = self.page.evaluate(
            """async (down) => {
                const drawn = () => new Promise((done) => requestAnimationFrame(done));
                await drawn();
                await drawn();
                const canvas = document.querySelector("canvas");
                const at = Math.round(canvas.height * down);
                const row = canvas.getContext("2d").getImageData(0, at, canvas.width, 1).data;
                return [...row].filter((_, n) => n % 4 !== 3);
            }""",
            down,
        )
        return found

    @property
    def bar(self) -> str:
        """What stands at the scale bar."""
        return self.page.locator("canvas").get_attribute("data-scale-bar") or ""


def test_the_number_of_a_pixel_is_that_of_the_file(look: Viewer) -> None:
    """The read-out says the file's own 16-bit number, at any contrast."""
    look.open(1)
    for y, x in ((0, 0), (7, 31), (39, 59)):
        assert look.point_at(y, x, *DEEP.shape) == f"y {y}, x {x}: {DEEP[y, x]}"


@pytest.mark.long
def test_contrast_changes_the_picture_and_not_the_numbers(look: Viewer) -> None:
    """Sliders and fields of contrast draw the same numbers anew; nothing is fetched for it."""
    look.open(1)
    before, asked = look.grey(), len(look.asked)
    look.page.get_by_label("White at", exact=True).fill("20000")
    look.page.wait_for_timeout(100)
    after = look.grey()
    assert sum(after) > 1.3 * sum(before)
    assert look.point_at(7, 31, *DEEP.shape).endswith(f": {DEEP[7, 31]}")
    look.page.get_by_role("button", name="Reset").click()
    look.page.wait_for_timeout(100)
    assert look.grey() == before
    assert len(look.asked) == asked
    assert max(before[:3]) <= 20  # beside the image


@pytest.mark.long
def test_a_movie_is_seen_by_keys_alone(look: Viewer) -> None:
    """Frames, play, zoom and fit have keys; time and scale are said."""
    look.open(0)
    canvas = look.page.locator("canvas")
    canvas.focus()
    bar = look.bar
    assert bar.endswith(" µm")
    look.page.keyboard.press(".")
    look.shows(1)
    assert look.page.get_by_text("frame 2 of 12, 0.50 h").is_visible()
    for _ in range(6):
        look.page.keyboard.press("+")
    look.page.wait_for_function(
        "(old) => document.querySelector('canvas').dataset.scaleBar !== old", arg=bar
    )
    look.page.keyboard.press("ArrowLeft")
    assert "middle: y " in look.page.locator("#read").inner_text()
    look.page.keyboard.press("0")
    look.page.wait_for_function(
        "(old) => document.querySelector('canvas').dataset.scaleBar === old", arg=bar
    )
    look.page.keyboard.press(" ")
    assert look.page.get_by_role("button", name="Pause").is_visible()
    look.shows(4)
    look.page.keyboard.press(" ")
    assert look.page.get_by_role("button", name="Play").is_visible()


@pytest.mark.long
def test_a_large_image_is_coarse_as_a_whole_and_exact_when_near(look: Viewer) -> None:
    """Far away a number is the mean of a square, and said so; near by it is the pixel's own."""
    look.open(2)
    text = look.point_at(700, 1000, *WIDE.shape)
    mean = round(float(WIDE[700:702, 1000:1002].mean()))
    assert text.startswith(f"y 700, x 1000: {mean} (mean of 2 x 2 px")
    for _ in range(16):
        look.page.mouse.wheel(0, -200)
    look.page.wait_for_selector('canvas[data-step="1"]')
    edge = look.page.locator("canvas").bounding_box()
    assert edge is not None
    look.page.mouse.move(edge["x"] + edge["width"] / 2, edge["y"] + edge["height"] / 2)
    found = re.fullmatch(r"y (\d+), x (\d+): (\d+)", look.page.locator("#read").inner_text())
    assert found is not None
    assert int(found[3]) == WIDE[int(found[1]), int(found[2])]
    assert "pixel size unknown" in look.bar


@pytest.mark.long
def test_an_image_that_cannot_be_read_says_so_in_its_place(look: Viewer) -> None:
    """The page of a broken file stands, and says what is wrong."""
    look.page.goto(f"{look.address}/image/3")
    alert = look.page.get_by_role("alert")
    alert.wait_for()
    assert "This image cannot be read." in alert.inner_text()
    look.page.get_by_role("link", name="Image before").click()
    look.page.wait_for_url("**/image/2")
    look.shows(0)


@pytest.mark.long
def test_a_class_map_lies_over_the_image(look: Viewer, served: Site) -> None:
    """A map is switched on, coloured, explained in words, and read at the pointer."""
    heat_map(served, "movie.ome.tif")
    served.look.results.forget()
    look.open(0)
    plain = look.grey(0.1)
    look.page.get_by_label("map (of movie.ome.tif)", exact=True).check()
    legend = look.page.get_by_text("outlined: p(positive) of at least 0.50")
    legend.wait_for()
    look.page.wait_for_timeout(300)
    covered = look.grey(0.1)
    assert covered != plain
    reds, blues = np.array(covered[0::3]), np.array(covered[2::3])
    assert (blues > reds + 40).any()
    assert "p(positive) 0.0" in look.point_at(20, 40, 256, 256)
    look.page.get_by_label("map (of movie.ome.tif)", exact=True).uncheck()
    look.page.wait_for_timeout(100)
    assert look.grey(0.1) == plain


@pytest.mark.long
def test_a_hostile_report_reaches_nothing_of_the_site(chromium: "Browser", served: Site) -> None:
    """Script in a report runs apart: no cookies, no requests, nothing of the page around it."""
    folder = served.study.folder.parent / "audited"
    folder.mkdir()
    about = {"kind": "audit", "study": str(served.study.folder), "headline": "Found <b>"}
    (folder / "audit.json").write_text(json.dumps(about))
    (folder / "report.html").write_text("""<p id="said">no</p><script>
        const tried = [];
        const attempt = (name, act) => { try { act(); tried.push(name); } catch { /* refused */ } };
        attempt("cookies", () => document.cookie);
        attempt("parent", () => parent.document.body);
        attempt("store", () => localStorage.setItem("a", "b"));
        fetch("/people").then(() => tried.push("fetch"), () => 0).then(() => {
          document.getElementById("said").textContent = `tried: ${tried.join(" ")}.`;
        });
        </script>""")
    served.look.results.forget()
    with chromium.new_context() as context:  # one that may break the policy
        page = context.new_page()
        page.goto(served.link)
        page.wait_for_url(f"{served.address}/")
        page.goto(f"{served.address}/reports")
        assert page.get_by_text("Found <b>").is_visible()
        page.get_by_role("link", name="Open audit audited").click()
        page.frame_locator("iframe").get_by_text("tried: .").wait_for()
        with page.expect_popup() as opened:
            page.get_by_role("link", name="Open by itself").click()
        # its parent is then the report itself
        opened.value.get_by_text("tried: parent.").wait_for()
