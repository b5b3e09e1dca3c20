"""Weights that a net begins with: what is read, what is kept, what is refused."""

import pickle
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torchvision.models import squeezenet1_1

from livewell.errors import MissingExtraError, ModelFileError
from livewell.files import sha256
from livewell.models import pretrained
from livewell.models.folders import CARD, WEIGHTS
from livewell.models.pretrained import (
    IMAGENET,
    LITE0_PACKAGE,
    PublishedFile,
    cache_folder,
    model_folder,
    published,
    state,
)

KIND = "squeezenet1_1"
State = dict[str, Tensor]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Caches of livewell and of torch within the test's folder, and no network."""

    def offline(url: str, *_: object, **__: object) -> None:
        raise URLError("no network")

    monkeypatch.setenv("LIVEWELL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr("torch.hub.download_url_to_file", offline)
    return tmp_path / "cache" / "weights"


@pytest.fixture(scope="module")
def colour() -> State:
    """torchvision's own weights for three channels and 1,000 classes, untrained."""
    torch.manual_seed(4)
    return dict(squeezenet1_1().state_dict())


@pytest.fixture
def known(colour: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PublishedFile:
    """A pickle of `colour` in the place `here`, which torchvision is made to publish."""
    path = tmp_path / "here" / "net.pth"
    path.parent.mkdir()
    torch.save(colour, path)
    digest = sha256(path)[:8]
    file = PublishedFile(f"net-{digest}.pth", digest, f"https://weights.test/net-{digest}.pth")
    monkeypatch.setattr(pretrained, "published", lambda _: (file,))
    return file


def same(found: State, expected: State) -> None:
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def put(path: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, to)


def test_torchvisions_files_are_known_by_their_hash() -> None:
    """Every net of the catalog has published files whose names say how their sha256 begins."""
    assert published("resnet18") == (
        PublishedFile(
            "resnet18-f37072fd.pth",
            "f37072fd",
            "https://download.pytorch.org/models/resnet18-f37072fd.pth",
        ),
    )
    assert [file.digest for file in published("resnet50")] == ["0676ba61", "11ad3fa6"]
    assert published("inception_v3")[0].name == "inception_v3_google-0cc3c7bd.pth"


def test_a_safetensors_file_is_read(colour: State, tmp_path: Path) -> None:
    """Tensors come under their names as float32, whatever they were kept in; counters do not."""
    path = tmp_path / "a.safetensors"
    save_file(
        {n: v.half() for n, v in colour.items()} | {"bn.num_batches_tracked": torch.tensor(1)}, path
    )
    found = state(KIND, str(path))
    same(found, {name: value.half().float() for name, value in colour.items()})


@pytest.mark.usefixtures("known")
def test_a_published_pickle_is_read_under_any_name(colour: State, tmp_path: Path) -> None:
    """A file of known content is opened wherever it lies."""
    same(state(KIND, str(tmp_path / "here" / "net.pth")), colour)


def test_old_names_of_densenet_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Published DenseNet weights come under today's names, others as they are."""
    names = {
        "features.denseblock1.denselayer2.norm.1.weight": (
            "features.denseblock1.denselayer2.norm1.weight"
        ),
        "features.transition1.conv.weight": "features.transition1.conv.weight",
    }
    path = tmp_path / "old.pth"
    torch.save({old: torch.ones(2) for old in names}, path)
    monkeypatch.setattr(pretrained, "published", lambda _: (PublishedFile("", sha256(path)),))
    assert list(state("densenet121", str(path))) == list(names.values())


def test_torchs_own_cache_is_looked_at_first(
    known: PublishedFile, colour: State, cache: Path, tmp_path: Path
) -> None:
    """What torch has fetched before needs no network, and afterwards not even that file."""
    torchs = tmp_path / "torch" / "hub" / "checkpoints" / known.name
    put(tmp_path / "here" / "net.pth", torchs)
    same(state(KIND, IMAGENET), colour)
    torchs.unlink()
    same(state(KIND, IMAGENET), colour)
    assert sorted(path.name for path in cache.iterdir()) == [
        known.name.replace(".pth", ".safetensors"),
        known.name.replace(".pth", ".sha256"),
    ]


def test_weights_are_fetched_once(
    known: PublishedFile, colour: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The published file is fetched from torchvision's address on first use alone."""
    asked: list[str] = []

    def download(url: str, to: str, digest: str, progress: bool) -> None:
        asked.append(url)
        assert (digest, progress) == (known.digest, False)
        put(tmp_path / "here" / "net.pth", Path(to))

    monkeypatch.setattr("torch.hub.download_url_to_file", download)
    for _ in range(2):
        same(state(KIND, IMAGENET), colour)
    assert asked == [known.url]


def test_a_broken_cache_is_made_anew(
    known: PublishedFile, colour: State, cache: Path, tmp_path: Path
) -> None:
    """A kept file that is not what was written is not read."""
    torchs = tmp_path / "torch" / "hub" / "checkpoints" / known.name
    put(tmp_path / "here" / "net.pth", torchs)
    state(KIND, IMAGENET)
    (kept,) = cache.glob("*.safetensors")
    changed = load_file(kept)
    changed["features.0.bias"] += 1
    for damage in (lambda: save_file(changed, kept), lambda: kept.write_bytes(b"half")):
        damage()
        same(state(KIND, IMAGENET), colour)
        same(load_file(kept), colour)


def test_without_a_cache_weights_are_read_all_the_same(
    known: PublishedFile, colour: State, tmp_path: Path
) -> None:
    """Where the cache cannot be written, weights are converted every time."""
    put(tmp_path / "here" / "net.pth", tmp_path / "torch" / "hub" / "checkpoints" / known.name)
    (tmp_path / "cache").write_text("a file, no folder")
    same(state(KIND, IMAGENET), colour)


@pytest.mark.parametrize("error", [URLError("no route"), RuntimeError("invalid hash value")])
def test_offline_says_what_to_do(
    error: Exception, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address is named, how to bring the file, and how to do without; nothing is kept."""

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("torch.hub.download_url_to_file", fail)
    with pytest.raises(ModelFileError, match=r"could not be fetched.*--set weights=FILE") as caught:
        state("resnet18", IMAGENET)
    assert caught.value.where == "https://download.pytorch.org/models/resnet18-f37072fd.pth"
    assert "--set weights=." in str(caught.value)
    assert not list(cache.glob("*"))


class Payload:
    """What makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", ["resnet18-f37072fd.pth", "model.safetensors", "model"])
def test_a_pickle_of_unknown_content_is_refused(tmp_path: Path, name: str) -> None:
    """Whatever its name is, it is not opened: no code in it is run."""
    path, made = tmp_path / name, tmp_path / "made"
    path.write_bytes(pickle.dumps({"conv1.weight": Payload(made)}))
    with pytest.raises(ModelFileError, match=r"a pickle.*safetensors file"):
        state("resnet18", str(path))
    torch.save({"conv1.weight": torch.ones(1)}, path)
    with pytest.raises(ModelFileError, match="a pickle"):
        state("resnet18", str(path))
    assert not made.exists()


@pytest.mark.parametrize("length", [0x80, 0x4B50 + 0x10000])
def test_safetensors_that_begin_like_a_pickle_are_read(tmp_path: Path, length: int) -> None:
    """The first bytes are the length of the header, which may be those of a pickle or a zip."""
    path = tmp_path / "a.safetensors"
    save_file({"a": torch.ones(2)}, path)
    content = path.read_bytes()
    header = content[8 : 8 + int.from_bytes(content[:8], "little")].ljust(length)
    path.write_bytes(length.to_bytes(8, "little") + header + torch.ones(2).numpy().tobytes())
    assert path.read_bytes().startswith((b"\x80", b"PK"))
    same(state(KIND, str(path)), {"a": torch.ones(2)})


def test_what_is_no_weights_file_is_refused(tmp_path: Path) -> None:
    """A missing file, an empty folder and a text file are told with the path and what is read."""
    (tmp_path / "a.safetensors").write_text("weights")
    for name, says in {
        "none.safetensors": r"no weights here.*imagenet, or a safetensors file",
        "a.safetensors": r"no weights that can be read.*imagenet, or a safetensors file",
        "": "no model here",
    }.items():
        with pytest.raises(ModelFileError, match=says) as caught:
            state("resnet18", str(tmp_path / name))
        assert caught.value.where == str(tmp_path / name)


def test_a_model_is_read_by_folder_run_or_file(colour: State, tmp_path: Path) -> None:
    """All mean the model's weights, which are refused if they are not those of its card."""
    folder = tmp_path / "run" / "fold-00" / "model"
    folder.mkdir(parents=True)
    save_file(colour, folder / WEIGHTS)
    (folder / CARD).write_text(f'{{"weights_sha256": "{sha256(folder / WEIGHTS)}"}}', "utf-8")
    for path in (folder, tmp_path / "run", folder / WEIGHTS, folder / CARD):
        assert model_folder(str(path)) == folder
        same(state(KIND, str(path)), colour)
    (folder / CARD).write_text('{"weights_sha256": "0123"}', "utf-8")
    with pytest.raises(ModelFileError, match="not the ones that the card describes"):
        state(KIND, str(folder))


def test_files_and_published_weights_are_no_models(tmp_path: Path) -> None:
    """Only a path to a model or a run is one."""
    for weights in ("", IMAGENET, str(tmp_path / "a.safetensors"), str(tmp_path / WEIGHTS)):
        assert model_folder(weights) is None


def test_lite0_is_converted_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its weights come under their original names; later the package is not even looked for."""
    if find_spec(LITE0_PACKAGE) is None:
        pytest.skip(f"{LITE0_PACKAGE} is not installed")
    first = state("lite0", IMAGENET)
    assert first["_conv_stem.weight"].shape == (32, 3, 3, 3)
    assert first["_blocks.15._bn2.running_var"].shape == (320,)
    assert first["_fc.weight"].shape == (1000, 1280)
    assert len(first) == 247
    assert {value.dtype for value in first.values()} == {torch.float32}
    (kept,) = cache.glob("*.safetensors")
    assert kept.with_suffix(".sha256").read_text("utf-8") == sha256(kept)
    monkeypatch.setattr(pretrained, "find_spec", lambda _: None)
    same(state("lite0", IMAGENET), first)


def test_a_missing_package_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The text says what to install."""
    monkeypatch.setattr(pretrained, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'livewell\[pretrained\]'"):
        state("lite0", IMAGENET)


def test_another_file_in_the_package_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the very file whose hash is pinned is opened."""
    package = tmp_path / LITE0_PACKAGE
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "models" / "efficientnet-lite0-57934424.pth").write_bytes(b"other")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModelFileError, match=r"not the file of weights.*57934424"):
        state("lite0", IMAGENET)


@pytest.mark.parametrize(
    ("platform", "variable", "below"),
    [
        ("linux", "XDG_CACHE_HOME", ".cache"),
        ("win32", "LOCALAPPDATA", "AppData/Local"),
        ("darwin", "", "Library/Caches"),
    ],
)
def test_the_cache_lies_where_the_platform_keeps_them(
    platform: str, variable: str, below: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LIVEWELL_CACHE comes first, then the platform's own variable, then the home folder."""
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("LIVEWELL_CACHE")
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setattr("pathlib.Path.home", lambda: tmp_path)
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    assert cache_folder() == tmp_path / below / "livewell"
    if variable:
        monkeypatch.setenv(variable, str(tmp_path / "own"))
        assert cache_folder() == tmp_path / "own" / "livewell"
