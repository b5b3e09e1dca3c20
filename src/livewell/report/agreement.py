"""The page of how far persons agree, with each other, with themselves and with what is known."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from livewell.labels.marks import NONE
from livewell.metrics.annotators import CrewAgreement
from livewell.metrics.intervals import ROUGH_GROUPS, Estimate
from livewell.report.agreement_figures import dose_shares, kappa_map, overlap_bars
from livewell.report.agreement_people import controls, others, selves, speeds
from livewell.report.page import Note, Page, Section, Table, Tone, info, warn
from livewell.report.results import PageResults
from livewell.report.vocabulary import has_interval, short
from livewell.text import plural, sentence, several, were

ENOUGH = 50
"""Fewer items than this that two persons answered say little."""
RELIABLE, TENTATIVE = 0.8, 0.667
"""Alpha from which conclusions may rest on labels, and from which tentative ones may
(Krippendorff 2004, Content Analysis, 2nd ed., p. 241)."""


@dataclass(frozen=True)
class AgreementResults(PageResults):
    """What the page of agreement shows.

    `item` and `group` are the nouns of what was answered and of what intervals resample, such as
    sequence and well; `one_group` says that groups were too few and items stand alone instead.
    `left_aside` counts answers that agreement is not computed on, by why.
    """

    crew: CrewAgreement
    item: str = "item"
    group: str = "item"
    one_group: bool = False
    left_aside: tuple[tuple[str, int], ...] = ()

    def tables(self) -> dict[str, pd.DataFrame]:
        """Everything in numbers, by the name of its file."""
        crew = self.crew
        return {
            "people": crew.people,
            "pairs": crew.pairs,
            "confusion": crew.confusion,
            "overlap": crew.overlap,
            "doses": crew.doses,
            "coefficients": coefficient_table(crew),
        }

    def figures(self) -> dict[str, Any]:
        """The headline, every sentence and every figure with its interval, for machines."""
        crew, text = self.crew, headline(self)[0]
        found = {"disagreement": crew.disagreement, "unsure": crew.unsure}
        found |= {"ceiling": crew.ceiling, "chance_ceiling": crew.chance_ceiling}
        found |= _named(crew.coefficients)
        if crew.unsure_as_class is not None:
            with_unsure = _named(crew.unsure_as_class)
            found |= {f"{name}_unsure_as_class": each for name, each in with_unsure.items()}
        counts = {"pairs": crew.paper.pairs, "disagreed": crew.paper.disagreed}
        return {
            "headline": text,
            "sentences": [section.lead for section in _sections(self) if section and section.lead],
            "paper": counts | {name: getattr(crew.paper, name) for name in _PAPER},
            "estimates": {name: asdict(each) for name, each in found.items()},
        }


_PAPER = ("share", "ambiguous", "left", "ceiling", "chance_ceiling")


def agreement_page(results: AgreementResults) -> Page:
    """The page, whole."""
    text, tone = headline(results)
    return results.page(text, tone, _sections(results), cautions(results), lead=meaning(results))


def headline(results: AgreementResults) -> tuple[str, Tone]:
    """How often persons disagree and what accuracy can then be expected, in a sentence."""
    crew, paper = results.crew, results.crew.paper
    if not paper.pairs:
        return f"No two persons are sure of one {results.item}: agreement cannot be told.", "warn"
    text = (
        f"Of {plural(paper.pairs, results.item)} that two persons or more answered the first two"
        f" disagree on {paper.disagreed:g}: {_share(crew.disagreement)}."
    )
    alpha = crew.coefficients.alpha
    few = paper.pairs < ENOUGH or not has_interval(alpha)
    if few:
        return text, "warn"
    if alpha.low >= RELIABLE:
        return text, "good"
    return text, "info" if alpha.low >= TENTATIVE else "warn"


def meaning(results: AgreementResults) -> str:
    """What disagreement says of labels and of the accuracy that can be expected, in sentences."""
    crew, paper = results.crew, results.crew.paper
    if not paper.pairs:
        return f"Let a second person answer some of the {several(results.item)} of the first."
    some = "" if len(crew.classes) == 2 else " (as for two classes)"
    return (
        f"If people answer ambiguous {several(results.item)} by chance{some}, {paper.ambiguous:.1%}"
        f" are ambiguous, and {paper.left:.1%} still are among those on which all agree. A net"
        f" measured on such labels can be expected to be right on at most {_share(crew.ceiling)};"
        f" on {_share(crew.chance_ceiling)} with luck on half of the ambiguous ones."
    )


def cautions(results: AgreementResults) -> Iterator[Note]:
    """What to know before the figures are trusted."""
    crew, items = results.crew, several(results.item)
    twice, groups = crew.coefficients.items, crew.coefficients.alpha.groups
    if 0 < twice < ENOUGH:
        yield warn(
            f"Only {were(twice, results.item)} answered twice: too few to say much. Aim at"
            f" {ENOUGH} or more; the site shows each person some of what others answered."
        )
    if results.one_group:
        yield warn(
            f"All {items} are of one {results.group}: intervals take them as independent, which"
            f" they are not, and say nothing of another {results.group}."
        )
    elif 1 < groups < ROUGH_GROUPS and results.group != results.item:
        yield warn(f"Intervals from {plural(groups, results.group)} are rough.")
    alpha = crew.coefficients.alpha
    if has_interval(alpha) and twice >= ENOUGH:
        yield _reliability(alpha)
    if crew.unsure.value > 0.2:
        yield warn(
            f"{_share(crew.unsure)} of the answers are unsure. Figures that leave them out are of"
            f" the easier {items} alone."
        )
    once = int(crew.overlap.loc[crew.overlap["persons"] == 1, "items"].sum())
    if once:
        yield info(
            f"{were(once, results.item)} answered by one person: nobody knows how often these"
            " answers are right."
        )
    if NONE in crew.classes:
        yield info(
            "A cell is known by somebody's mark, so nobody agrees that there is none: alpha and"
            " kappas are lower than of whole frames. Equal answers say how often marks agree."
        )
    for why, count in results.left_aside:
        yield info(f"{plural(count, 'answer')} not counted in agreement: {why}.")
    if not twice:
        return
    of = several(results.item if results.one_group else results.group)
    yield info(
        "Intervals are 95%, for these persons on further items: kappas and alpha by leaving out"
        f" each of {groups} {of} in turn; shares are exact binomial, of as many independent"
        f" answers as vary as much between {of}."
    )


def _reliability(alpha: Estimate) -> Note:
    """What Krippendorff would conclude from labels of these persons."""
    if alpha.low >= RELIABLE:
        text = f"Alpha is {short(alpha)}, all above {RELIABLE}: labels of one person can be relied"
        return info(f"{text} upon (Krippendorff 2004).")
    if alpha.low >= TENTATIVE:
        text = f"Alpha is {short(alpha)}, above {TENTATIVE} but not surely above {RELIABLE}"
        return info(f"{text}: labels allow tentative conclusions (Krippendorff 2004).")
    return warn(
        f"Alpha is {short(alpha)}, not surely above {TENTATIVE}: no conclusion should rest on"
        " labels of one person (Krippendorff 2004). Label by several, and drop what they disagree"
        " on, or weigh them (livewell label votes --rule dawid-skene)."
    )


def _sections(results: AgreementResults) -> Iterator[Section | None]:
    crew = results.crew
    yield Section(
        "How often persons answered the same",
        f"{were(len(crew.answers.items), results.item)} answered by"
        f" {plural(len(crew.answers.persons), 'person')}; {crew.coefficients.items:,} of them two"
        " times or more with sure answers.",
        [overlap_bars(crew.overlap)],
        [_paper_table(crew)] if crew.paper.pairs else [],
    )
    if crew.coefficients.items:
        yield _chance_corrected(results)
        yield others(crew, results.item)
    yield _doses(results)
    yield selves(crew)
    yield controls(crew)
    yield speeds(crew)


def _paper_table(crew: CrewAgreement) -> Table:
    paper = crew.paper
    rows = [
        ("first two answers, none unsure", f"{paper.pairs:,}"),
        ("of these persons disagree", f"{paper.disagreed:g}"),
        ("share of disagreement", _share(crew.disagreement)),
        ("ambiguous before", f"{paper.ambiguous:.1%}"),
        ("ambiguous among those on which all agree", f"{paper.left:.1%}"),
        ("highest accuracy to expect, as the paper says", _share(crew.ceiling)),
        ("the same, right on half of the ambiguous", _share(crew.chance_ceiling)),
    ]
    return Table(["", ""], rows, "After Richmond et al. 2017, section 3.1.")


def coefficient_table(crew: CrewAgreement) -> pd.DataFrame:
    """Columns name, unsure, value, low, high, groups, method, note; one row a coefficient."""
    every = [("left out", crew.coefficients), ("a class", crew.unsure_as_class)]
    rows = [
        {"name": name, "unsure": unsure, **asdict(each)}
        for unsure, found in every
        if found is not None
        for name, each in _named(found).items()
    ]
    return pd.DataFrame(rows)


_NAMES = {
    "alpha": "Krippendorff's alpha (nominal)",
    "fleiss": "Fleiss' kappa (varying numbers of answers, Gwet 2014)",
    "cohen": "mean of Cohen's kappa over pairs of persons",
    "observed": "equal answers of two persons",
}


def _chance_corrected(results: AgreementResults) -> Section:
    crew, alpha = results.crew, results.crew.coefficients.alpha
    columns, found = ["unsure left out"], [_named(crew.coefficients)]
    if crew.unsure_as_class is not None:
        columns, found = [*columns, "unsure as a class"], [*found, _named(crew.unsure_as_class)]
    rows = [(text, *(short(each[name]) for each in found)) for name, text in _NAMES.items()]
    table = Table(["", *columns], rows, "With 95% intervals; 1 is perfect, 0 what chance gives.")
    return Section(
        "Agreement beyond chance",
        _beyond_chance(alpha),
        [kappa_map(crew.pairs, crew.answers.persons)],
        [table],
    )


def _beyond_chance(alpha: Estimate) -> str:
    if math.isnan(alpha.value):
        return f"Agreement beyond chance is not defined: {alpha.note}."
    if alpha.value <= 0:
        return f"Persons agree no more than chance would make them: alpha is {short(alpha)}."
    way = f"alpha is {short(alpha)}: persons come {alpha.value:.0%} of the way from what chance"
    if has_interval(alpha) and alpha.low <= 0:
        return f"Agreement beyond chance is not shown; {way} gives to perfect agreement."
    return sentence(f"{way} gives to perfect agreement.")


def _doses(results: AgreementResults) -> Section | None:
    doses, first = results.crew.doses, results.crew.classes[0]
    if doses.empty:
        return None
    parts = [part for _, part in doses.groupby("dose_unit", sort=True)]
    part = max(parts, key=len)
    mine = part[part["class"] == first].sort_values("dose")
    low, high = mine.iloc[0], mine.iloc[-1]
    text = f"{sentence(first)} is said of {_dose(low)} at the lowest dose"
    if len(mine) > 1:
        text = f"{text} and of {_dose(high)} at the highest"
    text += f" (95% intervals over {several(results.group)})."
    pictures = [dose_shares(each, results.crew.classes) for each in parts]
    few = int(mine["groups"].min())
    notes = [] if few > 1 else [warn(f"A dose has one {results.group} only: no interval there.")]
    shown = part[["dose", "class", "answers", "items", "groups", "share", "low", "high"]]
    return Section("Answers against dose", text, pictures, [Table.of(shown)], notes)


def _dose(row: "pd.Series[Any]") -> str:
    span = f" ({row['low']:.0%}-{row['high']:.0%})" if math.isfinite(row["low"]) else ""
    return f"{row['share']:.0%}{span}"


def _named(found: Any) -> dict[str, Estimate]:
    return {name: getattr(found, name) for name in _NAMES}


def _share(found: Estimate) -> str:
    """``18.6% (95% interval 14.1-23.9%)``."""
    if math.isnan(found.value):
        return "unknown"
    if not has_interval(found):
        return f"{found.value:.1%}"
    return f"{found.value:.1%} (95% interval {100 * found.low:.1f}-{100 * found.high:.1f}%)"
