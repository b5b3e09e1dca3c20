"""Bad input of `explain`, `budget`, `dataset` and `timelapse`: told in words, and nothing lost."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from click.testing import Result
from test_bad_input import PATTERN, Case, Words, lost, plate_csv, snapshot

from livewell.papers.dataset import DeadNetB, deadnet_b
from livewell.study.study import Study
from livewell.workflows.index import index

pytestmark = pytest.mark.long

Run = Callable[..., Result]

BRIEF = ("--profile", "tiny", "--set", "steps=3", "--set", "steps_per_epoch=3", "--folds", 2)
SPANS = ("--sick-from", 30, "--window-s", 0, 1800)
CORRECT = "correct the plate map and index again"
FOR_A, FOR_B = ("--recipe", "deadnet-a"), ("--recipe", "deadnet-b")


def explain(*options: object) -> Callable[[Path], Words]:
    """Looking into the run of the world."""
    return lambda world: ("explain", world / "run", *options)


def budget(*options: object, margin: object = 0.1) -> Callable[[Path], Words]:
    """A budget of the world's study into a new folder."""
    return lambda world: (
        *("budget", world / "study", "--out", world / "new", "--margin", margin),
        *(*BRIEF, *options),
    )


def dataset(*options: object) -> Callable[[Path], Words]:
    return lambda world: ("dataset", world / "study", *options)


def timelapse(*options: object, model: str = "run") -> Callable[[Path], Words]:
    return lambda world: (
        *("timelapse", world / "study", "--model", world / model, "--out", world / "new"),
        *options,
    )


def dosed(change: Callable[[str, str], str | None], *options: object) -> Callable[[Path], Words]:
    """A budget of the study indexed anew, with other doses by well and dose; None: no column."""

    def prepare(world: Path) -> Words:
        table = pd.read_csv(world / "plate.csv", dtype="str")
        doses = [change(*row) for row in zip(table["well"], table["dose"], strict=True)]
        kept = table.drop(columns=["dose", "dose_unit"])
        if None not in doses:
            kept = table.assign(dose=doses)
        kept.to_csv(world / "bad.csv", index=False)
        index(world / "images", world / "study", pattern=PATTERN, metadata=world / "bad.csv")
        return budget(*options)(world)

    return prepare


def of_well(text: str) -> Callable[[str, str], str]:
    """The one dose of C01 is something else."""
    return lambda well, dose: text if well == "C01" else dose


def larger_pixels(world: Path) -> Words:
    """Other images, of twice the pixel size that the model knows."""
    for path in sorted((world / "images").iterdir()):
        (world / "other").mkdir(exist_ok=True)
        said = {"axes": "TYX", "TimeIncrement": 600, "Channel": {"Name": ["phase contrast"]}}
        for axis in "XY":
            said |= {f"PhysicalSize{axis}": 1.0, f"PhysicalSize{axis}Unit": "µm"}
        frames = np.random.default_rng(len(path.name)).integers(
            0, 4000, tifffile.imread(path).shape
        )
        frames = frames.astype(np.uint16)
        tifffile.imwrite(
            world / "other" / path.name, frames, ome=True, photometric="minisblack", metadata=said
        )
    study = world / "wide"
    index(world / "other", study, pattern=PATTERN, metadata=world / "plate.csv")
    return ("budget", study, "--out", world / "new", "--margin", 0.1, "--model", world / "run")


NO_SUCH_DEAD = ("--dead", "not a way to know", "last-frames, column:NAME or model:PATH", "Got: ")

