"""Pictures in: sources, splits, checks, transforms."""
