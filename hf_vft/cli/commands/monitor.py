"""``hf-vft monitor``: is production still what the model was trained for?"""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from hf_vft.cli.exit_codes import DECISION
from hf_vft.cli.time_options import Since, Until, utc


def monitor(
    run: Annotated[Path, typer.Argument(help="A run folder of `hf-vft fit`, or a champion file.")],
    log: Annotated[Path, typer.Argument(help="A production log, or images to score.")],
    policy: Annotated[
        str, typer.Option(help="default, strict, medical, factory, or a YAML file.")
    ] = "default",
    out: Annotated[
        Path,
        typer.Option(
            help="Folder for monitor.html and verdict.json; the page of `hf-vft serve` shows what "
            "is in RUN/monitoring, or in its --reports."
        ),
    ] = Path("monitor"),
    since: Since = None,
    until: Until = None,
    workspace: Annotated[
        Path | None, typer.Option(help="Evidently workspace: a dashboard over time.")
    ] = None,
    with_images: Annotated[
        bool,
        typer.Option("--with-images", help="Show images in the report, where they are kept."),
    ] = False,
    presets: Annotated[
        bool, typer.Option("--presets", help="Evidently's own presets besides: evidently.html.")
    ] = False,
    time_format: Annotated[
        str | None,
        typer.Option(
            help="How the times of images are written: day_first, month_first, or a pattern "
            "such as '%d.%m.%Y %H:%M'."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print verdict.json.")] = False,
) -> None:
    """Say whether a model is still right, for everyone, and what to do if not.

    Exit status: 0 in order, 3 alert, 1 error, 2 usage.

    Example: hf-vft monitor run/ log/ --policy factory --workspace workspace
    """
    from hf_vft.api import monitor as run_monitor
    from hf_vft.cli.display import ConsoleDisplay, quiet_libraries
    from hf_vft.cli.memory import suit_the_device
    from hf_vft.monitoring.advice import told
    from hf_vft.monitoring.policy import load_policy
    from hf_vft.records import ProductionLog
    from hf_vft.workflows.steps.monitor_report import TO_LABEL
    from hf_vft.workflows.steps.notify import act

    chosen = load_policy(policy)
    if not ProductionLog.is_log(log):  # images need a model
        quiet_libraries()
        suit_the_device()
    with ConsoleDisplay() as display:
        result = run_monitor(
            run,
            log,
            out,
            policy=chosen,
            since=utc(since),
            until=utc(until),
            workspace=workspace,
            with_images=with_images,
            presets=presets,
            notify=False,  # after the verdict is printed
            time_format=time_format,
            display=display,
        )
    decision = result.decision
    if as_json:
        typer.echo(decision.model_dump_json(indent=2))
    else:
        typer.echo("\n".join(told(decision)))
        if len(result.to_label):
            typer.echo(f"{len(result.to_label)} images to label: {out / TO_LABEL}")
            log_folder = log if ProductionLog.is_log(log) else out / "log"
            words = ["hf-vft", "log", "label", str(log_folder), str(out / TO_LABEL)]
            typer.echo(f"  fill in its column label, then: {shlex.join(words)}")
        typer.echo(f"Report: {out / 'monitor.html'}")
    act(decision, chosen, name=run.resolve().name)
    if decision.alert and chosen.actions.exit_status:
        raise typer.Exit(DECISION)
