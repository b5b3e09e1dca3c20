"""Curves over epochs and over time."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from livewell.report.page import Picture
from livewell.report.style import HEALTHY, INK, SICK, UNSURE, Sheet, empty, say


def learning_curves(log: pd.DataFrame, best_epoch: int | None = None) -> Picture:
    """Loss, and area under the ROC curve on validation groups, over the epochs.

    One row an epoch: `epoch`, and any of `train_loss`, `val_loss`, `val_auc`; NaN is skipped.
    """
    losses = [name for name in ("train_loss", "val_loss") if _filled(log, name)]
    auc = _filled(log, "val_auc")
    if not losses and not auc:
        return empty("The log holds no epoch.", "Learning curves")
    with Sheet(8.0 if losses and auc else 4.6, 2.9, columns=bool(losses) + auc) as sheet:
        panels = list(sheet.panels)
        if losses:
            axes = panels.pop(0)
            for name, colour, title in (
                ("train_loss", UNSURE, "training"),
                ("val_loss", HEALTHY, "validation"),
            ):
                if name in losses:
                    _line(axes, log, name, colour, title)
            axes.set_ylabel("loss (cross-entropy)")
            axes.set_ylim(bottom=0)
        if auc:
            _line(panels[0], log, "val_auc", HEALTHY, "validation")
            panels[0].set_ylabel("AUC on validation groups")
            low = float(np.nanmin(log["val_auc"].to_numpy(float)))
            panels[0].set_ylim(min(0.48, low - 0.02), 1.005)
        for axes in sheet.panels:
            if best_epoch is not None:
                axes.axvline(best_epoch, color=INK, lw=1, ls=(0, (4, 2)), label="weights kept")
            axes.set_xlabel("epoch")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.legend(handlelength=1.4)
        kept = f"; the weights of epoch {best_epoch} were kept" if best_epoch is not None else ""
        return sheet.picture(
            f"Learning curves over {len(log)} epochs{kept}.", f"Learning curves{kept}."
        )


def sick_curve(
    x: ArrayLike,
    fraction: ArrayLike,
    band: tuple[ArrayLike, ArrayLike] | None = None,
    *,
    x_label: str = "frame",
    positive: str = "sick",
) -> Picture:
    """Share of the judged area that is over the threshold, over ascending times or frames.

    `fraction` is 0 to 1, NaN where nothing was to judge leaves a gap; `band` is ``(low, high)``,
    95%.
    """
    at, share = np.asarray(x, dtype=float), np.asarray(fraction, dtype=float)
    with Sheet(8.0, 2.9) as sheet:
        axes = sheet.axes
        if band is not None:
            low, high = (100 * np.asarray(part, dtype=float) for part in band)
            axes.fill_between(at, low, high, color=SICK, alpha=0.18, lw=0, label="95% interval")
            axes.legend()
        marker = "o" if np.isfinite(share).sum() <= 60 else ""
        axes.plot(at, 100 * share, color=SICK, marker=marker, ms=3.5)
        if not np.isfinite(share).any():
            say(axes, "nothing to judge in any frame")
        axes.set_ylim(-2, 102)
        axes.set_xlabel(x_label)
        axes.set_ylabel(f"{positive} area (% of judged area)")
        known = share[np.isfinite(share)]
        trend = f", from {known[0]:.0%} to {known[-1]:.0%}" if known.size else ""
        return sheet.picture(
            f"Share of the judged area that is {positive} over {at.size} time points{trend}.",
            f"Share of the judged area whose probability of {positive} reaches the threshold.",
        )


def _filled(log: pd.DataFrame, name: str) -> bool:
    return name in log and bool(log[name].notna().any())


def _line(axes: Any, log: pd.DataFrame, name: str, colour: str, label: str) -> None:
    rows = log[log[name].notna()]
    marker = "o" if len(rows) <= 25 else ""
    axes.plot(rows["epoch"], rows[name], color=colour, marker=marker, ms=3, label=label)
