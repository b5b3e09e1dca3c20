"""Figures of an audit's checks."""

from collections.abc import Sequence

from livewell.report.page import Picture
from livewell.splitting.audit import Check
from livewell.splitting.checks.data import AuditData


def figures(data: AuditData, check: Check) -> Sequence[Picture]:
    """The figures that show what a check found; none for one without."""
    return ()
