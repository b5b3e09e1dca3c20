"""What a model has learnt from, as likenesses in a file."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from livewell.errors import ModelFileError
from livewell.inference.unseen import COPY, NEAR_COPY, learnt_images
from livewell.measure.content import content_rows, table_of
from livewell.measure.likeness import likeness
from livewell.models.learnt import LearntFrames


def field(seed: int) -> np.ndarray:
    """A field of blobs, 16 bits."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(120, 160)), 3)
    return (2000 + 4000 * noise).astype(np.uint16)


def test_frames_go_through_a_file(tmp_path: Path) -> None:
    """Written and read they know the same near copies; names of images stay at home."""
    frames = LearntFrames([("secret", likeness(field(1))), ("other", likeness(field(2)))])
    digest = frames.write(tmp_path)
    assert b"secret" not in (tmp_path / "learnt.safetensors").read_bytes()
    again = LearntFrames.read(tmp_path, digest)
    asked = {"a": likeness(field(1)[:, ::-1] // 16), "b": likeness(field(3)), "c": None}
    assert again.near_copies(asked.items()) == frames.near_copies(asked.items()) == {"a"}
    assert not LearntFrames.read(tmp_path, "")
    with pytest.raises(ModelFileError, match="another file than the card describes"):
        LearntFrames.read(tmp_path, "0" * 64)


def test_a_still_movie_is_one_frame() -> None:
    """Frames like the one kept before are left out, of the same image only."""
    still = [("movie", likeness(field(1) + t)) for t in range(5)]
    frames = [*still, ("movie", likeness(field(2))), ("copy", likeness(field(2)))]
    assert [name for name, _ in LearntFrames.distinct(frames).frames] == ["movie", "movie", "copy"]


@dataclass
class Learner:
    """What stands for a model."""

    learnt: frozenset[str]
    learnt_frames: LearntFrames


def test_any_frame_of_an_image_gives_it_away() -> None:
    """Copies and near copies are told apart, whichever frame of the movie they are."""
    movies = {"near": [field(8), field(1) // 16], "same": [field(9), field(2)], "new": [field(7)]}
    shown = table_of(
        row
        for name, frames in movies.items()
        for t, frame in enumerate(frames)
        for row in content_rows(name, t, frame, [(120, 160)])
    )
    digest = shown.loc[(shown["image"] == "same") & (shown["t"] == 1), "digest"]
    known = LearntFrames([(str(n), likeness(field(n))) for n in (1, 2)])
    model = Learner(frozenset(digest), known)
    assert learnt_images(model, shown) == {"near": NEAR_COPY, "same": COPY}
    assert learnt_images(Learner(frozenset(digest), LearntFrames()), shown) == {"same": COPY}


def test_frames_of_one_movie_have_their_field_in_common() -> None:
    """A movie of many frames is one image: what they share is its field, no camera's pattern."""
    frames = [field(1) // 2 + field(100 + t) // 2 for t in range(20)]
    shown = table_of(
        row
        for t, frame in enumerate(frames)
        for row in content_rows("near", t, frame, [(120, 160)])
    )
    known = LearntFrames([("1", likeness(field(1)))])
    assert learnt_images(Learner(frozenset(), known), shown) == {"near": NEAR_COPY}
