"""hf-vft: fine-tune vision models in the right stages, prove them, publish them, watch them."""

__version__ = "0.1.0"
