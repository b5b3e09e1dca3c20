"""Features of a plate relative to those of its own untreated wells, or another anchor."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from livewell.errors import Fault, LeakError, SpecError, TableError
from livewell.geometry import Box
from livewell.models.nets.frozen import FrozenNet
from livewell.models.profile import Profile
from livewell.region import Region
from livewell.splitting.units import unit_names
from livewell.study.pixels import StudyPixels
from livewell.study.study import Study
from livewell.tables.faults import column_faults, listed, near
from livewell.tables.metadata import Anchor
from livewell.tables.schemas import as_text
from livewell.text import plural
from livewell.training.features import FieldReader, patches_with_cells

MOST_FRAMES = 40
"""Frames that speak for a plate, spread evenly over those of its anchor."""


def refuse_anchor(profile: Profile, anchor: Anchor | None) -> None:
    """Refuse an anchor for a recipe whose net is no light head on fixed features of regions."""
    if anchor is not None and not profile.net.sees_fields:
        raise SpecError(
            "only features of a fixed backbone can be relative to an anchor",
            where=f"profile {profile.name}",
            expected="a recipe of a fixed backbone and labels of regions, such as FROZEN",
            got=f"--anchor-by {anchor.by}",
            remedy="train FROZEN, or leave --anchor-by and --anchor out",
        )


def beside_anchor(
    study: Study, anchor: Anchor | None, table: pd.DataFrame
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Rows of a table of images or regions that may be judged, and a note on those that may not.

    Errors are those of `Anchors.of` and `Anchors.others`.
    """
    if anchor is None:
        return table, ()
    kept = Anchors.of(study, anchor).others(table)
    number = table["image"].nunique() - kept["image"].nunique()
    of = f"{plural(number, 'image')} of the anchor ({anchor})"
    note = f"{of} left out: the model judges the others relative to it"
    return kept, (note,) if number else ()


@dataclass(frozen=True)
class Anchors:
    """Which images of a study are the anchor of which plate.

    Anchor images are never evidence: whoever learns from or judges regions leaves theirs out.

    Parameters
    ----------
    plates
        Name of every image's plate; missing where the study says none.
    images
        Those of all anchors.
    """

    anchor: Anchor
    where: str
    plates: "pd.Series[str]"
    images: frozenset[str]

    @classmethod
    def of(cls, study: Study, anchor: Anchor) -> "Anchors":
        """The anchors of a study; columns or a value that it does not have are a `TableError`."""
        fields, where = study.fields(), str(study.folder)
        faults = column_faults(fields, [anchor.by, anchor.column])
        if not faults:
            texts = as_text(fields[anchor.column])
            chosen = texts == anchor.value
            if not chosen.any():
                known = near(anchor.value, sorted(texts.dropna().unique()))
                name = f"{anchor.column}, {anchor.value!r}"
                faults.append(Fault("unknown-value", name, f"no image has it; {known}"))
        if faults:
            raise TableError(
                "the study does not say which images are the anchor",
                faults,
                where=where,
                remedy="name columns and a value of the study; `livewell index --metadata` reads"
                " more columns from a table",
            )
        plates = unit_names(fields, anchor.by)
        return cls(anchor, where, plates, frozenset(fields.loc[chosen.fillna(False), "image"]))

    def others(self, regions: pd.DataFrame, what: str = "") -> pd.DataFrame:
        """Rows of a table of regions or images that are of no anchor; `what` names the table.

        Raises
        ------
        LeakError
            All rows of a class (column label) are of an anchor, or all rows are.
        TableError
            Images of no known plate, or plates without an anchor.
        """
        kept = regions[~regions["image"].isin(self.images)]
        labels = "label" in regions
        gone = sorted(set(regions["label"]) - set(kept["label"])) if labels else []
        if gone or kept.empty:
            raise LeakError(
                "the anchor would say the label: every image labelled "
                f"{' or '.join(gone)} is of the anchor, which is never judged itself"
                if gone
                else "all images are of the anchor, which is never judged itself",
                where=", ".join(filter(None, (self.where, what))),
                expected="images of every class beside the anchor",
                got=f"anchor {self.anchor}",
                remedy="name some of the untreated wells of each plate in a column of their own,"
                " make these the anchor, and learn from and judge the others",
            )
        self.need(kept["image"].unique().tolist())
        return kept

    def need(self, images: Sequence[str]) -> None:
        """Refuse images whose plate is not known or has no anchor."""
        plates = self.plates[list(images)]
        faults = []
        if plates.isna().any():
            unnamed = listed(plates.index[plates.isna()])
            faults.append(Fault("empty-value", self.anchor.by, f"no value for {unnamed}"))
        condition = f"{self.anchor.column} = {self.anchor.value}"
        anchored = set(self.plates[list(self.images)])
        faults += [
            Fault("no-anchor", f"{self.anchor.by} {plate}", f"no image where {condition}")
            for plate in sorted(set(plates.dropna()) - anchored)
        ]
        if faults:
            raise TableError(
                "plates without an anchor",
                faults,
                where=self.where,
                remedy=f"say in the column {self.anchor.column} which images of each"
                f" {self.anchor.by} are {self.anchor.value}, or leave these plates out",
            )

    def beside(self, patches: pd.DataFrame, parts: pd.DataFrame) -> pd.DataFrame:
        """Patches of a split that are of no anchor; every part of every fold is checked."""
        for (fold, part), own in patches.merge(parts, on="group").groupby(["fold", "part"]):
            self.others(own, f"fold {fold}, part {part}")
        return self.others(patches)

    def of_plates(self, images: Iterable[str]) -> set[str]:
        """The anchor images of these images' plates."""
        plates = set(self.plates[list(images)])
        return {image for image in self.images if self.plates[image] in plates}


