"""``hf-vft audit``: what is wrong with the data, before anything is trained."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hf_vft.cli.shortcuts import shortcuts

if TYPE_CHECKING:
    from hf_vft.data.sources.preview import Preview
    from hf_vft.recipe.schema import Recipe
    from hf_vft.workflows.audit import Audited


def audit(
    data: Annotated[
        str, typer.Argument(help="Labelled images, as for `hf-vft fit`: a folder, a zip, …")
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
    label: Annotated[
        str | None, typer.Option(help="The column that holds the labels: data.label_column.")
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Only say what the data would be read as; decode nothing."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print audit.json.")] = False,
) -> None:
    """Look for leaks, duplicates, wrong labels and odd images; write a page about them.

    The exit status is 0 whatever is found.

    Example: hf-vft audit photos/ --out audit --set data.group_column=part

    Example: hf-vft audit photos/ --dry-run
    """
    from hf_vft.cli.questions import asking
    from hf_vft.recipe.schema import load_recipe

    chosen = load_recipe(recipe, change or [])
    chosen = chosen.replaced({"data.path": data, **shortcuts(label, model)})
    if dry_run:
        print_preview(asking(lambda answers: _previewed(chosen.replaced(answers))), as_json=as_json)
        return

    from hf_vft.cli.display import ConsoleDisplay, quiet_libraries
    from hf_vft.workflows.audit import audit_data

    quiet_libraries()

    def audited(answers: dict[str, Any]) -> "Audited":
        with ConsoleDisplay() as display:
            return audit_data(chosen.replaced(answers), out, labels=not quick, display=display)

    done = asking(audited)
    if as_json:
        typer.echo(done.audit.model_dump_json(indent=2))
        return
    for finding in done.audit.findings:
        typer.echo(f"{finding.severity:<8} {finding.sentence}")
    if not done.audit.findings:
        typer.echo("Nothing to report.")
    typer.echo(done.audit.labels_note)
    typer.echo(f"Page: {done.page}")


def _previewed(recipe: "Recipe") -> "Preview":
    """Without the libraries of training, which take longer to import than this takes."""
    from hf_vft.data.sources.preview import preview
    from hf_vft.utils.cache import default_cache

    kind = None
    if recipe.task != "auto":
        from hf_vft.tasks import kind_of

        kind = kind_of(recipe.task)
    cache = default_cache() / "data"
    return preview(str(recipe.data.path), recipe.data, kind=kind, cache_dir=cache)


def print_preview(preview: "Preview", *, as_json: bool) -> None:
    """Show what the data would be read as, and the first images of each split."""
    import json

    if as_json:
        typer.echo(json.dumps(preview.to_json(), indent=2, ensure_ascii=False))
        return
    for line in preview.lines:
        typer.echo(line)
    width = max((len(row.file) for row in preview.rows), default=0)
    for row in preview.rows:
        label = "(no label)" if row.label is None else row.label
        typer.echo(f"  {row.split or '':<10} {row.file:<{width}}  {label}")
