"""What a model fitted of people's answers is worth, in words: the hold-out figure first."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from livewell.classes import ClassNames
from livewell.metrics.intervals import ROUGH_GROUPS, Estimate
from livewell.report.vocabulary import has_interval
from livewell.text import plural, sentence, several

CHANCE_LEVEL = 0.5
"""Area of a model that knows nothing."""


@dataclass(frozen=True, slots=True)
class HoldOut:
    """Hold-out figures of one set of labels.

    `headline` names the area in `figures` that counts most; `by` is the column whose values are
    held out whole, `groups` how many there are, `torn` the column of coarser groups that are not
    held out whole, if any.
    """

    figures: Mapping[str, Estimate]
    headline: str
    by: str
    groups: int
    classes: ClassNames
    torn: str = ""

    @property
    def area(self) -> Estimate:
        """The figure that counts most."""
        return self.figures[self.headline]


def hold_out_words(found: HoldOut) -> list[str]:
    """Sentences on hold-out figures, the most important one first."""
    area, by = found.area, found.by
    if np.isnan(area.value):
        return [f"There is no hold-out figure: {area.note}."]
    first, second = found.classes[0], found.classes[1]
    pair = f"a {second} item from a {first} one" if found.classes.binary else "the classes"
    within = f" of the same {by}" if found.headline == "within_auc" else ""
    said = (
        f"On {by}s that the model had not learnt from it tells {pair}{within} with an area under"
        f" the ROC curve of {area.value:.2f} (0.5 is chance, 1 is perfect)"
    )
    if not has_interval(area) or area.method == "none":
        words = [f"{said}; there is no interval: {area.note}."]
    else:
        span = f"95% interval {area.low:.2f} to {area.high:.2f}"
        over = plural(area.groups, by)
        over += f" of {found.groups}" if found.headline == "within_auc" else " of the rarer class"
        words = [f"{said}; {span}, over {over}."]
        if area.low <= CHANCE_LEVEL:
            words.append("The interval includes chance: it is not shown that it can tell them.")
    if area.groups < ROUGH_GROUPS:
        few = f"{plural(area.groups, by)} {'is' if area.groups == 1 else 'are'} few"
        words.append(
            f"{sentence(few)}: the interval is rough. Answers of other {by}s say more than further"
            " ones of the same."
        )
    if found.torn:
        coarse = several(found.torn)
        words.append(
            f"It has learnt from other {by}s of the same {coarse}, which are too few to be held"
            f" out: on other {coarse} it may be worth less."
        )
    right = found.figures.get("balanced_accuracy", found.figures.get("accuracy"))
    if right is not None and np.isfinite(right.value):
        what = "the mean over the classes" if "balanced_accuracy" in found.figures else "of all"
        words.append(
            f"{right.value:.0%} of its calls are right ({what}; 95% interval"
            f" {right.low:.0%} to {right.high:.0%})."
        )
    words.append(
        "Right is what people answered, who can be wrong; items on which they were unsure or did"
        " not agree are not in the figure, which is therefore of the easier ones."
    )
    return words
