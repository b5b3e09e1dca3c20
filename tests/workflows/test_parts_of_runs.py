"""Runs in parts, gathered, looked at while they run: the same verdicts as in one process."""

import json
import pickle
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from livewell.cli import main
from livewell.errors import ModelFileError
from livewell.execution.clusters import NO_PAGES
from livewell.execution.executors import Executor
from livewell.inference.model import Model
from livewell.workflows.assess import assess


def livewell(*words: object) -> Result:
    """``livewell`` with these words, in this process."""
    return CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)


@pytest.fixture(scope="module")
def images(plate: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three movies, and a file that is none."""
    folder = tmp_path_factory.mktemp("parts") / "images"
    folder.mkdir()
    for name in ("A01_p1.ome.tif", "A02_p1.ome.tif", "B01_p1.ome.tif"):
        shutil.copy(plate / "images" / name, folder / name)
    (folder / "broken.tif").write_bytes(b"II*")
    return folder


@pytest.fixture(scope="module")
def whole(images: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one process makes of them."""
    out = tmp_path_factory.mktemp("whole") / "out"
    assess(images, model, out, device="cpu")
    return out


TABLES = ("verdicts.csv", "failures.csv")


def alike(out: Path, whole: Path, names: Sequence[str] = (*TABLES, "report.html")) -> None:
    """The same tables to the byte, and the same page."""
    for name in names:
        assert (out / name).read_bytes() == (whole / name).read_bytes(), name


def test_parts_are_gathered(images: Path, model: Path, whole: Path, tmp_path: Path) -> None:
    """Parts make no page and say how far the whole is; two gathers at once both end well."""
    out = tmp_path / "out"
    words = ("assess", images, "--model", model, "--out", out, "--device", "cpu")
    first = livewell(*words, "--shard", "1/2", "--json")
    assert first.exit_code == 0, first.output
    assert json.loads(first.stdout)["done"] == 2
    assert not (out / "report.html").exists()
    early = livewell("gather", out)
    assert early.exit_code == 1
    assert "no record of this image" in early.stderr
    status = json.loads(livewell("status", out, "--json").stdout)
    assert (status["done"], status["total"]) == (2, 4)
    assert status["missing"] == ["A02_p1.ome.tif", "broken.tif"]
    second = livewell(*words, "--shard", "2/2")
    assert second.exit_code == 1
    assert "3 of 4 of the whole are done" in second.stdout
    gather = Executor(gather=True)
    with ThreadPoolExecutor(2) as both:
        made = [both.submit(assess, images, model, out, executor=gather) for _ in "ab"]
    assert all(len(one.result().verdicts) == 9 for one in made)
    alike(out, whole, TABLES)  # figures of two threads of one process may differ
    gathered = livewell("gather", out)
    assert gathered.exit_code == 1
    assert "broken.tif" in gathered.stderr
    alike(out, whole)
    status = livewell("status", out).stdout
    assert "judging images: 3 of 4 done (75%), 1 failed, 0 missing" in status


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """The address of a Dask cluster."""
    from distributed import LocalCluster

    alone = {"n_workers": 1, "threads_per_worker": 2, "processes": False, "protocol": "tcp"}
    with LocalCluster(**alone, scheduler_kwargs=NO_PAGES) as cluster:
        yield cluster.scheduler_address


def test_a_cluster_judges_alike(
    images: Path, model: Path, whole: Path, tmp_path: Path, scheduler: str
) -> None:
    """A Dask cluster gives the tables and the page of one process, byte by byte."""
    out = tmp_path / "out"
    executor = Executor(cluster="dask", scheduler=scheduler)
    assess(images, model, out, device="cpu", executor=executor)
    alike(out, whole)


@pytest.mark.long
def test_processes_judge_alike(images: Path, model: Path, whole: Path, tmp_path: Path) -> None:
    """So do two processes, which load the model from its folder."""
    out = tmp_path / "out"
    words = ("assess", images, "--model", model, "--out", out, "--device", "cpu")
    assert livewell(*words, "--workers", 2).exit_code == 1
    alike(out, whole)


def test_nothing_is_gathered_where_nothing_was_begun(tmp_path: Path) -> None:
    """It is said, and what to do."""
    for name in ("gather", "status"):
        result = livewell(name, tmp_path)
        assert result.exit_code == 2
        assert "no list of units here" in result.stderr


def test_a_model_goes_to_other_processes_as_its_folder(model: Path, tmp_path: Path) -> None:
    """No weights are pickled; a model of no folder is refused, and one loaded once a process."""
    shutil.copytree(model, tmp_path / "model")
    loaded = Model.load(tmp_path / "model", device="cpu")
    sent = pickle.dumps(loaded)
    assert len(sent) < 1000
    received = pickle.loads(sent)
    assert received.card == loaded.card
    assert pickle.loads(sent) is received
    with pytest.raises(ModelFileError, match="lies in no folder"):
        pickle.dumps(Model(loaded.net, loaded.card, device="cpu"))
