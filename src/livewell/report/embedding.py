"""The page of an embedding: what lies together in a net's features, classes or groups."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isnan

import pandas as pd

from livewell.classes import ClassNames
from livewell.explain.embedding import METHODS, Embedding
from livewell.explain.neighbours import CHANCE, LEAST_GROUPS, Neighbourhood
from livewell.metrics.intervals import ROUGH_GROUPS, Estimate
from livewell.report.embedding_map import colourings, embedding_widget, model_name, printed
from livewell.report.page import Note, Page, Section, Table, Tone, info, warn
from livewell.report.results import PageResults
from livewell.report.thumbnails import Tiles
from livewell.report.vocabulary import Vocabulary, short
from livewell.text import listed, plural, sentence

CLUSTERS = info(
    "On a map by t-SNE or UMAP what lies close together was close in features; how far apart or how"
    " large clusters are means nothing. Figures are measured in features, not on a map."
)
TRAINED_FOR = info(
    "How well classes are told apart `livewell evaluate` measures: a net that was trained for it"
    " lays them apart, a fixed backbone has not. What else lies together is the news here."
)


@dataclass(frozen=True)
class EmbeddingResults(PageResults):
    """What `embedding_page` shows.

    `tiles` are thumbnails of every embedding's regions, in order; `each` is what was found of every
    model, `together` of all; `fields` is the study's table, `by` the column that names groups.
    `folds` is how many the run has.
    """

    classes: ClassNames
    words: Vocabulary
    embeddings: Sequence[Embedding]
    tiles: Sequence[Tiles]
    each: Sequence[Neighbourhood]
    together: Neighbourhood
    fields: pd.DataFrame
    by: str
    folds: int


def embedding_page(results: EmbeddingResults) -> Page:
    """The page of an embedding."""
    verdict, tone = headline(results.together, results.words)
    lead = (
        f"Features are what the net has made of a {results.words.region} right before it tells"
        f" classes apart. No {results.words.group} shown is one that the model was trained on."
    )
    return results.page(verdict, tone, _sections(results), _notes(results), lead=lead)


def headline(found: Neighbourhood, words: Vocabulary) -> tuple[str, Tone]:
    """Whether regions lie by class or by group, in a sentence of plain numbers, and its tone."""
    by_class, by_group = found.by_class, found.by_group
    of_class = f"of two {_of_others(words)} that of the same class is nearer in"
    of_class += f" {by_class.value:.0%}"
    of_group = f"of two of one class that of the same {words.group} in {by_group.value:.0%}"
    chance = f"{CHANCE:.0%} is chance"
    if isnan(by_class.value):
        return f"Whether {words.regions} lie by class cannot be told here.", "warn"
    if isnan(by_group.value):
        unknown = f"whether they lie by {words.group} cannot be told here"
        tone: Tone = "info" if by_class.low > CHANCE else "bad"
        return f"{sentence(of_class)} ({chance}); {unknown}.", tone
    if "none" in (by_class.method, by_group.method):
        number = plural(_groups(found), words.group)
        return f"With {number} nothing is sure: {of_class}, {of_group}; {chance}.", "warn"
    said, tone = _compared(by_class, by_group, words.group)
    return f"{sentence(words.regions)} lie {said}: {of_class}, {of_group}; {chance}.", tone


def _of_others(words: Vocabulary) -> str:
    """Regions of other groups, where regions may be the groups themselves."""
    if words.region == words.group:
        return f"other {words.regions}"
    return f"{words.regions} of other {words.groups}"


def _compared(by_class: Estimate, by_group: Estimate, group: str) -> tuple[str, Tone]:
    """By what regions lie together, and whether that is good news."""
    if by_class.low <= CHANCE:
        if by_group.low > CHANCE:
            return f"by {group}, and by class not surely more than by chance", "bad"
        return f"neither by class nor by {group} surely more than by chance", "warn"
    if by_group.low <= CHANCE:
        return f"by class, and by {group} not surely more than by chance", "good"
    if by_class.low > by_group.high:
        return f"by class more than by {group}", "good"
    if by_group.low > by_class.high:
        return f"by {group} more than by class", "bad"
    return f"both by class and by {group}", "warn"


def _sections(results: EmbeddingResults) -> Iterator[Section]:
    classes, words = results.classes, results.words
    ways = [
        colourings(each.regions, results.fields, classes, results.by) for each in results.embeddings
    ]
    embeddings, tiles = results.embeddings, results.tiles
    said = "Each model has a map of its own, for features of different models cannot be compared."
    names = listed(METHODS[name] for name in embeddings[0].projected.maps)
    yield Section(
        f"Map of {words.regions}",
        f"By {names}. {said}",
        widgets=[embedding_widget(embeddings, tiles, ways, classes, words)],
    )
    yield Section(
        f"By class or by {words.group}?",
        f"Of two {_of_others(words)}, one of the same class and one of another,"
        " how often is that of the same class nearer in features? And of two of one class, at"
        f" other positions, how often is that of the same {words.group}? Neither answers for the"
        f" other, and both are {CHANCE:g} by chance and 1 at most. Every class counts as much as"
        f" the others, and every {words.group}. 95% intervals resample {words.groups}.",
        tables=[_table(results)],
    )
    yield Section("In print", pictures=printed(embeddings[0], tiles[0], ways[0], classes, words))


def _table(results: EmbeddingResults) -> Table:
    words = results.words
    found = [(model_name(e), n) for e, n in zip(results.embeddings, results.each, strict=True)]
    if len(found) > 1:
        found.insert(0, ("all models", results.together))
    rows = [
        (name, _figure(each.by_class), _figure(each.by_group), str(_groups(each) or ""))
        for name, each in found
    ]
    heads = ["model", "same class", f"same {words.group}", words.groups]
    said = f"Share of pairs in which that of the same kind is nearer, by chance {CHANCE:g}."
    return Table(heads, rows, f"{said} Fewer than {LEAST_GROUPS} {words.groups} give no interval.")


def _figure(found: Estimate) -> str:
    return f"{found.value:.2f}" if found.method == "none" else short(found)


def _groups(found: Neighbourhood) -> int:
    """Number of groups that the figures rest on, of the scarcer one; 0 where none is defined."""
    figures = (found.by_class, found.by_group)
    return min((each.groups for each in figures if not isnan(each.value)), default=0)


def _notes(results: EmbeddingResults) -> Iterator[Note]:
    words, found = results.words, results.together
    for figure in (found.by_class, found.by_group):
        if isnan(figure.value):
            yield warn(f"Not defined: {figure.note}.")
    if 0 < _groups(found) < ROUGH_GROUPS:
        yield warn(f"Figures rest on {plural(_groups(found), words.group)}: intervals are rough.")
    shown = len(results.embeddings)
    if shown < results.folds:
        yield info(
            f"{plural(shown, 'model')} of {results.folds} shown; --fold names others, --all-folds"
            f" shows all, and measures all {words.groups}."
        )
    number = sum(len(each.regions) for each in results.embeddings)
    total = sum(each.total for each in results.embeddings)
    if number < total:
        yield info(f"{number:,} of {total:,} {words.regions} were drawn, {words.groups} alike.")
    if any((each.regions["part"] == "validation").any() for each in results.embeddings):
        yield info(
            f"Validation {words.groups} are shown too: weights have not learnt from them, but"
            " thresholds were chosen on them."
        )
    first = results.embeddings[0].projected
    two, kept = first.explained[:2].sum(), first.explained.sum()
    yield info(
        f"Of the variance of standardised features PCA shows {two:.0%}; figures are measured in"
        f" {plural(len(first.explained), 'component')}, which hold {kept:.0%}."
    )
    yield CLUSTERS
    yield TRAINED_FOR
