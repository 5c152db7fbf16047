"""``hf-vft evaluate``: a run on other images."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hf_vft.cli.shortcuts import shortcuts

if TYPE_CHECKING:
    from hf_vft.workflows.evaluate import EvaluationResult


def evaluate(
    run: Annotated[Path, typer.Argument(help="A run folder of `hf-vft fit`, or a champion file.")],
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
    change: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="A.B=C", help="Read DATA otherwise: a field of data."),
    ] = None,
    label: Annotated[
        str | None, typer.Option(help="The column that holds the labels: data.label_column.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Score a run on labelled images, with intervals, by slices if you like.

    Example: hf-vft evaluate run/ new-photos/ --by camera
    """
    from hf_vft.cli.display import ConsoleDisplay, quiet_libraries
    from hf_vft.cli.memory import suit_the_device
    from hf_vft.cli.questions import asking
    from hf_vft.cli.scores import print_robustness, print_split
    from hf_vft.recipe.edit import parse_change
    from hf_vft.workflows.evaluate import evaluate_run

    changes = dict(map(parse_change, change or [])) | shortcuts(label)
    quiet_libraries()
    suit_the_device()

    def measure(answers: dict[str, Any]) -> "EvaluationResult":
        with ConsoleDisplay() as display:
            return evaluate_run(
                run,
                data,
                by=by or [],
                split=split,
                robustness=robustness,
                changes=changes | answers,
                display=display,
            )

    measured = asking(measure)
    if as_json:
        scores = measured.result.model_dump(mode="json")
        if measured.robustness is not None:
            scores["robustness"] = measured.robustness.model_dump(mode="json")
        typer.echo(json.dumps(scores, indent=2))
        return
    print_split(measured.result)
    if measured.robustness is not None:
        print_robustness(measured.robustness)
