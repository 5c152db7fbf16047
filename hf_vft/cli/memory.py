"""How the commands that run a model use memory."""

from __future__ import annotations


def suit_the_device() -> None:
    """Keep freed memory for the next batch on a CPU: clearing pages took two thirds of the time.

    Not for a server, which lives on with the memory of its largest batch.
    """
    import torch

    from hf_vft.training.allocator import keep_freed_memory

    if not torch.accelerator.is_available():
        keep_freed_memory()
