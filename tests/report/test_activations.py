"""Figures of class activation maps: a row a class, on one scale, in colours all can tell apart."""

from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from livewell.report.activations import (
    AGAINST,
    COVER,
    FOR,
    Activation,
    ClassRow,
    activated,
    activation_figures,
)

GREY = np.tile(np.linspace(0, 1, 8, dtype=np.float32), (8, 1))


def seen(value: float, *, both: bool = True) -> Activation:
    level = np.full_like(GREY, value)
    return Activation(GREY, level if both else None, level.clip(0), f"p 0.9, e{value:g}")


@pytest.mark.long
def test_fourteen_classes_take_three_figures() -> None:
    """No figure holds more than five rows, every class has one, and what is lacking is said."""
    rows = [ClassRow(f"line <{n}>", seen(n), seen(-n)) for n in range(13)]
    rows.append(ClassRow("never called", None, None, seen(1)))
    figures = activation_figures(rows, "score")
    assert len(figures) == 3
    words = [
        "".join(node.itertext())
        for figure in figures
        for node in ElementTree.fromstring(figure.data).iter("{http://www.w3.org/2000/svg}text")
    ]
    assert {row.name for row in rows} <= set(words)
    assert words.count("Grad-CAM") == 6
    assert "none" in words
    assert "line <3>: p 0.9, e3; p 0.9, e-3" in figures[0].alt


def test_a_net_without_class_activation_maps_has_no_column_of_them() -> None:
    """Where hidden layers lie between maps and scores there is Grad-CAM alone."""
    (figure,) = activation_figures([ClassRow("dead", seen(1, both=False), None)], "score")
    assert b">Grad-CAM<" in figure.data
    assert b">CAM<" not in figure.data


def test_colour_says_for_and_against_and_none_says_nothing() -> None:
    """Full colour at the scale's ends, the grey image where the map is zero."""
    plain = activated(GREY, np.zeros_like(GREY), 2.0)
    np.testing.assert_allclose(plain, plain[..., :1].repeat(3, axis=2))
    for value, colour in ((2.0, FOR), (-2.0, AGAINST), (9.0, FOR)):
        made = activated(GREY, np.full_like(GREY, value), 2.0)
        np.testing.assert_allclose(made, (1 - COVER) * plain + COVER * np.array(to_rgb(colour)))
