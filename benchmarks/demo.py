"""The demo's result, and what trees on intensity reach on the same unseen wells."""

from pathlib import Path

from benchmarks.result import Result, shown
from livewell.files import read_json

NAMES = {
    "roc_auc": "AUC",
    "average_precision": "average precision",
    "balanced_accuracy": "balanced accuracy",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "calibration_error": "expected calibration error",
    "pictures_decided": "images with a verdict",
    "pictures_right": "right among these",
}


def figures(demo: Path, *, seed: int = 0) -> Result:
    """Figures of a demo that was run, with their intervals."""
    found = read_json(demo / "run" / "evaluation" / "results.json", kind="evaluation")
    run = read_json(demo / "run" / "run.json", kind="training run")
    net = run["profile"]["name"]
    rows = [
        [f"{net}: {title}", shown(found["figures"][name]), str(found["figures"][name]["groups"])]
        for name, title in NAMES.items()
    ]
    rows += [
        [f"{rival}: AUC, {found['compared']} patches", shown(auc), str(auc["groups"])]
        for rival, auc in ((r, each["roc_auc"]) for r, each in found["baselines"].items())
    ]
    return Result(
        title="Simulated plate: sick among healthy patches of unseen wells",
        header="figure | value (95% interval) | wells of the scarcer class, or of both",
        rows=rows,
        lead=f"The demo's plate, labelled by dose, split by well: {found['patches']} patches of"
        f" {found['groups']} unseen wells. Intervals resample wells. Trees show what simple"
        " features say: intensity, and texture.",
    )
