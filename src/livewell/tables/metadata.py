"""The schema of every metadata file of a study and of a run: frozen values, checked when read.

Each file is one JSON object. Its field ``format`` tells how it is to be read: files without one
were written by version 0.1 and are translated; a newer format than `FORMAT` is refused.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from livewell import __version__
from livewell.classes import ClassNames
from livewell.errors import SpecError, StudyError
from livewell.files import article, read_json, strict, write_json

FORMAT: Final = 2
"""Format of the files that this version writes; version 0.1 wrote format 1 and did not say so."""
NOT_SETTINGS = frozenset({"kind", "format", "livewell"})
"""Fields that say what a file is and who wrote it."""
Plain = Annotated[Mapping[str, Any], AfterValidator(strict)]
"""Settings of something that this room does not know, as they stand in the JSON file."""
Scale = Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)]
"""Micrometres or seconds: a number above zero, not text of one."""


class Metadata(BaseModel):
    """What every metadata file holds; fields that are not known are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    NOUN: ClassVar[str]

    kind: str
    format: Literal[2] = FORMAT
    livewell: str = __version__
    """Version of livewell that wrote it."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file, also one that an older version wrote; all wrong fields are named at once."""
        said = read_json(path, kind=cls.NOUN)
        if "format" not in said:
            said = cls._from_1(said)
        kind = cls.model_fields["kind"].default
        if said.get("kind") != kind:
            raise StudyError(
                f"not {article(cls.NOUN)} of livewell",
                where=f"{path}, field kind",
                expected=str(kind),
                got=article(str(said.get("kind", "JSON file without it"))),
                remedy=f"name a file or folder that holds {article(cls.NOUN)}",
            )
        newest = said["format"]
        if isinstance(newest, int) and newest > FORMAT:
            raise StudyError(
                f"{article(cls.NOUN)} that a newer version of livewell wrote",
                where=f"{path}, field format",
                expected=f"format {FORMAT} or older",
                got=f"format {newest}, written by livewell {said.get('livewell', '(not said)')}",
                remedy="install that version of livewell",
            )
        try:
            return cls.model_validate(said)
        except ValidationError as error:
            faults = [_fault(fault) for fault in error.errors()]
            raise StudyError(
                f"not a whole {cls.NOUN}",
                where=f"{path}, field{'s' if len(faults) > 1 else ''} "
                + ", ".join(dict.fromkeys(name for name, _ in faults)),
                expected=f"the fields that livewell {__version__} writes",
                got="; ".join(f"{name}: {text}" for name, text in faults),
                remedy="correct the file, or make it again",
            ) from error

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        write_json(path, self.model_dump(mode="json"))

    def values(self, *names: str) -> dict[str, Any]:
        """Plain values of the named fields, or of all but `NOT_SETTINGS`."""
        return self.model_dump(mode="json", include=set(names) or None, exclude=set(NOT_SETTINGS))

    @classmethod
    def _from_1(cls, said: Mapping[str, Any]) -> dict[str, Any]:
        """The fields of a file that version 0.1 wrote; classes and channels are common to all."""
        new = {"livewell": "0.1.0", **said, "format": FORMAT}
        if "channel" in new:
            channel = new.pop("channel")
            new["channels"] = [] if channel is None else [channel]
        return new


class StudyMeta(Metadata):
    """A study: ``study.json``; its fields are those of `livewell.study.study.Study`."""

    NOUN: ClassVar[str] = "study"

    kind: Literal["study"] = "study"
    root: Path
    pixel_um: Scale | None = None
    frame_s: Scale | None = None
    channels: tuple[str | int, ...] = ()
    sources: tuple[str, ...] = ()
    versions: Mapping[str, str] = {}


