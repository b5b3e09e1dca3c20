"""Workers in SLURM jobs: whether SLURM takes such jobs, and what became of those it took."""

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from livewell.disk import writing
from livewell.errors import ClusterError
from livewell.execution.executors import Executor

ANSWER_S = 30
"""How long SLURM may take to answer."""
DEFAULT_MEMORY = "4GB"
"""Of a job, where nothing else is said."""
ROUNDS = 3
"""When so many times all jobs have ended without a worker, others will do no better."""


@contextmanager
def slurm_cluster(
    executor: Executor, logs: Path, settings: Mapping[str, object], options: Mapping[str, object]
) -> Iterator[Any]:
    """A scheduler here whose workers are jobs; `settings` of Dask hold in jobs too.

    Whoever has no key sends no work: jobs find it beside their logs, where only this user reads it.

    Raises
    ------
    OSError, RuntimeError
        There is no SLURM, or it does not take such jobs.
    OutputError
        `logs` cannot be written.
    """
    from dask_jobqueue.slurm import SLURMCluster, SLURMJob
    from distributed import Status

    class Job(SLURMJob):
        """A job that says when it was closed, which Dask asks of all at the end."""

        async def close(self) -> None:
            self.status = Status.closing
            await super().close()  # type: ignore[no-untyped-call]
            self.status = Status.closed

    quiet = [
        f"export DASK_{name.upper().replace('.', '__').replace('-', '_')}={value}"
        for name, value in settings.items()
    ]
    kind: Any = SLURMCluster
    with ExitStack() as stack:
        with writing(logs):
            logs.mkdir(parents=True, exist_ok=True)
            keys = stack.enter_context(TemporaryDirectory(prefix="keys-", dir=logs))
            security = _security(Path(keys))
        cluster = stack.enter_context(
            kind(
                job_cls=Job,
                queue=executor.partition,
                account=executor.account,
                cores=1,
                processes=1,
                memory=executor.memory or DEFAULT_MEMORY,
                walltime=executor.walltime,
                python=sys.executable,
                log_directory=str(logs),
                job_name="livewell",
                job_script_prologue=quiet,
                silence_logs="critical",
                scheduler_options=dict(options),
                security=security,
            )
        )
        _told(["sbatch", "--test-only"], cluster.job_script())
        cluster.scale(executor.jobs)
        yield cluster


def _security(keys: Path) -> Any:
    """Keys for one scheduler and its workers, in files of a folder."""
    from distributed import Security

    kind: Any = Security
    made = kind.temporary()
    for name, value in made.get_tls_config_for_role("worker").items():
        if value and "\n" in value:
            path = keys / f"{name}.pem"
            path.touch(0o600)
            path.write_text(value, "ascii")
            setattr(made, "tls_ca_file" if name == "ca_file" else f"tls_worker_{name}", str(path))
    return made


def queued() -> dict[str, str] | None:
    """The user's jobs that wait or run, and why they wait; ``None``: SLURM does not answer."""
    try:
        told = _told(["squeue", "--me", "--noheader", "--format=%A %r"])
    except (OSError, RuntimeError, subprocess.TimeoutExpired):
        return None
    return dict(line.strip().split(" ", 1) for line in told.splitlines() if line.strip())


def jobs_end_early(ended: int, executor: Executor, logs: Path) -> None:
    """Refuse to begin ever more jobs that have ended before any had a worker.

    Raises
    ------
    ClusterError
        All have ended several times.
    """
    if ended < ROUNDS * (executor.jobs or 1):
        return
    files = sorted(logs.glob("*.err"), key=lambda path: path.stat().st_mtime)
    lines = files[-1].read_text("utf-8", "replace").splitlines() if files else []
    raise ClusterError(
        f"{ended} SLURM jobs ended before their worker began",
        where=str(logs),
        got=next((line.strip() for line in reversed(lines) if line.strip()), ""),
        remedy="read what the jobs said there: nodes must see this Python and reach this machine",
    )


def _told(words: Sequence[str], script: str = "") -> str:
    """What a program of SLURM says."""
    done = subprocess.run(  # noqa: S603
        words, input=script, capture_output=True, text=True, timeout=ANSWER_S
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip() or f"{words[0]} ended with {done.returncode}")
    return done.stdout
