"""hf-vft: fine-tune vision models in the right stages, prove them, publish them, watch them.

``from hf_vft import VisionTrainer`` imports what it needs when the name is asked for, so
``import hf_vft`` and ``hf-vft --help`` load no deep-learning library.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hf_vft.api import audit, evaluate, fit, monitor, predict, push
    from hf_vft.data.dataset import VisionDataset
    from hf_vft.data.load import ImageData, load_data
    from hf_vft.errors import VftError
    from hf_vft.evaluation.results import EvalReport
    from hf_vft.recipe.schema import DataConfig, Recipe, load_recipe
    from hf_vft.records import ProductionLog
    from hf_vft.run import RunDirectory
    from hf_vft.serving.launch import serve
    from hf_vft.training.trainer import VisionTrainer
    from hf_vft.training.training_arguments import VisionTrainingArguments
    from hf_vft.workflows.add_class import add_class
    from hf_vft.workflows.answer_images import answer_images
    from hf_vft.workflows.choose_threshold import choose_threshold
    from hf_vft.workflows.compare import compare_runs
    from hf_vft.workflows.retrain import retrain
    from hf_vft.workflows.score_images import observe

from hf_vft._version import __version__

__all__ = [
    "DataConfig",
    "EvalReport",
    "ImageData",
    "ProductionLog",
    "Recipe",
    "RunDirectory",
    "VftError",
    "VisionDataset",
    "VisionTrainer",
    "VisionTrainingArguments",
    "__version__",
    "add_class",
    "answer_images",
    "audit",
    "choose_threshold",
    "compare_runs",
    "evaluate",
    "fit",
    "load_data",
    "load_recipe",
    "monitor",
    "observe",
    "predict",
    "push",
    "retrain",
    "serve",
]

_MODULES = {
    "DataConfig": "hf_vft.recipe.schema",
    "EvalReport": "hf_vft.evaluation.results",
    "ImageData": "hf_vft.data.load",
    "ProductionLog": "hf_vft.records",
    "Recipe": "hf_vft.recipe.schema",
    "RunDirectory": "hf_vft.run",
    "VftError": "hf_vft.errors",
    "VisionDataset": "hf_vft.data.dataset",
    "VisionTrainer": "hf_vft.training.trainer",
    "VisionTrainingArguments": "hf_vft.training.training_arguments",
    "add_class": "hf_vft.workflows.add_class",
    "answer_images": "hf_vft.workflows.answer_images",
    "audit": "hf_vft.api",
    "choose_threshold": "hf_vft.workflows.choose_threshold",
    "compare_runs": "hf_vft.workflows.compare",
    "evaluate": "hf_vft.api",
    "fit": "hf_vft.api",
    "load_data": "hf_vft.data.load",
    "load_recipe": "hf_vft.recipe.schema",
    "monitor": "hf_vft.api",
    "observe": "hf_vft.workflows.score_images",
    "predict": "hf_vft.api",
    "push": "hf_vft.api",
    "retrain": "hf_vft.workflows.retrain",
    "serve": "hf_vft.serving.launch",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
