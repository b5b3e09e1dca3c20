"""How the database of answers came to have its tables, one file a change (Alembic)."""
