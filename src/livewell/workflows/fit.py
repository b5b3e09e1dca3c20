"""From people's answers to a model: labels, a split by groups, a run, its hold-out figures, maps.

Every step is livewell's own of that name; labels and split are ordinary sets of the study, and the
model an ordinary run. What is found is told as soon as it is known, the hold-out figures first.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from livewell.classes import ClassNames
from livewell.errors import LabelError, LivewellError
from livewell.execution.results import ResultFolder
from livewell.inference.evaluation_set import EvaluationSet
from livewell.inference.model import Model
from livewell.inference.uncertainty import UnseenJudges
from livewell.labels.by_votes import Votes, some_frames
from livewell.labels.voting import Rule
from livewell.metrics.answer_matrix import BY_CHANCE
from livewell.metrics.summary import evaluation_figures
from livewell.models.profile import Profile, override
from livewell.models.recipes import FROZEN
from livewell.outputs.heatmaps import MapTransform, write_map
from livewell.report.fit import HoldOut, hold_out_words
from livewell.splitting.enough import Grouping, grouping
from livewell.study.regions import Grid
from livewell.study.study import Study
from livewell.tables.schemas import BOX, KEY, write_table
from livewell.workflows.evaluate import evaluate
from livewell.workflows.label import label
from livewell.workflows.split import split
from livewell.workflows.train import train

Tell = Callable[[dict[str, Any]], None]
FRAMES_EACH = 2
"""Frames of a sequence that are learnt from: its others look nearly the same, and each frame costs
a pass of the backbone over its whole field."""
MOST_FRAMES = 400
"""Most frames in which items are judged in one fit; the others keep what they had."""
MAPS, MAP = 3, "map.ome.tif"
MADE_BY = "livewell serve"


@dataclass(frozen=True, slots=True)
class FitPlan:
    """What to fit: answers by which `rule`, of which `classes`, under which `name`.

    `kind` is that of the task (`answers.tables.KINDS`).
    """

    name: str
    kind: str
    classes: tuple[str, ...]
    rule: Rule = "majority"
    seed: int = 0


def frames_of(items: pd.DataFrame, each: int = FRAMES_EACH) -> pd.DataFrame:
    """Some frames of every item, as `Votes` takes them: rows item, image, t, y0, x0, y1, x1."""
    table = some_frames(items, each)[["item", *KEY]]
    return table.astype(dict.fromkeys(["t", *BOX], "Int64"))


def fit_folder(
    say: Tell,
    *,
    study: str,
    folder: str,
    out: str,
    name: str,
    kind: str,
    classes: Sequence[str],
    rule: Rule,
    **_: Any,
) -> None:
    """The same of answers and items in a folder, which takes the uncertainties: a job of the site.

    Parameters
    ----------
    say
        Takes ``{"result": ...}`` as soon as something is known, see `livewell.web.child`.
    study, out
        As in `fit`.
    folder
        With ``answers.parquet`` and ``items.parquet``; takes ``uncertainty.parquet``.
    name, kind, classes, rule
        As in `FitPlan`.
    """
    plan = FitPlan(name, kind, tuple(classes), rule)
    answers = pd.read_parquet(Path(folder) / "answers.parquet")
    items = pd.read_parquet(Path(folder) / "items.parquet")
    found = fit(study, answers, items, plan, Path(out), lambda told: say({"result": told}))
    write_table(Path(folder) / "uncertainty.parquet", found)


def fit(
    study: Study | Path | str,
    answers: pd.DataFrame,
    items: pd.DataFrame,
    plan: FitPlan,
    out: Path,
    tell: Tell = lambda _: None,
) -> pd.DataFrame:
    """Fit a model of a task's answers, and say how unsure it is of every item.

    Parameters
    ----------
    study
        Gets labels and a split of the plan's name.
    answers
        Those that stand, schema `schemas.ANSWERS`.
    items
        All items of the task: item, image, t, frames, y0, x0, y1, x1 (empty for whole frames).
    out
        The run's folder.
    tell
        Is told what is known, as plain values: ``labels``, ``figures``, ``maps``, ``uncertain``,
        ``report``.

    Returns
    -------
    DataFrame
        item and uncertainty: the entropy of the calibrated probabilities, bits.

    Raises
    ------
    SplitError
        A class has no label, or too few groups hold it; it says how many more are needed.
    LabelError
        Items of several sizes, or of a kind that no model is fitted of.
    """
    study, classes, patch_px = Study.of(study), ClassNames.of(plan.classes), _patch_px(items)
    made = _labels(study, answers, items, plan, classes)
    found = grouping(study.fields(), made, plan.classes, plan.seed)
    tell({"labels": _counted(answers, made, found)})
    profile = FROZEN if patch_px is None else _sized(patch_px)
    grid = Grid(profile.input.patch_px, profile.input.stride_px) if patch_px is None else None
    split(
        study,
        by=found.by,
        scheme=found.scheme,
        grid=grid,
        labels=plan.name,
        name=plan.name,
        merge_duplicates=True,
        seed=plan.seed,
    )
    train(study, out, profile, split=plan.name, seed=plan.seed)
    tested = EvaluationSet.of_run(out)
    scores, models = tested.scores()
    judged = _FitFigures(tested, models, patch_px is not None, found.torn, plan.seed)
    tell({"figures": judged.told(scores, answers, items) | {"by": found.by}})
    judges = UnseenJudges(tested, models)
    first = _a_labelled_frame(tested)
    maps = [_write_map(judges, *first, out)]
    tell({"maps": maps})
    values = judges.uncertainties(frames_of(items, 1), MOST_FRAMES)
    tell({"uncertain": {"judged": int(values["uncertainty"].notna().sum()), "of": len(items)}})
    for frame in _most_unsure(values, first):
        maps = [*maps, _write_map(judges, *frame, out)]
        tell({"maps": maps})
    # its page takes longer than all of this, and nobody need wait for it
    page = evaluate(out, baselines=False, random=False, seed=plan.seed).page
    tell({"report": str(page.relative_to(out))})
    return values.dropna(ignore_index=True)[["item", "uncertainty"]]


def _labels(
    study: Study,
    answers: pd.DataFrame,
    items: pd.DataFrame,
    plan: FitPlan,
    classes: ClassNames,
) -> pd.DataFrame:
    """Labels of some frames of every item that was answered, written into the study.

    Rows item, image, t, y0, x0, y1, x1 and label.
    """
    route = Votes(answers, {name: name for name in classes}, plan.rule, frames_each=FRAMES_EACH)
    made = label(study, route, classes, name=plan.name, seed=plan.seed, made_by=MADE_BY)
    frames, table = frames_of(items), made.labelled.table
    return frames.merge(table[[*KEY, "label"]], on=KEY)


def _patch_px(items: pd.DataFrame) -> int | None:
    """Edge of the items' boxes; ``None`` where they are whole frames."""
    boxed = items[BOX].notna().all(axis=1)
    if not boxed.any():
        return None
    edges = {(y1 - y0, x1 - x0) for y0, x0, y1, x1 in items[BOX].itertuples(index=False, name=None)}
    sizes = sorted({int(edge) for pair in edges for edge in pair if pd.notna(edge)})
    if not boxed.all() or len(sizes) != 1:
        raise LabelError(
            "a model sees patches of one size, and items are of several",
            expected="square boxes of one size, or whole frames",
            got=", ".join(f"{size} px" for size in sizes[:6]),
            remedy="make a task of boxes of one size",
        )
    return sizes[0]


