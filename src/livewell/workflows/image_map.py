"""The class map of one image of a study, as a job beside the site's pages."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from livewell.inference.plates import on_plate
from livewell.inference.unseen import candidates, models_by_image
from livewell.study.study import Study
from livewell.workflows.heatmap import heatmap


def map_image(
    say: Callable[[dict[str, Any]], None], *, study: str, run: str, image: str, out: str
) -> None:
    """Map an image by the model of a run that never saw its group, where there is one.

    Parameters
    ----------
    say
        Takes ``{"result": {"warnings": [...]}}`` when the map is there.
    study, run
        Their folders.
    image
        Its name in the study.
    out
        As in `livewell.workflows.heatmap.heatmap`, which this raises the errors of.
    """
    opened = Study.open(study)
    path, fields = opened.path(image), opened.fields()
    found = candidates(Path(run), opened)
    _, scorer = models_by_image(opened, found, fields.loc[fields["image"] == image, "image"])
    model = on_plate(scorer[image], opened, image, None)
    made = heatmap(
        path,
        model,
        out,
        channels=opened.channels or None,
        pixel_um=opened.pixel_um,
        frame_s=opened.frame_s,
    )
    say({"result": {"warnings": list(made.warnings)}})
