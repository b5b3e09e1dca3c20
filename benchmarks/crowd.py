"""Many people who annotate at once, on a real server in a process of its own."""

import asyncio
import os
import secrets
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import numpy as np
import pandas as pd
import tifffile

from livewell.answers.database import Database
from livewell.answers.items import ItemChoice, make_task
from livewell.answers.settings import TaskSettings
from livewell.answers.store import AnswerStore
from livewell.answers.tables import Person, SignIn
from livewell.study.study import Study
from livewell.web.sign_ins import hashed
from livewell.workflows.index import index

CLASSES = ("healthy", "sick")
AHEAD = 3
"""Items that a page has ready, with their pixels."""
START_S = 120.0
_NO_CERTIFICATES = ssl.create_default_context()
"""One for all: reading those of the system takes long, and nothing here is encrypted."""
GONE = (httpx.TransportError, httpx.StreamError)


@dataclass(frozen=True, slots=True)
class Annotator:
    """A person who is signed in: number, cookie, what forged requests lack."""

    person: int
    token: str
    csrf: str


@dataclass
class Tally:
    """What was sent and confirmed, and how long it took, seconds."""

    sent: dict[str, str] = field(default_factory=dict)
    """Answers by name."""
    confirmed: set[str] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)
    answer_s: list[float] = field(default_factory=list)
    """From sending an answer until it was confirmed as durable."""
    pixels_s: list[float] = field(default_factory=list)
    """From asking for the frames of an item until they were all there."""
    felt_s: list[float] = field(default_factory=list)
    """From a person's key until the next item and its frames were there."""


def movies(folder: Path, wells: int = 24, frames: int = 20, edge: int = 768) -> Study:
    """A study of 16-bit TIFF movies with the texture of cells everywhere."""
    images = folder / "images"
    images.mkdir(parents=True)
    for well in range(wells):
        rng = np.random.default_rng(well)
        pixels = rng.normal(1000, 60, (frames, edge, edge)).astype(np.uint16)
        name = f"{'ABCD'[well // 6]}{well % 6 + 1:02}.tif"
        tifffile.imwrite(images / name, pixels, photometric="minisblack", metadata={"axes": "TYX"})
    return index(images, folder / "study").study


def crowd(
    study: Study, url: str | None, people: int, items: int, settings: TaskSettings
) -> list[Annotator]:
    """A task of ten-frame sequences of 256 px, number 1, and so many people who are signed in."""
    database = Database.of_study(study.folder, url)
    store = AnswerStore(database)
    choice = ItemChoice(kind="sequence", count=items, occupied=False)
    make_task(study, store, "crowd", CLASSES, choice, settings)
    with database.session() as session:
        persons = [Person(name=f"p{n}", role="expert", created=0.0) for n in range(people)]
        session.add_all(persons)
        session.flush()
        found = [
            Annotator(each.id, secrets.token_urlsafe(32), secrets.token_urlsafe(32))
            for each in persons
        ]
        session.add_all(
            SignIn(
                token_sha256=hashed(each.token),
                person_id=each.person,
                csrf=each.csrf,
                created=0.0,
                expires=time.time() + 86400,
            )
            for each in found
        )
    store.close()
    database.close()
    return found


def kept(study: Study, url: str | None) -> pd.DataFrame:
    """All answers of the task in the database, after the server has ended."""
    database = Database.of_study(study.folder, url)
    table = AnswerStore(database).events(1)
    database.close()
    return table


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(
    study: Study, port: int, url: str | None, environment: Mapping[str, str] | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """`livewell serve` in a process of its own, which is killed in the end."""
    words = ["-m", "livewell", "serve", str(study.folder), "--no-browser", "--port", str(port)]
    more = ["--database", url] if url else []
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, *words, *more],
        env={**os.environ, **(environment or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(process, port)
        yield process
    finally:
        process.kill()
        process.wait()


def _wait(process: "subprocess.Popen[bytes]", port: int) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        try:
            httpx.get(f"http://127.0.0.1:{port}/sign-in", timeout=START_S)
            return
        except httpx.TransportError:
            if process.poll() is not None:
                raise RuntimeError(f"the server ended with code {process.returncode}") from None
            time.sleep(0.05)
    raise RuntimeError("the server did not start")


def slow_disk(folder: Path, delay_ms: int, *, writes: bool = False) -> dict[str, str] | None:
    """Environment in which every flush takes so long, if `writes` every write; ``None``: no gcc."""
    gcc = shutil.which("gcc")
    if gcc is None or sys.platform != "linux":
        return None
    library = folder / "slow_disk.so"
    source = Path(__file__).with_name("slow_disk.c")
    words: list[str | Path] = [gcc, "-shared", "-fPIC", "-o", library, source, "-ldl"]
    subprocess.run(words, check=True)  # noqa: S603
    more = {"DELAY_WRITES": "1"} if writes else {}
    return {"LD_PRELOAD": str(library), "DELAY_MS": str(delay_ms), **more}


class Page:
    """What the page of one person does: fetch ahead, answer, send answers until confirmed."""

    def __init__(self, annotator: Annotator, port: int, tally: Tally) -> None:
        self.tally = tally
        self.client = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}",
            cookies={f"livewell-{port}": annotator.token},
            headers={"x-csrf-token": annotator.csrf},
            timeout=900,  # with a slow disk answers are confirmed late
            verify=_NO_CERTIFICATES,
        )
        self.rng = np.random.default_rng(annotator.person)

    async def next(self, count: int) -> list[str]:
        """Names of the next items."""
        response = await self.client.get(f"/annotate/1/next?count={count}")
        response.raise_for_status()
        return [each["showing"] for each in response.json()["items"]]

    async def pixels(self, showing: str) -> int:
        """Fetch the frames of an item; their bytes."""
        began = time.monotonic()
        response = await self.client.get(f"/showings/{showing}/pixels")
        response.raise_for_status()
        self.tally.pixels_s.append(time.monotonic() - began)
        return len(response.content)

    def answer(self, showing: str) -> dict[str, Any]:
        """An answer to an item."""
        said = str(self.rng.choice(CLASSES))
        body: dict[str, Any] = {
            "id": str(uuid4()),
            "showing": showing,
            "answer": said,
            "seconds": 1.0,
        }
        self.tally.sent[body["id"]] = said
        return body

    async def send(self, body: dict[str, Any]) -> bool:
        """Send an answer; whether it was confirmed."""
        began = time.monotonic()
        response = await self.client.post("/annotate/1/answers", json=body)
        if response.status_code == 200:
            self.tally.answer_s.append(time.monotonic() - began)
            self.tally.confirmed.add(body["id"])
            return True
        self.tally.refused.append(f"{response.status_code}: {response.text[:200]}")
        return False


