"""The audit of small studies: verdicts, page, files, state, command."""

import json
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from livewell.cli import main
from livewell.labels.by_column import Column
from livewell.study.audited import audit_state
from livewell.study.study import Study
from livewell.tables.metadata import AuditMeta, CheckMeta
from livewell.workflows.audit import AuditResult, audit
from livewell.workflows.label import label
from tests.splitting.checks.planted import STATES, study


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
        "attribution": "unchecked",
    }
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
