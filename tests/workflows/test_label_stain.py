"""Labels by a stain as users make them: of patches and nuclei, with their page, from odd files."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from click.testing import CliRunner
from numpy.typing import NDArray

import livewell
from livewell.cli import main
from livewell.errors import ImageContentError, LabelError, SpecError, TableError
from livewell.labels.mixture import PATTARONE_2021
from livewell.study.study import Study

CLASSES = ("live", "dead")
SIZE_PX = 128
Array = NDArray[np.uint16]


def written(path: Path, stain: Array, seed: int = 0) -> Path:
    """An OME-TIFF of textured brightfield and this stain, (t, y, x) or (y, x)."""
    rng = np.random.default_rng(seed)
    movie = stain.reshape(-1, *stain.shape[-2:])
    bright = rng.normal(1000, 60, movie.shape).astype(np.uint16)
    names = {"axes": "TCYX", "Channel": {"Name": ["brightfield", "PI"]}}
    path.parent.mkdir(parents=True, exist_ok=True)
    stack = np.stack([bright, movie], axis=1).astype(np.uint16)
    tifffile.imwrite(path, stack, ome=True, photometric="minisblack", metadata=names)
    return path


def nuclei_and_stain(seed: int, dead: int = 6) -> tuple[Array, Array]:
    """A mask of 16 round nuclei, and a stain that the first few of them hold."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((SIZE_PX, SIZE_PX), np.uint16)
    stain = rng.normal(200, 5, mask.shape)
    rows, columns = np.indices(mask.shape)
    for number in range(16):
        y, x = 16 + 32 * (number // 4), 16 + 32 * (number % 4)
        inside = (rows - y) ** 2 + (columns - x) ** 2 < 49
        mask[inside] = number + 1
        stain[inside] += rng.normal(900, 60) if number < dead else rng.normal(40, 8)
    return mask, stain.round().astype(np.uint16)


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    """A folder of six images, each with a mask beside it."""
    folder = tmp_path / "images"
    for number in range(6):
        mask, stain = nuclei_and_stain(number)
        written(folder / f"e{number}.ome.tif", stain, number)
        tifffile.imwrite(folder / f"e{number}_nuclei.tif", mask)
    return folder


def study_of(folder: Path, files: str = "*.ome.tif", **options: object) -> Study:
    return livewell.index(folder, folder.parent / "study", files=files, **options).study


def by_nuclei(**options: object) -> livewell.Stain:
    return livewell.Stain("PI", 48, 48, "mean", nuclei="{stem}_nuclei.tif", **options)


@pytest.mark.long
def test_the_papers_sample_gives_the_papers_thresholds(tmp_path: Path) -> None:
    """Patches with the published means and spreads, half live and half dead, give 258.97 and
    396.89 within 2%."""
    rng, paper = np.random.default_rng(0), PATTARONE_2021
    for number in range(8):
        live = rng.normal(paper.live_mean, paper.live_sd, 2048)
        dead = rng.normal(paper.dead_mean, paper.dead_sd, 2048)
        levels = rng.permutation(np.concatenate([live, dead])).clip(1)
        stain = np.kron(levels.reshape(64, 64), np.ones((4, 4))).round().astype(np.uint16)
        written(tmp_path / "images" / f"e{number}.ome.tif", stain, number)
    route = livewell.Stain("PI", 4, 4, on="mean", empty="keep")
    made = livewell.label(study_of(tmp_path / "images"), route, CLASSES)
    mixture = made.meta.mixtures[""]
    assert mixture["live_below"] == pytest.approx(258.97, rel=0.02)
    assert mixture["dead_above"] == pytest.approx(396.89, rel=0.02)


def test_a_patch_round_every_nucleus(cells: Path) -> None:
    """Each nucleus has one patch, centred on it, by the median of the stain inside it."""
    study = study_of(cells)
    made = livewell.label(study, by_nuclei(), CLASSES)
    table = study.labels("labels")
    counts = dict(made.meta.counts)
    assert counts["nuclei"] == counts["patches"] == 96
    middle = (table["y0"].astype(int) + 24) // 32 * 4 + (table["x0"].astype(int) + 24) // 32
    assert (table["label"] == np.where(middle < 6, "dead", "live")).all()
    assert set(table["y1"] - table["y0"]) == {48}
    mask, stain = nuclei_and_stain(2)
    mine = table[(table["image"] == "e2.ome.tif") & (middle == 0)]
    assert mine["score"].item() == np.median(stain[mask == 1])


def test_masks_by_a_column_and_of_truth_values(cells: Path, tmp_path: Path) -> None:
    """A column of the metadata may name the masks, which may be of 0 and 255."""
    lines = ["image,mask"]
    (cells / "masks").mkdir()
    for number in range(6):
        mask = tifffile.imread(cells / f"e{number}_nuclei.tif")
        tifffile.imwrite(cells / "masks" / f"m{number}.tif", (mask > 0).astype(np.uint8) * 255)
        lines.append(f"e{number}.ome.tif,masks/m{number}.tif")
    (tmp_path / "masks.csv").write_text("\n".join([*lines, ""]))
    study = study_of(cells, metadata=tmp_path / "masks.csv")
    route = livewell.Stain("PI", 48, 48, "mean", nuclei="mask")
    named = livewell.label(study, route, CLASSES).labelled.table
    pd.testing.assert_frame_equal(named, livewell.label(study, by_nuclei(), CLASSES).labelled.table)


def test_nuclei_in_registration_borders_are_left_out(cells: Path) -> None:
    """A border of zeros takes the first column's nuclei of one image, and they are counted."""
    _, stain = nuclei_and_stain(0)
    stain[:, :12] = 0
    written(cells / "e0.ome.tif", stain)
    made = livewell.label(study_of(cells), by_nuclei(), CLASSES)
    assert dict(made.meta.counts)["in a registration border, left out"] == 4
    assert len(made.labelled.table) <= 92


def test_masks_without_cells_are_noted_and_all_such_refused(cells: Path) -> None:
    """One empty mask is told with its image's name; where all are empty there is no label."""
    empty = np.zeros((SIZE_PX, SIZE_PX), np.uint16)
    tifffile.imwrite(cells / "e3_nuclei.tif", empty)
    study = study_of(cells)
    made = livewell.label(study, by_nuclei(), CLASSES)
    assert made.meta.notes == ("no nucleus in the mask of 1 image: e3.ome.tif",)
    counts = pd.read_csv(study.folder / "labels" / "labels.counts.csv")
    assert counts.loc[0, ["images", "nuclei"]].tolist() == [6, 80]
    for number in range(6):
        tifffile.imwrite(cells / f"e{number}_nuclei.tif", empty)
    with pytest.raises(LabelError, match="no nucleus in any mask"):
        livewell.label(study, by_nuclei(), CLASSES)


def test_masks_that_do_not_fit_are_all_told(cells: Path) -> None:
    """Another size, more frames, and a mask that is not there: one error names all three."""
    tifffile.imwrite(cells / "e1_nuclei.tif", np.zeros((SIZE_PX, 64), np.uint16))
    tifffile.imwrite(cells / "e2_nuclei.tif", np.zeros((2, SIZE_PX, SIZE_PX), np.uint16))
    (cells / "e4_nuclei.tif").unlink()
    with pytest.raises(TableError, match="the mask of some images") as caught:
        livewell.label(study_of(cells), by_nuclei(), CLASSES)
    assert [fault.where for fault in caught.value.faults] == [f"e{n}.ome.tif" for n in (1, 2, 4)]
    text = str(caught.value)
    assert "1 frame of 128 x 64 px, the image 1 frame of 128 x 128 px" in text
    assert "no such file" in text


def test_other_bad_masks(cells: Path, tmp_path: Path) -> None:
    """A mask of colours or fractions, a column that is no column, an image without a mask."""
    study = study_of(cells)
    with pytest.raises(SpecError, match=r"neither a column nor a file name with \{stem\}"):
        livewell.label(study, livewell.Stain("PI", 48, 48, nuclei="masks"), CLASSES)
    tifffile.imwrite(cells / "e1_nuclei.tif", np.full((SIZE_PX, SIZE_PX), 0.5, np.float32))
    with pytest.raises(ImageContentError, match=r"e1_nuclei\.tif: not a mask of nuclei"):
        livewell.label(study, by_nuclei(), CLASSES)
    lines = [f"e{number}.ome.tif,{f'e{number}_nuclei.tif' * (number < 5)}" for number in range(6)]
    (tmp_path / "masks.csv").write_text("\n".join(["image,mask", *lines, ""]))
    study = study_of(cells, metadata=tmp_path / "masks.csv")
    with pytest.raises(TableError, match=r"e5\.ome\.tif: mask names no mask"):
        livewell.label(study, livewell.Stain("PI", 48, 48, nuclei="mask"), CLASSES)


@pytest.fixture
def apart(cells: Path) -> Path:
    """The same images with the stain in files of its own."""
    for number in range(6):
        _, stain = nuclei_and_stain(number)
        tifffile.imwrite(cells / f"e{number}_PI.tif", stain)
    return cells


@pytest.mark.long
def test_a_stain_in_files_of_its_own(apart: Path) -> None:
    """The labels are those of the stain as a channel."""
    study = study_of(apart)
    own = by_nuclei(stain_files="{stem}_PI.tif")
    tables = [livewell.label(study, route, CLASSES).labelled.table for route in (own, by_nuclei())]
    pd.testing.assert_frame_equal(*tables)


@pytest.mark.parametrize("shape", [(SIZE_PX, 64), (2, SIZE_PX, SIZE_PX)])
def test_a_stain_of_other_size_or_frames_is_refused(apart: Path, shape: tuple[int, ...]) -> None:
    """Stain and brightfield of different size, or of a different number of frames."""
    tifffile.imwrite(apart / "e3_PI.tif", np.ones(shape, np.uint16), photometric="minisblack")
    with pytest.raises(TableError, match=r"the stain of some images.*\n.*e3_PI\.tif has"):
        livewell.label(study_of(apart), by_nuclei(stain_files="{stem}_PI.tif"), CLASSES)


@pytest.mark.long
def test_a_saturated_stain_is_noted(cells: Path) -> None:
    """Nuclei whose median is at the level of saturation are dead, and the note counts them."""
    study = study_of(cells)
    free = livewell.label(study, by_nuclei(), CLASSES)
    assert free.meta.notes == ()
    made = livewell.label(study, by_nuclei(saturated_from=1100), CLASSES)
    (note,) = made.meta.notes
    assert "level of saturation" in note
    assert dict(made.meta.counts)["dead"] == dict(free.meta.counts)["dead"] >= 28


def test_eight_bits_are_decided_on_as_asked(cells: Path) -> None:
    """With eight_bit scores are levels from 0 to 255; of ratios it is refused."""
    study = study_of(cells)
    made = livewell.label(study, by_nuclei(eight_bit=True), CLASSES)
    assert made.labelled.table["score"].between(0, 255).all()
    with pytest.raises(SpecError, match="a ratio in 8 bits"):
        livewell.label(study, livewell.Stain("PI", 48, 48, "ratio", eight_bit=True), CLASSES)


def test_a_mean_needs_no_background_above_the_offset(cells: Path) -> None:
    """An offset above the background stops ratios, and not decisions on the mean."""
    study = study_of(cells)
    with pytest.raises(ImageContentError, match="decide on the mean"):
        livewell.label(study, livewell.Stain("PI", 32, 32, "ratio", 5000), CLASSES)
    assert livewell.label(study, by_nuclei(offset_counts=5000), CLASSES).labelled.counts


def test_the_page_and_the_counts_go_with_their_labels(cells: Path, tmp_path: Path) -> None:
    """Page and CSV lie beside the labels, and go when these are made anew in another way."""
    lines = [
        f"e{n}.ome.tif,{'none' if n < 3 else 'doxo'},{'a' if n % 2 else 'b'}" for n in range(6)
    ]
    (tmp_path / "known.csv").write_text("\n".join(["image,treatment,look", *lines, ""]))
    study = study_of(cells, metadata=tmp_path / "known.csv")
    made = livewell.label(study, by_nuclei(reference=("treatment", "none")), CLASSES)
    assert made.page == study.folder / "labels" / "labels.html"
    page = made.page.read_text("utf-8")
    dead = dict(made.meta.counts)["dead"]
    for text in (f"{dead} nuclei are dead", "BIC gain", "doxo", "Mixtures"):
        assert text in page
    counts = pd.read_csv(study.folder / "labels" / "labels.counts.csv").set_index("set")
    assert counts.loc[["doxo", "none"], "dead"].sum() == counts.loc["all", "dead"] == dead
    assert counts["images"].to_dict() == {"doxo": 3, "none": 3, "all": 6}
    assert study.label_names() == ["labels"]
    again = livewell.label(study, livewell.Column("look", {"a": "live", "b": "dead"}), CLASSES)
    assert again.page is None
    files = {path.name for path in (study.folder / "labels").iterdir()}
    assert files == {"labels.parquet", "labels.json"}


@pytest.mark.long
def test_the_command_says_where_the_page_is(cells: Path) -> None:
    """`livewell label stain --nuclei` counts every step and names the report, also as JSON."""
    study = study_of(cells)
    words = ["label", "stain", str(study.folder), "--channel", "PI", "--on", "mean"]
    words += ["--nuclei", "{stem}_nuclei.tif", "--patch-px", "48"]
    words += ["--negative", "live", "--positive", "dead"]
    said = CliRunner().invoke(main, words, catch_exceptions=False)
    assert "96  nuclei" in said.stdout
    assert "report: " in said.stdout
    told = json.loads(CliRunner().invoke(main, [*words, "--json"]).stdout)
    assert Path(told["report"]).is_file()
    assert told["settings"]["nuclei"] == "{stem}_nuclei.tif"


@pytest.mark.long
def test_real_nuclei_are_labelled_as_the_frozen_states_say(
    shared_data: Path, tmp_path: Path
) -> None:
    """On mcf7-pi, in logs, 97 of 100 labelled nuclei of a frozen state and more have that state."""
    folder = shared_data / "mcf7-pi"
    options: dict[str, object] = {"files": "*.ome.tif", "metadata": folder / "images.csv"}
    study = livewell.index(folder, tmp_path / "study", **options).study
    route = livewell.Stain("propidium iodide", 112, 112, "log-ratio", 90, nuclei="nuclei")
    made = livewell.label(study, route, CLASSES)
    assert dict(made.meta.counts)["nuclei"] == 2515
    table = made.labelled.table
    at = table.assign(y=(table["y0"] + table["y1"]) / 2, x=(table["x0"] + table["x1"]) / 2)
    known = pd.read_csv(folder / "cells.csv")
    pairs = at[["image", "y", "x", "label"]].merge(known, on="image")
    near = pairs[np.hypot(pairs["y"] - pairs["y_px"], pairs["x"] - pairs["x_px"]) < 2]
    for state, least in (("dead", 390), ("live", 1500)):
        labels = near.loc[near["state"] == state, "label"]
        assert (labels == state).sum() > least
        assert (labels == state).mean() > 0.97
