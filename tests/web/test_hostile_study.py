"""A study whose file names, plates, wells, classes, tags and notes hold script is only text."""

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import tifffile
from starlette.testclient import TestClient

from livewell.answers.settings import TaskSettings
from livewell.answers.store import NewAnswer
from livewell.study.study import Study
from livewell.web.site import Site
from livewell.workflows.index import index

if TYPE_CHECKING:
    from playwright.sync_api import Page

Client = Callable[..., TestClient]
SCRIPT = '"><img src=x onerror=alert(1)><svg onload=alert(2)>'
ENDS = "</script><script>alert(3)</script>{{7*7}}"
NAMES = (f"{SCRIPT.replace('/', '')}.tif", "';DROP TABLE items;--.tif", "a b&amp;%2e%00#?.tif")


@pytest.fixture
def own_study(tmp_path: Path) -> Study:
    """A study of three small images with hostile names, plates, wells and treatments."""
    folder, rng = tmp_path / "images", np.random.default_rng(0)
    folder.mkdir()
    rows = []
    for number, name in enumerate(NAMES):
        tifffile.imwrite(folder / name, rng.integers(100, 4000, (64, 64), np.uint16))
        rows.append({"image": name, "plate": f"p{ENDS}", "well": f"A0{number + 1}"})
    table = pd.DataFrame(rows).assign(treatment=SCRIPT, **{f"note{SCRIPT}": ENDS})
    table.to_csv(tmp_path / "plate.csv", index=False)
    return index(folder, tmp_path / "study", metadata=tmp_path / "plate.csv").study


@pytest.fixture
def pages(served: Site) -> list[str]:
    """Addresses of all pages of that study, with a task and an answer in which all is hostile."""
    items = pd.DataFrame({"image": served.study.fields()["image"], "t": 0, "frames": 1}).assign(
        y0=0, x0=0, y1=64, x1=64, truth=None, part=None
    )
    task = served.answers.make_task(
        f"task {SCRIPT}", "patch", (SCRIPT, ENDS), items, TaskSettings(tags=(SCRIPT, ENDS))
    )
    shown = served.answers.next_showings(task, 1, 1)[0][0].id
    answer = NewAnswer(secrets.token_hex(16), shown, SCRIPT, note=ENDS + SCRIPT, tags=(SCRIPT,))
    served.answers.add(1, answer).result(30)
    images = [f"/image/{number}" for number in range(len(NAMES))]
    lists = ["/", "/?view=list", "/annotate", "/tasks/new", "/agreement", "/reports", "/people"]
    more = [f"/{kind}/{task}" for kind in ("annotate", "tasks", "agreement", "exports", "fit")]
    return [*lists, *more, *images]


@pytest.mark.long
def test_nothing_of_a_hostile_study_runs(signed_in: "Page", served: Site, pages: list[str]) -> None:
    """In a real browser no page runs what names hold, and no policy has to stop it."""
    asked: list[str] = []
    signed_in.on("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    seen = shown = 0
    for path in pages:
        answer = signed_in.goto(served.address + path)
        assert answer is not None
        assert answer.status < 500, path
        seen += answer.ok
        signed_in.wait_for_timeout(50)
        assert asked == [], path
        assert signed_in.locator("img[src='x'], svg[onload], [onerror]").count() == 0, path
        shown += "onerror=alert(1)" in signed_in.content()
        assert "49" not in signed_in.title()
    assert seen >= len(pages) - 2
    assert shown >= 3