class _WithClasses(Metadata):
    """Metadata of something with classes."""

    classes: tuple[str, ...]
    """Their names in order; two are (negative, positive)."""
    positive: str | None = None
    """The class that is sought; ``None`` where none of three or more is."""

    @model_validator(mode="before")
    @classmethod
    def _second_of_two(cls, said: Any) -> Any:
        names = said.get("classes") if isinstance(said, Mapping) else None
        if isinstance(names, Sequence) and len(names) == 2 and said.get("positive") is None:
            return {**said, "positive": names[1]}
        return said

    @model_validator(mode="after")
    def _are_classes(self) -> Self:
        try:
            ClassNames(self.classes, self.positive)
        except SpecError as error:
            text = f"these are no classes: expected {error.expected}, got {error.got}"
            raise ValueError(text) from error
        return self

    @property
    def class_names(self) -> ClassNames:
        """The classes."""
        return ClassNames(self.classes, self.positive)


class LabelMeta(_WithClasses):
    """How a set of labels was made: ``labels/NAME.json``."""

    NOUN: ClassVar[str] = "label description"

    kind: Literal["labels"] = "labels"
    route: str
    settings: Plain = {}
    counts: tuple[tuple[str, int], ...] = ()
    """Every step and what was left after it, in order."""
    notes: tuple[str, ...] = ()
    seed: int = 0
    mixtures: Plain = {}
    """Fitted mixtures by group, for labels by a stain."""
    made_by: str = ""
    """The workflow that made them for itself; empty where a user did."""
    plan: str = ""
    healthy_only: bool = False
    """Whether only the negative class is labelled, for training on it alone."""
    source: "LabelSource | None" = None
    """What they were merged from."""

    @classmethod
    def _from_1(cls, said: Mapping[str, Any]) -> dict[str, Any]:
        return super()._from_1({"kind": "labels", **said})

    @property
    def of_centres(self) -> bool:
        """Whether patches were laid around what is labelled: points, marks, nuclei of a mask."""
        said = self.origin.settings
        marked = self.origin.route == "points" or said.get("kind") == "cells"
        return marked or bool(said.get("nuclei"))

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the fields table that labels by column are made of; none of other labels."""
        said = self.origin.settings.get("column") or ()
        return (said,) if isinstance(said, str) else tuple(said)

    @property
    def said(self) -> str:
        """What sentences call the label: its columns, such as ``treatment``, else ``the label``."""
        return " and ".join(self.columns) or "the label"

    @property
    def origin(self) -> "LabelMeta":
        """How the labels were made that these were merged from, or these themselves."""
        return self if self.source is None else self.source.meta.origin


class LabelSource(BaseModel):
    """A set of labels that others were merged from, as it was then: its name, and its hash."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    labels: str
    sha256: str
    meta: LabelMeta


class SplitMeta(_WithClasses):
    """How a split was made: ``splits/NAME/split.json``."""

    NOUN: ClassVar[str] = "split description"

    kind: Literal["split"] = "split"
    labels: str
    """Name of the labels it was made of."""
    label_meta: LabelMeta
    labels_sha256: str = ""
    """Hash of their table; empty where it was not kept."""
    by: str
    """Column that names what is never split."""
    scheme: str
    scheme_settings: Plain = {}
    grid: Plain | None = None
    """Grid of patches or choice of whole frames; ``None`` where the labels are on patches."""
    patch_px: Annotated[int, Field(ge=0)]
    """Edge of a patch; 0 for whole frames."""
    frame_px: tuple[int, int] | None = None
    channels: tuple[str, ...]
    """Names of the channels, each empty where the files name none."""
    pixel_um: Scale | None
    counts: Mapping[str, int] = {}
    merge_duplicates: bool = False
    different_fields: tuple[tuple[str, str], ...] = ()
    """Images that look like near copies, and that somebody saw to be different fields."""
    without_copies: str = ""
    """Hash of the tables in which no copy was on two sides; empty where nobody looked for near
    copies (older versions)."""
    occupied_by: str = ""
    """Hash of the weights of the model that told empty patches; empty where texture did."""
    seed: int = 0
    warnings: tuple[str, ...] = ()

    @classmethod
    def _from_1(cls, said: Mapping[str, Any]) -> dict[str, Any]:
        new = super()._from_1({"kind": "split", **said})
        if isinstance(new.get("label_meta"), Mapping):
            new["label_meta"] = LabelMeta._from_1(new["label_meta"])
        return new


