"""Accounts: who there is, what they may, their passwords, and invitations."""

import time

from sqlalchemy import select

from livewell.answers.tables import Person
from livewell.web.site import Site


def owner_of(site: Site) -> int:
    """Number of the person who has the site on their own machine, made where there is none."""
    with site.database.session() as session:
        person = session.scalar(select(Person).where(Person.name == site.owner))
        if person is None:
            person = Person(name=site.owner, password=None, role="owner", created=time.time())
            session.add(person)
            session.flush()
        return person.id
