"""Scores of a run's test groups by the models that never saw them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from livewell.errors import SplitError, StudyError
from livewell.inference.model import Model
from livewell.models.device import AUTO
from livewell.progress import Progress
from livewell.study.pixels import StudyPixels
from livewell.study.runs import Run, split_hashes
from livewell.study.study import Study
from livewell.tables.metadata import SplitMeta
from livewell.tables.schemas import SCORES, regions_of


@dataclass(frozen=True)
class RunData:
    """A finished run with the study and the split that it was trained on.

    Parameters
    ----------
    run, study, pixels
        The run, its study, and where pixels come from.
    patches, folds, meta
        The split.
    """

    run: Run
    study: Study
    pixels: StudyPixels
    patches: pd.DataFrame
    folds: pd.DataFrame
    meta: SplitMeta

    @classmethod
    def open(cls, run_folder: Path, folds: Sequence[int] | None = None) -> "RunData":
        """A run whose split is still the one that it was trained on.

        Parameters
        ----------
        run_folder
            A finished training run.
        folds
            Only these; all where ``None``.

        Raises
        ------
        SplitError
            The split was made anew, there is no such fold, or none has a test group.
        StudyError
            Not a run, or its study has gone.
        """
        run = Run.open(run_folder)
        wrong = sorted(set(folds or ()) - set(run.folds))
        if wrong:
            raise SplitError(
                "no such fold in this run",
                where=str(run_folder),
                expected=", ".join(map(str, run.folds)),
                got=", ".join(map(str, wrong)),
            )
        study = Study.open(Path(run.spec.study))
        patches, parts, meta = study.split(run.spec.split)
        if run.spec.inputs != split_hashes(study, run.spec.split):
            raise SplitError(
                "the split was made anew since this run was trained: what was trained on would be"
                " tested on",
                where=f"{study.folder}, split {run.spec.split}",
                remedy="train again, and give another split another --name",
            )
        parts = parts[parts["fold"].isin(run.folds if folds is None else folds)]
        made = cls(run, study, StudyPixels(study, run.spec.channel), patches, parts, meta)
        if made.part("test").empty:
            raise SplitError(
                "no group is held out for testing",
                where=str(run_folder),
                remedy="split with a test",
            )
        return made

    @property
    def classes(self) -> tuple[str, str]:
        """``(negative, positive)``."""
        return self.meta.classes[0], self.meta.classes[1]

    def part(self, name: str, fold: int | None = None) -> pd.DataFrame:
        """Patches of one part of all folds, or of one, with the column fold."""
        chosen = self.folds[self.folds["part"] == name]
        if fold is not None:
            chosen = chosen[chosen["fold"] == fold]
        return self.patches.merge(chosen, on="group")

    def model(self, fold: int, device: str = AUTO) -> Model:
        """The model of one fold.

        Raises
        ------
        StudyError
            It is not trained to its end.
        """
        if not (self.run.model(fold) / "card.json").is_file():
            raise StudyError(
                f"fold {fold} is not trained to its end",
                where=str(self.run.folder),
                remedy="run the same training command again, it goes on where it was",
            )
        return Model.load(self.run.model(fold), device=device)

    def scores(
        self, progress: Progress, device: str = AUTO
    ) -> tuple[pd.DataFrame, dict[int, Model]]:
        """Scores of all test groups (`schemas.SCORES`), and the model of every fold."""
        tested = self.part("test")
        models: dict[int, Model] = {}
        tables = []
        with progress.task("scoring unseen groups", total=len(tested)) as tick:
            for fold in sorted(int(number) for number in tested["fold"].unique()):
                part = tested[tested["fold"] == fold]
                model = models[fold] = self.model(fold, device)
                logits = model.region_logits(self.pixels, regions_of(part), tick)
                tables.append(model.scored(part, logits))
        table = pd.concat(tables, ignore_index=True)
        return SCORES.check(table, where=str(self.run.folder)), models
