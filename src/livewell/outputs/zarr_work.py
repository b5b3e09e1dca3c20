"""One field of a store as a unit of work: its files read, written, renamed to its place."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from shutil import copytree
from typing import Any

from livewell.execution.items import Item, Record
from livewell.files import sha256, strict, whole_folder
from livewell.image import Header, Image
from livewell.images.joined import JoinedImage
from livewell.images.listing import fingerprint
from livewell.images.opening import open_image
from livewell.images.reference import ImageRef
from livewell.outputs.zarr_fields import FieldPlan
from livewell.outputs.zarr_images import write_image
from livewell.outputs.zarr_metadata import GROUP_FILES, Values
from livewell.outputs.zarr_store import LEDGER, ZarrStore
from livewell.progress import Tick

HOLDS = frozenset(
    {*GROUP_FILES.values(), ".zgroup", LEDGER, *map(str, range(32))}
    | {"labels", "tables", "heatmap", "stain"}
)
"""What may lie in an older field, which a new one takes the place of."""
NO_PIXEL_UM = "no pixel size is known: its scale in the store is 1, without a unit"
NO_FRAME_S = "no time from frame to frame is known: its scale in the store is 1, without a unit"
UNEVEN = "its frames are not evenly spaced in time: the store keeps their times as livewell.times_s"


@dataclass(frozen=True, slots=True)
class FieldWork:
    """Makes fields of a store; `plans` are by the name of their item."""

    store: ZarrStore
    plans: Mapping[str, FieldPlan]
    pixel_um: float | None = None
    frame_s: float | None = None

    def items(self) -> list[Item]:
        """An item a field; what its record depends on is in its settings."""
        asked = {
            "ngff": self.store.version,
            "pixel_um": self.pixel_um,
            "frame_s": self.frame_s,
        }
        return [
            Item(name, plan.files[0], strict(asked | {"path": plan.path, **_told(plan)}))
            for name, plan in self.plans.items()
        ]

    def folders(self) -> dict[str, Path]:
        """Where every field lies."""
        return {name: self.store.at(plan) for name, plan in self.plans.items()}

    def __call__(self, item: Item, tick: Tick) -> Record:
        """Write a field, whole or not at all.

        Raises
        ------
        ImageReadError, ImageContentError
            One of its files cannot be read, or they are no one movie.
        OutputError
            It cannot be written.
        """
        plan = self.plans[item.name]
        with closing(self._opened(plan)) as image:
            header = image.header
            lengths = image.lengths if isinstance(image, JoinedImage) else (header.frames,)
            notes = [*header.notes, *_lacking(header)]
            record = {"path": plan.path, "shape": list(header.shape), "notes": notes}
            said = {
                "sources": [
                    {"image": name, "frames": frames, **_source(path)}
                    for name, path, frames in zip(plan.images, plan.files, lengths, strict=True)
                ],
                "well": plan.well and str(plan.well),
                "position": plan.position,
                "channels": header.channels,
                "times_s": header.times_s,
                "stage_um": header.stage_um,
                "account": header.account,
                "record": {"asked": item.asked, **record},
            }
            own = {} if plan.path else self.store.ours
            with whole_folder(self.store.at(plan), HOLDS) as folder:
                write_image(folder, image, plan.name, self.store.version, own | said, tick)
                if not plan.path and (self.store.folder / LEDGER).is_dir():
                    copytree(self.store.folder / LEDGER, folder / LEDGER)
        return record

    def _opened(self, plan: FieldPlan) -> Image:
        known = {"pixel_um": self.pixel_um, "frame_s": self.frame_s}
        if len(plan.files) == 1:
            return open_image(plan.files[0], **known)
        return JoinedImage(plan.files, first=plan.first, begin_s=plan.begin_s, **known)


def _told(plan: FieldPlan) -> Values:
    """What a record depends on beside the first file."""
    if len(plan.files) == 1:
        return {}
    versions = [list(fingerprint(path)) for path in plan.files[1:]]
    times = {"first": plan.first, "begin_s": plan.begin_s}
    return {"images": list(plan.images), "files": versions, **times}


def _lacking(header: Header) -> list[str]:
    notes = [] if header.pixel_um else [NO_PIXEL_UM]
    if header.frames > 1 and not header.frame_s:
        notes.append(UNEVEN if header.times_s else NO_FRAME_S)
    return notes


def _source(path: Path) -> dict[str, Any]:
    """What an image was made of: a file's hash, where it is one image."""
    size, changed = fingerprint(path)
    ref = ImageRef.of(path)
    if ref.field or not ref.container.is_file():
        return {"bytes": size}
    return {"bytes": size, "sha256": _sha256(path, size, changed)}


@lru_cache(maxsize=8)
def _sha256(path: Path, size: int, changed_ns: int) -> str:
    return sha256(path)
