"""Detections against boxes: matching, precision and recall, FROC."""
