"""One module per command.

Typer evaluates the annotations of every command before it prints a word. They are therefore read
when a module is imported, without ``from __future__ import annotations``: as strings they would be
compiled anew at each start, which made ``hf-vft --help`` a tenth slower.
"""
