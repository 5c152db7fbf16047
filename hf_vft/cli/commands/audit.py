"""``hf-vft audit``: what is wrong with the data, before anything is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def audit(
    data: Annotated[
        str, typer.Argument(help="Labelled pictures, as for `hf-vft fit`: a folder, a zip, …")
    ],
    out: Annotated[Path, typer.Option(help="Folder for audit.html and audit.json.")] = Path(
        "audit"
    ),
    model: Annotated[
        str | None,
        typer.Option(help="Backbone to check the labels by: a Hub id or a folder."),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Leave the labels alone: needs no backbone.")
    ] = False,
    recipe: Annotated[
        str, typer.Option(help="A recipe of `hf-vft recipes`, or a YAML file.")
    ] = "staged",
    change: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="A.B=C", help="Change a field of the recipe."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print audit.json.")] = False,
) -> None:
    """Look for leaks, duplicates, wrong labels and odd pictures; write a page about them.

    The exit status is 0 whatever is found.

    Example: hf-vft audit photos/ --out audit --set data.group_column=part
    """
    from hf_vft.auditing import audit_data
    from hf_vft.cli.display import ConsoleDisplay, quiet_libraries
    from hf_vft.recipe import load_recipe

    chosen = load_recipe(recipe, change or [])
    changes: dict[str, object] = {"data.path": data}
    if model is not None:
        changes["model.candidates"] = [model]
    quiet_libraries()
    with ConsoleDisplay() as display:
        done = audit_data(chosen.replaced(changes), out, labels=not quick, display=display)
    if as_json:
        typer.echo(done.audit.model_dump_json(indent=2))
        return
    for finding in done.audit.findings:
        typer.echo(f"{finding.severity:<8} {finding.sentence}")
    if not done.audit.findings:
        typer.echo("Nothing to report.")
    typer.echo(done.audit.labels_note)
    typer.echo(f"Page: {done.page}")
