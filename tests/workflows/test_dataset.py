"""DeadNet's data sets A and B as recipes."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from livewell.errors import LabelError, SpecError, TableError
from livewell.geometry import starts
from livewell.papers.dataset import DataSet, DeadNetA, DeadNetB, deadnet_a, deadnet_b
from livewell.papers.endings import EndingColumn, EndingModel, LastFrames
from livewell.splitting.schemes import Holdout
from livewell.study.study import Study
from livewell.workflows.index import index
from livewell.workflows.split import split

FRAMES, HEIGHT, WIDTH = 12, 384, 512
WELLS = {"A01": 0, "A02": 0, "A03": 0, "B01": 200, "B02": 200, "B03": 200, "B04": 200, "C01": 40}
LIVES = "B04"
WINDOW_S = (0.0, 1200.0)
"""Of frames every 600 s the first two."""


@pytest.fixture(scope="module")
def movies(tmp_path_factory: pytest.TempPathFactory, paint, write_movie) -> Study:
    """Eight wells of twelve frames; lit ones shrink towards the end, all but B04."""
    folder = tmp_path_factory.mktemp("recipe")
    rows = ["well,dose,dose_unit,end"]
    rng = np.random.default_rng(0)
    for seed, (well, dose) in enumerate(WELLS.items()):
        frames = paint("sick" if dose == 200 else "healthy", seed, (FRAMES, HEIGHT, WIDTH))
        if dose == 200 and well != LIVES:
            bare = rng.normal(1000, 6, (FRAMES // 2, HEIGHT, WIDTH * 2 // 3)).round()
            frames[FRAMES // 2 :, :, WIDTH // 3 + 1 :] = bare[:, :, : WIDTH - WIDTH // 3 - 1]
        write_movie(folder / "images" / f"{well}_p1.ome.tif", frames)
        rows.append(f"{well},{dose},s,{'yes' if dose == 200 else 'no'}")
    (folder / "plate.csv").write_text("\n".join([*rows, ""]))
    return index(
        folder / "images",
        folder / "study",
        pattern="{well}_p{position:int}.ome.tif",
        metadata=folder / "plate.csv",
    ).study


def recipe(**changes: object) -> DeadNetA:
    settings = {"sick_from": 200, "window_s": WINDOW_S, "dead": LastFrames()} | changes
    return DeadNetA(**settings)


def step(made: DataSet, name: str) -> str:
    """What was made at one step."""
    return next(each.here for each in made.steps if each.step == name)


def test_the_paper_counts_54_crops_and_the_full_grid_63() -> None:
    """256 px every 128 px of 1344 x 1024 px: 9 x 7, or 9 x 6 without those flush with the edge."""
    full, paper = (
        len(starts(1024, 256, 128, edge)) * len(starts(1344, 256, 128, edge))
        for edge in ("drop", "exclusive")
    )
    assert (full, paper) == (63, 54)


@pytest.mark.long
def test_data_set_a_takes_early_frames_of_positions_that_die(movies: Study) -> None:
    """Wells whose cells cover less at the end are sick early on; one that lives, and one between
    doses, are left out; healthy frames are of the same times."""
    made = deadnet_a(movies, recipe())
    labels = movies.labels("deadnet-a")
    wells = labels["image"].str[:3]
    assert set(wells[labels["label"] == "sick"]) == {"B01", "B02", "B03"}
    assert set(wells[labels["label"] == "healthy"]) == {"A01", "A02", "A03"}
    assert set(labels["t"]) == {0, 1}
    assert step(made, "of these dead by the end") == "3"
    size = f"crops of an image of {WIDTH} x {HEIGHT} px, full grid"
    assert step(made, size) == "6 = 3x2"
    assert step(made, "the same as the paper counts") == "2 = 2x1"
    assert len(labels) == 6 * 2 * 6 - int(step(made, "crops without cells, left out"))
    assert step(made, "near copies of a full image") == "288 = 3x8x2x6"
    assert next(each.paper for each in made.steps if each.paper.startswith("2,592"))
    positions = pd.read_csv(made.file)
    assert not positions.set_index("position")["dead"].filter(like=LIVES).any()


def test_the_papers_count_and_any_time(movies: Study) -> None:
    """Crops flush with the edge are left out, and healthy frames are of the whole movie, with a
    warning that the classes then differ in time."""
    asked = recipe(crops="paper", healthy_any_time=True, empty="keep")
    made = deadnet_a(movies, asked, name="as-published")
    labels = movies.labels("as-published")
    assert len(labels) == 3 * 2 * 2 + 3 * FRAMES * 2
    assert any("time" in note for note in made.notes)


@pytest.mark.long
def test_crops_of_a_data_set_are_split_as_they_are(movies: Study) -> None:
    """The labels are on crops already, so that a split takes them without a grid."""
    deadnet_a(movies, recipe(), name="to-split")
    made = split(movies, by="well", scheme=Holdout((0.34, 0.33, 0.33)), labels="to-split")
    assert len(made.patches) == len(movies.labels("to-split"))


def test_a_column_can_say_who_is_dead(movies: Study) -> None:
    """Then the well that looks alive is sick too."""
    deadnet_a(movies, recipe(dead=EndingColumn("end")), name="said")
    labels = movies.labels("said")
    assert LIVES in set(labels.loc[labels["label"] == "sick", "image"].str[:3])


@pytest.mark.long
def test_a_model_can_say_who_is_dead(movies: Study, model: Path) -> None:
    """A model that calls the last frame's patches sick decides as the column would."""
    deadnet_a(movies, recipe(dead=EndingModel(model, 0.5)), name="judged")
    labels = movies.labels("judged")
    assert set(labels.loc[labels["label"] == "sick", "image"].str[:1]) == {"B"}


