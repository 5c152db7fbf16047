"""Whether production is still what the model was trained for, and what to do if not."""
