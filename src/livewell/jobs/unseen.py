"""Which model may score which image: one that never saw the image's group, where there is one."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pandas as pd

from livewell.errors import StudyError
from livewell.evaluation.units import unit_names
from livewell.io.models import Card, find_model, load_model
from livewell.io.runs import RUN, Run, split_hashes
from livewell.io.study import Study

TRAINED = ("train", "validation")
"""Parts of a split that a model has learnt from, or that its threshold was chosen on."""


@dataclass(frozen=True, slots=True)
class Scorer:
    """A model that may score an image: its folder, what it is called, its card."""

    folder: Path
    name: str
    card: Card

    @classmethod
    def of(cls, folder: Path, name: str) -> "Scorer":
        """The model in a folder."""
        return cls(folder, name, load_model(folder)[1])

    def groups(self, *parts: str) -> set[str]:
        """Groups that stood in these parts, or in any, when it was trained."""
        every = self.card.data.get("groups", {})
        return {group for part in parts or every for group in every.get(part, ())}


def models_of(path: Path, study: Study) -> tuple[list[Scorer], Run | None]:
    """The models meant by `path`, and their run if it was trained on this study's images."""
    if (path / RUN).is_file():
        run = Run.open(path)
        if len(run.folds) > 1 and _same_images(run, study):
            return [Scorer.of(run.model(fold), run.fold(fold).name) for fold in run.folds], run
    folder = find_model(path)
    # run/fold-00/model
    above = folder.parent.parent
    if (above / RUN).is_file():
        run = Run.open(above)
        return [Scorer.of(folder, folder.parent.name)], run if _same_images(run, study) else None
    alone = Scorer.of(folder, folder.name)
    data, fields = alone.card.data, study.fields()
    named = data.get("study") == study.folder.name and data.get("group") in fields
    # of a copied model only names are known: rather called seen than flattering
    same = named and set(unit_names(fields, data["group"])) & alone.groups()
    return [alone], Run(above, data) if same else None


def _same_images(run: Run, study: Study) -> bool:
    """Whether a run was trained on this study, or on another one of the same image folder."""
    folder = Path(str(run.spec["study"]))
    try:
        return Study.open(folder).root == study.root
    except StudyError:
        return folder.name == study.folder.name


def scorers(
    study: Study, fields: pd.DataFrame, models: Sequence[Scorer], run: Run | None
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Which model scores which image, and whether that model has seen the image's group.

    A model that was tested on the group comes first, then those that know nothing of it, dealt by
    a hash of the group's name; where all have learnt from it the first one scores it, as seen.

    Parameters
    ----------
    study, fields
        The study, and rows of the images to be scored.
    models, run
        As `models_of` returns them.

    Returns
    -------
    DataFrame, tuple of str
        Columns image, group, model (its number), name (of it), seen; and what to know of it.
    """
    if run is None:
        return fields[["image"]].assign(group="", model=0, name=models[0].name, seen=False), ()
    groups, notes = _groups(study, run, set.union(*(model.groups() for model in models)))
    learnt, tested = ([m.groups(*parts) for m in models] for parts in (TRAINED, ("test",)))
    rows = []
    for image in fields["image"]:
        group = groups[image]
        unseen = [n for n, names in enumerate(learnt) if group and group not in names]
        best = [n for n in unseen if group in tested[n]] or unseen
        turn = int(sha256(group.encode()).hexdigest(), 16)
        chosen = best[turn % len(best)] if best else 0
        rows.append((image, group, chosen, models[chosen].name, not best))
    return pd.DataFrame(rows, columns=["image", "group", "model", "name", "seen"]), notes


def _groups(study: Study, run: Run, known: set[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """The group of every image, by its split or else by name; empty where it cannot be told."""
    fields, column, split = study.fields(), str(run.spec["group"]), str(run.spec["split"])
    images = fields["image"].tolist()
    named = unit_names(fields, column).dropna().to_dict() if column in fields else {}
    if split in study.split_names() and run.spec.get("inputs") == split_hashes(study, split):
        patches = study.split(split)[0].drop_duplicates("image")
        # an image of no group was in no part; its own name keeps it apart
        found = dict(zip(images, images, strict=True)) | named
        return found | dict(zip(patches["image"], patches["group"], strict=True)), ()
    # a group of the training that nobody bears here may have been any image that is not named
    sure = known if known - set(named.values()) else known | set(named.values())
    found = {image: named[image] if named.get(image) in sure else "" for image in images}
    return found, (
        f"The split of the model's training is not here: what it saw is told by {column!r} alone,"
        " and where that does not tell, an image counts as seen.",
    )
