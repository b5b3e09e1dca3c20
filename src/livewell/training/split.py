"""The split that nets are trained on, checked against the recipe."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from livewell.errors import Fault, ImageContentError, SpecError, SplitError, TableError
from livewell.images.opening import Channels, asked_channels, choose_channels
from livewell.models.nets.unet import UNetSpec
from livewell.models.profile import Profile
from livewell.splitting.copies import refuse_copies
from livewell.splitting.groups import group_of_images
from livewell.splitting.healthy import healthy_alone, healthy_class, one_against_others
from livewell.splitting.units import refuse_torn
from livewell.study.content import AllFrames, all_frames, content, first_frames
from livewell.study.pixels import StudyPixels
from livewell.study.runs import refuse_new_labels
from livewell.study.scale import channel_names, header_of
from livewell.study.study import Study
from livewell.study.unchanged import refuse_changed
from livewell.tables.metadata import Anchor, SplitMeta
from livewell.tables.schemas import regions_of
from livewell.training.anchors import Anchors
from livewell.training.data import LabelledRegions
from livewell.training.stain import StainTargets


@dataclass(frozen=True)
class TrainingSplit:
    """A split, which of its folds are trained, and the channels that were asked for."""

    study: Study
    name: str
    patches: pd.DataFrame
    parts: pd.DataFrame
    meta: SplitMeta
    folds: tuple[int, ...]
    channels: tuple[str | int, ...]
    pixels: StudyPixels
    stain: StudyPixels | None = None
    """Pixels of the stain that the net learns to predict."""
    anchors: Anchors | None = None
    """What features of plates are relative to; their regions are left out of `patches`."""
    healthy: str | None = None
    """The class that alone is learnt from; then all others are one."""

    @classmethod
    def of(
        cls,
        study: Study,
        name: str,
        profile: Profile,
        folds: Sequence[int] | None = None,
        channels: Channels = None,
        stain: str | None = None,
        anchor: Anchor | None = None,
        healthy: str | None = None,
    ) -> "TrainingSplit":
        """The split of this name, where it fits the recipe; all folds where none are asked for.

        A recipe of one class learns from the class `healthy`, by default the negative one.
        """
        patches, parts, meta = study.split(name)
        refuse_new_labels(study, name, meta)
        refuse_torn(study.fields(), group_of_images(patches), meta.by)
        _check_size(meta, profile)
        healthy = _healthy(meta, profile, healthy)
        if healthy is not None:
            patches, meta = one_against_others(patches, meta, healthy)
        chosen = _chosen_folds(parts, folds)
        anchors = None if anchor is None else Anchors.of(study, anchor)
        if anchors is not None:
            patches = anchors.beside(patches, parts[parts["fold"].isin(chosen)])
        asked = asked_channels(channels)
        if not asked and not study.channels and len(meta.channels) > 1:
            asked = meta.channels
        names = channel_names(study, patches["image"], asked)
        if len(names) != len(meta.channels):
            raise SplitError(
                "other channels than the split was made for",
                where=str(study.folder),
                expected=f"{len(meta.channels)}: {', '.join(meta.channels)}",
                got=f"{len(names)}: {', '.join(names)}",
                remedy="name the split's channels, each with --channel, or split again",
            )
        stained = _stain_pixels(study, patches["image"], profile, names, stain)
        pixels = StudyPixels(study, asked)
        made = (study, name, patches, parts, meta, chosen, asked, pixels, stained, anchors)
        return cls(*made, healthy)

    @property
    def stain_name(self) -> str | None:
        """Name of the stain's channel, where a stain is learnt."""
        return None if self.stain is None else str(self.stain.channels[0])

    def prepare(self) -> None:
        """Copy the pixels of its images, look at every frame; refuse what changed, and copies."""
        images = sorted(self.patches["image"].unique())
        if self.anchors is not None:
            images += sorted(self.anchors.of_plates(images))
        for pixels in (self.pixels, *filter(None, [self.stain])):
            pixels.prepare(images)
        refuse_changed(self.study, self.name, images, self.pixels)
        refuse_copies(self.study, self.name, self.pixels)

    def fold(self, number: int) -> "Fold":
        """The parts of one fold."""
        table = self.patches.merge(self.parts[self.parts["fold"] == number], on="group")
        if self.healthy is not None:
            table = healthy_alone(table, self.healthy)
        return Fold(self, number, table)


