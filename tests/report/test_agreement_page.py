"""The page of agreement says what the answers allow, and no more."""

import html
import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from livewell.report.agreement import (
    AgreementResults,
    agreement_page,
    cautions,
    headline,
    meaning,
)
from livewell.report.page import Page, render
from livewell.workflows.agreement import agreement_results

CLASSES = ("healthy", "sick")


def crew(
    items: int = 200, skill: float = 0.9, persons: int = 3, seed: int = 0, **columns: object
) -> pd.DataFrame:
    """Answers of persons of one skill to all items of 20 wells, of five doses."""
    rng = np.random.default_rng(seed)
    well = np.arange(items) % 20
    truth = rng.random(items) < (well // 4) / 5 + 0.1
    rows = []
    for person in range(persons):
        said = np.where(rng.random(items) < skill, truth, ~truth)
        for item in range(items):
            word = "unsure" if rng.random() < 0.03 else CLASSES[int(said[item])]
            name = f"{person}<b>&\u202e"
            place = (f"w{well[item]:02}.tif", f"w{well[item]:02}", float(10 * (well[item] // 4)))
            rows.append((f"s{item}", name, word, 0, "sequence", *place, "s", 2.0 + person))
            if item % 5 == 0:
                again = CLASSES[int(truth[item])]
                rows.append((f"s{item}", name, again, 1, "sequence", *place, "s", 2.0))
    names = ["item", "person", "answer", "round", "kind", "image", "well", "dose", "dose_unit"]
    table = pd.DataFrame(rows, columns=[*names, "seconds"])
    return table.assign(time_s=np.arange(len(table)), **columns)


def shown(table: pd.DataFrame, **options: object) -> AgreementResults:
    """The results of a table."""
    return agreement_results(table, CLASSES, title="mine", **options)


def notes(results: AgreementResults, tone: str) -> str:
    return " ".join(note.text for note in cautions(results) if note.tone == tone)


def test_the_page_is_whole_and_safe() -> None:
    """All sections with a sentence, figures that are XML, names of people escaped."""
    results = shown(crew())
    page = agreement_page(results)
    assert [section.title for section in page.sections] == [
        "How often persons answered the same",
        "Agreement beyond chance",
        "Each person beside the others",
        "Answers against dose",
        "Each person with themselves",
        "Speed",
    ]
    assert all(section.lead for section in page.sections)
    pictures = [picture for section in page.sections for picture in section.pictures]
    assert len(pictures) == 7
    for picture in pictures:
        assert ElementTree.fromstring(picture.data.decode()).tag.endswith("svg")
        assert picture.alt
    text = render(page)
    assert "<b>&" not in text
    assert "\u202e" not in text
    assert "0&lt;b&gt;" in text


def test_the_headline_and_what_it_means() -> None:
    """Disagreement with its interval; ceilings; a tone by how reliable labels are."""
    good, poor = shown(crew(skill=0.99)), shown(crew(skill=0.7))
    text, tone = headline(good)
    assert re.match(r"Of 1\d\d sequences that two .* disagree on \d+: .*95% interval", text)
    assert tone == "good"
    assert "can be relied upon" in notes(good, "info")
    assert headline(poor)[1] == "warn"
    assert "no conclusion should rest" in notes(poor, "warn")
    assert "right on at most" in meaning(poor)
    assert "20 wells in turn" in notes(good, "info")


def test_too_little_is_said_so() -> None:
    """Few items answered twice, none at all, and items of one image only."""
    few = shown(crew(items=20))
    assert "too few to say much" in notes(few, "warn")
    assert headline(few)[1] == "warn"
    once = shown(crew(persons=1))
    assert "cannot be told" in headline(once)[0]
    assert "second person" in meaning(once)
    assert "one person" in notes(once, "info")
    one = shown(crew(well=None, image="a.tif"))
    assert "of one image" in notes(one, "warn")
    assert one.crew.coefficients.alpha.groups > 100


def test_what_is_not_counted_is_told() -> None:
    """Repeats, items that a model chose, and answers beyond the first two with a stop rule."""
    table = crew()
    table["reason"] = np.where(np.arange(len(table)) % 4 == 0, "uncertain", "random")
    told = notes(shown(table, stopped=True), "info")
    assert "120 answers not counted in agreement: hidden repeats" in told
    assert "because a model was unsure" in told
    assert "beyond the first two" in told


@pytest.mark.long
def test_three_classes_and_negative_agreement() -> None:
    """Three classes have three lines of doses; people who contradict each other are said to."""
    table = crew(skill=0.8)
    third = np.random.default_rng(1).random(len(table)) < 0.2
    table.loc[third, "answer"] = "dead"
    results = agreement_results(table, (*CLASSES, "dead"))
    page = agreement_page(results)
    assert isinstance(page, Page)
    assert results.crew.doses["class"].nunique() == 3
    assert "(as for two classes)" in meaning(results)
    against = crew(persons=2, skill=1.0)
    flip = against["person"].str.startswith("1")
    swap = {"healthy": "sick", "sick": "healthy", "unsure": "unsure"}
    against.loc[flip, "answer"] = against.loc[flip, "answer"].map(swap)
    leads = " ".join(section.lead for section in agreement_page(shown(against)).sections)
    assert "no more than chance" in leads


def test_numbers_for_machines_hold_every_sentence() -> None:
    """Estimates with both ends, the paper's counts, and the sentences that people read."""
    results = shown(crew())
    found = results.figures()
    assert found["estimates"]["alpha"]["low"] < found["estimates"]["alpha"]["value"]
    assert "alpha_unsure_as_class" in found["estimates"]
    assert found["paper"]["ceiling"] == pytest.approx(results.crew.ceiling.value)
    assert all(html.escape(text, quote=False) for text in found["sentences"])
    assert set(results.tables()) >= {"people", "pairs", "confusion", "doses", "overlap"}
