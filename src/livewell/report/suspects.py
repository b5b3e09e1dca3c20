"""Images whose label the net contradicts, for the page of an evaluation."""

from collections.abc import Sequence
from dataclasses import dataclass

from livewell.classes import ClassNames
from livewell.report.page import Picture, Section
from livewell.report.style import edges
from livewell.text import several


@dataclass(frozen=True)
class SuspectsResults:
    """What `suspects_section` shows.

    `noun` is image, or patch where labels stand on patches; `contradicted` are counts by direction.
    Of `labelled` images `scored` were scored by a model that never saw them, in `folds` of the
    split's `of_folds`. The table `file` lists at most `listed` of each direction; one of the
    pictures shows the surest of one direction.
    """

    classes: ClassNames
    noun: str
    contradicted: dict[str, int]
    scored: int
    labelled: int
    listed: int
    file: str
    pictures: Sequence[Picture]
    folds: int = 1
    of_folds: int = 1


def suspects_section(results: SuspectsResults) -> Section:
    """For a person to look at, with what was scored and how."""
    total = sum(results.contradicted.values())
    counts = "; ".join(f"{number:,} {name}" for name, number in results.contradicted.items())
    some = _scored(results)
    other = "the other" if results.classes.binary else "another"
    if total:
        said = (
            f"The net gives {other} class more than even odds for {total:,}"
            f" {several(results.noun) if total > 1 else results.noun}"
            f" ({counts}). These are for a person to look at: the label may be wrong, or the net."
            " Nothing is relabelled."
        )
        most = max(results.contradicted.values())
        cut = f", the {results.listed:,} surest of each direction" if most > results.listed else ""
        said += (
            f" All stand in {results.file}{cut}; the surest are shown, with the colour of their"
            f" label round them: {edges(results.classes)}."
        )
    else:
        said = f"The net gives no {results.noun}'s other class more than even odds."
    return Section(
        "Labels that the net contradicts", f"{said} {some}", pictures=list(results.pictures)
    )


def _scored(results: SuspectsResults) -> str:
    """How many images were scored, and how to have all of them scored."""
    if results.scored >= results.labelled:
        return (
            f"All {results.labelled:,} labelled images were scored, each by a model that learnt"
            " neither from it nor from its group."
        )
    some = f"Only {results.scored:,} of the {results.labelled:,} labelled images were scored"
    if results.folds < results.of_folds:
        return (
            f"{some}: the test parts of {results.folds} of {results.of_folds} folds. Train the"
            " other folds too, in one run, to have more of them scored."
        )
    if results.of_folds > 1:
        return f"{some}: the test parts of this split."
    return f"{some}: the test part of this split. Split into folds to have all of them scored."
