"""How far a result can be trusted: splits, leaks, figures, intervals, calibration, decisions."""
