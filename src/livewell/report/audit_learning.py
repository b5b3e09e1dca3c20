"""Figures of an audit's checks that learn: chance beside what was found, and evidence off cells."""

from collections.abc import Iterator

from livewell.metrics.intervals import Estimate
from livewell.report.figures import estimates
from livewell.report.page import Picture
from livewell.report.style import INK, SICK, UNSURE, Sheet, name_rows, unit_axis
from livewell.splitting.audit import Check
from livewell.splitting.checks.data import AuditData


def against_chance(_: AuditData, check: Check) -> Iterator[Picture]:
    """The area with labels as they are, over those with shuffled labels."""
    value, *null = check.table["auc"].tolist()
    with Sheet(4.6, 2.6) as sheet:
        axes = sheet.axes
        axes.hist(null, bins=30, range=(0, 1), color=UNSURE)
        axes.axvline(value, color=SICK, lw=2)
        axes.set_title(f"labels as they are: {value:.2f}", color=SICK)
        unit_axis(axes)
        axes.set(
            xlabel="AUC of what is learnt, on what was left out", ylabel="number of shufflings"
        )
        yield sheet.picture(
            f"AUC {value:.2f} with the labels as they are, beside {len(null)} times shuffled.",
            f"Grey: {len(null)} times labels were shuffled, and learnt anew. Line: the labels as"
            " they are.",
        )


def left_out(_: AuditData, check: Check) -> Iterator[Picture]:
    """Areas with units left out, and with whole replicates left out."""
    rows = [
        (name, Estimate(value, low, high, 0, "percentile"))
        for name, value, low, high in check.table.itertuples(index=False, name=None)
    ]
    yield estimates(rows, "AUC", guessing=True)


def evidence(_: AuditData, check: Check) -> Iterator[Picture]:
    """Share of the evidence off cells by class, beside the share of the area."""
    table = check.table
    with Sheet(6.0, 1.3 + 0.4 * len(table)) as sheet:
        axes = sheet.axes
        rows = name_rows(axes, table["class"].tolist())
        axes.hlines(rows, table["low"], table["high"], color=INK)
        axes.plot(table["evidence_off_cells"], rows, "o", color=INK, label="evidence")
        axes.plot(table["area_off_cells"], rows, "D", color=SICK, mfc="none", label="area")
        unit_axis(axes)
        axes.set_xlabel("share that lies off cells")
        sheet.figure.legend(loc="outside upper right", ncols=2)
        said = "; ".join(one.text for one in check.associations)
        yield sheet.picture(
            f"Evidence off cells. {said}",
            "Evidence for each class off cells with its 95% interval, beside the area off cells: a"
            " net that looks at cells has less evidence there than there is area.",
        )
