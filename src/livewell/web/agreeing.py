"""How far people agree who answered a task, made anew at most once a minute.

Owners see every name. Others see their own; the others stand as "person 1", "person 2", in an order
that tells nothing: who knows what a named colleague says begins to say the same, and then answers
are no longer independent, which all figures of agreement need. It is also nobody's business but
theirs how often somebody changes their mind.
"""

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

import pandas as pd

from livewell.answers.settings import TaskSettings
from livewell.answers.tables import Task
from livewell.errors import LivewellError
from livewell.text import plural
from livewell.web.quizzing import is_quiz
from livewell.web.refusals import words_of
from livewell.web.sign_ins import SignedIn
from livewell.web.site import Site

if TYPE_CHECKING:
    from livewell.report.agreement import AgreementResults

KEPT_S = 60
"""How long what was made is shown, though answers have come."""
MOST_KEPT = 64


@dataclass(frozen=True, slots=True)
class Agreed:
    """The page of agreement (`html`, whole in itself), and sentences on who asks."""

    own: str
    answers: int
    html: str


class AgreementPages:
    """Pages of agreement of a site, kept for a while.

    One is made at a time, by `pool`: many who wait for theirs keep no thread from answers.
    """

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(1, "livewell-agreement")
        self._lock = Lock()
        self._kept: dict[tuple[int, int | None], tuple[float, Agreed | str]] = {}

    def close(self) -> None:
        """Make no more."""
        self.pool.shutdown(wait=False, cancel_futures=True)

    def get(self, site: Site, task: Task, person: SignedIn) -> Agreed | str:
        """The page for who asks; in words why there is none."""
        if is_quiz(task) and not person.may("owner"):
            return "Of a quiz only its owner sees this: it tells who was right."
        key = (task.id, None if person.may("owner") else person.id)
        with self._lock:
            made = self._kept.get(key)
            if made is None or time.monotonic() - made[0] > KEPT_S:
                while len(self._kept) >= MOST_KEPT:
                    self._kept.pop(next(iter(self._kept)))
                made = (time.monotonic(), _agreed(site, task, person))
                self._kept[key] = made
            return made[1]


def _agreed(site: Site, task: Task, person: SignedIn) -> Agreed | str:
    # figures and statistics take seconds to load, which no server should wait for as it starts
    from livewell.report.agreement import agreement_page
    from livewell.report.page import render
    from livewell.workflows.agreement import agreement_results

    table = site.answers.answers(task.id)
    if table.empty:
        return "Nobody has answered anything yet."
    if not person.may("owner"):
        table = nameless(table, person.name)
    if person.role == "expert" and not task.closed:
        # or looking here after each answer would tell which are controls
        table = table.assign(truth=None)
    settings = TaskSettings.model_validate(task.settings)
    try:
        results = agreement_results(
            table,
            task.classes,
            study=site.catalogue.study(),
            title=task.name,
            stopped=settings.stop_at is not None,
        )
    except LivewellError as error:
        return words_of(error, site, person)
    return Agreed(
        own=_own(results, person.name),
        answers=len(table),
        html=render(agreement_page(results)),
    )


def nameless(table: pd.DataFrame, own: str) -> pd.DataFrame:
    """Answers with the names of all but one person taken away, and what they wrote."""
    task = str(table["task"].iloc[0])
    others = sorted(
        (str(name) for name in table["person"].unique() if name != own),
        key=lambda name: hashlib.sha256(f"{task}/{name}".encode()).digest(),
    )
    names = {name: f"person {n}" for n, name in enumerate(others, start=1)}
    return table.assign(person=table["person"].astype("str").replace(names), note="")


def _own(results: "AgreementResults", name: str) -> str:
    """What is to be said of one person, in sentences; empty where they have not answered."""
    people = results.crew.people
    mine = people[people["person"] == name]
    if mine.empty:
        return ""
    row = mine.iloc[0]
    said = [
        f"You have answered {plural(int(row['answers']), results.item)}, {row['unsure']:,} of them"
        " with unsure; hidden repeats are counted apart."
    ]
    if pd.notna(row["median_s"]):
        said.append(f"Half of them took you less than {row['median_s']:.1f} s.")
    for column, count, what in (
        ("same", "repeats", "Shown the same again without knowing, you said the same"),
        ("right", "controls", "Of those whose class is known you were right on"),
        ("agrees", "compared", "You agree with most others on"),
    ):
        if row[count]:
            low, high = row[f"{column}_low"], row[f"{column}_high"]
            ends = f" (95% interval {low:.0%} to {high:.0%})" if pd.notna(low) else ""
            said.append(f"{what} {row[column]:.0%} of {row[count]:,}{ends}.")
    return " ".join(said)
