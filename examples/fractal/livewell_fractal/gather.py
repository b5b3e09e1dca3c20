"""Makes tables and a page of what all parts of each plate came to."""

from fractal_task_tools.task_wrapper import run_fractal_task
from pydantic import validate_call

from livewell_fractal.plates import livewell, plates_of, verdicts_of


@validate_call
def gather(*, zarr_urls: list[str], zarr_dir: str) -> None:
    """Gather the verdicts on plates.

    Args:
        zarr_urls: Images of the plates. (standard argument for Fractal tasks, managed by Fractal
            server).
        zarr_dir: Folder that the verdicts lie beside. (standard argument for Fractal tasks,
            managed by Fractal server).
    """
    for plate in plates_of(zarr_urls):
        livewell("gather", verdicts_of(plate, zarr_dir))


if __name__ == "__main__":
    run_fractal_task(task_function=gather)
