"""Answers as files, out of files, and as labels of the study, through the pages."""

import io
import uuid
import zipfile
from collections.abc import Callable

import pandas as pd
import pytest
from starlette.testclient import TestClient

from livewell.web.site import Site
from tests.web.test_annotate import give, make_task, waiting

Client = Callable[..., TestClient]


def answered(site: Site, client: Client, number: int = 8) -> int:
    """A task in which Ada and Bob answered the same items: healthy, sick, and so on."""
    task = make_task(site, shared_every=1, repeats=0)
    for name in ("Ada", "Bob"):
        person = client("expert", name)
        for n in range(number):
            showing = waiting(person, task, 1)[0]["showing"]
            item = site.answers.showing(showing, person.person_id)[1]  # type: ignore
            answer = "healthy" if (item.number + n // 7) % 2 else "sick"
            assert give(person, task, showing, answer, note="a, b").status_code == 200
    return task


def test_files_hold_every_answer(site: Site, client: Client) -> None:
    """CSV and Parquet are the table of answers; zips for QuPath and Fiji have a file an image."""
    task, owner = answered(site, client), client("owner")
    table = site.answers.answers(task)
    assert len(table) == 16
    csv = owner.get(f"/exports/{task}/answers/csv")
    assert "attachment" in csv.headers["content-disposition"]
    read = pd.read_csv(io.BytesIO(csv.content))
    assert read["answer"].tolist() == table["answer"].tolist()
    parquet = pd.read_parquet(io.BytesIO(owner.get(f"/exports/{task}/answers/parquet").content))
    assert parquet["answer_id"].tolist() == table["answer_id"].tolist()
    for form in ("geojson", "roi"):
        response = owner.get(f"/exports/{task}/answers/{form}")
        with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
            assert len(archive.namelist()) == table["image"].nunique()
    assert owner.get(f"/exports/{task}/answers/exe").status_code == 422


@pytest.mark.long
def test_a_file_comes_back(site: Site, client: Client) -> None:
    """A file that was downloaded may be added again: nothing is doubled, and what is no such file
    is refused in words."""
    task, owner = answered(site, client, 4), client("owner")
    for form in ("csv", "parquet", "geojson", "roi"):
        response = owner.get(f"/exports/{task}/answers/{form}")
        name = response.headers["content-disposition"].partition('filename="')[2].partition('"')[0]
        sent = owner.post(f"/answers/import/{task}", files={"file": (name, response.content)})
        assert "0 answers" in sent.text, form
        assert "8 were there already" in sent.text, form
        wrong = owner.post(f"/answers/import/{task}", files={"file": (name, b"nothing of it")})
        assert wrong.status_code == 422, form
        assert "What to do" in wrong.text, form
    assert len(site.answers.answers(task)) == 8


def test_labels_are_made_of_answers(site: Site, client: Client) -> None:
    """Items on which both agree become labels of the study, with the rule in their description."""
    task, owner = answered(site, client), client("owner")
    made = owner.post(f"/exports/{task}/labels", data={"name": "both", "least": "2"})
    assert made.status_code == 200, made.text
    assert "were made" in made.text
    labels, table = site.study.labels("both"), site.answers.answers(task)
    answers = table.groupby("item")["answer"].agg(["nunique", "count"])
    alike = answers[(answers["nunique"] == 1) & (answers["count"] == 2)]
    assert len(labels.drop_duplicates(["image", "y0", "x0"])) == len(alike)
    assert site.study.label_meta("both").settings["rule"] == "unanimous"
    again = owner.post(f"/exports/{task}/labels", data={"name": "../both"})
    assert again.status_code == 422
    assert owner.post(f"/exports/{task}/labels", data={"name": "a", "rule": "x"}).status_code == 422


def test_exports_are_for_owners(site: Site, client: Client) -> None:
    """Who answers blind cannot fetch what tells names, nor add answers, nor make labels."""
    task, expert = answered(site, client, 1), client("expert")
    assert expert.get(f"/exports/{task}").status_code == 403
    assert expert.get(f"/exports/{task}/answers/csv").status_code == 403
    assert expert.post(f"/exports/{task}/labels", data={"name": "a"}).status_code == 403
    files = {"file": ("a.csv", b"item")}
    assert expert.post(f"/answers/import/{task}", files=files).status_code == 403
    assert client("owner").get("/exports/99").status_code == 404


def test_answers_that_were_taken_back_are_a_file(site: Site, client: Client) -> None:
    """Two answers to one item, the first taken back, stand in the file of all; added again, only
    the one that stands counts."""
    task, owner = make_task(site, repeats=0), client("owner")
    ada = client("expert", "Ada")
    showing = waiting(ada, task, 1)[0]["showing"]
    for answer in ("healthy", "sick"):
        given = give(ada, task, showing, answer)
        if answer == "healthy":
            undo = {"id": str(uuid.uuid4()), "showing": showing, "undoes": given.json()["saved"]}
            assert ada.post(f"/annotate/{task}/answers", json=undo).status_code == 200
    for form, read in (("csv", pd.read_csv), ("parquet", pd.read_parquet)):
        response = owner.get(f"/exports/{task}/answers/{form}?withdrawn=true")
        table = read(io.BytesIO(response.content))
        assert table[["answer", "withdrawn"]].to_numpy().tolist() == [
            ["healthy", True],
            ["sick", False],
        ]
        files = {"file": (f"all.{form}", response.content)}
        assert "1 were there already" in owner.post(f"/answers/import/{task}", files=files).text
