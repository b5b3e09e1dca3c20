"""Labelled rows of a study with what designs ask of them: groups, lines, hours, doses."""

from dataclasses import dataclass

import pandas as pd

from livewell.errors import SpecError
from livewell.metrics.collapse import Question
from livewell.splitting.groups import grouped
from livewell.splitting.units import unit_names
from livewell.tables.schemas import as_text


@dataclass(frozen=True, slots=True)
class DesignPlan:
    """What all items of a study's designs share.

    Parameters
    ----------
    by
        Column that names what is never split, and what intervals resample.
    line
        Column that names the cell line.
    test
        Names of the groups that test in every item; where there are none, every group tests once,
        in folds.
    folds
        Most folds.
    repeats
        Trainings with other seeds, and draws of training groups; 0 for one, or `SEEDS` of
        `REPEATS`. Test groups stay the same.
    death
        Column that says when the cells of an image died, hours after treatment.
    seed
        Of what is left to chance; repetition k has this one and k.
    """

    by: str
    line: str = "cell_line"
    test: tuple[str, ...] = ()
    folds: int = 4
    repeats: int = 0
    death: str | None = None
    seed: int = 0


def labelled_rows(
    fields: pd.DataFrame, labels: pd.DataFrame, plan: DesignPlan, times: pd.DataFrame | None = None
) -> pd.DataFrame:
    """The rows of a labels table with what designs ask of them.

    Columns of `schemas.LABELS` and group; line and dose where the study has them; with `times`
    (image, t, time_s) one row a frame and its hours after treatment, from a column of that name
    where there is one, and before_death where the time of death is known. Frames of the dead are
    left out.

    Raises
    ------
    SpecError
        There is no column `plan.death`.
    SplitError
        There is no column `plan.by`, or an image without a group.
    """
    found = labels.reset_index(drop=True)
    of_image = fields.set_index("image")
    if times is not None:
        found = _by_frame(found, times)
        given = pd.to_numeric(found["image"].map(of_image.get("hours", {})), errors="coerce")
        found["hours"] = given.fillna(found.pop("time_s") / 3600)
    found = grouped(found, unit_names(fields, plan.by), plan.by)
    if plan.line in of_image:
        found["line"] = found["image"].map(as_text(of_image[plan.line]))
    if "dose" in of_image:
        found["dose"] = found["image"].map(of_image["dose"])
    if plan.death is None or times is None:
        return found
    if plan.death not in of_image:
        raise SpecError("no such column", where="--death", got=plan.death)
    died = pd.to_numeric(of_image[plan.death], errors="coerce")
    found["before_death"] = found["image"].map(died) - found["hours"]
    return found[~(found["before_death"] <= 0)]


def _by_frame(rows: pd.DataFrame, times: pd.DataFrame) -> pd.DataFrame:
    """One row a labelled frame, where a label is of all frames too."""
    whole = rows["t"].isna()
    every = rows[whole].drop(columns="t").merge(times, on="image")
    single = rows[~whole].merge(times, on=["image", "t"])
    return pd.concat([every, single], ignore_index=True)


def question_of(
    rows: pd.DataFrame, fields: pd.DataFrame, column: str, positive: str | None
) -> Question:
    """What stands in a column of the study, see `Question.asked`.

    Raises
    ------
    SpecError
        No such column.
    """
    if column not in fields:
        known = f"columns {', '.join(map(str, fields.columns))}"
        raise SpecError("no such column", where="--collapse", expected=known, got=column)
    values = rows["image"].map(as_text(fields.set_index("image")[column]))
    return Question.asked(column, positive, rows["label"], values)
