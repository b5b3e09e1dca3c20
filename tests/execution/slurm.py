"""A SLURM cluster of one's own: two nodes on this machine, for as long as it is needed.

Nothing of the machine's own SLURM is read or changed: programs find this cluster by the variable
``SLURM_CONF``, and nobody outside by any.
"""

import getpass
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "sinfo", "scancel", "scontrol")
NODES = ("n1", "n2")
UP = ("idle", "mixed", "allocated")
"""States of a node that takes or has jobs."""
CPUS = 8
"""Processors that every node says it has, whatever this machine has."""
_FOUND_IN = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
_CONF = """\
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge
StateSaveLocation={folder}
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmdLogFile={folder}/slurmd-%n.log
PropagateResourceLimits=NONE
MpiDefault=none
SwitchType=switch/none
# control groups of the kernel are not to be had everywhere
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
# jobs are spread over the nodes
SelectTypeParameters=CR_CPU,CR_LLN
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
ReturnToService=2
SlurmdTimeout=10
KillWait=1
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs={cpus} RealMemory=64000
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs={cpus} RealMemory=64000
PartitionName=all Nodes=n1,n2 Default=YES MaxTime=60 State=UP
PartitionName=short Nodes=n1,n2 MaxTime=1 State=UP
"""


def missing() -> str:
    """Programs that a cluster needs and this machine lacks; empty where there are all."""
    return ", ".join(name for name in PROGRAMS if not shutil.which(name, path=_FOUND_IN))


@dataclass(frozen=True)
class Slurm:
    """A cluster of nodes n1 and n2 with the partitions all (an hour) and short (a minute)."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to know to use this cluster, and none of another's settings."""
        own = {name: value for name, value in os.environ.items() if "SLURM" not in name}
        own |= {"SLURM_CONF": str(self.folder / "slurm.conf"), "PATH": _FOUND_IN}
        # a cluster's own setting of Dask: its nodes reach each other here and nowhere else
        return own | {"DASK_JOBQUEUE__SLURM__INTERFACE": "lo"}

    def run(self, *words: str | Path, cwd: Path | None = None, seconds: float = 60) -> str:
        """What a command such as ``squeue`` says; raises where it fails."""
        done = subprocess.run(
            list(map(str, words)),
            cwd=cwd or self.folder,
            env=self.environment,
            text=True,
            capture_output=True,
            timeout=seconds,
        )
        if done.returncode:
            raise RuntimeError(f"{words[0]} ended with {done.returncode}: {done.stderr}")
        return done.stdout.strip()

    def jobs(self, state: str = "pending,running,completing") -> list[str]:
        """Numbers of the jobs in a state, each task of an array by its own."""
        return self.run("squeue", "-h", "-r", "-o", "%A", "-t", state).split()

    def processes(self, *nodes: str) -> list[psutil.Process]:
        """What runs on nodes: their daemons, jobs and all that these started."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                said = process.environ()
                here = said.get("SLURM_CONF") == self.environment["SLURM_CONF"]
                if here and said.get("SLURMD_NODENAME") in nodes:
                    found.append(process)
        return found

    def start(self, node: str) -> None:
        """A node joins."""
        (self.folder / f"spool-{node}").mkdir(exist_ok=True)
        # in the background by itself, so that it is nobody's child
        subprocess.run(
            [shutil.which("slurmd", path=_FOUND_IN) or "slurmd", "-N", node],
            env=self.environment | {"SLURMD_NODENAME": node},
            check=True,
            timeout=30,
        )

    def lose(self, node: str) -> None:
        """A node is gone at once, with all that runs on it, as if its power had failed."""
        # its jobs' processes may be starting others meanwhile
        until(lambda: not _kill(self.processes(node)))

    def wait(self, node: str, *states: str, seconds: float = 60) -> None:
        """Until a node is in one of these states, such as ``idle`` or ``down``."""
        end = time.monotonic() + seconds
        while (now := self._state(node).rstrip("*")) not in states:
            if time.monotonic() > end:
                log = (self.folder / f"slurmd-{node}.log").read_text("utf-8", "replace")
                raise TimeoutError(f"{log[-300:]}: {node} is {now!r}, not {' or '.join(states)}")
            time.sleep(0.05)

    def _state(self, node: str) -> str:
        # the first questions come before the answering program listens
        with suppress(RuntimeError):
            return self.run("sinfo", "-h", "-p", "all", "-n", node, "-o", "%T")
        return ""


@contextmanager
def cluster() -> Iterator[Slurm]:
    """A cluster whose nodes are idle; nothing of it is left at the end."""
    host = socket.gethostname().partition(".")[0]
    with TemporaryDirectory(prefix="slurm-") as temporary:
        slurm, folder = Slurm(Path(temporary)), Path(temporary)
        (folder / "key").write_bytes(secrets.token_bytes(128))
        (folder / "key").chmod(0o400)
        conf = {"folder": folder, "host": host, "user": getpass.getuser(), "ports": _ports(3)}
        (folder / "slurm.conf").write_text(_CONF.format(**conf, cpus=CPUS))
        with ExitStack() as stack:
            _daemon(
                *(stack, slurm, "munged", "--foreground", "--force", "--socket", folder / "munge"),
                *("--key-file", folder / "key", "--pid-file", folder / "munged.pid"),
                *("--seed-file", folder / "seed", "--log-file", folder / "munged-own.log"),
            )
            until(lambda: (folder / "munge").exists())
            _daemon(stack, slurm, "slurmctld", "-D")
            stack.callback(_stop, slurm)
            for node in NODES:
                slurm.start(node)
            for node in NODES:
                slurm.wait(node, "idle")
            yield slurm


def _ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def _daemon(stack: ExitStack, slurm: Slurm, *words: str | Path) -> None:
    """Start a daemon that ends with `stack`."""
    program = shutil.which(words[0], path=_FOUND_IN) or words[0]
    log = stack.enter_context((slurm.folder / f"{words[0]}.log").open("ab"))
    process = subprocess.Popen([program, *words[1:]], env=slurm.environment, stdout=log, stderr=log)
    stack.callback(process.wait, 30)
    stack.callback(process.terminate)


def _stop(slurm: Slurm) -> None:
    """Cancel all jobs and stop all nodes; whatever has not ended by then is killed."""
    with suppress(RuntimeError, subprocess.TimeoutExpired):
        slurm.run("scancel", "-u", getpass.getuser())
        until(lambda: not slurm.jobs(), 10)
    for node in NODES:
        slurm.lose(node)


def _kill(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Kill processes; returns them."""
    for process in processes:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(processes, 10)
    return processes


def until(done: Callable[[], bool], seconds: float = 30) -> None:
    """Wait until something holds, at most so long."""
    until = time.monotonic() + seconds
    while not done() and time.monotonic() < until:
        time.sleep(0.05)
