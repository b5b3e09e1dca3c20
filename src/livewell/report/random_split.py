"""What a random split would have shown, on the page of an evaluation: never among the results."""

from livewell.inference.evaluation_set import EvaluationSet
from livewell.inference.random_split import RandomSplit
from livewell.metrics.baselines import TEXTURE
from livewell.report.evaluation import words_of
from livewell.report.page import Section, Table
from livewell.report.vocabulary import metric_name, short

TITLE = "What a random split would have shown"


def random_sections(found: RandomSplit, tested: EvaluationSet) -> list[Section]:
    """The size of the leak; none where it was not asked for."""
    if found.honest is None or found.random is None or found.leak is None:
        return [Section(TITLE, f"Nothing more: {found.why}.")] if found.why else []
    words = words_of(tested)
    metric = metric_name("roc_auc", macro=tested.classes.positive is None)
    instead = ""
    if found.learner == TEXTURE:
        instead = (
            " They stand in for the net, which would take long to train again; a net, which can"
            f" remember more of a {words.group}, may leak more."
        )
    rows = [
        (f"whole {words.groups} held out", short(found.honest), ""),
        (f"{words.regions} at random", short(found.random), "not a result"),
        ("the leak: the difference", short(found.leak), "not a result"),
    ]
    section = Section(
        TITLE,
        f"Not a result, but the size of an error. Had {words.regions} been dealt out at random, as"
        f" is often done, those of one {words.group} would stand on both sides. Here"
        f" {found.learner} learnt twice, from as many {words.regions} of each class, and judged"
        f" the same {found.regions:,}.{instead}",
        tables=[Table(("split", metric, ""), rows, f"Intervals resample whole {words.groups}.")],
    )
    return [section]


def told(found: RandomSplit) -> str:
    """The leak in a line for the terminal; empty where there is none to tell."""
    if found.random is None or found.leak is None:
        return f"nothing to show: {found.why}" if found.why else ""
    return (
        f"{found.random.value:.3f} pooled AUC of {found.learner}, {found.leak.value:+.3f} against"
        f" groups kept whole: a leak, not a result"
    )
