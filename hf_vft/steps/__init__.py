"""What the pipelines are made of: reading pictures, proving a model, saving a run."""
