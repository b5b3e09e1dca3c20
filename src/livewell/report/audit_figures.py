"""Figures of an audit's checks: what a check found, to be seen at one glance."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd

from livewell.classes import ClassNames
from livewell.measure.ground import GROUND
from livewell.metrics.intervals import Estimate
from livewell.report.audit_learning import against_chance, evidence, left_out
from livewell.report.figures import estimates
from livewell.report.galleries import MarkedFrame, marked_frames, patch_gallery
from livewell.report.maps import COUNTS, class_plate
from livewell.report.page import Picture
from livewell.report.style import CLASS_MARKS, Sheet, class_look, cut, name_ticks
from livewell.splitting.audit import Check
from livewell.splitting.checks.appearance import NAMES
from livewell.splitting.checks.data import AuditData
from livewell.splitting.checks.design import ORDERS, counts_by, numbers_of, rows_of
from livewell.splitting.checks.findings import order_by
from livewell.splitting.confounds import BATCHES
from livewell.tables.schemas import regions_of

PANELS = 3
"""So many of the strongest measures, or columns, are drawn."""
MOST_ROWS = 24
"""Rows of a table of counts that are drawn."""
PATCHES_A_CLASS, COPIES = 6, 6
SPOKEN = {**NAMES, **GROUND, "score": "score of empty patches"}
"""What pages call measures, by their names in tables."""
TITLE = 32
"""Letters a line of a panel's title."""


def figures(data: AuditData, check: Check) -> list[Picture]:
    """The figures that show what a check found."""
    drawn = DRAWN.get(check.name, _forest)
    return list(drawn(data, check))


def _forest(_: AuditData, check: Check) -> Iterator[Picture]:
    """Associations with their intervals, for checks without a figure of their own."""
    rows = [
        (one.what, Estimate(one.value, one.low, one.high, 0, "percentile"))
        for one in check.associations
    ]
    if rows:
        yield estimates(rows, check.associations[0].metric)


def _design(data: AuditData, check: Check) -> Iterator[Picture]:
    table, things = check.table, "labelled regions" if data.mixed else f"{data.thing}s"
    strongest = [one.what for one in check.associations if one.what in set(table["column"])]
    others = [name for name in dict.fromkeys(table["column"]) if name not in strongest]
    for column in [*strongest, *others][:PANELS]:
        yield count_table(table[table["column"] == column], column, data.classes, things)
    rows = rows_of(data)
    if "well row" in rows and rows["well row"].notna().all():
        yield from _plates(rows, data.classes)
    named = [one.what for one in check.associations]
    for name in ORDERS:
        if order_by(name) in named:
            numbers = data.of_rows(rows, numbers_of(rows[name]))
            yield order_strip(numbers, data.bundles.labels, name, data.classes, data.thing)


def count_table(table: pd.DataFrame, column: str, classes: ClassNames, things: str) -> Picture:
    """Counts by value of a column and class, coloured by the share of each class.

    `table` has `value`, `label`, `units`.
    """
    wide = table.pivot_table(index="value", columns="label", values="units", fill_value=0)
    wide = wide.reindex(columns=list(classes), fill_value=0)
    numbers = pd.to_numeric(pd.Series(wide.index), errors="coerce")
    if numbers.notna().all():
        wide = wide.iloc[numbers.argsort(kind="stable")]
    left, counts = len(wide) - MOST_ROWS, wide.to_numpy(float)
    share = counts / np.maximum(counts.sum(axis=0), 1)
    # of many those in which classes differ most
    kept = np.sort(np.argsort(-np.ptp(share, axis=1), kind="stable")[:MOST_ROWS])
    wide, counts, share = wide.iloc[kept], counts[kept], share[kept]
    with Sheet(1.6 + 0.95 * len(classes), 0.9 + 0.34 * len(wide)) as sheet:
        axes = sheet.axes
        axes.imshow(share, cmap=COUNTS, vmin=0, vmax=1, aspect="auto")
        for (row, at), count in np.ndenumerate(counts):
            text = f"{count:.0f} ({share[row, at]:.0%})"
            axes.text(at, row, text, ha="center", va="center", size=9)
        name_ticks(axes, "x", range(len(classes)), classes, 14)
        name_ticks(axes, "y", range(len(wide)), wide.index.astype(str), 18)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set_ylabel(column)
        said = "; ".join(
            f"{value}: {', '.join(f'{n:.0f} {c}' for n, c in zip(row, classes, strict=True))}"
            for value, row in zip(wide.index, counts, strict=True)
        )
        more = (
            f" {left} more values, in which they are more alike, are not shown." if left > 0 else ""
        )
        return sheet.picture(
            f"Number of {things} by {column}. {said}.",
            f"Number of {things} by {column}, and share of their class. Where label and {column}"
            f" are unrelated, the shares in a row are alike.{more}",
        )