async def _at_once(page: Page, answers: int, unsure: list[dict[str, Any]]) -> None:
    """One answer after the other, each as soon as the one before is confirmed."""
    try:
        async with page.client:
            while unsure:
                await page.send(unsure[0])
                unsure.pop()
            waiting: list[str] = []
            for _ in range(answers):
                waiting = waiting or await page.next(10)
                if not waiting:
                    return
                unsure.append(page.answer(waiting.pop(0)))
                await page.send(unsure[0])
                unsure.pop()
    except GONE:
        return  # the server was killed; what was under way is sent again


def at_once(
    annotators: list[Annotator],
    port: int,
    answers: int,
    tally: Tally,
    unsure: dict[int, list[dict[str, Any]]] | None = None,
) -> float:
    """Everybody answers as fast as replies come; how many seconds it took.

    `unsure` are answers to be sent again first, by person.
    """
    again = {} if unsure is None else unsure

    async def run() -> None:
        pages = [Page(each, port, tally) for each in annotators]
        work = [
            _at_once(page, answers, again.setdefault(each.person, []))
            for page, each in zip(pages, annotators, strict=True)
        ]
        await asyncio.gather(*work)

    began = time.monotonic()
    asyncio.run(run())
    return time.monotonic() - began


def killed(
    server: "subprocess.Popen[bytes]",
    annotators: list[Annotator],
    port: int,
    more: int,
    tally: Tally,
    unsure: dict[int, list[dict[str, Any]]],
) -> None:
    """As `at_once`, until the server is killed (-9) when so many more answers are confirmed."""
    goal, end = len(tally.confirmed) + more, time.monotonic() + START_S

    def watch() -> None:
        while len(tally.confirmed) < goal and time.monotonic() < end:
            time.sleep(0.002)
        server.kill()

    watcher = threading.Thread(target=watch)
    watcher.start()
    at_once(annotators, port, 1_000_000, tally, unsure)
    watcher.join()


async def _paced(page: Page, every_s: float, seconds: float) -> None:
    """As people do: look, press a key, see the next item; the page fetches and sends meanwhile."""
    async with page.client, asyncio.TaskGroup() as group:
        ready: asyncio.Queue[str] = asyncio.Queue()
        seen: set[str] = set()
        filling = asyncio.Lock()

        async def fill() -> None:
            async with filling:
                while ready.qsize() < AHEAD:
                    fresh = [s for s in await page.next(AHEAD + 3) if s not in seen]
                    if not fresh:
                        return
                    seen.add(fresh[0])
                    await page.pixels(fresh[0])
                    ready.put_nowait(fresh[0])

        await asyncio.sleep(page.rng.uniform(0, every_s))
        await fill()
        end = time.monotonic() + seconds
        showing = await ready.get()
        while time.monotonic() < end:
            await asyncio.sleep(page.rng.uniform(0.5, 1.5) * every_s)
            began = time.monotonic()
            group.create_task(page.send(page.answer(showing)))
            group.create_task(fill())
            showing = await ready.get()
            page.tally.felt_s.append(time.monotonic() - began)


def paced(
    annotators: list[Annotator], port: int, every_s: float, seconds: float, tally: Tally
) -> float:
    """Everybody answers every so many seconds on average, for so long; how long it all took."""

    async def run() -> None:
        await asyncio.gather(*(_paced(Page(e, port, tally), every_s, seconds) for e in annotators))

    began = time.monotonic()
    asyncio.run(run())
    return time.monotonic() - began


def lost_and_doubled(tally: Tally, events: pd.DataFrame) -> tuple[int, int]:
    """How many confirmed answers are not in the database as sent, and how many are there twice.

    Or are there though nobody sent them, or stand beside another answer to the same showing.
    """
    given = dict(zip(events["answer_id"], events["answer"], strict=True))
    lost = sum(given.get(name) != tally.sent[name] for name in tally.confirmed)
    twice = int(events["answer_id"].duplicated().sum())
    twice += int(events.duplicated(["person", "item", "round"]).sum()) + len(
        set(given) - set(tally.sent)
    )
    return lost, twice
