"""How far a result can be trusted, in plain sentences; every rule is one function."""

import math
from collections.abc import Iterable, Sequence

from livewell.files import article
from livewell.metrics.decisions import MAX_ERROR
from livewell.metrics.intervals import Estimate
from livewell.report.page import Note, Tone, bad, good, info, warn
from livewell.report.vocabulary import Named, Vocabulary, has_interval, short, span
from livewell.tables.metadata import AuditSummary
from livewell.text import listed, plural

GUESSING = 0.5
"""Area under the ROC curve of answers by chance."""
FEW_GROUPS = 10
"""With fewer groups than this an interval from resampling groups is rough."""
GOOD_ECE, POOR_ECE = 0.05, 0.10
"""Expected calibration errors up to which probabilities can be taken as they are, or not."""
FLATTERY = 0.05
"""A pooled area this much above the one within groups comes from differences between groups."""
TELLING = 0.1
"""Share of the groups that have to hold both classes for the area within groups to be telling."""
ELSEWHERE = info(
    "What the model says holds as far as these images were taken like those that it learnt from "
    "and was measured on: same optics, magnification, cells and culture."
)
"""Stands on every page of new images."""
_ORDER: dict[Tone, int] = {"bad": 0, "warn": 1, "info": 2, "good": 3}


def sorted_notes(notes: Iterable[Note | None]) -> list[Note]:
    """Most serious first, otherwise in the given order; without any that is ``None``."""
    known = [note for note in notes if note is not None]
    return sorted(known, key=lambda note: _ORDER[note.tone])


def beats_guessing(estimate: Estimate) -> bool:
    """Whether the whole interval, or the value where there is none, lies above guessing."""
    low = estimate.low if has_interval(estimate) else estimate.value
    return math.isfinite(low) and low > GUESSING


def against_guessing(estimate: Estimate, metric: str, classes: Sequence[str]) -> Note:
    """Whether the classes are told apart at all, by a metric on unseen groups."""
    if not math.isfinite(estimate.value):
        return bad(f"{metric} is not defined here: {estimate.note or 'one class only'}.")
    if not has_interval(estimate):
        return warn(f"{metric} has no interval, so chance cannot be ruled out.")
    interval = f"interval of {metric} ({span(estimate)})"
    if estimate.high < GUESSING:
        return bad(
            f"The whole {interval} lies below {GUESSING:g}, worse than guessing: labels may be"
            " swapped, or differ from what was learnt."
        )
    if not beats_guessing(estimate):
        return bad(
            f"The {interval} includes {GUESSING:g}, which is guessing: these data cannot tell"
            f" whether {listed(classes)} differ."
        )
    return good(f"The whole {interval} lies above {GUESSING:g}.")


def group_count(groups: int, scarcer: int, words: Vocabulary, *, each_one: bool = False) -> Note:
    """Whether there are enough groups for the intervals.

    `scarcer` is how many hold the scarcer class. `each_one`: every group is one of what the net
    sees, so that to resample either is the same.
    """
    named = plural(groups, words.group)
    if scarcer < groups:
        named += f", {scarcer} of them with the scarcer class,"
    if min(groups, scarcer) < FEW_GROUPS:
        return warn(
            f"The result rests on {named} and no more. Intervals from fewer than {FEW_GROUPS} are"
            " rough, and the truth may well lie outside them."
        )
    units = f"whole {words.groups} ({groups}), not {words.regions}"
    return good(
        f"Every score is of {article(words.group)} that the net never saw in training; intervals"
        f" resample {f'{words.groups} ({groups})' if each_one else units}."
    )


def against_baselines(rows: Sequence[Named], metric: str) -> Note | None:
    """Whether the net, the first of the rows, is better than simple rules on the same patches."""
    if not rows:
        return None
    (_, net), *baselines = rows
    known = [(name, e) for name, e in baselines if math.isfinite(e.value)]
    if not known or not math.isfinite(net.value):
        return None
    name, best = max(known, key=lambda row: row[1].value)
    if best.value >= net.value:
        return bad(
            f"A simple rule does {'better' if best.value > net.value else 'as well'}: {name}"
            f" reaches {metric} {short(best)}, the net {short(net)}. Nothing shows that the net"
            " sees more."
        )
    if has_interval(net) and best.value >= net.low:
        return warn(
            f"{name} reaches {metric} {short(best)}, which lies within the net's interval: it is"
            " not clear that the net is better."
        )
    return good(f"The best simple rule, {name}, reaches {metric} {short(best)}.")


