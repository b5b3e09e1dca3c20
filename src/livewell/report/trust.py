"""How far a result can be trusted, in plain sentences; every rule is one function."""

import math
from collections.abc import Sequence

from livewell.files import article
from livewell.metrics.bands import MAX_ERROR
from livewell.report.estimate import EstimateLike, has_interval, short, span
from livewell.report.page import Note, Tone
from livewell.report.vocabulary import Vocabulary
from livewell.text import listed, plural

Named = tuple[str, EstimateLike]

FEW_GROUPS = 10
"""With fewer groups than this an interval from resampling groups is rough."""
GOOD_ECE, POOR_ECE = 0.05, 0.10
"""Expected calibration errors up to which probabilities can be taken as they are, or not."""
FLATTERY = 0.05
"""A pooled area this much above the one within groups comes from differences between groups."""
TELLING = 0.1
"""Share of the groups that have to hold both classes for the area within groups to be telling."""
_ORDER: dict[Tone, int] = {"bad": 0, "warn": 1, "info": 2, "good": 3}


def sorted_notes(notes: Sequence[Note]) -> list[Note]:
    """Most serious first, otherwise in the given order."""
    return sorted(notes, key=lambda note: _ORDER[note.tone])


def beats_guessing(estimate: EstimateLike, guessing: float = 0.5) -> bool:
    """Whether the whole interval, or the value where there is none, lies above guessing."""
    low = estimate.low if has_interval(estimate) else estimate.value
    return math.isfinite(low) and low > guessing


def against_guessing(
    estimate: EstimateLike, metric: str, classes: Sequence[str], guessing: float = 0.5
) -> Note:
    """Whether the classes are told apart at all, by a metric on unseen groups."""
    if not math.isfinite(estimate.value):
        return Note("bad", f"{metric} is not defined here: {estimate.note or 'one class only'}.")
    if not has_interval(estimate):
        return Note("warn", f"{metric} has no interval, so chance cannot be ruled out.")
    if estimate.high < guessing:
        return Note(
            "bad",
            f"The whole interval of {metric} ({span(estimate)}) lies below {guessing:g}, worse "
            "than guessing: labels may be swapped, or differ from what was learnt.",
        )
    if not beats_guessing(estimate, guessing):
        return Note(
            "bad",
            f"The interval of {metric} ({span(estimate)}) includes {guessing:g}, which is "
            f"guessing: these data cannot tell whether {listed(classes)} differ.",
        )
    return Note(
        "good", f"The whole interval of {metric} ({span(estimate)}) lies above {guessing:g}."
    )


def group_count(groups: int, scarcer: int, words: Vocabulary, *, each_one: bool = False) -> Note:
    """Whether there are enough groups for the intervals.

    `scarcer` is how many hold the scarcer class. `each_one`: every group is one of what the net
    sees, so that to resample either is the same.
    """
    named = plural(groups, words.group)
    if scarcer < groups:
        named += f", {scarcer} of them with the scarcer class,"
    if min(groups, scarcer) < FEW_GROUPS:
        return Note(
            "warn",
            f"The result rests on {named} and no more. Intervals from fewer than {FEW_GROUPS} are "
            "rough, and the truth may well lie outside them.",
        )
    units = f"whole {words.groups} ({groups}), not {words.regions}"
    if each_one:
        units = f"{words.groups} ({groups})"
    return Note(
        "good",
        f"Every score is of {article(words.group)} that the net never saw in training; intervals"
        f" resample {units}.",
    )


def against_baselines(rows: Sequence[Named], metric: str) -> list[Note]:
    """Whether the net, the first of the rows, is better than simple rules on the same patches."""
    if not rows:
        return []
    (_, net), *baselines = rows
    known = [(name, e) for name, e in baselines if math.isfinite(e.value)]
    if not known or not math.isfinite(net.value):
        return []
    name, best = max(known, key=lambda row: row[1].value)
    if best.value >= net.value:
        return [
            Note(
                "bad",
                f"A simple rule does as well: {name} reaches {metric} {short(best)}, the net "
                f"{short(net)}. What the net saw may be no more than that.",
            )
        ]
    if has_interval(net) and best.value >= net.low:
        return [
            Note(
                "warn",
                f"{name} reaches {metric} {short(best)}, which lies within the net's interval: "
                "it is not clear that the net is better.",
            )
        ]
    return [Note("good", f"The best simple rule, {name}, reaches {metric} {short(best)}.")]