def _sized(patch_px: int) -> Profile:
    """The recipe for patches of this size, which the net sees whole."""
    sizes = {"patch_px": patch_px, "input_px": patch_px, "stride_px": max(patch_px // 2, 1)}
    return override(FROZEN, sizes)


def _counted(answers: pd.DataFrame, labels: pd.DataFrame, found: Grouping) -> dict[str, Any]:
    """What goes into the model, as plain values."""
    each = labels.drop_duplicates("item")
    return {
        "answers": len(answers),
        "items": len(each),
        "people": int(answers["person"].nunique()),
        "classes": {str(name): int(n) for name, n in each["label"].value_counts().items()},
        "reasons": {str(why): int(n) for why, n in answers["reason"].value_counts().items()},
        "by": found.by,
        "groups": found.groups,
        "folds": found.folds,
        "frames_each": FRAMES_EACH,
    }


@dataclass(frozen=True)
class _FitFigures:
    """Hold-out figures of a run: of all labels, and of those that chance chose."""

    tested: EvaluationSet
    models: Mapping[int, Model]
    patches: bool
    torn: str
    seed: int

    def told(
        self, scores: pd.DataFrame, answers: pd.DataFrame, items: pd.DataFrame
    ) -> dict[str, Any]:
        """Figures and sentences, as plain values; `chance` only where other items are among them.

        What a model chose is harder, or likelier sick, than what chance chooses, so figures of it
        are not those of images to come.
        """
        every = self._of(scores)
        found: dict[str, Any] = {"every": self._plain(every), "others": 0, "chance": None}
        drawn = set(answers.loc[answers["reason"].isin(BY_CHANCE), "item"])
        others = int((~answers["item"].isin(drawn)).sum())
        if not others:
            return found
        frames = frames_of(items[items["item"].isin(drawn)])
        by = KEY if self.patches else KEY[:2]
        chosen = scores.merge(frames[by].drop_duplicates(), on=by)
        try:
            by_chance = self._of(chosen) if len(chosen) else None
        except LivewellError:  # one class, or groups of one kind alone
            by_chance = None
        return found | {"others": others, "chance": by_chance and self._plain(by_chance)}

    def _of(self, scores: pd.DataFrame) -> HoldOut:
        rules = {fold: model.card.image_rule for fold, model in self.models.items()}
        classes = self.tested.classes
        made = evaluation_figures(scores, classes, rules, patches=False, min_each=1, seed=self.seed)
        groups = scores["group"].nunique()
        return HoldOut(
            made.together, made.headline, self.tested.meta.by, groups, classes, self.torn
        )

    def _plain(self, found: HoldOut) -> dict[str, Any]:
        area = asdict(found.area) | {"name": found.headline}
        return {"area": area, "groups": found.groups, "words": hold_out_words(found)}


def _a_labelled_frame(tested: EvaluationSet) -> tuple[str, int]:
    """The frame that most labels are in, the first of several."""
    counts = tested.part("test").groupby(["image", "t"], as_index=False).size()
    most = counts.sort_values("size", ascending=False, kind="stable").iloc[0]
    return str(most["image"]), int(most["t"])


def _most_unsure(values: pd.DataFrame, first: tuple[str, int]) -> list[tuple[str, int]]:
    """Frames whose items the models are least sure of, each of another image."""
    mean = values.dropna().groupby(["image", "t"])["uncertainty"].mean()
    ranked = mean.sort_values(ascending=False, kind="stable").index.to_frame(index=False)
    ranked = ranked[ranked["image"] != first[0]].drop_duplicates("image").head(MAPS - 1)
    return [(str(image), int(t)) for image, t in ranked.itertuples(index=False, name=None)]


def _write_map(judges: UnseenJudges, image: str, t: int, out: Path) -> dict[str, Any]:
    """Write the class map of a frame as a heat map of its movie, whose other frames are empty."""
    study, judge = judges.tested.study, judges.of(image)[0]
    stride_px = max(judge.card.patch_px // 4, 1)
    made, p = judges.class_map(image, t, stride_px)
    values = (p[1] if len(p) == 2 else p).astype(np.float32)
    empty = np.full_like(values, np.nan)
    frames = judges.tested.pixels.shape(image)[0]
    path = study.path(image)
    name = f"{sha256(image.encode()).hexdigest()[:16]}-{t}"
    folder = out / "maps" / name
    settings = {
        "movie": str(path.resolve()),
        "model": judge.card.weights_sha256,
        "stride_px": made.stride_px,
        "frame": t,
        "made_by": MADE_BY,
    }
    results = ResultFolder.claim(folder, "heat map", "heatmap.json", settings, anew=True)
    write_map(
        folder / MAP,
        (values if number == t else empty for number in range(frames)),
        MapTransform(made.stride_px, made.origin_px),
        (frames, *values.shape),
        pixel_um=judge.card.pixel_um,
        frame_s=None,
        notes={"model": str(judge.folder), "model_hash": judge.card.weights_sha256},
        classes=() if len(p) == 2 else tuple(judges.tested.classes),
    )
    results.begin()
    known = ~np.isnan(p[0])
    codes = judge.card.region_rule.called_of(np.moveaxis(p, 0, -1)[known])
    shares = {judge.classes.called(int(code)): float((codes == code).mean()) for code in set(codes)}
    return {
        "image": image,
        "t": t,
        "folder": f"maps/{name}",
        "classes": list(judge.classes),
        "threshold": judge.card.region_rule.threshold if judge.classes.binary else None,
        "pixel_um": judge.card.pixel_um,
        "places": int(known.sum()),
        "shares": shares,
        "unseen": len(judges.of(image)) == 1,
    }
