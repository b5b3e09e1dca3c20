"""Makes an OME-Zarr plate of a folder of images."""

from pathlib import Path
from typing import Any

from fractal_task_tools.task_wrapper import run_fractal_task
from pydantic import validate_call


@validate_call
def convert(
    *,
    zarr_dir: str,
    images: str,
    plate_name: str = "plate.zarr",
    pattern: str | None = None,
    pixel_um: float | None = None,
    frame_s: float | None = None,
) -> dict[str, list[dict[str, Any]]]:
    """Convert images to an OME-Zarr plate.

    Args:
        zarr_dir: Folder that takes the plate. (standard argument for Fractal tasks, managed by
            Fractal server).
        images: A folder of images, or a study of livewell.
        plate_name: Name of the plate's folder.
        pattern: File-name pattern with parts such as {well} and {position}.
        pixel_um: Micrometres a pixel, where the files do not say it.
        frame_s: Seconds from frame to frame, where the files do not say it.
    """
    import livewell

    plate = Path(zarr_dir) / plate_name
    made = livewell.convert(images, plate, pattern=pattern, pixel_um=pixel_um, frame_s=frame_s)
    rows = made.fields.drop_duplicates("path")[["path", "well"]].itertuples(index=False)
    updates = [
        {
            "zarr_url": str(plate / path),
            "attributes": {"plate": plate_name, "well": well},
            "types": {"is_3D": False},
        }
        for path, well in rows
    ]
    return {"image_list_updates": updates}


if __name__ == "__main__":
    run_fractal_task(task_function=convert)
