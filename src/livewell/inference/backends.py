"""What computes the trunk of a dense form: torch, ONNX Runtime or OpenVINO, in two number types."""

import copy
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from livewell.errors import MissingExtraError, SpecError
from livewell.models.device import placed

Backend = Literal["torch", "torch-bf16", "onnxruntime", "openvino", "openvino-bf16"]
BACKENDS: tuple[Backend, ...] = get_args(Backend)
Trunk = Callable[[Tensor], Tensor]
"""(n, channels, h, w) normalised -> (n, maps, rows, columns) of the same number type."""
_EXTRAS = {
    "torch": ("", ()),
    "onnxruntime": ("onnx", ("onnxruntime", "onnx", "onnxscript")),
    "openvino": ("openvino", ("openvino",)),
}
"""By library the extra of livewell that installs it, and the packages that it needs."""
COMPILED = 2
"""For so many shapes the compiled trunk is kept: a tile and its quarter turn."""


def require(backend: Backend) -> None:
    """Refuse a backend that there is not, or whose packages are not installed."""
    if backend not in BACKENDS:
        raise SpecError("no such backend", expected=" or ".join(BACKENDS), got=backend)
    extra, packages = _EXTRAS[backend.removesuffix("-bf16")]
    if any(find_spec(package) is None for package in packages):
        raise MissingExtraError(
            f"the backend {backend} is not installed",
            where="--backend",
            expected=f"packages {', '.join(packages)}",
            remedy=f"pip install 'livewell[{extra}]', or leave it out for torch",
        )


def trunk_on(backend: Backend, trunk: nn.Module, device: torch.device) -> Trunk:
    """A float32 trunk in evaluation mode, on the processor, ready to compute on a backend.

    It is compiled for a shape when that shape first comes. Torch computes it on `device`, the
    others on the processor.
    """
    require(backend)
    if backend == "onnxruntime":
        return _onnx_runtime(trunk)
    if backend.startswith("openvino"):
        return _open_vino(trunk, "bf16" if backend.endswith("-bf16") else "f32")
    return _plain(trunk, torch.bfloat16 if backend.endswith("-bf16") else None, device)


def _plain(trunk: nn.Module, dtype: torch.dtype | None, device: torch.device) -> Trunk:
    """Plain torch, in channels-last layout."""
    moved = copy.deepcopy(trunk)
    ready = placed(moved.to(dtype) if dtype else moved, device)

    def computed(pixels: Tensor) -> Tensor:
        kind = pixels.dtype
        pixels = pixels.to(device, dtype or kind, non_blocking=True)
        found: Tensor = ready(pixels.contiguous(memory_format=torch.channels_last))
        return found.to(kind)

    return computed


def _onnx_runtime(trunk: nn.Module) -> Trunk:
    """ONNX Runtime on the processor, float32."""
    exported = _exported(trunk)

    @lru_cache(maxsize=COMPILED)
    def session_for(_: torch.Size) -> Any:
        import onnxruntime

        onnxruntime.disable_telemetry_events()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        # threads that wait by spinning would take the cores from the head
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        return onnxruntime.InferenceSession(exported, options, providers=["CPUExecutionProvider"])

    def computed(pixels: Tensor) -> Tensor:
        session = session_for(pixels.shape)
        name = session.get_inputs()[0].name
        return torch.from_numpy(session.run(None, {name: pixels.numpy()})[0])

    return computed


def _exported(trunk: nn.Module) -> bytes:
    """`trunk` in the ONNX format, for frames of any size."""
    axes = {0: torch.export.Dim.DYNAMIC, 2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
    channels = next(p.in_channels for p in trunk.modules() if isinstance(p, nn.Conv2d))
    example = torch.zeros(2, channels, 448, 480)
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder, _hushed("torch.onnx"):
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            trunk, (example,), dynamo=True, dynamic_shapes=(axes,), verbose=False, optimize=True
        )
        path = Path(folder) / "trunk.onnx"
        program.save(path, external_data=False)  # type: ignore[union-attr]  # dynamo gives one
        return path.read_bytes()


@contextmanager
def _hushed(name: str) -> Iterator[None]:
    """Keep a library's progress talk off the user's screen."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _open_vino(trunk: nn.Module, precision: Literal["f32", "bf16"]) -> Trunk:
    """OpenVINO on the processor."""

    @lru_cache(maxsize=COMPILED)
    def compiled_for(shape: torch.Size) -> Any:
        import openvino
        from openvino.frontend import FrontEndManager
        from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # not openvino.convert_model, which reports its use to the vendor
            decoder = TorchScriptPythonDecoder(trunk, example_input=torch.zeros(shape))
            frontend = FrontEndManager().load_by_framework("pytorch")
            model = frontend.convert(frontend.load(decoder))
        model.reshape({model.inputs[0]: list(shape)})
        settings = {
            "INFERENCE_PRECISION_HINT": precision,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        }
        return openvino.Core().compile_model(model, "CPU", settings)

    def computed(pixels: Tensor) -> Tensor:
        # the result's memory is reused by the next call
        return torch.from_numpy(compiled_for(pixels.shape)(pixels.numpy())[0].copy())

    return computed
