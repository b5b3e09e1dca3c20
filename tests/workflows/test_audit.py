"""The audit of small studies: verdicts, page, files, state, command."""

import json
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from livewell.cli import main
from livewell.errors import SplitError
from livewell.inference.audit_samples import before
from livewell.labels.by_column import Column
from livewell.splitting.checks.data import AuditData
from livewell.splitting.schemes import Holdout
from livewell.study.audited import audit_state
from livewell.study.regions import Grid
from livewell.study.study import Study
from livewell.tables.metadata import AuditMeta, CheckMeta
from livewell.workflows.audit import AuditResult, audit
from livewell.workflows.label import label
from livewell.workflows.split import split
from tests.splitting.checks.planted import STATES, cells, study


def asked(made: Study) -> AuditResult:
    """An audit without what learns from a backbone."""
    return audit(made, learning=False)


def found(result: AuditResult) -> dict[str, CheckMeta]:
    return {check.name: check for check in result.meta.checks}


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Classes differ in their cells alone; not to be changed but for its audit."""
    replicates = ["R1", "R1", "R2", "R2"] * 4
    return study(tmp_path_factory.mktemp("clean"), replicate=replicates, order=list(range(16)))


@pytest.fixture(scope="module")
def audited(clean: Study) -> AuditResult:
    """Its audit."""
    return asked(clean)


def test_a_clean_study_fails_no_check(audited: AuditResult):
    """Cells of another grain are told by contrast, which is no fault; all else passes."""
    result = audited
    verdicts = {name: check.verdict for name, check in found(result).items()}
    assert verdicts == {
        "design": "passes",
        "acquisition": "passes",
        "appearance": "attention",
        "background": "passes",
        "repeats": "passes",
        "replicates": "unchecked",
        "shuffled": "unchecked",
        "before treatment": "unchecked",
        "attribution": "unchecked",
    }
    assert "--no-learning" in found(result)["shuffled"].answer
    assert result.meta.state == "attention"
    assert "Contrast (standard deviation) alone tells the classes (AUC 1.00" in result.meta.headline
    assert "may be the cells themselves" in found(result)["appearance"].answer


def test_the_page_says_it_and_tables_lie_beside(audited: AuditResult):
    """The page holds the headline and a section a check; each check has its table."""
    result = audited
    page = result.page.read_text("utf-8")
    assert "No check fails, but look at this" in page
    assert page.count("What to do") >= 1
    counts = pd.read_csv(result.folder / "design.csv")
    assert set(counts["column"]) == {"replicate", "well row", "well column"}
    assert AuditMeta.read(result.folder / "audit.json") == result.meta


@pytest.mark.long
def test_an_audit_is_made_again_to_the_letter(clean: Study, audited: AuditResult):
    """The same seed gives the same answers, from kept measures too."""
    assert asked(clean).meta == audited.meta


@pytest.mark.long
def test_a_damaged_image_is_said_and_labels_made_anew_are_stale(tmp_path: Path):
    """The others are audited; the state is none, then the verdict, then stale."""
    made = study(tmp_path)
    assert audit_state(made, "labels").state == "none"
    (tmp_path / "images" / "B02.tif").write_bytes(b"II*\0 no image")
    result = asked(made)
    assert list(result.meta.failures) == ["B02.tif"]
    assert "B02.tif" in result.page.read_text("utf-8")
    assert found(result)["design"].verdict != "unchecked"
    assert audit_state(made, "labels").state == result.meta.state
    label(made, Column("state", {"healthy": "sick", "sick": "healthy"}), STATES)
    assert audit_state(made, "labels").state == "stale"


@pytest.mark.long
def test_the_command_says_verdicts_and_is_strict_where_asked(tmp_path: Path):
    """1 with --strict where a check fails; JSON carries the headline and every check."""
    made = study(tmp_path, states=[0] * 8 + [1] * 8, plate=["P1"] * 8 + ["P2"] * 8)
    words = ["audit", str(made.folder), "--no-learning"]
    strict = CliRunner().invoke(main, [*words, "--strict", "--json"])
    assert strict.exit_code == 1
    told = json.loads(strict.stdout)
    assert told["state"] == "fails"
    assert told["headline"].startswith("This study FAILS the audit.")
    assert {check["name"] for check in told["checks"]} >= {"design", "acquisition"}


def test_a_split_of_other_labels_is_refused(tmp_path: Path):
    """It says whose split it is."""
    made = study(tmp_path)
    split(made, by="well", scheme=Holdout((0.5, 0.25, 0.25)), grid=Grid(80, 80))
    label(made, Column("state", {name: name for name in STATES}), STATES, name="others")
    with pytest.raises(SplitError, match="of other labels"):
        audit(made, labels="others", split="split", learning=False)


def test_a_split_of_labels_made_anew_is_refused(tmp_path: Path):
    """What is audited is what would be trained on: a split of older labels is not it."""
    made = study(tmp_path)
    split(made, by="well", scheme=Holdout(), grid=Grid(64, 64))
    table = made.labels("labels")
    made.write_labels("labels", table.iloc[:-1], made.label_meta("labels"))
    with pytest.raises(SplitError, match="made anew after the split"):
        audit(made, split="split", learning=False)


@pytest.mark.long
def test_copies_with_two_labels_lead_the_headline(tmp_path: Path):
    """The worst of copies is their first sentence, which is all that a headline has."""
    made = study(tmp_path, lambda well, state: cells(well - (well == 5), 0))
    assert "Labels differ in" in asked(made).meta.headline


def test_time_0_with_an_image_that_cannot_be_used_is_asked_without_it(tmp_path: Path):
    """A damaged image at time 0 costs itself alone."""
    made = study(tmp_path, hours=[0] * 8 + [1] * 8)
    data = AuditData.of(made, "labels")
    (tmp_path / "images" / "B02.tif").write_bytes(b"II*\0 no image")
    sample, why = before(data)
    assert sample is not None, why
    assert "B02" not in sample.units
    assert "B03" in sample.units


@pytest.mark.long
def test_measures_are_made_again_where_their_patches_are_lost(tmp_path: Path):
    """Killed between two files, or one of them damaged, both are as if never written."""
    made = study(tmp_path)
    first = AuditData.of(made, "labels").measured
    kept = made.folder / "cache" / "empty-patches.parquet"
    for lost in (kept.unlink, lambda: kept.write_bytes(b"no table")):
        lost()
        again = AuditData.of(made, "labels").measured
        assert again.patches.equals(first.patches)
        assert again.frames.equals(first.frames)
    (made.folder / "cache" / "measures.parquet").unlink()
    assert AuditData.of(made, "labels").measured.patches.equals(first.patches)
