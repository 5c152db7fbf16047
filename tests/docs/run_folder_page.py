"""docs/reference/run-folder.md, from hf_vft/run.py and the models of its JSON files."""

from __future__ import annotations

from inspect import cleandoc
from pathlib import Path

from hf_vft.evaluation.leaderboard import Leaderboard
from hf_vft.evaluation.results import EvalReport, SplitResult
from hf_vft.evaluation.robustness import Robustness
from hf_vft.monitoring.decision import Decision
from hf_vft.run import RunDirectory
from hf_vft.workflows.add_class import Added
from hf_vft.workflows.retrain import Retrained
from tests.docs.markdown import cell, fields_table

HEAD = """# Run folder

`hf-vft fit --out run` writes it. Every file is written atomically: a reader, or a run that is
resumed after `kill -9`, sees a file whole or not at all. `hf_vft.RunDirectory` knows all of
these names.

| Path | Holds | In Python |
| --- | --- | --- |"""

MODELS = {
    "metrics.json": EvalReport,
    "A split in metrics.json": SplitResult,
    "leaderboard.json": Leaderboard,
    "robustness.json": Robustness,
    "comparison.json": Retrained,
    "comparison.json of add-class": Added,
    "verdict.json of the monitor": Decision,
}


def page() -> str:
    """The whole page."""
    lines = [HEAD]
    for path, name, text in documented():
        lines.append(f"| `{path}` | {cell(text)} | `.{name}` |")
    for title, model in MODELS.items():
        lines += ["", f"## {title}", ""]
        first = cleandoc(model.__doc__ or "").split("\n\n")[0]
        lines += [" ".join(first.split()).replace("``", "`"), "", *fields_table(model)]
    return "\n".join(lines) + "\n"


def documented() -> list[tuple[str, str, str]]:
    """Path within the run folder, name of the property, and what it says of itself."""
    root = Path("run")
    found = []
    for name, member in vars(RunDirectory).items():
        if isinstance(member, property):
            path: Path = getattr(RunDirectory(root), name)
            folder = "" if path.suffix else "/"
            text = " ".join(cleandoc(member.__doc__ or "").split()).replace("``", "`")
            found.append((path.relative_to(root).as_posix() + folder, name, text))
    return sorted(found, key=lambda one: (one[0].count("/") > 0, one[0]))