def calibration(ece: float | None, what: str) -> list[Note]:
    """Whether a probability, of the class that `what` names, means what it says."""
    if ece is None or not math.isfinite(ece):
        return []
    by = f"off by {100 * ece:.1f} percentage points on average (expected calibration error)"
    if ece > POOR_ECE:
        return [
            Note(
                "warn",
                f"Probabilities are {by}: read them as a ranking, not as the chance of {what}.",
            )
        ]
    if ece > GOOD_ECE:
        return [Note("info", f"Probabilities are {by}.")]
    return [Note("good", f"Probabilities mean what they say: {by}.")]


def verdicts(right: EstimateLike | None) -> list[Note]:
    """Whether verdicts on unseen pictures are as often right as their band was chosen for."""
    if right is None or not math.isfinite(right.value) or right.value >= 1 - MAX_ERROR:
        return []
    return [
        Note(
            "warn",
            f"Of verdicts on whole pictures {right.value:.0%} were right ({span(right)}), fewer"
            f" than the {1 - MAX_ERROR:.0%} that the band of doubt was chosen for.",
        )
    ]


def within_groups(
    pooled: EstimateLike | None, within: EstimateLike | None, group_name: str, groups: int
) -> list[Note]:
    """Whether the pooled area profits from differences between groups, where that can be told.

    `within` is the mean of the areas within groups that hold both classes.
    """
    if pooled is None or within is None:
        return []
    if not (math.isfinite(pooled.value) and math.isfinite(within.value)):
        return []
    if pooled.value - within.value < FLATTERY:
        return []
    if within.groups < TELLING * groups:
        return [
            Note(
                "info",
                f"Only {within.groups} of {groups} {group_name}s hold both classes: whether the AUC"
                f" tells one {group_name} from another, AUC within them ({within.value:.2f}) does"
                " not say.",
            )
        ]
    return [
        Note(
            "warn",
            f"Pooled AUC ({pooled.value:.2f}) is well above AUC within one {group_name} "
            f"({within.value:.2f}): part of it only tells one {group_name} from another.",
        )
    ]


NOT_MEASURED = Note(
    "warn",
    "The model was not measured on unseen groups. Run livewell evaluate on its training run.",
)
"""Said of new images judged by a model whose card has no figures."""


def learnt_from(learnt: int, images: int) -> list[Note]:
    """Whether the model has learnt from some of the images that it judges."""
    if not learnt:
        return []
    those, them = ("is one", "it") if learnt == 1 else ("are ones", "these")
    return [
        Note(
            "bad",
            f"{learnt:,} of {plural(images, 'image')} {those} that the model was trained or"
            f" calibrated on: what it says of {them} is no evidence.",
        )
    ]


def without_skill(area: EstimateLike) -> list[Note]:
    """Whether a model that judges new images was no better than guessing (0.5) on unseen groups."""
    if not math.isfinite(area.value) or beats_guessing(area):
        return []
    if not has_interval(area) or area.value <= 0.5:
        how = "no better than 0.5, which is guessing"
    else:
        how = "an interval that includes 0.5, which is guessing"
    return [
        Note(
            "bad",
            f"On unseen groups the model's AUC was {short(area)}, {how}. Believe neither its"
            " verdicts nor its places.",
        )
    ]


def taken_alike(measured: bool) -> Note:
    """What a model's figures on other images, if it has any, say of the images that it judges."""
    what = "The model's figures were measured on other images, and hold"
    if not measured:
        what = "What the model learnt holds"
    return Note(
        "info",
        f"{what} here as far as these images were taken alike: same optics, magnification, cells"
        " and culture.",
    )


def virtual_batches(paper: EstimateLike | None, ours: EstimateLike | None) -> list[Note]:
    """How much narrower the interval of DeadNet's paper is than the one that resamples groups."""
    if paper is None or ours is None or not (has_interval(paper) and has_interval(ours)):
        return []
    ratio = (ours.high - ours.low) / max(paper.high - paper.low, 1e-9)
    narrower = f"{ratio:.1f} times narrower" if 1.05 < ratio < 100 else "of another width"
    return [
        Note(
            "info",
            f"The interval of DeadNet's paper, over virtual batches of patches, would be"
            f" {span(paper)}, {narrower} than {span(ours)} from resampling groups. It says how well"
            " these patches are known, not how it goes on new ones.",
        )
    ]
