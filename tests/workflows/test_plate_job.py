"""Pages of plates: from verdicts to wells, hits and a map, whatever the plate map holds."""

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmarks.plate import simulated
from livewell.errors import LayoutError, LivewellError, SpecError, StudyError, TableError
from livewell.study.study import Study
from livewell.workflows.assess import assess
from livewell.workflows.plate import PlateResult, plate

CONTROLS: dict[str, Any] = {
    "untreated": {"treatment": "none"},
    "positive": {"treatment": "control"},
}


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Verdicts on a simulated plate of 96 wells, two of them not imaged, with small images."""
    folder = tmp_path_factory.mktemp("plate")
    return simulated(folder, 96, fields=2, field_px=48, missing=("C05", "D06"))


@pytest.fixture(scope="module")
def made(verdicts: Path, tmp_path_factory: pytest.TempPathFactory) -> PlateResult:
    """Its page."""
    out = tmp_path_factory.mktemp("page") / "page"
    return plate(verdicts, out, metadata=verdicts.parent / "platemap.csv", **CONTROLS)


def changed(source: Path, folder: Path, /, **tables: pd.DataFrame) -> Path:
    """A copy of a folder of verdicts with other tables."""
    folder.mkdir(parents=True)
    for name in ("verdicts.csv", "failures.csv", "assessment.json"):
        (folder / name).write_bytes((source / name).read_bytes())
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    return folder


def platemap(folder: Path, **columns: Any) -> Path:
    """A plate map of its own."""
    path = folder / "map.csv"
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


def test_sick_compounds_are_hits(made: PlateResult) -> None:
    """Every compound that makes wells sick is a hit, replicates are one test, tables say so."""
    found = made.hits
    sick = {f"compound {n:03}" for n in range(3, 36, 10)}
    assert sick <= set(found.loc[found["hit"], "condition"])
    assert found["hit"].sum() <= len(sick) + 1
    assert len(found) == 36
    tables = {path.name for path in made.page.parent.iterdir()}
    names = {f"{name}.csv" for name in ("wells", "hits", "effects", "controls")}
    assert tables == names | {"report.html", "plate.json"}
    wells = pd.read_csv(made.page.parent / "wells.csv").set_index("well")
    assert len(wells) == 96
    assert wells["judged"].sum() == 94
    assert wells.loc["A02", "role"] == "untreated"
    assert wells.loc["A01", "role"] == "positive control"
    judged = wells[wells["judged"]]
    assert (judged["low"] <= judged["value"]).all()
    assert (judged["value"] <= judged["high"]).all()
    settings = json.loads((made.page.parent / "plate.json").read_text())
    assert settings["seed"] == 0
    assert settings["untreated"] == {"treatment": "none"}


def test_page_shows_every_well_and_its_fields(made: PlateResult) -> None:
    """The page holds a shape a well, the sign of missing wells, and tiles of all fields."""
    page = made.page.read_text()
    assert len(re.findall(r'<path class="w[^"]*" d="M[1-9]', page)) == 96
    data = json.loads(re.findall(r'<script type="application/json">(.*?)</script>', page)[0])
    assert len(data["wells"]) == 96
    tiles = [tile for well in data["wells"] for tile in well["tiles"]]
    assert sorted(tiles) == list(range(188))
    assert data["atlas"]["uri"].startswith("data:image/webp")
    assert "in the plate map, not judged" in page
    assert "for display only" in page
    assert any(text.startswith("2 wells of the plate map not judged") for text in made.warnings)


@pytest.mark.long
def test_the_same_twice(made: PlateResult, verdicts: Path) -> None:
    """The same call writes the same tables and page again."""
    before = made.page.read_bytes()
    again = plate(verdicts, made.page.parent, metadata=verdicts.parent / "platemap.csv", **CONTROLS)
    assert again.page.read_bytes() == before


def test_failed_and_empty_fields_are_counted(verdicts: Path, tmp_path: Path) -> None:
    """A failed field is counted, a well with nothing to judge is shown, and the rest goes on."""
    table = pd.read_csv(verdicts / "verdicts.csv")
    table.loc[table["well"] == "B03", ["n_patches", "sick_fraction", "p_sick"]] = [0, None, None]
    lost = table["image"] == "B04_p1.tif"
    failures = pd.DataFrame({"image": ["B04_p1.tif"], "t": None, "error": "damaged"})
    folder = changed(verdicts, tmp_path / "v", verdicts=table[~lost], failures=failures)
    names = sorted(table["image"])
    wells = [name[:3] for name in names]
    known = pd.read_csv(verdicts.parent / "platemap.csv").set_index("well")["treatment"]
    by_image = platemap(tmp_path, image=names, treatment=[known[well] for well in wells])
    again = folder / "verdicts.csv"
    pd.read_csv(again).drop(columns=["well"]).assign(well=None).to_csv(again, index=False)
    with pytest.raises(LayoutError, match="no image has a well"):
        plate(folder, tmp_path / "out", metadata=by_image, **CONTROLS)
    by_image = platemap(tmp_path, image=names, well=wells, treatment=[known[w] for w in wells])
    made = plate(folder, tmp_path / "out", metadata=by_image, thumbnails=0, **CONTROLS)
    found = made.wells.set_index("well")
    assert found.loc["B04", ["fields", "failed"]].tolist() == [1, 1]
    assert found.loc["B03", ["fields", "empty"]].tolist() == [0, 2]
    assert any("1 field could not be read or judged, in B04" in text for text in made.warnings)
    assert any("Nothing was left to judge in 1 well: B03" in text for text in made.warnings)


def test_an_image_that_fails_counts_in_its_well(request, model: Path, tmp_path: Path) -> None:
    """Where a pattern or a study names wells, an image that could not be judged has its well."""
    images = tmp_path / "images"
    images.mkdir()
    for name in ("A01_p1", "A02_p1"):
        source = request.getfixturevalue("plate") / "images" / f"{name}.ome.tif"
        (images / f"{name}.ome.tif").hardlink_to(source)
    (images / "B01_p1.ome.tif").write_bytes(b"II*")
    pattern = "{well}_p{position:int}.ome.tif"
    judged = assess(images, model, tmp_path / "verdicts", pattern=pattern)
    assert judged.failures["well"].tolist() == ["B01"]
    made = plate(tmp_path / "verdicts", tmp_path / "page", thumbnails=0)
    assert made.wells.set_index("well")["failed"].to_dict() == {"A01": 0, "A02": 0, "B01": 1}


def test_without_untreated_wells_nothing_is_tested(verdicts: Path, tmp_path: Path) -> None:
    """No plate map and no untreated wells: a map and effects of all wells, and no test."""
    made = plate(verdicts, tmp_path / "out", thumbnails=0)
    assert made.hits["p"].isna().all()
    assert (made.effects["of"] == "all wells").all()
    assert made.controls.empty
    assert "nothing is tested" in made.page.read_text()


@pytest.mark.long
def test_several_plates_have_their_own_untreated_wells(tmp_path: Path) -> None:
    """A map each; compounds are held against untreated wells of their own plate."""
    folder = simulated(tmp_path / "two", 24, fields=1, plates=("P1", "P2"))
    known = pd.read_csv(folder.parent / "platemap.csv")
    names = [f"{p}_{w}_p1.tif" for p, w in zip(known["plate"], known["well"], strict=True)]
    # a second plate without untreated wells does not stop the first
    other = known["treatment"].where((known["plate"] == "P1") | (known["treatment"] != "none"), "x")
    by_image = platemap(tmp_path, image=names, plate=known["plate"], treatment=other)
    made = plate(folder, tmp_path / "out", metadata=by_image, thumbnails=0, **CONTROLS)
    page = made.page.read_text()
    assert "<h2>Plate P1</h2>" in page
    assert "<h2>Plate P2</h2>" in page
    assert any("Fewer than two untreated wells are judged on P2" in text for text in made.warnings)
    alone = made.hits[made.hits["names"].str.startswith("P2/")]
    assert alone["p"].isna().all()
    single = made.wells[made.wells["plate"] == "P1"]
    assert (single["method"] == "untreated wells").all()


def test_wells_named_twice_are_refused(tmp_path: Path) -> None:
    """Two plates whose images nobody tells apart are one well twice, and the error says so."""
    folder = simulated(tmp_path / "two", 24, fields=1, plates=("P1", "P2"))
    with pytest.raises(TableError, match="well-named-twice"):
        plate(folder, tmp_path / "out")
    twice = platemap(tmp_path, well=["A01", "a1"], treatment=["none", "x"])
    with pytest.raises(TableError, match="duplicate-row"):
        plate(folder, tmp_path / "out", metadata=twice)


WRONG: dict[str, tuple[dict[str, Any], type[LivewellError], str]] = {
    "value": ({"untreated": {"treatment": "nope"}}, TableError, "no well has it"),
    "column": ({"untreated": {"tretment": "none"}}, TableError, "near it: treatment"),
    "roles": (CONTROLS | {"positive": {"treatment": "none"}}, TableError, "two-roles"),
    "by": ({"by": ["dose"]}, TableError, "no such column"),
    "format": ({"plate_wells": 95}, SpecError, "no usual plate"),
    "frame": ({"frame": 3}, SpecError, "no image has this frame"),
    "correction": ({"correct": "magic"}, SpecError, "--correct"),
    "alpha": ({"alpha": 0.0}, SpecError, "--alpha"),
}


@pytest.mark.parametrize("case", WRONG)
def test_bad_settings_are_told(case: str, verdicts: Path, tmp_path: Path) -> None:
    """What cannot be is refused in words, and nothing is written."""
    options, kind, text = WRONG[case]
    with pytest.raises(kind, match=text):
        plate(verdicts, tmp_path / "out", metadata=verdicts.parent / "platemap.csv", **options)
    assert not (tmp_path / "out").exists()


def test_no_folder_of_verdicts(tmp_path: Path, verdicts: Path) -> None:
    """Another folder, and one that is not whole, are told apart."""
    with pytest.raises(StudyError, match="no assessment here"):
        plate(tmp_path, tmp_path / "out")
    folder = changed(verdicts, tmp_path / "v")
    (folder / "verdicts.csv").unlink()
    with pytest.raises(StudyError, match="goes on where it was stopped"):
        plate(folder, tmp_path / "out")


@pytest.mark.long
def test_doses_of_unknown_unit_are_noted(verdicts: Path, tmp_path: Path) -> None:
    """A dose without a unit is a dose, and the page says that nobody knows its unit."""
    table = pd.read_csv(verdicts.parent / "platemap.csv")
    table["dose"] = [5 if name.startswith("compound") else 0 for name in table["treatment"]]
    path = platemap(tmp_path, **{str(name): table[name] for name in table})
    made = plate(verdicts, tmp_path / "out", metadata=path, thumbnails=0, **CONTROLS)
    assert "nobody knows the unit of the dose of 96 wells" in made.page.read_text()
    assert "compound 003, dose 5" in set(made.hits["condition"])
    assert made.hits["wells"].max() == 2


@pytest.mark.long
def test_three_classes_need_a_name(verdicts: Path, tmp_path: Path) -> None:
    """Of three classes one is named, and its share is what wells are compared by."""
    table = pd.read_csv(verdicts / "verdicts.csv").drop(columns=["p_sick"])
    for name, share in (("dead", 1.0), ("dying", 0.0)):
        table[f"called_{name}"] = table["sick_fraction"] * share
        table[f"p_{name}"] = table["sick_fraction"] * share
    folder = changed(verdicts, tmp_path / "v", verdicts=table.drop(columns=["sick_fraction"]))
    options = CONTROLS | {"metadata": verdicts.parent / "platemap.csv", "thumbnails": 0}
    with pytest.raises(SpecError, match="one of dead, dying"):
        plate(folder, tmp_path / "out", **options)
    made = plate(folder, tmp_path / "out", class_name="dead", measure="p", **options)
    assert made.hits["hit"].sum() >= 4
    assert "mean probability of being dead" in made.page.read_text()


@pytest.mark.long
def test_median_polish_is_asked_for_and_said(tmp_path: Path) -> None:
    """An edge effect is named; corrected hits are told only where that was asked for."""
    folder = simulated(tmp_path / "edge", 96, fields=2, edge=1.5)
    options = CONTROLS | {"metadata": folder.parent / "platemap.csv", "thumbnails": 0}
    plain = plate(folder, tmp_path / "plain", **options)
    assert "Nothing is corrected for rows and columns" in plain.page.read_text()
    edge = plain.effects.set_index("effect").loc["edge"]
    assert edge["estimate"] > 0.05
    clean = plate(folder, tmp_path / "clean", correct="median-polish", **options)
    assert "corrected by median polish, as asked for" in clean.page.read_text()
    assert clean.hits["hit"].sum() >= 3
    assert plain.hits["p"].tolist() != clean.hits["p"].tolist()


@pytest.mark.long
def test_from_images_to_a_page(study: Study, model: Path, tmp_path: Path) -> None:
    """A study that was assessed gives plate, wells and doses without being named again."""
    out = tmp_path / "verdicts"
    judged = assess(study.folder, model, out)
    made = plate(out, tmp_path / "page", untreated={"dose": "0"}, frame=2)
    assert set(made.wells["well"]) == set(judged.verdicts["well"])
    assert (made.wells["role"] == "untreated").any()
    dosed = made.hits[made.hits["difference"] > 0]
    assert len(dosed)
    data = re.findall(r'<script type="application/json">(.*?)</script>', made.page.read_text())
    wells = json.loads(data[0])["wells"]
    assert all(well["tiles"] for well in wells)
