"""Which model may score which image: one that has not learnt from its unit, where there is one.

What a model has learnt from is known by content, not by names: its card holds a digest of every
frame of every training and validation image. So copies, renamed files, turned or mirrored ones,
other number types, later parts of a movie and moved folders are known again by their first frame,
and another plate with the same names of wells is not taken for this one. Likenesses beside the card
find near copies: other grey levels, another size or crop, a lossy format.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pandas as pd

from livewell.errors import LivewellError
from livewell.image import PixelSource
from livewell.images.formats import OpenImage
from livewell.inference.model import Model
from livewell.measure.content import tile_digests
from livewell.measure.likeness import Likeness
from livewell.models.device import AUTO
from livewell.models.files import find_model
from livewell.progress import task
from livewell.splitting.units import unit_names
from livewell.study.content import first_contents, first_looks, known_digests
from livewell.study.runs import RUN, Run
from livewell.study.study import Study
from livewell.text import few, plural

COPY, NEAR_COPY = "copy", "near copy"
UNTOLD = (
    "The card of this model does not say which images it learnt from (an older version wrote it):"
    " nothing is known of what it has seen."
)


@dataclass(frozen=True, slots=True)
class Candidates:
    """Models that may score a study: one, or one a fold.

    `digests` are those of every image of the study, see `livewell.study.content.first_frames`;
    `group` is the column that the models' groups were named by, empty if nobody knows, `near` the
    images that are near copies of what each model has learnt from.
    """

    models: tuple[Model, ...]
    digests: dict[str, frozenset[str]]
    group: str = ""
    near: tuple[frozenset[str], ...] = ()

    def learnt(self, number: int) -> frozenset[str]:
        """Images that a model has learnt from, or from near copies of them."""
        known = self.models[number].learnt
        exact = {image for image, digests in self.digests.items() if digests & known}
        return frozenset(exact).union(*self.near[number : number + 1])

    @property
    def named(self) -> str:
        """The one model's folder, or how many models of which run."""
        folder = self.models[0].folder
        several = len(self.models) > 1
        return f"{len(self.models)} models of {folder.parents[1]}" if several else str(folder)

    @property
    def only_near(self) -> frozenset[str]:
        """Images that are near copies of what a model has learnt from, and copies of nothing."""
        learnt = frozenset[str]().union(*(model.learnt for model in self.models))
        near = frozenset[str]().union(*self.near)
        return frozenset(image for image in near if not self.digests[image] & learnt)

    @property
    def same_study(self) -> bool:
        """Whether a model has learnt from an image of the study."""
        return any(self.learnt(number) for number in range(len(self.models)))

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of them."""
        return () if all("learnt" in model.card.data for model in self.models) else (UNTOLD,)


def learnt_images(model: Model, shown: pd.DataFrame) -> dict[str, str]:
    """Images that a model has learnt from: `COPY` or `NEAR_COPY` of an image that it learnt from.

    `shown` is a content table of frames, see `livewell.measure.content.table_of`.
    """
    known = shown.dropna(subset=["likeness"]) if model.learnt_frames else shown.head(0)
    frames = zip(known["image"], map(Likeness.unpacked, known["likeness"]), strict=True)
    near = model.learnt_frames.near_copies(frames, known["part"])
    exact = shown.loc[shown["digest"].isin(list(model.learnt)), "image"]
    return dict.fromkeys(near, NEAR_COPY) | dict.fromkeys(exact.astype("str"), COPY)


def near_told(images: Collection[str], what: str = "image") -> tuple[str, ...]:
    """What is to be said of images that are near copies; nothing where there are none."""
    if not images:
        return ()
    how = "looks like a near copy" if len(images) == 1 else "look like near copies"
    return (
        f"{plural(len(images), what)} {how} (other grey levels, size, crop or format) of what the"
        f" model for them learnt from: {few(sorted(images))}",
    )


def copies_among(found: Candidates, scored: pd.DataFrame, shown: pd.DataFrame) -> pd.DataFrame:
    """Images that the model which scores them has learnt from: image, group and how.

    First frames decide which model scores an image; this looks at every frame of `shown`, a content
    table. `scored` is as `scorers` gives it.
    """
    rows = []
    for number, own in scored[~scored["seen"]].groupby("model"):
        mine = shown[shown["image"].isin(own["image"])]
        known = learnt_images(found.models[int(str(number))], mine)
        group = own.set_index("image")["group"]
        rows += [(image, group[image], how) for image, how in known.items()]
    return pd.DataFrame(rows, columns=["image", "group", "how"])


def learnt(image: OpenImage, channel: int, digests: frozenset[str]) -> bool:
    """Whether a model has learnt from an open file's first frame with contents, or from its tiles.

    A file whose first frames cannot be read is none of them: who reads its frames one by one tells
    which.
    """
    try:
        frame = first_contents(image, channel) if digests else None
        return frame is not None and any(
            not digests.isdisjoint(digests_of(frame))
            for digests_of in (known_digests, tile_digests)
        )
    except LivewellError:
        return False


def candidates(
    path: Path, study: Study, *, whole_frames: bool = False, device: str = AUTO
) -> Candidates:
    """The models for a study in a model folder, or in a run: all its folds if it learnt from it.

    Models that judge whole frames are refused, unless `whole_frames` are welcome, and so are
    several folds that learnt from other images.
    """
    run = Run.open(path) if (path / RUN).is_file() else None
    several = run is not None and len(run.folds) > 1
    folders = [run.model(fold) for fold in run.folds] if run and several else [path]
    models = tuple(Model.load(folder, device=device) for folder in folders)
    for model in () if whole_frames else models:
        model.need_patches()
    asked = study.channels or models[0].card.named_channels
    looks = first_looks(study, study.fields()["image"], asked)
    digests = {image: look.digests for image, look in looks.items()}
    likenesses = [(image, look.likeness) for image, look in looks.items()]
    near = tuple(model.learnt_frames.near_copies(likenesses) for model in models)
    found = Candidates(models, digests, str(models[0].card.data.get("group", "")), near)
    if several and not found.same_study:
        # several folds of other images: which of them is meant?
        find_model(path)
    return found


def scorers(study: Study, found: Candidates, units: "pd.Series[str] | None" = None) -> pd.DataFrame:
    """Which model scores which image, and whether that model has learnt from the image's unit.

    A unit is scored by one model. One that was tested on it comes first, then those that have not
    learnt from any image of it, dealt by a hash of its name; where all have, the first one scores
    it, as seen. `units` are named by image; by default they are the groups that the models were
    trained with, or each image alone where the study has no such column.

    Columns are image, group (the unit), model (its number), name (of it), seen.
    """
    fields = study.fields()
    images = fields["image"].tolist()
    if units is None and found.group in fields:
        units = unit_names(fields, found.group)
    known = {} if units is None else units.dropna().to_dict()
    unit = {image: str(known.get(image, image)) for image in images}
    known_by = map(found.learnt, range(len(found.models)))
    learnt = [{unit[image] for image in images if image in known} for known in known_by]
    same_study = found.same_study
    chosen = {}
    for name in dict.fromkeys(unit.values()):
        unseen = [n for n in range(len(found.models)) if name not in learnt[n]]
        best = [n for n in unseen if same_study and name in found.models[n].tested] or unseen
        turn = int(sha256(name.encode()).hexdigest(), 16)
        number = best[turn % len(best)] if best else 0
        chosen[name] = number, found.models[number].name, not best
    rows = [(image, unit[image], *chosen[unit[image]]) for image in images]
    return pd.DataFrame(rows, columns=["image", "group", "model", "name", "seen"])


def models_by_image(
    study: Study, found: Candidates, images: "pd.Series[str]"
) -> tuple[pd.DataFrame, dict[str, Model]]:
    """Rows of `scorers` of some images, and the model that scores each."""
    table = scorers(study, found)
    table = table[table["image"].isin(images)]
    pairs = zip(table["image"], table["model"], strict=True)
    return table, {image: found.models[number] for image, number in pairs}


def scored_by(
    models: Mapping[int, Model], table: pd.DataFrame, source: PixelSource, what: str
) -> pd.DataFrame:
    """Rows of a table of regions, each scored by the model of its column fold, fold by fold."""
    parts = []
    with task(what, total=len(table)) as tick:
        for fold, part in table.groupby("fold", sort=True):
            parts.append(models[int(str(fold))].scored(part, source, tick))
    return pd.concat(parts, ignore_index=True)
