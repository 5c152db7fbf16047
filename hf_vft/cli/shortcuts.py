"""Options that are short for settings of the recipe that nearly everyone needs."""

from __future__ import annotations


def shortcuts(
    label: str | None, model: str | None = None, metric: str | None = None
) -> dict[str, object]:
    """The settings that ``--label``, ``--model`` and ``--metric`` stand for.

    Args:
        label: ``data.label_column``.
        model: The only one of ``model.candidates``: a Hub id or a folder.
        metric: ``training.metric``.
    """
    changes: dict[str, object] = {}
    if label is not None:
        changes["data.label_column"] = label
    if model is not None:
        changes["model.candidates"] = [model]
    if metric is not None:
        changes["training.metric"] = metric
    return changes
