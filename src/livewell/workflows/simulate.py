"""A simulated plate as files: movies, plate map, truth."""

from dataclasses import asdict
from pathlib import Path

import pandas as pd
import tifffile
from joblib import Parallel, cpu_count, delayed

from livewell.files import claim_same, read_json, stamp, whole_file, write_json
from livewell.progress import task
from livewell.simulate.culture import (
    CultureSpec,
    PositionKey,
    positions,
    simulate_position,
    wells,
)
from livewell.simulate.states import movie_states
from livewell.tables.columns import read_table
from livewell.tables.schemas import write_table
from livewell.threads import leave_interrupts

KIND, STAMP, PARTS = "simulated culture", "culture.json", "parts"
KEYS = ["well", "position", "image"]
PATTERN = "{well}_p{position:int}.ome.tif"


def simulate_culture(spec: CultureSpec, out: Path, *, workers: int | None = None) -> Path:
    """Write a simulated plate, and return the folder of its images.

    `out` takes ``images/B07_p1.ome.tif`` (uint16, t y x, channel ``phase contrast``, pixel size and
    frame interval inside), ``plate.csv`` (well, dose, dose_unit), ``truth.parquet`` (one row a cell
    and frame), ``optics.csv`` and ``images.csv`` (one row a movie: plate, well, position, dose,
    time of the first frame, and what state its cells are in, see
    `livewell.simulate.states.movie_states`). Positions that stand there already are kept, if the
    spec is the same. There is one worker process a core by default.
    """
    # worker processes may stand in another folder
    out = out.resolve()
    # plates of version 0.1 began with the light, and did not say so
    settings = {k: v for k, v in asdict(spec).items() if (k, v) != ("start_s", 0)}
    claim_same(out, KIND, STAMP, {"spec": settings})
    stamp(out, STAMP, KIND, spec=settings)
    plate = wells(spec).assign(**({"time_s": spec.start_s} if spec.start_s else {}))
    with whole_file(out / "plate.csv") as temporary:
        plate.to_csv(temporary, index=False)
    keys = positions(spec)
    with task("simulating positions", total=len(keys)) as tick:
        pool = Parallel(
            workers or cpu_count(), return_as="generator_unordered", initializer=leave_interrupts
        )
        for _ in pool(delayed(_position)(spec, key, out) for key in keys):
            tick()
    names = sorted(_name(key) for key in keys)
    truth = pd.concat(
        [read_table(out / PARTS / f"{name}.parquet") for name in names], ignore_index=True
    )
    optics = [read_json(out / PARTS / f"{name}.json", kind="optics") for name in names]
    write_table(out / "truth.parquet", truth)
    with whole_file(out / "optics.csv") as temporary:
        pd.DataFrame(optics).to_csv(temporary, index=False)
    images = plate.merge(
        pd.DataFrame([(k.well, k.position, _name(k)) for k in keys], columns=KEYS), on="well"
    )
    images = images.assign(time_s=spec.start_s).merge(movie_states(truth, names), on="image")
    with whole_file(out / "images.csv") as temporary:
        images.to_csv(temporary, index=False)
    return out / "images"


def _name(key: PositionKey) -> str:
    return f"{key.well}_p{key.position}.ome.tif"


def _position(spec: CultureSpec, key: PositionKey, out: Path) -> None:
    """Write one movie and its truth, unless both stand there already."""
    name = _name(key)
    parts = [out / PARTS / f"{name}{suffix}" for suffix in (".parquet", ".json")]
    if all(path.is_file() for path in (out / "images" / name, *parts)):
        return
    movie = simulate_position(spec, key)
    write_table(parts[0], movie.truth.assign(image=name))
    write_json(parts[1], {"image": name, **movie.optics})
    with whole_file(out / "images" / name) as temporary:
        tifffile.imwrite(
            temporary,
            movie.frames,
            ome=True,
            photometric="minisblack",
            metadata={
                "axes": "TYX",
                "Channel": {"Name": ["phase contrast"]},
                "PhysicalSizeX": spec.pixel_um,
                "PhysicalSizeXUnit": "µm",
                "PhysicalSizeY": spec.pixel_um,
                "PhysicalSizeYUnit": "µm",
                "TimeIncrement": spec.frame_s,
                "TimeIncrementUnit": "s",
            },
        )
