"""The page of an embedding: what it says, what it holds, and that it runs."""

import html
import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image as Pillow

from livewell.classes import ClassNames
from livewell.explain.embedding import Embedding, projections
from livewell.explain.neighbours import Neighbourhood, nearness, neighbours
from livewell.geometry import Box
from livewell.metrics.intervals import Estimate
from livewell.region import Region
from livewell.report.embedding import EmbeddingResults, embedding_page, headline
from livewell.report.embedding_map import Colouring, colourings, normalised
from livewell.report.page import Page, render
from livewell.report.style import UNSURE, class_look
from livewell.report.thumbnails import CELLS, LARGEST_PX, atlas, thumbnail_map, thumbnails
from livewell.report.vocabulary import Vocabulary
from livewell.text import printable

EVIL = '</script><script>alert("x\'")</script><!--&\u2028'
CLASSES = ClassNames(("live", "dead"), "dead")
WORDS = Vocabulary("patch", "experiment")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


def embedding_of(n: int = 60, *, fold: int = 0, name: str = "image") -> Embedding:
    """Regions of two classes, four experiments and both parts, some left unsure."""
    rng = np.random.default_rng(fold)
    numbers = np.arange(n)
    regions = pd.DataFrame(
        {
            "fold": fold,
            "part": np.where(numbers % 4 < 2, "test", "validation"),
            "image": [f"{name} {number % 12}" for number in numbers],
            "t": numbers // 12,
            "y0": 0,
            "x0": 8,
            "y1": 16,
            "x1": 24,
            "group": [f"{name} of {number % 4}" for number in numbers],
            "label": np.where(rng.random(n) < 0.4, "dead", "live"),
            "p": rng.random(n),
            "called": rng.integers(0, 2, n),
        }
    )
    points = rng.normal(size=(n, 6))
    names = (regions[column].tolist() for column in ("label", "group", "image"))
    near = neighbours(points, *names)
    made = projections(points, umap=False, seed=0)
    return Embedding(fold, regions, 2 * n, 6, made, near)


def fields_of(embedding: Embedding, **columns: Sequence[Any]) -> pd.DataFrame:
    """The study's table of their images, with further columns."""
    images = sorted(embedding.regions["image"].unique())
    return pd.DataFrame({"image": images, "path": images, **columns})


def results_of(*embeddings: Embedding, **more: Any) -> EmbeddingResults:
    made = embeddings or (embedding_of(),)
    rng = np.random.default_rng(0)
    usual: dict[str, Any] = {
        "title": "Features",
        "subtitle": "",
        "classes": CLASSES,
        "words": WORDS,
        "embeddings": made,
        "tiles": [rng.integers(0, 255, (len(e.regions), 16, 16), dtype=np.uint8) for e in made],
        "each": [nearness(each.near, seed=0) for each in made],
        "together": nearness(pd.concat([each.near for each in made]), seed=0),
        "fields": fields_of(made[0]),
        "by": "experiment",
        "folds": len(made),
    }
    return EmbeddingResults(**(usual | more))


def data_of(text: str) -> dict[str, Any]:
    """What the page's script reads."""
    (found,) = re.findall(r'<script type="application/json">(.*?)</script>', text, re.S)
    return json.loads(found)


def figure(value: float, half: float = 0.05, method: str = "percentile") -> Estimate:
    return Estimate(value, value - half, value + half, 12, method)


UNKNOWN = Estimate(float("nan"), float("nan"), float("nan"), 0, "undefined", "nobody knows")


def notes(page: Page) -> str:
    return " ".join(note.text for note in page.trust)


@pytest.mark.parametrize(
    ("by_class", "by_group", "words", "tone"),
    [
        (figure(0.9), figure(0.6), "lie by class more than by experiment:", "good"),
        (figure(0.9), figure(0.5), "by class, and by experiment not surely", "good"),
        (figure(0.6), figure(0.9), "lie by experiment more than by class:", "bad"),
        (figure(0.5), figure(0.9), "by experiment, and by class not surely", "bad"),
        (figure(0.7), figure(0.72), "lie both by class and by experiment:", "warn"),
        (figure(0.5), figure(0.5), "neither by class nor by experiment surely", "warn"),
        (UNKNOWN, figure(0.9), "Whether patches lie by class cannot be told here.", "warn"),
        (figure(0.9), UNKNOWN, "whether they lie by experiment cannot be told", "info"),
        (figure(0.9, 0.5, "none"), figure(0.6), "With 12 experiments nothing is sure", "warn"),
    ],
)
def test_the_verdict(by_class: Estimate, by_group: Estimate, words: str, tone: str) -> None:
    """What lies together, in one sentence whose tone is that of the news."""
    said, found = headline(Neighbourhood(by_class, by_group), WORDS)
    assert words in said
    assert found == tone
    assert "nan" not in said


