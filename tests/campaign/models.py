"""Model folders that something happened to: judged as before, or refused; nothing else is run."""

import hashlib
import json
import os
import pickle
import random
import re
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from livewell.errors import LivewellError
from livewell.inference.model import Model
from tests.campaign.cases import Case, refusal
from tests.campaign.commands import worked
from tests.campaign.json_edits import hurt_bytes, hurt_text

CARD, WEIGHTS = "card.json", "weights.safetensors"
_NONSENSE = re.compile(
    r"(?:temperature|_px|pixel_um) set to (?:-1|0|10{400}|nan)$"
    r"|_rule/(?:threshold|low|high) set to (?:-1|10{400}|nan)$"
    r"|(?:_rule/\w+|_px|pixel_um) set to (?:True|False|nan|inf|'.*)$|threshold set to 1e\+300$"
    r"|become b'(?:I32|BOOL|I8)'"
)
"""Edits that no sound card holds."""


@dataclass(frozen=True)
class Judgement:
    """A sound model and an image, and what the one says of the other."""

    model: Path
    image: Path
    logits: Any
    said: str


class Models:
    """Mutations of a small model, by number."""

    wait_s = 40.0

    def prepare(self, folder: Path) -> Judgement:
        """A model of six steps."""
        world = worked(folder, "train")
        model, image = world / "run" / "fold-00" / "model", world / "images" / "B01_p1.tif"
        return Judgement(model, image, *_used(model, image))

    def case(self, world: Judgement, rng: random.Random, folder: Path) -> Case:
        """Hurt a copy of the model."""
        model = Path(shutil.copytree(world.model, folder / "model"))
        what, path = rng.choice(_WAYS)(model, rng)
        return Case(what, partial(_judged, world, path, what, folder / "run-by-pickle"))


def _used(model: Path, image: Path) -> tuple[Any, str]:
    loaded = Model.load(model, device="cpu")
    prediction = loaded.predict(image)
    return np.asarray(prediction.logits), f"{prediction.verdict} {loaded.card.classes}"


def _judged(world: Judgement, path: Path, what: str, trace: Path) -> tuple[str, str]:
    try:
        logits, said = _used(path, world.image)
    except LivewellError as error:
        category, told = refusal(error, *_names(path))
        return ("silent wrong", "a pickle was run") if trace.exists() else (category, told)
    if trace.exists():
        return "silent wrong", "a pickle was run"
    if not np.isfinite(logits).all() or _NONSENSE.search(what):
        return "silent wrong", f"nonsense is accepted: {said}"
    same = np.array_equal(logits, world.logits) and said == world.said
    return ("right" if same else "as the card says"), said


def _names(path: Path) -> tuple[str, ...]:
    return CARD, WEIGHTS, str(path)


def _card(model: Path, rng: random.Random) -> tuple[str, Path]:
    path = model / CARD
    data, what = hurt_text(path.read_text(), rng)
    path.write_bytes(data)
    return f"card: {what}", model


def _rules(model: Path, rng: random.Random) -> tuple[str, Path]:
    """Odd numbers where the model's decisions stand."""
    card = json.loads((model / CARD).read_text())
    rule = rng.choice(("region_rule", "image_rule"))
    name = rng.choice([key for key, value in card[rule].items() if isinstance(value, float)])
    card[rule][name] = odd = rng.choice((-1, True, float("nan"), "x", 1e300, 0, None))
    (model / CARD).write_text(json.dumps(card))
    return f"card: {rule}/{name} set to {odd!r}", model


def _weights(model: Path, rng: random.Random) -> tuple[str, Path]:
    """Weights hurt, and often the card's digest made to fit them."""
    path = model / WEIGHTS
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    way = rng.choice(("bytes", "header", "length"))
    if way == "bytes":
        data, what = hurt_bytes(data, rng)
    elif way == "length":
        stated = rng.choice((0, 1, size - 1, size + 1, 1 << 31, 1 << 63))
        data, what = stated.to_bytes(8, "little") + data[8:], f"a header of {stated} bytes"
    else:
        header, what = hurt_text(data[8 : 8 + size].decode(), rng)
        if rng.random() < 0.4:
            kind = rng.choice((b"I32", b"F16", b"F64", b"BOOL", b"I8"))
            header, what = data[8 : 8 + size].replace(b"F32", kind), f"all F32 become {kind!r}"
        data = len(header).to_bytes(8, "little") + header + data[8 + size :]
    return f"weights: {what}, {_fitted(model, data, rng)}", model


def _fitted(model: Path, data: bytes, rng: random.Random) -> str:
    (model / WEIGHTS).write_bytes(data)
    if rng.random() < 0.8:
        card = json.loads((model / CARD).read_text())
        card["weights_sha256"] = hashlib.sha256(data).hexdigest()
        (model / CARD).write_text(json.dumps(card))
        return "digest fits"
    return "digest as before"


class _Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str, int]]:
        return os.mkdir, (str(self._path), 0o700)


def _pickle(model: Path, rng: random.Random) -> tuple[str, Path]:
    """A pickle under the name of something else, plain or as torch writes it."""
    data = pickle.dumps(_Trap(model.parent / "run-by-pickle"), protocol=rng.choice((0, 2, 4)))
    path = model / rng.choice((WEIGHTS, CARD, "model.pt", "model.safetensors"))
    if rng.random() < 0.5:
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("archive/data.pkl", data)
    else:
        path.write_bytes(data)
    if path.name == WEIGHTS:
        _fitted(model, path.read_bytes(), rng)
    return f"a pickle named {path.name}", rng.choice((path, model))


def _bomb(model: Path, rng: random.Random) -> tuple[str, Path]:
    """A file that grows a thousand times where it is unpacked, or is long and empty."""
    path = model / rng.choice((WEIGHTS, CARD))
    if rng.random() < 0.5:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("weights", bytes(1 << 26))
    else:
        with path.open("wb") as file:
            file.truncate(1 << 29 if path.name == WEIGHTS else 8 << 30)
    return f"a bomb named {path.name}", model


def _link(model: Path, rng: random.Random) -> tuple[str, Path]:
    """A link, a pipe or a folder in place of a file."""
    path = model / rng.choice((WEIGHTS, CARD))
    path.unlink()
    way = rng.choice(("itself", "/etc/hostname", "nowhere", "pipe", "folder", "/dev/zero"))
    if way == "pipe":
        os.mkfifo(path)
    elif way == "folder":
        path.mkdir()
    else:
        path.symlink_to(path if way == "itself" else way)
    return f"{path.name} is {way}", model


_WAYS: tuple[Callable[[Path, random.Random], tuple[str, Path]], ...] = (
    _card, _card, _rules, _weights, _weights, _pickle, _bomb, _link,
)  # fmt: skip
