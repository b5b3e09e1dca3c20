"""The tasks of Fractal, run as its server runs them."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.long
PACKAGE = "livewell_fractal"


@pytest.fixture(scope="module")
def fractal(programs) -> Path:
    """Programs of fractal-task-tools."""
    return programs("fractal-task-tools>=0.5")


@pytest.fixture
def task(fractal: Path, examples: Path, environment, tmp_path: Path) -> Callable[..., Any]:
    """Runs a task by the name of its file, with arguments as its server gives them."""
    (packages,) = fractal.parent.glob("lib/python*/site-packages")
    found = [str(examples / "fractal"), str(packages), os.environ.get("PYTHONPATH", "")]
    count = iter(range(1000))

    def run(name: str, **arguments: Any) -> Any:
        asked, said = (tmp_path / f"{kind}-{next(count)}.json" for kind in ("args", "out"))
        asked.write_text(json.dumps(arguments))
        file = examples / "fractal" / PACKAGE / name
        done = subprocess.run(
            [sys.executable, file, "--args-json", asked, "--out-json", said],
            env=environment | {"PYTHONPATH": ":".join(found)},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(said.read_text())

    return run


def test_the_manifest_is_that_of_the_tasks(fractal: Path, examples: Path) -> None:
    """Fractal's own tool makes the same manifest of the tasks' arguments and docstrings."""
    done = subprocess.run(
        [fractal / "fractal-manifest", "check", "--package", PACKAGE],
        env=os.environ | {"PYTHONPATH": str(examples / "fractal")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_a_plate_from_images_to_verdicts(task, judged: Path, tmp_path: Path) -> None:
    """Images become a plate, its fields are judged in parts and gathered: as without Fractal."""
    pattern = "{well}_p{position:int}.tif"
    made = task(
        "convert.py",
        zarr_dir=str(tmp_path),
        images=str(judged / "images"),
        pattern=pattern,
        pixel_um=0.5,
        frame_s=600,
    )
    urls = [update["zarr_url"] for update in made["image_list_updates"]]
    assert len(urls) == 8
    assert all((Path(url) / "zarr.json").is_file() for url in urls)
    dealt = task("assess_init.py", zarr_urls=urls, zarr_dir=str(tmp_path), parts=2)
    for part in dealt["parallelization_list"]:
        task("assess.py", **part, model=str(judged / "run"))
    task("gather.py", zarr_urls=urls, zarr_dir=str(tmp_path))
    lines = (tmp_path / "livewell" / "plate" / "verdicts.csv").read_text().splitlines()
    assert len(lines) == len((judged / "verdicts" / "verdicts.csv").read_text().splitlines())