CASES = {
    "explain a class that the model lacks": Case(
        explain("--class", "zombie"),
        ("class: the model has no such class", "healthy or sick", "Got: zombie", "What to do: "),
    ),
    "explain a misspelt class": Case(explain("--class", "sik"), ("did you mean sick?",)),
    "explain a layer that the model lacks": Case(
        explain("--layer", "conv9_9"),
        ("layer: no such layer", "block3", "Got: conv9_9", "leave it out for the usual one"),
    ),
    "explain a fold that the run lacks": Case(
        explain("--fold", 7), ("world/run", "no such fold in this run", "Expected: 0", "Got: 7")
    ),
    "explain a fold below zero": Case(explain("--fold", -1), ("--fold", "x>=0")),
    "explain weights of nobody": Case(explain("--weights", "both"), ("--weights", "'crop'")),
    "explain by a method that there is not": Case(
        explain("--method", "guess"), ("--method", "'embedding'")
    ),
    "explain with options of another method": Case(
        explain("--method", "embedding", "--layer", "block3", "--steps", 5),
        ("no option of --method embedding", "Got: --layer, --steps", "attribution"),
    ),
    "explain some folds and all": Case(
        explain("--method", "embedding", "--fold", 0, "--all-folds"),
        ("some folds and all folds", "either --fold or --all-folds"),
    ),
    "explain too few regions": Case(
        explain("--method", "embedding", "--regions", 3),
        ("fold 0: too few regions", "Expected: at least 10", "Got: 3"),
    ),
    "explain what is no run": Case(
        lambda world: ("explain", world / "study"), ("study/run.json", "check the path")
    ),
    "explain into a folder of verdicts": Case(
        lambda world: ("explain", world / "run", "--out", world / "verdicts"),
        ("verdicts", "not an explanation of livewell", "name a new folder"),
    ),
    "dose that is text": Case(
        plate_csv(lambda lines: [*lines[:-1], "C01,much,s,middle"]),
        ("bad.csv", "line 12, dose", "'much' is not a number", "correct the table"),
    ),
    "no dose": Case(
        dosed(lambda well, dose: None),
        ("study/fields.parquet", "[missing-column] dose", "have no dose", CORRECT),
    ),
    "dose below zero": Case(
        dosed(of_well("-5")),
        ("fields.parquet", "[dose-negative] dose: C01_p1.ome.tif (-5.0)", CORRECT),
    ),
    "dose missing": Case(
        dosed(of_well("")), ("fields.parquet", "[dose-missing] dose: C01_p1.ome.tif", CORRECT)
    ),
    "one dose only": Case(
        dosed(lambda well, dose: "30"),
        ("2 faults", "[one-dose] dose: every position has 30", "[no-control]", CORRECT),
    ),
    "no control": Case(
        dosed(lambda well, dose: "5" if dose == "0" else dose),
        ("[no-control] dose: no position has dose 0; the least is 5", CORRECT),
    ),
    "sick from above every dose": Case(
        budget("--sick-from", 99),
        ("fields.parquet", "[no-high-dose] dose: no position has dose 99 or more", "is 30"),
    ),
    "sick from the control on": Case(
        budget("--sick-from", 0), ("sick_from: 0 is not more than the control",)
    ),
    "budget learnt from times that are none": Case(
        budget("--window-s", 600, 0), ("[window-empty]", "600 s to 0 s")
    ),
    "no margin": Case(budget(margin=0), ("--margin: out of range", "above 0", "Got: 0")),
    "margin of two": Case(budget(margin=2), ("--margin: out of range", "below 1", "Got: 2")),
    "margin that is no number": Case(budget(margin="nan"), ("--margin", "Got: nan")),
    "risk above one half": Case(budget("--alpha", 0.7), ("--alpha", "below 0.5", "Got: 0.7")),
    "budget by a group that is not there": Case(
        budget("--by", "donor", "--sick-from", 30), ("donor", "well", "index with a pattern")
    ),
    "budget of too few wells": Case(
        lambda world: (
            *("budget", world / "study", "--out", world / "new", "--margin", 0.1),
            *("--profile", "tiny", "--folds", 12),
        ),
        ("--folds: no such number", "2 to 10", "Got: 12"),
    ),
    "budget into the study": Case(
        lambda world: (
            *("budget", world / "study", "--out", world / "study", "--margin", 0.1, *BRIEF),
        ),
        ("not a light budget of livewell", "name a new folder"),
    ),
    "budget by a model of another pixel size": Case(
        larger_pixels,
        (
            "world/wide",
            "another pixel size",
            "Expected: 0.5 um",
            "Got: 1 um",
            "or train one on these images",
        ),
    ),
    "budget by no model": Case(
        lambda world: budget("--model", world / "absent")(world), ("absent", "no model here")
    ),
    "budget at times without frames": Case(
        budget("--at-s", 1e6, 2e6),
        ("nothing to judge", "[window-empty] 1e+06 s to 2e+06 s", "choose other times with --at-s"),
    ),
    "data set A with votes": Case(
        dataset(*FOR_A, *SPANS, "--votes", "v.csv"), ("--votes is not for --recipe deadnet-a",)
    ),
    "data set A with fewest votes": Case(
        dataset(*FOR_A, *SPANS, "--least-votes", 2), ("--least-votes is not for --recipe",)
    ),
    "data set B with a lowest sick dose": Case(
        dataset(*FOR_B, "--sick-from", 30), ("--sick-from is not for --recipe deadnet-b",)
    ),
    "data set B with a way to be dead": Case(
        dataset(*FOR_B, "--dead", "last-frames"), ("--dead is not for --recipe deadnet-b",)
    ),
    "data set B with healthy frames of any time": Case(
        dataset(*FOR_B, "--healthy-any-time"), ("--healthy-any-time is not for --recipe",)
    ),
    "data set A without doses and times": Case(
        dataset(*FOR_A), ("deadnet-a needs --sick-from and --window-s",)
    ),
    "data set C": Case(dataset("--recipe", "deadnet-c"), ("--recipe", "'deadnet-b'")),
    "dead by nonsense": Case(
        dataset(*FOR_A, *SPANS, "--dead", "nonsense"), (*NO_SUCH_DEAD, "nonsense")
    ),
    "dead by a column without name": Case(
        dataset(*FOR_A, *SPANS, "--dead", "column:"), (*NO_SUCH_DEAD, "column:")
    ),
    "data set of images too small": Case(
        dataset(*FOR_A, *SPANS), ("A01_p1.ome.tif: smaller than a patch", "256 px", "What to do: ")
    ),
    "time-lapse of an image that is not there": Case(
        timelapse("--only", "A01_p1.ome.tif", "--only", "Z09.tif"),
        ("world/study", "no image 'Z09.tif'", "Expected: an image of the fields table"),
    ),
    "time-lapse without a model": Case(
        timelapse(model="absent"), ("world/absent", "no model here", "card.json")
    ),
    "time-lapse into the study": Case(
        lambda world: (
            *("timelapse", world / "study", "--model", world / "run", "--out", world / "study"),
        ),
        ("not a time-lapse of livewell", "name a new folder"),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_refusal_of_deadnet_commands(name: str, world: Path, livewell: Run) -> None:
    """The command ends with 2, names file or option, says what would do, and loses nothing."""
    case = CASES[name]
    words = case.prepare(world)
    before = snapshot(world)
    made = livewell(*words)
    assert made.exit_code == 2, made.stderr
    for text in case.told:
        assert text in made.stderr, made.stderr
    assert any(text in made.stderr for text in ("What to do: ", "Expected: ", "Error: ", " is no"))
    assert "Traceback" not in made.output
    assert made.stderr.count("Got: ") <= 1
    assert not lost(before, snapshot(world))
    assert not (world / "run" / "explanation").exists()
    # not claimed: the corrected command may take the same folder, and nothing was trained in vain
    assert not [path for path in (world / "new").rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("options", "wrong"),
    [((*FOR_A, *SPANS, "--dose-to", 0), "--dose-to"), ((*FOR_B, "--sick-from", 0), "--sick-from")],
)
def test_a_zero_of_the_other_recipe_is_refused_too(
    options: Words, wrong: str, world: Path, livewell: Run
) -> None:
    """An option of the other recipe is not dropped in silence because its value is 0."""
    assert f"{wrong} is not for --recipe" in livewell("dataset", world / "study", *options).stderr


def test_the_remedy_for_small_images_is_one_that_there_is(world: Path, livewell: Run) -> None:
    """What to do about images smaller than a crop names no option that the command lacks."""
    assert "--patch-px" not in livewell("dataset", world / "study", *FOR_A, *SPANS).stderr


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(("--sick-from", 99)),
        pytest.param(("--window-s", 600, 0)),
        ("--at-s", 1e6, 2e6),
    ],
)
def test_the_remedy_is_the_option_that_was_given(
    options: Words, world: Path, livewell: Run
) -> None:
    """Where an option rules all out, what to do names that option, not another one or a file."""
    told = livewell(*budget(*options)(world)).stderr
    assert str(options[0]) in told.partition("What to do: ")[2]