class Anchor(BaseModel):
    """Which images of a plate its features are relative to, such as those of untreated wells.

    Parameters
    ----------
    by
        Column that names the plate, day or experiment.
    column, value
        Images whose `column` holds `value`, compared as text, are the anchor of their plate.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: str
    column: str
    value: str

    def __str__(self) -> str:
        return f"{self.column} = {self.value}, by {self.by}"


Verdict = Literal["fails", "attention", "passes", "unchecked"]
"""Of a check, and of an audit, which has that of its worst one: a shortcut was found; something to
look at that may be the effect itself; nothing was found; nobody can tell, which is no pass."""
AuditState = Literal[Verdict, "stale", "none"]
"""Of labels: the verdict of their audit; of one of older labels; none was made."""


class AuditSummary(BaseModel):
    """How the audit of labels ended, as models and reports carry it along."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: AuditState = "none"
    headline: str = ""
    """What was found, in a sentence or two."""


class CheckMeta(BaseModel):
    """One check of an audit and its answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    question: str
    verdict: Verdict
    answer: str
    p_value: float | None = None
    """Not yet corrected for the number of checks; ``None`` where it decides otherwise."""
    associations: tuple[Mapping[str, str | float | None], ...] = ()
    """What it looked at: `what`, `metric`, `value`, `low`, `high`, `text`, strongest first."""


class AuditMeta(Metadata):
    """What an audit found: ``audits/LABELS/audit.json``."""

    NOUN: ClassVar[str] = "audit"

    kind: Literal["audit"] = "audit"
    labels: str
    labels_sha256: str
    """Hash of their table: labels made anew make an audit stale."""
    fields_sha256: str = ""
    """Hash of what was known of the images, as of `livewell.study.audited.fields_hash`."""
    split: str = ""
    split_sha256: Mapping[str, str] = {}
    """Hashes of the split's tables, where it is of a split too."""
    model: str = ""
    """Name of the folder of the model or run, where it is of one too."""
    state: Verdict
    headline: str
    checks: tuple[CheckMeta, ...]
    failures: Mapping[str, str] = {}
    """Images that could not be read, and why."""
    seed: int = 0

    @property
    def summary(self) -> AuditSummary:
        """How it ended."""
        return AuditSummary(state=self.state, headline=self.headline)


class RunMeta(_WithClasses):
    """What a training run was begun with: ``run.json``."""

    NOUN: ClassVar[str] = "training run"

    kind: Literal["training run"] = "training run"
    study: str
    """Absolute folder of the study."""
    split: str
    profile: Plain
    seed: int = 0
    channels: tuple[str | int, ...] = ()
    """Channels that were asked for; none where the study's, or the one found by name, was taken."""
    stain: str | None = None
    """Name of the channel that is learnt pixel by pixel; ``None`` where none is."""
    group: str
    """Column that names what is never split."""
    folds: tuple[int, ...]
    inputs: Mapping[str, str]
    """Hashes of the split's tables."""
    versions: Mapping[str, str] = {}
    begun_with: str = ""
    """Hash of the weights that training began with; empty for new ones."""
    fitter: str = ""
    """What trained, where a benchmark brought its own."""
    anchor: Anchor | None = None
    """What features of a plate are relative to; ``None`` where they are taken as they are."""
    healthy: str | None = None
    """The class that alone was learnt from; ``None`` where all were."""


def _fault(fault: Any) -> tuple[str, str]:
    """Name of the field and what is wrong with it."""
    name = ".".join(map(str, fault["loc"])) or "classes"
    known = {"extra_forbidden": "no such field is known", "missing": "missing"}
    return name, known.get(fault["type"], str(fault["msg"]).removeprefix("Value error, "))
