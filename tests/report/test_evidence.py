"""Figures and page of looking inside a net: one absolute scale, and warnings that are seen."""

import base64
import html
import re
from dataclasses import replace
from io import BytesIO
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from numpy.typing import NDArray
from PIL import Image

from livewell.explain.background import Background, OffCells, background
from livewell.metrics.intervals import Estimate
from livewell.report.evidence_words import Words
from livewell.report.explain import (
    COVER,
    HONEST,
    Evidence,
    ExplainResults,
    class_models,
    evidence_pairs,
    explain_page,
    field_evidence,
    headline,
    overlaid,
)
from livewell.report.page import Page, Picture, render
from livewell.report.style import class_look

NAN = float("nan")
CLASSES = ("healthy", "sick")
EDGE = 24


def grey(seed: int = 0, edge: int = EDGE) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(1000, 20, (edge, edge)).astype(np.float32)


def patch(
    level: float = 1.0, *, number: int = 1, caption: str = "p 0.90, B01", seed: int = 0, **more: int
) -> Evidence:
    """A patch with evidence of that strength in its left half, and none in its right."""
    found = np.zeros((EDGE, EDGE), np.float32)
    found[:, : EDGE // 2] = level
    return Evidence(grey(seed), found, number, caption, **more)


def images(picture: Picture) -> list[NDArray[np.uint8]]:
    """Raster images in an SVG, in the order in which they are drawn."""
    found = []
    for part in ElementTree.fromstring(picture.data).iter():
        for name, value in part.attrib.items():
            if name.endswith("href") and value.startswith("data:image/png;base64,"):
                data = base64.b64decode(value.partition(",")[2])
                found.append(np.asarray(Image.open(BytesIO(data)).convert("RGB")))
    return found


def words(picture: Picture) -> list[str]:
    root = ElementTree.fromstring(picture.data)
    return ["".join(part.itertext()) for part in root.iter() if part.tag.endswith("text")]


@given(st.floats(0, 10), st.floats(0.01, 10), st.integers(0, 1))
def test_colour_depends_on_evidence_and_scale_alone(level: float, top: float, number: int) -> None:
    """Grey and colour are mixed by evidence over `top`, whatever else is in the picture."""
    item = patch(level, number=number)
    found = overlaid(item, top)
    dark = overlaid(replace(item, map=np.zeros_like(item.map)), top)
    alpha = COVER * min(np.float32(level) / top, 1)
    colour = np.array(to_rgb(class_look(number).colour))
    left, right = np.s_[:, : EDGE // 2], np.s_[:, EDGE // 2 :]
    np.testing.assert_allclose(found[left], (1 - alpha) * dark[left] + alpha * colour, atol=1e-6)
    np.testing.assert_array_equal(found[right], dark[right])
    assert found.min() >= 0
    assert found.max() <= 1


def test_faint_evidence_stays_within_the_range_of_colours() -> None:
    """Colours are 0 to 1 exactly, so that nothing is logged of values that had to be clipped."""
    assert overlaid(patch(6e-8, number=0), 2.0).max() <= 1


def test_the_same_evidence_has_the_same_colour_beside_others() -> None:
    """A patch is drawn alike alone, beside weaker and beside far stronger evidence."""
    alone = images(evidence_pairs([patch(1.0)], CLASSES, 4.0))
    weak = images(evidence_pairs([patch(1.0), patch(0.01)], CLASSES, 4.0))
    strong = images(evidence_pairs([patch(1.0), patch(100.0), patch(50.0)], CLASSES, 4.0))
    edges = {min(image.shape[:2]) for image in (alone[0], weak[0], strong[0])}
    assert all(len(found) >= 2 for found in (alone, weak, strong))
    assert edges == {EDGE}
    np.testing.assert_array_equal(alone[0], weak[0])
    np.testing.assert_array_equal(alone[0], strong[0])
    assert not np.array_equal(strong[0], strong[1])


def test_evidence_beyond_the_scale_is_shown_alike() -> None:
    """From `top` on all evidence has the full colour, and what is below zero has none."""
    np.testing.assert_array_equal(overlaid(patch(2.0), 2.0), overlaid(patch(1e9), 2.0))
    np.testing.assert_array_equal(overlaid(patch(-3.0), 2.0), overlaid(patch(0.0), 2.0))


def test_both_classes_have_their_colour() -> None:
    """Evidence for healthy and for sick differ in colour, and each has its bar with words."""
    pair = [patch(number=0, truth=0), patch(number=1, truth=0)]
    assert not np.allclose(overlaid(pair[0], 1.0), overlaid(pair[1], 1.0))
    said = " ".join(words(evidence_pairs(pair, CLASSES, 1.0)))
    for name in CLASSES:
        assert f"evidence for {name} (score per cell of the layer)" in said
    alone = " ".join(words(evidence_pairs(pair[:1], CLASSES, 1.0)))
    assert "evidence for sick" not in alone


def test_where_nobody_looked_the_grey_picture_stays() -> None:
    """NaN evidence is no evidence: the picture is that without any, not black or blank."""
    item = patch(1.0)
    unknown = item.map.copy()
    unknown[:, : EDGE // 2] = NAN
    found = overlaid(replace(item, map=unknown), 1.0)
    np.testing.assert_array_equal(found, overlaid(replace(item, map=0 * item.map), 1.0))
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found[..., 0], found[..., 2])
    nowhere = replace(item, map=np.full_like(item.map, NAN))
    ElementTree.fromstring(field_evidence(nowhere, CLASSES, 1.0).data)


def test_a_scale_of_zero_shows_no_evidence() -> None:
    """Where no patch holds any evidence `top` may be 0; pictures are grey, and nothing fails."""
    item = patch(0.0)
    found = overlaid(item, 0.0)
    np.testing.assert_array_equal(found, overlaid(item, 1.0))
    ElementTree.fromstring(evidence_pairs([item, item], CLASSES, 0.0).data)
    ElementTree.fromstring(field_evidence(item, CLASSES, 0.0).data)


def test_a_scale_of_zero_where_nobody_looked() -> None:
    """With `top` 0 NaN evidence leaves the grey picture too."""
    item = patch(0.0)
    unknown = replace(item, map=np.full_like(item.map, NAN))
    assert np.isfinite(overlaid(unknown, 0.0)).all()


def test_a_flat_picture_is_drawn() -> None:
    """A patch of one grey level has no contrast to stretch, and evidence over it is still seen."""
    flat = replace(patch(1.0), grey=np.full((EDGE, EDGE), 7, np.float32))
    found = overlaid(flat, 1.0)
    assert np.isfinite(found).all()
    assert not np.array_equal(found[0, 0], found[0, -1])


@pytest.mark.parametrize("number", [1, 3, 7])
def test_galleries_tell_every_patch(number: int) -> None:
    """Captions stand under their patches and in the words for those who cannot see them."""
    items = [
        patch(caption=f"p 0.{n}\nwell B0{n}", seed=n, truth=n % 2) for n in range(1, number + 1)
    ]
    picture = evidence_pairs(items, CLASSES, 1.0, title="Sick, rightly")
    assert picture.alt.startswith(f"Sick, rightly: {number} patches beside their evidence.")
    said = words(picture)
    for item in items:
        assert item.caption.replace("\n", ", ") in picture.alt
        assert all(line in said for line in item.caption.split("\n"))
    assert "absolute" in picture.caption
    assert picture.wide


def test_empty_galleries_are_said() -> None:
    """Nothing to show is a small figure that says so."""
    for picture in (
        evidence_pairs([], CLASSES, 1.0, title="Called sick, labelled healthy"),
        class_models([]),
    ):
        assert picture.alt.endswith(": None.")
        assert words(picture) == ["None."]
    assert evidence_pairs([], CLASSES, 1.0, title="Called sick").alt.startswith("Called sick")


def test_a_patch_stands_beside_itself() -> None:
    """Left is the patch without evidence, right the same under it, a gap between."""
    (drawn,) = [i for i in images(evidence_pairs([patch(1.0)], CLASSES, 1.0)) if i.shape[1] > 40][
        :1
    ]
    left, right = drawn[:, :EDGE], drawn[:, -EDGE:]
    assert drawn.shape[:2] == (EDGE, 2 * EDGE + 1)
    np.testing.assert_array_equal(left[..., 0], left[..., 2])
    np.testing.assert_array_equal(left[:, EDGE // 2 :], right[:, EDGE // 2 :])
    assert (drawn[:, EDGE] == 255).all()
    assert not np.array_equal(left[:, : EDGE // 2], right[:, : EDGE // 2])


@pytest.mark.parametrize(("shape", "by"), [((40, 60), 1), ((901, 300), 2), ((30, 2700), 3)])
def test_large_fields_are_drawn_coarsely_and_say_so(shape: tuple[int, int], by: int) -> None:
    """Fields of more than 900 px are thinned out; the caption says by how much."""
    rng = np.random.default_rng(0)
    item = Evidence(
        rng.random(shape).astype(np.float32),
        rng.random(shape).astype(np.float32),
        1,
        "A01, frame 2",
    )
    picture = field_evidence(item, CLASSES, 1.0)
    assert (f"One pixel in {by} is drawn" in picture.caption) == (by > 1)
    assert picture.alt == "A01, frame 2: the field, and its evidence for sick."
    assert max(images(picture)[0].shape) == -(-max(shape) // by)


def test_class_models_stand_in_rows() -> None:
    """A row a class with a caption under each image; a free place stays free."""
    rows = [
        ("healthy", [("from zeros, score 0 to 9", grey(1))]),
        (
            "sick",
            [("from zeros, score 0 to 8", grey(2)), ("a healthy patch", None), ("c", grey(3))],
        ),
    ]
    picture = class_models(rows)
    assert picture.alt == "Class models of healthy and sick."
    said = words(picture)
    assert {"healthy", "sick", "from zeros, score 0 to 9", "from zeros, score 0 to 8", "c"} <= set(
        said
    )
    assert "a healthy patch" not in said
    assert len(images(picture)) == 3


def off(evidence_off: float, area_off: float, patches: int = 12) -> Background:
    """Evidence and area off cells, nearly alike in all patches of six wells."""
    ones, some = np.ones(patches), 1 + 0.01 * (np.arange(patches) % 6 - 2.5)
    found = OffCells(ones, evidence_off * some, area_off * ones, ones.astype(bool))
    return background(found, [f"B{n % 6:02}" for n in range(patches)], seed=0)


def dark(patches: int = 12) -> Background:
    """No evidence in any patch."""
    zeros = np.zeros(patches)
    found = OffCells(zeros, zeros, zeros + 0.4, np.ones(patches, bool))
    return background(found, ["B01"] * patches, seed=0)


def results_of(**changes: object) -> ExplainResults:
    """A net that looks at cells."""
    made = ExplainResults(
        "Inside run",
        "profile TINY, 1 model",
        CLASSES,
        Words("Grad-CAM at layer block3, weights averaged over the training patches of the class."),
        2.0,
        [("Sick, rightly", [patch(1.0, truth=1)]), ("Called sick, labelled healthy", [])],
        [],
        None,
        {"healthy": off(0.1, 0.5), "sick": off(0.2, 0.5)},
    )
    return replace(made, **changes)


def said(page: Page, tone: str) -> str:
    return " ".join(note.text for note in page.trust if note.tone == tone)


def test_evidence_on_cells_is_good_news() -> None:
    """The headline names each class's share on cells, and nothing is warned of."""
    page = explain_page(results_of())
    assert page.tone == "good"
    assert page.verdict == (
        "90% of the evidence for healthy and 80% of the evidence for sick lies on cells, which"
        " cover 50% of the patches."
    )
    assert said(page, "warn") == ""
    assert "block3" in page.lead
    assert "never saw" in page.lead


@pytest.mark.parametrize(
    ("found", "words_"),
    [
        (off(0.4, 0.8), "the net looks at the background too"),
        (off(0.3, 0.3), "the net looks at the background as much as at the cells"),
        (dark(), "is not known"),
    ],
)
def test_a_warning_turns_the_pages_tone(found: Background, words_: str) -> None:
    """One class whose evidence lies off cells, or nowhere, is enough to warn, and comes first."""
    page = explain_page(results_of(background={"healthy": off(0.1, 0.5), "sick": found}))
    assert page.tone == "warn"
    assert words_ in said(page, "warn")
    assert "for sick" in said(page, "warn")
    assert page.trust[0].tone == "warn"
    assert words_ in render(page)


def test_hardly_any_background_is_no_proof() -> None:
    """Where cells cover nearly all of the patches the page is neither good news nor a warning."""
    full = {name: off(0.01, 0.02) for name in CLASSES}
    page = explain_page(results_of(background=full))
    assert page.tone == "info"
    assert "hardly a background" in said(page, "info")
    assert "cover 98% of the patches" in page.verdict
    mixed = explain_page(results_of(background=full | {"sick": off(0.1, 0.3)}))
    assert mixed.tone == "good"
    assert "cover 70%-98% of the patches" in mixed.verdict


def test_what_maps_cannot_say_is_always_said() -> None:
    """Good page or bad, the limits of such maps stand on it."""
    for found in (off(0.1, 0.5), dark()):
        assert HONEST in explain_page(results_of(background={"sick": found})).trust


def test_nothing_measured_is_said() -> None:
    """Without any evidence the headline says that nothing could be measured."""
    for found in ({}, {"sick": dark()}):
        results = results_of(background=found)
        assert headline(results) == "Where the evidence lies could not be measured."
        render(explain_page(results))


def test_nothing_measured_is_no_good_news() -> None:
    """A net that never calls the class asked for leaves nothing to measure, which is no success."""
    assert explain_page(results_of(background={}, pairs=[])).tone != "good"


def test_an_unknown_share_is_not_told_as_nan() -> None:
    """The table of shares says in words, or not at all, what is not known."""
    table = explain_page(results_of(background={"sick": dark()})).sections[-1].tables[0]
    assert not any("nan" in value for row in table.rows for value in row)


def test_shares_stand_in_a_table() -> None:
    """One row a class: evidence and area off cells, patches, groups, patches without cells."""
    without = replace(off(0.2, 0.5), without_cells=3, patches=1234)
    table = explain_page(results_of(background={"sick": without})).sections[-1].tables[0]
    assert re.fullmatch(r"0\.20 \(0\.\d+-0\.\d+\)", table.rows[0][1])
    assert re.match(r"0\.50\b", table.rows[0][2])
    assert table.rows[0][3:] == ("1,234", "6", "3")


@pytest.mark.long
def test_disagreement_stands_in_a_table_beside_fields() -> None:
    """One row a field, with each crop's own weights and with those of the class."""
    field = field_evidence(patch(1.0, caption="A01.tif, frame 2"), CLASSES, 1.0)
    rows = [("A01.tif, frame 2", "sick", 0.512, 0.034), ("B01.tif, frame 0", "healthy", 1.2, NAN)]
    page = explain_page(results_of(fields=[field], disagreement=rows))
    (section,) = [each for each in page.sections if each.title == "Whole fields"]
    assert section.pictures == [field]
    assert section.tables[0].columns[2:] == ("weights of each crop", "weights of the class")
    assert section.tables[0].rows[0] == ("A01.tif, frame 2", "sick", "0.51", "0.03")
    plain = explain_page(results_of(fields=[field]))
    assert [each.tables for each in plain.sections if each.title == "Whole fields"] == [[]]


def test_sections_without_content_are_left_out() -> None:
    """No fields and no class models, no such headings; galleries and shares are always there."""
    titles = [section.title for section in explain_page(results_of()).sections]
    assert titles == ["Surest calls, right and wrong", "Is it the cells?"]
    shown = explain_page(results_of()).sections[0].pictures
    assert shown[0].caption.startswith("Sick, rightly. ")
    assert shown[1].caption.startswith("Called sick, labelled healthy. ")
    full = results_of(
        fields=[field_evidence(patch(1.0), CLASSES, 1.0)],
        models=class_models([("sick", [("from zeros", grey())])]),
    )
    titles = [section.title for section in explain_page(full).sections]
    assert titles[1:3] == ["Whole fields", "Class models"]


def test_text_of_users_is_escaped() -> None:
    """Names of classes, groups and images are text on the page and in its figures."""
    evil = "<i>&\"x'</i>"
    results = results_of(
        title=evil,
        classes=("healthy", evil),
        pairs=[(evil, [patch(caption=evil)])],
        fields=[field_evidence(patch(caption=evil), ("healthy", evil), 1.0)],
        models=class_models([(evil, [(evil, grey())])]),
        background={evil: off(0.5, 0.5)},
        disagreement=[(evil, evil, 0.1, 0.1)],
        settings={evil: evil},
    )
    text = render(explain_page(results))
    assert "<i>" not in text
    assert html.unescape(text).count(evil) >= 8
    for section in explain_page(results).sections:
        for picture in section.pictures:
            assert b"<i>" not in picture.data
            ElementTree.fromstring(picture.data)


def test_an_estimate_without_a_number_is_left_out_of_the_headline() -> None:
    """One class measured and one dark: the headline tells of the one that is known."""
    unknown = replace(off(0.2, 0.5), evidence=Estimate(NAN, NAN, NAN, 0, "undefined", "dark"))
    results = results_of(background={"healthy": off(0.1, 0.5), "sick": unknown})
    assert headline(results).startswith("90% of the evidence for healthy lies on cells")
    assert "sick" not in headline(results)
