"""A page of a plate, from verdicts to the browser: seconds until it is made, drawn and asked."""

import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import tifffile
from scipy import ndimage
from scipy.special import expit, logit

from benchmarks.result import Result
from livewell.errors import MissingExtraError
from livewell.plate import PLATES
from livewell.workflows.plate import plate

FIELD_PX, PATCHES, DIFFERENT = 1024, 100, 16
"""Edge of an image; patches judged in it; different images, which fields are links to."""
REPEATS = 5


def page(*, runs: Path, seed: int = 0) -> Result:
    """Pages of 384 and of 1,536 wells, four fields each."""
    rows, values = [], {}
    for wells in (384, 1536):
        folder = simulated(runs / f"plate-{wells}", wells, fields=4, seed=seed, field_px=FIELD_PX)
        begun = time.perf_counter()
        made = plate(
            folder,
            folder.parent / f"page-{wells}",
            metadata=folder.parent / "platemap.csv",
            untreated={"treatment": "none"},
            positive={"treatment": "control"},
            seed=seed,
        )
        seconds = time.perf_counter() - begun
        drawn, asked = opened(made.page)
        size = made.page.stat().st_size / 1e6
        row = [f"{wells:,}", f"{seconds:.1f}", f"{size:.1f}", f"{drawn:.2f}", f"{asked:.2f}"]
        rows.append(row)
        values[str(wells)] = {"made_s": seconds, "mb": size, "drawn_s": drawn, "asked_s": asked}
    return Result(
        title="A page of a plate",
        header="wells | page made (s) | page (MB) | map drawn (s) | a well and its fields (s)",
        rows=rows,
        lead=f"Simulated verdicts on four fields a well, TIFFs of {FIELD_PX} x {FIELD_PX} px, 16"
        f" bit ({DIFFERENT} different ones); Chromium without a screen, median of {REPEATS} new"
        " browsers, from asking for the file.",
        values=values,
    )


def opened(path: Path) -> tuple[float, float]:
    """Median seconds until the map of a page is drawn, and until a click has shown a well."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise MissingExtraError(
            "playwright is not installed", remedy="pip install playwright"
        ) from error
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    times = []
    with sync_playwright() as running:
        for _ in range(REPEATS):
            browser = running.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            tab = browser.new_page(viewport={"width": 1280, "height": 900})
            begun = time.perf_counter()
            tab.goto(path.resolve().as_uri(), wait_until="commit")
            # the frame after the script has run is on the screen
            tab.wait_for_selector(".plate[data-drawn]", state="attached")
            tab.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
            drawn = time.perf_counter() - begun
            shape = tab.locator(".plate svg.map path.w").nth(30)
            shape.scroll_into_view_if_needed()
            shape.click(force=True)
            tab.wait_for_selector(".plate[data-shown]", state="attached")
            tab.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
            times.append((drawn, time.perf_counter() - begun))
            browser.close()
    drawn_s, asked_s = np.median(times, axis=0).tolist()
    return drawn_s, asked_s


def simulated(
    folder: Path,
    wells: int,
    *,
    fields: int = 4,
    seed: int = 0,
    plates: Sequence[str] = ("",),
    field_px: int = 0,
    edge: float = 0.0,
    missing: Sequence[str] = (),
) -> Path:
    """A folder of verdicts as `assess` leaves it, of simulated plates; made once.

    Two columns are untreated, one holds positive controls, the rest two wells a treatment; one in
    ten of these is sick. `edge` is added to log odds of the outermost wells; wells `missing` have
    no image. Beside the folder lies ``platemap.csv``, and where `field_px` is given the images.
    """
    results, images = folder / "verdicts", folder / "images"
    if (results / "verdicts.csv").is_file():
        return results
    results.mkdir(parents=True)
    rng, size = np.random.default_rng(seed), PLATES[wells]
    pool = _pool(folder / "pool", field_px, rng) if field_px else []
    rows, layout = [], []
    for name in plates:
        number, treatment = 0, "none"
        for well in size.wells():
            if well.column in (1, size.columns - 2):
                treatment, odds = "none", logit(0.06)
            elif well.column == 0:
                treatment, odds = "control", logit(0.8)
            else:
                treatment, number = f"compound {number // 2:03}", number + 1
                odds = logit(0.5 if (number - 1) // 2 % 10 == 3 else 0.06)
            layout.append((name, str(well), treatment))
            if str(well) in missing:
                continue
            outer = well.row in (0, size.rows - 1) or well.column in (0, size.columns - 1)
            middle = expit(odds + edge * outer + rng.normal(0, 0.25))
            for field in range(fields):
                share = rng.binomial(PATCHES, expit(logit(middle) + rng.normal(0, 0.2))) / PATCHES
                image = f"{name}_{well}_p{field + 1}.tif".lstrip("_")
                verdict = "sick" if share > 0.5 else "healthy"
                rows.append((image, 0, str(well), field + 1, PATCHES, share, share, verdict, ""))
                if pool:
                    _link(images, image, pool[int(rng.integers(len(pool)))])
    columns = ["image", "t", "well", "position", "n_patches", "sick_fraction", "p_sick"]
    table = pd.DataFrame(rows, columns=[*columns, "verdict", "note"])
    table.to_csv(results / "verdicts.csv", index=False)
    pd.DataFrame(columns=["image", "t", "error"]).to_csv(results / "failures.csv", index=False)
    known = pd.DataFrame(layout, columns=["plate", "well", "treatment"])
    known.drop(columns=[] if any(plates) else ["plate"]).to_csv(
        folder / "platemap.csv", index=False
    )
    about = {"kind": "assessment", "images": str(images.resolve()), "channel": None}
    (results / "assessment.json").write_text(json.dumps(about))
    return results


def _pool(folder: Path, field_px: int, rng: np.random.Generator) -> list[Path]:
    """Different images of blobs with grain and noise, as of cells in phase contrast."""
    folder.mkdir()
    shape, paths = (field_px, field_px), []
    for number in range(DIFFERENT):
        seeds = (rng.random(shape) < 12 / 128**2).astype(float)
        cells = ndimage.gaussian_filter(seeds, 9) * 2 * np.pi * 81
        grain = ndimage.gaussian_filter(rng.normal(size=shape), 1.5 + number % 2)
        frame = 1200 + 240 * cells * (0.4 + grain / grain.std()) + rng.normal(0, 12, shape)
        paths.append(folder / f"{number}.tif")
        tifffile.imwrite(paths[-1], frame.clip(0, 65535).round().astype(np.uint16))
    return paths


def _link(images: Path, name: str, pool: Path) -> None:
    images.mkdir(exist_ok=True)
    (images / name).hardlink_to(pool)
