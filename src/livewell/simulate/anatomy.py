"""What a cell is made of: outline, processes, nucleus, granules, vesicles; and how it drifts."""

from dataclasses import dataclass

import numpy as np

from livewell.simulate.dose import Floats

HARMONICS, LOBES, FIBRES, NUCLEOLI, GRANULES, VESICLES, BLEBS = 7, 4, 9, 5, 90, 10, 9
"""How many of each a cell has at most."""


@dataclass(slots=True)
class Anatomy:
    """Parts of every cell; angles in radians from its long axis, lengths in cell radii.

    Parameters
    ----------
    size, aspect
        Shape (cells,): factor on the radius, length over width.
    wave
        Shape (cells, HARMONICS, 2): cosine and sine parts of the outline's waviness.
    lobe_angle, lobe_length, lobe_width
        Shape (cells, LOBES): broad processes of the spread cell.
    fibre_angle, fibre_length
        Shape (cells, FIBRES): thin fibres that stay behind when the margin draws back.
    nucleus
        Shape (cells, 3): centre (along, across) and radius factor.
    nucleolus
        Shape (cells, NUCLEOLI, 3): radius and angle within the nucleus, and size; size 0: none.
    granule, clump
        Shape (cells, GRANULES, 4): radius and angle when well, optical depth, rank in 0-1; and
        (cells, GRANULES, 2): radius and angle of the same granules when sick.
    vesicle, vacuole_angle
        Shape (cells, VESICLES, 4): radius and angle when well, size, rank; and (cells, VESICLES):
        where around the nucleus the vesicle lies when sick.
    bleb
        Shape (cells, BLEBS, 2): angle and size.
    """

    size: Floats
    aspect: Floats
    wave: Floats
    lobe_angle: Floats
    lobe_length: Floats
    lobe_width: Floats
    fibre_angle: Floats
    fibre_length: Floats
    nucleus: Floats
    nucleolus: Floats
    granule: Floats
    clump: Floats
    vesicle: Floats
    vacuole_angle: Floats
    bleb: Floats

    def drift(self, rng: np.random.Generator, hours: float) -> None:
        """Let shapes and organelles wander as they do from frame to frame."""
        keep = np.exp(-hours / 2.0)
        fresh = rng.normal(0, 1, self.wave.shape) * WAVE[:, None] * np.sqrt(1 - keep**2)
        self.wave = self.wave * keep + fresh
        walk = np.sqrt(hours)
        self.lobe_angle = self.lobe_angle + rng.normal(0, 0.12 * walk, self.lobe_angle.shape)
        self.lobe_length = np.clip(
            self.lobe_length + rng.normal(0, 0.08 * walk, self.lobe_length.shape), 0.8, 1.9
        )
        for part, step in ((self.granule, 0.05), (self.vesicle, 0.05), (self.clump, 0.04)):
            moved = rng.normal(0, step * walk, (*part.shape[:2], 2))
            part[..., 0] = np.clip(part[..., 0] + moved[..., 0], 0.05, 0.95)
            part[..., 1] += 2 * moved[..., 1]
        self.bleb[..., 0] += rng.normal(0, 0.6 * walk, self.bleb.shape[:2])


WAVE = 0.17 / np.arange(1, HARMONICS + 1) ** 0.9 * np.array([0.5, 1, 1, 1, 1, 1, 1])[:HARMONICS]
"""Standard deviation of the outline's waves, in cell radii; the first only shifts the cell."""


def draw_anatomy(rng: np.random.Generator, cells: int, elongation: float) -> Anatomy:
    """Parts of new cells, drawn without knowing the dose; `elongation` is a factor."""
    n = cells

    def around(count: int) -> Floats:
        """Angles that keep some distance from one another."""
        even = np.arange(count) / count * 2 * np.pi + rng.uniform(0, 2 * np.pi, (n, 1))
        return np.asarray(even + rng.normal(0, 1.6 / count, (n, count)))

    granule = np.dstack(
        [
            rng.uniform(0.15, 0.9, (n, GRANULES)),
            rng.uniform(-np.pi, np.pi, (n, GRANULES)),
            rng.lognormal(-0.1, 0.45, (n, GRANULES)),
            rng.random((n, GRANULES)),
        ]
    )
    heart = rng.uniform(-np.pi, np.pi, (n, 3))  # a sick cell's granules gather in three heaps
    clump = np.dstack(
        [
            np.clip(rng.normal(0.55, 0.1, (n, GRANULES)), 0.2, 0.9),
            heart[:, np.arange(GRANULES) % 3] + rng.normal(0, 0.3, (n, GRANULES)),
        ]
    )
    vesicle = np.dstack(
        [
            np.sqrt(rng.uniform(0.12, 0.8, (n, VESICLES))),
            rng.uniform(-np.pi, np.pi, (n, VESICLES)),
            rng.lognormal(0, 0.22, (n, VESICLES)),
            rng.random((n, VESICLES)),
        ]
    )
    number = rng.integers(2, NUCLEOLI + 1, (n, 1))
    nucleolus = np.dstack(
        [
            np.sqrt(rng.uniform(0.02, 0.4, (n, NUCLEOLI))),
            around(NUCLEOLI),
            rng.lognormal(0, 0.18, (n, NUCLEOLI)) * (np.arange(NUCLEOLI) < number),
        ]
    )
    return Anatomy(
        size=np.exp(rng.normal(0, 0.13, n)),
        aspect=1 + (rng.gamma(3, 0.2, n)) * elongation,
        wave=rng.normal(0, 1, (n, HARMONICS, 2)) * WAVE[:, None],
        lobe_angle=around(LOBES),
        lobe_length=rng.uniform(0.9, 1.9, (n, LOBES)),
        lobe_width=rng.uniform(0.12, 0.38, (n, LOBES)),
        fibre_angle=around(FIBRES),
        fibre_length=rng.uniform(1.0, 1.8, (n, FIBRES)),
        nucleus=np.stack([*rng.normal(0, 0.08, (2, n)), np.exp(rng.normal(0, 0.08, n))], axis=-1),
        nucleolus=nucleolus,
        granule=granule,
        clump=clump,
        vesicle=vesicle,
        vacuole_angle=around(VESICLES),
        bleb=np.dstack([around(BLEBS), rng.uniform(0.6, 1.4, (n, BLEBS))]),
    )