@dataclass(frozen=True)
class Fold:
    """The labelled regions of one fold, with the column part."""

    split: TrainingSplit
    number: int
    patches: pd.DataFrame

    def part(self, name: str) -> pd.DataFrame:
        """The regions of one part."""
        return self.patches[self.patches["part"] == name]

    @property
    def known(self) -> pd.DataFrame:
        """The regions of the training part, then of the validation part."""
        return pd.concat([self.part("train"), self.part("validation")])

    def labelled(self, name: str) -> LabelledRegions:
        """The regions of one part, as nets learn from them."""
        part = self.part(name)
        codes = self.split.meta.class_names.codes(part["label"])
        return LabelledRegions(regions_of(part), codes, part["group"].tolist())

    def targets(self, profile: Profile) -> StainTargets | None:
        """The stain of its training and validation frames, where one is learnt."""
        source = self.split.stain
        if source is None or not isinstance(profile.net, UNetSpec):
            return None
        wanted = self.patches[self.patches["part"].isin(("train", "validation"))]
        frames = sorted(set(zip(wanted["image"], wanted["t"].tolist(), strict=True)))
        return StainTargets.of(source, self.split.pixels, frames, profile.net.stain_offset)

    def first_frames(self, *parts: str) -> dict[str, frozenset[str]]:
        """Digests of the first frame of every image of some parts, see `study.content`."""
        return first_frames(self.split.study, self._images(parts), self.split.pixels.channels)

    def shown(self, *parts: str, also: Iterable[tuple[int, int]] = ()) -> pd.DataFrame:
        """Content table of the labelled frames of some parts, see `study.content.content`."""
        wanted = self.patches.loc[self.patches["part"].isin(parts), ["image", "t"]]
        return content(self.split.study, self.split.pixels, wanted.drop_duplicates(), also)

    @property
    def learnt(self) -> AllFrames:
        """All frames of training and validation images, by which these are known again.

        With those of the anchors that their features are relative to.
        """
        images = self._images(("train", "validation"))
        return all_frames(self.split.study, self.split.pixels, images)

    def _images(self, parts: Sequence[str]) -> list[str]:
        images = set(self.patches.loc[self.patches["part"].isin(parts), "image"])
        if self.split.anchors is not None:
            images |= self.split.anchors.of_plates(images)
        return sorted(images)

    def summary(self) -> dict[str, Any]:
        """What a card says of the data that a model was made with."""
        counts = self.patches.groupby(["part", "label"]).agg(
            patches=("group", "size"), groups=("group", "nunique")
        )
        groups = self.patches.groupby("part")["group"].unique()
        return {
            "study": self.split.study.folder.resolve().name,
            "split": self.split.name,
            "fold": self.number,
            "group": self.split.meta.by,
            "counts": counts.reset_index().to_dict("records"),
            "groups": {str(part): sorted(names.tolist()) for part, names in groups.items()},
        }


def _healthy(meta: SplitMeta, profile: Profile, named: str | None) -> str | None:
    """The class that a recipe of one class learns from."""
    if profile.net.one_class:
        return healthy_class(meta.class_names, named)
    if named is not None or meta.label_meta.healthy_only:
        raise SpecError(
            "this recipe learns from two classes or more"
            if named
            else f"only {meta.classes[0]!r} is labelled, and this recipe tells classes apart",
            where=f"profile {profile.name}",
            expected="a recipe of one class, such as HEALTHY_ONLY",
            got=f"--healthy {named}" if named else "labels of one class",
            remedy="train with --healthy-only",
        )
    return None


def _stain_pixels(
    study: Study, images: "pd.Series[str]", profile: Profile, seen: Sequence[str], asked: str | None
) -> StudyPixels | None:
    """Pixels of the stain that is asked for; it must be one that the net predicts, not sees."""
    if (asked is not None) != profile.net.predicts_stain:
        raise SpecError(
            "no channel is named for the stain that the net is to predict"
            if asked is None
            else "the profile's net predicts no stain",
            where=f"profile {profile.name}",
            got="" if asked is None else f"--stain {asked}",
            remedy="name it with --stain, or learn labels alone with --set stain_weight=0"
            if asked is None
            else "train a profile such as STAIN_UNET, or leave --stain out",
        )
    if asked is None:
        return None
    name = _stain_name(study, images, asked)
    if name in seen:
        raise SpecError(
            "a net that sees the stain has nothing to predict",
            where=str(study.folder),
            got=f"--stain {asked}, and channels {', '.join(seen)}",
            remedy="leave the stain out of the channels (--channel), and split again",
        )
    return StudyPixels(study, name)


def _stain_name(study: Study, images: "pd.Series[str]", asked: str) -> str:
    """Name of the stain's channel; all images without it are told."""
    headers, found, faults = study.headers(), [], []
    for _, row in headers[headers["image"].isin(images)].iterrows():
        header, image = header_of(row), str(row["image"])
        try:
            found += [header.channels[n] for n in choose_channels(header, asked, image)]
        except ImageContentError as error:
            faults.append(Fault.of(error, image))
    if faults:
        raise TableError(
            "images without the stain",
            faults,
            where=str(study.folder),
            remedy="name its channel with --stain, or leave these images out when indexing",
        )
    return found[0]


def _check_size(meta: SplitMeta, profile: Profile) -> None:
    if profile.sees_frames and meta.patch_px:
        raise SpecError(
            "the split holds patches, and the profile's net sees whole frames",
            where=f"profile {profile.name}",
            expected="a split made with --whole",
            got=f"patches of {meta.patch_px} px",
            remedy="split again with --whole",
        )
    if meta.patch_px != profile.input.patch_px:
        again = f"split again with --patch-px {profile.input.patch_px}"
        raise SpecError(
            "the split's patches are of another size than the profile's",
            where=f"profile {profile.name}",
            expected=f"patches of {profile.input.patch_px} px",
            got=f"{meta.patch_px} px" if meta.patch_px else "whole frames",
            remedy=f"{again}, or set patch_px={meta.patch_px} and an input_px up to it"
            if meta.patch_px
            else f"train a profile for whole frames, such as WSCNN_FAST, or {again}",
        )


def _chosen_folds(parts: pd.DataFrame, asked: Sequence[int] | None) -> tuple[int, ...]:
    there = sorted(int(fold) for fold in parts["fold"].unique())
    wrong = sorted(set(asked or ()) - set(there))
    if wrong:
        raise SplitError(
            "no such fold", expected=", ".join(map(str, there)), got=", ".join(map(str, wrong))
        )
    usable = tuple(fold for fold in there if asked is None or fold in asked)
    faults = [
        Fault("one-class", f"fold {fold}, {name}", "no group of this part")
        for fold in usable
        for name in ("train", "validation")
        if not ((parts["fold"] == fold) & (parts["part"] == name)).any()
    ]
    if faults:
        raise TableError("folds that cannot be trained", faults, remedy="split again")
    return usable
