"""A command of cheap units: ``python -m tests.campaign.small_work SETTINGS`` (JSON).

It numbers the bytes of every file, each a tenth of a second, through the same loop, journal and
executors as the commands of livewell, but begins in a second.
"""

import json
import os
import signal
import sys
import time
from functools import partial
from pathlib import Path

from livewell.errors import LivewellError
from livewell.execution.executors import Executor, PartDone
from livewell.execution.items import Item, Journal, Record, map_items
from livewell.files import write_json
from livewell.progress import Tick

RESULT = "result.json"


def number(item: Item, tick: Tick, seconds: float, deadly: str) -> Record:
    """One row: the sum of a file's bytes; the file named `deadly` ends the process at it."""
    time.sleep(seconds)
    if item.name == deadly:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"rows": [{"t": 0, "sum": sum(item.path.read_bytes())}]}


def main(files: str, out: str, seconds: float, executor: Record, deadly: str = "") -> None:
    """Number all files, and write what came of it."""
    items = [Item(path.name, path, {"kind": "sum"}) for path in sorted(Path(files).iterdir())]
    where = Executor(**executor | {"shard": tuple(executor.get("shard", ())) or None})
    work = partial(number, seconds=seconds, deadly=deadly)
    results = map_items(items, work, Journal(Path(out)), what="adding", executor=where)
    failures = results.failures.astype(str).to_dict("records")
    write_json(Path(out) / RESULT, {"rows": results.rows, "failures": failures})


if __name__ == "__main__":
    try:
        main(**json.loads(sys.argv[1]))
    except PartDone as part:
        print(part)
    except LivewellError as error:
        print(f"[{error.code}] {error}", file=sys.stderr)
        sys.exit(2)
