"""A plate in parts under SLURM, Snakemake and Nextflow says what one command says."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.execution.slurm import Slurm, until

pytestmark = pytest.mark.long


def run(*words: str | Path, **settings: object) -> str:
    """What a program says; its whole output is told where it fails."""
    done = subprocess.run(
        list(map(str, words)),
        capture_output=True,
        text=True,
        timeout=500,
        **settings,  # type: ignore[call-overload]
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return str(done.stdout)


def test_an_array_of_jobs(
    slurm: Slurm, examples, judged, same_verdicts, environment, tmp_path
) -> None:
    """Three jobs of an array, and one that gathers after them, on a real SLURM."""
    out = tmp_path / "out"
    words = (examples / "slurm" / "array.sh", judged / "images", judged / "run", out, "3")
    path = {"PATH": f"{environment['PATH']}:/usr/sbin", "OMP_NUM_THREADS": "1"}
    run("bash", *words, "--partition", "all", env=slurm.environment | path)
    until(lambda: not slurm.jobs(), 400)
    assert (out / "report.html").is_file(), [
        it.read_text() for it in (tmp_path / "out-logs").iterdir()
    ]
    same_verdicts(out)


def test_snakemake(examples, judged, same_verdicts, environment, programs, tmp_path) -> None:
    """Three parts, then one rule that gathers."""
    words = ["-s", examples / "snakemake" / "Snakefile", "--cores", "2", "--config"]
    words += [f"images={judged / 'images'}", f"model={judged / 'run'}", "out=out", "shards=3"]
    program = programs("snakemake") / "snakemake"
    run(program, *words, cwd=tmp_path, env=environment | {"XDG_CACHE_HOME": str(tmp_path)})
    same_verdicts(tmp_path / "out")


def test_nextflow(examples, judged, same_verdicts, environment, tmp_path) -> None:
    """Three parts, then one process that gathers; without Nextflow its scripts one by one."""
    workflow = examples / "nextflow" / "main.nf"
    values = {"images": judged / "images", "model": judged / "run", "out": tmp_path / "out"}
    if program := shutil.which("nextflow"):
        named = [word for name, value in values.items() for word in (f"--{name}", value)]
        run(program, "run", workflow, *named, "--shards", "3", cwd=tmp_path, env=environment)
    else:
        text = workflow.read_text()
        for name, value in values.items():
            text = text.replace(f"${{file(params.{name})}}", str(value))
        shard, gather = re.findall(r'script:\n    """\n(.*?)"""', text, re.S)
        for k in "123":
            script = shard.replace("${shard}", k).replace("${params.shards}", "3")
            assert "$" not in script
            run("bash", "-euc", script, env=environment)
        run("bash", "-euc", gather, env=environment)
    same_verdicts(tmp_path / "out")


_GROOVY = """
import sys, tree_sitter, tree_sitter_groovy
parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_groovy.language()))
sys.exit(parser.parse(open(sys.argv[1], "rb").read()).root_node.has_error)
"""


def test_the_nextflow_workflow_is_groovy(examples, programs) -> None:
    """Its syntax is right, also where no Nextflow is to be had."""
    python = programs("tree-sitter", "tree-sitter-groovy==0.1.2") / "python"
    run(python, "-c", _GROOVY, examples / "nextflow" / "main.nf")
