"""What Alembic runs to bring the database of a given connection to this version's tables."""

from alembic import context

from livewell.answers.tables import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
context.run_migrations()
