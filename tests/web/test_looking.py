"""Looking at a study: overview, wells, images, raw pixels, thumbnails, reports."""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from livewell.outputs.heatmaps import MapTransform, write_map
from livewell.study.study import Study
from livewell.tables.metadata import LabelMeta
from livewell.web.site import Site
from tests.web.conftest import Client

HOSTILE = '"><script>alert(1)</script>.tif'


def _label(study: Study) -> list[str]:
    """Every other image sick; names of the images."""
    images = study.fields()["image"].tolist()
    table = pd.DataFrame(
        {"image": images, "label": ["healthy", "sick"] * (len(images) // 2), "route": "test"}
    )
    meta = LabelMeta(route="test", classes=("healthy", "sick"))
    study.write_labels("seen", table, meta)
    return images


def heat_map(site: Site, image: str, name: str = "map") -> np.ndarray:
    """A heat map of an image in a folder beside the study."""
    folder, path = site.study.folder.parent / name, site.study.path(image)
    folder.mkdir()
    values = np.linspace(0, 1, 12 * 4 * 5, dtype=np.float32).reshape(12, 4, 5)
    place = MapTransform(16.0, (8.0, 24.0))
    file = folder / "map.ome.tif"
    write_map(file, iter(values), place, values.shape, pixel_um=None, frame_s=None, notes={})
    (folder / "heatmap.json").write_text(json.dumps({"kind": "heat map", "movie": str(path)}))
    return values


def test_the_overview_shows_wells_with_what_was_done(site: Site, client: Client) -> None:
    """A plate stands as rows and columns of wells, each with its condition and a thumbnail."""
    page = client("viewer").get("/").text
    for well in site.study.fields()["well"].unique():
        assert f'href="/well/0/{well}?' in page
    assert "80 s" in page
    assert '<img src="/image/0/thumbnail"' in page


def test_wells_may_be_coloured_by_labels(site: Site, client: Client) -> None:
    """Labels are written on each well, beside a colour and a letter."""
    _label(site.study)
    page = client("viewer").get("/?colour=label:seen").text
    assert page.count("</b> healthy</span>") == 3  # two wells and the legend
    assert page.count('<b aria-hidden="true">S</b> sick') == 3


def test_a_list_is_sorted_and_filtered_by_columns(site: Site, client: Client) -> None:
    """All images as thumbnails, those of one dose, or with a part of a name."""
    viewer, fields = client("viewer"), site.study.fields()
    dosed = fields.index[fields["dose"] == 80].tolist()
    page = viewer.get("/?view=list&column=dose&value=80&sort=image&down=true").text
    found = [page.index(f'href="/image/{n}"') for n in dosed]
    assert found == sorted(found, reverse=True)
    assert page.count('class="tile ') == len(dosed)
    name = fields["image"][0]
    assert viewer.get(f"/?view=list&column=image&value={name[:3]}").text.count('class="tile ') == 1


def test_pixels_come_as_they_lie_in_the_file(site: Site, client: Client) -> None:
    """A box of frames is sent raw, little-endian, with its shape and type."""
    image = site.study.fields()["image"][1]
    movie = tifffile.imread(site.study.path(image))
    got = client("viewer").get("/image/1/pixels?t=3&frames=2&y0=10&x0=20&y1=42&x1=84")
    assert (got.headers["x-shape"], got.headers["x-type"]) == ("2,32,64", movie.dtype.name)
    sent = np.frombuffer(got.content, movie.dtype.newbyteorder("<")).reshape(2, 32, 64)
    np.testing.assert_array_equal(sent, movie[3:5, 10:42, 20:84])


@pytest.mark.parametrize(
    "asked",
    ["t=99", "step=3", "y0=0&x0=0&y1=5", "y0=5&x0=0&y1=5&x1=9", "y0=0&x0=0&y1=999&x1=9"],
)
def test_pixels_that_are_not_there_are_refused_in_words(client: Client, asked: str) -> None:
    """Frames, steps and boxes that cannot be get an answer of what is wrong."""
    got = client("viewer").get(f"/image/0/pixels?{asked}")
    assert got.status_code == 422
    assert len(got.json()["message"]) > 10


def test_images_have_numbers_and_no_paths(client: Client) -> None:
    """No address leads to a file that is not an image of the study."""
    viewer = client("viewer")
    for path in ("/image/99999", "/image/..%2f..%2fetc%2fpasswd", "/image/-1/pixels"):
        assert viewer.get(path).status_code in (404, 422)
    assert viewer.get("/reports/..%2f..%2fstudy.json/page").status_code == 404
    assert viewer.get("/reports/label-..%2fstudy/page").status_code == 404


def test_experts_see_no_names_unless_the_owner_allows_it(site: Site, client: Client) -> None:
    """Who answers blind is led to what there is to answer, and cannot look names up."""
    expert = client("expert")
    assert expert.get("/").headers["location"] == "/annotate"
    for path in ("/image/0", "/image/0/about", "/well/0/B02", "/reports", "/image/0/thumbnail"):
        assert expert.get(path).status_code == 403
    object.__setattr__(site, "experts_look", True)
    assert expert.get("/image/0").status_code == 200


def test_thumbnails_are_kept_and_made_again_with_their_image(own_study: Study) -> None:
    """One file an image; an image that changed has another thumbnail, in place of the old one."""
    site = _copied(own_study)
    thumbnails, folder = site.look.thumbnails, site.folder / "thumbnails"
    name = site.study.fields()["image"][0]
    first = thumbnails.get(name)
    assert first.data[8:12] == b"WEBP"
    assert thumbnails.get(name) == first
    tifffile.imwrite(site.study.path(name), np.arange(10_000, dtype=np.uint16).reshape(100, 100))
    assert thumbnails.get(name).tag != first.tag
    assert len(list(folder.rglob("*.webp"))) == 1
    site.close()


def _copied(study: Study) -> Site:
    """A site on a study whose images are its own, so that they may be damaged."""
    from livewell.answers.database import Database
    from livewell.workflows.index import index

    root = study.folder.parent / "images"
    root.mkdir()
    for image in study.fields()["image"]:
        movie = tifffile.imread(study.path(image))[:2, :64, :64]
        tifffile.imwrite(root / image, movie, imagej=True, metadata={"axes": "TYX"})
    own = index(root, study.folder.parent / "own", pattern="{well}_p{position}.ome.tif").study
    return Site(own, Database.of_study(own.folder))


@pytest.fixture
def damaged(own_study: Study) -> Site:
    """A study of which one file is missing and another is not whole."""
    site = _copied(own_study)
    missing, broken = site.study.fields()["image"][:2]
    site.study.path(missing).unlink()
    site.study.path(broken).write_bytes(site.study.path(broken).read_bytes()[:150])
    return site


def test_missing_and_broken_files_are_told_and_the_others_go_on(
    damaged: Site, client: Client
) -> None:
    """The overview says how many and which; each has a placeholder; all others are shown."""
    damaged.look.health.get(30)
    app = client("owner").app
    app.state.site = damaged  # type: ignore[attr-defined]
    damaged_client = client(None)
    _enter(damaged_client, damaged)
    page = damaged_client.get("/").text
    assert "1 of 4 image files is missing" in page
    assert "1 cannot be read" in page
    status = [damaged_client.get(f"/image/{n}/about").status_code for n in range(4)]
    assert status == [404, 422, 200, 200]
    assert "missing" in damaged_client.get("/image/0/pixels").json()["message"]
    for n in range(2):
        got = damaged_client.get(f"/image/{n}/thumbnail")
        assert got.headers["content-type"] == "image/svg+xml"
        assert got.headers["x-fault"]
        assert damaged_client.get(f"/image/{n}").status_code == 200
    assert damaged_client.get("/image/2/thumbnail").headers["content-type"] == "image/webp"
    damaged.close()


def _enter(client: object, site: Site) -> None:
    from tests.web.conftest import add_person, enter

    enter(client, site, client.app, add_person(site, "own", "owner"))  # type: ignore[attr-defined,arg-type]


def test_a_study_whose_images_moved_says_so(damaged: Site) -> None:
    """Where the folder of the images is gone, that is said once, and for each image."""
    damaged.study.root.rename(damaged.study.root.with_name("elsewhere"))
    health = damaged.look.health.get(30)
    assert not health.folder
    assert len(health.missing) == 4
    damaged.close()


def test_maps_of_an_image_are_found_and_served_raw(site: Site, client: Client) -> None:
    """A heat map beside the study is an overlay of its image, with the place of its cells."""
    image = site.study.fields()["image"][2]
    values = heat_map(site, image)
    viewer = client("viewer")
    (overlay,) = viewer.get("/image/2/about").json()["overlays"]
    got = viewer.get(f"/image/2/overlays/{overlay['id']}/map?t=5")
    np.testing.assert_array_equal(np.frombuffer(got.content, "<f4"), values[5].ravel())
    assert (got.headers["x-stride"], got.headers["x-origin"]) == ("16.0", "8.0,24.0")
    assert viewer.get("/image/1/about").json()["overlays"] == []
    assert viewer.get(f"/image/1/overlays/{overlay['id']}/map").status_code == 404
    assert viewer.get(f"/image/2/overlays/{overlay['id']}/map?t=12").status_code == 422


def test_detections_of_an_image_are_found(site: Site, client: Client) -> None:
    """Detections of a localisation of the images are overlays of those that have some."""
    image = site.study.fields()["image"][0]
    folder = site.study.folder.parent / "located"
    folder.mkdir()
    about = {"kind": "localisation", "images": str(site.study.root)}
    (folder / "localisation.json").write_text(json.dumps(about))
    (folder / "detections.csv").write_text(
        f"image,t,number,y,x,score,p,y0,x0,y1,x1\n{image},1,1,20.5,30.5,2,0.9,15,25,26,36\n"
    )
    viewer = client("viewer")
    (overlay,) = viewer.get("/image/0/about").json()["overlays"]
    (row,) = viewer.get(f"/image/0/overlays/{overlay['id']}/detections").json()["detections"]
    assert (row["t"], row["y"], row["x"], row["p"]) == (1, 20.5, 30.5, 0.9)


def test_reports_are_listed_with_figures_and_kept_apart(site: Site, client: Client) -> None:
    """A report is served without the site's rights; results of other studies are not listed."""
    folder = site.study.folder.parent
    for name, study in (("ours", site.study.folder), ("theirs", "/another/study")):
        (folder / name / "evaluation").mkdir(parents=True)
        about = {"kind": "training run", "study": str(study), "classes": ["a", "b"]}
        (folder / name / "run.json").write_text(json.dumps(about))
        figure = {"value": 0.9, "low": 0.8, "high": 0.95, "groups": 7}
        results = {"kind": "evaluation", "headline": "roc_auc", "figures": {"roc_auc": figure}}
        (folder / name / "evaluation" / "results.json").write_text(json.dumps(results))
        (folder / name / "evaluation" / "report.html").write_text(f"<script>1</script>{name}")
    viewer = client("viewer")
    page = viewer.get("/reports").text
    assert "ROC AUC 0.900 (95% interval 0.800 to 0.950, 7 groups)" in page
    assert "theirs" not in page
    (found,) = (each for each in site.look.results.all() if each.report)
    got = viewer.get(f"/reports/{found.id}/page")
    assert got.text == "<script>1</script>ours"
    policy = got.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-scripts;")
    assert "allow-same-origin" not in policy
    assert "connect-src" not in policy
    assert "default-src 'none'" in policy


def test_names_that_are_script_are_text(site: Site, client: Client, tmp_path: Path) -> None:
    """A file name is shown as it is and never run."""
    fields = site.study.fields().assign(image=lambda table: [HOSTILE, *table["image"][1:]])
    Study.create(site.study.folder, site.study.root, fields)
    viewer = client("viewer")
    for path in ("/?view=list", "/image/0", "/well/0/" + fields["well"][0]):
        page = viewer.get(path).text
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)" in page


def test_owners_ask_for_maps_by_runs_with_a_model(
    site: Site, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Owners have the button where a run has a model; the job is shown until it ends."""
    owner, viewer = client("owner"), client("viewer")
    assert "Make a class map" not in owner.get("/image/1").text
    run = site.study.folder.parent / "run"
    (run / "fold-00" / "model").mkdir(parents=True)
    about = {"kind": "training run", "study": str(site.study.folder), "classes": ["a", "b"]}
    (run / "run.json").write_text(json.dumps(about))
    card = {"classes": ["a", "b"], "weights_sha256": "f" * 64, "region_rule": {"threshold": 0.3}}
    (run / "fold-00" / "model" / "card.json").write_text(json.dumps(card))
    site.look.results.forget()
    assert "Make a class map" in owner.get("/image/1").text
    assert "Make a class map" not in viewer.get("/image/1").text
    (found,) = site.mapping.runs()
    monkeypatch.setattr(site.fitting.jobs, "start", lambda: None)
    assert viewer.post("/image/1/map", data={"run": found.id}).status_code == 403
    assert owner.post("/image/1/map", data={"run": "../run"}).status_code == 422
    for _ in range(2):  # asked twice, made once
        assert owner.post("/image/1/map", data={"run": found.id}).status_code == 303
    (job,) = site.fitting.jobs.of("map")
    assert job.arguments["image"] == site.study.fields()["image"][1]
    assert owner.get("/image/1/job").json() == {"state": "waiting", "step": ""}
    assert "A class map of this image is being made." in owner.get("/image/1").text
    assert owner.get("/image/2/job").json()["state"] == ""


def test_wells_may_be_coloured_by_verdicts_and_by_calls(site: Site, client: Client) -> None:
    """Verdicts of `assess` on the images, and calls of a run on its test images, mark wells."""
    images, folder = site.study.fields()["image"].tolist(), site.study.folder.parent
    (folder / "verdicts").mkdir()
    about = {"kind": "assessment", "images": str(site.study.root)}
    (folder / "verdicts" / "assessment.json").write_text(json.dumps(about))
    rows = [
        (image, t, "sick" if n < 1 or t < 1 else "healthy")
        for n, image in enumerate(images)
        for t in range(3)
    ]
    verdicts = pd.DataFrame(rows, columns=["image", "t", "verdict"])
    verdicts.to_csv(folder / "verdicts" / "verdicts.csv", index=False)
    (folder / "run" / "evaluation").mkdir(parents=True)
    about = {"kind": "training run", "study": str(site.study.folder), "classes": ["well", "ill"]}
    (folder / "run" / "run.json").write_text(json.dumps(about))
    (folder / "run" / "evaluation" / "results.json").write_text('{"kind": "evaluation"}')
    scores = pd.DataFrame(
        {
            "image": images[:2] * 3,
            "part": ["test"] * 4 + ["train"] * 2,
            "called": [1, 0, 1, -1] * 1 + [0, 0],
        }
    )
    scores.to_parquet(folder / "run" / "evaluation" / "scores.parquet")
    names = site.look.conditions.names()
    (judged,) = (key for key, name in names.items() if name.startswith("verdicts"))
    (called,) = (key for key, name in names.items() if name.startswith("calls"))
    found = site.look.conditions.get(judged)
    assert found is not None
    assert [found.marks[image].text for image in images] == ["sick"] + ["healthy"] * 3
    found = site.look.conditions.get(called)
    assert found is not None
    assert {image: mark.text for image, mark in found.marks.items()} == {
        images[0]: "ill",
        images[1]: "unsure",
    }
    assert "verdicts of verdicts" in client("viewer").get(f"/?colour={judged}").text


def test_a_file_that_changed_after_indexing_is_told(damaged: Site) -> None:
    """A file that is newer than the index is shown, and said to have changed."""
    changed = damaged.study.fields()["image"][2]
    path = damaged.study.path(changed)
    later = path.stat().st_mtime + 3600
    os.utime(path, (later, later))
    health = damaged.look.health.get(30)
    assert health.changed == [changed]
    assert len(health.missing) == len(health.unreadable) == 1
    damaged.close()
