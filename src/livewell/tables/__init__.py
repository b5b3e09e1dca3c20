"""The schema of every table and of every metadata file."""
