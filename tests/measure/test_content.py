"""Digests of what a picture shows."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.io import imread

from livewell.errors import ImageContentError
from livewell.measure.content import content_rows, table_of

FRAMES = hnp.arrays(
    np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.integers(0, 3)
)


def content_table(frames, shapes):
    """The content table of frames (image, t, pixels)."""
    return table_of(row for frame in frames for row in content_rows(*frame, shapes))


def digest(frame: np.ndarray) -> str | None:
    """Digest of one frame; none where it holds one value."""
    (found,) = content_table([("a", 0, frame)], [frame.shape])["digest"]
    return found if isinstance(found, str) else None


@given(frame=FRAMES, turns=st.integers(0, 3), mirrored=st.booleans())
@settings(deadline=None)
def test_turns_and_mirror_images_have_one_digest(frame, turns, mirrored):
    """All eight orientations agree, also where edges are alike, so that many would do."""
    other = np.rot90(frame[:, ::-1] if mirrored else frame, turns)
    assert digest(frame) == digest(other)


@given(one=FRAMES, other=FRAMES)
@settings(deadline=None)
def test_different_pictures_have_different_digests(one, other):
    """Digests agree only for pictures that some turn or mirror carries into each other."""
    alike = any(
        np.array_equal(one, np.rot90(side, k)) for side in (other, other[:, ::-1]) for k in range(4)
    )
    constant = one.min() == one.max() or other.min() == other.max()
    if not constant:
        assert (digest(one) == digest(other)) == alike


@pytest.mark.parametrize("kind", ["uint8", "uint16", ">u2", "int32", "float32", "float64"])
def test_equal_values_have_one_digest_whatever_their_type(kind):
    """A picture saved in another number type is still the same picture."""
    frame = np.random.default_rng(0).integers(0, 255, (20, 30)).astype(np.uint8)
    assert digest(frame.astype(kind)) == digest(frame)


def test_scaled_values_are_another_picture():
    """Fractions and negative values are told apart."""
    frame = np.random.default_rng(0).integers(0, 255, (20, 30)).astype(np.float64)
    assert len({digest(frame), digest(frame / 2), digest(-frame), digest(frame * 1000)}) == 4


def test_a_constant_frame_has_no_digest():
    """Empty frames are alike everywhere, so they are never taken for copies."""
    assert digest(np.full((4, 5), 9)) is None
    with pytest.raises(ImageContentError):
        digest(np.zeros((2, 3, 4)))


def test_tiles_are_made_only_where_another_frame_has_their_shape():
    """A study of one shape costs one row a frame; a quarter elsewhere adds the four quarters."""
    rng = np.random.default_rng(2)
    frames = [("a", 0, rng.integers(0, 99, (40, 60))), ("a", 1, rng.integers(0, 99, (40, 60)))]
    assert content_table(frames, [(40, 60)])["part"].tolist() == ["whole", "whole"]
    # A turned quarter, 30 x 20, has the quarters' shape too.
    turned = np.rot90(frames[1][2][20:, :30])
    table = content_table([*frames, ("tile", 0, turned)], [(40, 60), (30, 20)])
    twins = table[table.duplicated("digest", keep=False)]
    assert twins[["image", "t", "part"]].to_numpy().tolist() == [
        ["a", 1, "2x2:1,0"],
        ["tile", 0, "whole"],
    ]


@pytest.mark.long
def test_quarter_tiles_of_a_real_picture_are_found(shared_data: Path):
    """The four tiles in u2os-cpt are the four quarters of their picture, and nothing else is."""
    paths = sorted((shared_data / "u2os-cpt").glob("*.png"))
    frames = [(path.name, 0, imread(path)) for path in paths]
    table = content_table(frames, [frame.shape for *_, frame in frames])
    twins = table[table.duplicated("digest", keep=False)]
    pairs = {
        (group["part"].iloc[0], group["image"].iloc[1][-9:-4])
        for _, group in twins.groupby("digest")
    }
    assert pairs == {(f"2x2:{y},{x}", f"0{y + 1}_0{x + 1}") for y in (0, 1) for x in (0, 1)}
    assert set(twins["image"].str[:27]) == {"U2_DMSO2_1H_RGB_0052_N3.png"}
