"""Figures, intervals, calibration and decisions."""
