"""The class map of one image of a study, as the site asks for it."""

from pathlib import Path
from typing import Any

import pytest

from livewell.outputs.heatmaps import read_map
from livewell.study.study import Study
from livewell.web.looking import Look
from livewell.workflows.image_map import map_image
from livewell.workflows.train import TrainingResult


@pytest.mark.long
def test_a_map_of_an_image_becomes_its_overlay(
    study: Study, trained: TrainingResult, tmp_path: Path
) -> None:
    """The map has all frames of its image, and is found with the classes of the run."""
    image, said = study.fields()["image"][0], list[dict[str, Any]]()
    run, out = str(trained.run.folder), str(tmp_path / "map")
    map_image(said.append, study=str(study.folder), run=run, image=image, out=out)
    assert list(said[-1]["result"]) == ["warnings"]
    look = Look(study, (tmp_path, trained.run.folder.parent))
    (overlay,) = look.overlays.of(image)
    told = look.overlays.told(overlay)
    look.close()
    assert told.classes == ("healthy", "sick")
    assert told.threshold is not None
    maps, _ = read_map(overlay.file)
    headers = study.headers().set_index("image")
    assert len(maps) == headers.loc[image, "frames"]
