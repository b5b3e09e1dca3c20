"""The rule by darkness: what counts as a dark spot, and that it learns from validation alone."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from benchmarks.darkness import RULES, dark_spots, darkness

CLASSES = ("living", "dead")
SHAPE = (80, 100)


def frame(spots: list[tuple[int, int]], line: bool, seed: int) -> np.ndarray:
    """Bright ground with dark discs of 15 px, and a darker line of 3 px where wanted."""
    made = np.random.default_rng(seed).normal(200, 1, SHAPE).astype(np.float32)
    rows, columns = np.ogrid[: SHAPE[0], : SHAPE[1]]
    for y, x in spots:
        made[np.hypot(rows + 0.5 - y, columns + 0.5 - x) < 7.5] -= 60
    if line:
        made[38:41] -= 150
    return made


def test_lines_are_dark_but_not_broad() -> None:
    """A dark line is called before a disc by darkness alone; opened only the disc is left."""
    picture = frame([(15, 60)], line=True, seed=0)
    plain, opened = dark_spots(picture, 0), dark_spots(picture, 5)
    assert abs(plain["y"][plain["score"].idxmax()] - 39.5) <= 1
    top = opened.loc[opened["score"].idxmax()]
    assert np.hypot(top["y"] - 15, top["x"] - 60) < 2
    assert len(opened) == 1


@dataclass(frozen=True)
class Held:
    """As much of a tested run as the rule asks for."""

    frames: dict[str, np.ndarray]
    patches: pd.DataFrame
    folds: pd.DataFrame
    classes: tuple[str, str] = CLASSES

    @property
    def pixels(self) -> "Held":
        return self

    def frame(self, image: str, _: int) -> np.ndarray:
        return self.frames[image]

    def part(self, name: str, fold: int | None = None) -> pd.DataFrame:
        chosen = self.folds[self.folds["part"] == name]
        if fold is not None:
            chosen = chosen[chosen["fold"] == fold]
        return self.patches.merge(chosen, on="group")


@pytest.fixture
def held() -> tuple[Held, pd.DataFrame]:
    """Twelve images with lines, every other one with dead cells, in two folds; and their boxes."""
    frames, rows, boxes = {}, [], []
    for number in range(12):
        name, dead = f"{number:02d}", number % 2
        spots = [(15, 20 + 5 * number), (62, 30)] if dead else []
        frames[name] = frame(spots, line=True, seed=number)
        rows.append({"image": name, "group": name, "label": CLASSES[dead]})
        for y, x in spots:
            boxes.append(
                {"image": name, "kind": "dead", "y0": y - 8, "x0": x - 8, "y1": y + 8, "x1": x + 8}
            )
    folds = [
        {"group": f"{n:02d}", "fold": fold, "part": "test" if (n // 6) == fold else "validation"}
        for n in range(12)
        for fold in (0, 1)
    ]
    return Held(frames, pd.DataFrame(rows), pd.DataFrame(folds)), pd.DataFrame(boxes)


def f1(row: list[str]) -> float:
    return float(row[5].split()[0])


def test_broad_spots_are_found_among_lines(held: tuple[Held, pd.DataFrame]) -> None:
    """Broad spots are all found where lines drown them for the plain rule."""
    tested, dead = held
    rows = darkness(tested, dead, 0)  # type: ignore[arg-type]
    assert [row[0] for row in rows] == list(RULES)
    assert f1(rows[1]) > 0.9 > f1(rows[0])
    assert {len(row) for row in rows} == {8}


def test_a_rule_learns_from_other_images_than_it_is_tested_on(
    held: tuple[Held, pd.DataFrame],
) -> None:
    """Lines boxed as dead in images of one fold: they are called in those of the other one only."""
    tested, dead = held
    first = set(tested.part("test", 0)["image"])
    rest = dead[~dead["image"].isin(first)]
    lines = [
        {"image": name, "kind": "dead", "y0": 37, "x0": x, "y1": 42, "x1": x + 20}
        for name in sorted(first)
        for x in range(0, 100, 20)
    ]
    odd = pd.concat([rest, pd.DataFrame(lines)], ignore_index=True)
    wrong = f1(darkness(tested, odd, 0)[1])  # type: ignore[arg-type]
    assert wrong < 0.6 < f1(darkness(tested, dead, 0)[1])  # type: ignore[arg-type]
