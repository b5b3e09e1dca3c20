"""What computes a trunk, of a dense form or a frozen backbone: torch, ONNX Runtime or OpenVINO."""

import copy
import io
import os
import warnings
from collections.abc import Callable
from functools import lru_cache
from importlib.util import find_spec
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn

from livewell.errors import MissingExtraError, SpecError
from livewell.models.device import placed

Backend = Literal["torch", "torch-bf16", "onnxruntime", "openvino", "openvino-bf16"]
BACKENDS: tuple[Backend, ...] = get_args(Backend)
AskedBackend = Backend | Literal["auto"]
ASKED: tuple[AskedBackend, ...] = ("auto", *BACKENDS)
BACKEND = "LIVEWELL_BACKEND"
"""Environment variable: the backend where ``auto`` is asked for."""
Trunk = Callable[[Tensor], Tensor]
"""(n, channels, h, w) normalised -> (n, maps, rows, columns) of the same number type."""
SeveralMaps = Callable[[Tensor], list[Tensor]]
"""As `Trunk`, of a trunk with several outputs, each of a size of its own."""
_EXTRAS = {
    "torch": ("", ()),
    "onnxruntime": ("onnx", ("onnxruntime", "onnx")),
    "openvino": ("openvino", ("openvino",)),
}
"""By library the extra of livewell that installs it, and the packages that it needs."""
COMPILED = 2
"""For so many shapes the compiled trunk is kept: a tile and its quarter turn."""
ANY = -1
"""Height and width of a trunk that is compiled once for every size."""
FASTEST: tuple[Backend, ...] = ("onnxruntime", "openvino")
"""For a backbone on a processor, the faster one first (`python -m benchmarks features`)."""


def require(backend: str) -> None:
    """Refuse a backend that there is not, or whose packages are not installed."""
    if backend not in BACKENDS:
        raise SpecError("no such backend", expected=" or ".join(BACKENDS), got=backend)
    extra, _ = _EXTRAS[backend.removesuffix("-bf16")]
    if lacking := _lacking(backend):
        raise MissingExtraError(
            f"the backend {backend} is not installed",
            where=f"--backend or {BACKEND}",
            expected=f"packages {', '.join(lacking)}",
            remedy=f"pip install 'livewell[{extra}]', or leave it out for torch",
        )


def _lacking(backend: str) -> list[str]:
    _, packages = _EXTRAS[backend.removesuffix("-bf16")]
    return [package for package in packages if find_spec(package) is None]


def named_backend(asked: AskedBackend = "auto") -> Backend | None:
    """The backend asked for, else that of `BACKEND`; ``None`` where neither names one.

    Raises
    ------
    SpecError, MissingExtraError
        There is no such backend, or it is not installed.
    """
    name = os.environ.get(BACKEND, "") or "auto" if asked == "auto" else asked
    if name == "auto":
        return None
    require(name)
    return next(each for each in BACKENDS if each == name)


def backbone_backend(asked: AskedBackend, device: torch.device) -> Backend:
    """What computes a frozen backbone: as asked, else what is fastest on that device."""
    here = FASTEST if device.type == "cpu" else ()
    fastest = next((each for each in here if not _lacking(each)), BACKENDS[0])
    return named_backend(asked) or fastest


def trunk_on(backend: Backend, trunk: nn.Module, device: torch.device) -> Trunk:
    """A float32 trunk in evaluation mode, on the processor, ready to compute on a backend.

    It is compiled for a shape when that shape first comes. Torch computes it on `device`, the
    others on the processor.
    """
    computed = maps_on(backend, trunk, device)
    return lambda pixels: computed(pixels)[0]


def maps_on(
    backend: Backend, trunk: nn.Module, device: torch.device, *, any_size: bool = False
) -> SeveralMaps:
    """As `trunk_on`, of a trunk that gives one map or a tuple of them.

    With `any_size` it is compiled once, for all heights and widths.
    """
    require(backend)
    if backend == "onnxruntime":
        return _onnx_runtime(trunk, any_size)
    if backend.startswith("openvino"):
        return _open_vino(trunk, "bf16" if backend.endswith("-bf16") else "f32", any_size)
    return _plain(trunk, torch.bfloat16 if backend.endswith("-bf16") else None, device)


def _plain(trunk: nn.Module, dtype: torch.dtype | None, device: torch.device) -> SeveralMaps:
    """Plain torch, in channels-last layout."""
    moved = copy.deepcopy(trunk)
    ready = placed(moved.to(dtype) if dtype else moved, device)

    def computed(pixels: Tensor) -> list[Tensor]:
        kind = pixels.dtype
        pixels = pixels.to(device, dtype or kind, non_blocking=True)
        found = ready(pixels.contiguous(memory_format=torch.channels_last))
        return [each.to(kind) for each in ([found] if isinstance(found, Tensor) else found)]

    return computed


def _onnx_runtime(trunk: nn.Module, any_size: bool) -> SeveralMaps:
    """ONNX Runtime on the processor, float32."""
    exported = _exported(trunk)

    @lru_cache(maxsize=COMPILED)
    def session_for(_: tuple[int, ...]) -> Any:
        import onnxruntime

        onnxruntime.disable_telemetry_events()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        # threads that wait by spinning would take the cores from the head
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        return onnxruntime.InferenceSession(exported, options, providers=["CPUExecutionProvider"])

    def computed(pixels: Tensor) -> list[Tensor]:
        session = session_for(_shape(pixels, any_size))
        name = session.get_inputs()[0].name
        found = session.run(None, {name: np.ascontiguousarray(pixels.numpy())})
        return [torch.from_numpy(each) for each in found]

    return computed


def _shape(pixels: Tensor, any_size: bool) -> tuple[int, ...]:
    return (*pixels.shape[:2], ANY, ANY) if any_size else tuple(pixels.shape)


def _exported(trunk: nn.Module) -> bytes:
    """`trunk` in the ONNX format, for frames of any size."""
    channels = next(p.in_channels for p in trunk.modules() if isinstance(p, nn.Conv2d))
    axes = {"pixels": {0: "n", 2: "height", 3: "width"}}
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # tracing takes half a second; torch.export takes ten for the same graph
        torch.onnx.export(
            trunk,
            (torch.zeros(2, channels, 448, 480),),
            file,  # type: ignore[arg-type]  # the tracing exporter takes files
            dynamo=False,
            input_names=["pixels"],
            dynamic_axes=axes,
        )
    return file.getvalue()


def _open_vino(trunk: nn.Module, precision: Literal["f32", "bf16"], any_size: bool) -> SeveralMaps:
    """OpenVINO on the processor."""

    @lru_cache(maxsize=COMPILED)
    def compiled_for(shape: tuple[int, ...]) -> Any:
        import openvino
        from openvino.frontend import FrontEndManager
        from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # not openvino.convert_model, which reports its use to the vendor
            example = torch.zeros([448 if edge == ANY else edge for edge in shape])
            decoder = TorchScriptPythonDecoder(trunk, example_input=example)
            frontend = FrontEndManager().load_by_framework("pytorch")
            model = frontend.convert(frontend.load(decoder))
        model.reshape({model.inputs[0]: openvino.PartialShape(list(shape))})
        settings = {
            "INFERENCE_PRECISION_HINT": precision,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        }
        return openvino.Core().compile_model(model, "CPU", settings)

    def computed(pixels: Tensor) -> list[Tensor]:
        found = compiled_for(_shape(pixels, any_size))(np.ascontiguousarray(pixels.numpy()))
        # the results' memory is reused by the next call
        return [torch.from_numpy(each.copy()) for each in found.values()]

    return computed