@pytest.fixture(scope="module")
def movies(tmp_path_factory: pytest.TempPathFactory, paint, write_movie) -> Path:
    """Folder of a study of four wells, movies of ten frames as large as a crop."""
    folder = tmp_path_factory.mktemp("crops")
    wells = {"A01": 0, "A02": 0, "B01": 30, "B02": 30}
    for seed, (well, dose) in enumerate(wells.items()):
        frames = paint("sick" if dose else "healthy", seed, (10, 256, 256))
        write_movie(folder / "images" / f"{well}_p1.ome.tif", frames)
    rows = [f"{well},{dose},s,{'maybe' if dose else 'no'}" for well, dose in wells.items()]
    (folder / "plate.csv").write_text("\n".join(["well,dose,dose_unit,end", *rows, ""]))
    index(folder / "images", folder / "study", pattern=PATTERN, metadata=folder / "plate.csv")
    return folder


@pytest.fixture(scope="module")
def sequences(movies: Path) -> list[str]:
    """Names of its sequences."""
    made = deadnet_b(Study.open(movies / "study"), DeadNetB())
    return pd.read_csv(made.file)["sequence"].tolist()


@pytest.mark.parametrize(
    ("way", "told"),
    [
        ("column:gone", ("gone", "missing-column")),
        ("column:end", ("[unknown-value] end, 'maybe'", "write yes or no for every position")),
        ("model:/absent", ("/absent", "no model here")),
    ],
)
def test_ways_to_be_dead_that_are_not_there(
    way: str, told: tuple[str, ...], movies: Path, livewell: Run
) -> None:
    """A column that is missing or says something else, and a missing model, are named."""
    before = snapshot(movies)
    made = livewell("dataset", movies / "study", *FOR_A, *SPANS, "--dead", way)
    assert made.exit_code == 2
    for text in told:
        assert text in made.stderr, made.stderr
    assert "Traceback" not in made.output
    assert not lost(before, snapshot(movies))
    assert not list((movies / "study" / "labels").glob("deadnet-a*"))


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (("{0},ann,fine", "{1},ann,sick"), ("[unknown-vote] vote", "fine", "healthy", "unsure")),
        (("{0},ann,healthy", "nowhere,ann,sick"), ("[unknown-sequence] sequence", "nowhere")),
        (("{0},ann,healthy", "{0},ann,sick"), ("[duplicate-row]", "scored twice", "by ann")),
        (("{0},ann,", "{1},ann,sick"), ("[empty-value] vote: empty in 1 rows",)),
        (
            ("{0},ann,fine", "nowhere,ann,sick", "{1},,sick"),
            ("3 faults", "fine", "nowhere", "[empty-value] expert"),
        ),
    ],
)
def test_votes_that_cannot_be(
    rows: tuple[str, ...],
    told: tuple[str, ...],
    movies: Path,
    sequences: list[str],
    livewell: Run,
    tmp_path: Path,
) -> None:
    """Unknown words and sequences, votes given twice and empty ones are told all at once."""
    votes = tmp_path / "votes.csv"
    lines = [row.format(*sequences) for row in rows]
    votes.write_text("\n".join(["sequence,expert,vote", *lines, ""]))
    before = snapshot(movies)
    made = livewell("dataset", movies / "study", *FOR_B, "--votes", votes)
    assert made.exit_code == 2
    for text in (*told, "What to do: correct the votes"):
        assert text in made.stderr, made.stderr
    assert not lost(before, snapshot(movies))
    assert not list((movies / "study" / "labels").glob("deadnet-b.*"))


def test_votes_without_their_columns(
    movies: Path, sequences: list[str], livewell: Run, tmp_path: Path
) -> None:
    """A table of votes that lacks a column, and one that is not there, are told by name."""
    votes = tmp_path / "votes.csv"
    votes.write_text(f"sequence,vote\n{sequences[0]},sick\n")
    made = livewell("dataset", movies / "study", *FOR_B, "--votes", votes)
    assert made.exit_code == 2
    assert "expert" in made.stderr
    made = livewell("dataset", movies / "study", *FOR_B, "--votes", tmp_path / "absent.csv")
    assert made.exit_code == 2
    assert "absent.csv" in made.stderr
    assert "check the path" in made.stderr


def test_faulty_votes_name_their_file(
    movies: Path, sequences: list[str], livewell: Run, tmp_path: Path
) -> None:
    """The message names the CSV that is to be corrected."""
    (tmp_path / "votes.csv").write_text(f"sequence,expert,vote\n{sequences[0]},ann,fine\n")
    made = livewell("dataset", movies / "study", *FOR_B, "--votes", tmp_path / "votes.csv")
    assert "votes.csv" in made.stderr
