"""The main job on the checkpoints people bring: every family, from its files to its answers."""
