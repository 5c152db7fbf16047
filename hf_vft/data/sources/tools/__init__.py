"""Readers of what annotation tools write in formats of their own.

Each turns its files into `Drawn` images, which `hf_vft.data.sources.tools.drawn` makes a table of.
"""
