"""Which engine a workflow takes, and how far its answers are from windows one by one."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from livewell.errors import SpecError
from livewell.geometry import WindowGrid
from livewell.inference.dense import Dense
from livewell.inference.fields import Fields
from livewell.inference.model import Model
from livewell.inference.windows import View, Windows
from livewell.metrics.rules import RegionRule
from livewell.models.backends import AskedBackend, named_backend
from livewell.models.files import Card
from livewell.text import plural

Engine = Windows | Dense | Fields
AskedEngine = Literal["windows", "dense", "auto"]
Edges = Literal["drop", "mirror"]
NEAR = 0.02
"""``auto`` takes the dense form of a net whose dense form is not exact only where the 95th
percentile of differences in probability from windows is at most this, on the user's own frames."""
PROBES, EXACT_PROBES = 64, 16
"""Windows a sampled frame that are scored one by one, to compare."""


@dataclass(frozen=True, slots=True)
class MapSettings:
    """What a heat map depends on besides the movie and the model."""

    stride_px: int
    edges: Edges
    engine: AskedEngine
    backend: AskedBackend
    channel: str | int | list[str | int] | None
    pixel_um: float | None

    @classmethod
    def of(
        cls,
        card: Card,
        stride_px: int | None,
        edges: Edges | None,
        engine: AskedEngine,
        backend: AskedBackend,
        channel: str | int | list[str | int] | None,
        pixel_um: float | None,
    ) -> "MapSettings":
        """With what is usual for a model where nothing was asked for.

        ``drop`` at the edges, but of nets that see whole fields, which up to the edge see what lies
        in it; strides of `usual_stride`.
        """
        usual: Edges = "mirror" if card.profile.net.sees_fields else "drop"
        stride = stride_px or usual_stride(card, engine)
        return cls(stride, edges or usual, engine, backend, channel, pixel_um)


@dataclass(frozen=True)
class EngineUse:
    """What scored a movie, and how far it is from windows one by one.

    It is `exact` where the answer is windows' by construction, but for the rounding of float32;
    `because` says why not, or why windows were taken. On so many `compared` windows of the user's
    frames, 0 for windows, `p95` is the 95th percentile of the absolute difference in probability,
    and `correlation` Pearson's r, NaN where undefined.
    """

    engine: str
    backend: str
    precision: str = "float32"
    exact: bool = True
    because: str = ""
    compared: int = 0
    p95: float = 0.0
    correlation: float = float("nan")

    def told(self) -> str:
        """One sentence for reports."""
        if self.engine == "fields":
            return (
                "Every frame is seen once, and a point of the map is what a patch there gets;"
                f" features by {self.backend}."
            )
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

    @property
    def named(self) -> dict[str, str]:
        """Engine, backend and number type, for reports."""
        return {"engine": self.engine, "backend": self.backend, "number type": self.precision}

    def noted(self) -> dict[str, Any]:
        """For files."""
        return {k: v for k, v in asdict(self).items() if not (isinstance(v, float) and np.isnan(v))}


def usual_stride(card: Card, engine: AskedEngine) -> int:
    """A quarter of a patch; in whole strides of the net where frames are scored whole."""
    quarter, own = max(card.patch_px // 4, 1), card.profile.net.stride_px
    whole = engine == "dense" or card.profile.dense_is_exact or card.profile.net.sees_fields
    return max(quarter // own, 1) * own if whole else quarter


def engine_for(
    model: Model,
    samples: Sequence[View],
    grid: WindowGrid,
    *,
    engine: AskedEngine = "auto",
    backend: AskedBackend = "auto",
    memory_gb: float | None = None,
) -> tuple[Engine, EngineUse]:
    """The engine for a movie with windows of a grid, and what is to be said of it.

    ``auto`` takes dense where it is exact or near enough (`NEAR`) on samples, some of the movie's
    frames; tiles of dense may take `memory_gb`. Nets of whole fields have one engine. The backend
    ``auto`` is that of the environment (`LIVEWELL_BACKEND`), else torch for dense maps and for
    backbones the fastest one installed.
    """
    if model.card.profile.net.sees_fields:
        fields = Fields(model.net, backend=backend)
        return fields, EngineUse("fields", fields.backend)
    named = named_backend(backend)
    windows = Windows(model.net)
    if engine == "windows":
        return windows, EngineUse("windows", "torch")
    judged = [view for view in samples if view.wanted.any()]
    try:
        dense = Dense(model.net, backend=named or "torch", memory_gb=memory_gb)
        dense.check(grid)
    except SpecError as error:
        if engine == "dense":
            raise
        return windows, EngineUse("windows", "torch", because=error.what)
    used = _compared(model.card.region_rule, dense, windows, judged, grid)
    if engine == "auto" and not dense.form.reach.exact and not used.p95 <= NEAR:
        because = (
            f"dense would differ by up to {used.p95:.2g} in 95% of windows, for {used.because};"
            " --engine dense takes it, or train with a profile for whole frames"
            if used.compared
            else f"dense is not exact, for {used.because}, and no frame was there to compare on"
        )
        return windows, EngineUse("windows", "torch", because=because)
    return dense, used


def _compared(
    rule: RegionRule, dense: Dense, windows: Windows, judged: Sequence[View], grid: WindowGrid
) -> EngineUse:
    """Dense against windows, at windows drawn with a fixed seed."""
    reach = dense.form.reach
    probes = EXACT_PROBES if reach.exact else PROBES
    pairs: list[NDArray[Any]] = []
    for number, view in enumerate(judged[:1] if reach.exact else judged):
        rng = np.random.default_rng(number)
        cells = rng.permutation(np.argwhere(view.wanted))[:probes]
        wanted = np.zeros(grid.shape, dtype=bool)
        wanted[tuple(cells.T)] = True
        some = View(view.frame, view.area, wanted, view.t)
        both = [next(each.stream([some], grid))[1][:, wanted].T for each in (windows, dense)]
        pairs.append(rule.probabilities(np.stack(both))[..., 1:].reshape(2, -1))
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
        found.shape[1] // (len(windows.net.classes) - 1),
        float(np.percentile(np.abs(found[0] - found[1]), 95)) if found.size else float("nan"),
        float(np.corrcoef(found)[0, 1]) if spread > 1e-6 else float("nan"),
    )
