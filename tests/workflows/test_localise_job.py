"""Detections in new images: found where they are, whatever else lies there, and never twice."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from discs import BRIGHT, CLASSES, NEAR_PX, SHAPE, blobs, found_in, nearest, save_by_hand
from PIL import Image

from livewell.errors import ImageReadError, ModelFileError, OutputError, SpecError
from livewell.execution.items import Journal
from livewell.images.opening import open_image
from livewell.inference.detections import Look
from livewell.models.building import build
from livewell.models.files import load_model, rewrite_card, save_model
from livewell.models.nets.net import Net
from livewell.models.nets.spec import NetShape
from livewell.models.nets.wscnn import WscnnSmallSpec
from livewell.models.profile import override
from livewell.models.recipes import TINY, WSCNN_FAST
from livewell.outputs.located import DETECTIONS, PICTURES
from livewell.outputs.masks import read_mask
from livewell.progress import ROUNDING, Tick, shown
from livewell.study.content import first_frame
from livewell.workflows.localise import localise

pytestmark = pytest.mark.long

Writer = Callable[..., Path]

FILES = {
    "failures.csv",
    "detections.csv",
    "pictures.csv",
    "masks",
    "overlays",
    "figure3.png",
    "localisation.json",
    "report.html",
    "units",
}


@pytest.fixture(scope="module")
def bright(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a model that calls a picture bright where it holds a bright disc."""
    return save_by_hand(tmp_path_factory.mktemp("bright") / "model")


@pytest.fixture
def images(tmp_path: Path, write_movie: Writer) -> Path:
    """A folder with a picture of two bright discs, one without, and one of a single one."""
    folder = tmp_path / "images"
    write_movie(folder / "A01.ome.tif", blobs()[None])
    write_movie(folder / "A02.ome.tif", blobs([], seed=1)[None])
    write_movie(folder / "B01.ome.tif", blobs([(50, 64)], seed=2)[None])
    return folder


def test_places_are_where_the_discs_are(images: Path, bright: Path, tmp_path: Path) -> None:
    """One row a picture and one a disc, surest first, its box around the disc."""
    out = tmp_path / "out"
    made = localise(images, bright, out, pattern="{well}.ome.tif")
    pictures, places = pd.read_csv(out / "pictures.csv"), pd.read_csv(out / "detections.csv")
    assert pictures.columns.tolist() == PICTURES
    assert places.columns.tolist() == DETECTIONS
    assert pictures["image"].tolist() == ["A01.ome.tif", "A02.ome.tif", "B01.ome.tif"]
    assert pictures["well"].tolist() == ["A01", "A02", "B01"]
    assert pictures["verdict"].tolist() == ["bright", "dim", "bright"]
    assert pictures["found"].tolist() == [2, 0, 1]
    assert pictures["p"].between(0, 1).all()
    assert pictures["note"].isna().all()
    for image, centres in (("A01.ome.tif", BRIGHT), ("B01.ome.tif", [(50, 64)])):
        own = found_in(places, image)
        assert own["number"].tolist() == list(range(1, len(centres) + 1))
        assert (nearest(own, centres) < NEAR_PX).all()
        assert own["score"].is_monotonic_decreasing
        assert own["y"].between(own["y0"], own["y1"]).all()
        assert own["x"].between(own["x0"], own["x1"]).all()
    assert (places["p"] >= 0.6).all()
    assert made.least == 0.6
    assert made.warnings == ()
    assert {path.name for path in out.iterdir()} == FILES
    assert pd.read_csv(out / "failures.csv").empty


def test_masks_are_the_files_own(images: Path, bright: Path, tmp_path: Path) -> None:
    """A mask has the file's size and pixel size, 16 bits, and the numbers of the table."""
    made = localise(images, bright, tmp_path / "out", figures=0)
    assert made.pictures["mask"].tolist() == ["masks/A01.tif", "masks/A02.tif", "masks/B01.tif"]
    for row in made.pictures.itertuples():
        labels = read_mask(made.folder / row.mask)
        assert labels.dtype == np.uint16
        assert labels.shape == SHAPE
        own = found_in(made.detections, row.image)
        assert set(np.unique(labels)) == {0, *own["number"]}
        for place in own.itertuples():
            rows, columns = np.nonzero(labels == place.number)
            corners = rows.min(), columns.min(), rows.max() + 1, columns.max() + 1
            assert corners == (place.y0, place.x0, place.y1, place.x1)
        with open_image(made.folder / row.mask) as image:
            assert image.header.pixel_um == pytest.approx(0.5)
    with tifffile.TiffFile(made.folder / "masks" / "A01.tif") as file:
        assert file.pages.first.compression.name == "ADOBE_DEFLATE"


class KillError(Exception):
    """Stands for a kill."""


