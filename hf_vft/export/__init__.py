"""A run's model for other runtimes."""
