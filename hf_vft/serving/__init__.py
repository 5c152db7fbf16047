"""Answers of a finished run."""