def test_the_verdict_holds_the_figures() -> None:
    """Both shares and chance stand in the headline."""
    said, _ = headline(Neighbourhood(figure(0.61), figure(0.87)), WORDS)
    assert [part in said for part in ("61%", "87%", "50% is chance")] == [True] * 3


def test_regions_that_are_groups() -> None:
    """Where every image is a group of its own, no image is said to be of other images."""
    said, _ = headline(Neighbourhood(figure(0.6), UNKNOWN), Vocabulary("image", "image"))
    assert said.startswith("Of two other images that of the same class is nearer in 60%")


def test_what_is_always_said() -> None:
    """What a map cannot show, how many were drawn, that validation groups are among them."""
    page = embedding_page(results_of(folds=3))
    for words in ("means nothing", "60 of 120 patches were drawn", "Validation experiments"):
        assert words in notes(page)
    assert "1 model of 3 shown" in notes(page)
    assert "4 experiments: intervals are rough" in notes(page)
    unknown = Neighbourhood(UNKNOWN, UNKNOWN)
    assert "Not defined: nobody knows." in notes(embedding_page(results_of(together=unknown)))


def test_several_models_stand_in_one_page() -> None:
    """Each has a map of its own; the table tells of each, and first of all together."""
    page = embedding_page(results_of(embedding_of(), embedding_of(fold=3)))
    data = data_of(render(page))
    assert [each["name"] for each in data["models"]] == ["fold 0", "fold 3"]
    table = page.sections[1].tables[0]
    assert [row[0] for row in table.rows] == ["all models", "fold 0", "fold 3"]


def test_the_page_holds_every_region() -> None:
    """The script is given a place, a level of every colour and the key of each region."""
    made = embedding_of()
    (model,) = data_of(render(embedding_page(results_of(made))))["models"]
    assert [way["name"] for way in model["methods"]] == ["t-SNE", "PCA"]
    for way in model["methods"]:
        assert len(way["x"]) == len(way["y"]) == 60
        assert all(0 <= value <= 1 for value in way["x"] + way["y"])
    label, called, *_ = model["colourings"]
    names = [label["levels"][code]["name"] for code in label["codes"]]
    assert names == made.regions["label"].tolist()
    assert sum(level["count"] for level in called["levels"]) == 60
    assert model["cells"][0][:4] == ["image 0", "0", "0:16, 8:24", "test"]
    assert {len(row) for row in model["cells"]} == {8}


def test_the_page_needs_nothing_else() -> None:
    """No address, no file: one script of our own, images inside."""
    text = render(embedding_page(results_of()))
    assert not re.search(r"https?://|@import|\burl\(|\bsrc=\"(?!data:)|fetch\(|innerHTML", text)
    assert text.count("<script") == 2


def evil_results() -> EmbeddingResults:
    """Names of images, groups, classes and columns that would break out of a page."""
    made = embedding_of(name=EVIL)
    dead = f"dead{EVIL}"
    label = made.regions["label"].replace("dead", dead)
    made = replace(made, regions=made.regions.assign(label=label))
    fields = fields_of(made, **{EVIL: [EVIL, "b"] * 6})
    words = Vocabulary("patch", EVIL)
    return results_of(
        made, classes=ClassNames(("live", dead), dead), fields=fields, words=words, by=EVIL
    )


def test_hostile_names_are_only_text() -> None:
    """Markup in names of images, groups, classes and columns stays text; the unseen is spelt."""
    results = evil_results()
    text = render(embedding_page(results))
    assert text.count("<script") == 2
    assert text.count("</script>") == 2
    assert "<!--" not in text
    assert printable(EVIL) in html.unescape(text)
    (model,) = data_of(text)["models"]
    images = results.embeddings[0].regions["image"]
    assert [row[0] for row in model["cells"]] == images.map(printable).tolist()


def test_columns_of_the_study_are_colours() -> None:
    """Columns with few values are offered, numbers in order; what differs everywhere is not."""
    made = embedding_of()
    fields = fields_of(
        made,
        treatment=["none given", "drug"] * 6,
        dose=[10.0, 2.0, np.nan] * 4,
        number=range(12),
        plate=["one"] * 12,
        serial=[f"s{n}" for n in range(12)],
    )
    ways = {each.name: each for each in colourings(made.regions, fields, CLASSES, "experiment")}
    assert list(ways)[:4] == ["label", "called", "experiment", "part"]
    assert {"treatment", "dose", "number", "serial"} == set(ways) - set(list(ways)[:4])
    assert ways["dose"].levels == ["2", "10", "(empty)"]
    assert ways["dose"].looks[2].colour == UNSURE
    assert ways["dose"].counts.sum() == 60
    many = fields.assign(serial=[f"s{n}" for n in range(12)])
    wide = pd.concat([made.regions.assign(image=f"other {n}") for n in range(13)])
    more = pd.DataFrame({"image": [f"other {n}" for n in range(13)], "serial": range(13)})
    names = [each.name for each in colourings(wide, pd.concat([many, more]), CLASSES, "experiment")]
    assert "serial" not in names