def test_nobody_dead_is_told_with_the_ratios(movies: Study) -> None:
    """A limit that no position meets is an error that shows how near they come."""
    with pytest.raises(LabelError, match=r"no lit position is dead.*B01"):
        deadnet_a(movies, recipe(dead=LastFrames(0.01)))


def test_doses_that_are_missing_are_told(movies: Study, tmp_path: Path) -> None:
    """A study without doses makes no data set A, nor B with a highest dose."""
    fields = movies.fields().drop(columns=["dose", "dose_unit"])
    bare = Study.create(tmp_path / "study", movies.root, fields)
    with pytest.raises(TableError, match="no dose"):
        deadnet_a(bare, recipe())
    with pytest.raises(TableError, match="no dose"):
        deadnet_b(bare, DeadNetB())


def test_data_set_b_makes_sequences_then_labels(movies: Study, tmp_path: Path) -> None:
    """Ten frames of crops that touch, at low doses; votes on which experts agree label them."""
    first = deadnet_b(movies, DeadNetB())
    sequences = pd.read_csv(first.file)
    assert first.labels == ""
    assert "votes" in first.notes[0]
    assert set(sequences["image"].str[:3]) == {"A01", "A02", "A03", "C01"}
    assert set(sequences["frames"]) == {10}
    assert set(sequences["t"]) == {0}
    assert (sequences["y1"] - sequences["y0"]).eq(256).all()
    assert not sequences.duplicated(["image", "x0", "y0"]).any()
    assert len(sequences) == 4 * 2
    rows = [(name, "ann", "Healthy") for name in sequences["sequence"][:4]]
    rows += [(name, "ann", "Sick") for name in sequences["sequence"][4:7]]
    rows += [
        (sequences["sequence"][0], "bob", "Healthy"),
        (sequences["sequence"][6], "bob", "Healthy"),
    ]
    votes = tmp_path / "votes.csv"
    pd.DataFrame(rows, columns=["sequence", "expert", "vote"]).to_csv(votes, index=False)
    made = deadnet_b(movies, DeadNetB(votes))
    labels = movies.labels("deadnet-b")
    assert len(labels) == 6 * 10
    assert step(made, "sequences left") == "6"
    assert step(made, "share of disagreement") == "50.0%"
    paper = {each.step: each.paper for each in made.steps}
    assert paper["share of disagreement"] == "18.6%"
    assert paper["ambiguous before"] == "37.3%"
    assert paper["highest accuracy to expect, as the paper says"] == "77.1%"


def test_votes_of_one_class_only_are_refused(movies: Study, tmp_path: Path) -> None:
    """Labels of one class can teach nothing."""
    sequences = pd.read_csv(deadnet_b(movies, DeadNetB()).file)
    votes = tmp_path / "votes.csv"
    votes.write_text(f"sequence,expert,vote\n{sequences['sequence'][0]},ann,sick\n")
    with pytest.raises(LabelError, match="one class only"):
        deadnet_b(movies, DeadNetB(votes))


def test_movies_without_a_frame_interval_are_told(tmp_path: Path, paint) -> None:
    """Files that say no time between frames are named before any pixel is looked at."""
    for well in ("A01", "B01"):
        frames = paint("healthy", 5, (4, HEIGHT, WIDTH))
        (tmp_path / "images").mkdir(exist_ok=True)
        tifffile.imwrite(tmp_path / "images" / f"{well}_p1.tif", frames, photometric="minisblack")
    fields = pd.DataFrame({"image": ["A01_p1.tif", "B01_p1.tif"], "dose": [0.0, 200.0]})
    fields["path"] = fields["image"]
    study = Study.create(tmp_path / "study", tmp_path / "images", fields)
    with pytest.raises(TableError, match="no-frame-interval"):
        deadnet_a(study, recipe())


def test_a_class_without_a_crop_is_refused(tmp_path: Path, paint, write_movie) -> None:
    """Labels of one class only are not written where the sick positions show no cell at all."""
    rows = ["well,dose,dose_unit,end"]
    for well, look in (("A01", "healthy"), ("B01", "bare")):
        frames = paint(look, 3, (4, HEIGHT, WIDTH))
        write_movie(tmp_path / "images" / f"{well}_p1.ome.tif", frames)
        rows.append(f"{well},{200 if look == 'bare' else 0},s,yes")
    (tmp_path / "plate.csv").write_text("\n".join([*rows, ""]))
    made = index(
        tmp_path / "images",
        tmp_path / "study",
        pattern="{well}_p{position:int}.ome.tif",
        metadata=tmp_path / "plate.csv",
    )
    with pytest.raises(LabelError, match="no crop of sick is left"):
        deadnet_a(made.study, recipe(dead=EndingColumn("end")))
    assert made.study.label_names() == []


def test_eighty_seconds_are_not_eighty_joules(movies: Study, tmp_path: Path) -> None:
    """The paper's highest dose is taken for seconds only; another unit must be asked for."""
    fields = movies.fields().assign(dose_unit="J/cm2")
    other = Study.create(tmp_path / "study", movies.root, fields)
    with pytest.raises(SpecError, match="another unit"):
        deadnet_b(other, DeadNetB())
    made = deadnet_b(other, DeadNetB(dose_to=float("inf")))
    assert step(made, "positions") == "8"
