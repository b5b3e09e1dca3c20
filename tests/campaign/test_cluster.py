"""A part of the campaign that disturbs runs on processes, Dask and SLURM, always the same."""

from functools import partial
from pathlib import Path

import pytest

from tests.campaign.cases import run, told
from tests.campaign.cluster import (
    Cluster,
    deadly,
    full_disk,
    gathers,
    node,
    scancel,
    schedulers,
    walltime,
    workers,
)
from tests.execution.slurm import Slurm

SHORT = (
    partial(workers, way="workers", kills=2),
    partial(workers, way="slurm", kills=2),
    partial(schedulers, way="slurm", kills=1),
    partial(gathers),
)
LONG = (
    partial(workers, way="dask", kills=4),
    partial(schedulers, way="workers", kills=2),
    partial(schedulers, way="dask", kills=2),
    partial(scancel, kills=2),
    partial(walltime),
    partial(node),
    partial(full_disk, way="workers"),
    partial(full_disk, way="slurm"),
    partial(deadly, way="slurm"),
)


@pytest.mark.minutes
@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
def test_disturbed_runs(slurm: Slurm, tmp_path: Path) -> None:
    """Workers, a scheduler and parts that are killed: the same results as undisturbed."""
    outcomes = run(Cluster(slurm, SHORT), range(len(SHORT)), tmp_path, seed=0)
    assert not [it for it in outcomes if it.failed], told(outcomes, "cluster", 0)


@pytest.mark.minutes
@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
def test_more_disturbed_runs(slurm: Slurm, tmp_path: Path) -> None:
    """The rest: cancelled jobs, ended time, a lost node, a full disk, a unit that kills."""
    outcomes = run(Cluster(slurm, LONG), range(len(LONG)), tmp_path, seed=0)
    assert not [it for it in outcomes if it.failed], told(outcomes, "cluster", 0)
