"""The command line: one command a job, no logic. Exit codes are those of `endings`.

Nothing heavy is imported before a command runs, so that every ``--help`` comes at once.
"""

import click

from livewell import __version__
from livewell.cli.agreement import agreement_
