"""Images of OME-Zarr: the header by their metadata alone, pixels frame by frame."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from livewell.errors import ImageReadError
from livewell.image import Frame, Header
from livewell.images.ome_zarr.groups import NAMES, ome
from livewell.images.ome_zarr.multiscale import Multiscale, read_multiscale
from livewell.images.ome_zarr.plate import fields_of, missing_well, place
from livewell.images.plain import damaged, plane_names, slices_note
from livewell.images.reference import one_field


class OmeZarrImage:
    """One image of a store; of its levels the whole-size one is read.

    A chunk without a file is refused: nothing tells one that was lost from one that was empty. In
    a shard that is whole, an absent chunk is empty, and holds the array's fill value.
    """

    packed = True

    def __init__(self, path: Path, field: str = "") -> None:
        image = path / field if field else path
        if not image.is_dir():
            raise missing_well(image)
        said = ome(image)
        if names := fields_of(image, said):
            image /= names[one_field(names, "", image)]
            said = ome(image)
        self.source = str(image)
        self._said = read_multiscale(image, said)
        self._array: Any = None
        self._lost: list[str] = []
        plate, well, position = place(image)
        self.header = replace(_header(self._said), plate=plate, well=well, position=position)

    def frame(self, t: int, channel: int = 0) -> Frame:
        """One (y, x) plane in the array's number type, read now."""
        said = self._said
        c, z = divmod(channel, said.size("z"))
        at = {"t": t, "c": c, "z": z}
        if self._array is None:
            self._array, self._lost = _opened(said)
        self._lost.clear()
        pixels = self._array[tuple(at.get(axis, slice(None)) for axis in said.axes)]
        if self._lost:
            raise damaged(
                Path(self.source),
                f"chunks of its pixels are not in the store, such as {self._lost[0]}",
                got=f"{len(self._lost)} absent",
            )
        frame: Frame = pixels.astype("u1") if pixels.dtype.kind == "b" else pixels
        return frame

    def close(self) -> None:
        """No file is held open."""
        self._array = None


def place_of(path: Path, field: str) -> tuple[str | None, str | None, str | None]:
    """Plate, well and position of an image, as `plate.place`."""
    return place(path / field if field else path)


def version(path: Path, field: str) -> tuple[int, int]:
    """Size and time of change of an image's metadata and of its whole-size level."""
    image = path / field if field else path
    size = changed = 0
    try:
        folders = [read_multiscale(image, ome(image)).level]
    except ImageReadError:
        folders = []
    for name in NAMES & {each.name for each in image.iterdir()}:
        stat = (image / name).stat()
        size, changed = size + stat.st_size, max(changed, stat.st_mtime_ns)
    while folders:
        for each in folders.pop().iterdir():
            stat = each.stat()
            changed = max(changed, stat.st_mtime_ns)
            if each.is_dir():
                folders.append(each)
            else:
                size += stat.st_size
    return size, changed


def _header(said: Multiscale) -> Header:
    slices = said.size("z")
    names = plane_names(said.channels, slices)
    return Header(
        frames=said.size("t"),
        channels=names,
        height=said.size("y"),
        width=said.size("x"),
        dtype=said.dtype,
        pixel_um=said.pixel_um,
        frame_s=said.frame_s,
        notes=(*said.notes, *slices_note(slices, said.z_um, names)),
        account=said.account,
        stage_um=said.stage_um,
    )


def _opened(said: Multiscale) -> tuple[Any, list[str]]:
    """The array, and a list that takes the names of chunks which are asked for and not there."""
    import zarr
    from zarr.storage import LocalStore, WrapperStore

    lost: list[str] = []

    class Watched(WrapperStore[LocalStore]):
        async def get(self, key: str, *args: Any, **named: Any) -> Any:
            found = await super().get(key, *args, **named)
            if found is None and not NAMES.intersection(key.split("/")):
                lost.append(key)
            return found

    store = Watched(LocalStore(said.level, read_only=True))
    return zarr.open_array(store, mode="r", zarr_format=3 if said.zarr_format == 3 else 2), lost