def _plates(rows: pd.DataFrame, classes: ClassNames) -> Iterator[Picture]:
    plates = rows["plate"].fillna("") if "plate" in rows else pd.Series("", index=rows.index)
    for plate, part in list(rows.groupby(plates))[:PANELS]:
        shares = pd.crosstab(part["well"], part["label"], normalize="index")
        shares = shares.reindex(columns=list(classes), fill_value=0.0)
        name = f" of plate {plate}" if plate else ""
        drawn = class_plate(list(shares.index), shares.to_numpy(), classes)
        caption = f"Labels over the wells{name}: number and colour of the class."
        yield replace(drawn, caption=caption, alt=f"Plate map of labels{name}.", wide=True)


def order_strip(
    numbers: "pd.Series[float]",
    labels: "pd.Series[str]",
    name: str,
    classes: ClassNames,
    thing: str,
) -> Picture:
    """Every unit in its place in an order, a row a class; `thing` is what a unit is called."""
    place = numbers.rank(method="first")
    with Sheet(8.0, 0.9 + 0.4 * len(classes)) as sheet:
        axes = sheet.axes
        for number, label in enumerate(classes):
            mine = (labels == label).to_numpy()
            look = class_look(number)
            rows = np.full(int(mine.sum()), len(classes) - 1 - number)
            style: dict[str, Any] = {"color": look.colour, "marker": look.mark, "s": 30}
            axes.scatter(place[mine], rows, edgecolors="white", linewidths=0.5, **style)
        name_ticks(axes, "y", range(len(classes)), list(classes)[::-1], 18)
        axes.set(xlabel=f"place in {order_by(name)}", ylim=(-0.6, len(classes) - 0.4))
        return sheet.picture(
            f"Classes in {order_by(name)}.",
            f"One dot is one {thing}, by its place in {order_by(name)}. Where classes are mixed"
            " along the line, label and order are unrelated.",
            wide=True,
        )


def _measures(data: AuditData, check: Check) -> Iterator[Picture]:
    for one in check.associations[:1]:
        if one.what in data.stated:
            rows = rows_of(data).drop(columns=one.what, errors="ignore")
            counts = counts_by(data, rows.merge(data.stated[["image", one.what]]), [one.what])
            things = "labelled regions" if data.mixed else f"{data.thing}s"
            yield count_table(counts, one.what, data.classes, things)
    names = [one.what for one in check.associations if one.what in check.table][:PANELS]
    if names:
        batch = next((each for each in (*BATCHES, "day") if each in check.table), "")
        thing = f"{data.thing}, of the class of most of its regions" if data.mixed else data.thing
        yield measure_dots(check.table, names, batch, data.classes, thing)


