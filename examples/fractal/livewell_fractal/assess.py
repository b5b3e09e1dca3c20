"""Judges one part of a plate."""

from fractal_task_tools.task_wrapper import run_fractal_task
from pydantic import BaseModel, validate_call

from livewell_fractal.plates import livewell


class InitArgsAssess(BaseModel):
    """One part of a plate, as `assess_init` deals it out.

    Attributes:
        plate: The plate.
        out: Folder of the verdicts on it.
        part: Which part, from 1.
        parts: How many parts.
    """

    plate: str
    out: str
    part: int
    parts: int


@validate_call
def assess(
    *,
    zarr_url: str,
    init_args: InitArgsAssess,
    model: str,
    channel: str | None = None,
    stride_px: int | None = None,
    pixel_um: float | None = None,
) -> None:
    """Judge cells on one part of a plate.

    Args:
        zarr_url: An image of the plate. (standard argument for Fractal tasks, managed by Fractal
            server).
        init_args: The part, as it was dealt out. (standard argument for Fractal tasks, managed by
            Fractal server).
        model: Folder of a livewell model.
        channel: Channel that is judged; by default the model's own, else the transmitted light.
        stride_px: From patch to patch, in the model's pixels; by default patches touch.
        pixel_um: Micrometres a pixel, where the plate says it wrongly.
    """
    options = {"--channel": channel, "--stride-px": stride_px, "--pixel-um": pixel_um}
    asked = [word for name, value in options.items() if value for word in (name, str(value))]
    shard = f"{init_args.part}/{init_args.parts}"
    where = ("--model", model, "--out", init_args.out, "--shard", shard)
    livewell("assess", init_args.plate, *where, *asked)


if __name__ == "__main__":
    run_fractal_task(task_function=assess)
