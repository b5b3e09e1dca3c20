"""Which engine and backend a job takes, and how far its answers are from windows one by one."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from livewell.errors import SpecError
from livewell.geometry import WindowGrid
from livewell.inference.backends import Backend, require
from livewell.inference.choice import Choice, choose
from livewell.inference.dense import Dense
from livewell.inference.engine import Engine, View
from livewell.inference.windows import Windows
from livewell.models.files import Card
from livewell.models.nets.net import Net
from livewell.progress import SILENT, Progress
from livewell.text import plural

AskedEngine = Literal["windows", "dense", "auto"]
AskedBackend = Backend | Literal["auto"]
NEAR = 0.02
"""``auto`` takes the dense form of a net whose dense form is not exact only where the 95th
percentile of differences in probability from windows is at most this, on the user's own frames."""
PROBES, EXACT_PROBES = 64, 16
"""Windows a sampled frame that are scored one by one, to compare."""


@dataclass(frozen=True)
class EngineUse:
    """What scored a movie, and how far it is from windows one by one.

    Parameters
    ----------
    engine, backend, precision
        What computed, and in which number type.
    exact
        Whether the answer is windows' by construction, but for the rounding of float32.
    because
        Why not, or why windows were taken.
    compared
        How many windows were scored both ways on the user's frames; 0 for windows.
    p95, correlation
        95th percentile of the absolute difference in probability there, and Pearson's r (NaN where
        undefined).
    seconds
        Seconds a frame of every backend that was measured.
    remembered
        Whether these are of an earlier run.
    """

    engine: str
    backend: str
    precision: str = "float32"
    exact: bool = True
    because: str = ""
    compared: int = 0
    p95: float = 0.0
    correlation: float = float("nan")
    seconds: dict[str, float] = field(default_factory=dict)
    remembered: bool = False

    def told(self) -> str:
        """One sentence for reports."""
        if self.engine == "windows":
            return "Windows scored one by one" + (f": {self.because}." if self.because else ".")
        how = f"Dense, {self.backend}, trunk in {self.precision}"
        if not self.compared:
            return f"{how}; not compared with windows, for none was to judge."
        kind = "equal to windows but for rounding" if self.exact else f"not exact: {self.because}"
        r = "" if np.isnan(self.correlation) else f", r {self.correlation:.4f}"
        return (
            f"{how}; {kind}. On {plural(self.compared, 'window')} of this movie scored both ways,"
            f" 95% of differences in probability are within {self.p95:.2g}{r}."
        )

    def noted(self) -> dict[str, Any]:
        """For files."""
        return {k: v for k, v in asdict(self).items() if not (isinstance(v, float) and np.isnan(v))}


def engine_for(
    net: Net,
    card: Card,
    samples: Sequence[View],
    grid: WindowGrid,
    *,
    engine: AskedEngine = "auto",
    backend: AskedBackend = "auto",
    frames: int = 1,
    memory_gb: float | None = None,
    progress: Progress = SILENT,
) -> tuple[Engine, EngineUse]:
    """The engine for a movie, and what is to be said of it.

    Parameters
    ----------
    net, card
        The trained net.
    samples
        Some of the movie's frames, to measure on.
    grid
        Its windows.
    engine
        ``dense``, ``windows``, or ``auto``: dense where it is exact or near enough (`NEAR`).
    backend
        One of `BACKENDS`, or ``auto``: the fastest that agrees, see `livewell.inference.choice`.
    frames
        Length of the movie.
    memory_gb
        What tiles may take.
    progress
        Where to report.

    Raises
    ------
    SpecError
        The dense engine was asked for and cannot do it: stride, memory.
    MissingExtraError
        The backend is not installed.
    """
    if backend != "auto":
        require(backend)
    windows = Windows(net)
    if engine == "windows":
        return windows, EngineUse("windows", "torch")
    judged = [view for view in samples if view.wanted.any()]
    try:
        dense = Dense(net, backend="torch" if backend == "auto" else backend, memory_gb=memory_gb)
        dense.check(grid)
    except SpecError as error:
        if engine == "dense":
            raise
        return windows, EngineUse("windows", "torch", because=error.what)
    used = _compared(card, dense, windows, judged, grid)
    if engine == "auto" and not dense.form.reach.exact and not used.p95 <= NEAR:
        because = (
            f"dense would differ by up to {used.p95:.2g} in 95% of windows, for {used.because};"
            " --engine dense takes it, or train with a profile for whole frames"
            if used.compared
            else f"dense is not exact, for {used.because}, and no frame was there to compare on"
        )
        return windows, EngineUse("windows", "torch", because=because)
    if backend != "auto" or not used.compared:
        return dense, used
    choice = choose(
        net,
        judged[0],
        grid,
        card.patch_rule.probability,
        weights=card.weights_sha256,
        frames=frames,
        memory_gb=memory_gb,
        progress=progress,
    )
    if choice.backend != "torch":
        dense = Dense(net, backend=choice.backend, memory_gb=memory_gb)
        used = _compared(card, dense, windows, judged, grid)
    return dense, replace(used, **_measured(choice))


def _measured(choice: Choice) -> dict[str, Any]:
    seconds = {name: round(value, 4) for name, value in choice.seconds.items()}
    return {"seconds": seconds, "remembered": choice.remembered}


def _compared(
    card: Card,
    dense: Dense,
    windows: Windows,
    judged: Sequence[View],
    grid: WindowGrid,
) -> EngineUse:
    """Dense against windows, at places drawn with a fixed seed."""
    reach = dense.form.reach
    probes = EXACT_PROBES if reach.exact else PROBES
    pairs: list[NDArray[Any]] = []
    for number, view in enumerate(judged[:1] if reach.exact else judged):
        rng = np.random.default_rng(number)
        places = rng.permutation(np.argwhere(view.wanted))[:probes]
        wanted = np.zeros(grid.shape, dtype=bool)
        wanted[tuple(places.T)] = True
        some = View(view.frame, view.area, wanted, view.t)
        both = [next(each.stream([some], grid))[1][wanted] for each in (windows, dense)]
        pairs.append(card.patch_rule.probability(np.stack(both)))
    found = np.concatenate(pairs, axis=1) if pairs else np.empty((2, 0))
    found = found[:, np.isfinite(found).all(axis=0)]
    spread = found.std(axis=1).min() if found.size else 0.0
    half = dense.backend.endswith("-bf16")
    reasons = [*reach.because, *(["the trunk is rounded to bfloat16"] if half else [])]
    return EngineUse(
        "dense",
        dense.backend,
        "bfloat16" if half else "float32",
        not reasons,
        " and ".join(reasons),
        found.shape[1],
        float(np.percentile(np.abs(found[0] - found[1]), 95)) if found.size else float("nan"),
        float(np.corrcoef(found)[0, 1]) if spread > 1e-6 else float("nan"),
    )
