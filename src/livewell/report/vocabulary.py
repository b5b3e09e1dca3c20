"""What a page calls the things that it speaks of."""

from dataclasses import dataclass

from livewell.text import several

PATCH = "patch"


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Nouns of one page, in the singular.

    A region is what the net sees and scores: patch, frame, or image where every image has one
    frame. A group is never split: well, experiment, position.
    """

    region: str = PATCH
    group: str = "well"

    @property
    def regions(self) -> str:
        """Many regions."""
        return several(self.region)

    @property
    def groups(self) -> str:
        """Many groups."""
        return several(self.group)


PATCHES = Vocabulary()
"""The words of a page on patches of wells."""
