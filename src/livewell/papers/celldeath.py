"""celldeath's three steps: images named by their label, from a folder to a model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from livewell.classes import ClassNames
from livewell.errors import ImageContentError, OutputError
from livewell.execution.results import ResultFolder
from livewell.files import AnyPath, read_json
from livewell.images.listing import find_images
from livewell.images.opening import Channels, noted_channels
from livewell.labels.by_words import Words
from livewell.labels.made import Others
from livewell.metrics.intervals import Estimate
from livewell.models.device import AUTO, chosen_device
from livewell.models.files import read_card
from livewell.models.folders import find_model
from livewell.models.profile import Profile, override
from livewell.models.recipes import FROZEN
from livewell.report.celldeath import CelldeathResults, celldeath_page, headline
from livewell.report.page import noted, render
from livewell.report.vocabulary import metric_name
from livewell.splitting.schemes import Holdout, NamedFolds
from livewell.study.audited import audit_state
from livewell.study.regions import Grid
from livewell.study.runs import RUN, versions
from livewell.study.study import Study
from livewell.tables.metadata import AuditSummary
from livewell.text import few, plural
from livewell.workflows.audit import audit
from livewell.workflows.evaluate import evaluate
from livewell.workflows.index import index
from livewell.workflows.label import label
from livewell.workflows.split import split
from livewell.workflows.train import train

MARKER = "celldeath.json"
LABELS = {"control": "control", "celldeath": "celldeath"}
"""Words that the old tool looks for where none are said; the second is the class to find."""
SHARES = (0.2, 0.2)
"""Shares of the groups that are tested, and that validate among the others (the tool's)."""
LEAST_PX = 32
"""Smallest edge of an image, and so of patches: no cell fits into less."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked for, beside the images: labels, recipe, and what is never split.

    Parameters
    ----------
    labels
        Class of each word that a file's name holds, the negative class first; of two classes the
        second is the one to find.
    others
        Files with none of the words: refused, or left out.
    profile
        The recipe; its patches shrink to the smallest image.
    by
        Column that names what is never split: picture (tiles of one image stay together), or,
        where pattern or metadata say it, replicate, plate, experiment.
    empty
        Patches without cells, told by their texture: left out, or kept as the old tool does.
    test
        Groups that are tested; a share of them where none are named.
    shares
        Share of the groups that are tested, and share of the others that validate.
    pattern, values, metadata
        As of `livewell.index`.
    channels, pixel_um
        Channels to see; micrometres, in place of what files say.
    """

    labels: Mapping[str, str]
    others: Others = "refuse"
    profile: Profile = FROZEN
    by: str = "picture"
    empty: Literal["drop", "keep"] = "drop"
    test: tuple[str, ...] = ()
    shares: tuple[float, float] = SHARES
    pattern: str | None = None
    values: Mapping[str, Mapping[str, str]] | None = None
    metadata: AnyPath | None = None
    channels: Channels = None
    pixel_um: float | None = None

    @property
    def classes(self) -> ClassNames:
        """In the order of the labels."""
        names = tuple(dict.fromkeys(self.labels.values()))
        return ClassNames(names, names[-1] if len(names) == 2 else None)

    @property
    def scheme(self) -> Holdout | NamedFolds:
        """How groups are divided."""
        held, checked = self.shares
        rest = 1 - held
        if self.test:
            return NamedFolds((self.test,), validation=checked)
        return Holdout((rest * (1 - checked), rest * checked, held))


@dataclass(frozen=True, slots=True)
class Celldeath:
    """What `learn` made: figures on unseen groups, the audit's end, its headline and the page.

    `cautions` are the split's warnings, which were logged as it was made.
    """

    folder: Path
    figures: Mapping[str, Estimate]
    audit: AuditSummary
    headline: str
    page: Path
    warnings: tuple[str, ...]
    cautions: tuple[str, ...]
    left_out: Mapping[str, int]


def learn(
    images: AnyPath,
    out: AnyPath,
    plan: Plan,
    *,
    device: str = AUTO,
    seed: int = 0,
    say: Callable[[str], None] = lambda text: None,
) -> Celldeath:
    """Index, label by words in file names, split, audit, train and evaluate, in one folder.

    Images of the same content become one group. A training that was stopped goes on.

    Parameters
    ----------
    images
        Folder of images or of tiles, as `livewell.papers.slices` makes them or the old tool did.
    out
        Takes ``study``, ``run`` and ``report.html``.
    plan
        What is asked for.
    device, seed, say
        Where to compute; of split, training and intervals; takes what is done.

    Raises
    ------
    TableError
        Names without a label, or with labels of several classes, all at once; images too small.
    SplitError
        Too few groups of a class.
    LeakError
        Groups that tear the tiles of an image.
    OutputError
        `out` holds something else, or a training with other settings.
    """
    out, classes = Path(out), plan.classes
    plain = ("others", "by", "empty", "test", "shares", "pattern", "values", "pixel_um")
    settings = {name: getattr(plan, name) for name in plain} | {
        "images": str(Path(images).resolve()),
        "labels": dict(plan.labels),
        "classes": list(classes.names),
        "profile": plan.profile.model_dump(mode="json"),
        "metadata": None if plan.metadata is None else str(Path(plan.metadata).resolve()),
        "channel": noted_channels(plan.channels),
        "seed": seed,
    }
    chosen_device(device)
    begun = (out / "run" / RUN).is_file()
    folder = ResultFolder.claim(out, "celldeath training", MARKER, settings, anew=not begun)
    if begun:
        _refuse_other_images(Path(images), out)
    folder.begin()
    say("1/5  indexing images and reading labels in their names")
    indexed = index(
        images,
        out / "study",
        pattern=plan.pattern,
        values=plan.values,
        metadata=plan.metadata,
        channels=plan.channels,
        pixel_um=plan.pixel_um,
    )
    study = indexed.study
    labelled = label(study, Words(plan.labels, plan.others), classes)
    if classes.positive is not None:
        say(f"     class to find: {classes.positive}")
    say("2/5  splitting")
    recipe, shrunk = fitted(plan.profile, study)
    for text in shrunk:
        say(f"     {text}")
    grid = Grid(recipe.input.patch_px, recipe.input.stride_px, empty=plan.empty)
    made = split(study, by=plan.by, scheme=plan.scheme, grid=grid, merge_duplicates=True, seed=seed)
    say("3/5  auditing: what else tells the classes apart?")
    if audit_state(study, "labels").state in ("none", "stale"):
        audit(study, split="split", seed=seed)
    ended = audit_state(study, "labels")
    say("4/5  training")
    run = train(study, out / "run", recipe, device=device, seed=seed).run
    say("5/5  evaluating on images that it never saw")
    figures = evaluate(run.folder, device=device, seed=seed).figures
    # labels and split of an earlier call were made anew above
    known = [note for note in indexed.notes if note != indexed.kept]
    results = CelldeathResults(
        title=f"celldeath: {out.name}",
        subtitle=f"images of {Path(images).name}, labels in their names; profile {recipe.name}",
        classes=classes.names,
        figures=tuple(
            (metric_name(name, plan.by, macro=not classes.binary), each)
            for name, each in figures.items()
        ),
        steps=_steps(labelled.meta.counts, made.balance, plan.by, classes),
        audits=(ended,),
        notes=noted((*made.warnings, *shrunk), known),
        settings=settings,
        versions=versions(),
    )
    page = folder.write(render(celldeath_page(results)), {})
    told = (" ".join(headline(results)), page, (*known, *shrunk), made.warnings, indexed.left_out)
    return Celldeath(out, figures, ended, *told)


def _refuse_other_images(images: Path, out: Path) -> None:
    """Refuse to go on with a training where images came or went since."""
    before, now = set(Study.open(out / "study").fields()["path"]), set(find_images(images).files)
    changed = {"new": sorted(now - before), "gone": sorted(before - now)}
    found = [f"{plural(len(n), 'image')} {how}: {few(n)}" for how, n in changed.items() if n]
    if found:
        raise OutputError(
            "the folder holds other images than this training began with",
            where=str(out),
            expected=plural(len(before), "image"),
            got="; ".join(found),
            remedy="name a new folder (--out)",
        )


def fitted(profile: Profile, study: Study) -> tuple[Profile, tuple[str, ...]]:
    """The recipe with patches that every image holds, and a warning where they shrank."""
    headers = study.headers()
    edges = headers[["height", "width"]].to_numpy(int).min(axis=1)
    edge, smallest = int(edges.min()), str(headers["image"].to_numpy()[edges.argmin()])
    if not profile.input.patch_px or edge >= profile.input.patch_px:
        return profile, ()
    if edge < LEAST_PX:
        raise ImageContentError(
            "an image is too small to learn from, and patches of all would be as small",
            where=smallest,
            expected=f"at least {LEAST_PX} px high and wide",
            got=f"{edge} px",
            remedy="move it out of the folder",
        )
    smaller = {"patch_px": edge, "input_px": edge, "stride_px": max(edge // 2, 1)}
    text = f"patches are {edge} px, for the smallest image, {smallest}, is no larger"
    text += f": {profile.name} has {profile.input.patch_px} px"
    return override(profile, smaller), (text,)


def words_of(model: AnyPath) -> dict[str, str]:
    """Class of each word that a model was taught by; its classes' names where nobody says more."""
    marker = Path(model) / MARKER
    if marker.is_file():
        return dict(read_json(marker, kind="celldeath training")["labels"])
    return {name: name for name in read_card(find_model(model)).class_names}


def _steps(
    counts: Sequence[tuple[str, int]],
    balance: pd.DataFrame,
    by: str,
    classes: ClassNames,
) -> tuple[tuple[str, str], ...]:
    """What was done and how many there were: labels, then every part's groups and patches."""
    parts = [
        (
            f"{row['part']}",
            ", ".join(
                f"{name}: {row[f'patches_{name}']} patches of"
                f" {plural(row[f'groups_{name}'], 'group')}"
                for name in classes
            ),
        )
        for row in balance.to_dict("records")
    ]
    sought = () if classes.positive is None else (("class to find", classes.positive),)
    return (*sought, ("never split", by), *((step, str(count)) for step, count in counts), *parts)
