"""Judge a running acquisition."""

import re
from pathlib import Path
from typing import Any

import click

from livewell.cli.talk import (
    COUNT,
    DEVICE,
    OCCUPIED_BY,
    PATH,
    POSITIVE,
    Talk,
    channels,
    command,
)

SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}


class Span(click.ParamType[float]):
    """A span of time above zero, in seconds: ``90``, ``90s``, ``10m``, ``2h``."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Seconds, or a usage error."""
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", str(value))
        seconds = float(match[1]) * SECONDS[match[2]] if match else 0.0
        if not 0 < seconds < 1e9:
            self.fail(f"{value!r} is no time: write 90s, 10m or 2h.", param, ctx)
        return seconds


SPAN = Span()


@command("watch")
@click.argument("folder", type=PATH)
@click.option("--model", type=PATH, required=True, help="Model folder or training run.")
@click.option("--out", type=PATH, required=True, help="Folder for lines, verdicts and report.")
@click.option("--pattern", help="File-name pattern with {well}, {position} and {t}.")
@click.option(
    "--interval",
    "interval_s",
    type=SPAN,
    default="0.5s",
    show_default=True,
    help="From look to look.",
)
@click.option(
    "--give-up-after",
    "give_up_after_s",
    type=SPAN,
    default="10m",
    show_default=True,
    help="A file that cannot be read and has not changed for so long is a failure.",
)
@click.option(
    "--until-idle", "until_idle_s", type=SPAN, help="End when nothing has changed for so long."
)
@click.option("--frames", type=COUNT, help="End after so many frames.")
@click.option(
    "--alarm-frames",
    type=(COUNT, COUNT),
    default=(3, 5),
    show_default=True,
    metavar="K N",
    help="A position is in alarm where K of its last N judged frames are of the positive class.",
)
@click.option(
    "--alarm-above",
    type=click.FloatRange(0, 1, max_open=True),
    help="p above which a frame counts for an alarm; by default where its verdict says so.",
)
@click.option(
    "--on-alarm",
    help="Program to start once for each position in alarm, without a shell; its last arguments are"
    " image, position and p.",
)
@click.option("--stride-px", type=COUNT, help="From patch to patch; by default they touch.")
@channels("Channel to judge; by default the model's.")
@click.option("--pixel-um", type=POSITIVE, help="Pixel size in micrometres, for all files.")
@click.option("--frame-s", type=POSITIVE, help="Seconds from frame to frame, for all files.")
@OCCUPIED_BY
@DEVICE
def watch_(talk: Talk, folder: Path, model: Path, out: Path, **options: Any) -> int:
    """Judge a running acquisition as its frames arrive.

    With --json standard output is a line of JSON a frame, as in OUT/frames.jsonl, and at the end
    the result.
    """
    from livewell.workflows.watch import watch

    def tell(line: dict[str, Any]) -> None:
        talk.line(line)
        if line["kind"] == "frame":
            p = [f", {n} {v:.2f}" for n, v in line.items() if n.startswith("p_") and v is not None]
            at = f"{line['image']}, frame {line['t']}"
            talk.say(f"{at}: {line['verdict']}{''.join(p)}; {line['latency_s']:.1f} s")
        elif line["kind"] == "failure":
            talk.warn(f"not judged: {line['image']}: {line['error']}")
        elif line["kind"] == "alarm":
            talk.warn(f"alarm: {line['place']}, {line['image']}, frame {line['t']}")

    made = watch(folder, model, out, tell=tell, **options)
    talk.say(f"ended: {made.reason}")
    verdicts = talk.count(made.verdicts["verdict"])
    failures, alarms = len(made.failures), list(made.alarms)
    found: dict[str, Any] = {"verdicts": verdicts, "alarms": alarms, "failures": failures}
    talk.end(made, kind="end", reason=made.reason, **found)
    return 1 if failures else 0
