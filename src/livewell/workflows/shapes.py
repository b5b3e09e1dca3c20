"""Simulated images of shapes as files: images, their labels, and the truth of every object."""

from dataclasses import asdict
from pathlib import Path

import pandas as pd
from joblib import Parallel, cpu_count, delayed
from PIL import Image

from livewell.files import claim_same, stamp, whole_file
from livewell.progress import task
from livewell.simulate.shapes import OBJECTS, ShapeSpec, picture
from livewell.tables.columns import read_table
from livewell.tables.schemas import write_table
from livewell.threads import leave_interrupts

KIND, STAMP, PARTS = "simulated shapes", "shapes.json", "parts"
CLASSES = ("ellipses", "circles")
"""Labels of images without and with circles."""
TOGETHER = 100
"""Images that one process draws before it is given others."""


def simulate_shapes(spec: ShapeSpec, out: Path, *, workers: int | None = None) -> Path:
    """Write simulated images of ellipses and circles, and return their folder.

    `out` takes ``images/00000.png`` (8 bit), ``images.csv`` (image, label: ellipses or circles) and
    ``objects.csv``, one row an object: `livewell.simulate.shapes.Picture`. Images that stand there
    already are kept, if the spec is the same. There is one worker process a core by default.
    """
    # worker processes may stand in another folder
    out = out.resolve()
    claim_same(out, KIND, STAMP, {"spec": asdict(spec)})
    stamp(out, STAMP, KIND, spec=asdict(spec))
    firsts = range(0, spec.images, TOGETHER)
    with task("drawing shapes", total=spec.images) as tick:
        number = min(workers or cpu_count(), len(firsts))
        pool = Parallel(number, return_as="generator_unordered", initializer=leave_interrupts)
        for count in pool(delayed(_some)(spec, first, out) for first in firsts):
            tick(count)
    parts = [read_table(_part(out, first)) for first in firsts]
    objects = pd.concat(parts, ignore_index=True)[OBJECTS]
    with whole_file(out / "objects.csv") as temporary:
        objects.to_csv(temporary, index=False, float_format="%.4f")
    labels = [CLASSES[number % 2] for number in range(spec.images)]
    names = [_name(number) for number in range(spec.images)]
    with whole_file(out / "images.csv") as temporary:
        pd.DataFrame({"image": names, "label": labels}).to_csv(temporary, index=False)
    return out / "images"


def _name(number: int) -> str:
    return f"{number:05d}.png"


def _part(out: Path, first: int) -> Path:
    return out / PARTS / f"{first:05d}.parquet"


def _some(spec: ShapeSpec, first: int, out: Path) -> int:
    """Draw and write some images and their objects, unless they stand there already."""
    numbers = range(first, min(first + TOGETHER, spec.images))
    images = out / "images"
    if _part(out, first).is_file() and all((images / _name(n)).is_file() for n in numbers):
        return len(numbers)
    tables = []
    for number in numbers:
        made = picture(spec, number)
        with whole_file(images / _name(number)) as temporary:
            Image.fromarray(made.pixels).save(temporary, format="png", compress_level=1)
        tables.append(made.objects.assign(image=_name(number)))
    write_table(_part(out, first), pd.concat(tables, ignore_index=True))
    return len(numbers)
