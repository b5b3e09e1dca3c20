"""Numbers and nouns as sentences and tables show them."""

import math
import re
from collections.abc import Iterable, Mapping
from html import escape

_STRAY = re.compile("[\ud800-\udfff]")
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff"
    "\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f]"
)
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def printable(text: str, *, lines: bool = False) -> str:
    r"""The text safe to show: what no reader sees, and what steers a terminal, is spelt out.

    Control characters, line breaks (kept where `lines`), marks that turn the direction of writing
    and halves of surrogate pairs become ``\n``, ``\x1b``, ``\u202e``.
    """
    if lines:
        return "\n".join(map(printable, text.split("\n")))
    return text if text.isprintable() else _UNSEEN.sub(_spelt, text)


def encodable(text: str) -> str:
    r"""The text with halves of surrogate pairs spelt out; a byte that was not UTF-8: ``\xf6``."""
    return text if text.isascii() else _STRAY.sub(_spelt, text)


def _spelt(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:  # how Python holds a byte that is not UTF-8
        code -= 0xDC00
    width, letter = (2, "x") if code < 0x100 else (4, "u") if code < 0x10000 else (8, "U")
    return _SHORT.get(match[0], f"\\{letter}{code:0{width}x}")


def plural(count: int, noun: str) -> str:
    """``1 well``, ``12 wells``."""
    return f"{count:,} {noun if count == 1 else several(noun)}"


def were(count: int, noun: str) -> str:
    """``1 well was``, ``12 wells were``."""
    return f"{plural(count, noun)} {'was' if count == 1 else 'were'}"


def sentence(text: str) -> str:
    """The text with a capital at its beginning, and nothing else changed."""
    return text[:1].upper() + text[1:]


def listed(items: Iterable[str]) -> str:
    """``healthy, sick and dead``."""
    *first, last = items
    return f"{', '.join(first)} and {last}" if first else last


def short(value: object, most: int = 60) -> str:
    """The beginning of a text, with dots where there is more."""
    text = str(value)
    return text if len(text) <= most else text[: most - 3] + "..."


def few(items: Iterable[object], most: int = 5) -> str:
    """``a, b, c, d, e, ... (12 in all)``."""
    texts = list(map(str, items))
    more = f", ... ({len(texts)} in all)" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more


def chance(p: float, digits: int = 3) -> str:
    """A probability for a table: never rounded to 0 or 1; nothing for NaN."""
    if p != p:
        return ""
    shown, least = f"{p:.{digits}f}", 10.0**-digits
    if float(shown) >= 1:
        return f">{1 - least:.{digits}f}"
    return shown if float(shown) > 0 else f"<{least:.{digits}f}"


def threshold_p(p: float) -> str:
    """A threshold on a probability: two digits of how far it is from the nearer of 0 and 1."""
    left = min(p, 1 - p)
    digits = 1 - math.floor(math.log10(left)) if left > 0 else 2
    return f"{p:.{min(max(digits, 2), 9)}f}"


def several(noun: str) -> str:
    """``patches``, ``frames``, ``nuclei``."""
    if noun == "hours":
        return noun
    if noun.endswith("us"):
        return f"{noun[:-2]}i"
    return f"{noun}es" if noun.endswith(("ch", "sh")) else f"{noun}s"


def html_table(title: str, rows: Mapping[str, object]) -> str:
    """A title and a table of two columns, for notebooks."""
    cells = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(str(value))}</td></tr>"
        for name, value in rows.items()
    )
    return f"<p><b>{escape(title)}</b></p><table>{cells}</table>"
