"""Studies and runs with one damaged file, driven through the commands that read it.

What comes out is as before, or says what the file now says, or the command refuses and names it.
"""

import json
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pyarrow.lib import ArrowException

from livewell.errors import LivewellError
from livewell.models.profile import override
from livewell.models.recipes import TINY
from livewell.splitting.schemes import Holdout
from livewell.study.regions import Grid
from livewell.workflows.assess import assess
from livewell.workflows.evaluate import evaluate
from livewell.workflows.split import split
from livewell.workflows.train import train
from tests.campaign.cases import Case, refusal
from tests.campaign.commands import digests, moved, worked
from tests.campaign.json_edits import hurt_bytes, hurt_text

PROFILE = override(TINY, {"steps": 3, "steps_per_epoch": 3, "test_turns": False})
JOURNAL = "verdicts/units/*.jsonl"


@dataclass(frozen=True)
class Step:
    """A command, the files that it reads, and the folder that it makes."""

    name: str
    files: tuple[str, ...]
    makes: str
    work: Callable[[Path], Any]


def _split(world: Path) -> None:
    split(world / "study", by="well", scheme=Holdout(), grid=Grid(64, 64), name="again")


def _train(world: Path) -> None:
    train(world / "study", world / "run", PROFILE, processes=0, device="cpu")


def _train_on(world: Path) -> None:
    """Go on with a run that was stopped before its model was written."""
    shutil.rmtree(world / "run" / "fold-00" / "model")
    _train(world)


def _assess(world: Path) -> None:
    assess(world / "images", world / "run", world / "verdicts", device="cpu")


def _evaluate(world: Path) -> None:
    evaluate(world / "run", out=world / "evaluated")


_STUDY = ("study/study.json", "study/fields.parquet")
STEPS = (
    Step("split", (*_STUDY, "study/headers.parquet", "study/labels/labels.*", "study/cache/**/*"),
         "study/splits/again", _split),
    Step("train", (*_STUDY, "study/splits/split/*", "study/cache/auto/**/*", "run/run.json"),
         "run", _train),
    Step("go on", ("run/run.json", "run/fold-00/*", "study/splits/split/*"), "run", _train_on),
    Step("assess", ("verdicts/*", JOURNAL, JOURNAL, "run/run.json"), "verdicts", _assess),
    Step("evaluate", ("run/run.json", *_STUDY, "study/splits/split/*", "study/cache/**/*"),
         "evaluated", _evaluate),
)  # fmt: skip


@dataclass(frozen=True)
class Before:
    """A world that all steps can begin from, and what each of them makes of it undamaged."""

    world: Path
    made: dict[str, dict[str, str]]


class Studies:
    """Damaged studies, by number."""

    wait_s = 60.0

    def prepare(self, folder: Path) -> Before:
        """The work up to a trained model, with a journal as a killed `assess` leaves it."""
        world = worked(folder / "world", "split")
        _train(world)
        _journal(world)
        made = {}
        for step in STEPS:
            own = moved(world, folder / step.name)
            step.work(own)
            made[step.name] = digests(own / step.makes, own)
        return Before(world, made)

    def case(self, world: Before, rng: random.Random, folder: Path) -> Case:
        """Damage one file that a step reads, and take that step."""
        own, step = moved(world.world, folder / "world"), rng.choice(STEPS)
        pattern = rng.choice(step.files)
        path = rng.choice(sorted(path for path in own.glob(pattern) if path.is_file()))
        what, nonsense = _hurt(path, rng)
        said = f"{step.name}: {path.relative_to(own)}: {what}"
        return Case(said, partial(_taken, step, world, own, path, nonsense))


