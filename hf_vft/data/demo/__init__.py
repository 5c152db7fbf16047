"""The synthetic production line that the demo commands draw."""
