"""Metadata files come back as they were written, old ones are translated, spoilt ones refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from livewell.classes import ClassNames
from livewell.errors import StudyError
from livewell.tables.metadata import FORMAT, LabelMeta, Metadata, RunMeta, SplitMeta, StudyMeta

LABELS = LabelMeta(
    route="stain",
    settings={"window": (1.0, float("nan")), "csv": Path("a/b.csv")},
    classes=("healthy", "sick", "dead"),
    positive="dead",
    counts=(("images", 3),),
)
SPLIT = SplitMeta(
    labels="labels",
    label_meta=LABELS,
    classes=LABELS.classes,
    by="well",
    scheme="KFolds",
    scheme_settings={"folds": 5},
    patch_px=0,
    frame_px=(80, 96),
    channels=("phase", "PI"),
    pixel_um=0.5,
    counts={"frames": 6},
    warnings=("few groups",),
)
RUN = RunMeta(
    study="/s",
    split="split",
    profile={"scale": (0.8, 1.25)},
    classes=("healthy", "sick"),
    group="well",
    folds=(0, 2),
    inputs={"patches.parquet": "1f"},
    channels=(1,),
)
STUDY = StudyMeta(root=Path("/images"), channels=("phase", 1), sources=("pattern x",))
EVERY = (STUDY, LABELS, SPLIT, RUN)


@pytest.mark.parametrize("meta", EVERY, ids=lambda meta: meta.kind)
def test_what_was_written_comes_back(meta: Metadata, tmp_path: Path) -> None:
    """Every value is read back equal to the one that was written, and the file is strict JSON."""
    meta.write(tmp_path / "a.json")
    assert type(meta).read(tmp_path / "a.json") == meta
    said = json.loads((tmp_path / "a.json").read_text())
    assert (said["format"], said["kind"]) == (FORMAT, meta.kind)
    assert set(said) == set(type(meta).model_fields)
    assert set(meta.values()) == set(said) - {"format", "kind", "livewell"}
    assert list(meta.values("livewell")) == []


@pytest.mark.parametrize("meta", EVERY, ids=lambda meta: meta.kind)
def test_values_are_frozen_and_know_their_fields(meta: Metadata) -> None:
    """No field can be changed, and a misspelt one is refused where the value is made."""
    with pytest.raises(ValidationError, match="frozen"):
        meta.livewell = "9"  # type: ignore[misc]
    with pytest.raises(ValidationError, match="sead"):
        type(meta).model_validate(meta.model_dump() | {"sead": 1})


def test_classes_are_given_as_one_value() -> None:
    """Two classes are (negative, positive) without saying so; of three none need be sought."""
    assert LABELS.class_names == ClassNames(("healthy", "sick", "dead"), "dead")
    assert SPLIT.class_names == ClassNames(("healthy", "sick", "dead"))
    assert RUN.positive == "sick"
    with pytest.raises(ValidationError, match="a positive class among them"):
        LabelMeta(route="column", classes=("a", "b", "c"), positive="d")


def changed(**fields: Any) -> Callable[[dict[str, Any]], object]:
    return lambda said: said.update(fields)


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (changed(format=FORMAT + 1), r"field format.*newer version.*format 3, written by"),
        (changed(format=0), r"field format"),
        (changed(kind="marathon"), r"field kind: not a split description.*got: a marathon"),
        (changed(sead=1), r"field sead.*sead: no such field is known"),
        (changed(seed="many", by=None), r"fields by, seed.*seed: "),
        (lambda said: said.pop("labels"), r"field labels: .*labels: missing"),
        (lambda said: said["label_meta"].pop("route"), r"field label_meta\.route"),
        (changed(classes=["a"]), r"field classes.*at least two classes"),
        (changed(positive="d"), r"a positive class among them"),
    ],
    ids=["newer", "no format", "kind", "unknown", "types", "missing", "nested", "one", "positive"],
)
def test_a_spoilt_file_names_file_and_field(
    spoil: Callable[[dict[str, Any]], object], named: str, tmp_path: Path
) -> None:
    """A file of another format or kind, or with wrong fields, is refused by file and field."""
    said = SPLIT.model_dump(mode="json")
    spoil(said)
    (tmp_path / "split.json").write_text(json.dumps(said))
    with pytest.raises(
        StudyError, match=rf"(?is)split\.json, {named}" if "field" in named else named
    ):
        SplitMeta.read(tmp_path / "split.json")


@pytest.mark.parametrize("name", ["pixel_um", "frame_s"])
@pytest.mark.parametrize("value", ["3", 0, -1, True, [1]])
def test_scales_that_are_none(name: str, value: object, tmp_path: Path) -> None:
    """Campaign L7: a scale as text, of zero, below it or no number is refused by its field."""
    (tmp_path / "study.json").write_text(json.dumps(STUDY.model_dump(mode="json") | {name: value}))
    with pytest.raises(StudyError, match=f"field {name}"):
        StudyMeta.read(tmp_path / "study.json")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 2'])
def test_a_damaged_file_is_refused(text: str, tmp_path: Path) -> None:
    """What is no JSON object is refused with the file's name."""
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(StudyError, match=r"run\.json: cannot be read as a training run"):
        RunMeta.read(tmp_path / "run.json")
