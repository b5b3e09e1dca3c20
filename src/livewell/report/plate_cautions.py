"""What to know before hits of plates are believed, in plain sentences."""

from collections.abc import Iterator

import pandas as pd

from livewell.files import article
from livewell.metrics.hits import least_difference
from livewell.metrics.plate_effects import EDGE
from livewell.metrics.plates import TREATED, UNTREATED
from livewell.report.page import Note, bad, info, warn
from livewell.report.plate_map import points_text
from livewell.report.plate_results import POLISH, PlateResults
from livewell.text import few, plural

FEW_UNTREATED = 8
"""With fewer untreated wells on a plate little can be told of how wells differ."""
EFFECT_ALPHA = 0.05


def cautions(results: PlateResults) -> list[Note]:
    """What to know before hits are believed."""
    return [
        *_lost(results.wells),
        *_about_untreated(results),
        *_about_effects(results),
        *_about_wells(results.wells),
        *results.notes,
    ]


def _named(wells: pd.DataFrame) -> str:
    return few((f"{p} {w}".strip() for p, w in zip(wells["plate"], wells["well"], strict=True)), 6)


def _lost(wells: pd.DataFrame) -> Iterator[Note]:
    """Wells and fields without a value."""
    failed = int(wells["failed"].sum())
    if failed:
        of = _named(wells[wells["failed"] > 0])
        yield bad(f"{plural(failed, 'field')} could not be read or judged, in {of}.")
    absent = wells[~wells["judged"]]
    if len(absent):
        yield warn(f"{plural(len(absent), 'well')} of the plate map not judged: {_named(absent)}.")
    bare = wells[wells["judged"] & wells["value"].isna() & (wells["empty"] > 0)]
    if len(bare):
        yield warn(
            f"Nothing was left to judge in {plural(len(bare), 'well')}: {_named(bare)}. Cells that"
            " die let go, so such wells may be the sickest; they are in no test."
        )
    counts = wells.loc[wells["fields"] > 0, "fields"]
    if len(counts) and counts.min() < counts.max():
        yield info(f"Wells have {counts.min():.0f} to {counts.max():.0f} judged fields.")


def _about_untreated(results: PlateResults) -> Iterator[Note]:
    """What the untreated wells allow to be told."""
    wells = results.wells
    if not results.untreated:
        yield warn(
            "No untreated wells are named (--untreated COLUMN=VALUE): there is no test of any well,"
            " and effects of the plate are told from all wells."
        )
        return
    untreated = wells[(wells["role"] == UNTREATED) & wells["value"].notna()]
    counts = untreated.groupby("plate").size().reindex(list(results.formats), fill_value=0)
    none = counts.index[counts < 2].tolist()
    if none:
        of = few((name or "the plate" for name in none), 4)
        yield bad(f"Fewer than two untreated wells are judged on {of}: nothing is tested there.")
    least = int(counts.min())
    if 2 <= least < FEW_UNTREATED:
        yield warn(
            f"{least} untreated wells on a plate say little of how wells differ, so that only large"
            " differences can be found."
        )
    if not results.tests:
        return
    smallest = results.hits["least_by_rank"].min()
    yield info(
        f"Ranks of so few wells alone could not give a p below {smallest:.2g}: smaller ones rest on"
        " the form of the distribution, which no plate can show. Single wells that lie far out for"
        " no reason of their treatment look like hits; replicate wells tell them apart."
    )
    ends = list(least_difference(wells, results.tests, alpha=results.alpha).values())
    if ends:
        low, high = max(below for below, _ in ends), min(above for _, above in ends)
        below = f" or below {low:.1%}" if low > 0.001 else ", and no well can lie low enough"
        yield info(
            f"A condition in one well is the first hit only above {high:.0%}{below}: what lies"
            " between is not shown to do nothing."
        )


def _about_effects(results: PlateResults) -> Iterator[Note]:
    """Effects that are named, and what taking them out does to hits."""
    table = results.effects
    found = table[table["p_adjusted"] <= EFFECT_ALPHA]
    for row in found.to_dict("records"):
        of = f" of plate {row['plate']}" if row["plate"] else ""
        size = points_text(row["estimate"], row["low"], row["high"])
        name = f"{row['effect']} effect" if row["effect"] == EDGE else row["effect"]
        yield warn(f"There is {article(name)}{of}: {size}, among {row['of']}.")
    unknown = table[table["p"].isna()]
    if len(unknown):
        said = few((f"{row.effect} ({row.note})" for row in unknown.itertuples()), 3)
        yield info(f"Not all effects of the plate can be told: {said}.")
    if results.tests:
        yield _changed(results, bool(len(found)))
    if results.lines and (results.correction == POLISH or len(found)):
        lines = few((f"{plate} {line}".strip() for plate, line in results.lines), 6)
        yield warn(
            f"More than half of the wells are of one condition in {lines}: median polish cannot"
            " tell such a row or column from what was done to its wells."
        )


def _changed(results: PlateResults, found: bool) -> Note:
    """What the correction does to hits, or would."""
    asked = results.correction == POLISH
    plain, polished = (
        (results.other_hits, results.hits) if asked else (results.hits, results.other_hits)
    )
    before, after = (set(table.loc[table["hit"], "condition"]) for table in (plain, polished))
    text = (
        "Rows and columns are corrected by median polish, as asked for:"
        if asked
        else f"Nothing is corrected for rows and columns; with --correct {POLISH} there would be"
    )
    text += f" {plural(len(after), 'hit')} in place of {len(before):,}"
    parts = [
        f"{few(sorted(names), 4)} {verb}"
        for names, verb in (
            (before - after, "went" if asked else "would go"),
            (after - before, "came" if asked else "would come"),
        )
        if names
    ]
    said = f"{text}{': ' + '; '.join(parts) if parts else ''}."
    return warn(said) if found and parts else info(said)


def _about_wells(wells: pd.DataFrame) -> Iterator[Note]:
    """Wells of one field."""
    single = wells[wells["fields"] == 1]
    if len(single):
        many = plural(len(single), "well")
        yield info(
            f"{many} with one judged field: there is no interval within such a well, and what is"
            " shown comes from the spread of untreated wells, where there are two."
        )
    treated = wells[(wells["role"] == TREATED) & (wells["judged"])]
    if treated["condition"].is_unique and len(treated):
        yield info("No two treated wells are of one condition: every well is a test of its own.")
