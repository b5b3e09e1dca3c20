"""Checks of an audit: each asks one question of a study and answers with a `Check`."""
