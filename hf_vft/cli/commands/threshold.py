"""``hf-vft threshold``: from which score of a class on an alarm is cheapest."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hf_vft.evaluation.costs import CostChoice


def threshold(
    run: Annotated[Path, typer.Argument(help="A run folder of `hf-vft fit`, or a champion file.")],
    label: Annotated[str, typer.Option(help="The class whose alarm it is, such as a defect.")],
    miss: Annotated[
        float | None, typer.Option(help="Cost of an image of the class without an alarm.")
    ] = None,
    false_alarm: Annotated[
        float, typer.Option(help="Cost of an alarm for another image, in the same unit.")
    ] = 1.0,
    keep: Annotated[
        bool, typer.Option("--keep", help="Have predict and serve raise this alarm from now on.")
    ] = False,
    remove: Annotated[
        bool, typer.Option("--remove", help="Raise no alarm for the class any more.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
) -> None:
    """Choose the score from which on a class is to raise an alarm, by what errors cost.

    It is chosen on the validation images of the run and judged on its test images, as the run
    recorded them: no model is loaded. With --keep, predict and serve raise the alarm beside the
    model's answer, which stays as it is.

    Example: hf-vft threshold run/ --label crack --miss 20 --false-alarm 1 --keep

    Example: hf-vft threshold run/ --label crack --remove
    """
    from hf_vft.workflows.choose_threshold import choose_threshold, remove_threshold

    if remove:
        if miss is not None or keep:
            raise typer.BadParameter("--remove takes no --miss and no --keep.")
        remove_threshold(run, label)
        typer.echo(f"predict and serve raise no alarm for {label} any more.")
        return
    if miss is None:
        raise typer.BadParameter("--miss says what an image of the class without an alarm costs.")
    choice = choose_threshold(run, label, miss=miss, false_alarm=false_alarm, keep=keep)
    if as_json:
        typer.echo(choice.model_dump_json(indent=2))
        return
    _print(choice)
    typer.echo(
        "predict and serve raise this alarm from now on; start a running server again."
        if keep
        else "Add --keep to have predict and serve raise this alarm."
    )


def _print(choice: "CostChoice") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(
        title=f"Alarm for {choice.label}: {choice.n} test images, {choice.support} of the class"
    )
    for name in ("alarm", "misses", "false alarms", "cost of 100", "saved of 100"):
        table.add_column(name)
    for name, rule in choice.rules.items():
        saved = "" if rule.saves is None else str(rule.saves)
        table.add_row(name, str(rule.misses), str(rule.false_alarms), str(rule.cost), saved)
    console = Console()
    console.print(table)
    console.print(
        f"Threshold for {choice.label}: {choice.threshold:.4g} ({choice.reason}).",
        markup=False, highlight=False, soft_wrap=True,
    )  # fmt: skip
    saves = choice.rules["threshold"].saves
    if saves is None or saves.low is None or saves.low <= 0:
        console.print(
            "These test images do not show that it is cheaper than the model's own answers.",
            soft_wrap=True,
        )
