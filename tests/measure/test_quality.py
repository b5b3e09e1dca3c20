"""Faults of frames."""

import numpy as np
import pytest

from livewell.errors import ImageContentError
from livewell.measure.quality import FATAL, faults, require_content

RNG = np.random.default_rng(0)
SOUND = RNG.normal(9000, 900, (64, 80)).astype(np.uint16)


def _saturated() -> np.ndarray:
    frame = SOUND.copy()
    frame[:10, :10] = 65535
    return frame


def _nan() -> np.ndarray:
    frame = SOUND.astype(np.float32)
    frame[3, 4] = np.nan
    return frame


def _border() -> np.ndarray:
    frame = SOUND.copy()
    frame[:3] = 0
    return frame


BYTES = (SOUND // 64).clip(0, 255)
CASES = {
    "sound": (SOUND, []),
    "sound float": (SOUND.astype(np.float32) / 7, []),
    "sound 8 bit": (BYTES.astype(np.uint8), []),
    "NaN": (_nan(), ["not-finite"]),
    "infinite": (np.full((4, 4), np.inf), ["not-finite"]),
    "black": (np.zeros((9, 9), np.uint8), ["all-zero"]),
    "one value": (np.full((9, 9), 7, np.uint8), ["constant"]),
    "at the limit": (_saturated(), ["saturated"]),
    "12 bit at its limit": (np.minimum(SOUND, 10000), ["plateau"]),
    "stretched by 257": (BYTES * np.uint16(257), ["eight-bit-content"]),
    "shifted by 8 bits": (BYTES * np.uint16(256), ["eight-bit-content"]),
    "8 bits in 16": (BYTES, ["eight-bit-range"]),
    "shifted by 4 bits": ((SOUND // 16) * np.uint16(16), ["spaced-levels"]),
    "few levels": (SOUND // 2000 + np.uint16(1000), ["few-levels"]),
    "border": (_border(), ["zero-border"]),
}


@pytest.mark.parametrize("case", CASES)
def test_each_fault_has_its_code(case):
    """A frame with one thing wrong gets that code and no other."""
    frame, codes = CASES[case]
    found = faults(frame, "plate1.tif")
    assert [fault.code for fault in found] == codes
    assert all(fault.where == "plate1.tif" for fault in found)


@pytest.mark.parametrize("case", CASES)
def test_only_fatal_faults_stop_a_frame(case):
    """`require_content` raises for exactly the codes in FATAL, and names the image."""
    frame, codes = CASES[case]
    if FATAL & set(codes):
        with pytest.raises(ImageContentError, match=r"plate1\.tif") as caught:
            require_content(frame, "plate1.tif")
        assert codes[0] in str(caught.value)
    else:
        require_content(frame, "plate1.tif")
