"""The command line: one command a job, no logic. Exit codes are those of `endings`.

Nothing heavy is imported before a command runs, so that every ``--help`` comes at once.
"""

import click

from livewell import __version__
from livewell.cli.agreement import agreement_
from livewell.cli.answers import answers
from livewell.cli.audit import audit_
from livewell.cli.budget import budget_
from livewell.cli.celldeath import celldeath
from livewell.cli.compare import compare_
from livewell.cli.convert import convert_
from livewell.cli.dataset import dataset_
from livewell.cli.design import design_
from livewell.cli.endings import Command
from livewell.cli.inside import explain_
from livewell.cli.labels import label
from livewell.cli.learn import evaluate_, features_, split_, train_
from livewell.cli.mosaic import mosaic_
from livewell.cli.prepare import index_, inspect_, stain_area_
from livewell.cli.quiz import quiz_
from livewell.cli.runs import gather_, status_
from livewell.cli.serve import serve_
from livewell.cli.show import demo_, simulate
from livewell.cli.use import assess_, heatmap_, localise_, plate_, timelapse_
from livewell.cli.watch import watch_


class InOrder(Command, click.Group):
    """Lists commands in the order of the work, not of the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order in which they were added."""
        return list(self.commands)


@click.group(
    cls=InOrder, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__)
def main() -> None:
    """Tell from unstained images whether living cells are well, and how sure that is."""


for each in (
    inspect_,
    index_,
    convert_,
    stain_area_,
    label,
    agreement_,
    dataset_,
    audit_,
    split_,
    mosaic_,
    features_,
    train_,
    evaluate_,
    compare_,
    design_,
    explain_,
    assess_,
    plate_,
    localise_,
    heatmap_,
    timelapse_,
    watch_,
    gather_,
    status_,
    budget_,
    serve_,
    answers,
    quiz_,
    celldeath,
    simulate,
    demo_,
):
    main.add_command(each)
