"""A whole experiment: resumed, never stopped by one file, scored by models that never saw it."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from livewell.cli.use import timelapse_
from livewell.errors import ModelFileError, OutputError, SpecError, StudyError
from livewell.files import folder_names
from livewell.inference.engines import EngineUse
from livewell.inference.unseen import candidates, scorers
from livewell.models.profile import override
from livewell.models.recipes import TINY
from livewell.progress import Tick, shown, task
from livewell.splitting.schemes import KFolds
from livewell.study.regions import Grid
from livewell.study.runs import Run
from livewell.study.study import Study
from livewell.workflows import timelapse as module
from livewell.workflows.heatmap import HeatMapResult
from livewell.workflows.index import index
from livewell.workflows.split import split
from livewell.workflows.timelapse import TimeLapseResult, timelapse
from livewell.workflows.train import TrainingResult, train

pytestmark = pytest.mark.long

PATTERN = "{well}_p{position:int}.ome.tif"
COARSE: dict[str, Any] = {"engine": "windows", "stride_px": 64}
FOUR = ["A01_p1.ome.tif", "A02_p1.ome.tif", "B01_p1.ome.tif", "B02_p1.ome.tif"]

Painter = Callable[..., NDArray[np.uint16]]
Writer = Callable[..., Path]


@pytest.fixture(scope="module")
def filmed(
    study: Study, trained: TrainingResult, tmp_path_factory: pytest.TempPathFactory
) -> TimeLapseResult:
    """All positions of the study by its run of one fold; not to be changed."""
    out = tmp_path_factory.mktemp("lapse") / "out"
    return timelapse(study, trained.run.folder, out, **COARSE)


@pytest.fixture(scope="module")
def folds(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of three folds on that study."""
    split(study, by="well", scheme=KFolds(3), grid=Grid(64, 64), name="folds")
    brief = override(TINY, {"steps": 3, "steps_per_epoch": 3})
    out = tmp_path_factory.mktemp("folds") / "run"
    return train(study, out, brief, split="folds", processes=0).run


@pytest.fixture(scope="module")
def net(trained: TrainingResult) -> Path:
    """Folder of the model of that run of one fold."""
    return trained.run.model(0)


