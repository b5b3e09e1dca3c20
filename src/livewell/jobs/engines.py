"""Which engine and backend a job takes, and how far its answers are from windows one by one."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from livewell.errors import SpecError
from livewell.geometry import WindowGrid
from livewell.inference.backends import Backend, require
from livewell.inference.choice import Choice, choose
from livewell.inference.dense import MEMORY_GB, Dense
from livewell.inference.engine import Engine, View
from livewell.inference.windows import Windows
from livewell.io.models import Card
from livewell.nets.net import Net
from livewell.progress import SILENT, Progress
from livewell.report.trust import plural

AskedEngine = Literal["windows", "dense", "auto"]
AskedBackend = Backend | Literal["auto"]
NEAR = 0.02
"""``auto`` takes the dense form of a net whose dense form is not exact only where the 95th
percentile of differences in probability from windows is at most this, on the user's own frames."""
PROBES, EXACT_PROBES = 64, 16
"""Windows a sampled frame that are scored one by one, to compare."""


@dataclass(frozen=True)
class Used:
    """What scored a movie, and how far it is from windows one by one.

    Parameters
    ----------
    engine, backend, precision
        What computed, and in which number type.
    exact
        Whether the net's dense form is windows' equal by construction.
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
    memory_gb: float = MEMORY_GB,
    progress: Progress = SILENT,
) -> tuple[Engine, Used]:
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
        return windows, Used("windows", "torch")
    judged = [view for view in samples if view.wanted.any()]
    try:
        choice = _choice(net, card, judged, grid, backend, frames, memory_gb, progress)
        dense = Dense(net, backend=choice.backend, memory_gb=memory_gb)
        dense.check(grid)
    except SpecError as error:
        if engine == "dense":
            raise
        return windows, Used("windows", "torch", because=error.what)
    used = _compared(net, card, dense, windows, judged, grid, choice)
    if engine == "auto" and not used.exact and not used.p95 <= NEAR:
        because = (
            f"dense would differ by up to {used.p95:.2g} in 95% of windows, for"
            f" {used.because}; --engine dense takes it, or train with a profile for whole frames"
        )
        return windows, Used("windows", "torch", exact=True, because=because)
    return dense, used


def _choice(
    net: Net,
    card: Card,
    judged: Sequence[View],
    grid: WindowGrid,
    backend: AskedBackend,
    frames: int,
    memory_gb: float,
    progress: Progress,
) -> Choice:
    if backend != "auto":
        return Choice(backend, {}, {})
    if not judged:
        return Choice("torch", {}, {})
    return choose(
        net,
        judged[0],
        grid,
        card.patch_rule.probability,
        weights=card.weights_sha256,
        frames=frames,
        memory_gb=memory_gb,
        progress=progress,
    )


def _compared(
    net: Net,
    card: Card,
    dense: Dense,
    windows: Windows,
    judged: Sequence[View],
    grid: WindowGrid,
    choice: Choice,
) -> Used:
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
    spread = found.std(axis=1).min() if found.size else 0.0
    return Used(
        "dense",
        dense.backend,
        "bfloat16" if dense.backend.endswith("-bf16") else "float32",
        reach.exact,
        " and ".join(reach.because),
        found.shape[1],
        float(np.percentile(np.abs(found[0] - found[1]), 95)) if found.size else 0.0,
        float(np.corrcoef(found)[0, 1]) if spread > 1e-6 else float("nan"),
        {name: round(value, 4) for name, value in choice.seconds.items()},
        choice.remembered,
    )
