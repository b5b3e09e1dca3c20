"""The report of plates: maps, hits beside untreated wells, effects of the plate, controls."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from livewell.metrics.assay_quality import ROBUST_Z_PRIME, Z_PRIME, ssmd_words, z_words
from livewell.metrics.plates import POSITIVE, UNTREATED
from livewell.plate import Plate
from livewell.report.page import Link, Page, Section, Table, Tone
from livewell.report.plate_cautions import cautions
from livewell.report.plate_figures import controls_strip, effect_panels
from livewell.report.plate_map import plate_widget, points_text, share_text
from livewell.report.plate_results import POLISH, PlateResults
from livewell.text import chance, few, listed, plural, sentence

MOST_ROWS = 60
"""Conditions in the table of hits at most, beside all hits."""
MOST_PANELS = 6
"""Plates whose effects are drawn."""
FILES = {
    "wells.csv": "every well: value, interval, fields, role, condition, B score",
    "hits.csv": "every condition against untreated wells",
    "effects.csv": "trends over rows and columns, the edge",
    "controls.csv": "Z' and SSMD of every plate",
}
"""Tables beside the page."""


def plate_page(results: PlateResults) -> Page:
    """The page of plates."""
    verdict, tone = headline(results)
    lead = (
        f"The value of a well is the {results.score} over all its judged fields; intervals are 95%."
    )
    return results.page(verdict, tone, _sections(results), cautions(results), lead=lead)


def headline(results: PlateResults) -> tuple[str, Tone]:
    """The result in one or two sentences, and its tone."""
    wells = results.wells
    known = wells["value"].dropna()
    if known.empty:
        return "Nothing was judged in any well.", "bad"
    plates = plural(len(results.formats), "plate")
    spread = f"median {known.median():.0%}, from {known.min():.0%} to {known.max():.0%}"
    if not results.untreated:
        return (
            f"{plural(len(known), 'well')} of {plates}: {spread}. No untreated wells are named, so"
            " nothing is tested."
        ), "warn"
    if not results.tests:
        return (
            f"{plural(len(known), 'well')} of {plates}: {spread}. Nothing could be tested.",
            "warn",
        )
    found = results.hits[results.hits["hit"]]
    of = plural(results.tests, "condition")
    if found.empty:
        return (
            f"No condition of {results.tests:,} is shown to differ from the untreated wells.",
            "info",
        )
    above = int((found["difference"] > 0).sum())
    sides = [f"{above:,} above"] * bool(above) + [f"{len(found) - above:,} below"] * (
        above < len(found)
    )
    said = f"{len(found):,} of {of} differ from the untreated wells: {listed(sides)}"
    tone: Tone = "warn" if any(note.tone == "bad" for note in cautions(results)) else "info"
    return f"{said}. At most {results.alpha:.0%} of such hits are expected by chance.", tone


def _sections(results: PlateResults) -> Iterator[Section | None]:
    for name, size in results.formats.items():
        rows = results.wells[results.wells["plate"] == name]
        widget = plate_widget(
            name, size, rows, results.score, results.tiled.get(name), results.about_tiles
        )
        title = f"Plate {name}" if name else "Plate"
        yield Section(title, counted(rows, size), widgets=[widget])
    yield _hits(results)
    yield _effects(results)
    yield _controls(results)
    links = [Link(name, text) for name, text in FILES.items()]
    yield Section("Tables", "Everything on this page as CSV, beside it.", links=links)


def counted(rows: pd.DataFrame, size: Plate) -> str:
    """How many wells of a plate are what."""
    judged = rows[rows["value"].notna()]
    least, most = judged["fields"].min(), judged["fields"].max()
    each = f"{least:.0f}" if least == most else f"{least:.0f} to {most:.0f}"
    parts = [f"{len(judged):,} of {size.rows * size.columns:,} wells judged"]
    parts += [f"{each} fields each"] if len(judged) else []
    roles = [(role, int((judged["role"] == role).sum())) for role in (UNTREATED, POSITIVE)]
    parts += [f"{number:,} {role}" for role, number in roles if number]
    for name, said in (("empty", "with nothing to judge"), ("failed", "failed")):
        number = int(rows[name].sum())
        parts += [f"{plural(number, 'field')} {said}"] if number else []
    return sentence(", ".join(parts)) + "."


def _hits(results: PlateResults) -> Section | None:
    if not results.tests:
        return None
    table = results.hits
    shown = table[table["hit"] | (np.arange(len(table)) < MOST_ROWS)].head(max(MOST_ROWS, 200))
    rows = [
        (
            row["condition"],
            "hit" if row["hit"] else "",
            few(row["names"].split(", "), 4),
            share_text(row["value"], np.nan, np.nan),
            share_text(row["untreated"], np.nan, np.nan) if row["untreated_wells"] else "",
            points_text(row["difference"], row["low"], row["high"]),
            chance(row["p"], 4),
            chance(row["q"], 3),
            row["note"],
        )
        for row in shown.to_dict("records")
    ]
    names = ["condition", "", "wells", "value", "untreated", "difference", "p", "q", ""]
    corrected = results.correction == POLISH
    lead = (
        "Every condition against the untreated wells of its own plates, on log odds, with the"
        f" spread of untreated wells; q is p corrected for {plural(results.tests, 'test')}, and"
        f" hits have q of {results.alpha:g} or less."
    )
    lead += " Effects of rows and columns are taken out by median polish." if corrected else ""
    caption = f"The first {len(shown):,} of {len(table):,} by p; all are in hits.csv"
    made = Table(names, rows, caption if len(shown) < len(table) else "", "lllrrlrrl")
    return Section("Hits", lead, tables=[made])


def _effects(results: PlateResults) -> Section | None:
    table = results.effects
    if table["p"].isna().all():
        return None
    several = len(results.formats) > 1
    rows = [
        (
            *((row["plate"],) if several else ()),
            row["effect"],
            row["of"],
            f"{row['wells']:,}",
            points_text(row["estimate"], row["low"], row["high"]),
            chance(row["p"], 4),
            chance(row["p_adjusted"], 3),
            row["note"],
        )
        for row in table.to_dict("records")
    ]
    names = ["effect", "told from", "wells", "change", "p", "corrected", ""]
    lead = (
        "Trends are the change from the first row or column to the last (Theil and Sen's slope),"
        " the edge is what its wells lie above those inside (Hodges and Lehmann's shift); p"
        " permutes wells, and is corrected for all effects (Holm)."
    )
    align = "l" * several + "llrlrrl"
    made = Table(["plate"] * several + names, rows, "", align)
    pictures = [
        effect_panels(
            results.wells[results.wells["plate"] == name],
            size,
            table[table["plate"] == name],
            results.score,
        )
        for name, size in list(results.formats.items())[:MOST_PANELS]
        if results.wells.loc[results.wells["plate"] == name, "value"].notna().any()
    ]
    return Section("Effects of the plate", lead, pictures, [made])


def _controls(results: PlateResults) -> Section | None:
    table = results.controls
    if table.empty:
        return None
    rows = [
        (
            row["plate"],
            row["figure"],
            _figure(row),
            z_words(row["value"])
            if row["figure"] in (Z_PRIME, ROBUST_Z_PRIME)
            else ssmd_words(row["value"]),
            f"{row['untreated_wells']}, {row['positive_wells']}",
            row["note"],
        )
        for row in table.to_dict("records")
    ]
    names = ["plate", "figure", "value", "what it means", "untreated, positive wells", ""]
    lead = (
        "How far the positive controls stand apart from the untreated wells. Z' is 1 less three"
        " standard deviations of both over their difference, SSMD the difference over the standard"
        " deviation of a difference of two wells; robust ones have medians in their place."
    )
    return Section(
        "Controls",
        lead,
        [controls_strip(results.wells, results.score)],
        [Table(names, rows, "", "llrlrl")],
    )


def _figure(row: Mapping[Any, Any]) -> str:
    if np.isnan(row["value"]):
        return "not known"
    between = f" ({row['low']:.2f} to {row['high']:.2f})" if np.isfinite(row["low"]) else ""
    return f"{row['value']:.2f}{between}"
