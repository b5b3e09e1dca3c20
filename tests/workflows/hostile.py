"""Names that are meant to break what shows them, and the check that nothing was broken."""

import base64
import csv
import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

NAMES = {
    "markup": "<img src=x onerror=alert(1)>",
    "script": "</script><script>alert(2)<!--",
    "quotes": '"\'`&lt;&#60;" autofocus onfocus=alert(3) x="',
    "escape": "\x1b[31mred\x1b]0;title\x07\x9b1m",
    "turned": "\u202egnp.\u2066\u200f\u061c",
    "formula": "=cmd|' C calc'!A0",
    "sum": "+1+cmd|A0",
    "lines": "a\nb\tc\rd\u2028e",
    "backslash": "a\\b\\x41\\n",
    "long": "l" * 120 + "\u7d30\u80de" * 12,
    "emoji": "\U0001f468\u200d\U0001f52c\U0001f9eb",
    "composed": "\u00e9tude",
    "decomposed": "e\u0301tude",
    "dollars": "$x^2$ $\\frac{",
    "braces": "{{ 7*7 }}{0} %s %(a)s {% raw %}",
    "rich": "[bold red]x[/red] [/]",
    "device": "CON",
    "dots": "ends. . ",
    "hidden": "_hidden",
    "dashes": "-rf --x",
    "unseen": "zero\u200bwidth\ufeff\U000e0041",
}
"""Text that a file or folder of Linux may be called, and a cell of a table may hold."""
BYTES = os.fsdecode(b"Zellen_gr\xf6\xdfe\xff")
"""A name that is not UTF-8."""
CONTROL = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)
"""What no reader sees or what steers a terminal, but for line breaks."""


class Page(HTMLParser):
    """Collects what a browser would run, fetch or show."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.scripts: list[str] = []
        self.pictures: list[bytes] = []
        self.text: list[str] = []
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Refuse what a page of ours has not."""
        self._inside = tag
        if tag == "script":
            self.scripts.append("")
        for name, value in attrs:
            assert not name.startswith("on"), (tag, name, value)
            assert name not in ("autofocus", "srcset", "srcdoc"), (tag, name, value)
            if name == "src":
                assert value is not None
                assert value.startswith("data:"), value
                if value.startswith("data:image"):
                    self.pictures.append(base64.b64decode(value.split(",", 1)[1]))
            if name == "href":
                assert value is not None
                assert re.match(r"positions/[^:]*$|#", value), value
            self.text.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        """The end of a script."""
        self._inside = ""

    def handle_data(self, data: str) -> None:
        """Text, of scripts and of the page."""
        if self._inside == "script":
            self.scripts[-1] += data
        else:
            self.text.append(data)


def check_page(path: Path) -> str:
    """Text of a page, in which no name is markup, runs, or steers what shows it."""
    whole = path.read_text("utf-8")
    page = Page()
    page.feed(whole)
    page.close()
    for script in page.scripts:
        assert "alert(" not in re.sub(r'"[^"\n]*"', "", script)
    for data in page.pictures:
        if data.lstrip()[:5] in (b"<?xml", b"<svg "):
            tree = ElementTree.fromstring(data)
            shown = "".join(tree.itertext())
            assert not CONTROL.search(shown.replace("\n", "")), shown
            assert not [each for each in tree.iter() if each.tag.endswith("script")]
    text = "\n".join(page.text)
    assert not CONTROL.search(whole), CONTROL.search(whole)
    return text


def check_table(path: Path) -> None:
    """No cell of a CSV is run by a spreadsheet."""
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.reader(file):
            for cell in row:
                number = re.fullmatch(r"[+-]?[\d.]+(e[+-]?\d+)?|-inf", cell)
                assert number or not cell.startswith(("=", "+", "-", "@", "\t", "\r")), cell


def refused(name: str) -> None:
    """No JSON has this."""
    raise AssertionError(name)


def check_folder(folder: Path) -> dict[str, str]:
    """All that was written: texts of the pages by the path below `folder`."""
    pages = {}
    for path in folder.rglob("*"):
        assert not path.name.startswith(".livewell-tmp"), path
        if path.suffix == ".html":
            pages[str(path.relative_to(folder))] = check_page(path)
        elif path.suffix == ".csv":
            check_table(path)
        elif path.suffix == ".json":
            json.loads(path.read_text("utf-8"), parse_constant=refused)
    return pages


def check_terminal(text: str) -> None:
    """Nothing of a name steers the terminal."""
    assert not CONTROL.search(text), CONTROL.search(text)


def check_json(text: str) -> dict[str, object]:
    """The one JSON object, which UTF-8 can hold."""
    found = json.loads(text, parse_constant=refused)
    json.dumps(found, ensure_ascii=False).encode("utf-8")
    assert isinstance(found, dict)
    return found


linux = pytest.mark.skipif(os.name != "posix", reason="these names are no names elsewhere")
