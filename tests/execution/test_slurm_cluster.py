"""The SLURM cluster that other tests use is a real one."""

import psutil
import pytest

from tests.execution.slurm import Slurm, cluster, missing, until

pytestmark = pytest.mark.long


def test_jobs_run_on_both_nodes(slurm: Slurm, tmp_path) -> None:
    """An array of more tasks than a node has processors runs on both, each task once."""
    script = "echo $SLURM_ARRAY_TASK_ID $SLURMD_NODENAME > $SLURM_ARRAY_TASK_ID; sleep 1"
    slurm.run("sbatch", "--wait", "-a", "0-11", "-o", "/dev/null", "--wrap", script, cwd=tmp_path)
    lines = [path.read_text().split() for path in tmp_path.iterdir()]
    assert sorted(int(task) for task, _ in lines) == list(range(12))
    assert {node for _, node in lines} == {"n1", "n2"}


def test_cancelled_jobs_end(slurm: Slurm) -> None:
    """`scancel` ends what a job started."""
    said = slurm.run("sbatch", "--parsable", "-o", "/dev/null", "--wrap", "sleep 300; true")
    until(lambda: said in slurm.jobs("running"))
    slurm.run("scancel", said)
    until(lambda: not slurm.jobs())
    assert not [it for it in slurm.processes("n1", "n2") if it.name() == "sleep"]


def test_nothing_is_left() -> None:
    """At the end no daemon, no job and no file of the cluster is there."""
    if missing():
        pytest.skip("no SLURM")
    with cluster() as own:
        own.run("sbatch", "-o", "/dev/null", "--wrap", "sleep 300")
        until(lambda: bool(own.jobs("running")))
        own.lose("n2")
        own.wait("n2", "down")
    assert not own.processes("n1", "n2")
    assert not own.folder.exists()
    assert not [it for it in psutil.process_iter(["cmdline"]) if own.folder.name in str(it.info)]
