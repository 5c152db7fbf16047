"""``hf-vft evaluate``: a run on other images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def evaluate(
    run: Annotated[Path, typer.Argument(help="A run folder of `hf-vft fit`.")],
    data: Annotated[str, typer.Argument(help="Labelled images, as for `hf-vft fit`.")],
    by: Annotated[
        list[str] | None, typer.Option(help="Break the scores down by this column.")
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="train, validation or test: as the run divided its images, else as DATA says."
        ),
    ] = None,
    robustness: Annotated[
        bool,
        typer.Option("--robustness", help="Also with noise, blur, other light, a coarser camera."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Score a run on labelled images, with intervals, by slices if you like.

    Example: hf-vft evaluate run/ new-photos/ --by camera
    """
    from hf_vft.cli.display import ConsoleDisplay, quiet_libraries
    from hf_vft.cli.memory import suit_the_device
    from hf_vft.cli.scores import print_robustness, print_split
    from hf_vft.workflows.evaluate import evaluate_run

    quiet_libraries()
    suit_the_device()
    with ConsoleDisplay() as display:
        measured = evaluate_run(
            run, data, by=by or [], split=split, robustness=robustness, display=display
        )
    if as_json:
        found = measured.result.model_dump(mode="json")
        if measured.robustness is not None:
            found["robustness"] = measured.robustness.model_dump(mode="json")
        typer.echo(json.dumps(found, indent=2))
        return
    print_split(measured.result)
    if measured.robustness is not None:
        print_robustness(measured.robustness)
