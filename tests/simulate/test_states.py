"""The state of a simulated movie is that of its cells in every frame."""

from dataclasses import replace
from pathlib import Path
from typing import get_args

import pandas as pd
import pytest
from click.testing import CliRunner

from livewell.cli import main
from livewell.labels.by_column import Column
from livewell.simulate.culture import CultureSpec, positions, simulate_position
from livewell.simulate.dose import State
from livewell.simulate.states import CLASS_OF, CLASSES, movie_states
from livewell.splitting.schemes import Holdout
from livewell.study.regions import Grid
from livewell.workflows.index import index
from livewell.workflows.label import label
from livewell.workflows.simulate import simulate_culture
from livewell.workflows.split import split

SMALL = CultureSpec(
    doses_s=(0.0, 80.0, 1000.0),
    wells_per_dose=4,
    positions_per_well=1,
    frames=2,
    height_px=192,
    width_px=192,
    cells=9,
    start_s=20700,
)


def test_every_state_of_a_cell_has_a_class() -> None:
    """No state of the simulator is left out, and each class has one."""
    assert set(CLASS_OF) == set(get_args(State))
    assert set(CLASS_OF.values()) == set(CLASSES)


def test_a_movie_has_the_class_of_three_in_four_cells_of_every_frame() -> None:
    """Movies that change, are mixed or have no cell in sight have no class."""
    rows = []
    for image, frames in {
        "calm": ("healthy healthy dividing dead", "healthy healthy healthy dead"),
        "changing": ("healthy healthy", "retracting rounded"),
        "dying": ("blebbing dead", "dead dead"),
        "ill": ("retracting recovering rounded blebbing",),
    }.items():
        rows += [
            (image, t, state, True) for t, cells in enumerate(frames) for state in cells.split()
        ]
    rows += [("calm", 0, "dead", False)] * 9
    truth = pd.DataFrame(rows, columns=["image", "t", "state", "inside"])
    table = movie_states(truth, ["bare", "calm", "changing", "dying", "ill"]).set_index("image")
    assert table["state"].fillna("").to_dict() == {
        "bare": "",
        "calm": "healthy",
        "changing": "",
        "dying": "",
        "ill": "sick",
    }
    assert table["cells"].tolist() == [0, 4, 2, 2, 4]
    assert table.loc["calm", list(CLASSES)].tolist() == [0.75, 0, 0.25]
    assert table.loc["changing", list(CLASSES)].tolist() == [0.5, 0.5, 0]
    assert table.loc["bare", list(CLASSES)].isna().all()


def test_a_later_start_sees_the_same_cells() -> None:
    """A movie that begins later shows the cells that a longer movie shows then."""
    early = replace(SMALL, start_s=0, frames=6)
    late = replace(SMALL, start_s=4 * early.frame_s)
    for key in positions(early)[:3]:
        long, short = (simulate_position(spec, key).truth for spec in (early, late))
        tail = long[long["t"] >= 4].reset_index(drop=True)
        pd.testing.assert_frame_equal(short.assign(t=short["t"] + 4), tail)


@pytest.mark.long
def test_three_states_from_the_simulation_to_the_split(tmp_path: Path) -> None:
    """Simulated, indexed, labelled and split, three classes have several wells each."""
    images = simulate_culture(SMALL, tmp_path / "plate", workers=1)
    made = index(images, tmp_path / "study", metadata=tmp_path / "plate" / "images.csv")
    fields = made.study.fields()
    assert set(fields["time_s"]) == {20700.0}
    labelled = label(
        made.study, Column("state", {name: name for name in CLASSES}, "drop"), CLASSES
    ).labelled.table
    doses = labelled.merge(fields[["image", "dose", "well"]], on="image")
    expected = {0.0: "healthy", 80.0: "sick", 1000.0: "dead"}
    assert (doses["label"] == doses["dose"].map(expected)).all()
    assert doses.groupby("label")["well"].nunique().min() >= 3
    scheme = Holdout((0.34, 0.33, 0.33))
    dealt = split(made.study, by="well", scheme=scheme, grid=Grid(96, 96, empty="keep"))
    parts = dealt.patches.merge(dealt.folds, on="group")
    assert (parts.groupby("part")["label"].nunique() == 3).all()


@pytest.mark.long
def test_the_command_says_when_the_movies_begin(tmp_path: Path) -> None:
    """`--start-s` is kept with the plate; another one over the same folder is refused."""
    words = ["simulate", "culture", "--out", str(tmp_path / "p"), "--dose", "0", "--frames", "1"]
    words += ["--wells-per-dose", "1"]
    assert CliRunner().invoke(main, [*words, "--start-s", "3600"]).exit_code == 0
    table = pd.read_csv(tmp_path / "p" / "images.csv")
    assert table["time_s"].tolist() == [3600.0, 3600.0]
    assert table["state"].tolist() == ["healthy"] * 2
    refused = CliRunner().invoke(main, words)
    assert refused.exit_code == 2
    assert "start_s=3600" in refused.stderr


@pytest.mark.parametrize("start_s", [-1.0, float("nan")])
def test_a_start_that_cannot_be_is_refused(start_s: float) -> None:
    """A movie cannot begin before the light."""
    with pytest.raises(ValueError, match="start_s"):
        replace(SMALL, start_s=start_s)
