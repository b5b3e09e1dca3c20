"""How the state of an audit stands on every page."""

import pytest

from livewell.report.page import good, info
from livewell.report.results import PageResults
from livewell.report.trust import audited
from livewell.tables.metadata import AuditSummary

FAILED = AuditSummary(state="fails", headline="This study FAILS the audit.")


def test_a_failed_audit_leaves_no_good_note():
    """It stands first, in the colour of a problem, and whatever was good is not said."""
    results = PageResults("title", "subtitle", audits=[FAILED])
    page = results.page("told apart", "good", [], [good("sound"), info("known")])
    assert page.tone == "bad"
    assert [note.tone for note in page.trust] == ["bad", "info"]
    assert "FAILS" in page.trust[0].text


def test_a_page_without_labels_says_nothing_of_audits():
    """Notes and tone of a page that no audit is about stay as they are."""
    page = PageResults("title", "subtitle").page("told apart", "good", [], [good("sound")])
    assert (page.tone, [note.text for note in page.trust]) == ("good", ["sound"])


@pytest.mark.parametrize(
    ("state", "tone"),
    [
        ("fails", "bad"),
        ("attention", "warn"),
        ("passes", "good"),
        ("unchecked", "info"),
        ("stale", "info"),
        ("none", "info"),
    ],
)
def test_every_state_has_a_note(state: str, tone: str):
    """A state that is no pass is never said in the colour of a good one."""
    assert audited(AuditSummary(state=state)).tone == tone


def test_what_stands_on_top_is_not_said_again_and_nothing_else_is_lost():
    """A headline that is the page's verdict has no note; labels never audited are told always."""
    found = AuditSummary(state="fails", headline="The label goes with plate.")
    of = PageResults("title", "subtitle", audits=(found,))
    assert of.page(found.headline, "bad", (), ()).trust == []
    assert of.page("another verdict", "bad", (), ()).trust == [audited(found)]
    never = PageResults("title", "subtitle", audits=(AuditSummary(),))
    assert never.page("a verdict", "good", (), ()).trust == [audited(AuditSummary())]