def measure_dots(
    table: pd.DataFrame, names: Sequence[str], batch: str, classes: ClassNames, thing: str
) -> Picture:
    """Measures by class, one dot a unit; colour and mark say the batch, or the class where none."""
    of = table[batch].astype("str") if batch else table["label"]
    kinds = list(dict.fromkeys(of.dropna())) if batch else list(classes)
    kinds = kinds if len(kinds) <= len(CLASS_MARKS) else []
    rng = np.random.default_rng(0)
    with Sheet(2.8 * len(names) + 0.4, 3.4, columns=len(names)) as sheet:
        for axes, name in zip(sheet.panels, names, strict=True):
            for at, label in enumerate(classes):
                part = table[table["label"] == label]
                shift = rng.uniform(-0.22, 0.22, len(part))
                value = part[name].to_numpy(float)
                for number, kind in enumerate(kinds or [None]):
                    mine = (of[part.index] == kind).to_numpy() if kind else np.ones(len(part), bool)
                    look = class_look(number)
                    style: dict[str, Any] = {"color": look.colour, "marker": look.mark, "s": 26}
                    shown = cut(str(kind), 20) if kind and at == 0 and axes is sheet.axes else None
                    axes.scatter(at + shift[mine], value[mine], alpha=0.85, label=shown, **style)
                if np.isfinite(value).any():
                    axes.hlines(np.nanmedian(value), at - 0.32, at + 0.32, color="#1B1F23", lw=1.4)
            name_ticks(axes, "x", range(len(classes)), classes, 14)
            axes.set_title(fill(SPOKEN.get(name, name), TITLE), size=9)
            axes.set_xlim(-0.6, len(classes) - 0.4)
        if batch and kinds:
            where: dict[str, Any] = {"loc": "outside lower center", "ncols": 6}
            sheet.figure.legend(title=batch, handletextpad=0.2, **where)
        by = f"; colour and mark: {batch}" if batch and kinds else ""
        return sheet.picture(
            f"{', '.join(SPOKEN.get(name, name) for name in names)} by class.",
            f"One dot is one {thing}{by}; the line is the median of the class.",
            wide=True,
        )


def _patches(data: AuditData, check: Check) -> Iterator[Picture]:
    table = check.table.dropna(subset=["image"])
    if "score" in check.table:
        once = check.table.drop_duplicates("bundle").reset_index(drop=True)
        yield measure_dots(once, ["score"], "", data.classes, data.thing)
    shown = table.sort_values("bundle").groupby("label", sort=False)
    chosen = pd.concat([part.drop_duplicates("bundle").head(PATCHES_A_CLASS) for _, part in shown])
    chosen = chosen.sort_values("label", key=lambda labels: data.classes.codes(labels))
    stack = [data.pixels.crop(r.image, r.t, r.box)[0] for r in regions_of(chosen)]
    tones = [class_look(int(code)).colour for code in data.classes.codes(chosen["label"])]
    captions = [f"{row.label}\n{row.bundle}" for row in chosen.itertuples()]
    yield patch_gallery(stack, captions, tones=tones, title="Patches without cells")


def _copies(data: AuditData, check: Check) -> Iterator[Picture]:
    if check.table.empty:
        return
    kinds = check.table.groupby("cluster")["label"].nunique()
    # copies with several labels, where there are any, and one of each label first
    first = check.table[check.table["cluster"] == kinds.idxmax()]
    first = first.iloc[first.groupby("label").cumcount().argsort(kind="stable")].head(COPIES)
    frames = [
        MarkedFrame(data.pixels.frame(str(row.image), t), f"{row.image}\n{row.label}")
        for row in first.itertuples()
        for t in data.pixels.usable(str(row.image))[:1]
    ]
    yield marked_frames(frames, title="Images that show the same")


DRAWN: dict[str, Callable[[AuditData, Check], Iterator[Picture]]] = {
    "design": _design,
    "acquisition": _measures,
    "appearance": _measures,
    "background": _patches,
    "repeats": _copies,
    "replicates": left_out,
    "shuffled": against_chance,
    "before treatment": against_chance,
    "attribution": evidence,
}
"""What draws a check, by its name; others get their associations with intervals."""
