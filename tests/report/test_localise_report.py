"""The page of detections: it claims no more than was found."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from livewell.report.localise import LocaliseResults, headline, localise_page
from livewell.report.page import Page, Picture, render

CLASSES = ("ellipses", "circles")
DRAWN = Picture(b"RIFF", "webp", "an image under its detections")


def results(**changed: object) -> LocaliseResults:
    pictures = pd.DataFrame(
        [
            ("a.tif", 0, None, None, 0.97, "circles", 3, "", "masks/a.tif"),
            ("b.tif", 0, None, None, 0.05, "ellipses", 0, "", "masks/b.tif"),
            ("c.tif", 0, None, None, 0.5, "unsure", 1, "", "masks/c.tif"),
            ("<d>.tif", 0, None, None, np.nan, "nothing to judge", 0, "", "masks/d.tif"),
        ],
        columns=["image", "t", "well", "position", "p", "verdict", "found", "note", "mask"],
    )
    detections = pd.DataFrame(
        [("a.tif", 0, n, 5.0 * n, 7.0, 3.0, 0.9) for n in (1, 2, 3)]
        + [("c.tif", 0, 1, 9.0, 9.0, 1.0, 0.7)],
        columns=["image", "t", "number", "y", "x", "score", "p"],
    )
    made = LocaliseResults(
        title="Detections in new",
        subtitle="by the model m",
        classes=CLASSES,
        pictures=pictures,
        detections=detections,
        failures=pd.DataFrame(columns=["image", "t", "error"]),
        threshold=0.4,
        band=(0.3, 0.6),
        least=0.68,
    )
    return replace(made, **changed)


def texts(page: Page) -> str:
    """Everything that the page says."""
    return render(page).replace("&#39;", "'")


def test_headline_counts_pictures_and_places() -> None:
    """Every verdict with its number, then detections and the images that hold them."""
    said, tone = headline(results())
    assert said == (
        "Of 4 images, 1 is called circles, 1 is called ellipses, 1 is unsure and 1 has nothing to"
        " judge. 4 detections of class circles in 2 images."
    )
    assert tone == "info"
    failures = pd.DataFrame([("x.tif", None, "[image-unreadable] no")], columns=["image", "t", "e"])
    said, tone = headline(results(failures=failures))
    assert said.endswith("1 input could not be judged.")
    assert tone == "warn"
    none = results(pictures=results().pictures.head(0), detections=results().detections.head(0))
    assert headline(none) == ("No image was judged.", "bad")


def test_the_page_says_what_a_place_is_not() -> None:
    """No segmentation, labels of images alone, no exact count, and whose threshold it is."""
    page = texts(localise_page(results()))
    assert "It is no segmentation" in page
    assert "trained on labels of images alone" in page
    assert "from p 0.68 on, a low one of those that told validation frames apart best" in page
    assert "no exact count" in page
    assert "Of 4 detections, 1 lies in 1 image not called circles" in page
    assert "(0.30 to 0.60)" in page
    assert "as you asked" in texts(localise_page(results(chosen=False)))
    assert "&lt;d&gt;.tif" in page
    assert "<d>.tif" not in page
    assert "masks/a.tif" not in page


def test_the_page_knows_the_pooling_and_leaves_bare_columns_out() -> None:
    """What is said of the maps fits the net, and columns without a word are not shown."""
    page = texts(localise_page(results()))
    assert page.count("the surest cell of each class map speaks for the image") == 1
    assert ">well<" not in page
    assert ">note<" not in page
    none = results().pictures.assign(well=np.nan, note=None)
    assert ">well<" not in texts(localise_page(results(pictures=none)))
    told = results().pictures.assign(note=["", "rescaled", "", ""], well=["A1", None, None, None])
    page = texts(localise_page(results(pictures=told, pooling="average")))
    assert "the mean of all cells of the class map speaks" in page
    assert ">well<" in page
    assert ">note<" in page
    assert "all cells of the class map together" in texts(
        localise_page(results(pooling="noisy_or"))
    )


def trusted(page: Page, tone: str) -> str:
    """What the notes of that tone say."""
    return " ".join(note.text for note in page.trust if note.tone == tone)


def test_figures_of_the_model_are_shown_if_there_are_any() -> None:
    """A measured model's figures have names that people read, those of detections last."""
    rows = [
        ("place_recall", 0.91, 0.85, 0.95),
        ("place_f1", 0.9, np.nan, np.nan),
        ("roc_auc", 0.93, 0.88, 0.97),
        ("pictures_decided", 0.8, 0.7, 0.9),
    ]
    page = localise_page(results(measured=rows))
    said = texts(page)
    names = ("AUC", "images with a verdict", "detections: recall", "detections: F1")
    places = [said.index(f">{name}<") for name in names]
    assert places == sorted(places)
    assert "0.850 to 0.950" in said
    assert "nan" not in re.sub('base64,[^"]*', "", said)
    for raw in ("roc_auc", "place_recall", "pictures_decided", "was not measured"):
        assert raw not in said
    assert trusted(page, "bad") == ""
    assert "figures were measured on other images" in trusted(page, "info")


def test_a_model_without_figures_is_cautioned_of() -> None:
    """Where nothing was measured, a note above says so, and nothing claims that it was."""
    page = localise_page(results())
    assert "was not measured on unseen groups" in trusted(page, "warn")
    assert "other images" not in texts(page)
    assert "`" not in " ".join(note.text for note in page.trust)


