"""The checks of an audit, in the order in which a page shows them."""

from collections.abc import Callable

from livewell.splitting.audit import Check
from livewell.splitting.checks.acquisition import acquisition
from livewell.splitting.checks.appearance import appearance
from livewell.splitting.checks.background import background
from livewell.splitting.checks.data import AuditData
from livewell.splitting.checks.design import design
from livewell.splitting.checks.repeats import repeats

Question = Callable[[AuditData], Check]
"""Another check is another such function, and a line of `QUESTIONS`."""
QUESTIONS: tuple[Question, ...] = (design, acquisition, appearance, background, repeats)
"""What is asked of every study."""
