"""One item of a design through the ordinary workflows: labels, split, training, evaluation."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from livewell.errors import LabelError, SpecError
from livewell.execution.folds import Fitter
from livewell.execution.items import Item, Record
from livewell.images.opening import Channels
from livewell.inference.evaluation_set import EvaluationSet
from livewell.models.profile import Profile
from livewell.progress import Tick
from livewell.splitting.design_rows import DesignPlan
from livewell.splitting.designs import DesignItem
from livewell.study.regions import Grid, Whole
from livewell.study.runs import label_hash
from livewell.study.study import Study
from livewell.tables.metadata import LabelMeta, LabelSource
from livewell.tables.schemas import BOX, LABELS, write_table
from livewell.workflows.evaluate import SCORES, evaluate
from livewell.workflows.split import split
from livewell.workflows.train import train

KIND = "design"


@dataclass(frozen=True, slots=True)
class DesignSettings:
    """What all items of a design are made with; `name` begins those of labels and splits.

    `pages` asks for the page of `evaluate` of every item too, which takes longer than its models.
    """

    profile: Profile
    labels: str = "labels"
    name: str = "design"
    channels: Channels = None
    every: int = 1
    pages: bool = False
    device: str = "auto"
    processes: int | None = None
    fitter: Fitter | None = None


@dataclass(frozen=True, eq=False)
class DesignWork:
    """Makes items; what comes of each lies in a folder of its name."""

    study: Study
    folder: Path
    rows: pd.DataFrame
    plan: DesignPlan
    items: Mapping[str, DesignItem]
    settings: DesignSettings

    def __call__(self, item: Item, tick: Tick) -> Record:
        """Label, split, train and score one item; where its scores lie, and of which classes."""
        of, settings, folder = self.items[item.name], self.settings, self.folder / item.name
        name, seed = f"{settings.name}-{item.name}", self.plan.seed + of.repeat
        meta = self._label(name, of)
        dealt = split(
            self.study,
            by=self.plan.by,
            scheme=of.scheme(self.rows, self.plan),
            grid=self._grid(),
            labels=name,
            name=name,
            channels=settings.channels,
            seed=seed,
        )
        made = train(
            self.study,
            folder / "run",
            settings.profile,
            split=name,
            channels=settings.channels,
            device=settings.device,
            seed=seed,
            processes=settings.processes,
            fitter=settings.fitter,
        )
        held = [card.data["validation"] for card in made.cards.values()]
        return {
            "scores": self._scored(of, made.run.folder, folder, seed),
            "classes": list(meta.classes),
            "positive": meta.positive,
            "validation": [[each["accuracy"], each["regions"]] for each in held],
            "warnings": list(dealt.warnings),
        }

    def _label(self, name: str, of: DesignItem) -> LabelMeta:
        """Write the labels of the rows that take part; of another item's name none are lost."""
        study, labels = self.study, self.settings.labels
        if name in study.label_names() and study.label_meta(name).made_by != KIND:
            raise SpecError(
                "the study has labels of this name, which something else made",
                where=f"labels {name}",
                remedy="give another --name",
            )
        table, meta = self.rows.loc[of.rows], study.label_meta(labels)
        there = set(table["label"]) - set(of.unknown)
        classes = [name for name in meta.classes if name in there]
        if len(classes) < 2:
            raise LabelError("one class only to learn", got=", ".join(classes) or "none")
        positive = meta.positive if meta.positive in classes else None
        if len(classes) == 2:
            classes.sort(key=lambda name: name == positive)
        made = LabelMeta(
            route=meta.route,
            settings=meta.settings,
            classes=tuple(classes),
            positive=positive,
            seed=meta.seed,
            made_by=KIND,
            plan=f"{of.design}: {of.name}",
            source=LabelSource(labels=labels, sha256=label_hash(study, labels), meta=meta),
        )
        study.write_labels(name, table[LABELS.names], made)
        return made

    def _grid(self) -> Grid | Whole | None:
        """Where patches lie: the recipe's grid on labelled frames, or the labelled patches."""
        given, profile, every = self.rows, self.settings.profile, self.settings.every
        if given[BOX].notna().all(axis=None):
            return None
        if profile.sees_frames:
            return Whole(every)
        return Grid(profile.input.patch_px, profile.input.stride_px, every=every)

    def _scored(self, of: DesignItem, run: Path, folder: Path, seed: int) -> str:
        """Score a run's test groups; where the scores lie."""
        device = self.settings.device
        if self.settings.pages and not of.unknown:
            out = folder / "evaluation"
            evaluate(run, out=out, baselines=False, device=device, seed=seed)
            return f"{out.name}/{SCORES}"
        scores, _ = EvaluationSet.of_run(run, device=device).scores()
        write_table(folder / SCORES, scores)
        return SCORES
