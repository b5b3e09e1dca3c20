"""The schema of every table."""