class AnchorFeatures:
    """What the anchor of each plate of a study is like in a net's features, measured once."""

    def __init__(self, anchors: Anchors, reader: FieldReader, source: StudyPixels) -> None:
        self.anchors, self._reader, self._source = anchors, reader, source
        self._found: dict[str, Tensor] = {}

    def of(self, image: str) -> Tensor:
        """Means (features,) over regions with cells of the anchor of an image's plate.

        Raises
        ------
        TableError
            The plate is not known, or has no anchor.
        SpecError
            There is no patch with cells in its anchor's images.
        """
        plate = self.anchors.plates[image]
        if plate not in self._found:
            self.anchors.need([image])
            self._found[plate] = self._measured(sorted(self.anchors.of_plates([image])))
        return self._found[plate]

    def relative(self, features: Tensor, regions: Sequence[Region]) -> Tensor:
        """Features (n, features) of regions, relative to those of their plates' anchors."""
        return features - torch.stack([self.of(region.image) for region in regions])

    def _measured(self, images: Sequence[str]) -> Tensor:
        """Mean of each feature over patches with cells of some images."""
        frames = [(image, t) for image in images for t in self._source.usable(image)]
        rows = np.linspace(0, len(frames) - 1, min(len(frames), MOST_FRAMES)).round().astype(int)
        net, read = self._reader.net, partial(FrozenNet.embedded, self._reader.module)
        found = []
        for image, t in (frames[row] for row in rows):
            pixels = self._source.crop(image, t, self._source.area(image, t))
            area = Box.of(0, 0, *pixels.shape[-2:])
            if boxes := patches_with_cells(net, pixels, area, net.middle_px):
                found.append(self._reader.boxes(pixels, area, boxes, read))
        if not found:
            raise SpecError(
                "no cells in the images of a plate's anchor, so nothing is to be relative to it",
                where=f"{self.anchors.where}, {listed(images)}",
                expected=f"patches of {net.patch_px} px with cells",
                remedy="name other images as this plate's anchor, or leave the plate out",
            )
        return torch.cat(found).mean(dim=0)
