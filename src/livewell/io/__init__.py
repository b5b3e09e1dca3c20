"""Edges: image files, study folders, model files, videos, maps."""
