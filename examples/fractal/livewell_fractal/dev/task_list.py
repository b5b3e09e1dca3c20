"""The tasks: ``fractal-manifest create --package livewell_fractal`` makes the manifest of them."""

from fractal_task_tools.task_models import (
    CompoundTask,
    ConverterNonParallelTask,
    NonParallelTask,
)

AUTHORS = "The livewell developers"
DOCS_LINK = ""
TASK_LIST = [
    ConverterNonParallelTask(
        name="Convert images to an OME-Zarr plate (livewell)",
        executable="convert.py",
        meta={"cpus_per_task": 1, "mem": 4000},
        category="Conversion",
        modality="HCS",
        tags=["Transmitted light"],
    ),
    CompoundTask(
        name="Judge cells (livewell)",
        executable_init="assess_init.py",
        executable="assess.py",
        meta_init={"cpus_per_task": 1, "mem": 1000},
        meta={"cpus_per_task": 1, "mem": 4000},
        category="Measurement",
        modality="HCS",
        tags=["Transmitted light", "Cell health"],
    ),
    NonParallelTask(
        name="Gather verdicts (livewell)",
        executable="gather.py",
        meta={"cpus_per_task": 1, "mem": 4000},
        category="Measurement",
        modality="HCS",
        tags=["Transmitted light", "Cell health"],
    ),
]
