"""Names of classes: their order, the one that is sought, and what they become when merged."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livewell.classes import UNSURE, ClassNames
from livewell.errors import LabelError, SpecError

words = st.text("abcxyz ", min_size=1, max_size=6).filter(str.strip)
several = st.lists(words, min_size=2, max_size=6, unique=True).map(tuple)
THREE = ClassNames(("healthy", "sick", "dead"))


@given(several, st.data())
def test_codes_and_names_are_each_others_inverse(names, data) -> None:
    """Whatever the classes, a label's number is its place among the names."""
    classes = ClassNames(names)
    assert (tuple(classes), len(classes)) == (names, len(names))
    labels = data.draw(st.lists(st.sampled_from(names), max_size=20))
    codes = classes.codes(labels)
    assert codes.dtype == np.int64
    assert [classes.called(int(code)) for code in codes] == labels
    assert [classes.code(name) for name in names] == list(range(len(names)))
    assert classes.called(-1) == UNSURE


@given(several, st.data())
def test_what_is_sought(names, data) -> None:
    """Of two classes the second one; of more the positive one first, then the others, each once."""
    positive = data.draw(st.sampled_from([None, *names])) if len(names) > 2 else None
    classes = ClassNames(names, positive)
    if len(names) == 2:
        assert classes.binary
        assert classes.pair == names
        assert classes.positive == names[1]
        assert classes.sought == (names[1],)
    else:
        assert sorted(classes.sought) == sorted(names)
        assert classes.sought[0] == (positive or names[0])
        with pytest.raises(SpecError, match=f"for two classes, and there are {len(names)}"):
            _ = classes.pair


@given(several, st.data())
def test_merging_keeps_every_class_somewhere(names, data) -> None:
    """Classes that get one new name are one class; the new names come in the order of the old."""
    into = {name: data.draw(st.sampled_from(["one", "two", "three"])) for name in names}
    new = list(dict.fromkeys(into[name] for name in names))
    if len(new) < 2:
        with pytest.raises(SpecError, match="at least two classes"):
            ClassNames(names).merged(into)
        return
    assert ClassNames(names).merged(into) == ClassNames(tuple(new))
    positive = data.draw(st.sampled_from(new))
    merged = ClassNames(names).merged(into, positive)
    assert set(merged) == set(new)
    assert merged.positive == positive


def test_a_list_of_names_is_taken_as_it_is() -> None:
    """Names become classes, and classes stay themselves."""
    assert ClassNames.of(["healthy", "sick"]) == ClassNames(("healthy", "sick"), "sick")
    assert ClassNames.of(THREE) is THREE
    assert ClassNames.of(THREE.names, "dead").positive == "dead"
    assert str(THREE) == "healthy, sick, dead"


@pytest.mark.parametrize(
    ("names", "positive", "told"),
    [
        (("sick",), None, "at least two classes"),
        ((), None, "at least two classes.*none"),
        (("a", "a", "b"), None, "every name once"),
        (("a", " "), None, "no empty name"),
        (("a", "unsure"), None, "no class named 'unsure'"),
        (("a", "b", "c"), "d", "a positive class among them.*positive d"),
        (("a", "b"), "a", "positive one of two classes second"),
        (("unsure", "unsure"), "x", "every name once; no class named 'unsure'; a positive class"),
    ],
)
def test_what_is_no_list_of_classes(names, positive, told: str) -> None:
    """Each rule that is broken is told, all at once."""
    with pytest.raises(SpecError, match=told):
        ClassNames(names, positive)


def test_labels_that_are_no_class() -> None:
    """Strange labels are told together with the classes that there are."""
    with pytest.raises(LabelError, match=r"healthy or sick or dead.*dying, gone"):
        THREE.codes(["sick", "gone", "dying", "gone"])


@pytest.mark.parametrize(
    ("into", "told"),
    [
        ({"healthy": "well", "sick": "ill"}, "none for dead"),
        ({"healthy": "well", "sick": "ill", "dead": "ill", "gone": "ill"}, "one for gone"),
    ],
)
def test_merging_names_every_class_once(into: dict[str, str], told: str) -> None:
    """A class without a new name, or a new name for none, is refused."""
    with pytest.raises(LabelError, match=told):
        THREE.merged(into)
