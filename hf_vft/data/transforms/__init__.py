"""Augmentation, mixing and disturbances of images and of their boxes."""
