"""Groups, folds, leaks, duplicates and confounders."""
