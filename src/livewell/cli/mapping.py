"""Options of every command that makes heat maps."""

import click

from livewell.cli.talk import COUNT, DEVICE, PATH, POSITIVE, Command, channels

OPTIONS = (
    click.option("--model", type=PATH, required=True, help="Model folder or training run."),
    click.option(
        "--stride-px", type=COUNT, help="From window to window; by default a quarter patch."
    ),
    click.option(
        "--engine",
        type=click.Choice(["auto", "dense", "windows"]),
        default="auto",
        show_default=True,
        help="Whole frames at once, or window by window; auto: dense where exact or measured near.",
    ),
    click.option(
        "--backend",
        type=click.Choice(["torch", "torch-bf16", "onnxruntime", "openvino", "openvino-bf16"]),
        default="torch",
        show_default=True,
        help="What computes dense maps.",
    ),
    click.option(
        "--memory-gb", type=POSITIVE, help="What tiles may take: 2, on a GPU half of what is free."
    ),
    click.option(
        "--edges",
        type=click.Choice(["drop", "mirror"]),
        default="drop",
        show_default=True,
        help="Nearer than half a window to the edge: say nothing, or mirror the frame.",
    ),
    channels("Channel to judge; by default the study's, else the model's."),
    DEVICE,
    click.option(
        "--fps", type=POSITIVE, default=5.0, show_default=True, help="Frames a second of videos."
    ),
    click.option(
        "--video",
        type=click.Choice(["webm", "mp4"]),
        default="webm",
        show_default=True,
        help="mp4 needs ffmpeg.",
    ),
)


def mapping(function: Command) -> Command:
    """Give a command the options of heat maps."""
    for option in reversed(OPTIONS):
        function = option(function)
    return function
