"""``livewell label`` with more than two classes, and ``livewell label merge``."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from livewell.classes import ClassNames
from livewell.study.study import Study

Run = Callable[..., Result]

STATES = ("healthy", "sick", "dead")
TWO = {"healthy": "well", "sick": "unwell", "dead": "unwell"}
CLASSES = ("--class", "healthy", "--class", "sick", "--class", "dead")


def test_classes_stand_in_the_order_of_the_command(states: Study, livewell: Run) -> None:
    """Three classes are those of --class in their order; --positive may name one of them."""
    words = ("label", "column", states.folder, "--column", "state", *CLASSES, "--json")
    made = livewell(*words)
    assert made.exit_code == 0, made.stderr
    said = json.loads(made.stdout)
    assert (said["classes"], said["positive"]) == (list(STATES), None)
    assert livewell(*words, "--positive", "sick").exit_code == 0
    assert states.label_meta("labels").positive == "sick"


def test_a_product_of_columns_needs_no_classes_named(states: Study, livewell: Run) -> None:
    """Without --class every value is a class; of two columns every combination that there is."""
    both = ("--column", "state", "--column", "well")
    made = livewell("label", "column", states.folder, *both, "--json", "--others", "drop")
    assert made.exit_code == 0, made.stderr
    fields = states.fields().dropna(subset=["state", "well"])
    wanted = sorted(set(fields["state"] + " " + fields["well"]))
    assert json.loads(made.stdout)["classes"] == wanted


@pytest.mark.parametrize("given", [("--positive", "unwell"), ("--negative", "well"), ()])
def test_merging_by_command(states: Study, livewell: Run, given: tuple[str, ...]) -> None:
    """`label merge` needs one of two classes named; the other one follows."""
    common = (states.folder, *CLASSES, "--name", "states")
    assert livewell("label", "column", *common, "--column", "state").exit_code == 0
    into = [word for old, new in TWO.items() for word in ("--class", f"{old}={new}")]
    merge = ("label", "merge", states.folder, "--labels", "states", *into, "--name", "two")
    made = livewell(*merge, *given)
    if given:
        assert made.exit_code == 0, made.stderr
        assert "10  unwell" in made.stderr + made.stdout
        assert states.label_meta("two").class_names == ClassNames(("well", "unwell"))
    else:
        assert made.exit_code == 2
        assert "neither --negative nor --positive" in made.stderr


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--positive", "ded"), "no --class gives --positive ded"),
        (("--negative", "healthy"), "--negative healthy is for two classes, and there are 3"),
        (
            ("--negative", "healty", "--positive", "dead"),
            "no --class gives --negative healty; --negative healty is for two classes",
        ),
    ],
)
def test_classes_that_contradict_each_other(
    states: Study, livewell: Run, words: tuple[str, ...], named: str
) -> None:
    """A positive class that is none, and a negative one among three, are refused at once."""
    made = livewell("label", "column", states.folder, "--column", "state", *CLASSES, *words)
    assert made.exit_code == 2
    assert named in made.stderr
    assert "error [setting]" in made.stderr
    assert states.label_names() == []


def test_two_classes_need_one_name(states: Study, livewell: Run) -> None:
    """Of two classes given by --class the negative one may be left to follow from the other."""
    classes = ("--class", "dead", "--class", "healthy", "--others", "drop", "--positive", "dead")
    made = livewell("label", "column", states.folder, "--column", "state", *classes)
    assert made.exit_code == 0, made.stderr
    assert states.label_meta("labels").classes == ("healthy", "dead")


def test_points_in_micrometres(states: Study, livewell: Run, tmp_path: Path) -> None:
    """Row 10: points of ImageJ, whose unit no table says, are refused until --unit says it."""
    fields = states.fields()
    table = fields[["image", "state"]].assign(X=30, Y=40, t=0)
    table.to_csv(tmp_path / "points.csv", index=False)
    words = ("label", "points", states.folder, "--csv", tmp_path / "points.csv", "--patch-px", 32)
    refused = livewell(*words, *CLASSES)
    assert refused.exit_code == 2
    assert "points.csv" in refused.stderr
    assert "--unit px or --unit um" in refused.stderr
    assert livewell(*words, *CLASSES, "--unit", "px", "--name", "px").exit_code == 0
    pixels = states.labels("px")
    assert pixels[["y0", "x0"]].drop_duplicates().to_numpy().tolist() == [[24, 14]]
