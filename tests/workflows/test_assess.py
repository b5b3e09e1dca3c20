"""Verdicts: one row a picture and frame, whatever is wrong with the other files."""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from numpy.typing import NDArray

from livewell.errors import ImageReadError, ModelFileError, OutputError, SpecError
from livewell.execution.items import Item, Journal
from livewell.models.files import load_model, rewrite_card
from livewell.progress import ROUNDING, Tick, shown
from livewell.report.examples import galleries
from livewell.workflows.assess import assess
from livewell.workflows.train import TrainingResult

COLUMNS = ["image", "t", "well", "position", "n_patches", "sick_fraction", "p_sick", "verdict"]
VERDICTS = {"healthy", "sick", "unsure", "nothing to judge"}
PATTERN = "{well}_p{position:int}.ome.tif"

Painter = Callable[..., NDArray[np.uint16]]
Writer = Callable[..., Path]


@pytest.fixture(scope="module", name="model")
def stranger(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained model, as if it had learnt from other images than these."""
    folder = tmp_path_factory.mktemp("stranger") / "model"
    shutil.copytree(model, folder)
    _, card = load_model(folder)
    nothing = {"data": card.data | {"learnt": []}, "learnt_sha256": ""}
    rewrite_card(folder, card.model_copy(update=nothing))
    return folder


@pytest.fixture
def images(tmp_path: Path, plate: Path) -> Path:
    """A folder with a healthy and a sick movie of three frames."""
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("A01_p1.ome.tif", "B01_p1.ome.tif"):
        shutil.copy(plate / "images" / name, folder / name)
    return folder


def test_one_row_a_picture_and_frame(images: Path, model: Path, tmp_path: Path) -> None:
    """The table has the promised columns in order, and a well and position from the file names."""
    out = tmp_path / "out"
    made = assess(images, model, out, pattern=PATTERN)
    table = pd.read_csv(out / "verdicts.csv", dtype={"position": "str"})
    assert table.columns.tolist()[:8] == COLUMNS
    assert table.columns.tolist()[8:] == ["note"]
    assert table[["image", "t"]].to_numpy().tolist() == [
        [name, t] for name in ("A01_p1.ome.tif", "B01_p1.ome.tif") for t in range(3)
    ]
    assert table["well"].tolist() == ["A01"] * 3 + ["B01"] * 3
    assert set(table["position"]) == {"1"}
    assert set(table["n_patches"]) == {6}
    assert table["p_sick"].between(0, 1).all()
    assert table["sick_fraction"].between(0, 1).all()
    assert set(table["verdict"]) <= VERDICTS
    assert table["note"].isna().all()
    means = table.groupby("well")["p_sick"].mean()
    assert means["A01"] < means["B01"]
    assert pd.read_csv(out / "failures.csv").empty
    assert made.warnings == ()
    assert {path.name for path in out.iterdir()} == {
        "assessment.json",
        "verdicts.csv",
        "failures.csv",
        "report.html",
        "units",
    }


def test_page_is_self_contained(images: Path, model: Path, tmp_path: Path) -> None:
    """The report shows verdicts and example patches and fetches nothing."""
    page = assess(images, model, tmp_path / "out").page.read_text("utf-8")
    assert not re.findall(r"""(?:src|href)\s*=\s*["'](?!data:|#)""", page)
    assert "B01_p1.ome.tif" in page
    assert "data:image/" in page or "<svg" in page


def test_the_surest_patches_are_of_different_places(images: Path, model: Path) -> None:
    """A patch that is sure in every frame of a movie is shown once, from its surest frame."""
    name, card = "A01_p1.ome.tif", load_model(model)[1]
    sick = [("sick", 0.7 + t / 10, 0, 0, 64, 64) for t in range(3)]
    rows = [{"image": name, "t": t, "extremes": [one]} for t, one in enumerate(sick)]
    rows.append({"image": name, "t": 0, "extremes": [("sick", 0.6, 64, 64, 128, 128)]})
    (gallery,) = galleries(rows, {name: images / name}, card, None, None)
    assert [caption.split()[1] for caption in gallery.captions] == ["0.90", "0.60"]


def test_single_file(images: Path, model: Path, tmp_path: Path) -> None:
    """One file is judged by itself, named without its folder."""
    made = assess(images / "A01_p1.ome.tif", model, tmp_path / "out")
    assert made.verdicts["image"].unique().tolist() == ["A01_p1.ome.tif"]
    assert made.verdicts["well"].isna().all()


def test_field_without_cells(
    images: Path, model: Path, tmp_path: Path, paint: Painter, write_movie: Writer
) -> None:
    """A field of noise alone has nothing to judge: no patch, no probability."""
    write_movie(images / "D01_p1.ome.tif", paint("empty", 99))
    made = assess(images, model, tmp_path / "out")
    empty = made.verdicts[made.verdicts["image"] == "D01_p1.ome.tif"]
    assert empty["verdict"].tolist() == ["nothing to judge"] * 3
    assert (empty["n_patches"] == 0).all()
    assert empty[["sick_fraction", "p_sick"]].isna().all(axis=None)
    assert made.failures.empty


def truncated(path: Path, good: Path) -> None:
    path.write_bytes(good.read_bytes()[: good.stat().st_size * 2 // 3])


def with_nan(path: Path, good: Path) -> None:
    frames = tifffile.imread(good).astype(np.float32)
    frames[:, 5, 5] = np.nan
    tifffile.imwrite(path, frames, photometric="minisblack")


def two_stains(path: Path, good: Path) -> None:
    stack = np.stack([tifffile.imread(good)[0]] * 2)
    metadata = {"axes": "CYX", "Channel": {"Name": ["DAPI", "PI"]}}
    tifffile.imwrite(path, stack, ome=True, photometric="minisblack", metadata=metadata)


BAD: dict[str, tuple[Callable[[Path, Path], object], str]] = {
    "text": (lambda path, good: path.write_text("not an image\n" * 40), "image-unreadable"),
    "empty file": (lambda path, good: path.touch(), "image-unreadable"),
    "truncated": (truncated, "image-unreadable"),
    "all zero": (
        lambda path, good: tifffile.imwrite(path, np.zeros((128, 192), np.uint16)),
        "image-content",
    ),
    "NaN": (with_nan, "image-content"),
    "too small": (
        lambda path, good: tifffile.imwrite(path, tifffile.imread(good)[0, :40, :40]),
        "image-content",
    ),
    "missing channel": (two_stains, "image-content"),
}


def test_bad_files_never_stop_others(images: Path, model: Path, tmp_path: Path) -> None:
    """Seven kinds of bad file stand in failures.csv, each with its reason; the rest is judged."""
    alone = assess(images, model, tmp_path / "alone").verdicts
    good = images / "A01_p1.ome.tif"
    for name, (spoil, _) in BAD.items():
        spoil(images / f"bad {name}.tif", good)
    made = assess(images, model, tmp_path / "out")
    failures = pd.read_csv(tmp_path / "out" / "failures.csv")
    for name, (_, code) in BAD.items():
        found = failures[failures["image"] == f"bad {name}.tif"]
        assert len(found), name
        assert found["error"].str.startswith(f"[{code}]").all(), name
        assert found["error"].str.contains(f"bad {name}", regex=False).all(), name
    whole = made.verdicts[~made.verdicts["image"].str.startswith("bad")]
    pd.testing.assert_frame_equal(whole.reset_index(drop=True), alone)
    judged = set(made.verdicts.loc[made.verdicts["image"].str.startswith("bad"), "image"])
    assert judged <= {"bad truncated.tif"}
    assert "bad truncated.tif" in made.page.read_text("utf-8")


def test_one_reason_for_all_frames_is_one_failure(
    images: Path, model: Path, tmp_path: Path
) -> None:
    """Row 29: a movie whose frames are all smaller than a patch is one failure, not one a frame."""
    movie = np.stack([tifffile.imread(images / "A01_p1.ome.tif")[0, :40, :40]] * 20)
    tifffile.imwrite(images / "small.tif", movie, photometric="minisblack")
    failures = assess(images, model, tmp_path / "out").failures
    assert failures["image"].tolist() == ["small.tif"]
    assert failures["t"].isna().all()
    assert "40 x 40 px" in failures["error"].iloc[0]


def test_one_bad_frame(images: Path, model: Path, tmp_path: Path, write_movie: Writer) -> None:
    """In a movie with one frame of NaN the others are judged, and the frame is named."""
    frames = tifffile.imread(images / "B01_p1.ome.tif").astype(np.float32)
    frames[1, 0, 0] = np.nan
    made = assess(write_movie(images / "B09_p1.ome.tif", frames), model, tmp_path / "out")
    assert made.verdicts["t"].tolist() == [0, 2]
    assert made.failures["t"].tolist() == [1]
    assert "frame 1" in made.failures["error"].iloc[0]


class KillError(Exception):
    """Stands for a kill."""


@dataclass
class StopsAfter:
    """A progress that breaks the job off after so many finished pictures."""

    pictures: float

    @contextmanager
    def task(self, what: str, total: int) -> Iterator[Tick]:
        """Count finished pictures; `what` and `total` do not matter."""

        def tick(done: float = 1, note: str = "") -> None:
            if self.pictures < ROUNDING:
                raise KillError
            self.pictures -= done

        yield tick


def journal_of(out: Path) -> Path:
    """The file that the one process wrote which judged."""
    (path,) = Journal(out).parts()
    return path


@pytest.fixture
def stopped(images: Path, model: Path, tmp_path: Path, plate: Path) -> Path:
    """Output folder of a judging of four movies that was broken off after three."""
    for name in ("A02_p1.ome.tif", "B02_p1.ome.tif"):
        shutil.copy(plate / "images" / name, images / name)
    with pytest.raises(KillError), shown(StopsAfter(3)):
        assess(images, model, tmp_path / "out")
    return tmp_path / "out"


def test_stopped_judging_goes_on(stopped: Path, images: Path, model: Path, tmp_path: Path) -> None:
    """A judging that died in the middle of a line goes on from its journal to the same table."""
    assess(images, model, tmp_path / "whole")
    assert not (stopped / "verdicts.csv").exists()
    journal = journal_of(stopped)
    # other lines say that a unit was begun
    lines = [line for line in journal.read_text("utf-8").splitlines() if '"failures"' in line]
    assert len(lines) == 3
    journal.write_text("\n".join([*lines[:2], lines[2][: len(lines[2]) // 2]]), "utf-8")
    assess(images, model, stopped)
    assert (stopped / "verdicts.csv").read_bytes() == (
        tmp_path / "whole" / "verdicts.csv"
    ).read_bytes()
    assert not journal.exists()
    pages = [folder / "report.html" for folder in (tmp_path / "whole", stopped)]
    figures = [re.findall(r"base64,[A-Za-z0-9+/=]+", page.read_text("utf-8")) for page in pages]
    assert figures[0] == figures[1]
    assert len(figures[0]) >= 3


def test_images_that_it_learnt_from_are_told(
    images: Path, trained: TrainingResult, tmp_path: Path
) -> None:
    """Row 13: training images are known by their content, whatever was done to the file.

    Saved with another number type, turned, or from a later frame on they are warned of; an image
    that nothing was learnt from is not.
    """
    made = assess(images, trained.run.model(0), tmp_path / "out")
    learnt = made.verdicts["note"].str.contains("trained or calibrated on it")
    told = learnt.groupby(made.verdicts["image"]).any()
    name = told.index[told][0]
    movie = tifffile.imread(images / name)
    new = tmp_path / "new"
    new.mkdir()
    for saved, frames in {
        "wider": movie.astype(np.uint32),
        "turned": np.rot90(movie, axes=(1, 2)),
        "later": movie[1:],
        "other": movie + np.random.default_rng(0).integers(0, 9, movie.shape).astype(movie.dtype),
    }.items():
        tifffile.imwrite(new / f"{saved}.tif", frames, photometric="minisblack")
    made = assess(new, trained.run.model(0), tmp_path / "again")
    learnt = made.verdicts["note"].str.contains("trained or calibrated on it")
    told = learnt.groupby(made.verdicts["image"]).all()
    assert told.to_dict() == {
        "later.tif": True,
        "other.tif": False,
        "turned.tif": True,
        "wider.tif": True,
    }
    assert any("its verdict is no evidence" in warning for warning in made.warnings)


def test_journal_is_believed(stopped: Path, images: Path, model: Path) -> None:
    """What the journal holds is not judged again, unless file, model or settings are others."""
    journal = journal_of(stopped)
    entries = [entry for entry in Journal(stopped).lines() if "rows" in entry]
    for entry in entries:
        entry["rows"][0]["note"] = "from the journal"
    journal.unlink()
    for entry in entries:
        Journal(stopped).add(Item("", stopped, {}), entry)
    os.utime(images / entries[1]["asked"]["image"], ns=(0, 0))
    notes = assess(images, model, stopped).verdicts.set_index(["image", "t"])["note"]
    kept = notes[notes == "from the journal"].index.tolist()
    assert kept == [(entries[n]["asked"]["image"], 0) for n in (0, 2)]
    with pytest.raises(OutputError, match=r"other settings.*stride_px=64.*stride_px=32"):
        assess(images, model, stopped, stride_px=32)


def test_the_journal_of_version_0_1_is_judged_anew(
    stopped: Path, images: Path, model: Path, tmp_path: Path
) -> None:
    """A judging that version 0.1 left unfinished is done again, with rows of today."""
    journal = journal_of(stopped)
    entries = list(Journal(stopped).lines())
    for entry in entries:
        del entry["asked"]["rows"]
        old = {"n_patches": 6, "note": "old", "sick_fraction": 0.5, "p_sick": 0.5}
        extremes = [[0.9, 0, 0, 64, 64]]
        entry["rows"] = [{"t": 0, **old, "verdict": "sick", "extremes": extremes}]
    journal.write_text("".join(json.dumps(entry) + "\n" for entry in entries), "utf-8")
    table = assess(images, model, stopped).verdicts
    pd.testing.assert_frame_equal(table, assess(images, model, tmp_path / "whole").verdicts)


def test_stopped_judging_leaves_older_results_whole(
    images: Path, model: Path, tmp_path: Path
) -> None:
    """Until a new judging is done, the folder holds the older one, table and settings alike."""
    out = tmp_path / "out"
    assess(images, model, out)
    before = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    for path in images.iterdir():
        os.utime(path, ns=(0, 0))
    with pytest.raises(KillError), shown(StopsAfter(1)):
        assess(images, model, out)
    after = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    assert after == before
    assert Journal(out).parts()


def test_what_was_judged_is_not_judged_again(images: Path, model: Path, tmp_path: Path) -> None:
    """The same command a second time judges nothing, and says the same."""
    first = assess(images, model, tmp_path / "out")
    page = first.page.read_bytes()
    with shown(StopsAfter(0)):
        again = assess(images, model, tmp_path / "out")
    pd.testing.assert_frame_equal(again.verdicts, first.verdicts)
    assert again.page.read_bytes() == page


def test_a_pattern_that_fits_nothing(images: Path, model: Path, tmp_path: Path) -> None:
    """A pattern that no name fits is refused before any work; one that some fit is warned of."""
    with pytest.raises(SpecError, match="fits no image"):
        assess(images, model, tmp_path / "out", pattern="{well}-{position}.png")
    assert not (tmp_path / "out").exists()
    (images / "overview.tif").write_bytes((images / "A01_p1.ome.tif").read_bytes())
    made = assess(images, model, tmp_path / "out", pattern="{well}_p{position}.ome.tif")
    assert "1 name that the pattern does not fit, such as overview.tif" in made.warnings[0]


def test_pixel_sizes_that_cannot_be(images: Path, model: Path, tmp_path: Path) -> None:
    """A pixel size a hundred times the model's fails every picture and enlarges none."""
    made = assess(images, model, tmp_path / "out", pixel_um=50)
    assert made.verdicts.empty
    assert made.failures["error"].str.contains("too far from the model's").all()


def test_other_pixel_size_is_rescaled(
    images: Path, model: Path, tmp_path: Path, write_movie: Writer
) -> None:
    """A picture of half the model's pixel size is judged at the model's, and both ends say so."""
    frames = tifffile.imread(images / "A01_p1.ome.tif")
    write_movie(images / "fine.ome.tif", frames.repeat(2, axis=1).repeat(2, axis=2), pixel_um=0.25)
    made = assess(images, model, tmp_path / "out")
    rows = made.verdicts.set_index("image").loc["fine.ome.tif"]
    assert rows["n_patches"].tolist() == [6] * 3
    assert rows["note"].str.fullmatch("rescaled by 0.500, from 0.25 to 0.5 um a pixel").all()
    assert made.warnings == ("1 image: rescaled by 0.500, from 0.25 to 0.5 um a pixel",)
    assert "rescaled by 0.500" in made.page.read_text("utf-8")


def test_unknown_pixel_size_is_judged_with_a_warning(
    images: Path, model: Path, tmp_path: Path
) -> None:
    """Without a pixel size a picture is judged as it is and says so; given one, it does not."""
    frame = tifffile.imread(images / "A01_p1.ome.tif")[0]
    tifffile.imwrite(images / "plain.tif", frame)
    made = assess(images, model, tmp_path / "out")
    row = made.verdicts.set_index("image").loc["plain.tif"]
    assert row["n_patches"] == 6
    assert "no pixel size is known" in row["note"]
    assert "1 image: no pixel size is known" in made.warnings[0]
    told = assess(images / "plain.tif", model, tmp_path / "told", pixel_um=0.5)
    assert told.warnings == ()


def test_stride(images: Path, model: Path, tmp_path: Path) -> None:
    """A smaller stride gives more patches; every pixel is seen at any stride."""
    made = assess(images / "A01_p1.ome.tif", model, tmp_path / "out", stride_px=32)
    assert set(made.verdicts["n_patches"]) == {3 * 5}
    made = assess(images / "A01_p1.ome.tif", model, tmp_path / "odd", stride_px=50)
    assert set(made.verdicts["n_patches"]) == {3 * 4}


def test_nothing_is_written_for_a_bad_model(images: Path, tmp_path: Path) -> None:
    """Without a usable model, or without an image, no output folder is made."""
    with pytest.raises(ModelFileError, match=r"no model here.*card\.json"):
        assess(images, tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_no_image_at_all(model: Path, tmp_path: Path) -> None:
    """A folder without images is refused by its path, and nothing is written."""
    (tmp_path / "none").mkdir()
    for path in (tmp_path / "none", tmp_path / "absent.tif"):
        with pytest.raises(ImageReadError, match=path.name):
            assess(path, model, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else(images: Path, model: Path, tmp_path: Path) -> None:
    """Verdicts are never written into a folder that holds something else."""
    with pytest.raises(OutputError, match="holds the images"):
        assess(images, model, images)
    assert len(list(images.iterdir())) == 2
