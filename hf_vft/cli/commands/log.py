"""``hf-vft log``: what a production log needs from time to time."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Add labels to a production log, export images to label, or compact it.",
    no_args_is_help=True,
)

Log = Annotated[Path, typer.Argument(help="A production log.")]


@app.command()
def label(
    log: Log,
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV or JSON Lines with request_id and label; an export of Label Studio, CVAT."
        ),
    ],
    source: Annotated[
        str, typer.Option(help="Who labelled, where the file does not say.")
    ] = "file",
    run: Annotated[
        Path | None,
        typer.Option(help="Whose classes count; by default the names that the log has."),
    ] = None,
    new_class: Annotated[
        list[str] | None,
        typer.Option(help="A class that no model has answered so far; may be repeated."),
    ] = None,
) -> None:
    """Write labels that became known; a later one of an image replaces an earlier one.

    Labels that are no class are kept out and counted, each with the class that it resembles.

    Rows without a label are left alone, so label-these.csv of `hf-vft monitor` can be filled in
    and given here.

    Example: hf-vft log label log/ monitor/label-these.csv --source inspector
    """
    from hf_vft.workflows.add_labels import add_labels

    added = add_labels(log, file, source=source, run=run, new_classes=new_class or ())
    for note in added.notes:
        typer.secho(note, fg="yellow", err=True)
    typer.echo(f"{added.written} labels written.")


@app.command()
def export(
    log: Log,
    file: Annotated[Path, typer.Argument(help="label-these.csv, or another with request_id.")],
    out: Annotated[Path, typer.Option(help="The file to write.")],
    kind: Annotated[
        str, typer.Option("--format", help="label-studio or cvat: whose import format.")
    ] = "label-studio",
    prefix: Annotated[
        str,
        typer.Option(
            help="Label Studio: what stands before the name of each image, which for an image that "
            "the log keeps is its path within LOG."
        ),
    ] = "/data/local-files/?d=",
    run: Annotated[
        Path | None, typer.Option(help="Label Studio: whose classes are offered.")
    ] = None,
) -> None:
    """Write images to label for Label Studio or CVAT, with the model's answers to correct.

    Bring the tool's export back with `hf-vft log label LOG EXPORT`.

    Example: hf-vft log export log/ monitor/label-these.csv --format label-studio --out tasks.json
    """
    from hf_vft.workflows.export_to_label import export_to_label

    for written in export_to_label(log, file, out, kind=kind, prefix=prefix, run=run):
        typer.echo(f"Written: {written}")


@app.command()
def compact(log: Log) -> None:
    """Turn journals of killed writers into Parquet, and many small files into few large ones.

    Writers and readers may go on meanwhile.

    Example: hf-vft log compact log/
    """
    from hf_vft.records import ProductionLog

    done = ProductionLog.open(log).compact()
    typer.echo(f"{done.before} files became {done.after}; {done.journals} journals were taken in.")
