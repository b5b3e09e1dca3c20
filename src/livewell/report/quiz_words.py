"""What a person scored in a quiz, in sentences; without figures, for the site says them too."""

from livewell.metrics.intervals import ROUGH_GROUPS, Estimate
from livewell.metrics.paired import SAME
from livewell.metrics.quiz import PartScore, PersonScore
from livewell.report.vocabulary import has_interval
from livewell.text import plural, sentence

MODEL = "the model"
WHEN = {"before": "before studying labelled images", "after": "after studying them"}


def quiz_words(one: PersonScore, by: str) -> list[str]:
    """What one person scored, in sentences."""
    words = []
    for part, score in one.parts.items():
        accuracy = score.figures["accuracy"]
        text = (
            f"{sentence(WHEN[part])} {one.person} called {_of(accuracy, score.count)} right"
            f"{_interval(accuracy)}"
        )
        if score.unsure:
            text += f"; {plural(score.unsure, 'answer')} of unsure, which is not right"
        words.append(f"{text}. {_beside_model(one.person, score)}")
    if "accuracy" in one.change:
        words.append(_changed(one.change["accuracy"], by))
    return words


def _of(accuracy: Estimate, count: int) -> str:
    return f"{round(accuracy.value * count)} of {count} ({accuracy.value:.0%})"


def _interval(found: Estimate) -> str:
    if not has_interval(found) or found.method == "none":
        return f" (no interval: {found.note})" if found.note else ""
    return f" (95% interval {found.low:.0%} to {found.high:.0%})"


def _beside_model(person: str, score: PartScore) -> str:
    """The model on the same regions, and how far apart they are."""
    theirs, apart = score.model["accuracy"], score.ahead["accuracy"]
    said = f"The model called {_of(theirs, score.count)} of the same right"
    if apart.method == SAME:
        return f"{said}: the same answers."
    points = abs(100 * apart.value)
    side = "more" if apart.value > 0 else "fewer"
    said += f"; {person} is right on {points:.0f} in 100 {side}" if points >= 0.5 else "; as many"
    if not has_interval(apart):
        return f"{said}. The difference has no interval: {apart.note}."
    span = f"{100 * apart.low:.0f} to {100 * apart.high:.0f} in 100"
    shown = (
        "includes zero: no difference is shown"
        if apart.low <= 0 <= apart.high
        else ("excludes zero")
    )
    return f"{said}. The 95% interval of the difference, {span}, {shown}."


def _changed(change: Estimate, by: str) -> str:
    """The change from before to after."""
    points = 100 * change.value
    said = f"From before to after accuracy changed by {points:+.0f} in 100"
    if not has_interval(change):
        return f"{said}; there is no interval: {change.note}."
    span = f"95% interval {100 * change.low:+.0f} to {100 * change.high:+.0f}"
    shown = "no change is shown" if change.low <= 0 <= change.high else "it is more than chance"
    few = f"; over {plural(change.groups, by)}" if change.groups < ROUGH_GROUPS else ""
    return f"{said} ({span}{few}): {shown}."