def _journal(world: Path) -> None:
    """Stop `assess` once its journal has some lines."""
    from livewell.execution.journal import Journal

    add, count = Journal.add, 0

    def adding(self: Journal, *row: Any) -> None:
        nonlocal count
        add(self, *row)
        count += 1
        if count == 4:
            raise KeyboardInterrupt

    Journal.add = adding  # type: ignore[method-assign]
    try:
        _assess(world)
    except KeyboardInterrupt:
        pass
    finally:
        Journal.add = add  # type: ignore[method-assign]
    if not list(world.glob(JOURNAL)):
        raise RuntimeError("no journal was left")


def _taken(step: Step, before: Before, own: Path, path: Path, nonsense: bool) -> tuple[str, str]:
    try:
        step.work(own)
    except LivewellError as error:
        folder = path.parent.relative_to(own)
        images = [image.name for image in (own / "images").iterdir()]
        category, said = refusal(error, path.name, path.stem, str(folder), str(own), *images)
        return ("blocked", said) if step.name == "assess" and not error.remedy else (category, said)
    made = digests(own / step.makes, own)
    if made == before.made[step.name]:
        return "right", ""
    other = [name for name, value in before.made[step.name].items() if made.get(name) != value]
    if path.is_relative_to(own / step.makes) and other == [path.name]:
        return "right", "the damaged file stands as it was"
    detail = ", ".join(other[:5])
    return ("silent wrong" if nonsense else "as the file says"), detail


def _hurt(path: Path, rng: random.Random) -> tuple[str, bool]:
    """Damage a file; what was done, and whether no sound file is like that."""
    if rng.random() < 0.06:
        path.unlink()
        return "deleted", False
    if path.suffix == ".json" and rng.random() < 0.8:
        data, what = hurt_text(path.read_text(), rng)
        if rng.random() < 0.1:
            said = json.loads(path.read_text()) | {"format": 99}
            data, what = json.dumps(said).encode(), "of the future"
        path.write_bytes(data)
        return what, what == "of the future"
    if path.suffix == ".parquet" and rng.random() < 0.7:
        return _hurt_table(path, rng)
    if path.suffix == ".npy" and rng.random() < 0.3:
        array = np.load(path)
        np.save(path, array[..., :-1] if rng.random() < 0.5 else array.astype("float64"))
        return "an array of another kind", True
    data, what = hurt_bytes(path.read_bytes(), rng)
    path.write_bytes(data)
    return what, False


def _hurt_table(path: Path, rng: random.Random) -> tuple[str, bool]:
    """A Parquet table of other columns, types or values."""
    table = pd.read_parquet(path)
    column = rng.choice(list(table))
    odd = rng.choice((-1, "-1", "x", 1e30, float("nan"), None, True, 1.5))
    way = rng.choice(list(_TABLES))
    try:
        _TABLES[way](table, column, odd).to_parquet(path)
    except (ArrowException, TypeError, ValueError):
        path.write_bytes(b"PAR1")
    nonsense = way in ("lists", "empty", "doubled", "index") or (
        way == "odd" and odd in (-1, "-1", 1e30)
    )
    return f"{way} {column} {odd if 'odd' in way else ''}", nonsense


def _one_odd(table: pd.DataFrame, column: str, odd: Any) -> pd.DataFrame:
    values = [odd, *table[column].tolist()[1:]]
    return table.assign(**{column: list(map(str, values)) if isinstance(odd, str) else values})


_TABLES: dict[str, Callable[[pd.DataFrame, str, Any], pd.DataFrame]] = {
    "dropped": lambda table, column, odd: table.drop(columns=column),
    "renamed": lambda table, column, odd: table.rename(columns={column: "unknown"}),
    "lists": lambda table, column, odd: table.assign(**{column: [[1, 2]] * len(table)}),
    "odd": lambda table, column, odd: table.assign(**{column: odd}),
    "one odd": _one_odd,
    "empty": lambda table, column, odd: table.iloc[:0],
    "doubled": lambda table, column, odd: pd.concat([table, table.iloc[:2]]),
    "index": lambda table, column, odd: table.set_index([column, table[column].astype(str) + "x"]),
    "text": lambda table, column, odd: table.assign(**{column: table[column].astype(str)}),
}