@dataclass
class StopsAfter:
    """A progress that breaks the job off after so many finished files."""

    files: float

    @contextmanager
    def task(self, what: str, total: int) -> Iterator[Tick]:
        """Count finished files; `what` and `total` do not matter."""

        def tick(done: float = 1, note: str = "") -> None:
            if self.files < ROUNDING:
                raise KillError
            self.files -= done

        yield tick


@dataclass
class Notes:
    """A progress that keeps what is shown beside the bars."""

    seen: list[str]

    @contextmanager
    def task(self, what: str, total: int) -> Iterator[Tick]:
        """Keep notes; `what` and `total` do not matter."""
        yield lambda done=1, note="": self.seen.append(note)


def test_a_stopped_job_goes_on(images: Path, bright: Path, tmp_path: Path) -> None:
    """What died in the middle of a line goes on from its journal to the very same files."""
    whole, again = tmp_path / "whole", tmp_path / "again"
    localise(images, bright, whole)
    with pytest.raises(KillError), shown(StopsAfter(2)):
        localise(images, bright, again)
    assert not (again / "pictures.csv").exists()
    (journal,) = Journal(again).parts()
    # other lines say that a unit was begun
    lines = [line for line in journal.read_text("utf-8").splitlines() if '"failures"' in line]
    assert len(lines) == 2
    journal.write_text("\n".join([lines[0], lines[1][: len(lines[1]) // 2]]), "utf-8")
    with shown(Notes(notes := [])):
        localise(images, bright, again)
    judged = [note for note in notes if note.endswith("frame 1 of 1")]
    assert judged == ["A02.ome.tif, frame 1 of 1", "B01.ome.tif, frame 1 of 1"]
    for name in ("pictures.csv", "detections.csv", "failures.csv", "figure3.png"):
        assert (again / name).read_bytes() == (whole / name).read_bytes(), name
    for path in sorted((whole / "masks").iterdir()):
        np.testing.assert_array_equal(read_mask(path), read_mask(again / "masks" / path.name))
    assert {path.name for path in again.iterdir()} == FILES


def test_a_journal_whose_mask_is_gone_is_not_believed(
    images: Path, bright: Path, tmp_path: Path
) -> None:
    """An image whose mask is missing, or which changed since, is judged again."""
    out = tmp_path / "out"
    with pytest.raises(KillError), shown(StopsAfter(2)):
        localise(images, bright, out, figures=0)
    (out / "masks" / "A01.tif").unlink()
    tifffile.imwrite(images / "A02.ome.tif", blobs())
    made = localise(images, bright, out, figures=0)
    assert made.pictures["found"].tolist() == [2, 2, 1]
    assert (out / "masks" / "A01.tif").is_file()


def test_other_settings_are_refused(images: Path, bright: Path, tmp_path: Path) -> None:
    """A folder is never mixed of two thresholds, two smoothings or two models' answers."""
    out = tmp_path / "out"
    localise(images, bright, out, figures=0)
    for settings, told in (
        ({"least": 0.9}, "least=0.6.*least=0.9"),
        ({"sigma_px": 2.0}, f"sigma_px={Look().sigma_px}.*sigma_px=2.0"),
        ({"share": 0.5}, f"share={Look().share}.*share=0.5"),
        ({"pixel_um": 0.5}, "pixel_um"),
    ):
        with pytest.raises(OutputError, match=f"other settings.*{told}"):
            localise(images, bright, out, **settings)
    with pytest.raises(OutputError, match="holds the images"):
        localise(images, bright, images)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"least": 0.0}, "probability of a detection"),
        ({"least": 1.5}, "probability of a detection"),
        ({"sigma_px": -1.0}, "sigma_px from 0 to 1000"),
        ({"sigma_px": float("inf")}, "sigma_px from 0 to 1000"),
        ({"share": 0.0}, "share <= 1"),
        ({"pattern": "{well}-{position}.png"}, "fits no image"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(
    settings, told: str, images: Path, bright: Path, tmp_path: Path
) -> None:
    """A number out of range or a pattern that fits nothing is told before anything is written."""
    with pytest.raises(SpecError, match=told):
        localise(images, bright, tmp_path / "out", **settings)
    assert not (tmp_path / "out").exists()


def test_a_lower_threshold_lists_more(images: Path, bright: Path, tmp_path: Path) -> None:
    """From a lower probability on there are more detections, none below; figures are optional."""
    usual = localise(images, bright, tmp_path / "usual", figures=0)
    low = localise(images, bright, tmp_path / "low", least=0.001, figures=0)
    assert len(low.detections) > len(usual.detections)
    assert (low.detections["p"] >= 0.001).all()
    assert found_in(low.pictures, "A02.ome.tif")["found"][0] > 0
    assert not (tmp_path / "low" / "overlays").exists()
    assert "in 1 image not called bright" in low.page.read_text("utf-8")


def test_overlays_of_an_earlier_call_go(images: Path, bright: Path, tmp_path: Path) -> None:
    """With fewer figures the same folder keeps only those that are asked for now."""
    made = localise(images, bright, tmp_path / "out")
    folder = made.folder / "overlays"
    assert {path.stem for path in folder.iterdir()} == {"A01", "A02", "B01"}
    with Image.open(folder / "A01.png") as picture:
        assert picture.width >= 640
    (images / "A02.ome.tif").unlink()
    localise(images, bright, tmp_path / "out")
    for name in ("overlays", "masks"):
        assert {path.stem for path in (made.folder / name).iterdir()} == {"A01", "B01"}
    localise(images, bright, tmp_path / "out", figures=0)
    assert not list(folder.iterdir())
    assert not (made.folder / "figure3.png").exists()


def truncated(path: Path, good: Path) -> None:
    path.write_bytes(good.read_bytes()[: good.stat().st_size // 2])


def with_nan(path: Path, good: Path) -> None:
    frame = tifffile.imread(good).astype(np.float32)
    frame[5, 5] = np.nan
    tifffile.imwrite(path, frame, photometric="minisblack")


BAD: dict[str, tuple[Callable[[Path, Path], object], str]] = {
    "text": (lambda path, good: path.write_text("not an image\n" * 40), "image-unreadable"),
    "truncated": (truncated, "image-unreadable"),
    "blank": (
        lambda path, good: tifffile.imwrite(path, np.full(SHAPE, 900, np.uint16)),
        "image-content",
    ),
    "zero": (lambda path, good: tifffile.imwrite(path, np.zeros(SHAPE, np.uint16)), "image-con"),
    "NaN": (with_nan, "image-content"),
    "below zero": (
        lambda path, good: tifffile.imwrite(path, blobs().astype(np.float32) - 3000),
        "image-content",
    ),
}


def test_bad_files_never_stop_others(images: Path, bright: Path, tmp_path: Path) -> None:
    """Six kinds of bad file stand in failures.csv with their reasons; the rest is as without."""
    alone = localise(images, bright, tmp_path / "alone", figures=0)
    for name, (spoil, _) in BAD.items():
        spoil(images / f"bad {name}.tif", images / "A01.ome.tif")
    made = localise(images, bright, tmp_path / "out", figures=0)
    failures = pd.read_csv(tmp_path / "out" / "failures.csv")
    assert sorted(failures["image"]) == sorted(f"bad {name}.tif" for name in BAD)
    for name, (_, code) in BAD.items():
        (error,) = failures.loc[failures["image"] == f"bad {name}.tif", "error"]
        assert error.startswith(f"[{code}"), error
    pd.testing.assert_frame_equal(made.pictures, alone.pictures)
    pd.testing.assert_frame_equal(made.detections, alone.detections)
    assert "bad truncated.tif" in made.page.read_text("utf-8")


def test_no_picture_at_all_is_a_page_too(bright: Path, tmp_path: Path) -> None:
    """Where every file fails there are empty tables, a page that says so, and no figure."""
    (tmp_path / "images").mkdir()
    tifffile.imwrite(tmp_path / "images" / "blank.tif", np.full(SHAPE, 900, np.uint16))
    made = localise(tmp_path / "images", bright, tmp_path / "out", figures=0)
    assert made.pictures.empty
    assert made.figure3 is None
    assert "No image was judged. 1 input could not be judged." in made.page.read_text("utf-8")
    with pytest.raises(ImageReadError):
        localise(tmp_path / "out" / "masks", bright, tmp_path / "other")


def test_noise_alone_has_nothing_to_judge(images: Path, bright: Path, tmp_path: Path) -> None:
    """A field of noise has neither probability nor detection, and an empty mask."""
    tifffile.imwrite(images / "noise.tif", blobs([], []))
    made = localise(images, bright, tmp_path / "out", pixel_um=0.5, figures=0)
    (row,) = found_in(made.pictures, "noise.tif").to_dict("records")
    assert row["verdict"] == "nothing to judge"
    assert np.isnan(row["p"])
    assert row["found"] == 0
    assert not read_mask(made.folder / row["mask"]).any()
    assert made.failures.empty


@pytest.mark.long
def test_what_it_wrote_is_no_image(images: Path, bright: Path) -> None:
    """An output folder inside the image folder is left out when the job is done again."""
    for _ in range(2):
        made = localise(images, bright, images / "places", figures=1)
        assert len(made.pictures) == 3


def test_what_an_earlier_call_wrote_is_no_image(images: Path, bright: Path) -> None:
    """Masks and overlays in another output folder among the images are not judged either."""
    localise(images, bright, images / "places", figures=1)
    made = localise(images, bright, images / "again", figures=1)
    assert len(made.pictures) == 3


def test_masks_of_images_that_are_gone_go(images: Path, bright: Path, tmp_path: Path) -> None:
    """Done again without an image, the folder holds no mask of it."""
    localise(images, bright, tmp_path / "out", figures=0)
    (images / "A02.ome.tif").unlink()
    made = localise(images, bright, tmp_path / "out", figures=0)
    assert {path.name for path in (made.folder / "masks").iterdir()} == {"A01.tif", "B01.tif"}


def test_images_that_it_learnt_from_are_told(images: Path, bright: Path, tmp_path: Path) -> None:
    """An image of the training data is known by its content, whatever its name."""
    with open_image(images / "A01.ome.tif") as image:
        digests = sorted(first_frame(image, 0).digests)
    net, card = load_model(bright)
    save_model(tmp_path / "model", net, card.model_copy(update={"data": {"learnt": digests}}))
    made = localise(images, tmp_path / "model", tmp_path / "out", figures=0)
    assert made.pictures["learnt"].tolist() == [1, 0, 0]


def test_a_scrap_is_no_picture(bright: Path, tmp_path: Path, write_movie: Writer) -> None:
    """Half a training frame is judged, less is a failure that says what was expected."""
    least = (SHAPE[0] // 2, SHAPE[1] // 2)
    frame = blobs([(24, 30)], seed=4)
    write_movie(tmp_path / "images" / "half.ome.tif", frame[None, : least[0], : least[1]])
    write_movie(tmp_path / "images" / "less.ome.tif", frame[None, : least[0] - 1, : least[1]])
    made = localise(tmp_path / "images", bright, tmp_path / "out", figures=0)
    assert made.pictures["image"].tolist() == ["half.ome.tif"]
    assert made.failures["image"].tolist() == ["less.ome.tif"]
    assert f"at least {least[0]} x {least[1]} px" in made.failures["error"].iloc[0]


def test_a_model_of_patches_is_refused(images: Path, bright: Path, tmp_path: Path) -> None:
    """Models that judge patches are sent to the commands that are theirs."""
    card, model = load_model(bright)[1], tmp_path / "model"
    settings = {"profile": TINY, "patch_px": 64, "input_px": 56, "stride_px": 64}
    settings["detection_rule"] = None
    net = Net(build(TINY), CLASSES, 0.5, 64, 56)
    save_model(model, net, card.model_copy(update=settings))
    with pytest.raises(ModelFileError, match=r"judges patches.*livewell assess.*livewell explain"):
        localise(images, model, tmp_path / "out", figures=0)
    assert not (tmp_path / "out").exists()


def test_a_card_without_a_rule_for_places_is_refused(
    images: Path, bright: Path, tmp_path: Path
) -> None:
    """A model of an older version says that it has to be trained again."""
    net, card = load_model(bright)
    folder = tmp_path / "model"
    save_model(folder, net, card)
    rewrite_card(folder, load_model(folder)[1].model_copy(update={"detection_rule": None}))
    with pytest.raises(ModelFileError, match=r"no rule for detections.*train again"):
        localise(images, folder, tmp_path / "out", figures=0)


def test_page_is_self_contained(images: Path, bright: Path, tmp_path: Path) -> None:
    """The report holds its figures, fetches nothing, and says what a detection is not."""
    made = localise(images, bright, tmp_path / "out")
    page = made.page.read_text("utf-8")
    assert 'src="http' not in page
    assert "href=" not in page.replace("xlink:href=", "")
    assert page.count("data:image/webp") == 3
    assert "It is no segmentation" in page
    assert "not measured on unseen groups" in page
    stamp = json.loads((made.folder / "localisation.json").read_text())
    assert stamp["least"] == 0.6
    assert stamp["weights"] in page or stamp["weights"][:16] in page


def test_other_poolings_are_localised_too(images: Path, bright: Path, tmp_path: Path) -> None:
    """Any global pooling has class maps, and its detections are the same."""
    net, card = load_model(bright)
    profile = override(WSCNN_FAST, {"global_pool": "average", "narrowing": (0, 0)})
    module = WscnnSmallSpec(global_pool="average").build(NetShape(frame_px=SHAPE))
    module.body.load_state_dict(net.module.body.state_dict())
    other = Net(module.eval(), CLASSES, 0.5, 0, 0, how="background", frame_px=SHAPE)
    save_model(tmp_path / "model", other, card.model_copy(update={"profile": profile}))
    made = localise(images, tmp_path / "model", tmp_path / "out", figures=0)
    assert made.pictures["found"].tolist() == [2, 0, 1]
    assert (made.pictures["verdict"] == "dim").all()