@pytest.fixture
def mapped(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the movies that were mapped; maps are not made in earnest but told by the name."""
    names: list[str] = []

    def quick(movie: Path, model: Path, out: Path, **options: Any) -> HeatMapResult:
        names.append(movie.name)
        rng = np.random.default_rng(sum(movie.name.encode()))
        p = rng.random(3)
        curve = pd.DataFrame({"t": range(3), "n_windows": 6, "fraction": p, "mean_p": p})
        out.mkdir(parents=True, exist_ok=True)
        curve.to_csv(out / "curve.csv", index=False)
        for name in ("map.ome.tif", "report.html", "overlay.webm"):
            (out / name).touch()
        with task("sliding over frames", 3) as tick:
            for _ in range(3):
                tick()
        files = (out / "overlay.webm", out / "map.ome.tif", out / "report.html")
        return HeatMapResult(out, curve, *files, EngineUse("windows", "torch"), ())

    monkeypatch.setattr(module, "heatmap", quick)
    return names


@pytest.fixture
def small(plate: Path, tmp_path: Path) -> Study:
    """A study of four of the wells, in a folder of its own that may be changed."""
    (tmp_path / "images").mkdir()
    for name in FOUR:
        shutil.copy(plate / "images" / name, tmp_path / "images" / name)
    lines = [f"{name[:3]},{30 * (name[0] == 'B')},s" for name in FOUR]
    (tmp_path / "plate.csv").write_text("\n".join(["well,dose,dose_unit", *lines, ""]))
    return index(
        tmp_path / "images",
        tmp_path / "small",
        pattern=PATTERN,
        metadata=tmp_path / "plate.csv",
    ).study


@pytest.mark.long
def test_curves_are_those_of_the_maps(filmed: TimeLapseResult) -> None:
    """Every frame of every image stands in curves.csv as its own heat map has it."""
    out = filmed.page.parent
    table = pd.read_csv(out / "curves.csv", dtype={"position": "str"})
    columns = ["image", "plate", "well", "position", "dose", "dose_unit", "t", "time_s"]
    columns += ["n_windows", "fraction", "mean_p", "seen"]
    assert table.columns.tolist()[: len(columns)] == columns
    assert len(table) == 33
    assert table["time_s"].tolist() == [0, 600, 1200] * 11
    for row in filmed.positions.itertuples():
        own = pd.read_csv(out / str(row.folder) / "curve.csv")
        mine = table[table["image"] == row.image]
        assert mine["fraction"].to_numpy() == pytest.approx(own["fraction"].to_numpy())
        assert mine["n_windows"].tolist() == own["n_windows"].tolist()
    assert filmed.made == 11
    assert filmed.failures.empty


def test_seen_wells_are_marked_and_in_no_dose(
    filmed: TimeLapseResult, trained: TrainingResult
) -> None:
    """Wells of training and validation are seen in all tables, warned of, and in no dose's mean."""
    parts = trained.cards[0].data["groups"]
    learnt = {*parts["train"], *parts["validation"]}
    table = filmed.curves.frames
    assert set(table.loc[table["seen"], "well"]) == learnt
    wells = filmed.curves.wells
    assert set(wells.loc[wells["seen"], "well"]) == learnt
    assert set(wells.loc[~wells["seen"], "well"]) == {*parts["test"], "C01"}
    doses = pd.read_csv(filmed.page.parent / "doses.csv")
    unseen = wells[~wells["seen"] & (wells["dose"] == 30) & (wells["step"] == 2)]
    said = doses[(doses["dose"] == 30) & (doses["step"] == 2)].iloc[0]
    assert said["fraction"] == pytest.approx(unseen["fraction"].mean())
    assert said["wells"] == len(unseen)
    (warning,) = (text for text in filmed.warnings if "trained or tuned" in text)
    assert all(well in warning for well in learnt)


def test_the_page_links_what_is_there(filmed: TimeLapseResult) -> None:
    """Every link of the page is relative and leads to a file."""
    page = filmed.page.read_text("utf-8")
    links = [part.split('"')[0] for part in page.split('<a href="')[1:]]
    assert len(links) == 22
    assert all((filmed.page.parent / unquote(link)).is_file() for link in links)
    assert "Sick area by dose" in page
    assert "Plate at 0.33 h" in page
    assert "&lt;a" not in page


def test_a_second_call_makes_nothing(
    filmed: TimeLapseResult, study: Study, trained: TrainingResult, mapped: list[str]
) -> None:
    """Whole positions are kept, and the tables are the same to the last digit."""
    out = filmed.page.parent
    before = {path.name: path.read_bytes() for path in out.glob("*.csv")}
    again = timelapse(study, trained.run.folder, out, **COARSE)
    assert mapped == []
    assert (again.made, again.kept) == (0, 11)
    assert {path.name: path.read_bytes() for path in out.glob("*.csv")} == before
    assert again.warnings == filmed.warnings
    with pytest.raises(OutputError, match="stride_px=32"):
        timelapse(study, trained.run.folder, out, engine="windows", stride_px=32)


@pytest.mark.long
def test_a_killed_job_goes_on(
    small: Study, net: Path, tmp_path: Path, mapped: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped in its second position, a job makes the rest and not the first one again."""
    quick = module.heatmap

    def killed(*words: Any, **options: Any) -> HeatMapResult:
        made = quick(*words, **options)
        if len(mapped) == 2:
            raise KeyboardInterrupt
        return made

    with monkeypatch.context() as patch:
        patch.setattr(module, "heatmap", killed)
        with pytest.raises(KeyboardInterrupt):
            timelapse(small, net, tmp_path / "out", **COARSE)
    assert not (tmp_path / "out" / "report.html").exists()
    made = timelapse(small, net, tmp_path / "out", **COARSE)
    assert (made.made, made.kept) == (3, 1)
    assert mapped == [*FOUR[:2], *FOUR[1:]]
    fresh = timelapse(small, net, tmp_path / "other", **COARSE)
    pd.testing.assert_frame_equal(made.curves.frames, fresh.curves.frames, check_exact=True)


def test_a_position_whose_file_changed_is_made_again(
    small: Study, net: Path, tmp_path: Path, mapped: list[str]
) -> None:
    """A newer file, or a map that is no longer there, is mapped anew; the others are kept."""
    timelapse(small, net, tmp_path / "out", only=FOUR[:3], **COARSE)
    mapped.clear()
    os.utime(small.path(FOUR[0]), (1, 1))
    (tmp_path / "out" / "positions" / "A02_p1" / "map.ome.tif").unlink()
    made = timelapse(small, net, tmp_path / "out", only=FOUR[:3], **COARSE)
    assert mapped == FOUR[:2]
    assert made.kept == 1


def test_one_bad_file(small: Study, net: Path, tmp_path: Path) -> None:
    """A file that breaks off is a row of failures.csv and exit code 1; the others are mapped."""
    bad = small.path("A02_p1.ome.tif")
    bad.write_bytes(bad.read_bytes()[: bad.stat().st_size // 2])
    words = [str(small.folder), "--model", str(net), "--out", str(tmp_path / "out")]
    words += ["--engine", "windows", "--stride-px", "64"]
    made = CliRunner().invoke(timelapse_, [*words, "--json"], catch_exceptions=False)
    assert made.exit_code == 1
    said = json.loads(made.stdout)
    assert (said["made"], said["kept"], said["failed"]) == (3, 0, 1)
    failures = pd.read_csv(said["failures"])
    assert failures["image"].tolist() == ["A02_p1.ome.tif"]
    assert "image-unreadable" in failures["error"].iloc[0]
    assert set(pd.read_csv(said["wells"])["well"]) == {"A01", "B01", "B02"}
    assert "could not be mapped: A02_p1.ome.tif" in Path(said["report"]).read_text("utf-8")
    told = CliRunner().invoke(timelapse_, words, catch_exceptions=False)
    assert "0 mapped, 3 kept from before, 1 failed" in told.stdout
    assert f"report: {said['report']}" in told.stdout


def test_a_run_of_several_folds_scores_by_unseen_models(
    study: Study, folds: Run, tmp_path: Path, mapped: list[str]
) -> None:
    """Every image gets a model that was tested on its well, or one that knows nothing of it."""
    found = candidates(folds.folder, study)
    models = found.models
    assert len(models) == 3
    scored = scorers(study, found)
    assert not scored["seen"].any()
    assert found.notes == ()
    for row in scored.itertuples():
        parts = models[row.model].card.data["groups"]
        assert row.group not in [*parts["train"], *parts["validation"]]
        assert row.group in parts["test"] or row.group == "C01"
    assert scored["model"].nunique() == 3
    chosen = [FOUR[0], FOUR[2], "C01_p1.ome.tif"]
    made = timelapse(study, folds.folder, tmp_path / "out", only=chosen, **COARSE)
    names = dict(zip(scored["image"], scored["name"], strict=True))
    assert made.positions["scorer"].tolist() == [names[image] for image in chosen]
    for row in made.positions.itertuples():
        record = json.loads((tmp_path / "out" / str(row.folder) / "position.json").read_text())
        hashes = {each.name: each.card.weights_sha256 for each in models}
        assert record["asked"]["model"] == hashes[str(row.scorer)]
    assert mapped == chosen
    assert made.curves.doses["dose"].unique().tolist() == [0, 10, 30]


def test_without_wells_and_doses(
    small: Study, net: Path, tmp_path: Path, mapped: list[str]
) -> None:
    """Files of which nothing is known have curves of positions, and the page says so."""
    bare = index(small.root, tmp_path / "bare").study
    made = timelapse(bare, net, tmp_path / "out", only=FOUR[:2], **COARSE)
    assert made.curves.wells.empty
    assert made.curves.doses.empty
    assert made.curves.places["place"].tolist() == [name for name in mapped for _ in range(3)]
    page = made.page.read_text("utf-8")
    assert "No well is known" in page
    assert "Position by position" in page


@pytest.mark.long
def test_files_that_follow_one_another(
    net: Path, tmp_path: Path, paint: Painter, write_movie: Writer
) -> None:
    """Two files of one position, the second later, make one curve."""
    for part in (0, 1):
        name = f"A01_p1_t{2 * part}.ome.tif"
        write_movie(tmp_path / "images" / name, paint("sick", part, (2, 128, 128)))
    pattern = "{well}_p{position:int}_t{t0:int}.ome.tif"
    study = index(tmp_path / "images", tmp_path / "study", pattern=pattern).study
    made = timelapse(study, net, tmp_path / "out", **COARSE)
    assert made.curves.places["place"].unique().tolist() == ["A01/1"]
    assert made.curves.wells["time_s"].tolist() == [0, 600, 1200, 1800]


def test_settings_that_no_image_can_be_mapped_with(small: Study, net: Path, tmp_path: Path) -> None:
    """A wrong setting, image or model stops at once, for it is no fault of one file."""
    with pytest.raises(SpecError, match="a stride of 9 px"):
        timelapse(small, net, tmp_path / "a", engine="dense", stride_px=9)
    with pytest.raises(StudyError, match=r"no image 'A01\.tif'"):
        timelapse(small, net, tmp_path / "b", only=["A01.tif"])
    with pytest.raises(ModelFileError, match="no model here"):
        timelapse(small, tmp_path / "none", tmp_path / "c")
    assert not (tmp_path / "b").exists()


def test_progress_is_one_bar(small: Study, net: Path, tmp_path: Path, mapped: list[str]) -> None:
    """Only positions that are made count, and the frames of each are told in words beside."""
    tasks: list[tuple[str, int]] = []
    notes: list[str] = []
    steps: list[float] = []

    class Spy:
        @contextmanager
        def task(self, what: str, total: int) -> Iterator[Tick]:
            tasks.append((what, total))

            def tick(done: float = 1, note: str = "") -> None:
                if what == "mapping positions":
                    steps.append(done)
                    notes.append(note)

            yield tick

    timelapse(small, net, tmp_path / "out", only=FOUR[:1], **COARSE)
    with shown(Spy()):
        timelapse(small, net, tmp_path / "out", only=FOUR[:2], **COARSE)
    assert [task for task in tasks if task[0] == "mapping positions"] == [("mapping positions", 1)]
    others = {what for what, _ in tasks} - {"mapping positions"}
    assert others <= {"reading headers", "looking whether images were learnt from"}
    assert sum(steps) == 1
    assert "A02_p1.ome.tif, 3/3" in notes
    assert mapped == FOUR[:2]


def test_names_of_folders() -> None:
    """Names are fit for any file system, apart from one another, and the same on every call."""
    images = [
        "a/B02.tif",
        "a_B02.tif",
        "x.ome.tif",
        "X.png",
        "../up.tif",
        "\u00e4\u00f6.tif",
        "plain.tif",
    ]
    names = folder_names(images)
    assert len({name.lower() for name in names.values()}) == len(images)
    assert names["plain.tif"] == "plain"
    assert names["x.ome.tif"].startswith("x-")
    assert all(set("/\\:.") & set(name) == set() for name in names.values())
    assert folder_names(images) == names
