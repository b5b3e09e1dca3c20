"""What computes the trunk of a dense form: torch, ONNX Runtime or OpenVINO, in two number types."""

import copy
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from livewell.errors import MissingExtraError, SpecError
from livewell.models.device import chosen_device, placed

Backend = Literal["torch", "torch-bf16", "onnxruntime", "openvino", "openvino-bf16"]
BACKENDS: tuple[Backend, ...] = get_args(Backend)
Trunk = Callable[[Tensor], Tensor]
"""(n, 1, h, w) normalised -> (n, maps, rows, columns) of the same number type."""
_NEEDS = {"onnxruntime": ("onnxruntime", "onnx", "onnxscript"), "openvino": ("openvino",)}
_EXTRA = {"onnxruntime": "onnx", "openvino": "openvino"}


def bfloat16_is_fast() -> bool:
    """Whether this machine multiplies in bfloat16 by instructions made for it."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(bool(getattr(torch.cpu, name, bool)()) for name in names)


def available() -> list[Backend]:
    """Backends that are installed here and not known to be slow; torch alone on a GPU."""
    fast = bfloat16_is_fast()
    return [
        name
        for name in BACKENDS
        if _installed(name)
        and (fast or not name.endswith("-bf16"))
        and (name.startswith("torch") or chosen_device().type == "cpu")
    ]


def _installed(backend: Backend) -> bool:
    packages = _NEEDS.get(backend.removesuffix("-bf16"), ())
    return all(find_spec(package) is not None for package in packages)


def require(backend: Backend) -> None:
    """Refuse a backend that cannot run here.

    Raises
    ------
    MissingExtraError
        Its package is not installed.
    SpecError
        There is no such backend.
    """
    if backend not in BACKENDS:
        raise SpecError("no such backend", expected=" or ".join(BACKENDS), got=backend)
    if not _installed(backend):
        extra = _EXTRA[backend.removesuffix("-bf16")]
        raise MissingExtraError(
            f"the backend {backend} is not installed",
            where="--backend",
            expected=f"packages {', '.join(_NEEDS[backend.removesuffix('-bf16')])}",
            remedy=f"pip install 'livewell[{extra}]', or leave it out for torch",
        )


def trunk_on(backend: Backend, trunk: nn.Module, device: torch.device) -> Trunk:
    """`trunk` ready to compute on a backend; compiled for a shape when that shape first comes.

    Parameters
    ----------
    backend
        Where and in which number type.
    trunk
        (n, channels, h, w) float32 -> (n, maps, rows, columns), in evaluation mode, on the
        processor.
    device
        Where torch computes it; others take the processor.

    Raises
    ------
    MissingExtraError
        Its package is not installed.
    """
    require(backend)
    if backend == "onnxruntime":
        return _OnnxRuntime(trunk)
    if backend.startswith("openvino"):
        return _OpenVino(trunk, "bf16" if backend.endswith("-bf16") else "f32")
    return _Torch(trunk, torch.bfloat16 if backend.endswith("-bf16") else None, device)


class _Torch:
    """Plain torch, in channels-last layout."""

    def __init__(self, trunk: nn.Module, dtype: torch.dtype | None, device: torch.device) -> None:
        self._dtype, self._device = dtype, device
        moved = copy.deepcopy(trunk)
        self._trunk = placed(moved.to(dtype) if dtype else moved, device)

    def __call__(self, picture: Tensor) -> Tensor:
        kind = picture.dtype
        picture = picture.to(self._device, self._dtype or kind, non_blocking=True)
        found: Tensor = self._trunk(picture.contiguous(memory_format=torch.channels_last))
        return found.to(kind)


class _Shapes:
    """What was compiled for a shape; two are kept, for a picture and its quarter turn."""

    def __init__(self) -> None:
        self._made: dict[tuple[int, ...], Any] = {}

    def get(self, shape: tuple[int, ...], make: Callable[[tuple[int, ...]], Any]) -> Any:
        """What `make` makes of a shape, made when it is first wanted."""
        if shape not in self._made:
            while len(self._made) >= 2:
                del self._made[next(iter(self._made))]
            self._made[shape] = make(shape)
        return self._made[shape]


class _OnnxRuntime:
    """ONNX Runtime on the processor, float32."""

    def __init__(self, trunk: nn.Module) -> None:
        self._model = _exported(trunk)
        self._sessions = _Shapes()

    def __call__(self, picture: Tensor) -> Tensor:
        session = self._sessions.get(tuple(picture.shape), self._for)
        name = session.get_inputs()[0].name
        return torch.from_numpy(session.run(None, {name: picture.numpy()})[0])

    def _for(self, shape: tuple[int, ...]) -> Any:
        import onnxruntime

        onnxruntime.disable_telemetry_events()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        # threads that wait by spinning would take the cores from the head
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        return onnxruntime.InferenceSession(
            self._model, options, providers=["CPUExecutionProvider"]
        )


def _exported(trunk: nn.Module) -> bytes:
    """`trunk` in the ONNX format, for pictures of any size."""
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


class _OpenVino:
    """OpenVINO on the processor."""

    def __init__(self, trunk: nn.Module, precision: Literal["f32", "bf16"]) -> None:
        self._trunk, self._precision = trunk, precision
        self._compiled = _Shapes()

    def __call__(self, picture: Tensor) -> Tensor:
        compiled = self._compiled.get(tuple(picture.shape), self._for)
        # the result's memory is reused by the next call
        return torch.from_numpy(compiled(picture.numpy())[0].copy())

    def _for(self, shape: tuple[int, ...]) -> Any:
        import openvino
        from openvino.frontend import FrontEndManager
        from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # not openvino.convert_model, which reports its use to the vendor
            decoder = TorchScriptPythonDecoder(self._trunk, example_input=torch.zeros(shape))
            frontend = FrontEndManager().load_by_framework("pytorch")
            model = frontend.convert(frontend.load(decoder))
        model.reshape({model.inputs[0]: list(shape)})
        settings = {
            "INFERENCE_PRECISION_HINT": self._precision,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        }
        return openvino.Core().compile_model(model, "CPU", settings)
