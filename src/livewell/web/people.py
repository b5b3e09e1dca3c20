"""Accounts: who there is, what they may, their passwords, and links that invite."""

import getpass
import secrets
import threading
import time
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from livewell.answers.database import Database
from livewell.answers.tables import ROLES, Invitation, Person
from livewell.errors import SpecError
from livewell.text import printable
from livewell.web.security import end_sign_ins
from livewell.web.sign_ins import hashed

NAME_MOST, PASSWORD_LEAST, PASSWORD_MOST = 60, 10, 1000
"""Characters."""
HOURS = 24 * 7
"""How long an invitation holds where nobody says otherwise."""
HASHER = PasswordHasher()
"""Argon2id as RFC 9106 recommends where memory is short: 64 MiB, three passes."""
_AT_ONCE = threading.BoundedSemaphore(2)
"""Passwords that are hashed at once, so that sign-ins cannot take all memory."""
_UNKNOWN = HASHER.hash(secrets.token_urlsafe(16))
"""What is compared where there is no such account, so that time does not tell."""


@dataclass(frozen=True, slots=True)
class Guest:
    """Who an invitation is for: a role, and a name where the account exists."""

    role: str
    person: int | None
    name: str


class _UsedError(Exception):
    """Undoes what was begun with an invitation that does not hold any more."""


def checked_name(text: str) -> str:
    """A name that people can read, or a `SpecError`."""
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if not 1 <= len(name) <= NAME_MOST or printable(name) != name:
        raise SpecError(
            "this name cannot be used",
            expected=f"1 to {NAME_MOST} visible characters",
            got=printable(name[:NAME_MOST]) or "nothing",
        )
    return name


def checked_password(text: str, name: str) -> str:
    """A password that is not too easy, or a `SpecError`."""
    easy = len(set(text)) < 4 or text.casefold() == name.casefold()
    if not PASSWORD_LEAST <= len(text) <= PASSWORD_MOST or easy:
        raise SpecError(
            "this password is too easy to guess",
            expected=f"at least {PASSWORD_LEAST} characters, not the name and not one repeated",
            remedy="take four words that do not belong together",
        )
    return text


def hash_of(password: str) -> str:
    """What is kept of a password."""
    with _AT_ONCE:
        return HASHER.hash(password.encode("utf-8", "surrogatepass"))


def fits(kept: str | None, password: str) -> bool:
    """Whether this is the password; as much work where there is none."""
    with _AT_ONCE:
        try:
            right = HASHER.verify(kept or _UNKNOWN, password.encode("utf-8", "surrogatepass"))
        except (VerificationError, InvalidHashError):
            return False
    return right and kept is not None


def with_password(database: Database, name: str, password: str) -> Person | None:
    """The person of this name and password; ``None`` for whatever is wrong."""
    with database.session() as session:
        person = _named(session, name)
    right = fits(None if person is None else person.password, password)
    if person is None or not right or person.disabled:
        return None
    if person.password is not None and HASHER.check_needs_rehash(person.password):
        _keep_password(database, person.id, password)
    return person


def people(database: Database) -> list[Person]:
    """Everybody, in the order in which they came."""
    with database.session() as session:
        return list(session.scalars(select(Person).order_by(Person.id)))


def open_invitations(database: Database) -> Sequence[Invitation]:
    """Links that nobody has used yet and that still hold."""
    with database.session() as session:
        return session.scalars(
            select(Invitation)
            .where(Invitation.accepted_by.is_(None), Invitation.expires > time.time())
            .order_by(Invitation.created)
        ).all()


def invite(
    database: Database, by: int, role: str, *, hours: float = HOURS, person: int | None = None
) -> str:
    """A link's token: for a new account, or for a new password of a `person`."""
    if role not in ROLES:
        raise SpecError("no such role", expected=", ".join(ROLES), got=role)
    token, now = secrets.token_urlsafe(32), time.time()
    with database.session() as session:
        if person is not None:
            found = session.get(Person, person)
            if found is None or found.disabled:
                raise SpecError("no such person, or an account that is switched off")
            # an older link for the same person ends
            session.execute(
                update(Invitation)
                .where(Invitation.person_id == person, Invitation.accepted_by.is_(None))
                .values(expires=now)
            )
        session.add(
            Invitation(
                token_sha256=hashed(token),
                role=role,
                person_id=person,
                invited_by=by,
                created=now,
                expires=now + hours * 3600,
            )
        )
    return token


def withdraw(database: Database, token_sha256: str) -> None:
    """End an invitation that nobody has used."""
    with database.session() as session:
        session.execute(
            update(Invitation)
            .where(Invitation.token_sha256 == token_sha256, Invitation.accepted_by.is_(None))
            .values(expires=time.time())
        )


def guest_of(database: Database, token: str) -> Guest | None:
    """Who a link is for; ``None`` where it was used, has expired or never was."""
    with database.session() as session:
        found = _invitation(session, token)
        if found is None:
            return None
        person = session.get(Person, found.person_id) if found.person_id is not None else None
        if found.person_id is not None and (person is None or person.disabled):
            return None
        return Guest(found.role, found.person_id, person.name if person else "")


