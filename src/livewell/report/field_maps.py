"""Maps of whole fields as units of work: where in a field the evidence for a class lies."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import tifffile
from numpy.typing import NDArray

from livewell.errors import ImageContentError
from livewell.execution.executors import Executor
from livewell.execution.items import Item, Journal, Record, map_items
from livewell.explain.crops import CropCam
from livewell.explain.places import PlaceCam
from livewell.files import strict, whole_file
from livewell.inference.evaluation_set import EvaluationSet
from livewell.progress import Tick


class Cams(Protocol):
    """The models of a run under one look."""

    @property
    def tested(self) -> EvaluationSet:
        """The run."""

    @property
    def cams(self) -> dict[int, CropCam | PlaceCam]:
        """What explains the model of each fold."""


@dataclass(frozen=True, slots=True)
class FieldJob:
    """A frame of an image, the class whose evidence is asked for, the fold whose model says it."""

    number: int
    fold: int
    image: str
    t: int
    file: str


@dataclass(frozen=True, slots=True)
class FieldMapWork:
    """Writes the map of a field, and keeps how far overlapping crops disagree."""

    cams: Cams
    jobs: Mapping[str, FieldJob]
    folder: Path

    def __call__(self, item: Item, _: Tick) -> Record:
        """The map as TIFF of 32-bit numbers, and the disagreement by both weights."""
        job = self.jobs[item.name]
        cam = self.cams.cams[job.fold]
        shown, apart = cam.field(self.cams.tested.pixels, job.image, job.t, job.number)
        with whole_file(self.folder / job.file) as temporary:
            tifffile.imwrite(temporary, shown, metadata={"axes": "YX"})
        return {"file": job.file, "apart": None if apart is None else list(apart)}


def field_maps(
    cams: Cams,
    jobs: Mapping[str, FieldJob],
    folder: Path,
    asked: Record,
    executor: Executor,
) -> list[tuple[FieldJob, NDArray[np.float32], tuple[float, float] | None]]:
    """The maps of fields in order, (y, x) each, and how far overlapping crops disagree.

    Raises
    ------
    ImageContentError
        A field cannot be looked at.
    """
    tested = cams.tested
    items = []
    for name, job in jobs.items():
        weights = tested.model(job.fold).card.weights_sha256
        own = strict({**asked, **asdict(job), "weights": weights})
        items.append(Item(name, tested.study.path(job.image), own))
    found = map_items(
        items,
        FieldMapWork(cams, jobs, folder),
        Journal(folder),
        what="whole fields",
        files=lambda record: [folder / record["file"]],
        executor=executor,
    )
    for row in found.failures.itertuples(index=False):
        raise ImageContentError(
            "the evidence in this field cannot be shown", where=str(row.image), got=str(row.error)
        )
    made = []
    for name, record in found.records.items():
        apart = record["apart"]
        shown = np.asarray(tifffile.imread(folder / record["file"]), dtype=np.float32)
        made.append((jobs[name], shown, None if apart is None else (apart[0], apart[1])))
    return made
