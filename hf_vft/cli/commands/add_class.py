"""``hf-vft add-class``: a new class from a few images, without training."""

from pathlib import Path
from typing import Annotated

import typer

from hf_vft.cli.champion_line import tell_who_is_champion


def add_class(
    run: Annotated[Path, typer.Argument(help="A finished run, or a champion file.")],
    folder: Annotated[Path, typer.Argument(help="Images of the new class.")],
    out: Annotated[
        Path | None, typer.Option(help="The new run folder.", show_default="RUN-2, RUN-3, …")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Of the class.", show_default="the folder's")
    ] = None,
    champion: Annotated[
        Path | None,
        typer.Option(help="File that names the run in use.", show_default="champion beside RUN"),
    ] = None,
    tolerance: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Accuracy that may be lost on old images.")
    ] = 0.05,
    as_json: Annotated[bool, typer.Option("--json", help="Print comparison.json.")] = False,
) -> None:
    """Give a model a new class from a few images; the logits of its old classes stay.

    Exit status: 0 the new run took over, 3 the champion stays, 1 error, 2 usage.

    Example: hf-vft add-class run/ photos/scratch --out run-2
    """
    from hf_vft.cli.display import ConsoleDisplay, quiet_libraries
    from hf_vft.cli.memory import suit_the_device
    from hf_vft.workflows.add_class import add_class as run_add_class

    quiet_libraries()
    suit_the_device()
    with ConsoleDisplay() as display:
        found = run_add_class(
            run,
            folder,
            out,
            name=name,
            champion=champion,
            tolerance=tolerance,
            display=display,
        )
    tell_who_is_champion(found, "New run", as_json=as_json)
