"""Checks of a data set before training: counts, duplicates, labels, outliers."""
