"""Scores by a trained net: it yields, and writes nothing."""
