"""``hf-vft retrain``: learn from production, and take over only if that is better."""

from pathlib import Path
from typing import Annotated

import typer

from hf_vft.cli.champion_line import tell_who_is_champion
from hf_vft.cli.time_options import Since, utc


def retrain(
    run: Annotated[Path, typer.Argument(help="A finished run, or a champion file.")],
    log: Annotated[
        Path,
        typer.Argument(help="A production log with labels, or a folder of images with labels.csv."),
    ],
    out: Annotated[
        Path | None, typer.Option(help="The new run folder.", show_default="RUN-2, RUN-3, …")
    ] = None,
    images: Annotated[
        Path | None, typer.Option(help="Folder of the images, where the log kept none.")
    ] = None,
    since: Since = None,
    change: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="A.B=C", help="Change a field of the champion's recipe."),
    ] = None,
    champion: Annotated[
        Path | None,
        typer.Option(help="File that names the run in use.", show_default="champion beside RUN"),
    ] = None,
    tolerance: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Accuracy that may be lost on old images.")
    ] = 0.05,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a stopped one.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print comparison.json.")] = False,
) -> None:
    """Fine-tune further on newly labelled images; take over only if that is proven better.

    Exit status: 0 the challenger took over, 3 the champion stays, 1 error, 2 usage.

    A server goes on with the run that it was started with: start it again on ``champion``.

    Example: hf-vft retrain champion log/

    Example: hf-vft retrain run/ log/ --since 2026-11-01
    """
    from hf_vft.cli.display import ConsoleDisplay, quiet_libraries
    from hf_vft.cli.memory import suit_the_device
    from hf_vft.recipe.edit import parse_change
    from hf_vft.workflows.retrain import retrain as run_retrain

    quiet_libraries()
    suit_the_device()
    with ConsoleDisplay() as display:
        outcome = run_retrain(
            run,
            log,
            out,
            images=images,
            since=utc(since),
            changes=dict(map(parse_change, change or [])),
            champion=champion,
            tolerance=tolerance,
            resume=resume,
            display=display,
        )
    tell_who_is_champion(outcome, "Challenger", as_json=as_json)
