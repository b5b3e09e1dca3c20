"""The page: one file, safe, readable."""

import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from livewell.report.page import Note, Page, Picture, Section, Table, Video, cell, flat, render
from livewell.report.style import empty

EVIL = "<script>alert('\"x\"')</script>&"
SVG = Picture(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "svg", "a figure", "its caption")
PAGE = Page(
    title=f"Run {EVIL}",
    subtitle=EVIL,
    verdict=f"Told apart {EVIL}",
    tone="warn",
    lead=EVIL,
    trust=[Note("bad", EVIL), Note("good", "sound")],
    sections=[
        Section(
            "Figures",
            EVIL,
            pictures=[SVG, Picture(b"\x89PNG", "png", EVIL, EVIL)],
            tables=[Table(["well", EVIL], [[EVIL, "1"]], EVIL)],
            notes=[Note("info", EVIL)],
            videos=[Video(b"\x1aE", "video/webm", EVIL)],
        )
    ],
    settings={"training": {"lr": 1e-3, "wells": ["B02", EVIL]}, "seed": 1},
    versions={"livewell": "0"},
)


class Reader(HTMLParser):
    """Collects tags, resources and the text in order; void tags are those of HTML."""

    void = ("meta", "img", "link", "br", "hr")

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def read() -> Reader:
    reader = Reader()
    reader.feed(render(PAGE))
    reader.close()
    return reader


def test_every_tag_is_closed(read: Reader) -> None:
    """The page is well formed."""
    assert read.open == []


def test_the_page_needs_nothing_else(read: Reader) -> None:
    """No script, no link, no address: every picture and video lies inside."""
    assert not {tag for tag, _ in read.tags} & {"script", "link", "iframe", "object"}
    sources = [
        value for _, attrs in read.tags for k, value in attrs.items() if k in ("src", "href")
    ]
    assert len(sources) == 3
    assert all(value and value.startswith("data:") for value in sources)
    html = render(PAGE)
    assert not re.search(r"(?i)https?://|@import|url\(", html)


def test_names_from_users_are_escaped(read: Reader) -> None:
    """Markup in a name is shown as it was written, wherever it comes."""
    assert "<script" not in render(PAGE)
    assert read.text.count(EVIL) >= 9


def test_the_verdict_comes_before_trust_before_figures_before_settings(read: Reader) -> None:
    """The order that a reader needs."""
    places = [
        read.text.index(text)
        for text in ("Told apart", "How far to trust", "Figures", "Settings", "Versions")
    ]
    assert places == sorted(places)


def test_the_page_can_be_heard(read: Reader) -> None:
    """Language, one first heading, an alternative text a picture, a scope a header cell."""
    tags = [tag for tag, _ in read.tags]
    assert tags.count("h1") == 1
    assert dict(read.tags)["html"] == {"lang": "en"}
    assert all(attrs.get("alt") for tag, attrs in read.tags if tag == "img")
    assert all(attrs.get("scope") in ("col", "row") for tag, attrs in read.tags if tag == "th")


def test_tone_is_said_in_words_too(read: Reader) -> None:
    """A problem is called a problem, not only coloured."""
    assert "Problem" in read.text
    assert "Sound" in read.text


def test_a_bare_page_renders() -> None:
    """Title and verdict are enough."""
    html = render(Page("Run", "", "Nothing was scored."))
    assert "Nothing was scored." in html
    assert "How far to trust" not in html


def test_a_table_comes_from_a_frame() -> None:
    """Numbers are right-aligned and short, empty cells stay empty, long tables say so."""
    frame = pd.DataFrame(
        {
            "well": ["B02", None, "C03"],
            "n": pd.array([1, None, 12000], dtype="Int64"),
            "p": [0.123456, np.nan, 1234.5],
            "ok": [True, False, True],
        }
    )
    table = Table.of(frame, "Wells", most=2)
    assert table.columns == ["well", "n", "p", "ok"]
    assert list(table.rows) == [("B02", "1", "0.123", "yes"), ("", "", "", "no")]
    assert table.sides == "lrrl"
    assert "first 2 of 3" in table.caption


@pytest.mark.parametrize(
    ("value", "shown"),
    [(np.int64(12), "12"), (np.float32(0.5), "0.5"), (pd.NA, ""), (None, ""), (1e6, "1000000"),
     (np.bool_(True), "yes"), (0.00001234, "1.23e-05"), (float("inf"), "inf")],
)  # fmt: skip
def test_cells_are_short(value: object, shown: str) -> None:
    """Values of every kind become text that fits a table."""
    assert cell(value) == shown


def test_settings_are_flattened() -> None:
    """Nested names are joined by dots; lists and empty values can be read."""
    assert flat({"a": {"b": [1, 2], "c": None}, "d": {}}) == {
        "a.b": "1, 2",
        "a.c": "none",
        "d": "{}",
    }


def test_a_picture_is_its_own_address() -> None:
    """The address of a picture names its format."""
    assert SVG.uri.startswith("data:image/svg+xml;base64,")
    assert empty("nothing", "Figure").alt == "Figure: nothing"
