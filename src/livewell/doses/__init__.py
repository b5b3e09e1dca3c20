"""Wells and doses: non-inferiority, dose response, courses over time."""
