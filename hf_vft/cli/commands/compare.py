"""``hf-vft compare``: two runs on the same held-out images."""

import json
from pathlib import Path
from typing import Annotated

import typer


def compare(
    first: Annotated[
        Path, typer.Argument(help="A run folder of `hf-vft fit`, or a champion file.")
    ],
    second: Annotated[Path, typer.Argument(help="Another one, on the same test images.")],
    out: Annotated[Path, typer.Option(help="Folder for compare.html and compare.json.")] = Path(
        "comparison"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
) -> None:
    """Say which of two runs is better, by how much at least, and where they differ.

    Both must have held out the same test images. Differences have paired 95 % intervals.

    Example: hf-vft compare run/ run2/ --out comparison
    """
    from rich.console import Console
    from rich.table import Table

    from hf_vft.cli.display import ConsoleDisplay, quiet_libraries
    from hf_vft.reporting.verdict import metric_name
    from hf_vft.workflows.compare import compare_runs

    quiet_libraries()
    with ConsoleDisplay() as display:
        comparison = compare_runs(first, second, out, display=display)
    if as_json:
        numbers = comparison.scores.model_dump(mode="json")
        typer.echo(json.dumps({"sentence": comparison.sentence, **numbers}, indent=2))
        return
    table = Table(title=f"{comparison.scores.n} test images (paired 95 % interval)")
    for name in ("", comparison.first, comparison.second, "difference"):
        table.add_column(name)
    for key, pair in comparison.scores.scores.items():
        gap = pair.difference
        difference = f"{gap.value:+.3f} ({gap.low:+.3f} to {gap.high:+.3f})"
        table.add_row(metric_name(key), f"{pair.first:.3f}", f"{pair.second:.3f}", difference)
    console = Console()
    console.print(table)
    typer.echo(comparison.sentence)
    typer.echo(
        f"Right in both {comparison.scores.both}, "
        f"only in {comparison.first} {comparison.scores.only_first}, "
        f"only in {comparison.second} {comparison.scores.only_second}."
    )
    typer.echo(f"Report: {comparison.page}")
