"""Which plates images lie in, where verdicts on them go, and how livewell is called."""

import subprocess
import sys
from pathlib import Path


def plates_of(zarr_urls: list[str]) -> list[Path]:
    """Plates of images, each once: ``plate.zarr`` of ``plate.zarr/B/03/0``."""
    return sorted({Path(url).parents[2] for url in zarr_urls})


def verdicts_of(plate: Path, zarr_dir: str) -> Path:
    """The folder of the verdicts on a plate."""
    return Path(zarr_dir) / "livewell" / plate.name.removesuffix(".zarr")


def livewell(*words: str | Path) -> None:
    """Give a command of livewell; raises where it fails, and its reason stands in the log."""
    subprocess.run([sys.executable, "-m", "livewell", *map(str, words)], check=True)  # noqa: S603
