"""Numbers and nouns as sentences and tables show them."""

import math
from collections.abc import Iterable, Mapping
from html import escape


def plural(count: int, noun: str) -> str:
    """``1 well``, ``12 wells``."""
    return f"{count:,} {noun if count == 1 else several(noun)}"


def sentence(text: str) -> str:
    """The text with a capital at its beginning, and nothing else changed."""
    return text[:1].upper() + text[1:]


def listed(items: Iterable[str]) -> str:
    """``healthy, sick and dead``."""
    *first, last = items
    return f"{', '.join(first)} and {last}" if first else last


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
    if noun.endswith("us"):
        return f"{noun[:-2]}i"
    return f"{noun}es" if noun.endswith("ch") else f"{noun}s"


def html_table(title: str, rows: Mapping[str, object]) -> str:
    """A title and a table of two columns, for notebooks."""
    cells = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(str(value))}</td></tr>"
        for name, value in rows.items()
    )
    return f"<p><b>{escape(title)}</b></p><table>{cells}</table>"
