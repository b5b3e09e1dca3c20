"""The database of answers: people, annotation tasks, items, showings and answers.

Answers are events: rows of `Answer` are added and never changed or removed, which triggers of the
first migration hold. An answer that was taken back has another event that names it. Times are
seconds since 1970, UTC, so that every database holds them alike.
"""

from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, MetaData, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

ROLES = ("viewer", "expert", "owner")
"""What people may do, each also what those before it may: look; answer; invite, fit, export."""
KINDS = ("sequence", "frame", "patch", "cells")
"""What an item is: a box through several frames, a whole frame, a box of one frame, or a frame in
which cells are marked."""
REASONS = ("random", "shared", "control", "repeat", "uncertain", "fixed")
"""Why an item was shown: by chance; another person answered it and this one had not; its truth is
known; this person answered it before; a model was least sure; the order was given (a quiz)."""
UNSURE = "unsure"


class Base(DeclarativeBase):
    """All tables."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {dict[str, Any]: JSON, list[str]: JSON, list[dict[str, Any]]: JSON}


class Person(Base):
    """Who answers. On one's own machine there is one, without a password."""

    __tablename__ = "people"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    password: Mapped[str | None]
    """By argon2; ``None`` for who signs in by the link that `serve` prints."""
    role: Mapped[str]
    created: Mapped[float]
    disabled: Mapped[bool] = mapped_column(default=False)


class SignIn(Base):
    """One browser of one person."""

    __tablename__ = "sign_ins"
    token_sha256: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), index=True)
    csrf: Mapped[str]
    """What every request that changes something must bring along."""
    created: Mapped[float]
    expires: Mapped[float]


class Invitation(Base):
    """A link that makes one account, or gives one that exists a new password."""

    __tablename__ = "invitations"
    token_sha256: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str]
    person_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    """Whose password it changes; ``None`` for a new account."""
    invited_by: Mapped[int] = mapped_column(ForeignKey("people.id"))
    created: Mapped[float]
    expires: Mapped[float]
    accepted_by: Mapped[int | None] = mapped_column(ForeignKey("people.id"))


class Task(Base):
    """An annotation task: what is asked of which items, and in which order."""

    __tablename__ = "tasks"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    classes: Mapped[list[str]]
    """In the order of their keys; "unsure" is always possible and not among them."""
    settings: Mapped[dict[str, Any]]
    """Of `livewell.answers.settings.TaskSettings`."""
    created: Mapped[float]
    closed: Mapped[bool] = mapped_column(default=False)


class Item(Base):
    """What a person is asked about: a region of the study, through one or several frames."""

    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
    task_id: Mapped[int] = mapped_column(ForeignKey("tasks.id"))
    number: Mapped[int]
    """From 0 within the task."""
    image: Mapped[str]
    t: Mapped[int]
    frames: Mapped[int]
    y0: Mapped[int | None]
    x0: Mapped[int | None]
    y1: Mapped[int | None]
    x1: Mapped[int | None]
    """Corners of the box in pixels, half-open; all ``None`` for a whole frame."""
    height: Mapped[int | None]
    width: Mapped[int | None]
    """Of the image, pixels: marks lie within."""
    truth: Mapped[str | None]
    """Class that is known: of controls, and of quizzes."""
    part: Mapped[str | None]
    """Of quizzes: before, study, after."""
    uncertainty: Mapped[float | None]
    """Entropy of a model's probabilities in bits, the higher the less sure it is."""
    uncertain_by: Mapped[str | None]
    """Name of the run that said so."""

    @property
    def name(self) -> str:
        """Image, first frame and corner of the box: one name, one region of a task."""
        corner = "" if self.y0 is None else f":{self.y0}:{self.x0}"
        return f"{self.image}:{self.t}{corner}"

    __table_args__ = (UniqueConstraint("task_id", "number"),)


class Showing(Base):
    """An item dealt to a person, once or, as a hidden repeat, again."""

    __tablename__ = "showings"
    id: Mapped[str] = mapped_column(primary_key=True)
    """Random: what the page knows of the item, so that nothing can be guessed."""
    task_id: Mapped[int] = mapped_column(ForeignKey("tasks.id"))
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    item_id: Mapped[int] = mapped_column(ForeignKey("items.id"), index=True)
    round: Mapped[int]
    """0; 1, 2, ... of repeats."""
    number: Mapped[int]
    """From 0 within the task and person: the order in which they were dealt."""
    reason: Mapped[str]
    created: Mapped[float]
    __table_args__ = (
        UniqueConstraint("task_id", "person_id", "number"),
        UniqueConstraint("person_id", "item_id", "round"),
    )


class Answer(Base):
    """One event: an answer, or that an earlier one is taken back. Never changed, never removed."""

    __tablename__ = "answers"
    id: Mapped[str] = mapped_column(primary_key=True)
    """Of the page that sent it, so that one sent twice is kept once."""
    showing_id: Mapped[str] = mapped_column(ForeignKey("showings.id"), index=True)
    undoes: Mapped[str | None] = mapped_column(ForeignKey("answers.id"), unique=True)
    answer: Mapped[str | None]
    """A class or "unsure"; of cells "done"; ``None`` where an answer is taken back."""
    marks: Mapped[list[dict[str, Any]] | None]
    """Of cells: {"class", "y", "x"} of points, and "y1", "x1" of boxes, in pixels of the image."""
    note: Mapped[str] = mapped_column(default="")
    tags: Mapped[list[str]]
    death_t: Mapped[int | None]
    """Frame of the image in which a cell dies, where somebody marked it."""
    seconds: Mapped[float]
    """From when the item was seen until the answer."""
    created: Mapped[float]
    version: Mapped[str]
    """Of livewell."""


class Job(Base):
    """Work that goes on beside the pages, such as fitting a model."""

    __tablename__ = "jobs"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    arguments: Mapped[dict[str, Any]]
    state: Mapped[str]
    """waiting, running, done, failed."""
    step: Mapped[str] = mapped_column(default="")
    """What it does, or what went wrong, in words."""
    result: Mapped[dict[str, Any] | None]
    asked_by: Mapped[int] = mapped_column(ForeignKey("people.id"))
    created: Mapped[float]
    started: Mapped[float | None]
    ended: Mapped[float | None]


Index(None, Showing.task_id, Showing.person_id)
