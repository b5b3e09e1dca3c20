"""What is to be judged: files, those of a folder, or those of a study with what it says of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from livewell.errors import SpecError
from livewell.execution.frames import OpenSettings, image_files
from livewell.images.listing import STAMP
from livewell.inference.model import Model
from livewell.inference.plates import need_no_plate, on_plate
from livewell.study.known import stated_wells
from livewell.study.naming import wells
from livewell.study.study import Study
from livewell.training.anchors import beside_anchor


@dataclass(frozen=True)
class Source:
    """Files to judge by name, how they are opened, and by which model.

    `notes` say which images of a `study` are not judged, `left_out` counts what no image is.
    """

    files: Mapping[str, Path]
    opening: OpenSettings
    judge: Model
    study: Study | None = None
    notes: tuple[str, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, images: Path, out: Path, judge: Model, opening: OpenSettings) -> "Source":
        """A file, a folder but for what lies in `out`, or the images of a study folder.

        A study's own settings stand where `opening` has none. Errors are those of `image_files`,
        and of images that a model with an anchor cannot judge.
        """
        if not (images / STAMP).is_file():
            found, judge = image_files(images, out), need_no_plate(judge)
            return cls(found.files, opening, judge, left_out=found.left_out)
        study = Study.open(images)
        if judge.card.anchor is not None and opening.pixel_um not in (None, study.pixel_um):
            raise SpecError(
                "another pixel size than the study's would not hold for its anchors",
                where=str(study.folder),
                got=f"{opening.pixel_um:g} um",
                remedy="say it when indexing: `livewell index --pixel-um`",
            )
        fields, notes = beside_anchor(study, judge.card.anchor, study.fields())
        opening = replace(
            opening,
            channels=opening.channels or study.channels,
            pixel_um=opening.pixel_um or study.pixel_um,
            frame_s=opening.frame_s or study.frame_s,
        )
        files = {image: study.path(image) for image in fields["image"].tolist()}
        return cls(files, opening, judge, study, notes)

    def shared(self) -> "Source":
        """What every process needs of it: all but the lists of files."""
        return replace(self, files={}, left_out={}, notes=())

    def model(self, image: str) -> Model:
        """The model as it judges this image."""
        if self.study is None:
            return self.judge
        return on_plate(self.judge, self.study, image, self.opening.channels)

    def positions(self, pattern: str | None) -> tuple[pd.DataFrame, list[str]]:
        """Plate, well and position of every image, and a warning on those that have none.

        As the pattern says, else the study, else the files; the plate only where that is known.
        """
        if pattern is not None:
            return wells(list(self.files), pattern)
        if self.study is None:
            return stated_wells(self.files)[0], []
        fields = self.study.fields()
        columns = ["image", *(["plate"] if "plate" in fields else []), "well", "position"]
        return fields[fields["image"].isin(self.files)].reindex(columns=columns), []
