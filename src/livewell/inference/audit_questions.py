"""The audit's questions that are answered by learning."""

from functools import partial

import pandas as pd

from livewell.inference.audit_samples import before, columns, labelled
from livewell.splitting.audit import Check
from livewell.splitting.checks import before as before_
from livewell.splitting.checks import replicates as replicates_
from livewell.splitting.checks import shuffled as shuffled_
from livewell.splitting.checks.before import before_treatment
from livewell.splitting.checks.data import AuditData
from livewell.splitting.checks.registry import Question
from livewell.splitting.checks.replicates import replicates
from livewell.splitting.checks.sample import Sample
from livewell.splitting.checks.shuffled import shuffled


class Learning:
    """Questions that learn from the same features.

    `treated_s` is when cells were treated, in seconds of the study's time.
    """

    def __init__(self, treated_s: float = 0.0) -> None:
        self.treated_s = treated_s
        self._last: tuple[AuditData, Sample, pd.DataFrame] | None = None

    @property
    def questions(self) -> tuple[Question, ...]:
        """As `livewell.splitting.checks.registry.QUESTIONS`."""
        return self.replicates, self.shuffled, self.before_treatment

    @staticmethod
    def not_asked() -> tuple[Question, ...]:
        """The same, none of them answered."""
        why = "not asked (--no-learning)"

        def answer(name: str, question: str, _: AuditData) -> Check:
            return Check(name, question, unchecked=why)

        of = (replicates_, shuffled_, before_)
        return tuple(partial(answer, each.NAME, each.QUESTION) for each in of)

    def replicates(self, data: AuditData) -> Check:
        """See `livewell.splitting.checks.replicates`."""
        sample, rows = self._labelled(data)
        by = data.split.meta.by if data.split is not None else ""
        return replicates(sample, columns(data, rows), by=by, seed=data.seed)

    def shuffled(self, data: AuditData) -> Check:
        """See `livewell.splitting.checks.shuffled`; groups are those of the split, if any."""
        sample, rows = self._labelled(data)
        if data.split is None:
            return shuffled(sample, seed=data.seed)
        group = data.split.patches.drop_duplicates("image").set_index("image")["group"]
        own = rows["image"].map(group).fillna(rows["unit"]).to_numpy(str)
        return shuffled(sample, own, seed=data.seed)

    def before_treatment(self, data: AuditData) -> Check:
        """See `livewell.splitting.checks.before`."""
        return before_treatment(*before(data, self.treated_s), seed=data.seed)

    def _labelled(self, data: AuditData) -> tuple[Sample, pd.DataFrame]:
        if self._last is None or self._last[0] is not data:
            self._last = data, *labelled(data)
        return self._last[1:]
