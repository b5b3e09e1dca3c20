"""Who is signed in, by the token that their browser sends with every request."""

import hashlib
import time
from dataclasses import dataclass

from sqlalchemy import select
from starlette.concurrency import run_in_threadpool

from livewell.answers.database import Database
from livewell.answers.tables import ROLES, Person, SignIn

KNOWN_S, KNOWN = 30.0, 10_000
"""So long, and at most so many, sign-ins are remembered before the database is asked again."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who asks: number, name, role, and what forged requests lack."""

    id: int
    name: str
    role: str
    csrf: str

    def may(self, role: str) -> bool:
        """Whether they have this role or one above it."""
        return ROLES.index(self.role) >= ROLES.index(role)


def hashed(token: str) -> str:
    """What is kept of a token, so that who reads the database cannot sign in."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


class SignIns:
    """Who has which token, read from the database once: every request asks.

    Forgotten when this process changes the database, and after `KNOWN_S`, for an administrator may
    change it by other means.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, tuple[int, float, SignedIn]] = {}

    async def of(self, token: str) -> SignedIn | None:
        """Who has this token; ``None`` where nobody has, or it is too old."""
        name = hashed(token)
        changed, until, person = self._known.get(name, (-1, 0.0, None))
        if changed == self._database.changed and time.time() < until:
            return person
        return await run_in_threadpool(self._read, name)

    def _read(self, name: str) -> SignedIn | None:
        changed, now = self._database.changed, time.time()
        with self._database.session() as session:
            row = session.execute(
                select(Person, SignIn)
                .join(SignIn, SignIn.person_id == Person.id)
                .where(SignIn.token_sha256 == name, SignIn.expires > now)
            ).first()
        if row is None or row[0].disabled:
            return None
        person = SignedIn(row[0].id, row[0].name, row[0].role, row[1].csrf)
        if len(self._known) >= KNOWN:
            self._known.clear()
        self._known[name] = changed, min(now + KNOWN_S, row[1].expires), person
        return person
