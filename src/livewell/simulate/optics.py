"""A phase-contrast microscope and its camera: from a phase map to grey levels."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from livewell.simulate.phase import FrameSize, Map

WAVELENGTH_UM = 0.55
"""Green light, as phase objectives are corrected for."""


@dataclass(frozen=True, slots=True)
class Optics:
    """What makes one position's images differ from another's, whatever the dose.

    Parameters
    ----------
    background
        Grey levels of a bare spot above `offset`.
    offset, gain, read_noise
        Camera offset in grey levels, grey levels a photo-electron, read noise in grey levels.
    ring
        Amplitude that the phase ring lets through, 0 to 1; the darker, the higher the contrast.
    halo_um
        Width of the halo: standard deviation of the blur that makes the undiffracted light.
    blur_um
        Standard deviation of the microscope's point spread.
    focus_um, drift_um
        Mean distance from focus, and standard deviation of its drift.
    tilt_y, tilt_x, bowl
        Uneven light: relative change from edge to edge, and from centre to corner.
    lamp
        Relative flicker of the lamp from frame to frame.
    """

    background: float
    offset: float
    gain: float
    read_noise: float
    ring: float
    halo_um: float
    blur_um: float
    focus_um: float
    drift_um: float
    tilt_y: float
    tilt_x: float
    bowl: float
    lamp: float


def draw_optics(well: np.random.Generator, position: np.random.Generator) -> Optics:
    """Differences between wells (meniscus, lid, height) and between positions of a well."""
    return Optics(
        background=float(4600 * np.exp(well.normal(0, 0.2) + position.normal(0, 0.3))),
        offset=float(well.uniform(100, 600)),
        gain=float(well.uniform(0.6, 1.8)),
        read_noise=float(well.uniform(4, 14)),
        ring=float(np.clip(0.72 + well.normal(0, 0.05) + position.normal(0, 0.04), 0.66, 0.88)),
        halo_um=float(well.uniform(6.0, 9.5)),
        blur_um=float(np.clip(0.42 + well.normal(0, 0.06) + position.normal(0, 0.03), 0.3, 0.6)),
        focus_um=float(well.normal(0, 0.5) + position.normal(0, 0.35)),
        drift_um=0.4,
        tilt_y=float(well.normal(0, 0.08) + position.normal(0, 0.08)),
        tilt_x=float(well.normal(0, 0.08) + position.normal(0, 0.08)),
        bowl=float(-abs(well.normal(0, 0.1)) + position.normal(0, 0.05)),
        lamp=0.02,
    )


class Camera:
    """Takes images of phase maps, one after another; focus, lamp and noise are left to chance."""

    def __init__(self, rng: np.random.Generator, optics: Optics, view: FrameSize) -> None:
        self.rng, self.optics, self.view = rng, optics, view
        y = np.linspace(-1, 1, view.height_px, dtype=np.float32)[:, None]
        x = np.linspace(-1, 1, view.width_px, dtype=np.float32)
        o = optics
        self.light = 1 + o.tilt_y * y / 2 + o.tilt_x * x / 2 + o.bowl * (y**2 + x**2) / 2
        self.focus_um = o.focus_um + rng.normal(0, o.drift_um)

    def shoot(self, phase: Map) -> NDArray[np.uint16]:
        """One image of a phase map, radians, shape as `FrameSize.padded`; (height, width)."""
        o, rng = self.optics, self.rng
        bright = self._intensity(phase) * self.light
        bright *= np.float32(o.background * np.exp(rng.normal(0, o.lamp)))
        sd = np.sqrt(np.maximum(bright, 0) * np.float32(o.gain) + np.float32(o.read_noise**2))
        bright += sd * rng.standard_normal(bright.shape, dtype=np.float32)
        self.focus_um += 0.35 * (o.focus_um - self.focus_um) + rng.normal(0, 0.7 * o.drift_um)
        return np.clip(np.rint(bright + np.float32(o.offset)), 0, 65535).astype(np.uint16)

    def _intensity(self, phase: Map) -> Map:
        """Relative intensity, 1 on a bare spot; Zernike's phase contrast by Fourier optics."""
        o = self.optics
        square, ring, blur = _frequencies(phase.shape, self.view.pixel_um, o.halo_um, o.blur_um)
        defocus = _wave(np.float32(-np.pi * WAVELENGTH_UM * self.focus_um) * square)
        direct = np.complex64(-1j * o.ring - 1)  # the ring delays by a quarter wave and dims
        light = fft.fft2(_wave(phase), overwrite_x=True)
        light *= defocus
        light *= blur + direct * (blur * ring)
        seen = fft.ifft2(light, overwrite_x=True)
        pad = self.view.pad_px
        seen = seen[pad:-pad, pad:-pad]
        return np.asarray((seen.real**2 + seen.imag**2) / np.float32(o.ring**2), np.float32)


def _wave(phase: Map) -> NDArray[np.complex64]:
    """exp(i phase), by real functions, which numpy computes several times faster."""
    wave = np.empty(phase.shape, np.complex64)
    np.cos(phase, out=wave.real)
    np.sin(phase, out=wave.imag)
    return wave


@lru_cache(maxsize=4)
def _frequencies(
    shape: tuple[int, int], pixel_um: float, halo_um: float, blur_um: float
) -> tuple[Map, Map, Map]:
    """Squared frequency (1/um^2), what the ring covers, what the lens lets through."""
    fy, fx = (fft.fftfreq(n, pixel_um).astype(np.float32) for n in shape)
    square = fy[:, None] ** 2 + fx**2
    ring = np.exp(-2 * (np.pi * halo_um) ** 2 * square)
    blur = np.exp(-2 * (np.pi * blur_um) ** 2 * square)
    return square, ring, blur
