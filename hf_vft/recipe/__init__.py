"""The recipe: every setting of a run, its units, its errors, and how it is edited."""
