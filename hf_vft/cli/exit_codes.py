"""What the exit status of `hf-vft` says; 2, for wrong usage, is typer's own."""

from __future__ import annotations

ERROR = 1
"""Something was wrong, and a line says what."""

DECISION = 3
"""Nothing was wrong, but somebody has to look: an alert of `monitor`, a champion that stays."""

INTERRUPTED = 130
"""By Ctrl-C."""
