"""Decides what the recipe left open, and says why."""
