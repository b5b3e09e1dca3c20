"""Model folders that were damaged or made up: refused with a reason, never half understood."""

import copy
import json
import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from livewell.errors import ModelFileError
from livewell.files import sha256
from livewell.models.files import CARD, WEIGHTS, load_model, save_model
from tests.models.test_models import made

VALUES: tuple[Any, ...] = (None, True, -1, 0, 2.5, 1e308, 10**400, 1e400, "7", [], [7, 7], {})
"""What is put in the place of every value of a card."""


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound model folder."""
    folder = tmp_path_factory.mktemp("sound") / "model"
    net, card = made()
    data = {"learnt": ["abc"], "group": "well", "groups": {"train": ["a"], "test": ["b"]}}
    save_model(folder, net, card.model_copy(update={"data": data}))
    return folder


def written(sound: Path, folder: Path, card: object, weights: bytes | None = None) -> Path:
    """A model folder with this card and these weights, whose hash the card knows."""
    folder.mkdir(exist_ok=True)
    there = weights or (sound / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(there)
    if isinstance(card, dict) and weights:
        card = card | {"weights_sha256": sha256(folder / WEIGHTS)}
    (folder / CARD).write_text(card if isinstance(card, str) else json.dumps(card), "utf-8")
    return folder


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where every value of a card stands."""
    if at:
        yield at
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(inner, (*at, key))


def put(card: dict[str, Any], at: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """The card with another value at one place."""
    card = copy.deepcopy(card)
    inner: Any = card
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = value
    return card


def at(card: Any, keys: tuple[Any, ...]) -> Any:
    """The value at a place."""
    for key in keys:
        card = card[key]
    return card


@pytest.mark.long
def test_no_value_of_a_card_is_taken_for_another(sound: Path, tmp_path: Path) -> None:
    """Row L9: each value of a card replaced by others is refused, or read just as it stands."""
    card = json.loads((sound / CARD).read_text("utf-8"))
    patch = torch.rand(1, 1, 64, 64)
    for where in places(card):
        for value in VALUES:
            folder = written(sound, tmp_path / "model", put(card, where, value))
            try:
                net, read = load_model(folder)
            except ModelFileError:
                continue
            if value == {}:  # settings that an older version did not know have their defaults
                continue
            found = at(read.model_dump(mode="json"), where)
            assert (found, type(found) is bool) == (value, type(value) is bool), where
            p = read.region_rule.probabilities(net.logits(patch).numpy())
            assert np.isfinite(p).all(), where
            assert 0 <= read.region_rule.threshold <= 1


@pytest.mark.long
def test_bytes_that_are_damaged_are_refused(sound: Path, tmp_path: Path) -> None:
    """Flipped, cut and doubled bytes of both files, also where the card knows the new hash."""
    rng = random.Random(17)
    card = json.loads((sound / CARD).read_text("utf-8"))
    weights = (sound / WEIGHTS).read_bytes()
    head = 8 + int.from_bytes(weights[:8], "little")
    for number in range(150):
        spoilt = bytearray(weights)
        for _ in range(rng.choice((1, 1, 8))):
            spoilt[rng.randrange(head)] ^= 1 << rng.randrange(8)
        if number % 5 == 0:
            spoilt = spoilt[: rng.randrange(1, len(spoilt))]
        try:
            load_model(written(sound, tmp_path / "model", card, bytes(spoilt)))
        except ModelFileError:
            continue
        assert load_file(tmp_path / "model" / WEIGHTS).keys() == load_file(sound / WEIGHTS).keys()
    text = (sound / CARD).read_bytes()
    folder = written(sound, tmp_path / "model", {})
    for _ in range(150):
        spoilt = bytearray(text)
        spoilt[rng.randrange(len(text))] ^= 1 << rng.randrange(8)
        (folder / CARD).write_bytes(spoilt)
        with suppress(ModelFileError):
            load_model(folder)


@pytest.mark.parametrize(
    "text", ['{"seed": ' + "9" * 5000 + "}", "[" * 100_000, '{"a":' * 100_000, "\ufeff{}", "NaN"]
)
def test_a_card_that_json_chokes_on(sound: Path, tmp_path: Path, text: str) -> None:
    """Row L5: numbers of 5,000 digits and 100,000 levels are refused like any other damage."""
    with pytest.raises(ModelFileError, match="cannot be read"):
        load_model(written(sound, tmp_path / "model", text))


@pytest.mark.parametrize("how", ["integer", "NaN", "shape", "missing", "further"])
def test_weights_that_are_no_such_weights(sound: Path, tmp_path: Path, how: str) -> None:
    """Row L9: weights of another number type, shape or name, or not finite, are refused."""
    card = json.loads((sound / CARD).read_text("utf-8"))
    state = load_file(sound / WEIGHTS)
    name = next(name for name, value in state.items() if value.ndim > 1)
    if how == "integer":
        state[name] = state[name].to(torch.int64)
    elif how == "NaN":
        state[name].view(-1)[3] = float("nan")
    elif how == "shape":
        state[name] = state[name].flatten()
    elif how == "missing":
        del state[name]
    else:
        state["more"] = torch.zeros(3)
    save_file(state, tmp_path / "weights")
    folder = written(sound, tmp_path / "model", card, (tmp_path / "weights").read_bytes())
    with pytest.raises(ModelFileError, match="do not fit"):
        load_model(folder)