def test_colour_is_never_the_only_sign() -> None:
    """Every level has a mark of its own beside its colour, classes in the house's colours."""
    way = Colouring.of("label", pd.Series(["dead", "live", "dead"]), CLASSES.names)
    assert way.levels == ["live", "dead"]
    assert [look.colour for look in way.looks] == [class_look(0).colour, class_look(1).colour]
    many = Colouring.of("well", pd.Series([f"{n:02}" for n in range(24)]))
    assert len({(look.colour, look.mark) for look in many.looks}) == 24


def test_points_keep_their_shape() -> None:
    """Both axes have one scale, and all points lie within the square."""
    found = normalised(np.array([[0.0, 0.0], [10.0, 1.0], [5.0, 0.5]]))
    assert found.min() >= 0
    assert found.max() <= 1
    assert np.ptp(found[:, 0]) == pytest.approx(10 * np.ptp(found[:, 1]))
    np.testing.assert_array_equal(normalised(np.zeros((3, 2))), np.full((3, 2), 0.5))


class Ramp:
    """Pixels that rise from left to right."""

    def crop(self, image: str, t: int, box: Box) -> np.ndarray:
        height, width = box.shape
        return np.tile(np.arange(width, dtype=np.float32), (2, height, 1))


@pytest.mark.parametrize(
    ("shape", "most", "size"),
    [((40, 40), 9, (40, 40)), ((200, 100), 9, (96, 48)), ((200, 200), 12_000, (31, 31))],
)
def test_thumbnails_are_as_small_as_need_be(
    shape: tuple[int, int], most: int, size: tuple[int, int]
) -> None:
    """Patches are never enlarged, keep their shape, and are smaller where there are many."""
    regions = [Region("a", 0, Box.of(0, 0, *shape))] * 3
    made = thumbnails(Ramp(), regions, most)  # type: ignore[arg-type]
    assert made.shape == (3, *size)
    assert max(size) <= LARGEST_PX
    assert (np.diff(made[0, 0].astype(int)) >= 0).all()
    assert made.min() < 5
    assert made.max() > 250


def test_an_atlas_holds_every_tile_at_its_place() -> None:
    """Tile n stands in row n // columns and column n % columns."""
    tiles = np.repeat(np.arange(0, 250, 50, dtype=np.uint8), 32 * 32).reshape(5, 32, 32)
    picture, columns = atlas(tiles)
    shown = np.asarray(Pillow.open(BytesIO(picture.data)).convert("L"), dtype=int)
    assert columns == 3
    assert shown.shape == (64, 96)
    for number in range(5):
        y, x = 32 * (number // 3) + 16, 32 * (number % 3) + 16
        assert shown[y, x] == pytest.approx(50 * number, abs=6)


def test_thumbnails_do_not_cover_one_another() -> None:
    """Of tiles in one cell that nearest to its middle is shown, up is up, rims have colours."""
    tiles = np.stack([np.full((30, 30), grey, dtype=np.uint8) for grey in (60, 120, 180)])
    middle = 0.5 / CELLS
    places = np.array([[middle, 1 - middle], [middle, 1 - middle - 0.001], [1 - middle, middle]])
    picture, shown = thumbnail_map(tiles, places, ["#0072B2", "#0072B2", "#D55E00"])
    assert shown == 2
    pixels = np.asarray(Pillow.open(BytesIO(picture.data)).convert("RGB"), dtype=int)
    assert pixels[18, 18] == pytest.approx([60] * 3, abs=8)
    assert pixels[-18, -18] == pytest.approx([180] * 3, abs=8)
    assert pixels[len(pixels) // 2, len(pixels) // 2] == pytest.approx([255] * 3, abs=3)
    red, _, blue = pixels[-3, -18]
    assert red > blue + 40


@pytest.mark.long
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium to open the page in")
@pytest.mark.parametrize("kind", ["plain", "hostile"])
def test_the_page_runs(tmp_path: Path, kind: str) -> None:
    """In a browser all marks are drawn, and keys step to one and put it on the list."""
    text = render(embedding_page(results_of() if kind == "plain" else evil_results()))
    keys = """<script>addEventListener("load", () => {
      const map = document.querySelector(".map");
      for (const key of ["ArrowRight", "Enter", "+", "ArrowLeft"]) {
        map.dispatchEvent(new KeyboardEvent("keydown", { key }));
      }
    })</script></body>"""
    (tmp_path / "page.html").write_text(text.replace("</body>", keys), "utf-8")
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=4000"]
    done = subprocess.run(
        [*command, (tmp_path / "page.html").as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    shown = done.stdout
    assert 'data-drawn="60"' in shown
    body = re.search(r"<tbody>(<tr>.*?)</tbody>", shown, re.S)
    assert body is not None
    assert body[1].count("<tr>") == 1
    assert "fold 0" in body[1]
    assert "<dt>" in shown
    assert shown.count("<script>") == 2
