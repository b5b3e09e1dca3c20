"""Where a model's files are, and whether they are whole; knows nothing of nets."""

from pathlib import Path

from livewell.disk import restore
from livewell.errors import ModelFileError
from livewell.files import sha256
from livewell.names import AnyPath

WEIGHTS, CARD = "weights.safetensors", "card.json"
LEARNT = "learnt.safetensors"
"""Likenesses of the frames that a model has learnt from, where they are kept."""
FOLDER = f"a model folder with {WEIGHTS} and {CARD}"
COPY = "copy the model folder again, all its files together"
PICKLES = (".pt", ".pth", ".ckpt", ".pkl")
"""Suffixes of files that are read by unpickling."""


def find_model(path: AnyPath) -> Path:
    """The model folder meant by `path`: itself, a file in it, a fold, or a run of one fold.

    Or a folder with such a run in it, as the demo and ``celldeath train`` leave.
    """
    path = Path(path)
    if path.is_file():
        if path.name in (WEIGHTS, CARD, LEARNT):
            return path.parent
        refuse_pickle(path, FOLDER)
        raise ModelFileError("not a model of livewell", where=str(path), expected=FOLDER)
    for folder in (path, path / "model"):
        restore(folder.parent)
        if (folder / CARD).is_file():
            return folder
    # in a folder of several steps, such as the demo's, the run is one of them
    runs = path / "run" if (path / "run").is_dir() else path
    models = sorted(card.parent for card in runs.glob(f"fold-*/model/{CARD}"))
    if len(models) == 1:
        return models[0]
    if models:
        raise ModelFileError(
            f"this run holds {len(models)} models, one a fold",
            where=str(path),
            remedy="name one: " + ", ".join(str(model) for model in models[:3]),
        )
    raise ModelFileError(
        "no model here",
        where=str(path),
        expected=f"{FOLDER}, or a finished training run",
    )


def refuse_pickle(path: Path, expected: str) -> None:
    """Raise a ModelFileError if a file is a pickle, by its first bytes or its suffix."""
    with path.open("rb") as file:
        head = file.read(9)
    # safetensors begins with eight bytes of any number, then JSON
    pickled = head.startswith((b"\x80", b"PK")) and head[8:] != b"{"
    if pickled or path.suffix in PICKLES:
        raise ModelFileError(
            "a pickle, which can run any program when it is read; livewell never opens one",
            where=str(path),
            expected=expected,
            remedy="save the weights as safetensors where you trust them",
        )


def checked_weights(folder: Path, digest: str) -> Path:
    """The file of weights of a model folder; a ModelFileError unless it has this sha256."""
    weights = folder / WEIGHTS
    if not weights.is_file():
        raise ModelFileError("the model has a card but no weights", where=str(weights))
    found = sha256(weights)
    if found != digest:
        raise ModelFileError(
            "the weights are not the ones that the card describes",
            where=str(weights),
            expected=f"sha256 {digest[:16]}...",
            got=f"sha256 {found[:16]}...",
            remedy=COPY,
        )
    return weights
