"""To the Hub and back: the card, the push, datasets."""
