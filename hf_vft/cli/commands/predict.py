"""``hf-vft predict``: answers for images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def predict(
    run: Annotated[Path, typer.Argument(help="A run folder of `hf-vft fit`.")],
    images: Annotated[list[Path], typer.Argument(help="Images, or folders of images.")],
    top: Annotated[int, typer.Option(min=1, help="How many labels for each image.")] = 1,
    batch_size: Annotated[int, typer.Option(min=1, help="Images at a time.")] = 16,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object a line.")] = False,
) -> None:
    """Label images, with calibrated confidence.

    An image that cannot be read gets a line that says why; the others are answered, and the
    exit status is 1.

    Example: hf-vft predict run/ photo.jpg other/ --json
    """
    from hf_vft.cli.display import quiet_libraries
    from hf_vft.cli.memory import suit_the_device
    from hf_vft.inference.predictor import Predictor
    from hf_vft.run import RunDirectory

    quiet_libraries()
    suit_the_device()
    failed = False
    predictor = Predictor(RunDirectory.open(run))
    for answer in predictor.answer_files(images, top=top, batch_size=batch_size):
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
        raise typer.Exit(1)
