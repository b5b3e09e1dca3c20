"""Labels from words in file names."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livewell.errors import TableError
from livewell.labels.by_words import Words, by_words

CLASSES = {"dead": "dead", "alive": "live", "no_serum": "dead"}


def _fields(*paths: str) -> pd.DataFrame:
    return pd.DataFrame({"image": [f"i{k}" for k in range(len(paths))], "path": list(paths)})


def test_whole_words_of_the_file_s_own_name_count():
    """Case, folders, endings and parts of words do not matter; words in a row may be sought."""
    fields = _fields(
        "dead/a-ALIVE.tif",
        "x/Dead.01.tif",
        "alive/No-Serum 3.png",
        r"dead\deadline_alive.ome.tif",
        "dead/alive_serum.dead",
    )
    made = by_words(fields, Words(CLASSES))
    assert made.table["label"].tolist() == ["live", "dead", "dead", "live", "live"]


def test_words_with_accents():
    """Row 26: a word is found in a name whose letters are taken apart (NFD), and the reverse."""
    fields = _fields("toté 1.tif", "alive.tif")
    made = by_words(fields, Words({"toté": "dead", "alive": "live"}))
    assert made.table["label"].tolist() == ["dead", "live"]


def test_ambiguous_and_wordless_files_are_all_listed():
    """Files with words of two classes, with none, and words that never occur: one error."""
    fields = _fields("dead.tif", "alive_dead.tif", "control.tif", "alive.tif")
    with pytest.raises(TableError) as caught:
        by_words(fields, Words(CLASSES))
    assert [(fault.code, fault.where) for fault in caught.value.faults] == [
        ("unknown-word", "'no_serum'"),
        ("two-classes", "i1"),
        ("no-word", "i2"),
    ]


def test_wordless_files_are_left_out_only_if_said_and_ambiguous_ones_never():
    """`others="drop"` drops and counts files with none of the words, not those with two."""
    classes = {"dead": "dead", "alive": "live"}
    made = by_words(_fields("dead.tif", "alive.tif", "control.tif"), Words(classes, "drop"))
    assert made.table["image"].tolist() == ["i0", "i1"]
    assert made.counts[1].count == 1
    with pytest.raises(TableError, match="two-classes"):
        by_words(_fields("dead.tif", "alive.tif", "dead_alive.tif"), Words(classes, "drop"))


@given(st.text("abcdefgh", max_size=4), st.text("abcdefgh", max_size=4))
@settings(deadline=None, max_examples=40)
def test_a_word_inside_a_word_is_never_found(before, after):
    """Letters before or after make another word."""
    fields = _fields(f"{before}dead{after}_x.tif", "dead.tif", "alive.tif")
    made = by_words(fields, Words({"dead": "dead", "alive": "live"}, "drop"))
    assert ("i0" in set(made.table["image"])) == (before + after == "")


def test_a_misspelt_word_brings_what_comes_near():
    """The error names the parts of file names that were perhaps meant."""
    with pytest.raises(TableError, match="near it: cpt2"):
        by_words(_fields("U2_CPT2_1h.png", "U2_DMSO.png"), Words({"CPT": "CPT", "DMSO": "DMSO"}))


def test_real_names_give_the_published_treatments(shared_data: Path):
    """All 20 pictures of u2os-cpt get the treatment of images.csv."""
    known = pd.read_csv(shared_data / "u2os-cpt" / "images.csv")
    fields = known.assign(path="DMSO/" + known["image"])[["image", "path"]]
    made = by_words(fields, Words({"CPT2": "CPT", "DMSO2": "DMSO", "DMSO": "DMSO"}))
    assert made.table["label"].tolist() == known["treatment"].tolist()