@pytest.mark.parametrize("area", [(0.55, 0.4, 0.7), (0.3, 0.2, 0.4), (0.5, np.nan, np.nan)])
def test_a_model_without_skill_is_a_problem(area: tuple[float, float, float]) -> None:
    """An AUC whose interval does not rule guessing out stands above, and colours the headline."""
    made = results(measured=[("roc_auc", *area)])
    assert "0.5, which is guessing" in trusted(localise_page(made), "bad")
    assert headline(made)[1] == "warn"
    skilled = results(measured=[("roc_auc", 0.8, 0.6, 0.9)])
    assert trusted(localise_page(skilled), "bad") == ""
    assert headline(skilled)[1] == "info"


def test_images_that_the_model_learnt_are_named() -> None:
    """What a model says of images that it learnt from is no evidence, and the page says so."""
    some = localise_page(results(learnt=3))
    assert "3 of 4 images are ones that the model was trained or calibrated on" in texts(some)
    assert "taken alike" in texts(some)
    assert "1 of 4 images is one" in trusted(localise_page(results(learnt=1)), "bad")
    assert "taken alike" not in texts(localise_page(results(learnt=4)))
    assert "calibrated on" not in texts(localise_page(results()))
    marked = results().pictures.assign(learnt=[1, 0, 0, 0])
    assert ">learnt<" in texts(localise_page(results(pictures=marked)))
    none = results().pictures.assign(learnt=0)
    assert ">learnt<" not in texts(localise_page(results(pictures=none)))


@pytest.mark.parametrize("classes", [("living", "dead"), ("ellipses", "circles")])
def test_sentences_bear_adjectives_and_nouns(classes: tuple[str, str]) -> None:
    """Whether the classes are things or states of things, no sentence breaks."""
    positive = classes[1]
    page = texts(localise_page(results(classes=classes)))
    for broken in (f"hold {positive}", f"holds {positive}", f"look {positive}", "showed it one",
                   f"evidence for {positive} ", f"which is {positive}"):  # fmt: skip
        assert broken not in page
    assert f"whole images labelled {positive} or {classes[0]}" in page
    assert f"detections of class {positive} in " in page


def test_one_word_for_a_frame_and_no_p_of_one() -> None:
    """All tables call t a frame, and a probability below 1 is not shown as 1."""
    pictures = results().pictures.assign(p=[0.9996, 0.0002, 0.5, np.nan])
    failures = pd.DataFrame([("x.tif", 0, "no")], columns=["image", "t", "error"])
    page = localise_page(results(pictures=pictures, failures=failures, least=0.9996))
    tables = [table for section in page.sections for table in section.tables]
    assert sum("frame" in table.columns for table in tables) == 3
    assert not any({"t", "found"} & set(table.columns) for table in tables)
    every = next(section.tables[0] for section in page.sections if section.title == "All images")
    at = list(every.columns).index("p")
    assert [row[at] for row in every.rows] == [">0.999", "<0.001", "0.500", ""]
    assert every.sides[at] == "r"
    assert "from p 0.99960 on" in texts(page)


def test_two_probabilities_are_explained() -> None:
    """Beside table and overlays stands that an image may have a lower p than its detection."""
    page = localise_page(results(overlays=[DRAWN]))
    leads = {section.title: section.lead for section in page.sections}
    for title in ("Images with most detections", "Images under their detections"):
        assert "may lie below that of its surest detection" in leads[title]
    assert (
        "with up to 12 detections, its p stands beside it" in leads["Images under their detections"]
    )
    assert "more than 60 there is no number" in leads["Images under their detections"]
    assert "a few pixels beside the middle of an object" in texts(page)


def test_without_overlays_nobody_is_sent_to_them() -> None:
    """A page without figures does not tell its reader to look at them."""
    assert "look at the overlays" not in texts(localise_page(results()))
    shown = results(overlays=[DRAWN])
    assert "look at the overlays before you count" in texts(localise_page(shown))


def test_pages_without_places_or_pictures() -> None:
    """Nothing found, nothing judged, everything failed: each has its page."""
    empty = results().detections.head(0)
    none = localise_page(results(pictures=results().pictures.assign(found=0), detections=empty))
    assert "No detection of class circles." in texts(none)
    assert "No detection reached the threshold." in texts(none)
    assert "1 image called circles without any detection" in texts(none)
    assert "without any detection" not in texts(localise_page(results()))
    failures = pd.DataFrame(
        [("x.tif", 0, "[image-content] blank")], columns=["image", "t", "error"]
    )
    bare = results(pictures=results().pictures.head(0), detections=empty, failures=failures)
    page = localise_page(bare)
    assert [section.title for section in page.sections] == ["Inputs that could not be judged"]
    assert [note.text for note in page.trust] == [
        "1 input could not be judged; it is listed below."
    ]
    assert "x.tif" in texts(page)
    twice = localise_page(replace(bare, failures=pd.concat([failures, failures])))
    assert "2 inputs could not be judged; they are listed below." in texts(twice)


def test_pictures_stand_in_one_gallery() -> None:
    """Overlays keep their order, and Figure 3 follows."""
    pictures = [replace(DRAWN, alt=f"picture {n}") for n in range(3)]
    page = texts(localise_page(results(overlays=pictures, maps=replace(DRAWN, alt="the maps"))))
    places = [page.index(f'alt="picture {n}"') for n in range(3)]
    assert places == sorted(places)
    assert "3 of 4 images" in page
    assert page.index('alt="the maps"') > places[-1]
