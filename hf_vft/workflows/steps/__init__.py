"""The steps that workflows share: reading images, held-out scores, saving a run."""
