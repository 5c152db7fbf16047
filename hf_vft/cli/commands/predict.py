"""``hf-vft predict``: answers for images."""

import json
from pathlib import Path
from typing import Annotated

import typer

from hf_vft.cli.exit_codes import ERROR


def predict(
    run: Annotated[Path, typer.Argument(help="A run folder of `hf-vft fit`, or a champion file.")],
    images: Annotated[list[Path], typer.Argument(help="Images, or folders of images.")],
    top: Annotated[int, typer.Option(min=1, help="How many labels for each image.")] = 1,
    batch_size: Annotated[int, typer.Option(min=1, help="Images at a time.")] = 16,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object a line.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Write a table, a row for each image: .csv, .parquet or .jsonl."),
    ] = None,
    maps: Annotated[
        Path | None,
        typer.Option(help="Draw where each image is unlike good ones, into this folder."),
    ] = None,
) -> None:
    """Label images, with calibrated confidence.

    An image that cannot be read gets a line that says why; the others are answered, and the
    exit status is 1. With --out, a command that was stopped goes on where it stopped when it is
    given again.

    Example: hf-vft predict run/ photo.jpg other/ --json

    Example: hf-vft predict run/ photos/ --out answers.csv
    """
    from hf_vft.cli.display import quiet_libraries
    from hf_vft.cli.memory import suit_the_device
    from hf_vft.inference.predictor import Predictor
    from hf_vft.run import RunDirectory

    quiet_libraries()
    suit_the_device()
    if out is not None and maps is not None:
        raise typer.BadParameter("give --out or --maps, not both.", param_hint="--maps")
    if out is not None:
        _write_table(run, images, out, batch_size, as_json=as_json)
        return
    failed = False
    predictor = Predictor(RunDirectory.open(run))
    if predictor.note:
        typer.secho(f"hf-vft: {predictor.note}", fg="yellow", err=True)
    answers = predictor.answer_files(images, top=top, batch_size=batch_size)
    if maps is not None:
        from hf_vft.workflows.anomaly_maps import with_maps

        answers = with_maps(answers, predictor, maps)
    for answer in answers:
        failed = failed or answer.error is not None
        if as_json:
            typer.echo(json.dumps(answer.as_dict(), ensure_ascii=False))
        elif answer.error is not None:
            typer.secho(f"{answer.file}: {answer.error}", fg="red", err=True)
        else:
            typer.echo(f"{answer.file}: {answer.text}")
            if answer.note:
                typer.secho(f"{answer.file}: {answer.note}.", fg="yellow", err=True)
    if failed:
        raise typer.Exit(ERROR)


def _write_table(
    run: Path, images: list[Path], out: Path, batch_size: int, *, as_json: bool
) -> None:
    from hf_vft.cli.display import ConsoleDisplay
    from hf_vft.utils.text import counted
    from hf_vft.workflows.answer_images import answer_images

    with ConsoleDisplay() as display:
        answered = answer_images(run, images, out, batch_size=batch_size, display=display)
    if as_json:
        typer.echo(json.dumps({**vars(answered), "file": str(answered.file)}))
    else:
        unsure = "" if answered.unsure is None else f", {answered.unsure:,} of them not sure"
        raised = "" if answered.alarms is None else f", {counted(answered.alarms, 'alarm')}"
        typer.echo(f"{counted(answered.images, 'image')}{unsure}{raised}: {answered.file}")
        if answered.errors:
            typer.secho(
                f"{counted(answered.errors, 'image')} could not be read; column error says why.",
                fg="red",
                err=True,
            )
    if answered.errors:
        raise typer.Exit(ERROR)
