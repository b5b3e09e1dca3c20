"""The table of commands: every function is there, takes its options, and is told of as made."""

import inspect
import json
from importlib import import_module
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.__main__ import BENCHMARKS, Benchmark, bench
from benchmarks.result import Result, render


@pytest.mark.parametrize("benchmark", BENCHMARKS, ids=lambda each: each.name)
def test_functions_take_the_options(benchmark: Benchmark) -> None:
    """What the command line gives, the function takes; what it needs, it is given."""
    module, function = benchmark.work.split(".")
    takes = inspect.signature(getattr(import_module(f"benchmarks.{module}"), function)).parameters
    given = {option.name for option in bench.commands[benchmark.name].params}
    given -= {"out", "quiet", "as_json"}
    assert given <= set(takes)
    assert {name for name, each in takes.items() if each.default is each.empty} <= given


def test_a_result_is_written_with_the_command_that_makes_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Models, seed and time stand beside the table, and the page is made of it."""
    made = Result("Title", "one | of |x|", [["1", "2"]], "Lead.")
    monkeypatch.setattr("benchmarks.movies.real_images", lambda **_: made)
    call = ["dense-real", "--seed", "3", "--model", "a", "--model", "b", "--out", str(tmp_path)]
    answer = CliRunner().invoke(bench, call)
    assert answer.exit_code == 0, answer.output
    kept = json.loads((tmp_path / "dense-real.json").read_text("utf-8"))
    assert kept["command"] == (
        "python -m benchmarks dense-real --data ../shared/data --seed 3 --model a --model b"
    )
    assert (kept["columns"], kept["seed"]) == (["one", "of |x|"], 3)
    assert "| one | of \\|x\\| |" in render(tmp_path)