def calibration(ece: float | None, what: str) -> Note | None:
    """Whether a probability, of the class that `what` names, means what it says."""
    if ece is None or not math.isfinite(ece):
        return None
    by = f"off by {100 * ece:.1f} percentage points on average (expected calibration error)"
    if ece > POOR_ECE:
        return warn(f"Probabilities are {by}: read them as a ranking, not as the chance of {what}.")
    if ece > GOOD_ECE:
        return info(f"Probabilities are {by}.")
    return good(f"Probabilities mean what they say: {by}.")


def verdicts(right: Estimate | None) -> Note | None:
    """Whether verdicts on unseen images are as often right as their band was chosen for."""
    if right is None or not math.isfinite(right.value) or right.value >= 1 - MAX_ERROR:
        return None
    return warn(
        f"Of verdicts on whole images {right.value:.0%} were right ({span(right)}), fewer than"
        f" the {1 - MAX_ERROR:.0%} that the band of doubt was chosen for."
    )


def within_groups(
    pooled: Estimate | None, within: Estimate | None, group_name: str, groups: int
) -> Note | None:
    """Whether the pooled area profits from differences between groups, where that can be known.

    `within` is the mean of the areas within groups that hold both classes.
    """
    if pooled is None or within is None or not pooled.value - within.value >= FLATTERY:
        return None
    if within.groups < TELLING * groups:
        return info(
            f"Only {within.groups} of {groups} {group_name}s hold both classes: whether the AUC"
            f" tells one {group_name} from another, AUC within them ({within.value:.2f}) does not"
            " say."
        )
    return warn(
        f"Pooled AUC ({pooled.value:.2f}) is well above AUC within one {group_name}"
        f" ({within.value:.2f}): part of it only tells one {group_name} from another."
    )


NOT_MEASURED = warn(
    "The model was not measured on unseen groups. Run livewell evaluate on its training run."
)
"""Said of new images judged by a model whose card has no figures."""


def audited(audit: AuditSummary) -> Note:
    """What the audit of a model's labels says of everything that was learnt from them."""
    if audit.state == "fails":
        return bad(f"The audit of the labels fails, and so nothing here is sound. {audit.headline}")
    if audit.state == "attention":
        return warn(f"The audit of the labels asks for attention. {audit.headline}")
    if audit.state == "passes":
        return good(f"The audit of the labels found no shortcut. {audit.headline}")
    if audit.state == "unchecked":
        return info(f"The audit of the labels could check nothing. {audit.headline}")
    if audit.state == "stale":
        return info(
            "The labels or their split were made anew since they were audited: run livewell"
            " audit on the study again."
        )
    return info(
        "The labels were not audited: livewell audit, on the study, looks for what a net"
        " could learn in place of health."
    )


def learnt_from(learnt: int, images: int) -> Note | None:
    """Whether the model has learnt from some of the images that it judges."""
    if not learnt:
        return None
    those, them = ("is one", "it") if learnt == 1 else ("are ones", "these")
    return bad(
        f"{learnt:,} of {plural(images, 'image')} {those} that the model was trained or calibrated"
        f" on, or near copies: what it says of {them} is no evidence."
    )


def without_skill(area: Estimate) -> Note | None:
    """Whether a model that judges new images was no better than guessing (0.5) on unseen groups."""
    if not math.isfinite(area.value) or beats_guessing(area):
        return None
    how = "an interval that includes 0.5, which is guessing"
    if not has_interval(area) or area.value <= 0.5:
        how = "no better than 0.5, which is guessing"
    return bad(
        f"On unseen groups the model's AUC was {short(area)}, {how}. Believe neither its verdicts"
        " nor its detections."
    )


def taken_alike(measured: bool) -> Note:
    """What a model's figures on other images, if it has any, say of the images that it judges."""
    measure = "The model's figures were measured on other images, and hold"
    return info(
        f"{measure if measured else 'What the model learnt holds'} here as far as these images were"
        " taken alike: same optics, magnification, cells and culture."
    )


def virtual_batches(paper: Estimate | None, ours: Estimate | None) -> Note | None:
    """How much narrower the interval of DeadNet's paper is than the one that resamples groups."""
    if paper is None or ours is None or not (has_interval(paper) and has_interval(ours)):
        return None
    ratio = (ours.high - ours.low) / max(paper.high - paper.low, 1e-9)
    narrower = f"{ratio:.1f} times narrower" if 1.05 < ratio < 100 else "of another width"
    return info(
        f"The interval of DeadNet's paper, over virtual batches of patches, would be {span(paper)},"
        f" {narrower} than {span(ours)} from resampling groups. It says how well these patches are"
        " known, not how it goes on new ones."
    )
