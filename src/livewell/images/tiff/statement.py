"""What a file's description says of its pages: which axes they make, their scale, their place."""

from collections.abc import Mapping
from dataclasses import dataclass, field

Place = tuple[int, int, int]
"""Frame, channel and slice of a plane."""


@dataclass(frozen=True, slots=True)
class Scale:
    """What a file says of its scale: ``None`` or empty where not said or not usable."""

    pixel_um: float | None = None
    frame_s: float | None = None
    channels: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def named(self, count: int) -> tuple[str, ...]:
        """Names of so many channels: those that are said where they fit, else numbers."""
        if len(self.channels) == count:
            return self.channels
        return ("grey",) if count == 1 else tuple(f"channel {i}" for i in range(count))


@dataclass(frozen=True, slots=True)
class Statement:
    """What one description says.

    ``source`` is who says it. ``sizes`` are letters and sizes of the axes over planes, the slowest
    first: T, C, Z, others as tifffile names them, and ``Q`` where a size has no name. ``places``
    tells for each plane the file (empty for this one) and the number of its page, in place of the
    order of ``sizes``, and ``uuids`` what those other files must call themselves. If ``behind``,
    planes that have no page lie one after the other behind the first one. ``pages`` are the numbers
    of those it speaks of, ``None`` for all. ``height``, ``width`` and ``dtype`` are 0 or empty
    where not said. ``broken`` says why a description that is there cannot be understood. ``name``
    is what the file calls the image, empty where it does not. ``seconds`` says for planes, by file
    and page as in ``places``, when they were taken, from any start on. ``stage_um`` is where the
    stage stood, (y, x) in micrometres. ``sampled``: the samples of a pixel are the channels.
    """

    source: str = ""
    sizes: tuple[tuple[str, int], ...] = ()
    places: Mapping[Place, tuple[str, int]] | None = None
    uuids: Mapping[str, str] = field(default_factory=dict)
    pages: tuple[int, ...] | None = None
    behind: bool = False
    height: int = 0
    width: int = 0
    dtype: str = ""
    scale: Scale = field(default_factory=Scale)
    well: str | None = None
    position: str | None = None
    notes: tuple[str, ...] = ()
    account: tuple[str, ...] = ()
    broken: str = ""
    name: str = ""
    seconds: Mapping[tuple[str, int], float] = field(default_factory=dict)
    stage_um: tuple[float, float] | None = None
    sampled: bool = False

    def size(self, letter: str) -> int:
        """Size of an axis, 1 where it is absent."""
        return dict(self.sizes).get(letter, 1)
