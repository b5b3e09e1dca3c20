"""What an owner fills in to make a task, as it came and as it is understood."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from livewell.answers.items import WITHIN, ItemChoice, known_classes
from livewell.answers.settings import TaskSettings
from livewell.answers.tables import KINDS, UNSURE
from livewell.errors import LivewellError
from livewell.study.study import Study
from livewell.web.asking import RESERVED

CLASSES = 6
"""Rows of classes in the form."""
COLUMNS = ("plate", "dose", "treatment", "cell_line", "replicate", "experiment")
"""Of the fields table, by which images may be chosen."""
MOST_VALUES = 40
"""Of a column, that the form lists."""
DOSE_ZERO = "dose 0"
BEGIN: dict[str, str] = {
    "name": "",
    "kind": "sequence",
    "class_0": "healthy",
    "key_0": "h",
    "class_1": "sick",
    "key_1": "s",
    "key_unsure": "u",
    "frames": "10",
    "size_px": "256",
    "count": "500",
    "occupied": "on",
    "shared_every": "5",
    "controls": "0",
    "control_class": "healthy",
    "control_of": DOSE_ZERO,
    "repeats": "5",
    "repeat_after": "20",
    "uncertain": "0",
    "stop_at": "",
    "tags": "",
    "seed": "0",
}
"""What the form shows at first: the design of Richmond et al. 2017, and hidden repeats."""


@dataclass
class TaskForm:
    """A filled-in form.

    `values` are as they came, `faults` what is wrong with them, in words; the rest holds where
    there are none.
    """

    values: dict[str, str]
    chosen: dict[str, list[str]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    choice: ItemChoice | None = None
    settings: TaskSettings | None = None

    @classmethod
    def read(cls, given: Mapping[str, str], chosen: Mapping[str, list[str]]) -> "TaskForm":
        """Understand what was sent."""
        form = cls(dict.fromkeys(BEGIN, "") | dict(given), dict(chosen))
        form._read()
        return form

    def _read(self) -> None:
        values = self.values
        if not values["name"].strip():
            self.faults.append("Give the task a name.")
        if values["kind"] not in KINDS:
            self.faults.append("Say what is shown.")
        keys = self._classes()
        whole = not values["size_px"].strip()
        boxed = values["kind"] in WITHIN
        self.choice = self._made(
            ItemChoice,
            kind=values["kind"],
            count=self._number("count", "How many items"),
            frames=self._number("frames", "Frames") if values["kind"] == "sequence" else 10,
            size_px=self._number("size_px", "Edge of the box") if boxed and not whole else None,
            occupied=values["occupied"] == "on",
            seed=self._number("seed", "Seed"),
        )
        self.settings = self._made(
            TaskSettings,
            shared_every=self._number("shared_every", "Every n-th item"),
            controls=self._share("controls", "Share of controls"),
            repeats=self._share("repeats", "Share of hidden repeats"),
            repeat_after=self._number("repeat_after", "Repeats after"),
            uncertain=self._share("uncertain", "Share of uncertain items"),
            stop_at=self._share("stop_at", "Stop") or None,
            tags=tuple(line.strip() for line in values["tags"].splitlines() if line.strip()),
            keys=keys,
            seed=self._number("seed", "Seed"),
        )
        if self.settings and self.settings.controls and values["control_class"] not in self.classes:
            self.faults.append("The class of the controls must be one of the classes.")

    def _classes(self) -> dict[str, str]:
        keys = {}
        for row in range(CLASSES):
            name = self.values.get(f"class_{row}", "").strip()
            if name:
                self.classes.append(name)
                keys[name] = self.values.get(f"key_{row}", "").strip().lower()
        keys[UNSURE] = self.values.get("key_unsure", "").strip().lower()
        keys = {name: key for name, key in keys.items() if key}
        if len(self.classes) < (1 if self.values["kind"] == "cells" else 2):
            self.faults.append("Name at least two classes (one where cells are marked).")
        if len(set(self.classes)) < len(self.classes) or UNSURE in self.classes:
            self.faults.append(f"Each class once; {UNSURE!r} is there anyway.")
        if len(set(keys.values())) < len(keys):
            self.faults.append("Two classes have the same key.")
        for key in keys.values():
            if len(key) != 1 or key in RESERVED or not key.isalnum():
                self.faults.append(
                    f"{key!r} cannot be a key: take one letter or digit, not"
                    f" {', '.join(sorted(RESERVED))}, which mean something else."
                )
        return keys

    def _number(self, name: str, what: str) -> int:
        try:
            return int(self.values[name].strip())
        except ValueError:
            self.faults.append(f"{what}: a whole number, not {self.values[name]!r}.")
            return 1

    def _share(self, name: str, what: str) -> float:
        text = self.values[name].strip().rstrip("%").replace(",", ".")
        try:
            return float(text or 0) / 100
        except ValueError:
            self.faults.append(f"{what}: a number of percent, not {text!r}.")
            return 0.0

    def _made(self, model: Any, /, **values: Any) -> Any:
        try:
            return model(**values)
        except ValidationError as error:
            for fault in error.errors():
                place = " ".join(str(part) for part in fault["loc"])
                words = fault["msg"].removeprefix("Value error, ")
                self.faults.append(f"{place}: {words}." if place else f"{words}.")
            return None

    def images(self, study: Study) -> list[str]:
        """Names of the images that were chosen; all where nothing was."""
        fields = study.fields()
        for column, values in self.chosen.items():
            if values and column in fields:
                fields = fields[fields[column].astype("str").isin(values)]
        return [str(name) for name in fields["image"]]

    def known(self, study: Study) -> dict[str, str]:
        """Class of images whose class is known, among those that were chosen."""
        untreated = self.values["control_of"] == DOSE_ZERO
        found = known_classes(
            study,
            self.classes,
            labels=None if untreated else self.values["control_of"],
            column={"dose": {"0": self.values["control_class"]}} if untreated else None,
        )
        among = set(self.images(study))
        return {image: name for image, name in found.items() if image in among}


def filters(study: Study) -> dict[str, list[str]]:
    """Columns of the fields table with two to forty values, by which images may be chosen."""
    fields = study.fields()
    found = {}
    for column in COLUMNS:
        if column in fields:
            values = sorted(fields[column].dropna().unique())
            if 2 <= len(values) <= MOST_VALUES:
                found[column] = [str(value) for value in values]
    return found


def pixel_um(site: Any) -> float | None:
    """Edge of a pixel of the first image that can be read, micrometres."""
    for image in site.study.fields()["image"].head(5):
        try:
            size: float | None = site.frames.header(image).pixel_um
        except LivewellError:
            continue
        return size
    return None
