"""Deals the fields of plates out to parts that are judged beside each other."""

from typing import Any

from fractal_task_tools.task_wrapper import run_fractal_task
from pydantic import validate_call

from livewell_fractal.plates import plates_of, verdicts_of


@validate_call
def assess_init(
    *, zarr_urls: list[str], zarr_dir: str, parts: int = 20
) -> dict[str, list[dict[str, Any]]]:
    """Deal the fields of plates out to parts.

    Args:
        zarr_urls: Images of the plates. (standard argument for Fractal tasks, managed by Fractal
            server).
        zarr_dir: Folder that the verdicts go beside. (standard argument for Fractal tasks, managed
            by Fractal server).
        parts: How many parts each plate is dealt out to.
    """
    found = []
    for plate in plates_of(zarr_urls):
        first = min(url for url in zarr_urls if plates_of([url]) == [plate])
        own = {"plate": str(plate), "out": str(verdicts_of(plate, zarr_dir)), "parts": parts}
        found += [
            {"zarr_url": first, "init_args": {**own, "part": part}} for part in range(1, parts + 1)
        ]
    return {"parallelization_list": found}


if __name__ == "__main__":
    run_fractal_task(task_function=assess_init)
