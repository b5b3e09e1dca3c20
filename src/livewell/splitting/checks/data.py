"""What an audit looks at: labels, what they were given to, measures of its images."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from livewell.classes import ClassNames
from livewell.errors import LabelError, SplitError, TableError
from livewell.splitting.checks.bundles import Bundles
from livewell.splitting.leaks import merged_groups, near_copies, same_content
from livewell.splitting.units import UNITS, given_to
from livewell.study.content import content
from livewell.study.measured import Measured, measured, properties
from livewell.study.pixels import StudyPixels
from livewell.study.runs import refuse_new_labels
from livewell.study.study import Study
from livewell.tables.metadata import LabelMeta, SplitMeta
from livewell.tables.schemas import BOX

FRAMES_AN_IMAGE, FRAMES_A_BUNDLE = 2, 6
"""Frames that are measured, first and last among those of a label, and at most in all of what one
label was given to."""
COPY = "copy of"
"""Column that names the image which one repeats, whole or in part."""


@dataclass(frozen=True)
class AuditSplit:
    """The split that an audit is of: patches, folds, and how they were made."""

    name: str
    patches: pd.DataFrame
    folds: pd.DataFrame
    meta: SplitMeta

    @classmethod
    def of(cls, study: Study, name: str, labels: str) -> "AuditSplit":
        """A split of a study, refused by a `SplitError` where it is of other labels."""
        found = cls(name, *study.split(name))
        if found.meta.labels != labels:
            raise SplitError(
                "the split is of other labels",
                where=f"{study.folder}, split {name}",
                expected=f"labels {labels}",
                got=f"labels {found.meta.labels}",
                remedy=f"audit these (--labels {found.meta.labels}), or split {labels}",
            )
        refuse_new_labels(study, name, found.meta)
        return found


@dataclass(frozen=True)
class AuditData:
    """What checks take: a study's labels and images, and what labels were given to.

    Parameters
    ----------
    study, labels, meta
        The study, its labels table (rows of images that can be read), and how labels were made.
    pixels
        Of the channel that is looked at.
    fields
        The fields table, with the column `unit`: well, position or picture, whichever a label was
        given to; images of the same content are of one unit, near copies, a judgement, are not.
    noun
        What a unit is: ``well``, ``picture`` ...
    failures
        Image and reason of every file that could not be read.
    clusters
        Images that show the same, or nearly (`livewell.splitting.leaks.CLUSTERS`).
    split
        Where the audit is of a split too.
    seed
        Of permutations, resamples and draws.
    """

    study: Study
    labels: pd.DataFrame
    meta: LabelMeta
    pixels: StudyPixels
    fields: pd.DataFrame
    noun: str
    failures: pd.DataFrame
    clusters: pd.DataFrame
    split: AuditSplit | None = None
    seed: int = 0

    @classmethod
    def of(
        cls,
        study: Study,
        labels: str,
        split: AuditSplit | None = None,
        channels: Sequence[str | int] = (),
        seed: int = 0,
    ) -> "AuditData":
        """Read labels, look at every image once; files that cannot be read are left out."""
        table, meta = study.labels(labels), study.label_meta(labels)
        pixels = StudyPixels(study, tuple(channels) or None)
        fields, failed = study.fields(), unusable(pixels, sorted(table["image"].unique()))
        failures = pd.DataFrame(failed.items(), columns=["image", "error"], dtype="str")
        table = table[~table["image"].isin(failed)].reset_index(drop=True)
        if table["label"].nunique() < 2:
            raise LabelError(
                "fewer than two classes can be read, nothing to audit",
                where=f"{study.folder}, labels {labels}",
                got=", ".join(map(str, table["label"].unique())) or "no label",
            )
        fields = fields[fields["image"].isin(table["image"])].reset_index(drop=True)
        noun = next((u for u in UNITS if u in fields and fields[u].notna().any()), "picture")
        own = given_to(fields, noun)
        units = dict(zip(own.index.astype(str), own.astype(str), strict=True))
        shown = content(study, pixels, _usable(table, pixels))
        exact = same_content(shown)
        different = [
            pair
            for name in study.split_names()
            for pair in study.split(name)[2].different_fields
            if set(pair) <= set(units)
        ]
        clusters = same_content(shown, near_copies(shown, units, different))
        fields["unit"] = fields["image"].map(merged_groups(exact, units))
        fields[COPY] = fields["image"].map(_copies(exact))
        return cls(study, table, meta, pixels, fields, noun, failures, clusters, split, seed)

    @property
    def classes(self) -> ClassNames:
        """The classes."""
        return self.meta.class_names

    @property
    def thing(self) -> str:
        """What a unit is, as pages call it."""
        return "image" if self.noun == "picture" else self.noun

    @cached_property
    def mixed(self) -> bool:
        """Whether single images hold labelled regions of several classes."""
        boxed = self.labels[BOX].notna().all(axis=1)
        each = self.labels[boxed].groupby(["image", "t"], dropna=False)["label"].nunique()
        return bool((each > 1).any())

    @cached_property
    def frames(self) -> pd.DataFrame:
        """Frames that are measured: `image`, `t`, `label`, `unit` and `bundle`, one a row.

        Copies of other images are not among them. Of mixed images `label` is that of most regions.
        """
        found = _frames(self.labels, self.pixels, FRAMES_AN_IMAGE)
        about = self.fields.set_index("image")
        found = found[found["image"].map(about[COPY]).isna()]
        found["unit"] = found["image"].map(about["unit"])
        if self.mixed:
            most = pd.crosstab(self.labels["image"], self.labels["label"]).idxmax(axis=1)
            found = found.drop_duplicates(["image", "t"]).assign(
                label=lambda rows: rows["image"].map(most)
            )
        found["bundle"] = self._bundle(found)
        # first frames of many images before further ones of a few
        found = found.iloc[found.groupby(["image", "label"]).cumcount().argsort(kind="stable")]
        turn = found.groupby("bundle").cumcount()
        return (
            found[turn < FRAMES_A_BUNDLE]
            .sort_values(["bundle", "image", "t"])
            .reset_index(drop=True)
        )

    def _bundle(self, rows: pd.DataFrame) -> "pd.Series[str]":
        """Bundle of rows with `unit` and `label`: the unit, or one for each of its labels."""
        if self.mixed:
            return rows["unit"]
        unit = self.labels["image"].map(self.fields.set_index("image")["unit"])
        kinds = self.labels["label"].groupby(unit).nunique()
        torn = rows["unit"].isin(kinds.index[kinds > 1])
        return rows["unit"].where(~torn, rows["unit"] + " " + rows["label"])

    @cached_property
    def bundles(self) -> Bundles:
        """What labels were given to."""
        names = tuple(dict.fromkeys(self.frames["bundle"]))
        order = list(self.classes)
        if self.mixed:
            unit = self.labels["image"].map(self.fields.set_index("image")["unit"])
            counts = pd.crosstab(unit, self.labels["label"])
        else:
            first = self.frames.drop_duplicates("bundle").set_index("bundle")["label"]
            counts = pd.get_dummies(first).astype(int)
        counts = counts.reindex(index=list(names), columns=order, fill_value=0)
        return Bundles(names, counts.to_numpy(float), self.meta.class_names, self.seed)

    @cached_property
    def measured(self) -> Measured:
        """Measures of `frames`, made once."""
        return measured(self.study, self.pixels, self.frames[["image", "t"]])

    @cached_property
    def stated(self) -> pd.DataFrame:
        """What the files state, one row an image (`livewell.study.measured.properties`)."""
        return properties(self.study, self.fields["image"])

    @cached_property
    def about(self) -> pd.DataFrame:
        """The fields table, and when images were taken as files state it where the table does not.

        Columns of the latter are `acquired` and `day`.
        """
        stated = self.stated
        extra = [n for n in ("acquired", "day") if n in stated and n not in self.fields]
        return self.fields.merge(stated[["image", *extra]], on="image")

    def of_rows(self, rows: pd.DataFrame, numbers: "pd.Series[float]") -> "pd.Series[float]":
        """Means by bundle of numbers, one a row of image and label, in the order of `bundles`."""
        own = self._bundle(rows).to_numpy()
        return numbers.groupby(own).mean().reindex(list(self.bundles.names))

    def of_bundles(self, table: pd.DataFrame) -> pd.DataFrame:
        """Means by bundle of a table by (`image`, `t`), in the order of `bundles`."""
        rows = self.frames[["image", "t", "bundle"]].merge(table, on=["image", "t"], how="left")
        means = rows.drop(columns=["image", "t"]).groupby("bundle").mean(numeric_only=True)
        return means.reindex(list(self.bundles.names))

    def about_bundles(self, column: str) -> "pd.Series[str]":
        """A column of `about` by bundle, as text; its first where there are several."""
        about = self.about.set_index("image")[column]
        first = self.frames.assign(value=self.frames["image"].map(about)).groupby("bundle")
        return first["value"].first().reindex(list(self.bundles.names))


def _frames(labels: pd.DataFrame, pixels: StudyPixels, most: int) -> pd.DataFrame:
    """At most so many frames of every image and label, spread over those that can be used."""
    rows = []
    for (image, label), part in labels.groupby(["image", "label"], sort=False):
        usable = pixels.usable(str(image))
        times = set(part["t"].dropna().astype(int))
        there = [t for t in usable if t in times] if part["t"].notna().all() else usable
        at = np.unique(np.linspace(0, len(there) - 1, min(most, len(there))).round().astype(int))
        rows += [(str(image), there[n], str(label)) for n in at]
    return pd.DataFrame(rows, columns=["image", "t", "label"])


def unusable(pixels: StudyPixels, images: Sequence[str]) -> dict[str, str]:
    """Images that cannot be read, or have no frame to use, and why; all others are prepared."""
    failed = {}
    try:
        pixels.prepare(images)
    except TableError as error:
        for fault in error.faults:
            whole, _, frame = fault.where.rpartition(", frame ")
            of_frame = frame.isdecimal() and whole in images
            failed[whole if of_frame else fault.where] = fault.message
    return failed


def _usable(labels: pd.DataFrame, pixels: StudyPixels) -> pd.DataFrame:
    """All frames (image, t) with contents of labelled images."""
    names = map(str, labels["image"].unique())
    frames = [(image, t) for image in names for t in pixels.usable(image)]
    return pd.DataFrame(frames, columns=["image", "t"])


def _copies(clusters: pd.DataFrame) -> dict[str, str]:
    """The image that each other one of its cluster repeats: the largest, whole before its tiles."""
    found: dict[str, str] = {}
    for _, part in clusters.groupby("cluster"):
        tiles = part[part["part"] != "whole"]["image"].value_counts()
        images = list(dict.fromkeys(part["image"]))
        first = max(images, key=lambda image: int(tiles.get(image, 0)))
        found |= {image: first for image in images if image != first}
    return found
