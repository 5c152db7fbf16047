"""Memory around a training."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from hf_vft.training.allocator import only_new_garbage
from tests.training.test_stages import run


class Cycle:
    """Garbage that only the collector finds."""

    def __init__(self) -> None:
        self.itself = self


def test_old_objects_are_left_alone_and_new_garbage_is_found():
    old = Cycle()
    seen_old = weakref.ref(old)
    with only_new_garbage():
        del old
        seen_new = weakref.ref(Cycle())
        gc.collect()
        assert seen_new() is None
        assert seen_old() is not None
    gc.collect()
    assert seen_old() is None


def test_a_stage_trains_without_searching_what_was_imported(tmp_path: Path):
    frozen: list[int] = []

    class Look(TrainerCallback):
        def on_epoch_begin(self, *_: Any, **__: Any) -> None:
            frozen.append(gc.get_freeze_count())

    before = gc.get_freeze_count()
    run(tmp_path, Look())
    assert all(count > before + 100_000 for count in frozen)
    assert frozen
    assert gc.get_freeze_count() <= before