def accept(database: Database, token: str, name: str, password: str) -> int | None:
    """Make the account of a link, or change its password; the person's number.

    ``None`` where the link does not hold (any more): it makes one account, once.
    """
    guest = guest_of(database, token)
    if guest is None:
        return None
    name = guest.name or checked_name(name)
    kept = hash_of(checked_password(password, name))
    try:
        with database.session() as session:
            found = guest.person
            if found is None:
                found = _new(session, name, guest.role, kept).id
            used = session.execute(
                update(Invitation)
                .where(
                    Invitation.token_sha256 == hashed(token),
                    Invitation.accepted_by.is_(None),
                    Invitation.expires > time.time(),
                )
                .values(accepted_by=found)
                .returning(Invitation.token_sha256)
            ).all()
            if not used:
                raise _UsedError
            if guest.person is not None:
                session.execute(update(Person).where(Person.id == found).values(password=kept))
    except _UsedError:  # by somebody who was faster
        return None
    except IntegrityError as error:
        raise _taken(name) from error
    if guest.person is not None:
        end_sign_ins(database, found)
    return found


def change(
    database: Database,
    by: int,
    person: int,
    *,
    role: str | None = None,
    disabled: bool | None = None,
) -> Person:
    """Give a person another role, switch the account off or on; nobody does so to themselves."""
    if role is not None and role not in ROLES:
        raise SpecError("no such role", expected=", ".join(ROLES), got=role)
    with database.session() as session:
        found = session.get(Person, person)
        if found is None:
            raise SpecError("no such person")
        if person == by:
            raise SpecError(
                "nobody changes their own role or switches off their own account",
                remedy="ask another owner, so that the study always has one",
            )
        found.role = found.role if role is None else role
        found.disabled = found.disabled if disabled is None else disabled
        if found.disabled or found.role != "owner":
            # or links that they made would bring them back
            session.execute(
                update(Invitation)
                .where(Invitation.invited_by == person, Invitation.accepted_by.is_(None))
                .values(expires=time.time())
            )
    if disabled:
        end_sign_ins(database, person)
    return found


def change_password(
    database: Database, person: int, old: str, new: str, *, token: str | None
) -> bool:
    """Whether the old password was right, and now the new one holds; other sign-ins end."""
    with database.session() as session:
        found = session.get_one(Person, person)
    if found.password is not None and not fits(found.password, old):
        return False
    _keep_password(database, person, checked_password(new, found.name))
    end_sign_ins(database, person, but=token)
    return True


def first_owner(database: Database) -> Person | None:
    """The owner who came first and whose account is not switched off."""
    with database.session() as session:
        return session.scalars(
            select(Person)
            .where(Person.role == "owner", ~Person.disabled)
            .order_by(Person.id)
            .limit(1)
        ).first()


def owner_named(database: Database, name: str) -> Person | None:
    """The owner of this name, ``None`` where there is nobody of this name."""
    with database.session() as session:
        found = _named(session, name)
    if found is not None and (found.role != "owner" or found.disabled):
        raise SpecError(
            "this person is no owner, or their account is switched off",
            where=f"--owner {name}",
            remedy="name an owner, or leave --owner out",
        )
    return found


def make_owner(database: Database, name: str, password: str | None = None) -> int:
    """Number of the owner of this name, with this password; made where there is none."""
    name = checked_name(name)
    kept = None if password is None else hash_of(checked_password(password, name))
    found = owner_named(database, name)
    if found is None:
        with suppress(IntegrityError), database.session() as session:
            session.add(Person(name=name, password=kept, role="owner", created=time.time()))
        # also where another visit by the same link was faster
        found = owner_named(database, name)
        assert found is not None  # noqa: S101
    if kept is not None:
        with database.session() as session:
            session.execute(update(Person).where(Person.id == found.id).values(password=kept))
        end_sign_ins(database, found.id)
    return found.id


def user_name() -> str:
    """How the system calls who runs this."""
    try:
        return checked_name(getpass.getuser())
    except (OSError, KeyError, ImportError, SpecError):
        return "owner"


def _new(session: Session, name: str, role: str, password: str | None) -> Person:
    if _named(session, name) is not None:
        raise _taken(name)
    person = Person(name=name, password=password, role=role, created=time.time())
    session.add(person)
    session.flush()
    return person


def _taken(name: str) -> SpecError:
    return SpecError(
        "somebody has this name already", got=name, remedy="take another, such as with a surname"
    )


def _named(session: Session, name: str) -> Person | None:
    """The person of this name, however it is written; names are few."""
    wanted = _folded(name)
    every = session.scalars(select(Person))
    return next((person for person in every if _folded(person.name) == wanted), None)


def _folded(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).split()).casefold()


def _invitation(session: Session, token: str) -> Invitation | None:
    return session.scalar(
        select(Invitation).where(
            Invitation.token_sha256 == hashed(token),
            Invitation.accepted_by.is_(None),
            Invitation.expires > time.time(),
        )
    )


def _keep_password(database: Database, person: int, password: str) -> None:
    kept = hash_of(password)
    with database.session() as session:
        session.execute(update(Person).where(Person.id == person).values(password=kept))
